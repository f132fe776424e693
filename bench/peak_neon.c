/* NEON of ARMv8.0: bytes are multiplied to 16 bits and added in pairs to 32 (smull, sadalp). */
#include <arm_neon.h>

#include "peak.h"

#define CHAINS 16 /* independent accumulators */

/* Tells the compiler that x may have changed, so that nothing is computed once and reused. */
#define RENEW(x) __asm__ volatile("" : "+w"(x))

/* Each chain waits only for itself; the value it adds does not matter. */
static double run_f32(size_t steps)
{
    float32x4_t a = vdupq_n_f32(0.5f), acc[CHAINS];
    for (int r = 0; r < CHAINS; r++)
        acc[r] = vdupq_n_f32(0);
    for (size_t i = 0; i < steps; i++)
        for (int r = 0; r < CHAINS; r++)
            acc[r] = vfmaq_f32(acc[r], a, a);
    for (int r = 0; r < CHAINS; r++)
        RENEW(acc[r]);
    return (double)steps * CHAINS * 4 * 2;
}

/* 4 products of 16-bit numbers, added to 32 bits at once. */
static double run_mlal(size_t steps)
{
    int16x4_t a = vdup_n_s16(3);
    int32x4_t acc[CHAINS];
    for (int r = 0; r < CHAINS; r++)
        acc[r] = vdupq_n_s32(0);
    for (size_t i = 0; i < steps; i++)
        for (int r = 0; r < CHAINS; r++) {
            RENEW(a);
            acc[r] = vmlal_s16(acc[r], a, a);
        }
    for (int r = 0; r < CHAINS; r++)
        RENEW(acc[r]);
    return (double)steps * CHAINS * 4 * 2;
}

/* 8 products of bytes in two instructions. */
static double run_mull(size_t steps)
{
    int8x8_t a = vdup_n_s8(3);
    int32x4_t acc[CHAINS];
    for (int r = 0; r < CHAINS; r++)
        acc[r] = vdupq_n_s32(0);
    for (size_t i = 0; i < steps; i++)
        for (int r = 0; r < CHAINS; r++) {
            RENEW(a);
            acc[r] = vpadalq_s16(acc[r], vmull_s8(a, a));
        }
    for (int r = 0; r < CHAINS; r++)
        RENEW(acc[r]);
    return (double)steps * CHAINS * 8 * 2;
}

/* Loads and ORs in eight chains: nothing but the loads can limit it. */
static void run_read(const void *data, size_t bytes)
{
    const uint8_t *p = data;
    uint8x16_t sum[8];
    for (int r = 0; r < 8; r++)
        sum[r] = vdupq_n_u8(0);
    for (size_t i = 0; i < bytes / 16; i += 8)
        for (size_t r = 0; r < 8; r++)
            sum[r] = vorrq_u8(sum[r], vld1q_u8(p + 16 * (i + r)));
    for (int r = 0; r < 8; r++)
        RENEW(sum[r]);
}

const peak_loops peak_loops_neon = {"neon", run_f32, {run_mlal, run_mull}, run_read};

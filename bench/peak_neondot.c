/* NEON with dot products (ARMv8.2): one instruction adds four byte products to each 32-bit sum. Float as NEON. */
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

/* The dot products alone; a kernel has to fetch its operands besides. */
static double run_dot(size_t steps)
{
    int8x16_t a = vdupq_n_s8(3);
    int32x4_t acc[CHAINS];
    for (int r = 0; r < CHAINS; r++)
        acc[r] = vdupq_n_s32(0);
    for (size_t i = 0; i < steps; i++)
        for (int r = 0; r < CHAINS; r++) {
            RENEW(a);
            acc[r] = vdotq_s32(acc[r], a, a);
        }
    for (int r = 0; r < CHAINS; r++)
        RENEW(acc[r]);
    return (double)steps * CHAINS * 16 * 2;
}

const peak_loops peak_loops_neondot = {"neondot", run_f32, {run_dot, NULL}, NULL};

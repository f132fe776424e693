/* Plain C, as the compiler makes it for the architecture's baseline with the same switches as the scalar kernels (so it may well
 * use the baseline's vector instructions). */
#include <stdint.h>

#include "peak.h"

#define LANES 32 /* independent accumulators */

/* The compiler does not know what the pointer points at from here on. */
#define RENEW(pointer) __asm__ volatile("" : "+r"(pointer))
/* What the array holds is needed. */
#define USE(array) __asm__ volatile("" : : "r"(array) : "memory")

/* One factor is read anew in each step, as in a product of matrices. */
static double run_f32(size_t steps)
{
    static const float values[LANES] = {0.5f};
    const float *a = values;
    float acc[LANES] = {0};
    for (size_t s = 0; s < steps; s++) {
        const float factor = (float)(int)s;
        RENEW(a);
        for (int i = 0; i < LANES; i++)
            acc[i] += a[i] * factor;
    }
    USE(acc);
    return (double)steps * LANES * 2;
}

/* The same with bytes. */
static double run_u8s8(size_t steps)
{
    static const uint8_t bytes[LANES] = {200};
    static const int8_t weights[LANES] = {-100};
    const uint8_t *a = bytes;
    const int8_t *w = weights;
    int32_t acc[LANES] = {0};
    for (size_t s = 0; s < steps; s++) {
        RENEW(a);
        RENEW(w);
        for (int i = 0; i < LANES; i++)
            acc[i] += a[i] * w[i];
    }
    USE(acc);
    return (double)steps * LANES * 2;
}

/* Loads and ORs in eight chains. */
static void run_read(const void *data, size_t bytes)
{
    const uint64_t *p = data;
    uint64_t sum[8] = {0};
    for (size_t i = 0; i < bytes / 8; i += 8)
        for (size_t r = 0; r < 8; r++)
            sum[r] |= p[i + r];
    USE(sum);
}

const peak_loops peak_loops_scalar = {"scalar", run_f32, {run_u8s8, NULL}, run_read};

/* AVX-512 with VNNI: one instruction adds four byte products to each 32-bit sum. Float as AVX-512. */
#include <immintrin.h>

#include "peak.h"

#define CHAINS 16 /* independent accumulators */

/* Tells the compiler that x may have changed, so that nothing is computed once and reused. */
#define RENEW(x) __asm__ volatile("" : "+v"(x))

/* Each chain waits only for itself; the value it adds does not matter. */
static double run_f32(size_t steps)
{
    __m512 a = _mm512_set1_ps(0.5f), acc[CHAINS];
    for (int r = 0; r < CHAINS; r++)
        acc[r] = _mm512_setzero_ps();
    for (size_t i = 0; i < steps; i++)
        for (int r = 0; r < CHAINS; r++)
            acc[r] = _mm512_fmadd_ps(a, a, acc[r]);
    for (int r = 0; r < CHAINS; r++)
        RENEW(acc[r]);
    return (double)steps * CHAINS * 16 * 2;
}

/* The dot products alone; a kernel has to fetch its operands besides. */
static double run_dot(size_t steps)
{
    __m512i a = _mm512_set1_epi8(3), acc[CHAINS];
    for (int r = 0; r < CHAINS; r++)
        acc[r] = _mm512_setzero_si512();
    for (size_t i = 0; i < steps; i++)
        for (int r = 0; r < CHAINS; r++) {
            RENEW(a);
            acc[r] = _mm512_dpbusd_epi32(acc[r], a, a);
        }
    for (int r = 0; r < CHAINS; r++)
        RENEW(acc[r]);
    return (double)steps * CHAINS * 64 * 2;
}

const peak_loops peak_loops_avx512vnni = {"avx512vnni", run_f32, {run_dot, NULL}, NULL};

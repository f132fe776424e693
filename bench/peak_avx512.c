/* AVX-512 without VNNI: as AVX2 with twice the width. (Where the CPU runs 512-bit instructions in halves the figures equal AVX2's.)
 */
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

/* 32 products of 16-bit numbers per step and chain: multiply, add pairs, add to 32-bit sums. */
static double run_madd16(size_t steps)
{
    __m512i a = _mm512_set1_epi16(3), acc[CHAINS];
    for (int r = 0; r < CHAINS; r++)
        acc[r] = _mm512_setzero_si512();
    for (size_t i = 0; i < steps; i++)
        for (int r = 0; r < CHAINS; r++) {
            RENEW(a);
            acc[r] = _mm512_add_epi32(acc[r], _mm512_madd_epi16(a, a));
        }
    for (int r = 0; r < CHAINS; r++)
        RENEW(acc[r]);
    return (double)steps * CHAINS * 32 * 2;
}

/* 64 products of bytes: two steps of pairwise adding. */
static double run_maddubs(size_t steps)
{
    __m512i a = _mm512_set1_epi8(3), acc[CHAINS];
    const __m512i ones = _mm512_set1_epi16(1);
    for (int r = 0; r < CHAINS; r++)
        acc[r] = _mm512_setzero_si512();
    for (size_t i = 0; i < steps; i++)
        for (int r = 0; r < CHAINS; r++) {
            RENEW(a);
            acc[r] = _mm512_add_epi32(acc[r], _mm512_madd_epi16(_mm512_maddubs_epi16(a, a), ones));
        }
    for (int r = 0; r < CHAINS; r++)
        RENEW(acc[r]);
    return (double)steps * CHAINS * 64 * 2;
}

/* Loads and ORs in eight chains: nothing but the loads can limit it. */
static void run_read(const void *data, size_t bytes)
{
    const __m512i *p = data;
    __m512i sum[8];
    for (int r = 0; r < 8; r++)
        sum[r] = _mm512_setzero_si512();
    for (size_t i = 0; i < bytes / 64; i += 8)
        for (size_t r = 0; r < 8; r++)
            sum[r] = _mm512_or_si512(sum[r], _mm512_load_si512(p + i + r));
    for (int r = 0; r < 8; r++)
        RENEW(sum[r]);
}

const peak_loops peak_loops_avx512 = {"avx512", run_f32, {run_madd16, run_maddubs}, run_read};

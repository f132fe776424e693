/* AVX2: two units of 8 float lanes multiply and add at once; bytes go through vpmaddwd (exact after widening) or vpmaddubsw (exact
 * where packing has proved that no pair saturates). */
#include <immintrin.h>

#include "peak.h"

#define CHAINS 12 /* independent accumulators: latency 4 x 2 per cycle needs 8; 12 + operands fit 16 registers */

/* Tells the compiler that x may have changed, so that nothing is computed once and reused. */
#define RENEW(x) __asm__ volatile("" : "+x"(x))

/* Each chain waits only for itself; the value it adds does not matter. */
static double run_f32(size_t steps)
{
    __m256 a = _mm256_set1_ps(0.5f), acc[CHAINS];
    for (int r = 0; r < CHAINS; r++)
        acc[r] = _mm256_setzero_ps();
    for (size_t i = 0; i < steps; i++)
        for (int r = 0; r < CHAINS; r++)
            acc[r] = _mm256_fmadd_ps(a, a, acc[r]);
    for (int r = 0; r < CHAINS; r++)
        RENEW(acc[r]);
    return (double)steps * CHAINS * 8 * 2;
}

/* 16 products of 16-bit numbers per step and chain: multiply, add pairs, add to 32-bit sums. */
static double run_madd16(size_t steps)
{
    __m256i a = _mm256_set1_epi16(3), acc[CHAINS];
    for (int r = 0; r < CHAINS; r++)
        acc[r] = _mm256_setzero_si256();
    for (size_t i = 0; i < steps; i++)
        for (int r = 0; r < CHAINS; r++) {
            RENEW(a);
            acc[r] = _mm256_add_epi32(acc[r], _mm256_madd_epi16(a, a));
        }
    for (int r = 0; r < CHAINS; r++)
        RENEW(acc[r]);
    return (double)steps * CHAINS * 16 * 2;
}

/* 32 products of bytes: two steps of pairwise adding. */
static double run_maddubs(size_t steps)
{
    __m256i a = _mm256_set1_epi8(3), acc[CHAINS];
    const __m256i ones = _mm256_set1_epi16(1);
    for (int r = 0; r < CHAINS; r++)
        acc[r] = _mm256_setzero_si256();
    for (size_t i = 0; i < steps; i++)
        for (int r = 0; r < CHAINS; r++) {
            RENEW(a);
            acc[r] = _mm256_add_epi32(acc[r], _mm256_madd_epi16(_mm256_maddubs_epi16(a, a), ones));
        }
    for (int r = 0; r < CHAINS; r++)
        RENEW(acc[r]);
    return (double)steps * CHAINS * 32 * 2;
}

/* Loads and ORs in eight chains: nothing but the loads can limit it. */
static void run_read(const void *data, size_t bytes)
{
    const __m256i *p = data;
    __m256i sum[8];
    for (int r = 0; r < 8; r++)
        sum[r] = _mm256_setzero_si256();
    for (size_t i = 0; i < bytes / 32; i += 8)
        for (size_t r = 0; r < 8; r++)
            sum[r] = _mm256_or_si256(sum[r], _mm256_load_si256(p + i + r));
    for (int r = 0; r < 8; r++)
        RENEW(sum[r]);
}

const peak_loops peak_loops_avx2 = {"avx2", run_f32, {run_madd16, run_maddubs}, run_read};

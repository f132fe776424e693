/* gemv_f32_avx512.c - one row times a panel:  out[c] = clamp(bias[c] + sum over taps t, i < k of a[t][i] * b[t][i][c] (+ residual))
 *
 * Every weight is used once, so what counts is to read the panel as fast as its memory delivers: straight through, two loads a
 * cycle when it lies in L1. A multiply-add takes 4 cycles; two pipes want 8 independent sums:
 *
 *   64 columns:  2 k at a time x 4 vectors              16 columns:  8 k at a time x 1 vector
 *        | b0 | b1 | b2 | b3 |  k even -> sums 0..3          | b0 |  k = 0 mod 8 -> sum 0
 *        | b0 | b1 | b2 | b3 |  k odd  -> sums 4..7          | .. |  ...            sum 7
 *
 * The sums are added at the end. Judged by the GB/s of the cache level (or memory) that holds the panel.
 */
#include "epilogue_avx512.h"
#include "gemm_avx512.h"

enum { SUMS = 8 };

/* nv vectors of 16 columns, constant wherever this is inlined. */
OCT_INLINE void row(const oct_tile *t, const size_t nv)
{
    const size_t depth = SUMS / nv;
    /* 1. The first sums start at the bias, the others at zero. */
    __m512 acc[SUMS];
    OCT_UNROLLED
    for (size_t j = 0; j < SUMS; j++)
        acc[j] = j < nv ? _mm512_load_ps(t->e.bias + 16 * j) : _mm512_setzero_ps();
    const float *b = t->b;

    for (size_t tap = 0; tap < t->taps; tap++) {
        /* 2. This tap's row pointer. */
        const float *a = (const float *)t->a[tap] + t->a_offset;
        size_t i = 0;
        /* 3. Along k, `depth` rows of the panel at a time. */
        for (; i + depth <= t->k; i += depth, b += 16 * SUMS) {
            OCT_UNROLLED
            for (size_t j = 0; j < SUMS; j++)
                acc[j] = _mm512_fmadd_ps(_mm512_set1_ps(a[i + j / nv]), _mm512_load_ps(b + 16 * j), acc[j]);
        }
        /* 3b. The rest, row by row. */
        for (; i < t->k; i++, b += 16 * nv) {
            OCT_UNROLLED
            for (size_t v = 0; v < nv; v++)
                acc[v] = _mm512_fmadd_ps(_mm512_set1_ps(a[i]), _mm512_load_ps(b + 16 * v), acc[v]);
        }
    }

    /* 5. Join the sums; epilogue. */
    OCT_UNROLLED
    for (size_t j = nv; j < SUMS; j++)
        acc[j % nv] = _mm512_add_ps(acc[j % nv], acc[j]);
    oct_store_tile_f32(t, acc, 1, 1, nv);
}

void oct_gemv_f32_1x64_avx512(const oct_tile *t) { row(t, 4); }

void oct_gemv_f32_1x16_avx512(const oct_tile *t) { row(t, 1); }

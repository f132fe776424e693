/* gemv_f32_avx2.c - f32 product of one row and a panel of 16 (or 8) columns.
 *
 *   acc[c] = bias[c] + sum over taps t, i < k of a[t][i] * b[t][i][c]                  then the epilogue
 *
 * Panel, kr = 1:  | b[0][0..15] | b[1][0..15] | b[2][0..15] | ..          each weight is read once and never again
 *
 *   acc[0]  <-  a[i]   * b[i]            four independent sets: with one, each step of k would wait for the FMA
 *   acc[1]  <-  a[i+1] * b[i+1]          latency of the step before (4 cycles for 64 bytes)
 *   acc[2]  <-  a[i+2] * b[i+2]
 *   acc[3]  <-  a[i+3] * b[i+3]
 *
 * Bound: the bytes of b. The panels follow each other in memory, so a whole product is one stream the hardware prefetcher can
 * follow.
 */
#include "avx2.h"
#include "epilogue_avx2.h"

enum { SETS = 4 };

/* acc += element *a times one row of the panel. */
OCT_INLINE void step(__m256 acc[TILE_VECS], const float *a, const float *b, size_t vecs)
{
    const __m256 ai = _mm256_broadcast_ss(a);
    acc[0] = _mm256_fmadd_ps(ai, _mm256_loadu_ps(b), acc[0]);
    if (vecs == 2)
        acc[1] = _mm256_fmadd_ps(ai, _mm256_loadu_ps(b + 8), acc[1]);
}

/* The whole product; `vecs` (1 or 2 vectors of columns) is a constant. */
OCT_INLINE void row(const oct_tile *tile, size_t vecs)
{
    __m256 acc[SETS][TILE_VECS];
    const float *b = tile->b;
    /* 1. Accumulators start at the bias, the first set; the others at zero. */
    OCT_UNROLLED
    for (size_t s = 0; s < SETS; s++)
        acc[s][0] = acc[s][1] = _mm256_setzero_ps();
    acc[0][0] = _mm256_loadu_ps(tile->e.bias);
    if (vecs == 2)
        acc[0][1] = _mm256_loadu_ps(tile->e.bias + 8);
    for (size_t tap = 0; tap < tile->taps; tap++) {
        /* 2. This tap's row pointer. */
        const float *a = (const float *)tile->a[tap] + tile->a_offset;
        /* 3. Along k, one element per set: 4. broadcast, multiply, add. */
        size_t i = 0;
        for (; i + SETS <= tile->k; i += SETS, b += SETS * 8 * vecs)
            OCT_UNROLLED
            for (size_t s = 0; s < SETS; s++)
                step(acc[s], a + i + s, b + s * 8 * vecs, vecs);
        for (; i < tile->k; i++, b += 8 * vecs)
            step(acc[0], a + i, b, vecs);
    }
    /* 5. The sets become one; epilogue. */
    __m256 x[TILE_ROWS][TILE_VECS];
    OCT_UNROLLED
    for (size_t v = 0; v < TILE_VECS; v++)
        x[0][v] = _mm256_add_ps(_mm256_add_ps(acc[0][v], acc[1][v]), _mm256_add_ps(acc[2][v], acc[3][v]));
    finish_f32(&tile->e, x, 1, vecs);
}

static void row_16(const oct_tile *tile) { row(tile, 2); }
static void row_8(const oct_tile *tile) { row(tile, 1); }

void oct_gemv_f32_avx2(const oct_tile *tile) { run_columns(tile, 16, row_16); }
void oct_gemv_f32_narrow_avx2(const oct_tile *tile) { run_columns(tile, 8, row_8); }

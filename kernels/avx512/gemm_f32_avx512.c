/* gemm_f32_avx512.c - f32 micro-kernels:  out[r][c] = clamp(bias[c] + sum over taps t, i < k of a[r][t][i] * b[t][i][c] (+
 * residual))
 *
 * The tile, 6 x 64 (24 accumulators + 4 columns of b + 1 broadcast = 29 of 32 registers):
 *
 *                  b: one k, 64 columns      panel: | k=0: 64 floats | k=1: 64 floats | ...   256 bytes each, one tap after another
 *                | b0 | b1 | b2 | b3 |
 *   row 0  a0 -> | 00 | 01 | 02 | 03 |   each row of a is one broadcast for 4 fused multiply-adds
 *   row 1  a1 -> | 04 | 05 | 06 | 07 |
 *   ...          |         ...       |   4 loads and 6 broadcasts feed 24 multiply-adds: 10 of the 24 loads two ports could do
 *      meanwhile
 *   row 5  a5 -> | 20 | 21 | 22 | 23 |
 *
 * Few rows and many columns, because the row pointers then stay in general registers, and because rows 4096 bytes apart share one
 * set of the L1 cache: 8 ways hold 6 such rows, not 14. So no copy of a is ever made. 7 x 64 has one register too few (33): an
 * accumulator lives on the stack, and the loads cost more than the seventh row saves on cores with two full multiply-add pipes.
 * For the rest of N: 12 x 32 (24 + 2 + 1 registers) and 12 x 16 (12 independent sums cover the latency of 4 on two pipes).
 *
 * Judged by the FMA peak of the core.
 */
#include "gemm_avx512.h"
#include "epilogue_avx512.h"

enum { MR = 12, NV = 4 };

/* mr rows, of which t->m exist, at least `least`, and nv vectors of 16 columns: constants wherever this is inlined, so the loops
 * over them unroll and acc lives in registers. */
OCT_INLINE void tile(const oct_tile *t, const size_t mr, const size_t least, const size_t nv)
{
    /* 1. Accumulators start at the bias. One straight initialisation: with a choice here gcc would spill all of them round the
     * loop. */
    __m512 acc[OCT_TILE_VECTORS];
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < nv; v++)
            acc[r * nv + v] = _mm512_load_ps(t->e.bias + 16 * v);
    const float *b = t->b;

    for (size_t tap = 0; tap < t->taps; tap++) {
        /* 2. This tap's row pointers. */
        const float *a[MR];
        OCT_UNROLLED
        for (size_t r = 0; r < mr; r++)
            a[r] = (const float *)t->a[oct_row_or_first(t, r, least) * t->a_stride + tap] + t->a_offset;

        /* 3. Along k: one row of the panel, one element of every row of a. */
        for (size_t i = 0; i < t->k; i++, b += 16 * nv) {
            __m512 column[NV];
            OCT_UNROLLED
            for (size_t v = 0; v < nv; v++)
                column[v] = _mm512_load_ps(b + 16 * v);
            OCT_UNROLLED
            for (size_t r = 0; r < mr; r++) {
                /* 4. Broadcast a, multiply, add. */
                const __m512 x = _mm512_set1_ps(a[r][i]);
                OCT_UNROLLED
                for (size_t v = 0; v < nv; v++)
                    acc[r * nv + v] = _mm512_fmadd_ps(x, column[v], acc[r * nv + v]);
            }
        }
    }

    /* 5. Epilogue, row by row. */
    oct_store_tile_f32(t, acc, mr, least, nv);
}

#include "gemm_sizes_avx512.h"

void oct_gemm_f32_6x64_avx512(const oct_tile *t) { wide(t); }

void oct_gemm_f32_12x32_avx512(const oct_tile *t) { narrow(t, 2); }

void oct_gemm_f32_12x16_avx512(const oct_tile *t) { narrow(t, 1); }

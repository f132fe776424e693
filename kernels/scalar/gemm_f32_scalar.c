/* gemm_f32_scalar.c - f32 GEMM micro-kernel, plain C: THE SPECIFICATION. The twins in the other ISA folders have the same
 * functions, in the same order, with the same step numbers; they differ in how a row of accumulators is held.
 *
 *   acc[r][c] = sum over taps t, i < k of  a[r][t][i] * b[t][i][c]           out[r][c] = clamp(acc + bias[c] (+ residual))
 *
 * The tile: MR rows x NR columns of accumulators stay in registers over all taps and all of k.
 *
 *                     b: one row of the panel
 *                  | c0 | c1 | c2 | c3 | c4 | c5 | c6 | c7 |
 *       a: row 0 * +----+----+----+----+----+----+----+----+
 *          row 1 * |                                       |      per step of k: MR scalars of a, NR of b,
 *          row 2 * |            acc[MR][NR]                |      MR * NR multiply-adds
 *          row 3 * +---------------------------------------+
 *
 * The panel, kr = 1: row after row of NR columns, tap after tap
 *
 *     tap 0: | i=0: c0..c7 | i=1: c0..c7 | .. | i=k-1 |   tap 1: | i=0: c0..c7 | ..
 *
 * Rounding: products and sums are rounded one by one, in the order taps, i. A twin may use fused multiply-adds and several partial
 * sums; the contract allows a difference of c * k * eps * sum |a||b|.
 */
#include "scalar.h"
#include "epilogue_scalar.h"

enum { MR = 4, NR = 8 };

/* `mr` is a constant wherever this is inlined, so the row loops unroll and acc lives in registers. */
static inline __attribute__((always_inline)) void tile(const oct_tile *t, const size_t mr)
{
    /* 1. Accumulators start at zero; the bias joins in the epilogue. */
    float acc[MR][NR] = {{0}};
    const float *b = t->b;

    for (size_t tap = 0; tap < t->taps; tap++) {
        /* 2. This tap's row pointers. */
        const float *a[MR];
        for (size_t r = 0; r < mr; r++)
            a[r] = (const float *)t->a[r * t->a_stride + tap] + t->a_offset;

        /* 3. Along k: one row of the panel, one element of every row of a. */
        for (size_t i = 0; i < t->k; i++, b += NR) {
            for (size_t r = 0; r < mr; r++) {
                /* 4. Broadcast a, multiply, add. */
                const float x = a[r][i];
                for (size_t c = 0; c < NR; c++)
                    acc[r][c] += x * b[c];
            }
        }
    }

    /* 5. Epilogue, row by row. */
    for (size_t r = 0; r < mr; r++)
        oct_finish_f32(&t->e, r, t->n, acc[r]);
}

void oct_gemm_f32_scalar(const oct_tile *t)
{
    switch (t->m) {
    case 1: tile(t, 1); break;
    case 2: tile(t, 2); break;
    case 3: tile(t, 3); break;
    default: tile(t, MR); break;
    }
}

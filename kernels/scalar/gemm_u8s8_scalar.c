/* gemm_u8s8_scalar.c - u8 x s8 GEMM micro-kernel, plain C: THE SPECIFICATION. Every twin gives the same bits.
 *
 *   acc[r][c] = acc_bias[c] + sum over taps t, i < k of  a[r][t][i] * b[t][i][c]
 *   out[r][c] = clamp(rne((float)acc * mult[c] (+ residual)) + out_zero)              or f32: epilogue_scalar.h
 *
 * The panel, kr = 4: four neighbouring k of one column lie together, as a four-way dot product wants them (vpdpbusd, sdot); k is
 * filled up with zero weights to a multiple of 4 in every tap.
 *
 *     group 0 (i = 0..3)                          group 1 (i = 4..7)
 *     | c0: 0 1 2 3 | c1: 0 1 2 3 | .. | c7 |     | c0: 4 5 6 7 | c1: 4 5 6 7 | ..
 *
 *     a, row r:  | 0 1 2 3 | 4 5 6 7 | ..         acc[r][c] += a0 * b0 + a1 * b1 + a2 * b2 + a3 * b3
 *
 * Ranges. One product is in [-255 * 127, 255 * 127] = +-32,385, a group of four within +-129,540. acc_bias holds
 * bias - z * sum of all w, so after any subset T of the terms
 *     acc = bias + sum over T of (a - z) * w  -  z * sum over the rest of w,      |a - z| <= 255, 0 <= z <= 255
 *     |acc| <= |bias| + 255 * sum |w|  <  2^31                                    (oct_gemm_provable, per column, when packing)
 * No partial sum overflows, whatever the order, so twins may add in any order. Wrap-around would do no harm either: the sum is
 * exact modulo 2^32 and the final value fits.
 */
#include "scalar.h"
#include "epilogue_scalar.h"

enum { MR = 4, NR = 8, KR = 4 };

/* One group: four elements of every row of a against the four-deep columns of the panel. A column's weights serve all rows. */
static inline __attribute__((always_inline)) void add_group(int32_t acc[MR][NR], int32_t x[MR][KR], const int8_t *b,
                                                            const size_t mr)
{
    for (size_t c = 0; c < NR; c++) {
        const int32_t w[KR] = {b[c * KR], b[c * KR + 1], b[c * KR + 2], b[c * KR + 3]};
        for (size_t r = 0; r < mr; r++)
            acc[r][c] += x[r][0] * w[0] + x[r][1] * w[1] + x[r][2] * w[2] + x[r][3] * w[3];
    }
}

/* `mr` is a constant wherever this is inlined, so the row loops unroll and acc lives in registers. */
static inline __attribute__((always_inline)) void tile(const oct_tile *t, const size_t mr)
{
    /* 1. Accumulators start at acc_bias, which is padded to the panel's full width. */
    int32_t acc[MR][NR];
    for (size_t r = 0; r < mr; r++)
        for (size_t c = 0; c < NR; c++)
            acc[r][c] = t->e.acc_bias[c];
    const int8_t *b = t->b;
    const size_t k_whole = t->k - t->k % KR;

    for (size_t tap = 0; tap < t->taps; tap++) {
        /* 2. This tap's row pointers. */
        const uint8_t *a[MR];
        for (size_t r = 0; r < mr; r++)
            a[r] = (const uint8_t *)t->a[r * t->a_stride + tap] + t->a_offset;

        /* 3. Along k, whole groups. */
        for (size_t i = 0; i < k_whole; i += KR, b += NR * KR) {
            /* 4. Broadcast four of a, multiply, add. */
            int32_t x[MR][KR];
            for (size_t r = 0; r < mr; r++)
                for (size_t j = 0; j < KR; j++)
                    x[r][j] = a[r][i + j];
            add_group(acc, x, b, mr);
        }

        /* 3b. The ragged group: a ends at k, so what is missing counts as zero (as the weights there are). */
        if (k_whole < t->k) {
            int32_t x[MR][KR] = {{0}};
            for (size_t r = 0; r < mr; r++)
                for (size_t i = k_whole; i < t->k; i++)
                    x[r][i - k_whole] = a[r][i];
            add_group(acc, x, b, mr);
            b += NR * KR;
        }
    }

    /* 5. Epilogue, row by row. */
    for (size_t r = 0; r < mr; r++)
        oct_finish_s32(&t->e, r, t->n, acc[r]);
}

void oct_gemm_u8s8_scalar(const oct_tile *t)
{
    switch (t->m) {
    case 1: tile(t, 1); break;
    case 2: tile(t, 2); break;
    case 3: tile(t, 3); break;
    default: tile(t, MR); break;
    }
}

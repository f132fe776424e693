/* gemm.h - the loops round the micro-kernel, written once for all ISAs and both precisions.
 *
 *   for each strip of rows, for each panel (or the other way round)          <- one unit of work
 *       for each block of the strip (balanced: ceil(rows / mr) nearly equal blocks)
 *           micro-kernel: block x panel
 *           post-pass over the fresh tile, if any
 */
#ifndef OCT_GEMM_H
#define OCT_GEMM_H

#include "pack.h"

/* A pass over finished output while it is in L1: activations that are no clamp. row: n elements of out_elem. */
typedef struct oct_post {
    void (*fn)(const void *arg, void *row, size_t n);   /* NULL: none */
    const void *arg;
} oct_post;

typedef struct oct_gemm_job {
    const oct_packed *packed;
    size_t m;
    /* The left side, one of two: */
    const void *a;                 /* (1) a matrix: row i at a + i * lda elements; packed->taps is 1 */
    size_t lda;
    const void *const *rows;       /* (2) row pointers: rows[i * taps + t]; NULL for (1) */
    size_t a_offset;               /* elements, added to every row pointer */
    /* (2) the pointer of padded taps, in_c times the real number 0; NULL: none. Leading and trailing taps that are padding in a
     * whole tile are skipped where that is exact: f32, S16 rows, and U8 rows whose zero point is the entry's a_shift. */
    const void *padding;
    oct_epilogue e;                /* out and residual at row 0, column 0; bias, acc_bias, mult padded to oct_padded_columns */
    oct_post post;
} oct_gemm_job;

/* How the work can be cut: units are independent. Results do not depend on the cutting. */
size_t oct_gemm_units(const oct_gemm_job *job);
void oct_gemm_run(const oct_gemm_job *job, size_t unit_begin, size_t unit_end);

/* Row pointers of a convolution: rows[((n * out_h + oy) * out_w + ox) * taps + ky * kernel_w + kx] points at the pixel's first
 * channel in `in` (N x H x W x C, elements of elem_size bytes), or at `padding` (in_c elements). rows has batch * out_h * out_w *
 * taps places. */
void oct_conv_rows(const oct_conv_shape *shape, const void *in, size_t elem_size, const void *padding, const void **rows);
/* Whether the convolution is a plain matrix product over pixels: 1x1, stride 1, no padding. Then no row pointers are needed. */
bool oct_conv_is_matrix(const oct_conv_shape *shape);

#endif

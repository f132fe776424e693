/* conv_strips.h - how a convolution becomes a product of matrices, and the loops for those with few input channels (first layers).
 *
 * In NHWC the kernel_w * in_c elements that one kernel row covers are neighbours in memory. With 1 or 3 channels a tap per kernel
 * position would be a product of 1 or 3 elements: a dot product of 4 stays three quarters or a quarter empty, and every tap costs
 * its row pointers again. Hence two more lowerings, both on a copy of a few image rows with their padding written out (f32, u8, or
 * s16 minus the zero point):
 *
 *   rows      one tap per kernel row, row pointers into the copy      7x7x3: 7 taps of 21 (24 in groups of 4), not 49 of 3 (4)
 *   patches   the kernel rows of a pixel are copied one behind the    3x3x3: 1 tap of 27 (28), not 3 of 9 (12)
 *             other; then it is a plain matrix
 *
 *      image rows of a strip, padded           the patch of one output pixel, kernel 3x3
 *      . . x x x x x x x . .                   |aaaaaaaaa|bbbbbbbbb|ccccccccc|0
 *      . . x[a a a]x x x . .
 *      . . x[b b b]x x x . .                   reading on past a row's or a patch's last element, to the end of its
 *      . . x[c c c]x x x . .                   group, is harmless: it is memory of the copy, and its weights are zero
 *
 * A strip is a few output rows: their image rows and patches stay in the L1 cache, and strips are the units of work. The copy is
 * what makes the padding right and keeps every read inside memory of our own.
 */
#ifndef OCT_CONV_STRIPS_H
#define OCT_CONV_STRIPS_H

#include "gemm.h"

typedef enum oct_lowering { OCT_LOWERING_MATRIX, OCT_LOWERING_DIRECT, OCT_LOWERING_ROWS, OCT_LOWERING_PATCHES } oct_lowering;

/* The one place where the way is chosen, for a convolution computed with these gemm entries:
 *   matrix   the pixels are the matrix (oct_conv_is_matrix)                  -> oct_gemm_run on a matrix
 *   direct   a tap per kernel position                                       -> oct_conv_rows, oct_gemm_run
 *   rows, patches                                                            -> oct_strips_* below */
oct_lowering oct_conv_lowering(const oct_conv_shape *shape, const oct_gemm_entry *variants);
/* "matrix", "direct", "rows", "patches" */
const char *oct_lowering_name(oct_lowering lowering);

/* A convolution cut into strips. */
typedef struct oct_strips {
    oct_conv_shape shape;
    oct_lowering lowering;
    size_t taps, k;             /* for the packer: weights are [out_c][taps][k]. taps * k = kernel_h * kernel_w * in_c */
    size_t run_k;               /* k in whole groups: what the kernels are told */
    bool widen;                 /* u8 in, s16 rows */
    size_t elem_bytes;          /* of the rows */
    size_t strip_rows, strips;  /* output rows of a strip; strips of one image */
    size_t row_bytes;           /* from one copied image row to the next */
    size_t buffer_bytes;        /* the copied image rows; the patches follow */
    size_t block;               /* patches made at a time */
} oct_strips;

/* lowering: ROWS or PATCHES; any shape with groups 1 and dilation 1 will do. */
oct_strips oct_strips_plan(const oct_conv_shape *shape, oct_lowering lowering, const oct_gemm_entry *variants);

/* Independent units of work. */
size_t oct_strips_units(const oct_strips *strips);
/* Bytes of scratch memory per thread, a multiple of 64. Its alignment: 64. */
size_t oct_strips_scratch(const oct_strips *strips);
/* Row pointers needed, for all threads together; 0 for patches. */
size_t oct_strips_pointers(const oct_strips *strips);
/* Fills them, for one thread's scratch memory; a thread whose scratch lies further on in the same array adds the distance. */
void oct_strips_connect(const oct_strips *strips, const void *scratch, const void **pointers);

typedef struct oct_strips_job {
    const oct_strips *strips;
    const oct_kernels *kernels;
    oct_gemm_job gemm;               /* packed (taps and k as above), e and post; the left side is set strip by strip */
    const void *in;                  /* N x H x W x C, f32 or u8 */
    uint8_t in_zero;                 /* u8: what padding holds */
    const void *const *pointers;     /* rows: as connected */
    const void *connected;           /* rows: the scratch memory they were connected to */
} oct_strips_job;

/* Units [begin, end). scratch: this thread's. */
void oct_strips_run(const oct_strips_job *job, size_t begin, size_t end, void *scratch);

#endif

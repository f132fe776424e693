/* conv.h - one convolution (or dense layer: a 1x1 convolution of a row of pixels), apart from addresses.
 *
 * The ways ("algo"):
 *   matrix          1x1, stride 1, no padding: the pixels are the rows of a matrix
 *   direct          row pointers, one per output pixel and tap (Dukhan, "The Indirect Convolution Algorithm", 2019)
 *   rows, patches   few input channels: strip by strip, on a padded copy of some image rows (conv_strips.h)
 *   depthwise       the kernels for it
 *   winograd        3x3 with stride 1, where it pays: a quarter of the products, between two transforms (winograd.h)
 *
 * Before matrix and direct the input is staged where the ISA's kernels multiply s16: copied to scratch memory, u8 minus the zero
 * point.
 */
#ifndef OCT_CONV_H
#define OCT_CONV_H

#include "conv_strips.h"
#include "prepack.h"
#include "threads.h"

typedef struct oct_conv {
    bool depthwise, winograd;
    oct_lowering lowering;     /* unless one of these */
    oct_conv_shape shape;
    oct_strips strips;         /* for rows and patches */
    oct_winograd tiles;        /* for winograd */
    uint32_t *start;           /* for winograd on u8: where its sums begin, per padded column */
    bool widen;
    size_t elem_bytes;         /* of what the rows consist of */
    uint8_t x_zero;            /* u8: what padding holds, unless widened */
    size_t rows, taps, k;      /* of the products */
    size_t pointers;           /* row pointers it needs */
    size_t thread_scratch;     /* per thread: for depthwise, rows, patches and winograd */
    size_t shared_scratch;     /* for winograd */
    void *padding;             /* a padded tap */
    oct_linear linear;
} oct_conv;

/* What changes from call to call. scratch: oct_conv_scratch bytes; pointers: conv->pointers, filled by oct_conv_connect. */
typedef struct oct_conv_call {
    const oct_conv *conv;
    const void *in, *residual; /* residual: NULL for none */
    void *out, *scratch;
    size_t out_ld;             /* elements between output pixels; 0: none between them, and always so for depthwise */
    const void **pointers;
    const oct_run_scale *x;    /* dynamic: what has been found for `in`; else NULL */
} oct_conv_call;

/* What the caller lets the choice of the way depend on. */
typedef struct oct_conv_choice {
    bool winograd;             /* may be taken */
    bool lasting;              /* the network is so small that all its weights stay in the cache */
    int threads;               /* that will share the work */
} oct_conv_choice;

/* desc: all but depthwise, winograd, groups, columns, taps, k and rows, which follow from the shape. Errors as oct_linear_pack. */
oct_status oct_conv_prepare(const oct_conv_shape *shape, const oct_linear_desc *desc, oct_conv_choice choice, oct_keeper *keeper,
                            oct_conv *conv);

size_t oct_conv_scratch(const oct_conv *conv, int threads);

/* Fills the row pointers; again whenever in or scratch move. */
void oct_conv_connect(const oct_conv_call *call);

/* pool may be NULL. */
void oct_conv_execute(const oct_conv_call *call, const oct_kernels *kernels, oct_pool *pool);

/* "matrix", "direct", "rows", "patches", "depthwise", "winograd" */
const char *oct_conv_algo_name(const oct_conv *conv);

#endif

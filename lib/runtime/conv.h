/* conv.h - one convolution (or dense layer: a 1x1 convolution of a row of pixels), apart from addresses.
 *
 * Three ways ("algo"):
 *   matrix      1x1, stride 1, no padding: the pixels are the rows of a matrix
 *   direct      row pointers, one per output pixel and tap (Dukhan, "The Indirect Convolution Algorithm", 2019)
 *   depthwise   the kernels for it
 *
 * Before direct and matrix the input may have to be staged, that is copied to scratch memory in another form:
 *   widen       u8 to s16 minus the zero point, where the ISA's kernels multiply s16
 *   border      with its left and right padding written out. Then the kernel_w taps of one kernel row are neighbours in
 *               memory, and are taken as one tap of kernel_w * in_c elements:
 *
 *                   . . x x x x . .      in_c = 3: three taps of 3 elements -> one tap of 9, which fills the kernels' groups of 4
 *                   |-----|              better and costs a third of the pointers. Worth while for few channels only.
 */
#ifndef OCT_CONV_H
#define OCT_CONV_H

#include "prepack.h"
#include "threads.h"

typedef enum oct_conv_algo { OCT_ALGO_MATRIX, OCT_ALGO_DIRECT, OCT_ALGO_DEPTHWISE } oct_conv_algo;

typedef struct oct_conv {
    oct_conv_algo algo;
    oct_conv_shape shape;      /* of the layer */
    oct_conv_shape gather;     /* as the row pointers see it: the staged input, and merged taps */
    bool staged, widen;
    size_t elem_bytes;         /* of what the rows consist of */
    uint8_t x_zero;            /* u8: what padding holds, unless widened */
    size_t rows, taps, k;      /* of the products */
    size_t pointers;           /* row pointers it needs */
    size_t depthwise_scratch;  /* per thread */
    const void *padding;       /* a padded tap */
    oct_linear linear;
} oct_conv;

/* What changes from call to call. scratch: oct_conv_scratch bytes; pointers: conv->pointers, filled by oct_conv_connect. */
typedef struct oct_conv_call {
    const oct_conv *conv;
    const void *in, *residual; /* residual: NULL for none */
    void *out, *scratch;
    const void **pointers;
} oct_conv_call;

/* desc: all but depthwise, groups, columns, taps, k and rows, which follow from the shape. Errors as oct_linear_pack. */
oct_status oct_conv_prepare(const oct_conv_shape *shape, const oct_linear_desc *desc, oct_keeper *keeper, oct_conv *conv);

size_t oct_conv_scratch(const oct_conv *conv, int threads);

/* Fills the row pointers; again whenever in or scratch move. */
void oct_conv_connect(const oct_conv_call *call);

/* pool may be NULL. */
void oct_conv_execute(const oct_conv_call *call, const oct_kernels *kernels, oct_pool *pool);

/* "matrix", "direct", "depthwise" */
const char *oct_conv_algo_name(const oct_conv *conv);

#endif

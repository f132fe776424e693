/* oracle.h - what the kernels ought to compute: naive, in double and int64, one output element per call. Nobody optimises this. */
#ifndef TEST_ORACLE_H
#define TEST_ORACLE_H

#include "kernels.h"
#include "pool.h"

/* An output element is right if |out - value| <= tolerance. Tolerance 0: equal. */
typedef struct oracle_value {
    double value, tolerance;
} oracle_value;

bool oracle_accepts(oracle_value expected, double out);

/* What turns sums of products into outputs. In `e`, bias, acc_bias and mult have one element per real column, and acc_bias has no
 * zero-point term; residual and out are at row 0, column 0. */
typedef struct oracle_layer {
    bool u8s8;
    int32_t x_zero;
    oct_epilogue e;
} oracle_layer;

/* Element (row, column) of a product: a is the row, w the column, k elements each (f32, or u8 and s8). */
oracle_value oracle_gemm(const oracle_layer *layer, const void *a, const void *w, size_t k, size_t row, size_t column);
/* A convolution's output pixel (counted over batch, height, width) and channel. w is OHWI, in_c / groups deep. */
oracle_value oracle_conv(const oracle_layer *layer, const oct_conv_shape *shape, const void *in, const void *w, size_t pixel,
                         size_t channel);

/* A pooling output, straight from the window's definition. */
oracle_value oracle_pool(const oct_pool_args *args, size_t pixel, size_t channel);
/* One output of a pooling kernel, from its pointers. */
oracle_value oracle_pool_kernel(const oct_pool_job *job, bool average, bool u8, size_t pixel, size_t channel);

/* One channel of an output pixel between four. */
oracle_value oracle_resize(const oct_resize_job *job, bool u8, size_t pixel, size_t channel);

/* Element (row, column) of a binary operation. */
oracle_value oracle_binary(const oct_binary_job *job, bool u8, size_t row, size_t column);

/* Round half to even, then shift and clamp. */
double oracle_requantize(double x, int32_t zero, int32_t qlo, int32_t qhi);

#endif

/* octet_kernels.h - octet's arithmetic alone: matrix products and convolutions on plain arrays.
 *
 * For programs that have their own idea of a network and only want the kernels. Pack the weights once, multiply as often as you
 * like. docs/examples/matrix_product.c shows it. Errors as in octet.h. A packed weight is immutable and may be used by any number
 * of threads at once; the calls run on the calling thread. Arrays are the caller's, need no alignment beyond their type's, and
 * are read and written nowhere outside.
 *
 * Quantized numbers: activations u8, real = x_scale * (q - x_zero); weights s8 in [-127, 127], real = w_scale[c] * q, one scale per
 * output column; products are summed exactly in 32 bits; the result is scaled in float, rounded to nearest even, and the same on
 * every ISA.
 */
#ifndef OCTET_KERNELS_H
#define OCTET_KERNELS_H

#include "octet.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The right side of a product, or a convolution's filters, packed for one ISA. Release with oct_weights_free; NULL is allowed. */
typedef struct oct_weights oct_weights;

OCT_API void oct_weights_free(oct_weights *weights);

/* y = x * w^T + bias. */
typedef struct oct_matrix_desc {
    size_t n, k;          /* columns of y, columns of x */
    const char *isa;      /* NULL: the best */
    const float *bias;    /* n, or NULL */
} oct_matrix_desc;

/* w: n x k (each output column's weights in a row); copied, like the bias. Errors: ARGUMENT, MEMORY, UNSUPPORTED (ISA). */
OCT_API oct_status oct_pack_matrix_f32(const oct_matrix_desc *desc, const float *w, oct_weights **weights);

/* How integers stand for reals on both sides of a quantized operator. */
typedef struct oct_quantization {
    float x_scale;        /* > 0 */
    int32_t x_zero;       /* 0..255 */
    const float *w_scale; /* one per output column, > 0 */
    float y_scale;        /* > 0; 0: the output is f32 */
    int32_t y_zero;       /* 0..255 */
} oct_quantization;

/* w as above; quantization and its w_scale are copied. desc->bias is real (f32) and is rounded to units of x_scale * w_scale[c]
 * when the output is u8. Weights of -128, scales that are not positive and finite, and columns whose sums could leave 32 bits are
 * ARGUMENT errors that name the column. Errors: ARGUMENT, MEMORY, UNSUPPORTED (ISA). */
OCT_API oct_status oct_pack_matrix_u8s8(const oct_matrix_desc *desc, const int8_t *w, const oct_quantization *quantization,
                                        oct_weights **weights);

/* m rows: x row i at x + i * ldx, y row i at y + i * ldy (elements; ldx >= k, ldy >= n). y must not overlap x. Allocates only when
 * the ISA needs a widened copy of x. Errors: ARGUMENT (also: weights of the other kind), MEMORY. */
OCT_API oct_status oct_gemm_f32(const oct_weights *weights, size_t m, const float *x, size_t ldx, float *y, size_t ldy);
/* y: uint8_t, or float when y_scale was 0. */
OCT_API oct_status oct_gemm_u8s8(const oct_weights *weights, size_t m, const uint8_t *x, size_t ldx, void *y, size_t ldy);

/* A 2-D convolution of one N x H x W x C array. A zero stands for the usual value: stride, dilation, groups 1; pad 0. */
typedef struct oct_convolution_desc {
    size_t batch, in_h, in_w, in_c, out_c;
    size_t kernel[2], stride[2], dilation[2];
    size_t pad[4];        /* top, left, bottom, right */
    size_t groups;
    const char *isa;      /* NULL: the best */
    const float *bias;    /* out_c, or NULL */
} oct_convolution_desc;

/* Output height and width; ARGUMENT if the window does not fit. */
OCT_API oct_status oct_convolution_size(const oct_convolution_desc *desc, size_t *out_h, size_t *out_w);

/* w: out_c x kernel h x kernel w x in_c / groups; otherwise as oct_pack_matrix_f32 and oct_pack_matrix_u8s8. */
OCT_API oct_status oct_pack_convolution_f32(const oct_convolution_desc *desc, const float *w, oct_weights **weights);
OCT_API oct_status oct_pack_convolution_u8s8(const oct_convolution_desc *desc, const int8_t *w,
                                             const oct_quantization *quantization, oct_weights **weights);

/* x: batch x in_h x in_w x in_c; y: batch x out_h x out_w x out_c (of u8s8: uint8_t, or float when y_scale was 0), both dense and
 * apart from each other. Allocates for the time of the call: a pointer per output pixel and kernel position (the indirect
 * convolution of M. Dukhan, 2019), and a copy of x where the ISA or a narrow picture needs one.
 * Errors: ARGUMENT (also: weights of the other kind), MEMORY. */
OCT_API oct_status oct_convolve_f32(const oct_weights *weights, const float *x, float *y);
OCT_API oct_status oct_convolve_u8s8(const oct_weights *weights, const uint8_t *x, void *y);

#ifdef __cplusplus
}
#endif
#endif

/* octet_kernels.h: matrix products and convolutions on plain arrays. The same packing (prepack.h) and the same ways (conv.h) as
 * a session's, with the caller's arrays instead of a plan.
 *
 *   oct_pack_matrix_*        -> oct_linear          oct_gemm_*       a job with the caller's addresses
 *   oct_pack_convolution_*   -> oct_conv            oct_convolve_*   scratch memory and row pointers for the time of the call
 *
 * The weights are immutable once packed: calls on several threads share them without a lock. What a session refuses as a damaged
 * file is the caller's mistake here, so FORMAT becomes ARGUMENT on the way out.
 */
#include "octet_kernels.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "conv.h"
#include "memory.h"
#include "operators.h"
#include "status.h"

/* One of two: a matrix has `linear`, a convolution has `conv` (and linear.u8 for the check of the call). */
struct oct_weights {
    oct_keeper keeper;
    const oct_kernels *kernels;
    bool convolution;
    bool out_u8;
    int32_t x_zero;
    size_t n, k;               /* a matrix's */
    oct_linear linear;         /* a matrix's */
    oct_conv conv;
};

void oct_weights_free(oct_weights *weights)
{
    if (!weights)
        return;
    oct_keeper_release(&weights->keeper);
    oct_free(weights);
}

/* --------------------------------------------------------------------------------------------- checking ---- */

static bool good_scale(float scale) { return scale >= FLT_MIN && scale <= FLT_MAX / 256; }

/* Weights, biases and sums are judged by oct_linear_pack; this is the rest, named as the caller named it. */
static oct_status check_quantization(const oct_quantization *q, size_t columns)
{
    if (!q->w_scale)
        return oct_fail(OCT_ERR_ARGUMENT, "w_scale is NULL");
    if (!good_scale(q->x_scale))
        return oct_fail(OCT_ERR_ARGUMENT, "x_scale is %g; it must be positive and normal", (double)q->x_scale);
    if (q->y_scale != 0 && !good_scale(q->y_scale))
        return oct_fail(OCT_ERR_ARGUMENT, "y_scale is %g; it must be positive and normal, or 0 for f32", (double)q->y_scale);
    if (q->x_zero < 0 || q->x_zero > 255 || q->y_zero < 0 || q->y_zero > 255)
        return oct_fail(OCT_ERR_ARGUMENT, "zero points %d and %d; they lie in 0..255", q->x_zero, q->y_zero);
    for (size_t c = 0; c < columns; c++)
        if (!good_scale(q->w_scale[c]))
            return oct_fail(OCT_ERR_ARGUMENT, "column %zu: w_scale is %g; it must be positive and normal", c,
                            (double)q->w_scale[c]);
    return OCT_OK;
}

/* y_scale 0 stands for f32 output. No activation, no residual: those belong to networks. */
static oct_linear_desc describe(const oct_kernels *kernels, const void *w, const float *bias, const oct_quantization *q)
{
    oct_linear_desc desc = {.kernels = kernels, .weights = w, .bias = bias, .groups = 1};
    if (q) {
        desc.u8 = true;
        desc.x_scale = q->x_scale;
        desc.x_zero = q->x_zero;
        desc.w_scale = q->w_scale;
        desc.out_u8 = q->y_scale != 0;
        desc.y_scale = q->y_scale;
        desc.y_zero = q->y_zero;
    }
    return desc;
}

/* An empty oct_weights for an ISA. */
static oct_status make_weights(const char *isa, oct_weights **weights)
{
    const oct_kernels *kernels = oct_kernels_get(isa, ~0u);
    if (!kernels)
        return oct_fail(OCT_ERR_UNSUPPORTED, "instruction set %s is not available here; oct_isa lists those that are", isa);
    *weights = oct_alloc(1, sizeof **weights);
    if (!*weights)
        return oct_fail_memory(sizeof **weights);
    (*weights)->kernels = kernels;
    return OCT_OK;
}

/* Hands the weights out, or frees them. The sentence gets the caller's name in front. */
static oct_status finish(oct_status status, const char *caller, oct_weights *made, oct_weights **weights)
{
    if (status == OCT_OK) {
        *weights = made;
        return OCT_OK;
    }
    oct_weights_free(made);
    return oct_fail_in(status == OCT_ERR_FORMAT ? OCT_ERR_ARGUMENT : status, "%s", caller);
}

/* -------------------------------------------------------------------------------------------- matrices ---- */

/* How many rows will come is not known yet, so the kernels for many rows are taken; they do one row as well. */
static oct_status pack_matrix(const oct_matrix_desc *desc, const void *w, const oct_quantization *q, oct_weights *made)
{
    if (q)
        OCT_TRY(check_quantization(q, desc->n));
    oct_linear_desc linear = describe(made->kernels, w, desc->bias, q);
    linear.columns = made->n = desc->n;
    linear.k = made->k = desc->k;
    linear.taps = 1;
    linear.rows = 2;  /* any number may come: not the kernels for one row */
    made->out_u8 = linear.out_u8;
    made->x_zero = linear.x_zero;
    return oct_linear_pack(&linear, &made->keeper, &made->linear);
}

/* Both precisions; `quantized` says which, because a missing oct_quantization must be an error and not f32. */
static oct_status matrix(const char *caller, const oct_matrix_desc *desc, const void *w, const oct_quantization *q, bool quantized,
                         oct_weights **weights)
{
    oct_weights *made = NULL;
    if (weights)
        *weights = NULL;
    if (!desc || !w || !weights || (quantized && !q))
        return oct_fail(OCT_ERR_ARGUMENT, "%s: an argument is NULL", caller);
    if (desc->n < 1 || desc->k < 1)
        return oct_fail(OCT_ERR_ARGUMENT, "%s: a matrix of %zu x %zu", caller, desc->n, desc->k);
    oct_status status = make_weights(desc->isa, &made);
    if (status == OCT_OK)
        status = pack_matrix(desc, w, q, made);
    return finish(status, caller, made, weights);
}

oct_status oct_pack_matrix_f32(const oct_matrix_desc *desc, const float *w, oct_weights **weights)
{
    return matrix("oct_pack_matrix_f32", desc, w, NULL, false, weights);
}

oct_status oct_pack_matrix_u8s8(const oct_matrix_desc *desc, const int8_t *w, const oct_quantization *quantization,
                                oct_weights **weights)
{
    return matrix("oct_pack_matrix_u8s8", desc, w, quantization, true, weights);
}

/* The kind of call is part of the weights: f32 weights behind a u8 call would be read as bytes. */
static oct_status check_product(const char *caller, const oct_weights *weights, bool u8, const void *x, size_t ldx, const void *y,
                                size_t ldy)
{
    if (!weights || !x || !y)
        return oct_fail(OCT_ERR_ARGUMENT, "%s: an argument is NULL", caller);
    if (weights->convolution || weights->linear.u8 != u8)
        return oct_fail(OCT_ERR_ARGUMENT, "%s: the weights were packed for another kind of call", caller);
    if (ldx < weights->k || ldy < weights->n)
        return oct_fail(OCT_ERR_ARGUMENT, "%s: rows %zu and %zu elements apart cannot hold %zu and %zu", caller, ldx, ldy,
                        weights->k, weights->n);
    return OCT_OK;
}

/* All units at once, on the calling thread. */
static void run_product(const oct_weights *weights, size_t m, const void *x, size_t ldx, void *y, size_t ldy)
{
    oct_gemm_job job = oct_linear_job(&weights->linear, 0);
    job.m = m;
    job.a = x;
    job.lda = ldx;
    job.e.out = y;
    job.e.out_ld = ldy;
    oct_gemm_run(&job, 0, oct_gemm_units(&job));
}

oct_status oct_gemm_f32(const oct_weights *weights, size_t m, const float *x, size_t ldx, float *y, size_t ldy)
{
    OCT_TRY(check_product("oct_gemm_f32", weights, false, x, ldx, y, ldy));
    if (m > 0)
        run_product(weights, m, x, ldx, y, ldy);
    return OCT_OK;
}

#define STRIP_ROWS ((size_t)256)  /* rows that are widened at a time */

/* For kernels that multiply s16: x minus its zero point, strip by strip, so that the copy of a large x stays in L2. */
static oct_status run_widened(const oct_weights *weights, size_t m, const uint8_t *x, size_t ldx, uint8_t *y, size_t ldy_bytes,
                              size_t ldy)
{
    const size_t k = weights->k, strip = m < STRIP_ROWS ? m : STRIP_ROWS;
    int16_t *wide = oct_alloc(strip * k, sizeof *wide);
    if (!wide)
        return oct_fail_memory(strip * k * sizeof *wide);
    for (size_t row = 0; row < m; row += strip) {
        const size_t rows = m - row < strip ? m - row : strip;
        for (size_t r = 0; r < rows; r++)
            weights->kernels->widen_u8_s16(k, x + (row + r) * ldx, weights->x_zero, wide + r * k);
        run_product(weights, rows, wide, k, y + row * ldy_bytes, ldy);
    }
    oct_free(wide);
    return OCT_OK;
}

/* Kernels that take u8 rows read the caller's array as it is. */
oct_status oct_gemm_u8s8(const oct_weights *weights, size_t m, const uint8_t *x, size_t ldx, void *y, size_t ldy)
{
    OCT_TRY(check_product("oct_gemm_u8s8", weights, true, x, ldx, y, ldy));
    if (m == 0)
        return OCT_OK;
    if (weights->linear.entry->a_elem == OCT_ELEM_S16)
        return run_widened(weights, m, x, ldx, y, ldy * (weights->out_u8 ? 1 : sizeof(float)), ldy);
    run_product(weights, m, x, ldx, y, ldy);
    return OCT_OK;
}

/* ---------------------------------------------------------------------------------------- convolutions ---- */

static size_t or_one(size_t number) { return number ? number : 1; }

/* Sizes as the operators have them: with these limits no product of them in this file or in conv.c can overflow, save those that
 * oct_shape_elements and oct_conv_prepare check by themselves. */
static oct_status check_sizes(const oct_convolution_desc *d)
{
    const size_t sizes[] = {d->batch, d->in_h, d->in_w, d->in_c, d->out_c, d->kernel[0], d->kernel[1]};
    const size_t most = INT32_MAX;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (sizes[i] < 1 || sizes[i] > (i < 5 ? most : 65536))
            return oct_fail(OCT_ERR_ARGUMENT, "a size of %zu", sizes[i]);
    for (size_t i = 0; i < 4; i++)
        if (d->pad[i] > 65536 || d->stride[i & 1] > 65536 || d->dilation[i & 1] > 65536)
            return oct_fail(OCT_ERR_ARGUMENT, "paddings, strides and dilations are at most 65536");
    const size_t groups = or_one(d->groups);
    if (d->in_c % groups || d->out_c % groups)
        return oct_fail(OCT_ERR_ARGUMENT, "%zu groups do not divide %zu and %zu channels", groups, d->in_c, d->out_c);
    return OCT_OK;
}

/* Output size along an axis, 0 if the window does not fit. The sizes have been checked to fit 32 bits. */
static size_t window(const oct_convolution_desc *d, int axis)
{
    const int64_t count =
        oct_window_count((int64_t)(axis ? d->in_w : d->in_h), (int32_t)d->kernel[axis], (int32_t)or_one(d->stride[axis]),
                         (int32_t)or_one(d->dilation[axis]), (int32_t)d->pad[axis], (int32_t)d->pad[axis + 2], false);
    return count > 0 ? (size_t)count : 0;
}

/* From the caller's description, where zero stands for the usual value, to the kernels' one, where nothing is left to guess.
 * Bottom and right padding are in the output size. */
static oct_status shape_of(const oct_convolution_desc *d, oct_conv_shape *shape)
{
    OCT_TRY(check_sizes(d));
    *shape = (oct_conv_shape){
        .batch = d->batch, .in_h = d->in_h, .in_w = d->in_w, .in_c = d->in_c, .out_h = window(d, 0), .out_w = window(d, 1),
        .out_c = d->out_c, .kernel_h = d->kernel[0], .kernel_w = d->kernel[1], .stride_h = or_one(d->stride[0]),
        .stride_w = or_one(d->stride[1]), .dilation_h = or_one(d->dilation[0]), .dilation_w = or_one(d->dilation[1]),
        .pad_top = d->pad[0], .pad_left = d->pad[1], .groups = or_one(d->groups),
    };
    if (shape->out_h == 0 || shape->out_w == 0)
        return oct_fail(OCT_ERR_ARGUMENT, "a window of %zu x %zu does not fit into %zu x %zu with its padding", d->kernel[0],
                        d->kernel[1], d->in_h, d->in_w);
    const oct_shape in = {4, {(int64_t)d->batch, (int64_t)d->in_h, (int64_t)d->in_w, (int64_t)d->in_c}};
    const oct_shape out = {4, {(int64_t)d->batch, (int64_t)shape->out_h, (int64_t)shape->out_w, (int64_t)d->out_c}};
    if (oct_shape_elements(&in) < 0 || oct_shape_elements(&out) < 0)
        return oct_fail(OCT_ERR_ARGUMENT, "an array with too many elements");
    return OCT_OK;
}

oct_status oct_convolution_size(const oct_convolution_desc *desc, size_t *out_h, size_t *out_w)
{
    oct_conv_shape shape;
    if (out_h)
        *out_h = 0;
    if (out_w)
        *out_w = 0;
    if (!desc || !out_h || !out_w)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_convolution_size: an argument is NULL");
    const oct_status status = shape_of(desc, &shape);
    if (status != OCT_OK)
        return oct_fail_in(status, "oct_convolution_size");
    *out_h = shape.out_h;
    *out_w = shape.out_w;
    return OCT_OK;
}

/* The caller's arrays are not needed any more after this. */
static oct_status pack_convolution(const oct_convolution_desc *desc, const oct_conv_shape *shape, const void *w,
                                   const oct_quantization *q, oct_weights *made)
{
    if (q)
        OCT_TRY(check_quantization(q, desc->out_c));
    const oct_linear_desc linear = describe(made->kernels, w, desc->bias, q);
    made->convolution = true;
    made->linear.u8 = linear.u8;
    return oct_conv_prepare(shape, &linear, (oct_conv_choice){.winograd = false, .threads = 1}, &made->keeper, &made->conv);
}

/* As matrix(). */
static oct_status convolution(const char *caller, const oct_convolution_desc *desc, const void *w, const oct_quantization *q,
                              bool quantized, oct_weights **weights)
{
    oct_conv_shape shape;
    oct_weights *made = NULL;
    if (weights)
        *weights = NULL;
    if (!desc || !w || !weights || (quantized && !q))
        return oct_fail(OCT_ERR_ARGUMENT, "%s: an argument is NULL", caller);
    oct_status status = shape_of(desc, &shape);
    if (status == OCT_OK)
        status = make_weights(desc->isa, &made);
    if (status == OCT_OK)
        status = pack_convolution(desc, &shape, w, q, made);
    return finish(status, caller, made, weights);
}

oct_status oct_pack_convolution_f32(const oct_convolution_desc *desc, const float *w, oct_weights **weights)
{
    return convolution("oct_pack_convolution_f32", desc, w, NULL, false, weights);
}

oct_status oct_pack_convolution_u8s8(const oct_convolution_desc *desc, const int8_t *w, const oct_quantization *quantization,
                                     oct_weights **weights)
{
    return convolution("oct_pack_convolution_u8s8", desc, w, quantization, true, weights);
}

/* The memory of one call in one block: scratch, then row pointers. Neither can be kept with the weights, which other threads may
 * be using. */
static oct_status convolve(const char *caller, const oct_weights *weights, bool u8, const void *x, void *y)
{
    if (!weights || !x || !y)
        return oct_fail(OCT_ERR_ARGUMENT, "%s: an argument is NULL", caller);
    if (!weights->convolution || weights->linear.u8 != u8)
        return oct_fail(OCT_ERR_ARGUMENT, "%s: the weights were packed for another kind of call", caller);
    const oct_conv *conv = &weights->conv;
    const size_t scratch = oct_align_up(oct_conv_scratch(conv, 1)), bytes = scratch + conv->pointers * sizeof(void *);
    uint8_t *memory = oct_alloc(bytes, 1);
    if (!memory)
        return oct_fail_memory(bytes);
    const oct_conv_call call = {
        .conv = conv, .in = x, .out = y, .scratch = memory, .pointers = (const void **)(void *)(memory + scratch)};
    oct_conv_connect(&call);
    oct_conv_execute(&call, weights->kernels, NULL);
    oct_free(memory);
    return OCT_OK;
}

oct_status oct_convolve_f32(const oct_weights *weights, const float *x, float *y)
{
    return convolve("oct_convolve_f32", weights, false, x, y);
}

oct_status oct_convolve_u8s8(const oct_weights *weights, const uint8_t *x, void *y)
{
    return convolve("oct_convolve_u8s8", weights, true, x, y);
}

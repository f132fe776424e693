#include "oracle.h"

#include <math.h>

/* Unit roundoff of float, doubled: room for orders of summation and second-order terms. */
#define EPS 1.1920928955078125e-7

/* As the contract has it: min(max(x, lo), hi). */
static double clamp(double x, double lo, double hi)
{
    if (!(x > lo))
        return lo;          /* also a NaN */
    return x < hi ? x : hi;
}

bool oracle_accepts(oracle_value expected, double out)
{
    if (isnan(expected.value))
        return isnan(out);
    return out == expected.value || fabs(out - expected.value) <= expected.tolerance;
}

double oracle_requantize(double x, int32_t zero, int32_t qlo, int32_t qhi)
{
    double whole = floor(x);
    const double rest = x - whole;
    if (rest > 0.5 || (rest == 0.5 && fmod(whole, 2.0) != 0.0))
        whole += 1.0;
    return clamp(whole + zero, qlo, qhi);
}

/* ---------------------------------------------------------------------------------- sums of products ---- */

typedef struct sum {
    double f, size;         /* f32: the sum, and the sum of absolute values */
    int64_t i;              /* u8s8 */
    size_t terms;
} sum;

/* Element ia of a times element iw of w. */
static void add_product(sum *s, const oracle_layer *layer, const void *a, const void *w, size_t ia, size_t iw)
{
    s->terms++;
    if (layer->u8s8) {
        s->i += (int64_t)(((const uint8_t *)a)[ia] - layer->x_zero) * ((const int8_t *)w)[iw];
    } else {
        const double product = (double)((const float *)a)[ia] * (double)((const float *)w)[iw];
        s->f += product;
        s->size += fabs(product);
    }
}

/* The real residual of an f32 output; the dequantized one of a u8 output. */
static float residual_at(const oct_epilogue *e, size_t row, size_t column)
{
    const size_t at = row * e->residual_ld + column;
    if (!e->residual)
        return 0.0f;
    if (e->out_elem == OCT_ELEM_F32)
        return ((const float *)e->residual)[at];
    return (float)(((const uint8_t *)e->residual)[at] - e->residual_zero) * e->residual_mult;
}

/* Every float step of the specification, one rounding each; exact, so nothing is tolerated. */
static oracle_value finish_u8s8(const oracle_layer *layer, const sum *s, size_t row, size_t column)
{
    const oct_epilogue *e = &layer->e;
    const int64_t acc = s->i + e->acc_bias[column];
    float x = (float)((double)(float)acc * (double)e->mult[column]);
    if (e->out_elem == OCT_ELEM_F32)
        x = (float)((double)x + (double)e->bias[column]);
    if (e->residual)
        x = (float)((double)x + (double)residual_at(e, row, column));
    if (e->out_elem == OCT_ELEM_F32)
        return (oracle_value){clamp((double)x, (double)e->lo, (double)e->hi), 0.0};
    return (oracle_value){oracle_requantize((double)x, e->out_zero, e->qlo, e->qhi), 0.0};
}

/* The tolerance is the contract's bound; a u8 output may also round the other way if the true value is that close to a tie. */
static oracle_value finish_f32(const oracle_layer *layer, const sum *s, size_t row, size_t column)
{
    const oct_epilogue *e = &layer->e;
    const double residual = (double)residual_at(e, row, column), bias = (double)e->bias[column];
    const double y = clamp(s->f + bias + residual, (double)e->lo, (double)e->hi);
    const double tolerance = ((double)s->terms + 4.0) * EPS * (s->size + fabs(bias) + fabs(residual));
    if (e->out_elem == OCT_ELEM_F32)
        return (oracle_value){y, isnan(tolerance) ? 0.0 : tolerance};
    const double q = clamp(y * (double)e->out_mult + e->out_zero, e->qlo, e->qhi);
    return (oracle_value){q, 0.5 + (isnan(tolerance) ? 0.0 : tolerance) * (double)e->out_mult + 512.0 * EPS};
}

/* From a finished sum to the output element. */
static oracle_value finish(const oracle_layer *layer, const sum *s, size_t row, size_t column)
{
    return layer->u8s8 ? finish_u8s8(layer, s, row, column) : finish_f32(layer, s, row, column);
}

oracle_value oracle_gemm(const oracle_layer *layer, const void *a, const void *w, size_t k, size_t row, size_t column)
{
    sum s = {0};
    for (size_t i = 0; i < k; i++)
        add_product(&s, layer, a, w, i, i);
    return finish(layer, &s, row, column);
}

oracle_value oracle_conv(const oracle_layer *layer, const oct_conv_shape *c, const void *in, const void *w, size_t pixel,
                         size_t channel)
{
    const int64_t n = (int64_t)(pixel / (c->out_h * c->out_w));
    const int64_t oy = (int64_t)(pixel / c->out_w % c->out_h), ox = (int64_t)(pixel % c->out_w);
    const int64_t in_h = (int64_t)c->in_h, in_w = (int64_t)c->in_w, in_c = (int64_t)c->in_c;
    const int64_t depth = in_c / (int64_t)c->groups, first = (int64_t)channel / (int64_t)(c->out_c / c->groups) * depth;
    sum s = {0};
    for (int64_t ky = 0; ky < (int64_t)c->kernel_h; ky++)
        for (int64_t kx = 0; kx < (int64_t)c->kernel_w; kx++)
            for (int64_t i = 0; i < depth; i++) {
                const int64_t y = oy * (int64_t)c->stride_h - (int64_t)c->pad_top + ky * (int64_t)c->dilation_h;
                const int64_t x = ox * (int64_t)c->stride_w - (int64_t)c->pad_left + kx * (int64_t)c->dilation_w;
                if (y < 0 || y >= in_h || x < 0 || x >= in_w)
                    continue;                               /* padding is zero, in u8 the zero point */
                const int64_t from = ((n * in_h + y) * in_w + x) * in_c + first + i;
                const int64_t weight = (((int64_t)channel * (int64_t)c->kernel_h + ky) * (int64_t)c->kernel_w + kx) * depth + i;
                add_product(&s, layer, in, w, (size_t)from, (size_t)weight);
            }
    return finish(layer, &s, pixel, channel);
}

/* ------------------------------------------------------------------------------------------- pooling ---- */

/* From a window's sum to its output. sum_i has the zero points taken off. */
static oracle_value finish_average(double sum_f, double size, int64_t sum_i, size_t taps, float mult, const oct_pool_job *job,
                                   bool u8)
{
    if (u8) {
        const float x = (float)((double)(float)sum_i * (double)mult);
        return (oracle_value){oracle_requantize((double)x, job->out_zero, job->qlo, job->qhi), 0.0};
    }
    const double y = clamp(sum_f * (double)mult, (double)job->lo, (double)job->hi);
    return (oracle_value){y, ((double)taps + 2.0) * EPS * size * fabs((double)mult)};
}

oracle_value oracle_pool_kernel(const oct_pool_job *job, bool average, bool u8, size_t pixel, size_t channel)
{
    double sum_f = 0, size = 0, best = -INFINITY;
    int64_t sum_i = 0;
    for (size_t tap = 0; tap < job->taps; tap++) {
        const void *p = job->a_step ? job->a[tap] : job->a[pixel * job->taps + tap];
        const size_t at = pixel * job->a_step + channel;
        const double x = u8 ? (double)((const uint8_t *)p)[at] : (double)((const float *)p)[at];
        sum_f += x;
        size += fabs(x);
        sum_i += (int64_t)x * u8 - job->in_zero;
        best = x > best ? x : best;
    }
    if (!average)
        return (oracle_value){best, 0.0};
    return finish_average(sum_f, size, sum_i, job->taps, job->mult[pixel], job, u8);
}

/* Everything a window covers along its two axes. */
oracle_value oracle_pool(const oct_pool_args *args, size_t pixel, size_t channel)
{
    const oct_pool_window *w = &args->window;
    const int64_t n = (int64_t)(pixel / (w->out_h * w->out_w));
    const int64_t oy = (int64_t)(pixel / w->out_w % w->out_h), ox = (int64_t)(pixel % w->out_w);
    const int64_t in_h = (int64_t)w->in_h, in_w = (int64_t)w->in_w;
    double sum_f = 0, size = 0, best = -INFINITY;
    int64_t sum_i = 0, count = 0;
    for (int64_t ky = 0; ky < (int64_t)w->kernel_h; ky++)
        for (int64_t kx = 0; kx < (int64_t)w->kernel_w; kx++) {
            const int64_t y = oy * (int64_t)w->stride_h - (int64_t)w->pad_top + ky * (int64_t)w->dilation_h;
            const int64_t x = ox * (int64_t)w->stride_w - (int64_t)w->pad_left + kx * (int64_t)w->dilation_w;
            const bool in_image = y >= 0 && y < in_h && x >= 0 && x < in_w;
            const bool in_padded = y < in_h + (int64_t)w->pad_bottom && x < in_w + (int64_t)w->pad_right;
            count += w->count_include_pad ? in_padded : in_image;
            if (!in_image)
                continue;
            const int64_t at = ((n * in_h + y) * in_w + x) * (int64_t)w->c + (int64_t)channel;
            const double v = args->u8 ? (double)((const uint8_t *)args->in)[at] : (double)((const float *)args->in)[at];
            sum_f += v;
            size += fabs(v);
            sum_i += (int64_t)v * args->u8 - args->in_zero;
            best = v > best ? v : best;
        }
    if (!args->average)
        return (oracle_value){best, 0.0};
    const oct_pool_job job = {.out_zero = args->out_zero, .lo = args->lo, .hi = args->hi, .qlo = args->qlo, .qhi = args->qhi};
    const float mult = count ? args->scale_ratio / (float)count : 0.0f;
    return finish_average(sum_f, size, sum_i, w->kernel_h * w->kernel_w, mult, &job, args->u8);
}

/* -------------------------------------------------------------------------------------------- resize ---- */

/* f32: four products of two weights each, one rounding each. u8: exact. */
oracle_value oracle_resize(const oct_resize_job *job, bool u8, size_t pixel, size_t channel)
{
    const oct_resize_tap *tap = &job->x[pixel];
    const void *rows[2] = {job->row0, job->row1};
    const size_t columns[2] = {tap->first, tap->second};
    const int64_t one = 1 << 14, corner = (job->weight_q14 * tap->weight_q14 + one / 2) / one;
    const int64_t whole[2][2] = {{one - job->weight_q14 - tap->weight_q14 + corner, tap->weight_q14 - corner},
                                 {job->weight_q14 - corner, corner}};
    double sum_f = 0, size = 0;
    int64_t sum_i = one / 2;
    for (int r = 0; r < 2; r++)
        for (int k = 0; k < 2; k++) {
            const size_t at = columns[k] * job->c + channel;
            const double v = u8 ? (double)((const uint8_t *)rows[r])[at] : (double)((const float *)rows[r])[at];
            const double weight =
                (r ? (double)job->weight : 1.0 - (double)job->weight) * (k ? (double)tap->weight : 1.0 - (double)tap->weight);
            sum_f += weight * v;
            size += fabs(weight * v);
            sum_i += whole[r][k] * (int64_t)v * u8;
        }
    return u8 ? (oracle_value){(double)(sum_i / one), 0.0} : (oracle_value){sum_f, 8 * EPS * size};
}

/* -------------------------------------------------------------------------------------------- binary ---- */

/* In double, where one operation on floats is exact or nearly so. */
static oracle_value binary_f32(const oct_binary_job *job, double a, double b)
{
    double y = 0;
    switch (job->kind) {
    case OCT_KIND_ADD: y = a + b; break;
    case OCT_KIND_SUB: y = a - b; break;
    case OCT_KIND_MUL: y = a * b; break;
    case OCT_KIND_DIV: y = a / b; break;
    case OCT_KIND_MIN: y = a < b ? a : b; break;
    case OCT_KIND_MAX: y = a > b ? a : b; break;
    case OCT_KIND_POW: y = pow(a, b); break;
    }
    /* One rounding, except pow, which may be a few units off. */
    const double units = job->kind == OCT_KIND_POW ? 8.0 : 1.0;
    return (oracle_value){clamp(y, (double)job->lo, (double)job->hi), units * EPS * fabs(y)};
}

oracle_value oracle_binary(const oct_binary_job *job, bool u8, size_t row, size_t column)
{
    const size_t ia = row * job->a_stride + column * job->a_step, ib = row * job->b_stride + column * job->b_step;
    if (!u8)
        return binary_f32(job, (double)((const float *)job->a)[ia], (double)((const float *)job->b)[ib]);
    const int64_t a = ((const uint8_t *)job->a)[ia] - job->a_zero, b = ((const uint8_t *)job->b)[ib] - job->b_zero;
    float x;
    if (job->kind == OCT_KIND_MUL) {
        x = (float)((double)(a * b) * (double)job->a_mult);
    } else {
        const float xa = (float)((double)a * (double)job->a_mult), xb = (float)((double)b * (double)job->b_mult);
        x = (float)((double)xa + (double)xb);
    }
    return (oracle_value){oracle_requantize((double)x, job->out_zero, job->qlo, job->qhi), 0.0};
}

/* binary_scalar.c - two operands, element by element with broadcasting, f32 and u8, plain C: THE SPECIFICATION.
 *
 *   strides and steps say how an operand is walked:
 *       a_stride = cols, a_step = 1   every element            a_stride = 0, a_step = 1   one row, again and again (bias)
 *       a_stride = 1,    a_step = 0   one element per row      a_stride = 0, a_step = 0   one number
 */
#include <math.h>

#include "scalar.h"
#include "epilogue_scalar.h"

/* min and max by selection, as the vector instructions do: with a NaN the second operand wins. */
static inline float apply(oct_binary_kind kind, float a, float b)
{
    switch (kind) {
    case OCT_KIND_ADD: return a + b;
    case OCT_KIND_MUL: return a * b;
    case OCT_KIND_SUB: return a - b;
    case OCT_KIND_DIV: return a / b;
    case OCT_KIND_MIN: return a < b ? a : b;
    case OCT_KIND_MAX: return a > b ? a : b;
    case OCT_KIND_POW: break;
    }
    return powf(a, b);                  /* libm's accuracy is the measure: no twin need be better */
}

/* out = clamp(a op b, lo, hi); a NaN becomes lo, as everywhere. out may be a: each element is read before it is written. */
void oct_binary_f32_scalar(const oct_binary_job *job)
{
    for (size_t r = 0; r < job->rows; r++) {
        const float *a = (const float *)job->a + r * job->a_stride;
        const float *b = (const float *)job->b + r * job->b_stride;
        float *out = (float *)job->out + r * job->cols;
        for (size_t c = 0; c < job->cols; c++)
            out[c] = oct_clampf(apply(job->kind, a[c * job->a_step], b[c * job->b_step]), job->lo, job->hi);
    }
}

/* Ranges: a - a_zero and b - b_zero within +-255, their product within +-65,025: exact as floats. The caller keeps the multipliers
 * so small that the sum (product) of two scaled terms stays below 2^31. */
static inline float scaled(const oct_binary_job *job, uint8_t a, uint8_t b)
{
    /* Two roundings for the products and one for the sum, in this order: -ffp-contract=off keeps a compiler from merging them. */
    const int32_t x = a - job->a_zero, y = b - job->b_zero;
    if (job->kind == OCT_KIND_MUL)
        return (float)(x * y) * job->a_mult;
    return (float)x * job->a_mult + (float)y * job->b_mult;
}

/* out = clamp(rne(scaled) + out_zero, qlo, qhi) */
void oct_binary_u8_scalar(const oct_binary_job *job)
{
    for (size_t r = 0; r < job->rows; r++) {
        const uint8_t *a = (const uint8_t *)job->a + r * job->a_stride;
        const uint8_t *b = (const uint8_t *)job->b + r * job->b_stride;
        uint8_t *out = (uint8_t *)job->out + r * job->cols;
        for (size_t c = 0; c < job->cols; c++)
            out[c] = oct_requantize(scaled(job, a[c * job->a_step], b[c * job->b_step]), job->out_zero, job->qlo, job->qhi);
    }
}

/* binary_neon.c - two operands with broadcasting on NEON (kernels.h, oct_binary_job, has the formulas); four elements at a time.
 *
 * An operand with step 0 is one number along the row: it is loaded once per vector by a broadcast. Powers and whatever else has no vector
 * instruction go through powf lane by lane, as in scalar.
 * Ranges (u8): differences within +-255, products within +-65,025, exact as floats; sums and products are rounded one by one.
 */
#include <math.h>

#include "epilogue_neon.h"
#include "neon.h"

OCT_INLINE float32x4_t operand_f32(const float *p, size_t c, size_t step, size_t n)
{
    return step ? load_f32x4(p + c, n) : vdupq_n_f32(*p);
}

static float32x4_t power(float32x4_t a, float32x4_t b)
{
    float x[4], y[4];
    vst1q_f32(x, a);
    vst1q_f32(y, b);
    for (int i = 0; i < 4; i++)
        x[i] = powf(x[i], y[i]);
    return vld1q_f32(x);
}

OCT_INLINE float32x4_t apply(oct_binary_kind kind, float32x4_t a, float32x4_t b)
{
    switch (kind) {
    case OCT_KIND_ADD: return vaddq_f32(a, b);
    case OCT_KIND_MUL: return vmulq_f32(a, b);
    case OCT_KIND_SUB: return vsubq_f32(a, b);
    case OCT_KIND_DIV: return vdivq_f32(a, b);
    case OCT_KIND_MIN: return vbslq_f32(vcltq_f32(a, b), a, b);
    case OCT_KIND_MAX: return vbslq_f32(vcgtq_f32(a, b), a, b);
    case OCT_KIND_POW: break;
    }
    return power(a, b);
}

OCT_INLINE void rows_f32(const oct_binary_job *job, oct_binary_kind kind)
{
    for (size_t r = 0; r < job->rows; r++) {
        const float *a = (const float *)job->a + r * job->a_stride, *b = (const float *)job->b + r * job->b_stride;
        float *out = (float *)job->out + r * job->cols;
        for (size_t c = 0; c < job->cols; c += 4) {
            const size_t n = at_most_4(job->cols - c);
            const float32x4_t y = apply(kind, operand_f32(a, c, job->a_step, n), operand_f32(b, c, job->b_step, n));
            store_f32x4(out + c, clamp_f32x4(y, job->lo, job->hi), n);
        }
    }
}

void oct_binary_f32_neon(const oct_binary_job *job)
{
    switch (job->kind) {
    case OCT_KIND_ADD: rows_f32(job, OCT_KIND_ADD); break;
    case OCT_KIND_MUL: rows_f32(job, OCT_KIND_MUL); break;
    default: rows_f32(job, job->kind); break;
    }
}

/* Four elements minus their zero point. */
OCT_INLINE int32x4_t operand_u8(const uint8_t *p, size_t c, size_t step, int32_t zero, size_t n)
{
    return step ? vsubq_s32(load_u8x4(p + c, n), vdupq_n_s32(zero)) : vdupq_n_s32(*p - zero);
}

void oct_binary_u8_neon(const oct_binary_job *job)
{
    const oct_epilogue e = {.out_zero = job->out_zero, .qlo = job->qlo, .qhi = job->qhi};
    for (size_t r = 0; r < job->rows; r++) {
        const uint8_t *a = (const uint8_t *)job->a + r * job->a_stride, *b = (const uint8_t *)job->b + r * job->b_stride;
        uint8_t *out = (uint8_t *)job->out + r * job->cols;
        for (size_t c = 0; c < job->cols; c += 4) {
            const size_t n = at_most_4(job->cols - c);
            const int32x4_t x = operand_u8(a, c, job->a_step, job->a_zero, n), y = operand_u8(b, c, job->b_step, job->b_zero, n);
            const float32x4_t sum = job->kind == OCT_KIND_MUL
                                        ? vmulq_n_f32(vcvtq_f32_s32(vmulq_s32(x, y)), job->a_mult)
                                        : vaddq_f32(vmulq_n_f32(vcvtq_f32_s32(x), job->a_mult), vmulq_n_f32(vcvtq_f32_s32(y), job->b_mult));
            store_u8x4(&e, out + c, sum, n);
        }
    }
}

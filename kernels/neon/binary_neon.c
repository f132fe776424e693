/* binary_neon.c - two operands with broadcasting on NEON (kernels.h, oct_binary_job, has the formulas); four elements at a time.
 *
 * An operand with step 0 is one number along the row: it is loaded once per vector by a broadcast. Powers and whatever else has
 * no vector instruction go through powf lane by lane, as in scalar.
 * Ranges (u8): differences within +-255, products within +-65,025, exact as floats; sums and products are rounded one by one.
 *
 * u8 add with multipliers on the grid of add_grid.h, 16 elements at a time: with X = A (a - a_zero) + B (b - b_zero), exact in
 * s32, the result is rne(X / 2^shift) + out_zero.
 *
 *   usubl          s16   a - a_zero, b - b_zero, 8 at a time, within +-255
 *   smlal          s32   A (a - a_zero) + B (b - b_zero) + the bits of 1.5 * 2^23:  the float 1.5 * 2^23 + X, as |X| < 2^22
 *   fmla           f32   1.5 * 2^23 + X / 2^shift, rounded once, to a whole number, ties to even: its low half is rne(X / 2^shift)
 *   uzp1           s16   the low halves; |X / 2^shift| < 2^14, so adding out_zero cannot wrap; sqxtun to bytes
 */
#include <math.h>

#include "add_grid.h"
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

/* What the loop on the grid needs. */
typedef struct grid_scaling {
    uint8x8_t a_zero, b_zero;
    int16_t a, b;
    float32x4_t step, magic;
    int16x8_t out_zero;
    uint8x16_t lo, hi;
} grid_scaling;

static grid_scaling grid_scaling_of(const oct_binary_job *job, const oct_add_grid *grid)
{
    const float step = 1.0f / (float)(1 << grid->shift), three_halves = 12582912.0f;           /* 1.5 * 2^23, bits 4b400000 */
    return (grid_scaling){vdup_n_u8((uint8_t)job->a_zero), vdup_n_u8((uint8_t)job->b_zero), (int16_t)grid->a, (int16_t)grid->b,
                          vdupq_n_f32(step), vdupq_n_f32(three_halves - three_halves * step), vdupq_n_s16((int16_t)job->out_zero),
                          vdupq_n_u8(job->qlo), vdupq_n_u8(job->qhi)};
}

/* Four elements: their low halves are the results. */
OCT_INLINE int16x8_t on_grid_4(const grid_scaling *s, int16x4_t a, int16x4_t b)
{
    const int32x4_t x = vmlal_n_s16(vmlal_n_s16(vdupq_n_s32(0x4b400000), a, s->a), b, s->b);
    return vreinterpretq_s16_f32(vfmaq_f32(s->magic, vreinterpretq_f32_s32(x), s->step));
}

OCT_INLINE int16x8_t on_grid_8(const grid_scaling *s, uint8x8_t a, uint8x8_t b)
{
    const int16x8_t x = vreinterpretq_s16_u16(vsubl_u8(a, s->a_zero)), y = vreinterpretq_s16_u16(vsubl_u8(b, s->b_zero));
    const int16x8_t low = on_grid_4(s, vget_low_s16(x), vget_low_s16(y)), high = on_grid_4(s, vget_high_s16(x), vget_high_s16(y));
    return vaddq_s16(vuzp1q_s16(low, high), s->out_zero);
}

/* Whole vectors of one row, both operands walked along; returns the columns done. out may be a or b: read first, then written. */
static size_t row_on_grid(const grid_scaling *s, const uint8_t *a, const uint8_t *b, uint8_t *out, size_t cols)
{
    size_t c = 0;
    for (; c + 16 <= cols; c += 16) {
        const uint8x16_t x = vld1q_u8(a + c), y = vld1q_u8(b + c);
        const uint8x8_t low = vqmovun_s16(on_grid_8(s, vget_low_u8(x), vget_low_u8(y)));
        const uint8x16_t q = vqmovun_high_s16(low, on_grid_8(s, vget_high_u8(x), vget_high_u8(y)));
        vst1q_u8(out + c, vminq_u8(vmaxq_u8(q, s->lo), s->hi));
    }
    return c;
}

/* Four elements minus their zero point. */
OCT_INLINE int32x4_t operand_u8(const uint8_t *p, size_t c, size_t step, int32_t zero, size_t n)
{
    return step ? vsubq_s32(load_u8x4(p + c, n), vdupq_n_s32(zero)) : vdupq_n_s32(*p - zero);
}

void oct_binary_u8_neon(const oct_binary_job *job)
{
    const oct_epilogue e = {.out_zero = job->out_zero, .qlo = job->qlo, .qhi = job->qhi};
    oct_add_grid grid = {0, 0, 8};
    const bool on_grid =
        job->kind == OCT_KIND_ADD && job->a_step && job->b_step && oct_add_grid_find(job->a_mult, job->b_mult, &grid);
    const grid_scaling scaling = grid_scaling_of(job, &grid);
    for (size_t r = 0; r < job->rows; r++) {
        const uint8_t *a = (const uint8_t *)job->a + r * job->a_stride, *b = (const uint8_t *)job->b + r * job->b_stride;
        uint8_t *out = (uint8_t *)job->out + r * job->cols;
        for (size_t c = on_grid ? row_on_grid(&scaling, a, b, out, job->cols) : 0; c < job->cols; c += 4) {
            const size_t n = at_most_4(job->cols - c);
            const int32x4_t x = operand_u8(a, c, job->a_step, job->a_zero, n), y = operand_u8(b, c, job->b_step, job->b_zero, n);
            const float32x4_t sum = job->kind == OCT_KIND_MUL ? vmulq_n_f32(vcvtq_f32_s32(vmulq_s32(x, y)), job->a_mult)
                                                              : vaddq_f32(vmulq_n_f32(vcvtq_f32_s32(x), job->a_mult),
                                                                          vmulq_n_f32(vcvtq_f32_s32(y), job->b_mult));
            store_u8x4(&e, out + c, sum, n);
        }
    }
}

/* softmax_f32_neon.c - each row becomes exp(x - max) / sum, four elements at a time; in == out is allowed.
 *
 * Three passes over a row: its maximum (NaNs passed over), the exponentials with their sum, the shares. A rest of 1..3 elements
 * is filled up with -inf, which changes neither maximum nor sum. Subtracting the maximum keeps every exponent <= 0: exp cannot
 * overflow and the sum is at least 1. A row with a NaN or +inf, or of nothing but -inf, comes out as NaN (or 0), as in the
 * specification.
 *
 * Bound: some 20 instructions per four exponentials.
 */
#include <math.h>

#include "epilogue_neon.h"
#include "neon.h"

/* exp(x) for x <= 0, NaN for a NaN. With n = rne(x / ln 2) and r = x - n ln 2, |r| <= 0.3466: exp(x) = 2^n exp(r).
 *   ln 2 in two parts, the first with 9 bits, so that n * LN2_HIGH is exact for |n| <= 126 and r is off by at most 2^-24 |r| +
 *      2^-31
 *   exp(r) by its Taylor polynomial of degree 7: the rest is below r^8 / 8! * 1.1 < 6e-9 < 2^-27
 *   rounding: the last two steps round to 2^-24 each, the earlier ones weigh |r| or less
 * Together less than 2.5 * 2^-24 relative. Below LEAST, where exp(x) leaves the normal numbers (1.2e-38), the result is 0; so it
 * is for -inf. From LEAST on n >= -126, and n + 127 in 1..127 is the exponent of a normal number. */
OCT_INLINE float32x4_t exp_f32x4(float32x4_t x)
{
    const float32x4_t least = vdupq_n_f32(-87.33f), limited = vmaxq_f32(x, least);     /* fmax(., NaN) is a NaN */
    const float32x4_t n = vrndnq_f32(vmulq_n_f32(limited, 1.44269504f));
    float32x4_t r = vfmsq_n_f32(limited, n, 0.693359375f);
    r = vfmsq_n_f32(r, n, -2.12194440e-4f);
    static const float inverse_factorial[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
    float32x4_t p = vdupq_n_f32(1.0f / 5040);
    OCT_UNROLLED
    for (size_t i = 0; i < 7; i++)
        p = vfmaq_f32(vdupq_n_f32(inverse_factorial[i]), p, r);
    const int32x4_t exponent = vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127)), 23);
    const float32x4_t e = vmulq_f32(p, vreinterpretq_f32_s32(exponent));
    return vreinterpretq_f32_u32(vbicq_u32(vreinterpretq_u32_f32(e), vcltq_f32(x, least)));
}

/* The first n (1..4) of four elements, the others -inf. */
OCT_INLINE float32x4_t load_filled(const float *p, size_t n)
{
    if (n == 4)
        return vld1q_f32(p);
    float part[4] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY};
    memcpy(part, p, n * sizeof *p);
    return vld1q_f32(part);
}

static void softmax_row(size_t cols, const float *in, float *out)
{
    float32x4_t max = vdupq_n_f32(-INFINITY), sum = vdupq_n_f32(0.0f);
    for (size_t c = 0; c < cols; c += 4) {
        const float32x4_t x = load_filled(in + c, at_most_4(cols - c));
        max = vbslq_f32(vcgtq_f32(x, max), x, max);
    }
    max = vdupq_n_f32(vmaxvq_f32(max));
    for (size_t c = 0; c < cols; c += 4) {
        const size_t n = at_most_4(cols - c);
        const float32x4_t e = exp_f32x4(vsubq_f32(load_filled(in + c, n), max));
        store_f32x4(out + c, e, n);
        sum = vaddq_f32(sum, e);
    }
    const float share = 1.0f / vaddvq_f32(sum);
    for (size_t c = 0; c < cols; c += 4)
        store_f32x4(out + c, vmulq_n_f32(load_f32x4(out + c, at_most_4(cols - c)), share), at_most_4(cols - c));
}

void oct_softmax_f32_neon(size_t rows, size_t cols, const float *in, float *out)
{
    for (size_t r = 0; r < rows; r++)
        softmax_row(cols, in + r * cols, out + r * cols);
}

/* epilogue_scalar.h - from accumulators to output, one row at a time: the specification of oct_epilogue (kernels.h).
 *
 *   accumulators of one row        n of them are real, the rest belongs to padded columns
 *   | acc 0 | acc 1 | ... |  -->   | out 0 | out 1 | ... | out n-1 |
 *
 * Used by GEMM and depthwise alike. The functions are small and inline, so that an ISA may use them for its ragged ends; every one
 * of them rounds the same way wherever it is compiled (-ffp-contract=off).
 *
 * All float arithmetic assumes the default rounding mode, nearest even: a program that changes it (fesetround) gets other results.
 * Rounding to integer, below, does not depend on the mode.
 */
#ifndef OCT_EPILOGUE_SCALAR_H
#define OCT_EPILOGUE_SCALAR_H

#include "kernels.h"

/* Round to nearest, ties to even, for |x| < 2^31. Written out so that it says what it does. t keeps the leading bits of x, so the
 * difference is x's trailing bits: exact, and `rest` is the true fraction in (-1, 1). For |x| >= 2^23 there is no fraction. */
static inline int32_t oct_rne(float x)
{
    const int32_t t = (int32_t)x;
    const float rest = x - (float)t;
    const int32_t odd = t & 1;
    const int32_t up = (rest > 0.5f) | ((rest == 0.5f) & odd);
    const int32_t down = (rest < -0.5f) | ((rest == -0.5f) & odd);
    return t + up - down;
}

/* Written as two selections, not fmaxf: a NaN becomes lo, as minps(maxps(y, lo), hi) does. */
static inline float oct_clampf(float y, float lo, float hi)
{
    const float t = y > lo ? y : lo;
    return t < hi ? t : hi;
}

/* Where a u8 output saturates; lo and hi also carry a fused relu: lo = zero point. */
static inline uint8_t oct_clampq(int64_t q, uint8_t lo, uint8_t hi)
{
    const int64_t t = q > lo ? q : lo;
    return (uint8_t)(t < hi ? t : hi);
}

/* Rounded, shifted by the zero point, clamped. The sum is taken in 64 bits: rne(x) may be anywhere in int32. */
static inline uint8_t oct_requantize(float x, int32_t zero, uint8_t qlo, uint8_t qhi)
{
    return oct_clampq((int64_t)oct_rne(x) + zero, qlo, qhi);
}

/* f32 kernel, f32 out:  clamp(acc + bias (+ residual)) */
static inline void oct_finish_f32_f32(const oct_epilogue *e, size_t row, size_t n, const float *acc)
{
    float *out = (float *)e->out + row * e->out_ld;
    const float *residual = e->residual ? (const float *)e->residual + row * e->residual_ld : NULL;
    for (size_t c = 0; c < n; c++) {
        float y = acc[c] + e->bias[c];
        if (residual)
            y += residual[c];
        out[c] = oct_clampf(y, e->lo, e->hi);
    }
}

/* f32 kernel, u8 out. lo and hi are finite, chosen by the caller so that |y * out_mult| < 2^31. The residual is u8 here. */
static inline void oct_finish_f32_u8(const oct_epilogue *e, size_t row, size_t n, const float *acc)
{
    uint8_t *out = (uint8_t *)e->out + row * e->out_ld;
    const uint8_t *residual = e->residual ? (const uint8_t *)e->residual + row * e->residual_ld : NULL;
    for (size_t c = 0; c < n; c++) {
        float y = acc[c] + e->bias[c];
        if (residual)
            y += (float)(residual[c] - e->residual_zero) * e->residual_mult;
        out[c] = oct_requantize(oct_clampf(y, e->lo, e->hi) * e->out_mult, e->out_zero, e->qlo, e->qhi);
    }
}

/* u8s8 kernel, u8 out: mult is s_x * s_w[c] / s_out, so x counts output units. The packer has proved |acc * mult| < 2^31; the
 * residual's share is at most 255 * residual_mult. */
static inline void oct_finish_s32_u8(const oct_epilogue *e, size_t row, size_t n, const int32_t *acc)
{
    uint8_t *out = (uint8_t *)e->out + row * e->out_ld;
    const uint8_t *residual = e->residual ? (const uint8_t *)e->residual + row * e->residual_ld : NULL;
    for (size_t c = 0; c < n; c++) {
        float x = (float)acc[c] * e->mult[c];
        if (residual)
            x += (float)(residual[c] - e->residual_zero) * e->residual_mult;
        out[c] = oct_requantize(x, e->out_zero, e->qlo, e->qhi);
    }
}

/* u8s8 kernel, f32 out: mult is s_x * s_w[c], so y is real; bias and residual are real too. */
static inline void oct_finish_s32_f32(const oct_epilogue *e, size_t row, size_t n, const int32_t *acc)
{
    float *out = (float *)e->out + row * e->out_ld;
    const float *residual = e->residual ? (const float *)e->residual + row * e->residual_ld : NULL;
    for (size_t c = 0; c < n; c++) {
        float y = (float)acc[c] * e->mult[c] + e->bias[c];
        if (residual)
            y += residual[c];
        out[c] = oct_clampf(y, e->lo, e->hi);
    }
}

/* Where output row `row`, column `c` goes. */
static inline void *oct_out_at(const oct_epilogue *e, size_t row, size_t c)
{
    return (char *)e->out + (row * e->out_ld + c) * (e->out_elem == OCT_ELEM_F32 ? sizeof(float) : 1);
}

/* The accumulators' type is the kernel's, the output's type the epilogue's: four combinations. */
static inline void oct_finish_f32(const oct_epilogue *e, size_t row, size_t n, const float *acc)
{
    if (e->out_elem == OCT_ELEM_F32)
        oct_finish_f32_f32(e, row, n, acc);
    else
        oct_finish_f32_u8(e, row, n, acc);
}

static inline void oct_finish_s32(const oct_epilogue *e, size_t row, size_t n, const int32_t *acc)
{
    if (e->out_elem == OCT_ELEM_F32)
        oct_finish_s32_f32(e, row, n, acc);
    else
        oct_finish_s32_u8(e, row, n, acc);
}

#endif

/* elementwise_neon.c - one element in, one element out, on NEON (kernels.h has the formulas); in == out is allowed, as in scalar.
 *
 * Four floats or 16 bytes at a time; a rest goes through the stack. Bound: the bytes read and written.
 */
#include <math.h>

#include "epilogue_neon.h"
#include "neon.h"

void oct_clamp_f32_neon(size_t n, const float *in, float lo, float hi, float *out)
{
    for (size_t i = 0; i < n; i += 4)
        store_f32x4(out + i, clamp_f32x4(load_f32x4(in + i, at_most_4(n - i)), lo, hi), at_most_4(n - i));
}

/* tbl looks up 64 entries at once and gives 0 beyond, so four of them, each on the index minus 64, 128, 192, make a table of 256:
 * tbx keeps what an earlier quarter has found. */
void oct_lut_u8_neon(size_t n, const uint8_t *in, const uint8_t table[256], uint8_t *out)
{
    uint8x16x4_t quarter[4];
    for (int q = 0; q < 4; q++)
        for (int v = 0; v < 4; v++)
            quarter[q].val[v] = vld1q_u8(table + 64 * q + 16 * v);
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const uint8x16_t x = vld1q_u8(in + i);
        uint8x16_t y = vqtbl4q_u8(quarter[0], x);
        y = vqtbx4q_u8(y, quarter[1], vsubq_u8(x, vdupq_n_u8(64)));
        y = vqtbx4q_u8(y, quarter[2], vsubq_u8(x, vdupq_n_u8(128)));
        y = vqtbx4q_u8(y, quarter[3], vsubq_u8(x, vdupq_n_u8(192)));
        vst1q_u8(out + i, y);
    }
    for (; i < n; i++)
        out[i] = table[in[i]];
}

/* Clamped before rounding: infinities, NaNs and huge values never reach the conversion. */
void oct_quantize_f32_u8_neon(size_t n, const float *in, float inv_scale, int32_t zero, uint8_t *out)
{
    const oct_epilogue e = {.out_zero = zero, .qlo = 0, .qhi = 255};
    for (size_t i = 0; i < n; i += 4) {
        const float32x4_t x = vmulq_n_f32(load_f32x4(in + i, at_most_4(n - i)), inv_scale);
        store_u8x4(&e, out + i, clamp_f32x4(x, (float)-zero, (float)(255 - zero)), at_most_4(n - i));
    }
}

void oct_dequantize_u8_f32_neon(size_t n, const uint8_t *in, float scale, int32_t zero, float *out)
{
    for (size_t i = 0; i < n; i += 4) {
        const int32x4_t q = vsubq_s32(load_u8x4(in + i, at_most_4(n - i)), vdupq_n_s32(zero));
        store_f32x4(out + i, vmulq_n_f32(vcvtq_f32_s32(q), scale), at_most_4(n - i));
    }
}

void oct_requantize_u8_neon(size_t n, const uint8_t *in, int32_t in_zero, float mult, int32_t out_zero, uint8_t *out)
{
    const oct_epilogue e = {.out_zero = out_zero, .qlo = 0, .qhi = 255};
    for (size_t i = 0; i < n; i += 4) {
        const int32x4_t q = vsubq_s32(load_u8x4(in + i, at_most_4(n - i)), vdupq_n_s32(in_zero));
        store_u8x4(&e, out + i, vmulq_n_f32(vcvtq_f32_s32(q), mult), at_most_4(n - i));
    }
}

void oct_widen_u8_s16_neon(size_t n, const uint8_t *in, int32_t zero, int16_t *out)
{
    const int16x8_t z = vdupq_n_s16((int16_t)zero);
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        vst1q_s16(out + i, vsubq_s16(vreinterpretq_s16_u16(vmovl_u8(vld1_u8(in + i))), z));
    for (; i < n; i++)
        out[i] = (int16_t)(in[i] - zero);
}

/* A NaN compares false and is passed over. */
void oct_minmax_f32_neon(size_t n, const float *in, float *lo, float *hi)
{
    float32x4_t least = vdupq_n_f32(INFINITY), greatest = vdupq_n_f32(-INFINITY);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        const float32x4_t x = vld1q_f32(in + i);
        least = vbslq_f32(vcltq_f32(x, least), x, least);
        greatest = vbslq_f32(vcgtq_f32(x, greatest), x, greatest);
    }
    *lo = vminvq_f32(least);
    *hi = vmaxvq_f32(greatest);
    for (; i < n; i++) {
        *lo = in[i] < *lo ? in[i] : *lo;
        *hi = in[i] > *hi ? in[i] : *hi;
    }
}

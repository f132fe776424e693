/* elementwise_scalar.c - one element in, one element out, plain C: THE SPECIFICATION. in == out is allowed where both are of
 * one type. */
#include "scalar.h"
#include "epilogue_scalar.h"

/* Also relu and relu6: hi = inf, hi = 6. */
void oct_clamp_f32_scalar(size_t n, const float *in, float lo, float hi, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = oct_clampf(in[i], lo, hi);
}

/* Any function of one u8 is a table of 256: sigmoid, swish, a change of scale, all at one price. */
void oct_lut_u8_scalar(size_t n, const uint8_t *in, const uint8_t table[256], uint8_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = table[in[i]];
}

/* Clamped before rounding, so that infinities and huge values never reach the conversion; -zero and 255 - zero are whole numbers,
 * so the order makes no difference to the result. A NaN is clamped to -zero and gives 0. */
void oct_quantize_f32_u8_scalar(size_t n, const float *in, float inv_scale, int32_t zero, uint8_t *out)
{
    const float lo = (float)-zero, hi = (float)(255 - zero);
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(oct_rne(oct_clampf(in[i] * inv_scale, lo, hi)) + zero);
}

/* q - zero is in [-255, 255]: exact as a float; the product is rounded once. */
void oct_dequantize_u8_f32_scalar(size_t n, const uint8_t *in, float scale, int32_t zero, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(in[i] - zero) * scale;
}

/* The same value in other units. The caller has seen to |255 * mult| < 2^31, so the conversion back to integer is safe. */
void oct_requantize_u8_scalar(size_t n, const uint8_t *in, int32_t in_zero, float mult, int32_t out_zero, uint8_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = oct_requantize((float)(in[i] - in_zero) * mult, out_zero, 0, 255);
}

/* u8 minus a zero point in [0, 255] is in [-255, 255]: nine bits, with room for exact pair sums of products in s32. */
void oct_widen_u8_s16_scalar(size_t n, const uint8_t *in, int32_t zero, int16_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (int16_t)(in[i] - zero);
}

/* elementwise_avx2.c - one element in, one element out, 8 (f32) or 32 (u8) at a time.
 *
 *   n elements:   | vector | vector | .. | rest |      the rest, less than a vector, goes to the scalar kernel
 *
 * Each element depends on its own input only and is read before it is written, so in == out is allowed where the types are the
 * same. The formulas and their ranges are those of elementwise_scalar.c; products, sums and roundings come one by one, so the bits
 * are the same.
 *
 * Bound: memory, except requantize (26 vector instructions per 32 bytes).
 */
#include "avx2.h"
#include "scalar/scalar.h"
#include "vector_avx2.h"

/* A NaN becomes lo. */
void oct_clamp_f32_avx2(size_t n, const float *in, float lo, float hi, float *out)
{
    const __m256 least = _mm256_set1_ps(lo), most = _mm256_set1_ps(hi);
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, clamp_ps(_mm256_loadu_ps(in + i), least, most));
    oct_clamp_f32_scalar(n - i, in + i, lo, hi, out + i);
}

/* Clamped before rounding: then nothing can overflow, and adding the zero point gives 0..255 without saturation. A NaN is clamped
 * to -zero. */
void oct_quantize_f32_u8_avx2(size_t n, const float *in, float inv_scale, int32_t zero, uint8_t *out)
{
    const __m256 mult = _mm256_set1_ps(inv_scale), lo = _mm256_set1_ps((float)-zero), hi = _mm256_set1_ps((float)(255 - zero));
    const u8_range range = u8_range_of(zero, 0, 255);
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        /* scale, clamp; round, zero point, pack */
        __m256 x[4];
        OCT_UNROLLED
        for (size_t j = 0; j < 4; j++)
            x[j] = clamp_ps(_mm256_mul_ps(_mm256_loadu_ps(in + i + 8 * j), mult), lo, hi);
        store_256(out + i, in_order(round_u8(x[0], x[1], x[2], x[3], &range)));
    }
    oct_quantize_f32_u8_scalar(n - i, in + i, inv_scale, zero, out + i);
}

/* q - zero is exact in float; one product. */
void oct_dequantize_u8_f32_avx2(size_t n, const uint8_t *in, float scale, int32_t zero, float *out)
{
    const __m256 mult = _mm256_set1_ps(scale);
    const __m256i zeros = _mm256_set1_epi32(zero);
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        const __m256i centred = _mm256_sub_epi32(_mm256_cvtepu8_epi32(load_64(in + i)), zeros);
        _mm256_storeu_ps(out + i, _mm256_mul_ps(_mm256_cvtepi32_ps(centred), mult));
    }
    oct_dequantize_u8_f32_scalar(n - i, in + i, scale, zero, out + i);
}

/* u8 to float and back in the order of unpacking, which packing undoes (vector_avx2.h). */
void oct_requantize_u8_avx2(size_t n, const uint8_t *in, int32_t in_zero, float mult, int32_t out_zero, uint8_t *out)
{
    const __m256 mults = _mm256_set1_ps(mult), offset = centre_offset(in_zero);
    const u8_range range = u8_range_of(out_zero, 0, 255);
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        __m256 x[4];
        centre_u8(load_256(in + i), offset, x);
        OCT_UNROLLED
        for (size_t j = 0; j < 4; j++)
            x[j] = _mm256_mul_ps(x[j], mults);
        store_256(out + i, round_u8(x[0], x[1], x[2], x[3], &range));
    }
    oct_requantize_u8_scalar(n - i, in + i, in_zero, mult, out_zero, out + i);
}

/* u8 - zero in [-255, 255] fits s16. */
void oct_widen_u8_s16_avx2(size_t n, const uint8_t *in, int32_t zero, int16_t *out)
{
    const __m256i zeros = _mm256_set1_epi16((int16_t)zero);
    size_t i = 0;
    for (; i + 32 <= n; i += 32) {
        store_256(out + i, _mm256_sub_epi16(_mm256_cvtepu8_epi16(load_128(in + i)), zeros));
        store_256(out + i + 16, _mm256_sub_epi16(_mm256_cvtepu8_epi16(load_128(in + i + 16)), zeros));
    }
    oct_widen_u8_s16_scalar(n - i, in + i, zero, out + i);
}

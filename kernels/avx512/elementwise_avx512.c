/* elementwise_avx512.c - one element in, one element out. The main loops take 64 elements (one register of bytes, or four of
 * floats), the rest goes 16 at a time under a mask. in == out is allowed where both have one type: every element is read before
 * it is written, and vectors follow each other upwards. Same roundings as scalar/elementwise_scalar.c. Judged by the GB/s of the
 * level the data is in. */
#include "ops_avx512.h"
#include "vector_avx512.h"

void oct_clamp_f32_avx512(size_t n, const float *in, float lo, float hi, float *out)
{
    const __m512 least = _mm512_set1_ps(lo), most = _mm512_set1_ps(hi);
    size_t i = 0;
    for (; i + 64 <= n; i += 64)
        OCT_UNROLLED
        for (size_t v = 0; v < 64; v += 16)
            _mm512_storeu_ps(out + i + v, oct_clamp_16(_mm512_loadu_ps(in + i + v), least, most));
    for (; i < n; i += 16) {
        const __mmask16 some = oct_lanes_16(n - i);
        _mm512_mask_storeu_ps(out + i, some, oct_clamp_16(_mm512_maskz_loadu_ps(some, in + i), least, most));
    }
}

/* ------------------------------------------------------------------------------------------------- lut ---- */

/* The table as 128 words: word w holds table[2 w] (low byte) and table[2 w + 1]. vpermi2w looks up 64 words in two registers. */
typedef struct lut {
    __m512i word[4];
} lut;

/* 32 bytes, each in a 16-bit lane: bits 1..6 choose the word, bit 7 the half of the table, bit 0 the byte of the word. */
OCT_INLINE __m512i look_up_32(const lut *t, __m512i x)
{
    const __m512i index = _mm512_srli_epi16(x, 1);
    const __m512i low = _mm512_permutex2var_epi16(t->word[0], index, t->word[1]);
    const __m512i high = _mm512_permutex2var_epi16(t->word[2], index, t->word[3]);
    const __m512i word = _mm512_mask_mov_epi16(low, _mm512_test_epi16_mask(x, _mm512_set1_epi16(0x80)), high);
    const __mmask32 odd = _mm512_test_epi16_mask(x, _mm512_set1_epi16(1));
    return _mm512_and_si512(_mm512_mask_srli_epi16(word, odd, word, 8), _mm512_set1_epi16(0xff));
}

/* 64 bytes: those at even places, those at odd places, and both together again. */
OCT_INLINE __m512i look_up_64(const lut *t, __m512i x)
{
    const __m512i even = look_up_32(t, _mm512_and_si512(x, _mm512_set1_epi16(0xff)));
    const __m512i odd = look_up_32(t, _mm512_srli_epi16(x, 8));
    return _mm512_or_si512(even, _mm512_slli_epi16(odd, 8));
}

void oct_lut_u8_avx512(size_t n, const uint8_t *in, const uint8_t table[256], uint8_t *out)
{
    const lut t = {{_mm512_loadu_si512(table), _mm512_loadu_si512(table + 64), _mm512_loadu_si512(table + 128),
                    _mm512_loadu_si512(table + 192)}};
    size_t i = 0;
    for (; i + 64 <= n; i += 64)
        _mm512_storeu_si512(out + i, look_up_64(&t, _mm512_loadu_si512(in + i)));
    if (i < n) {
        const __mmask64 some = oct_lanes_64(n - i);
        _mm512_mask_storeu_epi8(out + i, some, look_up_64(&t, _mm512_maskz_loadu_epi8(some, in + i)));
    }
}

/* ------------------------------------------------------------------------------------- float <-> integer ---- */

/* Clamped before rounding, so that infinities and huge values never reach the conversion; a NaN becomes -zero and gives 0. */
void oct_quantize_f32_u8_avx512(size_t n, const float *in, float inv_scale, int32_t zero, uint8_t *out)
{
    const __m512 scale = _mm512_set1_ps(inv_scale), lo = _mm512_set1_ps((float)-zero), hi = _mm512_set1_ps((float)(255 - zero));
    const oct_to_u8 to = {zero, 0, 255};
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        __m512 x[4];
        OCT_UNROLLED
        for (size_t v = 0; v < 4; v++)
            x[v] = oct_clamp_16(_mm512_mul_ps(_mm512_loadu_ps(in + i + 16 * v), scale), lo, hi);
        _mm512_storeu_si512(out + i, oct_bytes_of_64(x, to));
    }
    for (; i < n; i += 16) {
        const __mmask16 some = oct_lanes_16(n - i);
        const __m512 x = oct_clamp_16(_mm512_mul_ps(_mm512_maskz_loadu_ps(some, in + i), scale), lo, hi);
        _mm_mask_storeu_epi8(out + i, some, oct_bytes_16(x, to));
    }
}

void oct_dequantize_u8_f32_avx512(size_t n, const uint8_t *in, float scale, int32_t zero, float *out)
{
    const __m512i z = _mm512_set1_epi32(zero);
    const __m512 s = _mm512_set1_ps(scale);
    size_t i = 0;
    for (; i + 64 <= n; i += 64)
        OCT_UNROLLED
        for (size_t v = 0; v < 64; v += 16)
            _mm512_storeu_ps(out + i + v, _mm512_mul_ps(oct_floats_16(_mm_loadu_si128((const __m128i *)(in + i + v)), z), s));
    for (; i < n; i += 16) {
        const __mmask16 some = oct_lanes_16(n - i);
        _mm512_mask_storeu_ps(out + i, some, _mm512_mul_ps(oct_floats_16(oct_load_bytes(in + i, some), z), s));
    }
}

void oct_requantize_u8_avx512(size_t n, const uint8_t *in, int32_t in_zero, float mult, int32_t out_zero, uint8_t *out)
{
    const __m512i z = _mm512_set1_epi32(in_zero);
    const __m512 m = _mm512_set1_ps(mult);
    const oct_to_u8 to = {out_zero, 0, 255};
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        __m512 x[4];
        OCT_UNROLLED
        for (size_t v = 0; v < 4; v++)
            x[v] = _mm512_mul_ps(oct_floats_16(_mm_loadu_si128((const __m128i *)(in + i + 16 * v)), z), m);
        _mm512_storeu_si512(out + i, oct_bytes_of_64(x, to));
    }
    for (; i < n; i += 16) {
        const __mmask16 some = oct_lanes_16(n - i);
        _mm_mask_storeu_epi8(out + i, some, oct_bytes_16(_mm512_mul_ps(oct_floats_16(oct_load_bytes(in + i, some), z), m), to));
    }
}

/* u8 minus a zero point in [0, 255] is in [-255, 255]. */
void oct_widen_u8_s16_avx512(size_t n, const uint8_t *in, int32_t zero, int16_t *out)
{
    const __m512i z = _mm512_set1_epi16((int16_t)zero);
    size_t i = 0;
    for (; i + 64 <= n; i += 64)
        OCT_UNROLLED
        for (size_t v = 0; v < 64; v += 32)
            _mm512_storeu_si512(out + i + v,
                                _mm512_sub_epi16(_mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(in + i + v))), z));
    for (; i < n; i += 32) {
        const __mmask32 some = oct_lanes_32(n - i);
        _mm512_mask_storeu_epi16(out + i, some, _mm512_sub_epi16(_mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(some, in + i)), z));
    }
}

/* vector_avx512.h - the few steps that the element-wise kernels of this folder share. */
#ifndef OCT_VECTOR_AVX512_H
#define OCT_VECTOR_AVX512_H

#include "epilogue_avx512.h"

/* 16 bytes minus a zero point, as floats: exact. */
OCT_INLINE __m512 oct_floats_16(__m128i bytes, __m512i zero)
{
    return _mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_cvtepu8_epi32(bytes), zero));
}

/* How a float becomes a byte: clamp(rne(x) + zero, lo, hi). */
typedef struct oct_to_u8 {
    int32_t zero;
    uint8_t lo, hi;
} oct_to_u8;

/* 16 floats, |x| < 2^31. Narrowing to s16 and u8 saturates, which changes nothing between 0 and 255 (epilogue_avx512.h). */
OCT_INLINE __m128i oct_bytes_16(__m512 x, oct_to_u8 to)
{
    const __m256i words = _mm256_adds_epi16(_mm512_cvtsepi32_epi16(_mm512_cvtps_epi32(x)), _mm256_set1_epi16((int16_t)to.zero));
    const __m128i bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    return _mm_min_epu8(_mm_max_epu8(bytes, _mm_set1_epi8((char)to.lo)), _mm_set1_epi8((char)to.hi));
}

/* 64 floats in order. */
OCT_INLINE __m512i oct_bytes_of_64(const __m512 x[4], oct_to_u8 to)
{
    const oct_epilogue e = {.out_zero = to.zero, .qlo = to.lo, .qhi = to.hi};
    const __m512i q[4] = {_mm512_cvtps_epi32(x[0]), _mm512_cvtps_epi32(x[1]), _mm512_cvtps_epi32(x[2]), _mm512_cvtps_epi32(x[3])};
    return oct_bytes_64(q, &e);
}

OCT_INLINE __m128i oct_load_bytes(const uint8_t *p, __mmask16 some) { return _mm_maskz_loadu_epi8(some, p); }

#endif

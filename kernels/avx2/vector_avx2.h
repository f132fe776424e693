/* vector_avx2.h - the few steps that most kernels of this folder share: loads, clamps, u8 to float and back. */
#ifndef OCT_VECTOR_AVX2_H
#define OCT_VECTOR_AVX2_H

#include <immintrin.h>
#include <string.h>
#include "kernels.h"
#include "unroll.h"

/* Memory, wherever it lies. */
OCT_INLINE __m256i load_256(const void *p) { return _mm256_loadu_si256((const __m256i *)p); }
OCT_INLINE __m128i load_128(const void *p) { return _mm_loadu_si128((const __m128i *)p); }
OCT_INLINE __m128i load_64(const void *p) { return _mm_loadl_epi64((const __m128i *)p); }
OCT_INLINE void store_256(void *p, __m256i v) { _mm256_storeu_si256((__m256i *)p, v); }
OCT_INLINE void store_128(void *p, __m128i v) { _mm_storeu_si128((__m128i *)p, v); }
OCT_INLINE void store_64(void *p, __m128i v) { _mm_storel_epi64((__m128i *)p, v); }

/* The upper half: one vmovhps. (_mm_storeh_pd says the same, but through a double that would have to be aligned.) */
OCT_INLINE void store_high_64(void *p, __m128i v) { _mm_storeh_pi((__m64 *)p, _mm_castsi128_ps(v)); }

/* `width` bytes, a constant 8, 16 or 32; the rest of the vector is zero (loads) or left out (stores). */
OCT_INLINE __m256i load_bytes(const void *p, size_t width)
{
    return width == 32 ? load_256(p) : _mm256_zextsi128_si256(width == 16 ? load_128(p) : load_64(p));
}

OCT_INLINE void store_bytes(void *p, __m256i v, size_t width)
{
    if (width == 32)
        store_256(p, v);
    else if (width == 16)
        store_128(p, _mm256_castsi256_si128(v));
    else
        store_64(p, _mm256_castsi256_si128(v));
}

/* maxps and minps return their second operand when one is a NaN: a NaN becomes lo, as the contract wants. */
OCT_INLINE __m256 clamp_ps(__m256 x, __m256 lo, __m256 hi) { return _mm256_min_ps(_mm256_max_ps(x, lo), hi); }

/* ------------------------------------------------------------------------------------------ float -> u8 ---- */

/* Zero point and clamp of a u8 output. */
typedef struct u8_range {
    __m256i zero, lo, hi;
} u8_range;

/* zero in 0..255 fits s16. */
OCT_INLINE u8_range u8_range_of(int32_t zero, uint8_t lo, uint8_t hi)
{
    return (u8_range){_mm256_set1_epi16((int16_t)zero), _mm256_set1_epi8((char)lo), _mm256_set1_epi8((char)hi)};
}

/* clamp(rne(x) + zero, lo, hi) of 32 floats. cvtps rounds to nearest even; |x| < 2^31 (contract), so it cannot overflow. packs
 * saturates to s16 and adds saturates again: both are monotone and leave 0..255 alone, so the clamp to u8 gives the same answer as
 * on wide integers. The packs work in each 128-bit half, so the bytes come out in this order (xi.j: element j of xi):
 *
 *   x0.0-3  x1.0-3  x2.0-3  x3.0-3 | x0.4-7  x1.4-7  x2.4-7  x3.4-7
 */
OCT_INLINE __m256i round_u8(__m256 x0, __m256 x1, __m256 x2, __m256 x3, const u8_range *range)
{
    const __m256i a = _mm256_packs_epi32(_mm256_cvtps_epi32(x0), _mm256_cvtps_epi32(x1));
    const __m256i b = _mm256_packs_epi32(_mm256_cvtps_epi32(x2), _mm256_cvtps_epi32(x3));
    const __m256i q = _mm256_packus_epi16(_mm256_adds_epi16(a, range->zero), _mm256_adds_epi16(b, range->zero));
    return _mm256_min_epu8(_mm256_max_epu8(q, range->lo), range->hi);
}

/* The order of round_u8 -> x0.0-7 x1.0-7 x2.0-7 x3.0-7 */
OCT_INLINE __m256i in_order(__m256i q) { return _mm256_permutevar8x32_epi32(q, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7)); }

/* ------------------------------------------------------------------------------------------ u8 -> float ---- */

/* 32 bytes q -> (float)(q - zero), in the order that round_u8 turns back into 0..31:
 *
 *   x[0]: 0-3, 16-19    x[1]: 4-7, 20-23    x[2]: 8-11, 24-27    x[3]: 12-15, 28-31
 *
 * A byte put below the bits of 2^23 (0x4B000000) is the float 2^23 + q; taking 2^23 + zero away is exact. `offset` is
 * centre_offset(zero). */
OCT_INLINE __m256 centre_offset(int32_t zero) { return _mm256_set1_ps((float)(0x800000 + zero)); }

/* u16 -> float minus offset; low: channels 0-7, 16-23; high: 8-15, 24-31. */
OCT_INLINE void widen_u16(__m256i low, __m256i high, __m256 offset, __m256 x[4])
{
    const __m256i exponent = _mm256_set1_epi16(0x4B00);
    x[0] = _mm256_sub_ps(_mm256_castsi256_ps(_mm256_unpacklo_epi16(low, exponent)), offset);
    x[1] = _mm256_sub_ps(_mm256_castsi256_ps(_mm256_unpackhi_epi16(low, exponent)), offset);
    x[2] = _mm256_sub_ps(_mm256_castsi256_ps(_mm256_unpacklo_epi16(high, exponent)), offset);
    x[3] = _mm256_sub_ps(_mm256_castsi256_ps(_mm256_unpackhi_epi16(high, exponent)), offset);
}

OCT_INLINE void centre_u8(__m256i q, __m256 offset, __m256 x[4])
{
    const __m256i nought = _mm256_setzero_si256();
    widen_u16(_mm256_unpacklo_epi8(q, nought), _mm256_unpackhi_epi8(q, nought), offset, x);
}

#endif

/* bytes_avx512.h - 64 bytes to floats and back, in few instructions and without crossing lanes.
 *
 * A register of 64 bytes is 16 dwords of 4 bytes. Float vector j gets byte j of every dword, so no byte moves from its dword:
 *
 *   q       | b3 b2 b1 b0 | ..     x[0] = b0 of each dword,  x[1] = b1,  x[2] = b2,  x[3] = b3
 *
 * A byte put among the mantissa bits of a power of two P whose unit there is 1 makes the float P + b; taking P + zero away is
 * exact:
 *
 *   b0:  q       & 000000ff | 4b000000   = 2^23 + b0          b1:  q       & 0000ff00 | 47000000   = 2^15 + b1
 *   b2:  q >> 16 & 000000ff | 4b000000   = 2^23 + b2          b3:  q >> 16 & 0000ff00 | 47000000   = 2^15 + b3
 *
 * "and, or" is one vpternlogd: 9 instructions make 64 floats.
 */
#ifndef OCT_BYTES_AVX512_H
#define OCT_BYTES_AVX512_H

#include "epilogue_avx512.h"

/* 64 bytes; the first n of 64, the others being 0 (load) or left alone (store). */
OCT_INLINE __m512i oct_load_64(const uint8_t *p, size_t n)
{
    return n >= 64 ? _mm512_loadu_si512(p) : _mm512_maskz_loadu_epi8(oct_lanes_64(n), p);
}

OCT_INLINE void oct_store_64(uint8_t *p, __m512i bytes, size_t n)
{
    if (n >= 64)
        _mm512_storeu_si512(p, bytes);
    else
        _mm512_mask_storeu_epi8(p, oct_lanes_64(n), bytes);
}

/* ------------------------------------------------------------------------------------------ u8 -> float ---- */

/* 2^23 + zero and 2^15 + zero. */
typedef struct oct_centre {
    __m512 at_0, at_8;
} oct_centre;

OCT_INLINE oct_centre oct_centre_of(int32_t zero)
{
    return (oct_centre){_mm512_set1_ps((float)(0x800000 + zero)), _mm512_set1_ps((float)(0x8000 + zero))};
}

/* a & b | c */
OCT_INLINE __m512 oct_pick(__m512i a, int32_t b, int32_t c)
{
    return _mm512_castsi512_ps(_mm512_ternarylogic_epi32(a, _mm512_set1_epi32(b), _mm512_set1_epi32(c), 0xea));
}

/* x = (float)(byte - zero), exactly, in the order above. */
OCT_INLINE void oct_centre_64(__m512i q, const oct_centre *c, __m512 x[4])
{
    const __m512i upper = _mm512_srli_epi32(q, 16);
    x[0] = _mm512_sub_ps(oct_pick(q, 0xff, 0x4b000000), c->at_0);
    x[1] = _mm512_sub_ps(oct_pick(q, 0xff00, 0x47000000), c->at_8);
    x[2] = _mm512_sub_ps(oct_pick(upper, 0xff, 0x4b000000), c->at_0);
    x[3] = _mm512_sub_ps(oct_pick(upper, 0xff00, 0x47000000), c->at_8);
}

/* ------------------------------------------------------------------------------------------ float -> u8 ---- */

/* Zero point and clamp of a u8 output. */
typedef struct oct_u8_range {
    __m512i zero, lo, hi;
} oct_u8_range;

OCT_INLINE oct_u8_range oct_u8_range_of(int32_t zero, uint8_t lo, uint8_t hi)
{
    return (oct_u8_range){_mm512_set1_epi16((int16_t)zero), _mm512_set1_epi8((char)lo), _mm512_set1_epi8((char)hi)};
}

OCT_INLINE __m512i oct_limit_64(__m512i q, const oct_u8_range *range)
{
    return _mm512_min_epu8(_mm512_max_epu8(q, range->lo), range->hi);
}

/* rne(x) + zero in 0..255; the packs leave in each 128-bit lane 4 bytes of x[0], 4 of x[1], 4 of x[2], 4 of x[3]. cvtps rounds to
 * nearest even; packs and adds saturate to s16, which changes nothing that is not clamped to 0 or 255 anyway (epilogue_avx512.h).
 * */
OCT_INLINE __m512i oct_round_64(const __m512 x[4], __m512i zero)
{
    const __m512i a = _mm512_packs_epi32(_mm512_cvtps_epi32(x[0]), _mm512_cvtps_epi32(x[1]));
    const __m512i b = _mm512_packs_epi32(_mm512_cvtps_epi32(x[2]), _mm512_cvtps_epi32(x[3]));
    return _mm512_packus_epi16(_mm512_adds_epi16(a, zero), _mm512_adds_epi16(b, zero));
}

/* clamp(rne(x) + zero, lo, hi) of vectors in the order above, back to the order of memory: a 4 x 4 transpose within each lane. */
OCT_INLINE __m512i oct_pack_64(const __m512 x[4], const oct_u8_range *range)
{
    const __m512i turn = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15));
    return _mm512_shuffle_epi8(oct_limit_64(oct_round_64(x, range->zero), range), turn);
}

#endif

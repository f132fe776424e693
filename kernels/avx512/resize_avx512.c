/* resize_avx512.c - one row of a resized picture, f32 and u8 (kernels.h, oct_resize_job, has the formulas).
 *
 * As the AVX2 kernels, on twice the width; u8 with masks: any number of channels, nothing beyond the pixel is touched.
 *
 * u8: neighbours are interleaved, so that vpmaddwd multiplies both and adds the pair:
 *
 *   a   a0 a1 a2 ..                                       words   a0 b0 a1 b1 ..   *  A B A B ..   -> s32  a0 A + b0 B | ..
 *   b   b0 b1 b2 ..   ->  bytes  a0 b0 a1 b1 ..   ->      words   c0 d0 c1 d1 ..   *  C D C D ..   -> s32  c0 C + d0 D | ..    +
 *      2^13, >> 14
 *
 * Ranges: weights are 0..2^14 (scalar kernel), which fits the signed words of vpmaddwd; a pair's sum is at most 255 * 2^14 and so
 * is that of both pairs. After the shift 0..255: no packing saturates.
 * Bound: four loads per vector of output (f32); u8: 64 channels in 4 loads and 36 instructions.
 */
#include "resize_avx512.h"
#include "avx2/avx2.h"
#include "epilogue_avx512.h"

/* ------------------------------------------------------------------------------------------------- f32 ---- */

/* The four neighbours of an output pixel at its channel 0, and their weights. */
typedef struct corners_f32 {
    const float *a, *b, *c, *d;
    __m512 wa, wb, wc, wd;
} corners_f32;

OCT_INLINE corners_f32 corners_of_f32(const oct_resize_job *job, const oct_resize_tap *x)
{
    const float *row0 = job->row0, *row1 = job->row1;
    const size_t left = x->first * job->c, right = x->second * job->c;
    const float w = job->weight, v = x->weight;
    return (corners_f32){row0 + left,
                         row0 + right,
                         row1 + left,
                         row1 + right,
                         _mm512_set1_ps((1 - w) * (1 - v)),
                         _mm512_set1_ps((1 - w) * v),
                         _mm512_set1_ps(w * (1 - v)),
                         _mm512_set1_ps(w * v)};
}

/* Sixteen channels. */
OCT_INLINE void blend_f32(const corners_f32 *k, size_t i, float *out)
{
    __m512 y = _mm512_mul_ps(_mm512_loadu_ps(k->a + i), k->wa);
    y = _mm512_fmadd_ps(_mm512_loadu_ps(k->b + i), k->wb, y);
    y = _mm512_fmadd_ps(_mm512_loadu_ps(k->c + i), k->wc, y);
    y = _mm512_fmadd_ps(_mm512_loadu_ps(k->d + i), k->wd, y);
    _mm512_storeu_ps(out + i, y);
}

/* The last block of a pixel may overlap the one before it. Pixels below 32 channels are left to AVX2: with 21 of them two
 * overlapping vectors of 64 bytes, which mostly straddle cache lines, measured 1.27 times its time (Zen 5), and a masked vector
 * 1.6 times with 8. */
void oct_resize_linear_f32_avx512(const oct_resize_job *job)
{
    float *out = job->out;
    if (job->c < 32) {
        oct_resize_linear_f32_avx2(job);
        return;
    }
    for (size_t p = 0; p < job->pixels; p++, out += job->c) {
        const corners_f32 k = corners_of_f32(job, &job->x[p]);
        size_t i = 0;
        for (; i + 16 <= job->c; i += 16)
            blend_f32(&k, i, out);
        if (i < job->c)
            blend_f32(&k, job->c - 16, out);
    }
}

/* -------------------------------------------------------------------------------------------------- u8 ---- */

typedef struct corners_u8 {
    const uint8_t *a, *b, *c, *d;
    __m512i top, bottom;        /* words A B A B .., C D C D .. */
} corners_u8;

OCT_INLINE corners_u8 corners_of_u8(const oct_resize_job *job, const oct_resize_tap *x)
{
    const uint8_t *row0 = job->row0, *row1 = job->row1;
    const size_t left = x->first * job->c, right = x->second * job->c;
    const int32_t w = job->weight_q14, v = x->weight_q14;
    const int32_t wd = (w * v + (1 << 13)) >> 14, wb = v - wd, wc = w - wd, wa = (1 << 14) - w - wb;
    return (corners_u8){row0 + left, row0 + right, row1 + left, row1 + right,
                        _mm512_set1_epi32(wb << 16 | wa), _mm512_set1_epi32(wd << 16 | wc)};
}

/* Sixteen channels: interleaved words -> s32. */
OCT_INLINE __m512i blend_s32(const corners_u8 *k, __m512i top, __m512i bottom)
{
    const __m512i sum = _mm512_add_epi32(_mm512_madd_epi16(top, k->top), _mm512_madd_epi16(bottom, k->bottom));
    return _mm512_srli_epi32(_mm512_add_epi32(sum, _mm512_set1_epi32(1 << 13)), 14);
}

/* 64 channels, or those that the mask names. The packs undo the unpacks lane by lane, so the bytes come out in order. */
OCT_INLINE void blend_64(const corners_u8 *k, size_t i, __mmask64 lanes, uint8_t *out)
{
    const __m512i nought = _mm512_setzero_si512();
    const __m512i a = _mm512_maskz_loadu_epi8(lanes, k->a + i), b = _mm512_maskz_loadu_epi8(lanes, k->b + i);
    const __m512i c = _mm512_maskz_loadu_epi8(lanes, k->c + i), d = _mm512_maskz_loadu_epi8(lanes, k->d + i);
    const __m512i ab0 = _mm512_unpacklo_epi8(a, b), cd0 = _mm512_unpacklo_epi8(c, d);
    const __m512i ab1 = _mm512_unpackhi_epi8(a, b), cd1 = _mm512_unpackhi_epi8(c, d);
    const __m512i s0 = blend_s32(k, _mm512_unpacklo_epi8(ab0, nought), _mm512_unpacklo_epi8(cd0, nought));
    const __m512i s1 = blend_s32(k, _mm512_unpackhi_epi8(ab0, nought), _mm512_unpackhi_epi8(cd0, nought));
    const __m512i s2 = blend_s32(k, _mm512_unpacklo_epi8(ab1, nought), _mm512_unpacklo_epi8(cd1, nought));
    const __m512i s3 = blend_s32(k, _mm512_unpackhi_epi8(ab1, nought), _mm512_unpackhi_epi8(cd1, nought));
    const __m512i y = _mm512_packus_epi16(_mm512_packs_epi32(s0, s1), _mm512_packs_epi32(s2, s3));
    _mm512_mask_storeu_epi8(out + i, lanes, y);
}

/* Up to 16 channels in one register: bytes widened to words, interleaved by shifting b behind a. */
OCT_INLINE void blend_16(const corners_u8 *k, size_t i, __mmask16 lanes, uint8_t *out)
{
    const __m512i a = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(lanes, k->a + i));
    const __m512i b = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(lanes, k->b + i));
    const __m512i c = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(lanes, k->c + i));
    const __m512i d = _mm512_cvtepu8_epi32(_mm_maskz_loadu_epi8(lanes, k->d + i));
    const __m512i top = _mm512_or_si512(a, _mm512_slli_epi32(b, 16)), bottom = _mm512_or_si512(c, _mm512_slli_epi32(d, 16));
    _mm_mask_storeu_epi8(out + i, lanes, _mm512_cvtepi32_epi8(blend_s32(k, top, bottom)));
}

void oct_resize_linear_u8_avx512(const oct_resize_job *job)
{
    uint8_t *out = job->out;
    const size_t rest = job->c % 64;
    for (size_t p = 0; p < job->pixels; p++, out += job->c) {
        const corners_u8 k = corners_of_u8(job, &job->x[p]);
        size_t i = 0;
        for (; i + 64 <= job->c; i += 64)
            blend_64(&k, i, ~0ull, out);
        if (rest > 16)
            blend_64(&k, i, oct_lanes_64(rest), out);
        else if (rest)
            blend_16(&k, i, oct_lanes_16(rest), out);
    }
}

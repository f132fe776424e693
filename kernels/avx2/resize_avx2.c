/* resize_avx2.c - one row of a resized picture, f32 and u8 (kernels.h, oct_resize_job, has the formulas).
 *
 * Per output pixel four weights are broadcast, then blocks of channels go through; the last block of a pixel may overlap the one
 * before it: its channels are computed twice, with the same result. Pixels too narrow for a block go to the specification.
 *
 * u8: neighbours are interleaved, so that vpmaddwd multiplies both and adds the pair:
 *
 *   a   a0 a1 a2 ..                                       words   a0 b0 a1 b1 ..   *  A B A B ..   -> s32  a0 A + b0 B | ..
 *   b   b0 b1 b2 ..   ->  bytes  a0 b0 a1 b1 ..   ->      words   c0 d0 c1 d1 ..   *  C D C D ..   -> s32  c0 C + d0 D | ..    +
 *      2^13, >> 14
 *
 * Ranges: weights are 0..2^14 (specification), which fits the signed words of vpmaddwd; a pair's sum is at most 255 * 2^14 and so
 * is that of both pairs. After the shift 0..255: no packing saturates.
 * Bound: four loads per vector of output (f32); u8: 32 channels in 4 loads and 36 instructions.
 */
#include "avx2.h"
#include "scalar/scalar.h"
#include "vector_avx2.h"

/* ---------------------------------------------------------------------------------------------- gather ---- */

/* One pixel of at least 8 bytes. */
OCT_INLINE void copy_pixel(size_t bytes, const uint8_t *in, uint8_t *out)
{
    size_t i = 0;
    for (; i + 32 <= bytes; i += 32)
        store_256(out + i, load_256(in + i));
    for (; i + 16 <= bytes; i += 16)
        store_128(out + i, load_128(in + i));
    for (; i + 8 <= bytes; i += 8)
        store_64(out + i, load_64(in + i));
    if (i < bytes)
        store_64(out + bytes - 8, load_64(in + bytes - 8));
}

/* Pixels of one or four bytes (one channel), of a constant size, so that memcpy becomes a move. */
OCT_INLINE void gather_small(size_t pixels, const uint8_t *row, const oct_resize_tap *x, uint8_t *out, size_t bytes)
{
    for (size_t p = 0; p < pixels; p++)
        memcpy(out + p * bytes, row + x[p].first * bytes, bytes);
}

void oct_gather_pixels_avx2(size_t pixels, size_t pixel_bytes, const void *row, const oct_resize_tap *x, void *out)
{
    const uint8_t *in = row;
    uint8_t *to = out;
    if (pixel_bytes == 1)
        gather_small(pixels, in, x, to, 1);
    else if (pixel_bytes == 4)
        gather_small(pixels, in, x, to, 4);
    else if (pixel_bytes < 8)
        oct_gather_pixels_scalar(pixels, pixel_bytes, row, x, out);
    else
        for (size_t p = 0; p < pixels; p++)
            copy_pixel(pixel_bytes, in + x[p].first * pixel_bytes, to + p * pixel_bytes);
}

/* ------------------------------------------------------------------------------------------------- f32 ---- */

/* The four neighbours of an output pixel at its channel 0, and their weights. */
typedef struct corners_f32 {
    const float *a, *b, *c, *d;
    __m256 wa, wb, wc, wd;
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
                         _mm256_set1_ps((1 - w) * (1 - v)),
                         _mm256_set1_ps((1 - w) * v),
                         _mm256_set1_ps(w * (1 - v)),
                         _mm256_set1_ps(w * v)};
}

OCT_INLINE void blend_f32(const corners_f32 *k, size_t i, float *out)
{
    __m256 y = _mm256_mul_ps(_mm256_loadu_ps(k->a + i), k->wa);
    y = _mm256_fmadd_ps(_mm256_loadu_ps(k->b + i), k->wb, y);
    y = _mm256_fmadd_ps(_mm256_loadu_ps(k->c + i), k->wc, y);
    y = _mm256_fmadd_ps(_mm256_loadu_ps(k->d + i), k->wd, y);
    _mm256_storeu_ps(out + i, y);
}

void oct_resize_linear_f32_avx2(const oct_resize_job *job)
{
    float *out = job->out;
    if (job->c < 8) {
        oct_resize_linear_f32_scalar(job);
        return;
    }
    for (size_t p = 0; p < job->pixels; p++, out += job->c) {
        const corners_f32 k = corners_of_f32(job, &job->x[p]);
        size_t i = 0;
        for (; i + 8 <= job->c; i += 8)
            blend_f32(&k, i, out);
        if (i < job->c)
            blend_f32(&k, job->c - 8, out);
    }
}

/* -------------------------------------------------------------------------------------------------- u8 ---- */

typedef struct corners_u8 {
    const uint8_t *a, *b, *c, *d;
    __m256i top, bottom;        /* words A B A B .., C D C D .. */
} corners_u8;

OCT_INLINE corners_u8 corners_of_u8(const oct_resize_job *job, const oct_resize_tap *x)
{
    const uint8_t *row0 = job->row0, *row1 = job->row1;
    const size_t left = x->first * job->c, right = x->second * job->c;
    const int32_t w = job->weight_q14, v = x->weight_q14;
    const int32_t wd = (w * v + (1 << 13)) >> 14, wb = v - wd, wc = w - wd, wa = (1 << 14) - w - wb;
    return (corners_u8){row0 + left, row0 + right, row1 + left, row1 + right,
                        _mm256_set1_epi32(wb << 16 | wa), _mm256_set1_epi32(wd << 16 | wc)};
}

/* Eight channels: interleaved bytes ab, cd -> interleaved words -> s32. The lower or the upper half of each 128-bit lane. */
OCT_INLINE __m256i blend_s32(const corners_u8 *k, __m256i ab, __m256i cd, bool upper)
{
    const __m256i nought = _mm256_setzero_si256(), half = _mm256_set1_epi32(1 << 13);
    const __m256i top = upper ? _mm256_unpackhi_epi8(ab, nought) : _mm256_unpacklo_epi8(ab, nought);
    const __m256i bottom = upper ? _mm256_unpackhi_epi8(cd, nought) : _mm256_unpacklo_epi8(cd, nought);
    const __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(top, k->top), _mm256_madd_epi16(bottom, k->bottom));
    return _mm256_srli_epi32(_mm256_add_epi32(sum, half), 14);
}

/* `width` channels, 8, 16 or 32. The packs undo the unpacks lane by lane, so the bytes come out in order. */
OCT_INLINE void blend_u8(const corners_u8 *k, size_t i, uint8_t *out, size_t width)
{
    const __m256i a = load_bytes(k->a + i, width), b = load_bytes(k->b + i, width);
    const __m256i c = load_bytes(k->c + i, width), d = load_bytes(k->d + i, width);
    const __m256i ab0 = _mm256_unpacklo_epi8(a, b), cd0 = _mm256_unpacklo_epi8(c, d);
    const __m256i low = _mm256_packs_epi32(blend_s32(k, ab0, cd0, false), blend_s32(k, ab0, cd0, true));
    __m256i high = low;
    if (width > 8) {
        const __m256i ab1 = _mm256_unpackhi_epi8(a, b), cd1 = _mm256_unpackhi_epi8(c, d);
        high = _mm256_packs_epi32(blend_s32(k, ab1, cd1, false), blend_s32(k, ab1, cd1, true));
    }
    store_bytes(out + i, _mm256_packus_epi16(low, high), width);
}

void oct_resize_linear_u8_avx2(const oct_resize_job *job)
{
    uint8_t *out = job->out;
    if (job->c < 8) {
        oct_resize_linear_u8_scalar(job);
        return;
    }
    for (size_t p = 0; p < job->pixels; p++, out += job->c) {
        const corners_u8 k = corners_of_u8(job, &job->x[p]);
        size_t i = 0;
        for (; i + 32 <= job->c; i += 32)
            blend_u8(&k, i, out, 32);
        for (; i + 16 <= job->c; i += 16)
            blend_u8(&k, i, out, 16);
        for (; i + 8 <= job->c; i += 8)
            blend_u8(&k, i, out, 8);
        if (i < job->c)
            blend_u8(&k, job->c - 8, out, 8);
    }
}

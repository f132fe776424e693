/* pixels_avx2.h - what the depthwise kernels share: blocks of 8 channels, kernel rows inside the image, finished pixels to memory.
 *
 *   image, output:   pixel 0: | block 0: c0 .. c7 | block 1: c8 .. c15 | .. |   pixel 1: | ..        N x H x W x C
 *
 * A tile is one block of some neighbouring pixels of a row: its vectors lie C elements apart. f32 output is one 32-byte store per
 * pixel; u8 output is rounded and packed four pixels at a time and leaves in four 8-byte stores.
 */
#ifndef OCT_PIXELS_AVX2_H
#define OCT_PIXELS_AVX2_H

#include "vector_avx2.h"

/* Blocks of 8 channels cover c >= 8 channels; the last one ends at the last channel and may overlap the one before it: c = 20 is
 * | 0 .. 7 | 8 .. 15 | and 12 .. 19. What overlaps is computed twice, with the same result; in and out never are the same memory.
 * */
static inline size_t block_count(size_t channels) { return (channels + 7) / 8; }
static inline size_t block_channel(size_t channels, size_t block) { return 8 * block + 8 <= channels ? 8 * block : channels - 8; }

/* Hides where a pointer comes from: otherwise the compiler prepares the addresses of all pixels before the loop over rows, has no
 * registers for them, and spends more time on them than on the pixels. One pointer serves three pixels: [p], [p + step],
 * [p + 2 step]. */
OCT_INLINE const void *opaque(const void *p)
{
    __asm__("" : "+r"(p));
    return p;
}

/* Keeps the compiler from reordering a chain of additions, which would need more registers than there are. */
OCT_INLINE __m256i in_sequence(__m256i v)
{
    __asm__("" : "+x"(v));
    return v;
}

/* The rows of the kernel that lie inside the image for one output row. */
typedef struct kernel_rows {
    size_t first, count;        /* kernel rows first .. first + count - 1 */
    size_t first_y;             /* image row of the first one (0 if there is none) */
} kernel_rows;

/* They are neighbours: rows above the image come first, rows below it last. */
static inline kernel_rows kernel_rows_inside(const oct_conv_shape *s, size_t oy)
{
    kernel_rows rows = {0, 0, 0};
    for (size_t ky = 0; ky < s->kernel_h; ky++) {
        const size_t y = oy * s->stride_h + ky * s->dilation_h - s->pad_top;      /* above the image it wraps to a huge number */
        if (y >= s->in_h)
            continue;
        if (rows.count++ == 0) {
            rows.first = ky;
            rows.first_y = y;
        }
    }
    return rows;
}

/* What becomes of finished pixels, 8 channels of each: the same for all pixels of a job. */
typedef struct pixel_format {
    size_t step;                /* elements between pixels */
    oct_elem elem;
    __m256 lo, hi, mult;        /* f32 kernels: the clamp; and 1 / scale if the output is u8 */
    u8_range range;
} pixel_format;

OCT_INLINE pixel_format pixel_format_of(const oct_epilogue *e)
{
    return (pixel_format){e->out_ld, e->out_elem, _mm256_set1_ps(e->lo), _mm256_set1_ps(e->hi), _mm256_set1_ps(e->out_mult),
                          u8_range_of(e->out_zero, e->qlo, e->qhi)};
}

/* Pixel number `pixel` of the whole output, channel c. */
static inline void *pixel_at(const oct_epilogue *e, size_t pixel, size_t c)
{
    return (char *)e->out + (pixel * e->out_ld + c) * (e->out_elem == OCT_ELEM_F32 ? sizeof(float) : 1);
}

/* 8 bytes of each of 4 pixels, in the order of round_u8 -> memory, `step` apart; only the first `count` (4 or more: all).
 *
 *   round_u8:  p0.0-3 p1.0-3 p2.0-3 p3.0-3 | p0.4-7 p1.4-7 p2.4-7 p3.4-7          in_order:  p0.0-7 p1.0-7 | p2.0-7 p3.0-7
 */
OCT_INLINE void store_four_u8(uint8_t *out, size_t step, __m256i q, size_t count)
{
    const __m256i ordered = in_order(q);
    const __m128i low = _mm256_castsi256_si128(ordered), high = _mm256_extracti128_si256(ordered, 1);
    store_64(out, low);
    if (count > 1)
        store_high_64(out + step, low);
    if (count > 2)
        store_64(out + 2 * step, high);
    if (count > 3)
        store_high_64(out + 3 * step, high);
}

/* The f32 kernels' u8 output: rare, so kept out of line. */
static __attribute__((noinline, unused)) void store_pixels_quantized(const pixel_format *f, uint8_t *out, const __m256 acc[7],
                                                                     size_t count)
{
    for (size_t j = 0; j < count; j += 4) {
        __m256 x[4];
        for (size_t i = 0; i < 4; i++)
            x[i] = _mm256_mul_ps(acc[j + i < count ? j + i : j], f->mult);
        store_four_u8(out + j * f->step, f->step, round_u8(x[0], x[1], x[2], x[3], &f->range), count - j);
    }
}

/* `count` (a constant, at most 7) finished pixels, the first at column ox of `out`, from channel c on; x: acc + bias. */
OCT_INLINE void store_pixels_f32(const pixel_format *f, void *out, size_t ox, size_t c, __m256 x[7], size_t count)
{
    /* clamp */
    OCT_UNROLLED
    for (size_t j = 0; j < 7; j++)
        if (j < count)
            x[j] = clamp_ps(x[j], f->lo, f->hi);
    const size_t step = f->step;
    if (f->elem == OCT_ELEM_F32) {
        float *to = (float *)out + ox * step + c;
        OCT_UNROLLED
        for (size_t j = 0; j < 7; j++)
            if (j < count)
                _mm256_storeu_ps(to + j * step, x[j]);
        return;
    }
    /* The copy's address is taken, so that x itself need not be in memory. */
    __m256 copy[7];
    OCT_UNROLLED
    for (size_t j = 0; j < 7; j++)
        copy[j] = x[j < count ? j : 0];
    store_pixels_quantized(f, (uint8_t *)out + ox * step + c, copy, count);
}

/* f32 output of a u8s8 kernel: rare, so kept out of line. x: scaled sums of `count` pixels. */
static __attribute__((noinline, unused)) void store_pixels_biased(const pixel_format *f, const float *bias, float *out,
                                                                  const __m256 *x, size_t count)
{
    for (size_t j = 0; j < count; j++, out += f->step)
        _mm256_storeu_ps(out, clamp_ps(_mm256_add_ps(x[j], _mm256_loadu_ps(bias)), f->lo, f->hi));
}

/* `count` (a constant, at most 7) pixels of a u8s8 kernel; acc: exact sums, as floats; scales: mult[8] and bias[8] of the block. */
OCT_INLINE void store_pixels_exact(const pixel_format *f, const float *scales, void *out, size_t ox, size_t c, const __m256 acc[7],
                                   size_t count)
{
    const size_t step = f->step;
    /* Scaled; pixels that do not exist repeat the one before, so that all eight can be rounded. */
    __m256 x[8];
    OCT_UNROLLED
    for (size_t j = 0; j < 8; j++)
        x[j] = j < count ? _mm256_mul_ps(acc[j < 7 ? j : 6], _mm256_loadu_ps(scales)) : x[j - 1];
    if (f->elem == OCT_ELEM_F32) {
        store_pixels_biased(f, scales + 8, (float *)out + ox * step + c, x, count);
        return;
    }
    uint8_t *to = (uint8_t *)out + ox * step + c;
    store_four_u8(to, step, round_u8(x[0], x[1], x[2], x[3], &f->range), count);
    if (count > 4)
        store_four_u8(to + 4 * step, step, round_u8(x[4], x[5], x[6], x[7], &f->range), count - 4);
}

/* Exact sums (s32) of two pixels, 8 channels each -> s16, rounded and shifted by the zero point (the first half of round_u8). */
OCT_INLINE __m256i round_two(__m256i acc0, __m256i acc1, const float *mult, const u8_range *range)
{
    const __m256i q0 = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(acc0), _mm256_loadu_ps(mult)));
    const __m256i q1 = _mm256_cvtps_epi32(_mm256_mul_ps(_mm256_cvtepi32_ps(acc1), _mm256_loadu_ps(mult)));
    return _mm256_adds_epi16(_mm256_packs_epi32(q0, q1), range->zero);
}

/* The second half: 2 x two pixels to u8. */
OCT_INLINE __m256i pack_u8(__m256i two, __m256i two_more, const u8_range *range)
{
    return _mm256_min_epu8(_mm256_max_epu8(_mm256_packus_epi16(two, two_more), range->lo), range->hi);
}

/* The same for f32 output: `count` pixels, `step` apart. */
static inline void store_sums_f32(const pixel_format *f, const float *scales, float *out, const __m256i acc[4], size_t count)
{
    __m256 x[4];
    for (size_t j = 0; j < count; j++)
        x[j] = _mm256_mul_ps(_mm256_cvtepi32_ps(acc[j]), _mm256_loadu_ps(scales));
    store_pixels_biased(f, scales + 8, out, x, count);
}

#endif

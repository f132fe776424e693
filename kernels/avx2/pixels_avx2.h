/* pixels_avx2.h - what the depthwise kernels share: blocks of 8 channels, kernel rows inside the image, finished pixels to memory. */
#ifndef OCT_PIXELS_AVX2_H
#define OCT_PIXELS_AVX2_H

#include "vector_avx2.h"

/* Blocks of 8 channels cover c >= 8 channels; the last one ends at the last channel and may overlap the one before it. */
static inline size_t block_count(size_t channels) { return (channels + 7) / 8; }
static inline size_t block_channel(size_t channels, size_t block) { return 8 * block + 8 <= channels ? 8 * block : channels - 8; }

/* The rows of the kernel that lie inside the image for one output row. */
typedef struct kernel_rows {
    size_t first, count;        /* kernel rows first .. first + count - 1 */
    size_t first_y;             /* image row of the first one (0 if there is none) */
} kernel_rows;

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

/* Where a row of finished pixels goes: 8 channels of each. */
typedef struct pixel_output {
    char *out;
    size_t pixel;               /* elements between pixels */
    oct_elem elem;
    __m256 lo, hi, mult;        /* f32 kernels: the clamp; and 1 / scale if the output is u8 */
    u8_range range;
} pixel_output;

/* Pixel number `pixel` of the whole output, from channel c on. */
OCT_INLINE pixel_output pixel_output_at(const oct_epilogue *e, size_t pixel, size_t c)
{
    const size_t size = e->out_elem == OCT_ELEM_F32 ? sizeof(float) : 1;
    return (pixel_output){(char *)e->out + (pixel * e->out_ld + c) * size, e->out_ld, e->out_elem, _mm256_set1_ps(e->lo),
                          _mm256_set1_ps(e->hi), _mm256_set1_ps(e->out_mult), u8_range_of(e->out_zero, e->qlo, e->qhi)};
}

/* 8 floats of each of up to 4 pixels -> 8 bytes each. x[0..3] must exist. */
OCT_INLINE void store_four_u8(uint8_t *out, size_t pixel, const __m256 x[4], size_t count, const u8_range *range)
{
    const __m256i q = in_order(round_u8(x[0], x[1], x[2], x[3], range));
    const __m128i low = _mm256_castsi256_si128(q), high = _mm256_extracti128_si256(q, 1);
    store_64(out, low);
    if (count > 1)
        _mm_storeh_pd((double *)(void *)(out + pixel), _mm_castsi128_pd(low));
    if (count > 2)
        store_64(out + 2 * pixel, high);
    if (count > 3)
        _mm_storeh_pd((double *)(void *)(out + 3 * pixel), _mm_castsi128_pd(high));
}

/* `count` (a constant, at most 7) finished pixels, the first at column ox; x: acc + bias. */
OCT_INLINE void store_pixels_f32(const pixel_output *o, size_t ox, __m256 x[7], size_t count)
{
    UNROLLED
    for (size_t j = 0; j < 7; j++)
        if (j < count)
            x[j] = clamp_ps(x[j], o->lo, o->hi);
    if (o->elem == OCT_ELEM_F32) {
        float *out = (float *)(void *)o->out + ox * o->pixel;
        UNROLLED
        for (size_t j = 0; j < 7; j++)
            if (j < count)
                _mm256_storeu_ps(out + j * o->pixel, x[j]);
        return;
    }
    UNROLLED
    for (size_t j = 0; j < 7; j++)
        x[j] = j < count ? _mm256_mul_ps(x[j], o->mult) : x[0];
    uint8_t *out = (uint8_t *)o->out + ox * o->pixel;
    const __m256 rest[4] = {x[4], x[5], x[6], x[6]};
    store_four_u8(out, o->pixel, x, count < 4 ? count : 4, &o->range);
    if (count > 4)
        store_four_u8(out + 4 * o->pixel, o->pixel, rest, count - 4, &o->range);
}

#endif

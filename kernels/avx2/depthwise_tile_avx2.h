/* depthwise_tile_avx2.h - the depthwise tile in f32 arithmetic: up to 7 neighbouring output pixels of 8 channels, 3x3 or 5x5.
 *
 * 3x3, stride 1: for each kernel row the three weights are loaded once and nine pixels pass by, each feeding up to three outputs
 *
 *   input row       | p0 | p1 | p2 | p3 | p4 | p5 | p6 | p7 | p8 |        one load per pixel
 *   acc[0]           w0   w1   w2                                         acc[0] += p0 * w0, p1 * w1, p2 * w2
 *   acc[1]                w0   w1   w2
 *   ..                                                                    21 FMAs for 12 loads
 *   acc[6]                               w0   w1   w2
 *
 * Registers: 7 accumulators, 3 (5) weights, 1 pixel. Sevens, because the widths of common networks are 7 * 2^n; the rest of a row
 * goes in threes and ones. Where a tile touches the left or right border the pixels at its ends are asked for (`border`).
 *
 * One body serves f32 images and u8 images (`u8`, a constant): integers below 2^24 are exact in f32, and so are their sums and
 * FMAs.
 */
#ifndef OCT_DEPTHWISE_TILE_AVX2_H
#define OCT_DEPTHWISE_TILE_AVX2_H

#include "pixels_avx2.h"

enum { WIDE = 7, MIDDLE = 3, MAX_KERNEL = 5 };

/* One output row: what it reads, and where it goes. Sizes and steps in bytes. */
typedef struct tile_row {
    const char *row;            /* the first kernel row inside the image: column 0, channel 0 */
    size_t row_step, pixel;
    size_t first, rows;         /* kernel rows first .. first + rows - 1 are inside the image */
    size_t width, channels;
    ptrdiff_t pad;              /* columns left of the image */
    size_t out_w;
    __m256 padding;             /* u8: what a pixel outside the image holds. f32: 0, such pixels are left out */
    const char *packed;         /* block 0: | start of the accumulators[8] | .. | w[ky][kx][8] | u8: sum of w[ky][..][8] | */
    size_t w_offset, block_step;/* from a block's start to its weights; to the next block */
    const pixel_format *format;
    void *out;                  /* first pixel, channel 0 */
} tile_row;

/* Bytes from the start of a u8 image's block to mult[8], followed by bias[8]. */
enum { BLOCK_SCALES = 8 * 4 };

/* What is constant wherever a tile is inlined. */
typedef struct tile_kind {
    size_t kernel, stride;
    bool u8;                    /* the image's elements */
} tile_kind;

/* Pointer arithmetic as integers: the result may lie before the image, and is only used for pixels that do not. */
OCT_INLINE const char *step_back(const char *p, ptrdiff_t bytes) { return (const char *)((uintptr_t)p - (uintptr_t)bytes); }

/* 8 channels of a pixel. */
OCT_INLINE __m256 load_pixel(const char *p, bool u8)
{
    return u8 ? _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(load_64(p))) : _mm256_loadu_ps((const float *)(const void *)p);
}

/* u8: what the kernel rows outside the image add: they are padding all along, so it is the same for all pixels. Border rows only,
 * hence out of line. */
static __attribute__((noinline, unused)) __m256 add_padding_rows(const tile_row *j, __m256 start, const float *sums, size_t kernel)
{
    for (size_t ky = 0; ky < kernel; ky++)
        if (ky - j->first >= j->rows)
            start = _mm256_fmadd_ps(j->padding, _mm256_loadu_ps(sums + 8 * ky), start);
    return start;
}

/* `count` output pixels, whose first tap lies in column x (may be negative if `border`), channel c. kind, count, border are
 * constants. Pads are shorter than the kernel, so only kernel - 1 pixels at each end can be outside. */
OCT_INLINE void tile_square(const tile_row *j, tile_kind kind, ptrdiff_t x, size_t c, const char *block, size_t count, bool border,
                            __m256 acc[WIDE])
{
    const size_t kernel = kind.kernel, pixels = (count - 1) * kind.stride + kernel, step = j->pixel;
    const ptrdiff_t left = -x, right = (ptrdiff_t)j->width - x;        /* pixels left <= p < right exist */
    const char *row = step_back(j->row + c * (kind.u8 ? 1 : sizeof(float)), -x * (ptrdiff_t)step);
    const float *w = (const float *)(const void *)(block + j->w_offset);
    /* 1. Accumulators start at the bias. */
    __m256 start = _mm256_loadu_ps((const float *)(const void *)block);
    if (kind.u8 && j->rows < kernel)
        start = add_padding_rows(j, start, w + kernel * kernel * 8, kernel);
    OCT_UNROLLED
    for (size_t i = 0; i < WIDE; i++)
        acc[i] = start;
    w += j->first * kernel * 8;
    for (size_t r = 0; r < j->rows; r++, row += j->row_step, w += 8 * kernel) {
        /* 2. This kernel row's weights. */
        __m256 wv[MAX_KERNEL];
        OCT_UNROLLED
        for (size_t kx = 0; kx < MAX_KERNEL; kx++)
            if (kx < kernel)
                wv[kx] = _mm256_loadu_ps(w + 8 * kx);
        /* 3. Pixel by pixel: load, and multiply, add for every output that uses it. */
        const char *third = row;
        OCT_UNROLLED
        for (size_t p = 0; p < 2 * (WIDE - 1) + MAX_KERNEL; p++) {
            if (p >= pixels)
                break;
            if (p && p % 3 == 0)
                third = opaque(third + 3 * step);
            const bool outside =
                border && ((p + 1 < kernel && (ptrdiff_t)p < left) || (p + kernel > pixels && (ptrdiff_t)p >= right));
            if (outside && !kind.u8)
                continue;
            const __m256 in = outside ? j->padding : load_pixel(third + p % 3 * step, kind.u8);
            OCT_UNROLLED
            for (size_t i = 0; i < WIDE; i++)
                if (i < count && p >= i * kind.stride && p - i * kind.stride < kernel)
                    acc[i] = _mm256_fmadd_ps(in, wv[p - i * kind.stride], acc[i]);
        }
    }
}

/* All channels of `count` output pixels from ox on, block by block: their input pixels stay in L1 and are read along memory. */
OCT_INLINE void tile_blocks(const tile_row *j, tile_kind kind, size_t ox, ptrdiff_t x, size_t count, bool border)
{
    const size_t blocks = block_count(j->channels);
    const char *block = j->packed;
    for (size_t b = 0; b < blocks; b++, block += j->block_step) {
        const size_t c = block_channel(j->channels, b);
        __m256 acc[WIDE];
        tile_square(j, kind, x, c, block, count, border, acc);
        /* 4. Epilogue. */
        if (kind.u8)
            store_pixels_exact(j->format, (const float *)(const void *)(block + BLOCK_SCALES), j->out, ox, c, acc, count);
        else
            store_pixels_f32(j->format, j->out, ox, c, acc, count);
    }
}

/* Asks once for all channels whether the border is touched. */
OCT_INLINE void tile_at(const tile_row *j, tile_kind kind, size_t ox, size_t count)
{
    const ptrdiff_t x = (ptrdiff_t)(ox * kind.stride) - j->pad;
    if (x < 0 || x + (ptrdiff_t)((count - 1) * kind.stride + kind.kernel) > (ptrdiff_t)j->width)
        tile_blocks(j, kind, ox, x, count, true);
    else
        tile_blocks(j, kind, ox, x, count, false);
}

/* A row in sevens, threes and ones. */
OCT_INLINE void tile_whole_row(const tile_row *j, tile_kind kind)
{
    size_t ox = 0;
    for (; ox + WIDE <= j->out_w; ox += WIDE)
        tile_at(j, kind, ox, WIDE);
    for (; ox + MIDDLE <= j->out_w; ox += MIDDLE)
        tile_at(j, kind, ox, MIDDLE);
    for (; ox < j->out_w; ox++)
        tile_at(j, kind, ox, 1);
}

/* The job's output row number `row`; element: bytes of an input element. */
static inline tile_row tile_row_of(const oct_depthwise_job *job, const pixel_format *format, size_t row, size_t element,
                                   size_t w_offset, size_t block_step)
{
    const oct_conv_shape *s = job->shape;
    const size_t pixel = s->in_c * element, row_bytes = s->in_w * pixel;
    const kernel_rows inside = kernel_rows_inside(s, row % s->out_h);
    return (tile_row){
        .row = (const char *)job->in + (row / s->out_h * s->in_h + inside.first_y) * row_bytes, .row_step = row_bytes,
        .pixel = pixel, .first = inside.first, .rows = inside.count, .width = s->in_w, .channels = s->in_c,
        .pad = (ptrdiff_t)s->pad_left, .out_w = s->out_w, .padding = _mm256_set1_ps(job->in_zero), .packed = job->packed,
        .w_offset = w_offset, .block_step = block_step, .format = format, .out = pixel_at(&job->e, row * s->out_w, 0)};
}

#endif

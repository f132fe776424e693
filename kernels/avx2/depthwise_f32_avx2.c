/* depthwise_f32_avx2.c - f32 depthwise convolution, 8 channels at a time, up to 7 neighbouring output pixels in registers.
 *
 *   out[y][x][c] = clamp(bias[c] + sum over taps inside the image of in[y'][x'][c] * w[ky][kx][c])
 *
 * One tile, 3x3 stride 1: for each kernel row the three weights are loaded once and nine pixels pass by, each feeding up to three outputs
 *
 *   input row       | p0 | p1 | p2 | p3 | p4 | p5 | p6 | p7 | p8 |        one load per pixel
 *   acc[0]           w0   w1   w2                                         acc[0] += p0 * w0, p1 * w1, p2 * w2
 *   acc[1]                w0   w1   w2
 *   ..                                                                    21 FMAs for 12 loads
 *   acc[6]                               w0   w1   w2
 *
 * Registers: 7 accumulators, 3 (5) weights, 1 pixel. Sevens, because the widths of common networks are 7 * 2^n; the rest of a row goes in
 * threes and ones. Kernel rows outside the image are left out of the loop; where a tile touches the left or right border
 * the pixels at its ends are asked for (`border`).
 *
 * Packed: blocks of 8 channels | bias[8] | w[ky][kx][8] |; the last block ends at the last channel and may overlap the one before it
 * (these channels are computed twice, with the same result).
 *
 * Bound: FMA, two per cycle: 4.5 cycles per 8 outputs of a 3x3.
 */
#include "avx2.h"
#include "pixels_avx2.h"

enum { WIDE = 7, MIDDLE = 3, MAX_KERNEL = 5 };

/* One output row: what it reads, and where it goes. */
typedef struct row_job {
    const oct_conv_shape *shape;
    const float *row;           /* the first kernel row inside the image, column 0, channel 0 */
    size_t rows;                /* kernel rows inside the image */
    size_t row_step;            /* elements from one of them to the next */
    size_t pixel, width;        /* elements per pixel; pixels per row */
    const float *packed;        /* block 0 */
    size_t w_offset, block_step;/* elements from a block's start to the weights of that kernel row; to the next block */
    const pixel_format *format;
    void *out;                  /* first pixel, channel 0 */
} row_job;

/* Pointer arithmetic as integers: the result may lie before the image, and is only used for pixels that do not. */
OCT_INLINE const float *step_back(const float *p, ptrdiff_t elements)
{
    return (const float *)((uintptr_t)p - (uintptr_t)(elements * (ptrdiff_t)sizeof(float)));
}

/* ------------------------------------------------------------------------------- 3x3 and 5x5, dilation 1 ---- */

/* `count` output pixels, whose first tap lies in column x (may be negative if `border`). kernel, stride, count, border are constants. Pads
 * are shorter than the kernel, so only kernel - 1 pixels at each end can be outside. */
OCT_INLINE void tile_square(const row_job *j, ptrdiff_t x, size_t c, const float *block, size_t kernel, size_t stride, size_t count,
                            bool border, __m256 acc[WIDE])
{
    const size_t pixels = (count - 1) * stride + kernel, step = j->pixel;
    const ptrdiff_t left = -x, right = (ptrdiff_t)j->width - x;        /* pixels left <= p < right exist */
    const float *row = step_back(j->row + c, -x * (ptrdiff_t)step), *w = block + j->w_offset;
    UNROLLED
    for (size_t i = 0; i < WIDE; i++)
        acc[i] = _mm256_loadu_ps(block);
    for (size_t r = 0; r < j->rows; r++, row += j->row_step, w += 8 * kernel) {
        __m256 wv[MAX_KERNEL];
        UNROLLED
        for (size_t kx = 0; kx < MAX_KERNEL; kx++)
            if (kx < kernel)
                wv[kx] = _mm256_loadu_ps(w + 8 * kx);
        const float *third = row;
        UNROLLED
        for (size_t p = 0; p < 2 * (WIDE - 1) + MAX_KERNEL; p++) {
            if (p >= pixels)
                break;
            if (p && p % 3 == 0)
                third = opaque(third + 3 * step);
            if (border && p + 1 < kernel && (ptrdiff_t)p < left)
                continue;
            if (border && p + kernel > pixels && (ptrdiff_t)p >= right)
                continue;
            const __m256 in = _mm256_loadu_ps(third + p % 3 * step);
            UNROLLED
            for (size_t i = 0; i < WIDE; i++)
                if (i < count && p >= i * stride && p - i * stride < kernel)
                    acc[i] = _mm256_fmadd_ps(in, wv[p - i * stride], acc[i]);
        }
    }
}

/* All channels of `count` output pixels from ox on, block by block: their input pixels stay in L1 and are read along memory. */
OCT_INLINE void tile_blocks(const row_job *j, size_t ox, ptrdiff_t x, size_t kernel, size_t stride, size_t count, bool border)
{
    const size_t blocks = block_count(j->pixel);
    const float *block = j->packed;
    for (size_t b = 0; b < blocks; b++, block += j->block_step) {
        const size_t c = block_channel(j->pixel, b);
        __m256 acc[WIDE];
        tile_square(j, x, c, block, kernel, stride, count, border, acc);
        store_pixels_f32(j->format, j->out, ox, c, acc, count);
    }
}

OCT_INLINE void tile_at(const row_job *j, size_t ox, size_t kernel, size_t stride, size_t count)
{
    const ptrdiff_t x = (ptrdiff_t)(ox * stride) - (ptrdiff_t)j->shape->pad_left;
    if (x < 0 || x + (ptrdiff_t)((count - 1) * stride + kernel) > (ptrdiff_t)j->width)
        tile_blocks(j, ox, x, kernel, stride, count, true);
    else
        tile_blocks(j, ox, x, kernel, stride, count, false);
}

OCT_INLINE void row_square(const row_job *j, size_t kernel, size_t stride)
{
    const size_t out_w = j->shape->out_w;
    size_t ox = 0;
    for (; ox + WIDE <= out_w; ox += WIDE)
        tile_at(j, ox, kernel, stride, WIDE);
    for (; ox + MIDDLE <= out_w; ox += MIDDLE)
        tile_at(j, ox, kernel, stride, MIDDLE);
    for (; ox < out_w; ox++)
        tile_at(j, ox, kernel, stride, 1);
}

static void row_3x3s1(const row_job *j) { row_square(j, 3, 1); }
static void row_3x3s2(const row_job *j) { row_square(j, 3, 2); }
static void row_5x5s1(const row_job *j) { row_square(j, 5, 1); }
static void row_5x5s2(const row_job *j) { row_square(j, 5, 2); }

/* ------------------------------------------------------------------------------------- any other kernel ---- */

/* `count` output pixels (a constant), whose first tap lies in column x; if `border`, every tap of every pixel is asked for. */
OCT_INLINE void tile_general(const row_job *j, ptrdiff_t x, size_t c, const float *block, size_t count, bool border, __m256 acc[WIDE])
{
    const oct_conv_shape *s = j->shape;
    const ptrdiff_t step = (ptrdiff_t)j->pixel, stride = (ptrdiff_t)s->stride_w, width = (ptrdiff_t)j->width;
    const float *row = j->row + c, *w = block + j->w_offset;
    UNROLLED
    for (size_t i = 0; i < WIDE; i++)
        acc[i] = _mm256_loadu_ps(block);
    for (size_t r = 0; r < j->rows; r++, row += j->row_step) {
        ptrdiff_t column = x;
        for (size_t kx = 0; kx < s->kernel_w; kx++, w += 8, column += (ptrdiff_t)s->dilation_w) {
            const __m256 wv = _mm256_loadu_ps(w);
            UNROLLED
            for (ptrdiff_t i = 0; i < WIDE; i++) {
                if (i >= (ptrdiff_t)count || (border && (column + i * stride < 0 || column + i * stride >= width)))
                    continue;
                acc[i] = _mm256_fmadd_ps(_mm256_loadu_ps(row + (column + i * stride) * step), wv, acc[i]);
            }
        }
    }
}

OCT_INLINE void blocks_general(const row_job *j, size_t ox, ptrdiff_t x, size_t count, bool border)
{
    const float *block = j->packed;
    for (size_t b = 0; b < block_count(j->pixel); b++, block += j->block_step) {
        const size_t c = block_channel(j->pixel, b);
        __m256 acc[WIDE];
        tile_general(j, x, c, block, count, border, acc);
        store_pixels_f32(j->format, j->out, ox, c, acc, count);
    }
}

static void row_general(const row_job *j)
{
    const oct_conv_shape *s = j->shape;
    const size_t reach = (WIDE - 1) * s->stride_w + (s->kernel_w - 1) * s->dilation_w + 1;
    size_t ox = 0;
    for (; ox + WIDE <= s->out_w; ox += WIDE) {
        const ptrdiff_t x = (ptrdiff_t)(ox * s->stride_w) - (ptrdiff_t)s->pad_left;
        if (x >= 0 && (size_t)x + reach <= j->width)
            blocks_general(j, ox, x, WIDE, false);
        else
            blocks_general(j, ox, x, WIDE, true);
    }
    for (; ox < s->out_w; ox++)
        blocks_general(j, ox, (ptrdiff_t)(ox * s->stride_w) - (ptrdiff_t)s->pad_left, 1, true);
}

/* ------------------------------------------------------------------------------------------- the loops ---- */

/* Output rows of all images. */
static void run_rows(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void (*run_row)(const row_job *j))
{
    const oct_conv_shape *s = job->shape;
    const size_t taps = s->kernel_h * s->kernel_w, row_elements = s->in_w * s->in_c;
    const pixel_format format = pixel_format_of(&job->e);
    for (size_t row = row_begin; row < row_end; row++) {
        const kernel_rows inside = kernel_rows_inside(s, row % s->out_h);
        const float *image = (const float *)job->in + row / s->out_h * s->in_h * row_elements;
        const row_job j = {.shape = s, .row = image + inside.first_y * row_elements, .rows = inside.count,
                           .row_step = s->dilation_h * row_elements, .pixel = s->in_c, .width = s->in_w, .packed = job->packed,
                           .w_offset = 8 + inside.first * s->kernel_w * 8, .block_step = 8 * (1 + taps), .format = &format,
                           .out = pixel_at(&job->e, row * s->out_w, 0)};
        run_row(&j);
    }
}

void oct_depthwise_f32_3x3s1_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    (void)scratch;
    run_rows(job, row_begin, row_end, row_3x3s1);
}

void oct_depthwise_f32_3x3s2_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    (void)scratch;
    run_rows(job, row_begin, row_end, row_3x3s2);
}

void oct_depthwise_f32_5x5s1_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    (void)scratch;
    run_rows(job, row_begin, row_end, row_5x5s1);
}

void oct_depthwise_f32_5x5s2_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    (void)scratch;
    run_rows(job, row_begin, row_end, row_5x5s2);
}

void oct_depthwise_f32_general_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    (void)scratch;
    run_rows(job, row_begin, row_end, row_general);
}

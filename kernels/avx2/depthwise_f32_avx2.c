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
 * every pixel is asked for (`border`), elsewhere none.
 *
 * Packed: blocks of 8 channels | bias[8] | w[ky][kx][8] |; the last block ends at the last channel and may overlap the one before it
 * (these channels are computed twice, with the same result).
 *
 * Bound: FMA, two per cycle: 4.5 cycles per 8 outputs of a 3x3.
 */
#include "avx2.h"
#include "pixels_avx2.h"

enum { WIDE = 7, MIDDLE = 3, MAX_KERNEL = 5 };

/* Where a tile reads: the first kernel row inside the image. */
typedef struct tile_source {
    const float *row;           /* column 0, the block's first channel */
    const float *w;             /* that kernel row's weights */
    size_t rows;                /* kernel rows inside the image */
    size_t row_step;            /* elements from one of them to the next */
    size_t pixel, width;        /* elements per pixel; pixels per row */
    const float *bias;
} tile_source;

/* ------------------------------------------------------------------------------- 3x3 and 5x5, dilation 1 ---- */

/* `count` output pixels whose first tap lies in column x (may be negative if `border`). kernel, stride, count, border are constants. */
OCT_INLINE void tile_square(const tile_source *s, ptrdiff_t x, __m256 acc[WIDE], size_t kernel, size_t stride, size_t count, bool border)
{
    const float *row = s->row, *w = s->w;
    UNROLLED
    for (size_t j = 0; j < WIDE; j++)
        acc[j] = _mm256_loadu_ps(s->bias);
    for (size_t r = 0; r < s->rows; r++, row += s->row_step, w += 8 * kernel) {
        __m256 wv[MAX_KERNEL];
        UNROLLED
        for (size_t kx = 0; kx < MAX_KERNEL; kx++)
            if (kx < kernel)
                wv[kx] = _mm256_loadu_ps(w + 8 * kx);
        UNROLLED
        for (size_t p = 0; p < 2 * (WIDE - 1) + MAX_KERNEL; p++) {
            if (p >= (count - 1) * stride + kernel)
                break;
            const ptrdiff_t column = x + (ptrdiff_t)p;
            if (border && (column < 0 || column >= (ptrdiff_t)s->width))
                continue;
            const __m256 pixel = _mm256_loadu_ps(row + column * (ptrdiff_t)s->pixel);
            UNROLLED
            for (size_t j = 0; j < WIDE; j++)
                if (j < count && p >= j * stride && p - j * stride < kernel)
                    acc[j] = _mm256_fmadd_ps(pixel, wv[p - j * stride], acc[j]);
        }
    }
}

OCT_INLINE void tile_at(const tile_source *s, const pixel_output *o, size_t ox, ptrdiff_t x, size_t kernel, size_t stride, size_t count)
{
    __m256 acc[WIDE];
    const bool border = x < 0 || x + (ptrdiff_t)((count - 1) * stride + kernel) > (ptrdiff_t)s->width;
    if (border)
        tile_square(s, x, acc, kernel, stride, count, true);
    else
        tile_square(s, x, acc, kernel, stride, count, false);
    store_pixels_f32(o, ox, acc, count);
}

OCT_INLINE void row_square(const tile_source *s, const pixel_output *o, const oct_conv_shape *shape, size_t kernel, size_t stride)
{
    const ptrdiff_t pad = (ptrdiff_t)shape->pad_left;
    size_t ox = 0;
    for (; ox + WIDE <= shape->out_w; ox += WIDE)
        tile_at(s, o, ox, (ptrdiff_t)(ox * stride) - pad, kernel, stride, WIDE);
    for (; ox + MIDDLE <= shape->out_w; ox += MIDDLE)
        tile_at(s, o, ox, (ptrdiff_t)(ox * stride) - pad, kernel, stride, MIDDLE);
    for (; ox < shape->out_w; ox++)
        tile_at(s, o, ox, (ptrdiff_t)(ox * stride) - pad, kernel, stride, 1);
}

static void row_3x3s1(const tile_source *s, const pixel_output *o, const oct_conv_shape *shape) { row_square(s, o, shape, 3, 1); }
static void row_3x3s2(const tile_source *s, const pixel_output *o, const oct_conv_shape *shape) { row_square(s, o, shape, 3, 2); }
static void row_5x5s1(const tile_source *s, const pixel_output *o, const oct_conv_shape *shape) { row_square(s, o, shape, 5, 1); }
static void row_5x5s2(const tile_source *s, const pixel_output *o, const oct_conv_shape *shape) { row_square(s, o, shape, 5, 2); }

/* ------------------------------------------------------------------------------------- any other kernel ---- */

/* `count` output pixels, all taps inside the row. */
OCT_INLINE void tile_inside(const tile_source *s, const oct_conv_shape *shape, size_t x, __m256 acc[WIDE], size_t count)
{
    const float *row = s->row + x * s->pixel, *w = s->w;
    UNROLLED
    for (size_t j = 0; j < WIDE; j++)
        acc[j] = _mm256_loadu_ps(s->bias);
    for (size_t r = 0; r < s->rows; r++, row += s->row_step) {
        const float *pixel = row;
        for (size_t kx = 0; kx < shape->kernel_w; kx++, w += 8, pixel += shape->dilation_w * s->pixel) {
            const __m256 wv = _mm256_loadu_ps(w);
            UNROLLED
            for (size_t j = 0; j < WIDE; j++)
                if (j < count)
                    acc[j] = _mm256_fmadd_ps(_mm256_loadu_ps(pixel + j * shape->stride_w * s->pixel), wv, acc[j]);
        }
    }
}

/* One output pixel at the border. */
static __m256 pixel_border(const tile_source *s, const oct_conv_shape *shape, ptrdiff_t x)
{
    const float *row = s->row, *w = s->w;
    __m256 acc = _mm256_loadu_ps(s->bias);
    for (size_t r = 0; r < s->rows; r++, row += s->row_step) {
        for (size_t kx = 0; kx < shape->kernel_w; kx++, w += 8) {
            const ptrdiff_t column = x + (ptrdiff_t)(kx * shape->dilation_w);
            if (column >= 0 && column < (ptrdiff_t)s->width)
                acc = _mm256_fmadd_ps(_mm256_loadu_ps(row + column * (ptrdiff_t)s->pixel), _mm256_loadu_ps(w), acc);
        }
    }
    return acc;
}

static void row_general(const tile_source *s, const pixel_output *o, const oct_conv_shape *shape)
{
    const ptrdiff_t reach = (ptrdiff_t)((shape->kernel_w - 1) * shape->dilation_w + 1), step = (ptrdiff_t)shape->stride_w;
    for (size_t ox = 0; ox < shape->out_w;) {
        const ptrdiff_t x = (ptrdiff_t)(ox * shape->stride_w) - (ptrdiff_t)shape->pad_left, last = x + (WIDE - 1) * step;
        __m256 acc[WIDE];
        const bool wide = ox + WIDE <= shape->out_w && x >= 0 && last + reach <= (ptrdiff_t)s->width;
        if (wide)
            tile_inside(s, shape, (size_t)x, acc, WIDE);
        else
            acc[0] = pixel_border(s, shape, x);
        if (wide)
            store_pixels_f32(o, ox, acc, WIDE);
        else
            store_pixels_f32(o, ox, acc, 1);
        ox += wide ? WIDE : 1;
    }
}

/* ------------------------------------------------------------------------------------------- the loops ---- */

typedef void row_fn(const tile_source *s, const pixel_output *o, const oct_conv_shape *shape);

/* Output row `row` of all images, block after block. */
static void run_row(const oct_depthwise_job *job, size_t row, row_fn *fn)
{
    const oct_conv_shape *shape = job->shape;
    const kernel_rows inside = kernel_rows_inside(shape, row % shape->out_h);
    const size_t taps = shape->kernel_h * shape->kernel_w, row_elements = shape->in_w * shape->in_c;
    const float *image = (const float *)job->in + row / shape->out_h * shape->in_h * row_elements;
    const float *block = job->packed;
    for (size_t b = 0; b < block_count(shape->in_c); b++, block += 8 * (1 + taps)) {
        const size_t c = block_channel(shape->in_c, b);
        const tile_source source = {.row = image + inside.first_y * row_elements + c, .w = block + 8 + inside.first * shape->kernel_w * 8,
                                    .rows = inside.count, .row_step = shape->dilation_h * row_elements, .pixel = shape->in_c,
                                    .width = shape->in_w, .bias = block};
        const pixel_output output = pixel_output_at(&job->e, row * shape->out_w, c);
        fn(&source, &output, shape);
    }
}

static void run_rows(const oct_depthwise_job *job, size_t row_begin, size_t row_end, row_fn *fn)
{
    for (size_t row = row_begin; row < row_end; row++)
        run_row(job, row, fn);
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

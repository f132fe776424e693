/* depthwise_f32_avx2.c - f32 depthwise convolution, 8 channels at a time, up to 7 neighbouring output pixels in registers.
 *
 *   out[y][x][c] = clamp(bias[c] + sum over taps inside the image of in[y'][x'][c] * w[ky][kx][c])
 *
 * 3x3 and 5x5 use the tile of depthwise_tile_avx2.h; kernel rows outside the image are left out. Any other kernel, stride and
 * dilation goes tap by tap, 7 pixels at a time.
 *
 * Packed: blocks of 8 channels | bias[8] | w[ky][kx][8] |; the last block ends at the last channel and may overlap the one before
 * it (these channels are computed twice, with the same result).
 *
 * Bound: FMA, two per cycle: 4.5 cycles per 8 outputs of a 3x3.
 */
#include "avx2.h"
#include "depthwise_tile_avx2.h"

/* ------------------------------------------------------------------------------------------ 3x3, 5x5 ---- */

static void row_3x3s1(const tile_row *j) { tile_whole_row(j, (tile_kind){3, 1, false}); }
static void row_3x3s2(const tile_row *j) { tile_whole_row(j, (tile_kind){3, 2, false}); }
static void row_5x5s1(const tile_row *j) { tile_whole_row(j, (tile_kind){5, 1, false}); }
static void row_5x5s2(const tile_row *j) { tile_whole_row(j, (tile_kind){5, 2, false}); }

/* As packed by depthwise_avx2.c. */
static size_t block_bytes(const oct_conv_shape *s) { return 8 * (1 + s->kernel_h * s->kernel_w) * sizeof(float); }

/* Output rows of all images; scratch memory is not needed. */
static void run_square(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void (*run_row)(const tile_row *j))
{
    const oct_conv_shape *s = job->shape;
    const pixel_format format = pixel_format_of(&job->e);
    for (size_t row = row_begin; row < row_end; row++) {
        const tile_row j = tile_row_of(job, &format, row, sizeof(float), 8 * sizeof(float), block_bytes(s));
        run_row(&j);
    }
}

/* ------------------------------------------------------------------------------------- any other kernel ---- */

/* One output row: what it reads, and where it goes. */
typedef struct general_row {
    const oct_conv_shape *shape;
    const float *row;           /* the first kernel row inside the image, column 0, channel 0 */
    size_t rows;                /* kernel rows inside the image */
    size_t row_step;            /* elements from one of them to the next */
    size_t pixel, width;        /* elements per pixel; pixels per row */
    const float *packed;        /* block 0 */
    size_t w_offset, block_step;/* elements from a block's start to the weights of that kernel row; to the next block */
    const pixel_format *format;
    void *out;                  /* first pixel, channel 0 */
} general_row;

/* `count` output pixels (a constant), whose first tap lies in column x; if `border`, every tap of every pixel is asked for. */
OCT_INLINE void tile_general(const general_row *j, ptrdiff_t x, size_t c, const float *block, size_t count, bool border,
                             __m256 acc[WIDE])
{
    const oct_conv_shape *s = j->shape;
    const ptrdiff_t step = (ptrdiff_t)j->pixel, stride = (ptrdiff_t)s->stride_w, width = (ptrdiff_t)j->width;
    const float *row = j->row + c, *w = block + j->w_offset;
    /* 1. Accumulators start at the bias. */
    OCT_UNROLLED
    for (size_t i = 0; i < WIDE; i++)
        acc[i] = _mm256_loadu_ps(block);
    for (size_t r = 0; r < j->rows; r++, row += j->row_step) {
        ptrdiff_t column = x;
        for (size_t kx = 0; kx < s->kernel_w; kx++, w += 8, column += (ptrdiff_t)s->dilation_w) {
            /* 2. This tap's weights; 3. multiply, add, pixel by pixel. */
            const __m256 wv = _mm256_loadu_ps(w);
            OCT_UNROLLED
            for (ptrdiff_t i = 0; i < WIDE; i++) {
                if (i >= (ptrdiff_t)count || (border && (column + i * stride < 0 || column + i * stride >= width)))
                    continue;
                acc[i] = _mm256_fmadd_ps(_mm256_loadu_ps(row + (column + i * stride) * step), wv, acc[i]);
            }
        }
    }
}

/* All channels of `count` output pixels from ox on. */
OCT_INLINE void blocks_general(const general_row *j, size_t ox, ptrdiff_t x, size_t count, bool border)
{
    const float *block = j->packed;
    for (size_t b = 0; b < block_count(j->pixel); b++, block += j->block_step) {
        const size_t c = block_channel(j->pixel, b);
        __m256 acc[WIDE];
        tile_general(j, x, c, block, count, border, acc);
        /* 4. Epilogue. */
        store_pixels_f32(j->format, j->out, ox, c, acc, count);
    }
}

/* A row in sevens and ones. */
static void row_general(const general_row *j)
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

/* Output rows of all images. */
static void run_general(const oct_depthwise_job *job, size_t row_begin, size_t row_end)
{
    const oct_conv_shape *s = job->shape;
    const size_t row_elements = s->in_w * s->in_c;
    const pixel_format format = pixel_format_of(&job->e);
    for (size_t row = row_begin; row < row_end; row++) {
        const kernel_rows inside = kernel_rows_inside(s, row % s->out_h);
        const float *image = (const float *)job->in + row / s->out_h * s->in_h * row_elements;
        const general_row j = {.shape = s, .row = image + inside.first_y * row_elements, .rows = inside.count,
                               .row_step = s->dilation_h * row_elements, .pixel = s->in_c, .width = s->in_w, .packed = job->packed,
                               .w_offset = 8 + inside.first * s->kernel_w * 8, .block_step = block_bytes(s) / sizeof(float),
                               .format = &format, .out = pixel_at(&job->e, row * s->out_w, 0)};
        row_general(&j);
    }
}

/* --------------------------------------------------------------------------------------------- entries ---- */

void oct_depthwise_f32_3x3s1_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    (void)scratch;
    run_square(job, row_begin, row_end, row_3x3s1);
}

void oct_depthwise_f32_3x3s2_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    (void)scratch;
    run_square(job, row_begin, row_end, row_3x3s2);
}

void oct_depthwise_f32_5x5s1_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    (void)scratch;
    run_square(job, row_begin, row_end, row_5x5s1);
}

void oct_depthwise_f32_5x5s2_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    (void)scratch;
    run_square(job, row_begin, row_end, row_5x5s2);
}

void oct_depthwise_f32_general_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    (void)scratch;
    run_general(job, row_begin, row_end);
}

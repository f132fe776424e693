/* depthwise_sweep_neon.h - how the 3x3 (and 5x5) depthwise kernels go over an image.
 *
 * A sweep is one block of channels of one or two output rows, from left to right. Its kernel keeps weights and a window of the
 * columns in registers, so that every input is loaded once per sweep:
 *
 *          x ->                                 for each row (pair):
 *   y   |     o o o o o o        |                  for each segment of columns:              its input rows fit in L1
 *   |   |     o o o o o o        |                      for each block of channels: sweep     neighbours share cache lines
 *   v   |     segment            |
 *
 * Blocks: if the last one is not full it is moved back, so that it ends with the last channel: the channels it shares with its
 * neighbour are computed twice, with the same result.     C = 20, blocks of 8:  0..7, 8..15, 12..19
 *
 * Rows outside the image point at a line of padding in the scratch memory. Columns outside are the kernel's care. If a row pair
 * has lost its second row, both outputs go to the same place, the unwanted one first. */
#ifndef OCT_DEPTHWISE_SWEEP_NEON_H
#define OCT_DEPTHWISE_SWEEP_NEON_H

#include <string.h>

#include "kernels.h"

enum { SWEEP_ROWS = 2, SWEEP_IN_ROWS = 7, SEGMENT_BYTES = 24 * 1024, SEGMENT_LEAST = 12 };

typedef struct sweep {
    const char *in[SWEEP_IN_ROWS];  /* the block's first channel in column 0 of each input row */
    char *out[SWEEP_ROWS];          /* the block's first channel of the first output of each row; written in the order 1, 0 */
    ptrdiff_t x;                    /* input column of the first output's first tap; may lie outside */
    size_t count;                   /* outputs per row, at least 1 */
    size_t in_w, pixel, out_pixel;  /* input columns; bytes from one column to the next */
    const void *packed;             /* of this block */
    const char *padding;            /* what a pixel outside the image holds, a whole line of them */
    const oct_epilogue *e;
} sweep;

/* What a kernel asks for. */
typedef struct sweep_form {
    size_t kernel, stride;
    size_t rows;                    /* output rows per sweep, 1 or 2 */
    size_t channels;                /* per block; no less may exist */
    size_t elem;                    /* bytes per input element */
    size_t block_bytes;             /* packed, per block */
    void (*fn)(const sweep *s);
} sweep_form;

static inline bool sweep_accepts(const oct_conv_shape *s, const sweep_form *f)
{
    return s->groups == s->in_c && s->out_c == s->in_c && s->in_c >= f->channels && s->kernel_h == f->kernel &&
           s->kernel_w == f->kernel && s->stride_h == f->stride && s->stride_w == f->stride && s->dilation_h == 1 &&
           s->dilation_w == 1;
}

static inline size_t sweep_blocks(size_t channels, const sweep_form *f) { return (channels + f->channels - 1) / f->channels; }
static inline size_t sweep_block_at(size_t channels, size_t block, const sweep_form *f)
{
    return (block + 1) * f->channels <= channels ? block * f->channels : channels - f->channels;
}

static inline size_t sweep_packed_bytes(const oct_conv_shape *s, const sweep_form *f)
{
    return sweep_blocks(s->in_c, f) * f->block_bytes;
}

/* The line of padding. */
static inline size_t sweep_scratch_bytes(const oct_conv_shape *s, const sweep_form *f) { return s->in_w * s->in_c * f->elem; }

/* The columns [begin, begin + s->count) of the outputs at s->out, all blocks. rows: the input rows, column 0, channel 0. */
static inline void sweep_segment(sweep *s, const oct_depthwise_job *job, const char *const rows[], char *const out[], size_t begin,
                                 const sweep_form *f)
{
    const size_t channels = job->shape->in_c, out_elem = s->out_pixel / job->e.out_ld;
    s->x = (ptrdiff_t)(begin * f->stride) - (ptrdiff_t)job->shape->pad_left;
    s->packed = job->packed;
    for (size_t b = 0; b < sweep_blocks(channels, f); b++) {
        const size_t c = sweep_block_at(channels, b, f);
        for (size_t i = 0; i < (f->rows - 1) * f->stride + f->kernel; i++)
            s->in[i] = rows[i] + c * f->elem;
        for (size_t r = 0; r < SWEEP_ROWS; r++)
            s->out[r] = out[r] + begin * s->out_pixel + c * out_elem;
        f->fn(s);
        s->packed = (const char *)s->packed + f->block_bytes;
    }
}

/* Outputs [0, out_w) of the row pair (or row) that starts with line y of an image. */
static inline void sweep_row(sweep *s, const oct_depthwise_job *job, const char *image, size_t y, char *const out[],
                             const sweep_form *f)
{
    const oct_conv_shape *shape = job->shape;
    const size_t row_bytes = shape->in_w * shape->in_c * f->elem, in_rows = (f->rows - 1) * f->stride + f->kernel;
    const char *rows[SWEEP_IN_ROWS];
    for (size_t i = 0; i < in_rows; i++) {
        const size_t in_y = y * f->stride + i - shape->pad_top;     /* above the image it wraps to a huge number */
        rows[i] = in_y < shape->in_h ? image + in_y * row_bytes : s->padding;
    }
    size_t most = SEGMENT_BYTES / (in_rows * f->stride * shape->in_c * f->elem);
    most = most < SEGMENT_LEAST ? SEGMENT_LEAST : most;
    for (size_t begin = 0; begin < shape->out_w; begin += s->count) {
        const size_t left = shape->out_w - begin;
        s->count = left < most + SEGMENT_LEAST / 2 ? left : most;
        sweep_segment(s, job, rows, out, begin, f);
    }
}

/* Output rows [row, row_end) of all images. */
static inline void sweep_rows(const oct_depthwise_job *job, size_t row, size_t row_end, void *scratch, const sweep_form *f)
{
    const oct_conv_shape *shape = job->shape;
    const size_t out_elem = job->e.out_elem == OCT_ELEM_F32 ? sizeof(float) : 1;
    sweep s = {.in_w = shape->in_w,
               .pixel = shape->in_c * f->elem,
               .out_pixel = job->e.out_ld * out_elem,
               .padding = scratch,
               .e = &job->e};
    memset(scratch, f->elem == 1 ? job->in_zero : 0, sweep_scratch_bytes(shape, f));
    for (size_t next; row < row_end; row = next) {
        const size_t y = row % shape->out_h, left = row_end - row < shape->out_h - y ? row_end - row : shape->out_h - y;
        next = row + (left < f->rows ? left : f->rows);
        const char *image = (const char *)job->in + row / shape->out_h * shape->in_h * shape->in_w * s.pixel;
        char *const first = (char *)job->e.out + row * shape->out_w * s.out_pixel;
        char *const out[SWEEP_ROWS] = {first, next - row == 2 ? first + shape->out_w * s.out_pixel : first};
        sweep_row(&s, job, image, y, out, f);
    }
}

#endif

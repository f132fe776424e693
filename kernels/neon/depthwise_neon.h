/* depthwise_neon.h - where a depthwise window lies, for both precisions.
 *
 *   one output row:   | left: some kx outside | middle: all kx inside, four pixels at a time | right |
 */
#ifndef OCT_DEPTHWISE_NEON_H
#define OCT_DEPTHWISE_NEON_H

#include "kernels.h"

/* Taps [begin, end) of one axis whose position start + tap * dilation lies in [0, size). */
typedef struct tap_range {
    size_t begin, end;
} tap_range;

static inline tap_range inside(ptrdiff_t start, size_t taps, size_t dilation, size_t size)
{
    tap_range t = {0, taps};
    while (t.begin < taps && start + (ptrdiff_t)(t.begin * dilation) < 0)
        t.begin++;
    while (t.end > t.begin && start + (ptrdiff_t)((t.end - 1) * dilation) >= (ptrdiff_t)size)
        t.end--;
    return t;
}

static inline bool whole(tap_range t, size_t taps) { return t.begin == 0 && t.end == taps; }

static inline bool accepts_multiplier_1(const oct_conv_shape *s) { return s->out_c == s->in_c; }
static inline size_t no_scratch(const oct_conv_shape *s)
{
    (void)s;
    return 0;
}
/* Channels rounded up to whole vectors of 8. */
static inline size_t padded_channels(const oct_conv_shape *s) { return (s->out_c + 7) / 8 * 8; }

/* Where a group of neighbouring output pixels reads: the first tap of the first pixel (may lie outside the image), and the taps
 * of that pixel that lie inside. */
typedef struct window {
    const void *image;
    ptrdiff_t y, x;
    tap_range ky, kx;
} window;

enum { PIXELS = 4, VECTORS = 2, CHANNELS = 8 };

/* Computes `pixels` (1 or PIXELS) neighbouring output pixels, channels c .. c + n - 1 (n <= CHANNELS; CHANNELS for several
 * pixels, whose taps then all lie inside in x). e->out is the first pixel's first channel. */
typedef void block_fn(const oct_depthwise_job *job, const window *at, size_t c, size_t n, const oct_epilogue *e, size_t pixels);

static inline oct_epilogue out_at(const oct_epilogue *e, size_t pixel)
{
    oct_epilogue at = *e;
    at.out = (char *)e->out + pixel * e->out_ld * (e->out_elem == OCT_ELEM_F32 ? sizeof(float) : 1);
    return at;
}

/* One output pixel, or four where four fit and reach no border. Returns how many. */
static inline size_t depthwise_pixels(const oct_depthwise_job *job, window at, size_t pixel, size_t left, block_fn *block)
{
    const oct_conv_shape *s = job->shape;
    const size_t full = s->out_c / CHANNELS * CHANNELS;
    at.kx = inside(at.x, s->kernel_w, s->dilation_w, s->in_w);
    const tap_range last = inside(at.x + (ptrdiff_t)((PIXELS - 1) * s->stride_w), s->kernel_w, s->dilation_w, s->in_w);
    const size_t pixels = left >= PIXELS && whole(at.kx, s->kernel_w) && whole(last, s->kernel_w) ? PIXELS : 1;
    const oct_epilogue e = out_at(&job->e, pixel);
    for (size_t c = 0; c < full; c += CHANNELS)
        block(job, &at, c, CHANNELS, &e, pixels);
    for (size_t p = 0; full < s->out_c && p < pixels; p++) {
        const oct_epilogue e1 = out_at(&e, p);
        window one = at;
        one.x += (ptrdiff_t)(p * s->stride_w);
        block(job, &one, full, s->out_c - full, &e1, 1);
    }
    return pixels;
}

static inline void depthwise_rows(const oct_depthwise_job *job, size_t row_begin, size_t row_end, size_t elem_size, block_fn *block)
{
    const oct_conv_shape *s = job->shape;
    for (size_t r = row_begin; r < row_end; r++) {
        window at = {.image = (const char *)job->in + r / s->out_h * s->in_h * s->in_w * s->in_c * elem_size,
                     .y = (ptrdiff_t)(r % s->out_h * s->stride_h) - (ptrdiff_t)s->pad_top};
        at.ky = inside(at.y, s->kernel_h, s->dilation_h, s->in_h);
        for (size_t ox = 0; ox < s->out_w;) {
            at.x = (ptrdiff_t)(ox * s->stride_w) - (ptrdiff_t)s->pad_left;
            ox += depthwise_pixels(job, at, r * s->out_w + ox, s->out_w - ox, block);
        }
    }
}

#endif

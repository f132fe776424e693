/* pool.c - the loops round the pooling kernels (pool.h): which pixels a window covers, and by what a sum is divided.
 *
 * One row of output at a time: its windows' pointers and divisors are written to scratch memory, then the kernel runs over them.
 *
 *   scratch:  | pointers: pixel 0: tap 0, tap 1, .. | pixel 1: .. | ..  || mult: pixel 0 | pixel 1 | .. |
 */
#include "pool.h"

/* One axis, kernel 3, stride 2, padded by 1 on both sides, ceil mode:
 *
 *   place     -1 | 0  1  2  3  4  5 | 6 | 7            in = 6: 0..5; padded_end = 7
 *   window 0   p   x  x                                start -1
 *   window 3                   x    p   h              start 5: p counts with count_include_pad, h (hanging over) never does
 *
 * The part of a window along one axis; positions are pos = start + i * dilation, i < kernel. */
typedef struct span {
    ptrdiff_t start;
    size_t kernel, dilation, in;
    size_t padded_end;          /* positions from here on hang over the padded edge (ceil mode) */
} span;

/* The windows of output row oy and output column ox. Places can be negative, hence signed arithmetic: sizes are far below 2^63. */
static span span_y(const oct_pool_window *w, size_t oy)
{
    return (span){(ptrdiff_t)(oy * w->stride_h) - (ptrdiff_t)w->pad_top, w->kernel_h, w->dilation_h, w->in_h,
                  w->in_h + w->pad_bottom};
}

static span span_x(const oct_pool_window *w, size_t ox)
{
    return (span){(ptrdiff_t)(ox * w->stride_w) - (ptrdiff_t)w->pad_left, w->kernel_w, w->dilation_w, w->in_w,
                  w->in_w + w->pad_right};
}

/* Where tap i lies, and whether that is in the image. */
static ptrdiff_t position(const span *s, size_t i) { return s->start + (ptrdiff_t)(i * s->dilation); }
static bool inside(const span *s, size_t i) { return position(s, i) >= 0 && position(s, i) < (ptrdiff_t)s->in; }

/* Taps that count in an average along one axis. */
static size_t counted(const span *s, bool include_pad)
{
    size_t count = 0;
    for (size_t i = 0; i < s->kernel; i++)
        count += include_pad ? position(s, i) < (ptrdiff_t)s->padded_end : inside(s, i);
    return count;
}

/* Where a max pool reads for tap i: its own place, or for a padded tap the window's first tap inside the image, which changes no
 * maximum. A window that touches the image nowhere (dilation jumping over it) has no maximum; it takes the nearest pixel. */
static size_t clamped(const span *s, size_t i)
{
    if (inside(s, i))
        return (size_t)position(s, i);
    for (size_t j = 0; j < s->kernel; j++)
        if (inside(s, j))
            return (size_t)position(s, j);
    return position(s, 0) < 0 ? 0 : s->in - 1;
}

/* The pointers of one window. `image`: the batch item's first pixel. */
static const void **window_taps(const oct_pool_args *args, const char *image, const span *y, const span *x, const void **taps)
{
    const size_t pixel_bytes = args->window.c * (args->u8 ? 1 : sizeof(float));
    for (size_t ky = 0; ky < y->kernel; ky++) {
        for (size_t kx = 0; kx < x->kernel; kx++) {
            if (args->average && !(inside(y, ky) && inside(x, kx)))
                *taps++ = args->padding;
            else
                *taps++ = image + (clamped(y, ky) * x->in + clamped(x, kx)) * pixel_bytes;
        }
    }
    return taps;
}

/* What the sum of a window is multiplied by. A window over nothing but padding that does not count is 0. */
static float window_mult(const oct_pool_args *args, const span *y, const span *x)
{
    const bool include = args->window.count_include_pad;
    const size_t count = counted(y, include) * counted(x, include);
    return count ? args->scale_ratio / (float)count : 0.0f;
}

/* Pointers first: they need the stricter alignment. */
size_t oct_pool_scratch_bytes(const oct_pool_window *w)
{
    return w->out_w * (w->kernel_h * w->kernel_w * sizeof(void *) + sizeof(float));
}

/* The one place that knows the four kernels. */
static void run_kernel(const oct_pool_args *args, const oct_pool_job *job)
{
    const oct_kernels *k = args->kernels;
    if (args->average)
        (args->u8 ? k->average_pool_u8 : k->average_pool_f32)(job);
    else
        (args->u8 ? k->max_pool_u8 : k->max_pool_f32)(job);
}

void oct_pool_run_rows(const oct_pool_args *args, size_t row_begin, size_t row_end, void *scratch)
{
    const oct_pool_window *w = &args->window;
    const size_t elem = args->u8 ? 1 : sizeof(float), taps = w->kernel_h * w->kernel_w;
    const void **pointers = scratch;
    float *mult = (float *)(void *)(pointers + w->out_w * taps);
    for (size_t row = row_begin; row < row_end; row++) {
        const char *image = (const char *)args->in + row / w->out_h * w->in_h * w->in_w * w->c * elem;
        /* A row's windows share their vertical span. */
        const span y = span_y(w, row % w->out_h);
        const void **next = pointers;
        for (size_t ox = 0; ox < w->out_w; ox++) {
            const span x = span_x(w, ox);
            next = window_taps(args, image, &y, &x, next);
            mult[ox] = window_mult(args, &y, &x);
        }
        const oct_pool_job job = {
            .pixels = w->out_w, .taps = taps, .c = w->c, .a = pointers, .out = (char *)args->out + row * w->out_w * w->c * elem,
            .out_ld = w->c, .mult = mult, .in_zero = args->in_zero, .out_zero = args->out_zero, .lo = args->lo, .hi = args->hi,
            .qlo = args->qlo, .qhi = args->qhi};
        run_kernel(args, &job);
    }
}

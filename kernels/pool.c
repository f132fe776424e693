/* pool.c - the loops round the pooling kernels (pool.h): which pixels a window covers, and by what a sum is divided.
 *
 * One row of output at a time. Taps outside the image are left out: they change no maximum, and no sum either (a padded byte is a
 * zero point, which the kernel would take off again). So the windows of a row differ at its ends only:
 *
 *   | p0 | p1 | p2 ............ p53 | p54 | p55 |         inner pixels: one call, one set of pointers, which moves along
 *     left        inner                  right            the others: a call each, with the pointers that are left
 *
 *   scratch:  | pointers of one window || mult: pixel 0 | pixel 1 | .. |
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

/* The places of a window inside the image along one axis: first, first + dilation, ... */
typedef struct reach {
    size_t first, count;
} reach;

static reach reach_of(const span *s)
{
    reach r = {0, 0};
    for (size_t i = 0; i < s->kernel; i++)
        if (inside(s, i) && r.count++ == 0)
            r.first = (size_t)position(s, i);
    return r;
}

/* A window that touches the image nowhere (dilation jumping over it) has no maximum; it takes the nearest pixel. */
static reach nearest(const span *s) { return (reach){position(s, 0) < 0 ? 0 : s->in - 1, 1}; }

/* The pointers of one window; returns how many. `image`: the batch item's first pixel. */
static size_t window_taps(const oct_pool_args *args, const char *image, reach y, reach x, const void **taps)
{
    const oct_pool_window *w = &args->window;
    const size_t pixel_bytes = w->c * (args->u8 ? 1 : sizeof(float));
    for (size_t ky = 0; ky < y.count; ky++)
        for (size_t kx = 0; kx < x.count; kx++)
            *taps++ = image + ((y.first + ky * w->dilation_h) * w->in_w + x.first + kx * w->dilation_w) * pixel_bytes;
    return x.count * y.count;
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
    return w->kernel_h * w->kernel_w * sizeof(void *) + w->out_w * sizeof(float);
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

/* One row of output on its way: what its windows share. */
typedef struct row {
    const oct_pool_args *args;
    const char *image;
    char *out;
    span y;
    reach rows;
    const void **taps;
    float *mult;
} row;

/* Output pixels [begin, end), whose windows cover as many columns each, by one call. */
static void run_pixels(const row *r, size_t begin, size_t end)
{
    const oct_pool_args *args = r->args;
    const oct_pool_window *w = &args->window;
    const span x = span_x(w, begin);
    reach rows = r->rows, columns = reach_of(&x);
    if (!args->average) {
        rows = rows.count ? rows : nearest(&r->y);
        columns = columns.count ? columns : nearest(&x);
    }
    oct_pool_job job = {.pixels = end - begin, .c = w->c, .a = r->taps, .out_ld = args->out_ld, .mult = r->mult + begin,
                        .in_zero = args->in_zero, .out_zero = args->out_zero, .lo = args->lo, .hi = args->hi, .qlo = args->qlo,
                        .qhi = args->qhi};
    job.out = r->out + begin * args->out_ld * (args->u8 ? 1 : sizeof(float));
    job.taps = window_taps(args, r->image, rows, columns, r->taps);
    if (job.taps == 0) {
        /* An average over nothing: one tap of zeros. */
        job.taps = 1;
        r->taps[0] = args->padding;
    } else if (job.pixels > 1) {
        job.a_step = w->stride_w * w->c;
        job.slide = w->stride_w == w->dilation_w ? columns.count : 0;
    }
    run_kernel(args, &job);
}

/* The pixels whose windows lie inside the image from the first column to the last; empty if there is none. */
static void inner_pixels(const oct_pool_window *w, size_t *begin, size_t *end)
{
    const size_t breadth = (w->kernel_w - 1) * w->dilation_w;
    *begin = (w->pad_left + w->stride_w - 1) / w->stride_w;
    *end = w->in_w + w->pad_left > breadth ? (w->in_w + w->pad_left - breadth - 1) / w->stride_w + 1 : 0;
    if (*end > w->out_w)
        *end = w->out_w;
    if (*begin >= *end)
        *begin = *end = w->out_w;
}

void oct_pool_run_rows(const oct_pool_args *args, size_t row_begin, size_t row_end, void *scratch)
{
    const oct_pool_window *w = &args->window;
    const size_t elem = args->u8 ? 1 : sizeof(float);
    size_t inner_begin, inner_end;
    inner_pixels(w, &inner_begin, &inner_end);
    for (size_t oy = row_begin; oy < row_end; oy++) {
        const span y = span_y(w, oy % w->out_h);
        row r = {args, (const char *)args->in + oy / w->out_h * w->in_h * w->in_w * w->c * elem,
                 (char *)args->out + oy * w->out_w * args->out_ld * elem, y, reach_of(&y), scratch, NULL};
        r.mult = (float *)(void *)(r.taps + w->kernel_h * w->kernel_w);
        for (size_t ox = 0; args->average && ox < w->out_w; ox++) {
            const span x = span_x(w, ox);
            r.mult[ox] = ox > inner_begin && ox < inner_end ? r.mult[inner_begin] : window_mult(args, &y, &x);
        }
        /* Left, inner, right. Rows without a pixel of the image have no inner windows to share pointers to. */
        const bool shared = r.rows.count > 0 && inner_begin < inner_end;
        for (size_t ox = 0; ox < (shared ? inner_begin : w->out_w); ox++)
            run_pixels(&r, ox, ox + 1);
        if (shared)
            run_pixels(&r, inner_begin, inner_end);
        for (size_t ox = inner_end; shared && ox < w->out_w; ox++)
            run_pixels(&r, ox, ox + 1);
    }
}

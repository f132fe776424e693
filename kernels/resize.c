/* resize.c - the loops round the resizing kernels (resize.h).
 *
 *   output row oy  <-  input rows y[oy].first, y[oy].second         pixel ox of it  <-  pixels x[ox].first, x[ox].second of these
 *
 * The taps of both axes are made once, so a row needs no arithmetic but that of its pixels.
 */
#include "resize.h"

#include <string.h>

/* An enlarged picture repeats rows: the one just written is still in the cache, so it is copied as a whole. */
static void nearest_row(const oct_resize_args *args, size_t pixel, const char *image, size_t oy, char *out, const char *before)
{
    if (before && args->y[oy].first == args->y[oy - 1].first)
        memcpy(out, before, args->out_w * pixel);
    else
        args->kernels->gather_pixels(args->out_w, pixel, image + args->y[oy].first * args->in_w * pixel, args->x, out);
}

static void linear_row(const oct_resize_args *args, size_t pixel, const char *image, size_t oy, char *out)
{
    const oct_resize_tap *y = &args->y[oy];
    const oct_resize_job job = {
        .pixels = args->out_w, .c = args->c, .row0 = image + y->first * args->in_w * pixel,
        .row1 = image + y->second * args->in_w * pixel, .x = args->x, .weight = y->weight, .weight_q14 = y->weight_q14, .out = out};
    (args->u8 ? args->kernels->resize_linear_u8 : args->kernels->resize_linear_f32)(&job);
}

void oct_resize_run_rows(const oct_resize_args *args, size_t row_begin, size_t row_end)
{
    const size_t pixel = args->c * (args->u8 ? 1 : sizeof(float)), out_row = args->out_w * pixel;
    for (size_t row = row_begin; row < row_end; row++) {
        const size_t oy = row % args->out_h;
        const char *image = (const char *)args->in + row / args->out_h * args->in_h * args->in_w * pixel;
        char *out = (char *)args->out + row * out_row;
        if (args->linear)
            linear_row(args, pixel, image, oy, out);
        else     /* a thread's first row has no row before it that is sure to be written */
            nearest_row(args, pixel, image, oy, out, row > row_begin && oy > 0 ? out - out_row : NULL);
    }
}

/* Resizing pictures: where every output row and column comes from is computed once, here; the rest are the loops of
 * kernels/resize.h. A unit is an output row. */
#include "resize.h"

#include <math.h>
#include <stdio.h>

#include "grain.h"
#include "ops_table.h"
#include "status.h"

/* One axis. */
typedef struct axis {
    int32_t mode, place, round;
    double in, out, scale;
    bool by_size;      /* the scale is out / in */
} axis;

/* o / scale. By size the division comes last: what is half way between two pixels then is so exactly. A given scale is a number
 * rounded to f32; rounding the quotient too leads back to what was meant: 4 / 0.8 is 5, not 4.99999993. */
static double scaled(const axis *a, double o) { return a->by_size ? o * a->in / a->out : (double)(float)(o / a->scale); }

/* Place `o` of the output on the input's axis (graph.h). */
static double place_of(const axis *a, double o)
{
    const double middle = scaled(a, o + 0.5), length = a->in * a->scale;
    switch (a->place) {
    case OCT_PLACE_ASYMMETRIC: return scaled(a, o);
    case OCT_PLACE_ALIGN_CORNERS: return o == 0 || length == 1 ? 0 : o * (a->in - 1) / (length - 1);
    case OCT_PLACE_PYTORCH_HALF_PIXEL: return a->out > 1 ? middle - 0.5 : 0;
    case OCT_PLACE_HALF_PIXEL_SYMMETRIC: return scaled(a, o + 0.5 - a->out / 2) + (a->in - 1) / 2;
    case OCT_PLACE_HALF_PIXEL_FOR_NN: return middle;
    default: return middle - 0.5;
    }
}

static double rounded(int32_t round, double x)
{
    switch (round) {
    case OCT_ROUND_HALF_UP: return floor(x + 0.5);
    case OCT_ROUND_FLOOR: return floor(x);
    case OCT_ROUND_CEIL: return ceil(x);
    default: return ceil(x - 0.5);
    }
}

/* Clamped as a floating-point number: a tiny scale makes places that fit no integer. */
static size_t clamped(double x, double in) { return x > 0 ? x < in - 1 ? (size_t)x : (size_t)(in - 1) : 0; }

/* A neighbour that counts nothing is not read: there may be none, and an infinity in it times 0 would be a NaN. */
static oct_resize_tap tap_of(const axis *a, size_t o)
{
    const double x = place_of(a, (double)o);
    oct_resize_tap tap = {0};
    if (a->mode == OCT_RESIZE_NEAREST) {
        tap.first = tap.second = clamped(rounded(a->round, x), a->in);
        return tap;
    }
    const double inside = x > 0 ? x < a->in - 1 ? x : a->in - 1 : 0, fraction = inside - floor(inside);
    tap.first = (size_t)floor(inside);
    tap.second = tap.first + (fraction > 0 ? 1 : 0);
    tap.weight = (float)fraction;
    tap.weight_q14 = (int32_t)floor(fraction * 16384 + 0.5);
    return tap;
}

/* Axis 0 is the height, 1 the width. */
static oct_status make_taps(const oct_setup *setup, const oct_step *step, int i, const oct_resize_tap **made)
{
    oct_status status;
    const oct_resize_attrs *attrs = &step->node->attrs.resize;
    axis a = {.mode = attrs->mode, .place = attrs->place, .round = attrs->round, .scale = (double)attrs->scale[i]};
    a.in = (double)oct_input_of(setup, step, 0)->shape.dims[1 + i];
    a.out = (double)attrs->size[i];
    a.by_size = attrs->scale[i] == 0;
    if (a.by_size)
        a.scale = a.out / a.in;
    oct_resize_tap *taps = oct_step_keep(setup, (size_t)attrs->size[i], sizeof *taps, &status);
    for (size_t o = 0; taps && o < (size_t)attrs->size[i]; o++)
        taps[o] = tap_of(&a, o);
    *made = taps;
    return status;
}

static oct_status prepare_resize(const oct_setup *setup, oct_step *step)
{
    oct_status status;
    const oct_value *in = oct_input_of(setup, step, 0), *out = oct_output_of(setup, step);
    const oct_shape *x = &in->shape, *y = &out->shape;
    OCT_TRY(oct_same_type(setup, step));
    OCT_TRY(oct_same_scale(setup, step));
    oct_resize_args *args = oct_step_keep(setup, 1, sizeof *args, &status);
    OCT_TRY(status);
    *args = (oct_resize_args){.kernels = setup->kernels,
                              .linear = step->node->attrs.resize.mode == OCT_RESIZE_LINEAR,
                              .u8 = in->dtype == OCT_U8,
                              .in_h = (size_t)x->dims[1],
                              .in_w = (size_t)x->dims[2],
                              .c = (size_t)x->dims[3],
                              .out_h = (size_t)y->dims[1],
                              .out_w = (size_t)y->dims[2]};
    OCT_TRY(make_taps(setup, step, 0, &args->y));
    OCT_TRY(make_taps(setup, step, 1, &args->x));
    step->state = args;
    step->algo = args->linear ? "linear" : "nearest";
    snprintf(step->kernel, sizeof step->kernel, "%s%s %s", args->linear ? "resize_linear_" : "gather_pixels",
             args->linear ? args->u8 ? "u8" : "f32" : "", setup->kernels->isa);
    const double bytes = (double)oct_value_bytes(out);
    oct_step_share(step, (size_t)x->dims[0] * args->out_h, oct_move_time(args->linear ? args->u8 ? 2 * bytes : bytes : bytes / 2));
    return OCT_OK;
}

static oct_status bind_resize(oct_step *step)
{
    oct_resize_args *args = step->state;
    args->in = step->in[0];
    args->out = step->out;
    return OCT_OK;
}

static void work_resize(void *arg, size_t begin, size_t end, int thread)
{
    const oct_step *step = arg;
    (void)thread;
    oct_resize_run_rows(step->state, begin, end);
}

const oct_runtime_op oct_run_resize = {
    .op = OCT_OP_RESIZE, .prepare = prepare_resize, .bind = bind_resize, .work = work_resize};

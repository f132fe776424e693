/* Max and average pooling: the attributes become the window of kernels/pool.h. A unit is an output row.
 *
 *   max       u8 and f32 alike pick an element; the scale stays
 *   average   f32: sum * (1 / count)        u8: (sum - taps * z_in) * (s_in / s_out / count), rounded, + z_out
 *
 * count is the number of taps that count at the border: all, or those inside the picture (count_include_pad). Padded taps point
 * at `padding`, a pixel of real zeros, so that the kernel needs no conditions.
 */
#include "pool.h"

#include <stdio.h>
#include <string.h>

#include "activation.h"
#include "grain.h"
#include "memory.h"
#include "ops_table.h"
#include "prepack.h"
#include "status.h"

/* 255 * taps fits 32 bits. */
#define MAX_TAPS ((int64_t)1 << 23)

typedef struct pool_state {
    oct_pool_args args;
    size_t scratch_each;         /* per thread */
    const oct_function *rest;
} pool_state;

static size_t size_of(int64_t number) { return (size_t)number; }

/* The same numbers under the kernels' names. */
static oct_pool_window window_of(const oct_pool_attrs *a, const oct_shape *x, const oct_shape *y)
{
    return (oct_pool_window){
        .batch = size_of(x->dims[0]),
        .in_h = size_of(x->dims[1]),
        .in_w = size_of(x->dims[2]),
        .c = size_of(x->dims[3]),
        .out_h = size_of(y->dims[1]),
        .out_w = size_of(y->dims[2]),
        .kernel_h = size_of(a->kernel[0]),
        .kernel_w = size_of(a->kernel[1]),
        .stride_h = size_of(a->stride[0]),
        .stride_w = size_of(a->stride[1]),
        .dilation_h = size_of(a->dilation[0]),
        .dilation_w = size_of(a->dilation[1]),
        .pad_top = size_of(a->pad[0]),
        .pad_left = size_of(a->pad[1]),
        .pad_bottom = size_of(a->pad[2]),
        .pad_right = size_of(a->pad[3]),
        .count_include_pad = a->count_include_pad != 0,
    };
}

/* An average may change its scale and take a clamp; a maximum is one of its inputs, so it needs neither. */
static oct_status set_average(const oct_setup *setup, const oct_step *step, pool_state *s)
{
    oct_status status;
    oct_bounds bounds;
    const oct_value *in = oct_input_of(setup, step, 0), *out = oct_output_of(setup, step);
    oct_pool_args *args = &s->args;
    const double taps = (double)args->window.kernel_h * (double)args->window.kernel_w;
    OCT_TRY(oct_bounds_of(&step->node->act, args->u8, out->scale, out->zero_point, &bounds));
    s->rest = bounds.rest;
    args->lo = bounds.lo;
    args->hi = bounds.hi;
    args->qlo = bounds.qlo;
    args->qhi = bounds.qhi;
    args->scale_ratio = 1.0f;
    void *padding = oct_step_keep(setup, args->window.c, oct_dtype_size(in->dtype), &status);
    args->padding = padding;
    if (status != OCT_OK || !args->u8)
        return status;
    args->in_zero = in->zero_point;
    args->out_zero = out->zero_point;
    memset(padding, in->zero_point, args->window.c);
    return oct_scale_ratio((double)in->scale, (double)out->scale, taps, &args->scale_ratio);
}

/* The estimate: each input byte comes through memory once, and each tap costs a quarter of that, for it comes from L1. The window
 * is limited here because the sums of a u8 average must fit 32 bits. */
static oct_status prepare_pool(const oct_setup *setup, oct_step *step, bool average)
{
    oct_status status;
    const oct_value *in = oct_input_of(setup, step, 0), *out = oct_output_of(setup, step);
    const oct_pool_attrs *a = &step->node->attrs.pool;
    OCT_TRY(oct_same_type(setup, step));
    if ((int64_t)a->kernel[0] * a->kernel[1] >= MAX_TAPS)
        return oct_fail(OCT_ERR_UNSUPPORTED, "a window of %d x %d is too large", a->kernel[0], a->kernel[1]);
    pool_state *s = oct_step_keep(setup, 1, sizeof *s, &status);
    OCT_TRY(status);
    s->args = (oct_pool_args){.kernels = setup->kernels, .average = average, .u8 = in->dtype == OCT_U8, .qhi = 255};
    s->args.window = window_of(a, &in->shape, &out->shape);
    s->args.out_ld = s->args.window.c;
    OCT_TRY(average ? set_average(setup, step, s) : oct_same_scale(setup, step));
    s->scratch_each = oct_align_up(oct_pool_scratch_bytes(&s->args.window));
    step->state = s;
    step->scratch_bytes = s->scratch_each * (size_t)setup->threads;
    step->algo = "direct";
    snprintf(step->kernel, sizeof step->kernel, "%s_pool_%s %s", average ? "average" : "max", s->args.u8 ? "u8" : "f32",
             setup->kernels->isa);
    const double reads = (double)oct_value_bytes(out) * a->kernel[0] * a->kernel[1];
    oct_step_share(step, s->args.window.batch * s->args.window.out_h,
                   oct_move_time(reads) * 0.25 + oct_move_time((double)oct_value_bytes(in)));
    return OCT_OK;
}

static oct_status prepare_max(const oct_setup *setup, oct_step *step) { return prepare_pool(setup, step, false); }
static oct_status prepare_average(const oct_setup *setup, oct_step *step) { return prepare_pool(setup, step, true); }

/* Addresses live in the arguments, not in the step, because the loops belong to the kernels. */
static oct_status bind_pool(oct_step *step)
{
    pool_state *s = step->state;
    s->args.in = step->in[0];
    s->args.out = step->out;
    if (step->out_row)
        s->args.out_ld = step->out_row / (s->args.u8 ? 1 : sizeof(float));
    return OCT_OK;
}

/* Pointers and divisors of a row are rebuilt in each run: kept, they would take 8 bytes for every tap of every pixel. */
static void work_pool(void *arg, size_t begin, size_t end, int thread)
{
    const oct_step *step = arg;
    const pool_state *s = step->state;
    oct_pool_run_rows(&s->args, begin, end, (uint8_t *)step->scratch + (size_t)thread * s->scratch_each);
    for (size_t pixel = begin * s->args.window.out_w; s->rest && pixel < end * s->args.window.out_w; pixel++) {
        float *out = (float *)step->out + pixel * s->args.out_ld;
        oct_activate(s->args.kernels, s->rest, s->args.window.c, out, out);
    }
}

const oct_runtime_op oct_run_max_pool = {
    .op = OCT_OP_MAX_POOL, .prepare = prepare_max, .bind = bind_pool, .work = work_pool, .writes_rows = true};
const oct_runtime_op oct_run_average_pool = {
    .op = OCT_OP_AVERAGE_POOL, .prepare = prepare_average, .bind = bind_pool, .work = work_pool, .writes_rows = true};

/* Operators that move elements without looking at them: concat, reshape, transpose. */
#include <stdio.h>
#include <string.h>

#include "grain.h"
#include "ops_table.h"
#include "prepack.h"
#include "status.h"

/* ----------------------------------------------------------------------------------------------- concat ----
 * Along axis a the output is, for every index before a, one run of bytes from each input after the other. A unit is one such run.
 * Parts that their producers have written where they belong (plan.h) are left out. */

typedef struct concat_part {
    size_t input;                  /* the input's position */
    size_t bytes, offset;          /* of a run, and where it begins in the output's run */
    bool rescale;                  /* u8 with another scale than the output's */
    float mult;
    int32_t in_zero;
} concat_part;

typedef struct concat_state {
    const oct_kernels *kernels;
    size_t count;                  /* of parts that are copied */
    size_t runs, run_bytes, out_run;   /* the output's runs: how many, their bytes, and from one to the next */
    int32_t out_zero;
    concat_part *parts;
} concat_state;

/* Inputs with the output's own scale are copied; the quantizer tries to make that the rule. */
static oct_status prepare_part(const oct_value *in, const oct_value *out, concat_part *part)
{
    if (in->dtype != out->dtype)
        return oct_fail(OCT_ERR_UNSUPPORTED, "cannot join %s to %s", oct_dtype_name(in->dtype), oct_dtype_name(out->dtype));
    part->in_zero = in->zero_point;
    part->rescale = in->dtype == OCT_U8 && (in->scale != out->scale || in->zero_point != out->zero_point);
    return part->rescale ? oct_scale_ratio((double)in->scale, (double)out->scale, 1, &part->mult) : OCT_OK;
}

/* The parts of a run: where each input begins in it, and whether it must be rescaled on the way. */
static oct_status prepare_concat(const oct_setup *setup, oct_step *step)
{
    oct_status status;
    const oct_value *out = oct_output_of(setup, step);
    const int axis = step->node->attrs.axis.axis;
    concat_state *s = oct_step_keep(setup, 1, sizeof *s, &status);
    OCT_TRY(status);
    s->kernels = setup->kernels;
    s->count = (size_t)step->node->in_count;
    s->out_zero = out->zero_point;
    s->parts = oct_step_keep(setup, s->count, sizeof *s->parts, &status);
    OCT_TRY(status);
    for (size_t i = 0; i < s->count; i++) {
        const oct_value *in = oct_input_of(setup, step, (int)i);
        OCT_TRY(prepare_part(in, out, &s->parts[i]));
        s->parts[i].input = i;
        s->parts[i].offset = s->run_bytes;
        s->parts[i].bytes = (size_t)oct_shape_product(&in->shape, axis, in->shape.rank) * oct_dtype_size(in->dtype);
        s->run_bytes += s->parts[i].bytes;
    }
    step->state = s;
    s->runs = oct_value_bytes(out) / s->run_bytes;
    step->algo = "copy";
    return OCT_OK;
}

/* What lies in its place already is no part any more. */
static oct_status bind_concat(oct_step *step)
{
    concat_state *s = step->state;
    size_t count = 0, bytes = 0;
    for (size_t i = 0; i < s->count; i++) {
        if (step->in[i] == (uint8_t *)step->out + s->parts[i].offset)
            continue;
        bytes += s->parts[i].bytes * s->runs;
        s->parts[count++] = s->parts[i];
    }
    s->count = count;
    s->out_run = step->out_row ? step->out_row : s->run_bytes;
    step->bytes_moved = 2 * bytes;
    if (count == 0)
        step->algo = "in place";
    else
        oct_step_share(step, s->runs * count, oct_move_time(2.0 * (double)bytes));
    return OCT_OK;
}

static void work_concat(void *arg, size_t begin, size_t end, int thread)
{
    const oct_step *step = arg;
    const concat_state *s = step->state;
    (void)thread;
    for (size_t u = begin; u < end; u++) {
        const size_t run = u / s->count, i = u % s->count;
        const concat_part *part = &s->parts[i];
        const uint8_t *in = (const uint8_t *)step->in[part->input] + run * part->bytes;
        uint8_t *out = (uint8_t *)step->out + run * s->out_run + part->offset;
        if (part->rescale)
            s->kernels->requantize_u8(part->bytes, in, part->in_zero, part->mult, s->out_zero, out);
        else
            memcpy(out, in, part->bytes);
    }
}

const oct_runtime_op oct_run_concat = {
    .op = OCT_OP_CONCAT, .prepare = prepare_concat, .bind = bind_concat, .work = work_concat, .writes_rows = true};

/* ---------------------------------------------------------------------------------------------- reshape ---- */

/* No work at all: the plan gives the output its input's memory (OCT_SHARE_VIEW). */
static oct_status prepare_reshape(const oct_setup *setup, oct_step *step)
{
    step->algo = "none";
    return oct_same_scale(setup, step);
}

const oct_runtime_op oct_run_reshape = {.op = OCT_OP_RESHAPE, .sharing = OCT_SHARE_VIEW, .prepare = prepare_reshape};

/* -------------------------------------------------------------------------------------------- transpose ----
 * Output dimensions are merged where the input walks through them evenly. Then either the innermost output dimension is innermost
 * in the input too, and runs are copied; or it is not, and together with the dimension that is ("across") it forms a matrix to be
 * turned:
 *
 *        in:  [.. along ..][.. across]      rows = along, cols = across           NHWC -> NCHW: along = HW, across = C
 *        out: [.. across ..][.. along]
 *
 * All other dimensions are outer. A unit is a strip of STRIP steps of `across` under one outer index (or one run). */

#define STRIP 64

typedef struct transpose_state {
    void (*turn)(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld);
    int outer_rank;
    size_t outer[OCT_MAX_RANK], outer_in[OCT_MAX_RANK], outer_out[OCT_MAX_RANK];   /* sizes and strides, in elements */
    size_t elem, run;                             /* turn == NULL: elements of a run */
    size_t along, across, in_ld, out_ld, strips;  /* strips: units per outer index */
} transpose_state;

typedef struct axis {
    size_t size, in, out;    /* strides in elements */
} axis;

/* The output's dimensions, merged, outermost first. Those of size 1 are left out: they would stand between axes that are
 * neighbours in memory. A scalar becomes one axis of size 1. */
static int merge_axes(const oct_shape *x, const int32_t *perm, axis *axes)
{
    size_t strides[OCT_MAX_RANK], step = 1;
    int count = 0;
    for (int i = x->rank - 1; i >= 0; i--) {
        strides[i] = step;
        step *= (size_t)x->dims[i];
    }
    for (int i = 0; i < x->rank; i++) {
        const axis next = {.size = (size_t)x->dims[perm[i]], .in = strides[perm[i]]};
        if (next.size == 1)
            continue;
        if (count > 0 && axes[count - 1].in == next.in * next.size) {
            axes[count - 1].size *= next.size;
            axes[count - 1].in = next.in;
        } else {
            axes[count++] = next;
        }
    }
    if (count == 0)
        axes[count++] = (axis){.size = 1, .in = 1};
    step = 1;
    for (int i = count - 1; i >= 0; i--) {
        axes[i].out = step;
        step *= axes[i].size;
    }
    return count;
}

/* For element sizes that no kernel has: s64 constants. */
static void turn_any(size_t elem, size_t rows, size_t cols, const uint8_t *in, size_t in_ld, uint8_t *out, size_t out_ld)
{
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            memcpy(out + (c * out_ld + r) * elem, in + (r * in_ld + c) * elem, elem);
}

/* Exactly one axis has stride 1 in the input: merging has kept it, and only once. */
static void set_axes(transpose_state *s, const axis *axes, int count)
{
    const axis *last = &axes[count - 1];
    const bool runs = last->in == 1;
    s->run = runs ? last->size : 0;
    s->strips = 1;
    for (int i = 0; i < count - 1; i++) {
        if (!runs && axes[i].in == 1) {
            s->along = last->size;
            s->across = axes[i].size;
            s->in_ld = last->in;
            s->out_ld = axes[i].out;
            s->strips = (s->across + STRIP - 1) / STRIP;
            continue;
        }
        s->outer[s->outer_rank] = axes[i].size;
        s->outer_in[s->outer_rank] = axes[i].in;
        s->outer_out[s->outer_rank++] = axes[i].out;
    }
}

/* The strides jump about in memory, hence the factor in the estimated time. */
static oct_status prepare_transpose(const oct_setup *setup, oct_step *step)
{
    oct_status status;
    axis axes[OCT_MAX_RANK + 1];
    const oct_value *x = oct_input_of(setup, step, 0);
    OCT_TRY(oct_same_scale(setup, step));
    transpose_state *s = oct_step_keep(setup, 1, sizeof *s, &status);
    OCT_TRY(status);
    s->elem = oct_dtype_size(x->dtype);
    set_axes(s, axes, merge_axes(&x->shape, step->node->attrs.transpose.perm, axes));
    s->turn = s->elem == 4 ? setup->kernels->transpose_x32 : s->elem == 1 ? setup->kernels->transpose_x8 : NULL;
    size_t units = s->strips;
    for (int i = 0; i < s->outer_rank; i++)
        units *= s->outer[i];
    step->state = s;
    step->algo = s->run ? "copy" : "turn";
    if (!s->run && s->turn)
        snprintf(step->kernel, sizeof step->kernel, "transpose_x%d %s", s->elem == 4 ? 32 : 8, setup->kernels->isa);
    oct_step_share(step, units, oct_move_time(4.0 * (double)oct_value_bytes(x)));
    return OCT_OK;
}

/* The odometer gives both offsets at once; the strip then is a matrix with leading dimensions on both sides. */
static void transpose_unit(const oct_step *step, const transpose_state *s, size_t unit)
{
    size_t in = 0, out = 0, index = unit / s->strips;
    const size_t first = unit % s->strips * STRIP, left = s->across - first, cols = left < STRIP ? left : STRIP;
    for (int i = s->outer_rank - 1; i >= 0; i--) {
        in += index % s->outer[i] * s->outer_in[i];
        out += index % s->outer[i] * s->outer_out[i];
        index /= s->outer[i];
    }
    const uint8_t *from = (const uint8_t *)step->in[0] + (in + first) * s->elem;
    uint8_t *to = (uint8_t *)step->out + (out + first * s->out_ld) * s->elem;
    if (s->run)
        memcpy(to, from, s->run * s->elem);
    else if (s->turn)
        s->turn(s->along, cols, from, s->in_ld, to, s->out_ld);
    else
        turn_any(s->elem, s->along, cols, from, s->in_ld, to, s->out_ld);
}

static void work_transpose(void *arg, size_t begin, size_t end, int thread)
{
    const oct_step *step = arg;
    (void)thread;
    for (size_t u = begin; u < end; u++)
        transpose_unit(step, step->state, u);
}

const oct_runtime_op oct_run_transpose = {.op = OCT_OP_TRANSPOSE, .prepare = prepare_transpose, .work = work_transpose};

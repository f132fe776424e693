/* pad and slice: every output element is one input element, or the padding value. Both are described by one map per axis:
 *
 *   out[i0, i1, ..] = in[map0[i0], map1[i1], ..]     a negative entry: the padding value
 *
 *   pad 2 before, reflect, 4 elements:  2 1 0 1 2 3        slice 3:0:-1 of 4 elements:  3 2 1
 *
 * A unit is one output row (everything but the last axis fixed). */
#include <math.h>
#include <string.h>

#include "grain.h"
#include "ops_table.h"
#include "status.h"

#define OUTSIDE (-1)

typedef struct pick_state {
    int rank;
    size_t elem, cols;                        /* cols: elements of an output row */
    size_t dims[OCT_MAX_RANK];                /* of the output */
    size_t strides[OCT_MAX_RANK];             /* of the input, in elements */
    int64_t *map[OCT_MAX_RANK];
    size_t run_begin, run_end;                /* the longest stretch of the last axis whose map rises by one: copied as a whole */
    uint8_t fill[8];                          /* the padding value, as stored */
} pick_state;

/* ------------------------------------------------------------------------------------------------- maps ---- */

/* Mirrored at the first and last element, as often as it takes. */
static int64_t reflect(int64_t i, int64_t size)
{
    const int64_t period = 2 * (size - 1);
    if (period == 0)
        return 0;
    i = ((i % period) + period) % period;
    return i < size ? i : period - i;
}

/* Negative padding crops: then every index is inside, from another starting point. */
static int64_t padded_index(int64_t i, int64_t size, int32_t mode)
{
    if (i >= 0 && i < size)
        return i;
    if (mode == OCT_PAD_REFLECT)
        return reflect(i, size);
    if (mode == OCT_PAD_EDGE)
        return i < 0 ? 0 : size - 1;
    return OUTSIDE;
}

/* Where output index i of an axis comes from, in the input. */
static int64_t index_of(const oct_node *node, int axis, int64_t i, int64_t size)
{
    if (node->op == OCT_OP_SLICE)
        return node->attrs.slice.start[axis] + i * node->attrs.slice.step[axis];
    return padded_index(i - node->attrs.pad.before[axis], size, node->attrs.pad.mode);
}

/* Padding with a number, in the input's type. A quantized one is rounded to the nearest step. */
static oct_status set_fill(const oct_node *node, const oct_value *in, uint8_t *fill)
{
    const float value = node->op == OCT_OP_PAD ? node->attrs.pad.value : 0.0f;
    if (node->op == OCT_OP_SLICE || node->attrs.pad.mode != OCT_PAD_CONSTANT)
        return OCT_OK;
    if (in->dtype == OCT_F32) {
        memcpy(fill, &value, sizeof value);
    } else if (in->dtype == OCT_U8) {
        const double q = nearbyint((double)value / (double)in->scale) + in->zero_point;
        fill[0] = q > 0 ? q < 255 ? (uint8_t)q : 255 : 0;
    } else if (value != 0) {
        return oct_fail(OCT_ERR_UNSUPPORTED, "padding %s with %g", oct_dtype_name(in->dtype), (double)value);
    }
    return OCT_OK;
}

/* Nearly every pad and slice has one long run in its last axis; the loops for single elements see to the rest. */
static void find_run(pick_state *s, const int64_t *map)
{
    size_t begin = 0;
    for (size_t i = 1; i <= s->cols; i++) {
        if (i < s->cols && map[i] == map[i - 1] + 1 && map[i - 1] != OUTSIDE)
            continue;
        if (map[begin] != OUTSIDE && i - begin > s->run_end - s->run_begin) {
            s->run_begin = begin;
            s->run_end = i;
        }
        begin = i;
    }
}

/* The maps cost a few numbers per axis, not per element. They are checked here once, so that the rows need no bounds. */
static oct_status make_maps(const oct_setup *setup, const oct_step *step, pick_state *s)
{
    oct_status status;
    const oct_shape *x = &oct_input_of(setup, step, 0)->shape, *y = &oct_output_of(setup, step)->shape;
    size_t stride = 1;
    s->rank = y->rank;
    s->cols = 1;
    for (int a = y->rank - 1; a >= 0; a--) {
        s->dims[a] = (size_t)y->dims[a];
        s->strides[a] = stride;
        stride *= (size_t)x->dims[a];
        s->map[a] = oct_step_keep(setup, s->dims[a], sizeof *s->map[a], &status);
        OCT_TRY(status);
        for (int64_t i = 0; i < y->dims[a]; i++) {
            s->map[a][i] = index_of(step->node, a, i, x->dims[a]);
            if (s->map[a][i] != OUTSIDE && (s->map[a][i] < 0 || s->map[a][i] >= x->dims[a]))
                return oct_fail(OCT_ERR_FORMAT, "axis %d: it reads outside its input", a);
        }
    }
    if (s->rank > 0) {
        s->cols = s->dims[s->rank - 1];
        find_run(s, s->map[s->rank - 1]);
    }
    return OCT_OK;
}

/* Types other than u8 and f32 may pass through as well: elements are only moved. */
static oct_status prepare_pick(const oct_setup *setup, oct_step *step)
{
    oct_status status;
    const oct_value *in = oct_input_of(setup, step, 0), *out = oct_output_of(setup, step);
    OCT_TRY(oct_same_scale(setup, step));
    pick_state *s = oct_step_keep(setup, 1, sizeof *s, &status);
    OCT_TRY(status);
    s->elem = oct_dtype_size(in->dtype);
    OCT_TRY(set_fill(step->node, in, s->fill));
    OCT_TRY(make_maps(setup, step, s));
    step->state = s;
    step->algo = "copy";
    oct_step_share(step, (size_t)oct_shape_elements(&out->shape) / s->cols, oct_move_time(2.0 * (double)oct_value_bytes(out)));
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------------- rows ---- */

/* The input row under output row `row`, or NULL if it lies in the padding. */
static const uint8_t *source_row(const pick_state *s, const uint8_t *in, size_t row)
{
    size_t offset = 0;
    for (int a = s->rank - 2; a >= 0; a--) {
        const int64_t at = s->map[a][row % s->dims[a]];
        if (at == OUTSIDE)
            return NULL;
        offset += (size_t)at * s->strides[a];
        row /= s->dims[a];
    }
    return in + offset * s->elem;
}

/* One by one: borders, and steps other than 1. */
static void pick_elements(const pick_state *s, const uint8_t *in, uint8_t *out, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        const int64_t at = in && s->rank > 0 ? s->map[s->rank - 1][i] : OUTSIDE;
        memcpy(out + i * s->elem, at == OUTSIDE ? s->fill : in + (size_t)at * s->elem, s->elem);
    }
}

/* Left border, run, right border. A row outside the input is all border. */
static void pick_row(const pick_state *s, const uint8_t *in, uint8_t *out)
{
    if (s->rank == 0) {
        memcpy(out, in, s->elem);
        return;
    }
    if (!in || s->run_begin == s->run_end) {
        pick_elements(s, in, out, 0, s->cols);
        return;
    }
    pick_elements(s, in, out, 0, s->run_begin);
    memcpy(out + s->run_begin * s->elem, in + (size_t)s->map[s->rank - 1][s->run_begin] * s->elem,
           (s->run_end - s->run_begin) * s->elem);
    pick_elements(s, in, out, s->run_end, s->cols);
}

static void work_pick(void *arg, size_t begin, size_t end, int thread)
{
    const oct_step *step = arg;
    const pick_state *s = step->state;
    (void)thread;
    for (size_t row = begin; row < end; row++)
        pick_row(s, source_row(s, step->in[0], row), (uint8_t *)step->out + row * s->cols * s->elem);
}

const oct_runtime_op oct_run_pad = {.op = OCT_OP_PAD, .prepare = prepare_pick, .work = work_pick};
const oct_runtime_op oct_run_slice = {.op = OCT_OP_SLICE, .prepare = prepare_pick, .work = work_pick};

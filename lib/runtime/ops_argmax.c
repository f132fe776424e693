/* The place of the greatest (least) element along an axis, as a number: places are whole and exact in f32 up to 2^24.
 *
 *     in [outer][size][inner]  ->  out [outer][inner]
 *
 * Of equal elements the first counts, or the last. A NaN is passed over, unless it stands at the beginning. */
#include "grain.h"
#include "ops_table.h"
#include "status.h"

#define MOST_PLACES ((int64_t)1 << 24)

typedef struct argmax_state {
    size_t size, inner;
    bool least, last;
} argmax_state;

static oct_status prepare_argmax(const oct_setup *setup, oct_step *step)
{
    oct_status status;
    const oct_value *in = oct_input_of(setup, step, 0);
    const int axis = step->node->attrs.argmax.axis;
    if (in->shape.dims[axis] > MOST_PLACES)
        return oct_fail(OCT_ERR_UNSUPPORTED, "more than 2^24 elements along axis %d", axis);
    argmax_state *s = oct_step_keep(setup, 1, sizeof *s, &status);
    OCT_TRY(status);
    *s = (argmax_state){.size = (size_t)in->shape.dims[axis],
                        .inner = (size_t)oct_shape_product(&in->shape, axis + 1, in->shape.rank),
                        .least = step->node->attrs.argmax.least != 0, .last = step->node->attrs.argmax.last != 0};
    step->state = s;
    step->algo = "loops";
    oct_step_share(step, (size_t)oct_shape_elements(&oct_output_of(setup, step)->shape),
                   4 * oct_move_time((double)oct_value_bytes(in)));
    return OCT_OK;
}

/* One line of elements, s->inner apart. */
static size_t find_place(const argmax_state *s, const float *in)
{
    size_t best = 0;
    for (size_t i = 1; i < s->size; i++) {
        const float x = in[i * s->inner], y = in[best * s->inner];
        if ((s->least ? x < y : x > y) || (s->last && x == y))
            best = i;
    }
    return best;
}

static void work_argmax(void *arg, size_t begin, size_t end, int thread)
{
    const oct_step *step = arg;
    const argmax_state *s = step->state;
    (void)thread;
    for (size_t o = begin; o < end; o++) {
        const size_t outer = o / s->inner, inner = o % s->inner;
        ((float *)step->out)[o] = (float)find_place(s, (const float *)step->in[0] + outer * s->size * s->inner + inner);
    }
}

const oct_runtime_op oct_run_argmax = {.op = OCT_OP_ARGMAX, .prepare = prepare_argmax, .work = work_argmax};

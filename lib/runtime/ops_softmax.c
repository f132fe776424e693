/* Softmax and log-softmax over one axis. A unit is one line along the axis.
 *
 *   shape [outer, length, inner]: line (o, i) has its elements inner apart, from o * length * inner + i on
 *
 * With inner = 1, the usual case, lines are rows and go to the kernel as they lie; otherwise each is copied together first.
 */
#include <math.h>
#include <stdio.h>

#include "grain.h"
#include "memory.h"
#include "ops_table.h"
#include "status.h"

typedef struct softmax_state {
    const oct_kernels *kernels;
    size_t length, inner;      /* elements along the axis, and between neighbours on it */
    size_t line_bytes;         /* scratch per thread */
    bool log;
} softmax_state;

/* Only an axis that is not the last one needs a line of scratch memory per thread. */
static oct_status prepare_softmax(const oct_setup *setup, oct_step *step)
{
    oct_status status;
    const oct_shape *shape = &oct_input_of(setup, step, 0)->shape;
    const int axis = step->node->attrs.softmax.axis;
    OCT_TRY(oct_same_type(setup, step));
    if (oct_input_of(setup, step, 0)->dtype != OCT_F32)
        return oct_fail(OCT_ERR_UNSUPPORTED, "softmax of u8");
    softmax_state *s = oct_step_keep(setup, 1, sizeof *s, &status);
    OCT_TRY(status);
    s->kernels = setup->kernels;
    s->length = (size_t)shape->dims[axis];
    s->inner = (size_t)oct_shape_product(shape, axis + 1, shape->rank);
    s->log = step->node->attrs.softmax.log != 0;
    s->line_bytes = s->inner == 1 ? 0 : oct_align_up(s->length * sizeof(float));
    step->state = s;
    step->scratch_bytes = s->line_bytes * (size_t)setup->threads;
    step->algo = s->inner == 1 ? "rows" : "strided";
    if (!s->log)
        snprintf(step->kernel, sizeof step->kernel, "softmax_f32 %s", setup->kernels->isa);
    const size_t elements = (size_t)oct_shape_elements(shape);
    oct_step_share(step, elements / s->length, oct_function_time((double)elements));
    return OCT_OK;
}

/* x - max - log(sum of exp(x - max)): no probability is so small that its logarithm is lost. */
static void log_softmax(size_t n, const float *in, float *out)
{
    float most = in[0], sum = 0;
    for (size_t i = 1; i < n; i++)
        most = in[i] > most ? in[i] : most;
    for (size_t i = 0; i < n; i++)
        sum += expf(in[i] - most);
    const float shift = logf(sum);
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] - most - shift;
}

/* `count` contiguous lines. */
static void lines(const softmax_state *s, size_t count, const float *in, float *out)
{
    if (!s->log)
        s->kernels->softmax_f32(count, s->length, in, out);
    else
        for (size_t i = 0; i < count; i++)
            log_softmax(s->length, in + i * s->length, out + i * s->length);
}

/* Line l of an axis with `inner` elements between neighbours, by way of a contiguous copy. */
static void strided_line(const softmax_state *s, const float *in, float *out, size_t l, float *line)
{
    const size_t first = l / s->inner * s->inner * s->length + l % s->inner;
    for (size_t i = 0; i < s->length; i++)
        line[i] = in[first + i * s->inner];
    lines(s, 1, line, line);
    for (size_t i = 0; i < s->length; i++)
        out[first + i * s->inner] = line[i];
}

/* Lines are numbered by what lies outside and inside the axis. */
static void work_softmax(void *arg, size_t begin, size_t end, int thread)
{
    const oct_step *step = arg;
    const softmax_state *s = step->state;
    const float *in = step->in[0];
    float *out = step->out;
    if (s->inner == 1) {
        lines(s, end - begin, in + begin * s->length, out + begin * s->length);
        return;
    }
    float *line = (float *)(void *)((uint8_t *)step->scratch + (size_t)thread * s->line_bytes);
    for (size_t l = begin; l < end; l++)
        strided_line(s, in, out, l, line);
}

const oct_runtime_op oct_run_softmax = {.op = OCT_OP_SOFTMAX, .prepare = prepare_softmax, .work = work_softmax};

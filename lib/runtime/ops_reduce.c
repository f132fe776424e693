/* Reductions over any axes.
 *
 * Means over the middle axes of an N x taps x C array - the global average pool that ends nearly every network - go through the
 * average pooling kernel. All others are plain loops: `kept` output elements, each over `taken` input elements.
 *
 *   u8 mean:      q = clamp(rne((float)(sum - n * z_in) * (s_in / s_out / n)) + z_out)      as average_pool_u8
 *   u8 sum:       the same without / n
 *   u8 max, min:  q = clamp(rne((float)(q_in - z_in) * (s_in / s_out)) + z_out)             as requantize_u8 */
#include <math.h>
#include <stdio.h>

#include "grain.h"
#include "ops_table.h"
#include "prepack.h"
#include "status.h"

#define MAX_TAPS ((size_t)1 << 23)  /* 255 * taps fits 32 bits */

typedef struct reduce_state {
    const oct_kernels *kernels;
    int32_t fn;
    bool u8;
    float mult;                  /* what the sum or the extreme is multiplied by */
    int32_t in_zero, out_zero;
    /* By the pooling kernel: N x taken x C, pointers to the taken rows of one n after the other. */
    size_t batch, channels;
    const void **rows;
    float *mults;
    oct_keeper *keeper;
    /* By plain loops: sizes and strides of kept and taken axes. */
    int kept_rank, taken_rank;
    size_t kept[OCT_MAX_RANK], kept_stride[OCT_MAX_RANK], taken[OCT_MAX_RANK], taken_stride[OCT_MAX_RANK];
    size_t taken_count;
} reduce_state;

/* ----------------------------------------------------------------------------------------------- prepare ---- */

/* Two odometers: one over what is kept, which numbers the outputs, one over what is taken away. */
static void split_axes(const oct_shape *x, int32_t axes, reduce_state *s)
{
    size_t stride = 1, strides[OCT_MAX_RANK];
    for (int i = x->rank - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= (size_t)x->dims[i];
    }
    s->taken_count = 1;
    for (int i = 0; i < x->rank; i++) {
        if (axes >> i & 1) {
            s->taken[s->taken_rank] = (size_t)x->dims[i];
            s->taken_stride[s->taken_rank++] = strides[i];
            s->taken_count *= (size_t)x->dims[i];
        } else {
            s->kept[s->kept_rank] = (size_t)x->dims[i];
            s->kept_stride[s->kept_rank++] = strides[i];
        }
    }
}

/* Whether the taken axes lie together, with something after them: then it is N x taken x C. */
static bool is_pool(const oct_shape *x, int32_t axes, reduce_state *s)
{
    int first = 0, end;
    while (first < x->rank && !(axes >> first & 1))
        first++;
    for (end = first; end < x->rank && (axes >> end & 1); end++) {}
    if (axes >> end || first == end || end == x->rank)
        return false;
    s->batch = (size_t)oct_shape_product(x, 0, first);
    s->channels = (size_t)oct_shape_product(x, end, x->rank);
    return true;
}

/* mult folds the division of a mean and the change of scale into one multiplication, rounded once. */
static oct_status set_numbers(const oct_value *in, const oct_value *out, reduce_state *s)
{
    const double count = s->fn == OCT_REDUCE_MEAN ? (double)s->taken_count : 1;
    s->mult = (float)(1 / count);
    if (!s->u8)
        return OCT_OK;
    if (s->taken_count >= MAX_TAPS)
        return oct_fail(OCT_ERR_UNSUPPORTED, "%zu u8 elements are too many to sum", s->taken_count);
    s->in_zero = in->zero_point;
    s->out_zero = out->zero_point;
    return oct_scale_ratio((double)in->scale / count, (double)out->scale, (double)s->taken_count, &s->mult);
}

/* The loops compute an offset for every element with divisions, hence the factor in the estimated time. */
static oct_status prepare_reduce(const oct_setup *setup, oct_step *step)
{
    oct_status status;
    const oct_value *in = oct_input_of(setup, step, 0), *out = oct_output_of(setup, step);
    const oct_reduce_attrs *a = &step->node->attrs.reduce;
    OCT_TRY(oct_same_type(setup, step));
    reduce_state *s = oct_step_keep(setup, 1, sizeof *s, &status);
    OCT_TRY(status);
    *s = (reduce_state){.kernels = setup->kernels, .keeper = setup->keeper, .fn = a->fn, .u8 = in->dtype == OCT_U8};
    split_axes(&in->shape, a->axes, s);
    OCT_TRY(set_numbers(in, out, s));
    step->state = s;
    const double time = oct_move_time((double)oct_value_bytes(in));
    if (a->fn == OCT_REDUCE_MEAN && s->taken_count < MAX_TAPS && is_pool(&in->shape, a->axes, s)) {
        step->algo = "pool";
        snprintf(step->kernel, sizeof step->kernel, "average_pool_%s %s", s->u8 ? "u8" : "f32", setup->kernels->isa);
        oct_step_share(step, s->batch, time);
        return OCT_OK;
    }
    s->batch = 0;
    step->algo = "loops";
    oct_step_share(step, (size_t)oct_shape_elements(&out->shape), 8 * time);
    return OCT_OK;
}

/* A pixel of the pool is a whole N here, and its taps are all rows of it, one after the other. */
static oct_status bind_reduce(oct_step *step)
{
    reduce_state *s = step->state;
    const size_t count = s->batch * s->taken_count, row_bytes = s->channels * (s->u8 ? 1 : sizeof(float));
    if (s->batch == 0)
        return OCT_OK;
    s->rows = oct_keep(s->keeper, count, sizeof *s->rows);
    s->mults = oct_keep(s->keeper, s->batch, sizeof *s->mults);
    if (!s->rows || !s->mults)
        return oct_fail_memory(count * sizeof *s->rows);
    for (size_t i = 0; i < count; i++)
        s->rows[i] = (const uint8_t *)step->in[0] + i * row_bytes;
    for (size_t i = 0; i < s->batch; i++)
        s->mults[i] = s->mult;
    return OCT_OK;
}

/* --------------------------------------------------------------------------------------------------- run ---- */

/* Pixels [begin, end): a session of batch 1 has a single one. */
static void work_pool(const oct_step *step, const reduce_state *s, size_t begin, size_t end)
{
    oct_pool_job job = {.pixels = end - begin, .taps = s->taken_count, .c = s->channels, .out_ld = s->channels};
    job.a = s->rows + begin * s->taken_count;
    job.out = (uint8_t *)step->out + begin * s->channels * (s->u8 ? 1 : sizeof(float));
    job.mult = s->mults + begin;
    job.in_zero = s->in_zero;
    job.out_zero = s->out_zero;
    job.lo = -INFINITY;
    job.hi = INFINITY;
    job.qhi = 255;
    (s->u8 ? s->kernels->average_pool_u8 : s->kernels->average_pool_f32)(&job);
}

/* Offset of the index-th element of a set of axes, last axis fastest. */
static size_t offset_of(int rank, const size_t *sizes, const size_t *strides, size_t index)
{
    size_t offset = 0;
    for (int i = rank - 1; i >= 0; i--) {
        offset += index % sizes[i] * strides[i];
        index /= sizes[i];
    }
    return offset;
}

/* In double, so that a long sum is as good as the pooling kernel's and does not depend on how long it is. */
static float reduce_f32(const reduce_state *s, const float *in)
{
    double sum = 0;
    float extreme = in[0];
    for (size_t i = 0; i < s->taken_count; i++) {
        const float x = in[offset_of(s->taken_rank, s->taken, s->taken_stride, i)];
        sum += (double)x;
        if (s->fn == OCT_REDUCE_MAX ? x > extreme : x < extreme)
            extreme = x;
    }
    if (s->fn == OCT_REDUCE_MAX || s->fn == OCT_REDUCE_MIN)
        return extreme;
    return (float)(s->fn == OCT_REDUCE_MEAN ? sum / (double)s->taken_count : sum);
}

/* |sum| <= 255 * taken_count < 2^31 (set_numbers). The product stays below 2^30 (oct_scale_ratio), so rounding is safe. */
static uint8_t reduce_u8(const reduce_state *s, const uint8_t *in)
{
    int32_t sum = -(int32_t)s->taken_count * s->in_zero, extreme = in[0];
    for (size_t i = 0; i < s->taken_count; i++) {
        const int32_t q = in[offset_of(s->taken_rank, s->taken, s->taken_stride, i)];
        sum += q;
        if (s->fn == OCT_REDUCE_MAX ? q > extreme : q < extreme)
            extreme = q;
    }
    const bool summed = s->fn == OCT_REDUCE_MEAN || s->fn == OCT_REDUCE_SUM;
    const float q = rintf((float)(summed ? sum : extreme - s->in_zero) * s->mult) + (float)s->out_zero;
    return q > 0 ? q < 255 ? (uint8_t)q : 255 : 0;
}

static void work_loops(const oct_step *step, const reduce_state *s, size_t begin, size_t end)
{
    for (size_t o = begin; o < end; o++) {
        const size_t at = offset_of(s->kept_rank, s->kept, s->kept_stride, o);
        if (s->u8)
            ((uint8_t *)step->out)[o] = reduce_u8(s, (const uint8_t *)step->in[0] + at);
        else
            ((float *)step->out)[o] = reduce_f32(s, (const float *)step->in[0] + at);
    }
}

static void work_reduce(void *arg, size_t begin, size_t end, int thread)
{
    const oct_step *step = arg;
    const reduce_state *s = step->state;
    (void)thread;
    if (s->batch > 0)
        work_pool(step, s, begin, end);
    else
        work_loops(step, s, begin, end);
}

const oct_runtime_op oct_run_reduce = {
    .op = OCT_OP_REDUCE, .prepare = prepare_reduce, .bind = bind_reduce, .work = work_reduce};

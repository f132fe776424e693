/* Two inputs, element by element, with numpy broadcasting.
 *
 * Dimensions are merged as long as both inputs walk through them evenly; what is left has an inner dimension (columns), one above
 * it (rows) and perhaps outer ones, over which the kernel is called again and again:
 *
 *   [N, H, W, C] + [C]            ->  rows N*H*W, columns C        b_stride 0, b_step 1
 *   [N, H, W, C] * [N, 1, 1, C]   ->  outer N, rows H*W, columns C
 *   [N, H, W, C] + same shape     ->  one row, cut into blocks of columns for the threads
 */
#include <stdio.h>

#include "activation.h"
#include "add_grid.h"
#include "grain.h"
#include "ops_table.h"
#include "prepack.h"
#include "status.h"

#define BLOCK 4096  /* columns of a unit where there is one row only */

typedef struct binary_state {
    const oct_kernels *kernels;
    void (*kernel)(const oct_binary_job *job);
    oct_binary_job job;                      /* rows and addresses are filled in by work */
    int outer_rank;
    size_t outer[OCT_MAX_RANK], outer_a[OCT_MAX_RANK], outer_b[OCT_MAX_RANK];
    size_t rows, elem;
    bool one_row;
    const oct_function *rest;
} binary_state;

/* Dimensions of the output, outermost first, with each input's stride in elements. */
typedef struct walk {
    int rank;
    size_t dims[OCT_MAX_RANK], a[OCT_MAX_RANK], b[OCT_MAX_RANK];
} walk;

/* Stride of each output dimension in an input: 0 where the input is repeated. */
static void strides_of(const oct_shape *in, const oct_shape *out, size_t *strides)
{
    size_t step = 1;
    for (int i = out->rank - 1; i >= 0; i--) {
        const int at = i - (out->rank - in->rank);
        const size_t dim = at < 0 ? 1 : (size_t)in->dims[at];
        strides[i] = dim == 1 ? 0 : step;
        step *= dim;
    }
}

/* Two neighbouring dimensions are one for an input if the outer stride is the inner one times the inner size, or if both are
 * repeated (0). */
static walk merge(const oct_shape *a, const oct_shape *b, const oct_shape *out)
{
    walk w = {0};
    size_t sa[OCT_MAX_RANK] = {0}, sb[OCT_MAX_RANK] = {0};
    strides_of(a, out, sa);
    strides_of(b, out, sb);
    for (int i = 0; i < out->rank; i++) {
        const size_t dim = (size_t)out->dims[i];
        if (dim == 1)
            continue;
        const int last = w.rank - 1;
        if (last >= 0 && w.a[last] == sa[i] * dim && w.b[last] == sb[i] * dim) {
            w.dims[last] *= dim;
            w.a[last] = sa[i];
            w.b[last] = sb[i];
            continue;
        }
        w.dims[w.rank] = dim;
        w.a[w.rank] = sa[i];
        w.b[w.rank++] = sb[i];
    }
    return w;
}

/* The innermost two of what is left go into the job, the rest into the odometer. */
static void set_walk(binary_state *s, const walk *w)
{
    const int inner = w->rank - 1, row = w->rank - 2;
    s->rows = row >= 0 ? w->dims[row] : 1;
    s->job.cols = inner >= 0 ? w->dims[inner] : 1;
    s->job.a_step = inner >= 0 ? w->a[inner] : 0;
    s->job.b_step = inner >= 0 ? w->b[inner] : 0;
    s->job.a_stride = row >= 0 ? w->a[row] : 0;
    s->job.b_stride = row >= 0 ? w->b[row] : 0;
    s->outer_rank = row > 0 ? row : 0;
    for (int i = 0; i < s->outer_rank; i++) {
        s->outer[i] = w->dims[i];
        s->outer_a[i] = w->a[i];
        s->outer_b[i] = w->b[i];
    }
}

/* u8: scales of both inputs in units of the output's; those of a sum may be such that kernels add without rounding (add_grid.h). */
static oct_status set_numbers(const oct_setup *setup, const oct_step *step, binary_state *s)
{
    const oct_value *a = oct_input_of(setup, step, 0), *b = oct_input_of(setup, step, 1), *out = oct_output_of(setup, step);
    oct_bounds bounds;
    OCT_TRY(oct_bounds_of(&step->node->act, out->dtype == OCT_U8, out->scale, out->zero_point, &bounds));
    s->rest = bounds.rest;
    s->job.lo = bounds.lo;
    s->job.hi = bounds.hi;
    s->job.qlo = bounds.qlo;
    s->job.qhi = bounds.qhi;
    if (out->dtype == OCT_F32)
        return OCT_OK;
    s->job.a_zero = a->zero_point;
    s->job.b_zero = b->zero_point;
    s->job.out_zero = out->zero_point;
    if (s->job.kind == OCT_KIND_MUL)
        return oct_scale_ratio((double)a->scale * (double)b->scale, (double)out->scale, 255, &s->job.a_mult);
    OCT_TRY(oct_scale_ratio((double)a->scale, (double)out->scale, 1, &s->job.a_mult));
    OCT_TRY(oct_scale_ratio((double)b->scale, (double)out->scale, 1, &s->job.b_mult));
    oct_add_grid_snap(&s->job.a_mult, &s->job.b_mult);
    return OCT_OK;
}

static const oct_binary_kind kinds[OCT_BINARY_COUNT] = {
    [OCT_BINARY_ADD] = OCT_KIND_ADD, [OCT_BINARY_MUL] = OCT_KIND_MUL, [OCT_BINARY_SUB] = OCT_KIND_SUB,
    [OCT_BINARY_DIV] = OCT_KIND_DIV, [OCT_BINARY_MIN] = OCT_KIND_MIN, [OCT_BINARY_MAX] = OCT_KIND_MAX,
    [OCT_BINARY_POW] = OCT_KIND_POW,
};

/* A single row - the usual case of equal shapes - would leave nothing to share out, so it is cut by columns. */
static oct_status prepare_binary(const oct_setup *setup, oct_step *step)
{
    oct_status status;
    const oct_value *out = oct_output_of(setup, step);
    const oct_binary_kind kind = kinds[step->node->attrs.binary.fn];
    const bool u8 = out->dtype == OCT_U8;
    OCT_TRY(oct_same_type(setup, step));
    if (oct_input_of(setup, step, 1)->dtype != out->dtype)
        return oct_fail(OCT_ERR_UNSUPPORTED, "its second input is not %s", oct_dtype_name(out->dtype));
    if (u8 && kind != OCT_KIND_ADD && kind != OCT_KIND_MUL)
        return oct_fail(OCT_ERR_UNSUPPORTED, "u8 can be added and multiplied only");
    binary_state *s = oct_step_keep(setup, 1, sizeof *s, &status);
    OCT_TRY(status);
    s->kernels = setup->kernels;
    s->kernel = u8 ? setup->kernels->binary_u8 : setup->kernels->binary_f32;
    s->elem = oct_dtype_size(out->dtype);
    s->job.kind = kind;
    OCT_TRY(set_numbers(setup, step, s));
    const walk w = merge(&oct_input_of(setup, step, 0)->shape, &oct_input_of(setup, step, 1)->shape, &out->shape);
    set_walk(s, &w);
    step->state = s;
    step->algo = "elementwise";
    snprintf(step->kernel, sizeof step->kernel, "binary_%s %s", u8 ? "u8" : "f32", setup->kernels->isa);
    const size_t elements = (size_t)oct_shape_elements(&out->shape), rows = elements / s->job.cols;
    const double time =
        kind == OCT_KIND_POW ? oct_function_time((double)elements) : oct_move_time((double)(3 * elements * s->elem));
    s->one_row = rows == 1;
    oct_step_share(step, s->one_row ? (elements + BLOCK - 1) / BLOCK : rows, time);
    return OCT_OK;
}

/* Addresses in elements from the beginning of each operand. An activation that is no clamp runs over the block while it is in L1.
 * */
static void run_job(const binary_state *s, oct_binary_job *job, const oct_step *step, size_t a, size_t b, size_t out)
{
    job->a = (const uint8_t *)step->in[0] + a * s->elem;
    job->b = (const uint8_t *)step->in[1] + b * s->elem;
    job->out = (uint8_t *)step->out + out * s->elem;
    s->kernel(job);
    if (s->rest)
        oct_activate(s->kernels, s->rest, job->rows * job->cols, job->out, job->out);
}

/* Blocks [begin, end) of the only row. */
static void work_columns(const oct_step *step, const binary_state *s, size_t begin, size_t end)
{
    oct_binary_job job = s->job;
    const size_t first = begin * BLOCK, stop = end * BLOCK < s->job.cols ? end * BLOCK : s->job.cols;
    job.rows = 1;
    job.cols = stop - first;
    run_job(s, &job, step, first * job.a_step, first * job.b_step, first);
}

/* Rows [row, row + count) under one outer index. */
static void work_rows(const oct_step *step, const binary_state *s, size_t outer, size_t row, size_t count)
{
    oct_binary_job job = s->job;
    size_t a = row * job.a_stride, b = row * job.b_stride, index = outer;
    for (int i = s->outer_rank - 1; i >= 0; i--) {
        a += index % s->outer[i] * s->outer_a[i];
        b += index % s->outer[i] * s->outer_b[i];
        index /= s->outer[i];
    }
    job.rows = count;
    run_job(s, &job, step, a, b, (outer * s->rows + row) * job.cols);
}

/* Units are rows over all outer indices; a piece may begin and end in the middle of one. */
static void work_binary(void *arg, size_t begin, size_t end, int thread)
{
    const oct_step *step = arg;
    const binary_state *s = step->state;
    (void)thread;
    if (s->one_row) {
        work_columns(step, s, begin, end);
        return;
    }
    while (begin < end) {
        const size_t row = begin % s->rows, left = s->rows - row, count = left < end - begin ? left : end - begin;
        work_rows(step, s, begin / s->rows, row, count);
        begin += count;
    }
}

const oct_runtime_op oct_run_binary = {
    .op = OCT_OP_BINARY, .sharing = OCT_SHARE_DEAD_INPUT, .prepare = prepare_binary, .work = work_binary};

/* One convolution: choosing the way, staging the input, sharing the work out. */
#include "conv.h"

#include <string.h>

#include "grain.h"
#include "memory.h"
#include "status.h"

/* Up to this many channels the taps of a kernel row are merged; above, a tap is long enough by itself to make the copy not worth
 * its while. Where the input is copied anyway, merging costs nothing. */
enum { MERGE_F32 = 8, MERGE_U8 = 16 };

/* --------------------------------------------------------------------------------------------- preparing ---- */

static size_t max_size(size_t a, size_t b) { return a > b ? a : b; }

/* Rows as the micro-kernels take them: merged where that pays, and through scratch memory where they must be. */
static void choose_gather(oct_conv *conv)
{
    const oct_conv_shape *s = &conv->shape;
    oct_conv_shape *g = &conv->gather;
    *g = *s;
    conv->taps = s->kernel_h * s->kernel_w;
    conv->k = s->in_c / s->groups;
    conv->staged = conv->widen;
    if (conv->algo != OCT_ALGO_DIRECT || s->groups != 1 || s->kernel_w == 1 || s->dilation_w != 1)
        return;
    if (!conv->widen && s->in_c > (conv->elem_bytes == 1 ? MERGE_U8 : MERGE_F32))
        return;
    g->in_w = max_size(s->pad_left + s->in_w, (s->out_w - 1) * s->stride_w + s->kernel_w);
    g->pad_left = 0;
    g->kernel_w = 1;
    conv->taps = s->kernel_h;
    conv->k = s->kernel_w * s->in_c;
    conv->staged |= g->in_w != s->in_w || s->pad_left > 0;
}

/* One padded tap: the real number 0, which is the zero point for u8 rows and 0 for all others. Row pointers of padded positions
 * lead here, and the loops recognise padding by this address. */
static oct_status make_padding(oct_conv *conv, oct_keeper *keeper)
{
    const size_t count = max_size(conv->k, conv->shape.in_c);
    void *padding = oct_keep(keeper, count, conv->elem_bytes);
    if (!padding)
        return oct_fail_memory(count * conv->elem_bytes);
    if (conv->linear.u8 && !conv->widen)
        memset(padding, conv->x_zero, count);
    conv->padding = padding;
    return OCT_OK;
}

/* A depthwise kernel has no residual; the general way, one group after the other, has. */
static oct_conv_algo choose_algo(const oct_conv_shape *shape, const oct_linear_desc *desc)
{
    if (shape->groups > 1 && shape->groups == shape->in_c && !desc->residual)
        return OCT_ALGO_DEPTHWISE;
    return oct_conv_is_matrix(shape) ? OCT_ALGO_MATRIX : OCT_ALGO_DIRECT;
}

oct_status oct_conv_prepare(const oct_conv_shape *shape, const oct_linear_desc *desc, oct_keeper *keeper, oct_conv *conv)
{
    oct_linear_desc full = *desc;
    *conv = (oct_conv){.algo = choose_algo(shape, desc), .shape = *shape, .x_zero = (uint8_t)desc->x_zero};
    full.depthwise = conv->algo == OCT_ALGO_DEPTHWISE ? &conv->shape : NULL;
    full.groups = shape->groups;
    full.columns = shape->out_c;
    full.rows = conv->rows = shape->batch * shape->out_h * shape->out_w;
    const oct_gemm_entry *entry =
        desc->u8 ? oct_gemm_variants_u8s8(desc->kernels, full.rows) : oct_gemm_variants_f32(desc->kernels, full.rows);
    conv->widen = conv->algo != OCT_ALGO_DEPTHWISE && entry->a_elem == OCT_ELEM_S16;
    conv->elem_bytes = !desc->u8 ? sizeof(float) : conv->widen ? sizeof(int16_t) : sizeof(uint8_t);
    choose_gather(conv);
    if (conv->taps > SIZE_MAX / sizeof(void *) / conv->rows)
        return oct_fail(OCT_ERR_MEMORY, "%zu output pixels with %zu kernel positions each need more pointers than there is memory",
                        conv->rows, conv->taps);
    full.taps = conv->taps;
    full.k = conv->k;
    OCT_TRY(oct_linear_pack(&full, keeper, &conv->linear));
    if (conv->algo == OCT_ALGO_DEPTHWISE) {
        conv->depthwise_scratch = oct_align_up(conv->linear.depthwise->scratch_bytes(&conv->shape));
        return OCT_OK;
    }
    conv->pointers = conv->algo == OCT_ALGO_DIRECT ? conv->rows * conv->taps : 0;
    return make_padding(conv, keeper);
}

/* Elements of one input row as it lies in scratch memory. */
static size_t staged_row(const oct_conv *conv) { return conv->gather.in_w * conv->gather.in_c; }

/* Depthwise kernels want some lines of buffer per thread; the others want the staged input, which all threads share. */
size_t oct_conv_scratch(const oct_conv *conv, int threads)
{
    const oct_conv_shape *g = &conv->gather;
    if (conv->algo == OCT_ALGO_DEPTHWISE)
        return conv->depthwise_scratch * (size_t)threads;
    return conv->staged ? g->batch * g->in_h * staged_row(conv) * conv->elem_bytes : 0;
}

/* Pointers into the staged copy where there is one: it always lies at the same place, so this is done once, not once per run. */
void oct_conv_connect(const oct_conv_call *call)
{
    const oct_conv *conv = call->conv;
    if (conv->algo == OCT_ALGO_DIRECT)
        oct_conv_rows(&conv->gather, conv->staged ? call->scratch : call->in, conv->elem_bytes, conv->padding, call->pointers);
}

const char *oct_conv_algo_name(const oct_conv *conv)
{
    static const char *const names[] = {
        [OCT_ALGO_MATRIX] = "matrix", [OCT_ALGO_DIRECT] = "direct", [OCT_ALGO_DEPTHWISE] = "depthwise"};
    return names[conv->algo];
}

/* --------------------------------------------------------------------------------------------- executing ---- */

/* What the workers of one call share. */
typedef struct work {
    const oct_conv_call *call;
    const oct_kernels *kernels;
    size_t units_per_group;
} work;

/* Input rows [begin, end) of batch * in_h into scratch memory: left border, pixels, right border. */
static void stage_rows(void *arg, size_t begin, size_t end, int thread)
{
    const oct_conv_call *call = ((const work *)arg)->call;
    const oct_conv *conv = call->conv;
    const size_t in_row = conv->shape.in_w * conv->shape.in_c, row = staged_row(conv);
    const size_t left = row == in_row ? 0 : conv->shape.pad_left * conv->shape.in_c, right = row - left - in_row;
    const size_t in_bytes = conv->linear.u8 ? 1 : sizeof(float), size = conv->elem_bytes;
    const int border = conv->linear.u8 && !conv->widen ? conv->x_zero : 0;
    (void)thread;
    for (size_t r = begin; r < end; r++) {
        const uint8_t *in = (const uint8_t *)call->in + r * in_row * in_bytes;
        uint8_t *out = (uint8_t *)call->scratch + r * row * size;
        memset(out, border, left * size);
        if (conv->widen)
            ((const work *)arg)->kernels->widen_u8_s16(in_row, in, conv->x_zero, (int16_t *)(void *)(out + left * size));
        else
            memcpy(out + left * size, in, in_row * size);
        memset(out + (left + in_row) * size, border, right * size);
    }
}

/* The job of one group with all addresses. */
static oct_gemm_job group_job(const oct_conv_call *call, size_t group)
{
    const oct_conv *conv = call->conv;
    const oct_linear *linear = &conv->linear;
    const size_t n = linear->columns / linear->groups, out_bytes = linear->e.out_elem == OCT_ELEM_U8 ? 1 : sizeof(float);
    oct_gemm_job job = oct_linear_job(linear, group);
    job.m = conv->rows;
    if (conv->algo == OCT_ALGO_MATRIX) {
        job.a = (const uint8_t *)(conv->staged ? call->scratch : call->in) + group * conv->k * conv->elem_bytes;
        job.lda = conv->shape.in_c;
    } else {
        job.rows = call->pointers;
        job.a_offset = group * conv->k;
        job.padding = conv->padding;
    }
    job.e.out = (uint8_t *)call->out + group * n * out_bytes;
    job.e.out_ld = linear->columns;
    if (call->residual) {
        job.e.residual = (const uint8_t *)call->residual + group * n * out_bytes;
        job.e.residual_ld = linear->columns;
    }
    return job;
}

/* Unit u is unit u % units_per_group of group u / units_per_group. */
static void multiply(void *arg, size_t begin, size_t end, int thread)
{
    const work *w = arg;
    (void)thread;
    while (begin < end) {
        const size_t group = begin / w->units_per_group, base = group * w->units_per_group;
        const size_t stop = base + w->units_per_group < end ? base + w->units_per_group : end;
        const oct_gemm_job job = group_job(w->call, group);
        oct_gemm_run(&job, begin - base, stop - base);
        begin = stop;
    }
}

/* Output rows [begin, end) of batch * out_h. */
static void depthwise(void *arg, size_t begin, size_t end, int thread)
{
    const oct_conv_call *call = ((const work *)arg)->call;
    const oct_conv *conv = call->conv;
    const oct_linear *linear = &conv->linear;
    oct_depthwise_job job = {.shape = &conv->shape, .in = call->in, .packed = linear->depthwise_packed, .in_zero = conv->x_zero};
    job.e = linear->e;
    job.e.out = call->out;
    job.e.out_ld = conv->shape.out_c;
    linear->depthwise->run(&job, begin, end, (uint8_t *)call->scratch + (size_t)thread * conv->depthwise_scratch);
    if (linear->post.fn) {
        const size_t row = conv->shape.out_w * conv->shape.out_c;
        linear->post.fn(linear->post.arg, (float *)call->out + begin * row, (end - begin) * row);
    }
}

/* Staging and products are two phases with a join between them: a row pointer may lead to any staged row. The times only decide how
 * finely the work is cut (grain.h). */
void oct_conv_execute(const oct_conv_call *call, const oct_kernels *kernels, oct_pool *pool)
{
    const oct_conv *conv = call->conv;
    const oct_conv_shape *s = &conv->shape;
    const double macs = (double)conv->rows * (double)s->out_c * (double)(conv->shape.kernel_h * conv->shape.kernel_w) *
                        (double)(s->in_c / s->groups);
    work w = {.call = call, .kernels = kernels};
    if (conv->algo == OCT_ALGO_DEPTHWISE) {
        const size_t units = s->batch * s->out_h;
        oct_pool_run(pool, depthwise, &w, units, oct_grain(units, oct_depthwise_time(macs, conv->linear.u8)));
        return;
    }
    if (conv->staged) {
        const size_t rows = s->batch * s->in_h;
        oct_pool_run(pool, stage_rows, &w, rows, oct_grain(rows, oct_move_time((double)oct_conv_scratch(conv, 1))));
    }
    const oct_gemm_job first = group_job(call, 0);
    w.units_per_group = oct_gemm_units(&first);
    const size_t units = conv->linear.groups * w.units_per_group;
    oct_pool_run(pool, multiply, &w, units, oct_grain(units, oct_multiply_time(macs, conv->linear.u8)));
}

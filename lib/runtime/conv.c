/* One convolution: preparing the way that was chosen, staging the input, sharing the work out (conv.h describes the ways).
 *
 *   input --(stage: u8 to s16)--> oct_gemm_run --> output                   matrix, direct (direct: over row pointers)
 *   input --some image rows--> strip in scratch memory --> oct_gemm_run     rows, patches: copy and product in one unit of work
 *   input --> depthwise kernel --> output                                   depthwise
 *   input --transform--> products --transform--> output                     winograd
 *
 * A grouped convolution is one product per group over the same row pointers: group g starts k elements further into every row
 * (a_offset) and writes n columns further on. Units of all groups form one list, so that small groups are shared out as well as
 * large ones.
 */
#include "conv.h"

#include <string.h>

#include "grain.h"
#include "memory.h"
#include "status.h"

/* --------------------------------------------------------------------------------------------- preparing ---- */

static size_t max_size(size_t a, size_t b) { return a > b ? a : b; }

static bool in_strips(const oct_conv *conv)
{
    return !conv->depthwise && !conv->winograd && (conv->lowering == OCT_LOWERING_ROWS || conv->lowering == OCT_LOWERING_PATCHES);
}

/* The way, and with it the form of the products: taps and k are what the weights are packed for. The depthwise kernels have a
 * form of their own. */
static void choose_way(oct_conv *conv, const oct_gemm_entry *entry)
{
    const oct_conv_shape *s = &conv->shape;
    conv->taps = s->kernel_h * s->kernel_w;
    conv->k = s->in_c / s->groups;
    if (conv->depthwise || conv->winograd)
        return;
    conv->lowering = oct_conv_lowering(s, entry);
    conv->widen = entry->a_elem == OCT_ELEM_S16;
    if (in_strips(conv)) {
        conv->strips = oct_strips_plan(s, conv->lowering, entry);
        conv->taps = conv->strips.taps;
        conv->k = conv->strips.k;
    }
}

/* As long as the longest row that a kernel may read in its place: a tap of k, or a pixel of all channels. */
static size_t padding_elements(const oct_conv *conv) { return max_size(conv->k, conv->shape.in_c); }

/* One padded tap: the real number 0, which is the zero point for u8 rows and 0 for all others. Row pointers of padded positions
 * lead here, and the loops recognise padding by this address. */
static oct_status make_padding(oct_conv *conv, oct_keeper *keeper)
{
    const size_t count = padding_elements(conv);
    void *padding = oct_keep(keeper, count, conv->elem_bytes);
    if (!padding)
        return oct_fail_memory(count * conv->elem_bytes);
    if (conv->linear.u8 && !conv->widen)
        memset(padding, conv->x_zero, count);
    conv->padding = padding;
    return OCT_OK;
}

/* A depthwise kernel has no residual, and a fixed scale; the general way, one group after the other, has both. */
static bool is_depthwise(const oct_conv_shape *shape, const oct_linear_desc *desc)
{
    return shape->groups > 1 && shape->groups == shape->in_c && !desc->residual && !desc->dynamic;
}

/* Integers by Winograd are exact only if every channel's sums stay within bounds; others take another way. */
static bool is_exact(const oct_conv_shape *shape, const oct_linear_desc *desc)
{
    oct_linear_desc columns = *desc;
    columns.columns = shape->out_c;
    columns.taps = 9;
    columns.k = shape->in_c;
    return oct_linear_winograd_provable(&columns);
}

/* Plans it, if Winograd's way is to be taken. */
static bool take_winograd(oct_conv *conv, const oct_linear_desc *desc, oct_conv_choice choice)
{
    const oct_conv_shape *shape = &conv->shape;
    const oct_winograd_entry *entry = desc->u8 ? &desc->kernels->winograd_u8s8 : &desc->kernels->winograd_f32;
    if (conv->depthwise || !choice.winograd || !entry->input || !oct_winograd_accepts(shape))
        return false;
    const oct_winograd_weights weights = oct_winograd_prefer(shape, entry, choice.lasting);
    if (!oct_winograd_pays(shape, entry, weights) || !is_exact(shape, desc))
        return false;
    conv->tiles = oct_winograd_plan(shape, entry, weights, (size_t)choice.threads);
    return true;
}

/* Where Winograd's integer sums begin: 576 times where direct ones do, which the output transform divides by, modulo 2^32. */
static void fill_start(const oct_conv *conv)
{
    for (size_t c = 0; c < conv->linear.padded; c++)
        conv->start[c] = 576u * (uint32_t)conv->linear.e.acc_bias[c];
}

static oct_status size_up_winograd(oct_conv *conv, oct_keeper *keeper)
{
    conv->thread_scratch = oct_winograd_thread_scratch(&conv->tiles);
    conv->shared_scratch = oct_winograd_shared_scratch(&conv->tiles);
    if (!conv->linear.u8)
        return OCT_OK;
    conv->start = oct_keep(keeper, conv->linear.padded, sizeof *conv->start);
    if (!conv->start)
        return oct_fail_memory(conv->linear.padded * sizeof *conv->start);
    fill_start(conv);
    return OCT_OK;
}

/* Memory beside the weights. */
static oct_status size_up(oct_conv *conv, oct_keeper *keeper)
{
    if (conv->depthwise) {
        conv->thread_scratch = oct_align_up(conv->linear.depthwise->scratch_bytes(&conv->shape));
        return OCT_OK;
    }
    if (conv->winograd) {
        OCT_TRY(size_up_winograd(conv, keeper));
        return make_padding(conv, keeper);
    }
    if (in_strips(conv)) {
        conv->thread_scratch = oct_align_up(oct_strips_scratch(&conv->strips));
        conv->pointers = oct_strips_pointers(&conv->strips);
        return OCT_OK;
    }
    conv->pointers = conv->lowering == OCT_LOWERING_DIRECT ? conv->rows * conv->taps : 0;
    return make_padding(conv, keeper);
}

/* The number of rows decides between the kernels for one row and those for many, and those decide by a_elem whether u8 has to be
 * widened: hence the order. Row pointers cost 8 bytes per output pixel and tap. */
oct_status oct_conv_prepare(const oct_conv_shape *shape, const oct_linear_desc *desc, oct_conv_choice choice, oct_keeper *keeper,
                            oct_conv *conv)
{
    oct_linear_desc full = *desc;
    *conv = (oct_conv){.depthwise = is_depthwise(shape, desc), .shape = *shape, .x_zero = (uint8_t)desc->x_zero};
    conv->winograd = take_winograd(conv, desc, choice);
    full.depthwise = conv->depthwise ? &conv->shape : NULL;
    full.winograd = conv->winograd ? &conv->tiles : NULL;
    full.groups = shape->groups;
    full.columns = shape->out_c;
    full.rows = conv->rows = shape->batch * shape->out_h * shape->out_w;
    const oct_gemm_entry *entry =
        desc->u8 ? oct_gemm_variants_u8s8(desc->kernels, full.rows) : oct_gemm_variants_f32(desc->kernels, full.rows);
    choose_way(conv, entry);
    conv->elem_bytes = !desc->u8 ? sizeof(float) : conv->widen ? sizeof(int16_t) : sizeof(uint8_t);
    if (conv->taps > SIZE_MAX / sizeof(void *) / conv->rows)
        return oct_fail(OCT_ERR_MEMORY, "%zu output pixels with %zu kernel positions each need more pointers than there is memory",
                        conv->rows, conv->taps);
    full.taps = conv->taps;
    full.k = conv->k;
    OCT_TRY(oct_linear_pack(&full, keeper, &conv->linear));
    return size_up(conv, keeper);
}

static size_t in_elements(const oct_conv *conv)
{
    return conv->shape.batch * conv->shape.in_h * conv->shape.in_w * conv->shape.in_c;
}

/* Depthwise kernels, strips and Winograd want some lines of buffer per thread; the others want the staged input, which all threads
 * share. */
size_t oct_conv_scratch(const oct_conv *conv, int threads)
{
    if (conv->thread_scratch > 0)
        return conv->shared_scratch + conv->thread_scratch * (size_t)threads;
    return conv->widen ? in_elements(conv) * conv->elem_bytes : 0;
}

/* Pointers into scratch memory where the input is copied: it always lies at the same place, so this is done once, not per run. */
void oct_conv_connect(const oct_conv_call *call)
{
    const oct_conv *conv = call->conv;
    if (in_strips(conv))
        oct_strips_connect(&conv->strips, call->scratch, call->pointers);
    else if (!conv->depthwise && !conv->winograd && conv->lowering == OCT_LOWERING_DIRECT)
        oct_conv_rows(&conv->shape, conv->widen ? call->scratch : call->in, conv->elem_bytes, conv->padding, call->pointers);
}

const char *oct_conv_algo_name(const oct_conv *conv)
{
    return conv->depthwise ? "depthwise" : conv->winograd ? "winograd" : oct_lowering_name(conv->lowering);
}

/* --------------------------------------------------------------------------------------------- executing ---- */

/* What the workers of one call share. */
typedef struct work {
    const oct_conv_call *call;
    const oct_kernels *kernels;
    uint8_t x_zero;
    size_t units_per_group;
} work;

/* Input pixels [begin, end) into scratch memory, u8 to s16 minus the zero point: so padding is 0, and the products need no
 * correction. */
static void stage(void *arg, size_t begin, size_t end, int thread)
{
    const work *w = arg;
    const oct_conv *conv = w->call->conv;
    const size_t c = conv->shape.in_c;
    (void)thread;
    w->kernels->widen_u8_s16((end - begin) * c, (const uint8_t *)w->call->in + begin * c, w->x_zero,
                             (int16_t *)w->call->scratch + begin * c);
}

/* The epilogue of one group with all addresses. */
static oct_epilogue group_epilogue(const oct_conv_call *call, size_t group)
{
    const oct_linear *linear = &call->conv->linear;
    const size_t n = linear->columns / linear->groups, out_bytes = linear->e.out_elem == OCT_ELEM_U8 ? 1 : sizeof(float);
    oct_epilogue e = oct_linear_job(linear, group).e;
    e.out = (uint8_t *)call->out + group * n * out_bytes;
    e.out_ld = call->out_ld ? call->out_ld : linear->columns;
    if (call->residual) {
        e.residual = (const uint8_t *)call->residual + group * n * out_bytes;
        e.residual_ld = linear->columns;
    }
    return e;
}

/* The job of one group with all addresses. A matrix's rows are in_c apart whatever the group; the output's are
 * all columns apart. */
static oct_gemm_job group_job(const oct_conv_call *call, size_t group)
{
    const oct_conv *conv = call->conv;
    oct_gemm_job job = oct_linear_job(&conv->linear, group);
    job.e = group_epilogue(call, group);
    job.m = conv->rows;
    if (conv->lowering == OCT_LOWERING_MATRIX) {
        job.a = (const uint8_t *)(conv->widen ? call->scratch : call->in) + group * conv->k * conv->elem_bytes;
        job.lda = conv->shape.in_c;
    } else {
        job.rows = call->pointers;
        job.a_offset = group * conv->k;
        job.padding = conv->padding;
    }
    return job;
}

/* Unit u is unit u % units_per_group of group u / units_per_group; a piece may span several groups. */
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

/* Strips [begin, end). */
static void strips(void *arg, size_t begin, size_t end, int thread)
{
    const work *w = arg;
    const oct_conv *conv = w->call->conv;
    const oct_strips_job job = {.strips = &conv->strips, .kernels = w->kernels, .gemm = group_job(w->call, 0), .in = w->call->in,
                                .in_zero = w->x_zero, .pointers = w->call->pointers, .connected = w->call->scratch};
    oct_strips_run(&job, begin, end, (uint8_t *)w->call->scratch + (size_t)thread * conv->thread_scratch);
}

/* Output rows [begin, end) of batch * out_h. They are one stretch of memory, so an activation that is no clamp passes over them
 * as one. */
static void depthwise(void *arg, size_t begin, size_t end, int thread)
{
    const oct_conv_call *call = ((const work *)arg)->call;
    const oct_conv *conv = call->conv;
    const oct_linear *linear = &conv->linear;
    oct_depthwise_job job = {.shape = &conv->shape, .in = call->in, .packed = linear->depthwise_packed, .in_zero = conv->x_zero};
    job.e = linear->e;
    job.e.out = call->out;
    job.e.out_ld = conv->shape.out_c;
    linear->depthwise->run(&job, begin, end, (uint8_t *)call->scratch + (size_t)thread * conv->thread_scratch);
    if (linear->post.fn) {
        const size_t row = conv->shape.out_w * conv->shape.out_c;
        linear->post.fn(linear->post.arg, (float *)call->out + begin * row, (end - begin) * row);
    }
}

/* One phase of a Winograd convolution. */
typedef struct winograd_phase {
    oct_winograd_job job;
    size_t phase;
    uint8_t *scratch;          /* of all threads */
    size_t thread_scratch;
} winograd_phase;

static void run_phase(void *arg, size_t begin, size_t end, int thread)
{
    const winograd_phase *p = arg;
    oct_winograd_run(&p->job, p->phase, begin, end, p->scratch + (size_t)thread * p->thread_scratch);
}

/* Each phase is shared out by itself; macs: of the direct way, of which a quarter and the transforms remain. */
static void winograd(const oct_conv_call *call, double macs, oct_pool *pool)
{
    const oct_conv *conv = call->conv;
    const size_t phases = oct_winograd_phases(&conv->tiles);
    winograd_phase p = {.scratch = (uint8_t *)call->scratch + conv->shared_scratch, .thread_scratch = conv->thread_scratch};
    p.job = (oct_winograd_job){.plan = &conv->tiles, .packed = conv->linear.packed, .in = call->in, .padding = conv->padding,
                               .e = group_epilogue(call, 0), .post = conv->linear.post, .shared = call->scratch};
    p.job.start = conv->start ? (const void *)conv->start : p.job.e.bias;
    for (p.phase = 0; p.phase < phases; p.phase++) {
        const size_t units = oct_winograd_units(&conv->tiles, p.phase);
        const double share = phases == 1 ? 0.35 : p.phase == 0 ? 0.05 : 0.3;
        oct_pool_run(pool, run_phase, &p, units, oct_grain(units, oct_multiply_time(share * macs, conv->linear.u8)));
    }
}

/* All that depends on the input's scale and zero point, where these have just been found. */
static void adapt(const oct_conv_call *call)
{
    const oct_conv *conv = call->conv;
    oct_linear_rescale(&conv->linear, *call->x);
    if (conv->start)
        fill_start(conv);
    if (conv->padding && !conv->widen)
        memset(conv->padding, call->x->zero, padding_elements(conv));
}

/* Staging and products are two phases with a join between them: a row pointer may lead to any staged row. The times only decide how
 * finely the work is cut (grain.h). */
void oct_conv_execute(const oct_conv_call *call, const oct_kernels *kernels, oct_pool *pool)
{
    const oct_conv *conv = call->conv;
    const oct_conv_shape *s = &conv->shape;
    const double macs = (double)conv->rows * (double)s->out_c * (double)(conv->shape.kernel_h * conv->shape.kernel_w) *
                        (double)(s->in_c / s->groups);
    work w = {.call = call, .kernels = kernels, .x_zero = call->x ? (uint8_t)call->x->zero : conv->x_zero};
    if (call->x)
        adapt(call);
    if (conv->depthwise) {
        const size_t units = s->batch * s->out_h;
        oct_pool_run(pool, depthwise, &w, units, oct_grain(units, oct_depthwise_time(macs, conv->linear.u8)));
        return;
    }
    if (conv->winograd) {
        winograd(call, macs, pool);
        return;
    }
    if (in_strips(conv)) {
        const size_t units = oct_strips_units(&conv->strips);
        oct_pool_run(pool, strips, &w, units, oct_grain(units, oct_multiply_time(macs, conv->linear.u8)));
        return;
    }
    if (conv->widen) {
        const size_t pixels = s->batch * s->in_h * s->in_w;
        oct_pool_run(pool, stage, &w, pixels, oct_grain(pixels, oct_move_time((double)oct_conv_scratch(conv, 1))));
    }
    const oct_gemm_job first = group_job(call, 0);
    w.units_per_group = oct_gemm_units(&first);
    const size_t units = conv->linear.groups * w.units_per_group;
    oct_pool_run(pool, multiply, &w, units, oct_grain(units, oct_multiply_time(macs, conv->linear.u8)));
}

/* Packing a linear layer: per-column numbers first, then the weights.
 *
 * Numbers of column c of a quantized layer, with b the bias in units of x_scale * w_scale[c]:
 *
 *   acc_bias[c] = b - (z - shift) * sum(w[c])   because sum((x - z) * w) = sum((x - shift) * w) - (z - shift) * sum(w)
 *                                               shift: what the kernel takes from x by itself; z for rows widened to x - z
 *   mult[c]     = x_scale * w_scale[c] / y_scale, in double, rounded once
 *
 * A dynamic layer is packed with x_scale = 1 and z = 0; every run then computes
 *
 *   acc_bias[c] - z * sum(w[c])   and   x_scale * w_scale[c]
 *
 * With f32 output the bias is added as a real number after scaling, so b = 0 there and mult[c] has no y_scale.
 *
 * Range: every partial sum of acc_bias + x * w lies in +-(|b| + 255 * sum|w|), for with P and Q the sums of the positive and
 * negative weights it is at most b - z*(P - Q) + 255*P <= b + (255 - z)*P + z*Q. oct_gemm_provable holds that below 2^31.
 *
 * From plain order to panels (two groups of 5 columns, panels 4 wide):
 *
 *   plain     | g0: c0 c1 c2 c3 c4 | g1: c0 c1 c2 c3 c4 |
 *   padded    | g0: c0 c1 c2 c3 | c4 -- -- -- | (to 64 bytes) | g1: c0 ..
 */
#include "prepack.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "status.h"

/* Half of the range of a 32-bit integer is left for a second term of the same size (a residual, the other side of an addition).
 * Written as !(a < b), the test refuses a NaN too. */
oct_status oct_scale_ratio(double from, double to, double taps, float *ratio)
{
    const double exact = from / to;
    if (!(exact * 255 * taps < 1073741824.0))
        return oct_fail(OCT_ERR_FORMAT, "the scales %g and %g are too far apart", from, to);
    *ratio = (float)exact;
    return OCT_OK;
}

/* --------------------------------------------------------------------------------------------- columns ---- */

/* The epilogue's numbers, one per column, in plain order. */
typedef struct columns {
    float *bias, *mult;
    int32_t *acc_bias;   /* before the panels are known: b alone */
    int32_t *sum;        /* of the column's weights */
} columns;

static void free_columns(columns *c)
{
    oct_free(c->bias);
    oct_free(c->mult);
    oct_free(c->acc_bias);
    oct_free(c->sum);
}

/* The bias of column c as an integer. With f32 output it stays a real number and the accumulator starts without it. A bias that
 * does not fit 32 bits would have to be as large as 2^31 products. */
static oct_status integer_bias(const oct_linear_desc *desc, size_t c, int32_t *bias)
{
    *bias = 0;
    if (!desc->out_u8)
        return OCT_OK;
    if (desc->bias_units)
        *bias = desc->bias_units[c];
    if (!desc->bias)
        return OCT_OK;
    const double exact = nearbyint((double)desc->bias[c] / ((double)desc->x_scale * (double)desc->w_scale[c]));
    if (!(fabs(exact) < 2147483648.0))
        return oct_fail(OCT_ERR_FORMAT, "output channel %zu: its bias %g does not fit 32 bits at its scale", c,
                        (double)desc->bias[c]);
    *bias = (int32_t)exact;
    return OCT_OK;
}

/* What f32 output adds: the caller's real bias, or the integer one brought back to real numbers. */
static float real_bias(const oct_linear_desc *desc, size_t c)
{
    if (desc->bias)
        return desc->bias[c];
    if (desc->bias_units)
        return (float)(desc->bias_units[c] * ((double)desc->x_scale * (double)desc->w_scale[c]));
    return 0;
}

/* With a residual, both terms of the sum get half of the range that rounding to 32 bits has. */
static bool provable(const oct_linear_desc *desc, const int8_t *w, size_t count, int32_t bias, float mult)
{
    if (!desc->out_u8)
        return isfinite(mult) && oct_gemm_provable(w, count, 0, 1.0f);
    return oct_gemm_provable(w, count, bias, desc->residual ? 2 * mult : mult);
}

/* Proved first, summed afterwards: the sum is safe because of the proof. */
static oct_status quantized_column(const oct_linear_desc *desc, size_t c, columns *out)
{
    const size_t count = desc->taps * desc->k;
    const int8_t *w = (const int8_t *)desc->weights + c * count;
    int32_t bias;
    const float mult = (float)((double)desc->x_scale * (double)desc->w_scale[c] / (desc->out_u8 ? (double)desc->y_scale : 1.0));
    if (memchr(w, -128, count))
        return oct_fail(OCT_ERR_FORMAT, "output channel %zu: a weight is -128; s8 weights lie in [-127, 127]", c);
    OCT_TRY(integer_bias(desc, c, &bias));
    if (!provable(desc, w, count, bias, mult))
        return oct_fail(OCT_ERR_FORMAT, "output channel %zu: its sums or its multiplier %g could leave 32 bits", c, (double)mult);
    out->acc_bias[c] = bias;
    out->sum[c] = oct_weight_sum(w, count);  /* |sum| * 255 < 2^31: just proved */
    out->mult[c] = mult;
    return OCT_OK;
}

static oct_status compute_columns(const oct_linear_desc *desc, columns *c)
{
    c->bias = oct_alloc(desc->columns, sizeof *c->bias);
    c->mult = oct_alloc(desc->columns, sizeof *c->mult);
    c->acc_bias = oct_alloc(desc->columns, sizeof *c->acc_bias);
    c->sum = oct_alloc(desc->columns, sizeof *c->sum);
    if (!c->bias || !c->mult || !c->acc_bias || !c->sum)
        return oct_fail_memory(desc->columns * sizeof(float));
    for (size_t i = 0; i < desc->columns; i++) {
        c->bias[i] = real_bias(desc, i);
        if (desc->u8)
            OCT_TRY(quantized_column(desc, i, c));
    }
    return OCT_OK;
}

/* A dynamic layer may meet any zero point; what a sum can reach is linear in it, so its ends decide. */
bool oct_linear_winograd_provable(const oct_linear_desc *desc)
{
    const size_t count = desc->taps * desc->k;
    for (size_t c = 0; desc->u8 && c < desc->columns; c++) {
        const int8_t *w = (const int8_t *)desc->weights + c * count;
        int32_t bias;
        if (integer_bias(desc, c, &bias) != OCT_OK)
            return false;
        if (!oct_winograd_provable(w, count, bias, desc->dynamic ? 0 : (uint8_t)desc->x_zero) ||
            (desc->dynamic && !oct_winograd_provable(w, count, bias, 255)))
            return false;
    }
    return true;
}

/* -------------------------------------------------------------------------------------------- epilogue ---- */

/* Everything in the epilogue that is the same for all columns. */
static oct_status set_epilogue(const oct_linear_desc *desc, oct_linear *linear)
{
    oct_epilogue *e = &linear->e;
    oct_bounds bounds;
    OCT_TRY(oct_bounds_of(desc->act, desc->out_u8, desc->y_scale, desc->y_zero, &bounds));
    *e = (oct_epilogue){.lo = bounds.lo, .hi = bounds.hi, .qlo = bounds.qlo, .qhi = bounds.qhi};
    e->out_elem = desc->out_u8 ? OCT_ELEM_U8 : OCT_ELEM_F32;
    linear->activator = (oct_activator){.kernels = desc->kernels, .f = bounds.rest};
    if (bounds.rest)
        linear->post = (oct_post){.fn = oct_activate_row, .arg = &linear->activator};
    if (!desc->out_u8)
        return OCT_OK;
    e->out_zero = desc->y_zero;
    e->out_mult = 1.0f / desc->y_scale;
    if (desc->residual && !desc->u8)
        return oct_fail(OCT_ERR_UNSUPPORTED, "an f32 layer with a u8 result cannot take a residual");
    if (desc->residual) {
        e->residual_zero = desc->residual_zero;
        OCT_TRY(oct_scale_ratio((double)desc->residual_scale, (double)desc->y_scale, 1, &e->residual_mult));
    }
    return OCT_OK;
}

/* ---------------------------------------------------------------------------------------------- panels ---- */

static size_t elem_size(bool u8) { return u8 ? sizeof(int8_t) : sizeof(float); }

/* Column numbers of one group, to where its panels look for them. Narrow panels may come from another entry than wide ones, with
 * another idea of what it takes from x, so the zero point's share is settled per panel. Columns beyond the last stay zero, as the
 * keeper gave them. */
static void spread_columns(const oct_linear_desc *desc, const oct_packed *packed, const columns *from, size_t first,
                           const columns *to)
{
    const size_t panels = oct_panel_count(packed->variants, packed->n);
    for (size_t p = 0; p < panels; p++) {
        const oct_panel panel = oct_panel_at(packed, p);
        const size_t source = first + panel.n0;
        memcpy(to->bias + panel.column, from->bias + source, panel.n * sizeof *to->bias);
        memcpy(to->mult + panel.column, from->mult + source, panel.n * sizeof *to->mult);
        /* Winograd's rows are s16 too, but sums of pixels as they are. */
        const bool owed = desc->winograd || panel.entry->a_elem == OCT_ELEM_U8;
        const int32_t share = owed ? desc->x_zero - panel.entry->a_shift : 0;
        for (size_t c = 0; c < panel.n; c++)
            to->acc_bias[panel.column + c] = from->acc_bias[source + c] - share * from->sum[source + c];
        if (to->sum && owed)
            memcpy(to->sum + panel.column, from->sum + source, panel.n * sizeof *to->sum);
    }
}

static columns group_columns(const columns *all, size_t offset)
{
    return (columns){.bias = all->bias + offset, .mult = all->mult + offset, .acc_bias = all->acc_bias + offset,
                     .sum = all->sum ? all->sum + offset : NULL};
}

/* What was computed for scale 1 and zero point 0 steps back, and the epilogue reads what each run makes of it. */
static oct_status make_waiting(const columns *spread, size_t count, oct_keeper *keeper, oct_linear *linear)
{
    oct_waiting *w = &linear->waiting;
    *w = (oct_waiting){.count = count,
                       .acc_bias = spread->acc_bias,
                       .sum = spread->sum,
                       .w_scale = spread->mult,
                       .acc_bias_now = oct_keep(keeper, count, sizeof(int32_t)),
                       .mult_now = oct_keep(keeper, count, sizeof(float))};
    if (!w->acc_bias_now || !w->mult_now)
        return oct_fail_memory(count * sizeof(float));
    linear->e.acc_bias = w->acc_bias_now;
    linear->e.mult = w->mult_now;
    return OCT_OK;
}

/* |z * sum| <= 255 * sum|w| < 2^31, which oct_gemm_provable has shown. A product beyond all floats stays finite, so that nothing
 * times it is still nothing. */
void oct_linear_rescale(const oct_linear *linear, oct_run_scale x)
{
    const oct_waiting *w = &linear->waiting;
    for (size_t c = 0; c < w->count; c++) {
        w->acc_bias_now[c] = w->acc_bias[c] - x.zero * w->sum[c];
        w->mult_now[c] = fminf(x.scale * w->w_scale[c], FLT_MAX);
    }
}

/* The weights of one group into panels, transformed first for Winograd. */
static void pack_now(const oct_pack_job *job)
{
    const void *w = job->weights;
    if (job->winograd)
        job->u8 ? oct_winograd_pack_u8s8(job->packed, w, job->data) : oct_winograd_pack_f32(job->packed, w, job->data);
    else
        job->u8 ? oct_pack_u8s8(job->packed, w, job->data) : oct_pack_f32(job->packed, w, job->data);
}

/* At once or later. */
static oct_status pack_weights(const oct_linear_desc *desc, const oct_pack_job *job)
{
    oct_pack_queue *queue = desc->queue;
    if (!queue) {
        pack_now(job);
        return OCT_OK;
    }
    if (queue->count == queue->room) {
        const size_t room = queue->room ? 2 * queue->room : 64;
        oct_pack_job *grown = oct_grow(queue->jobs, queue->count, room, sizeof *grown);
        if (!grown)
            return oct_fail_memory(room * sizeof *grown);
        queue->jobs = grown;
        queue->room = room;
    }
    queue->jobs[queue->count++] = *job;
    return OCT_OK;
}

/* The last ones first: they are mostly the largest, and the small ones then fill what time is left to either thread. */
static void work_pack(void *arg, size_t begin, size_t end, int thread)
{
    const oct_pack_queue *queue = arg;
    (void)thread;
    for (size_t i = begin; i < end; i++)
        pack_now(&queue->jobs[queue->count - 1 - i]);
}

void oct_pack_waiting(oct_pack_queue *queue, oct_pool *pool)
{
    if (pool)
        oct_pool_run(pool, work_pack, queue, queue->count, 1);
    oct_free(queue->jobs);
    *queue = (oct_pack_queue){0};
}

/* Groups one after the other, each padded to whole cache lines, so that every group's panels are aligned as one alone would be. */
static oct_status pack_groups(const oct_linear_desc *desc, const oct_gemm_entry *variants, const columns *plain, oct_keeper *keeper,
                              oct_linear *linear)
{
    const size_t n = desc->columns / desc->groups, count = desc->taps * desc->k;
    /* The kernels read whole vectors of column numbers, which have to be aligned for every group. */
    const size_t padded = oct_align_up(oct_padded_columns(variants, n) * sizeof(float)) / sizeof(float);
    const size_t taps = desc->winograd ? oct_winograd_taps(desc->winograd->entry, desc->winograd->weights) : desc->taps;
    const size_t bytes = oct_align_up(oct_packed_bytes(variants, n, taps, desc->k));
    const columns spread = {.bias = oct_keep(keeper, desc->groups * padded, sizeof(float)),
                            .mult = oct_keep(keeper, desc->groups * padded, sizeof(float)),
                            .acc_bias = oct_keep(keeper, desc->groups * padded, sizeof(int32_t)),
                            .sum = desc->dynamic ? oct_keep(keeper, desc->groups * padded, sizeof(int32_t)) : NULL};
    uint8_t *data = oct_keep_raw(keeper, desc->groups, bytes);
    linear->packed = oct_keep(keeper, desc->groups, sizeof *linear->packed);
    if (!spread.bias || !spread.mult || !spread.acc_bias || (desc->dynamic && !spread.sum) || !data || !linear->packed)
        return oct_fail_memory(desc->groups * bytes);
    for (size_t g = 0; g < desc->groups; g++) {
        oct_packed *packed = &linear->packed[g];
        const columns to = group_columns(&spread, g * padded);
        const uint8_t *w = (const uint8_t *)desc->weights + g * n * count * elem_size(desc->u8);
        *packed = (oct_packed){.variants = variants, .n = n, .taps = taps, .k = desc->k, .transpose = desc->kernels->transpose_x32};
        const oct_pack_job job = {.u8 = desc->u8, .winograd = desc->winograd != NULL, .packed = packed, .weights = w,
                                  .data = data + g * bytes};
        OCT_TRY(pack_weights(desc, &job));
        spread_columns(desc, packed, plain, g * n, &to);
    }
    if (desc->winograd) {
        linear->winograd = desc->winograd->entry;
        linear->expanded = desc->winograd->weights == OCT_WINOGRAD_EXPANDED;
    }
    linear->padded = padded;
    linear->entry = variants;
    linear->e.bias = spread.bias;
    linear->e.mult = spread.mult;
    linear->e.acc_bias = spread.acc_bias;
    return desc->dynamic ? make_waiting(&spread, desc->groups * padded, keeper, linear) : OCT_OK;
}

/* The entry lays the channel numbers out by itself; it always takes u8 rows, so the zero point's term is always in. */
static oct_status pack_depthwise(const oct_linear_desc *desc, columns *plain, oct_keeper *keeper, oct_linear *linear)
{
    const oct_depthwise_entry *entry = desc->u8 ? desc->kernels->depthwise_u8s8 : desc->kernels->depthwise_f32;
    while (!entry->accepts(desc->depthwise))
        entry++;  /* the last accepts everything */
    for (size_t c = 0; c < desc->columns; c++)
        plain->acc_bias[c] -= desc->x_zero * plain->sum[c];
    const oct_depthwise_params params = {
        .weights = desc->weights, .bias = plain->bias, .acc_bias = plain->acc_bias, .mult = plain->mult};
    linear->depthwise = entry;
    linear->depthwise_packed = oct_keep(keeper, entry->packed_bytes(desc->depthwise), 1);
    if (!linear->depthwise_packed)
        return oct_fail_memory(entry->packed_bytes(desc->depthwise));
    entry->pack(desc->depthwise, &params, linear->depthwise_packed);
    return OCT_OK;
}

/* Numbers that depend on a column only are computed once in plain order, then copied to where the panels look for them. */
oct_status oct_linear_pack(const oct_linear_desc *desc, oct_keeper *keeper, oct_linear *linear)
{
    columns plain = {0};
    const oct_gemm_entry *variants = desc->winograd ? desc->winograd->entry->gemm
                                     : desc->u8     ? oct_gemm_variants_u8s8(desc->kernels, desc->rows)
                                                    : oct_gemm_variants_f32(desc->kernels, desc->rows);
    *linear = (oct_linear){.u8 = desc->u8, .groups = desc->groups, .columns = desc->columns};
    OCT_TRY(set_epilogue(desc, linear));
    oct_status status = compute_columns(desc, &plain);
    if (status == OCT_OK)
        status =
            desc->depthwise ? pack_depthwise(desc, &plain, keeper, linear) : pack_groups(desc, variants, &plain, keeper, linear);
    free_columns(&plain);
    return status;
}

/* A copy: jobs of several threads and calls may differ in their addresses. */
oct_gemm_job oct_linear_job(const oct_linear *linear, size_t group)
{
    oct_gemm_job job = {.packed = &linear->packed[group], .e = linear->e, .post = linear->post};
    job.e.bias += group * linear->padded;
    job.e.mult += group * linear->padded;
    job.e.acc_bias += group * linear->padded;
    return job;
}

void oct_linear_kernel_name(const oct_linear *linear, char *text, size_t size)
{
    const char *type = linear->u8 ? "u8s8" : "f32";
    if (linear->depthwise)
        snprintf(text, size, "depthwise_%s %s", type, linear->depthwise->name);
    else if (linear->winograd)
        snprintf(text, size, "winograd_%s %s%s", type, linear->winograd->name, linear->expanded ? ", expanding" : "");
    else
        snprintf(text, size, "gemm_%s %s", type, oct_panel_at(&linear->packed[0], 0).entry->name);
}

/* check_winograd.c - the checkers of Winograd entries: transforms, products and the loops round them, on whole small convolutions
 * of all sizes and paddings. Integers must equal the direct sum; floats keep to winograd_bound.h. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_check.h"
#include "winograd.h"
#include "winograd_bound.h"

typedef void winograd_packer(oct_packed *packed, const void *w, void *data);

/* One convolution. The plain data is what the oracle reads. */
typedef struct winograd_case {
    const oct_winograd_entry *entry;
    winograd_packer *pack;
    bool u8s8;
    oct_winograd_weights weights;
    size_t threads;             /* decides the way the work is cut; one does it all */
    oct_conv_shape shape;
    void *in, *w;
    layer_data data;
    double *sizes;              /* f32 */
    guard_side side;
    oct_winograd plan;
    oct_packed packed;
    void *panels, *scratch;
    oct_winograd_job job;
    canary_area area;
} winograd_case;

static size_t in_elements(const oct_conv_shape *s) { return s->batch * s->in_h * s->in_w * s->in_c; }
static size_t pixels(const oct_conv_shape *s) { return s->batch * s->out_h * s->out_w; }

/* Pads before and behind are independent, each up to the kernel's reach. */
static void random_axis(size_t *in, size_t *out, size_t *pad)
{
    const size_t behind = test_below(3);
    *pad = test_below(3);
    *out = 1 + test_below(17);
    while (*out + 2 <= *pad + behind)
        ++*out;
    *in = *out + 2 - *pad - behind;
}

static oct_conv_shape random_shape(void)
{
    oct_conv_shape s = {.batch = 1 + test_below(6) / 5, .kernel_h = 3, .kernel_w = 3, .stride_h = 1, .stride_w = 1, .dilation_h = 1,
                        .dilation_w = 1, .groups = 1};
    s.in_c = edge_size(70);
    s.out_c = test_below(3) ? edge_size(70) : 1 + test_below(150);
    random_axis(&s.in_h, &s.out_h, &s.pad_top);
    random_axis(&s.in_w, &s.out_w, &s.pad_left);
    return s;
}

/* Where a column's integer sums start: 576 (bias - zero * sum of the weights), modulo 2^32. */
static uint32_t start_of(const winograd_case *c, size_t column)
{
    const size_t count = 9 * c->shape.in_c;
    int32_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += ((const int8_t *)c->w)[column * count + i];
    return 576u * (uint32_t)(c->data.acc_bias[column] - c->data.layer.x_zero * sum);
}

/* Per-column arrays, each panel padded to its width; what no transform may read stays NULL. */
static void place_parameters(winograd_case *c)
{
    const oct_epilogue *e = &c->data.layer.e;
    const size_t width = oct_padded_columns(c->entry->gemm, c->shape.out_c);
    float *start = guarded(SLOT_ACC_BIAS, width * sizeof *start, 64, c->side);
    float *mult = guarded(SLOT_MULT, width * sizeof *mult, 64, c->side),
          *bias = guarded(SLOT_BIAS, width * sizeof *bias, 64, c->side);
    memset(start, 0, width * sizeof *start);
    memset(mult, 0, width * sizeof *mult);
    memset(bias, 0, width * sizeof *bias);
    for (size_t i = 0, count = oct_panel_count(c->entry->gemm, c->shape.out_c); i < count; i++) {
        const oct_panel p = oct_panel_at(&c->packed, i);
        memcpy(mult + p.column, c->data.mult + p.n0, p.n * sizeof *mult);
        memcpy(bias + p.column, c->data.bias + p.n0, p.n * sizeof *bias);
        for (size_t k = 0; k < p.n; k++) {
            const uint32_t units = c->u8s8 ? start_of(c, p.n0 + k) : 0;
            memcpy(start + p.column + k, c->u8s8 ? (const void *)&units : &c->data.bias[p.n0 + k], sizeof units);
        }
    }
    c->job.start = start;
    c->job.e = *e;
    c->job.e.mult = c->u8s8 ? mult : NULL;
    c->job.e.bias = c->u8s8 && e->out_elem == OCT_ELEM_F32 ? bias : NULL;
    c->job.e.acc_bias = NULL;
    if (e->residual)
        c->job.e.residual =
            guarded_copy(SLOT_RESIDUAL, e->residual,
                         ((pixels(&c->shape) - 1) * e->residual_ld + c->shape.out_c) * elem_bytes(e->out_elem), 1, c->side);
}

/* What the plan asks for, and not a byte more: packed weights, scratch, input and output, each at a guard page. */
static void place_job(winograd_case *c)
{
    const oct_conv_shape *s = &c->shape;
    const size_t size = c->u8s8 ? 1 : sizeof(float), out_size = elem_bytes(c->data.layer.e.out_elem),
                 ld = s->out_c + test_below(2) * 3;
    c->plan = oct_winograd_plan(s, c->entry, c->weights, c->threads);
    c->packed =
        (oct_packed){.variants = c->entry->gemm, .n = s->out_c, .taps = oct_winograd_taps(c->entry, c->weights), .k = s->in_c};
    c->panels = guarded(SLOT_B, oct_packed_bytes(c->entry->gemm, s->out_c, c->packed.taps, s->in_c), 64, c->side);
    c->scratch = guarded(SLOT_SCRATCH, oct_winograd_thread_scratch(&c->plan), 64, c->side);
    memset(c->scratch, 0xFF, oct_winograd_thread_scratch(&c->plan));
    c->job = (oct_winograd_job){.plan = &c->plan, .packed = &c->packed};
    c->job.shared = guarded(SLOT_POINTERS, oct_winograd_shared_scratch(&c->plan), 64, c->side);
    memset(c->job.shared, 0xFF, oct_winograd_shared_scratch(&c->plan));
    c->job.in = guarded_copy(SLOT_A, c->in, in_elements(s) * size, 1, c->side);
    void *padding = guarded(SLOT_TABLE, s->in_c * size, 1, c->side);
    memset(padding, c->u8s8 ? c->data.layer.x_zero : 0, s->in_c * size);
    c->job.padding = padding;
    place_parameters(c);
    c->area = canary_place(pixels(s), s->out_c * out_size, ld * out_size, c->side);
    c->job.e.out = c->area.out;
    c->job.e.out_ld = ld;
}

/* Packing is fenced too. Units backwards: they must not depend on each other. */
static void call_kernel(void *arg)
{
    winograd_case *c = arg;
    c->pack(&c->packed, c->w, c->panels);
    for (size_t phase = 0; phase < oct_winograd_phases(&c->plan); phase++)
        for (size_t unit = oct_winograd_units(&c->plan, phase); unit-- > 0;)
            oct_winograd_run(&c->job, phase, unit, unit + 1, c->scratch);
}

static void describe_failure(const winograd_case *c, check_report *report, const char *what)
{
    const oct_conv_shape *s = &c->shape;
    report_fail(report, "%s: in %zux%zux%zux%zu, pad %zu %zu, out %zux%zux%zu %s%s, %s weights, %zu threads, zero %d, guard %s: %s",
                c->entry->name, s->batch, s->in_h, s->in_w, s->in_c, s->pad_top, s->pad_left, s->out_h, s->out_w, s->out_c,
                c->data.layer.e.out_elem == OCT_ELEM_F32 ? "f32" : "u8", c->job.e.residual ? " with residual" : "",
                c->weights == OCT_WINOGRAD_STORED ? "stored" : "expanded", c->threads, (int)c->data.layer.x_zero,
                c->side == GUARD_BEHIND ? "behind" : "before", what);
}

/* The direct sum; for floats with the transform's tolerance instead of the direct one, which the epilogue's own roundings join. */
static oracle_value expected_value(const winograd_case *c, size_t pixel, size_t channel)
{
    oracle_value v = oracle_conv(&c->data.layer, &c->shape, c->in, c->w, pixel, channel);
    if (!c->u8s8) {
        const double wide =
            winograd_factor(&c->shape) * (c->sizes[pixel * c->shape.out_c + channel] + fabs((double)c->data.bias[channel]));
        v.tolerance += c->data.layer.e.out_elem == OCT_ELEM_F32 ? wide : wide * (double)c->data.layer.e.out_mult;
    }
    return v;
}

/* Every element against the oracle; the first wrong one is reported. */
static void compare(const winograd_case *c, check_report *report)
{
    const oct_elem elem = c->data.layer.e.out_elem;
    for (size_t i = 0; i < pixels(&c->shape) * c->shape.out_c; i++) {
        const size_t pixel = i / c->shape.out_c, channel = i % c->shape.out_c;
        const uint8_t *row = c->area.out + pixel * c->area.ld_bytes;
        const oracle_value expected = expected_value(c, pixel, channel);
        if (same_element(&c->data.layer, row, channel, expected))
            continue;
        char what[160];
        snprintf(what, sizeof what, "y %zu x %zu channel %zu is %.9g, expected %.9g +- %.3g", pixel / c->shape.out_w,
                 pixel % c->shape.out_w, channel, elem_at(elem, row, channel), expected.value, expected.tolerance);
        describe_failure(c, report, what);
        return;
    }
}

static void judge(winograd_case *c, check_report *report)
{
    place_job(c);
    report->cases++;
    if (!survives(call_kernel, c))
        describe_failure(c, report, "touched memory outside its buffers");
    else if (!canary_intact(&c->area))
        describe_failure(c, report, "wrote outside its output");
    else
        compare(c, report);
}

/* Data of one kind, a layer with everything an epilogue may have, and the guard pages on either side. Integers: 127 * 255 * 9 * 70
 * < 2^25, so all are provable. */
static void run_case(winograd_case *c, check_report *report)
{
    const oct_conv_shape *s = &c->shape;
    const data_kind kind = (data_kind)test_below(DATA_KINDS);
    const oct_elem natural = c->u8s8 ? OCT_ELEM_U8 : OCT_ELEM_F32, other = c->u8s8 ? OCT_ELEM_F32 : OCT_ELEM_U8;
    c->in = malloc(in_elements(s) * 4);
    c->w = malloc(s->out_c * 9 * s->in_c * 4);
    if (c->u8s8) {
        fill_u8(c->in, in_elements(s), kind);
        fill_s8(c->w, s->out_c * 9 * s->in_c, kind);
    } else {
        fill_f32(c->in, in_elements(s), kind);
        fill_f32(c->w, s->out_c * 9 * s->in_c, kind);
        c->sizes = winograd_sizes(s, c->in, c->w);
    }
    c->data = layer_make(c->u8s8, pixels(s), s->out_c, 9 * s->in_c, c->w, kind, test_below(4) ? natural : other, test_below(2));
    for (int side = 0; side < 2 && !report->failed; side++) {
        c->side = (guard_side)side;
        judge(c, report);
    }
    layer_free(&c->data);
    free(c->in);
    free(c->w);
    free(c->sizes);
}

/* An entry that a weaker level has as well was judged there. */
static void check_entry(const oct_winograd_entry *entry, const oct_winograd_entry *base, bool u8s8, winograd_packer *pack,
                        check_report *report)
{
    const bool known =
        base && base->input == entry->input && base->output == entry->output && base->gemm[0].fn == entry->gemm[0].fn;
    if (!entry->input || known)
        return;
    for (int i = 0; i < 240 && !report->failed; i++) {
        winograd_case c = {.entry = entry, .pack = pack, .u8s8 = u8s8, .shape = random_shape(), .threads = test_below(2) ? 1 : 2};
        c.weights = entry->expand && test_below(2) ? OCT_WINOGRAD_EXPANDED : OCT_WINOGRAD_STORED;
        run_case(&c, report);
    }
}

static void pack_f32(oct_packed *packed, const void *w, void *data) { oct_winograd_pack_f32(packed, w, data); }

void check_winograd_f32(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    check_entry(&kernels->winograd_f32, base ? &base->winograd_f32 : NULL, false, pack_f32, report);
}

static void pack_u8s8(oct_packed *packed, const void *w, void *data) { oct_winograd_pack_u8s8(packed, w, data); }

void check_winograd_u8s8(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    check_entry(&kernels->winograd_u8s8, base ? &base->winograd_u8s8 : NULL, true, pack_u8s8, report);
}

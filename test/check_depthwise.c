/* check_depthwise.c - the checkers of depthwise kernels: many shapes, every entry that accepts them, packing and running between
 * guard pages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_check.h"

/* One convolution. The plain data is what the oracle reads. */
typedef struct depthwise_case {
    const oct_depthwise_entry *entry;
    bool u8s8;
    oct_conv_shape shape;
    size_t taps, rows, cut;     /* output rows [cut, rows) are computed first, then [0, cut) */
    void *in, *w;
    layer_data data;
    guard_side side;
    oct_depthwise_params params;
    oct_depthwise_job job;
    void *packed, *scratch;
    canary_area area;
    bool early_write;           /* the first call touched the second's rows */
} depthwise_case;

static size_t in_elements(const oct_conv_shape *s) { return s->batch * s->in_h * s->in_w * s->in_c; }

/* Sizes along one axis: pads before and behind are independent, each shorter than the kernel's reach. */
static void random_axis(size_t *in, size_t *out, size_t kernel, size_t stride, size_t dilation, size_t *pad)
{
    const size_t reach = dilation * (kernel - 1) + 1;
    *pad = test_below((uint32_t)reach);
    const size_t behind = test_below((uint32_t)reach);
    *in = 1 + test_below(18);
    while (*in + *pad + behind < reach)
        ++*in;
    *out = (*in + *pad + behind - reach) / stride + 1;
}

/* Shapes as networks have them, and some that only hostile models have; channels round every vector width. */
static oct_conv_shape random_shape(void)
{
    /* kernel height and width, stride, dilation: the common ones more often */
    static const uint8_t kinds[][4] = {{3, 3, 1, 1}, {3, 3, 1, 1}, {3, 3, 1, 1}, {3, 3, 2, 1}, {3, 3, 2, 1},
                                       {3, 3, 2, 1}, {5, 5, 1, 1}, {5, 5, 2, 1}, {7, 7, 1, 1}, {1, 1, 1, 1},
                                       {3, 3, 1, 2}, {2, 3, 2, 1}, {1, 5, 3, 2}};
    static const uint16_t channels[] = {1, 2, 3, 8, 15, 16, 17, 24, 31, 32, 33, 48, 63, 64, 65, 80, 96, 127, 128, 129, 512};
    const uint8_t *kind = kinds[test_below(sizeof kinds / sizeof kinds[0])];
    oct_conv_shape s = {.batch = 1 + test_below(8) / 7, .kernel_h = kind[0], .kernel_w = kind[1], .stride_h = kind[2],
                        .stride_w = kind[2], .dilation_h = kind[3], .dilation_w = kind[3]};
    if (test_below(10) == 0)
        s.stride_w = 3 - s.stride_w % 2;
    s.in_c = test_below(4) ? channels[test_below(sizeof channels / sizeof channels[0])] : 1 + test_below(140);
    s.groups = s.in_c;
    s.out_c = s.in_c * (test_below(10) ? 1 : 2);
    random_axis(&s.in_h, &s.out_h, s.kernel_h, s.stride_h, s.dilation_h, &s.pad_top);
    random_axis(&s.in_w, &s.out_w, s.kernel_w, s.stride_w, s.dilation_w, &s.pad_left);
    return s;
}

/* The weights and the per-channel arrays, unpadded, each at a guard page. */
static void place_parameters(depthwise_case *c)
{
    const size_t n = c->shape.out_c;
    const layer_data *d = &c->data;
    c->params.weights = guarded_copy(SLOT_B, c->w, n * c->taps * (c->u8s8 ? 1 : 4), 1, c->side);
    if (!c->u8s8 || d->layer.e.out_elem == OCT_ELEM_F32)
        c->params.bias = guarded_copy(SLOT_BIAS, d->bias, n * sizeof(float), 1, c->side);
    if (!c->u8s8)
        return;
    c->params.mult = guarded_copy(SLOT_MULT, d->mult, n * sizeof(float), 1, c->side);
    int32_t *acc_bias = guarded_copy(SLOT_ACC_BIAS, d->acc_bias, n * sizeof(int32_t), 1, c->side);
    for (size_t o = 0; o < n; o++)
        for (size_t i = 0; i < c->taps; i++)
            acc_bias[o] -= d->layer.x_zero * ((int8_t *)c->w)[o * c->taps + i];
    c->params.acc_bias = acc_bias;
}

/* What the entry asks for, and not a byte more: packed weights, scratch, input and output, each at a guard page. */
static void place_job(depthwise_case *c)
{
    const oct_conv_shape *s = &c->shape;
    const oct_elem out = c->data.layer.e.out_elem;
    const size_t row_bytes = s->out_c * elem_bytes(out);
    c->packed = guarded(SLOT_TABLE, c->entry->packed_bytes(s), 64, c->side);
    c->scratch = guarded(SLOT_SCRATCH, c->entry->scratch_bytes(s), 64, c->side);
    c->area = canary_place(s->batch * s->out_h * s->out_w, row_bytes, row_bytes, c->side);
    c->job = (oct_depthwise_job){.shape = s, .packed = c->packed, .in_zero = (uint8_t)c->data.layer.x_zero, .e = c->data.layer.e};
    c->job.in = guarded_copy(SLOT_A, c->in, in_elements(s) * (c->u8s8 ? 1 : 4), 1, c->side);
    c->job.e.bias = c->job.e.mult = NULL;
    c->job.e.acc_bias = NULL;
    c->job.e.out = c->area.out;
    c->job.e.out_ld = s->out_c;
}

/* Packing is fenced too. The rows are done in two calls, the later ones first, as two threads might. */
static void call_kernel(void *arg)
{
    depthwise_case *c = arg;
    c->entry->pack(&c->shape, &c->params, c->packed);
    c->entry->run(&c->job, c->cut, c->rows, c->scratch);
    c->early_write = !canary_untouched(&c->area, 0, c->cut * c->shape.out_w);
    c->entry->run(&c->job, 0, c->cut, c->scratch);
}

/* The shape in words. */
static void describe_failure(const depthwise_case *c, check_report *report, const char *what)
{
    const oct_conv_shape *s = &c->shape;
    report_fail(report,
                "%s: %zux%zu, stride %zu %zu, dilation %zu, in %zux%zux%zux%zu, pad %zu %zu, out %zux%zux%zu %s, guard %s: %s",
                c->entry->name, s->kernel_h, s->kernel_w, s->stride_h, s->stride_w, s->dilation_h, s->batch, s->in_h, s->in_w,
                s->in_c, s->pad_top, s->pad_left, s->out_h, s->out_w, s->out_c,
                c->data.layer.e.out_elem == OCT_ELEM_F32 ? "f32" : "u8", c->side == GUARD_BEHIND ? "behind" : "before", what);
}

/* Every element against the oracle; the first wrong one is reported. */
static void compare(const depthwise_case *c, check_report *report)
{
    const oct_conv_shape *s = &c->shape;
    for (size_t i = 0; i < s->batch * s->out_h * s->out_w * s->out_c; i++) {
        const oracle_value expected = oracle_conv(&c->data.layer, s, c->in, c->w, i / s->out_c, i % s->out_c);
        if (same_element(&c->data.layer, c->area.out, i, expected))
            continue;
        char what[160];
        snprintf(what, sizeof what, "y %zu x %zu channel %zu is %.9g, expected %.9g +- %.3g", i / s->out_c / s->out_w,
                 i / s->out_c % s->out_w, i % s->out_c, elem_at(c->data.layer.e.out_elem, c->area.out, i), expected.value,
                 expected.tolerance);
        describe_failure(c, report, what);
        return;
    }
}

/* Runs the case with the guard pages on one side. */
static void judge(depthwise_case *c, check_report *report)
{
    place_parameters(c);
    place_job(c);
    report->cases++;
    if (!survives(call_kernel, c))
        describe_failure(c, report, "touched memory outside its buffers");
    else if (!canary_intact(&c->area))
        describe_failure(c, report, "wrote outside its output");
    else if (c->early_write)
        describe_failure(c, report, "wrote rows it was not asked for");
    else
        compare(c, report);
}

/* Fills the case's data and judges it with the guard pages on either side. Mostly the natural output type, sometimes the other. */
static void run_case(depthwise_case *c, check_report *report)
{
    const oct_conv_shape *s = &c->shape;
    const data_kind kind = (data_kind)test_below(DATA_KINDS);
    c->taps = s->kernel_h * s->kernel_w;
    c->rows = s->batch * s->out_h;
    c->cut = test_below((uint32_t)c->rows + 1);
    c->in = malloc(in_elements(s) * 4);
    c->w = malloc(s->out_c * c->taps * 4);
    if (c->u8s8) {
        fill_u8(c->in, in_elements(s), kind);
        fill_s8(c->w, s->out_c * c->taps, kind);
    } else {
        fill_f32(c->in, in_elements(s), kind);
        fill_f32(c->w, s->out_c * c->taps, kind);
    }
    const oct_elem out =
        test_below(c->u8s8 ? 4 : 2) ? (c->u8s8 ? OCT_ELEM_U8 : OCT_ELEM_F32) : (c->u8s8 ? OCT_ELEM_F32 : OCT_ELEM_U8);
    c->data = layer_make(c->u8s8, 1, s->out_c, c->taps, c->w, kind, out, false);
    for (int side = 0; side < 2 && !report->failed; side++) {
        c->side = (guard_side)side;
        judge(c, report);
    }
    layer_free(&c->data);
    free(c->in);
    free(c->w);
}

/* Whether a weaker level has the same kernel. */
static bool listed(const oct_depthwise_entry *list, const oct_depthwise_entry *entry)
{
    for (; list && list->name; list++)
        if (list->run == entry->run)
            return true;
    return false;
}

/* Random shapes until the entry has seen enough of those it accepts. */
static void check_entry(const oct_depthwise_entry *entry, bool u8s8, check_report *report)
{
    int accepted = 0;
    for (int tries = 0; tries < 10000 && accepted < 300 && !report->failed; tries++) {
        depthwise_case c = {.entry = entry, .u8s8 = u8s8, .shape = random_shape()};
        if (!entry->accepts(&c.shape))
            continue;
        accepted++;
        run_case(&c, report);
    }
    if (accepted < 20)
        report_fail(report, "%s accepted only %d of 10000 shapes: give random_shape() some that suit it", entry->name, accepted);
}

/* Every entry that is new on this level; and the promise that the last one takes what all others refuse. */
static void check_list(const oct_depthwise_entry *list, const oct_depthwise_entry *base, bool u8s8, check_report *report)
{
    const oct_depthwise_entry *last = list;
    for (; list->name && !report->failed; last = list++)
        if (!listed(base, list))
            check_entry(list, u8s8, report);
    for (int i = 0; i < 200; i++) {
        const oct_conv_shape shape = random_shape();
        if (!last->name || !last->accepts(&shape))
            report_fail(report, "the last depthwise entry must accept every shape");
    }
}

void check_depthwise_f32(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    check_list(kernels->depthwise_f32, base ? base->depthwise_f32 : NULL, false, report);
}

void check_depthwise_u8s8(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    check_list(kernels->depthwise_u8s8, base ? base->depthwise_u8s8 : NULL, true, report);
}

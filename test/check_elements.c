/* check_elements.c - the checkers of everything that is not a product: kernels of one element, pools, binary, ranges, softmax,
 * transposes. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "add_grid.h"
#include "kernel_check.h"

static guard_side random_side(void) { return test_below(2) ? GUARD_BEHIND : GUARD_BEFORE; }

/* Sizes round every vector width, none, and something long. */
static size_t random_length(void) { return test_below(8) ? test_below(200) : test_below(3000); }

/* f32 data as it may come: all magnitudes, ties, infinities and NaNs. */
static void fill_wild(float *x, size_t n, bool specials)
{
    static const float special[] = {NAN, INFINITY, -INFINITY, -0.0f, 3e38f, -3e38f, 1e-40f};
    for (size_t i = 0; i < n; i++) {
        if (specials && test_below(16) == 0)
            x[i] = special[test_below(sizeof special / sizeof special[0])];
        else if (test_below(3) == 0)
            x[i] = (float)((int)test_below(601) - 300) + 0.5f;
        else
            x[i] = test_uniform(-300.0f, 300.0f);
    }
}

/* --------------------------------------------------------------------------- one element in, one out ---- */

/* The arguments of any of these kernels; each takes what it needs. */
typedef struct element_call {
    const oct_kernels *kernels;
    size_t n;
    const void *in;
    void *out;
    float scale, lo, hi;
    int32_t in_zero, out_zero;
    const uint8_t *table;
} element_call;

/* A row per kernel: how to call it, and what it must give for one element. */
typedef struct element_kernel {
    const char *name;
    oct_elem in, out;
    void (*call)(void *arg);                                        /* runs the kernel on an element_call */
    double (*expect)(const element_call *call, double x);           /* exactly */
} element_kernel;

/* clamp: a NaN becomes lo. */
static void call_clamp(void *arg)
{
    const element_call *c = arg;
    c->kernels->clamp_f32(c->n, c->in, c->lo, c->hi, c->out);
}
static double expect_clamp(const element_call *c, double x)
{
    if (isnan(x) || x < (double)c->lo)
        return (double)c->lo;
    return x > (double)c->hi ? (double)c->hi : x;
}

/* lut: any byte to any byte. */
static void call_lut(void *arg)
{
    const element_call *c = arg;
    c->kernels->lut_u8(c->n, c->in, c->table, c->out);
}
static double expect_lut(const element_call *c, double x) { return c->table[(size_t)x]; }

/* quantize: huge values and infinities saturate, a NaN gives 0. */
static void call_quantize(void *arg)
{
    const element_call *c = arg;
    c->kernels->quantize_f32_u8(c->n, c->in, c->scale, c->out_zero, c->out);
}
static double expect_quantize(const element_call *c, double x)
{
    const double scaled = (double)(float)(x * (double)c->scale);
    return isnan(scaled) ? 0.0 : oracle_requantize(fmax(fmin(scaled, 1e6), -1e6), c->out_zero, 0, 255);
}

/* dequantize: one rounding. */
static void call_dequantize(void *arg)
{
    const element_call *c = arg;
    c->kernels->dequantize_u8_f32(c->n, c->in, c->scale, c->in_zero, c->out);
}
static double expect_dequantize(const element_call *c, double x) { return (double)(float)((x - c->in_zero) * (double)c->scale); }

/* requantize: scale, round half to even, then shift. */
static void call_requantize(void *arg)
{
    const element_call *c = arg;
    c->kernels->requantize_u8(c->n, c->in, c->in_zero, c->scale, c->out_zero, c->out);
}
static double expect_requantize(const element_call *c, double x)
{
    return oracle_requantize((double)(float)((x - c->in_zero) * (double)c->scale), c->out_zero, 0, 255);
}

/* widen: nine bits. */
static void call_widen(void *arg)
{
    const element_call *c = arg;
    c->kernels->widen_u8_s16(c->n, c->in, c->in_zero, c->out);
}
static double expect_widen(const element_call *c, double x) { return x - c->in_zero; }

/* Compares n outputs; reports the first that differs. */
static void compare_elements(const element_kernel *kernel, const element_call *c, const void *before, check_report *report)
{
    for (size_t i = 0; i < c->n && !report->failed; i++) {
        const double x = elem_at(kernel->in, before, i), expected = kernel->expect(c, x), out = elem_at(kernel->out, c->out, i);
        if (out != expected)
            report_fail(report,
                        "%s: n %zu, element %zu: f(%.9g) is %.9g, expected %.9g (scale %.9g, zeros %d %d, lo %.9g, hi %.9g)",
                        kernel->name, c->n, i, x, out, expected, (double)c->scale, (int)c->in_zero, (int)c->out_zero, (double)c->lo,
                        (double)c->hi);
    }
}

/* One call between guard pages, perhaps in place. */
static void judge_element(const element_kernel *kernel, element_call *c, bool in_place, check_report *report)
{
    const size_t in_bytes = c->n * elem_bytes(kernel->in), out_bytes = c->n * elem_bytes(kernel->out);
    const guard_side side = random_side();
    void *before = malloc(in_bytes + 1);
    if (kernel->in == OCT_ELEM_F32)
        fill_wild(before, c->n, true);
    else
        fill_u8(before, c->n, DATA_RANDOM);
    const canary_area area = canary_place(1, out_bytes, out_bytes, side);
    c->out = area.out;
    c->in = in_place ? memcpy(area.out, before, in_bytes) : guarded_copy(SLOT_A, before, in_bytes, 1, side);
    report->cases++;
    if (!survives(kernel->call, c))
        report_fail(report, "%s: n %zu: touched memory outside its buffers", kernel->name, c->n);
    else if (!canary_intact(&area))
        report_fail(report, "%s: n %zu: wrote outside its output", kernel->name, c->n);
    else
        compare_elements(kernel, c, before, report);
    free(before);
}

/* Many lengths and settings; powers of two as scales make ties. */
static void check_element(const element_kernel *kernel, const oct_kernels *kernels, check_report *report)
{
    uint8_t table[256];
    for (int i = 0; i < 600 && !report->failed; i++) {
        fill_u8(table, sizeof table, DATA_RANDOM);
        const float scales[4] = {1.0f, 0.5f, test_uniform(0.0f, 3.0f), test_uniform(0.0f, 0.1f)};
        element_call c = {.kernels = kernels, .n = random_length(), .scale = scales[test_below(4)],
                          .in_zero = (int32_t)test_below(256), .out_zero = (int32_t)test_below(256)};
        c.lo = test_below(4) ? test_uniform(-200.0f, 100.0f) : -INFINITY;
        c.hi = test_below(4) ? fmaxf(c.lo, test_uniform(-100.0f, 250.0f)) : INFINITY;
        c.table = guarded_copy(SLOT_TABLE, table, sizeof table, 1, random_side());
        judge_element(kernel, &c, kernel->in == kernel->out && test_below(3) == 0, report);
    }
}

/* One row per kernel; nothing to do where the weaker level has the same function. */
void check_clamp(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    static const element_kernel kernel = {"clamp_f32", OCT_ELEM_F32, OCT_ELEM_F32, call_clamp, expect_clamp};
    if (!base || kernels->clamp_f32 != base->clamp_f32)
        check_element(&kernel, kernels, report);
}

void check_lut(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    static const element_kernel kernel = {"lut_u8", OCT_ELEM_U8, OCT_ELEM_U8, call_lut, expect_lut};
    if (!base || kernels->lut_u8 != base->lut_u8)
        check_element(&kernel, kernels, report);
}

void check_quantize(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    static const element_kernel kernel = {"quantize_f32_u8", OCT_ELEM_F32, OCT_ELEM_U8, call_quantize, expect_quantize};
    if (!base || kernels->quantize_f32_u8 != base->quantize_f32_u8)
        check_element(&kernel, kernels, report);
}

void check_dequantize(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    static const element_kernel kernel = {"dequantize_u8_f32", OCT_ELEM_U8, OCT_ELEM_F32, call_dequantize, expect_dequantize};
    if (!base || kernels->dequantize_u8_f32 != base->dequantize_u8_f32)
        check_element(&kernel, kernels, report);
}

void check_requantize(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    static const element_kernel kernel = {"requantize_u8", OCT_ELEM_U8, OCT_ELEM_U8, call_requantize, expect_requantize};
    if (!base || kernels->requantize_u8 != base->requantize_u8)
        check_element(&kernel, kernels, report);
}

void check_widen(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    static const element_kernel kernel = {"widen_u8_s16", OCT_ELEM_U8, OCT_ELEM_S16, call_widen, expect_widen};
    if (!base || kernels->widen_u8_s16 != base->widen_u8_s16)
        check_element(&kernel, kernels, report);
}

/* --------------------------------------------------------------------------------------------- pools ---- */

/* One of the four kernels and its job. */
typedef struct pool_call {
    void (*fn)(const oct_pool_job *job);
    oct_pool_job job;
} pool_call;

static void call_pool(void *arg)
{
    const pool_call *c = arg;
    c->fn(&c->job);
}

/* n elements of chance between guard pages of their own. */
static void *pool_row(size_t index, size_t n, bool u8, guard_side side)
{
    void *row = guarded_row(index, n * (u8 ? 1 : 4), side);
    if (u8)
        fill_u8(row, n, (data_kind)test_below(DATA_KINDS));
    else
        fill_f32(row, n, (data_kind)test_below(DATA_KINDS));
    return row;
}

/* The input of a job: pointers for every pixel; pointers that move along; windows that slide by a column. */
static void make_pool_taps(oct_pool_job *job, bool u8, guard_side side)
{
    const size_t columns = 1 + test_below(4), rows = test_below(2) ? 3 : 1 + test_below(4);
    const uint32_t how = test_below(3);
    if (how > 0) {
        /* a row holds up to ten steps, and at most a page */
        job->c = 1 + test_below(u8 ? 140 : 60);
        job->a_step = job->c + (test_below(2) ? 0 : test_below(40));
    }
    if (how == 2) {
        job->slide = test_below(2) ? 3 : columns;
        job->taps = rows * job->slide;
    }
    const size_t count = job->a_step ? job->taps : job->pixels * job->taps;
    const void **a = guarded(SLOT_POINTERS, count * sizeof(void *), sizeof(void *), side);
    for (size_t i = 0; i < count; i++) {
        const size_t reach = job->a_step * (job->pixels - 1 + (job->slide ? job->slide - 1 : 0));
        if (job->slide && i % job->slide)
            a[i] = (const char *)a[i - 1] + job->a_step * (u8 ? 1 : 4);
        else
            a[i] = pool_row(i, reach + job->c, u8, side);
    }
    job->a = a;
}

/* The job's arrays lie in guarded slots. */
static void make_pool_job(oct_pool_job *job, bool u8, guard_side side)
{
    job->taps = 1 + test_below(test_below(4) ? 9 : 49);
    job->pixels = 1 + test_below(7);
    job->c = test_below(6) ? 1 + test_below(140) : 1 + test_below(1000);
    make_pool_taps(job, u8, side);
    float *mult = guarded(SLOT_MULT, job->pixels * sizeof *mult, sizeof *mult, side);
    for (size_t i = 0; i < job->pixels; i++)
        mult[i] = test_uniform(0.3f, 2.0f) / (float)job->taps;
    job->mult = mult;
    job->in_zero = (int32_t)test_below(256);
    job->out_zero = (int32_t)test_below(256);
    job->lo = test_below(2) ? -INFINITY : 0.0f;
    job->hi = test_below(2) ? INFINITY : test_uniform(0.0f, 2.0f);
    job->qlo = (uint8_t)test_below(100);
    job->qhi = (uint8_t)(155 + test_below(101));
}

/* Every element of every pixel. */
static void compare_pool(const pool_call *c, bool average, bool u8, check_report *report)
{
    const oct_elem elem = u8 ? OCT_ELEM_U8 : OCT_ELEM_F32;
    for (size_t p = 0; p < c->job.pixels; p++) {
        for (size_t i = 0; i < c->job.c; i++) {
            const oracle_value expected = oracle_pool_kernel(&c->job, average, u8, p, i);
            const double out = elem_at(elem, c->job.out, p * c->job.out_ld + i);
            if (!oracle_accepts(expected, out))
                report_fail(report, "%s_pool_%s: pixels %zu taps %zu c %zu: pixel %zu channel %zu is %.9g, expected %.9g +- %.3g",
                            average ? "average" : "max", u8 ? "u8" : "f32", c->job.pixels, c->job.taps, c->job.c, p, i, out,
                            expected.value, expected.tolerance);
        }
    }
}

/* One kernel, many jobs: up to 49 taps, up to 1,000 channels, rows of output with gaps between them. */
static void check_pool(void (*fn)(const oct_pool_job *job), bool average, bool u8, check_report *report)
{
    const size_t size = u8 ? 1 : 4;
    for (int i = 0; i < 150 && !report->failed; i++) {
        const guard_side side = random_side();
        pool_call c = {.fn = fn};
        make_pool_job(&c.job, u8, side);
        c.job.out_ld = c.job.c + (test_below(2) ? 0 : test_below(20));
        const canary_area area = canary_place(c.job.pixels, c.job.c * size, c.job.out_ld * size, side);
        c.job.out = area.out;
        report->cases++;
        if (!survives(call_pool, &c))
            report_fail(report, "a pool of %zu taps, c %zu touched memory outside its buffers", c.job.taps, c.job.c);
        else if (!canary_intact(&area))
            report_fail(report, "a pool of %zu taps, c %zu wrote outside its output", c.job.taps, c.job.c);
        else
            compare_pool(&c, average, u8, report);
    }
}

void check_pools(const oct_kernels *k, const oct_kernels *base, check_report *report)
{
    if (!base || k->max_pool_f32 != base->max_pool_f32)
        check_pool(k->max_pool_f32, false, false, report);
    if (!base || k->max_pool_u8 != base->max_pool_u8)
        check_pool(k->max_pool_u8, false, true, report);
    if (!base || k->average_pool_f32 != base->average_pool_f32)
        check_pool(k->average_pool_f32, true, false, report);
    if (!base || k->average_pool_u8 != base->average_pool_u8)
        check_pool(k->average_pool_u8, true, true, report);
}

/* -------------------------------------------------------------------------------------------- binary ---- */

/* One of the two kernels and its job. */
typedef struct binary_call {
    void (*fn)(const oct_binary_job *job);
    oct_binary_job job;
} binary_call;

static void call_binary(void *arg)
{
    const binary_call *c = arg;
    c->fn(&c->job);
}

/* The ways an operand may be broadcast: all elements, with a gap between rows, one row, one column, one number. */
static size_t random_operand(const oct_binary_job *job, size_t *stride, size_t *step)
{
    const size_t strides[5] = {job->cols, job->cols + 3, 0, 1, 0}, steps[5] = {1, 1, 1, 0, 0};
    const size_t i = test_below(5);
    *stride = strides[i];
    *step = steps[i];
    return (job->rows - 1) * *stride + (job->cols - 1) * *step + 1;
}

/* Powers of negative numbers are not asked for. */
static void fill_operand(void *x, size_t n, bool u8, oct_binary_kind kind)
{
    if (u8) {
        fill_u8(x, n, test_below(4) ? DATA_RANDOM : DATA_EXTREME);
        return;
    }
    fill_f32(x, n, test_below(2) ? DATA_RANDOM : DATA_SMALL);
    for (size_t i = 0; kind == OCT_KIND_POW && i < n; i++)
        ((float *)x)[i] = fabsf(((float *)x)[i]) + 0.01f;
}

/* Settings of chance; multipliers of 0.5 and 1 make ties. Half of the sums have multipliers as the runtime makes them, small ones,
 * large ones and unequal ones, too. */
static void make_binary_job(oct_binary_job *job, bool u8)
{
    static const float mults[4] = {0.5f, 1.0f, 0.37f, 1.9f};
    static const oct_binary_kind u8_kinds[2] = {OCT_KIND_ADD, OCT_KIND_MUL};
    job->kind = u8 ? u8_kinds[test_below(2)] : (oct_binary_kind)test_below(OCT_KIND_POW + 1);
    job->rows = 1 + test_below(4);
    job->cols = 1 + test_below(test_below(4) ? 100 : 600);
    job->lo = test_below(2) ? -INFINITY : -0.5f;
    job->hi = test_below(2) ? INFINITY : 0.75f;
    job->a_zero = (int32_t)test_below(256);
    job->b_zero = (int32_t)test_below(256);
    job->out_zero = (int32_t)test_below(256);
    job->a_mult = mults[test_below(4)] * (job->kind == OCT_KIND_MUL ? 0.01f : 1.0f);
    job->b_mult = mults[test_below(4)];
    if (u8 && job->kind == OCT_KIND_ADD && test_below(2)) {
        job->a_mult = exp2f(test_uniform(-12.0f, 6.0f));
        job->b_mult = test_below(3) ? job->a_mult * test_uniform(0.2f, 5.0f) : exp2f(test_uniform(-12.0f, 6.0f));
        oct_add_grid_round(&job->a_mult, &job->b_mult);
    }
    job->qlo = (uint8_t)test_below(60);
    job->qhi = (uint8_t)(200 + test_below(56));
    if (test_below(2)) {
        job->qlo = 0;
        job->qhi = 255;
    }
}

/* out has been computed from `expected`, the same job with inputs that still hold their values. */
static void compare_binary(const oct_binary_job *expected, const void *out, bool u8, check_report *report)
{
    for (size_t r = 0; r < expected->rows; r++) {
        for (size_t c = 0; c < expected->cols; c++) {
            const oracle_value value = oracle_binary(expected, u8, r, c);
            const double x = elem_at(u8 ? OCT_ELEM_U8 : OCT_ELEM_F32, out, r * expected->cols + c);
            if (!oracle_accepts(value, x))
                report_fail(report,
                            "binary_%s kind %d, %zux%zu, strides %zu %zu, steps %zu %zu: row %zu column %zu is %.9g, expected %.9g",
                            u8 ? "u8" : "f32", (int)expected->kind, expected->rows, expected->cols, expected->a_stride,
                            expected->b_stride, expected->a_step, expected->b_step, r, c, x, value.value);
        }
    }
}

/* One call between guard pages; where a has the output's shape, half of the calls are in place. */
static void judge_binary(binary_call *c, bool u8, check_report *report)
{
    const guard_side side = random_side();
    const size_t size = u8 ? 1 : 4, row = c->job.cols * size;
    const size_t na = random_operand(&c->job, &c->job.a_stride, &c->job.a_step);
    const size_t nb = random_operand(&c->job, &c->job.b_stride, &c->job.b_step);
    void *a = malloc(na * size), *b = malloc(nb * size);
    fill_operand(a, na, u8, c->job.kind);
    fill_operand(b, nb, u8, c->job.kind);
    oct_binary_job expected = c->job;
    expected.a = a;
    expected.b = b;
    const canary_area area = canary_place(c->job.rows, row, row, side);
    const bool in_place = c->job.a_step == 1 && c->job.a_stride == c->job.cols && test_below(2);
    c->job.out = area.out;
    c->job.a = in_place ? memcpy(area.out, a, na * size) : guarded_copy(SLOT_A, a, na * size, 1, side);
    c->job.b = guarded_copy(SLOT_B, b, nb * size, 1, side);
    report->cases++;
    if (!survives(call_binary, c))
        report_fail(report, "binary kind %d, %zux%zu touched memory outside its buffers", (int)c->job.kind, c->job.rows,
                    c->job.cols);
    else if (!canary_intact(&area))
        report_fail(report, "binary kind %d, %zux%zu wrote outside its output", (int)c->job.kind, c->job.rows, c->job.cols);
    else
        compare_binary(&expected, area.out, u8, report);
    free(a);
    free(b);
}

/* f32 and u8 by turns. */
void check_binary(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    for (int i = 0; i < 1000 && !report->failed; i++) {
        const bool u8 = i & 1;
        if (base && (u8 ? base->binary_u8 == kernels->binary_u8 : base->binary_f32 == kernels->binary_f32))
            continue;
        binary_call c = {.fn = u8 ? kernels->binary_u8 : kernels->binary_f32};
        make_binary_job(&c.job, u8);
        judge_binary(&c, u8, report);
    }
}

/* ------------------------------------------------------------------------------------ range, softmax ---- */

/* Arguments and results of minmax and softmax. */
typedef struct range_call {
    const oct_kernels *kernels;
    size_t n, rows;
    const float *in;
    float *out;
    float lo, hi;
} range_call;

static void call_minmax(void *arg)
{
    range_call *c = arg;
    c->kernels->minmax_f32(c->n, c->in, &c->lo, &c->hi);
}

/* A third of the inputs have NaNs and infinities in them, some consist of NaNs. */
void check_minmax(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    float x[700];
    for (int i = 0; i < 600 && !report->failed; i++) {
        if (base && base->minmax_f32 == kernels->minmax_f32)
            return;
        range_call c = {.kernels = kernels, .n = 1 + test_below(test_below(4) ? 200 : 700)};
        fill_wild(x, c.n, i % 3 == 0);
        float lo = INFINITY, hi = -INFINITY;
        for (size_t j = 0; j < c.n; j++) {
            x[j] = i % 50 == 7 ? NAN : x[j];
            lo = x[j] < lo ? x[j] : lo;
            hi = x[j] > hi ? x[j] : hi;
        }
        c.in = guarded_copy(SLOT_A, x, c.n * sizeof(float), 1, random_side());
        report->cases++;
        if (!survives(call_minmax, &c))
            report_fail(report, "minmax_f32: n %zu: touched memory outside its input", c.n);
        else if (c.lo != lo || c.hi != hi)
            report_fail(report, "minmax_f32: n %zu: [%.9g, %.9g], expected [%.9g, %.9g]", c.n, (double)c.lo, (double)c.hi,
                        (double)lo, (double)hi);
    }
}

static void call_softmax(void *arg)
{
    const range_call *c = arg;
    c->kernels->softmax_f32(c->rows, c->n, c->in, c->out);
}

/* exp's argument is rounded (|x - max| * eps), exp itself and the sum add a few units; results below 1e-37 may be flushed. */
static void compare_softmax(const range_call *c, const float *x, check_report *report)
{
    for (size_t r = 0; r < c->rows; r++, x += c->n) {
        double max = -INFINITY, sum = 0;
        for (size_t i = 0; i < c->n; i++)
            max = fmax(max, (double)x[i]);
        for (size_t i = 0; i < c->n; i++)
            sum += exp((double)x[i] - max);
        for (size_t i = 0; i < c->n; i++) {
            const double expected = exp((double)x[i] - max) / sum, distance = fmin(max - (double)x[i], 200.0);
            const double tolerance = expected * (double)(c->n + 16) * 1.2e-7 + expected * distance * 1.2e-7 + 1e-37;
            if (!oracle_accepts((oracle_value){expected, tolerance}, (double)c->out[r * c->n + i]))
                report_fail(report, "softmax_f32: %zux%zu: row %zu column %zu is %.9g, expected %.9g", c->rows, c->n, r, i,
                            (double)c->out[r * c->n + i], expected);
        }
    }
}

/* Rows side by side, perhaps in place, one element masked by -inf. */
static void judge_softmax(range_call *c, float spread, check_report *report)
{
    const size_t count = c->rows * c->n, bytes = count * sizeof(float);
    const guard_side side = random_side();
    float *x = malloc(bytes);
    for (size_t i = 0; i < count; i++)
        x[i] = test_uniform(-spread, spread);
    if (c->n > 1)
        x[test_below((uint32_t)c->n - 1)] = -INFINITY;              /* masked: its share is 0 */
    const canary_area area = canary_place(1, bytes, bytes, side);
    c->out = (float *)(void *)area.out;
    c->in = test_below(2) ? memcpy(area.out, x, bytes) : guarded_copy(SLOT_A, x, bytes, 1, side);
    report->cases++;
    if (!survives(call_softmax, c))
        report_fail(report, "softmax_f32: %zux%zu touched memory outside its buffers", c->rows, c->n);
    else if (!canary_intact(&area))
        report_fail(report, "softmax_f32: %zux%zu wrote outside its output", c->rows, c->n);
    else
        compare_softmax(c, x, report);
    free(x);
}

/* From gentle rows to rows where one element takes all. */
void check_softmax(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    static const float spreads[4] = {1.0f, 10.0f, 80.0f, 10000.0f};
    if (base && base->softmax_f32 == kernels->softmax_f32)
        return;
    for (int i = 0; i < 300 && !report->failed; i++) {
        range_call c = {.kernels = kernels, .rows = 1 + test_below(4), .n = 1 + test_below(test_below(4) ? 70 : 1100)};
        judge_softmax(&c, spreads[test_below(4)], report);
    }
}

/* ----------------------------------------------------------------------------------------- transpose ---- */

/* One of the two kernels and its arguments. */
typedef struct transpose_call {
    void (*fn)(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld);
    size_t rows, cols, in_ld, out_ld;
    const void *in;
    void *out;
} transpose_call;

static void call_transpose(void *arg)
{
    const transpose_call *c = arg;
    c->fn(c->rows, c->cols, c->in, c->in_ld, c->out, c->out_ld);
}

/* Compared byte by byte: the elements are only moved. */
static void judge_transpose(transpose_call *c, size_t size, check_report *report)
{
    const guard_side side = random_side();
    const size_t bytes = ((c->rows - 1) * c->in_ld + c->cols) * size;
    uint8_t *in = guarded(SLOT_A, bytes, 1, side);
    fill_u8(in, bytes, DATA_RANDOM);
    const canary_area area = canary_place(c->cols, c->rows * size, c->out_ld * size, side);
    c->in = in;
    c->out = area.out;
    report->cases++;
    if (!survives(call_transpose, c)) {
        report_fail(report, "transpose_x%zu: %zux%zu touched memory outside its buffers", size * 8, c->rows, c->cols);
        return;
    }
    if (!canary_intact(&area))
        report_fail(report, "transpose_x%zu: %zux%zu wrote outside its output", size * 8, c->rows, c->cols);
    for (size_t r = 0; r < c->rows; r++)
        for (size_t i = 0; i < c->cols; i++)
            if (memcmp(area.out + (i * c->out_ld + r) * size, in + (r * c->in_ld + i) * size, size) != 0)
                report_fail(report, "transpose_x%zu: %zux%zu: row %zu column %zu is wrong", size * 8, c->rows, c->cols, r, i);
}

/* 4-byte and 1-byte elements by turns, ragged in both directions. */
void check_transpose(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    for (int i = 0; i < 600 && !report->failed; i++) {
        const bool wide = i & 1;
        if (base && (wide ? base->transpose_x32 == kernels->transpose_x32 : base->transpose_x8 == kernels->transpose_x8))
            continue;
        transpose_call c = {.fn = wide ? kernels->transpose_x32 : kernels->transpose_x8, .rows = 1 + test_below(70),
                            .cols = 1 + test_below(70)};
        c.in_ld = c.cols + (test_below(2) ? 0 : test_below(9));
        c.out_ld = c.rows + (test_below(2) ? 0 : test_below(9));
        judge_transpose(&c, wide ? 4 : 1, report);
    }
}

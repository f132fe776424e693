/* check_resize.c - the checkers of the resizing kernels: pixels picked from a row, and pixels between four. */
#include <string.h>

#include "kernel_check.h"

static guard_side random_side(void) { return test_below(2) ? GUARD_BEHIND : GUARD_BEFORE; }

/* Any weight, and those that an enlargement by two or four has (ties in u8), and none and all. */
static float random_weight(int32_t *q14)
{
    static const int32_t usual[] = {0, 16384, 8192, 4096, 12288, 2048, 1, 16383};
    *q14 = test_below(2) ? usual[test_below(sizeof usual / sizeof usual[0])] : (int32_t)test_below(16385);
    return (float)*q14 / 16384.0f;
}

/* Taps into a row of `places`, in any order. */
static oct_resize_tap *random_taps(size_t count, size_t places, guard_side side)
{
    oct_resize_tap *taps = guarded(SLOT_TABLE, count * sizeof *taps, sizeof(size_t), side);
    for (size_t i = 0; i < count; i++) {
        taps[i] = (oct_resize_tap){.first = test_below((uint32_t)places), .second = test_below((uint32_t)places)};
        taps[i].weight = random_weight(&taps[i].weight_q14);
    }
    return taps;
}

/* -------------------------------------------------------------------------------------------- gather ---- */

typedef struct gather_call {
    const oct_kernels *kernels;
    size_t pixels, bytes;
    const void *row;
    const oct_resize_tap *x;
    void *out;
} gather_call;

static void call_gather(void *arg)
{
    const gather_call *c = arg;
    c->kernels->gather_pixels(c->pixels, c->bytes, c->row, c->x, c->out);
}

/* Compared byte by byte: pixels are only moved. */
static void judge_gather(gather_call *c, check_report *report)
{
    const guard_side side = random_side();
    const size_t places = edge_size(12);
    uint8_t *row = guarded(SLOT_A, places * c->bytes, 1, side);
    fill_u8(row, places * c->bytes, DATA_RANDOM);
    c->row = row;
    c->x = random_taps(c->pixels, places, side);
    const canary_area area = canary_place(1, c->pixels * c->bytes, c->pixels * c->bytes, side);
    c->out = area.out;
    report->cases++;
    if (!survives(call_gather, c))
        report_fail(report, "gather_pixels: %zu pixels of %zu bytes touched memory outside its buffers", c->pixels, c->bytes);
    else if (!canary_intact(&area))
        report_fail(report, "gather_pixels: %zu pixels of %zu bytes wrote outside its output", c->pixels, c->bytes);
    for (size_t p = 0; p < c->pixels && !report->failed; p++)
        if (memcmp(area.out + p * c->bytes, row + c->x[p].first * c->bytes, c->bytes) != 0)
            report_fail(report, "gather_pixels: pixel %zu of %zu bytes is wrong", p, c->bytes);
}

void check_gather(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    if (base && base->gather_pixels == kernels->gather_pixels)
        return;
    for (int i = 0; i < 400 && !report->failed; i++) {
        gather_call c = {.kernels = kernels, .pixels = edge_size(20), .bytes = 1 + test_below(test_below(3) ? 70 : 400)};
        judge_gather(&c, report);
    }
}

/* -------------------------------------------------------------------------------------------- linear ---- */

/* One of the two kernels and its job. */
typedef struct resize_call {
    void (*fn)(const oct_resize_job *job);
    oct_resize_job job;
} resize_call;

static void call_resize(void *arg)
{
    const resize_call *c = arg;
    c->fn(&c->job);
}

/* Two rows between guard pages; now and then one row twice, as at the picture's edge. */
static void make_resize_job(oct_resize_job *job, bool u8, guard_side side)
{
    const size_t places = edge_size(9), count = places * job->c;
    const data_kind kind = (data_kind)test_below(DATA_KINDS);
    void *rows[2] = {guarded(SLOT_A, count * (u8 ? 1 : 4), u8 ? 1 : 4, side),
                     guarded(SLOT_B, count * (u8 ? 1 : 4), u8 ? 1 : 4, side)};
    for (int r = 0; r < 2; r++) {
        if (u8)
            fill_u8(rows[r], count, kind);
        else
            fill_f32(rows[r], count, kind);
    }
    job->row0 = rows[0];
    job->row1 = rows[test_below(5) ? 1 : 0];
    job->x = random_taps(job->pixels, places, side);
    job->weight = random_weight(&job->weight_q14);
}

static void compare_resize(const oct_resize_job *job, bool u8, check_report *report)
{
    for (size_t i = 0; i < job->pixels * job->c && !report->failed; i++) {
        const oracle_value expected = oracle_resize(job, u8, i / job->c, i % job->c);
        const double out = elem_at(u8 ? OCT_ELEM_U8 : OCT_ELEM_F32, job->out, i);
        if (!oracle_accepts(expected, out))
            report_fail(
                report,
                "resize_linear_%s: pixels %zu c %zu weights %.9g %.9g: pixel %zu channel %zu is %.9g, expected %.9g +- %.3g",
                u8 ? "u8" : "f32", job->pixels, job->c, (double)job->weight, (double)job->x[i / job->c].weight, i / job->c,
                i % job->c, out, expected.value, expected.tolerance);
    }
}

static void check_linear(void (*fn)(const oct_resize_job *job), bool u8, check_report *report)
{
    for (int i = 0; i < 400 && !report->failed; i++) {
        const guard_side side = random_side();
        resize_call c = {.fn = fn, .job = {.pixels = edge_size(10), .c = 1 + test_below(test_below(6) ? 100 : 700)}};
        make_resize_job(&c.job, u8, side);
        const size_t bytes = c.job.pixels * c.job.c * (u8 ? 1 : 4);
        const canary_area area = canary_place(1, bytes, bytes, side);
        c.job.out = area.out;
        report->cases++;
        if (!survives(call_resize, &c))
            report_fail(report, "resize_linear: c %zu touched memory outside its buffers", c.job.c);
        else if (!canary_intact(&area))
            report_fail(report, "resize_linear: c %zu wrote outside its output", c.job.c);
        else
            compare_resize(&c.job, u8, report);
    }
}

void check_resize(const oct_kernels *k, const oct_kernels *base, check_report *report)
{
    if (!base || k->resize_linear_f32 != base->resize_linear_f32)
        check_linear(k->resize_linear_f32, false, report);
    if (!base || k->resize_linear_u8 != base->resize_linear_u8)
        check_linear(k->resize_linear_u8, true, report);
}

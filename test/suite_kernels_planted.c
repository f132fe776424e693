/* suite_kernels_planted.c - tests of the kernel checks: a table with one deliberate bug must be found out by the family's checker.
 *
 * Each bug is a scalar kernel called with a slightly wrong job, or followed by a wrong access: the mistakes SIMD code really makes.
 * */
#include <stdlib.h>
#include <string.h>

#include "kernel_check.h"

/* A family, the bug in words, and how it gets into a table. */
typedef struct planted_bug {
    const char *family, *bug;
    void (*plant)(oct_kernels *table);
} planted_bug;

static const oct_kernels *right;                        /* the scalar table */

static volatile uint8_t sink;
/* A read the compiler must not leave out. */
static void read_byte(const void *at) { sink = *(const volatile uint8_t *)at; }

static size_t out_size(const oct_epilogue *e) { return elem_bytes(e->out_elem); }

/* ------------------------------------------------------------------------------------ matrix products ---- */

static const oct_gemm_entry *entry_of(const oct_tile *t) { return t->e.acc_bias ? right->gemm_u8s8 : right->gemm_f32; }

/* A wrong lane in the last vector. */
static void last_element_off(const oct_tile *t)
{
    entry_of(t)->fn(t);
    uint8_t *last = (uint8_t *)t->e.out + ((t->m - 1) * t->e.out_ld + t->n - 1) * out_size(&t->e);
    if (t->e.out_elem == OCT_ELEM_U8)
        *last ^= 2;
    else
        *(float *)(void *)last = *(float *)(void *)last * 1.001f + 0.001f;
}

/* A store that is one element too wide. */
static void writes_next_column(const oct_tile *t)
{
    entry_of(t)->fn(t);
    memset((uint8_t *)t->e.out + t->n * out_size(&t->e), 0, 1);
}

/* Loads that run over the end of a row, and ... */
static void reads_behind_row(const oct_tile *t)
{
    entry_of(t)->fn(t);
    const size_t size = entry_of(t)->a_elem == OCT_ELEM_F32 ? 4 : 1;
    read_byte((const uint8_t *)t->a[(t->m - 1) * t->a_stride] + (t->a_offset + t->k) * size);
}

/* ... over its beginning. */
static void reads_before_row(const oct_tile *t)
{
    entry_of(t)->fn(t);
    read_byte((const uint8_t *)t->a[0] - 1);
}

/* Fetching the next tap's pointer too early. */
static void reads_pointer_behind(const oct_tile *t)
{
    entry_of(t)->fn(t);
    read_byte(t->a + (t->m - 1) * t->a_stride + t->taps);
}

/* Fetching the next weights too early. */
static void reads_behind_panel(const oct_tile *t)
{
    entry_of(t)->fn(t);
    const oct_gemm_entry *e = entry_of(t);
    const size_t bytes = t->taps * ((t->k + e->kr - 1u) / e->kr) * e->kr * e->nr * elem_bytes((oct_elem)e->b_elem);
    read_byte((const uint8_t *)t->b + (bytes + 63) / 64 * 64);
}

/* An input that is not used. */
static void forgets_residual(const oct_tile *t)
{
    oct_tile wrong = *t;
    wrong.e.residual = NULL;
    entry_of(t)->fn(&wrong);
}

/* A residual loaded for the panel's full width. */
static void reads_residual_behind(const oct_tile *t)
{
    entry_of(t)->fn(t);
    if (t->e.residual)
        read_byte((const uint8_t *)t->e.residual + ((t->m - 1) * t->e.residual_ld + t->n) * out_size(&t->e));
}

/* Right for one group, wrong for two. */
static void forgets_offset(const oct_tile *t)
{
    oct_tile wrong = *t;
    wrong.a_offset = 0;
    entry_of(t)->fn(&wrong);
}

/* Right for matrices, wrong for convolutions. */
static void forgets_last_tap(const oct_tile *t)
{
    oct_tile wrong = *t;
    wrong.taps -= t->taps > 1;
    entry_of(t)->fn(&wrong);
}

/* Right until a value reaches the limit. */
static void forgets_clamp(const oct_tile *t)
{
    oct_tile wrong = *t;
    wrong.e.hi = 1e30f;
    wrong.e.qhi = 255;
    entry_of(t)->fn(&wrong);
}

/* Right for layers without bias and zero point. */
static void forgets_bias(const oct_tile *t)
{
    static const float zeros[64];
    static const int32_t zeros_s32[64];
    oct_tile wrong = *t;
    if (t->e.acc_bias)
        wrong.e.acc_bias = zeros_s32;
    else
        wrong.e.bias = zeros;
    entry_of(t)->fn(&wrong);
}

/* What vpmaddubsw does: pairs of products are added in 16 bits and saturate there. */
static int32_t saturated_pair(int32_t a0, int32_t w0, int32_t a1, int32_t w1)
{
    const int32_t s = a0 * w0 + a1 * w1;
    return s > 32767 ? 32767 : s < -32768 ? -32768 : s;
}

/* Rounds ties upwards instead of to even. */
static uint8_t tie_upwards(float x, int32_t zero, uint8_t qlo, uint8_t qhi)
{
    const double whole = (double)x + 0.5;
    const int64_t q = (int64_t)whole - (whole < (double)(int64_t)whole) + zero;
    return (uint8_t)(q < qlo ? qlo : q > qhi ? qhi : q);
}

/* Element (row, column) of a u8s8 tile with one of these two bugs; u8 output without residual only, the rest is left right. */
static void one_element(const oct_tile *t, size_t r, size_t c, bool saturate, bool upwards)
{
    const size_t nr = right->gemm_u8s8[0].nr, groups = (t->k + 3) / 4;
    int32_t acc = t->e.acc_bias[c];
    for (size_t tap = 0; tap < t->taps; tap++) {
        const uint8_t *a = (const uint8_t *)t->a[r * t->a_stride + tap] + t->a_offset;
        for (size_t i = 0; i < t->k; i += 2) {
            const int8_t *w = (const int8_t *)t->b + ((tap * groups + i / 4) * nr + c) * 4 + i % 4;
            const int32_t a1 = i + 1 < t->k ? a[i + 1] : 0;
            acc += saturate ? saturated_pair(a[i], w[0], a1, w[1]) : a[i] * w[0] + a1 * w[1];
        }
    }
    const float x = (float)acc * t->e.mult[c];
    uint8_t *out = (uint8_t *)t->e.out + r * t->e.out_ld + c;
    *out = upwards ? tie_upwards(x, t->e.out_zero, t->e.qlo, t->e.qhi)
                   : (uint8_t)oracle_requantize((double)x, t->e.out_zero, t->e.qlo, t->e.qhi);
}

/* The right answer first; then every u8 element without residual again, by one_element. */
static void rewrite(const oct_tile *t, bool saturate, bool upwards)
{
    right->gemm_u8s8[0].fn(t);
    if (t->e.out_elem != OCT_ELEM_U8 || t->e.residual)
        return;
    for (size_t r = 0; r < t->m; r++)
        for (size_t c = 0; c < t->n; c++)
            one_element(t, r, c, saturate, upwards);
}

static void rewrites_rightly(const oct_tile *t) { rewrite(t, false, false); }
static void saturates_pairs(const oct_tile *t) { rewrite(t, true, false); }
static void rounds_ties_upwards(const oct_tile *t) { rewrite(t, false, true); }

/* All bugs go into gemm and gemv, f32 and u8s8, unless they are about integers. */
typedef struct gemm_bug {
    const char *name;
    oct_gemm_fn *fn;
    bool only_u8s8;
} gemm_bug;

static const gemm_bug gemm_bugs[] = {
    {"last_element_off", last_element_off, false},         {"writes_next_column", writes_next_column, false},
    {"reads_behind_row", reads_behind_row, false},         {"reads_before_row", reads_before_row, false},
    {"reads_pointer_behind", reads_pointer_behind, false}, {"reads_behind_panel", reads_behind_panel, false},
    {"forgets_residual", forgets_residual, false},         {"reads_residual_behind", reads_residual_behind, false},
    {"forgets_offset", forgets_offset, false},             {"forgets_last_tap", forgets_last_tap, false},
    {"forgets_clamp", forgets_clamp, false},               {"forgets_bias", forgets_bias, false},
    {"saturates_pairs", saturates_pairs, true},            {"rounds_ties_upwards", rounds_ties_upwards, true},
};

/* The checker must report a failure. */
static void expect_caught(kernel_checker *check, const oct_kernels *table, const char *family, const char *bug)
{
    check_report report = {0};
    check(table, NULL, &report);
    CHECK_MSG(report.failed, "%s: \"%s\" was not noticed in %zu cases", family, bug, report.cases);
}

/* The scalar table with one bug in the gemm and gemv entries. */
static oct_kernels gemm_table(oct_gemm_fn *fn)
{
    oct_kernels table = *right;
    table.gemm_f32[0].fn = table.gemm_u8s8[0].fn = table.gemv_f32[0].fn = table.gemv_u8s8[0].fn = fn;
    return table;
}

/* Each bug in each of the four lists; and the rewriting without a bug must pass, or it would prove nothing. */
static void gemm(void)
{
    right = oct_kernels_get("scalar", ~0u);
    for (int i = 0; i < TEST_COUNT(gemm_bugs); i++) {
        const oct_kernels table = gemm_table(gemm_bugs[i].fn);
        if (!gemm_bugs[i].only_u8s8) {
            expect_caught(check_gemm_f32, &table, "gemm_f32", gemm_bugs[i].name);
            expect_caught(check_gemv_f32, &table, "gemv_f32", gemm_bugs[i].name);
        }
        expect_caught(check_gemm_u8s8, &table, "gemm_u8s8", gemm_bugs[i].name);
        expect_caught(check_gemv_u8s8, &table, "gemv_u8s8", gemm_bugs[i].name);
    }
    const oct_kernels table = gemm_table(rewrites_rightly);
    check_report report = {0};
    check_gemm_u8s8(&table, NULL, &report);
    CHECK_MSG(!report.failed, "the rewriting itself is wrong: %s", report.message);
}

/* A wrong shape of entry in the table. */
static void entries(void)
{
    right = oct_kernels_get("scalar", ~0u);
    oct_kernels table = *right;
    table.gemm_f32[0].nr = 7;
    expect_caught(check_gemm_f32, &table, "gemm_f32", "says nr 7, is 8");
    table = *right;
    table.gemm_u8s8[0].kr = 2;
    expect_caught(check_gemm_u8s8, &table, "gemm_u8s8", "says kr 2, is 4");
    table = *right;
    table.gemm_u8s8[0].a_shift = 128;
    expect_caught(check_gemm_u8s8, &table, "gemm_u8s8", "says the rows are shifted");
    table = *right;
    table.gemm_u8s8[0].a_elem = OCT_ELEM_S16;
    expect_caught(check_gemm_u8s8, &table, "gemm_u8s8", "says the rows are s16");
    table = *right;
    table.gemm_f32[0].mr = 5;
    expect_caught(check_gemm_f32, &table, "gemm_f32", "says mr 5, is 4");
    table = *right;
    table.gemm_f32[0].fn = NULL;
    expect_caught(check_gemm_f32, &table, "gemm_f32", "an empty list");
}

/* ----------------------------------------------------------------------------------------- depthwise ---- */

static bool depthwise_u8s8;                             /* which family is being tested */

static const oct_depthwise_entry *right_depthwise(void) { return depthwise_u8s8 ? right->depthwise_u8s8 : right->depthwise_f32; }

/* u8: a padded tap as 0 instead of the zero point. f32: the image one pixel further left. */
static void pads_with_nothing(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    oct_depthwise_job wrong = *job;
    oct_conv_shape shape = *job->shape;
    wrong.in_zero = 0;
    if (!depthwise_u8s8)
        shape.pad_left -= shape.pad_left > 0;
    wrong.shape = &shape;
    right_depthwise()->run(&wrong, begin, end, scratch);
}

/* Kernels that do two rows at a time, and the odd one: not done, ... */
static void misses_last_row(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    right_depthwise()->run(job, begin, end - (end > begin), scratch);
}

/* ... or done over the neighbour's. */
static void begins_a_row_early(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    right_depthwise()->run(job, begin - (begin > 0), end, scratch);
}

/* Vectors that run over the last pixel: loads, ... */
static void reads_behind_image(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    const oct_conv_shape *s = job->shape;
    right_depthwise()->run(job, begin, end, scratch);
    read_byte((const uint8_t *)job->in + s->batch * s->in_h * s->in_w * s->in_c * (depthwise_u8s8 ? 1 : 4));
}

/* ... and stores. */
static void writes_behind_output(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    const oct_conv_shape *s = job->shape;
    right_depthwise()->run(job, begin, end, scratch);
    ((uint8_t *)job->e.out)[s->batch * s->out_h * s->out_w * s->out_c * out_size(&job->e)] = 0;
}

/* scratch_bytes and run disagree. */
static void uses_scratch_it_did_not_ask_for(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    memset(scratch, 0, 64);
    right_depthwise()->run(job, begin, end, scratch);
}

/* A wrong lane in the ragged end of the channels. */
static void last_channel_off(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    right_depthwise()->run(job, begin, end, scratch);
    if (begin == end)
        return;
    uint8_t *last = (uint8_t *)job->e.out + (end * job->shape->out_w * job->shape->out_c - 1) * out_size(&job->e);
    if (job->e.out_elem == OCT_ELEM_U8)
        *last ^= 2;
    else
        *(float *)(void *)last = *(float *)(void *)last * 1.001f + 0.001f;
}

typedef struct depthwise_bug {
    const char *name;
    void (*run)(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch);
} depthwise_bug;

static const depthwise_bug depthwise_bugs[] = {
    {"pads_with_nothing", pads_with_nothing},         {"misses_last_row", misses_last_row},
    {"begins_a_row_early", begins_a_row_early},       {"reads_behind_image", reads_behind_image},
    {"writes_behind_output", writes_behind_output},   {"uses_scratch_it_did_not_ask_for", uses_scratch_it_did_not_ask_for},
    {"last_channel_off", last_channel_off},
};

static bool accepts_nothing(const oct_conv_shape *s)
{
    (void)s;
    return false;
}

/* Each bug in both lists; and an entry that is never used must be noticed too. */
static void depthwise(void)
{
    right = oct_kernels_get("scalar", ~0u);
    for (int i = 0; i < TEST_COUNT(depthwise_bugs); i++) {
        oct_kernels table = *right;
        table.depthwise_f32[0].run = table.depthwise_u8s8[0].run = depthwise_bugs[i].run;
        depthwise_u8s8 = false;
        expect_caught(check_depthwise_f32, &table, "depthwise_f32", depthwise_bugs[i].name);
        depthwise_u8s8 = true;
        expect_caught(check_depthwise_u8s8, &table, "depthwise_u8s8", depthwise_bugs[i].name);
    }
    oct_kernels table = *right;
    table.depthwise_f32[0].accepts = accepts_nothing;
    expect_caught(check_depthwise_f32, &table, "depthwise_f32", "accepts nothing");
}

/* ----------------------------------------------------------------------------------------- Winograd ---- */

static const oct_winograd_entry *right_winograd;        /* the weakest level's that has one */
static bool winograd_u8s8;                              /* which precision is being spoilt */

/* A tile of a ragged edge takes its neighbour's row. */
static void mixes_up_slots(const oct_winograd_input *job)
{
    oct_winograd_tile tile = *job->tile;
    oct_winograd_input wrong = *job;
    tile.slot[0][2] = tile.slot[0][0];
    wrong.tile = &tile;
    right_winograd->input(&wrong);
}

/* Reads a whole vector of the last channels. */
static void reads_behind_pixel(const oct_winograd_input *job)
{
    right_winograd->input(job);
    for (size_t p = 0; p < 4; p++)
        read_byte((const uint8_t *)job->pixels[p] + job->c * (winograd_u8s8 ? 1 : sizeof(float)));
}

/* Leaves what lay in V before where the last vector ends. */
static void forgets_last_channel(const oct_winograd_input *job)
{
    oct_winograd_input wrong = *job;
    wrong.c -= job->c > 1;
    right_winograd->input(&wrong);
}

/* Stores all columns of the panel, ... */
static void writes_padded_columns(const oct_winograd_output *job)
{
    oct_winograd_output wrong = *job;
    wrong.n += 1;
    right_winograd->output(&wrong);
}

/* ... all outputs of a tile that is larger than the image, ... */
static void writes_missing_row(const oct_winograd_output *job)
{
    oct_winograd_output wrong = *job;
    wrong.rows = job->tile->rows;
    right_winograd->output(&wrong);
}

/* ... and a residual as wide as the output. */
static void confuses_lines(const oct_winograd_output *job)
{
    oct_winograd_output wrong = *job;
    wrong.e.residual_ld = job->e.out_ld;
    right_winograd->output(&wrong);
}

/* Weights of the last row of positions, which no small tile lacks, are those of the row before. */
static void repeats_a_row(const void *w, size_t groups, const oct_gemm_entry *panel, size_t i, void *u)
{
    right_winograd->expand(w, groups, panel, i == 5 ? 4 : i, u);
}

typedef struct winograd_bug {
    const char *name;
    oct_winograd_entry wrong;    /* what of it is not NULL */
} winograd_bug;

static const winograd_bug winograd_bugs[] = {
    {"mixes_up_slots", {.input = mixes_up_slots}},
    {"reads_behind_pixel", {.input = reads_behind_pixel}},
    {"forgets_last_channel", {.input = forgets_last_channel}},
    {"writes_padded_columns", {.output = writes_padded_columns}},
    {"writes_missing_row", {.output = writes_missing_row}},
    {"confuses_lines", {.output = confuses_lines}},
    {"repeats_a_row", {.expand = repeats_a_row}},
};

static oct_winograd_entry *winograd_of(oct_kernels *table)
{
    return winograd_u8s8 ? &table->winograd_u8s8 : &table->winograd_f32;
}

static void plant_winograd(const oct_kernels *kernels, const winograd_bug *bug)
{
    oct_kernels table = *kernels, untouched = *kernels;
    oct_winograd_entry *entry = winograd_of(&table);
    right_winograd = winograd_of(&untouched);
    if (bug->wrong.expand && !entry->expand)
        return;
    if (bug->wrong.input)
        entry->input = bug->wrong.input;
    if (bug->wrong.output)
        entry->output = bug->wrong.output;
    if (bug->wrong.expand)
        entry->expand = bug->wrong.expand;
    expect_caught(winograd_u8s8 ? check_winograd_u8s8 : check_winograd_f32, &table,
                  winograd_u8s8 ? "winograd_u8s8" : "winograd_f32", bug->name);
}

/* Every bug in both precisions, on the weakest level that has the entry; not every level expands weights. What a bug makes of
 * integers leaves the range that the epilogue is defined for: UBSan would stop there. */
static void winograd(void)
{
    for (int u8s8 = 0; u8s8 < (test_is_sanitized() ? 1 : 2); u8s8++) {
        const oct_kernels *weakest = NULL, *expands = NULL;
        winograd_u8s8 = u8s8;
        for (size_t i = 0; tested_kernels(i); i++) {
            oct_kernels table = *tested_kernels(i);
            if (winograd_of(&table)->input && !weakest)
                weakest = tested_kernels(i);
            if (winograd_of(&table)->expand && !expands)
                expands = tested_kernels(i);
        }
        for (int i = 0; weakest && i < TEST_COUNT(winograd_bugs); i++)
            plant_winograd(winograd_bugs[i].wrong.expand && expands ? expands : weakest, &winograd_bugs[i]);
    }
}

/* -------------------------------------------------------------------------------------- the small ones ---- */

static void lut_too_far(size_t n, const uint8_t *in, const uint8_t table[256], uint8_t *out)
{
    right->lut_u8(n + 1, in, table, out);
}
static void plant_lut(oct_kernels *t) { t->lut_u8 = lut_too_far; }

static void clamp_short(size_t n, const float *in, float lo, float hi, float *out)
{
    right->clamp_f32(n - (n > 40), in, lo, hi, out);
}
static void plant_clamp(oct_kernels *t) { t->clamp_f32 = clamp_short; }

/* min and max the other way round let a NaN through as hi. */
static void clamp_nan(size_t n, const float *in, float lo, float hi, float *out)
{
    for (size_t i = 0; i < n; i++) {
        const float x = in[i] < hi ? in[i] : hi;
        out[i] = x > lo ? x : lo;
    }
}
static void plant_clamp_nan(oct_kernels *t) { t->clamp_f32 = clamp_nan; }

static void quantize_half_up(size_t n, const float *in, float inv_scale, int32_t zero, uint8_t *out)
{
    right->quantize_f32_u8(n, in, inv_scale, zero, out);
    for (size_t i = 0; i < n; i++)
        if (in[i] * inv_scale < 1000.0f && in[i] * inv_scale > -1000.0f)
            out[i] = tie_upwards(in[i] * inv_scale, zero, 0, 255);
}
static void plant_quantize(oct_kernels *t) { t->quantize_f32_u8 = quantize_half_up; }

static void dequantize_no_zero(size_t n, const uint8_t *in, float scale, int32_t zero, float *out)
{
    right->dequantize_u8_f32(n, in, scale, zero & ~1, out);
}
static void plant_dequantize(oct_kernels *t) { t->dequantize_u8_f32 = dequantize_no_zero; }

static void requantize_early_zero(size_t n, const uint8_t *in, int32_t in_zero, float mult, int32_t out_zero, uint8_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)oracle_requantize((double)((float)(in[i] - in_zero) * mult + (float)out_zero), 0, 0, 255);
}
static void plant_requantize(oct_kernels *t) { t->requantize_u8 = requantize_early_zero; }

static void widen_wraps(size_t n, const uint8_t *in, int32_t zero, int16_t *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (int8_t)(in[i] - zero);
}
static void plant_widen(oct_kernels *t) { t->widen_u8_s16 = widen_wraps; }

static void minmax_first_vector(size_t n, const float *in, float *lo, float *hi)
{
    right->minmax_f32(n > 8 ? n / 8 * 8 : n, in, lo, hi);
}
static void plant_minmax(oct_kernels *t) { t->minmax_f32 = minmax_first_vector; }

static void softmax_off(size_t rows, size_t cols, const float *in, float *out)
{
    right->softmax_f32(rows, cols, in, out);
    if (cols > 64)
        out[0] = out[0] * 1.01f;
}
static void plant_softmax(oct_kernels *t) { t->softmax_f32 = softmax_off; }

static void transpose_square(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld)
{
    right->transpose_x8(rows, cols, in, in_ld, out, out_ld);
    if (rows % 16)
        memset((uint8_t *)out + rows, 0, 1);
}
static void plant_transpose(oct_kernels *t) { t->transpose_x8 = transpose_square; }

static void pool_without_last_tap(const oct_pool_job *job)
{
    oct_pool_job wrong = *job;
    wrong.pixels = 1;
    wrong.taps -= job->taps > 1;
    right->max_pool_u8(job);
    right->max_pool_u8(&wrong);
}
static void plant_max_pool(oct_kernels *t) { t->max_pool_u8 = pool_without_last_tap; }

static void average_without_zero(const oct_pool_job *job)
{
    oct_pool_job wrong = *job;
    wrong.in_zero ^= 1;
    right->average_pool_u8(&wrong);
}
static void plant_average_pool(oct_kernels *t) { t->average_pool_u8 = average_without_zero; }

static void binary_forgets_step(const oct_binary_job *job)
{
    oct_binary_job wrong = *job;
    wrong.b_step = 0;
    right->binary_f32(&wrong);
}
static void plant_binary(oct_kernels *t) { t->binary_f32 = binary_forgets_step; }

static void gather_too_far(size_t pixels, size_t pixel_bytes, const void *row, const oct_resize_tap *x, void *out)
{
    right->gather_pixels(pixels, pixel_bytes, row, x, out);
    if (pixel_bytes % 8 && pixel_bytes > 8)
        memcpy((uint8_t *)out + pixels * pixel_bytes, row, 1);
}
static void plant_gather(oct_kernels *t) { t->gather_pixels = gather_too_far; }

static void resize_truncates(const oct_resize_job *job)
{
    right->resize_linear_u8(job);
    uint8_t *out = job->out;
    const size_t last = (job->pixels - 1) * job->c, left = job->x[job->pixels - 1].first * job->c;
    for (size_t i = 0; i < job->c && job->weight_q14 == 0; i++) {
        const int32_t a = ((const uint8_t *)job->row0)[left + i];
        const int32_t b = ((const uint8_t *)job->row0)[job->x[job->pixels - 1].second * job->c + i];
        out[last + i] = (uint8_t)(a + ((b - a) * job->x[job->pixels - 1].weight_q14 >> 14));
    }
}
static void plant_resize_u8(oct_kernels *t) { t->resize_linear_u8 = resize_truncates; }

/* Top and bottom the other way round. */
static void resize_upside_down(const oct_resize_job *job)
{
    oct_resize_job wrong = *job;
    wrong.row0 = job->row1;
    wrong.row1 = job->row0;
    right->resize_linear_f32(&wrong);
}
static void plant_resize_f32(oct_kernels *t) { t->resize_linear_f32 = resize_upside_down; }

static const planted_bug small_bugs[] = {
    {"lut", "one too far", plant_lut},
    {"clamp", "one short", plant_clamp},
    {"clamp", "a NaN becomes hi", plant_clamp_nan},
    {"quantize", "ties upwards", plant_quantize},
    {"dequantize", "an odd zero point", plant_dequantize},
    {"requantize", "zero point before rounding", plant_requantize},
    {"widen", "eight bits", plant_widen},
    {"minmax", "whole vectors only", plant_minmax},
    {"softmax", "one percent", plant_softmax},
    {"transpose", "writes one row on", plant_transpose},
    {"pools", "max forgets a tap", plant_max_pool},
    {"pools", "average with another zero point", plant_average_pool},
    {"binary", "forgets the step", plant_binary},
    {"gather", "one byte too many", plant_gather},
    {"resize", "truncates", plant_resize_u8},
    {"resize", "upside down", plant_resize_f32},
};

/* One bug, sometimes two, for each of the other families. */
static void elements(void)
{
    right = oct_kernels_get("scalar", ~0u);
    for (int i = 0; i < TEST_COUNT(small_bugs); i++) {
        oct_kernels table = *right;
        small_bugs[i].plant(&table);
        const kernel_family *f = kernel_families;
        while (f->name && strcmp(f->name, small_bugs[i].family) != 0)
            f++;
        CHECK(f->name != NULL);
        expect_caught(f->check, &table, f->name, small_bugs[i].bug);
    }
}

static const test_case cases[] = {{"gemm", gemm}, {"entries", entries}, {"depthwise", depthwise}, {"winograd", winograd},
                                  {"elements", elements}};

static void __attribute__((constructor)) register_suite(void) { test_register("kernels_planted", cases, TEST_COUNT(cases)); }

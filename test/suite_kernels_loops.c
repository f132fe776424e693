/* suite_kernels_loops.c - the loops round the kernels: whole products and convolutions, units in any order, row pointers, skipped
 * padding, pooling windows. Made-up "spy" kernels see what the loops ask for; the real ones are compared with the oracle. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conv_strips.h"
#include "kernel_check.h"
#include "pool.h"

static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

/* ------------------------------------------------------------------------------- whole convolutions ---- */

/* One convolution through packing, row pointers and loops. The plain data is what the oracle reads. */
typedef struct conv_case {
    const oct_kernels *kernels;
    const oct_gemm_entry *variants;
    bool u8s8, post, skip_padding;
    oct_lowering lowering;              /* ROWS, PATCHES: in strips */
    oct_conv_shape shape;
    size_t pixels, taps, depth;         /* output pixels; kernel positions; input channels of a group */
    void *in, *w;                       /* f32, or u8 and s8 */
    void *rows_in, *padding;            /* what the rows point at: as `in`, or widened to s16 */
    const void **rows;
    layer_data data;
    canary_area area;
} conv_case;

/* Elements of the input. */
static size_t in_elements(const oct_conv_shape *s) { return s->batch * s->in_h * s->in_w * s->in_c; }

/* Sizes along one axis; every window touches the padded image, some only its padding. */
static void random_axis(size_t *in, size_t *out, size_t kernel, size_t stride, size_t dilation, size_t *pad)
{
    const size_t reach = dilation * (kernel - 1) + 1, behind = test_below((uint32_t)reach);
    *pad = test_below((uint32_t)reach);
    *in = 1 + test_below(12);
    while (*in + *pad + behind < reach)
        ++*in;
    *out = (*in + *pad + behind - reach) / stride + 1;
}

/* Small, but with everything: batch, strides, dilation, lopsided padding, groups. */
static oct_conv_shape random_conv(void)
{
    oct_conv_shape s = {.batch = 1 + test_below(2), .kernel_h = 1 + test_below(3), .kernel_w = 1 + test_below(3),
                        .stride_h = 1 + test_below(2), .stride_w = 1 + test_below(2), .dilation_h = 1 + test_below(2),
                        .dilation_w = 1 + test_below(2), .groups = test_below(3) ? 1 : 1 + test_below(3)};
    s.in_c = s.groups * (1 + test_below(20));
    s.out_c = s.groups * (1 + test_below(40));
    random_axis(&s.in_h, &s.out_h, s.kernel_h, s.stride_h, s.dilation_h, &s.pad_top);
    random_axis(&s.in_w, &s.out_w, s.kernel_w, s.stride_w, s.dilation_w, &s.pad_left);
    return s;
}

/* Few channels and kernels up to 7x7, every pad; now and then an image that takes several strips. */
static oct_conv_shape random_first_layer(void)
{
    oct_conv_shape s = {.batch = 1 + test_below(2), .kernel_h = 1 + test_below(7), .kernel_w = 1 + test_below(7),
                        .stride_h = 1 + test_below(3), .stride_w = 1 + test_below(3), .dilation_h = 1, .dilation_w = 1, .groups = 1,
                        .in_c = 1 + test_below(4), .out_c = 1 + test_below(40)};
    random_axis(&s.in_h, &s.out_h, s.kernel_h, s.stride_h, 1, &s.pad_top);
    random_axis(&s.in_w, &s.out_w, s.kernel_w, s.stride_w, 1, &s.pad_left);
    if (test_below(4) == 0) {
        const size_t down = test_below(30), right = test_below(60);
        s.in_h += down * s.stride_h;
        s.out_h += down;
        s.in_w += right * s.stride_w;
        s.out_w += right;
    }
    return s;
}

/* x * w^T as a 1x1 convolution over m pixels. */
static oct_conv_shape matrix_shape(size_t m, size_t n, size_t k)
{
    return (oct_conv_shape){.batch = 1, .in_h = m, .in_w = 1, .in_c = k, .out_h = m, .out_w = 1, .out_c = n, .kernel_h = 1,
                            .kernel_w = 1, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .groups = 1};
}

/* The input as the entries want it, between guard pages, and a row of padding. */
static void place_input(conv_case *c)
{
    const guard_side side = test_below(2) ? GUARD_BEHIND : GUARD_BEFORE;
    const size_t n = in_elements(&c->shape), size = elem_bytes((oct_elem)c->variants->a_elem);
    if (c->lowering >= OCT_LOWERING_ROWS) {
        c->rows_in = guarded_copy(SLOT_A, c->in, n * (c->u8s8 ? 1 : 4), 1, side);
        return;
    }
    c->rows_in = guarded(SLOT_A, n * size, 1, side);
    c->padding = guarded(SLOT_TABLE, c->shape.in_c * size, 1, side);
    memset(c->padding, c->variants->a_elem == OCT_ELEM_U8 ? c->data.layer.x_zero : 0, c->shape.in_c * size);
    if (c->variants->a_elem == OCT_ELEM_S16)
        c->kernels->widen_u8_s16(n, c->in, c->data.layer.x_zero, c->rows_in);
    else
        memcpy(c->rows_in, c->in, n * size);
    c->rows = guarded(SLOT_POINTERS, c->pixels * c->taps * sizeof(void *), sizeof(void *), side);
    oct_conv_rows(&c->shape, c->rows_in, size, c->padding, c->rows);
}

/* Per-column arrays of columns [n0, n0 + n), padded as the packed panels are. */
static void place_parameters(const conv_case *c, size_t n0, size_t n, const int8_t *w, oct_epilogue *e)
{
    const size_t depth = c->taps * c->depth, width = oct_padded_columns(c->variants, n);
    const oct_packed cut = {.variants = c->variants, .n = n, .taps = 1, .k = 1};
    float *bias = guarded(SLOT_BIAS, width * sizeof *bias, 64, GUARD_BEHIND);
    float *mult = guarded(SLOT_MULT, width * sizeof *mult, 64, GUARD_BEHIND);
    int32_t *acc_bias = guarded(SLOT_ACC_BIAS, width * sizeof *acc_bias, 64, GUARD_BEHIND);
    memset(bias, 0, width * sizeof *bias);
    memset(mult, 0, width * sizeof *mult);
    memset(acc_bias, 0, width * sizeof *acc_bias);
    for (size_t index = 0; index < oct_panel_count(c->variants, n); index++) {
        const oct_panel p = oct_panel_at(&cut, index);
        for (size_t i = 0; i < p.n; i++) {
            int32_t sum = 0;
            for (size_t j = 0; c->u8s8 && j < depth; j++)
                sum += w[(p.n0 + i) * depth + j];
            bias[p.column + i] = c->data.bias[n0 + p.n0 + i];
            mult[p.column + i] = c->data.mult[n0 + p.n0 + i];
            acc_bias[p.column + i] = c->data.acc_bias[n0 + p.n0 + i];
            if (c->variants->a_elem == OCT_ELEM_U8)
                acc_bias[p.column + i] -= (c->data.layer.x_zero - c->variants->a_shift) * sum;
        }
    }
    e->bias = bias;
    e->mult = c->u8s8 ? mult : NULL;
    e->acc_bias = c->u8s8 ? acc_bias : NULL;
}

/* A post-pass that must be applied exactly once to be right. */
static void negate(const void *arg, void *row, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (*(const oct_elem *)arg == OCT_ELEM_F32)
            ((float *)row)[i] = -((float *)row)[i];
        else
            ((uint8_t *)row)[i] = (uint8_t)(255 - ((uint8_t *)row)[i]);
    }
}

/* All units once, in pieces and in an order of chance. */
static void run_units(const oct_gemm_job *job)
{
    const size_t units = oct_gemm_units(job), cut = test_below((uint32_t)units + 1);
    oct_gemm_run(job, cut, units);
    for (size_t done = 0; done < cut;) {
        const size_t step = min_size(1 + test_below(3), cut - done);
        oct_gemm_run(job, done, done + step);
        done += step;
    }
}

/* Groups are products of their own: their rows begin a_offset further on, their columns n0 further right. */
static void run_group(conv_case *c, size_t group)
{
    const oct_conv_shape *s = &c->shape;
    const size_t n = s->out_c / s->groups, n0 = group * n, size = elem_bytes(c->data.layer.e.out_elem);
    const char *w = (const char *)c->w + n0 * c->taps * c->depth * (c->u8s8 ? 1 : 4);
    oct_packed packed = {.variants = c->variants, .n = n, .taps = c->taps, .k = c->depth};
    void *data = guarded(SLOT_B, oct_packed_bytes(c->variants, n, c->taps, c->depth), 64, GUARD_BEHIND);
    if (c->u8s8)
        oct_pack_u8s8(&packed, (const int8_t *)w, data);
    else
        oct_pack_f32(&packed, (const float *)(const void *)w, data);
    oct_gemm_job job = {.packed = &packed, .m = c->pixels, .a_offset = group * c->depth, .e = c->data.layer.e};
    if (oct_conv_is_matrix(s) && test_below(2)) {
        job.a = c->rows_in;
        job.lda = s->in_c;
    } else {
        job.rows = c->rows;
        job.padding = c->skip_padding ? c->padding : NULL;
    }
    place_parameters(c, n0, n, (const int8_t *)w, &job.e);
    job.e.out = c->area.out + n0 * size;
    job.e.out_ld = c->area.ld_bytes / size;
    if (job.e.residual)
        job.e.residual = (const char *)job.e.residual + n0 * size;
    if (c->post)
        job.post = (oct_post){negate, &c->data.layer.e.out_elem};
    run_units(&job);
}

/* Strips from the last to the first, each by one of two threads: scratch memory is exactly as long as was asked for, full of NaNs,
 * and the second thread's pointers are the first one's moved. */
static void run_in_strips(conv_case *c)
{
    const oct_strips strips = oct_strips_plan(&c->shape, c->lowering, c->variants);
    const size_t n = c->shape.out_c, bytes = oct_strips_scratch(&strips), size = elem_bytes(c->data.layer.e.out_elem);
    oct_packed packed = {.variants = c->variants, .n = n, .taps = strips.taps, .k = strips.k};
    void *data = guarded(SLOT_B, oct_packed_bytes(c->variants, n, strips.taps, strips.k), 64, GUARD_BEHIND);
    if (c->u8s8)
        oct_pack_u8s8(&packed, c->w, data);
    else
        oct_pack_f32(&packed, c->w, data);
    uint8_t *scratch = guarded(SLOT_SCRATCH, 2 * bytes, 64, GUARD_BEHIND);
    const void **pointers = guarded(SLOT_POINTERS, oct_strips_pointers(&strips) * sizeof *pointers, sizeof *pointers, GUARD_BEHIND);
    memset(scratch, 0xff, 2 * bytes);
    oct_strips_connect(&strips, scratch, pointers);
    oct_strips_job job = {.strips = &strips, .kernels = c->kernels, .in = c->rows_in, .in_zero = (uint8_t)c->data.layer.x_zero,
                          .gemm = {.packed = &packed, .e = c->data.layer.e}, .pointers = pointers, .connected = scratch};
    place_parameters(c, 0, n, c->w, &job.gemm.e);
    job.gemm.e.out = c->area.out;
    job.gemm.e.out_ld = c->area.ld_bytes / size;
    if (c->post)
        job.gemm.post = (oct_post){negate, &c->data.layer.e.out_elem};
    for (size_t unit = oct_strips_units(&strips); unit-- > 0;)
        oct_strips_run(&job, unit, unit + 1, scratch + test_below(2) * bytes);
}

/* Every element up to some 3,000, evenly spread over the output. */
static void compare_conv(const conv_case *c, check_report *report)
{
    const oct_conv_shape *s = &c->shape;
    const size_t count = c->pixels * s->out_c, step = count / 3000 + 1;
    const oct_elem elem = c->data.layer.e.out_elem;
    for (size_t i = test_below((uint32_t)step); i < count; i += step) {
        const size_t pixel = i / s->out_c, channel = i % s->out_c;
        oracle_value expected = oracle_conv(&c->data.layer, s, c->in, c->w, pixel, channel);
        if (c->post)
            expected.value = elem == OCT_ELEM_F32 ? -expected.value : 255.0 - expected.value;
        const double out = elem_at(elem, c->area.out + pixel * c->area.ld_bytes, channel);
        if (!oracle_accepts(expected, out))
            report_fail(report,
                        "%s %s: %zux%zu stride %zu %zu dilation %zu %zu pad %zu %zu groups %zu in %zux%zux%zux%zu out %zux%zux%zu: "
                        "pixel %zu channel %zu is %.9g, expected %.9g +- %.3g",
                        c->kernels->isa, c->variants->name, s->kernel_h, s->kernel_w, s->stride_h, s->stride_w, s->dilation_h,
                        s->dilation_w, s->pad_top, s->pad_left, s->groups, s->batch, s->in_h, s->in_w, s->in_c, s->out_h, s->out_w,
                        s->out_c, pixel, channel, out, expected.value, expected.tolerance);
    }
}

/* In the shape survives() wants. */
static void call_conv(void *arg)
{
    conv_case *c = arg;
    if (c->lowering >= OCT_LOWERING_ROWS)
        run_in_strips(c);
    else
        for (size_t g = 0; g < c->shape.groups; g++)
            run_group(c, g);
}

/* Data, memory, the call, the verdict. */
static void judge_conv(conv_case *c, data_kind kind, check_report *report)
{
    const oct_conv_shape *s = &c->shape;
    c->pixels = s->batch * s->out_h * s->out_w;
    c->taps = s->kernel_h * s->kernel_w;
    c->depth = s->in_c / s->groups;
    c->in = malloc(in_elements(s) * 4);
    c->w = malloc(s->out_c * c->taps * c->depth * 4);
    if (c->u8s8) {
        fill_u8(c->in, in_elements(s), kind);
        fill_s8(c->w, s->out_c * c->taps * c->depth, kind);
    } else {
        fill_f32(c->in, in_elements(s), kind);
        fill_f32(c->w, s->out_c * c->taps * c->depth, kind);
    }
    const oct_elem out = test_below(2) ? OCT_ELEM_U8 : OCT_ELEM_F32;
    c->data = layer_make(c->u8s8, c->pixels, s->out_c, c->taps * c->depth, c->w, kind, out, test_below(2));
    place_input(c);
    c->area = canary_place(c->pixels, s->out_c * elem_bytes(out), (s->out_c + test_below(5)) * elem_bytes(out),
                           (guard_side)test_below(2));
    report->cases++;
    if (!survives(call_conv, c))
        report_fail(report, "%s %s: touched memory outside its buffers", c->kernels->isa, c->variants->name);
    else if (!canary_intact(&c->area))
        report_fail(report, "%s %s: wrote outside its output", c->kernels->isa, c->variants->name);
    else
        compare_conv(c, report);
    layer_free(&c->data);
    free(c->in);
    free(c->w);
}

/* Settings of chance. */
static conv_case make_case(const oct_kernels *kernels, bool u8s8, oct_conv_shape shape)
{
    const size_t rows = test_below(6) ? 2 : 1;          /* now and then the one-row kernels, which must do any number of rows too */
    return (conv_case){.kernels = kernels, .u8s8 = u8s8, .post = test_below(3) == 0, .skip_padding = test_below(2), .shape = shape,
                       .variants = u8s8 ? oct_gemm_variants_u8s8(kernels, rows) : oct_gemm_variants_f32(kernels, rows)};
}

/* Everything at once, on every level. */
static void convolutions(void)
{
    for (size_t level = 0; tested_kernels(level); level++) {
        for (int i = 0; i < 400; i++) {
            check_report report = {0};
            conv_case c = make_case(tested_kernels(level), i & 1, random_conv());
            judge_conv(&c, (data_kind)test_below(DATA_KINDS), &report);
            CHECK_MSG(!report.failed, "%s", report.message);
        }
    }
}

/* Both lowerings for few channels, whether they would be chosen or not. */
static void first_layers(void)
{
    for (size_t level = 0; tested_kernels(level); level++) {
        for (int i = 0; i < 400; i++) {
            check_report report = {0};
            conv_case c = make_case(tested_kernels(level), i & 1, random_first_layer());
            c.lowering = i & 2 ? OCT_LOWERING_ROWS : OCT_LOWERING_PATCHES;
            judge_conv(&c, (data_kind)test_below(DATA_KINDS), &report);
            CHECK_MSG(!report.failed, "%s: %s", oct_lowering_name(c.lowering), report.message);
        }
    }
}

/* Whatever the ISA, products of bytes are not left a quarter empty without need, and long taps are not copied. */
static void chosen_lowerings(void)
{
    for (size_t level = 0; tested_kernels(level); level++) {
        const oct_gemm_entry *u8s8 = tested_kernels(level)->gemm_u8s8;
        oct_conv_shape s = {.batch = 1, .in_h = 30, .in_w = 30, .in_c = 3, .out_h = 30, .out_w = 30, .out_c = 64, .kernel_h = 3,
                            .kernel_w = 3, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .pad_top = 1,
                            .pad_left = 1, .groups = 1};
        const oct_lowering chosen = oct_conv_lowering(&s, u8s8);
        const oct_strips strips = oct_strips_plan(&s, chosen, u8s8);
        CHECK(chosen == OCT_LOWERING_ROWS || chosen == OCT_LOWERING_PATCHES);
        CHECK(strips.taps * strips.k == 27 && strips.taps * strips.run_k <= 32);
        s.in_c = 1;
        CHECK(oct_conv_lowering(&s, tested_kernels(level)->gemm_f32) == OCT_LOWERING_ROWS);
        s.dilation_w = 2;
        CHECK(oct_conv_lowering(&s, u8s8) == OCT_LOWERING_DIRECT);
        s.dilation_w = 1;
        s.in_c = 64;
        CHECK(oct_conv_lowering(&s, u8s8) == OCT_LOWERING_DIRECT);
        s.kernel_h = s.kernel_w = 1;
        s.pad_top = s.pad_left = 0;
        CHECK(oct_conv_lowering(&s, u8s8) == OCT_LOWERING_MATRIX);
    }
}

/* Rows and columns round the tile's edges, up to twice the tile and one more. */
static void matrices(void)
{
    for (size_t level = 0; tested_kernels(level); level++) {
        for (int i = 0; i < 200; i++) {
            check_report report = {0};
            conv_case c = make_case(tested_kernels(level), i & 1, matrix_shape(1, 1, 1));
            const size_t m = edge_size(2u * c.variants->mr + 1), n = edge_size(2u * c.variants->nr + 1);
            c.shape = matrix_shape(m, n, 1 + test_below(70));
            judge_conv(&c, (data_kind)test_below(DATA_KINDS), &report);
            CHECK_MSG(!report.failed, "%s", report.message);
        }
    }
}

/* So large that there are several strips: all of A in the cache, and A beyond it. */
static void large_matrices(void)
{
    static const size_t sizes[][3] = {{700, 90, 300}, {520, 150, 700}, {61, 400, 900}, {3000, 20, 40}};
    for (size_t level = 0; tested_kernels(level); level++) {
        for (int i = 0; i < 2 * TEST_COUNT(sizes); i++) {
            check_report report = {0};
            const size_t *s = sizes[i / 2];
            conv_case c = make_case(tested_kernels(level), i & 1, matrix_shape(s[0], s[1], s[2]));
            judge_conv(&c, DATA_RANDOM, &report);
            CHECK_MSG(!report.failed, "%s", report.message);
        }
    }
}

/* The deepest column that can be proved: 66,000 products of 255 * 127 reach 0.995 * 2^31. */
static void longest_sums(void)
{
    for (size_t level = 0; tested_kernels(level); level++) {
        for (int i = 0; i < 4; i++) {
            check_report report = {0};
            conv_case c = make_case(tested_kernels(level), true, matrix_shape(1 + test_below(3), 1 + test_below(4), 66000));
            judge_conv(&c, i & 1 ? DATA_SAME : DATA_EXTREME, &report);
            CHECK_MSG(!report.failed, "%s", report.message);
        }
    }
}

/* ------------------------------------------------------------------------------------------ row pointers ---- */

/* Every pointer against the definition, with signed arithmetic. */
static void conv_rows(void)
{
    for (int i = 0; i < 200; i++) {
        const oct_conv_shape s = random_conv();
        const size_t taps = s.kernel_h * s.kernel_w, count = s.batch * s.out_h * s.out_w * taps;
        const uint8_t *in = guarded(SLOT_A, in_elements(&s) * 2, 1, GUARD_BEHIND),
                      *padding = guarded(SLOT_TABLE, 1, 1, GUARD_BEHIND);
        const void **rows = guarded(SLOT_POINTERS, count * sizeof *rows, sizeof *rows, GUARD_BEHIND);
        oct_conv_rows(&s, in, 2, padding, rows);
        for (size_t j = 0; j < count; j++) {
            const size_t pixel = j / taps, n = pixel / (s.out_h * s.out_w);
            const int64_t y =
                (int64_t)(pixel / s.out_w % s.out_h * s.stride_h + j % taps / s.kernel_w * s.dilation_h) - (int64_t)s.pad_top;
            const int64_t x = (int64_t)(pixel % s.out_w * s.stride_w + j % s.kernel_w * s.dilation_w) - (int64_t)s.pad_left;
            const bool outside = y < 0 || y >= (int64_t)s.in_h || x < 0 || x >= (int64_t)s.in_w;
            const size_t at = outside ? 0 : ((n * s.in_h + (size_t)y) * s.in_w + (size_t)x) * s.in_c * 2;
            CHECK(rows[j] == (outside ? padding : in + at));
        }
    }
}

/* A convolution is a plain product only if nothing at all is special about it. */
static void is_matrix(void)
{
    oct_conv_shape s = matrix_shape(9, 4, 5);
    CHECK(oct_conv_is_matrix(&s));
    s.stride_w = 2;
    s.in_w = 2;
    CHECK(!oct_conv_is_matrix(&s));
    s = matrix_shape(9, 4, 5);
    s.pad_top = 1;
    s.out_h = 10;
    CHECK(!oct_conv_is_matrix(&s));
    s = matrix_shape(9, 4, 5);
    s.out_h = 11;                               /* padded at the bottom only */
    CHECK(!oct_conv_is_matrix(&s));
    s = matrix_shape(9, 4, 5);
    s.kernel_h = 3;
    s.out_h = 7;
    CHECK(!oct_conv_is_matrix(&s));
}

/* -------------------------------------------------------------------------------------------------- spies ---- */

static struct {
    size_t calls, smallest_m, largest_m, fewest_taps;
    uint16_t times[64 * 64];            /* how often each output element was asked for */
    const char *out;
    size_t columns;
    bool foreign;                       /* a row that is no row of the job, or a panel that does not fit its taps */
    const void *const *rows;
    const char *b;
    size_t tap_bytes, job_taps;
} spy;

/* Computes nothing; notes what it was asked for. */
static void spy_kernel(const oct_tile *t)
{
    const size_t at = (size_t)((const char *)t->e.out - spy.out), skipped = (size_t)((const char *)t->b - spy.b) / spy.tap_bytes;
    spy.calls++;
    spy.smallest_m = min_size(spy.smallest_m, t->m);
    spy.largest_m = t->m > spy.largest_m ? t->m : spy.largest_m;
    spy.fewest_taps = min_size(spy.fewest_taps, t->taps);
    for (size_t r = 0; r < t->m; r++)
        for (size_t c = 0; c < t->n; c++)
            spy.times[at + r * spy.columns + c]++;
    if (spy.rows && t->a != spy.rows + at / spy.columns * spy.job_taps + skipped)
        spy.foreign = true;
}

static const oct_gemm_entry spy_f32[] = {{spy_kernel, 5, 8, 1, OCT_ELEM_F32, OCT_ELEM_F32, "spy", 0},
                                         {NULL, 0, 0, 0, 0, 0, NULL, 0}};
static const oct_gemm_entry spy_u8[] = {{spy_kernel, 5, 8, 4, OCT_ELEM_U8, OCT_ELEM_S8, "spy", 0}, {NULL, 0, 0, 0, 0, 0, NULL, 0}};
static const oct_gemm_entry spy_u8_shifted[] = {{spy_kernel, 5, 8, 4, OCT_ELEM_U8, OCT_ELEM_S8, "spy", 128},
                                                {NULL, 0, 0, 0, 0, 0, NULL, 0}};
static const oct_gemm_entry spy_s16[] = {{spy_kernel, 5, 8, 2, OCT_ELEM_S16, OCT_ELEM_S16, "spy", 0},
                                         {NULL, 0, 0, 0, 0, 0, NULL, 0}};
static const oct_gemm_entry spy_mixed[] = {{spy_kernel, 7, 32, 1, OCT_ELEM_F32, OCT_ELEM_F32, "spy", 0},
                                           {spy_kernel, 12, 8, 1, OCT_ELEM_F32, OCT_ELEM_F32, "spy", 0},
                                           {NULL, 0, 0, 0, 0, 0, NULL, 0}};

/* Forgets the last job and learns where the next one's memory is. */
static void reset_spy(const oct_gemm_job *job)
{
    memset(&spy, 0, sizeof spy);
    spy.smallest_m = spy.fewest_taps = 1000;
    spy.out = job->e.out;
    spy.columns = job->packed->n;
    spy.rows = job->rows;
    spy.b = job->packed->data;
    spy.job_taps = job->packed->taps;
    const oct_gemm_entry *e = job->packed->variants;
    spy.tap_bytes = (job->packed->k + e->kr - 1u) / e->kr * e->kr * e->nr * elem_bytes((oct_elem)e->b_elem);
}

/* Every element exactly once, whatever the shape and however the units are handed out; row blocks balanced. */
static void coverage(void)
{
    static float a[64 * 40], out[64 * 64], w[64 * 4096];
    const oct_gemm_entry *lists[2] = {spy_f32, spy_mixed};
    for (int i = 0; i < 300; i++) {
        oct_packed packed = {.variants = lists[i & 1], .n = 1 + test_below(60), .taps = 1, .k = 1 + test_below(40), .data = w};
        oct_gemm_job job = {.packed = &packed, .m = 1 + test_below(60), .a = a, .lda = packed.k,
                            .e = {.out_elem = OCT_ELEM_U8, .out = out, .out_ld = packed.n}};
        reset_spy(&job);
        run_units(&job);
        for (size_t j = 0; j < job.m * packed.n; j++)
            CHECK_MSG(spy.times[j] == 1, "m %zu n %zu: element %zu %u times", job.m, packed.n, j, spy.times[j]);
        CHECK_MSG(i & 1 || spy.largest_m - spy.smallest_m <= 1, "m %zu in blocks of %zu to %zu", job.m, spy.smallest_m,
                  spy.largest_m);
        CHECK(spy.largest_m <= lists[i & 1][i & 1 ? 1 : 0].mr);
    }
    oct_packed empty = {.variants = spy_f32, .n = 4, .taps = 1, .k = 4, .data = w};
    oct_gemm_job none = {.packed = &empty, .m = 0, .a = a, .lda = 4};
    CHECK(oct_gemm_units(&none) == 0);
    oct_gemm_run(&none, 0, 0);
}

/* A tile is one output row here, so the top and the bottom one have three padded taps each: left out where that is exact. */
static size_t fewest_taps(const oct_gemm_entry *variants, bool with_padding, uint8_t zero)
{
    static float in[25 * 3], padding[3], out[25 * 8];
    static char w[9 * 4 * 8 * 4];
    static const void *rows[25 * 9];
    const oct_conv_shape s = {.batch = 1,
                              .in_h = 5, .in_w = 5, .in_c = 3,
                              .out_h = 5, .out_w = 5, .out_c = 8,
                              .kernel_h = 3, .kernel_w = 3, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1,
                              .pad_top = 1, .pad_left = 1,
                              .groups = 1};
    memset(padding, zero, sizeof padding);
    oct_conv_rows(&s, in, elem_bytes((oct_elem)variants->a_elem), padding, rows);
    oct_packed packed = {.variants = variants, .n = 8, .taps = 9, .k = 3, .data = w};
    oct_gemm_job job = {.packed = &packed, .m = 25, .rows = rows, .padding = with_padding ? padding : NULL,
                        .e = {.out_elem = OCT_ELEM_U8, .out = out, .out_ld = 8}};
    reset_spy(&job);
    run_units(&job);
    return spy.foreign || spy.calls != 5 ? 0 : spy.fewest_taps;
}

static void skipped_padding(void)
{
    CHECK(fewest_taps(spy_f32, true, 0) == 6);
    CHECK(fewest_taps(spy_f32, false, 0) == 9);
    CHECK(fewest_taps(spy_s16, true, 0) == 6);
    /* u8: where the zero point is what the kernel subtracts */
    CHECK(fewest_taps(spy_u8, true, 0) == 6);
    CHECK(fewest_taps(spy_u8, true, 1) == 9);
    CHECK(fewest_taps(spy_u8_shifted, true, 128) == 6);
    CHECK(fewest_taps(spy_u8_shifted, true, 0) == 9);
}

/* ------------------------------------------------------------------------------------------------ pooling ---- */

/* One axis of a pooling window; in ceil mode the last window may hang over the padded edge, but must begin before it (ONNX,
 * PyTorch). */
static size_t pool_out(size_t in, size_t pad0, size_t pad1, size_t reach, size_t stride, bool ceil_mode)
{
    size_t out = (in + pad0 + pad1 - reach + (ceil_mode ? stride - 1 : 0)) / stride + 1;
    if (ceil_mode && (out - 1) * stride >= in + pad0)
        out--;
    return out;
}

/* Windows as networks have them: pads shorter than the kernel. */
static oct_pool_window random_window(void)
{
    const bool ceil_mode = test_below(2);
    oct_pool_window w = {.batch = 1 + test_below(2),
                         .c = 1 + test_below(40),
                         .kernel_h = 1 + test_below(4),
                         .kernel_w = 1 + test_below(4),
                         .stride_h = 1 + test_below(3),
                         .stride_w = 1 + test_below(3),
                         .dilation_h = 1 + test_below(5) / 4,
                         .dilation_w = 1 + test_below(5) / 4,
                         .count_include_pad = test_below(2)};
    const size_t reach_h = w.dilation_h * (w.kernel_h - 1) + 1, reach_w = w.dilation_w * (w.kernel_w - 1) + 1;
    w.in_h = reach_h + test_below(9);
    w.in_w = reach_w + test_below(9);
    w.pad_top = test_below((uint32_t)w.kernel_h);
    w.pad_bottom = test_below((uint32_t)w.kernel_h);
    w.pad_left = test_below((uint32_t)w.kernel_w);
    w.pad_right = test_below((uint32_t)w.kernel_w);
    w.out_h = pool_out(w.in_h, w.pad_top, w.pad_bottom, reach_h, w.stride_h, ceil_mode);
    w.out_w = pool_out(w.in_w, w.pad_left, w.pad_right, reach_w, w.stride_w, ceil_mode);
    return w;
}

/* Input and padding row between guard pages. */
static void place_pool(oct_pool_args *args)
{
    const oct_pool_window *w = &args->window;
    const size_t n = w->batch * w->in_h * w->in_w * w->c, size = args->u8 ? 1 : 4;
    const guard_side side = test_below(2) ? GUARD_BEHIND : GUARD_BEFORE;
    void *in = guarded(SLOT_A, n * size, 1, side), *padding = guarded(SLOT_TABLE, w->c * size, 1, side);
    if (args->u8)
        fill_u8(in, n, DATA_RANDOM);
    else
        fill_f32(in, n, DATA_RANDOM);
    memset(padding, args->u8 ? args->in_zero : 0, w->c * size);
    args->in = in;
    args->padding = args->average ? padding : NULL;
}

/* Every element against the window's definition. */
static void compare_pool(const oct_pool_args *args, const canary_area *area)
{
    const oct_pool_window *w = &args->window;
    for (size_t i = 0; i < w->batch * w->out_h * w->out_w * w->c; i++) {
        const oracle_value expected = oracle_pool(args, i / w->c, i % w->c);
        const double out = elem_at(args->u8 ? OCT_ELEM_U8 : OCT_ELEM_F32, area->out, i / w->c * args->out_ld + i % w->c);
        CHECK_MSG(oracle_accepts(expected, out),
                  "%s %s pool %s: %zux%zu stride %zu %zu dilation %zu %zu pads %zu %zu %zu %zu in %zux%zu out %zux%zu: element %zu "
                  "is %.9g, expected %.9g",
                  args->kernels->isa, args->average ? "average" : "max", args->u8 ? "u8" : "f32", w->kernel_h, w->kernel_w,
                  w->stride_h, w->stride_w, w->dilation_h, w->dilation_w, w->pad_top, w->pad_left, w->pad_bottom, w->pad_right,
                  w->in_h, w->in_w, w->out_h, w->out_w, i, out, expected.value);
    }
}

/* The rows are done in two calls, the later ones first; scratch is exactly as long as was asked for. */
static void one_pool(const oct_kernels *kernels, bool average, bool u8)
{
    oct_pool_args args = {.kernels = kernels,
                          .average = average,
                          .u8 = u8,
                          .window = random_window(),
                          .lo = -INFINITY,
                          .hi = INFINITY,
                          .qlo = 0,
                          .qhi = 255,
                          .scale_ratio = u8 ? test_uniform(0.3f, 2.0f) : 1.0f,
                          .in_zero = u8 ? (int32_t)test_below(256) : 0,
                          .out_zero = u8 ? (int32_t)test_below(256) : 0};
    const oct_pool_window *w = &args.window;
    const size_t rows = w->batch * w->out_h, cut = test_below((uint32_t)rows + 1), size = u8 ? 1 : 4;
    place_pool(&args);
    args.out_ld = w->c + (test_below(2) ? test_below(20) : 0);
    const canary_area area = canary_place(rows * w->out_w, w->c * size, args.out_ld * size, (guard_side)test_below(2));
    void *scratch = guarded(SLOT_SCRATCH, oct_pool_scratch_bytes(w), sizeof(void *), GUARD_BEHIND);
    args.out = area.out;
    oct_pool_run_rows(&args, cut, rows, scratch);
    CHECK(canary_untouched(&area, 0, cut * w->out_w));
    oct_pool_run_rows(&args, 0, cut, scratch);
    CHECK(canary_intact(&area));
    compare_pool(&args, &area);
}

/* Max and average, f32 and u8 by turns. */
static void pools(void)
{
    for (size_t level = 0; tested_kernels(level); level++)
        for (int i = 0; i < 600 && !test_failed(); i++)
            one_pool(tested_kernels(level), i & 1, i & 2);
}

/* 2x2 with dilation 2 on a single pixel, padded by one: the taps jump over the image. The maximum takes the nearest pixel, the
 * average is 0. */
static void window_beside_image(void)
{
    const float in[2] = {3.0f, -5.0f}, zeros[2] = {0};
    float out[2] = {9, 9};
    double scratch[16];
    oct_pool_args args = {.kernels = oct_kernels_get("scalar", ~0u), .in = in, .out = out, .padding = zeros, .scale_ratio = 1.0f,
                          .lo = -INFINITY, .hi = INFINITY, .out_ld = 2,
                          .window = {.batch = 1, .in_h = 1, .in_w = 1, .c = 2, .out_h = 1, .out_w = 1, .kernel_h = 2, .kernel_w = 2,
                                     .stride_h = 1, .stride_w = 1, .dilation_h = 2, .dilation_w = 2, .pad_top = 1, .pad_left = 1,
                                     .pad_bottom = 1, .pad_right = 1}};
    CHECK(oct_pool_scratch_bytes(&args.window) <= sizeof scratch);
    oct_pool_run_rows(&args, 0, 1, scratch);
    CHECK(out[0] == 3.0f && out[1] == -5.0f);
    args.average = true;
    oct_pool_run_rows(&args, 0, 1, scratch);
    CHECK(out[0] == 0.0f && out[1] == 0.0f);
}

static const test_case cases[] = {
    {"convolutions", convolutions},
    {"first_layers", first_layers},
    {"chosen_lowerings", chosen_lowerings},
    {"matrices", matrices},
    {"large_matrices", large_matrices},
    {"longest_sums", longest_sums},
    {"conv_rows", conv_rows},
    {"is_matrix", is_matrix},
    {"coverage", coverage},
    {"skipped_padding", skipped_padding},
    {"pools", pools},
    {"window_beside_image", window_beside_image},
};

static void __attribute__((constructor)) register_suite(void) { test_register("kernels_loops", cases, TEST_COUNT(cases)); }

/* suite_kernels_ranges.c - integer kernels at the limits of their proofs: kernels that choose a faster form when a layer's bounds
 * allow it must give the scalar kernel's bits on both sides of the bound. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_check.h"

/* ------------------------------------------------------------------------------------------ depthwise ---- */

/* A 3x3 or 5x5 layer with stride 1 or 2, whose accumulators start anywhere within +-bias_limit. */
typedef struct bias_case {
    oct_conv_shape shape;
    oct_depthwise_params params;
    int8_t *w;
    int32_t *acc_bias;
    float *mult, *bias;
    uint8_t *in;
    oct_elem out_elem;
    uint8_t in_zero;
} bias_case;

static void bias_case_make(bias_case *c, int64_t bias_limit)
{
    const size_t kernel = test_below(3) ? 3 : 5, stride = 1 + test_below(2), channels = 8 + test_below(60);
    const size_t pad[4] = {test_below(2), test_below(3), test_below(3), test_below(2)};     /* top, left, bottom, right */
    oct_conv_shape *s = &c->shape;
    *s = (oct_conv_shape){.batch = 1, .in_h = kernel + test_below(12), .in_w = kernel + test_below(24), .in_c = channels,
                          .out_c = channels, .kernel_h = kernel, .kernel_w = kernel, .stride_h = stride, .stride_w = stride,
                          .dilation_h = 1, .dilation_w = 1, .pad_top = pad[0], .pad_left = pad[1], .groups = channels};
    s->out_h = (s->in_h + pad[0] + pad[2] - kernel) / stride + 1;
    s->out_w = (s->in_w + pad[1] + pad[3] - kernel) / stride + 1;
    const size_t taps = kernel * kernel, pixels = s->in_h * s->in_w;
    c->w = malloc(channels * taps);
    c->acc_bias = malloc(channels * sizeof(int32_t));
    c->mult = malloc(channels * sizeof(float));
    c->bias = malloc(channels * sizeof(float));
    c->in = malloc(pixels * channels);
    fill_s8(c->w, channels * taps, (data_kind)test_below(DATA_KINDS));
    fill_u8(c->in, pixels * channels, (data_kind)test_below(DATA_KINDS));
    for (size_t i = 0; i < channels; i++) {
        const int64_t size = test_below(3) ? (int64_t)(test_random() % (uint64_t)bias_limit) : bias_limit - 1;
        c->acc_bias[i] = (int32_t)(test_below(2) ? size : -size);
        c->mult[i] = test_uniform(1.0f, 300.0f) / (float)bias_limit;
        c->bias[i] = test_uniform(-4.0f, 4.0f);
    }
    c->params = (oct_depthwise_params){c->w, c->bias, c->acc_bias, c->mult};
    c->out_elem = test_below(4) ? OCT_ELEM_U8 : OCT_ELEM_F32;
    c->in_zero = (uint8_t)test_below(256);
}

static void bias_case_free(bias_case *c)
{
    free(c->w);
    free(c->acc_bias);
    free(c->mult);
    free(c->bias);
    free(c->in);
}

/* The layer on one level, in two calls. The caller frees the output. */
static void *bias_case_run(const bias_case *c, const oct_kernels *kernels, size_t cut)
{
    const oct_conv_shape *s = &c->shape;
    const oct_depthwise_entry *entry = kernels->depthwise_u8s8;
    while (!entry->accepts(s))
        entry++;
    void *out = calloc(s->out_h * s->out_w * s->out_c, sizeof(float));
    void *packed = aligned_alloc(64, (entry->packed_bytes(s) + 63) / 64 * 64);
    void *scratch = aligned_alloc(64, (entry->scratch_bytes(s) + 64) / 64 * 64);
    entry->pack(s, &c->params, packed);
    const oct_depthwise_job job = {.shape = s, .in = c->in, .packed = packed, .in_zero = c->in_zero,
                                   .e = {.lo = -INFINITY, .hi = INFINITY, .qlo = 3, .qhi = 250, .out_elem = c->out_elem,
                                         .out_zero = 128, .out = out, .out_ld = s->out_c}};
    entry->run(&job, 0, cut, scratch);
    entry->run(&job, cut, s->out_h, scratch);
    free(packed);
    free(scratch);
    return out;
}

/* Exact in float up to 2^24, doubled up to 2^30, in s32 up to 2^31. */
static void depthwise_biases(void)
{
    static const int64_t limits[] = {1000, 1 << 24, 1 << 30, INT64_C(2147000000)};
    const oct_kernels *scalar = oct_kernels_get("scalar", ~0u);
    for (size_t i = 0; i < 200 && !test_failed(); i++) {
        bias_case c;
        bias_case_make(&c, limits[i % 4]);
        const size_t cut = test_below((uint32_t)c.shape.out_h + 1);
        const size_t bytes = c.shape.out_h * c.shape.out_w * c.shape.out_c * elem_bytes(c.out_elem);
        void *expected = bias_case_run(&c, scalar, cut);
        for (size_t level = 0; tested_kernels(level); level++) {
            void *out = bias_case_run(&c, tested_kernels(level), cut);
            if (memcmp(out, expected, bytes) != 0)
                test_fail(__FILE__, __LINE__, "%s: %zux%zu stride %zu, %zu x %zu x %zu, biases up to %lld",
                          tested_kernels(level)->isa, c.shape.kernel_h, c.shape.kernel_w, c.shape.stride_h, c.shape.in_h,
                          c.shape.in_w, c.shape.in_c, (long long)limits[i % 4]);
            free(out);
        }
        free(expected);
        bias_case_free(&c);
    }
}

/* --------------------------------------------------------------------------------------------- pooling ---- */

/* Windows so large that 16 bits do not hold their sums. */
static void long_windows(void)
{
    enum { TAPS = 1200, CHANNELS = 90, BYTES = 4096 };
    static uint8_t data[BYTES + CHANNELS], expected[CHANNELS], out[CHANNELS];
    static const void *taps[TAPS];
    for (size_t i = 0; i < 100; i++) {
        fill_u8(data, sizeof(data), (data_kind)test_below(DATA_KINDS));
        for (size_t t = 0; t < TAPS; t++)
            taps[t] = data + test_below(BYTES);
        const size_t count = i % 2 ? 250 + test_below(20) : 1 + test_below(TAPS);
        const float mult = test_uniform(0.5f, 2.0f) / (float)count;
        oct_pool_job job = {.pixels = 1, .taps = count, .c = 1 + test_below(CHANNELS), .a = taps, .out = expected,
                            .out_ld = CHANNELS, .mult = &mult, .in_zero = (int32_t)test_below(256),
                            .out_zero = (int32_t)test_below(256), .qhi = 255};
        oct_kernels_get("scalar", ~0u)->average_pool_u8(&job);
        job.out = out;
        for (size_t level = 0; tested_kernels(level); level++) {
            tested_kernels(level)->average_pool_u8(&job);
            CHECK_MSG(memcmp(out, expected, job.c) == 0, "%s: %zu taps, %zu channels", tested_kernels(level)->isa, count, job.c);
        }
    }
}

static const test_case cases[] = {
    {"depthwise_biases", depthwise_biases},
    {"long_windows", long_windows},
};

static void __attribute__((constructor)) register_suite(void) { test_register("kernels_ranges", cases, TEST_COUNT(cases)); }

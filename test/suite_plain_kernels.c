/* octet_kernels.h against plain loops, on every instruction set. */
#include "octet_kernels.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

enum { MOST = 40000 };

static float xf[MOST], wf[MOST], yf[MOST], bias[512], scales[512];
static uint8_t xq[MOST], yq[MOST];
static int8_t wq[MOST];

static void fill_all(void)
{
    for (int i = 0; i < MOST; i++) {
        xf[i] = test_uniform(-1, 1);
        wf[i] = test_uniform(-1, 1);
        xq[i] = (uint8_t)test_below(256);
        wq[i] = (int8_t)((int)test_below(255) - 127);
    }
    for (int i = 0; i < 512; i++) {
        bias[i] = test_uniform(-1, 1);
        scales[i] = test_uniform(0.001f, 0.01f);
    }
}

/* What a u8s8 sum becomes; the definition at the head of kernels.h. */
static double finish(int64_t sum, const oct_quantization *q, size_t column, const float *b)
{
    const double s = (double)q->x_scale * (double)q->w_scale[column];
    if (q->y_scale == 0)
        return (double)sum * s + (b ? (double)b[column] : 0);
    const int64_t units = b ? (int64_t)nearbyint((double)b[column] / s) : 0;
    const double y = (double)rintf((float)(int32_t)(sum + units) * (float)(s / (double)q->y_scale)) + q->y_zero;
    return y < 0 ? 0 : y > 255 ? 255 : y;
}

static void expect(const char *isa, const char *what, double expected, double tolerance, const void *y, bool u8, size_t at)
{
    const double got = u8 ? ((const uint8_t *)y)[at] : (double)((const float *)y)[at];
    if (!test_failed() && !(fabs(got - expected) <= tolerance))
        test_fail(__FILE__, __LINE__, "%s, %s: element %zu is %g, not %g", isa, what, at, got, expected);
}

/* ------------------------------------------------------------------------------------------- products ---- */

static void product(const char *isa, size_t m, size_t n, size_t k)
{
    const size_t ldx = k + test_below(5), ldy = n + test_below(5);
    const float *b = test_below(2) ? bias : NULL;
    const oct_matrix_desc desc = {.n = n, .k = k, .isa = isa, .bias = b};
    oct_quantization q = {
        .x_scale = 0.01f, .x_zero = (int32_t)test_below(256), .w_scale = scales, .y_zero = (int32_t)test_below(256)};
    oct_weights *weights;
    char what[64];
    snprintf(what, sizeof what, "%zu x %zu x %zu", m, n, k);
    q.y_scale = test_below(3) ? 0.02f * sqrtf((float)k) : 0;
    yf[(m - 1) * ldy + n] = 12345;
    CHECK_OK(oct_pack_matrix_f32(&desc, wf, &weights));
    CHECK_OK(oct_gemm_f32(weights, m, xf, ldx, yf, ldy));
    oct_weights_free(weights);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            double sum = b ? (double)b[j] : 0;
            for (size_t l = 0; l < k; l++)
                sum += (double)xf[i * ldx + l] * (double)wf[j * k + l];
            expect(isa, what, sum, 1e-5 * (1 + sqrt((double)k)), yf, false, i * ldy + j);
        }
    CHECK_MSG(yf[(m - 1) * ldy + n] == 12345, "%s, %s: written beyond the last row", isa, what);
    void *y = q.y_scale == 0 ? (void *)yf : yq;
    CHECK_OK(oct_pack_matrix_u8s8(&desc, wq, &q, &weights));
    CHECK_OK(oct_gemm_u8s8(weights, m, xq, ldx, y, ldy));
    oct_weights_free(weights);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < n; j++) {
            int64_t sum = 0;
            for (size_t l = 0; l < k; l++)
                sum += (xq[i * ldx + l] - q.x_zero) * wq[j * k + l];
            const double right = finish(sum, &q, j, b);
            expect(isa, what, right, q.y_scale == 0 ? 1e-5 * (1 + fabs(right)) : 0, y, q.y_scale != 0, i * ldy + j);
        }
}

static void each_isa(void (*run)(const char *isa))
{
    fill_all();
    for (size_t i = 0; i < oct_isa_count() && !test_failed(); i++) {
        oct_isa_info isa;
        if (oct_isa(i, &isa) == OCT_OK && isa.available)
            run(isa.name);
    }
}

static void products_of(const char *isa)
{
    static const size_t sizes[][3] = {{1, 1, 1},   {1, 40, 33}, {7, 64, 20}, {13, 17, 65},
                                      {3, 5, 128}, {50, 9, 4},  {300, 3, 7}, {20, 100, 31}};
    for (int i = 0; i < TEST_COUNT(sizes) && !test_failed(); i++)
        product(isa, sizes[i][0], sizes[i][1], sizes[i][2]);
    for (int i = 0; i < 20 && !test_failed(); i++)
        product(isa, 1 + test_below(40), 1 + test_below(90), 1 + test_below(120));
}

static void products_are_right(void) { each_isa(products_of); }

/* --------------------------------------------------------------------------------------- convolutions ---- */

static size_t or_one(size_t n) { return n ? n : 1; }

/* Calls visit for every product that output (n, oy, ox, oc) sums. */
typedef struct position {
    size_t n, oy, ox, oc;
} position;

static double naive(const oct_convolution_desc *d, position p, const oct_quantization *q, int64_t *units)
{
    const size_t deep = d->in_c / or_one(d->groups), group = p.oc / (d->out_c / or_one(d->groups));
    double sum = 0;
    *units = 0;
    for (size_t ky = 0; ky < d->kernel[0]; ky++)
        for (size_t kx = 0; kx < d->kernel[1]; kx++) {
            const size_t y = p.oy * or_one(d->stride[0]) + ky * or_one(d->dilation[0]) - d->pad[0];
            const size_t x = p.ox * or_one(d->stride[1]) + kx * or_one(d->dilation[1]) - d->pad[1];
            for (size_t c = 0; y < d->in_h && x < d->in_w && c < deep; c++) {
                const size_t from = ((p.n * d->in_h + y) * d->in_w + x) * d->in_c + group * deep + c;
                const size_t weight = ((p.oc * d->kernel[0] + ky) * d->kernel[1] + kx) * deep + c;
                sum += (double)xf[from] * (double)wf[weight];
                *units += q ? (xq[from] - q->x_zero) * wq[weight] : 0;
            }
        }
    return sum;
}

static void compare_all(const oct_convolution_desc *d, size_t out_h, size_t out_w, const oct_quantization *q, const void *y)
{
    const bool u8 = q && q->y_scale != 0;
    for (size_t i = 0; i < d->batch * out_h * out_w * d->out_c; i++) {
        const position p = {i / d->out_c / out_w / out_h, i / d->out_c / out_w % out_h, i / d->out_c % out_w, i % d->out_c};
        int64_t units;
        const double real = naive(d, p, q, &units) + (d->bias ? (double)d->bias[p.oc] : 0);
        const double right = q ? finish(units, q, p.oc, d->bias) : real;
        expect(d->isa, q ? "quantized convolution" : "convolution", right, u8 ? 0 : 1e-4 * (1 + fabs(right)), y, u8, i);
    }
}

static void convolution(const char *isa)
{
    oct_convolution_desc d = {.batch = 1 + test_below(2), .in_h = 1 + test_below(9), .in_w = 1 + test_below(9), .isa = isa,
                              .bias = test_below(2) ? bias : NULL};
    oct_quantization q = {
        .x_scale = 0.01f, .x_zero = (int32_t)test_below(256), .w_scale = scales, .y_zero = (int32_t)test_below(256)};
    size_t out_h, out_w;
    oct_weights *weights;
    d.groups = test_below(2) ? 0 : 1 + test_below(6);
    d.in_c = or_one(d.groups) * (1 + test_below(d.groups ? 2 : 20));
    d.out_c = or_one(d.groups) * (1 + test_below(d.groups ? 3 : 30));
    for (int i = 0; i < 2; i++) {
        d.kernel[i] = 1 + test_below(4);
        d.stride[i] = test_below(3);
        d.dilation[i] = test_below(3);
        d.pad[i] = test_below(3);
        d.pad[i + 2] = test_below(3);
    }
    q.y_scale = test_below(3) ? 0.1f : 0;
    if (oct_convolution_size(&d, &out_h, &out_w) != OCT_OK)
        return;
    CHECK(d.batch * out_h * out_w * d.out_c <= MOST);
    CHECK_OK(oct_pack_convolution_f32(&d, wf, &weights));
    CHECK_OK(oct_convolve_f32(weights, xf, yf));
    oct_weights_free(weights);
    compare_all(&d, out_h, out_w, NULL, yf);
    void *y = q.y_scale == 0 ? (void *)yf : yq;
    CHECK_OK(oct_pack_convolution_u8s8(&d, wq, &q, &weights));
    CHECK_OK(oct_convolve_u8s8(weights, xq, y));
    oct_weights_free(weights);
    compare_all(&d, out_h, out_w, &q, y);
}

static void convolutions_of(const char *isa)
{
    for (int i = 0; i < 120 && !test_failed(); i++)
        convolution(isa);
}

static void convolutions_are_right(void) { each_isa(convolutions_of); }

/* --------------------------------------------------------------------------------------------- misuse ---- */

static void expect_argument(oct_status status, const char *words, int line)
{
    if (status != OCT_ERR_ARGUMENT || !strstr(oct_error(), words))
        test_fail(__FILE__, line, "%s, and not a bad argument that says \"%s\": %s", oct_status_name(status), words, oct_error());
}

#define REFUSED(call, words) expect_argument(call, words, __LINE__)

static void wrong_numbers_are_refused(void)
{
    static int8_t w[2 * 3] = {1, 2, 3, 4, 5, 6};
    static float w_scale[2] = {0.1f, 0.1f};
    oct_quantization q = {.x_scale = 0.1f, .w_scale = w_scale, .y_scale = 1};
    const oct_matrix_desc desc = {.n = 2, .k = 3};
    oct_weights *weights;
    w[4] = -128;
    REFUSED(oct_pack_matrix_u8s8(&desc, w, &q, &weights), "output channel 1: a weight is -128");
    CHECK(!weights);
    w[4] = 5;
    w_scale[1] = 0;
    REFUSED(oct_pack_matrix_u8s8(&desc, w, &q, &weights), "column 1: w_scale");
    w_scale[1] = 1e6f;
    q.y_scale = 1e-6f;
    REFUSED(oct_pack_matrix_u8s8(&desc, w, &q, &weights), "output channel 1");
    w_scale[1] = 0.1f;
    q.y_scale = NAN;
    REFUSED(oct_pack_matrix_u8s8(&desc, w, &q, &weights), "y_scale");
    q.y_scale = 1;
    q.x_scale = -1;
    REFUSED(oct_pack_matrix_u8s8(&desc, w, &q, &weights), "x_scale");
    q.x_scale = 1;
    q.x_zero = 256;
    REFUSED(oct_pack_matrix_u8s8(&desc, w, &q, &weights), "zero point");
    q.x_zero = 0;
    const oct_matrix_desc biased = {.n = 2, .k = 3, .bias = (float[]){0, 1e30f}};
    REFUSED(oct_pack_matrix_u8s8(&biased, w, &q, &weights), "output channel 1: its bias");
}

static void wrong_calls_are_refused(void)
{
    static const float w[6] = {1};
    static float x[6], y[6];
    oct_weights *weights = NULL, *filters = NULL;
    oct_convolution_desc conv = {.batch = 1, .in_h = 2, .in_w = 2, .in_c = 1, .out_c = 1, .kernel = {2, 2}};
    size_t h, v;
    REFUSED(oct_pack_matrix_f32(NULL, w, &weights), "NULL");
    REFUSED(oct_pack_matrix_f32(&(oct_matrix_desc){.n = 2, .k = 3}, NULL, &weights), "NULL");
    REFUSED(oct_pack_matrix_f32(&(oct_matrix_desc){.n = 2, .k = 3}, w, NULL), "NULL");
    REFUSED(oct_pack_matrix_u8s8(&(oct_matrix_desc){.n = 2, .k = 3}, wq, NULL, &weights), "NULL");
    REFUSED(oct_pack_matrix_f32(&(oct_matrix_desc){.n = 0, .k = 3}, w, &weights), "0 x 3");
    CHECK(oct_pack_matrix_f32(&(oct_matrix_desc){.n = 2, .k = 3, .isa = "mmx"}, w, &weights) == OCT_ERR_UNSUPPORTED && !weights);
    CHECK_OK(oct_pack_matrix_f32(&(oct_matrix_desc){.n = 2, .k = 3}, w, &weights));
    CHECK_OK(oct_pack_convolution_f32(&conv, w, &filters));
    REFUSED(oct_gemm_f32(NULL, 1, x, 3, y, 2), "NULL");
    REFUSED(oct_gemm_f32(weights, 1, NULL, 3, y, 2), "NULL");
    REFUSED(oct_gemm_f32(weights, 1, x, 2, y, 2), "rows");
    REFUSED(oct_gemm_f32(weights, 1, x, 3, y, 1), "rows");
    REFUSED(oct_gemm_u8s8(weights, 1, xq, 3, y, 2), "another kind");
    REFUSED(oct_gemm_f32(filters, 1, x, 3, y, 2), "another kind");
    REFUSED(oct_convolve_f32(weights, x, y), "another kind");
    REFUSED(oct_convolve_u8s8(filters, xq, y), "another kind");
    REFUSED(oct_convolve_f32(filters, x, NULL), "NULL");
    CHECK_OK(oct_gemm_f32(weights, 0, x, 3, y, 2));
    oct_weights_free(weights);
    oct_weights_free(filters);
    oct_weights_free(NULL);
    conv.kernel[0] = 3;
    REFUSED(oct_convolution_size(&conv, &h, &v), "does not fit");
    REFUSED(oct_pack_convolution_f32(&conv, w, &filters), "does not fit");
    conv.kernel[0] = 0;
    REFUSED(oct_convolution_size(&conv, &h, &v), "a size of 0");
    conv = (oct_convolution_desc){.batch = 1, .in_h = 2, .in_w = 2, .in_c = 3, .out_c = 4, .kernel = {1, 1}, .groups = 2};
    REFUSED(oct_convolution_size(&conv, &h, &v), "2 groups");
    conv = (oct_convolution_desc){.batch = 1u << 30, .in_h = 1u << 30, .in_w = 1u << 30, .in_c = 3, .out_c = 4, .kernel = {1, 1}};
    REFUSED(oct_convolution_size(&conv, &h, &v), "too many");
    REFUSED(oct_convolution_size(&conv, NULL, &v), "NULL");
}

static const test_case cases[] = {
    {"products_are_right", products_are_right},
    {"convolutions_are_right", convolutions_are_right},
    {"wrong_numbers_are_refused", wrong_numbers_are_refused},
    {"wrong_calls_are_refused", wrong_calls_are_refused},
};

static void __attribute__((constructor)) add_suite(void) { test_register("plain_kernels", cases, TEST_COUNT(cases)); }

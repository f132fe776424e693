/* The quantiser: its arithmetic at the edges, which values become bytes, and what the result computes. */
#include "quantize.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "add_grid.h"
#include "convert_tools.h"
#include "harness.h"
#include "layer_check.h"
#include "octet_kernels.h"
#include "random_network.h"

/* ------------------------------------------------------------------------------------------------- arithmetic ---- */

/* 0 is a whole number of steps from both ends; the ends are at most half a step outside what 0..255 can say. */
static void scales_and_zero_points(void)
{
    static const double ranges[][2] = {{-1, 1}, {0, 6}, {-3, 0}, {-0.1, 100}, {-1e30, 1e30}, {0, 1e-20}, {-1e-25, 3e-26}};
    for (int i = 0; i < TEST_COUNT(ranges); i++) {
        const double lo = ranges[i][0], hi = ranges[i][1];
        const oct_scale s = oct_scale_for(lo, hi);
        const double step = (double)s.scale;
        CHECK_MSG(fabs(step - (hi - lo) / 255) <= 1e-6 * step, "range %d: scale %g", i, step);
        CHECK(s.zero_point >= 0 && s.zero_point <= 255);
        CHECK((0 - s.zero_point) * step <= lo + 0.5001 * step && (255 - s.zero_point) * step >= hi - 0.5001 * step);
    }
    CHECK(oct_scale_for(0, 6).zero_point == 0 && oct_scale_for(-3, 0).zero_point == 255 && oct_scale_for(-1, 2).zero_point == 85);
}

/* No range, or one too small or too large for a scale: still positive, finite, with a finite reciprocal. */
static void degenerate_ranges(void)
{
    static const double ranges[][2] = {{0, 0}, {0, 1e-30}, {-1e-45, 0}, {-1e300, 1e300}, {0, DBL_MAX / 4}};
    for (int i = 0; i < TEST_COUNT(ranges); i++) {
        const oct_scale s = oct_scale_for(ranges[i][0], ranges[i][1]);
        CHECK_MSG(s.scale >= FLT_MIN && isfinite(1 / s.scale) && isfinite(255 * s.scale), "range %d: scale %g", i, (double)s.scale);
        CHECK(s.zero_point >= 0 && s.zero_point <= 255);
    }
    CHECK(oct_scale_for(0, 0).scale == 1 && oct_scale_for(0, 0).zero_point == 0);
}

/* The worked example of docs/QUANTIZATION.md. */
static void the_worked_example(void)
{
    const float w[3] = {0.5f, -1.27f, 0.004f};
    int8_t q[3];
    oct_channel_quant c;
    CHECK(oct_quantize_channel(w, 3, 0.3, 0.02, q, &c));
    CHECK(fabsf(c.scale - 0.01f) < 1e-8f && q[0] == 50 && q[1] == -127 && q[2] == 0);
    CHECK(c.bias == 1500 && c.reach == 255.0 * 177 + 1500);
    const oct_scale x = oct_scale_for(-1.0, 4.1), y = oct_scale_for(0, 2.55);
    CHECK(fabsf(x.scale - 0.02f) < 1e-8f && x.zero_point == 50);
    CHECK(fabsf(y.scale - 0.01f) < 1e-8f && y.zero_point == 0);
    const float bias = 0.3f;
    const oct_quantization numbers = {
        .x_scale = x.scale, .x_zero = x.zero_point, .w_scale = &c.scale, .y_scale = y.scale, .y_zero = y.zero_point};
    const uint8_t x_q[3] = {200, 70, 0};
    uint8_t y_q = 0;
    oct_weights *packed;
    CHECK_OK(oct_pack_matrix_u8s8(&(oct_matrix_desc){.n = 1, .k = 3, .isa = test_isa(), .bias = &bias}, q, &numbers, &packed));
    CHECK_OK(oct_gemm_u8s8(packed, 1, x_q, 3, &y_q, 1));
    CHECK(y_q == 129);
    oct_weights_free(packed);
}

/* Rounding to nearest even, symmetric bounds, one scale per channel. */
static void channels_are_rounded(void)
{
    const float w[6] = {127, -127, 0.5f, 1.5f, 2.5f, -0.5f};
    int8_t q[6];
    oct_channel_quant c;
    CHECK(oct_quantize_channel(w, 6, 2.5, 1, q, &c));
    CHECK(c.scale == 1 && c.bias == 2);
    CHECK(q[0] == 127 && q[1] == -127 && q[2] == 0 && q[3] == 2 && q[4] == 2 && q[5] == 0);
    for (int round = 0; round < 200; round++) {
        float random[40], most = 0;
        int8_t r[40];
        const float size = expf(test_uniform(-60, 60));
        for (int i = 0; i < 40; i++) {
            random[i] = test_uniform(-size, size);
            most = fmaxf(most, fabsf(random[i]));
        }
        CHECK(oct_quantize_channel(random, 40, 0, 1, r, &c));
        CHECK(fabsf(c.scale * 127 - most) <= 1e-6f * most);
        for (int i = 0; i < 40; i++)
            CHECK(r[i] >= -127 && fabsf(random[i] - c.scale * (float)r[i]) <= 0.50001f * c.scale);
    }
}

/* A channel of zeros still has its bias, to 24 bits; denormal weights are zeros. */
static void channels_of_zeros(void)
{
    const float zeros[4] = {0}, tiny[4] = {1e-42f, -1e-40f, 0, 1e-45f};
    int8_t q[4] = {1, 1, 1, 1};
    oct_channel_quant c;
    CHECK(oct_quantize_channel(zeros, 4, 0, 0.1, q, &c) && c.scale == 1 && c.bias == 0 && c.reach == 0);
    CHECK(oct_quantize_channel(zeros, 4, -0.37, 0.1, q, &c));
    CHECK(fabs(c.bias * 0.1 * (double)c.scale + 0.37) < 1e-6 && q[0] == 0);
    CHECK(oct_quantize_channel(tiny, 4, 2, 0.1, q, &c));
    CHECK(q[0] == 0 && q[1] == 0 && c.scale >= FLT_MIN && fabs(c.bias * 0.1 * (double)c.scale - 2) < 1e-6);
}

/* The sums must fit 32 bits: the scale gives way to a huge bias, and to very many weights. */
static void sums_fit(void)
{
    const float w[2] = {1.27e-6f, -1.27e-6f};   /* weight scale 1e-8, bias scale 1e-10: trained models have such channels */
    int8_t q[2];
    oct_channel_quant c;
    CHECK(oct_quantize_channel(w, 2, 0.05, 0.01, q, &c));
    CHECK(q[0] == 127 && q[1] == -127 && fabs(c.bias * 0.01 * (double)c.scale - 0.05) < 1e-9);
    CHECK(oct_quantize_channel(w, 2, 1e3, 0.01, q, &c));
    CHECK(c.reach <= 2147483647.0 && fabs(c.bias * 0.01 * (double)c.scale - 1e3) < 1e-3);
    CHECK(c.scale > 1e-8f && abs(q[0]) < 127);

    const int64_t many = 200000;
    float *ones = malloc((size_t)many * sizeof *ones);
    int8_t *units = malloc((size_t)many);
    for (int64_t i = 0; i < many; i++)
        ones[i] = 1;
    const bool fits = oct_quantize_channel(ones, many, 0, 1, units, &c);
    const bool good = fits && c.reach <= 2147483647.0 && fabsf((float)units[5] * c.scale - 1) <= 0.5f * c.scale && units[5] > 20;
    free(ones);
    free(units);
    CHECK(good);
    CHECK(!oct_quantize_channel(w, 2, 1e300, 1e-30, q, &c));
}

/* --------------------------------------------------------------------------------------------------- helpers ---- */

/* Calibrates g with random samples in [lo, hi] and quantizes it; fails the case if it cannot. */
static oct_graph *quantized(const oct_graph *g, float lo, float hi)
{
    oct_calibration *c = NULL;
    oct_graph *q = NULL;
    oct_status status = oct_graph_status(g);
    if (status == OCT_OK)
        status = oct_calibration_create(g, &(oct_options){.isa = test_isa(), .threads = 1}, &c);
    for (int i = 0; status == OCT_OK && i < 8; i++) {
        float **inputs = net_random_inputs(g, lo, hi);
        status = oct_calibration_add(c, (const void *const *)inputs);
        net_free_inputs(g, inputs);
    }
    if (status == OCT_OK)
        status = oct_quantize(g, c, NULL, &q);
    if (status == OCT_OK)
        status = oct_graph_check(q);
    if (status != OCT_OK)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    oct_calibration_free(c);
    return q;
}

/* Signal to noise of q against g, in dB, for inputs in [lo, hi]; and q layer by layer. */
static double judge(const oct_graph *g, const oct_graph *q, float lo, float hi)
{
    float **inputs = net_random_inputs(g, lo, hi);
    size_t n, m;
    check_layers(q, inputs, 0.02);
    float *want = net_run(g, inputs, &n), *got = net_run(q, inputs, &m);
    double signal = 1e-30, noise = 1e-30;
    for (size_t i = 0; want && got && n == m && i < n; i++) {
        signal += (double)want[i] * (double)want[i];
        noise += ((double)got[i] - (double)want[i]) * ((double)got[i] - (double)want[i]);
    }
    if (!want || !got || n != m)
        test_fail(__FILE__, __LINE__, "outputs cannot be compared");
    free(want);
    free(got);
    net_free_inputs(g, inputs);
    return 10 * log10(signal / noise);
}

static const oct_value *output_of(const oct_graph *g, const oct_node *node) { return &g->values[node->out[0]]; }
static const oct_value *input_of(const oct_graph *g, const oct_node *node) { return &g->values[node->in[0]]; }

static int borders(const oct_graph *q) { return net_count(q, OCT_OP_QUANTIZE) + net_count(q, OCT_OP_DEQUANTIZE); }

/* ------------------------------------------------------------------------------------------- what becomes bytes ---- */

/* One QUANTIZE at the start; all layers in bytes; the last one writes f32 for softmax by itself. */
static void a_plain_network(void)
{
    oct_graph *g = net_create();
    int y = net_input(g, 1, 12, 12, 3);
    y = net_max_pool(g, net_relu(g, net_conv(g, y, 16, 3, 1, 1, 1)), 2, 2);
    y = net_unary(g, OCT_FN_CLAMP, 0, 6, net_conv(g, y, 16, 3, 2, 1, 0));
    y = net_reduce(g, OCT_REDUCE_MEAN, net_relu(g, net_conv(g, y, 24, 1, 1, 0, 1)), 6, false);
    net_output(g, net_node(g, OCT_OP_SOFTMAX, &(oct_attrs){.softmax = {.axis = 1}}, (int[]){net_dense(g, y, 10)}, 1));
    CHECK_OK(oct_optimize(g, NULL));
    oct_graph *q = quantized(g, -1, 1);
    CHECK(net_count(q, OCT_OP_QUANTIZE) == 1 && net_count(q, OCT_OP_DEQUANTIZE) == 0 && q->node_count == g->node_count + 1);
    for (int n = 0; n < q->node_count; n++)
        if (q->nodes[n].op == OCT_OP_CONV || q->nodes[n].op == OCT_OP_DENSE) {
            CHECK(input_of(q, &q->nodes[n])->dtype == OCT_U8 && q->values[q->nodes[n].in[OCT_IN_W]].dtype == OCT_S8);
            CHECK(output_of(q, &q->nodes[n])->dtype == (q->nodes[n].op == OCT_OP_CONV ? OCT_U8 : OCT_F32));
            CHECK(q->nodes[n].op == OCT_OP_DENSE || output_of(q, &q->nodes[n])->zero_point == 0);   /* behind a Relu */
        }
    const oct_value *pooled = output_of(q, net_only(q, OCT_OP_MAX_POOL)), *unpooled = input_of(q, net_only(q, OCT_OP_MAX_POOL));
    CHECK(pooled->scale == unpooled->scale && pooled->zero_point == unpooled->zero_point);
    const double snr = judge(g, q, -1, 1);
    CHECK_MSG(snr > 25, "%.1f dB", snr);
    oct_graph_free(q);
    oct_graph_free(g);
}

/* Bytes are transposed, not floats: quantized before the transpose at the input, dequantized behind the one at the output. */
static void borders_and_layout(void)
{
    oct_graph *g = net_create();
    net_output(g, net_nchw_conv(g, net_relu(g, net_nchw_conv(g, net_input(g, 1, 3, 40, 40), 8, 3, 1, 1, 1)), 8, 3, 1, 1, 1));
    CHECK_OK(oct_optimize(g, NULL));
    oct_graph *q = quantized(g, -1, 1);
    CHECK(q->nodes[0].op == OCT_OP_QUANTIZE && q->nodes[1].op == OCT_OP_TRANSPOSE && borders(q) == 2);
    CHECK(q->nodes[q->node_count - 1].op == OCT_OP_DEQUANTIZE && q->nodes[q->node_count - 2].op == OCT_OP_TRANSPOSE);
    CHECK(strcmp(q->values[q->inputs[0]].name, "input0") == 0 && strcmp(q->values[q->outputs[0]].name, "output0") == 0);
    judge(g, q, -1, 1);
    oct_graph_free(q);
    oct_graph_free(g);
}

/* Residual additions, fused and not, with everything in bytes. */
static void residuals(void)
{
    oct_graph *g = net_create();
    const int x = net_relu(g, net_conv(g, net_input(g, 1, 9, 9, 4), 8, 3, 1, 1, 1));
    const int sum = net_relu(g, net_binary(g, OCT_BINARY_ADD, net_conv(g, x, 8, 3, 1, 1, 1), x));
    const int deep = net_binary(g, OCT_BINARY_ADD, net_conv(g, sum, 8, 3, 1, 1, 0), sum);
    net_output(g, net_dense(g, net_reduce(g, OCT_REDUCE_MEAN, deep, 6, false), 5));
    CHECK_OK(oct_optimize(g, NULL));
    oct_graph *q = quantized(g, -1, 1);
    CHECK(borders(q) == 1 && net_count(q, OCT_OP_BINARY) == 1 && output_of(q, net_only(q, OCT_OP_BINARY))->dtype == OCT_U8);
    const double snr = judge(g, q, -1, 1);
    CHECK_MSG(snr > 25, "%.1f dB", snr);
    oct_graph_free(q);
    oct_graph_free(g);
}

/* An int8 layer whose output and residual are f32, because only f32 is asked of both. */
static void a_residual_in_f32(void)
{
    oct_graph *g = net_create();
    const int x = net_conv(g, net_input(g, 1, 5, 5, 4), 6, 3, 1, 1, 1);
    const int conv = net_conv(g, net_input(g, 1, 5, 5, 4), 6, 3, 1, 1, 1);
    const int y = net_binary(g, OCT_BINARY_ADD, conv, net_unary(g, OCT_FN_EXP, 0, 0, x));
    net_output(g, net_unary(g, OCT_FN_EXP, 0, 0, y));
    CHECK_OK(oct_optimize(g, NULL));
    oct_graph *q = quantized(g, -1, 1);
    CHECK(net_count(q, OCT_OP_CONV) == 2 && net_count(q, OCT_OP_QUANTIZE) == 2 && net_count(q, OCT_OP_DEQUANTIZE) == 0);
    for (int n = 0; n < q->node_count; n++)
        CHECK(q->nodes[n].op == OCT_OP_QUANTIZE || output_of(q, &q->nodes[n])->dtype == OCT_F32);
    judge(g, q, -1, 1);
    oct_graph_free(q);
    oct_graph_free(g);
}

/* A concat's inputs are written in its scale, but not those that others read too. */
static void concat_shares_its_scale(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 9, 9, 4);
    const int a = net_relu(g, net_conv(g, x, 8, 3, 1, 1, 1)), b = net_conv(g, x, 8, 1, 1, 0, 1);
    const int c = net_unary(g, OCT_FN_CLAMP, -0.25f, 0.25f, net_conv(g, x, 4, 1, 1, 0, 1));
    const int joined = net_node(g, OCT_OP_CONCAT, &(oct_attrs){.axis = {3}}, (int[]){a, b, c}, 3);
    net_output(g, net_dense(g, net_conv(g, joined, 6, 3, 1, 1, 1), 3));
    net_output(g, net_dense(g, net_conv(g, c, 6, 3, 1, 1, 1), 3));
    CHECK_OK(oct_optimize(g, NULL));
    oct_graph *q = quantized(g, -1, 1);
    const oct_node *concat = net_only(q, OCT_OP_CONCAT);
    const oct_value *out = output_of(q, concat);
    CHECK(out->dtype == OCT_U8);
    for (int i = 0; i < 2; i++)
        CHECK(q->values[concat->in[i]].scale == out->scale && q->values[concat->in[i]].zero_point == out->zero_point);
    CHECK(q->values[concat->in[2]].dtype == OCT_U8 && q->values[concat->in[2]].scale != out->scale);
    judge(g, q, -1, 1);
    oct_graph_free(q);
    oct_graph_free(g);
}

/* Functions between convolutions are tables, though the optimiser has fused them; those that are steep somewhere stay float and
 * fused, and their convolution writes f32. */
static void functions(void)
{
    static const struct { oct_fn fn; bool bytes; } list[] = {
        {OCT_FN_SIGMOID, true}, {OCT_FN_HARD_SWISH, true}, {OCT_FN_TANH, true}, {OCT_FN_GELU, true}, {OCT_FN_EXP, false}};
    for (int i = 0; i < TEST_COUNT(list); i++) {
        oct_graph *g = net_create();
        const int y = net_unary(g, list[i].fn, 0, 0, net_conv(g, net_input(g, 1, 16, 16, 4), 16, 3, 1, 1, 1));
        net_output(g, net_conv(g, y, 4, 3, 1, 1, 1));
        CHECK_OK(oct_optimize(g, NULL));
        oct_graph *q = quantized(g, -1, 1);
        const oct_node *function = net_only(q, OCT_OP_UNARY);
        CHECK_MSG((function != NULL) == list[i].bytes, "function %d", i);
        CHECK(list[i].bytes ? input_of(q, function)->dtype == OCT_U8 : q->nodes[1].act.fn == (int32_t)list[i].fn);
        CHECK(net_count(q, OCT_OP_DEQUANTIZE) == 0 && net_count(q, OCT_OP_QUANTIZE) == (list[i].bytes ? 1 : 2));
        judge(g, q, -1, 1);
        oct_graph_free(q);
        oct_graph_free(g);
    }
}

/* Nothing to gain: an addition between float nodes, a function between a convolution and a float node. */
static void islands_stay_float(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 12, 12, 4);
    const int sum = net_binary(g, OCT_BINARY_ADD, net_unary(g, OCT_FN_EXP, 0, 0, x), x);
    net_output(g, net_node(g, OCT_OP_SOFTMAX, &(oct_attrs){.softmax = {.axis = 3}}, &sum, 1));
    const int y = net_unary(g, OCT_FN_TANH, 0, 0, net_conv(g, x, 4, 3, 2, 0, 1));
    net_output(g, net_reshape(g, y, &(oct_shape){2, {1, 100}}));
    oct_graph *q = quantized(g, -1, 1);
    CHECK(net_count(q, OCT_OP_QUANTIZE) == 1 && net_count(q, OCT_OP_DEQUANTIZE) == 0);
    CHECK(input_of(q, net_only(q, OCT_OP_CONV))->dtype == OCT_U8 && output_of(q, net_only(q, OCT_OP_CONV))->dtype == OCT_F32);
    judge(g, q, -1, 1);
    oct_graph_free(q);
    oct_graph_free(g);
}

/* Additions and products with a constant, which becomes bytes with a scale of its own. */
static void constant_operands(void)
{
    oct_graph *g = net_create();
    int y = net_max_pool(g, net_conv(g, net_input(g, 1, 17, 17, 4), 16, 3, 1, 1, 1), 2, 1);
    y = net_binary(g, OCT_BINARY_MUL, y, net_constant(g, &(oct_shape){4, {1, 16, 16, 16}}, -2, 2));
    y = net_binary(g, OCT_BINARY_ADD, net_constant(g, &(oct_shape){2, {16, 1}}, 0.1f, 0.3f), y);
    net_output(g, net_conv(g, y, 4, 3, 1, 1, 1));
    oct_graph *q = quantized(g, -1, 1);
    CHECK(net_count(q, OCT_OP_BINARY) == 2 && borders(q) == 1);
    for (int n = 0; n < q->node_count; n++)
        CHECK(q->nodes[n].op != OCT_OP_BINARY || output_of(q, &q->nodes[n])->dtype == OCT_U8);
    const double snr = judge(g, q, -1, 1);
    CHECK_MSG(snr > 20, "%.1f dB", snr);
    oct_graph_free(q);
    oct_graph_free(g);
}

/* Padding with a number outside the range seen: the range is widened to hold it. */
static void padding_widens_the_range(void)
{
    oct_graph *g = net_create();
    int y = net_relu(g, net_conv(g, net_input(g, 1, 16, 16, 4), 16, 3, 1, 1, 1));
    y = net_node(g, OCT_OP_PAD, &(oct_attrs){.pad = {.value = -2.5f, .before = {0, 1, 1, 0}}}, &y, 1);
    net_output(g, net_conv(g, y, 4, 3, 1, 1, 1));
    CHECK_OK(oct_optimize(g, NULL));
    oct_graph *q = quantized(g, -1, 1);
    const oct_value *padded = output_of(q, net_only(q, OCT_OP_PAD));
    CHECK(padded->dtype == OCT_U8 && (double)padded->scale * (0 - padded->zero_point) < -2.49);
    judge(g, q, -1, 1);
    oct_graph_free(q);
    oct_graph_free(g);
}

/* --------------------------------------------------------------------------------------------- degenerate data ---- */

/* Samples of nothing but zeros, tiny and huge ones: the result is a valid network that can be run on anything. */
static void degenerate_samples(void)
{
    static const float sizes[] = {0, 1e-38f, 1e-30f, 1e-12f, 1e6f, 1e25f, 1e30f};
    for (int i = 0; i < TEST_COUNT(sizes) && !test_failed(); i++) {
        oct_graph *g = net_create();
        const int x = net_input(g, 1, 7, 7, 4), a = net_relu(g, net_conv(g, x, 8, 3, 1, 1, 1));
        const int b = net_binary(g, OCT_BINARY_ADD, net_conv(g, a, 8, 3, 1, 1, 1), a);
        const int c = net_concat(g, net_conv(g, b, 8, 3, 1, 1, 0), net_max_pool(g, net_conv(g, x, 4, 3, 1, 1, 1), 1, 1), 3);
        net_output(g, net_dense(g, net_reduce(g, OCT_REDUCE_MEAN, c, 6, false), 5));
        for (int v = 0; v < g->value_count; v++)   /* no biases: the outputs are as degenerate as the inputs */
            if (g->values[v].data && g->values[v].shape.rank == 1)
                memset(g->values[v].data, 0, oct_value_bytes(&g->values[v]));
        CHECK_OK(oct_optimize(g, NULL));
        oct_graph *q = quantized(g, -sizes[i], sizes[i]);
        float **inputs = net_random_inputs(g, -1, 1);
        size_t n;
        float *y = net_run(q, inputs, &n);
        for (size_t e = 0; y && e < n; e++)
            CHECK_MSG(isfinite(y[e]), "size %g", (double)sizes[i]);
        free(y);
        net_free_inputs(g, inputs);
        if (sizes[i] >= 1e-12f && sizes[i] < 1e29f) {
            const double snr = judge(g, q, -sizes[i], sizes[i]);
            CHECK_MSG(snr > 8, "size %g: %.1f dB", (double)sizes[i], snr);
        }
        oct_graph_free(q);
        oct_graph_free(g);
    }
}

/* Outputs that were always zero, beside weights that could make them large: the output's scale is raised until no product can
 * overflow. */
static void a_dead_layer(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 4, 4, 64);
    const int y = net_unary(g, OCT_FN_CLAMP, 0, 1e-30f, net_conv(g, x, 32, 3, 1, 1, 1));
    net_output(g, net_conv(g, y, 4, 1, 1, 0, 1));
    CHECK_OK(oct_optimize(g, NULL));
    oct_graph *q = quantized(g, -1e4f, 1e4f);
    CHECK(net_count(q, OCT_OP_CONV) == 2 && borders(q) == 1);
    const oct_value *dead = output_of(q, &q->nodes[1]);
    CHECK(dead->dtype == OCT_U8 && dead->scale > 1e-6f);
    judge(g, q, -1e4f, 1e4f);
    oct_graph_free(q);
    oct_graph_free(g);
}

/* Weights or ranges beyond all reason keep their layer in f32. */
static void unreasonable_layers_stay_float(void)
{
    oct_graph *g = net_create();
    const int a = net_conv(g, net_input(g, 1, 4, 4, 4), 8, 3, 1, 1, 1);
    const int b = net_conv(g, a, 8, 3, 1, 1, 1);
    const int w = g->nodes[g->values[b].producer].in[OCT_IN_W];
    ((float *)g->values[w].data)[3] = 1e31f;
    net_output(g, net_conv(g, net_unary(g, OCT_FN_TANH, 0, 0, b), 4, 1, 1, 0, 1));
    oct_graph *q = quantized(g, -1, 1);
    int floats = 0;
    for (int n = 0; n < q->node_count; n++)
        floats += q->nodes[n].op == OCT_OP_CONV && q->values[q->nodes[n].in[OCT_IN_W]].dtype == OCT_F32;
    CHECK(floats == 1);
    judge(g, q, -1, 1);
    oct_graph_free(q);
    oct_graph_free(g);
}

/* ------------------------------------------------------------------------------------------------------- whole ---- */

static void random_networks(void)
{
    for (int i = 0; i < 60 && !test_failed(); i++) {
        oct_graph *g = random_network(4 + i / 4);
        if (i % 3 && oct_optimize(g, NULL) != OCT_OK)
            test_fail(__FILE__, __LINE__, "%s", oct_error());
        oct_graph *q = quantized(g, -1, 1);
        if (!test_failed())
            judge(g, q, -1.2f, 1.2f);
        if (test_failed())
            printf(" (network %d)", i);
        oct_graph_free(q);
        oct_graph_free(g);
    }
}

/* The same numbers by every ISA and any number of threads, to the last bit, up to the first float layer. */
static void equal_everywhere(void)
{
    oct_graph *g = net_create();
    int y = net_relu(g, net_conv(g, net_input(g, 1, 30, 30, 3), 24, 3, 1, 1, 1));
    y = net_conv(g, net_max_pool(g, y, 2, 2), 24, 3, 1, 1, 0);
    net_output(g, net_conv(g, y, 40, 1, 1, 0, 1));
    CHECK_OK(oct_optimize(g, NULL));
    oct_graph *q = quantized(g, -1, 1);
    float **inputs = net_random_inputs(q, -1, 1), *first = NULL;
    oct_model *model;
    CHECK_OK(oct_model_from_graph(q, &model));
    for (size_t i = 0; i < oct_isa_count() && !test_failed(); i++) {
        oct_isa_info isa;
        oct_session *session;
        CHECK_OK(oct_isa(i, &isa));
        if (!isa.available)
            continue;
        CHECK_OK(oct_session_create(model, &(oct_options){.isa = isa.name, .threads = 1 + (int)i % 3}, &session));
        CHECK_OK(oct_set_input(session, 0, inputs[0], 30 * 30 * 3 * sizeof(float)));
        CHECK_OK(oct_run(session));
        const size_t bytes = 15 * 15 * 40 * sizeof(float);
        if (!first) {
            first = malloc(bytes);
            memcpy(first, oct_output_data(session, 0), bytes);
        }
        CHECK_MSG(memcmp(first, oct_output_data(session, 0), bytes) == 0, "%s differs", isa.name);
        oct_session_free(session);
    }
    free(first);
    oct_model_free(model);
    net_free_inputs(q, inputs);
    oct_graph_free(q);
    oct_graph_free(g);
}

static void wrong_calls(void)
{
    oct_graph *g = net_create(), *q = g;
    oct_calibration *c;
    net_output(g, net_conv(g, net_input(g, 1, 4, 4, 2), 3, 3, 1, 1, 1));
    CHECK_OK(oct_calibration_create(g, NULL, &c));
    CHECK(oct_quantize(g, c, NULL, &q) == OCT_ERR_ARGUMENT && q == NULL && strstr(oct_error(), "no samples"));
    float **inputs = net_random_inputs(g, -1, 1);
    CHECK_OK(oct_calibration_add(c, (const void *const *)inputs));
    net_free_inputs(g, inputs);
    CHECK(oct_quantize(NULL, c, NULL, &q) == OCT_ERR_ARGUMENT && oct_quantize(g, NULL, NULL, &q) == OCT_ERR_ARGUMENT);
    CHECK(oct_quantize(g, c, NULL, NULL) == OCT_ERR_ARGUMENT);
    CHECK(oct_quantize(g, c, &(oct_quantize_options){.method = "magic"}, &q) == OCT_ERR_ARGUMENT && strstr(oct_error(), "magic"));
    CHECK_OK(oct_quantize(g, c, &(oct_quantize_options){.method = "minmax"}, &q));
    oct_graph *again = g;
    CHECK(oct_quantize(q, c, NULL, &again) == OCT_ERR_ARGUMENT && again == NULL && strstr(oct_error(), "already"));
    oct_calibration *late = c;
    CHECK(oct_calibration_create(q, NULL, &late) == OCT_ERR_ARGUMENT && late == NULL);
    net_output(g, net_relu(g, g->outputs[0]));
    CHECK(oct_quantize(g, c, NULL, &again) == OCT_ERR_ARGUMENT && strstr(oct_error(), "another graph"));
    oct_graph_free(q);
    oct_calibration_free(c);
    oct_graph_free(g);
}

/* Sums of two layers are computed in exact integers: the ratios of their scales lie on the grid, or an ulp beside it. Here the
 * first sum is an input of the second. */
static void sums_lie_on_the_grid(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 6, 6, 8);
    const int first =
        net_binary(g, OCT_BINARY_ADD, net_relu(g, net_conv(g, x, 8, 3, 1, 1, 1)), net_relu(g, net_conv(g, x, 8, 1, 1, 0, 1)));
    net_output(g, net_relu(g, net_binary(g, OCT_BINARY_ADD, net_relu(g, net_conv(g, first, 8, 3, 1, 1, 1)), first)));
    int sums = 0;
    oct_graph *q = quantized(g, -1, 1);
    for (int n = 0; q && n < q->node_count; n++) {
        const oct_node *node = &q->nodes[n];
        oct_add_grid grid;
        if (node->op != OCT_OP_BINARY || q->values[node->out[0]].dtype != OCT_U8)
            continue;
        float a = q->values[node->in[0]].scale / q->values[node->out[0]].scale,
              b = q->values[node->in[1]].scale / q->values[node->out[0]].scale;
        oct_add_grid_snap(&a, &b);
        CHECK_MSG(oct_add_grid_find(a, b, &grid), "%s: %.9g and %.9g", node->name, (double)a, (double)b);
        sums++;
    }
    CHECK(sums == 2);
    oct_graph_free(q);
    oct_graph_free(g);
}

static const test_case cases[] = {
    {"scales_and_zero_points", scales_and_zero_points},
    {"sums_lie_on_the_grid", sums_lie_on_the_grid},
    {"degenerate_ranges", degenerate_ranges},
    {"the_worked_example", the_worked_example},
    {"channels_are_rounded", channels_are_rounded},
    {"channels_of_zeros", channels_of_zeros},
    {"sums_fit", sums_fit},
    {"a_plain_network", a_plain_network},
    {"borders_and_layout", borders_and_layout},
    {"residuals", residuals},
    {"a_residual_in_f32", a_residual_in_f32},
    {"concat_shares_its_scale", concat_shares_its_scale},
    {"functions", functions},
    {"islands_stay_float", islands_stay_float},
    {"constant_operands", constant_operands},
    {"padding_widens_the_range", padding_widens_the_range},
    {"degenerate_samples", degenerate_samples},
    {"a_dead_layer", a_dead_layer},
    {"unreasonable_layers_stay_float", unreasonable_layers_stay_float},
    {"random_networks", random_networks},
    {"equal_everywhere", equal_everywhere},
    {"wrong_calls", wrong_calls},
};
static void __attribute__((constructor)) add_suite(void) { test_register("quantize", cases, TEST_COUNT(cases)); }

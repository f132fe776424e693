/* Files that were quantized elsewhere: what they say, computed here in 64-bit integers and doubles, against what the imported,
 * optimised network answers; and which nodes become int8. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert_tools.h"
#include "harness.h"
#include "import_check.h"

/* ------------------------------------------------------------------------------------------------ building ---- */

static void put_scale(onnx_builder *b, const char *name, float scale) { onnx_raw(b, name, ONNX_FLOAT, "", &scale, sizeof scale); }

/* int8 or uint8, rank 0. */
static void put_zero(onnx_builder *b, const char *name, bool is_signed, int zero)
{
    const uint8_t byte = (uint8_t)zero;
    onnx_raw(b, name, is_signed ? ONNX_INT8 : ONNX_UINT8, "", &byte, 1);
}

/* x (float) -> QuantizeLinear -> DequantizeLinear -> NAMEd; scale NAMEs, zero point NAMEz. */
static void put_pair(onnx_builder *b, const char *x, const char *name, float scale, bool is_signed, int zero)
{
    char s[32], z[32], q[32], in[96];
    snprintf(s, sizeof s, "%ss", name);
    snprintf(z, sizeof z, "%sz", name);
    snprintf(q, sizeof q, "%sq", name);
    put_scale(b, s, scale);
    put_zero(b, z, is_signed, zero);
    snprintf(in, sizeof in, "%s %s %s", x, s, z);
    onnx_node(b, "QuantizeLinear", in, q, "");
    snprintf(in, sizeof in, "%s %s %s", q, s, z);
    onnx_node(b, "DequantizeLinear", in, name, "");
}

/* Imported, and optimised; NULL after a failed check. */
static oct_graph *optimised(onnx_builder *b)
{
    onnx_bytes model = onnx_end(b);
    oct_graph *graph = NULL;
    oct_status status = import_bytes(&model, NULL, &graph);
    if (status == OCT_OK)
        status = oct_optimize(graph, NULL);
    if (status == OCT_OK)
        return graph;
    test_fail(__FILE__, __LINE__, "%s", oct_error());
    oct_graph_free(graph);
    return NULL;
}

/* saturate(rne(x / scale) + zero), as a number of 0..255 or -128..127. */
static int quantized(double x, double scale, int zero, bool is_signed)
{
    const double q = nearbyint(x / scale) + zero, lo = is_signed ? -128 : 0;
    return (int)fmax(lo, fmin(lo + 255, q));
}

/* ---------------------------------------------------------------------------------------- convolutions ---- */

/* One quantized convolution, 3x3 over 2 x 5 x 6 with 3 output channels. */
typedef struct conv_case {
    const char *title;
    int opset;
    bool signed_x, signed_w, per_channel, rank1, relu;
    int w_zero, w_lo, w_hi;      /* zero point and range of the weights' integers */
    float w_scale, bias_factor;  /* bias scale = bias_factor * s_x * s_w */
    const char *ops;             /* what it becomes */
} conv_case;

#define IN_C 2
#define IN_H 5
#define IN_W 6
#define OUT_C 3
#define IN_SIZE (IN_C * IN_H * IN_W)
#define OUT_SIZE (OUT_C * IN_H * IN_W)
#define W_SIZE (OUT_C * IN_C * 9)

typedef struct conv_data {
    float x[IN_SIZE], w_scale[OUT_C], bias_scale[OUT_C], x_scale, y_scale;
    int w[W_SIZE], x_zero, y_zero;
    int32_t bias[OUT_C];
} conv_data;

static int uniform_int(int lo, int hi) { return lo + (int)test_below((uint32_t)(hi - lo + 1)); }

static void fill_conv(const conv_case *c, conv_data *d)
{
    d->x_scale = 0.0625f;
    d->x_zero = c->signed_x ? -7 : 121;
    d->y_scale = 16 * c->w_scale;   /* about 200 steps for the sums' spread */
    d->y_zero = c->signed_x ? -30 : 98;
    for (int i = 0; i < IN_SIZE; i++)
        d->x[i] = test_uniform(-8, 8);
    for (int i = 0; i < W_SIZE; i++)
        d->w[i] = uniform_int(c->w_lo, c->w_hi);
    d->w[4] = c->w_lo;
    d->w[5] = c->w_hi;
    for (int o = 0; o < OUT_C; o++) {
        d->w_scale[o] = c->per_channel ? c->w_scale * (1 + 0.37f * (float)o) : c->w_scale;
        d->bias_scale[o] = c->bias_factor * d->x_scale * d->w_scale[o];
        d->bias[o] = uniform_int(-3000, 3000);
    }
}

static void put_conv(onnx_builder *b, const conv_case *c, const conv_data *d)
{
    uint8_t w[W_SIZE], zeros[OUT_C];
    int32_t bias_zero[OUT_C] = {0};
    const int count = c->per_channel ? OUT_C : 1;
    const char *dims = c->per_channel ? "3" : c->rank1 ? "1" : "";
    for (int i = 0; i < W_SIZE; i++)
        w[i] = (uint8_t)d->w[i];
    memset(zeros, c->w_zero, sizeof zeros);
    onnx_begin(b, c->opset);
    onnx_input(b, "x", "1,2,5,6");
    put_pair(b, "x", "a", d->x_scale, c->signed_x, d->x_zero);
    onnx_raw(b, "wq", c->signed_w ? ONNX_INT8 : ONNX_UINT8, "3,2,3,3", w, sizeof w);
    onnx_raw(b, "ws", ONNX_FLOAT, dims, d->w_scale, (size_t)count * sizeof(float));
    onnx_raw(b, "wz", c->signed_w ? ONNX_INT8 : ONNX_UINT8, dims, zeros, (size_t)count);
    onnx_node(b, "DequantizeLinear", "wq ws wz", "w", c->opset >= 13 ? "axis=0" : "");
    onnx_raw(b, "bq", ONNX_INT32, "3", d->bias, sizeof d->bias);
    onnx_raw(b, "bs", ONNX_FLOAT, dims, d->bias_scale, (size_t)count * sizeof(float));
    onnx_raw(b, "bz", ONNX_INT32, dims, bias_zero, (size_t)count * sizeof(int32_t));
    onnx_node(b, "DequantizeLinear", "bq bs bz", "bias", c->opset >= 13 ? "axis=0" : "");
    onnx_node(b, "Conv", "a w bias", "c", "pads=[1,1,1,1]");
    if (c->relu)
        onnx_node(b, "Relu", "c", "r", "");
    put_pair(b, c->relu ? "r" : "c", "y", d->y_scale, c->signed_x, d->y_zero);
    onnx_output(b, "y");
}

/* The output by the definition: integers, then real numbers in double. */
static double expected_conv(const conv_case *c, const conv_data *d, int o, int row, int column)
{
    double sum = 0;
    for (int i = 0; i < IN_C; i++)
        for (int t = 0; t < 9; t++) {
            const int y = row + t / 3 - 1, x = column + t % 3 - 1;
            if (y < 0 || y >= IN_H || x < 0 || x >= IN_W)
                continue;
            const int q = quantized((double)d->x[(i * IN_H + y) * IN_W + x], (double)d->x_scale, d->x_zero, c->signed_x);
            sum += (double)(q - d->x_zero) * (d->w[(o * IN_C + i) * 9 + t] - c->w_zero);
        }
    const double real = sum * (double)d->x_scale * (double)d->w_scale[c->per_channel ? o : 0] +
                        d->bias[o] * (double)d->bias_scale[c->per_channel ? o : 0];
    const double clamped = c->relu && real < 0 ? 0 : real;
    return (quantized(clamped, (double)d->y_scale, d->y_zero, c->signed_x) - d->y_zero) * (double)d->y_scale;
}

/* Equal, but where the real number lies so near the middle between two steps that rounding its factors decides. */
static void check_conv(const conv_case *c, const conv_data *d, const float *have)
{
    int off = 0;
    for (int i = 0; i < OUT_SIZE; i++) {
        const double want = expected_conv(c, d, i / (IN_H * IN_W), i / IN_W % IN_H, i % IN_W);
        CHECK_MSG(fabs((double)have[i] - want) < 1.001 * (double)d->y_scale, "%s: [%d] %g instead of %g", c->title, i,
                  (double)have[i], want);
        off += fabs((double)have[i] - want) > 0.001 * (double)d->y_scale;
    }
    CHECK_MSG(off <= 1, "%s: %d of %d elements are a step off", c->title, off, OUT_SIZE);
}

#define INT8_CONV "quantize transpose conv transpose dequantize"
/* Weights that are no s8 are split into two. */
#define SPLIT_CONV "quantize transpose concat conv transpose dequantize"

static void convolutions(void)
{
    static const conv_case list[] = {
        {"u8 x, s8 w", 13, false, true, true, false, false, 0, -127, 127, 0.01f, 1, INT8_CONV},
        {"s8 x, s8 w", 13, true, true, true, false, true, 0, -127, 127, 0.01f, 1, INT8_CONV},
        {"one scale, opset 10", 10, false, true, false, false, true, 0, -127, 127, 0.02f, 1, INT8_CONV},
        {"one scale of rank 1", 21, true, true, false, true, false, 0, -127, 127, 0.02f, 1, INT8_CONV},
        {"u8 w round 128", 13, false, false, true, false, false, 128, 1, 255, 0.01f, 1, INT8_CONV},
        {"u8 w of a narrow range", 13, false, false, false, false, true, 3, 0, 90, 0.01f, 1, INT8_CONV},
        {"u8 w, zero point 40", 13, false, false, true, false, false, 40, 0, 255, 0.01f, 1, SPLIT_CONV},
        {"a weight of -128", 13, true, true, false, false, false, 0, -128, 127, 0.01f, 1, SPLIT_CONV},
        {"bias of another scale", 13, true, true, true, false, false, 0, -127, 127, 0.01f, 3.7f, INT8_CONV},
        {"tiny weights", 13, true, true, true, false, true, 0, -127, 127, 1e-8f, 1, INT8_CONV},
    };
    for (int i = 0; i < TEST_COUNT(list) && !test_failed(); i++) {
        conv_data d;
        onnx_builder b;
        size_t elements;
        fill_conv(&list[i], &d);
        put_conv(&b, &list[i], &d);
        oct_graph *graph = optimised(&b);
        CHECK_MSG(graph && !strcmp(graph_ops(graph), list[i].ops), "%s: %s", list[i].title, graph ? graph_ops(graph) : "-");
        float *inputs[] = {d.x}, *have = graph ? net_run(graph, inputs, &elements) : NULL;
        if (have && elements == OUT_SIZE)
            check_conv(&list[i], &d, have);
        free(have);
        oct_graph_free(graph);
    }
}

/* A channel of weights around 1e-10 beside a bias that takes all of 32 bits, as exporters write dead channels: the sum would not
 * fit. The channel's scale grows; its output, which is its bias, does not change. */
static void dead_channels(void)
{
    const float w_scale[2] = {0.01f, 4e-12f}, bias_scale[2] = {0.01f * 0.05f, 4e-12f * 0.05f};
    const int8_t w[8] = {100, -127, 3, 50, 127, -5, 60, 1};
    const int32_t bias[2] = {1000, 2147269123}, zeros[2] = {0, 0};
    float x[4] = {1, -2, 3, 4}, *inputs[] = {x};
    onnx_builder b;
    size_t elements;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "1,4");
    put_pair(&b, "x", "a", 0.05f, true, 0);
    onnx_raw(&b, "wq", ONNX_INT8, "2,4", w, sizeof w);
    onnx_raw(&b, "ws", ONNX_FLOAT, "2", w_scale, sizeof w_scale);
    onnx_node(&b, "DequantizeLinear", "wq ws", "w", "axis=0");
    onnx_raw(&b, "bq", ONNX_INT32, "2", bias, sizeof bias);
    onnx_raw(&b, "bs", ONNX_FLOAT, "2", bias_scale, sizeof bias_scale);
    onnx_raw(&b, "bz", ONNX_INT32, "2", zeros, sizeof zeros);
    onnx_node(&b, "DequantizeLinear", "bq bs bz", "bias", "axis=0");
    onnx_node(&b, "Gemm", "a w bias", "c", "transB=1");
    put_pair(&b, "c", "y", 0.1f, true, -3);
    onnx_output(&b, "y");
    oct_graph *graph = optimised(&b);
    CHECK(graph && net_only(graph, OCT_OP_DENSE) && graph->values[net_only(graph, OCT_OP_DENSE)->in[OCT_IN_X]].dtype == OCT_U8);
    float *have = graph ? net_run(graph, inputs, &elements) : NULL;
    /* 1 - 2*-1.27 + 3*0.03 + 4*0.5 + 0.5; 2147269123 * 2e-13 = 0.00043. */
    CHECK(have && fabsf(have[0] - 6.1f) < 0.001f && fabsf(have[1]) < 1e-6f);
    free(have);
    oct_graph_free(graph);
}

/* ------------------------------------------------------------------------------------- other operators ---- */

/* x (1,4,3,2) and z of the same shape as bytes, a float operator between, and bytes again. */
typedef struct pair_case {
    int opset;
    const char *op, *inputs, *attributes;   /* of a, b: the dequantized x and z */
    const char *ops;                        /* after optimising */
} pair_case;

static const pair_case pair_cases[] = {
    {13, "Add", "a b", "", "quantize quantize add dequantize"},
    {13, "Mul", "a b", "", "quantize quantize mul dequantize"},
    {13, "Sub", "a b", "", "quantize dequantize quantize dequantize sub quantize dequantize"},
    {13, "Concat", "a b", "axis=1", "quantize quantize concat dequantize"},
    {13, "Sigmoid", "a", "", "quantize sigmoid dequantize"},
    {13, "LeakyRelu", "a", "alpha=0.3", "quantize leakyrelu dequantize"},
    {13, "GlobalAveragePool", "a", "", "quantize mean dequantize"},
    {13, "AveragePool", "a", "kernel_shape=[2,2]", "quantize transpose averagepool transpose dequantize"},
    {13, "MaxPool", "a", "kernel_shape=[2,2]", "quantize transpose maxpool quantize transpose dequantize"},
    {13, "Transpose", "a", "perm=[0,2,3,1]", "quantize quantize transpose dequantize"},
    {13, "Flatten", "a", "", "quantize reshape quantize dequantize"},
    {13, "Softmax", "a", "axis=1", "quantize dequantize softmax quantize dequantize"},
    {13, "MatMul", "a b", "", NULL},
};

static oct_graph *pair_graph(const pair_case *c, bool optimise)
{
    onnx_builder b;
    onnx_begin(&b, c->opset);
    onnx_input(&b, "x", "1,4,3,2");
    onnx_input(&b, "z", strcmp(c->op, "MatMul") ? "1,4,3,2" : "1,4,2,3");
    put_pair(&b, "x", "a", 0.031f, true, 5);
    put_pair(&b, "z", "b", 0.017f, true, -20);
    onnx_node(&b, c->op, c->inputs, "c", c->attributes);
    put_pair(&b, "c", "y", 0.05f, true, -11);
    onnx_output(&b, "y");
    if (optimise)
        return optimised(&b);
    onnx_bytes model = onnx_end(&b);
    oct_graph *graph = NULL;
    if (import_bytes(&model, NULL, &graph) != OCT_OK)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    return graph;
}

/* As imported every operator is a float operator between conversions: the definition. Optimised it works on bytes, where it can,
 * and may be a step off where a number lies on the border between two. */
static void operators_between_conversions(void)
{
    for (int i = 0; i < TEST_COUNT(pair_cases) && !test_failed(); i++) {
        const pair_case *c = &pair_cases[i];
        oct_graph *plain = pair_graph(c, false), *graph = pair_graph(c, true);
        if (test_failed())
            break;
        CHECK_MSG(!c->ops || !strcmp(graph_ops(graph), c->ops), "%s: %s", c->op, graph_ops(graph));
        float **inputs = net_random_inputs(plain, -3, 3);
        size_t elements, other;
        float *want = net_run(plain, inputs, &elements), *have = net_run(graph, inputs, &other);
        int off = 0;
        CHECK(want && have && elements == other);
        for (size_t e = 0; want && have && e < elements; e++) {
            CHECK_MSG(fabsf(want[e] - have[e]) < 0.0501f, "%s: [%zu] %g instead of %g", c->op, e, (double)have[e], (double)want[e]);
            off += fabsf(want[e] - have[e]) > 0.001f;
        }
        /* 0.031 / 0.05 * 25 = 15.5, and the like: such numbers lie on the border. */
        CHECK_MSG(off <= 4, "%s: %d of %zu elements are a step off", c->op, off, elements);
        free(want);
        free(have);
        net_free_inputs(plain, inputs);
        oct_graph_free(plain);
        oct_graph_free(graph);
    }
}

/* ------------------------------------------------------------------------------------ QLinear operators ---- */

/* x and z as bytes (q of put_pair), then one operator on them, whose output is dequantized. */
typedef struct qlinear_case {
    const char *domain, *op, *inputs, *attributes;
    const char *plain, *plain_inputs, *plain_attributes;   /* the float operator of the same meaning */
} qlinear_case;

static const qlinear_case qlinear_cases[] = {
    {"com.microsoft", "QLinearAdd", "aq as az bq bs bz ys yz", "", "Add", "a b", ""},
    {"com.microsoft", "QLinearMul", "aq as az bq bs bz ys yz", "", "Mul", "a b", ""},
    {"com.microsoft", "QLinearSigmoid", "aq as az ys yz", "", "Sigmoid", "a", ""},
    {"com.microsoft", "QLinearLeakyRelu", "aq as az ys yz", "alpha=0.2", "LeakyRelu", "a", "alpha=0.2"},
    {"com.microsoft", "QLinearGlobalAveragePool", "aq as az ys yz", "", "GlobalAveragePool", "a", ""},
    {"com.microsoft", "QLinearAveragePool", "aq as az ys yz", "kernel_shape=[2,2] strides=[1,2]", "AveragePool", "a",
     "kernel_shape=[2,2] strides=[1,2]"},
    {"com.microsoft", "QLinearConcat", "ys yz aq as az bq bs bz", "axis=2", "Concat", "a b", "axis=2"},
    {NULL, "QLinearConv", "aq as az kq ks kz ys yz", "", "Conv", "a k", ""},
    {NULL, "QLinearConv", "aq as az kq ks kz ys yz kb", "group=1", "Conv", "a k kbias", ""},
    {NULL, "QLinearMatMul", "aq as az mq ms mz ys yz", "", "MatMul", "a m", ""},
};

static oct_graph *qlinear_graph(const qlinear_case *c, bool plain)
{
    static const int8_t k[8] = {127, -127, 5, 60, -70, 33, 90, 1}, m[6] = {100, -50, 3, 127, -127, 20}, zero = 0;
    static const float ks = 0.004f, ms = 0.006f;
    static const int32_t kb[2] = {700, -900};
    const float bias[2] = {700 * 0.031f * ks, -900 * 0.031f * ks};
    onnx_builder b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "1,4,3,2");
    onnx_input(&b, "z", "1,4,3,2");
    put_pair(&b, "x", "a", 0.031f, false, 128);
    put_pair(&b, "z", "b", 0.017f, false, 111);
    onnx_raw(&b, "kq", ONNX_INT8, "2,4,1,1", k, sizeof k);
    put_scale(&b, "ks", ks);
    onnx_raw(&b, "kz", ONNX_INT8, "", &zero, 1);
    onnx_node(&b, "DequantizeLinear", "kq ks kz", "k", "");
    onnx_raw(&b, "mq", ONNX_INT8, "2,3", m, sizeof m);
    put_scale(&b, "ms", ms);
    onnx_raw(&b, "mz", ONNX_INT8, "", &zero, 1);
    onnx_node(&b, "DequantizeLinear", "mq ms mz", "m", "");
    onnx_raw(&b, "kb", ONNX_INT32, "2", kb, sizeof kb);
    onnx_floats(&b, "kbias", "2", bias);
    if (plain) {
        onnx_node(&b, c->plain, c->plain_inputs, "c", c->plain_attributes);
        put_pair(&b, "c", "y", 0.02f, false, 77);
    } else {
        put_scale(&b, "ys", 0.02f);
        put_zero(&b, "yz", false, 77);
        onnx_node_of(&b, c->domain, c->op, c->inputs, "yq", c->attributes);
        onnx_node(&b, "DequantizeLinear", "yq ys yz", "y", "");
    }
    onnx_output(&b, "y");
    return optimised(&b);
}

/* The same network: not a bit of difference. */
static void qlinear_operators(void)
{
    for (int i = 0; i < TEST_COUNT(qlinear_cases) && !test_failed(); i++) {
        oct_graph *plain = qlinear_graph(&qlinear_cases[i], true), *graph = qlinear_graph(&qlinear_cases[i], false);
        if (test_failed())
            break;
        float **inputs = net_random_inputs(plain, -3, 3);
        CHECK_MSG(net_difference(plain, graph, inputs) == 0, "%s", qlinear_cases[i].op);
        CHECK_MSG(!strcmp(graph_ops(plain), graph_ops(graph)), "%s: %s", qlinear_cases[i].op, graph_ops(graph));
        for (int n = 0; n < graph->node_count; n++)
            CHECK_MSG(graph->nodes[n].op == OCT_OP_DEQUANTIZE || graph->values[graph->nodes[n].out[0]].dtype == OCT_U8, "%s: %s",
                      qlinear_cases[i].op, graph->nodes[n].name);
        net_free_inputs(plain, inputs);
        oct_graph_free(plain);
        oct_graph_free(graph);
    }
}

/* ------------------------------------------------------------------------------------- integer products ---- */

/* y = cast(MatMulInteger(q(x), w)) * (s_x * s_w): with bytes known beforehand an int8 layer that writes floats; with
 * DynamicQuantizeLinear one that quantizes its input in every run, 0 to its range included. */
static void integer_products(void)
{
    static const uint8_t w[12] = {1, 255, 130, 128, 7, 250, 90, 128, 128, 60, 201, 30};
    float x[8], *inputs[] = {x};
    for (int dynamic = 0; dynamic < 2; dynamic++) {
        onnx_builder b;
        size_t elements;
        onnx_begin(&b, 13);
        onnx_input(&b, "x", "2,4");
        put_scale(&b, "s", 0.03f);
        put_zero(&b, "z", false, 100);
        put_scale(&b, "ws", 0.02f);
        put_zero(&b, "wz", false, 128);
        onnx_raw(&b, "w", ONNX_UINT8, "4,3", w, sizeof w);
        if (dynamic)
            onnx_node(&b, "DynamicQuantizeLinear", "x", "q qs qz", "");
        else
            onnx_node(&b, "QuantizeLinear", "x s z", "q", "");
        onnx_node(&b, "MatMulInteger", dynamic ? "q w qz wz" : "q w z wz", "i", "");
        onnx_node(&b, "Cast", "i", "f", "to=1");
        onnx_node(&b, "Mul", dynamic ? "qs ws" : "s ws", "m", "");
        onnx_node(&b, "Mul", "f m", "y", "");
        onnx_output(&b, "y");
        oct_graph *graph = optimised(&b);
        for (int i = 0; i < 8; i++)
            x[i] = test_uniform(-2, 3);
        float *have = graph ? net_run(graph, inputs, &elements) : NULL;
        for (int i = 0; have && i < 6; i++) {
            double want = 0;
            for (int k = 0; k < 4; k++) {
                const double a = (double)x[i / 3 * 4 + k];
                want += (dynamic ? a : (quantized(a, (double)0.03f, 100, false) - 100) * (double)0.03f) * (w[k * 3 + i % 3] - 128) *
                        (double)0.02f;
            }
            /* Dynamic: half a step of a range below 5, times four weights of at most 2.56. */
            CHECK_MSG(fabs((double)have[i] - want) < (dynamic ? 0.5 * 5 / 255 * 4 * 2.56 : 1e-4), "%d: [%d] %g instead of %g",
                      dynamic, i, (double)have[i], want);
        }
        CHECK(have && elements == 6);
        CHECK_MSG(graph && !strcmp(graph_ops(graph), "quantize dense"), "%s", graph ? graph_ops(graph) : "");
        free(have);
        oct_graph_free(graph);
    }
}

/* ------------------------------------------------------------------------------------------- the edges ---- */

/* uint8 in, uint8 out; the input's scale is told by its reader, behind a transposition. */
static void bytes_at_the_edges(void)
{
    onnx_builder b;
    uint8_t x[6] = {0, 1, 100, 128, 200, 255};
    onnx_begin(&b, 13);
    onnx_input_typed(&b, "x", ONNX_UINT8, "2,3");
    put_scale(&b, "s", 0.5f);
    put_zero(&b, "z", false, 100);
    put_scale(&b, "ys", 1.0f);
    put_zero(&b, "yz", false, 60);
    onnx_node(&b, "Transpose", "x", "t", "");
    onnx_node(&b, "DequantizeLinear", "t s z", "d", "");
    onnx_node(&b, "Relu", "d", "r", "");
    onnx_node(&b, "QuantizeLinear", "r ys yz", "y", "");
    onnx_node(&b, "Cast", "x", "c", "to=1");
    onnx_output_typed(&b, "y", ONNX_UINT8);
    onnx_output(&b, "c");
    oct_graph *graph = optimised(&b);
    oct_model *model = NULL;
    oct_session *session = NULL;
    uint8_t y[6];
    float c[6];
    /* Transposed; half as many steps over zero as under, none under: 60 + rne((q - 100) / 2). */
    static const uint8_t want[6] = {60, 74, 60, 110, 60, 138};
    if (!graph)
        return;
    CHECK_OK(oct_model_from_graph(graph, &model));
    CHECK_OK(oct_session_create(model, NULL, &session));
    CHECK_OK(oct_set_input(session, 0, x, sizeof x));
    CHECK_OK(oct_run(session));
    CHECK_OK(oct_get_output(session, 0, y, sizeof y));
    CHECK_OK(oct_get_output(session, 1, c, sizeof c));
    for (int i = 0; i < 6; i++)
        CHECK_MSG(y[i] == want[i] && fabsf(c[i] - x[i]) < 1e-4f, "[%d] %d, %g", i, y[i], (double)c[i]);
    oct_session_free(session);
    oct_model_free(model);
    oct_graph_free(graph);
}

/* Training frameworks write the float weights and let the file quantize them. */
static void weights_quantized_in_the_file(void)
{
    static const float w[4] = {0.5f, -1.27f, 0.004f, 0.0151f}, s[2] = {0.01f, 0.02f};
    static const int8_t z[2] = {0, 0};
    float x[2] = {1, 2}, *inputs[] = {x};
    onnx_builder b;
    size_t elements;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "1,2");
    put_pair(&b, "x", "a", 0.02f, false, 50);
    onnx_floats(&b, "w", "2,2", w);
    onnx_raw(&b, "s", ONNX_FLOAT, "2", s, sizeof s);
    onnx_raw(&b, "z", ONNX_INT8, "2", z, sizeof z);
    onnx_node(&b, "QuantizeLinear", "w s z", "q", "axis=1");
    onnx_node(&b, "DequantizeLinear", "q s z", "d", "axis=1");
    onnx_node(&b, "MatMul", "a d", "y", "");
    onnx_output(&b, "y");
    oct_graph *graph = optimised(&b);
    CHECK_MSG(graph && !strcmp(graph_ops(graph), "quantize dense"), "%s", graph ? graph_ops(graph) : "");
    float *have = graph ? net_run(graph, inputs, &elements) : NULL;
    /* 0.5 and 0 * 0.01; -64 (1.27 / 0.02 = 63.5, to even) and 1 * 0.02. */
    CHECK(have && fabsf(have[0] - 0.5f) < 1e-6f && fabsf(have[1] - (-1.28f + 0.04f)) < 1e-6f);
    free(have);
    oct_graph_free(graph);
}

/* ----------------------------------------------------------------------------------------------- refusals ---- */

static void refuse(onnx_builder *b, const char *sentence)
{
    onnx_bytes model = onnx_end(b);
    oct_graph *graph = NULL;
    const oct_status status = import_bytes(&model, NULL, &graph);
    CHECK_MSG(status == OCT_ERR_UNSUPPORTED && strstr(oct_error(), sentence), "%d, \"%s\" instead of \"%s\"", (int)status,
              status == OCT_OK ? "" : oct_error(), sentence);
    oct_graph_free(graph);
}

/* A QuantizeLinear of x with a zero point of some type and attributes. */
static void refuse_quantize(int zero_type, size_t zero_bytes, const char *dims, const char *attributes, const char *sentence)
{
    const float scales[3] = {1, 2, 3};
    const uint8_t zeros[24] = {0, 1, 2};
    onnx_builder b;
    onnx_begin(&b, 21);
    onnx_input(&b, "x", "2,3");
    onnx_raw(&b, "s", ONNX_FLOAT, dims, scales, *dims ? sizeof scales : sizeof scales[0]);
    onnx_raw(&b, "z", zero_type, dims, zeros, zero_bytes);
    onnx_node(&b, "QuantizeLinear", "x s z", "q", attributes);
    onnx_node(&b, "DequantizeLinear", "q s z", "y", "");
    onnx_output(&b, "y");
    refuse(&b, sentence);
}

static void refusals(void)
{
    onnx_builder b;
    refuse_quantize(22, 1, "", "", "of type int4");
    refuse_quantize(17, 1, "", "", "of type float8e4m3fn");
    refuse_quantize(5, 2, "", "", "of type int16");
    refuse_quantize(ONNX_INT32, 4, "", "", "the zero point must be uint8 or int8");
    refuse_quantize(ONNX_UINT8, 1, "", "block_size=2", "block_size 2");
    refuse_quantize(ONNX_UINT8, 1, "", "output_dtype=21", "output_dtype uint4");
    refuse_quantize(ONNX_UINT8, 3, "3", "axis=1", "a zero point for each index of axis 1");
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "2,3");
    onnx_node(&b, "DynamicQuantizeLinear", "x", "q s z", "");
    onnx_output_typed(&b, "q", ONNX_UINT8);
    refuse(&b, "what it finds at run time cannot be an output (\"q\")");
    onnx_begin(&b, 13);
    onnx_input_typed(&b, "x", ONNX_INT8, "2,3");
    onnx_node(&b, "Transpose", "x", "y", "");
    onnx_output(&b, "y");
    refuse(&b, "input \"x\" is of type int8; only float and uint8 are supported");
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "2,3");
    onnx_node_of(&b, "com.microsoft", "FusedConv", "x", "y", "");
    onnx_output(&b, "y");
    refuse(&b, "the operator's domain \"com.microsoft\" is not supported");
    onnx_begin(&b, 13);
    onnx_input_typed(&b, "x", ONNX_UINT8, "2,3");
    onnx_node(&b, "Add", "x x", "y", "");
    onnx_output_typed(&b, "y", ONNX_UINT8);
    refuse(&b, "8-bit integers");
}

static const test_case cases[] = {
    {"convolutions", convolutions},
    {"dead_channels", dead_channels},
    {"operators_between_conversions", operators_between_conversions},
    {"qlinear_operators", qlinear_operators},
    {"integer_products", integer_products},
    {"bytes_at_the_edges", bytes_at_the_edges},
    {"weights_quantized_in_the_file", weights_quantized_in_the_file},
    {"refusals", refusals},
};

static void __attribute__((constructor)) add_suite(void) { test_register("qdq", cases, TEST_COUNT(cases)); }

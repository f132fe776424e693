/* Dynamic quantization, judged by an oracle in plain C: one layer whose input is the network's, so that the floats that are
 * quantized are known, and then every result must be equal to the last bit, on every ISA and for any number of threads. */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convert_tools.h"
#include "harness.h"
#include "octet_convert.h"
#include "operators.h"

static size_t count_of(const oct_value *v) { return (size_t)oct_shape_elements(&v->shape); }

/* ---- the oracle ---- */

typedef struct bytes {
    float scale;
    int32_t zero;
    uint8_t *q;
} bytes;

/* Range with 0 in it, infinities as +-1e30, NaN as the least. */
static bytes quantize_all(const float *x, size_t count)
{
    float lo = 0, hi = 0;
    bytes b = {.scale = 1, .q = malloc(count)};
    for (size_t i = 0; i < count; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    lo = lo < -1e30f ? -1e30f : lo;
    hi = hi > 1e30f ? 1e30f : hi;
    if (lo < hi) {
        b.scale = (hi - lo) / 255 > 2 * FLT_MIN ? (hi - lo) / 255 : 2 * FLT_MIN;
        b.zero = (int32_t)nearbyintf(-lo / b.scale);
    }
    for (size_t i = 0; i < count; i++) {
        const float inv = 1.0f / b.scale, least = (float)-b.zero, most = (float)(255 - b.zero);
        float steps = x[i] * inv;
        steps = steps > least ? steps : least;
        steps = steps < most ? steps : most;
        b.q[i] = (uint8_t)((int32_t)nearbyintf(steps) + b.zero);
    }
    return b;
}

/* Exact sum of (q - zero) * w for output channel o of group g at (oy, ox); places outside the image are zeros. */
static int32_t sum_at(const oct_conv_attrs *a, const oct_shape *x, const oct_value *w, const bytes *in, int oy, int ox, int o)
{
    const int64_t *d = w->shape.dims;
    const int each = (int)(d[0] / a->groups), first = o / each * (int)d[3];
    int32_t sum = 0;
    for (int ky = 0; ky < a->kernel[0]; ky++)
        for (int kx = 0; kx < a->kernel[1]; kx++) {
            const int64_t y = oy * a->stride[0] + ky * a->dilation[0] - a->pad[0],
                          z = ox * a->stride[1] + kx * a->dilation[1] - a->pad[1];
            if (y < 0 || z < 0 || y >= x->dims[1] || z >= x->dims[2])
                continue;
            const uint8_t *q = in->q + (y * x->dims[2] + z) * x->dims[3] + first;
            const int8_t *v = (const int8_t *)w->data + ((o * d[1] + ky) * d[2] + kx) * d[3];
            for (int i = 0; i < d[3]; i++)
                sum += (q[i] - in->zero) * v[i];
        }
    return sum;
}

/* The one int8 conv of q, whose x is the network's input quantized. Images one after the other are refused: batch is 1. */
static float *expected_of(const oct_graph *q, const float *x)
{
    const oct_node *node = net_only(q, OCT_OP_CONV);
    const oct_value *in = &q->values[node->in[OCT_IN_X]], *w = &q->values[node->in[OCT_IN_W]], *out = &q->values[node->out[0]];
    const float *bias = q->values[node->in[OCT_IN_BIAS]].data;
    const int channels = (int)out->shape.dims[3], width = (int)out->shape.dims[2];
    const bytes b = quantize_all(x, count_of(in));
    float *y = malloc(count_of(out) * sizeof *y);
    for (int i = 0; i < (int)count_of(out); i++) {
        const int o = i % channels, ox = i / channels % width, oy = i / channels / width;
        const float mult = fminf(b.scale * w->channel_scale[o], FLT_MAX);
        const float product = (float)sum_at(&node->attrs.conv, &in->shape, w, &b, oy, ox, o) * mult;
        y[i] = product + bias[o];
        if (node->act.fn == OCT_FN_CLAMP)
            y[i] = fminf(fmaxf(y[i], node->act.alpha), node->act.beta);
    }
    free(b.q);
    return y;
}

/* ---- running ---- */

static void run_on(const oct_model *model, const char *isa, int threads, const float *x, size_t in_bytes, const float *y,
                   size_t out_bytes)
{
    oct_session *session;
    CHECK_OK(oct_session_create(model, &(oct_options){.isa = isa, .threads = threads}, &session));
    CHECK_OK(oct_set_input(session, 0, x, in_bytes));
    for (int run = 0; run < 2; run++)
        CHECK_OK(oct_run(session));
    const float *got = oct_output_data(session, 0);
    for (size_t i = 0; i < out_bytes / sizeof *y; i++)
        if (memcmp(&got[i], &y[i], sizeof *y) != 0 && !(got[i] == 0 && y[i] == 0)) {
            test_fail(__FILE__, __LINE__, "%s, %d threads, element %zu: %.9g instead of %.9g", isa, threads, i, (double)got[i],
                      (double)y[i]);
            break;
        }
    oct_session_free(session);
}

/* Through every ISA and 1 to 3 threads. */
static void run_everywhere(const oct_graph *q, const float *x, const float *y)
{
    oct_model *model;
    const size_t in_bytes = count_of(&q->values[q->inputs[0]]) * sizeof *x,
                 out_bytes = count_of(&q->values[q->outputs[0]]) * sizeof *y;
    CHECK_OK(oct_model_from_graph(q, &model));
    for (size_t i = 0; i < oct_isa_count(); i++) {
        oct_isa_info isa;
        if (oct_isa(i, &isa) == OCT_OK && isa.available)
            for (int threads = 1; threads <= 3 && !test_failed(); threads++)
                run_on(model, isa.name, threads, x, in_bytes, y, out_bytes);
    }
    oct_model_free(model);
}

typedef struct layer {
    int height, width, in, out, kernel, stride, pad, groups;
    bool relu;
    float lo, hi;
} layer;

static oct_graph *dynamic(const oct_graph *g)
{
    oct_graph *q = NULL;
    if (oct_quantize_dynamic(g, &q) != OCT_OK)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    return q;
}

static oct_graph *one_layer(const layer *l)
{
    oct_graph *g = net_create();
    const int y = net_conv(g, net_input(g, 1, l->height, l->width, l->in), l->out, l->kernel, l->stride, l->pad, l->groups);
    net_output(g, l->relu ? net_relu(g, y) : y);
    if (oct_optimize(g, NULL) != OCT_OK)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    return g;
}

/* ---- the cases ---- */

static void layers_equal_the_oracle(void)
{
    static const layer layers[] = {
        {7, 9, 20, 70, 1, 1, 0, 1, false, -1, 1},     /* a matrix */
        {7, 9, 20, 70, 1, 1, 0, 1, true, 0, 6},
        {1, 1, 430, 90, 1, 1, 0, 1, false, -3, 1},    /* one row */
        {11, 8, 16, 33, 3, 1, 1, 1, true, -2, 5},     /* padding holds the zero point */
        {12, 13, 17, 40, 3, 2, 1, 1, false, 1, 2},    /* a range that does not reach 0 by itself */
        {14, 15, 3, 64, 3, 2, 1, 1, true, -1, 1},     /* few channels: strips */
        {19, 20, 3, 64, 7, 2, 3, 1, true, -1, 4},
        {13, 10, 1, 50, 5, 1, 2, 1, false, -4, -3},
        {9, 9, 24, 48, 3, 1, 1, 3, true, -1, 2},      /* groups */
        {40, 40, 16, 16, 3, 1, 1, 1, false, -1, 1},   /* enough for several pieces of work */
    };
    for (int i = 0; i < TEST_COUNT(layers) && !test_failed(); i++) {
        oct_graph *g = one_layer(&layers[i]), *q = dynamic(g);
        float **x = net_random_inputs(g, layers[i].lo, layers[i].hi);
        CHECK_MSG(net_count(q, OCT_OP_QUANTIZE) == 1, "layer %d stayed float", i);
        float *y = expected_of(q, x[0]);
        run_everywhere(q, x[0], y);
        free(y);
        net_free_inputs(g, x);
        oct_graph_free(q);
        oct_graph_free(g);
    }
}

/* Zeros, nothing but NaNs, infinities, numbers whose range is hardly one. */
static void strange_inputs(void)
{
    static const float values[][2] = {
        {0, 0},      {-0.0f, 0},          {NAN, NAN},          {NAN, 2}, {INFINITY, 1}, {-INFINITY, INFINITY},
        {1e-40f, 0}, {FLT_MIN, -FLT_MIN}, {FLT_MAX, -FLT_MAX}, {-5, -5}, {3, 3}};
    const layer l = {5, 6, 16, 20, 3, 1, 1, 1, false, -1, 1};
    oct_graph *g = one_layer(&l), *q = dynamic(g);
    float **x = net_random_inputs(g, -1, 1);
    for (int i = 0; i < TEST_COUNT(values) && !test_failed(); i++) {
        for (int e = 0; e < 5 * 6 * 16; e++)
            x[0][e] = values[i][e % 7 == 0];
        float *y = expected_of(q, x[0]);
        run_everywhere(q, x[0], y);
        free(y);
        if (test_failed())
            test_fail(__FILE__, __LINE__, "inputs %g and %g", (double)values[i][0], (double)values[i][1]);
    }
    net_free_inputs(g, x);
    oct_graph_free(q);
    oct_graph_free(g);
}

/* The float network's results within a few steps of every layer's range; residuals and functions stay f32. */
static void close_to_float(void)
{
    oct_graph *g = net_create();
    int x = net_relu(g, net_conv(g, net_input(g, 1, 16, 16, 8), 32, 3, 1, 1, 1));
    x = net_relu(g, net_binary(g, OCT_BINARY_ADD, net_conv(g, x, 32, 3, 1, 1, 1), x));
    x = net_unary(g, OCT_FN_HARD_SWISH, 0, 0, net_conv(g, x, 64, 1, 1, 0, 1));
    net_output(g, net_dense(g, net_reshape(g, x, &(oct_shape){2, {1, 16 * 16 * 64}}), 60));
    CHECK_OK(oct_optimize(g, NULL));
    oct_graph *q = dynamic(g);
    float **inputs = net_random_inputs(g, -1, 1);
    CHECK(net_count(q, OCT_OP_QUANTIZE) == 4);
    const double difference = net_difference(g, q, inputs);
    CHECK_MSG(difference > 0 && difference < 0.05, "differs by %g", difference);
    net_free_inputs(g, inputs);
    oct_graph_free(q);
    oct_graph_free(g);
}

/* Who stays float: depthwise layers, and layers that make little of their input; who shares a QUANTIZE node. */
static void the_rule(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 8, 8, 32);
    net_output(g, net_conv(g, x, 32, 5, 1, 2, 0));
    net_output(g, net_conv(g, x, 10, 1, 1, 0, 1));
    net_output(g, net_conv(g, x, 6, 1, 1, 0, 1));
    net_output(g, net_conv(g, net_relu(g, x), 12, 1, 1, 0, 1));
    net_output(g, net_dense(g, net_reduce(g, OCT_REDUCE_MEAN, x, 6, false), 100));   /* 3,200 products: not worth a node */
    CHECK_OK(oct_graph_status(g));
    oct_graph *q = dynamic(g);
    CHECK(net_count(q, OCT_OP_QUANTIZE) == 1);
    int int8 = 0;
    for (int n = 0; n < q->node_count; n++) {
        const oct_node *node = &q->nodes[n];
        const bool dynamic_x = oct_value_is_dynamic(&q->values[node->in[0]]);
        int8 += dynamic_x;
        CHECK(!dynamic_x || (node->op == OCT_OP_CONV && !oct_conv_is_depthwise(q, node)));
    }
    CHECK_MSG(int8 == 2, "%d layers are int8", int8);
    oct_graph_free(q);
    oct_graph_free(g);
}

/* The scheme survives a file, and layers are called by it. */
static void saved_and_loaded(void)
{
    const layer l = {9, 9, 16, 33, 3, 1, 1, 1, true, -1, 1};
    oct_graph *g = one_layer(&l), *q = dynamic(g), *again, *third = NULL;
    oct_model *model;
    oct_layer_info info;
    void *file, *second;
    size_t size, second_size;
    CHECK_OK(oct_save_memory(q, &file, &size));
    CHECK_OK(oct_model_load_memory(file, size, &model));
    CHECK(oct_model_layer_count(model) == 2);
    CHECK_OK(oct_model_layer(model, 0, &info));
    CHECK(!strcmp(info.op, "quantize") && !strcmp(info.precision, "f32>u8"));
    CHECK_OK(oct_model_layer(model, 1, &info));
    CHECK(!strcmp(info.precision, "int8-dynamic") && info.out_dtype == OCT_F32);
    CHECK_OK(oct_graph_from_model(model, &again));
    CHECK_OK(oct_save_memory(again, &second, &second_size));
    CHECK(size == second_size && memcmp(file, second, size) == 0);
    CHECK(oct_quantize_dynamic(again, &third) == OCT_ERR_ARGUMENT && !third);
    CHECK(oct_quantize_dynamic(NULL, &third) == OCT_ERR_ARGUMENT);
    oct_buffer_free(second);
    oct_buffer_free(file);
    oct_graph_free(again);
    oct_model_free(model);
    oct_graph_free(q);
    oct_graph_free(g);
}

/* A scale that is found at run time may stand behind a QUANTIZE node from f32 only, and before a conv's or dense layer's x only. */
static void misuse_is_refused(void)
{
    const layer l = {9, 9, 16, 33, 3, 1, 1, 1, true, -1, 1};
    oct_graph *g = one_layer(&l), *q = dynamic(g), *bad;
    const int u8 = net_only(q, OCT_OP_QUANTIZE)->out[0], conv = q->values[net_only(q, OCT_OP_CONV)->out[0]].producer;
    int id;
    CHECK(oct_graph_add_node(q, OCT_OP_RESHAPE, "r", &(oct_attrs){.reshape = {1, {9 * 9 * 16}}}, &u8, 1, &id) == OCT_ERR_ARGUMENT);
    CHECK(oct_graph_add_node(q, OCT_OP_DEQUANTIZE, "d", NULL, &u8, 1, &id) == OCT_ERR_ARGUMENT);
    CHECK(oct_graph_add_node(q, OCT_OP_QUANTIZE, "q", NULL, &u8, 1, &id) == OCT_ERR_ARGUMENT);
    CHECK_OK(oct_graph_clone(q, &bad));
    bad->values[bad->nodes[conv].out[0]].dtype = OCT_U8;
    bad->values[bad->nodes[conv].out[0]].scale = 1;
    CHECK(oct_graph_check(bad) != OCT_OK);
    oct_graph_free(bad);
    CHECK_OK(oct_graph_clone(q, &bad));
    CHECK_OK(oct_graph_add_output(bad, u8));
    CHECK(oct_graph_check(bad) != OCT_OK);
    oct_graph_free(bad);
    CHECK_OK(oct_graph_clone(q, &bad));
    bad->values[u8].zero_point = 3;
    CHECK(oct_graph_check(bad) != OCT_OK);
    bad->values[u8].zero_point = 0;
    bad->values[u8].scale = -0.0f;
    CHECK(oct_graph_check(bad) != OCT_OK);
    oct_graph_free(bad);
    oct_graph_free(q);
    oct_graph_free(g);
}

static const test_case cases[] = {
    {"layers_equal_the_oracle", layers_equal_the_oracle},
    {"strange_inputs", strange_inputs},
    {"close_to_float", close_to_float},
    {"the_rule", the_rule},
    {"saved_and_loaded", saved_and_loaded},
    {"misuse_is_refused", misuse_is_refused},
};

static void __attribute__((constructor)) add_suite(void) { test_register("dynamic", cases, TEST_COUNT(cases)); }

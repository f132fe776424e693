/* Memory: a run allocates nothing, and whichever allocation fails, the failure arrives as a status and nothing is lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc_hook.h"
#include "calibrate.h"
#include "harness.h"
#include "import_onnx.h"
#include "octet_kernels.h"
#include "onnx_builder.h"
#include "random_graph.h"

static bool set_inputs(oct_session *session, const oct_graph *graph)
{
    bool ok = true;
    for (int i = 0; i < graph->input_count; i++) {
        void *data = random_input(graph, i);
        ok &= oct_set_input(session, (size_t)i, data, oct_value_bytes(&graph->values[graph->inputs[i]])) == OCT_OK;
        free(data);
    }
    return ok;
}

static void runs_allocate_nothing(void)
{
    for (int round = 0; round < 20; round++) {
        oct_model *model;
        oct_session *session;
        oct_graph *graph = random_graph(15);
        CHECK_OK(oct_model_from_graph(graph, &model));
        CHECK_OK(
            oct_session_create(model, &(oct_options){.isa = test_isa(), .threads = 1 + round % 3, .profile = round & 1}, &session));
        CHECK(set_inputs(session, graph));
        alloc_reset(0);
        CHECK_OK(oct_run(session));
        CHECK_OK(oct_run(session));
        CHECK_MSG(alloc_count() == 0, "a run made %ld allocations", alloc_count());
        oct_session_free(session);
        oct_model_free(model);
        oct_graph_free(graph);
    }
}

/* ------------------------------------------------------------------------------------ the n-th one fails ---- */

/* Something that allocates: returns a status, cleans up after itself, and leaves nothing behind. */
typedef oct_status scenario(void *arg);

/* Lets the first, second, third ... allocation fail until none is left that could. */
static void fail_each(const char *name, scenario *run, void *arg)
{
    long n = 1;
    for (;; n++) {
        alloc_reset(n);
        const oct_status status = run(arg);
        const bool failed = alloc_count() >= n;
        alloc_reset(0);
        if (!failed) {
            CHECK_MSG(status == OCT_OK, "%s: %s", name, oct_error());
            break;
        }
        CHECK_MSG(status == OCT_ERR_MEMORY, "%s: allocation %ld failed, but the status was %s: %s", name, n,
                  oct_status_name(status), oct_error());
        CHECK_MSG(strstr(oct_error(), "memory") != NULL, "%s: allocation %ld: %s", name, n, oct_error());
    }
    CHECK_MSG(n > 1, "%s: made no allocation", name);
}

static oct_status build(void *arg)
{
    static const float weights[8 * 9 * 3], scale[8];
    oct_graph *graph;
    (void)arg;
    oct_status status = oct_graph_create(&graph);
    if (status != OCT_OK)
        return status;
    int x = oct_build_input(graph, "x", &(oct_shape){4, {1, 6, 6, 3}});
    x = oct_build_conv(graph, "conv", x, &(oct_conv_desc){.out_channels = 8, .kernel = {3, 3}}, weights, NULL);
    x = oct_build_mul(graph, "mul", x, oct_build_constant(graph, "scale", &(oct_shape){1, {8}}, scale));
    x = oct_build_relu(graph, "relu", x);
    oct_build_output(graph, "y", x);
    status = oct_graph_status(graph);
    oct_graph_free(graph);
    return status;
}

static oct_status save(void *graph)
{
    void *bytes;
    size_t size;
    const oct_status status = oct_save_memory(graph, &bytes, &size);
    if (status != OCT_OK && (bytes || size))
        test_fail(__FILE__, __LINE__, "a failed save left %p", bytes);
    oct_buffer_free(bytes);
    return status;
}

static oct_status save_file(void *graph)
{
    char path[600];
    snprintf(path, sizeof path, "%s/alloc.oct", test_build_dir());
    const oct_status status = oct_save(graph, path);
    remove(path);
    return status;
}

static oct_status run_model(oct_model *model, const oct_graph *graph)
{
    oct_session *session;
    oct_status status = oct_session_create(model, &(oct_options){.isa = test_isa(), .threads = 2}, &session);
    if (status != OCT_OK) {
        if (session)
            test_fail(__FILE__, __LINE__, "a failed oct_session_create left a session");
        return status;
    }
    if (set_inputs(session, graph))
        status = oct_run(session);
    oct_session_free(session);
    return status;
}

static oct_status model_and_session(void *graph)
{
    oct_model *model;
    oct_status status = oct_model_from_graph(graph, &model);
    if (status == OCT_OK)
        status = run_model(model, graph);
    else if (model)
        test_fail(__FILE__, __LINE__, "a failed oct_model_from_graph left a model");
    oct_model_free(model);
    return status;
}

typedef struct saved {
    void *bytes;
    size_t size;
} saved;

static oct_status load(void *arg)
{
    const saved *file = arg;
    oct_model *model;
    oct_graph *graph = NULL;
    oct_status status = oct_model_load_memory(file->bytes, file->size, &model);
    if (status != OCT_OK) {
        if (model)
            test_fail(__FILE__, __LINE__, "a failed load left a model");
        return status;
    }
    status = oct_graph_from_model(model, &graph);
    oct_graph_free(graph);
    oct_model_free(model);
    return status;
}

/* The whole way from a float graph to an int8 one. */
static oct_status quantize_graph(void *arg)
{
    oct_calibration *calibration = NULL;
    oct_graph *graph = NULL, *quantized = NULL;
    oct_status status = oct_graph_clone(arg, &graph);
    if (status == OCT_OK)
        status = oct_optimize(graph, NULL);
    if (status == OCT_OK)
        status = oct_calibration_create(graph, &(oct_options){.isa = test_isa(), .threads = 1}, &calibration);
    if (status == OCT_OK) {
        void *input = random_input(graph, 0);
        status = oct_calibration_add(calibration, (const void *const[]){input});
        free(input);
    }
    if (status == OCT_OK)
        status = oct_quantize(graph, calibration, NULL, &quantized);
    if (status != OCT_OK && quantized)
        test_fail(__FILE__, __LINE__, "a failed oct_quantize left a graph");
    oct_graph_free(quantized);
    oct_calibration_free(calibration);
    oct_graph_free(graph);
    return status;
}

static oct_status quantize_dynamically(void *arg)
{
    oct_graph *quantized = NULL;
    oct_status status = oct_quantize_dynamic(arg, &quantized);
    if (status != OCT_OK && quantized)
        test_fail(__FILE__, __LINE__, "a failed oct_quantize_dynamic left a graph");
    if (status == OCT_OK)
        status = model_and_session(quantized);
    oct_graph_free(quantized);
    return status;
}

/* Both graphs of a comparison, and one sample of zeros. */
typedef struct compared_pair {
    const oct_graph *graph, *quantized;
} compared_pair;

static oct_status compare_graphs(void *arg)
{
    static const float x[6 * 6 * 3];
    const compared_pair *pair = arg;
    const void *inputs[1] = {x};
    oct_comparison *c;
    oct_layer_comparison layer;
    oct_status status = oct_compare_create(pair->graph, pair->quantized, &(oct_options){.isa = test_isa(), .threads = 1}, &c);
    if (status == OCT_OK)
        status = oct_compare_add(c, inputs);
    if (status == OCT_OK)
        status = oct_compare_layer(c, 0, &layer);
    oct_compare_free(c);
    return status;
}

/* A quantized file: weights per channel with a -128 in them, a bias, a residual addition with a constant, a dynamic product. */
static onnx_bytes quantized_file(void)
{
    static const int8_t w[4 * 3] = {-128, 5, 100, 7, 127, -3, 2, 1, 0, 50, 60, 70}, zero = 3;
    static const float scales[4] = {0.01f, 0.02f, 0.03f, 0.04f}, scale = 0.05f, addend[4] = {1, 2, 3, 4};
    static const int32_t bias[4] = {10, 20, 30, 40};
    onnx_builder b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "1,3,4,4");
    onnx_raw(&b, "s", ONNX_FLOAT, "", &scale, sizeof scale);
    onnx_raw(&b, "z", ONNX_INT8, "", &zero, 1);
    onnx_node(&b, "QuantizeLinear", "x s z", "xq", "");
    onnx_raw(&b, "w", ONNX_INT8, "4,3,1,1", w, sizeof w);
    onnx_raw(&b, "ws", ONNX_FLOAT, "4", scales, sizeof scales);
    onnx_raw(&b, "wz", ONNX_INT8, "4", "\0\0\0", 4);
    onnx_raw(&b, "bias", ONNX_INT32, "4", bias, sizeof bias);
    onnx_node(&b, "QLinearConv", "xq s z w ws wz s z bias", "yq", "");
    onnx_node(&b, "DequantizeLinear", "yq s z", "y", "");
    onnx_floats(&b, "c", "4,1,1", addend);
    onnx_node(&b, "QuantizeLinear", "c s z", "cq", "");
    onnx_node(&b, "DequantizeLinear", "cq s z", "cd", "");
    onnx_node(&b, "Add", "y cd", "sum", "");
    onnx_node(&b, "QuantizeLinear", "sum s z", "sumq", "");
    onnx_node(&b, "DequantizeLinear", "sumq s z", "out", "");
    onnx_node(&b, "DynamicQuantizeLinear", "x", "dq ds dz", "");
    onnx_node(&b, "ConvInteger", "dq w dz", "i", "");
    onnx_node(&b, "Cast", "i", "f", "to=1");
    onnx_output(&b, "out");
    onnx_output(&b, "f");
    return onnx_end(&b);
}

static oct_status import_quantized(void *arg)
{
    const onnx_bytes *file = arg;
    oct_graph *graph;
    oct_status status = oct_import_onnx_memory("test.onnx", NULL, file->data, file->size, NULL, &graph);
    if (status == OCT_OK)
        status = oct_optimize(graph, NULL);
    oct_graph_free(graph);
    return status;
}

/* Large enough a convolution for its input to be quantized. */
static oct_graph *wide_network(void)
{
    static float weights[8 * 9 * 16];
    oct_graph *g;
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++)
        weights[i] = test_uniform(-1, 1);
    if (oct_graph_create(&g) != OCT_OK)
        return NULL;
    const int x = oct_build_input(g, "x", &(oct_shape){4, {1, 8, 8, 16}});
    const oct_conv_desc conv = {.out_channels = 8, .kernel = {3, 3}, .pad = {1, 1, 1, 1}};
    oct_build_output(g, "y", oct_build_conv(g, "conv", x, &conv, weights, NULL));
    return g;
}

/* conv - relu - depthwise - add - pool - dense. */
static oct_graph *float_network(void)
{
    static float weights[8 * 9 * 3 + 10 * 8];
    oct_graph *g;
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++)
        weights[i] = test_uniform(-1, 1);
    if (oct_graph_create(&g) != OCT_OK)
        return NULL;
    int x = oct_build_input(g, "x", &(oct_shape){4, {1, 6, 6, 3}});
    x = oct_build_relu(g, "relu",
                       oct_build_conv(g, "conv", x, &(oct_conv_desc){.out_channels = 8, .kernel = {3, 3}}, weights, NULL));
    const oct_conv_desc depthwise = {.out_channels = 8, .kernel = {3, 3}, .pad = {1, 1, 1, 1}, .groups = 8};
    x = oct_build_add(g, "add", x, oct_build_conv(g, "depthwise", x, &depthwise, weights, NULL));
    x = oct_build_reshape(g, "flat", oct_build_global_average_pool(g, "mean", x), &(oct_shape){2, {1, 8}});
    oct_build_output(g, "y", oct_build_softmax(g, "softmax", oct_build_dense(g, "dense", x, 10, weights, NULL), 1));
    return g;
}

static oct_status plain(void *arg)
{
    static const int8_t w[6 * 9 * 4];
    static const uint8_t x[5 * 5 * 4];
    static const float scales[6] = {1, 1, 1, 1, 1, 1};
    static uint8_t y[5 * 5 * 6];
    const oct_convolution_desc desc = {
        .batch = 1, .in_h = 5, .in_w = 5, .in_c = 4, .out_c = 6, .kernel = {3, 3}, .pad = {1, 1, 1, 1}, .isa = test_isa()};
    const oct_quantization q = {.x_scale = 1, .w_scale = scales, .y_scale = 1};
    oct_weights *weights;
    (void)arg;
    oct_status status = oct_pack_convolution_u8s8(&desc, w, &q, &weights);
    if (status != OCT_OK)
        return status;
    status = oct_convolve_u8s8(weights, x, y);
    oct_weights_free(weights);
    return status;
}

static void any_allocation_may_fail(void)
{
    for (int round = 0; round < 4 && !test_failed(); round++) {
        oct_graph *graph = random_graph(10);
        saved file;
        CHECK_OK(oct_save_memory(graph, &file.bytes, &file.size));
        fail_each("save", save, graph);
        fail_each("save to a file", save_file, graph);
        fail_each("load", load, &file);
        fail_each("session", model_and_session, graph);
        oct_buffer_free(file.bytes);
        oct_graph_free(graph);
    }
    oct_graph *network = float_network();
    CHECK_OK(oct_graph_status(network));
    fail_each("quantize", quantize_graph, network);
    oct_graph *wide = wide_network();
    CHECK_OK(oct_graph_status(wide));
    fail_each("quantize dynamically", quantize_dynamically, wide);
    oct_graph_free(wide);
    compared_pair pair = {.graph = network};
    oct_graph *quantized;
    CHECK_OK(oct_quantize_dynamic(network, &quantized));
    pair.quantized = quantized;
    if (oct_graph_is_quantized(quantized))
        fail_each("compare", compare_graphs, &pair);
    oct_graph_free(quantized);
    onnx_bytes file = quantized_file();
    fail_each("import a quantized file", import_quantized, &file);
    free(file.data);
    oct_graph_free(network);
    fail_each("build", build, NULL);
    fail_each("plain kernels", plain, NULL);
}

static const test_case cases[] = {
    {"runs_allocate_nothing", runs_allocate_nothing},
    {"any_allocation_may_fail", any_allocation_may_fail},
};

static void __attribute__((constructor)) add_suite(void) { test_register("alloc", cases, TEST_COUNT(cases)); }

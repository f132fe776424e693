/* Tensors without elements: a dimension of 0 goes through whatever moves elements or takes them one by one, along every way a model
 * can take; what would have to compute something from nothing is refused (suite_import_broken.c has the sentences). */
#include <string.h>

#include "convert_tools.h"
#include "harness.h"
#include "import_check.h"

/* Runs a model with empty inputs only on one instruction set; all outputs, one after the other, are compared with `want`. */
static void run_model(const oct_model *model, const char *isa, const float *want, size_t count)
{
    oct_session *session = NULL;
    size_t done = 0;
    CHECK_OK(oct_session_create(model, &(oct_options){.isa = isa, .threads = 2, .profile = 1}, &session));
    for (size_t i = 0; i < oct_model_input_count(model); i++)
        CHECK_OK(oct_set_input(session, i, NULL, 0));
    CHECK_OK(oct_run(session));
    for (size_t i = 0; i < oct_model_output_count(model); i++) {
        oct_tensor_info info;
        CHECK_OK(oct_model_output(model, i, &info));
        CHECK(done + info.elements <= count && oct_output_data(session, i));
        CHECK(info.elements == 0 || !memcmp(oct_output_data(session, i), want + done, info.bytes));
        if (info.elements == 0)
            CHECK_OK(oct_get_output(session, i, NULL, 0));
        done += info.elements;
    }
    CHECK(done == count);
    oct_session_free(session);
}

/* From memory, and saved and loaded again; on every instruction set. */
static void run_graph(const oct_graph *graph, const float *want, size_t count)
{
    oct_model *models[2] = {NULL, NULL};
    void *bytes = NULL;
    size_t size;
    CHECK_OK(oct_model_from_graph(graph, &models[0]));
    CHECK_OK(oct_save_memory(graph, &bytes, &size));
    CHECK_OK(oct_model_load_memory(bytes, size, &models[1]));
    oct_buffer_free(bytes);
    for (int m = 0; m < 2; m++) {
        for (size_t i = 0; i < oct_isa_count() && !test_failed(); i++) {
            oct_isa_info isa;
            if (oct_isa(i, &isa) == OCT_OK && isa.available)
                run_model(models[m], isa.name, want, count);
        }
        oct_model_free(models[m]);
    }
}

/* ---------------------------------------------------------------------------------------------- imported ---- */

/* One operator each: the shape that comes out, for those with elements what is in it. */
static void operators(void)
{
    static const struct { one_node node; const char *shape; size_t count; float want[6]; } list[] = {
        {{14, "Reshape", "x:0,3,4 s#3,4,0", "y", "allowzero=1"}, "3x4x0", 0, {0}},
        {{13, "Reshape", "x:0,3,4 s#0,12", "y", ""}, "0x12", 0, {0}},
        {{13, "Flatten", "x:2,0,4", "y", ""}, "2x0", 0, {0}},
        {{13, "Transpose", "x:2,0,4", "y", "perm=[2,0,1]"}, "4x2x0", 0, {0}},
        {{13, "Identity", "x:0", "y", ""}, "0", 0, {0}},
        {{13, "Unsqueeze", "x:0,2 a#0", "y", ""}, "1x0x2", 0, {0}},
        {{13, "Concat", "x:2,0 z:2,0", "y", "axis=0"}, "4x0", 0, {0}},
        {{13, "Slice", "x:0,6 s#1 e#4 a#1", "y", ""}, "0x3", 0, {0}},
        {{13, "Split", "x:0,6", "y z", "axis=1"}, "0x3", 0, {0}},
        {{13, "Relu", "x:3,0", "y", ""}, "3x0", 0, {0}},
        {{13, "Sigmoid", "x:3,0", "y", ""}, "3x0", 0, {0}},
        {{13, "Add", "x:3,0 b=1", "y", ""}, "3x0", 0, {0}},
        {{13, "Mul", "x:3,0 b=3,1", "y", ""}, "3x0", 0, {0}},
        {{13, "Max", "x:0,4 z:0,1", "y", ""}, "0x4", 0, {0}},
        {{11, "Pad", "x:0,2 p#1,0,2,0", "y", ""}, "3x2", 6, {0, 0, 0, 0, 0, 0}},
        {{10, "Pad", "x:2,0", "y", "pads=[0,1,0,1] value=2.5"}, "2x2", 4, {2.5f, 2.5f, 2.5f, 2.5f}},
    };
    for (int i = 0; i < TEST_COUNT(list) && !test_failed(); i++) {
        onnx_bytes model = one_node_model(&list[i].node);
        oct_graph *graph = NULL;
        CHECK_MSG(import_bytes(&model, NULL, &graph) == OCT_OK, "row %d: %s", i, oct_error());
        CHECK_MSG(!strcmp(output_shape(graph, 0), list[i].shape), "row %d: %s", i, output_shape(graph, 0));
        run_graph(graph, list[i].want, list[i].count);
        CHECK_OK(oct_optimize(graph, NULL));
        run_graph(graph, list[i].want, list[i].count);
        if (test_failed())
            test_fail(__FILE__, __LINE__, "in row %d", i);
        oct_graph_free(graph);
    }
}

/* Parts without elements beside those with some, as variables and as constants. */
static void empty_parts(void)
{
    const float numbers[4] = {1, 2, 3, 4};
    onnx_builder b;
    oct_graph *graph = NULL;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "2,0");
    onnx_floats(&b, "c", "2,2", numbers);
    onnx_floats(&b, "e", "2,0", numbers);
    onnx_node(&b, "Neg", "x", "n", "");
    onnx_node(&b, "Concat", "n c x e", "y", "axis=1");
    onnx_output(&b, "y");
    onnx_bytes model = onnx_end(&b);
    CHECK_OK(import_bytes(&model, NULL, &graph));
    run_graph(graph, numbers, 4);
    CHECK_OK(oct_optimize(graph, NULL));
    run_graph(graph, numbers, 4);
    oct_graph_free(graph);
}

/* ------------------------------------------------------------------------------------------------ by hand ---- */

static int empty_input(oct_graph *g, const char *name, const oct_shape *shape)
{
    int x = OCT_NONE;
    if (oct_graph_add_value(g, name, OCT_F32, shape, NULL, &x) != OCT_OK || oct_graph_add_input(g, x) != OCT_OK)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    return x;
}

/* A chain through every operator that takes nothing, with bytes in the middle. */
static void chains(void)
{
    oct_graph *g = net_create();
    int y = empty_input(g, "x", &(oct_shape){4, {2, 0, 3, 5}});
    y = net_binary(g, OCT_BINARY_ADD, net_relu(g, y), net_constant(g, &(oct_shape){1, {5}}, -1, 1));
    y = net_node(g, OCT_OP_QUANTIZE, NULL, &y, 1);
    g->values[y].scale = 0.5f;
    y = net_transpose(g, net_concat(g, y, y, 3), "3021");
    for (int v = 0; v < g->value_count; v++)
        if (g->values[v].dtype == OCT_U8)
            g->values[v].scale = 0.5f;
    y = net_node(g, OCT_OP_SLICE, &(oct_attrs){.slice = {.step = {1, 1, 1, 1}, .count = {4, 2, 1, 0}}}, &y, 1);
    g->values[y].scale = 0.5f;
    y = net_node(g, OCT_OP_DEQUANTIZE, NULL, &y, 1);
    net_output(g, net_reshape(g, y, &(oct_shape){2, {8, 0}}));
    CHECK_OK(oct_graph_check(g));
    run_graph(g, NULL, 0);
    oct_graph_free(g);
}

/* Transposes and clamps round nothing: the optimiser may do what it likes, as long as the shape stays. */
static void optimised(void)
{
    oct_graph *g = net_create();
    const int x = empty_input(g, "x", &(oct_shape){4, {0, 3, 4, 5}});
    int y = net_transpose(g, net_relu(g, net_transpose(g, x, "0231")), "0312");
    y = net_binary(g, OCT_BINARY_MUL, y, net_constant(g, &(oct_shape){3, {3, 1, 1}}, 1, 2));
    y = net_unary(g, OCT_FN_TANH, 0, 0, net_transpose(g, y, "0231"));
    y = net_transpose(g, net_reshape(g, net_transpose(g, y, "0312"), &(oct_shape){4, {0, 3, 20, 1}}), "0231");
    net_output(g, net_node(g, OCT_OP_CONCAT, &(oct_attrs){.axis = {0}}, (int[]){y, y}, 2));
    CHECK_OK(oct_optimize(g, NULL));
    CHECK(!strcmp(output_shape(g, 0), "0x20x1x3"));
    run_graph(g, NULL, 0);
    oct_graph_free(g);
}

/* Calibrated and quantized: the layers with elements beside it become bytes all the same. */
static void quantized(void)
{
    oct_graph *g = net_create(), *q = NULL;
    oct_calibration *c;
    const int x = empty_input(g, "x", &(oct_shape){4, {1, 0, 6, 8}}), z = net_input(g, 1, 6, 6, 8);
    int y = net_concat(g, net_relu(g, x), net_relu(g, net_conv(g, z, 8, 3, 1, 1, 1)), 1);
    net_output(g, net_conv(g, y, 4, 1, 1, 0, 1));
    net_output(g, net_unary(g, OCT_FN_TANH, 0, 0, x));
    CHECK_OK(oct_calibration_create(g, NULL, &c));
    float **inputs = net_random_inputs(g, -1, 1);
    CHECK_OK(oct_calibration_add(c, (const void *const *)inputs));
    CHECK_OK(oct_quantize(g, c, NULL, &q));
    CHECK(net_difference(g, q, inputs) < 0.1);
    net_free_inputs(g, inputs);
    oct_calibration_free(c);
    oct_graph_free(q);
    oct_graph_free(g);
}

/* A zero hides no overflow: the product of the other dimensions is bounded too. */
static void zeros_hide_nothing(void)
{
    CHECK(oct_shape_elements(&(oct_shape){3, {0, 5, 7}}) == 0 && oct_shape_elements(&(oct_shape){1, {0}}) == 0);
    CHECK(oct_shape_elements(&(oct_shape){2, {0, (int64_t)1 << 40}}) == 0);
    CHECK(oct_shape_elements(&(oct_shape){3, {0, (int64_t)1 << 40, 2}}) == -1);
    CHECK(oct_shape_elements(&(oct_shape){3, {(int64_t)1 << 40, 2, 0}}) == -1);
    CHECK(oct_shape_elements(&(oct_shape){2, {0, -1}}) == -1);
}

static const test_case cases[] = {
    {"operators", operators}, {"empty_parts", empty_parts}, {"chains", chains},
    {"optimised", optimised}, {"quantized", quantized},     {"zeros_hide_nothing", zeros_hide_nothing},
};

static void __attribute__((constructor)) add_suite(void) { test_register("empty", cases, TEST_COUNT(cases)); }

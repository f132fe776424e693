/* Import of good files: every operator family as a one-node model, then whole models. What comes out is compared by its operators
 * and shapes (numbers are compared in suite_import_numbers.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "import_check.h"
#include "import_context.h"
#include "operators.h"

/* A one-node model, the operators it becomes, and the shape of its first output. */
typedef struct good {
    one_node node;
    const char *ops, *shape;
} good;

static void check_good(const good *list, int count)
{
    for (int i = 0; i < count; i++) {
        const one_node *node = &list[i].node;
        onnx_bytes model = one_node_model(node);
        oct_graph *graph = NULL;
        const oct_status status = import_bytes(&model, NULL, &graph);
        CHECK_MSG(status == OCT_OK, "row %d (%s): %s", i, node->op, oct_error());
        const bool ops = !strcmp(graph_ops(graph), list[i].ops), shape = !strcmp(output_shape(graph, 0), list[i].shape);
        const bool named = !strcmp(graph->values[graph->outputs[0]].name, "y");
        if (!ops || !shape || !named)
            test_fail(__FILE__, __LINE__, "row %d (%s %s): \"%s\" -> %s, expected \"%s\" -> %s", i, node->op, node->attributes,
                      graph_ops(graph), output_shape(graph, 0), list[i].ops, list[i].shape);
        oct_graph_free(graph);
        if (test_failed())
            return;
    }
}

static void convolutions(void)
{
    static const good list[] = {
        {{13, "Conv", "x:1,3,8,8 w=4,3,3,3", "y", ""}, "transpose conv transpose", "1x4x6x6"},
        {{13, "Conv", "x:1,3,8,8 w=4,3,3,3 b=4", "y", "pads=[1,1,1,1]"}, "transpose conv transpose", "1x4x8x8"},
        {{13, "Conv", "x:2,3,8,9 w=4,3,3,2", "y", "kernel_shape=[3,2] pads=[0,1,1,2] strides=[2,1]"},
         "transpose conv transpose",
         "2x4x4x11"},
        {{13, "Conv", "x:1,3,9,9 w=4,3,3,3", "y", "dilations=[2,3]"}, "transpose conv transpose", "1x4x5x3"},
        {{13, "Conv", "x:1,8,5,5 w=8,1,3,3", "y", "group=8 auto_pad=SAME_UPPER strides=[2,2]"},
         "transpose conv transpose",
         "1x8x3x3"},
        {{13, "Conv", "x:1,8,5,5 w=6,4,3,3", "y", "group=2 auto_pad=SAME_LOWER"}, "transpose conv transpose", "1x6x5x5"},
        {{13, "Conv", "x:1,3,7,7 w=4,3,3,3", "y", "auto_pad=VALID pads=[1,1,1,1]"}, "transpose conv transpose", "1x4x5x5"},
        {{7, "Conv", "x:1,3,9 w=4,3,3", "y", "strides=[2] pads=[1,1]"}, "reshape transpose conv transpose reshape", "1x4x5"},
    };
    check_good(list, TEST_COUNT(list));
}

static void pools(void)
{
    static const good list[] = {
        {{12, "MaxPool", "x:1,3,9,9", "y", "kernel_shape=[2,2] strides=[2,2]"}, "transpose maxpool transpose", "1x3x4x4"},
        {{12, "MaxPool", "x:1,3,9,9", "y", "kernel_shape=[2,2] strides=[2,2] ceil_mode=1"},
         "transpose maxpool transpose",
         "1x3x5x5"},
        {{12, "MaxPool", "x:1,3,9,9", "y _unused", "kernel_shape=[3,3] dilations=[2,2]"}, "transpose maxpool transpose", "1x3x5x5"},
        {{8, "MaxPool", "x:1,3,9,9", "y", "kernel_shape=[3,3] storage_order=1 auto_pad=SAME_UPPER"},
         "transpose maxpool transpose",
         "1x3x9x9"},
        {{12, "MaxPool", "x:1,3,5,5", "y", "kernel_shape=[1,1] strides=[3,3] auto_pad=SAME_UPPER ceil_mode=1"},
         "transpose maxpool transpose",
         "1x3x2x2"},
        {{12, "MaxPool", "x:1,3,9", "y", "kernel_shape=[3] pads=[1,1]"}, "reshape transpose maxpool transpose reshape", "1x3x9"},
        {{12, "MaxPool", "x:1,2,5,6,7", "y", "kernel_shape=[2,3,2] strides=[1,2,2]"},
         "reshape transpose maxpool transpose reshape transpose maxpool transpose reshape",
         "1x2x4x2x3"},
        {{11, "AveragePool", "x:1,3,9,9", "y", "kernel_shape=[3,3] pads=[1,1,1,1] count_include_pad=1"},
         "transpose averagepool transpose",
         "1x3x9x9"},
        {{19, "AveragePool", "x:1,3,9,9", "y", "kernel_shape=[3,3] dilations=[2,2]"}, "transpose averagepool transpose", "1x3x5x5"},
        {{11, "AveragePool", "x:1,2,4,4,4", "y", "kernel_shape=[2,2,2] pads=[1,0,0,0,1,1]"},
         "reshape transpose averagepool transpose reshape transpose averagepool transpose reshape",
         "1x2x4x4x4"},
        {{13, "GlobalAveragePool", "x:1,3,9,9", "y", ""}, "mean", "1x3x1x1"},
        {{1, "GlobalMaxPool", "x:1,3,9,9,2", "y", ""}, "reducemax", "1x3x1x1x1"},
    };
    check_good(list, TEST_COUNT(list));
}

static void products(void)
{
    static const good list[] = {
        {{13, "Gemm", "x:2,6 w=6,4 c=4", "y", ""}, "dense", "2x4"},
        {{13, "Gemm", "x:2,6 w=4,6 c=1,4", "y", "transB=1 alpha=0.5 beta=0.25"}, "dense", "2x4"},
        {{13, "Gemm", "x:6,2 w=4,6", "y", "transA=1 transB=1"}, "transpose dense", "2x4"},
        {{7, "Gemm", "x:2,6 w=6,4 c=", "y", ""}, "dense", "2x4"},
        {{13, "Gemm", "x:2,6 w=6,4 c=2,1", "y", "beta=2.0"}, "dense add", "2x4"},
        {{13, "Gemm", "x:2,6 w=6,4 c:2,4", "y", "beta=2.0"}, "dense mul add", "2x4"},
        {{13, "Gemm", "x:2,6 w:4,6", "y", "transB=1 alpha=2.0"}, "transpose matmul mul", "2x4"},
        {{13, "Gemm", "x:2,6 w=6,4 c:2,4", "y", "beta=0.0"}, "dense", "2x4"},
        {{13, "MatMul", "x:2,6 w=6,4", "y", ""}, "dense", "2x4"},
        {{13, "MatMul", "x:5,2,6 w=6,4", "y", ""}, "dense", "5x2x4"},
        {{13, "MatMul", "x:2,6 w=1,1,6,4", "y", ""}, "dense reshape", "1x1x2x4"},
        {{13, "MatMul", "x:2,6 w=6", "y", ""}, "dense reshape", "2"},
        {{13, "MatMul", "x:6 w=6,4", "y", ""}, "dense", "4"},
        {{13, "MatMul", "x:3,2,6 w=3,6,4", "y", ""}, "matmul", "3x2x4"},
        {{13, "MatMul", "x:3,2,6 w:6,4", "y", ""}, "matmul", "3x2x4"},
        {{13, "MatMul", "x:6 w:6", "y", ""}, "reshape reshape matmul reshape", "scalar"},
        {{13, "MatMul", "w=4,6 x:6,2", "y", ""}, "matmul", "4x2"},
        {{9, "BatchNormalization", "x:2,3,4,4 s=3 b=3 m=3 v=3", "y", "epsilon=0.001"}, "mul add", "2x3x4x4"},
        {{7, "BatchNormalization", "x:2,3 s=3 b=3 m=3 v=3", "y _m _v _sm _sv", "spatial=1"}, "mul add", "2x3"},
        {{15, "BatchNormalization", "x:2,3,4 s=3 b=3 m=3 v=3", "y rm rv", "training_mode=1"},
         "mean sub mul mean add sqrt div mul add reshape mul add reshape mul add", "2x3x4"},
    };
    check_good(list, TEST_COUNT(list));
}

static void element_functions(void)
{
    static const good list[] = {
        {{13, "Relu", "x:2,3", "y", ""}, "relu", "2x3"},
        {{13, "LeakyRelu", "x:2,3", "y", "alpha=0.2"}, "leakyrelu", "2x3"},
        {{13, "Elu", "x:2,3", "y", ""}, "elu", "2x3"},
        {{13, "Sigmoid", "x:2,3", "y", ""}, "sigmoid", "2x3"},
        {{13, "HardSigmoid", "x:2,3", "y", "alpha=0.1 beta=0.6"}, "hardsigmoid", "2x3"},
        {{14, "HardSwish", "x:2,3", "y", ""}, "hardswish", "2x3"},
        {{13, "Tanh", "x:", "y", ""}, "tanh", "scalar"},
        {{13, "Erf", "x:2,3", "y", ""}, "erf", "2x3"},
        {{20, "Gelu", "x:2,3", "y", "approximate=none"}, "gelu", "2x3"},
        {{13, "Exp", "x:2,3", "y", ""}, "exp", "2x3"},
        {{13, "Log", "x:2,3", "y", ""}, "log", "2x3"},
        {{13, "Sqrt", "x:2,3", "y", ""}, "sqrt", "2x3"},
        {{13, "Reciprocal", "x:2,3", "y", ""}, "reciprocal", "2x3"},
        {{13, "Abs", "x:2,3", "y", ""}, "abs", "2x3"},
        {{13, "Neg", "x:2,3", "y", ""}, "neg", "2x3"},
        {{6, "Clip", "x:2,3", "y", "min=0.0 max=6.0"}, "relu6", "2x3"},
        {{11, "Clip", "x:2,3 l= h=", "y", ""}, "clamp", "2x3"},
        {{11, "Clip", "x:2,3 - h=", "y", ""}, "clamp", "2x3"},
        {{11, "Clip", "x:2,3 l=1", "y", ""}, "clamp", "2x3"},
        {{13, "PRelu", "x:2,3,4 s=3,1", "y", ""}, "relu clamp mul add", "2x3x4"},
        {{13, "Add", "x:2,3,4 b=3,1", "y", ""}, "add", "2x3x4"},
        {{13, "Mul", "x:3,1 b:2,1,4", "y", ""}, "mul", "2x3x4"},
        {{13, "Sub", "b= x:2,3", "y", ""}, "sub", "2x3"},
        {{13, "Div", "x:2,3 b=3", "y", ""}, "div", "2x3"},
        {{13, "Pow", "x:2,3 b#2", "y", ""}, "pow", "2x3"},
        {{13, "Sum", "x:2,3 b=3 c=", "y", ""}, "add add", "2x3"},
        {{13, "Mean", "x:2,3 b=3 c=", "y", ""}, "add add div", "2x3"},
        {{13, "Min", "x:2,3 b=3", "y", ""}, "min", "2x3"},
        {{13, "Max", "x:2,3 b=3 c=2,1", "y", ""}, "max max", "2x3"},
        {{13, "Identity", "x:2,3", "y", ""}, "reshape", "2x3"},
        {{13, "Dropout", "x:2,3 r=", "y _mask", ""}, "reshape", "2x3"},
        {{7, "Dropout", "x:2,3", "y", "ratio=0.3"}, "reshape", "2x3"},
        {{19, "Cast", "x:2,3", "y", "to=1 saturate=1"}, "reshape", "2x3"},
        {{18, "CastLike", "x:2,3 b=1", "y", ""}, "reshape", "2x3"},
    };
    check_good(list, TEST_COUNT(list));
}

static void reductions(void)
{
    static const good list[] = {
        {{13, "ReduceMean", "x:2,3,4,5", "y", "axes=[2,3]"}, "mean", "2x3x1x1"},
        {{13, "ReduceMean", "x:2,3,4,5", "y", "axes=[-1] keepdims=0"}, "mean", "2x3x4"},
        {{18, "ReduceMean", "x:2,3,4,5 a#1,-1", "y", "keepdims=0"}, "mean", "2x4"},
        {{18, "ReduceMax", "x:2,3,4,5", "y", ""}, "reducemax", "1x1x1x1"},
        {{11, "ReduceMin", "x:2,3,4,5", "y", "keepdims=0"}, "reducemin", "scalar"},
        {{13, "ReduceSum", "x:2,3,4,5 a#0", "y", ""}, "sum", "1x3x4x5"},
        {{11, "ReduceSum", "x:2,3,4,5", "y", "axes=[0]"}, "sum", "1x3x4x5"},
        {{13, "ReduceSum", "x:2,3,4,5 a#", "y", "noop_with_empty_axes=1"}, "reshape", "2x3x4x5"},
        {{13, "ReduceSum", "x:2,3,4,5 a#", "y", ""}, "sum", "1x1x1x1"},
        {{13, "Softmax", "x:2,3,4", "y", ""}, "softmax", "2x3x4"},
        {{13, "Softmax", "x:2,3,4", "y", "axis=1"}, "softmax", "2x3x4"},
        {{12, "Softmax", "x:2,3,4", "y", ""}, "reshape softmax reshape", "2x3x4"},
        {{12, "Softmax", "x:2,3,4", "y", "axis=2"}, "softmax", "2x3x4"},
        {{12, "LogSoftmax", "x:2,3,4", "y", "axis=0"}, "reshape softmax reshape", "2x3x4"},
        {{13, "LogSoftmax", "x:2,3,4", "y", "axis=-2"}, "softmax", "2x3x4"},
    };
    check_good(list, TEST_COUNT(list));
}

static void layouts(void)
{
    static const good list[] = {
        {{13, "Reshape", "x:2,3,4 s#0,-1", "y", ""}, "reshape", "2x12"},
        {{13, "Reshape", "x:2,3,4 s#4,1,3,-1", "y", ""}, "reshape", "4x1x3x2"},
        {{14, "Reshape", "x:2,3,4 s#0,-1", "y", "allowzero=0"}, "reshape", "2x12"},
        {{13, "Flatten", "x:2,3,4", "y", ""}, "reshape", "2x12"},
        {{13, "Flatten", "x:2,3,4", "y", "axis=0"}, "reshape", "1x24"},
        {{13, "Flatten", "x:2,3,4", "y", "axis=3"}, "reshape", "24x1"},
        {{13, "Flatten", "x:2,3,4", "y", "axis=-1"}, "reshape", "6x4"},
        {{11, "Squeeze", "x:1,3,1,4", "y", ""}, "reshape", "3x4"},
        {{11, "Squeeze", "x:1,3,1,4", "y", "axes=[-2]"}, "reshape", "1x3x4"},
        {{13, "Squeeze", "x:1,3,1,4 a#0", "y", ""}, "reshape", "3x1x4"},
        {{11, "Unsqueeze", "x:3,4", "y", "axes=[0,3]"}, "reshape", "1x3x4x1"},
        {{13, "Unsqueeze", "x:3,4 a#-1,1", "y", ""}, "reshape", "3x1x4x1"},
        {{13, "Transpose", "x:2,3,4", "y", ""}, "transpose", "4x3x2"},
        {{13, "Transpose", "x:2,3,4", "y", "perm=[1,2,0]"}, "transpose", "3x4x2"},
        {{13, "Concat", "x:2,3 b=2,4 c:2,1", "y", "axis=-1"}, "concat", "2x8"},
        {{13, "Concat", "x:2,3", "y", "axis=0"}, "reshape", "2x3"},
        {{9, "Slice", "x:5,6", "y", "starts=[1,-3] ends=[3,100]"}, "slice", "2x3"},
        {{9, "Slice", "x:5,6", "y", "starts=[2] ends=[-1] axes=[1]"}, "slice", "5x3"},
        {{13, "Slice", "x:5,6 s#-1 e#-9223372036854775808 a#0 t#-2", "y", ""}, "slice", "3x6"},
        {{13, "Slice", "x:5,6 s#1,0 e#9223372036854775807,5 - t#2,3", "y", ""}, "slice", "2x2"},
        {{11, "Split", "x:6,2", "y z", "split=[4,2]"}, "slice slice", "4x2"},
        {{13, "Split", "x:2,6", "y _b z", "axis=1"}, "slice slice", "2x2"},
        {{13, "Split", "x:2,6 s#1,5", "y z", "axis=-1"}, "slice slice", "2x1"},
        {{18, "Split", "x:7,2", "y b z", "num_outputs=3"}, "slice slice slice", "3x2"},
        {{10, "Pad", "x:2,3", "y", "pads=[0,1,2,0] value=1.5"}, "pad", "4x4"},
        {{11, "Pad", "x:2,3 p#0,1,2,0 v=", "y", "mode=constant"}, "pad", "4x4"},
        {{11, "Pad", "x:2,3 p#0,1,1,0", "y", "mode=reflect"}, "pad", "3x4"},
        {{18, "Pad", "x:2,3,4 p#2,1 - a#-1", "y", "mode=edge"}, "pad", "2x3x7"},
        {{11, "Pad", "x:2,3 p#-1,0,0,-1", "y", ""}, "pad", "1x2"},
        {{13, "Gather", "x:4,5,6 i#2", "y", "axis=1"}, "slice", "4x1x6"},
        {{13, "Gather", "x:4,5 i#0,1,3,-1", "y", ""}, "slice slice slice concat", "4x5"},
        {{13, "Expand", "x:3,1 s#2,1,4", "y", ""}, "mul", "2x3x4"},
        {{13, "Expand", "x:3,4 s#1,4", "y", ""}, "reshape", "3x4"},
    };
    check_good(list, TEST_COUNT(list));
}

/* ------------------------------------------------------------------------------------ whole small models ---- */

/* The chain that exporters leave for x.view(x.size(0), -1): Shape, Gather, Unsqueeze, Concat in front of a Reshape; and one with
 * floats. */
static void integer_chains(void)
{
    onnx_builder b;
    oct_graph *graph = NULL;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "batch,3,4,5");
    onnx_scalar_int(&b, "zero", 0);
    onnx_ints(&b, "axes", "0");
    onnx_ints(&b, "rest", "-1");
    onnx_node(&b, "Shape", "x", "shape", "");
    onnx_node(&b, "Gather", "shape zero", "n", "axis=0");
    onnx_node(&b, "Unsqueeze", "n axes", "n1", "");
    onnx_node(&b, "Concat", "n1 rest", "target", "axis=0");
    onnx_node(&b, "Reshape", "x target", "flat", "");
    onnx_output(&b, "flat");
    onnx_bytes model = onnx_end(&b);
    const oct_import_options options = {.batch = 7};
    CHECK_OK(import_bytes(&model, &options, &graph));
    CHECK_MSG(!strcmp(graph_ops(graph), "reshape") && !strcmp(output_shape(graph, 0), "7x60"), "%s", graph_ops(graph));
    CHECK(graph->input_count == 1 && graph->value_count == 2);   /* no constant is left over */
    oct_graph_free(graph);
}

/* Imports a model whose output z is x reshaped to the computed shape `target`. */
static void check_target(onnx_builder *b, const char *shape)
{
    oct_graph *graph = NULL;
    onnx_node(b, "Reshape", "x target", "z", "");
    onnx_output(b, "z");
    onnx_bytes model = onnx_end(b);
    CHECK_OK(import_bytes(&model, NULL, &graph));
    CHECK_MSG(!strcmp(output_shape(graph, 0), shape), "%s instead of %s", output_shape(graph, 0), shape);
    oct_graph_free(graph);
}

static void arithmetic_on_shapes(void)
{
    onnx_builder b;
    /* floor(sqrt(H) * 1.5) etc.: Cast to float, float arithmetic, Floor, Cast back. */
    onnx_begin(&b, 15);
    onnx_input(&b, "x", "1,4,9,2");
    onnx_node(&b, "Shape", "x", "h", "start=2 end=3");                 /* [9] */
    onnx_node(&b, "Cast", "h", "hf", "to=1");
    onnx_node(&b, "Sqrt", "hf", "root", "");                            /* 3.0 */
    onnx_node(&b, "Constant", "", "factor", "value_floats=[1.5]");
    onnx_node(&b, "Mul", "root factor", "product", "");                 /* 4.5 */
    onnx_node(&b, "Floor", "product", "down", "");                      /* 4 */
    onnx_node(&b, "Cast", "down", "four", "to=7");
    onnx_node(&b, "Constant", "", "two", "value_ints=[2]");
    onnx_node(&b, "Constant", "", "minus", "value_ints=[-1]");
    onnx_node(&b, "Div", "four two", "q", "");                          /* 2 */
    onnx_node(&b, "Sub", "q minus", "three", "");                       /* 3 */
    onnx_node(&b, "Concat", "four three minus", "target", "axis=0");
    check_target(&b, "4x3x6");

    /* Range, ConstantOfShape, Slice, Transpose of integers. */
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "2,3,4");
    onnx_node(&b, "Constant", "", "zero", "value_int=0");
    onnx_node(&b, "Constant", "", "six", "value_int=6");
    onnx_node(&b, "Constant", "", "two", "value_int=2");
    onnx_node(&b, "Range", "zero six two", "range", "");                /* 0 2 4 */
    onnx_ints(&b, "one", "1");
    onnx_ints(&b, "three", "3");
    onnx_node(&b, "Slice", "range one three", "part", "");              /* 2 4 */
    onnx_node(&b, "ConstantOfShape", "one", "float_zero", "");
    onnx_node(&b, "Cast", "float_zero", "int_zero", "to=6");
    onnx_node(&b, "Add", "int_zero three", "last", "");                 /* 3 */
    onnx_node(&b, "Concat", "part last", "target", "axis=0");
    check_target(&b, "2x4x3");
}

/* What PyTorch writes for x.expand(n, -1, 4), -1 meaning "as it is": Where(Equal(shape, -1), ones, shape) in front of an Expand;
 * and a double in front of a Cast. */
static void expand_of_minus_one(void)
{
    onnx_builder b;
    oct_graph *graph = NULL;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "1,3,1");
    onnx_ints(&b, "want", "2,-1,4");
    onnx_ints(&b, "rank", "3");
    onnx_ints(&b, "minus", "-1");
    const int64_t one = 1;
    onnx_bytes tensor = onnx_tensor("", ONNX_INT64, "1", &one, sizeof one), value = onnx_tensor_attribute("value", &tensor);
    onnx_node_with(&b, "", "", "ConstantOfShape", "rank", "ones", &value);
    onnx_node(&b, "Equal", "want minus", "keep", "");
    onnx_node(&b, "Where", "keep ones want", "shape", "");
    onnx_node(&b, "Expand", "x shape", "e", "");
    const double half = 0.5;
    tensor = onnx_tensor("", ONNX_DOUBLE, "", &half, sizeof half);
    value = onnx_tensor_attribute("value", &tensor);
    onnx_node_with(&b, "", "", "Constant", "", "double", &value);
    onnx_node(&b, "Cast", "double", "float", "to=1");
    onnx_node(&b, "Mul", "e float", "y", "");
    onnx_output(&b, "y");
    onnx_bytes model = onnx_end(&b);
    CHECK_OK(import_bytes(&model, NULL, &graph));
    CHECK_MSG(!strcmp(graph_ops(graph), "mul mul") && !strcmp(output_shape(graph, 0), "2x3x4"), "%s", output_shape(graph, 0));
    CHECK(*(const float *)graph->values[graph->nodes[1].in[1]].data == 0.5f);
    oct_graph_free(graph);
}

/* What PyTorch's dynamo exporter writes for a batch normalisation with optimize=False: an integer or double constant that CastLike
 * turns into the type of the float it meets. */
static void constant_cast_like(void)
{
    onnx_builder b;
    oct_graph *graph = NULL;
    onnx_begin(&b, 18);
    onnx_input(&b, "x", "1,3");
    const double tiny = 0.25;
    onnx_bytes tensor = onnx_tensor("", ONNX_DOUBLE, "", &tiny, sizeof tiny), value = onnx_tensor_attribute("value", &tensor);
    onnx_node_with(&b, "", "", "Constant", "", "double", &value);
    onnx_floats(&b, "var", "3", (const float[]){1, 2, 3});
    onnx_node(&b, "CastLike", "double var", "eps", "");
    onnx_node(&b, "Add", "var eps", "v", "");
    onnx_node(&b, "Mul", "x v", "m", "");
    onnx_node(&b, "Constant", "", "two", "value_int=2");
    onnx_node(&b, "CastLike", "two m", "factor", ""); /* like something computed */
    onnx_node(&b, "Mul", "m factor", "y", "");
    onnx_output(&b, "y");
    onnx_bytes model = onnx_end(&b);
    CHECK_OK(import_bytes(&model, NULL, &graph));
    CHECK_MSG(!strcmp(graph_ops(graph), "mul mul"), "%s", graph_ops(graph));
    const float *v = graph->values[graph->nodes[0].in[1]].data;
    CHECK(v[0] == 1.25f && v[1] == 2.25f && v[2] == 3.25f);
    CHECK(*(const float *)graph->values[graph->nodes[1].in[1]].data == 2);
    oct_graph_free(graph);
}

/* A weight that is computed from initializers is as good as one. */
static void computed_weights(void)
{
    onnx_builder b;
    oct_graph *graph = NULL;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "2,3");
    onnx_floats(&b, "w", "2,3,2", NULL);
    onnx_floats(&b, "half", "", (const float[]){0.5f});
    onnx_ints(&b, "shape", "4,3");
    onnx_node(&b, "Transpose", "w", "wt", "perm=[0,2,1]");
    onnx_node(&b, "Reshape", "wt shape", "w2", "");
    onnx_node(&b, "Mul", "w2 half", "w3", "");
    onnx_node(&b, "Transpose", "w3", "w4", "");
    onnx_node(&b, "MatMul", "x w4", "y", "");
    onnx_output(&b, "y");
    onnx_bytes model = onnx_end(&b);
    CHECK_OK(import_bytes(&model, NULL, &graph));
    CHECK_MSG(!strcmp(graph_ops(graph), "dense"), "%s", graph_ops(graph));
    /* dense weight [n][k] = w4[k][n] = w3[n][k] = half * wt.flat[3 n + k] = half * w[n / 2][k][n % 2] */
    const float *weight = graph->values[graph->nodes[0].in[1]].data;
    for (int n = 0; n < 4; n++)
        for (int k = 0; k < 3; k++) {
            const int flat = (n / 2) * 6 + k * 2 + n % 2;
            CHECK(weight[n * 3 + k] == 0.5f * ((float)flat * 0.03125f - 1.25f));
        }
    oct_graph_free(graph);
}

static void conv_weights_are_turned(void)
{
    oct_graph *graph = NULL;
    onnx_bytes model = one_node_model(&(one_node){13, "Conv", "x:1,6,5,5 w=4,3,2,3", "y", "group=2 pads=[0,1,2,3] strides=[2,1]"});
    CHECK_OK(import_bytes(&model, NULL, &graph));
    const oct_node *conv = &graph->nodes[1];
    const oct_value *w = &graph->values[conv->in[OCT_IN_W]];
    const oct_conv_attrs *a = &conv->attrs.conv;
    CHECK(w->shape.dims[0] == 4 && w->shape.dims[1] == 2 && w->shape.dims[2] == 3 && w->shape.dims[3] == 3);
    for (int o = 0; o < 4; o++)
        for (int h = 0; h < 2; h++)
            for (int x = 0; x < 3; x++)
                for (int i = 0; i < 3; i++) {
                    const int flat = ((o * 3 + i) * 2 + h) * 3 + x;   /* OIHW */
                    CHECK(((const float *)w->data)[((o * 2 + h) * 3 + x) * 3 + i] == (float)flat * 0.03125f - 1.25f);
                }
    CHECK(a->groups == 2 && a->kernel[0] == 2 && a->kernel[1] == 3 && a->stride[0] == 2 && a->stride[1] == 1);
    CHECK(a->pad[0] == 0 && a->pad[1] == 1 && a->pad[2] == 2 && a->pad[3] == 3);
    oct_graph_free(graph);
}

/* y = x * m + a with m = s / sqrt(v + eps), a = b - mean * m. */
static void batchnorm_factors(void)
{
    onnx_builder b;
    oct_graph *graph = NULL;
    static const float s[2] = {2, 0}, bias[2] = {1, 5}, mean[2] = {3, 9}, variance[2] = {3.5f, 0};
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "1,2,3,3");
    onnx_floats(&b, "s", "2", s);
    onnx_floats(&b, "b", "2", bias);
    onnx_floats(&b, "m", "2", mean);
    onnx_floats(&b, "v", "2", variance);
    onnx_node(&b, "BatchNormalization", "x s b m v", "y", "epsilon=0.5");
    onnx_output(&b, "y");
    onnx_bytes model = onnx_end(&b);
    CHECK_OK(import_bytes(&model, NULL, &graph));
    const float *m = graph->values[graph->nodes[0].in[1]].data, *a = graph->values[graph->nodes[1].in[1]].data;
    CHECK(m[0] == 1 && a[0] == -2 && m[1] == 0 && a[1] == 5);
    CHECK(graph->values[graph->nodes[0].in[1]].shape.rank == 3);
    oct_graph_free(graph);
}

/* A graph input where a weight must be: the callback is asked, and the input is one no longer. */
typedef struct answer {
    oct_host_tensor tensor;
    int asked;
} answer;

static int give_weight(void *user, const char *name, const oct_host_tensor **tensor)
{
    answer *a = user;
    a->asked++;
    if (strcmp(name, "w"))
        return 0;
    *tensor = &a->tensor;
    return 1;
}

static void inputs_as_constants(void)
{
    static float data[12];
    answer a = {{"w", OCT_F32, {2, {3, 4}}, data}, 0};
    const oct_import_options options = {.constant = give_weight, .user = &a};
    onnx_builder b;
    oct_graph *graph = NULL;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "N,3");
    onnx_input(&b, "w", "3,4");
    onnx_node(&b, "Relu", "w", "before", "");      /* used as an ordinary value, before and after the node that needs it */
    onnx_node(&b, "Transpose", "w", "wt", "");
    onnx_node(&b, "Gemm", "x wt", "y", "transB=1");
    onnx_node(&b, "Add", "before w", "after", "");
    onnx_output(&b, "y");
    onnx_output(&b, "after");
    onnx_bytes model = onnx_end(&b);
    CHECK_OK(import_bytes(&model, &options, &graph));
    CHECK_MSG(a.asked == 1 && graph->input_count == 1, "asked %d, %d inputs", a.asked, graph->input_count);
    CHECK(!strcmp(graph->values[graph->inputs[0]].name, "x") && !strcmp(output_shape(graph, 0), "1x4"));
    oct_graph_free(graph);

    /* The wrong shape, the wrong type. */
    const one_node gemm = {13, "Conv", "x:1,3,4,4 w:4,3,1,1", "y", ""};
    model = one_node_model(&gemm);
    CHECK(import_bytes(&model, &options, &graph) == OCT_ERR_ARGUMENT && strstr(oct_error(), "\"w\"") && !graph);
    a.tensor.shape = (oct_shape){4, {4, 3, 1, 1}};
    a.tensor.dtype = OCT_S32;
    model = one_node_model(&gemm);
    CHECK(import_bytes(&model, &options, &graph) == OCT_ERR_ARGUMENT && strstr(oct_error(), "s32") && !graph);
    a.tensor.dtype = OCT_F32;
    model = one_node_model(&gemm);
    CHECK_OK(import_bytes(&model, &options, &graph));
    oct_graph_free(graph);
}

static void names_and_batch(void)
{
    onnx_builder b;
    oct_graph *graph = NULL;
    onnx_begin(&b, 13);
    onnx_input(&b, "in", "N,4");
    onnx_floats(&b, "w", "4,4", NULL);
    onnx_input(&b, "w", "4,4");                    /* an initializer that is listed as an input: old files do that */
    onnx_node_with(&b, "first", "ai.onnx", "MatMul", "in w", "hidden", NULL);
    onnx_node_with(&b, "second", "", "Relu", "hidden", "out", NULL);
    onnx_node_with(&b, "third", "", "Identity", "out", "again", NULL);
    onnx_output(&b, "out");
    onnx_output(&b, "again");
    onnx_output(&b, "in");
    onnx_bytes model = onnx_end(&b);
    const oct_import_options options = {.batch = 3};
    CHECK_OK(import_bytes(&model, &options, &graph));
    CHECK(graph->input_count == 1 && graph->values[graph->inputs[0]].shape.dims[0] == 3);
    CHECK(!strcmp(graph->nodes[0].name, "first") && !strcmp(graph->nodes[1].name, "second"));
    static const char *const want[] = {"out", "again", "in"};
    for (int i = 0; i < 3; i++)
        CHECK(!strcmp(graph->values[graph->outputs[i]].name, want[i]) && !strcmp(output_shape(graph, i), "3x4"));
    oct_graph_free(graph);
}

/* docs/ONNX.md names every operator of the tables. */
static void operators_are_documented(void)
{
    const oct_import_table *const tables[] = {&oct_import_spatial_ops, &oct_import_linear_ops,   &oct_import_math_ops,
                                              &oct_import_layout_ops,  &oct_import_constant_ops, &oct_import_quantized_ops,
                                              &oct_import_norm_ops};
    static char page[1 << 16];
    FILE *file = fopen("docs/ONNX.md", "rb");
    CHECK_MSG(file, "docs/ONNX.md is not there");
    page[fread(page, 1, sizeof page - 1, file)] = 0;
    fclose(file);
    for (int t = 0; t < TEST_COUNT(tables); t++)
        for (int r = 0; r < tables[t]->count; r++) {
            const char *op = tables[t]->rows[r].op, *at = page;
            bool found = false;
            while (!found && (at = strstr(at, op)) != NULL) {   /* as a word: blank or comma round it */
                found = at > page && at[-1] == ' ' && strchr(" ,", at[strlen(op)]);
                at++;
            }
            CHECK_MSG(found, "docs/ONNX.md does not name %s", op);
        }
}

static void real_models(void)
{
    static const char *const names[] = {"kws_fp32", "kws_tflite_fp32", "ic_fp32", "vww_fp32", "ad_fp32"};
    static const char *const shapes[] = {"1x12", "1x12", "1x10", "1x2", "1x640"};
    for (int i = 0; i < TEST_COUNT(names); i++) {
        char path[256];
        snprintf(path, sizeof path, "../shared/models/%s.onnx", names[i]);
        FILE *file = fopen(path, "rb");
        if (!file) {
            test_skip("%s is not there", path);
            return;
        }
        fclose(file);
        oct_graph *graph = NULL;
        CHECK_OK(oct_import_onnx(path, NULL, &graph));
        CHECK(!strcmp(output_shape(graph, 0), shapes[i]) && !strcmp(graph->values[graph->inputs[0]].name, "input"));
        oct_graph_free(graph);
    }
}

static const test_case cases[] = {
    {"convolutions", convolutions},
    {"pools", pools},
    {"products", products},
    {"element_functions", element_functions},
    {"reductions", reductions},
    {"layouts", layouts},
    {"integer_chains", integer_chains},
    {"arithmetic_on_shapes", arithmetic_on_shapes},
    {"expand_of_minus_one", expand_of_minus_one},
    {"constant_cast_like", constant_cast_like},
    {"computed_weights", computed_weights},
    {"conv_weights_are_turned", conv_weights_are_turned},
    {"batchnorm_factors", batchnorm_factors},
    {"inputs_as_constants", inputs_as_constants},
    {"names_and_batch", names_and_batch},
    {"operators_are_documented", operators_are_documented},
    {"real_models", real_models},
};

static void __attribute__((constructor)) add_suite(void) { test_register("import", cases, TEST_COUNT(cases)); }

/* Import of files that are damaged, contradict themselves, or ask for what octet cannot do: a clear sentence, never a crash. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "import_check.h"
#include "import_onnx.h"

/* ---------------------------------------------------------------------------------------------- damage ---- */

/* Every construct the parser knows, in a few hundred bytes. */
static onnx_bytes rich_model(void)
{
    onnx_builder b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "N,2,4,4");
    onnx_floats(&b, "w", "2,2,3,3", NULL);
    onnx_bytes bias = {0};
    onnx_put_int(&bias, 1, 2);
    onnx_put_int(&bias, 2, ONNX_FLOAT);
    onnx_put_text(&bias, 8, "b");
    onnx_put_data(&bias, 4, "\0\0\200\077\0\0\0\100", 8);   /* packed 1, 2 */
    onnx_put_message(&b.graph, 5, &bias);
    onnx_ints(&b, "shape", "0,-1");
    const float number = 0.5f;
    onnx_bytes half = onnx_tensor("", ONNX_FLOAT, "", &number, sizeof number);
    onnx_bytes value = onnx_tensor_attribute("value", &half);
    onnx_node(&b, "Conv", "x w b", "c", "pads=[1,1,1,1] auto_pad=NOTSET");
    onnx_node_with(&b, "half", "", "Constant", "", "h", &value);
    onnx_node(&b, "Mul", "c h", "m", "");
    onnx_node(&b, "LeakyRelu", "m", "r", "alpha=0.5");
    onnx_node(&b, "MaxPool", "r", "p", "kernel_shape=[2,2] strides=[2,2]");
    onnx_node(&b, "Reshape", "p shape", "f", "");
    onnx_node(&b, "Softmax", "f", "y", "axis=-1");
    onnx_output(&b, "y");
    return onnx_end(&b);
}

/* Imports; a failure must have left a sentence and no graph. */
static bool import_quietly(const void *bytes, size_t size, oct_status *status)
{
    oct_graph *graph = NULL;
    *status = oct_import_onnx_memory("test.onnx", NULL, bytes, size, NULL, &graph);
    const bool fine = *status == OCT_OK ? graph != NULL && oct_graph_check(graph) == OCT_OK : graph == NULL && *oct_error();
    oct_graph_free(graph);
    return fine;
}

/* Cut at every byte, in a block of exactly that size, so that a sanitizer sees a read beyond. */
static void cut_at_every_byte(void)
{
    onnx_bytes model = rich_model();
    oct_status status = OCT_OK;
    CHECK(import_quietly(model.data, model.size, &status) && status == OCT_OK);
    for (size_t size = 0; size < model.size; size++) {
        uint8_t *copy = malloc(size + (size == 0));
        if (!copy)
            abort();
        memcpy(copy, model.data, size);
        const bool fine = import_quietly(copy, size, &status);
        free(copy);
        CHECK_MSG(fine && status == OCT_ERR_FORMAT, "cut at %zu: status %d", size, (int)status);
    }
    free(model.data);
}

/* Every byte with each bit flipped, and with the values that lengths like to be broken by. */
static void every_byte_flipped(void)
{
    onnx_bytes model = rich_model();
    static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};
    for (size_t at = 0; at < model.size; at++) {
        const uint8_t old = model.data[at];
        oct_status status;
        for (int i = 0; i < 8 + TEST_COUNT(values); i++) {
            model.data[at] = (uint8_t)(i < 8 ? old ^ 1u << i : values[i - 8]);
            CHECK_MSG(import_quietly(model.data, model.size, &status), "byte %zu, change %d", at, i);
        }
        model.data[at] = old;
    }
    free(model.data);
}

/* Several bytes at once, from the seed. */
static void random_damage(void)
{
    onnx_bytes model = rich_model();
    uint8_t *copy = malloc(model.size);
    if (!copy)
        abort();
    for (int round = 0; round < 3000; round++) {
        oct_status status;
        memcpy(copy, model.data, model.size);
        for (uint32_t i = 0; i <= test_below(6); i++)
            copy[test_below((uint32_t)model.size)] = (uint8_t)test_below(256);
        CHECK_MSG(import_quietly(copy, model.size, &status), "round %d", round);
    }
    free(copy);
    free(model.data);
}

static void expect_failure(const void *bytes, size_t size, oct_status want, const char *sentence)
{
    oct_status status;
    const bool fine = import_quietly(bytes, size, &status);
    CHECK_MSG(fine && status == want && strstr(oct_error(), sentence), "status %d, \"%s\"; expected %d, \"%s\"", (int)status,
              oct_error(), (int)want, sentence);
}

static void wire_damage(void)
{
    static const struct { const char *bytes; size_t size; const char *sentence; } list[] = {
        {"", 0, "no graph"},
        {"\x3a", 1, "cut short"},                                               /* a key without a payload */
        {"\x3a\x05", 2, "byte 1: a length of 5 bytes, but 0 are left"},
        {"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, "a length of 18446744073709551615"},
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 11, "more than 64 bits"},
        {"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12, "more than 64 bits"},
        {"\x08\x80", 2, "byte 1: a number is cut short"},
        {"\x00\x00", 2, "byte 0: bad field number 0"},
        {"OCTETNN\n", 8, "is a .oct model already"},
        {"\x0b", 1, "unknown wire type 3; is this an ONNX file?"},
        {"\x0f\x00", 2, "unknown wire type 7"},
        {"\x0d\x01\x02", 3, "cut short"},
        {"\x38\x01", 2, "ModelProto.graph has wire type 0 instead of 2"},
        {"\x3a\x00\x3a\x00", 4, "a second graph"},
        {"\x3a\x00", 2, "does not say which opset"},
        {"\x3a\x03\x0a\x01\x0a", 5, "cut short"},                               /* a node that breaks off */
    };
    for (int i = 0; i < TEST_COUNT(list) && !test_failed(); i++)
        expect_failure(list[i].bytes, list[i].size, OCT_ERR_FORMAT, list[i].sentence);
}

/* A tensor that claims far more than the file has must not cause a large allocation (a sanitizer would refuse it). */
static void huge_claims(void)
{
    static const char *const dims[] = {"1099511627776", "1048576,1048576", "9223372036854775807,9223372036854775807", "-1",
                                       "0,9223372036854775807"};
    for (int i = 0; i < TEST_COUNT(dims) && !test_failed(); i++) {
        onnx_builder b;
        onnx_begin(&b, 13);
        onnx_input(&b, "x", "1,4");
        onnx_bytes tensor = onnx_tensor("w", ONNX_FLOAT, dims[i], "12345678", 8);
        onnx_put_message(&b.graph, 5, &tensor);
        onnx_node(&b, "Add", "x w", "y", "");
        onnx_output(&b, "y");
        onnx_bytes model = onnx_end(&b);
        expect_failure(model.data, model.size, OCT_ERR_FORMAT, "tensor \"w\"");
        free(model.data);
    }
}

/* Constants that double at every node must hit the budget, not the machine's memory. */
static void growing_constants(void)
{
    onnx_builder b;
    char from[16], to[16], inputs[40];
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "1,4");
    onnx_floats(&b, "c0", "4", NULL);
    for (int i = 0; i < 40; i++) {
        snprintf(from, sizeof from, "c%d", i);
        snprintf(to, sizeof to, "c%d", i + 1);
        snprintf(inputs, sizeof inputs, "%s %s", from, from);
        onnx_node(&b, "Concat", inputs, to, "axis=0");
    }
    onnx_node(&b, "Add", "x c40", "y", "");
    onnx_output(&b, "y");
    onnx_bytes model = onnx_end(&b);
    expect_failure(model.data, model.size, OCT_ERR_UNSUPPORTED, "out of proportion");
    free(model.data);
}

/* -------------------------------------------------------------------------------------------- refusals ---- */

typedef struct bad {
    one_node node;
    oct_status status;
    const char *sentence;
} bad;

static void check_bad(const bad *list, int count)
{
    for (int i = 0; i < count && !test_failed(); i++) {
        onnx_bytes model = one_node_model(&list[i].node);
        expect_failure(model.data, model.size, list[i].status, list[i].sentence);
        if (test_failed())
            printf(" (row %d, %s)", i, list[i].node.op);
        free(model.data);
    }
}

static void what_octet_does_not_know(void)
{
    static const bad list[] = {
        {{13, "LSTM", "x:1,2,3", "y", ""}, OCT_ERR_UNSUPPORTED, "node \"y\" (LSTM): the operator is not supported"},
        {{13, "QuantizeLinear", "x:1,2 s=", "y", ""}, OCT_ERR_UNSUPPORTED, "the scale \"s\" has the element -1.25"},
        {{13, "If", "x:1,2", "y", ""}, OCT_ERR_UNSUPPORTED, "subgraphs"},
        {{13, "Gelu", "x:1,2", "y", ""}, OCT_ERR_UNSUPPORTED, "from opset 20 on"},
        {{6, "Add", "x:1,2 z:1,2", "y", ""}, OCT_ERR_UNSUPPORTED, "from opset 7 on"},
        {{22, "Relu", "x:1,2", "y", ""}, OCT_ERR_UNSUPPORTED, "opset 22 is not supported"},
        {{13, "Relu", "x:1,2", "y", "slope=1"}, OCT_ERR_UNSUPPORTED, "unknown attribute \"slope\"; supported: none"},
        {{13, "Conv", "x:1,2,3,3 w=2,2,1,1", "y", "groups=1"},
         OCT_ERR_UNSUPPORTED,
         "unknown attribute \"groups\"; supported: auto_pad:s"},
        {{13, "Conv", "x:1,2,3,3 w=2,2,1,1", "y", "group=1.0"}, OCT_ERR_FORMAT, "attribute \"group\" is of the wrong type"},
        {{13, "Conv", "x:1,2,3,3 w=2,2,1,1", "y", "group=1 group=1"}, OCT_ERR_FORMAT, "given twice"},
        {{13, "Conv", "x:1,2,3,3 w=2,2,1,1", "y", "auto_pad=BOTH"}, OCT_ERR_FORMAT, "SAME_UPPER, SAME_LOWER, VALID"},
        {{13, "Conv", "x:1,2,3,3,3 w=2,2,1,1,1", "y", ""}, OCT_ERR_UNSUPPORTED, "a convolution over 3 axes"},
        {{13, "Conv", "x:1,2,3,3 w:2,2,1,1", "y", ""}, OCT_ERR_UNSUPPORTED, "input 1 (\"w\") must be a constant"},
        {{13, "MaxPool", "x:1,2,3,3 ", "y z", "kernel_shape=[2,2]"}, OCT_ERR_UNSUPPORTED, "output 1 (\"z\") is not supported"},
        {{13, "Dropout", "x:1,2", "y z", ""}, OCT_ERR_UNSUPPORTED, "output 1 (\"z\") is not supported"},
        {{9, "BatchNormalization", "x:1,2,3 s=2 b=2 m=2 v=2", "y n", ""}, OCT_ERR_UNSUPPORTED, "output 1"},
        {{7, "BatchNormalization", "x:1,2,3 s=2 b=2 m=2 v=2", "y", "spatial=0"}, OCT_ERR_UNSUPPORTED, "spatial 0"},
        {{20, "Gelu", "x:1,2", "y", "approximate=sinh"}, OCT_ERR_UNSUPPORTED, "approximate \"sinh\""},
        {{19, "Pad", "x:1,2 p#0,1,0,0", "y", "mode=wrap"}, OCT_ERR_UNSUPPORTED, "constant, reflect and edge"},
        {{13, "Cast", "x:1,2", "y", "to=7"}, OCT_ERR_UNSUPPORTED, "a cast of computed floats to int64"},
        {{18, "CastLike", "x:1,2 b#1", "y", ""}, OCT_ERR_UNSUPPORTED, "an operand that is not float"},
        {{13, "Cast", "x:1,2", "y", "to=11"}, OCT_ERR_UNSUPPORTED, "a cast to double"},
        {{13, "Floor", "x:1,2", "y", ""}, OCT_ERR_UNSUPPORTED, "must be a constant"},
        {{13, "Add", "x:1,2 b#1,2", "y", ""}, OCT_ERR_UNSUPPORTED, "integers (\"b\") meet floats"},
        {{13, "MaxPool", "x:1,0,4,4", "y", "kernel_shape=[2,2]"}, OCT_ERR_UNSUPPORTED, "input 0 of shape 1x4x4x0 has no elements"},
        {{13, "Conv", "x:0,2,3,3 w=2,2,1,1", "y", ""}, OCT_ERR_UNSUPPORTED, "input 0 of shape 0x3x3x2 has no elements"},
        {{13, "MatMul", "x:2,0 z:0,3", "y", ""}, OCT_ERR_UNSUPPORTED, "input 0 of shape 2x0 has no elements"},
        {{13, "ReduceMean", "x:4,0", "y", "axes=[0]"}, OCT_ERR_UNSUPPORTED, "input 0 of shape 4x0 has no elements"},
        {{13, "Softmax", "x:4,0", "y", ""}, OCT_ERR_UNSUPPORTED, "input 0 of shape 4x0 has no elements"},
        {{13, "Resize", "x:1,2,0,4 - - s#1,2,8,8", "y", ""}, OCT_ERR_UNSUPPORTED, "input 0 of shape 1x0x4x2 has no elements"},
        {{13, "Shape", "x:4,4", "y", ""}, OCT_ERR_UNSUPPORTED, "output \"y\" is of type int64"},
        {{13, "Relu", "x:4,height", "y", ""}, OCT_ERR_UNSUPPORTED, "input \"x\": dimension 1 (\"height\") is unknown"},
        {{13, "Relu", "x:0,1048576,1048576,2", "y", ""}, OCT_ERR_UNSUPPORTED, "too many elements"},
        {{13, "Relu", "x:1,1048576,1048576,2", "y", ""}, OCT_ERR_UNSUPPORTED, "too many elements"},
        {{13, "Relu", "x:1,1,1,1,1,1,1,1,1", "y", ""}, OCT_ERR_UNSUPPORTED, "more than 8 dimensions"},
    };
    check_bad(list, TEST_COUNT(list));
}

static void what_makes_no_sense(void)
{
    static const bad list[] = {
        {{13, "Relu", "x:1,2 z:1,2", "y", ""}, OCT_ERR_FORMAT, "it has 2 inputs"},
        {{13, "Relu", "-", "y", ""}, OCT_ERR_FORMAT, "input 0 is missing"},
        {{13, "LeakyRelu", "x:1,2", "y", "alpha=-nan."}, OCT_ERR_FORMAT, "a parameter of leakyrelu is NaN"},
        {{13, "Relu", "x:1,2", "y z", ""}, OCT_ERR_FORMAT, "it has 2 outputs"},
        {{13, "Relu", "nobody", "y", ""}, OCT_ERR_FORMAT, "\"nobody\" is neither an input nor an initializer"},
        {{13, "Add", "x:2,3 b=4", "y", ""}, OCT_ERR_FORMAT, "cannot be broadcast"},
        {{13, "Conv", "x:1,2,3,3 w=4,3,1,1", "y", ""},
         OCT_ERR_FORMAT,
         "input 1x2x3x3 and weights 4x3x1x1 do not fit with 1 groups"},
        {{13, "Conv", "x:1,4,3,3 w=3,2,1,1", "y", "group=2"}, OCT_ERR_FORMAT, "do not fit with 2 groups"},
        {{13, "Conv", "x:1,4,3,3 w=3,4,1,1", "y", "group=0"}, OCT_ERR_FORMAT, "do not fit with 0 groups"},
        {{13, "Conv", "x:1,4,3,3 w=3,4,1,1 b=2", "y", ""}, OCT_ERR_FORMAT, "the bias must have 3 elements"},
        {{13, "Conv", "x:1,2,3,3 w=2,2,5,5", "y", ""}, OCT_ERR_FORMAT, "does not fit"},
        {{13, "Conv", "x:1,2,3,3 w=2,2,1,1", "y", "kernel_shape=[2,2]"}, OCT_ERR_FORMAT, "kernel_shape says 2, the weights say 1"},
        {{13, "Conv", "x:1,2,3,3 w=2,2,1,1", "y", "strides=[1]"}, OCT_ERR_FORMAT, "strides has 1 entries instead of 2"},
        {{13, "Conv", "x:1,2,3,3 w=2,2,1,1", "y", "strides=[0,1]"}, OCT_ERR_UNSUPPORTED, "attribute strides: 0"},
        {{13, "Conv", "x:1,2,3,3 w=2,2,1,1", "y", "pads=[0,-1,0,0]"}, OCT_ERR_UNSUPPORTED, "attribute pads: -1"},
        {{13, "Conv", "x:1,2,3 w=2,2,1,1", "y", ""}, OCT_ERR_FORMAT, "same number of dimensions"},
        {{13, "MaxPool", "x:1,2,3,3", "y", ""}, OCT_ERR_FORMAT, "kernel_shape is missing"},
        {{13, "MaxPool", "x:1,2,3,3", "y", "kernel_shape=[2,2] pads=[2,0,0,0]"}, OCT_ERR_FORMAT, "padding only"},
        {{13, "MaxPool", "x:1,2,3,3", "y", "kernel_shape=[2,2] ceil_mode=2"}, OCT_ERR_FORMAT, "ceil_mode is 2; it must be 0 or 1"},
        {{13, "MaxPool", "x:3,3", "y", "kernel_shape=[2]"}, OCT_ERR_UNSUPPORTED, "over 1, 2 or 3 axes"},
        {{13, "Gemm", "x:2,3 w=4,4", "y", ""}, OCT_ERR_FORMAT, "weights"},
        {{13, "Gemm", "x:2,3,4 w=4,4", "y", ""}, OCT_ERR_FORMAT, "must be matrices"},
        {{13, "Gemm", "x:2,3 w=3,4 c=3,2,4", "y", ""}, OCT_ERR_FORMAT, "C of shape 3x2x4 cannot be broadcast to 2x4"},
        {{13, "MatMul", "x:2,3 w=4,4", "y", ""}, OCT_ERR_FORMAT, "2x3 times 4x4 is no product"},
        {{13, "MatMul", "x: w=4,4", "y", ""}, OCT_ERR_FORMAT, "is no product"},
        {{13, "MatMul", "x:2,2,3 w:3,3,4", "y", ""}, OCT_ERR_FORMAT, "is no product"},
        {{13, "BatchNormalization", "x:1,2,3 s=2 b=3 m=2 v=2", "y", ""},
         OCT_ERR_FORMAT,
         "input 2 must hold one number for each of the 2"},
        {{13, "PRelu", "x:3 s=2,3", "y", ""}, OCT_ERR_FORMAT, "slope"},
        {{13, "Clip", "x:3 s=2", "y", ""}, OCT_ERR_FORMAT, "one element"},
        {{13, "ReduceSum", "x:3,4 a#2", "y", ""}, OCT_ERR_FORMAT, "axis 2 outside rank 2"},
        {{13, "ReduceSum", "x:3,4 a=1", "y", ""}, OCT_ERR_FORMAT, "must be a list of integers"},
        {{13, "Softmax", "x:3,4", "y", "axis=2"}, OCT_ERR_FORMAT, "axis 2 outside rank 2"},
        {{13, "Reshape", "x:3,4 s#5,-1", "y", ""}, OCT_ERR_FORMAT, "3x4 cannot be reshaped to 5x2"},
        {{13, "Reshape", "x:3,4 s#-1,-1", "y", ""}, OCT_ERR_FORMAT, "dimension 1 of the shape is -1"},
        {{13, "Reshape", "x:3,4 s#3,4,0", "y", ""}, OCT_ERR_FORMAT, "dimension 2 of the shape is 0"},
        {{13, "Reshape", "x:3,4 s#-2", "y", ""}, OCT_ERR_FORMAT, "dimension 0 of the shape is -2"},
        {{13, "Reshape", "x:3,4 s#1048576,1048576,1048576", "y", ""}, OCT_ERR_FORMAT, "too many elements"},
        {{13, "Transpose", "x:3,4", "y", "perm=[0,0]"}, OCT_ERR_FORMAT, "no permutation"},
        {{13, "Transpose", "x:3,4", "y", "perm=[0]"}, OCT_ERR_FORMAT, "perm has 1 entries"},
        {{13, "Concat", "x:3,4 b=3,3", "y", "axis=0"}, OCT_ERR_FORMAT, "more than axis 0"},
        {{13, "Concat", "x:3,4 b=3,4", "y", ""}, OCT_ERR_FORMAT, "axis is missing"},
        {{13, "Squeeze", "x:3,1 a#0", "y", ""}, OCT_ERR_FORMAT, "cannot be squeezed"},
        {{13, "Unsqueeze", "x:3,1 a#0,0", "y", ""}, OCT_ERR_FORMAT, "listed twice"},
        {{13, "Slice", "x:3,3 s#0 e#1 a#0,1", "y", ""}, OCT_ERR_FORMAT, "different lengths"},
        {{13, "Slice", "x:3,3 s#0 e#1 a#0 t#0", "y", ""}, OCT_ERR_FORMAT, "a step of 0"},
        {{13, "Split", "x:3,3", "y z", ""}, OCT_ERR_FORMAT, "3 elements do not make 2 equal parts"},
        {{13, "Split", "x:3,3 s#1,1", "y z", ""}, OCT_ERR_FORMAT, "the parts leave 1 of 3"},
        {{13, "Pad", "x:3,3 p#1,1", "y", ""}, OCT_ERR_FORMAT, "2 pads for 2 axes"},
        {{13, "Pad", "x:3,3 p#0,3,0,0", "y", "mode=reflect"}, OCT_ERR_FORMAT, "reflection"},
        {{13, "Gather", "x:3,3 i#3", "y", ""}, OCT_ERR_FORMAT, "index 3 outside the 3 elements"},
    };
    check_bad(list, TEST_COUNT(list));
}

/* ---- models that are wrong as a whole ---- */

static void finish(onnx_builder *b, oct_status status, const char *sentence)
{
    onnx_bytes model = onnx_end(b);
    expect_failure(model.data, model.size, status, sentence);
    free(model.data);
}

static void wrong_names(void)
{
    onnx_builder b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "1,4");
    onnx_node(&b, "Relu", "later", "y", "");
    onnx_node(&b, "Relu", "x", "later", "");
    onnx_output(&b, "y");
    finish(&b, OCT_ERR_FORMAT, "\"later\" is used before it is computed");
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "1,4");
    onnx_node(&b, "Relu", "x", "y", "");
    onnx_node(&b, "Tanh", "x", "y", "");
    onnx_output(&b, "y");
    finish(&b, OCT_ERR_FORMAT, "\"y\" is defined twice");
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "1,4");
    onnx_node(&b, "Relu", "x", "x", "");
    onnx_output(&b, "x");
    finish(&b, OCT_ERR_FORMAT, "\"x\" is defined twice");
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "1,4");
    onnx_input(&b, "x", "1,4");
    onnx_output(&b, "x");
    finish(&b, OCT_ERR_FORMAT, "\"x\" is defined twice");
    onnx_begin(&b, 13);
    onnx_floats(&b, "w", "4", NULL);
    onnx_floats(&b, "w", "4", NULL);
    onnx_output(&b, "w");
    finish(&b, OCT_ERR_FORMAT, "\"w\" is defined twice");
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "1,4");
    onnx_output(&b, "y");
    finish(&b, OCT_ERR_FORMAT, "\"y\" is neither");
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "1,4");
    finish(&b, OCT_ERR_FORMAT, "the graph has no output");
}

static void wrong_types(void)
{
    static const struct { int type; const char *name;
    } inputs[] = {{ONNX_DOUBLE, "double"}, {ONNX_FLOAT16, "float16"}, {ONNX_INT64, "int64"},
                  {ONNX_UINT8, "uint8"},   {ONNX_BOOL, "bool"},       {99, "unknown"}};
    onnx_builder b;
    char sentence[64];
    for (int i = 0; i < TEST_COUNT(inputs) && !test_failed(); i++) {
        onnx_begin(&b, 13);
        onnx_input_typed(&b, "x", inputs[i].type, "1,4");
        onnx_node(&b, "Relu", "x", "y", "");
        onnx_output(&b, "y");
        snprintf(sentence, sizeof sentence, inputs[i].type == ONNX_UINT8 ? "(\"x\") is of type %s" : "input \"x\" is of type %s",
                 inputs[i].name);
        finish(&b, OCT_ERR_UNSUPPORTED, sentence);
        onnx_begin(&b, 13);
        onnx_input(&b, "x", "1,1");
        onnx_bytes tensor =
            onnx_tensor("w", inputs[i].type, "1", "12345678", inputs[i].type == ONNX_UINT8 || inputs[i].type == ONNX_BOOL ? 1 : 8);
        onnx_put_message(&b.graph, 5, &tensor);
        onnx_node(&b, "Add", "x w", "y", "");
        onnx_output(&b, "y");
        const bool integer = inputs[i].type == ONNX_INT64 || inputs[i].type == ONNX_BOOL;
        snprintf(sentence, sizeof sentence,
                 integer                        ? "integers (\"w\")"
                 : inputs[i].type == ONNX_UINT8 ? "(\"w\") is of type %s"
                                                : "\"w\" is of type %s",
                 inputs[i].name);
        finish(&b, OCT_ERR_UNSUPPORTED, sentence);
    }
    onnx_begin(&b, 13);
    onnx_input(&b, "x", NULL);
    onnx_output(&b, "x");
    finish(&b, OCT_ERR_UNSUPPORTED, "input \"x\" has no shape");
    onnx_begin(&b, 13);
    onnx_bytes info = {0}, sequence = {0}, element = {0};
    onnx_put(&element, "", 0);
    onnx_put_message(&sequence, 4, &element);
    onnx_put_text(&info, 1, "x");
    onnx_put_message(&info, 2, &sequence);
    onnx_put_message(&b.graph, 11, &info);
    onnx_output(&b, "x");
    finish(&b, OCT_ERR_UNSUPPORTED, "input \"x\" is of kind sequence");
}

static void foreign_domains(void)
{
    onnx_builder b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "1,4");
    onnx_node_with(&b, "n", "com.microsoft", "Gelu", "x", "y", NULL);
    onnx_output(&b, "y");
    finish(&b, OCT_ERR_UNSUPPORTED, "node \"n\" (Gelu): the operator's domain \"com.microsoft\"");
    onnx_begin(&b, 13);
    onnx_bytes sparse = {0};
    onnx_put(&sparse, "", 0);
    onnx_put_message(&b.graph, 15, &sparse);
    finish(&b, OCT_ERR_UNSUPPORTED, "sparse");
    /* A subgraph where an attribute should be. */
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "1,4");
    onnx_bytes attribute = {0}, graph = {0};
    onnx_put(&graph, "", 0);
    onnx_put_text(&attribute, 1, "alpha");
    onnx_put_message(&attribute, 6, &graph);
    onnx_put_int(&attribute, 20, 5);
    onnx_node_with(&b, "n", "", "LeakyRelu", "x", "y", &attribute);
    onnx_output(&b, "y");
    finish(&b, OCT_ERR_FORMAT, "attribute \"alpha\" is of the wrong type 5");
}

static void wrong_calls(void)
{
    oct_graph *graph = NULL;
    onnx_bytes model = rich_model();
    const oct_import_options negative = {.batch = -1};
    CHECK(oct_import_onnx(NULL, NULL, &graph) == OCT_ERR_ARGUMENT && oct_import_onnx("x", NULL, NULL) == OCT_ERR_ARGUMENT);
    CHECK(oct_import_onnx("no-such-file.onnx", NULL, &graph) == OCT_ERR_IO && !graph && strstr(oct_error(), "no-such-file.onnx"));
    CHECK(oct_import_onnx(".", NULL, &graph) == OCT_ERR_IO && strstr(oct_error(), "not a regular file"));
    CHECK(oct_import_onnx_memory("m", NULL, model.data, model.size, &negative, &graph) == OCT_ERR_ARGUMENT && !graph);
    free(model.data);
}

static const test_case cases[] = {
    {"cut_at_every_byte", cut_at_every_byte},
    {"every_byte_flipped", every_byte_flipped},
    {"random_damage", random_damage},
    {"wire_damage", wire_damage},
    {"huge_claims", huge_claims},
    {"growing_constants", growing_constants},
    {"what_octet_does_not_know", what_octet_does_not_know},
    {"what_makes_no_sense", what_makes_no_sense},
    {"wrong_names", wrong_names},
    {"wrong_types", wrong_types},
    {"foreign_domains", foreign_domains},
    {"wrong_calls", wrong_calls},
};

static void __attribute__((constructor)) add_suite(void) { test_register("import_broken", cases, TEST_COUNT(cases)); }

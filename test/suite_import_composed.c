/* Operators that the import composes of several graph nodes: ConvTranspose, DepthToSpace, the normalisations and the like, against
 * their definitions in double, with random shapes. As imported and optimised. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert_tools.h"
#include "harness.h"
#include "import_check.h"

static int between(int lo, int hi) { return lo + (int)test_below((uint32_t)(hi - lo + 1)); }

/* What a definition needs to know: input 0 is x, `want(arg, i)` is element i of the output. */
typedef double definition(const void *arg, const float *x, int64_t i);

/* Runs the model both ways on random numbers and compares every element. */
static void check_model(onnx_bytes *model, definition *want, const void *arg, int64_t count, const char *what)
{
    oct_graph *graph = NULL;
    if (import_bytes(model, NULL, &graph) != OCT_OK) {
        test_fail(__FILE__, __LINE__, "%s: %s", what, oct_error());
        return;
    }
    float **inputs = net_random_inputs(graph, -2, 2);
    for (int optimised = 0; optimised < 2 && !test_failed(); optimised++) {
        size_t elements = 0;
        if (optimised && oct_optimize(graph, NULL) != OCT_OK)
            test_fail(__FILE__, __LINE__, "%s: %s", what, oct_error());
        float *have = net_run(graph, inputs, &elements);
        if (have && (int64_t)elements != count)
            test_fail(__FILE__, __LINE__, "%s: %zu elements instead of %lld", what, elements, (long long)count);
        for (int64_t i = 0; have && i < count && !test_failed(); i++) {
            const double expected = want(arg, inputs[0], i);
            if (!(fabs((double)have[i] - expected) <= 2e-5 * (1 + fabs(expected))))
                test_fail(__FILE__, __LINE__, "%s: [%lld] is %g instead of %g", what, (long long)i, (double)have[i], expected);
        }
        free(have);
    }
    net_free_inputs(graph, inputs);
    oct_graph_free(graph);
}

/* ------------------------------------------------------------------------------------------ ConvTranspose ---- */

typedef struct transposed {
    int axes, batch, groups, in_c, out_c;   /* channels per group */
    int in[2], out[2], kernel[2], stride[2], dilation[2], begin[2], end[2], extra[2];
    float w[4096], bias[16];
} transposed;

/* Which input element adds tap k to output o along one axis; -1 if none does. */
static int source(const transposed *t, int axis, int o, int k)
{
    const int at = o + t->begin[axis] - k * t->dilation[axis];
    return at >= 0 && at % t->stride[axis] == 0 && at / t->stride[axis] < t->in[axis] ? at / t->stride[axis] : -1;
}

static double transposed_at(const void *arg, const float *x, int64_t i)
{
    const transposed *t = arg;
    const int rows = t->axes == 2 ? t->out[0] : 1, columns = t->out[t->axes - 1], last = t->axes - 1,
              channels = t->groups * t->out_c;
    const int column = (int)(i % columns), row = (int)(i / columns % rows), channel = (int)(i / columns / rows % channels);
    const int n = (int)(i / columns / rows / channels), group = channel / t->out_c;
    const int kh = t->axes == 2 ? t->kernel[0] : 1, kw = t->kernel[last], h = t->axes == 2 ? t->in[0] : 1;
    double sum = (double)t->bias[channel];
    for (int c = group * t->in_c; c < (group + 1) * t->in_c; c++)
        for (int k = 0; k < kh * kw; k++) {
            const int y = t->axes == 2 ? source(t, 0, row, k / kw) : 0, z = source(t, last, column, k % kw);
            if (y >= 0 && z >= 0)
                sum += (double)x[((n * t->groups * t->in_c + c) * h + y) * t->in[last] + z] *
                       (double)t->w[(c * t->out_c + channel % t->out_c) * kh * kw + k];
        }
    return sum;
}

static void random_transposed(transposed *t)
{
    *t = (transposed){
        .axes = between(1, 2), .batch = between(1, 2), .groups = between(1, 3), .in_c = between(1, 3), .out_c = between(1, 3)};
    for (int i = 0; i < t->axes; i++) {
        do {
            t->in[i] = between(1, 5);
            t->kernel[i] = between(1, 4);
            t->stride[i] = between(1, 3);
            t->dilation[i] = between(1, 2);
            t->begin[i] = between(0, 3);
            t->end[i] = between(0, 3);
            t->extra[i] = between(0, t->stride[i] - 1);
            t->out[i] =
                t->stride[i] * (t->in[i] - 1) + 1 + t->dilation[i] * (t->kernel[i] - 1) - t->begin[i] - t->end[i] + t->extra[i];
        } while (t->out[i] < 1);
    }
    for (int i = 0; i < TEST_COUNT(t->w); i++)
        t->w[i] = test_uniform(-1, 1);
    for (int i = 0; i < TEST_COUNT(t->bias); i++)
        t->bias[i] = test_uniform(-1, 1);
}

/* "[a,b]" or "[a]", and with `more` behind. */
static void list_text(char *text, size_t room, const char *name, const int *list, int count, const int *more)
{
    size_t used = strlen(text);
    used += (size_t)snprintf(text + used, room - used, "%s%s=[", used ? " " : "", name);
    for (int i = 0; i < (more ? 2 : 1) * count; i++)
        used += (size_t)snprintf(text + used, room - used, "%s%d", i ? "," : "", i < count ? list[i] : more[i - count]);
    snprintf(text + used, room - used, "]");
}

static void conv_transpose_by_definition(void)
{
    transposed *t = malloc(sizeof *t);
    for (int round = 0; t && round < 60 && !test_failed(); round++) {
        char attributes[300] = "", dims[64], w[64], count[16];
        onnx_builder b;
        random_transposed(t);
        list_text(attributes, sizeof attributes, "strides", t->stride, t->axes, NULL);
        list_text(attributes, sizeof attributes, "dilations", t->dilation, t->axes, NULL);
        list_text(attributes, sizeof attributes, "pads", t->begin, t->axes, t->end);
        list_text(attributes, sizeof attributes, "output_padding", t->extra, t->axes, NULL);
        snprintf(attributes + strlen(attributes), 20, " group=%d", t->groups);
        const int h = t->in[0], last = t->axes - 1;
        snprintf(dims, sizeof dims, t->axes == 2 ? "%d,%d,%d,%d" : "%d,%d,%d", t->batch, t->groups * t->in_c, h, t->in[last]);
        snprintf(w, sizeof w, t->axes == 2 ? "%d,%d,%d,%d" : "%d,%d,%d", t->groups * t->in_c, t->out_c, t->kernel[0],
                 t->kernel[last]);
        snprintf(count, sizeof count, "%d", t->groups * t->out_c);
        onnx_begin(&b, 11);
        onnx_input(&b, "x", dims);
        onnx_floats(&b, "w", w, t->w);
        onnx_floats(&b, "b", count, t->bias);
        onnx_node(&b, "ConvTranspose", "x w b", "y", attributes);
        onnx_output(&b, "y");
        onnx_bytes model = onnx_end(&b);
        check_model(&model, transposed_at, t, (int64_t)t->batch * t->groups * t->out_c * t->out[0] * (t->axes == 2 ? t->out[1] : 1),
                    attributes);
    }
    free(t);
}

/* ------------------------------------------------------------------------------------------------- blocks ---- */

/* n, c, h, w of the output, and the block. */
typedef struct blocks {
    int c, h, w, block;
    bool crd, to_depth;
} blocks;

static double block_at(const void *arg, const float *x, int64_t i)
{
    const blocks *s = arg;
    const int b = s->block, w = (int)(i % s->w), h = (int)(i / s->w % s->h), c = (int)(i / s->w / s->h % s->c),
              n = (int)(i / s->w / s->h / s->c);
    if (s->to_depth) {
        const int in_c = s->c / b / b, from = c % in_c, place = c / in_c;
        return (double)x[((n * in_c + from) * s->h * b + h * b + place / b) * s->w * b + w * b + place % b];
    }
    const int place = h % b * b + w % b, from = s->crd ? c * b * b + place : place * s->c + c;
    return (double)x[((n * s->c * b * b + from) * (s->h / b) + h / b) * (s->w / b) + w / b];
}

static void depth_and_space(void)
{
    static const blocks list[] = {
        {3, 4, 6, 2, false, false}, {3, 4, 6, 2, true, false}, {2, 9, 6, 3, true, false}, {12, 2, 3, 2, false, true}};
    for (int i = 0; i < TEST_COUNT(list) && !test_failed(); i++) {
        const blocks *s = &list[i];
        char inputs[64], attributes[64];
        const int b = s->block, in_c = s->to_depth ? s->c / b / b : s->c * b * b, h = s->to_depth ? s->h * b : s->h / b,
                  w = s->to_depth ? s->w * b : s->w / b;
        snprintf(inputs, sizeof inputs, "x:2,%d,%d,%d", in_c, h, w);
        snprintf(attributes, sizeof attributes, "blocksize=%d%s", b, s->to_depth ? "" : s->crd ? " mode=CRD" : " mode=DCR");
        onnx_bytes model = one_node_model(&(one_node){13, s->to_depth ? "SpaceToDepth" : "DepthToSpace", inputs, "y", attributes});
        check_model(&model, block_at, s, 2 * s->c * s->h * s->w, attributes);
    }
}

/* ----------------------------------------------------------------------------------------- normalisations ---- */

/* All on x of 2 x 5 x 3 x 4; the constants are those of onnx_builder.h: c(i) = (i % 97) / 32 - 1.25. */
static double builder_constant(int64_t i) { return (double)(i % 97) * 0.03125 - 1.25; }

#define PLANE 12
#define CHANNELS 5
#define X_SIZE (2 * CHANNELS * PLANE)

static double normalized(const float *x, int64_t first, int64_t count, int64_t i, double epsilon)
{
    double mean = 0, variance = 0;
    for (int64_t e = 0; e < count; e++)
        mean += (double)x[first + e] / (double)count;
    for (int64_t e = 0; e < count; e++)
        variance += pow((double)x[first + e] - mean, 2) / (double)count;
    return ((double)x[i] - mean) / sqrt(variance + epsilon);
}

static double instance_at(const void *arg, const float *x, int64_t i)
{
    const int64_t c = i / PLANE % CHANNELS;
    (void)arg;
    return normalized(x, i / PLANE * PLANE, PLANE, i, 0.01) * builder_constant(c) + builder_constant(c);
}

/* Over the last two axes. */
static double layer_at(const void *arg, const float *x, int64_t i)
{
    (void)arg;
    return normalized(x, i / PLANE * PLANE, PLANE, i, 1e-5) * builder_constant(i % PLANE) + builder_constant(i % PLANE);
}

static double lrn_at(const void *arg, const float *x, int64_t i)
{
    const int64_t size = *(const int *)arg, c = i / PLANE % CHANNELS;
    double sum = 0;
    for (int64_t k = c - (size - 1) / 2; k <= c + size / 2; k++)
        if (k >= 0 && k < CHANNELS)
            sum += pow((double)x[i + (k - c) * PLANE], 2);
    return (double)x[i] / pow(2 + 0.5 / (double)size * sum, 0.75);
}

static void normalisations(void)
{
    const int sizes[2] = {3, 4};
    onnx_bytes model = one_node_model(&(one_node){13, "InstanceNormalization", "x:2,5,3,4 s=5 b=5", "y", "epsilon=0.01"});
    check_model(&model, instance_at, NULL, X_SIZE, "InstanceNormalization");
    model = one_node_model(&(one_node){17, "LayerNormalization", "x:2,5,3,4 s=3,4 b=3,4", "y", "axis=-2"});
    check_model(&model, layer_at, NULL, X_SIZE, "LayerNormalization");
    for (int i = 0; i < 2; i++) {
        char attributes[64];
        snprintf(attributes, sizeof attributes, "size=%d alpha=0.5 bias=2.0", sizes[i]);
        model = one_node_model(&(one_node){13, "LRN", "x:2,5,3,4", "y", attributes});
        check_model(&model, lrn_at, &sizes[i], X_SIZE, attributes);
    }
}

/* ---------------------------------------------------------------------------------------------- functions ---- */

static double function_at(const void *arg, const float *x, int64_t i)
{
    const char *op = arg;
    const double v = (double)x[i];
    if (!strcmp(op, "Gelu"))
        return 0.5 * v * (1 + tanh(sqrt(2 / acos(-1.0)) * (v + 0.044715 * v * v * v)));
    if (!strcmp(op, "Celu"))
        return fmax(0, v) + fmin(0, 0.7 * (exp(v / 0.7) - 1));
    if (!strcmp(op, "Selu"))
        return v > 0 ? 1.5 * v : 1.5 * 0.9 * (exp(v) - 1);
    return !strcmp(op, "Softsign") ? v / (1 + fabs(v)) : log1p(exp(v));
}

static double reduced_at(const void *arg, const float *x, int64_t i)
{
    const char *op = arg;
    double sum = 0;
    for (int k = 0; k < 4; k++) {
        const double v = (double)x[i * 4 + k];
        sum += !strcmp(op, "ReduceL1") ? fabs(v) : v * v;
    }
    return !strcmp(op, "ReduceL2") ? sqrt(sum) : sum;
}

static void functions(void)
{
    static const one_node list[] = {
        {20, "Gelu", "x:3,4", "y", "approximate=tanh"},
        {13, "Celu", "x:3,4", "y", "alpha=0.7"},
        {13, "Selu", "x:3,4", "y", "alpha=0.9 gamma=1.5"},
        {13, "Softsign", "x:3,4", "y", ""},
        {13, "Softplus", "x:3,4", "y", ""},
    };
    static const one_node sums[] = {{13, "ReduceL1", "x:3,4", "y", "axes=[1]"},
                                    {18, "ReduceL2", "x:3,4 a#-1", "y", "keepdims=0"},
                                    {13, "ReduceSumSquare", "x:3,4", "y", "axes=[-1]"}};
    for (int i = 0; i < TEST_COUNT(list); i++) {
        onnx_bytes model = one_node_model(&list[i]);
        check_model(&model, function_at, list[i].op, 12, list[i].op);
    }
    for (int i = 0; i < TEST_COUNT(sums); i++) {
        onnx_bytes model = one_node_model(&sums[i]);
        check_model(&model, reduced_at, sums[i].op, 3, sums[i].op);
    }
}

static const test_case cases[] = {
    {"conv_transpose_by_definition", conv_transpose_by_definition},
    {"depth_and_space", depth_and_space},
    {"normalisations", normalisations},
    {"functions", functions},
};

static void __attribute__((constructor)) add_suite(void) { test_register("import_composed", cases, TEST_COUNT(cases)); }

/* Import and run: the ONNX definitions of Conv, the pools, Gemm, Softmax, written down plainly in double for any number of axes,
 * against what the imported graph computes. Shapes and attributes are random. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "import_check.h"

/* ----------------------------------------------------------------------------------------------- running ---- */

static float input[1 << 16];

/* Imports and runs a model with one input, filled with random numbers; result: the output's elements, or NULL after a failed check.
 * */
static float *run_model(onnx_bytes *model, oct_tensor_info *info)
{
    oct_graph *graph = NULL;
    oct_model *runnable = NULL;
    oct_session *session = NULL;
    oct_tensor_info in;
    const oct_options options = {.isa = test_isa(), .threads = 1};
    float *result = NULL;
    oct_status status = import_bytes(model, NULL, &graph);
    if (status == OCT_OK)
        status = oct_model_from_graph(graph, &runnable);
    if (status == OCT_OK)
        status = oct_model_input(runnable, 0, &in);
    if (status == OCT_OK)
        status = oct_session_create(runnable, &options, &session);
    for (size_t i = 0; status == OCT_OK && i < in.elements; i++)
        input[i] = test_uniform(-1, 1);
    if (status == OCT_OK)
        status = oct_set_input(session, 0, input, in.bytes);
    if (status == OCT_OK)
        status = oct_run(session);
    if (status == OCT_OK)
        status = oct_model_output(runnable, 0, info);
    if (status == OCT_OK && (result = malloc(info->bytes)) != NULL)
        status = oct_get_output(session, 0, result, info->bytes);
    if (status != OCT_OK)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    oct_session_free(session);
    oct_model_free(runnable);
    oct_graph_free(graph);
    return result;
}

/* ------------------------------------------------------------------------------------- sliding windows ---- */

/* One random window operator over 1 to 3 axes; all fields by axis. */
typedef struct window {
    int axes, in[3], out[3], kernel[3], stride[3], dilation[3], begin[3], end[3];
    bool ceil_mode, count_padding;
    int batch, channels, groups, out_channels;
} window;

static int below(int limit) { return (int)test_below((uint32_t)limit); }

static int product(const int *list, int count)
{
    int result = 1;
    for (int i = 0; i < count; i++)
        result *= list[i];
    return result;
}

/* false if a window does not fit. A ceil window must begin in the input or the padding before it. */
static bool set_output(window *w, bool ceil_mode)
{
    for (int i = 0; i < w->axes; i++) {
        const int room = w->in[i] + w->begin[i] + w->end[i] - (w->dilation[i] * (w->kernel[i] - 1) + 1);
        if (room < 0)
            return false;
        w->out[i] = room / w->stride[i] + 1;
        if (ceil_mode && room % w->stride[i] != 0 && w->out[i] * w->stride[i] < w->in[i] + w->begin[i])
            w->out[i]++;
    }
    return true;
}

static window random_window(int max_axes, bool is_conv)
{
    window w;
    do {
        w = (window){.axes = 1 + below(max_axes), .batch = 1 + below(2), .channels = 1 + below(3), .groups = 1, .out_channels = 1};
        w.ceil_mode = !is_conv && below(2);
        w.count_padding = !is_conv && below(2);
        if (is_conv) {
            w.groups = 1 + below(3);
            w.out_channels = w.groups * (1 + below(3));
            w.channels *= w.groups;
        }
        for (int i = 0; i < w.axes; i++) {
            w.in[i] = 3 + below(5);
            w.kernel[i] = 1 + below(3);
            w.stride[i] = 1 + below(3);
            w.dilation[i] = 1 + below(2);
            const int pads = is_conv ? 3 : w.dilation[i] * (w.kernel[i] - 1) + 1;
            w.begin[i] = below(pads);
            w.end[i] = below(pads);
        }
    } while (!set_output(&w, w.ceil_mode));
    return w;
}

/* "name=[..] " for a list by axis, appended. */
static void add_list(char *text, size_t room, const char *name, const int *list, int count, const int *more)
{
    size_t used = strlen(text);
    used += (size_t)snprintf(text + used, room - used, "%s%s=[", *text ? " " : "", name);
    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, room - used, "%s%d", i ? "," : "", list[i]);
    for (int i = 0; more && i < count; i++)
        used += (size_t)snprintf(text + used, room - used, ",%d", more[i]);
    snprintf(text + used, room - used, "]");
}

static void dims_text(char *text, size_t room, int first, int second, const int *rest, int count)
{
    size_t used = (size_t)snprintf(text, room, "%d,%d", first, second);
    for (int i = 0; i < count; i++)
        used += (size_t)snprintf(text + used, room - used, ",%d", rest[i]);
}

static void window_attributes(char *text, size_t room, const window *w)
{
    *text = 0;
    add_list(text, room, "kernel_shape", w->kernel, w->axes, NULL);
    add_list(text, room, "strides", w->stride, w->axes, NULL);
    add_list(text, room, "dilations", w->dilation, w->axes, NULL);
    add_list(text, room, "pads", w->begin, w->axes, w->end);
}

/* Digits of `number` in a mixed radix, most significant first. */
static void digits_of(int number, const int *radix, int count, int *digits)
{
    for (int i = count - 1; i >= 0; i--) {
        digits[i] = number % radix[i];
        number /= radix[i];
    }
}

/* Where tap `tap` of window `at` looks: the element number within a plane, -1 in the padding, -2 beyond the padding (ceil). */
static int look(const window *w, const int *at, int tap)
{
    int k[3], element = 0, where = 0;
    digits_of(tap, w->kernel, w->axes, k);
    for (int i = 0; i < w->axes; i++) {
        const int position = at[i] * w->stride[i] - w->begin[i] + k[i] * w->dilation[i];
        if (position >= w->in[i] + w->end[i])
            return -2;
        if (position < 0 || position >= w->in[i])
            where = -1;
        element = element * w->in[i] + position;
    }
    return where < 0 ? -1 : element;
}

static double pool_at(const window *w, bool average, const float *plane, const int *at)
{
    double sum = 0, largest = -INFINITY;
    int count = 0;
    for (int tap = 0; tap < product(w->kernel, w->axes); tap++) {
        const int element = look(w, at, tap);
        count += element >= 0 || (element == -1 && w->count_padding);
        if (element >= 0) {
            sum += plane[element];
            largest = plane[element] > largest ? plane[element] : largest;
        }
    }
    return average ? sum / count : largest;
}

static void check_pool(bool average)
{
    const window w = random_window(3, false);
    char attributes[400], dims[64], inputs[80];
    window_attributes(attributes, sizeof attributes, &w);
    snprintf(attributes + strlen(attributes), 60, " ceil_mode=%d%s%d", w.ceil_mode,
             average ? " count_include_pad=" : " storage_order=", average && w.count_padding);
    dims_text(dims, sizeof dims, w.batch, w.channels, w.in, w.axes);
    snprintf(inputs, sizeof inputs, "x:%s", dims);
    onnx_bytes model = one_node_model(&(one_node){19, average ? "AveragePool" : "MaxPool", inputs, "y", attributes});
    oct_tensor_info info;
    float *y = run_model(&model, &info);
    const int plane_in = product(w.in, w.axes), plane_out = product(w.out, w.axes);
    for (int i = 0; y && i < w.batch * w.channels * plane_out; i++) {
        int at[3];
        digits_of(i % plane_out, w.out, w.axes, at);
        const double want = pool_at(&w, average, input + i / plane_out * plane_in, at);
        if (!(fabs(y[i] - want) <= 1e-5)) {
            test_fail(__FILE__, __LINE__, "x %s %s: element %d is %g instead of %g", dims, attributes, i, (double)y[i], want);
            break;
        }
    }
    free(y);
}

static void pools_by_definition(void)
{
    for (int i = 0; i < 150 && !test_failed(); i++)
        check_pool(i & 1);
}

/* The initializer that onnx_floats makes without data. */
static double weight(int i) { return (double)((float)(i % 97) * 0.03125f - 1.25f); }

static double conv_at(const window *w, int image, int o, const int *at)
{
    const int taps = product(w->kernel, w->axes), plane = product(w->in, w->axes), inner = w->channels / w->groups;
    const int group = o / (w->out_channels / w->groups);
    double sum = weight(o);   /* the bias has the same numbers */
    for (int c = 0; c < inner; c++)
        for (int tap = 0; tap < taps; tap++) {
            const int element = look(w, at, tap);
            if (element >= 0)
                sum += weight((o * inner + c) * taps + tap) *
                       (double)input[(image * w->channels + group * inner + c) * plane + element];
        }
    return sum;
}

static void check_conv(void)
{
    const window w = random_window(2, true);
    char attributes[400], dims[64], filter[64], inputs[200];
    window_attributes(attributes, sizeof attributes, &w);
    snprintf(attributes + strlen(attributes), 30, " group=%d", w.groups);
    dims_text(dims, sizeof dims, w.batch, w.channels, w.in, w.axes);
    dims_text(filter, sizeof filter, w.out_channels, w.channels / w.groups, w.kernel, w.axes);
    snprintf(inputs, sizeof inputs, "x:%s w=%s b=%d", dims, filter, w.out_channels);
    onnx_bytes model = one_node_model(&(one_node){11, "Conv", inputs, "y", attributes});
    oct_tensor_info info;
    float *y = run_model(&model, &info);
    const int plane = product(w.out, w.axes);
    for (int i = 0; y && i < w.batch * w.out_channels * plane; i++) {
        int at[3];
        digits_of(i % plane, w.out, w.axes, at);
        const double want = conv_at(&w, i / plane / w.out_channels, i / plane % w.out_channels, at);
        if (!(fabs(y[i] - want) <= 1e-4)) {
            test_fail(__FILE__, __LINE__, "%s %s: element %d is %g instead of %g", inputs, attributes, i, (double)y[i], want);
            break;
        }
    }
    free(y);
}

static void convolutions_by_definition(void)
{
    for (int i = 0; i < 100 && !test_failed(); i++)
        check_conv();
}

/* SAME as the specification words it: the padding for ceil(in / stride) windows, an odd one at the end or the beginning. */
static void automatic_padding(void)
{
    for (int i = 0; i < 40 && !test_failed(); i++) {
        window w = {.axes = 2, .batch = 1, .channels = 1, .groups = 1, .out_channels = 1, .dilation = {1, 1}};
        const bool upper = below(2);
        char inputs[40], attributes[160] = "";
        for (int a = 0; a < 2; a++) {
            w.in[a] = 3 + below(6);
            w.kernel[a] = 1 + below(4);
            w.stride[a] = 1 + below(3);
            w.out[a] = (w.in[a] + w.stride[a] - 1) / w.stride[a];
            const int total = (w.out[a] - 1) * w.stride[a] + w.kernel[a] - w.in[a];
            w.begin[a] = total > 0 ? (total + (upper ? 0 : 1)) / 2 : 0;
            w.end[a] = total > 0 ? total - w.begin[a] : 0;
        }
        snprintf(inputs, sizeof inputs, "x:1,1,%d,%d", w.in[0], w.in[1]);
        add_list(attributes, sizeof attributes, "kernel_shape", w.kernel, 2, NULL);
        add_list(attributes, sizeof attributes, "strides", w.stride, 2, NULL);
        snprintf(attributes + strlen(attributes), 40, " auto_pad=SAME_%s", upper ? "UPPER" : "LOWER");
        onnx_bytes model = one_node_model(&(one_node){11, "AveragePool", inputs, "y", attributes});
        oct_tensor_info info;
        float *y = run_model(&model, &info);
        CHECK(y && info.shape.dims[2] == w.out[0] && info.shape.dims[3] == w.out[1]);
        for (int e = 0; e < w.out[0] * w.out[1] && !test_failed(); e++) {
            int at[3];
            digits_of(e, w.out, 2, at);
            if (!(fabs(y[e] - pool_at(&w, true, input, at)) <= 1e-5))
                test_fail(__FILE__, __LINE__, "%s %s: element %d", inputs, attributes, e);
        }
        free(y);
    }
}

/* ------------------------------------------------------------------------------------------ the others ---- */

/* y = 0.5 * op(A) op(B) + 0.25 * C for all transpositions and all ways C may broadcast. */
static void gemm_by_definition(void)
{
    static const char *const added[] = {"4", "1,4", "3,1", "3,4", "1"};
    for (int i = 0; i < 4 * TEST_COUNT(added); i++) {
        const bool ta = i & 1, tb = i & 2;
        const char *c = added[i / 4];
        char inputs[80], attributes[80];
        snprintf(inputs, sizeof inputs, "x:%s w=%s c=%s", ta ? "5,3" : "3,5", tb ? "4,5" : "5,4", c);
        snprintf(attributes, sizeof attributes, "alpha=0.5 beta=0.25 transA=%d transB=%d", ta, tb);
        onnx_bytes model = one_node_model(&(one_node){13, "Gemm", inputs, "y", attributes});
        oct_tensor_info info;
        float *y = run_model(&model, &info);
        CHECK(y && info.elements == 12);
        for (int m = 0; m < 3; m++)
            for (int n = 0; n < 4; n++) {
                const int at = !strcmp(c, "1") ? 0 : !strcmp(c, "3,1") ? m : !strcmp(c, "3,4") ? m * 4 + n : n;
                double want = 0.25 * weight(at);
                for (int k = 0; k < 5; k++)
                    want += 0.5 * (double)input[ta ? k * 3 + m : m * 5 + k] * weight(tb ? n * 5 + k : k * 4 + n);
                if (!(fabs(y[m * 4 + n] - want) <= 1e-5))
                    test_fail(__FILE__, __LINE__, "%s %s: element %d,%d is %g instead of %g", inputs, attributes, m, n,
                              (double)y[m * 4 + n], want);
            }
        free(y);
        if (test_failed())
            return;
    }
}

/* Before opset 13 Softmax with axis 1 is over all axes from 1 on; since then over axis 1 alone. */
static void softmax_of_both_ages(void)
{
    for (int opset = 12; opset <= 13; opset++) {
        onnx_bytes model = one_node_model(&(one_node){opset, "Softmax", "x:2,3,4", "y", "axis=1"});
        oct_tensor_info info;
        float *y = run_model(&model, &info);
        CHECK(y);
        for (int i = 0; i < 24; i++) {
            double sum = 0;
            for (int j = 0; j < 24; j++)
                if (j / 12 == i / 12 && (opset == 12 || j % 4 == i % 4))
                    sum += exp((double)input[j]);
            if (!(fabs(y[i] - exp((double)input[i]) / sum) <= 1e-6))
                test_fail(__FILE__, __LINE__, "opset %d: element %d is %g", opset, i, (double)y[i]);
        }
        free(y);
    }
}

static const test_case cases[] = {
    {"pools_by_definition", pools_by_definition},
    {"convolutions_by_definition", convolutions_by_definition},
    {"automatic_padding", automatic_padding},
    {"gemm_by_definition", gemm_by_definition},
    {"softmax_of_both_ages", softmax_of_both_ages},
};

static void __attribute__((constructor)) add_suite(void) { test_register("import_numbers", cases, TEST_COUNT(cases)); }

/* build.c - networks by hand: the oct_build_* calls of octet_convert.h.
 *
 * Every call turns its plain C arguments into constants and one node; shapes and attributes are judged by the operators' own
 * rules (operators.h). The first failure stays in graph->failed with its sentence, and every later call returns -1 at once, so
 * that a network can be written down without a check per line.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "graph.h"
#include "operators.h"
#include "status.h"

/* ---------------------------------------------------------------------------------------- the sticky status ---- */

oct_status oct_graph_status(const oct_graph *graph)
{
    if (!graph)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_graph_status: graph is NULL");
    return graph->failed == OCT_OK ? OCT_OK : oct_fail(graph->failed, "%s", graph->failed_text);
}

/* Remembers the calling thread's sentence as the graph's first failure; returns what a failed builder call returns. */
static oct_value_id keep_failure(oct_graph *graph, oct_status status)
{
    graph->failed = status;
    snprintf(graph->failed_text, sizeof graph->failed_text, "%s", oct_error());
    return OCT_NONE;
}

/* A failure that is found here rather than by an operator's rule. */
__attribute__((format(printf, 2, 3))) static oct_value_id refuse(oct_graph *graph, const char *format, ...)
{
    char text[sizeof graph->failed_text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return keep_failure(graph, oct_fail(OCT_ERR_ARGUMENT, "%s", text));
}

/* May a call on this graph, for the node `name`, still do something? */
static bool usable(oct_graph *graph, const char *name)
{
    if (!graph || graph->failed != OCT_OK)
        return false;
    if (!name)
        refuse(graph, "a builder call has a NULL name");
    return name != NULL;
}

static bool is_value(oct_graph *graph, const char *name, oct_value_id x)
{
    if (x >= 0 && x < graph->value_count)
        return true;
    refuse(graph, "%s: there is no value %d", name, x);
    return false;
}

/* A picture to work on: N x H x W x C. */
static bool is_picture(oct_graph *graph, const char *name, oct_value_id x)
{
    if (!is_value(graph, name, x))
        return false;
    if (graph->values[x].shape.rank == 4)
        return true;
    refuse(graph, "%s: its input has rank %d; N x H x W x C is needed", name, graph->values[x].shape.rank);
    return false;
}

/* ------------------------------------------------------------------------------------------ values and nodes ---- */

/* The node with one new value, whose shape its operator's rule has found; that rule also writes the sentence if nothing fits. */
static oct_value_id add_node(oct_graph *graph, oct_op op, const char *name, const oct_attrs *attrs, const int *in, int in_count)
{
    int out = OCT_NONE;
    const oct_status status = oct_graph_add_node(graph, op, name, attrs, in, in_count, &out);
    return status == OCT_OK ? out : keep_failure(graph, status);
}

/* For operators of one input that need no look at its shape. */
static oct_value_id add_node_of_one(oct_graph *graph, oct_op op, const char *name, const oct_attrs *attrs, oct_value_id x)
{
    if (!usable(graph, name) || !is_value(graph, name, x))
        return OCT_NONE;
    return add_node(graph, op, name, attrs, &x, 1);
}

/* An f32 constant called "name.suffix". */
static oct_value_id add_part(oct_graph *graph, const char *name, const char *suffix, const oct_shape *shape, const float *data)
{
    char full[256];
    snprintf(full, sizeof full, "%s.%s", name, suffix);
    return oct_build_constant(graph, full, shape, data);
}

/* Nobody builds a network for empty tensors, so a zero or a negative number is a mistake of the caller. The product is checked for
 * overflow too. */
static bool is_positive_shape(const oct_shape *shape)
{
    if (shape->rank < 0 || shape->rank > OCT_MAX_RANK)
        return false;
    for (int i = 0; i < shape->rank; i++)
        if (shape->dims[i] < 1)
            return false;
    return oct_shape_elements(shape) > 0;
}

oct_value_id oct_build_input(oct_graph *graph, const char *name, const oct_shape *shape)
{
    int id = OCT_NONE;
    if (!usable(graph, name))
        return OCT_NONE;
    if (!shape || !is_positive_shape(shape))
        return refuse(graph, "%s: an input needs a shape of up to %d positive dimensions", name, OCT_MAX_RANK);
    oct_status status = oct_graph_add_value(graph, name, OCT_F32, shape, NULL, &id);
    if (status == OCT_OK)
        status = oct_graph_add_input(graph, id);
    return status == OCT_OK ? id : keep_failure(graph, status);
}

void oct_build_output(oct_graph *graph, const char *name, oct_value_id value)
{
    if (!usable(graph, name) || !is_value(graph, name, value))
        return;
    /* The value takes the output's name, unless it has one that others know it by; then a reshape to the same shape carries it. */
    const oct_value *v = &graph->values[value];
    bool taken = v->producer < 0;
    for (int i = 0; i < graph->output_count; i++)
        taken |= graph->outputs[i] == value;
    if (taken) {
        oct_shape shape = v->shape;
        value = oct_build_reshape(graph, name, value, &shape);
        if (value < 0)
            return;
    }
    oct_status status = oct_graph_rename(graph, value, name);
    if (status == OCT_OK)
        status = oct_graph_add_output(graph, value);
    if (status != OCT_OK)
        keep_failure(graph, status);
}

oct_value_id oct_build_constant(oct_graph *graph, const char *name, const oct_shape *shape, const float *data)
{
    int id = OCT_NONE;
    if (!usable(graph, name))
        return OCT_NONE;
    if (!shape || !data || !is_positive_shape(shape))
        return refuse(graph, "%s: a constant needs data and a shape of up to %d positive dimensions", name, OCT_MAX_RANK);
    const oct_status status = oct_graph_add_constant(graph, name, OCT_F32, shape, data, &id);
    return status == OCT_OK ? id : keep_failure(graph, status);
}

/* ---------------------------------------------------------------------------------------- layers with weights ---- */

/* The number a zero stands for: descriptions are written with designated initialisers, which leave out what is usual. */
static int32_t or_one(int value) { return value == 0 ? 1 : value; }

/* Node `op` of x, weights and bias (if any). */
static oct_value_id add_weighted(oct_graph *graph, oct_op op, const char *name, const oct_attrs *attrs, oct_value_id x,
                                 const oct_shape *w_shape, const float *weights, const float *bias)
{
    const oct_shape bias_shape = {1, {w_shape->dims[0]}};
    const int w = add_part(graph, name, "w", w_shape, weights);
    const int b = bias ? add_part(graph, name, "bias", &bias_shape, bias) : OCT_NONE;
    const int in[] = {x, w, b};
    return graph->failed == OCT_OK ? add_node(graph, op, name, attrs, in, 3) : OCT_NONE;
}

oct_value_id oct_build_conv(oct_graph *graph, const char *name, oct_value_id x, const oct_conv_desc *desc, const float *weights,
                            const float *bias)
{
    if (!usable(graph, name) || !is_picture(graph, name, x))
        return OCT_NONE;
    if (!desc || !weights)
        return refuse(graph, "%s: desc or weights is NULL", name);
    oct_attrs attrs = {0};
    attrs.conv.groups = or_one(desc->groups);
    for (int i = 0; i < 2; i++) {
        attrs.conv.kernel[i] = desc->kernel[i];
        attrs.conv.stride[i] = or_one(desc->stride[i]);
        attrs.conv.dilation[i] = or_one(desc->dilation[i]);
    }
    for (int i = 0; i < 4; i++)
        attrs.conv.pad[i] = desc->pad[i];
    /* The operator's rule would find this too, but the weights' shape, which is a quotient, is needed first. */
    const int64_t channels = graph->values[x].shape.dims[3];
    if (attrs.conv.groups < 1 || channels % attrs.conv.groups != 0)
        return refuse(graph, "%s: %d groups do not divide %lld channels", name, attrs.conv.groups, (long long)channels);
    const oct_shape w_shape = {4, {desc->out_channels, desc->kernel[0], desc->kernel[1], channels / attrs.conv.groups}};
    return add_weighted(graph, OCT_OP_CONV, name, &attrs, x, &w_shape, weights, bias);
}

oct_value_id oct_build_dense(oct_graph *graph, const char *name, oct_value_id x, int out, const float *weights, const float *bias)
{
    if (!usable(graph, name) || !is_value(graph, name, x))
        return OCT_NONE;
    const oct_shape *shape = &graph->values[x].shape;
    if (!weights || shape->rank < 1)
        return refuse(graph, "%s: weights is NULL, or the input a scalar", name);
    const oct_shape w_shape = {2, {out, shape->dims[shape->rank - 1]}};
    return add_weighted(graph, OCT_OP_DENSE, name, NULL, x, &w_shape, weights, bias);
}

/* -------------------------------------------------------------------------------------------------- pooling ---- */

/* Both poolings have the same attributes; dilation and ceil_mode are for imported networks. */
static oct_value_id build_pool(oct_graph *graph, oct_op op, const char *name, oct_value_id x, const oct_pool_desc *desc)
{
    if (!usable(graph, name) || !is_picture(graph, name, x))
        return OCT_NONE;
    if (!desc)
        return refuse(graph, "%s: desc is NULL", name);
    oct_attrs attrs = {0};
    for (int i = 0; i < 2; i++) {
        attrs.pool.kernel[i] = desc->kernel[i];
        attrs.pool.stride[i] = or_one(desc->stride[i]);
        attrs.pool.dilation[i] = 1;
    }
    for (int i = 0; i < 4; i++)
        attrs.pool.pad[i] = desc->pad[i];
    attrs.pool.count_include_pad = desc->count_include_pad != 0;
    return add_node(graph, op, name, &attrs, &x, 1);
}

oct_value_id oct_build_max_pool(oct_graph *graph, const char *name, oct_value_id x, const oct_pool_desc *desc)
{
    return build_pool(graph, OCT_OP_MAX_POOL, name, x, desc);
}

oct_value_id oct_build_average_pool(oct_graph *graph, const char *name, oct_value_id x, const oct_pool_desc *desc)
{
    return build_pool(graph, OCT_OP_AVERAGE_POOL, name, x, desc);
}

/* A mean over the picture's two axes; it needs no window, and the runtime knows it again by the axes. */
oct_value_id oct_build_global_average_pool(oct_graph *graph, const char *name, oct_value_id x)
{
    if (!usable(graph, name) || !is_picture(graph, name, x))
        return OCT_NONE;
    oct_attrs attrs = {0};
    attrs.reduce.fn = OCT_REDUCE_MEAN;
    attrs.reduce.axes = 1 << 1 | 1 << 2;
    attrs.reduce.keep_dims = 1;
    return add_node(graph, OCT_OP_REDUCE, name, &attrs, &x, 1);
}

/* --------------------------------------------------------------------------------------------- element by element ---- */

/* Not lo > hi, but !(lo <= hi): a NaN is refused as well. */
oct_value_id oct_build_clamp(oct_graph *graph, const char *name, oct_value_id x, float lo, float hi)
{
    if (!usable(graph, name))
        return OCT_NONE;
    if (!(lo <= hi))
        return refuse(graph, "%s: a clamp needs lo <= hi, not %g and %g", name, (double)lo, (double)hi);
    oct_attrs attrs = {0};
    attrs.unary = (oct_function){OCT_FN_CLAMP, lo, hi};
    return add_node_of_one(graph, OCT_OP_UNARY, name, &attrs, x);
}

/* Relu and Relu6 are clamps to everybody below, so that one rule fuses, folds and quantizes all three. */
oct_value_id oct_build_relu(oct_graph *graph, const char *name, oct_value_id x)
{
    return oct_build_clamp(graph, name, x, 0.0f, INFINITY);
}

oct_value_id oct_build_relu6(oct_graph *graph, const char *name, oct_value_id x)
{
    return oct_build_clamp(graph, name, x, 0.0f, 6.0f);
}

/* Parameters as ONNX gives them where the node names none. */
static oct_function default_function(oct_fn fn)
{
    switch (fn) {
    case OCT_FN_CLAMP:
        return (oct_function){(int32_t)fn, -INFINITY, INFINITY};
    case OCT_FN_LEAKY_RELU:
        return (oct_function){(int32_t)fn, 0.01f, 0.0f};
    case OCT_FN_ELU:
        return (oct_function){(int32_t)fn, 1.0f, 0.0f};
    case OCT_FN_HARD_SIGMOID:
        return (oct_function){(int32_t)fn, 0.2f, 0.5f};
    default:
        return (oct_function){(int32_t)fn, 0.0f, 0.0f};
    }
}

/* "relu" is a name people know, though the function table has only the clamp that it is. */
oct_value_id oct_build_unary(oct_graph *graph, const char *name, oct_value_id x, const char *function)
{
    if (!usable(graph, name))
        return OCT_NONE;
    if (function && strcmp(function, "relu") == 0)
        return oct_build_relu(graph, name, x);
    const oct_fn fn = function ? oct_function_by_name(function) : OCT_FN_NONE;
    if (fn == OCT_FN_NONE)
        return refuse(graph, "%s: there is no function \"%s\"", name, function ? function : "(NULL)");
    oct_attrs attrs = {0};
    attrs.unary = default_function(fn);
    return add_node_of_one(graph, OCT_OP_UNARY, name, &attrs, x);
}

/* Functions whose shape is a matter of parameters. A clamp has its own call, with its own check. */
static bool has_parameters(oct_fn fn) { return fn == OCT_FN_LEAKY_RELU || fn == OCT_FN_ELU || fn == OCT_FN_HARD_SIGMOID; }

oct_value_id oct_build_unary_with(oct_graph *graph, const char *name, oct_value_id x, const char *function, float alpha, float beta)
{
    if (!usable(graph, name))
        return OCT_NONE;
    const oct_fn fn = function ? oct_function_by_name(function) : OCT_FN_NONE;
    if (!has_parameters(fn))
        return refuse(graph, "%s: there is no function \"%s\" with parameters", name, function ? function : "(NULL)");
    if (!isfinite(alpha) || !isfinite(beta))
        return refuse(graph, "%s: the parameters of %s must be finite, not %g and %g", name, function, (double)alpha, (double)beta);
    oct_attrs attrs = {0};
    attrs.unary = (oct_function){(int32_t)fn, alpha, fn == OCT_FN_HARD_SIGMOID ? beta : 0.0f};
    return add_node_of_one(graph, OCT_OP_UNARY, name, &attrs, x);
}

/* The other binary functions have no call of their own: nothing in the model zoo needs them. */
static oct_value_id build_binary(oct_graph *graph, oct_binary_fn fn, const char *name, oct_value_id a, oct_value_id b)
{
    if (!usable(graph, name) || !is_value(graph, name, a) || !is_value(graph, name, b))
        return OCT_NONE;
    oct_attrs attrs = {0};
    attrs.binary.fn = (int32_t)fn;
    const int in[] = {a, b};
    return add_node(graph, OCT_OP_BINARY, name, &attrs, in, 2);
}

oct_value_id oct_build_add(oct_graph *graph, const char *name, oct_value_id a, oct_value_id b)
{
    return build_binary(graph, OCT_BINARY_ADD, name, a, b);
}

oct_value_id oct_build_mul(oct_graph *graph, const char *name, oct_value_id a, oct_value_id b)
{
    return build_binary(graph, OCT_BINARY_MUL, name, a, b);
}

/* --------------------------------------------------------------------------------------------------- shapes ---- */

/* The axis may count from the end, as everywhere in ONNX; attributes hold it from the front. */
oct_value_id oct_build_concat(oct_graph *graph, const char *name, const oct_value_id *inputs, int count, int axis)
{
    if (!usable(graph, name))
        return OCT_NONE;
    if (!inputs || count < 1)
        return refuse(graph, "%s: a concat needs at least one input", name);
    for (int i = 0; i < count; i++)
        if (!is_value(graph, name, inputs[i]))
            return OCT_NONE;
    oct_attrs attrs = {0};
    attrs.axis.axis = oct_axis(axis, graph->values[inputs[0]].shape.rank);
    if (attrs.axis.axis < 0)
        return refuse(graph, "%s: axis %d is outside the inputs' rank", name, axis);
    return add_node(graph, OCT_OP_CONCAT, name, &attrs, inputs, count);
}

/* Attributes are 32-bit numbers (graph.h), which bounds the dimensions. */
oct_value_id oct_build_reshape(oct_graph *graph, const char *name, oct_value_id x, const oct_shape *shape)
{
    if (!usable(graph, name))
        return OCT_NONE;
    if (!shape || !is_positive_shape(shape))
        return refuse(graph, "%s: a reshape needs a shape of up to %d positive dimensions", name, OCT_MAX_RANK);
    oct_attrs attrs = {0};
    attrs.reshape.rank = shape->rank;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dims[i] > INT32_MAX)
            return refuse(graph, "%s: dimension %d is larger than 2^31 - 1", name, i);
        attrs.reshape.dims[i] = (int32_t)shape->dims[i];
    }
    return add_node_of_one(graph, OCT_OP_RESHAPE, name, &attrs, x);
}

oct_value_id oct_build_softmax(oct_graph *graph, const char *name, oct_value_id x, int axis)
{
    if (!usable(graph, name) || !is_value(graph, name, x))
        return OCT_NONE;
    oct_attrs attrs = {0};
    attrs.softmax.axis = oct_axis(axis, graph->values[x].shape.rank);
    if (attrs.softmax.axis < 0)
        return refuse(graph, "%s: axis %d is outside the input's rank", name, axis);
    return add_node(graph, OCT_OP_SOFTMAX, name, &attrs, &x, 1);
}

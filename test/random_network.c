#include "random_network.h"

#include <math.h>
#include <stdio.h>

#include "convert_tools.h"
#include "harness.h"

#define MOST_ELEMENTS 4000

static int between(int lo, int hi) { return lo + (int)test_below((uint32_t)(hi - lo + 1)); }

static bool usable(const oct_graph *g, int v)
{
    const oct_value *value = &g->values[v];
    return !value->data && value->shape.rank == 4 && oct_shape_elements(&value->shape) <= MOST_ELEMENTS;
}

/* A picture, rather a late one. The first value is an input. */
static int any_picture(const oct_graph *g)
{
    for (int tries = 0; tries < 30; tries++) {
        const int back = (int)test_below((uint32_t)g->value_count), v = g->value_count - 1 - (int)test_below((uint32_t)back + 1);
        if (usable(g, v))
            return v;
    }
    return g->inputs[0];
}

/* Another picture of the same shape but for one axis (-1: of exactly the same shape), or x itself. */
static int partner_of(const oct_graph *g, int x, int axis)
{
    for (int tries = 0; tries < 30; tries++) {
        const int v = any_picture(g);
        oct_shape shape = g->values[v].shape;
        if (axis >= 0)
            shape.dims[axis] = g->values[x].shape.dims[axis];
        if (v != x && oct_shape_equal(&shape, &g->values[x].shape))
            return v;
    }
    return x;
}

static int add_convolution(oct_graph *g, int x)
{
    const int64_t *dims = g->values[x].shape.dims;
    const int channels = (int)dims[1], groups = test_below(3) == 0 ? 0 : channels % 2 == 0 && test_below(3) == 0 ? 2 : 1;
    const int kernel = dims[2] >= 3 && dims[3] >= 3 ? between(1, 3) : 1;
    const int out = groups == 0 ? channels : test_below(2) ? channels : 2 * between(1, 5);
    return net_nchw_conv(g, x, out, kernel, between(1, 2), between(0, kernel / 2), groups);
}

/* Convolution, batch norm and activation in any combination, or an activation before them. */
static int add_block(oct_graph *g, int x)
{
    int y = x;
    if (test_below(3))
        y = add_convolution(g, y);
    const int64_t channels = g->values[y].shape.dims[1];
    const oct_shape shape = test_below(2) ? (oct_shape){3, {channels, 1, 1}} : (oct_shape){4, {1, channels, 1, 1}};
    if (test_below(2))
        y = net_binary(g, OCT_BINARY_MUL, y, net_constant(g, &shape, 0.5f, 1.5f));
    if (test_below(2))
        y = net_binary(g, OCT_BINARY_ADD, y, net_constant(g, &shape, -0.5f, 0.5f));
    if (test_below(2))
        y = test_below(2) ? net_relu(g, y) : net_unary(g, OCT_FN_CLAMP, -0.5f, 1.5f, y);
    return test_below(3) ? y : add_convolution(g, y);
}

static int add_pool(oct_graph *g, int x)
{
    const int64_t *dims = g->values[x].shape.dims;
    if (dims[2] < 3 || dims[3] < 3)
        return x;
    if (test_below(2))
        return net_nchw_max_pool(g, x, between(1, 3), between(1, 2));
    const oct_pool_attrs pool = {.kernel = {3, 3}, .stride = {between(1, 2), 1}, .dilation = {1, 1},
                                 .pad = {between(0, 1), between(0, 1), 1, 0}, .count_include_pad = between(0, 1)};
    int y = net_transpose(g, x, "0231");
    y = net_node(g, OCT_OP_AVERAGE_POOL, &(oct_attrs){.pool = pool}, &y, 1);
    return net_transpose(g, y, "0312");
}

static int add_function(oct_graph *g, int x)
{
    static const oct_fn functions[] = {OCT_FN_TANH, OCT_FN_SIGMOID, OCT_FN_HARD_SWISH, OCT_FN_ABS, OCT_FN_NEG};
    return net_unary(g, functions[test_below(5)], 0, 0, x);
}

static int add_binary(oct_graph *g, int x)
{
    static const oct_binary_fn functions[] = {OCT_BINARY_ADD, OCT_BINARY_ADD, OCT_BINARY_SUB, OCT_BINARY_MIN, OCT_BINARY_MAX};
    const oct_binary_fn fn = functions[test_below(5)];
    const int a = test_below(3) ? add_convolution(g, x) : x, b = test_below(4) ? partner_of(g, a, -1) : OCT_NONE;
    if (b != OCT_NONE)
        return test_below(2) ? net_binary(g, fn, a, b) : net_binary(g, fn, b, a);
    oct_shape shape = g->values[a].shape;
    const int drop = between(0, 3);
    for (int i = 0; i < 4; i++)
        shape.dims[i] = test_below(2) ? 1 : shape.dims[i];
    oct_shape lower = {.rank = 4 - drop};
    for (int i = 0; i < lower.rank; i++)
        lower.dims[i] = shape.dims[drop + i];
    const int c = net_constant(g, &lower, -1, 1);
    return test_below(2) ? net_binary(g, fn, a, c) : net_binary(g, fn, c, a);
}

static int add_pad(oct_graph *g, int x)
{
    oct_attrs a = {.pad = {.mode = test_below(2) ? OCT_PAD_CONSTANT : OCT_PAD_EDGE, .value = test_below(2) ? 0.0f : 0.5f}};
    for (int i = test_below(3) ? 2 : 1; i < 4; i++) {
        a.pad.before[i] = between(0, 2);
        a.pad.after[i] = between(0, 1);
    }
    return net_node(g, OCT_OP_PAD, &a, &x, 1);
}

static int add_slice(oct_graph *g, int x)
{
    oct_attrs a = {0};
    for (int i = 0; i < 4; i++) {
        const int size = (int)g->values[x].shape.dims[i], start = test_below(2) ? 0 : between(0, size - 1);
        a.slice.start[i] = start;
        a.slice.step[i] = test_below(4) ? 1 : 2;
        a.slice.count[i] = 1 + (size - 1 - start) / a.slice.step[i];
    }
    return net_node(g, OCT_OP_SLICE, &a, &x, 1);
}

/* A gate: mean over the picture, 1x1 convolution, sigmoid, multiplication. */
static int add_gate(oct_graph *g, int x)
{
    int s = net_reduce(g, OCT_REDUCE_MEAN, x, 1 << 2 | 1 << 3, true);
    s = net_nchw_conv(g, s, (int)g->values[x].shape.dims[1], 1, 1, 0, 1);
    return net_binary(g, OCT_BINARY_MUL, x, net_unary(g, OCT_FN_SIGMOID, 0, 0, s));
}

static int add_shuffle(oct_graph *g, int x)
{
    const oct_shape shape = g->values[x].shape;
    if (shape.dims[1] % 2 != 0)
        return x;
    const int parts = net_reshape(g, x, &(oct_shape){5, {shape.dims[0], 2, shape.dims[1] / 2, shape.dims[2], shape.dims[3]}});
    return net_reshape(g, net_transpose(g, parts, "02134"), &shape);
}

/* A value and itself turned round. */
static int add_turned(oct_graph *g, int x)
{
    const int64_t *dims = g->values[x].shape.dims;
    return dims[2] == dims[3] ? net_binary(g, OCT_BINARY_MAX, x, net_transpose(g, x, "0132")) : net_transpose(g, x, "0213");
}

static void add_head(oct_graph *g, int x)
{
    const oct_shape shape = g->values[x].shape;
    if (test_below(3) == 0) {
        net_output(g, net_reduce(g, (oct_reduce_fn)between(0, OCT_REDUCE_COUNT - 1), x, 1 << 2 | 1 << 3, test_below(2) != 0));
        return;
    }
    const int64_t flat = oct_shape_elements(&shape) / shape.dims[0];
    const int y = net_dense(g, net_reshape(g, x, &(oct_shape){2, {shape.dims[0], flat}}), between(1, 9));
    net_output(g, test_below(2) ? net_node(g, OCT_OP_SOFTMAX, &(oct_attrs){.softmax = {.axis = 1}}, &y, 1) : y);
}

static void add_any(oct_graph *g)
{
    const int x = any_picture(g);
    switch (test_below(15)) {
    case 0: case 1: case 2: case 3: add_block(g, x); break;
    case 4: add_pool(g, x); break;
    case 5: add_function(g, x); break;
    case 6: case 7: add_binary(g, x); break;
    case 8: add_pad(g, x); break;
    case 9: add_slice(g, x); break;
    case 10: add_gate(g, x); break;
    case 11: add_shuffle(g, x); break;
    case 12: net_node(g, OCT_OP_SOFTMAX, &(oct_attrs){.softmax = {.axis = between(0, 3)}}, &x, 1); break;
    case 13: add_turned(g, x); break;
    default: {
        const int axis = between(1, 3);
        net_concat(g, x, partner_of(g, x, axis), axis);
    }
    }
}

oct_graph *random_network(int blocks)
{
    oct_graph *g = net_create();
    for (int i = between(1, 2); i > 0; i--)
        net_input(g, between(1, 2), between(1, 6), between(1, 9), between(1, 9));
    for (int i = 0; i < blocks; i++)
        add_any(g);
    add_head(g, any_picture(g));
    const int values = g->value_count;
    for (int v = 0; v < values; v++)
        if (!g->values[v].data && g->values[v].producer >= 0 && oct_graph_uses(g, v) == 0)
            net_output(g, v);
    return g;
}

#include "random_graph.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "operators.h"

#define MOST_ELEMENTS 3000

static int between(int lo, int hi) { return lo + (int)test_below((uint32_t)(hi - lo + 1)); }

static bool is_picture(const oct_graph *g, int v) { return g->values[v].shape.rank == 4; }

/* A value that can be read by arithmetic; late ones are likelier, so that the graph becomes deep. */
static int any_value(const oct_graph *g, oct_dtype dtype, bool picture)
{
    for (int tries = 0; tries < 50; tries++) {
        const int back = (int)test_below((uint32_t)g->value_count), v = g->value_count - 1 - (int)test_below((uint32_t)back + 1);
        if (g->values[v].dtype == dtype && !g->values[v].data && (!picture || is_picture(g, v)))
            return v;
    }
    return OCT_NONE;
}

static int f32_constant(oct_graph *g, const oct_shape *shape, float range)
{
    const int64_t count = oct_shape_elements(shape);
    float *data = malloc((size_t)count * sizeof *data);
    int id = OCT_NONE;
    for (int64_t i = 0; i < count; i++)
        data[i] = test_uniform(-range, range);
    oct_graph_add_constant(g, "constant", OCT_F32, shape, data, &id);
    free(data);
    return id;
}

static int s8_constant(oct_graph *g, const oct_shape *shape)
{
    const int64_t count = oct_shape_elements(shape);
    int8_t *data = malloc((size_t)count);
    int id = OCT_NONE;
    for (int64_t i = 0; i < count; i++)
        data[i] = (int8_t)between(-127, 127);
    oct_graph_add_constant(g, "weights", OCT_S8, shape, data, &id);
    free(data);
    oct_value *value = &g->values[id];
    value->channel_scale = aligned_alloc(64, ((size_t)shape->dims[0] * sizeof(float) + 63) / 64 * 64);
    for (int64_t c = 0; c < shape->dims[0]; c++)
        value->channel_scale[c] = test_uniform(0.002f, 0.02f);
    return id;
}

static int s32_constant(oct_graph *g, int64_t count)
{
    int32_t *data = malloc((size_t)count * sizeof *data);
    int id = OCT_NONE;
    for (int64_t i = 0; i < count; i++)
        data[i] = between(-5000, 5000);
    oct_graph_add_constant(g, "bias", OCT_S32, &(oct_shape){1, {count}}, data, &id);
    free(data);
    return id;
}

/* The output becomes u8 with a scale under which most values fit. */
static void make_u8(oct_graph *g, int v, float range)
{
    g->values[v].dtype = OCT_U8;
    g->values[v].scale = range / 255.0f * test_uniform(0.6f, 1.4f);
    g->values[v].zero_point = test_below(3) ? between(0, 255) : between(100, 150);
}

static float u8_range(const oct_value *v) { return v->scale * 255.0f; }

static void maybe_clamp(oct_node *node)
{
    if (test_below(2))
        node->act = (oct_function){OCT_FN_CLAMP, 0, test_below(2) ? INFINITY : 0.5f};
}

/* ------------------------------------------------------------------------------------------- one node each ---- */

static int last_of(oct_graph *g, oct_op op, const oct_attrs *attrs, const int *in, int count)
{
    int out = OCT_NONE;
    char name[16];
    snprintf(name, sizeof name, "n%d", g->node_count);
    for (int i = 0; i < count; i++)
        if (in[i] == OCT_NONE && i < 2)
            return OCT_NONE;
    return oct_graph_add_node(g, op, name, attrs, in, count, &out) == OCT_OK ? out : OCT_NONE;
}

static void add_linear(oct_graph *g, oct_op op, const oct_attrs *attrs, int x, const oct_shape *w)
{
    const bool u8 = g->values[x].dtype == OCT_U8;
    const int64_t k = oct_shape_product(w, 1, w->rank);
    const int weights = u8 ? s8_constant(g, w) : f32_constant(g, w, 1.0f / sqrtf((float)k));
    int bias = OCT_NONE;
    if (test_below(2))
        bias = u8 ? s32_constant(g, w->dims[0]) : f32_constant(g, &(oct_shape){1, {w->dims[0]}}, 0.2f);
    const int y = last_of(g, op, attrs, (int[]){x, weights, bias}, 3);
    if (y == OCT_NONE)
        return;
    oct_node *node = &g->nodes[g->node_count - 1];
    const bool u8_out = test_below(3) != 0 && (u8 || test_below(2));
    if (u8_out)
        make_u8(g, y, u8 ? u8_range(&g->values[x]) * 0.01f * 75.0f * sqrtf((float)k) * 1.5f : 2.0f);
    maybe_clamp(node);
    if (!u8_out && test_below(4) == 0)
        node->act = (oct_function){OCT_FN_HARD_SWISH, 0, 0};
    /* A residual that happens to fit. */
    for (int v = 0; v < g->value_count - 1; v++)
        if (test_below(2) && !g->values[v].data && g->values[v].dtype == g->values[y].dtype && v != y && (u8 || !u8_out) &&
            oct_shape_equal(&g->values[v].shape, &g->values[y].shape)) {
            int *in = aligned_alloc(64, 64);
            memcpy(in, (int[]){x, weights, bias, v}, 4 * sizeof *in);
            free(node->in);
            node->in = in;
            node->in_count = 4;
            break;
        }
}

static void add_conv(oct_graph *g, oct_dtype dtype)
{
    const int x = any_value(g, dtype, true);
    if (x == OCT_NONE)
        return;
    const int channels = (int)g->values[x].shape.dims[3];
    oct_attrs a = {.conv = {.kernel = {between(1, 3), between(1, 3)}, .stride = {between(1, 2), between(1, 2)},
                            .dilation = {between(1, 2), between(1, 2)}, .groups = 1}};
    for (int i = 0; i < 4; i++)
        a.conv.pad[i] = between(0, 2);
    if (test_below(3) == 0)
        a.conv = (oct_conv_attrs){.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .groups = 1};
    int out = between(1, 24);
    if (test_below(3) == 0) {
        a.conv.groups = channels;
        out = channels * between(1, 2);
    } else if (channels % 2 == 0 && test_below(3) == 0) {
        a.conv.groups = 2;
        out = 2 * between(1, 12);
    }
    add_linear(g, OCT_OP_CONV, &a, x, &(oct_shape){4, {out, a.conv.kernel[0], a.conv.kernel[1], channels / a.conv.groups}});
}

static void add_dense(oct_graph *g, oct_dtype dtype)
{
    const int x = any_value(g, dtype, false);
    if (x == OCT_NONE || g->values[x].shape.rank == 0)
        return;
    add_linear(g, OCT_OP_DENSE, NULL, x, &(oct_shape){2, {between(1, 40), g->values[x].shape.dims[g->values[x].shape.rank - 1]}});
}

static void add_pool(oct_graph *g, oct_dtype dtype)
{
    const int x = any_value(g, dtype, true);
    if (x == OCT_NONE)
        return;
    oct_attrs a = {.pool = {.kernel = {between(1, 3), between(1, 3)}, .stride = {between(1, 2), between(1, 2)}, .dilation = {1, 1},
                            .count_include_pad = between(0, 1), .ceil_mode = between(0, 1)}};
    for (int i = 0; i < 4; i++)
        a.pool.pad[i] = between(0, a.pool.kernel[i & 1] - 1);
    const bool max = test_below(2);
    const int y = last_of(g, max ? OCT_OP_MAX_POOL : OCT_OP_AVERAGE_POOL, &a, &x, 1);
    if (y != OCT_NONE && !max && dtype == OCT_U8)
        make_u8(g, y, u8_range(&g->values[x]));
    if (y != OCT_NONE && !max)
        maybe_clamp(&g->nodes[g->node_count - 1]);
}

static void add_unary(oct_graph *g, oct_dtype dtype)
{
    static const oct_function functions[] = {
        {OCT_FN_CLAMP, 0, 6},
        {OCT_FN_LEAKY_RELU, 0.1f, 0},
        {OCT_FN_ELU, 1, 0},
        {OCT_FN_SIGMOID, 0, 0},
        {OCT_FN_HARD_SIGMOID, 0.2f, 0.5f},
        {OCT_FN_HARD_SWISH, 0, 0},
        {OCT_FN_SWISH, 0, 0},
        {OCT_FN_TANH, 0, 0},
        {OCT_FN_ERF, 0, 0},
        {OCT_FN_GELU, 0, 0},
        {OCT_FN_ABS, 0, 0},
        {OCT_FN_NEG, 0, 0},
    };
    const int x = any_value(g, dtype, false);
    oct_attrs a = {.unary = functions[test_below((uint32_t)TEST_COUNT(functions))]};
    const int y = last_of(g, OCT_OP_UNARY, &a, &x, 1);
    if (y != OCT_NONE && dtype == OCT_U8)
        make_u8(g, y, 2.0f);
}

static void add_binary(oct_graph *g, oct_dtype dtype)
{
    const int x = any_value(g, dtype, false);
    int y = any_value(g, dtype, false);
    if (x == OCT_NONE || y == OCT_NONE)
        return;
    if (dtype == OCT_F32 && test_below(2)) {
        oct_shape shape = g->values[x].shape;  /* a constant that is broadcast over some axes */
        for (int i = 0; i < shape.rank; i++)
            shape.dims[i] = test_below(2) ? 1 : shape.dims[i];
        y = f32_constant(g, &shape, 1.0f);
    }
    static const int32_t functions[] = {OCT_BINARY_ADD, OCT_BINARY_MUL, OCT_BINARY_SUB, OCT_BINARY_MIN, OCT_BINARY_MAX};
    oct_attrs a = {.binary = {functions[test_below(dtype == OCT_U8 ? 2 : 5)]}};
    const int out = last_of(g, OCT_OP_BINARY, &a, test_below(2) ? (int[]){x, y} : (int[]){y, x}, 2);
    if (out != OCT_NONE && dtype == OCT_U8) {
        const float rx = u8_range(&g->values[x]), ry = u8_range(&g->values[y]);
        make_u8(g, out, a.binary.fn == OCT_BINARY_ADD ? rx + ry : rx * ry);
    }
    if (out != OCT_NONE)
        maybe_clamp(&g->nodes[g->node_count - 1]);
}

static void add_reduce(oct_graph *g, oct_dtype dtype)
{
    const int x = any_value(g, dtype, false);
    if (x == OCT_NONE)
        return;
    oct_attrs a = {.reduce = {.fn = between(0, OCT_REDUCE_COUNT - 1), .axes = between(0, (1 << g->values[x].shape.rank) - 1),
                              .keep_dims = between(0, 1)}};
    if (test_below(2) && is_picture(g, x))
        a.reduce = (oct_reduce_attrs){.fn = OCT_REDUCE_MEAN, .axes = 6, .keep_dims = 1};
    const int y = last_of(g, OCT_OP_REDUCE, &a, &x, 1);
    if (y != OCT_NONE && dtype == OCT_U8)
        make_u8(g, y, u8_range(&g->values[x]));
}

static void add_concat(oct_graph *g, oct_dtype dtype)
{
    const int x = any_value(g, dtype, false);
    if (x == OCT_NONE || g->values[x].shape.rank == 0)
        return;
    oct_attrs a = {.axis = {between(0, g->values[x].shape.rank - 1)}};
    int in[3] = {x, x, x}, count = 1;
    for (int tries = 0; tries < 10 && count < 3; tries++) {
        const int other = any_value(g, dtype, false);
        if (other == OCT_NONE)
            continue;
        oct_shape shape = g->values[other].shape;
        if (shape.rank != g->values[x].shape.rank)
            continue;
        shape.dims[a.axis.axis] = g->values[x].shape.dims[a.axis.axis];
        if (oct_shape_equal(&shape, &g->values[x].shape))
            in[count++] = other;
    }
    const int y = last_of(g, OCT_OP_CONCAT, &a, in, count);
    if (y != OCT_NONE && dtype == OCT_U8 && test_below(3))
        make_u8(g, y, u8_range(&g->values[x]));
}

static void add_reshape(oct_graph *g, oct_dtype dtype)
{
    const int x = any_value(g, dtype, false);
    if (x == OCT_NONE)
        return;
    const oct_shape *shape = &g->values[x].shape;
    oct_attrs a = {.reshape = {.rank = 2, .dims = {1, (int32_t)oct_shape_elements(shape)}}};
    if (test_below(2) && shape->rank > 1) {
        a.reshape.rank = 4;
        a.reshape.dims[0] = 1;
        a.reshape.dims[1] = (int32_t)shape->dims[0];
        a.reshape.dims[2] = (int32_t)oct_shape_product(shape, 1, shape->rank - 1);
        a.reshape.dims[3] = (int32_t)shape->dims[shape->rank - 1];
    }
    last_of(g, OCT_OP_RESHAPE, &a, &x, 1);
}

static void add_transpose(oct_graph *g, oct_dtype dtype)
{
    const int x = any_value(g, dtype, false);
    if (x == OCT_NONE)
        return;
    oct_attrs a = {0};
    const int rank = g->values[x].shape.rank;
    for (int i = 0; i < rank; i++)
        a.transpose.perm[i] = i;
    for (int i = rank - 1; i > 0; i--) {
        const int other = between(0, i), kept = a.transpose.perm[i];
        a.transpose.perm[i] = a.transpose.perm[other];
        a.transpose.perm[other] = kept;
    }
    last_of(g, OCT_OP_TRANSPOSE, &a, &x, 1);
}

static void add_pad(oct_graph *g, oct_dtype dtype)
{
    const int x = any_value(g, dtype, false);
    oct_attrs a = {.pad = {.mode = between(0, OCT_PAD_COUNT - 1), .value = test_uniform(-1, 1)}};
    for (int i = 0; x != OCT_NONE && i < g->values[x].shape.rank; i++) {
        a.pad.before[i] = between(-1, 2);
        a.pad.after[i] = between(-1, 2);
    }
    last_of(g, OCT_OP_PAD, &a, &x, 1);
}

static void add_slice(oct_graph *g, oct_dtype dtype)
{
    const int x = any_value(g, dtype, false);
    oct_attrs a = {0};
    for (int i = 0; x != OCT_NONE && i < g->values[x].shape.rank; i++) {
        const int size = (int)g->values[x].shape.dims[i];
        a.slice.start[i] = between(0, size - 1);
        a.slice.step[i] = test_below(3) ? 1 : between(0, 1) ? 2 : -1;
        const int room = a.slice.step[i] > 0 ? size - 1 - a.slice.start[i] : a.slice.start[i];
        a.slice.count[i] = 1 + room / abs(a.slice.step[i]);
    }
    last_of(g, OCT_OP_SLICE, &a, &x, 1);
}

static void add_resize(oct_graph *g, oct_dtype dtype)
{
    const int x = any_value(g, dtype, true);
    if (x == OCT_NONE)
        return;
    oct_attrs a = {.resize = {.mode = between(0, OCT_RESIZE_MODES - 1), .place = between(0, OCT_PLACE_COUNT - 1),
                              .round = between(0, OCT_ROUND_COUNT - 1)}};
    for (int i = 0; i < 2; i++) {
        const int in = (int)g->values[x].shape.dims[1 + i];
        a.resize.size[i] = test_below(3) ? in * between(1, 3) : between(1, 12);
        /* Odd scales, so that no place is nearly half way between two pixels. */
        if (test_below(4) == 0)
            a.resize.scale[i] = (float)a.resize.size[i] / (float)in * test_uniform(1.0f, 1.1f);
    }
    last_of(g, OCT_OP_RESIZE, &a, &x, 1);
}

static void add_softmax(oct_graph *g)
{
    const int x = any_value(g, OCT_F32, false);
    if (x == OCT_NONE || g->values[x].shape.rank == 0)
        return;
    oct_attrs a = {.softmax = {.axis = between(0, g->values[x].shape.rank - 1), .log = between(0, 1)}};
    last_of(g, OCT_OP_SOFTMAX, &a, &x, 1);
}

static void add_matmul(oct_graph *g)
{
    const int a = any_value(g, OCT_F32, false), b = any_value(g, OCT_F32, false);
    if (a == OCT_NONE || b == OCT_NONE)
        return;
    if (last_of(g, OCT_OP_MATMUL, NULL, (int[]){a, b}, 2) != OCT_NONE || g->values[a].shape.rank < 2)
        return;
    /* Two values that fit are rare: a value with its own transpose. */
    oct_attrs turn = {0};
    const int rank = g->values[a].shape.rank;
    for (int i = 0; i < rank; i++)
        turn.transpose.perm[i] = i < rank - 2 ? i : 2 * rank - 3 - i;
    const int turned = last_of(g, OCT_OP_TRANSPOSE, &turn, &a, 1);
    last_of(g, OCT_OP_MATMUL, NULL, (int[]){a, turned}, 2);
}

static void add_conversion(oct_graph *g)
{
    const bool down = test_below(3) != 0;
    const int x = any_value(g, down && test_below(4) ? OCT_F32 : OCT_U8, false);
    const int y = last_of(g, down ? OCT_OP_QUANTIZE : OCT_OP_DEQUANTIZE, NULL, &x, 1);
    if (y != OCT_NONE && down)
        make_u8(g, y, g->values[x].dtype == OCT_U8 ? u8_range(&g->values[x]) : 2.0f);
}

static void add_any(oct_graph *g)
{
    const oct_dtype dtype = test_below(2) ? OCT_F32 : OCT_U8;
    switch (test_below(19)) {
    case 0: case 1: case 2: case 3: add_conv(g, dtype); break;
    case 4: case 5: add_dense(g, dtype); break;
    case 6: add_pool(g, dtype); break;
    case 7: add_unary(g, dtype); break;
    case 8: case 9: add_binary(g, dtype); break;
    case 10: add_reduce(g, dtype); break;
    case 11: add_concat(g, dtype); break;
    case 12: add_reshape(g, dtype); break;
    case 13: add_transpose(g, dtype); break;
    case 14: add_pad(g, dtype); break;
    case 15: add_slice(g, dtype); break;
    case 16: test_below(2) ? add_softmax(g) : add_matmul(g); break;
    case 17: add_resize(g, dtype); break;
    default: add_conversion(g); break;
    }
}

/* The last node made too much, or nothing: it goes again. */
static void drop_if_unusable(oct_graph *g)
{
    const oct_node *node = &g->nodes[g->node_count - 1];
    const int64_t elements = oct_shape_elements(&g->values[node->out[0]].shape);
    if (elements >= 1 && elements <= MOST_ELEMENTS)
        return;
    oct_graph_kill_node(g, g->node_count - 1);
    oct_graph_sweep(g);
}

oct_graph *random_graph(int nodes)
{
    oct_graph *g;
    if (oct_graph_create(&g) != OCT_OK)
        return NULL;
    const int inputs = between(1, 2);
    for (int i = 0; i < inputs; i++)
        oct_build_input(g, "input", &(oct_shape){4, {between(1, 2), between(1, 9), between(1, 9), between(1, 12)}});
    for (int tries = 0; g->node_count < nodes && tries < 40 * nodes; tries++) {
        const int before = g->node_count;
        add_any(g);
        if (g->node_count > before)
            drop_if_unusable(g);
    }
    for (int v = 0; v < g->value_count; v++)
        if (!g->values[v].data && g->values[v].producer >= 0 && oct_graph_uses(g, v) == 0)
            oct_graph_add_output(g, v);
    if (g->output_count == 0)
        oct_graph_add_output(g, g->inputs[0]);
    return g;
}

void *random_input(const oct_graph *graph, int index)
{
    const oct_value *value = &graph->values[graph->inputs[index]];
    const int64_t count = oct_shape_elements(&value->shape);
    uint8_t *data = malloc(oct_value_bytes(value));
    for (int64_t i = 0; i < count; i++) {
        if (value->dtype == OCT_F32)
            memcpy(data + 4 * i, &(float){test_uniform(-1, 1)}, 4);
        else
            data[i] = (uint8_t)test_below(256);
    }
    return data;
}

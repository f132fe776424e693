/* The memory plan, replayed: every step writes its marks into a model of the arena, and every step must find its inputs' marks
 * untouched. */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "model.h"
#include "octet_convert.h"
#include "random_graph.h"

/* byte -> the value that it holds a byte of; -1: nothing, -2 - n: scratch of step n */
typedef struct arena {
    const oct_graph *graph;
    const oct_plan *plan;
    int *bytes;
} arena;

/* The value whose bytes these really are: views are followed by the graph, not by the plan. */
static int original(const oct_graph *graph, int value)
{
    while (graph->values[value].producer >= 0 && graph->nodes[graph->values[value].producer].op == OCT_OP_RESHAPE)
        value = graph->nodes[graph->values[value].producer].in[0];
    return value;
}

static bool in_arena(const oct_graph *graph, int value) { return !graph->values[original(graph, value)].data; }

/* Where byte i of a value lies: rows may be further apart than they are long. */
static size_t byte_place(const arena *a, int value, size_t i)
{
    const oct_place *place = &a->plan->values[value];
    const oct_value *v = &a->graph->values[value];
    if (!place->row)
        return place->offset + i;
    const size_t row = (size_t)v->shape.dims[v->shape.rank - 1] * oct_dtype_size(v->dtype);
    return place->offset + i / row * place->row + i % row;
}

static void write_value(arena *a, int value)
{
    for (size_t i = 0; i < oct_value_bytes(&a->graph->values[value]); i++)
        a->bytes[byte_place(a, value, i)] = value;
}

/* Whether `whole` is a concatenation that `value` is a part of, or a part of a part, and lies where it belongs. */
static bool holds(const arena *a, int whole, int value)
{
    const oct_graph *graph = a->graph;
    const int n = whole >= 0 ? graph->values[whole].producer : -1;
    if (whole == original(graph, value))
        return true;
    for (int i = 0; n >= 0 && graph->nodes[n].op == OCT_OP_CONCAT && i < graph->nodes[n].in_count; i++)
        if (a->plan->values[graph->nodes[n].in[i]].part && holds(a, original(graph, graph->nodes[n].in[i]), value))
            return true;
    return false;
}

static bool intact(const arena *a, int value)
{
    for (size_t i = 0; in_arena(a->graph, value) && i < oct_value_bytes(&a->graph->values[value]); i++)
        if (!holds(a, a->bytes[byte_place(a, value, i)], value))
            return false;
    return true;
}

static bool inputs_intact(const arena *a, const oct_node *node)
{
    for (int i = 0; i < node->in_count; i++)
        if (node->in[i] >= 0 && !intact(a, node->in[i]))
            return false;
    return true;
}

/* After the output is written an input may be gone only if the output took its exact place, element for element. */
static bool overwriting_is_safe(const arena *a, const oct_node *node)
{
    const bool all = node->op == OCT_OP_UNARY || node->op == OCT_OP_BINARY || node->op == OCT_OP_QUANTIZE;
    const bool residual = node->op == OCT_OP_CONV || node->op == OCT_OP_DENSE;
    const int out = node->out[0];
    for (int i = 0; i < node->in_count; i++)
        if (node->in[i] >= 0 && !intact(a, node->in[i]) &&
            !((all || (residual && i == OCT_IN_RESIDUAL)) && a->plan->values[node->in[i]].offset == a->plan->values[out].offset &&
              !a->plan->values[out].row &&
              oct_value_bytes(&a->graph->values[node->in[i]]) == oct_value_bytes(&a->graph->values[out])))
            return false;
    return true;
}

/* A part that begins where the concatenation would copy it to lies there altogether, rows in step; the concatenation relies on
 * that. */
static bool parts_lie_right(const arena *a, const oct_node *node)
{
    const int axis = node->attrs.axis.axis, out = node->out[0];
    const oct_value *y = &a->graph->values[out];
    const size_t run = (size_t)oct_shape_product(&y->shape, axis, y->shape.rank) * oct_dtype_size(y->dtype);
    size_t offset = 0;
    for (int k = 0; k < node->in_count; k++) {
        const oct_shape *x = &a->graph->values[node->in[k]].shape;
        const size_t bytes = (size_t)oct_shape_product(x, axis, x->rank) * oct_dtype_size(y->dtype);
        const bool there = a->plan->values[node->in[k]].part && byte_place(a, node->in[k], 0) == byte_place(a, out, 0) + offset;
        for (size_t i = 0; there && i < oct_value_bytes(&a->graph->values[node->in[k]]); i++)
            if (byte_place(a, node->in[k], i) != byte_place(a, out, i / bytes * run + offset + i % bytes))
                return false;
        offset += bytes;
    }
    return true;
}

static void replay_step(arena *a, int n, size_t scratch_bytes)
{
    const oct_node *node = &a->graph->nodes[n];
    CHECK_MSG(inputs_intact(a, node), "step %d finds an input overwritten", n);
    for (size_t i = 0; i < scratch_bytes; i++)
        a->bytes[a->plan->scratch[n].offset + i] = -2 - n;
    CHECK_MSG(inputs_intact(a, node), "step %d: its scratch memory lies on an input", n);
    if (node->op == OCT_OP_RESHAPE) {
        CHECK_MSG(!in_arena(a->graph, node->in[0]) || byte_place(a, node->out[0], 0) == byte_place(a, node->in[0], 0),
                  "step %d: a view that lies elsewhere", n);
        return;
    }
    CHECK_MSG(node->op != OCT_OP_CONCAT || parts_lie_right(a, node), "step %d: a part does not lie where it belongs", n);
    write_value(a, node->out[0]);
    CHECK_MSG(overwriting_is_safe(a, node), "step %d (%s) overwrites an input", n, node->name);
    for (size_t i = 0; i < scratch_bytes; i++)
        CHECK_MSG(a->bytes[a->plan->scratch[n].offset + i] == -2 - n, "step %d: its output lies on its scratch memory", n);
}

/* Inputs are written before the first step and kept for the next run, outputs are there when the last step is done. */
static void replay(const oct_graph *graph, const oct_plan *plan, const size_t *scratch)
{
    arena a = {.graph = graph, .plan = plan, .bytes = malloc((plan->arena_bytes + 1) * sizeof(int))};
    for (size_t i = 0; i <= plan->arena_bytes; i++)
        a.bytes[i] = -1;
    for (int i = 0; i < graph->input_count; i++)
        write_value(&a, graph->inputs[i]);
    for (int n = 0; n < graph->node_count && !test_failed(); n++)
        replay_step(&a, n, scratch[n]);
    for (int i = 0; i < graph->output_count; i++)
        if (!test_failed() && !intact(&a, graph->outputs[i]))
            test_fail(__FILE__, __LINE__, "output %d is overwritten", i);
    for (int i = 0; i < graph->input_count; i++)
        if (!test_failed() && !intact(&a, graph->inputs[i]))
            test_fail(__FILE__, __LINE__, "input %d does not keep its value", i);
    free(a.bytes);
}

static void check_ends(const oct_graph *graph, const oct_plan *plan, const size_t *scratch)
{
    for (int v = 0; v < graph->value_count; v++)
        if (in_arena(graph, v))
            CHECK(plan->values[v].offset + oct_value_bytes(&graph->values[v]) <= plan->arena_bytes);
    for (int n = 0; n < graph->node_count; n++)
        CHECK(plan->scratch[n].offset + scratch[n] <= plan->arena_bytes);
    CHECK_MSG(plan->arena_bytes >= plan->arena_bound, "%zu bytes below the bound of %zu", plan->arena_bytes, plan->arena_bound);
}

static void nothing_alive_overlaps(void)
{
    for (int round = 0; round < 300 && !test_failed(); round++) {
        oct_plan plan;
        oct_graph *graph = random_graph(25);
        size_t scratch[64];
        CHECK(graph->node_count <= 64);
        for (int n = 0; n < graph->node_count; n++)
            scratch[n] = test_below(3) ? 0 : test_below(5000);
        CHECK_OK(oct_plan_make(graph, scratch, &plan));
        check_ends(graph, &plan, scratch);
        if (!test_failed())
            replay(graph, &plan, scratch);
        oct_plan_free(&plan);
        oct_graph_free(graph);
    }
}

/* --------------------------------------------------------------------------------- networks as they are ---- */

static float weights[64 * 9 * 256];

static int conv(oct_graph *g, int x, int out, int kernel, int stride, int groups)
{
    const oct_conv_desc desc = {.out_channels = out, .kernel = {kernel, kernel}, .stride = {stride, stride}, .groups = groups,
                                .pad = {kernel / 2, kernel / 2, kernel / 2, kernel / 2}};
    return oct_build_conv(g, "conv", x, &desc, weights, NULL);
}

/* Inverted residuals: expand, depthwise, project, add. */
static int mobile(oct_graph *g, int x)
{
    x = conv(g, x, 16, 3, 2, 1);
    for (int block = 0; block < 8; block++) {
        const int stride = block % 3 == 0 ? 2 : 1, channels = 16 + 8 * (block / 3);
        int y = oct_build_relu6(g, "relu", conv(g, x, 96, 1, 1, 1));
        y = oct_build_relu6(g, "relu", conv(g, y, 96, 3, stride, 96));
        y = conv(g, y, channels, 1, 1, 1);
        x = stride == 1 ? oct_build_add(g, "add", x, y) : y;
    }
    return x;
}

/* Bottlenecks with a shortcut that is projected where the size changes. */
static int residual(oct_graph *g, int x)
{
    x = oct_build_max_pool(g, "pool", conv(g, x, 32, 7, 2, 1), &(oct_pool_desc){.kernel = {2, 2}, .stride = {2, 2}});
    for (int block = 0; block < 6; block++) {
        const int stride = block % 2 ? 1 : 2, channels = 64 + 32 * (block / 2);
        const int shortcut = stride == 1 ? x : conv(g, x, channels, 1, 2, 1);
        int y = oct_build_relu(g, "relu", conv(g, x, 32, 1, 1, 1));
        y = oct_build_relu(g, "relu", conv(g, y, 32, 3, stride, 1));
        x = oct_build_relu(g, "relu", oct_build_add(g, "add", conv(g, y, channels, 1, 1, 1), shortcut));
    }
    return x;
}

/* Four branches and a concat. */
static int inception(oct_graph *g, int x)
{
    x = conv(g, x, 24, 3, 2, 1);
    for (int block = 0; block < 5; block++) {
        const int a = conv(g, x, 16, 1, 1, 1);
        const int b = conv(g, conv(g, x, 24, 1, 1, 1), 32, 3, 1, 1);
        const int c = conv(g, conv(g, conv(g, x, 8, 1, 1, 1), 16, 3, 1, 1), 16, 3, 1, 1);
        const int d =
            conv(g, oct_build_average_pool(g, "pool", x, &(oct_pool_desc){.kernel = {3, 3}, .pad = {1, 1, 1, 1}}), 16, 1, 1, 1);
        x = oct_build_concat(g, "concat", (int[]){a, b, c, d}, 4, 3);
    }
    return x;
}

/* Everything before is an input of everything after. */
static int dense_net(oct_graph *g, int x)
{
    x = conv(g, x, 16, 3, 2, 1);
    for (int layer = 0; layer < 8; layer++)
        x = oct_build_concat(g, "concat", (int[]){x, conv(g, conv(g, x, 32, 1, 1, 1), 12, 3, 1, 1)}, 2, 3);
    return x;
}

static void arenas_are_near_the_bound(void)
{
    static int (*const networks[])(oct_graph *, int) = {mobile, residual, inception, dense_net};
    for (int i = 0; i < TEST_COUNT(networks); i++) {
        oct_graph *graph;
        oct_model *model;
        oct_session *session;
        oct_session_info info;
        CHECK_OK(oct_graph_create(&graph));
        const int x = oct_build_input(graph, "x", &(oct_shape){4, {1, 64, 64, 3}});
        oct_build_output(graph, "y", oct_build_global_average_pool(graph, "mean", networks[i](graph, x)));
        CHECK_OK(oct_graph_status(graph));
        CHECK_OK(oct_model_from_graph(graph, &model));
        CHECK_OK(oct_session_create(model, &(oct_options){.isa = test_isa(), .threads = 1}, &session));
        CHECK_OK(oct_session_describe(session, &info));
        CHECK(info.arena_bound > 0 && info.arena_bytes >= info.arena_bound);
        CHECK_MSG((double)info.arena_bytes <= 1.10 * (double)info.arena_bound,
                  "network %d: an arena of %zu bytes for a bound of %zu", i, info.arena_bytes, info.arena_bound);
        oct_session_free(session);
        oct_model_free(model);
        oct_graph_free(graph);
    }
}

static const test_case cases[] = {
    {"nothing_alive_overlaps", nothing_alive_overlaps},
    {"arenas_are_near_the_bound", arenas_are_near_the_bound},
};

static void __attribute__((constructor)) add_suite(void) { test_register("plan", cases, TEST_COUNT(cases)); }

/* Passes that press several nodes into one: padding into windows, additions and clamps into the nodes that can do them as they
 * write. */
#include <math.h>

#include "memory.h"
#include "operators.h"
#include "optimize.h"
#include "status.h"

/* ------------------------------------------------------------------------------------------------ merge-pads ---- */

/* Zeros around height and width only, and no cropping. */
static bool is_zero_border(const oct_graph *graph, const oct_node *pad)
{
    if (graph->values[pad->in[0]].shape.rank != 4 || pad->attrs.pad.mode != OCT_PAD_CONSTANT || pad->attrs.pad.value != 0)
        return false;
    const int32_t *before = pad->attrs.pad.before, *after = pad->attrs.pad.after;
    return !before[0] && !before[3] && !after[0] && !after[3] && before[1] >= 0 && before[2] >= 0 && after[1] >= 0 && after[2] >= 0;
}

/* The window's padding with the border's added: top, left, bottom, right. */
static void add_border(const oct_node *pad, int32_t *window_pad)
{
    for (int i = 0; i < 2; i++) {
        window_pad[i] += pad->attrs.pad.before[1 + i];
        window_pad[2 + i] += pad->attrs.pad.after[1 + i];
    }
}

/* An average counts zeros of the border like any element; its own padding counts only if the node says so. So the two can be
 * put together if both count (or there is no padding of its own), and no window lies in the padding altogether, which pooling
 * does not allow. */
static bool average_takes_border(const oct_node *pool, const oct_node *pad)
{
    const oct_pool_attrs *a = &pool->attrs.pool;
    int32_t sum[4] = {a->pad[0], a->pad[1], a->pad[2], a->pad[3]};
    const bool own = sum[0] || sum[1] || sum[2] || sum[3];
    add_border(pad, sum);
    for (int i = 0; i < 4; i++)
        if (sum[i] > a->dilation[i & 1] * (a->kernel[i & 1] - 1))
            return false;
    return !a->ceil_mode && (!own || a->count_include_pad);
}

/* A convolution's own padding is zeros too, so the two add up. */
oct_status oct_pass_merge_pads(oct_graph *graph, int *changes)
{
    for (int n = 0; n < graph->node_count; n++) {
        oct_node *node = &graph->nodes[n];
        const bool is_pool = node->op == OCT_OP_AVERAGE_POOL;
        const oct_node *pad = is_pool || node->op == OCT_OP_CONV ? oct_producer_of(graph, node->in[0], OCT_OP_PAD) : NULL;
        if (!pad || !is_zero_border(graph, pad) || (is_pool && !average_takes_border(node, pad)))
            continue;
        add_border(pad, is_pool ? node->attrs.pool.pad : node->attrs.conv.pad);
        if (is_pool)
            node->attrs.pool.count_include_pad = 1;
        node->in[0] = pad->in[0];
        ++*changes;
    }
    return OCT_OK;
}

/* ---------------------------------------------------------------------------------------------- fuse-residual ---- */

/* Whether conv or dense n could add something to each of its outputs before its activation: nothing else reads the bare sum. */
static bool can_take_residual(const oct_graph *graph, int n, int add)
{
    const oct_node *node = n < 0 ? NULL : &graph->nodes[n];
    if (!node || (node->op != OCT_OP_CONV && node->op != OCT_OP_DENSE) || oct_conv_is_depthwise(graph, node))
        return false;
    return node->act.fn == OCT_FN_NONE && oct_node_input(node, OCT_IN_RESIDUAL) < 0 &&
           oct_graph_single_user(graph, node->out[0]) == add;
}

/* Marks in `needed` every node that `value` depends on. Nodes stand in topological order here. */
static void mark_ancestors(const oct_graph *graph, int value, bool *needed)
{
    const int last = graph->values[value].producer;
    if (last < 0)
        return;
    needed[last] = true;
    for (int n = last; n >= 0; n--)
        for (int i = 0; needed[n] && i < graph->nodes[n].in_count; i++) {
            const int v = graph->nodes[n].in[i];
            if (v >= 0 && graph->values[v].producer >= 0)
                needed[graph->values[v].producer] = true;
        }
}

/* Fuses add(n's output, other) into n unless `other` itself needs n. */
static oct_status take_residual(oct_graph *graph, int n, int add, int other, bool *done)
{
    bool *needed = oct_alloc((size_t)graph->node_count, sizeof *needed);
    *done = false;
    if (!needed)
        return oct_fail_memory((size_t)graph->node_count);
    mark_ancestors(graph, other, needed);
    const bool cycle = needed[n];
    oct_free(needed);
    if (cycle)
        return OCT_OK;
    oct_node *node = &graph->nodes[n];
    OCT_TRY(oct_node_reserve_inputs(node, OCT_IN_RESIDUAL + 1));
    node->in[OCT_IN_RESIDUAL] = other;
    node->act = graph->nodes[add].act;
    oct_replace_value(graph, graph->nodes[add].out[0], node->out[0], done);
    return OCT_OK;
}

/* *upset: the addend is computed behind the node that adds it now, so the nodes need sorting. */
static oct_status fuse_addition(oct_graph *graph, int add, int *changes, bool *upset)
{
    const oct_node *node = &graph->nodes[add];
    const int a = node->in[0], b = node->in[1];
    if (!oct_shape_equal(&graph->values[a].shape, &graph->values[b].shape) || graph->values[a].data || graph->values[b].data ||
        graph->values[a].dtype != OCT_F32)   /* bytes have been rounded before the addition */
        return OCT_OK;
    const int na = graph->values[a].producer, nb = graph->values[b].producer;
    /* The later of two candidates first: what it adds has then been computed already. */
    const bool a_first = na > nb;
    const int tries[2][2] = {{a_first ? na : nb, a_first ? b : a}, {a_first ? nb : na, a_first ? a : b}};
    for (int i = 0; i < 2; i++) {
        bool done = false;
        if (!can_take_residual(graph, tries[i][0], add))
            continue;
        OCT_TRY(take_residual(graph, tries[i][0], add, tries[i][1], &done));
        if (!done)
            continue;
        oct_graph_kill_node(graph, add);
        *upset = graph->values[tries[i][1]].producer > tries[i][0];
        ++*changes;
        break;
    }
    return OCT_OK;
}

/* y = act(conv + bias + residual): the addition costs nothing where the sums are written anyway (He et al., "Deep Residual
 * Learning", 2016, has one in every block). */
oct_status oct_pass_fuse_residual(oct_graph *graph, int *changes)
{
    bool upset = false;   /* then the driver sorts and comes back */
    for (int n = 0; n < graph->node_count && !upset; n++)
        if (graph->nodes[n].op == OCT_OP_BINARY && graph->nodes[n].attrs.binary.fn == OCT_BINARY_ADD)
            OCT_TRY(fuse_addition(graph, n, changes, &upset));
    return OCT_OK;
}

/* -------------------------------------------------------------------------------------------- fuse-activation ---- */

static float clamped(const oct_function *clamp, float x) { return oct_function_eval(clamp, x); }

/* outer(inner(x)) as one clamp: the outer one applied to the inner one's bounds. */
static oct_function both_clamps(const oct_function *inner, const oct_function *outer)
{
    return (oct_function){OCT_FN_CLAMP, clamped(outer, inner->alpha), clamped(outer, inner->beta)};
}

/* Where node n keeps the clamp it applies last, or could keep one; NULL if it cannot. */
static oct_function *clamp_place(oct_graph *graph, int n)
{
    oct_node *node = &graph->nodes[n];
    if (node->op == OCT_OP_UNARY)
        return node->attrs.unary.fn == OCT_FN_CLAMP ? &node->attrs.unary : NULL;
    if (!oct_operator_of(node->op) || !oct_operator_of(node->op)->fuses_activation)
        return NULL;
    return node->act.fn == OCT_FN_NONE || node->act.fn == OCT_FN_CLAMP ? &node->act : NULL;
}

/* Operators that only pick or move elements: a clamp may as well come before them. Padding adds elements of its own. */
static bool commutes_with_clamp(const oct_node *node)
{
    if (node->op == OCT_OP_RESIZE)
        return node->attrs.resize.mode == OCT_RESIZE_NEAREST;
    return node->op == OCT_OP_MAX_POOL || node->op == OCT_OP_RESHAPE || node->op == OCT_OP_TRANSPOSE || node->op == OCT_OP_SLICE;
}

/* Walks up from the clamp past nodes that commute with it to one that takes it; each value on the way has the next node as its
 * only reader. Returns that place, or NULL. */
static oct_function *find_clamp_place(oct_graph *graph, int clamp)
{
    int reader = clamp;
    for (;;) {
        const int v = graph->nodes[reader].in[0], n = graph->values[v].producer;
        if (n < 0 || oct_graph_single_user(graph, v) != reader)
            return NULL;
        oct_function *place = clamp_place(graph, n);
        if (place || !commutes_with_clamp(&graph->nodes[n]))
            return place;
        reader = n;
    }
}

/* Convolutions and dense layers apply any function to what they have just written, while it is near. Only f32 results: bytes
 * would need a scale for the value before the function. */
static oct_function *find_function_place(oct_graph *graph, int unary)
{
    const int v = graph->nodes[unary].in[0], n = graph->values[v].producer;
    if (n < 0 || oct_graph_single_user(graph, v) != unary || graph->nodes[n].act.fn != OCT_FN_NONE)
        return NULL;
    return graph->nodes[n].op == OCT_OP_CONV || graph->nodes[n].op == OCT_OP_DENSE ? &graph->nodes[n].act : NULL;
}

/* One after the other: a clamp of a clamp of a convolution goes in two steps. */
oct_status oct_pass_fuse_activation(oct_graph *graph, int *changes)
{
    for (int n = 0; n < graph->node_count; n++) {
        const oct_node *node = &graph->nodes[n];
        if (node->op != OCT_OP_UNARY || graph->values[node->in[0]].dtype != OCT_F32)
            continue;
        const oct_function function = node->attrs.unary;
        const bool is_clamp = function.fn == OCT_FN_CLAMP;
        oct_function *place = is_clamp ? find_clamp_place(graph, n) : find_function_place(graph, n);
        if (!place)
            continue;
        bool done;
        oct_bypass_node(graph, n, &done);
        if (done)
            *place = place->fn == OCT_FN_NONE ? function : both_clamps(place, &function);
        *changes += done;
    }
    return OCT_OK;
}

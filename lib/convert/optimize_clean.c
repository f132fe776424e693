/* Passes that only take away: dead nodes, identities, chains of reshapes, double work.
 *
 * Files written by training frameworks are full of such nodes (a dropout that became nothing, a reshape to the shape there
 * was); besides, the other passes leave them behind and rely on this one. */
#include <math.h>
#include <string.h>

#include "optimize.h"
#include "status.h"

/* ------------------------------------------------------------------------------------------------ drop-dead ---- */

/* Sweeping is what the driver does after every pass anyway; here it is counted. */
oct_status oct_pass_drop_dead(oct_graph *graph, int *changes)
{
    const int gone = oct_graph_sweep(graph);
    if (gone < 0)
        return oct_fail(OCT_ERR_MEMORY, "out of memory while dropping dead nodes");
    *changes += gone;
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------ drop-identities ---- */

static bool clamps_nothing(const oct_function *f) { return f->fn == OCT_FN_CLAMP && f->alpha == -INFINITY && f->beta == INFINITY; }

static bool pads_nothing(const oct_node *node, int rank)
{
    for (int i = 0; i < rank; i++)
        if (node->attrs.pad.before[i] != 0 || node->attrs.pad.after[i] != 0)
            return false;
    return true;
}

/* The step of an axis with one element does not matter. */
static bool slices_all(const oct_node *node, const oct_shape *x)
{
    for (int i = 0; i < x->rank; i++)
        if (node->attrs.slice.count[i] != x->dims[i] || (x->dims[i] > 1 && node->attrs.slice.step[i] != 1))
            return false;
    return true;
}

/* A window of one element, at every place. */
static bool pools_nothing(const oct_pool_attrs *a)
{
    return a->kernel[0] == 1 && a->kernel[1] == 1 && a->stride[0] == 1 && a->stride[1] == 1 && !a->pad[0] && !a->pad[1] &&
           !a->pad[2] && !a->pad[3];
}

/* The same size. A scale of 1, or of the sizes, puts every output pixel onto its input pixel, but for the mode that is half a pixel
 * off. */
static bool resizes_nothing(const oct_resize_attrs *a, const oct_shape *x)
{
    for (int i = 0; i < 2; i++)
        if (a->size[i] != x->dims[1 + i] || (a->scale[i] != 0 && a->scale[i] != 1))
            return false;
    return a->place != OCT_PLACE_HALF_PIXEL_FOR_NN;
}

static bool all_equal(const oct_graph *graph, int value, float number)
{
    const float *data = oct_f32_constant(graph, value);
    const int64_t count = data ? oct_shape_elements(&graph->values[value].shape) : 0;
    for (int64_t i = 0; i < count; i++)
        if (data[i] != number)
            return false;
    return count > 0;
}

/* x + 0, x - 0, x * 1, x / 1, 0 + x, 1 * x; returns the place of x among the inputs, -1 if it is none of these. x + 0 turns -0
 * into 0, which nothing here distinguishes. */
static int neutral_operand(const oct_graph *graph, const oct_node *node)
{
    const int32_t fn = node->attrs.binary.fn;
    const bool sum = fn == OCT_BINARY_ADD || fn == OCT_BINARY_SUB, product = fn == OCT_BINARY_MUL || fn == OCT_BINARY_DIV;
    if (!sum && !product)
        return -1;
    if (all_equal(graph, node->in[1], sum ? 0.0f : 1.0f))
        return 0;
    return (fn == OCT_BINARY_ADD || fn == OCT_BINARY_MUL) && all_equal(graph, node->in[0], sum ? 0.0f : 1.0f) ? 1 : -1;
}

/* The place of the input that the node hands on unchanged, -1 if it does something. */
static int identity_of(const oct_graph *graph, const oct_node *node)
{
    const oct_shape *x = &graph->values[node->in[0]].shape;
    const oct_perm perm = node->op == OCT_OP_TRANSPOSE ? oct_perm_of(graph, node) : (oct_perm){0};
    bool same = false;
    switch (node->op) {
    case OCT_OP_RESHAPE: same = true; break;   /* the shape is compared below */
    case OCT_OP_TRANSPOSE: same = oct_perm_is_identity(&perm); break;
    case OCT_OP_UNARY: same = clamps_nothing(&node->attrs.unary); break;
    case OCT_OP_PAD: same = pads_nothing(node, x->rank); break;
    case OCT_OP_SLICE: same = slices_all(node, x); break;
    case OCT_OP_CONCAT: same = node->in_count == 1; break;
    case OCT_OP_MAX_POOL:
    case OCT_OP_AVERAGE_POOL: same = pools_nothing(&node->attrs.pool); break;
    case OCT_OP_RESIZE: same = resizes_nothing(&node->attrs.resize, x); break;
    case OCT_OP_REDUCE: same = node->attrs.reduce.axes == 0; break;
    case OCT_OP_BINARY: return neutral_operand(graph, node);
    default: break;
    }
    return same ? 0 : -1;
}

/* A reduction over axes of length 1 is a reshape. */
static bool reduces_nothing(const oct_graph *graph, const oct_node *node)
{
    const oct_shape *x = &graph->values[node->in[0]].shape, *y = &graph->values[node->out[0]].shape;
    return node->op == OCT_OP_REDUCE && node->attrs.reduce.axes != 0 && oct_shape_elements(x) == oct_shape_elements(y) &&
           oct_shape_elements(x) > 0;
}

/* In place: same input, same output value. */
static void become_reshape(oct_graph *graph, oct_node *node)
{
    const oct_shape *y = &graph->values[node->out[0]].shape;
    node->op = OCT_OP_RESHAPE;
    memset(&node->attrs, 0, sizeof node->attrs);
    node->attrs.reshape.rank = y->rank;
    for (int i = 0; i < y->rank; i++)
        node->attrs.reshape.dims[i] = (int32_t)y->dims[i];
}

/* An identity stays where both its ends are known to the outside under different names: from input to output, or between two
 * outputs. */
oct_status oct_pass_drop_identities(oct_graph *graph, int *changes)
{
    for (int n = 0; n < graph->node_count; n++) {
        oct_node *node = &graph->nodes[n];
        bool done = false;
        if (node->op == OCT_OP_NONE)
            continue;
        if (clamps_nothing(&node->act)) {
            node->act = (oct_function){0};
            ++*changes;
        }
        if (node->in_count > 0 && !oct_same_numbers(graph, node->in[0], node->out[0]))
            continue;
        if (reduces_nothing(graph, node)) {
            become_reshape(graph, node);
            ++*changes;
        }
        const int i = node->act.fn == OCT_FN_NONE ? identity_of(graph, node) : -1;
        if (i < 0 || !oct_shape_equal(&graph->values[node->in[i]].shape, &graph->values[node->out[0]].shape))
            continue;
        oct_replace_value(graph, node->out[0], node->in[i], &done);
        if (done)
            oct_graph_kill_node(graph, n);
        *changes += done;
    }
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------- merge-reshapes ---- */

/* The later shape is all that counts. The earlier reshape stays as long as somebody else reads it. */
oct_status oct_pass_merge_reshapes(oct_graph *graph, int *changes)
{
    for (int n = 0; n < graph->node_count; n++) {
        oct_node *node = &graph->nodes[n];
        const oct_node *before = node->op == OCT_OP_RESHAPE ? oct_producer_of(graph, node->in[0], OCT_OP_RESHAPE) : NULL;
        if (before) {
            node->in[0] = before->in[0];
            ++*changes;
        }
    }
    return OCT_OK;
}

/* ---------------------------------------------------------------------------------------------- merge-equal ---- */

static bool equal_functions(const oct_function *a, const oct_function *b)
{
    return a->fn == b->fn && (a->fn == OCT_FN_NONE || (a->alpha == b->alpha && a->beta == b->beta));
}

/* Attributes are zeroed before they are filled in, so bytes can be compared. Weights are the same only if they are the same
 * value. */
static bool equal_nodes(const oct_node *a, const oct_node *b)
{
    if (a->op != b->op || a->in_count != b->in_count || !equal_functions(&a->act, &b->act))
        return false;
    return memcmp(a->in, b->in, (size_t)a->in_count * sizeof *a->in) == 0 && memcmp(&a->attrs, &b->attrs, sizeof a->attrs) == 0;
}

/* Every pair; most differ in the operator at once. Importers make equal nodes in plenty: a transpose for each reader of a value. */
oct_status oct_pass_merge_equal_nodes(oct_graph *graph, int *changes)
{
    for (int n = 0; n < graph->node_count; n++)
        for (int m = 0; m < n; m++) {
            bool done = false;
            if (graph->nodes[n].op == OCT_OP_NONE || !equal_nodes(&graph->nodes[m], &graph->nodes[n]) ||
                !oct_same_numbers(graph, graph->nodes[n].out[0], graph->nodes[m].out[0]))
                continue;
            oct_replace_value(graph, graph->nodes[n].out[0], graph->nodes[m].out[0], &done);
            if (done)
                oct_graph_kill_node(graph, n);
            *changes += done;
            break;
        }
    return OCT_OK;
}

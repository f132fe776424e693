/* Transposes that meet: pairs become one or none; reductions and dense layers do the work of the one before them.
 * optimize_layout.c is about those that have something in between. */
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "optimize.h"
#include "status.h"

/* ----------------------------------------------------------------------------------------- merge-transposes ---- */

/* transpose(transpose(x)) becomes one transpose of x; the inner one stays as long as others read it. */
static void merge_pair(oct_graph *graph, oct_node *outer, const oct_node *inner)
{
    const oct_perm first = oct_perm_of(graph, inner), second = oct_perm_of(graph, outer), both = oct_perm_then(&first, &second);
    outer->attrs = oct_perm_attrs(&both);
    outer->in[0] = inner->in[0];
}

/* How a reshape takes axes apart or together. Groups of neighbouring axes of x, each of which is one axis of y (or the other
 * way round): 2x12x5 and 2x3x4x5 have the groups {2|2} {12|3 4} {5|5}. Fills group_x[i] and group_y[i] with each axis' group;
 * returns the number of groups, or -1 if x and y have a group in which both sides have more than one axis. */
static int reshape_groups(const oct_shape *x, const oct_shape *y, int *group_x, int *group_y)
{
    int i = 0, j = 0, groups = 0;
    while (i < x->rank && j < y->rank) {
        int64_t a = x->dims[i], b = y->dims[j];
        const int i0 = i, j0 = j;
        group_x[i++] = groups;
        group_y[j++] = groups;
        while (a != b) {
            if (a < b && i < x->rank) {
                a *= x->dims[i];
                group_x[i++] = groups;
            } else if (b < a && j < y->rank) {
                b *= y->dims[j];
                group_y[j++] = groups;
            } else {
                return -1;
            }
        }
        if (i - i0 > 1 && j - j0 > 1)
            return -1;
        groups++;
    }
    return i == x->rank && j == y->rank ? groups : -1;
}

/* The same order of groups for tensors whose axes belong to them: `order` names the groups from first to last. */
static void spread_groups(const int *order, int groups, const int *group, int rank, oct_perm *p)
{
    p->rank = 0;
    for (int g = 0; g < groups; g++)
        for (int i = 0; i < rank; i++)
            if (group[i] == order[g])
                p->axis[p->rank++] = i;
}

/* reshape(transpose(x, p)) = transpose(reshape'(x), q), where the reshape only splits axes (or only merges those that x has
 * side by side and in order). Computes shape' and q; false where there are none. */
static bool swap_reshape_down(const oct_shape *x, const oct_perm *p, const oct_shape *y, oct_shape *middle, oct_perm *q)
{
    int group_v[OCT_MAX_RANK], group_y[OCT_MAX_RANK], order[OCT_MAX_RANK], seen = 0;
    const oct_shape v = oct_perm_shape(p, x);
    const int groups = reshape_groups(&v, y, group_v, group_y);
    const oct_perm back = oct_perm_inverse(p);
    if (groups < 0)
        return false;
    /* Walk x's axes: each group must turn up as one run with its axes in order. */
    for (int i = 0; i < x->rank; i++) {
        const int at = back.axis[i], g = group_v[at];
        if (i > 0 && g == group_v[back.axis[i - 1]]) {
            if (back.axis[i - 1] != at - 1)
                return false;
            continue;
        }
        for (int s = 0; s < seen; s++)
            if (order[s] == g)
                return false;
        order[seen++] = g;
    }
    oct_perm to_middle;
    spread_groups(order, groups, group_y, y->rank, &to_middle);
    *middle = oct_perm_shape(&to_middle, y);
    *q = oct_perm_inverse(&to_middle);
    return true;
}

/* Appends reshape(x). */
static oct_status add_reshape(oct_graph *graph, int x, const oct_shape *shape, int *out)
{
    oct_attrs attrs = {.reshape = {.rank = shape->rank}};
    for (int i = 0; i < shape->rank; i++)
        attrs.reshape.dims[i] = (int32_t)shape->dims[i];
    return oct_graph_add_node(graph, OCT_OP_RESHAPE, graph->values[x].name, &attrs, &x, 1, out);
}

/* transpose -> reshape -> transpose, each read by the next alone: the first transpose goes through the reshape and meets the second
 * (channel shuffles are built like this). */
static oct_status merge_across_reshape(oct_graph *graph, int n, bool *done)
{
    const int reshape = graph->values[graph->nodes[n].in[0]].producer;
    *done = false;
    if (reshape < 0 || graph->nodes[reshape].op != OCT_OP_RESHAPE ||
        oct_graph_single_user(graph, graph->nodes[reshape].out[0]) != n)
        return OCT_OK;
    const oct_node *first = oct_producer_of(graph, graph->nodes[reshape].in[0], OCT_OP_TRANSPOSE);
    if (!first || oct_graph_single_user(graph, first->out[0]) != reshape)
        return OCT_OK;
    const int x = first->in[0];
    const oct_perm p = oct_perm_of(graph, first), last = oct_perm_of(graph, &graph->nodes[n]);
    oct_shape middle;
    oct_perm q;
    if (swap_reshape_down(&graph->values[x].shape, &p, &graph->values[graph->nodes[n].in[0]].shape, &middle, &q)) {
        const oct_perm both = oct_perm_then(&q, &last);
        int reshaped;
        OCT_TRY(add_reshape(graph, x, &middle, &reshaped));
        graph->nodes[n].in[0] = reshaped;
        graph->nodes[n].attrs = oct_perm_attrs(&both);
        *done = true;
        return OCT_OK;
    }
    /* The other way: the last transpose goes up. reshape(v) = y, so v = reshape(y), and the same rule read backwards applies. */
    const oct_perm up = oct_perm_inverse(&last);
    const oct_shape v = graph->values[first->out[0]].shape, z = graph->values[graph->nodes[n].out[0]].shape;
    if (!swap_reshape_down(&z, &up, &v, &middle, &q))
        return OCT_OK;
    /* v = transpose(middle, q), so middle = transpose(v, q^-1). */
    const oct_perm down = oct_perm_inverse(&q), both = oct_perm_then(&p, &down);
    int turned, reshaped;
    OCT_TRY(oct_add_transpose(graph, x, &both, &turned));
    OCT_TRY(add_reshape(graph, turned, &z, &reshaped));
    oct_replace_value(graph, graph->nodes[n].out[0], reshaped, done);
    return OCT_OK;
}

/* A transpose that has become an identity goes at once: optimize_layout.c counts on that. */
oct_status oct_pass_merge_transposes(oct_graph *graph, int *changes)
{
    const int count = graph->node_count;
    for (int n = 0; n < count; n++) {
        bool done = false;
        if (graph->nodes[n].op != OCT_OP_TRANSPOSE)
            continue;
        const oct_node *inner = oct_producer_of(graph, graph->nodes[n].in[0], OCT_OP_TRANSPOSE);
        if (inner)
            merge_pair(graph, &graph->nodes[n], inner);
        else
            OCT_TRY(merge_across_reshape(graph, n, &done));
        *changes += inner || done;
        const oct_perm p = oct_perm_of(graph, &graph->nodes[n]);
        if (graph->nodes[n].op == OCT_OP_TRANSPOSE && oct_perm_is_identity(&p)) {
            oct_bypass_node(graph, n, &done);
            *changes += done;
        }
    }
    return OCT_OK;
}

/* --------------------------------------------------------------------------------------- reshape-transposes ---- */

/* Only when no more transposes can be saved (phase 2): a reshape would be in the way of those that still move. */
oct_status oct_pass_transposes_to_reshapes(oct_graph *graph, int *changes)
{
    for (int n = 0; n < graph->node_count; n++) {
        oct_node *node = &graph->nodes[n];
        if (node->op != OCT_OP_TRANSPOSE)
            continue;
        const oct_perm p = oct_perm_of(graph, node);
        if (!oct_perm_moves_nothing(&p, &graph->values[node->in[0]].shape))
            continue;
        const oct_shape *y = &graph->values[node->out[0]].shape;
        oct_attrs attrs = {.reshape = {.rank = y->rank}};
        for (int i = 0; i < y->rank; i++)
            attrs.reshape.dims[i] = (int32_t)y->dims[i];
        node->op = OCT_OP_RESHAPE;
        node->attrs = attrs;
        ++*changes;
    }
    return OCT_OK;
}

/* ---------------------------------------------------------------------------------------- absorb-transposes ----
 *
 *   x --transpose p--> v --reduce-->            becomes   x --reduce over the axes' old places-->
 *   x --transpose p--> v --flatten--> dense     becomes   x --flatten--> dense with permuted columns
 */

/* What is reduced has no order. The axes that are left must come out in the order they have in x; with keep_dims the reduction
 * is part of a group instead (optimize_layout.c). */
static bool reduce_absorbs(const oct_node *reduce, const oct_perm *p)
{
    int last = -1;
    for (int i = 0; i < p->rank; i++) {
        if (reduce->attrs.reduce.axes >> i & 1)
            continue;
        if (p->axis[i] < last)
            return false;
        last = p->axis[i];
    }
    return !reduce->attrs.reduce.keep_dims;
}

/* How many leading axes of v the reshape to y keeps as they are (or merges among themselves) before it flattens the others
 * into y's last axis; -1 if the reshape is something else. */
static int flattened_from(const oct_shape *v, const oct_shape *y)
{
    if (y->rank < 1)
        return -1;
    int from = v->rank;
    int64_t product = 1;
    while (from > 0 && product < y->dims[y->rank - 1])
        product *= v->dims[--from];
    return product == y->dims[y->rank - 1] ? from : -1;
}

/* All readers of the flattened value are dense layers that multiply it with constants. */
static bool only_dense_reads(const oct_graph *graph, int value)
{
    int uses = 0;
    for (int n = 0; n < graph->node_count; n++) {
        const oct_node *node = &graph->nodes[n];
        if (node->op == OCT_OP_DENSE && node->in[OCT_IN_X] == value && oct_f32_constant(graph, node->in[OCT_IN_W]))
            uses++;
    }
    return uses > 0 && uses == oct_graph_uses(graph, value);
}

/* The axes in front of the flattened ones must be where they were, or the rows would change places as well. */
static bool flatten_absorbs(const oct_graph *graph, const oct_node *reshape, const oct_perm *p)
{
    const oct_shape *v = &graph->values[reshape->in[0]].shape;
    const int from = flattened_from(v, &graph->values[reshape->out[0]].shape);
    for (int i = 0; i < from; i++)
        if (p->axis[i] != i)
            return false;
    return from >= 0 && only_dense_reads(graph, reshape->out[0]);
}

bool oct_absorbs_transpose(const oct_graph *graph, int n, const oct_perm *p)
{
    const oct_node *node = &graph->nodes[n];
    if (node->op == OCT_OP_REDUCE)
        return reduce_absorbs(node, p);
    return node->op == OCT_OP_RESHAPE && flatten_absorbs(graph, node, p);
}

/* Column j of the weights belongs to element j of the flattened v; in x's order these elements stand elsewhere. Both are the axes
 * from `from` on, so the columns of each row are transposed back like a small tensor. */
static oct_status permute_columns(oct_graph *graph, int dense, const oct_perm *p, const oct_shape *v, int from)
{
    oct_shape tail = {.rank = v->rank - from};
    oct_perm back = {.rank = tail.rank};
    const oct_perm inverse = oct_perm_inverse(p);
    for (int i = 0; i < tail.rank; i++) {
        tail.dims[i] = v->dims[from + i];
        back.axis[i] = inverse.axis[from + i] - from;
    }
    float *w;
    OCT_TRY(oct_own_constant(graph, dense, OCT_IN_W, &w));
    const oct_shape *shape = &graph->values[graph->nodes[dense].in[OCT_IN_W]].shape;
    float *row = oct_alloc((size_t)shape->dims[1], sizeof *row);
    if (!row)
        return oct_fail_memory((size_t)shape->dims[1] * sizeof *row);
    for (int64_t r = 0; r < shape->dims[0]; r++) {
        memcpy(row, w + r * shape->dims[1], (size_t)shape->dims[1] * sizeof *row);
        oct_perm_apply(&back, &tail, sizeof *row, row, w + r * shape->dims[1]);
    }
    oct_free(row);
    return OCT_OK;
}

/* Every reader gets new columns; those that share their weights get copies. */
static oct_status absorb_into_flatten(oct_graph *graph, const oct_node *reshape, const oct_perm *p)
{
    const oct_shape v = graph->values[reshape->in[0]].shape;
    const int flat = reshape->out[0], from = flattened_from(&v, &graph->values[flat].shape);
    for (int n = 0; n < graph->node_count; n++)
        if (graph->nodes[n].op == OCT_OP_DENSE && graph->nodes[n].in[OCT_IN_X] == flat)
            OCT_TRY(permute_columns(graph, n, p, &v, from));
    return OCT_OK;
}

static void absorb_into_reduce(oct_node *reduce, const oct_perm *p)
{
    int32_t axes = 0;
    for (int i = 0; i < p->rank; i++)
        if (reduce->attrs.reduce.axes >> i & 1)
            axes |= 1 << p->axis[i];
    reduce->attrs.reduce.axes = axes;
}

/* The transpose itself stays as long as others read it. */
oct_status oct_pass_absorb_transposes(oct_graph *graph, int *changes)
{
    for (int n = 0; n < graph->node_count; n++) {
        oct_node *node = &graph->nodes[n];
        const oct_node *transpose = node->in_count > 0 ? oct_producer_of(graph, node->in[0], OCT_OP_TRANSPOSE) : NULL;
        if (!transpose)
            continue;
        const oct_perm p = oct_perm_of(graph, transpose);
        if (!oct_absorbs_transpose(graph, n, &p))
            continue;
        if (node->op == OCT_OP_REDUCE)
            absorb_into_reduce(node, &p);
        else
            OCT_TRY(absorb_into_flatten(graph, node, &p));
        node->in[0] = transpose->in[0];
        ++*changes;
    }
    return OCT_OK;
}

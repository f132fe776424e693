/* move-transposes: groups of nodes that do not care about layout take on the one that saves most transposes.
 *
 * An imported network has its spatial operators in brackets, and what stands between two brackets in the file's layout:
 *
 *     conv --[to NCHW]--> relu --> add --[to NHWC]--> conv          conv --> relu' --> add' --> conv
 *                                  ^                      becomes                      ^
 *     conv --[to NCHW]-------------+                                conv --------------+
 *
 * A group is a largest connected set of nodes that work in any layout (element functions, concat, pad, ...) on tensors of one
 * rank. Converting it by a permutation p means: each of its values v is replaced by v~ with v = transpose(v~, p). Transposes
 * by p on the way in and by p^-1 on the way out vanish; every other border gets one. Both are weighed in bytes moved, those
 * at the network's inputs and outputs at half weight, so that what remains drifts to the edge. A group is converted only if
 * that saves something, or moves all its transposes from its entries to its exits at no cost; nothing moves the other way for
 * free, so the pass comes to an end.
 */
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "optimize.h"
#include "status.h"

typedef struct groups {
    oct_graph *graph;
    int count;      /* nodes when the groups were formed; later ones belong to none */
    int *of;        /* group of a node, -1 for none */
    int *twin;      /* per value, scratch: what stands for it inside the group that is being weighed or converted */
    int values;     /* length of twin */
} groups;

#define NO_TWIN (-1)

static int group_of(const groups *g, int node) { return node >= 0 && node < g->count ? g->of[node] : -1; }

/* ----------------------------------------------------------------------------------------- forming groups ---- */

/* Operators that do the same to every element, or whose attributes name the axes they mean. */
static bool any_layout(const oct_graph *graph, const oct_node *node)
{
    if (node->op == OCT_OP_NONE || graph->values[node->out[0]].shape.rank < 2)
        return false;
    switch (node->op) {
    case OCT_OP_UNARY:
    case OCT_OP_BINARY:
    case OCT_OP_DEQUANTIZE:
    case OCT_OP_CONCAT:
    case OCT_OP_PAD:
    case OCT_OP_SLICE:
    case OCT_OP_SOFTMAX: return true;
    case OCT_OP_QUANTIZE: return !oct_value_is_dynamic(&graph->values[node->out[0]]);   /* stays before its layer */
    case OCT_OP_REDUCE: return node->attrs.reduce.keep_dims != 0;
    default: return false;
    }
}

static int rank_of(const oct_graph *graph, int value) { return graph->values[value].shape.rank; }

/* Spreads group numbers along values that have the rank of both their ends, until nothing changes. */
static void form_groups(groups *g)
{
    const oct_graph *graph = g->graph;
    bool again = true;
    for (int n = 0; n < g->count; n++)
        g->of[n] = any_layout(graph, &graph->nodes[n]) ? n : -1;
    while (again) {
        again = false;
        for (int n = 0; n < g->count; n++) {
            const oct_node *node = &graph->nodes[n];
            for (int i = 0; g->of[n] >= 0 && i < node->in_count; i++) {
                const int m = group_of(g, graph->values[node->in[i]].producer) < 0 ? -1 : graph->values[node->in[i]].producer;
                if (m < 0 || g->of[m] == g->of[n] || rank_of(graph, node->in[i]) != rank_of(graph, node->out[0]))
                    continue;
                const int least = g->of[m] < g->of[n] ? g->of[m] : g->of[n];
                g->of[m] = g->of[n] = least;
                again = true;
            }
        }
    }
}

/* --------------------------------------------------------------------------------------------- weighing ---- */

/* Bytes that a transpose of x by p moves, doubled so that the half weight of the edge is a whole number. */
static int64_t weigh(const oct_shape *x, oct_dtype dtype, const oct_perm *p, bool at_edge)
{
    return oct_perm_moves_nothing(p, x) ? 0 : oct_shape_elements(x) * (int64_t)oct_dtype_size(dtype) * (at_edge ? 1 : 2);
}

/* Do all readers of the value lie in this group? */
static bool read_only_by(const groups *g, int value, int group)
{
    for (int n = 0; n < g->graph->node_count; n++)
        for (int i = 0; i < g->graph->nodes[n].in_count; i++)
            if (g->graph->nodes[n].in[i] == value && group_of(g, n) != group)
                return false;
    return !oct_is_graph_output(g->graph, value);
}

/* A shape with ones in front up to the given rank, as broadcasting sees it. */
static oct_shape widened(const oct_shape *shape, int rank)
{
    oct_shape out = {.rank = rank};
    for (int i = 0; i < rank; i++)
        out.dims[i] = i < rank - shape->rank ? 1 : shape->dims[i - (rank - shape->rank)];
    return out;
}

/* An operand that is the same in every layout. */
static bool is_layoutless(const oct_graph *graph, const oct_node *node, int value)
{
    return node->op == OCT_OP_BINARY && oct_shape_elements(&graph->values[value].shape) == 1;
}

/* For an operand transpose(x, q): how its twin follows from x, or from x's own twin where x is a value of this very group. */
static oct_perm from_source(const groups *g, int group, int x, const oct_perm *q, const oct_perm *p)
{
    const oct_perm back = oct_perm_inverse(p), from_x = oct_perm_then(q, &back);
    return group_of(g, g->graph->values[x].producer) == group ? oct_perm_then(p, &from_x) : from_x;
}

/* What is saved where `value` enters the group, if the group is converted by p. */
static int64_t saved_at_entry(const groups *g, int group, int value, const oct_perm *p)
{
    const oct_graph *graph = g->graph;
    const oct_dtype dtype = graph->values[value].dtype;
    const oct_perm back = oct_perm_inverse(p);
    const oct_shape shape = widened(&graph->values[value].shape, p->rank);
    const oct_node *transpose = oct_producer_of(graph, value, OCT_OP_TRANSPOSE);
    if (oct_value_is_constant(&graph->values[value]))
        return 0;
    if (!transpose || rank_of(graph, value) != p->rank)
        return -weigh(&shape, dtype, &back, oct_is_graph_input(graph, value));
    const int x = transpose->in[0];
    const bool at_edge = oct_is_graph_input(graph, x);
    const oct_perm q = oct_perm_of(graph, transpose), both = from_source(g, group, x, &q, p);
    const oct_shape twin = oct_perm_shape(&back, &shape);
    const oct_perm undo = oct_perm_inverse(&both);
    const oct_shape source = oct_perm_shape(&undo, &twin);
    const int64_t now = read_only_by(g, value, group) ? weigh(&graph->values[x].shape, dtype, &q, at_edge) : 0;
    return now - weigh(&source, dtype, &both, at_edge);
}

/* A transpose that feeds a network output and nothing else stands at the edge. */
static bool only_output_reads(const oct_graph *graph, int value)
{
    return oct_graph_uses(graph, value) == 1 && oct_is_graph_output(graph, value);
}

/* What is saved where the group's value leaves it. */
static int64_t saved_at_exit(const groups *g, int group, int value, const oct_perm *p)
{
    const oct_graph *graph = g->graph;
    const oct_dtype dtype = graph->values[value].dtype;
    const oct_perm back = oct_perm_inverse(p);
    const oct_shape twin = oct_perm_shape(&back, &graph->values[value].shape);
    const bool is_output = oct_is_graph_output(graph, value);
    bool plain_reader = false;
    int64_t saved = 0;
    for (int n = 0; n < graph->node_count; n++) {
        const oct_node *node = &graph->nodes[n];
        bool reads = false;
        for (int i = 0; i < node->in_count; i++)
            reads |= node->in[i] == value;
        if (!reads || group_of(g, n) == group || oct_absorbs_transpose(graph, n, p))
            continue;
        /* A transpose from the group to itself has been weighed at the entry. */
        if (node->op == OCT_OP_TRANSPOSE && read_only_by(g, node->out[0], group))
            continue;
        if (node->op == OCT_OP_TRANSPOSE) {
            const bool at_edge = only_output_reads(graph, node->out[0]);
            const oct_perm r = oct_perm_of(graph, node), both = oct_perm_then(p, &r);
            saved += weigh(&graph->values[value].shape, dtype, &r, at_edge) - weigh(&twin, dtype, &both, at_edge);
        } else {
            plain_reader = true;
        }
    }
    return plain_reader || is_output ? saved - weigh(&twin, dtype, p, !plain_reader) : saved;
}

/* What converting a group by some permutation would save. */
typedef struct verdict {
    int64_t saved;       /* altogether */
    int64_t at_entry;    /* of it where values enter the group */
    bool new_entries;    /* some entry gets a transpose that has none now */
} verdict;

/* On a tie transposes go down through the group: what then follows directly on a convolution can be taken over by it. */
static bool is_better(const verdict *a, const verdict *b)
{
    return a->saved > b->saved || (a->saved == b->saved && a->at_entry > b->at_entry && !a->new_entries);
}

/* Each border is weighed once, though several nodes may read the same value. */
static verdict judge(groups *g, int group, const oct_perm *p)
{
    const oct_graph *graph = g->graph;
    verdict all = {0};
    for (int v = 0; v < g->values; v++)
        g->twin[v] = NO_TWIN;
    for (int n = 0; n < g->count; n++) {
        const oct_node *node = &graph->nodes[n];
        if (g->of[n] != group)
            continue;
        for (int i = 0; i < node->in_count; i++) {
            const int v = node->in[i];
            if (group_of(g, graph->values[v].producer) == group || is_layoutless(graph, node, v) || g->twin[v] != NO_TWIN)
                continue;
            g->twin[v] = v;   /* weighed */
            const int64_t saved = saved_at_entry(g, group, v, p);
            all.at_entry += saved;
            all.new_entries |= saved < 0;
        }
        all.saved += saved_at_exit(g, group, node->out[0], p);
    }
    all.saved += all.at_entry;
    return all;
}

/* ------------------------------------------------------------------------------------------- converting ---- */

/* The constant's transpose (of its shape with ones in front). */
static oct_status convert_constant(oct_graph *graph, int value, const oct_perm *back, int *twin)
{
    const oct_shape shape = widened(&graph->values[value].shape, back->rank), to = oct_perm_shape(back, &shape);
    const oct_value old = graph->values[value];
    const size_t size = oct_dtype_size(old.dtype);
    void *data = oct_alloc((size_t)oct_shape_elements(&shape), size);
    if (!data)
        return oct_fail_memory((size_t)oct_shape_elements(&shape) * size);
    oct_perm_apply(back, &shape, size, old.data, data);
    OCT_TRY(oct_graph_add_value(graph, old.name, old.dtype, &to, data, twin));
    graph->values[*twin].scale = old.scale;
    graph->values[*twin].zero_point = old.zero_point;
    return OCT_OK;
}

/* What stands for an outside value inside the converted group: transpose(value, p^-1), or what a transpose by p came from. */
static oct_status convert_operand(groups *g, int group, int value, const oct_perm *p)
{
    oct_graph *graph = g->graph;
    const oct_perm back = oct_perm_inverse(p);
    const oct_shape shape = widened(&graph->values[value].shape, p->rank);
    if (oct_value_is_constant(&graph->values[value]))
        return convert_constant(graph, value, &back, &g->twin[value]);
    int x = value;
    oct_perm from_x = back;
    if (rank_of(graph, value) != p->rank) {
        oct_attrs attrs = {.reshape = {.rank = shape.rank}};
        for (int i = 0; i < shape.rank; i++)
            attrs.reshape.dims[i] = (int32_t)shape.dims[i];
        OCT_TRY(oct_graph_add_node(graph, OCT_OP_RESHAPE, graph->values[value].name, &attrs, &value, 1, &x));
    } else if (oct_producer_of(graph, value, OCT_OP_TRANSPOSE)) {
        const oct_node *transpose = oct_producer_of(graph, value, OCT_OP_TRANSPOSE);
        const oct_perm q = oct_perm_of(graph, transpose);
        x = transpose->in[0];
        from_x = from_source(g, group, x, &q, p);
    }
    if (!oct_perm_is_identity(&from_x))
        return oct_add_transpose(graph, x, &from_x, &g->twin[value]);
    g->twin[value] = x;
    return OCT_OK;
}

/* Attributes that name axes: axis i of v is axis p[i] of v~. */
static void convert_attrs(oct_node *node, const oct_perm *p)
{
    const oct_attrs old = node->attrs;
    if (node->op == OCT_OP_REDUCE)
        node->attrs.reduce.axes = 0;
    for (int i = 0; i < p->rank; i++) {
        const int to = p->axis[i];
        if (node->op == OCT_OP_PAD) {
            node->attrs.pad.before[to] = old.pad.before[i];
            node->attrs.pad.after[to] = old.pad.after[i];
        } else if (node->op == OCT_OP_SLICE) {
            node->attrs.slice.start[to] = old.slice.start[i];
            node->attrs.slice.step[to] = old.slice.step[i];
            node->attrs.slice.count[to] = old.slice.count[i];
        } else if (node->op == OCT_OP_REDUCE) {
            node->attrs.reduce.axes |= (old.reduce.axes >> i & 1) << to;
        }
    }
    if (node->op == OCT_OP_CONCAT)
        node->attrs.axis.axis = p->axis[old.axis.axis];
    else if (node->op == OCT_OP_SOFTMAX)
        node->attrs.softmax.axis = p->axis[old.softmax.axis];
}

/* Each outside value gets one twin, however many of the group's nodes read it. */
static oct_status convert_inputs(groups *g, int n, const oct_perm *p)
{
    oct_graph *graph = g->graph;
    for (int i = 0; i < graph->nodes[n].in_count; i++) {
        const int v = graph->nodes[n].in[i];
        if (group_of(g, graph->values[v].producer) == g->of[n] || is_layoutless(graph, &graph->nodes[n], v))
            continue;
        if (g->twin[v] == NO_TWIN)
            OCT_TRY(convert_operand(g, g->of[n], v, p));
        graph->nodes[n].in[i] = g->twin[v];
    }
    return OCT_OK;
}

/* The group's value has taken on its new shape; for nodes outside that were there before, transpose(value, p) stands for it. */
static oct_status convert_output(groups *g, int n, const oct_perm *p, int nodes_before)
{
    oct_graph *graph = g->graph;
    const int v = graph->nodes[n].out[0], group = g->of[n];
    int plain;
    if (read_only_by(g, v, group))
        return OCT_OK;
    OCT_TRY(oct_add_transpose(graph, v, p, &plain));
    for (int m = 0; m < nodes_before; m++)
        for (int i = 0; i < graph->nodes[m].in_count; i++)
            if (graph->nodes[m].in[i] == v && group_of(g, m) != group)
                graph->nodes[m].in[i] = plain;
    for (int i = 0; i < graph->output_count; i++)
        if (graph->outputs[i] == v)
            graph->outputs[i] = plain;
    if (oct_is_graph_output(graph, plain)) {
        char *name = graph->values[v].name;
        graph->values[v].name = graph->values[plain].name;
        graph->values[plain].name = name;
    }
    return OCT_OK;
}

/* Shapes first: twins may be made of the group's own values, which have their new shape from now on. */
static oct_status convert_group(groups *g, int group, const oct_perm *p)
{
    oct_graph *graph = g->graph;
    const oct_perm back = oct_perm_inverse(p);
    const int nodes_before = graph->node_count;
    for (int v = 0; v < g->values; v++)
        g->twin[v] = NO_TWIN;
    for (int n = 0; n < g->count; n++)
        if (g->of[n] == group) {
            oct_shape *shape = &graph->values[graph->nodes[n].out[0]].shape;
            *shape = oct_perm_shape(&back, shape);
        }
    for (int n = 0; n < g->count; n++)
        if (g->of[n] == group) {
            OCT_TRY(convert_inputs(g, n, p));
            convert_attrs(&graph->nodes[n], p);
        }
    for (int n = 0; n < g->count; n++)
        if (g->of[n] == group)
            OCT_TRY(convert_output(g, n, p, nodes_before));
    return OCT_OK;
}

/* ---------------------------------------------------------------------------------------------- choosing ---- */

#define MAX_CANDIDATES 8

typedef struct candidates {
    int count;
    oct_perm perm[MAX_CANDIDATES];
} candidates;

/* Once each. More candidates than there is room for have not been seen in any network; the rest would be tried next time. */
static void propose(candidates *c, const oct_perm *p, int rank)
{
    for (int i = 0; i < c->count; i++)
        if (oct_perm_equal(&c->perm[i], p))
            return;
    if (p->rank == rank && c->count < MAX_CANDIDATES && !oct_perm_is_identity(p))
        c->perm[c->count++] = *p;
}

/* Only a permutation that some transpose at the group's border has (or undoes) can save anything. */
static void collect_candidates(const groups *g, int group, candidates *c)
{
    const oct_graph *graph = g->graph;
    for (int n = 0; n < graph->node_count; n++) {
        const oct_node *node = &graph->nodes[n];
        const bool inside = group_of(g, n) == group;
        for (int i = 0; inside && i < node->in_count; i++) {
            const oct_node *before = oct_producer_of(graph, node->in[i], OCT_OP_TRANSPOSE);
            const oct_perm p = before ? oct_perm_of(graph, before) : (oct_perm){0};
            propose(c, &p, rank_of(graph, node->out[0]));
        }
        if (node->op == OCT_OP_TRANSPOSE && group_of(g, graph->values[node->in[0]].producer) == group) {
            const oct_perm r = oct_perm_of(graph, node), p = oct_perm_inverse(&r);
            propose(c, &p, p.rank);
        }
    }
}

/* Weighs the candidates, and converts the group by the best one if there is any that pays. */
static oct_status treat_group(groups *g, int group, int *changes)
{
    candidates c = {0};
    verdict most = {0};
    int best = -1;
    collect_candidates(g, group, &c);
    for (int i = 0; i < c.count; i++) {
        const verdict v = judge(g, group, &c.perm[i]);
        if (is_better(&v, &most)) {
            most = v;
            best = i;
        }
    }
    if (best < 0)
        return OCT_OK;
    ++*changes;
    OCT_TRY(convert_group(g, group, &c.perm[best]));
    /* Pairs that have just come together must be gone before the next group is weighed, or both would move towards each other. */
    return oct_pass_merge_transposes(g->graph, changes);
}

oct_status oct_pass_move_transposes(oct_graph *graph, int *changes)
{
    const int count = graph->node_count;
    groups g = {.graph = graph, .count = count};
    g.of = oct_alloc((size_t)count, sizeof *g.of);
    oct_status status = g.of ? OCT_OK : oct_fail_memory((size_t)count * sizeof *g.of);
    if (status == OCT_OK)
        form_groups(&g);
    for (int n = 0; status == OCT_OK && n < count; n++) {
        if (g.of[n] != n)
            continue;   /* a group is called by its first node */
        g.values = graph->value_count;
        g.twin = oct_alloc((size_t)g.values, sizeof *g.twin);
        status = g.twin ? treat_group(&g, n, changes) : oct_fail_memory((size_t)g.values * sizeof *g.twin);
        oct_free(g.twin);
    }
    oct_free(g.of);
    return status;
}

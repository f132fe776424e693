/* Changing graphs: replacing, killing, sweeping, inferring anew; and the check of all invariants. */
#include <math.h>
#include <string.h>

#include "graph.h"
#include "memory.h"
#include "operators.h"
#include "status.h"

void oct_graph_replace_uses(oct_graph *graph, int from, int to)
{
    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < graph->nodes[n].in_count; i++)
            if (graph->nodes[n].in[i] == from)
                graph->nodes[n].in[i] = to;
    for (int i = 0; i < graph->output_count; i++)
        if (graph->outputs[i] == from)
            graph->outputs[i] = to;
}

oct_status oct_graph_rename(oct_graph *graph, int value, const char *name)
{
    char *copy = oct_strdup(name);
    if (!copy)
        return oct_fail_memory(strlen(name) + 1);
    oct_free(graph->values[value].name);
    graph->values[value].name = copy;
    return OCT_OK;
}

void oct_graph_kill_node(oct_graph *graph, int node)
{
    graph->nodes[node].op = OCT_OP_NONE;
    graph->nodes[node].in_count = 0;
}

/* ---- topological order ---- */

static bool ready(const oct_graph *graph, const oct_node *node, const bool *done)
{
    for (int i = 0; i < node->in_count; i++) {
        const int value = node->in[i];
        if (value >= 0 && graph->values[value].producer >= 0 && !done[graph->values[value].producer])
            return false;
    }
    return true;
}

/* Stable: a node moves only as far back as its inputs force it. order[i] receives the old number of the i-th node. Returns false
 * for a cycle. */
static bool topological_order(const oct_graph *graph, bool *done, int *order)
{
    int placed = 0;
    while (placed < graph->node_count) {
        const int before = placed;
        for (int n = 0; n < graph->node_count; n++)
            if (!done[n] && ready(graph, &graph->nodes[n], done)) {
                done[n] = true;
                order[placed++] = n;
            }
        if (placed == before)
            return false;
    }
    return true;
}

/* ---- sweeping ---- */

/* Marks what the outputs need, walking backwards until nothing new turns up. */
static void mark_live(const oct_graph *graph, const int *order, bool *live_node, bool *live_value)
{
    for (int i = 0; i < graph->output_count; i++)
        live_value[graph->outputs[i]] = true;
    for (int i = 0; i < graph->input_count; i++)
        live_value[graph->inputs[i]] = true;
    for (int o = graph->node_count - 1; o >= 0; o--) {
        const oct_node *node = &graph->nodes[order[o]];
        for (int i = 0; node->op != OCT_OP_NONE && i < node->out_count; i++)
            live_node[order[o]] |= live_value[node->out[i]];
        if (!live_node[order[o]])
            continue;
        for (int i = 0; i < node->out_count; i++)
            live_value[node->out[i]] = true;
        for (int i = 0; i < node->in_count; i++)
            if (node->in[i] >= 0)
                live_value[node->in[i]] = true;
    }
}

static void renumber(int *list, int count, const int *new_number)
{
    for (int i = 0; i < count; i++)
        if (list[i] >= 0)
            list[i] = new_number[list[i]];
}

/* Moves live values together; new_number[old] receives each one's number. */
static void compact_values(oct_graph *graph, const bool *live, int *new_number)
{
    int kept = 0;
    for (int v = 0; v < graph->value_count; v++) {
        new_number[v] = OCT_NONE;
        if (live[v]) {
            new_number[v] = kept;
            graph->values[kept++] = graph->values[v];
        } else {
            oct_value_release(&graph->values[v]);
        }
    }
    graph->value_count = kept;
}

static void compact_nodes(oct_graph *graph, oct_node *sorted, const int *order, const bool *live, const int *new_number)
{
    int kept = 0;
    for (int o = 0; o < graph->node_count; o++) {
        oct_node *node = &graph->nodes[order[o]];
        if (!live[order[o]]) {
            oct_node_release(node);
            continue;
        }
        renumber(node->in, node->in_count, new_number);
        renumber(node->out, node->out_count, new_number);
        for (int i = 0; i < node->out_count; i++)
            graph->values[node->out[i]].producer = kept;
        sorted[kept++] = *node;
    }
    oct_free(graph->nodes);
    graph->nodes = sorted;
    graph->node_count = kept;
    renumber(graph->inputs, graph->input_count, new_number);
    renumber(graph->outputs, graph->output_count, new_number);
}

int oct_graph_sweep(oct_graph *graph)
{
    const size_t nodes = (size_t)graph->node_count, values = (size_t)graph->value_count;
    const int room = graph->node_room > 0 ? graph->node_room : 1;
    bool *done = oct_alloc(nodes, sizeof *done), *live_node = oct_alloc(nodes, sizeof *live_node);
    bool *live_value = oct_alloc(values, sizeof *live_value);
    int *order = oct_alloc(nodes, sizeof *order), *new_number = oct_alloc(values, sizeof *new_number);
    oct_node *sorted = oct_alloc((size_t)room, sizeof *sorted);
    int gone = -1;
    if (done && live_node && live_value && order && new_number && sorted && topological_order(graph, done, order)) {
        const int before = graph->node_count;
        mark_live(graph, order, live_node, live_value);
        compact_values(graph, live_value, new_number);
        compact_nodes(graph, sorted, order, live_node, new_number);
        graph->node_room = room;
        gone = before - graph->node_count;
        sorted = NULL;
    }
    oct_free(done);
    oct_free(live_node);
    oct_free(live_value);
    oct_free(order);
    oct_free(new_number);
    oct_free(sorted);
    return gone;
}

oct_status oct_graph_infer(oct_graph *graph)
{
    for (int n = 0; n < graph->node_count; n++) {
        oct_node *node = &graph->nodes[n];
        if (node->op == OCT_OP_NONE)
            continue;
        oct_shape shape;
        oct_dtype dtype;
        OCT_TRY(oct_operator_infer(graph, node, &shape, &dtype));
        graph->values[node->out[0]].shape = shape;
        graph->values[node->out[0]].dtype = dtype;
    }
    return OCT_OK;
}

/* ---- checking ---- */

/* Found at run time by the only node that can: a QUANTIZE from f32. */
static bool may_be_dynamic(const oct_graph *graph, const oct_value *value)
{
    if (value->data || value->zero_point != 0 || signbit(value->scale) || value->producer < 0 ||
        value->producer >= graph->node_count)
        return false;
    const oct_node *node = &graph->nodes[value->producer];
    return node->op == OCT_OP_QUANTIZE && node->in_count == 1 && node->in[0] >= 0 && node->in[0] < graph->value_count &&
           graph->values[node->in[0]].dtype == OCT_F32;
}

static oct_status check_value(const oct_graph *graph, const oct_value *value)
{
    if (oct_dtype_size(value->dtype) == 0)
        return oct_fail(OCT_ERR_FORMAT, "value %s: unknown element type %d", value->name, (int)value->dtype);
    if (value->channel_scale && value->shape.rank < 1)
        return oct_fail(OCT_ERR_FORMAT, "value %s: scales per channel for a scalar", value->name);
    if (value->shape.rank < 0 || value->shape.rank > OCT_MAX_RANK || oct_shape_elements(&value->shape) < 0)
        return oct_fail(OCT_ERR_FORMAT, "value %s: impossible shape", value->name);
    const bool known = value->scale > 0 && isfinite(value->scale);
    if (value->dtype == OCT_U8 && !known && !(oct_value_is_dynamic(value) && may_be_dynamic(graph, value)))
        return oct_fail(OCT_ERR_FORMAT, "value %s: its scale %g is not positive and finite", value->name, (double)value->scale);
    if (value->dtype == OCT_U8 && (value->zero_point < 0 || value->zero_point > 255))
        return oct_fail(OCT_ERR_FORMAT, "value %s: zero point %d outside 0..255", value->name, value->zero_point);
    for (int64_t c = 0; value->channel_scale && c < value->shape.dims[0]; c++)
        if (!(value->channel_scale[c] > 0 && isfinite(value->channel_scale[c])))
            return oct_fail(OCT_ERR_FORMAT, "value %s: scale of channel %lld is not positive and finite", value->name,
                            (long long)c);
    return OCT_OK;
}

static oct_status check_node(const oct_graph *graph, int n, const bool *defined)
{
    const oct_node *node = &graph->nodes[n];
    if (!oct_operator_of(node->op) || node->out_count != 1)
        return oct_fail(OCT_ERR_FORMAT, "node %s: unknown operator %d", node->name, (int)node->op);
    for (int i = 0; i < node->in_count; i++) {
        const int v = node->in[i];
        if (v < OCT_NONE || v >= graph->value_count)
            return oct_fail(OCT_ERR_FORMAT, "node %s: input %d is value %d of %d", node->name, i, v, graph->value_count);
        if (v >= 0 && !defined[v])
            return oct_fail(OCT_ERR_FORMAT, "node %s: input %s is used before it is computed", node->name, graph->values[v].name);
    }
    const int v = node->out[0];
    if (v < 0 || v >= graph->value_count || defined[v] || graph->values[v].producer != n)
        return oct_fail(OCT_ERR_FORMAT, "node %s: its output is no value of its own", node->name);
    oct_shape shape;
    oct_dtype dtype;
    OCT_TRY(oct_operator_infer(graph, node, &shape, &dtype));
    if (!oct_shape_equal(&shape, &graph->values[v].shape) || dtype != graph->values[v].dtype)
        return oct_fail(OCT_ERR_FORMAT, "node %s: its output's shape or type is not what its inputs give", node->name);
    return OCT_OK;
}

static oct_status check_lists(const oct_graph *graph, bool *defined)
{
    for (int v = 0; v < graph->value_count; v++) {
        OCT_TRY(check_value(graph, &graph->values[v]));
        defined[v] = oct_value_is_constant(&graph->values[v]);
    }
    for (int i = 0; i < graph->input_count; i++) {
        const int v = graph->inputs[i];
        if (v < 0 || v >= graph->value_count || defined[v])
            return oct_fail(OCT_ERR_FORMAT, "graph input %d is no value that could be one", i);
        defined[v] = true;
    }
    for (int n = 0; n < graph->node_count; n++) {
        OCT_TRY(check_node(graph, n, defined));
        defined[graph->nodes[n].out[0]] = true;
    }
    for (int i = 0; i < graph->output_count; i++) {
        const int v = graph->outputs[i];
        if (v < 0 || v >= graph->value_count || !defined[v])
            return oct_fail(OCT_ERR_FORMAT, "graph output %d is no value that is computed", i);
        if (oct_value_is_dynamic(&graph->values[v]))
            return oct_fail(OCT_ERR_FORMAT, "graph output %d has a scale that is found at run time", i);
    }
    return graph->output_count > 0 ? OCT_OK : oct_fail(OCT_ERR_FORMAT, "the graph has no output");
}

oct_status oct_graph_check(const oct_graph *graph)
{
    bool *defined = oct_alloc((size_t)graph->value_count, sizeof *defined);
    if (!defined)
        return oct_fail_memory((size_t)graph->value_count);
    const oct_status status = check_lists(graph, defined);
    oct_free(defined);
    return status;
}

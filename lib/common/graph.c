/* Making graphs and asking them questions. graph_edit.c changes them. */
#include "graph.h"

#include <string.h>

#include "memory.h"
#include "operators.h"
#include "status.h"

oct_status oct_graph_create(oct_graph **graph)
{
    if (!graph)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_graph_create: graph is NULL");
    *graph = oct_alloc(1, sizeof **graph);
    return *graph ? OCT_OK : oct_fail_memory(sizeof **graph);
}

void oct_value_release(oct_value *value)
{
    oct_free(value->name);
    oct_free(value->channel_scale);
    if (!value->data_borrowed)
        oct_free(value->data);
}

void oct_node_release(oct_node *node)
{
    oct_free(node->name);
    oct_free(node->in);
    oct_free(node->out);
}

void oct_graph_free(oct_graph *graph)
{
    if (!graph)
        return;
    for (int i = 0; i < graph->value_count; i++)
        oct_value_release(&graph->values[i]);
    for (int i = 0; i < graph->node_count; i++)
        oct_node_release(&graph->nodes[i]);
    oct_free(graph->values);
    oct_free(graph->nodes);
    oct_free(graph->inputs);
    oct_free(graph->outputs);
    oct_free(graph->notes);
    if (graph->lender.object)
        graph->lender.release(graph->lender.object);
    oct_free(graph);
}

/* Makes room for one more element in a doubling array. */
static oct_status reserve(void **array, int count, int *room, size_t size)
{
    if (count < *room)
        return OCT_OK;
    const int more = *room ? 2 * *room : 16;
    void *grown = oct_grow(*array, (size_t)count, (size_t)more, size);
    if (!grown)
        return oct_fail_memory((size_t)more * size);
    *array = grown;
    *room = more;
    return OCT_OK;
}

oct_status oct_graph_add_value(oct_graph *graph, const char *name, oct_dtype dtype, const oct_shape *shape, void *data, int *id)
{
    oct_status status = reserve((void **)&graph->values, graph->value_count, &graph->value_room, sizeof *graph->values);
    char *copy = status == OCT_OK ? oct_strdup(name ? name : "") : NULL;
    if (!copy) {
        oct_free(data);
        return status != OCT_OK ? status : oct_fail_memory(strlen(name ? name : "") + 1);
    }
    *id = graph->value_count;
    graph->values[graph->value_count++] =
        (oct_value){.name = copy, .dtype = dtype, .shape = *shape, .data = data, .producer = -1};
    return OCT_OK;
}

oct_status oct_graph_add_constant(oct_graph *graph, const char *name, oct_dtype dtype, const oct_shape *shape, const void *data,
                                  int *id)
{
    const int64_t elements = oct_shape_elements(shape);
    if (elements < 0)
        return oct_fail(OCT_ERR_ARGUMENT, "constant %s has too many elements", name);
    const size_t bytes = (size_t)elements * oct_dtype_size(dtype);
    void *copy = oct_memdup(data, bytes);
    if (!copy)
        return oct_fail_memory(bytes);
    return oct_graph_add_value(graph, name, dtype, shape, copy, id);
}

static oct_status append_int(int **list, int *count, int number)
{
    int *grown = oct_grow(*list, (size_t)*count, (size_t)*count + 1, sizeof **list);
    if (!grown)
        return oct_fail_memory(sizeof **list);
    grown[(*count)++] = number;
    *list = grown;
    return OCT_OK;
}

oct_status oct_graph_add_input(oct_graph *graph, int value)
{
    return append_int(&graph->inputs, &graph->input_count, value);
}

oct_status oct_graph_add_output(oct_graph *graph, int value)
{
    return append_int(&graph->outputs, &graph->output_count, value);
}

/* A node that owns copies of its name and lists; its output value is still to be named. */
static oct_status make_node(oct_node *node, oct_op op, const char *name, const oct_attrs *attrs, const int *in, int in_count)
{
    *node = (oct_node){.op = op, .in_count = in_count, .out_count = 1};
    if (attrs)
        node->attrs = *attrs;
    node->name = oct_strdup(name ? name : "");
    node->in = oct_memdup(in, (size_t)in_count * sizeof *in);
    node->out = oct_alloc(1, sizeof *node->out);
    if (node->name && node->in && node->out) {
        node->out[0] = OCT_NONE;
        return OCT_OK;
    }
    oct_node_release(node);
    return oct_fail_memory(sizeof *node);
}

oct_status oct_graph_insert_node(oct_graph *graph, int position, oct_op op, const char *name, const oct_attrs *attrs, const int *in,
                                 int in_count, int *out)
{
    oct_node node;
    oct_shape shape;
    oct_dtype dtype;
    OCT_TRY(reserve((void **)&graph->nodes, graph->node_count, &graph->node_room, sizeof *graph->nodes));
    OCT_TRY(make_node(&node, op, name, attrs, in, in_count));
    oct_status status = oct_operator_infer(graph, &node, &shape, &dtype);
    if (status == OCT_OK)
        status = oct_graph_add_value(graph, name, dtype, &shape, NULL, &node.out[0]);
    if (status != OCT_OK) {
        oct_node_release(&node);
        return status;
    }
    oct_value *value = &graph->values[node.out[0]];
    if (dtype == OCT_U8 && in_count > 0 && in[0] >= 0) {
        value->scale = graph->values[in[0]].scale;
        value->zero_point = graph->values[in[0]].zero_point;
    }
    memmove(graph->nodes + position + 1, graph->nodes + position, (size_t)(graph->node_count - position) * sizeof node);
    graph->nodes[position] = node;
    graph->node_count++;
    for (int i = 0; i < graph->value_count; i++)
        if (graph->values[i].producer >= position)
            graph->values[i].producer++;
    value->producer = position;
    *out = node.out[0];
    return OCT_OK;
}

oct_status oct_graph_add_node(oct_graph *graph, oct_op op, const char *name, const oct_attrs *attrs, const int *in, int in_count,
                              int *out)
{
    return oct_graph_insert_node(graph, graph->node_count, op, name, attrs, in, in_count, out);
}

/* ---- copies ---- */

static oct_status clone_value(oct_value *to, const oct_value *from, bool borrow)
{
    *to = *from;
    to->data_borrowed = borrow && from->data;
    to->name = oct_strdup(from->name);
    if (!to->data_borrowed)
        to->data = from->data ? oct_memdup(from->data, oct_value_bytes(from)) : NULL;
    to->channel_scale =
        from->channel_scale ? oct_memdup(from->channel_scale, (size_t)from->shape.dims[0] * sizeof(float)) : NULL;
    if (!to->name || (from->data && !to->data) || (from->channel_scale && !to->channel_scale)) {
        oct_value_release(to);
        return oct_fail_memory(oct_value_bytes(from));
    }
    return OCT_OK;
}

static oct_status clone_node(oct_node *to, const oct_node *from)
{
    *to = *from;
    to->name = oct_strdup(from->name);
    to->in = oct_memdup(from->in, (size_t)from->in_count * sizeof *from->in);
    to->out = oct_memdup(from->out, (size_t)from->out_count * sizeof *from->out);
    if (to->name && to->in && to->out)
        return OCT_OK;
    oct_node_release(to);
    return oct_fail_memory(sizeof *to);
}

/* With a lender in `to`, what is borrowed in `from` is borrowed again; with `all`, everything is. */
static oct_status clone_lists(oct_graph *to, const oct_graph *from, bool all)
{
    for (int i = 0; i < from->input_count; i++)
        OCT_TRY(oct_graph_add_input(to, from->inputs[i]));
    for (int i = 0; i < from->output_count; i++)
        OCT_TRY(oct_graph_add_output(to, from->outputs[i]));
    for (int i = 0; i < from->value_count; i++) {
        OCT_TRY(reserve((void **)&to->values, to->value_count, &to->value_room, sizeof *to->values));
        OCT_TRY(clone_value(&to->values[i], &from->values[i], all || (to->lender.object && from->values[i].data_borrowed)));
        to->value_count++;
    }
    for (int i = 0; i < from->node_count; i++) {
        OCT_TRY(reserve((void **)&to->nodes, to->node_count, &to->node_room, sizeof *to->nodes));
        OCT_TRY(clone_node(&to->nodes[i], &from->nodes[i]));
        to->node_count++;
    }
    to->notes = from->notes ? oct_strdup(from->notes) : NULL;
    if (from->notes && !to->notes)
        return oct_fail_memory(strlen(from->notes) + 1);
    to->failed = from->failed;
    memcpy(to->failed_text, from->failed_text, sizeof to->failed_text);
    return OCT_OK;
}

static oct_status clone(const oct_graph *graph, const oct_lender *lender, bool all, oct_graph **copy)
{
    OCT_TRY(oct_graph_create(copy));
    (*copy)->lender = *lender;
    if (lender->object)
        lender->hold(lender->object);
    const oct_status status = clone_lists(*copy, graph, all);
    if (status != OCT_OK) {
        oct_graph_free(*copy);
        *copy = NULL;
    }
    return status;
}

oct_status oct_graph_clone(const oct_graph *graph, oct_graph **copy) { return clone(graph, &graph->lender, false, copy); }

oct_status oct_graph_borrow(const oct_graph *graph, const oct_lender *lender, oct_graph **copy)
{
    return clone(graph, lender, true, copy);
}

/* ---- questions ---- */

bool oct_value_is_constant(const oct_value *value) { return value->data != NULL; }

bool oct_value_is_dynamic(const oct_value *value) { return value->dtype == OCT_U8 && value->scale == 0; }

size_t oct_value_bytes(const oct_value *value)
{
    const int64_t elements = oct_shape_elements(&value->shape);
    return elements < 0 ? 0 : (size_t)elements * oct_dtype_size(value->dtype);
}

static int count_in(const int *list, int count, int number)
{
    int found = 0;
    for (int i = 0; i < count; i++)
        found += list[i] == number;
    return found;
}

int oct_graph_uses(const oct_graph *graph, int value)
{
    int uses = count_in(graph->outputs, graph->output_count, value);
    for (int n = 0; n < graph->node_count; n++)
        uses += count_in(graph->nodes[n].in, graph->nodes[n].in_count, value);
    return uses;
}

int oct_graph_single_user(const oct_graph *graph, int value)
{
    int user = -1;
    if (count_in(graph->outputs, graph->output_count, value))
        return -1;
    for (int n = 0; n < graph->node_count; n++) {
        const int uses = count_in(graph->nodes[n].in, graph->nodes[n].in_count, value);
        if (uses > 1 || (uses && user >= 0))
            return -1;
        if (uses)
            user = n;
    }
    return user;
}

int oct_graph_find_value(const oct_graph *graph, const char *name)
{
    for (int i = 0; i < graph->value_count; i++)
        if (!strcmp(graph->values[i].name, name))
            return i;
    return -1;
}

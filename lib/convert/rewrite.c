/* The steps change a graph in place and keep its values' numbers. Arrays of nodes and values move when something is added, so
 * pointers into them are taken anew after every oct_graph_add_... call; names are blocks of their own and stay where they are. */
#include "rewrite.h"

#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "status.h"

/* ------------------------------------------------------------------------------------------------ questions ---- */

static bool is_listed(const int *list, int count, int number)
{
    for (int i = 0; i < count; i++)
        if (list[i] == number)
            return true;
    return false;
}

bool oct_is_graph_input(const oct_graph *graph, int value) { return is_listed(graph->inputs, graph->input_count, value); }

bool oct_is_graph_output(const oct_graph *graph, int value) { return is_listed(graph->outputs, graph->output_count, value); }

/* Shapes and indices (s64) are constants too, but not ones to calculate with here. */
const float *oct_f32_constant(const oct_graph *graph, int value)
{
    if (value < 0 || graph->values[value].dtype != OCT_F32)
        return NULL;
    return graph->values[value].data;
}

/* Killed nodes have OCT_OP_NONE and so are never found. */
oct_node *oct_producer_of(const oct_graph *graph, int value, oct_op op)
{
    const int n = value < 0 ? -1 : graph->values[value].producer;
    return n >= 0 && graph->nodes[n].op == op ? &graph->nodes[n] : NULL;
}

bool oct_same_numbers(const oct_graph *graph, int a, int b)
{
    const oct_value *x = &graph->values[a], *y = &graph->values[b];
    return x->dtype == y->dtype && (x->dtype != OCT_U8 || (x->scale == y->scale && x->zero_point == y->zero_point));
}

int oct_node_input(const oct_node *node, int i) { return i < node->in_count ? node->in[i] : OCT_NONE; }

/* New places are left out (OCT_NONE), which every operator that has room for them allows. */
oct_status oct_node_reserve_inputs(oct_node *node, int count)
{
    if (node->in_count >= count)
        return OCT_OK;
    int *in = oct_grow(node->in, (size_t)node->in_count, (size_t)count, sizeof *in);
    if (!in)
        return oct_fail_memory((size_t)count * sizeof *in);
    for (int i = node->in_count; i < count; i++)
        in[i] = OCT_NONE;
    node->in = in;
    node->in_count = count;
    return OCT_OK;
}

/* --------------------------------------------------------------------------------------------------- steps ---- */

/* Where an output is replaced, the two values swap names: the output's name then stands on what is the output now. */
void oct_replace_value(oct_graph *graph, int from, int to, bool *done)
{
    oct_value *a = &graph->values[from], *b = &graph->values[to];
    const bool is_output = oct_is_graph_output(graph, from);
    *done = !is_output || (b->producer >= 0 && !oct_is_graph_output(graph, to));
    if (!*done)
        return;
    if (is_output) {
        char *name = a->name;
        a->name = b->name;
        b->name = name;
    }
    oct_graph_replace_uses(graph, from, to);
}

void oct_bypass_node(oct_graph *graph, int n, bool *done)
{
    oct_replace_value(graph, graph->nodes[n].out[0], graph->nodes[n].in[0], done);
    if (*done)
        oct_graph_kill_node(graph, n);
}

/* Weights may be shared between nodes, or lie in a file that is mapped: then they are copied first. */
oct_status oct_own_constant(oct_graph *graph, int n, int i, float **data)
{
    const int v = graph->nodes[n].in[i];
    const oct_value *value = &graph->values[v];
    if (oct_graph_uses(graph, v) == 1 && !value->data_borrowed) {
        *data = value->data;
        return OCT_OK;
    }
    /* The name and shape live in an array that grows when the copy is added. */
    const oct_shape shape = value->shape;
    float *scales = NULL;
    char name[256];
    snprintf(name, sizeof name, "%s", value->name);
    int copy;
    if (value->channel_scale && !(scales = oct_memdup(value->channel_scale, (size_t)shape.dims[0] * sizeof *scales)))
        return oct_fail_memory((size_t)shape.dims[0] * sizeof *scales);
    const oct_status status = oct_graph_add_constant(graph, name, OCT_F32, &shape, value->data, &copy);
    if (status != OCT_OK) {
        oct_free(scales);
        return status;
    }
    graph->values[copy].channel_scale = scales;
    graph->values[copy].for_dynamic = graph->values[v].for_dynamic;
    graph->nodes[n].in[i] = copy;
    *data = graph->values[copy].data;
    return OCT_OK;
}

/* The zeros change nothing; they are there to be added to. */
oct_status oct_own_bias(oct_graph *graph, int n, float **data)
{
    oct_node *node = &graph->nodes[n];
    OCT_TRY(oct_node_reserve_inputs(node, OCT_IN_BIAS + 1));
    if (node->in[OCT_IN_BIAS] >= 0)
        return oct_own_constant(graph, n, OCT_IN_BIAS, data);
    const oct_shape shape = {1, {graph->values[node->in[OCT_IN_W]].shape.dims[0]}};
    float *zeros = oct_alloc((size_t)shape.dims[0], sizeof *zeros);
    if (!zeros)
        return oct_fail_memory((size_t)shape.dims[0] * sizeof *zeros);
    char name[256];
    snprintf(name, sizeof name, "%s.bias", node->name);
    OCT_TRY(oct_graph_add_value(graph, name, OCT_F32, &shape, zeros, &node->in[OCT_IN_BIAS]));
    *data = zeros;
    return OCT_OK;
}

/* Node n writes to a new value, and a UNARY node right behind it takes that to the old one. */
static oct_status split_activation(oct_graph *graph, int n)
{
    const int old = graph->nodes[n].out[0];
    const oct_attrs attrs = {.unary = graph->nodes[n].act};
    char name[256];
    int between;
    snprintf(name, sizeof name, "%s.sum", graph->values[old].name);
    OCT_TRY(oct_graph_insert_node(graph, n + 1, OCT_OP_UNARY, name, &attrs, &old, 1, &between));
    graph->nodes[n].act = (oct_function){0};
    graph->nodes[n].out[0] = between;
    graph->nodes[n + 1].in[0] = between;
    graph->nodes[n + 1].out[0] = old;
    graph->values[between].producer = n;
    graph->values[old].producer = n + 1;
    return OCT_OK;
}

/* The new node is visited next, and passed over, for it has no activation of its own. */
oct_status oct_split_activations(oct_graph *graph)
{
    for (int n = 0; n < graph->node_count; n++) {
        const int32_t fn = graph->nodes[n].act.fn;
        if (fn != OCT_FN_NONE && fn != OCT_FN_CLAMP)
            OCT_TRY(split_activation(graph, n));
    }
    return OCT_OK;
}

/* -------------------------------------------------------------------------------------------- permutations ---- */

/* With y = transpose(x, p), y.dims[i] = x.dims[p.axis[i]]:
 *   inverse   x.dims[p.axis[i]] = y.dims[i]                              so inverse.axis[p.axis[i]] = i
 *   then      z.dims[i] = y.dims[q.axis[i]] = x.dims[p.axis[q.axis[i]]]  for z = transpose(y, q) */
oct_perm oct_perm_of(const oct_graph *graph, const oct_node *transpose)
{
    oct_perm p = {.rank = graph->values[transpose->in[0]].shape.rank};
    for (int i = 0; i < p.rank; i++)
        p.axis[i] = transpose->attrs.transpose.perm[i];
    return p;
}

oct_perm oct_perm_inverse(const oct_perm *p)
{
    oct_perm inverse = {.rank = p->rank};
    for (int i = 0; i < p->rank; i++)
        inverse.axis[p->axis[i]] = i;
    return inverse;
}

oct_perm oct_perm_then(const oct_perm *first, const oct_perm *second)
{
    oct_perm both = {.rank = first->rank};
    for (int i = 0; i < first->rank; i++)
        both.axis[i] = first->axis[second->axis[i]];
    return both;
}

bool oct_perm_equal(const oct_perm *a, const oct_perm *b)
{
    return a->rank == b->rank && memcmp(a->axis, b->axis, (size_t)a->rank * sizeof a->axis[0]) == 0;
}

bool oct_perm_is_identity(const oct_perm *p)
{
    for (int i = 0; i < p->rank; i++)
        if (p->axis[i] != i)
            return false;
    return true;
}

/* The axes that matter, those longer than 1, must come in rising order. */
bool oct_perm_moves_nothing(const oct_perm *p, const oct_shape *shape)
{
    int last = -1;
    for (int i = 0; i < p->rank; i++) {
        if (shape->dims[p->axis[i]] == 1)
            continue;
        if (p->axis[i] < last)
            return false;
        last = p->axis[i];
    }
    return true;
}

oct_shape oct_perm_shape(const oct_perm *p, const oct_shape *shape)
{
    oct_shape out = {.rank = p->rank};
    for (int i = 0; i < p->rank; i++)
        out.dims[i] = shape->dims[p->axis[i]];
    return out;
}

oct_attrs oct_perm_attrs(const oct_perm *p)
{
    oct_attrs attrs = {0};
    for (int i = 0; i < p->rank; i++)
        attrs.transpose.perm[i] = p->axis[i];
    return attrs;
}

/* Walks the output in order like an odometer; step[i] is how far the input moves when output index i advances by one. */
void oct_perm_apply(const oct_perm *p, const oct_shape *shape, size_t size, const void *in, void *out)
{
    const oct_shape to = oct_perm_shape(p, shape);
    const int64_t count = oct_shape_elements(shape);
    int64_t step[OCT_MAX_RANK] = {0}, at[OCT_MAX_RANK] = {0}, from = 0;
    for (int i = 0; i < p->rank; i++)
        step[i] = oct_shape_product(shape, p->axis[i] + 1, shape->rank);
    for (int64_t e = 0; e < count; e++) {
        memcpy((char *)out + (size_t)e * size, (const char *)in + (size_t)from * size, size);
        for (int i = p->rank - 1; i >= 0; i--) {
            from += step[i];
            if (++at[i] < to.dims[i])
                break;
            from -= step[i] * to.dims[i];
            at[i] = 0;
        }
    }
}

/* At the end of the list, wherever x is computed and read: sweeping sorts. */
oct_status oct_add_transpose(oct_graph *graph, int x, const oct_perm *p, int *out)
{
    char name[256];
    snprintf(name, sizeof name, "%s.t", graph->values[x].name);
    const oct_attrs attrs = oct_perm_attrs(p);
    return oct_graph_add_node(graph, OCT_OP_TRANSPOSE, name, &attrs, &x, 1, out);
}

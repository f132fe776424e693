/* fold-constants: a node whose inputs are all constants is run once, here, in a session of its own.
 *
 * So there is no second implementation of any operator, and a folded constant is what the network would have computed. The
 * scalar kernels are used whatever the machine is, so that the same file comes out everywhere. Constants made of shapes (s64)
 * are the importer's affair. */
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "model.h"
#include "operators.h"
#include "optimize.h"
#include "status.h"

/* Folding must not blow up a file: a broadcast of a scalar to a picture stays a node. */
#define MAX_GROWTH_BYTES ((size_t)1 << 20)

/* A concat of more constants than this is left to the runtime. */
#define MAX_INPUTS 64

/* A network output has to be computed by a node, so it is left alone. */
static bool can_fold(const oct_graph *graph, const oct_node *node)
{
    size_t bytes = 0;
    if (node->op == OCT_OP_NONE || node->in_count > MAX_INPUTS || oct_is_graph_output(graph, node->out[0]) ||
        graph->values[node->out[0]].dtype != OCT_F32)
        return false;
    for (int i = 0; i < node->in_count; i++) {
        if (node->in[i] < 0)
            continue;
        if (!oct_f32_constant(graph, node->in[i]))
            return false;
        bytes += oct_value_bytes(&graph->values[node->in[i]]);
    }
    return oct_value_bytes(&graph->values[node->out[0]]) <= bytes + MAX_GROWTH_BYTES;
}

/* The node alone in a graph: its inputs become network inputs, but for weights and bias, which must be constants. */
static oct_status isolate(const oct_graph *graph, const oct_node *node, oct_graph *alone)
{
    const bool weighted = node->op == OCT_OP_CONV || node->op == OCT_OP_DENSE;
    int in[MAX_INPUTS], out;
    for (int i = 0; i < node->in_count; i++) {
        in[i] = OCT_NONE;
        if (node->in[i] < 0)
            continue;
        const oct_value *value = &graph->values[node->in[i]];
        if (weighted && (i == OCT_IN_W || i == OCT_IN_BIAS)) {
            OCT_TRY(oct_graph_add_constant(alone, value->name, value->dtype, &value->shape, value->data, &in[i]));
            continue;
        }
        OCT_TRY(oct_graph_add_value(alone, value->name, value->dtype, &value->shape, NULL, &in[i]));
        OCT_TRY(oct_graph_add_input(alone, in[i]));
    }
    OCT_TRY(oct_graph_add_node(alone, node->op, node->name, &node->attrs, in, node->in_count, &out));
    alone->nodes[0].act = node->act;
    return oct_graph_add_output(alone, out);
}

/* Feeds the constants to the session in the order in which isolate made inputs of them, and runs it. */
static oct_status run_alone(const oct_graph *graph, const oct_node *node, oct_session *session, float *result, size_t bytes)
{
    const bool weighted = node->op == OCT_OP_CONV || node->op == OCT_OP_DENSE;
    size_t input = 0;
    for (int i = 0; i < node->in_count; i++) {
        if (node->in[i] < 0 || (weighted && (i == OCT_IN_W || i == OCT_IN_BIAS)))
            continue;
        const oct_value *value = &graph->values[node->in[i]];
        OCT_TRY(oct_set_input(session, input++, value->data, oct_value_bytes(value)));
    }
    OCT_TRY(oct_run(session));
    return oct_get_output(session, 0, result, bytes);
}

/* The model takes the little graph over, whether it can be made or not. */
static oct_status compute(const oct_graph *graph, const oct_node *node, float *result, size_t bytes)
{
    const oct_options options = {.isa = "scalar", .threads = 1};
    oct_graph *alone;
    oct_model *model = NULL;
    oct_session *session = NULL;
    OCT_TRY(oct_graph_create(&alone));
    oct_status status = isolate(graph, node, alone);
    if (status == OCT_OK)
        status = oct_model_wrap(alone, &model);
    else
        oct_graph_free(alone);
    if (status == OCT_OK)
        status = oct_session_create(model, &options, &session);
    if (status == OCT_OK)
        status = run_alone(graph, node, session, result, bytes);
    oct_session_free(session);
    oct_model_free(model);
    return status;
}

/* Puts the result in the node's place. Its value is no output, so that replacing it always works. */
static oct_status fold(oct_graph *graph, int n)
{
    const oct_value *out = &graph->values[graph->nodes[n].out[0]];
    const oct_shape shape = out->shape;
    const size_t bytes = oct_value_bytes(out);
    float *result = oct_alloc(bytes ? bytes : 1, 1);
    int constant;
    bool done;
    if (!result)
        return oct_fail_memory(bytes);
    const oct_status status = compute(graph, &graph->nodes[n], result, bytes);
    if (status != OCT_OK) {
        oct_free(result);
        return oct_fail_in(status, "folding node %s", graph->nodes[n].name);
    }
    OCT_TRY(oct_graph_add_value(graph, out->name, OCT_F32, &shape, result, &constant));
    oct_replace_value(graph, graph->nodes[n].out[0], constant, &done);
    oct_graph_kill_node(graph, n);
    return OCT_OK;
}

/* Nodes stand in topological order: what a folded node feeds is folded on the same walk. */
oct_status oct_pass_fold_constants(oct_graph *graph, int *changes)
{
    for (int n = 0; n < graph->node_count; n++) {
        if (!can_fold(graph, &graph->nodes[n]))
            continue;
        OCT_TRY(fold(graph, n));
        ++*changes;
    }
    return OCT_OK;
}

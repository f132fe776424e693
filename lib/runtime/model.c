/* Models: who holds them, and what can be asked about them.
 *
 *   oct_model_free by the caller ----+
 *   oct_session_free, each ----------+--> holders - 1; at 0 the graph goes, then the bytes its constants are borrowed from
 *
 * A model never changes after it has been made, so that any number of threads may read it without a lock; the count of holders is
 * the one exception, and it is atomic.
 */
#include "model.h"

#include <stdatomic.h>

#include "memory.h"
#include "operators.h"
#include "status.h"

struct oct_model {
    oct_graph *graph;
    void *bytes;                                /* where borrowed constants lie; NULL if there are none */
    size_t size;
    void (*release)(void *bytes, size_t size);
    atomic_int holders;
};

oct_status oct_model_wrap(oct_graph *graph, oct_model **model)
{
    return oct_model_wrap_bytes(graph, NULL, 0, NULL, model);
}

/* The only door: whatever runs has passed these two checks, whether it came from a file, a builder or the optimiser. */
oct_status oct_model_wrap_bytes(oct_graph *graph, void *bytes, size_t size, void (*release)(void *bytes, size_t size),
                                oct_model **model)
{
    *model = NULL;
    oct_status status = oct_graph_check(graph);
    if (status == OCT_OK)
        status = oct_check_numbers(graph);
    oct_model *made = status == OCT_OK ? oct_alloc(1, sizeof *made) : NULL;
    if (!made) {
        oct_graph_free(graph);
        return status != OCT_OK ? status : oct_fail_memory(sizeof *made);
    }
    made->graph = graph;
    made->bytes = bytes;
    made->size = size;
    made->release = release;
    atomic_init(&made->holders, 1);
    *model = made;
    return OCT_OK;
}

const oct_graph *oct_model_graph(const oct_model *model) { return model ? model->graph : NULL; }

/* Only the count is ever written, so a model that is const for its users may be held and let go through the same pointer. */
oct_model *oct_model_hold(const oct_model *model)
{
    oct_model *held = (oct_model *)(uintptr_t)model;
    atomic_fetch_add_explicit(&held->holders, 1, memory_order_relaxed);
    return held;
}

/* Release before, acquire at the last: whoever frees sees all that the others did with it. The graph goes before the bytes it
 * borrows from. */
void oct_model_free(oct_model *model)
{
    if (!model || atomic_fetch_sub_explicit(&model->holders, 1, memory_order_acq_rel) != 1)
        return;
    oct_graph_free(model->graph);
    if (model->release)
        model->release(model->bytes, model->size);
    oct_free(model);
}

/* --------------------------------------------------------------------------------- inputs and outputs ---- */

size_t oct_model_input_count(const oct_model *model) { return model ? (size_t)model->graph->input_count : 0; }
size_t oct_model_output_count(const oct_model *model) { return model ? (size_t)model->graph->output_count : 0; }

/* Scale and zero point are shown for u8 only; other types may have leftovers there. */
static oct_tensor_info describe(const oct_value *value)
{
    oct_tensor_info info = {.name = value->name, .dtype = value->dtype, .shape = value->shape};
    info.elements = (size_t)oct_shape_elements(&value->shape);
    info.bytes = oct_value_bytes(value);
    if (value->dtype == OCT_U8) {
        info.scale = value->scale;
        info.zero_point = value->zero_point;
    }
    return info;
}

oct_status oct_model_input(const oct_model *model, size_t index, oct_tensor_info *info)
{
    if (info)
        *info = (oct_tensor_info){0};
    if (!model || !info)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_model_input: %s is NULL", model ? "info" : "model");
    if (index >= oct_model_input_count(model))
        return oct_fail(OCT_ERR_ARGUMENT, "oct_model_input: input %zu of %zu", index, oct_model_input_count(model));
    *info = describe(&model->graph->values[model->graph->inputs[index]]);
    return OCT_OK;
}

oct_status oct_model_output(const oct_model *model, size_t index, oct_tensor_info *info)
{
    if (info)
        *info = (oct_tensor_info){0};
    if (!model || !info)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_model_output: %s is NULL", model ? "info" : "model");
    if (index >= oct_model_output_count(model))
        return oct_fail(OCT_ERR_ARGUMENT, "oct_model_output: output %zu of %zu", index, oct_model_output_count(model));
    *info = describe(&model->graph->values[model->graph->outputs[index]]);
    return OCT_OK;
}

const char *oct_model_notes(const oct_model *model) { return model && model->graph->notes ? model->graph->notes : ""; }

/* --------------------------------------------------------------------------------------------- layers ---- */

size_t oct_model_layer_count(const oct_model *model) { return model ? (size_t)model->graph->node_count : 0; }

/* Layers are called by what they compute: "add", not "binary". */
static const char *const binary_names[OCT_BINARY_COUNT] = {
    [OCT_BINARY_ADD] = "add", [OCT_BINARY_MUL] = "mul", [OCT_BINARY_SUB] = "sub", [OCT_BINARY_DIV] = "div",
    [OCT_BINARY_MIN] = "min", [OCT_BINARY_MAX] = "max", [OCT_BINARY_POW] = "pow",
};

/* Unary nodes are called after their function: "relu", "sigmoid". The table row knows all others. */
static const char *op_name(const oct_node *node)
{
    if (node->op == OCT_OP_UNARY)
        return oct_function_name(&node->attrs.unary);
    if (node->op == OCT_OP_BINARY)
        return binary_names[node->attrs.binary.fn];
    return oct_operator_of(node->op)->name;
}

/* Precision is a property of values (graph.h); this is how people speak of it. */
static const char *precision(const oct_value *x, oct_dtype out)
{
    const oct_dtype in = x->dtype;
    if (oct_value_is_dynamic(x))
        return "int8-dynamic";
    if (in == OCT_U8)
        return out == OCT_U8 ? "int8" : out == OCT_F32 ? "int8>f32" : oct_dtype_name(out);
    if (in == OCT_F32 && out == OCT_U8)
        return "f32>u8";
    return oct_dtype_name(out);
}

/* As stored in the file, so s8 weights come with their scales. */
static size_t constant_bytes(const oct_graph *graph, const oct_node *node)
{
    size_t bytes = 0;
    for (int i = 0; i < node->in_count; i++) {
        if (node->in[i] == OCT_NONE)
            continue;
        const oct_value *value = &graph->values[node->in[i]];
        bytes += value->data ? oct_value_bytes(value) : 0;
        bytes += value->dtype == OCT_S8 && value->channel_scale ? (size_t)value->shape.dims[0] * sizeof(float) : 0;
    }
    return bytes;
}

/* Layers are nodes, in the order of execution; the sizes are those inside, N x H x W x C. All strings live as long as the model. */
oct_status oct_model_layer(const oct_model *model, size_t index, oct_layer_info *info)
{
    if (info)
        *info = (oct_layer_info){0};
    if (!model || !info)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_model_layer: %s is NULL", model ? "info" : "model");
    if (index >= oct_model_layer_count(model))
        return oct_fail(OCT_ERR_ARGUMENT, "oct_model_layer: layer %zu of %zu", index, oct_model_layer_count(model));
    const oct_graph *graph = model->graph;
    const oct_node *node = &graph->nodes[index];
    const oct_operator *row = oct_operator_of(node->op);
    const oct_value *in = &graph->values[node->in[0]], *out = &graph->values[node->out[0]];
    const bool linear = node->op == OCT_OP_CONV || node->op == OCT_OP_DENSE;
    *info = (oct_layer_info){
        .name = node->name,
        .op = op_name(node),
        .precision = precision(in, out->dtype),
        .act = oct_function_name(&node->act),
        .in = in->shape,
        .out = out->shape,
        .out_dtype = out->dtype,
        .macs = row->macs ? row->macs(graph, node) : 0,
        .weight_bytes = constant_bytes(graph, node),
        .fused_residual = linear && node->in_count > OCT_IN_RESIDUAL && node->in[OCT_IN_RESIDUAL] != OCT_NONE,
    };
    return OCT_OK;
}

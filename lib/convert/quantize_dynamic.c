/* oct_quantize_dynamic: int8 weights, and activations whose ranges are found while the network runs.
 *
 *     f32 x ---> conv ---> f32 y         becomes         f32 x --> QUANTIZE --u8--> conv (s8 weights) ---> f32 y
 *
 * This is "dynamic quantization" as ONNX Runtime and TFLite have it: no data are needed, and each layer by itself goes over to
 * int8 and back. The price is a QUANTIZE node per tensor, two passes over its floats; what the products gain has to pay for it. So
 * a layer changes only if it makes enough of each element that it reads (PRODUCTS_WORTH_IT), and depthwise convolutions, which
 * make a handful, never do. Layers that read the same tensor share one QUANTIZE node and its price.
 */
#include <math.h>
#include <stdio.h>

#include "memory.h"
#include "operators.h"
#include "quantize.h"
#include "status.h"

/* On MobileNets, whose narrow 1x1 layers this is about, 16 was better than 30, 48 and 96, with and without VNNI. */
#define PRODUCTS_WORTH_IT 16
/* And so many in all: a node more costs some tenths of a microsecond, however little it has to do. (On AVX2 a network of dense
 * layers of 128 x 128 was slower than in f32.) */
#define PRODUCTS_PER_NODE 32768

/* The result under construction. */
typedef struct dynamic_plan {
    oct_graph *graph;
    int nodes, values;   /* without those that are added */
    bool *fits;          /* per node: can be int8 */
    int *twin;           /* per value: its u8 form; OCT_NONE */
} dynamic_plan;

/* Weights that are finite, and sums that stay in 32 bits. The bias stays f32 and is added at the end. */
static oct_status weights_fit(const oct_graph *graph, const oct_node *node, bool *fit)
{
    const oct_shape *shape = &graph->values[node->in[OCT_IN_W]].shape;
    const float *w = oct_f32_constant(graph, node->in[OCT_IN_W]);
    const int64_t each = oct_shape_product(shape, 1, shape->rank);
    int8_t *q = oct_alloc((size_t)each, sizeof *q);
    if (!q)
        return oct_fail_memory((size_t)each);
    *fit = true;
    for (int64_t c = 0; *fit && c < shape->dims[0]; c++) {
        oct_channel_quant channel;
        for (int64_t i = 0; *fit && i < each; i++)
            *fit = isfinite(w[c * each + i]);
        *fit = *fit && oct_quantize_channel(w + c * each, each, 0, 1, q, &channel);
    }
    oct_free(q);
    return OCT_OK;
}

static oct_status find_candidates(dynamic_plan *plan)
{
    for (int n = 0; n < plan->nodes; n++) {
        const oct_node *node = &plan->graph->nodes[n];
        const bool linear = node->op == OCT_OP_CONV || node->op == OCT_OP_DENSE;
        if (!linear || (oct_conv_is_depthwise(plan->graph, node) && node->attrs.conv.groups > 1))
            continue;
        if (oct_f32_constant(plan->graph, node->in[OCT_IN_W]) && !plan->graph->values[node->in[OCT_IN_X]].data)
            OCT_TRY(weights_fit(plan->graph, node, &plan->fits[n]));
    }
    return OCT_OK;
}

/* Products that candidates make of all elements of `value`. */
static double products_of(const dynamic_plan *plan, int value)
{
    double macs = 0;
    for (int n = 0; n < plan->nodes; n++) {
        const oct_node *node = &plan->graph->nodes[n];
        if (plan->fits[n] && node->in[OCT_IN_X] == value)
            macs += (double)oct_operator_of(node->op)->macs(plan->graph, node);
    }
    return macs;
}

static bool is_worth_it(const dynamic_plan *plan, int value)
{
    const double products = products_of(plan, value);
    return products >= PRODUCTS_PER_NODE &&
           products >= PRODUCTS_WORTH_IT * (double)oct_shape_elements(&plan->graph->values[value].shape);
}

/* A new QUANTIZE node's output has scale 0, which means just this (graph.h). */
static oct_status add_twins(dynamic_plan *plan)
{
    for (int v = 0; v < plan->values; v++) {
        plan->twin[v] = OCT_NONE;
        if (!is_worth_it(plan, v))
            continue;
        char name[256];
        snprintf(name, sizeof name, "%s.u8", plan->graph->values[v].name);
        OCT_TRY(oct_graph_add_node(plan->graph, OCT_OP_QUANTIZE, name, NULL, &v, 1, &plan->twin[v]));
    }
    return OCT_OK;
}

/* s8 weights instead of node n's own; weights_fit has shown that all channels can be had. */
static oct_status replace_weights(oct_graph *graph, int n)
{
    const int w = graph->nodes[n].in[OCT_IN_W];
    const oct_shape shape = graph->values[w].shape;
    const float *data = oct_f32_constant(graph, w);
    const int64_t each = oct_shape_product(&shape, 1, shape.rank);
    int8_t *q = oct_alloc((size_t)(shape.dims[0] * each), sizeof *q);
    float *scale = oct_alloc((size_t)shape.dims[0], sizeof *scale);
    bool fit = q && scale;
    for (int64_t c = 0; fit && c < shape.dims[0]; c++) {
        oct_channel_quant channel = {0};
        fit = oct_quantize_channel(data + c * each, each, 0, 1, q + c * each, &channel);
        scale[c] = channel.scale;
    }
    int id;
    oct_status status = fit ? OCT_OK : oct_fail_memory((size_t)(shape.dims[0] * each));
    if (!fit)
        oct_free(q);
    else
        status = oct_graph_add_value(graph, graph->values[w].name, OCT_S8, &shape, q, &id);
    if (status != OCT_OK) {
        oct_free(scale);
        return status;
    }
    graph->values[id].channel_scale = scale;
    graph->nodes[n].in[OCT_IN_W] = id;
    return OCT_OK;
}

/* Names repeat where several layers share their weights; nothing minds that. */
static oct_status rewrite(dynamic_plan *plan)
{
    OCT_TRY(find_candidates(plan));
    OCT_TRY(add_twins(plan));
    for (int n = 0; n < plan->nodes; n++) {
        oct_node *node = &plan->graph->nodes[n];
        if (!plan->fits[n] || plan->twin[node->in[OCT_IN_X]] == OCT_NONE)
            continue;
        OCT_TRY(replace_weights(plan->graph, n));
        node->in[OCT_IN_X] = plan->twin[node->in[OCT_IN_X]];
    }
    if (oct_graph_sweep(plan->graph) < 0)
        return oct_fail(OCT_ERR_MEMORY, "out of memory while quantizing");
    OCT_TRY(oct_graph_infer(plan->graph));
    return oct_graph_check(plan->graph);
}

oct_status oct_quantize_dynamic(const oct_graph *graph, oct_graph **quantized)
{
    dynamic_plan plan = {0};
    if (quantized)
        *quantized = NULL;
    if (!graph || !quantized)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_quantize_dynamic: %s is NULL", graph ? "quantized" : "graph");
    OCT_TRY(oct_graph_status(graph));
    OCT_TRY(oct_graph_check(graph));
    if (oct_graph_is_quantized(graph))
        return oct_fail(OCT_ERR_ARGUMENT, "the graph is quantized already");
    OCT_TRY(oct_graph_clone(graph, &plan.graph));
    plan.nodes = graph->node_count;
    plan.values = graph->value_count;
    plan.fits = oct_alloc((size_t)plan.nodes, sizeof *plan.fits);
    plan.twin = oct_alloc((size_t)plan.values, sizeof *plan.twin);
    const oct_status status = plan.fits && plan.twin ? rewrite(&plan) : oct_fail_memory((size_t)plan.values * sizeof *plan.twin);
    oct_free(plan.fits);
    oct_free(plan.twin);
    if (status == OCT_OK)
        *quantized = plan.graph;
    else
        oct_graph_free(plan.graph);
    return status;
}

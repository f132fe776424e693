/* oct_quantize: plans which values become bytes and with which scales, then rewrites a copy of the graph accordingly.
 *
 * The plan is a set of tables beside the graph, indexed by the numbers that nodes and values have in it; nothing is changed
 * before the plan is complete. The rewrite only adds at the end, so that the tables stay valid until the last step sorts and
 * renumbers everything. */
#include "quantize.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "operators.h"
#include "optimize.h"
#include "status.h"

/* -------------------------------------------------------------------------------------------------- plan ---- */

static void free_decisions(oct_decisions *d)
{
    for (int n = 0; d->weights && n < d->nodes; n++)
        oct_weight_choice_free(&d->weights[n]);
    oct_free(d->weights);
    oct_free(d->ranges);
    oct_free(d->in_float);
    oct_free(d->sensitivity);
}

/* A convolution or dense layer that could be int8 at all. */
static bool has_weights(const oct_graph *graph, const oct_node *node)
{
    return (node->op == OCT_OP_CONV || node->op == OCT_OP_DENSE) && oct_f32_constant(graph, node->in[OCT_IN_W]);
}

static oct_status mark_asked(const oct_graph *graph, const char *name, oct_decisions *d)
{
    for (int n = 0; name && n < graph->node_count; n++)
        if (has_weights(graph, &graph->nodes[n]) && !strcmp(graph->nodes[n].name, name)) {
            d->in_float[n] = OCT_FLOAT_ASKED;
            return OCT_OK;
        }
    return oct_fail(OCT_ERR_ARGUMENT, "there is no convolution or dense layer \"%s\" to keep in float", name ? name : "(NULL)");
}

/* Everything that does not depend on which values become bytes. */
static oct_status decide(const oct_calibration *calibration, const oct_quantize_options *options, oct_decisions *d)
{
    const oct_graph *graph = oct_calibration_graph(calibration);
    *d = (oct_decisions){.calibration = calibration, .nodes = graph->node_count};
    if (options)
        d->options = *options;
    d->ranges = oct_alloc((size_t)graph->value_count, sizeof *d->ranges);
    d->weights = oct_alloc((size_t)graph->node_count, sizeof *d->weights);
    d->in_float = oct_alloc((size_t)graph->node_count, sizeof *d->in_float);
    d->sensitivity = oct_alloc((size_t)graph->node_count, sizeof *d->sensitivity);
    if (!d->ranges || !d->weights || !d->in_float || !d->sensitivity)
        return oct_fail_memory((size_t)graph->value_count * sizeof *d->ranges);
    for (int i = 0; i < d->options.keep_float_count; i++)
        OCT_TRY(mark_asked(graph, d->options.keep_float[i], d));
    OCT_TRY(oct_choose_ranges(calibration, &d->options, d->ranges));
    for (int n = 0; n < graph->node_count; n++)
        if (has_weights(graph, &graph->nodes[n]))
            OCT_TRY(oct_choose_weights(graph, n, calibration, &d->options, &d->weights[n]));
    if (!d->options.rounding || strcmp(d->options.rounding, "nearest") != 0)
        OCT_TRY(oct_round_second_order(d, d->options.rounding && !strcmp(d->options.rounding, "gptq")));
    return d->options.max_drop > 0 || d->options.min_sqnr > 0 ? oct_choose_float_layers(d) : OCT_OK;
}

/* All false, OCT_ROLE_FLOAT or 0 to begin with. */
static oct_status make_tables(oct_quant_plan *plan)
{
    const size_t nodes = (size_t)plan->nodes, values = (size_t)plan->values;
    plan->refused = oct_alloc(nodes, sizeof *plan->refused);
    plan->role = oct_alloc(nodes, sizeof *plan->role);
    plan->bytes = oct_alloc(values, sizeof *plan->bytes);
    plan->scale = oct_alloc(values, sizeof *plan->scale);
    plan->weight_reach = oct_alloc(nodes, sizeof *plan->weight_reach);
    plan->bias_reach = oct_alloc(nodes, sizeof *plan->bias_reach);
    if (!plan->refused || !plan->role || !plan->bytes || !plan->scale || !plan->weight_reach || !plan->bias_reach)
        return oct_fail_memory((nodes + values) * sizeof *plan->scale);
    return OCT_OK;
}

/* A copy of the graph that calibration ran, which has had its activations split off. */
static oct_status make_plan(oct_quant_plan *plan, const oct_decisions *d)
{
    *plan = (oct_quant_plan){.decisions = d, .range = d->ranges, .weights = d->weights};
    OCT_TRY(oct_graph_clone(oct_calibration_graph(d->calibration), &plan->graph));
    plan->nodes = plan->graph->node_count;
    plan->values = plan->graph->value_count;
    OCT_TRY(make_tables(plan));
    for (int n = 0; n < plan->nodes; n++)
        plan->refused[n] = d->in_float[n] != OCT_FLOAT_NOT;
    return OCT_OK;
}

static void free_plan(oct_quant_plan *plan)
{
    oct_graph_free(plan->graph);
    oct_free(plan->refused);
    oct_free(plan->role);
    oct_free(plan->bytes);
    oct_free(plan->scale);
    oct_free(plan->weight_reach);
    oct_free(plan->bias_reach);
}

/* Refuses the nodes whose results could leave 32 bits even so; returns in *refusals how many. Scales have been raised to where
 * this should not happen (quantize_scales.c), except where that would have taken them out of bounds. */
static oct_status refuse_unprovable(oct_quant_plan *plan, int *refusals)
{
    *refusals = 0;
    for (int n = 0; n < plan->nodes; n++) {
        const oct_node *node = &plan->graph->nodes[n];
        bool fit = true;
        if (node->op == OCT_OP_NONE)
            continue;
        if (plan->role[n] == OCT_ROLE_WEIGHTED)
            OCT_TRY(oct_weights_fit(plan, n, &fit));
        fit &= oct_plan_reach(plan, n) / (double)plan->scale[node->out[0]].scale < 0x1p30;
        if (fit)
            continue;
        plan->refused[n] = true;
        ++*refusals;
    }
    return OCT_OK;
}

/* Every round refuses at least one node for good, so this ends. */
static oct_status complete_plan(oct_quant_plan *plan)
{
    int refusals = 1;
    while (refusals > 0) {
        OCT_TRY(oct_plan_forms(plan));
        OCT_TRY(oct_plan_scales(plan));
        OCT_TRY(refuse_unprovable(plan, &refusals));
    }
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------------- rewrite ---- */

/* From now on the value's producer writes u8; kernels look at nothing but this. */
static void make_bytes(oct_graph *graph, int value, oct_scale scale)
{
    graph->values[value].dtype = OCT_U8;
    graph->values[value].scale = scale.scale;
    graph->values[value].zero_point = scale.zero_point;
}

/* Asked only as long as all nodes still read what they read in the plan. */
static bool needs_f32(const oct_quant_plan *plan, int value)
{
    for (int n = 0; n < plan->nodes; n++)
        for (int i = 0; i < plan->graph->nodes[n].in_count; i++)
            if (plan->graph->nodes[n].in[i] == value && !oct_plan_input_is_bytes(plan, n, i))
                return true;
    return oct_is_graph_output(plan->graph, value);
}

/* twin[v]: the value's other form, computed by a QUANTIZE or DEQUANTIZE node; OCT_NONE where nobody wants it. */
static oct_status add_twin(oct_quant_plan *plan, int value, int *twin)
{
    oct_graph *graph = plan->graph;
    char name[256];
    *twin = OCT_NONE;
    if (plan->bytes[value]) {
        if (!needs_f32(plan, value))
            return OCT_OK;
        snprintf(name, sizeof name, "%s.f32", graph->values[value].name);
        return oct_graph_add_node(graph, OCT_OP_DEQUANTIZE, name, NULL, &value, 1, twin);
    }
    if (!oct_plan_has_bytes(plan, value))
        return OCT_OK;
    snprintf(name, sizeof name, "%s.u8", graph->values[value].name);
    OCT_TRY(oct_graph_add_node(graph, OCT_OP_QUANTIZE, name, NULL, &value, 1, twin));
    make_bytes(graph, *twin, plan->scale[value]);
    return OCT_OK;
}

/* A constant operand of an addition or multiplication, as bytes with a scale of its own. */
static oct_status quantize_operand(oct_quant_plan *plan, int n, int i)
{
    oct_graph *graph = plan->graph;
    const int v = graph->nodes[n].in[i];
    const oct_scale scale = oct_plan_input_scale(plan, n, i);
    const oct_shape shape = graph->values[v].shape;
    const float *data = oct_f32_constant(graph, v);
    const int64_t count = oct_shape_elements(&shape);
    uint8_t *q = oct_alloc((size_t)count, sizeof *q);
    int id;
    if (!q)
        return oct_fail_memory((size_t)count);
    for (int64_t e = 0; e < count; e++) {
        const double x = nearbyint((double)data[e] / (double)scale.scale) + scale.zero_point;
        q[e] = x < 0 ? 0 : x > 255 ? 255 : (uint8_t)x;
    }
    OCT_TRY(oct_graph_add_value(graph, graph->values[v].name, OCT_U8, &shape, q, &id));
    make_bytes(graph, id, scale);
    graph->nodes[n].in[i] = id;
    return OCT_OK;
}

/* Points node n's inputs at the forms it wants. */
static oct_status connect_node(oct_quant_plan *plan, int n, const int *twin)
{
    oct_graph *graph = plan->graph;
    const bool weighted = graph->nodes[n].op == OCT_OP_CONV || graph->nodes[n].op == OCT_OP_DENSE;
    if (plan->role[n] == OCT_ROLE_WEIGHTED)
        OCT_TRY(oct_quantize_weights(plan, n));
    for (int i = 0; i < graph->nodes[n].in_count; i++) {
        const int v = graph->nodes[n].in[i];
        if (v < 0 || (weighted && (i == OCT_IN_W || i == OCT_IN_BIAS)))
            continue;
        const bool bytes = oct_plan_input_is_bytes(plan, n, i);
        if (bytes && graph->values[v].data)
            OCT_TRY(quantize_operand(plan, n, i));
        else if (!graph->values[v].data && bytes != plan->bytes[v])
            graph->nodes[n].in[i] = twin[v];
    }
    return OCT_OK;
}

/* Network outputs stay f32 and keep their names: where the producer writes bytes, the DEQUANTIZE behind it takes on both. */
static void connect_outputs(oct_quant_plan *plan, const int *twin)
{
    oct_graph *graph = plan->graph;
    for (int v = 0; v < plan->values; v++) {
        if (!plan->bytes[v] || !oct_is_graph_output(graph, v))
            continue;
        char *name = graph->values[v].name;
        graph->values[v].name = graph->values[twin[v]].name;
        graph->values[twin[v]].name = name;
        for (int i = 0; i < graph->output_count; i++)
            if (graph->outputs[i] == v)
                graph->outputs[i] = twin[v];
    }
}

/* Sorts, then puts those activations back into convolutions and dense layers that have stayed in f32. */
static oct_status tidy(oct_graph *graph)
{
    int fused = 0;
    if (oct_graph_sweep(graph) < 0)
        return oct_fail(OCT_ERR_MEMORY, "out of memory while quantizing");
    OCT_TRY(oct_pass_fuse_activation(graph, &fused));
    if (oct_graph_sweep(graph) < 0)
        return oct_fail(OCT_ERR_MEMORY, "out of memory while quantizing");
    OCT_TRY(oct_graph_infer(graph));
    return oct_graph_check(graph);
}

/* In three steps: types, then the other forms of values, for which the types must be known, then the nodes' inputs. */
static oct_status rewrite(oct_quant_plan *plan)
{
    oct_graph *graph = plan->graph;
    int *twin = oct_alloc((size_t)plan->values, sizeof *twin);
    oct_status status = twin ? OCT_OK : oct_fail_memory((size_t)plan->values * sizeof *twin);
    for (int v = 0; status == OCT_OK && v < plan->values; v++)
        if (plan->bytes[v])
            make_bytes(graph, v, plan->scale[v]);
    for (int v = 0; status == OCT_OK && v < plan->values; v++)
        status = add_twin(plan, v, &twin[v]);
    for (int n = 0; status == OCT_OK && n < plan->nodes; n++)
        if (graph->nodes[n].op != OCT_OP_NONE)
            status = connect_node(plan, n, twin);
    if (status == OCT_OK)
        connect_outputs(plan, twin);
    oct_free(twin);
    return status == OCT_OK ? tidy(graph) : status;
}

/* -------------------------------------------------------------------------------------------------- entry ---- */

static oct_status check_options(const oct_quantize_options *o)
{
    if (o->weights && strcmp(o->weights, "mse") != 0 && strcmp(o->weights, "max") != 0 && strcmp(o->weights, "tensor") != 0)
        return oct_fail(OCT_ERR_ARGUMENT, "unknown way \"%s\" to choose the scales of weights; there are mse, max and tensor",
                        o->weights);
    if (o->rounding && strcmp(o->rounding, "auto") != 0 && strcmp(o->rounding, "nearest") != 0 && strcmp(o->rounding, "gptq") != 0)
        return oct_fail(OCT_ERR_ARGUMENT, "unknown rounding \"%s\"; there are auto, nearest and gptq", o->rounding);
    if (!(o->max_drop >= 0) || !(o->min_sqnr >= 0))
        return oct_fail(OCT_ERR_ARGUMENT, "max_drop %g and min_sqnr %g must not be negative", o->max_drop, o->min_sqnr);
    if (o->keep_float_count < 0 || (o->keep_float_count > 0 && !o->keep_float) || o->label_count < 0)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_quantize: a list of the options has no elements or a negative number of them");
    return OCT_OK;
}

/* A graph changed after calibration would be given wrong ranges without any sign of it, so the two are compared. */
static oct_status check_arguments(const oct_graph *graph, const oct_calibration *calibration, const oct_quantize_options *options)
{
    if (!graph || !calibration)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_quantize: %s is NULL", graph ? "calibration" : "graph");
    OCT_TRY(oct_graph_status(graph));
    if (options)
        OCT_TRY(check_options(options));
    if (oct_graph_is_quantized(graph))
        return oct_fail(OCT_ERR_ARGUMENT, "the graph is quantized already");
    if (!oct_calibration_is_of(calibration, graph))
        return oct_fail(OCT_ERR_ARGUMENT, "the calibration belongs to another graph; calibrate this one, after all changes to it");
    for (int v = 0; v < oct_calibration_graph(calibration)->value_count; v++)
        if (oct_calibration_samples(calibration) > 0 || oct_calibration_stats(calibration, v)->fixed)
            return OCT_OK;
    return oct_fail(OCT_ERR_ARGUMENT, "the calibration has seen no samples, and no ranges have been given");
}

oct_status oct_quantize_as_decided(const oct_decisions *d, oct_graph **quantized)
{
    oct_quant_plan plan = {0};
    oct_status status = make_plan(&plan, d);
    if (status == OCT_OK)
        status = complete_plan(&plan);
    if (status == OCT_OK)
        status = oct_note_plan(&plan);
    if (status == OCT_OK)
        status = rewrite(&plan);
    *quantized = NULL;
    if (status == OCT_OK) {
        *quantized = plan.graph;
        plan.graph = NULL;
    }
    free_plan(&plan);
    return status;
}

oct_status oct_quantize(const oct_graph *graph, const oct_calibration *calibration, const oct_quantize_options *options,
                        oct_graph **quantized)
{
    oct_decisions d;
    if (!quantized)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_quantize: quantized is NULL");
    *quantized = NULL;
    OCT_TRY(check_arguments(graph, calibration, options));
    oct_status status = decide(calibration, options, &d);
    if (status == OCT_OK)
        status = oct_quantize_as_decided(&d, quantized);
    free_decisions(&d);
    return status;
}

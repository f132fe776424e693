/* Where a quantized network differs from its float original, layer by layer.
 *
 * Three sessions see each sample:
 *
 *   float       the original; every tensor's numbers are kept for the other two
 *   quantized   each tensor, with all the errors of the layers before it              accumulated
 *   dissected   the quantized network with every tensor cut in two: a layer reads     alone
 *               what the float network has there (as bytes, where it reads bytes)
 *
 * Tensors are matched by name. The quantizer keeps the names of the float network's tensors; the other form of tensor T, where both
 * are needed, is called T.u8 or T.f32.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "calibrate.h"
#include "memory.h"
#include "model.h"
#include "operators.h"
#include "rewrite.h"
#include "session.h"
#include "status.h"

/* Sums over all elements of a tensor, or of one of its channels, over all samples. */
typedef struct error_sums {
    double signal, noise;
} error_sums;

/* A layer of the quantized network. */
typedef struct compared {
    int match;                    /* the float network's value of its output; OCT_NONE */
    error_sums alone, accumulated;
    int64_t channels;             /* 0 where the last dimension is none */
    error_sums *channel;
    double elements, saturated;   /* bytes seen; those cut off */
    int least, greatest;          /* byte */
} compared;

struct oct_comparison {
    oct_model *reference, *quantized, *dissected;
    oct_session *of_reference, *of_quantized, *of_dissected;
    int *match;                   /* per value of the quantized graph: the float graph's value */
    int *source;                  /* per input of the dissected graph: the quantized graph's value */
    float **kept;                 /* per value of the float graph: the running sample's numbers; NULL where nobody asks */
    compared *layers;             /* per node of the quantized graph */
    int *shown, shown_count;      /* the nodes that are compared */
    void *scratch;                /* bytes for one input of the dissected session */
    int64_t samples, calls;
    int bad;                      /* a float value of the running sample that is not finite; OCT_NONE */
};

/* ----------------------------------------------------------------------------------------------- matching ---- */

static const oct_graph *reference_of(const oct_comparison *c) { return oct_model_graph(c->reference); }
static const oct_graph *quantized_of(const oct_comparison *c) { return oct_model_graph(c->quantized); }

/* "T" for "T.u8" and "T.f32". */
static size_t stem_length(const char *name)
{
    const size_t length = strlen(name);
    if (length > 3 && !strcmp(name + length - 3, ".u8"))
        return length - 3;
    return length > 4 && !strcmp(name + length - 4, ".f32") ? length - 4 : length;
}

/* A variable of this name (of `length` letters) and shape. */
static int find_value(const oct_graph *graph, const char *name, size_t length, const oct_shape *shape)
{
    for (int v = 0; v < graph->value_count; v++) {
        const oct_value *value = &graph->values[v];
        if (!value->data && value->dtype == OCT_F32 && strlen(value->name) == length && !memcmp(value->name, name, length) &&
            oct_shape_equal(&value->shape, shape))
            return v;
    }
    return OCT_NONE;
}

static int match_of(const oct_graph *reference, const oct_value *value)
{
    if (value->data || (value->dtype != OCT_F32 && value->dtype != OCT_U8))
        return OCT_NONE;
    const int exact = find_value(reference, value->name, strlen(value->name), &value->shape);
    return exact >= 0 ? exact : find_value(reference, value->name, stem_length(value->name), &value->shape);
}

/* What is made of bytes whose scale changes from run to run has nothing to be compared with here; the layer behind it has. */
static bool is_shown(const oct_comparison *c, const oct_node *node)
{
    const oct_value *out = &quantized_of(c)->values[node->out[0]];
    return c->match[node->out[0]] >= 0 && !oct_value_is_dynamic(out);
}

static oct_status match_layers(oct_comparison *c)
{
    const oct_graph *graph = quantized_of(c), *reference = reference_of(c);
    c->match = oct_alloc((size_t)graph->value_count, sizeof *c->match);
    c->layers = oct_alloc((size_t)graph->node_count, sizeof *c->layers);
    c->shown = oct_alloc((size_t)graph->node_count, sizeof *c->shown);
    c->kept = oct_alloc((size_t)reference->value_count, sizeof *c->kept);
    if (!c->match || !c->layers || !c->shown || !c->kept)
        return oct_fail_memory((size_t)graph->node_count * sizeof *c->layers);
    for (int v = 0; v < graph->value_count; v++)
        c->match[v] = match_of(reference, &graph->values[v]);
    for (int n = 0; n < graph->node_count; n++) {
        const oct_node *node = &graph->nodes[n];
        const oct_shape *shape = &graph->values[node->out[0]].shape;
        compared *layer = &c->layers[n];
        *layer = (compared){.match = c->match[node->out[0]], .least = 255};
        if (!is_shown(c, node))
            continue;
        c->shown[c->shown_count++] = n;
        if (node->op == OCT_OP_TRANSPOSE || shape->rank < 2)
            continue;
        layer->channels = shape->dims[shape->rank - 1];
        layer->channel = oct_alloc((size_t)layer->channels, sizeof *layer->channel);
        if (!layer->channel)
            return oct_fail_memory((size_t)layer->channels * sizeof *layer->channel);
    }
    if (c->shown_count == 0)
        return oct_fail(OCT_ERR_ARGUMENT,
                        "the two networks have no tensor of the same name and shape: is the second one made of the first?");
    return OCT_OK;
}

/* Room for every float tensor that somebody will ask for. */
static oct_status make_room(oct_comparison *c)
{
    const oct_graph *graph = quantized_of(c), *reference = reference_of(c);
    size_t most = 1;
    for (int v = 0; v < graph->value_count; v++) {
        const size_t bytes = oct_value_bytes(&graph->values[v]);
        const int match = c->match[v];
        most = bytes > most ? bytes : most;
        if (match < 0 || c->kept[match])
            continue;
        c->kept[match] = oct_alloc(oct_value_bytes(&reference->values[match]) + 1, 1);
        if (!c->kept[match])
            return oct_fail_memory(oct_value_bytes(&reference->values[match]));
    }
    c->scratch = oct_alloc(most, 1);
    return c->scratch ? OCT_OK : oct_fail_memory(most);
}

/* ----------------------------------------------------------------------------------------------- dissecting ---- */

/* A second value v' for each value v that has a match: nodes read v', a new input of the graph, and write v, an output. Where there
 * is no match the network stays in one piece. */
static oct_status dissect(oct_comparison *c, oct_graph *graph)
{
    const int values = graph->value_count;
    int *twin = oct_alloc((size_t)values, sizeof *twin);
    c->source = oct_alloc((size_t)values, sizeof *c->source);
    oct_status status = twin && c->source ? OCT_OK : oct_fail_memory((size_t)values * sizeof *twin);
    int inputs = 0;
    for (int i = 0; status == OCT_OK && i < graph->input_count; i++)
        c->source[inputs++] = graph->inputs[i];
    for (int v = 0; status == OCT_OK && v < values; v++) {
        const oct_value old = graph->values[v];
        twin[v] = v;
        if (c->match[v] < 0 || old.producer < 0 || oct_value_is_dynamic(&old))
            continue;
        status = oct_graph_add_value(graph, old.name, old.dtype, &old.shape, NULL, &twin[v]);
        if (status != OCT_OK)
            break;
        graph->values[twin[v]].scale = old.scale;
        graph->values[twin[v]].zero_point = old.zero_point;
        c->source[inputs++] = v;
        status = oct_graph_add_input(graph, twin[v]);
    }
    for (int n = 0; status == OCT_OK && n < graph->node_count; n++) {
        for (int i = 0; i < graph->nodes[n].in_count; i++)
            if (graph->nodes[n].in[i] >= 0)
                graph->nodes[n].in[i] = twin[graph->nodes[n].in[i]];
        if (c->match[graph->nodes[n].out[0]] >= 0 && !oct_value_is_dynamic(&graph->values[graph->nodes[n].out[0]]) &&
            !oct_is_graph_output(graph, graph->nodes[n].out[0]))
            status = oct_graph_add_output(graph, graph->nodes[n].out[0]);
    }
    oct_free(twin);
    return status;
}

/* ------------------------------------------------------------------------------------------ making, freeing ---- */

/* A model of a copy of the graph; takes activations apart where the quantizer would. */
static oct_status wrap_copy(const oct_graph *graph, bool split, oct_model **model)
{
    oct_graph *copy;
    OCT_TRY(oct_graph_clone(graph, &copy));
    const oct_status status = split ? oct_split_activations(copy) : OCT_OK;
    if (status == OCT_OK)
        return oct_model_wrap(copy, model);
    oct_graph_free(copy);
    return status;
}

static oct_status make_sessions(oct_comparison *c, const oct_graph *reference, const oct_graph *quantized,
                                const oct_options *options)
{
    oct_graph *pieces;
    OCT_TRY(wrap_copy(reference, true, &c->reference));
    OCT_TRY(wrap_copy(quantized, false, &c->quantized));
    OCT_TRY(match_layers(c));
    OCT_TRY(make_room(c));
    OCT_TRY(oct_graph_clone(quantized, &pieces));
    const oct_status status = dissect(c, pieces);
    if (status != OCT_OK) {
        oct_graph_free(pieces);
        return status;
    }
    OCT_TRY(oct_model_wrap(pieces, &c->dissected));
    OCT_TRY(oct_session_create(c->reference, options, &c->of_reference));
    OCT_TRY(oct_session_create(c->quantized, options, &c->of_quantized));
    return oct_session_create(c->dissected, options, &c->of_dissected);
}

/* Both must take and give the same. */
static oct_status check_graphs(const oct_graph *reference, const oct_graph *quantized)
{
    OCT_TRY(oct_graph_status(reference));
    OCT_TRY(oct_graph_status(quantized));
    if (oct_graph_is_quantized(reference))
        return oct_fail(OCT_ERR_ARGUMENT, "the first network is quantized; it must be the float original");
    if (!oct_graph_is_quantized(quantized))
        return oct_fail(OCT_ERR_ARGUMENT, "the second network is not quantized");
    bool same = reference->input_count == quantized->input_count;
    for (int i = 0; same && i < reference->input_count; i++)
        same = oct_shape_equal(&reference->values[reference->inputs[i]].shape, &quantized->values[quantized->inputs[i]].shape) &&
               quantized->values[quantized->inputs[i]].dtype == OCT_F32;
    return same ? OCT_OK : oct_fail(OCT_ERR_ARGUMENT, "the two networks have other inputs, so they cannot see the same samples");
}

oct_status oct_compare_create(const oct_graph *reference, const oct_graph *quantized, const oct_options *options,
                              oct_comparison **comparison)
{
    if (!comparison)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_compare_create: comparison is NULL");
    *comparison = NULL;
    if (!reference || !quantized)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_compare_create: a graph is NULL");
    OCT_TRY(check_graphs(reference, quantized));
    oct_comparison *c = oct_alloc(1, sizeof *c);
    if (!c)
        return oct_fail_memory(sizeof *c);
    const oct_status status = make_sessions(c, reference, quantized, options);
    if (status != OCT_OK) {
        oct_compare_free(c);
        return status;
    }
    *comparison = c;
    return OCT_OK;
}

void oct_compare_free(oct_comparison *c)
{
    if (!c)
        return;
    for (int v = 0; c->kept && v < reference_of(c)->value_count; v++)
        oct_free(c->kept[v]);
    for (int n = 0; c->layers && n < quantized_of(c)->node_count; n++)
        oct_free(c->layers[n].channel);
    oct_session_free(c->of_reference);
    oct_session_free(c->of_quantized);
    oct_session_free(c->of_dissected);
    oct_model_free(c->reference);
    oct_model_free(c->quantized);
    oct_model_free(c->dissected);
    oct_free(c->match);
    oct_free(c->source);
    oct_free(c->kept);
    oct_free(c->layers);
    oct_free(c->shown);
    oct_free(c->scratch);
    oct_free(c);
}

/* ------------------------------------------------------------------------------------------------ measuring ---- */

/* Element i of a tensor as the real number it stands for. */
static float real_at(const oct_value *value, const void *data, int64_t i)
{
    if (value->dtype == OCT_F32)
        return ((const float *)data)[i];
    return value->scale * (float)(((const uint8_t *)data)[i] - value->zero_point);
}

static void add_error(error_sums *sums, float have, float want)
{
    const double off = (double)have - (double)want;
    sums->signal += (double)want * (double)want;
    sums->noise += off * off;
}

/* Bytes at an end of the range that had to be moved there: the float number lies more than half a step outside. A relu's zeros do
 * not. */
static void count_bytes(compared *layer, const oct_value *value, const uint8_t *data, const float *want, int64_t count)
{
    const float below = value->scale * ((float)(0 - value->zero_point) - 0.5f),
                above = value->scale * ((float)(255 - value->zero_point) + 0.5f);
    for (int64_t i = 0; i < count; i++) {
        layer->least = data[i] < layer->least ? data[i] : layer->least;
        layer->greatest = data[i] > layer->greatest ? data[i] : layer->greatest;
        layer->saturated += (want[i] < below && data[i] == 0) || (want[i] > above && data[i] == 255);
    }
    layer->elements += (double)count;
}

/* Called for every value of the quantized network as soon as it has been computed. */
static void observe_quantized(void *arg, int v, const void *data)
{
    oct_comparison *c = arg;
    const oct_value *value = &quantized_of(c)->values[v];
    const int64_t count = oct_shape_elements(&value->shape);
    if (value->producer < 0 || c->match[v] < 0 || oct_value_is_dynamic(value))
        return;
    compared *layer = &c->layers[value->producer];
    const float *want = c->kept[c->match[v]];
    for (int64_t i = 0; i < count; i++) {
        const float have = real_at(value, data, i);
        add_error(&layer->accumulated, have, want[i]);
        if (layer->channels > 0)
            add_error(&layer->channel[i % layer->channels], have, want[i]);
    }
    if (value->dtype == OCT_U8)
        count_bytes(layer, value, data, want, count);
}

/* And of the float network. x - x is 0 for finite numbers only. */
static void observe_reference(void *arg, int v, const void *data)
{
    oct_comparison *c = arg;
    const oct_value *value = &reference_of(c)->values[v];
    const float *x = data;
    float odd = 0;
    if (value->dtype != OCT_F32)
        return;
    for (int64_t i = 0; i < oct_shape_elements(&value->shape); i++)
        odd += x[i] - x[i];
    if (odd != 0 && c->bad == OCT_NONE)
        c->bad = v;
    if (c->kept[v])
        memcpy(c->kept[v], data, oct_value_bytes(value));
}

static uint8_t byte_of(float x, const oct_value *value)
{
    const double q = nearbyint((double)x / (double)value->scale) + value->zero_point;
    return q > 0 ? q < 255 ? (uint8_t)q : 255 : 0;
}

/* The float network's numbers to all inputs of the dissected one. */
static oct_status set_pieces(oct_comparison *c, const void *const *inputs)
{
    const oct_graph *graph = quantized_of(c);
    for (size_t i = 0; i < oct_model_input_count(c->dissected); i++) {
        const oct_value *value = &graph->values[c->source[i]];
        const void *data = i < (size_t)graph->input_count ? inputs[i] : c->kept[c->match[c->source[i]]];
        for (int64_t e = 0; value->dtype == OCT_U8 && e < oct_shape_elements(&value->shape); e++)
            ((uint8_t *)c->scratch)[e] = byte_of(((const float *)data)[e], value);
        OCT_TRY(oct_set_input(c->of_dissected, i, value->dtype == OCT_U8 ? c->scratch : data, oct_value_bytes(value)));
    }
    return OCT_OK;
}

/* Called for every value of the dissected network. Nodes and the values they write have the numbers they have in the quantized
 * one. */
static void observe_dissected(void *arg, int v, const void *data)
{
    oct_comparison *c = arg;
    const oct_graph *graph = quantized_of(c);
    if (v >= graph->value_count || graph->values[v].producer < 0 || c->match[v] < 0 || oct_value_is_dynamic(&graph->values[v]))
        return;
    const float *want = c->kept[c->match[v]];
    for (int64_t i = 0; i < oct_shape_elements(&graph->values[v].shape); i++)
        add_error(&c->layers[graph->values[v].producer].alone, real_at(&graph->values[v], data, i), want[i]);
}

static oct_status set_inputs(const oct_comparison *c, oct_session *session, const void *const *inputs)
{
    for (size_t i = 0; i < oct_model_input_count(c->quantized); i++) {
        oct_tensor_info info;
        OCT_TRY(oct_model_input(c->quantized, i, &info));
        if (!inputs[i])
            return oct_fail(OCT_ERR_ARGUMENT, "oct_compare_add: inputs[%zu] (%s) is NULL", i, info.name);
        OCT_TRY(oct_set_input(session, i, inputs[i], info.bytes));
    }
    return OCT_OK;
}

oct_status oct_compare_add(oct_comparison *c, const void *const *inputs)
{
    if (!c || !inputs)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_compare_add: %s is NULL", c ? "inputs" : "comparison");
    c->calls++;
    c->bad = OCT_NONE;
    OCT_TRY(set_inputs(c, c->of_reference, inputs));
    OCT_TRY(oct_run_observed(c->of_reference, observe_reference, c));
    if (c->bad != OCT_NONE)
        return oct_fail(OCT_ERR_DATA, "sample %lld: tensor %s gets a NaN or an infinity", (long long)c->calls - 1,
                        reference_of(c)->values[c->bad].name);
    OCT_TRY(set_inputs(c, c->of_quantized, inputs));
    OCT_TRY(oct_run_observed(c->of_quantized, observe_quantized, c));
    OCT_TRY(set_pieces(c, inputs));
    OCT_TRY(oct_run_observed(c->of_dissected, observe_dissected, c));
    c->samples++;
    return OCT_OK;
}

/* --------------------------------------------------------------------------------------------------- asking ---- */

int64_t oct_compare_samples(const oct_comparison *comparison) { return comparison ? comparison->samples : 0; }

size_t oct_compare_layer_count(const oct_comparison *comparison) { return comparison ? (size_t)comparison->shown_count : 0; }

/* No noise is infinitely good, noise without a signal infinitely bad. */
static double decibels(const error_sums *sums)
{
    if (sums->noise == 0)
        return (double)INFINITY;
    return sums->signal == 0 ? (double)-INFINITY : 10 * log10(sums->signal / sums->noise);
}

oct_status oct_compare_layer(const oct_comparison *c, size_t index, oct_layer_comparison *info)
{
    oct_layer_info layer;
    if (info)
        *info = (oct_layer_comparison){0};
    if (!c || !info)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_compare_layer: %s is NULL", c ? "info" : "comparison");
    if (index >= (size_t)c->shown_count)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_compare_layer: layer %zu of %d", index, c->shown_count);
    if (c->samples == 0)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_compare_layer: no sample has been compared yet; call oct_compare_add first");
    const int n = c->shown[index];
    const compared *l = &c->layers[n];
    OCT_TRY(oct_model_layer(c->quantized, (size_t)n, &layer));
    *info = (oct_layer_comparison){.name = layer.name,
                                   .op = layer.op,
                                   .precision = layer.precision,
                                   .tensor = reference_of(c)->values[l->match].name,
                                   .alone_db = decibels(&l->alone),
                                   .accumulated_db = decibels(&l->accumulated),
                                   .worst_channel = -1,
                                   .worst_channel_db = (double)INFINITY};
    info->is_u8 = layer.out_dtype == OCT_U8;
    if (info->is_u8 && l->elements > 0) {
        info->saturated = l->saturated / l->elements;
        info->range_used = (l->greatest - l->least) / 255.0;
    }
    for (int64_t i = 0; i < l->channels; i++) {
        const double db = decibels(&l->channel[i]);
        if (db < info->worst_channel_db) {
            info->worst_channel = i;
            info->worst_channel_db = db;
        }
    }
    return OCT_OK;
}

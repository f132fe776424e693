/* Networks that were quantized elsewhere: QUANTIZE and DEQUANTIZE nodes become types of values.
 *
 *   x8 -> dequantize -> conv -> relu -> quantize -> y8        conv: x8 (u8), weights s8, bias s32 -> y8 (u8), clamped
 *
 * Four passes, each right by itself:
 *
 *   sink-dequantize   dequantize - move  becomes  move - dequantize      moving bytes is cheaper, and conversions meet
 *   hoist-quantize    move - quantize    becomes  quantize - move
 *   merge-quantize    dequantize - quantize  becomes nothing, or one change of scale
 *   int8-nodes        what stands between the two computes with bytes
 *
 * The first two hold exactly: moved, picked or repeated elements are the same before and after rounding, and rounding keeps the
 * order that a maximum looks at. int8-nodes computes what the file says with one rounding less: the exact integer sum is rounded
 * once to the output's bytes, where floats would have been rounded on the way. Layers whose file finds scales at run time do so
 * here. Nothing is approximated: weights must lie on their grid (the file's own integers), in -127..127 or be split into two that
 * do, and every sum must provably fit 32 bits. Otherwise the node stays float, between its conversions.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "memory.h"
#include "operators.h"
#include "optimize.h"
#include "status.h"

/* ------------------------------------------------------------------------------------------------- moving ---- */

/* The bytes that `value` was dequantized from; OCT_NONE if it was not. */
static int bytes_of(const oct_graph *graph, int value)
{
    const oct_node *dequantize = oct_producer_of(graph, value, OCT_OP_DEQUANTIZE);
    return dequantize ? dequantize->in[0] : OCT_NONE;
}

/* Whether all inputs of a concat stand for numbers in the same way. */
static bool joins_same(const oct_graph *graph, const oct_node *concat)
{
    for (int i = 0; i < concat->in_count; i++) {
        const int v = bytes_of(graph, concat->in[i]);
        if (v < 0 || !oct_same_numbers(graph, v, bytes_of(graph, concat->in[0])))
            return false;
    }
    return true;
}

/* Operators whose output elements are input elements, or zeros. Linear resizing computes new ones. */
static bool moves(const oct_graph *graph, const oct_node *node)
{
    switch (node->op) {
    case OCT_OP_PAD: return node->attrs.pad.mode != OCT_PAD_CONSTANT || node->attrs.pad.value == 0;
    case OCT_OP_RESIZE: return node->attrs.resize.mode == OCT_RESIZE_NEAREST;
    case OCT_OP_CONCAT: return joins_same(graph, node);
    default: return node->op != OCT_OP_NONE && oct_operator_of(node->op)->quant == OCT_QUANT_SAME;
    }
}

/* Conversions keep their names unless they are outputs; nodes made here are called after what they replace. */
static oct_status add_like(oct_graph *graph, int n, const int *in, int *out)
{
    const oct_node node = graph->nodes[n];
    return oct_graph_add_node(graph, node.op, node.name, &node.attrs, in, node.in_count, out);
}

/* dequantize - move: a new move on the bytes, and a dequantize behind it. */
static oct_status sink(oct_graph *graph, int n, bool *done)
{
    const int count = graph->nodes[n].in_count, out = graph->nodes[n].out[0];
    int *in = oct_alloc((size_t)count, sizeof *in), moved, real;
    if (!in)
        return oct_fail_memory((size_t)count * sizeof *in);
    for (int i = 0; i < count; i++)
        in[i] = bytes_of(graph, graph->nodes[n].in[i]);
    oct_status status = add_like(graph, n, in, &moved);
    oct_free(in);
    if (status == OCT_OK)
        status = oct_graph_add_node(graph, OCT_OP_DEQUANTIZE, graph->nodes[n].name, NULL, &moved, 1, &real);
    if (status != OCT_OK)
        return status;
    oct_replace_value(graph, out, real, done);
    if (*done)
        oct_graph_kill_node(graph, n);
    return OCT_OK;
}

oct_status oct_pass_sink_dequantize(oct_graph *graph, int *changes)
{
    const int count = graph->node_count;
    for (int n = 0; n < count; n++) {
        const oct_node *node = &graph->nodes[n];
        bool done = false;
        if (node->op == OCT_OP_NONE || node->in_count < 1 || bytes_of(graph, node->in[0]) < 0 || !moves(graph, node))
            continue;
        OCT_TRY(sink(graph, n, &done));
        *changes += done;
    }
    return OCT_OK;
}

/* move - quantize: a new quantize before a new move. */
static oct_status hoist(oct_graph *graph, int n, int move, bool *done)
{
    const int out = graph->nodes[n].out[0], x = graph->nodes[move].in[0];
    const oct_value like = graph->values[out];
    int bytes, moved;
    OCT_TRY(oct_graph_add_node(graph, OCT_OP_QUANTIZE, graph->nodes[n].name, NULL, &x, 1, &bytes));
    graph->values[bytes].scale = like.scale;
    graph->values[bytes].zero_point = like.zero_point;
    OCT_TRY(add_like(graph, move, &bytes, &moved));
    oct_replace_value(graph, out, moved, done);
    if (*done)
        oct_graph_kill_node(graph, n);
    return OCT_OK;
}

oct_status oct_pass_hoist_quantize(oct_graph *graph, int *changes)
{
    const int count = graph->node_count;
    for (int n = 0; n < count; n++) {
        bool done = false;
        if (graph->nodes[n].op != OCT_OP_QUANTIZE || oct_value_is_dynamic(&graph->values[graph->nodes[n].out[0]]))
            continue;
        const int v = graph->nodes[n].in[0], move = graph->values[v].producer;
        if (move < 0 || graph->values[v].dtype != OCT_F32 || oct_graph_single_user(graph, v) != n ||
            graph->nodes[move].op == OCT_OP_CONCAT || !moves(graph, &graph->nodes[move]))
            continue;
        OCT_TRY(hoist(graph, n, move, &done));
        *changes += done;
    }
    return OCT_OK;
}

/* A QUANTIZE that reads bytes changes their scale. Where both scales are the same it is an identity, which another pass drops. */
oct_status oct_pass_merge_quantize(oct_graph *graph, int *changes)
{
    for (int n = 0; n < graph->node_count; n++) {
        oct_node *node = &graph->nodes[n];
        const int bytes = node->op == OCT_OP_QUANTIZE ? bytes_of(graph, node->in[0]) : OCT_NONE;
        if (bytes < 0)
            continue;
        bool done = false;
        if (oct_same_numbers(graph, bytes, node->out[0])) {
            oct_replace_value(graph, node->out[0], bytes, &done);
            if (done)
                oct_graph_kill_node(graph, n);
        } else if ((double)graph->values[bytes].scale / (double)graph->values[node->out[0]].scale * 255 < 0x1p30) {
            node->in[0] = bytes;
            done = true;
        }
        *changes += done;
    }
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------- int8 conv and dense ---- */

/* A layer's integers: real weight = channel_scale * q, real bias = x_scale * channel_scale * bias. */
typedef struct layer {
    int64_t channels, each;
    int64_t inputs;            /* the weights' last dimension, whatever stands before it are taps */
    bool split;                /* twice as many: see below */
    const float *w, *real_bias;
    float *scale;              /* of the weights */
    double x_scale, y_scale;   /* y_scale 0: the output is f32 */
    bool residual;
    int8_t *q;
    int32_t *bias;             /* NULL where there is none */
} layer;

/* Weights beyond -127..127 (a -128; uint8 with a zero point far from 128) are split into two that add up to them, and the input is
 * given twice. The second halves are mostly zeros. It doubles the products, and is exact.
 *
 *     tap 0: q0 q1 .. | tap 1: ..      becomes      tap 0: a0 a1 .. b0 b1 .. | tap 1: ..       q = a + b, x: x0 x1 .. x0 x1 ..
 *
 * Only layers of one group: the others' inputs would have to be mixed anew. */
#define SPLIT_MOST 254

static double clamp127(double q) { return q < -127 ? -127 : q > 127 ? 127 : q; }

static void put_weight(const layer *l, int64_t c, int64_t i, double q)
{
    const double a = clamp127(q);
    int8_t *row = l->q + c * l->each * (l->split ? 2 : 1);
    if (!l->split) {
        row[i] = (int8_t)q;
        return;
    }
    const int64_t at = i / l->inputs * 2 * l->inputs + i % l->inputs;
    row[at] = (int8_t)a;
    row[at + l->inputs] = (int8_t)(q - a);
}

/* The file's own integers again: the float w was rounded once from scale * q, so the quotient is q to within 254 * 2^-23. */
static bool recover_weights(const layer *l, int64_t c, double tolerance, int64_t *sum)
{
    *sum = 0;
    for (int64_t i = 0; i < l->each; i++) {
        const double exact = (double)l->w[c * l->each + i] / (double)l->scale[c], q = nearbyint(exact);
        if (!(fabs(q) <= (l->split ? SPLIT_MOST : 127)) || fabs(exact - q) > tolerance)
            return false;
        put_weight(l, c, i, q);
        *sum += (int64_t)fabs(q);
    }
    return true;
}

/* Whether channel c's sums, and their multiples in the units of the output, provably stay in 32 bits (prepack.c asks the same). A
 * bias of its own scale is a number like any other: it is brought to the sum's units here. */
static bool fits(const layer *l, int64_t c, int64_t sum)
{
    const double unit = l->x_scale * (double)l->scale[c];
    const double bias = l->real_bias ? nearbyint((double)l->real_bias[c] / unit) : 0;
    const double reach = 255.0 * (double)sum + fabs(bias);
    if (!(reach < 2147483648.0 * 0.999) || !(unit <= (double)FLT_MAX))
        return false;
    if (l->bias)
        l->bias[c] = (int32_t)bias;
    return l->y_scale == 0 || reach * unit / l->y_scale < (l->residual ? 0x1p30 : 0x1p31) * 0.999;
}

/* Channels that hardly carry weight have a scale so small that their bias takes all of 32 bits, and leaves no room for the sum.
 * Then the scale is doubled as often as it takes. Their weights are rounded to half a unit at most, which all of them together (|x|
 * <= 255) must not let the output see: less than 1/32 of its step. */
#define VISIBLE (1.0 / 32)

static bool widen(const layer *l, int64_t c)
{
    int64_t sum;
    if (l->y_scale == 0)
        return false;
    for (l->scale[c] *= 2; l->scale[c] <= FLT_MAX / 256; l->scale[c] *= 2) {
        if (255 * (double)l->each * 0.5 * l->x_scale * (double)l->scale[c] / l->y_scale >= VISIBLE)
            return false;
        if (recover_weights(l, c, 0.5, &sum) && fits(l, c, sum))
            return true;
    }
    return false;
}

static bool recover(const layer *l)
{
    for (int64_t c = 0; c < l->channels; c++) {
        int64_t sum;
        if (!(l->scale[c] >= FLT_MIN && l->scale[c] <= FLT_MAX / 256) || !recover_weights(l, c, 0x1p-10, &sum) ||
            (!fits(l, c, sum) && !widen(l, c)))
            return false;
    }
    return true;
}

/* The integers become constants of the graph and the node's inputs. Takes the layer's arrays. */
static oct_status attach(oct_graph *graph, int n, layer *l)
{
    const int w = graph->nodes[n].in[OCT_IN_W], b = oct_node_input(&graph->nodes[n], OCT_IN_BIAS);
    const oct_shape vector = {1, {l->channels}};
    oct_shape shape = graph->values[w].shape;
    int id;
    if (l->split)
        shape.dims[shape.rank - 1] *= 2;
    oct_status status = oct_graph_add_value(graph, graph->values[w].name, OCT_S8, &shape, l->q, &id);
    l->q = NULL;
    if (status != OCT_OK)
        return status;
    graph->values[id].channel_scale = l->scale;
    l->scale = NULL;
    graph->nodes[n].in[OCT_IN_W] = id;
    if (!l->bias)
        return OCT_OK;
    status = oct_graph_add_value(graph, graph->values[b].name, OCT_S32, &vector, l->bias, &id);
    l->bias = NULL;
    if (status == OCT_OK)
        graph->nodes[n].in[OCT_IN_BIAS] = id;
    return status;
}

/* The QUANTIZE that is the only reader of node n's output; -1 if there is none, or if its scale is found at run time. */
static int only_quantize(const oct_graph *graph, int n)
{
    const int user = oct_graph_single_user(graph, graph->nodes[n].out[0]);
    if (user < 0 || graph->nodes[user].op != OCT_OP_QUANTIZE || oct_value_is_dynamic(&graph->values[graph->nodes[user].out[0]]))
        return -1;
    return user;
}

static bool clamps_only(const oct_node *node) { return node->act.fn == OCT_FN_NONE || node->act.fn == OCT_FN_CLAMP; }

/* Node n writes what the QUANTIZE behind it wrote. */
static void take_output(oct_graph *graph, int n, int quantize)
{
    const int bytes = graph->nodes[quantize].out[0];
    graph->values[graph->nodes[n].out[0]].producer = -1;
    graph->nodes[n].out[0] = bytes;
    graph->values[bytes].producer = n;
    oct_graph_kill_node(graph, quantize);
}

/* Whether conv or dense n can write the bytes of the QUANTIZE behind it: a residual must be bytes too, and an activation a clamp.
 */
static int quantize_of_layer(const oct_graph *graph, int n, bool int8)
{
    const oct_node *node = &graph->nodes[n];
    const int residual = oct_node_input(node, OCT_IN_RESIDUAL), quantize = only_quantize(graph, n);
    if (quantize < 0 || !clamps_only(node) || (residual >= 0 && (!int8 || bytes_of(graph, residual) < 0)))
        return -1;
    return quantize;
}

static oct_status make_layer(const oct_graph *graph, int n, int x, int quantize, bool split, layer *l)
{
    const oct_node *node = &graph->nodes[n];
    const oct_value *w = &graph->values[node->in[OCT_IN_W]];
    *l = (layer){.channels = w->shape.dims[0], .each = oct_shape_product(&w->shape, 1, w->shape.rank), .w = w->data,
                 .inputs = w->shape.dims[w->shape.rank - 1], .split = split};
    l->real_bias = oct_f32_constant(graph, oct_node_input(node, OCT_IN_BIAS));
    l->x_scale = (double)graph->values[x].scale;
    l->y_scale = quantize >= 0 ? (double)graph->values[graph->nodes[quantize].out[0]].scale : 0;
    l->residual = oct_node_input(node, OCT_IN_RESIDUAL) >= 0;
    l->scale = oct_memdup(w->channel_scale, (size_t)l->channels * sizeof *l->scale);
    l->q = oct_alloc((size_t)(l->channels * l->each) * (split ? 2 : 1), sizeof *l->q);
    l->bias = l->real_bias ? oct_alloc((size_t)l->channels, sizeof *l->bias) : NULL;
    return l->scale && l->q && (l->bias || !l->real_bias) ? OCT_OK : oct_fail_memory((size_t)(l->channels * l->each));
}

/* x, or x twice. */
static oct_status input_of_layer(oct_graph *graph, int x, bool split, int *out)
{
    const int twice[2] = {x, x};
    const oct_attrs attrs = {.axis = {graph->values[x].shape.rank - 1}};
    char name[256];
    *out = x;
    if (!split)
        return OCT_OK;
    snprintf(name, sizeof name, "%s.twice", graph->values[x].name);
    return oct_graph_add_node(graph, OCT_OP_CONCAT, name, &attrs, twice, 2, out);
}

/* Reads bytes, and writes what its readers want. */
static oct_status make_int8_layer(oct_graph *graph, int n, bool split, bool *done)
{
    int x = bytes_of(graph, graph->nodes[n].in[OCT_IN_X]);
    const int residual = oct_node_input(&graph->nodes[n], OCT_IN_RESIDUAL), quantize = quantize_of_layer(graph, n, true);
    layer l;
    oct_status status = make_layer(graph, n, x, quantize, split, &l);
    *done = status == OCT_OK && recover(&l);
    if (*done)
        status = attach(graph, n, &l);
    oct_free(l.q);
    oct_free(l.scale);
    oct_free(l.bias);
    if (!*done || status != OCT_OK)
        return status;
    OCT_TRY(input_of_layer(graph, x, split, &x));
    graph->nodes[n].in[OCT_IN_X] = x;
    if (quantize < 0)
        return OCT_OK;
    if (residual >= 0)
        graph->nodes[n].in[OCT_IN_RESIDUAL] = bytes_of(graph, residual);
    take_output(graph, n, quantize);
    return OCT_OK;
}

/* Reads f32 through a QUANTIZE whose scale is found in every run. Its bias stays f32, its output too. Layers that read the same
 * value get a QUANTIZE each, until merge-equal. */
static oct_status make_dynamic_layer(oct_graph *graph, int n, bool *done)
{
    const int x = graph->nodes[n].in[OCT_IN_X];
    char name[256];
    int bytes;
    layer l;
    oct_status status = make_layer(graph, n, x, -1, false, &l);
    l.real_bias = NULL;
    l.x_scale = 1;
    oct_free(l.bias);
    l.bias = NULL;
    *done = status == OCT_OK && recover(&l);
    if (*done)
        status = attach(graph, n, &l);
    oct_free(l.q);
    oct_free(l.scale);
    if (!*done || status != OCT_OK)
        return status;
    snprintf(name, sizeof name, "%s.u8", graph->values[x].name);
    OCT_TRY(oct_graph_add_node(graph, OCT_OP_QUANTIZE, name, NULL, &x, 1, &bytes));
    graph->nodes[n].in[OCT_IN_X] = bytes;
    return OCT_OK;
}

/* Weights with a grid. */
static bool has_grid(const oct_graph *graph, const oct_node *node)
{
    const oct_value *w = &graph->values[node->in[OCT_IN_W]];
    return w->dtype == OCT_F32 && w->channel_scale;
}

/* A depthwise layer makes too few products of an element to pay for finding its range. */
static bool is_dynamic_layer(const oct_graph *graph, const oct_node *node)
{
    const oct_value *x = &graph->values[node->in[OCT_IN_X]];
    const bool depthwise = oct_conv_is_depthwise(graph, node) && node->attrs.conv.groups > 1;
    return has_grid(graph, node) && graph->values[node->in[OCT_IN_W]].for_dynamic && x->dtype == OCT_F32 && !x->data && !depthwise;
}

static oct_status convert_layer(oct_graph *graph, int n, bool *done)
{
    if (has_grid(graph, &graph->nodes[n]) && bytes_of(graph, graph->nodes[n].in[OCT_IN_X]) >= 0) {
        OCT_TRY(make_int8_layer(graph, n, false, done));
        if (!*done && (graph->nodes[n].op == OCT_OP_DENSE || graph->nodes[n].attrs.conv.groups == 1))
            OCT_TRY(make_int8_layer(graph, n, true, done));
    } else if (is_dynamic_layer(graph, &graph->nodes[n]))
        OCT_TRY(make_dynamic_layer(graph, n, done));
    if (*done || graph->values[graph->nodes[n].in[OCT_IN_X]].dtype != OCT_F32)
        return OCT_OK;
    /* A float layer writes bytes as well. */
    const int quantize = quantize_of_layer(graph, n, false);
    *done = quantize >= 0;
    if (*done)
        take_output(graph, n, quantize);
    return OCT_OK;
}

/* ---------------------------------------------------------------------------------------- int8 other nodes ---- */

/* As oct_scale_ratio (prepack.h) will ask: no sum may leave the range that is rounded. */
static bool ratio_fits(double from, double to, double terms) { return from / to * 255 * terms < 0x1p30; }

/* Elements that are summed for one output. */
static double terms_of(const oct_graph *graph, const oct_node *node)
{
    if (node->op == OCT_OP_AVERAGE_POOL)
        return (double)node->attrs.pool.kernel[0] * node->attrs.pool.kernel[1];
    return (double)oct_shape_elements(&graph->values[node->in[0]].shape) /
           (double)oct_shape_elements(&graph->values[node->out[0]].shape);
}

#define MAX_TERMS 0x1p23

static bool arithmetic_fits(const oct_graph *graph, const oct_node *node, double to)
{
    const double a = (double)graph->values[bytes_of(graph, node->in[0])].scale;
    switch (node->op) {
    case OCT_OP_BINARY: {
        const double b = (double)graph->values[bytes_of(graph, node->in[1])].scale;
        if (node->attrs.binary.fn == OCT_BINARY_MUL)
            return ratio_fits(a * b, to, 255);
        return node->attrs.binary.fn == OCT_BINARY_ADD && ratio_fits(a, to, 1) && ratio_fits(b, to, 1);
    }
    case OCT_OP_CONCAT:
        for (int i = 0; i < node->in_count; i++)
            if (!ratio_fits((double)graph->values[bytes_of(graph, node->in[i])].scale, to, 1))
                return false;
        return true;
    default: return terms_of(graph, node) < MAX_TERMS && ratio_fits(a, to, terms_of(graph, node));
    }
}

/* Whether a node between DEQUANTIZE and QUANTIZE has a kernel for bytes that computes the same. Functions are tables. Linear
 * resizing keeps its scale. */
static bool computes_bytes(const oct_graph *graph, const oct_node *node, int out)
{
    const oct_quant_rule rule = oct_operator_of(node->op)->quant;
    if (!clamps_only(node) || (rule != OCT_QUANT_RESCALE && rule != OCT_QUANT_TABLE && node->op != OCT_OP_RESIZE))
        return false;
    for (int i = 0; i < node->in_count; i++)
        if (node->in[i] < 0 || bytes_of(graph, node->in[i]) < 0)
            return false;
    if (node->op == OCT_OP_RESIZE)
        return oct_same_numbers(graph, bytes_of(graph, node->in[0]), out);
    return rule == OCT_QUANT_TABLE || arithmetic_fits(graph, node, (double)graph->values[out].scale);
}

static void convert_other(oct_graph *graph, int n, bool *done)
{
    const int quantize = only_quantize(graph, n);
    oct_node *node = &graph->nodes[n];
    if (quantize < 0 || !computes_bytes(graph, node, graph->nodes[quantize].out[0]))
        return;
    for (int i = 0; i < node->in_count; i++)
        node->in[i] = bytes_of(graph, node->in[i]);
    take_output(graph, n, quantize);
    *done = true;
}

oct_status oct_pass_int8_nodes(oct_graph *graph, int *changes)
{
    const int count = graph->node_count;
    for (int n = 0; n < count; n++) {
        const oct_op op = graph->nodes[n].op;
        bool done = false;
        if (op == OCT_OP_NONE || op == OCT_OP_QUANTIZE || op == OCT_OP_DEQUANTIZE)
            continue;
        if (op == OCT_OP_CONV || op == OCT_OP_DENSE)
            OCT_TRY(convert_layer(graph, n, &done));
        else
            convert_other(graph, n, &done);
        *changes += done;
    }
    return OCT_OK;
}

/* Weights and biases of int8 layers.
 *
 *   w = s_w * q,  q in [-127, 127], one s_w per output channel (weight_scales.c)      (symmetric: no zero point to correct for)
 *   bias in units of s_x * s_w, rounded to nearest even, 32 bits                       (it starts the accumulator)
 *
 * The accumulator is bounded by  255 * sum|q| + |bias|,  which has to stay below 2^31. It does for any layer of up to 66,000
 * weights per channel with a bias of its outputs' size. Where it does not (tiny weights and a huge bias), s_w is doubled until
 * it does: the weights lose bits they cannot matter with beside such a bias.
 * A channel of zeros has any scale: 1, or the one that gives its bias 24 bits.
 */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "quantize.h"
#include "status.h"

#define MAX_ACCUMULATOR 2147483647.0

/* What the runtime accepts as a scale: normal numbers with room above. */
static bool is_scale(double scale) { return scale >= (double)FLT_MIN && scale <= (double)FLT_MAX / 256; }

/* bias / (x_scale * scale) = 2^24, which a float still holds exactly. */
static float scale_of_zeros(double bias, double x_scale)
{
    const double scale = fabs(bias) / (x_scale * 0x1p24);
    return bias != 0 && is_scale(scale) ? (float)scale : 1.0f;
}

/* 1.5 * 2^52: adding and subtracting it rounds a double below 2^51 to the nearest integer, ties to even, without a call. */
#define ROUNDER 0x1.8p52

/* q = rne(w / scale); returns sum |q|. The quotient is at most 127, give or take the rounding of the scale. */
static double round_weights(const float *w, int64_t count, float scale, int8_t *q)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++) {
        double x = ((double)w[i] / (double)scale + ROUNDER) - ROUNDER;
        x = x > 127 ? 127 : x < -127 ? -127 : x;
        q[i] = (int8_t)x;
        sum += fabs(x);
    }
    return sum;
}

/* Weights too small for a normal scale are zeros beside anything else. */
float oct_largest_scale(const float *w, int64_t count, double bias, double x_scale)
{
    double most = 0;
    for (int64_t i = 0; i < count; i++)
        most = fmax(most, fabs((double)w[i]));
    return is_scale(most / 127) ? (float)(most / 127) : scale_of_zeros(bias, x_scale);
}

bool oct_quantize_channel(const float *w, int64_t count, double bias, double x_scale, int8_t *q, oct_channel_quant *channel)
{
    return oct_quantize_channel_at(w, count, bias, x_scale, oct_largest_scale(w, count, bias, x_scale), q, channel);
}

/* Doubling the scale halves the sum, so this ends soon: a few rounds, or when the scale leaves its bounds. */
bool oct_quantize_channel_at(const float *w, int64_t count, double bias, double x_scale, float scale, int8_t *q,
                             oct_channel_quant *channel)
{
    for (; is_scale((double)scale); scale *= 2) {
        const double units = nearbyint(bias / (x_scale * (double)scale));
        const double reach = 255 * round_weights(w, count, scale, q) + fabs(units);
        if (!(reach <= MAX_ACCUMULATOR))
            continue;
        *channel = (oct_channel_quant){scale, (int32_t)units, reach};
        return true;
    }
    return false;
}

/* A layer's weights by channel. */
typedef struct layer {
    const float *w, *bias;
    int64_t channels, each, per_group;   /* per_group: output channels */
    double x_scale;
    const oct_weight_choice *choice;
} layer;

/* Before the node's inputs are connected: in[OCT_IN_X] is still the plan's value, and the weights are still floats. */
static layer layer_of(const oct_quant_plan *plan, int n)
{
    const oct_node *node = &plan->graph->nodes[n];
    const oct_shape *shape = &plan->graph->values[node->in[OCT_IN_W]].shape;
    return (layer){.w = oct_f32_constant(plan->graph, node->in[OCT_IN_W]),
                   .bias = oct_f32_constant(plan->graph, oct_node_input(node, OCT_IN_BIAS)),
                   .channels = shape->dims[0],
                   .each = oct_shape_product(shape, 1, shape->rank),
                   .per_group = node->op == OCT_OP_CONV ? shape->dims[0] / node->attrs.conv.groups : shape->dims[0],
                   .x_scale = (double)plan->scale[node->in[OCT_IN_X]].scale,
                   .choice = &plan->weights[n]};
}

/* Weights that have been rounded already; false where their sums do not fit. */
static bool take_rounded(const layer *l, int64_t c, double bias, int8_t *q, oct_channel_quant *channel)
{
    const float scale = l->choice->scale[c];
    const double units = nearbyint(bias / (l->x_scale * (double)scale));
    double sum = 0;
    memcpy(q, l->choice->q + c * l->each, (size_t)l->each);
    for (int64_t i = 0; i < l->each; i++)
        sum += abs(q[i]);
    if (!(255 * sum + fabs(units) <= MAX_ACCUMULATOR))
        return false;
    *channel = (oct_channel_quant){scale, (int32_t)units, 255 * sum + fabs(units)};
    return true;
}

/* Weights first, then the bias, which makes good what rounding them does to the channel's mean. Where that does not fit any more,
 * the bias stays as it was. A chosen scale of 0 stands for weights so small that the bias decides. */
static bool quantize_channel_of(const layer *l, int64_t c, int8_t *q, oct_channel_quant *channel)
{
    const float *w = l->w + c * l->each;
    const double bias = l->bias ? (double)l->bias[c] : 0;
    const float chosen = l->choice->scale[c], scale = chosen > 0 ? chosen : oct_largest_scale(w, l->each, bias, l->x_scale);
    const bool rounded = l->choice->q && chosen > 0 && take_rounded(l, c, bias, q, channel);
    if (!rounded && !oct_quantize_channel_at(w, l->each, bias, l->x_scale, scale, q, channel))
        return false;
    if (!l->choice->mean)
        return true;
    const double error = oct_mean_error(w, q, channel->scale, l->choice->mean + c / l->per_group * l->each, l->each);
    const double units = nearbyint((bias - error) / (l->x_scale * (double)channel->scale));
    const double reach = channel->reach - fabs((double)channel->bias) + fabs(units);
    if (reach <= MAX_ACCUMULATOR) {
        channel->bias = (int32_t)units;
        channel->reach = reach;
    }
    return true;
}

/* In units of the output the accumulator has to stay below 2^31, below 2^30 if a residual joins it. */
static bool steps_fit(const oct_quant_plan *plan, int n, double real)
{
    const oct_node *node = &plan->graph->nodes[n];
    const bool residual = oct_node_input(node, OCT_IN_RESIDUAL) >= 0;
    if (!plan->bytes[node->out[0]])
        return real <= (double)FLT_MAX;
    return real / (double)plan->scale[node->out[0]].scale < (residual ? 0x1p30 : 0x1p31) * 0.999;
}

oct_status oct_weights_fit(const oct_quant_plan *plan, int n, bool *fit)
{
    const layer l = layer_of(plan, n);
    int8_t *q = oct_alloc((size_t)l.each, sizeof *q);
    if (!q)
        return oct_fail_memory((size_t)l.each);
    *fit = true;
    for (int64_t c = 0; *fit && c < l.channels; c++) {
        oct_channel_quant channel;
        *fit = quantize_channel_of(&l, c, q, &channel) &&
               steps_fit(plan, n, channel.reach * l.x_scale * (double)channel.scale);
    }
    oct_free(q);
    return OCT_OK;
}

/* Of a bias that the layer did not have before. */
static oct_status add_bias(oct_graph *graph, int n, const char *name, const oct_shape *shape, int32_t *bias)
{
    int id;
    oct_status status = oct_node_reserve_inputs(&graph->nodes[n], OCT_IN_BIAS + 1);
    if (status != OCT_OK) {
        oct_free(bias);
        return status;
    }
    OCT_TRY(oct_graph_add_value(graph, name, OCT_S32, shape, bias, &id));
    graph->nodes[n].in[OCT_IN_BIAS] = id;
    return OCT_OK;
}

/* Adds the constants to the graph, which owns the arrays from then on. */
static oct_status attach(oct_graph *graph, int n, int8_t *q, float *scale, int32_t *bias, bool has_bias)
{
    oct_node *node = &graph->nodes[n];
    const oct_shape shape = graph->values[node->in[OCT_IN_W]].shape, bias_shape = {1, {shape.dims[0]}};
    char name[256];
    int id;
    const oct_status status = oct_graph_add_value(graph, graph->values[node->in[OCT_IN_W]].name, OCT_S8, &shape, q, &id);
    if (status != OCT_OK) {
        oct_free(scale);
        oct_free(bias);
        return status;
    }
    graph->values[id].channel_scale = scale;
    node->in[OCT_IN_W] = id;
    if (!has_bias) {
        oct_free(bias);
        return OCT_OK;
    }
    if (oct_node_input(node, OCT_IN_BIAS) >= 0)
        snprintf(name, sizeof name, "%s", graph->values[node->in[OCT_IN_BIAS]].name);
    else
        snprintf(name, sizeof name, "%s.bias", node->name);
    return add_bias(graph, n, name, &bias_shape, bias);
}

/* Has been tried before (oct_weights_fit), so the only failure left is memory. */
oct_status oct_quantize_weights(oct_quant_plan *plan, int n)
{
    const layer l = layer_of(plan, n);
    int8_t *q = oct_alloc((size_t)(l.channels * l.each), sizeof *q);
    float *scale = oct_alloc((size_t)l.channels, sizeof *scale);
    int32_t *bias = oct_alloc((size_t)l.channels, sizeof *bias);
    bool fit = q && scale && bias, has_bias = l.bias != NULL;
    for (int64_t c = 0; fit && c < l.channels; c++) {
        oct_channel_quant channel = {0};
        fit = quantize_channel_of(&l, c, q + c * l.each, &channel);
        scale[c] = channel.scale;
        bias[c] = channel.bias;
        has_bias |= channel.bias != 0;
    }
    if (fit)
        return attach(plan->graph, n, q, scale, bias, has_bias);
    oct_free(q);
    oct_free(scale);
    oct_free(bias);
    return oct_fail_memory((size_t)(l.channels * l.each));
}

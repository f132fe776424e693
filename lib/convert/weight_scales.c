/* The scale of each channel of weights.
 *
 * The largest weight decides the scale if nothing may be clipped; but it is one weight, and all the others pay for it with coarser
 * steps. So scales below that are tried too, and the one is taken that makes the output's error least. With inputs that do not
 * hang together, that is
 *
 *   E (sum (w' - w)[i] x[i])^2  =  sum (w' - w)[i]^2 E x[i]^2         after bias correction:  the variance of x[i] for E x[i]^2
 *
 * (compiled with more optimisation than its neighbours: the search goes over all weights a dozen times).
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "memory.h"
#include "quantize.h"
#include "status.h"

enum { LANES = 16, STEPS = 15 };

/* 1.5 * 2^23: adding and subtracting it rounds a float below 2^22 to the nearest integer, ties to even. */
#define ROUNDER 12582912.0f

static float error_of(float w, float scale, float inverse)
{
    float q = (w * inverse + ROUNDER) - ROUNDER;
    q = q > 127 ? 127 : q < -127 ? -127 : q;
    return w - q * scale;
}

/* sum weight[i] * error[i]^2. In lanes, because the order of additions is part of what C promises, and one chain is slow. */
static double weighted_error(const float *w, const float *weight, int64_t count, float scale)
{
    const float inverse = 1 / scale;
    float lane[LANES] = {0};
    double sum = 0;
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int j = 0; j < LANES; j++) {
            const float e = error_of(w[i + j], scale, inverse);
            lane[j] += weight[i + j] * e * e;
        }
    for (; i < count; i++) {
        const float e = error_of(w[i], scale, inverse);
        sum += (double)(weight[i] * e * e);
    }
    for (int j = 0; j < LANES; j++)
        sum += (double)lane[j];
    return sum;
}

/* Between the largest weight's scale and 0.58 of it. */
static float best_scale(const float *w, const float *weight, int64_t count, float largest)
{
    float best = largest;
    double least = weighted_error(w, weight, count, largest);
    for (int i = 1; i < STEPS; i++) {
        const float scale = largest * (1 - 0.03f * (float)i);
        const double error = weighted_error(w, weight, count, scale);
        if (!(error < least))
            continue;
        least = error;
        best = scale;
    }
    return best;
}

/* ------------------------------------------------------------------------------------------------ importance ---- */

/* importance[g * each + i]: how much an error of weight i of group g counts, relative to the others. Inputs that hardly ever differ
 * from 0 still count a little: they might, one day. */
static oct_status importance_of(const oct_graph *graph, int n, const oct_value_stats *x, bool corrected, float **importance)
{
    const oct_node *node = &graph->nodes[n];
    const oct_shape *shape = &graph->values[node->in[OCT_IN_W]].shape;
    const int64_t each = oct_shape_product(shape, 1, shape->rank), inputs = shape->dims[shape->rank - 1];
    const int64_t groups = node->op == OCT_OP_CONV ? node->attrs.conv.groups : 1;
    *importance = oct_alloc((size_t)(groups * each), sizeof **importance);
    if (!*importance)
        return oct_fail_memory((size_t)(groups * each) * sizeof **importance);
    const bool known = x->rows > 0 && x->channels == groups * inputs;
    double all = 0;
    for (int64_t c = 0; known && c < x->channels; c++)
        all += x->square[c] / x->rows;
    const double floor = known ? 1e-3 * all / (double)x->channels : 0;
    for (int64_t i = 0; i < groups * each; i++) {
        const int64_t c = i / each * inputs + i % inputs;
        const double mean = known && corrected ? x->sum[c] / x->rows : 0;
        const double power = known ? fmax(x->square[c] / x->rows - mean * mean, 0) + floor : 1;
        /* A share of the whole: at most about 1, whatever the size of the inputs. */
        (*importance)[i] = (float)(floor > 0 ? power / all : 1);
    }
    return OCT_OK;
}

/* ---------------------------------------------------------------------------------------------------- choice ---- */

/* Weights of any size are brought to about 1 before their squares are taken: scales are not, so the search runs on a copy. */
static float search_scale(const float *w, const float *weight, int64_t count, float largest, float *copy)
{
    const float unit = 1 / largest;
    for (int64_t i = 0; i < count; i++)
        copy[i] = w[i] * unit;
    return largest * best_scale(copy, weight, count, 1);
}

typedef struct scales {
    const float *w;
    int64_t channels, each, per_group;
} scales;

/* 0 where the weights are too small for a normal scale; quantize_weights.c then looks at the bias. */
static void set_largest(const scales *s, bool one_for_all, float *scale)
{
    float most = 0;
    for (int64_t c = 0; c < s->channels; c++) {
        scale[c] = 0;
        for (int64_t i = 0; i < s->each; i++)
            scale[c] = fmaxf(scale[c], fabsf(s->w[c * s->each + i]) / 127);
        scale[c] = scale[c] >= FLT_MIN && scale[c] <= FLT_MAX / 256 ? scale[c] : 0;
        most = fmaxf(most, scale[c]);
    }
    for (int64_t c = 0; one_for_all && c < s->channels; c++)
        scale[c] = most;
}

static oct_status search_scales(const scales *s, const float *importance, float *scale)
{
    float *copy = oct_alloc((size_t)s->each, sizeof *copy);
    if (!copy)
        return oct_fail_memory((size_t)s->each * sizeof *copy);
    for (int64_t c = 0; c < s->channels; c++)
        if (scale[c] > 4 * FLT_MIN && scale[c] < 1 / (4 * FLT_MIN))
            scale[c] = search_scale(s->w + c * s->each, importance + c / s->per_group * s->each, s->each, scale[c], copy);
    oct_free(copy);
    return OCT_OK;
}

oct_status oct_choose_weights(const oct_graph *graph, int n, const oct_calibration *calibration,
                              const oct_quantize_options *options, oct_weight_choice *choice)
{
    const oct_node *node = &graph->nodes[n];
    const oct_shape *shape = &graph->values[node->in[OCT_IN_W]].shape;
    const oct_value_stats *x = oct_calibration_stats(calibration, node->in[OCT_IN_X]);
    const bool search = !options->weights || !strcmp(options->weights, "mse");
    float *importance = NULL;
    scales s = {.w = oct_f32_constant(graph, node->in[OCT_IN_W]), .channels = shape->dims[0]};
    s.each = oct_shape_product(shape, 1, shape->rank);
    s.per_group = node->op == OCT_OP_CONV ? s.channels / node->attrs.conv.groups : s.channels;
    choice->scale = oct_alloc((size_t)s.channels, sizeof *choice->scale);
    if (!choice->scale)
        return oct_fail_memory((size_t)s.channels * sizeof *choice->scale);
    set_largest(&s, options->weights && !strcmp(options->weights, "tensor"), choice->scale);
    if (!options->no_bias_correction)
        OCT_TRY(oct_weight_means(graph, n, x, &choice->mean));
    if (!search)
        return OCT_OK;
    oct_status status = importance_of(graph, n, x, choice->mean != NULL, &importance);
    if (status == OCT_OK)
        status = search_scales(&s, importance, choice->scale);
    oct_free(importance);
    return status;
}

void oct_weight_choice_free(oct_weight_choice *choice)
{
    oct_free(choice->q);
    oct_free(choice->scale);
    oct_free(choice->mean);
    *choice = (oct_weight_choice){0};
}

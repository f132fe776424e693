/* The method "best": for each tensor, whichever range hurts the network's output least.
 *
 * The float network runs over a few kept samples; one tensor at a time is rounded to the bytes it would have, right after it was
 * computed, and the change of the outputs is measured. Outputs behind a softmax are measured before it: where the network is sure,
 * softmax hides any change.
 */
#include <math.h>
#include <string.h>

#include "memory.h"
#include "quantize.h"
#include "status.h"

#define MOST_SAMPLES 8

typedef struct trial {
    const oct_calibration *calibration;
    const oct_graph *graph;
    int64_t samples, every;
    bool *judged;             /* per value */
    float **reference;        /* per sample and value: [sample * values + value], what judged values are in float */
    int64_t sample;           /* the running one */
    int rounded;              /* the value on trial; OCT_NONE fills the reference */
    oct_scale scale;
    double error;
    bool failed;
} trial;

static int before_softmax(const oct_graph *graph, int value)
{
    const oct_node *softmax = oct_producer_of(graph, value, OCT_OP_SOFTMAX);
    return softmax ? softmax->in[0] : value;
}

/* The session's memory is changed under it: the next node then reads bytes' worth of information. */
static void round_to_bytes(float *x, size_t count, oct_scale s)
{
    const float inverse = 1 / s.scale;
    for (size_t i = 0; i < count; i++) {
        float q = nearbyintf(x[i] * inverse) + (float)s.zero_point;
        q = q < 0 ? 0 : q > 255 ? 255 : q;
        x[i] = (q - (float)s.zero_point) * s.scale;
    }
}

static void observe(void *arg, int value, const void *data)
{
    trial *t = arg;
    const size_t count = oct_value_bytes(&t->graph->values[value]) / sizeof(float);
    if (value == t->rounded)
        round_to_bytes((float *)(uintptr_t)data, count, t->scale);
    if (!t->judged[value])
        return;
    float **reference = &t->reference[t->sample * t->graph->value_count + value];
    if (t->rounded == OCT_NONE) {
        *reference = oct_memdup(data, count * sizeof(float));
        t->failed |= !*reference;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const double d = (double)((const float *)data)[i] - (double)(*reference)[i];
        t->error += d * d;
    }
}

static oct_status run_all(trial *t)
{
    t->error = 0;
    for (t->sample = 0; t->sample < t->samples; t->sample++)
        OCT_TRY(oct_calibration_rerun(t->calibration, t->sample * t->every, observe, t));
    return t->failed ? oct_fail_memory(sizeof(float)) : OCT_OK;
}

static oct_status try_range(trial *t, int value, const oct_range *candidate, double *least, oct_range *best)
{
    t->rounded = value;
    t->scale = oct_scale_for(candidate->lo, candidate->hi);
    OCT_TRY(run_all(t));
    if (t->error < *least) {
        *least = t->error;
        *best = *candidate;
    }
    return OCT_OK;
}

/* Methods that give a range which has been tried already are skipped. */
static oct_status choose(trial *t, int value, const oct_quantize_options *options, oct_range *range)
{
    static const oct_range_method methods[] = {OCT_RANGE_MINMAX, OCT_RANGE_PERCENTILE, OCT_RANGE_MSE, OCT_RANGE_ENTROPY};
    const double percentile = options && options->percentile > 0 ? options->percentile : 99.99;
    const oct_value_stats *stats = oct_calibration_stats(t->calibration, value);
    double least = INFINITY, lo, hi, last_lo = NAN, last_hi = NAN;
    oct_range_bounds(t->graph, value, &lo, &hi);
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        oct_range candidate = oct_range_by(stats, methods[m], percentile);
        candidate.lo = fmin(fmax(candidate.lo, lo), 0);
        candidate.hi = fmax(fmin(candidate.hi, hi), 0);
        if (candidate.lo == last_lo && candidate.hi == last_hi)
            continue;
        last_lo = candidate.lo;
        last_hi = candidate.hi;
        OCT_TRY(try_range(t, value, &candidate, &least, range));
    }
    return OCT_OK;
}

static oct_status choose_all(trial *t, const oct_quantize_options *options, oct_range *ranges)
{
    for (int i = 0; i < t->graph->output_count; i++)
        t->judged[before_softmax(t->graph, t->graph->outputs[i])] = true;
    t->rounded = OCT_NONE;
    OCT_TRY(run_all(t));
    for (int v = 0; v < t->graph->value_count; v++) {
        if (options && options->progress)
            options->progress(options->user, "choosing ranges", v, t->graph->value_count);
        if (ranges[v].known && ranges[v].method != OCT_RANGE_GIVEN)
            OCT_TRY(choose(t, v, options, &ranges[v]));
    }
    return OCT_OK;
}

oct_status oct_choose_best_ranges(const oct_calibration *calibration, const oct_quantize_options *options, oct_range *ranges)
{
    trial t = {.calibration = calibration, .graph = oct_calibration_graph(calibration)};
    const int64_t kept = oct_calibration_kept(calibration);
    const size_t values = (size_t)t.graph->value_count;
    t.samples = kept < MOST_SAMPLES ? kept : MOST_SAMPLES;
    t.every = t.samples > 0 ? kept / t.samples : 1;
    t.judged = oct_alloc(values, sizeof *t.judged);
    t.reference = oct_alloc((size_t)t.samples * values, sizeof *t.reference);
    const oct_status status = t.judged && t.reference ? choose_all(&t, options, ranges) : oct_fail_memory(values);
    for (size_t i = 0; t.reference && i < (size_t)t.samples * values; i++)
        oct_free(t.reference[i]);
    oct_free(t.reference);
    oct_free(t.judged);
    return status;
}

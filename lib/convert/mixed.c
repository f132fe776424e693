/* Mixed precision: which layers have to stay in f32 for the result to be good enough?
 *
 *   1. all int8: good enough?                                     then none
 *   2. each layer alone in int8: how much noise does it bring?    its sensitivity
 *   3. the most sensitive k in f32, the least k that is good enough (by halving: more float is taken to be better)
 *   4. each of the k back to int8, if it still is good enough
 *
 * Every step runs the network as it would be saved over the kept calibration samples, so nothing is estimated.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "quantize.h"
#include "status.h"

typedef struct score {
    double signal, noise;
    int64_t answers, agree, right, right_in_float;   /* right: of those with a label */
} score;

typedef struct judge {
    oct_decisions *d;
    float **reference;   /* [sample * outputs + output], the float network's */
    size_t outputs;
    int64_t samples;
    int *layer, layers;  /* node numbers, most sensitive first */
    int64_t done, total; /* networks tried, for the progress */
} judge;

/* ----------------------------------------------------------------------------------------------------- measuring ---- */

static size_t largest(const float *x, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        best = x[i] > x[best] ? i : best;
    return best;
}

/* Output 0 is taken for the answer, one per sample. */
static void compare(const judge *j, int64_t sample, size_t output, const float *x, size_t n, score *s)
{
    const float *want = j->reference[(size_t)sample * j->outputs + output];
    for (size_t i = 0; i < n; i++) {
        const double d = (double)x[i] - (double)want[i];
        s->signal += (double)want[i] * (double)want[i];
        s->noise += d * d;
    }
    if (output != 0 || n == 0)
        return;
    const int64_t place = oct_calibration_kept_index(j->d->calibration, sample);
    const size_t answer = largest(x, n), in_float = largest(want, n);
    s->answers++;
    s->agree += answer == in_float;
    if (!j->d->options.labels || place >= j->d->options.label_count)
        return;
    s->right += (int64_t)answer == j->d->options.labels[place];
    s->right_in_float += (int64_t)in_float == j->d->options.labels[place];
}

/* Runs all kept samples; `s` NULL stores the outputs as the reference. */
static oct_status run_session(judge *j, oct_session *session, const oct_model *model, score *s)
{
    for (int64_t k = 0; k < j->samples; k++) {
        oct_tensor_info info;
        for (size_t i = 0; i < oct_model_input_count(model); i++) {
            OCT_TRY(oct_model_input(model, i, &info));
            OCT_TRY(oct_set_input(session, i, oct_calibration_kept_input(j->d->calibration, k, (int)i), info.bytes));
        }
        OCT_TRY(oct_run(session));
        for (size_t o = 0; o < j->outputs; o++) {
            OCT_TRY(oct_model_output(model, o, &info));
            if (info.dtype != OCT_F32)
                continue;
            float **reference = &j->reference[(size_t)k * j->outputs + o];
            if (s)
                compare(j, k, o, oct_output_data(session, o), info.elements, s);
            else if (!(*reference = oct_memdup(oct_output_data(session, o), info.bytes)))
                return oct_fail_memory(info.bytes);
        }
    }
    return OCT_OK;
}

static oct_status run_graph(judge *j, const oct_graph *graph, score *s)
{
    oct_model *model;
    oct_session *session = NULL;
    oct_session_info info;
    OCT_TRY(oct_session_describe(oct_calibration_session(j->d->calibration), &info));
    OCT_TRY(oct_model_from_graph(graph, &model));
    oct_status status = oct_session_create(model, &(oct_options){.isa = info.isa, .threads = info.threads}, &session);
    if (status == OCT_OK)
        status = run_session(j, session, model, s);
    oct_session_free(session);
    oct_model_free(model);
    return status;
}

/* The network as presently decided. */
static oct_status try_decisions(judge *j, score *s)
{
    oct_graph *quantized;
    const oct_quantize_options *o = &j->d->options;
    if (o->progress)
        o->progress(o->user, "trying layers in float", j->done, j->total);
    j->done++;
    *s = (score){0};
    OCT_TRY(oct_quantize_as_decided(j->d, &quantized));
    const oct_status status = run_graph(j, quantized, s);
    oct_graph_free(quantized);
    return status;
}

static double decibels(const score *s) { return s->noise > 0 ? 10 * log10(s->signal / s->noise) : INFINITY; }

static bool good_enough(const judge *j, const score *s)
{
    const oct_quantize_options *o = &j->d->options;
    const double lost = (double)(o->labels ? s->right_in_float - s->right : s->answers - s->agree);
    if (o->max_drop > 0 && s->answers > 0 && 100 * lost / (double)s->answers > o->max_drop)
        return false;
    return !(o->min_sqnr > 0) || decibels(s) >= o->min_sqnr;
}

/* ------------------------------------------------------------------------------------------------------- search ---- */

/* The first k of the list in float, the others in int8; k below 0: all but number -k - 1. */
static void set_float(judge *j, int k)
{
    for (int i = 0; i < j->layers; i++)
        j->d->in_float[j->layer[i]] = (k >= 0 ? i < k : i != -k - 1) ? OCT_FLOAT_SENSITIVE : OCT_FLOAT_NOT;
}

/* Sorts the list by what each layer alone does to the outputs. */
static oct_status measure_layers(judge *j)
{
    for (int i = 0; i < j->layers; i++) {
        score s;
        set_float(j, -i - 1);
        OCT_TRY(try_decisions(j, &s));
        j->d->sensitivity[j->layer[i]] = fmin(decibels(&s), 999);
    }
    for (int i = 1; i < j->layers; i++)
        for (int k = i; k > 0 && j->d->sensitivity[j->layer[k]] < j->d->sensitivity[j->layer[k - 1]]; k--) {
            const int swap = j->layer[k];
            j->layer[k] = j->layer[k - 1];
            j->layer[k - 1] = swap;
        }
    return OCT_OK;
}

/* Between `bad` layers in float, which are too few, and `good`, which are enough or all there are. */
static oct_status halve(judge *j, int *enough)
{
    int bad = 0, good = j->layers;
    while (good - bad > 1) {
        score s;
        const int middle = (good + bad) / 2;
        set_float(j, middle);
        OCT_TRY(try_decisions(j, &s));
        *(good_enough(j, &s) ? &good : &bad) = middle;
    }
    *enough = good;
    set_float(j, good);
    return OCT_OK;
}

static oct_status take_back(judge *j, int count)
{
    for (int i = count - 1; i >= 0; i--) {
        score s;
        j->d->in_float[j->layer[i]] = OCT_FLOAT_NOT;
        OCT_TRY(try_decisions(j, &s));
        if (!good_enough(j, &s))
            j->d->in_float[j->layer[i]] = OCT_FLOAT_SENSITIVE;
    }
    return OCT_OK;
}

static oct_status search(judge *j)
{
    score s;
    int enough = 0;
    OCT_TRY(run_graph(j, oct_calibration_graph(j->d->calibration), NULL));
    OCT_TRY(try_decisions(j, &s));
    if (good_enough(j, &s) || j->layers == 0)
        return OCT_OK;
    OCT_TRY(measure_layers(j));
    OCT_TRY(halve(j, &enough));
    return take_back(j, enough);
}

/* Layers that the user has asked to keep in float are no question any more. */
oct_status oct_choose_float_layers(oct_decisions *d)
{
    judge j = {.d = d, .outputs = (size_t)oct_calibration_graph(d->calibration)->output_count};
    j.samples = oct_calibration_kept(d->calibration);
    if (j.samples == 0)
        return oct_fail(OCT_ERR_ARGUMENT, "choosing layers by accuracy takes calibration samples, and there are none");
    const size_t outputs = (size_t)j.samples * j.outputs;
    j.reference = oct_alloc(outputs, sizeof *j.reference);
    j.layer = oct_alloc((size_t)d->nodes, sizeof *j.layer);
    for (int n = 0; j.layer && n < d->nodes; n++)
        if (d->weights[n].scale && d->in_float[n] == OCT_FLOAT_NOT)
            j.layer[j.layers++] = n;
    j.total = j.layers + 2;
    const oct_status status = j.reference && j.layer ? search(&j) : oct_fail_memory(outputs * sizeof *j.reference);
    for (size_t i = 0; j.reference && i < outputs; i++)
        oct_free(j.reference[i]);
    oct_free(j.reference);
    oct_free(j.layer);
    return status;
}

/* Calibration: runs the float graph over samples and keeps, for every value in it, the least and the greatest number that was seen,
 * a histogram, and each channel's sums.
 *
 *   sample ──> float graph ──> observe every value ──> fresh: range, sums ──┐ if all was finite
 *                                       │                                   ├──> stats
 *                                       └──> histogram (at once) ───────────┘
 *
 * A sample is seen as a whole or not at all. Ranges and sums go into `fresh` first and join `stats` when the run has ended without
 * a NaN or an infinity anywhere. A second set of histograms would double the memory, so a bad sample is run once more to count
 * the same numbers down again.
 */
#include "calibrate.h"

#include <math.h>
#include <string.h>

#include "format.h"
#include "kept_samples.h"
#include "memory.h"
#include "model.h"
#include "observe.h"
#include "rewrite.h"
#include "session.h"
#include "status.h"

/* Of the running sample. */
typedef struct fresh_stats {
    bool seen;
    float lo, hi;
    float *sum, *square;      /* per channel */
    size_t rows;
} fresh_stats;

struct oct_calibration {
    oct_model *model;
    oct_session *session;
    int values;               /* of the graph that is run: the given one with its activations split off */
    int given_values;         /* of the given one */
    oct_value_stats *stats;
    fresh_stats *fresh;
    oct_tally *tally;
    int times;                /* how often the running sample counts: 1, or -1 to take it back */
    int bad;                  /* a value of the running sample that is not finite; OCT_NONE */
    int64_t samples, calls;   /* samples that count; all that were offered */
    oct_kept_samples kept;
    size_t *input_bytes;      /* per graph input */
    uint64_t fingerprint, digest;
};

/* --------------------------------------------------------------------------------------------- fingerprint ---- */

/* Each piece of the sum goes in with its length, so that no two graphs read the same. */
static uint64_t sum_shape(const oct_shape *shape, uint64_t sum)
{
    sum = oct_checksum(&shape->rank, sizeof shape->rank, sum);
    return oct_checksum(shape->dims, (size_t)shape->rank * sizeof shape->dims[0], sum);
}

static uint64_t sum_list(const int *list, int count, uint64_t sum)
{
    sum = oct_checksum(&count, sizeof count, sum);
    return count > 0 ? oct_checksum(list, (size_t)count * sizeof *list, sum) : sum;
}

/* Parameters of "no function" mean nothing and may be anything. */
static uint64_t sum_function(const oct_function *f, uint64_t sum)
{
    sum = oct_checksum(&f->fn, sizeof f->fn, sum);
    return f->fn == OCT_FN_NONE ? sum : oct_checksum(&f->alpha, 2 * sizeof f->alpha, sum);
}

/* All that decides what a graph computes; no names. */
static uint64_t fingerprint_of(const oct_graph *graph)
{
    uint64_t sum = sum_list(graph->outputs, graph->output_count, sum_list(graph->inputs, graph->input_count, 0));
    for (int v = 0; v < graph->value_count; v++) {
        const oct_value *value = &graph->values[v];
        const int32_t dtype = (int32_t)value->dtype;
        sum = sum_shape(&value->shape, oct_checksum(&dtype, sizeof dtype, sum));
        if (value->data)
            sum = oct_checksum(value->data, oct_value_bytes(value), sum);
    }
    for (int n = 0; n < graph->node_count; n++) {
        const oct_node *node = &graph->nodes[n];
        const int32_t op = (int32_t)node->op;
        sum = oct_checksum(&op, sizeof op, sum);
        sum = sum_function(&node->act, oct_checksum(&node->attrs, sizeof node->attrs, sum));
        sum = sum_list(node->out, node->out_count, sum_list(node->in, node->in_count, sum));
    }
    return sum;
}

/* ------------------------------------------------------------------------------------------- making, asking ---- */

/* One quantized value is enough: float graphs have none, not even constants. */
bool oct_graph_is_quantized(const oct_graph *graph)
{
    for (int v = 0; v < graph->value_count; v++)
        if (graph->values[v].dtype == OCT_U8 || graph->values[v].dtype == OCT_S8)
            return true;
    return false;
}

/* Only what is computed has statistics; constants are known anyway. */
static oct_status make_stats(oct_calibration *c, int value)
{
    const oct_value *v = &oct_model_graph(c->model)->values[value];
    oct_value_stats *stats = &c->stats[value];
    if (v->dtype != OCT_F32 || v->data || oct_shape_elements(&v->shape) == 0)
        return OCT_OK;
    stats->channels = v->shape.rank > 0 ? v->shape.dims[v->shape.rank - 1] : 1;
    const size_t channels = (size_t)stats->channels;
    stats->histogram = oct_alloc(1, sizeof *stats->histogram);
    stats->sum = oct_alloc(channels, sizeof *stats->sum);
    stats->square = oct_alloc(channels, sizeof *stats->square);
    c->fresh[value].sum = oct_alloc(channels, sizeof *c->fresh->sum);
    c->fresh[value].square = oct_alloc(channels, sizeof *c->fresh->square);
    if (!stats->histogram || !stats->sum || !stats->square || !c->fresh[value].sum || !c->fresh[value].square)
        return oct_fail_memory(sizeof *stats->histogram + channels * sizeof(double));
    return OCT_OK;
}

static oct_status make_tables(oct_calibration *c)
{
    const oct_graph *graph = oct_model_graph(c->model);
    c->values = graph->value_count;
    c->stats = oct_alloc((size_t)c->values, sizeof *c->stats);
    c->fresh = oct_alloc((size_t)c->values, sizeof *c->fresh);
    c->tally = oct_alloc(1, sizeof *c->tally);
    c->input_bytes = oct_alloc((size_t)graph->input_count, sizeof *c->input_bytes);
    if (!c->stats || !c->fresh || !c->tally || !c->input_bytes)
        return oct_fail_memory((size_t)c->values * sizeof *c->stats);
    for (int i = 0; i < graph->input_count; i++) {
        c->input_bytes[i] = oct_value_bytes(&graph->values[graph->inputs[i]]);
        c->kept.bytes += c->input_bytes[i];
    }
    for (int v = 0; v < c->values; v++)
        OCT_TRY(make_stats(c, v));
    return OCT_OK;
}

/* The session runs a copy, so the caller may change or free the graph; the fingerprint tells whether it is still the same when
 * it comes to quantizing. Activations are split off because the quantiser will want to know what comes before them. */
static oct_status make_session(oct_calibration *c, const oct_graph *graph, const oct_options *options)
{
    oct_graph *copy;
    c->bad = OCT_NONE;
    c->given_values = graph->value_count;
    c->fingerprint = fingerprint_of(graph);
    OCT_TRY(oct_graph_clone(graph, &copy));
    const oct_status status = oct_split_activations(copy);
    if (status != OCT_OK) {
        oct_graph_free(copy);
        return status;
    }
    OCT_TRY(oct_model_wrap(copy, &c->model));
    OCT_TRY(make_tables(c));
    return oct_session_create(c->model, options, &c->session);
}

oct_status oct_calibration_create(const oct_graph *graph, const oct_options *options, oct_calibration **calibration)
{
    if (!calibration)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_calibration_create: calibration is NULL");
    *calibration = NULL;
    if (!graph)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_calibration_create: graph is NULL");
    OCT_TRY(oct_graph_status(graph));
    if (oct_graph_is_quantized(graph))
        return oct_fail(OCT_ERR_ARGUMENT, "the graph is quantized already; calibrate the float graph");
    oct_calibration *c = oct_alloc(1, sizeof *c);
    if (!c)
        return oct_fail_memory(sizeof *c);
    const oct_status status = make_session(c, graph, options);
    if (status != OCT_OK) {
        oct_calibration_free(c);
        return status;
    }
    *calibration = c;
    return OCT_OK;
}

void oct_calibration_free(oct_calibration *calibration)
{
    oct_calibration *c = calibration;
    if (!c)
        return;
    for (int v = 0; c->stats && v < c->values; v++) {
        oct_free(c->stats[v].histogram);
        oct_free(c->stats[v].sum);
        oct_free(c->stats[v].square);
    }
    for (int v = 0; c->fresh && v < c->values; v++) {
        oct_free(c->fresh[v].sum);
        oct_free(c->fresh[v].square);
    }
    oct_session_free(c->session);
    oct_model_free(c->model);
    oct_kept_release(&c->kept);
    oct_free(c->stats);
    oct_free(c->fresh);
    oct_free(c->tally);
    oct_free(c->input_bytes);
    oct_free(c);
}

int64_t oct_calibration_samples(const oct_calibration *calibration) { return calibration ? calibration->samples : 0; }

const oct_value_stats *oct_calibration_stats(const oct_calibration *calibration, int value) { return &calibration->stats[value]; }

uint64_t oct_calibration_digest(const oct_calibration *calibration) { return calibration->digest; }

bool oct_calibration_is_of(const oct_calibration *calibration, const oct_graph *graph)
{
    return graph->value_count == calibration->given_values && fingerprint_of(graph) == calibration->fingerprint;
}

/* ------------------------------------------------------------------------------------------------ observing ---- */

/* Called for every value as soon as it has been computed. What comes after a number that is not finite is not looked at; neither
 * when such a sample is taken back. */
static void observe(void *arg, int value, const void *data)
{
    oct_calibration *c = arg;
    const oct_value_stats *stats = &c->stats[value];
    fresh_stats *fresh = &c->fresh[value];
    const size_t count = oct_value_bytes(&oct_model_graph(c->model)->values[value]) / sizeof(float);
    if (!stats->histogram || c->bad != OCT_NONE)
        return;
    if (!oct_observe_range(data, count, &fresh->lo, &fresh->hi)) {
        c->bad = value;
        return;
    }
    fresh->seen = true;
    const size_t channels = (size_t)stats->channels;
    const oct_row_choice rows = oct_choose_rows(count / channels, channels, c->calls);
    const float *x = (const float *)data + rows.first * channels;
    fresh->rows = rows.rows;
    oct_histogram_reach(stats->histogram, -fresh->lo > fresh->hi ? -fresh->lo : fresh->hi);
    oct_histogram_add(stats->histogram, &(oct_spaced_rows){x, rows.rows, channels, rows.stride * channels}, c->times, c->tally);
    if (c->times > 0)
        oct_observe_moments(x, rows.rows, rows.stride, channels, fresh->sum, fresh->square);
}

/* Fresh ranges start at 0, so all of them contain it. */
static void join(oct_value_stats *all, const fresh_stats *one)
{
    if (!one->seen)
        return;
    all->seen = true;
    all->lo = one->lo < all->lo ? one->lo : all->lo;
    all->hi = one->hi > all->hi ? one->hi : all->hi;
    all->rows += (double)one->rows;
    for (int64_t i = 0; i < all->channels; i++) {
        all->sum[i] += (double)one->sum[i];
        all->square[i] += (double)one->square[i];
    }
}

static void forget(fresh_stats *fresh, int64_t channels)
{
    fresh->seen = false;
    fresh->lo = fresh->hi = 0;
    if (!fresh->sum)
        return;
    memset(fresh->sum, 0, (size_t)channels * sizeof *fresh->sum);
    memset(fresh->square, 0, (size_t)channels * sizeof *fresh->square);
}

/* Hands the sample to the session, refusing numbers that are not finite. */
static oct_status set_inputs(oct_calibration *c, const void *const *inputs)
{
    for (size_t i = 0; i < oct_model_input_count(c->model); i++) {
        oct_tensor_info info;
        OCT_TRY(oct_model_input(c->model, i, &info));
        if (!inputs[i])
            return oct_fail(OCT_ERR_ARGUMENT, "oct_calibration_add: inputs[%zu] (%s) is NULL", i, info.name);
        for (size_t e = 0; e < info.elements; e++)
            if (!isfinite(((const float *)inputs[i])[e]))
                return oct_fail(OCT_ERR_DATA, "calibration sample %lld: element %zu of input %s is not a finite number",
                                (long long)c->calls - 1, e, info.name);
        OCT_TRY(oct_set_input(c->session, i, inputs[i], info.bytes));
    }
    return OCT_OK;
}

/* Runs the sample that the session has been given, and counts it `times` times. */
static oct_status run_sample(oct_calibration *c, int times)
{
    c->times = times;
    c->bad = OCT_NONE;
    for (int v = 0; v < c->values; v++)
        forget(&c->fresh[v], c->stats[v].channels);
    return oct_run_observed(c->session, observe, c);
}

/* The same numbers again, up to the one that is not finite; then the sentence about that one. */
static oct_status take_back(oct_calibration *c)
{
    const int bad = c->bad;
    OCT_TRY(run_sample(c, -1));
    return oct_fail(OCT_ERR_DATA, "calibration sample %lld: tensor %s gets a NaN or an infinity", (long long)c->calls - 1,
                    oct_model_graph(c->model)->values[bad].name);
}

/* Calls are counted whether they succeed or not: the number in a message is the sample's place in what the caller feeds. */
oct_status oct_calibration_add(oct_calibration *calibration, const void *const *inputs)
{
    oct_calibration *c = calibration;
    if (!c || !inputs)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_calibration_add: %s is NULL", c ? "inputs" : "calibration");
    c->calls++;
    OCT_TRY(set_inputs(c, inputs));
    OCT_TRY(run_sample(c, 1));
    if (c->bad != OCT_NONE)
        return take_back(c);
    const size_t count = oct_model_input_count(c->model);
    OCT_TRY(oct_kept_offer(&c->kept, c->samples, inputs, c->input_bytes, count));
    for (int v = 0; v < c->values; v++)
        join(&c->stats[v], &c->fresh[v]);
    for (size_t i = 0; i < count; i++)
        c->digest = oct_checksum(inputs[i], c->input_bytes[i], c->digest);
    c->samples++;
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------------ kept samples ---- */

int64_t oct_calibration_kept(const oct_calibration *calibration) { return calibration->kept.count; }

int64_t oct_calibration_kept_index(const oct_calibration *calibration, int64_t k) { return k * calibration->kept.every; }

const void *oct_calibration_kept_input(const oct_calibration *calibration, int64_t k, int input)
{
    const uint8_t *bytes = calibration->kept.samples[k];
    for (int i = 0; i < input; i++)
        bytes += calibration->input_bytes[i];
    return bytes;
}

oct_status oct_calibration_rerun(const oct_calibration *calibration, int64_t k, oct_observe_fn *observer, void *arg)
{
    const oct_calibration *c = calibration;
    for (size_t i = 0; i < oct_model_input_count(c->model); i++)
        OCT_TRY(oct_set_input(c->session, i, oct_calibration_kept_input(c, k, (int)i), c->input_bytes[i]));
    return oct_run_observed(c->session, observer, arg);
}

oct_session *oct_calibration_session(const oct_calibration *calibration) { return calibration->session; }

const oct_graph *oct_calibration_graph(const oct_calibration *calibration) { return oct_model_graph(calibration->model); }

/* -------------------------------------------------------------------------------------------- ranges by hand ---- */

oct_status oct_calibration_set_range(oct_calibration *calibration, const char *tensor, float lo, float hi)
{
    if (!calibration || !tensor)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_calibration_set_range: %s is NULL", calibration ? "tensor" : "calibration");
    const int v = oct_graph_find_value(oct_model_graph(calibration->model), tensor);
    if (v < 0 || !calibration->stats[v].histogram)
        return oct_fail(OCT_ERR_ARGUMENT, "there is no tensor \"%s\" whose range could be set", tensor);
    if (!isfinite(lo) || !isfinite(hi) || lo > hi)
        return oct_fail(OCT_ERR_DATA, "tensor %s: [%g, %g] is no range", tensor, (double)lo, (double)hi);
    oct_value_stats *stats = &calibration->stats[v];
    stats->fixed = true;
    stats->fixed_lo = lo < 0 ? lo : 0;
    stats->fixed_hi = hi > 0 ? hi : 0;
    return OCT_OK;
}

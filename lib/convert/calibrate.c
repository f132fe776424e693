/* Calibration: runs the float graph over samples and keeps, for every value in it, the least and the greatest number that was seen.
 *
 * A sample is seen as a whole or not at all: its numbers go into `fresh` first and join `stats` when the run has ended without
 * a NaN or an infinity anywhere.
 */
#include "calibrate.h"

#include <math.h>
#include <string.h>

#include "format.h"
#include "memory.h"
#include "model.h"
#include "rewrite.h"
#include "session.h"
#include "status.h"

struct oct_calibration {
    oct_model *model;
    oct_session *session;
    int values;               /* of the graph that is run: the given one with its activations split off */
    int given_values;         /* of the given one */
    oct_value_stats *stats, *fresh;
    int bad;                  /* a value of the running sample that is not finite; OCT_NONE */
    int64_t samples, calls;   /* samples that count; all that were offered */
    uint64_t fingerprint;
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
    c->values = copy->value_count;
    OCT_TRY(oct_model_wrap(copy, &c->model));
    c->stats = oct_alloc((size_t)c->values, sizeof *c->stats);
    c->fresh = oct_alloc((size_t)c->values, sizeof *c->fresh);
    if (!c->stats || !c->fresh)
        return oct_fail_memory((size_t)c->values * sizeof *c->stats);
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
    if (!calibration)
        return;
    oct_session_free(calibration->session);
    oct_model_free(calibration->model);
    oct_free(calibration->stats);
    oct_free(calibration->fresh);
    oct_free(calibration);
}

int64_t oct_calibration_samples(const oct_calibration *calibration) { return calibration ? calibration->samples : 0; }

const oct_value_stats *oct_calibration_stats(const oct_calibration *calibration, int value) { return &calibration->stats[value]; }

bool oct_calibration_is_of(const oct_calibration *calibration, const oct_graph *graph)
{
    return graph->value_count == calibration->given_values && fingerprint_of(graph) == calibration->fingerprint;
}

/* ------------------------------------------------------------------------------------------------ observing ---- */

/* Called for every value as soon as it has been computed. x - x is 0 for finite numbers only, so one sum finds the others. */
static void observe(void *arg, int value, const void *data)
{
    oct_calibration *c = arg;
    const oct_value *v = &oct_model_graph(c->model)->values[value];
    const size_t count = oct_value_bytes(v) / sizeof(float);
    const float *x = data;
    float lo = 0, hi = 0, odd = 0;
    if (v->dtype != OCT_F32)
        return;
    for (size_t i = 0; i < count; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
        odd += x[i] - x[i];
    }
    if (odd != 0 && c->bad == OCT_NONE)
        c->bad = value;
    c->fresh[value] = (oct_value_stats){true, lo, hi};
}

/* Fresh ranges start at 0, so all of them contain it. */
static void join(oct_value_stats *all, const oct_value_stats *one)
{
    if (!one->seen)
        return;
    all->seen = true;
    all->lo = one->lo < all->lo ? one->lo : all->lo;
    all->hi = one->hi > all->hi ? one->hi : all->hi;
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

/* Calls are counted whether they succeed or not: the number in a message is the sample's place in what the caller feeds. */
oct_status oct_calibration_add(oct_calibration *calibration, const void *const *inputs)
{
    oct_calibration *c = calibration;
    if (!c || !inputs)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_calibration_add: %s is NULL", c ? "inputs" : "calibration");
    c->calls++;
    c->bad = OCT_NONE;
    memset(c->fresh, 0, (size_t)c->values * sizeof *c->fresh);
    OCT_TRY(set_inputs(c, inputs));
    OCT_TRY(oct_run_observed(c->session, observe, c));
    if (c->bad != OCT_NONE)
        return oct_fail(OCT_ERR_DATA, "calibration sample %lld: tensor %s gets a NaN or an infinity", (long long)c->calls - 1,
                        oct_model_graph(c->model)->values[c->bad].name);
    for (int v = 0; v < c->values; v++)
        join(&c->stats[v], &c->fresh[v]);
    c->samples++;
    return OCT_OK;
}

/* Cross-layer equalisation (M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019).
 *
 *   x  = relu(W1 v + b1)        y = W2 x                 channel i of x reaches to 0.1, its neighbour to 10: it has 2 of 255 steps
 *   x' = relu(W1' v + b1')      y = W2' x'               row i of W1 and b1 divided by s[i], column i of W2 multiplied by it
 *
 * relu(x / s) = relu(x) / s for positive s, so y is the same, and with powers of two it is the same to the last bit.
 *
 * Tensors that are added must be scaled alike, and so must those before and after a pool: they form groups, with one s per channel.
 * Weights have a scale per output channel, so rows of W1 cost nothing, nor do columns of a depthwise W2; columns of any other W2
 * share a scale with their row, and so the factor is divided between x and W2:
 *
 *   s[i] = a[i]                      all readers are depthwise       a: the channel's root mean square in x
 *   s[i] = sqrt(a[i] / b[i])         otherwise                       b: the largest weight of column i
 */
#include <math.h>

#include "memory.h"
#include "quantize.h"
#include "status.h"

typedef struct group_value {
    int same_as;       /* towards the value that stands for the group */
    bool fixed;        /* may not be scaled */
    double *a, *b;     /* of the group, at its leader; b all zero: only depthwise readers */
    int64_t channels;
} group_value;

typedef struct equalizer {
    oct_graph *graph;
    const oct_calibration *calibration;
    group_value *values;
} equalizer;

static int leader_of(const equalizer *e, int value)
{
    while (e->values[value].same_as != value)
        value = e->values[value].same_as;
    return value;
}

static bool same_shape(const oct_graph *graph, int a, int b)
{
    const oct_shape *x = &graph->values[a].shape, *y = &graph->values[b].shape;
    bool same = x->rank == y->rank;
    for (int i = 0; same && i < x->rank; i++)
        same = x->dims[i] == y->dims[i];
    return same;
}

/* Also where a constant takes part, which is not worth scaling. */
static void fix(equalizer *e, int value)
{
    if (value >= 0)
        e->values[leader_of(e, value)].fixed = true;
}

static void join(equalizer *e, int a, int b)
{
    a = leader_of(e, a);
    b = leader_of(e, b);
    e->values[a].fixed |= e->values[b].fixed || e->values[a].channels != e->values[b].channels;
    e->values[b].same_as = a;
}

/* -------------------------------------------------------------------------------------------------------- groups ---- */

/* f(x / s) = f(x) / s for s > 0 */
static bool lets_factors_through(const oct_function *f)
{
    if (f->fn == OCT_FN_CLAMP)
        return (f->alpha == 0 || f->alpha == -INFINITY) && f->beta == INFINITY;
    return f->fn == OCT_FN_NONE || f->fn == OCT_FN_LEAKY_RELU;
}

static bool is_linear(const oct_graph *graph, const oct_node *node)
{
    return (node->op == OCT_OP_CONV || node->op == OCT_OP_DENSE) && oct_f32_constant(graph, node->in[OCT_IN_W]) &&
           (oct_node_input(node, OCT_IN_BIAS) < 0 || oct_f32_constant(graph, node->in[OCT_IN_BIAS]));
}

static bool is_depthwise(const oct_graph *graph, const oct_node *node)
{
    const oct_shape *w = &graph->values[node->in[OCT_IN_W]].shape;
    return node->op == OCT_OP_CONV && node->attrs.conv.groups == w->dims[0] && w->dims[3] == 1;
}

/* Inputs stand for what they are multiplied with: a grouped convolution that is not depthwise would need more bookkeeping. */
static bool takes_scaled_input(const oct_graph *graph, const oct_node *node)
{
    const oct_shape *w = &graph->values[node->in[OCT_IN_W]].shape;
    return node->op == OCT_OP_DENSE || node->attrs.conv.groups == 1 || (is_depthwise(graph, node) && w->dims[0] > 1);
}

static void group_node(equalizer *e, const oct_node *node)
{
    const oct_graph *graph = e->graph;
    const int out = node->out[0];
    if (is_linear(graph, node)) {
        const int residual = oct_node_input(node, OCT_IN_RESIDUAL);
        if (!lets_factors_through(&node->act))
            fix(e, out);
        if (!takes_scaled_input(graph, node))
            fix(e, node->in[OCT_IN_X]);
        if (residual >= 0)
            join(e, out, residual);
        return;
    }
    const bool pool = node->op == OCT_OP_MAX_POOL || node->op == OCT_OP_AVERAGE_POOL;
    const bool relu = node->op == OCT_OP_UNARY && lets_factors_through(&node->attrs.unary);
    const bool add = node->op == OCT_OP_BINARY && node->attrs.binary.fn == OCT_BINARY_ADD && same_shape(graph, node->in[0], out) &&
                     same_shape(graph, node->in[1], out);
    for (int i = 0; i < node->in_count; i++)
        if (node->in[i] >= 0 && (pool || add || relu) && lets_factors_through(&node->act))
            join(e, out, node->in[i]);
        else
            fix(e, node->in[i]);
    if (!(pool || add || relu) || !lets_factors_through(&node->act))
        fix(e, out);
}

/* Network inputs and outputs are what they are; so are constants and values without statistics. */
static void make_groups(equalizer *e)
{
    const oct_graph *graph = e->graph;
    for (int v = 0; v < graph->value_count; v++) {
        const oct_value_stats *stats = oct_calibration_stats(e->calibration, v);
        e->values[v] = (group_value){.same_as = v, .channels = stats->channels};
        e->values[v].fixed = !stats->seen || stats->rows <= 0 || oct_is_graph_input(graph, v) || oct_is_graph_output(graph, v);
    }
    for (int n = 0; n < graph->node_count; n++)
        group_node(e, &graph->nodes[n]);
}

/* ----------------------------------------------------------------------------------------------------- measuring ---- */

/* b[i] grows to the largest weight that input channel i is multiplied with: input channels are the weights' last dimension. */
static void measure_columns(const oct_graph *graph, const oct_node *node, int64_t channels, double *b)
{
    const oct_shape *shape = &graph->values[node->in[OCT_IN_W]].shape;
    const float *w = oct_f32_constant(graph, node->in[OCT_IN_W]);
    const int64_t count = oct_shape_elements(shape);
    for (int64_t i = 0; i < count; i++)
        b[i % channels] = fmax(b[i % channels], fabs((double)w[i]));
}

static oct_status measure(equalizer *e)
{
    for (int v = 0; v < e->graph->value_count; v++) {
        group_value *g = &e->values[leader_of(e, v)];
        const oct_value_stats *stats = oct_calibration_stats(e->calibration, v);
        if (g->fixed)
            continue;
        if (!g->a) {
            g->a = oct_alloc((size_t)g->channels, sizeof *g->a);
            g->b = oct_alloc((size_t)g->channels, sizeof *g->b);
        }
        if (!g->a || !g->b)
            return oct_fail_memory((size_t)g->channels * sizeof *g->a);
        for (int64_t i = 0; i < g->channels; i++)
            g->a[i] = fmax(g->a[i], sqrt(stats->square[i] / stats->rows));
    }
    for (int n = 0; n < e->graph->node_count; n++) {
        const oct_node *node = &e->graph->nodes[n];
        if (!is_linear(e->graph, node) || is_depthwise(e->graph, node))
            continue;
        const group_value *g = &e->values[leader_of(e, node->in[OCT_IN_X])];
        if (!g->fixed)
            measure_columns(e->graph, node, g->channels, g->b);
    }
    return OCT_OK;
}

/* Powers of two round the group's mean, at most 2^8 away from it; in place of a. Channels that carry nothing keep their size. */
static void choose_factors(group_value *g)
{
    double sum = 0, any_b = 0;
    int64_t used = 0;
    for (int64_t i = 0; i < g->channels; i++)
        any_b = fmax(any_b, g->b[i]);
    for (int64_t i = 0; i < g->channels; i++) {
        const double ratio = any_b > 0 ? (g->b[i] > 0 ? sqrt(g->a[i] / g->b[i]) : 0) : g->a[i];
        g->a[i] = ratio > 0 && isfinite(ratio) ? log2(ratio) : NAN;
        sum += isnan(g->a[i]) ? 0 : g->a[i];
        used += !isnan(g->a[i]);
    }
    const double mean = used > 0 ? sum / (double)used : 0;
    for (int64_t i = 0; i < g->channels; i++)
        g->a[i] = isnan(g->a[i]) ? 1 : exp2(fmax(fmin(nearbyint(g->a[i] - mean), 8), -8));
}

/* ------------------------------------------------------------------------------------------------------ changing ---- */

static oct_status divide_rows(oct_graph *graph, int n, const double *s, int64_t channels)
{
    float *w, *bias;
    OCT_TRY(oct_own_constant(graph, n, OCT_IN_W, &w));
    const oct_shape *shape = &graph->values[graph->nodes[n].in[OCT_IN_W]].shape;
    const int64_t each = oct_shape_product(shape, 1, shape->rank);
    for (int64_t i = 0; i < channels * each; i++)
        w[i] = (float)((double)w[i] / s[i / each]);
    if (oct_node_input(&graph->nodes[n], OCT_IN_BIAS) < 0)
        return OCT_OK;
    OCT_TRY(oct_own_constant(graph, n, OCT_IN_BIAS, &bias));
    for (int64_t i = 0; i < channels; i++)
        bias[i] = (float)((double)bias[i] / s[i]);
    return OCT_OK;
}

static oct_status multiply_columns(oct_graph *graph, int n, const double *s, int64_t channels)
{
    float *w;
    OCT_TRY(oct_own_constant(graph, n, OCT_IN_W, &w));
    const oct_node *node = &graph->nodes[n];
    const oct_shape *shape = &graph->values[node->in[OCT_IN_W]].shape;
    const int64_t count = oct_shape_elements(shape), each = oct_shape_product(shape, 1, shape->rank);
    for (int64_t i = 0; i < count; i++)
        w[i] = (float)((double)w[i] * s[is_depthwise(graph, node) ? i / each : i % channels]);
    return OCT_OK;
}

static oct_status apply(equalizer *e)
{
    for (int n = 0; n < e->graph->node_count; n++) {
        const oct_node *node = &e->graph->nodes[n];
        if (!is_linear(e->graph, node))
            continue;
        const group_value *out = &e->values[leader_of(e, node->out[0])], *in = &e->values[leader_of(e, node->in[OCT_IN_X])];
        if (!out->fixed)
            OCT_TRY(divide_rows(e->graph, n, out->a, out->channels));
        if (!in->fixed)
            OCT_TRY(multiply_columns(e->graph, n, in->a, in->channels));
    }
    return OCT_OK;
}

static oct_status equalize(equalizer *e, int *channels)
{
    make_groups(e);
    OCT_TRY(measure(e));
    const int values = e->graph->value_count;   /* apply adds constants */
    for (int v = 0; v < values; v++) {
        group_value *g = &e->values[v];
        if (!g->a)
            continue;
        choose_factors(g);
        for (int64_t i = 0; channels && i < g->channels; i++)
            *channels += g->a[i] < 1 || g->a[i] > 1;
    }
    return apply(e);
}

oct_status oct_equalize(oct_graph *graph, const oct_calibration *calibration, int *channels)
{
    if (channels)
        *channels = 0;
    if (!graph || !calibration)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_equalize: %s is NULL", graph ? "calibration" : "graph");
    OCT_TRY(oct_graph_status(graph));
    if (!oct_calibration_is_of(calibration, graph))
        return oct_fail(OCT_ERR_ARGUMENT, "the calibration belongs to another graph");
    const int values = graph->value_count;
    equalizer e = {.graph = graph, .calibration = calibration, .values = oct_alloc((size_t)values, sizeof *e.values)};
    if (!e.values)
        return oct_fail_memory((size_t)values * sizeof *e.values);
    const oct_status status = equalize(&e, channels);
    for (int v = 0; v < values; v++) {
        oct_free(e.values[v].a);
        oct_free(e.values[v].b);
    }
    oct_free(e.values);
    return status;
}

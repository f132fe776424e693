/* fold-batchnorm: y = s * x + t per channel, computed into the weights beside it (Jacob et al., "Quantization and Training of
 * Neural Networks for Efficient Integer-Arithmetic-Only Inference", 2018, section 3.2).
 *
 *   behind a conv or dense    s * (W x + b) + t  =  (s W) x + (s b + t)      one s and t per output channel
 *   before a conv or dense    W (s x + t) + b    =  (W s) x + (W t + b)      one per input channel; with t != 0 only where no
 *                                                                            window reaches into padding, which is 0 and not t
 *
 * affine-to-depthwise: a multiplication that stands alone (batch norms before an activation) becomes a 1x1 depthwise
 * convolution, which takes the addition behind it as its bias, clamps as it writes, and can be quantized with a scale per channel.
 */
#include <math.h>
#include <stdio.h>

#include "memory.h"
#include "optimize.h"
#include "operators.h"
#include "status.h"

/* ---------------------------------------------------------------------------------- reading an affine node ---- */

/* A binary node of a variable x and a constant that is the same for a whole channel: x -> scale * x + offset. */
typedef struct affine {
    int x;                 /* the variable side */
    const float *constant;
    int64_t count;         /* 1: the same for all channels, else one per channel */
    int32_t fn;            /* oct_binary_fn */
    bool constant_first;   /* constant - x */
} affine;

/* Elements of a constant that differs at most along the last of `rank` axes; 0 for any other. */
static int64_t per_channel(const oct_shape *shape, int rank, int64_t channels)
{
    const int64_t elements = oct_shape_elements(shape);
    if (shape->rank > rank || (elements != 1 && (elements != channels || shape->dims[shape->rank - 1] != channels)))
        return 0;
    return elements;
}

static bool read_affine(const oct_graph *graph, const oct_node *node, affine *a)
{
    if (node->op != OCT_OP_BINARY)
        return false;
    *a = (affine){.fn = node->attrs.binary.fn};
    a->constant_first = oct_f32_constant(graph, node->in[0]) != NULL;
    const int c = node->in[a->constant_first ? 0 : 1];
    a->x = node->in[a->constant_first ? 1 : 0];
    a->constant = oct_f32_constant(graph, c);
    const oct_shape *x = &graph->values[a->x].shape;
    if (!a->constant || graph->values[a->x].data || x->rank < 1 || !oct_shape_equal(x, &graph->values[node->out[0]].shape))
        return false;
    a->count = per_channel(&graph->values[c].shape, x->rank, x->dims[x->rank - 1]);
    const bool known = a->fn == OCT_BINARY_ADD || a->fn == OCT_BINARY_MUL || a->fn == OCT_BINARY_SUB ||
                       (a->fn == OCT_BINARY_DIV && !a->constant_first);
    return known && a->count > 0;
}

/* x -> scale * x + offset for each function:
 *     x * c: c, 0      x / c: 1 / c, 0      x + c: 1, c      x - c: 1, -c      c - x: -1, c */
static float affine_constant(const affine *a, int64_t channel) { return a->constant[a->count == 1 ? 0 : channel]; }

static float affine_scale(const affine *a, int64_t channel)
{
    switch (a->fn) {
    case OCT_BINARY_MUL: return affine_constant(a, channel);
    case OCT_BINARY_DIV: return 1.0f / affine_constant(a, channel);
    case OCT_BINARY_SUB: return a->constant_first ? -1.0f : 1.0f;
    default: return 1.0f;
    }
}

static float affine_offset(const affine *a, int64_t channel)
{
    switch (a->fn) {
    case OCT_BINARY_ADD: return affine_constant(a, channel);
    case OCT_BINARY_SUB: return a->constant_first ? affine_constant(a, channel) : -affine_constant(a, channel);
    default: return 0.0f;
    }
}

/* A division by zero or an infinite constant stays what it is, where it is. */
static bool is_finite_affine(const affine *a)
{
    for (int64_t c = 0; c < a->count; c++)
        if (!isfinite(affine_scale(a, c)) || !isfinite(affine_offset(a, c)))
            return false;
    return true;
}

/* An offset of zero in all channels is none. */
static bool has_offset(const affine *a)
{
    for (int64_t c = 0; c < a->count; c++)
        if (affine_offset(a, c) != 0)
            return true;
    return false;
}

/* ----------------------------------------------------------------------------------------------- folding ---- */

static bool is_weighted(const oct_graph *graph, int n)
{
    const oct_node *node = n < 0 ? NULL : &graph->nodes[n];
    return node && (node->op == OCT_OP_CONV || node->op == OCT_OP_DENSE) && oct_f32_constant(graph, node->in[OCT_IN_W]);
}

/* Nothing else happens between its sums and its output. */
static bool takes_affine(const oct_node *weighted)
{
    return weighted->act.fn == OCT_FN_NONE && oct_node_input(weighted, OCT_IN_RESIDUAL) < 0;
}

static void drop_grid(oct_value *weights)
{
    oct_free(weights->channel_scale);
    weights->channel_scale = NULL;
}

/* Weights that are multiples of a scale (graph.h) stay such ones, of another scale, as long as it is a normal number. */
static void scale_grid(oct_value *weights, const affine *a)
{
    bool good = true;
    for (int64_t o = 0; weights->channel_scale && o < weights->shape.dims[0]; o++) {
        weights->channel_scale[o] *= fabsf(affine_scale(a, o));
        good &= isnormal(weights->channel_scale[o]);
    }
    if (!good)
        drop_grid(weights);
}

/* The affine node `behind` goes into the conv or dense n that only it reads. */
static oct_status fold_behind(oct_graph *graph, int n, int behind, const affine *a, bool *done)
{
    float *w, *bias;
    OCT_TRY(oct_own_constant(graph, n, OCT_IN_W, &w));
    OCT_TRY(oct_own_bias(graph, n, &bias));
    const oct_shape *shape = &graph->values[graph->nodes[n].in[OCT_IN_W]].shape;
    const int64_t per_output = oct_shape_product(shape, 1, shape->rank);
    scale_grid(&graph->values[graph->nodes[n].in[OCT_IN_W]], a);
    for (int64_t o = 0; o < shape->dims[0]; o++) {
        const float s = affine_scale(a, o), t = affine_offset(a, o);
        for (int64_t i = 0; i < per_output; i++)
            w[o * per_output + i] *= s;
        bias[o] = bias[o] * s + t;
    }
    graph->nodes[n].act = graph->nodes[behind].act;
    oct_replace_value(graph, graph->nodes[behind].out[0], graph->nodes[n].out[0], done);
    return OCT_OK;
}

/* The affine node whose output only conv or dense n reads goes into n. Sums in double: many terms, once. */
static oct_status fold_before(oct_graph *graph, int n, const affine *a)
{
    float *w, *bias;
    OCT_TRY(oct_own_constant(graph, n, OCT_IN_W, &w));
    if (has_offset(a))
        OCT_TRY(oct_own_bias(graph, n, &bias));
    const oct_node *node = &graph->nodes[n];
    const oct_shape *shape = &graph->values[node->in[OCT_IN_W]].shape;
    const int64_t inputs = shape->dims[shape->rank - 1], per_output = oct_shape_product(shape, 1, shape->rank);
    if (a->count == 1)
        scale_grid(&graph->values[node->in[OCT_IN_W]], a);
    else
        drop_grid(&graph->values[node->in[OCT_IN_W]]);
    const int64_t outputs = shape->dims[0], groups = node->op == OCT_OP_CONV ? node->attrs.conv.groups : 1;
    for (int64_t o = 0; o < outputs; o++) {
        const int64_t first = o / (outputs / groups) * inputs;   /* the group's first input channel */
        double sum = 0;
        for (int64_t i = 0; i < per_output; i++) {
            const int64_t channel = first + i % inputs;
            sum += (double)w[o * per_output + i] * (double)affine_offset(a, channel);
            w[o * per_output + i] *= affine_scale(a, channel);
        }
        if (has_offset(a))
            bias[o] = (float)((double)bias[o] + sum);
    }
    graph->nodes[n].in[OCT_IN_X] = a->x;
    return OCT_OK;
}

/* Dense layers have none. */
static bool has_padding(const oct_node *node)
{
    const int32_t *pad = node->attrs.conv.pad;
    return node->op == OCT_OP_CONV && (pad[0] || pad[1] || pad[2] || pad[3]);
}

oct_status oct_pass_fold_batchnorm(oct_graph *graph, int *changes)
{
    const int count = graph->node_count;
    for (int n = 0; n < count; n++) {
        affine a;
        bool done = false;
        if (!read_affine(graph, &graph->nodes[n], &a) || !is_finite_affine(&a))
            continue;
        const int before = graph->values[a.x].producer, reader = oct_graph_single_user(graph, graph->nodes[n].out[0]);
        if (is_weighted(graph, before) && takes_affine(&graph->nodes[before]) && oct_graph_single_user(graph, a.x) == n) {
            OCT_TRY(fold_behind(graph, before, n, &a, &done));
        } else if (is_weighted(graph, reader) && graph->nodes[n].act.fn == OCT_FN_NONE &&
                   graph->nodes[reader].in[OCT_IN_X] == graph->nodes[n].out[0] &&
                   !(has_offset(&a) && has_padding(&graph->nodes[reader]))) {
            OCT_TRY(fold_before(graph, reader, &a));
            done = true;
        }
        if (done)
            oct_graph_kill_node(graph, n);
        *changes += done;
    }
    return OCT_OK;
}

/* ---------------------------------------------------------------------------------- affine-to-depthwise ---- */

/* Weights [channels][1][1][1] out of the multiplication's constant. */
static oct_status add_depthwise_weights(oct_graph *graph, const char *name, int64_t channels, const affine *a, int *id)
{
    const oct_shape shape = {4, {channels, 1, 1, 1}};
    float *w = oct_alloc((size_t)channels, sizeof *w);
    char full[256];
    if (!w)
        return oct_fail_memory((size_t)channels * sizeof *w);
    for (int64_t c = 0; c < channels; c++)
        w[c] = affine_scale(a, c);
    snprintf(full, sizeof full, "%s.w", name);
    return oct_graph_add_value(graph, full, OCT_F32, &shape, w, id);
}

/* A multiplication by one number per channel of a picture. */
static bool is_channel_scale(const oct_graph *graph, const affine *a)
{
    const oct_shape *x = &graph->values[a->x].shape;
    return x->rank == 4 && x->dims[3] > 1 && a->count == x->dims[3] && !has_offset(a) && is_finite_affine(a);
}

/* Whether something before n in a chain of multiplications and additions will become (or is) a convolution, which then takes
 * in n too. */
static bool will_be_folded(const oct_graph *graph, int n, const affine *a)
{
    affine at = *a;
    for (;;) {
        const int p = graph->values[at.x].producer;
        if (p < 0 || oct_graph_single_user(graph, at.x) != n)
            return false;
        if (is_weighted(graph, p))
            return takes_affine(&graph->nodes[p]);
        if (graph->nodes[p].act.fn != OCT_FN_NONE || !read_affine(graph, &graph->nodes[p], &at))
            return false;
        if (is_channel_scale(graph, &at))
            return true;
        n = p;
    }
}

/* In place: the node becomes the convolution. */
oct_status oct_pass_affine_to_depthwise(oct_graph *graph, int *changes)
{
    for (int n = 0; n < graph->node_count; n++) {
        affine a;
        if (!read_affine(graph, &graph->nodes[n], &a) || !is_channel_scale(graph, &a) || will_be_folded(graph, n, &a))
            continue;
        const int64_t channels = a.count;
        int w;
        OCT_TRY(add_depthwise_weights(graph, graph->nodes[n].name, channels, &a, &w));
        oct_node *node = &graph->nodes[n];
        OCT_TRY(oct_node_reserve_inputs(node, OCT_IN_BIAS + 1));
        node->op = OCT_OP_CONV;
        node->attrs = (oct_attrs){.conv = {.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .groups = (int32_t)channels}};
        node->in[OCT_IN_X] = a.x;
        node->in[OCT_IN_W] = w;
        node->in[OCT_IN_BIAS] = OCT_NONE;
        ++*changes;
    }
    return OCT_OK;
}

/* Scales and zero points.
 *
 *   real = scale * (q - zero_point)      scale = (hi - lo) / 255      zero_point = rne(-lo / scale)
 *
 * The range always contains 0, so that 0 is a whole number of steps away from both ends and is represented exactly (padding, Relu).
 *
 * Values that must agree share one range, the union of theirs: input and output of operators that only move elements; a
 * concat's output and those inputs that nobody else reads, whose producers can then write straight in the concat's scale.
 *
 * A scale also has a lower bound. No kernel can overflow as long as every result, in steps of the output's scale, stays below 2^31:
 *   reach / scale < 2^31,   reach: the largest |real| the node could write with all its inputs and weights at the ends of
 * their types. Ordinary ranges are a million times above it. Where one is not (a layer whose output was always 0, or 1e-30),
 * the scale is raised to reach / 2^29; the output then uses few of its steps, which is all there was to represent.
 */
#include <math.h>

#include "memory.h"
#include "quantize.h"
#include "operators.h"
#include "status.h"

/* Scales lie within these bounds, so that 1 / scale is a finite, normal float, and so are all products of three in double. */
#define MIN_SCALE 0x1p-100
#define MAX_SCALE 0x1p100
/* reach / scale is kept below this: 4 times below 2^31, which leaves room for a residual and for rounding. */
#define MAX_STEPS 0x1p29

static oct_scale scale_above(double lo, double hi, double floor)
{
    double scale = hi > lo ? (hi - lo) / 255 : 1;
    if (scale < floor)
        scale = floor;
    scale = scale < MIN_SCALE ? MIN_SCALE : scale > MAX_SCALE ? MAX_SCALE : scale;
    const float rounded = (float)scale;
    const double zero = nearbyint(-lo / (double)rounded);
    return (oct_scale){rounded, zero < 0 ? 0 : zero > 255 ? 255 : (int32_t)zero};
}

oct_scale oct_scale_for(double lo, double hi) { return scale_above(lo, hi, 0); }

/* ----------------------------------------------------------------------------------------------- sharing ---- */

/* One per value; `same_as` leads to the value whose range counts for the whole group. */
typedef struct shared_range {
    int same_as;
    double lo, hi, floor;
} shared_range;

/* Follows the chain and shortens it on the way (union-find, Tarjan 1975). */
static int leader_of(shared_range *ranges, int value)
{
    while (ranges[value].same_as != value)
        value = ranges[value].same_as = ranges[ranges[value].same_as].same_as;
    return value;
}

static void include(shared_range *range, double lo, double hi)
{
    range->lo = lo < range->lo ? lo : range->lo;
    range->hi = hi > range->hi ? hi : range->hi;
}

static void share(shared_range *ranges, int a, int b)
{
    a = leader_of(ranges, a);
    b = leader_of(ranges, b);
    if (a == b)
        return;
    ranges[b].same_as = a;
    include(&ranges[a], ranges[b].lo, ranges[b].hi);
}

static bool moves_only(const oct_node *node) { return oct_operator_of(node->op)->quant == OCT_QUANT_SAME; }

/* Whether the value may take on a scale that is not its own: nobody but node `reader` sees it, nor what it was moved from. */
static bool is_free(const oct_quant_plan *plan, int value, int reader)
{
    const oct_graph *graph = plan->graph;
    for (;;) {
        const int n = graph->values[value].producer;
        if (oct_graph_single_user(graph, value) != reader)
            return false;
        if (n < 0 || !moves_only(&graph->nodes[n]))
            return true;
        reader = n;
        value = graph->nodes[n].in[0];
    }
}

static void share_ranges(const oct_quant_plan *plan, shared_range *ranges)
{
    const oct_graph *graph = plan->graph;
    for (int n = 0; n < plan->nodes; n++) {
        const oct_node *node = &graph->nodes[n];
        if (node->op == OCT_OP_NONE || !oct_plan_reads_bytes(plan, n))
            continue;
        if (moves_only(node))
            share(ranges, node->out[0], node->in[0]);
        if (node->op == OCT_OP_PAD)
            include(&ranges[leader_of(ranges, node->out[0])], fmin(0, (double)node->attrs.pad.value),
                    fmax(0, (double)node->attrs.pad.value));
        for (int i = 0; node->op == OCT_OP_CONCAT && i < node->in_count; i++)
            if (is_free(plan, node->in[i], n))
                share(ranges, node->out[0], node->in[i]);
    }
}

/* ------------------------------------------------------------------------------------------------- reach ---- */

oct_scale oct_plan_input_scale(const oct_quant_plan *plan, int n, int i)
{
    const int v = plan->graph->nodes[n].in[i];
    const float *data = oct_f32_constant(plan->graph, v);
    const int64_t count = data ? oct_shape_elements(&plan->graph->values[v].shape) : 0;
    shared_range range = {0};
    for (int64_t e = 0; e < count; e++)
        include(&range, (double)data[e], (double)data[e]);
    return data ? oct_scale_for(range.lo, range.hi) : plan->scale[v];
}

/* 255 steps: no quantized value is further away from its zero point. */
static double input_reach(const oct_quant_plan *plan, int n, int i)
{
    return 255.0 * (double)oct_plan_input_scale(plan, n, i).scale;
}

/* |sum x w + b + residual| <= 255 s_x * sum|w| + |b| + 255 s_r. */
static double weighted_reach(const oct_quant_plan *plan, int n)
{
    const bool residual = oct_node_input(&plan->graph->nodes[n], OCT_IN_RESIDUAL) >= 0;
    return input_reach(plan, n, OCT_IN_X) * plan->weight_reach[n] + plan->bias_reach[n] +
           (residual ? input_reach(plan, n, OCT_IN_RESIDUAL) : 0);
}

/* Pooling kernels sum first and divide afterwards. */
static double summed_elements(const oct_graph *graph, const oct_node *node)
{
    if (node->op == OCT_OP_AVERAGE_POOL)
        return (double)node->attrs.pool.kernel[0] * node->attrs.pool.kernel[1];
    if (node->op != OCT_OP_REDUCE || node->attrs.reduce.fn != OCT_REDUCE_SUM)
        return 1;
    const double out = (double)oct_shape_elements(&graph->values[node->out[0]].shape);
    return (double)oct_shape_elements(&graph->values[node->in[0]].shape) / (out > 0 ? out : 1);
}

/* Tables and operators that only move elements compute nothing at run time. */
double oct_plan_reach(const oct_quant_plan *plan, int n)
{
    const oct_node *node = &plan->graph->nodes[n];
    double most = 0;
    if (!oct_plan_reads_bytes(plan, n) || !plan->bytes[node->out[0]])
        return 0;
    if (plan->role[n] == OCT_ROLE_WEIGHTED)
        return weighted_reach(plan, n);
    if (oct_operator_of(node->op)->quant != OCT_QUANT_RESCALE)
        return 0;
    if (node->op == OCT_OP_BINARY && node->attrs.binary.fn == OCT_BINARY_MUL)
        return input_reach(plan, n, 0) * input_reach(plan, n, 1);
    for (int i = 0; i < node->in_count; i++)
        most += input_reach(plan, n, i);
    return most * summed_elements(plan->graph, node);
}

/* The largest sum of |weights| and the largest |bias| over the channels. */
static void measure_weights(const oct_quant_plan *plan, int n)
{
    const oct_node *node = &plan->graph->nodes[n];
    const oct_shape *shape = &plan->graph->values[node->in[OCT_IN_W]].shape;
    const float *w = oct_f32_constant(plan->graph, node->in[OCT_IN_W]);
    const float *bias = oct_f32_constant(plan->graph, oct_node_input(node, OCT_IN_BIAS));
    const int64_t each = oct_shape_product(shape, 1, shape->rank);
    for (int64_t c = 0; c < shape->dims[0]; c++) {
        double sum = 0;
        for (int64_t i = 0; i < each; i++)
            sum += fabs((double)w[c * each + i]);
        plan->weight_reach[n] = fmax(plan->weight_reach[n], sum);
        plan->bias_reach[n] = fmax(plan->bias_reach[n], bias ? fabs((double)bias[c]) : 0);
    }
}

/* ------------------------------------------------------------------------------------------------ scales ---- */

/* Each value on its own, with what was chosen for it. */
static void start_ranges(const oct_quant_plan *plan, shared_range *ranges)
{
    for (int v = 0; v < plan->values; v++)
        ranges[v] = (shared_range){.same_as = v, .lo = plan->range[v].lo, .hi = plan->range[v].hi};
}

/* Values without a u8 form get one too, which nobody looks at. */
static void set_scales(oct_quant_plan *plan, shared_range *ranges)
{
    for (int v = 0; v < plan->values; v++) {
        const shared_range *range = &ranges[leader_of(ranges, v)];
        plan->scale[v] = scale_above(range->lo, range->hi, range->floor);
    }
}

/* Raises the lower bounds to what the nodes reach with the present scales; returns whether any rose. */
static bool raise_floors(const oct_quant_plan *plan, shared_range *ranges)
{
    bool rose = false;
    for (int n = 0; n < plan->nodes; n++) {
        if (plan->graph->nodes[n].op == OCT_OP_NONE)
            continue;
        const int v = plan->graph->nodes[n].out[0];
        const double floor = oct_plan_reach(plan, n) / MAX_STEPS;
        shared_range *range = &ranges[leader_of(ranges, v)];
        if (floor <= (double)plan->scale[v].scale || floor <= range->floor)
            continue;
        range->floor = floor;
        rose = true;
    }
    return rose;
}

/* -------------------------------------------------------------------------------------------------- sums ---- */

/* A sum of bytes is exact, and fast, if both inputs' scales are whole multiples of one 2^-shift-th of the output's, together at
 * most this many (kernels/add_grid.h). */
enum { SUM_PARTS = 16447, SUM_SHIFT_MIN = 8, SUM_SHIFT_MAX = 22 };

/* The least multiples that are no smaller than the scales themselves; false if no shift has room for them. */
static bool parts_of_sum(double a, double b, double out, double *part_a, double *part_b)
{
    for (int shift = SUM_SHIFT_MAX; shift >= SUM_SHIFT_MIN; shift--) {
        const double unit = ldexp(out, -shift), na = ceil(a / unit * (1 - 0x1p-23)), nb = ceil(b / unit * (1 - 0x1p-23));
        if (na + nb > SUM_PARTS)
            continue;
        *part_a = na * unit;
        *part_b = nb * unit;
        return true;
    }
    return false;
}

static bool is_variable_sum(const oct_quant_plan *plan, int n)
{
    const oct_node *node = &plan->graph->nodes[n];
    return node->op == OCT_OP_BINARY && node->attrs.binary.fn == OCT_BINARY_ADD && oct_plan_reads_bytes(plan, n) &&
           plan->bytes[node->out[0]] && !plan->graph->values[node->in[0]].data && !plan->graph->values[node->in[1]].data;
}

/* Widens the scales of what is added, by 1/8000 at most, which costs no accuracy to speak of. From the last sum to the first: an
 * output may be an input of a later one, and then is settled already. An input that takes part in two sums suits only one. */
static oct_status fit_sums(oct_quant_plan *plan, shared_range *ranges)
{
    bool *settled = oct_alloc((size_t)plan->values, sizeof *settled);
    if (!settled)
        return oct_fail_memory((size_t)plan->values);
    for (int n = plan->nodes - 1; n >= 0; n--) {
        if (!is_variable_sum(plan, n))
            continue;
        const oct_node *node = &plan->graph->nodes[n];
        const int a = leader_of(ranges, node->in[0]), b = leader_of(ranges, node->in[1]), out = leader_of(ranges, node->out[0]);
        double part_a, part_b;
        if (settled[a] || settled[b] || a == out || b == out ||
            !parts_of_sum((double)plan->scale[a].scale, (double)plan->scale[b].scale, (double)plan->scale[out].scale, &part_a,
                          &part_b))
            continue;
        ranges[a].floor = part_a;
        ranges[b].floor = part_b;
        settled[a] = settled[b] = settled[out] = true;
        set_scales(plan, ranges);
    }
    oct_free(settled);
    return OCT_OK;
}

/* A raised scale may raise the next layer's. Nodes stand in topological order, so a few rounds do unless scales are shared
 * backwards; what then still does not fit is found by the checks of every node (oct_plan_reach, oct_weights_fit) and stays
 * float. */
#define MAX_ROUNDS 64

oct_status oct_plan_scales(oct_quant_plan *plan)
{
    const size_t count = (size_t)plan->values;
    shared_range *ranges = oct_alloc(count, sizeof *ranges);
    if (!ranges)
        return oct_fail_memory(count * sizeof *ranges);
    for (int n = 0; n < plan->nodes; n++)
        if (plan->role[n] == OCT_ROLE_WEIGHTED && plan->weight_reach[n] == 0)
            measure_weights(plan, n);
    start_ranges(plan, ranges);
    share_ranges(plan, ranges);
    set_scales(plan, ranges);
    for (int round = 0; round < MAX_ROUNDS && raise_floors(plan, ranges); round++)
        set_scales(plan, ranges);
    const oct_status status = fit_sums(plan, ranges);
    oct_free(ranges);
    return status;
}

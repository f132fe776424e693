/* Range methods. All but minmax give up rare numbers at the ends to have finer steps for the many in the middle:
 *
 *   minmax        everything seen
 *   percentile    all but a given share
 *   mse           the least mean squared error of the histogram
 *   entropy       the least Kullback-Leibler divergence (S. Migacz, "8-bit Inference with TensorRT", 2017)
 *   best          ranges_best.c
 */
#include "ranges.h"

#include <math.h>
#include <string.h>

#include "memory.h"
#include "quantize.h"
#include "status.h"

static const char *const names[OCT_RANGE_METHODS] = {
    [OCT_RANGE_MINMAX] = "minmax", [OCT_RANGE_PERCENTILE] = "percentile", [OCT_RANGE_MSE] = "mse",
    [OCT_RANGE_ENTROPY] = "entropy", [OCT_RANGE_BEST] = "best", [OCT_RANGE_GIVEN] = "given",
};

const char *oct_range_method_name(oct_range_method method) { return names[method]; }

bool oct_range_method_by_name(const char *name, oct_range_method *method)
{
    *method = OCT_RANGE_MSE;
    for (int m = 0; name && m < OCT_RANGE_GIVEN; m++)
        if (!strcmp(name, names[m])) {
            *method = (oct_range_method)m;
            return true;
        }
    return !name;
}

/* ------------------------------------------------------------------------------------------------- bounds ---- */

/* Of a function, for any argument. */
static void function_bounds(const oct_function *f, double *lo, double *hi)
{
    switch ((oct_fn)f->fn) {
    case OCT_FN_CLAMP: *lo = (double)f->alpha, *hi = (double)f->beta; break;
    case OCT_FN_SIGMOID:
    case OCT_FN_HARD_SIGMOID: *lo = 0, *hi = 1; break;
    case OCT_FN_TANH:
    case OCT_FN_ERF: *lo = -1, *hi = 1; break;
    case OCT_FN_HARD_SWISH: *lo = -0.375; break;     /* at x = -3/2 */
    case OCT_FN_SWISH: *lo = -0.2784646; break;      /* at x = -1.2785 */
    case OCT_FN_GELU: *lo = -0.1699713; break;       /* at x = -0.7518 */
    case OCT_FN_ELU: *lo = -fabs((double)f->alpha); break;
    case OCT_FN_ABS: *lo = 0; break;
    default: break;
    }
}

void oct_range_bounds(const oct_graph *graph, int value, double *lo, double *hi)
{
    const int n = graph->values[value].producer;
    *lo = -INFINITY;
    *hi = INFINITY;
    if (n < 0)
        return;
    const oct_node *node = &graph->nodes[n];
    if (node->act.fn != OCT_FN_NONE)
        function_bounds(&node->act, lo, hi);
    else if (node->op == OCT_OP_UNARY)
        function_bounds(&node->attrs.unary, lo, hi);
    else if (node->op == OCT_OP_SOFTMAX && !node->attrs.softmax.log)
        *lo = 0, *hi = 1;
}

/* -------------------------------------------------------------------------------------------------- search ---- */

/* How bad a range is, by the method. */
static double badness(const oct_value_stats *stats, oct_range_method method, double lo, double hi)
{
    if (method == OCT_RANGE_ENTROPY)
        return oct_histogram_divergence(stats->histogram, lo, hi);
    const oct_scale s = oct_scale_for(lo, hi);
    return oct_histogram_error(stats->histogram, (double)s.scale, s.zero_point);
}

/* Shrinks both ends, or one, in steps of 2 % of the whole range, and keeps the best. */
enum { SHRINK_STEPS = 48 };

static void shrink(const oct_value_stats *stats, oct_range *range, bool shrink_lo, bool shrink_hi)
{
    const oct_range from = *range;
    double least = INFINITY;
    for (int i = 0; i < SHRINK_STEPS; i++) {
        const double part = 1 - 0.02 * i;
        const double lo = shrink_lo ? from.lo * part : from.lo, hi = shrink_hi ? from.hi * part : from.hi;
        const double bad = badness(stats, range->method, lo, hi);
        if (bad >= least)
            continue;
        least = bad;
        range->lo = lo;
        range->hi = hi;
    }
}

/* Both ends together, then each by itself: tensors seldom have the same tails on both sides. */
static void search(const oct_value_stats *stats, oct_range *range)
{
    shrink(stats, range, true, true);
    if (range->lo < 0 && range->hi > 0) {
        shrink(stats, range, true, false);
        shrink(stats, range, false, true);
    }
}

/* Both tails together may hold what the percentile leaves over; bins reach beyond what was seen, the range does not. */
static void cut(const oct_value_stats *stats, double percentile, oct_range *range)
{
    double lo, hi;
    const bool one_sided = stats->lo >= 0 || stats->hi <= 0;
    oct_histogram_cut(stats->histogram, (1 - percentile / 100) / (one_sided ? 1 : 2), &lo, &hi);
    range->lo = fmin(fmax(lo, range->lo), 0);
    range->hi = fmax(fmin(hi, range->hi), 0);
}

oct_range oct_range_by(const oct_value_stats *stats, oct_range_method method, double percentile)
{
    oct_range range = {stats->seen, (double)stats->lo, (double)stats->hi, method};
    if (!stats->seen || !stats->histogram || stats->histogram->total == 0 || !(range.hi > range.lo))
        return range;
    if (method == OCT_RANGE_PERCENTILE)
        cut(stats, percentile, &range);
    else if (method != OCT_RANGE_MINMAX)
        search(stats, &range);
    return range;
}

/* -------------------------------------------------------------------------------------------------- entry ---- */

static oct_status read_options(const oct_quantize_options *options, oct_range_method *method, double *percentile)
{
    *percentile = options && options->percentile > 0 ? options->percentile : 99.99;
    if (!oct_range_method_by_name(options ? options->method : NULL, method))
        return oct_fail(OCT_ERR_ARGUMENT, "unknown calibration method \"%s\"; there are minmax, percentile, mse, entropy and best",
                        options->method);
    if (!(*percentile >= 50 && *percentile <= 100) || (options && options->percentile < 0))
        return oct_fail(OCT_ERR_ARGUMENT, "percentile %g; from 50 to 100 are possible", options ? options->percentile : 0);
    return OCT_OK;
}

/* A range by hand counts as it is; all others keep within what the producer can give. */
static oct_range choose(const oct_calibration *c, int v, oct_range_method method, double percentile)
{
    const oct_value_stats *stats = oct_calibration_stats(c, v);
    if (stats->fixed)
        return (oct_range){true, (double)stats->fixed_lo, (double)stats->fixed_hi, OCT_RANGE_GIVEN};
    oct_range range = oct_range_by(stats, method, percentile);
    double lo, hi;
    oct_range_bounds(oct_calibration_graph(c), v, &lo, &hi);
    range.lo = fmin(fmax(range.lo, lo), 0);
    range.hi = fmax(fmin(range.hi, hi), 0);
    return range;
}

oct_status oct_choose_ranges(const oct_calibration *calibration, const oct_quantize_options *options, oct_range *ranges)
{
    oct_range_method method;
    double percentile;
    OCT_TRY(read_options(options, &method, &percentile));
    const int values = oct_calibration_graph(calibration)->value_count;
    const bool best = method == OCT_RANGE_BEST;
    for (int v = 0; v < values; v++)
        ranges[v] = choose(calibration, v, best ? OCT_RANGE_MINMAX : method, percentile);
    return best ? oct_choose_best_ranges(calibration, options, ranges) : OCT_OK;
}

/* Inputs and what nodes compute, in the order of the nodes: values are numbered as they were made. */
oct_status oct_calibration_ranges(const oct_calibration *calibration, const oct_quantize_options *options, oct_range_info **ranges,
                                  size_t *count)
{
    if (!calibration || !ranges || !count)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_calibration_ranges: %s is NULL",
                        !calibration ? "calibration" : !ranges ? "ranges" : "count");
    *ranges = NULL;
    *count = 0;
    const oct_graph *graph = oct_calibration_graph(calibration);
    oct_range *all = oct_alloc((size_t)graph->value_count, sizeof *all);
    oct_range_info *list = oct_alloc((size_t)graph->value_count, sizeof *list);
    oct_status status = all && list ? oct_choose_ranges(calibration, options, all) : oct_fail_memory(sizeof *list);
    for (int v = 0; status == OCT_OK && v < graph->value_count; v++) {
        const oct_value_stats *stats = oct_calibration_stats(calibration, v);
        if (all[v].known)
            list[(*count)++] = (oct_range_info){graph->values[v].name, names[all[v].method], (float)all[v].lo, (float)all[v].hi,
                                                stats->lo, stats->hi};
    }
    oct_free(all);
    if (status == OCT_OK)
        *ranges = list;
    else
        oct_free(list);
    return status;
}

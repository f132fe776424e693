/* From numbers to ranges: histograms that grow, what each method makes of them, and what the ranges and the weights' scales are
 * good for. */
#include "ranges.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convert_tools.h"
#include "harness.h"
#include "kept_samples.h"
#include "observe.h"
#include "operators.h"
#include "quantize.h"

static oct_histogram *new_histogram(void) { return calloc(1, sizeof(oct_histogram)); }

static void count_all(oct_histogram *h, const float *x, size_t n, int times)
{
    static oct_tally tally;
    float lo, hi;
    CHECK(oct_observe_range(x, n, &lo, &hi));
    oct_histogram_reach(h, fmaxf(-lo, hi));
    oct_histogram_add(h, &(oct_spaced_rows){x, 1, n, n}, times, &tally);
}

static int64_t counted(const oct_histogram *h)
{
    int64_t sum = 0;
    for (int b = 0; b < OCT_BINS; b++)
        sum += h->count[b];
    return sum;
}

/* ------------------------------------------------------------------------------------------------- histograms ---- */

/* Every number is in the bin that it belongs to, whether it was counted alone or among thousands, before or after growing. */
static void histograms_count(void)
{
    enum { N = 20000 };
    float *x = malloc(N * sizeof *x);
    oct_histogram *h = new_histogram(), *whole = new_histogram();
    for (int i = 0; i < N; i++)
        x[i] = test_uniform(-1, 1) * expf(test_uniform(-3, (float)i / 4000));
    for (int i = 0; i < N; i += 500)
        count_all(h, x + i, i + 500 <= N ? 500 : (size_t)(N - i), 1);
    count_all(whole, x, N, 1);
    CHECK(h->reach == whole->reach && h->total == N && counted(h) == N);
    int differing = 0;
    for (int b = 0; b < OCT_BINS; b++) {
        int64_t count = 0;
        for (int i = 0; i < N; i++)
            count += (int)floor((double)x[i] / h->reach * (OCT_BINS / 2)) + OCT_BINS / 2 == b;
        differing += count != whole->count[b];
        /* A number within rounding of a border may have been put on its other side before the histogram grew. */
        CHECK_MSG(llabs(count - h->count[b]) <= 1, "bin %d: %lld, not %lld", b, (long long)h->count[b], (long long)count);
    }
    CHECK(differing <= 4);
    count_all(whole, x, N, -1);
    CHECK(counted(whole) == 0 && whole->total == 0);
    free(x);
    free(h);
    free(whole);
}

/* Sizes from the smallest to the largest a tensor may have; zeros alone. */
static void histograms_of_any_size(void)
{
    static const float sizes[] = {0, 1e-45f, 1e-30f, 1, 1e30f, 3.4e38f};
    for (int i = 0; i < TEST_COUNT(sizes); i++) {
        oct_histogram *h = new_histogram();
        float x[300];
        for (int j = 0; j < 300; j++)
            x[j] = sizes[i] * ((float)(j - 150) / 150);
        count_all(h, x, 300, 1);
        CHECK(counted(h) == 300 && h->total == 300 && isfinite(h->reach) && h->reach > (double)sizes[i]);
        const oct_value_stats stats = {.seen = true, .lo = -sizes[i], .hi = x[299], .histogram = h};
        for (int m = OCT_RANGE_MINMAX; m < OCT_RANGE_BEST; m++) {
            const oct_range r = oct_range_by(&stats, (oct_range_method)m, 99.9);
            CHECK_MSG(isfinite(r.lo) && isfinite(r.hi) && r.lo <= 0 && r.hi >= 0, "size %g, method %d", (double)sizes[i], m);
            CHECK(r.lo >= -(double)sizes[i] && r.hi <= (double)sizes[i]);
        }
        free(h);
    }
}

/* Ranges and NaNs as a plain loop would find them. */
static void observed_ranges(void)
{
    enum { N = 1333 };
    float x[N], lo, hi;
    for (int round = 0; round < 200; round++) {
        const size_t n = (size_t)test_uniform(1, N);
        float want_lo = 0, want_hi = 0;
        for (size_t i = 0; i < n; i++) {
            x[i] = test_uniform(-1, 1) * expf(test_uniform(-90, 80)) + (round % 3 ? 0 : 1e-44f);
            want_lo = fminf(want_lo, x[i]);
            want_hi = fmaxf(want_hi, x[i]);
        }
        CHECK(oct_observe_range(x, n, &lo, &hi) && lo == want_lo && hi == want_hi);
        static const float bad[] = {NAN, -NAN, INFINITY, -INFINITY};
        x[(size_t)test_uniform(0, (float)n)] = bad[round % 4];
        CHECK(!oct_observe_range(x, n, &lo, &hi));
    }
    x[0] = -0.0f;
    CHECK(oct_observe_range(x, 1, &lo, &hi) && lo == 0 && hi == 0);
}

/* Every row of a small tensor; of a large one different rows in different samples, all of them in the end. */
static void rows_are_visited(void)
{
    const oct_row_choice small = oct_choose_rows(49, 64, 5);
    CHECK(small.first == 0 && small.stride == 1 && small.rows == 49);
    bool seen[112 * 112] = {false};
    int visited = 0;
    for (int64_t s = 0; s < 400; s++) {
        const oct_row_choice c = oct_choose_rows(112 * 112, 64, s);
        CHECK(c.stride > 1 && c.first + (c.rows - 1) * c.stride < 112 * 112 && c.first + c.rows * c.stride >= 112 * 112);
        for (size_t r = 0; r < c.rows; r++)
            seen[c.first + r * c.stride] = true;
    }
    for (int r = 0; r < 112 * 112; r++)
        visited += seen[r];
    CHECK(visited == 112 * 112);
}

/* ----------------------------------------------------------------------------------------------------- methods ---- */

static float normal(void)
{
    float sum = 0;
    for (int i = 0; i < 12; i++)
        sum += test_uniform(-0.5f, 0.5f);
    return sum;
}

static oct_value_stats stats_of(const float *x, size_t n)
{
    oct_value_stats s = {.seen = true, .histogram = new_histogram()};
    oct_observe_range(x, n, &s.lo, &s.hi);
    count_all(s.histogram, x, n, 1);
    return s;
}

/* A bell with one number far out: minmax takes it in, the others give it up; mse is the best of all in its own measure. */
static void methods_differ(void)
{
    enum { N = 100000 };
    float *x = malloc(N * sizeof *x);
    for (int i = 0; i < N; i++)
        x[i] = normal();
    x[777] = 100;
    oct_value_stats s = stats_of(x, N);
    const oct_range minmax = oct_range_by(&s, OCT_RANGE_MINMAX, 0), percentile = oct_range_by(&s, OCT_RANGE_PERCENTILE, 99.9);
    const oct_range mse = oct_range_by(&s, OCT_RANGE_MSE, 0), entropy = oct_range_by(&s, OCT_RANGE_ENTROPY, 0);
    CHECK(minmax.lo == (double)s.lo && minmax.hi == 100);
    /* 0.05 % of a normal distribution lie beyond 3.29. */
    CHECK_MSG(fabs(percentile.hi - 3.29) < 0.25 && fabs(percentile.lo + 3.29) < 0.25, "[%g, %g]", percentile.lo, percentile.hi);
    CHECK_MSG(entropy.hi < 60, "[%g, %g]", entropy.lo, entropy.hi);
    const oct_range all[] = {minmax, percentile, entropy, mse};
    double error[4];
    for (int i = 0; i < 4; i++) {
        const oct_scale q = oct_scale_for(all[i].lo, all[i].hi);
        error[i] = oct_histogram_error(s.histogram, (double)q.scale, q.zero_point);
        CHECK(isfinite(error[i]) && error[i] > 0);
    }
    CHECK_MSG(error[3] <= error[0] * 1.0001, "mse %g, minmax %g", error[3], error[0]);
    free(s.histogram);
    free(x);
}

/* The histogram's idea of the error is that of the numbers themselves. */
static void error_is_measured(void)
{
    enum { N = 50000 };
    float *x = malloc(N * sizeof *x);
    for (int i = 0; i < N; i++)
        x[i] = fmaxf(normal(), 0);
    oct_value_stats s = stats_of(x, N);
    for (int i = 1; i <= 4; i++) {
        const oct_scale q = oct_scale_for(0, i);
        double sum = 0;
        for (int j = 0; j < N; j++) {
            const double k = fmin(nearbyint((double)x[j] / (double)q.scale), 255), d = (double)x[j] - k * (double)q.scale;
            sum += d * d;
        }
        const double told = oct_histogram_error(s.histogram, (double)q.scale, q.zero_point);
        CHECK_MSG(fabs(told - sum / N) < 0.2 * sum / N, "up to %d: %g, not %g", i, told, sum / N);
    }
    free(s.histogram);
    free(x);
}

/* ------------------------------------------------------------------------------------------------- whole networks ---- */

/* What a function can give bounds the range, whatever was seen. */
static void known_bounds(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 4, 4, 8);
    const int six = net_unary(g, OCT_FN_CLAMP, 0, 6, net_conv(g, x, 8, 3, 1, 1, 1)),
              sigmoid = net_unary(g, OCT_FN_SIGMOID, 0, 0, x);
    const int swish = net_unary(g, OCT_FN_HARD_SWISH, 0, 0, x);
    double lo, hi;
    oct_range_bounds(g, six, &lo, &hi);
    CHECK(lo == 0 && hi == 6);
    oct_range_bounds(g, sigmoid, &lo, &hi);
    CHECK(lo == 0 && hi == 1);
    oct_range_bounds(g, swish, &lo, &hi);
    CHECK(lo == -0.375 && hi == INFINITY);
    oct_range_bounds(g, x, &lo, &hi);
    CHECK(lo == -INFINITY && hi == INFINITY);
    /* The bounds that are written down are those of the functions. */
    static const oct_fn fns[] = {OCT_FN_SIGMOID, OCT_FN_HARD_SIGMOID, OCT_FN_TANH, OCT_FN_ERF, OCT_FN_HARD_SWISH,
                                 OCT_FN_SWISH,   OCT_FN_GELU,         OCT_FN_ELU,  OCT_FN_ABS};
    for (int i = 0; i < TEST_COUNT(fns); i++) {
        const int y = net_unary(g, fns[i], 0.7f, 0.5f, x);
        const oct_function *f = &g->nodes[g->values[y].producer].attrs.unary;
        oct_range_bounds(g, y, &lo, &hi);
        for (float v = -12; v <= 12; v += 0.001f)
            CHECK_MSG((double)oct_function_eval(f, v) >= lo - 1e-6 && (double)oct_function_eval(f, v) <= hi + 1e-6,
                      "function %d at %g", i, (double)v);
    }
    oct_graph_free(g);
}

/* All methods give a valid network; the ranges they chose can be asked for, and each contains 0. */
static void every_method(void)
{
    static const char *const methods[] = {NULL, "minmax", "percentile", "mse", "entropy", "best"};
    oct_graph *g = net_create();
    int y = net_relu(g, net_conv(g, net_input(g, 1, 8, 8, 3), 8, 3, 1, 1, 1));
    y = net_relu(g, net_conv(g, y, 8, 3, 1, 1, 0));
    net_output(g, net_dense(g, net_reduce(g, OCT_REDUCE_MEAN, y, 6, false), 5));
    oct_calibration *c = net_calibrated(g, 12, -1, 1);
    for (int m = 0; m < TEST_COUNT(methods) && !test_failed(); m++) {
        const oct_quantize_options o = {.method = methods[m]};
        oct_range_info *ranges;
        size_t count;
        oct_graph *q;
        CHECK_OK(oct_calibration_ranges(c, &o, &ranges, &count));
        CHECK(count == 7);   /* the input and six nodes */
        for (size_t i = 0; i < count; i++)
            CHECK(ranges[i].lo <= 0 && ranges[i].hi >= 0 && ranges[i].lo >= ranges[i].seen_lo && ranges[i].hi <= ranges[i].seen_hi);
        oct_buffer_free(ranges);
        CHECK_OK(oct_quantize(g, c, &o, &q));
        CHECK_OK(oct_graph_check(q));
        float **inputs = net_random_inputs(g, -1, 1);
        const double difference = net_difference(g, q, inputs);
        CHECK_MSG(difference < 0.1, "%s: %g", methods[m] ? methods[m] : "default", difference);
        net_free_inputs(g, inputs);
        oct_graph_free(q);
    }
    oct_calibration_free(c);
    oct_graph_free(g);
}

/* A range by hand beats what was seen, and does without samples altogether. */
static void ranges_by_hand(void)
{
    oct_graph *g = net_create(), *q;
    const int x = net_input(g, 1, 4, 4, 3), y = net_conv(g, x, 4, 3, 1, 1, 1);
    net_output(g, y);
    const char *in = g->values[x].name, *out = g->values[y].name;
    oct_calibration *c = net_calibrated(g, 0, 0, 0);
    CHECK(oct_quantize(g, c, NULL, &q) == OCT_ERR_ARGUMENT);
    CHECK_OK(oct_calibration_set_range(c, in, 0.5f, 2.55f));
    CHECK_OK(oct_calibration_set_range(c, out, -1, 1));
    CHECK_OK(oct_quantize(g, c, NULL, &q));
    CHECK(q->nodes[0].op == OCT_OP_QUANTIZE && fabsf(q->values[q->nodes[0].out[0]].scale - 0.01f) < 1e-7f);
    oct_graph_free(q);
    CHECK(oct_calibration_set_range(c, "nobody", 0, 1) == OCT_ERR_ARGUMENT && strstr(oct_error(), "nobody"));
    CHECK(oct_calibration_set_range(c, in, 1, 0) == OCT_ERR_DATA && oct_calibration_set_range(c, in, NAN, 0) == OCT_ERR_DATA);
    CHECK(oct_calibration_set_range(NULL, in, 0, 1) == OCT_ERR_ARGUMENT &&
          oct_calibration_set_range(c, NULL, 0, 1) == OCT_ERR_ARGUMENT);
    oct_calibration_free(c);
    oct_graph_free(g);
}

/* Few samples are all kept; of many, those at equal distances. */
static void samples_are_kept(void)
{
    oct_kept_samples kept = {.bytes = OCT_KEPT_BYTES / 8};
    float *sample = calloc(1, kept.bytes);
    const void *inputs[] = {sample};
    for (int i = 0; i < 100; i++) {
        sample[0] = (float)i;
        CHECK_OK(oct_kept_offer(&kept, i, inputs, &kept.bytes, 1));
        CHECK(kept.count >= 1 && kept.count <= 8 && (i >= 8 || kept.count == i + 1));
    }
    CHECK(kept.every == 16 && kept.count == 7);
    for (int64_t k = 0; k < kept.count; k++)
        CHECK(((const float *)(const void *)kept.samples[k])[0] == (float)(k * kept.every));
    oct_kept_release(&kept);
    free(sample);
}

/* ------------------------------------------------------------------------------------------------------- weights ---- */

/* Mean over many samples of (quantized - float), per output channel; returns the largest of them. */
static double largest_bias(const oct_graph *g, const oct_calibration *c, const oct_quantize_options *o)
{
    oct_graph *q;
    double sum[16] = {0}, most = 0;
    if (oct_quantize(g, c, o, &q) != OCT_OK)
        return INFINITY;
    for (int64_t k = 0; k < oct_calibration_kept(c); k++) {
        float *inputs[] = {(float *)(uintptr_t)oct_calibration_kept_input(c, k, 0)};
        size_t n, m;
        float *want = net_run(g, inputs, &n), *got = net_run(q, inputs, &m);
        for (size_t i = 0; want && got && i < n; i++)
            sum[i % 16] += (double)got[i] - (double)want[i];
        free(want);
        free(got);
    }
    for (int i = 0; i < 16; i++)
        most = fmax(most, fabs(sum[i]) / (double)oct_calibration_kept(c));
    oct_graph_free(q);
    return most;
}

/* Inputs that are all positive, as behind a Relu: rounding the weights shifts each channel, and the biases take that back. */
static void biases_are_corrected(void)
{
    for (int grouped = 0; grouped < 2; grouped++) {
        oct_graph *g = net_create();
        net_output(g, net_conv(g, net_input(g, 1, 6, 6, 16), 16, 3, 1, 1, grouped ? 0 : 1));
        oct_calibration *c = net_calibrated(g, 20, 0, 1);
        const double without = largest_bias(g, c, &(oct_quantize_options){.weights = "max", .no_bias_correction = 1});
        const double with = largest_bias(g, c, &(oct_quantize_options){.weights = "max"});
        CHECK_MSG(with < 0.6 * without, "%g without, %g with correction", without, with);
        oct_calibration_free(c);
        oct_graph_free(g);
    }
}

/* Scales by least error are never worse than those of the largest weight, in the measure they minimise. */
static void weight_scales(void)
{
    oct_graph *g = net_create();
    const int y = net_conv(g, net_input(g, 1, 6, 6, 16), 12, 3, 1, 1, 1), n = g->values[y].producer;
    net_output(g, y);
    float *w = g->values[g->nodes[n].in[OCT_IN_W]].data;
    for (int i = 0; i < 12 * 144; i++)
        w[i] = normal();
    for (int i = 0; i < 144; i++)
        w[i] = normal(), w[144 + i] = 0, w[288 + i] = 1e-42f, w[432 + i] *= 1e25f;
    oct_calibration *c = net_calibrated(g, 4, -1, 1);
    oct_weight_choice max = {0}, mse = {0}, tensor = {0};
    CHECK_OK(oct_choose_weights(g, n, c, &(oct_quantize_options){.weights = "max"}, &max));
    CHECK_OK(oct_choose_weights(g, n, c, &(oct_quantize_options){.weights = "mse"}, &mse));
    CHECK_OK(oct_choose_weights(g, n, c, &(oct_quantize_options){.weights = "tensor", .no_bias_correction = 1}, &tensor));
    CHECK(max.mean && !tensor.mean && max.scale[0] > 1.5f / 127);
    CHECK(max.scale[1] == 0 && mse.scale[1] == 0 && max.scale[2] == 0);
    for (int o = 0; o < 12; o++) {
        CHECK(mse.scale[o] <= max.scale[o] && mse.scale[o] >= 0.45f * max.scale[o] && tensor.scale[o] == tensor.scale[0]);
        double error[2] = {0};
        for (int i = 0; i < 144; i++)
            for (int k = 0; k < 2; k++) {
                const double s = (double)(k ? mse : max).scale[o], x = (double)w[o * 144 + i];
                const double d = s > 0 ? x - s * fmin(fmax(nearbyint(x / s), -127), 127) : 0;
                error[k] += d * d;
            }
        /* Inputs of about equal variance: weighting them changes little. */
        CHECK_MSG(error[1] <= error[0] * 1.05, "channel %d: %g, not below %g", o, error[1], error[0]);
    }
    oct_weight_choice_free(&max);
    oct_weight_choice_free(&mse);
    oct_weight_choice_free(&tensor);
    oct_calibration_free(c);
    oct_graph_free(g);
}

/* Many weights with long tails: it pays to clip the few for the sake of the many. */
static void long_tails_are_clipped(void)
{
    enum { MANY = 20000 };
    oct_graph *g = net_create();
    const int y = net_dense(g, net_input(g, 1, 1, 1, MANY), 1), n = g->values[y].producer;
    float *w = g->values[g->nodes[n].in[OCT_IN_W]].data;
    net_output(g, y);
    for (int i = 0; i < MANY; i++) {
        const float x = normal();
        w[i] = x * x * x;
    }
    oct_calibration *c = net_calibrated(g, 60, -1, 1);
    oct_weight_choice max = {0}, mse = {0};
    CHECK_OK(oct_choose_weights(g, n, c, &(oct_quantize_options){.weights = "max"}, &max));
    CHECK_OK(oct_choose_weights(g, n, c, &(oct_quantize_options){.weights = "mse"}, &mse));
    CHECK_MSG(mse.scale[0] < max.scale[0], "%g of %g", (double)mse.scale[0], (double)max.scale[0]);
    oct_weight_choice_free(&max);
    oct_weight_choice_free(&mse);
    oct_calibration_free(c);
    oct_graph_free(g);
}

static void wrong_options(void)
{
    oct_graph *g = net_create(), *q = g;
    net_output(g, net_conv(g, net_input(g, 1, 4, 4, 2), 3, 3, 1, 1, 1));
    oct_calibration *c = net_calibrated(g, 1, -1, 1);
    CHECK(oct_quantize(g, c, &(oct_quantize_options){.weights = "gold"}, &q) == OCT_ERR_ARGUMENT && !q &&
          strstr(oct_error(), "gold"));
    CHECK(oct_quantize(g, c, &(oct_quantize_options){.percentile = 20}, &q) == OCT_ERR_ARGUMENT && strstr(oct_error(), "20"));
    CHECK(oct_quantize(g, c, &(oct_quantize_options){.percentile = -1}, &q) == OCT_ERR_ARGUMENT);
    CHECK(oct_quantize(g, c, &(oct_quantize_options){.percentile = (double)NAN}, &q) == OCT_OK);
    oct_graph_free(q);
    oct_calibration_free(c);
    oct_graph_free(g);
}

static const test_case cases[] = {
    {"histograms_count", histograms_count},
    {"histograms_of_any_size", histograms_of_any_size},
    {"observed_ranges", observed_ranges},
    {"rows_are_visited", rows_are_visited},
    {"methods_differ", methods_differ},
    {"error_is_measured", error_is_measured},
    {"known_bounds", known_bounds},
    {"every_method", every_method},
    {"ranges_by_hand", ranges_by_hand},
    {"samples_are_kept", samples_are_kept},
    {"biases_are_corrected", biases_are_corrected},
    {"weight_scales", weight_scales},
    {"long_tails_are_clipped", long_tails_are_clipped},
    {"wrong_options", wrong_options},
};
static void __attribute__((constructor)) add_suite(void) { test_register("ranges", cases, TEST_COUNT(cases)); }

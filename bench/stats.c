/* stats.c - medians and their intervals.
 *
 * Why medians: the time of a computation has a floor and a long tail of interruptions above it. A mean moves with every
 * interruption, a median only when half of the samples are hit. Why a bootstrap: the samples follow no law that one could
 * calculate with, but they can be drawn from again.
 */
#include "stats.h"

#include <stdlib.h>
#include <string.h>

/* For qsort. Times are finite, so two of them can always be compared. */
static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void stats_sort(double *values, size_t count)
{
    if (count > 1)
        qsort(values, count, sizeof *values, compare);
}

/* Place p * (count - 1) between the sorted values: of 5 values the quantile 0.05 lies a fifth of the way from the first to
 * the second (R's type 7, what most programs do). */
double stats_quantile(const double *sorted, size_t count, double p)
{
    if (count == 0)
        return 0;
    const double place = p * (double)(count - 1);
    const size_t below = (size_t)place;
    if (below + 1 >= count)
        return sorted[count - 1];
    return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

double stats_median(double *values, size_t count)
{
    stats_sort(values, count);
    return stats_quantile(values, count, 0.5);
}

/* splitmix64 (Steele, Lea and Flood, 2014): plenty for drawing places, and the same numbers on every machine. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* The k-th smallest (from 0) of a draw, given how often each of the sorted values was drawn. */
static double kth_of_draw(const double *sorted, const unsigned *times, size_t k)
{
    size_t i = 0;
    for (size_t passed = times[0]; passed <= k; passed += times[i])
        i++;
    return sorted[i];
}

/* The median of a draw whose places have been counted. */
static double median_counted(const double *sorted, size_t count, const unsigned *times)
{
    return 0.5 * (kth_of_draw(sorted, times, (count - 1) / 2) + kth_of_draw(sorted, times, count / 2));
}

/* The median of one draw. Counting how often each place is drawn saves sorting the draw. */
static double median_of_draw(const double *sorted, size_t count, unsigned *times, uint64_t *state)
{
    memset(times, 0, count * sizeof *times);
    for (size_t i = 0; i < count; i++)
        times[next_random(state) % count]++;
    return median_counted(sorted, count, times);
}

#define DRAWS 2000

stats_interval stats_bootstrap(double *values, size_t count)
{
    const double median = stats_median(values, count);
    stats_interval result = {median, median, median};
    unsigned *times = count > 1 ? malloc(count * sizeof *times) : NULL;
    if (!times) {
        /* No memory for the draws: the full range is a wider, still honest interval. */
        if (count > 1)
            result = (stats_interval){median, values[0], values[count - 1]};
        return result;
    }
    double medians[DRAWS];
    uint64_t state = 1979;
    for (int i = 0; i < DRAWS; i++)
        medians[i] = median_of_draw(values, count, times, &state);
    free(times);
    stats_sort(medians, DRAWS);
    result.lo = stats_quantile(medians, DRAWS, 0.025);
    result.hi = stats_quantile(medians, DRAWS, 0.975);
    return result;
}

/* ---------------------------------------------------------------------------------------------- series ---- */

/* A value and its place in time; sorted by value, so that places become ranks. */
typedef struct timed_value {
    double value;
    size_t place;
} timed_value;

static int compare_timed(const void *a, const void *b)
{
    const timed_value *x = a, *y = b;
    return (x->value > y->value) - (x->value < y->value);
}

/* The length of the runs that are drawn together. */
static size_t run_length(size_t count)
{
    size_t length = 1;
    while ((length + 1) * (length + 1) * (length + 1) <= count)
        length++;
    return length;
}

/* Runs from random places until `count` values are drawn; a run goes on at the beginning when it meets the end. */
static void draw_runs(const size_t *ranks, size_t count, unsigned *times, uint64_t *state)
{
    const size_t length = run_length(count);
    memset(times, 0, count * sizeof *times);
    for (size_t drawn = 0; drawn < count;) {
        const size_t start = next_random(state) % count;
        for (size_t i = 0; i < length && drawn < count; i++, drawn++)
            times[ranks[(start + i) % count]]++;
    }
}

/* With the memory in place. */
static stats_interval bootstrap_series(const timed_value *by_value, size_t count, double *sorted, size_t *ranks, unsigned *times)
{
    double medians[DRAWS];
    uint64_t state = 1989;
    for (size_t i = 0; i < count; i++) {
        sorted[i] = by_value[i].value;
        ranks[by_value[i].place] = i;
    }
    for (int i = 0; i < DRAWS; i++) {
        draw_runs(ranks, count, times, &state);
        medians[i] = median_counted(sorted, count, times);
    }
    stats_sort(medians, DRAWS);
    return (stats_interval){stats_quantile(sorted, count, 0.5), stats_quantile(medians, DRAWS, 0.025),
                            stats_quantile(medians, DRAWS, 0.975)};
}

stats_interval stats_bootstrap_series(const double *values, size_t count)
{
    if (count == 0)
        return (stats_interval){0, 0, 0};
    timed_value *by_value = malloc(count * sizeof *by_value);
    double *sorted = malloc(count * sizeof *sorted);
    size_t *ranks = malloc(count * sizeof *ranks);
    unsigned *times = malloc(count * sizeof *times);
    stats_interval result = {values[0], values[0], values[0]};
    /* Without memory: the full range again. */
    for (size_t i = 0; i < count; i++) {
        result.lo = values[i] < result.lo ? values[i] : result.lo;
        result.hi = values[i] > result.hi ? values[i] : result.hi;
        if (by_value)
            by_value[i] = (timed_value){values[i], i};
    }
    if (by_value && sorted && ranks && times) {
        qsort(by_value, count, sizeof *by_value, compare_timed);
        result = bootstrap_series(by_value, count, sorted, ranks, times);
    }
    free(by_value);
    free(sorted);
    free(ranks);
    free(times);
    return result;
}

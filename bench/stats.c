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

/* The median of one draw. Counting how often each place is drawn saves sorting the draw. */
static double median_of_draw(const double *sorted, size_t count, unsigned *times, uint64_t *state)
{
    memset(times, 0, count * sizeof *times);
    for (size_t i = 0; i < count; i++)
        times[next_random(state) % count]++;
    return 0.5 * (kth_of_draw(sorted, times, (count - 1) / 2) + kth_of_draw(sorted, times, count / 2));
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

/* stats.h - the few statistics that timings need: robust ones, because the noise of a computer only ever adds time. */
#ifndef BENCH_STATS_H
#define BENCH_STATS_H

#include <stddef.h>
#include <stdint.h>

/* Sorts in place, ascending. */
void stats_sort(double *values, size_t count);

/* The p-quantile (0..1) of sorted values, linear between neighbours; 0 for none. */
double stats_quantile(const double *sorted, size_t count, double p);

/* The middle value (the mean of the two middle ones); sorts in place; 0 for none. */
double stats_median(double *values, size_t count);

typedef struct stats_interval {
    double median, lo, hi;
} stats_interval;

/* The median with its 95 % interval by the percentile bootstrap (Efron, "Bootstrap Methods", 1979): the values are drawn anew with
 * replacement 2000 times, and the middle 95 % of the medians of those draws is the interval. Always the same for the same values:
 * the draws come from a fixed seed. Sorts in place. With one value lo = hi = median. */
stats_interval stats_bootstrap(double *values, size_t count);

/* The same for values in the order of time, of which neighbours resemble each other because noise comes in spells: runs of about
 * the cube root of `count` neighbours are drawn together (Kuensch, "The Jackknife and the Bootstrap for General Stationary
 * Observations", 1989). With independent values it is as wide as stats_bootstrap, otherwise wider. Leaves the values as they
 * are. */
stats_interval stats_bootstrap_series(const double *values, size_t count);

#endif

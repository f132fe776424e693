/* measure.h - timing several things against each other in one process.
 *
 * A round visits every item once in one direction and once in the other (A B C C B A), so that whatever slows the machine steadily
 * slows all alike. A visit runs the item once untimed, because the item before it took over the caches, and then some times timed.
 * Ratios are taken within rounds; their median comes with a bootstrap interval.
 *
 * Between visits a loop of fixed length in registers is timed: where it takes 5 % longer than usual, somebody else had the core or
 * the clock changed, and the round is disturbed. Disturbed rounds are counted and left out, unless fewer than MEASURE_MIN_ROUNDS
 * would be left.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>

#include "stats.h"

#define MEASURE_MIN_ROUNDS 5

typedef struct measure_item {
    void (*run)(void *arg);
    void *arg;
} measure_item;

typedef struct measure_result {
    double median, p5, p95; /* seconds of one run */
    double *rounds;         /* seconds of one run, by kept round: what ratios are made of */
} measure_result;

typedef struct measure_info {
    int rounds;     /* kept */
    int disturbed;  /* seen to be disturbed; more than were left out if too few quiet ones remained */
    double seconds; /* all in all */
} measure_info;

/* Monotonic seconds. */
double measure_now(void);

/* Measures for about `seconds`: less if 400 rounds are done before, more if MEASURE_MIN_ROUNDS take longer.
 * results: one per item, to be released with measure_free. false if memory is short. */
bool measure_group(const measure_item *items, int count, double seconds, measure_result *results, measure_info *info);
void measure_free(measure_result *results, int count);

/* How many times as fast b is as a: median over the rounds of a's time / b's time, with its 95 % interval. */
stats_interval measure_speedup(const measure_result *a, const measure_result *b, const measure_info *info);

#endif

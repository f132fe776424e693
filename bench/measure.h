/* measure.h - timing several things against each other in one process.
 *
 * A round visits every item once in a random order and once in the opposite one (B A C C A B), so that whatever slows the machine
 * steadily slows all alike, and no item always follows the same other. A visit runs the item once untimed, because the item before
 * it took over the caches, and then some times timed. Ratios are taken within rounds; their median comes with a bootstrap interval.
 *
 * Every visit is watched (noise.h). One that lost its CPU is repeated at once, twice at most; a round that is disturbed all the
 * same, or beside whose visits the spin loop took 5 % longer than usual, is counted and left out, and another is measured in its
 * place while half the time again lasts. Only where fewer than MEASURE_MIN_ROUNDS quiet ones remain are disturbed ones kept: then
 * the result says so.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <stdbool.h>

#include "stats.h"

#define MEASURE_MIN_ROUNDS 5

/* By how much the same measurement differs between two processes though the rounds within each agree better: part of every
 * interval. Ratios of the same rounds are steadier than times, which follow the clock. */
#define MEASURE_REPEAT_RATIO 0.01
#define MEASURE_REPEAT_TIME  0.02

typedef struct measure_item {
    void (*run)(void *arg);
    void *arg;
    int threads; /* that work in it; 0 counts as 1 */
} measure_item;

typedef struct measure_result {
    double median, p5, p95; /* seconds of one run */
    double lo, hi;          /* 95 % interval of the median of the rounds */
    double *rounds;         /* seconds of one run, by kept round: what ratios are made of */
} measure_result;

typedef struct measure_info {
    int rounds;         /* kept */
    int disturbed;      /* rounds seen to be disturbed */
    int kept_disturbed; /* of them, those that had to be kept */
    int repeated;       /* visits and rounds measured once more because of a disturbance */
    int outliers; /* samples far above their item's others: beyond the third quartile by three times the quartiles' distance */
    double drift; /* the largest change of an item's median from the first third of the rounds to the last, 0.01 = 1 % */
    double others, stolen; /* CPUs that other processes, and other virtual machines, kept busy meanwhile */
    double seconds;        /* all in all */
    char trouble[160];     /* why the figures should not be trusted, a clause; "" for a quiet run */
} measure_info;

/* Monotonic seconds. */
double measure_now(void);

/* Measures for about `seconds`: less if 400 rounds are done or all medians are known to 0.5 % before, more if MEASURE_MIN_ROUNDS
 * take longer or rounds have to be repeated. Ctrl-C ends it after a round. results: one per item, to be released with measure_free.
 * false if memory is short. */
bool measure_group(const measure_item *items, int count, double seconds, measure_result *results, measure_info *info);
/* The same with at least `min_rounds` rounds, for items so slow that MEASURE_MIN_ROUNDS of them cost too much. */
bool measure_group_few(const measure_item *items, int count, double seconds, int min_rounds, measure_result *results,
                       measure_info *info);
void measure_free(measure_result *results, int count);

/* How many times as fast b is as a: median over the rounds of a's time / b's time, with its 95 % interval. */
stats_interval measure_speedup(const measure_result *a, const measure_result *b, const measure_info *info);

/* Adds what a further group's info says: counts add up, the worst of the rest stays. `all` starts as zeros. */
void measure_info_add(measure_info *all, const measure_info *info);

#endif

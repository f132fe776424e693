/* measure.c - rounds, visits and samples.
 *
 *     round 0                                round 1
 *     A  A  A | B  B  B | B  B  B | A  A  A    A  A  A | B  B  B | ...
 *     -  t  t   -  t  t   -  t  t   -  t  t    - not timed   t timed: a sample of one or more runs
 *     visit     visit     visit     visit
 *
 *     a round's figure of A = mean of the medians of its two visits
 *     ratio of a round      = A's figure / B's figure          -> median and bootstrap interval over the rounds
 *     median, p5, p95 of A  = quantiles of all its samples
 *
 * With two visits in opposite order a drift that is linear within the round (a clock that slows down as the chip gets warm) cancels
 * out of the ratio. All memory is allocated before the first sample.
 */
#define _POSIX_C_SOURCE 200809L   /* clock_gettime */
#include "measure.h"

#include <stdlib.h>
#include <time.h>

#define MAX_ROUNDS     400
#define MAX_TIMED      8     /* timed samples of one visit */
#define SAMPLE_SECONDS 20e-6 /* shorter runs are timed several at a time */
#define VISIT_SECONDS  1e-3

double measure_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* How one item is visited. */
typedef struct visit_plan {
    int runs;    /* per sample */
    int samples; /* per visit */
} visit_plan;

typedef struct state {
    const measure_item *items;
    int count;
    visit_plan *plans;
    double *samples; /* [item][round][2 * MAX_TIMED]; a visit fills plans[item].samples */
    double *rounds;  /* [item][MAX_ROUNDS] */
    double *spins;   /* [MAX_ROUNDS]: the slowest spin of each round */
} state;

static double *samples_of(const state *s, int item, int round)
{
    return s->samples + ((size_t)item * MAX_ROUNDS + (size_t)round) * (2 * MAX_TIMED);
}

/* Seconds of one of `runs` runs in a row. */
static double time_runs(const measure_item *item, int runs)
{
    const double start = measure_now();
    for (int i = 0; i < runs; i++)
        item->run(item->arg);
    return (measure_now() - start) / runs;
}

/* About 20 us of multiplications that wait for each other: no memory, no width, only the clock and whether the core is ours. */
static double spin(void)
{
    uint64_t x = 1;
    const double start = measure_now();
    for (int i = 0; i < 16000; i++)
        x = x * 6364136223846793005u + 1442695040888963407u;
    __asm__ volatile("" : : "r"(x));
    return measure_now() - start;
}

/* Until two runs in a row differ by less than 3 %, or long enough; then decides how to visit. */
static visit_plan warm_up(const measure_item *item, double seconds)
{
    const double start = measure_now();
    double before, now = time_runs(item, 1);
    do {
        before = now;
        now = time_runs(item, now < SAMPLE_SECONDS ? (int)(SAMPLE_SECONDS / (now + 1e-9)) + 1 : 1);
    } while ((now > 1.03 * before || before > 1.03 * now) && measure_now() - start < seconds);
    /* Reading the clock takes some 30 ns: in a sample of 20 us that is nothing. */
    visit_plan plan = {1, 1};
    if (now < SAMPLE_SECONDS)
        plan.runs = (int)(SAMPLE_SECONDS / (now + 1e-9)) + 1;
    const double fit = VISIT_SECONDS / (now * plan.runs);
    plan.samples = fit < 1 ? 1 : fit > MAX_TIMED ? MAX_TIMED : (int)fit;
    return plan;
}

/* One of the two visits of a round; the mean of both visits' medians is the round's figure. */
static void visit(state *s, int item, int round, int pass)
{
    const visit_plan *plan = &s->plans[item];
    double *samples = samples_of(s, item, round) + pass * plan->samples, sorted[MAX_TIMED];
    time_runs(&s->items[item], 1); /* takes the caches back */
    for (int i = 0; i < plan->samples; i++)
        sorted[i] = samples[i] = time_runs(&s->items[item], plan->runs);
    s->rounds[item * MAX_ROUNDS + round] += 0.5 * stats_median(sorted, (size_t)plan->samples);
}

/* There and back. The spins in between cost 20 us each: 2 % of the shortest visit. */
static void run_round(state *s, int round)
{
    s->spins[round] = spin();
    for (int i = 0; i < 2 * s->count; i++) {
        visit(s, i < s->count ? i : 2 * s->count - 1 - i, round, i >= s->count);
        const double t = spin();
        if (t > s->spins[round])
            s->spins[round] = t;
    }
}

/* Rounds until the time is up. The whole time is used even when the interval is narrow long before: noise comes in spells, and a
 * tenth of a second may fall into a single one. */
static int run_rounds(state *s, double seconds)
{
    const double start = measure_now();
    int round = 0;
    do {
        run_round(s, round++);
    } while (round < MAX_ROUNDS && (round < MEASURE_MIN_ROUNDS || measure_now() - start < seconds));
    return round;
}

/* Moves the quiet rounds to the front; returns how many are kept. */
static int drop_disturbed(state *s, int rounds, int *disturbed)
{
    double sorted[MAX_ROUNDS];
    for (int r = 0; r < rounds; r++)
        sorted[r] = s->spins[r];
    stats_sort(sorted, (size_t)rounds);
    /* The lower quartile, not the least: the first spin after a pause may be faster than the clock can keep up with. */
    const double limit = 1.05 * stats_quantile(sorted, (size_t)rounds, 0.25);
    int quiet = 0;
    for (int r = 0; r < rounds; r++)
        quiet += s->spins[r] <= limit;
    *disturbed = rounds - quiet;
    if (quiet < MEASURE_MIN_ROUNDS)
        return rounds;
    for (int r = 0, to = 0; r < rounds; r++) {
        if (s->spins[r] > limit)
            continue;
        for (int item = 0; item < s->count && to != r; item++) {
            s->rounds[item * MAX_ROUNDS + to] = s->rounds[item * MAX_ROUNDS + r];
            for (int i = 0; i < 2 * s->plans[item].samples; i++)
                samples_of(s, item, to)[i] = samples_of(s, item, r)[i];
        }
        to++;
    }
    return quiet;
}

/* Quantiles of all samples, and the rounds' figures for ratios. */
static bool summarize(const state *s, int item, int rounds, measure_result *result)
{
    const int per_round = 2 * s->plans[item].samples;
    const size_t total = (size_t)rounds * (size_t)per_round;
    double *all = malloc(total * sizeof *all);
    result->rounds = malloc((size_t)rounds * sizeof *result->rounds);
    if (!all || !result->rounds) {
        free(all);
        return false;
    }
    for (int r = 0; r < rounds; r++) {
        result->rounds[r] = s->rounds[item * MAX_ROUNDS + r];
        for (int i = 0; i < per_round; i++)
            all[r * per_round + i] = samples_of(s, item, r)[i];
    }
    stats_sort(all, total);
    result->median = stats_quantile(all, total, 0.5);
    result->p5 = stats_quantile(all, total, 0.05);
    result->p95 = stats_quantile(all, total, 0.95);
    free(all);
    return true;
}

/* With all memory in place. */
static bool measure(state *s, double seconds, measure_result *results, measure_info *info)
{
    const double start = measure_now();
    for (int i = 0; i < s->count; i++)
        s->plans[i] = warm_up(&s->items[i], 0.2 * seconds / s->count);
    const int rounds = run_rounds(s, seconds);
    info->rounds = drop_disturbed(s, rounds, &info->disturbed);
    bool ok = true;
    for (int i = 0; i < s->count; i++)
        ok = summarize(s, i, info->rounds, &results[i]) && ok;
    info->seconds = measure_now() - start;
    return ok;
}

bool measure_group(const measure_item *items, int count, double seconds, measure_result *results, measure_info *info)
{
    const size_t n = (size_t)count;
    state s = {.items = items, .count = count};
    s.plans = calloc(n, sizeof *s.plans);
    s.samples = calloc(n * MAX_ROUNDS * 2 * MAX_TIMED, sizeof *s.samples);
    s.rounds = calloc(n * MAX_ROUNDS, sizeof *s.rounds);
    s.spins = calloc(MAX_ROUNDS, sizeof *s.spins);
    for (int i = 0; i < count; i++)
        results[i] = (measure_result){0};
    const bool ok = s.plans && s.samples && s.rounds && s.spins && measure(&s, seconds, results, info);
    if (!ok)
        measure_free(results, count);
    free(s.plans);
    free(s.samples);
    free(s.rounds);
    free(s.spins);
    return ok;
}

void measure_free(measure_result *results, int count)
{
    for (int i = 0; i < count; i++) {
        free(results[i].rounds);
        results[i].rounds = NULL;
    }
}

stats_interval measure_speedup(const measure_result *a, const measure_result *b, const measure_info *info)
{
    double ratios[MAX_ROUNDS];
    for (int r = 0; r < info->rounds; r++)
        ratios[r] = a->rounds[r] / b->rounds[r];
    return stats_bootstrap(ratios, (size_t)info->rounds);
}

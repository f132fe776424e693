/* measure.c - rounds, visits and samples.
 *
 *     round 0 (order A B)                    round 1 (order B A)
 *     A  A  A | B  B  B | B  B  B | A  A  A    B  B  B | A  A  A | ...
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
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include "measure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "interrupt.h"
#include "noise.h"

#define MAX_ROUNDS     400
#define MAX_TIMED      8     /* timed samples of one visit */
#define SAMPLE_SECONDS 20e-6 /* shorter runs are timed several at a time */
#define VISIT_SECONDS  1e-3
#define LONG_SECONDS   30e-3 /* a run that takes longer has its caches back after a small part of itself */
#define TRIES          3     /* of a visit */
#define NARROW         0.005 /* half an interval, of its median */

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
    bool settle; /* a run that is not timed comes first */
} visit_plan;

typedef struct state {
    const measure_item *items;
    int count, min_rounds;
    visit_plan *plans;
    int *order;        /* of the items in this round */
    uint32_t random;   /* the same orders in every run of the program */
    double *samples;   /* [item][round][2 * MAX_TIMED]; a visit fills plans[item].samples */
    double *rounds;    /* [item][MAX_ROUNDS] */
    double *spins;     /* [MAX_ROUNDS]: the slowest spin of each round */
    bool *interrupted; /* [MAX_ROUNDS]: a visit of the round lost its CPU, however often it was tried */
    int repeated;
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

/* Until three runs in a row differ by less than 3 %, or long enough; then decides how to visit. */
static visit_plan warm_up(const measure_item *item, double seconds)
{
    const double start = measure_now();
    double now = time_runs(item, 1);
    for (int steady = 0; steady < 2;) {
        const double before = now;
        now = time_runs(item, now < SAMPLE_SECONDS ? (int)(SAMPLE_SECONDS / (now + 1e-9)) + 1 : 1);
        steady = now > 1.03 * before || before > 1.03 * now ? 0 : steady + 1;
        if (measure_now() - start > seconds)
            break;
    }
    /* Reading the clock takes some 30 ns: in a sample of 20 us that is nothing. */
    visit_plan plan = {1, 1, now < LONG_SECONDS};
    if (now < SAMPLE_SECONDS)
        plan.runs = (int)(SAMPLE_SECONDS / (now + 1e-9)) + 1;
    const double fit = VISIT_SECONDS / (now * plan.runs);
    plan.samples = fit < 1 ? 1 : fit > MAX_TIMED ? MAX_TIMED : (int)fit;
    return plan;
}

/* --------------------------------------------------------------------------------------------- rounds ---- */

/* The timed samples of a visit; false if they were disturbed. */
static bool sample(const measure_item *item, const visit_plan *plan, double *samples)
{
    noise_mark before, after;
    if (plan->settle)
        time_runs(item, 1); /* takes the caches back */
    noise_mark_now(&before);
    for (int i = 0; i < plan->samples; i++)
        samples[i] = time_runs(item, plan->runs);
    noise_mark_now(&after);
    return !noise_between(&before, &after, item->threads);
}

/* One of the two visits of a round; the mean of both visits' medians is the round's figure. */
static void visit(state *s, int item, int round, int pass)
{
    const visit_plan *plan = &s->plans[item];
    double *samples = samples_of(s, item, round) + pass * plan->samples, sorted[MAX_TIMED];
    bool quiet = sample(&s->items[item], plan, samples);
    for (int i = 1; i < TRIES && !quiet && !interrupt_seen(); i++) {
        s->repeated++;
        quiet = sample(&s->items[item], plan, samples);
    }
    if (!quiet)
        s->interrupted[round] = true;
    memcpy(sorted, samples, (size_t)plan->samples * sizeof *sorted);
    s->rounds[item * MAX_ROUNDS + round] += 0.5 * stats_median(sorted, (size_t)plan->samples);
}

/* Fisher and Yates. */
static void shuffle(state *s)
{
    for (int i = s->count - 1; i > 0; i--) {
        s->random = s->random * 1664525u + 1013904223u;
        const int k = (int)((s->random >> 8) % (uint32_t)(i + 1)), item = s->order[i];
        s->order[i] = s->order[k];
        s->order[k] = item;
    }
}

/* There and back. The spins in between cost 20 us each: 2 % of the shortest visit. */
static void run_round(state *s, int round)
{
    shuffle(s);
    s->spins[round] = noise_spin();
    for (int i = 0; i < 2 * s->count; i++) {
        visit(s, s->order[i < s->count ? i : 2 * s->count - 1 - i], round, i >= s->count);
        const double t = noise_spin();
        if (t > s->spins[round])
            s->spins[round] = t;
    }
}

/* The lower quartile, not the least: the first spin after a pause may be faster than the clock can keep up with. */
static double spin_limit(const state *s, int rounds)
{
    double sorted[MAX_ROUNDS];
    memcpy(sorted, s->spins, (size_t)rounds * sizeof *sorted);
    stats_sort(sorted, (size_t)rounds);
    return 1.05 * stats_quantile(sorted, (size_t)rounds, 0.25);
}

static int count_quiet(const state *s, int rounds)
{
    const double limit = spin_limit(s, rounds);
    int quiet = 0;
    for (int r = 0; r < rounds; r++)
        quiet += s->spins[r] <= limit && !s->interrupted[r];
    return quiet;
}

/* Is every item's median known well enough? */
static bool all_narrow(const state *s, int rounds)
{
    for (int item = 0; item < s->count; item++) {
        const stats_interval i = stats_bootstrap_series(s->rounds + item * MAX_ROUNDS, (size_t)rounds);
        if (i.hi - i.lo > 2 * NARROW * i.median)
            return false;
    }
    return true;
}

/* Rounds until the time is up, then others in place of the disturbed ones. Noise comes in spells, and a tenth of a second may fall
 * into a single one: so a narrow interval ends it only after half the time, and asking costs as much as a short round, so it is
 * asked twice. */
static int run_rounds(state *s, double seconds)
{
    const double start = measure_now();
    double ask = 0.5 * seconds;
    int round = 0;
    bool done = false;
    while (!done && round < MAX_ROUNDS) {
        run_round(s, round++);
        const double passed = measure_now() - start;
        if (round >= s->min_rounds && round >= 2 * MEASURE_MIN_ROUNDS && passed >= ask) {
            done = count_quiet(s, round) == round && all_narrow(s, round);
            ask += 0.25 * seconds;
        }
        done = done || (round >= s->min_rounds && passed >= seconds) || interrupt_seen();
    }
    const int wanted = round;
    while (round < MAX_ROUNDS && count_quiet(s, round) < wanted && measure_now() - start < 1.5 * seconds && !interrupt_seen()) {
        run_round(s, round++);
        s->repeated++;
    }
    return round;
}

/* ---------------------------------------------------------------------------------------------- judging ---- */

/* Moves the quiet rounds to the front; returns how many are kept. */
static int drop_disturbed(state *s, int rounds, measure_info *info)
{
    const double limit = spin_limit(s, rounds);
    const int quiet = count_quiet(s, rounds);
    info->disturbed = rounds - quiet;
    if (quiet < s->min_rounds) {
        info->kept_disturbed = info->disturbed;
        return rounds;
    }
    for (int r = 0, to = 0; r < rounds; r++) {
        if (s->spins[r] > limit || s->interrupted[r])
            continue;
        for (int item = 0; item < s->count && to != r; item++) {
            s->rounds[item * MAX_ROUNDS + to] = s->rounds[item * MAX_ROUNDS + r];
            memcpy(samples_of(s, item, to), samples_of(s, item, r), 2 * MAX_TIMED * sizeof(double));
        }
        to++;
    }
    return quiet;
}

/* Medians of the first and the last third; with few rounds that is chance. */
static double drift_of(const double *rounds, int count)
{
    double first[MAX_ROUNDS], last[MAX_ROUNDS];
    const size_t third = (size_t)count / 3;
    if (third < 3)
        return 0;
    memcpy(first, rounds, third * sizeof *first);
    memcpy(last, rounds + (size_t)count - third, third * sizeof *last);
    return fabs(stats_median(last, third) / stats_median(first, third) - 1);
}

static int count_outliers(const double *sorted, size_t count)
{
    const double q1 = stats_quantile(sorted, count, 0.25), q3 = stats_quantile(sorted, count, 0.75);
    int outliers = 0;
    for (size_t i = count; i-- > 0 && sorted[i] > q3 + 3 * (q3 - q1);)
        outliers++;
    return outliers;
}

/* What rounds of one process cannot see: the next process has its memory elsewhere and finds another clock. Two independent errors
 * add by their squares. */
static stats_interval widen(stats_interval i, double share)
{
    const double repeat = share * i.median, below = i.median - i.lo, above = i.hi - i.median;
    return (stats_interval){i.median, i.median - sqrt(below * below + repeat * repeat),
                            i.median + sqrt(above * above + repeat * repeat)};
}

/* Quantiles of all samples, and the rounds' figures for ratios. */
static bool summarize(const state *s, int item, measure_info *info, measure_result *result)
{
    const int per_round = 2 * s->plans[item].samples;
    const size_t rounds = (size_t)info->rounds, total = rounds * (size_t)per_round;
    double *all = malloc(total * sizeof *all);
    result->rounds = malloc(rounds * sizeof *result->rounds);
    if (!all || !result->rounds) {
        free(all);
        return false;
    }
    memcpy(result->rounds, s->rounds + item * MAX_ROUNDS, rounds * sizeof *all);
    for (int r = 0; r < info->rounds; r++)
        memcpy(all + r * per_round, samples_of(s, item, r), (size_t)per_round * sizeof *all);
    stats_sort(all, total);
    result->median = stats_quantile(all, total, 0.5);
    result->p5 = stats_quantile(all, total, 0.05);
    result->p95 = stats_quantile(all, total, 0.95);
    const stats_interval interval = widen(stats_bootstrap_series(result->rounds, rounds), MEASURE_REPEAT_TIME);
    result->lo = interval.lo;
    result->hi = interval.hi;
    info->outliers += count_outliers(all, total);
    const double drift = drift_of(result->rounds, info->rounds);
    info->drift = drift > info->drift ? drift : info->drift;
    free(all);
    return true;
}

/* The most telling trouble only: one clause. */
static void judge(measure_info *info)
{
    char *text = info->trouble;
    const size_t size = sizeof info->trouble;
    if (info->others > 0.25)
        snprintf(text, size, "other programs kept %.1f CPUs busy meanwhile", info->others);
    else if (info->stolen > 0.05)
        snprintf(text, size, "the host of this virtual machine took away %.0f %% of a CPU", 100 * info->stolen);
    else if (info->kept_disturbed > 0)
        snprintf(text, size, "%d of %d rounds were disturbed and had to be kept", info->kept_disturbed, info->rounds);
    else if (info->disturbed > info->rounds)
        snprintf(text, size, "more than half of all rounds were disturbed (%d of %d)", info->disturbed,
                 info->disturbed + info->rounds);
    else if (info->drift > 0.05)
        snprintf(text, size, "the times drifted by %.0f %% from beginning to end", 100 * info->drift);
}

/* With all memory in place. */
static bool measure(state *s, double seconds, measure_result *results, measure_info *info)
{
    noise_load before, after;
    noise_load_now(&before);
    for (int i = 0; i < s->count; i++) {
        s->plans[i] = warm_up(&s->items[i], 0.2 * seconds / s->count);
        s->order[i] = i;
    }
    const int rounds = run_rounds(s, seconds);
    noise_load_now(&after);
    *info = (measure_info){.repeated = s->repeated, .seconds = after.wall - before.wall};
    info->rounds = drop_disturbed(s, rounds, info);
    noise_load_between(&before, &after, &info->others, &info->stolen);
    bool ok = true;
    for (int i = 0; i < s->count; i++)
        ok = summarize(s, i, info, &results[i]) && ok;
    judge(info);
    return ok;
}

bool measure_group_few(const measure_item *items, int count, double seconds, int min_rounds, measure_result *results,
                       measure_info *info)
{
    const size_t n = (size_t)count;
    state s = {.items = items, .count = count, .min_rounds = min_rounds, .random = 1};
    s.plans = calloc(n, sizeof *s.plans);
    s.order = calloc(n, sizeof *s.order);
    s.samples = calloc(n * MAX_ROUNDS * 2 * MAX_TIMED, sizeof *s.samples);
    s.rounds = calloc(n * MAX_ROUNDS, sizeof *s.rounds);
    s.spins = calloc(MAX_ROUNDS, sizeof *s.spins);
    s.interrupted = calloc(MAX_ROUNDS, sizeof *s.interrupted);
    for (int i = 0; i < count; i++)
        results[i] = (measure_result){0};
    const bool ok = s.plans && s.order && s.samples && s.rounds && s.spins && s.interrupted && measure(&s, seconds, results, info);
    if (!ok)
        measure_free(results, count);
    free(s.plans);
    free(s.order);
    free(s.samples);
    free(s.rounds);
    free(s.spins);
    free(s.interrupted);
    return ok;
}

bool measure_group(const measure_item *items, int count, double seconds, measure_result *results, measure_info *info)
{
    return measure_group_few(items, count, seconds, MEASURE_MIN_ROUNDS, results, info);
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
    return widen(stats_bootstrap_series(ratios, (size_t)info->rounds), MEASURE_REPEAT_RATIO);
}

static double larger(double a, double b) { return a > b ? a : b; }

void measure_info_add(measure_info *all, const measure_info *info)
{
    all->rounds += info->rounds;
    all->disturbed += info->disturbed;
    all->kept_disturbed += info->kept_disturbed;
    all->repeated += info->repeated;
    all->outliers += info->outliers;
    all->drift = larger(all->drift, info->drift);
    all->others = larger(all->others, info->others);
    all->stolen = larger(all->stolen, info->stolen);
    all->seconds += info->seconds;
    if (!all->trouble[0])
        memcpy(all->trouble, info->trouble, sizeof all->trouble);
}

/* peak.c - the roofline of this machine, measured.
 *
 *     operations/s |            ______________ peak of the ISA (register-only loop)
 *                  |           /
 *                  |          /  bandwidth of the level the data are in (read-only loop)
 *                  |         /
 *                  +------------------------- operations per byte
 *
 * A layer lies somewhere under this roof (Williams, Waterman and Patterson, "Roofline", 2009); the bound is the roof above it.
 */
#include "peak.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"
#include "octet.h"

/* Weakest first; the Makefile says which are in this build. */
static const peak_loops *const all_loops[] = {
    &peak_loops_scalar,
#ifdef BENCH_PEAK_AVX2
    &peak_loops_avx2,
#endif
#ifdef BENCH_PEAK_AVX512
    &peak_loops_avx512,
#endif
#ifdef BENCH_PEAK_AVX512VNNI
    &peak_loops_avx512vnni,
#endif
#ifdef BENCH_PEAK_NEON
    &peak_loops_neon,
#endif
#ifdef BENCH_PEAK_NEONDOT
    &peak_loops_neondot,
#endif
};
#define LOOPS (sizeof all_loops / sizeof all_loops[0])

static const peak_loops *find_loops(const char *isa)
{
    for (size_t i = 0; i < LOOPS; i++)
        if (!strcmp(all_loops[i]->isa, isa))
            return all_loops[i];
    return NULL;
}

const char *peak_level_name(peak_level level)
{
    static const char *const names[PEAK_LEVELS] = {"l1", "l2", "l3", "dram"};
    return names[level];
}

/* -------------------------------------------------------------------------------------------- measuring ---- */

/* Many short samples rather than few long ones: where others use the machine too, some fall into quiet moments. */
#define SAMPLES        100
#define SAMPLE_SECONDS 250e-6

/* One loop run by all members at once; `work` of each is steps or bytes. */
typedef struct loop_run {
    double (*arithmetic)(size_t steps);           /* this ... */
    void (*read)(const void *data, size_t bytes); /* ... or this */
    size_t steps, bytes, repeat;
    char **buffers; /* one per member */
    double ops;     /* by member 0 */
} loop_run;

/* Every member works on a buffer of its own; all do the same amount. */
static void run_member(void *arg, int member, int members)
{
    loop_run *run = arg;
    (void)members;
    if (run->read) {
        for (size_t i = 0; i < run->repeat; i++)
            run->read(run->buffers[member], run->bytes);
        return;
    }
    const double ops = run->arithmetic(run->steps);
    if (member == 0)
        run->ops = ops;
}

static double time_team(team *t, loop_run *run)
{
    const double start = measure_now();
    team_run(t, run_member, run);
    return measure_now() - start;
}

#define WAYS 3 /* f32, and up to two ways to multiply bytes */

/* The best of some short samples: nothing can make a register loop faster than it is, but much can make it slower. The loops take
 * turns: a ratio of peaks should not depend on what the clock did between them. */
static void best_ops(team *t, double (*const *loops)(size_t), int count, double *best)
{
    loop_run runs[WAYS];
    for (int k = 0; k < count; k++) {
        runs[k] = (loop_run){.arithmetic = loops[k], .steps = 1000};
        best[k] = 0;
        while (time_team(t, &runs[k]) < SAMPLE_SECONDS)
            runs[k].steps *= 2;
    }
    for (int i = 0; i < SAMPLES; i++)
        for (int k = 0; k < count; k++) {
            const double seconds = time_team(t, &runs[k]), rate = runs[k].ops * team_members(t) / seconds;
            best[k] = rate > best[k] ? rate : best[k];
        }
}

/* Small buffers are read many times per sample, and the first reading, which fetches them, is lost among those. */
static double best_bandwidth(team *t, const peak_loops *loops, char **buffers, size_t bytes)
{
    loop_run run = {.read = loops->read, .bytes = bytes / 1024 * 1024, .repeat = 1, .buffers = buffers};
    double best = 0, once;
    while ((once = time_team(t, &run)) < SAMPLE_SECONDS)
        run.repeat *= 2;
    const int samples = once > 100 * SAMPLE_SECONDS ? 4 : once > 10 * SAMPLE_SECONDS ? 10 : SAMPLES;
    for (int i = 0; i < samples; i++) {
        const double rate = (double)run.bytes * (double)run.repeat * team_members(t) / time_team(t, &run);
        best = rate > best ? rate : best;
    }
    return best;
}

/* How much one member reads, so that the data of all members together live in that level and in no nearer one. */
static size_t probe_bytes(const machine *m, peak_level level, int members)
{
    switch (level) {
    case PEAK_L1:
        return m->cache[0] / 2;
    case PEAK_L2:
        return m->cache[1] / 2;
    case PEAK_L3:
        /* Far beyond L2, but far from all of L3, which others use too. */
        return 4 * m->cache[1] < m->cache[2] / 2 ? 4 * m->cache[1] : m->cache[2] / 2;
    default:
        return 4 * m->cache[2] / (size_t)members + 4 * m->cache[1];
    }
}

/* One thread cannot always draw all that a shared level gives; that is why each number of threads has figures of its own. */
static bool measure_bandwidth(const machine *m, team *t, const bool *usable, peaks *p)
{
    const int members = team_members(t);
    /* The largest probe; the nearer levels use its beginning. */
    const size_t size = (probe_bytes(m, PEAK_DRAM, members) + 4095) / 4096 * 4096;
    char **buffers = calloc((size_t)members, sizeof *buffers);
    bool ok = buffers != NULL;
    for (int i = 0; i < members && ok; i++) {
        ok = (buffers[i] = aligned_alloc(4096, size)) != NULL;
        if (ok)
            memset(buffers[i], 1, size); /* real pages, not the shared page of zeros */
    }
    for (size_t i = 0; i < LOOPS && ok; i++)
        for (int level = 0; level < PEAK_LEVELS && usable[i] && all_loops[i]->read; level++) {
            const double rate = best_bandwidth(t, all_loops[i], buffers, probe_bytes(m, (peak_level)level, members));
            p->bandwidth[level] = rate > p->bandwidth[level] ? rate : p->bandwidth[level];
        }
    for (int i = 0; buffers && i < members; i++)
        free(buffers[i]);
    free(buffers);
    return ok;
}

/* An ISA may multiply bytes in two ways; the peak is that of the faster. */
static void measure_isa(team *t, const peak_loops *loops, peaks *p)
{
    double (*ways[WAYS])(size_t) = {loops->f32, loops->u8s8[0], loops->u8s8[1]};
    const int count = !ways[1] ? 1 : !ways[2] ? 2 : WAYS;
    double best[WAYS] = {0};
    best_ops(t, ways, count, best);
    p->isas[p->isa_count].isa = loops->isa;
    p->isas[p->isa_count].f32 = best[0];
    p->isas[p->isa_count++].u8s8 = best[1] > best[2] ? best[1] : best[2];
}

bool peak_measure(const machine *m, team *t, peaks *p)
{
    bool usable[LOOPS] = {false};
    *p = (peaks){.threads = team_members(t), .level_bytes = {m->cache[0], m->cache[1], m->cache[2], SIZE_MAX}};
    for (size_t i = 0; i < oct_isa_count(); i++) {
        oct_isa_info info;
        if (oct_isa(i, &info) != OCT_OK || !info.available)
            continue;
        const peak_loops *loops = find_loops(info.name);
        if (!loops || p->isa_count == PEAK_MAX_ISAS)
            continue;
        measure_isa(t, loops, p);
        for (size_t k = 0; k < LOOPS; k++)
            usable[k] = usable[k] || all_loops[k] == loops;
    }
    return measure_bandwidth(m, t, usable, p);
}

/* ----------------------------------------------------------------------------------------------- bounds ---- */

/* Levels are listed weakest first, so the last one measured up to `isa` is the nearest. */
double peak_ops(const peaks *p, const char *isa, bool int8)
{
    double rate = 0;
    for (size_t i = 0; i < oct_isa_count(); i++) {
        oct_isa_info info;
        if (oct_isa(i, &info) != OCT_OK)
            break;
        for (int k = 0; k < p->isa_count; k++)
            if (!strcmp(p->isas[k].isa, info.name))
                rate = int8 ? p->isas[k].u8s8 : p->isas[k].f32;
        if (!strcmp(info.name, isa))
            break;
    }
    return rate;
}

peak_level peak_level_of(const peaks *p, size_t bytes)
{
    for (int level = PEAK_L1; level < PEAK_DRAM; level++) {
        const size_t copies = level == PEAK_L3 ? 1 : (size_t)p->threads;
        if (bytes <= p->level_bytes[level] * copies)
            return (peak_level)level;
    }
    return PEAK_DRAM;
}

peak_bound peak_bound_of(const peaks *p, const peak_work *work)
{
    const double rate = peak_ops(p, work->isa, work->int8);
    const double compute = work->ops > 0 && rate > 0 ? work->ops / rate : 0;
    const double far = (double)work->bytes / p->bandwidth[work->level];
    const double near = (double)work->near_bytes / p->bandwidth[work->near_level];
    /* Arithmetic and memory overlap, so the longer of the two counts; bytes from two levels pass one after the other. */
    if (compute >= far + near)
        return (peak_bound){compute, "compute", compute, far + near};
    return (peak_bound){far + near, peak_level_name(far >= near ? work->level : work->near_level), compute, far + near};
}

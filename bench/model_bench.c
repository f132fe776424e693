/* model_bench.c - measures models in four ways, batch after batch.
 *
 *     prepare + first   each variant once, in a fresh session; its outputs are checked
 *     warm              all variants of the batch interleaved (measure.h): the figures that are compared
 *     cold              each variant a few times, with the caches filled with something else before each run
 *     layers            each variant in a second session that takes the time of every layer
 *
 * All sessions of a batch are open together, since the library allows sessions of different ISAs in one process; that is what makes
 * the comparison fair.
 */
#include "model_bench.h"

#include <stdlib.h>
#include <string.h>

#include "interrupt.h"
#include "progress.h"

/* What is timed. */
static void run_variant(void *arg)
{
    model_variant *v = arg;
    if (oct_run(v->session) != OCT_OK)
        v->failed = true;
}

/* One run by the clock: for figures that exist only once. */
static double time_once(model_variant *v)
{
    const double start = measure_now();
    run_variant(v);
    return measure_now() - start;
}

/* The first run is that of the session, not of the process: with several variants the program itself is warm by then. */
static bool prepare_variant(model_set *set, model_variant *v, const affinity *cpus, failure *why)
{
    const double start = measure_now();
    if (!model_session_open(v, cpus, 0, &v->session, &v->tied, why))
        return false;
    v->prepare = measure_now() - start;
    v->first = time_once(v);
    if (v->failed || oct_session_describe(v->session, &v->info) != OCT_OK)
        return fail_library(why, v->file->path);
    v->info.isa = NULL; /* the session's, which goes before the figures */
    return model_check_answers(set, v, why);
}

/* ------------------------------------------------------------------------------------------- cold runs ---- */

#define COLD_RUNS 5 /* each costs a walk through twice the last-level cache */

/* Writes twice the last-level cache, so that nothing of a model is left in it. Its code and the branch history stay warm. */
static void fill_caches(char *buffer, size_t bytes)
{
    static char value;
    value++;
    memset(buffer, value, bytes);
    __asm__ volatile("" : : "r"(buffer) : "memory");
}

/* Not interleaved: after flushing, all start from the same state. */
static bool measure_cold(model_variant *variants, int count, const machine *m, failure *why)
{
    const size_t bytes = 2 * m->cache[2] + 2 * m->cache[1];
    char *buffer = malloc(bytes);
    if (!buffer)
        return fail_with(why, "no memory to flush the caches");
    for (int i = 0; i < count && !interrupt_seen(); i++) {
        double seconds[COLD_RUNS];
        for (int r = 0; r < COLD_RUNS; r++) {
            fill_caches(buffer, bytes);
            seconds[r] = time_once(&variants[i]);
        }
        variants[i].cold = stats_median(seconds, COLD_RUNS);
    }
    free(buffer);
    return true;
}

/* --------------------------------------------------------------------------------------------- batches ---- */

/* The budget is for all variants of the batch together. */
static bool measure_warm(model_set *set, model_variant *variants, int count, const model_plan *plan, failure *why)
{
    if (count < 1)
        return true;
    measure_item *items = calloc((size_t)count, sizeof *items);
    measure_result *results = calloc((size_t)count, sizeof *results);
    measure_info info;
    bool ok = items && results;
    for (int i = 0; i < count && ok; i++)
        items[i] = (measure_item){run_variant, &variants[i], variants[i].threads};
    ok = ok && measure_group_few(items, count, plan->seconds * count, plan->min_rounds ? plan->min_rounds : MEASURE_MIN_ROUNDS,
                                 results, &info);
    for (int i = 0; i < count && ok; i++) {
        variants[i].result = results[i];
        variants[i].measured = true;
    }
    for (int i = 0; i < count && ok; i++)
        if (variants[i].baseline)
            variants[i].speedup = measure_speedup(&variants[i].baseline->result, &variants[i].result, &info);
    if (ok)
        measure_info_add(&set->info, &info);
    free(items);
    free(results);
    return ok || fail_with(why, "no memory for the samples");
}

/* A failed run is told at the end; the timed loop has no room for it. */
static bool measure_batch(model_set *set, model_variant *variants, int count, bench_context *context, const model_plan *plan,
                          failure *why)
{
    bool ok = true;
    for (int i = 0; i < count && ok; i++)
        ok = prepare_variant(set, &variants[i], &context->machine.cpus, why);
    ok = ok && measure_warm(set, variants, count, plan, why) &&
         (plan->skip_cold || measure_cold(variants, count, &context->machine, why)) &&
         (plan->skip_layers || model_measure_layers(set, variants, count, context, why));
    for (int i = 0; i < count; i++) {
        oct_session_free(variants[i].session);
        variants[i].session = NULL;
        if (ok && variants[i].failed)
            ok = fail_with(why, "%s: a run failed on %s with %d threads", variants[i].file->path, variants[i].isa,
                           variants[i].threads);
    }
    return ok;
}

/* The variants from `first` on that are in the same batch. */
static int batch_size(const model_set *set, int first)
{
    int count = 1;
    while (first + count < set->variant_count && set->variants[first + count].batch == set->variants[first].batch)
        count++;
    return count;
}

/* The bounds were found with what was known of the peaks then; at the end more is known. */
static bool bound_again(model_set *set, bench_context *context, failure *why)
{
    if (!bench_peaks_again(context, why))
        return false;
    for (int i = 0; i < set->variant_count; i++)
        model_bound_layers(&set->variants[i], bench_peaks(context, set->variants[i].threads, why));
    return true;
}

static bool is_over(const model_plan *plan) { return interrupt_seen() || (plan->deadline > 0 && measure_now() > plan->deadline); }

/* Peaks first: they need the machine for themselves. The models of a group live from its first batch to its last. */
bool model_set_measure(model_set *set, bench_context *context, const model_plan *plan, failure *why)
{
    bool ok = true;
    progress line;
    for (int i = 0; i < set->variant_count && ok; i++)
        ok = bench_peaks(context, set->variants[i].threads, why) != NULL;
    progress_start(&line, plan->what ? plan->what : "measuring", set->variant_count);
    for (int i = 0, count; i < set->variant_count && ok && !is_over(plan); i += count) {
        const int group = set->variants[i].file->group;
        count = batch_size(set, i);
        progress_show(&line, i);
        if (i == 0 || set->variants[i - 1].file->group != group)
            ok = model_group_open(set, group, why);
        ok = ok && measure_batch(set, &set->variants[i], count, context, plan, why);
        if (i + count == set->variant_count || set->variants[i + count].file->group != group)
            model_group_close(set, group);
    }
    for (int i = 0; i < set->file_count; i++) /* of a group that was left early */
        model_group_close(set, set->files[i].group);
    progress_end(&line);
    return ok && (plan->skip_layers || bound_again(set, context, why));
}

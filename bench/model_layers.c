/* model_layers.c - where the time of a model goes, layer by layer, and how much of it each layer needs at least.
 *
 * The times come from second sessions that read the clock after every layer. All sessions of a batch run in turns, there and back,
 * so that a spell of noise falls on all of them; a run that lost its CPU is repeated.
 */
#include <stdlib.h>
#include <string.h>

#include "interrupt.h"
#include "model_bench.h"
#include "noise.h"

#define PROFILED_MOST  31  /* runs per session; the median of them */
#define PROFILED_LEAST 7
#define PROFILED_TIME  0.5 /* seconds per session: slow models are profiled less often */
#define TRIES          3

/* One variant while it is profiled. */
typedef struct profile {
    model_variant *v;
    oct_session *session;
    double *seconds; /* [layer][PROFILED_MOST] */
    int runs;
} profile;

/* ---------------------------------------------------------------------------------------------- bounds ---- */

/* Transformed bytes need 16 bits. Where a dot product of bytes adds four products to a sum (VNNI, dotprod), one of 16-bit numbers
 * adds two: each product counts twice against the int8 peak. Elsewhere the int8 peak is that of 16-bit numbers anyway. */
static double product_cost(const char *kernel)
{
    return strstr(kernel, "u8s8") && (strstr(kernel, "vnni") || strstr(kernel, "neondot")) ? 2 : 1;
}

/* Winograd's minimal filtering (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016): F(m x m, 3 x 3)
 * computes m*m outputs with (m + 2)^2 products instead of 9 m*m. The name of the algorithm or of the kernel says which. */
double model_algo_share(const char *algo, const char *kernel)
{
    if (strncmp(algo, "winograd", 8) != 0)
        return 1;
    static const struct {
        const char *mark;
        double m;
    } tiles[] = {{"6x6", 6}, {"f63", 6}, {"8x8", 6}, {"4x4", 4}, {"f43", 4}, {"2x2", 2}, {"f23", 2}};
    for (size_t i = 0; i < sizeof tiles / sizeof tiles[0]; i++)
        if (strstr(algo, tiles[i].mark) || strstr(kernel, tiles[i].mark))
            return product_cost(kernel) * (tiles[i].m + 2) * (tiles[i].m + 2) / (9 * tiles[i].m * tiles[i].m);
    return product_cost(kernel) * 16.0 / 36.0;
}

/* What a layer has to do at least, computed in the plain way. Its weights come from the level that holds all that the session
 * touches, since the other layers pass through the caches before it runs again; what it takes from its neighbours from the level
 * that holds just that. */
static peak_work layer_work(const model_variant *v, const peaks *p, const model_layer *layer)
{
    const size_t weights = layer->weight_bytes, moved = layer->bytes_moved;
    const size_t others = moved > weights ? moved - weights : 0;
    return (peak_work){.isa = v->isa,
                       .int8 = !strncmp(layer->precision, "int8", 4),
                       .ops = 2.0 * (double)layer->macs,
                       .bytes = moved - others,
                       .level = peak_level_of(p, v->info.packed_bytes + v->info.arena_bytes),
                       .near_bytes = others,
                       .near_level = peak_level_of(p, others)};
}

/* A layer that moves nothing and computes nothing (its result is another tensor's memory) has the bound 0. */
void model_bound_layers(model_variant *v, const peaks *p)
{
    v->bound = 0;
    for (size_t i = 0; v->layers && i < v->file->layers; i++) {
        v->layers[i].work = layer_work(v, p, &v->layers[i]);
        v->layers[i].bound = peak_bound_of(p, &v->layers[i].work);
        v->bound += v->layers[i].bound.seconds;
    }
}

/* ------------------------------------------------------------------------------------------- profiling ---- */

/* One run into column `column`; false if it was disturbed. */
static bool profile_once(profile *p, int column)
{
    noise_mark before, after;
    noise_mark_now(&before);
    if (oct_run(p->session) != OCT_OK)
        p->v->failed = true;
    noise_mark_now(&after);
    for (size_t i = 0; i < p->v->file->layers; i++) {
        oct_layer_run run;
        if (oct_session_layer(p->session, i, &run) != OCT_OK)
            p->v->failed = true;
        p->seconds[i * PROFILED_MOST + (size_t)column] = 1e-6 * run.microseconds;
    }
    return !noise_between(&before, &after, p->v->threads);
}

/* Few runs for slow models. The runs that decide about it warm up, too. */
static void plan_runs(profile *p)
{
    const double start = measure_now();
    for (int i = 0; i < 2; i++)
        profile_once(p, 0);
    const double once = 0.5 * (measure_now() - start), fit = PROFILED_TIME / once;
    p->runs = fit > PROFILED_MOST ? PROFILED_MOST : fit < PROFILED_LEAST ? PROFILED_LEAST : (int)fit;
}

/* Each at its turn runs twice, the first time to take back the caches; in every other round the order is turned round. */
static void profile_rounds(profile *profiles, int count)
{
    for (int r = 0; r < PROFILED_MOST && !interrupt_seen(); r++)
        for (int k = 0; k < count; k++) {
            profile *p = &profiles[r % 2 ? count - 1 - k : k];
            if (r >= p->runs)
                continue;
            profile_once(p, r);
            for (int i = 0; i < TRIES && !profile_once(p, r); i++)
                continue;
        }
}

/* Texts are copied: the session and its model go, the figures stay. Algorithm and bytes are those of the session that was
 * measured. */
static bool fill_layer(model_set *set, model_variant *v, size_t i, failure *why)
{
    model_layer *layer = &v->layers[i];
    oct_layer_info info;
    oct_layer_run run;
    if (oct_model_layer(v->file->model, i, &info) != OCT_OK || oct_session_layer(v->session, i, &run) != OCT_OK)
        return fail_library(why, v->file->path);
    *layer = (model_layer){.name = model_set_text(set, info.name),
                           .op = model_set_text(set, info.op),
                           .precision = model_set_text(set, info.precision),
                           .act = model_set_text(set, info.act),
                           .algo = model_set_text(set, run.algo),
                           .kernel = model_set_text(set, run.kernel),
                           .in = info.in,
                           .out = info.out,
                           .macs = info.macs,
                           .weight_bytes = info.weight_bytes,
                           .bytes_moved = run.bytes_moved};
    return true;
}

static bool fill_layers(model_set *set, profile *p, bench_context *context, failure *why)
{
    model_variant *v = p->v;
    const peaks *peak = bench_peaks(context, v->threads, why);
    v->layers = calloc(v->file->layers + 1, sizeof *v->layers);
    if (!v->layers || !peak)
        return peak ? fail_with(why, "out of memory") : false;
    for (size_t i = 0; i < v->file->layers; i++) {
        if (!fill_layer(set, v, i, why))
            return false;
        v->layers[i].seconds = stats_median(p->seconds + i * PROFILED_MOST, (size_t)p->runs);
    }
    model_bound_layers(v, peak);
    return true;
}

static bool open_profile(profile *p, const affinity *cpus, failure *why)
{
    bool tied;
    p->seconds = calloc(p->v->file->layers * PROFILED_MOST + 1, sizeof *p->seconds);
    if (!p->seconds)
        return fail_with(why, "out of memory");
    if (!model_session_open(p->v, cpus, 1, &p->session, &tied, why))
        return false;
    plan_runs(p);
    return true;
}

/* Interrupted runs leave columns of zeros: then there are no layers. */
bool model_measure_layers(model_set *set, model_variant *variants, int count, bench_context *context, failure *why)
{
    profile *profiles = calloc((size_t)count, sizeof *profiles);
    bool ok = profiles || fail_with(why, "out of memory");
    for (int i = 0; i < count && ok; i++) {
        profiles[i].v = &variants[i];
        ok = open_profile(&profiles[i], &context->machine.cpus, why);
    }
    if (ok)
        profile_rounds(profiles, count);
    for (int i = 0; i < count && ok && !interrupt_seen(); i++)
        ok = fill_layers(set, &profiles[i], context, why);
    for (int i = 0; profiles && i < count; i++) {
        oct_session_free(profiles[i].session);
        free(profiles[i].seconds);
    }
    free(profiles);
    return ok;
}

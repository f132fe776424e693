/* model_bench.c - loads models, prepares sessions, measures them in four ways.
 *
 *     prepare + first   each variant once, in a fresh session
 *     warm              all variants interleaved (measure.h): the figures that are compared
 *     cold              each variant a few times, with the caches filled with something else before each run
 *     layers            each variant in a second session that takes the time of every layer
 *
 * A variant is one model on one ISA with so many threads. All sessions stay open together, since the library allows sessions of
 * different ISAs in one process; that is what makes the comparison fair.
 */
#include "model_bench.h"

#include <stdlib.h>
#include <string.h>

#include "zoo/zoo.h"

/* ---------------------------------------------------------------------------------------------- loading ---- */

/* A single int8 layer makes the model a quantized one: borders of other precision are part of the scheme. */
static bool describe_layers(model_file *file, failure *why)
{
    file->scheme = "f32";
    file->layers = oct_model_layer_count(file->model);
    for (size_t i = 0; i < file->layers; i++) {
        oct_layer_info info;
        if (oct_model_layer(file->model, i, &info) != OCT_OK)
            return fail_library(why, file->path);
        file->macs += info.macs;
        file->weight_bytes += info.weight_bytes;
        if (!strncmp(info.precision, "int8", 4))
            file->scheme = "int8-static";
    }
    return true;
}

static bool load_file(model_file *file, const char *path, failure *why)
{
    file->path = path;
    bench_model_name(path, file->name, sizeof file->name);
    if (oct_model_load(path, &file->model) != OCT_OK)
        return fail_library(why, path);
    return describe_layers(file, why);
}

/* A model of the zoo goes by the network's name, "resnet50" and "resnet50.int8". */
static bool load_graph(model_file *file, const zoo_network *network, const char *suffix, const oct_graph *graph, failure *why)
{
    snprintf(file->name, sizeof file->name, "%s%s", network->name, suffix);
    file->path = file->name;
    if (oct_model_from_graph(graph, &file->model) != OCT_OK)
        return fail_library(why, file->path);
    return describe_layers(file, why);
}

/* Both of the network's models, the float one first. */
static bool load_network(model_set *set, const zoo_network *network, failure *why)
{
    oct_graph *graph = NULL, *quantized = NULL;
    const bool ok = zoo_float(network, ZOO_SEED, &graph, why) && zoo_int8(network, graph, ZOO_SEED, &quantized, why) &&
                    load_graph(&set->files[set->file_count++], network, "", graph, why) &&
                    load_graph(&set->files[set->file_count++], network, ".int8", quantized, why);
    oct_graph_free(quantized);
    oct_graph_free(graph);
    return ok;
}

/* What a word of the command line names. What has a slash is a path. */
static bool load_word(model_set *set, const char *word, failure *why)
{
    const zoo_network *network = strchr(word, '/') ? NULL : zoo_find(word);
    return network ? load_network(set, network, why) : load_file(&set->files[set->file_count++], word, why);
}

/* Twins take the same pictures, even if one of them takes them as bytes. */
static bool same_inputs(const oct_model *a, const oct_model *b)
{
    if (oct_model_input_count(a) != oct_model_input_count(b))
        return false;
    for (size_t i = 0; i < oct_model_input_count(a); i++) {
        oct_tensor_info x, y;
        if (oct_model_input(a, i, &x) != OCT_OK || oct_model_input(b, i, &y) != OCT_OK || x.elements != y.elements)
            return false;
    }
    return true;
}

/* The f32 model nearest before `index` with the same inputs, so that files may be given as pairs; else the first such after it. */
static int find_baseline(const model_set *set, int index)
{
    const model_file *file = &set->files[index];
    if (!strcmp(file->scheme, "f32"))
        return -1;
    for (int step = 1; step < set->file_count; step++) {
        const int i = step <= index ? index - step : step;
        if (!strcmp(set->files[i].scheme, "f32") && same_inputs(set->files[i].model, file->model))
            return i;
    }
    return -1;
}

/* ------------------------------------------------------------------------------------------- preparing ---- */

/* Every input is filled with numbers of [-1, 1), the same in each run of the bench; bytes with all values. */
static bool set_inputs(const oct_model *model, oct_session *session)
{
    uint32_t state = 1;
    bool ok = true;
    for (size_t i = 0; i < oct_model_input_count(model) && ok; i++) {
        oct_tensor_info info;
        ok = oct_model_input(model, i, &info) == OCT_OK;
        unsigned char *data = ok ? calloc(info.bytes + 1, 1) : NULL;
        ok = data != NULL;
        for (size_t e = 0; e < info.elements && ok; e++) {
            state = state * 1664525u + 1013904223u;
            if (info.dtype == OCT_F32)
                ((float *)(void *)data)[e] = (float)(state >> 8) / 8388608.0f - 1.0f;
            else if (info.dtype == OCT_U8)
                data[e] = (unsigned char)(state >> 24);
        }
        ok = ok && oct_set_input(session, i, data, info.bytes) == OCT_OK;
        free(data);
    }
    return ok;
}

/* A session whose threads have a CPU each. */
static bool open_session(const model_variant *v, const affinity *cpus, int profile, oct_session **session, bool *tied, failure *why)
{
    const oct_options options = {.isa = v->isa, .threads = v->threads, .profile = profile};
    /* The threads that appear while the session is created are the session's. */
    affinity_threads before;
    affinity_list_threads(&before);
    if (oct_session_create(v->file->model, &options, session) != OCT_OK)
        return fail_library(why, v->file->path);
    *tied = affinity_tie_new(cpus, &before);
    if (!set_inputs(v->file->model, *session))
        return fail_with(why, "%s: no memory for its inputs", v->file->path);
    return true;
}

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
static bool prepare_variant(model_variant *v, const affinity *cpus, failure *why)
{
    const double start = measure_now();
    if (!open_session(v, cpus, 0, &v->session, &v->tied, why))
        return false;
    v->prepare = measure_now() - start;
    v->first = time_once(v);
    if (v->failed || oct_session_describe(v->session, &v->info) != OCT_OK)
        return fail_library(why, v->file->path);
    return true;
}

/* The variant of `file` on the same ISA and with the same threads as v. */
/* There is one unless lists were given twice the same name; then the first will do. */
static const model_variant *find_variant(const model_set *set, int file, const model_variant *v)
{
    for (int i = 0; i < set->variant_count; i++) {
        const model_variant *other = &set->variants[i];
        if (other->file == &set->files[file] && other->threads == v->threads && !strcmp(other->isa, v->isa))
            return other;
    }
    return NULL;
}

/* Models are the innermost: those that are compared are visited one after the other. */
static void make_variants(model_set *set, const bench_lists *lists)
{
    for (int t = 0; t < lists->thread_count; t++)
        for (int i = 0; i < lists->isa_count; i++)
            for (int f = 0; f < set->file_count; f++)
                set->variants[set->variant_count++] =
                    (model_variant){.file = &set->files[f], .isa = lists->isas[i], .threads = lists->threads[t]};
    for (int i = 0; i < set->variant_count; i++) {
        model_variant *v = &set->variants[i];
        v->baseline = v->file->baseline < 0 ? NULL : find_variant(set, v->file->baseline, v);
    }
}

/* Also on failure the set can be closed. */
bool model_set_open(model_set *set, char *const *words, int count, const bench_lists *lists, failure *why)
{
    /* A word may stand for two models. */
    const size_t files = 2 * (size_t)count, variants = files * (size_t)lists->isa_count * (size_t)lists->thread_count;
    *set = (model_set){.files = calloc(files, sizeof *set->files), .variants = calloc(variants, sizeof *set->variants)};
    if (!set->files || !set->variants)
        return fail_with(why, "out of memory");
    for (int i = 0; i < count; i++)
        if (!load_word(set, words[i], why))
            return false;
    for (int i = 0; i < set->file_count; i++)
        set->files[i].baseline = find_baseline(set, i);
    make_variants(set, lists);
    for (int i = 0; i < set->variant_count; i++) {
        model_variant *v = &set->variants[i];
        v->layers = calloc(v->file->layers + 1, sizeof *v->layers);
        if (!v->layers)
            return fail_with(why, "out of memory");
    }
    return true;
}

void model_set_close(model_set *set)
{
    for (int i = 0; set->variants && i < set->variant_count; i++) {
        oct_session_free(set->variants[i].session);
        measure_free(&set->variants[i].result, 1);
        free(set->variants[i].layers);
    }
    for (int i = 0; set->files && i < set->file_count; i++)
        oct_model_free(set->files[i].model);
    free(set->variants);
    free(set->files);
    *set = (model_set){0};
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
static bool measure_cold(model_set *set, const machine *m, failure *why)
{
    const size_t bytes = 2 * m->cache[2] + 2 * m->cache[1];
    char *buffer = malloc(bytes);
    if (!buffer)
        return fail_with(why, "no memory to flush the caches");
    for (int i = 0; i < set->variant_count; i++) {
        double seconds[COLD_RUNS];
        for (int r = 0; r < COLD_RUNS; r++) {
            fill_caches(buffer, bytes);
            seconds[r] = time_once(&set->variants[i]);
        }
        set->variants[i].cold = stats_median(seconds, COLD_RUNS);
    }
    free(buffer);
    return true;
}

/* ---------------------------------------------------------------------------------------------- layers ---- */

#define PROFILED_RUNS 15 /* per layer; the median of them */

/* What a layer has to do at least. Its weights come from the level that holds all that the session touches, since the other layers
 * pass through the caches before it runs again; what it takes from its neighbours from the level that holds just that. */
static peak_work layer_work(const model_variant *v, const peaks *p, const model_layer *layer)
{
    const size_t weights = layer->info.weight_bytes, moved = layer->run.bytes_moved;
    const size_t others = moved > weights ? moved - weights : 0;
    return (peak_work){.isa = v->isa,
                       .int8 = !strncmp(layer->info.precision, "int8", 4),
                       .ops = 2.0 * (double)layer->info.macs,
                       .bytes = moved - others,
                       .level = peak_level_of(p, v->info.packed_bytes + v->info.arena_bytes),
                       .near_bytes = others,
                       .near_level = peak_level_of(p, others)};
}

/* seconds[layer * PROFILED_RUNS + run] */
static bool profile_runs(model_variant *v, oct_session *session, double *seconds, failure *why)
{
    for (int run = -1; run < PROFILED_RUNS; run++) { /* the first warms up */
        if (oct_run(session) != OCT_OK)
            return fail_library(why, v->file->path);
        for (size_t i = 0; i < v->file->layers; i++) {
            if (oct_session_layer(session, i, &v->layers[i].run) != OCT_OK)
                return fail_library(why, v->file->path);
            if (run >= 0)
                seconds[i * PROFILED_RUNS + (size_t)run] = 1e-6 * v->layers[i].run.microseconds;
        }
    }
    return true;
}

/* The algorithm and the bytes come from the session that was measured, the times from the one that was profiled. */
static bool fill_layers(model_variant *v, const peaks *p, double *seconds, failure *why)
{
    for (size_t i = 0; i < v->file->layers; i++) {
        model_layer *layer = &v->layers[i];
        if (oct_model_layer(v->file->model, i, &layer->info) != OCT_OK || oct_session_layer(v->session, i, &layer->run) != OCT_OK)
            return fail_library(why, v->file->path);
        layer->seconds = stats_median(seconds + i * PROFILED_RUNS, PROFILED_RUNS);
        const peak_work work = layer_work(v, p, layer);
        layer->bound = peak_bound_of(p, &work);
        v->bound += layer->bound.seconds;
    }
    return true;
}

/* In a session of its own, because taking the time of every layer costs time. */
static bool measure_layers(model_variant *v, bench_context *context, failure *why)
{
    const peaks *p = bench_peaks(context, v->threads, why);
    double *seconds = calloc(v->file->layers * PROFILED_RUNS + 1, sizeof *seconds);
    oct_session *session = NULL;
    bool tied, ok = p != NULL && (seconds || fail_with(why, "out of memory"));
    ok = ok && open_session(v, &context->machine.cpus, 1, &session, &tied, why) && profile_runs(v, session, seconds, why) &&
         fill_layers(v, p, seconds, why);
    oct_session_free(session);
    free(seconds);
    return ok;
}

/* ------------------------------------------------------------------------------------------ everything ---- */

/* The budget is for all variants together. */
static bool measure_warm(model_set *set, double seconds, failure *why)
{
    const size_t count = (size_t)set->variant_count;
    measure_item *items = calloc(count, sizeof *items);
    measure_result *results = calloc(count, sizeof *results);
    bool ok = items && results;
    for (size_t i = 0; i < count && ok; i++)
        items[i] = (measure_item){run_variant, &set->variants[i]};
    ok = ok && measure_group(items, set->variant_count, seconds, results, &set->info);
    for (size_t i = 0; i < count && ok; i++)
        set->variants[i].result = results[i];
    free(items);
    free(results);
    return ok || fail_with(why, "no memory for the samples");
}

/* Peaks first: they need the machine for themselves. A failed run is told at the end; the timed loop has no room for it. */
bool model_set_measure(model_set *set, bench_context *context, double seconds, failure *why)
{
    for (int i = 0; i < set->variant_count; i++)
        if (!bench_peaks(context, set->variants[i].threads, why))
            return false;
    for (int i = 0; i < set->variant_count; i++)
        if (!prepare_variant(&set->variants[i], &context->machine.cpus, why))
            return false;
    if (!measure_warm(set, seconds, why) || !measure_cold(set, &context->machine, why))
        return false;
    for (int i = 0; i < set->variant_count; i++) {
        model_variant *v = &set->variants[i];
        if (v->failed)
            return fail_with(why, "%s: a run failed on %s with %d threads", v->file->path, v->isa, v->threads);
        if (!measure_layers(v, context, why))
            return false;
        if (v->baseline)
            v->speedup = measure_speedup(&v->baseline->result, &v->result, &set->info);
    }
    return true;
}

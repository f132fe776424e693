/* model_report.c - models as JSON and as tables.
 *
 * The tables keep to 80 columns, so they are several: latency, memory, speed-up, layers. The JSON has everything.
 */
#include <string.h>

#include "model_bench.h"
#include "table.h"

/* Share of the bounding peak, percent. */
static double percent(double bound, double seconds) { return seconds > 0 ? 100 * bound / seconds : 0; }

/* ------------------------------------------------------------------------------------------------ JSON ---- */

/* in and out are in octet's inner layout, N x H x W x C. */
static void write_layer(json *j, const model_layer *layer)
{
    json_object(j, NULL);
    json_text(j, "name", layer->info.name);
    json_text(j, "op", layer->info.op);
    json_text(j, "precision", layer->info.precision);
    json_text(j, "act", layer->info.act);
    json_integers(j, "in", layer->info.in.dims, layer->info.in.rank);
    json_integers(j, "out", layer->info.out.dims, layer->info.out.rank);
    json_text(j, "algo", layer->run.algo);
    json_text(j, "kernel", layer->run.kernel);
    json_integer(j, "macs", layer->info.macs);
    json_integer(j, "bytes_moved", (int64_t)layer->run.bytes_moved);
    json_number(j, "median_us", 1e6 * layer->seconds);
    json_number(j, "gops", layer->seconds > 0 ? 2e-9 * (double)layer->info.macs / layer->seconds : 0);
    json_number(j, "percent_of_peak", percent(layer->bound.seconds, layer->seconds));
    json_text(j, "bound", layer->bound.name);
    json_close(j);
}

/* One element of "models". */
static void write_variant(json *j, const model_variant *v)
{
    json_object(j, NULL);
    json_text(j, "model", v->file->name);
    json_text(j, "scheme", v->file->scheme);
    json_text(j, "isa", v->isa);
    json_integer(j, "threads", v->threads);
    json_bool(j, "pinned", v->tied);
    json_number(j, "median_ms", 1e3 * v->result.median);
    json_number(j, "p5_ms", 1e3 * v->result.p5);
    json_number(j, "p95_ms", 1e3 * v->result.p95);
    json_number(j, "first_ms", 1e3 * v->first);
    json_number(j, "cold_ms", 1e3 * v->cold);
    json_number(j, "prepare_ms", 1e3 * v->prepare);
    json_integer(j, "arena_bytes", (int64_t)v->info.arena_bytes);
    json_integer(j, "arena_bound_bytes", (int64_t)v->info.arena_bound);
    json_integer(j, "weight_bytes", (int64_t)v->file->weight_bytes);
    json_integer(j, "packed_bytes", (int64_t)v->info.packed_bytes);
    json_integer(j, "macs", v->file->macs);
    json_number(j, "percent_of_peak", percent(v->bound, v->result.median));
    json_array(j, "layers");
    for (size_t i = 0; i < v->file->layers; i++)
        write_layer(j, &v->layers[i]);
    json_close(j);
    json_close(j);
}

/* One element of "pairs"; "baseline" is the f32 model it is held against. */
static void write_pair(json *j, const model_variant *v)
{
    json_object(j, NULL);
    json_text(j, "model", v->file->name);
    json_text(j, "scheme", v->file->scheme);
    json_text(j, "baseline", v->baseline->file->name);
    json_text(j, "isa", v->isa);
    json_integer(j, "threads", v->threads);
    json_number(j, "speedup", v->speedup.median);
    json_number(j, "lo", v->speedup.lo);
    json_number(j, "hi", v->speedup.hi);
    json_close(j);
}

/* "rounds" says how much the figures rest on. */
void model_set_json(const model_set *set, json *j)
{
    json_object(j, "rounds");
    json_integer(j, "kept", set->info.rounds);
    json_integer(j, "disturbed", set->info.disturbed);
    json_number(j, "seconds", set->info.seconds);
    json_close(j);
    json_array(j, "models");
    for (int i = 0; i < set->variant_count; i++)
        write_variant(j, &set->variants[i]);
    json_close(j);
    json_array(j, "pairs");
    for (int i = 0; i < set->variant_count; i++)
        if (set->variants[i].baseline)
            write_pair(j, &set->variants[i]);
    json_close(j);
}

/* ---------------------------------------------------------------------------------------------- tables ---- */

/* Three significant digits or more. */
static void milliseconds(table *t, double seconds)
{
    const double ms = 1e3 * seconds;
    table_cell(t, "%.*f", ms < 9.9995 ? 3 : ms < 99.995 ? 2 : 1, ms);
}

/* A star marks a variant whose threads had to share CPUs. */
static void print_latency(const model_set *set, FILE *to)
{
    static const table_column columns[] = {{"model", TABLE_SHRINK}, {"ISA", TABLE_LEFT},   {"threads", TABLE_RIGHT},
                                           {"median", TABLE_RIGHT}, {"p5", TABLE_RIGHT},   {"p95", TABLE_RIGHT},
                                           {"first", TABLE_RIGHT},  {"cold", TABLE_RIGHT}, {"% peak", TABLE_RIGHT}};
    table *t = table_create(columns, 9);
    for (int i = 0; i < set->variant_count; i++) {
        const model_variant *v = &set->variants[i];
        table_cell(t, "%s", v->file->name);
        table_cell(t, "%s", v->isa);
        table_cell(t, "%d%s", v->threads, v->tied || v->threads == 1 ? "" : "*");
        /* warm: what a program sees that runs the model in a loop ... */
        milliseconds(t, v->result.median);
        milliseconds(t, v->result.p5);
        milliseconds(t, v->result.p95);
        /* ... and what one sees that runs it now and then */
        milliseconds(t, v->first);
        milliseconds(t, v->cold);
        table_cell(t, "%.0f", percent(v->bound, v->result.median));
    }
    fprintf(to, "milliseconds of one run (%d rounds, %d disturbed)\n", set->info.rounds, set->info.disturbed);
    table_print(t, to);
    table_free(t);
    for (int i = 0; i < set->variant_count; i++)
        if (!set->variants[i].tied && set->variants[i].threads > 1) {
            fprintf(to, "* more threads than CPUs, or they could not be tied: such figures are the scheduler's\n");
            break;
        }
}

static void bytes_cell(table *t, size_t bytes)
{
    char text[32];
    table_cell(t, "%s", table_bytes((double)bytes, text, sizeof text));
}

/* Packed weights depend on the ISA, and with AVX2 int8 weights may be stored wider: hence a row per variant. */
static void print_memory(const model_set *set, FILE *to)
{
    static const table_column columns[] = {{"model", TABLE_SHRINK},  {"scheme", TABLE_LEFT},   {"ISA", TABLE_LEFT},
                                           {"threads", TABLE_RIGHT}, {"weights", TABLE_RIGHT}, {"packed", TABLE_RIGHT},
                                           {"arena", TABLE_RIGHT}};
    table *t = table_create(columns, 7);
    for (int i = 0; i < set->variant_count; i++) {
        const model_variant *v = &set->variants[i];
        table_cell(t, "%s", v->file->name);
        table_cell(t, "%s", v->file->scheme);
        table_cell(t, "%s", v->isa);
        table_cell(t, "%d", v->threads);
        bytes_cell(t, v->file->weight_bytes);
        bytes_cell(t, v->info.packed_bytes);
        bytes_cell(t, v->info.arena_bytes);
    }
    fprintf(to, "\nmemory: weights in the file, weights packed for the ISA, activations and scratch\n");
    table_print(t, to);
    table_free(t);
}

/* Nothing at all without a pair. */
static void print_pairs(const model_set *set, FILE *to)
{
    static const table_column columns[] = {{"model", TABLE_SHRINK},  {"over", TABLE_SHRINK},    {"ISA", TABLE_LEFT},
                                           {"threads", TABLE_RIGHT}, {"speed-up", TABLE_RIGHT}, {"95 % interval", TABLE_RIGHT}};
    table *t = table_create(columns, 6);
    int pairs = 0;
    for (int i = 0; i < set->variant_count; i++) {
        const model_variant *v = &set->variants[i];
        if (!v->baseline)
            continue;
        pairs++;
        table_cell(t, "%s", v->file->name);
        table_cell(t, "%s", v->baseline->file->name);
        table_cell(t, "%s", v->isa);
        table_cell(t, "%d", v->threads);
        table_cell(t, "%.2f", v->speedup.median);
        table_cell(t, "%.2f .. %.2f", v->speedup.lo, v->speedup.hi);
    }
    if (pairs) {
        fprintf(to, "\nspeed-up: median of the ratios within rounds\n");
        table_print(t, to);
    }
    table_free(t);
}

void model_set_print(const model_set *set, FILE *to)
{
    print_latency(set, to);
    print_memory(set, to);
    print_pairs(set, to);
}

/* A layer that has no work of its own is left out. */
static void print_variant_layers(const model_variant *v, FILE *to)
{
    static const table_column columns[] = {{"layer", TABLE_SHRINK}, {"op", TABLE_LEFT},   {"precision", TABLE_LEFT},
                                           {"algo", TABLE_LEFT},    {"us", TABLE_RIGHT},  {"share", TABLE_RIGHT},
                                           {"% peak", TABLE_RIGHT}, {"bound", TABLE_LEFT}};
    /* Shares of the sum of the layers, not of the run: taking the time of each costs a little. */
    double total = 0;
    for (size_t i = 0; i < v->file->layers; i++)
        total += v->layers[i].seconds;
    table *t = table_create(columns, 8);
    for (size_t i = 0; i < v->file->layers; i++) {
        const model_layer *layer = &v->layers[i];
        if (!strcmp(layer->run.algo, "none"))
            continue;
        table_cell(t, "%s", layer->info.name);
        table_cell(t, "%s", layer->info.op);
        table_cell(t, "%s", layer->info.precision);
        table_cell(t, "%s", layer->run.algo);
        table_cell(t, "%.1f", 1e6 * layer->seconds);
        table_cell(t, "%.1f %%", total > 0 ? 100 * layer->seconds / total : 0);
        table_cell(t, "%.0f", percent(layer->bound.seconds, layer->seconds));
        table_cell(t, "%s", layer->bound.name);
    }
    fprintf(to, "\nlayers of %s on %s, %d thread%s\n", v->file->name, v->isa, v->threads, v->threads == 1 ? "" : "s");
    table_print(t, to);
    table_free(t);
}

void model_set_print_layers(const model_set *set, FILE *to)
{
    for (int i = 0; i < set->variant_count; i++)
        print_variant_layers(&set->variants[i], to);
}

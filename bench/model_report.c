/* model_report.c - models as JSON and as tables.
 *
 * The tables keep to 80 columns, so they are several: latency, speed-up and memory, layers. The JSON has everything.
 */
#include <math.h>
#include <string.h>

#include "model_bench.h"
#include "table.h"

double model_percent(double bound, double seconds) { return seconds > 0 ? 100 * bound / seconds : 0; }

/* ------------------------------------------------------------------------------------------------ JSON ---- */

/* in and out are in octet's inner layout, N x H x W x C. */
void model_layer_json(json *j, const model_layer *layer)
{
    json_object_line(j, NULL);
    json_text(j, "name", layer->name);
    json_text(j, "op", layer->op);
    json_text(j, "precision", layer->precision);
    json_text(j, "act", layer->act);
    json_integers(j, "in", layer->in.dims, layer->in.rank);
    json_integers(j, "out", layer->out.dims, layer->out.rank);
    json_text(j, "algo", layer->algo);
    json_text(j, "kernel", layer->kernel);
    json_integer(j, "macs", layer->macs);
    json_integer(j, "bytes_moved", (int64_t)layer->bytes_moved);
    json_number(j, "median_us", 1e6 * layer->seconds);
    json_number(j, "gops", layer->seconds > 0 ? 2e-9 * (double)layer->macs / layer->seconds : 0);
    json_number(j, "percent_of_peak", model_percent(layer->bound.seconds, layer->seconds));
    json_text(j, "bound", layer->bound.name);
    json_close(j);
}

/* The kernels that do the model's work, the busiest first: names as the session gives them. */
static void write_kernels(json *j, const model_variant *v)
{
    const char *names[12];
    double seconds[12] = {0};
    int count = 0;
    for (size_t i = 0; v->layers && i < v->file->layers; i++) {
        int k = 0;
        while (k < count && strcmp(names[k], v->layers[i].kernel) != 0)
            k++;
        if (!v->layers[i].kernel[0] || k == 12)
            continue;
        if (k == count)
            names[count++] = v->layers[i].kernel;
        seconds[k] += v->layers[i].seconds;
    }
    for (int i = 0; i < count; i++)
        for (int k = i + 1; k < count; k++)
            if (seconds[k] > seconds[i]) {
                const char *name = names[i];
                const double time = seconds[i];
                names[i] = names[k], seconds[i] = seconds[k];
                names[k] = name, seconds[k] = time;
            }
    json_texts(j, "kernels", names, count);
}

/* null where there is nothing to compare with. */
static void write_answers(json *j, const model_variant *v)
{
    json_bool(j, "outputs_checked", v->answers.checked);
    json_number(j, "outputs_difference", v->answers.difference);
    json_number(j, "sqnr_db", v->answers.sqnr_db);
}

/* One element of "models". */
static void write_variant(json *j, const model_variant *v)
{
    json_object(j, NULL);
    json_text(j, "model", v->file->name);
    json_text(j, "scheme", v->file->scheme);
    json_text(j, "isa", v->isa);
    json_integer(j, "threads", v->threads);
    json_bool(j, "pinned", v->tied || v->threads == 1);
    json_number(j, "median_ms", 1e3 * v->result.median);
    json_number(j, "p5_ms", 1e3 * v->result.p5);
    json_number(j, "p95_ms", 1e3 * v->result.p95);
    json_number(j, "lo_ms", 1e3 * v->result.lo);
    json_number(j, "hi_ms", 1e3 * v->result.hi);
    json_number(j, "first_ms", 1e3 * v->first);
    json_number(j, "cold_ms", v->cold > 0 ? 1e3 * v->cold : NAN);
    json_number(j, "prepare_ms", 1e3 * v->prepare);
    if (v->baseline) {
        json_number(j, "speedup", v->speedup.median);
        json_number(j, "speedup_lo", v->speedup.lo);
        json_number(j, "speedup_hi", v->speedup.hi);
    }
    json_integer(j, "arena_bytes", (int64_t)v->info.arena_bytes);
    json_integer(j, "arena_bound_bytes", (int64_t)v->info.arena_bound);
    json_integer(j, "weight_bytes", (int64_t)v->file->weight_bytes);
    json_integer(j, "packed_bytes", (int64_t)v->info.packed_bytes);
    json_integer(j, "macs", v->file->macs);
    write_answers(j, v);
    if (v->layers) {
        json_number(j, "percent_of_peak", model_percent(v->bound, v->result.median));
        write_kernels(j, v);
        json_array(j, "layers");
        for (size_t i = 0; i < v->file->layers; i++)
            model_layer_json(j, &v->layers[i]);
        json_close(j);
    }
    json_close(j);
}

/* One element of "pairs"; "baseline" is the f32 model it is held against. */
static void write_pair(json *j, const model_variant *v)
{
    json_object_line(j, NULL);
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

void model_set_json(const model_set *set, json *j)
{
    bench_json_noise(j, &set->info);
    json_array(j, "models");
    for (int i = 0; i < set->variant_count; i++)
        if (set->variants[i].measured)
            write_variant(j, &set->variants[i]);
    json_close(j);
    json_array(j, "pairs");
    for (int i = 0; i < set->variant_count; i++)
        if (set->variants[i].measured && set->variants[i].baseline)
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

/* Do these two stand in the same table? */
static bool same_place(const model_variant *a, const model_variant *b)
{
    return a->threads == b->threads && !strcmp(a->isa, b->isa);
}

/* The first measured variant of its ISA and threads. */
static bool is_first(const model_set *set, int index)
{
    for (int i = 0; i < index; i++)
        if (set->variants[i].measured && same_place(&set->variants[i], &set->variants[index]))
            return false;
    return set->variants[index].measured;
}

static void print_latency(const model_set *set, const model_variant *place, FILE *to)
{
    static const table_column columns[] = {{"model", TABLE_SHRINK}, {"scheme", TABLE_LEFT}, {"median", TABLE_RIGHT},
                                           {"p5", TABLE_RIGHT},     {"p95", TABLE_RIGHT},   {"first", TABLE_RIGHT},
                                           {"cold", TABLE_RIGHT},   {"% peak", TABLE_RIGHT}};
    table *t = table_create(columns, 8);
    for (int i = 0; i < set->variant_count; i++) {
        const model_variant *v = &set->variants[i];
        if (!v->measured || !same_place(v, place))
            continue;
        table_cell(t, "%s", v->file->name);
        table_cell(t, "%s", twin_scheme_brief(v->file->scheme));
        /* warm: what a program sees that runs the model in a loop ... */
        milliseconds(t, v->result.median);
        milliseconds(t, v->result.p5);
        milliseconds(t, v->result.p95);
        /* ... and what one sees that runs it now and then */
        milliseconds(t, v->first);
        milliseconds(t, v->cold);
        table_cell(t, "%.0f", model_percent(v->bound, v->result.median));
    }
    table_print(t, to);
    table_free(t);
}

static void bytes_cell(table *t, size_t bytes)
{
    char text[32];
    table_cell(t, "%s", table_bytes((double)bytes, text, sizeof text));
}

/* Green and red only where the interval leaves no doubt. */
static void speedup_cells(table *t, const model_variant *v)
{
    if (!v->baseline || !v->baseline->measured) {
        table_cell(t, "%s", "");
        table_cell(t, "%s", "");
        return;
    }
    table_cell(t, "%.2f", v->speedup.median);
    table_paint(t, v->speedup.lo > 1 ? TABLE_GOOD : v->speedup.hi < 1 ? TABLE_BAD : TABLE_PLAIN);
    table_cell(t, "%.2f .. %.2f", v->speedup.lo, v->speedup.hi);
}

static void print_pairs(const model_set *set, const model_variant *place, FILE *to)
{
    static const table_column columns[] = {{"model", TABLE_SHRINK},         {"scheme", TABLE_LEFT},   {"over f32", TABLE_RIGHT},
                                           {"95 % interval", TABLE_RIGHT}, {"weights", TABLE_RIGHT}, {"packed", TABLE_RIGHT},
                                           {"arena", TABLE_RIGHT}};
    table *t = table_create(columns, 7);
    for (int i = 0; i < set->variant_count; i++) {
        const model_variant *v = &set->variants[i];
        if (!v->measured || !same_place(v, place))
            continue;
        table_cell(t, "%s", v->file->name);
        table_cell(t, "%s", twin_scheme_brief(v->file->scheme));
        speedup_cells(t, v);
        bytes_cell(t, v->file->weight_bytes);
        bytes_cell(t, v->info.packed_bytes);
        bytes_cell(t, v->info.arena_bytes);
    }
    fprintf(to, "\nspeed-up (median of the ratios within rounds), and memory\n");
    table_print(t, to);
    table_free(t);
}

/* What is wrong with the answers, if anything. */
static void print_answers(const model_set *set, FILE *to)
{
    for (int i = 0; i < set->variant_count; i++) {
        const model_variant *v = &set->variants[i];
        if (v->answers.wrong)
            fprintf(to, "%sWRONG: %s (%s) on %s, %d threads: outputs differ by %.2g of the largest%s\n", table_color(to, TABLE_BAD),
                    v->file->name, v->file->scheme, v->isa, v->threads, v->answers.difference, table_color(to, TABLE_PLAIN));
    }
}

/* A pair of tables for each ISA and number of threads. */
void model_set_print(const model_set *set, FILE *to)
{
    for (int i = 0; i < set->variant_count; i++) {
        const model_variant *v = &set->variants[i];
        if (!is_first(set, i))
            continue;
        fprintf(to, "%s%s, %d thread%s%s: milliseconds of one run\n", table_color(to, TABLE_STRONG), v->isa, v->threads,
                v->threads == 1 ? "" : "s", table_color(to, TABLE_PLAIN));
        print_latency(set, v, to);
        if (!v->tied && v->threads > 1)
            fprintf(to, "more threads than CPUs, or they could not be tied: such figures are the scheduler's\n");
        print_pairs(set, v, to);
        fprintf(to, "\n");
    }
    print_answers(set, to);
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
        if (!strcmp(layer->algo, "none"))
            continue;
        table_cell(t, "%s", layer->name);
        table_cell(t, "%s", layer->op);
        table_cell(t, "%s", layer->precision);
        table_cell(t, "%s", layer->algo);
        table_cell(t, "%.1f", 1e6 * layer->seconds);
        table_cell(t, "%.1f %%", total > 0 ? 100 * layer->seconds / total : 0);
        table_cell(t, "%.0f", model_percent(layer->bound.seconds, layer->seconds));
        table_cell(t, "%s", layer->bound.name);
    }
    fprintf(to, "layers of %s, %s, on %s, %d thread%s\n", v->file->name, v->file->scheme, v->isa, v->threads,
            v->threads == 1 ? "" : "s");
    table_print(t, to);
    table_free(t);
    fprintf(to, "\n");
}

void model_set_print_layers(const model_set *set, FILE *to)
{
    for (int i = 0; i < set->variant_count; i++)
        if (set->variants[i].layers)
            print_variant_layers(&set->variants[i], to);
}

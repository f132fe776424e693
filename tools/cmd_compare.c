/* octet compare - finds the culprit: a quantized model beside its float original, layer by layer, worst first.
 *
 * Two numbers tell a layer that does harm from one that suffers it:
 *
 *     alone         the layer given the float model's tensors       low: this layer is at fault
 *     accumulated   the layer where it stands                       low, while alone is high: something before it is
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "feed.h"
#include "json.h"
#include "octet_convert.h"
#include "progress.h"
#include "table.h"

/* The command line. */
typedef struct compare_options {
    arg_texts data;
    const char *by;
    int64_t samples, top;   /* 0: all */
    bool as_json, as_csv;
    data_transform transform;
    engine_options engine;
} compare_options;

typedef struct result {
    oct_layer_comparison *layers;
    size_t count;            /* to be shown */
    size_t all;
    int64_t samples;
} result;

/* ------------------------------------------------------------------------------------------------ comparing ---- */

/* Every sample through both models. */
static bool compare_samples(const compare_options *o, feed *f, oct_comparison *c, failure *why)
{
    const int64_t samples = o->samples > 0 && o->samples < f->samples ? o->samples : f->samples;
    bool ok = true;
    progress p;
    progress_start(&p, "comparing", samples);
    for (int64_t i = 0; i < samples && ok; i++) {
        ok = feed_load(f, i, why);
        if (ok && oct_compare_add(c, f->inputs) != OCT_OK)
            ok = fail_library(why, f->count == 1 ? data_path(f->files[0]) : NULL);
        progress_show(&p, i + 1);
    }
    progress_end(&p);
    return ok;
}

static int by_number(double a, double b) { return a < b ? -1 : a > b; }

static int by_alone(const void *a, const void *b)
{
    const oct_layer_comparison *x = a, *y = b;
    return by_number(x->alone_db, y->alone_db);
}

static int by_accumulated(const void *a, const void *b)
{
    const oct_layer_comparison *x = a, *y = b;
    return by_number(x->accumulated_db, y->accumulated_db);
}

/* All layers, sorted and cut. */
static bool collect(const compare_options *o, const oct_comparison *c, result *r, failure *why)
{
    r->all = r->count = oct_compare_layer_count(c);
    r->samples = oct_compare_samples(c);
    r->layers = calloc(r->count + 1, sizeof *r->layers);
    if (!r->layers)
        return fail_with(why, "out of memory");
    for (size_t i = 0; i < r->count; i++)
        if (oct_compare_layer(c, i, &r->layers[i]) != OCT_OK)
            return fail_library(why, NULL);
    if (strcmp(o->by, "order") != 0)
        qsort(r->layers, r->count, sizeof *r->layers, !strcmp(o->by, "alone") ? by_alone : by_accumulated);
    if (o->top > 0 && (size_t)o->top < r->count)
        r->count = (size_t)o->top;
    return true;
}

/* ------------------------------------------------------------------------------------------------- printing ---- */

static void cell_db(table *t, double db)
{
    if (isfinite(db))
        table_cell(t, "%.1f", db);
    else
        table_cell(t, db > 0 ? "equal" : "lost");
}

static void print_text(const result *r, const char *const *models)
{
    static const table_column columns[] = {
        {"layer", TABLE_SHRINK}, {"operator", 0}, {"type", 0}, {"alone dB", TABLE_RIGHT}, {"accumulated dB", TABLE_RIGHT},
        {"saturated", TABLE_RIGHT}, {"range used", TABLE_RIGHT}, {"worst channel", TABLE_RIGHT}, {"dB", TABLE_RIGHT},
    };
    printf("%s against %s, %lld samples, %zu of %zu layers\n\n", models[1], models[0], (long long)r->samples, r->count, r->all);
    table *t = table_create(columns, (int)(sizeof columns / sizeof columns[0]));
    for (size_t i = 0; i < r->count; i++) {
        const oct_layer_comparison *l = &r->layers[i];
        table_cell(t, "%s", l->name);
        table_cell(t, "%s", l->op);
        table_cell(t, "%s", l->precision);
        cell_db(t, l->alone_db);
        cell_db(t, l->accumulated_db);
        table_cell(t, l->is_u8 ? "%.3f %%" : "-", 100 * l->saturated);
        table_cell(t, l->is_u8 ? "%.0f %%" : "-", 100 * l->range_used);
        table_cell(t, l->worst_channel >= 0 ? "%lld" : "-", (long long)l->worst_channel);
        if (l->worst_channel >= 0)
            cell_db(t, l->worst_channel_db);
        else
            table_cell(t, "-");
    }
    table_print(t, stdout);
    table_free(t);
}

/* What is infinite is null, as in `octet eval`. */
static void print_json(const result *r, const char *const *models)
{
    json j;
    json_begin(&j, stdout);
    json_object(&j, NULL);
    json_text(&j, "octet", oct_version());
    json_text(&j, "float", models[0]);
    json_text(&j, "quantized", models[1]);
    json_integer(&j, "samples", r->samples);
    json_array(&j, "layers");
    for (size_t i = 0; i < r->count; i++) {
        const oct_layer_comparison *l = &r->layers[i];
        json_object(&j, NULL);
        json_text(&j, "name", l->name);
        json_text(&j, "op", l->op);
        json_text(&j, "precision", l->precision);
        json_text(&j, "tensor", l->tensor);
        json_number(&j, "alone_db", l->alone_db);
        json_number(&j, "accumulated_db", l->accumulated_db);
        json_number(&j, "saturated", l->is_u8 ? l->saturated : (double)NAN);
        json_number(&j, "range_used", l->is_u8 ? l->range_used : (double)NAN);
        json_integer(&j, "worst_channel", l->worst_channel);
        json_number(&j, "worst_channel_db", l->worst_channel >= 0 ? l->worst_channel_db : (double)NAN);
        json_close(&j);
    }
    json_end(&j);
}

/* A field in quotes, quotes in it doubled (RFC 4180). */
static void csv_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    printf("\",");
}

/* Nothing between two commas where there is no number; inf and -inf as spreadsheets and scripts write them. */
static void print_csv(const result *r)
{
    printf("name,op,precision,tensor,alone_db,accumulated_db,saturated,range_used,worst_channel,worst_channel_db\n");
    for (size_t i = 0; i < r->count; i++) {
        const oct_layer_comparison *l = &r->layers[i];
        csv_text(l->name);
        csv_text(l->op);
        csv_text(l->precision);
        csv_text(l->tensor);
        printf("%.6g,%.6g,", l->alone_db, l->accumulated_db);
        if (l->is_u8)
            printf("%.6g,%.6g,", l->saturated, l->range_used);
        else
            printf(",,");
        if (l->worst_channel >= 0)
            printf("%lld,%.6g\n", (long long)l->worst_channel, l->worst_channel_db);
        else
            printf(",\n");
    }
}

/* --------------------------------------------------------------------------------------------------- command ---- */

/* models: the float one and the quantized one, both loaded. */
static bool compare_models(const compare_options *o, oct_model *const *models, const char *const *names, failure *why)
{
    oct_graph *graphs[2] = {NULL, NULL};
    oct_comparison *c = NULL;
    feed f = {0};
    result r = {0};
    const oct_options session = engine_session_options(&o->engine);
    bool ok = feed_open(&f, models[0], &o->data, "--data", &o->transform, why);
    for (int i = 0; i < 2 && ok; i++)
        ok = oct_graph_from_model(models[i], &graphs[i]) == OCT_OK || fail_library(why, names[i]);
    ok = ok && (oct_compare_create(graphs[0], graphs[1], &session, &c) == OCT_OK || fail_library(why, NULL));
    ok = ok && compare_samples(o, &f, c, why) && collect(o, c, &r, why);
    if (ok && o->as_json)
        print_json(&r, names);
    else if (ok && o->as_csv)
        print_csv(&r);
    else if (ok)
        print_text(&r, names);
    free(r.layers);
    oct_compare_free(c);
    feed_close(&f);
    oct_graph_free(graphs[0]);
    oct_graph_free(graphs[1]);
    return ok;
}

static bool compare_files(const compare_options *o, const char *const *names, failure *why)
{
    oct_model *models[2] = {NULL, NULL};
    bool ok = true;
    for (int i = 0; i < 2 && ok; i++)
        ok = oct_model_load(names[i], &models[i]) == OCT_OK || fail_library(why, names[i]);
    ok = ok && compare_models(o, models, names, why);
    oct_model_free(models[0]);
    oct_model_free(models[1]);
    return ok;
}

static const char about[] =
    "Runs a float model and its quantized form on the same samples and compares them layer by\n"
    "layer, worst first. FLOAT.oct must be the file that was quantized.\n\n"
    "  alone        signal to noise in dB of the layer given the float model's\n"
    "               tensors: its own fault\n"
    "  accumulated  the same with the errors of all layers before it\n"
    "  saturated    share of the bytes whose float number lies outside what they say\n"
    "  range used   of the 256 steps of its output\n"
    "  worst channel  of the last dimension, accumulated\n\n"
    "--json has null for what is infinite (nothing differs) or does not apply.\n";

int cmd_compare(int argc, char **argv)
{
    compare_options o = {.by = "alone"};
    const arg_option options[] = {
        {"--data", .alias = "-d", .kind = ARG_TEXTS, .to = &o.data, .required = true, .value = "DATA",
         .help = "samples; once for each input of the model, in its order"},
        {"--samples", .kind = ARG_INTEGER, .to = &o.samples, .value = "N", .help = "only the first N", .min = 1, .max = INT64_MAX},
        {"--by", .kind = ARG_TEXT, .to = &o.by, .value = "KEY", .choices = "alone accumulated order",
         .help = "alone (default), accumulated, or order: as they run"},
        {"--top", .kind = ARG_INTEGER, .to = &o.top, .value = "N", .help = "only the first N layers", .min = 1, .max = INT64_MAX},
        {"--json", .kind = ARG_FLAG, .to = &o.as_json, .help = "as one JSON object"},
        {"--csv", .kind = ARG_FLAG, .to = &o.as_csv, .help = "as comma-separated values"},
        {0},
    };
    arg_option engine[ENGINE_OPTION_ROWS], transform[DATA_OPTION_ROWS];
    engine_option_rows(&o.engine, engine);
    data_option_rows(&o.transform, transform);
    const arg_spec spec = {
        .command = "octet compare",
        .usage = "FLOAT.oct QUANT.oct --data DATA [--by KEY] [--top N] [--json | --csv] [options]",
        .about = about,
        .word = "MODEL.oct",
        .min_words = 2,
        .max_words = 2,
        .groups = {options, transform, engine},
    };
    int words, status;
    failure why;
    if (!parse_command(&spec, argc, argv, &words, &o.engine, &o.transform, &status))
        return status;
    if (o.as_json && o.as_csv)
        return usage_status(args_bad(&spec, "--json and --csv exclude one another"));
    const char *const names[2] = {argv[0], argv[1]};
    return compare_files(&o, names, &why) ? EXIT_WORKED : report_failure(&spec, &why);
}

/* demo.c - `octet-bench demo`: one table for somebody who has never seen any of this.
 *
 * A float model, its quantized twin, and samples with labels: how often are they right, how often do they agree, how large is each,
 * how fast is each? Public headers only, so it is also an example of what a program can find out about its models.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "compare.h"
#include "feed.h"
#include "model_bench.h"
#include "table.h"

/* What the command line said. */
typedef struct demo_options {
    const char *test, *labels, *isa;
    bench_output output;
    int64_t threads;
    double seconds;
    data_transform transform;
} demo_options;

/* What the models answered: answers[model][sample]. */
typedef struct demo_answers {
    int64_t samples;
    int64_t *labels;
    int64_t *answers[2];
} demo_answers;

/* ------------------------------------------------------------------------------------------- accuracy ---- */

/* Accuracy does not depend on the ISA for int8 layers and hardly for f32; it is counted on the one that is timed. */
static bool classify(feed *f, oct_session *session, const oct_tensor_info *output, int64_t **answers, failure *why)
{
    /* One sample's scores at a time; of all samples only the classes are kept. */
    float *scores = malloc(output->elements * sizeof *scores);
    *answers = malloc((size_t)f->samples * sizeof **answers);
    bool ok = (scores && *answers) || fail_with(why, "out of memory");
    for (int64_t i = 0; i < f->samples && ok; i++) {
        ok = feed_run(f, session, i, why) && feed_output(session, output, 0, scores, why);
        (*answers)[i] = ok ? compare_argmax(scores, (int64_t)output->elements) : -1;
    }
    free(scores);
    return ok;
}

/* The class with the largest score of output 0, for every sample. */
static bool answer_all(const model_file *file, const demo_options *o, int64_t *samples, int64_t **answers, failure *why)
{
    const arg_texts paths = {.items = {o->test}, .count = 1};
    const oct_options options = {.isa = o->isa, .threads = (int)o->threads};
    oct_session *session = NULL;
    oct_tensor_info output;
    feed f;
    bool ok = feed_open(&f, file->model, &paths, "--test", &o->transform, why);
    if (ok &&
        (oct_model_output(file->model, 0, &output) != OCT_OK || oct_session_create(file->model, &options, &session) != OCT_OK))
        ok = fail_library(why, file->path);
    ok = ok && classify(&f, session, &output, answers, why);
    *samples = f.samples;
    oct_session_free(session);
    feed_close(&f);
    return ok;
}

/* Both models see the same samples in the same order. */
static bool evaluate(const model_set *set, const demo_options *o, demo_answers *a, failure *why)
{
    *a = (demo_answers){0};
    for (int i = 0; i < 2; i++)
        if (!answer_all(&set->files[i], o, &a->samples, &a->answers[i], why))
            return false;
    return data_read_labels(o->labels, a->samples, &a->labels, why);
}

/* For accuracy (answers, labels) and for agreement (answers, answers). */
static int64_t count_equal(const int64_t *a, const int64_t *b, int64_t count)
{
    int64_t equal = 0;
    for (int64_t i = 0; i < count; i++)
        equal += a[i] == b[i];
    return equal;
}

/* --------------------------------------------------------------------------------------------- tables ---- */

/* Quantizing keeps the layers' names. */
static const model_layer *find_layer(const model_variant *v, const char *name)
{
    for (size_t i = 0; i < v->file->layers; i++)
        if (!strcmp(v->layers[i].name, name))
            return &v->layers[i];
    return NULL;
}

/* The quantized model's layers beside the float model's of the same name. */
static void print_layers(const model_variant *f32, const model_variant *int8)
{
    static const table_column columns[] = {{"layer", TABLE_SHRINK},   {"op", TABLE_LEFT},       {"computed by", TABLE_LEFT},
                                           {"float us", TABLE_RIGHT}, {"int8 us", TABLE_RIGHT}, {"speed-up", TABLE_RIGHT},
                                           {"% peak", TABLE_RIGHT},   {"bound", TABLE_LEFT}};
    table *t = table_create(columns, 8);
    for (size_t i = 0; i < int8->file->layers; i++) {
        const model_layer *layer = &int8->layers[i], *twin = find_layer(f32, layer->name);
        if (!strcmp(layer->algo, "none")) /* a view of another tensor: takes no time */
            continue;
        table_cell(t, "%s", layer->name);
        table_cell(t, "%s", layer->op);
        table_cell(t, "%s", layer->algo);
        if (twin)
            table_cell(t, "%.1f", 1e6 * twin->seconds);
        else
            table_cell(t, "-");
        table_cell(t, "%.1f", 1e6 * layer->seconds);
        if (twin && layer->seconds > 0)
            table_cell(t, "%.2f", twin->seconds / layer->seconds);
        else
            table_cell(t, "-");
        table_cell(t, "%.0f", layer->seconds > 0 ? 100 * layer->bound.seconds / layer->seconds : 0);
        table_cell(t, "%s", layer->bound.name);
    }
    printf("layer by layer: microseconds, and how near the int8 kernel is to what the machine can do\n");
    table_print(t, stdout);
    table_free(t);
    printf("\n");
}

/* 0 if it has vanished since it was loaded. */
static double file_bytes(const char *path)
{
    struct stat s;
    return stat(path, &s) == 0 ? (double)s.st_size : 0;
}

/* How many times the float figure is the int8 figure. */
static void size_row(table *t, const char *what, double f32, double int8)
{
    char text[32];
    table_cell(t, "%s", what);
    table_cell(t, "%s", table_bytes(f32, text, sizeof text));
    table_cell(t, "%s", table_bytes(int8, text, sizeof text));
    table_cell(t, "%.2f times smaller", int8 > 0 ? f32 / int8 : 0);
}

/* Agreement says more than accuracy about the quantization: errors that happen to cancel out still count. */
static void accuracy_rows(table *t, const demo_answers *a)
{
    const double all = (double)a->samples;
    int64_t right[2];
    for (int i = 0; i < 2; i++)
        right[i] = count_equal(a->answers[i], a->labels, a->samples);
    table_cell(t, "accuracy");
    table_cell(t, "%.2f %%", 100 * (double)right[0] / all);
    table_cell(t, "%.2f %%", 100 * (double)right[1] / all);
    table_cell(t, "%lld and %lld right of %lld", (long long)right[0], (long long)right[1], (long long)a->samples);
    const int64_t agree = count_equal(a->answers[0], a->answers[1], a->samples);
    table_cell(t, "same answer as float");
    table_cell(t, "-");
    table_cell(t, "%.2f %%", 100 * (double)agree / all);
    table_cell(t, "%lld of %lld", (long long)agree, (long long)a->samples);
}

/* The table that the demo is for. */
static void print_summary(const model_set *set, const demo_answers *a, const bench_context *context)
{
    static const table_column columns[] = {
        {"", TABLE_LEFT}, {"float", TABLE_RIGHT}, {"int8", TABLE_RIGHT}, {"int8 against float", TABLE_LEFT}};
    const model_variant *f32 = &set->variants[0], *int8 = &set->variants[1];
    char text[2][32];
    table *t = table_create(columns, 4);
    table_cell(t, "instruction set");
    table_cell(t, "%s", f32->isa);
    table_cell(t, "%s", int8->isa);
    table_cell(t, "%d thread%s each", int8->threads, int8->threads == 1 ? "" : "s");
    accuracy_rows(t, a);
    size_row(t, "model file", file_bytes(f32->file->path), file_bytes(int8->file->path));
    size_row(t, "working memory (arena)", (double)f32->info.arena_bytes, (double)int8->info.arena_bytes);
    table_cell(t, "time of one run");
    table_cell(t, "%s", bench_time_text(f32->result.median, text[0], sizeof text[0]));
    table_cell(t, "%s", bench_time_text(int8->result.median, text[1], sizeof text[1]));
    table_cell(t, "%.2f times as fast (95 %%: %.2f to %.2f)", int8->speedup.median, int8->speedup.lo, int8->speedup.hi);
    printf("float against int8 on %s\n\n", context->machine.cpu);
    table_print(t, stdout);
    table_free(t);
}

/* --------------------------------------------------------------------------------------------- command ---- */

static bool run(model_set *set, const demo_options *o, failure *why)
{
    static bench_context context;
    const model_plan plan = {.seconds = o->seconds};
    demo_answers a = {0};
    bool ok = evaluate(set, o, &a, why) && bench_open(&context, why) && model_set_measure(set, &context, &plan, why);
    if (ok && bench_output_text(&o->output)) {
        print_layers(&set->variants[0], &set->variants[1]);
        print_summary(set, &a, &context);
        bench_print_noise(&set->info, stdout);
    }
    bench_record record;
    if (ok && (ok = bench_record_begin(&record, &context, why))) {
        model_set_json(set, &record.j);
        ok = bench_record_end(&record, &o->output, "models", why);
    }
    free(a.labels);
    free(a.answers[0]);
    free(a.answers[1]);
    return ok;
}

/* More than two files: a word was the name of a network. files[1].baseline == 0: the second is quantized and takes the same inputs
 * as the first. */
static int open_and_run(char *const *paths, const bench_lists *lists, const demo_options *o)
{
    model_set set;
    failure why;
    int code = BENCH_USAGE;
    if (model_set_open(&set, paths, 2, lists, &why)) {
        if (set.file_count == 2 && !strcmp(set.files[0].scheme, "f32") && set.files[1].baseline == 0)
            code = run(&set, o, &why) ? BENCH_OK : BENCH_FAILED;
        else
            fail_with(&why, "%s and %s are not a float model and its quantized twin", paths[0], paths[1]);
    }
    if (code != BENCH_OK)
        fprintf(stderr, "octet-bench demo: %s\n", why.text);
    model_set_close(&set);
    return code;
}

int bench_demo(int argc, char **argv)
{
    demo_options o = {.threads = 1, .seconds = 1};
    arg_option transform[DATA_OPTION_ROWS], outputs[BENCH_OUTPUT_ROWS];
    bench_output_rows(&o.output, outputs);
    data_option_rows(&o.transform, transform);
    const arg_option options[] = {
        {"--test", .kind = ARG_TEXT, .to = &o.test, .value = "FILE", .help = "samples to be classified", .required = true},
        {"--labels", .kind = ARG_TEXT, .to = &o.labels, .value = "FILE", .help = "the right classes", .required = true},
        {"--isa", .kind = ARG_TEXT, .to = &o.isa, .value = "NAME", .help = "instruction set (default: the best)"},
        {"--threads", .kind = ARG_INTEGER, .to = &o.threads, .value = "N", .help = "threads (default 1)", .min = 1,
         .max = OCT_MAX_THREADS},
        {"--seconds", .kind = ARG_REAL, .to = &o.seconds, .value = "S",
         .help = "how long to measure each model, about (default 1)"},
        {0}};
    const arg_spec spec = {.command = "octet-bench demo",
                           .usage = "FLOAT.oct INT8.oct --test DATA --labels FILE [--scale U] [--isa NAME] [--threads N]",
                           .about = "Compares a float classifier with its quantized twin: accuracy, size, memory, time.\n",
                           .word = "MODEL.oct",
                           .min_words = 2,
                           .max_words = 2,
                           .groups = {options, transform, outputs}};
    bench_lists lists = {.scheme_count = 0};
    int words;
    arg_result parsed = args_parse(&spec, argc, argv, &words);
    if (parsed == ARGS_OK)
        parsed = bench_parse_isa(&spec, o.isa, &lists);
    if (parsed == ARGS_OK && !(o.seconds > 0 && o.seconds <= 3600))
        parsed = args_bad(&spec, "--seconds must lie between 0 and 3600");
    if (parsed == ARGS_OK)
        parsed = bench_output_check(&spec, &o.output, argv, words);
    if (parsed != ARGS_OK)
        return parsed == ARGS_HELP ? BENCH_OK : BENCH_USAGE;
    lists.threads[0] = (int)o.threads;
    lists.thread_count = 1;
    return open_and_run(argv, &lists, &o);
}

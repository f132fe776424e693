/* bench_paper.c - `octet-bench paper`: the paper's experiment, network after network, each with its own models in memory only as
 * long as it is measured. The small ones come first, so that a run that is ended early has most of the table. */
#include <stdlib.h>
#include <string.h>

#include "interrupt.h"
#include "paper.h"

#define MAX_ROWS     (PAPER_MODELS * BENCH_MAX_ISAS * BENCH_MAX_THREADS)
#define QUICK_LIMIT  150.0 /* seconds, of the three minutes that --quick has at most */
#define QUICK_EACH   0.3
#define QUICK_ROUNDS 3

/* What the command line said. */
typedef struct paper_options {
    const char *isa, *threads, *models;
    bool wanted[PAPER_MODELS];
    bool quick;
    double seconds;
    bench_output output;
} paper_options;

/* All that was measured. */
typedef struct paper_run {
    model_set sets[PAPER_MODELS];
    paper_row rows[MAX_ROWS];
    int row_count;
    measure_info info;
    double started;
    failure failed[PAPER_MODELS]; /* why a network ended early; "" if it did not */
} paper_run;

/* The variant of that scheme, if it was measured. */
static const model_variant *find_variant(const model_set *set, const char *scheme, const char *isa, int threads)
{
    for (int i = 0; i < set->variant_count; i++) {
        const model_variant *v = &set->variants[i];
        if (v->measured && v->threads == threads && !strcmp(v->isa, isa) && !strcmp(v->file->twin->name, scheme))
            return v;
    }
    return NULL;
}

/* A row for each ISA and number of threads, also where there is nothing but a reason. */
static void add_rows(paper_run *run, int model, const bench_lists *lists, const char *absent)
{
    const model_set *set = &run->sets[model];
    for (int t = 0; t < lists->thread_count; t++)
        for (int i = 0; i < lists->isa_count; i++) {
            paper_row *row = &run->rows[run->row_count++];
            *row = (paper_row){.model = model, .isa = lists->isas[i], .threads = lists->threads[t], .absent = absent};
            row->f32 = find_variant(set, "f32", row->isa, row->threads);
            row->fixed = find_variant(set, "int8-static", row->isa, row->threads);
            row->dynamic = find_variant(set, "int8-dynamic", row->isa, row->threads);
            if (!row->f32 && !absent)
                row->absent = interrupt_seen() ? "not measured: interrupted" : "not measured: out of time";
        }
}

/* Measured: 1.90 GB for VGG16, 2.03 for VGG19, 1.01 for ResNet152. The float model, its packed twin, which Winograd makes larger,
 * and the two int8 models with theirs; and what every run takes. */
static bool has_memory(int model)
{
    const double needed = 1e6 * paper_models[model].million_weights * 4 * 3.4 + 150e6;
    const double there = machine_free_memory();
    return there <= 0 || needed < there;
}

/* The limit is looked at before each batch: a network is never left half measured without being told. One that fails does not cost
 * the others. */
static bool measure_model(paper_run *run, int model, bench_context *context, const bench_lists *lists, const paper_options *o,
                          failure *why)
{
    char word[64];
    char *const words[] = {word};
    const char *absent = NULL;
    const model_plan plan = {.seconds = o->quick ? QUICK_EACH : o->seconds,
                             .min_rounds = o->quick ? QUICK_ROUNDS : MEASURE_MIN_ROUNDS,
                             .skip_cold = true,
                             .skip_layers = o->quick && paper_models[model].million_weights > 30,
                             .deadline = o->quick ? run->started + QUICK_LIMIT : 0,
                             .what = paper_models[model].name};
    snprintf(word, sizeof word, "%s", paper_models[model].network);
    if (!model_set_open(&run->sets[model], words, 1, lists, why))
        return false;
    if (!has_memory(model))
        absent = "left out: not enough memory is free for its models";
    else if (o->quick && measure_now() > plan.deadline)
        absent = "left out: the time of --quick is over";
    else if (!model_set_measure(&run->sets[model], context, &plan, &run->failed[model]))
        absent = run->failed[model].text;
    measure_info_add(&run->info, &run->sets[model].info);
    add_rows(run, model, lists, absent);
    return true;
}

/* "models" and "pairs" of all networks as if they were one set. */
static void write_models(const paper_run *run, json *j)
{
    model_set all = {.info = run->info};
    for (int m = 0; m < PAPER_MODELS; m++)
        all.variant_count += run->sets[m].variant_count;
    all.variants = calloc((size_t)all.variant_count + 1, sizeof *all.variants);
    int count = 0;
    for (int m = 0; m < PAPER_MODELS && all.variants; m++)
        for (int i = 0; i < run->sets[m].variant_count; i++)
            all.variants[count++] = run->sets[m].variants[i];
    all.variant_count = count;
    model_set_json(&all, j);
    free(all.variants);
}

static bool write(const paper_run *run, const bench_context *context, const paper_options *o, failure *why)
{
    bench_record record;
    if (bench_output_text(&o->output)) {
        bench_print_machine(context, stdout);
        paper_print(run->rows, run->row_count, stdout);
        printf("\n");
        bench_print_noise(&run->info, stdout);
        if (interrupt_seen())
            printf("interrupted: these are the figures that were there by then\n");
    }
    if (!bench_record_begin(&record, context, why))
        return false;
    write_models(run, &record.j);
    paper_json(run->rows, run->row_count, &record.j);
    return bench_record_end(&record, &o->output, "models", why);
}

static bool run_all(paper_run *run, const bench_lists *lists, const paper_options *o, failure *why)
{
    static bench_context context;
    run->started = measure_now();
    bool ok = bench_open(&context, why);
    for (int m = 0; m < PAPER_MODELS && ok && !interrupt_seen(); m++) {
        if (!o->wanted[m])
            continue;
        fprintf(stderr, "%s (%d of %d, %.0f s so far)\n", paper_models[m].name, m + 1, PAPER_MODELS, measure_now() - run->started);
        ok = measure_model(run, m, &context, lists, o, why);
    }
    ok = ok && write(run, &context, o, why);
    for (int m = 0; m < PAPER_MODELS && ok; m++)
        if (run->failed[m].text[0])
            ok = fail_with(why, "%s", run->failed[m].text);
    return ok;
}

/* Every ISA that this machine has and that stands in for a machine of the paper; the default if there is none. */
static arg_result parse_isas(const arg_spec *spec, const char *text, bench_lists *lists)
{
    char list[128] = "";
    if (text)
        return bench_parse_isas(spec, text, lists);
    for (int m = 0; m < PAPER_MACHINES; m++)
        for (size_t i = 0; i < oct_isa_count(); i++) {
            oct_isa_info info;
            if (oct_isa(i, &info) == OCT_OK && info.available && !strcmp(info.name, paper_stand_ins[m]) &&
                (m == 0 || strcmp(paper_stand_ins[m], paper_stand_ins[m - 1]) != 0))
                snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", *list ? "," : "", info.name);
        }
    return bench_parse_isas(spec, list, lists);
}

/* Without --threads: one, and in full also all CPUs. */
static arg_result parse_threads(const arg_spec *spec, const paper_options *o, bench_lists *lists)
{
    char list[32] = "1";
    affinity cpus;
    affinity_read(&cpus);
    if (!o->quick && cpus.count > 1)
        snprintf(list, sizeof list, "1,%d", cpus.count);
    return bench_parse_threads(spec, o->threads ? o->threads : list, lists);
}

/* The paper's spelling will do, too. */
static bool want_model(const char *word, bool wanted[PAPER_MODELS])
{
    const zoo_network *network = zoo_find(word);
    bool found = false;
    for (int m = 0; m < PAPER_MODELS; m++)
        if (network && !strcmp(network->name, paper_models[m].network))
            found = wanted[m] = true;
    return found;
}

static arg_result parse_models(const arg_spec *spec, paper_options *o)
{
    char names[256] = "", word[48];
    for (int m = 0; m < PAPER_MODELS; m++) {
        o->wanted[m] = !o->models;
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", m ? ", " : "", paper_models[m].network);
    }
    for (const char *text = o->models; text && *text;) {
        const size_t length = strcspn(text, ",");
        snprintf(word, sizeof word, "%.*s", (int)length, text);
        if (!want_model(word, o->wanted))
            return args_bad(spec, "--model %s: not in the paper (possible: %s)", word, names);
        text += length + (text[length] == ',');
    }
    return ARGS_OK;
}

int bench_paper(int argc, char **argv)
{
    paper_options o = {.seconds = 3};
    arg_option outputs[BENCH_OUTPUT_ROWS];
    bench_output_rows(&o.output, outputs);
    const arg_option options[] = {
        {"--quick", .kind = ARG_FLAG, .to = &o.quick,
         .help = "within three minutes: fewer rounds, one thread, layers of small networks only"},
        {"--model", .kind = ARG_TEXT, .to = &o.models, .value = "LIST", .help = "only these networks (default: all seven)"},
        {"--isa", .kind = ARG_TEXT, .to = &o.isa, .value = "LIST",
         .help = "instruction sets (default: those that stand in for the paper's machines)"},
        {"--threads", .kind = ARG_TEXT, .to = &o.threads, .value = "LIST", .help = "numbers of threads (default: 1, and all CPUs)"},
        {"--seconds", .kind = ARG_REAL, .to = &o.seconds, .value = "S",
         .help = "how long to measure each variant, about (default 3)"},
        {0}};
    const arg_spec spec = {.command = "octet-bench paper",
                           .usage = "[--quick] [--model LIST] [--isa LIST] [--threads LIST] [--json FILE]",
                           .about = "Repeats the experiment of \"Does Quantization Improve Inference Speed? It Depends\":\n"
                                    "seven networks in f32, int8-dynamic and int8-static, on instruction sets that stand\n"
                                    "in for the paper's machines, beside the published speed-ups. Ctrl-C ends it with\n"
                                    "what it has.\n",
                           .groups = {options, outputs}};
    static paper_run run;
    bench_lists lists = {.scheme_count = 0};
    failure why;
    int words;
    arg_result parsed = args_parse(&spec, argc, argv, &words);
    if (parsed == ARGS_OK)
        parsed = parse_models(&spec, &o);
    if (parsed == ARGS_OK)
        parsed = parse_isas(&spec, o.isa, &lists);
    if (parsed == ARGS_OK)
        parsed = parse_threads(&spec, &o, &lists);
    if (parsed == ARGS_OK && !(o.seconds > 0 && o.seconds <= 3600))
        parsed = args_bad(&spec, "--seconds must lie between 0 and 3600");
    if (parsed == ARGS_OK)
        parsed = bench_output_check(&spec, &o.output, argv, words);
    if (parsed != ARGS_OK)
        return parsed == ARGS_HELP ? BENCH_OK : BENCH_USAGE;
    interrupt_catch();
    const bool ok = run_all(&run, &lists, &o, &why);
    for (int m = 0; m < PAPER_MODELS; m++)
        model_set_close(&run.sets[m]);
    if (!ok)
        fprintf(stderr, "octet-bench paper: %s\n", why.text);
    return ok ? BENCH_OK : BENCH_FAILED;
}

/* bench_explain.c - `octet-bench explain`: measures a float model and its int8 twin, and takes the speed-up apart (explain.h). */
#include <string.h>

#include "explain.h"
#include "interrupt.h"

/* What the command line said. */
typedef struct explain_options {
    const char *isa, *scheme;
    int64_t threads;
    double seconds;
    bench_output output;
} explain_options;

/* The quantized variant with so many threads. */
static const model_variant *find_int8(const model_set *set, int threads)
{
    for (int i = 0; i < set->variant_count; i++)
        if (set->variants[i].baseline && set->variants[i].threads == threads)
            return &set->variants[i];
    return NULL;
}

/* Layers of one thread; the whole with as many as wanted. */
bool explain_variant(const model_variant *one, const model_variant *wanted, bench_context *context, explanation *e, failure *why)
{
    if (!one || !wanted || !one->layers || !one->baseline->layers)
        return fail_with(why, "interrupted before the layers were measured");
    explain_input in = {.f32 = one->baseline->layers,
                        .int8 = one->layers,
                        .f32_count = one->baseline->file->layers,
                        .int8_count = one->file->layers,
                        .speedup = wanted->speedup,
                        .serial = one->speedup.median,
                        .threads = wanted->threads};
    const peaks *p = bench_peaks(context, 1, why);
    in.ratio = p ? peak_ops(p, one->isa, true) / peak_ops(p, one->isa, false) : 1;
    if (!p || !explain_requantise(one->isa, &in.requantise, why))
        return false;
    return explain(&in, e) || fail_with(why, "out of memory");
}

static bool run(model_set *set, const explain_options *o, failure *why)
{
    static bench_context context;
    bench_record record;
    explanation e = {.factor_count = 0};
    const model_plan plan = {.seconds = o->seconds, .skip_cold = true};
    if (!bench_open(&context, why) || !model_set_measure(set, &context, &plan, why))
        return false;
    const model_variant *v = find_int8(set, (int)o->threads);
    if (!explain_variant(find_int8(set, 1), v, &context, &e, why))
        return false;
    const explain_heading heading = {v->file->name, v->file->scheme, v->isa, v->threads, &v->speedup};
    if (bench_output_text(&o->output)) {
        bench_print_machine(&context, stdout);
        explain_print(&heading, &e, stdout);
        fprintf(stdout, "\n");
        bench_print_noise(&set->info, stdout);
    }
    bool ok = bench_record_begin(&record, &context, why);
    if (ok) {
        model_set_json(set, &record.j);
        explain_json(&heading, &e, &record.j);
        ok = bench_record_end(&record, &o->output, "models", why);
    }
    explain_free(&e);
    return ok;
}

/* A name or a float file is joined by the twin in that scheme; two files are taken as they are. */
static int open_and_run(char *const *words, int count, bench_lists *lists, const explain_options *o)
{
    failure why;
    model_set set;
    int code = BENCH_USAGE;
    if (count == 2)
        lists->scheme_count = 0;
    if (model_set_open(&set, words, count, lists, &why)) {
        const bool files = !set.files[0].network && !set.files[set.file_count - 1].network;
        if (find_int8(&set, (int)o->threads) && (count == 1 || files))
            code = run(&set, o, &why) ? BENCH_OK : BENCH_FAILED;
        else
            fail_with(&why, "%s%s%s: no float model with its int8 twin "
                            "(possible: one network of the zoo, one float .oct file, or FLOAT.oct INT8.oct)",
                      words[0], count > 1 ? " " : "", count > 1 ? words[1] : "");
    }
    if (code != BENCH_OK)
        fprintf(stderr, "octet-bench explain: %s\n", why.text);
    model_set_close(&set);
    return code;
}

/* The one that is compared with f32. */
static arg_result parse_scheme(const arg_spec *spec, const char *name, bench_lists *lists)
{
    char names[160] = "";
    const twin_scheme *scheme = twin_scheme_find(name);
    for (size_t i = 0, used = 0; i < twin_scheme_count() && used < sizeof names; i++)
        if (twin_scheme_at(i)->make)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", twin_scheme_at(i)->name);
    if (!scheme || !scheme->make)
        return args_bad(spec, "--scheme %s: one int8 scheme is wanted (possible: %s)", name, names);
    lists->schemes[0] = twin_scheme_at(0);
    lists->schemes[1] = scheme;
    lists->scheme_count = 2;
    return ARGS_OK;
}

static arg_result make_lists(const arg_spec *spec, const explain_options *o, bench_lists *lists)
{
    arg_result parsed = bench_parse_isa(spec, o->isa, lists);
    if (parsed == ARGS_OK)
        parsed = parse_scheme(spec, o->scheme ? o->scheme : "int8-static", lists);
    if (parsed != ARGS_OK)
        return parsed;
    lists->threads[0] = 1;
    lists->threads[1] = (int)o->threads;
    lists->thread_count = o->threads > 1 ? 2 : 1;
    return ARGS_OK;
}

int bench_explain(int argc, char **argv)
{
    explain_options o = {.threads = 1, .seconds = 3};
    arg_option outputs[BENCH_OUTPUT_ROWS];
    bench_output_rows(&o.output, outputs);
    const arg_option options[] = {
        {"--scheme", .kind = ARG_TEXT, .to = &o.scheme, .value = "S", .help = "int8-static (default), int8-dynamic"},
        {"--isa", .kind = ARG_TEXT, .to = &o.isa, .value = "NAME", .help = "instruction set (default: the best)"},
        {"--threads", .kind = ARG_INTEGER, .to = &o.threads, .value = "N", .help = "threads (default 1)", .min = 1,
         .max = OCT_MAX_THREADS},
        {"--seconds", .kind = ARG_REAL, .to = &o.seconds, .value = "S",
         .help = "how long to measure each model, about (default 3)"},
        {0}};
    const arg_spec spec = {.command = "octet-bench explain",
                           .usage = "MODEL [--scheme S] [--isa NAME] [--threads N] [--seconds S] [--json FILE]",
                           .about = "Takes a model's speed-up through int8 apart: factors that multiply to what was\n"
                                    "measured, the layers that cost most against the ideal, and a verdict.\n\n"
                                    "MODEL is a network of `octet-bench zoo`, a float .oct file, or a float file and its\n"
                                    "quantized twin.\n",
                           .word = "MODEL",
                           .min_words = 1,
                           .max_words = 2,
                           .groups = {options, outputs}};
    bench_lists lists = {.no_winograd = false};
    int words;
    arg_result parsed = args_parse(&spec, argc, argv, &words);
    if (parsed == ARGS_OK)
        parsed = make_lists(&spec, &o, &lists);
    if (parsed == ARGS_OK && !(o.seconds > 0 && o.seconds <= 3600))
        parsed = args_bad(&spec, "--seconds must lie between 0 and 3600");
    if (parsed == ARGS_OK)
        parsed = bench_output_check(&spec, &o.output, argv, words);
    if (parsed != ARGS_OK)
        return parsed == ARGS_HELP ? BENCH_OK : BENCH_USAGE;
    interrupt_catch();
    return open_and_run(argv, words, &lists, &o);
}

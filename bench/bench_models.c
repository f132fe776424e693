/* bench_models.c - `octet-bench models`: options in, tables and JSON out. The work is in model_bench.c. */
#include <string.h>

#include "interrupt.h"
#include "model_bench.h"

/* What the command line said. */
typedef struct models_options {
    const char *isa, *threads, *schemes;
    bench_output output;
    bool layers, no_winograd;
    double seconds;
} models_options;

static void print(const model_set *set, const bench_context *context, const models_options *o)
{
    bench_print_machine(context, stdout);
    model_set_print(set, stdout);
    if (o->layers)
        model_set_print_layers(set, stdout);
    bench_print_noise(&set->info, stdout);
}

/* Wrong answers make the figures worthless: they are printed all the same, but the run has failed. */
static bool check_answers(const model_set *set, failure *why)
{
    for (int i = 0; i < set->variant_count; i++) {
        const model_variant *v = &set->variants[i];
        if (v->answers.wrong)
            return fail_with(
                why, "%s (%s) on %s with %d threads: its outputs differ by %.2g of the largest from those of the first variant",
                v->file->name, v->file->scheme, v->isa, v->threads, v->answers.difference);
    }
    return true;
}

static bool run(model_set *set, const models_options *o, failure *why)
{
    static bench_context context;
    bench_record record;
    const model_plan plan = {.seconds = o->seconds};
    if (!bench_open(&context, why) || !model_set_measure(set, &context, &plan, why))
        return false;
    if (bench_output_text(&o->output))
        print(set, &context, o);
    if (!bench_record_begin(&record, &context, why))
        return false;
    model_set_json(set, &record.j);
    return bench_record_end(&record, &o->output, "models", why) && check_answers(set, why);
}

/* Files and names are checked before the machine is measured: a wrong one should be told at once. */
static int open_and_run(char *const *words, int count, const bench_lists *lists, const models_options *o)
{
    failure why;
    model_set set;
    int code = BENCH_USAGE;
    if (model_set_open(&set, words, count, lists, &why))
        code = run(&set, o, &why) ? BENCH_OK : BENCH_FAILED;
    if (code != BENCH_OK)
        fprintf(stderr, "octet-bench models: %s\n", why.text);
    model_set_close(&set);
    return code;
}

int bench_models(int argc, char **argv)
{
    models_options o = {.seconds = 2};
    arg_option outputs[BENCH_OUTPUT_ROWS];
    bench_output_rows(&o.output, outputs);
    const arg_option options[] = {
        {"--scheme", .kind = ARG_TEXT, .to = &o.schemes, .value = "LIST",
         .help = "\"f32,int8-static\": what of a network is measured (default: all\n"
                 "schemes), and what is made of a float file (default: nothing)"},
        {"--isa", .kind = ARG_TEXT, .to = &o.isa, .value = "LIST",
         .help = "instruction sets, \"avx2,scalar\" or \"all\" (default: the best)"},
        {"--threads", .kind = ARG_TEXT, .to = &o.threads, .value = "LIST", .help = "numbers of threads, \"1,2\" (default 1)"},
        {"--layers", .kind = ARG_FLAG, .to = &o.layers, .help = "show the time of every layer"},
        {"--no-winograd", .kind = ARG_FLAG, .to = &o.no_winograd,
         .help = "3x3 convolutions directly, even where Winograd's way is faster"},
        {"--seconds", .kind = ARG_REAL, .to = &o.seconds, .value = "S",
         .help = "how long to measure each variant, about (default 2)"},
        {0}};
    const arg_spec spec = {.command = "octet-bench models",
                           .usage = "NAME|FILE ... [--scheme LIST] [--isa LIST] [--threads LIST] [--layers] "
                                    "[--no-winograd] [--seconds S] [--json FILE] [--csv FILE]",
                           .about = "Times models against each other, interleaved in this process. Each quantized model\n"
                                    "is compared with the nearest float model given before it.\n\n"
                                    "NAME is a network of `octet-bench zoo`, which is made on the spot in all schemes;\n"
                                    "FILE is a .oct file. What belongs together is measured in the same rounds: the\n"
                                    "schemes of a network, and all files.\n",
                           .word = "MODEL",
                           .min_words = 1,
                           .max_words = -1,
                           .groups = {options, outputs}};
    bench_lists lists;
    int words;
    arg_result parsed = args_parse(&spec, argc, argv, &words);
    if (parsed == ARGS_OK)
        parsed = bench_parse_schemes(&spec, o.schemes, &lists);
    if (parsed == ARGS_OK)
        parsed = bench_parse_isas(&spec, o.isa, &lists);
    if (parsed == ARGS_OK)
        parsed = bench_parse_threads(&spec, o.threads, &lists);
    if (parsed == ARGS_OK && !(o.seconds > 0 && o.seconds <= 3600))
        parsed = args_bad(&spec, "--seconds must lie between 0 and 3600");
    if (parsed == ARGS_OK)
        parsed = bench_output_check(&spec, &o.output, argv, words);
    if (parsed != ARGS_OK)
        return parsed == ARGS_HELP ? BENCH_OK : BENCH_USAGE;
    lists.no_winograd = o.no_winograd;
    interrupt_catch();
    return open_and_run(argv, words, &lists, &o);
}

/* bench_models.c - `octet-bench models`: options in, tables and JSON out. The work is in model_bench.c. */
#include <string.h>

#include "model_bench.h"

/* What the command line said. */
typedef struct models_options {
    const char *isa, *threads, *json_path;
    bool layers;
    double seconds;
} models_options;

/* Files are loaded before the machine is measured: a wrong name should be told at once. */
static bool run(char *const *words, int count, const bench_lists *lists, const models_options *o, failure *why)
{
    static bench_context context;
    model_set set;
    /* "--json -" gives the standard output to the JSON alone. */
    const bool as_text = !o->json_path || strcmp(o->json_path, "-");
    bool ok = model_set_open(&set, words, count, lists, why) && bench_open(&context, why) &&
              model_set_measure(&set, &context, o->seconds * set.variant_count, why);
    if (ok && as_text) {
        bench_print_machine(&context, stdout);
        model_set_print(&set, stdout);
        if (o->layers)
            model_set_print_layers(&set, stdout);
    }
    json j;
    if (ok && o->json_path && (ok = bench_json_begin(&j, o->json_path, &context, why))) {
        model_set_json(&set, &j);
        ok = bench_json_end(&j, o->json_path, why);
    }
    model_set_close(&set);
    return ok;
}

int bench_models(int argc, char **argv)
{
    models_options o = {.seconds = 2};
    const arg_option options[] = {
        {"--isa", .kind = ARG_TEXT, .to = &o.isa, .value = "LIST",
         .help = "instruction sets, \"avx2,scalar\" or \"all\" (default: the best)"},
        {"--threads", .kind = ARG_TEXT, .to = &o.threads, .value = "LIST", .help = "numbers of threads, \"1,2\" (default 1)"},
        {"--layers", .kind = ARG_FLAG, .to = &o.layers, .help = "show the time of every layer"},
        {"--seconds", .kind = ARG_REAL, .to = &o.seconds, .value = "S",
         .help = "how long to measure each variant, about (default 2)"},
        {"--json", .kind = ARG_TEXT, .to = &o.json_path, .value = "FILE",
         .help = "write the figures as JSON, too; - instead of the text"},
        {0}};
    const arg_spec spec = {.command = "octet-bench models",
                           .usage = "MODEL ... [--isa LIST] [--threads LIST] [--layers] [--seconds S] [--json FILE]",
                           .about = "Times models against each other, all interleaved in this process. Each quantized\n"
                                    "model is compared with the nearest float model given before it.\n\n"
                                    "MODEL is a .oct file, or a network of `octet-bench zoo`: that is made on the spot,\n"
                                    "in f32 and in int8.\n",
                           .word = "MODEL",
                           .min_words = 1,
                           .max_words = -1,
                           .groups = {options}};
    bench_lists lists;
    int words;
    arg_result parsed = args_parse(&spec, argc, argv, &words);
    if (parsed == ARGS_OK)
        parsed = bench_parse_isas(&spec, o.isa, &lists);
    if (parsed == ARGS_OK)
        parsed = bench_parse_threads(&spec, o.threads, &lists);
    if (parsed == ARGS_OK && !(o.seconds > 0 && o.seconds <= 3600))
        parsed = args_bad(&spec, "--seconds must lie between 0 and 3600");
    if (parsed != ARGS_OK)
        return parsed == ARGS_HELP ? BENCH_OK : BENCH_USAGE;
    failure why;
    if (run(argv, words, &lists, &o, &why))
        return BENCH_OK;
    fprintf(stderr, "octet-bench models: %s\n", why.text);
    return BENCH_FAILED;
}

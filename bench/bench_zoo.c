/* bench_zoo.c - `octet-bench zoo`: lists the networks of the zoo, or writes one as a .oct file. */
#include "bench.h"
#include "octet.h"
#include "table.h"
#include "zoo/zoo.h"

/* What the command line said. */
typedef struct zoo_options {
    const char *output;
    bool int8;
    int64_t seed;
} zoo_options;

/* The sizes are the published ones; the tests compare them with the graphs. */
static void list(void)
{
    static const table_column columns[] = {
        {"network", TABLE_LEFT}, {"input", TABLE_LEFT}, {"M MACs", TABLE_RIGHT}, {"source", TABLE_SHRINK}};
    table *t = table_create(columns, 4);
    for (size_t i = 0; i < zoo_count(); i++) {
        const zoo_network *n = zoo_at(i);
        table_cell(t, "%s", n->name);
        table_cell(t, "%dx%dx%d", n->input[0], n->input[1], n->input[2]);
        table_cell(t, n->million_macs < 1000 ? "%.4g" : "%.0f", n->million_macs);
        table_cell(t, "%s", n->source);
    }
    table_print(t, stdout);
    table_free(t);
}

/* "resnet50.oct", "resnet50.int8.oct" */
static bool write_network(const zoo_network *network, const zoo_options *o, failure *why)
{
    oct_graph *graph = NULL, *quantized = NULL;
    char made_up[96];
    const char *path = o->output ? o->output : made_up;
    const uint32_t seed = (uint32_t)o->seed;
    snprintf(made_up, sizeof made_up, "%s%s.oct", network->name, o->int8 ? ".int8" : "");
    bool ok = zoo_float(network, seed, &graph, why) && (!o->int8 || zoo_int8(network, graph, seed, &quantized, why));
    if (ok && oct_save(o->int8 ? quantized : graph, path) != OCT_OK)
        ok = fail_library(why, path);
    if (ok)
        printf("%s: %s, %s, weights from seed %u\n", path, network->name, o->int8 ? "int8-static" : "f32", (unsigned)seed);
    oct_graph_free(quantized);
    oct_graph_free(graph);
    return ok;
}

/* A wrong name is a matter of usage: it is told before anything is built. */
int bench_zoo(int argc, char **argv)
{
    zoo_options o = {.seed = ZOO_SEED};
    const arg_option options[] = {
        {"--int8", .kind = ARG_FLAG, .to = &o.int8, .help = "the int8 model instead, quantized statically on random pictures"},
        {"--output", .alias = "-o", .kind = ARG_TEXT, .to = &o.output, .value = "FILE.oct",
         .help = "the file to write (default: NAME.oct or NAME.int8.oct)"},
        {"--seed", .kind = ARG_INTEGER, .to = &o.seed, .value = "N", .min = 1, .max = UINT32_MAX,
         .help = "where the random weights begin (default 1)"},
        {0}};
    const arg_spec spec = {.command = "octet-bench zoo",
                           .usage = "[NAME] [--int8] [-o FILE.oct]",
                           .about = "Writes a well-known network as an optimised model, batch 1, with random weights:\n"
                                    "they serve to measure speed, not to recognise anything. Without NAME: the list.\n"
                                    "`octet-bench models NAME` measures one without writing it.\n",
                           .word = "NAME",
                           .max_words = 1,
                           .groups = {options}};
    int words;
    failure why;
    const arg_result parsed = args_parse(&spec, argc, argv, &words);
    if (parsed != ARGS_OK)
        return parsed == ARGS_HELP ? BENCH_OK : BENCH_USAGE;
    if (words == 0 && !o.output && !o.int8) {
        list();
        return BENCH_OK;
    }
    char names[512];
    const zoo_network *network = words ? zoo_find(argv[0]) : NULL;
    if (!network)
        return args_bad(&spec, "%s%sno such network (possible: %s)", words ? argv[0] : "", words ? ": " : "",
                        zoo_names(names, sizeof names)), BENCH_USAGE;
    if (o.output && bench_output_possible(&spec, "-o", o.output, argv, 0) != ARGS_OK)
        return BENCH_USAGE;
    if (write_network(network, &o, &why))
        return BENCH_OK;
    fprintf(stderr, "octet-bench zoo: %s\n", why.text);
    return BENCH_FAILED;
}

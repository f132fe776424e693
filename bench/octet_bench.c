/* octet_bench.c - the command: finds the subcommand. Exit codes: 0 done, 1 something went wrong, 2 the call was wrong. */
#include <stdio.h>
#include <string.h>

#include "bench.h"
#include "octet.h"

/* One row per subcommand serves the dispatch and the help. */
typedef struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} subcommand;

static const subcommand subcommands[] = {
    {"explain", bench_explain, "one model's speed-up taken apart: how much comes from what, and what costs most"},
    {"paper", bench_paper, "the experiment of the paper on this machine, beside the published figures"},
    {"models", bench_models, "time models against each other: is int8 faster, and by how much?"},
    {"kernels", bench_kernels, "time the kernels on the layer shapes of known networks"},
    {"peak", bench_peak, "what this machine can do at best: operations and bytes per second"},
    {"zoo", bench_zoo, "well-known networks with random weights, to be measured or written as .oct files"},
    {"report", bench_report, "figures of one or more runs as a web page, or as tables of a document"},
    {"compare", bench_compare, "two runs: what has become faster or slower beyond chance?"},
    {"demo", bench_demo, "one table for a float model and its quantized twin, with labelled data"},
};
#define SUBCOMMANDS (sizeof subcommands / sizeof subcommands[0])

static int help(void)
{
    printf("octet-bench %s - measures this machine, octet's kernels on it, and models\n\nusage: octet-bench SUBCOMMAND ...\n\n",
           oct_version());
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        printf("  %-9s %s\n", subcommands[i].name, subcommands[i].what);
    printf("  %-9s this text; octet-bench SUBCOMMAND --help says more\n", "help");
    return BENCH_OK;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "octet-bench: a subcommand is missing (see octet-bench help)\n");
        return BENCH_USAGE;
    }
    if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        return help();
    bench_note_command(argc, argv);
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        if (!strcmp(argv[1], subcommands[i].name))
            return subcommands[i].run(argc - 2, argv + 2);
    failure line;
    fail_with(&line, "octet-bench: there is no subcommand \"%s\" (see octet-bench help)", argv[1]);
    fprintf(stderr, "%s\n", line.text);
    return BENCH_USAGE;
}

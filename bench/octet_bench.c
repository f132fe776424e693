/* octet_bench.c - the command: finds the subcommand. Exit codes: 0 done, 1 something went wrong, 2 the call was wrong. */
#include <errno.h>
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
    {"explain", bench_explain, "one model's speed-up taken apart: what gives it, what costs it"},
    {"paper", bench_paper, "the paper's experiment here, beside its published figures"},
    {"models", bench_models, "models against each other: is int8 faster, and by how much?"},
    {"kernels", bench_kernels, "the kernels on the layer shapes of known networks"},
    {"peak", bench_peak, "what this machine can do at best, in operations and bytes"},
    {"zoo", bench_zoo, "well-known networks with random weights, as .oct files"},
    {"report", bench_report, "runs as a web page, or as tables of a document"},
    {"compare", bench_compare, "two runs: what has become faster or slower beyond chance?"},
    {"demo", bench_demo, "a float model and its quantized twin, on labelled data"},
};
#define SUBCOMMANDS (sizeof subcommands / sizeof subcommands[0])

static const subcommand *find(const char *name)
{
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        if (!strcmp(name, subcommands[i].name))
            return &subcommands[i];
    return NULL;
}

static int unknown(const char *name)
{
    failure line;   /* for its cleaning of control characters */
    fail_with(&line, "octet-bench: there is no subcommand \"%s\" (see octet-bench help)", name);
    fprintf(stderr, "%s\n", line.text);
    return BENCH_USAGE;
}

static int list(void)
{
    printf("octet-bench %s - measures this machine, octet's kernels on it, and models\n\nusage: octet-bench SUBCOMMAND ...\n\n",
           oct_version());
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        printf("  %-9s %s\n", subcommands[i].name, subcommands[i].what);
    printf("  %-9s this list, or the help of one subcommand\n"
           "\n`octet-bench help SUBCOMMAND` has the options.\nExit status: 0, 1 the work failed, 2 wrong usage.\n", "help");
    return BENCH_OK;
}

/* `help NAME`: the subcommand holds its own option table, so it prints its own help. */
static int help(const char *name)
{
    char option[] = "--help", *arguments[] = {option, NULL};
    const subcommand *s = name ? find(name) : NULL;
    return s ? s->run(1, arguments) : name ? unknown(name) : list();
}

static int dispatch(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "octet-bench: a subcommand is missing (see octet-bench help)\n");
        return BENCH_USAGE;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("octet-bench %s\n", oct_version());
        return BENCH_OK;
    }
    if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
        return help(argc > 2 ? argv[2] : NULL);
    bench_note_command(argc, argv);
    const subcommand *s = find(argv[1]);
    return s ? s->run(argc - 2, argv + 2) : unknown(argv[1]);
}

int main(int argc, char **argv)
{
    const int status = dispatch(argc, argv);
    /* A full disk or a closed pipe shows only now. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "octet-bench: standard output cannot be written: %s\n", strerror(errno));
        return BENCH_FAILED;
    }
    return status;
}

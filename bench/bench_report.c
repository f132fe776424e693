/* bench_report.c - `octet-bench report`: runs in, a web page or the tables of a document out. */
#include <errno.h>
#include <string.h>

#include "bench.h"
#include "html.h"
#include "markdown.h"

#define MAX_RUNS 16

typedef struct report_options {
    const char *output, *markdown;
} report_options;

/* The page is complete or it is not there: a half one would look like a small result. */
static bool write_page(const run_file *runs, int count, const char *path, failure *why)
{
    FILE *to = strcmp(path, "-") ? fopen(path, "w") : stdout;
    if (!to)
        return fail_with(why, "-o %s: cannot be written: %s", path, strerror(errno));
    html_report(runs, count, to);
    bool ok = fflush(to) == 0 && !ferror(to);
    if (to != stdout)
        ok = fclose(to) == 0 && ok;
    if (!ok)
        return remove(path), fail_with(why, "-o %s: could not be written to its end", path);
    return true;
}

static bool run(char *const *paths, int count, const report_options *o, failure *why)
{
    static run_file runs[MAX_RUNS];
    bool ok = true;
    for (int i = 0; i < count && ok; i++)
        ok = run_file_open(paths[i], &runs[i], why);
    if (ok && o->output)
        ok = write_page(runs, count, o->output, why);
    if (ok && o->markdown)
        ok = markdown_rewrite(runs, count, o->markdown, why);
    for (int i = 0; i < count; i++)
        run_file_close(&runs[i]);
    return ok;
}

int bench_report(int argc, char **argv)
{
    report_options o = {.output = NULL};
    const arg_option options[] = {
        {"--output", .alias = "-o", .kind = ARG_TEXT, .to = &o.output, .value = "FILE.html", .help = "the page; - for the standard output"},
        {"--markdown", .kind = ARG_TEXT, .to = &o.markdown, .value = "FILE.md",
         .help = "rewrite the tables between the markers of this document\n(docs/BENCHMARKING.md); the rest of it stays as it is"},
        {0}};
    const arg_spec spec = {.command = "octet-bench report",
                           .usage = "A.json [B.json ...] -o report.html | --markdown FILE.md",
                           .about = "Shows what earlier runs wrote with --json: a self-contained web page with charts and\n"
                                    "tables, several runs side by side; or tables in a Markdown document. JSON of\n"
                                    "bench/peers is welcome, too.\n",
                           .word = "FILE.json",
                           .min_words = 1,
                           .max_words = MAX_RUNS,
                           .groups = {options}};
    int words;
    failure why;
    arg_result parsed = args_parse(&spec, argc, argv, &words);
    if (parsed == ARGS_OK && !o.output && !o.markdown)
        parsed = args_bad(&spec, "where to? (-o FILE.html or --markdown FILE.md)");
    if (parsed != ARGS_OK)
        return parsed == ARGS_HELP ? BENCH_OK : BENCH_USAGE;
    if (run(argv, words, &o, &why))
        return BENCH_OK;
    fprintf(stderr, "octet-bench report: %s\n", why.text);
    return BENCH_USAGE;
}

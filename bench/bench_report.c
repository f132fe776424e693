/* bench_report.c - `octet-bench report`: runs in, a web page or the tables of a document out. */
#include "bench.h"
#include "html.h"
#include "markdown.h"
#include "output.h"

#define MAX_RUNS 16

typedef struct report_options {
    const char *output, *markdown;
} report_options;

static bool write_page(const run_file *runs, int count, const char *path, failure *why)
{
    output_file page;
    if (!output_open(&page, path, why))
        return false;
    html_report(runs, count, page.to);
    return output_close(&page, why);
}

/* The exit code: a file that is no result, or a document without its markers, is a wrong call; a page that could be
 * opened, but not be written to its end, is not. */
static int run(char *const *paths, int count, const report_options *o, failure *why)
{
    static run_file runs[MAX_RUNS];
    int code = BENCH_OK;
    for (int i = 0; i < count && code == BENCH_OK; i++)
        code = run_file_open(paths[i], &runs[i], why) ? BENCH_OK : BENCH_USAGE;
    if (code == BENCH_OK && o->output)
        code = write_page(runs, count, o->output, why) ? BENCH_OK : BENCH_FAILED;
    if (code == BENCH_OK && o->markdown)
        code = markdown_rewrite(runs, count, o->markdown, why) ? BENCH_OK : BENCH_USAGE;
    for (int i = 0; i < count; i++)
        run_file_close(&runs[i]);
    return code;
}

int bench_report(int argc, char **argv)
{
    report_options o = {.output = NULL};
    const arg_option options[] = {
        {"--output", .alias = "-o", .kind = ARG_TEXT, .to = &o.output, .value = "FILE.html",
         .help = "the page; - for the standard output"},
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
    if (parsed == ARGS_OK && o.output)
        parsed = bench_output_possible(&spec, "-o", o.output, argv, words);
    if (parsed == ARGS_OK && o.markdown && !output_spares(o.markdown, (const char *const *)argv, words, &why))
        parsed = args_bad(&spec, "%s", why.text);
    if (parsed != ARGS_OK)
        return parsed == ARGS_HELP ? BENCH_OK : BENCH_USAGE;
    const int code = run(argv, words, &o, &why);
    if (code != BENCH_OK)
        fprintf(stderr, "octet-bench report: %s\n", why.text);
    return code;
}

/* bench_peak.c - `octet-bench peak`: what the machine can do at best, and nothing else. */
#include "bench.h"

int bench_peak(int argc, char **argv)
{
    const char *threads = NULL, *json_path = NULL;
    const arg_option options[] = {
        {"--threads", .kind = ARG_TEXT, .to = &threads, .value = "LIST", .help = "numbers of threads, \"1,2\" (default 1)"},
        {"--json", .kind = ARG_TEXT, .to = &json_path, .value = "FILE",
         .help = "write the figures as JSON, too; - instead of the text"},
        {0}};
    const arg_spec spec = {.command = "octet-bench peak",
                           .usage = "[--threads LIST] [--json FILE]",
                           .about = "Measures what this machine can do at best: multiply-adds per second of every\n"
                                    "instruction set, and bytes per second read from every memory level.\n",
                           .groups = {options}};
    bench_lists lists;
    int words;
    arg_result parsed = args_parse(&spec, argc, argv, &words);
    if (parsed == ARGS_OK)
        parsed = bench_parse_threads(&spec, threads, &lists);
    if (parsed != ARGS_OK)
        return parsed == ARGS_HELP ? BENCH_OK : BENCH_USAGE;
    /* One thread is always measured; the list adds to it. */
    static bench_context context;
    failure why;
    bool ok = bench_open(&context, &why);
    for (int i = 0; i < lists.thread_count && ok; i++)
        ok = bench_peaks(&context, lists.threads[i], &why) != NULL;
    json j;
    const bool as_text = !json_path || json_path[0] != '-' || json_path[1];
    if (ok && as_text)
        bench_print_machine(&context, stdout);
    if (ok && json_path)
        ok = bench_json_begin(&j, json_path, &context, &why) && bench_json_end(&j, json_path, &why);
    if (!ok)
        fprintf(stderr, "octet-bench peak: %s\n", why.text);
    return ok ? BENCH_OK : BENCH_FAILED;
}

/* bench_peak.c - `octet-bench peak`: what the machine can do at best, and nothing else. */
#include "bench.h"

/* One row per number of threads and ISA; the bandwidths, which belong to no ISA, stand in each. */
static void write_peaks(json *j, const bench_context *context)
{
    json_array(j, "peaks");
    for (int i = 0; i < context->count; i++)
        for (int k = 0; k < context->peaks[i].isa_count; k++) {
            const peaks *p = &context->peaks[i];
            json_object(j, NULL);
            json_integer(j, "threads", p->threads);
            json_text(j, "isa", p->isas[k].isa);
            json_number(j, "f32_gflops", 1e-9 * p->isas[k].f32);
            json_number(j, "u8s8_gops", 1e-9 * p->isas[k].u8s8);
            for (int level = 0; level < PEAK_LEVELS; level++) {
                char key[16];
                snprintf(key, sizeof key, "%s_gbs", peak_level_name((peak_level)level));
                json_number(j, key, 1e-9 * p->bandwidth[level]);
            }
            json_close(j);
        }
    json_close(j);
}

/* One thread is always measured; the list adds to it. */
static bool run(const bench_lists *lists, const bench_output *output, failure *why)
{
    static bench_context context;
    bench_record record;
    bool ok = bench_open(&context, why);
    for (int i = 0; i < lists->thread_count && ok; i++)
        ok = bench_peaks(&context, lists->threads[i], why) != NULL;
    ok = ok && bench_peaks_again(&context, why);
    if (ok && bench_output_text(output))
        bench_print_machine(&context, stdout);
    if (!ok || !bench_record_begin(&record, &context, why))
        return false;
    write_peaks(&record.j, &context);
    return bench_record_end(&record, output, "peaks", why);
}

int bench_peak(int argc, char **argv)
{
    const char *threads = NULL;
    bench_output output = {0};
    arg_option outputs[BENCH_OUTPUT_ROWS];
    bench_output_rows(&output, outputs);
    const arg_option options[] = {
        {"--threads", .kind = ARG_TEXT, .to = &threads, .value = "LIST", .help = "numbers of threads, \"1,2\" (default 1)"}, {0}};
    const arg_spec spec = {.command = "octet-bench peak",
                           .usage = "[--threads LIST] [--json FILE] [--csv FILE]",
                           .about = "Measures what this machine can do at best: multiply-adds per second of every\n"
                                    "instruction set, and bytes per second read from every memory level.\n",
                           .groups = {options, outputs}};
    bench_lists lists;
    int words;
    arg_result parsed = args_parse(&spec, argc, argv, &words);
    if (parsed == ARGS_OK)
        parsed = bench_parse_threads(&spec, threads, &lists);
    if (parsed == ARGS_OK)
        parsed = bench_output_check(&spec, &output, argv, words);
    if (parsed != ARGS_OK)
        return parsed == ARGS_HELP ? BENCH_OK : BENCH_USAGE;
    failure why;
    if (run(&lists, &output, &why))
        return BENCH_OK;
    fprintf(stderr, "octet-bench peak: %s\n", why.text);
    return BENCH_FAILED;
}

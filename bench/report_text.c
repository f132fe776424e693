/* report_text.c - the machine as text: what stands above every table of the bench. */
#include "bench.h"

#include "table.h"

/* Three significant digits in the unit that suits. */
char *bench_time_text(double seconds, char *text, size_t size)
{
    const double value = seconds < 1e-3 ? 1e6 * seconds : seconds < 1 ? 1e3 * seconds : seconds;
    const char *unit = seconds < 1e-3 ? "us" : seconds < 1 ? "ms" : "s";
    snprintf(text, size, "%.*f %s", value < 9.995 ? 2 : value < 99.95 ? 1 : 0, value, unit);
    return text;
}

/* int8 / f32 is the most that quantization can give on that ISA where arithmetic is the limit. */
static void print_peaks(const peaks *p, FILE *to)
{
    static const table_column columns[] = {
        {"instruction set", TABLE_LEFT}, {"f32 GFLOP/s", TABLE_RIGHT}, {"int8 GOP/s", TABLE_RIGHT}, {"int8 / f32", TABLE_RIGHT}};
    table *t = table_create(columns, 4);
    for (int i = 0; i < p->isa_count; i++) {
        table_cell(t, "%s", p->isas[i].isa);
        table_cell(t, "%.1f", 1e-9 * p->isas[i].f32);
        table_cell(t, "%.1f", 1e-9 * p->isas[i].u8s8);
        table_cell(t, "%.2f", p->isas[i].u8s8 / p->isas[i].f32);
    }
    table_print(t, to);
    table_free(t);
    fprintf(to, "reading, GB/s:");
    for (int level = 0; level < PEAK_LEVELS; level++)
        fprintf(to, "  %s %.0f", peak_level_name((peak_level)level), 1e-9 * p->bandwidth[level]);
    fprintf(to, "\n");
}

/* One block for each number of threads that was measured. */
void bench_print_machine(const bench_context *context, FILE *to)
{
    char sizes[3][32];
    for (int i = 0; i < 3; i++)
        table_bytes((double)context->machine.cache[i], sizes[i], sizeof sizes[i]);
    fprintf(to, "%s, %d CPU%s, L1 %s, L2 %s, L3 %s\n", context->machine.cpu, context->machine.cpus.count,
            context->machine.cpus.count == 1 ? "" : "s", sizes[0], sizes[1], sizes[2]);
    for (int i = 0; i < context->count; i++) {
        const peaks *p = &context->peaks[i];
        fprintf(to, "\npeaks of %d thread%s (register-only loops, measured now)\n", p->threads, p->threads == 1 ? "" : "s");
        print_peaks(p, to);
    }
    fprintf(to, "\n");
}

/* "12 rounds" or the same with a warning that nobody can overlook. */
void bench_print_noise(const measure_info *info, FILE *to)
{
    fprintf(to, "%d rounds in %.1f s", info->rounds, info->seconds);
    if (info->disturbed)
        fprintf(to, "; %d disturbed ones %s", info->disturbed, info->kept_disturbed ? "among them" : "left out");
    if (info->repeated)
        fprintf(to, "; %d measured again", info->repeated);
    fprintf(to, "\n");
    if (info->trouble[0]) {
        char line[sizeof info->trouble + 64];
        snprintf(line, sizeof line, "NOT QUIET: %s. Measure again on an idle machine.", info->trouble);
        fprintf(to, "%s", table_color(to, TABLE_WARN));
        table_wrap(line, 0, 78, to);
        fprintf(to, "%s", table_color(to, TABLE_PLAIN));
    }
}

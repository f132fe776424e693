/* bench_kernels.c - `octet-bench kernels`: chooses the layers and measures them one by one.
 *
 * One layer's float and int8 kernels are interleaved with each other, not with other layers: only they are compared.
 */
#include <string.h>

#include "interrupt.h"
#include "kernel_bench.h"
#include "octet.h"
#include "progress.h"

/* What the command line said. */
typedef struct kernels_options {
    const char *isa, *filter;
    bench_output output;
    int64_t threads;
    double seconds;
    bool list;
} kernels_options;

/* By a part of the name or by the whole kind: "--filter conv" should not find every "features.3.conv.1" that is depthwise. */
static bool wanted(const kernels_options *o, const bench_shape *shape)
{
    return !o->filter || strstr(shape->name, o->filter) || !strcmp(shape_kind_name(shape->kind), o->filter);
}

/* The rows to be measured: all wanted shapes on the first ISA, then on the next. */
static int make_rows(const shape_list *shapes, const kernels_options *o, const bench_lists *lists, kernel_row *rows)
{
    int count = 0;
    for (int i = 0; i < lists->isa_count; i++)
        for (int s = 0; s < shapes->count; s++)
            if (wanted(o, &shapes->shapes[s]))
                rows[count++] = (kernel_row){.shape = &shapes->shapes[s], .isa = lists->isas[i], .best_f32 = -1, .best_int8 = -1};
    return count;
}

/* The team spins between its turns, so it lives only while kernels are measured. */
static bool measure_rows(kernel_row *rows, int count, const kernels_options *o, bench_context *context, measure_info *info,
                         failure *why)
{
    const peaks *p = bench_peaks(context, (int)o->threads, why);
    team *t = p ? team_create(&context->machine.cpus, (int)o->threads) : NULL;
    bool ok = t != NULL || (p && fail_with(why, "%d threads could not be started", (int)o->threads));
    progress line;
    progress_start(&line, "measuring layer", count);
    for (int i = 0; i < count && ok && !interrupt_seen(); i++) {
        const oct_kernels *kernels = oct_kernels_get(rows[i].isa, ~0u);
        ok = kernels ? kernel_row_measure(&rows[i], kernels, t, p, o->seconds, info, why)
                     : fail_with(why, "%s has no kernels here", rows[i].isa);
        progress_show(&line, i + 1);
    }
    progress_end(&line);
    team_free(t);
    return ok;
}

static bool run(kernel_row *rows, int count, const kernels_options *o, failure *why)
{
    static bench_context context;
    bench_record record;
    measure_info info = {0};
    if (!bench_open(&context, why) || !measure_rows(rows, count, o, &context, &info, why))
        return false;
    if (bench_output_text(&o->output)) {
        bench_print_machine(&context, stdout);
        kernel_rows_print(rows, count, (int)o->threads, stdout);
        bench_print_noise(&info, stdout);
    }
    if (!bench_record_begin(&record, &context, why))
        return false;
    bench_json_noise(&record.j, &info);
    kernel_rows_json(rows, count, (int)o->threads, &record.j);
    return bench_record_end(&record, &o->output, "kernels", why);
}

/* The arrays are large and there is one run per process: they need no heap. */
static int list_or_run(const arg_spec *spec, const kernels_options *o, const bench_lists *lists)
{
    static shape_list shapes;
    static kernel_row rows[SHAPES_MAX * BENCH_MAX_ISAS];
    failure why;
    shapes_fill(&shapes);
    const int count = make_rows(&shapes, o, lists, rows);
    if (count == 0) {
        args_bad(spec,
                 "--filter %s: no such layer (possible: a part of a name of --list, or conv, depthwise, dense, gemm, max_pool, "
                 "average_pool, add)",
                 o->filter);
        return BENCH_USAGE;
    }
    for (int i = 0; i < count && o->list; i++)
        printf("%-44s %s\n", rows[i].shape->name, shape_kind_name(rows[i].shape->kind));
    if (o->list || run(rows, count, o, &why))
        return BENCH_OK;
    fprintf(stderr, "%s: %s\n", spec->command, why.text);
    return BENCH_FAILED;
}

int bench_kernels(int argc, char **argv)
{
    kernels_options o = {.threads = 1, .seconds = 0.1};
    arg_option outputs[BENCH_OUTPUT_ROWS];
    bench_output_rows(&o.output, outputs);
    const arg_option options[] = {
        {"--isa", .kind = ARG_TEXT, .to = &o.isa, .value = "LIST",
         .help = "instruction sets, \"avx2,scalar\" or \"all\" (default: the best)"},
        {"--filter", .kind = ARG_TEXT, .to = &o.filter, .value = "TEXT",
         .help =
             "only layers with TEXT in their name, or of that kind (conv, depthwise, dense, gemm, max_pool, average_pool, add)"},
        {"--threads", .kind = ARG_INTEGER, .to = &o.threads, .value = "N", .help = "threads (default 1)", .min = 1,
         .max = OCT_MAX_THREADS},
        {"--seconds", .kind = ARG_REAL, .to = &o.seconds, .value = "S",
         .help = "how long to measure each layer, about (default 0.1)"},
        {"--list", .kind = ARG_FLAG, .to = &o.list, .help = "only list the layers"},
        {0}};
    const arg_spec spec = {.command = "octet-bench kernels",
                           .usage = "[--isa LIST] [--filter TEXT] [--threads N] [--seconds S] [--json FILE] [--csv FILE]",
                           .about = "Times float and int8 kernels against each other on the layer shapes of MobileNetV1,\n"
                                    "MobileNetV2, ResNet50, VGG16, InceptionV3, on small first layers and on square\n"
                                    "matrix products.\n",
                           .groups = {options, outputs}};
    bench_lists lists;
    int words;
    arg_result parsed = args_parse(&spec, argc, argv, &words);
    if (parsed == ARGS_OK)
        parsed = bench_parse_isas(&spec, o.isa, &lists);
    if (parsed == ARGS_OK && !(o.seconds > 0 && o.seconds <= 3600))
        parsed = args_bad(&spec, "--seconds must lie between 0 and 3600");
    if (parsed == ARGS_OK)
        parsed = bench_output_check(&spec, &o.output, argv, words);
    if (parsed != ARGS_OK)
        return parsed == ARGS_HELP ? BENCH_OK : BENCH_USAGE;
    interrupt_catch();
    return list_or_run(&spec, &o, &lists);
}

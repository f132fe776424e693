/* octet import - an ONNX file becomes an optimised .oct model.
 *
 *     oct_import_onnx -> oct_optimize -> oct_save -> loaded again and summed up
 *
 * --no-optimize leaves the second step out: the plain graph is slower, computes the same, and so tells whether a wrong answer comes
 * from the importer or from the optimiser.
 */
#include <string.h>

#include "commands.h"
#include "octet_convert.h"
#include "output.h"
#include "summary.h"

/* The command line. */
typedef struct import_options {
    const char *output;
    int64_t batch;
    bool plain;
} import_options;

/* What the optimiser did, only passes that found something. */
static void print_passes(const oct_optimize_report *report)
{
    for (int i = 0; i < report->count; i++)
        if (report->passes[i].changes > 0)
            printf("  %-22s%5d  %s\n", report->passes[i].name, report->passes[i].changes, report->passes[i].what);
}

/* The summary is that of the written file, loaded again: it shows what a program will get, and that it can be loaded. */
static bool import_model(const import_options *o, const char *path, failure *why)
{
    oct_graph *graph = NULL;
    oct_optimize_report report = {0};
    const oct_import_options options = {.batch = o->batch};
    bool ok = oct_import_onnx(path, &options, &graph) == OCT_OK || fail_library(why, path);
    if (ok && !o->plain)
        ok = oct_optimize(graph, &report) == OCT_OK || fail_library(why, path);
    if (ok)
        ok = oct_save(graph, o->output) == OCT_OK || fail_library(why, o->output);
    oct_graph_free(graph);
    ok = ok && summary_print_file(o->output, why);
    if (ok)
        print_passes(&report);
    return ok;
}

int cmd_import(int argc, char **argv)
{
    import_options o = {0};
    const arg_option options[] = {
        {"--output", .alias = "-o", .kind = ARG_TEXT, .to = &o.output, .required = true, .value = "MODEL.oct",
         .help = "the file to write"},
        {"--batch", .kind = ARG_INTEGER, .to = &o.batch, .value = "N", .min = 1, .max = 65536,
         .help = "what a free first dimension of an input becomes (default 1)"},
        {"--no-optimize", .kind = ARG_FLAG, .to = &o.plain, .help = "keep the network node by node as the file has it"},
        {0},
    };
    const arg_spec spec = {
        .command = "octet import",
        .usage = "MODEL.onnx -o MODEL.oct [--batch N] [--no-optimize]",
        .about = "Reads an ONNX model (opset 7 to 21, float or quantized), optimises it and writes it as a\n"
                 ".oct file: batch normalisations folded into convolutions, activations and residual adds\n"
                 "fused, transposes moved to the edge. What is not supported is refused by name.\n",
        .word = "MODEL.onnx",
        .min_words = 1,
        .max_words = 1,
        .groups = {options},
    };
    int words;
    failure why;
    const arg_result result = args_parse(&spec, argc, argv, &words);
    if (result != ARGS_OK)
        return usage_status(result);
    const char *const inputs[1] = {argv[0]};
    if (!output_is_file(o.output, inputs, 1, &why))
        return usage_status(args_bad(&spec, "%s", why.text));
    return import_model(&o, argv[0], &why) ? EXIT_WORKED : report_failure(&spec, &why);
}

/* octet run - data through a model, answers into .npy files.
 *
 *     input files --sample by sample--> session --answer by answer--> one "sink" per output
 *
 * Nothing of the size of the files is held in memory.
 */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "npy.h"
#include "output.h"
#include "progress.h"
#include "runner.h"

#define MAX_OUTPUTS 256

/* The command line. */
typedef struct run_options {
    arg_texts inputs;
    const char *output;
    int64_t output_index;   /* -1: all */
    data_transform transform;
    engine_options engine;
} run_options;

/* One output on its way into its file. */
typedef struct sink {
    size_t index;
    oct_tensor_info info;
    npy_writer *writer;
    float *values;
} sink;

/* OUT.npy, or OUT-2.npy for the third of several outputs. */
static char *sink_path(const char *path, size_t index, bool numbered)
{
    const size_t length = strlen(path), room = length + 32;
    char *name = malloc(room);
    if (!name)
        return NULL;
    const size_t stem = length > 4 && !strcmp(path + length - 4, ".npy") ? length - 4 : length;
    if (numbered)
        snprintf(name, room, "%.*s-%zu%s", (int)stem, path, index, path + stem);
    else
        snprintf(name, room, "%s", path);
    return name;
}

/* Not over the model and not over the data, which are read as long as answers are written. */
static bool check_sink(const char *path, const runner_request *request, failure *why)
{
    return output_is_file(path, &request->model, 1, why) && output_is_file(path, request->data->items, request->data->count, why);
}

/* N answers one after the other: N x output without the output's batch dimension, where it has one. */
static bool open_sink(sink *s, const runner *r, const runner_request *request, size_t index, const char *path, failure *why)
{
    *s = (sink){.index = index};
    if (!runner_output(r, index, &s->info, why))
        return false;
    int64_t dims[OCT_MAX_RANK + 1];
    const oct_shape *shape = &s->info.shape;
    const int rest = runner_batched(r, &s->info) ? 1 : 0;
    dims[0] = r->feed.samples * runner_batch(r, &s->info);
    for (int i = rest; i < shape->rank; i++)
        dims[1 + i - rest] = shape->dims[i];
    /* One byte more, as malloc(0) may give NULL. */
    s->values = malloc(s->info.elements * sizeof *s->values + 1);
    return s->values ? check_sink(path, request, why) && npy_create(path, 1 + shape->rank - rest, dims, &s->writer, why)
                     : fail_with(why, "out of memory");
}

/* The same under the name that belongs to this output. */
static bool open_named(sink *s, const runner *r, const runner_request *request, size_t index, const char *path, bool numbered,
                       failure *why)
{
    char *name = sink_path(path, index, numbered);
    const bool ok = name ? open_sink(s, r, request, index, name, why) : fail_with(why, "out of memory");
    free(name);
    return ok;
}

/* Unfinished files vanish. */
static void close_sinks(sink *sinks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        npy_abandon(sinks[i].writer);
        free(sinks[i].values);
    }
}

/* The answers of the run just done. */
static bool write_outputs(const runner *r, sink *sinks, size_t count, failure *why)
{
    for (size_t i = 0; i < count; i++)
        if (!feed_output(r->session, &sinks[i].info, sinks[i].index, sinks[i].values, why) ||
            !npy_append(sinks[i].writer, sinks[i].values, (int64_t)sinks[i].info.elements, why))
            return false;
    return true;
}

/* Sample by sample, so that neither data nor answers need to fit into memory. */
static bool run_samples(runner *r, sink *sinks, size_t count, failure *why)
{
    bool ok = true;
    progress p;
    progress_start(&p, "running", r->feed.samples);
    for (int64_t i = 0; i < r->feed.samples && ok; i++) {
        ok = feed_run(&r->feed, r->session, i, why) && write_outputs(r, sinks, count, why);
        progress_show(&p, i + 1);
    }
    progress_end(&p);
    /* Only now do the files appear under their names. */
    for (size_t i = 0; i < count && ok; i++) {
        ok = npy_finish(sinks[i].writer, why);
        sinks[i].writer = NULL;
    }
    return ok;
}

/* From the files to the written answers. */
static bool run_model(const run_options *o, const char *model, failure *why)
{
    runner r;
    sink sinks[MAX_OUTPUTS] = {{0}};
    size_t count = 0;
    const runner_request request = {model, &o->inputs, "--input", &o->transform, &o->engine};
    bool ok = runner_open(&r, &request, why);
    if (ok) {
        const size_t outputs = oct_model_output_count(r.model);
        if (o->output_index < 0 && outputs > MAX_OUTPUTS)
            ok = fail_with(why, "%s: %zu outputs; choose one with --output-index", model, outputs);
        const size_t wanted = o->output_index >= 0 ? 1 : outputs;
        for (size_t i = 0; i < wanted && ok; i++, count++)
            ok = open_named(&sinks[i], &r, &request, o->output_index >= 0 ? (size_t)o->output_index : i, o->output, wanted > 1,
                            why);
        ok = ok && run_samples(&r, sinks, count, why);
    }
    close_sinks(sinks, count);
    runner_close(&r);
    return ok;
}

int cmd_run(int argc, char **argv)
{
    run_options o = {.output_index = -1};
    const arg_option options[] = {
        {"--input", .alias = "-i", .kind = ARG_TEXTS, .to = &o.inputs, .required = true, .value = "DATA",
         .help = "samples; once for each input of the model, in its order"},
        {"--output", .alias = "-o", .kind = ARG_TEXT, .to = &o.output, .required = true, .value = "OUT.npy",
         .help = "float32, N x output; a model with several outputs writes\nOUT-0.npy, OUT-1.npy, ..."},
        {"--output-index", .kind = ARG_INTEGER, .to = &o.output_index, .value = "K", .help = "only output K (from 0), to OUT.npy",
         .max = 1000000},
        {0},
    };
    arg_option engine[ENGINE_OPTION_ROWS], transform[DATA_OPTION_ROWS];
    engine_option_rows(&o.engine, engine);
    data_option_rows(&o.transform, transform);
    const arg_spec spec = {
        .command = "octet run",
        .usage = "MODEL.oct --input DATA --output OUT.npy [options]",
        .about = "Runs the model on every sample and writes the answers.\n\n"
                 "DATA is NAME.npy (float32 or uint8), NAME.f32 or NAME.u8 (raw, no header) or NAME.pb\n"
                 "(ONNX TensorProto): N samples, each in the shape of the model's input.\n",
        .word = "MODEL.oct",
        .min_words = 1,
        .max_words = 1,
        .groups = {options, transform, engine},
    };
    int words, status;
    failure why;
    if (!parse_command(&spec, argc, argv, &words, &o.engine, &o.transform, &status))
        return status;
    return run_model(&o, argv[0], &why) ? EXIT_WORKED : report_failure(&spec, &why);
}

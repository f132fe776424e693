/* octet quantize - calibrates a float model on samples and writes its int8 form; or leaves the ranges to be found at run time.
 *
 *     oct_model_load -> oct_graph_from_model -> oct_calibration_add for every sample -> oct_quantize -> oct_save
 *                                         \---- --dynamic ----> oct_quantize_dynamic ----------/
 */
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "engine.h"
#include "feed.h"
#include "octet_convert.h"
#include "output.h"
#include "progress.h"
#include "ranges_json.h"
#include "summary.h"

/* The command line. */
typedef struct quantize_options {
    arg_texts calib;
    arg_texts keep_float;
    const char *output, *method, *weights, *rounding, *ranges, *labels;
    double percentile, max_drop, min_sqnr;   /* 0: the library's choice, off */
    int64_t samples;         /* 0: all */
    bool dynamic, equalize, no_bias_correction;
    data_transform transform;
    engine_options engine;
} quantize_options;

/* MODEL.oct -> MODEL.int8.oct */
static char *default_output(const char *model)
{
    const size_t length = strlen(model);
    const size_t stem = length > 4 && !strcmp(model + length - 4, ".oct") ? length - 4 : length;
    char *path = malloc(stem + sizeof ".int8.oct");
    if (path) {
        memcpy(path, model, stem);
        strcpy(path + stem, ".int8.oct");
    }
    return path;
}

/* Shows the samples to the float graph. */
static bool calibrate(const quantize_options *o, feed *f, oct_calibration *calibration, failure *why)
{
    const int64_t samples = o->samples > 0 && o->samples < f->samples ? o->samples : f->samples;
    bool ok = true;
    progress p;
    progress_start(&p, "calibrating", samples);
    for (int64_t i = 0; i < samples && ok; i++) {
        ok = feed_load(f, i, why);
        /* One bad sample ends the work: leaving it out silently would hide that the data are broken. */
        if (ok && oct_calibration_add(calibration, f->inputs) != OCT_OK)
            ok = fail_library(why, f->count == 1 ? data_path(f->files[0]) : NULL);   /* the sentence names sample and input */
        progress_show(&p, i + 1);
    }
    progress_end(&p);
    return ok;
}

/* Equalises the graph by what a first calibration has shown, and makes a new one for the changed graph. */
static bool equalize(const quantize_options *o, oct_graph *graph, feed *f, oct_calibration **calibration, failure *why)
{
    const oct_options session = engine_session_options(&o->engine);
    int channels;
    if (oct_equalize(graph, *calibration, &channels) != OCT_OK)
        return fail_library(why, NULL);
    printf("  %-12s%d channels\n", "equalized", channels);
    oct_calibration_free(*calibration);
    return (oct_calibration_create(graph, &session, calibration) == OCT_OK || fail_library(why, NULL)) &&
           calibrate(o, f, *calibration, why);
}

/* Samples, or a file of ranges, or (both) samples whose ranges go into a file. */
static bool find_ranges(const quantize_options *o, const oct_quantize_options *options, oct_graph *graph, feed *f,
                        oct_calibration **calibration, failure *why)
{
    if (o->calib.count == 0)
        return ranges_read(o->ranges, *calibration, why);
    return calibrate(o, f, *calibration, why) && (!o->equalize || equalize(o, graph, f, calibration, why)) &&
           (!o->ranges || ranges_write(o->ranges, *calibration, options, why));
}

/* One line on a terminal while the library works. */
static void show_progress(void *user, const char *what, int64_t done, int64_t total)
{
    progress *p = user;
    if (p->what != what) {
        progress_end(p);
        progress_start(p, what, total);
    }
    p->total = total;
    progress_show(p, done);
}

/* What the command line says, as the library takes it. */
static oct_quantize_options library_options(const quantize_options *o, const int64_t *labels, int64_t label_count, progress *p)
{
    return (oct_quantize_options){.method = o->method,
                                  .percentile = o->percentile,
                                  .weights = o->weights,
                                  .rounding = o->rounding,
                                  .keep_float = o->keep_float.items,
                                  .keep_float_count = o->keep_float.count,
                                  .max_drop = o->max_drop,
                                  .min_sqnr = o->min_sqnr,
                                  .labels = labels,
                                  .label_count = label_count,
                                  .no_bias_correction = o->no_bias_correction,
                                  .progress = show_progress,
                                  .user = p};
}

/* From the loaded model to the saved one; *samples receives how many samples were seen. */
static bool quantize_loaded(const quantize_options *o, const oct_model *model, feed *f, const char *output, int64_t *samples,
                            failure *why)
{
    oct_graph *graph = NULL, *quantized = NULL;
    oct_calibration *calibration = NULL;
    int64_t *labels = NULL;
    progress p = {0};
    const oct_options session = engine_session_options(&o->engine);
    bool ok = !o->labels || data_read_labels(o->labels, f->samples, &labels, why);
    const oct_quantize_options options = library_options(o, labels, labels ? f->samples : 0, &p);
    if (ok && (oct_graph_from_model(model, &graph) != OCT_OK || oct_calibration_create(graph, &session, &calibration) != OCT_OK))
        ok = fail_library(why, NULL);
    ok = ok && find_ranges(o, &options, graph, f, &calibration, why);
    if (ok) {
        *samples = oct_calibration_samples(calibration);
        ok = oct_quantize(graph, calibration, &options, &quantized) == OCT_OK || fail_library(why, NULL);
        progress_end(&p);
    }
    /* Saving holds the weights twice, in the graph and as a file: the float session, which holds more, goes first. */
    oct_calibration_free(calibration);
    oct_graph_free(graph);
    if (ok)
        ok = oct_save(quantized, output) == OCT_OK || fail_library(why, output);
    oct_graph_free(quantized);
    free(labels);
    return ok;
}

/* Nothing is run, so there are no samples to show. */
static bool quantize_dynamic(const oct_model *model, const char *output, failure *why)
{
    oct_graph *graph = NULL, *quantized = NULL;
    const bool made = oct_graph_from_model(model, &graph) == OCT_OK && oct_quantize_dynamic(graph, &quantized) == OCT_OK;
    const bool ok = made ? oct_save(quantized, output) == OCT_OK || fail_library(why, output) : fail_library(why, NULL);
    oct_graph_free(quantized);
    oct_graph_free(graph);
    return ok;
}

/* By calibration. */
static bool quantize_static(const quantize_options *o, const oct_model *model, const char *output, int64_t *samples, failure *why)
{
    feed f = {0};
    const bool ok = (o->calib.count == 0 || feed_open(&f, model, &o->calib, "--calib", &o->transform, why)) &&
                    quantize_loaded(o, model, &f, output, samples, why);
    feed_close(&f);
    return ok;
}

/* The library would refuse too, but only after the whole calibration. */
static bool check_float(const oct_model *model, const char *path, failure *why)
{
    summary s;
    if (!summary_of_model(model, path, &s, why))
        return false;
    return s.int8_layers == 0 || fail_with(why, "%s: is quantized already (int8 in %lld of %lld layers)", path,
                                           (long long)s.int8_layers, (long long)s.layers);
}

/* From the files to the printed summary. */
static bool quantize_model(const quantize_options *o, const char *path, failure *why)
{
    oct_model *model = NULL;
    int64_t samples = 0;
    char *made_up = o->output ? NULL : default_output(path);
    const char *output = o->output ? o->output : made_up;
    bool ok = output || fail_with(why, "out of memory");
    if (ok && oct_model_load(path, &model) != OCT_OK)
        ok = fail_library(why, path);
    ok = ok && check_float(model, path, why) &&
         (o->dynamic ? quantize_dynamic(model, output, why) : quantize_static(o, model, output, &samples, why)) &&
         summary_print_file(output, why);
    const double percent = ok ? 100 * (double)summary_file_bytes(output) / (double)summary_file_bytes(path) : 0;
    if (ok && o->dynamic)
        printf("  %-12swithout samples; the file has %.0f %% of the float one's bytes\n", "quantized", percent);
    else if (ok && o->calib.count == 0)
        printf("  %-12swith the ranges of %s; the file has %.0f %% of the float one's bytes\n", "quantized", o->ranges, percent);
    else if (ok)
        printf("  %-12s%lld samples, method %s; the file has %.0f %% of the float one's bytes\n", "calibrated", (long long)samples,
               o->method ? o->method : "mse", percent);
    oct_model_free(model);
    free(made_up);
    return ok;
}

/* A sentence if these options cannot stand together, else NULL. */
static const char *contradiction(const quantize_options *o)
{
    const bool samples = o->calib.count > 0;
    if (o->dynamic && samples)
        return "--dynamic needs no --calib";
    if (!o->dynamic && !samples && !o->ranges)
        return "--calib DATA is missing; --ranges FILE or --dynamic does without";
    if (o->dynamic && (o->ranges || o->method || o->weights || o->rounding || o->equalize || o->keep_float.count > 0))
        return "--dynamic takes no options of calibration";
    if (!samples && (o->equalize || o->max_drop > 0 || o->min_sqnr > 0 || (o->rounding && strcmp(o->rounding, "nearest") != 0)))
        return "--equalize, --max-drop, --min-sqnr and --rounding gptq need --calib DATA";
    return !samples && o->labels ? "--labels are those of --calib DATA" : NULL;
}

/* Neither the model nor the ranges may be written over what is read. */
static bool check_outputs(const quantize_options *o, const char *model, failure *why)
{
    const char *inputs[ARG_MAX_TEXTS + 2] = {model, o->labels};
    const int count = 2 + o->calib.count;
    for (int i = 0; i < o->calib.count; i++)
        inputs[2 + i] = o->calib.items[i];
    const bool writes_ranges = o->ranges && o->calib.count > 0;
    return (!o->output || output_is_file(o->output, inputs, count, why)) &&
           (!writes_ranges || output_is_file(o->ranges, inputs, count, why));
}

int cmd_quantize(int argc, char **argv)
{
    quantize_options o = {0};
    const arg_option options[] = {
        {"--calib", .alias = "-c", .kind = ARG_TEXTS, .to = &o.calib, .value = "DATA",
         .help = "samples; once for each input of the model, in its order"},
        {"--dynamic", .kind = ARG_FLAG, .to = &o.dynamic,
         .help = "no samples: every run finds the ranges it needs"},
        {"--output", .alias = "-o", .kind = ARG_TEXT, .to = &o.output, .value = "Q.oct",
         .help = "the file to write (default: MODEL.int8.oct)"},
        {"--method", .kind = ARG_TEXT, .to = &o.method, .value = "NAME", .choices = "minmax percentile mse entropy best",
         .help = "how ranges are chosen: minmax, percentile, mse (default), entropy, best"},
        {"--percentile", .kind = ARG_REAL, .to = &o.percentile, .value = "P", .min = 50, .max = 100,
         .help = "percentile: how many percent of the numbers lie inside (default 99.99)"},
        {"--weights", .kind = ARG_TEXT, .to = &o.weights, .value = "NAME", .choices = "mse max tensor",
         .help = "how weights are scaled: mse (default), max; tensor: one scale per layer"},
        {"--rounding", .kind = ARG_TEXT, .to = &o.rounding, .value = "NAME", .choices = "nearest gptq auto",
         .help = "of weights: nearest, gptq (slow), auto (default: gptq if quick)"},
        {"--equalize", .kind = ARG_FLAG, .to = &o.equalize, .help = "cross-layer equalisation first (calibrates twice)"},
        {"--ranges", .kind = ARG_TEXT, .to = &o.ranges, .value = "FILE.json",
         .help = "writes the ranges there; without --calib: takes them from there"},
        {"--max-drop", .kind = ARG_REAL, .to = &o.max_drop, .value = "POINTS", .max = 100,
         .help = "keep the fewest layers in float that limit the loss of top-1 to this"},
        {"--min-sqnr", .kind = ARG_REAL, .to = &o.min_sqnr, .value = "DB", .max = INT64_MAX,
         .help = "keep the fewest layers in float that give the outputs this SQNR"},
        {"--labels", .alias = "-l", .kind = ARG_TEXT, .to = &o.labels, .value = "LABELS",
         .help = "of the samples, for --max-drop (else: the float model's answers)"},
        {"--keep-float", .kind = ARG_TEXTS, .to = &o.keep_float, .value = "LAYER",
         .help = "keep this layer in float; may be given several times"},
        {"--no-bias-correction", .kind = ARG_FLAG, .to = &o.no_bias_correction,
         .help = "do not correct biases for the mean error of the weights"},
        {"--samples", .kind = ARG_INTEGER, .to = &o.samples, .value = "N", .min = 1, .max = INT64_MAX,
         .help = "use only the first N samples"},
        {0},
    };
    arg_option engine[ENGINE_OPTION_ROWS], transform[DATA_OPTION_ROWS];
    engine_option_rows(&o.engine, engine);
    data_option_rows(&o.transform, transform);
    const arg_spec spec = {
        .command = "octet quantize",
        .usage = "MODEL.oct (--calib DATA | --ranges FILE | --dynamic) [-o Q.oct] [options]",
        .about = "Runs the float model on the samples, notes the range of every activation, and writes\n"
                 "the model with u8 activations and s8 weights wherever the operators allow. About a\n"
                 "hundred samples like those the model will meet are enough.\n"
                 "With --dynamic the layers between the products stay f32 and no samples are needed; that\n"
                 "is slower than int8 throughout, and mostly faster than f32.\n\n"
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
    if (contradiction(&o))
        return usage_status(args_bad(&spec, "%s", contradiction(&o)));
    if (!check_outputs(&o, argv[0], &why))
        return usage_status(args_bad(&spec, "%s", why.text));
    return quantize_model(&o, argv[0], &why) ? EXIT_WORKED : report_failure(&spec, &why);
}

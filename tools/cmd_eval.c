/* octet eval - answers counted: against labels, against a reference, or both.
 *
 *     DATA   sample 0 | sample 1 | ...      N samples, each of the input's size
 *     LABELS class    | class    | ...      one integer each
 *     REF    answer   | answer   | ...      each of the output's size, from another model or program
 *
 * Three questions that differ: is it right (top-1), does it decide as the reference does (agreement), and how far are
 * the numbers apart (errors, SQNR). An int8 model may lose decibels and no decision; so all three are given.
 */
#include <stdlib.h>

#include "commands.h"
#include "compare.h"
#include "json.h"
#include "progress.h"
#include "runner.h"

/* The command line. */
typedef struct eval_options {
    arg_texts data;
    const char *labels, *ref;
    int64_t output_index;
    bool as_json;
    data_transform transform;
    engine_options engine;
} eval_options;

/* The answers of one output, counted. A run gives `batch` answers of `classes` numbers each. */
typedef struct tally {
    oct_tensor_info output;
    int64_t batch, classes, samples;
    int64_t *labels;         /* NULL without --labels */
    data_file *ref;          /* NULL without --ref */
    float *values;
    int64_t right, agree;
    comparison errors;
} tally;

/* A label beyond the classes would only lower top-1, as if the model were bad: more likely it is the wrong file. */
static bool check_labels(const tally *t, const char *path, failure *why)
{
    for (int64_t i = 0; i < t->samples; i++)
        if (t->labels[i] < 0 || t->labels[i] >= t->classes)
            return fail_with(why, "%s: label %lld of sample %lld is outside the %lld classes", path, (long long)t->labels[i],
                             (long long)i, (long long)t->classes);
    return true;
}

/* Opens labels and reference and holds their sizes against the data before the first run. */
static bool open_tally(tally *t, const runner *r, const eval_options *o, failure *why)
{
    *t = (tally){0};
    if (!runner_output(r, (size_t)o->output_index, &t->output, why))
        return false;
    t->batch = runner_batch(r, &t->output);
    t->classes = (int64_t)t->output.elements / (t->batch > 0 ? t->batch : 1);
    t->samples = r->feed.samples * t->batch;
    t->values = malloc(t->output.elements * sizeof *t->values + 1);
    if (!t->values)
        return fail_with(why, "out of memory");
    if (o->labels && (!data_read_labels(o->labels, t->samples, &t->labels, why) || !check_labels(t, o->labels, why)))
        return false;
    if (o->ref && !data_open(o->ref, &t->output, NULL, &t->ref, why))
        return false;
    /* A reference of more samples than the data is as wrong as one of fewer: it belongs to other data. */
    if (t->ref && data_samples(t->ref) != r->feed.samples)
        return fail_with(why, "%s: answers for %lld samples, the data have %lld", o->ref,
                         (long long)(data_samples(t->ref) * t->batch), (long long)t->samples);
    return true;
}

/* Also after an open_tally that failed half way. */
static void close_tally(tally *t)
{
    data_close(t->ref);
    free(t->labels);
    free(t->values);
}

/* Counts the answers of run `index`. */
static bool count_answers(tally *t, const runner *r, const eval_options *o, int64_t index, failure *why)
{
    if (!feed_output(r->session, &t->output, (size_t)o->output_index, t->values, why))
        return false;
    const float *ref = NULL;
    if (t->ref) {
        ref = data_sample(t->ref, index, why);
        if (!ref)
            return false;
        compare_add(&t->errors, t->values, ref, (int64_t)t->output.elements);
    }
    /* An answer with a NaN in it has no largest output, so it is neither right nor does it agree. */
    for (int64_t b = 0; b < t->batch; b++) {
        const int64_t best = compare_argmax(t->values + b * t->classes, t->classes);
        if (t->labels && best == t->labels[index * t->batch + b])
            t->right++;
        if (ref && best >= 0 && best == compare_argmax(ref + b * t->classes, t->classes))
            t->agree++;
    }
    return true;
}

/* Every sample through the session, counted. */
static bool run_all(tally *t, runner *r, const eval_options *o, failure *why)
{
    bool ok = true;
    progress p;
    compare_start(&t->errors, 0, 0);
    progress_start(&p, "evaluating", r->feed.samples);
    for (int64_t i = 0; i < r->feed.samples && ok; i++) {
        ok = feed_run(&r->feed, r->session, i, why) && count_answers(t, r, o, i, why);
        progress_show(&p, i + 1);
    }
    progress_end(&p);
    return ok;
}

/* The keys are a contract: scripts read them. Those without a measurement behind them are left out. */
static void print_json(const tally *t, const char *model, const oct_session_info *session)
{
    json j;
    json_begin(&j, stdout);
    json_object(&j, NULL);
    json_text(&j, "octet", oct_version());
    json_text(&j, "model", model);
    json_text(&j, "isa", session->isa);
    json_integer(&j, "threads", session->threads);
    json_integer(&j, "samples", t->samples);
    if (t->labels) {
        json_number(&j, "top1", (double)t->right / (double)t->samples);
        json_integer(&j, "right", t->right);
    }
    if (t->ref) {
        json_number(&j, "agreement", (double)t->agree / (double)t->samples);
        json_integer(&j, "agree", t->agree);
        json_number(&j, "max_abs_error", t->errors.max_abs);
        json_number(&j, "max_rel_error", compare_relative(&t->errors));
        json_number(&j, "sqnr_db", compare_sqnr_db(&t->errors));
    }
    json_end(&j);
}

/* The same for people, shares in percent. */
static void print_text(const tally *t, const char *model, const oct_session_info *session)
{
    const double samples = (double)t->samples;
    printf("%s: %lld samples, %s, %d thread%s\n", model, (long long)t->samples, session->isa, session->threads,
           session->threads == 1 ? "" : "s");
    if (t->labels)
        printf("  top-1          %.2f %%  (%lld right)\n", 100 * (double)t->right / samples, (long long)t->right);
    if (t->ref) {
        printf("  agreement      %.2f %%  (%lld with the same largest output as the reference)\n", 100 * (double)t->agree / samples,
               (long long)t->agree);
        printf("  max abs error  %.3g\n", t->errors.max_abs);
        printf("  max rel error  %.3g  (of the largest reference value, %.4g)\n", compare_relative(&t->errors),
               t->errors.largest_ref);
        printf("  SQNR           %.1f dB\n", compare_sqnr_db(&t->errors));
    }
}

/* From the files to the printed result; nothing is printed if anything fails. */
static bool evaluate(const eval_options *o, const char *model, failure *why)
{
    runner r;
    tally t = {0};
    oct_session_info session;
    const runner_request request = {model, &o->data, "--data", &o->transform, &o->engine};
    bool ok = runner_open(&r, &request, why) && open_tally(&t, &r, o, why) && run_all(&t, &r, o, why);
    if (ok && oct_session_describe(r.session, &session) != OCT_OK)
        ok = fail_library(why, NULL);
    if (ok && o->as_json)
        print_json(&t, model, &session);
    else if (ok)
        print_text(&t, model, &session);
    close_tally(&t);
    runner_close(&r);
    return ok;
}

static const char about[] =
    "Runs the model on every sample and counts.\n\n"
    "With --labels: top-1, the share of samples whose largest output is the label's.\n"
    "With --ref (the outputs of another model or program): the share of samples with the\n"
    "same largest output (agreement), the largest absolute error, the same divided by the\n"
    "largest |reference|, and the signal to quantization noise ratio\n"
    "10 log10 (sum ref^2 / sum error^2).\n\n"
    "--json gives shares as fractions 0..1 and null for what is infinite or undefined:\n"
    "samples, top1, right; agreement, agree, max_abs_error, max_rel_error, sqnr_db.\n\n"
    "DATA and REF are NAME.npy (float32 or uint8), NAME.f32 or NAME.u8 (raw, no header) or\n"
    "NAME.pb (ONNX TensorProto); LABELS is NAME.u8 or NAME.npy with integers.\n";

int cmd_eval(int argc, char **argv)
{
    eval_options o = {0};
    const arg_option options[] = {
        {"--data", .alias = "-d", .kind = ARG_TEXTS, .to = &o.data, .required = true, .value = "DATA",
         .help = "samples; once for each input of the model, in its order"},
        {"--labels", .alias = "-l", .kind = ARG_TEXT, .to = &o.labels, .value = "LABELS", .help = "the class of each sample"},
        {"--ref", .kind = ARG_TEXT, .to = &o.ref, .value = "REF", .help = "the outputs to compare with, N x output"},
        {"--output-index", .kind = ARG_INTEGER, .to = &o.output_index, .value = "K", .help = "which output (default 0)",
         .max = 1000000},
        {"--json", .kind = ARG_FLAG, .to = &o.as_json, .help = "as one JSON object"},
        {0},
    };
    arg_option engine[ENGINE_OPTION_ROWS], transform[DATA_OPTION_ROWS];
    engine_option_rows(&o.engine, engine);
    data_option_rows(&o.transform, transform);
    const arg_spec spec = {
        .command = "octet eval",
        .usage = "MODEL.oct --data DATA [--labels LABELS] [--ref REF] [options]",
        .about = about,
        .word = "MODEL.oct",
        .min_words = 1,
        .max_words = 1,
        .groups = {options, transform, engine},
    };
    int words, status;
    failure why;
    if (!parse_command(&spec, argc, argv, &words, &o.engine, &o.transform, &status))
        return status;
    if (!o.labels && !o.ref)
        return usage_status(args_bad(&spec, "nothing to compare with: give --labels, --ref, or both"));
    return evaluate(&o, argv[0], &why) ? EXIT_WORKED : report_failure(&spec, &why);
}

/* What the quantizer does beyond ranges: equalisation, second-order rounding, layers kept in float, notes in the model. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calibrate.h"
#include "convert_tools.h"
#include "harness.h"
#include "model.h"
#include "shell.h"

/* The weights of the convolution or dense layer that computes `value`. */
static float *weights_of(const oct_graph *g, int value)
{
    return g->values[g->nodes[g->values[value].producer].in[OCT_IN_W]].data;
}

/* Signal to noise over the kept samples, in dB. */
static double snr(const oct_graph *g, const oct_graph *q, const oct_calibration *c)
{
    double signal = 1e-30, noise = 1e-30;
    for (int64_t k = 0; k < oct_calibration_kept(c); k++) {
        float *inputs[] = {(float *)(uintptr_t)oct_calibration_kept_input(c, k, 0)};
        size_t n, m;
        float *want = net_run(g, inputs, &n), *got = net_run(q, inputs, &m);
        for (size_t i = 0; want && got && i < n; i++) {
            signal += (double)want[i] * (double)want[i];
            noise += ((double)got[i] - (double)want[i]) * ((double)got[i] - (double)want[i]);
        }
        free(want);
        free(got);
    }
    return 10 * log10(signal / noise);
}

static double quantized_snr(const oct_graph *g, const oct_calibration *c, const oct_quantize_options *o)
{
    oct_graph *q;
    if (oct_quantize(g, c, o, &q) != OCT_OK) {
        test_fail(__FILE__, __LINE__, "%s", oct_error());
        return 0;
    }
    const double db = snr(g, q, c);
    oct_graph_free(q);
    return db;
}

/* -------------------------------------------------------------------------------------------------- equalisation ---- */

/* A mobile block with a residual, a pool and a dense layer behind it; channels of very different sizes. */
static oct_graph *uneven_network(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 10, 10, 3), a = net_conv(g, x, 8, 3, 1, 1, 1);
    float *w = weights_of(g, a);
    for (int i = 0; i < 8 * 27; i++)
        w[i] *= ldexpf(1, -(i / 27));
    const int wide = net_relu(g, net_conv(g, a, 24, 1, 1, 0, 1));
    w = weights_of(g, g->nodes[g->values[wide].producer].in[0]);
    for (int i = 0; i < 24 * 8; i++)
        w[i] *= expf((float)(i / 8 % 5));
    const int deep = net_unary(g, OCT_FN_LEAKY_RELU, 0.1f, 0, net_conv(g, wide, 24, 3, 1, 1, 0));
    const int sum = net_binary(g, OCT_BINARY_ADD, net_conv(g, deep, 8, 1, 1, 0, 1), a);
    const int y = net_unary(g, OCT_FN_CLAMP, 0, 6, net_conv(g, net_max_pool(g, sum, 2, 2), 6, 3, 1, 0, 1));
    net_output(g, net_dense(g, net_reduce(g, OCT_REDUCE_MEAN, y, 6, false), 5));
    return g;
}

/* The same outputs, bit for bit, as imported and as optimised, though most channels have been scaled. */
static void equalisation_changes_nothing(void)
{
    for (int optimized = 0; optimized < 2; optimized++) {
        oct_graph *g = uneven_network(), *e;
        if (optimized)
            CHECK_OK(oct_optimize(g, NULL));
        oct_calibration *c = net_calibrated(g, 10, -1, 1);
        CHECK_OK(oct_graph_clone(g, &e));
        int channels;
        CHECK_OK(oct_equalize(e, c, &channels));
        CHECK_MSG(channels > 20, "%d channels", channels);
        for (int i = 0; i < 5; i++) {
            float **inputs = net_random_inputs(g, -1, 1);
            size_t n, m;
            float *want = net_run(g, inputs, &n), *got = net_run(e, inputs, &m);
            CHECK(want && got && n == m && memcmp(want, got, n * sizeof *want) == 0);
            free(want);
            free(got);
            net_free_inputs(g, inputs);
        }
        CHECK(oct_equalize(e, c, &channels) == OCT_ERR_ARGUMENT && channels == 0);   /* c knows another graph */
        CHECK(oct_equalize(NULL, c, NULL) == OCT_ERR_ARGUMENT && oct_equalize(e, NULL, NULL) == OCT_ERR_ARGUMENT);
        oct_calibration_free(c);
        oct_graph_free(e);
        oct_graph_free(g);
    }
}

/* Channels of very different size that matter all the same: what equalisation is for. */
static void equalisation_helps(void)
{
    oct_graph *g = net_create();
    const int a = net_conv(g, net_input(g, 1, 8, 8, 3), 16, 3, 1, 1, 1), b = net_conv(g, net_relu(g, a), 8, 3, 1, 1, 1);
    float *bias = g->values[g->nodes[g->values[a].producer].in[OCT_IN_BIAS]].data;
    for (int i = 0; i < 16; i++) {
        const float size = ldexpf(1, i % 8 - 4);
        bias[i] *= size;
        for (int k = 0; k < 27; k++)
            weights_of(g, a)[i * 27 + k] *= size;
        for (int k = 0; k < 8 * 9; k++)
            weights_of(g, b)[k * 16 + i] /= size;
    }
    net_output(g, b);
    oct_calibration *c = net_calibrated(g, 10, -1, 1);
    const double before = quantized_snr(g, c, NULL);
    oct_calibration_free(c);
    c = net_calibrated(g, 10, -1, 1);
    CHECK_OK(oct_equalize(g, c, NULL));
    oct_calibration *after = net_calibrated(g, 10, -1, 1);
    const double equalized = quantized_snr(g, after, NULL);
    CHECK_MSG(equalized > before + 6, "%.1f dB, %.1f dB equalized", before, equalized);
    oct_calibration_free(after);
    oct_calibration_free(c);
    oct_graph_free(g);
}

/* ------------------------------------------------------------------------------------------------------ rounding ---- */

/* 64 inputs that are mixtures of 6: nearly every error of a weight can be made good by others. */
static void second_order_rounding(void)
{
    enum { INPUTS = 64, FACTORS = 6, SAMPLES = 80 };
    oct_graph *g = net_create();
    float mix[INPUTS][FACTORS], x[INPUTS];
    net_output(g, net_dense(g, net_input(g, 1, 1, 1, INPUTS), 32));
    oct_calibration *c = net_calibrated(g, 0, 0, 0);
    for (int i = 0; i < INPUTS * FACTORS; i++)
        mix[i / FACTORS][i % FACTORS] = test_uniform(-1, 1);
    for (int s = 0; s < SAMPLES; s++) {
        float factor[FACTORS];
        for (int f = 0; f < FACTORS; f++)
            factor[f] = test_uniform(-1, 1);
        for (int i = 0; i < INPUTS; i++) {
            x[i] = test_uniform(-0.01f, 0.01f);
            for (int f = 0; f < FACTORS; f++)
                x[i] += mix[i][f] * factor[f];
        }
        CHECK_OK(oct_calibration_add(c, (const void *const[]){x}));
    }
    const double nearest = quantized_snr(g, c, &(oct_quantize_options){.rounding = "nearest"});
    const double second = quantized_snr(g, c, &(oct_quantize_options){.rounding = "gptq"});
    CHECK_MSG(second > nearest + 0.3, "%.2f dB, %.2f dB by second order", nearest, second);
    oct_calibration_free(c);
    oct_graph_free(g);
}

/* Every kind of layer takes part, and none is the worse for it. */
static void second_order_layers(void)
{
    for (int groups = 0; groups < 3; groups++) {
        oct_graph *g = net_create();
        int y = net_relu(g, net_conv(g, net_input(g, 1, 8, 8, 2), 32, 5, 1, 2, 1));
        y = net_relu(g, net_conv(g, y, 32, 3, 2, 1, groups));
        net_output(g, net_dense(g, net_reshape(g, y, &(oct_shape){2, {1, 4 * 4 * 32}}), 10));
        oct_calibration *c = net_calibrated(g, 40, 0, 1);
        const double nearest = quantized_snr(g, c, &(oct_quantize_options){.rounding = "nearest"});
        const double second = quantized_snr(g, c, &(oct_quantize_options){.rounding = "gptq"});
        CHECK_MSG(second > nearest - 1, "%d groups: %.2f dB, %.2f dB by second order", groups, nearest, second);
        oct_calibration_free(c);
        oct_graph_free(g);
    }
}

/* Inputs that are all zero say nothing about weights: they are rounded to the nearest. */
static void nothing_to_go_by(void)
{
    oct_graph *g = net_create(), *q, *p;
    net_output(g, net_conv(g, net_input(g, 1, 4, 4, 3), 4, 3, 1, 1, 1));
    oct_calibration *c = net_calibrated(g, 2, 0, 0);
    CHECK_OK(oct_quantize(g, c, &(oct_quantize_options){.rounding = "gptq"}, &q));
    CHECK_OK(oct_quantize(g, c, NULL, &p));
    const oct_value *a = &q->values[q->nodes[1].in[OCT_IN_W]], *b = &p->values[p->nodes[1].in[OCT_IN_W]];
    CHECK(a->dtype == OCT_S8 && memcmp(a->data, b->data, oct_value_bytes(a)) == 0);
    oct_graph_free(q);
    oct_graph_free(p);
    oct_calibration_free(c);
    oct_graph_free(g);
}

/* ------------------------------------------------------------------------------------------------ layers in float ---- */

static int float_layers(const oct_graph *q)
{
    int count = 0;
    for (int n = 0; n < q->node_count; n++)
        if (q->nodes[n].op == OCT_OP_CONV || q->nodes[n].op == OCT_OP_DENSE)
            count += q->values[q->nodes[n].in[OCT_IN_W]].dtype == OCT_F32;
    return count;
}

/* Five layers, of which the third has outliers among its weights that spoil the steps for all others. */
static oct_graph *network_with_a_culprit(char *culprit, size_t size)
{
    oct_graph *g = net_create();
    int y = net_input(g, 1, 8, 8, 3);
    for (int i = 0; i < 4; i++) {
        y = net_conv(g, y, 16, 3, 1, 1, 1);
        if (i == 2) {
            float *w = weights_of(g, y);
            snprintf(culprit, size, "%s", g->nodes[g->values[y].producer].name);
            for (int c = 0; c < 16; c++)
                w[c * 144] = 60;
        }
        y = net_relu(g, y);
    }
    net_output(g, net_dense(g, net_reduce(g, OCT_REDUCE_MEAN, y, 6, false), 10));
    return g;
}

static void the_culprit_stays_float(void)
{
    char culprit[64], line[96];
    oct_graph *g = network_with_a_culprit(culprit, sizeof culprit), *q;
    oct_calibration *c = net_calibrated(g, 12, -1, 1);
    const double all = quantized_snr(g, c, NULL);
    const oct_quantize_options o = {.min_sqnr = all + 3};
    CHECK_OK(oct_quantize(g, c, &o, &q));
    const int kept = float_layers(q);
    const double mixed = snr(g, q, c);
    CHECK_MSG(kept >= 1 && kept <= 4 && mixed >= all + 3, "%d layers in float, %.1f dB after %.1f", kept, mixed, all);
    CHECK(strstr(q->notes, " dB "));
    oct_graph_free(q);
    /* What is reached anyway costs nothing. */
    CHECK_OK(oct_quantize(g, c, &(oct_quantize_options){.min_sqnr = all - 1, .max_drop = 100}, &q));
    CHECK(float_layers(q) == 0 && !strstr(q->notes, "float "));
    oct_graph_free(q);
    /* No int8 network has 200 dB. */
    CHECK_OK(oct_quantize(g, c, &(oct_quantize_options){.min_sqnr = 200}, &q));
    CHECK(float_layers(q) == 5 && snr(g, q, c) > 100);
    oct_graph_free(q);
    /* By name. */
    const char *names[] = {culprit};
    CHECK_OK(oct_quantize(g, c, &(oct_quantize_options){.keep_float = names, .keep_float_count = 1}, &q));
    snprintf(line, sizeof line, "float asked %s\n", culprit);
    CHECK(float_layers(q) == 1 && strstr(q->notes, line));
    oct_graph_free(q);
    names[0] = "nobody";
    CHECK(oct_quantize(g, c, &(oct_quantize_options){.keep_float = names, .keep_float_count = 1}, &q) == OCT_ERR_ARGUMENT);
    CHECK(strstr(oct_error(), "nobody"));
    oct_calibration_free(c);
    oct_graph_free(g);
}

/* With labels: those that the float network gets right are wanted; labels that it gets wrong cannot be lost. */
static void drops_are_counted_by_labels(void)
{
    char culprit[64];
    oct_graph *g = network_with_a_culprit(culprit, sizeof culprit), *q;
    oct_calibration *c = net_calibrated(g, 30, -1, 1);
    int64_t labels[30];
    CHECK_OK(oct_quantize(g, c, NULL, &q));
    int disagree = 0;
    for (int k = 0; k < 30; k++) {
        float *inputs[] = {(float *)(uintptr_t)oct_calibration_kept_input(c, k, 0)};
        size_t n, best[2] = {0, 0};
        float *y[2] = {net_run(g, inputs, &n), net_run(q, inputs, &n)};
        for (int i = 0; i < 2; i++)
            for (size_t j = 1; j < n; j++)
                best[i] = y[i][j] > y[i][best[i]] ? j : best[i];
        labels[k] = (int64_t)best[1];   /* int8 is always right */
        disagree += best[0] != best[1];
        free(y[0]);
        free(y[1]);
    }
    oct_graph_free(q);
    const oct_quantize_options by_labels = {.max_drop = 0.01, .labels = labels, .label_count = 30};
    CHECK_OK(oct_quantize(g, c, &by_labels, &q));
    CHECK(float_layers(q) == 0);
    oct_graph_free(q);
    CHECK_OK(oct_quantize(g, c, &(oct_quantize_options){.max_drop = 0.01}, &q));
    CHECK_MSG((float_layers(q) > 0) == (disagree > 0), "%d disagree, %d in float", disagree, float_layers(q));
    oct_graph_free(q);
    CHECK(oct_quantize(g, c, &(oct_quantize_options){.max_drop = -1}, &q) == OCT_ERR_ARGUMENT);
    CHECK(oct_quantize(g, c, &(oct_quantize_options){.rounding = "lucky"}, &q) == OCT_ERR_ARGUMENT && strstr(oct_error(), "lucky"));
    oct_calibration_free(c);
    oct_graph_free(g);
}

/* -------------------------------------------------------------------------------------------------------- notes ---- */

/* They survive the file, and a file without them is of version 1, as it always was. */
static void notes_are_saved(void)
{
    oct_graph *g = net_create(), *q, *again;
    net_output(g, net_relu(g, net_conv(g, net_input(g, 1, 4, 4, 3), 4, 3, 1, 1, 1)));
    oct_calibration *c = net_calibrated(g, 3, -1, 1);
    CHECK_OK(oct_quantize(g, c, &(oct_quantize_options){.method = "percentile", .percentile = 99}, &q));
    void *bytes;
    size_t size;
    oct_model *model;
    CHECK_OK(oct_save_memory(q, &bytes, &size));
    CHECK(((unsigned char *)bytes)[8] == 2);
    CHECK_OK(oct_model_load_memory(bytes, size, &model));
    oct_buffer_free(bytes);
    const char *notes = oct_model_notes(model);
    char digest[32];
    snprintf(digest, sizeof digest, "digest %016llx\n", (unsigned long long)oct_calibration_digest(c));
    CHECK_MSG(!strcmp(notes, q->notes) && strstr(notes, "samples 3 ") && strstr(notes, digest), "%s", notes);
    CHECK(strstr(notes, "method percentile 99\n") && strstr(notes, "bias correction on") && strstr(notes, "\nrange [") &&
          strstr(notes, " percentile input0"));
    CHECK_OK(oct_graph_from_model(model, &again));
    CHECK(!strcmp(again->notes, notes));
    oct_model_free(model);   /* the graph keeps the weights alive */
    CHECK_OK(oct_graph_check(again));
    CHECK_OK(oct_save_memory(again, &bytes, &size));
    oct_buffer_free(bytes);
    oct_graph_free(again);
    CHECK_OK(oct_save_memory(g, &bytes, &size));
    CHECK(((unsigned char *)bytes)[8] == 1);
    CHECK_OK(oct_model_load_memory(bytes, size, &model));
    CHECK(!strcmp(oct_model_notes(model), "") && !strcmp(oct_model_notes(NULL), ""));
    oct_model_free(model);
    oct_buffer_free(bytes);
    oct_graph_free(q);
    oct_calibration_free(c);
    oct_graph_free(g);
}

/* The digest tells which samples were used, and in which order; a sample that did not count is not in it. */
static void digests_differ(void)
{
    oct_graph *g = net_create();
    net_output(g, net_relu(g, net_input(g, 1, 1, 1, 2)));
    const float a[] = {1, 2}, b[] = {3, 4}, bad[] = {1, NAN};
    const float *orders[4][3] = {{a, b, NULL}, {b, a, NULL}, {a, b, b}, {a, bad, b}};
    uint64_t digest[4];
    for (int i = 0; i < 4; i++) {
        oct_calibration *c = net_calibrated(g, 0, 0, 0);
        for (int k = 0; k < 3 && orders[i][k]; k++)
            (void)oct_calibration_add(c, (const void *const[]){orders[i][k]});
        digest[i] = oct_calibration_digest(c);
        oct_calibration_free(c);
    }
    CHECK(digest[0] != digest[1] && digest[0] != digest[2] && digest[0] == digest[3]);
    oct_graph_free(g);
}

/* --------------------------------------------------------------------------------------------------- the command ---- */

/* Ranges are written, and used again give the same file as the calibration they came from, but for corrected biases. */
static void ranges_in_files(void)
{
    if (!shell_has_octet())
        return;
    const shell_result *r = shell_run("$octet import demo/digits.onnx -o %s", shell_path("float.oct"));
    CHECK_MSG(r->status == 0, "%s", r->err);
    r = shell_run("$octet quantize %s --calib demo/digits_calib.u8 --scale 1/255 --samples 20 --no-bias-correction --weights max "
                  "--rounding nearest --ranges %s -o %s",
                  shell_path("float.oct"), shell_path("r.json"), shell_path("a.oct"));
    CHECK_MSG(r->status == 0, "%s", r->err);
    r = shell_run("$octet quantize %s --ranges %s --no-bias-correction --weights max --rounding nearest -o %s",
                  shell_path("float.oct"), shell_path("r.json"), shell_path("b.oct"));
    CHECK_MSG(r->status == 0, "%s", r->err);
    r = shell_run(
        "$octet run %s --input demo/digits_test.u8 --scale 1/255 --output %s && $octet eval %s --data demo/digits_test.u8 "
        "--scale 1/255 --ref %s --json",
        shell_path("a.oct"), shell_path("a.npy"), shell_path("b.oct"), shell_path("a.npy"));
    CHECK_MSG(r->status == 0 && shell_json_number(r->out, "max_abs_error") < 1e-5, "%s%s", r->out, r->err);
    r = shell_run("$octet info %s", shell_path("b.oct"));
    CHECK_MSG(strstr(r->out, "samples 0"), "%s", r->out);
    static const char *const broken[] = {"",
                                         "{",
                                         "{\"ranges\": 1}",
                                         "{\"ranges\": []}",
                                         "{\"ranges\": [{\"tensor\": \"x\"}]}",
                                         "{\"ranges\": [{\"tensor\": \"no such\", \"lo\": 0, \"hi\": 1}]}",
                                         "[[[[[[[[[[[[[[[[[[[[[[[[[[[["};
    for (int i = 0; i < TEST_COUNT(broken); i++) {
        FILE *file = fopen(shell_path("broken.json"), "w");
        CHECK(file);
        fputs(broken[i], file);
        fclose(file);
        r = shell_run("$octet quantize %s --ranges %s -o %s", shell_path("float.oct"), shell_path("broken.json"),
                      shell_path("c.oct"));
        CHECK_MSG(r->status == 1 && shell_is_line(r->err, "octet quantize: "), "%d: %s", i, r->err);
    }
    r = shell_run("$octet quantize %s -o %s", shell_path("float.oct"), shell_path("c.oct"));
    CHECK(r->status == 2);
    r = shell_run("$octet quantize %s --ranges %s --equalize -o %s", shell_path("float.oct"), shell_path("r.json"),
                  shell_path("c.oct"));
    CHECK(r->status == 2);
}

/* All options at once give a model that runs. */
static void every_option(void)
{
    if (!shell_has_octet())
        return;
    const shell_result *r =
        shell_run("$octet import demo/digits.onnx -o %s && $octet quantize %s --calib demo/digits_calib.u8 --scale 1/255 "
                  "--samples 30 --method best --equalize --rounding gptq --min-sqnr 45 -o %s && "
                  "$octet eval %s --data demo/digits_test.u8 --scale 1/255 --labels demo/digits_test_labels.u8 --json",
                  shell_path("float.oct"), shell_path("float.oct"), shell_path("q.oct"), shell_path("q.oct"));
    CHECK_MSG(r->status == 0 && shell_json_number(r->out, "top1") > 0.98, "%s%s", r->out, r->err);
}

static const test_case cases[] = {
    {"equalisation_changes_nothing", equalisation_changes_nothing},
    {"equalisation_helps", equalisation_helps},
    {"second_order_rounding", second_order_rounding},
    {"second_order_layers", second_order_layers},
    {"nothing_to_go_by", nothing_to_go_by},
    {"the_culprit_stays_float", the_culprit_stays_float},
    {"drops_are_counted_by_labels", drops_are_counted_by_labels},
    {"notes_are_saved", notes_are_saved},
    {"digests_differ", digests_differ},
    {"ranges_in_files", ranges_in_files},
    {"every_option", every_option},
};
static void __attribute__((constructor)) add_suite(void) { test_register("mixed", cases, TEST_COUNT(cases)); }

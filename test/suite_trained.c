/* The trained networks beside the tree (../shared: models and data of the MLPerf Tiny benchmark), through the command from ONNX to
 * int8, and the node tests of the ONNX project where they are installed. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "shell.h"

#define SHARED "../shared"

/* What ONNX Runtime gets right with the float model, and what int8 must at least keep. */
typedef struct network {
    const char *name;
    int samples, right;          /* right: 0 where there are no labels */
    double agreement, sqnr_db;   /* int8 against the float reference */
} network;

static const network networks[] = {
    {"kws", 450, 407, 0.97, 20},
    {"ic", 250, 228, 0.96, 20},
    {"vww", 40, 37, 0.97, 20},
    {"ad", 53, 0, 0.0, 10},
};

/* Under an emulator, the networks with millions of multiply-accumulates and hundreds of samples. */
static bool is_too_slow(const network *n) { return shell_is_emulated() && n->right > 0 && strcmp(n->name, "vww") != 0; }

static bool have(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) {
        test_skip("%s is not here", path);
        return false;
    }
    fclose(file);
    return shell_has_octet();
}

/* `octet eval --json` of scratch/MODEL on the network's test set. */
static const shell_result *evaluate(const network *n, const char *model)
{
    char labels[128] = "";
    if (n->right > 0)
        snprintf(labels, sizeof labels, "--labels " SHARED "/data/%s_test_labels.u8", n->name);
    return shell_run("$octet eval %s --data " SHARED "/data/%s_test.f32 --ref " SHARED "/data/%s_test_ref.f32 %s --json",
                     shell_path(model), n->name, n->name, labels);
}

/* The float model against ONNX Runtime's answers: as imported, and optimised. */
static void float_answers(void)
{
    if (!have(SHARED "/models/kws_fp32.onnx"))
        return;
    for (int i = 0; i < TEST_COUNT(networks); i++)
        for (int plain = 0; plain < 2 && !is_too_slow(&networks[i]); plain++) {
            const network *n = &networks[i];
            const shell_result *r = shell_run("$octet import " SHARED "/models/%s_fp32.onnx -o %s %s", n->name,
                                              shell_path("float.oct"), plain ? "--no-optimize" : "");
            CHECK_MSG(r->status == 0, "%s: %s", n->name, r->err);
            r = evaluate(n, "float.oct");
            CHECK_MSG(r->status == 0 && shell_is_json(r->out), "%s: %s", n->name, r->err);
            CHECK(fabs(shell_json_number(r->out, "samples") - n->samples) < 0.5);
            /* The outputs are probabilities, but for ad, whose values reach 84. */
            CHECK_MSG(shell_json_number(r->out, "max_rel_error") < 1e-5, "%s: %s", n->name, r->out);
            CHECK_MSG(shell_json_number(r->out, "agreement") >= 1, "%s: %s", n->name, r->out);
            CHECK_MSG(n->right == 0 || fabs(shell_json_number(r->out, "right") - n->right) < 0.5, "%s: %s", n->name, r->out);
        }
}

static void int8_answers(void)
{
    if (!have(SHARED "/models/kws_fp32.onnx"))
        return;
    for (int i = 0; i < TEST_COUNT(networks); i++) {
        const network *n = &networks[i];
        if (is_too_slow(n))
            continue;
        const shell_result *r = shell_run(
            "$octet import " SHARED "/models/%s_fp32.onnx -o %s && $octet quantize %s --calib " SHARED "/data/%s_calib.f32 -o %s",
            n->name, shell_path("float.oct"), shell_path("float.oct"), n->name, shell_path("int8.oct"));
        CHECK_MSG(r->status == 0, "%s: %s", n->name, r->err);
        r = evaluate(n, "int8.oct");
        CHECK_MSG(r->status == 0 && shell_is_json(r->out), "%s: %s", n->name, r->err);
        CHECK_MSG(shell_json_number(r->out, "agreement") >= n->agreement, "%s: %s", n->name, r->out);
        CHECK_MSG(shell_json_number(r->out, "sqnr_db") >= n->sqnr_db, "%s: %s", n->name, r->out);
        /* Two points of top-1 are about one standard error of these small sets. */
        CHECK_MSG(n->right == 0 || shell_json_number(r->out, "right") >= n->right - 0.02 * n->samples, "%s: %s", n->name, r->out);
    }
}

/* Quantized by others: the same answers are right as with ONNX Runtime on the same file (../shared/data/README.md has its counts),
 * and all products are made of integers. */
static void quantized_elsewhere(void)
{
    static const struct { const char *name; int right, samples; } list[] = {{"kws", 401, 450}, {"ic", 225, 250}, {"vww", 37, 40}};
    for (int i = 0; i < TEST_COUNT(list) && have(SHARED "/models/kws_qdq.onnx"); i++) {
        const char *name = list[i].name;
        const shell_result *r = shell_run("$octet import " SHARED "/models/%s_qdq.onnx -o %s && $octet info %s", name,
                                          shell_path("qdq.oct"), shell_path("qdq.oct"));
        CHECK_MSG(r->status == 0 && strstr(r->out, "100.0 % of the MACs"), "%s: %s%s", name, r->out, r->err);
        r = shell_run("$octet eval %s --data " SHARED "/data/%s_test.f32 --labels " SHARED "/data/%s_test_labels.u8 --json",
                      shell_path("qdq.oct"), name, name);
        CHECK_MSG(r->status == 0 && shell_json_number(r->out, "right") == list[i].right, "%s: %s%s", name, r->out, r->err);
        CHECK_MSG(shell_json_number(r->out, "samples") == list[i].samples, "%s: %s", name, r->out);
    }
}

static const test_case cases[] = {
    {"float_answers", float_answers},
    {"int8_answers", int8_answers},
    {"quantized_elsewhere", quantized_elsewhere},
};

static void __attribute__((constructor)) trained_suite(void) { test_register("trained", cases, TEST_COUNT(cases)); }

/* The octet command from outside: exit status, one-line errors, JSON, and the road from ONNX to int8 on the demo's model. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "octet_convert.h"
#include "shell.h"

#define DIGITS "demo/digits"
#define DIGITS_SCALE "--scale 1/255"

static bool can_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (file)
        fclose(file);
    return file != NULL;
}

/* True if there is something to test; else the case has been skipped. */
static bool ready(void)
{
    if (!shell_has_octet())
        return false;
    if (can_read(DIGITS ".onnx"))
        return true;
    test_skip(DIGITS ".onnx is not here; run the tests from the top of the tree");
    return false;
}

/* The status is as given, nothing is on stdout, and stderr is one line that begins with "octet CMD: " and has `says` in it. */
static bool refused(const shell_result *r, int status, const char *command, const char *says)
{
    char start[64];
    snprintf(start, sizeof start, "octet %s: ", command);
    if (r->status == status && r->out[0] == '\0' && shell_is_line(r->err, start) && strstr(r->err, says))
        return true;
    test_fail(__FILE__, __LINE__, "octet %s should end with %d and \"%s\"; status %d, out \"%.200s\", err \"%s\"", command, status,
              says, r->status, r->out, r->err);
    return false;
}

/* digits.oct and digits.int8.oct in the scratch folder, made once. */
static bool make_models(void)
{
    static bool made;
    if (made)
        return true;
    const shell_result *r = shell_run("$octet import " DIGITS ".onnx -o %s", shell_path("digits.oct"));
    made = r->status == 0;
    if (made)
        r = shell_run("$octet quantize %s --calib " DIGITS "_calib.u8 " DIGITS_SCALE, shell_path("digits.oct"));
    made = made && r->status == 0;
    if (!made)
        test_fail(__FILE__, __LINE__, "status %d: %s", r->status, r->err);
    return made;
}

/* ----------------------------------------------------------------------------------------------- usage ---- */

static const char *const names[] = {"import", "quantize", "info", "run", "eval", "compare", "verify", "isa", "help"};

static void help_texts(void)
{
    if (!shell_has_octet())
        return;
    const shell_result *r = shell_run("$octet help");
    CHECK(r->status == 0 && r->err[0] == '\0');
    for (int i = 0; i < TEST_COUNT(names); i++)
        CHECK_MSG(strstr(r->out, names[i]), "octet help does not list %s", names[i]);
    for (int i = 0; i < TEST_COUNT(names); i++) {
        char start[64];
        snprintf(start, sizeof start, "usage: octet %s ", names[i]);
        r = shell_run("$octet help %s", names[i]);
        CHECK_MSG(r->status == 0 && !strncmp(r->out, start, strlen(start)), "octet help %s: %d %s", names[i], r->status, r->err);
        for (const char *line = r->out; *line; line = strchr(line, '\n') + 1)
            CHECK_MSG(strcspn(line, "\n") <= 100, "a line of octet help %s is too long", names[i]);
        char *first = malloc(sizeof r->out);
        CHECK(first);
        strcpy(first, r->out);
        r = shell_run("$octet %s --help", names[i]);
        const bool same = r->status == 0 && !strcmp(first, r->out);
        free(first);
        CHECK_MSG(same, "octet help %s and octet %s --help differ", names[i], names[i]);
    }
}

static void usage_errors(void)
{
    static const struct { const char *line, *command, *says; } rows[] = {
        {"import", "import", "MODEL.onnx is missing"},
        {"import a.onnx", "import", "--output MODEL.oct is missing"},
        {"import a.onnx -o", "import", "needs a value"},
        {"import a.onnx b.onnx -o c", "import", "one word too many"},
        {"import a.onnx -o c --bogus", "import", "unknown option --bogus"},
        {"import a.onnx -o c --batch x", "import", "whole number"},
        {"import a.onnx -o c --batch 0", "import", "must lie in"},
        {"import a.onnx -o c --batch 99999999999999999999", "import", "must lie in"},
        {"import a.onnx -o c --no-optimize=1", "import", "takes no value"},
        {"import a.onnx -o ''", "import", "empty"},
        {"import Makefile -o Makefile", "import", "Makefile is an input"},
        {"import a.onnx -o -", "import", "needs a name"},
        {"quantize Makefile --dynamic -o ./Makefile", "quantize", "is an input"},
        {"quantize a.oct --calib Makefile --ranges Makefile", "quantize", "is an input"},
        {"quantize a.oct --calib d.u8 --method magic", "quantize", "possible: minmax"},
        {"quantize a.oct --calib d.u8 --method m", "quantize", "possible: minmax"},
        {"quantize a.oct --calib d.u8 --percentile 49", "quantize", "50..100"},
        {"quantize a.oct --calib d.u8 --min-sqnr -1", "quantize", "at least 0"},
        {"quantize a.oct --calib d.u8 --scale 0", "quantize", "--scale must not be 0"},
        {"quantize a.oct --calib d.u8 --std 1,0,1", "quantize", "--std must not be 0"},
        {"quantize a.oct", "quantize", "--calib DATA is missing"},
        {"quantize a.oct --dynamic --calib d.u8", "quantize", "--dynamic needs no --calib"},
        {"quantize a.oct --calib d.u8 --scale q", "quantize", "wants a number"},
        {"quantize a.oct --calib d.u8 --scale 1/0", "quantize", "wants a number"},
        {"quantize a.oct --calib d.u8 --mean 1,,2", "quantize", "commas"},
        {"quantize a.oct --calib d.u8 --samples 0", "quantize", "at least 1"},
        {"info", "info", "MODEL.oct is missing"},
        {"info a.oct --isa mmx", "info", "unknown ISA \"mmx\"; available: "},
        {"info a.oct --isa --json", "info", "needs a value"},
        {"info a.oct --threads 0", "info", "must lie in 1..256"},
        {"run a.oct --input d.f32", "run", "--output OUT.npy is missing"},
        {"run a.oct --output o.npy", "run", "--input DATA is missing"},
        {"run a.oct --input d.f32 --output o.npy --isa mmx", "run", "scalar"},
        {"eval a.oct", "eval", "--data DATA is missing"},
        {"eval a.oct --data d.f32", "eval", "give --labels, --ref, or both"},
        {"verify", "verify", "DIR is missing"},
        {"isa x", "isa", "one word too many"},
        {"help nothing", "help", "no command \"nothing\""},
    };
    if (!shell_has_octet())
        return;
    for (int i = 0; i < TEST_COUNT(rows); i++)
        if (!refused(shell_run("$octet %s", rows[i].line), 2, rows[i].command, rows[i].says))
            return;
    const shell_result *r = shell_run("$octet");
    CHECK(r->status == 2 && shell_is_line(r->err, "octet: "));
    r = shell_run("$octet frobnicate");
    CHECK(r->status == 2 && shell_is_line(r->err, "octet: ") && strstr(r->err, "frobnicate"));
    r = shell_run("$octet --version");
    CHECK(r->status == 0 && shell_is_line(r->out, "octet " OCT_VERSION) == false && strstr(r->out, OCT_VERSION));
}

static void isa_list(void)
{
    if (!shell_has_octet())
        return;
    const shell_result *r = shell_run("$octet isa --json");
    CHECK(r->status == 0 && shell_is_json(r->out));
    CHECK(strstr(r->out, "\"name\": \"scalar\""));
    const char *first = strstr(r->out, "\"default\": true");
    CHECK(first && !strstr(first + 1, "\"default\": true"));
    r = shell_run("$octet isa");
    CHECK(r->status == 0 && strstr(r->out, "scalar") && strstr(r->out, "<- default"));
}

static void full_device(void)
{
    if (!shell_has_octet())
        return;
    if (!can_read("/dev/full")) {
        test_skip("there is no /dev/full");
        return;
    }
    const shell_result *r = shell_run("$octet isa >/dev/full");
    CHECK(r->status == 1 && shell_is_line(r->err, "octet isa: "));
}

/* ------------------------------------------------------------------------------------------------ road ---- */

static void import_and_quantize(void)
{
    if (!ready())
        return;
    const shell_result *r = shell_run("$octet import " DIGITS ".onnx -o %s", shell_path("d.oct"));
    CHECK_MSG(r->status == 0 && r->err[0] == '\0', "%s", r->err);
    CHECK(strstr(r->out, "d.oct") && strstr(r->out, "1x1x16x16") && strstr(r->out, "precision"));
    r = shell_run("$octet import " DIGITS ".onnx -o %s --no-optimize", shell_path("plain.oct"));
    CHECK_MSG(r->status == 0, "%s", r->err);
    r = shell_run("$octet quantize %s --calib " DIGITS "_calib.u8 " DIGITS_SCALE " --samples 20 --method minmax -o %s",
                  shell_path("d.oct"), shell_path("q.oct"));
    CHECK_MSG(r->status == 0 && r->err[0] == '\0', "%s", r->err);
    CHECK_MSG(strstr(r->out, "int8 in") && strstr(r->out, "20 samples"), "%s", r->out);
    size_t big, small;
    char *a = shell_read(shell_path("d.oct"), &big), *b = shell_read(shell_path("q.oct"), &small);
    const bool both = a && b;
    free(a);
    free(b);
    CHECK_MSG(both && small < big / 2, "int8 %zu bytes, float %zu", small, big);
    r = shell_run("$octet quantize %s --dynamic -o %s", shell_path("d.oct"), shell_path("dyn.oct"));
    CHECK_MSG(r->status == 0 && r->err[0] == '\0' && strstr(r->out, "int8-dynamic in"), "%s", r->err);
    r = shell_run("$octet info %s", shell_path("dyn.oct"));
    CHECK_MSG(r->status == 0 && strstr(r->out, "stay f32"), "%s", r->out);
    CHECK(refused(shell_run("$octet quantize %s --calib " DIGITS "_calib.u8", shell_path("q.oct")), 1, "quantize",
                  "quantized already"));
    CHECK(refused(shell_run("$octet quantize %s --calib " DIGITS "_calib.u8 --ranges demo", shell_path("d.oct")), 1, "quantize",
                  "demo: cannot be written"));
    CHECK(refused(shell_run("$octet quantize %s --ranges demo", shell_path("d.oct")), 1, "quantize", "demo: cannot be read"));
}

/* On an ONNX file and on a plain .oct file; not on a quantized one. */
static void info_about_passes(void)
{
    if (!ready() || !make_models())
        return;
    const shell_result *r = shell_run("$octet info %s.onnx --passes", DIGITS);
    CHECK_MSG(r->status == 0 && strstr(r->out, "fuse-activation") && strstr(r->out, "drop-dead") &&
                  strstr(r->out, "concat-in-place") && strstr(r->out, "session"),
              "%s", r->err);
    r = shell_run("$octet import " DIGITS ".onnx -o %s --no-optimize", shell_path("plain.oct"));
    CHECK(r->status == 0);
    r = shell_run("$octet info %s --passes --json", shell_path("plain.oct"));
    CHECK_MSG(r->status == 0 && shell_is_json(r->out) && strstr(r->out, "\"changes\": "), "%s", r->err);
    CHECK(refused(shell_run("$octet info %s --passes", shell_path("digits.int8.oct")), 1, "info", "is quantized"));
    CHECK(refused(shell_run("$octet info nothing.onnx --passes"), 1, "info", "nothing.onnx"));
}

static void info_in_json(void)
{
    static const char *const keys[] = {"octet",        "model",   "file_bytes",  "precision",   "inputs",      "outputs",
                                       "layers",       "name",    "op",          "in",          "out",         "macs",
                                       "weight_bytes", "algo",    "kernel",      "totals",      "int8_layers", "session",
                                       "isa",          "threads", "arena_bytes", "packed_bytes"};
    if (!ready() || !make_models())
        return;
    for (int int8 = 0; int8 < 2; int8++) {
        const shell_result *r = shell_run("$octet info %s --json --threads 1", shell_path(int8 ? "digits.int8.oct" : "digits.oct"));
        CHECK_MSG(r->status == 0 && shell_is_json(r->out), "%s", r->err);
        for (int i = 0; i < TEST_COUNT(keys); i++) {
            char quoted[64];
            snprintf(quoted, sizeof quoted, "\"%s\": ", keys[i]);
            CHECK_MSG(strstr(r->out, quoted), "no key %s", keys[i]);
        }
        CHECK(strstr(r->out, "\"shape\": [1, 1, 16, 16]") &&
              strstr(r->out, int8 ? "\"precision\": \"int8\"" : "\"precision\": \"f32\""));
        CHECK((shell_json_number(r->out, "int8_layers") > 0) == (int8 == 1) && shell_json_number(r->out, "threads") <= 1);
        const char *totals = strstr(r->out, "\"totals\"");
        CHECK(totals && fabs(shell_json_number(totals, "macs") - 5.53e6) < 0.02e6);
    }
    const shell_result *r = shell_run("$octet info %s --isa scalar", shell_path("digits.int8.oct"));
    CHECK_MSG(r->status == 0 && strstr(r->out, "int8 in") && strstr(r->out, "scalar") && strstr(r->out, "runs as"), "%s", r->err);
}

/* The demo's test pictures with their labels as test.u8 and labels.u8 in the scratch folder; only the first of them where an
 * emulator runs them. Returns how many, 0 on failure. */
static int take_pictures(void)
{
    size_t pixels = 0, labels = 0;
    char *x = shell_read(DIGITS "_test.u8", &pixels), *y = shell_read(DIGITS "_test_labels.u8", &labels);
    int count = 0;
    if (x && y && pixels == 256 * labels && labels >= 60) {
        count = shell_is_emulated() ? 60 : (int)labels;
        shell_write("test.u8", x, 256 * (size_t)count);
        shell_write("labels.u8", y, (size_t)count);
    }
    free(x);
    free(y);
    return count;
}

/* Float against labels and its own written answers; int8 against labels and the float answers; the plain graph against both. */
static void evaluation(void)
{
    if (!ready() || !make_models())
        return;
    const int count = take_pictures();
    CHECK(count > 0);
    const char *test = shell_path("test.u8"), *labels = shell_path("labels.u8"), *out = shell_path("float.npy");
    const shell_result *r = shell_run("$octet run %s --input %s " DIGITS_SCALE " --output %s", shell_path("digits.oct"), test, out);
    CHECK_MSG(r->status == 0 && r->out[0] == '\0' && r->err[0] == '\0', "%s", r->err);
    size_t size;
    char shape[64], *npy = shell_read(out, &size);
    snprintf(shape, sizeof shape, "'shape': (%d, 10", count);
    const bool shaped = npy && size == 128 + (size_t)count * 10 * 4 && strstr(npy + 10, shape);
    free(npy);
    CHECK_MSG(shaped, "not a .npy of %d x 10 (%zu bytes)", count, size);

    r = shell_run("$octet eval %s --data %s " DIGITS_SCALE " --labels %s --ref %s --json", shell_path("digits.oct"), test, labels,
                  out);
    CHECK_MSG(r->status == 0 && shell_is_json(r->out), "%s", r->err);
    CHECK(fabs(shell_json_number(r->out, "samples") - count) < 0.5 && shell_json_number(r->out, "right") >= count - 2);
    CHECK(fabs(shell_json_number(r->out, "top1") - shell_json_number(r->out, "right") / count) < 1e-9);
    CHECK(shell_json_number(r->out, "max_abs_error") <= 0 && shell_json_number(r->out, "agreement") >= 1);
    CHECK(strstr(r->out, "\"sqnr_db\": null"));

    r = shell_run("$octet eval %s --data %s " DIGITS_SCALE " --labels %s --ref %s --json", shell_path("digits.int8.oct"), test,
                  labels, out);
    CHECK_MSG(r->status == 0 && shell_is_json(r->out), "%s", r->err);
    CHECK_MSG(shell_json_number(r->out, "right") >= 0.985 * count && shell_json_number(r->out, "agreement") >= 0.98, "%s", r->out);
    CHECK_MSG(shell_json_number(r->out, "max_rel_error") > 0 && shell_json_number(r->out, "sqnr_db") > 20, "%s", r->out);

    const char *plain = shell_path("plain.oct");
    r = shell_run("$octet import " DIGITS ".onnx -o %s --no-optimize >%s && $octet eval %s --data %s " DIGITS_SCALE
                  " --ref %s --json",
                  plain, shell_path("summary"), plain, test, out);
    CHECK_MSG(r->status == 0 && shell_json_number(r->out, "max_rel_error") < 1e-4, "%s%s", r->out, r->err);
    CHECK(!strstr(r->out, "top1"));
    r = shell_run("$octet eval %s --data %s " DIGITS_SCALE " --labels %s", shell_path("digits.oct"), test, labels);
    CHECK_MSG(r->status == 0 && strstr(r->out, "top-1") && strstr(r->out, " %"), "%s", r->out);
}

static bool same_file(const char *a, const char *b)
{
    size_t na = 0, nb = 0;
    char *x = shell_read(a, &na), *y = shell_read(b, &nb);
    const bool same = x && y && na == nb && !memcmp(x, y, na);
    free(x);
    free(y);
    return same;
}

/* The same numbers as .u8, .f32 and .npy give the same answers, byte for byte; and so does int8 on every ISA and any number of
 * threads. */
static void same_answers(void)
{
    if (!ready() || !make_models())
        return;
    const char *model = shell_path("digits.int8.oct"), *want = shell_path("want.npy"), *got = shell_path("got.npy");
    size_t size = 0;
    char *bytes = shell_read(DIGITS "_test.u8", &size);
    CHECK(bytes && size >= 16 * 256);
    float *values = malloc(16 * 256 * sizeof *values);
    char *npy = malloc(128 + 16 * 256);
    CHECK(values && npy);
    for (int i = 0; i < 16 * 256; i++)
        values[i] = (float)((double)(uint8_t)bytes[i] / 255);
    memset(npy, ' ', 128);
    memcpy(npy, "\x93NUMPY\x01\x00\x76\x00{'descr': '|u1', 'fortran_order': False, 'shape': (16, 16, 16)}", 74);
    memcpy(npy + 128, bytes, 16 * 256);
    shell_write("few.u8", bytes, 16 * 256);
    shell_write("few.f32", values, 16 * 256 * sizeof *values);
    shell_write("few.npy", npy, 128 + 16 * 256);
    free(bytes), free(values), free(npy);

    const shell_result *r = shell_run("$octet run %s -i %s " DIGITS_SCALE " -o %s", model, shell_path("few.u8"), want);
    CHECK_MSG(r->status == 0, "%s", r->err);
    r = shell_run("$octet run %s -i %s -o %s", model, shell_path("few.f32"), got);
    CHECK_MSG(r->status == 0 && same_file(want, got), ".f32 differs from .u8: %s", r->err);
    r = shell_run("$octet run %s -i %s " DIGITS_SCALE " -o %s", model, shell_path("few.npy"), got);
    CHECK_MSG(r->status == 0 && same_file(want, got), ".npy differs from .u8: %s", r->err);
    for (size_t i = 0; i < oct_isa_count(); i++) {
        oct_isa_info isa;
        CHECK_OK(oct_isa(i, &isa));
        for (int threads = 1; isa.available && threads <= 3; threads += 2) {
            r = shell_run("$octet run %s -i %s -o %s --isa %s --threads %d", model, shell_path("few.f32"), got, isa.name, threads);
            CHECK_MSG(r->status == 0 && same_file(want, got), "%s with %d threads differs: %s", isa.name, threads, r->err);
        }
    }
}

/* ---------------------------------------------------------------------------- several inputs, a batch ---- */

/* sum = a + b and product = a * b over 2 x 3, made without an importer. */
static const char *make_two_headed(void)
{
    oct_graph *graph = NULL;
    const oct_shape shape = {2, {2, 3}};
    const char *path = shell_path("two.oct");
    if (oct_graph_create(&graph) != OCT_OK)
        return NULL;
    const oct_value_id a = oct_build_input(graph, "a", &shape), b = oct_build_input(graph, "b", &shape);
    oct_build_output(graph, "sum", oct_build_add(graph, "sum", a, b));
    oct_build_output(graph, "product", oct_build_mul(graph, "product", a, b));
    const bool ok = oct_graph_status(graph) == OCT_OK && oct_save(graph, path) == OCT_OK;
    oct_graph_free(graph);
    return ok ? path : NULL;
}

static void several_inputs_and_outputs(void)
{
    if (!shell_has_octet())
        return;
    const char *model = make_two_headed();
    CHECK_MSG(model, "%s", oct_error());
    const float a[12] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, b[12] = {2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3};
    const char *fa = shell_write("a.f32", a, sizeof a), *fb = shell_write("b.f32", b, sizeof b);
    const shell_result *r = shell_run("$octet run %s --input %s --input %s --output %s", model, fa, fb, shell_path("two.npy"));
    CHECK_MSG(r->status == 0, "%s", r->err);
    size_t size;
    char *npy = shell_read(shell_path("two-1.npy"), &size);
    CHECK(npy && size == 128 + sizeof a && strstr(npy + 10, "(4, 3"));   /* two runs of a batch of two */
    float product[12];
    memcpy(product, npy + 128, sizeof product);
    free(npy);
    for (int i = 0; i < 12; i++)
        CHECK(fabsf(product[i] - a[i] * b[i]) < 1e-6f);
    CHECK(can_read(shell_path("two-0.npy")) && !can_read(shell_path("two.npy")));
    r = shell_run("$octet run %s --input %s --input %s --output %s --output-index 1", model, fa, fb, shell_path("one.npy"));
    CHECK_MSG(r->status == 0 && same_file(shell_path("one.npy"), shell_path("two-1.npy")), "%s", r->err);
    /* Four answers of three classes: both heads have their largest number last. */
    const unsigned char labels[4] = {2, 2, 2, 0};
    r = shell_run("$octet eval %s --data %s --data %s --labels %s --output-index 1 --ref %s --json", model, fa, fb,
                  shell_write("labels.u8", labels, 4), shell_path("two-1.npy"));
    CHECK_MSG(r->status == 0 && shell_is_json(r->out), "%s", r->err);
    CHECK_MSG(fabs(shell_json_number(r->out, "top1") - 0.75) < 1e-9 && shell_json_number(r->out, "agreement") >= 1, "%s", r->out);
    const char *npy_out = shell_path("x.npy"), *f1 = shell_write("half.f32", a, 24);
    CHECK(refused(shell_run("$octet run %s --input %s --output %s", model, fa, npy_out), 1, "run", "2 inputs"));
    CHECK(refused(shell_run("$octet run %s --input %s --input %s --output %s", model, fa, f1, npy_out), 1, "run", "1 samples"));
    CHECK(refused(shell_run("$octet run %s --input %s --input %s --output %s --output-index 2", model, fa, fb, npy_out), 1, "run",
                  "no output 2"));
    CHECK(!can_read(npy_out));
}

/* ---------------------------------------------------------------------------------------------- damage ---- */

static void missing_and_empty_files(void)
{
    static const char *const lines[][2] = {
        {"import", "import %s.onnx -o out.oct"},      {"info", "info %s.oct"},
        {"quantize", "quantize %s.oct --calib x.u8"}, {"run", "run %s.oct --input x.u8 --output o.npy"},
        {"eval", "eval %s.oct --data x.u8 --labels y.u8"},
    };
    if (!shell_has_octet())
        return;
    shell_write("empty.onnx", "", 0);
    shell_write("empty.oct", "", 0);
    shell_write("text.onnx", "This is no network.\n", 20);
    shell_write("text.oct", "This is no network.\n", 20);
    static const char *const stems[] = {"missing", "empty", "text"};
    for (int s = 0; s < TEST_COUNT(stems); s++)
        for (int i = 0; i < TEST_COUNT(lines); i++) {
            char line[1024] = "$octet ";
            const size_t start = strlen(line);
            snprintf(line + start, sizeof line - start, lines[i][1], shell_path(stems[s]));
            if (!refused(shell_run("%s", line), 1, lines[i][0], stems[s]))
                return;
        }
}

/* The file cut at many places, and with a byte flipped there. */
static void cut_and_flipped(const char *path, const char *suffix, const char *command, bool flips_must_fail)
{
    size_t size = 0;
    char *bytes = shell_read(path, &size);
    CHECK_MSG(bytes && size > 100, "%s", path);
    char output[512] = "";
    if (!strcmp(command, "import"))
        snprintf(output, sizeof output, "-o %s", shell_path("damaged.out"));
    const size_t places = shell_is_emulated() ? 7 : 37;
    for (size_t i = 0; i < places && !test_failed(); i++) {
        const size_t at = size * i / places;
        char name[32];
        snprintf(name, sizeof name, "cut%s", suffix);
        const char *cut = shell_write(name, bytes, at);
        const shell_result *r = shell_run("$octet %s %s %s", command, cut, output);
        if (r->status != 0 || strcmp(command, "import") != 0)   /* a cut .onnx may end between two fields */
            refused(r, 1, command, "cut");
        bytes[at] ^= 0x40;
        snprintf(name, sizeof name, "flip%s", suffix);
        const char *flipped = shell_write(name, bytes, size);
        r = shell_run("$octet %s %s %s", command, flipped, output);
        bytes[at] ^= 0x40;
        if (flips_must_fail || r->status != 0)
            refused(r, 1, command, "flip");
    }
    free(bytes);
}

static void damaged_models(void)
{
    if (!ready() || !make_models())
        return;
    cut_and_flipped(shell_path("digits.oct"), ".oct", "info", true);
    cut_and_flipped(shell_path("digits.int8.oct"), ".oct", "info", true);
}

static void damaged_onnx(void)
{
    if (ready())
        cut_and_flipped(DIGITS ".onnx", ".onnx", "import", false);
}

static void bad_data(void)
{
    if (!ready() || !make_models())
        return;
    const char *model = shell_path("digits.oct"), *out = shell_path("never.npy");
    const char *tail = shell_write("tail.u8", "1234567", 7), *empty = shell_write("none.u8", "", 0);
    CHECK(refused(shell_run("$octet run %s --input %s --output %s", model, tail, out), 1, "run",
                  "7 elements are no multiple of the 256"));
    CHECK(refused(shell_run("$octet run %s --input %s --output %s", model, empty, out), 1, "run", "empty"));
    CHECK(refused(shell_run("$octet run %s --input Makefile --output %s", model, out), 1, "run", "must end in"));
    CHECK(refused(shell_run("$octet run %s --input %s --output %s", model, shell_path("nil.npy"), out), 1, "run", "nil.npy"));
    CHECK(refused(shell_run("$octet quantize %s --calib %s", model, empty), 1, "quantize", "empty"));
    CHECK(refused(shell_run("$octet quantize %s --calib %s", model, tail), 1, "quantize", "7 elements are no multiple of the 256"));
    CHECK(refused(shell_run("$octet run %s --input " DIGITS "_test.u8 --output %s/x.npy", model, shell_path("nowhere")), 1, "run",
                  "cannot be written"));
    CHECK(refused(shell_run("$octet import " DIGITS ".onnx -o %s/x.oct", shell_path("nowhere")), 1, "import", "nowhere"));
    CHECK(refused(shell_run("$octet eval %s --data " DIGITS "_test.u8 --labels %s", model, tail), 1, "eval",
                  "7 labels for 500 samples"));
    CHECK(refused(shell_run("$octet eval %s --data " DIGITS "_test.u8 --ref %s", model, shell_write("r.f32", "0000", 4)), 1, "eval",
                  "no multiple"));
    CHECK(refused(shell_run("$octet eval %s --data " DIGITS "_test.u8 --labels %s --mean 1,2", model, tail), 1, "eval",
                  "--mean has 2"));
    CHECK(!can_read(out));
    unsigned char labels[500] = {0};
    labels[321] = 10;
    CHECK(refused(shell_run("$octet eval %s --data " DIGITS "_test.u8 --labels %s", model, shell_write("ten.u8", labels, 500)), 1,
                  "eval", "label 10 of sample 321"));
    static float nan_picture[512];
    nan_picture[300] = NAN;
    const char *calib = shell_write("nan.f32", nan_picture, sizeof nan_picture);
    CHECK(
        refused(shell_run("$octet quantize %s --calib %s -o %s", model, calib, shell_path("nan.oct")), 1, "quantize", "sample 1"));
    CHECK(!can_read(shell_path("nan.oct")));
}

static const test_case cases[] = {
    {"help_texts", help_texts},
    {"usage_errors", usage_errors},
    {"isa_list", isa_list},
    {"full_device", full_device},
    {"import_and_quantize", import_and_quantize},
    {"info_in_json", info_in_json},
    {"info_about_passes", info_about_passes},
    {"evaluation", evaluation},
    {"same_answers", same_answers},
    {"several_inputs_and_outputs", several_inputs_and_outputs},
    {"missing_and_empty_files", missing_and_empty_files},
    {"damaged_models", damaged_models},
    {"damaged_onnx", damaged_onnx},
    {"bad_data", bad_data},
};

static void __attribute__((constructor)) cli_suite(void) { test_register("cli", cases, TEST_COUNT(cases)); }

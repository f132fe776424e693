/* octet verify, on test folders written here: an ONNX model and TensorProto files, byte by byte. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "harness.h"
#include "shell.h"

/* ---- protobuf, as little as is needed: varints and length-delimited fields, https://protobuf.dev/programming-guides/encoding ----
 */

typedef struct message {
    unsigned char bytes[1024];
    size_t size;
} message;

static void put_varint(message *m, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        m->bytes[m->size++] = (unsigned char)(value | 0x80);
    m->bytes[m->size++] = (unsigned char)value;
}

static void put_integer(message *m, unsigned field, uint64_t value)
{
    put_varint(m, field << 3);
    put_varint(m, value);
}

static void put_bytes(message *m, unsigned field, const void *bytes, size_t size)
{
    put_varint(m, field << 3 | 2);
    put_varint(m, size);
    memcpy(m->bytes + m->size, bytes, size);
    m->size += size;
}

static void put_text(message *m, unsigned field, const char *text) { put_bytes(m, field, text, strlen(text)); }
static void put_message(message *m, unsigned field, const message *inner) { put_bytes(m, field, inner->bytes, inner->size); }

/* ValueInfoProto: f32 N x C x H x W. */
static void put_value_info(message *graph, unsigned field, const char *name, const int *dims)
{
    message shape = {.size = 0}, tensor = {.size = 0}, type = {.size = 0}, info = {.size = 0};
    for (int i = 0; i < 4; i++) {
        message dim = {.size = 0};
        put_integer(&dim, 1, (uint64_t)dims[i]);
        put_message(&shape, 1, &dim);
    }
    put_integer(&tensor, 1, 1);
    put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_text(&info, 1, name);
    put_message(&info, 2, &type);
    put_message(graph, field, &info);
}

static const int picture[4] = {1, 1, 2, 3}, filter[4] = {1, 1, 1, 1};

/* y = OP(x) or OP(x, w), with w a graph input. */
static void write_model(const char *folder, const char *op, bool two_inputs)
{
    message node = {.size = 0}, graph = {.size = 0}, opset = {.size = 0}, model = {.size = 0};
    put_text(&node, 1, "x");
    if (two_inputs)
        put_text(&node, 1, "w");
    put_text(&node, 2, "y");
    put_text(&node, 3, "the node");
    put_text(&node, 4, op);
    put_message(&graph, 1, &node);
    put_text(&graph, 2, "g");
    put_value_info(&graph, 11, "x", picture);
    if (two_inputs)
        put_value_info(&graph, 11, "w", filter);
    put_value_info(&graph, 12, "y", picture);
    put_text(&opset, 1, "");
    put_integer(&opset, 2, 13);
    put_integer(&model, 1, 7);
    put_message(&model, 7, &graph);
    put_message(&model, 8, &opset);
    char name[128];
    snprintf(name, sizeof name, "%s/model.onnx", folder);
    shell_write(name, model.bytes, model.size);
}

static void write_tensor(const char *folder, const char *file, const char *name, const int *dims, const float *values)
{
    message tensor = {.size = 0};
    int elements = 1;
    for (int i = 0; i < 4; i++) {
        put_integer(&tensor, 1, (uint64_t)dims[i]);
        elements *= dims[i];
    }
    put_integer(&tensor, 2, 1);
    if (name)
        put_text(&tensor, 8, name);
    put_bytes(&tensor, 9, values, (size_t)elements * sizeof *values);
    char path[128];
    snprintf(path, sizeof path, "%s/test_data_set_0/%s.pb", folder, file);
    shell_write(path, tensor.bytes, tensor.size);
}

static const float sample[6] = {-3, -2, -1, 1, 2, 3};

/* A whole test folder; `factor` is what the expected output is made with. */
static const char *write_folder(const char *folder, const char *op, bool two_inputs, bool named, float factor)
{
    char data_set[128];
    snprintf(data_set, sizeof data_set, "%s/test_data_set_0", folder);
    mkdir(shell_path(folder), 0777);
    mkdir(shell_path(data_set), 0777);
    const float weight[1] = {2};
    float expected[6];
    for (int i = 0; i < 6; i++)
        expected[i] = two_inputs ? factor * sample[i] : sample[i] > 0 ? factor * sample[i] : 0;
    write_model(folder, op, two_inputs);
    write_tensor(folder, "input_0", named ? "x" : NULL, picture, sample);
    if (two_inputs)
        write_tensor(folder, "input_1", named ? "w" : NULL, filter, weight);
    write_tensor(folder, "output_0", named ? "y" : NULL, picture, expected);
    return shell_path(folder);
}

/* ---- the cases ---- */

static void constants_come_from_input_files(void)
{
    if (!shell_has_octet())
        return;
    const char *folder = write_folder("conv", "Conv", true, true, 2);
    const shell_result *r = shell_run("$octet verify %s", folder);
    CHECK_MSG(r->status == 0 && shell_is_line(r->out, "PASS ") && strstr(r->out, folder), "status %d: %s%s", r->status, r->out,
              r->err);
}

static void unnamed_files_go_by_place(void)
{
    if (!shell_has_octet())
        return;
    const shell_result *r = shell_run("$octet verify %s", write_folder("relu", "Relu", false, false, 1));
    CHECK_MSG(r->status == 0 && shell_is_line(r->out, "PASS "), "status %d: %s%s", r->status, r->out, r->err);
}

static void wrong_answers_fail(void)
{
    if (!shell_has_octet())
        return;
    const char *folder = write_folder("off", "Relu", false, true, 1.01f);
    const shell_result *r = shell_run("$octet verify %s", folder);
    CHECK_MSG(r->status == 1 && shell_is_line(r->out, "FAIL ") && strstr(r->out, "3 of 6 elements"), "%s", r->out);
    r = shell_run("$octet verify %s --rtol 0.02", folder);
    CHECK_MSG(r->status == 0 && shell_is_line(r->out, "PASS "), "%s", r->out);
    r = shell_run("$octet verify %s --rtol 0 --atol 0.1", folder);
    CHECK_MSG(r->status == 0 && shell_is_line(r->out, "PASS "), "%s", r->out);
}

static void what_is_unknown_is_refused(void)
{
    if (!shell_has_octet())
        return;
    const shell_result *r = shell_run("$octet verify %s", write_folder("odd", "Frobnicate", false, true, 1));
    CHECK_MSG(r->status == 1 && shell_is_line(r->out, "REFUSED ") && strstr(r->out, "Frobnicate"), "%s", r->out);
}

static void several_folders(void)
{
    if (!shell_has_octet())
        return;
    const char *good = write_folder("good", "Relu", false, true, 1), *odd = write_folder("odd", "Frobnicate", false, true, 1);
    const shell_result *r = shell_run("$octet verify %s %s %s %s", good, odd, shell_path("nowhere"), good);
    CHECK_MSG(r->status == 1 && strstr(r->out, "2 passed, 1 failed, 1 refused\n"), "%s", r->out);
    CHECK(strstr(r->out, "FAIL ") && strstr(r->out, "model.onnx"));
}

static void damaged_tensor_files(void)
{
    if (!shell_has_octet())
        return;
    const char *folder = write_folder("bad", "Relu", false, true, 1);
    shell_write("bad/test_data_set_0/input_0.pb", "", 0);
    const shell_result *r = shell_run("$octet verify %s", folder);
    CHECK_MSG(r->status == 1 && strchr(r->out, '\n') == r->out + strlen(r->out) - 1, "%s", r->out);
    shell_write("bad/test_data_set_0/input_0.pb", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff", 10);
    r = shell_run("$octet verify %s", folder);
    CHECK_MSG(r->status == 1 && strchr(r->out, '\n') == r->out + strlen(r->out) - 1, "%s", r->out);
}

/* The node tests of the ONNX project (Debian: libonnx-testdata). What octet does not know it must refuse; what it takes on must be
 * right. */
static void onnx_node_tests(void)
{
    static const char node_tests[] = "/usr/share/libonnx-testdata/data/node";
    if (!shell_has_octet())
        return;
    if (shell_run("test -d %s/test_relu", node_tests)->status != 0) {
        test_skip("%s is not here (Debian package libonnx-testdata)", node_tests);
        return;
    }
    const char *lines = shell_path("node-tests");
    const shell_result *r =
        shell_run("$octet verify %s/* >%s; status=$?; grep ^FAIL %s; tail -n 1 %s; exit $status", node_tests, lines, lines, lines);
    int passed = 0, failed = 0, refused = 0;
    const char *last = strstr(r->out, " passed, ");
    while (last && last > r->out && last[-1] != '\n')
        last--;
    CHECK_MSG(last && sscanf(last, "%d passed, %d failed, %d refused", &passed, &failed, &refused) == 3, "%s%s", r->out, r->err);
    CHECK_MSG(failed == 0 && passed >= 290 && r->status == 1, "status %d: %s", r->status, r->out);
}

static const test_case cases[] = {
    {"constants_come_from_input_files", constants_come_from_input_files},
    {"unnamed_files_go_by_place", unnamed_files_go_by_place},
    {"wrong_answers_fail", wrong_answers_fail},
    {"what_is_unknown_is_refused", what_is_unknown_is_refused},
    {"several_folders", several_folders},
    {"damaged_tensor_files", damaged_tensor_files},
    {"onnx_node_tests", onnx_node_tests},
};

static void __attribute__((constructor)) verify_suite(void) { test_register("verify", cases, TEST_COUNT(cases)); }

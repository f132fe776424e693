/* TensorProto: every way to store elements, side files and how to get out of their folder, and what is refused. */
#define _XOPEN_SOURCE 700   /* symlink, mkdir */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "import_check.h"
#include "import_onnx.h"

static char folder[600];

/* A folder of our own beside the test binary, with a subfolder. */
static void make_folder(void)
{
    snprintf(folder, sizeof folder, "%s/import-tensor", test_build_dir());
    mkdir(folder, 0777);
    char inner[640];
    snprintf(inner, sizeof inner, "%s/inner", folder);
    mkdir(inner, 0777);
}

static const char *path_of(const char *name)
{
    static char path[700];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, const void *data, size_t size)
{
    FILE *file = fopen(path_of(name), "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file))
        abort();
}

/* Writes the message as a file, releases it, reads it back. */
static oct_status read_back(onnx_bytes *message, oct_host_tensor *tensor)
{
    write_file("tensor.pb", message->data, message->size);
    free(message->data);
    *message = (onnx_bytes){0};
    return oct_read_tensor_pb(path_of("tensor.pb"), tensor);
}

static void raw_data(void)
{
    make_folder();
    static const float numbers[6] = {0, 1.5f, -2.25f, 1e30f, -1e-30f, 6};
    onnx_bytes message = onnx_tensor("weights", ONNX_FLOAT, "2,3", numbers, sizeof numbers);
    oct_host_tensor tensor;
    CHECK_OK(read_back(&message, &tensor));
    CHECK(!strcmp(tensor.name, "weights") && tensor.dtype == OCT_F32 && tensor.shape.rank == 2 && tensor.shape.dims[1] == 3);
    CHECK(!memcmp(tensor.data, numbers, sizeof numbers));
    oct_host_tensor_free(&tensor);
    static const int64_t wide[2] = {INT64_MIN, 1234567890123};
    message = onnx_tensor("", ONNX_INT64, "2", wide, sizeof wide);
    CHECK_OK(read_back(&message, &tensor));
    CHECK(!strcmp(tensor.name, "") && tensor.dtype == OCT_S64 && !memcmp(tensor.data, wide, sizeof wide));
    oct_host_tensor_free(&tensor);
    message = onnx_tensor("w\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x99", ONNX_UINT8, "", "\xfe", 1);   /* two, three, four bytes */
    CHECK_OK(read_back(&message, &tensor));
    CHECK(tensor.dtype == OCT_U8 && tensor.shape.rank == 0 && *(uint8_t *)tensor.data == 0xfe);
    oct_host_tensor_free(&tensor);
}

/* A header without data: dims 3, type. */
static onnx_bytes three(int type)
{
    onnx_bytes message = {0};
    onnx_put_int(&message, 1, 3);
    onnx_put_int(&message, 2, type);
    return message;
}

/* float_data, int64_data, int32_data: packed, one by one, and half and half. */
static void typed_lists(void)
{
    make_folder();
    oct_host_tensor tensor;
    static const float numbers[3] = {0.5f, -1, 3};
    for (int packed = 0; packed <= 3; packed++) {
        onnx_bytes message = three(ONNX_FLOAT);
        onnx_put_data(&message, 4, numbers, (size_t)packed * sizeof numbers[0]);
        for (int i = packed; i < 3; i++)
            onnx_put_float(&message, 4, numbers[i]);
        CHECK_OK(read_back(&message, &tensor));
        CHECK(!memcmp(tensor.data, numbers, sizeof numbers));
        oct_host_tensor_free(&tensor);
    }
    onnx_bytes message = three(ONNX_INT64), run = {0};
    onnx_put_varint(&run, (uint64_t)-5);
    onnx_put_varint(&run, (uint64_t)INT64_MAX);
    onnx_put_message(&message, 7, &run);
    onnx_put_int(&message, 7, 300);
    CHECK_OK(read_back(&message, &tensor));
    const int64_t *wide = tensor.data;
    CHECK(wide[0] == -5 && wide[1] == INT64_MAX && wide[2] == 300);
    oct_host_tensor_free(&tensor);
    static const int types[3] = {ONNX_INT32, ONNX_UINT8, 3};
    for (int i = 0; i < 3; i++) {
        message = three(types[i]);
        for (int n = 0; n < 3; n++)
            onnx_put_int(&message, 5, n - (i == 1 ? 0 : 1));
        CHECK_OK(read_back(&message, &tensor));
        for (int n = 0; n < 3; n++)
            CHECK((i == 0 ? ((int32_t *)tensor.data)[n] : i == 1 ? ((uint8_t *)tensor.data)[n] : ((int8_t *)tensor.data)[n]) ==
                  n - (i == 1 ? 0 : 1));
        oct_host_tensor_free(&tensor);
    }
}

static void check_refused(onnx_bytes *message, oct_status want, const char *sentence)
{
    oct_host_tensor tensor;
    const oct_status status = read_back(message, &tensor);
    CHECK_MSG(status == want && strstr(oct_error(), sentence) && !tensor.data && !tensor.name, "status %d: %s; expected \"%s\"",
              (int)status, oct_error(), sentence);
}

static void refused(void)
{
    make_folder();
    static const struct { int type; const char *name;
    } types[] = {{0, "undefined"},        {8, "string"},    {ONNX_BOOL, "bool"}, {ONNX_FLOAT16, "float16"},
                 {ONNX_DOUBLE, "double"}, {16, "bfloat16"}, {77, "unknown type"}};
    for (int i = 0; i < TEST_COUNT(types) && !test_failed(); i++) {
        onnx_bytes message = onnx_tensor("t", types[i].type, "2", "0123456789abcdef", types[i].type == ONNX_DOUBLE ? 16 : 2);
        check_refused(&message, OCT_ERR_UNSUPPORTED, types[i].name);
    }
    onnx_bytes message = onnx_tensor("t", ONNX_FLOAT, "3", "12345678", 8);
    check_refused(&message, OCT_ERR_FORMAT, "tensor \"t\" (float 3) has 8 bytes of data instead of 12");
    message = three(ONNX_FLOAT);
    onnx_put_float(&message, 4, 1);
    check_refused(&message, OCT_ERR_FORMAT, "has 1 elements instead of 3");
    message = three(ONNX_FLOAT);
    onnx_put_data(&message, 4, "12345", 5);
    check_refused(&message, OCT_ERR_FORMAT, "cut short");
    message = three(ONNX_FLOAT);
    onnx_put_int(&message, 4, 1);
    check_refused(&message, OCT_ERR_FORMAT, "wire type");
    message = onnx_tensor("t", ONNX_FLOAT, "1", "1234", 4);
    onnx_put_float(&message, 4, 1);
    check_refused(&message, OCT_ERR_FORMAT, "in one way");
    message = onnx_tensor("a\nb", ONNX_FLOAT, "1", "1234", 3);
    check_refused(&message, OCT_ERR_FORMAT, "a?b");
    message = onnx_tensor("t", ONNX_FLOAT, "1", "1234", 4);
    onnx_put_data(&message, 8, "a\0b", 3);
    check_refused(&message, OCT_ERR_FORMAT, "is no text");
    static const char *const no_text[] = {"\x80", "\xc3", "\xc3(", "\xc1\x81", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                          "\xff"};
    for (int i = 0; i < TEST_COUNT(no_text) && !test_failed(); i++) {
        message = onnx_tensor(no_text[i], ONNX_FLOAT, "1", "1234", 4);
        check_refused(&message, OCT_ERR_FORMAT, "is no text");
    }
    message = onnx_tensor("t", ONNX_FLOAT, "1,1,1,1,1,1,1,1,1", "1234", 4);
    check_refused(&message, OCT_ERR_UNSUPPORTED, "more than 8 dimensions");
    oct_host_tensor tensor;
    CHECK(oct_read_tensor_pb(path_of("none.pb"), &tensor) == OCT_ERR_IO && oct_read_tensor_pb(NULL, &tensor) == OCT_ERR_ARGUMENT);
}

/* ------------------------------------------------------------------------------------------ side files ---- */

static void put_pair(onnx_bytes *tensor, const char *key, const char *value)
{
    onnx_bytes pair = {0};
    onnx_put_text(&pair, 1, key);
    onnx_put_text(&pair, 2, value);
    onnx_put_message(tensor, 13, &pair);
}

/* A tensor "w" of two floats in a side file; NULL leaves a key out. */
static onnx_bytes external_tensor(const char *location, const char *offset, const char *length)
{
    onnx_bytes tensor = {0};
    onnx_put_int(&tensor, 1, 2);
    onnx_put_int(&tensor, 2, ONNX_FLOAT);
    onnx_put_text(&tensor, 8, "w");
    put_pair(&tensor, "checksum", "whatever");
    if (location)
        put_pair(&tensor, "location", location);
    if (offset)
        put_pair(&tensor, "offset", offset);
    if (length)
        put_pair(&tensor, "length", length);
    onnx_put_int(&tensor, 14, 1);
    return tensor;
}

/* Imports a model file with that tensor from the folder. */
static oct_status import_external(const char *location, const char *offset, const char *length, oct_graph **graph)
{
    onnx_builder b;
    onnx_begin(&b, 13);
    onnx_input(&b, "x", "1,2");
    onnx_bytes tensor = external_tensor(location, offset, length);
    onnx_put_message(&b.graph, 5, &tensor);
    onnx_node(&b, "Add", "x w", "y", "");
    onnx_output(&b, "y");
    onnx_bytes model = onnx_end(&b);
    write_file("model.onnx", model.data, model.size);
    free(model.data);
    return oct_import_onnx(path_of("model.onnx"), NULL, graph);
}

static void side_files(void)
{
    make_folder();
    static const float numbers[4] = {1, 2, 3, 4};
    write_file("weights.bin", numbers, sizeof numbers);
    write_file("inner/weights.bin", numbers, sizeof numbers);
    static const struct { const char *location, *offset, *length; float first;
    } list[] = {{"weights.bin", "4", "8", 2},
                {"weights.bin", "8", NULL, 3},
                {"weights.bin", NULL, "8", 1},
                {"inner/weights.bin", "0", "8", 1},
                {"./weights.bin", "8", "8", 3}};
    for (int i = 0; i < TEST_COUNT(list); i++) {
        oct_graph *graph = NULL;
        CHECK_OK(import_external(list[i].location, list[i].offset, list[i].length, &graph));
        CHECK(*(const float *)graph->values[oct_graph_find_value(graph, "w")].data == list[i].first);
        oct_graph_free(graph);
    }
}

static void side_files_refused(void)
{
    make_folder();
    write_file("weights.bin", "0123456789abcdef", 16);
    write_file("../import-outside.bin", "0123456789abcdef", 16);
    unlink(path_of("link.bin"));
    unlink(path_of("inner/link.bin"));
    if (symlink("../import-outside.bin", path_of("link.bin")) || symlink("../weights.bin", path_of("inner/link.bin"))) {
        test_skip("no symbolic links here");
        return;
    }
    char absolute[1024], here[512];
    snprintf(absolute, sizeof absolute, "%s/weights.bin", getcwd(here, sizeof here) ? here : "");
    const struct { const char *location, *offset, *length; oct_status status; const char *sentence; } list[] = {
        {"../import-outside.bin", "0", "8", OCT_ERR_FORMAT, "no plain path"},
        {"inner/../../import-outside.bin", "0", "8", OCT_ERR_FORMAT, "no plain path"},
        {absolute, "0", "8", OCT_ERR_FORMAT, "no plain path"},
        {"..", "0", "8", OCT_ERR_FORMAT, "no plain path"},
        {"inner//weights.bin", "0", "8", OCT_ERR_FORMAT, "no plain path"},
        {"..\\import-outside.bin", "0", "8", OCT_ERR_FORMAT, "no plain path"},
        {"", "0", "8", OCT_ERR_FORMAT, "no plain path"},
        {NULL, "0", "8", OCT_ERR_FORMAT, "does not say in one way"},
        {"link.bin", "0", "8", OCT_ERR_FORMAT, "leads out of the model's folder"},
        {"none.bin", "0", "8", OCT_ERR_IO, "none.bin"},
        {"inner", "0", "8", OCT_ERR_IO, "not a regular file"},
        {"weights.bin", "0", "12", OCT_ERR_FORMAT, "has 12 bytes in its side file instead of 8"},
        {"weights.bin", "9", NULL, OCT_ERR_FORMAT, "bytes 9..+8 outside its 16 bytes"},
        {"weights.bin", "9223372036854775800", "8", OCT_ERR_FORMAT, "no number"},
        {"weights.bin", "9223372036854775799", "8", OCT_ERR_FORMAT, "outside its 16 bytes"},
        {"weights.bin", "1000000000000000000", "8", OCT_ERR_FORMAT, "outside its 16 bytes"},
        {"weights.bin", "-1", "8", OCT_ERR_FORMAT, "no number"},
        {"weights.bin", "0", "0x8", OCT_ERR_FORMAT, "no number"},
    };
    oct_graph *graph = NULL;
    for (int i = 0; i < TEST_COUNT(list); i++) {
        const oct_status status = import_external(list[i].location, list[i].offset, list[i].length, &graph);
        CHECK_MSG(status == list[i].status && strstr(oct_error(), list[i].sentence) && !graph, "row %d: status %d: %s", i,
                  (int)status, oct_error());
    }
    /* A link that stays inside is fine. */
    CHECK_OK(import_external("inner/link.bin", "0", "8", &graph));
    oct_graph_free(graph);
}

static const test_case cases[] = {
    {"raw_data", raw_data},
    {"typed_lists", typed_lists},
    {"refused", refused},
    {"side_files", side_files},
    {"side_files_refused", side_files_refused},
};

static void __attribute__((constructor)) add_suite(void) { test_register("import_tensor", cases, TEST_COUNT(cases)); }

/* The pieces that octet, octet-bench and these tests share (tools/shared): files of samples, .npy, options, JSON, tables, errors of
 * answers. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "compare.h"
#include "data.h"
#include "harness.h"
#include "json.h"
#include "npy.h"
#include "shell.h"
#include "table.h"

static const oct_tensor_info picture = {
    .name = "x", .dtype = OCT_F32, .shape = {4, {1, 3, 2, 2}}, .elements = 12, .bytes = 48};

/* ------------------------------------------------------------------------------------------------- npy ---- */

/* A .npy file of version 1 (2 from `version` on) with this dictionary and `size` bytes of data. */
static const char *write_npy(int version, const char *dictionary, const void *data, size_t size)
{
    static char bytes[8192];
    const size_t prefix = version == 1 ? 10 : 12, length = strlen(dictionary);
    const char start[12] = {(char)0x93, 'N', 'U', 'M', 'P', 'Y', (char)version, 0, (char)(length & 255), (char)(length >> 8), 0, 0};
    memcpy(bytes, start, prefix);
    memcpy(bytes + prefix, dictionary, length);
    if (size > 0)
        memcpy(bytes + prefix + length, data, size);
    return shell_write("a.npy", bytes, prefix + length + size);
}

static void npy_round_trip(void)
{
    const int64_t dims[3] = {2, 3, 4};
    float values[24], back[24];
    for (int i = 0; i < 24; i++)
        values[i] = test_uniform(-1, 1);
    npy_writer *writer;
    failure why;
    const char *path = shell_path("round.npy");
    CHECK_MSG(npy_create(path, 3, dims, &writer, &why), "%s", why.text);
    CHECK(npy_append(writer, values, 10, &why) && npy_append(writer, values + 10, 14, &why));
    size_t early_size;
    CHECK_MSG(!shell_read(path, &early_size), "the file must not be there before it is complete");
    CHECK_MSG(npy_finish(writer, &why), "%s", why.text);
    FILE *file = fopen(path, "rb");
    CHECK(file);
    npy_header h;
    fseek(file, 0, SEEK_END);
    const bool ok = npy_read_header(file, ftell(file), path, &h, &why);
    const bool all = ok && fseek(file, (long)h.data_offset, SEEK_SET) == 0 && fread(back, 4, 24, file) == 24;
    fclose(file);
    CHECK_MSG(ok, "%s", why.text);
    CHECK(all && h.kind == 'f' && h.size == 4 && h.rank == 3 && h.elements == 24 && h.data_offset % 64 == 0);
    CHECK(!memcmp(h.dims, dims, sizeof dims) && !memcmp(back, values, sizeof values));
}

static void npy_unfinished_leaves_nothing(void)
{
    const int64_t dims[1] = {5};
    const float values[5] = {0};
    npy_writer *writer;
    failure why;
    size_t size;
    CHECK(npy_create(shell_path("unfinished.npy"), 1, dims, &writer, &why) && npy_append(writer, values, 4, &why));
    CHECK(!npy_finish(writer, &why) && strstr(why.text, "missing"));
    CHECK(!shell_read(shell_path("unfinished.npy"), &size) && !shell_read(shell_path("unfinished.npy.part"), &size));
    CHECK(!npy_create(shell_path("no/such/folder.npy"), 1, dims, &writer, &why) && !writer);
}

/* Every header that must be taken, and what must be said about every one that must not. */
static void npy_headers(void)
{
    static const struct { int version; const char *dictionary; size_t size; const char *sentence; } rows[] = {
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 12), }", 96, NULL},
        {2, "{\"shape\":(24,),\"fortran_order\":False,\"descr\":\"<f4\"}\n", 96, NULL},
        {3, "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 2, 2)}", 24, NULL},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (12L,)}", 48, NULL},
        {4, "{'descr': '<f4', 'fortran_order': False, 'shape': (12,)}", 48, "version 4"},
        {1, "{'descr': '>f4', 'fortran_order': False, 'shape': (12,)}", 48, "big-endian"},
        {1, "{'descr': '<f8', 'fortran_order': False, 'shape': (12,)}", 96, "save them as float32"},
        {1, "{'descr': '<i4', 'fortran_order': False, 'shape': (12,)}", 48, "save them as float32"},
        {1, "{'descr': '<U4', 'fortran_order': False, 'shape': (12,)}", 192, "cannot be read"},
        {1, "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (12,)}", 48, "damaged"},
        {1, "{'descr': '<f4', 'fortran_order': True, 'shape': (3, 4)}", 48, "Fortran order"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (12,)}", 44, "cut short"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (12,)}", 52, "4 bytes follow"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4)}", 48, "cut short"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", 48, "too large"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (-12,)}", 48, "no tuple"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 12)}", 0, "holds no sample"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': 12}", 48, "no tuple"},
        {1, "{'descr': '<f4', 'fortran_order': False, 'shape': (12", 48, "no tuple"},
        {1, "{'descr': '<f4', 'fortran_order': False}", 48, "missing"},
        {1, "{'descr': '<f4, 'fortran_order': False}", 48, "cannot be read"},
        {1, "{'descr", 48, "does not end"},
        {1, "", 48, "no dictionary"},
    };
    static const char zeros[256];
    for (int i = 0; i < TEST_COUNT(rows); i++) {
        const char *path = write_npy(rows[i].version, rows[i].dictionary, zeros, rows[i].size);
        data_file *file;
        failure why = {""};
        const bool ok = data_open(path, &picture, NULL, &file, &why);
        data_close(file);
        CHECK_MSG(ok == !rows[i].sentence, "%s: %s", rows[i].dictionary, why.text);
        CHECK_MSG(ok || strstr(why.text, rows[i].sentence), "%s: \"%s\" does not say \"%s\"", rows[i].dictionary, why.text,
                  rows[i].sentence);
    }
}

/* Random bytes at random places of a good file: any answer but a crash. */
static void npy_damaged_at_random(void)
{
    static const char zeros[48];
    size_t size;
    char *good = shell_read(write_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (12,), }", zeros, 48), &size);
    CHECK(good);
    for (int i = 0; i < 300; i++) {
        char bytes[256];
        memcpy(bytes, good, size);
        for (uint32_t n = 1 + test_below(3); n > 0; n--)
            bytes[test_below((uint32_t)size)] = (char)test_below(256);
        data_file *file;
        failure why;
        const char *path = shell_write("b.npy", bytes, test_below(4) ? size : test_below((uint32_t)size));
        if (data_open(path, &picture, NULL, &file, &why))
            CHECK(data_samples(file) >= 1 && data_sample(file, 0, &why));
        data_close(file);
    }
    free(good);
}

/* ------------------------------------------------------------------------------------------------ data ---- */

static void raw_samples(void)
{
    float values[36];
    uint8_t bytes[24];
    for (int i = 0; i < 36; i++)
        values[i] = (float)i;
    for (int i = 0; i < 24; i++)
        bytes[i] = (uint8_t)(250 - i);
    data_file *file;
    failure why;
    CHECK_MSG(data_open(shell_write("a.f32", values, sizeof values), &picture, NULL, &file, &why), "%s", why.text);
    CHECK(data_samples(file) == 3);
    const float *third = data_sample(file, 2, &why);
    CHECK(third && !memcmp(third, values + 24, 48));
    CHECK(!data_sample(file, 3, &why) && !data_sample(file, -1, &why));
    data_close(file);
    CHECK_MSG(data_open(shell_write("a.u8", bytes, sizeof bytes), &picture, NULL, &file, &why), "%s", why.text);
    const float *second = data_sample(file, 1, &why);
    CHECK(data_samples(file) == 2 && second);
    for (int i = 0; i < 12; i++)
        CHECK(!(second[i] < bytes[12 + i]) && !(second[i] > bytes[12 + i]));
    data_close(file);
}

static void raw_refusals(void)
{
    static const struct { const char *name; size_t size; const char *sentence; } rows[] = {
        {"empty.f32", 0, "empty"},           {"empty.u8", 0, "empty"},         {"empty.npy", 0, "empty"},
        {"odd.f32", 47, "no whole number"},  {"part.f32", 52, "no multiple"},  {"part.u8", 13, "no multiple"},
        {"unknown.bin", 48, "must end in"},  {"short.npy", 5, "not a .npy"},   {"noise.npy", 48, "not a .npy"},
    };
    static const char zeros[64];
    data_file *file;
    failure why;
    for (int i = 0; i < TEST_COUNT(rows); i++) {
        CHECK_MSG(!data_open(shell_write(rows[i].name, zeros, rows[i].size), &picture, NULL, &file, &why) && !file, "%s",
                  rows[i].name);
        CHECK_MSG(strstr(why.text, rows[i].sentence) && strstr(why.text, rows[i].name), "%s: %s", rows[i].name, why.text);
    }
    CHECK(!data_open(shell_path("missing.f32"), &picture, NULL, &file, &why) && strstr(why.text, "No such file"));
    CHECK(!data_open(shell_path(".npy"), &picture, NULL, &file, &why));
    CHECK(!data_open("/dev/null", &picture, NULL, &file, &why));
    CHECK(!data_open(shell_path(".f32"), &picture, NULL, &file, &why));
}

/* Pictures with their channels last have the right number of elements and the wrong order. */
static void order_of_axes(void)
{
    static const struct { const char *shape; bool good; } rows[] = {
        {"(2, 3, 2, 4)", true}, {"(48,)", true}, {"(2, 24)", true}, {"(2, 1, 3, 2, 4)", true}, {"(2, 3, 8)", true},
        {"(2, 2, 4, 3)", false}, {"(2, 4, 3, 2)", false}, {"(2, 3, 4, 2)", false},
    };
    const oct_tensor_info tensor = {.name = "x", .dtype = OCT_F32, .shape = {4, {1, 3, 2, 4}}, .elements = 24, .bytes = 96};
    static const float zeros[48];
    for (int i = 0; i < TEST_COUNT(rows); i++) {
        char dictionary[128];
        snprintf(dictionary, sizeof dictionary, "{'descr': '<f4', 'fortran_order': False, 'shape': %s}", rows[i].shape);
        data_file *file;
        failure why = {""};
        const bool ok = data_open(write_npy(1, dictionary, zeros, sizeof zeros), &tensor, NULL, &file, &why);
        data_close(file);
        CHECK_MSG(ok == rows[i].good, "%s %s", rows[i].shape, why.text);
    }
    /* One channel: moving the axis of length 1 moves nothing. */
    const oct_tensor_info grey = {.name = "x", .dtype = OCT_F32, .shape = {4, {1, 1, 4, 6}}, .elements = 24, .bytes = 96};
    data_file *file;
    failure why = {""};
    const char *path = write_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 4, 6, 1)}", zeros, sizeof zeros);
    CHECK_MSG(data_open(path, &grey, NULL, &file, &why), "%s", why.text);
    data_close(file);
}

static void transforms(void)
{
    const uint8_t bytes[12] = {0, 51, 102, 153, 204, 255, 0, 51, 102, 153, 204, 255};
    const char *path = shell_write("t.u8", bytes, sizeof bytes);
    static data_transform t;
    data_transform_init(&t);
    t.scale = 1.0 / 255;
    t.mean = (arg_reals){{0.25f, 0.5f, 0.75f}, 3};
    t.std = (arg_reals){{0.5f}, 1};
    data_file *file;
    failure why;
    CHECK_MSG(data_open(path, &picture, &t, &file, &why), "%s", why.text);
    const float *x = data_sample(file, 0, &why);
    CHECK(x);
    for (int i = 0; i < 12; i++) {
        const double want = (bytes[i] / 255.0 - 0.25 * (1 + i / 4)) / 0.5;
        CHECK_MSG(fabs((double)x[i] - want) < 1e-6, "element %d: %g, not %g", i, (double)x[i], want);
    }
    data_close(file);
    t.mean.count = 4;
    CHECK(!data_open(path, &picture, &t, &file, &why) && strstr(why.text, "--mean has 4"));
    t.mean.count = 3;
    t.std.count = 2;
    CHECK(!data_open(path, &picture, &t, &file, &why));
    t.std = (arg_reals){{0}, 1};
    CHECK(!data_open(path, &picture, &t, &file, &why) && strstr(why.text, "--std must not be 0"));
    /* Channels last: the last dimension counts when the second does not fit. */
    const oct_tensor_info last = {.name = "x", .dtype = OCT_F32, .shape = {4, {1, 2, 2, 3}}, .elements = 12, .bytes = 48};
    t.std.count = 0;
    CHECK_MSG(data_open(path, &last, &t, &file, &why), "%s", why.text);
    x = data_sample(file, 0, &why);
    CHECK(x && fabs((double)x[5] - (1.0 - 0.75)) < 1e-6);
    data_close(file);
}

static void labels(void)
{
    const uint8_t raw[3] = {7, 0, 255};
    const int32_t wide[3] = {-1, 2, 70000};
    int64_t *list;
    failure why;
    CHECK(data_read_labels(shell_write("l.u8", raw, 3), 3, &list, &why));
    CHECK(list[0] == 7 && list[1] == 0 && list[2] == 255);
    free(list);
    CHECK(data_read_labels(write_npy(1, "{'descr': '<i4', 'fortran_order': False, 'shape': (3,)}", wide, 12), 3, &list, &why));
    CHECK(list[0] == -1 && list[1] == 2 && list[2] == 70000);
    free(list);
    CHECK(!data_read_labels(shell_path("l.u8"), 4, &list, &why) && !list && strstr(why.text, "3 labels for 4 samples"));
    CHECK(!data_read_labels(write_npy(1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}", wide, 12), 3, &list, &why));
    CHECK(!data_read_labels(shell_write("l.txt", raw, 3), 3, &list, &why) &&
          !data_read_labels(shell_path("none.u8"), 3, &list, &why));
}

/* ------------------------------------------------------------------------------------- json and tables ---- */

static void json_text_and_numbers(void)
{
    const char *path = shell_path("a.json");
    FILE *file = fopen(path, "w");
    CHECK(file);
    json j;
    const int64_t dims[] = {1, -2};
    json_begin(&j, file);
    json_object(&j, NULL);
    json_text(&j, "quote\"", "a\\b\n\x01 \xC3\xA9 \xFF \xC0\x80 \xED\xA0\x80");
    json_number(&j, "nan", (double)NAN);
    json_number(&j, "inf", (double)-INFINITY);
    json_number(&j, "third", 1.0 / 3);
    json_number(&j, "tenth", 0.1);
    json_integer(&j, "big", INT64_MIN);
    json_integers(&j, "dims", dims, 2);
    json_array(&j, "empty");
    json_close(&j);
    json_array(&j, "list");
    json_bool(&j, NULL, true);
    json_text(&j, NULL, NULL);
    const bool ended = json_end(&j);
    fclose(file);
    size_t size;
    char *text = shell_read(path, &size);
    CHECK(ended && text);
    CHECK_MSG(shell_is_json(text), "%s", text);
    CHECK_MSG(strstr(text, "\"quote\\\"\": \"a\\\\b\\u000a\\u0001 \xC3\xA9 \\ufffd \\ufffd\\ufffd \\ufffd\\ufffd\\ufffd\""), "%s",
              text);
    CHECK(strstr(text, "\"nan\": null") && strstr(text, "\"inf\": null") && strstr(text, "\"tenth\": 0.1,"));
    CHECK(shell_json_number(text, "third") >= 1.0 / 3 && shell_json_number(text, "third") <= 1.0 / 3);
    CHECK(strstr(text, "\"big\": -9223372036854775808") && strstr(text, "\"dims\": [1, -2]") && strstr(text, "\"empty\": []"));
    free(text);
}

static void json_checker_refuses(void)
{
    static const char *const bad[] = {"",      "{",     "{\"a\":}", "{\"a\":1,}", "[1 2]", "nan",
                                      "[inf]", "{a:1}", "[1]]",     "\"\n\"",     "+1",    "0x10"};
    for (int i = 0; i < TEST_COUNT(bad); i++)
        CHECK_MSG(!shell_is_json(bad[i]), "%s", bad[i]);
    CHECK(shell_is_json(" {\"a\": [1, -2.5e3, null, true, \"\\u000a\"]} \n"));
}

static void table_fits(void)
{
    static const table_column columns[] = {{"name", TABLE_SHRINK}, {"count", TABLE_RIGHT}};
    const char *path = shell_path("table.txt");
    FILE *file = fopen(path, "w");
    CHECK(file);
    table *t = table_create(columns, 2);
    table_cell(t, "%s", "a/very/long/name/of/a/layer/that/goes/on/and/on/and/on/and/on/and/on/until/the/end/conv7");
    table_cell(t, "%d", 12);
    table_cell(t, "%s", "b\x1b[31m");
    table_cell(t, "%d", 3);
    table_fit(t, 80, file);
    table_free(t);
    fclose(file);
    size_t size;
    char *text = shell_read(path, &size);
    CHECK(text && strstr(text, "..") && strstr(text, "conv7     12\n") && strstr(text, "b?[31m") && !strchr(text, 0x1b));
    for (const char *line = text; *line; line = strchr(line, '\n') + 1)
        CHECK(strcspn(line, "\n") <= 80);
    free(text);
    char number[40];
    CHECK(!strcmp(table_count(999, number, sizeof number), "999") &&
          !strcmp(table_count(5530000, number, sizeof number), "5.53 M"));
    CHECK(!strcmp(table_bytes(1536, number, sizeof number), "1.50 KiB") && !strcmp(table_bytes(7, number, sizeof number), "7 B"));
}

/* --------------------------------------------------------------------------------- options and answers ---- */

typedef struct options_read {
    bool flag;
    const char *text;
    arg_texts many;
    int64_t integer;
    double real;
    arg_reals reals;
} options_read;

static arg_result parse(options_read *o, char **argv, int argc, int *words)
{
    *o = (options_read){.integer = -1};
    const arg_option options[] = {
        {"--flag", .kind = ARG_FLAG, .to = &o->flag, .help = ""},
        {"--text", .alias = "-t", .kind = ARG_TEXT, .to = &o->text, .value = "T", .help = ""},
        {"--many", .kind = ARG_TEXTS, .to = &o->many, .value = "M", .help = ""},
        {"--integer", .kind = ARG_INTEGER, .to = &o->integer, .value = "N", .help = "", .min = 1, .max = 9},
        {0},
    };
    const arg_option more[] = {
        {"--real", .kind = ARG_REAL, .to = &o->real, .value = "R", .help = ""},
        {"--reals", .kind = ARG_REALS, .to = &o->reals, .value = "R,..", .help = ""},
        {0},
    };
    const arg_spec spec = {.command = "t", .usage = "W", .about = "", .word = "W", .max_words = 2, .groups = {options, more}};
    return args_parse(&spec, argc, argv, words);
}

static void options_are_read(void)
{
    static options_read o;
    char *argv[] = {"w1",        "--flag", "-t",         "x",       "--many=a", "--many", "b",
                    "--integer", "9",      "--real=1/4", "--reals", "-1,2.5e1", "--",     "-w2"};
    int words;
    CHECK(parse(&o, argv, TEST_COUNT(argv), &words) == ARGS_OK);
    CHECK(words == 2 && !strcmp(argv[0], "w1") && !strcmp(argv[1], "-w2"));
    CHECK(o.flag && !strcmp(o.text, "x") && o.many.count == 2 && !strcmp(o.many.items[1], "b") && o.integer == 9);
    CHECK(fabs(o.real - 0.25) < 1e-12 && o.reals.count == 2 && fabsf(o.reals.items[0] + 1) < 1e-6f &&
          fabsf(o.reals.items[1] - 25) < 1e-6f);
}

static void errors_of_answers(void)
{
    comparison c;
    const float y[] = {1, 2.5f, -4, INFINITY, NAN}, ref[] = {1, 2, -4, INFINITY, NAN};
    compare_start(&c, 1e-3, 1e-7);
    compare_add(&c, y, ref, 5);
    CHECK(fabs(c.max_abs - 0.5) < 1e-9 && fabs(c.max_element_rel - 0.25) < 1e-9 && c.beyond == 1);
    CHECK(fabs(compare_relative(&c) - 0.125) < 1e-9 && fabs(compare_sqnr_db(&c) - 10 * log10(21 / 0.25)) < 1e-9);
    const float bad[] = {NAN}, good[] = {1};
    compare_add(&c, bad, good, 1);
    CHECK(isinf(c.max_abs) && c.beyond == 2);
    compare_start(&c, 0, 0);
    compare_add(&c, ref, ref, 5);
    CHECK(c.beyond == 0 && compare_relative(&c) <= 0 && isinf(compare_sqnr_db(&c)));
    const float ties[] = {1, 3, 3, 2};
    CHECK(compare_argmax(ties, 4) == 1 && compare_argmax(y, 5) == -1 && compare_argmax(y, 0) == -1);
}

static const test_case cases[] = {
    {"npy_round_trip", npy_round_trip},
    {"npy_unfinished_leaves_nothing", npy_unfinished_leaves_nothing},
    {"npy_headers", npy_headers},
    {"npy_damaged_at_random", npy_damaged_at_random},
    {"raw_samples", raw_samples},
    {"raw_refusals", raw_refusals},
    {"order_of_axes", order_of_axes},
    {"transforms", transforms},
    {"labels", labels},
    {"json_text_and_numbers", json_text_and_numbers},
    {"json_checker_refuses", json_checker_refuses},
    {"table_fits", table_fits},
    {"options_are_read", options_are_read},
    {"errors_of_answers", errors_of_answers},
};

static void __attribute__((constructor)) data_suite(void) { test_register("data", cases, TEST_COUNT(cases)); }

/* Hostile files: flipped, cut, lengthened, and forged with a correct checksum. Each must be refused with one line, or be safe to
 * run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "harness.h"
#include "octet_convert.h"
#include "random_graph.h"

static unsigned char *copy_of(const void *bytes, size_t size)
{
    unsigned char *copy = malloc(size ? size : 1);
    memcpy(copy, bytes, size);
    return copy;
}

static bool one_line(const char *text) { return text[0] && !strchr(text, '\n') && strlen(text) < 1000; }

/* The load must fail, leave no model, and say one line that begins with the file's name. */
static void expect_refusal(const void *bytes, size_t size, const char *what, size_t at)
{
    oct_model *model = (oct_model *)&model;
    const oct_status status = oct_model_load_memory(bytes, size, &model);
    if (status == OCT_OK || model)
        test_fail(__FILE__, __LINE__, "%s at %zu was not noticed", what, at);
    else if (status != OCT_ERR_FORMAT && status != OCT_ERR_UNSUPPORTED)
        test_fail(__FILE__, __LINE__, "%s at %zu: status %s: %s", what, at, oct_status_name(status), oct_error());
    else if (!one_line(oct_error()) || strncmp(oct_error(), "model in memory: ", 17) != 0)
        test_fail(__FILE__, __LINE__, "%s at %zu: \"%s\"", what, at, oct_error());
    if (status == OCT_OK)
        oct_model_free(model);
}

static void save_random(int nodes, unsigned char **bytes, size_t *size)
{
    void *saved;
    oct_graph *graph = random_graph(nodes);
    CHECK_OK(oct_save_memory(graph, &saved, size));
    *bytes = copy_of(saved, *size);
    oct_buffer_free(saved);
    oct_graph_free(graph);
}

static void every_flipped_byte_is_noticed(void)
{
    unsigned char *bytes = NULL;
    size_t size;
    save_random(5, &bytes, &size);
    for (size_t i = 0; bytes && i < size && !test_failed(); i++) {
        const unsigned char kept = bytes[i];
        bytes[i] = (unsigned char)(kept ^ (1u << test_below(8)));
        expect_refusal(bytes, size, "a flipped bit", i);
        bytes[i] = (unsigned char)(kept ^ (1 + test_below(255)));
        expect_refusal(bytes, size, "a changed byte", i);
        bytes[i] = kept;
    }
    free(bytes);
}

static void every_cut_is_noticed(void)
{
    unsigned char *bytes = NULL;
    size_t size;
    save_random(3, &bytes, &size);
    for (size_t length = 0; bytes && length < size && !test_failed(); length++) {
        unsigned char *cut = copy_of(bytes, length);  /* its own block, so that reading beyond it is seen */
        expect_refusal(cut, length, "a cut", length);
        free(cut);
    }
    unsigned char *longer = calloc(1, size + 64);
    memcpy(longer, bytes, size);
    for (size_t more = 1; more <= 64 && !test_failed(); more += 7)
        expect_refusal(longer, size + more, "an appendix", size + more);
    free(longer);
    free(bytes);
}

/* --------------------------------------------------------------------------------------------- forgeries ---- */

static void correct_checksum(unsigned char *bytes, size_t size)
{
    if (size < 64)
        return;
    oct_put64(bytes + OCT_HEADER_FILE_SIZE, size);
    oct_put64(bytes + OCT_HEADER_CHECKSUM, oct_checksum(bytes + 32, size - 32, oct_checksum(bytes, 24, 0)));
}

static uint32_t nasty_word(void)
{
    static const uint32_t words[] = {0,          1,          2,          3,          4,          7,          8,
                                     63,         64,         65,         127,        255,        256,        65535,
                                     65536,      65537,      0x7ffffffe, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe,
                                     0x7f800000, 0xff800000, 0x7fc00000, 0x00000001, 0x3f800000, 0x00800000};
    return test_below(4) ? words[test_below((uint32_t)TEST_COUNT(words))] : (uint32_t)test_random();
}

static void forge(unsigned char *bytes, size_t size)
{
    const uint32_t changes = 1 + test_below(3);
    for (uint32_t i = 0; i < changes; i++) {
        /* Mostly the tables, where structure is; sometimes the data. */
        const size_t tables = (size_t)oct_get64(bytes + OCT_HEADER_DATA), range = test_below(5) && tables <= size ? tables : size;
        const size_t at = test_below((uint32_t)range);
        switch (test_below(4)) {
        case 0: bytes[at] = (unsigned char)test_random(); break;
        case 1: bytes[at] ^= (unsigned char)(1u << test_below(8)); break;
        default:
            if (at / 4 * 4 + 4 <= size)
                oct_put32(bytes + at / 4 * 4, nasty_word());
        }
    }
}

/* Large tensors are legal, but this test has no time for them. */
static bool small(const oct_model *model)
{
    size_t elements = 0;
    oct_tensor_info in;
    for (size_t i = 0; i < oct_model_input_count(model); i++)
        if (oct_model_input(model, i, &in) == OCT_OK)
            elements += in.elements;
    for (size_t i = 0; i < oct_model_layer_count(model); i++) {
        oct_layer_info layer;
        if (oct_model_layer(model, i, &layer) == OCT_OK)
            elements += (size_t)oct_shape_elements(&layer.out) + (size_t)(layer.macs > 0 ? layer.macs / 100 : 0);
    }
    return elements < 1000000;
}

static void run_forgery(const oct_model *model)
{
    oct_session *session;
    if (!small(model))
        return;
    if (oct_session_create(model, &(oct_options){.isa = test_isa(), .threads = 1}, &session) != OCT_OK) {
        CHECK(!session && one_line(oct_error()));
        return;
    }
    for (size_t i = 0; i < oct_model_input_count(model); i++) {
        oct_tensor_info in;
        CHECK_OK(oct_model_input(model, i, &in));
        void *data = malloc(in.bytes);
        for (size_t b = 0; b < in.bytes; b++)
            ((unsigned char *)data)[b] = (unsigned char)test_random();
        CHECK_OK(oct_set_input(session, i, data, in.bytes));
        free(data);
    }
    CHECK_OK(oct_run(session));
    oct_session_free(session);
}

static void forged_files_are_refused_or_safe(void)
{
    int accepted = 0, refused = 0;
    for (int round = 0; round < 60 && !test_failed(); round++) {
        unsigned char *bytes = NULL;
        size_t size;
        save_random(4, &bytes, &size);
        for (int i = 0; bytes && i < 100 && !test_failed(); i++) {
            oct_model *model;
            unsigned char *forged = copy_of(bytes, size);
            forge(forged, size);
            correct_checksum(forged, size);
            if (oct_model_load_memory(forged, size, &model) == OCT_OK) {
                accepted++;
                run_forgery(model);
            } else {
                refused++;
                CHECK_MSG(one_line(oct_error()), "\"%s\"", oct_error());
            }
            oct_model_free(model);
            free(forged);
        }
        free(bytes);
    }
    /* Changes in weights and names are accepted, most others refused; neither may be all there is. */
    CHECK_MSG(accepted > 100 && refused > 1000, "%d accepted, %d refused", accepted, refused);
}

/* --------------------------------------------------------------------------------- what is said, and where ---- */

static void expect_words(const unsigned char *bytes, size_t size, oct_status expected, const char *words)
{
    oct_model *model;
    const oct_status status = oct_model_load_memory(bytes, size, &model);
    CHECK_MSG(status == expected, "%s instead of %s: %s", oct_status_name(status), oct_status_name(expected), oct_error());
    CHECK_MSG(strstr(oct_error(), words) != NULL, "\"%s\" does not say \"%s\"", oct_error(), words);
}

/* A quantized convolution "conv" with weights "w". */
static oct_graph *quantized_conv(void)
{
    static const int8_t weights[2 * 3 * 3 * 4] = {5, -7, 127, -127};
    oct_graph *graph;
    int x, w, y;
    if (oct_graph_create(&graph) != OCT_OK)
        return NULL;
    oct_graph_add_value(graph, "x", OCT_U8, &(oct_shape){4, {1, 5, 5, 4}}, NULL, &x);
    oct_graph_add_input(graph, x);
    graph->values[x].scale = 0.1f;
    oct_graph_add_constant(graph, "w", OCT_S8, &(oct_shape){4, {2, 3, 3, 4}}, weights, &w);
    graph->values[w].channel_scale = aligned_alloc(64, 64);
    graph->values[w].channel_scale[0] = graph->values[w].channel_scale[1] = 0.01f;
    const oct_attrs attrs = {.conv = {.kernel = {3, 3}, .stride = {1, 1}, .dilation = {1, 1}, .groups = 1}};
    oct_graph_add_node(graph, OCT_OP_CONV, "conv", &attrs, (int[]){x, w}, 2, &y);
    graph->values[y].dtype = OCT_U8;
    graph->values[y].scale = 0.1f;
    graph->values[y].zero_point = 3;
    oct_graph_add_output(graph, y);
    return graph;
}

static void sentences_name_the_place(void)
{
    void *saved;
    size_t size;
    oct_graph *graph = quantized_conv();
    CHECK_OK(oct_save_memory(graph, &saved, &size));
    oct_graph_free(graph);
    unsigned char *b = copy_of(saved, size);
    expect_words(b, 10, OCT_ERR_FORMAT, "header");
    b[0] = 'X';
    expect_words(b, size, OCT_ERR_FORMAT, "not a .oct file");
    memcpy(b, saved, size);
    oct_put32(b + OCT_HEADER_VERSION, 3);
    correct_checksum(b, size);
    expect_words(b, size, OCT_ERR_UNSUPPORTED, "version 3");
    memcpy(b, saved, size);
    expect_words(b, size - 64, OCT_ERR_FORMAT, "cut short");
    b[size - 100] ^= 4;
    expect_words(b, size, OCT_ERR_FORMAT, "checksum");
    /* w's first weight becomes -128 */
    memcpy(b, saved, size);
    const size_t values = OCT_HEADER_BYTES + oct_get32(b + OCT_HEADER_STRING_BYTES), w = values + OCT_VALUE_BYTES;
    b[oct_get64(b + w + OCT_VALUE_DATA)] = 0x80;
    correct_checksum(b, size);
    expect_words(b, size, OCT_ERR_FORMAT, "w: a weight of channel 0 is -128");
    /* its second scale becomes negative */
    memcpy(b, saved, size);
    oct_put_float(b + oct_get64(b + w + OCT_VALUE_SCALES) + 4, -1.0f);
    correct_checksum(b, size);
    expect_words(b, size, OCT_ERR_FORMAT, "w: scale of channel 1");
    /* x's scale becomes NaN, its zero point 256 */
    memcpy(b, saved, size);
    oct_put32(b + values + OCT_VALUE_SCALE, 0x7fc00000);
    correct_checksum(b, size);
    expect_words(b, size, OCT_ERR_FORMAT, "x: its scale");
    memcpy(b, saved, size);
    oct_put32(b + values + OCT_VALUE_ZERO_POINT, 256);
    correct_checksum(b, size);
    expect_words(b, size, OCT_ERR_FORMAT, "zero point 256");
    free(b);
    oct_buffer_free(saved);
}

/* 0x7ffffff1 is a NaN, a huge count, no operator, no attribute, no place: it may stand nowhere in the tables. */
static void no_word_of_the_tables_is_unchecked(void)
{
    void *saved;
    size_t size;
    oct_graph *graph = quantized_conv();
    CHECK_OK(oct_save_memory(graph, &saved, &size));
    oct_graph_free(graph);
    unsigned char *b = copy_of(saved, size);
    const size_t values = OCT_HEADER_BYTES + oct_get32(b + OCT_HEADER_STRING_BYTES), data = (size_t)oct_get64(b + OCT_HEADER_DATA);
    for (size_t at = 0; at < data && !test_failed(); at += 4) {
        if (at == OCT_HEADER_BYTES)
            at = values;  /* names may be anything */
        memcpy(b, saved, size);
        oct_put32(b + at, 0x7ffffff1);
        if (at < OCT_HEADER_FILE_SIZE || at >= OCT_HEADER_CHECKSUM + 8)
            oct_put64(b + OCT_HEADER_CHECKSUM, oct_checksum(b + 32, size - 32, oct_checksum(b, 24, 0)));
        expect_refusal(b, size, "a nonsensical word", at);
    }
    free(b);
    oct_buffer_free(saved);
}

/* Places that lie inside the file, but not where the format has them: overlaps, holes, too few bytes. */
static void data_lie_where_they_must(void)
{
    void *saved;
    size_t size;
    oct_graph *graph = quantized_conv();
    CHECK_OK(oct_save_memory(graph, &saved, &size));
    oct_graph_free(graph);
    unsigned char *b = copy_of(saved, size);
    const size_t w = OCT_HEADER_BYTES + oct_get32(b + OCT_HEADER_STRING_BYTES) + OCT_VALUE_BYTES;
    const uint64_t weights = oct_get64(b + w + OCT_VALUE_DATA), scales = oct_get64(b + w + OCT_VALUE_SCALES);
    const struct { size_t at; uint64_t number; const char *words;
    } forgeries[] = {
        {w + OCT_VALUE_DATA, scales, "not where its data belong"},
        {w + OCT_VALUE_SCALES, weights, "not where its data belong"},
        {w + OCT_VALUE_DATA, weights + 1, "not where its data belong"},
        {w + OCT_VALUE_DATA_BYTES, 71, "71 bytes of data for a shape of 72"},
        {w + OCT_VALUE_DATA_BYTES, 0, "0 bytes of data"},
        {w + OCT_VALUE_SCALES, 0, "belong to no constant"},
        {w + OCT_VALUE_DATA, 0, "bytes of data at no place"},
        {OCT_HEADER_DATA, weights + 64, "the data begin at"},
    };
    for (int i = 0; i < TEST_COUNT(forgeries) && !test_failed(); i++) {
        memcpy(b, saved, size);
        oct_put64(b + forgeries[i].at, forgeries[i].number);
        correct_checksum(b, size);
        expect_words(b, size, OCT_ERR_FORMAT, forgeries[i].words);
    }
    memcpy(b, saved, size);
    b[weights + 72] = 1;  /* the first byte of padding */
    correct_checksum(b, size);
    expect_words(b, size, OCT_ERR_FORMAT, "padding that is not zero");
    free(b);
    oct_buffer_free(saved);
}

static void sums_beyond_32_bits_are_refused(void)
{
    oct_model *model;
    oct_session *session;
    oct_graph *graph = quantized_conv();
    graph->values[2].scale = 1e-9f;  /* the multiplier becomes 1e6 * .. */
    CHECK_OK(oct_model_from_graph(graph, &model));
    const oct_status status = oct_session_create(model, &(oct_options){.isa = test_isa()}, &session);
    CHECK_MSG(status == OCT_ERR_FORMAT && !session, "%s", oct_error());
    CHECK_MSG(strstr(oct_error(), "node conv: output channel 0") != NULL, "%s", oct_error());
    oct_model_free(model);
    oct_graph_free(graph);
}

static void files_that_are_none(void)
{
    oct_model *model;
    char path[600];
    CHECK(oct_model_load("no such file.oct", &model) == OCT_ERR_IO && !model && strstr(oct_error(), "no such file.oct") != NULL);
    CHECK(oct_model_load(test_build_dir(), &model) == OCT_ERR_IO && !model);
    snprintf(path, sizeof path, "%s/empty.oct", test_build_dir());
    FILE *file = fopen(path, "wb");
    CHECK(file != NULL);
    fclose(file);
    CHECK(oct_model_load(path, &model) == OCT_ERR_FORMAT && !model && strstr(oct_error(), "empty.oct: 0 bytes") != NULL);
    remove(path);
}

static const test_case cases[] = {
    {"every_flipped_byte_is_noticed", every_flipped_byte_is_noticed},
    {"every_cut_is_noticed", every_cut_is_noticed},
    {"forged_files_are_refused_or_safe", forged_files_are_refused_or_safe},
    {"sentences_name_the_place", sentences_name_the_place},
    {"no_word_of_the_tables_is_unchecked", no_word_of_the_tables_is_unchecked},
    {"data_lie_where_they_must", data_lie_where_they_must},
    {"sums_beyond_32_bits_are_refused", sums_beyond_32_bits_are_refused},
    {"files_that_are_none", files_that_are_none},
};

static void __attribute__((constructor)) add_suite(void) { test_register("load", cases, TEST_COUNT(cases)); }

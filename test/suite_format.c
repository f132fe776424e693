/* The .oct file as docs/FORMAT.md describes it, read here by other code than the library's; and graphs that survive the way
 * through it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph.h"
#include "harness.h"
#include "operators.h"
#include "octet_convert.h"
#include "random_graph.h"

static uint64_t number(const unsigned char *p, int bytes)
{
    uint64_t n = 0;
    for (int i = bytes - 1; i >= 0; i--)
        n = n << 8 | p[i];
    return n;
}

static uint64_t checksum_step(uint64_t state, uint64_t word)
{
    state = (state ^ word) * 0x9E3779B185EBCA87u;
    return state ^ (state >> 29);
}

/* C(bytes, seed) of docs/FORMAT.md, word for word. */
static uint64_t checksum(const unsigned char *p, size_t size, uint64_t seed)
{
    uint64_t sum = checksum_step(seed, size), lane[4] = {seed, seed + 1, seed + 2, seed + 3};
    for (; size >= 32; size -= 32, p += 32)
        for (int l = 0; l < 4; l++)
            lane[l] = checksum_step(lane[l], number(p + 8 * l, 8));
    for (; size > 0; p += 8) {
        const size_t n = size < 8 ? size : 8;
        sum = checksum_step(sum, number(p, (int)n));
        size -= n;
    }
    for (int l = 0; l < 4; l++)
        sum = checksum_step(sum, lane[l]);
    return sum;
}

/* input x [1, 2, 2, 1] -> clamp(0, 6) -> y; a constant c [3]: the smallest file with one of everything. */
static oct_graph *tiny_graph(void)
{
    oct_graph *graph = NULL;
    if (oct_graph_create(&graph) != OCT_OK)
        return NULL;
    const int x = oct_build_input(graph, "x", &(oct_shape){4, {1, 2, 2, 1}});
    oct_build_constant(graph, "c", &(oct_shape){1, {3}}, (float[]){1, 2, 3});
    oct_build_output(graph, "y", oct_build_relu6(graph, "relu", x));
    return graph;
}

static void the_bytes_are_as_specified(void)
{
    void *memory;
    size_t size;
    oct_graph *graph = tiny_graph();
    CHECK_OK(oct_save_memory(graph, &memory, &size));
    const unsigned char *p = memory;
    /* names: x, c, y (the relu's output was renamed), relu: 2 + 2 + 2 + 5 = 11, padded to 16 */
    const uint64_t strings = 64, values = 80, nodes = values + 3 * 104, lists = nodes + 32;
    CHECK(memcmp(p, "OCTETNN\n", 8) == 0);
    CHECK(number(p + 8, 4) == 1 && number(p + 12, 4) == 0);
    CHECK(number(p + 16, 8) == size);
    CHECK(number(p + 24, 8) == checksum(p + 32, size - 32, checksum(p, 24, 0)));
    CHECK(number(p + 32, 4) == 16 && number(p + 36, 4) == 3 && number(p + 40, 4) == 1);
    /* lists: one graph input, one output; the node's input, output and 3 attribute words */
    CHECK(number(p + 44, 4) == 7 && number(p + 48, 4) == 1 && number(p + 52, 4) == 1);
    const uint64_t data = number(p + 56, 8);
    CHECK(data == (lists + 7 * 4 + 63) / 64 * 64);
    CHECK(size == data + 64);
    CHECK(memcmp(p + strings, "x\0c\0y\0relu\0\0\0\0\0", 16) == 0);
    /* value 0: f32, rank 4, 1 x 2 x 2 x 1, nothing else */
    CHECK(number(p + values, 4) == OCT_F32 && number(p + values + 4, 4) == 4);
    CHECK(number(p + values + 8, 8) == 1 && number(p + values + 16, 8) == 2 && number(p + values + 40, 8) == 0);
    CHECK(number(p + values + 80, 8) == 0 && number(p + values + 88, 8) == 0);
    /* value 1: the constant, at the beginning of the data */
    CHECK(number(p + values + 104 + 80, 8) == data && number(p + values + 104 + 88, 8) == 12);
    CHECK(number(p + data, 4) == 0x3f800000 && number(p + data + 8, 4) == 0x40400000 && number(p + data + 12, 8) == 0);
    /* the node: unary, 1 input, 1 output, 3 words: clamp, 0.0, 6.0 */
    CHECK(number(p + nodes, 4) == OCT_OP_UNARY && number(p + nodes + 4, 4) == 1 && number(p + nodes + 8, 4) == 1);
    CHECK(number(p + nodes + 12, 4) == 3 && number(p + nodes + 16, 4) == 0);
    CHECK(number(p + lists, 4) == 0 && number(p + lists + 4, 4) == 2);
    CHECK(number(p + lists + 8, 4) == 0 && number(p + lists + 12, 4) == 2);
    CHECK(number(p + lists + 16, 4) == OCT_FN_CLAMP && number(p + lists + 20, 4) == 0 && number(p + lists + 24, 4) == 0x40c00000);
    oct_buffer_free(memory);
    oct_graph_free(graph);
}

/* The numbers of operators, functions and types are part of the format: they may be added to, never changed. */
static void numbers_are_frozen(void)
{
    CHECK(OCT_F32 == 1 && OCT_U8 == 2 && OCT_S8 == 3 && OCT_S32 == 4 && OCT_S64 == 5);
    CHECK(OCT_OP_CONV == 1 && OCT_OP_MATMUL == 3 && OCT_OP_BINARY == 7 && OCT_OP_CONCAT == 9 && OCT_OP_SOFTMAX == 14);
    CHECK(OCT_OP_DEQUANTIZE == 16 && OCT_OP_RESIZE == 17 && OCT_OP_ARGMAX == 18);
    CHECK(OCT_RESIZE_LINEAR == 1 && OCT_PLACE_PYTORCH_HALF_PIXEL == 3 && OCT_PLACE_HALF_PIXEL_FOR_NN == 5 && OCT_ROUND_CEIL == 3);
    CHECK(OCT_FN_CLAMP == 1 && OCT_FN_SIGMOID == 4 && OCT_FN_HARD_SWISH == 6 && OCT_FN_NEG == 16);
    CHECK(OCT_BINARY_MUL == 1 && OCT_BINARY_POW == 6 && OCT_REDUCE_MIN == 3 && OCT_PAD_EDGE == 2);
}

static bool same_value(const oct_value *a, const oct_value *b)
{
    return !strcmp(a->name, b->name) && a->dtype == b->dtype && oct_shape_equal(&a->shape, &b->shape) &&
           a->producer == b->producer && (a->dtype != OCT_U8 || (a->scale == b->scale && a->zero_point == b->zero_point)) &&
           !a->data == !b->data && (!a->data || !memcmp(a->data, b->data, oct_value_bytes(a))) &&
           !a->channel_scale == !b->channel_scale &&
           (!a->channel_scale || !memcmp(a->channel_scale, b->channel_scale, (size_t)a->shape.dims[0] * sizeof(float)));
}

static bool same_list(const int *a, int a_count, const int *b, int b_count)
{
    return a_count == b_count && (a_count == 0 || !memcmp(a, b, (size_t)a_count * sizeof *a));
}

/* By the operator's fields: what lies beyond them in the union means nothing. */
static bool same_attributes(const oct_node *a, const oct_node *b)
{
    const oct_operator *row = oct_operator_of(a->op);
    for (int f = 0; f < row->field_count; f++) {
        const size_t offset = row->fields[f].offset, bytes = row->fields[f].count * sizeof(int32_t);
        if (memcmp((const char *)&a->attrs + offset, (const char *)&b->attrs + offset, bytes) != 0)
            return false;
    }
    return true;
}

static bool same_node(const oct_node *a, const oct_node *b)
{
    return !strcmp(a->name, b->name) && a->op == b->op && a->act.fn == b->act.fn && a->act.alpha == b->act.alpha &&
           a->act.beta == b->act.beta && same_attributes(a, b) &&
           same_list(a->in, a->in_count, b->in, b->in_count) && same_list(a->out, a->out_count, b->out, b->out_count);
}

static bool same_graph(const oct_graph *a, const oct_graph *b)
{
    bool same = a->value_count == b->value_count && a->node_count == b->node_count &&
                same_list(a->inputs, a->input_count, b->inputs, b->input_count) &&
                same_list(a->outputs, a->output_count, b->outputs, b->output_count);
    for (int v = 0; same && v < a->value_count; v++)
        same = same_value(&a->values[v], &b->values[v]);
    for (int n = 0; same && n < a->node_count; n++)
        same = same_node(&a->nodes[n], &b->nodes[n]);
    return same;
}

static void graphs_come_back_as_they_were(void)
{
    for (int round = 0; round < 100; round++) {
        void *first, *second;
        size_t first_size, second_size;
        oct_model *model;
        oct_graph *back, *graph = random_graph(20);
        CHECK_OK(oct_save_memory(graph, &first, &first_size));
        CHECK_OK(oct_model_load_memory(first, first_size, &model));
        CHECK_OK(oct_graph_from_model(model, &back));
        CHECK_MSG(same_graph(graph, back), "round %d: another graph came back", round);
        CHECK_OK(oct_save_memory(back, &second, &second_size));
        CHECK_MSG(first_size == second_size && !memcmp(first, second, first_size), "round %d: another file for the same graph",
                  round);
        oct_buffer_free(first);
        oct_buffer_free(second);
        oct_graph_free(graph);
        oct_graph_free(back);
        oct_model_free(model);
    }
}

static void files_are_written_whole_or_not_at_all(void)
{
    char path[600], part[640];
    oct_model *model;
    oct_graph *graph = tiny_graph();
    snprintf(path, sizeof path, "%s/format.oct", test_build_dir());
    snprintf(part, sizeof part, "%s.part", path);
    CHECK_OK(oct_save(graph, path));
    CHECK_OK(oct_save(graph, path));  /* over an existing file */
    CHECK_OK(oct_model_load(path, &model));
    CHECK(oct_model_layer_count(model) == 1);
    oct_model_free(model);
    CHECK(remove(path) == 0);
    CHECK(remove(part) != 0);
    snprintf(path, sizeof path, "%s/no/such/folder/format.oct", test_build_dir());
    CHECK(oct_save(graph, path) == OCT_ERR_IO && strstr(oct_error(), "no/such/folder") != NULL);
    CHECK(oct_save(graph, test_build_dir()) == OCT_ERR_IO);  /* a folder is no place for a file */
    snprintf(part, sizeof part, "%s.part", test_build_dir());
    CHECK(remove(part) != 0);
    oct_graph_free(graph);
}

static void broken_graphs_are_not_saved(void)
{
    void *bytes;
    size_t size;
    oct_graph *graph = tiny_graph();
    graph->values[1].shape.dims[0] = (int64_t)1 << 37;
    CHECK(oct_save_memory(graph, &bytes, &size) != OCT_OK && !bytes && size == 0);
    CHECK(strstr(oct_error(), "c:") != NULL);
    graph->values[1].shape.dims[0] = 3;
    graph->nodes[0].attrs.unary.alpha = 7;
    CHECK(oct_save_memory(graph, &bytes, &size) != OCT_OK && strstr(oct_error(), "relu") != NULL);
    oct_graph_free(graph);
    CHECK_OK(oct_graph_create(&graph));
    oct_build_relu(graph, "bad", 17);
    CHECK(oct_save_memory(graph, &bytes, &size) == OCT_ERR_ARGUMENT && strstr(oct_error(), "bad") != NULL);
    oct_graph_free(graph);
}

static const test_case cases[] = {
    {"the_bytes_are_as_specified", the_bytes_are_as_specified},
    {"numbers_are_frozen", numbers_are_frozen},
    {"graphs_come_back_as_they_were", graphs_come_back_as_they_were},
    {"files_are_written_whole_or_not_at_all", files_are_written_whole_or_not_at_all},
    {"broken_graphs_are_not_saved", broken_graphs_are_not_saved},
};

static void __attribute__((constructor)) add_suite(void) { test_register("format", cases, TEST_COUNT(cases)); }

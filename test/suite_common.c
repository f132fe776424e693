/* The common room: shapes, shape rules, graph editing, checksum, sentences. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "graph.h"
#include "harness.h"
#include "memory.h"
#include "operators.h"
#include "status.h"

static oct_shape shape4(int64_t a, int64_t b, int64_t c, int64_t d) { return (oct_shape){4, {a, b, c, d}}; }

/* The definition of a window count: positions whose window lies inside the padded input. */
static int64_t count_windows(int64_t in, int k, int s, int d, int p0, int p1, bool ceil_mode)
{
    int64_t count = 0;
    const int64_t reach = (int64_t)d * (k - 1) + 1, room = in + p0 + p1;
    if (room < reach)
        return -1;
    for (int64_t start = 0; start + reach <= room; start += s)
        count++;
    if (ceil_mode && (room - reach) % s != 0 && count * s < in + p0)
        count++;
    return count;
}

static void window_counts(void)
{
    for (int i = 0; i < 20000; i++) {
        const int in = 1 + (int)test_below(20), k = 1 + (int)test_below(5), s = 1 + (int)test_below(4), d = 1 + (int)test_below(3);
        const uint32_t pads = (uint32_t)(d * (k - 1) < 3 ? d * (k - 1) : 3);  /* a window of padding only is refused */
        const int p0 = (int)test_below(pads + 1), p1 = (int)test_below(pads + 1);
        const bool up = test_below(2);
        CHECK_MSG(oct_window_count(in, k, s, d, p0, p1, up) == count_windows(in, k, s, d, p0, p1, up),
                  "in %d kernel %d stride %d dilation %d pads %d %d ceil %d", in, k, s, d, p0, p1, up);
    }
}

static void broadcasting(void)
{
    const oct_shape a = {3, {4, 1, 5}}, b = {2, {6, 1}}, bad = {1, {3}}, want = {3, {4, 6, 5}};
    oct_shape out;
    CHECK(oct_shape_broadcast(&a, &b, &out) && oct_shape_equal(&out, &want));
    CHECK(!oct_shape_broadcast(&a, &bad, &out));
    const oct_shape huge = {3, {1 << 20, 1 << 20, 2}}, negative = {1, {-1}}, scalar = {0, {0}};
    CHECK(oct_shape_elements(&huge) == -1 && oct_shape_elements(&negative) == -1 && oct_shape_elements(&scalar) == 1);
    CHECK(oct_axis(-1, 3) == 2 && oct_axis(3, 3) == -1 && oct_axis(-4, 3) == -1);
}

/* x -> conv -> relu -> out, with an unused constant and an unused node beside it. */
static oct_graph *small_graph(int *x, int *conv, int *relu)
{
    oct_graph *graph = NULL;
    static const float weights[8 * 3 * 3 * 2];
    const oct_shape in = shape4(1, 6, 5, 2), w = shape4(8, 3, 3, 2);
    oct_attrs attrs = {.conv = {{3, 3}, {2, 1}, {1, 1}, {1, 1, 1, 1}, 1}};
    oct_attrs clamp = {.unary = {OCT_FN_CLAMP, 0, INFINITY}};
    int weight = 0, unused = 0;
    if (oct_graph_create(&graph) != OCT_OK || oct_graph_add_value(graph, "x", OCT_F32, &in, NULL, x) != OCT_OK ||
        oct_graph_add_input(graph, *x) != OCT_OK || oct_graph_add_constant(graph, "w", OCT_F32, &w, weights, &weight) != OCT_OK ||
        oct_graph_add_node(graph, OCT_OP_CONV, "conv", &attrs, (int[]){*x, weight}, 2, conv) != OCT_OK ||
        oct_graph_add_node(graph, OCT_OP_UNARY, "unused", &clamp, (int[]){*conv}, 1, &unused) != OCT_OK ||
        oct_graph_add_node(graph, OCT_OP_UNARY, "relu", &clamp, (int[]){*conv}, 1, relu) != OCT_OK ||
        oct_graph_add_output(graph, *relu) != OCT_OK) {
        oct_graph_free(graph);
        return NULL;
    }
    return graph;
}

static void editing(void)
{
    int x, conv, relu;
    oct_graph *graph = small_graph(&x, &conv, &relu), *copy = NULL;
    CHECK(graph);
    const oct_shape want = shape4(1, 3, 5, 8);
    CHECK(oct_shape_equal(&graph->values[conv].shape, &want));
    CHECK_OK(oct_graph_check(graph));
    CHECK(oct_graph_uses(graph, conv) == 2 && oct_graph_single_user(graph, conv) == -1);
    CHECK(oct_graph_sweep(graph) == 1);
    CHECK_OK(oct_graph_check(graph));
    CHECK(graph->node_count == 2 && graph->value_count == 4);
    conv = oct_graph_find_value(graph, "conv");
    CHECK(oct_graph_single_user(graph, conv) == 1);
    CHECK_OK(oct_graph_clone(graph, &copy));
    CHECK_OK(oct_graph_check(copy));
    oct_graph_replace_uses(graph, graph->outputs[0], conv);
    CHECK(oct_graph_sweep(graph) == 1 && graph->node_count == 1);
    CHECK_OK(oct_graph_check(graph));
    CHECK(copy->node_count == 2);
    oct_graph_free(copy);
    oct_graph_free(graph);
}

/* A node inserted before the one it depends on: the check refuses, the sweep sorts. */
static void order_is_restored(void)
{
    int x, conv, relu, late;
    oct_graph *graph = small_graph(&x, &conv, &relu);
    CHECK(graph);
    oct_attrs clamp = {.unary = {OCT_FN_CLAMP, 0, 6}};
    CHECK_OK(oct_graph_insert_node(graph, 0, OCT_OP_UNARY, "late", &clamp, (int[]){relu}, 1, &late));
    oct_graph_replace_uses(graph, graph->outputs[0], late);
    graph->nodes[0].in[0] = relu;
    CHECK(oct_graph_check(graph) == OCT_ERR_FORMAT && strstr(oct_error(), "before it is computed"));
    CHECK(oct_graph_sweep(graph) == 1);
    CHECK_OK(oct_graph_check(graph));
    oct_graph_free(graph);
}

static void rules_refuse(void)
{
    int x, conv, relu, out;
    oct_graph *graph = small_graph(&x, &conv, &relu);
    CHECK(graph);
    oct_attrs attrs = {.conv = {{3, 3}, {1, 1}, {1, 1}, {0, 0, 0, 0}, 3}};
    CHECK(oct_graph_add_node(graph, OCT_OP_CONV, "bad", &attrs, (int[]){x, 1}, 2, &out) == OCT_ERR_ARGUMENT);
    CHECK(strstr(oct_error(), "node bad (conv)") && strstr(oct_error(), "3 groups"));
    attrs.conv.groups = 0;
    CHECK(oct_graph_add_node(graph, OCT_OP_CONV, "bad", &attrs, (int[]){x, 1}, 2, &out) == OCT_ERR_ARGUMENT);
    CHECK(strstr(oct_error(), "groups = 0"));
    CHECK(oct_graph_add_node(graph, OCT_OP_CONV, "bad", &attrs, (int[]){x}, 1, &out) == OCT_ERR_ARGUMENT);
    attrs = (oct_attrs){.transpose = {{0, 1, 1, 2}}};
    CHECK(oct_graph_add_node(graph, OCT_OP_TRANSPOSE, "t", &attrs, (int[]){x}, 1, &out) == OCT_ERR_ARGUMENT);
    attrs = (oct_attrs){.reshape = {2, {7, 9}}};
    CHECK(oct_graph_add_node(graph, OCT_OP_RESHAPE, "r", &attrs, (int[]){x}, 1, &out) == OCT_ERR_ARGUMENT);
    CHECK(strstr(oct_error(), "1x6x5x2 cannot be reshaped to 7x9"));
    CHECK_OK(oct_graph_check(graph));
    oct_graph_free(graph);
}

static void checksum_finds_every_byte(void)
{
    unsigned char bytes[203];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)test_random();
    const uint64_t sum = oct_checksum(bytes, sizeof bytes, 1);
    for (size_t i = 0; i < sizeof bytes; i++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] = (unsigned char)(bytes[i] ^ (1u << bit));
            CHECK(oct_checksum(bytes, sizeof bytes, 1) != sum);
            bytes[i] = (unsigned char)(bytes[i] ^ (1u << bit));
        }
    CHECK(oct_checksum(bytes, sizeof bytes, 1) == sum && oct_checksum(bytes, sizeof bytes - 1, 1) != sum);
}

static void sentences(void)
{
    CHECK(oct_fail(OCT_ERR_IO, "file %s", "a\nb") == OCT_ERR_IO && !strcmp(oct_error(), "file a?b"));
    CHECK(oct_fail_in(OCT_ERR_IO, "line %d", 3) == OCT_ERR_IO && !strcmp(oct_error(), "line 3: file a?b"));
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    oct_fail(OCT_ERR_IO, "%s", text);
    CHECK(strlen(oct_error()) < sizeof text);
}

static void functions(void)
{
    for (int fn = 1; fn < OCT_FN_COUNT; fn++) {
        const oct_function f = {fn, -2, 3};
        CHECK(oct_function_by_name(oct_function_name(&f)) == (oct_fn)fn);
    }
    const oct_function relu6 = {OCT_FN_CLAMP, 0, 6}, swish = {OCT_FN_HARD_SWISH, 0, 0};
    CHECK(oct_function_eval(&relu6, 7) == 6 && oct_function_eval(&relu6, -1) == 0 && oct_function_eval(&relu6, NAN) == 0);
    CHECK(oct_function_eval(&swish, 3) == 3 && oct_function_eval(&swish, -3) == 0);
    CHECK(oct_function_by_name("no such") == OCT_FN_NONE);
}

static const test_case cases[] = {
    {"window_counts", window_counts},
    {"broadcasting", broadcasting},
    {"editing", editing},
    {"order_is_restored", order_is_restored},
    {"rules_refuse", rules_refuse},
    {"checksum_finds_every_byte", checksum_finds_every_byte},
    {"sentences", sentences},
    {"functions", functions},
};
static void __attribute__((constructor)) add_suite(void) { test_register("common", cases, TEST_COUNT(cases)); }

/* Networks by hand: shapes, constants, names, and the sticky status. */
#include "harness.h"

#include <math.h>
#include <string.h>

#include "graph.h"
#include "octet_convert.h"

static const oct_shape picture = {4, {1, 8, 6, 3}};

static bool has_shape(const oct_graph *graph, int value, int rank, const int64_t *dims)
{
    oct_shape shape = {.rank = rank};
    memcpy(shape.dims, dims, (size_t)rank * sizeof *dims);
    return value >= 0 && oct_shape_equal(&graph->values[value].shape, &shape);
}

static void a_small_network(void)
{
    static float weights[4 * 3 * 3 * 3], bias[4], dense[5 * 4];
    for (int i = 0; i < 4 * 3 * 3 * 3; i++)
        weights[i] = test_uniform(-1, 1);
    oct_graph *graph;
    CHECK_OK(oct_graph_create(&graph));
    const int x = oct_build_input(graph, "input", &picture);
    const oct_conv_desc desc = {.out_channels = 4, .kernel = {3, 3}, .stride = {2, 2}, .pad = {1, 1, 1, 1}};
    const int conv = oct_build_conv(graph, "conv", x, &desc, weights, bias);
    const int relu = oct_build_relu(graph, "relu", conv);
    const int pool = oct_build_max_pool(graph, "pool", relu, &(oct_pool_desc){.kernel = {2, 2}, .stride = {2, 2}});
    const int mean = oct_build_global_average_pool(graph, "mean", pool);
    const int flat = oct_build_reshape(graph, "flat", mean, &(oct_shape){2, {1, 4}});
    const int fc = oct_build_dense(graph, "fc", flat, 5, dense, NULL);
    const int soft = oct_build_softmax(graph, "soft", fc, -1);
    oct_build_output(graph, "output", soft);
    CHECK_OK(oct_graph_status(graph));
    CHECK_OK(oct_graph_check(graph));
    CHECK(has_shape(graph, conv, 4, (int64_t[]){1, 4, 3, 4}));
    CHECK(has_shape(graph, pool, 4, (int64_t[]){1, 2, 1, 4}));
    CHECK(has_shape(graph, mean, 4, (int64_t[]){1, 1, 1, 4}));
    CHECK(has_shape(graph, fc, 2, (int64_t[]){1, 5}));
    CHECK(strcmp(graph->values[soft].name, "output") == 0);
    const oct_node *node = &graph->nodes[graph->values[conv].producer];
    CHECK(memcmp(graph->values[node->in[OCT_IN_W]].data, weights, sizeof weights) == 0);
    CHECK(graph->nodes[graph->values[fc].producer].in[OCT_IN_BIAS] == OCT_NONE);
    CHECK(graph->nodes[graph->values[relu].producer].attrs.unary.beta == INFINITY);
    CHECK(graph->nodes[graph->values[soft].producer].attrs.softmax.axis == 1);
    oct_graph_free(graph);
}

static void depthwise_groups_and_dilation(void)
{
    static float weights[6 * 3 * 3];
    oct_graph *graph;
    CHECK_OK(oct_graph_create(&graph));
    const int x = oct_build_input(graph, "input", &picture);
    const oct_conv_desc desc = {.out_channels = 6, .kernel = {3, 3}, .dilation = {2, 1}, .groups = 3};
    const int y = oct_build_conv(graph, "dw", x, &desc, weights, NULL);
    CHECK_OK(oct_graph_status(graph));
    CHECK(has_shape(graph, y, 4, (int64_t[]){1, 4, 4, 6}));
    oct_graph_free(graph);
}

/* The first failure stays, whatever is called (and fails) afterwards, in this graph or in another. */
static void the_first_failure_stays(void)
{
    float w[4] = {0};
    oct_graph *graph;
    CHECK_OK(oct_graph_create(&graph));
    const int x = oct_build_input(graph, "input", &(oct_shape){2, {1, 4}});
    const int bad = oct_build_reshape(graph, "first", x, &(oct_shape){2, {1, 5}});
    CHECK(bad < 0);
    CHECK(oct_build_dense(graph, "second", bad, 1, w, NULL) < 0);
    CHECK(oct_build_input(graph, "third", &(oct_shape){1, {1}}) < 0);
    oct_build_output(graph, "output", bad);
    CHECK(oct_graph_create(NULL) == OCT_ERR_ARGUMENT);
    CHECK(strstr(oct_error(), "first") == NULL);
    CHECK(oct_graph_status(graph) == OCT_ERR_ARGUMENT);
    CHECK_MSG(strstr(oct_error(), "first") != NULL, "\"%s\" does not name the node", oct_error());
    CHECK(graph->node_count == 0 && graph->output_count == 0);
    oct_graph_free(graph);
    CHECK(oct_graph_status(NULL) == OCT_ERR_ARGUMENT);
}

typedef int bad_call(oct_graph *graph, int x);

static int no_such_value(oct_graph *g, int x) { (void)x; return oct_build_relu(g, "bad", 99); }
static int no_name(oct_graph *g, int x) { return oct_build_relu(g, NULL, x); }
static int no_such_function(oct_graph *g, int x) { return oct_build_unary(g, "bad", x, "sine"); }
static int parameters_of_tanh(oct_graph *g, int x) { return oct_build_unary_with(g, "bad", x, "tanh", 1, 0); }
static int nan_parameter(oct_graph *g, int x) { return oct_build_unary_with(g, "bad", x, "elu", NAN, 0); }
static int crossed_clamp(oct_graph *g, int x) { return oct_build_clamp(g, "bad", x, 1, 0); }
static int nan_clamp(oct_graph *g, int x) { return oct_build_clamp(g, "bad", x, NAN, 0); }
static int axis_outside(oct_graph *g, int x) { return oct_build_softmax(g, "bad", x, 4); }
static int empty_concat(oct_graph *g, int x) { return oct_build_concat(g, "bad", &x, 0, 0); }
static int zero_dimension(oct_graph *g, int x) { (void)x; return oct_build_input(g, "bad", &(oct_shape){1, {0}}); }
static int window_too_large(oct_graph *g, int x)
{
    return oct_build_max_pool(g, "bad", x, &(oct_pool_desc){.kernel = {9, 9}, .stride = {1, 1}});
}
static int groups_do_not_divide(oct_graph *g, int x)
{
    static const float w[8];
    return oct_build_conv(g, "bad", x, &(oct_conv_desc){.out_channels = 2, .kernel = {1, 1}, .groups = 2}, w, NULL);
}
static int no_output_channels(oct_graph *g, int x)
{
    static const float w[8];
    return oct_build_conv(g, "bad", x, &(oct_conv_desc){.out_channels = -1, .kernel = {1, 1}}, w, NULL);
}
static int no_weights(oct_graph *g, int x) { return oct_build_dense(g, "bad", x, 3, NULL, NULL); }
static int shapes_do_not_broadcast(oct_graph *g, int x)
{
    static const float c[5];
    return oct_build_add(g, "bad", x, oct_build_constant(g, "c", &(oct_shape){1, {5}}, c));
}

static void wrong_calls_are_refused(void)
{
    static bad_call *const calls[] = {no_such_value,    no_name,           no_such_function,   crossed_clamp,       nan_clamp,
                                      parameters_of_tanh, nan_parameter,
                                      axis_outside,     empty_concat,      zero_dimension,     window_too_large,
                                      groups_do_not_divide, no_output_channels, no_weights,   shapes_do_not_broadcast};
    for (int i = 0; i < TEST_COUNT(calls); i++) {
        oct_graph *graph;
        CHECK_OK(oct_graph_create(&graph));
        const int x = oct_build_input(graph, "input", &picture);
        CHECK_MSG(calls[i](graph, x) < 0, "call %d was accepted", i);
        CHECK_MSG(oct_graph_status(graph) == OCT_ERR_ARGUMENT, "call %d: status %d", i, (int)oct_graph_status(graph));
        CHECK(calls[i] == no_name || strstr(oct_error(), "bad") != NULL);
        oct_graph_free(graph);
    }
}

static void functions_take_parameters(void)
{
    oct_graph *graph;
    CHECK_OK(oct_graph_create(&graph));
    const int x = oct_build_input(graph, "input", &picture);
    const int plain = oct_build_unary(graph, "plain", x, "hardsigmoid");
    const int given = oct_build_unary_with(graph, "given", x, "hardsigmoid", 0.125f, 0.25f);
    CHECK_OK(oct_graph_status(graph));
    const oct_function *f = &graph->nodes[graph->values[plain].producer].attrs.unary;
    CHECK(f->fn == OCT_FN_HARD_SIGMOID && f->alpha == 0.2f && f->beta == 0.5f);
    f = &graph->nodes[graph->values[given].producer].attrs.unary;
    CHECK(f->fn == OCT_FN_HARD_SIGMOID && f->alpha == 0.125f && f->beta == 0.25f);
    oct_graph_free(graph);
}

/* An input or an output marked again cannot lose its name: a reshape carries the new one. */
static void outputs_keep_their_names(void)
{
    oct_graph *graph;
    CHECK_OK(oct_graph_create(&graph));
    const int x = oct_build_input(graph, "input", &picture);
    const int y = oct_build_relu(graph, "relu", x);
    oct_build_output(graph, "one", y);
    oct_build_output(graph, "two", y);
    oct_build_output(graph, "three", x);
    CHECK_OK(oct_graph_status(graph));
    CHECK_OK(oct_graph_check(graph));
    CHECK(graph->output_count == 3 && graph->outputs[0] == y);
    static const char *const names[] = {"one", "two", "three"};
    for (int i = 0; i < 3; i++)
        CHECK(strcmp(graph->values[graph->outputs[i]].name, names[i]) == 0);
    CHECK(strcmp(graph->values[x].name, "input") == 0);
    oct_graph_free(graph);
}

static const test_case cases[] = {
    {"a_small_network", a_small_network},
    {"depthwise_groups_and_dilation", depthwise_groups_and_dilation},
    {"the_first_failure_stays", the_first_failure_stays},
    {"wrong_calls_are_refused", wrong_calls_are_refused},
    {"functions_take_parameters", functions_take_parameters},
    {"outputs_keep_their_names", outputs_keep_their_names},
};
static void __attribute__((constructor)) add_suite(void) { test_register("build", cases, TEST_COUNT(cases)); }

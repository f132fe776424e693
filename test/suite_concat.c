/* Concatenations written in place by their producers: the same network runs once as it is, and once with every part as an output
 * too, which keeps parts with gaps in places of their own. Both must give the same bytes, on every ISA and for every number of
 * threads. */
#include <stdlib.h>
#include <string.h>

#include "convert_tools.h"
#include "harness.h"
#include "octet.h"

/* A block whose parts come from every kind of producer: a matrix, Winograd's way, row pointers, groups, a depthwise layer (which
 * cannot leave gaps), both pools, another concatenation, and an activation that is no clamp. */
static int block(oct_graph *g, int x)
{
    const oct_attrs average = {.pool = {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 0, 0}};
    const oct_attrs max = {.pool = {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}, 0, 0}};
    const int axis = 3;
    const int inner = net_concat(g, net_conv(g, x, 5, 1, 1, 0, 1), net_conv(g, x, 7, 3, 1, 1, 1), axis);
    const int parts[] = {
        net_conv(g, x, 9, 1, 1, 0, 1),
        net_conv(g, x, 33, 3, 1, 1, 1),
        net_unary(g, OCT_FN_SIGMOID, 0, 0, net_conv(g, x, 6, 5, 1, 2, 1)),
        net_conv(g, x, 8, 3, 1, 1, 4),
        net_conv(g, x, 32, 3, 1, 1, 0),
        net_node(g, OCT_OP_AVERAGE_POOL, &average, &x, 1),
        net_node(g, OCT_OP_MAX_POOL, &max, &x, 1),
        inner,
    };
    return net_node(g, OCT_OP_CONCAT, &(oct_attrs){.axis = {axis}}, parts, TEST_COUNT(parts));
}

/* The first layer has few channels, the last ones are dense: rows of a matrix. */
static oct_graph *make_network(int batch)
{
    oct_graph *g = net_create();
    const int x = net_input(g, batch, 18, 17, 3);
    int y = net_concat(g, net_conv(g, x, 20, 3, 2, 1, 1), net_conv(g, x, 12, 5, 2, 2, 1), 3);
    y = block(g, net_relu(g, y));
    const oct_shape rows = {2, {batch, 3 * 3 * 8}};
    y = net_reshape(g, net_conv(g, y, 8, 3, 4, 1, 1), &rows);
    y = net_concat(g, net_dense(g, y, 19), net_relu(g, net_dense(g, y, 14)), 1);
    net_output(g, net_dense(g, y, 10));
    return g;
}

/* A copy with all parts of all concatenations as outputs, behind its own. */
static oct_graph *with_parts_kept(const oct_graph *g)
{
    oct_graph *copy;
    if (oct_graph_clone(g, &copy) != OCT_OK)
        return NULL;
    for (int n = 0; n < g->node_count; n++)
        for (int i = 0; g->nodes[n].op == OCT_OP_CONCAT && i < g->nodes[n].in_count; i++)
            oct_graph_add_output(copy, g->nodes[n].in[i]);
    return copy;
}

typedef struct answer {
    void *data;             /* of the first output; free */
    size_t bytes, in_place;
} answer;

static answer compute(const oct_graph *g, const oct_options *options, float *const *inputs)
{
    answer a = {0};
    oct_model *model = NULL;
    oct_session *session = NULL;
    oct_session_info info;
    const oct_value *out = &g->values[g->outputs[0]];
    bool ok = oct_model_from_graph(g, &model) == OCT_OK && oct_session_create(model, options, &session) == OCT_OK;
    for (int i = 0; ok && i < g->input_count; i++)
        ok = oct_set_input(session, (size_t)i, inputs[i], oct_value_bytes(&g->values[g->inputs[i]])) == OCT_OK;
    ok = ok && oct_run(session) == OCT_OK && oct_run(session) == OCT_OK && oct_session_describe(session, &info) == OCT_OK;
    if (ok) {
        a = (answer){.data = malloc(oct_value_bytes(out)), .bytes = oct_value_bytes(out), .in_place = info.in_place};
        ok = oct_get_output(session, 0, a.data, a.bytes) == OCT_OK;
    }
    if (!ok)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    oct_session_free(session);
    oct_model_free(model);
    return a;
}

/* least: how many parts must be written in place. With the parts kept none can, for all of them leave gaps. */
static void check_network(const oct_graph *g, float *const *inputs, const char *isa, size_t least, bool gaps)
{
    oct_graph *kept = with_parts_kept(g);
    CHECK(kept != NULL);
    for (int threads = 1; threads <= 3 && !test_failed(); threads++) {
        const oct_options options = {.isa = isa, .threads = threads};
        const answer a = compute(g, &options, inputs), b = compute(kept, &options, inputs);
        if (!test_failed() && (a.in_place < least || (gaps && b.in_place != 0)))
            test_fail(__FILE__, __LINE__, "%s: %zu parts in place, %zu when all are kept", isa, a.in_place, b.in_place);
        if (!test_failed() && memcmp(a.data, b.data, a.bytes) != 0)
            test_fail(__FILE__, __LINE__, "%s, %d threads: another result in place", isa, threads);
        free(a.data);
        free(b.data);
    }
    oct_graph_free(kept);
}

static void each_isa(const oct_graph *g, float *const *inputs, size_t least, bool gaps)
{
    for (size_t i = 0; i < oct_isa_count() && !test_failed(); i++) {
        oct_isa_info isa;
        if (oct_isa(i, &isa) == OCT_OK && isa.available)
            check_network(g, inputs, isa.name, least, gaps);
    }
}

/* All but the depthwise part can be in place, 11; a few may not be where an ISA's scratch memory beside them makes the bound. */
static void floats_are_the_same(void)
{
    for (int batch = 1; batch <= 2; batch++) {
        oct_graph *g = make_network(batch);
        CHECK_OK(oct_graph_status(g));
        oct_graph *fused = net_optimized(g, NULL);
        float **inputs = net_random_inputs(g, -2, 2);
        each_isa(fused, inputs, 5, batch == 2);
        net_free_inputs(g, inputs);
        oct_graph_free(fused);
        oct_graph_free(g);
    }
}

static oct_graph *quantized(const oct_graph *g, float *const *inputs)
{
    oct_calibration *calibration = NULL;
    oct_graph *result = NULL;
    if (oct_calibration_create(g, NULL, &calibration) != OCT_OK ||
        oct_calibration_add(calibration, (const void *const *)inputs) != OCT_OK ||
        oct_quantize(g, calibration, NULL, &result) != OCT_OK)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    oct_calibration_free(calibration);
    return result;
}

/* The quantizer gives most parts the scale of the whole; what has another one must be copied, and is. */
static void bytes_are_the_same(void)
{
    for (int batch = 1; batch <= 2; batch++) {
        oct_graph *g = make_network(batch), *fused = net_optimized(g, NULL);
        float **inputs = net_random_inputs(g, -2, 2);
        oct_graph *bytes = quantized(fused, inputs);
        CHECK(bytes != NULL);
        each_isa(bytes, inputs, 5, batch == 2);
        net_free_inputs(g, inputs);
        oct_graph_free(bytes);
        oct_graph_free(fused);
        oct_graph_free(g);
    }
}

/* Batches joined along the first axis leave no gaps: anything may write there, and anybody may read there besides. */
static void without_gaps_anybody_may(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 8, 8, 6), y = net_unary(g, OCT_FN_TANH, 0, 0, net_conv(g, x, 6, 3, 1, 1, 1));
    const int whole = net_concat(g, net_unary(g, OCT_FN_EXP, 0, 0, y), net_binary(g, OCT_BINARY_ADD, y, x), 0);
    net_output(g, net_binary(g, OCT_BINARY_SUB, whole, y));
    CHECK_OK(oct_graph_status(g));
    float **inputs = net_random_inputs(g, -2, 2);
    each_isa(g, inputs, 2, false);
    net_free_inputs(g, inputs);
    oct_graph_free(g);
}

/* A part that is made long before the rest would keep the place of all from then on: it is copied, the others are not. */
static void early_parts_are_copied(void)
{
    oct_graph *g = net_create();
    oct_model *model;
    oct_session *session;
    oct_session_info info;
    const int x = net_input(g, 1, 64, 64, 2), early = net_conv(g, x, 2, 3, 1, 1, 1);
    int y = net_conv(g, net_conv(g, x, 64, 3, 1, 1, 1), 64, 3, 1, 1, 1);
    net_output(g, net_reduce(g, OCT_REDUCE_SUM, net_concat(g, early, net_conv(g, y, 30, 1, 1, 0, 1), 3), 6, false));
    CHECK_OK(oct_graph_status(g));
    CHECK_OK(oct_model_from_graph(g, &model));
    CHECK_OK(oct_session_create(model, &(oct_options){.threads = 1, .no_winograd = 1}, &session));
    CHECK_OK(oct_session_describe(session, &info));
    CHECK_MSG(info.in_place == 1, "%zu parts are written in place", info.in_place);
    CHECK(info.arena_bytes >= info.arena_bound && (double)info.arena_bytes <= 1.1 * (double)info.arena_bound);
    oct_session_free(session);
    oct_model_free(model);
    oct_graph_free(g);
}

static const test_case cases[] = {
    {"floats_are_the_same", floats_are_the_same},
    {"bytes_are_the_same", bytes_are_the_same},
    {"without_gaps_anybody_may", without_gaps_anybody_may},
    {"early_parts_are_copied", early_parts_are_copied},
};

static void __attribute__((constructor)) add_suite(void) { test_register("concat", cases, TEST_COUNT(cases)); }

/* Sessions: every operator against a naive oracle on every instruction set, and what a session promises about threads, time and
 * memory. */
#include "session.h"

#include <stdlib.h>
#include <string.h>

#include "graph_oracle.h"
#include "harness.h"
#include "random_graph.h"

#define MOST_INPUTS 2

/* A session with all inputs set. */
static oct_session *open_session(const oct_graph *graph, const oct_options *options, void **inputs)
{
    oct_model *model = NULL;
    oct_session *session = NULL;
    if (oct_model_from_graph(graph, &model) == OCT_OK && oct_session_create(model, options, &session) == OCT_OK)
        for (int i = 0; i < graph->input_count; i++)
            if (oct_set_input(session, (size_t)i, inputs[i], oct_value_bytes(&graph->values[graph->inputs[i]])) != OCT_OK)
                test_fail(__FILE__, __LINE__, "%s", oct_error());
    if (!session)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    oct_model_free(model);
    return session;
}

/* ---------------------------------------------------------------------------------- against the oracle ---- */

typedef struct judge {
    graph_oracle oracle;
    const char *isa;
} judge;

static void fail_at(const judge *j, int value, int64_t at, const void *data)
{
    const oct_value *v = &j->oracle.graph->values[value];
    const oct_node *node = &j->oracle.graph->nodes[v->producer];
    const oct_value *x = &j->oracle.graph->values[node->in[0]];
    const double got = v->dtype == OCT_U8 ? ((const uint8_t *)data)[at] : (double)((const float *)data)[at];
    char in[OCT_SHAPE_TEXT], out[OCT_SHAPE_TEXT];
    test_fail(__FILE__, __LINE__,
              "isa %s: node %s (operator %d, activation %d, %d inputs), %s %s -> %s %s: element %lld is %.9g, not %.9g", j->isa,
              node->name, (int)node->op, node->act.fn, node->in_count, oct_dtype_name(x->dtype),
              oct_shape_text(&x->shape, in, sizeof in), oct_dtype_name(v->dtype), oct_shape_text(&v->shape, out, sizeof out),
              (long long)at, got, j->oracle.raw[value][at]);
}

/* An f32 difference that is rounding only may flip a u8 step where a float layer is quantized: from there on the graphs differ by
 * right. So each value is judged by what the session itself computed before: the oracle takes over the session's elements once
 * they have been judged. */
static void observe(void *arg, int value, const void *data)
{
    judge *j = arg;
    const oct_value *v = &j->oracle.graph->values[value];
    if (test_failed())
        return;
    if (v->producer < 0) {
        oracle_take(&j->oracle, value, data);
        return;
    }
    oracle_evaluate_node(&j->oracle, v->producer);
    const oct_node *node = &j->oracle.graph->nodes[v->producer];
    const bool border = v->dtype == OCT_U8 && j->oracle.graph->values[node->in[0]].dtype == OCT_F32 && node->op != OCT_OP_QUANTIZE;
    const int64_t at = oracle_differs(&j->oracle, value, data, 1e-4, border ? 1 : 0);
    if (at >= 0)
        fail_at(j, value, at, data);
    oracle_take(&j->oracle, value, data);
}

static void run_one(const oct_graph *graph, void **inputs, const char *isa, int threads)
{
    oct_session *session = open_session(graph, &(oct_options){.isa = isa, .threads = threads}, inputs);
    judge j = {.isa = isa};
    oracle_begin(&j.oracle, graph);
    if (session && oct_run_observed(session, observe, &j) != OCT_OK)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    oracle_release(&j.oracle);
    oct_session_free(session);
}

static void each_isa(const oct_graph *graph, void **inputs)
{
    for (size_t i = 0; i < oct_isa_count() && !test_failed(); i++) {
        oct_isa_info isa;
        if (oct_isa(i, &isa) == OCT_OK && isa.available)
            run_one(graph, inputs, isa.name, 1);
    }
}

static void random_graphs_are_right(void)
{
    for (int round = 0; round < 150 && !test_failed(); round++) {
        oct_graph *graph = random_graph(12);
        void *inputs[MOST_INPUTS] = {0};
        for (int i = 0; i < graph->input_count; i++)
            inputs[i] = random_input(graph, i);
        each_isa(graph, inputs);
        for (int i = 0; i < graph->input_count; i++)
            free(inputs[i]);
        oct_graph_free(graph);
        if (test_failed())
            test_fail(__FILE__, __LINE__, "in round %d", round);
    }
}

/* ------------------------------------------------------------------------------------ threads and ISAs ---- */

/* A graph with everything between its f32 input and outputs in u8, large enough that the work is really shared out. */
static oct_graph *quantized_network(void)
{
    static int8_t w[48 * 9 * 48];
    static float scales[48];
    const oct_attrs three = {.conv = {.kernel = {3, 3}, .stride = {1, 1}, .dilation = {1, 1}, .pad = {1, 1, 1, 1}, .groups = 1}};
    oct_attrs depthwise = three;
    oct_graph *g;
    int x, wx, q, y = OCT_NONE;
    for (size_t i = 0; i < sizeof w; i++)
        w[i] = (int8_t)((int)test_below(255) - 127);
    for (int i = 0; i < 48; i++)
        scales[i] = test_uniform(0.001f, 0.01f);
    if (oct_graph_create(&g) != OCT_OK)
        return NULL;
    x = oct_build_input(g, "x", &(oct_shape){4, {2, 40, 44, 3}});
    oct_graph_add_node(g, OCT_OP_QUANTIZE, "q", NULL, &x, 1, &q);
    g->values[q].scale = 2.0f / 255;
    g->values[q].zero_point = 120;
    for (int layer = 0; layer < 4; layer++) {
        const int in = (int)g->values[q].shape.dims[3], out = layer == 2 ? in : layer == 0 ? 32 : 48, deep = layer == 2 ? 1 : in;
        depthwise.conv.groups = in;
        oct_graph_add_constant(g, "w", OCT_S8, &(oct_shape){4, {out, 3, 3, deep}}, w, &wx);
        g->values[wx].channel_scale = aligned_alloc(64, 256);
        memcpy(g->values[wx].channel_scale, scales, (size_t)out * sizeof(float));
        oct_graph_add_node(g, OCT_OP_CONV, "conv", layer == 2 ? &depthwise : &three, (int[]){q, wx}, 2, &y);
        if (layer == 3)
            break;
        g->values[y].dtype = OCT_U8;
        g->values[y].scale = 8.0f / 255;
        g->values[y].zero_point = 100 + layer;
        q = y;
    }
    oct_graph_add_output(g, q);
    oct_graph_add_output(g, y);
    return g;
}

/* All outputs of one run, one after the other. The caller frees them. */
static void *outputs_of(const oct_graph *graph, const oct_options *options, void **inputs, size_t *bytes)
{
    oct_session *session = open_session(graph, options, inputs);
    uint8_t *all;
    *bytes = 0;
    for (int i = 0; i < graph->output_count; i++)
        *bytes += oct_value_bytes(&graph->values[graph->outputs[i]]);
    all = calloc(1, *bytes + 1);
    if (session && oct_run(session) == OCT_OK) {
        size_t at = 0;
        for (int i = 0; i < graph->output_count; i++) {
            const size_t size = oct_value_bytes(&graph->values[graph->outputs[i]]);
            if (oct_get_output(session, (size_t)i, all + at, size) != OCT_OK)
                test_fail(__FILE__, __LINE__, "%s", oct_error());
            at += size;
        }
    } else {
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    }
    oct_session_free(session);
    return all;
}

static void int8_is_the_same_everywhere(void)
{
    size_t bytes, other_bytes;
    oct_graph *graph = quantized_network();
    void *input = random_input(graph, 0),
         *expected = outputs_of(graph, &(oct_options){.isa = "scalar", .threads = 1}, &input, &bytes);
    for (size_t i = 0; i < oct_isa_count() && !test_failed(); i++) {
        oct_isa_info isa;
        CHECK_OK(oct_isa(i, &isa));
        for (int threads = 1; isa.available && threads <= 5; threads += 2) {
            void *other = outputs_of(graph, &(oct_options){.isa = isa.name, .threads = threads}, &input, &other_bytes);
            CHECK_MSG(!memcmp(expected, other, bytes), "%s with %d threads differs from scalar with one", isa.name, threads);
            free(other);
        }
    }
    free(expected);
    free(input);
    oct_graph_free(graph);
}

/* f32 too: who computes a unit is open, what it computes is not. */
static void thread_count_changes_nothing(void)
{
    for (int round = 0; round < 25 && !test_failed(); round++) {
        size_t bytes;
        void *inputs[MOST_INPUTS] = {0};
        oct_graph *graph = random_graph(15);
        for (int i = 0; i < graph->input_count; i++)
            inputs[i] = random_input(graph, i);
        void *one = outputs_of(graph, &(oct_options){.isa = test_isa(), .threads = 1}, inputs, &bytes);
        void *many = outputs_of(graph, &(oct_options){.isa = test_isa(), .threads = 4}, inputs, &bytes);
        if (!test_failed() && memcmp(one, many, bytes) != 0)
            test_fail(__FILE__, __LINE__, "round %d: 4 threads give other bytes than 1", round);
        for (int i = 0; i < graph->input_count; i++)
            free(inputs[i]);
        free(one);
        free(many);
        oct_graph_free(graph);
    }
}

/* ------------------------------------------------------------------------------------------- lifetimes ---- */

static oct_graph *square_and_sum(void)
{
    oct_graph *g;
    if (oct_graph_create(&g) != OCT_OK)
        return NULL;
    const int a = oct_build_input(g, "a", &(oct_shape){1, {4}}), b = oct_build_input(g, "b", &(oct_shape){1, {4}});
    const int sum = oct_build_add(g, "sum", oct_build_mul(g, "square", a, a), b);
    oct_build_output(g, "y", sum);
    return g;
}

static bool gives(oct_session *session, const float *expected)
{
    float y[4];
    return oct_run(session) == OCT_OK && oct_get_output(session, 0, y, sizeof y) == OCT_OK && !memcmp(y, expected, sizeof y) &&
           !memcmp(oct_output_data(session, 0), expected, sizeof y);
}

static void sessions_outlive_their_model(void)
{
    oct_model *model;
    oct_session *first, *second;
    oct_session_info info;
    oct_graph *graph = square_and_sum();
    CHECK_OK(oct_model_from_graph(graph, &model));
    oct_graph_free(graph);
    CHECK_OK(oct_session_create(model, &(oct_options){.isa = "scalar", .threads = 1}, &first));
    CHECK_OK(oct_session_create(model, NULL, &second));  /* the best ISA, next to it */
    oct_model_free(model);
    CHECK_OK(oct_session_describe(first, &info));
    CHECK(!strcmp(info.isa, "scalar") && info.threads == 1 && info.arena_bytes >= 3 * 16);
    CHECK_OK(oct_session_describe(second, &info));
    CHECK(info.threads >= 1);
    const float a[4] = {1, 2, 3, 4}, b[4] = {10, 20, 30, 40};
    CHECK_OK(oct_set_input(first, 0, a, sizeof a));
    CHECK_OK(oct_set_input(first, 1, b, sizeof b));
    CHECK_OK(oct_set_input(second, 0, b, sizeof b));
    CHECK_OK(oct_set_input(second, 1, a, sizeof a));
    CHECK(gives(first, (float[]){11, 24, 39, 56}));
    CHECK(gives(second, (float[]){101, 402, 903, 1604}));
    oct_session_free(second);
    CHECK(gives(first, (float[]){11, 24, 39, 56}));
    oct_session_free(first);
}

static void inputs_keep_their_values(void)
{
    oct_model *model;
    oct_session *session;
    oct_graph *graph = square_and_sum();
    const float a[4] = {1, 2, 3, 4}, b[4] = {1, 1, 1, 1}, zero[4] = {0};
    CHECK_OK(oct_model_from_graph(graph, &model));
    CHECK_OK(oct_session_create(model, &(oct_options){.isa = test_isa()}, &session));
    CHECK_OK(oct_set_input(session, 0, a, sizeof a));
    CHECK_OK(oct_set_input(session, 1, b, sizeof b));
    for (int run = 0; run < 3; run++)
        CHECK(gives(session, (float[]){2, 5, 10, 17}));
    CHECK_OK(oct_set_input(session, 1, zero, sizeof zero));
    CHECK(gives(session, (float[]){1, 4, 9, 16}));
    oct_session_free(session);
    oct_model_free(model);
    oct_graph_free(graph);
}

/* Outputs that are an input, a constant, a view of either, and one value twice. */
static void outputs_may_be_anything(void)
{
    oct_graph *graph;
    oct_model *model;
    oct_session *session;
    const float x[6] = {1, 2, 3, 4, 5, 6}, c[2] = {7, 8};
    float y[6];
    CHECK_OK(oct_graph_create(&graph));
    const int in = oct_build_input(graph, "x", &(oct_shape){2, {2, 3}}),
              constant = oct_build_constant(graph, "c", &(oct_shape){1, {2}}, c);
    const int view = oct_build_reshape(graph, "view", in, &(oct_shape){1, {6}});
    const int constant_view = oct_build_reshape(graph, "constant view", constant, &(oct_shape){2, {2, 1}});
    const int outputs[] = {in, constant, view, constant_view, oct_build_relu(graph, "relu", view), in};
    CHECK_OK(oct_graph_status(graph));
    for (int i = 0; i < TEST_COUNT(outputs); i++)
        CHECK_OK(oct_graph_add_output(graph, outputs[i]));
    CHECK_OK(oct_model_from_graph(graph, &model));
    CHECK_OK(oct_session_create(model, &(oct_options){.isa = test_isa()}, &session));
    CHECK_OK(oct_set_input(session, 0, x, sizeof x));
    CHECK_OK(oct_run(session));
    for (size_t i = 0; i < 6; i++) {
        const bool constant_one = i == 1 || i == 3;
        CHECK_OK(oct_get_output(session, i, y, constant_one ? sizeof c : sizeof x));
        CHECK_MSG(!memcmp(y, constant_one ? c : x, constant_one ? sizeof c : sizeof x), "output %zu", i);
    }
    oct_session_free(session);
    oct_model_free(model);
    oct_graph_free(graph);
}

/* A graph without inputs, as constant folding makes them. */
static void constants_alone_can_be_computed(void)
{
    oct_graph *graph;
    oct_model *model;
    oct_session *session;
    float y[2];
    CHECK_OK(oct_graph_create(&graph));
    const int a = oct_build_constant(graph, "a", &(oct_shape){1, {2}}, (float[]){2, 3});
    oct_build_output(graph, "y",
                     oct_build_mul(graph, "mul", a, oct_build_constant(graph, "b", &(oct_shape){0, {0}}, (float[]){5})));
    CHECK_OK(oct_model_from_graph(graph, &model));
    CHECK_OK(oct_session_create(model, &(oct_options){.isa = test_isa(), .threads = 1}, &session));
    CHECK_OK(oct_run(session));
    CHECK_OK(oct_get_output(session, 0, y, sizeof y));
    CHECK(y[0] == 10 && y[1] == 15);
    oct_session_free(session);
    oct_model_free(model);
    oct_graph_free(graph);
}

/* --------------------------------------------------------------------------------------- what can be asked ---- */

static void layers_tell_how_they_run(void)
{
    oct_model *model;
    oct_session *session;
    oct_layer_run run;
    oct_layer_info layer;
    oct_graph *graph = quantized_network();
    void *input = random_input(graph, 0);
    CHECK_OK(oct_model_from_graph(graph, &model));
    CHECK(oct_model_layer_count(model) == 5);
    CHECK_OK(oct_model_layer(model, 0, &layer));
    CHECK(!strcmp(layer.op, "quantize") && !strcmp(layer.precision, "f32>u8") && layer.macs == 0);
    CHECK_OK(oct_model_layer(model, 2, &layer));
    CHECK(!strcmp(layer.op, "conv") && !strcmp(layer.precision, "int8") && layer.macs == 2 * 40 * 44 * 48 * 9 * 32);
    CHECK(layer.weight_bytes == 48 * 9 * 32 + 48 * 4 && layer.in.dims[3] == 32 && layer.out.dims[3] == 48);
    CHECK_OK(oct_model_layer(model, 4, &layer));
    CHECK(!strcmp(layer.precision, "int8>f32") && layer.out_dtype == OCT_F32);
    CHECK_OK(oct_session_create(model, &(oct_options){.isa = "scalar", .threads = 1, .profile = 1}, &session));
    CHECK_OK(oct_set_input(session, 0, input, 2 * 40 * 44 * 3 * 4));
    CHECK_OK(oct_session_layer(session, 2, &run));
    CHECK(run.microseconds == 0 && !strcmp(run.algo, "direct") && !strncmp(run.kernel, "gemm_u8s8 scalar", 16));
    CHECK_OK(oct_run(session));
    for (size_t i = 0; i < 5; i++) {
        CHECK_OK(oct_session_layer(session, i, &run));
        CHECK_MSG(run.microseconds > 0 && run.bytes_moved > 0, "layer %zu", i);
    }
    CHECK_OK(oct_session_layer(session, 1, &run));
    CHECK(!strcmp(run.algo, "rows"));
    CHECK_OK(oct_session_layer(session, 3, &run));
    CHECK(!strcmp(run.algo, "depthwise"));
    oct_session_free(session);
    oct_model_free(model);
    oct_graph_free(graph);
    free(input);
}

static const test_case cases[] = {
    {"random_graphs_are_right", random_graphs_are_right},
    {"int8_is_the_same_everywhere", int8_is_the_same_everywhere},
    {"thread_count_changes_nothing", thread_count_changes_nothing},
    {"sessions_outlive_their_model", sessions_outlive_their_model},
    {"inputs_keep_their_values", inputs_keep_their_values},
    {"outputs_may_be_anything", outputs_may_be_anything},
    {"constants_alone_can_be_computed", constants_alone_can_be_computed},
    {"layers_tell_how_they_run", layers_tell_how_they_run},
};

static void __attribute__((constructor)) add_suite(void) { test_register("session", cases, TEST_COUNT(cases)); }

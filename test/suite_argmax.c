/* ArgMax and ArgMin against the definition: every axis, both ends of ties, any number of threads; and what the converting side
 * makes of them. */
#include <stdlib.h>

#include "convert_tools.h"
#include "graph_oracle.h"
#include "harness.h"
#include "session.h"

typedef struct judge {
    graph_oracle oracle;
} judge;

static void observe(void *arg, int value, const void *data)
{
    judge *j = arg;
    const oct_value *v = &j->oracle.graph->values[value];
    if (v->producer >= 0 && !test_failed()) {
        oracle_evaluate_node(&j->oracle, v->producer);
        const int64_t at = oracle_differs(&j->oracle, value, data, 0, 0);
        if (at >= 0)
            test_fail(__FILE__, __LINE__, "element %lld is %g, not %g", (long long)at, (double)((const float *)data)[at],
                      j->oracle.raw[value][at]);
    }
    oracle_take(&j->oracle, value, data);
}

static void run_one(const oct_graph *g, float *const *inputs, int threads)
{
    oct_model *model;
    oct_session *session = NULL;
    judge j;
    CHECK_OK(oct_model_from_graph(g, &model));
    CHECK_OK(oct_session_create(model, &(oct_options){.isa = test_isa(), .threads = threads}, &session));
    CHECK_OK(oct_set_input(session, 0, inputs[0], oct_value_bytes(&g->values[g->inputs[0]])));
    oracle_begin(&j.oracle, g);
    CHECK_OK(oct_run_observed(session, observe, &j));
    oracle_release(&j.oracle);
    oct_session_free(session);
    oct_model_free(model);
}

/* Few different numbers, so that there are ties. */
static void places_are_right(void)
{
    for (int i = 0; i < 100 && !test_failed(); i++) {
        oct_graph *g = net_create();
        const int x = net_input(g, 1 + test_below(4), 1 + test_below(9), 1 + test_below(9), 1 + test_below(40));
        const oct_attrs a = {.argmax = {.axis = (int32_t)test_below(4), .keep_dims = (int32_t)test_below(2),
                                        .least = (int32_t)test_below(2), .last = (int32_t)test_below(2)}};
        net_output(g, net_node(g, OCT_OP_ARGMAX, &a, &x, 1));
        CHECK_OK(oct_graph_status(g));
        float **inputs = net_random_inputs(g, -2, 2);
        for (int64_t e = 0; test_below(2) && e < oct_shape_elements(&g->values[x].shape); e++)
            inputs[0][e] = (float)(int)inputs[0][e];
        for (int threads = 1; threads <= 3; threads++)
            run_one(g, inputs, threads);
        net_free_inputs(g, inputs);
        oct_graph_free(g);
    }
}

/* Behind a convolution in brackets of transposes, and in the quantized network, where it stays float. */
static void stays_float(void)
{
    oct_graph *g = net_create(), *q = NULL;
    oct_calibration *calibration = NULL;
    const int x = net_input(g, 1, 3, 12, 12);
    int y = net_nchw_conv(g, x, 32, 3, 1, 1, 1);
    y = net_nchw_conv(g, net_relu(g, y), 11, 3, 1, 1, 1);
    net_output(g, net_node(g, OCT_OP_ARGMAX, &(oct_attrs){.argmax = {.axis = 1, .keep_dims = 1}}, &y, 1));
    CHECK_OK(oct_graph_status(g));
    oct_graph *fused = net_optimized(g, NULL);
    float **inputs = net_random_inputs(g, -2, 2);
    CHECK_OK(oct_calibration_create(fused, NULL, &calibration));
    CHECK_OK(oct_calibration_add(calibration, (const void *const *)inputs));
    CHECK_OK(oct_quantize(fused, calibration, NULL, &q));
    const oct_node *node = net_only(q, OCT_OP_ARGMAX);
    CHECK(node && q->values[node->in[0]].dtype == OCT_F32 && q->values[node->out[0]].dtype == OCT_F32);
    size_t elements;
    float *places = net_run(q, inputs, &elements);
    CHECK(places && elements == 144);
    for (size_t i = 0; i < elements; i++)
        CHECK(places[i] >= 0 && places[i] <= 10 && places[i] == (float)(int)places[i]);
    free(places);
    oct_calibration_free(calibration);
    net_free_inputs(g, inputs);
    oct_graph_free(q);
    oct_graph_free(fused);
    oct_graph_free(g);
}

/* An axis beyond the rank. */
static void wrong_axes_are_refused(void)
{
    oct_graph *g = net_create();
    int y;
    const int x = net_reshape(g, net_input(g, 1, 2, 3, 4), &(oct_shape){2, {6, 4}});
    CHECK(oct_graph_add_node(g, OCT_OP_ARGMAX, "a", &(oct_attrs){.argmax = {.axis = 2}}, &x, 1, &y) == OCT_ERR_ARGUMENT);
    oct_graph_free(g);
}

static const test_case cases[] = {
    {"places_are_right", places_are_right},
    {"stays_float", stays_float},
    {"wrong_axes_are_refused", wrong_axes_are_refused},
};

static void __attribute__((constructor)) add_suite(void) { test_register("argmax", cases, TEST_COUNT(cases)); }

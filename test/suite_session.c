/* Sessions: every operator against a naive oracle on every instruction set, and what a session promises about threads, time and memory. */
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
    test_fail(__FILE__, __LINE__, "isa %s: node %s (operator %d, activation %d, %d inputs), %s %s -> %s %s: element %lld is %.9g, not %.9g", j->isa,
              node->name, (int)node->op, node->act.fn, node->in_count, oct_dtype_name(x->dtype), oct_shape_text(&x->shape, in, sizeof in),
              oct_dtype_name(v->dtype), oct_shape_text(&v->shape, out, sizeof out), (long long)at, got, j->oracle.raw[value][at]);
}

/* An f32 difference that is rounding only may flip a u8 step where a float layer is quantized: from there on the graphs differ by right. So each
 * value is judged by what the session itself computed before: the oracle takes over the session's elements once they have been judged. */
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

static const test_case cases[] = {
    {"random_graphs_are_right", random_graphs_are_right},
};

static void __attribute__((constructor)) add_suite(void) { test_register("session", cases, TEST_COUNT(cases)); }

/* Calibration: ranges, what does not count, and to which graph a calibration belongs. */
#include "calibrate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert_tools.h"
#include "harness.h"

/* input (4 numbers) -> relu, neg -> exp */
typedef struct little_net {
    oct_graph *graph;
    int x, relu, neg, exp;
} little_net;

static little_net make_little_net(void)
{
    little_net net = {.graph = net_create()};
    net.x = net_input(net.graph, 1, 1, 1, 4);
    net.relu = net_relu(net.graph, net.x);
    net.neg = net_unary(net.graph, OCT_FN_NEG, 0, 0, net.x);
    net.exp = net_unary(net.graph, OCT_FN_EXP, 0, 0, net.neg);
    net_output(net.graph, net.relu);
    net_output(net.graph, net.exp);
    return net;
}

static oct_status add_sample(oct_calibration *c, float a, float b)
{
    const float sample[4] = {a, b, a, b};
    const void *inputs[1] = {sample};
    return oct_calibration_add(c, inputs);
}

static bool saw(const oct_calibration *c, int value, float lo, float hi)
{
    const oct_value_stats *stats = oct_calibration_stats(c, value);
    return stats->seen && stats->lo == lo && stats->hi == hi;
}

/* Every range holds 0 and grows with the samples. */
static void ranges_grow(void)
{
    const little_net net = make_little_net();
    oct_calibration *c;
    CHECK_OK(oct_calibration_create(net.graph, NULL, &c));
    CHECK(oct_calibration_samples(c) == 0 && !oct_calibration_stats(c, net.x)->seen);
    CHECK_OK(add_sample(c, 0.5f, 2.0f));
    CHECK(saw(c, net.x, 0, 2) && saw(c, net.relu, 0, 2) && saw(c, net.neg, -2, 0));
    CHECK_OK(add_sample(c, -3.0f, 1.0f));
    CHECK(saw(c, net.x, -3, 2) && saw(c, net.relu, 0, 2) && saw(c, net.neg, -2, 3));
    CHECK(oct_calibration_stats(c, net.exp)->lo == 0 && fabsf(oct_calibration_stats(c, net.exp)->hi - expf(3)) < 1e-4f);
    CHECK(oct_calibration_samples(c) == 2);
    oct_calibration_free(c);
    oct_graph_free(net.graph);
}

/* A NaN or an infinity in a sample, or one that arises inside: an error that names sample and tensor, and nothing is kept of
 * the sample. */
static void bad_samples_do_not_count(void)
{
    static const struct { float a, b; const char *tensor; } bad[] = {
        {NAN, 1, "input0"}, {1, INFINITY, "input0"}, {-INFINITY, 0, "input0"}, {-1000, 1, "output1"}};
    const little_net net = make_little_net();
    oct_calibration *c;
    CHECK_OK(oct_calibration_create(net.graph, NULL, &c));
    CHECK_OK(add_sample(c, -1, 1));
    for (int i = 0; i < TEST_COUNT(bad); i++) {
        char sample[24];
        snprintf(sample, sizeof sample, "sample %d", i + 1);
        CHECK(add_sample(c, bad[i].a, bad[i].b) == OCT_ERR_DATA);
        CHECK_MSG(strstr(oct_error(), bad[i].tensor) && strstr(oct_error(), sample), "\"%s\"", oct_error());
        CHECK(oct_calibration_samples(c) == 1);
        CHECK(saw(c, net.x, -1, 1) && saw(c, net.neg, -1, 1));
    }
    CHECK_OK(add_sample(c, 2, 2));
    CHECK(oct_calibration_samples(c) == 2 && saw(c, net.x, -1, 2));
    oct_calibration_free(c);
    oct_graph_free(net.graph);
}

static void wrong_calls(void)
{
    const little_net net = make_little_net();
    const float sample[4] = {0};
    const void *inputs[1] = {NULL};
    oct_calibration *c = (oct_calibration *)&inputs;
    CHECK(oct_calibration_create(NULL, NULL, &c) == OCT_ERR_ARGUMENT && c == NULL);
    CHECK(oct_calibration_create(net.graph, NULL, NULL) == OCT_ERR_ARGUMENT);
    CHECK(oct_calibration_create(net.graph, &(oct_options){.isa = "abacus"}, &c) != OCT_OK && c == NULL);
    CHECK(oct_calibration_samples(NULL) == 0);
    oct_calibration_free(NULL);
    CHECK_OK(oct_calibration_create(net.graph, &(oct_options){.isa = "scalar", .threads = 1}, &c));
    CHECK(oct_calibration_add(c, NULL) == OCT_ERR_ARGUMENT && oct_calibration_add(NULL, inputs) == OCT_ERR_ARGUMENT);
    CHECK(oct_calibration_add(c, inputs) == OCT_ERR_ARGUMENT);
    CHECK_MSG(strstr(oct_error(), "input0"), "\"%s\"", oct_error());
    oct_graph_free(net.graph);   /* the calibration has its own copy */
    inputs[0] = sample;
    CHECK_OK(oct_calibration_add(c, inputs));
    oct_calibration_free(c);
}

/* A graph is known by what it computes, not by its names. */
static void belongs_to_one_graph(void)
{
    oct_graph *g = net_create(), *other;
    net_output(g, net_relu(g, net_conv(g, net_input(g, 1, 4, 4, 2), 3, 3, 1, 1, 1)));
    oct_calibration *c;
    CHECK_OK(oct_calibration_create(g, NULL, &c));
    CHECK(oct_calibration_is_of(c, g));
    CHECK_OK(oct_graph_clone(g, &other));
    CHECK_OK(oct_graph_rename(other, other->outputs[0], "another name"));
    CHECK(oct_calibration_is_of(c, other));
    ((float *)other->values[other->nodes[0].in[OCT_IN_W]].data)[7] += 1e-6f;
    CHECK(!oct_calibration_is_of(c, other));
    ((float *)other->values[other->nodes[0].in[OCT_IN_W]].data)[7] = ((float *)g->values[g->nodes[0].in[OCT_IN_W]].data)[7];
    CHECK(oct_calibration_is_of(c, other));
    other->nodes[1].attrs.unary.beta = 6;
    CHECK(!oct_calibration_is_of(c, other));
    other->nodes[1].attrs.unary.beta = INFINITY;
    net_output(other, other->nodes[0].out[0]);
    CHECK(!oct_calibration_is_of(c, other));
    oct_graph_free(other);
    oct_calibration_free(c);
    oct_graph_free(g);
}

static const test_case cases[] = {
    {"ranges_grow", ranges_grow},
    {"bad_samples_do_not_count", bad_samples_do_not_count},
    {"wrong_calls", wrong_calls},
    {"belongs_to_one_graph", belongs_to_one_graph},
};
static void __attribute__((constructor)) add_suite(void) { test_register("calibrate", cases, TEST_COUNT(cases)); }

/* The comparison of a quantized network with its original finds the layer at fault, and tells it from those that suffer. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convert_tools.h"
#include "harness.h"
#include "shell.h"

/* Five layers in a row, optimised. */
static oct_graph *network(void)
{
    oct_graph *g = net_create();
    int y = net_input(g, 1, 8, 8, 3);
    for (int i = 0; i < 4; i++)
        y = net_relu(g, net_conv(g, y, 8, 3, 1, 1, 1));
    net_output(g, net_dense(g, net_reduce(g, OCT_REDUCE_MEAN, y, 6, false), 4));
    if (oct_optimize(g, NULL) != OCT_OK)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    return g;
}

static oct_graph *quantized(const oct_graph *g)
{
    oct_calibration *c = NULL;
    oct_graph *q = NULL;
    oct_status status = oct_calibration_create(g, NULL, &c);
    for (int i = 0; status == OCT_OK && i < 8; i++) {
        float **inputs = net_random_inputs(g, -1, 1);
        status = oct_calibration_add(c, (const void *const *)inputs);
        net_free_inputs(g, inputs);
    }
    if (status == OCT_OK)
        status = oct_quantize(g, c, &(oct_quantize_options){.method = "minmax"}, &q);
    if (status != OCT_OK)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    oct_calibration_free(c);
    return q;
}

/* Compares on a few samples; NULL after a failed check. */
static oct_comparison *compared(const oct_graph *g, const oct_graph *q)
{
    oct_comparison *c = NULL;
    oct_status status = oct_compare_create(g, q, &(oct_options){.isa = test_isa(), .threads = 2}, &c);
    for (int i = 0; status == OCT_OK && i < 4; i++) {
        float **inputs = net_random_inputs(g, -1, 1);
        status = oct_compare_add(c, (const void *const *)inputs);
        net_free_inputs(g, inputs);
    }
    if (status == OCT_OK)
        return c;
    test_fail(__FILE__, __LINE__, "%s", oct_error());
    oct_compare_free(c);
    return NULL;
}

/* The k-th int8 convolution among the layers. */
static oct_layer_comparison conv_layer(const oct_comparison *c, int k)
{
    oct_layer_comparison layer = {0};
    for (size_t i = 0; i < oct_compare_layer_count(c); i++)
        if (oct_compare_layer(c, i, &layer) == OCT_OK && !strcmp(layer.op, "conv") && k-- == 0)
            return layer;
    test_fail(__FILE__, __LINE__, "no such convolution");
    return layer;
}

static oct_node *conv_node(oct_graph *q, int k)
{
    for (int n = 0; n < q->node_count; n++)
        if (q->nodes[n].op == OCT_OP_CONV && k-- == 0)
            return &q->nodes[n];
    return NULL;
}

/* A good network: every layer well above noise (random networks are noisier than trained ones); alone no worse than accumulated,
 * but for luck. */
static void good_networks_are_good(void)
{
    oct_graph *g = network(), *q = quantized(g);
    oct_comparison *c = q ? compared(g, q) : NULL;
    for (int k = 0; c && k < 4; k++) {
        const oct_layer_comparison l = conv_layer(c, k);
        CHECK_MSG(l.alone_db > 16 && l.accumulated_db > 13 && l.alone_db > l.accumulated_db - 3, "%d: %.1f, %.1f", k, l.alone_db,
                  l.accumulated_db);
        CHECK(l.is_u8 && l.saturated < 0.02 && l.range_used > 0.5 && l.range_used <= 1 && l.worst_channel >= 0 &&
              l.worst_channel < 8);
        CHECK(l.worst_channel_db < l.accumulated_db + 1 && !strcmp(l.precision, "int8"));
    }
    CHECK(c && oct_compare_samples(c) == 4);
    oct_compare_free(c);
    oct_graph_free(q);
    oct_graph_free(g);
}

/* Faults planted in the second of four convolutions: weights turned round; a range cut to a quarter. */
static void planted_faults_are_found(void)
{
    for (int fault = 0; fault < 2 && !test_failed(); fault++) {
        oct_graph *g = network(), *q = quantized(g);
        oct_node *node = q ? conv_node(q, 1) : NULL;
        if (!node)
            return;
        oct_value *w = &q->values[node->in[OCT_IN_W]], *y = &q->values[node->out[0]];
        for (int i = 0; fault == 0 && i < 8 * 3 * 3 * 8; i++)
            ((int8_t *)w->data)[i] = (int8_t)-((int8_t *)w->data)[i];
        if (fault == 1)
            y->scale /= 4;
        oct_comparison *c = compared(g, q);
        if (!c)
            return;
        const oct_layer_comparison before = conv_layer(c, 0), at = conv_layer(c, 1), after = conv_layer(c, 2);
        CHECK_MSG(at.alone_db < 12 && at.accumulated_db < 12, "%d: %.1f, %.1f", fault, at.alone_db, at.accumulated_db);
        CHECK_MSG(before.alone_db > 16 && before.accumulated_db > 16, "%d: %.1f", fault, before.alone_db);
        /* The next layer has to read what the range leaves over, but nothing is cut off in what it writes. */
        CHECK_MSG((fault == 1 || after.alone_db > 16) && after.accumulated_db < after.alone_db + 3 && after.saturated < 0.02,
                  "%d: %.1f, %.1f", fault, after.alone_db, after.accumulated_db);
        CHECK(fault == 0 || (at.saturated > 0.05 && at.range_used == 1));
        oct_compare_free(c);
        oct_graph_free(q);
        oct_graph_free(g);
    }
}

/* Activations that are split off, tensors of both forms, dynamic layers. */
static void other_networks(void)
{
    oct_graph *g = net_create(), *q = NULL;
    int y = net_unary(g, OCT_FN_HARD_SWISH, 0, 0, net_conv(g, net_input(g, 1, 8, 8, 16), 64, 3, 1, 1, 1));
    y = net_node(g, OCT_OP_SOFTMAX, &(oct_attrs){.softmax = {3, 0}}, &y, 1);
    net_output(g, net_conv(g, y, 64, 3, 1, 1, 1));
    CHECK_OK(oct_optimize(g, NULL));
    for (int dynamic = 0; dynamic < 2; dynamic++) {
        if (dynamic)
            CHECK_OK(oct_quantize_dynamic(g, &q));
        else
            q = quantized(g);
        oct_comparison *c = q ? compared(g, q) : NULL;
        for (int k = 0; c && k < 2; k++)
            CHECK_MSG(conv_layer(c, k).alone_db > 15, "%d, %d: %.1f dB", dynamic, k, conv_layer(c, k).alone_db);
        oct_compare_free(c);
        oct_graph_free(q);
        q = NULL;
    }
    oct_graph_free(g);
}

static void wrong_calls(void)
{
    oct_graph *g = network(), *q = quantized(g), *other = net_create();
    oct_comparison *c = NULL;
    oct_layer_comparison layer;
    net_output(other, net_conv(other, net_input(other, 1, 8, 9, 3), 3, 3, 1, 1, 1));
    CHECK(oct_compare_create(q, q, NULL, &c) == OCT_ERR_ARGUMENT && strstr(oct_error(), "the first network is quantized"));
    CHECK(oct_compare_create(g, g, NULL, &c) == OCT_ERR_ARGUMENT && strstr(oct_error(), "the second network is not quantized"));
    CHECK(oct_compare_create(other, q, NULL, &c) == OCT_ERR_ARGUMENT && strstr(oct_error(), "other inputs"));
    CHECK(oct_compare_create(NULL, q, NULL, &c) == OCT_ERR_ARGUMENT && !c);
    oct_graph_free(other);
    CHECK_OK(oct_compare_create(g, q, NULL, &c));
    CHECK(oct_compare_layer(c, 0, &layer) == OCT_ERR_ARGUMENT && strstr(oct_error(), "no sample"));
    float **inputs = net_random_inputs(g, -1, 1);
    inputs[0][7] = NAN;
    CHECK(oct_compare_add(c, (const void *const *)inputs) == OCT_ERR_DATA && strstr(oct_error(), "sample 0: tensor"));
    inputs[0][7] = 0;
    CHECK_OK(oct_compare_add(c, (const void *const *)inputs));
    CHECK(oct_compare_samples(c) == 1 && oct_compare_layer(c, 1000, &layer) == OCT_ERR_ARGUMENT);
    net_free_inputs(g, inputs);
    oct_compare_free(c);
    oct_compare_free(NULL);
    for (int v = 0; v < q->value_count; v++)
        if (!q->values[v].data)
            CHECK_OK(oct_graph_rename(q, v, "nameless"));
    CHECK(oct_compare_create(g, q, NULL, &c) == OCT_ERR_ARGUMENT && strstr(oct_error(), "no tensor of the same name"));
    oct_graph_free(q);
    oct_graph_free(g);
}

/* The command on files: every form of its answer, and the worst first. */
static void command(void)
{
    oct_graph *g = network(), *q = quantized(g);
    float *x = calloc(3, 8 * 8 * 3 * sizeof *x);
    if (!q || !x)
        return;
    for (int i = 0; i < 3 * 8 * 8 * 3; i++)
        x[i] = test_uniform(-1, 1);
    oct_node *node = conv_node(q, 2);
    for (int i = 0; i < 8 * 3 * 3 * 8; i++)
        ((int8_t *)q->values[node->in[OCT_IN_W]].data)[i] /= 3;
    CHECK_OK(oct_save(g, shell_path("f.oct")));
    CHECK_OK(oct_save(q, shell_path("q.oct")));
    shell_write("x.f32", x, 3 * 8 * 8 * 3 * sizeof *x);
    const shell_result *r =
        shell_run("$octet compare %s %s --data %s --json", shell_path("f.oct"), shell_path("q.oct"), shell_path("x.f32"));
    CHECK_MSG(r->status == 0 && shell_is_json(r->out) && shell_json_number(r->out, "samples") == 3, "%s%s", r->out, r->err);
    CHECK(strstr(r->out, "\"alone_db\"") && strstr(strstr(r->out, "\"name\""), node->name) == strstr(r->out, node->name));
    r = shell_run("$octet compare %s %s --data %s --csv --top 1", shell_path("f.oct"), shell_path("q.oct"), shell_path("x.f32"));
    CHECK_MSG(r->status == 0 && !strncmp(r->out, "name,op,precision,tensor,alone_db,", 34) && strstr(r->out, node->name), "%s%s",
              r->out, r->err);
    r = shell_run("$octet compare %s %s --data %s --by order", shell_path("f.oct"), shell_path("q.oct"), shell_path("x.f32"));
    CHECK_MSG(r->status == 0 && strstr(r->out, "alone dB") && strstr(r->out, node->name), "%s%s", r->out, r->err);
    r = shell_run("$octet compare %s %s --data %s", shell_path("q.oct"), shell_path("f.oct"), shell_path("x.f32"));
    CHECK_MSG(r->status == 1 && strstr(r->err, "the first network is quantized"), "%s", r->err);
    r = shell_run("$octet compare %s %s --data %s --json --csv", shell_path("f.oct"), shell_path("q.oct"), shell_path("x.f32"));
    CHECK_MSG(r->status == 2 && strstr(r->err, "exclude"), "%s", r->err);
    free(x);
    oct_graph_free(q);
    oct_graph_free(g);
}

static const test_case cases[] = {
    {"good_networks_are_good", good_networks_are_good},
    {"planted_faults_are_found", planted_faults_are_found},
    {"other_networks", other_networks},
    {"wrong_calls", wrong_calls},
    {"command", command},
};

static void __attribute__((constructor)) add_suite(void) { test_register("compare", cases, TEST_COUNT(cases)); }

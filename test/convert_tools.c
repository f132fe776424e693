#include "convert_tools.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

/* ----------------------------------------------------------------------------------------------- building ---- */

oct_graph *net_create(void)
{
    oct_graph *g = NULL;
    if (oct_graph_create(&g) != OCT_OK)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    return g;
}

int net_input(oct_graph *g, int64_t a, int64_t b, int64_t c, int64_t d)
{
    char name[24];
    snprintf(name, sizeof name, "input%d", g->input_count);
    return oct_build_input(g, name, &(oct_shape){4, {a, b, c, d}});
}

static float *random_numbers(int64_t count, float lo, float hi)
{
    float *data = malloc((size_t)count * sizeof *data);
    for (int64_t i = 0; i < count; i++)
        data[i] = test_uniform(lo, hi);
    return data;
}

int net_constant(oct_graph *g, const oct_shape *shape, float lo, float hi)
{
    float *data = random_numbers(oct_shape_elements(shape), lo, hi);
    const int id = oct_build_constant(g, "constant", shape, data);
    free(data);
    return id;
}

int net_node(oct_graph *g, oct_op op, const oct_attrs *attrs, const int *in, int count)
{
    int out = OCT_NONE;
    char name[24];
    snprintf(name, sizeof name, "n%d", g->node_count);
    for (int i = 0; i < count; i++)
        if (in[i] < 0)
            return OCT_NONE;
    if (oct_graph_add_node(g, op, name, attrs, in, count, &out) != OCT_OK)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    return out;
}

int net_unary(oct_graph *g, oct_fn fn, float alpha, float beta, int x)
{
    return net_node(g, OCT_OP_UNARY, &(oct_attrs){.unary = {(int32_t)fn, alpha, beta}}, &x, 1);
}

int net_relu(oct_graph *g, int x) { return net_unary(g, OCT_FN_CLAMP, 0, INFINITY, x); }

int net_binary(oct_graph *g, oct_binary_fn fn, int a, int b)
{
    return net_node(g, OCT_OP_BINARY, &(oct_attrs){.binary = {(int32_t)fn}}, (int[]){a, b}, 2);
}

int net_transpose(oct_graph *g, int x, const char *perm)
{
    oct_attrs attrs = {0};
    for (int i = 0; perm[i]; i++)
        attrs.transpose.perm[i] = perm[i] - '0';
    return net_node(g, OCT_OP_TRANSPOSE, &attrs, &x, 1);
}

int net_reshape(oct_graph *g, int x, const oct_shape *shape)
{
    oct_attrs attrs = {.reshape = {.rank = shape->rank}};
    for (int i = 0; i < shape->rank; i++)
        attrs.reshape.dims[i] = (int32_t)shape->dims[i];
    return net_node(g, OCT_OP_RESHAPE, &attrs, &x, 1);
}

int net_concat(oct_graph *g, int a, int b, int axis)
{
    return net_node(g, OCT_OP_CONCAT, &(oct_attrs){.axis = {axis}}, (int[]){a, b}, 2);
}

int net_reduce(oct_graph *g, oct_reduce_fn fn, int x, int axes, bool keep_dims)
{
    return net_node(g, OCT_OP_REDUCE, &(oct_attrs){.reduce = {(int32_t)fn, axes, keep_dims}}, &x, 1);
}

int net_conv(oct_graph *g, int x, int out, int kernel, int stride, int pad, int groups)
{
    const int64_t channels = g->values[x].shape.dims[3];
    const int parts = groups > 0 ? groups : (int)channels;
    const int64_t count = (int64_t)out * kernel * kernel * channels / parts;
    const float range = sqrtf(3.0f * (float)out / (float)count);   /* outputs about as large as inputs */
    float *w = random_numbers(count, -range, range), *b = random_numbers(out, -0.5f, 0.5f);
    char name[24];
    snprintf(name, sizeof name, "conv%d", g->node_count);
    const oct_conv_desc desc = {.out_channels = out, .kernel = {kernel, kernel}, .stride = {stride, stride},
                                .pad = {pad, pad, pad, pad}, .groups = parts};
    const int y = oct_build_conv(g, name, x, &desc, w, b);
    free(w);
    free(b);
    return y;
}

int net_dense(oct_graph *g, int x, int out)
{
    const oct_shape *shape = &g->values[x].shape;
    const int64_t k = shape->dims[shape->rank - 1];
    const float range = sqrtf(3.0f / (float)k);
    float *w = random_numbers(out * k, -range, range), *b = random_numbers(out, -0.5f, 0.5f);
    char name[24];
    snprintf(name, sizeof name, "dense%d", g->node_count);
    const int y = oct_build_dense(g, name, x, out, w, b);
    free(w);
    free(b);
    return y;
}

int net_max_pool(oct_graph *g, int x, int kernel, int stride)
{
    char name[24];
    snprintf(name, sizeof name, "pool%d", g->node_count);
    return oct_build_max_pool(g, name, x, &(oct_pool_desc){.kernel = {kernel, kernel}, .stride = {stride, stride}});
}

int net_nchw_conv(oct_graph *g, int x, int out, int kernel, int stride, int pad, int groups)
{
    return net_transpose(g, net_conv(g, net_transpose(g, x, "0231"), out, kernel, stride, pad, groups), "0312");
}

int net_nchw_max_pool(oct_graph *g, int x, int kernel, int stride)
{
    return net_transpose(g, net_max_pool(g, net_transpose(g, x, "0231"), kernel, stride), "0312");
}

void net_output(oct_graph *g, int x)
{
    char name[24];
    snprintf(name, sizeof name, "output%d", g->output_count);
    oct_build_output(g, name, x);
}

/* ------------------------------------------------------------------------------------------------- asking ---- */

int net_count(const oct_graph *g, oct_op op)
{
    int count = 0;
    for (int n = 0; n < g->node_count; n++)
        count += g->nodes[n].op == op;
    return count;
}

const oct_node *net_only(const oct_graph *g, oct_op op)
{
    for (int n = 0; n < g->node_count; n++)
        if (g->nodes[n].op == op)
            return net_count(g, op) == 1 ? &g->nodes[n] : NULL;
    return NULL;
}

int net_inner_transposes(const oct_graph *g)
{
    int count = 0;
    for (int n = 0; n < g->node_count; n++) {
        const oct_node *node = &g->nodes[n];
        bool edge = node->op != OCT_OP_TRANSPOSE;
        for (int i = 0; !edge && i < g->input_count; i++)
            edge = g->inputs[i] == node->in[0];
        for (int i = 0; !edge && i < g->output_count; i++)
            edge = g->outputs[i] == node->out[0];
        count += !edge;
    }
    return count;
}

int net_changes(const oct_optimize_report *report, const char *pass)
{
    for (int i = 0; i < report->count; i++)
        if (strcmp(report->passes[i].name, pass) == 0)
            return report->passes[i].changes;
    test_fail(__FILE__, __LINE__, "there is no pass %s", pass);
    return -1;
}

/* ------------------------------------------------------------------------------------------------ running ---- */

float **net_random_inputs(const oct_graph *g, float lo, float hi)
{
    float **inputs = malloc((size_t)g->input_count * sizeof *inputs);
    for (int i = 0; i < g->input_count; i++)
        inputs[i] = random_numbers(oct_shape_elements(&g->values[g->inputs[i]].shape), lo, hi);
    return inputs;
}

void net_free_inputs(const oct_graph *g, float **inputs)
{
    for (int i = 0; i < g->input_count; i++)
        free(inputs[i]);
    free(inputs);
}

oct_calibration *net_calibrated(const oct_graph *g, int samples, float lo, float hi)
{
    oct_calibration *c = NULL;
    oct_status status = oct_calibration_create(g, &(oct_options){.isa = test_isa(), .threads = 1}, &c);
    for (int i = 0; status == OCT_OK && i < samples; i++) {
        float **inputs = net_random_inputs(g, lo, hi);
        status = oct_calibration_add(c, (const void *const *)inputs);
        net_free_inputs(g, inputs);
    }
    if (status != OCT_OK)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    return c;
}

static oct_status run_session(const oct_graph *g, oct_session *session, float *const *inputs, float *outputs)
{
    for (int i = 0; i < g->input_count; i++) {
        const oct_status status = oct_set_input(session, (size_t)i, inputs[i], oct_value_bytes(&g->values[g->inputs[i]]));
        if (status != OCT_OK)
            return status;
    }
    oct_status status = oct_run(session);
    for (int i = 0; status == OCT_OK && i < g->output_count; i++) {
        const oct_value *value = &g->values[g->outputs[i]];
        status = oct_get_output(session, (size_t)i, outputs, oct_value_bytes(value));
        outputs += oct_shape_elements(&value->shape);
    }
    return status;
}

float *net_run(const oct_graph *g, float *const *inputs, size_t *elements)
{
    oct_model *model = NULL;
    oct_session *session = NULL;
    *elements = 0;
    for (int i = 0; i < g->output_count; i++)
        *elements += (size_t)oct_shape_elements(&g->values[g->outputs[i]].shape);
    float *outputs = malloc(*elements * sizeof *outputs);
    oct_status status = oct_model_from_graph(g, &model);
    if (status == OCT_OK)
        status = oct_session_create(model, &(oct_options){.isa = test_isa(), .threads = 1}, &session);
    if (status == OCT_OK)
        status = run_session(g, session, inputs, outputs);
    oct_session_free(session);
    oct_model_free(model);
    if (status == OCT_OK)
        return outputs;
    test_fail(__FILE__, __LINE__, "%s", oct_error());
    free(outputs);
    return NULL;
}

double net_difference(const oct_graph *a, const oct_graph *b, float *const *inputs)
{
    size_t na, nb;
    float *ya = net_run(a, inputs, &na), *yb = net_run(b, inputs, &nb);
    double most = 0, largest = 0;
    for (size_t i = 0; ya && yb && na == nb && i < na; i++) {
        const double difference = fabs((double)ya[i] - (double)yb[i]);
        most = difference <= most ? most : difference;   /* a NaN is passed on */
        largest = fmax(largest, fabs((double)ya[i]));
    }
    const bool comparable = ya && yb && na == nb;
    free(ya);
    free(yb);
    return comparable ? most / (1 + largest) : HUGE_VAL;
}

static bool same_names(const oct_graph *a, const oct_graph *b)
{
    if (a->input_count != b->input_count || a->output_count != b->output_count)
        return false;
    for (int i = 0; i < a->input_count; i++)
        if (strcmp(a->values[a->inputs[i]].name, b->values[b->inputs[i]].name) != 0)
            return false;
    for (int i = 0; i < a->output_count; i++)
        if (strcmp(a->values[a->outputs[i]].name, b->values[b->outputs[i]].name) != 0 ||
            !oct_shape_equal(&a->values[a->outputs[i]].shape, &b->values[b->outputs[i]].shape))
            return false;
    return true;
}

oct_graph *net_optimized(const oct_graph *g, oct_optimize_report *report)
{
    oct_graph *copy = NULL;
    float **inputs = net_random_inputs(g, -1, 1);
    if (oct_graph_status(g) != OCT_OK || oct_graph_clone(g, &copy) != OCT_OK || oct_optimize(copy, report) != OCT_OK ||
        oct_graph_check(copy) != OCT_OK) {
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    } else if (!same_names(g, copy)) {
        test_fail(__FILE__, __LINE__, "an input or output has another name, shape or place than before");
    } else {
        const double difference = net_difference(g, copy, inputs);
        if (!(difference < 2e-5))
            test_fail(__FILE__, __LINE__, "the optimised graph computes something else: difference %g", difference);
    }
    net_free_inputs(g, inputs);
    return copy;
}

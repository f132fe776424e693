#include "layer_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convert_tools.h"
#include "harness.h"
#include "session.h"

typedef struct seen {
    const oct_graph *graph;
    float **real;   /* per value: the numbers its elements stand for */
} seen;

static size_t count_of(const oct_value *v) { return (size_t)oct_shape_elements(&v->shape); }

static float *reals_of(const oct_value *v, const void *data)
{
    const size_t count = count_of(v), each = v->channel_scale ? count / (size_t)v->shape.dims[0] : 1;
    float *real = malloc((count ? count : 1) * sizeof *real);
    for (size_t i = 0; i < count; i++)
        switch (v->dtype) {
        case OCT_U8: real[i] = (float)(((const uint8_t *)data)[i] - v->zero_point) * v->scale; break;
        case OCT_S8: real[i] = (float)((const int8_t *)data)[i] * v->channel_scale[i / each]; break;
        case OCT_S32: real[i] = (float)((const int32_t *)data)[i]; break;
        default: real[i] = ((const float *)data)[i]; break;
        }
    return real;
}

static void observe(void *arg, int value, const void *data)
{
    seen *s = arg;
    free(s->real[value]);
    s->real[value] = reals_of(&s->graph->values[value], data);
}

/* Integer biases count steps of x_scale * w_scale. */
static void scale_bias(const oct_graph *g, const oct_node *node, float *bias)
{
    const oct_value *w = &g->values[node->in[OCT_IN_W]], *b = &g->values[node->in[OCT_IN_BIAS]];
    for (size_t c = 0; b->dtype == OCT_S32 && c < count_of(b); c++)
        bias[c] = (float)((double)bias[c] * (double)g->values[node->in[OCT_IN_X]].scale * (double)w->channel_scale[c]);
}

/* The node alone, in f32: weights and bias as constants, all else as inputs. */
static float *compute_again(const seen *s, const oct_node *node)
{
    const bool weighted = node->op == OCT_OP_CONV || node->op == OCT_OP_DENSE;
    oct_graph *alone = net_create();
    int in[16], out = OCT_NONE;
    float *inputs[16];
    size_t count;
    for (int i = 0; i < node->in_count && i < 16; i++) {
        const int v = node->in[i];
        in[i] = OCT_NONE;
        if (v < 0)
            continue;
        const oct_value *value = &s->graph->values[v];
        float *real = value->data ? reals_of(value, value->data) : NULL;
        const float *data = real ? real : s->real[v];
        if (weighted && i == OCT_IN_BIAS)
            scale_bias(s->graph, node, real);
        if (weighted && (i == OCT_IN_W || i == OCT_IN_BIAS)) {
            oct_graph_add_constant(alone, "c", OCT_F32, &value->shape, data, &in[i]);
        } else {
            inputs[alone->input_count] = malloc(count_of(value) * sizeof(float));
            memcpy(inputs[alone->input_count], data, count_of(value) * sizeof(float));
            oct_graph_add_value(alone, "x", OCT_F32, &value->shape, NULL, &in[i]);
            oct_graph_add_input(alone, in[i]);
        }
        free(real);
    }
    if (oct_graph_add_node(alone, node->op, node->name, &node->attrs, in, node->in_count, &out) != OCT_OK)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    alone->nodes[0].act = node->act;
    oct_graph_add_output(alone, out);
    float *expected = net_run(alone, inputs, &count);
    for (int i = 0; i < alone->input_count; i++)
        free(inputs[i]);
    oct_graph_free(alone);
    return expected;
}

static void check_node(const seen *s, const oct_node *node, double steps)
{
    const oct_value *out = &s->graph->values[node->out[0]];
    const bool border = node->op == OCT_OP_QUANTIZE || node->op == OCT_OP_DEQUANTIZE, u8 = out->dtype == OCT_U8;
    float *expected = border ? NULL : compute_again(s, node);
    const float *want = border ? s->real[node->in[0]] : expected, *got = s->real[node->out[0]];
    const double lo = (0 - out->zero_point) * (double)out->scale, hi = (255 - out->zero_point) * (double)out->scale;
    for (size_t i = 0; want && i < count_of(out) && !test_failed(); i++) {
        const double inside = u8 ? fmin(fmax((double)want[i], lo), hi) : (double)want[i];
        const double allowed = u8 ? (0.5 + steps) * (double)out->scale : 2e-5 * (1 + fabs(inside));
        if (!(fabs((double)got[i] - inside) <= allowed))
            test_fail(__FILE__, __LINE__, "%s (operator %d), element %zu: %g instead of %g; a step is %g", node->name,
                      (int)node->op, i, (double)got[i], inside, (double)out->scale);
    }
    free(expected);
}

static oct_status run_seen(seen *s, float *const *inputs)
{
    oct_model *model = NULL;
    oct_session *session = NULL;
    oct_status status = oct_model_from_graph(s->graph, &model);
    if (status == OCT_OK)
        status = oct_session_create(model, &(oct_options){.isa = test_isa(), .threads = 1}, &session);
    for (int i = 0; status == OCT_OK && i < s->graph->input_count; i++)
        status = oct_set_input(session, (size_t)i, inputs[i], oct_value_bytes(&s->graph->values[s->graph->inputs[i]]));
    if (status == OCT_OK)
        status = oct_run_observed(session, observe, s);
    oct_session_free(session);
    oct_model_free(model);
    return status;
}

void check_layers(const oct_graph *graph, float *const *inputs, double steps)
{
    seen s = {.graph = graph, .real = calloc((size_t)graph->value_count, sizeof *s.real)};
    if (run_seen(&s, inputs) != OCT_OK)
        test_fail(__FILE__, __LINE__, "%s", oct_error());
    for (int n = 0; n < graph->node_count && !test_failed(); n++)
        check_node(&s, &graph->nodes[n], steps);
    for (int v = 0; v < graph->value_count; v++)
        free(s.real[v]);
    free(s.real);
}

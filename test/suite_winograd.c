/* suite_winograd.c - Winograd convolutions in sessions: chosen where they should be, switched off by the option, the same bytes for
 * every number of threads, and close to the direct way. What the kernels compute is suite_kernels.c's business. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "convert_tools.h"
#include "harness.h"
#include "octet.h"
#include "winograd.h"

enum { NODES = 3 };

/* A convolution with a fused activation that is no clamp, one without, one without padding; sides that 4 does not divide. */
static oct_graph *network(int64_t batch, int64_t height, int64_t width, int channels)
{
    oct_graph *g = net_create();
    int x = net_input(g, batch, height, width, 24);
    x = net_conv(g, x, channels, 3, 1, 1, 1);
    g->nodes[0].act = (oct_function){.fn = OCT_FN_SIGMOID};
    const int y = net_conv(g, x, channels, 3, 1, 1, 1);
    net_output(g, y);
    net_output(g, net_conv(g, y, 20, 3, 1, 0, 1));
    return g;
}

/* All outputs of one run, one after the other, freed by the caller; and how many of its layers took Winograd's way. */
static void run(const oct_graph *g, const oct_options *options, float *const *inputs, float **outputs, size_t *bytes,
                size_t *winograd)
{
    *outputs = NULL;
    oct_model *model = NULL;
    oct_session *session = NULL;
    CHECK_OK(oct_model_from_graph(g, &model));
    CHECK_OK(oct_session_create(model, options, &session));
    CHECK_OK(oct_set_input(session, 0, inputs[0], oct_value_bytes(&g->values[g->inputs[0]])));
    CHECK_OK(oct_run(session));
    oct_layer_run layer;
    *winograd = 0;
    for (size_t i = 0; i < (size_t)g->node_count; i++) {
        CHECK_OK(oct_session_layer(session, i, &layer));
        *winograd += !strcmp(layer.algo, "winograd");
    }
    *bytes = 0;
    for (int i = 0; i < g->output_count; i++)
        *bytes += oct_value_bytes(&g->values[g->outputs[i]]);
    char *all = calloc(1, *bytes), *to = all;
    for (int i = 0; i < g->output_count; i++) {
        const size_t size = oct_value_bytes(&g->values[g->outputs[i]]);
        CHECK_OK(oct_get_output(session, (size_t)i, to, size));
        to += size;
    }
    oct_session_free(session);
    oct_model_free(model);
    *outputs = (float *)(void *)all;
}

static bool has_winograd(const char *isa)
{
    const oct_kernels *kernels = oct_kernels_get(isa, ~0u);
    return kernels && kernels->winograd_f32.input;
}

/* The scalar one is there to be compared with; it never pays. */
static bool has_integer_winograd(const char *isa)
{
    const oct_kernels *kernels = oct_kernels_get(isa, ~0u);
    return kernels && kernels->winograd_u8s8.input && kernels->winograd_u8s8.least_channels < SIZE_MAX;
}

/* One network on one instruction set: direct, then Winograd with 1 to 5 threads. */
static void compare(const oct_graph *g, float *const *inputs, const char *isa)
{
    size_t bytes, layers;
    float *direct, *one, *many;
    run(g, &(oct_options){.isa = isa, .threads = 1, .no_winograd = 1}, inputs, &direct, &bytes, &layers);
    CHECK(layers == 0);
    run(g, &(oct_options){.isa = isa, .threads = 1}, inputs, &one, &bytes, &layers);
    CHECK_MSG(layers == (has_winograd(isa) ? NODES : 0), "%s: %zu layers", isa, layers);
    for (size_t i = 0; i < bytes / sizeof *one; i++)
        CHECK_MSG(fabsf(one[i] - direct[i]) <= 1e-4f * (1 + fabsf(direct[i])), "%s, element %zu: %g, directly %g", isa, i,
                  (double)one[i], (double)direct[i]);
    for (int threads = 2; threads <= 5; threads++) {
        run(g, &(oct_options){.isa = isa, .threads = threads}, inputs, &many, &bytes, &layers);
        CHECK_MSG(!memcmp(one, many, bytes), "%s: %d threads give other bytes than 1", isa, threads);
        free(many);
    }
    free(one);
    free(direct);
}

static void floats(void)
{
    static const struct {
        int64_t batch, height, width;
        int channels;
    } sizes[] = {{1, 14, 14, 40}, {2, 9, 21, 24}, {1, 37, 42, 130}};
    for (int s = 0; s < TEST_COUNT(sizes); s++) {
        oct_graph *g = network(sizes[s].batch, sizes[s].height, sizes[s].width, sizes[s].channels);
        float **inputs = net_random_inputs(g, -1, 1);
        for (size_t i = 0; i < oct_isa_count(); i++) {
            oct_isa_info isa;
            CHECK_OK(oct_isa(i, &isa));
            if (isa.available)
                compare(g, inputs, isa.name);
        }
        net_free_inputs(g, inputs);
        oct_graph_free(g);
    }
}

/* A quantized layer of 128 channels after a ReLU. Channel `beyond`, if there is one, has only the largest weights: 9 * 128 * 127 *
 * 255 > 2^25, more than integer Winograd can prove. */
static void quantized_layer(int beyond, oct_graph **q)
{
    oct_graph *g = net_create();
    *q = NULL;
    net_output(g, net_conv(g, net_relu(g, net_input(g, 1, 16, 16, 128)), 64, 3, 1, 1, 1));
    CHECK_OK(oct_graph_status(g));
    float *w = g->values[g->nodes[g->node_count - 1].in[1]].data;
    for (int i = 0; beyond >= 0 && i < 9 * 128; i++)
        w[beyond * 9 * 128 + i] = 0.05f;
    oct_calibration *c = net_calibrated(g, 2, 0, 1);
    CHECK_OK(oct_quantize(g, c, NULL, q));
    oct_calibration_free(c);
    oct_graph_free(g);
}

/* A layer that a single channel keeps from Winograd's way is computed directly; and both ways give the same bytes. */
static void one_channel_decides(void)
{
    for (int beyond = -1; beyond <= 63; beyond += 32) {
        oct_graph *g;
        quantized_layer(beyond, &g);
        if (!g)
            return;
        float **inputs = net_random_inputs(g, 0, 1);
        oct_isa_info isa;
        for (size_t i = 0; i < oct_isa_count(); i++) {
            CHECK_OK(oct_isa(i, &isa));
            if (!isa.available)
                continue;
            size_t bytes, layers;
            float *direct, *chosen;
            run(g, &(oct_options){.isa = isa.name, .threads = 1, .no_winograd = 1}, inputs, &direct, &bytes, &layers);
            CHECK(layers == 0);
            run(g, &(oct_options){.isa = isa.name, .threads = 1}, inputs, &chosen, &bytes, &layers);
            CHECK_MSG(layers == (beyond < 0 && has_integer_winograd(isa.name)), "%s, channel %d: %zu layers", isa.name, beyond,
                      layers);
            CHECK_MSG(!memcmp(direct, chosen, bytes), "%s, channel %d: Winograd gives other bytes", isa.name, beyond);
            free(direct);
            free(chosen);
        }
        net_free_inputs(g, inputs);
        oct_graph_free(g);
    }
}

/* Every output of a side belongs to one tile, tiles follow each other without gaps, and none computes more than it has to but for a
 * side of 1. */
static void tiles_cover(void)
{
    for (size_t side = 1; side < 200; side++) {
        size_t at = 0;
        for (size_t i = 0; i < (side + 3) / 4; i++) {
            const oct_winograd_span span = oct_winograd_cut(side, i);
            CHECK_MSG(span.begin == at && span.size >= 2 && span.size <= 4, "side %zu, tile %zu: %zu + %zu", side, i, span.begin,
                      span.size);
            at += span.size;
        }
        CHECK_MSG(at == (side == 1 ? 2 : side), "side %zu: covered to %zu", side, at);
    }
}

/* Weights that no cache keeps want more outputs. */
static void the_rule(void)
{
    oct_winograd_entry entry = {.gemm = {{.a_elem = OCT_ELEM_F32}}};
    oct_conv_shape s = {.batch = 1, .in_h = 7, .in_w = 7, .in_c = 64, .out_h = 7, .out_w = 7, .out_c = 64, .kernel_h = 3,
                        .kernel_w = 3, .stride_h = 1, .stride_w = 1, .dilation_h = 1, .dilation_w = 1, .pad_top = 1, .pad_left = 1,
                        .groups = 1};
    CHECK(oct_winograd_accepts(&s) && oct_winograd_pays(&s, &entry, OCT_WINOGRAD_STORED));
    s.in_c = s.out_c = 512;
    CHECK(!oct_winograd_pays(&s, &entry, OCT_WINOGRAD_STORED));
    s.batch = 4;
    CHECK(oct_winograd_pays(&s, &entry, OCT_WINOGRAD_STORED));
    s.in_c = 3;
    CHECK(!oct_winograd_pays(&s, &entry, OCT_WINOGRAD_STORED));
    s.stride_w = 2;
    CHECK(!oct_winograd_accepts(&s));
}

static const test_case cases[] = {
    {"floats", floats},
    {"one_channel_decides", one_channel_decides},
    {"tiles_cover", tiles_cover},
    {"the_rule", the_rule},
};

static void __attribute__((constructor)) register_suite(void) { test_register("winograd", cases, TEST_COUNT(cases)); }

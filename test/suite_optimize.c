/* The optimiser: every case checks that outputs are unchanged (net_optimized does) and that the pass did what it is there for. */
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert_tools.h"
#include "random_network.h"

/* ---------------------------------------------------------------------------------------------- transposes ---- */

/* conv, relu, residual addition, pooling, concat, conv in a file's layout: only the outermost transposes stay. */
static void brackets_vanish(void)
{
    oct_optimize_report report;
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 3, 12, 10);
    const int a = net_relu(g, net_nchw_conv(g, x, 8, 3, 1, 1, 1));
    const int b = net_nchw_conv(g, a, 8, 3, 1, 1, 1);
    const int sum = net_relu(g, net_binary(g, OCT_BINARY_ADD, b, a));
    const int pool = net_nchw_max_pool(g, sum, 2, 2), side = net_nchw_conv(g, sum, 4, 1, 2, 0, 1);
    const int joined = net_concat(g, pool, side, 1);
    net_output(g, net_nchw_conv(g, net_unary(g, OCT_FN_TANH, 0, 0, joined), 5, 1, 1, 0, 1));
    oct_graph *o = net_optimized(g, &report);
    CHECK(net_count(o, OCT_OP_TRANSPOSE) == 2 && net_inner_transposes(o) == 0);
    CHECK(net_only(o, OCT_OP_CONCAT) && net_only(o, OCT_OP_CONCAT)->attrs.axis.axis == 3);
    CHECK(net_count(o, OCT_OP_BINARY) == 0 && net_changes(&report, "fuse-residual") == 1);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* An element function between a network input and the first bracket: the transpose moves to the very edge. */
static void the_edge_attracts(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 3, 6, 6);
    const int scaled = net_binary(g, OCT_BINARY_SUB, x, net_constant(g, &(oct_shape){3, {3, 1, 1}}, -1, 1));
    const int y = net_nchw_conv(g, net_unary(g, OCT_FN_ABS, 0, 0, scaled), 4, 3, 1, 1, 1);
    net_output(g, net_unary(g, OCT_FN_SIGMOID, 0, 0, y));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(net_count(o, OCT_OP_TRANSPOSE) == 2 && net_inner_transposes(o) == 0);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* Operators whose attributes name axes: pad, slice, softmax, reduce with and without keeping dimensions. */
static void attributes_follow(void)
{
    oct_optimize_report report;
    oct_graph *g = net_create();
    const int x = net_input(g, 2, 3, 7, 5);
    int y = net_nchw_conv(g, x, 6, 3, 1, 1, 1);
    y = net_node(g, OCT_OP_PAD, &(oct_attrs){.pad = {.mode = OCT_PAD_EDGE, .before = {0, 1, 2, 0}, .after = {0, 0, 0, 3}}}, &y, 1);
    const oct_attrs slice = {.slice = {.start = {0, 6, 1, 0}, .step = {1, -2, 1, 3}, .count = {2, 3, 7, 3}}};
    y = net_node(g, OCT_OP_SLICE, &slice, &y, 1);
    y = net_node(g, OCT_OP_SOFTMAX, &(oct_attrs){.softmax = {.axis = 1}}, &y, 1);
    const int mean = net_reduce(g, OCT_REDUCE_MEAN, y, 1 << 2 | 1 << 3, true);
    y = net_nchw_conv(g, net_binary(g, OCT_BINARY_MUL, y, mean), 4, 1, 1, 0, 1);
    net_output(g, net_reduce(g, OCT_REDUCE_MAX, y, 1 << 2 | 1 << 3, false));
    oct_graph *o = net_optimized(g, &report);
    CHECK(net_count(o, OCT_OP_TRANSPOSE) == 1 && net_inner_transposes(o) == 0);
    CHECK(net_changes(&report, "absorb-transposes") == 1);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* Constants of all broadcast kinds, scalars, and a variable of lower rank beside a group in another layout. */
static void operands_are_converted(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 3, 4, 5);
    int y = net_nchw_conv(g, x, 6, 1, 1, 0, 1);
    y = net_unary(g, OCT_FN_TANH, 0, 0, y);
    const oct_shape shapes[] = {{3, {6, 1, 1}}, {4, {1, 6, 4, 5}}, {1, {5}}, {2, {4, 1}}, {0, {0}}, {4, {1, 1, 1, 1}}};
    for (int i = 0; i < TEST_COUNT(shapes); i++)
        y = net_binary(g, i % 2 ? OCT_BINARY_SUB : OCT_BINARY_MAX, y, net_constant(g, &shapes[i], -1, 1));
    const int low = net_reduce(g, OCT_REDUCE_SUM, x, 1 << 0 | 1 << 1, false);   /* 4 x 5 */
    y = net_binary(g, OCT_BINARY_MUL, y, low);
    net_output(g, net_nchw_conv(g, y, 3, 3, 1, 1, 1));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(net_count(o, OCT_OP_TRANSPOSE) <= 2 && net_inner_transposes(o) == 0);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* Squeeze and excitation: the pooled side works on 1 x 1 pixels, where a transpose is a reshape. */
static void squeeze_and_excitation(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 4, 6, 6);
    const int y = net_relu(g, net_nchw_conv(g, x, 8, 3, 1, 1, 1));
    int s = net_reduce(g, OCT_REDUCE_MEAN, y, 1 << 2 | 1 << 3, true);
    s = net_relu(g, net_nchw_conv(g, s, 2, 1, 1, 0, 1));
    s = net_unary(g, OCT_FN_HARD_SIGMOID, 0.2f, 0.5f, net_nchw_conv(g, s, 8, 1, 1, 0, 1));
    net_output(g, net_nchw_conv(g, net_binary(g, OCT_BINARY_MUL, y, s), 4, 1, 1, 0, 1));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(net_count(o, OCT_OP_TRANSPOSE) == 2 && net_inner_transposes(o) == 0 && net_count(o, OCT_OP_RESHAPE) == 0);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* Flattening in the file's order: the dense layer's columns change places instead. Two layers share the weights. */
static void flatten_into_dense(void)
{
    oct_optimize_report report;
    oct_graph *g = net_create();
    const int x = net_input(g, 2, 3, 5, 4);
    const int y = net_relu(g, net_nchw_conv(g, x, 6, 3, 1, 1, 1));
    const int flat = net_reshape(g, y, &(oct_shape){2, {2, 120}});
    const int w = net_constant(g, &(oct_shape){2, {7, 120}}, -0.2f, 0.2f);
    net_output(g, net_node(g, OCT_OP_DENSE, NULL, (int[]){flat, w}, 2));
    net_output(g, net_relu(g, net_node(g, OCT_OP_DENSE, NULL, (int[]){flat, w}, 2)));
    const int other = net_reshape(g, net_nchw_conv(g, y, 6, 1, 1, 0, 1), &(oct_shape){2, {2, 120}});
    net_output(g, net_node(g, OCT_OP_DENSE, NULL, (int[]){other, w}, 2));
    oct_graph *o = net_optimized(g, &report);
    CHECK(net_count(o, OCT_OP_TRANSPOSE) == 1 && net_inner_transposes(o) == 0);
    CHECK(net_changes(&report, "absorb-transposes") == 2);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* Somebody else wants to see the flattened values: the transpose has to stay. */
static void flatten_for_others_stays(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 3, 5, 4);
    const int flat = net_reshape(g, net_nchw_conv(g, x, 6, 3, 1, 1, 1), &(oct_shape){2, {1, 120}});
    net_output(g, net_dense(g, flat, 7));
    net_output(g, net_unary(g, OCT_FN_TANH, 0, 0, flat));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(net_inner_transposes(o) == 1);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* No transpose can be saved here, but below the clamp it does not stand between convolution and clamp. */
static void transposes_go_down(void)
{
    oct_graph *g = net_create();
    int y = net_nchw_conv(g, net_input(g, 1, 3, 5, 4), 6, 3, 1, 1, 1);
    y = net_binary(g, OCT_BINARY_MUL, y, net_constant(g, &(oct_shape){3, {6, 1, 1}}, -2, 2));
    y = net_reshape(g, net_relu(g, y), &(oct_shape){2, {6, 20}});
    net_output(g, net_unary(g, OCT_FN_TANH, 0, 0, y));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(net_inner_transposes(o) == 1 && net_count(o, OCT_OP_BINARY) == 0 && net_count(o, OCT_OP_UNARY) == 1);
    CHECK(net_only(o, OCT_OP_CONV)->act.fn == OCT_FN_CLAMP);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* Channel shuffle (Zhang et al., "ShuffleNet", 2018): reshape, transpose, reshape between brackets becomes one transpose of
 * two axes. */
static void channel_shuffle(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 4, 5, 6);
    int y = net_nchw_conv(g, x, 12, 1, 1, 0, 1);
    y = net_reshape(g, y, &(oct_shape){5, {1, 3, 4, 5, 6}});
    y = net_transpose(g, y, "02134");
    y = net_reshape(g, y, &(oct_shape){4, {1, 12, 5, 6}});
    net_output(g, net_nchw_conv(g, y, 4, 1, 1, 0, 1));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(net_count(o, OCT_OP_TRANSPOSE) == 3 && net_inner_transposes(o) == 1);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* A group that reads its own values turned round: y + transpose(y). */
static void a_group_meets_itself(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 4, 4, 4);
    const int y = net_relu(g, net_nchw_conv(g, x, 4, 1, 1, 0, 1));
    const int sum = net_binary(g, OCT_BINARY_MUL, y, net_transpose(g, y, "0231"));
    net_output(g, net_nchw_conv(g, sum, 4, 1, 1, 0, 1));
    net_output(g, sum);
    oct_graph *o = net_optimized(g, NULL);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* Outputs in the middle of a group keep their names and their layout. */
static void outputs_inside(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 3, 6, 5);
    const int a = net_relu(g, net_nchw_conv(g, x, 4, 3, 1, 1, 1));
    net_output(g, a);
    const int b = net_unary(g, OCT_FN_ABS, 0, 0, a);
    net_output(g, b);
    net_output(g, net_nchw_conv(g, b, 2, 1, 1, 0, 1));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(net_inner_transposes(o) == 0);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* ------------------------------------------------------------------------------------------------ batch norm ---- */

static int per_channel(oct_graph *g, int64_t channels, float lo, float hi)
{
    return net_constant(g, &(oct_shape){1, {channels}}, lo, hi);
}

/* multiply, add, subtract from a constant, divide: all of it goes into the convolution before. */
static void affine_behind_a_conv(void)
{
    oct_optimize_report report;
    oct_graph *g = net_create();
    int y = net_conv(g, net_input(g, 1, 6, 6, 3), 5, 3, 1, 1, 1);
    y = net_binary(g, OCT_BINARY_MUL, y, per_channel(g, 5, -2, 2));
    y = net_binary(g, OCT_BINARY_ADD, per_channel(g, 5, -1, 1), y);
    y = net_binary(g, OCT_BINARY_SUB, per_channel(g, 5, -1, 1), y);
    y = net_binary(g, OCT_BINARY_DIV, y, net_constant(g, &(oct_shape){0, {0}}, 0.5f, 2));
    net_output(g, net_relu(g, y));
    oct_graph *o = net_optimized(g, &report);
    CHECK(o->node_count == 1 && o->nodes[0].op == OCT_OP_CONV && o->nodes[0].act.fn == OCT_FN_CLAMP);
    CHECK(net_changes(&report, "fold-batchnorm") == 4);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* The same in the importer's form: constants of C x 1 x 1 behind the bracket. */
static void imported_batchnorm(void)
{
    oct_graph *g = net_create();
    int y = net_nchw_conv(g, net_input(g, 1, 3, 6, 6), 5, 3, 1, 1, 1);
    y = net_binary(g, OCT_BINARY_MUL, y, net_constant(g, &(oct_shape){3, {5, 1, 1}}, -2, 2));
    y = net_binary(g, OCT_BINARY_ADD, y, net_constant(g, &(oct_shape){4, {1, 5, 1, 1}}, -2, 2));
    net_output(g, net_relu(g, y));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(o->node_count == 3 && net_count(o, OCT_OP_CONV) == 1 && net_count(o, OCT_OP_TRANSPOSE) == 2);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* Before a convolution without padding all can go; before one with padding only the factor. Groups and depthwise pick the
 * right channels. */
static void affine_before_a_conv(void)
{
    static const struct { int pad, groups, left; } cases[] = {{0, 1, 0}, {1, 1, 1}, {0, 2, 0}, {0, 0, 0}, {1, 0, 1}};
    for (int i = 0; i < TEST_COUNT(cases) && !test_failed(); i++) {
        oct_graph *g = net_create();
        int y = net_input(g, 1, 6, 5, 4);
        y = net_binary(g, OCT_BINARY_ADD, y, per_channel(g, 4, -1, 1));
        y = net_binary(g, OCT_BINARY_MUL, y, per_channel(g, 4, -2, 2));
        net_output(g, net_conv(g, y, 8, 3, 1, cases[i].pad, cases[i].groups));
        oct_graph *o = net_optimized(g, NULL);
        CHECK_MSG(net_count(o, OCT_OP_BINARY) == cases[i].left && net_count(o, OCT_OP_CONV) == 1, "case %d", i);
        oct_graph_free(o);
        oct_graph_free(g);
    }
}

static void affine_around_dense(void)
{
    oct_graph *g = net_create();
    int y = net_reshape(g, net_input(g, 3, 1, 1, 7), &(oct_shape){2, {3, 7}});
    y = net_binary(g, OCT_BINARY_SUB, y, per_channel(g, 7, -1, 1));
    y = net_binary(g, OCT_BINARY_DIV, y, per_channel(g, 7, 0.5f, 2));
    y = net_dense(g, y, 4);
    net_output(g, net_binary(g, OCT_BINARY_MUL, y, net_constant(g, &(oct_shape){2, {1, 4}}, -2, 2)));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(net_count(o, OCT_OP_BINARY) == 0 && net_count(o, OCT_OP_DENSE) == 1);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* What must not be folded: a sum others read too, a constant that is not per channel, a division by zero, shared weights
 * changed in place. */
static void affine_that_stays(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 4, 4, 3);
    const int shared = net_conv(g, x, 4, 1, 1, 0, 1);
    net_output(g, net_binary(g, OCT_BINARY_ADD, shared, per_channel(g, 4, -1, 1)));
    net_output(g, net_unary(g, OCT_FN_TANH, 0, 0, shared));
    net_output(g, net_binary(g, OCT_BINARY_ADD, net_conv(g, x, 4, 1, 1, 0, 1), net_constant(g, &(oct_shape){2, {4, 1}}, -1, 1)));
    const int zero = net_constant(g, &(oct_shape){1, {1}}, 0, 0);
    net_output(g, net_unary(g, OCT_FN_SIGMOID, 0, 0, net_binary(g, OCT_BINARY_DIV, net_conv(g, x, 4, 1, 1, 0, 1), zero)));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(net_count(o, OCT_OP_BINARY) == 3);
    oct_graph_free(o);
    oct_graph_free(g);
}

static void shared_weights_stay_whole(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 1, 2, 5), w = net_constant(g, &(oct_shape){2, {4, 5}}, -1, 1), b = per_channel(g, 4, -1, 1);
    const int one = net_node(g, OCT_OP_DENSE, NULL, (int[]){x, w, b}, 3);
    const int two = net_node(g, OCT_OP_DENSE, NULL, (int[]){net_unary(g, OCT_FN_ABS, 0, 0, x), w, b}, 3);
    net_output(g, net_binary(g, OCT_BINARY_MUL, one, per_channel(g, 4, -2, 2)));
    net_output(g, two);
    oct_graph *o = net_optimized(g, NULL);
    CHECK(net_count(o, OCT_OP_BINARY) == 0);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* Pre-activation residual block (He et al., "Identity Mappings in Deep Residual Networks", 2016), in the importer's form. */
static void preactivation_block(void)
{
    oct_optimize_report report;
    oct_graph *g = net_create();
    const int x = net_nchw_conv(g, net_input(g, 1, 3, 6, 6), 8, 3, 1, 1, 1);
    int y = net_binary(g, OCT_BINARY_MUL, x, net_constant(g, &(oct_shape){3, {8, 1, 1}}, -2, 2));
    y = net_relu(g, net_binary(g, OCT_BINARY_ADD, y, net_constant(g, &(oct_shape){3, {8, 1, 1}}, -2, 2)));
    y = net_relu(g, net_nchw_conv(g, y, 8, 3, 1, 1, 1));
    y = net_binary(g, OCT_BINARY_ADD, net_nchw_conv(g, y, 8, 3, 1, 1, 1), x);
    net_output(g, net_relu(g, net_nchw_max_pool(g, y, 2, 2)));
    oct_graph *o = net_optimized(g, &report);
    CHECK(net_changes(&report, "affine-to-depthwise") == 1 && net_changes(&report, "fuse-residual") == 1);
    CHECK(net_count(o, OCT_OP_CONV) == 4 && net_count(o, OCT_OP_BINARY) == 0 && net_count(o, OCT_OP_UNARY) == 0);
    CHECK(net_inner_transposes(o) == 0);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* Batch norm and scale, one after the other and with nothing to go into: one depthwise convolution, not two. */
static void an_affine_chain_is_one_depthwise(void)
{
    oct_optimize_report report;
    oct_graph *g = net_create();
    int y = net_max_pool(g, net_input(g, 1, 8, 8, 6), 2, 2);
    y = net_binary(g, OCT_BINARY_ADD, y, per_channel(g, 6, -1, 1));
    y = net_binary(g, OCT_BINARY_MUL, y, per_channel(g, 6, -2, 2));
    y = net_binary(g, OCT_BINARY_SUB, per_channel(g, 6, -1, 1), y);
    y = net_binary(g, OCT_BINARY_DIV, y, per_channel(g, 6, 0.5f, 2));
    net_output(g, net_conv(g, net_relu(g, y), 4, 3, 1, 1, 1));
    oct_graph *o = net_optimized(g, &report);
    CHECK(net_changes(&report, "affine-to-depthwise") == 1 && net_changes(&report, "fold-batchnorm") == 3);
    CHECK(net_count(o, OCT_OP_CONV) == 2 && o->node_count == 3);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* --------------------------------------------------------------------------------------------------- padding ---- */

static int pad_node(oct_graph *g, int x, float value, int top, int left, int bottom, int right)
{
    const oct_attrs attrs = {.pad = {.value = value, .before = {0, top, left, 0}, .after = {0, bottom, right, 0}}};
    return net_node(g, OCT_OP_PAD, &attrs, &x, 1);
}

static int average_node(oct_graph *g, int x, int pad, int count_include_pad)
{
    const oct_pool_attrs pool = {.kernel = {3, 3}, .stride = {2, 2}, .dilation = {1, 1}, .pad = {pad, pad, pad, pad},
                                 .count_include_pad = count_include_pad};
    return net_node(g, OCT_OP_AVERAGE_POOL, &(oct_attrs){.pool = pool}, &x, 1);
}

static void zero_borders_merge(void)
{
    oct_optimize_report report;
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 8, 7, 3);
    net_output(g, net_conv(g, pad_node(g, x, 0, 0, 1, 2, 0), 4, 3, 2, 1, 1));
    net_output(g, average_node(g, pad_node(g, x, 0, 1, 0, 1, 0), 0, 0));
    net_output(g, average_node(g, pad_node(g, x, 0, 1, 0, 0, 1), 1, 1));
    oct_graph *o = net_optimized(g, &report);
    CHECK(net_changes(&report, "merge-pads") == 3 && net_count(o, OCT_OP_PAD) == 0);
    oct_graph_free(o);
    oct_graph_free(g);
}

static void other_borders_stay(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 8, 7, 3);
    net_output(g, net_conv(g, pad_node(g, x, 0.5f, 1, 1, 1, 1), 4, 3, 1, 0, 1));     /* no zeros */
    net_output(g, net_conv(g, pad_node(g, x, 0, -1, 0, 1, 0), 4, 3, 1, 0, 1));       /* crops */
    net_output(g, average_node(g, pad_node(g, x, 0, 1, 0, 1, 0), 1, 0));             /* own padding does not count */
    net_output(g, average_node(g, pad_node(g, x, 0, 3, 0, 0, 0), 0, 0));             /* windows of nothing but padding */
    net_output(g, net_max_pool(g, pad_node(g, x, 0, 1, 1, 1, 1), 3, 1));             /* zeros count in a maximum */
    oct_graph *o = net_optimized(g, NULL);
    CHECK(net_count(o, OCT_OP_PAD) == 5);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* -------------------------------------------------------------------------------------------------- residual ---- */

/* Both sides could take the addition: the later one does, and the clamp comes after the sum. */
static void residual_goes_to_the_later(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 5, 5, 4);
    const int a = net_conv(g, x, 6, 3, 1, 1, 1), b = net_conv(g, x, 6, 1, 1, 0, 1);
    net_output(g, net_relu(g, net_binary(g, OCT_BINARY_ADD, a, b)));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(o->node_count == 2);
    const oct_node *last = &o->nodes[1];
    CHECK(last->in_count == 4 && last->in[OCT_IN_RESIDUAL] == o->nodes[0].out[0] && last->act.fn == OCT_FN_CLAMP);
    CHECK(last->attrs.conv.kernel[0] == 1 && o->nodes[0].act.fn == OCT_FN_NONE);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* The early conv is the only one that can take it, and what it adds comes later in the list: nodes change places. */
static void residual_computed_later(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 5, 5, 4);
    const int conv = net_conv(g, x, 4, 3, 1, 1, 1), other = net_unary(g, OCT_FN_TANH, 0, 0, x);
    net_output(g, net_binary(g, OCT_BINARY_ADD, conv, other));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(o->node_count == 2 && o->nodes[1].op == OCT_OP_CONV && o->nodes[1].in[OCT_IN_RESIDUAL] == o->nodes[0].out[0]);
    oct_graph_free(o);
    oct_graph_free(g);
}

static void residual_into_dense(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 1, 3, 6);
    net_output(g, net_binary(g, OCT_BINARY_ADD, x, net_dense(g, x, 6)));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(o->node_count == 1 && o->nodes[0].in[OCT_IN_RESIDUAL] == o->inputs[0]);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* Additions that have to stay: depthwise, broadcast, a sum read twice, an activation in between, x + f(x) over the conv itself. */
static void additions_that_stay(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 5, 5, 4);
    net_output(g, net_binary(g, OCT_BINARY_ADD, net_conv(g, x, 4, 3, 1, 1, 0), x));
    const int row = net_reduce(g, OCT_REDUCE_MEAN, x, 1 << 1, true);
    net_output(g, net_binary(g, OCT_BINARY_ADD, net_conv(g, x, 4, 1, 1, 0, 1), row));
    const int twice = net_conv(g, x, 4, 1, 1, 0, 1);
    net_output(g, net_binary(g, OCT_BINARY_ADD, twice, net_unary(g, OCT_FN_TANH, 0, 0, twice)));
    net_output(g, net_binary(g, OCT_BINARY_ADD, net_relu(g, net_conv(g, x, 4, 1, 1, 0, 1)), x));
    const int self = net_conv(g, x, 4, 1, 1, 0, 1);
    net_output(g, net_binary(g, OCT_BINARY_ADD, self, self));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(net_count(o, OCT_OP_BINARY) == 5);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* -------------------------------------------------------------------------------------------------- activation ---- */

static void clamps_intersect(void)
{
    oct_graph *g = net_create();
    int y = net_conv(g, net_input(g, 1, 5, 5, 4), 4, 1, 1, 0, 1);
    y = net_unary(g, OCT_FN_CLAMP, -0.5f, 2.0f, net_unary(g, OCT_FN_CLAMP, -1.0f, 0.25f, y));
    net_output(g, net_unary(g, OCT_FN_CLAMP, -INFINITY, INFINITY, y));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(o->node_count == 1 && o->nodes[0].act.fn == OCT_FN_CLAMP);
    CHECK(o->nodes[0].act.alpha == -0.5f && o->nodes[0].act.beta == 0.25f);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* Clamps that do not overlap leave one number; a clamp passes a max pool, but not one that others read, nor an output. */
static void clamps_at_the_border(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 6, 6, 4);
    net_output(g, net_unary(g, OCT_FN_CLAMP, 2, 3, net_unary(g, OCT_FN_CLAMP, 0, 1, net_conv(g, x, 4, 1, 1, 0, 1))));
    net_output(g, net_relu(g, net_max_pool(g, net_conv(g, x, 4, 1, 1, 0, 1), 2, 2)));
    const int seen = net_conv(g, x, 4, 1, 1, 0, 1);
    net_output(g, seen);
    net_output(g, net_relu(g, seen));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(net_count(o, OCT_OP_UNARY) == 1);
    CHECK(o->nodes[o->values[o->outputs[0]].producer].act.alpha == 2);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* Any function goes into a convolution or dense layer, but only one. */
static void other_activations(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 6, 6, 4);
    net_output(g, net_unary(g, OCT_FN_HARD_SWISH, 0, 0, net_conv(g, x, 4, 1, 1, 0, 1)));
    net_output(g, net_relu(g, net_unary(g, OCT_FN_TANH, 0, 0, net_conv(g, x, 4, 3, 1, 1, 0))));
    net_output(g, net_unary(g, OCT_FN_GELU, 0, 0, net_unary(g, OCT_FN_LEAKY_RELU, 0.2f, 0, net_dense(g, x, 3))));
    net_output(g, net_unary(g, OCT_FN_SIGMOID, 0, 0, net_relu(g, net_binary(g, OCT_BINARY_MUL, x, x))));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(o->node_count == 7 && net_count(o, OCT_OP_UNARY) == 3);
    CHECK(o->nodes[o->values[o->outputs[0]].producer].act.fn == OCT_FN_HARD_SWISH);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* ---------------------------------------------------------------------------------------------------- cleaning ---- */

static void identities_go(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 4, 4, 3);
    int y = net_unary(g, OCT_FN_TANH, 0, 0, x);
    y = net_reshape(g, net_reshape(g, y, &(oct_shape){2, {4, 12}}), &(oct_shape){4, {1, 4, 4, 3}});
    y = net_transpose(g, y, "0123");
    y = net_node(g, OCT_OP_PAD, &(oct_attrs){0}, &y, 1);
    y = net_node(g, OCT_OP_SLICE, &(oct_attrs){.slice = {.step = {1, 1, 1, 1}, .count = {1, 4, 4, 3}}}, &y, 1);
    y = net_node(g, OCT_OP_CONCAT, &(oct_attrs){.axis = {2}}, &y, 1);
    y = net_unary(g, OCT_FN_CLAMP, -INFINITY, INFINITY, y);
    y = net_binary(g, OCT_BINARY_ADD, y, net_constant(g, &(oct_shape){1, {3}}, 0, 0));
    y = net_binary(g, OCT_BINARY_MUL, net_constant(g, &(oct_shape){0, {0}}, 1, 1), y);
    y = net_max_pool(g, y, 1, 1);
    y = net_reduce(g, OCT_REDUCE_SUM, net_reshape(g, y, &(oct_shape){5, {1, 4, 4, 1, 3}}), 1 << 3, false);
    net_output(g, y);
    oct_graph *o = net_optimized(g, NULL);
    CHECK(o->node_count == 1 && o->nodes[0].op == OCT_OP_UNARY);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* An identity from input to output has to stay, and so has one between two outputs: both names are promised. */
static void identities_at_the_edge(void)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 4, 4, 3);
    net_output(g, net_reshape(g, x, &(oct_shape){4, {1, 4, 4, 3}}));
    const int y = net_unary(g, OCT_FN_TANH, 0, 0, x);
    net_output(g, y);
    net_output(g, net_reshape(g, y, &(oct_shape){4, {1, 4, 4, 3}}));
    oct_graph *o = net_optimized(g, NULL);
    CHECK(o->output_count == 3 && o->node_count == 3);
    oct_graph_free(o);
    oct_graph_free(g);
}

static void constants_fold(void)
{
    oct_optimize_report report;
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 4, 4, 3);
    const int c = net_constant(g, &(oct_shape){4, {1, 3, 4, 4}}, -1, 1);
    const int folded = net_unary(g, OCT_FN_SIGMOID, 0, 0, net_conv(g, net_transpose(g, c, "0231"), 3, 3, 1, 1, 1));
    const int sum = net_binary(g, OCT_BINARY_SUB, folded, net_constant(g, &(oct_shape){1, {3}}, -1, 1));
    net_output(g, net_binary(g, OCT_BINARY_MAX, x, sum));
    oct_graph *o = net_optimized(g, &report);
    CHECK(o->node_count == 1 && net_changes(&report, "fold-constants") == 4);
    oct_graph_free(o);
    oct_graph_free(g);
}

static void equal_and_dead_nodes_go(void)
{
    oct_optimize_report report;
    oct_graph *g = net_create();
    const int x = net_input(g, 1, 4, 4, 3);
    const int a = net_unary(g, OCT_FN_LEAKY_RELU, 0.1f, 0, net_unary(g, OCT_FN_TANH, 0, 0, x));
    const int b = net_unary(g, OCT_FN_LEAKY_RELU, 0.1f, 0, net_unary(g, OCT_FN_TANH, 0, 0, x));
    const int c = net_unary(g, OCT_FN_LEAKY_RELU, 0.2f, 0, net_unary(g, OCT_FN_TANH, 0, 0, x));
    net_conv(g, a, 7, 3, 1, 1, 1);
    net_output(g, net_binary(g, OCT_BINARY_MUL, net_binary(g, OCT_BINARY_ADD, a, b), c));
    oct_graph *o = net_optimized(g, &report);
    CHECK(net_count(o, OCT_OP_UNARY) == 3 && net_count(o, OCT_OP_CONV) == 0);
    CHECK(net_changes(&report, "merge-equal") == 3 && net_changes(&report, "drop-dead") == 1);
    oct_graph_free(o);
    oct_graph_free(g);
}

/* ----------------------------------------------------------------------------------------------------- whole ---- */

/* Imported-looking networks of all operators; and nothing is left to do the second time. */
static void random_networks_compute_the_same(void)
{
    for (int i = 0; i < 150 && !test_failed(); i++) {
        oct_optimize_report report;
        oct_graph *g = random_network(4 + i / 6);
        oct_graph *o = net_optimized(g, &report);
        if (o && !test_failed()) {
            if (oct_optimize(o, &report) != OCT_OK)
                test_fail(__FILE__, __LINE__, "%s", oct_error());
            for (int p = 0; p < report.count && !test_failed(); p++)
                if (report.passes[p].changes)
                    test_fail(__FILE__, __LINE__, "network %d: %s finds %d changes in an optimised graph", i, report.passes[p].name,
                              report.passes[p].changes);
        }
        if (test_failed())
            printf(" (network %d)", i);
        oct_graph_free(o);
        oct_graph_free(g);
    }
}

static void shared_models(void)
{
    static const char *const names[] = {"kws", "ic", "vww", "ad", "kws_tflite"};
    for (int i = 0; i < TEST_COUNT(names); i++) {
        char path[128];
        snprintf(path, sizeof path, "../shared/models/%s_fp32.onnx", names[i]);
        FILE *file = fopen(path, "rb");
        if (!file) {
            test_skip("no %s", path);
            return;
        }
        fclose(file);
        oct_graph *g;
        CHECK_OK(oct_import_onnx(path, NULL, &g));
        oct_graph *o = net_optimized(g, NULL);
        CHECK_MSG(net_inner_transposes(o) == 0, "%s: %d transposes inside", names[i], net_inner_transposes(o));
        CHECK_MSG(net_count(o, OCT_OP_UNARY) == 0 && net_count(o, OCT_OP_BINARY) == 0, "%s: something was not fused", names[i]);
        oct_graph_free(o);
        oct_graph_free(g);
    }
}

static void wrong_calls(void)
{
    CHECK(oct_optimize(NULL, NULL) == OCT_ERR_ARGUMENT);
    oct_graph *g = net_create();
    net_input(g, 1, 2, 2, 1);
    CHECK(oct_optimize(g, NULL) != OCT_OK);   /* no output */
    net_output(g, 77);
    CHECK(oct_optimize(g, NULL) == OCT_ERR_ARGUMENT);
    CHECK_MSG(strstr(oct_error(), "77"), "\"%s\"", oct_error());
    oct_graph_free(g);
}

static const test_case cases[] = {
    {"brackets_vanish", brackets_vanish},
    {"the_edge_attracts", the_edge_attracts},
    {"attributes_follow", attributes_follow},
    {"operands_are_converted", operands_are_converted},
    {"squeeze_and_excitation", squeeze_and_excitation},
    {"flatten_into_dense", flatten_into_dense},
    {"flatten_for_others_stays", flatten_for_others_stays},
    {"transposes_go_down", transposes_go_down},
    {"channel_shuffle", channel_shuffle},
    {"a_group_meets_itself", a_group_meets_itself},
    {"outputs_inside", outputs_inside},
    {"affine_behind_a_conv", affine_behind_a_conv},
    {"imported_batchnorm", imported_batchnorm},
    {"affine_before_a_conv", affine_before_a_conv},
    {"affine_around_dense", affine_around_dense},
    {"affine_that_stays", affine_that_stays},
    {"shared_weights_stay_whole", shared_weights_stay_whole},
    {"preactivation_block", preactivation_block},
    {"an_affine_chain_is_one_depthwise", an_affine_chain_is_one_depthwise},
    {"zero_borders_merge", zero_borders_merge},
    {"other_borders_stay", other_borders_stay},
    {"residual_goes_to_the_later", residual_goes_to_the_later},
    {"residual_computed_later", residual_computed_later},
    {"residual_into_dense", residual_into_dense},
    {"additions_that_stay", additions_that_stay},
    {"clamps_intersect", clamps_intersect},
    {"clamps_at_the_border", clamps_at_the_border},
    {"other_activations", other_activations},
    {"identities_go", identities_go},
    {"identities_at_the_edge", identities_at_the_edge},
    {"constants_fold", constants_fold},
    {"equal_and_dead_nodes_go", equal_and_dead_nodes_go},
    {"random_networks_compute_the_same", random_networks_compute_the_same},
    {"shared_models", shared_models},
    {"wrong_calls", wrong_calls},
};
static void __attribute__((constructor)) add_suite(void) { test_register("optimize", cases, TEST_COUNT(cases)); }

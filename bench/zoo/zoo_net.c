/* zoo_net.c - layers with weights made up on the spot, and what to expect of their outputs.
 *
 * Every call adds a node or two through oct_build_* and moves the tensor on: its shape, and the mean and variance of its elements
 * as if they were independent normal numbers. They are not, so the moments are estimates; that is enough to keep activations in
 * range (the tests look at the smaller networks).
 */
#include "zoo_net.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ------------------------------------------------------------------------------------------------ names ---- */

/* Longer than any "block.layer.part" of the zoo. A longer one would be cut, which does no harm: names are for people. */
#define NAME_SIZE 128

void zoo_enter(zoo_net *net, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(net->block, sizeof net->block, format, args);
    va_end(args);
}

void zoo_leave(zoo_net *net) { net->block[0] = '\0'; }

/* "block.name" */
static const char *full_name(const zoo_net *net, const char *name, char *text)
{
    snprintf(text, NAME_SIZE, "%s%s%s", net->block, net->block[0] ? "." : "", name);
    return text;
}

/* ---------------------------------------------------------------------------------------------- weights ---- */

/* Marsaglia, "Xorshift RNGs", 2003; uniform in [-1, 1). The state is never 0. */
static float random_weight(zoo_net *net)
{
    uint32_t x = net->random;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    net->random = x;
    return (float)(int32_t)x * 0x1p-31f;
}

/* Bell-shaped, as trained weights are: the sum of four. What int8 makes of a channel depends on it, for its largest weight becomes
 * 127. With uniform weights the mean would be 64 instead of some 35, and channels of 4608 products would leave the bound of exact
 * Winograd. */
static float bell_weight(zoo_net *net)
{
    float sum = 0;
    for (int i = 0; i < 4; i++)
        sum += random_weight(net);
    return sum;
}

#define LARGEST_BIAS 0.1f /* in deviations of the output: too little to show in its variance */

/* One output channel: sum w^2 = norm. */
static void fill_row(zoo_net *net, float *w, size_t count, double norm)
{
    double squares = 0;
    for (size_t i = 0; i < count; i++) {
        w[i] = bell_weight(net);
        squares += (double)w[i] * (double)w[i];
    }
    const float factor = (float)sqrt(norm / squares);
    for (size_t i = 0; i < count; i++)
        w[i] *= factor;
}

/* rows x count weights with the biases behind them; NULL, and remembered, if there is no memory. To be freed. */
static float *make_weights(zoo_net *net, const zoo_tensor *x, int rows, size_t count, double gain)
{
    const double norm = gain * gain / (x->variance + x->mean * x->mean);
    float *weights = malloc(((size_t)rows * count + (size_t)rows) * sizeof *weights);
    net->no_memory |= !weights;
    for (int r = 0; weights && r < rows; r++) {
        fill_row(net, weights + (size_t)r * count, count, norm);
        weights[(size_t)rows * count + (size_t)r] = LARGEST_BIAS * (float)gain * random_weight(net);
    }
    return weights;
}

/* ------------------------------------------------------------------------------------------ activations ---- */

/* As oct_build_unary_with and its kin compute them, in double. */
static double activation_of(zoo_act act, double x)
{
    switch (act) {
    case ZOO_RELU: return fmax(x, 0);
    case ZOO_RELU6: return fmin(fmax(x, 0), 6);
    case ZOO_HARD_SWISH: return x * fmin(fmax(x / 6 + 0.5, 0), 1);
    case ZOO_HARD_SIGMOID: return fmin(fmax(x / 6 + 0.5, 0), 1);
    default: return x;
    }
}

/* Mean and variance of act(x) for a normal x: the integral as a sum over +-5 standard deviations. */
static void expect_activation(zoo_tensor *x, zoo_act act)
{
    const double deviation = sqrt(x->variance), step = 0.1;
    double total = 0, sum = 0, squares = 0;
    for (int i = -50; i <= 50; i++) {
        const double density = exp(-0.5 * (step * i) * (step * i));
        const double y = activation_of(act, x->mean + deviation * step * i);
        total += density;
        sum += density * y;
        squares += density * y * y;
    }
    x->mean = sum / total;
    x->variance = squares / total - x->mean * x->mean;
}

zoo_tensor zoo_activate(zoo_net *net, zoo_tensor x, const char *name, zoo_act act)
{
    char full[NAME_SIZE];
    full_name(net, name, full);
    switch (act) {
    case ZOO_RELU: x.id = oct_build_relu(net->graph, full, x.id); break;
    case ZOO_RELU6: x.id = oct_build_relu6(net->graph, full, x.id); break;
    case ZOO_HARD_SWISH: x.id = oct_build_unary(net->graph, full, x.id, "hardswish"); break;
    case ZOO_HARD_SIGMOID: x.id = oct_build_unary_with(net->graph, full, x.id, "hardsigmoid", 1.0f / 6, 0.5f); break;
    default: return x;
    }
    expect_activation(&x, act);
    return x;
}

/* The activation of the layer `name`, "name.relu6": a node of its own, which the optimiser puts into the layer. */
static zoo_tensor activate_layer(zoo_net *net, zoo_tensor x, const char *name, zoo_act act)
{
    static const char *const suffixes[ZOO_ACTS] = {"", "relu", "relu6", "hardswish", "hardsigmoid"};
    char full[NAME_SIZE];
    snprintf(full, sizeof full, "%s.%s", name, suffixes[act]);
    return zoo_activate(net, x, full, act);
}

/* ----------------------------------------------------------------------------------- layers with weights ---- */

zoo_layer zoo_square(int kernel, int stride, int out, zoo_act act)
{
    return (zoo_layer){.out = out, .kernel = {kernel, kernel}, .stride = stride, .pad = {kernel / 2, kernel / 2}, .act = act};
}

/* As in oct_conv_desc, a zero stands for the usual value. */
static int or_one(int value) { return value ? value : 1; }

/* Padding before and after along one axis; returns the output's size. */
static int pad_axis(const zoo_layer *layer, int axis, int in, int *before, int *after)
{
    const int stride = or_one(layer->stride), kernel = layer->kernel[axis];
    *before = *after = layer->pad[axis];
    if (layer->same) {
        const int missing = ((in + stride - 1) / stride - 1) * stride + kernel - in;
        *before = missing > 0 ? missing / 2 : 0;
        *after = missing > 0 ? missing - *before : 0;
    }
    return (in + *before + *after - kernel) / stride + 1;
}

/* One group, or one group per channel: nothing between them occurs in the zoo. In OHWI order a row of weights is one output
 * channel in both cases, with kernel h x kernel w x C or x 1 numbers. */
zoo_tensor zoo_conv(zoo_net *net, zoo_tensor x, const char *name, const zoo_layer *layer)
{
    char full[NAME_SIZE];
    const int out = layer->out ? layer->out : x.c, groups = layer->out ? 1 : x.c;
    const double gain = layer->gain > 0 ? layer->gain : 1;
    oct_conv_desc desc = {.out_channels = out,
                          .kernel = {layer->kernel[0], layer->kernel[1]},
                          .stride = {layer->stride, layer->stride},
                          .groups = groups};
    zoo_tensor y = {.id = -1, .c = out, .mean = 0, .variance = gain * gain};
    y.h = pad_axis(layer, 0, x.h, &desc.pad[0], &desc.pad[2]);
    y.w = pad_axis(layer, 1, x.w, &desc.pad[1], &desc.pad[3]);
    const size_t count = (size_t)(layer->kernel[0] * layer->kernel[1]) * (size_t)(x.c / groups);
    float *weights = make_weights(net, &x, out, count, gain);
    if (weights)
        y.id = oct_build_conv(net->graph, full_name(net, name, full), x.id, &desc, weights, weights + (size_t)out * count);
    free(weights);
    return activate_layer(net, y, name, layer->act);
}

/* N x H x W x C as N x HWC. */
static zoo_tensor flatten(zoo_net *net, zoo_tensor x)
{
    char full[NAME_SIZE];
    full_name(net, "flatten", full);
    const int count = x.h * x.w * x.c;
    const oct_shape shape = {2, {1, count}};
    x.id = oct_build_reshape(net->graph, full, x.id, &shape);
    x.h = x.w = 1;
    x.c = count;
    x.flat = true;
    return x;
}

/* What comes from a dense layer is flat already. */
zoo_tensor zoo_dense(zoo_net *net, zoo_tensor x, const char *name, int out, zoo_act act)
{
    char full[NAME_SIZE];
    if (!x.flat)
        x = flatten(net, x);
    full_name(net, name, full);
    zoo_tensor y = {.id = -1, .h = 1, .w = 1, .c = out, .flat = true, .mean = 0, .variance = 1};
    float *weights = make_weights(net, &x, out, (size_t)x.c, 1);
    if (weights)
        y.id = oct_build_dense(net->graph, full, x.id, out, weights, weights + (size_t)out * (size_t)x.c);
    free(weights);
    return activate_layer(net, y, name, act);
}

/* ------------------------------------------------------------------------------------------------ pools ---- */

/* Moves x to the size of the output. Padded zeros count in the divisor of an average, as in PyTorch by default. */
static oct_pool_desc pool_desc(zoo_tensor *x, int kernel, int stride, int pad)
{
    x->h = (x->h + 2 * pad - kernel) / stride + 1;
    x->w = (x->w + 2 * pad - kernel) / stride + 1;
    return (oct_pool_desc){.kernel = {kernel, kernel}, .stride = {stride, stride}, .pad = {pad, pad, pad, pad},
                           .count_include_pad = 1};
}

/* Of n independent positive halves of normal numbers the largest is about 0.5 log2(n) deviations above the mean and varies as much
 * as each of them. */
zoo_tensor zoo_max_pool(zoo_net *net, zoo_tensor x, const char *name, int kernel, int stride, int pad)
{
    char full[NAME_SIZE];
    const oct_pool_desc desc = pool_desc(&x, kernel, stride, pad);
    x.id = oct_build_max_pool(net->graph, full_name(net, name, full), x.id, &desc);
    x.mean += log2(kernel) * sqrt(x.variance);
    return x;
}

/* Neighbours are not independent: a mean of n varies more than 1 / n would say. */
zoo_tensor zoo_average_pool(zoo_net *net, zoo_tensor x, const char *name, int kernel, int stride, int pad)
{
    char full[NAME_SIZE];
    const oct_pool_desc desc = pool_desc(&x, kernel, stride, pad);
    x.id = oct_build_average_pool(net->graph, full_name(net, name, full), x.id, &desc);
    x.variance /= kernel;
    return x;
}

/* The same rule with the picture as the kernel: h x w numbers average out like sqrt(h x w) independent ones. */
zoo_tensor zoo_global_pool(zoo_net *net, zoo_tensor x, const char *name)
{
    char full[NAME_SIZE];
    x.id = oct_build_global_average_pool(net->graph, full_name(net, name, full), x.id);
    x.variance /= sqrt((double)x.h * x.w);
    x.h = x.w = 1;
    return x;
}

/* --------------------------------------------------------------------------------- several inputs, edges ---- */

/* Both are taken as independent, which holds for a branch with weights of its own. */
zoo_tensor zoo_add(zoo_net *net, zoo_tensor a, zoo_tensor b, const char *name)
{
    char full[NAME_SIZE];
    a.id = oct_build_add(net->graph, full_name(net, name, full), a.id, b.id);
    a.mean += b.mean;
    a.variance += b.variance;
    return a;
}

/* For independent factors E(xs)^2 = E(x^2) E(s^2). */
zoo_tensor zoo_scale(zoo_net *net, zoo_tensor x, zoo_tensor scale, const char *name)
{
    char full[NAME_SIZE];
    x.id = oct_build_mul(net->graph, full_name(net, name, full), x.id, scale.id);
    const double mean = x.mean * scale.mean;
    x.variance = (x.variance + x.mean * x.mean) * (scale.variance + scale.mean * scale.mean) - mean * mean;
    x.mean = mean;
    return x;
}

/* The moments of a mixture: each part counts by its channels. */
zoo_tensor zoo_concat(zoo_net *net, const zoo_tensor *parts, int count, const char *name)
{
    char full[NAME_SIZE];
    oct_value_id ids[ZOO_MAX_PARTS];
    zoo_tensor y = {.h = parts[0].h, .w = parts[0].w};
    double squares = 0;
    for (int i = 0; i < count; i++) {
        const zoo_tensor *p = &parts[i];
        ids[i] = p->id;
        y.c += p->c;
        y.mean += p->c * p->mean;
        squares += p->c * (p->variance + p->mean * p->mean);
    }
    y.mean /= y.c;
    y.variance = squares / y.c - y.mean * y.mean;
    y.id = oct_build_concat(net->graph, full_name(net, name, full), ids, count, 3);
    return y;
}

/* Probabilities have no use for moments: nothing reads them but the output. */
zoo_tensor zoo_softmax(zoo_net *net, zoo_tensor x, const char *name)
{
    char full[NAME_SIZE];
    x.id = oct_build_softmax(net->graph, full_name(net, name, full), x.id, -1);
    return x;
}

/* Uniform in [-1, 1): variance 1/3. */
zoo_tensor zoo_input(zoo_net *net, int h, int w, int c)
{
    const oct_shape shape = {4, {1, h, w, c}};
    return (zoo_tensor){.id = oct_build_input(net->graph, "input", &shape), .h = h, .w = w, .c = c, .mean = 0, .variance = 1.0 / 3};
}

void zoo_output(zoo_net *net, zoo_tensor x) { oct_build_output(net->graph, "output", x.id); }

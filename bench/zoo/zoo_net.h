/* zoo_net.h - networks written down in a few words, on top of the oct_build_* calls: weights come by themselves.
 *
 *     zoo_tensor x = zoo_input(net, 224, 224, 3);
 *     x = zoo_conv(net, x, "conv1", &(zoo_layer){.out = 64, .kernel = {7, 7}, .stride = 2, .pad = {3, 3}, .act = ZOO_RELU});
 *     x = zoo_max_pool(net, x, "maxpool", 3, 2, 1);
 *     ...
 *
 * Weights are random, but of a size such as training with batch normalisation (Ioffe and Szegedy, 2015) leaves after folding: what
 * comes out of every layer has a mean square of about 1 before its activation. For that each tensor carries the mean and the
 * variance that its elements are expected to have, and each row w of the weights of a layer that reads x gets
 *
 *     sum w^2 = gain^2 / E(x^2)        E(x^2) = variance + mean^2
 *
 * which for a ReLU is what He et al. do ("Delving Deep into Rectifiers", 2015). Residual branches have a gain below 1, so that a
 * sum of many stays in range. Small errors (a quantized activation) are handed on in their size and do not grow with the depth:
 * taking the mean out, as batch normalisation does, would let them grow by 1.5 from ReLU to ReLU, and random deep networks become
 * chaotic.
 */
#ifndef BENCH_ZOO_NET_H
#define BENCH_ZOO_NET_H

#include <stdbool.h>
#include <stdint.h>

#include "octet_convert.h"

/* A network being built. The first failure is kept by the graph (oct_graph_status). */
typedef struct zoo_net {
    oct_graph *graph;
    uint32_t random;   /* state of the generator */
    bool no_memory;
    char block[64];    /* what the names of layers begin with */
} zoo_net;

/* A value of batch 1 on its way through the network. */
typedef struct zoo_tensor {
    oct_value_id id;
    int h, w, c;
    bool flat;               /* 1 x c, with h = w = 1; otherwise 1 x h x w x c */
    double mean, variance;   /* expected, over all its elements */
} zoo_tensor;

typedef enum zoo_act { ZOO_LINEAR, ZOO_RELU, ZOO_RELU6, ZOO_HARD_SWISH, ZOO_HARD_SIGMOID, ZOO_ACTS } zoo_act;

/* A convolution with its activation. */
typedef struct zoo_layer {
    int out;          /* channels; 0: a depthwise convolution, as many as come in */
    int kernel[2];    /* height, width */
    int stride;       /* 0: 1 */
    int pad[2];       /* above and below, left and right */
    bool same;        /* instead: as little as makes the output in / stride, the odd one below and right (TensorFlow's SAME) */
    zoo_act act;
    double gain;      /* standard deviation before the activation; 0: 1 */
} zoo_layer;

/* The gain of the last layer of a residual branch. */
#define ZOO_DAMPED 0.3

/* A square kernel, padded so that stride 1 keeps the size. */
zoo_layer zoo_square(int kernel, int stride, int out, zoo_act act);

/* The names of the layers that follow begin with this and a dot, until zoo_leave. */
void zoo_enter(zoo_net *net, const char *format, ...) __attribute__((format(printf, 2, 3)));
void zoo_leave(zoo_net *net);

/* The picture, "input": uniform numbers of [-1, 1). */
zoo_tensor zoo_input(zoo_net *net, int h, int w, int c);
/* The only output, "output". */
void zoo_output(zoo_net *net, zoo_tensor x);

zoo_tensor zoo_conv(zoo_net *net, zoo_tensor x, const char *name, const zoo_layer *layer);
/* Reads x as one vector. */
zoo_tensor zoo_dense(zoo_net *net, zoo_tensor x, const char *name, int out, zoo_act act);
/* The activation alone. */
zoo_tensor zoo_activate(zoo_net *net, zoo_tensor x, const char *name, zoo_act act);

zoo_tensor zoo_max_pool(zoo_net *net, zoo_tensor x, const char *name, int kernel, int stride, int pad);
zoo_tensor zoo_average_pool(zoo_net *net, zoo_tensor x, const char *name, int kernel, int stride, int pad);
zoo_tensor zoo_global_pool(zoo_net *net, zoo_tensor x, const char *name);

/* a + b, of the same shape. */
zoo_tensor zoo_add(zoo_net *net, zoo_tensor a, zoo_tensor b, const char *name);
/* x times one number per channel. */
zoo_tensor zoo_scale(zoo_net *net, zoo_tensor x, zoo_tensor scale, const char *name);
/* Side by side, channel after channel. */
#define ZOO_MAX_PARTS 8
zoo_tensor zoo_concat(zoo_net *net, const zoo_tensor *parts, int count, const char *name);
zoo_tensor zoo_softmax(zoo_net *net, zoo_tensor x, const char *name);

#endif

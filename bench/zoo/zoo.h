/* zoo.h - the model zoo: well-known networks with made-up weights, built through the public graph API.
 *
 * Speed does not depend on what weights say, as long as activations stay in an ordinary range (zoo_net.h); so the layers are those
 * of the papers and the weights random, the same for the same seed. Batch 1. Only octet_convert.h is used.
 */
#ifndef BENCH_ZOO_H
#define BENCH_ZOO_H

#include "failure.h"
#include "octet_convert.h"
#include "zoo_net.h"

typedef struct zoo_network {
    const char *name;      /* as in torchvision, where the network is there */
    int input[3];          /* height, width, channels */
    double million_macs;   /* multiply-accumulates of one picture, as the literature has them */
    void (*build)(zoo_net *net, zoo_tensor x);
    const char *source;    /* the paper */
} zoo_network;

size_t zoo_count(void);
const zoo_network *zoo_at(size_t index);
/* Case and punctuation do not matter: "MobileNetV2" is "mobilenet_v2". NULL for an unknown name. */
const zoo_network *zoo_find(const char *name);
/* "mobilenet_v1, mobilenet_v2, ...": what is possible, for messages. */
char *zoo_names(char *text, size_t size);

#define ZOO_SEED 1

/* The optimised float graph. seed may be any number but 0. */
bool zoo_float(const zoo_network *network, uint32_t seed, oct_graph **graph, failure *why);
/* Its int8 twin: static quantization, calibrated on a few random pictures. */
bool zoo_int8(const zoo_network *network, const oct_graph *graph, uint32_t seed, oct_graph **quantized, failure *why);

/* One network each: x is the input, and the output is marked. A file holds a family. */
void zoo_mobilenet_v1(zoo_net *net, zoo_tensor x);
void zoo_mobilenet_v2(zoo_net *net, zoo_tensor x);
void zoo_mobilenet_v3_large(zoo_net *net, zoo_tensor x);
void zoo_efficientnet_lite0(zoo_net *net, zoo_tensor x);
void zoo_inception_v3(zoo_net *net, zoo_tensor x);
void zoo_resnet18(zoo_net *net, zoo_tensor x);
void zoo_resnet50(zoo_net *net, zoo_tensor x);
void zoo_resnet101(zoo_net *net, zoo_tensor x);
void zoo_resnet152(zoo_net *net, zoo_tensor x);
void zoo_vgg16(zoo_net *net, zoo_tensor x);
void zoo_vgg19(zoo_net *net, zoo_tensor x);
void zoo_squeezenet1_1(zoo_net *net, zoo_tensor x);
void zoo_kws(zoo_net *net, zoo_tensor x);
void zoo_ic(zoo_net *net, zoo_tensor x);
void zoo_vww(zoo_net *net, zoo_tensor x);
void zoo_ad(zoo_net *net, zoo_tensor x);

/* The 13 separable blocks of MobileNetV1 with all channel numbers times `width`, up to the last one's output. */
zoo_tensor zoo_mobilenet_v1_features(zoo_net *net, zoo_tensor x, double width);

#endif

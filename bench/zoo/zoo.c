/* zoo.c - the list of networks, and the way from a name to a float graph and its int8 twin. */
#include "zoo.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

/* Multiply-accumulates: as torchvision's documentation has them; of MobileNetV1 as its paper has them; of EfficientNet-Lite0 what
 * EfficientNet-B0 has (390 M) less its squeeze-and-excites; of MLPerf Tiny counted on its reference models. */
static const zoo_network networks[] = {
    /* name              input            M MACs    build                   source */
    {"mobilenet_v1", {224, 224, 3}, 568.7, zoo_mobilenet_v1, "Howard et al., 2017"},
    {"mobilenet_v2", {224, 224, 3}, 300.8, zoo_mobilenet_v2, "Sandler et al., 2018"},
    {"mobilenet_v3_large", {224, 224, 3}, 216.6, zoo_mobilenet_v3_large, "Howard et al., 2019"},
    {"efficientnet_lite0", {224, 224, 3}, 385.2, zoo_efficientnet_lite0, "Tan and Le, 2019; tensorflow/tpu, 2020"},
    {"inception_v3", {299, 299, 3}, 5713, zoo_inception_v3, "Szegedy et al., 2015"},
    {"resnet18", {224, 224, 3}, 1814, zoo_resnet18, "He et al., 2015"},
    {"resnet50", {224, 224, 3}, 4089, zoo_resnet50, "He et al., 2015"},
    {"resnet101", {224, 224, 3}, 7801, zoo_resnet101, "He et al., 2015"},
    {"resnet152", {224, 224, 3}, 11514, zoo_resnet152, "He et al., 2015"},
    {"vgg16", {224, 224, 3}, 15470, zoo_vgg16, "Simonyan and Zisserman, 2014"},
    {"vgg19", {224, 224, 3}, 19632, zoo_vgg19, "Simonyan and Zisserman, 2014"},
    {"squeezenet1_1", {224, 224, 3}, 349.2, zoo_squeezenet1_1, "Iandola et al., 2016"},
    {"kws", {49, 10, 1}, 2.657, zoo_kws, "MLPerf Tiny, 2021: DS-CNN"},
    {"ic", {32, 32, 3}, 12.50, zoo_ic, "MLPerf Tiny, 2021: ResNet-8"},
    {"vww", {96, 96, 3}, 7.490, zoo_vww, "MLPerf Tiny, 2021: MobileNetV1, width 0.25"},
    {"ad", {1, 1, 640}, 0.2642, zoo_ad, "MLPerf Tiny, 2021: dense autoencoder"},
};

size_t zoo_count(void) { return sizeof networks / sizeof networks[0]; }

const zoo_network *zoo_at(size_t index) { return &networks[index]; }

/* ------------------------------------------------------------------------------------------------ names ---- */

/* The next letter or digit, small; 0 at the end. */
static int next_letter(const char **text)
{
    while (**text && !isalnum((unsigned char)**text))
        (*text)++;
    return **text ? tolower((unsigned char)*(*text)++) : 0;
}

/* Equal letter by letter, the end included. */
static bool same_name(const char *a, const char *b)
{
    int letter;
    do {
        letter = next_letter(&a);
        if (letter != next_letter(&b))
            return false;
    } while (letter);
    return true;
}

const zoo_network *zoo_find(const char *name)
{
    for (size_t i = 0; i < zoo_count(); i++)
        if (same_name(networks[i].name, name))
            return &networks[i];
    return NULL;
}

char *zoo_names(char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < zoo_count() && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", networks[i].name);
    return text;
}

/* --------------------------------------------------------------------------------------------- building ---- */

/* One look at the status is enough: after a failure the builder calls do nothing. Memory for weights is asked for outside the
 * graph, so its lack is told apart. */
bool zoo_float(const zoo_network *network, uint32_t seed, oct_graph **graph, failure *why)
{
    zoo_net net = {.random = seed};
    *graph = NULL;
    if (oct_graph_create(&net.graph) != OCT_OK)
        return fail_library(why, network->name);
    network->build(&net, zoo_input(&net, network->input[0], network->input[1], network->input[2]));
    if (net.no_memory) {
        oct_graph_free(net.graph);
        return fail_with(why, "%s: no memory for its weights", network->name);
    }
    if (oct_graph_status(net.graph) != OCT_OK || oct_optimize(net.graph, NULL) != OCT_OK) {
        oct_graph_free(net.graph);
        return fail_library(why, network->name);
    }
    *graph = net.graph;
    return true;
}

#define CALIBRATION_PICTURES 2 /* noise: one picture has nearly the range of the next */

/* Uniform in [-1, 1), as the weights expect their input. */
static void fill_picture(float *x, size_t count, uint32_t *random)
{
    for (size_t i = 0; i < count; i++) {
        *random = *random * 1664525u + 1013904223u;
        x[i] = (float)(*random >> 8) * 0x1p-23f - 1.0f;
    }
}

/* A network of the zoo has one input. */
static bool calibrate(const zoo_network *network, oct_calibration *calibration, uint32_t seed, failure *why)
{
    const size_t elements = (size_t)network->input[0] * (size_t)network->input[1] * (size_t)network->input[2];
    float *picture = malloc(elements * sizeof *picture);
    if (!picture)
        return fail_with(why, "%s: no memory for a picture", network->name);
    bool ok = true;
    for (int i = 0; i < CALIBRATION_PICTURES && ok; i++) {
        fill_picture(picture, elements, &seed);
        const void *inputs[] = {picture};
        ok = oct_calibration_add(calibration, inputs) == OCT_OK || fail_library(why, network->name);
    }
    free(picture);
    return ok;
}

/* The float graph stays as it is; the twin is a new one. */
bool zoo_int8(const zoo_network *network, const oct_graph *graph, uint32_t seed, oct_graph **quantized, failure *why)
{
    oct_calibration *calibration = NULL;
    *quantized = NULL;
    bool ok = oct_calibration_create(graph, NULL, &calibration) == OCT_OK || fail_library(why, network->name);
    ok = ok && calibrate(network, calibration, seed, why);
    if (ok && oct_quantize(graph, calibration, NULL, quantized) != OCT_OK)
        ok = fail_library(why, network->name);
    oct_calibration_free(calibration);
    return ok;
}

/* zoo_mobilenet.c - networks of depthwise convolutions.
 *
 *     MobileNetV1          Howard et al., "MobileNets: Efficient Convolutional Neural Networks for Mobile Vision
 *                          Applications", 2017
 *     MobileNetV2          Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", 2018
 *     MobileNetV3-Large    Howard et al., "Searching for MobileNetV3", 2019
 *     EfficientNet-Lite0   Tan and Le, "EfficientNet", 2019; Lite: no squeeze-and-excite, ReLU6 (tensorflow/tpu, 2020)
 *
 * V2 and V3 have the names and paddings of torchvision; V1 and Lite0 the SAME paddings of TensorFlow, where they come from.
 */
#include "zoo.h"

#define COUNT(list) (int)(sizeof(list) / sizeof((list)[0]))

/* A depthwise convolution. */
static zoo_tensor depthwise(zoo_net *net, zoo_tensor x, const char *name, int kernel, int stride, zoo_act act)
{
    const zoo_layer layer = zoo_square(kernel, stride, 0, act);
    return zoo_conv(net, x, name, &layer);
}

static zoo_tensor pointwise(zoo_net *net, zoo_tensor x, const char *name, int out, zoo_act act)
{
    const zoo_layer layer = zoo_square(1, 1, out, act);
    return zoo_conv(net, x, name, &layer);
}

/* The end of a block without activation; damped if an addition follows. */
static zoo_tensor project(zoo_net *net, zoo_tensor x, const char *name, int out, bool residual)
{
    zoo_layer layer = zoo_square(1, 1, out, ZOO_LINEAR);
    layer.gain = residual ? ZOO_DAMPED : 1;
    return zoo_conv(net, x, name, &layer);
}

/* ------------------------------------------------------------------------------------------ MobileNetV1 ---- */

/* Depthwise 3x3 and pointwise, 13 times. */
zoo_tensor zoo_mobilenet_v1_features(zoo_net *net, zoo_tensor x, double width)
{
    static const struct {
        int stride, out;
    } blocks[] = {{1, 64},  {2, 128}, {1, 128}, {2, 256}, {1, 256},  {2, 512}, {1, 512},
                  {1, 512}, {1, 512}, {1, 512}, {1, 512}, {2, 1024}, {1, 1024}};
    zoo_layer layer = {.out = (int)(32 * width), .kernel = {3, 3}, .stride = 2, .same = true, .act = ZOO_RELU6};
    x = zoo_conv(net, x, "conv1", &layer);
    for (int i = 0; i < COUNT(blocks); i++) {
        zoo_enter(net, "block%d", i + 1);
        layer.stride = blocks[i].stride;
        layer.out = 0;
        x = zoo_conv(net, x, "depthwise", &layer);
        x = pointwise(net, x, "pointwise", (int)(blocks[i].out * width), ZOO_RELU6);
    }
    zoo_leave(net);
    return x;
}

void zoo_mobilenet_v1(zoo_net *net, zoo_tensor x)
{
    x = zoo_mobilenet_v1_features(net, x, 1);
    x = zoo_global_pool(net, x, "pool");
    zoo_output(net, zoo_dense(net, x, "fc", 1000, ZOO_LINEAR));
}

/* ------------------------------------------------------------------------------------------ MobileNetV2 ---- */

/* Expand, depthwise, project, add. Torchvision numbers the steps; the block without expansion has one less. */
static zoo_tensor inverted_residual(zoo_net *net, zoo_tensor x, int expand, int stride, int out)
{
    static const char *const names[] = {"conv.0", "conv.1", "conv.2"};
    const bool residual = stride == 1 && x.c == out;
    zoo_tensor y = x;
    int step = 0;
    if (expand > 1)
        y = pointwise(net, y, names[step++], expand * x.c, ZOO_RELU6);
    y = depthwise(net, y, names[step++], 3, stride, ZOO_RELU6);
    y = project(net, y, names[step], out, residual);
    return residual ? zoo_add(net, x, y, "add") : y;
}

/* A stage is `repeat` blocks; only the first of them has the stride. */
void zoo_mobilenet_v2(zoo_net *net, zoo_tensor x)
{
    static const struct {
        int expand, out, repeat, stride;
    } stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    const zoo_layer stem = zoo_square(3, 2, 32, ZOO_RELU6);
    int block = 1;
    x = zoo_conv(net, x, "features.0", &stem);
    for (int s = 0; s < COUNT(stages); s++)
        for (int r = 0; r < stages[s].repeat; r++) {
            zoo_enter(net, "features.%d", block++);
            x = inverted_residual(net, x, stages[s].expand, r == 0 ? stages[s].stride : 1, stages[s].out);
        }
    zoo_leave(net);
    x = pointwise(net, x, "features.18", 1280, ZOO_RELU6);
    x = zoo_global_pool(net, x, "pool");
    zoo_output(net, zoo_dense(net, x, "classifier", 1000, ZOO_LINEAR));
}

/* ------------------------------------------------------------------------------------------ MobileNetV3 ---- */

/* The multiple of 8 nearest to c / 4, and never below 90 % of it. */
static int squeezed(int c)
{
    const int nearest = (c / 4 + 4) / 8 * 8;
    return nearest < 8 ? 8 : nearest * 40 < 9 * c ? nearest + 8 : nearest;
}

/* Hu et al., "Squeeze-and-Excitation Networks", 2018: one factor per channel, from the means of all channels. */
static zoo_tensor squeeze_excite(zoo_net *net, zoo_tensor x)
{
    zoo_tensor s = zoo_global_pool(net, x, "se.pool");
    s = pointwise(net, s, "se.fc1", squeezed(x.c), ZOO_RELU);
    s = pointwise(net, s, "se.fc2", x.c, ZOO_HARD_SIGMOID);
    return zoo_scale(net, x, s, "se.mul");
}

typedef struct v3_block {
    int kernel, expanded, out;
    bool squeeze;
    int stride;
} v3_block;

static zoo_tensor v3_residual(zoo_net *net, zoo_tensor x, const v3_block *b, zoo_act act)
{
    const bool residual = b->stride == 1 && x.c == b->out;
    zoo_tensor y = x;
    if (b->expanded != x.c)
        y = pointwise(net, y, "expand", b->expanded, act);
    y = depthwise(net, y, "depthwise", b->kernel, b->stride, act);
    if (b->squeeze)
        y = squeeze_excite(net, y);
    y = project(net, y, "project", b->out, residual);
    return residual ? zoo_add(net, x, y, "add") : y;
}

/* Table 1 of the paper. */
void zoo_mobilenet_v3_large(zoo_net *net, zoo_tensor x)
{
    static const v3_block blocks[] = {
        {3, 16, 16, false, 1},  {3, 64, 24, false, 2},  {3, 72, 24, false, 1},  {5, 72, 40, true, 2},   {5, 120, 40, true, 1},
        {5, 120, 40, true, 1},  {3, 240, 80, false, 2}, {3, 200, 80, false, 1}, {3, 184, 80, false, 1}, {3, 184, 80, false, 1},
        {3, 480, 112, true, 1}, {3, 672, 112, true, 1}, {5, 672, 160, true, 2}, {5, 960, 160, true, 1}, {5, 960, 160, true, 1},
    };
    const int first_swish = 6;
    const zoo_layer stem = zoo_square(3, 2, 16, ZOO_HARD_SWISH);
    x = zoo_conv(net, x, "features.0", &stem);
    for (int i = 0; i < COUNT(blocks); i++) {
        zoo_enter(net, "features.%d", i + 1);
        x = v3_residual(net, x, &blocks[i], i < first_swish ? ZOO_RELU : ZOO_HARD_SWISH);
    }
    zoo_leave(net);
    x = pointwise(net, x, "features.16", 960, ZOO_HARD_SWISH);
    x = zoo_global_pool(net, x, "pool");
    x = zoo_dense(net, x, "classifier.0", 1280, ZOO_HARD_SWISH);
    zoo_output(net, zoo_dense(net, x, "classifier.3", 1000, ZOO_LINEAR));
}

/* ----------------------------------------------------------------------------------- EfficientNet-Lite0 ---- */

/* As in MobileNetV2, with 5x5 kernels in some stages. */
static zoo_tensor mbconv(zoo_net *net, zoo_tensor x, int expand, int kernel, int stride, int out)
{
    const bool residual = stride == 1 && x.c == out;
    const zoo_layer middle = {.kernel = {kernel, kernel}, .stride = stride, .same = true, .act = ZOO_RELU6};
    zoo_tensor y = expand > 1 ? pointwise(net, x, "expand", expand * x.c, ZOO_RELU6) : x;
    y = zoo_conv(net, y, "depthwise", &middle);
    y = project(net, y, "project", out, residual);
    return residual ? zoo_add(net, x, y, "add") : y;
}

void zoo_efficientnet_lite0(zoo_net *net, zoo_tensor x)
{
    static const struct {
        int expand, kernel, out, repeat, stride;
    } stages[] = {{1, 3, 16, 1, 1}, {6, 3, 24, 2, 2}, {6, 5, 40, 2, 2}, {6, 3, 80, 3, 2},
                  {6, 5, 112, 3, 1}, {6, 5, 192, 4, 2}, {6, 3, 320, 1, 1}};
    const zoo_layer stem = {.out = 32, .kernel = {3, 3}, .stride = 2, .same = true, .act = ZOO_RELU6};
    int block = 0;
    x = zoo_conv(net, x, "stem", &stem);
    for (int s = 0; s < COUNT(stages); s++)
        for (int r = 0; r < stages[s].repeat; r++) {
            zoo_enter(net, "blocks.%d", block++);
            x = mbconv(net, x, stages[s].expand, stages[s].kernel, r == 0 ? stages[s].stride : 1, stages[s].out);
        }
    zoo_leave(net);
    x = pointwise(net, x, "head", 1280, ZOO_RELU6);
    x = zoo_global_pool(net, x, "pool");
    zoo_output(net, zoo_dense(net, x, "fc", 1000, ZOO_LINEAR));
}

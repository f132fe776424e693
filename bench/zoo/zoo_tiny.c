/* zoo_tiny.c - Banbury et al., "MLPerf Tiny Benchmark", 2021: its networks for microcontrollers; the fourth, ResNet-8, is in
 * zoo_resnet.c. */
#include "zoo.h"

/* Keyword spotting: 49 frames of 10 coefficients; the DS-CNN of Zhang et al., "Hello Edge: Keyword Spotting on Microcontrollers",
 * 2017. */
void zoo_kws(zoo_net *net, zoo_tensor x)
{
    const zoo_layer front = {.out = 64, .kernel = {10, 4}, .stride = 2, .same = true, .act = ZOO_RELU};
    const zoo_layer depthwise = zoo_square(3, 1, 0, ZOO_RELU), pointwise = zoo_square(1, 1, 64, ZOO_RELU);
    x = zoo_conv(net, x, "conv1", &front);
    for (int i = 0; i < 4; i++) {
        zoo_enter(net, "block%d", i + 1);
        x = zoo_conv(net, x, "depthwise", &depthwise);
        x = zoo_conv(net, x, "pointwise", &pointwise);
    }
    zoo_leave(net);
    x = zoo_global_pool(net, x, "pool");
    x = zoo_dense(net, x, "fc", 12, ZOO_LINEAR);
    zoo_output(net, zoo_softmax(net, x, "softmax"));
}

/* Visual wake words: is there a person in 96 x 96 pixels? MobileNetV1 with a quarter of its channels. */
void zoo_vww(zoo_net *net, zoo_tensor x)
{
    x = zoo_mobilenet_v1_features(net, x, 0.25);
    x = zoo_global_pool(net, x, "pool");
    x = zoo_dense(net, x, "fc", 2, ZOO_LINEAR);
    zoo_output(net, zoo_softmax(net, x, "softmax"));
}

/* Anomaly detection: 5 frames of 128 mel energies through a bottleneck of 8 numbers and back. */
void zoo_ad(zoo_net *net, zoo_tensor x)
{
    static const int widths[] = {128, 128, 128, 128, 8, 128, 128, 128, 128};
    static const char *const names[] = {"fc1", "fc2", "fc3", "fc4", "fc5", "fc6", "fc7", "fc8", "fc9"};
    for (int i = 0; i < 9; i++)
        x = zoo_dense(net, x, names[i], widths[i], ZOO_RELU);
    zoo_output(net, zoo_dense(net, x, "fc10", 640, ZOO_LINEAR));
}

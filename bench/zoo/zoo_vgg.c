/* zoo_vgg.c - networks without branches, or with small ones.
 *
 *     VGG16, VGG19    Simonyan and Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", 2014
 *     SqueezeNet 1.1  Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016; 1.1 is of
 *                     their repository
 */
#include "zoo.h"

/* Five stages of 3x3 convolutions with a pool after each, and three large dense layers: 90 % of the weights. */
static void vgg(zoo_net *net, zoo_tensor x, const int convs[5])
{
    static const int widths[5] = {64, 128, 256, 512, 512};
    static const char *const names[] = {"conv1", "conv2", "conv3", "conv4"};
    for (int s = 0; s < 5; s++) {
        const zoo_layer layer = zoo_square(3, 1, widths[s], ZOO_RELU);
        zoo_enter(net, "stage%d", s + 1);
        for (int i = 0; i < convs[s]; i++)
            x = zoo_conv(net, x, names[i], &layer);
        x = zoo_max_pool(net, x, "pool", 2, 2, 0);
    }
    zoo_leave(net);
    x = zoo_dense(net, x, "fc6", 4096, ZOO_RELU);
    x = zoo_dense(net, x, "fc7", 4096, ZOO_RELU);
    zoo_output(net, zoo_dense(net, x, "fc8", 1000, ZOO_LINEAR));
}

void zoo_vgg16(zoo_net *net, zoo_tensor x) { vgg(net, x, (const int[]){2, 2, 3, 3, 3}); }
void zoo_vgg19(zoo_net *net, zoo_tensor x) { vgg(net, x, (const int[]){2, 2, 4, 4, 4}); }

/* Few channels out of a 1x1 convolution, and back to many through 1x1 and 3x3 beside each other. */
static zoo_tensor fire(zoo_net *net, zoo_tensor x, int squeeze, int expand)
{
    const zoo_layer narrow = zoo_square(1, 1, squeeze, ZOO_RELU);
    const zoo_layer one = zoo_square(1, 1, expand, ZOO_RELU), three = zoo_square(3, 1, expand, ZOO_RELU);
    x = zoo_conv(net, x, "squeeze", &narrow);
    zoo_tensor parts[2];
    parts[0] = zoo_conv(net, x, "expand1x1", &one);
    parts[1] = zoo_conv(net, x, "expand3x3", &three);
    return zoo_concat(net, parts, 2, "concat");
}

void zoo_squeezenet1_1(zoo_net *net, zoo_tensor x)
{
    static const struct {
        int squeeze, expand;
        bool pool;   /* before it */
    } fires[] = {{16, 64, true},   {16, 64, false},  {32, 128, true},  {32, 128, false},
                 {48, 192, true},  {48, 192, false}, {64, 256, false}, {64, 256, false}};
    const zoo_layer stem = {.out = 64, .kernel = {3, 3}, .stride = 2, .act = ZOO_RELU};
    const zoo_layer classes = zoo_square(1, 1, 1000, ZOO_RELU);
    x = zoo_conv(net, x, "conv1", &stem);
    for (int i = 0; i < 8; i++) {
        zoo_enter(net, "fire%d", i + 2);
        if (fires[i].pool)
            x = zoo_max_pool(net, x, "pool", 3, 2, 0);
        x = fire(net, x, fires[i].squeeze, fires[i].expand);
    }
    zoo_leave(net);
    x = zoo_conv(net, x, "classifier", &classes);
    zoo_output(net, zoo_global_pool(net, x, "pool"));
}

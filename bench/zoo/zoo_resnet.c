/* zoo_resnet.c - He et al., "Deep Residual Learning for Image Recognition", 2015, as in torchvision: the stride of a bottleneck is
 * in its 3x3 convolution ("ResNet v1.5"). */
#include "zoo.h"

/* The last convolution of a branch: no activation, since an addition follows. */
static zoo_tensor last_of_branch(zoo_net *net, zoo_tensor x, const char *name, int kernel, int stride, int out, double gain)
{
    zoo_layer layer = zoo_square(kernel, stride, out, ZOO_LINEAR);
    layer.gain = gain;
    return zoo_conv(net, x, name, &layer);
}

/* The branch's end, and beside it x as it is or brought to the same shape. */
static zoo_tensor join(zoo_net *net, zoo_tensor x, zoo_tensor y, int stride)
{
    if (stride > 1 || x.c != y.c)
        x = last_of_branch(net, x, "downsample", 1, stride, y.c, 1);
    return zoo_activate(net, zoo_add(net, x, y, "add"), "relu", ZOO_RELU);
}

/* 3x3, 3x3. */
static zoo_tensor basic_block(zoo_net *net, zoo_tensor x, int width, int stride)
{
    const zoo_layer first = zoo_square(3, stride, width, ZOO_RELU);
    const zoo_tensor y = zoo_conv(net, x, "conv1", &first);
    return join(net, x, last_of_branch(net, y, "conv2", 3, 1, width, ZOO_DAMPED), stride);
}

/* 1x1 down, 3x3, 1x1 up to four times the width. */
static zoo_tensor bottleneck(zoo_net *net, zoo_tensor x, int width, int stride)
{
    const zoo_layer down = zoo_square(1, 1, width, ZOO_RELU), middle = zoo_square(3, stride, width, ZOO_RELU);
    zoo_tensor y = zoo_conv(net, x, "conv1", &down);
    y = zoo_conv(net, y, "conv2", &middle);
    return join(net, x, last_of_branch(net, y, "conv3", 1, 1, 4 * width, ZOO_DAMPED), stride);
}

typedef zoo_tensor block_builder(zoo_net *net, zoo_tensor x, int width, int stride);

/* Four layers of blocks; each but the first halves the picture and doubles the width. */
static void resnet(zoo_net *net, zoo_tensor x, block_builder *block, const int counts[4])
{
    const zoo_layer stem = zoo_square(7, 2, 64, ZOO_RELU);
    x = zoo_conv(net, x, "conv1", &stem);
    x = zoo_max_pool(net, x, "maxpool", 3, 2, 1);
    for (int layer = 0; layer < 4; layer++)
        for (int i = 0; i < counts[layer]; i++) {
            zoo_enter(net, "layer%d.%d", layer + 1, i);
            x = block(net, x, 64 << layer, layer > 0 && i == 0 ? 2 : 1);
        }
    zoo_leave(net);
    x = zoo_global_pool(net, x, "avgpool");
    zoo_output(net, zoo_dense(net, x, "fc", 1000, ZOO_LINEAR));
}

void zoo_resnet18(zoo_net *net, zoo_tensor x) { resnet(net, x, basic_block, (const int[]){2, 2, 2, 2}); }
void zoo_resnet50(zoo_net *net, zoo_tensor x) { resnet(net, x, bottleneck, (const int[]){3, 4, 6, 3}); }
void zoo_resnet101(zoo_net *net, zoo_tensor x) { resnet(net, x, bottleneck, (const int[]){3, 4, 23, 3}); }
void zoo_resnet152(zoo_net *net, zoo_tensor x) { resnet(net, x, bottleneck, (const int[]){3, 8, 36, 3}); }

/* ResNet-8 for pictures of 32 x 32 (MLPerf Tiny, image classification): three stacks of one basic block, no pool at the front. */
void zoo_ic(zoo_net *net, zoo_tensor x)
{
    const zoo_layer stem = zoo_square(3, 1, 16, ZOO_RELU);
    x = zoo_conv(net, x, "conv1", &stem);
    for (int stack = 0; stack < 3; stack++) {
        zoo_enter(net, "stack%d", stack + 1);
        x = basic_block(net, x, 16 << stack, stack > 0 ? 2 : 1);
    }
    zoo_leave(net);
    x = zoo_global_pool(net, x, "avgpool");
    x = zoo_dense(net, x, "fc", 10, ZOO_LINEAR);
    zoo_output(net, zoo_softmax(net, x, "softmax"));
}

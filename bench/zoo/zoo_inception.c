/* zoo_inception.c - Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", 2015: InceptionV3 with the names
 * of torchvision, without the auxiliary classifier, which serves training only.
 *
 *     stem      299x299x3 -> 35x35x192
 *     5b 5c 5d  A: 1x1 | 1x1 5x5 | 1x1 3x3 3x3 | pool 1x1                     35x35x288
 *     6a        B: 3x3/2 | 1x1 3x3 3x3/2 | pool/2                              17x17x768
 *     6b .. 6e  C: 1x1 | 1x1 1x7 7x1 | 1x1 7x1 1x7 7x1 1x7 | pool 1x1          17x17x768
 *     7a        D: 1x1 3x3/2 | 1x1 1x7 7x1 3x3/2 | pool/2                      8x8x1280
 *     7b 7c     E: 1x1 | 1x1 (1x3 | 3x1) | 1x1 3x3 (1x3 | 3x1) | pool 1x1      8x8x2048
 *
 * The branches of a block, between bars, all read the block's input; their outputs are put side by side.
 */
#include "zoo.h"

/* A convolution of a branch; every one has a ReLU behind it. */
typedef struct branch_conv {
    const char *name;
    int kernel_h, kernel_w;
    int out;
    int stride;   /* 2: without padding */
} branch_conv;

#define MAX_CONVS 5

/* Convolutions one after the other, up to the first row without a name. */
typedef branch_conv branch_convs[MAX_CONVS + 1];

/* Padded so that stride 1 keeps the size: a 1x7 kernel gets 3 columns on each side and no rows. */
static zoo_tensor branch(zoo_net *net, zoo_tensor x, const branch_conv *conv)
{
    for (; conv->name; conv++) {
        const bool padded = conv->stride != 2;
        const zoo_layer layer = {.out = conv->out,
                                 .kernel = {conv->kernel_h, conv->kernel_w},
                                 .stride = conv->stride,
                                 .pad = {padded ? conv->kernel_h / 2 : 0, padded ? conv->kernel_w / 2 : 0},
                                 .act = ZOO_RELU};
        x = zoo_conv(net, x, conv->name, &layer);
    }
    return x;
}

/* A 3x3 average with stride 1 and a 1x1 convolution behind it. */
static zoo_tensor branch_pool(zoo_net *net, zoo_tensor x, int out)
{
    x = zoo_average_pool(net, x, "pool", 3, 1, 1);
    return branch(net, x, (branch_convs){{"branch_pool", 1, 1, out, 1}});
}

/* 35x35: 1x1, 5x5 and two 3x3 beside each other. */
static zoo_tensor inception_a(zoo_net *net, zoo_tensor x, int pool_c)
{
    zoo_tensor parts[4];
    parts[0] = branch(net, x, (branch_convs){{"branch1x1", 1, 1, 64, 1}});
    parts[1] = branch(net, x, (branch_convs){{"branch5x5_1", 1, 1, 48, 1}, {"branch5x5_2", 5, 5, 64, 1}});
    parts[2] = branch(net, x, (branch_convs){{"branch3x3dbl_1", 1, 1, 64, 1},
                                             {"branch3x3dbl_2", 3, 3, 96, 1},
                                             {"branch3x3dbl_3", 3, 3, 96, 1}});
    parts[3] = branch_pool(net, x, pool_c);
    return zoo_concat(net, parts, 4, "concat");
}

/* 35x35 -> 17x17: two convolutions with stride 2 and a pool. */
static zoo_tensor inception_b(zoo_net *net, zoo_tensor x)
{
    zoo_tensor parts[3];
    parts[0] = branch(net, x, (branch_convs){{"branch3x3", 3, 3, 384, 2}});
    parts[1] = branch(net, x, (branch_convs){{"branch3x3dbl_1", 1, 1, 64, 1},
                                             {"branch3x3dbl_2", 3, 3, 96, 1},
                                             {"branch3x3dbl_3", 3, 3, 96, 2}});
    parts[2] = zoo_max_pool(net, x, "pool", 3, 2, 0);
    return zoo_concat(net, parts, 3, "concat");
}

/* 17x17: 7x7 taken apart into 1x7 and 7x1. */
static zoo_tensor inception_c(zoo_net *net, zoo_tensor x, int c)
{
    zoo_tensor parts[4];
    parts[0] = branch(net, x, (branch_convs){{"branch1x1", 1, 1, 192, 1}});
    parts[1] = branch(net, x, (branch_convs){{"branch7x7_1", 1, 1, c, 1},
                                             {"branch7x7_2", 1, 7, c, 1},
                                             {"branch7x7_3", 7, 1, 192, 1}});
    parts[2] = branch(net, x, (branch_convs){{"branch7x7dbl_1", 1, 1, c, 1},
                                             {"branch7x7dbl_2", 7, 1, c, 1},
                                             {"branch7x7dbl_3", 1, 7, c, 1},
                                             {"branch7x7dbl_4", 7, 1, c, 1},
                                             {"branch7x7dbl_5", 1, 7, 192, 1}});
    parts[3] = branch_pool(net, x, 192);
    return zoo_concat(net, parts, 4, "concat");
}

/* 17x17 -> 8x8. */
static zoo_tensor inception_d(zoo_net *net, zoo_tensor x)
{
    zoo_tensor parts[3];
    parts[0] = branch(net, x, (branch_convs){{"branch3x3_1", 1, 1, 192, 1}, {"branch3x3_2", 3, 3, 320, 2}});
    parts[1] = branch(net, x, (branch_convs){{"branch7x7x3_1", 1, 1, 192, 1},
                                             {"branch7x7x3_2", 1, 7, 192, 1},
                                             {"branch7x7x3_3", 7, 1, 192, 1},
                                             {"branch7x7x3_4", 3, 3, 192, 2}});
    parts[2] = zoo_max_pool(net, x, "pool", 3, 2, 0);
    return zoo_concat(net, parts, 3, "concat");
}

/* 8x8: branches that split once more, into 1x3 and 3x1. */
static zoo_tensor inception_e(zoo_net *net, zoo_tensor x)
{
    const zoo_tensor three = branch(net, x, (branch_convs){{"branch3x3_1", 1, 1, 384, 1}});
    const zoo_tensor twice = branch(net, x, (branch_convs){{"branch3x3dbl_1", 1, 1, 448, 1}, {"branch3x3dbl_2", 3, 3, 384, 1}});
    zoo_tensor parts[6];
    parts[0] = branch(net, x, (branch_convs){{"branch1x1", 1, 1, 320, 1}});
    parts[1] = branch(net, three, (branch_convs){{"branch3x3_2a", 1, 3, 384, 1}});
    parts[2] = branch(net, three, (branch_convs){{"branch3x3_2b", 3, 1, 384, 1}});
    parts[3] = branch(net, twice, (branch_convs){{"branch3x3dbl_3a", 1, 3, 384, 1}});
    parts[4] = branch(net, twice, (branch_convs){{"branch3x3dbl_3b", 3, 1, 384, 1}});
    parts[5] = branch_pool(net, x, 192);
    return zoo_concat(net, parts, 6, "concat");
}

/* 299x299 -> 35x35. Two convolutions with stride 1 have no padding either. */
static zoo_tensor stem(zoo_net *net, zoo_tensor x)
{
    const zoo_layer narrow = {.out = 32, .kernel = {3, 3}, .act = ZOO_RELU}, wide = {.out = 192, .kernel = {3, 3}, .act = ZOO_RELU};
    x = branch(net, x, (branch_convs){{"Conv2d_1a_3x3", 3, 3, 32, 2}});
    x = zoo_conv(net, x, "Conv2d_2a_3x3", &narrow);
    x = branch(net, x, (branch_convs){{"Conv2d_2b_3x3", 3, 3, 64, 1}});
    x = zoo_max_pool(net, x, "maxpool1", 3, 2, 0);
    x = branch(net, x, (branch_convs){{"Conv2d_3b_1x1", 1, 1, 80, 1}});
    x = zoo_conv(net, x, "Conv2d_4a_3x3", &wide);
    return zoo_max_pool(net, x, "maxpool2", 3, 2, 0);
}

/* Blocks of the same kind differ in few numbers: the channels behind the pool, and those between the 7-long kernels. */
void zoo_inception_v3(zoo_net *net, zoo_tensor x)
{
    static const int pool_c[] = {32, 64, 64}, middle_c[] = {128, 160, 160, 192};
    x = stem(net, x);
    for (int i = 0; i < 3; i++) {
        zoo_enter(net, "Mixed_5%c", 'b' + i);
        x = inception_a(net, x, pool_c[i]);
    }
    zoo_enter(net, "Mixed_6a");
    x = inception_b(net, x);
    for (int i = 0; i < 4; i++) {
        zoo_enter(net, "Mixed_6%c", 'b' + i);
        x = inception_c(net, x, middle_c[i]);
    }
    zoo_enter(net, "Mixed_7a");
    x = inception_d(net, x);
    for (int i = 0; i < 2; i++) {
        zoo_enter(net, "Mixed_7%c", 'b' + i);
        x = inception_e(net, x);
    }
    zoo_leave(net);
    x = zoo_global_pool(net, x, "avgpool");
    zoo_output(net, zoo_dense(net, x, "fc", 1000, ZOO_LINEAR));
}

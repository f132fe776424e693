/* shapes.c - walks through the networks layer by layer and notes every shape that is new.
 *
 * Each network is told as in its paper, by stages and blocks:
 *
 *     MobileNetV1   Howard et al., 2017       depthwise separable blocks
 *     MobileNetV2   Sandler et al., 2018      inverted residuals, names as in torchvision
 *     VGG16         Simonyan and Zisserman, 2014
 *     ResNet50      He et al., 2015           bottlenecks, the stride in the 3x3 (as torchvision has it)
 *     InceptionV3   Szegedy et al., 2015      blocks A to E, names as in torchvision
 *     tiny          Banbury et al., 2021      the first layers of three networks of MLPerf Tiny
 *
 * Shapes, not networks: activations, concatenations and batch normalisation leave no trace here.
 */
#include "shapes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *shape_kind_name(shape_kind kind)
{
    static const char *const names[] = {"gemm", "dense", "conv", "depthwise", "max_pool", "average_pool", "add"};
    return names[kind];
}

/* SHAPE_DEPTHWISE is the last kind that multiplies. */
double shape_ops(const bench_shape *s)
{
    const double products = (double)s->m * (double)s->n * (double)s->k;
    return s->kind <= SHAPE_DEPTHWISE ? 2 * products : products;
}

/* ----------------------------------------------------------------------------------------- one network ---- */

/* A network being walked through: the list it is added to and the tensor it has come to. */
typedef struct walk {
    shape_list *list;
    const char *network;
    size_t h, w, c;
} walk;

/* All members of oct_conv_shape are size_t: it has no padding bytes that memcmp could trip over. */
static bool same(const bench_shape *a, const bench_shape *b)
{
    return a->kind == b->kind && a->m == b->m && a->n == b->n && a->k == b->k && !memcmp(&a->conv, &b->conv, sizeof a->conv);
}

/* The first layer of a shape gives it its name. */
static void add(shape_list *list, const bench_shape *shape)
{
    for (int i = 0; i < list->count; i++)
        if (same(&list->shapes[i], shape))
            return;
    if (list->count < SHAPES_MAX)
        list->shapes[list->count++] = *shape;
}

/* "network.layer" */
static void set_name(bench_shape *s, const walk *at, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void set_name(bench_shape *s, const walk *at, const char *format, ...)
{
    const int head = snprintf(s->name, sizeof s->name, "%s.", at->network);
    va_list args;
    va_start(args, format);
    vsnprintf(s->name + head, sizeof s->name - (size_t)head, format, args);
    va_end(args);
}

/* A window that moves over the tensor; the pads are those of each side, top and bottom, left and right. */
typedef struct window {
    size_t kernel_h, kernel_w, stride, pad_h, pad_w;
} window;

/* Adds a layer over windows and moves on to its output. */
static void slide(walk *at, bench_shape *s, const window *v, size_t out_c)
{
    const size_t out_h = (at->h + 2 * v->pad_h - v->kernel_h) / v->stride + 1;
    const size_t out_w = (at->w + 2 * v->pad_w - v->kernel_w) / v->stride + 1;
    s->conv = (oct_conv_shape){.batch = 1,
                               .in_h = at->h,
                               .in_w = at->w,
                               .in_c = at->c,
                               .out_h = out_h,
                               .out_w = out_w,
                               .out_c = out_c,
                               .kernel_h = v->kernel_h,
                               .kernel_w = v->kernel_w,
                               .stride_h = v->stride,
                               .stride_w = v->stride,
                               .dilation_h = 1,
                               .dilation_w = 1,
                               .pad_top = v->pad_h,
                               .pad_left = v->pad_w,
                               .groups = s->kind == SHAPE_CONV ? 1 : out_c};
    s->m = out_h * out_w;
    s->n = out_c;
    s->k = v->kernel_h * v->kernel_w * (s->kind == SHAPE_CONV ? at->c : 1);
    add(at->list, s);
    at->h = out_h;
    at->w = out_w;
    at->c = out_c;
}

/* Square kernel, "same" padding. */
static void conv(walk *at, const char *name, size_t kernel, size_t stride, size_t out_c)
{
    bench_shape s = {.kind = SHAPE_CONV};
    set_name(&s, at, "%s", name);
    slide(at, &s, &(window){kernel, kernel, stride, kernel / 2, kernel / 2}, out_c);
}

static void depthwise(walk *at, const char *name, size_t stride)
{
    bench_shape s = {.kind = SHAPE_DEPTHWISE};
    set_name(&s, at, "%s", name);
    slide(at, &s, &(window){3, 3, stride, 1, 1}, at->c);
}

/* Pools keep the channels. */
static void pool(walk *at, shape_kind kind, const char *name, const window *v)
{
    bench_shape s = {.kind = kind};
    set_name(&s, at, "%s", name);
    slide(at, &s, v, at->c);
}

/* A window as large as the tensor. */
static void global_pool(walk *at, const char *name) { pool(at, SHAPE_AVERAGE_POOL, name, &(window){at->h, at->w, 1, 0, 0}); }

/* Two tensors of the size of the one walked on. */
static void residual_add(walk *at, const char *name)
{
    bench_shape s = {.kind = SHAPE_ADD, .m = at->h * at->w, .n = at->c, .k = 1};
    s.conv =
        (oct_conv_shape){.batch = 1, .in_h = at->h, .in_w = at->w, .in_c = at->c, .out_h = at->h, .out_w = at->w, .out_c = at->c};
    set_name(&s, at, "%s", name);
    add(at->list, &s);
}

/* Takes all that is left as one row. */
static void dense(walk *at, const char *name, size_t out)
{
    bench_shape s = {.kind = SHAPE_DENSE, .m = 1, .n = out, .k = at->h * at->w * at->c};
    set_name(&s, at, "%s", name);
    add(at->list, &s);
    *at = (walk){at->list, at->network, 1, 1, out};
}

/* -------------------------------------------------------------------------------- MobileNetV1, V2, VGG ---- */

/* After the first convolution 13 times: depthwise 3x3, pointwise. */
static void mobilenet_v1(shape_list *list)
{
    static const struct {
        size_t stride, out_c;
    } blocks[] = {{1, 64},  {2, 128}, {1, 128}, {2, 256}, {1, 256},  {2, 512}, {1, 512},
                  {1, 512}, {1, 512}, {1, 512}, {1, 512}, {2, 1024}, {1, 1024}};
    walk at = {list, "mobilenet_v1", 224, 224, 3};
    char name[64];
    conv(&at, "conv1", 3, 2, 32);
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        snprintf(name, sizeof name, "block%zu.depthwise", i + 1);
        depthwise(&at, name, blocks[i].stride);
        snprintf(name, sizeof name, "block%zu.pointwise", i + 1);
        conv(&at, name, 1, 1, blocks[i].out_c);
    }
    global_pool(&at, "pool");
    dense(&at, "fc", 1000);
}

/* One inverted residual: expand, depthwise, project, add. */
static void inverted_residual(walk *at, size_t index, size_t expand, size_t stride, size_t out_c)
{
    const size_t in_c = at->c;
    size_t part = 0; /* torchvision numbers the steps; the first block has no expansion, so its depthwise is number 0 */
    char name[64];
    if (expand > 1) {
        snprintf(name, sizeof name, "features.%zu.conv.%zu", index, part++);
        conv(at, name, 1, 1, expand * in_c);
    }
    snprintf(name, sizeof name, "features.%zu.conv.%zu", index, part++);
    depthwise(at, name, stride);
    snprintf(name, sizeof name, "features.%zu.conv.%zu", index, part);
    conv(at, name, 1, 1, out_c);
    snprintf(name, sizeof name, "features.%zu.add", index);
    if (stride == 1 && in_c == out_c)
        residual_add(at, name);
}

/* A stage is `repeat` blocks; only the first of them has the stride. */
static void mobilenet_v2(shape_list *list)
{
    static const struct {
        size_t expand, out_c, repeat, stride;
    } stages[] = {{1, 16, 1, 1}, {6, 24, 2, 2}, {6, 32, 3, 2}, {6, 64, 4, 2}, {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    walk at = {list, "mobilenet_v2", 224, 224, 3};
    size_t index = 1;
    conv(&at, "features.0", 3, 2, 32);
    for (size_t s = 0; s < sizeof stages / sizeof stages[0]; s++)
        for (size_t r = 0; r < stages[s].repeat; r++)
            inverted_residual(&at, index++, stages[s].expand, r == 0 ? stages[s].stride : 1, stages[s].out_c);
    conv(&at, "features.18", 1, 1, 1280);
    global_pool(&at, "pool");
    dense(&at, "classifier", 1000);
}

/* Five stages of 3x3 convolutions with a pool after each, and three large dense layers: 90 % of its weights. */
static void vgg16(shape_list *list)
{
    static const struct {
        size_t convs, out_c;
    } stages[] = {{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}};
    walk at = {list, "vgg16", 224, 224, 3};
    char name[64];
    for (size_t s = 0; s < sizeof stages / sizeof stages[0]; s++) {
        for (size_t i = 0; i < stages[s].convs; i++) {
            snprintf(name, sizeof name, "conv%zu_%zu", s + 1, i + 1);
            conv(&at, name, 3, 1, stages[s].out_c);
        }
        snprintf(name, sizeof name, "pool%zu", s + 1);
        pool(&at, SHAPE_MAX_POOL, name, &(window){2, 2, 2, 0, 0});
    }
    dense(&at, "fc6", 4096);
    dense(&at, "fc7", 4096);
    dense(&at, "fc8", 1000);
}

/* -------------------------------------------------------------------------------------------- ResNet50 ---- */

/* 1x1 down, 3x3 (with the stride, as torchvision has it), 1x1 up, add; the first of a layer has a 1x1 beside it. */
static void bottleneck(walk *at, size_t layer, size_t block, size_t middle, size_t stride)
{
    char name[64];
    walk beside = *at; /* the shortcut starts where the block starts */
    for (size_t i = 1; i <= 3; i++) {
        snprintf(name, sizeof name, "layer%zu.%zu.conv%zu", layer, block, i);
        conv(at, name, i == 2 ? 3 : 1, i == 2 ? stride : 1, i == 3 ? 4 * middle : middle);
    }
    snprintf(name, sizeof name, "layer%zu.%zu.downsample", layer, block);
    if (block == 0)
        conv(&beside, name, 1, stride, 4 * middle);
    snprintf(name, sizeof name, "layer%zu.%zu.add", layer, block);
    residual_add(at, name);
}

static void resnet50(shape_list *list)
{
    static const size_t blocks[] = {3, 4, 6, 3};
    walk at = {list, "resnet50", 224, 224, 3};
    conv(&at, "conv1", 7, 2, 64);
    pool(&at, SHAPE_MAX_POOL, "maxpool", &(window){3, 3, 2, 1, 1});
    for (size_t layer = 0; layer < 4; layer++)
        for (size_t block = 0; block < blocks[layer]; block++)
            bottleneck(&at, layer + 1, block, (size_t)64 << layer, block == 0 && layer > 0 ? 2 : 1);
    global_pool(&at, "avgpool");
    dense(&at, "fc", 1000);
}

/* ----------------------------------------------------------------------------------------- InceptionV3 ---- */

/* One branch of a block: convolutions one after the other. The end of the branch is not where the block goes on. */
typedef struct branch_conv {
    const char *name;
    window v;
    size_t out_c;
} branch_conv;

static const window w1x1 = {1, 1, 1, 0, 0}, w3x3 = {3, 3, 1, 1, 1}, w5x5 = {5, 5, 1, 2, 2}, w1x7 = {1, 7, 1, 0, 3},
                    w7x1 = {7, 1, 1, 3, 0}, w1x3 = {1, 3, 1, 0, 1}, w3x1 = {3, 1, 1, 1, 0}, w3x3s2 = {3, 3, 2, 0, 0},
                    w3x3valid = {3, 3, 1, 0, 0};

/* Returns where the branch ends: the block needs the size, not the channels of one branch. */
static walk branch(const walk *from, const char *block, const branch_conv *convs, size_t count)
{
    walk at = *from;
    for (size_t i = 0; i < count; i++) {
        bench_shape s = {.kind = SHAPE_CONV};
        set_name(&s, &at, "%s.%s", block, convs[i].name);
        slide(&at, &s, &convs[i].v, convs[i].out_c);
    }
    return at;
}

/* A 3x3 average with stride 1 and a 1x1 convolution behind it. */
static void branch_pool(const walk *from, const char *block, size_t out_c)
{
    walk at = *from;
    bench_shape s = {.kind = SHAPE_AVERAGE_POOL};
    set_name(&s, &at, "%s.pool", block);
    slide(&at, &s, &w3x3, at.c);
    branch(&at, block, &(branch_conv){"branch_pool", w1x1, out_c}, 1);
}

/* 35x35: 1x1, 5x5 and two 3x3 beside each other. */
static void inception_a(walk *at, const char *block, size_t pool_c)
{
    branch(at, block, &(branch_conv){"branch1x1", w1x1, 64}, 1);
    branch(at, block, (branch_conv[]){{"branch5x5_1", w1x1, 48}, {"branch5x5_2", w5x5, 64}}, 2);
    branch(at, block, (branch_conv[]){{"branch3x3dbl_1", w1x1, 64}, {"branch3x3dbl_2", w3x3, 96}, {"branch3x3dbl_3", w3x3, 96}}, 3);
    branch_pool(at, block, pool_c);
    at->c = 64 + 64 + 96 + pool_c;
}

/* 35x35 -> 17x17: two convolutions with stride 2 and a pool. */
static void inception_b(walk *at, const char *block)
{
    walk pooled = *at;
    const size_t in_c = at->c;
    const walk end = branch(at, block, &(branch_conv){"branch3x3", w3x3s2, 384}, 1);
    branch(at, block, (branch_conv[]){{"branch3x3dbl_1", w1x1, 64}, {"branch3x3dbl_2", w3x3, 96}, {"branch3x3dbl_3", w3x3s2, 96}},
           3);
    pool(&pooled, SHAPE_MAX_POOL, "Mixed_6a.pool", &w3x3s2);
    *at = (walk){at->list, at->network, end.h, end.w, 384 + 96 + in_c};
}

/* 17x17: 7x7 taken apart into 1x7 and 7x1. */
static void inception_c(walk *at, const char *block, size_t c)
{
    branch(at, block, &(branch_conv){"branch1x1", w1x1, 192}, 1);
    branch(at, block, (branch_conv[]){{"branch7x7_1", w1x1, c}, {"branch7x7_2", w1x7, c}, {"branch7x7_3", w7x1, 192}}, 3);
    branch(at, block,
           (branch_conv[]){{"branch7x7dbl_1", w1x1, c},
                           {"branch7x7dbl_2", w7x1, c},
                           {"branch7x7dbl_3", w1x7, c},
                           {"branch7x7dbl_4", w7x1, c},
                           {"branch7x7dbl_5", w1x7, 192}},
           5);
    branch_pool(at, block, 192);
    at->c = 4 * 192;
}

/* 17x17 -> 8x8. */
static void inception_d(walk *at, const char *block)
{
    walk pooled = *at;
    const size_t in_c = at->c;
    const walk end = branch(at, block, (branch_conv[]){{"branch3x3_1", w1x1, 192}, {"branch3x3_2", w3x3s2, 320}}, 2);
    branch(at, block,
           (branch_conv[]){{"branch7x7x3_1", w1x1, 192},
                           {"branch7x7x3_2", w1x7, 192},
                           {"branch7x7x3_3", w7x1, 192},
                           {"branch7x7x3_4", w3x3s2, 192}},
           4);
    pool(&pooled, SHAPE_MAX_POOL, "Mixed_7a.pool", &w3x3s2);
    *at = (walk){at->list, at->network, end.h, end.w, 320 + 192 + in_c};
}

/* 8x8: branches that split once more, into 1x3 and 3x1. */
static void inception_e(walk *at, const char *block)
{
    branch(at, block, &(branch_conv){"branch1x1", w1x1, 320}, 1);
    const walk three = branch(at, block, &(branch_conv){"branch3x3_1", w1x1, 384}, 1);
    branch(&three, block, &(branch_conv){"branch3x3_2a", w1x3, 384}, 1);
    branch(&three, block, &(branch_conv){"branch3x3_2b", w3x1, 384}, 1);
    branch(at, block, (branch_conv[]){{"branch3x3dbl_1", w1x1, 448}, {"branch3x3dbl_2", w3x3, 384}}, 2);
    branch_pool(at, block, 192);
    at->c = 320 + 2 * 384 + 2 * 384 + 192;
}

/* Mixed_6d is the same as Mixed_6c. */
static void inception_v3(shape_list *list)
{
    walk at = {list, "inception_v3", 299, 299, 3};
    at = branch(&at, "stem", (branch_conv[]){{"Conv2d_1a", w3x3s2, 32}, {"Conv2d_2a", w3x3valid, 32}, {"Conv2d_2b", w3x3, 64}}, 3);
    pool(&at, SHAPE_MAX_POOL, "maxpool1", &w3x3s2);
    at = branch(&at, "stem", (branch_conv[]){{"Conv2d_3b", w1x1, 80}, {"Conv2d_4a", w3x3valid, 192}}, 2);
    pool(&at, SHAPE_MAX_POOL, "maxpool2", &w3x3s2);
    inception_a(&at, "Mixed_5b", 32);
    inception_a(&at, "Mixed_5c", 64);
    inception_a(&at, "Mixed_5d", 64);
    inception_b(&at, "Mixed_6a");
    inception_c(&at, "Mixed_6b", 128);
    inception_c(&at, "Mixed_6c", 160);
    inception_c(&at, "Mixed_6e", 192);
    inception_d(&at, "Mixed_7a");
    inception_e(&at, "Mixed_7b");
    inception_e(&at, "Mixed_7c");
    global_pool(&at, "avgpool");
    dense(&at, "fc", 1000);
}

/* What MLPerf Tiny's networks (Banbury et al., 2021) have and the large ones have not: first layers on small inputs. */
static void tiny(shape_list *list)
{
    walk sound = {list, "tiny", 49, 10, 1}, picture = {list, "tiny", 32, 32, 3}, person = {list, "tiny", 96, 96, 3};
    bench_shape s = {.kind = SHAPE_CONV};
    set_name(&s, &sound, "kws.conv1");
    slide(&sound, &s, &(window){10, 4, 2, 5, 1}, 64);
    conv(&picture, "ic.conv1", 3, 1, 16);
    conv(&person, "vww.conv1", 3, 2, 8);
}

void shapes_fill(shape_list *list)
{
    list->count = 0;
    for (size_t size = 256; size <= 2048; size *= 2) {
        bench_shape s = {.kind = SHAPE_GEMM, .m = size, .n = size, .k = size};
        snprintf(s.name, sizeof s.name, "gemm.%zu", size);
        add(list, &s);
    }
    resnet50(list);
    mobilenet_v1(list);
    mobilenet_v2(list);
    vgg16(list);
    inception_v3(list);
    tiny(list);
}

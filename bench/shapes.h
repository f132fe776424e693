/* shapes.h - the layers of known networks as bare shapes: what the kernels are measured on.
 *
 * Every distinct convolution, depthwise convolution, pool, add and fully connected layer of MobileNetV1, MobileNetV2, ResNet50,
 * VGG16 (224 x 224) and InceptionV3 (299 x 299), one picture at a time, named after the first layer that has it (names as in
 * torchvision where the network is there), the first layers of three small networks, and square matrix products of 256 to 2048.
 */
#ifndef BENCH_SHAPES_H
#define BENCH_SHAPES_H

#include "kernels.h"

typedef enum shape_kind {
    SHAPE_GEMM,
    SHAPE_DENSE,
    SHAPE_CONV,
    SHAPE_DEPTHWISE,
    SHAPE_MAX_POOL,
    SHAPE_AVERAGE_POOL,
    SHAPE_ADD
} shape_kind;

/* "gemm", "dense", "conv", "depthwise", "max_pool", "average_pool", "add" */
const char *shape_kind_name(shape_kind kind);

typedef struct bench_shape {
    char name[96];
    shape_kind kind;
    oct_conv_shape conv; /* all but GEMM and DENSE; batch 1; ADD has in = out */
    size_t m, n, k;      /* the layer as a product of matrices; ADD and pools: m pixels of n channels, k taps */
} bench_shape;

/* Multiply-adds of one run (adds, comparisons for pools), times two for what multiplies: "operations". */
double shape_ops(const bench_shape *shape);

#define SHAPES_MAX 256

typedef struct shape_list {
    int count;
    bench_shape shapes[SHAPES_MAX];
} shape_list;

void shapes_fill(shape_list *list);

#endif

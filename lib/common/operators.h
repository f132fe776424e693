/* operators.h - one row per operator: its name, its inputs, its attributes, its shape rule, what quantization may do with it.
 * A new operator is a row in operators.c, a shape rule, and a runtime row (lib/runtime/ops.h). */
#ifndef OCT_OPERATORS_H
#define OCT_OPERATORS_H

#include "graph.h"

/* One attribute as a range of int32_t or float inside oct_attrs. Used to save, load, check and print. */
typedef struct oct_attr_field {
    const char *name;     /* "stride" */
    char type;            /* 'i' int32_t, 'f' float */
    uint8_t count;        /* elements */
    uint16_t offset;      /* in oct_attrs */
    int32_t min, max;     /* allowed values, 'i' only */
} oct_attr_field;

/* What quantization may do with an operator. */
typedef enum oct_quant_rule {
    OCT_QUANT_NEVER,      /* f32 only: softmax, ... */
    OCT_QUANT_WEIGHTS,    /* conv, dense: s8 weights, s32 bias */
    OCT_QUANT_RESCALE,    /* u8 in, u8 out, each with its own scale: add, mul, average pool, mean, concat */
    OCT_QUANT_SAME,       /* moves or picks elements, or lies between them: output has the input's scale: max pool, reshape,
                             transpose, slice, pad, resize */
    OCT_QUANT_TABLE,      /* u8 -> u8 through a table of 256: any function of one element */
    OCT_QUANT_BORDER      /* quantize and dequantize themselves */
} oct_quant_rule;

typedef struct oct_operator {
    oct_op op;
    const char *name;                       /* "conv"; as oct_layer_info.op (unary and binary print their function's name) */
    int min_in, max_in;                     /* max_in -1: any number */
    const oct_attr_field *fields;
    int field_count;
    oct_quant_rule quant;
    bool fuses_activation;                  /* its kernels have an epilogue that can take node.act */
    /* Output shape from the inputs' shapes and attrs; fails with a sentence that does not name the node (the caller does). */
    oct_status (*infer)(const oct_graph *graph, const oct_node *node, oct_shape *out);
    /* Multiply-accumulates of one run; NULL means 0. */
    int64_t (*macs)(const oct_graph *graph, const oct_node *node);
} oct_operator;

/* The row of an operator; NULL if op is none. */
const oct_operator *oct_operator_of(oct_op op);

/* Checks arity, attribute ranges and input dtypes, then infers the output's shape and dtype (f32 unless node->out's value already
 * is u8; layout operators hand their input's dtype on). */
oct_status oct_operator_infer(const oct_graph *graph, const oct_node *node, oct_shape *shape, oct_dtype *dtype);

/* A depthwise convolution: every group has one input channel. */
bool oct_conv_is_depthwise(const oct_graph *graph, const oct_node *node);

/* "relu", "clamp", "hardswish", ...; "" for none. */
const char *oct_function_name(const oct_function *f);
/* OCT_FN_NONE for an unknown name. Names as in ONNX, in small letters. */
oct_fn oct_function_by_name(const char *name);
/* f(x), the definition every kernel is judged by. */
float oct_function_eval(const oct_function *f, float x);

/* Size of a pooling or convolution output along one axis, or -1 if the window does not fit.
 *   floor((in + pad0 + pad1 - (dilation * (kernel - 1) + 1)) / stride) + 1, or ceil of it; with ceil a last window that would start
 *   in the trailing padding is dropped (as ONNX and PyTorch do). */
int64_t oct_window_count(int64_t in, int32_t kernel, int32_t stride, int32_t dilation, int32_t pad0, int32_t pad1, bool ceil_mode);

#endif

/* graph.h - the one language all rooms speak: values (tensors) and nodes (operators), in the order of execution.
 *
 *     values   v0 "input" f32 1x28x28x1        v1 "conv1.w" f32 const 8x3x3x1 ...
 *     nodes    n0 conv  in {v0 v1 v2 -} out {v3} act clamp(0, inf)
 *
 * Invariants, checked by oct_graph_check: nodes stand in topological order; a value is a constant (data != NULL), a graph input, or
 * the output of exactly one node; shapes and dtypes are what the operator's shape rule says.
 *
 * Layout: spatial operators (conv, pools, resize) work on N x H x W x C; all others on any shape. The importer brackets
 * spatial operators with transposes, the optimiser moves these to the model's edge.
 *
 * Precision is a property of values, not of nodes: a conv whose input is u8 and whose weights are s8 is an int8 conv. If its output
 * value is f32 it dequantises in its epilogue; a border costs no extra node.
 *
 * Dynamic quantization: a u8 value with scale 0 gets scale and zero point in every run, from the range that its elements have then.
 * Only a QUANTIZE node (from f32) writes such a value, and only convs and dense layers read it, as x; their bias, residual and
 * output are f32.
 */
#ifndef OCT_GRAPH_H
#define OCT_GRAPH_H

#include <stdbool.h>
#include "octet_convert.h"
#include "tensor.h"

typedef enum oct_op {
    OCT_OP_NONE = 0,
    OCT_OP_CONV,        /* x NHWC, w OHWI, bias [O] or -, residual (shape of the output) or -    attrs.conv */
    OCT_OP_DENSE,       /* x [.., K], w [N, K], bias [N] or -, residual or - -> [.., N]         no attrs  */
    OCT_OP_MATMUL,      /* a [.., M, K], b [.., K, N], both variable, broadcast over the rest             */
    OCT_OP_MAX_POOL,    /* x NHWC                                                               attrs.pool */
    OCT_OP_AVERAGE_POOL,/* x NHWC                                                               attrs.pool */
    OCT_OP_UNARY,       /* y = f(x), element by element                                         attrs.unary */
    OCT_OP_BINARY,      /* y = f(a, b) with broadcasting                                        attrs.binary */
    OCT_OP_REDUCE,      /* mean, sum, max ... over axes                                         attrs.reduce */
    OCT_OP_CONCAT,      /* any number of inputs                                                 attrs.axis */
    OCT_OP_RESHAPE,     /* same elements, same order; shape is that of the output value          attrs.reshape */
    OCT_OP_TRANSPOSE,   /*                                                                      attrs.transpose */
    OCT_OP_PAD,         /* constant, reflect, edge                                              attrs.pad */
    OCT_OP_SLICE,       /*                                                                      attrs.slice */
    OCT_OP_SOFTMAX,     /* over one axis                                                        attrs.softmax */
    OCT_OP_QUANTIZE,    /* f32 -> u8 with the output value's scale and zero point; u8 -> u8 requantises */
    OCT_OP_DEQUANTIZE,  /* u8 -> f32                                                                       */
    OCT_OP_RESIZE,      /* x NHWC, another height and width                                     attrs.resize */
    OCT_OP_ARGMAX,      /* f32 -> f32: the place of the greatest element along an axis          attrs.argmax */
    OCT_OP_COUNT
} oct_op;

/* Element functions. One parameter struct for the UNARY node and for an activation fused into another node. */
typedef enum oct_fn {
    OCT_FN_NONE = 0,
    OCT_FN_CLAMP,        /* min(max(x, alpha), beta): Relu is (0, inf), Relu6 (0, 6) */
    OCT_FN_LEAKY_RELU,   /* x < 0 ? alpha * x : x */
    OCT_FN_ELU,          /* x < 0 ? alpha * (exp(x) - 1) : x */
    OCT_FN_SIGMOID,
    OCT_FN_HARD_SIGMOID, /* clamp(alpha * x + beta, 0, 1) */
    OCT_FN_HARD_SWISH,   /* x * clamp(x / 6 + 1/2, 0, 1) */
    OCT_FN_SWISH,        /* x * sigmoid(x) */
    OCT_FN_TANH,
    OCT_FN_ERF,
    OCT_FN_GELU,         /* x * (1 + erf(x / sqrt 2)) / 2 */
    OCT_FN_EXP,
    OCT_FN_LOG,
    OCT_FN_SQRT,
    OCT_FN_RECIPROCAL,
    OCT_FN_ABS,
    OCT_FN_NEG,
    OCT_FN_COUNT
} oct_fn;

typedef struct oct_function {
    int32_t fn;          /* oct_fn */
    float alpha, beta;
} oct_function;

typedef enum oct_binary_fn { OCT_BINARY_ADD = 0, OCT_BINARY_MUL, OCT_BINARY_SUB, OCT_BINARY_DIV, OCT_BINARY_MIN, OCT_BINARY_MAX,
                             OCT_BINARY_POW, OCT_BINARY_COUNT } oct_binary_fn;
typedef enum oct_reduce_fn { OCT_REDUCE_MEAN = 0, OCT_REDUCE_SUM, OCT_REDUCE_MAX, OCT_REDUCE_MIN, OCT_REDUCE_COUNT } oct_reduce_fn;
typedef enum oct_pad_mode { OCT_PAD_CONSTANT = 0, OCT_PAD_REFLECT, OCT_PAD_EDGE, OCT_PAD_COUNT } oct_pad_mode;

/* How a resized axis is computed (ONNX Resize): output place o lies at place x of the input, a number with a fraction,
 *
 *   half pixel            x = (o + 1/2) / scale - 1/2           pixels are squares and keep the picture's edges
 *   asymmetric            x = o / scale
 *   align corners         x = o * (in - 1) / (in * scale - 1)   first and last pixel stay (one output pixel: x = 0)
 *   pytorch half pixel    half pixel; 0 for one output pixel
 *   half pixel symmetric  x = (o + 1/2 - out/2) / scale + (in - 1) / 2   middle onto middle, where in * scale was cut down to out
 *   half pixel for nn     x = (o + 1/2) / scale
 *
 * and takes the pixel nearest to x, or lies between its two neighbours. Places beyond the edges are the edges. */
typedef enum oct_resize_mode { OCT_RESIZE_NEAREST = 0, OCT_RESIZE_LINEAR, OCT_RESIZE_MODES } oct_resize_mode;
typedef enum oct_resize_place {
    OCT_PLACE_HALF_PIXEL = 0, OCT_PLACE_ASYMMETRIC, OCT_PLACE_ALIGN_CORNERS, OCT_PLACE_PYTORCH_HALF_PIXEL,
    OCT_PLACE_HALF_PIXEL_SYMMETRIC, OCT_PLACE_HALF_PIXEL_FOR_NN, OCT_PLACE_COUNT
} oct_resize_place;
/* Nearest: the first two round to the nearest, a half down or up. */
typedef enum oct_resize_round {
    OCT_ROUND_HALF_DOWN = 0, OCT_ROUND_HALF_UP, OCT_ROUND_FLOOR, OCT_ROUND_CEIL, OCT_ROUND_COUNT
} oct_resize_round;

/* Attributes hold only int32_t and float, so that one descriptor table (operators.h) saves, loads, checks and prints them all. */
typedef struct oct_conv_attrs {
    int32_t kernel[2], stride[2], dilation[2];
    int32_t pad[4];      /* top, left, bottom, right */
    int32_t groups;
} oct_conv_attrs;

typedef struct oct_pool_attrs {
    int32_t kernel[2], stride[2], dilation[2];
    int32_t pad[4];
    int32_t count_include_pad;
    int32_t ceil_mode;   /* output size rounded up; a window then may hang over the padded edge (ONNX ceil_mode) */
} oct_pool_attrs;

typedef struct oct_reduce_attrs {
    int32_t fn;          /* oct_reduce_fn */
    int32_t axes;        /* bit i set: axis i is reduced */
    int32_t keep_dims;
} oct_reduce_attrs;

typedef struct oct_resize_attrs {
    int32_t mode;        /* oct_resize_mode */
    int32_t place;       /* oct_resize_place */
    int32_t round;       /* oct_resize_round; linear: not looked at */
    int32_t size[2];     /* output height and width */
    float scale[2];      /* output size / input size as the places see it; 0: exactly that */
} oct_resize_attrs;

typedef union oct_attrs {
    oct_conv_attrs conv;
    oct_pool_attrs pool;
    oct_function unary;
    struct { int32_t fn; } binary;             /* oct_binary_fn */
    oct_reduce_attrs reduce;
    struct { int32_t axis; } axis;             /* concat */
    struct { int32_t rank; int32_t dims[OCT_MAX_RANK]; } reshape;
    struct { int32_t perm[OCT_MAX_RANK]; } transpose;
    struct { int32_t mode; float value; int32_t before[OCT_MAX_RANK], after[OCT_MAX_RANK]; } pad;   /* negative: crops */
    struct { int32_t start[OCT_MAX_RANK], step[OCT_MAX_RANK], count[OCT_MAX_RANK]; } slice;
    struct { int32_t axis; int32_t log; } softmax;
    struct { int32_t axis, keep_dims, least, last; } argmax;   /* least: of the least; last: of equal ones the last, not the first */
    oct_resize_attrs resize;
} oct_attrs;

typedef struct oct_value {
    char *name;
    oct_dtype dtype;
    oct_shape shape;
    float scale;            /* u8: real = scale * (q - zero_point); 0: found at run time */
    int32_t zero_point;
    float *channel_scale;   /* s8 weights: one scale per dims[0]. f32 weights too, where a file that was quantized elsewhere says
                             * that they are whole multiples of it; the optimiser then makes s8 of them. Else NULL */
    bool for_dynamic;       /* such f32 weights: the layer's input is to be quantized in every run */
    void *data;             /* a constant's elements, else NULL */
    bool data_borrowed;     /* data belongs to somebody else (a mapped file) */
    int producer;           /* the node that computes it; -1 for inputs and constants */
} oct_value;

#define OCT_NONE (-1)       /* an optional input that is left out */

typedef struct oct_node {
    char *name;
    oct_op op;
    oct_attrs attrs;
    oct_function act;       /* fused activation, applied last; OCT_FN_NONE for none */
    int *in, in_count;      /* value numbers; OCT_NONE where left out */
    int *out, out_count;
} oct_node;

/* Whoever owns the memory of borrowed constants; every graph that borrows holds it. object NULL: nobody in particular. */
typedef struct oct_lender {
    void *object;
    void (*hold)(void *object);
    void (*release)(void *object);
} oct_lender;

struct oct_graph {
    oct_value *values; int value_count, value_room;
    oct_node *nodes;   int node_count, node_room;
    int *inputs;       int input_count;
    int *outputs;      int output_count;
    oct_lender lender;      /* of the constants that are borrowed, if they outlive the graph they come from; copies then
                             * borrow too */
    char *notes;            /* how it came to be, for people: lines of text; NULL for none */
    oct_status failed;      /* sticky status of the builder (octet_convert.h) ... */
    char failed_text[256];  /* ... and its sentence */
};

/* Inputs of conv and dense, by position. */
enum { OCT_IN_X = 0, OCT_IN_W = 1, OCT_IN_BIAS = 2, OCT_IN_RESIDUAL = 3 };

/* ---- making ---- */
oct_status oct_graph_clone(const oct_graph *graph, oct_graph **copy);
/* A copy that borrows all constants from `lender`, which keeps `graph` as it is: megabytes of weights are not copied. */
oct_status oct_graph_borrow(const oct_graph *graph, const oct_lender *lender, oct_graph **copy);
/* A new value of any kind; data (may be NULL) becomes the graph's own. *id receives its number. */
oct_status oct_graph_add_value(oct_graph *graph, const char *name, oct_dtype dtype, const oct_shape *shape, void *data, int *id);
/* A constant; data are copied. */
oct_status oct_graph_add_constant(oct_graph *graph, const char *name, oct_dtype dtype, const oct_shape *shape, const void *data,
                                  int *id);
oct_status oct_graph_add_input(oct_graph *graph, int value);
oct_status oct_graph_add_output(oct_graph *graph, int value);
/* Appends a node with one new output value, whose shape and dtype the operator's rule computes (op, attrs and inputs are checked:
 * an error names the node). attrs may be NULL for all zero. The output is called `name`. */
oct_status oct_graph_add_node(oct_graph *graph, oct_op op, const char *name, const oct_attrs *attrs, const int *in, int in_count,
                              int *out);

/* Free what a value or a node owns (not the struct itself). */
void oct_value_release(oct_value *value);
void oct_node_release(oct_node *node);

/* ---- asking ---- */
bool oct_value_is_constant(const oct_value *value);
/* u8 with a scale that is found at run time. */
bool oct_value_is_dynamic(const oct_value *value);
size_t oct_value_bytes(const oct_value *value);
/* Number of uses of a value as a node input or graph output. */
int oct_graph_uses(const oct_graph *graph, int value);
/* The only node that uses `value`, or -1 if there are none, several, or it is a graph output. */
int oct_graph_single_user(const oct_graph *graph, int value);
int oct_graph_find_value(const oct_graph *graph, const char *name);   /* -1 if there is none */
/* Checks every invariant at the head of this file. */
oct_status oct_graph_check(const oct_graph *graph);

/* ---- changing ---- */
/* Every use of `from` (by nodes and as graph output) becomes a use of `to`. */
void oct_graph_replace_uses(oct_graph *graph, int from, int to);
/* Gives a value another name (copied). */
oct_status oct_graph_rename(oct_graph *graph, int value, const char *name);
/* Inserts a node at `position` in the order; as oct_graph_add_node. */
oct_status oct_graph_insert_node(oct_graph *graph, int position, oct_op op, const char *name, const oct_attrs *attrs, const int *in,
                                 int in_count, int *out);
/* Makes node `node` a no-op to be swept: its inputs are dropped and its op becomes OCT_OP_NONE. Its output value must have no
 * uses. */
void oct_graph_kill_node(oct_graph *graph, int node);
/* Removes killed and unused nodes and unused values, renumbers, keeps topological order (sorting where inserts broke it).
 * Returns the number of nodes that went, or -1 when memory is short. */
int oct_graph_sweep(oct_graph *graph);
/* Computes shapes and dtypes anew, from the inputs on (after attrs or shapes have been changed). u8 outputs keep dtype and
 * scale. */
oct_status oct_graph_infer(oct_graph *graph);

#endif

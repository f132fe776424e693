/* import_model.h - a ModelProto as arrays: what an ONNX file says, before anybody asks what it means.
 *
 *     bytes of the file --oct_onnx_model_parse--> oct_onnx_model --import_onnx.c, row by row--> oct_graph
 *
 * The names of values (tensors) become numbers: all nodes, inputs, outputs and initializers that speak of "x" hold the same symbol.
 * Everything lives in the model's arena; tensors still lie in the file. */
#ifndef OCT_IMPORT_MODEL_H
#define OCT_IMPORT_MODEL_H

#include "import_tensor.h"

/* More than any real network has, few enough that work growing with their square still ends. */
#define OCT_ONNX_MAX_NODES 50000
#define OCT_ONNX_MAX_VALUES 200000
#define OCT_ONNX_MAX_OPERANDS 4096   /* inputs, outputs or attributes of one node */

/* AttributeProto.AttributeType. */
typedef enum oct_onnx_attr_type {
    OCT_ATTR_FLOAT = 1, OCT_ATTR_INT = 2, OCT_ATTR_STRING = 3, OCT_ATTR_TENSOR = 4, OCT_ATTR_GRAPH = 5, OCT_ATTR_FLOATS = 6,
    OCT_ATTR_INTS = 7, OCT_ATTR_STRINGS = 8, OCT_ATTR_TENSORS = 9, OCT_ATTR_GRAPHS = 10, OCT_ATTR_SPARSE_TENSOR = 11
} oct_onnx_attr_type;

typedef struct oct_onnx_attr {
    const char *name;
    int64_t type;        /* oct_onnx_attr_type, or another number */
    float f;
    int64_t i;
    const char *s;       /* "" unless a string */
    oct_pb_span tensor;  /* the message of a tensor */
    oct_pb_span body;    /* the attribute's message, where floats and ints are walked */
} oct_onnx_attr;

typedef struct oct_onnx_node {
    const char *name, *op, *domain;   /* "" where left out */
    int *in, in_count;                /* symbols; OCT_NO_SYMBOL for an optional one that is left out */
    int *out, out_count;
    oct_onnx_attr *attrs;
    int attr_count;
} oct_onnx_node;

#define OCT_NO_SYMBOL (-1)

/* A graph input or output. */
typedef struct oct_onnx_info {
    int symbol;
    const char *kind;        /* "tensor", "sequence", "map", ...; "" if the file does not say */
    int64_t type;            /* of its elements */
    bool has_shape;
    oct_shape shape;         /* -1 where a dimension is unknown */
    const char *params[OCT_MAX_RANK];   /* the name of an unknown dimension, or "" */
} oct_onnx_info;

typedef struct oct_onnx_model {
    oct_arena arena;
    int64_t opset;           /* of the standard domain; 0 if the file does not say */
    bool has_opsets;         /* of any domain */
    bool has_graph, has_functions;
    oct_onnx_node *nodes; int node_count;
    oct_onnx_tensor *initializers; int *initializer_symbols, initializer_count;
    oct_onnx_info *inputs; int input_count;
    oct_onnx_info *outputs; int output_count;
    const char **symbols; int symbol_count;   /* the name of each symbol */
    int *buckets, bucket_count;               /* hash table of symbols: number + 1, 0 for an empty place */
} oct_onnx_model;

/* Reads the whole file. Free the model in any case, also after an error. */
oct_status oct_onnx_model_parse(const oct_pb_file *file, oct_onnx_model *model);
void oct_onnx_model_free(oct_onnx_model *model);

#endif

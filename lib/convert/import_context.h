/* import_context.h - what the operators' handlers see of an import: the current node's inputs and attributes, and how to emit graph
 * nodes.
 *
 * Each ONNX operator is one row of a table (import_ops_*.c): its name, the opset from which the row holds, its operands, its
 * attributes, and the handler that lowers a node to graph nodes. The driver (import_onnx.c) has checked names, operand counts and
 * attribute types before a handler runs, and puts "file: node "name" (Op): " before its error.
 *
 *     ONNX node --row.lower--> oct_import_emit ... oct_import_emit --> oct_import_set_output
 *
 * Constants need no second set of handlers: when all inputs of an emitted node are constants, oct_import_emit computes the outcome
 * at once (import_fold.c) instead of adding a node. So the integer chains Shape -> Gather -> Concat -> Reshape of exporters vanish
 * by themselves. Constants are f32 or, for every integer type and bool, s64; values that are no constants are f32. */
#ifndef OCT_IMPORT_CONTEXT_H
#define OCT_IMPORT_CONTEXT_H

#include "graph.h"
#include "import_model.h"

typedef struct oct_import oct_import;

/* Row flags. */
enum {
    OCT_ROW_SHAPE_ONLY = 1,   /* looks at its input's shape, not at its elements */
    OCT_ROW_DOUBLE = 2,       /* Cast: takes double constants, which exporters write in front of it, and ArgMax's places */
    OCT_ROW_BYTES = 4,        /* takes int8 and uint8: moves them about, or knows their scales */
    OCT_ROW_MICROSOFT = 8     /* of the domain com.microsoft, whatever its version */
};

typedef struct oct_import_row {
    const char *op;
    int since;                /* the first opset this row describes, up to the operator's next row */
    int min_in, max_in;       /* max_in -1: any number */
    int max_out;
    uint32_t constants;       /* bit i: input i must be a constant */
    uint32_t preferred;       /* bit i: input i makes a better node if it is one */
    const char *attributes;   /* "name:type ..." with f float, i int, s string, t tensor, F floats, I ints */
    oct_status (*lower)(oct_import *im);
    int variant;              /* for handlers that serve several rows: an oct_fn, oct_binary_fn, ... */
    int flags;
} oct_import_row;

typedef struct oct_import_table {
    const oct_import_row *rows;
    int count;
} oct_import_table;

extern const oct_import_table oct_import_spatial_ops, oct_import_linear_ops, oct_import_math_ops, oct_import_layout_ops,
    oct_import_constant_ops, oct_import_quantized_ops, oct_import_norm_ops;

/* What the file's inputs, initializers and nodes say about one symbol. */
typedef struct oct_import_symbol {
    int value;         /* of the graph; OCT_NONE until it is there */
    int initializer;   /* its number in the model, or OCT_NONE */
    bool is_input, is_computed;
    bool is_double;    /* a constant of type double (held as f32), which only Cast may take */
    bool is_place;     /* what ArgMax finds: an integer for ONNX, a float here, which only Cast may take */
    bool wanted;       /* somebody needs it to be a constant */
    bool is_signed;    /* a variable of type int8, held as u8: 128 more, and so is its zero point */
    bool is_dynamic;   /* what DynamicQuantizeLinear makes of a float, held as that float */
    int uses;
} oct_import_symbol;

/* A constant that has been dequantized: element = whole number * scale, one scale or one for each index of an axis. */
typedef struct oct_import_grid {
    int value, axis;
    const float *scale;   /* of a constant of the file */
    int64_t count;
    bool for_dynamic;     /* its layer reads what DynamicQuantizeLinear has made */
} oct_import_grid;

struct oct_import {
    const oct_pb_file *file;
    const char *folder;                 /* where side files may lie; NULL: nowhere */
    const oct_import_options *options;  /* never NULL */
    oct_onnx_model model;
    oct_graph *graph;
    oct_import_symbol *symbols;
    size_t budget;                      /* bytes of constants that may still be computed */
    /* the node at hand */
    const oct_onnx_node *node;
    const oct_import_row *row;
    const char *name;                   /* of the node, or of its first output */
    int *in, in_room;                   /* its inputs as graph values, OCT_NONE for those left out */
    /* import_quantized.c */
    oct_import_grid *grids;
    int grid_count;
    int *free_inputs, free_count;       /* uint8 graph inputs whose scale nobody has told yet */
};

/* The row of an operator that holds for the model's opset; NULL if there is none. *since receives the first opset of its oldest
 * row, 0 for an unknown operator. */
const oct_import_row *oct_import_find_row(const oct_import *im, const char *op, bool microsoft, int *since);

/* ---- inputs ---- */
bool oct_import_has(const oct_import *im, int i);                        /* is input i there? */
oct_shape oct_import_shape(const oct_import *im, int value);             /* a copy: emitting moves the values */
bool oct_import_is_constant(const oct_import *im, int value);
oct_dtype oct_import_dtype(const oct_import *im, int value);

#define OCT_IMPORT_MAX_LIST 256
/* A list of integers from an attribute or a constant. */
typedef struct oct_import_list {
    bool given;
    int count;
    int64_t v[OCT_IMPORT_MAX_LIST];
} oct_import_list;

/* Input i, a constant of integers, rank 0 or 1. given is false if it is left out. */
oct_status oct_import_list_in(const oct_import *im, int i, oct_import_list *list);
/* Input i, a constant of one element; `missing` if it is left out. */
oct_status oct_import_scalar_in(const oct_import *im, int i, double missing, double *value);
/* Input i, which must be a float constant: its elements. They stay where they are when values are added. */
oct_status oct_import_floats_in(const oct_import *im, int i, const float **data);

/* ---- attributes ---- */
int64_t oct_import_int(const oct_import *im, const char *name, int64_t missing);
float oct_import_float(const oct_import *im, const char *name, float missing);
const char *oct_import_string(const oct_import *im, const char *name, const char *missing);
const oct_onnx_attr *oct_import_attr(const oct_import *im, const char *name);   /* NULL if it is left out */
oct_status oct_import_list_attr(const oct_import *im, const char *name, oct_import_list *list);
/* A boolean attribute: 0 or 1, anything else is an error. */
oct_status oct_import_flag(const oct_import *im, const char *name, bool missing, bool *flag);

/* ---- emitting ---- */
/* Takes `bytes` from the budget of computed constants. A chain of broadcasts or concats doubles at every node, so without a budget
 * a file of a few hundred bytes could ask for any amount of memory. */
oct_status oct_import_spend(oct_import *im, size_t bytes);
/* A graph node called after the ONNX node plus `suffix`; with constant inputs, the constant it computes. */
oct_status oct_import_emit(oct_import *im, oct_op op, const char *suffix, const oct_attrs *attrs, const int *in, int in_count,
                           int *out);
oct_status oct_import_constant(oct_import *im, const char *suffix, oct_dtype dtype, const oct_shape *shape, const void *data,
                               int *out);
/* A constant of the graph called `name` from a tensor of the file; integers and bool become s64. */
oct_status oct_import_add_tensor(oct_import *im, const char *name, const oct_onnx_tensor *tensor, int *value);
/* A constant's elements as f32; f32 values of any kind stay as they are. */
oct_status oct_import_to_float(oct_import *im, const char *suffix, int x, int *out);
/* A constant of equal elements. */
oct_status oct_import_fill(oct_import *im, const char *suffix, oct_dtype dtype, const oct_shape *shape, double number, int *out);
/* A constant of one float, rank 0. */
oct_status oct_import_number(oct_import *im, const char *suffix, float number, int *out);

oct_status oct_import_unary(oct_import *im, const char *suffix, oct_fn fn, float alpha, float beta, int x, int *out);
oct_status oct_import_binary(oct_import *im, const char *suffix, oct_binary_fn fn, int a, int b, int *out);
oct_status oct_import_reduce(oct_import *im, const char *suffix, oct_reduce_fn fn, uint32_t axes, bool keep_dims, int x, int *out);
/* Nothing is emitted where shape or perm change nothing. */
oct_status oct_import_reshape(oct_import *im, const char *suffix, const oct_shape *shape, int x, int *out);
oct_status oct_import_transpose(oct_import *im, const char *suffix, const int *perm, int x, int *out);

/* Output i of the node at hand is `value`. Outputs that the handler does not set are refused if anybody uses them. */
void oct_import_set_output(oct_import *im, int i, int value);
bool oct_import_output_used(const oct_import *im, int i);

#endif

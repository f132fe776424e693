/* import_check.h - what the import suites share: one-node models from a table row, and looking at the graph that comes out. */
#ifndef TEST_IMPORT_CHECK_H
#define TEST_IMPORT_CHECK_H

#include <stdbool.h>

#include "graph.h"
#include "onnx_builder.h"

/* A model with one node. inputs: "name" for the graph input x, see below; all others are initializers.
 *   inputs   "x:1,3,8,8 w=4,3,3,3 s#1,-1 v"   x:DIMS graph input, w=DIMS float initializer, s#NUMBERS int64 initializer, - left out
 *   outputs  "y" or "y z": all become outputs of the graph but those that begin with '_' */
typedef struct one_node {
    int opset;
    const char *op, *inputs, *outputs, *attributes;
} one_node;

onnx_bytes one_node_model(const one_node *node);

/* Imports and releases the bytes. */
oct_status import_bytes(onnx_bytes *model, const oct_import_options *options, oct_graph **graph);

/* The operators in order, "transpose conv transpose"; functions by name: "relu", "add", "mean". */
const char *graph_ops(const oct_graph *graph);
/* The shape of output i: "1x4x8x8". */
const char *output_shape(const oct_graph *graph, int i);

#endif

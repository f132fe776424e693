/* graph_oracle.h - what a graph ought to compute: naive, one output element at a time, in double (f32) or exact (u8). Nobody
 * optimises this. It knows the graph language and the definitions in kernels.h, and shares no code with the runtime. */
#ifndef TEST_GRAPH_ORACLE_H
#define TEST_GRAPH_ORACLE_H

#include <stdbool.h>

#include "graph.h"

/* raw[v][i] is element i of value v: a real number for f32, q for u8. */
typedef struct graph_oracle {
    const oct_graph *graph;
    double **raw;
} graph_oracle;

/* Constants are known; all else comes by oracle_take and oracle_evaluate_node. */
void oracle_begin(graph_oracle *oracle, const oct_graph *graph);
void oracle_release(graph_oracle *oracle);

/* Makes these elements the value's. */
void oracle_take(graph_oracle *oracle, int value, const void *data);
/* Computes a node's output from what its inputs are now. */
void oracle_evaluate_node(graph_oracle *oracle, int node);

/* Compares a value with elements as a session has them: f32 within `tolerance` * (1 + |expected|), u8 within `steps`. Returns the
 * index of the first that differs, or -1. */
int64_t oracle_differs(const graph_oracle *oracle, int value, const void *data, double tolerance, int steps);

#endif

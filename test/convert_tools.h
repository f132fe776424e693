/* convert_tools.h - for the tests of the converting side: networks in a few words, and the same network run twice. */
#ifndef TEST_CONVERT_TOOLS_H
#define TEST_CONVERT_TOOLS_H

#include "graph.h"
#include "octet_convert.h"

/* ---- building: one call per node, random weights from test_random; a failure shows in oct_graph_status ---- */
oct_graph *net_create(void);
int net_input(oct_graph *g, int64_t a, int64_t b, int64_t c, int64_t d);
/* A constant of random numbers in [lo, hi]; shape by rank and dimensions. */
int net_constant(oct_graph *g, const oct_shape *shape, float lo, float hi);
int net_node(oct_graph *g, oct_op op, const oct_attrs *attrs, const int *in, int count);
int net_unary(oct_graph *g, oct_fn fn, float alpha, float beta, int x);
int net_relu(oct_graph *g, int x);
int net_binary(oct_graph *g, oct_binary_fn fn, int a, int b);
int net_transpose(oct_graph *g, int x, const char *perm);   /* "0312" */
int net_reshape(oct_graph *g, int x, const oct_shape *shape);
int net_concat(oct_graph *g, int a, int b, int axis);
int net_reduce(oct_graph *g, oct_reduce_fn fn, int x, int axes, bool keep_dims);
/* NHWC convolution with bias; pad on all sides. groups 0: depthwise. */
int net_conv(oct_graph *g, int x, int out, int kernel, int stride, int pad, int groups);
int net_dense(oct_graph *g, int x, int out);
int net_max_pool(oct_graph *g, int x, int kernel, int stride);
/* The same on NCHW values in brackets of transposes, as the importer writes them. */
int net_nchw_conv(oct_graph *g, int x, int out, int kernel, int stride, int pad, int groups);
int net_nchw_max_pool(oct_graph *g, int x, int kernel, int stride);
void net_output(oct_graph *g, int x);

/* ---- asking ---- */
int net_count(const oct_graph *g, oct_op op);
/* The only node with this operator; NULL if there is none, or more than one. */
const oct_node *net_only(const oct_graph *g, oct_op op);
/* Transposes that neither read a graph input nor write a graph output. */
int net_inner_transposes(const oct_graph *g);
int net_changes(const oct_optimize_report *report, const char *pass);

/* ---- running ---- */
/* Random elements in [lo, hi] for every input; release with net_free_inputs. */
float **net_random_inputs(const oct_graph *g, float lo, float hi);
void net_free_inputs(const oct_graph *g, float **inputs);
/* A calibration that has seen so many random samples in [lo, hi]; a failure fails the case. */
oct_calibration *net_calibrated(const oct_graph *g, int samples, float lo, float hi);
/* All outputs one after the other, as f32; NULL (and a failed check) if it does not run. Release with free. */
float *net_run(const oct_graph *g, float *const *inputs, size_t *elements);
/* Largest |a - b| / (1 + largest |a|) over all outputs of two graphs for the same inputs; a huge number if one does not run. */
double net_difference(const oct_graph *a, const oct_graph *b, float *const *inputs);

/* Optimises a copy of g, fails the running case unless it is a valid graph that computes the same for random inputs with
 * outputs of the same names. The caller frees the copy. */
oct_graph *net_optimized(const oct_graph *g, oct_optimize_report *report);

#endif

/* rewrite.h - small steps that the optimiser's passes and the quantiser are made of. */
#ifndef OCT_REWRITE_H
#define OCT_REWRITE_H

#include "graph.h"

/* ---- questions ---- */
bool oct_is_graph_input(const oct_graph *graph, int value);
bool oct_is_graph_output(const oct_graph *graph, int value);
/* Elements of an f32 constant; NULL if `value` is none (or is OCT_NONE). */
const float *oct_f32_constant(const oct_graph *graph, int value);
/* The node that computes `value` if it is an `op`, else NULL. */
oct_node *oct_producer_of(const oct_graph *graph, int value, oct_op op);
/* Whether the elements of both values mean the same: two bytes that are equal stand for the same number. */
bool oct_same_numbers(const oct_graph *graph, int a, int b);
/* Input i of a node, OCT_NONE where it is left out. */
int oct_node_input(const oct_node *node, int i);
/* Conv and dense have room for a bias and a residual in node->in; this makes it. */
oct_status oct_node_reserve_inputs(oct_node *node, int count);

/* ---- steps ---- */
/* Makes `to` stand for `from` everywhere. A network output keeps its name, so *done is false (and nothing has changed) where
 * `from` is an output and `to` already is known to the outside: an input, a constant or another output. */
void oct_replace_value(oct_graph *graph, int from, int to, bool *done);
/* Takes node n out by letting its input 0 stand for its output, where that is possible. */
void oct_bypass_node(oct_graph *graph, int n, bool *done);
/* Input i of node n becomes an f32 constant that nothing else uses, ready to be changed. */
oct_status oct_own_constant(oct_graph *graph, int n, int i, float **data);
/* The bias of conv or dense n as a constant of its own, made of zeros where there is none. */
oct_status oct_own_bias(oct_graph *graph, int n, float **data);

/* Gives every fused activation that is no clamp a node of its own again. The values keep their numbers; the ones in between,
 * before the activation, are added at the end, in the order of the nodes. Quantisation looks at such a graph: bytes cannot be
 * written before the activation and read behind it. */
oct_status oct_split_activations(oct_graph *graph);

/* ---- permutations of axes: y = transpose(x, perm) has y.dims[i] = x.dims[perm.axis[i]] ---- */
typedef struct oct_perm {
    int rank;
    int32_t axis[OCT_MAX_RANK];
} oct_perm;

/* The permutation of a transpose node. */
oct_perm oct_perm_of(const oct_graph *graph, const oct_node *transpose);
oct_perm oct_perm_inverse(const oct_perm *p);
/* transpose(transpose(x, first), second) = transpose(x, result) */
oct_perm oct_perm_then(const oct_perm *first, const oct_perm *second);
bool oct_perm_equal(const oct_perm *a, const oct_perm *b);
bool oct_perm_is_identity(const oct_perm *p);
/* Whether the transpose of a tensor of this shape leaves all elements in their order: only axes of length 1 change places. */
bool oct_perm_moves_nothing(const oct_perm *p, const oct_shape *shape);
oct_shape oct_perm_shape(const oct_perm *p, const oct_shape *shape);
oct_attrs oct_perm_attrs(const oct_perm *p);
/* out = the transpose of `in` (of the given shape), elements of `size` bytes. */
void oct_perm_apply(const oct_perm *p, const oct_shape *shape, size_t size, const void *in, void *out);

/* Appends transpose(x, p). */
oct_status oct_add_transpose(oct_graph *graph, int x, const oct_perm *p, int *out);

#endif

/* optimize.h - the optimiser's passes. Each is one idea in one function; optimize.c runs them until nothing changes. */
#ifndef OCT_OPTIMIZE_H
#define OCT_OPTIMIZE_H

#include "rewrite.h"

/* One sweep of a pass over the graph. Adds the number of its changes to *changes. It finds the nodes in topological order with
 * correct shapes and without dead ones, may append nodes in any order and leave dead ones behind, and must set the shapes it
 * knows to have changed only if it needs them itself: the driver sweeps and infers anew after every pass that changed something. */
typedef oct_status oct_pass_fn(oct_graph *graph, int *changes);

/* optimize_clean.c */
oct_pass_fn oct_pass_drop_dead, oct_pass_drop_identities, oct_pass_merge_reshapes, oct_pass_merge_equal_nodes;
/* optimize_constants.c */
oct_pass_fn oct_pass_fold_constants;
/* optimize_transpose.c */
oct_pass_fn oct_pass_merge_transposes, oct_pass_absorb_transposes, oct_pass_transposes_to_reshapes;
/* optimize_layout.c */
oct_pass_fn oct_pass_move_transposes;
/* optimize_affine.c */
oct_pass_fn oct_pass_fold_batchnorm, oct_pass_affine_to_depthwise;
/* optimize_fuse.c */
oct_pass_fn oct_pass_merge_pads, oct_pass_fuse_residual, oct_pass_fuse_activation;
/* optimize_qdq.c */
oct_pass_fn oct_pass_sink_dequantize, oct_pass_hoist_quantize, oct_pass_merge_quantize, oct_pass_int8_nodes;

/* Whether the transpose `p`, put before node n's input 0, could be computed into n at no cost: a reduction that keeps the
 * order of the remaining axes, or a flattening whose only readers are dense layers. */
bool oct_absorbs_transpose(const oct_graph *graph, int n, const oct_perm *p);

#endif

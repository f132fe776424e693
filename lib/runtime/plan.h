/* plan.h - which value lies where: lifetimes, shared memory, one arena.
 *
 *            step 0     step 1     step 2     step 3
 *   v3       [==========]                               a place: bytes [offset, offset + bytes) of the arena
 *   v4                  [==========]                    from the step that writes it to the last step that reads it
 *   v5 = relu(v4)                  [==========]         in place: v5 has v4's root, one place for both
 *   scratch  [=]                   [=]                  one step long
 */
#ifndef OCT_PLAN_H
#define OCT_PLAN_H

#include "graph.h"

/* Where a value, or a step's scratch memory, lies. */
typedef struct oct_place {
    int root;          /* the value whose place this value shares (itself if none); a constant root lies in its own data */
    int first, last;   /* of a root: the first and last step at which its bytes must be kept */
    size_t offset, bytes;
} oct_place;

typedef struct oct_plan {
    oct_place *values;     /* one per value */
    oct_place *scratch;    /* one per node */
    size_t arena_bytes;
    size_t arena_bound;    /* the largest sum of places alive at one step: no arena can be smaller */
} oct_plan;

/* scratch_bytes: for each node what its step needs while it runs. Graph inputs keep their place for ever, graph outputs
 * until the last step. Errors: MEMORY. */
oct_status oct_plan_make(const oct_graph *graph, const size_t *scratch_bytes, oct_plan *plan);
void oct_plan_free(oct_plan *plan);

#endif

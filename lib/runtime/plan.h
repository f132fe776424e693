/* plan.h - which value lies where: lifetimes, shared memory, one arena.
 *
 *            step 0     step 1     step 2     step 3
 *   v3       [==========]                               a place: bytes [offset, offset + bytes) of the arena
 *   v4                  [==========]                    from the step that writes it to the last step that reads it
 *   v5 = relu(v4)                  [==========]         in place: v5 has v4's root, one place for both
 *   scratch  [=]                   [=]                  one step long
 *
 * A concatenation's inputs, where their producers can, are written where the concatenation would copy them to. Along the last axis
 * (channels) that leaves gaps between the rows of each:
 *
 *   v9 = concat(v7, v8)      row 0            row 1            row 2
 *                            |77777777|8888|  |77777777|8888|  |77777777|8888|
 *   v7: offset 0, v8: offset 8 elements, both `row` = 12 elements apart; v9's place begins when the first of them is written
 */
#ifndef OCT_PLAN_H
#define OCT_PLAN_H

#include "graph.h"

/* Where a value, or a step's scratch memory, lies. */
typedef struct oct_place {
    int root;          /* the value whose place this value shares (itself if none); a constant root lies in its own data */
    int first, last;   /* of a root: the first and last step at which its bytes must be kept */
    size_t offset, bytes;
    bool part;         /* its place is only some of the root's */
    size_t row;        /* parts: bytes from one row (all along the last axis) to the next; 0: rows without gaps */
} oct_place;

typedef struct oct_plan {
    oct_place *values;     /* one per value */
    oct_place *scratch;    /* one per node */
    size_t arena_bytes;
    size_t arena_bound;    /* the largest sum of places alive at one step: no arena can be smaller */
    int in_place;          /* inputs of concatenations that are written in place */
} oct_plan;

/* scratch_bytes: for each node what its step needs while it runs. Graph inputs keep their place for ever, graph outputs
 * until the last step. Errors: MEMORY. */
oct_status oct_plan_make(const oct_graph *graph, const size_t *scratch_bytes, oct_plan *plan);
void oct_plan_free(oct_plan *plan);

#endif

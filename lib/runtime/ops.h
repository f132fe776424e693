/* ops.h - how a node becomes a step of a session: one row per operator, in ops_table.c.
 *
 *   prepare   everything that does not depend on addresses: packs weights, computes tables, says how much scratch it needs
 *   bind      addresses are known: builds row pointers                                                            (may be missing)
 *   work      units [begin, end) of the step, on any thread                                                       (the usual case)
 *   run       the whole step, for operators with several phases                                                   (instead of work)
 *
 * Only prepare and bind may fail or allocate; what they allocate is kept by the session (keeper.h).
 */
#ifndef OCT_OPS_H
#define OCT_OPS_H

#include "graph.h"
#include "keeper.h"
#include "kernels.h"
#include "prepack.h"
#include "threads.h"

typedef struct oct_runtime_op oct_runtime_op;

#define OCT_KERNEL_TEXT 64

typedef struct oct_step {
    const oct_node *node;
    const oct_runtime_op *op;
    void *state;                   /* the operator's own, kept by the session */
    size_t units, grain;           /* for work: how many units, and how many make a piece worth a thread's while */
    const void **in;               /* known from bind on: one address per input, NULL where it is left out */
    void *out;
    size_t out_row;                /* bytes from one row of the output (all along its last axis) to the next; 0: no gaps */
    void *scratch;
    size_t scratch_bytes;
    const char *algo;              /* as oct_layer_run */
    char kernel[OCT_KERNEL_TEXT];
    size_t bytes_moved;
    double microseconds;
    bool observed;                 /* this run: somebody looks at every value */
} oct_step;

/* What prepare knows. */
typedef struct oct_setup {
    const oct_graph *graph;
    const oct_kernels *kernels;
    int threads;
    bool winograd;                 /* may be taken */
    bool lasting;                  /* the network is so small that all its weights stay in the cache from run to run */
    oct_keeper *keeper;
    oct_pack_queue *queue;         /* where weights wait to be packed */
    oct_run_scale *run_scales;     /* one per value: those of dynamic ones, written by every run */
} oct_setup;

/* Whether the output may lie in an input's memory. */
typedef enum oct_sharing {
    OCT_SHARE_NOTHING,
    OCT_SHARE_DEAD_INPUT, /* element by element: any input of the same shape and type that nobody needs later */
    OCT_SHARE_RESIDUAL,   /* conv, dense: the residual, likewise; each of its elements is read just before it is overwritten */
    OCT_SHARE_VIEW        /* the output is the first input under another shape: always the same memory */
} oct_sharing;

struct oct_runtime_op {
    oct_op op;
    oct_sharing sharing;
    oct_status (*prepare)(const oct_setup *setup, oct_step *step);
    oct_status (*bind)(oct_step *step);
    oct_work_fn *work;             /* arg is the step */
    void (*run)(oct_step *step, oct_pool *pool);
    bool writes_rows;              /* leaves gaps between the rows of its output where the plan says so (oct_step.out_row) */
};

/* The row of an operator; every operator of operators.h has one. */
const oct_runtime_op *oct_runtime_op_of(oct_op op);

/* ---- for the operators ---- */

/* Memory kept by the session: zeroed, 64-byte aligned. NULL if memory is short; *status says so. */
void *oct_step_keep(const oct_setup *setup, size_t count, size_t size, oct_status *status);

static inline const oct_value *oct_input_of(const oct_setup *setup, const oct_step *step, int i)
{
    return &setup->graph->values[step->node->in[i]];
}

static inline bool oct_has_input(const oct_step *step, int i) { return i < step->node->in_count && step->node->in[i] != OCT_NONE; }

static inline const oct_value *oct_output_of(const oct_setup *setup, const oct_step *step)
{
    return &setup->graph->values[step->node->out[0]];
}

/* Fails unless input and output have one of the two types that arithmetic knows, and the same one. */
oct_status oct_same_type(const oct_setup *setup, const oct_step *step);
/* Fails unless u8 input and output have the same scale and zero point. */
oct_status oct_same_scale(const oct_setup *setup, const oct_step *step);

/* Divides the step into `units` units which take about `nanoseconds` altogether on one thread (grain.h). */
void oct_step_share(oct_step *step, size_t units, double nanoseconds);

#endif

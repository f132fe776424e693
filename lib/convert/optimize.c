/* optimize.c - runs the passes over a copy of the graph until nothing changes, and puts the copy in its place.
 *
 * First everything that makes the graph smaller or shows its structure (phase 1), to its end; then what presses several nodes
 * into one (phase 2), and last what a quantized file says about bytes is made of the nodes (phase 3). Each pass keeps the network's
 * outputs, up to rounding; every pass alone is correct, and none relies on another one having run.
 */
#include "optimize.h"

#include "memory.h"
#include "status.h"

typedef struct pass {
    int phase;
    const char *name, *what;
    oct_pass_fn *run;
} pass;

/* Order matters for speed only. What tidies up comes first, so that the others look at less; transposes are brought together
 * before groups are weighed; and batch norms are folded when no transpose separates them from their convolution any more. */
static const pass passes[] = {
    {1, "drop-dead", "nodes that no output needs", oct_pass_drop_dead},
    {1, "fold-constants", "nodes with constant inputs, computed once and for all", oct_pass_fold_constants},
    {1, "drop-identities", "nodes that change nothing", oct_pass_drop_identities},
    {1, "merge-reshapes", "a reshape of a reshape is one reshape", oct_pass_merge_reshapes},
    {1, "merge-equal", "the same computation twice is done once", oct_pass_merge_equal_nodes},
    {1, "merge-transposes", "a transpose of a transpose is one, or none", oct_pass_merge_transposes},
    {1, "absorb-transposes", "reductions and dense weights that can do a transpose's work", oct_pass_absorb_transposes},
    {1, "move-transposes", "groups of nodes that can work in another layout, so that transposes go", oct_pass_move_transposes},
    {1, "merge-pads", "zero padding done by the convolution or pooling after it", oct_pass_merge_pads},
    {1, "fold-batchnorm", "multiplications and additions per channel, computed into weights and bias", oct_pass_fold_batchnorm},
    {2, "reshape-transposes", "transposes that move only axes of length 1 become reshapes", oct_pass_transposes_to_reshapes},
    {2, "affine-to-depthwise", "a multiplication per channel becomes a 1x1 depthwise convolution", oct_pass_affine_to_depthwise},
    {2, "fuse-residual", "additions done by the convolution or dense layer before them", oct_pass_fuse_residual},
    {2, "fuse-activation", "clamps and other functions done by the node before them", oct_pass_fuse_activation},
    {3, "sink-dequantize", "bytes moved as bytes, before they become floats", oct_pass_sink_dequantize},
    {3, "hoist-quantize", "floats quantized before they are moved", oct_pass_hoist_quantize},
    {3, "merge-quantize", "a dequantize and a quantize are one change of scale, or nothing", oct_pass_merge_quantize},
    {3, "int8-nodes", "what a file dequantizes, computes and quantizes again is computed with bytes", oct_pass_int8_nodes},
};
#define PASS_COUNT ((int)(sizeof passes / sizeof passes[0]))
_Static_assert(PASS_COUNT <= OCT_MAX_PASSES, "the report has no room for all passes");

/* Every change removes, merges or moves something for good, so the loop ends by itself; this only bounds an error of ours. */
#define MAX_ROUNDS 200

static oct_status run_pass(oct_graph *graph, const pass *p, int *changes)
{
    *changes = 0;
    OCT_TRY(p->run(graph, changes));
    if (*changes == 0)
        return OCT_OK;
    if (oct_graph_sweep(graph) < 0)
        return oct_fail(OCT_ERR_MEMORY, "out of memory while optimising (%s)", p->name);
    const oct_status status = oct_graph_infer(graph);
    return status == OCT_OK ? OCT_OK : oct_fail_in(status, "after %s", p->name);
}

/* Each phase repeats the earlier ones' passes too: what it does may give them new work. */
static oct_status run_phases(oct_graph *graph, oct_optimize_report *report)
{
    for (int phase = 1; phase <= 3; phase++) {
        bool again = true;
        for (int round = 0; again && round < MAX_ROUNDS; round++) {
            again = false;
            for (int i = 0; i < PASS_COUNT; i++) {
                int changes;
                if (passes[i].phase > phase)
                    continue;
                OCT_TRY(run_pass(graph, &passes[i], &changes));
                report->passes[i].changes += changes;
                again |= changes > 0;
            }
        }
    }
    return OCT_OK;
}

/* On a copy: a failure half way, for want of memory, leaves the caller's graph as it was. */
oct_status oct_optimize(oct_graph *graph, oct_optimize_report *report)
{
    oct_optimize_report local = {.count = PASS_COUNT};
    oct_graph *copy;
    if (!graph)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_optimize: graph is NULL");
    OCT_TRY(oct_graph_status(graph));
    OCT_TRY(oct_graph_check(graph));
    for (int i = 0; i < PASS_COUNT; i++)
        local.passes[i] = (oct_pass_info){passes[i].name, passes[i].what, 0};
    OCT_TRY(oct_graph_clone(graph, &copy));
    oct_status status = run_phases(copy, &local);
    if (status == OCT_OK)
        status = oct_graph_check(copy);
    if (status == OCT_OK) {
        const oct_graph old = *graph;
        *graph = *copy;
        *copy = old;
        if (report)
            *report = local;
    }
    oct_graph_free(copy);
    return status;
}

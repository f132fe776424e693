/* A session: prepare all steps, plan the memory, allocate it once, bind the addresses; then run.
 *
 *   oct_session_create
 *       choose_kernels    one table for the whole session; two sessions may have two
 *       prepare_steps     per node: compute multipliers and tables, say how much scratch memory is needed; then pack all weights
 *       make_arena        lifetimes of values and scratch -> offsets -> one block            (plan.c)
 *       bind_steps        addresses into the steps; convolutions build their row pointers
 *
 *   oct_run               for each step: the pool runs it, nothing else happens
 *
 * What the session allocates lies in four places: the arena, the keeper (packed weights, tables, pointers), the list of steps,
 * and the pool. The model is shared and never written to.
 */
#define _POSIX_C_SOURCE 200809L
#include "session.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "memory.h"
#include "model.h"
#include "ops.h"
#include "plan.h"
#include "status.h"

struct oct_session {
    oct_model *model;
    const oct_graph *graph;
    const oct_kernels *kernels;
    oct_pool *pool;
    int threads;
    bool profile, winograd, ran;
    oct_plan plan;
    uint8_t *arena;
    oct_step *steps;      /* one per node */
    bool *input_set;      /* one per graph input */
    oct_keeper keeper;    /* packed weights, tables, row pointers */
};

/* ---------------------------------------------------------------------------------------------- creating ---- */

/* "scalar, avx2" - what a caller may ask for here and now. */
static void list_isas(char *text, size_t size)
{
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < oct_isa_count(); i++) {
        oct_isa_info info;
        if (oct_isa(i, &info) != OCT_OK || !info.available || used >= size)
            continue;
        const int wrote = snprintf(text + used, size - used, "%s%s", used ? ", " : "", info.name);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

/* No mask: a session may use all that CPU and system allow. */
static oct_status choose_kernels(const char *isa, const oct_kernels **kernels)
{
    char available[256];
    *kernels = oct_kernels_get(isa, ~0u);
    if (*kernels)
        return OCT_OK;
    list_isas(available, sizeof available);
    return oct_fail(OCT_ERR_UNSUPPORTED, "instruction set %s is not available here; available: %s", isa, available);
}

/* Of a value's elements: in the arena, or in the constant that it is (or is a view of). Graph outputs are looked up the same way,
 * so an output may be a constant, an input, or a view of either. */
static const void *address(const oct_session *s, int value)
{
    const int root = s->plan.values[value].root;
    return s->graph->values[root].data ? s->graph->values[root].data : s->arena + s->plan.values[value].offset;
}

/* The least that must pass through memory: each operand once. A view moves nothing. */
static size_t bytes_moved(const oct_graph *graph, const oct_node *node, const char *algo)
{
    size_t bytes = 0;
    if (!strcmp(algo, "none"))
        return 0;
    for (int i = 0; i < node->in_count; i++)
        bytes += node->in[i] >= 0 ? oct_value_bytes(&graph->values[node->in[i]]) : 0;
    return bytes + oct_value_bytes(&graph->values[node->out[0]]);
}

/* What computes an output without elements, whatever the operator. */
static oct_status prepare_nothing(const oct_setup *setup, oct_step *step)
{
    (void)setup;
    step->algo = "none";
    return OCT_OK;
}

static const oct_runtime_op *runtime_op_of(const oct_graph *graph, const oct_node *node)
{
    static const oct_runtime_op nothing = {.op = OCT_OP_NONE, .prepare = prepare_nothing};
    return oct_value_bytes(&graph->values[node->out[0]]) == 0 ? &nothing : oct_runtime_op_of(node->op);
}

/* Winograd's transformed weights take up to 8 times the bytes of the constants they come from: of this many, they still fill no
 * more than half of a last-level cache of 32 MB. Decides how weights are kept (winograd.h), never what they give. */
enum { LASTING_CONSTANTS = 2 * 1024 * 1024 };

static size_t constant_bytes(const oct_graph *graph)
{
    size_t bytes = 0;
    for (int i = 0; i < graph->value_count; i++)
        bytes += graph->values[i].data ? oct_value_bytes(&graph->values[i]) : 0;
    return bytes;
}

static oct_status prepare_step(const oct_session *s, const oct_setup *setup, int n)
{
    oct_step *step = &s->steps[n];
    step->node = &s->graph->nodes[n];
    step->op = runtime_op_of(s->graph, step->node);
    const oct_status status = step->op->prepare(setup, step);
    if (status != OCT_OK)
        return oct_fail_in(status, "node %s", step->node->name);
    step->bytes_moved = bytes_moved(s->graph, step->node, step->algo);
    return OCT_OK;
}

/* Without addresses, because the scratch memory that the plan has to place is known only afterwards. */
static oct_status prepare_steps(oct_session *s)
{
    oct_pack_queue queue = {0};
    s->keeper.expected = constant_bytes(s->graph);   /* packed, they take about as much again */
    const oct_setup setup = {.graph = s->graph, .kernels = s->kernels, .threads = s->threads, .winograd = s->winograd,
                             .lasting = s->keeper.expected <= LASTING_CONSTANTS, .keeper = &s->keeper, .queue = &queue,
                             .run_scales = oct_keep(&s->keeper, (size_t)s->graph->value_count, sizeof *setup.run_scales)};
    if (!setup.run_scales)
        return oct_fail_memory((size_t)s->graph->value_count * sizeof *setup.run_scales);
    s->steps = oct_alloc((size_t)s->graph->node_count, sizeof *s->steps);
    if (!s->steps)
        return oct_fail_memory((size_t)s->graph->node_count * sizeof *s->steps);
    oct_status status = OCT_OK;
    for (int n = 0; status == OCT_OK && n < s->graph->node_count; n++)
        status = prepare_step(s, &setup, n);
    oct_pack_waiting(&queue, status == OCT_OK ? s->pool : NULL);
    return status;
}

/* One block for everything that a run writes. */
static oct_status make_arena(oct_session *s)
{
    size_t *scratch = oct_alloc((size_t)s->graph->node_count, sizeof *scratch);
    if (!scratch)
        return oct_fail_memory((size_t)s->graph->node_count * sizeof *scratch);
    for (int n = 0; n < s->graph->node_count; n++)
        scratch[n] = s->steps[n].scratch_bytes;
    const oct_status status = oct_plan_make(s->graph, scratch, &s->plan);
    oct_free(scratch);
    OCT_TRY(status);
    s->arena = oct_alloc(s->plan.arena_bytes, 1);
    return s->arena ? OCT_OK : oct_fail_memory(s->plan.arena_bytes);
}

/* From here on nothing moves any more, so that a run only follows pointers. The output address of a view of a constant is never
 * used: a view has no work. */
static oct_status bind_steps(oct_session *s)
{
    for (int n = 0; n < s->graph->node_count; n++) {
        oct_step *step = &s->steps[n];
        step->in = oct_keep(&s->keeper, (size_t)step->node->in_count, sizeof *step->in);
        if (!step->in)
            return oct_fail_memory((size_t)step->node->in_count * sizeof *step->in);
        for (int i = 0; i < step->node->in_count; i++)
            step->in[i] = step->node->in[i] >= 0 ? address(s, step->node->in[i]) : NULL;
        step->out = s->arena + s->plan.values[step->node->out[0]].offset;
        step->out_row = s->plan.values[step->node->out[0]].row;
        step->scratch = s->arena + s->plan.scratch[n].offset;
        const oct_status status = step->op->bind ? step->op->bind(step) : OCT_OK;
        if (status != OCT_OK)
            return oct_fail_in(status, "node %s", step->node->name);
    }
    return OCT_OK;
}

/* On failure oct_session_free releases whatever there is by then: all fields were zero. */
static oct_status create(oct_session *s, const oct_options *options)
{
    OCT_TRY(choose_kernels(options->isa, &s->kernels));
    s->threads = options->threads ? options->threads : oct_cpu_count();
    s->profile = options->profile != 0;
    s->winograd = !options->no_winograd;
    s->input_set = oct_alloc((size_t)s->graph->input_count, sizeof *s->input_set);
    if (!s->input_set)
        return oct_fail_memory((size_t)s->graph->input_count);
    OCT_TRY(oct_pool_create(s->threads, &s->pool));
    OCT_TRY(prepare_steps(s));
    OCT_TRY(make_arena(s));
    return bind_steps(s);
}

/* Arguments first, so that a wrong call never starts a thread. */
oct_status oct_session_create(const oct_model *model, const oct_options *options, oct_session **session)
{
    static const oct_options defaults = {0};
    if (session)
        *session = NULL;
    if (!model || !session)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_session_create: %s is NULL", model ? "session" : "model");
    if (!options)
        options = &defaults;
    if (options->threads < 0 || options->threads > OCT_MAX_THREADS)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_session_create: %d threads; 0 (one per CPU) or 1..%d are possible", options->threads,
                        OCT_MAX_THREADS);
    oct_session *made = oct_alloc(1, sizeof *made);
    if (!made)
        return oct_fail_memory(sizeof *made);
    made->model = oct_model_hold(model);
    made->graph = oct_model_graph(model);
    const oct_status status = create(made, options);
    if (status != OCT_OK)
        oct_session_free(made);
    else
        *session = made;
    return status;
}

/* The workers go first: they may still be looking at the pool. The model goes last: the plan and the steps point into it. */
void oct_session_free(oct_session *session)
{
    if (!session)
        return;
    oct_pool_free(session->pool);
    oct_plan_free(&session->plan);
    oct_keeper_release(&session->keeper);
    oct_free(session->arena);
    oct_free(session->steps);
    oct_free(session->input_set);
    oct_model_free(session->model);
    oct_free(session);
}

/* ----------------------------------------------------------------------------------- inputs and outputs ---- */

/* Copied into the arena at once: the caller's memory is free again, and the input's place belongs to it alone (plan.h), so it
 * survives runs. */
oct_status oct_set_input(oct_session *session, size_t index, const void *data, size_t bytes)
{
    if (!session || (!data && bytes > 0))
        return oct_fail(OCT_ERR_ARGUMENT, "oct_set_input: %s is NULL", session ? "data" : "session");
    if (index >= (size_t)session->graph->input_count)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_set_input: input %zu of %d", index, session->graph->input_count);
    const int value = session->graph->inputs[index];
    const size_t expected = oct_value_bytes(&session->graph->values[value]);
    if (bytes != expected)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_set_input: %zu bytes for input %zu (%s), which has %zu", bytes, index,
                        session->graph->values[value].name, expected);
    if (bytes > 0)
        memcpy(session->arena + session->plan.values[value].offset, data, bytes);
    session->input_set[index] = true;
    return OCT_OK;
}

/* An output may be a constant or an input; address() knows. */
const void *oct_output_data(const oct_session *session, size_t index)
{
    if (!session || index >= (size_t)session->graph->output_count)
        return NULL;
    return address(session, session->graph->outputs[index]);
}

/* The size is checked before the state, so that a wrong call is wrong from the first day on. */
oct_status oct_get_output(const oct_session *session, size_t index, void *data, size_t bytes)
{
    if (!session || (!data && bytes > 0))
        return oct_fail(OCT_ERR_ARGUMENT, "oct_get_output: %s is NULL", session ? "data" : "session");
    if (index >= (size_t)session->graph->output_count)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_get_output: output %zu of %d", index, session->graph->output_count);
    const oct_value *value = &session->graph->values[session->graph->outputs[index]];
    if (bytes != oct_value_bytes(value))
        return oct_fail(OCT_ERR_ARGUMENT, "oct_get_output: %zu bytes for output %zu (%s), which has %zu", bytes, index, value->name,
                        oct_value_bytes(value));
    if (!session->ran)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_get_output: nothing has been computed yet; call oct_run first");
    if (bytes > 0)
        memcpy(data, oct_output_data(session, index), bytes);
    return OCT_OK;
}

/* ----------------------------------------------------------------------------------------------- running ---- */

/* Monotonic: setting the clock must not make a layer take negative time. */
static double now_microseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

/* A view has neither run nor work. */
static void run_step(oct_session *s, oct_step *step)
{
    if (step->op->run)
        step->op->run(step, s->pool);
    else if (step->op->work)
        oct_pool_run(s->pool, step->op->work, step, step->units, step->grain);
}

/* A value with gaps between its rows is shown without them: the only case in which a run allocates, and nobody observes a run for
 * its speed. */
static oct_status show(const oct_session *s, int value, oct_observe_fn *observe, void *arg)
{
    const size_t bytes = oct_value_bytes(&s->graph->values[value]), gap = s->plan.values[value].row;
    const uint8_t *data = address(s, value);
    if (!gap) {
        observe(arg, value, data);
        return OCT_OK;
    }
    const oct_shape *shape = &s->graph->values[value].shape;
    const size_t row = (size_t)shape->dims[shape->rank - 1] * oct_dtype_size(s->graph->values[value].dtype);
    uint8_t *copy = oct_alloc(bytes, 1);
    if (!copy)
        return oct_fail_memory(bytes);
    for (size_t i = 0; i < bytes / row; i++)
        memcpy(copy + i * row, data + i * gap, row);
    observe(arg, value, copy);
    oct_free(copy);
    return OCT_OK;
}

/* Every value is shown right after the step that made it, because the next step may work in place. The clock is read only when a
 * profile was asked for. */
oct_status oct_run_observed(oct_session *session, oct_observe_fn *observe, void *arg)
{
    if (!session)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_run: session is NULL");
    const oct_graph *graph = session->graph;
    for (int i = 0; i < graph->input_count; i++)
        if (!session->input_set[i])
            return oct_fail(OCT_ERR_ARGUMENT, "oct_run: input %d (%s) was never set", i, graph->values[graph->inputs[i]].name);
    for (int i = 0; observe && i < graph->input_count; i++)
        observe(arg, graph->inputs[i], address(session, graph->inputs[i]));
    for (int n = 0; n < graph->node_count; n++) {
        oct_step *step = &session->steps[n];
        step->observed = observe != NULL;
        const double begin = session->profile ? now_microseconds() : 0;
        run_step(session, step);
        if (session->profile)
            step->microseconds = now_microseconds() - begin;
        if (observe)
            OCT_TRY(show(session, step->node->out[0], observe, arg));
    }
    session->ran = true;
    return OCT_OK;
}

oct_status oct_run(oct_session *session) { return oct_run_observed(session, NULL, NULL); }

/* ------------------------------------------------------------------------------------------------ asking ---- */

/* packed_bytes counts everything that was prepared: weights, multipliers, tables and row pointers. */
oct_status oct_session_describe(const oct_session *session, oct_session_info *info)
{
    if (info)
        *info = (oct_session_info){0};
    if (!session || !info)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_session_describe: %s is NULL", session ? "info" : "session");
    *info = (oct_session_info){
        .isa = session->kernels->isa,
        .threads = session->threads,
        .arena_bytes = session->plan.arena_bytes,
        .arena_bound = session->plan.arena_bound,
        .packed_bytes = session->keeper.bytes,
        .in_place = (size_t)session->plan.in_place,
    };
    return OCT_OK;
}

oct_status oct_session_layer(const oct_session *session, size_t index, oct_layer_run *run)
{
    if (run)
        *run = (oct_layer_run){0};
    if (!session || !run)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_session_layer: %s is NULL", session ? "run" : "session");
    if (index >= (size_t)session->graph->node_count)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_session_layer: layer %zu of %d", index, session->graph->node_count);
    const oct_step *step = &session->steps[index];
    *run = (oct_layer_run){
        .algo = step->algo, .kernel = step->kernel, .microseconds = step->microseconds, .bytes_moved = step->bytes_moved};
    return OCT_OK;
}

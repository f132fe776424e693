/* Planning memory. Finding the smallest arena is NP-hard (dynamic storage allocation); first-fit in the order of falling size
 * comes within a few per cent of the bound on real networks: Pisarchyk and Lee, "Efficient Memory Management for Deep Neural Net
 * Inference", 2020. Three orders are tried, each several times: what lay on top of the arena is placed first the next time. The
 * smallest arena is kept; mostly it is the bound, and then the search ends.
 *
 *   offset
 *     ^   +-----------+                          The bound is the tallest column of what is alive at one step.
 *     |   |  v4       |      +--------+          First-fit leaves holes where short-lived places lie under
 *     |   +-----------+      |  v9    |          long-lived ones; placing the large ones first leaves the
 *     |   +------+  +--------+--------+          holes to the small.
 *     |   | v3   |  |  v7             |
 *     +---+------+--+-----------------+--> step
 *
 * Sharing comes first, because what shares a place need not be placed:
 *   views         always (reshape)
 *   in place      an element-wise step takes the place of an input that dies there
 *   residual      a convolution writes its sum over the residual that dies there
 *   parts         a concatenation's inputs are written into its output (plan.h), unless that would raise the bound: a part that is
 *                 made early would hold the place of the whole from then on
 */
#include "plan.h"

#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "ops.h"
#include "status.h"

/* Constants stay where they are: in the mapped file, or in the graph. */
static bool lies_in_arena(const oct_graph *graph, int value) { return !oct_value_is_constant(&graph->values[value]); }

static int max_int(int a, int b) { return a > b ? a : b; }
static int min_int(int a, int b) { return a < b ? a : b; }

/* --------------------------------------------------------------------------------------------- lifetimes ---- */

/* Each value by itself. An input is written before the first step and kept for ever, for the next run may not set it again. An
 * output is kept from the step that makes it until the run is over. A value that nobody reads still needs its place while it is
 * written. */
static void find_lifetimes(const oct_graph *graph, oct_place *values)
{
    for (int v = 0; v < graph->value_count; v++) {
        values[v] = (oct_place){.root = v, .first = max_int(graph->values[v].producer, 0)};
        values[v].last = values[v].first;
        values[v].bytes = lies_in_arena(graph, v) ? oct_align_up(oct_value_bytes(&graph->values[v])) : 0;
    }
    for (int n = 0; n < graph->node_count; n++)
        for (int i = 0; i < graph->nodes[n].in_count; i++)
            if (graph->nodes[n].in[i] >= 0)
                values[graph->nodes[n].in[i]].last = n;
    for (int i = 0; i < graph->input_count; i++) {
        values[graph->inputs[i]].first = 0;
        values[graph->inputs[i]].last = graph->node_count;
    }
    for (int i = 0; i < graph->output_count; i++)
        values[graph->outputs[i]].last = graph->node_count;
}

/* A root that has moved into another's place leaves a chain behind it. */
static int final_root(const oct_place *values, int value)
{
    while (values[value].root != value)
        value = values[value].root;
    return value;
}

/* Whether it fills its root's place; else nothing else may move there. */
static bool is_whole(const oct_place *values, int value)
{
    for (; values[value].root != value; value = values[value].root)
        if (values[value].part)
            return false;
    return true;
}

/* `value`, a root, moves into the place of `root`, which then lives as long as both. */
static void move_in(oct_place *values, int value, int root)
{
    values[root].first = min_int(values[root].first, values[value].first);
    values[root].last = max_int(values[root].last, values[value].last);
    values[value].root = root;
}

static void share(oct_place *values, int value, int into) { move_in(values, value, final_root(values, into)); }

/* First all views, so that a root's lifetime covers every view of it before anything is computed in place. */
static void share_views(const oct_graph *graph, oct_place *values)
{
    for (int n = 0; n < graph->node_count; n++)
        if (oct_runtime_op_of(graph->nodes[n].op)->sharing == OCT_SHARE_VIEW)
            share(values, graph->nodes[n].out[0], graph->nodes[n].in[0]);
}

/* Whether node n reads only some of the place of `root` as another input: a part of a concatenation, where the output would not lie
 * element on element. */
static bool reads_part_of(const oct_graph *graph, const oct_place *values, int n, int root)
{
    const oct_node *node = &graph->nodes[n];
    for (int i = 0; i < node->in_count; i++)
        if (node->in[i] >= 0 && final_root(values, node->in[i]) == root && !is_whole(values, node->in[i]))
            return true;
    return false;
}

/* An input may be overwritten if this step is the last that needs any value in its place. Graph inputs and outputs never qualify:
 * their last step is later than any node. */
static bool dies_here(const oct_graph *graph, const oct_place *values, int n, int value)
{
    const oct_value *in = &graph->values[value], *out = &graph->values[graph->nodes[n].out[0]];
    const int root = final_root(values, value);
    return lies_in_arena(graph, root) && values[root].last == n && in->dtype == out->dtype &&
           oct_shape_equal(&in->shape, &out->shape) && !reads_part_of(graph, values, n, root);
}

/* The input whose place node n's output may take, by position; -1 for none. */
static int dead_input(const oct_graph *graph, const oct_place *values, int n)
{
    const oct_node *node = &graph->nodes[n];
    for (int i = 0; i < node->in_count; i++)
        if (node->in[i] >= 0 && dies_here(graph, values, n, node->in[i]))
            return i;
    return -1;
}

/* The same for conv and dense: the residual only, and only if x is not in the same place, for x is read until the end. */
static int dead_residual(const oct_graph *graph, const oct_place *values, int n)
{
    const oct_node *node = &graph->nodes[n];
    if (node->in_count <= OCT_IN_RESIDUAL || node->in[OCT_IN_RESIDUAL] < 0)
        return -1;
    const int residual = node->in[OCT_IN_RESIDUAL];
    const bool apart = final_root(values, residual) != final_root(values, node->in[OCT_IN_X]);
    return apart && dies_here(graph, values, n, residual) ? OCT_IN_RESIDUAL : -1;
}

/* In the order of execution, so that a chain of in-place steps collapses into one place from its beginning. What has a place in
 * another value already stays there. */
static void share_dead_inputs(const oct_graph *graph, oct_place *values)
{
    for (int n = 0; n < graph->node_count; n++) {
        const oct_node *node = &graph->nodes[n];
        const oct_sharing sharing = oct_runtime_op_of(node->op)->sharing;
        int input = -1;
        if (values[node->out[0]].root != node->out[0])
            continue;
        if (sharing == OCT_SHARE_DEAD_INPUT)
            input = dead_input(graph, values, n);
        else if (sharing == OCT_SHARE_RESIDUAL)
            input = dead_residual(graph, values, n);
        if (input >= 0)
            share(values, node->out[0], node->in[input]);
    }
}

/* ---------------------------------------------------------------------------------------------- placing ---- */

typedef struct item {
    oct_place *place;
    int promoted;     /* the order of placing: falling, and by falling key among equals */
    size_t key;
    size_t best;      /* the offset in the smallest arena so far */
} item;

/* Ties are broken by the first step, so that a plan does not depend on how qsort treats equals. */
static int by_key(const void *a, const void *b)
{
    const item *x = a, *y = b;
    if (x->promoted != y->promoted)
        return x->promoted > y->promoted ? -1 : 1;
    if (x->key != y->key)
        return x->key > y->key ? -1 : 1;
    return x->place->first != y->place->first ? (x->place->first < y->place->first ? -1 : 1) : 0;
}

static int by_offset(const void *a, const void *b)
{
    const oct_place *x = *(oct_place *const *)a, *y = *(oct_place *const *)b;
    return x->offset != y->offset ? (x->offset < y->offset ? -1 : 1) : 0;
}

/* The lowest offset at which `place` fits between the placed ones that live at the same time. `alive` is room for their list.
 * Walking it by rising offset, `offset` is the end of everything seen so far; the first gap that is wide enough is taken. */
static size_t first_fit(const item *items, int placed, const oct_place *place, const oct_place **alive)
{
    size_t count = 0, offset = 0;
    for (int i = 0; i < placed; i++)
        if (items[i].place->first <= place->last && place->first <= items[i].place->last)
            alive[count++] = items[i].place;
    qsort(alive, count, sizeof *alive, by_offset);
    for (size_t i = 0; i < count; i++) {
        if (offset + place->bytes <= alive[i]->offset)
            break;
        const size_t end = alive[i]->offset + alive[i]->bytes;
        offset = end > offset ? end : offset;
    }
    return offset;
}

/* One pass in the order of the keys. A place is never moved again, so the order is all there is to choose. */
static size_t place_all(item *items, int count, const oct_place **alive)
{
    size_t arena = 0;
    qsort(items, (size_t)count, sizeof *items, by_key);
    for (int i = 0; i < count; i++) {
        items[i].place->offset = first_fit(items, i, items[i].place, alive);
        const size_t end = items[i].place->offset + items[i].place->bytes;
        arena = end > arena ? end : arena;
    }
    return arena;
}

enum { BY_SIZE, BY_AREA, BY_START, ORDERS };

/* Falling keys. By start: an earlier first step makes a larger key. */
static void set_keys(item *items, int count, int order)
{
    for (int i = 0; i < count; i++) {
        const oct_place *p = items[i].place;
        const size_t steps = (size_t)(p->last - p->first + 1);
        items[i].promoted = 0;
        items[i].key = order == BY_SIZE ? p->bytes : order == BY_AREA ? p->bytes * steps : SIZE_MAX - (size_t)p->first;
    }
}

/* What has the arena's end at its own goes to the front of the order. */
static void promote_topmost(item *items, int count, size_t arena, int promotion)
{
    for (int i = 0; i < count; i++)
        if (items[i].place->offset + items[i].place->bytes == arena)
            items[i].promoted = promotion;
}

/* Tries of each order; on the networks seen, those that help at all do so within a few. */
enum { TRIES = 24 };

/* Until the bound is reached, which no arena can be below, or all tries are used up. */
static size_t place_best(item *items, int count, const oct_place **alive, size_t bound)
{
    size_t least = SIZE_MAX;
    for (int order = 0; order < ORDERS && least > bound; order++) {
        set_keys(items, count, order);
        for (int try = 0; try < TRIES && least > bound; try++) {
            const size_t arena = place_all(items, count, alive);
            for (int i = 0; arena < least && i < count; i++)
                items[i].best = items[i].place->offset;
            least = arena < least ? arena : least;
            promote_topmost(items, count, arena, try + 1);
        }
    }
    for (int i = 0; i < count; i++)
        items[i].place->offset = items[i].best;
    return least;
}

/* Only roots: what shares a place is not placed. */
static int list_items(const oct_graph *graph, oct_plan *plan, item *items)
{
    int count = 0;
    for (int v = 0; v < graph->value_count; v++)
        if (plan->values[v].root == v && plan->values[v].bytes > 0)
            items[count++].place = &plan->values[v];
    for (int n = 0; n < graph->node_count; n++)
        if (plan->scratch[n].bytes > 0)
            items[count++].place = &plan->scratch[n];
    return count;
}

/* Of a place from its first step on, and no more after its last. Unsigned wrap-around cancels in the sums. */
static void add_change(const oct_place *place, size_t *change)
{
    change[place->first] += place->bytes;
    change[place->last + 1] -= place->bytes;
}

/* The sum of what is alive changes only where something begins, so it is enough to look there. `change` has room for one place per
 * step and two more. */
static size_t largest_sum(const oct_graph *graph, const oct_place *values, const oct_place *scratch, size_t *change)
{
    const int steps = graph->node_count;
    size_t sum = 0, largest = 0;
    memset(change, 0, ((size_t)steps + 2) * sizeof *change);
    for (int v = 0; v < graph->value_count; v++)
        if (values[v].root == v)
            add_change(&values[v], change);
    for (int n = 0; n < steps; n++)
        add_change(&scratch[n], change);
    for (int s = 0; s <= steps; s++) {
        sum += change[s];
        largest = sum > largest ? sum : largest;
    }
    return largest;
}

/* ------------------------------------------------------------------------------------------------- parts ---- */

/* Deciding what is written in place needs the bound with and without it. */
typedef struct trial {
    const oct_graph *graph;
    oct_plan *plan;
    oct_place *values;     /* a copy to try things on ... */
    oct_place *before;     /* ... and one to go back to */
    size_t *change;
} trial;

/* Depthwise kernels write their output in one piece. */
static bool writes_rows(const oct_graph *graph, int n)
{
    const oct_node *node = &graph->nodes[n];
    const bool depthwise = node->op == OCT_OP_CONV && node->attrs.conv.groups > 1 &&
                           node->attrs.conv.groups == graph->values[node->in[OCT_IN_X]].shape.dims[3];
    return oct_runtime_op_of(node->op)->writes_rows && !depthwise;
}

/* Everything that shares its place already leaves gaps, too: concatenations in each other, but no views. */
static bool shared_by_rows_only(const oct_graph *graph, const oct_place *values, int value)
{
    for (int v = 0; v < graph->value_count; v++)
        if (v != value && values[v].root == value && values[v].row == 0)
            return false;
    return true;
}

/* Whether input `v` of concatenation n can be written in place. Without gaps that concerns nobody: who reads it finds it there.
 * With gaps its producer must know of them, and there must be no reader but the concatenation. */
static bool can_join(const oct_graph *graph, const oct_place *values, int n, int v, bool gaps)
{
    const oct_value *in = &graph->values[v], *out = &graph->values[graph->nodes[n].out[0]];
    const bool same = in->dtype == out->dtype && in->scale == out->scale && in->zero_point == out->zero_point;
    if (!same || oct_value_bytes(in) == 0 || !is_whole(values, v) || !lies_in_arena(graph, final_root(values, v)))
        return false;
    if (!gaps)
        return final_root(values, v) != graph->nodes[n].out[0];
    return values[v].root == v && in->producer >= 0 && writes_rows(graph, in->producer) && oct_graph_single_user(graph, v) == n &&
           shared_by_rows_only(graph, values, v);
}

/* Moves input i, or all inputs that can for i < 0, of concatenation n into its output. Returns how many. */
static int join(const oct_graph *graph, oct_place *values, int n, int i)
{
    const oct_node *node = &graph->nodes[n];
    const int axis = node->attrs.axis.axis, out = node->out[0];
    const oct_shape *y = &graph->values[out].shape;
    const bool gaps = oct_shape_product(y, 0, axis) > 1;
    const size_t row = (size_t)oct_shape_product(y, axis, y->rank) * oct_dtype_size(graph->values[out].dtype);
    size_t offset = 0;
    int joined = 0;
    for (int k = 0; k < node->in_count && (!gaps || axis == y->rank - 1); k++) {
        const int v = node->in[k];
        const oct_shape *x = &graph->values[v].shape;
        if ((i < 0 || i == k) && can_join(graph, values, n, v, gaps)) {
            const int root = final_root(values, v);
            move_in(values, root, out);
            values[root].part = true;
            values[root].offset = offset;
            values[root].row = gaps ? row : 0;
            joined++;
        }
        offset += (size_t)oct_shape_product(x, axis, x->rank) * oct_dtype_size(graph->values[v].dtype);
    }
    return joined;
}

/* The arena's bound if the rest were shared as the plan stands now. */
static size_t bound_now(trial *t)
{
    memcpy(t->values, t->plan->values, (size_t)t->graph->value_count * sizeof *t->values);
    share_dead_inputs(t->graph, t->values);
    return largest_sum(t->graph, t->values, t->plan->scratch, t->change);
}

/* Keeps input i (all for i < 0) of concatenation n in place unless the bound rises by that. */
static bool try_join(trial *t, int n, int i, size_t *bound)
{
    const size_t bytes = (size_t)t->graph->value_count * sizeof *t->values;
    memcpy(t->before, t->plan->values, bytes);
    const int joined = join(t->graph, t->plan->values, n, i);
    const size_t with = joined ? bound_now(t) : *bound;
    const bool keep = with <= *bound;
    if (keep) {
        *bound = with;
        t->plan->in_place += joined;
    } else {
        memcpy(t->plan->values, t->before, bytes);
    }
    return keep;
}

/* In the order of execution: a concatenation's parts are in it before it may become a part itself. */
static void join_all(trial *t)
{
    size_t bound = bound_now(t);
    for (int n = 0; n < t->graph->node_count; n++) {
        if (t->graph->nodes[n].op != OCT_OP_CONCAT || try_join(t, n, -1, &bound))
            continue;
        for (int i = 0; i < t->graph->nodes[n].in_count; i++)
            try_join(t, n, i, &bound);
    }
}

/* ------------------------------------------------------------------------------------------------- making ---- */

/* Offsets of shared values follow their roots at the very end. */
static oct_status place_values(const oct_graph *graph, oct_plan *plan)
{
    const size_t most = (size_t)graph->value_count + (size_t)graph->node_count;
    item *items = oct_alloc(most, sizeof *items);
    const oct_place **alive = oct_alloc(most, sizeof *alive);
    const bool ok = items && alive;
    if (ok) {
        const int count = list_items(graph, plan, items);
        plan->arena_bytes = count > 0 ? place_best(items, count, alive, plan->arena_bound) : 0;
    }
    oct_free(items);
    oct_free(alive);
    if (!ok)
        return oct_fail_memory(most * sizeof *items);
    for (int v = 0; v < graph->value_count; v++)
        if (plan->values[v].root != v)
            plan->values[v].offset += plan->values[plan->values[v].root].offset;
    return OCT_OK;
}

/* Chains of sharing become one step, from each value to its root: offsets on the way add up, and of several concatenations in each
 * other the outermost says how far rows are apart. A root of a root has been flattened already if it is looked at first. */
static void flatten(oct_place *values, int value)
{
    oct_place *place = &values[value];
    if (place->root == value || values[place->root].root == place->root)
        return;
    flatten(values, place->root);
    const oct_place *into = &values[place->root];
    place->offset += into->offset;
    place->row = into->row ? into->row : place->row;
    place->part |= into->part;
    place->root = into->root;
}

/* Lifetimes, then sharing, then placing: sharing must be settled before sizes and lifetimes of roots are final. */
static oct_status share_and_place(const oct_graph *graph, oct_plan *plan)
{
    trial t = {.graph = graph, .plan = plan};
    find_lifetimes(graph, plan->values);
    share_views(graph, plan->values);
    t.values = oct_alloc((size_t)graph->value_count, sizeof *t.values);
    t.before = oct_alloc((size_t)graph->value_count, sizeof *t.before);
    t.change = oct_alloc((size_t)graph->node_count + 2, sizeof *t.change);
    const bool ok = t.values && t.before && t.change;
    if (ok) {
        join_all(&t);
        share_dead_inputs(graph, plan->values);
        plan->arena_bound = largest_sum(graph, plan->values, plan->scratch, t.change);
        for (int v = 0; v < graph->value_count; v++)
            flatten(plan->values, v);
    }
    oct_free(t.values);
    oct_free(t.before);
    oct_free(t.change);
    return ok ? place_values(graph, plan) : oct_fail_memory((size_t)graph->value_count * sizeof *t.values);
}

oct_status oct_plan_make(const oct_graph *graph, const size_t *scratch_bytes, oct_plan *plan)
{
    *plan = (oct_plan){0};
    plan->values = oct_alloc((size_t)graph->value_count, sizeof *plan->values);
    plan->scratch = oct_alloc((size_t)graph->node_count, sizeof *plan->scratch);
    oct_status status = plan->values && plan->scratch ? OCT_OK : oct_fail_memory((size_t)graph->value_count * sizeof *plan->values);
    if (status == OCT_OK) {
        for (int n = 0; n < graph->node_count; n++)
            plan->scratch[n] = (oct_place){.root = OCT_NONE, .first = n, .last = n, .bytes = oct_align_up(scratch_bytes[n])};
        status = share_and_place(graph, plan);
    }
    if (status != OCT_OK)
        oct_plan_free(plan);
    return status;
}

void oct_plan_free(oct_plan *plan)
{
    oct_free(plan->values);
    oct_free(plan->scratch);
    *plan = (oct_plan){0};
}

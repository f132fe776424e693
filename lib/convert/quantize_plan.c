/* Which values are bytes?
 *
 * Convolutions and dense layers with constant weights are int8 for good: they read u8, and write u8 or f32 as is wanted, at no
 * cost. The nodes between them can mostly work on either, and where the forms on both ends of a value differ, a QUANTIZE or
 * DEQUANTIZE node has to stand. So every such value has a choice, and every choice a price in bytes to be moved:
 *
 *     int8 conv --> sigmoid --> int8 conv        bytes throughout: 1 + 1 + 1 + 1 per element
 *     int8 conv --> sigmoid --> softmax          f32 from the conv on: no conversion at all
 *     input --> transpose --> int8 conv          quantized first, for bytes are transposed at a quarter of the price
 *
 * The cheapest choice for all values together is a minimum cut (mincut.h): camp A is u8, camp B is f32, and each value has
 * three points:
 *
 *     form    what its producer writes
 *     has_u8  whether its u8 form is wanted; to want it when the producer writes f32 costs a QUANTIZE      has_u8 -> form
 *     no_f32  whether its f32 form is not wanted; to want it of a producer of u8 costs a DEQUANTIZE        form -> no_f32
 */
#include <math.h>

#include "memory.h"
#include "mincut.h"
#include "operators.h"
#include "quantize.h"
#include "status.h"

/* ------------------------------------------------------------------------------------------------- roles ---- */

/* Numbers beyond this are not squeezed into 8 bits: quantize_scales.c has a largest scale. */
#define MAX_REAL 1e30f

static bool all_reasonable(const oct_graph *graph, int value)
{
    const float *data = oct_f32_constant(graph, value);
    const int64_t count = data ? oct_shape_elements(&graph->values[value].shape) : 0;
    for (int64_t i = 0; i < count; i++)
        if (!(fabsf(data[i]) <= MAX_REAL))
            return false;
    return data != NULL;
}

/* A variable whose range is known and of a reasonable size. */
static bool has_range(const oct_quant_plan *plan, int value)
{
    const oct_value *v = &plan->graph->values[value];
    const oct_range *range = &plan->range[value];
    return v->dtype == OCT_F32 && !v->data && range->known && range->lo >= -(double)MAX_REAL && range->hi <= (double)MAX_REAL;
}

/* Functions that 256 steps describe well on any range. The others (exp, log, 1/x, ...) are steep somewhere: all of their
 * detail would lie within one or two of the steps. */
static bool suits_table(const oct_function *f)
{
    return f->fn != OCT_FN_EXP && f->fn != OCT_FN_LOG && f->fn != OCT_FN_SQRT && f->fn != OCT_FN_RECIPROCAL;
}

/* Sums of so many bytes stay in 32 bits. */
#define MAX_SUMMED ((int64_t)1 << 23)

static bool reduces_few(const oct_graph *graph, const oct_node *reduce)
{
    const int64_t in = oct_shape_elements(&graph->values[reduce->in[0]].shape);
    return in < MAX_SUMMED * oct_shape_elements(&graph->values[reduce->out[0]].shape);
}

static bool operator_takes_bytes(const oct_graph *graph, const oct_node *node)
{
    switch (oct_operator_of(node->op)->quant) {
    case OCT_QUANT_SAME: return node->op != OCT_OP_PAD || fabsf(node->attrs.pad.value) <= MAX_REAL;
    case OCT_QUANT_TABLE: return suits_table(&node->attrs.unary);
    case OCT_QUANT_RESCALE:
        if (node->op == OCT_OP_BINARY)
            return node->attrs.binary.fn == OCT_BINARY_ADD || node->attrs.binary.fn == OCT_BINARY_MUL;
        return node->op != OCT_OP_REDUCE || reduces_few(graph, node);
    default: return false;
    }
}

/* Bytes are clamped by clamping them; any other function would need a scale for what comes before it. */
static bool clamps_only(const oct_node *node) { return node->act.fn == OCT_FN_NONE || node->act.fn == OCT_FN_CLAMP; }

/* A float layer may write bytes too, but then its kernels take no residual. One that was chosen to be float stays so throughout:
 * rounding its output would give back part of what that was to gain. */
static oct_role role_of_weighted(const oct_quant_plan *plan, int n)
{
    const oct_node *node = &plan->graph->nodes[n];
    const int bias = oct_node_input(node, OCT_IN_BIAS), residual = oct_node_input(node, OCT_IN_RESIDUAL);
    const bool known = has_range(plan, node->in[OCT_IN_X]) && has_range(plan, node->out[0]) &&
                       (residual < 0 || has_range(plan, residual));
    if (known && !plan->refused[n] && all_reasonable(plan->graph, node->in[OCT_IN_W]) &&
        (bias < 0 || all_reasonable(plan->graph, bias)))
        return OCT_ROLE_WEIGHTED;
    return residual < 0 && clamps_only(node) && has_range(plan, node->out[0]) && plan->decisions->in_float[n] == OCT_FLOAT_NOT
               ? OCT_ROLE_WRITER
               : OCT_ROLE_FLOAT;
}

static oct_role role_of(const oct_quant_plan *plan, int n)
{
    const oct_node *node = &plan->graph->nodes[n];
    if (node->op == OCT_OP_CONV || node->op == OCT_OP_DENSE)
        return role_of_weighted(plan, n);
    if (plan->refused[n] || !operator_takes_bytes(plan->graph, node) || !clamps_only(node) || !has_range(plan, node->out[0]))
        return OCT_ROLE_FLOAT;
    bool variable = false;
    for (int i = 0; i < node->in_count; i++) {
        const bool constant = node->op == OCT_OP_BINARY && all_reasonable(plan->graph, node->in[i]);
        if (!constant && !has_range(plan, node->in[i]))
            return OCT_ROLE_FLOAT;
        variable |= !constant;
    }
    return variable ? OCT_ROLE_BYTES : OCT_ROLE_FLOAT;
}

/* ------------------------------------------------------------------------------------------------ prices ---- */

/* A node more costs about as much as moving this many bytes. */
#define NODE_PRICE 8192
/* A function such as tanh, per element and in f32. */
#define FUNCTION_PRICE 32

typedef struct cut {
    const oct_quant_plan *plan;
    oct_mincut *mincut;
} cut;

/* Numbers of a value's three points. */
static int form_of(int value) { return OCT_FIRST_POINT + 3 * value; }
static int has_u8_of(int value) { return OCT_FIRST_POINT + 3 * value + 1; }
static int no_f32_of(int value) { return OCT_FIRST_POINT + 3 * value + 2; }

static int64_t elements_of(const oct_graph *graph, int value) { return oct_shape_elements(&graph->values[value].shape); }

/* u8 costs `u8` if the value's producer writes bytes, `f32` if it does not. */
static oct_status price_form(cut *c, int value, int64_t u8, int64_t f32)
{
    OCT_TRY(oct_mincut_charge(c->mincut, form_of(value), OCT_CAMP_B, u8));
    return oct_mincut_charge(c->mincut, OCT_CAMP_A, form_of(value), f32);
}

/* 4 bytes on one side, 1 on the other, and a node to run. */
static oct_status price_conversions(cut *c, int value)
{
    const int64_t price = 5 * elements_of(c->plan->graph, value) + NODE_PRICE;
    OCT_TRY(oct_mincut_charge(c->mincut, has_u8_of(value), form_of(value), price));
    return oct_mincut_charge(c->mincut, form_of(value), no_f32_of(value), price);
}

static oct_status want_u8(cut *c, int value)
{
    return oct_mincut_charge(c->mincut, OCT_CAMP_A, has_u8_of(value), OCT_MINCUT_NEVER);
}

static oct_status want_f32(cut *c, int value)
{
    return oct_mincut_charge(c->mincut, no_f32_of(value), OCT_CAMP_B, OCT_MINCUT_NEVER);
}

/* Whatever form `leader` has is wanted of `value`. */
static oct_status want_same(cut *c, int value, int leader)
{
    OCT_TRY(oct_mincut_charge(c->mincut, form_of(leader), has_u8_of(value), OCT_MINCUT_NEVER));
    return oct_mincut_charge(c->mincut, no_f32_of(value), form_of(leader), OCT_MINCUT_NEVER);
}

/* For what kernels can write as floats only: network inputs, float operators. */
static oct_status must_be_f32(cut *c, int value)
{
    return oct_mincut_charge(c->mincut, form_of(value), OCT_CAMP_B, OCT_MINCUT_NEVER);
}

static oct_status price_bytes_node(cut *c, const oct_node *node)
{
    const oct_graph *graph = c->plan->graph;
    const bool function = node->op == OCT_OP_UNARY && node->attrs.unary.fn != OCT_FN_CLAMP;
    int64_t moved = elements_of(graph, node->out[0]);
    for (int i = 0; i < node->in_count; i++) {
        if (graph->values[node->in[i]].data)
            continue;
        moved += elements_of(graph, node->in[i]);
        OCT_TRY(want_same(c, node->in[i], node->out[0]));
    }
    if (node->op == OCT_OP_RESHAPE)
        return OCT_OK;   /* a view: nothing moves */
    return price_form(c, node->out[0], moved, 4 * moved + (function ? FUNCTION_PRICE * elements_of(graph, node->out[0]) : 0));
}

/* Reading costs the same in any plan, for the input is u8 for good. */
static oct_status price_weighted_node(cut *c, const oct_node *node)
{
    const int64_t written = elements_of(c->plan->graph, node->out[0]);
    const int residual = oct_node_input(node, OCT_IN_RESIDUAL);
    OCT_TRY(want_u8(c, node->in[OCT_IN_X]));
    if (residual >= 0)
        OCT_TRY(want_same(c, residual, node->out[0]));
    if (!clamps_only(node))
        OCT_TRY(must_be_f32(c, node->out[0]));
    return price_form(c, node->out[0], written, 4 * written);
}

static oct_status price_node(cut *c, int n)
{
    const oct_node *node = &c->plan->graph->nodes[n];
    const oct_role role = c->plan->role[n];
    if (role == OCT_ROLE_BYTES)
        return price_bytes_node(c, node);
    if (role == OCT_ROLE_WEIGHTED)
        return price_weighted_node(c, node);
    for (int i = 0; i < node->in_count; i++)
        if (node->in[i] >= 0 && !c->plan->graph->values[node->in[i]].data)
            OCT_TRY(want_f32(c, node->in[i]));
    if (role == OCT_ROLE_FLOAT)
        return must_be_f32(c, node->out[0]);
    const int64_t written = elements_of(c->plan->graph, node->out[0]);
    return price_form(c, node->out[0], written, 4 * written);
}

/* -------------------------------------------------------------------------------------------------- plan ---- */

static oct_status price_all(cut *c)
{
    const oct_graph *graph = c->plan->graph;
    for (int v = 0; v < c->plan->values; v++)
        OCT_TRY(price_conversions(c, v));
    for (int i = 0; i < graph->input_count; i++)
        OCT_TRY(must_be_f32(c, graph->inputs[i]));
    for (int i = 0; i < graph->output_count; i++)
        OCT_TRY(want_f32(c, graph->outputs[i]));
    for (int n = 0; n < c->plan->nodes; n++)
        if (graph->nodes[n].op != OCT_OP_NONE)
            OCT_TRY(price_node(c, n));
    return OCT_OK;
}

oct_status oct_plan_forms(oct_quant_plan *plan)
{
    const oct_graph *graph = plan->graph;
    const int points = 3 * plan->values;
    cut c = {.plan = plan};
    for (int n = 0; n < plan->nodes; n++)
        plan->role[n] = role_of(plan, n);
    bool *is_u8 = oct_alloc((size_t)points + OCT_FIRST_POINT, sizeof *is_u8);
    if (!is_u8)
        return oct_fail_memory((size_t)points);
    oct_status status = oct_mincut_create(points, &c.mincut);
    if (status == OCT_OK)
        status = price_all(&c);
    if (status == OCT_OK)
        oct_mincut_solve(c.mincut, is_u8);
    for (int v = 0; status == OCT_OK && v < plan->values; v++)
        plan->bytes[v] = graph->values[v].producer >= 0 && is_u8[form_of(v)];
    oct_mincut_free(c.mincut);
    oct_free(is_u8);
    return status;
}

bool oct_plan_reads_bytes(const oct_quant_plan *plan, int n)
{
    const oct_role role = plan->role[n];
    return role == OCT_ROLE_WEIGHTED || (role == OCT_ROLE_BYTES && plan->bytes[plan->graph->nodes[n].out[0]]);
}

bool oct_plan_input_is_bytes(const oct_quant_plan *plan, int n, int i)
{
    const oct_node *node = &plan->graph->nodes[n];
    if (plan->role[n] == OCT_ROLE_WEIGHTED)
        return i == OCT_IN_X || (i == OCT_IN_RESIDUAL && plan->bytes[node->out[0]]);
    return oct_plan_reads_bytes(plan, n);
}

/* Either the producer writes them, or some node reads them. */
bool oct_plan_has_bytes(const oct_quant_plan *plan, int value)
{
    const oct_graph *graph = plan->graph;
    if (graph->values[value].data)
        return false;
    if (plan->bytes[value])
        return true;
    for (int n = 0; n < plan->nodes; n++)
        for (int i = 0; i < graph->nodes[n].in_count; i++)
            if (graph->nodes[n].in[i] == value && oct_plan_input_is_bytes(plan, n, i))
                return true;
    return false;
}

/* The numbers of a graph, checked once when it becomes a model, so that no kernel ever meets one it has no answer for. Shapes,
 * types and the order of nodes are oct_graph_check's; sums that could leave 32 bits are found when the weights are packed
 * (prepack.c), because they depend on several values at once. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "memory.h"
#include "model.h"
#include "operators.h"
#include "status.h"

/* A tensor of more elements than this is a mistake or an attack: 2^36 floats are 256 GB. Products of two sizes then fit 64 bits
 * together with any kernel size. */
#define MAX_TENSOR ((int64_t)1 << 36)

/* 1 / scale and 255 * scale must be finite too. */
static bool good_scale(float scale) { return scale >= FLT_MIN && scale <= FLT_MAX / 256; }

/* -128 has no counterpart: kernels that multiply in s8 pairs, or turn the sign of a weight, rely on its absence. */
static oct_status check_weights(const oct_value *value)
{
    const int8_t *w = value->data;
    const int64_t channels = value->shape.dims[0], each = oct_shape_product(&value->shape, 1, value->shape.rank);
    for (int64_t c = 0; c < channels; c++) {
        if (!good_scale(value->channel_scale[c]))
            return oct_fail(OCT_ERR_FORMAT, "%s: the scale of channel %lld is %g; it must be positive and normal", value->name,
                            (long long)c, (double)value->channel_scale[c]);
        if (memchr(w + c * each, -128, (size_t)each))
            return oct_fail(OCT_ERR_FORMAT, "%s: a weight of channel %lld is -128; s8 weights lie in [-127, 127]", value->name,
                            (long long)c);
    }
    return OCT_OK;
}

/* Empty tensors are refused so that no loop, no kernel and no division has to think of them. */
static oct_status check_value(const oct_value *value)
{
    const int64_t elements = oct_shape_elements(&value->shape);
    if (elements < 0 || elements > MAX_TENSOR) {
        char text[OCT_SHAPE_TEXT];
        return oct_fail(OCT_ERR_FORMAT, "%s: a tensor of shape %s is too large", value->name,
                        oct_shape_text(&value->shape, text, sizeof text));
    }
    if (value->dtype == OCT_U8 && !oct_value_is_dynamic(value) && !good_scale(value->scale))
        return oct_fail(OCT_ERR_FORMAT, "%s: its scale %g must be positive and normal", value->name, (double)value->scale);
    if (value->dtype == OCT_U8 && (value->zero_point < 0 || value->zero_point > 255))
        return oct_fail(OCT_ERR_FORMAT, "%s: zero point %d outside 0..255", value->name, value->zero_point);
    if (value->channel_scale && ((value->dtype != OCT_S8 && value->dtype != OCT_F32) || !value->data))
        return oct_fail(OCT_ERR_FORMAT, "%s: scales per channel belong to constant weights only", value->name);
    return value->dtype == OCT_S8 && value->channel_scale ? check_weights(value) : OCT_OK;
}

/* NaN parameters would make max and min depend on the order of their operands, and so on the ISA. */
static oct_status check_function(const oct_function *f)
{
    if (isnan(f->alpha) || isnan(f->beta))
        return oct_fail(OCT_ERR_FORMAT, "a parameter of %s is NaN", oct_function_name(f));
    if (f->fn == OCT_FN_CLAMP && f->alpha > f->beta)
        return oct_fail(OCT_ERR_FORMAT, "it clamps to %g..%g", (double)f->alpha, (double)f->beta);
    return OCT_OK;
}

/* Attributes in their integer ranges are oct_operator_infer's business; what is left are the floats. */
static oct_status check_node(const oct_node *node)
{
    if (node->act.fn < OCT_FN_NONE || node->act.fn >= OCT_FN_COUNT)
        return oct_fail(OCT_ERR_FORMAT, "unknown activation %d", node->act.fn);
    OCT_TRY(check_function(&node->act));
    if (node->op == OCT_OP_UNARY)
        OCT_TRY(check_function(&node->attrs.unary));
    if (node->op == OCT_OP_PAD && isnan(node->attrs.pad.value))
        return oct_fail(OCT_ERR_FORMAT, "it pads with NaN");
    return OCT_OK;
}

/* The sentence names the value or the node. */
oct_status oct_check_numbers(const oct_graph *graph)
{
    for (int v = 0; v < graph->value_count; v++)
        OCT_TRY(check_value(&graph->values[v]));
    for (int n = 0; n < graph->node_count; n++) {
        const oct_status status = check_node(&graph->nodes[n]);
        if (status != OCT_OK)
            return oct_fail_in(status, "node %s", graph->nodes[n].name);
    }
    return OCT_OK;
}

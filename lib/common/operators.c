/* The operator table and its shape rules. */
#include "operators.h"

#include <float.h>
#include <stddef.h>
#include <string.h>

#include "status.h"

#define BIG INT32_MAX

/* ------------------------------------------------------------------------------------------ attributes ---- */

#define FIELD(member, label, kind, number, low, high) {label, kind, number, (uint16_t)offsetof(oct_attrs, member), low, high}

static const oct_attr_field conv_fields[] = {
    FIELD(conv.kernel, "kernel", 'i', 2, 1, 65536),     FIELD(conv.stride, "stride", 'i', 2, 1, 65536),
    FIELD(conv.dilation, "dilation", 'i', 2, 1, 65536), FIELD(conv.pad, "pad", 'i', 4, 0, 65536),
    FIELD(conv.groups, "groups", 'i', 1, 1, BIG),
};
static const oct_attr_field pool_fields[] = {
    FIELD(pool.kernel, "kernel", 'i', 2, 1, 65536),
    FIELD(pool.stride, "stride", 'i', 2, 1, 65536),
    FIELD(pool.dilation, "dilation", 'i', 2, 1, 65536),
    FIELD(pool.pad, "pad", 'i', 4, 0, 65536),
    FIELD(pool.count_include_pad, "count_include_pad", 'i', 1, 0, 1),
    FIELD(pool.ceil_mode, "ceil_mode", 'i', 1, 0, 1),
};
static const oct_attr_field unary_fields[] = {
    FIELD(unary.fn, "function", 'i', 1, 1, OCT_FN_COUNT - 1),
    FIELD(unary.alpha, "alpha", 'f', 1, 0, 0),
    FIELD(unary.beta, "beta", 'f', 1, 0, 0),
};
static const oct_attr_field binary_fields[] = {FIELD(binary.fn, "function", 'i', 1, 0, OCT_BINARY_COUNT - 1)};
static const oct_attr_field reduce_fields[] = {
    FIELD(reduce.fn, "function", 'i', 1, 0, OCT_REDUCE_COUNT - 1),
    FIELD(reduce.axes, "axes", 'i', 1, 0, (1 << OCT_MAX_RANK) - 1),
    FIELD(reduce.keep_dims, "keep_dims", 'i', 1, 0, 1),
};
static const oct_attr_field concat_fields[] = {FIELD(axis.axis, "axis", 'i', 1, 0, OCT_MAX_RANK - 1)};
static const oct_attr_field reshape_fields[] = {
    FIELD(reshape.rank, "rank", 'i', 1, 0, OCT_MAX_RANK),
    FIELD(reshape.dims, "dims", 'i', OCT_MAX_RANK, 0, BIG),
};
static const oct_attr_field transpose_fields[] = {FIELD(transpose.perm, "perm", 'i', OCT_MAX_RANK, 0, OCT_MAX_RANK - 1)};
static const oct_attr_field pad_fields[] = {
    FIELD(pad.mode, "mode", 'i', 1, 0, OCT_PAD_COUNT - 1),
    FIELD(pad.value, "value", 'f', 1, 0, 0),
    FIELD(pad.before, "before", 'i', OCT_MAX_RANK, -BIG, BIG),
    FIELD(pad.after, "after", 'i', OCT_MAX_RANK, -BIG, BIG),
};
static const oct_attr_field slice_fields[] = {
    FIELD(slice.start, "start", 'i', OCT_MAX_RANK, 0, BIG),
    FIELD(slice.step, "step", 'i', OCT_MAX_RANK, -BIG, BIG),
    FIELD(slice.count, "count", 'i', OCT_MAX_RANK, 0, BIG),
};
static const oct_attr_field softmax_fields[] = {
    FIELD(softmax.axis, "axis", 'i', 1, 0, OCT_MAX_RANK - 1),
    FIELD(softmax.log, "log", 'i', 1, 0, 1),
};
static const oct_attr_field argmax_fields[] = {
    FIELD(argmax.axis, "axis", 'i', 1, 0, OCT_MAX_RANK - 1),
    FIELD(argmax.keep_dims, "keep_dims", 'i', 1, 0, 1),
    FIELD(argmax.least, "least", 'i', 1, 0, 1),
    FIELD(argmax.last, "last", 'i', 1, 0, 1),
};
static const oct_attr_field resize_fields[] = {
    FIELD(resize.mode, "mode", 'i', 1, 0, OCT_RESIZE_MODES - 1), FIELD(resize.place, "place", 'i', 1, 0, OCT_PLACE_COUNT - 1),
    FIELD(resize.round, "round", 'i', 1, 0, OCT_ROUND_COUNT - 1), FIELD(resize.size, "size", 'i', 2, 1, BIG),
    FIELD(resize.scale, "scale", 'f', 2, 0, 0),
};

/* ----------------------------------------------------------------------------------------- shape rules ---- */

static const oct_shape *shape_in(const oct_graph *graph, const oct_node *node, int i)
{
    return &graph->values[node->in[i]].shape;
}

static bool has_input(const oct_node *node, int i) { return i < node->in_count && node->in[i] >= 0; }

int64_t oct_window_count(int64_t in, int32_t kernel, int32_t stride, int32_t dilation, int32_t pad0, int32_t pad1, bool ceil_mode)
{
    const int64_t reach = (int64_t)dilation * (kernel - 1) + 1;
    const int64_t room = in + pad0 + pad1 - reach;
    if (room < 0)
        return -1;
    int64_t count = (ceil_mode ? (room + stride - 1) / stride : room / stride) + 1;
    if (ceil_mode && (count - 1) * stride >= in + pad0)
        count--;
    return count;
}

/* Output height and width of a sliding window, with the sentence for one that does not fit. */
static oct_status infer_window(const oct_shape *x, const int32_t *kernel, const int32_t *stride, const int32_t *dilation,
                               const int32_t *pad, bool ceil_mode, oct_shape *out)
{
    if (x->rank != 4)
        return oct_fail(OCT_ERR_ARGUMENT, "needs a 4-dimensional input, got rank %d", x->rank);
    *out = *x;
    for (int i = 0; i < 2; i++) {
        const int64_t count = oct_window_count(x->dims[1 + i], kernel[i], stride[i], dilation[i], pad[i], pad[i + 2], ceil_mode);
        if (count < 1)
            return oct_fail(OCT_ERR_ARGUMENT, "a window of %d (dilation %d) does not fit into %lld + %d + %d", kernel[i],
                            dilation[i], (long long)x->dims[1 + i], pad[i], pad[i + 2]);
        out->dims[1 + i] = count;
    }
    return OCT_OK;
}

/* bias [channels] and residual of the output's shape, where there are any. */
static oct_status check_extras(const oct_graph *graph, const oct_node *node, const oct_shape *out)
{
    const int64_t channels = out->dims[out->rank - 1];
    if (has_input(node, OCT_IN_BIAS)) {
        const oct_shape *bias = shape_in(graph, node, OCT_IN_BIAS);
        if (bias->rank != 1 || bias->dims[0] != channels)
            return oct_fail(OCT_ERR_ARGUMENT, "the bias must have %lld elements", (long long)channels);
        if (!oct_value_is_constant(&graph->values[node->in[OCT_IN_BIAS]]))
            return oct_fail(OCT_ERR_ARGUMENT, "the bias must be a constant");
    }
    if (has_input(node, OCT_IN_RESIDUAL) && !oct_shape_equal(shape_in(graph, node, OCT_IN_RESIDUAL), out))
        return oct_fail(OCT_ERR_ARGUMENT, "the residual must have the output's shape");
    if (!oct_value_is_constant(&graph->values[node->in[OCT_IN_W]]))
        return oct_fail(OCT_ERR_ARGUMENT, "the weights must be a constant");
    return OCT_OK;
}

static oct_status infer_conv(const oct_graph *graph, const oct_node *node, oct_shape *out)
{
    const oct_conv_attrs *a = &node->attrs.conv;
    const oct_shape *x = shape_in(graph, node, OCT_IN_X), *w = shape_in(graph, node, OCT_IN_W);
    OCT_TRY(infer_window(x, a->kernel, a->stride, a->dilation, a->pad, false, out));
    if (w->rank != 4 || w->dims[1] != a->kernel[0] || w->dims[2] != a->kernel[1])
        return oct_fail(OCT_ERR_ARGUMENT, "weights must be out x %d x %d x in/groups", a->kernel[0], a->kernel[1]);
    if (x->dims[3] % a->groups || w->dims[0] % a->groups || w->dims[3] * a->groups != x->dims[3] || w->dims[0] < 1)
        return oct_fail(OCT_ERR_ARGUMENT, "%lld input channels, %lld output channels and weights for %lld do not make %d groups",
                        (long long)x->dims[3], (long long)w->dims[0], (long long)w->dims[3], a->groups);
    out->dims[3] = w->dims[0];
    return check_extras(graph, node, out);
}

static int64_t macs_conv(const oct_graph *graph, const oct_node *node)
{
    const oct_shape *out = &graph->values[node->out[0]].shape;
    return oct_shape_elements(out) * oct_shape_product(shape_in(graph, node, OCT_IN_W), 1, 4);
}

static oct_status infer_dense(const oct_graph *graph, const oct_node *node, oct_shape *out)
{
    const oct_shape *x = shape_in(graph, node, OCT_IN_X), *w = shape_in(graph, node, OCT_IN_W);
    if (x->rank < 1 || w->rank != 2 || w->dims[1] != x->dims[x->rank - 1] || w->dims[0] < 1 || w->dims[1] < 1)
        return oct_fail(OCT_ERR_ARGUMENT, "weights must be out x in with in = the input's last dimension");
    *out = *x;
    out->dims[x->rank - 1] = w->dims[0];
    return check_extras(graph, node, out);
}

static int64_t macs_dense(const oct_graph *graph, const oct_node *node)
{
    return oct_shape_elements(&graph->values[node->out[0]].shape) * shape_in(graph, node, OCT_IN_W)->dims[1];
}

static oct_status infer_matmul(const oct_graph *graph, const oct_node *node, oct_shape *out)
{
    oct_shape a = *shape_in(graph, node, 0), b = *shape_in(graph, node, 1);
    if (a.rank < 2 || b.rank < 2 || a.dims[a.rank - 1] != b.dims[b.rank - 2])
        return oct_fail(OCT_ERR_ARGUMENT, "needs [.., M, K] times [.., K, N]");
    const int64_t m = a.dims[a.rank - 2], n = b.dims[b.rank - 1];
    a.rank -= 2;
    b.rank -= 2;
    if (!oct_shape_broadcast(&a, &b, out) || out->rank > OCT_MAX_RANK - 2)
        return oct_fail(OCT_ERR_ARGUMENT, "the leading dimensions cannot be broadcast");
    out->dims[out->rank++] = m;
    out->dims[out->rank++] = n;
    return OCT_OK;
}

static int64_t macs_matmul(const oct_graph *graph, const oct_node *node)
{
    const oct_shape *a = shape_in(graph, node, 0);
    return oct_shape_elements(&graph->values[node->out[0]].shape) * a->dims[a->rank - 1];
}

static oct_status infer_pool(const oct_graph *graph, const oct_node *node, oct_shape *out)
{
    const oct_pool_attrs *a = &node->attrs.pool;
    for (int i = 0; i < 4; i++)
        if ((int64_t)a->pad[i] > (int64_t)a->dilation[i & 1] * (a->kernel[i & 1] - 1))
            return oct_fail(OCT_ERR_ARGUMENT, "a padding of %d is not smaller than the window, so a window would hold padding only",
                            a->pad[i]);
    return infer_window(shape_in(graph, node, 0), a->kernel, a->stride, a->dilation, a->pad, a->ceil_mode != 0, out);
}

static oct_status infer_same(const oct_graph *graph, const oct_node *node, oct_shape *out)
{
    *out = *shape_in(graph, node, 0);
    return OCT_OK;
}

static oct_status infer_binary(const oct_graph *graph, const oct_node *node, oct_shape *out)
{
    char a[OCT_SHAPE_TEXT], b[OCT_SHAPE_TEXT];
    if (oct_shape_broadcast(shape_in(graph, node, 0), shape_in(graph, node, 1), out))
        return OCT_OK;
    return oct_fail(OCT_ERR_ARGUMENT, "shapes %s and %s cannot be broadcast",
                    oct_shape_text(shape_in(graph, node, 0), a, sizeof a), oct_shape_text(shape_in(graph, node, 1), b, sizeof b));
}

static oct_status infer_reduce(const oct_graph *graph, const oct_node *node, oct_shape *out)
{
    const oct_shape *x = shape_in(graph, node, 0);
    const oct_reduce_attrs *a = &node->attrs.reduce;
    if (a->axes >> x->rank)
        return oct_fail(OCT_ERR_ARGUMENT, "an axis to reduce lies outside rank %d", x->rank);
    *out = (oct_shape){0};
    for (int i = 0; i < x->rank; i++) {
        if (!(a->axes >> i & 1))
            out->dims[out->rank++] = x->dims[i];
        else if (a->keep_dims)
            out->dims[out->rank++] = 1;
    }
    return OCT_OK;
}

static oct_status infer_concat(const oct_graph *graph, const oct_node *node, oct_shape *out)
{
    const int axis = node->attrs.axis.axis;
    *out = *shape_in(graph, node, 0);
    if (axis >= out->rank)
        return oct_fail(OCT_ERR_ARGUMENT, "axis %d outside rank %d", axis, out->rank);
    for (int i = 1; i < node->in_count; i++) {
        const oct_shape *x = shape_in(graph, node, i);
        oct_shape other = *x;
        if (x->rank == out->rank)
            other.dims[axis] = out->dims[axis];
        if (!oct_shape_equal(&other, out))
            return oct_fail(OCT_ERR_ARGUMENT, "input %d differs from input 0 in more than axis %d", i, axis);
        out->dims[axis] += x->dims[axis];
    }
    return OCT_OK;
}

static oct_status infer_reshape(const oct_graph *graph, const oct_node *node, oct_shape *out)
{
    char from[OCT_SHAPE_TEXT], to[OCT_SHAPE_TEXT];
    const oct_shape *x = shape_in(graph, node, 0);
    *out = (oct_shape){.rank = node->attrs.reshape.rank};
    for (int i = 0; i < out->rank; i++)
        out->dims[i] = node->attrs.reshape.dims[i];
    if (oct_shape_elements(out) == oct_shape_elements(x))
        return OCT_OK;
    return oct_fail(OCT_ERR_ARGUMENT, "%s cannot be reshaped to %s", oct_shape_text(x, from, sizeof from),
                    oct_shape_text(out, to, sizeof to));
}

static oct_status infer_transpose(const oct_graph *graph, const oct_node *node, oct_shape *out)
{
    const oct_shape *x = shape_in(graph, node, 0);
    unsigned seen = 0;
    *out = (oct_shape){.rank = x->rank};
    for (int i = 0; i < x->rank; i++) {
        const int from = node->attrs.transpose.perm[i];
        if (from >= x->rank || (seen >> from & 1))
            return oct_fail(OCT_ERR_ARGUMENT, "its perm is no permutation of %d axes", x->rank);
        seen |= 1u << from;
        out->dims[i] = x->dims[from];
    }
    return OCT_OK;
}

static oct_status infer_pad(const oct_graph *graph, const oct_node *node, oct_shape *out)
{
    *out = *shape_in(graph, node, 0);
    for (int i = 0; i < out->rank; i++) {
        const int64_t before = node->attrs.pad.before[i], after = node->attrs.pad.after[i], size = out->dims[i];
        if (size + before + after < 0 || before < -size || after < -size)
            return oct_fail(OCT_ERR_ARGUMENT, "axis %d: %lld %+lld %+lld leaves nothing", i, (long long)size, (long long)before,
                            (long long)after);
        if (node->attrs.pad.mode == OCT_PAD_REFLECT && ((before > 0 && before >= size) || (after > 0 && after >= size)))
            return oct_fail(OCT_ERR_ARGUMENT, "axis %d: a reflection of %lld elements needs more than that many", i,
                            (long long)(before > after ? before : after));
        if (node->attrs.pad.mode == OCT_PAD_EDGE && size == 0 && before + after > 0)
            return oct_fail(OCT_ERR_ARGUMENT, "axis %d has no edge to repeat", i);
        out->dims[i] = size + before + after;
    }
    return OCT_OK;
}

static oct_status infer_slice(const oct_graph *graph, const oct_node *node, oct_shape *out)
{
    *out = *shape_in(graph, node, 0);
    for (int i = 0; i < out->rank; i++) {
        const int64_t start = node->attrs.slice.start[i], step = node->attrs.slice.step[i], count = node->attrs.slice.count[i];
        const int64_t last = start + (count - 1) * step;
        if (step == 0 || (count > 0 && (start >= out->dims[i] || last < 0 || last >= out->dims[i])))
            return oct_fail(OCT_ERR_ARGUMENT, "axis %d: the slice leaves the tensor", i);
        out->dims[i] = count;
    }
    return OCT_OK;
}

static oct_status infer_softmax(const oct_graph *graph, const oct_node *node, oct_shape *out)
{
    *out = *shape_in(graph, node, 0);
    if (node->attrs.softmax.axis < out->rank)
        return OCT_OK;
    return oct_fail(OCT_ERR_ARGUMENT, "axis %d outside rank %d", node->attrs.softmax.axis, out->rank);
}

static oct_status infer_argmax(const oct_graph *graph, const oct_node *node, oct_shape *out)
{
    const oct_shape *x = shape_in(graph, node, 0);
    *out = (oct_shape){0};
    if (node->attrs.argmax.axis >= x->rank)
        return oct_fail(OCT_ERR_ARGUMENT, "axis %d outside rank %d", node->attrs.argmax.axis, x->rank);
    for (int i = 0; i < x->rank; i++) {
        if (i != node->attrs.argmax.axis)
            out->dims[out->rank++] = x->dims[i];
        else if (node->attrs.argmax.keep_dims)
            out->dims[out->rank++] = 1;
    }
    return OCT_OK;
}

static oct_status infer_resize(const oct_graph *graph, const oct_node *node, oct_shape *out)
{
    *out = *shape_in(graph, node, 0);
    if (out->rank != 4)
        return oct_fail(OCT_ERR_ARGUMENT, "needs a 4-dimensional input, got rank %d", out->rank);
    for (int i = 0; i < 2; i++) {
        const float scale = node->attrs.resize.scale[i];
        if (!(scale >= 0 && scale <= FLT_MAX))
            return oct_fail(OCT_ERR_ARGUMENT, "a scale of %g; it must be a positive number, or 0 for that of the sizes",
                            (double)scale);
        out->dims[1 + i] = node->attrs.resize.size[i];
    }
    return OCT_OK;
}

/* ----------------------------------------------------------------------------------------------- table ---- */

#define FIELDS(list) list, (int)(sizeof(list) / sizeof((list)[0]))
#define NO_FIELDS NULL, 0

static const oct_operator operators[] = {
    /* op                name             inputs  attributes                 quantization         act    shape rule       macs */
    {OCT_OP_CONV, "conv", 2, 4, FIELDS(conv_fields), OCT_QUANT_WEIGHTS, true, infer_conv, macs_conv},
    {OCT_OP_DENSE, "dense", 2, 4, NO_FIELDS, OCT_QUANT_WEIGHTS, true, infer_dense, macs_dense},
    {OCT_OP_MATMUL, "matmul", 2, 2, NO_FIELDS, OCT_QUANT_NEVER, false, infer_matmul, macs_matmul},
    {OCT_OP_MAX_POOL, "maxpool", 1, 1, FIELDS(pool_fields), OCT_QUANT_SAME, false, infer_pool, NULL},
    {OCT_OP_AVERAGE_POOL, "averagepool", 1, 1, FIELDS(pool_fields), OCT_QUANT_RESCALE, true, infer_pool, NULL},
    {OCT_OP_UNARY, "unary", 1, 1, FIELDS(unary_fields), OCT_QUANT_TABLE, false, infer_same, NULL},
    {OCT_OP_BINARY, "binary", 2, 2, FIELDS(binary_fields), OCT_QUANT_RESCALE, true, infer_binary, NULL},
    {OCT_OP_REDUCE, "reduce", 1, 1, FIELDS(reduce_fields), OCT_QUANT_RESCALE, false, infer_reduce, NULL},
    {OCT_OP_CONCAT, "concat", 1, -1, FIELDS(concat_fields), OCT_QUANT_RESCALE, false, infer_concat, NULL},
    {OCT_OP_RESHAPE, "reshape", 1, 1, FIELDS(reshape_fields), OCT_QUANT_SAME, false, infer_reshape, NULL},
    {OCT_OP_TRANSPOSE, "transpose", 1, 1, FIELDS(transpose_fields), OCT_QUANT_SAME, false, infer_transpose, NULL},
    {OCT_OP_PAD, "pad", 1, 1, FIELDS(pad_fields), OCT_QUANT_SAME, false, infer_pad, NULL},
    {OCT_OP_SLICE, "slice", 1, 1, FIELDS(slice_fields), OCT_QUANT_SAME, false, infer_slice, NULL},
    {OCT_OP_SOFTMAX, "softmax", 1, 1, FIELDS(softmax_fields), OCT_QUANT_NEVER, false, infer_softmax, NULL},
    {OCT_OP_QUANTIZE, "quantize", 1, 1, NO_FIELDS, OCT_QUANT_BORDER, false, infer_same, NULL},
    {OCT_OP_DEQUANTIZE, "dequantize", 1, 1, NO_FIELDS, OCT_QUANT_BORDER, false, infer_same, NULL},
    {OCT_OP_RESIZE, "resize", 1, 1, FIELDS(resize_fields), OCT_QUANT_SAME, false, infer_resize, NULL},
    {OCT_OP_ARGMAX, "argmax", 1, 1, FIELDS(argmax_fields), OCT_QUANT_NEVER, false, infer_argmax, NULL},
};

const oct_operator *oct_operator_of(oct_op op)
{
    for (size_t i = 0; i < sizeof operators / sizeof operators[0]; i++)
        if (operators[i].op == op)
            return &operators[i];
    return NULL;
}

/* ---------------------------------------------------------------------------------------------- checks ---- */

static oct_status check_attributes(const oct_operator *row, const oct_attrs *attrs)
{
    for (int f = 0; f < row->field_count; f++) {
        const oct_attr_field *field = &row->fields[f];
        for (int i = 0; field->type == 'i' && i < field->count; i++) {
            int32_t number;
            memcpy(&number, (const char *)attrs + field->offset + (size_t)i * sizeof number, sizeof number);
            if (number < field->min || number > field->max)
                return oct_fail(OCT_ERR_ARGUMENT, "%s = %d outside %d..%d", field->name, number, field->min, field->max);
        }
    }
    return OCT_OK;
}

static oct_status check_inputs(const oct_graph *graph, const oct_operator *row, const oct_node *node)
{
    if (node->in_count < row->min_in || (row->max_in >= 0 && node->in_count > row->max_in))
        return oct_fail(OCT_ERR_ARGUMENT, "%d inputs; it takes %d to %d", node->in_count, row->min_in, row->max_in);
    for (int i = 0; i < node->in_count; i++) {
        const int v = node->in[i];
        if (v < 0 ? (v != OCT_NONE || i < row->min_in || row->max_in < 0) : v >= graph->value_count)
            return oct_fail(OCT_ERR_ARGUMENT, "input %d is missing", i);
    }
    return OCT_OK;
}

/* A dimension of 0: moving no elements and computing functions of none is no work, and every such output is empty too or, of concat
 * and pad, made of something else. The others would have to say what a sum, a window or a picture of nothing is. */
static bool takes_empty(oct_op op)
{
    switch (op) {
    case OCT_OP_UNARY: case OCT_OP_BINARY: case OCT_OP_CONCAT: case OCT_OP_RESHAPE: case OCT_OP_TRANSPOSE: case OCT_OP_PAD:
    case OCT_OP_SLICE: case OCT_OP_QUANTIZE: case OCT_OP_DEQUANTIZE: return true;
    default: return false;
    }
}

static oct_status check_empty(const oct_graph *graph, const oct_node *node)
{
    char text[OCT_SHAPE_TEXT];
    for (int i = 0; i < node->in_count && !takes_empty(node->op); i++)
        if (node->in[i] >= 0 && oct_shape_elements(shape_in(graph, node, i)) == 0)
            return oct_fail(OCT_ERR_UNSUPPORTED,
                            "input %d of shape %s has no elements; only operators that move elements or take them "
                            "one by one allow that",
                            i, oct_shape_text(shape_in(graph, node, i), text, sizeof text));
    return OCT_OK;
}

/* A scale that is known only at run time: for conv and dense, which then write f32. */
static oct_status check_dynamic(const oct_graph *graph, const oct_operator *row, const oct_node *node)
{
    const int out = node->out_count > 0 ? node->out[0] : OCT_NONE;
    if (row->quant != OCT_QUANT_WEIGHTS)
        return oct_fail(OCT_ERR_ARGUMENT, "its input has a scale that is found at run time; only conv and dense take that");
    if (out >= 0 && out < graph->value_count && graph->values[out].dtype == OCT_U8)
        return oct_fail(OCT_ERR_ARGUMENT, "with a scale that is found at run time it cannot write u8");
    return OCT_OK;
}

/* Which element types may come in: u8 data with s8 weights and s32 bias (f32 if the data's scale is found at run time), or f32
 * throughout. */
static oct_status check_dtypes(const oct_graph *graph, const oct_operator *row, const oct_node *node)
{
    const oct_dtype x = graph->values[node->in[0]].dtype;
    const bool dynamic = oct_value_is_dynamic(&graph->values[node->in[0]]);
    if (dynamic)
        OCT_TRY(check_dynamic(graph, row, node));
    const bool layout = row->quant == OCT_QUANT_SAME;
    if (x != OCT_F32 && !(x == OCT_U8 && row->quant != OCT_QUANT_NEVER) && !layout)
        return oct_fail(OCT_ERR_ARGUMENT, "cannot take %s", oct_dtype_name(x));
    for (int i = 1; i < node->in_count; i++) {
        if (node->in[i] < 0)
            continue;
        const oct_value *value = &graph->values[node->in[i]];
        oct_dtype want = x;
        if (row->quant == OCT_QUANT_WEIGHTS && x == OCT_U8)
            want = i == OCT_IN_W ? OCT_S8 : i == OCT_IN_BIAS ? (dynamic ? OCT_F32 : OCT_S32) : value->dtype;
        if (oct_value_is_dynamic(value))
            return oct_fail(OCT_ERR_ARGUMENT, "input %d has a scale that is found at run time", i);
        if (value->dtype != want)
            return oct_fail(OCT_ERR_ARGUMENT, "input %d is %s; with %s data it must be %s", i, oct_dtype_name(value->dtype),
                            oct_dtype_name(x), oct_dtype_name(want));
        if (want == OCT_S8 && !value->channel_scale)
            return oct_fail(OCT_ERR_ARGUMENT, "its s8 weights have no scales");
    }
    return OCT_OK;
}

/* f32, unless the output value has been decided to be u8, or the operator hands its input's type on. */
static oct_dtype output_dtype(const oct_graph *graph, const oct_operator *row, const oct_node *node)
{
    const oct_dtype x = graph->values[node->in[0]].dtype;
    const int out = node->out_count > 0 ? node->out[0] : OCT_NONE;
    if (row->op == OCT_OP_QUANTIZE)
        return OCT_U8;
    if (row->op == OCT_OP_DEQUANTIZE)
        return OCT_F32;
    if (row->quant == OCT_QUANT_SAME)
        return x;
    if (out >= 0 && out < graph->value_count && graph->values[out].dtype == OCT_U8)
        return OCT_U8;
    return row->quant == OCT_QUANT_WEIGHTS ? OCT_F32 : x;
}

static oct_status infer(const oct_graph *graph, const oct_operator *row, const oct_node *node, oct_shape *shape, oct_dtype *dtype)
{
    OCT_TRY(check_attributes(row, &node->attrs));
    OCT_TRY(check_inputs(graph, row, node));
    OCT_TRY(check_dtypes(graph, row, node));
    OCT_TRY(check_empty(graph, node));
    OCT_TRY(row->infer(graph, node, shape));
    *dtype = output_dtype(graph, row, node);
    if (node->act.fn != OCT_FN_NONE && (!row->fuses_activation || node->act.fn < 0 || node->act.fn >= OCT_FN_COUNT))
        return oct_fail(OCT_ERR_ARGUMENT, "it cannot take an activation");
    if (oct_shape_elements(shape) < 0)
        return oct_fail(OCT_ERR_ARGUMENT, "its output would have too many elements");
    return OCT_OK;
}

oct_status oct_operator_infer(const oct_graph *graph, const oct_node *node, oct_shape *shape, oct_dtype *dtype)
{
    const oct_operator *row = oct_operator_of(node->op);
    if (!row)
        return oct_fail(OCT_ERR_ARGUMENT, "node %s: unknown operator %d", node->name, (int)node->op);
    const oct_status status = infer(graph, row, node, shape, dtype);
    return status == OCT_OK ? OCT_OK : oct_fail_in(status, "node %s (%s)", node->name, row->name);
}

bool oct_conv_is_depthwise(const oct_graph *graph, const oct_node *node)
{
    return node->op == OCT_OP_CONV && node->attrs.conv.groups == graph->values[node->in[OCT_IN_X]].shape.dims[3];
}

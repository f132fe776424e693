/* import_fold.c - graph operators on constants.
 *
 * Transposes, slices and broadcasts are one loop: walk the output in C order and keep, for every input, the element number that
 * belongs to it, advanced by one stride per axis like the digits of an odometer. */
#include "import_fold.h"

#include <math.h>
#include <string.h>

#include "import_quantized.h"
#include "memory.h"
#include "operators.h"
#include "status.h"

/* A way through a constant: element number `at` for the output's current position. */
typedef struct cursor {
    int64_t at;
    int64_t stride[OCT_MAX_RANK];   /* by output axis */
} cursor;

/* C-order strides of a shape. */
static void strides_of(const oct_shape *shape, int64_t *stride)
{
    int64_t product = 1;
    for (int i = shape->rank - 1; i >= 0; i--) {
        stride[i] = product;
        product *= shape->dims[i];
    }
}

/* Moves to the next position of `shape`; digits[] is the position. */
static void advance(const oct_shape *shape, int64_t *digits, cursor *cursors, int count)
{
    for (int axis = shape->rank - 1; axis >= 0; axis--) {
        digits[axis]++;
        for (int c = 0; c < count; c++)
            cursors[c].at += cursors[c].stride[axis];
        /* no carry: done */
        if (digits[axis] < shape->dims[axis])
            return;
        for (int c = 0; c < count; c++)
            cursors[c].at -= digits[axis] * cursors[c].stride[axis];
        digits[axis] = 0;
    }
}

/* out[i] = in[cursor], for elements of any size. */
static void gather(const void *in, cursor from, const oct_shape *shape, size_t size, void *out)
{
    const int64_t elements = oct_shape_elements(shape);
    int64_t digits[OCT_MAX_RANK] = {0};
    for (int64_t i = 0; i < elements; i++) {
        memcpy((char *)out + (size_t)i * size, (const char *)in + (size_t)from.at * size, size);
        advance(shape, digits, &from, 1);
    }
}

/* ---- layout ---- */

/* Output axis i walks along input axis perm[i], so it takes that axis' stride. */
static void fold_transpose(const oct_value *x, const oct_attrs *attrs, const oct_shape *shape, void *out)
{
    cursor from = {0};
    int64_t stride[OCT_MAX_RANK];
    strides_of(&x->shape, stride);
    for (int i = 0; i < shape->rank; i++)
        from.stride[i] = stride[attrs->transpose.perm[i]];
    gather(x->data, from, shape, oct_dtype_size(x->dtype), out);
}

/* A slice is a walk from another first element with multiplied strides; a negative step walks backwards. The operator's shape rule
 * has checked that first and last element of every axis lie in the input. */
static void fold_slice(const oct_value *x, const oct_attrs *attrs, const oct_shape *shape, void *out)
{
    cursor from = {0};
    int64_t stride[OCT_MAX_RANK];
    strides_of(&x->shape, stride);
    for (int i = 0; i < shape->rank; i++) {
        from.stride[i] = stride[i] * attrs->slice.step[i];
        from.at += stride[i] * attrs->slice.start[i];
    }
    gather(x->data, from, shape, oct_dtype_size(x->dtype), out);
}

/* Rows of each input's own length, one after the other, for every position before the axis. */
static void fold_concat(const oct_graph *graph, const oct_node *node, const oct_shape *shape, void *out)
{
    const int axis = node->attrs.axis.axis;
    const int64_t rows = oct_shape_product(shape, 0, axis);
    const size_t size = oct_dtype_size(graph->values[node->in[0]].dtype);
    char *to = out;
    /* For axis 1 of [2, a] and [2, b]: a b a b. */
    for (int64_t row = 0; row < rows; row++) {
        for (int i = 0; i < node->in_count; i++) {
            const oct_value *x = &graph->values[node->in[i]];
            const size_t bytes = (size_t)oct_shape_product(&x->shape, axis, x->shape.rank) * size;
            if (bytes)
                memcpy(to, (const char *)x->data + (size_t)row * bytes, bytes);
            to += bytes;
        }
    }
}

/* ---- arithmetic ---- */

/* In float, as the run time would, so that folding does not change a model's numbers. */
static float binary_f32(int32_t fn, float a, float b)
{
    switch ((oct_binary_fn)fn) {
    case OCT_BINARY_ADD: return a + b;
    case OCT_BINARY_MUL: return a * b;
    case OCT_BINARY_SUB: return a - b;
    case OCT_BINARY_DIV: return a / b;
    case OCT_BINARY_MIN: return a < b ? a : b;
    case OCT_BINARY_MAX: return a > b ? a : b;
    case OCT_BINARY_POW: return powf(a, b);
    case OCT_BINARY_COUNT: break;
    }
    return 0;
}

/* a^b modulo 2^64, by squaring. */
static uint64_t power(uint64_t a, uint64_t b)
{
    uint64_t result = 1;
    for (; b; b >>= 1, a *= a)
        if (b & 1)
            result *= a;
    return result;
}

/* Two's complement: sums and products wrap instead of being undefined. */
static oct_status binary_s64(int32_t fn, int64_t a, int64_t b, int64_t *result)
{
    const uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    uint64_t bits = 0;
    switch ((oct_binary_fn)fn) {
    case OCT_BINARY_ADD: bits = ua + ub; break;
    case OCT_BINARY_MUL: bits = ua * ub; break;
    case OCT_BINARY_SUB: bits = ua - ub; break;
    case OCT_BINARY_DIV:
        if (b == 0 || (b == -1 && a == INT64_MIN))
            return oct_fail(OCT_ERR_FORMAT, "integer division %lld / %lld", (long long)a, (long long)b);
        bits = (uint64_t)(a / b);
        break;
    case OCT_BINARY_MIN: bits = (uint64_t)(a < b ? a : b); break;
    case OCT_BINARY_MAX: bits = (uint64_t)(a > b ? a : b); break;
    case OCT_BINARY_POW:
        if (b < 0)
            return oct_fail(OCT_ERR_FORMAT, "integer power with the negative exponent %lld", (long long)b);
        bits = power(ua, ub);
        break;
    case OCT_BINARY_COUNT: break;
    }
    memcpy(result, &bits, sizeof bits);
    return OCT_OK;
}

/* Strides of an operand that is broadcast to `shape`: 0 along the axes it lacks or has once. */
static cursor broadcast_cursor(const oct_shape *x, const oct_shape *shape)
{
    cursor c = {0};
    int64_t stride[OCT_MAX_RANK];
    strides_of(x, stride);
    for (int i = 0; i < x->rank; i++)
        c.stride[shape->rank - x->rank + i] = x->dims[i] == 1 ? 0 : stride[i];
    return c;
}

/* Both operands of one type: ONNX has no mixed arithmetic (but Pow, whose handler converts the exponent before). */
static oct_status fold_binary(const oct_value *a, const oct_value *b, const oct_attrs *attrs, const oct_shape *shape, void *out)
{
    const int64_t elements = oct_shape_elements(shape);
    int64_t digits[OCT_MAX_RANK] = {0};
    cursor from[2] = {broadcast_cursor(&a->shape, shape), broadcast_cursor(&b->shape, shape)};
    if (a->dtype != b->dtype)
        return oct_fail(OCT_ERR_FORMAT, "\"%s\" is %s and \"%s\" is %s", a->name, oct_dtype_name(a->dtype), b->name,
                        oct_dtype_name(b->dtype));
    for (int64_t i = 0; i < elements; i++) {
        if (a->dtype == OCT_F32)
            ((float *)out)[i] =
                binary_f32(attrs->binary.fn, ((const float *)a->data)[from[0].at], ((const float *)b->data)[from[1].at]);
        else
            OCT_TRY(binary_s64(attrs->binary.fn, ((const int64_t *)a->data)[from[0].at], ((const int64_t *)b->data)[from[1].at],
                               (int64_t *)out + i));
        advance(shape, digits, from, 2);
    }
    return OCT_OK;
}

/* Equal and Where walk up to three operands and copy or compare whole elements. */
static oct_status walk(oct_import *im, const char *suffix, const int *in, int in_count, int *out)
{
    const oct_graph *graph = im->graph;
    const oct_value *last = &graph->values[in[in_count - 1]], *before = &graph->values[in[in_count - 2]];
    const oct_dtype dtype = in_count == 2 ? OCT_S64 : last->dtype;
    const size_t size = oct_dtype_size(last->dtype);
    oct_shape shape = {0};
    cursor from[3];
    int64_t digits[OCT_MAX_RANK] = {0};
    if (last->dtype != before->dtype)
        return oct_fail(OCT_ERR_FORMAT, "its inputs are of different types");
    for (int i = 0; i < in_count; i++)
        if (!oct_shape_broadcast(&graph->values[in[i]].shape, &shape, &shape) || !oct_onnx_shape_is_sane(&shape))
            return oct_fail(OCT_ERR_FORMAT, "its inputs cannot be broadcast");
    for (int i = 0; i < in_count; i++)
        from[i] = broadcast_cursor(&graph->values[in[i]].shape, &shape);
    const size_t elements = (size_t)oct_shape_elements(&shape), bytes = elements * oct_dtype_size(dtype);
    OCT_TRY(oct_import_spend(im, bytes));
    char *data = oct_alloc(bytes, 1);
    if (!data)
        return oct_fail_memory(bytes);
    for (size_t e = 0; e < elements; e++, advance(&shape, digits, from, in_count)) {
        const char *a = (const char *)before->data + (size_t)from[in_count - 2].at * size;
        const char *b = (const char *)last->data + (size_t)from[in_count - 1].at * size;
        if (in_count == 3)
            memcpy(data + e * size, ((const int64_t *)graph->values[in[0]].data)[from[0].at] ? a : b, size);
        else
            ((int64_t *)(void *)data)[e] = last->dtype == OCT_F32
                                               ? *(const float *)(const void *)a == *(const float *)(const void *)b
                                               : memcmp(a, b, size) == 0;
    }
    const oct_status status = oct_import_constant(im, suffix, dtype, &shape, data, out);
    oct_free(data);
    return status;
}

oct_status oct_import_fold_equal(oct_import *im, const char *suffix, int a, int b, int *out)
{
    const int in[2] = {a, b};
    return walk(im, suffix, in, 2, out);
}

oct_status oct_import_fold_where(oct_import *im, const char *suffix, int condition, int a, int b, int *out)
{
    const int in[3] = {condition, a, b};
    if (oct_import_dtype(im, condition) != OCT_S64)
        return oct_fail(OCT_ERR_FORMAT, "its condition is no bool");
    return walk(im, suffix, in, 3, out);
}

/* Of the element functions only Neg and Abs have a meaning for integers: 0 - x, and 0 - x or 0 + x. */
static oct_status fold_unary(const oct_value *x, const oct_attrs *attrs, void *out)
{
    const int64_t elements = oct_shape_elements(&x->shape);
    const oct_fn fn = (oct_fn)attrs->unary.fn;
    for (int64_t i = 0; x->dtype == OCT_F32 && i < elements; i++)
        ((float *)out)[i] = oct_function_eval(&attrs->unary, ((const float *)x->data)[i]);
    if (x->dtype == OCT_F32)
        return OCT_OK;
    if (fn != OCT_FN_NEG && fn != OCT_FN_ABS)
        return oct_fail(OCT_ERR_UNSUPPORTED, "%s of integers", oct_function_name(&attrs->unary));
    for (int64_t i = 0; i < elements; i++) {
        const int64_t number = ((const int64_t *)x->data)[i];
        OCT_TRY(binary_s64(fn == OCT_FN_NEG || number < 0 ? OCT_BINARY_SUB : OCT_BINARY_ADD, 0, number, (int64_t *)out + i));
    }
    return OCT_OK;
}

/* ---- the way in ---- */

/* What exporters really put between a weight or a shape and its use. Conv, pools and the like of constants do not occur; they
 * become ordinary nodes. */
static bool is_foldable(const oct_graph *graph, oct_op op, const int *in)
{
    switch (op) {
    case OCT_OP_TRANSPOSE: case OCT_OP_SLICE: case OCT_OP_RESHAPE: case OCT_OP_CONCAT: case OCT_OP_BINARY: case OCT_OP_UNARY:
        return true;
    default:
        return graph->values[in[0]].dtype != OCT_F32;   /* to be refused below: no operator computes integers at run time */
    }
}

/* `out` has room for the shape's elements; there is at least one. */
static oct_status evaluate(const oct_graph *graph, const oct_node *node, const oct_shape *shape, void *out)
{
    const oct_value *x = &graph->values[node->in[0]];
    switch (node->op) {
    case OCT_OP_TRANSPOSE: fold_transpose(x, &node->attrs, shape, out); return OCT_OK;
    case OCT_OP_SLICE: fold_slice(x, &node->attrs, shape, out); return OCT_OK;
    case OCT_OP_RESHAPE: memcpy(out, x->data, oct_value_bytes(x)); return OCT_OK;
    case OCT_OP_CONCAT: fold_concat(graph, node, shape, out); return OCT_OK;
    case OCT_OP_UNARY: return fold_unary(x, &node->attrs, out);
    case OCT_OP_BINARY: return fold_binary(x, &graph->values[node->in[1]], &node->attrs, shape, out);
    default: return oct_fail(OCT_ERR_UNSUPPORTED, "cannot compute integers");
    }
}

/* The output's shape by the operator's own rule. Concat hands its dtype on, so all inputs must agree. */
static oct_status infer_shape(const oct_graph *graph, const oct_node *node, oct_shape *shape)
{
    const oct_dtype dtype = graph->values[node->in[0]].dtype;
    for (int i = 1; i < node->in_count; i++)
        if (graph->values[node->in[i]].dtype != dtype)
            return oct_fail(OCT_ERR_FORMAT, "its inputs are of different types");
    OCT_TRY(oct_operator_of(node->op)->infer(graph, node, shape));
    return oct_shape_elements(shape) < 0 ? oct_fail(OCT_ERR_FORMAT, "its output would have too many elements") : OCT_OK;
}

/* A fresh constant with the outcome. */
static oct_status compute(oct_import *im, const oct_node *node, const char *name, int *out)
{
    oct_graph *graph = im->graph;
    oct_shape shape;
    const oct_dtype dtype = graph->values[node->in[0]].dtype;
    OCT_TRY(infer_shape(graph, node, &shape));
    const size_t elements = (size_t)oct_shape_elements(&shape), bytes = elements * oct_dtype_size(dtype);
    OCT_TRY(oct_import_spend(im, bytes));
    void *data = oct_alloc(bytes, 1);
    if (!data)
        return oct_fail_memory(bytes);
    const oct_status status = elements ? evaluate(graph, node, &shape, data) : OCT_OK;
    if (status == OCT_OK)
        return oct_graph_add_value(graph, name, dtype, &shape, data, out);   /* takes data in any case */
    oct_free(data);
    return status;
}

/* The node is made up on the stack: the operators' shape rules want one, the graph is not to keep it. */
oct_status oct_import_fold(oct_import *im, oct_op op, const char *name, const oct_attrs *attrs, const int *in, int in_count,
                           int *out, bool *done)
{
    *done = is_foldable(im->graph, op, in);
    if (!*done)
        return OCT_OK;
    oct_node node = {.op = op, .in_count = in_count, .in = oct_memdup(in, (size_t)in_count * sizeof *in)};
    if (!node.in)
        return oct_fail_memory((size_t)in_count * sizeof *in);
    if (attrs)
        node.attrs = *attrs;
    const oct_status status = compute(im, &node, name, out);
    oct_free(node.in);
    return status == OCT_OK ? oct_import_follow_grid(im, op, attrs, in[0], *out) : status;
}

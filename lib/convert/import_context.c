/* import_context.c - the handlers' tools: inputs, attributes, emitting. */
#include "import_context.h"

#include <stdio.h>
#include <string.h>

#include "import_fold.h"
#include "memory.h"
#include "operators.h"

/* ------------------------------------------------------------------------------------------------ inputs ---- */

bool oct_import_has(const oct_import *im, int i) { return i < im->node->in_count && im->in[i] != OCT_NONE; }

oct_shape oct_import_shape(const oct_import *im, int value) { return im->graph->values[value].shape; }

bool oct_import_is_constant(const oct_import *im, int value) { return oct_value_is_constant(&im->graph->values[value]); }

oct_dtype oct_import_dtype(const oct_import *im, int value) { return im->graph->values[value].dtype; }

/* Axes, pads, shapes, repeats: ONNX has them as int64 tensors of rank 1; some exporters write a scalar where a single number is
 * meant. */
oct_status oct_import_list_in(const oct_import *im, int i, oct_import_list *list)
{
    *list = (oct_import_list){0};
    if (!oct_import_has(im, i))
        return OCT_OK;
    const oct_value *value = &im->graph->values[im->in[i]];
    const int64_t count = oct_shape_elements(&value->shape);
    if (!oct_value_is_constant(value) || value->dtype != OCT_S64 || value->shape.rank > 1)
        return oct_fail(OCT_ERR_FORMAT, "input %d (\"%s\") must be a list of integers", i, value->name);
    if (count > OCT_IMPORT_MAX_LIST)
        return oct_fail(OCT_ERR_UNSUPPORTED, "input %d (\"%s\") has %lld entries; at most %d are supported", i, value->name,
                        (long long)count, OCT_IMPORT_MAX_LIST);
    list->given = true;
    list->count = (int)count;
    memcpy(list->v, value->data, (size_t)count * sizeof list->v[0]);
    return OCT_OK;
}

/* Clip's bounds, Pad's value, Dropout's ratio: rank 0 by the specification, rank 1 with one element in many files. */
oct_status oct_import_scalar_in(const oct_import *im, int i, double missing, double *number)
{
    *number = missing;
    if (!oct_import_has(im, i))
        return OCT_OK;
    const oct_value *value = &im->graph->values[im->in[i]];
    if (!oct_value_is_constant(value) || oct_shape_elements(&value->shape) != 1 || value->dtype == OCT_U8 || value->dtype == OCT_S8)
        return oct_fail(OCT_ERR_FORMAT, "input %d (\"%s\") must be a constant with one element", i, value->name);
    *number = value->dtype == OCT_F32 ? (double)*(const float *)value->data : (double)*(const int64_t *)value->data;
    return OCT_OK;
}

/* The pointer stays good because a value's elements have a block of their own; only the oct_value structs move when values are
 * added. */
oct_status oct_import_floats_in(const oct_import *im, int i, const float **data)
{
    const oct_value *value = &im->graph->values[im->in[i]];
    if (!oct_value_is_constant(value) || value->dtype != OCT_F32)
        return oct_fail(OCT_ERR_FORMAT, "input %d (\"%s\") must be a float constant", i, value->name);
    *data = value->data;
    return OCT_OK;
}

/* -------------------------------------------------------------------------------------------- attributes ---- */

/* A handful of attributes a node: a linear search. The driver has refused unknown names, wrong types and repetitions, so the
 * accessors below need not check what they find. */
const oct_onnx_attr *oct_import_attr(const oct_import *im, const char *name)
{
    for (int i = 0; i < im->node->attr_count; i++)
        if (!strcmp(im->node->attrs[i].name, name))
            return &im->node->attrs[i];
    return NULL;
}

int64_t oct_import_int(const oct_import *im, const char *name, int64_t missing)
{
    const oct_onnx_attr *attr = oct_import_attr(im, name);
    return attr ? attr->i : missing;
}

float oct_import_float(const oct_import *im, const char *name, float missing)
{
    const oct_onnx_attr *attr = oct_import_attr(im, name);
    return attr ? attr->f : missing;
}

const char *oct_import_string(const oct_import *im, const char *name, const char *missing)
{
    const oct_onnx_attr *attr = oct_import_attr(im, name);
    return attr ? attr->s : missing;
}

/* ONNX has no boolean attributes; ints stand for them. A 2 is a damaged file or a meaning octet does not know. */
oct_status oct_import_flag(const oct_import *im, const char *name, bool missing, bool *flag)
{
    const int64_t number = oct_import_int(im, name, missing);
    *flag = number == 1;
    if (number == 0 || number == 1)
        return OCT_OK;
    return oct_fail(OCT_ERR_FORMAT, "attribute %s is %lld; it must be 0 or 1", name, (long long)number);
}

/* Lists are walked in the file each time they are asked for. Their wire form (packed or not) is checked here for the first time, so
 * a damaged list is an error of the node that wanted it. */
oct_status oct_import_list_attr(const oct_import *im, const char *name, oct_import_list *list)
{
    *list = (oct_import_list){0};
    const oct_onnx_attr *attr = oct_import_attr(im, name);
    if (!attr)
        return OCT_OK;
    list->given = true;
    oct_pb_list ints = oct_pb_list_open(im->file, attr->body, 8, OCT_PB_VARINT);   /* AttributeProto.ints */
    for (;;) {
        uint64_t number;
        bool more;
        OCT_TRY(oct_pb_list_next(&ints, &number, &more));
        if (!more)
            return OCT_OK;
        if (list->count == OCT_IMPORT_MAX_LIST)
            return oct_fail(OCT_ERR_UNSUPPORTED, "attribute %s has more than %d entries", name, OCT_IMPORT_MAX_LIST);
        memcpy(&list->v[list->count++], &number, sizeof number);
    }
}

/* ---------------------------------------------------------------------------------------------- emitting ---- */

oct_status oct_import_spend(oct_import *im, size_t bytes)
{
    if (bytes > im->budget)
        return oct_fail(OCT_ERR_UNSUPPORTED, "the constants that are computed from one another grow out of proportion to the file");
    im->budget -= bytes;
    return OCT_OK;
}

/* The node's name plus suffix, in the arena. */
static oct_status make_name(oct_import *im, const char *suffix, const char **name)
{
    const size_t room = strlen(im->name) + strlen(suffix) + 1;
    char *text = oct_arena_alloc(&im->model.arena, room, 1);
    if (!text)
        return oct_fail_memory(room);
    snprintf(text, room, "%s%s", im->name, suffix);
    *name = text;
    return OCT_OK;
}

/* Bytes may be moved about. Several together only if all of them mean the same: then what comes out has one meaning too. */
static oct_status check_bytes(const oct_import *im, oct_op op, int first, int x)
{
    const oct_value *a = &im->graph->values[first], *b = &im->graph->values[x];
    const bool moves = op == OCT_OP_CONCAT || op == OCT_OP_DEQUANTIZE || oct_operator_of(op)->quant == OCT_QUANT_SAME;
    if (!moves || b->data)
        return oct_fail(OCT_ERR_UNSUPPORTED,
                        "8-bit integers (\"%s\") are computed with between DequantizeLinear and QuantizeLinear only", b->name);
    if (a->dtype != OCT_U8 || a->scale != b->scale || a->zero_point != b->zero_point)
        return oct_fail(OCT_ERR_UNSUPPORTED, "8-bit integers of different scales (\"%s\", \"%s\") are joined", a->name, b->name);
    return OCT_OK;
}

/* The one way into the graph. Three cases:
 *   all inputs constant, operator foldable   computed now, the outcome is a constant
 *   all inputs constant, others              a node all the same; it will be computed on every run, but no file has that
 *   some input variable                      a node; its constants must be f32, for the run time knows no integers */
oct_status oct_import_emit(oct_import *im, oct_op op, const char *suffix, const oct_attrs *attrs, const int *in, int in_count,
                           int *out)
{
    const char *name;
    bool constant = true, folded = false;
    OCT_TRY(make_name(im, suffix, &name));
    for (int i = 0; i < in_count; i++)
        /* an operand that is left out does not keep a node from being constant */
        constant &= in[i] == OCT_NONE || oct_import_is_constant(im, in[i]);
    for (int i = 0; i < in_count && !constant; i++)
        if (in[i] != OCT_NONE && oct_import_dtype(im, in[i]) == OCT_U8)
            OCT_TRY(check_bytes(im, op, in[0], in[i]));
        else if (in[i] != OCT_NONE && oct_import_dtype(im, in[i]) != OCT_F32)
            return oct_fail(OCT_ERR_UNSUPPORTED, "integers (\"%s\") meet floats; at run time octet computes floats only",
                            im->graph->values[in[i]].name);
    if (constant)
        OCT_TRY(oct_import_fold(im, op, name, attrs, in, in_count, out, &folded));
    return folded ? OCT_OK : oct_graph_add_node(im->graph, op, name, attrs, in, in_count, out);
}

oct_status oct_import_constant(oct_import *im, const char *suffix, oct_dtype dtype, const oct_shape *shape, const void *data,
                               int *out)
{
    const char *name;
    OCT_TRY(make_name(im, suffix, &name));
    return oct_graph_add_constant(im->graph, name, dtype, shape, data, out);
}

oct_status oct_import_number(oct_import *im, const char *suffix, float number, int *out)
{
    const oct_shape scalar = {0};
    return oct_import_constant(im, suffix, OCT_F32, &scalar, &number, out);
}

oct_status oct_import_unary(oct_import *im, const char *suffix, oct_fn fn, float alpha, float beta, int x, int *out)
{
    const oct_attrs attrs = {.unary = {(int32_t)fn, alpha, beta}};
    return oct_import_emit(im, OCT_OP_UNARY, suffix, &attrs, &x, 1, out);
}

oct_status oct_import_binary(oct_import *im, const char *suffix, oct_binary_fn fn, int a, int b, int *out)
{
    const oct_attrs attrs = {.binary = {(int32_t)fn}};
    const int in[2] = {a, b};
    return oct_import_emit(im, OCT_OP_BINARY, suffix, &attrs, in, 2, out);
}

oct_status oct_import_reduce(oct_import *im, const char *suffix, oct_reduce_fn fn, uint32_t axes, bool keep_dims, int x, int *out)
{
    const oct_attrs attrs = {.reduce = {(int32_t)fn, (int32_t)axes, keep_dims}};
    return oct_import_emit(im, OCT_OP_REDUCE, suffix, &attrs, &x, 1, out);
}

/* Shapes travel as int64, but the graph's attributes are 32 bits wide. No tensor of 2^31 elements along one axis would fit a
 * machine that octet is for, so that is a refusal, not a limit to lift. */
oct_status oct_import_reshape(oct_import *im, const char *suffix, const oct_shape *shape, int x, int *out)
{
    const oct_shape from = oct_import_shape(im, x);
    oct_attrs attrs = {.reshape = {.rank = shape->rank}};
    *out = x;
    if (oct_shape_equal(&from, shape))
        return OCT_OK;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dims[i] > INT32_MAX)
            return oct_fail(OCT_ERR_UNSUPPORTED, "a dimension of %lld is too large", (long long)shape->dims[i]);
        attrs.reshape.dims[i] = (int32_t)shape->dims[i];
    }
    return oct_import_emit(im, OCT_OP_RESHAPE, suffix, &attrs, &x, 1, out);
}

/* Moving only axes of length 1 would be a reshape; telling so is left to the optimiser, which sees more of the neighbourhood. */
oct_status oct_import_transpose(oct_import *im, const char *suffix, const int *perm, int x, int *out)
{
    oct_attrs attrs = {0};
    bool moves = false;
    for (int i = 0; i < oct_import_shape(im, x).rank; i++) {
        attrs.transpose.perm[i] = perm[i];
        moves |= perm[i] != i;
    }
    *out = x;
    return moves ? oct_import_emit(im, OCT_OP_TRANSPOSE, suffix, &attrs, &x, 1, out) : OCT_OK;
}

/* ----------------------------------------------------------------------------------------------- outputs ---- */

/* An output that is left out ("") has no symbol and needs no value. */
void oct_import_set_output(oct_import *im, int i, int value)
{
    if (i < im->node->out_count && im->node->out[i] != OCT_NO_SYMBOL)
        im->symbols[im->node->out[i]].value = value;
}

bool oct_import_output_used(const oct_import *im, int i)
{
    return i < im->node->out_count && im->node->out[i] != OCT_NO_SYMBOL && im->symbols[im->node->out[i]].uses > 0;
}

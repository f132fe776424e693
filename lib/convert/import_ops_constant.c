/* import_ops_constant.c - operators that exist at import time only: Constant, Shape, Range, Cast, ... All shapes are known once the
 * batch is, so Shape is a constant, and the integer arithmetic that exporters hang on it is done here and in import_fold.c. */
#include <math.h>
#include <string.h>

#include "import_context.h"
#include "import_fold.h"
#include "import_quantized.h"
#include "memory.h"

/* The node's only output is a constant; the data are copied. */
static oct_status set_constant(oct_import *im, oct_dtype dtype, const oct_shape *shape, const void *data)
{
    int y;
    OCT_TRY(oct_import_constant(im, "", dtype, shape, data, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* Fresh memory for a constant's elements, on the budget. */
static oct_status allocate(oct_import *im, const oct_shape *shape, oct_dtype dtype, void *data)
{
    const size_t bytes = (size_t)oct_shape_elements(shape) * oct_dtype_size(dtype);
    OCT_TRY(oct_import_spend(im, bytes));
    void *block = oct_alloc(bytes, 1);
    memcpy(data, &block, sizeof block);
    return block ? OCT_OK : oct_fail_memory(bytes);
}

oct_status oct_import_fill(oct_import *im, const char *suffix, oct_dtype dtype, const oct_shape *shape, double number, int *out)
{
    void *data;
    if (!oct_onnx_shape_is_sane(shape))
        return oct_fail(OCT_ERR_FORMAT, "too many elements");
    OCT_TRY(allocate(im, shape, dtype, &data));
    for (int64_t i = 0; i < oct_shape_elements(shape); i++) {
        if (dtype == OCT_F32)
            ((float *)data)[i] = (float)number;
        else
            ((int64_t *)data)[i] = (int64_t)number;
    }
    const oct_status status = oct_import_constant(im, suffix, dtype, shape, data, out);
    oct_free(data);
    return status;
}

/* ---------------------------------------------------------------------------------------------- Constant ---- */

/* A tensor attribute as a constant of the graph. */
static oct_status tensor_attr(oct_import *im, const oct_onnx_attr *attr, int *value)
{
    oct_onnx_tensor tensor;
    OCT_TRY(oct_onnx_tensor_parse(&im->model.arena, im->file, attr->tensor, &tensor));
    if (im->node->out[0] != OCT_NO_SYMBOL)
        im->symbols[im->node->out[0]].is_double = tensor.type == OCT_ONNX_DOUBLE;
    return oct_import_add_tensor(im, im->name, &tensor, value);
}

/* value_floats and value_ints: a vector of any length. */
static oct_status list_attr(oct_import *im, const oct_onnx_attr *attr, oct_dtype dtype)
{
    const uint32_t number = dtype == OCT_F32 ? 7 : 8;   /* AttributeProto.floats, .ints */
    const oct_pb_wire wire = dtype == OCT_F32 ? OCT_PB_FIXED32 : OCT_PB_VARINT;
    oct_shape shape = {.rank = 1};
    void *data;
    OCT_TRY(oct_pb_list_count(im->file, attr->body, number, wire, &shape.dims[0]));
    OCT_TRY(allocate(im, &shape, dtype, &data));
    oct_pb_list list = oct_pb_list_open(im->file, attr->body, number, wire);
    oct_status status = OCT_OK;
    for (int64_t i = 0; i < shape.dims[0] && status == OCT_OK; i++) {
        uint64_t bits;
        bool more;
        status = oct_pb_list_next(&list, &bits, &more);
        if (status == OCT_OK && dtype == OCT_F32)
            ((float *)data)[i] = oct_pb_float_of(bits);
        else if (status == OCT_OK)
            memcpy((int64_t *)data + i, &bits, sizeof bits);
    }
    if (status == OCT_OK)
        status = set_constant(im, dtype, &shape, data);
    oct_free(data);
    return status;
}

/* value (a tensor) since opset 1; value_float, value_floats, value_int, value_ints since 12. The row has refused the string and
 * sparse forms by their names, and the type tells the rest apart. */
static oct_status lower_constant(oct_import *im)
{
    const oct_shape scalar = {0};
    int y;
    if (im->node->attr_count != 1)
        return oct_fail(OCT_ERR_FORMAT, "it has %d attributes; exactly one must hold its value", im->node->attr_count);
    const oct_onnx_attr *attr = &im->node->attrs[0];
    switch (attr->type) {
    case OCT_ATTR_FLOAT: return set_constant(im, OCT_F32, &scalar, &attr->f);
    case OCT_ATTR_INT: return set_constant(im, OCT_S64, &scalar, &attr->i);
    case OCT_ATTR_FLOATS: return list_attr(im, attr, OCT_F32);
    case OCT_ATTR_INTS: return list_attr(im, attr, OCT_S64);
    default: break;
    }
    OCT_TRY(tensor_attr(im, attr, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* `value` is a tensor of one element, by default a float 0. */
static oct_status lower_constant_of_shape(oct_import *im)
{
    const oct_onnx_attr *attr = oct_import_attr(im, "value");
    oct_import_list list;
    oct_shape shape = {0};
    oct_dtype dtype = OCT_F32;
    double number = 0;
    int y;
    OCT_TRY(oct_import_list_in(im, 0, &list));
    if (list.count > OCT_MAX_RANK)
        return oct_fail(OCT_ERR_UNSUPPORTED, "a shape of %d dimensions; at most %d are supported", list.count, OCT_MAX_RANK);
    shape.rank = list.count;
    for (int i = 0; i < list.count; i++)
        shape.dims[i] = list.v[i];
    if (attr) {
        OCT_TRY(tensor_attr(im, attr, &y));
        const oct_value *value = &im->graph->values[y];
        if (oct_shape_elements(&value->shape) != 1)
            return oct_fail(OCT_ERR_FORMAT, "its value must have one element");
        dtype = value->dtype;
        number = dtype == OCT_F32 ? (double)*(const float *)value->data : (double)*(const int64_t *)value->data;
    }
    OCT_TRY(oct_import_fill(im, "", dtype, &shape, number, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------ Shape, Range ---- */

static int64_t clamp_to(int64_t value, int64_t low, int64_t high) { return value < low ? low : value > high ? high : value; }

/* Since opset 15 a part of the shape: dimensions [start, end), negative ones counted from the end. */
static oct_status lower_shape(oct_import *im)
{
    const oct_shape shape = oct_import_shape(im, im->in[0]);
    int64_t start = oct_import_int(im, "start", 0), end = oct_import_int(im, "end", shape.rank);
    start = clamp_to(start < 0 ? start + shape.rank : start, 0, shape.rank);
    end = clamp_to(end < 0 ? end + shape.rank : end, start, shape.rank);
    const oct_shape vector = {1, {end - start}};
    return set_constant(im, OCT_S64, &vector, shape.dims + start);
}

/* The number of elements, as a scalar. */
static oct_status lower_size(oct_import *im)
{
    const oct_shape shape = oct_import_shape(im, im->in[0]), scalar = {0};
    const int64_t elements = oct_shape_elements(&shape);
    return set_constant(im, OCT_S64, &scalar, &elements);
}

/* start, start + delta, ... before limit. Integers are exact below 2^53, far more than a Range that fits the budget can count. */
static oct_status lower_range(oct_import *im)
{
    const oct_dtype dtype = oct_import_dtype(im, im->in[0]);
    double start, limit, delta;
    void *data;
    OCT_TRY(oct_import_scalar_in(im, 0, 0, &start));
    OCT_TRY(oct_import_scalar_in(im, 1, 0, &limit));
    OCT_TRY(oct_import_scalar_in(im, 2, 0, &delta));
    const double count = ceil((limit - start) / delta);
    if (!(count < 1e9) || fabs(start) > 9e15 || fabs(delta) > 9e15)
        return oct_fail(OCT_ERR_FORMAT, "a range from %g to %g in steps of %g", start, limit, delta);
    const oct_shape shape = {1, {count > 0 ? (int64_t)count : 0}};
    OCT_TRY(allocate(im, &shape, dtype, &data));
    for (int64_t i = 0; i < shape.dims[0]; i++) {
        if (dtype == OCT_F32)
            ((float *)data)[i] = (float)(start + (double)i * delta);
        else
            ((int64_t *)data)[i] = (int64_t)(start + (double)i * delta);
    }
    const oct_status status = set_constant(im, dtype, &shape, data);
    oct_free(data);
    return status;
}

/* -------------------------------------------------------------------------------------------------- Cast ---- */

/* One element as another type; bool is an integer that is 0 or 1. Floats that no 64-bit integer comes near are an error. */
static oct_status cast_element(const oct_value *x, int64_t i, int64_t to, void *data)
{
    const bool real = x->dtype == OCT_F32;
    const double number = real ? (double)((const float *)x->data)[i] : (double)((const int64_t *)x->data)[i];
    if (to == OCT_ONNX_FLOAT) {
        ((float *)data)[i] = (float)number;
        return OCT_OK;
    }
    if (real && !(fabs(number) < 9e18) && to != OCT_ONNX_BOOL)
        return oct_fail(OCT_ERR_FORMAT, "%g cannot become an integer", number);
    ((int64_t *)data)[i] = to == OCT_ONNX_BOOL ? number != 0 : real ? (int64_t)number : ((const int64_t *)x->data)[i];
    return OCT_OK;
}

/* int32 is not cut to 32 bits: shapes and indices are small, and a larger one would be an error elsewhere. */
static oct_status cast_constant(oct_import *im, const char *suffix, int input, int64_t to, int *out)
{
    const oct_shape shape = oct_import_shape(im, input);
    const oct_dtype dtype = to == OCT_ONNX_FLOAT ? OCT_F32 : OCT_S64;
    void *data;
    oct_status status = OCT_OK;
    OCT_TRY(allocate(im, &shape, dtype, &data));
    for (int64_t i = 0; i < oct_shape_elements(&shape) && status == OCT_OK; i++)
        status = cast_element(&im->graph->values[input], i, to, data);
    if (status == OCT_OK)
        status = oct_import_constant(im, suffix, dtype, &shape, data, out);
    oct_free(data);
    return status;
}

/* Zero points that an exporter has as int64. Those that no byte can hold are an error. */
static oct_status cast_to_bytes(oct_import *im, int input, int64_t to, int *out)
{
    const oct_value *x = &im->graph->values[input];
    const oct_shape shape = x->shape;
    const double lo = to == OCT_ONNX_INT8 ? -128 : 0;
    int8_t *data;
    oct_status status = OCT_OK;
    OCT_TRY(allocate(im, &shape, OCT_S8, &data));
    for (int64_t i = 0; i < oct_shape_elements(&shape) && status == OCT_OK; i++) {
        const double number =
            x->dtype == OCT_F32 ? trunc((double)((const float *)x->data)[i]) : (double)((const int64_t *)x->data)[i];
        if (!(number >= lo && number <= lo + 255))
            status = oct_fail(OCT_ERR_FORMAT, "%g cannot become %s", number, oct_onnx_type_name(to));
        else
            data[i] = (int8_t)(uint8_t)(int32_t)number;   /* the low byte */
    }
    if (status == OCT_OK)
        status = oct_import_constant(im, "", to == OCT_ONNX_INT8 ? OCT_S8 : OCT_U8, &shape, data, out);
    oct_free(data);
    return status;
}

/* For operators that may mix types (Pow). */
oct_status oct_import_to_float(oct_import *im, const char *suffix, int x, int *out)
{
    *out = x;
    return oct_import_dtype(im, x) == OCT_F32 ? OCT_OK : cast_constant(im, suffix, x, OCT_ONNX_FLOAT, out);
}

/* The bytes as the numbers they are: a picture that goes into the network as it came. */
static oct_status cast_bytes(oct_import *im, int64_t to)
{
    const oct_import_scale plain = {0};
    int y;
    const bool is_signed = oct_import_dtype(im, im->in[0]) == OCT_S8 || im->symbols[im->node->in[0]].is_signed;
    if (to == (is_signed ? OCT_ONNX_INT8 : OCT_ONNX_UINT8)) {   /* what it is already; some exporters write it */
        oct_import_set_output(im, 0, im->in[0]);
        return OCT_OK;
    }
    if (to != OCT_ONNX_FLOAT)
        return oct_fail(OCT_ERR_UNSUPPORTED, "a cast of 8-bit integers to %s; to float is supported", oct_onnx_type_name(to));
    OCT_TRY(oct_import_dequantize(im, "", 0, &plain, 0, &y));
    oct_import_set_output(im, 0, y);
    if (im->node->out[0] != OCT_NO_SYMBOL)
        im->symbols[im->node->out[0]].is_signed = false;
    return OCT_OK;
}

/* Of a computed value only the cast to the type it has, float, which is nothing. Of constants all that shape arithmetic needs. */
static oct_status lower_cast(oct_import *im)
{
    const int64_t to = oct_import_int(im, "to", 0);
    int y = im->in[0];
    const bool byte = to == OCT_ONNX_UINT8 || to == OCT_ONNX_INT8;
    const bool known = to == OCT_ONNX_FLOAT || to == OCT_ONNX_INT64 || to == OCT_ONNX_INT32 || to == OCT_ONNX_BOOL || byte;
    if (!known)
        return oct_fail(OCT_ERR_UNSUPPORTED,
                        "a cast to %s is not supported; to float, and of constants to int64, int32, int8, uint8 or bool, is",
                        oct_onnx_type_name(to));
    if (oct_import_dtype(im, y) == OCT_U8 || oct_import_dtype(im, y) == OCT_S8)
        return cast_bytes(im, to);
    if (im->node->in[0] != OCT_NO_SYMBOL && im->symbols[im->node->in[0]].is_dynamic)
        return oct_fail(OCT_ERR_UNSUPPORTED, "a cast of bytes whose scale is found at run time");
    if (!oct_import_is_constant(im, y) && to != OCT_ONNX_FLOAT)
        return oct_fail(OCT_ERR_UNSUPPORTED, "a cast of computed floats to %s; at run time octet computes floats only",
                        oct_onnx_type_name(to));
    if (oct_import_is_constant(im, y) && byte)
        OCT_TRY(cast_to_bytes(im, y, to, &y));
    else if (oct_import_is_constant(im, y) && !(to == OCT_ONNX_FLOAT && oct_import_dtype(im, y) == OCT_F32))
        OCT_TRY(cast_constant(im, "", y, to, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* Exporters that were told not to optimise write it between a constant and the float it meets. The second operand stands for its
 * type alone. Integers and booleans are one type here, so a cast to "like" them could mean two things. */
static oct_status lower_cast_like(oct_import *im)
{
    int y;
    if (oct_import_dtype(im, im->in[1]) != OCT_F32 || im->symbols[im->node->in[1]].is_double)
        return oct_fail(OCT_ERR_UNSUPPORTED, "a cast to the type of an operand that is not float is not supported");
    OCT_TRY(oct_import_to_float(im, "", im->in[0], &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* ---------------------------------------------------------------------------------------------- rounding ---- */

enum { ROUND_DOWN, ROUND_UP, ROUND_EVEN };

static float round_as(int how, float x) { return how == ROUND_DOWN ? floorf(x) : how == ROUND_UP ? ceilf(x) : nearbyintf(x); }

/* Floor, Ceil, Round exist for sizes worked out in float (height * scale); octet has no such function at run time. Round is to
 * even. */
static oct_status lower_rounding(oct_import *im)
{
    const oct_shape shape = oct_import_shape(im, im->in[0]);
    const float *x;
    float *data;
    OCT_TRY(oct_import_floats_in(im, 0, &x));
    OCT_TRY(allocate(im, &shape, OCT_F32, &data));
    for (int64_t i = 0; i < oct_shape_elements(&shape); i++)
        data[i] = round_as(im->row->variant, x[i]);
    const oct_status status = set_constant(im, OCT_F32, &shape, data);
    oct_free(data);
    return status;
}

/* --------------------------------------------------------------------------------------- Equal and Where ---- */

/* Exporters put them between a shape that may hold -1 and an Expand. */
static oct_status lower_equal(oct_import *im)
{
    int y;
    OCT_TRY(oct_import_fold_equal(im, "", im->in[0], im->in[1], &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

static oct_status lower_where(oct_import *im)
{
    int y;
    OCT_TRY(oct_import_fold_where(im, "", im->in[0], im->in[1], im->in[2], &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------------- table ---- */

static const oct_import_row rows[] = {
    /* operator, since; inputs min, max; outputs; constants, preferred (bits); attributes; handler, variant, flags */
    /* Opset 12 added the short forms, 1 to 11 have only the tensor. */
    {"Constant", 1, 0, 0, 1, 0, 0, "value:t", lower_constant, 0, 0},
    {"Constant", 12, 0, 0, 1, 0, 0, "value:t value_float:f value_floats:F value_int:i value_ints:I", lower_constant, 0, 0},
    {"ConstantOfShape", 9, 1, 1, 1, 1, 0, "value:t", lower_constant_of_shape, 0, 0},
    /* Opset 15 added start and end. */
    {"Shape", 1, 1, 1, 1, 0, 0, "", lower_shape, 0, OCT_ROW_SHAPE_ONLY},
    {"Shape", 15, 1, 1, 1, 0, 0, "start:i end:i", lower_shape, 0, OCT_ROW_SHAPE_ONLY},
    {"Size", 1, 1, 1, 1, 0, 0, "", lower_size, 0, OCT_ROW_SHAPE_ONLY},
    {"Range", 11, 3, 3, 1, 7, 0, "", lower_range, 0, 0},
    /* Opset 6 named the type by number; 19 added saturate, which concerns 8-bit floats only. */
    {"Cast", 6, 1, 1, 1, 0, 0, "to:i", lower_cast, 0, OCT_ROW_DOUBLE | OCT_ROW_BYTES},
    {"Cast", 19, 1, 1, 1, 0, 0, "to:i saturate:i", lower_cast, 0, OCT_ROW_DOUBLE | OCT_ROW_BYTES},
    {"CastLike", 15, 2, 2, 1, 0, 0, "", lower_cast_like, 0, OCT_ROW_DOUBLE},
    {"CastLike", 19, 2, 2, 1, 0, 0, "saturate:i", lower_cast_like, 0, OCT_ROW_DOUBLE},
    {"Equal", 7, 2, 2, 1, 3, 0, "", lower_equal, 0, 0},
    {"Where", 9, 3, 3, 1, 7, 0, "", lower_where, 0, 0},
    {"Floor", 6, 1, 1, 1, 1, 0, "", lower_rounding, ROUND_DOWN, 0},
    {"Ceil", 6, 1, 1, 1, 1, 0, "", lower_rounding, ROUND_UP, 0},
    {"Round", 11, 1, 1, 1, 1, 0, "", lower_rounding, ROUND_EVEN, 0},
};

const oct_import_table oct_import_constant_ops = {rows, (int)(sizeof rows / sizeof rows[0])};

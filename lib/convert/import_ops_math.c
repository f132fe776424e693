/* import_ops_math.c - element functions, arithmetic with broadcasting, reductions, softmax. */
#include <math.h>
#include <string.h>

#include "import_context.h"

/* ------------------------------------------------------------------------------------- functions of one ---- */

/* The constants a function has where its attributes are left out (ONNX operator reference). */
static void default_constants(oct_fn fn, float *alpha, float *beta)
{
    *alpha = *beta = 0;
    switch (fn) {
    case OCT_FN_CLAMP: *beta = INFINITY; break;   /* Relu */
    case OCT_FN_LEAKY_RELU: *alpha = 0.01f; break;
    case OCT_FN_ELU: *alpha = 1.0f; break;
    case OCT_FN_HARD_SIGMOID: *alpha = 0.2f; *beta = 0.5f; break;
    default: break;
    }
}

/* All functions whose parameters are called alpha and beta or that have none. */
static oct_status lower_unary(oct_import *im)
{
    const oct_fn fn = (oct_fn)im->row->variant;
    float alpha, beta;
    int y;
    default_constants(fn, &alpha, &beta);
    alpha = oct_import_float(im, "alpha", alpha);
    beta = oct_import_float(im, "beta", beta);
    OCT_TRY(oct_import_unary(im, "", fn, alpha, beta, im->in[0], &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* Opset 6 has the bounds as attributes, opset 11 as inputs. */
static oct_status lower_clip(oct_import *im)
{
    double low, high;
    int y;
    OCT_TRY(oct_import_scalar_in(im, 1, (double)oct_import_float(im, "min", -INFINITY), &low));
    OCT_TRY(oct_import_scalar_in(im, 2, (double)oct_import_float(im, "max", INFINITY), &high));
    OCT_TRY(oct_import_unary(im, "", OCT_FN_CLAMP, (float)low, (float)high, im->in[0], &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------- functions of two ---- */

static oct_status lower_binary(oct_import *im)
{
    int y;
    OCT_TRY(oct_import_binary(im, "", (oct_binary_fn)im->row->variant, im->in[0], im->in[1], &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* The exponent may be of another type than the base. */
static oct_status lower_pow(oct_import *im)
{
    int exponent = im->in[1], y;
    if (oct_import_dtype(im, im->in[0]) == OCT_F32)
        OCT_TRY(oct_import_to_float(im, ".exponent", exponent, &exponent));
    OCT_TRY(oct_import_binary(im, "", OCT_BINARY_POW, im->in[0], exponent, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* Sum, Min, Max of any number of inputs, one after the other. */
static oct_status chain(oct_import *im, int *y)
{
    *y = im->in[0];
    for (int i = 1; i < im->node->in_count; i++) {
        if (!oct_import_has(im, i))
            return oct_fail(OCT_ERR_FORMAT, "input %d is missing", i);
        OCT_TRY(
            oct_import_binary(im, i == im->node->in_count - 1 ? "" : ".part", (oct_binary_fn)im->row->variant, *y, im->in[i], y));
    }
    return OCT_OK;
}

/* The same broadcasting as Add's, from left to right. */
static oct_status lower_variadic(oct_import *im)
{
    int y;
    OCT_TRY(chain(im, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* A sum and one division at the end. */
static oct_status lower_mean(oct_import *im)
{
    int y, count;
    OCT_TRY(chain(im, &y));
    if (im->node->in_count > 1) {
        OCT_TRY(oct_import_number(im, ".count", (float)im->node->in_count, &count));
        OCT_TRY(oct_import_binary(im, ".mean", OCT_BINARY_DIV, y, count, &y));
    }
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* PRelu: max(x, 0) + slope * min(x, 0); the slope broadcasts to x. */
static oct_status lower_prelu(oct_import *im)
{
    const oct_shape shape = oct_import_shape(im, im->in[0]);
    int above, below, y;
    OCT_TRY(oct_import_unary(im, ".above", OCT_FN_CLAMP, 0, INFINITY, im->in[0], &above));
    OCT_TRY(oct_import_unary(im, ".below", OCT_FN_CLAMP, -INFINITY, 0, im->in[0], &below));
    OCT_TRY(oct_import_binary(im, ".slope", OCT_BINARY_MUL, below, im->in[1], &below));
    OCT_TRY(oct_import_binary(im, "", OCT_BINARY_ADD, above, below, &y));
    const oct_shape out = oct_import_shape(im, y);
    if (!oct_shape_equal(&shape, &out))
        return oct_fail(OCT_ERR_FORMAT, "the slope must broadcast to the input's shape");
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) = x * sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3)) */
static oct_status gelu_by_tanh(oct_import *im)
{
    int square, factor, one, y;
    OCT_TRY(oct_import_binary(im, ".square", OCT_BINARY_MUL, im->in[0], im->in[0], &square));
    OCT_TRY(oct_import_number(im, ".c3", 0.044715f, &factor));
    OCT_TRY(oct_import_binary(im, ".scaled", OCT_BINARY_MUL, square, factor, &y));
    OCT_TRY(oct_import_number(im, ".one", 1, &one));
    OCT_TRY(oct_import_binary(im, ".sum", OCT_BINARY_ADD, y, one, &y));
    OCT_TRY(oct_import_binary(im, ".cubic", OCT_BINARY_MUL, y, im->in[0], &y));
    OCT_TRY(oct_import_number(im, ".c1", 1.5957691216057308f, &factor));
    OCT_TRY(oct_import_binary(im, ".inner", OCT_BINARY_MUL, y, factor, &y));
    OCT_TRY(oct_import_unary(im, ".sigmoid", OCT_FN_SIGMOID, 0, 0, y, &y));
    OCT_TRY(oct_import_binary(im, "", OCT_BINARY_MUL, im->in[0], y, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* The tanh approximation is another function, off by up to 1e-3. */
static oct_status lower_gelu(oct_import *im)
{
    const char *mode = oct_import_string(im, "approximate", "none");
    if (!strcmp(mode, "tanh"))
        return gelu_by_tanh(im);
    if (strcmp(mode, "none") != 0)
        return oct_fail(OCT_ERR_UNSUPPORTED, "approximate \"%s\" is not supported; \"none\" and \"tanh\" are", mode);
    return lower_unary(im);
}

/* -------------------------------------------------------------------------------------------- reductions ---- */

/* The axes as a bit set; *given is false for none at all. */
static oct_status read_axes(const oct_import *im, int rank, uint32_t *axes, bool *given)
{
    oct_import_list list;
    OCT_TRY(oct_import_list_attr(im, "axes", &list));
    if (!list.given)
        OCT_TRY(oct_import_list_in(im, 1, &list));
    *axes = 0;
    *given = list.count > 0;
    for (int i = 0; i < list.count; i++) {
        const int axis = oct_axis(list.v[i], rank);
        if (axis < 0)
            return oct_fail(OCT_ERR_FORMAT, "axis %lld outside rank %d", (long long)list.v[i], rank);
        *axes |= 1u << axis;
    }
    return OCT_OK;
}

/* No axes means all, unless noop_with_empty_axes says none. An empty list is the same as no list. */
static oct_status lower_reduce(oct_import *im)
{
    const int rank = oct_import_shape(im, im->in[0]).rank;
    uint32_t axes;
    bool given, keep, noop;
    int y = im->in[0];
    OCT_TRY(read_axes(im, rank, &axes, &given));
    OCT_TRY(oct_import_flag(im, "keepdims", true, &keep));
    OCT_TRY(oct_import_flag(im, "noop_with_empty_axes", false, &noop));
    if (!given && !noop)
        axes = (1u << rank) - 1;
    if (axes != 0)
        OCT_TRY(oct_import_reduce(im, "", (oct_reduce_fn)im->row->variant, axes, keep, y, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

enum { OF_GREATEST, OF_LEAST };

static oct_status lower_argmax(oct_import *im)
{
    const oct_shape x = oct_import_shape(im, im->in[0]);
    const int axis = oct_axis(oct_import_int(im, "axis", 0), x.rank);
    bool keep, last;
    int y;
    if (axis < 0)
        return oct_fail(OCT_ERR_FORMAT, "axis %lld outside rank %d", (long long)oct_import_int(im, "axis", 0), x.rank);
    OCT_TRY(oct_import_flag(im, "keepdims", true, &keep));
    OCT_TRY(oct_import_flag(im, "select_last_index", false, &last));
    const oct_attrs attrs = {.argmax = {axis, keep, im->row->variant == OF_LEAST, last}};
    OCT_TRY(oct_import_emit(im, OCT_OP_ARGMAX, "", &attrs, im->in, 1, &y));
    oct_import_set_output(im, 0, y);
    if (im->node->out[0] != OCT_NO_SYMBOL)
        im->symbols[im->node->out[0]].is_place = true;
    return OCT_OK;
}

enum { SUM_OF_ABS, SUM_OF_SQUARES, ROOT_OF_SQUARES, LOG_OF_SUM };

/* Sums of a function, or functions of a sum. */
static oct_status lower_reduce_of(oct_import *im)
{
    const int rank = oct_import_shape(im, im->in[0]).rank, what = im->row->variant;
    uint32_t axes;
    bool given, keep, noop;
    int y = im->in[0];
    OCT_TRY(read_axes(im, rank, &axes, &given));
    OCT_TRY(oct_import_flag(im, "keepdims", true, &keep));
    OCT_TRY(oct_import_flag(im, "noop_with_empty_axes", false, &noop));
    if (!given && noop)
        return oct_fail(OCT_ERR_UNSUPPORTED, "noop_with_empty_axes 1 without axes is not supported");
    if (what == SUM_OF_ABS)
        OCT_TRY(oct_import_unary(im, ".abs", OCT_FN_ABS, 0, 0, y, &y));
    else if (what != LOG_OF_SUM)
        OCT_TRY(oct_import_binary(im, ".square", OCT_BINARY_MUL, y, y, &y));
    OCT_TRY(oct_import_reduce(im, "", OCT_REDUCE_SUM, given ? axes : (1u << rank) - 1, keep, y, &y));
    if (what == ROOT_OF_SQUARES || what == LOG_OF_SUM)
        OCT_TRY(oct_import_unary(im, ".function", what == LOG_OF_SUM ? OCT_FN_LOG : OCT_FN_SQRT, 0, 0, y, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* ----------------------------------------------------------------------------------------------- softmax ---- */

/* Since opset 13 along one axis, by default the last. */
static oct_status lower_softmax(oct_import *im)
{
    const int rank = oct_import_shape(im, im->in[0]).rank;
    const int64_t number = oct_import_int(im, "axis", -1);
    const int axis = oct_axis(number, rank);
    int y;
    if (axis < 0)
        return oct_fail(OCT_ERR_FORMAT, "axis %lld outside rank %d", (long long)number, rank);
    const oct_attrs attrs = {.softmax = {axis, im->row->variant}};
    OCT_TRY(oct_import_emit(im, OCT_OP_SOFTMAX, "", &attrs, im->in, 1, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* Before, over all axes from `axis` (by default 1) on, as if they were one. */
static oct_status lower_softmax_of_rest(oct_import *im)
{
    const oct_shape shape = oct_import_shape(im, im->in[0]);
    const int64_t number = oct_import_int(im, "axis", 1);
    const int axis = number == shape.rank ? shape.rank : oct_axis(number, shape.rank);
    if (axis < 0)
        return oct_fail(OCT_ERR_FORMAT, "axis %lld outside rank %d", (long long)number, shape.rank);
    const oct_shape matrix = {2, {oct_shape_product(&shape, 0, axis), oct_shape_product(&shape, axis, shape.rank)}};
    const bool last = axis == shape.rank - 1;
    const oct_attrs attrs = {.softmax = {last ? axis : 1, im->row->variant}};
    int y = im->in[0];
    if (!last)
        OCT_TRY(oct_import_reshape(im, ".matrix", &matrix, y, &y));
    OCT_TRY(oct_import_emit(im, OCT_OP_SOFTMAX, "", &attrs, &y, 1, &y));
    OCT_TRY(oct_import_reshape(im, ".shape", &shape, y, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------------- table ---- */

static const oct_import_row rows[] = {
    /* operator, since; inputs min, max; outputs; constants, preferred (bits); attributes; handler, variant, flags */
    /* Opset 6 took away what in-place execution had needed (consumed_inputs); nothing but types has changed since. */
    {"Relu", 6, 1, 1, 1, 0, 0, "", lower_unary, OCT_FN_CLAMP, 0},
    {"LeakyRelu", 6, 1, 1, 1, 0, 0, "alpha:f", lower_unary, OCT_FN_LEAKY_RELU, 0},
    {"Elu", 6, 1, 1, 1, 0, 0, "alpha:f", lower_unary, OCT_FN_ELU, 0},
    {"Sigmoid", 6, 1, 1, 1, 0, 0, "", lower_unary, OCT_FN_SIGMOID, 0},
    {"HardSigmoid", 6, 1, 1, 1, 0, 0, "alpha:f beta:f", lower_unary, OCT_FN_HARD_SIGMOID, 0},
    {"HardSwish", 14, 1, 1, 1, 0, 0, "", lower_unary, OCT_FN_HARD_SWISH, 0},
    {"Tanh", 6, 1, 1, 1, 0, 0, "", lower_unary, OCT_FN_TANH, 0},
    {"Erf", 9, 1, 1, 1, 0, 0, "", lower_unary, OCT_FN_ERF, 0},
    {"Exp", 6, 1, 1, 1, 0, 0, "", lower_unary, OCT_FN_EXP, 0},
    {"Log", 6, 1, 1, 1, 0, 0, "", lower_unary, OCT_FN_LOG, 0},
    {"Sqrt", 6, 1, 1, 1, 0, 0, "", lower_unary, OCT_FN_SQRT, 0},
    {"Reciprocal", 6, 1, 1, 1, 0, 0, "", lower_unary, OCT_FN_RECIPROCAL, 0},
    {"Abs", 6, 1, 1, 1, 0, 0, "", lower_unary, OCT_FN_ABS, 0},
    {"Neg", 6, 1, 1, 1, 0, 0, "", lower_unary, OCT_FN_NEG, 0},
    {"Gelu", 20, 1, 1, 1, 0, 0, "approximate:s", lower_gelu, OCT_FN_GELU, 0},
    /* Bounds: attributes, since opset 11 inputs. */
    {"Clip", 6, 1, 1, 1, 0, 0, "min:f max:f", lower_clip, 0, 0},
    {"Clip", 11, 1, 3, 1, 6, 0, "", lower_clip, 0, 0},
    /* Numpy broadcasting since opset 7; before, an attribute said along which axis. */
    {"Add", 7, 2, 2, 1, 0, 0, "", lower_binary, OCT_BINARY_ADD, 0},
    {"Sub", 7, 2, 2, 1, 0, 0, "", lower_binary, OCT_BINARY_SUB, 0},
    {"Mul", 7, 2, 2, 1, 0, 0, "", lower_binary, OCT_BINARY_MUL, 0},
    {"Div", 7, 2, 2, 1, 0, 0, "", lower_binary, OCT_BINARY_DIV, 0},
    {"Pow", 7, 2, 2, 1, 0, 0, "", lower_pow, 0, 0},
    {"PRelu", 7, 2, 2, 1, 0, 2, "", lower_prelu, 0, 0},
    {"Sum", 6, 1, -1, 1, 0, 0, "", lower_variadic, OCT_BINARY_ADD, 0},
    {"Min", 6, 1, -1, 1, 0, 0, "", lower_variadic, OCT_BINARY_MIN, 0},
    {"Max", 6, 1, -1, 1, 0, 0, "", lower_variadic, OCT_BINARY_MAX, 0},
    {"Mean", 6, 1, -1, 1, 0, 0, "", lower_mean, OCT_BINARY_ADD, 0},
    /* Axes: an attribute, then an input - for ReduceSum since opset 13, for the others since 18. */
    {"ReduceMean", 1, 1, 1, 1, 0, 0, "axes:I keepdims:i", lower_reduce, OCT_REDUCE_MEAN, 0},
    {"ReduceMean", 18, 1, 2, 1, 2, 0, "keepdims:i noop_with_empty_axes:i", lower_reduce, OCT_REDUCE_MEAN, 0},
    {"ReduceSum", 1, 1, 1, 1, 0, 0, "axes:I keepdims:i", lower_reduce, OCT_REDUCE_SUM, 0},
    {"ReduceSum", 13, 1, 2, 1, 2, 0, "keepdims:i noop_with_empty_axes:i", lower_reduce, OCT_REDUCE_SUM, 0},
    {"ReduceMax", 1, 1, 1, 1, 0, 0, "axes:I keepdims:i", lower_reduce, OCT_REDUCE_MAX, 0},
    {"ReduceMax", 18, 1, 2, 1, 2, 0, "keepdims:i noop_with_empty_axes:i", lower_reduce, OCT_REDUCE_MAX, 0},
    {"ReduceMin", 1, 1, 1, 1, 0, 0, "axes:I keepdims:i", lower_reduce, OCT_REDUCE_MIN, 0},
    {"ReduceMin", 18, 1, 2, 1, 2, 0, "keepdims:i noop_with_empty_axes:i", lower_reduce, OCT_REDUCE_MIN, 0},
    {"ReduceL1", 1, 1, 1, 1, 0, 0, "axes:I keepdims:i", lower_reduce_of, SUM_OF_ABS, 0},
    {"ReduceL1", 18, 1, 2, 1, 2, 0, "keepdims:i noop_with_empty_axes:i", lower_reduce_of, SUM_OF_ABS, 0},
    {"ReduceL2", 1, 1, 1, 1, 0, 0, "axes:I keepdims:i", lower_reduce_of, ROOT_OF_SQUARES, 0},
    {"ReduceL2", 18, 1, 2, 1, 2, 0, "keepdims:i noop_with_empty_axes:i", lower_reduce_of, ROOT_OF_SQUARES, 0},
    {"ReduceSumSquare", 1, 1, 1, 1, 0, 0, "axes:I keepdims:i", lower_reduce_of, SUM_OF_SQUARES, 0},
    {"ReduceSumSquare", 18, 1, 2, 1, 2, 0, "keepdims:i noop_with_empty_axes:i", lower_reduce_of, SUM_OF_SQUARES, 0},
    {"ReduceLogSum", 1, 1, 1, 1, 0, 0, "axes:I keepdims:i", lower_reduce_of, LOG_OF_SUM, 0},
    {"ReduceLogSum", 18, 1, 2, 1, 2, 0, "keepdims:i noop_with_empty_axes:i", lower_reduce_of, LOG_OF_SUM, 0},
    {"ArgMax", 1, 1, 1, 1, 0, 0, "axis:i keepdims:i", lower_argmax, OF_GREATEST, 0},
    {"ArgMax", 12, 1, 1, 1, 0, 0, "axis:i keepdims:i select_last_index:i", lower_argmax, OF_GREATEST, 0},
    {"ArgMin", 1, 1, 1, 1, 0, 0, "axis:i keepdims:i", lower_argmax, OF_LEAST, 0},
    {"ArgMin", 12, 1, 1, 1, 0, 0, "axis:i keepdims:i select_last_index:i", lower_argmax, OF_LEAST, 0},
    /* Opset 13 changed the meaning, not the form. */
    {"Softmax", 1, 1, 1, 1, 0, 0, "axis:i", lower_softmax_of_rest, 0, 0},
    {"Softmax", 13, 1, 1, 1, 0, 0, "axis:i", lower_softmax, 0, 0},
    {"LogSoftmax", 1, 1, 1, 1, 0, 0, "axis:i", lower_softmax_of_rest, 1, 0},
    {"LogSoftmax", 13, 1, 1, 1, 0, 0, "axis:i", lower_softmax, 1, 0},
};

const oct_import_table oct_import_math_ops = {rows, (int)(sizeof rows / sizeof rows[0])};

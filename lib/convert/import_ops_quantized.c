/* import_ops_quantized.c - QuantizeLinear and DequantizeLinear, the QLinear operators of ONNX and of ONNX Runtime, and those that
 * compute with integers and leave the scales to the nodes behind.
 *
 * A QLinear operator is its float operator between the two others, so that is how it is lowered:
 *
 *     QLinearConv(x, w, B) -> y   =   DequantizeLinear(x), DequantizeLinear(w), B * s_x * s_w -> Conv -> QuantizeLinear -> y
 *
 * ConvInteger and MatMulInteger multiply q - zero_point without a scale: a DequantizeLinear of scale 1. What comes out is held as
 * floats, which are exact up to 2^24; the Cast and the multiplication by the scales that always follow are folded into the layer.
 *
 * DynamicQuantizeLinear finds scale s and zero point while the network runs. Its bytes only ever meet integer products whose
 * results are multiplied by s. So it is lowered with s = 1: its output is its input. The weights are marked, and the optimiser
 * makes a layer with a scale found at run time of it again. */
#include <stdio.h>
#include <string.h>

#include "import_context.h"
#include "import_quantized.h"
#include "memory.h"

/* ------------------------------------------------------------------------- QuantizeLinear, DequantizeLinear ---- */

static oct_status check_blocks(const oct_import *im)
{
    const int64_t block = oct_import_int(im, "block_size", 0);
    return block == 0 ? OCT_OK
                      : oct_fail(OCT_ERR_UNSUPPORTED, "block_size %lld is not supported; 0, no blocks, is", (long long)block);
}

/* The type is the zero point's; without one it is output_dtype, or uint8. *is_signed: int8. */
static oct_status bytes_type(const oct_import *im, const oct_import_scale *s, bool *is_signed)
{
    const int64_t type = oct_import_int(im, "output_dtype", 0);
    *is_signed = s->zero ? s->zero_type == OCT_S8 : type == OCT_ONNX_INT8;
    if (type != 0 && type != OCT_ONNX_UINT8 && type != OCT_ONNX_INT8)
        return oct_fail(OCT_ERR_UNSUPPORTED, "output_dtype %s is not supported; uint8 and int8 are", oct_onnx_type_name(type));
    if (s->zero && s->zero_type != OCT_U8 && s->zero_type != OCT_S8)
        return oct_fail(OCT_ERR_UNSUPPORTED, "the zero point must be uint8 or int8");
    return OCT_OK;
}

static void set_bytes(oct_import *im, int y, bool is_signed)
{
    oct_import_set_output(im, 0, y);
    if (im->node->out[0] == OCT_NO_SYMBOL)
        return;
    im->symbols[im->node->out[0]].is_signed = is_signed;
    im->symbols[im->node->out[0]].is_dynamic = false;
}

static void set_floats(oct_import *im, int y) { set_bytes(im, y, false); }

static oct_status lower_quantize(oct_import *im)
{
    oct_import_scale s;
    bool is_signed;
    int y;
    OCT_TRY(check_blocks(im));
    OCT_TRY(oct_import_scale_in(im, 1, 2, &s));
    OCT_TRY(bytes_type(im, &s, &is_signed));
    OCT_TRY(oct_import_quantize(im, "", im->in[0], &s, oct_import_int(im, "axis", 1), is_signed, &y));
    set_bytes(im, y, is_signed);
    return OCT_OK;
}

static oct_status lower_dequantize(oct_import *im)
{
    oct_import_scale s;
    int y;
    OCT_TRY(check_blocks(im));
    OCT_TRY(oct_import_scale_in(im, 1, 2, &s));
    OCT_TRY(oct_import_dequantize(im, "", 0, &s, oct_import_int(im, "axis", 1), &y));
    set_floats(im, y);
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------- QLinear operators ---- */

/* Where the operands of a QLinear operator stand: for each operand of the float operator its tensor, scale and zero point follow
 * one another. */
typedef struct qlinear {
    const char *plain;      /* the float operator */
    int operands, first;    /* how many, and where the first stands; -1 operands: as many as there are */
    int bias;               /* s32, in units of the product of both scales; or -1 */
    int out;                /* scale of the output, then its zero point */
    bool may_float;         /* without a scale of the output it is float */
    int64_t axis[2];        /* of operands 0 and 1, for several scales */
} qlinear;

enum {
    Q_CONV,
    Q_MATMUL,
    Q_GEMM,
    Q_ADD,
    Q_MUL,
    Q_SIGMOID,
    Q_LEAKY_RELU,
    Q_GLOBAL_AVERAGE,
    Q_AVERAGE,
    Q_SOFTMAX,
    Q_REDUCE_MEAN,
    Q_CONCAT
};

static const qlinear qlinears[] = {
    [Q_CONV] = {"Conv", 2, 0, 8, 6, false, {1, 0}},
    [Q_MATMUL] = {"MatMul", 2, 0, -1, 6, false, {-2, -1}},
    [Q_GEMM] = {"Gemm", 2, 0, 6, 7, true, {-2, -1}},
    [Q_ADD] = {"Add", 2, 0, -1, 6, false, {0, 0}},
    [Q_MUL] = {"Mul", 2, 0, -1, 6, false, {0, 0}},
    [Q_SIGMOID] = {"Sigmoid", 1, 0, -1, 3, false, {0, 0}},
    [Q_LEAKY_RELU] = {"LeakyRelu", 1, 0, -1, 3, false, {0, 0}},
    [Q_GLOBAL_AVERAGE] = {"GlobalAveragePool", 1, 0, -1, 3, false, {0, 0}},
    [Q_AVERAGE] = {"AveragePool", 1, 0, -1, 3, false, {0, 0}},
    [Q_SOFTMAX] = {"Softmax", 1, 0, -1, 3, false, {0, 0}},
    [Q_REDUCE_MEAN] = {"ReduceMean", 1, 0, -1, 3, false, {0, 0}},
    [Q_CONCAT] = {"Concat", -1, 2, -1, 0, false, {0, 0}},
};

#define MAX_OPERANDS 512

/* The bias in real numbers: s32 times the product of the two scales, in double, rounded once. */
static oct_status real_bias(oct_import *im, int i, const oct_import_scale *x, const oct_import_scale *w, int *out)
{
    const oct_value *value = &im->graph->values[im->in[i]];
    const oct_shape shape = value->shape;
    const int64_t count = oct_shape_elements(&shape), *q = value->data;
    if (value->dtype != OCT_S64 || !q || x->count != 1 || (w->count != 1 && w->count != count))
        return oct_fail(OCT_ERR_FORMAT, "the bias \"%s\" must be constant integers, one for each scale of the weights",
                        value->name);
    float *real = oct_alloc((size_t)count, sizeof *real);
    if (!real)
        return oct_fail_memory((size_t)count * sizeof *real);
    for (int64_t c = 0; c < count; c++)
        real[c] = (float)((double)q[c] * ((double)x->scale[0] * (double)w->scale[w->count == 1 ? 0 : c]));
    const oct_status status = oct_import_constant(im, ".bias", OCT_F32, &shape, real, out);
    oct_free(real);
    return status;
}

/* The float operator's row on operands of its own. The node is copied because handlers count its inputs. */
static oct_status lower_plain(oct_import *im, const char *op, const int *in, int in_count)
{
    const oct_onnx_node *node = im->node;
    const oct_import_row *row = im->row;
    int since;
    oct_onnx_node plain = *node;
    plain.in_count = in_count;
    for (int i = 0; i < in_count; i++)
        im->in[i] = in[i];
    im->node = &plain;
    im->row = oct_import_find_row(im, op, false, &since);
    const oct_status status = im->row ? im->row->lower(im) : oct_fail(OCT_ERR_UNSUPPORTED, "%s is not supported in this opset", op);
    im->node = node;
    im->row = row;
    return status;
}

/* QGemm's columns of weights are rows where B is transposed. What else the attributes could say and the float operator does not
 * know: channels_last is another layout of the same pools, opset the one whose Softmax is meant. */
static oct_status weight_axis(const oct_import *im, const qlinear *q, int64_t *axis)
{
    *axis = q->axis[1];
    if (oct_import_int(im, "transB", 0) == 1)
        *axis = 0;
    if ((oct_import_int(im, "opset", im->model.opset) < 13) != (im->model.opset < 13))
        return oct_fail(OCT_ERR_UNSUPPORTED, "opset %lld in a model of opset %lld", (long long)oct_import_int(im, "opset", 0),
                        (long long)im->model.opset);
    return oct_import_int(im, "channels_last", 0) == 0 ? OCT_OK
                                                       : oct_fail(OCT_ERR_UNSUPPORTED, "channels_last 1 is not supported; 0 is");
}

/* All operands as floats. scales: of the first two. */
static oct_status dequantize_operands(oct_import *im, const qlinear *q, int count, int *in, oct_import_scale *scales)
{
    int64_t axis;
    OCT_TRY(weight_axis(im, q, &axis));
    for (int i = 0; i < count; i++) {
        const int at = q->first + 3 * i;
        char suffix[32];
        oct_import_scale s;
        snprintf(suffix, sizeof suffix, ".in%d", i);
        OCT_TRY(oct_import_scale_in(im, at + 1, at + 2, &s));
        OCT_TRY(oct_import_dequantize(im, suffix, at, &s, i == 1 ? axis : q->axis[0], &in[i]));
        if (i < 2)
            scales[i] = s;
    }
    return OCT_OK;
}

/* What the float operator has set becomes bytes. */
static oct_status quantize_output(oct_import *im, const qlinear *q)
{
    const int y = im->symbols[im->node->out[0]].value;
    oct_import_scale s;
    bool is_signed;
    int out;
    im->symbols[im->node->out[0]].is_signed = false;
    if (q->may_float && !oct_import_has(im, q->out))
        return OCT_OK;
    OCT_TRY(oct_import_scale_in(im, q->out, q->out + 1, &s));
    if (s.count != 1)
        return oct_fail(OCT_ERR_UNSUPPORTED, "the output has %lld scales; one is supported", (long long)s.count);
    OCT_TRY(bytes_type(im, &s, &is_signed));
    OCT_TRY(oct_import_quantize(im, ".u8", y, &s, 0, is_signed, &out));
    set_bytes(im, out, is_signed);
    return OCT_OK;
}

/* The inputs are put back before the output is looked at, whose scale is one of them. */
static oct_status lower_qlinear(oct_import *im)
{
    const qlinear *q = &qlinears[im->row->variant];
    const int all = im->node->in_count, operands = q->operands >= 0 ? q->operands : (all - q->first) / 3;
    int in[MAX_OPERANDS], count = operands;
    oct_import_scale scales[2] = {{0}, {0}};
    if (operands < 1 || operands > MAX_OPERANDS - 1)
        return oct_fail(OCT_ERR_UNSUPPORTED, "%d operands; supported are 1 to %d", operands, MAX_OPERANDS - 1);
    if (im->node->out[0] == OCT_NO_SYMBOL)
        return oct_fail(OCT_ERR_FORMAT, "its output has no name");
    OCT_TRY(dequantize_operands(im, q, operands, in, scales));
    if (q->bias >= 0 && oct_import_has(im, q->bias))
        OCT_TRY(real_bias(im, q->bias, &scales[0], &scales[1], &in[count++]));
    int *kept = oct_memdup(im->in, (size_t)all * sizeof *kept);
    if (!kept)
        return oct_fail_memory((size_t)all * sizeof *kept);
    oct_status status = lower_plain(im, q->plain, in, count);
    memcpy(im->in, kept, (size_t)all * sizeof *kept);
    oct_free(kept);
    return status == OCT_OK ? quantize_output(im, q) : status;
}

/* ----------------------------------------------------------------------------------------- integer products ---- */

/* x, w, and their zero points, which may be left out. The zero points of weights may be one for each output channel. */
static oct_status lower_integer_product(oct_import *im)
{
    const bool is_conv = !strcmp(im->node->op, "ConvInteger");
    int in[2];
    for (int i = 0; i < 2; i++) {
        oct_import_scale s = {.count = 1};
        if (oct_import_has(im, 2 + i)) {
            const oct_value *zero = &im->graph->values[im->in[2 + i]];
            s.zero = zero->data;
            s.zero_type = zero->dtype;
            s.zero_count = oct_shape_elements(&zero->shape);
            if (!zero->data || zero->dtype == OCT_F32 || s.zero_count < 1)
                return oct_fail(OCT_ERR_UNSUPPORTED, "the zero point \"%s\" must hold constant integers", zero->name);
        }
        OCT_TRY(oct_import_dequantize(im, i == 0 ? ".x" : ".w", i, &s, i == 0 || !is_conv ? i - 2 : 0, &in[i]));
    }
    if (im->node->out[0] == OCT_NO_SYMBOL)
        return oct_fail(OCT_ERR_FORMAT, "its output has no name");
    if (im->symbols[im->node->in[0]].is_dynamic)
        oct_import_mark_dynamic(im, in[1]);
    OCT_TRY(lower_plain(im, is_conv ? "Conv" : "MatMul", in, 2));
    set_floats(im, im->symbols[im->node->out[0]].value);
    return OCT_OK;
}

/* Scale 1 and zero point 0 in place of what is found at run time; nobody outside may see them. */
static oct_status lower_dynamic(oct_import *im)
{
    const oct_shape scalar = {0};
    const uint8_t zero = 0;
    int scale, point;
    for (int i = 0; i < im->node->out_count; i++)
        for (int o = 0; o < im->model.output_count; o++)
            if (im->node->out[i] != OCT_NO_SYMBOL && im->model.outputs[o].symbol == im->node->out[i])
                return oct_fail(OCT_ERR_UNSUPPORTED,
                                "what it finds at run time cannot be an output (\"%s\"); it is supported before integer products",
                                im->model.symbols[im->node->out[i]]);
    OCT_TRY(oct_import_number(im, ".scale", 1, &scale));
    OCT_TRY(oct_import_constant(im, ".zero", OCT_U8, &scalar, &zero, &point));
    oct_import_set_output(im, 0, im->in[0]);
    oct_import_set_output(im, 1, scale);
    oct_import_set_output(im, 2, point);
    if (im->node->out[0] != OCT_NO_SYMBOL)
        im->symbols[im->node->out[0]].is_dynamic = true;
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------------- table ---- */

#define WINDOW "kernel_shape:I strides:I pads:I auto_pad:s"
#define MS (OCT_ROW_BYTES | OCT_ROW_MICROSOFT)
/* Bits of operands: a tensor that may be variable leaves a hole in 0b...110110110. */
#define ONE_OPERAND 0x1e
#define TWO_OPERANDS 0xf6

static const oct_import_row rows[] = {
    /* operator, since; inputs min, max; outputs; constants, preferred (bits); attributes; handler, variant, flags */
    /* Opset 13 added scales per axis, 19 eight-bit floats, 21 blocks and narrower integers. */
    {"QuantizeLinear", 10, 2, 3, 1, 6, 0, "", lower_quantize, 0, OCT_ROW_BYTES},
    {"QuantizeLinear", 13, 2, 3, 1, 6, 0, "axis:i", lower_quantize, 0, OCT_ROW_BYTES},
    {"QuantizeLinear", 19, 2, 3, 1, 6, 0, "axis:i saturate:i", lower_quantize, 0, OCT_ROW_BYTES},
    {"QuantizeLinear", 21, 2, 3, 1, 6, 0, "axis:i saturate:i block_size:i output_dtype:i", lower_quantize, 0, OCT_ROW_BYTES},
    {"DequantizeLinear", 10, 2, 3, 1, 6, 0, "", lower_dequantize, 0, OCT_ROW_BYTES},
    {"DequantizeLinear", 13, 2, 3, 1, 6, 0, "axis:i", lower_dequantize, 0, OCT_ROW_BYTES},
    {"DequantizeLinear", 21, 2, 3, 1, 6, 0, "axis:i block_size:i", lower_dequantize, 0, OCT_ROW_BYTES},
    {"DynamicQuantizeLinear", 11, 1, 1, 3, 0, 0, "", lower_dynamic, 0, 0},
    {"QLinearConv", 10, 8, 9, 1, 0x1fe, 0, WINDOW " dilations:I group:i", lower_qlinear, Q_CONV, OCT_ROW_BYTES},
    {"QLinearMatMul", 10, 8, 8, 1, TWO_OPERANDS, 8, "", lower_qlinear, Q_MATMUL, OCT_ROW_BYTES},
    {"ConvInteger", 10, 2, 4, 1, 14, 0, WINDOW " dilations:I group:i", lower_integer_product, 0, OCT_ROW_BYTES},
    {"MatMulInteger", 10, 2, 4, 1, 12, 2, "", lower_integer_product, 0, OCT_ROW_BYTES},
    /* ONNX Runtime's own. */
    {"QuantizeLinear", 1, 2, 3, 1, 6, 0, "axis:i", lower_quantize, 0, MS},
    {"DequantizeLinear", 1, 2, 3, 1, 6, 0, "axis:i", lower_dequantize, 0, MS},
    {"QGemm", 1, 6, 9, 1, 0x1fe, 0, "alpha:f transA:i transB:i", lower_qlinear, Q_GEMM, MS},
    {"QLinearAdd", 1, 7, 8, 1, TWO_OPERANDS, 8, "", lower_qlinear, Q_ADD, MS},
    {"QLinearMul", 1, 7, 8, 1, TWO_OPERANDS, 8, "", lower_qlinear, Q_MUL, MS},
    {"QLinearSigmoid", 1, 4, 5, 1, ONE_OPERAND, 0, "", lower_qlinear, Q_SIGMOID, MS},
    {"QLinearLeakyRelu", 1, 4, 5, 1, ONE_OPERAND, 0, "alpha:f", lower_qlinear, Q_LEAKY_RELU, MS},
    {"QLinearGlobalAveragePool", 1, 5, 5, 1, ONE_OPERAND, 0, "channels_last:i", lower_qlinear, Q_GLOBAL_AVERAGE, MS},
    {"QLinearAveragePool", 1, 4, 5, 1, ONE_OPERAND, 0, WINDOW " count_include_pad:i ceil_mode:i channels_last:i", lower_qlinear,
     Q_AVERAGE, MS},
    {"QLinearSoftmax", 1, 5, 5, 1, ONE_OPERAND, 0, "axis:i opset:i", lower_qlinear, Q_SOFTMAX, MS},
    {"QLinearReduceMean", 1, 4, 5, 1, ONE_OPERAND, 0, "axes:I keepdims:i", lower_qlinear, Q_REDUCE_MEAN, MS},
    {"QLinearConcat", 1, 5, -1, 1, 3, 0, "axis:i", lower_qlinear, Q_CONCAT, MS},
};

const oct_import_table oct_import_quantized_ops = {rows, (int)(sizeof rows / sizeof rows[0])};

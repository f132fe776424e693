/* import_quantized.c - numbers of files that have been quantized elsewhere. */
#include "import_quantized.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "memory.h"
#include "operators.h"

/* ------------------------------------------------------------------------------------------------ scales ---- */

static float scale_at(const oct_import_scale *s, int64_t c) { return s->scale ? s->scale[s->count == 1 ? 0 : c] : 1.0f; }

static int32_t number_at(const void *data, oct_dtype dtype, int64_t i)
{
    switch (dtype) {
    case OCT_U8: return ((const uint8_t *)data)[i];
    case OCT_S8: return ((const int8_t *)data)[i];
    default: return (int32_t)((const int64_t *)data)[i];
    }
}

static int32_t zero_at(const oct_import_scale *s, int64_t c)
{
    return s->zero ? number_at(s->zero, s->zero_type, s->zero_count == 1 ? 0 : c) : 0;
}

static bool is_per_axis(const oct_import_scale *s) { return s->count > 1 || s->zero_count > 1; }

/* Rank 0 or 1: files write a single number either way. What a kernel divides by must be a normal number. */
oct_status oct_import_scale_in(const oct_import *im, int scale, int zero, oct_import_scale *s)
{
    *s = (oct_import_scale){0};
    const oct_value *value = &im->graph->values[im->in[scale]];
    OCT_TRY(oct_import_floats_in(im, scale, &s->scale));
    s->count = oct_shape_elements(&value->shape);
    if (value->shape.rank > 1 && s->count != 1)
        return oct_fail(OCT_ERR_UNSUPPORTED,
                        "\"%s\" has scales for blocks; supported are one scale, or one for each index of an axis", value->name);
    for (int64_t c = 0; c < s->count; c++)
        if (!(s->scale[c] >= FLT_MIN && s->scale[c] <= FLT_MAX / 256))
            return oct_fail(OCT_ERR_UNSUPPORTED, "the scale \"%s\" has the element %g; supported are positive, normal numbers",
                            value->name, (double)s->scale[c]);
    if (zero < 0 || !oct_import_has(im, zero))
        return s->count > 0 ? OCT_OK : oct_fail(OCT_ERR_FORMAT, "the scale \"%s\" is empty", value->name);
    const oct_value *z = &im->graph->values[im->in[zero]];
    s->zero = z->data;
    s->zero_type = z->dtype;
    s->zero_count = oct_shape_elements(&z->shape);
    if (!z->data || z->dtype == OCT_F32 || s->zero_count < 1 || s->count < 1 || (s->zero_count != s->count && s->zero_count != 1))
        return oct_fail(OCT_ERR_FORMAT, "the zero point \"%s\" must hold integers, one for each scale", z->name);
    return OCT_OK;
}

/* The axis that several scales belong to, with its length checked; 0 where there is one scale. */
static oct_status check_axis(const oct_import_scale *s, const oct_shape *x, int64_t number, int *axis)
{
    const int64_t count = s->count > s->zero_count ? s->count : s->zero_count;
    *axis = 0;
    if (!is_per_axis(s))
        return OCT_OK;
    *axis = oct_axis(number, x->rank);
    if (*axis < 0)
        return oct_fail(OCT_ERR_FORMAT, "axis %lld outside rank %d", (long long)number, x->rank);
    if (x->dims[*axis] != count)
        return oct_fail(OCT_ERR_FORMAT, "%lld scales for the %lld indices of axis %d", (long long)count, (long long)x->dims[*axis],
                        *axis);
    return OCT_OK;
}

/* Element e of a tensor belongs to index (e / inner) % dims[axis]. */
static int64_t index_of(const oct_shape *x, int axis, int64_t e)
{
    return x->rank == 0 ? 0 : e / oct_shape_product(x, axis + 1, x->rank) % x->dims[axis];
}

/* ------------------------------------------------------------------------------------------------- grids ---- */

static oct_status add_grid(oct_import *im, const oct_import_grid *grid)
{
    oct_import_grid *grown = oct_grow(im->grids, (size_t)im->grid_count, (size_t)im->grid_count + 1, sizeof *grown);
    if (!grown)
        return oct_fail_memory(sizeof *grown);
    im->grids = grown;
    im->grids[im->grid_count++] = *grid;
    return OCT_OK;
}

static const oct_import_grid *find_grid(const oct_import *im, int value)
{
    for (int i = im->grid_count - 1; i >= 0; i--)
        if (im->grids[i].value == value)
            return &im->grids[i];
    return NULL;
}

void oct_import_mark_dynamic(oct_import *im, int value)
{
    for (int i = 0; i < im->grid_count; i++)
        if (im->grids[i].value == value)
            im->grids[i].for_dynamic = true;
}

/* Where axis `axis` of one shape stands in the other, if the reshape has left it whole; -1 if not. */
static int same_axis(const oct_shape *from, const oct_shape *to, int axis)
{
    for (int i = 0; i < to->rank; i++)
        if (to->dims[i] == from->dims[axis] && oct_shape_product(to, 0, i) == oct_shape_product(from, 0, axis))
            return i;
    return -1;
}

/* Weights are transposed and reshaped on their way into a node; what is computed from them otherwise is on no grid that we know. */
oct_status oct_import_follow_grid(oct_import *im, oct_op op, const oct_attrs *attrs, int from, int to)
{
    const oct_import_grid *known = find_grid(im, from);
    if (!known || (op != OCT_OP_TRANSPOSE && op != OCT_OP_RESHAPE))
        return OCT_OK;
    oct_import_grid grid = *known;
    const oct_shape before = oct_import_shape(im, from), after = oct_import_shape(im, to);
    grid.value = to;
    if (grid.count > 1 && op == OCT_OP_TRANSPOSE) {
        for (int i = 0; i < after.rank; i++)
            if (attrs->transpose.perm[i] == known->axis)
                grid.axis = i;
    } else if (grid.count > 1) {
        grid.axis = same_axis(&before, &after, known->axis);
    }
    return grid.axis < 0 ? OCT_OK : add_grid(im, &grid);
}

/* One scale for each output channel. Several nodes may share the weights. */
static oct_status settle_weights(oct_import *im, const oct_import_grid *grid)
{
    oct_value *value = &im->graph->values[grid->value];
    if (value->channel_scale || value->shape.rank < 1 || (grid->count > 1 && grid->axis != 0))
        return OCT_OK;
    const size_t channels = (size_t)value->shape.dims[0];
    value->channel_scale = oct_alloc(channels, sizeof *value->channel_scale);
    value->for_dynamic = grid->for_dynamic;
    if (!value->channel_scale)
        return oct_fail_memory(channels * sizeof *value->channel_scale);
    for (size_t c = 0; c < channels; c++)
        value->channel_scale[c] = grid->scale ? grid->scale[grid->count == 1 ? 0 : c] : 1.0f;
    return OCT_OK;
}

/* A constant that is added to bytes, or joined to them, becomes bytes again: q = w / scale + z with the least z that makes all q >=
 * 0. The file's own bytes were such numbers, so all fit. */
static oct_status add_bytes(oct_import *im, const oct_import_grid *grid, int *out)
{
    const oct_value *value = &im->graph->values[grid->value];
    const oct_shape shape = value->shape;
    const int64_t count = oct_shape_elements(&shape);
    const float *w = value->data, scale = grid->scale ? *grid->scale : 1.0f;
    double least = 0;
    int bytes;
    for (int64_t i = 0; i < count; i++)
        least = fmin(least, nearbyint((double)w[i] / (double)scale));
    uint8_t *q = oct_alloc((size_t)count, 1);
    if (!q)
        return oct_fail_memory((size_t)count);
    for (int64_t i = 0; i < count; i++)
        q[i] = (uint8_t)fmin(255, nearbyint((double)w[i] / (double)scale) - least);
    OCT_TRY(oct_graph_add_value(im->graph, value->name, OCT_U8, &shape, q, &bytes));
    im->graph->values[bytes].scale = scale;
    im->graph->values[bytes].zero_point = (int32_t)-least;
    return oct_graph_add_node(im->graph, OCT_OP_DEQUANTIZE, im->graph->values[bytes].name, NULL, &bytes, 1, out);
}

/* Whether a value is dequantized bytes, moved about or not. */
static bool comes_from_bytes(const oct_graph *graph, int value)
{
    for (int n = graph->values[value].producer; n >= 0; n = graph->values[graph->nodes[n].in[0]].producer) {
        if (graph->nodes[n].op == OCT_OP_DEQUANTIZE)
            return true;
        if (oct_operator_of(graph->nodes[n].op)->quant != OCT_QUANT_SAME)
            return false;
    }
    return false;
}

/* An operand of one scale in an addition, a multiplication or a concat in which bytes take part. */
static oct_status settle_operand(oct_import *im, int n, int i, const oct_import_grid *grid)
{
    const oct_node *node = &im->graph->nodes[n];
    bool bytes = false;
    int id;
    for (int other = 0; other < node->in_count; other++)
        bytes |= comes_from_bytes(im->graph, node->in[other]);
    if (!bytes || grid->count != 1 || (node->op != OCT_OP_BINARY && node->op != OCT_OP_CONCAT))
        return OCT_OK;
    OCT_TRY(add_bytes(im, grid, &id));
    im->graph->nodes[n].in[i] = id;
    return OCT_OK;
}

oct_status oct_import_settle_grids(oct_import *im)
{
    oct_graph *graph = im->graph;
    const int nodes = graph->node_count;
    for (int n = 0; n < nodes; n++)
        for (int i = 0; im->grid_count > 0 && i < graph->nodes[n].in_count; i++) {
            const bool weighted = graph->nodes[n].op == OCT_OP_CONV || graph->nodes[n].op == OCT_OP_DENSE;
            const oct_import_grid *grid = find_grid(im, graph->nodes[n].in[i]);
            if (grid && weighted && i == OCT_IN_W)
                OCT_TRY(settle_weights(im, grid));
            else if (grid && !weighted)
                OCT_TRY(settle_operand(im, n, i, grid));
        }
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------ free inputs ---- */

oct_status oct_import_free_input(oct_import *im, int value)
{
    int *grown = oct_grow(im->free_inputs, (size_t)im->free_count, (size_t)im->free_count + 1, sizeof *grown);
    if (!grown)
        return oct_fail_memory(sizeof *grown);
    im->free_inputs = grown;
    im->free_inputs[im->free_count++] = value;
    im->graph->values[value].scale = 1;
    return OCT_OK;
}

/* The value whose bytes these are, before they were moved about. */
static int source_of(const oct_graph *graph, int value)
{
    while (graph->values[value].producer >= 0) {
        const oct_node *node = &graph->nodes[graph->values[value].producer];
        if (oct_operator_of(node->op)->quant != OCT_QUANT_SAME)
            break;
        value = node->in[0];
    }
    return value;
}

/* If `value` is (moved out of) an input without a scale, it and everything moved out of it gets this one. */
static void settle_input(oct_import *im, int value, float scale, int32_t zero)
{
    oct_graph *graph = im->graph;
    const int source = source_of(graph, value);
    for (int i = 0; i < im->free_count; i++) {
        if (im->free_inputs[i] != source)
            continue;
        im->free_inputs[i] = im->free_inputs[--im->free_count];
        for (int v = 0; v < graph->value_count; v++)
            if (graph->values[v].dtype == OCT_U8 && source_of(graph, v) == source) {
                graph->values[v].scale = scale;
                graph->values[v].zero_point = zero;
            }
        return;
    }
}

/* -------------------------------------------------------------------------------------------- dequantize ---- */

/* A constant: all is known. (q - z) is exact in float, the product is rounded once. */
static oct_status constant_to_real(oct_import *im, const char *suffix, int x, const oct_import_scale *s, int axis, int *out)
{
    const oct_shape shape = oct_import_shape(im, x);
    const oct_dtype dtype = oct_import_dtype(im, x);
    const void *q = im->graph->values[x].data;
    const int64_t count = oct_shape_elements(&shape);
    OCT_TRY(oct_import_spend(im, (size_t)count * sizeof(float)));
    float *real = oct_alloc((size_t)count, sizeof *real);
    if (!real)
        return oct_fail_memory((size_t)count * sizeof *real);
    for (int64_t e = 0; e < count; e++) {
        const int64_t c = is_per_axis(s) ? index_of(&shape, axis, e) : 0;
        real[e] = (float)((int64_t)number_at(q, dtype, e) - zero_at(s, c)) * scale_at(s, c);
    }
    const oct_status status = oct_import_constant(im, suffix, OCT_F32, &shape, real, out);
    oct_free(real);
    OCT_TRY(status);
    const oct_import_grid grid = {*out, s->count > 1 ? axis : 0, s->scale, s->scale ? s->count : 1, false};
    return dtype == OCT_S64 ? OCT_OK : add_grid(im, &grid);
}

/* y = x * factor + offset for each index of the axis; nothing where all factors are 1 or all offsets 0. */
static oct_status apply_affine(oct_import *im, const char *suffix, const oct_shape *vector, const float *factor,
                               const float *offset, int *y)
{
    const int64_t count = oct_shape_elements(vector);
    bool scales = false, shifts = false;
    int constant;
    for (int64_t c = 0; c < count; c++) {
        scales |= factor[c] != 1;
        shifts |= offset[c] != 0;
    }
    if (scales) {
        OCT_TRY(oct_import_constant(im, ".factor", OCT_F32, vector, factor, &constant));
        OCT_TRY(oct_import_binary(im, suffix, OCT_BINARY_MUL, *y, constant, y));
    }
    if (shifts) {
        OCT_TRY(oct_import_constant(im, ".offset", OCT_F32, vector, offset, &constant));
        OCT_TRY(oct_import_binary(im, suffix, OCT_BINARY_ADD, *y, constant, y));
    }
    return OCT_OK;
}

/* The axis' vector in a shape that broadcasts: [C, 1, 1] for axis 1 of rank 4. */
static oct_shape vector_shape(const oct_shape *x, int axis, const oct_import_scale *s)
{
    oct_shape shape = {.rank = is_per_axis(s) ? x->rank - axis : 0};
    for (int i = 0; i < shape.rank; i++)
        shape.dims[i] = i == 0 ? x->dims[axis] : 1;
    return shape;
}

/* The bytes are known to stand for v = a * (q - b), and somebody takes them for s * (q - z), which is v * s / a + s * (b - z).
 * Files do so where a scale is per axis, and where they compute with the bytes themselves. */
static oct_status take_for(oct_import *im, const char *suffix, int bytes, const oct_import_scale *s, int axis, int32_t shift,
                           int *y)
{
    const oct_shape shape = oct_import_shape(im, bytes), vector = vector_shape(&shape, axis, s);
    const size_t count = (size_t)oct_shape_elements(&vector);
    const double a = (double)im->graph->values[bytes].scale;
    const int32_t b = im->graph->values[bytes].zero_point;
    float *factor = oct_alloc(count, sizeof *factor), *offset = oct_alloc(count, sizeof *offset);
    oct_status status = factor && offset ? OCT_OK : oct_fail_memory(count * sizeof *factor);
    for (size_t c = 0; status == OCT_OK && c < count; c++) {
        factor[c] = (float)((double)scale_at(s, (int64_t)c) / a);
        offset[c] = (float)((double)scale_at(s, (int64_t)c) * (b - zero_at(s, (int64_t)c) - shift));
    }
    if (status == OCT_OK)
        status = apply_affine(im, suffix, &vector, factor, offset, y);
    oct_free(factor);
    oct_free(offset);
    return status;
}

oct_status oct_import_dequantize(oct_import *im, const char *suffix, int i, const oct_import_scale *s, int64_t axis, int *out)
{
    const int x = im->in[i];
    const oct_shape shape = oct_import_shape(im, x);
    const oct_dtype dtype = oct_import_dtype(im, x);
    const bool is_signed = im->symbols[im->node->in[i]].is_signed;
    int at;
    OCT_TRY(check_axis(s, &shape, axis, &at));
    if (im->graph->values[x].data && dtype != OCT_F32)
        return constant_to_real(im, suffix, x, s, at, out);
    *out = x;
    if (im->symbols[im->node->in[i]].is_dynamic)   /* held as the float it came from, its scale as 1 */
        return OCT_OK;
    if (dtype != OCT_U8)
        return oct_fail(OCT_ERR_FORMAT, "\"%s\" is no tensor of 8-bit integers", im->graph->values[x].name);
    if (s->zero && (s->zero_type == OCT_S8) != is_signed)
        return oct_fail(OCT_ERR_FORMAT, "the zero point of \"%s\" is of another type", im->graph->values[x].name);
    if (!is_per_axis(s))
        settle_input(im, x, scale_at(s, 0), zero_at(s, 0));
    OCT_TRY(oct_import_emit(im, OCT_OP_DEQUANTIZE, suffix, NULL, &x, 1, out));
    return take_for(im, suffix, x, s, at, is_signed ? 128 : 0, out);
}

/* ---------------------------------------------------------------------------------------------- quantize ---- */

/* A constant: saturate(rne(x / s) + z), as ONNX has it. */
static oct_status constant_to_bytes(oct_import *im, const char *suffix, int x, const oct_import_scale *s, int axis, bool is_signed,
                                    int *out)
{
    const oct_shape shape = oct_import_shape(im, x);
    const float *real = im->graph->values[x].data;
    const int64_t count = oct_shape_elements(&shape);
    const double lo = is_signed ? -128 : 0, hi = lo + 255;
    OCT_TRY(oct_import_spend(im, (size_t)count));
    uint8_t *q = oct_alloc((size_t)count, 1);
    if (!q)
        return oct_fail_memory((size_t)count);
    for (int64_t e = 0; e < count; e++) {
        const int64_t c = is_per_axis(s) ? index_of(&shape, axis, e) : 0;
        const double number = nearbyint((double)(real[e] / scale_at(s, c))) + zero_at(s, c);
        q[e] = (uint8_t)(int32_t)fmax(lo, fmin(hi, number));   /* the low byte: two's complement for int8 */
    }
    const oct_status status = oct_import_constant(im, suffix, is_signed ? OCT_S8 : OCT_U8, &shape, q, out);
    oct_free(q);
    return status;
}

/* Activations have one scale. Several are taken out by a division before: the bytes then have scale 1, and the DequantizeLinear
 * behind multiplies. With several zero points that would not round the same. */
static oct_status divide(oct_import *im, const oct_import_scale *s, const oct_shape *shape, int axis, int *x)
{
    const oct_shape vector = vector_shape(shape, axis, s);
    int scales;
    for (int64_t c = 1; c < s->zero_count; c++)
        if (zero_at(s, c) != zero_at(s, 0))
            return oct_fail(OCT_ERR_UNSUPPORTED,
                            "variable numbers with a zero point for each index of axis %d; supported is one zero point", axis);
    OCT_TRY(oct_import_constant(im, ".scale", OCT_F32, &vector, s->scale, &scales));
    return oct_import_binary(im, ".scaled", OCT_BINARY_DIV, *x, scales, x);
}

oct_status oct_import_quantize(oct_import *im, const char *suffix, int x, const oct_import_scale *s, int64_t axis, bool is_signed,
                               int *out)
{
    const oct_shape shape = oct_import_shape(im, x);
    int at;
    if (oct_import_dtype(im, x) != OCT_F32)
        return oct_fail(OCT_ERR_UNSUPPORTED, "integers (\"%s\") are quantized; floats can be", im->graph->values[x].name);
    OCT_TRY(check_axis(s, &shape, axis, &at));
    if (oct_import_is_constant(im, x))
        return constant_to_bytes(im, suffix, x, s, at, is_signed, out);
    if (s->count > 1)
        OCT_TRY(divide(im, s, &shape, at, &x));
    OCT_TRY(oct_import_emit(im, OCT_OP_QUANTIZE, suffix, NULL, &x, 1, out));
    im->graph->values[*out].scale = s->count > 1 ? 1 : scale_at(s, 0);
    im->graph->values[*out].zero_point = zero_at(s, 0) + (is_signed ? 128 : 0);
    return OCT_OK;
}

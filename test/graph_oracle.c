#include "graph_oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "operators.h"

typedef struct evaluation {
    const oct_graph *graph;
    const oct_node *node;
    double **raw;
    const oct_value *out;
} evaluation;

static const oct_value *value_in(const evaluation *e, int i) { return &e->graph->values[e->node->in[i]]; }
static const double *raw_in(const evaluation *e, int i) { return e->raw[e->node->in[i]]; }
static bool has_in(const evaluation *e, int i) { return i < e->node->in_count && e->node->in[i] >= 0; }

/* Element `index` of a shape, as one index per axis, and back. */
static void unravel(const oct_shape *shape, int64_t index, int64_t *at)
{
    for (int i = shape->rank - 1; i >= 0; i--) {
        at[i] = index % shape->dims[i];
        index /= shape->dims[i];
    }
}

static int64_t ravel(const oct_shape *shape, const int64_t *at)
{
    int64_t index = 0;
    for (int i = 0; i < shape->rank; i++)
        index = index * shape->dims[i] + at[i];
    return index;
}

/* Where an element of the output comes from in a broadcast input. */
static int64_t broadcast_index(const oct_shape *in, const oct_shape *out, int64_t index)
{
    int64_t at[OCT_MAX_RANK], from[OCT_MAX_RANK] = {0};
    unravel(out, index, at);
    for (int i = 0; i < in->rank; i++)
        from[i] = in->dims[i] == 1 ? 0 : at[i + out->rank - in->rank];
    return ravel(in, from);
}

static double clip(double x, double lo, double hi) { return x < lo ? lo : x > hi ? hi : x; }

/* What a u8 clamp activation means in steps. */
static double requantized(const evaluation *e, float scaled)
{
    const oct_function *act = &e->node->act;
    const double zero = e->out->zero_point, scale = (double)e->out->scale;
    double lo = 0, hi = 255;
    if (act->fn == OCT_FN_CLAMP) {
        lo = clip(rint((double)act->alpha / scale) + zero, 0, 255);
        hi = clip(rint((double)act->beta / scale) + zero, 0, 255);
    }
    return clip((double)rintf(scaled) + zero, lo, hi);
}

static double activated(const evaluation *e, double x)
{
    return e->node->act.fn == OCT_FN_NONE ? x : (double)oct_function_eval(&e->node->act, (float)x);
}

static double quantized(const oct_value *out, double real)
{
    return clip(rint(real / (double)out->scale) + out->zero_point, 0, 255);
}

/* -------------------------------------------------------------------------------------------- conv, dense ---- */

/* From a sum of products (zero point already subtracted) to the output element. */
static double finish_linear(const evaluation *e, double sum, int64_t channel, int64_t index)
{
    const oct_value *x = value_in(e, OCT_IN_X), *w = value_in(e, OCT_IN_W);
    const double bias = has_in(e, OCT_IN_BIAS) ? raw_in(e, OCT_IN_BIAS)[channel] : 0;
    const bool residual = has_in(e, OCT_IN_RESIDUAL);
    const double other = residual ? raw_in(e, OCT_IN_RESIDUAL)[index] : 0;
    if (x->dtype == OCT_F32) {
        const double y = activated(e, sum + bias + other);
        return e->out->dtype == OCT_F32 ? y : quantized(e->out, y);
    }
    const double s = (double)x->scale * (double)w->channel_scale[channel];
    if (e->out->dtype == OCT_F32)
        return activated(e, (sum + bias) * s + other);
    float scaled = (float)(int32_t)(sum + bias) * (float)(s / (double)e->out->scale);
    if (residual) {
        const oct_value *r = value_in(e, OCT_IN_RESIDUAL);
        scaled += (float)(other - r->zero_point) * (float)((double)r->scale / (double)e->out->scale);
    }
    return requantized(e, scaled);
}

static double conv_element(const evaluation *e, int64_t index)
{
    const oct_conv_attrs *a = &e->node->attrs.conv;
    const oct_shape *x = &value_in(e, 0)->shape, *w = &value_in(e, OCT_IN_W)->shape;
    const double zero = value_in(e, 0)->dtype == OCT_U8 ? value_in(e, 0)->zero_point : 0;
    int64_t at[OCT_MAX_RANK];
    unravel(&e->out->shape, index, at);
    const int64_t group = at[3] / (w->dims[0] / a->groups);
    double sum = 0;
    for (int64_t ky = 0; ky < w->dims[1]; ky++)
        for (int64_t kx = 0; kx < w->dims[2]; kx++) {
            const int64_t y = at[1] * a->stride[0] + ky * a->dilation[0] - a->pad[0];
            const int64_t z = at[2] * a->stride[1] + kx * a->dilation[1] - a->pad[1];
            if (y < 0 || y >= x->dims[1] || z < 0 || z >= x->dims[2])
                continue;
            for (int64_t c = 0; c < w->dims[3]; c++)
                sum += (raw_in(e, 0)[ravel(x, (int64_t[]){at[0], y, z, group * w->dims[3] + c})] - zero) *
                       raw_in(e, OCT_IN_W)[ravel(w, (int64_t[]){at[3], ky, kx, c})];
        }
    return finish_linear(e, sum, at[3], index);
}

static double dense_element(const evaluation *e, int64_t index)
{
    const oct_shape *w = &value_in(e, OCT_IN_W)->shape;
    const double zero = value_in(e, 0)->dtype == OCT_U8 ? value_in(e, 0)->zero_point : 0;
    const int64_t row = index / w->dims[0], column = index % w->dims[0];
    double sum = 0;
    for (int64_t k = 0; k < w->dims[1]; k++)
        sum += (raw_in(e, 0)[row * w->dims[1] + k] - zero) * raw_in(e, OCT_IN_W)[column * w->dims[1] + k];
    return finish_linear(e, sum, column, index);
}

static double matmul_element(const evaluation *e, int64_t index)
{
    oct_shape a = value_in(e, 0)->shape, b = value_in(e, 1)->shape, y = e->out->shape;
    const int64_t m = y.dims[y.rank - 2], n = y.dims[y.rank - 1], k = a.dims[a.rank - 1];
    const int64_t matrix = index / (m * n), row = index / n % m, column = index % n;
    a.rank -= 2;
    b.rank -= 2;
    y.rank -= 2;
    const double *ma = raw_in(e, 0) + broadcast_index(&a, &y, matrix) * m * k,
                 *mb = raw_in(e, 1) + broadcast_index(&b, &y, matrix) * k * n;
    double sum = 0;
    for (int64_t i = 0; i < k; i++)
        sum += ma[row * k + i] * mb[i * n + column];
    return sum;
}

/* -------------------------------------------------------------------------------------- pools, reductions ---- */

static double average(const evaluation *e, double sum, double count)
{
    const oct_value *in = value_in(e, 0);
    if (in->dtype == OCT_F32)
        return activated(e, sum / count);
    return requantized(e, (float)sum * (float)((float)((double)in->scale / (double)e->out->scale) / (float)count));
}

/* A window that counts nothing but padding does not occur in these tests. */
static double pool_element(const evaluation *e, int64_t index)
{
    const oct_pool_attrs *a = &e->node->attrs.pool;
    const oct_shape *x = &value_in(e, 0)->shape;
    const bool max = e->node->op == OCT_OP_MAX_POOL;
    const double zero = value_in(e, 0)->dtype == OCT_U8 ? value_in(e, 0)->zero_point : 0;
    int64_t at[OCT_MAX_RANK], count = 0;
    double sum = 0, most = -INFINITY;
    unravel(&e->out->shape, index, at);
    for (int64_t ky = 0; ky < a->kernel[0]; ky++)
        for (int64_t kx = 0; kx < a->kernel[1]; kx++) {
            const int64_t y = at[1] * a->stride[0] + ky * a->dilation[0] - a->pad[0];
            const int64_t z = at[2] * a->stride[1] + kx * a->dilation[1] - a->pad[1];
            const bool inside = y >= 0 && y < x->dims[1] && z >= 0 && z < x->dims[2];
            count += inside || (a->count_include_pad && y < x->dims[1] + a->pad[2] && z < x->dims[2] + a->pad[3]);
            if (!inside)
                continue;
            const double q = raw_in(e, 0)[ravel(x, (int64_t[]){at[0], y, z, at[3]})];
            sum += q - zero;
            most = q > most ? q : most;
        }
    return max ? most : average(e, sum, (double)count);
}

static double reduce_element(const evaluation *e, int64_t index)
{
    const oct_value *in = value_in(e, 0);
    const oct_reduce_attrs *a = &e->node->attrs.reduce;
    const bool u8 = in->dtype == OCT_U8, extreme = a->fn == OCT_REDUCE_MAX || a->fn == OCT_REDUCE_MIN;
    oct_shape kept = {0};
    double sum = 0, best = 0, count = 0;
    for (int i = 0; i < in->shape.rank; i++)
        if (!(a->axes >> i & 1))
            kept.dims[kept.rank++] = in->shape.dims[i];
    for (int64_t i = 0; i < oct_shape_elements(&in->shape); i++) {
        int64_t at[OCT_MAX_RANK], to[OCT_MAX_RANK];
        int rank = 0;
        unravel(&in->shape, i, at);
        for (int d = 0; d < in->shape.rank; d++)
            if (!(a->axes >> d & 1))
                to[rank++] = at[d];
        if (ravel(&kept, to) != index)
            continue;
        const double x = raw_in(e, 0)[i] - (u8 ? in->zero_point : 0);
        best = count == 0 || (a->fn == OCT_REDUCE_MAX ? x > best : x < best) ? x : best;
        sum += x;
        count++;
    }
    if (a->fn == OCT_REDUCE_MEAN && !u8)
        return sum / count;
    const double divisor = a->fn == OCT_REDUCE_MEAN ? count : 1, picked = extreme ? best : sum;
    if (!u8)
        return picked;
    return requantized(e, (float)picked * (float)((double)in->scale / divisor / (double)e->out->scale));
}

/* ------------------------------------------------------------------------------------------ element-wise ---- */

static double apply_binary(int fn, double a, double b)
{
    switch (fn) {
    case OCT_BINARY_ADD: return a + b;
    case OCT_BINARY_MUL: return a * b;
    case OCT_BINARY_SUB: return a - b;
    case OCT_BINARY_DIV: return a / b;
    case OCT_BINARY_MIN: return a < b ? a : b;
    case OCT_BINARY_MAX: return a > b ? a : b;
    default: return pow(a, b);
    }
}

/* The multipliers of a u8 sum: ratios of scales. If both are nearly (to 2^-22 of their size) whole multiples of the finest power of
 * two, 2^-22 at the finest, at which both together are at most 16447 of them, they are just these; none is coarser than 2^-8. */
static void sum_mults(float *a, float *b)
{
    for (double unit = ldexp(1, -22); unit <= ldexp(1, -8); unit *= 2) {
        const double na = rint((double)*a / unit) * unit, nb = rint((double)*b / unit) * unit;
        if ((na + nb) / unit > 16447)
            continue;
        if (fabs(na - (double)*a) <= ldexp((double)*a, -22) && fabs(nb - (double)*b) <= ldexp((double)*b, -22)) {
            *a = (float)na;
            *b = (float)nb;
        }
        return;
    }
}

static double binary_element(const evaluation *e, int64_t index)
{
    const oct_value *va = value_in(e, 0), *vb = value_in(e, 1);
    const double a = raw_in(e, 0)[broadcast_index(&va->shape, &e->out->shape, index)];
    const double b = raw_in(e, 1)[broadcast_index(&vb->shape, &e->out->shape, index)];
    const int fn = e->node->attrs.binary.fn;
    if (va->dtype == OCT_F32)
        return activated(e, apply_binary(fn, a, b));
    const float x = (float)(a - va->zero_point), y = (float)(b - vb->zero_point);
    const double sa = (double)va->scale, sb = (double)vb->scale, so = (double)e->out->scale;
    if (fn == OCT_BINARY_MUL)
        return requantized(e, x * y * (float)(sa * sb / so));
    float ratio_a = (float)(sa / so), ratio_b = (float)(sb / so);
    sum_mults(&ratio_a, &ratio_b);
    const float scaled_a = x * ratio_a, scaled_b = y * ratio_b;
    return requantized(e, scaled_a + scaled_b);
}

static double unary_element(const evaluation *e, int64_t index)
{
    const oct_value *in = value_in(e, 0);
    const double x = raw_in(e, 0)[index];
    if (in->dtype == OCT_F32)
        return (double)oct_function_eval(&e->node->attrs.unary, (float)x);
    const float real = in->scale * (float)(x - in->zero_point);
    return quantized(e->out, (double)oct_function_eval(&e->node->attrs.unary, real));
}

static double convert_element(const evaluation *e, int64_t index)
{
    const oct_value *in = value_in(e, 0);
    const double x = raw_in(e, 0)[index];
    if (e->out->dtype == OCT_F32)
        return (double)((float)(x - in->zero_point) * in->scale);
    if (in->dtype == OCT_U8)
        return requantized(e, (float)(x - in->zero_point) * (float)((double)in->scale / (double)e->out->scale));
    const float scaled = (float)x * (1.0f / e->out->scale);
    return clip((double)rintf(scaled) + e->out->zero_point, 0, 255);
}

/* --------------------------------------------------------------------------------------- moving elements ---- */

static double concat_element(const evaluation *e, int64_t index)
{
    const int axis = e->node->attrs.axis.axis;
    int64_t at[OCT_MAX_RANK];
    unravel(&e->out->shape, index, at);
    int i = 0;
    while (at[axis] >= value_in(e, i)->shape.dims[axis])
        at[axis] -= value_in(e, i++)->shape.dims[axis];
    const oct_value *in = value_in(e, i);
    const double x = raw_in(e, i)[ravel(&in->shape, at)];
    if (in->dtype == OCT_F32)
        return x;
    return requantized(e, (float)(x - in->zero_point) * (float)((double)in->scale / (double)e->out->scale));
}

static double transpose_element(const evaluation *e, int64_t index)
{
    int64_t at[OCT_MAX_RANK], from[OCT_MAX_RANK];
    unravel(&e->out->shape, index, at);
    for (int i = 0; i < e->out->shape.rank; i++)
        from[e->node->attrs.transpose.perm[i]] = at[i];
    return raw_in(e, 0)[ravel(&value_in(e, 0)->shape, from)];
}

static double pad_element(const evaluation *e, int64_t index)
{
    const oct_value *in = value_in(e, 0);
    int64_t at[OCT_MAX_RANK];
    unravel(&e->out->shape, index, at);
    for (int i = 0; i < e->out->shape.rank; i++) {
        const int64_t size = in->shape.dims[i];
        int64_t from = at[i] - e->node->attrs.pad.before[i];
        if (e->node->attrs.pad.mode == OCT_PAD_EDGE)
            from = from < 0 ? 0 : from >= size ? size - 1 : from;
        if (e->node->attrs.pad.mode == OCT_PAD_REFLECT)
            from = from < 0 ? -from : from >= size ? 2 * size - 2 - from : from;
        if (from < 0 || from >= size)
            return in->dtype == OCT_U8 ? quantized(in, (double)e->node->attrs.pad.value) : (double)e->node->attrs.pad.value;
        at[i] = from;
    }
    return raw_in(e, 0)[ravel(&in->shape, at)];
}

static double slice_element(const evaluation *e, int64_t index)
{
    int64_t at[OCT_MAX_RANK];
    unravel(&e->out->shape, index, at);
    for (int i = 0; i < e->out->shape.rank; i++)
        at[i] = e->node->attrs.slice.start[i] + at[i] * e->node->attrs.slice.step[i];
    return raw_in(e, 0)[ravel(&value_in(e, 0)->shape, at)];
}

/* Where output place `o` lies on axis `axis` of the input (graph.h, oct_resize_place). */
static double resized_place(const evaluation *e, int axis, double o)
{
    const oct_resize_attrs *a = &e->node->attrs.resize;
    const double in = (double)value_in(e, 0)->shape.dims[axis], out = (double)e->out->shape.dims[axis];
    const double given = (double)a->scale[axis - 1], length = given != 0 ? in * given : out, scale = length / in;
    const double middle = given != 0 ? (double)(float)((o + 0.5) / given) : (o + 0.5) / scale;
    switch (a->place) {
    case OCT_PLACE_HALF_PIXEL: return middle - 0.5;
    case OCT_PLACE_ASYMMETRIC: return given != 0 ? (double)(float)(o / given) : o / scale;
    case OCT_PLACE_ALIGN_CORNERS: return length == 1 || o == 0 ? 0 : o * (in - 1) / (length - 1);
    case OCT_PLACE_PYTORCH_HALF_PIXEL: return out == 1 ? 0 : middle - 0.5;
    case OCT_PLACE_HALF_PIXEL_SYMMETRIC:
        return (given != 0 ? (double)(float)((o + 0.5 - out / 2) / given) : (o + 0.5 - out / 2) / scale) + in / 2 - 0.5;
    default: return middle;
    }
}

/* The two places on one axis, and the weight of the second. Products of small numbers may miss a whole or a half by a last bit, so
 * they are moved onto what they nearly are. */
static double resized_between(const evaluation *e, int axis, int64_t o, int64_t *first, int64_t *second)
{
    const oct_resize_attrs *a = &e->node->attrs.resize;
    const int64_t last = value_in(e, 0)->shape.dims[axis] - 1;
    double x = resized_place(e, axis, (double)o);
    if (a->scale[axis - 1] == 0 && fabs(rint(2 * x) - 2 * x) < 1e-9)
        x = rint(2 * x) / 2;
    if (a->mode == OCT_RESIZE_NEAREST) {
        const double near = a->round == OCT_ROUND_FLOOR ? floor(x) : a->round == OCT_ROUND_CEIL ? ceil(x)
                            : x - floor(x) == 0.5 ? (a->round == OCT_ROUND_HALF_UP ? ceil(x) : floor(x)) : floor(x + 0.5);
        *first = *second = (int64_t)clip(near, 0, (double)last);
        return 0;
    }
    x = clip(x, 0, (double)last);
    *first = (int64_t)floor(x);
    *second = *first < last ? *first + 1 : last;
    return x - floor(x);
}

static double resize_element(const evaluation *e, int64_t index)
{
    const oct_value *in = value_in(e, 0);
    int64_t at[OCT_MAX_RANK], y[2], x[2];
    unravel(&e->out->shape, index, at);
    const double wy = resized_between(e, 1, at[1], &y[0], &y[1]), wx = resized_between(e, 2, at[2], &x[0], &x[1]);
    const int64_t one = 1 << 14, qy = (int64_t)floor(wy * 16384 + 0.5), qx = (int64_t)floor(wx * 16384 + 0.5),
                  both = (qy * qx + one / 2) / one;
    const int64_t whole[2][2] = {{one - qy - qx + both, qx - both}, {qy - both, both}};
    double real = 0;
    int64_t sum = one / 2;
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            const double v = raw_in(e, 0)[ravel(&in->shape, (int64_t[]){at[0], y[i], x[j], at[3]})];
            real += (i ? wy : 1 - wy) * (j ? wx : 1 - wx) * v;
            sum += whole[i][j] * (int64_t)v * (in->dtype == OCT_U8);
        }
    return in->dtype == OCT_U8 ? (double)(sum / one) : real;
}

static double softmax_element(const evaluation *e, int64_t index)
{
    const int axis = e->node->attrs.softmax.axis;
    const oct_shape *shape = &e->out->shape;
    int64_t at[OCT_MAX_RANK];
    double most = -INFINITY, sum = 0;
    unravel(shape, index, at);
    for (at[axis] = 0; at[axis] < shape->dims[axis]; at[axis]++)
        most = fmax(most, raw_in(e, 0)[ravel(shape, at)]);
    for (at[axis] = 0; at[axis] < shape->dims[axis]; at[axis]++)
        sum += exp(raw_in(e, 0)[ravel(shape, at)] - most);
    const double x = raw_in(e, 0)[index] - most;
    return e->node->attrs.softmax.log ? x - log(sum) : exp(x) / sum;
}

/* With the axis kept, an output's place is its line's first. */
static double argmax_element(const evaluation *e, int64_t index)
{
    const int axis = e->node->attrs.argmax.axis;
    const oct_shape *x = &e->graph->values[e->node->in[0]].shape;
    oct_shape kept = *x;
    int64_t at[OCT_MAX_RANK], best = 0;
    double most = 0;
    kept.dims[axis] = 1;
    unravel(&kept, index, at);
    for (int64_t i = 0; i < x->dims[axis]; i++) {
        at[axis] = i;
        const double value = raw_in(e, 0)[ravel(x, at)] * (e->node->attrs.argmax.least ? -1 : 1);
        if (i == 0 || value > most || (e->node->attrs.argmax.last && value == most)) {
            best = i;
            most = value;
        }
    }
    return (double)best;
}

/* ------------------------------------------------------------------------------------------------- graphs ---- */

static double element(const evaluation *e, int64_t index)
{
    switch (e->node->op) {
    case OCT_OP_CONV: return conv_element(e, index);
    case OCT_OP_DENSE: return dense_element(e, index);
    case OCT_OP_MATMUL: return matmul_element(e, index);
    case OCT_OP_MAX_POOL: case OCT_OP_AVERAGE_POOL: return pool_element(e, index);
    case OCT_OP_UNARY: return unary_element(e, index);
    case OCT_OP_BINARY: return binary_element(e, index);
    case OCT_OP_REDUCE: return reduce_element(e, index);
    case OCT_OP_CONCAT: return concat_element(e, index);
    case OCT_OP_RESHAPE: return raw_in(e, 0)[index];
    case OCT_OP_TRANSPOSE: return transpose_element(e, index);
    case OCT_OP_PAD: return pad_element(e, index);
    case OCT_OP_SLICE: return slice_element(e, index);
    case OCT_OP_SOFTMAX: return softmax_element(e, index);
    case OCT_OP_QUANTIZE: case OCT_OP_DEQUANTIZE: return convert_element(e, index);
    case OCT_OP_RESIZE: return resize_element(e, index);
    case OCT_OP_ARGMAX: return argmax_element(e, index);
    case OCT_OP_NONE: case OCT_OP_COUNT: break;
    }
    return NAN;
}

static double stored(oct_dtype dtype, const void *data, int64_t i)
{
    switch (dtype) {
    case OCT_F32: return (double)((const float *)data)[i];
    case OCT_U8: return ((const uint8_t *)data)[i];
    case OCT_S8: return ((const int8_t *)data)[i];
    case OCT_S32: return ((const int32_t *)data)[i];
    case OCT_S64: return (double)((const int64_t *)data)[i];
    }
    return NAN;
}

void oracle_take(graph_oracle *oracle, int value, const void *data)
{
    const oct_value *v = &oracle->graph->values[value];
    for (int64_t i = 0; i < oct_shape_elements(&v->shape); i++)
        oracle->raw[value][i] = stored(v->dtype, data, i);
}

void oracle_begin(graph_oracle *oracle, const oct_graph *graph)
{
    oracle->graph = graph;
    oracle->raw = calloc((size_t)graph->value_count, sizeof *oracle->raw);
    for (int v = 0; v < graph->value_count; v++) {
        oracle->raw[v] = calloc((size_t)oct_shape_elements(&graph->values[v].shape), sizeof **oracle->raw);
        if (graph->values[v].data)
            oracle_take(oracle, v, graph->values[v].data);
    }
}

void oracle_evaluate_node(graph_oracle *oracle, int n)
{
    const oct_node *node = &oracle->graph->nodes[n];
    const evaluation e = {.graph = oracle->graph, .node = node, .raw = oracle->raw, .out = &oracle->graph->values[node->out[0]]};
    for (int64_t i = 0; i < oct_shape_elements(&e.out->shape); i++)
        oracle->raw[node->out[0]][i] = element(&e, i);
}

void oracle_release(graph_oracle *oracle)
{
    for (int v = 0; v < oracle->graph->value_count; v++)
        free(oracle->raw[v]);
    free(oracle->raw);
}

int64_t oracle_differs(const graph_oracle *oracle, int value, const void *data, double tolerance, int steps)
{
    const oct_value *v = &oracle->graph->values[value];
    for (int64_t i = 0; i < oct_shape_elements(&v->shape); i++) {
        const double expected = oracle->raw[value][i];
        const double bound = v->dtype == OCT_F32 ? tolerance * (1 + fabs(expected)) : steps;
        if (!(fabs(stored(v->dtype, data, i) - expected) <= bound))
            return i;
    }
    return -1;
}

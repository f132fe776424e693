/* import_ops_norm.c - normalisations and other functions that are a few graph operators each. */
#include <math.h>
#include <string.h>

#include "import_context.h"

/* ------------------------------------------------------------------------------------- mean and deviation ---- */

/* What a normalisation over some axes consists of: x - mean, and sqrt(mean of its squares + epsilon). */
typedef struct normal {
    int mean, centered, deviation;
} normal;

static oct_status measure(oct_import *im, int x, uint32_t axes, float epsilon, normal *n)
{
    int square, variance, number;
    OCT_TRY(oct_import_reduce(im, ".mean", OCT_REDUCE_MEAN, axes, true, x, &n->mean));
    OCT_TRY(oct_import_binary(im, ".centered", OCT_BINARY_SUB, x, n->mean, &n->centered));
    OCT_TRY(oct_import_binary(im, ".square", OCT_BINARY_MUL, n->centered, n->centered, &square));
    OCT_TRY(oct_import_reduce(im, ".variance", OCT_REDUCE_MEAN, axes, true, square, &variance));
    OCT_TRY(oct_import_number(im, ".epsilon", epsilon, &number));
    OCT_TRY(oct_import_binary(im, ".shifted", OCT_BINARY_ADD, variance, number, &variance));
    return oct_import_unary(im, ".deviation", OCT_FN_SQRT, 0, 0, variance, &n->deviation);
}

/* y = centered / deviation * scale + bias; scale and bias broadcast to x. OCT_NONE: no bias. */
static oct_status apply(oct_import *im, const normal *n, int scale, int bias, int *y)
{
    OCT_TRY(oct_import_binary(im, "", OCT_BINARY_DIV, n->centered, n->deviation, y));
    OCT_TRY(oct_import_binary(im, ".scaled", OCT_BINARY_MUL, *y, scale, y));
    return bias == OCT_NONE ? OCT_OK : oct_import_binary(im, ".biased", OCT_BINARY_ADD, *y, bias, y);
}

/* Each channel of each picture by its own mean and deviation. */
static oct_status lower_instance_norm(oct_import *im)
{
    const oct_shape x = oct_import_shape(im, im->in[0]);
    oct_shape per_channel = {.rank = x.rank - 1};
    normal n;
    int scale, bias, y;
    if (x.rank < 3)
        return oct_fail(OCT_ERR_FORMAT, "an input of rank %d; it needs N x C and further axes", x.rank);
    for (int i = 0; i < per_channel.rank; i++)
        per_channel.dims[i] = i == 0 ? x.dims[1] : 1;
    OCT_TRY(measure(im, im->in[0], (1u << x.rank) - 1 - 3, oct_import_float(im, "epsilon", 1e-5f), &n));
    OCT_TRY(oct_import_reshape(im, ".scale", &per_channel, im->in[1], &scale));
    OCT_TRY(oct_import_reshape(im, ".bias", &per_channel, im->in[2], &bias));
    OCT_TRY(apply(im, &n, scale, bias, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* Over all axes from `axis` on. Outputs 1 and 2 are the mean and 1 / deviation. */
static oct_status lower_layer_norm(oct_import *im)
{
    const oct_shape x = oct_import_shape(im, im->in[0]);
    const int64_t number = oct_import_int(im, "axis", -1);
    const int axis = oct_axis(number, x.rank);
    normal n;
    int y, inverse;
    if (axis < 0)
        return oct_fail(OCT_ERR_FORMAT, "axis %lld outside rank %d", (long long)number, x.rank);
    if (oct_import_int(im, "stash_type", 1) != 1)
        return oct_fail(OCT_ERR_UNSUPPORTED, "stash_type %lld is not supported; 1, float, is",
                        (long long)oct_import_int(im, "stash_type", 1));
    OCT_TRY(measure(im, im->in[0], (1u << x.rank) - (1u << axis), oct_import_float(im, "epsilon", 1e-5f), &n));
    OCT_TRY(apply(im, &n, im->in[1], oct_import_has(im, 2) ? im->in[2] : OCT_NONE, &y));
    const oct_shape out = oct_import_shape(im, y);
    if (!oct_shape_equal(&out, &x))
        return oct_fail(OCT_ERR_FORMAT, "scale and bias must broadcast to the input's shape");
    oct_import_set_output(im, 0, y);
    oct_import_set_output(im, 1, n.mean);
    if (oct_import_output_used(im, 2)) {
        OCT_TRY(oct_import_unary(im, ".inverse", OCT_FN_RECIPROCAL, 0, 0, n.deviation, &inverse));
        oct_import_set_output(im, 2, inverse);
    }
    return OCT_OK;
}

/* Over the listed axes, by default all but the channels'. The definition adds 1e-9 to the deviation. */
static oct_status lower_mean_variance_norm(oct_import *im)
{
    const oct_shape x = oct_import_shape(im, im->in[0]);
    oct_import_list list;
    uint32_t axes = 0;
    normal n;
    int number, y;
    OCT_TRY(oct_import_list_attr(im, "axes", &list));
    for (int i = 0; i < (list.given ? list.count : 3); i++) {
        static const int64_t usual[3] = {0, 2, 3};
        const int axis = oct_axis(list.given ? list.v[i] : usual[i], x.rank);
        if (axis < 0)
            return oct_fail(OCT_ERR_FORMAT, "an axis outside rank %d", x.rank);
        axes |= 1u << axis;
    }
    OCT_TRY(measure(im, im->in[0], axes, 0, &n));
    OCT_TRY(oct_import_number(im, ".least", 1e-9f, &number));
    OCT_TRY(oct_import_binary(im, ".divisor", OCT_BINARY_ADD, n.deviation, number, &n.deviation));
    OCT_TRY(oct_import_binary(im, "", OCT_BINARY_DIV, n.centered, n.deviation, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* --------------------------------------------------------------------------------------------------- LRN ---- */

/* y = x / (bias + alpha / size * sum of the squares of `size` neighbouring channels) ^ beta. Sum / size is an average pool over the
 * channels, with zeros beyond both ends that count; the pool takes N x C x 1 x HW for a picture of height C, width 1 and HW
 * channels, so that nothing has to be moved. An even size reaches one channel further up than down. */
static oct_status lower_lrn(oct_import *im)
{
    const oct_shape x = oct_import_shape(im, im->in[0]);
    const int64_t size = oct_import_int(im, "size", 0);
    int y, number;
    if (x.rank < 2 || size < 1 || size > 65536)
        return oct_fail(OCT_ERR_FORMAT,
                        "an input of rank %d and size %lld; it needs N x C and further axes and a size of at least 1", x.rank,
                        (long long)size);
    const oct_shape planes = {4, {x.dims[0], x.dims[1], 1, oct_shape_product(&x, 2, x.rank)}};
    const oct_attrs pool = {.pool = {.kernel = {(int32_t)size, 1}, .stride = {1, 1}, .dilation = {1, 1}, .count_include_pad = 1,
                                     .pad = {(int32_t)((size - 1) / 2), 0, (int32_t)(size / 2), 0}}};
    OCT_TRY(oct_import_binary(im, ".square", OCT_BINARY_MUL, im->in[0], im->in[0], &y));
    OCT_TRY(oct_import_reshape(im, ".planes", &planes, y, &y));
    OCT_TRY(oct_import_emit(im, OCT_OP_AVERAGE_POOL, ".average", &pool, &y, 1, &y));
    OCT_TRY(oct_import_reshape(im, ".shape", &x, y, &y));
    OCT_TRY(oct_import_number(im, ".alpha", oct_import_float(im, "alpha", 1e-4f), &number));
    OCT_TRY(oct_import_binary(im, ".scaled", OCT_BINARY_MUL, y, number, &y));
    OCT_TRY(oct_import_number(im, ".bias", oct_import_float(im, "bias", 1.0f), &number));
    OCT_TRY(oct_import_binary(im, ".base", OCT_BINARY_ADD, y, number, &y));
    OCT_TRY(oct_import_number(im, ".beta", oct_import_float(im, "beta", 0.75f), &number));
    OCT_TRY(oct_import_binary(im, ".power", OCT_BINARY_POW, y, number, &y));
    OCT_TRY(oct_import_binary(im, "", OCT_BINARY_DIV, im->in[0], y, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* --------------------------------------------------------------------------------- functions of others ---- */

static oct_status times(oct_import *im, const char *suffix, int x, float factor, int *y)
{
    int number;
    OCT_TRY(oct_import_number(im, suffix, factor, &number));
    return oct_import_binary(im, suffix, OCT_BINARY_MUL, x, number, y);
}

/* alpha * elu(x / alpha) */
static oct_status lower_celu(oct_import *im)
{
    const float alpha = oct_import_float(im, "alpha", 1.0f);
    int y;
    if (alpha == 0)
        return oct_fail(OCT_ERR_FORMAT, "attribute alpha is 0");
    OCT_TRY(times(im, ".in", im->in[0], 1 / alpha, &y));
    OCT_TRY(oct_import_unary(im, ".elu", OCT_FN_ELU, 1, 0, y, &y));
    OCT_TRY(times(im, "", y, alpha, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* gamma * elu(x) */
static oct_status lower_selu(oct_import *im)
{
    int y;
    OCT_TRY(oct_import_unary(im, ".elu", OCT_FN_ELU, oct_import_float(im, "alpha", 1.67326319217681884765625f), 0, im->in[0], &y));
    OCT_TRY(times(im, "", y, oct_import_float(im, "gamma", 1.05070102214813232421875f), &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* x / (1 + |x|) */
static oct_status lower_softsign(oct_import *im)
{
    int y, one;
    OCT_TRY(oct_import_unary(im, ".abs", OCT_FN_ABS, 0, 0, im->in[0], &y));
    OCT_TRY(oct_import_number(im, ".one", 1, &one));
    OCT_TRY(oct_import_binary(im, ".sum", OCT_BINARY_ADD, y, one, &y));
    OCT_TRY(oct_import_binary(im, "", OCT_BINARY_DIV, im->in[0], y, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* max(x, 0) + log(1 + exp(-|x|)), which overflows nowhere. */
static oct_status lower_softplus(oct_import *im)
{
    int above, y, one;
    OCT_TRY(oct_import_unary(im, ".above", OCT_FN_CLAMP, 0, INFINITY, im->in[0], &above));
    OCT_TRY(oct_import_unary(im, ".abs", OCT_FN_ABS, 0, 0, im->in[0], &y));
    OCT_TRY(oct_import_unary(im, ".neg", OCT_FN_NEG, 0, 0, y, &y));
    OCT_TRY(oct_import_unary(im, ".exp", OCT_FN_EXP, 0, 0, y, &y));
    OCT_TRY(oct_import_number(im, ".one", 1, &one));
    OCT_TRY(oct_import_binary(im, ".sum", OCT_BINARY_ADD, y, one, &y));
    OCT_TRY(oct_import_unary(im, ".log", OCT_FN_LOG, 0, 0, y, &y));
    OCT_TRY(oct_import_binary(im, "", OCT_BINARY_ADD, above, y, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

static const oct_import_row rows[] = {
    /* operator, since; inputs min, max; outputs; constants, preferred (bits); attributes; handler, variant, flags */
    {"InstanceNormalization", 6, 3, 3, 1, 0, 6, "epsilon:f", lower_instance_norm, 0, 0},
    {"LayerNormalization", 17, 2, 3, 3, 0, 6, "axis:i epsilon:f stash_type:i", lower_layer_norm, 0, 0},
    {"MeanVarianceNormalization", 9, 1, 1, 1, 0, 0, "axes:I", lower_mean_variance_norm, 0, 0},
    {"LRN", 1, 1, 1, 1, 0, 0, "alpha:f beta:f bias:f size:i", lower_lrn, 0, 0},
    {"Celu", 12, 1, 1, 1, 0, 0, "alpha:f", lower_celu, 0, 0},
    {"Selu", 6, 1, 1, 1, 0, 0, "alpha:f gamma:f", lower_selu, 0, 0},
    {"Softsign", 1, 1, 1, 1, 0, 0, "", lower_softsign, 0, 0},
    {"Softplus", 1, 1, 1, 1, 0, 0, "", lower_softplus, 0, 0},
};

const oct_import_table oct_import_norm_ops = {rows, (int)(sizeof rows / sizeof rows[0])};

/* import_ops_linear.c - Gemm, MatMul, BatchNormalization: products with matrices and with one factor per channel. */
#include <math.h>

#include "import_context.h"
#include "memory.h"

/* Axes 0 and 1 swapped. */
static oct_status transpose_matrix(oct_import *im, const char *suffix, int x, int *out)
{
    static const int swap[2] = {1, 0};
    return oct_import_transpose(im, suffix, swap, x, out);
}

/* x * factor; nothing where the factor is 1. */
static oct_status scale(oct_import *im, const char *suffix, float factor, int x, int *out)
{
    int number;
    *out = x;
    if (factor == 1.0f)
        return OCT_OK;
    OCT_TRY(oct_import_number(im, suffix, factor, &number));
    return oct_import_binary(im, suffix, OCT_BINARY_MUL, x, number, out);
}

/* -------------------------------------------------------------------------------------------------- Gemm ---- */

/* Can C be a bias, one number per column? A constant like [N], [1, N], [1], or a scalar. */
static bool is_bias(const oct_import *im, int c, int64_t columns)
{
    const oct_shape shape = oct_import_shape(im, c);
    if (!oct_import_is_constant(im, c) || oct_import_dtype(im, c) != OCT_F32)
        return false;
    const int64_t elements = oct_shape_elements(&shape);
    return elements == 1 || (elements == columns && shape.dims[shape.rank - 1] == columns);
}

/* beta * C as a vector of one number per column. */
static oct_status make_bias(oct_import *im, int c, float beta, int64_t columns, int *bias)
{
    const oct_shape from = oct_import_shape(im, c), to = {1, {columns}};
    const float *data = im->graph->values[c].data;
    const bool single = oct_shape_elements(&from) == 1;
    *bias = c;
    if (beta == 1.0f && oct_shape_equal(&from, &to))
        return OCT_OK;
    float *scaled = oct_alloc((size_t)columns, sizeof *scaled);
    if (!scaled)
        return oct_fail_memory((size_t)columns * sizeof *scaled);
    for (int64_t i = 0; i < columns; i++)
        scaled[i] = beta * data[single ? 0 : i];
    const oct_status status = oct_import_constant(im, ".bias", OCT_F32, &to, scaled, bias);
    oct_free(scaled);
    return status;
}

/* y + beta * C, where C must broadcast to y without making it larger. */
static oct_status add_matrix(oct_import *im, int y, int c, float beta, int *out)
{
    const oct_shape before = oct_import_shape(im, y);
    char have[OCT_SHAPE_TEXT], want[OCT_SHAPE_TEXT];
    OCT_TRY(scale(im, ".beta", beta, c, &c));
    OCT_TRY(oct_import_binary(im, ".add", OCT_BINARY_ADD, y, c, out));
    const oct_shape after = oct_import_shape(im, *out), added = oct_import_shape(im, c);
    if (oct_shape_equal(&before, &after))
        return OCT_OK;
    return oct_fail(OCT_ERR_FORMAT, "C of shape %s cannot be broadcast to %s", oct_shape_text(&added, have, sizeof have),
                    oct_shape_text(&before, want, sizeof want));
}

/* y = alpha * A * B + beta * C. With a constant B, alpha goes into the weights and a C that is the same for all rows becomes the
 * bias of a dense node; otherwise B is an operand like A. */
static oct_status lower_gemm(oct_import *im)
{
    const float alpha = oct_import_float(im, "alpha", 1.0f), beta = oct_import_float(im, "beta", 1.0f);
    int a = im->in[0], b = im->in[1], c = oct_import_has(im, 2) && beta != 0 ? im->in[2] : OCT_NONE, y;
    bool trans_a, trans_b;
    OCT_TRY(oct_import_flag(im, "transA", false, &trans_a));
    OCT_TRY(oct_import_flag(im, "transB", false, &trans_b));
    if (oct_import_shape(im, a).rank != 2 || oct_import_shape(im, b).rank != 2)
        return oct_fail(OCT_ERR_FORMAT, "A and B must be matrices");
    if (trans_a)
        OCT_TRY(transpose_matrix(im, ".a", a, &a));
    if (oct_import_is_constant(im, b)) {
        if (!trans_b)
            OCT_TRY(transpose_matrix(im, ".weight", b, &b));
        OCT_TRY(scale(im, ".weight", alpha, b, &b));
        int in[3] = {a, b, OCT_NONE};
        const int64_t columns = oct_import_shape(im, b).dims[0];
        if (c != OCT_NONE && is_bias(im, c, columns)) {
            OCT_TRY(make_bias(im, c, beta, columns, &in[OCT_IN_BIAS]));
            c = OCT_NONE;
        }
        OCT_TRY(oct_import_emit(im, OCT_OP_DENSE, "", NULL, in, in[OCT_IN_BIAS] == OCT_NONE ? 2 : 3, &y));
    } else {
        if (trans_b)
            OCT_TRY(transpose_matrix(im, ".b", b, &b));
        const int in[2] = {a, b};
        OCT_TRY(oct_import_emit(im, OCT_OP_MATMUL, "", NULL, in, 2, &y));
        OCT_TRY(scale(im, ".alpha", alpha, y, &y));
    }
    if (c != OCT_NONE)
        OCT_TRY(add_matrix(im, y, c, beta, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------------ MatMul ---- */

/* A matrix that is the same for all of the left side: rank 1, rank 2, or more with leading ones. */
static bool is_one_matrix(const oct_shape *shape)
{
    return shape->rank > 0 && oct_shape_product(shape, 0, shape->rank > 2 ? shape->rank - 2 : 0) == 1;
}

/* The output's shape by numpy's rules for a [.., M, K] times b [.., K, N], where a vector on the left is a row and on the right a
 * column that vanishes again. */
static oct_status matmul_shape(const oct_shape *a, const oct_shape *b, oct_shape *out)
{
    char at[OCT_SHAPE_TEXT], bt[OCT_SHAPE_TEXT];
    oct_shape lead_a = *a, lead_b = *b;
    lead_a.rank = a->rank > 2 ? a->rank - 2 : 0;
    lead_b.rank = b->rank > 2 ? b->rank - 2 : 0;
    if (a->rank < 1 || b->rank < 1 || a->dims[a->rank - 1] != b->dims[b->rank > 1 ? b->rank - 2 : 0] ||
        !oct_shape_broadcast(&lead_a, &lead_b, out))
        return oct_fail(OCT_ERR_FORMAT, "%s times %s is no product of matrices", oct_shape_text(a, at, sizeof at),
                        oct_shape_text(b, bt, sizeof bt));
    if (a->rank > 1)
        out->dims[out->rank++] = a->dims[a->rank - 2];
    if (b->rank > 1)
        out->dims[out->rank++] = b->dims[b->rank - 1];
    return OCT_OK;
}

/* The constant right side as a dense node's weights, [N, K]. */
static oct_status make_weights(oct_import *im, int b, int *weights)
{
    const oct_shape shape = oct_import_shape(im, b);
    const bool vector = shape.rank == 1;
    const oct_shape matrix = {2, {shape.dims[vector ? 0 : shape.rank - 2], vector ? 1 : shape.dims[shape.rank - 1]}};
    OCT_TRY(oct_import_reshape(im, ".weight", &matrix, b, &b));
    return transpose_matrix(im, ".weight", b, weights);
}

/* Vectors become matrices of one row or one column. */
static oct_status multiply(oct_import *im, int a, int b, int *y)
{
    const oct_shape as = oct_import_shape(im, a), bs = oct_import_shape(im, b);
    const oct_shape row = {2, {1, as.dims[0]}}, column = {2, {bs.dims[0], 1}};
    int in[2] = {a, b};
    if (as.rank == 1)
        OCT_TRY(oct_import_reshape(im, ".row", &row, a, &in[0]));
    if (bs.rank == 1)
        OCT_TRY(oct_import_reshape(im, ".column", &column, b, &in[1]));
    return oct_import_emit(im, OCT_OP_MATMUL, "", NULL, in, 2, y);
}

/* A constant right side that is one matrix makes a dense node, whatever the rank of the left one: dense works on the last
 * dimension. */
static oct_status lower_matmul(oct_import *im)
{
    const oct_shape a = oct_import_shape(im, im->in[0]), b = oct_import_shape(im, im->in[1]);
    oct_shape out;
    int y;
    OCT_TRY(matmul_shape(&a, &b, &out));
    if (oct_import_is_constant(im, im->in[1]) && is_one_matrix(&b)) {
        int in[2] = {im->in[0], OCT_NONE};
        OCT_TRY(make_weights(im, im->in[1], &in[1]));
        OCT_TRY(oct_import_emit(im, OCT_OP_DENSE, "", NULL, in, 2, &y));
    } else {
        OCT_TRY(multiply(im, im->in[0], im->in[1], &y));
    }
    OCT_TRY(oct_import_reshape(im, ".shape", &out, y, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------ BatchNormalization ---- */

/* Inputs by position. */
enum { BN_X, BN_SCALE, BN_BIAS, BN_MEAN, BN_VARIANCE, BN_INPUTS };

/* A per-channel vector [C] in the shape that broadcasts along axis 1: [C, 1, 1]. */
static oct_shape channel_shape(const oct_shape *x)
{
    oct_shape shape = {.rank = x->rank - 1, .dims = {x->dims[1]}};
    for (int i = 1; i < shape.rank; i++)
        shape.dims[i] = 1;
    return shape;
}

/* `spatial` 0 (up to opset 8) kept statistics for every element, not only every channel; nobody wrote it. */
static oct_status check_batchnorm(const oct_import *im, const oct_shape *x)
{
    if (x->rank < 2)
        return oct_fail(OCT_ERR_UNSUPPORTED, "an input of rank %d; it needs N x C and any further axes", x->rank);
    for (int i = BN_SCALE; i < BN_INPUTS; i++) {
        const oct_shape shape = oct_import_shape(im, im->in[i]);
        if (shape.rank != 1 || shape.dims[0] != x->dims[1])
            return oct_fail(OCT_ERR_FORMAT, "input %d must hold one number for each of the %lld channels", i,
                            (long long)x->dims[1]);
    }
    if (oct_import_int(im, "spatial", 1) != 1)
        return oct_fail(OCT_ERR_UNSUPPORTED, "spatial 0 (statistics per element) is not supported; 1 is");
    return OCT_OK;
}

/* With fixed statistics: y = x * m + a with m = scale / sqrt(variance + epsilon), a = bias - mean * m, worked out in double and
 * rounded once. factors: m of all channels, then a. */
static oct_status batchnorm_factors(const oct_import *im, int64_t channels, double epsilon, float *factors)
{
    const float *p[BN_INPUTS] = {0};
    for (int i = BN_SCALE; i < BN_INPUTS; i++)
        OCT_TRY(oct_import_floats_in(im, i, &p[i]));
    for (int64_t c = 0; c < channels; c++) {
        const double m = p[BN_SCALE][c] / sqrt(p[BN_VARIANCE][c] + epsilon);
        factors[c] = (float)m;
        factors[channels + c] = (float)(p[BN_BIAS][c] - p[BN_MEAN][c] * m);
    }
    return OCT_OK;
}

/* Two nodes the optimiser folds into the convolution before them. */
static oct_status normalize_fixed(oct_import *im, const oct_shape *x, float epsilon)
{
    const oct_shape per_channel = channel_shape(x);
    const int64_t channels = x->dims[1];
    int multiplier = OCT_NONE, addend = OCT_NONE, y;
    float *factors = oct_alloc((size_t)channels, 2 * sizeof *factors);
    if (!factors)
        return oct_fail_memory((size_t)channels * 2 * sizeof *factors);
    oct_status status = batchnorm_factors(im, channels, (double)epsilon, factors);
    if (status == OCT_OK)
        status = oct_import_constant(im, ".scale", OCT_F32, &per_channel, factors, &multiplier);
    if (status == OCT_OK)
        status = oct_import_constant(im, ".bias", OCT_F32, &per_channel, factors + channels, &addend);
    oct_free(factors);
    OCT_TRY(status);
    OCT_TRY(oct_import_binary(im, "", OCT_BINARY_MUL, im->in[BN_X], multiplier, &y));
    OCT_TRY(oct_import_binary(im, ".add", OCT_BINARY_ADD, y, addend, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* Output `i`, the running statistic: before * momentum + now * (1 - momentum), as a vector. */
static oct_status set_running(oct_import *im, int i, const char *suffix, float momentum, int before, int now)
{
    const oct_shape vector = oct_import_shape(im, before);
    int kept, added, sum;
    if (!oct_import_output_used(im, i))
        return OCT_OK;
    OCT_TRY(oct_import_reshape(im, suffix, &vector, now, &now));
    OCT_TRY(scale(im, suffix, momentum, before, &kept));
    OCT_TRY(scale(im, suffix, 1.0f - momentum, now, &added));
    OCT_TRY(oct_import_binary(im, suffix, OCT_BINARY_ADD, kept, added, &sum));
    oct_import_set_output(im, i, sum);
    return OCT_OK;
}

/* With the batch's own statistics (training_mode 1), over all axes but the channels':
 *   mean = E[x], variance = E[(x - mean)^2], y = (x - mean) * scale / sqrt(variance + epsilon) + bias. */
static oct_status normalize_batch(oct_import *im, const oct_shape *x, float epsilon)
{
    const uint32_t axes = ((1u << x->rank) - 1) & ~2u;
    const float momentum = oct_import_float(im, "momentum", 0.9f);
    const oct_shape per_channel = channel_shape(x);
    int mean, centered, square, variance, number, deviation, ratio, factor, bias, y;
    OCT_TRY(oct_import_reduce(im, ".mean", OCT_REDUCE_MEAN, axes, true, im->in[BN_X], &mean));
    OCT_TRY(oct_import_binary(im, ".centered", OCT_BINARY_SUB, im->in[BN_X], mean, &centered));
    OCT_TRY(oct_import_binary(im, ".square", OCT_BINARY_MUL, centered, centered, &square));
    OCT_TRY(oct_import_reduce(im, ".variance", OCT_REDUCE_MEAN, axes, true, square, &variance));
    OCT_TRY(oct_import_number(im, ".epsilon", epsilon, &number));
    OCT_TRY(oct_import_binary(im, ".shifted", OCT_BINARY_ADD, variance, number, &deviation));
    OCT_TRY(oct_import_unary(im, ".deviation", OCT_FN_SQRT, 0, 0, deviation, &deviation));
    OCT_TRY(oct_import_reshape(im, ".scale", &per_channel, im->in[BN_SCALE], &factor));
    OCT_TRY(oct_import_binary(im, ".ratio", OCT_BINARY_DIV, factor, deviation, &ratio));
    OCT_TRY(oct_import_binary(im, "", OCT_BINARY_MUL, centered, ratio, &y));
    OCT_TRY(oct_import_reshape(im, ".bias", &per_channel, im->in[BN_BIAS], &bias));
    OCT_TRY(oct_import_binary(im, ".add", OCT_BINARY_ADD, y, bias, &y));
    oct_import_set_output(im, 0, y);
    OCT_TRY(set_running(im, 1, ".running_mean", momentum, im->in[BN_MEAN], mean));
    return set_running(im, 2, ".running_variance", momentum, im->in[BN_VARIANCE], variance);
}

/* Before opset 14 training was told by the number of outputs that are used; those are refused by the driver because they get no
 * value. */
static oct_status lower_batchnorm(oct_import *im)
{
    const oct_shape x = oct_import_shape(im, im->in[BN_X]);
    const float epsilon = oct_import_float(im, "epsilon", 1e-5f);
    bool training;
    OCT_TRY(oct_import_flag(im, "training_mode", false, &training));
    OCT_TRY(check_batchnorm(im, &x));
    return training ? normalize_batch(im, &x, epsilon) : normalize_fixed(im, &x, epsilon);
}

static const oct_import_row rows[] = {
    /* operator, since; inputs min, max; outputs; constants, preferred (bits); attributes; handler, variant, flags */
    /* Opset 7 made broadcasting of C implicit, 11 made C optional. */
    {"Gemm", 7, 3, 3, 1, 0, 6, "alpha:f beta:f transA:i transB:i", lower_gemm, 0, 0},
    {"Gemm", 11, 2, 3, 1, 0, 6, "alpha:f beta:f transA:i transB:i", lower_gemm, 0, 0},
    {"MatMul", 1, 2, 2, 1, 0, 0, "", lower_matmul, 0, 0},
    /* Opset 7 dropped is_test, 9 spatial; 14 brought training_mode back and cut the outputs to three. */
    {"BatchNormalization", 7, 5, 5, 5, 30, 0, "epsilon:f momentum:f spatial:i", lower_batchnorm, 0, 0},
    {"BatchNormalization", 9, 5, 5, 5, 30, 0, "epsilon:f momentum:f", lower_batchnorm, 0, 0},
    {"BatchNormalization", 14, 5, 5, 3, 30, 0, "epsilon:f momentum:f training_mode:i", lower_batchnorm, 0, 0},
};

const oct_import_table oct_import_linear_ops = {rows, (int)(sizeof rows / sizeof rows[0])};

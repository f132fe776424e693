/* Second-order rounding of weights (E. Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
 * Transformers", 2022, after B. Hassibi and D. Stork, "Optimal Brain Surgeon", 1993).
 *
 * What counts is the error of a layer's output, (w' - w)^T H (w' - w), where H is the covariance of the inputs that the weights
 * meet. Weights are rounded one after the other, and each error is made good, as far as inputs hang together, by those still to
 * come:
 *
 *   e = (w[j] - s q[j]) / U[j][j]         w[k] -= e * U[j][k]  for k > j           U upper triangular, U^T U = H^-1
 *
 * With H = R R^T, R upper triangular (a Cholesky factorisation from the last row up), U is R^-1. The means of the inputs are left
 * out of H, because bias correction takes care of them; without it they stay in.
 *
 *   samples ──> float graph ──> columns that a layer's weights meet (every few places) ──> H ──> R ──> U ──> q
 */
#include <math.h>
#include <string.h>

#include "memory.h"
#include "quantize.h"
#include "status.h"

/* Matrices of at most this size are worked on; a layer with more inputs per output keeps the nearest integers. */
#define MOST_INPUTS 6144
/* Samples that are run again where it has to be quick. */
#define FEW_SAMPLES 8
/* Collected in one go over the samples. */
#define MATRIX_BYTES ((size_t)48 << 20)

typedef struct matrix_of_layer {
    int node;
    int64_t each, groups, inputs;   /* weights per output channel; inputs per tap and group */
    float *h;                       /* groups x each x each, upper triangles */
    float *mean;                    /* groups x each */
    float *column;                  /* each */
    int64_t places;                 /* columns that were added */
} matrix_of_layer;

typedef struct collector {
    const oct_graph *graph;
    int64_t sample, samples, every;   /* every so many of the kept samples */
    bool *chosen;                     /* per node: is to be rounded this way */
    int64_t spare;                    /* columns beyond one or two per unknown */
    matrix_of_layer *layers;
    int count;
} collector;

/* ---------------------------------------------------------------------------------------------------- collecting ---- */

static void add_column(matrix_of_layer *l, int64_t group)
{
    const int64_t k = l->each;
    const float *x = l->column;
    float *h = l->h + group * k * k, *mean = l->mean + group * k;
    for (int64_t i = 0; i < k; i++) {
        const float xi = x[i];
        mean[i] += xi;
        if (xi == 0)   /* half of all numbers behind a Relu */
            continue;
        float *row = h + i * k;
        for (int64_t j = i; j < k; j++)
            row[j] += xi * x[j];
    }
}

/* What the weights of one group meet at output place (n, oy, ox) of a convolution. */
static void gather(const oct_graph *graph, matrix_of_layer *l, const float *x, const int64_t *place, int64_t group)
{
    const oct_node *node = &graph->nodes[l->node];
    const oct_conv_attrs *a = &node->attrs.conv;
    const int64_t *in = graph->values[node->in[OCT_IN_X]].shape.dims;
    float *to = l->column;
    for (int32_t ky = 0; ky < a->kernel[0]; ky++)
        for (int32_t kx = 0; kx < a->kernel[1]; kx++, to += l->inputs) {
            const int64_t y = place[1] * a->stride[0] - a->pad[0] + ky * a->dilation[0];
            const int64_t z = place[2] * a->stride[1] - a->pad[1] + kx * a->dilation[1];
            const bool inside = y >= 0 && y < in[1] && z >= 0 && z < in[2];
            const int64_t at = ((place[0] * in[1] + y) * in[2] + z) * in[3] + group * l->inputs;
            for (int64_t i = 0; i < l->inputs; i++)
                to[i] = inside ? x[at + i] : 0;
        }
}

/* Every few output places, so that all samples together give somewhat more columns than there are unknowns. */
static void collect(const collector *c, matrix_of_layer *l, const float *x)
{
    const oct_node *node = &c->graph->nodes[l->node];
    const oct_shape *out = &c->graph->values[node->out[0]].shape;
    const int64_t all = oct_shape_product(out, 0, out->rank - 1);
    const int64_t wanted = (l->each + c->spare) / c->samples + 1;
    const int64_t stride = all > wanted ? all / wanted | 1 : 1;
    for (int64_t p = stride > 1 ? c->sample * 7 % stride : 0; p < all; p += stride) {
        l->places++;
        for (int64_t g = 0; g < l->groups; g++) {
            if (node->op == OCT_OP_DENSE) {
                memcpy(l->column, x + p * l->each, (size_t)l->each * sizeof *x);
            } else {
                const int64_t place[3] = {p / (out->dims[1] * out->dims[2]), p / out->dims[2] % out->dims[1], p % out->dims[2]};
                gather(c->graph, l, x, place, g);
            }
            add_column(l, g);
        }
    }
}

static void observe(void *arg, int value, const void *data)
{
    collector *c = arg;
    for (int i = 0; i < c->count; i++)
        if (c->graph->nodes[c->layers[i].node].in[OCT_IN_X] == value)
            collect(c, &c->layers[i], data);
}

/* ------------------------------------------------------------------------------------------------------- solving ---- */

enum { LANES = 16 };

static float dot(const float *a, const float *b, int64_t n)
{
    float lane[LANES] = {0}, sum = 0;
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int j = 0; j < LANES; j++)
            lane[j] += a[i + j] * b[i + j];
    for (; i < n; i++)
        sum += a[i] * b[i];
    for (int j = 0; j < LANES; j++)
        sum += lane[j];
    return sum;
}

/* H becomes the covariance (or the second moment), with a hundredth of its mean diagonal added: few samples leave directions open.
 * Returns false where there is nothing to go by. */
static bool finish_matrix(const matrix_of_layer *l, int64_t group, bool centred)
{
    const int64_t k = l->each;
    float *h = l->h + group * k * k;
    const float *mean = l->mean + group * k, count = (float)l->places;
    double trace = 0;
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = i; j < k; j++) {
            h[i * k + j] = h[i * k + j] / count - (centred ? (mean[i] / count) * (mean[j] / count) : 0);
            trace += i == j ? (double)h[i * k + j] : 0;
        }
    const float damping = (float)(0.01 * trace / (double)k);
    if (!(damping > 0) || !isfinite(damping))
        return false;
    for (int64_t i = 0; i < k; i++)
        h[i * k + i] += damping;
    return true;
}

/* H = R R^T in place, R upper triangular. Row i of R to the right of the diagonal is contiguous, so all sums are dot products. */
static bool factorise(float *h, int64_t k)
{
    for (int64_t j = k - 1; j >= 0; j--) {
        const float *row_j = h + j * k + j + 1;
        const float d = h[j * k + j] - dot(row_j, row_j, k - 1 - j);
        if (!(d > 0))
            return false;
        h[j * k + j] = sqrtf(d);
        for (int64_t i = 0; i < j; i++)
            h[i * k + j] = (h[i * k + j] - dot(h + i * k + j + 1, row_j, k - 1 - j)) / h[j * k + j];
    }
    return true;
}

/* R^-1 in place, from the last row up: row i of the inverse needs the rows of the inverse below it.
 * R U = 1:   U[i][.] = (e_i - sum_{m > i} R[i][m] U[m][.]) / R[i][i] */
static void invert(float *r, int64_t k, float *row)
{
    for (int64_t i = k - 1; i >= 0; i--) {
        memset(row, 0, (size_t)k * sizeof *row);
        row[i] = 1;
        for (int64_t m = i + 1; m < k; m++) {
            const float f = r[i * k + m];
            for (int64_t j = m; j < k; j++)
                row[j] -= f * r[m * k + j];
        }
        const float inverse = 1 / r[i * k + i];
        for (int64_t j = i; j < k; j++)
            r[i * k + j] = row[j] * inverse;
    }
}

/* `w` is a copy of one channel's weights, which change under way. */
static void round_channel(float *w, const float *u, int64_t k, float scale, int8_t *q)
{
    for (int64_t j = 0; j < k; j++) {
        const float x = nearbyintf(w[j] / scale);
        const float rounded = x > 127 ? 127 : x < -127 ? -127 : x;
        const float e = (w[j] - scale * rounded) / u[j * k + j];
        q[j] = (int8_t)rounded;
        for (int64_t i = j + 1; i < k; i++)
            w[i] -= e * u[j * k + i];
    }
}

/* Channels without a scale, and layers without a matrix, keep the nearest integers. */
static oct_status round_layer(oct_decisions *d, const oct_graph *graph, matrix_of_layer *l)
{
    oct_weight_choice *choice = &d->weights[l->node];
    const int w_value = graph->nodes[l->node].in[OCT_IN_W];
    const float *w = oct_f32_constant(graph, w_value);
    const int64_t k = l->each, channels = graph->values[w_value].shape.dims[0], per_group = channels / l->groups;
    int8_t *q = oct_alloc((size_t)(channels * k), sizeof *q);
    if (!q)
        return oct_fail_memory((size_t)(channels * k));
    bool good = l->places > 0;
    for (int64_t g = 0; good && g < l->groups; g++) {
        float *h = l->h + g * k * k;
        good = finish_matrix(l, g, choice->mean != NULL) && factorise(h, k);
        if (good)
            invert(h, k, l->column);
        for (int64_t c = g * per_group; good && c < (g + 1) * per_group; c++) {
            memcpy(l->column, w + c * k, (size_t)k * sizeof *w);
            if (choice->scale[c] > 0)
                round_channel(l->column, h, k, choice->scale[c], q + c * k);
        }
    }
    if (good)
        choice->q = q;
    else
        oct_free(q);
    return OCT_OK;
}

/* -------------------------------------------------------------------------------------------------------- layers ---- */

static void release(collector *c)
{
    for (int i = 0; i < c->count; i++) {
        oct_free(c->layers[i].h);
        oct_free(c->layers[i].mean);
        oct_free(c->layers[i].column);
    }
    c->count = 0;
}

static oct_status run_batch(oct_decisions *d, collector *c)
{
    for (c->sample = 0; c->sample < c->samples; c->sample++)
        OCT_TRY(oct_calibration_rerun(d->calibration, c->sample * c->every, observe, c));
    for (int i = 0; i < c->count; i++) {
        if (d->options.progress)
            d->options.progress(d->options.user, "rounding weights", c->layers[i].node, d->nodes);
        OCT_TRY(round_layer(d, c->graph, &c->layers[i]));
    }
    return OCT_OK;
}

static oct_status open_layer(collector *c, int n)
{
    const oct_node *node = &c->graph->nodes[n];
    const oct_shape *shape = &c->graph->values[node->in[OCT_IN_W]].shape;
    matrix_of_layer *l = &c->layers[c->count++];
    *l = (matrix_of_layer){.node = n, .each = oct_shape_product(shape, 1, shape->rank), .inputs = shape->dims[shape->rank - 1]};
    l->groups = node->op == OCT_OP_CONV ? node->attrs.conv.groups : 1;
    l->h = oct_alloc((size_t)(l->groups * l->each * l->each), sizeof *l->h);
    l->mean = oct_alloc((size_t)(l->groups * l->each), sizeof *l->mean);
    l->column = oct_alloc((size_t)l->each, sizeof *l->column);
    return l->h && l->mean && l->column ? OCT_OK : oct_fail_memory((size_t)(l->groups * l->each * l->each) * sizeof *l->h);
}

static size_t matrix_bytes(const oct_graph *graph, const oct_node *node)
{
    const oct_shape *shape = &graph->values[node->in[OCT_IN_W]].shape;
    const size_t each = (size_t)oct_shape_product(shape, 1, shape->rank);
    return each * each * sizeof(float) * (size_t)(node->op == OCT_OP_CONV ? node->attrs.conv.groups : 1);
}

/* As many layers at a time as there is room for their matrices, but at least one. */
static oct_status round_all(oct_decisions *d, collector *c)
{
    size_t bytes = 0;
    for (int n = 0; n < d->nodes; n++) {
        const oct_node *node = &c->graph->nodes[n];
        if (!c->chosen[n])
            continue;
        const size_t more = matrix_bytes(c->graph, node);
        if (c->count > 0 && bytes + more > MATRIX_BYTES) {
            OCT_TRY(run_batch(d, c));
            release(c);
            bytes = 0;
        }
        bytes += more;
        OCT_TRY(open_layer(c, n));
    }
    return c->count > 0 ? run_batch(d, c) : OCT_OK;
}

/* Roughly how many multiplications a layer takes: its columns, the two triangular passes, its channels. */
static double work_of(const collector *c, int n)
{
    const oct_node *node = &c->graph->nodes[n];
    const oct_shape *w = &c->graph->values[node->in[OCT_IN_W]].shape, *out = &c->graph->values[node->out[0]].shape;
    const double k = (double)oct_shape_product(w, 1, w->rank), groups = node->op == OCT_OP_CONV ? node->attrs.conv.groups : 1;
    const double places = (double)(oct_shape_product(out, 0, out->rank - 1) * c->samples);
    const double columns = fmin(places, k + (double)c->spare);
    return groups * (columns * k * k / 2 + 0.7 * k * k * k) + (double)w->dims[0] * k * k / 2;
}

/* The default: the layers that take least work, as many as fit into about half a second of it. The matrices of those that fit are
 * small. */
#define WORK 2.5e9

static void choose_cheap(const oct_decisions *d, collector *c)
{
    double left = WORK;
    for (;;) {
        int cheapest = -1;
        double least = left;
        for (int n = 0; n < d->nodes; n++)
            if (d->weights[n].scale && !c->chosen[n] && work_of(c, n) <= least) {
                cheapest = n;
                least = work_of(c, n);
            }
        if (cheapest < 0)
            return;
        c->chosen[cheapest] = true;
        left -= least;
    }
}

static void choose_all(const oct_decisions *d, collector *c)
{
    for (int n = 0; n < d->nodes; n++)
        c->chosen[n] = d->weights[n].scale &&
                       matrix_bytes(c->graph, &c->graph->nodes[n]) <= (size_t)MOST_INPUTS * MOST_INPUTS * sizeof(float);
}

oct_status oct_round_second_order(oct_decisions *d, bool everything)
{
    const int64_t kept = oct_calibration_kept(d->calibration);
    collector c = {.graph = oct_calibration_graph(d->calibration), .samples = kept, .every = 1, .spare = 1024};
    if (everything) {
        c.spare = 4096;
    } else if (kept > FEW_SAMPLES) {
        c.every = kept / FEW_SAMPLES;
        c.samples = FEW_SAMPLES;
    }
    if (kept == 0)
        return everything ? oct_fail(OCT_ERR_ARGUMENT, "rounding gptq takes calibration samples, and there are none") : OCT_OK;
    c.layers = oct_alloc((size_t)d->nodes, sizeof *c.layers);
    c.chosen = oct_alloc((size_t)d->nodes, sizeof *c.chosen);
    oct_status status = c.layers && c.chosen ? OCT_OK : oct_fail_memory((size_t)d->nodes * sizeof *c.layers);
    if (status == OCT_OK) {
        (everything ? choose_all : choose_cheap)(d, &c);
        status = round_all(d, &c);
    }
    release(&c);
    oct_free(c.layers);
    oct_free(c.chosen);
    return status;
}

/* Bias correction (M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019, section 4.2).
 *
 * Rounding a channel's weights adds  sum (w' - w)[i] x[i]  to its output. The inputs behind a Relu are positive, so this is no
 * noise around 0: its mean,  sum (w' - w)[i] E x[i],  is known as soon as the means of the inputs are, and is taken off the bias.
 */
#include <math.h>

#include "memory.h"
#include "quantize.h"
#include "status.h"

/* Which share of the windows finds place k of the kernel inside the picture, along one axis. */
static double share_inside(int64_t in, int64_t out, int32_t stride, int32_t dilation, int32_t pad, int32_t k)
{
    int64_t inside = 0;
    for (int64_t o = 0; o < out; o++) {
        const int64_t at = o * stride - pad + (int64_t)k * dilation;
        inside += at >= 0 && at < in;
    }
    return out > 0 ? (double)inside / (double)out : 0;
}

/* The padding's zeros belong to the mean of what a weight meets. */
static double share_of_tap(const oct_graph *graph, const oct_node *node, int64_t tap)
{
    if (node->op != OCT_OP_CONV)
        return 1;
    const oct_conv_attrs *a = &node->attrs.conv;
    const int64_t *in = graph->values[node->in[OCT_IN_X]].shape.dims, *out = graph->values[node->out[0]].shape.dims;
    const int32_t y = (int32_t)(tap / a->kernel[1]), x = (int32_t)(tap % a->kernel[1]);
    return share_inside(in[1], out[1], a->stride[0], a->dilation[0], a->pad[0], y) *
           share_inside(in[2], out[2], a->stride[1], a->dilation[1], a->pad[1], x);
}

/* A channel's weights lie tap by tap, each with all inputs of the group. *mean stays NULL where nothing is known. */
oct_status oct_weight_means(const oct_graph *graph, int n, const oct_value_stats *x, float **mean)
{
    const oct_node *node = &graph->nodes[n];
    const oct_shape *shape = &graph->values[node->in[OCT_IN_W]].shape;
    const int64_t each = oct_shape_product(shape, 1, shape->rank), inputs = shape->dims[shape->rank - 1];
    const int64_t groups = node->op == OCT_OP_CONV ? node->attrs.conv.groups : 1;
    *mean = NULL;
    if (x->rows <= 0 || x->channels != groups * inputs)
        return OCT_OK;
    *mean = oct_alloc((size_t)(groups * each), sizeof **mean);
    if (!*mean)
        return oct_fail_memory((size_t)(groups * each) * sizeof **mean);
    for (int64_t tap = 0; tap < each / inputs; tap++) {
        const double share = share_of_tap(graph, node, tap);
        for (int64_t g = 0; g < groups; g++)
            for (int64_t i = 0; i < inputs; i++)
                (*mean)[g * each + tap * inputs + i] = (float)(share * x->sum[g * inputs + i] / x->rows);
    }
    return OCT_OK;
}

double oct_mean_error(const float *w, const int8_t *q, float scale, const float *mean, int64_t count)
{
    double sum = 0;
    for (int64_t i = 0; i < count; i++)
        sum += ((double)scale * q[i] - (double)w[i]) * (double)mean[i];
    return sum;
}

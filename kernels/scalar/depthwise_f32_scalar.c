/* depthwise_f32_scalar.c - f32 depthwise convolution, plain C: THE SPECIFICATION. Accepts every depthwise shape, also with a
 * channel multiplier (out_c = in_c * multiplier; output channel o reads input channel o / multiplier).
 *
 *   out[y][x][o] = clamp(bias[o] + sum over taps (ky, kx) inside the image of  in[y'][x'][o / multiplier] * w[ky][kx][o])
 *       y' = y * stride_h - pad_top + ky * dilation_h,    x' likewise
 *
 * Packed, weights turned so that channels are neighbours:  | w: tap 0: o = 0..out_c-1 | tap 1 | .. | bias: o = 0..out_c-1 |
 *
 * A block of CHANNELS accumulators is carried over all taps of one output pixel; taps outside the image add nothing.
 */
#include "scalar.h"
#include "epilogue_scalar.h"

enum { CHANNELS = 32 };

/* As the last entry of every list it must take all that is depthwise: every group one input channel, whole multiples out. */
bool oct_depthwise_accepts_scalar(const oct_conv_shape *s) { return s->groups == s->in_c && s->out_c % s->in_c == 0; }

/* Everything fits in registers and stack. */
size_t oct_depthwise_scratch_bytes_scalar(const oct_conv_shape *s)
{
    (void)s;
    return 0;
}

/* The taps, and one more row for the bias. */
size_t oct_depthwise_f32_packed_bytes_scalar(const oct_conv_shape *s)
{
    return (s->kernel_h * s->kernel_w + 1) * s->out_c * sizeof(float);
}

/* [out_c][taps] -> [taps][out_c] */
void oct_depthwise_f32_pack_scalar(const oct_conv_shape *s, const oct_depthwise_params *params, void *packed)
{
    const size_t taps = s->kernel_h * s->kernel_w;
    const float *w = params->weights;
    float *p = packed;
    for (size_t tap = 0; tap < taps; tap++)
        for (size_t o = 0; o < s->out_c; o++)
            p[tap * s->out_c + o] = w[o * taps + tap];
    for (size_t o = 0; o < s->out_c; o++)
        p[taps * s->out_c + o] = params->bias ? params->bias[o] : 0.0f;
}

/* One output pixel, channels o0 .. o0 + n - 1. `image`: the batch item's first pixel. */
static void pixel(const oct_depthwise_job *job, const float *image, size_t oy, size_t ox, size_t o0, size_t n,
                  const oct_epilogue *e)
{
    const oct_conv_shape *s = job->shape;
    const size_t multiplier = s->out_c / s->in_c;
    /* 1. Accumulators start at zero; the bias joins in the epilogue. */
    float acc[CHANNELS] = {0};
    const float *w = (const float *)job->packed + o0;

    for (size_t ky = 0; ky < s->kernel_h; ky++) {
        for (size_t kx = 0; kx < s->kernel_w; kx++, w += s->out_c) {
            /* 2. Where this tap reads. Places left of or above the image wrap to huge values: one comparison for both sides. */
            const size_t y = oy * s->stride_h + ky * s->dilation_h - s->pad_top;
            const size_t x = ox * s->stride_w + kx * s->dilation_w - s->pad_left;
            if (y >= s->in_h || x >= s->in_w)
                continue;
            const float *in = image + (y * s->in_w + x) * s->in_c;
            /* 3. Multiply, add, channel by channel. */
            if (multiplier == 1)
                for (size_t c = 0; c < n; c++)
                    acc[c] += in[o0 + c] * w[c];
            else
                for (size_t c = 0; c < n; c++)
                    acc[c] += in[(o0 + c) / multiplier] * w[c];
        }
    }
    /* 4. Epilogue. */
    oct_finish_f32(e, 0, n, acc);
}

/* Rows are counted over the whole batch: row / out_h is the image, row % out_h the line in it. */
void oct_depthwise_f32_scalar(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    (void)scratch;
    const oct_conv_shape *s = job->shape;
    const float *bias = (const float *)job->packed + s->kernel_h * s->kernel_w * s->out_c;
    oct_epilogue e = job->e;
    for (size_t row = row_begin; row < row_end; row++) {
        const float *image = (const float *)job->in + row / s->out_h * s->in_h * s->in_w * s->in_c;
        for (size_t ox = 0; ox < s->out_w; ox++) {
            for (size_t o = 0; o < s->out_c; o += CHANNELS) {
                const size_t n = s->out_c - o < CHANNELS ? s->out_c - o : CHANNELS;
                e.bias = bias + o;
                e.out = oct_out_at(&job->e, row * s->out_w + ox, o);
                pixel(job, image, row % s->out_h, ox, o, n, &e);
            }
        }
    }
}

/* depthwise_u8s8_scalar.c - u8 x s8 depthwise convolution, plain C: THE SPECIFICATION. Every twin gives the same bits. Accepts
 * every depthwise shape, also with a channel multiplier (output channel o reads input channel o / multiplier).
 *
 *   acc[o] = acc_bias[o] + sum over all taps (ky, kx) of  in[y'][x'][o / multiplier] * w[ky][kx][o]
 *       y' = y * stride_h - pad_top + ky * dilation_h,    x' likewise;    outside the image in[..] is in_zero
 *   out[o] = clamp(rne((float)acc * mult[o]) + out_zero)              or f32: epilogue_scalar.h
 *
 * Packed:  | acc_bias s32[out_c] | mult f32[out_c] | bias f32[out_c] | w: tap 0: o = 0..out_c-1 | tap 1 | .. |
 *
 * Ranges: as in gemm_u8s8_scalar.c with k = 1: |sum| <= |bias| + 255 * sum |w| < 2^31, proved by the packer's caller. acc counts
 * modulo 2^32, as every twin's instructions do: a partial sum may leave the range where acc_bias was made with another zero
 * point, the final one does not.
 */
#include <string.h>

#include "scalar.h"
#include "epilogue_scalar.h"

enum { CHANNELS = 32, PARAMETERS = 3 };

/* The parameters come first: they are four bytes wide and need their alignment, the weights need none. */
size_t oct_depthwise_u8s8_packed_bytes_scalar(const oct_conv_shape *s)
{
    return s->out_c * (PARAMETERS * sizeof(float) + s->kernel_h * s->kernel_w);
}

/* [out_c][taps] -> [taps][out_c], behind the three parameter arrays. */
void oct_depthwise_u8s8_pack_scalar(const oct_conv_shape *s, const oct_depthwise_params *params, void *packed)
{
    const size_t taps = s->kernel_h * s->kernel_w;
    const int8_t *w = params->weights;
    int32_t *acc_bias = packed;
    float *mult = (float *)packed + s->out_c, *bias = mult + s->out_c;
    int8_t *p = (int8_t *)packed + PARAMETERS * s->out_c * sizeof(float);
    for (size_t o = 0; o < s->out_c; o++) {
        acc_bias[o] = params->acc_bias[o];
        mult[o] = params->mult[o];
        bias[o] = params->bias ? params->bias[o] : 0.0f;
    }
    for (size_t tap = 0; tap < taps; tap++)
        for (size_t o = 0; o < s->out_c; o++)
            p[tap * s->out_c + o] = w[o * taps + tap];
}

/* One output pixel, channels o0 .. o0 + n - 1. `image`: the batch item's first pixel; `e`: all pointers at channel o0. */
static void pixel(const oct_depthwise_job *job, const uint8_t *image, size_t oy, size_t ox, size_t o0, size_t n,
                  const oct_epilogue *e)
{
    const oct_conv_shape *s = job->shape;
    const size_t multiplier = s->out_c / s->in_c;
    /* 1. Accumulators start at acc_bias. */
    uint32_t acc[CHANNELS];
    for (size_t c = 0; c < n; c++)
        acc[c] = (uint32_t)e->acc_bias[c];
    const int8_t *w = (const int8_t *)job->packed + PARAMETERS * s->out_c * sizeof(float) + o0;

    for (size_t ky = 0; ky < s->kernel_h; ky++) {
        for (size_t kx = 0; kx < s->kernel_w; kx++, w += s->out_c) {
            /* 2. Where this tap reads. Places left of or above the image wrap to huge values: one comparison for both sides. */
            const size_t y = oy * s->stride_h + ky * s->dilation_h - s->pad_top;
            const size_t x = ox * s->stride_w + kx * s->dilation_w - s->pad_left;
            if (y >= s->in_h || x >= s->in_w) {
                /* A padded tap holds in_zero: acc_bias already has the term that cancels it. */
                for (size_t c = 0; c < n; c++)
                    acc[c] += (uint32_t)(job->in_zero * w[c]);
                continue;
            }
            const uint8_t *in = image + (y * s->in_w + x) * s->in_c;
            /* 3. Multiply, add, channel by channel. */
            if (multiplier == 1)
                for (size_t c = 0; c < n; c++)
                    acc[c] += (uint32_t)(in[o0 + c] * w[c]);
            else
                for (size_t c = 0; c < n; c++)
                    acc[c] += (uint32_t)(in[(o0 + c) / multiplier] * w[c]);
        }
    }
    /* 4. Epilogue: the sums modulo 2^32 are the sums. */
    int32_t sums[CHANNELS];
    memcpy(sums, acc, n * sizeof(sums[0]));
    oct_finish_s32(e, 0, n, sums);
}

/* Rows are counted over the whole batch: row / out_h is the image, row % out_h the line in it. */
void oct_depthwise_u8s8_scalar(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    (void)scratch;
    const oct_conv_shape *s = job->shape;
    const int32_t *acc_bias = job->packed;
    const float *mult = (const float *)job->packed + s->out_c, *bias = mult + s->out_c;
    oct_epilogue e = job->e;
    for (size_t row = row_begin; row < row_end; row++) {
        const uint8_t *image = (const uint8_t *)job->in + row / s->out_h * s->in_h * s->in_w * s->in_c;
        for (size_t ox = 0; ox < s->out_w; ox++) {
            for (size_t o = 0; o < s->out_c; o += CHANNELS) {
                const size_t n = s->out_c - o < CHANNELS ? s->out_c - o : CHANNELS;
                e.acc_bias = acc_bias + o;
                e.mult = mult + o;
                e.bias = bias + o;
                e.out = oct_out_at(&job->e, row * s->out_w + ox, o);
                pixel(job, image, row % s->out_h, ox, o, n, &e);
            }
        }
    }
}

/* depthwise_f32_neon.c - f32 depthwise convolution on NEON, any window, channel multiplier 1: 4 pixels x 8 channels.
 *
 *   acc[p][c] = bias[c] + sum over the taps inside the image of in[y'][x'(p)][c] * w[ky][kx][c]         then the epilogue
 *
 * Registers (32): 4 x 2 accumulators, 2 of w, 2 of in. One load of w serves four neighbouring pixels of the row:
 *
 *   w[ky][kx][0..7]  x  in[y'][x'     ][0..7]  ->  acc[0]
 *                    x  in[y'][x' +  s][0..7]  ->  acc[1]          8 fmla for 10 loads
 *                    x  in[y'][x' + 2s][0..7]  ->  acc[2]
 *                    x  in[y'][x' + 3s][0..7]  ->  acc[3]
 *
 * Taps outside the image are left out: they would add exact zeros. Packed: | bias[C8] | w: tap 0 [C8] | tap 1 | .. |, C8 = C
 * rounded up to 8.
 */
#include "depthwise_neon.h"
#include "epilogue_neon.h"
#include "neon.h"

static size_t packed_bytes(const oct_conv_shape *s)
{
    return padded_channels(s) * (1 + s->kernel_h * s->kernel_w) * sizeof(float);
}

static void pack(const oct_conv_shape *s, const oct_depthwise_params *params, void *packed)
{
    const size_t taps = s->kernel_h * s->kernel_w, c8 = padded_channels(s);
    float *p = packed;
    memset(p, 0, packed_bytes(s));
    for (size_t c = 0; c < s->out_c; c++) {
        p[c] = params->bias[c];
        for (size_t tap = 0; tap < taps; tap++)
            p[(1 + tap) * c8 + c] = ((const float *)params->weights)[c * taps + tap];
    }
}

/* `pixels` neighbouring output pixels, channels c .. c + 7, of which n exist. */
OCT_INLINE void pixels_f32(const oct_depthwise_job *job, const window *at, size_t c, size_t n, const oct_epilogue *e, size_t pixels)
{
    const oct_conv_shape *s = job->shape;
    const size_t c8 = padded_channels(s), next = s->stride_w * s->in_c;
    const float *bias = (const float *)job->packed + c;
    float32x4_t acc[PIXELS][VECTORS];
    OCT_UNROLLED
    for (size_t p = 0; p < pixels; p++)
        OCT_UNROLLED
        for (size_t v = 0; v < VECTORS; v++)
            acc[p][v] = vld1q_f32(bias + 4 * v);
    const size_t column = s->dilation_w * s->in_c, row = s->dilation_h * s->in_w * s->in_c;
    for (size_t ky = at->ky.begin; ky < at->ky.end; ky++) {
        const size_t first = ((size_t)at->y * s->in_w + (size_t)at->x) * s->in_c + ky * row + at->kx.begin * column;
        const float *in = (const float *)at->image + first + c, *w = bias + (1 + ky * s->kernel_w + at->kx.begin) * c8;
        for (size_t kx = at->kx.begin; kx < at->kx.end; kx++, in += column, w += c8) {
            OCT_UNROLLED
            for (size_t v = 0; v < VECTORS; v++) {
                const float32x4_t wv = vld1q_f32(w + 4 * v);
                if (4 * v < n)
                    OCT_UNROLLED
                    for (size_t p = 0; p < pixels; p++)
                        acc[p][v] = vfmaq_f32(acc[p][v], wv, load_f32x4(in + p * next + 4 * v, at_most_4(n - 4 * v)));
            }
        }
    }
    /* unrolled: an array that is indexed at run time would live in memory, and be written to after every tap */
    OCT_UNROLLED
    for (size_t p = 0; p < pixels; p++)
        OCT_UNROLLED
        for (size_t v = 0; v < VECTORS; v++)
            if (4 * v < n)
                finish_f32x4(e, p, c + 4 * v, at_most_4(n - 4 * v), acc[p][v]);
}

static void block(const oct_depthwise_job *job, const window *at, size_t c, size_t n, const oct_epilogue *e, size_t pixels)
{
    if (pixels == PIXELS)
        pixels_f32(job, at, c, CHANNELS, e, PIXELS);
    else if (n == CHANNELS)
        pixels_f32(job, at, c, CHANNELS, e, 1);
    else
        pixels_f32(job, at, c, n, e, 1);
}

static void run(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    (void)scratch;
    depthwise_rows(job, row_begin, row_end, sizeof(float), block);
}

const oct_depthwise_entry oct_depthwise_f32_neon = {accepts_multiplier_1, packed_bytes, pack, no_scratch, run, "neon 4 pixels"};

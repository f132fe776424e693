/* depthwise_u8s8_neon.c - exact u8 x s8 depthwise convolution on NEON, any window, channel multiplier 1: 4 pixels x 8 channels.
 *
 *   acc[p][c] = acc_bias[c] + sum over all taps of in[y'][x'(p)][c] * w[ky][kx][c]       outside the image in = in_zero; then
 *      requantisation
 *
 *   in   8 channels of u8, one load, ushll:   | c0 .. c7 |  s16 in [0, 255]
 *   w    8 channels of s16 (widened by the packer), in [-127, 127]
 *   smlal, smlal2                             acc c0..c3, c4..c7 += in * w        8 products in 2 instructions
 *
 * Registers (32): 4 x 2 accumulators, 1 of w, 2 of in. One load of w serves four neighbouring pixels: 8 smlal for 5 loads and 4
 * ushll. Ranges: products at most 255 * 127 in size, in s32; the sums are modulo 2^32 and end in range (oct_gemm_provable).
 * Packed: | acc_bias s32[C8] | mult f32[C8] | bias f32[C8] | w s16: tap 0 [C8] | tap 1 | .. |, C8 = C rounded up to 8.
 */
#include "depthwise_neon.h"
#include "epilogue_neon.h"
#include "neon.h"

enum { PARAMETERS = 3 };

static size_t packed_bytes(const oct_conv_shape *s)
{
    return padded_channels(s) * (PARAMETERS * sizeof(float) + s->kernel_h * s->kernel_w * sizeof(int16_t));
}

static void pack(const oct_conv_shape *s, const oct_depthwise_params *params, void *packed)
{
    const size_t taps = s->kernel_h * s->kernel_w, c8 = padded_channels(s);
    int32_t *acc_bias = packed;
    float *mult = (float *)packed + c8, *bias = mult + c8;
    int16_t *w = (int16_t *)(void *)(bias + c8);
    memset(packed, 0, packed_bytes(s));
    for (size_t c = 0; c < s->out_c; c++) {
        acc_bias[c] = params->acc_bias[c];
        mult[c] = params->mult[c];
        bias[c] = params->bias ? params->bias[c] : 0.0f;
        for (size_t tap = 0; tap < taps; tap++)
            w[tap * c8 + c] = ((const int8_t *)params->weights)[c * taps + tap];
    }
}

OCT_INLINE int16x8_t load_widened(const uint8_t *in, size_t n)
{
    if (n == CHANNELS)
        return vreinterpretq_s16_u16(vmovl_u8(vld1_u8(in)));
    uint8_t part[CHANNELS] = {0};
    memcpy(part, in, n);
    return vreinterpretq_s16_u16(vmovl_u8(vld1_u8(part)));
}

OCT_INLINE void pixels_u8(const oct_depthwise_job *job, const window *at, size_t c, size_t n, const oct_epilogue *e, size_t pixels)
{
    const oct_conv_shape *s = job->shape;
    const size_t c8 = padded_channels(s), next = s->stride_w * s->in_c;
    const int32_t *acc_bias = (const int32_t *)job->packed + c;
    const int16_t *w = (const int16_t *)job->packed + 2 * PARAMETERS * c8 + c;
    const int16x8_t zero = vdupq_n_s16(job->in_zero);
    int32x4_t acc[PIXELS][VECTORS];
    OCT_UNROLLED
    for (size_t p = 0; p < pixels; p++)
        OCT_UNROLLED
        for (size_t v = 0; v < VECTORS; v++)
            acc[p][v] = vld1q_s32(acc_bias + 4 * v);
    const size_t column = s->dilation_w * s->in_c, row = s->dilation_h * s->in_w * s->in_c;
    for (size_t ky = 0; ky < s->kernel_h; ky++) {
        const bool row_inside = ky >= at->ky.begin && ky < at->ky.end;
        size_t tap =
            ((size_t)at->y * s->in_w + (size_t)at->x) * s->in_c + ky * row + c; /* wraps outside the image, where it is not used */
        for (size_t kx = 0; kx < s->kernel_w; kx++, w += c8, tap += column) {
            const bool outside = !row_inside || kx < at->kx.begin || kx >= at->kx.end;
            const uint8_t *in = outside ? NULL : (const uint8_t *)at->image + tap;
            const int16x8_t wv = vld1q_s16(w);
            OCT_UNROLLED
            for (size_t p = 0; p < pixels; p++) {
                const int16x8_t a = outside ? zero : load_widened(in + p * next, n);
                acc[p][0] = vmlal_s16(acc[p][0], vget_low_s16(a), vget_low_s16(wv));
                acc[p][1] = vmlal_high_s16(acc[p][1], a, wv);
            }
        }
    }
    /* unrolled: an array that is indexed at run time would live in memory, and be written to after every tap */
    OCT_UNROLLED
    for (size_t p = 0; p < pixels; p++)
        OCT_UNROLLED
        for (size_t v = 0; v < VECTORS; v++)
            if (4 * v < n)
                finish_s32x4(e, p, c + 4 * v, at_most_4(n - 4 * v), acc[p][v]);
}

static void block(const oct_depthwise_job *job, const window *at, size_t c, size_t n, const oct_epilogue *e, size_t pixels)
{
    oct_epilogue here = *e;
    here.mult = (const float *)job->packed + padded_channels(job->shape);
    here.bias = here.mult + padded_channels(job->shape);
    if (pixels == PIXELS)
        pixels_u8(job, at, c, CHANNELS, &here, PIXELS);
    else if (n == CHANNELS)
        pixels_u8(job, at, c, CHANNELS, &here, 1);
    else
        pixels_u8(job, at, c, n, &here, 1);
}

static void run(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    (void)scratch;
    depthwise_rows(job, row_begin, row_end, 1, block);
}

const oct_depthwise_entry oct_depthwise_u8s8_neon = {accepts_multiplier_1, packed_bytes, pack, no_scratch, run, "neon 4 pixels"};

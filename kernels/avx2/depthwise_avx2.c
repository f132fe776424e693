/* depthwise_avx2.c - which depthwise shapes the kernels of this folder take, and the packing of f32 weights. */
#include "avx2.h"
#include "pixels_avx2.h"

/* One input channel per output channel, and enough of them for a vector. */
bool oct_depthwise_accepts_general_avx2(const oct_conv_shape *s)
{
    return s->groups == s->in_c && s->out_c == s->in_c && s->in_c >= 8;
}

/* No output pixel lies a whole kernel outside: the tiles then know which of their columns can be padding. */
static bool pads_are_short(const oct_conv_shape *s)
{
    return s->pad_left < s->kernel_w && (s->out_w - 1) * s->stride_w < s->in_w + s->pad_left;
}

/* What the kernels for one size and stride ask. */
static bool is_square(const oct_conv_shape *s, size_t kernel, size_t stride)
{
    return oct_depthwise_accepts_general_avx2(s) && s->kernel_h == kernel && s->kernel_w == kernel && s->stride_h == stride &&
           s->stride_w == stride && s->dilation_h == 1 && s->dilation_w == 1 && pads_are_short(s);
}

bool oct_depthwise_accepts_3x3s1_avx2(const oct_conv_shape *s) { return is_square(s, 3, 1); }
bool oct_depthwise_accepts_3x3s2_avx2(const oct_conv_shape *s) { return is_square(s, 3, 2); }
bool oct_depthwise_accepts_5x5s1_avx2(const oct_conv_shape *s) { return is_square(s, 5, 1); }
bool oct_depthwise_accepts_5x5s2_avx2(const oct_conv_shape *s) { return is_square(s, 5, 2); }

/* The f32 kernels work in registers alone. */
size_t oct_depthwise_no_scratch_avx2(const oct_conv_shape *s)
{
    (void)s;
    return 0;
}

/* | bias[8] | tap 0: w[8] | tap 1 | .. | per block of 8 channels */
size_t oct_depthwise_f32_packed_bytes_avx2(const oct_conv_shape *s)
{
    return block_count(s->in_c) * 8 * (1 + s->kernel_h * s->kernel_w) * sizeof(float);
}

void oct_depthwise_f32_pack_avx2(const oct_conv_shape *s, const oct_depthwise_params *params, void *packed)
{
    const size_t taps = s->kernel_h * s->kernel_w;
    const float *w = params->weights;
    float *to = packed;
    for (size_t b = 0; b < block_count(s->in_c); b++) {
        const size_t c0 = block_channel(s->in_c, b);
        /* bias */
        for (size_t c = c0; c < c0 + 8; c++)
            *to++ = params->bias ? params->bias[c] : 0.0f;
        /* weights: OHWI turned so that channels are neighbours */
        for (size_t tap = 0; tap < taps; tap++)
            for (size_t c = c0; c < c0 + 8; c++)
                *to++ = w[c * taps + tap];
    }
}

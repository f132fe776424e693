/* resize_neon.c - one row of a resized picture, f32 and u8 (kernels.h, oct_resize_job, has the formulas).
 *
 *   four pixels -> | 8 channels u8  or  4 channels f32 |     times four weights, which all channels of an output pixel share;
 *                  | ..                                |     the rest that fills no block goes channel by channel
 *
 * Ranges (u8): the weights are 0..2^14 and add up to 2^14 (scalar kernel), so they fit u16 and the sum of products, at most 255 *
 * 2^14, fits u32. The rounding narrowing shift adds 2^13 and shifts by 14: 0..255, which fits any narrower type.
 * Bound: four loads and one store per block.
 */
#include <arm_neon.h>
#include <string.h>

#include "epilogue_neon.h"
#include "neon.h"

/* Blocks of 16 bytes; the last one of a pixel may overlap the one before it. */
static void copy_pixel(size_t bytes, const uint8_t *in, uint8_t *out)
{
    size_t i = 0;
    for (; i + 16 <= bytes; i += 16)
        vst1q_u8(out + i, vld1q_u8(in + i));
    if (i < bytes && bytes >= 16)
        vst1q_u8(out + bytes - 16, vld1q_u8(in + bytes - 16));
    else
        memcpy(out + i, in + i, bytes - i);
}

void oct_gather_pixels_neon(size_t pixels, size_t pixel_bytes, const void *row, const oct_resize_tap *x, void *out)
{
    for (size_t p = 0; p < pixels; p++)
        copy_pixel(pixel_bytes, (const uint8_t *)row + x[p].first * pixel_bytes, (uint8_t *)out + p * pixel_bytes);
}

void oct_resize_linear_f32_neon(const oct_resize_job *job)
{
    float *out = job->out;
    for (size_t p = 0; p < job->pixels; p++, out += job->c) {
        const size_t left = job->x[p].first * job->c, right = job->x[p].second * job->c;
        const float *a = (const float *)job->row0 + left, *b = (const float *)job->row0 + right;
        const float *c = (const float *)job->row1 + left, *d = (const float *)job->row1 + right;
        const float w = job->weight, v = job->x[p].weight;
        const float wa = (1 - w) * (1 - v), wb = (1 - w) * v, wc = w * (1 - v), wd = w * v;
        for (size_t i = 0; i < job->c; i += 4) {
            const size_t n = job->c - i < 4 ? job->c - i : 4;
            float32x4_t y = vmulq_n_f32(load_f32x4(a + i, n), wa);
            y = vfmaq_n_f32(y, load_f32x4(b + i, n), wb);
            y = vfmaq_n_f32(y, load_f32x4(c + i, n), wc);
            store_f32x4(out + i, vfmaq_n_f32(y, load_f32x4(d + i, n), wd), n);
        }
    }
}

/* The four neighbours of an output pixel at its channel 0, and their weights. */
typedef struct corners {
    const uint8_t *in[4];
    uint16_t weight[4];
} corners;

static corners corners_of(const oct_resize_job *job, const oct_resize_tap *x)
{
    const uint8_t *row0 = job->row0, *row1 = job->row1;
    const size_t left = x->first * job->c, right = x->second * job->c;
    const int32_t w = job->weight_q14, v = x->weight_q14;
    const int32_t wd = (w * v + (1 << 13)) >> 14, wb = v - wd, wc = w - wd, wa = (1 << 14) - w - wb;
    return (corners){{row0 + left, row0 + right, row1 + left, row1 + right},
                     {(uint16_t)wa, (uint16_t)wb, (uint16_t)wc, (uint16_t)wd}};
}

/* Eight channels. */
OCT_INLINE void blend_8(const corners *k, size_t i, uint8_t *out)
{
    const uint16x8_t a = vmovl_u8(vld1_u8(k->in[0] + i));
    uint32x4_t low = vmull_n_u16(vget_low_u16(a), k->weight[0]), high = vmull_n_u16(vget_high_u16(a), k->weight[0]);
    OCT_UNROLLED
    for (int j = 1; j < 4; j++) {
        const uint16x8_t x = vmovl_u8(vld1_u8(k->in[j] + i));
        low = vmlal_n_u16(low, vget_low_u16(x), k->weight[j]);
        high = vmlal_n_u16(high, vget_high_u16(x), k->weight[j]);
    }
    vst1_u8(out + i, vmovn_u16(vcombine_u16(vrshrn_n_u32(low, 14), vrshrn_n_u32(high, 14))));
}

static void blend_rest(const corners *k, size_t i, size_t channels, uint8_t *out)
{
    for (; i < channels; i++) {
        uint32_t sum = 1u << 13;
        for (int j = 0; j < 4; j++)
            sum += (uint32_t)k->in[j][i] * k->weight[j];
        out[i] = (uint8_t)(sum >> 14);
    }
}

void oct_resize_linear_u8_neon(const oct_resize_job *job)
{
    uint8_t *out = job->out;
    for (size_t p = 0; p < job->pixels; p++, out += job->c) {
        const corners k = corners_of(job, &job->x[p]);
        size_t i = 0;
        for (; i + 8 <= job->c; i += 8)
            blend_8(&k, i, out);
        blend_rest(&k, i, job->c, out);
    }
}

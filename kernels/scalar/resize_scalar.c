/* resize_scalar.c - one row of a resized picture, plain C: THE SPECIFICATION (kernels.h, oct_resize_job, has the formulas).
 *
 *   row0   | pixel 0 | pixel 1 | pixel 2 | ..        an output pixel is one input pixel (gather), or lies between two neighbours of
 *   row1   | pixel 0 | pixel 1 | pixel 2 | ..          each of two rows (linear); all its channels have the same four weights
 *
 * The two axes' weights are multiplied once per pixel, so that a channel costs four products, and is rounded once.
 */
#include "scalar.h"

#include <string.h>

void oct_gather_pixels_scalar(size_t pixels, size_t pixel_bytes, const void *row, const oct_resize_tap *x, void *out)
{
    for (size_t p = 0; p < pixels; p++)
        memcpy((char *)out + p * pixel_bytes, (const char *)row + x[p].first * pixel_bytes, pixel_bytes);
}

/* 1. four weights  2. all channels */
void oct_resize_linear_f32_scalar(const oct_resize_job *job)
{
    float *out = job->out;
    for (size_t p = 0; p < job->pixels; p++, out += job->c) {
        const size_t left = job->x[p].first * job->c, right = job->x[p].second * job->c;
        const float *a = (const float *)job->row0 + left, *b = (const float *)job->row0 + right;
        const float *c = (const float *)job->row1 + left, *d = (const float *)job->row1 + right;
        const float w = job->weight, v = job->x[p].weight;
        const float wa = (1 - w) * (1 - v), wb = (1 - w) * v, wc = w * (1 - v), wd = w * v;
        for (size_t i = 0; i < job->c; i++)
            out[i] = a[i] * wa + b[i] * wb + c[i] * wc + d[i] * wd;
    }
}

/* Ranges, with one = 2^14 and both axes' weights w, v in 0..one:
 *   wd = w v / one, rounded: 0..one, and at most min(w, v), which are integers not below w v / one. So wb = v - wd >= 0, wc = w -
 *      wd >= 0.
 *   wa = one - w - v + wd, and one - w - v + w v / one = (one - w)(one - v) / one >= 0; rounding adds at least -1/2, so the
 *      integer wa >= 0.
 *   Four weights of at least 0 that add up to 2^14: the sum of products is at most 255 * 2^14 = 4,177,920, and 2^13 more after
 *      rounding.
 *   (255 * 2^14 + 2^13) >> 14 = 255: no clamp. Equal pixels keep their value. */
void oct_resize_linear_u8_scalar(const oct_resize_job *job)
{
    uint8_t *out = job->out;
    for (size_t p = 0; p < job->pixels; p++, out += job->c) {
        const size_t left = job->x[p].first * job->c, right = job->x[p].second * job->c;
        const uint8_t *a = (const uint8_t *)job->row0 + left, *b = (const uint8_t *)job->row0 + right;
        const uint8_t *c = (const uint8_t *)job->row1 + left, *d = (const uint8_t *)job->row1 + right;
        const int32_t w = job->weight_q14, v = job->x[p].weight_q14;
        const int32_t wd = (w * v + (1 << 13)) >> 14, wb = v - wd, wc = w - wd, wa = (1 << 14) - w - wb;
        for (size_t i = 0; i < job->c; i++)
            out[i] = (uint8_t)((a[i] * wa + b[i] * wb + c[i] * wc + d[i] * wd + (1 << 13)) >> 14);
    }
}

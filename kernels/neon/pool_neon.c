/* pool_neon.c - max and average over pointers to pixels on NEON, f32 and u8 (kernels.h, oct_pool_job, has the formulas).
 *
 *   a[0] -> | 16 channels u8  or  4 x 4 channels f32 |     a block of channels is carried over all taps in registers;
 *   a[1] -> |                                        |     the rest that fills no block goes channel by channel
 *
 * Bound: the bytes of the taps. u8 maxima take one load and one umax for 16 channels, f32 four of each.
 * Ranges (average u8): sums as in the scalar kernel; 16 bits are widened to 32 at each tap, so any number of taps is exact.
 */
#include "epilogue_neon.h"
#include "neon.h"

static float max_rest_f32(const void *const *a, size_t taps, size_t c)
{
    float best = ((const float *)a[0])[c];
    for (size_t t = 1; t < taps; t++) {
        const float x = ((const float *)a[t])[c];
        best = x > best ? x : best;
    }
    return best;
}

void oct_max_pool_f32_neon(const oct_pool_job *job)
{
    for (size_t p = 0; p < job->pixels; p++) {
        const void *const *a = oct_pool_taps(job, p);
        const size_t at = p * job->a_step;
        float *out = (float *)job->out + p * job->out_ld;
        size_t c = 0;
        for (; c + 4 <= job->c; c += 4) {
            float32x4_t best = vld1q_f32((const float *)a[0] + at + c);
            for (size_t t = 1; t < job->taps; t++) {
                const float32x4_t x = vld1q_f32((const float *)a[t] + at + c);
                best = vbslq_f32(vcgtq_f32(x, best), x, best);
            }
            vst1q_f32(out + c, best);
        }
        for (; c < job->c; c++)
            out[c] = max_rest_f32(a, job->taps, at + c);
    }
}

static uint8_t max_rest_u8(const void *const *a, size_t taps, size_t c)
{
    uint8_t best = ((const uint8_t *)a[0])[c];
    for (size_t t = 1; t < taps; t++) {
        const uint8_t x = ((const uint8_t *)a[t])[c];
        best = x > best ? x : best;
    }
    return best;
}

void oct_max_pool_u8_neon(const oct_pool_job *job)
{
    for (size_t p = 0; p < job->pixels; p++) {
        const void *const *a = oct_pool_taps(job, p);
        const size_t at = p * job->a_step;
        uint8_t *out = (uint8_t *)job->out + p * job->out_ld;
        size_t c = 0;
        for (; c + 16 <= job->c; c += 16) {
            uint8x16_t best = vld1q_u8((const uint8_t *)a[0] + at + c);
            for (size_t t = 1; t < job->taps; t++)
                best = vmaxq_u8(best, vld1q_u8((const uint8_t *)a[t] + at + c));
            vst1q_u8(out + c, best);
        }
        for (; c < job->c; c++)
            out[c] = max_rest_u8(a, job->taps, at + c);
    }
}

void oct_average_pool_f32_neon(const oct_pool_job *job)
{
    for (size_t p = 0; p < job->pixels; p++) {
        const void *const *a = oct_pool_taps(job, p);
        const size_t at = p * job->a_step;
        float *out = (float *)job->out + p * job->out_ld;
        for (size_t c = 0; c < job->c; c += 4) {
            const size_t n = at_most_4(job->c - c);
            float32x4_t sum = vdupq_n_f32(0);
            for (size_t t = 0; t < job->taps; t++)
                sum = vaddq_f32(sum, load_f32x4((const float *)a[t] + at + c, n));
            store_f32x4(out + c, clamp_f32x4(vmulq_n_f32(sum, job->mult[p]), job->lo, job->hi), n);
        }
    }
}

/* Sixteen channels: bytes -> s32 sums in four vectors. */
static void average_16(const oct_pool_job *job, const void *const *a, size_t c, float mult, uint8_t *out)
{
    const oct_epilogue e = {.out_zero = job->out_zero, .qlo = job->qlo, .qhi = job->qhi};
    uint32x4_t sum[4];
    for (int v = 0; v < 4; v++)
        sum[v] = vdupq_n_u32(0u - (uint32_t)job->taps * (uint32_t)job->in_zero);
    for (size_t t = 0; t < job->taps; t++) {
        const uint8x16_t x = vld1q_u8((const uint8_t *)a[t] + c);
        const uint16x8_t low = vmovl_u8(vget_low_u8(x)), high = vmovl_high_u8(x);
        sum[0] = vaddw_u16(sum[0], vget_low_u16(low));
        sum[1] = vaddw_high_u16(sum[1], low);
        sum[2] = vaddw_u16(sum[2], vget_low_u16(high));
        sum[3] = vaddw_high_u16(sum[3], high);
    }
    for (int v = 0; v < 4; v++)
        store_u8x4(&e, out + 4 * v, vmulq_n_f32(vcvtq_f32_s32(vreinterpretq_s32_u32(sum[v])), mult), 4);
}

static void average_rest(const oct_pool_job *job, const void *const *a, size_t c, size_t n, float mult, uint8_t *out)
{
    const oct_epilogue e = {.out_zero = job->out_zero, .qlo = job->qlo, .qhi = job->qhi};
    int32x4_t sum = vdupq_n_s32(-(int32_t)job->taps * job->in_zero);
    for (size_t t = 0; t < job->taps; t++)
        sum = vaddq_s32(sum, load_u8x4((const uint8_t *)a[t] + c, n));
    store_u8x4(&e, out, vmulq_n_f32(vcvtq_f32_s32(sum), mult), n);
}

void oct_average_pool_u8_neon(const oct_pool_job *job)
{
    for (size_t p = 0; p < job->pixels; p++) {
        const void *const *a = oct_pool_taps(job, p);
        const size_t at = p * job->a_step;
        uint8_t *out = (uint8_t *)job->out + p * job->out_ld;
        size_t c = 0;
        for (; c + 16 <= job->c; c += 16)
            average_16(job, a, at + c, job->mult[p], out + c);
        for (; c < job->c; c += 4)
            average_rest(job, a, at + c, at_most_4(job->c - c), job->mult[p], out + c);
    }
}

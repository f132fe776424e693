/* pool_scalar.c - max and average over pointers to pixels, f32 and u8, plain C: THE SPECIFICATION.
 *
 *   one output pixel:      a[0] -> | c0 c1 c2 .. |        taps are added (compared) in order, channel by channel
 *                          a[1] -> | c0 c1 c2 .. |
 *                          a[2] -> | c0 c1 c2 .. |
 *                                    v  v  v
 *                          out     | c0 c1 c2 .. |
 *
 * A block of CHANNELS results is carried over all taps, so that the inputs are walked along their rows.
 */
#include "scalar.h"
#include "epilogue_scalar.h"

enum { CHANNELS = 64 };

/* Channels in the block that begins at c. */
static inline size_t block(size_t c, size_t total) { return total - c < CHANNELS ? total - c : CHANNELS; }

/* x > best ? x : best, from the first tap on: a NaN that is not the first tap is passed over. */
static void max_pixel_f32(const oct_pool_job *job, const void *const *a, size_t step, size_t c0, size_t n, float *out)
{
    float best[CHANNELS];
    for (size_t c = 0; c < n; c++)
        best[c] = ((const float *)a[0])[step + c0 + c];
    for (size_t tap = 1; tap < job->taps; tap++) {
        const float *in = (const float *)a[tap] + step + c0;
        for (size_t c = 0; c < n; c++)
            best[c] = in[c] > best[c] ? in[c] : best[c];
    }
    for (size_t c = 0; c < n; c++)
        out[c] = best[c];
}

/* Pixel by pixel, block by block. */
void oct_max_pool_f32_scalar(const oct_pool_job *job)
{
    for (size_t p = 0; p < job->pixels; p++)
        for (size_t c = 0; c < job->c; c += CHANNELS)
            max_pixel_f32(job, oct_pool_taps(job, p), p * job->a_step, c, block(c, job->c),
                          (float *)job->out + p * job->out_ld + c);
}

/* Needs no scales: the greatest u8 is the greatest real, as long as all taps share one quantization. */
static void max_pixel_u8(const oct_pool_job *job, const void *const *a, size_t step, size_t c0, size_t n, uint8_t *out)
{
    uint8_t best[CHANNELS];
    for (size_t c = 0; c < n; c++)
        best[c] = ((const uint8_t *)a[0])[step + c0 + c];
    for (size_t tap = 1; tap < job->taps; tap++) {
        const uint8_t *in = (const uint8_t *)a[tap] + step + c0;
        for (size_t c = 0; c < n; c++)
            best[c] = in[c] > best[c] ? in[c] : best[c];
    }
    for (size_t c = 0; c < n; c++)
        out[c] = best[c];
}

void oct_max_pool_u8_scalar(const oct_pool_job *job)
{
    for (size_t p = 0; p < job->pixels; p++)
        for (size_t c = 0; c < job->c; c += CHANNELS)
            max_pixel_u8(job, oct_pool_taps(job, p), p * job->a_step, c, block(c, job->c),
                         (uint8_t *)job->out + p * job->out_ld + c);
}

/* The sum is taken first and scaled once; padded taps are zeros and only show in `mult`. */
static void average_pixel_f32(const oct_pool_job *job, const void *const *a, size_t step, float mult, size_t c0, size_t n,
                              float *out)
{
    float sum[CHANNELS] = {0};
    for (size_t tap = 0; tap < job->taps; tap++) {
        const float *in = (const float *)a[tap] + step + c0;
        for (size_t c = 0; c < n; c++)
            sum[c] += in[c];
    }
    for (size_t c = 0; c < n; c++)
        out[c] = oct_clampf(sum[c] * mult, job->lo, job->hi);
}

void oct_average_pool_f32_scalar(const oct_pool_job *job)
{
    for (size_t p = 0; p < job->pixels; p++)
        for (size_t c = 0; c < job->c; c += CHANNELS)
            average_pixel_f32(job, oct_pool_taps(job, p), p * job->a_step, job->mult[p], c, block(c, job->c),
                              (float *)job->out + p * job->out_ld + c);
}

/* Ranges: sum - taps * in_zero lies within +-255 * taps, which fits for taps < 2^23 = 8,388,608 (a window of 2,896 x 2,896 pixels).
 * Below 65,793 taps it is below 2^24 and its conversion to float exact; above, the conversion rounds, the same way everywhere. */
static void average_pixel_u8(const oct_pool_job *job, const void *const *a, size_t step, float mult, size_t c0, size_t n,
                             uint8_t *out)
{
    /* Every tap, padded or not, brings its zero point with it: take them all off beforehand. */
    const int32_t start = -(int32_t)job->taps * job->in_zero;
    int32_t sum[CHANNELS];
    for (size_t c = 0; c < n; c++)
        sum[c] = start;
    for (size_t tap = 0; tap < job->taps; tap++) {
        const uint8_t *in = (const uint8_t *)a[tap] + step + c0;
        for (size_t c = 0; c < n; c++)
            sum[c] += in[c];
    }
    for (size_t c = 0; c < n; c++)
        out[c] = oct_requantize((float)sum[c] * mult, job->out_zero, job->qlo, job->qhi);
}

void oct_average_pool_u8_scalar(const oct_pool_job *job)
{
    for (size_t p = 0; p < job->pixels; p++)
        for (size_t c = 0; c < job->c; c += CHANNELS)
            average_pixel_u8(job, oct_pool_taps(job, p), p * job->a_step, job->mult[p], c, block(c, job->c),
                             (uint8_t *)job->out + p * job->out_ld + c);
}

/* pool_f32_avx2.c - max and average pooling over pointers to pixels, f32.
 *
 *   one output pixel:      a[0] -> | c0 .. c31 | c32 ..       a block of 4 vectors (32 channels) is carried over all taps, then
 *                          a[1] -> | c0 .. c31 |              blocks of one; the last block of a pixel may overlap the one before
 *                          a[2] -> | c0 .. c31 |              it: its channels are computed twice, with the same result
 *
 * Taps are added in order, as the specification does: the sums are equal to scalar's, not only close. The taps of neighbouring
 * windows are mostly the same pixels, which the first touch has brought to L1.
 *
 * Bound: loads, two per cycle.
 */
#include "avx2.h"
#include "scalar/scalar.h"
#include "vector_avx2.h"

/* `vecs` vectors, `c` elements behind the pointers. */
OCT_INLINE void max_block(const oct_pool_job *job, const void *const *a, size_t c, float *out, size_t vecs)
{
    /* 1. The first tap; */
    __m256 best[4];
    OCT_UNROLLED
    for (size_t v = 0; v < 4; v++)
        if (v < vecs)
            best[v] = _mm256_loadu_ps((const float *)a[0] + c + 8 * v);
    /* 2. the others; */
    for (size_t tap = 1; tap < job->taps; tap++) {
        const float *in = (const float *)a[tap] + c;
        OCT_UNROLLED
        for (size_t v = 0; v < 4; v++)
            if (v < vecs)
                best[v] = _mm256_max_ps(_mm256_loadu_ps(in + 8 * v), best[v]);   /* in > best ? in : best, also for NaN */
    }
    /* 3. store. */
    OCT_UNROLLED
    for (size_t v = 0; v < 4; v++)
        if (v < vecs)
            _mm256_storeu_ps(out + 8 * v, best[v]);
}

/* The same for the average. */
OCT_INLINE void average_block(const oct_pool_job *job, const void *const *a, float mult, size_t c, float *out, size_t vecs)
{
    const __m256 mults = _mm256_set1_ps(mult), lo = _mm256_set1_ps(job->lo), hi = _mm256_set1_ps(job->hi);
    /* 1. Sums start at zero; 2. all taps; */
    __m256 sum[4];
    OCT_UNROLLED
    for (size_t v = 0; v < 4; v++)
        sum[v] = _mm256_setzero_ps();
    for (size_t tap = 0; tap < job->taps; tap++) {
        const float *in = (const float *)a[tap] + c;
        OCT_UNROLLED
        for (size_t v = 0; v < 4; v++)
            if (v < vecs)
                sum[v] = _mm256_add_ps(sum[v], _mm256_loadu_ps(in + 8 * v));
    }
    /* 3. scale, clamp, store. */
    OCT_UNROLLED
    for (size_t v = 0; v < 4; v++)
        if (v < vecs)
            _mm256_storeu_ps(out + 8 * v, clamp_ps(_mm256_mul_ps(sum[v], mults), lo, hi));
}

/* All channels of one pixel, c >= 8. */
static void max_pixel(const oct_pool_job *job, const void *const *a, size_t at, float *out)
{
    size_t c = 0;
    for (; c + 32 <= job->c; c += 32)
        max_block(job, a, at + c, out + c, 4);
    for (; c + 8 <= job->c; c += 8)
        max_block(job, a, at + c, out + c, 1);
    if (c < job->c)
        max_block(job, a, at + job->c - 8, out + job->c - 8, 1);
}

/* Block by block, as above. */
static void average_pixel(const oct_pool_job *job, const void *const *a, size_t at, float mult, float *out)
{
    size_t c = 0;
    for (; c + 32 <= job->c; c += 32)
        average_block(job, a, mult, at + c, out + c, 4);
    for (; c + 8 <= job->c; c += 8)
        average_block(job, a, mult, at + c, out + c, 1);
    if (c < job->c)
        average_block(job, a, mult, at + job->c - 8, out + job->c - 8, 1);
}

void oct_max_pool_f32_avx2(const oct_pool_job *job)
{
    /* too few channels for a vector */
    if (job->c < 8) {
        oct_max_pool_f32_scalar(job);
        return;
    }
    for (size_t p = 0; p < job->pixels; p++)
        max_pixel(job, oct_pool_taps(job, p), p * job->a_step, (float *)job->out + p * job->out_ld);
}

void oct_average_pool_f32_avx2(const oct_pool_job *job)
{
    if (job->c < 8) {
        oct_average_pool_f32_scalar(job);
        return;
    }
    for (size_t p = 0; p < job->pixels; p++)
        average_pixel(job, oct_pool_taps(job, p), p * job->a_step, job->mult[p], (float *)job->out + p * job->out_ld);
}

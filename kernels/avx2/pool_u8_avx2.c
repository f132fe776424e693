/* pool_u8_avx2.c - max and average pooling over pointers to pixels, u8.
 *
 *   one output pixel:      a[0] -> | c0 .. c31 | c32 ..       blocks of 32, 16 and 8 channels are carried over all taps; the last block of
 *                          a[1] -> | c0 .. c31 |              a pixel may overlap the one before it: its channels are computed twice,
 *                          a[2] -> | c0 .. c31 |              with the same result
 *
 * Average: 32 bytes are widened by unpacking with zero, which leaves them in an order that packing restores:
 *   u16: low = channels 0-7, 16-23; high = 8-15, 24-31       s32: 0-3, 16-19 | 4-7, 20-23 | 8-11, 24-27 | 12-15, 28-31
 *
 * Ranges: up to 257 bytes add up to at most 65,535 in u16; sums of 256 taps are moved to the s32 sums. These start at -taps * in_zero, so
 * their size stays below 255 * taps: the specification's limit (taps < 2^23).
 * Bound: loads, two per cycle (max); average: four more instructions per 32 bytes.
 */
#include "avx2.h"
#include "scalar/scalar.h"
#include "vector_avx2.h"

enum { TAPS_IN_U16 = 256 };

/* ------------------------------------------------------------------------------------------------ max ---- */

OCT_INLINE void max_block(const oct_pool_job *job, const void *const *a, size_t c, uint8_t *out, size_t width)
{
    __m256i best = load_bytes((const uint8_t *)a[0] + c, width);
    for (size_t tap = 1; tap < job->taps; tap++)
        best = _mm256_max_epu8(best, load_bytes((const uint8_t *)a[tap] + c, width));
    store_bytes(out + c, best, width);
}

/* Channels of one pixel, c >= 8. */
static void max_pixel(const oct_pool_job *job, const void *const *a, uint8_t *out)
{
    size_t c = 0;
    for (; c + 32 <= job->c; c += 32)
        max_block(job, a, c, out, 32);
    for (; c + 16 <= job->c; c += 16)
        max_block(job, a, c, out, 16);
    for (; c + 8 <= job->c; c += 8)
        max_block(job, a, c, out, 8);
    if (c < job->c)
        max_block(job, a, job->c - 8, out, 8);
}

void oct_max_pool_u8_avx2(const oct_pool_job *job)
{
    if (job->c < 8) {
        oct_max_pool_u8_scalar(job);
        return;
    }
    for (size_t p = 0; p < job->pixels; p++)
        max_pixel(job, job->a + p * job->taps, (uint8_t *)job->out + p * job->out_ld);
}

/* -------------------------------------------------------------------------------------------- average ---- */

/* sum += 32 u16 (the order above). */
OCT_INLINE void add_u16(__m256i sum[4], __m256i low, __m256i high)
{
    const __m256i nought = _mm256_setzero_si256();
    sum[0] = _mm256_add_epi32(sum[0], _mm256_unpacklo_epi16(low, nought));
    sum[1] = _mm256_add_epi32(sum[1], _mm256_unpackhi_epi16(low, nought));
    sum[2] = _mm256_add_epi32(sum[2], _mm256_unpacklo_epi16(high, nought));
    sum[3] = _mm256_add_epi32(sum[3], _mm256_unpackhi_epi16(high, nought));
}

OCT_INLINE void average_block(const oct_pool_job *job, const void *const *a, float mult, size_t c, uint8_t *out, size_t width)
{
    const __m256i nought = _mm256_setzero_si256();
    __m256i sum[4];
    UNROLLED
    for (size_t v = 0; v < 4; v++)
        sum[v] = _mm256_set1_epi32(-(int32_t)job->taps * job->in_zero);
    for (size_t tap = 0; tap < job->taps;) {
        const size_t end = job->taps - tap < TAPS_IN_U16 ? job->taps : tap + TAPS_IN_U16;
        __m256i low = nought, high = nought;
        for (; tap < end; tap++) {
            const __m256i in = load_bytes((const uint8_t *)a[tap] + c, width);
            low = _mm256_add_epi16(low, _mm256_unpacklo_epi8(in, nought));
            high = _mm256_add_epi16(high, _mm256_unpackhi_epi8(in, nought));
        }
        add_u16(sum, low, high);
    }
    const __m256 mults = _mm256_set1_ps(mult);
    const u8_range range = u8_range_of(job->out_zero, job->qlo, job->qhi);
    __m256 x[4];
    UNROLLED
    for (size_t v = 0; v < 4; v++)
        x[v] = _mm256_mul_ps(_mm256_cvtepi32_ps(sum[v]), mults);
    store_bytes(out + c, round_u8(x[0], x[1], x[2], x[3], &range), width);
}

static void average_pixel(const oct_pool_job *job, const void *const *a, float mult, uint8_t *out)
{
    size_t c = 0;
    for (; c + 32 <= job->c; c += 32)
        average_block(job, a, mult, c, out, 32);
    for (; c + 16 <= job->c; c += 16)
        average_block(job, a, mult, c, out, 16);
    for (; c + 8 <= job->c; c += 8)
        average_block(job, a, mult, c, out, 8);
    if (c < job->c)
        average_block(job, a, mult, job->c - 8, out, 8);
}

void oct_average_pool_u8_avx2(const oct_pool_job *job)
{
    if (job->c < 8) {
        oct_average_pool_u8_scalar(job);
        return;
    }
    for (size_t p = 0; p < job->pixels; p++)
        average_pixel(job, job->a + p * job->taps, job->mult[p], (uint8_t *)job->out + p * job->out_ld);
}

/* pool_u8_avx2.c - max and average pooling over pointers to pixels, u8.
 *
 *   one output pixel:      a[0] -> | c0 .. c31 | c32 ..       blocks of 32, 16 and 8 channels are carried over all taps; the last
 *                          a[1] -> | c0 .. c31 |              block of a pixel may overlap the one before it: its channels are
 *                          a[2] -> | c0 .. c31 |              computed twice, with the same result
 *
 * Average: 32 bytes are added as 16 words (modulo 2^16), and their odd bytes once more by themselves; at the end
 *
 *   odd  = sum of (word >> 8)                  channels 1, 3, 5 ..        3 instructions per tap instead of 4 for
 *   even = sum of words - 256 * odd            channels 0, 2, 4 ..        widening and adding both halves
 *
 * and interleaving the two puts the channels in an order that packing restores: 0-7, 16-23 and 8-15, 24-31.
 *
 * Ranges: 256 bytes add up to at most 65,280 in u16. Then float: 2^23 + sum is exact (see centre_u8), and so is the difference to
 * 2^23 + taps * in_zero <= 2^23 + 65,280. Windows of more than 256 taps go through s32: start -taps * in_zero, size below 255 *
 * taps, the specification's limit (taps < 2^23).
 * Bound: loads, two per cycle (max); average: 3 instructions per 32 bytes.
 */
#include "avx2.h"
#include "scalar/scalar.h"
#include "vector_avx2.h"

enum { TAPS_IN_U16 = 256 };

/* ------------------------------------------------------------------------------------------------ max ---- */

/* `width` channels from c on. */
OCT_INLINE void max_block(const oct_pool_job *job, const void *const *a, size_t c, uint8_t *out, size_t width)
{
    __m256i best = load_bytes((const uint8_t *)a[0] + c, width);
    for (size_t tap = 1; tap < job->taps; tap++)
        best = _mm256_max_epu8(best, load_bytes((const uint8_t *)a[tap] + c, width));
    store_bytes(out + c, best, width);
}

/* All channels of one pixel, c >= 8. */
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

/* 32 sums of up to 256 bytes, u16. */
typedef struct byte_sums {
    __m256i low, high;          /* channels 0-7, 16-23; 8-15, 24-31 */
} byte_sums;

/* Of `taps` <= 256 pixels. */
OCT_INLINE byte_sums add_taps(const void *const *a, size_t taps, size_t c, size_t width)
{
    __m256i words = _mm256_setzero_si256(), odd = words;
    for (size_t tap = 0; tap < taps; tap++) {
        const __m256i in = load_bytes((const uint8_t *)a[tap] + c, width);
        words = _mm256_add_epi16(words, in);
        odd = _mm256_add_epi16(odd, _mm256_srli_epi16(in, 8));
    }
    const __m256i even = _mm256_sub_epi16(words, _mm256_slli_epi16(odd, 8));
    return (byte_sums){_mm256_unpacklo_epi16(even, odd), _mm256_unpackhi_epi16(even, odd)};
}

/* Sums minus taps * in_zero as floats; up to 256 taps. */
OCT_INLINE void centred_sums(const oct_pool_job *job, const void *const *a, size_t c, size_t width, __m256 x[4])
{
    const byte_sums sums = add_taps(a, job->taps, c, width);
    widen_u16(sums.low, sums.high, centre_offset((int32_t)job->taps * job->in_zero), x);
}

/* The same for any number of taps. */
static void centred_long_sums(const oct_pool_job *job, const void *const *a, size_t c, size_t width, __m256 x[4])
{
    const __m256i nought = _mm256_setzero_si256();
    __m256i total[4];
    for (size_t v = 0; v < 4; v++)
        total[v] = _mm256_set1_epi32(-(int32_t)job->taps * job->in_zero);
    for (size_t tap = 0; tap < job->taps; tap += TAPS_IN_U16) {
        const size_t taps = job->taps - tap < TAPS_IN_U16 ? job->taps - tap : TAPS_IN_U16;
        const byte_sums sums = add_taps(a + tap, taps, c, width);
        total[0] = _mm256_add_epi32(total[0], _mm256_unpacklo_epi16(sums.low, nought));
        total[1] = _mm256_add_epi32(total[1], _mm256_unpackhi_epi16(sums.low, nought));
        total[2] = _mm256_add_epi32(total[2], _mm256_unpacklo_epi16(sums.high, nought));
        total[3] = _mm256_add_epi32(total[3], _mm256_unpackhi_epi16(sums.high, nought));
    }
    for (size_t v = 0; v < 4; v++)
        x[v] = _mm256_cvtepi32_ps(total[v]);
}

/* `width` channels from c on. */
OCT_INLINE void average_block(const oct_pool_job *job, const void *const *a, float mult, size_t c, uint8_t *out, size_t width)
{
    const __m256 mults = _mm256_set1_ps(mult);
    const u8_range range = u8_range_of(job->out_zero, job->qlo, job->qhi);
    __m256 x[4];
    if (job->taps <= TAPS_IN_U16)
        centred_sums(job, a, c, width, x);
    else
        centred_long_sums(job, a, c, width, x);
    UNROLLED
    for (size_t v = 0; v < 4; v++)
        x[v] = _mm256_mul_ps(x[v], mults);
    store_bytes(out + c, round_u8(x[0], x[1], x[2], x[3], &range), width);
}

/* Block by block, as for the maximum. */
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

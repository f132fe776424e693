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
 * and interleaving the two puts the channels in an order that packing restores: 0-7, 16-23 and 8-15, 24-31. Both sums are linear,
 * so a column of a window is added up once and then serves every window that it is in (slide).
 *
 * Ranges: 256 bytes add up to at most 65,280 in u16. Then float: 2^23 + sum is exact (see centre_u8), and so is the difference to
 * 2^23 + taps * in_zero <= 2^23 + 65,280. Windows of more than 256 taps go through s32: start -taps * in_zero, size below 255 *
 * taps, the specification's limit (taps < 2^23).
 * Bound: loads, two per cycle (max); average: 3 instructions per 32 bytes.
 */
#include "avx2.h"
#include "scalar/scalar.h"
#include "vector_avx2.h"

enum { TAPS_IN_U16 = 256, SLIDE = 3 };

/* ------------------------------------------------------------------------------------------------ max ---- */

/* `width` channels, `c` elements behind the pointers. */
OCT_INLINE void max_block(const oct_pool_job *job, const void *const *a, size_t c, uint8_t *out, size_t width)
{
    __m256i best = load_bytes((const uint8_t *)a[0] + c, width);
    for (size_t tap = 1; tap < job->taps; tap++)
        best = _mm256_max_epu8(best, load_bytes((const uint8_t *)a[tap] + c, width));
    store_bytes(out, best, width);
}

/* All channels of one pixel, c >= 8. */
static void max_pixel(const oct_pool_job *job, const void *const *a, size_t at, uint8_t *out)
{
    size_t c = 0;
    for (; c + 32 <= job->c; c += 32)
        max_block(job, a, at + c, out + c, 32);
    for (; c + 16 <= job->c; c += 16)
        max_block(job, a, at + c, out + c, 16);
    for (; c + 8 <= job->c; c += 8)
        max_block(job, a, at + c, out + c, 8);
    if (c < job->c)
        max_block(job, a, at + job->c - 8, out + job->c - 8, 8);
}

void oct_max_pool_u8_avx2(const oct_pool_job *job)
{
    if (job->c < 8) {
        oct_max_pool_u8_scalar(job);
        return;
    }
    for (size_t p = 0; p < job->pixels; p++)
        max_pixel(job, oct_pool_taps(job, p), p * job->a_step, (uint8_t *)job->out + p * job->out_ld);
}

/* -------------------------------------------------------------------------------------------- average ---- */

/* 32 sums of up to 256 bytes, as the head of this file has them; what the sums of a job become. */
typedef struct byte_sums {
    __m256i words, odd;
} byte_sums;

typedef struct averaging {
    __m256 offset;              /* of at most 256 taps: 2^23 + taps * in_zero */
    u8_range range;
} averaging;

static averaging averaging_of(const oct_pool_job *job)
{
    return (averaging){centre_offset((int32_t)job->taps * job->in_zero), u8_range_of(job->out_zero, job->qlo, job->qhi)};
}

/* Of `taps` <= 256 pixels, `c` elements behind the pointers, which lie `stride` pointers apart. */
OCT_INLINE byte_sums add_taps(const void *const *a, size_t taps, size_t stride, size_t c, size_t width)
{
    byte_sums s = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (size_t tap = 0; tap < taps; tap++) {
        const __m256i in = load_bytes((const uint8_t *)a[tap * stride] + c, width);
        s.words = _mm256_add_epi16(s.words, in);
        s.odd = _mm256_add_epi16(s.odd, _mm256_srli_epi16(in, 8));
    }
    return s;
}

/* Channels 0-7, 16-23 and 8-15, 24-31, u16. */
OCT_INLINE void separate(byte_sums s, __m256i *low, __m256i *high)
{
    const __m256i even = _mm256_sub_epi16(s.words, _mm256_slli_epi16(s.odd, 8));
    *low = _mm256_unpacklo_epi16(even, s.odd);
    *high = _mm256_unpackhi_epi16(even, s.odd);
}

/* Scaled, rounded, packed. */
OCT_INLINE __m256i bytes_of(__m256 x[4], float mult, const averaging *to)
{
    const __m256 m = _mm256_set1_ps(mult);
    return round_u8(_mm256_mul_ps(x[0], m), _mm256_mul_ps(x[1], m), _mm256_mul_ps(x[2], m), _mm256_mul_ps(x[3], m), &to->range);
}

/* 32 averages from sums of at most 256 taps. */
OCT_INLINE __m256i average_of(byte_sums s, float mult, const averaging *to)
{
    __m256i low, high;
    __m256 x[4];
    separate(s, &low, &high);
    widen_u16(low, high, to->offset, x);
    return bytes_of(x, mult, to);
}

/* The same for any number of taps. */
static __m256i long_average(const oct_pool_job *job, const void *const *a, size_t c, size_t width, float mult, const averaging *to)
{
    const __m256i nought = _mm256_setzero_si256();
    __m256i total[4], low, high;
    __m256 x[4];
    for (size_t v = 0; v < 4; v++)
        total[v] = _mm256_set1_epi32(-(int32_t)job->taps * job->in_zero);
    for (size_t tap = 0; tap < job->taps; tap += TAPS_IN_U16) {
        const size_t taps = job->taps - tap < TAPS_IN_U16 ? job->taps - tap : TAPS_IN_U16;
        separate(add_taps(a + tap, taps, 1, c, width), &low, &high);
        total[0] = _mm256_add_epi32(total[0], _mm256_unpacklo_epi16(low, nought));
        total[1] = _mm256_add_epi32(total[1], _mm256_unpackhi_epi16(low, nought));
        total[2] = _mm256_add_epi32(total[2], _mm256_unpacklo_epi16(high, nought));
        total[3] = _mm256_add_epi32(total[3], _mm256_unpackhi_epi16(high, nought));
    }
    for (size_t v = 0; v < 4; v++)
        x[v] = _mm256_cvtepi32_ps(total[v]);
    return bytes_of(x, mult, to);
}

/* `width` channels from c on of all pixels. */
OCT_INLINE void average_block(const oct_pool_job *job, size_t c, size_t width)
{
    const averaging to = averaging_of(job);
    for (size_t p = 0; p < job->pixels; p++) {
        const void *const *a = oct_pool_taps(job, p);
        const size_t at = p * job->a_step + c;
        const __m256i bytes = job->taps <= TAPS_IN_U16 ? average_of(add_taps(a, job->taps, 1, at, width), job->mult[p], &to)
                                                       : long_average(job, a, at, width, job->mult[p], &to);
        store_bytes((uint8_t *)job->out + p * job->out_ld + c, bytes, width);
    }
}

/* The same where windows have three rows of three columns and slide by a column: sums of columns stay in registers. */
OCT_INLINE void slide_block(const oct_pool_job *job, size_t c, size_t width)
{
    const averaging to = averaging_of(job);
    const void *const right_column[3] = {job->a[2], job->a[5], job->a[8]};      /* a copy: the output could be job->a */
    const float *mult = job->mult;
    const size_t pixels = job->pixels, step = job->a_step, out_step = job->out_ld;
    byte_sums left = add_taps(job->a, 3, SLIDE, c, width), middle = add_taps(job->a + 1, 3, SLIDE, c, width);
    uint8_t *out = (uint8_t *)job->out + c;
    for (size_t p = 0; p < pixels; p++, out += out_step, c += step) {
        const byte_sums right = add_taps(right_column, 3, 1, c, width);
        const byte_sums sum = {_mm256_add_epi16(_mm256_add_epi16(left.words, middle.words), right.words),
                               _mm256_add_epi16(_mm256_add_epi16(left.odd, middle.odd), right.odd)};
        store_bytes(out, average_of(sum, mult[p], &to), width);
        left = middle;
        middle = right;
    }
}

/* `width` is a constant. */
OCT_INLINE void either_block(const oct_pool_job *job, size_t c, size_t width)
{
    if (job->slide == SLIDE && job->taps == 3 * SLIDE)
        slide_block(job, c, width);
    else
        average_block(job, c, width);
}

/* Block by block of channels, as for the maximum. */
void oct_average_pool_u8_avx2(const oct_pool_job *job)
{
    size_t c = 0;
    if (job->c < 8) {
        oct_average_pool_u8_scalar(job);
        return;
    }
    for (; c + 32 <= job->c; c += 32)
        either_block(job, c, 32);
    for (; c + 16 <= job->c; c += 16)
        either_block(job, c, 16);
    for (; c + 8 <= job->c; c += 8)
        either_block(job, c, 8);
    if (c < job->c)
        either_block(job, job->c - 8, 8);
}

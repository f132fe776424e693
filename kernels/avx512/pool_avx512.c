/* pool_avx512.c - max and average over pointers to pixels, f32 and u8. Same order of additions and same roundings as scalar/pool_scalar.c.
 *
 *   one output pixel:      a[0] -> | 64 channels | 64 channels | .. |      up to four registers of results are carried over all taps;
 *                          a[1] -> |             |             |    |      u8: 64 channels are one register, so four times the channels
 *                          ..                                              (f32: 16) pass per load
 *
 * Judged by the loads: taps * channels * size of an element, two registers a cycle from L1.
 */
#include "ops_avx512.h"
#include "vector_avx512.h"

enum { VECTORS = 4 };

/* ------------------------------------------------------------------------------------------------- max ---- */

/* `n` vectors of 16 channels from c on; n constant. maxps(x, best) is x > best ? x : best: a NaN that is not the first tap is passed over. */
OCT_INLINE void max_f32(const oct_pool_job *job, const void *const *a, size_t c, float *out, const size_t n)
{
    __m512 best[VECTORS];
    OCT_UNROLL
    for (size_t v = 0; v < n; v++)
        best[v] = _mm512_loadu_ps((const float *)a[0] + c + 16 * v);
    for (size_t tap = 1; tap < job->taps; tap++) {
        const float *in = (const float *)a[tap] + c;
        OCT_UNROLL
        for (size_t v = 0; v < n; v++)
            best[v] = _mm512_max_ps(_mm512_loadu_ps(in + 16 * v), best[v]);
    }
    OCT_UNROLL
    for (size_t v = 0; v < n; v++)
        _mm512_storeu_ps(out + c + 16 * v, best[v]);
}

/* The last channels, under a mask. */
static void max_f32_rest(const oct_pool_job *job, const void *const *a, size_t c, float *out)
{
    const __mmask16 some = oct_lanes_16(job->c - c);
    __m512 best = _mm512_maskz_loadu_ps(some, (const float *)a[0] + c);
    for (size_t tap = 1; tap < job->taps; tap++)
        best = _mm512_max_ps(_mm512_maskz_loadu_ps(some, (const float *)a[tap] + c), best);
    _mm512_mask_storeu_ps(out + c, some, best);
}

void oct_max_pool_f32_avx512(const oct_pool_job *job)
{
    for (size_t p = 0; p < job->pixels; p++) {
        const void *const *a = job->a + p * job->taps;
        float *out = (float *)job->out + p * job->out_ld;
        size_t c = 0;
        for (; c + 16 * VECTORS <= job->c; c += 16 * VECTORS)
            max_f32(job, a, c, out, VECTORS);
        for (; c + 16 <= job->c; c += 16)
            max_f32(job, a, c, out, 1);
        if (c < job->c)
            max_f32_rest(job, a, c, out);
    }
}

OCT_INLINE void max_u8(const oct_pool_job *job, const void *const *a, size_t c, uint8_t *out, const size_t n)
{
    __m512i best[VECTORS];
    OCT_UNROLL
    for (size_t v = 0; v < n; v++)
        best[v] = _mm512_loadu_si512((const uint8_t *)a[0] + c + 64 * v);
    for (size_t tap = 1; tap < job->taps; tap++) {
        const uint8_t *in = (const uint8_t *)a[tap] + c;
        OCT_UNROLL
        for (size_t v = 0; v < n; v++)
            best[v] = _mm512_max_epu8(best[v], _mm512_loadu_si512(in + 64 * v));
    }
    OCT_UNROLL
    for (size_t v = 0; v < n; v++)
        _mm512_storeu_si512(out + c + 64 * v, best[v]);
}

static void max_u8_rest(const oct_pool_job *job, const void *const *a, size_t c, uint8_t *out)
{
    const __mmask64 some = oct_lanes_64(job->c - c);
    __m512i best = _mm512_maskz_loadu_epi8(some, (const uint8_t *)a[0] + c);
    for (size_t tap = 1; tap < job->taps; tap++)
        best = _mm512_max_epu8(best, _mm512_maskz_loadu_epi8(some, (const uint8_t *)a[tap] + c));
    _mm512_mask_storeu_epi8(out + c, some, best);
}

void oct_max_pool_u8_avx512(const oct_pool_job *job)
{
    for (size_t p = 0; p < job->pixels; p++) {
        const void *const *a = job->a + p * job->taps;
        uint8_t *out = (uint8_t *)job->out + p * job->out_ld;
        size_t c = 0;
        for (; c + 64 * VECTORS <= job->c; c += 64 * VECTORS)
            max_u8(job, a, c, out, VECTORS);
        for (; c + 64 <= job->c; c += 64)
            max_u8(job, a, c, out, 1);
        if (c < job->c)
            max_u8_rest(job, a, c, out);
    }
}

/* --------------------------------------------------------------------------------------------- average ---- */

OCT_INLINE void average_f32(const oct_pool_job *job, const void *const *a, size_t c, float *out, float mult, const size_t n)
{
    const __m512 lo = _mm512_set1_ps(job->lo), hi = _mm512_set1_ps(job->hi), m = _mm512_set1_ps(mult);
    __m512 sum[VECTORS];
    OCT_UNROLL
    for (size_t v = 0; v < n; v++)
        sum[v] = _mm512_setzero_ps();
    for (size_t tap = 0; tap < job->taps; tap++) {
        const float *in = (const float *)a[tap] + c;
        OCT_UNROLL
        for (size_t v = 0; v < n; v++)
            sum[v] = _mm512_add_ps(sum[v], _mm512_loadu_ps(in + 16 * v));
    }
    OCT_UNROLL
    for (size_t v = 0; v < n; v++)
        _mm512_storeu_ps(out + c + 16 * v, oct_clamp_16(_mm512_mul_ps(sum[v], m), lo, hi));
}

static void average_f32_rest(const oct_pool_job *job, const void *const *a, size_t c, float *out, float mult)
{
    const __mmask16 some = oct_lanes_16(job->c - c);
    __m512 sum = _mm512_setzero_ps();
    for (size_t tap = 0; tap < job->taps; tap++)
        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(some, (const float *)a[tap] + c));
    sum = oct_clamp_16(_mm512_mul_ps(sum, _mm512_set1_ps(mult)), _mm512_set1_ps(job->lo), _mm512_set1_ps(job->hi));
    _mm512_mask_storeu_ps(out + c, some, sum);
}

void oct_average_pool_f32_avx512(const oct_pool_job *job)
{
    for (size_t p = 0; p < job->pixels; p++) {
        const void *const *a = job->a + p * job->taps;
        float *out = (float *)job->out + p * job->out_ld;
        size_t c = 0;
        for (; c + 16 * VECTORS <= job->c; c += 16 * VECTORS)
            average_f32(job, a, c, out, job->mult[p], VECTORS);
        for (; c + 16 <= job->c; c += 16)
            average_f32(job, a, c, out, job->mult[p], 1);
        if (c < job->c)
            average_f32_rest(job, a, c, out, job->mult[p]);
    }
}

/* Taps whose sum fits in 16 bits: 257 * 255 = 65,535. */
enum { TAPS_16 = 257 };

/* The bytes of 64 channels over all taps, as four vectors of s32 in order, minus taps * in_zero. Summed in 16 bits by TAPS_16 taps. Range:
 * within +-255 * taps, as in pool_scalar.c. */
OCT_INLINE void sum_u8(const oct_pool_job *job, const void *const *a, size_t c, __mmask64 some, const bool whole, __m512i sum[4])
{
    OCT_UNROLL
    for (size_t v = 0; v < 4; v++)
        sum[v] = _mm512_set1_epi32(-(int32_t)job->taps * job->in_zero);
    for (size_t tap = 0; tap < job->taps;) {
        const size_t end = job->taps - tap < TAPS_16 ? job->taps : tap + TAPS_16;
        __m512i low = _mm512_setzero_si512(), high = low;       /* channels 0..31 and 32..63 */
        for (; tap < end; tap++) {
            const uint8_t *in = (const uint8_t *)a[tap] + c;
            const __m512i x = whole ? _mm512_loadu_si512(in) : _mm512_maskz_loadu_epi8(some, in);
            low = _mm512_add_epi16(low, _mm512_cvtepu8_epi16(_mm512_castsi512_si256(x)));
            high = _mm512_add_epi16(high, _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(x, 1)));
        }
        sum[0] = _mm512_add_epi32(sum[0], _mm512_cvtepu16_epi32(_mm512_castsi512_si256(low)));
        sum[1] = _mm512_add_epi32(sum[1], _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(low, 1)));
        sum[2] = _mm512_add_epi32(sum[2], _mm512_cvtepu16_epi32(_mm512_castsi512_si256(high)));
        sum[3] = _mm512_add_epi32(sum[3], _mm512_cvtepu16_epi32(_mm512_extracti64x4_epi64(high, 1)));
    }
}

OCT_INLINE void average_u8(const oct_pool_job *job, const void *const *a, size_t c, uint8_t *out, float mult, const bool whole)
{
    const __mmask64 some = oct_lanes_64(job->c - c);
    __m512i sum[4];
    __m512 x[4];
    sum_u8(job, a, c, some, whole, sum);
    OCT_UNROLL
    for (size_t v = 0; v < 4; v++)
        x[v] = _mm512_mul_ps(_mm512_cvtepi32_ps(sum[v]), _mm512_set1_ps(mult));
    const __m512i bytes = oct_bytes_of_64(x, (oct_to_u8){job->out_zero, job->qlo, job->qhi});
    if (whole)
        _mm512_storeu_si512(out + c, bytes);
    else
        _mm512_mask_storeu_epi8(out + c, some, bytes);
}

void oct_average_pool_u8_avx512(const oct_pool_job *job)
{
    for (size_t p = 0; p < job->pixels; p++) {
        const void *const *a = job->a + p * job->taps;
        uint8_t *out = (uint8_t *)job->out + p * job->out_ld;
        size_t c = 0;
        for (; c + 64 <= job->c; c += 64)
            average_u8(job, a, c, out, job->mult[p], true);
        if (c < job->c)
            average_u8(job, a, c, out, job->mult[p], false);
    }
}

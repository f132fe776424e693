/* pool_avx512.c - max and average over pointers to pixels, f32 and u8. Same order of additions and same roundings as
 * scalar/pool_scalar.c.
 *
 *   one output pixel:      a[0] -> | 64 channels | 64 channels | .. |    up to four registers of results are carried over all taps;
 *                          a[1] -> |             |             |    |      u8: 64 channels are one register, so four times the
 *      channels
 *                          ..                                              (f32: 16) pass per load
 *
 * Judged by the loads: taps * channels * size of an element, two registers a cycle from L1.
 */
#include "bytes_avx512.h"
#include "ops_avx512.h"

enum { VECTORS = 4 };

/* ------------------------------------------------------------------------------------------------- max ---- */

/* `n` vectors of 16 channels, `c` elements behind the pointers; n constant. maxps(x, best) is x > best ? x : best: a NaN that is
 * not the first tap is passed over. */
OCT_INLINE void max_f32(const oct_pool_job *job, const void *const *a, size_t c, float *out, const size_t n)
{
    __m512 best[VECTORS];
    OCT_UNROLLED
    for (size_t v = 0; v < n; v++)
        best[v] = _mm512_loadu_ps((const float *)a[0] + c + 16 * v);
    for (size_t tap = 1; tap < job->taps; tap++) {
        const float *in = (const float *)a[tap] + c;
        OCT_UNROLLED
        for (size_t v = 0; v < n; v++)
            best[v] = _mm512_max_ps(_mm512_loadu_ps(in + 16 * v), best[v]);
    }
    OCT_UNROLLED
    for (size_t v = 0; v < n; v++)
        _mm512_storeu_ps(out + 16 * v, best[v]);
}

/* The last n channels, under a mask. */
static void max_f32_rest(const oct_pool_job *job, const void *const *a, size_t c, size_t n, float *out)
{
    const __mmask16 some = oct_lanes_16(n);
    __m512 best = _mm512_maskz_loadu_ps(some, (const float *)a[0] + c);
    for (size_t tap = 1; tap < job->taps; tap++)
        best = _mm512_max_ps(_mm512_maskz_loadu_ps(some, (const float *)a[tap] + c), best);
    _mm512_mask_storeu_ps(out, some, best);
}

void oct_max_pool_f32_avx512(const oct_pool_job *job)
{
    for (size_t p = 0; p < job->pixels; p++) {
        const void *const *a = oct_pool_taps(job, p);
        const size_t at = p * job->a_step;
        float *out = (float *)job->out + p * job->out_ld;
        size_t c = 0;
        for (; c + 16 * VECTORS <= job->c; c += 16 * VECTORS)
            max_f32(job, a, at + c, out + c, VECTORS);
        for (; c + 16 <= job->c; c += 16)
            max_f32(job, a, at + c, out + c, 1);
        if (c < job->c)
            max_f32_rest(job, a, at + c, job->c - c, out + c);
    }
}

OCT_INLINE void max_u8(const oct_pool_job *job, const void *const *a, size_t c, uint8_t *out, const size_t n)
{
    __m512i best[VECTORS];
    OCT_UNROLLED
    for (size_t v = 0; v < n; v++)
        best[v] = _mm512_loadu_si512((const uint8_t *)a[0] + c + 64 * v);
    for (size_t tap = 1; tap < job->taps; tap++) {
        const uint8_t *in = (const uint8_t *)a[tap] + c;
        OCT_UNROLLED
        for (size_t v = 0; v < n; v++)
            best[v] = _mm512_max_epu8(best[v], _mm512_loadu_si512(in + 64 * v));
    }
    OCT_UNROLLED
    for (size_t v = 0; v < n; v++)
        _mm512_storeu_si512(out + 64 * v, best[v]);
}

static void max_u8_rest(const oct_pool_job *job, const void *const *a, size_t c, size_t n, uint8_t *out)
{
    const __mmask64 some = oct_lanes_64(n);
    __m512i best = _mm512_maskz_loadu_epi8(some, (const uint8_t *)a[0] + c);
    for (size_t tap = 1; tap < job->taps; tap++)
        best = _mm512_max_epu8(best, _mm512_maskz_loadu_epi8(some, (const uint8_t *)a[tap] + c));
    _mm512_mask_storeu_epi8(out, some, best);
}

void oct_max_pool_u8_avx512(const oct_pool_job *job)
{
    for (size_t p = 0; p < job->pixels; p++) {
        const void *const *a = oct_pool_taps(job, p);
        const size_t at = p * job->a_step;
        uint8_t *out = (uint8_t *)job->out + p * job->out_ld;
        size_t c = 0;
        for (; c + 64 * VECTORS <= job->c; c += 64 * VECTORS)
            max_u8(job, a, at + c, out + c, VECTORS);
        for (; c + 64 <= job->c; c += 64)
            max_u8(job, a, at + c, out + c, 1);
        if (c < job->c)
            max_u8_rest(job, a, at + c, job->c - c, out + c);
    }
}

/* --------------------------------------------------------------------------------------------- average ---- */

OCT_INLINE void average_f32(const oct_pool_job *job, const void *const *a, size_t c, float *out, float mult, const size_t n)
{
    const __m512 lo = _mm512_set1_ps(job->lo), hi = _mm512_set1_ps(job->hi), m = _mm512_set1_ps(mult);
    __m512 sum[VECTORS];
    OCT_UNROLLED
    for (size_t v = 0; v < n; v++)
        sum[v] = _mm512_setzero_ps();
    for (size_t tap = 0; tap < job->taps; tap++) {
        const float *in = (const float *)a[tap] + c;
        OCT_UNROLLED
        for (size_t v = 0; v < n; v++)
            sum[v] = _mm512_add_ps(sum[v], _mm512_loadu_ps(in + 16 * v));
    }
    OCT_UNROLLED
    for (size_t v = 0; v < n; v++)
        _mm512_storeu_ps(out + 16 * v, oct_clamp_16(_mm512_mul_ps(sum[v], m), lo, hi));
}

static void average_f32_rest(const oct_pool_job *job, const void *const *a, size_t c, size_t n, float *out, float mult)
{
    const __mmask16 some = oct_lanes_16(n);
    __m512 sum = _mm512_setzero_ps();
    for (size_t tap = 0; tap < job->taps; tap++)
        sum = _mm512_add_ps(sum, _mm512_maskz_loadu_ps(some, (const float *)a[tap] + c));
    sum = oct_clamp_16(_mm512_mul_ps(sum, _mm512_set1_ps(mult)), _mm512_set1_ps(job->lo), _mm512_set1_ps(job->hi));
    _mm512_mask_storeu_ps(out, some, sum);
}

void oct_average_pool_f32_avx512(const oct_pool_job *job)
{
    for (size_t p = 0; p < job->pixels; p++) {
        const void *const *a = oct_pool_taps(job, p);
        const size_t at = p * job->a_step;
        float *out = (float *)job->out + p * job->out_ld;
        size_t c = 0;
        for (; c + 16 * VECTORS <= job->c; c += 16 * VECTORS)
            average_f32(job, a, at + c, out + c, job->mult[p], VECTORS);
        for (; c + 16 <= job->c; c += 16)
            average_f32(job, a, at + c, out + c, job->mult[p], 1);
        if (c < job->c)
            average_f32_rest(job, a, at + c, job->c - c, out + c, job->mult[p]);
    }
}

/* ------------------------------------------------------------------------------------------ average, u8 ----
 * 64 bytes are added as 32 words (modulo 2^16), and their odd bytes once more by themselves; at the end
 *
 *   odd  = sum of (word >> 8)                  channels 1, 3, 5 ..        3 instructions per tap instead of 4 for
 *   even = sum of words - 256 * odd            channels 0, 2, 4 ..        widening and adding both halves
 *
 * Both are linear, so columns of a window are added up once and then serve every window that they are in (slide). Interleaving
 * even and odd puts the channels in an order that packing restores.
 *
 * Ranges: 256 bytes add up to at most 65,280 in u16. As floats: 2^23 + sum is exact (the sum under the exponent 4b00....), and so
 * is the difference to 2^23 + taps * in_zero <= 2^23 + 65,280. Windows of more than 256 taps go through s32, with the
 * specification's limit. Bound: 3 instructions per tap (less for columns that slide) and 29 to make 64 bytes of the sums. */
enum { TAPS_IN_U16 = 256, SLIDE = 3 };

/* Sums of 64 bytes; what the sums of a job become. */
typedef struct byte_sums {
    __m512i words, odd;
} byte_sums;

typedef struct averaging {
    __m512 offset;              /* 2^23 + taps * in_zero */
    oct_u8_range range;
} averaging;

static averaging averaging_of(const oct_pool_job *job)
{
    return (averaging){_mm512_set1_ps((float)(0x800000 + (int32_t)job->taps * job->in_zero)),
                       oct_u8_range_of(job->out_zero, job->qlo, job->qhi)};
}

/* n channels of `taps` pixels, `c` elements behind the pointers, which lie `stride` pointers apart. */
OCT_INLINE byte_sums add_taps(const void *const *a, size_t taps, size_t stride, size_t c, size_t n)
{
    byte_sums s = {_mm512_setzero_si512(), _mm512_setzero_si512()};
    for (size_t tap = 0; tap < taps; tap++) {
        const __m512i x = oct_load_64((const uint8_t *)a[tap * stride] + c, n);
        s.words = _mm512_add_epi16(s.words, x);
        s.odd = _mm512_add_epi16(s.odd, _mm512_srli_epi16(x, 8));
    }
    return s;
}

/* Channels 0..7 and 8..15 of each lane, u16. */
OCT_INLINE void separate(byte_sums s, __m512i *low, __m512i *high)
{
    const __m512i even = _mm512_sub_epi16(s.words, _mm512_slli_epi16(s.odd, 8));
    *low = _mm512_unpacklo_epi16(even, s.odd);
    *high = _mm512_unpackhi_epi16(even, s.odd);
}

/* Scaled, rounded, packed; x: four channels of each lane after the other. */
OCT_INLINE __m512i bytes_of(__m512 x[4], float mult, const averaging *to)
{
    OCT_UNROLLED
    for (size_t v = 0; v < 4; v++)
        x[v] = _mm512_mul_ps(x[v], _mm512_set1_ps(mult));
    return oct_limit_64(oct_round_64(x, to->range.zero), &to->range);
}

/* 64 averages from sums of at most 256 taps. */
OCT_INLINE __m512i average_of(byte_sums s, float mult, const averaging *to)
{
    const __m512i exponent = _mm512_set1_epi16(0x4b00);
    __m512i low, high;
    separate(s, &low, &high);
    __m512 x[4] = {
        _mm512_castsi512_ps(_mm512_unpacklo_epi16(low, exponent)), _mm512_castsi512_ps(_mm512_unpackhi_epi16(low, exponent)),
        _mm512_castsi512_ps(_mm512_unpacklo_epi16(high, exponent)), _mm512_castsi512_ps(_mm512_unpackhi_epi16(high, exponent))};
    OCT_UNROLLED
    for (size_t v = 0; v < 4; v++)
        x[v] = _mm512_sub_ps(x[v], to->offset);
    return bytes_of(x, mult, to);
}

/* The same for any number of taps. */
static __m512i long_average(const oct_pool_job *job, const void *const *a, size_t c, size_t n, float mult, const averaging *to)
{
    const __m512i nought = _mm512_setzero_si512();
    __m512i total[4], low, high;
    __m512 x[4];
    for (size_t v = 0; v < 4; v++)
        total[v] = _mm512_set1_epi32(-(int32_t)job->taps * job->in_zero);
    for (size_t tap = 0; tap < job->taps; tap += TAPS_IN_U16) {
        separate(add_taps(a + tap, job->taps - tap < TAPS_IN_U16 ? job->taps - tap : TAPS_IN_U16, 1, c, n), &low, &high);
        total[0] = _mm512_add_epi32(total[0], _mm512_unpacklo_epi16(low, nought));
        total[1] = _mm512_add_epi32(total[1], _mm512_unpackhi_epi16(low, nought));
        total[2] = _mm512_add_epi32(total[2], _mm512_unpacklo_epi16(high, nought));
        total[3] = _mm512_add_epi32(total[3], _mm512_unpackhi_epi16(high, nought));
    }
    for (size_t v = 0; v < 4; v++)
        x[v] = _mm512_cvtepi32_ps(total[v]);
    return bytes_of(x, mult, to);
}

/* n <= 64 channels from c on of all pixels, whose windows have three rows of three columns and slide by a column. */
OCT_INLINE void slide_u8(const oct_pool_job *job, size_t c, size_t n)
{
    const averaging to = averaging_of(job);
    const void *const right_column[3] = {job->a[2], job->a[5], job->a[8]};      /* a copy: the output could be job->a */
    const float *mult = job->mult;
    const size_t pixels = job->pixels, step = job->a_step, out_step = job->out_ld;
    byte_sums left = add_taps(job->a, 3, SLIDE, c, n), middle = add_taps(job->a + 1, 3, SLIDE, c, n);
    uint8_t *out = (uint8_t *)job->out + c;
    for (size_t p = 0; p < pixels; p++, out += out_step, c += step) {
        const byte_sums right = add_taps(right_column, 3, 1, c, n);
        const byte_sums sum = {_mm512_add_epi16(_mm512_add_epi16(left.words, middle.words), right.words),
                               _mm512_add_epi16(_mm512_add_epi16(left.odd, middle.odd), right.odd)};
        oct_store_64(out, average_of(sum, mult[p], &to), n);
        left = middle;
        middle = right;
    }
}

/* Pixel by pixel. */
OCT_INLINE void average_u8(const oct_pool_job *job, size_t c, size_t n)
{
    const averaging to = averaging_of(job);
    for (size_t p = 0; p < job->pixels; p++) {
        const void *const *a = oct_pool_taps(job, p);
        const size_t at = p * job->a_step + c;
        const __m512i bytes = job->taps <= TAPS_IN_U16 ? average_of(add_taps(a, job->taps, 1, at, n), job->mult[p], &to)
                                                       : long_average(job, a, at, n, job->mult[p], &to);
        oct_store_64((uint8_t *)job->out + p * job->out_ld + c, bytes, n);
    }
}

/* Block by block of channels, so that a block's columns stay in registers as the windows slide. */
void oct_average_pool_u8_avx512(const oct_pool_job *job)
{
    size_t c = 0;
    if (job->slide == SLIDE && job->taps == 9) {
        for (; c + 64 <= job->c; c += 64)
            slide_u8(job, c, 64);
        if (c < job->c)
            slide_u8(job, c, job->c - c);
    } else {
        for (; c + 64 <= job->c; c += 64)
            average_u8(job, c, 64);
        if (c < job->c)
            average_u8(job, c, job->c - c);
    }
}

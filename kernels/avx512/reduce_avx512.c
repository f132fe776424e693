/* reduce_avx512.c - range of a tensor, softmax along rows. */
#include <math.h>
#include "ops_avx512.h"
#include "vector_avx512.h"

enum { SETS = 4 };

/* minps(x, least) is x < least ? x : least: a NaN in x leaves `least` as it is, as the specification does. Four pairs of running
 * vectors hide the latency of the comparisons; bound: memory. */
void oct_minmax_f32_avx512(size_t n, const float *in, float *lo, float *hi)
{
    __m512 least[SETS], most[SETS];
    OCT_UNROLLED
    for (size_t s = 0; s < SETS; s++) {
        least[s] = _mm512_set1_ps(INFINITY);
        most[s] = _mm512_set1_ps(-INFINITY);
    }
    size_t i = 0;
    for (; i + 16 * SETS <= n; i += 16 * SETS)
        OCT_UNROLLED
        for (size_t s = 0; s < SETS; s++) {
            const __m512 x = _mm512_loadu_ps(in + i + 16 * s);
            least[s] = _mm512_min_ps(x, least[s]);
            most[s] = _mm512_max_ps(x, most[s]);
        }
    for (; i < n; i += 16) {
        const __mmask16 some = oct_lanes_16(n - i);
        const __m512 x = _mm512_maskz_loadu_ps(some, in + i);
        least[0] = _mm512_mask_min_ps(least[0], some, x, least[0]);
        most[0] = _mm512_mask_max_ps(most[0], some, x, most[0]);
    }
    *lo = _mm512_reduce_min_ps(_mm512_min_ps(_mm512_min_ps(least[0], least[1]), _mm512_min_ps(least[2], least[3])));
    *hi = _mm512_reduce_max_ps(_mm512_max_ps(_mm512_max_ps(most[0], most[1]), _mm512_max_ps(most[2], most[3])));
}

/* exp(x) for x <= 0, NaN for a NaN. With n = rne(x / ln 2) and r = x - n ln 2, |r| <= 0.3466: exp(x) = 2^n exp(r).
 *   ln 2 in two parts, the first with 9 bits, so that n * LN2_HIGH is exact for |n| <= 150 and r is off by at most 2^-24 |r| +
 *      2^-31
 *   exp(r) by its Taylor polynomial of degree 7: the rest is below r^8 / 8! * 1.1 < 6e-9 < 2^-27
 *   rounding: the last two steps round to 2^-24 each, the earlier ones weigh |r| or less
 * Together less than 2.5 * 2^-24 relative. Below 2^-126 scalefps rounds once more, to the denormal grid. x is first limited to
 * -104, where exp(x) < 2^-150 rounds to 0: so -inf gives 0. */
OCT_INLINE __m512 exp_16(__m512 x)
{
    const __m512 limited = _mm512_max_ps(_mm512_set1_ps(-104.0f), x);   /* maxps(., NaN) is the NaN */
    const __m512 n =
        _mm512_roundscale_ps(_mm512_mul_ps(limited, _mm512_set1_ps(1.44269504f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), limited);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
    static const float inverse_factorial[] = {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f};
    __m512 p = _mm512_set1_ps(1.0f / 5040);
    OCT_UNROLLED
    for (size_t i = 0; i < 7; i++)
        p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(inverse_factorial[i]));
    return _mm512_scalef_ps(p, n);
}

/* Three passes over a row: its maximum (NaNs passed over), the exponentials with their sum, the division. Subtracting the maximum
 * keeps every exponent <= 0: exp cannot overflow and the sum is at least 1. A row with a NaN or +inf, or of nothing but -inf,
 * comes out as NaN or 0, as in the specification. */
static void softmax_row(size_t cols, const float *in, float *out)
{
    __m512 max = _mm512_set1_ps(-INFINITY), sum = _mm512_setzero_ps();
    for (size_t c = 0; c < cols; c += 16) {
        const __mmask16 some = oct_lanes_16(cols - c);
        max = _mm512_mask_max_ps(max, some, _mm512_maskz_loadu_ps(some, in + c), max);
    }
    max = _mm512_set1_ps(_mm512_reduce_max_ps(max));
    for (size_t c = 0; c < cols; c += 16) {
        const __mmask16 some = oct_lanes_16(cols - c);
        const __m512 e = exp_16(_mm512_sub_ps(_mm512_maskz_loadu_ps(some, in + c), max));
        _mm512_mask_storeu_ps(out + c, some, e);
        sum = _mm512_mask_add_ps(sum, some, sum, e);
    }
    sum = _mm512_set1_ps(_mm512_reduce_add_ps(sum));
    for (size_t c = 0; c < cols; c += 16) {
        const __mmask16 some = oct_lanes_16(cols - c);
        _mm512_mask_storeu_ps(out + c, some, _mm512_div_ps(_mm512_maskz_loadu_ps(some, out + c), sum));
    }
}

void oct_softmax_f32_avx512(size_t rows, size_t cols, const float *in, float *out)
{
    for (size_t r = 0; r < rows; r++)
        softmax_row(cols, in + r * cols, out + r * cols);
}

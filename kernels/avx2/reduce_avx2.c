/* reduce_avx2.c - the range of a tensor.
 *
 *   in:     | v0 | v1 | v2 | v3 | v4 | ..       vector number i goes to pair number i mod 4
 *   least:    l0   l1   l2   l3   l0            most: likewise
 *
 * Four pairs of running vectors, so that the comparisons' latency does not show; bound: memory. minps(x, least) is x < least ? x :
 * least, so a NaN in x leaves `least` as it is: the specification's rule.
 */
#include <math.h>

#include "avx2.h"
#include "vector_avx2.h"

enum { SETS = 4 };

/* Of one vector. */
static float least_of(__m256 v)
{
    const __m128 four = _mm_min_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_min_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_min_ss(two, _mm_movehdup_ps(two)));
}

/* The same for the greatest. */
static float most_of(__m256 v)
{
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

void oct_minmax_f32_avx2(size_t n, const float *in, float *lo, float *hi)
{
    __m256 least[SETS], most[SETS];
    OCT_UNROLLED
    for (size_t s = 0; s < SETS; s++) {
        least[s] = _mm256_set1_ps(INFINITY);
        most[s] = _mm256_set1_ps(-INFINITY);
    }
    /* 1. Whole sets. */
    size_t i = 0;
    for (; i + 8 * SETS <= n; i += 8 * SETS)
        OCT_UNROLLED
        for (size_t s = 0; s < SETS; s++) {
            const __m256 x = _mm256_loadu_ps(in + i + 8 * s);
            least[s] = _mm256_min_ps(x, least[s]);
            most[s] = _mm256_max_ps(x, most[s]);
        }
    /* 2. The sets become one number each; 3. the rest, one by one. */
    float low = least_of(_mm256_min_ps(_mm256_min_ps(least[0], least[1]), _mm256_min_ps(least[2], least[3])));
    float high = most_of(_mm256_max_ps(_mm256_max_ps(most[0], most[1]), _mm256_max_ps(most[2], most[3])));
    for (; i < n; i++) {
        low = in[i] < low ? in[i] : low;
        high = in[i] > high ? in[i] : high;
    }
    *lo = low;
    *hi = high;
}

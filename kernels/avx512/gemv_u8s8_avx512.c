/* gemv_u8s8_avx512.c - one row times a panel, exact u8 x s8 without VNNI:
 *   acc[c] = acc_bias[c] + sum over taps t, i < k of a[t][i] * b[t][i][c];  then requantised to u8, or scaled to f32 (kernels.h)
 *
 * Every weight is used once and memory sets the pace: the panel stays in bytes, half of what gemm_u8s8_avx512.c reads, and is
 * widened in the register (vpmovsxbw). The row is S16 (u8 minus zero point), so a pair of products is exact in vpmaddwd (at most
 * 64,770).
 *
 *   panel [k / 2][64][2] bytes:  | c0: k0 k1 | c1: k0 k1 | ... | c63: k0 k1 |     32 bytes = 16 columns -> one register of s16
 *   row                          | k0 k1 | in every 32-bit lane
 *
 *   64 columns:  2 pairs of k at a time x 4 vectors; 16 columns: 8 pairs x 1 vector: 8 independent sums, added at the end.
 *
 * Judged by the GB/s of the cache level (or memory) that holds the panel.
 */
#include <string.h>
#include "epilogue_avx512.h"
#include "gemm_avx512.h"

enum { SUMS = 8, KR = 2 };

/* Two neighbours of the row in every lane. */
OCT_INLINE __m512i broadcast_group(const int16_t *a)
{
    int32_t two;
    memcpy(&two, a, sizeof two);
    return _mm512_set1_epi32(two);
}

OCT_INLINE __m512i add_products(__m512i acc, __m512i x, const int8_t *b)
{
    const __m512i w = _mm512_cvtepi8_epi16(_mm256_load_si256((const __m256i *)b));
    return _mm512_add_epi32(acc, _mm512_madd_epi16(x, w));
}

/* nv vectors of 16 columns, constant wherever this is inlined. */
OCT_INLINE void row(const oct_tile *t, const size_t nv)
{
    const size_t depth = SUMS / nv * KR;
    /* 1. The first sums start at acc_bias, the others at zero. */
    __m512i acc[SUMS];
    OCT_UNROLLED
    for (size_t j = 0; j < SUMS; j++)
        acc[j] = j < nv ? _mm512_load_si512(t->e.acc_bias + 16 * j) : _mm512_setzero_si512();
    const int8_t *b = t->b;

    for (size_t tap = 0; tap < t->taps; tap++) {
        /* 2. This tap's row pointer. */
        const int16_t *a = (const int16_t *)t->a[tap] + t->a_offset;
        size_t i = 0;
        /* 3. Along k, `depth` at a time. */
        for (; i + depth <= t->k; i += depth, b += 32 * SUMS) {
            OCT_UNROLLED
            for (size_t j = 0; j < SUMS; j++)
                acc[j] = add_products(acc[j], broadcast_group(a + i + j / nv * KR), b + 32 * j);
        }
        /* 3b. The rest, pair by pair; a single last element comes alone. */
        for (; i < t->k; i += KR, b += 32 * nv) {
            const __m512i x = i + 1 < t->k ? broadcast_group(a + i) : _mm512_set1_epi32((uint16_t)a[i]);
            OCT_UNROLLED
            for (size_t v = 0; v < nv; v++)
                acc[v] = add_products(acc[v], x, b + 32 * v);
        }
    }

    /* 5. Join the sums; epilogue. */
    OCT_UNROLLED
    for (size_t j = nv; j < SUMS; j++)
        acc[j % nv] = _mm512_add_epi32(acc[j % nv], acc[j]);
    oct_store_tile_s32(t, acc, 1, 1, nv);
}

void oct_gemv_u8s8_1x64_avx512(const oct_tile *t) { row(t, 4); }

void oct_gemv_u8s8_1x16_avx512(const oct_tile *t) { row(t, 1); }

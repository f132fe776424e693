/* gemv_u8s8_avx512vnni.c - one row times a panel, u8 x s8:
 *   acc[c] = acc_bias[c] + sum over taps t, i < k of a[t][i] * b[t][i][c];  then requantised to u8, or scaled to f32 (kernels.h)
 *
 * Every weight is used once, so what counts is to read the panel as fast as its memory delivers: straight through, two loads a
 * cycle when it lies in L1. vpdpbusd takes 4 cycles; two pipes want 8 independent sums:
 *
 *   64 columns:  2 groups of 4 k at a time x 4 vectors        16 columns:  8 groups at a time x 1 vector
 *        | b0 | b1 | b2 | b3 |  group 0 -> sums 0..3               | b0 |  group 0 -> sum 0
 *        | b0 | b1 | b2 | b3 |  group 1 -> sums 4..7               | .. |  ...       sum 7
 *
 * Ranges as in gemm_u8s8_avx512vnni.c; a sum of some of the products is as safe as the sum of all (wrapping would even do no harm).
 * Judged by the GB/s of the cache level (or memory) that holds the panel.
 */
#include <string.h>
#include "avx512/epilogue_avx512.h"
#include "gemm_avx512vnni.h"

enum { SUMS = 8, KR = 4 };

/* Four neighbours of the row in every lane. */
OCT_INLINE __m512i broadcast_group(const uint8_t *a)
{
    int32_t four;
    memcpy(&four, a, sizeof four);
    return _mm512_set1_epi32(four);
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
        const uint8_t *a = (const uint8_t *)t->a[tap] + t->a_offset;
        size_t i = 0;
        /* 3. Along k, `depth` at a time. */
        for (; i + depth <= t->k; i += depth, b += 64 * SUMS) {
            OCT_UNROLLED
            for (size_t j = 0; j < SUMS; j++)
                acc[j] = _mm512_dpbusd_epi32(acc[j], broadcast_group(a + i + j / nv * KR), _mm512_load_si512(b + 64 * j));
        }
        /* 3b. The rest, group by group; the last one is masked: nothing is read beyond k. */
        for (; i < t->k; i += KR, b += 64 * nv) {
            const __mmask16 some = (__mmask16)(t->k - i >= KR ? 15u : (1u << (t->k - i)) - 1u);
            const __m512i x = _mm512_broadcastd_epi32(_mm_maskz_loadu_epi8(some, a + i));
            OCT_UNROLLED
            for (size_t v = 0; v < nv; v++)
                acc[v] = _mm512_dpbusd_epi32(acc[v], x, _mm512_load_si512(b + 64 * v));
        }
    }

    /* 5. Join the sums; epilogue. */
    OCT_UNROLLED
    for (size_t j = nv; j < SUMS; j++)
        acc[j % nv] = _mm512_add_epi32(acc[j % nv], acc[j]);
    oct_store_tile_s32(t, acc, 1, 1, nv);
}

void oct_gemv_u8s8_1x64_avx512vnni(const oct_tile *t) { row(t, 4); }

void oct_gemv_u8s8_1x16_avx512vnni(const oct_tile *t) { row(t, 1); }

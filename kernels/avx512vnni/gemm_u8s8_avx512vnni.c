/* gemm_u8s8_avx512vnni.c - u8 x s8 micro-kernels:
 *   acc[r][c] = acc_bias[c] + sum over taps t, i < k of a[r][t][i] * b[t][i][c];  then requantised to u8, or scaled to f32
 *      (kernels.h)
 *
 * vpdpbusd: each of 16 lanes adds four products u8 * s8 to its s32. Four products reach at most 4 * 255 * 127 = 129,540 in size
 * and are summed exactly; the sum with the accumulator cannot wrap because the packer has proved 255 * sum|w| + |acc_bias| < 2^31.
 *
 * The tile, 6 x 64 (24 accumulators + 4 columns of b + 1 broadcast = 29 of 32 registers):
 *
 *                        b: one group of 4 k, 64 columns             panel: [k / 4][64][4] bytes
 *                      | b0 | b1 | b2 | b3 |   64 bytes each:  c0: k0 k1 k2 k3 | c1: k0 k1 k2 k3 | ... | c15: ...
 *   row 0  k0..k3  ->  | 00 | 01 | 02 | 03 |
 *   ...                |        ...        |   the 4 bytes of a row are one 32-bit broadcast for 4 dot products
 *   row 5  k0..k3  ->  | 20 | 21 | 22 | 23 |
 *
 * When k is no multiple of 4 the panel's last group is padded with zero weights, but the rows are not: their last bytes come by a
 * masked load, which touches nothing beyond them.
 * For the rest of N: 12 x 32 (24 + 2 + 1 registers) and 12 x 16.
 *
 * Judged by the vpdpbusd peak of the core.
 */
#include <string.h>
#include "avx512/epilogue_avx512.h"
#include "gemm_avx512vnni.h"

enum { MR = 12, NV = 4, KR = 4 };

/* Four neighbours of a row in every lane. */
OCT_INLINE __m512i broadcast_group(const uint8_t *a)
{
    int32_t four;
    memcpy(&four, a, sizeof four);
    return _mm512_set1_epi32(four);
}

/* The last 1..3 of a row, then zeros. Bytes outside the mask are not read. */
OCT_INLINE __m512i broadcast_rest(const uint8_t *a, __mmask16 some)
{
    return _mm512_broadcastd_epi32(_mm_maskz_loadu_epi8(some, a));
}

OCT_INLINE __m512i add_products(__m512i acc, __m512i x, __m512i w) { return _mm512_dpbusd_epi32(acc, x, w); }

/* mr rows and nv vectors of 16 columns, constants wherever this is inlined: the loops over them unroll and acc lives in
 * registers. */
OCT_INLINE void tile(const oct_tile *t, const size_t mr, const size_t nv)
{
    /* 1. Accumulators start at acc_bias. One straight initialisation: with a choice here gcc would spill all of them round the
     * loop. */
    __m512i acc[OCT_TILE_VECTORS];
    OCT_UNROLL
    for (size_t r = 0; r < mr; r++)
        OCT_UNROLL
        for (size_t v = 0; v < nv; v++)
            acc[r * nv + v] = _mm512_load_si512(t->e.acc_bias + 16 * v);
    const int8_t *b = t->b;
    const size_t k_whole = t->k - t->k % KR;
    const __mmask16 some = (__mmask16)((1u << (t->k - k_whole)) - 1u);

    for (size_t tap = 0; tap < t->taps; tap++) {
        /* 2. This tap's row pointers. */
        const uint8_t *a[MR];
        OCT_UNROLL
        for (size_t r = 0; r < mr; r++)
            a[r] = (const uint8_t *)t->a[r * t->a_stride + tap] + t->a_offset;

        /* 3. Along k, whole groups. */
        for (size_t i = 0; i < k_whole; i += KR, b += 16 * KR * nv) {
            __m512i column[NV];
            OCT_UNROLL
            for (size_t v = 0; v < nv; v++)
                column[v] = _mm512_load_si512(b + 16 * KR * v);
            OCT_UNROLL
            for (size_t r = 0; r < mr; r++) {
                /* 4. Broadcast four of a, multiply, add. */
                const __m512i x = broadcast_group(a[r] + i);
                OCT_UNROLL
                for (size_t v = 0; v < nv; v++)
                    acc[r * nv + v] = add_products(acc[r * nv + v], x, column[v]);
            }
        }

        /* 3b. The ragged group: a ends at k, so what is missing counts as zero (as the weights there are). */
        if (k_whole < t->k) {
            OCT_UNROLL
            for (size_t r = 0; r < mr; r++) {
                const __m512i x = broadcast_rest(a[r] + k_whole, some);
                OCT_UNROLL
                for (size_t v = 0; v < nv; v++)
                    acc[r * nv + v] = add_products(acc[r * nv + v], x, _mm512_load_si512(b + 16 * KR * v));
            }
            b += 16 * KR * nv;
        }
    }

    /* 5. Epilogue, row by row. */
    oct_store_tile_s32(t, acc, mr, nv);
}

void oct_gemm_u8s8_6x64_avx512vnni(const oct_tile *t)
{
    switch (t->m) {
    case 1: tile(t, 1, 4); break;
    case 2: tile(t, 2, 4); break;
    case 3: tile(t, 3, 4); break;
    case 4: tile(t, 4, 4); break;
    case 5: tile(t, 5, 4); break;
    default: tile(t, 6, 4); break;
    }
}

/* The narrow tiles: 1..12 rows. */
OCT_INLINE void narrow(const oct_tile *t, const size_t nv)
{
    switch (t->m) {
    case 1: tile(t, 1, nv); break;
    case 2: tile(t, 2, nv); break;
    case 3: tile(t, 3, nv); break;
    case 4: tile(t, 4, nv); break;
    case 5: tile(t, 5, nv); break;
    case 6: tile(t, 6, nv); break;
    case 7: tile(t, 7, nv); break;
    case 8: tile(t, 8, nv); break;
    case 9: tile(t, 9, nv); break;
    case 10: tile(t, 10, nv); break;
    case 11: tile(t, 11, nv); break;
    default: tile(t, 12, nv); break;
    }
}

void oct_gemm_u8s8_12x32_avx512vnni(const oct_tile *t) { narrow(t, 2); }

void oct_gemm_u8s8_12x16_avx512vnni(const oct_tile *t) { narrow(t, 1); }

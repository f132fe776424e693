/* gemm_u8s8_avx512.c - exact u8 x s8 micro-kernels without VNNI, on 16-bit operands:
 *   acc[r][c] = acc_bias[c] + sum over taps t, i < k of a[r][t][i] * b[t][i][c];  then requantised to u8, or scaled to f32
 *      (kernels.h)
 *
 * The rows are S16: u8 minus its zero point, widened once per tensor, in [-255, 255]. vpmaddwd: each of 16 lanes sums two products
 * s16 * s16, at most 2 * 255 * 127 = 64,770 in size: exact. vpaddd adds them to the accumulator, which cannot wrap
 * (oct_gemm_provable). vpmaddubsw would halve the work, but its sums of two u8 * s8 saturate at 16 bits (2 * 255 * 127 > 32,767).
 *
 * The tile, 6 x 64 (24 accumulators + 4 columns of b + broadcast + product = 30 of 32 registers):
 *
 *                       b: one pair of k, 64 columns              panel: [k / 2][64][2] s16
 *                     | b0 | b1 | b2 | b3 |   64 bytes each:  c0: k0 k1 | c1: k0 k1 | ... | c15: k0 k1
 *   row 0  k0 k1  ->  | 00 | 01 | 02 | 03 |
 *   ...               |        ...        |   the pair of a row is one 32-bit broadcast for 4 multiplications and 4 additions
 *   row 5  k0 k1  ->  | 20 | 21 | 22 | 23 |
 *
 * When k is odd the panel's last pair is padded with zero weights; the last element of a row then comes alone.
 * For the rest of N: 12 x 32 (24 + 2 + 2 registers) and 12 x 16.
 *
 * Judged by the peak of vpmaddwd + vpaddd.
 */
#include <string.h>
#include "epilogue_avx512.h"
#include "gemm_avx512.h"

enum { MR = 12, NV = 4, KR = 2 };

/* Two neighbours of a row in every lane. */
OCT_INLINE __m512i broadcast_group(const int16_t *a)
{
    int32_t two;
    memcpy(&two, a, sizeof two);
    return _mm512_set1_epi32(two);
}

/* The last one of a row, then a zero. */
OCT_INLINE __m512i broadcast_rest(const int16_t *a) { return _mm512_set1_epi32((uint16_t)*a); }

OCT_INLINE __m512i add_products(__m512i acc, __m512i x, __m512i w) { return _mm512_add_epi32(acc, _mm512_madd_epi16(x, w)); }

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
    const int16_t *b = t->b;
    const size_t k_whole = t->k - t->k % KR;

    for (size_t tap = 0; tap < t->taps; tap++) {
        /* 2. This tap's row pointers. */
        const int16_t *a[MR];
        OCT_UNROLL
        for (size_t r = 0; r < mr; r++)
            a[r] = (const int16_t *)t->a[r * t->a_stride + tap] + t->a_offset;

        /* 3. Along k, whole groups. */
        for (size_t i = 0; i < k_whole; i += KR, b += 16 * KR * nv) {
            __m512i column[NV];
            OCT_UNROLL
            for (size_t v = 0; v < nv; v++)
                column[v] = _mm512_load_si512(b + 16 * KR * v);
            OCT_UNROLL
            for (size_t r = 0; r < mr; r++) {
                /* 4. Broadcast two of a, multiply, add. */
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
                const __m512i x = broadcast_rest(a[r] + k_whole);
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

void oct_gemm_u8s8_6x64_avx512(const oct_tile *t)
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

void oct_gemm_u8s8_12x32_avx512(const oct_tile *t) { narrow(t, 2); }

void oct_gemm_u8s8_12x16_avx512(const oct_tile *t) { narrow(t, 1); }

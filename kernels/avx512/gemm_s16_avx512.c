/* gemm_s16_avx512.c - s16 x s16 micro-kernels of integer Winograd, without VNNI:
 *   out[r][c] = acc_bias[c] + sum over i < k of a[r][i] * b[i][c],  modulo 2^32, stored as they are
 *
 * vpmaddwd: each of 16 lanes sums two products s16 * s16, exactly: only with all four factors -32,768 could it leave s32. vpaddd
 * adds them to the accumulator, wrapping. winograd_weights_u8s8.c has the ranges, and why wrapping does no harm.
 *
 * The tile, 6 x 64 (24 accumulators + 4 columns of b + broadcast + product = 30 of 32 registers):
 *
 *                       b: one pair of k, 64 columns              panel: [k / 2][64][2] s16
 *                     | b0 | b1 | b2 | b3 |   64 bytes each:  c0: k0 k1 | c1: k0 k1 | ... | c15: k0 k1
 *   row 0  k0 k1  ->  | 00 | 01 | 02 | 03 |
 *   ...               |        ...        |   the pair of a row is one 32-bit broadcast for 4 multiplications and 4 additions
 *   row 5  k0 k1  ->  | 20 | 21 | 22 | 23 |
 *
 * When k is odd, rows and panel both end in a pair with a zero: rows of V are filled with zeros to a multiple of 64 bytes.
 * For the rest of N: 12 x 32 (24 + 2 + 2 registers) and 12 x 16.
 *
 * Judged by the peak of vpmaddwd + vpaddd: it is the direct kernel's work per product, with a quarter of the products.
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

OCT_INLINE __m512i add_products(__m512i acc, __m512i x, __m512i w) { return _mm512_add_epi32(acc, _mm512_madd_epi16(x, w)); }

/* mr rows and nv vectors of 16 columns, constants wherever this is inlined: the loops over them unroll and acc lives in
 * registers. */
OCT_INLINE void tile(const oct_tile *t, const size_t mr, const size_t nv)
{
    /* 1. Accumulators start at acc_bias. */
    __m512i acc[OCT_TILE_VECTORS];
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < nv; v++)
            acc[r * nv + v] = _mm512_load_si512(t->e.acc_bias + 16 * v);
    const int16_t *b = t->b;

    /* 2. Row pointers. */
    const int16_t *a[MR];
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++)
        a[r] = (const int16_t *)t->a[r * t->a_stride] + t->a_offset;

    /* 3. Along k. */
    for (size_t i = 0; i < t->k; i += KR, b += 16 * KR * nv) {
        __m512i column[NV];
        OCT_UNROLLED
        for (size_t v = 0; v < nv; v++)
            column[v] = _mm512_load_si512(b + 16 * KR * v);
        OCT_UNROLLED
        for (size_t r = 0; r < mr; r++) {
            /* 4. Broadcast two of a, multiply, add. */
            const __m512i x = broadcast_group(a[r] + i);
            OCT_UNROLLED
            for (size_t v = 0; v < nv; v++)
                acc[r * nv + v] = add_products(acc[r * nv + v], x, column[v]);
        }
    }

    /* 5. Away. */
    int32_t *out = t->e.out;
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < nv; v++)
            _mm512_storeu_si512(out + r * t->e.out_ld + 16 * v, acc[r * nv + v]);
}

void oct_gemm_s16_6x64_avx512(const oct_tile *t)
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

void oct_gemm_s16_12x32_avx512(const oct_tile *t) { narrow(t, 2); }

void oct_gemm_s16_12x16_avx512(const oct_tile *t) { narrow(t, 1); }

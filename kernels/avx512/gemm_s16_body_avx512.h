/* gemm_s16_body_avx512.h - the s16 x s16 tiles of integer Winograd, with and without VNNI. The including file gives add_products
 * (a pair of one row and one of every column, added to s32, wrapping) and draws the tile. */
#ifndef OCT_GEMM_S16_BODY_AVX512_H
#define OCT_GEMM_S16_BODY_AVX512_H

enum { MR = 12, NV = 4, KR = 2 };

/* Two neighbours of a row in every lane. */
OCT_INLINE __m512i broadcast_group(const int16_t *a)
{
    int32_t two;
    memcpy(&two, a, sizeof two);
    return _mm512_set1_epi32(two);
}

/* mr rows, of which t->m exist, at least `least`, and nv vectors of 16 columns: constants wherever this is inlined, so the loops
 * over them unroll and acc lives in registers. */
OCT_INLINE void tile(const oct_tile *t, const size_t mr, const size_t least, const size_t nv)
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
        a[r] = (const int16_t *)t->a[oct_row_or_first(t, r, least) * t->a_stride] + t->a_offset;

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
    for (size_t r = 0; r < mr; r++) {
        OCT_UNROLLED
        for (size_t v = 0; v < nv; v++)
            if (r < least || r < t->m)
                _mm512_storeu_si512(out + r * t->e.out_ld + 16 * v, acc[r * nv + v]);
    }
}

#include "gemm_sizes_avx512.h"

#endif

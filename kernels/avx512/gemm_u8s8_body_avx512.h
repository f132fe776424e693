/* gemm_u8s8_body_avx512.h - the integer tile of this folder and of avx512vnni, once for both. Whoever includes it has said before
 *
 *   row_elem, panel_elem      what rows and panels are made of
 *   KR                        how many neighbouring k one instruction sums
 *   broadcast_group(a)        KR of a row in every lane
 *   broadcast_rest(a, some)   the last ones of a row, fewer than KR (a mask of them), then zeros; nothing beyond is read
 *   add_products(acc, x, w)   acc + the dot products of KR
 *
 * and has drawn tile and panel.
 */
#ifndef OCT_GEMM_U8S8_BODY_AVX512_H
#define OCT_GEMM_U8S8_BODY_AVX512_H

#include "epilogue_avx512.h"

enum { MR = 12, NV = 4 };

/* mr rows, of which t->m exist, at least `least`, and nv vectors of 16 columns: constants wherever this is inlined, so the loops
 * over them unroll and acc lives in registers. */
OCT_INLINE void tile(const oct_tile *t, const size_t mr, const size_t least, const size_t nv)
{
    /* 1. Accumulators start at acc_bias. One straight initialisation: with a choice here gcc would spill all of them round the
     * loop. */
    __m512i acc[OCT_TILE_VECTORS];
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < nv; v++)
            acc[r * nv + v] = _mm512_load_si512(t->e.acc_bias + 16 * v);
    const panel_elem *b = t->b;
    const size_t k_whole = t->k - t->k % KR;
    const __mmask16 some = (__mmask16)((1u << (t->k - k_whole)) - 1u);

    for (size_t tap = 0; tap < t->taps; tap++) {
        /* 2. This tap's row pointers. */
        const row_elem *a[MR];
        OCT_UNROLLED
        for (size_t r = 0; r < mr; r++)
            a[r] = (const row_elem *)t->a[oct_row_or_first(t, r, least) * t->a_stride + tap] + t->a_offset;

        /* 3. Along k, whole groups. */
        for (size_t i = 0; i < k_whole; i += KR, b += 16 * KR * nv) {
            __m512i column[NV];
            OCT_UNROLLED
            for (size_t v = 0; v < nv; v++)
                column[v] = _mm512_load_si512(b + 16 * KR * v);
            OCT_UNROLLED
            for (size_t r = 0; r < mr; r++) {
                /* 4. Broadcast a group of a, multiply, add. */
                const __m512i x = broadcast_group(a[r] + i);
                OCT_UNROLLED
                for (size_t v = 0; v < nv; v++)
                    acc[r * nv + v] = add_products(acc[r * nv + v], x, column[v]);
            }
        }

        /* 3b. The ragged group: a ends at k, so what is missing counts as zero (as the weights there are). */
        if (k_whole < t->k) {
            OCT_UNROLLED
            for (size_t r = 0; r < mr; r++) {
                const __m512i x = broadcast_rest(a[r] + k_whole, some);
                OCT_UNROLLED
                for (size_t v = 0; v < nv; v++)
                    acc[r * nv + v] = add_products(acc[r * nv + v], x, _mm512_load_si512(b + 16 * KR * v));
            }
            b += 16 * KR * nv;
        }
    }

    /* 5. Epilogue, row by row. */
    oct_store_tile_s32(t, acc, mr, least, nv);
}

#include "gemm_sizes_avx512.h"

#endif

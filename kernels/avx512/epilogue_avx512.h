/* epilogue_avx512.h - from accumulators in registers to output: the vector twin of scalar/epilogue_scalar.h.
 *
 * A tile is mr rows of nv vectors of 16 columns, acc[r * nv + v], mr and nv constant. f32 output is stored row by row. u8 output
 * is made of four vectors at a time: one row of 64 columns, two rows of 32, or four rows of 16. With vN = vector N of the four
 * and L = one of the four 128-bit lanes of a register:
 *
 *   v0 v1 v2 v3   s32     lane L:  4 columns of v0 | of v1 | of v2 | of v3         (one register each)
 *   packs_epi32   s16     lane L:  v0 v1 | v2 v3       saturating to s16; + out_zero, saturating
 *   packus_epi16  u8      lane L:  v0 v1 v2 v3         saturating to 0..255
 *   permute dwords        dword 4 N + L <- dword 4 L + N:  lane N is vector N, 16 columns in order
 *
 * Saturation on the way is harmless: for every rounded value r in s32 and every zero in 0..255,
 *   r > 32767:   saturated to 32767, + zero >= 255 -> 255, as r + zero would;    r < -32768:  -32768 + zero <= -32513 -> 0, as r
 *      + zero would. The zero point is added after rounding: added before, it would change ties (0.5 -> 0 but 3.5 -> 4).
 *
 * A panel's ragged end (fewer than 16 nv columns exist) is loaded and stored under masks; nothing beyond is touched.
 */
#ifndef OCT_EPILOGUE_AVX512_H
#define OCT_EPILOGUE_AVX512_H

#include <immintrin.h>
#include "kernels.h"
#include "unroll.h"

/* Before a sum is stored: otherwise clang takes the loop that stores a tile for a memcpy, and keeps the sums in memory for it all
 * through the products. */
#define OCT_IN_REGISTER(x) __asm__("" : "+v"(x))

/* mr * nv is at most this. */
enum { OCT_TILE_VECTORS = 24 };

/* A mask of the first n lanes (bytes), n as large as it may be. */
OCT_INLINE __mmask16 oct_lanes_16(size_t n) { return (__mmask16)(n >= 16 ? 0xffffu : (1u << n) - 1u); }
OCT_INLINE __mmask32 oct_lanes_32(size_t n) { return n >= 32 ? 0xffffffffu : (1u << n) - 1u; }
OCT_INLINE __mmask64 oct_lanes_64(size_t n) { return n >= 64 ? ~0ull : (1ull << n) - 1u; }

/* How many of `n` columns are left from column c on. */
OCT_INLINE size_t oct_left(size_t n, size_t c) { return n > c ? n - c : 0; }

/* min(max(y, lo), hi); maxps returns its second operand when one is a NaN, so a NaN becomes lo. */
OCT_INLINE __m512 oct_clamp_16(__m512 y, __m512 lo, __m512 hi) { return _mm512_min_ps(_mm512_max_ps(y, lo), hi); }

/* ------------------------------------------------------------------------------------------------- f32 ---- */

/* One row of nv vectors, the first n columns of which exist: clamp(y (+ residual)). */
OCT_INLINE void oct_store_row_f32(const oct_epilogue *e, size_t row, size_t n, __m512 *y, const size_t nv)
{
    const __m512 lo = _mm512_set1_ps(e->lo), hi = _mm512_set1_ps(e->hi);
    float *out = (float *)e->out + row * e->out_ld;
    if (e->residual) {
        const float *residual = (const float *)e->residual + row * e->residual_ld;
        OCT_UNROLLED
        for (size_t v = 0; v < nv; v++) {
            const size_t left = oct_left(n, 16 * v);
            const __m512 x =
                left >= 16 ? _mm512_loadu_ps(residual + 16 * v) : _mm512_maskz_loadu_ps(oct_lanes_16(left), residual + 16 * v);
            y[v] = _mm512_add_ps(y[v], x);
        }
    }
    if (n == 16 * nv) {
        OCT_UNROLLED
        for (size_t v = 0; v < nv; v++)
            _mm512_storeu_ps(out + 16 * v, oct_clamp_16(y[v], lo, hi));
    } else {
        OCT_UNROLLED
        for (size_t v = 0; v < nv; v++)
            _mm512_mask_storeu_ps(out + 16 * v, oct_lanes_16(oct_left(n, 16 * v)), oct_clamp_16(y[v], lo, hi));
    }
}

/* -------------------------------------------------------------------------------------------------- u8 ---- */

/* The last steps: s16 -> bytes, see above; dword N of each lane comes from vector N. Zero points and clamps that do nothing are
 * left out, as they are after most activations. */
OCT_INLINE __m512i oct_bytes_from_s16(__m512i low, __m512i high, const oct_epilogue *e)
{
    if (e->out_zero != 0) {
        const __m512i zero = _mm512_set1_epi16((int16_t)e->out_zero);
        low = _mm512_adds_epi16(low, zero);
        high = _mm512_adds_epi16(high, zero);
    }
    __m512i bytes = _mm512_packus_epi16(low, high);
    if (e->qlo != 0 || e->qhi != 255) {
        bytes = _mm512_max_epu8(bytes, _mm512_set1_epi8((char)e->qlo));
        bytes = _mm512_min_epu8(bytes, _mm512_set1_epi8((char)e->qhi));
    }
    return bytes;
}

/* Four vectors of rounded values -> bytes in order: lane N is vector N. */
OCT_INLINE __m512i oct_bytes_64(const __m512i q[4], const oct_epilogue *e)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    return _mm512_permutexvar_epi32(order, oct_bytes_from_s16(_mm512_packs_epi32(q[0], q[1]), _mm512_packs_epi32(q[2], q[3]), e));
}

/* One 128-bit lane; `lane` is constant wherever this is inlined. */
OCT_INLINE __m128i oct_lane(__m512i x, const size_t lane)
{
    switch (lane) {
    case 0: return _mm512_castsi512_si128(x);
    case 1: return _mm512_extracti32x4_epi32(x, 1);
    case 2: return _mm512_extracti32x4_epi32(x, 2);
    default: return _mm512_extracti32x4_epi32(x, 3);
    }
}

/* Piece i of the four vectors (one row of nv of them) to memory, n columns of it. */
OCT_INLINE void oct_store_piece(uint8_t *out, __m512i bytes, const size_t i, const size_t nv, size_t n)
{
    const __m256i half = i == 0 ? _mm512_castsi512_si256(bytes) : _mm512_extracti64x4_epi64(bytes, 1);
    if (n == 16 * nv) {
        if (nv == 4)
            _mm512_storeu_si512(out, bytes);
        else if (nv == 2)
            _mm256_storeu_si256((__m256i *)out, half);
        else
            _mm_storeu_si128((__m128i *)out, oct_lane(bytes, i));
    } else {
        if (nv == 4)
            _mm512_mask_storeu_epi8(out, oct_lanes_64(n), bytes);
        else if (nv == 2)
            _mm256_mask_storeu_epi8(out, oct_lanes_32(n), half);
        else
            _mm_mask_storeu_epi8(out, oct_lanes_16(n), oct_lane(bytes, i));
    }
}

/* x + (float)(residual - zero) * mult, 16 columns of which n exist. */
OCT_INLINE __m512 oct_add_residual_u8(__m512 x, const uint8_t *residual, size_t n, const oct_epilogue *e)
{
    const __m128i bytes = n >= 16 ? _mm_loadu_si128((const __m128i *)residual) : _mm_maskz_loadu_epi8(oct_lanes_16(n), residual);
    const __m512i shifted = _mm512_sub_epi32(_mm512_cvtepu8_epi32(bytes), _mm512_set1_epi32(e->residual_zero));
    return _mm512_add_ps(x, _mm512_mul_ps(_mm512_cvtepi32_ps(shifted), _mm512_set1_ps(e->residual_mult)));
}

/* Four vectors of accumulators from row `row` on, `inside` of them in the tile (a constant), of which `rows` rows exist:
 * clamp(rne((float)acc * mult (+ residual)) + zero). */
OCT_INLINE void oct_store_rows_u8(const oct_epilogue *e, size_t row, size_t n, const __m512i *acc, const size_t inside, size_t rows,
                                  const size_t nv)
{
    __m512 x[4];
    __m512i q[4];
    OCT_UNROLLED
    for (size_t j = 0; j < 4; j++)
        x[j] = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[j < inside ? j : 0]), _mm512_load_ps(e->mult + 16 * (j % nv)));
    if (e->residual) {
        const uint8_t *residual = (const uint8_t *)e->residual + row * e->residual_ld;
        OCT_UNROLLED
        for (size_t j = 0; j < 4; j++)
            if (j < inside && j / nv < rows)
                x[j] = oct_add_residual_u8(x[j], residual + j / nv * e->residual_ld + 16 * (j % nv), oct_left(n, 16 * (j % nv)), e);
    }
    OCT_UNROLLED
    for (size_t j = 0; j < 4; j++)
        q[j] = _mm512_cvtps_epi32(x[j]);
    const __m512i bytes = oct_bytes_64(q, e);
    OCT_UNROLLED
    for (size_t i = 0; i < 4 / nv; i++)
        if (i < inside / nv && i < rows)
            oct_store_piece((uint8_t *)e->out + (row + i) * e->out_ld, bytes, i, nv, n);
}

/* The same when all that is in the tile exists. */
OCT_INLINE void oct_store_four_u8(const oct_epilogue *e, size_t row, size_t n, const __m512i *acc, const size_t inside,
                                  const size_t nv)
{
    oct_store_rows_u8(e, row, n, acc, inside, inside / nv, nv);
}

/* --------------------------------------------------------------------------------------------- a tile ----
 * Full panels and the kernel's own type of output leave straight from the registers. What is rarer (a panel's ragged end, f32
 * output of u8s8 and u8 output of f32) goes by way of memory, or every one of some thirty tile sizes would hold a copy of all
 * that code. */

/* The row to read for row r of a tile that computes more rows than exist: itself, or the first. `least` exist for certain. */
OCT_INLINE size_t oct_row_or_first(const oct_tile *t, const size_t r, const size_t least) { return r < least || r < t->m ? r : 0; }

/* acc: t->m rows of nv vectors; room for a multiple of four. */
void oct_finish_f32_avx512(const oct_tile *t, const float *acc, size_t nv);
void oct_finish_s32_avx512(const oct_tile *t, const int32_t *acc, size_t nv);

OCT_INLINE void oct_store_tile_f32(const oct_tile *t, __m512 *acc, const size_t mr, const size_t least, const size_t nv)
{
    if (t->n == 16 * nv && t->e.out_elem == OCT_ELEM_F32) {
        OCT_UNROLLED
        for (size_t r = 0; r < mr; r++)
            if (r < least || r < t->m)
                oct_store_row_f32(&t->e, r, 16 * nv, acc + r * nv, nv);
    } else {
        _Alignas(64) float stored[OCT_TILE_VECTORS * 16];
        OCT_UNROLLED
        for (size_t j = 0; j < mr * nv; j++) {
            OCT_IN_REGISTER(acc[j]);
            _mm512_store_ps(stored + 16 * j, acc[j]);
        }
        oct_finish_f32_avx512(t, stored, nv);
    }
}

OCT_INLINE void oct_store_tile_s32(const oct_tile *t, const __m512i *acc, const size_t mr, const size_t least, const size_t nv)
{
    const size_t rows = 4 / nv;
    /* A copy: what is stored cannot change it, so nothing of it is loaded again for every row. Field by field: by vectors it would
     * wait for the words that the caller has just written. */
    const oct_epilogue e = {
        .mult = t->e.mult, .residual = t->e.residual, .residual_ld = t->e.residual_ld, .residual_mult = t->e.residual_mult,
        .residual_zero = t->e.residual_zero, .qlo = t->e.qlo, .qhi = t->e.qhi, .out_zero = t->e.out_zero, .out = t->e.out,
        .out_ld = t->e.out_ld};
    if (t->n == 16 * nv && t->e.out_elem == OCT_ELEM_U8) {
        OCT_UNROLLED
        for (size_t r = 0; r < mr; r += rows) {
            const size_t inside = mr - r < rows ? (mr - r) * nv : 4;
            if (r < least || r < t->m)
                oct_store_rows_u8(&e, r, 16 * nv, acc + r * nv, inside, r + inside / nv <= least ? inside / nv : t->m - r, nv);
        }
    } else {
        _Alignas(64) int32_t stored[OCT_TILE_VECTORS * 16];
        OCT_UNROLLED
        for (size_t j = 0; j < mr * nv; j++) {
            __m512i x = acc[j];
            OCT_IN_REGISTER(x);
            _mm512_store_si512(stored + 16 * j, x);
        }
        oct_finish_s32_avx512(t, stored, nv);
    }
}

#endif

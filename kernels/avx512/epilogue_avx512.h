/* epilogue_avx512.h - from accumulators in registers to output: the vector twin of scalar/epilogue_scalar.h.
 *
 * A row of a tile is nv vectors of 16 columns. Two ways out of the registers:
 *   full panels, the usual output type   straight from the registers, one row at a time (the inline functions below)
 *   everything else                      the tile is stored to the stack, then oct_finish_*_avx512 goes over it with masks
 * The second costs some 2 stores and loads per 16 results; a panel has a ragged end at most once per matrix.
 *
 * Requantisation of 64 columns, per 128-bit lane L (4 lanes of 4 columns in each vector; cN = the 4 columns starting at 16 N + 4 L):
 *
 *   q0 q1 q2 q3   s32     lane L holds  c0 | c1 | c2 | c3                     (one register each)
 *   packs_epi32   s16     c0 c1 | c2 c3       saturating to +-32767; + out_zero, saturating
 *   packus_epi16  u8      c0 c1 c2 c3         saturating to 0..255
 *   permute dwords        dword 4 v + L <- dword 4 L + v : the columns in order
 *
 * Saturation on the way is harmless: for every rounded value r in s32 and zero in 0..255,
 *   r > 32767  ->  32767 + zero >= 255 -> 255, as r + zero would;   r < -32768  ->  -32768 + zero <= -32513 -> 0, as r + zero would.
 * The zero point is added after rounding: added before, it would change ties (0.5 -> 0 but 3.5 -> 4).
 */
#ifndef OCT_EPILOGUE_AVX512_H
#define OCT_EPILOGUE_AVX512_H

#include <immintrin.h>
#include "kernels.h"

/* Bodies with constant row and vector counts: only when inlined do their arrays become registers. */
#define OCT_INLINE static inline __attribute__((always_inline))
/* Before a loop with a constant count: unroll it whole, for the same reason. */
#ifdef __clang__
#define OCT_UNROLL _Pragma("clang loop unroll(full)")
#else
#define OCT_UNROLL _Pragma("GCC unroll 32")
#endif

/* Accumulators of a tile that left the registers: rows of ld elements, t->m of them. bias is already inside (f32). */
void oct_finish_f32_avx512(const oct_tile *t, const float *acc, size_t ld);
void oct_finish_s32_avx512(const oct_tile *t, const int32_t *acc, size_t ld);

/* The first n (1..16) of 16 lanes. */
OCT_INLINE __mmask16 oct_lanes_16(size_t n)
{
    return (__mmask16)(n >= 16 ? 0xffffu : (1u << n) - 1u);
}

/* min(max(y, lo), hi); maxps returns its second operand when one is a NaN, so a NaN becomes lo. */
OCT_INLINE __m512 oct_clamp_16(__m512 y, __m512 lo, __m512 hi)
{
    return _mm512_min_ps(_mm512_max_ps(y, lo), hi);
}

/* (float)(residual - zero) * mult */
OCT_INLINE __m512 oct_residual_16(__m128i residual, __m512i zero, __m512 mult)
{
    return _mm512_mul_ps(_mm512_cvtepi32_ps(_mm512_sub_epi32(_mm512_cvtepu8_epi32(residual), zero)), mult);
}

/* One row of a full panel, f32 out: clamp(acc (+ residual)). */
OCT_INLINE void oct_store_row_f32(const oct_epilogue *e, size_t row, const __m512 *acc, const size_t nv)
{
    const __m512 lo = _mm512_set1_ps(e->lo), hi = _mm512_set1_ps(e->hi);
    float *out = (float *)e->out + row * e->out_ld;
    __m512 y[4];
    OCT_UNROLL
    for (size_t v = 0; v < nv; v++)
        y[v] = acc[v];
    if (e->residual) {
        const float *residual = (const float *)e->residual + row * e->residual_ld;
        OCT_UNROLL
        for (size_t v = 0; v < nv; v++)
            y[v] = _mm512_add_ps(y[v], _mm512_loadu_ps(residual + 16 * v));
    }
    OCT_UNROLL
    for (size_t v = 0; v < nv; v++)
        _mm512_storeu_ps(out + 16 * v, oct_clamp_16(y[v], lo, hi));
}

/* Rounded values of 16 nv columns -> bytes; nv is 1, 2 or 4. */
OCT_INLINE void oct_store_bytes(uint8_t *out, const __m512i *q, const size_t nv, const oct_epilogue *e)
{
    const __m512i zero = _mm512_set1_epi16((int16_t)e->out_zero);
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i low = _mm512_adds_epi16(_mm512_packs_epi32(q[0], q[nv > 1 ? 1 : 0]), zero);
    const __m512i high = nv == 4 ? _mm512_adds_epi16(_mm512_packs_epi32(q[2], q[3]), zero) : low;
    __m512i bytes = _mm512_packus_epi16(low, high);
    bytes = _mm512_max_epu8(bytes, _mm512_set1_epi8((char)e->qlo));
    bytes = _mm512_min_epu8(bytes, _mm512_set1_epi8((char)e->qhi));
    bytes = _mm512_permutexvar_epi32(order, bytes);
    if (nv == 4)
        _mm512_storeu_si512(out, bytes);
    else if (nv == 2)
        _mm256_storeu_si256((__m256i *)out, _mm512_castsi512_si256(bytes));
    else
        _mm_storeu_si128((__m128i *)out, _mm512_castsi512_si128(bytes));
}

/* One row of a full panel, u8 out: rne((float)acc * mult (+ residual)) + zero, clamped. */
OCT_INLINE void oct_store_row_u8(const oct_epilogue *e, size_t row, const __m512i *acc, const size_t nv)
{
    __m512 x[4];
    __m512i q[4];
    OCT_UNROLL
    for (size_t v = 0; v < nv; v++)
        x[v] = _mm512_mul_ps(_mm512_cvtepi32_ps(acc[v]), _mm512_load_ps(e->mult + 16 * v));
    if (e->residual) {
        const uint8_t *residual = (const uint8_t *)e->residual + row * e->residual_ld;
        const __m512i zero = _mm512_set1_epi32(e->residual_zero);
        const __m512 mult = _mm512_set1_ps(e->residual_mult);
        OCT_UNROLL
        for (size_t v = 0; v < nv; v++)
            x[v] = _mm512_add_ps(x[v], oct_residual_16(_mm_loadu_si128((const __m128i *)(residual + 16 * v)), zero, mult));
    }
    OCT_UNROLL
    for (size_t v = 0; v < nv; v++)
        q[v] = _mm512_cvtps_epi32(x[v]);
    oct_store_bytes((uint8_t *)e->out + row * e->out_ld, q, nv, e);
}

/* A whole tile: mr rows of nv vectors, acc[r * nv + v]; at most OCT_TILE_VECTORS of them. */
enum { OCT_TILE_VECTORS = 24 };

OCT_INLINE void oct_store_tile_f32(const oct_tile *t, const __m512 *acc, const size_t mr, const size_t nv)
{
    if (t->n == 16 * nv && t->e.out_elem == OCT_ELEM_F32) {
        OCT_UNROLL
        for (size_t r = 0; r < mr; r++)
            oct_store_row_f32(&t->e, r, acc + r * nv, nv);
    } else {
        _Alignas(64) float stored[OCT_TILE_VECTORS * 16];
        OCT_UNROLL
        for (size_t j = 0; j < mr * nv; j++)
            _mm512_store_ps(stored + 16 * j, acc[j]);
        oct_finish_f32_avx512(t, stored, 16 * nv);
    }
}

OCT_INLINE void oct_store_tile_s32(const oct_tile *t, const __m512i *acc, const size_t mr, const size_t nv)
{
    if (t->n == 16 * nv && t->e.out_elem == OCT_ELEM_U8) {
        OCT_UNROLL
        for (size_t r = 0; r < mr; r++)
            oct_store_row_u8(&t->e, r, acc + r * nv, nv);
    } else {
        _Alignas(64) int32_t stored[OCT_TILE_VECTORS * 16];
        OCT_UNROLL
        for (size_t j = 0; j < mr * nv; j++)
            _mm512_store_si512(stored + 16 * j, acc[j]);
        oct_finish_s32_avx512(t, stored, 16 * nv);
    }
}

#endif

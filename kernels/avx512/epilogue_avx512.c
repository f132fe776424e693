/* epilogue_avx512.c - the rarer ways out of a tile, by way of memory (epilogue_avx512.h says which): the ragged last panel, f32
 * output of u8s8 kernels, u8 output of f32 kernels. Same steps, same roundings as scalar/epilogue_scalar.h. */
#include "epilogue_avx512.h"

/* f32 -> f32, a row of nv vectors of which n columns exist. */
OCT_INLINE void rows_f32_f32(const oct_tile *t, const float *acc, const size_t nv)
{
    for (size_t row = 0; row < t->m; row++, acc += 16 * nv) {
        __m512 y[4];
        OCT_UNROLLED
        for (size_t v = 0; v < nv; v++)
            y[v] = _mm512_load_ps(acc + 16 * v);
        oct_store_row_f32(&t->e, row, t->n, y, nv);
    }
}

/* s32 -> f32: clamp((float)acc * mult + bias (+ residual)); product and sum are rounded separately. */
OCT_INLINE void rows_s32_f32(const oct_tile *t, const int32_t *acc, const size_t nv)
{
    for (size_t row = 0; row < t->m; row++, acc += 16 * nv) {
        __m512 y[4];
        OCT_UNROLLED
        for (size_t v = 0; v < nv; v++) {
            const __m512 x = _mm512_cvtepi32_ps(_mm512_load_si512(acc + 16 * v));
            y[v] = _mm512_add_ps(_mm512_mul_ps(x, _mm512_load_ps(t->e.mult + 16 * v)), _mm512_load_ps(t->e.bias + 16 * v));
        }
        oct_store_row_f32(&t->e, row, t->n, y, nv);
    }
}

/* s32 -> u8, four vectors at a time; those after the last row are computed from whatever lies there and not stored. */
OCT_INLINE void rows_s32_u8(const oct_tile *t, const int32_t *acc, const size_t nv)
{
    const size_t rows = 4 / nv;
    for (size_t row = 0; row < t->m; row += rows, acc += 64) {
        __m512i four[4];
        OCT_UNROLLED
        for (size_t j = 0; j < 4; j++)
            four[j] = _mm512_load_si512(acc + 16 * (t->m - row > j / nv ? j : 0));
        oct_store_four_u8(&t->e, row, t->n, four, t->m - row < rows ? (t->m - row) * nv : 4, nv);
    }
}

/* f32 -> u8: clamp(rne(clamp(y (+ residual), lo, hi) * out_mult) + out_zero), 16 columns at a time. |x| < 2^31 by contract, but
 * the sum with out_zero could wrap: x is first limited to +-2^30, far outside 0..255 on either side. */
static void rows_f32_u8(const oct_tile *t, const float *acc, size_t ld)
{
    const oct_epilogue *e = &t->e;
    const __m512 lo = _mm512_set1_ps(e->lo), hi = _mm512_set1_ps(e->hi), limit = _mm512_set1_ps(1073741824.0f);
    for (size_t row = 0; row < t->m; row++) {
        for (size_t c = 0; c < t->n; c += 16) {
            __m512 y = _mm512_load_ps(acc + row * ld + c);
            if (e->residual)
                y = oct_add_residual_u8(y, (const uint8_t *)e->residual + row * e->residual_ld + c, t->n - c, e);
            y = _mm512_mul_ps(oct_clamp_16(y, lo, hi), _mm512_set1_ps(e->out_mult));
            y = oct_clamp_16(y, _mm512_sub_ps(_mm512_setzero_ps(), limit), limit);
            __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(y), _mm512_set1_epi32(e->out_zero));
            q = _mm512_min_epi32(_mm512_max_epi32(q, _mm512_set1_epi32(e->qlo)), _mm512_set1_epi32(e->qhi));
            _mm_mask_storeu_epi8((uint8_t *)e->out + row * e->out_ld + c, oct_lanes_16(t->n - c), _mm512_cvtepi32_epi8(q));
        }
    }
}

void oct_finish_f32_avx512(const oct_tile *t, const float *acc, size_t nv)
{
    if (t->e.out_elem == OCT_ELEM_U8)
        rows_f32_u8(t, acc, 16 * nv);
    else if (nv == 4)
        rows_f32_f32(t, acc, 4);
    else if (nv == 2)
        rows_f32_f32(t, acc, 2);
    else
        rows_f32_f32(t, acc, 1);
}

void oct_finish_s32_avx512(const oct_tile *t, const int32_t *acc, size_t nv)
{
    const bool u8 = t->e.out_elem == OCT_ELEM_U8;
    if (nv == 4)
        u8 ? rows_s32_u8(t, acc, 4) : rows_s32_f32(t, acc, 4);
    else if (nv == 2)
        u8 ? rows_s32_u8(t, acc, 2) : rows_s32_f32(t, acc, 2);
    else
        u8 ? rows_s32_u8(t, acc, 1) : rows_s32_f32(t, acc, 1);
}

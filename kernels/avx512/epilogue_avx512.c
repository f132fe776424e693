/* epilogue_avx512.c - the way out for tiles with a ragged last column or the unusual output type: 16 columns at a time, masked.
 * The same steps as scalar/epilogue_scalar.h, in the same order and with the same roundings. */
#include "epilogue_avx512.h"

/* clamp(rne(x) + zero, qlo, qhi) to bytes, the lanes of `some` only. In 32 bits the sum cannot wrap once rne(x) is limited to
 * +-2^30, far outside 0..255 on either side. */
OCT_INLINE void store_bytes_16(uint8_t *out, __mmask16 some, __m512 x, const oct_epilogue *e)
{
    const __m512 limit = _mm512_set1_ps(1073741824.0f);
    x = _mm512_min_ps(_mm512_max_ps(x, _mm512_sub_ps(_mm512_setzero_ps(), limit)), limit);
    __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(x), _mm512_set1_epi32(e->out_zero));
    q = _mm512_min_epi32(_mm512_max_epi32(q, _mm512_set1_epi32(e->qlo)), _mm512_set1_epi32(e->qhi));
    _mm_mask_storeu_epi8(out, some, _mm512_cvtepi32_epi8(q));
}

/* The residual of 16 columns as f32, whichever type it has; column `at` counts from the tile's first row and column. */
OCT_INLINE __m512 load_residual_16(const oct_epilogue *e, size_t at, __mmask16 some)
{
    if (e->out_elem == OCT_ELEM_F32)
        return _mm512_maskz_loadu_ps(some, (const float *)e->residual + at);
    const __m128i bytes = _mm_maskz_loadu_epi8(some, (const uint8_t *)e->residual + at);
    return oct_residual_16(bytes, _mm512_set1_epi32(e->residual_zero), _mm512_set1_ps(e->residual_mult));
}

void oct_finish_f32_avx512(const oct_tile *t, const float *acc, size_t ld)
{
    const oct_epilogue *e = &t->e;
    const __m512 lo = _mm512_set1_ps(e->lo), hi = _mm512_set1_ps(e->hi);
    for (size_t row = 0; row < t->m; row++) {
        for (size_t c = 0; c < t->n; c += 16) {
            const __mmask16 some = oct_lanes_16(t->n - c);
            __m512 y = _mm512_loadu_ps(acc + row * ld + c);
            if (e->residual)
                y = _mm512_add_ps(y, load_residual_16(e, row * e->residual_ld + c, some));
            y = oct_clamp_16(y, lo, hi);
            if (e->out_elem == OCT_ELEM_F32)
                _mm512_mask_storeu_ps((float *)e->out + row * e->out_ld + c, some, y);
            else
                store_bytes_16((uint8_t *)e->out + row * e->out_ld + c, some, _mm512_mul_ps(y, _mm512_set1_ps(e->out_mult)), e);
        }
    }
}

void oct_finish_s32_avx512(const oct_tile *t, const int32_t *acc, size_t ld)
{
    const oct_epilogue *e = &t->e;
    const __m512 lo = _mm512_set1_ps(e->lo), hi = _mm512_set1_ps(e->hi);
    const bool f32 = e->out_elem == OCT_ELEM_F32;
    for (size_t row = 0; row < t->m; row++) {
        for (size_t c = 0; c < t->n; c += 16) {
            const __mmask16 some = oct_lanes_16(t->n - c);
            __m512 x = _mm512_cvtepi32_ps(_mm512_loadu_si512(acc + row * ld + c));
            x = _mm512_mul_ps(x, _mm512_load_ps(e->mult + c));
            if (f32)
                x = _mm512_add_ps(x, _mm512_load_ps(e->bias + c));
            if (e->residual)
                x = _mm512_add_ps(x, load_residual_16(e, row * e->residual_ld + c, some));
            if (f32)
                _mm512_mask_storeu_ps((float *)e->out + row * e->out_ld + c, some, oct_clamp_16(x, lo, hi));
            else
                store_bytes_16((uint8_t *)e->out + row * e->out_ld + c, some, x, e);
        }
    }
}

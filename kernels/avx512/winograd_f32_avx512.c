/* winograd_f32_avx512.c - the transforms of float Winograd (winograd_f32_body.h), 16 channels at a time. */
#include "epilogue_avx512.h"
#include "winograd_avx512.h"

enum { LANES = 16 };
typedef __m512 vector;

OCT_INLINE vector add(vector x, vector y) { return _mm512_add_ps(x, y); }
OCT_INLINE vector sub(vector x, vector y) { return _mm512_sub_ps(x, y); }
OCT_INLINE vector times(float f, vector x) { return _mm512_mul_ps(_mm512_set1_ps(f), x); }
OCT_INLINE vector plus_times(vector y, float f, vector x) { return _mm512_fmadd_ps(_mm512_set1_ps(f), x, y); }
OCT_INLINE vector load(const void *from) { return _mm512_load_ps(from); }
OCT_INLINE void store(void *to, vector x) { _mm512_store_ps(to, x); }
OCT_INLINE vector load_pixel(const float *from, size_t left) { return _mm512_maskz_loadu_ps(oct_lanes_16(left), from); }

/* 16 channels of one pixel: residual, clamp, out. at: the channel's place in out. The same steps as epilogue_avx512.c's. */
OCT_INLINE void store_f32(const oct_epilogue *e, size_t at, size_t residual_at, __mmask16 some, vector y)
{
    if (e->residual)
        y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(some, (const float *)e->residual + residual_at));
    _mm512_mask_storeu_ps((float *)e->out + at, some, oct_clamp_16(y, _mm512_set1_ps(e->lo), _mm512_set1_ps(e->hi)));
}

/* |x| < 2^31 by contract, but the sum with out_zero could wrap: x is first limited to +-2^30. */
OCT_INLINE void store_u8(const oct_epilogue *e, size_t at, size_t residual_at, __mmask16 some, vector y)
{
    const vector limit = _mm512_set1_ps(1073741824.0f);
    if (e->residual)
        y = oct_add_residual_u8(y, (const uint8_t *)e->residual + residual_at, (size_t)_mm_popcnt_u32(some), e);
    y = _mm512_mul_ps(oct_clamp_16(y, _mm512_set1_ps(e->lo), _mm512_set1_ps(e->hi)), _mm512_set1_ps(e->out_mult));
    y = oct_clamp_16(y, _mm512_sub_ps(_mm512_setzero_ps(), limit), limit);
    __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(y), _mm512_set1_epi32(e->out_zero));
    q = _mm512_min_epi32(_mm512_max_epi32(q, _mm512_set1_epi32(e->qlo)), _mm512_set1_epi32(e->qhi));
    _mm_mask_storeu_epi8((uint8_t *)e->out + at, some, _mm512_cvtepi32_epi8(q));
}

OCT_INLINE void store_pixel(const oct_epilogue *e, size_t at, size_t residual_at, size_t left, vector y)
{
    const __mmask16 some = oct_lanes_16(left);
    if (e->out_elem == OCT_ELEM_F32) {
        /* The line that the next tile will write. */
        __builtin_prefetch((float *)e->out + at + 4 * e->out_ld, 1);
        store_f32(e, at, residual_at, some, y);
    } else {
        store_u8(e, at, residual_at, some, y);
    }
}

#include "winograd_f32_body.h"

void oct_winograd_input_f32_avx512(const oct_winograd_input *job) { input_transform(job); }
void oct_winograd_output_f32_avx512(const oct_winograd_output *job) { output_transform(job); }

/* winograd_f32_avx2.c - the transforms of float Winograd (winograd_f32_body.h), 8 channels at a time. */
#include <string.h>
#include "avx2.h"
#include "vector_avx2.h"

enum { LANES = 8 };
typedef __m256 vector;

OCT_INLINE vector add(vector x, vector y) { return _mm256_add_ps(x, y); }
OCT_INLINE vector sub(vector x, vector y) { return _mm256_sub_ps(x, y); }
OCT_INLINE vector times(float f, vector x) { return _mm256_mul_ps(_mm256_set1_ps(f), x); }
OCT_INLINE vector plus_times(vector y, float f, vector x) { return _mm256_fmadd_ps(_mm256_set1_ps(f), x, y); }
OCT_INLINE vector load(const void *from) { return _mm256_load_ps(from); }
OCT_INLINE void store(void *to, vector x) { _mm256_store_ps(to, x); }

/* A mask of the first n lanes; n may be more than there are. */
OCT_INLINE __m256i lanes(size_t n)
{
    const __m256i each = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n < LANES ? (int)n : LANES), each);
}

/* n elements, then zeros. */
OCT_INLINE vector load_pixel(const float *from, size_t left)
{
    return left >= LANES ? _mm256_loadu_ps(from) : _mm256_maskload_ps(from, lanes(left));
}

/* Up to 8 channels of one pixel: residual, clamp, out. at: the channel's place in out. The same steps as epilogue_avx2.h's. */
OCT_INLINE void store_f32(const oct_epilogue *e, size_t at, size_t residual_at, size_t n, vector y)
{
    if (e->residual)
        y = _mm256_add_ps(y, load_pixel((const float *)e->residual + residual_at, n));
    y = clamp_ps(y, _mm256_set1_ps(e->lo), _mm256_set1_ps(e->hi));
    if (n >= LANES)
        _mm256_storeu_ps((float *)e->out + at, y);
    else
        _mm256_maskstore_ps((float *)e->out + at, lanes(n), y);
}

OCT_INLINE void store_u8(const oct_epilogue *e, size_t at, size_t residual_at, size_t n, vector y)
{
    const u8_range range = u8_range_of(e->out_zero, e->qlo, e->qhi);
    const size_t count = n < LANES ? n : LANES;
    uint8_t part[16] = {0};
    if (e->residual) {
        memcpy(part, (const uint8_t *)e->residual + residual_at, count);
        const __m256i centred = _mm256_sub_epi32(_mm256_cvtepu8_epi32(load_64(part)), _mm256_set1_epi32(e->residual_zero));
        y = _mm256_add_ps(y, _mm256_mul_ps(_mm256_cvtepi32_ps(centred), _mm256_set1_ps(e->residual_mult)));
    }
    y = _mm256_mul_ps(clamp_ps(y, _mm256_set1_ps(e->lo), _mm256_set1_ps(e->hi)), _mm256_set1_ps(e->out_mult));
    store_128(part, _mm256_castsi256_si128(in_order(round_u8(y, y, y, y, &range))));
    memcpy((uint8_t *)e->out + at, part, count);
}

OCT_INLINE void store_pixel(const oct_epilogue *e, size_t at, size_t residual_at, size_t left, vector y)
{
    if (e->out_elem == OCT_ELEM_F32) {
        /* The line that the next tile will write. */
        __builtin_prefetch((float *)e->out + at + 4 * e->out_ld, 1);
        store_f32(e, at, residual_at, left, y);
    } else {
        store_u8(e, at, residual_at, left, y);
    }
}

#include "winograd_f32_body.h"

void oct_winograd_input_f32_avx2(const oct_winograd_input *job) { input_transform(job); }
void oct_winograd_output_f32_avx2(const oct_winograd_output *job) { output_transform(job); }

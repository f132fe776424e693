/* winograd_u8s8_avx512.c - exact integer Winograd (winograd_u8s8_body.h) with 32 channels in and 16 columns out at a time. */
#include "epilogue_avx512.h"
#include "winograd_avx512.h"

enum { SHORTS = 32, WORDS = 16 };
typedef __m512i shorts;
typedef __m512i words;

OCT_INLINE shorts none_16(void) { return _mm512_setzero_si512(); }
OCT_INLINE shorts add_16(shorts x, shorts y) { return _mm512_add_epi16(x, y); }
OCT_INLINE shorts sub_16(shorts x, shorts y) { return _mm512_sub_epi16(x, y); }
OCT_INLINE shorts twice_16(shorts x) { return _mm512_slli_epi16(x, 1); }
OCT_INLINE shorts four_16(shorts x) { return _mm512_slli_epi16(x, 2); }
OCT_INLINE shorts load_weights(const int8_t *from) { return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)from)); }
OCT_INLINE void store_16(void *to, shorts x) { _mm512_storeu_si512(to, x); }

OCT_INLINE shorts load_pixel(const uint8_t *from, size_t left)
{
    return _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(oct_lanes_32(left), from));
}

OCT_INLINE words add_32(words x, words y) { return _mm512_add_epi32(x, y); }
OCT_INLINE words sub_32(words x, words y) { return _mm512_sub_epi32(x, y); }
OCT_INLINE words twice_32(words x) { return _mm512_slli_epi32(x, 1); }
OCT_INLINE words four_32(words x) { return _mm512_slli_epi32(x, 2); }
OCT_INLINE words load_32(const void *from) { return _mm512_load_si512(from); }
OCT_INLINE words ninth_of_64th(words x) { return _mm512_srai_epi32(_mm512_mullo_epi32(x, _mm512_set1_epi32(0x38E38E39)), 6); }

/* Rows that do not exist, and f32, go by way of memory. */
OCT_INLINE void finish_pixels(const oct_epilogue *e, size_t n, size_t exist, const size_t size, const words y[4])
{
    if (e->out_elem == OCT_ELEM_U8 && exist >= size) {
        oct_store_four_u8(e, 0, n, y, size, 1);
        return;
    }
    _Alignas(64) int32_t stored[64];
    OCT_UNROLLED
    for (size_t i = 0; i < 4; i++)
        _mm512_store_si512(stored + 16 * i, y[i < size ? i : 0]);
    const oct_tile tile = {.m = exist < size ? exist : size, .n = n < 16 ? n : 16, .e = *e};
    oct_finish_s32_avx512(&tile, stored, 1);
}

#include "winograd_u8s8_body.h"

void oct_winograd_input_u8s8_avx512(const oct_winograd_input *job) { input_transform(job); }
void oct_winograd_output_u8s8_avx512(const oct_winograd_output *job) { output_transform(job); }

void oct_winograd_expand_u8s8_avx512(const void *w, size_t groups, const oct_gemm_entry *panel, size_t i, void *u)
{
    expand_weights(w, groups, panel, i, u);
}

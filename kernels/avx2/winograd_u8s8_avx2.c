/* winograd_u8s8_avx2.c - exact integer Winograd (winograd_u8s8_body.h) with 16 channels in and 8 columns out at a time. */
#include <string.h>

#include "avx2.h"
#include "epilogue_avx2.h"

enum { SHORTS = 16, WORDS = 8 };
typedef __m256i shorts;
typedef __m256i words;

OCT_INLINE shorts none_16(void) { return _mm256_setzero_si256(); }
OCT_INLINE shorts add_16(shorts x, shorts y) { return _mm256_add_epi16(x, y); }
OCT_INLINE shorts sub_16(shorts x, shorts y) { return _mm256_sub_epi16(x, y); }
OCT_INLINE shorts twice_16(shorts x) { return _mm256_slli_epi16(x, 1); }
OCT_INLINE shorts four_16(shorts x) { return _mm256_slli_epi16(x, 2); }
OCT_INLINE shorts load_weights(const int8_t *from) { return _mm256_cvtepi8_epi16(load_128(from)); }
OCT_INLINE void store_16(void *to, shorts x) { store_256(to, x); }

/* left < SHORTS: the last channels. */
static shorts load_rest(const uint8_t *from, size_t left)
{
    uint8_t rest[SHORTS] = {0};
    memcpy(rest, from, left);
    return _mm256_cvtepu8_epi16(load_128(rest));
}

OCT_INLINE shorts load_pixel(const uint8_t *from, size_t left)
{
    return left >= SHORTS ? _mm256_cvtepu8_epi16(load_128(from)) : load_rest(from, left);
}

OCT_INLINE words add_32(words x, words y) { return _mm256_add_epi32(x, y); }
OCT_INLINE words sub_32(words x, words y) { return _mm256_sub_epi32(x, y); }
OCT_INLINE words twice_32(words x) { return _mm256_slli_epi32(x, 1); }
OCT_INLINE words four_32(words x) { return _mm256_slli_epi32(x, 2); }
OCT_INLINE words load_32(const void *from) { return load_256(from); }
OCT_INLINE words ninth_of_64th(words x) { return _mm256_srai_epi32(_mm256_mullo_epi32(x, _mm256_set1_epi32(0x38E38E39)), 6); }

/* The rare ends go through a stand-in for the output, in which rows and columns exist that do not. */
OCT_INLINE void finish_pixels(const oct_epilogue *e, size_t n, size_t exist, const size_t size, const words y[4])
{
    __m256i tile_y[TILE_ROWS][TILE_VECS];
    OCT_UNROLLED
    for (size_t i = 0; i < size; i++)
        tile_y[i][0] = y[i];
    if (n >= WORDS && exist >= size) {
        finish_u8s8(e, tile_y, size, 1);
        return;
    }
    const oct_tile tile = {.m = exist < size ? exist : size, .n = n < WORDS ? n : WORDS, .e = *e};
    edge_tile stand_in;
    const oct_tile staged = edge_begin(&tile, WORDS, &stand_in);
    finish_u8s8(&staged.e, tile_y, size, 1);
    edge_end(&tile, WORDS, &stand_in);
}

#include "winograd_u8s8_body.h"

void oct_winograd_input_u8s8_avx2(const oct_winograd_input *job) { input_transform(job); }
void oct_winograd_output_u8s8_avx2(const oct_winograd_output *job) { output_transform(job); }

void oct_winograd_expand_u8s8_avx2(const void *w, size_t groups, const oct_gemm_entry *panel, size_t i, void *u)
{
    expand_weights(w, groups, panel, i, u);
}

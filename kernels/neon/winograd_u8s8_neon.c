/* winograd_u8s8_neon.c - exact integer Winograd (winograd_u8s8_body.h) with 8 channels in and 4 columns out at a time. */
#include <string.h>

#include "epilogue_neon.h"
#include "neon.h"

enum { SHORTS = 8, WORDS = 4 };
typedef int16x8_t shorts;
typedef int32x4_t words;

OCT_INLINE shorts none_16(void) { return vdupq_n_s16(0); }
OCT_INLINE shorts add_16(shorts x, shorts y) { return vaddq_s16(x, y); }
OCT_INLINE shorts sub_16(shorts x, shorts y) { return vsubq_s16(x, y); }
OCT_INLINE shorts twice_16(shorts x) { return vshlq_n_s16(x, 1); }
OCT_INLINE shorts four_16(shorts x) { return vshlq_n_s16(x, 2); }
OCT_INLINE shorts load_weights(const int8_t *from) { return vmovl_s8(vld1_s8(from)); }
OCT_INLINE void store_16(void *to, shorts x) { vst1q_s16(to, x); }

/* left < SHORTS: the last channels. */
static shorts load_rest(const uint8_t *from, size_t left)
{
    uint8_t rest[SHORTS] = {0};
    memcpy(rest, from, left);
    return vreinterpretq_s16_u16(vmovl_u8(vld1_u8(rest)));
}

OCT_INLINE shorts load_pixel(const uint8_t *from, size_t left)
{
    return left >= SHORTS ? vreinterpretq_s16_u16(vmovl_u8(vld1_u8(from))) : load_rest(from, left);
}

OCT_INLINE words add_32(words x, words y) { return vaddq_s32(x, y); }
OCT_INLINE words sub_32(words x, words y) { return vsubq_s32(x, y); }
OCT_INLINE words twice_32(words x) { return vshlq_n_s32(x, 1); }
OCT_INLINE words four_32(words x) { return vshlq_n_s32(x, 2); }
OCT_INLINE words load_32(const void *from) { return vld1q_s32(from); }
OCT_INLINE words ninth_of_64th(words x) { return vshrq_n_s32(vmulq_s32(x, vdupq_n_s32(0x38E38E39)), 6); }

OCT_INLINE void finish_pixels(const oct_epilogue *e, size_t n, size_t exist, const size_t size, const words y[4])
{
    OCT_UNROLLED
    for (size_t i = 0; i < size; i++)
        if (i < exist)
            finish_s32x4(e, i, 0, at_most_4(n), y[i]);
}

#include "winograd_u8s8_body.h"

void oct_winograd_input_u8s8_neon(const oct_winograd_input *job) { input_transform(job); }
void oct_winograd_output_u8s8_neon(const oct_winograd_output *job) { output_transform(job); }

void oct_winograd_expand_u8s8_neon(const void *w, size_t groups, const oct_gemm_entry *panel, size_t i, void *u)
{
    expand_weights(w, groups, panel, i, u);
}

/* transpose_neon.c - out[c][r] = in[r][c], elements of 4 bytes and of 1, in square blocks of registers.
 *
 *   in   | B00 B01 B02 | r |      out  | B00' B10' |      whole blocks of 4 x 4 (4 bytes) or 16 x 16 (1 byte) in registers,
 *        | B10 B11 B12 | r |           | B01' B11' |      the ragged right side and bottom by the scalar kernel
 *        |  bottom         |           |  ..       |
 *
 * Column of blocks by column of blocks, so that the written lines are filled one after the other. Three rows, the colour planes
 * of a picture, have no whole block; st3 interleaves them:   rrrr gggg bbbb -> rgbr gbrg brgb.
 *
 * Bound: the bytes moved. 4 x 4: 8 shuffles for 64 bytes; 16 x 16: 64 for 256.
 */
#include "epilogue_neon.h"
#include "neon.h"
#include "scalar/scalar.h"

enum { B32 = 4, B8 = 16, PLANES = 3 };

/* ----------------------------------------------------------------------------------------- 4 bytes ---- */

/* Pairs, then halves. a..d: rows of `in`.      trn1: a0 b0 a2 b2, c0 d0 c2 d2  ->  a0 b0 c0 d0 | a2 b2 c2 d2      trn2: the odd
 * columns */
static void block_x32(const uint32_t *in, size_t in_ld, uint32_t *out, size_t out_ld)
{
    const uint32x4_t a = vld1q_u32(in), b = vld1q_u32(in + in_ld), c = vld1q_u32(in + 2 * in_ld), d = vld1q_u32(in + 3 * in_ld);
    const uint64x2_t ab_even = vreinterpretq_u64_u32(vtrn1q_u32(a, b)), ab_odd = vreinterpretq_u64_u32(vtrn2q_u32(a, b));
    const uint64x2_t cd_even = vreinterpretq_u64_u32(vtrn1q_u32(c, d)), cd_odd = vreinterpretq_u64_u32(vtrn2q_u32(c, d));
    vst1q_u32(out, vreinterpretq_u32_u64(vtrn1q_u64(ab_even, cd_even)));
    vst1q_u32(out + out_ld, vreinterpretq_u32_u64(vtrn1q_u64(ab_odd, cd_odd)));
    vst1q_u32(out + 2 * out_ld, vreinterpretq_u32_u64(vtrn2q_u64(ab_even, cd_even)));
    vst1q_u32(out + 3 * out_ld, vreinterpretq_u32_u64(vtrn2q_u64(ab_odd, cd_odd)));
}

/* Three rows to pixels that lie side by side; returns how many columns are done. */
static size_t planes_x32(size_t cols, const uint32_t *in, size_t in_ld, uint32_t *out)
{
    size_t c = 0;
    for (; c + B32 <= cols; c += B32) {
        const uint32x4x3_t planes = {{vld1q_u32(in + c), vld1q_u32(in + in_ld + c), vld1q_u32(in + 2 * in_ld + c)}};
        vst3q_u32(out + PLANES * c, planes);
    }
    return c;
}

void oct_transpose_x32_neon(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld)
{
    const uint32_t *from = in;
    uint32_t *to = out;
    if (rows == PLANES && out_ld == PLANES) {
        const size_t done = planes_x32(cols, from, in_ld, to);
        oct_transpose_x32_scalar(rows, cols - done, from + done, in_ld, to + done * out_ld, out_ld);
        return;
    }
    const size_t whole_rows = rows - rows % B32, whole_cols = cols - cols % B32;
    for (size_t c = 0; c < whole_cols; c += B32)
        for (size_t r = 0; r < whole_rows; r += B32)
            block_x32(from + r * in_ld + c, in_ld, to + c * out_ld + r, out_ld);
    oct_transpose_x32_scalar(whole_rows, cols - whole_cols, from + whole_cols, in_ld, to + whole_cols * out_ld, out_ld);
    oct_transpose_x32_scalar(rows - whole_rows, cols, from + whole_rows * in_ld, in_ld, to + whole_rows, out_ld);
}

/* ------------------------------------------------------------------------------------------ 1 byte ---- */

/* One round of the perfect shuffle: row i interleaved with row i + 8. */
OCT_INLINE void shuffle(const uint8x16_t a[16], uint8x16_t b[16])
{
    OCT_UNROLLED
    for (size_t i = 0; i < 8; i++) {
        b[2 * i] = vzip1q_u8(a[i], a[i + 8]);
        b[2 * i + 1] = vzip2q_u8(a[i], a[i + 8]);
    }
}

/* Four rounds, log2(16), and the index's row and column bits have changed places. */
static void block_x8(const uint8_t *in, size_t in_ld, uint8_t *out, size_t out_ld)
{
    uint8x16_t a[16], b[16];
    OCT_UNROLLED
    for (size_t r = 0; r < 16; r++)
        a[r] = vld1q_u8(in + r * in_ld);
    shuffle(a, b);
    shuffle(b, a);
    shuffle(a, b);
    shuffle(b, a);
    OCT_UNROLLED
    for (size_t c = 0; c < 16; c++)
        vst1q_u8(out + c * out_ld, a[c]);
}

static size_t planes_x8(size_t cols, const uint8_t *in, size_t in_ld, uint8_t *out)
{
    size_t c = 0;
    for (; c + B8 <= cols; c += B8) {
        const uint8x16x3_t planes = {{vld1q_u8(in + c), vld1q_u8(in + in_ld + c), vld1q_u8(in + 2 * in_ld + c)}};
        vst3q_u8(out + PLANES * c, planes);
    }
    return c;
}

void oct_transpose_x8_neon(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld)
{
    const uint8_t *from = in;
    uint8_t *to = out;
    if (rows == PLANES && out_ld == PLANES) {
        const size_t done = planes_x8(cols, from, in_ld, to);
        oct_transpose_x8_scalar(rows, cols - done, from + done, in_ld, to + done * out_ld, out_ld);
        return;
    }
    const size_t whole_rows = rows - rows % B8, whole_cols = cols - cols % B8;
    for (size_t c = 0; c < whole_cols; c += B8)
        for (size_t r = 0; r < whole_rows; r += B8)
            block_x8(from + r * in_ld + c, in_ld, to + c * out_ld + r, out_ld);
    oct_transpose_x8_scalar(whole_rows, cols - whole_cols, from + whole_cols, in_ld, to + whole_cols * out_ld, out_ld);
    oct_transpose_x8_scalar(rows - whole_rows, cols, from + whole_rows * in_ld, in_ld, to + whole_rows, out_ld);
}

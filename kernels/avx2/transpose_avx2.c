/* transpose_avx2.c - out[c][r] = in[r][c], elements of 4 bytes and of 1, in square blocks that fit the registers.
 *
 *   in   | B00 B01 B02 | r |      out  | B00' B10' |      whole blocks of 8 x 8 (4 bytes) or 16 x 16 (1 byte) in registers,
 *        | B10 B11 B12 | r |           | B01' B11' |      the ragged right side and bottom by the scalar kernel
 *        |  bottom         |           |  ..       |
 *
 * The walk is column of blocks by column of blocks: the written lines are filled one after the other.
 *
 * Three dense rows (a colour picture, plane by plane, on its way to pixels) fill no block, but are where most networks begin:
 *
 *   r | r0 r1 r2 .. |          out: r0 g0 b0 r1 g1 b1 r2 g2 b2 ..      shuffles of three registers into three
 *   g | g0 g1 g2 .. |
 *   b | b0 b1 b2 .. |
 */
#include "avx2.h"
#include "scalar/scalar.h"
#include "vector_avx2.h"

enum { B32 = 8, B8 = 16 };

/* ----------------------------------------------------------------------------------------- 4 bytes ---- */

/* 8 x 8: pairs, quadruples, then the two halves of the registers change places. a..h: rows of `in`.
 *   unpack ps:   a0 b0 a1 b1 | a4 b4 a5 b5       shuffle:  a0 b0 c0 d0 | a4 b4 c4 d4       permute: a0 b0 c0 d0 e0 f0 g0 h0 */
static void block_x32(const float *in, size_t in_ld, float *out, size_t out_ld)
{
    __m256 row[8], pair[8], quad[8];
    OCT_UNROLLED
    for (size_t r = 0; r < 8; r++)
        row[r] = _mm256_loadu_ps(in + r * in_ld);
    OCT_UNROLLED
    for (size_t r = 0; r < 8; r += 2) {
        pair[r] = _mm256_unpacklo_ps(row[r], row[r + 1]);
        pair[r + 1] = _mm256_unpackhi_ps(row[r], row[r + 1]);
    }
    OCT_UNROLLED
    for (size_t h = 0; h < 8; h += 4) {
        quad[h] = _mm256_shuffle_ps(pair[h], pair[h + 2], 0x44);
        quad[h + 1] = _mm256_shuffle_ps(pair[h], pair[h + 2], 0xEE);
        quad[h + 2] = _mm256_shuffle_ps(pair[h + 1], pair[h + 3], 0x44);
        quad[h + 3] = _mm256_shuffle_ps(pair[h + 1], pair[h + 3], 0xEE);
    }
    OCT_UNROLLED
    for (size_t c = 0; c < 4; c++) {
        _mm256_storeu_ps(out + c * out_ld, _mm256_permute2f128_ps(quad[c], quad[c + 4], 0x20));
        _mm256_storeu_ps(out + (c + 4) * out_ld, _mm256_permute2f128_ps(quad[c], quad[c + 4], 0x31));
    }
}

/* Columns done, a multiple of 4. */
static size_t three_rows_x32(size_t cols, const float *in, size_t in_ld, float *out)
{
    size_t c = 0;
    for (; c + 4 <= cols; c += 4) {
        const __m128 r = _mm_loadu_ps(in + c), g = _mm_loadu_ps(in + in_ld + c), b = _mm_loadu_ps(in + 2 * in_ld + c);
        const __m128 rg_low = _mm_unpacklo_ps(r, g), gb_low = _mm_unpacklo_ps(g, b);      /* r0 g0 r1 g1    g0 b0 g1 b1 */
        const __m128 rg_high = _mm_unpackhi_ps(r, g), gb_high = _mm_unpackhi_ps(g, b);    /* r2 g2 r3 g3    g2 b2 g3 b3 */
        const __m128 b0_r1 = _mm_shuffle_ps(b, r, _MM_SHUFFLE(1, 1, 0, 0));
        const __m128 b2_r3 = _mm_shuffle_ps(b, rg_high, _MM_SHUFFLE(2, 2, 2, 2));
        _mm_storeu_ps(out + 3 * c, _mm_shuffle_ps(rg_low, b0_r1, _MM_SHUFFLE(2, 0, 1, 0)));           /* r0 g0 b0 r1 */
        _mm_storeu_ps(out + 3 * c + 4, _mm_shuffle_ps(gb_low, rg_high, _MM_SHUFFLE(1, 0, 3, 2)));     /* g1 b1 r2 g2 */
        _mm_storeu_ps(out + 3 * c + 8, _mm_shuffle_ps(b2_r3, gb_high, _MM_SHUFFLE(3, 2, 2, 0)));      /* b2 r3 g3 b3 */
    }
    return c;
}

void oct_transpose_x32_avx2(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld)
{
    const float *from = in;
    float *to = out;
    if (rows == 3 && out_ld == 3) {
        const size_t done = three_rows_x32(cols, from, in_ld, to);
        oct_transpose_x32_scalar(rows, cols - done, from + done, in_ld, to + 3 * done, out_ld);
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

/* 16 x 16 by four rounds of the perfect shuffle: each round interleaves row i with row i + 8, and after log2(16) rounds the
 * index's row and column bits have changed places. */
static void block_x8(const uint8_t *in, size_t in_ld, uint8_t *out, size_t out_ld)
{
    __m128i a[16], b[16];
    OCT_UNROLLED
    for (size_t r = 0; r < 16; r++)
        a[r] = load_128(in + r * in_ld);
    for (size_t round = 0; round < 4; round++) {
        OCT_UNROLLED
        for (size_t r = 0; r < 8; r++) {
            b[2 * r] = _mm_unpacklo_epi8(a[r], a[r + 8]);
            b[2 * r + 1] = _mm_unpackhi_epi8(a[r], a[r + 8]);
        }
        memcpy(a, b, sizeof(a));
    }
    for (size_t c = 0; c < 16; c++)
        store_128(out + c * out_ld, a[c]);
}

/* Columns done, a multiple of 16. Each of the three outputs takes its bytes from all three rows: 9 shuffles, the bytes of the other
 * rows zeroed (index -1), then joined. */
static size_t three_rows_x8(size_t cols, const uint8_t *in, size_t in_ld, uint8_t *out)
{
    /* Byte i of output o is byte 16 * o + i of the pixels: column (16 o + i) / 3 of row (16 o + i) % 3. */
    static const int8_t from[3][3][16] = {
        {{0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1, 5},
         {-1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1, -1},
         {-1, -1, 0, -1, -1, 1, -1, -1, 2, -1, -1, 3, -1, -1, 4, -1}},
        {{-1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10, -1},
         {5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1, 10},
         {-1, 5, -1, -1, 6, -1, -1, 7, -1, -1, 8, -1, -1, 9, -1, -1}},
        {{-1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1, -1},
         {-1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15, -1},
         {10, -1, -1, 11, -1, -1, 12, -1, -1, 13, -1, -1, 14, -1, -1, 15}},
    };
    size_t c = 0;
    for (; c + 16 <= cols; c += 16) {
        const __m128i r = load_128(in + c), g = load_128(in + in_ld + c), b = load_128(in + 2 * in_ld + c);
        for (size_t o = 0; o < 3; o++) {
            const __m128i part_r = _mm_shuffle_epi8(r, load_128((const uint8_t *)from[o][0]));
            const __m128i part_g = _mm_shuffle_epi8(g, load_128((const uint8_t *)from[o][1]));
            const __m128i part_b = _mm_shuffle_epi8(b, load_128((const uint8_t *)from[o][2]));
            store_128(out + 3 * c + 16 * o, _mm_or_si128(_mm_or_si128(part_r, part_g), part_b));
        }
    }
    return c;
}

void oct_transpose_x8_avx2(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld)
{
    const uint8_t *from = in;
    uint8_t *to = out;
    if (rows == 3 && out_ld == 3) {
        const size_t done = three_rows_x8(cols, from, in_ld, to);
        oct_transpose_x8_scalar(rows, cols - done, from + done, in_ld, to + 3 * done, out_ld);
        return;
    }
    const size_t whole_rows = rows - rows % B8, whole_cols = cols - cols % B8;
    for (size_t c = 0; c < whole_cols; c += B8)
        for (size_t r = 0; r < whole_rows; r += B8)
            block_x8(from + r * in_ld + c, in_ld, to + c * out_ld + r, out_ld);
    oct_transpose_x8_scalar(whole_rows, cols - whole_cols, from + whole_cols, in_ld, to + whole_cols * out_ld, out_ld);
    oct_transpose_x8_scalar(rows - whole_rows, cols, from + whole_rows * in_ld, in_ld, to + whole_rows, out_ld);
}

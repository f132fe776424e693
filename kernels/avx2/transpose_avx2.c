/* transpose_avx2.c - out[c][r] = in[r][c], elements of 4 bytes and of 1, in square blocks that fit the registers.
 *
 *   in   | B00 B01 B02 | r |      out  | B00' B10' |      whole blocks of 8 x 8 (4 bytes) or 16 x 16 (1 byte) in registers,
 *        | B10 B11 B12 | r |           | B01' B11' |      the ragged right side and bottom by the scalar kernel
 *        |  bottom         |           |  ..       |
 *
 * The walk is column of blocks by column of blocks: the written lines are filled one after the other.
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
    UNROLLED
    for (size_t r = 0; r < 8; r++)
        row[r] = _mm256_loadu_ps(in + r * in_ld);
    UNROLLED
    for (size_t r = 0; r < 8; r += 2) {
        pair[r] = _mm256_unpacklo_ps(row[r], row[r + 1]);
        pair[r + 1] = _mm256_unpackhi_ps(row[r], row[r + 1]);
    }
    UNROLLED
    for (size_t h = 0; h < 8; h += 4) {
        quad[h] = _mm256_shuffle_ps(pair[h], pair[h + 2], 0x44);
        quad[h + 1] = _mm256_shuffle_ps(pair[h], pair[h + 2], 0xEE);
        quad[h + 2] = _mm256_shuffle_ps(pair[h + 1], pair[h + 3], 0x44);
        quad[h + 3] = _mm256_shuffle_ps(pair[h + 1], pair[h + 3], 0xEE);
    }
    UNROLLED
    for (size_t c = 0; c < 4; c++) {
        _mm256_storeu_ps(out + c * out_ld, _mm256_permute2f128_ps(quad[c], quad[c + 4], 0x20));
        _mm256_storeu_ps(out + (c + 4) * out_ld, _mm256_permute2f128_ps(quad[c], quad[c + 4], 0x31));
    }
}

void oct_transpose_x32_avx2(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld)
{
    const float *from = in;
    float *to = out;
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
    UNROLLED
    for (size_t r = 0; r < 16; r++)
        a[r] = load_128(in + r * in_ld);
    for (size_t round = 0; round < 4; round++) {
        UNROLLED
        for (size_t r = 0; r < 8; r++) {
            b[2 * r] = _mm_unpacklo_epi8(a[r], a[r + 8]);
            b[2 * r + 1] = _mm_unpackhi_epi8(a[r], a[r + 8]);
        }
        memcpy(a, b, sizeof(a));
    }
    for (size_t c = 0; c < 16; c++)
        store_128(out + c * out_ld, a[c]);
}

void oct_transpose_x8_avx2(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld)
{
    const uint8_t *from = in;
    uint8_t *to = out;
    const size_t whole_rows = rows - rows % B8, whole_cols = cols - cols % B8;
    for (size_t c = 0; c < whole_cols; c += B8)
        for (size_t r = 0; r < whole_rows; r += B8)
            block_x8(from + r * in_ld + c, in_ld, to + c * out_ld + r, out_ld);
    oct_transpose_x8_scalar(whole_rows, cols - whole_cols, from + whole_cols, in_ld, to + whole_cols * out_ld, out_ld);
    oct_transpose_x8_scalar(rows - whole_rows, cols, from + whole_rows * in_ld, in_ld, to + whole_rows, out_ld);
}

/* transpose_avx512.c - out[c][r] = in[r][c], elements of 4 bytes and of 1, in register tiles; ragged edges under masks.
 *
 *   x32: 16 x 16. Rows are registers; two rounds of unpacking transpose 4 x 4 elements within every 128-bit lane, two rounds of
 *        shuffling lanes then move the 4 x 4 blocks to their mirror places.
 *   x8:  64 x 16. Lane L of register i holds the 16 bytes of row 16 L + i, so that four rounds of unpacking within lanes, 16 x 16
 *      bytes
 *        each, leave whole columns of 64 in the registers:
 *
 *            row  i       16 + i     32 + i     48 + i             column j:  rows 0..15 | 16..31 | 32..47 | 48..63
 *        i: | 16 bytes | 16 bytes | 16 bytes | 16 bytes |   -->   j:          | 16 bytes | 16 bytes | 16 bytes | 16 bytes |
 *
 * Three dense rows, a colour picture on its way to pixels, fill no tile: AVX2's shuffles of three registers into three serve here
 * too.
 */
#include "avx2/avx2.h"
#include "ops_avx512.h"
#include "vector_avx512.h"

enum { SIDE = 16, LONG_SIDE = 64, COLOURS = 3 };

static inline size_t smaller(size_t a, size_t b) { return a < b ? a : b; }

/* ------------------------------------------------------------------------------------------------- x32 ---- */

/* Rounds one and two: x[4 g .. 4 g + 3] become the columns of their 4 x 4 blocks: x[4 g + j], lane L = column 4 L + j of rows 4 g
 * ... */
OCT_INLINE void transpose_lanes_x32(__m512i *x)
{
    OCT_UNROLLED
    for (size_t g = 0; g < SIDE; g += 4) {
        const __m512i ab_low = _mm512_unpacklo_epi32(x[g], x[g + 1]), ab_high = _mm512_unpackhi_epi32(x[g], x[g + 1]);
        const __m512i cd_low = _mm512_unpacklo_epi32(x[g + 2], x[g + 3]), cd_high = _mm512_unpackhi_epi32(x[g + 2], x[g + 3]);
        x[g] = _mm512_unpacklo_epi64(ab_low, cd_low);
        x[g + 1] = _mm512_unpackhi_epi64(ab_low, cd_low);
        x[g + 2] = _mm512_unpacklo_epi64(ab_high, cd_high);
        x[g + 3] = _mm512_unpackhi_epi64(ab_high, cd_high);
    }
}

/* Rounds three and four: lanes L of x[j], x[4 + j], x[8 + j], x[12 + j] become column 4 L + j. */
OCT_INLINE void transpose_blocks_x32(const __m512i *x, __m512i *column)
{
    OCT_UNROLLED
    for (size_t j = 0; j < 4; j++) {
        const __m512i low01 = _mm512_shuffle_i32x4(x[j], x[4 + j], 0x44), high01 = _mm512_shuffle_i32x4(x[j], x[4 + j], 0xee);
        const __m512i low23 = _mm512_shuffle_i32x4(x[8 + j], x[12 + j], 0x44),
                      high23 = _mm512_shuffle_i32x4(x[8 + j], x[12 + j], 0xee);
        column[j] = _mm512_shuffle_i32x4(low01, low23, 0x88);
        column[4 + j] = _mm512_shuffle_i32x4(low01, low23, 0xdd);
        column[8 + j] = _mm512_shuffle_i32x4(high01, high23, 0x88);
        column[12 + j] = _mm512_shuffle_i32x4(high01, high23, 0xdd);
    }
}

/* Up to 16 rows and columns; those missing are not touched. */
static void tile_x32(size_t rows, size_t cols, const uint32_t *in, size_t in_ld, uint32_t *out, size_t out_ld)
{
    const __mmask16 some_cols = oct_lanes_16(cols), some_rows = oct_lanes_16(rows);
    __m512i x[SIDE], column[SIDE];
    OCT_UNROLLED
    for (size_t r = 0; r < SIDE; r++)
        x[r] = r < rows ? _mm512_maskz_loadu_epi32(some_cols, in + r * in_ld) : _mm512_setzero_si512();
    transpose_lanes_x32(x);
    transpose_blocks_x32(x, column);
    OCT_UNROLLED
    for (size_t c = 0; c < SIDE; c++)
        if (c < cols)
            _mm512_mask_storeu_epi32(out + c * out_ld, some_rows, column[c]);
}

/* Down the rows first: the columns of 16 are written on and on, while the cache lines of the input wait for the next 16 columns. */
void oct_transpose_x32_avx512(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld)
{
    if (rows == COLOURS && out_ld == COLOURS) {
        oct_transpose_x32_avx2(rows, cols, in, in_ld, out, out_ld);
        return;
    }
    for (size_t c = 0; c < cols; c += SIDE)
        for (size_t r = 0; r < rows; r += SIDE)
            tile_x32(smaller(rows - r, SIDE), smaller(cols - c, SIDE), (const uint32_t *)in + r * in_ld + c, in_ld,
                     (uint32_t *)out + c * out_ld + r, out_ld);
}

/* -------------------------------------------------------------------------------------------------- x8 ---- */

/* Four rounds of interleaving rows i and i + 8: round by round, bits of the row number move into the place within the lane. */
OCT_INLINE void transpose_lanes_x8(__m512i *x)
{
    OCT_UNROLLED
    for (size_t round = 0; round < 4; round++) {
        __m512i y[SIDE];
        OCT_UNROLLED
        for (size_t i = 0; i < SIDE / 2; i++) {
            y[2 * i] = _mm512_unpacklo_epi8(x[i], x[i + SIDE / 2]);
            y[2 * i + 1] = _mm512_unpackhi_epi8(x[i], x[i + SIDE / 2]);
        }
        OCT_UNROLLED
        for (size_t i = 0; i < SIDE; i++)
            x[i] = y[i];
    }
}

OCT_INLINE __m128i row_x8(const uint8_t *in, size_t in_ld, size_t r, size_t rows, __mmask16 some, const bool whole)
{
    if (whole)
        return _mm_loadu_si128((const __m128i *)(in + r * in_ld));
    return r < rows ? _mm_maskz_loadu_epi8(some, in + r * in_ld) : _mm_setzero_si128();
}

OCT_INLINE void tile_x8(size_t rows, size_t cols, const uint8_t *in, size_t in_ld, uint8_t *out, size_t out_ld, const bool whole)
{
    const __mmask16 some_cols = oct_lanes_16(cols);
    const __mmask64 some_rows = oct_lanes_64(rows);
    __m512i x[SIDE];
    OCT_UNROLLED
    for (size_t i = 0; i < SIDE; i++) {
        x[i] = _mm512_castsi128_si512(row_x8(in, in_ld, i, rows, some_cols, whole));
        x[i] = _mm512_inserti32x4(x[i], row_x8(in, in_ld, 16 + i, rows, some_cols, whole), 1);
        x[i] = _mm512_inserti32x4(x[i], row_x8(in, in_ld, 32 + i, rows, some_cols, whole), 2);
        x[i] = _mm512_inserti32x4(x[i], row_x8(in, in_ld, 48 + i, rows, some_cols, whole), 3);
    }
    transpose_lanes_x8(x);
    OCT_UNROLLED
    for (size_t c = 0; c < SIDE; c++) {
        if (whole)
            _mm512_storeu_si512(out + c * out_ld, x[c]);
        else if (c < cols)
            _mm512_mask_storeu_epi8(out + c * out_ld, some_rows, x[c]);
    }
}

void oct_transpose_x8_avx512(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld)
{
    if (rows == COLOURS && out_ld == COLOURS) {
        oct_transpose_x8_avx2(rows, cols, in, in_ld, out, out_ld);
        return;
    }
    for (size_t c = 0; c < cols; c += SIDE) {
        for (size_t r = 0; r < rows; r += LONG_SIDE) {
            const uint8_t *from = (const uint8_t *)in + r * in_ld + c;
            uint8_t *to = (uint8_t *)out + c * out_ld + r;
            if (rows - r >= LONG_SIDE && cols - c >= SIDE)
                tile_x8(LONG_SIDE, SIDE, from, in_ld, to, out_ld, true);
            else
                tile_x8(smaller(rows - r, LONG_SIDE), smaller(cols - c, SIDE), from, in_ld, to, out_ld, false);
        }
    }
}

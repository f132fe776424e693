/* depthwise_window_avx512.h - 3x3 on the blocks of depthwise_blocks_avx512.h: a window of three interleaved columns in registers.
 *
 *     columns       x-1    x    x+1        stride 1: every step takes one new column, and the window moves by one
 *     vectors     | q0  | q1  | q2  |      stride 2: two new columns, and the last becomes the first
 *                   w.0   w.1   w.2        sums = acc_bias + q0 * w[0] + q1 * w[1] + q2 * w[2]
 *
 * Registers (DEPTH 4, two output rows): 3 columns of 4 vectors, 2 sums and 4 narrowed results. The weights come from L1, two a
 * cycle. All scalars live in registers too: a scalar load among 512-bit ones costs Zen 5 about two cycles.
 */
#ifndef OCT_DEPTHWISE_WINDOW_AVX512_H
#define OCT_DEPTHWISE_WINDOW_AVX512_H

#include "depthwise_blocks_avx512.h"

enum { WINDOW = 3, WINDOW_GROUPS = (4 + DEPTH - 1) / DEPTH };   /* two rows at stride 1 have four input rows */

/* 1., 3. The sums of vector v, one for each output row; all but acc, window and packed constant wherever this is inlined. */
OCT_INLINE void sum_window(__m512i *acc, __m512i window[WINDOW][WINDOW_GROUPS * 4], const packed_block *packed, const size_t v,
                           const size_t rows, const size_t packed_rows)
{
    const __m512i bias = loaded(packed->acc_bias + 16 * v);
    OCT_UNROLLED
    for (size_t r = 0; r < rows; r++)
        acc[r] = bias;
    OCT_UNROLLED
    for (size_t g = 0; g < WINDOW_GROUPS; g++)
        OCT_UNROLLED
        for (size_t kx = 0; kx < WINDOW; kx++)
            OCT_UNROLLED
            for (size_t r = 0; r < rows; r++) {
                const weight *w = packed->w + (((v * WINDOW_GROUPS + g) * WINDOW + kx) * packed_rows + r) * 16 * DEPTH;
                acc[r] = add_products(acc[r], window[kx][g * 4 + v], _mm512_load_si512(w));
            }
}

/* 4. One column of each row, as bytes: rne((float)acc * mult) + zero, clamped. */
OCT_INLINE void requantize_window(__m512i *bytes, __m512i window[WINDOW][WINDOW_GROUPS * 4], const packed_block *packed,
                                  const oct_epilogue *e, const size_t rows, const size_t packed_rows)
{
    __m512i half[2][2];
    OCT_UNROLLED
    for (size_t v = 0; v < 4; v++) {
        __m512i acc[2];
        sum_window(acc, window, packed, v, rows, packed_rows);
        const __m512 mult = _mm512_castsi512_ps(loaded(packed->mult + 16 * v));
        OCT_UNROLLED
        for (size_t r = 0; r < rows; r++) {
            const __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(acc[r]), mult));
            half[v / 2][r] = v % 2 ? _mm512_packs_epi32(half[v / 2][r], q) : q;
        }
    }
    OCT_UNROLLED
    for (size_t r = 0; r < rows; r++)
        bytes[r] = oct_bytes_from_s16(half[0][r], half[1][r], e);
}

/* One sweep. All but s constant wherever this is inlined. f32: the output is, and there is one row. */
OCT_INLINE void walk_window(const sweep *s, const size_t stride, const size_t rows, const size_t packed_rows, const size_t parts,
                            const bool f32)
{
    const size_t in_rows = (rows - 1) * stride + WINDOW, pixel = s->shape->out_c, apart = s->distance * pixel;
    const packed_block *packed = s->packed;
    const oct_epilogue e = *s->e;       /* a copy: what is stored cannot change it, so nothing of it is loaded again */
    const source from = source_of(s, in_rows);
    uint8_t *out[2] = {s->out[0], s->out[1]};
    size_t column = 0 - s->shape->pad_left;             /* left of the image: huge */
    __m512i window[WINDOW][WINDOW_GROUPS * 4];
    /* 2. The columns before the first step's. */
    OCT_UNROLLED
    for (size_t c = 0; c < WINDOW - stride; c++, column++)
        interleave(&from, column, window[c], in_rows, parts);

    const size_t end = s->length * pixel;
    for (size_t x = 0; x < end; x += pixel) {
        OCT_UNROLLED
        for (size_t c = WINDOW - stride; c < WINDOW; c++, column++)
            interleave(&from, column, window[c], in_rows, parts);
        if (f32) {
            _Alignas(64) int32_t sums[64];
            OCT_UNROLLED
            for (size_t v = 0; v < 4; v++) {
                __m512i acc[2];
                sum_window(acc, window, packed, v, rows, packed_rows);
                _mm512_store_si512(sums + 16 * v, acc[0]);
            }
            store_f32(s, sums, (float *)s->out[0] + x);
        } else {
            __m512i bytes[2];
            requantize_window(bytes, window, packed, &e, rows, packed_rows);
            OCT_UNROLLED
            for (size_t r = 0; r < rows; r++)
                store_parts(out[r] + x, apart, bytes[r], parts);
        }
        OCT_UNROLLED
        for (size_t c = 0; c < WINDOW - stride; c++)
            OCT_UNROLLED
            for (size_t j = 0; j < WINDOW_GROUPS * 4; j++)
                window[c][j] = window[c + stride][j];
    }
}

/* By output rows and parts. */
static void window_s1_rows_1(const sweep *s) { walk_window(s, 1, ROWS, ROWS, 1, false); }
static void window_s1_rows_2(const sweep *s) { walk_window(s, 1, ROWS, ROWS, 2, false); }
static void window_s1_rows_4(const sweep *s) { walk_window(s, 1, ROWS, ROWS, 4, false); }
static void window_s1_row_1(const sweep *s) { walk_window(s, 1, 1, ROWS, 1, false); }
static void window_s1_row_2(const sweep *s) { walk_window(s, 1, 1, ROWS, 2, false); }
static void window_s1_row_4(const sweep *s) { walk_window(s, 1, 1, ROWS, 4, false); }
static void window_s1_row_f32_1(const sweep *s) { walk_window(s, 1, 1, ROWS, 1, true); }
static void window_s1_row_f32_2(const sweep *s) { walk_window(s, 1, 1, ROWS, 2, true); }
static void window_s1_row_f32_4(const sweep *s) { walk_window(s, 1, 1, ROWS, 4, true); }
static void window_s2_row_1(const sweep *s) { walk_window(s, 2, 1, 1, 1, false); }
static void window_s2_row_2(const sweep *s) { walk_window(s, 2, 1, 1, 2, false); }
static void window_s2_row_4(const sweep *s) { walk_window(s, 2, 1, 1, 4, false); }
static void window_s2_row_f32_1(const sweep *s) { walk_window(s, 2, 1, 1, 1, true); }
static void window_s2_row_f32_2(const sweep *s) { walk_window(s, 2, 1, 1, 2, true); }
static void window_s2_row_f32_4(const sweep *s) { walk_window(s, 2, 1, 1, 4, true); }

static const kind kind_3x3s1 = {3, 1,
    {window_s1_rows_1, window_s1_rows_2, window_s1_rows_4},
    {window_s1_row_1, window_s1_row_2, window_s1_row_4},
    {window_s1_row_f32_1, window_s1_row_f32_2, window_s1_row_f32_4}};
static const kind kind_3x3s2 = {3, 2,
    {window_s2_row_1, window_s2_row_2, window_s2_row_4},
    {window_s2_row_1, window_s2_row_2, window_s2_row_4},
    {window_s2_row_f32_1, window_s2_row_f32_2, window_s2_row_f32_4}};

#endif

/* depthwise_line_avx512.h - 5x5 on the blocks of depthwise_blocks_avx512.h: interleaved columns in a line in L1.
 *
 * Five columns of two groups are 40 vectors, too many for a window in registers. The columns are interleaved once into a line of
 * memory; tiles of up to 4 output columns then read what they need, vector by vector: stride 1, DEPTH 4, two output rows:
 *
 *     line   | column 0: 2 groups x 4 vectors | column 1 | ... | column 7 |      8 inputs, 10 weights, 40 dot products for each of
 *                                                                              2 groups x 4 vectors
 * A row is cut into nearly equal tiles: 14 = 4 + 4 + 3 + 3. At its end the line moves its last columns to the front.
 */
#ifndef OCT_DEPTHWISE_LINE_AVX512_H
#define OCT_DEPTHWISE_LINE_AVX512_H

#include "depthwise_blocks_avx512.h"

enum { KERNEL = 5, TILE_COLUMNS = 4, MAX_COLUMNS = (TILE_COLUMNS - 1) * 2 + KERNEL, LINE_VECTORS = 256 };

/* Vectors whose sums are computed side by side: as many as leave enough registers. */
enum { TOGETHER = DEPTH == 4 ? 2 : 1 };

/* Constant wherever it is inlined: stride, output rows at a time, columns of output. */
typedef struct line_shape {
    size_t stride, rows, n;
} line_shape;

OCT_INLINE size_t line_rows(const line_shape k) { return (k.rows - 1) * k.stride + KERNEL; }
OCT_INLINE size_t line_groups(const line_shape k) { return (line_rows(k) + DEPTH - 1) / DEPTH; }

/* 1., 3. The sums of TOGETHER vectors from v on: acc[i][c * rows + r]. */
OCT_INLINE void sum_line(__m512i acc[TOGETHER][TILE_COLUMNS * 2], const __m512i *line, const packed_block *packed, const size_t v,
                         const line_shape k)
{
    const size_t groups = line_groups(k), inputs = (k.n - 1) * k.stride + KERNEL;
    OCT_UNROLLED
    for (size_t i = 0; i < TOGETHER; i++) {
        const __m512i bias = loaded(packed->acc_bias + 16 * (v + i));
        OCT_UNROLLED
        for (size_t j = 0; j < k.n * k.rows; j++)
            acc[i][j] = bias;
    }
    OCT_UNROLLED
    for (size_t g = 0; g < groups; g++) {
        __m512i x[TOGETHER][MAX_COLUMNS];
        OCT_UNROLLED
        for (size_t c = 0; c < inputs * TOGETHER; c++)
            x[c % TOGETHER][c / TOGETHER] = _mm512_load_si512(line + (c / TOGETHER * groups + g) * 4 + v + c % TOGETHER);
        OCT_UNROLLED
        for (size_t j = 0; j < KERNEL * k.rows * TOGETHER; j++) {
            const size_t kx = j / TOGETHER / k.rows, r = j / TOGETHER % k.rows, i = j % TOGETHER;
            const __m512i w = loaded(packed->w + (((v + i) * groups + g) * KERNEL * ROWS + kx * ROWS + r) * 16 * DEPTH);
            OCT_UNROLLED
            for (size_t c = 0; c < k.n; c++) {
                __m512i *sum = &acc[i][c * k.rows + r];
                *sum = add_products(*sum, x[i][c * k.stride + kx], w);
                /* Keeps vpaddd in this order: gcc would make a tree of the additions, with all the products waiting on the stack.
                 * */
                __asm__("" : "+v"(*sum));
            }
        }
    }
}

/* One tile of k.n columns, as bytes: column c, row r to bytes[c * rows + r]. */
OCT_INLINE void tile(const __m512i *line, const packed_block *packed, const oct_epilogue *epilogue, __m512i *bytes,
                     const line_shape k)
{
    const oct_epilogue e = *epilogue;
    __m512i half[2][TILE_COLUMNS * 2];
    OCT_UNROLLED
    for (size_t v = 0; v < 4; v += TOGETHER) {
        __m512i acc[TOGETHER][TILE_COLUMNS * 2];
        sum_line(acc, line, packed, v, k);
        /* 4. Requantise; pairs of vectors are narrowed at once, to have registers for the next. */
        OCT_UNROLLED
        for (size_t i = 0; i < TOGETHER; i++) {
            const __m512 mult = _mm512_castsi512_ps(loaded(packed->mult + 16 * (v + i)));
            OCT_UNROLLED
            for (size_t j = 0; j < k.n * k.rows; j++) {
                const __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(acc[i][j]), mult));
                half[v / 2][j] = (v + i) % 2 ? _mm512_packs_epi32(half[v / 2][j], q) : q;
            }
        }
    }
    OCT_UNROLLED
    for (size_t j = 0; j < k.n * k.rows; j++)
        bytes[j] = oct_bytes_from_s16(half[0][j], half[1][j], &e);
}

typedef void tile_fn(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes);
typedef void columns_fn(const sweep *s, size_t column, size_t count, __m512i *to);

typedef struct line_kind {
    line_shape k;
    columns_fn *columns[3];             /* by parts: 1, 2, 4 */
    tile_fn *tile[TILE_COLUMNS + 1];    /* by the number of columns */
} line_kind;

/* 2. Interleaves `count` columns of input. */
OCT_INLINE void columns(const sweep *s, size_t column, size_t count, __m512i *to, const size_t rows, const size_t parts)
{
    const source from = source_of(s, rows);
    for (; count > 0; count--, column++, to += (rows + DEPTH - 1) / DEPTH * 4)
        interleave(&from, column, to, rows, parts);
}

/* f32 output of one column of one row. */
static void column_f32(const sweep *s, const __m512i *line, float *out, const line_shape *k)
{
    _Alignas(64) int32_t sums[64];
    const size_t groups = line_groups(*k);
    for (size_t v = 0; v < 4; v++) {
        __m512i acc = _mm512_load_si512(s->packed->acc_bias + 16 * v);
        for (size_t i = 0; i < groups * KERNEL; i++) {
            const size_t g = i / KERNEL, kx = i % KERNEL;
            const weight *w = s->packed->w + ((v * groups + g) * KERNEL + kx) * ROWS * 16 * DEPTH;
            acc = add_products(acc, line[(kx * groups + g) * 4 + v], _mm512_load_si512(w));
        }
        _mm512_store_si512(sums + 16 * v, acc);
    }
    store_f32(s, sums, out);
}

/* A finished tile: n columns from x on. */
static void store_tile(const sweep *s, const __m512i *bytes, size_t x, size_t n, size_t rows)
{
    const size_t pixel = s->shape->out_c, apart = s->distance * pixel;
    for (size_t j = 0; j < n * rows; j++) {
        uint8_t *out = (uint8_t *)s->out[j % rows] + (x + j / rows) * pixel;
        if (s->parts == 1)
            store_parts(out, apart, bytes[j], 1);
        else if (s->parts == 2)
            store_parts(out, apart, bytes[j], 2);
        else
            store_parts(out, apart, bytes[j], 4);
    }
}

/* Tile by tile along the row: interleave the columns that are not in the line yet, then use them. */
static void walk_line(const sweep *s, const line_kind *l, bool f32)
{
    const size_t stride = l->k.stride, rows = l->k.rows, groups = line_groups(l->k), line_columns = LINE_VECTORS / 4 / groups;
    const size_t tiles = (s->length + TILE_COLUMNS - 1) / TILE_COLUMNS, short_tile = s->length / tiles,
                 long_tiles = s->length % tiles;
    __m512i line[LINE_VECTORS], bytes[TILE_COLUMNS * 2];
    size_t at = 0, have = 0;            /* the tile's first column in the line; how many of its columns are there already */
    for (size_t i = 0, x = 0, n; i < tiles; i++, x += n) {
        n = short_tile + (i < long_tiles);
        const size_t wanted = (n - 1) * stride + KERNEL;
        if (at + wanted > line_columns) {
            memmove(line, line + at * groups * 4, have * groups * 4 * sizeof *line);
            at = 0;
        }
        l->columns[s->parts / 2](s, x * stride + have - s->shape->pad_left, wanted - have, line + (at + have) * groups * 4);
        if (f32) {
            for (size_t c = 0; c < n; c++)
                column_f32(s, line + (at + c * stride) * groups * 4, (float *)s->out[0] + (x + c) * s->shape->out_c, &l->k);
        } else {
            l->tile[n](line + at * groups * 4, s->packed, s->e, bytes);
            store_tile(s, bytes, x, n, rows);
        }
        at += n * stride;
        have = wanted - n * stride;
    }
}

/* Each compiled by itself: by stride and rows of input, then parts or columns. */
static void columns_s1_row_1(const sweep *s, size_t column, size_t count, __m512i *to)
{
    columns(s, column, count, to, KERNEL, 1);
}
static void columns_s1_row_2(const sweep *s, size_t column, size_t count, __m512i *to)
{
    columns(s, column, count, to, KERNEL, 2);
}
static void columns_s1_row_4(const sweep *s, size_t column, size_t count, __m512i *to)
{
    columns(s, column, count, to, KERNEL, 4);
}
static void tile_s1_row_1(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes)
{
    tile(line, packed, e, bytes, (line_shape){1, 1, 1});
}
static void tile_s1_row_2(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes)
{
    tile(line, packed, e, bytes, (line_shape){1, 1, 2});
}
static void tile_s1_row_3(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes)
{
    tile(line, packed, e, bytes, (line_shape){1, 1, 3});
}
static void tile_s1_row_4(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes)
{
    tile(line, packed, e, bytes, (line_shape){1, 1, 4});
}
static const line_kind line_s1_row = {{1, 1, 0},
    {columns_s1_row_1, columns_s1_row_2, columns_s1_row_4},
    {NULL, tile_s1_row_1, tile_s1_row_2, tile_s1_row_3, tile_s1_row_4}};

static void columns_s1_rows_1(const sweep *s, size_t column, size_t count, __m512i *to)
{
    columns(s, column, count, to, (ROWS - 1) * 1 + KERNEL, 1);
}
static void columns_s1_rows_2(const sweep *s, size_t column, size_t count, __m512i *to)
{
    columns(s, column, count, to, (ROWS - 1) * 1 + KERNEL, 2);
}
static void columns_s1_rows_4(const sweep *s, size_t column, size_t count, __m512i *to)
{
    columns(s, column, count, to, (ROWS - 1) * 1 + KERNEL, 4);
}
static void tile_s1_rows_1(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes)
{
    tile(line, packed, e, bytes, (line_shape){1, ROWS, 1});
}
static void tile_s1_rows_2(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes)
{
    tile(line, packed, e, bytes, (line_shape){1, ROWS, 2});
}
static void tile_s1_rows_3(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes)
{
    tile(line, packed, e, bytes, (line_shape){1, ROWS, 3});
}
static void tile_s1_rows_4(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes)
{
    tile(line, packed, e, bytes, (line_shape){1, ROWS, 4});
}
static const line_kind line_s1_rows = {{1, ROWS, 0},
    {columns_s1_rows_1, columns_s1_rows_2, columns_s1_rows_4},
    {NULL, tile_s1_rows_1, tile_s1_rows_2, tile_s1_rows_3, tile_s1_rows_4}};

static void columns_s2_row_1(const sweep *s, size_t column, size_t count, __m512i *to)
{
    columns(s, column, count, to, KERNEL, 1);
}
static void columns_s2_row_2(const sweep *s, size_t column, size_t count, __m512i *to)
{
    columns(s, column, count, to, KERNEL, 2);
}
static void columns_s2_row_4(const sweep *s, size_t column, size_t count, __m512i *to)
{
    columns(s, column, count, to, KERNEL, 4);
}
static void tile_s2_row_1(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes)
{
    tile(line, packed, e, bytes, (line_shape){2, 1, 1});
}
static void tile_s2_row_2(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes)
{
    tile(line, packed, e, bytes, (line_shape){2, 1, 2});
}
static void tile_s2_row_3(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes)
{
    tile(line, packed, e, bytes, (line_shape){2, 1, 3});
}
static void tile_s2_row_4(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes)
{
    tile(line, packed, e, bytes, (line_shape){2, 1, 4});
}
static const line_kind line_s2_row = {{2, 1, 0},
    {columns_s2_row_1, columns_s2_row_2, columns_s2_row_4},
    {NULL, tile_s2_row_1, tile_s2_row_2, tile_s2_row_3, tile_s2_row_4}};

static void columns_s2_rows_1(const sweep *s, size_t column, size_t count, __m512i *to)
{
    columns(s, column, count, to, (ROWS - 1) * 2 + KERNEL, 1);
}
static void columns_s2_rows_2(const sweep *s, size_t column, size_t count, __m512i *to)
{
    columns(s, column, count, to, (ROWS - 1) * 2 + KERNEL, 2);
}
static void columns_s2_rows_4(const sweep *s, size_t column, size_t count, __m512i *to)
{
    columns(s, column, count, to, (ROWS - 1) * 2 + KERNEL, 4);
}
static void tile_s2_rows_1(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes)
{
    tile(line, packed, e, bytes, (line_shape){2, ROWS, 1});
}
static void tile_s2_rows_2(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes)
{
    tile(line, packed, e, bytes, (line_shape){2, ROWS, 2});
}
static void tile_s2_rows_3(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes)
{
    tile(line, packed, e, bytes, (line_shape){2, ROWS, 3});
}
static void tile_s2_rows_4(const __m512i *line, const packed_block *packed, const oct_epilogue *e, __m512i *bytes)
{
    tile(line, packed, e, bytes, (line_shape){2, ROWS, 4});
}
static const line_kind line_s2_rows = {{2, ROWS, 0},
    {columns_s2_rows_1, columns_s2_rows_2, columns_s2_rows_4},
    {NULL, tile_s2_rows_1, tile_s2_rows_2, tile_s2_rows_3, tile_s2_rows_4}};

static void walk_s1_rows(const sweep *s) { walk_line(s, &line_s1_rows, false); }
static void walk_s1_row(const sweep *s) { walk_line(s, &line_s1_row, false); }
static void walk_s1_row_f32(const sweep *s) { walk_line(s, &line_s1_row, true); }
static void walk_s2_rows(const sweep *s) { walk_line(s, &line_s2_rows, false); }
static void walk_s2_row(const sweep *s) { walk_line(s, &line_s2_row, false); }
static void walk_s2_row_f32(const sweep *s) { walk_line(s, &line_s2_row, true); }

static const kind kind_5x5s1 = {KERNEL, 1,
    {walk_s1_rows, walk_s1_rows, walk_s1_rows},
    {walk_s1_row, walk_s1_row, walk_s1_row},
    {walk_s1_row_f32, walk_s1_row_f32, walk_s1_row_f32}};
static const kind kind_5x5s2 = {KERNEL, 2,
    {walk_s2_rows, walk_s2_rows, walk_s2_rows},
    {walk_s2_row, walk_s2_row, walk_s2_row},
    {walk_s2_row_f32, walk_s2_row_f32, walk_s2_row_f32}};

#endif

/* epilogue_avx2.h - from accumulators in registers to output: the tail shared by the GEMM and GEMV kernels of this folder.
 *
 * A tile is `mr` rows of `vecs` vectors of 8 floats, x[r][v]: 8 or 16 columns. Everything here is inlined into its caller with
 * constant `mr` and `vecs`, so that the tile stays in registers. For that the compilers must unroll every loop over the tile early:
 * the loops have constant bounds, and the body asks `r < mr` (a question that is gone after inlining).
 *
 *   f32 kernel:  x = acc + bias   -> [residual] -> clamp -> f32 out                  finish_f32
 *                                 -> [residual] -> clamp -> * out_mult -> u8 out
 *   u8s8 kernel: x = acc * mult   -> [residual] -> u8 out                            finish_u8s8
 *                                 -> + bias -> [residual] -> clamp -> f32 out
 *
 * Here every tile is full: n == 8 * vecs. A panel with fewer columns runs on a stand-in for its output (run_columns, below), which
 * keeps masks and lane counts out of the kernels.
 */
#ifndef OCT_EPILOGUE_AVX2_H
#define OCT_EPILOGUE_AVX2_H

#include "vector_avx2.h"

enum { TILE_ROWS = 6, TILE_VECS = 2, TILE_COLUMNS = 8 * TILE_VECS };

/* ------------------------------------------------------------------------------------------ residuals ---- */

/* Same layout as the output; the rows are residual_ld apart. */
OCT_INLINE void add_residual_f32(const oct_epilogue *e, __m256 x[][TILE_VECS], size_t mr, size_t vecs)
{
    const float *residual = e->residual;
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < TILE_VECS; v++)
            if (r < mr && v < vecs)
                x[r][v] = _mm256_add_ps(x[r][v], _mm256_loadu_ps(residual + r * e->residual_ld + 8 * v));
}

/* (q - zero) is exact in float: |q - zero| <= 255. */
OCT_INLINE void add_residual_u8(const oct_epilogue *e, __m256 x[][TILE_VECS], size_t mr, size_t vecs)
{
    const uint8_t *residual = e->residual;
    const __m256i zero = _mm256_set1_epi32(e->residual_zero);
    const __m256 mult = _mm256_set1_ps(e->residual_mult);
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < TILE_VECS; v++)
            if (r < mr && v < vecs) {
                const __m128i q = load_64(residual + r * e->residual_ld + 8 * v);
                const __m256i centred = _mm256_sub_epi32(_mm256_cvtepu8_epi32(q), zero);
                x[r][v] = _mm256_add_ps(x[r][v], _mm256_mul_ps(_mm256_cvtepi32_ps(centred), mult));
            }
}

/* ---------------------------------------------------------------------------------------------- clamp ---- */

OCT_INLINE void clamp_tile(const oct_epilogue *e, __m256 x[][TILE_VECS], size_t mr, size_t vecs)
{
    const __m256 lo = _mm256_set1_ps(e->lo), hi = _mm256_set1_ps(e->hi);
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < TILE_VECS; v++)
            if (r < mr && v < vecs)
                x[r][v] = clamp_ps(x[r][v], lo, hi);
}

/* --------------------------------------------------------------------------------------------- stores ---- */

/* Unaligned: out is wherever the caller wants it. */
OCT_INLINE void store_tile_f32(const oct_epilogue *e, __m256 x[][TILE_VECS], size_t mr, size_t vecs)
{
    float *out = e->out;
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < TILE_VECS; v++)
            if (r < mr && v < vecs)
                _mm256_storeu_ps(out + r * e->out_ld + 8 * v, x[r][v]);
}

/* Two rows of 16 columns become one vector of bytes, one 16-byte store per row:
 *
 *   round_u8:   r.0-3   r.8-11  s.0-3   s.8-11 | r.4-7   r.12-15 s.4-7  s.12-15       rows r and s = r + 1
 *   in_order:   r.0-7   r.8-15                 | s.0-7   s.8-15
 */
OCT_INLINE void store_tile_u8_16(const oct_epilogue *e, __m256 x[][TILE_VECS], size_t mr)
{
    uint8_t *out = e->out;
    const u8_range range = u8_range_of(e->out_zero, e->qlo, e->qhi);
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r += 2) {
        if (r >= mr)
            break;
        const size_t s = r + 1 < mr ? r + 1 : r;      /* an odd last row is its own partner */
        const __m256i q = in_order(round_u8(x[r][0], x[r][1], x[s][0], x[s][1], &range));
        store_128(out + r * e->out_ld, _mm256_castsi256_si128(q));
        if (s != r)
            store_128(out + s * e->out_ld, _mm256_extracti128_si256(q, 1));
    }
}

/* Four rows of 8 columns become one vector of bytes; rows that do not exist repeat the first:
 *
 *   in_order:   r.0-7   r1.0-7 | r2.0-7   r3.0-7
 */
OCT_INLINE void store_tile_u8_8(const oct_epilogue *e, __m256 x[][TILE_VECS], size_t mr)
{
    uint8_t *out = e->out;
    const u8_range range = u8_range_of(e->out_zero, e->qlo, e->qhi);
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r += 4) {
        if (r >= mr)
            break;
        const size_t left = mr - r < 4 ? mr - r : 4;
        const size_t r1 = r + (left > 1 ? 1 : 0), r2 = r + (left > 2 ? 2 : 0), r3 = r + (left > 3 ? 3 : 0);
        const __m256i q = in_order(round_u8(x[r][0], x[r1][0], x[r2][0], x[r3][0], &range));
        const __m128i low = _mm256_castsi256_si128(q), high = _mm256_extracti128_si256(q, 1);
        store_64(out + r * e->out_ld, low);
        if (left > 1)
            store_64(out + (r + 1) * e->out_ld, _mm_srli_si128(low, 8));
        if (left > 2)
            store_64(out + (r + 2) * e->out_ld, high);
        if (left > 3)
            store_64(out + (r + 3) * e->out_ld, _mm_srli_si128(high, 8));
    }
}

OCT_INLINE void store_tile_u8(const oct_epilogue *e, __m256 x[][TILE_VECS], size_t mr, size_t vecs)
{
    if (vecs == 2)
        store_tile_u8_16(e, x, mr);
    else
        store_tile_u8_8(e, x, mr);
}

/* ------------------------------------------------------------------------------- the two whole epilogues ---- */

/* f32 kernels. x: acc + bias; what is left of the epilogue. The branches depend on the job alone, so they are always predicted. */
OCT_INLINE void finish_f32(const oct_epilogue *e, __m256 x[][TILE_VECS], size_t mr, size_t vecs)
{
    if (e->out_elem == OCT_ELEM_F32) {
        /* residual, clamp, store */
        if (e->residual)
            add_residual_f32(e, x, mr, vecs);
        clamp_tile(e, x, mr, vecs);
        store_tile_f32(e, x, mr, vecs);
        return;
    }
    /* residual, clamp, quantise, store */
    if (e->residual)
        add_residual_u8(e, x, mr, vecs);
    clamp_tile(e, x, mr, vecs);
    const __m256 mult = _mm256_set1_ps(e->out_mult);
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < TILE_VECS; v++)
            if (r < mr && v < vecs)
                x[r][v] = _mm256_mul_ps(x[r][v], mult);
    store_tile_u8(e, x, mr, vecs);
}

/* u8s8 kernels. acc: exact sums, acc_bias included. Product and sum are rounded one by one (no FMA): the bits must be scalar's. */
OCT_INLINE void finish_u8s8(const oct_epilogue *e, __m256i acc[][TILE_VECS], size_t mr, size_t vecs)
{
    /* to float, scale */
    __m256 x[TILE_ROWS][TILE_VECS];
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < TILE_VECS; v++)
            if (r < mr && v < vecs)
                x[r][v] = _mm256_mul_ps(_mm256_cvtepi32_ps(acc[r][v]), _mm256_loadu_ps(e->mult + 8 * v));
    if (e->out_elem == OCT_ELEM_U8) {
        /* residual, round, zero point, clamp, store */
        if (e->residual)
            add_residual_u8(e, x, mr, vecs);
        store_tile_u8(e, x, mr, vecs);
        return;
    }
    /* bias, residual, clamp, store */
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < TILE_VECS; v++)
            if (r < mr && v < vecs)
                x[r][v] = _mm256_add_ps(x[r][v], _mm256_loadu_ps(e->bias + 8 * v));
    if (e->residual)
        add_residual_f32(e, x, mr, vecs);
    clamp_tile(e, x, mr, vecs);
    store_tile_f32(e, x, mr, vecs);
}

/* ----------------------------------------------------------------------------------------- edge panels ---- */

/* A full-width stand-in for the output of a panel that has fewer columns: residual copied in, output copied out. */
typedef struct edge_tile {
    float out[TILE_ROWS * TILE_COLUMNS];
    float residual[TILE_ROWS * TILE_COLUMNS];
} edge_tile;

/* The tile to run instead of `tile`. Rows of the stand-in are `columns` elements apart. Bias, acc_bias and mult need no stand-in:
 * they are padded to the panel's full width. */
static inline oct_tile edge_begin(const oct_tile *tile, size_t columns, edge_tile *edge)
{
    const size_t size = tile->e.out_elem == OCT_ELEM_F32 ? sizeof(float) : 1;
    oct_tile staged = *tile;
    staged.n = columns;
    staged.e.out = edge->out;
    staged.e.out_ld = columns;
    if (!tile->e.residual)
        return staged;
    /* columns that do not exist get a residual of zero: any number will do, they are thrown away */
    memset(edge->residual, 0, sizeof(edge->residual));
    for (size_t r = 0; r < tile->m; r++)
        memcpy((char *)edge->residual + r * columns * size, (const char *)tile->e.residual + r * tile->e.residual_ld * size,
               tile->n * size);
    staged.e.residual = edge->residual;
    staged.e.residual_ld = columns;
    return staged;
}

/* The columns that exist go where they belong. */
static inline void edge_end(const oct_tile *tile, size_t columns, const edge_tile *edge)
{
    const size_t size = tile->e.out_elem == OCT_ELEM_F32 ? sizeof(float) : 1;
    for (size_t r = 0; r < tile->m; r++)
        memcpy((char *)tile->e.out + r * tile->e.out_ld * size, (const char *)edge->out + r * columns * size, tile->n * size);
}

/* Runs `full`, which wants exactly `columns` columns, on a tile that may have fewer. */
static inline void run_columns(const oct_tile *tile, size_t columns, oct_gemm_fn *full)
{
    if (tile->n == columns) {
        full(tile);
        return;
    }
    edge_tile stand_in;
    const oct_tile staged = edge_begin(tile, columns, &stand_in);
    full(&staged);
    edge_end(tile, columns, &stand_in);
}

#endif

/* gemm_f32_neon.c - f32 matrix product / convolution on ARMv8.0 NEON: up to 5 rows x one panel of 16 columns, or 8 x 8 for the
 * rest of the columns; for one row, 32 columns.
 *
 *   acc[r][c] = bias[c] + sum over taps t, i < k of a[r][t][i] * b[t][i][c]          then the epilogue
 *
 * Registers (32 of 128 bits): 20 accumulators, 5 of a, 4 of b.
 *
 *                                    b[i][0..3]   b[i][4..7]   b[i][8..11]  b[i][12..15]      two load pairs per step of k
 *   row 0   a[0][i..i+3], lane  ->   acc[0][0]    acc[0][1]    acc[0][2]    acc[0][3]         fmla by lane: no broadcast needed
 *   ...
 *   row 4   a[4][i..i+3], lane  ->   acc[4][0]    acc[4][1]    acc[4][2]    acc[4][3]         20 fmla per step
 *
 * Four steps share one load of a per row: 80 fmla, 5 loads, 8 load pairs: 80 of the 99 instructions of the inner loop (8 x 8: 64
 * of 86). 6 x 16 would need all 32 registers, which neither gcc nor clang brings off without a spill.
 *
 * Panel, kr = 1, nr = 16:  | tap 0: b[0][0..15] b[1][0..15] .. b[k-1][0..15] | tap 1: ..
 *
 * Bound: fmla throughput, two per cycle on the larger cores (20 chains hide its latency of 4), one on the small ones. The 1 x 32
 * form for a single row is bound by the bytes of b: 8 loads feed 8 fmla.
 */
#include "epilogue_neon.h"
#include "neon.h"

enum { MAX_ROWS = 8, MAX_VECTORS = 8 };

/* The row pointers of one tap. */
OCT_INLINE void load_rows(const oct_tile *tile, size_t tap, const float *a[], size_t mr)
{
    for (size_t r = 0; r < mr; r++)
        a[r] = (const float *)tile->a[r * tile->a_stride + tap] + tile->a_offset;
}

/* acc += column `lane` (a literal) of a times one row of the panel. */
#define STEP(lane)                                                              \
    {                                                                           \
        float32x4_t bv[MAX_VECTORS];                                            \
        OCT_UNROLLED                                                            \
        for (size_t v = 0; v < vectors; v++)                                    \
            bv[v] = vld1q_f32(b + (lane) * nr + 4 * v);                         \
        OCT_UNROLLED                                                            \
        for (size_t r = 0; r < mr; r++)                                         \
            OCT_UNROLLED                                                        \
            for (size_t v = 0; v < vectors; v++)                                \
                acc[r][v] = vfmaq_laneq_f32(acc[r][v], bv[v], av[r], lane);     \
    }

/* acc += four columns of the rows times four rows of the panel. */
OCT_INLINE void step4(float32x4_t acc[][MAX_VECTORS], const float *const a[], size_t i, const float *b, size_t mr, size_t vectors)
{
    const size_t nr = 4 * vectors;
    float32x4_t av[MAX_ROWS];
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++)
        av[r] = vld1q_f32(a[r] + i);
    STEP(0)
    STEP(1)
    STEP(2)
    STEP(3)
}

/* acc += column i of the rows times row i of the panel. */
OCT_INLINE void step1(float32x4_t acc[][MAX_VECTORS], const float *const a[], size_t i, const float *b, size_t mr, size_t vectors)
{
    OCT_UNROLLED
    for (size_t v = 0; v < vectors; v++) {
        const float32x4_t bv = vld1q_f32(b + 4 * v);
        OCT_UNROLLED
        for (size_t r = 0; r < mr; r++)
            acc[r][v] = vfmaq_n_f32(acc[r][v], bv, a[r][i]);
    }
}

OCT_INLINE void tile_f32(const oct_tile *tile, float *sums, size_t mr, size_t vectors)
{
    float32x4_t acc[MAX_ROWS][MAX_VECTORS];
    const size_t nr = 4 * vectors;
    const float *b = tile->b;
    /* start at the bias */
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < vectors; v++)
            acc[r][v] = vld1q_f32(tile->e.bias + 4 * v);
    /* sum over taps and k */
    for (size_t tap = 0; tap < tile->taps; tap++) {
        const float *a[MAX_ROWS];
        load_rows(tile, tap, a, mr);
        size_t i = 0;
        for (; i + 4 <= tile->k; i += 4, b += 4 * nr)
            step4(acc, a, i, b, mr, vectors);
        for (; i < tile->k; i++, b += nr)
            step1(acc, a, i, b, mr, vectors);
    }
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < vectors; v++)
            vst1q_f32(sums + r * nr + 4 * v, acc[r][v]);
}

/* 5 x 16 */
void oct_gemm_f32_neon(const oct_tile *tile)
{
    float sums[5 * 16];
    switch (tile->m) {
    case 1: tile_f32(tile, sums, 1, 4); break;
    case 2: tile_f32(tile, sums, 2, 4); break;
    case 3: tile_f32(tile, sums, 3, 4); break;
    case 4: tile_f32(tile, sums, 4, 4); break;
    default: tile_f32(tile, sums, 5, 4); break;
    }
    /* epilogue */
    finish_tile_f32(tile, sums, 16);
}

/* 8 x 8 */
void oct_gemm_f32_narrow_neon(const oct_tile *tile)
{
    float sums[8 * 8];
    switch (tile->m) {
    case 1: tile_f32(tile, sums, 1, 2); break;
    case 2: tile_f32(tile, sums, 2, 2); break;
    case 3: tile_f32(tile, sums, 3, 2); break;
    case 4: tile_f32(tile, sums, 4, 2); break;
    case 5: tile_f32(tile, sums, 5, 2); break;
    case 6: tile_f32(tile, sums, 6, 2); break;
    case 7: tile_f32(tile, sums, 7, 2); break;
    default: tile_f32(tile, sums, 8, 2); break;
    }
    /* epilogue */
    finish_tile_f32(tile, sums, 8);
}

void oct_gemv_f32_neon(const oct_tile *tile)
{
    float sums[32];
    tile_f32(tile, sums, 1, 8);
    finish_tile_f32(tile, sums, 32);
}

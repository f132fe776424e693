/* gemm_f32_neon.c - f32 matrix product / convolution on ARMv8.0 NEON: up to 8 rows x one panel of 8 columns; for one row, 32 columns.
 *
 *   acc[r][c] = bias[c] + sum over taps t, i < k of a[r][t][i] * b[t][i][c]          then the epilogue
 *
 * Registers (32 of 128 bits): 16 accumulators, 8 of a, 2 of b.
 *
 *                                    b0 = b[i][0..3]    b1 = b[i][4..7]       two loads per step of k
 *   row 0   a[0][i..i+3], lane  ->   acc[0][0]          acc[0][1]             fmla by lane: no broadcast needed
 *   ...
 *   row 7   a[7][i..i+3], lane  ->   acc[7][0]          acc[7][1]             16 fmla per step
 *
 * Four steps share one load of a per row: 64 fmla, 8 + 8 loads. 80 of 84 instructions of the inner loop are loads and fmla, 76 % fmla.
 *
 * Panel, kr = 1:  | tap 0: b[0][0..7] b[1][0..7] .. b[k-1][0..7] | tap 1: ..
 *
 * Bound: fmla throughput, two per cycle on the larger cores (16 chains hide its latency of 4), one on the small ones. The 1 x 32 form for a single
 * row is bound by the bytes of b: 8 loads feed 8 fmla.
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

/* acc += four columns of the rows times four rows of the panel. Written out per lane: the lane must be a literal. */
OCT_INLINE void step4(float32x4_t acc[][MAX_VECTORS], const float *const a[], size_t i, const float *b, size_t mr, size_t vectors)
{
    const size_t nr = 4 * vectors;
    float32x4_t av[MAX_ROWS];
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++)
        av[r] = vld1q_f32(a[r] + i);
    OCT_UNROLLED
    for (size_t v = 0; v < vectors; v++) {
        const float32x4_t b0 = vld1q_f32(b + 4 * v), b1 = vld1q_f32(b + nr + 4 * v);
        OCT_UNROLLED
        for (size_t r = 0; r < mr; r++) {
            acc[r][v] = vfmaq_laneq_f32(acc[r][v], b0, av[r], 0);
            acc[r][v] = vfmaq_laneq_f32(acc[r][v], b1, av[r], 1);
        }
        const float32x4_t b2 = vld1q_f32(b + 2 * nr + 4 * v), b3 = vld1q_f32(b + 3 * nr + 4 * v);
        OCT_UNROLLED
        for (size_t r = 0; r < mr; r++) {
            acc[r][v] = vfmaq_laneq_f32(acc[r][v], b2, av[r], 2);
            acc[r][v] = vfmaq_laneq_f32(acc[r][v], b3, av[r], 3);
        }
    }
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

void oct_gemm_f32_neon(const oct_tile *tile)
{
    float sums[MAX_ROWS * 8];
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

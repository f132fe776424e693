/* gemm_s16_neon.c - s16 x s16 micro-kernels of integer Winograd: up to 5 rows x 16 columns, or 8 rows x 8,
 *
 *   out[r][c] = acc_bias[c] + sum over i < k of a[r][i] * b[i][c],  modulo 2^32, stored as they are
 *
 *   a, 8 neighbours of k of row r       | a0 .. a7 |             one load; smlal takes one of them against 4 columns of b
 *   b, one k of 8 columns               | b0 .. b7 |             panel, kr = 1: [k][16] or [k][8], s16
 *   smlal, smlal2                       acc[0..3] += b[0..3] * a_i, acc[4..7] += b[4..7] * a_i        s32, wrapping
 *
 * One product of s16 * s16 is below 2^29 here, so it is exact; winograd_weights_u8s8.c has the ranges, and why wrapping does no
 * harm.
 *
 * Registers (32): 5 x 16: 20 accumulators, 5 of a, 2 of b; 8 x 8: 16, 8, 1. Four products per instruction, against 5.3 in
 * gemm_u8s8_neon.c: with a quarter of the products that is 3 times as fast, before transforms.
 */
#include "epilogue_neon.h"
#include "neon.h"

enum { ROWS = 8, VECTORS = 2, DEPTH = 8 };

/* acc += element `lane` of a, a constant, times 8 columns. */
OCT_INLINE void add_lane(int32x4_t acc[2], int16x8_t b, int16x8_t a, const int lane)
{
    const int16x4_t low = vget_low_s16(b);
    switch (lane) {
    case 0: acc[0] = vmlal_laneq_s16(acc[0], low, a, 0), acc[1] = vmlal_high_laneq_s16(acc[1], b, a, 0); break;
    case 1: acc[0] = vmlal_laneq_s16(acc[0], low, a, 1), acc[1] = vmlal_high_laneq_s16(acc[1], b, a, 1); break;
    case 2: acc[0] = vmlal_laneq_s16(acc[0], low, a, 2), acc[1] = vmlal_high_laneq_s16(acc[1], b, a, 2); break;
    case 3: acc[0] = vmlal_laneq_s16(acc[0], low, a, 3), acc[1] = vmlal_high_laneq_s16(acc[1], b, a, 3); break;
    case 4: acc[0] = vmlal_laneq_s16(acc[0], low, a, 4), acc[1] = vmlal_high_laneq_s16(acc[1], b, a, 4); break;
    case 5: acc[0] = vmlal_laneq_s16(acc[0], low, a, 5), acc[1] = vmlal_high_laneq_s16(acc[1], b, a, 5); break;
    case 6: acc[0] = vmlal_laneq_s16(acc[0], low, a, 6), acc[1] = vmlal_high_laneq_s16(acc[1], b, a, 6); break;
    default: acc[0] = vmlal_laneq_s16(acc[0], low, a, 7), acc[1] = vmlal_high_laneq_s16(acc[1], b, a, 7); break;
    }
}

/* One k of all rows; its lane in a is constant. */
OCT_INLINE void step(int32x4_t acc[][VECTORS][2], const int16x8_t a[], const int16_t *b, const int lane, const size_t mr,
                     const size_t nv)
{
    int16x8_t column[VECTORS];
    OCT_UNROLLED
    for (size_t v = 0; v < nv; v++)
        column[v] = vld1q_s16(b + 8 * v);
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < nv; v++)
            add_lane(acc[r][v], column[v], a[r], lane);
}

/* mr rows, nv vectors of 8 columns, constants. */
OCT_INLINE void tile_s16(const oct_tile *tile, const size_t mr, const size_t nv)
{
    int32x4_t acc[ROWS][VECTORS][2];
    const int16_t *a[ROWS], *b = tile->b;
    /* 1. Accumulators start at acc_bias. */
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++) {
        OCT_UNROLLED
        for (size_t v = 0; v < nv; v++) {
            acc[r][v][0] = vld1q_s32(tile->e.acc_bias + 8 * v);
            acc[r][v][1] = vld1q_s32(tile->e.acc_bias + 8 * v + 4);
        }
    }
    /* 2. Row pointers. */
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++)
        a[r] = (const int16_t *)tile->a[r * tile->a_stride] + tile->a_offset;
    /* 3. Along k, eight at a time. 3b. The rest one by one: as lane 0, for the panel ends at k. */
    size_t i = 0;
    int16x8_t av[ROWS];
    for (; i + DEPTH <= tile->k; i += DEPTH) {
        OCT_UNROLLED
        for (size_t r = 0; r < mr; r++)
            av[r] = vld1q_s16(a[r] + i);
        OCT_UNROLLED
        for (int lane = 0; lane < DEPTH; lane++, b += 8 * nv)
            step(acc, av, b, lane, mr, nv);
    }
    for (; i < tile->k; i++, b += 8 * nv) {
        OCT_UNROLLED
        for (size_t r = 0; r < mr; r++)
            av[r] = vdupq_n_s16(a[r][i]);
        step(acc, av, b, 0, mr, nv);
    }
    /* 5. Away. */
    int32_t *out = tile->e.out;
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++) {
        OCT_UNROLLED
        for (size_t v = 0; v < nv; v++) {
            vst1q_s32(out + r * tile->e.out_ld + 8 * v, acc[r][v][0]);
            vst1q_s32(out + r * tile->e.out_ld + 8 * v + 4, acc[r][v][1]);
        }
    }
}

void oct_gemm_s16_neon(const oct_tile *tile)
{
    switch (tile->m) {
    case 1: tile_s16(tile, 1, 2); break;
    case 2: tile_s16(tile, 2, 2); break;
    case 3: tile_s16(tile, 3, 2); break;
    case 4: tile_s16(tile, 4, 2); break;
    default: tile_s16(tile, 5, 2); break;
    }
}

void oct_gemm_s16_narrow_neon(const oct_tile *tile)
{
    switch (tile->m) {
    case 1: tile_s16(tile, 1, 1); break;
    case 2: tile_s16(tile, 2, 1); break;
    case 3: tile_s16(tile, 3, 1); break;
    case 4: tile_s16(tile, 4, 1); break;
    case 5: tile_s16(tile, 5, 1); break;
    case 6: tile_s16(tile, 6, 1); break;
    case 7: tile_s16(tile, 7, 1); break;
    default: tile_s16(tile, 8, 1); break;
    }
}

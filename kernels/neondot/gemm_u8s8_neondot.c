/* gemm_u8s8_neondot.c - exact integer matrix product / convolution with ARMv8.2 dot products: up to 5 rows x one panel of 16
 * columns, or 8 x 8 for the rest of the columns; one row x 32.
 *
 *   acc[r][c] = acc_bias[c] + sum over taps t, i < k of (a[r][t][i] - 128) * b[t][i][c]      then requantisation (epilogue)
 *
 * sdot multiplies s8 by s8 only, so the rows are shifted: a eor 0x80 is a - 128 as s8 (a_shift = 128; acc_bias makes up for it).
 *
 *   a, 16 of k of row r     | a0..a3 | a4..a7 | a8..a11 | a12..a15 |     four groups: one load serves four steps, one lane each
 *   b, one vector           | b0..b3 of column 0 | of column 1 | of column 2 | of column 3 |
 *   sdot by lane            acc lane c += a0 b0c + a1 b1c + a2 b2c + a3 b3c          4 columns x 4 of k per instruction
 *
 * Panel, kr = 4, nr = 16:  | group 0: [16 columns][4] | group 1: ..        64 bytes per group, zeros beyond k
 *
 * Ranges: products of [-128, 127] and [-127, 127] are added in s32 at once; modulo 2^32, ending in range (oct_gemm_provable).
 * Registers (32): 20 accumulators, 5 of a, 4 of b, 0x80. Four groups: 80 sdot for 5 loads, 8 load pairs and 5 eor: 80 of the 103
 * instructions of the inner loop (8 x 8: 64 of 90). 12.4 products per instruction, against 3.2 of gemm_f32_neon.c.
 */
#include "../neon/epilogue_neon.h"
#include "neondot.h"

enum { MAX_ROWS = 8, MAX_VECTORS = 8, GROUP = 4, LOAD = 16 };

OCT_INLINE int8x16_t shifted(const uint8_t *a) { return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(a), vdupq_n_u8(0x80))); }

/* acc += group `lane` of a (a literal) times one group of the panel. */
#define STEP(lane)                                                              \
    {                                                                           \
        int8x16_t bv[MAX_VECTORS];                                              \
        OCT_UNROLLED                                                            \
        for (size_t v = 0; v < vectors; v++)                                    \
            bv[v] = vld1q_s8(b + (lane) * nr * GROUP + LOAD * v);               \
        OCT_UNROLLED                                                            \
        for (size_t r = 0; r < mr; r++)                                         \
            OCT_UNROLLED                                                        \
            for (size_t v = 0; v < vectors; v++)                                \
                acc[r][v] = vdotq_laneq_s32(acc[r][v], bv[v], a[r], lane);      \
    }

/* acc += `groups` (1..4) groups of four. */
OCT_INLINE void steps(int32x4_t acc[][MAX_VECTORS], const int8x16_t a[], const int8_t *b, size_t groups, size_t mr, size_t vectors)
{
    const size_t nr = 4 * vectors;
    STEP(0)
    if (groups > 1) {
        STEP(1)
    }
    if (groups > 2) {
        STEP(2)
    }
    if (groups > 3) {
        STEP(3)
    }
}

OCT_INLINE void tile_s8(const oct_tile *tile, int32_t *sums, size_t mr, size_t vectors)
{
    int32x4_t acc[MAX_ROWS][MAX_VECTORS];
    const size_t group_bytes = 4 * vectors * GROUP;
    const int8_t *b = tile->b;
    /* start at the bias */
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < vectors; v++)
            acc[r][v] = vld1q_s32(tile->e.acc_bias + 4 * v);
    /* sum over taps and k */
    for (size_t tap = 0; tap < tile->taps; tap++) {
        const uint8_t *a[MAX_ROWS];
        int8x16_t av[MAX_ROWS];
        for (size_t r = 0; r < mr; r++)
            a[r] = (const uint8_t *)tile->a[r * tile->a_stride + tap] + tile->a_offset;
        size_t i = 0;
        for (; i + LOAD <= tile->k; i += LOAD, b += 4 * group_bytes) {
            OCT_UNROLLED
            for (size_t r = 0; r < mr; r++)
                av[r] = shifted(a[r] + i);
            steps(acc, av, b, 4, mr, vectors);
        }
        /* the last 1..15 elements; what lies beyond meets zero weights */
        if (i < tile->k) {
            const size_t rest = tile->k - i, groups = (rest + GROUP - 1) / GROUP;
            OCT_UNROLLED
            for (size_t r = 0; r < mr; r++) {
                uint8_t part[LOAD] = {0};
                memcpy(part, a[r] + i, rest);
                av[r] = shifted(part);
            }
            steps(acc, av, b, groups, mr, vectors);
            b += groups * group_bytes;
        }
    }
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < vectors; v++)
            vst1q_s32(sums + 4 * (r * vectors + v), acc[r][v]);
}

/* 5 x 16 */
void oct_gemm_u8s8_neondot(const oct_tile *tile)
{
    int32_t sums[5 * 16];
    switch (tile->m) {
    case 1: tile_s8(tile, sums, 1, 4); break;
    case 2: tile_s8(tile, sums, 2, 4); break;
    case 3: tile_s8(tile, sums, 3, 4); break;
    case 4: tile_s8(tile, sums, 4, 4); break;
    default: tile_s8(tile, sums, 5, 4); break;
    }
    /* epilogue */
    finish_tile_s32(tile, sums, 16);
}

/* 8 x 8 */
void oct_gemm_u8s8_narrow_neondot(const oct_tile *tile)
{
    int32_t sums[8 * 8];
    switch (tile->m) {
    case 1: tile_s8(tile, sums, 1, 2); break;
    case 2: tile_s8(tile, sums, 2, 2); break;
    case 3: tile_s8(tile, sums, 3, 2); break;
    case 4: tile_s8(tile, sums, 4, 2); break;
    case 5: tile_s8(tile, sums, 5, 2); break;
    case 6: tile_s8(tile, sums, 6, 2); break;
    case 7: tile_s8(tile, sums, 7, 2); break;
    default: tile_s8(tile, sums, 8, 2); break;
    }
    /* epilogue */
    finish_tile_s32(tile, sums, 8);
}

void oct_gemv_u8s8_neondot(const oct_tile *tile)
{
    int32_t sums[32];
    tile_s8(tile, sums, 1, 8);
    finish_tile_s32(tile, sums, 32);
}

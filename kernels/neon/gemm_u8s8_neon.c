/* gemm_u8s8_neon.c - exact integer matrix product / convolution on ARMv8.0 without dot products: up to 4 rows x 4 columns.
 *
 *   acc[r][c] = acc_bias[c] + sum over taps t, i < k of (a[r][t][i] - 128) * b[t][i][c]      then requantisation (epilogue)
 *
 * The idea of QNNPACK's and XNNPACK's "mull, padal" kernels: multiply bytes, not halves, and add pairs of products in 16 bits.
 *
 *   a, 16 neighbours of k of row r      | a0 .. a7 | a8 .. a15 |  eor 0x80: u8 -> s8, the value minus 128 (a_shift = 128)
 *   b, the same 16 of column c          | b0 .. b7 | b8 .. b15 |  one 16-byte load
 *   smull                               p_j = a_j * b_j                          8 products, s16
 *   smlal2                              p_j += a_(8+j) * b_(8+j)                 8 more on top
 *   sadalp                              acc lane j += p_2j + p_2j+1              4 partial sums, s32
 *
 * 16 products in three instructions, against 12 by smlal on halves. The four lanes are added up at the end.
 *
 * Ranges: a - 128 in [-128, 127], b in [-127, 127]: a product is at most 128 * 127 = 16,256 in size, two of them 32,512 < 32,768,
 * so s16 never overflows. The s32 sums are modulo 2^32 and end in range (oct_gemm_provable).
 *
 * Panel, kr = 16:  | group 0: b[0..15][0] b[0..15][1] b[0..15][2] b[0..15][3] | group 1: ..        64 bytes per group, zeros
 * beyond k
 *
 * Registers (32): 16 accumulators, 4 of a, 4 of b, 4 products, 0x80. Per group 48 multiply-adds, 6 loads, 4 eor: 48 of the 63
 * instructions of the inner loop, 4.1 products of k per instruction, against 3.2 of gemm_f32_neon.c.
 */
#include "epilogue_neon.h"
#include "neon.h"

enum { ROWS = 4, COLUMNS = 4, GROUP = 16 };

/* acc += one group of 16 of the rows times one group of the panel. The columns go abreast: four products under way at a time. */
OCT_INLINE void step(int32x4_t acc[][COLUMNS], const int8x16_t a[], const int8_t *b, size_t mr)
{
    int8x16_t bv[COLUMNS];
    OCT_UNROLLED
    for (size_t c = 0; c < COLUMNS; c++)
        bv[c] = vld1q_s8(b + GROUP * c);
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++) {
        int16x8_t product[COLUMNS];
        OCT_UNROLLED
        for (size_t c = 0; c < COLUMNS; c++)
            product[c] = vmull_s8(vget_low_s8(a[r]), vget_low_s8(bv[c]));
        OCT_UNROLLED
        for (size_t c = 0; c < COLUMNS; c++)
            product[c] = vmlal_high_s8(product[c], a[r], bv[c]);
        OCT_UNROLLED
        for (size_t c = 0; c < COLUMNS; c++)
            acc[r][c] = vpadalq_s16(acc[r][c], product[c]);
    }
}

OCT_INLINE int8x16_t shifted(const uint8_t *a) { return vreinterpretq_s8_u8(veorq_u8(vld1q_u8(a), vdupq_n_u8(0x80))); }

/* The last `rest` (1..15) elements of a row; what lies beyond meets zero weights. */
OCT_INLINE int8x16_t shifted_rest(const uint8_t *a, size_t rest)
{
    uint8_t part[GROUP] = {0};
    memcpy(part, a, rest);
    return shifted(part);
}

OCT_INLINE void tile_s8(const oct_tile *tile, int32_t *totals, size_t mr)
{
    int32x4_t acc[ROWS][COLUMNS];
    const int8_t *b = tile->b;
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++)
        OCT_UNROLLED
        for (size_t c = 0; c < COLUMNS; c++)
            acc[r][c] = vdupq_n_s32(0);
    /* sum over taps and k */
    for (size_t tap = 0; tap < tile->taps; tap++) {
        const uint8_t *a[ROWS];
        int8x16_t av[ROWS];
        for (size_t r = 0; r < mr; r++)
            a[r] = (const uint8_t *)tile->a[r * tile->a_stride + tap] + tile->a_offset;
        size_t i = 0;
        for (; i + GROUP <= tile->k; i += GROUP, b += GROUP * COLUMNS) {
            OCT_UNROLLED
            for (size_t r = 0; r < mr; r++)
                av[r] = shifted(a[r] + i);
            step(acc, av, b, mr);
        }
        if (i < tile->k) {
            OCT_UNROLLED
            for (size_t r = 0; r < mr; r++)
                av[r] = shifted_rest(a[r] + i, tile->k - i);
            step(acc, av, b, mr);
            b += GROUP * COLUMNS;
        }
    }
    /* add the four lanes of each column, add the bias */
    OCT_UNROLLED
    for (size_t r = 0; r < mr; r++) {
        const int32x4_t sums = vpaddq_s32(vpaddq_s32(acc[r][0], acc[r][1]), vpaddq_s32(acc[r][2], acc[r][3]));
        vst1q_s32(totals + COLUMNS * r, vaddq_s32(sums, vld1q_s32(tile->e.acc_bias)));
    }
}

void oct_gemm_u8s8_neon(const oct_tile *tile)
{
    int32_t totals[ROWS * COLUMNS];
    switch (tile->m) {
    case 1: tile_s8(tile, totals, 1); break;
    case 2: tile_s8(tile, totals, 2); break;
    case 3: tile_s8(tile, totals, 3); break;
    default: tile_s8(tile, totals, 4); break;
    }
    /* epilogue */
    finish_tile_s32(tile, totals, COLUMNS);
}

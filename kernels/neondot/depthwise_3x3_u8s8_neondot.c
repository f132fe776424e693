/* depthwise_3x3_u8s8_neondot.c - exact u8 x s8 depthwise convolution with ARMv8.2 dot products, 3x3, strides 1 and 2;
 * depthwise_walk_neon.h has the walk.
 *
 * sdot sums four products of one 32-bit lane: four rows of one column, interleaved 4 deep.
 *
 *     rows of one column, 8 bytes each       quads, 4 channels per vector             weights
 *     | r0: c0 c1 .. c7 |                    | c0: r0 r1 r2 r3 | c1: .. | .. |        output row 0:  | w0 w1 w2  0 | ..
 *     | r1              |    zip, zip  -->   | c4: r0 r1 r2 r3 | c5: .. | .. |        output row 1:  |  0 w0 w1 w2 | ..
 *     | r2              |
 *     | r3              |                    12 sdot for the 16 outputs of both rows, 8 channels
 *
 * At stride 2 there is one output row, and 16 channels: quads | r0 r1 r2 r2 |, weights | w0 w1 w2 0 |.
 *
 * Ranges: products of [-128, 127] and [-127, 127] are added in s32 at once; modulo 2^32, ending in range (oct_gemm_provable).
 * Registers (32), stride 1: 6 quads, 12 of weights, 4 sums, 4 of interleaving, bias 2, mult 2. Per 16 outputs: 12 sdot, 4 copies
 * of the bias, 11 to read and interleave, 24 to requantise and store.
 */
#include "../neon/depthwise_sweep_neon.h"
#include "../neon/epilogue_neon.h"
#include "neondot.h"

/* quad[half][v]: channels 4v .. 4v+3 of the half; at stride 1 the halves share quad[0]. */
typedef struct column {
    int8x16_t quad[2][2];
} column;

typedef struct weights {
    int8x16_t quad[2][3][2];
} weights;

/* acc_bias has the 128 of all taps in it. */
typedef struct packed_block {
    int32_t acc_bias[2][8];
    float mult[2][8], bias[2][8];
    int8_t quad[2][3][2][16];
} packed_block;

OCT_INLINE uint8x16_t load_low(const uint8_t *p) { return vcombine_u8(vld1_u8(p), vdup_n_u8(0)); }

/* 8 channels: pairs of rows 0, 1 and of rows 2, 3 -> quads, minus 128. */
OCT_INLINE void quads(uint8x16_t r01, uint8x16_t r23, int8x16_t to[2])
{
    const uint8x16_t low = vreinterpretq_u8_u16(vzip1q_u16(vreinterpretq_u16_u8(r01), vreinterpretq_u16_u8(r23)));
    const uint8x16_t high = vreinterpretq_u8_u16(vzip2q_u16(vreinterpretq_u16_u8(r01), vreinterpretq_u16_u8(r23)));
    to[0] = vreinterpretq_s8_u8(veorq_u8(low, vdupq_n_u8(0x80)));
    to[1] = vreinterpretq_s8_u8(veorq_u8(high, vdupq_n_u8(0x80)));
}

OCT_INLINE void load_column(const uint8_t *const rows[4], size_t stride, column *to)
{
    if (stride == 1) {
        quads(vzip1q_u8(load_low(rows[0]), load_low(rows[1])), vzip1q_u8(load_low(rows[2]), load_low(rows[3])), to->quad[0]);
    } else {
        const uint8x16_t r0 = vld1q_u8(rows[0]), r1 = vld1q_u8(rows[1]), r2 = vld1q_u8(rows[2]);
        quads(vzip1q_u8(r0, r1), vzip1q_u8(r2, r2), to->quad[0]);
        quads(vzip2q_u8(r0, r1), vzip2q_u8(r2, r2), to->quad[1]);
    }
}

OCT_INLINE void load_weights(const packed_block *p, weights *w)
{
    OCT_UNROLLED
    for (size_t half = 0; half < 2; half++)
        OCT_UNROLLED
        for (size_t kx = 0; kx < 3; kx++)
            OCT_UNROLLED
            for (size_t v = 0; v < 2; v++)
                w->quad[half][kx][v] = vld1q_s8(p->quad[half][kx][v]);
}

/* acc_bias and the taps of columns a, b, c. The halves' acc_bias are loaded one by one, though the same at stride 1: sdot
 * overwrites them. */
OCT_INLINE void sum_products(const column *a, const column *b, const column *c, weights *w, const packed_block *packed,
                             size_t stride, int32x4_t acc[4])
{
    const column *const columns[3] = {a, b, c};
    OCT_UNROLLED
    for (size_t j = 0; j < 4; j++) {
        acc[j] = vld1q_s32(packed->acc_bias[j / 2] + j % 2 * 4);
        OCT_UNROLLED
        for (size_t kx = 0; kx < 3; kx++)
            acc[j] = vdotq_s32(acc[j], columns[kx]->quad[stride == 1 ? 0 : j / 2][j % 2], w->quad[j / 2][kx][j % 2]);
    }
}

/* Channel i of a half; w: its nine taps. second_row: the half is output row 1, which the four input rows hold one row lower. */
static void pack_weights(const int8_t *w, size_t half, size_t i, bool second_row, packed_block *to)
{
    for (size_t kx = 0; kx < 3; kx++)
        for (size_t ky = 0; ky < 3; ky++)
            to->quad[half][kx][i / 4][i % 4 * 4 + ky + (second_row ? 1 : 0)] = w[ky * 3 + kx];
}

#include "../neon/depthwise_walk_neon.h"

const oct_depthwise_entry oct_depthwise_3x3_u8s8_neondot[2] = {
    {accepts_3x3s1, packed_bytes, pack, scratch_bytes, run, "neondot 3x3s1"},
    {accepts_3x3s2, packed_bytes, pack, scratch_bytes, run, "neondot 3x3s2"},
};

/* depthwise_3x3_u8s8_neon.c - exact u8 x s8 depthwise convolution on ARMv8.0, 3x3, strides 1 and 2; depthwise_walk_neon.h has the
 * walk.
 *
 * smull, smlal on bytes make 8 products of 16 bits per instruction, twice those of smlal on halves, but 16 bits hold the sum of
 * only two products, and widening costs. sadalp widens and adds two neighbouring lanes at once, so taps are interleaved in pairs.
 * Of the nine taps of an output eight lie in pairs and one alone (rows as at stride 1):
 *
 *      column      k       k+1     k+2                     p[k] = r1 r2 of column k, interleaved:  | c0: r1 r2 | c1: r1 r2 | ..
 *   out    r0      h       h       x                       h    = r0 of columns k, k+1:            | c0: k k+1 | c1: ..    | ..
 *   row 0  r1      p0      p1      p2                      x    = r0 of column k+2, alone
 *          r2      p0      p1      p2
 *
 *      smull p0, smlal p1, sadalp          smull p2, smlal h, sadalp        smull x, saddw (to acc_bias, so that nothing is copied)
 *
 * These are 15 instructions for 8 outputs, against 18 smlal and 2 copies on halves. Output row 1 has the same p, with other
 * weights, and r3 in place of r0; at stride 2 the second half are other channels, and its p are their own:
 *
 *              p weights, row 0 or stride 2: w1k w2k      row 1: w0k w1k    h and x: row 0 of the kernel, or row 2 for output row 1
 *
 * Ranges: in - 128 in [-128, 127], w in [-127, 127]: two products are at most 2 * 128 * 127 = 32,512 < 32,768 in size. The s32
 * sums are modulo 2^32 and end in range (oct_gemm_provable).
 *
 * Registers (32): p of 3 columns 3 (stride 2: 6), x 3, weights 9, h 2, 4 sums, 2 products; the parameters are read anew where
 * they do not fit. Per 16 outputs of stride 1: 30 for the products, 10 to read and interleave, 24 to requantise and store.
 */
#include "depthwise_sweep_neon.h"
#include "epilogue_neon.h"
#include "neon.h"

/* p[half]: interleaved rows; at stride 1 there is only p[0]. x: the 16 bytes of the lone row: r0 r3, or r0 of 16 channels. */
typedef struct column {
    int8x16_t p[2], x;
} column;

/* start: acc_bias at stride 1, where the halves share it. */
typedef struct weights {
    int8x16_t p[2][3], h[2], x;
    int32x4_t start[2];
} weights;

/* acc_bias has the 128 of all taps in it. */
typedef struct packed_block {
    int32_t acc_bias[2][8];
    float mult[2][8], bias[2][8];
    int8_t p[2][3][16], h[2][16], x[16];
} packed_block;

OCT_INLINE int8x16_t shifted(uint8x16_t q) { return vreinterpretq_s8_u8(veorq_u8(q, vdupq_n_u8(0x80))); }
OCT_INLINE uint8x16_t load_low(const uint8_t *p) { return vcombine_u8(vld1_u8(p), vdup_n_u8(0)); }

OCT_INLINE void load_column(const uint8_t *const rows[4], size_t stride, column *to)
{
    if (stride == 1) {
        to->p[0] = shifted(vzip1q_u8(load_low(rows[1]), load_low(rows[2])));
        to->x = shifted(vcombine_u8(vld1_u8(rows[0]), vld1_u8(rows[3])));
    } else {
        const uint8x16_t r1 = vld1q_u8(rows[1]), r2 = vld1q_u8(rows[2]);
        to->p[0] = shifted(vzip1q_u8(r1, r2));
        to->p[1] = shifted(vzip2q_u8(r1, r2));
        to->x = shifted(vld1q_u8(rows[0]));
    }
}

OCT_INLINE void load_weights(const packed_block *p, weights *w)
{
    OCT_UNROLLED
    for (size_t half = 0; half < 2; half++) {
        OCT_UNROLLED
        for (size_t kx = 0; kx < 3; kx++)
            w->p[half][kx] = vld1q_s8(p->p[half][kx]);
        w->h[half] = vld1q_s8(p->h[half]);
    }
    w->x = vld1q_s8(p->x);
    w->start[0] = vld1q_s32(p->acc_bias[0]);
    w->start[1] = vld1q_s32(p->acc_bias[0] + 4);
}

/* a * u + b * v of the low or high 8 lanes */
OCT_INLINE int16x8_t two_low(int8x16_t a, int8x16_t u, int8x16_t b, int8x16_t v)
{
    return vmlal_s8(vmull_s8(vget_low_s8(a), vget_low_s8(u)), vget_low_s8(b), vget_low_s8(v));
}
OCT_INLINE int16x8_t two_high(int8x16_t a, int8x16_t u, int8x16_t b, int8x16_t v)
{
    return vmlal_high_s8(vmull_high_s8(a, u), b, v);
}

/* Says nothing is known of the weights: else gcc sees their low halves as numbers of their own and keeps them in registers,
 * twice. */
OCT_INLINE void keep(weights *w)
{
    __asm__("" : "+w"(w->p[0][0]), "+w"(w->p[0][1]), "+w"(w->p[0][2]), "+w"(w->h[0]), "+w"(w->x));
    __asm__("" : "+w"(w->p[1][0]), "+w"(w->p[1][1]), "+w"(w->p[1][2]), "+w"(w->h[1]));
}

/* acc_bias and the taps of columns a, b, c. */
OCT_INLINE void sum_products(const column *a, const column *b, const column *c, weights *w, const packed_block *packed,
                             size_t stride, int32x4_t acc[4])
{
    keep(w);
    const int16x8_t alone[2] = {vmull_s8(vget_low_s8(c->x), vget_low_s8(w->x)), vmull_high_s8(c->x, w->x)};
    const int8x16_t h[2] = {vzip1q_s8(a->x, b->x), vzip2q_s8(a->x, b->x)};
    OCT_UNROLLED
    for (size_t half = 0; half < 2; half++) {
        const size_t p = stride == 1 ? 0 : half;
        const int32x4_t start_low = stride == 1 ? w->start[0] : vld1q_s32(packed->acc_bias[half]);
        const int32x4_t start_high = stride == 1 ? w->start[1] : vld1q_s32(packed->acc_bias[half] + 4);
        int32x4_t low = vaddw_s16(start_low, vget_low_s16(alone[half])), high = vaddw_high_s16(start_high, alone[half]);
        low = vpadalq_s16(low, two_low(a->p[p], w->p[half][0], b->p[p], w->p[half][1]));
        high = vpadalq_s16(high, two_high(a->p[p], w->p[half][0], b->p[p], w->p[half][1]));
        acc[2 * half] = vpadalq_s16(low, two_low(c->p[p], w->p[half][2], h[half], w->h[half]));
        acc[2 * half + 1] = vpadalq_s16(high, two_high(c->p[p], w->p[half][2], h[half], w->h[half]));
    }
}

/* Channel i of a half; w: its nine taps. second_row: the half is output row 1, which the four input rows hold one row lower. */
static void pack_weights(const int8_t *w, size_t half, size_t i, bool second_row, packed_block *to)
{
    const size_t pair = second_row ? 0 : 3, lone = second_row ? 6 : 0;
    for (size_t kx = 0; kx < 3; kx++) {
        to->p[half][kx][2 * i] = w[pair + kx];
        to->p[half][kx][2 * i + 1] = w[pair + 3 + kx];
    }
    to->h[half][2 * i] = w[lone];
    to->h[half][2 * i + 1] = w[lone + 1];
    to->x[8 * half + i] = w[lone + 2];
}

#include "depthwise_walk_neon.h"

const oct_depthwise_entry oct_depthwise_3x3_u8s8_neon[2] = {
    {accepts_3x3s1, packed_bytes, pack, scratch_bytes, run, "neon 3x3s1"},
    {accepts_3x3s2, packed_bytes, pack, scratch_bytes, run, "neon 3x3s2"},
};

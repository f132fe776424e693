/* epilogue_neon.h - from accumulators to stored outputs; the last step of every NEON GEMM.
 *
 * A micro-kernel leaves its tile, registers after the K loop, in a small array on the stack (sums[r][c], nr columns per row);
 * finish_tile_* then walks it four columns at a time. The detour through L1 is one store and one load per four sums, after k
 * multiply-adds for each; in return the epilogue's four forms exist once instead of once per register.
 *
 * Columns c .. c+3 of row r, the first `n` of which exist (1..4). Rows and columns that do not exist are neither read nor
 * written: a partial group goes through a small array on the stack.
 *
 * Integer ranges: |acc * mult| < 2^31 by oct_gemm_provable, so vcvtnq (which saturates) never has to; the rounded value then is
 * clamped to int16 and back to u8 by saturating narrowing, which equals clamp(x + zero, 0, 255), since |x| >= 32768 lies far
 * outside either way. */
#ifndef OCT_EPILOGUE_NEON_H
#define OCT_EPILOGUE_NEON_H

#include <arm_neon.h>
#include <string.h>

#include "kernels.h"
#include "unroll.h"

/* max(x, lo) = x > lo ? x : lo, so a NaN becomes lo; then min. */
OCT_INLINE float32x4_t clamp_f32x4(float32x4_t x, float lo, float hi)
{
    const float32x4_t l = vdupq_n_f32(lo), h = vdupq_n_f32(hi);
    x = vbslq_f32(vcgtq_f32(x, l), x, l);
    return vbslq_f32(vcltq_f32(x, h), x, h);
}

OCT_INLINE float32x4_t load_f32x4(const float *p, size_t n)
{
    if (n == 4)
        return vld1q_f32(p);
    float part[4] = {0};
    memcpy(part, p, n * sizeof *p);
    return vld1q_f32(part);
}

OCT_INLINE void store_f32x4(float *p, float32x4_t x, size_t n)
{
    if (n == 4) {
        vst1q_f32(p, x);
        return;
    }
    float part[4];
    vst1q_f32(part, x);
    memcpy(p, part, n * sizeof *p);
}

/* Four u8 as s32. */
OCT_INLINE int32x4_t load_u8x4(const uint8_t *p, size_t n)
{
    uint8_t part[8] = {0};
    memcpy(part, p, n);
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vld1_u8(part)))));
}

/* clamp(rne(x) + zero, qlo, qhi) */
OCT_INLINE void store_u8x4(const oct_epilogue *e, uint8_t *p, float32x4_t x, size_t n)
{
    const int16x4_t rounded = vqmovn_s32(vcvtnq_s32_f32(x));
    const int16x4_t moved = vqadd_s16(rounded, vdup_n_s16((int16_t)e->out_zero));
    uint8x8_t q = vqmovun_s16(vcombine_s16(moved, moved));
    q = vmin_u8(vmax_u8(q, vdup_n_u8(e->qlo)), vdup_n_u8(e->qhi));
    uint8_t part[8];
    vst1_u8(part, q);
    memcpy(p, part, n);
}

/* f32 kernel: acc already contains the bias. */
OCT_INLINE void finish_f32x4(const oct_epilogue *e, size_t r, size_t c, size_t n, float32x4_t acc)
{
    if (e->residual && e->out_elem == OCT_ELEM_F32)
        acc = vaddq_f32(acc, load_f32x4((const float *)e->residual + r * e->residual_ld + c, n));
    else if (e->residual) {
        const int32x4_t q =
            vsubq_s32(load_u8x4((const uint8_t *)e->residual + r * e->residual_ld + c, n), vdupq_n_s32(e->residual_zero));
        acc = vaddq_f32(acc, vmulq_f32(vcvtq_f32_s32(q), vdupq_n_f32(e->residual_mult)));
    }
    acc = clamp_f32x4(acc, e->lo, e->hi);
    if (e->out_elem == OCT_ELEM_F32)
        store_f32x4((float *)e->out + r * e->out_ld + c, acc, n);
    else
        store_u8x4(e, (uint8_t *)e->out + r * e->out_ld + c, vmulq_f32(acc, vdupq_n_f32(e->out_mult)), n);
}

/* u8s8 kernel: acc already contains acc_bias. Products and sums are rounded one by one, as in scalar. */
OCT_INLINE void finish_s32x4(const oct_epilogue *e, size_t r, size_t c, size_t n, int32x4_t acc)
{
    float32x4_t x = vmulq_f32(vcvtq_f32_s32(acc), vld1q_f32(e->mult + c));
    if (e->out_elem == OCT_ELEM_F32) {
        x = vaddq_f32(x, vld1q_f32(e->bias + c));
        if (e->residual)
            x = vaddq_f32(x, load_f32x4((const float *)e->residual + r * e->residual_ld + c, n));
        store_f32x4((float *)e->out + r * e->out_ld + c, clamp_f32x4(x, e->lo, e->hi), n);
        return;
    }
    if (e->residual) {
        const int32x4_t q =
            vsubq_s32(load_u8x4((const uint8_t *)e->residual + r * e->residual_ld + c, n), vdupq_n_s32(e->residual_zero));
        x = vaddq_f32(x, vmulq_f32(vcvtq_f32_s32(q), vdupq_n_f32(e->residual_mult)));
    }
    store_u8x4(e, (uint8_t *)e->out + r * e->out_ld + c, x, n);
}

static inline size_t at_most_4(size_t n) { return n < 4 ? n : 4; }

static inline void finish_tile_f32(const oct_tile *tile, const float *sums, size_t nr)
{
    for (size_t r = 0; r < tile->m; r++)
        for (size_t c = 0; c < tile->n; c += 4)
            finish_f32x4(&tile->e, r, c, at_most_4(tile->n - c), vld1q_f32(sums + r * nr + c));
}

static inline void finish_tile_s32(const oct_tile *tile, const int32_t *sums, size_t nr)
{
    for (size_t r = 0; r < tile->m; r++)
        for (size_t c = 0; c < tile->n; c += 4)
            finish_s32x4(&tile->e, r, c, at_most_4(tile->n - c), vld1q_s32(sums + r * nr + c));
}

#endif

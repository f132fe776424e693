/* binary_avx2.c - two operands, element by element, f32 and u8.
 *
 * binary_walk.c turns every kind of broadcasting into stretches of two vectors; the end of a stretch, shorter than a register, is
 * computed in a copy. Powers go to the scalar kernel.
 *
 * u8 add with multipliers on the grid of add_grid.h: with X = A (a - a_zero) + B (b - b_zero), the result is rne(X / 2^shift) +
 * out_zero. vpmaddwd wants a and b side by side in words; lane by lane of 128 bits:
 *
 *   a, b           u8     | a0 a1 .. a15 |   | b0 b1 .. b15 |
 *   unpacklo       words  | a0a1 b0b1 a2a3 b2b3 a4a5 b4b5 a6a7 b6b7 |                        (unpackhi: 8..15)
 *   & 00ff         words  | a0   b0   a2   b2   a4   b4   a6   b6   |      >> 8:  | a1 b1 a3 b3 a5 b5 a7 b7 |
 *   madd [A B]     s32    | X0        X2        X4        X6        |             | X1    X3    X5    X7    |
 *   + base         the bits of the float 1.5 * 2^23 + X, zero points included
 *   fma            the float 1.5 * 2^23 + X / 2^shift, rounded once, to a whole number, ties to even; low word = rne(X / 2^shift)
 *   blend          words  | q0   q1   q2   q3   q4   q5   q6   q7   |      the odd ones' low words over the even ones' high words
 *   + out_zero, packus of the two halves: bytes 0..15 of the lane, in order
 *
 * Ranges: |X| <= 255 (|A| + |B|) < 2^22 (add_grid.h), so 1.5 * 2^23 + X lies in [2^23, 2^24), where a float's unit is 1. The
 * fma's addend 1.5 * (2^23 - 2^(23 - shift)) is a whole number below 2^24: exact. |X / 2^shift| < 2^14 as shift >= 8: the word
 * neither wraps nor does adding out_zero.
 *
 * Other sums, and mul: 32 bytes of each side become 4 float vectors (centre_u8), are scaled, rounded and packed again. The
 * product of centred bytes is exact in float: |x * y| <= 255 * 255 < 2^24, so float(x) * float(y) == float(x * y).
 *
 * Bound: memory (f32); vector instructions per 32 bytes: 27 on the grid, about 40 elsewhere (u8).
 */
#include "add_grid.h"
#include "avx2.h"
#include "binary_walk.h"
#include "vector_avx2.h"

/* ------------------------------------------------------------------------------------------------ f32 ---- */

/* min and max with a NaN: the second operand wins, as in the specification. */
OCT_INLINE __m256 apply(oct_binary_kind kind, __m256 a, __m256 b)
{
    switch (kind) {
    case OCT_KIND_ADD: return _mm256_add_ps(a, b);
    case OCT_KIND_MUL: return _mm256_mul_ps(a, b);
    case OCT_KIND_SUB: return _mm256_sub_ps(a, b);
    case OCT_KIND_DIV: return _mm256_div_ps(a, b);
    case OCT_KIND_MIN: return _mm256_min_ps(a, b);
    default: return _mm256_max_ps(a, b);
    }
}

/* A stretch; the kind is constant. */
OCT_INLINE void stretch_f32(const oct_binary_job *job, const oct_binary_kind kind, size_t n, const float *a, const float *b,
                            float *out)
{
    const __m256 lo = _mm256_set1_ps(job->lo), hi = _mm256_set1_ps(job->hi);
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm256_storeu_ps(out + i, clamp_ps(apply(kind, _mm256_loadu_ps(a + i), _mm256_loadu_ps(b + i)), lo, hi));
    if (i < n) {
        float x[8] = {0}, y[8] = {0};
        memcpy(x, a + i, (n - i) * sizeof(float));
        memcpy(y, b + i, (n - i) * sizeof(float));
        _mm256_storeu_ps(x, clamp_ps(apply(kind, _mm256_loadu_ps(x), _mm256_loadu_ps(y)), lo, hi));
        memcpy(out + i, x, (n - i) * sizeof(float));
    }
}

#include "binary_f32_body.h"

void oct_binary_f32_avx2(const oct_binary_job *job) { binary_f32(job); }

/* ------------------------------------------------------------------------------------------------- u8 ---- */

/* What becomes of two bytes. */
typedef enum formula { ADD_ON_GRID, ADD, MULTIPLY } formula;

/* What the loop over a stretch needs. */
typedef struct scaling {
    __m256i pair, base;         /* on the grid: [A B] in words; see the head of this file */
    __m256 step, magic;         /* on the grid: 2^-shift, the fma's addend */
    __m256 a_offset, b_offset, a_mult, b_mult;
    u8_range range;
} scaling;

static void set_grid(const oct_binary_job *job, const oct_add_grid *grid, scaling *s)
{
    const int32_t offset = grid->a * job->a_zero + grid->b * job->b_zero;
    const float step = 1.0f / (float)(1 << grid->shift), three_halves = 12582912.0f;           /* 1.5 * 2^23, bits 4b400000 */
    s->pair = _mm256_set1_epi32((int32_t)((uint32_t)grid->b << 16 | ((uint32_t)grid->a & 0xffff)));
    s->base = _mm256_set1_epi32(0x4b400000 - offset);
    s->step = _mm256_set1_ps(step);
    s->magic = _mm256_set1_ps(three_halves - three_halves * step);
}

/* 8 elements as words a, b side by side -> rne(X / 2^shift) in the low words. */
OCT_INLINE __m256i on_grid_8(const scaling *s, __m256i ab)
{
    const __m256i x = _mm256_add_epi32(_mm256_madd_epi16(ab, s->pair), s->base);
    return _mm256_castps_si256(_mm256_fmadd_ps(_mm256_castsi256_ps(x), s->step, s->magic));
}

/* Half of each lane: 8 results as words, in order, with the output's zero point. */
OCT_INLINE __m256i on_grid_16(const scaling *s, __m256i ab)
{
    const __m256i even = on_grid_8(s, _mm256_and_si256(ab, _mm256_set1_epi16(0xff)));
    const __m256i odd = on_grid_8(s, _mm256_srli_epi16(ab, 8));
    return _mm256_add_epi16(_mm256_blend_epi16(even, _mm256_slli_epi32(odd, 16), 0xaa), s->range.zero);
}

/* 32 columns. Off the grid: centre, scale, round; each product and the sum are rounded one by one, as the specification does. */
OCT_INLINE __m256i combine(const scaling *s, const formula f, __m256i a, __m256i b)
{
    if (f == ADD_ON_GRID) {
        const __m256i low = on_grid_16(s, _mm256_unpacklo_epi16(a, b)), high = on_grid_16(s, _mm256_unpackhi_epi16(a, b));
        return _mm256_min_epu8(_mm256_max_epu8(_mm256_packus_epi16(low, high), s->range.lo), s->range.hi);
    }
    __m256 x[4], y[4];
    /* exact: |x|, |y| <= 255 */
    centre_u8(a, s->a_offset, x);
    centre_u8(b, s->b_offset, y);
    OCT_UNROLLED
    for (size_t v = 0; v < 4; v++)
        x[v] = f == MULTIPLY ? _mm256_mul_ps(_mm256_mul_ps(x[v], y[v]), s->a_mult)
                             : _mm256_add_ps(_mm256_mul_ps(x[v], s->a_mult), _mm256_mul_ps(y[v], s->b_mult));
    return round_u8(x[0], x[1], x[2], x[3], &s->range);
}

/* A stretch; the formula is constant. out may be a or b: each is read before its place is written. */
OCT_INLINE void stretch_u8(const scaling *settings, const formula f, size_t n, const uint8_t *a, const uint8_t *b, uint8_t *out)
{
    const scaling s = *settings;        /* a copy whose address nobody has: it stays in registers */
    size_t i = 0;
    for (; i + 32 <= n; i += 32)
        store_256(out + i, combine(&s, f, load_256(a + i), load_256(b + i)));
    if (i < n) {
        uint8_t x[32] = {0}, y[32] = {0};
        memcpy(x, a + i, n - i);
        memcpy(y, b + i, n - i);
        store_256(x, combine(&s, f, load_256(x), load_256(y)));
        memcpy(out + i, x, n - i);
    }
}

static void add_on_grid(const void *s, size_t n, const void *a, const void *b, void *out)
{
    stretch_u8(s, ADD_ON_GRID, n, a, b, out);
}
static void add(const void *s, size_t n, const void *a, const void *b, void *out) { stretch_u8(s, ADD, n, a, b, out); }
static void multiply(const void *s, size_t n, const void *a, const void *b, void *out) { stretch_u8(s, MULTIPLY, n, a, b, out); }

void oct_binary_u8_avx2(const oct_binary_job *job)
{
    oct_add_grid grid;
    scaling s = {.a_offset = centre_offset(job->a_zero), .b_offset = centre_offset(job->b_zero),
                 .a_mult = _mm256_set1_ps(job->a_mult), .b_mult = _mm256_set1_ps(job->b_mult),
                 .range = u8_range_of(job->out_zero, job->qlo, job->qhi)};
    if (job->kind == OCT_KIND_MUL) {
        oct_binary_walk(job, 1, multiply, &s);
    } else if (oct_add_grid_find(job->a_mult, job->b_mult, &grid)) {
        set_grid(job, &grid, &s);
        oct_binary_walk(job, 1, add_on_grid, &s);
    } else {
        oct_binary_walk(job, 1, add, &s);
    }
}

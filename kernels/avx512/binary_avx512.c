/* binary_avx512.c - two operands, element by element, f32 and u8.
 *
 * binary_walk.c turns every kind of broadcasting into stretches of two vectors; the end of a stretch is loaded and stored under a
 * mask. Powers go to the scalar kernel.
 *
 * u8 add with multipliers on the grid of add_grid.h: with X = A (a - a_zero) + B (b - b_zero), the result is rne(X / 2^shift) +
 * out_zero. vpmaddwd wants a and b side by side in words; a w = pair of bytes (w0 low, w1 high), 128-bit lane by lane:
 *
 *   a, b           u8     | a0 a1 .. a15 |   | b0 b1 .. b15 |
 *   unpacklo       words  | a0a1 b0b1 a2a3 b2b3 a4a5 b4b5 a6a7 b6b7 |                        (unpackhi: 8..15)
 *   & 00ff         words  | a0   b0   a2   b2   a4   b4   a6   b6   |      >> 8:  | a1 b1 a3 b3 a5 b5 a7 b7 |
 *   madd [A B]     s32    | X0        X2        X4        X6        |             | X1    X3    X5    X7    |
 *   + base         the bits of the float 1.5 * 2^23 + X, zero points included
 *   fma            the float 1.5 * 2^23 + X / 2^shift, rounded once, to a whole number, ties to even; low word = rne(X / 2^shift)
 *   shuffle        words  | q0   q1   q2   q3   q4   q5   q6   q7   |      the odd ones' low words over the even ones' high words
 *   + out_zero, packus of the two halves: bytes 0..15 of the lane, in order
 *
 * Ranges: |X| <= 255 (|A| + |B|) < 2^22 (add_grid.h), so 1.5 * 2^23 + X lies in [2^23, 2^24), where a float's unit is 1. The
 * fma's addend 1.5 * (2^23 - 2^(23 - shift)) is a whole number below 2^24: exact. |X / 2^shift| < 2^14 as shift >= 8: the word
 * neither wraps nor does adding out_zero.
 * Bound: 23 vector instructions per 64 elements, 25 with a clamp: 6 cycles where four issue per cycle, 7 measured; the 192 bytes
 * take 4 from L2.
 *
 * Other multipliers, and mul: 64 bytes of each side become 4 float vectors (bytes_avx512.h), are scaled, rounded and packed again;
 * the product of the centred bytes is exact in float: |x * y| <= 255 * 255 < 2^24. Bound: 42 vector instructions per 64 elements
 * (add).
 */
#include "add_grid.h"
#include "binary_walk.h"
#include "bytes_avx512.h"
#include "ops_avx512.h"

/* ------------------------------------------------------------------------------------------------- f32 ---- */

/* min and max by selection: with a NaN the second operand wins, as in the specification. */
OCT_INLINE __m512 apply(const oct_binary_kind kind, __m512 a, __m512 b)
{
    switch (kind) {
    case OCT_KIND_ADD: return _mm512_add_ps(a, b);
    case OCT_KIND_MUL: return _mm512_mul_ps(a, b);
    case OCT_KIND_SUB: return _mm512_sub_ps(a, b);
    case OCT_KIND_DIV: return _mm512_div_ps(a, b);
    case OCT_KIND_MIN: return _mm512_min_ps(a, b);
    default: return _mm512_max_ps(a, b);
    }
}

/* A stretch; the kind is constant. Four vectors at a time: a vector's loop would wait for its own counter. */
OCT_INLINE void stretch_f32(const oct_binary_job *job, const oct_binary_kind kind, size_t n, const float *a, const float *b,
                            float *out)
{
    const __m512 lo = _mm512_set1_ps(job->lo), hi = _mm512_set1_ps(job->hi);
    size_t i = 0;
    for (; i + 64 <= n; i += 64) {
        __m512 y[4];
        OCT_UNROLLED
        for (size_t v = 0; v < 4; v++)
            y[v] = apply(kind, _mm512_loadu_ps(a + i + 16 * v), _mm512_loadu_ps(b + i + 16 * v));
        OCT_UNROLLED
        for (size_t v = 0; v < 4; v++)
            _mm512_storeu_ps(out + i + 16 * v, oct_clamp_16(y[v], lo, hi));
    }
    for (; i < n; i += 16) {
        const __mmask16 some = oct_lanes_16(n - i);
        const __m512 y = apply(kind, _mm512_maskz_loadu_ps(some, a + i), _mm512_maskz_loadu_ps(some, b + i));
        _mm512_mask_storeu_ps(out + i, some, oct_clamp_16(y, lo, hi));
    }
}

#include "binary_f32_body.h"

void oct_binary_f32_avx512(const oct_binary_job *job) { binary_f32(job); }

/* -------------------------------------------------------------------------------------------------- u8 ---- */

/* What a stretch's loop needs, by formula. */
typedef enum formula { ADD_ON_GRID, ADD_ON_GRID_CLAMPED, ADD, MULTIPLY } formula;

typedef struct scaling {
    __m512i pair, base;         /* on the grid: [A B] in words; see the head of this file */
    __m512 step, magic;         /* on the grid: 2^-shift, the fma's addend */
    oct_centre a, b;
    __m512 a_mult, b_mult;
    oct_u8_range range;
} scaling;

static void set_grid(const oct_binary_job *job, const oct_add_grid *grid, scaling *s)
{
    const int32_t scale = 1 << grid->shift, offset = grid->a * job->a_zero + grid->b * job->b_zero;
    const float step = 1.0f / (float)scale, three_halves = 12582912.0f;              /* 1.5 * 2^23, bits 4b400000 */
    s->pair = _mm512_set1_epi32((int32_t)((uint32_t)grid->b << 16 | ((uint32_t)grid->a & 0xffff)));
    s->base = _mm512_set1_epi32(0x4b400000 - offset);
    s->step = _mm512_set1_ps(step);
    s->magic = _mm512_set1_ps(three_halves - three_halves * step);
}

/* X of 16 elements as words a, b side by side -> rne(X / 2^shift) in the low words. */
OCT_INLINE __m512i on_grid_16(const scaling *s, __m512i ab)
{
    const __m512i x = _mm512_add_epi32(_mm512_madd_epi16(ab, s->pair), s->base);
    return _mm512_castps_si512(_mm512_fmadd_ps(_mm512_castsi512_ps(x), s->step, s->magic));
}

/* Half of each lane: 8 results as words, in order, with the output's zero point. */
OCT_INLINE __m512i on_grid_32(const scaling *s, __m512i ab)
{
    const __m512i even = on_grid_16(s, _mm512_and_si512(ab, _mm512_set1_epi16(0xff)));
    const __m512i odd = on_grid_16(s, _mm512_srli_epi16(ab, 8));
    const __m512i up = _mm512_broadcast_i32x4(_mm_setr_epi8(0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13));
    return _mm512_add_epi16(_mm512_mask_shuffle_epi8(even, 0xcccccccccccccccc, odd, up), s->range.zero);
}

/* 64 columns. */
OCT_INLINE __m512i combine(const scaling *s, const formula f, __m512i a, __m512i b)
{
    if (f == ADD_ON_GRID || f == ADD_ON_GRID_CLAMPED) {
        const __m512i low = on_grid_32(s, _mm512_unpacklo_epi16(a, b)), high = on_grid_32(s, _mm512_unpackhi_epi16(a, b));
        const __m512i q = _mm512_packus_epi16(low, high);
        return f == ADD_ON_GRID ? q : oct_limit_64(q, &s->range);
    }
    __m512 x[4], y[4];
    oct_centre_64(a, &s->a, x);
    oct_centre_64(b, &s->b, y);
    OCT_UNROLLED
    for (size_t v = 0; v < 4; v++)
        x[v] = f == MULTIPLY ? _mm512_mul_ps(_mm512_mul_ps(x[v], y[v]), s->a_mult)
                             : _mm512_add_ps(_mm512_mul_ps(x[v], s->a_mult), _mm512_mul_ps(y[v], s->b_mult));
    return oct_pack_64(x, &s->range);
}

/* A stretch; the formula is constant. */
OCT_INLINE void stretch_u8(const scaling *settings, const formula f, size_t n, const uint8_t *a, const uint8_t *b, uint8_t *out)
{
    const scaling s = *settings;        /* a copy whose address nobody has: it stays in registers */
    size_t i = 0;
    for (; i + 64 <= n; i += 64)
        _mm512_storeu_si512(out + i, combine(&s, f, _mm512_loadu_si512(a + i), _mm512_loadu_si512(b + i)));
    if (i < n)
        oct_store_64(out + i, combine(&s, f, oct_load_64(a + i, n - i), oct_load_64(b + i, n - i)), n - i);
}

static void add_on_grid(const void *s, size_t n, const void *a, const void *b, void *out)
{
    stretch_u8(s, ADD_ON_GRID, n, a, b, out);
}
static void add_on_grid_clamped(const void *s, size_t n, const void *a, const void *b, void *out)
{
    stretch_u8(s, ADD_ON_GRID_CLAMPED, n, a, b, out);
}
static void add(const void *s, size_t n, const void *a, const void *b, void *out) { stretch_u8(s, ADD, n, a, b, out); }
static void multiply(const void *s, size_t n, const void *a, const void *b, void *out) { stretch_u8(s, MULTIPLY, n, a, b, out); }

void oct_binary_u8_avx512(const oct_binary_job *job)
{
    oct_add_grid grid;
    scaling s = {.a = oct_centre_of(job->a_zero), .b = oct_centre_of(job->b_zero),
                 .a_mult = _mm512_set1_ps(job->a_mult), .b_mult = _mm512_set1_ps(job->b_mult),
                 .range = oct_u8_range_of(job->out_zero, job->qlo, job->qhi)};
    if (job->kind == OCT_KIND_MUL) {
        oct_binary_walk(job, 1, multiply, &s);
    } else if (oct_add_grid_find(job->a_mult, job->b_mult, &grid)) {
        set_grid(job, &grid, &s);
        oct_binary_walk(job, 1, job->qlo == 0 && job->qhi == 255 ? add_on_grid : add_on_grid_clamped, &s);
    } else {
        oct_binary_walk(job, 1, add, &s);
    }
}

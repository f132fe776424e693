/* binary_avx512.c - two operands, element by element, f32 and u8.
 *
 * Along a row an operand is a vector (step 1) or one number (step 0); rows of whole tensors are joined to one long row. The end
 * of a row is loaded and stored under a mask. Powers go to the scalar kernel.
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
#include "bytes_avx512.h"
#include "ops_avx512.h"
#include "scalar/scalar.h"

/* One operand along one row. */
typedef struct operand {
    const void *at;
    size_t step;
} operand;

/* Whether all rows of an operand follow each other: then it may be walked as one. */
static bool continuous(size_t stride, size_t step, size_t cols) { return stride == cols * step; }

/* The job with all rows joined into one, where that is possible. */
static oct_binary_job joined(const oct_binary_job *job)
{
    oct_binary_job j = *job;
    if (continuous(j.a_stride, j.a_step, j.cols) && continuous(j.b_stride, j.b_step, j.cols)) {
        j.cols *= j.rows;
        j.rows = 1;
    }
    return j;
}

/* ------------------------------------------------------------------------------------------------- f32 ---- */

OCT_INLINE __m512 load_f32(operand o, size_t c, __mmask16 some, const bool whole)
{
    if (o.step == 0)
        return _mm512_set1_ps(*(const float *)o.at);
    return whole ? _mm512_loadu_ps((const float *)o.at + c) : _mm512_maskz_loadu_ps(some, (const float *)o.at + c);
}

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

/* kind and the steps are constant wherever this is inlined. */
OCT_INLINE void row_f32(const oct_binary_job *job, operand a, operand b, float *out, const oct_binary_kind kind)
{
    const __m512 lo = _mm512_set1_ps(job->lo), hi = _mm512_set1_ps(job->hi);
    const size_t cols = job->cols;
    size_t c = 0;
    for (; c + 64 <= cols; c += 64) {
        __m512 y[4];
        OCT_UNROLL
        for (size_t v = 0; v < 4; v++)
            y[v] = apply(kind, load_f32(a, c + 16 * v, 0, true), load_f32(b, c + 16 * v, 0, true));
        OCT_UNROLL
        for (size_t v = 0; v < 4; v++)
            _mm512_storeu_ps(out + c + 16 * v, oct_clamp_16(y[v], lo, hi));
    }
    for (; c < cols; c += 16) {
        const __mmask16 some = oct_lanes_16(cols - c);
        const __m512 y = apply(kind, load_f32(a, c, some, false), load_f32(b, c, some, false));
        _mm512_mask_storeu_ps(out + c, some, oct_clamp_16(y, lo, hi));
    }
}

OCT_INLINE void rows_f32(const oct_binary_job *job, const oct_binary_kind kind)
{
    for (size_t r = 0; r < job->rows; r++) {
        const operand a = {(const float *)job->a + r * job->a_stride, job->a_step};
        const operand b = {(const float *)job->b + r * job->b_stride, job->b_step};
        float *out = (float *)job->out + r * job->cols;
        if (a.step == 1 && b.step == 1)
            row_f32(job, (operand){a.at, 1}, (operand){b.at, 1}, out, kind);
        else if (a.step == 1)
            row_f32(job, (operand){a.at, 1}, (operand){b.at, 0}, out, kind);
        else
            row_f32(job, a, b, out, kind);
    }
}

void oct_binary_f32_avx512(const oct_binary_job *job)
{
    const oct_binary_job j = joined(job);
    switch (j.kind) {
    case OCT_KIND_ADD: rows_f32(&j, OCT_KIND_ADD); break;
    case OCT_KIND_MUL: rows_f32(&j, OCT_KIND_MUL); break;
    case OCT_KIND_SUB: rows_f32(&j, OCT_KIND_SUB); break;
    case OCT_KIND_DIV: rows_f32(&j, OCT_KIND_DIV); break;
    case OCT_KIND_MIN: rows_f32(&j, OCT_KIND_MIN); break;
    case OCT_KIND_MAX: rows_f32(&j, OCT_KIND_MAX); break;
    case OCT_KIND_POW: oct_binary_f32_scalar(job); break;       /* libm's; rare */
    }
}

/* -------------------------------------------------------------------------------------------------- u8 ---- */

/* What a row's loop needs, by formula. */
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
    OCT_UNROLL
    for (size_t v = 0; v < 4; v++)
        x[v] = f == MULTIPLY ? _mm512_mul_ps(_mm512_mul_ps(x[v], y[v]), s->a_mult)
                             : _mm512_add_ps(_mm512_mul_ps(x[v], s->a_mult), _mm512_mul_ps(y[v], s->b_mult));
    return oct_pack_64(x, &s->range);
}

/* Columns c .. c + n - 1 (n <= 64) of an operand; `number` is its only element where step is 0. */
OCT_INLINE __m512i operand_u8(const uint8_t *p, size_t step, size_t c, size_t n, __m512i number)
{
    return step ? oct_load_64(p + c, n) : number;
}

OCT_INLINE void row_u8(const oct_binary_job *job, const scaling *s, const formula f, size_t row, const size_t a_step,
                       const size_t b_step)
{
    const uint8_t *a = (const uint8_t *)job->a + row * job->a_stride, *b = (const uint8_t *)job->b + row * job->b_stride;
    uint8_t *out = (uint8_t *)job->out + row * job->cols;
    const __m512i a0 = _mm512_set1_epi8((char)*a), b0 = _mm512_set1_epi8((char)*b);
    size_t c = 0;
    for (; c + 64 <= job->cols; c += 64)
        _mm512_storeu_si512(out + c, combine(s, f, operand_u8(a, a_step, c, 64, a0), operand_u8(b, b_step, c, 64, b0)));
    if (c < job->cols) {
        const size_t n = job->cols - c;
        oct_store_64(out + c, combine(s, f, operand_u8(a, a_step, c, n, a0), operand_u8(b, b_step, c, n, b0)), n);
    }
}

/* Equal shapes are what speed matters for; one copy of the loop serves all broadcasting. */
OCT_INLINE void rows_u8(const oct_binary_job *job, const scaling *s, const formula f)
{
    for (size_t row = 0; row < job->rows; row++) {
        if (job->a_step && job->b_step)
            row_u8(job, s, f, row, 1, 1);
        else
            row_u8(job, s, f, row, job->a_step, job->b_step);
    }
}

void oct_binary_u8_avx512(const oct_binary_job *job)
{
    const oct_binary_job flat = joined(job);
    oct_add_grid grid;
    scaling s = {.range = oct_u8_range_of(job->out_zero, job->qlo, job->qhi)};
    if (flat.cols == 0)
        return;
    if (job->kind == OCT_KIND_ADD && oct_add_grid_find(job->a_mult, job->b_mult, &grid)) {
        set_grid(job, &grid, &s);
        if (job->qlo == 0 && job->qhi == 255)
            rows_u8(&flat, &s, ADD_ON_GRID);
        else
            rows_u8(&flat, &s, ADD_ON_GRID_CLAMPED);
        return;
    }
    s.a = oct_centre_of(job->a_zero);
    s.b = oct_centre_of(job->b_zero);
    s.a_mult = _mm512_set1_ps(job->a_mult);
    s.b_mult = _mm512_set1_ps(job->b_mult);
    if (job->kind == OCT_KIND_MUL)
        rows_u8(&flat, &s, MULTIPLY);
    else
        rows_u8(&flat, &s, ADD);
}

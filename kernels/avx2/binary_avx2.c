/* binary_avx2.c - two operands, element by element, f32 and u8.
 *
 * Along a row an operand is a vector (step 1) or one number (step 0):
 *
 *   a_step 1:  | a0 a1 .. a7 | a8 ..            b_step 0:  | b0 b0 .. b0 |          8 (f32) or 32 (u8) columns at a time
 *
 * Rows of whole tensors (stride = cols, or one number throughout) are joined to one long row first. What does not fit - the ends of
 * f32 rows, pow, two numbers - goes to the scalar kernel; the end of a u8 row is computed in a copy.
 *
 * f32: kind and steps become constants outside the loops, so that a loop is loads, one operation, the clamp and a store.
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
#include "scalar/scalar.h"
#include "vector_avx2.h"

/* One long row if both operands allow it: element (r, c) lies at r * cols + c in all three arrays (or is the same number
 * everywhere). */
static oct_binary_job joined(const oct_binary_job *job)
{
    const bool a_flat = job->a_stride == job->cols * job->a_step, b_flat = job->b_stride == job->cols * job->b_step;
    oct_binary_job flat = *job;
    if (a_flat && b_flat) {
        flat.cols = job->rows * job->cols;
        flat.rows = job->rows ? 1 : 0;
    }
    return flat;
}

/* One row of the job from column c on, as a job of its own. */
static oct_binary_job rest_of_row(const oct_binary_job *job, size_t row, size_t c, size_t elem)
{
    oct_binary_job rest = *job;
    rest.rows = 1;
    rest.cols = job->cols - c;
    rest.a = (const char *)job->a + (row * job->a_stride + c * job->a_step) * elem;
    rest.b = (const char *)job->b + (row * job->b_stride + c * job->b_step) * elem;
    rest.out = (char *)job->out + (row * job->cols + c) * elem;
    return rest;
}

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

/* 8 columns of an operand from column c on, or one number 8 times. */
OCT_INLINE __m256 operand_f32(const float *p, size_t step, size_t c) { return step ? _mm256_loadu_ps(p + c) : _mm256_set1_ps(*p); }

/* Whole vectors of a row; `kind` and the steps are constants. Returns the columns done. */
OCT_INLINE size_t row_f32(const oct_binary_job *job, oct_binary_kind kind, size_t row, size_t a_step, size_t b_step)
{
    const float *a = (const float *)job->a + row * job->a_stride, *b = (const float *)job->b + row * job->b_stride;
    float *out = (float *)job->out + row * job->cols;
    const __m256 lo = _mm256_set1_ps(job->lo), hi = _mm256_set1_ps(job->hi);
    size_t c = 0;
    for (; c + 8 <= job->cols; c += 8)
        _mm256_storeu_ps(out + c, clamp_ps(apply(kind, operand_f32(a, a_step, c), operand_f32(b, b_step, c)), lo, hi));
    return c;
}

/* The steps become constants; two numbers are left to the scalar kernel. */
OCT_INLINE size_t steps_f32(const oct_binary_job *job, oct_binary_kind kind, size_t row)
{
    if (job->a_step && job->b_step)
        return row_f32(job, kind, row, 1, 1);
    if (job->a_step)
        return row_f32(job, kind, row, 1, 0);
    if (job->b_step)
        return row_f32(job, kind, row, 0, 1);
    return 0;
}

/* The kind becomes a constant: no question is left inside the loop. */
static size_t kind_f32(const oct_binary_job *job, size_t row)
{
    switch (job->kind) {
    case OCT_KIND_ADD: return steps_f32(job, OCT_KIND_ADD, row);
    case OCT_KIND_MUL: return steps_f32(job, OCT_KIND_MUL, row);
    case OCT_KIND_SUB: return steps_f32(job, OCT_KIND_SUB, row);
    case OCT_KIND_DIV: return steps_f32(job, OCT_KIND_DIV, row);
    case OCT_KIND_MIN: return steps_f32(job, OCT_KIND_MIN, row);
    case OCT_KIND_MAX: return steps_f32(job, OCT_KIND_MAX, row);
    case OCT_KIND_POW: break;
    }
    return 0;
}

void oct_binary_f32_avx2(const oct_binary_job *job)
{
    const oct_binary_job flat = joined(job);
    for (size_t row = 0; row < flat.rows; row++) {
        const size_t c = kind_f32(&flat, row);
        if (c < flat.cols) {
            const oct_binary_job rest = rest_of_row(&flat, row, c, sizeof(float));
            oct_binary_f32_scalar(&rest);
        }
    }
}

/* ------------------------------------------------------------------------------------------------- u8 ---- */

/* What becomes of two bytes. */
typedef enum formula { ADD_ON_GRID, ADD, MULTIPLY } formula;

/* What the loop over a row needs. */
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
    UNROLLED
    for (size_t v = 0; v < 4; v++)
        x[v] = f == MULTIPLY ? _mm256_mul_ps(_mm256_mul_ps(x[v], y[v]), s->a_mult)
                             : _mm256_add_ps(_mm256_mul_ps(x[v], s->a_mult), _mm256_mul_ps(y[v], s->b_mult));
    return round_u8(x[0], x[1], x[2], x[3], &s->range);
}

/* 32 columns of an operand from column c on, or one number 32 times. */
OCT_INLINE __m256i operand_u8(const uint8_t *p, size_t step, size_t c)
{
    return step ? load_256(p + c) : _mm256_set1_epi8((char)*p);
}

/* A row; the end, shorter than a vector, by way of a copy. The formula and the steps are constants. */
OCT_INLINE void row_u8(const oct_binary_job *job, const scaling *s, const formula f, size_t row, const size_t a_step,
                       const size_t b_step)
{
    const uint8_t *a = (const uint8_t *)job->a + row * job->a_stride, *b = (const uint8_t *)job->b + row * job->b_stride;
    uint8_t *out = (uint8_t *)job->out + row * job->cols;
    /* 1. Whole vectors. out may be a or b: each is read before its place is written. */
    size_t c = 0;
    for (; c + 32 <= job->cols; c += 32)
        store_256(out + c, combine(s, f, operand_u8(a, a_step, c), operand_u8(b, b_step, c)));
    /* 2. The end. The copies begin with the first element, which is all that a number needs. */
    if (c < job->cols) {
        uint8_t a_end[32] = {*a}, b_end[32] = {*b}, out_end[32];
        const size_t n = job->cols - c;
        if (a_step)
            memcpy(a_end, a + c, n);
        if (b_step)
            memcpy(b_end, b + c, n);
        store_256(out_end, combine(s, f, operand_u8(a_end, a_step, 0), operand_u8(b_end, b_step, 0)));
        memcpy(out + c, out_end, n);
    }
}

/* Equal shapes are what speed matters for; one copy of the loop serves all broadcasting. */
OCT_INLINE void rows_u8(const oct_binary_job *job, const scaling *settings, const formula f)
{
    const scaling s = *settings;        /* a copy whose address nobody has: it stays in registers */
    for (size_t row = 0; row < job->rows; row++) {
        if (job->a_step && job->b_step)
            row_u8(job, &s, f, row, 1, 1);
        else
            row_u8(job, &s, f, row, job->a_step, job->b_step);
    }
}

void oct_binary_u8_avx2(const oct_binary_job *job)
{
    const oct_binary_job flat = joined(job);
    oct_add_grid grid;
    scaling s = {.a_offset = centre_offset(job->a_zero), .b_offset = centre_offset(job->b_zero),
                 .a_mult = _mm256_set1_ps(job->a_mult), .b_mult = _mm256_set1_ps(job->b_mult),
                 .range = u8_range_of(job->out_zero, job->qlo, job->qhi)};
    if (job->kind == OCT_KIND_MUL) {
        rows_u8(&flat, &s, MULTIPLY);
    } else if (oct_add_grid_find(job->a_mult, job->b_mult, &grid)) {
        set_grid(job, &grid, &s);
        rows_u8(&flat, &s, ADD_ON_GRID);
    } else {
        rows_u8(&flat, &s, ADD);
    }
}

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
 * u8 add and mul: 32 bytes of each side become 4 float vectors (centre_u8), are scaled, rounded and packed again. The product of
 * centred
 * bytes is exact in float: |x * y| <= 255 * 255 < 2^24, so float(x) * float(y) == float(x * y).
 *
 * Bound: memory (f32); about 40 vector instructions per 32 bytes (u8).
 */
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

/* What the loop over a row needs. */
typedef struct scaling {
    __m256 a_offset, b_offset, a_mult, b_mult;
    u8_range range;
} scaling;

/* 32 columns: centre, scale, round. Each product and the sum are rounded one by one, as the specification does. */
OCT_INLINE __m256i combine(const scaling *s, bool multiply, __m256i a, __m256i b)
{
    __m256 x[4], y[4];
    /* exact: |x|, |y| <= 255 */
    centre_u8(a, s->a_offset, x);
    centre_u8(b, s->b_offset, y);
    UNROLLED
    for (size_t v = 0; v < 4; v++)
        x[v] = multiply ? _mm256_mul_ps(_mm256_mul_ps(x[v], y[v]), s->a_mult)
                        : _mm256_add_ps(_mm256_mul_ps(x[v], s->a_mult), _mm256_mul_ps(y[v], s->b_mult));
    return round_u8(x[0], x[1], x[2], x[3], &s->range);
}

/* 32 columns of an operand from column c on, or one number 32 times. */
OCT_INLINE __m256i operand_u8(const uint8_t *p, size_t step, size_t c)
{
    return step ? load_256(p + c) : _mm256_set1_epi8((char)*p);
}

/* A row; the end, shorter than a vector, by way of a copy. */
OCT_INLINE void row_u8(const oct_binary_job *job, const scaling *s, bool multiply, size_t row)
{
    const uint8_t *a = (const uint8_t *)job->a + row * job->a_stride, *b = (const uint8_t *)job->b + row * job->b_stride;
    uint8_t *out = (uint8_t *)job->out + row * job->cols;
    /* 1. Whole vectors. out may be a or b: each is read before its place is written. */
    size_t c = 0;
    for (; c + 32 <= job->cols; c += 32)
        store_256(out + c, combine(s, multiply, operand_u8(a, job->a_step, c), operand_u8(b, job->b_step, c)));
    /* 2. The end. The copies begin with the first element, which is all that a number needs. */
    if (c < job->cols) {
        uint8_t a_end[32] = {*a}, b_end[32] = {*b}, out_end[32];
        const size_t n = job->cols - c;
        if (job->a_step)
            memcpy(a_end, a + c, n);
        if (job->b_step)
            memcpy(b_end, b + c, n);
        store_256(out_end, combine(s, multiply, operand_u8(a_end, job->a_step, 0), operand_u8(b_end, job->b_step, 0)));
        memcpy(out + c, out_end, n);
    }
}

void oct_binary_u8_avx2(const oct_binary_job *job)
{
    const oct_binary_job flat = joined(job);
    const scaling s = {.a_offset = centre_offset(job->a_zero), .b_offset = centre_offset(job->b_zero),
                       .a_mult = _mm256_set1_ps(job->a_mult), .b_mult = _mm256_set1_ps(job->b_mult),
                       .range = u8_range_of(job->out_zero, job->qlo, job->qhi)};
    for (size_t row = 0; row < flat.rows; row++) {
        if (job->kind == OCT_KIND_MUL)
            row_u8(&flat, &s, true, row);
        else
            row_u8(&flat, &s, false, row);
    }
}

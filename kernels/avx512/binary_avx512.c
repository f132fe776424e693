/* binary_avx512.c - two operands, element by element with broadcasting, f32 and u8. Same roundings as scalar/binary_scalar.c.
 *
 * Rows that follow each other without a gap in both operands are one long row. Along a row an operand is walked (step 1) or stays the same
 * (step 0: loaded once). f32 is judged by the GB/s of its level; u8 moves a quarter of the bytes, but converts to float and back, some 40
 * vector instructions for 64 results: it wins by the bytes once the tensors leave L1 and L2.
 */
#include "ops_avx512.h"
#include "scalar/scalar.h"
#include "vector_avx512.h"

/* One operand along one row. */
typedef struct operand {
    const void *at;
    size_t step;
} operand;

/* Whether all rows of an operand follow each other: then it may be walked as one. */
static bool continuous(size_t stride, size_t step, size_t cols) { return (step == 1 && stride == cols) || (step == 0 && stride == 0); }

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

/* 16 elements from c on, minus the zero point, as integers. */
OCT_INLINE __m512i load_u8(operand o, size_t c, __mmask16 some, const bool whole, __m512i zero)
{
    const uint8_t *p = o.at;
    if (o.step == 0)
        return _mm512_sub_epi32(_mm512_set1_epi32(*p), zero);
    const __m128i bytes = whole ? _mm_loadu_si128((const __m128i *)(p + c)) : oct_load_bytes(p + c, some);
    return _mm512_sub_epi32(_mm512_cvtepu8_epi32(bytes), zero);
}

/* What is the same for all rows of a job. */
typedef struct u8_job {
    __m512i a_zero, b_zero;
    __m512 a_mult, b_mult;
    oct_to_u8 to;
} u8_job;

/* 16 results before rounding. Products of two differences are at most 65,025: exact as integers and as floats. */
OCT_INLINE __m512 results_16(const u8_job *u, operand a, operand b, size_t c, __mmask16 some, const bool whole, const bool add)
{
    const __m512i x = load_u8(a, c, some, whole, u->a_zero), y = load_u8(b, c, some, whole, u->b_zero);
    if (add)
        return _mm512_add_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(x), u->a_mult), _mm512_mul_ps(_mm512_cvtepi32_ps(y), u->b_mult));
    return _mm512_mul_ps(_mm512_mul_ps(_mm512_cvtepi32_ps(x), _mm512_cvtepi32_ps(y)), u->a_mult);
}

OCT_INLINE void row_u8(const u8_job *job, operand a, operand b, uint8_t *out, size_t cols, const bool add)
{
    const u8_job u = *job;
    size_t c = 0;
    for (; c + 64 <= cols; c += 64) {
        __m512 x[4];
        OCT_UNROLL
        for (size_t v = 0; v < 4; v++)
            x[v] = results_16(&u, a, b, c + 16 * v, 0, true, add);
        _mm512_storeu_si512(out + c, oct_bytes_of_64(x, u.to));
    }
    for (; c < cols; c += 16) {
        const __mmask16 some = oct_lanes_16(cols - c);
        _mm_mask_storeu_epi8(out + c, some, oct_bytes_16(results_16(&u, a, b, c, some, false, add), u.to));
    }
}

OCT_INLINE void rows_u8(const oct_binary_job *job, const bool add)
{
    const u8_job u = {_mm512_set1_epi32(job->a_zero), _mm512_set1_epi32(job->b_zero), _mm512_set1_ps(job->a_mult),
                      _mm512_set1_ps(job->b_mult), {job->out_zero, job->qlo, job->qhi}};
    for (size_t r = 0; r < job->rows; r++) {
        const operand a = {(const uint8_t *)job->a + r * job->a_stride, job->a_step};
        const operand b = {(const uint8_t *)job->b + r * job->b_stride, job->b_step};
        uint8_t *out = (uint8_t *)job->out + r * job->cols;
        if (a.step == 1 && b.step == 1)
            row_u8(&u, (operand){a.at, 1}, (operand){b.at, 1}, out, job->cols, add);
        else
            row_u8(&u, a, b, out, job->cols, add);
    }
}

void oct_binary_u8_avx512(const oct_binary_job *job)
{
    const oct_binary_job j = joined(job);
    if (j.kind == OCT_KIND_MUL)
        rows_u8(&j, false);
    else
        rows_u8(&j, true);
}

/* winograd_u8s8_avx512.c - exact integer Winograd: the transforms, twin of scalar/winograd_u8s8_scalar.c, whose matrices they compute.
 * winograd_weights_u8s8.c proves the ranges.
 *
 *     bytes  d00 .. d05        t00 .. t05        V(0)  .. V(5)       32 channels at a time, s16: 12 one-side transforms of 17
 *             :       :   -->   :       :   -->   :        :         additions and shifts; 36 loads, 36 stores, and the square t
 *            d50 .. d55        t50 .. t55        V(30) .. V(35)      between them, which 32 registers do not hold
 *
 *     M(0)  .. M(5)            t00 .. t03        y00 .. y03          16 columns at a time, s32: 10 one-side transforms of 14; 24 registers
 *      :        :      -->      :       :  -->    :       :          of t. Then 16 outputs: times 1/9, >> 6, and the direct kernels'
 *     M(30) .. M(35)           t50 .. t53        y30 .. y33          epilogue, four pixels at a time
 */
#include "epilogue_avx512.h"
#include "winograd_avx512.h"

enum { SIDE = 6 };

/* ------------------------------------------------------------------------------------------ one side ---- */

OCT_INLINE __m512i add_16(__m512i x, __m512i y) { return _mm512_add_epi16(x, y); }
OCT_INLINE __m512i sub_16(__m512i x, __m512i y) { return _mm512_sub_epi16(x, y); }
OCT_INLINE __m512i twice_16(__m512i x) { return _mm512_slli_epi16(x, 1); }
OCT_INLINE __m512i four_16(__m512i x) { return _mm512_slli_epi16(x, 2); }

/* 3 x */
OCT_INLINE __m512i thrice_16(__m512i x) { return add_16(x, twice_16(x)); }

/* B' d: `size` + 2 vectors -> positions 0, 1, 2, (3, (4,)) 5; size is a constant wherever this is inlined. */
OCT_INLINE void input_side(const size_t size, const __m512i d[SIDE], __m512i v[SIDE])
{
    const __m512i odd = sub_16(d[3], d[1]);
    if (size == 4) {
        const __m512i a = sub_16(d[4], four_16(d[2])), b = sub_16(d[3], four_16(d[1]));
        const __m512i even = sub_16(d[4], d[2]), twice = twice_16(odd);
        v[0] = add_16(four_16(sub_16(d[0], d[2])), even);
        v[1] = add_16(a, b);
        v[2] = sub_16(a, b);
        v[3] = add_16(even, twice);
        v[4] = sub_16(even, twice);
        v[5] = sub_16(sub_16(d[5], d[3]), twice_16(twice));
    } else if (size == 3) {
        const __m512i twice = twice_16(odd);
        v[0] = add_16(four_16(sub_16(d[0], d[2])), twice);
        v[1] = thrice_16(sub_16(sub_16(d[3], d[2]), twice_16(d[1])));
        v[2] = sub_16(add_16(d[3], twice_16(d[1])), thrice_16(d[2]));
        v[3] = twice_16(twice);
        v[5] = sub_16(twice_16(sub_16(d[4], d[2])), v[3]);
    } else {
        v[0] = four_16(sub_16(d[0], d[2]));
        v[1] = sub_16(_mm512_setzero_si512(), thrice_16(add_16(d[1], d[2])));
        v[2] = thrice_16(sub_16(d[1], d[2]));
        v[5] = twice_16(odd);
    }
}

OCT_INLINE __m512i add_32(__m512i x, __m512i y) { return _mm512_add_epi32(x, y); }
OCT_INLINE __m512i sub_32(__m512i x, __m512i y) { return _mm512_sub_epi32(x, y); }
OCT_INLINE __m512i twice_32(__m512i x) { return _mm512_slli_epi32(x, 1); }
OCT_INLINE __m512i four_32(__m512i x) { return _mm512_slli_epi32(x, 2); }

/* A' m: positions, `step` apart -> `size` vectors, modulo 2^32. */
OCT_INLINE void output_side(const size_t size, const __m512i *m, const size_t step, __m512i o[4])
{
    const __m512i m5 = m[5 * step];
    const __m512i p = add_32(m[step], m[2 * step]), q = sub_32(m[step], m[2 * step]);
    if (size == 4) {
        const __m512i r = add_32(m[3 * step], m[4 * step]), t = sub_32(m[3 * step], m[4 * step]);
        o[0] = add_32(add_32(m[0], p), r);
        o[1] = add_32(q, twice_32(t));
        o[2] = add_32(p, four_32(r));
        o[3] = add_32(q, twice_32(add_32(four_32(t), m5)));
    } else if (size == 3) {
        const __m512i m3 = m[3 * step];
        o[0] = add_32(add_32(m[0], p), m3);
        o[1] = add_32(q, twice_32(m3));
        o[2] = add_32(add_32(p, four_32(m3)), m5);
    } else {
        o[0] = add_32(m[0], p);
        o[1] = add_32(q, m5);
    }
}

/* Whether F(size, 3) has position i; and the class of i. */
OCT_INLINE bool takes(const size_t size, const size_t i) { return i < 3 || i == 5 || (i == 3 && size >= 3) || (i == 4 && size == 4); }
OCT_INLINE size_t class_of(const size_t i) { return i == 3 ? 1 : i == 4 ? 2 : 0; }

/* The tile's row of V or M at position (i, j); line: row 0 of position (i, 0). */
OCT_INLINE void *at(const oct_winograd_tile *tile, char *line, size_t position_bytes, size_t row_bytes, size_t i, size_t j)
{
    return line + j * position_bytes + tile->slot[class_of(i)][class_of(j)] * row_bytes;
}

/* ----------------------------------------------------------------------------------- input transform ---- */

/* rows and cols: the tile's, constant. */
OCT_INLINE void input_tile(const oct_winograd_input *job, const size_t rows, const size_t cols)
{
    const oct_winograd_tile *tile = job->tile;
    for (size_t c = 0; c < job->c; c += 32) {
        /* Channels that do not exist, up to the row's end, are zeros: so are all their sums. */
        const __mmask32 some = oct_lanes_32(job->c - c);
        __m512i t[SIDE][SIDE];
        /* 1. Down the columns. */
        OCT_UNROLL
        for (size_t x = 0; x < cols + 2; x++) {
            __m512i d[SIDE], v[SIDE];
            OCT_UNROLL
            for (size_t y = 0; y < rows + 2; y++)
                d[y] = _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(some, (const uint8_t *)job->pixels[y * SIDE + x] + c));
            input_side(rows, d, v);
            OCT_UNROLL
            for (size_t i = 0; i < SIDE; i++)
                if (takes(rows, i))
                    t[i][x] = v[i];
        }
        /* 2. Along the rows, and away. */
        char *line = (char *)job->v + c * sizeof(int16_t);
        OCT_UNROLL
        for (size_t i = 0; i < SIDE; i++, line += SIDE * job->position_bytes) {
            if (!takes(rows, i))
                continue;
            __m512i v[SIDE];
            input_side(cols, t[i], v);
            OCT_UNROLL
            for (size_t j = 0; j < SIDE; j++)
                if (takes(cols, j))
                    _mm512_store_si512(at(tile, line, job->position_bytes, job->row_bytes, i, j), v[j]);
        }
    }
}

void oct_winograd_input_u8s8_avx512(const oct_winograd_input *job)
{
    switch (job->tile->rows * 8 + job->tile->cols) {
    case 4 * 8 + 4: input_tile(job, 4, 4); break;
    case 4 * 8 + 3: input_tile(job, 4, 3); break;
    case 4 * 8 + 2: input_tile(job, 4, 2); break;
    case 3 * 8 + 4: input_tile(job, 3, 4); break;
    case 3 * 8 + 3: input_tile(job, 3, 3); break;
    case 3 * 8 + 2: input_tile(job, 3, 2); break;
    case 2 * 8 + 4: input_tile(job, 2, 4); break;
    case 2 * 8 + 3: input_tile(job, 2, 3); break;
    default: input_tile(job, 2, 2); break;
    }
}

/* ---------------------------------------------------------------------------------- output transform ---- */

/* 576 Y modulo 2^32 -> Y. */
OCT_INLINE __m512i divided(__m512i sum) { return _mm512_srai_epi32(_mm512_mullo_epi32(sum, _mm512_set1_epi32(0x38E38E39)), 6); }

/* 16 columns, n of which exist, of `size` pixels below each other, `exist` of which exist, through the direct kernels' epilogue. e: at the
 * first of them, a line of the image from row to row. */
OCT_INLINE void finish_pixels(const oct_epilogue *e, size_t n, size_t exist, const size_t size, const __m512i y[4])
{
    if (e->out_elem == OCT_ELEM_U8 && exist >= size) {
        oct_store_four_u8(e, 0, n, y, size, 1);
        return;
    }
    _Alignas(64) int32_t stored[64];
    OCT_UNROLL
    for (size_t i = 0; i < 4; i++)
        _mm512_store_si512(stored + 16 * i, y[i < size ? i : 0]);
    const oct_tile tile = {.m = exist < size ? exist : size, .n = n < 16 ? n : 16, .e = *e};
    oct_finish_s32_avx512(&tile, stored, 1);
}

/* The epilogue of pixel column x from channel c on. */
OCT_INLINE oct_epilogue epilogue_at(const oct_winograd_output *job, size_t x, size_t c)
{
    const size_t size = job->e.out_elem == OCT_ELEM_F32 ? sizeof(float) : 1;
    oct_epilogue e = job->e;
    e.mult += c;
    if (e.out_elem == OCT_ELEM_F32)
        e.bias += c;
    e.out = (char *)e.out + (x * e.out_ld + c) * size;
    e.out_ld = job->out_line;
    if (e.residual)
        e.residual = (const char *)e.residual + (x * e.residual_ld + c) * size;
    e.residual_ld = job->residual_line;
    return e;
}

/* rows and cols: the tile's, constant. */
OCT_INLINE void output_tile(const oct_winograd_output *job, const size_t rows, const size_t cols)
{
    const oct_winograd_tile *tile = job->tile;
    for (size_t c = 0; c < job->n; c += 16) {
        __m512i t[SIDE * 4];
        /* 1. Along the rows of M. */
        char *line = (char *)job->m + c * sizeof(int32_t);
        OCT_UNROLL
        for (size_t i = 0; i < SIDE; i++, line += SIDE * job->position_bytes) {
            if (!takes(rows, i))
                continue;
            __m512i m[SIDE];
            OCT_UNROLL
            for (size_t j = 0; j < SIDE; j++)
                m[j] = takes(cols, j) ? _mm512_load_si512(at(tile, line, job->position_bytes, job->row_bytes, i, j)) : _mm512_setzero_si512();
            output_side(cols, m, 1, t + i * 4);
        }
        /* 2. Down the columns: pixels.  3. Epilogue. */
        OCT_UNROLL
        for (size_t x = 0; x < cols; x++) {
            __m512i y[4];
            output_side(rows, t + x, 4, y);
            OCT_UNROLL
            for (size_t i = 0; i < rows; i++)
                y[i] = divided(y[i]);
            const oct_epilogue e = epilogue_at(job, x, c);
            if (x < job->cols)
                finish_pixels(&e, job->n - c, job->rows, rows, y);
        }
    }
}

void oct_winograd_output_u8s8_avx512(const oct_winograd_output *job)
{
    switch (job->tile->rows * 8 + job->tile->cols) {
    case 4 * 8 + 4: output_tile(job, 4, 4); break;
    case 4 * 8 + 3: output_tile(job, 4, 3); break;
    case 4 * 8 + 2: output_tile(job, 4, 2); break;
    case 3 * 8 + 4: output_tile(job, 3, 4); break;
    case 3 * 8 + 3: output_tile(job, 3, 3); break;
    case 3 * 8 + 2: output_tile(job, 3, 2); break;
    case 2 * 8 + 4: output_tile(job, 2, 4); break;
    case 2 * 8 + 3: output_tile(job, 2, 3); break;
    default: output_tile(job, 2, 2); break;
    }
}

/* --------------------------------------------------------------------------------- weights when needed ---- */

/* Row i of G times three rows of one column of taps: w(0, x), w(1, x), w(2, x). i is constant. */
OCT_INLINE __m512i column_of_g(const size_t i, const int8_t *w, size_t count)
{
    const __m512i zero = _mm512_setzero_si512();
    const __m512i w0 = i < 5 ? _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)w)) : zero;
    const __m512i w1 = i >= 1 && i <= 4 ? _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)(w + 3 * count))) : zero;
    const __m512i w2 = i >= 1 ? _mm512_cvtepi8_epi16(_mm256_loadu_si256((const void *)(w + 6 * count))) : zero;
    switch (i) {
    case 0: return twice_16(thrice_16(w0));
    case 1: return sub_16(zero, four_16(add_16(add_16(w0, w2), w1)));
    case 2: return four_16(sub_16(w1, add_16(w0, w2)));
    case 3: return add_16(add_16(w0, four_16(w2)), twice_16(w1));
    case 4: return sub_16(add_16(w0, four_16(w2)), twice_16(w1));
    default: return four_16(thrice_16(w2));
    }
}

/* U(i, 0) .. U(i, 5), element by element, 32 at a time: count is a multiple of 32, for panels are 16 columns wide or more, two deep. */
OCT_INLINE void expand_row(const int8_t *w, size_t count, const size_t i, int16_t *u)
{
    for (size_t e = 0; e < count; e += 32) {
        const __m512i t0 = column_of_g(i, w + e, count), t1 = column_of_g(i, w + count + e, count);
        const __m512i t2 = column_of_g(i, w + 2 * count + e, count);
        const __m512i even = add_16(t0, t2), far = add_16(t0, four_16(t2)), twice = twice_16(t1);
        _mm512_storeu_si512(u + e, twice_16(thrice_16(t0)));
        _mm512_storeu_si512(u + count + e, sub_16(_mm512_setzero_si512(), four_16(add_16(even, t1))));
        _mm512_storeu_si512(u + 2 * count + e, four_16(sub_16(t1, even)));
        _mm512_storeu_si512(u + 3 * count + e, add_16(far, twice));
        _mm512_storeu_si512(u + 4 * count + e, sub_16(far, twice));
        _mm512_storeu_si512(u + 5 * count + e, four_16(thrice_16(t2)));
    }
}

void oct_winograd_expand_u8s8_avx512(const void *w, size_t groups, const oct_gemm_entry *panel, size_t i, void *u)
{
    const size_t count = groups * panel->nr * panel->kr;
    switch (i) {
    case 0: expand_row(w, count, 0, u); break;
    case 1: expand_row(w, count, 1, u); break;
    case 2: expand_row(w, count, 2, u); break;
    case 3: expand_row(w, count, 3, u); break;
    case 4: expand_row(w, count, 4, u); break;
    default: expand_row(w, count, 5, u); break;
    }
}

/* winograd_f32_avx512.c - the input and output transforms of float Winograd, 16 channels at a time (kernels.h, winograd.h).
 *
 * F(4,3) along one side; the subsets of points F(3,3) and F(2,3) use the same weights, so their factors are in these rows:
 *
 *          B' of F(4,3)               B' of F(3,3)           B' of F(2,3)        A' of F(4,3)            F(3,3)           F(2,3)
 *    0     4  0 -5  0  1  0            4 -2 -4  2  0          4  0 -4  0         1 1  1 1  1 0           1 1  1 1 . 0     1 1  1 . . 0
 *    1     0 -4 -4  1  1  0            0 -6 -3  3  0          0 -3 -3  0         0 1 -1 2 -2 0           0 1 -1 2 . 0     0 1 -1 . . 1
 *    2     0  4 -4 -1  1  0            0  2 -3  1  0          0  3 -3  0         0 1  1 4  4 0           0 1  1 4 . 1
 *    3     0 -2 -1  2  1  0            0 -4  0  4  0          .                  0 1 -1 8 -8 1
 *    4     0  2 -1 -2  1  0            .                      .
 *    5     0  4  0 -5  0  1            0  2 -1 -2  1          0 -1  0  1
 *
 * A transform is two passes: down the columns of the tile into a square of registers and stack, then along its rows. 6 x 6 vectors do
 * not fit 32 registers, and need not: the second pass takes one row at a time.
 *
 *     pixels  d00 .. d05        t00 .. t05        V(0)  .. V(5)
 *              :       :   -->   :       :   -->   :        :          12 one-side transforms of 12 operations; 36 loads, 36 stores
 *             d50 .. d55        t50 .. t55        V(30) .. V(35)
 */
#include "epilogue_avx512.h"
#include "winograd_avx512.h"

enum { SIDE = 6, VECTOR = 64 };

/* ------------------------------------------------------------------------------------------ one side ---- */

OCT_INLINE __m512 times(float f, __m512 x) { return _mm512_mul_ps(_mm512_set1_ps(f), x); }
OCT_INLINE __m512 plus_times(__m512 y, float f, __m512 x) { return _mm512_fmadd_ps(_mm512_set1_ps(f), x, y); }

/* B' d: `size` + 2 numbers, `step` apart -> positions 0, 1, 2, (3, (4,)) 5; size is a constant wherever this is inlined. */
OCT_INLINE void input_side(const size_t size, const __m512 *d, const size_t step, __m512 v[SIDE])
{
    const __m512 d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step];
    const __m512 odd = _mm512_sub_ps(d3, d1);
    if (size == 4) {
        const __m512 d4 = d[4 * step], d5 = d[5 * step];
        const __m512 a = plus_times(d4, -4, d2), b = plus_times(d3, -4, d1), even = _mm512_sub_ps(d4, d2);
        v[0] = plus_times(plus_times(d4, -5, d2), 4, d0);
        v[1] = _mm512_add_ps(a, b);
        v[2] = _mm512_sub_ps(a, b);
        v[3] = plus_times(even, 2, odd);
        v[4] = plus_times(even, -2, odd);
        v[5] = plus_times(plus_times(d5, -5, d3), 4, d1);
    } else if (size == 3) {
        const __m512 d4 = d[4 * step];
        v[0] = plus_times(times(2, odd), 4, _mm512_sub_ps(d0, d2));
        v[1] = times(3, _mm512_sub_ps(d3, plus_times(d2, 2, d1)));
        v[2] = plus_times(plus_times(d3, 2, d1), -3, d2);
        v[3] = times(4, odd);
        v[5] = plus_times(_mm512_sub_ps(d4, d2), -2, odd);
    } else {
        v[0] = times(4, _mm512_sub_ps(d0, d2));
        v[1] = times(-3, _mm512_add_ps(d1, d2));
        v[2] = times(3, _mm512_sub_ps(d1, d2));
        v[5] = odd;
    }
}

/* A' m: positions, `step` apart -> `size` numbers. */
OCT_INLINE void output_side(const size_t size, const __m512 *m, const size_t step, __m512 *o)
{
    const __m512 m5 = m[5 * step];
    const __m512 p = _mm512_add_ps(m[step], m[2 * step]), q = _mm512_sub_ps(m[step], m[2 * step]);
    if (size == 4) {
        const __m512 r = _mm512_add_ps(m[3 * step], m[4 * step]), t = _mm512_sub_ps(m[3 * step], m[4 * step]);
        o[0] = _mm512_add_ps(_mm512_add_ps(m[0], p), r);
        o[1] = plus_times(q, 2, t);
        o[2] = plus_times(p, 4, r);
        o[3] = plus_times(_mm512_add_ps(q, m5), 8, t);
    } else if (size == 3) {
        const __m512 m3 = m[3 * step];
        o[0] = _mm512_add_ps(_mm512_add_ps(m[0], p), m3);
        o[1] = plus_times(q, 2, m3);
        o[2] = plus_times(_mm512_add_ps(p, m5), 4, m3);
    } else {
        o[0] = _mm512_add_ps(m[0], p);
        o[1] = _mm512_add_ps(q, m5);
    }
}

/* Whether F(size, 3) has position i; and the class of i. */
OCT_INLINE bool takes(const size_t size, const size_t i) { return i < 3 || i == 5 || (i == 3 && size >= 3) || (i == 4 && size == 4); }
OCT_INLINE size_t class_of(const size_t i) { return i == 3 ? 1 : i == 4 ? 2 : 0; }

/* Row of position (i, j) in V or M, counted from the first of position (i, 0). */
OCT_INLINE size_t place(const oct_winograd_tile *tile, size_t position_bytes, size_t row_bytes, const size_t i, const size_t j)
{
    return j * position_bytes + tile->slot[class_of(i)][class_of(j)] * row_bytes;
}

/* --------------------------------------------------------------------------------- input transform ---- */

/* rows and cols: the tile's, constant. */
OCT_INLINE void input_tile(const oct_winograd_input *job, const size_t rows, const size_t cols)
{
    const oct_winograd_tile *tile = job->tile;
    for (size_t c = 0; c < job->c; c += 16) {
        /* 1. Down the columns. Channels beyond c come as zeros and go to V as such. */
        const __mmask16 some = oct_lanes_16(job->c - c);
        __m512 t[SIDE * SIDE];
        OCT_UNROLL
        for (size_t x = 0; x < cols + 2; x++) {
            __m512 d[SIDE], v[SIDE];
            OCT_UNROLL
            for (size_t y = 0; y < rows + 2; y++) {
                const float *from = (const float *)job->pixels[y * SIDE + x] + c;
                d[y] = _mm512_maskz_loadu_ps(some, from);
                /* The next tile shares two columns with this one. An image that comes from L3 is read twice as fast so. */
                if (x >= 2)
                    _mm_prefetch((const char *)from + 4 * job->c * sizeof(float), _MM_HINT_T0);
            }
            input_side(rows, d, 1, v);
            OCT_UNROLL
            for (size_t i = 0; i < SIDE; i++)
                if (takes(rows, i))
                    t[i * SIDE + x] = v[i];
        }
        /* 2. Along the rows, and away. */
        char *line = (char *)job->v + c * sizeof(float);
        OCT_UNROLL
        for (size_t i = 0; i < SIDE; i++, line += SIDE * job->position_bytes) {
            if (!takes(rows, i))
                continue;
            __m512 v[SIDE];
            input_side(cols, t + i * SIDE, 1, v);
            OCT_UNROLL
            for (size_t j = 0; j < SIDE; j++)
                if (takes(cols, j))
                    _mm512_store_ps(line + place(tile, job->position_bytes, job->row_bytes, i, j), v[j]);
        }
    }
}

void oct_winograd_input_f32_avx512(const oct_winograd_input *job)
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

/* -------------------------------------------------------------------------------- output transform ---- */

/* 16 channels of one pixel: residual, clamp, out. at: the channel's place in out. The same steps as epilogue_avx512.c's. */
OCT_INLINE void store_f32(const oct_epilogue *e, size_t at, size_t residual_at, __mmask16 some, __m512 y)
{
    if (e->residual)
        y = _mm512_add_ps(y, _mm512_maskz_loadu_ps(some, (const float *)e->residual + residual_at));
    _mm512_mask_storeu_ps((float *)e->out + at, some, oct_clamp_16(y, _mm512_set1_ps(e->lo), _mm512_set1_ps(e->hi)));
}

/* |x| < 2^31 by contract, but the sum with out_zero could wrap: x is first limited to +-2^30. */
OCT_INLINE void store_u8(const oct_epilogue *e, size_t at, size_t residual_at, __mmask16 some, __m512 y)
{
    const __m512 limit = _mm512_set1_ps(1073741824.0f);
    if (e->residual)
        y = oct_add_residual_u8(y, (const uint8_t *)e->residual + residual_at, (size_t)_mm_popcnt_u32(some), e);
    y = _mm512_mul_ps(oct_clamp_16(y, _mm512_set1_ps(e->lo), _mm512_set1_ps(e->hi)), _mm512_set1_ps(e->out_mult));
    y = oct_clamp_16(y, _mm512_sub_ps(_mm512_setzero_ps(), limit), limit);
    __m512i q = _mm512_add_epi32(_mm512_cvtps_epi32(y), _mm512_set1_epi32(e->out_zero));
    q = _mm512_min_epi32(_mm512_max_epi32(q, _mm512_set1_epi32(e->qlo)), _mm512_set1_epi32(e->qhi));
    _mm_mask_storeu_epi8((uint8_t *)e->out + at, some, _mm512_cvtepi32_epi8(q));
}

OCT_INLINE void output_tile(const oct_winograd_output *job, const size_t rows, const size_t cols)
{
    const oct_winograd_tile *tile = job->tile;
    const oct_epilogue e = job->e;
    for (size_t c = 0; c < job->n; c += 16) {
        const __mmask16 some = oct_lanes_16(job->n - c);
        /* 1. Along the rows of M. */
        __m512 t[SIDE * 4];
        const char *line = (const char *)job->m + c * sizeof(float);
        OCT_UNROLL
        for (size_t i = 0; i < SIDE; i++, line += SIDE * job->position_bytes) {
            if (!takes(rows, i))
                continue;
            __m512 m[SIDE];
            OCT_UNROLL
            for (size_t j = 0; j < SIDE; j++)
                m[j] = _mm512_setzero_ps();
            OCT_UNROLL
            for (size_t j = 0; j < SIDE; j++)
                if (takes(cols, j))
                    m[j] = _mm512_load_ps(line + place(tile, job->position_bytes, job->row_bytes, i, j));
            output_side(cols, m, 1, t + i * 4);
        }
        /* 2. Down the columns: pixels. */
        OCT_UNROLL
        for (size_t x = 0; x < cols; x++) {
            __m512 o[4];
            output_side(rows, t + x, 4, o);
            OCT_UNROLL
            for (size_t y = 0; y < rows; y++) {
                const size_t at = y * job->out_line + x * e.out_ld + c, residual_at = y * job->residual_line + x * e.residual_ld + c;
                if (y >= job->rows || x >= job->cols)
                    continue;
                if (e.out_elem == OCT_ELEM_F32) {
                    /* The line that the next tile will write. */
                    __builtin_prefetch((float *)e.out + at + 4 * e.out_ld, 1);
                    store_f32(&e, at, residual_at, some, o[y]);
                }
                else
                    store_u8(&e, at, residual_at, some, o[y]);
            }
        }
    }
}

void oct_winograd_output_f32_avx512(const oct_winograd_output *job)
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

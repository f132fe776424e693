/* winograd_f32_avx2.c - the input and output transforms of float Winograd, 8 channels at a time (kernels.h, winograd.h).
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
 * A transform is two passes: down the columns of the tile into a square that lies mostly on the stack, then along its rows.
 *
 *     pixels  d00 .. d05        t00 .. t05        V(0)  .. V(5)
 *              :       :   -->   :       :   -->   :        :          12 one-side transforms of 12 operations; 36 loads, 36 stores
 *             d50 .. d55        t50 .. t55        V(30) .. V(35)
 */
#include <string.h>
#include "avx2.h"
#include "vector_avx2.h"

enum { SIDE = 6, LANES = 8 };

/* ------------------------------------------------------------------------------------------ one side ---- */

OCT_INLINE __m256 times(float f, __m256 x) { return _mm256_mul_ps(_mm256_set1_ps(f), x); }
OCT_INLINE __m256 plus_times(__m256 y, float f, __m256 x) { return _mm256_fmadd_ps(_mm256_set1_ps(f), x, y); }

/* B' d: `size` + 2 numbers, `step` apart -> positions 0, 1, 2, (3, (4,)) 5; size is a constant wherever this is inlined. */
OCT_INLINE void input_side(const size_t size, const __m256 *d, const size_t step, __m256 v[SIDE])
{
    const __m256 d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step];
    const __m256 odd = _mm256_sub_ps(d3, d1);
    if (size == 4) {
        const __m256 d4 = d[4 * step], d5 = d[5 * step];
        const __m256 a = plus_times(d4, -4, d2), b = plus_times(d3, -4, d1), even = _mm256_sub_ps(d4, d2);
        v[0] = plus_times(plus_times(d4, -5, d2), 4, d0);
        v[1] = _mm256_add_ps(a, b);
        v[2] = _mm256_sub_ps(a, b);
        v[3] = plus_times(even, 2, odd);
        v[4] = plus_times(even, -2, odd);
        v[5] = plus_times(plus_times(d5, -5, d3), 4, d1);
    } else if (size == 3) {
        const __m256 d4 = d[4 * step];
        v[0] = plus_times(times(2, odd), 4, _mm256_sub_ps(d0, d2));
        v[1] = times(3, _mm256_sub_ps(d3, plus_times(d2, 2, d1)));
        v[2] = plus_times(plus_times(d3, 2, d1), -3, d2);
        v[3] = times(4, odd);
        v[5] = plus_times(_mm256_sub_ps(d4, d2), -2, odd);
    } else {
        v[0] = times(4, _mm256_sub_ps(d0, d2));
        v[1] = times(-3, _mm256_add_ps(d1, d2));
        v[2] = times(3, _mm256_sub_ps(d1, d2));
        v[5] = odd;
    }
}

/* A' m: positions, `step` apart -> `size` numbers. */
OCT_INLINE void output_side(const size_t size, const __m256 *m, const size_t step, __m256 *o)
{
    const __m256 m5 = m[5 * step];
    const __m256 p = _mm256_add_ps(m[step], m[2 * step]), q = _mm256_sub_ps(m[step], m[2 * step]);
    if (size == 4) {
        const __m256 r = _mm256_add_ps(m[3 * step], m[4 * step]), t = _mm256_sub_ps(m[3 * step], m[4 * step]);
        o[0] = _mm256_add_ps(_mm256_add_ps(m[0], p), r);
        o[1] = plus_times(q, 2, t);
        o[2] = plus_times(p, 4, r);
        o[3] = plus_times(_mm256_add_ps(q, m5), 8, t);
    } else if (size == 3) {
        const __m256 m3 = m[3 * step];
        o[0] = _mm256_add_ps(_mm256_add_ps(m[0], p), m3);
        o[1] = plus_times(q, 2, m3);
        o[2] = plus_times(_mm256_add_ps(p, m5), 4, m3);
    } else {
        o[0] = _mm256_add_ps(m[0], p);
        o[1] = _mm256_add_ps(q, m5);
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

/* A mask of the first n lanes; n may be more than there are. */
OCT_INLINE __m256i lanes(size_t n)
{
    const __m256i each = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(n < LANES ? (int)n : LANES), each);
}

/* n elements, then zeros. */
OCT_INLINE __m256 load_some(const float *p, size_t n, __m256i some)
{
    return n >= LANES ? _mm256_loadu_ps(p) : _mm256_maskload_ps(p, some);
}

/* rows and cols: the tile's, constant. */
OCT_INLINE void input_tile(const oct_winograd_input *job, const size_t rows, const size_t cols)
{
    const oct_winograd_tile *tile = job->tile;
    for (size_t c = 0; c < job->c; c += LANES) {
        /* 1. Down the columns. Channels beyond c come as zeros and go to V as such. */
        const size_t left = job->c - c;
        const __m256i some = lanes(left);
        __m256 t[SIDE * SIDE];
        UNROLLED
        for (size_t x = 0; x < cols + 2; x++) {
            __m256 d[SIDE], v[SIDE];
            UNROLLED
            for (size_t y = 0; y < rows + 2; y++) {
                const float *from = (const float *)job->pixels[y * SIDE + x] + c;
                d[y] = load_some(from, left, some);
                /* The next tile shares two columns with this one. An image that comes from L3 is read twice as fast so. */
                if (x >= 2)
                    _mm_prefetch((const char *)from + 4 * job->c * sizeof(float), _MM_HINT_T0);
            }
            input_side(rows, d, 1, v);
            UNROLLED
            for (size_t i = 0; i < SIDE; i++)
                if (takes(rows, i))
                    t[i * SIDE + x] = v[i];
        }
        /* 2. Along the rows, and away. */
        char *line = (char *)job->v + c * sizeof(float);
        UNROLLED
        for (size_t i = 0; i < SIDE; i++, line += SIDE * job->position_bytes) {
            if (!takes(rows, i))
                continue;
            __m256 v[SIDE];
            input_side(cols, t + i * SIDE, 1, v);
            UNROLLED
            for (size_t j = 0; j < SIDE; j++)
                if (takes(cols, j))
                    _mm256_store_ps((float *)(void *)(line + place(tile, job->position_bytes, job->row_bytes, i, j)), v[j]);
        }
    }
}

void oct_winograd_input_f32_avx2(const oct_winograd_input *job)
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

/* Up to 8 channels of one pixel: residual, clamp, out. at: the channel's place in out. The same steps as epilogue_avx2.h's. */
OCT_INLINE void store_f32(const oct_epilogue *e, size_t at, size_t residual_at, size_t n, __m256i some, __m256 y)
{
    if (e->residual)
        y = _mm256_add_ps(y, load_some((const float *)e->residual + residual_at, n, some));
    y = clamp_ps(y, _mm256_set1_ps(e->lo), _mm256_set1_ps(e->hi));
    if (n >= LANES)
        _mm256_storeu_ps((float *)e->out + at, y);
    else
        _mm256_maskstore_ps((float *)e->out + at, some, y);
}

OCT_INLINE void store_u8(const oct_epilogue *e, size_t at, size_t residual_at, size_t n, __m256 y)
{
    const u8_range range = u8_range_of(e->out_zero, e->qlo, e->qhi);
    const size_t count = n < LANES ? n : LANES;
    uint8_t part[16] = {0};
    if (e->residual) {
        memcpy(part, (const uint8_t *)e->residual + residual_at, count);
        const __m256i centred = _mm256_sub_epi32(_mm256_cvtepu8_epi32(load_64(part)), _mm256_set1_epi32(e->residual_zero));
        y = _mm256_add_ps(y, _mm256_mul_ps(_mm256_cvtepi32_ps(centred), _mm256_set1_ps(e->residual_mult)));
    }
    y = _mm256_mul_ps(clamp_ps(y, _mm256_set1_ps(e->lo), _mm256_set1_ps(e->hi)), _mm256_set1_ps(e->out_mult));
    store_128(part, _mm256_castsi256_si128(in_order(round_u8(y, y, y, y, &range))));
    memcpy((uint8_t *)e->out + at, part, count);
}

OCT_INLINE void output_tile(const oct_winograd_output *job, const size_t rows, const size_t cols)
{
    const oct_winograd_tile *tile = job->tile;
    const oct_epilogue e = job->e;
    for (size_t c = 0; c < job->n; c += LANES) {
        const size_t left = job->n - c;
        const __m256i some = lanes(left);
        /* 1. Along the rows of M. */
        __m256 t[SIDE * 4];
        const char *line = (const char *)job->m + c * sizeof(float);
        UNROLLED
        for (size_t i = 0; i < SIDE; i++, line += SIDE * job->position_bytes) {
            if (!takes(rows, i))
                continue;
            __m256 m[SIDE];
            UNROLLED
            for (size_t j = 0; j < SIDE; j++)
                m[j] = _mm256_setzero_ps();
            UNROLLED
            for (size_t j = 0; j < SIDE; j++)
                if (takes(cols, j))
                    m[j] = _mm256_load_ps((const float *)(const void *)(line + place(tile, job->position_bytes, job->row_bytes, i, j)));
            output_side(cols, m, 1, t + i * 4);
        }
        /* 2. Down the columns: pixels. */
        UNROLLED
        for (size_t x = 0; x < cols; x++) {
            __m256 o[4];
            output_side(rows, t + x, 4, o);
            UNROLLED
            for (size_t y = 0; y < rows; y++) {
                const size_t at = y * job->out_line + x * e.out_ld + c, residual_at = y * job->residual_line + x * e.residual_ld + c;
                if (y >= job->rows || x >= job->cols)
                    continue;
                if (e.out_elem == OCT_ELEM_F32) {
                    /* The line that the next tile will write. */
                    __builtin_prefetch((float *)e.out + at + 4 * e.out_ld, 1);
                    store_f32(&e, at, residual_at, left, some, o[y]);
                }
                else
                    store_u8(&e, at, residual_at, left, o[y]);
            }
        }
    }
}

void oct_winograd_output_f32_avx2(const oct_winograd_output *job)
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

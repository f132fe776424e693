/* winograd_f32_neon.c - the input and output transforms of float Winograd, 4 channels at a time (kernels.h, winograd.h).
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
#include "epilogue_neon.h"
#include "neon.h"

enum { SIDE = 6, LANES = 4 };

/* ------------------------------------------------------------------------------------------ one side ---- */

OCT_INLINE float32x4_t times(float f, float32x4_t x) { return vmulq_n_f32(x, f); }
OCT_INLINE float32x4_t plus_times(float32x4_t y, float f, float32x4_t x) { return vfmaq_n_f32(y, x, f); }

/* B' d: `size` + 2 numbers, `step` apart -> positions 0, 1, 2, (3, (4,)) 5; size is a constant wherever this is inlined. */
OCT_INLINE void input_side(const size_t size, const float32x4_t *d, const size_t step, float32x4_t v[SIDE])
{
    const float32x4_t d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step];
    const float32x4_t odd = vsubq_f32(d3, d1);
    if (size == 4) {
        const float32x4_t d4 = d[4 * step], d5 = d[5 * step];
        const float32x4_t a = plus_times(d4, -4, d2), b = plus_times(d3, -4, d1), even = vsubq_f32(d4, d2);
        v[0] = plus_times(plus_times(d4, -5, d2), 4, d0);
        v[1] = vaddq_f32(a, b);
        v[2] = vsubq_f32(a, b);
        v[3] = plus_times(even, 2, odd);
        v[4] = plus_times(even, -2, odd);
        v[5] = plus_times(plus_times(d5, -5, d3), 4, d1);
    } else if (size == 3) {
        const float32x4_t d4 = d[4 * step];
        v[0] = plus_times(times(2, odd), 4, vsubq_f32(d0, d2));
        v[1] = times(3, vsubq_f32(d3, plus_times(d2, 2, d1)));
        v[2] = plus_times(plus_times(d3, 2, d1), -3, d2);
        v[3] = times(4, odd);
        v[5] = plus_times(vsubq_f32(d4, d2), -2, odd);
    } else {
        v[0] = times(4, vsubq_f32(d0, d2));
        v[1] = times(-3, vaddq_f32(d1, d2));
        v[2] = times(3, vsubq_f32(d1, d2));
        v[5] = odd;
    }
}

/* A' m: positions, `step` apart -> `size` numbers. */
OCT_INLINE void output_side(const size_t size, const float32x4_t *m, const size_t step, float32x4_t *o)
{
    const float32x4_t m5 = m[5 * step];
    const float32x4_t p = vaddq_f32(m[step], m[2 * step]), q = vsubq_f32(m[step], m[2 * step]);
    if (size == 4) {
        const float32x4_t r = vaddq_f32(m[3 * step], m[4 * step]), t = vsubq_f32(m[3 * step], m[4 * step]);
        o[0] = vaddq_f32(vaddq_f32(m[0], p), r);
        o[1] = plus_times(q, 2, t);
        o[2] = plus_times(p, 4, r);
        o[3] = plus_times(vaddq_f32(q, m5), 8, t);
    } else if (size == 3) {
        const float32x4_t m3 = m[3 * step];
        o[0] = vaddq_f32(vaddq_f32(m[0], p), m3);
        o[1] = plus_times(q, 2, m3);
        o[2] = plus_times(vaddq_f32(p, m5), 4, m3);
    } else {
        o[0] = vaddq_f32(m[0], p);
        o[1] = vaddq_f32(q, m5);
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
    for (size_t c = 0; c < job->c; c += LANES) {
        /* 1. Down the columns. Channels beyond c come as zeros and go to V as such. */
        const size_t left = at_most_4(job->c - c);
        float32x4_t t[SIDE * SIDE];
        OCT_UNROLLED
        for (size_t x = 0; x < cols + 2; x++) {
            float32x4_t d[SIDE], v[SIDE];
            OCT_UNROLLED
            for (size_t y = 0; y < rows + 2; y++) {
                const float *from = (const float *)job->pixels[y * SIDE + x] + c;
                d[y] = load_f32x4(from, left);
                /* The next tile shares two columns with this one. An image that comes from L3 is read twice as fast so. */
                if (x >= 2)
                    __builtin_prefetch((const char *)from + 4 * job->c * sizeof(float));
            }
            input_side(rows, d, 1, v);
            OCT_UNROLLED
            for (size_t i = 0; i < SIDE; i++)
                if (takes(rows, i))
                    t[i * SIDE + x] = v[i];
        }
        /* 2. Along the rows, and away. */
        char *line = (char *)job->v + c * sizeof(float);
        OCT_UNROLLED
        for (size_t i = 0; i < SIDE; i++, line += SIDE * job->position_bytes) {
            if (!takes(rows, i))
                continue;
            float32x4_t v[SIDE];
            input_side(cols, t + i * SIDE, 1, v);
            OCT_UNROLLED
            for (size_t j = 0; j < SIDE; j++)
                if (takes(cols, j))
                    vst1q_f32((float *)(void *)(line + place(tile, job->position_bytes, job->row_bytes, i, j)), v[j]);
        }
    }
}

void oct_winograd_input_f32_neon(const oct_winograd_input *job)
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

/* Up to four channels of one pixel. */
OCT_INLINE void store(const oct_epilogue *e, size_t at, size_t residual_at, size_t n, float32x4_t y)
{
    const size_t size = e->out_elem == OCT_ELEM_F32 ? sizeof(float) : 1;
    oct_epilogue here = *e;
    here.out = (char *)e->out + at * size;
    if (e->residual)
        here.residual = (const char *)e->residual + residual_at * size;
    finish_f32x4(&here, 0, 0, n, y);
}

OCT_INLINE void output_tile(const oct_winograd_output *job, const size_t rows, const size_t cols)
{
    const oct_winograd_tile *tile = job->tile;
    const oct_epilogue e = job->e;
    for (size_t c = 0; c < job->n; c += LANES) {
        const size_t left = at_most_4(job->n - c);
        /* 1. Along the rows of M. */
        float32x4_t t[SIDE * 4];
        const char *line = (const char *)job->m + c * sizeof(float);
        OCT_UNROLLED
        for (size_t i = 0; i < SIDE; i++, line += SIDE * job->position_bytes) {
            if (!takes(rows, i))
                continue;
            float32x4_t m[SIDE];
            OCT_UNROLLED
            for (size_t j = 0; j < SIDE; j++)
                m[j] = vdupq_n_f32(0);
            OCT_UNROLLED
            for (size_t j = 0; j < SIDE; j++)
                if (takes(cols, j))
                    m[j] = vld1q_f32((const float *)(const void *)(line + place(tile, job->position_bytes, job->row_bytes, i, j)));
            output_side(cols, m, 1, t + i * 4);
        }
        /* 2. Down the columns: pixels. */
        OCT_UNROLLED
        for (size_t x = 0; x < cols; x++) {
            float32x4_t o[4];
            output_side(rows, t + x, 4, o);
            OCT_UNROLLED
            for (size_t y = 0; y < rows; y++) {
                const size_t at = y * job->out_line + x * e.out_ld + c, residual_at = y * job->residual_line + x * e.residual_ld + c;
                if (y >= job->rows || x >= job->cols)
                    continue;
                store(&e, at, residual_at, left, o[y]);
            }
        }
    }
}

void oct_winograd_output_f32_neon(const oct_winograd_output *job)
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

/* winograd_f32_body.h - the input and output transforms of float Winograd (kernels.h, winograd.h), one body for all widths. The
 * including file gives the vector and what can be done with it:
 *
 *   vector, LANES                        floats, how many
 *   add, sub, times, plus_times          x + y; x - y; f * x; y + f * x in one rounding
 *   load, store                          whole and aligned
 *   load_pixel(from, left)               the first `left` floats, or as many as there are lanes; then zeros
 *   store_pixel(e, at, res, left, y)     through the epilogue e to element `at` of out; its residual is at element `res`
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
 * A transform is two passes: down the columns of the tile into a square t on the stack (36 vectors fit no register file), then
 * along its rows. Each pass is one side's transform in registers, in a loop over the columns or rows there are; so three sizes
 * each way take six pieces of code, not nine times twelve.
 *
 *     pixels  d00 .. d05        t00 .. t05        V(0)  .. V(5)
 *              :       :   -->   :       :   -->   :        :          12 one-side transforms of 12 operations; 36 loads, 36 stores
 *             d50 .. d55        t50 .. t55        V(30) .. V(35)
 */
#include "winograd_positions.h"

/* ------------------------------------------------------------------------------------------ one side ---- */

/* B' d: `size` + 2 numbers -> positions 0, 1, 2, (3, (4,)) 5; size is a constant wherever this is inlined. */
OCT_INLINE void input_side(const size_t size, const vector d[SIDE], vector v[SIDE])
{
    const vector odd = sub(d[3], d[1]);
    if (size == 4) {
        const vector a = plus_times(d[4], -4, d[2]), b = plus_times(d[3], -4, d[1]), even = sub(d[4], d[2]);
        v[0] = plus_times(plus_times(d[4], -5, d[2]), 4, d[0]);
        v[1] = add(a, b);
        v[2] = sub(a, b);
        v[3] = plus_times(even, 2, odd);
        v[4] = plus_times(even, -2, odd);
        v[5] = plus_times(plus_times(d[5], -5, d[3]), 4, d[1]);
    } else if (size == 3) {
        v[0] = plus_times(times(2, odd), 4, sub(d[0], d[2]));
        v[1] = times(3, sub(d[3], plus_times(d[2], 2, d[1])));
        v[2] = plus_times(plus_times(d[3], 2, d[1]), -3, d[2]);
        v[3] = times(4, odd);
        v[5] = plus_times(sub(d[4], d[2]), -2, odd);
    } else {
        v[0] = times(4, sub(d[0], d[2]));
        v[1] = times(-3, add(d[1], d[2]));
        v[2] = times(3, sub(d[1], d[2]));
        v[5] = odd;
    }
}

/* A' m: positions, `step` apart -> `size` numbers. */
OCT_INLINE void output_side(const size_t size, const vector *m, const size_t step, vector *o)
{
    const vector m5 = m[5 * step];
    const vector p = add(m[step], m[2 * step]), q = sub(m[step], m[2 * step]);
    if (size == 4) {
        const vector r = add(m[3 * step], m[4 * step]), t = sub(m[3 * step], m[4 * step]);
        o[0] = add(add(m[0], p), r);
        o[1] = plus_times(q, 2, t);
        o[2] = plus_times(p, 4, r);
        o[3] = plus_times(add(q, m5), 8, t);
    } else if (size == 3) {
        const vector m3 = m[3 * step];
        o[0] = add(add(m[0], p), m3);
        o[1] = plus_times(q, 2, m3);
        o[2] = plus_times(add(p, m5), 4, m3);
    } else {
        o[0] = add(m[0], p);
        o[1] = add(q, m5);
    }
}

/* --------------------------------------------------------------------------------- input transform ---- */

/* Pass 1, down the columns: LANES channels of all pixels, from c on. rows: the tile's, constant. */
OCT_INLINE void input_columns(const oct_winograd_input *job, size_t c, const size_t rows, vector t[SIDE][SIDE])
{
    const size_t ahead = 4 * job->c, left = job->c - c, columns = job->tile->cols + 2;
    for (size_t x = 0; x < columns; x++) {
        vector d[SIDE], v[SIDE];
        OCT_UNROLLED
        for (size_t y = 0; y < rows + 2; y++) {
            const float *from = (const float *)job->pixels[y * SIDE + x] + c;
            d[y] = load_pixel(from, left);
            /* The next tile shares two columns with this one. An image that comes from L3 is read twice as fast so. */
            if (x >= 2)
                __builtin_prefetch(from + ahead);
        }
        input_side(rows, d, v);
        OCT_UNROLLED
        for (size_t i = 0; i < SIDE; i++)
            if (takes(rows, i))
                t[i][x] = v[i];
    }
}

/* Pass 2, along the rows, and away to V. cols: the tile's, constant. */
OCT_INLINE void input_rows(char *to, const places *at, size_t rows, const size_t cols, vector t[SIDE][SIDE])
{
    OCT_UNROLLED
    for (size_t i = 0; i < SIDE; i++, to += SIDE * at->position) {
        if (!takes(rows, i))
            continue;
        vector v[SIDE];
        input_side(cols, t[i], v);
        OCT_UNROLLED
        for (size_t j = 0; j < SIDE; j++)
            if (takes(cols, j))
                store(to + place(at, i, j), v[j]);
    }
}

/* Channels beyond the last come as zeros and go to V as such. */
OCT_INLINE void input_transform(const oct_winograd_input *job)
{
    const places at = places_of(job->tile, job->position_bytes, job->row_bytes);
    const size_t rows = job->tile->rows, cols = job->tile->cols;
    for (size_t c = 0; c < job->c; c += LANES) {
        char *to = (char *)job->v + c * sizeof(float);
        vector t[SIDE][SIDE];
        switch (rows) {
        case 4: input_columns(job, c, 4, t); break;
        case 3: input_columns(job, c, 3, t); break;
        default: input_columns(job, c, 2, t); break;
        }
        switch (cols) {
        case 4: input_rows(to, &at, rows, 4, t); break;
        case 3: input_rows(to, &at, rows, 3, t); break;
        default: input_rows(to, &at, rows, 2, t); break;
        }
    }
}

/* -------------------------------------------------------------------------------- output transform ---- */

/* Pass 1, along the rows of M. cols: the tile's, constant. */
OCT_INLINE void output_rows(const char *from, const places *at, size_t rows, const size_t cols, vector t[SIDE][4])
{
    OCT_UNROLLED
    for (size_t i = 0; i < SIDE; i++, from += SIDE * at->position) {
        if (!takes(rows, i))
            continue;
        vector m[SIDE];
        OCT_UNROLLED
        for (size_t j = 0; j < SIDE; j++)
            m[j] = load(from + place(at, i, takes(cols, j) ? j : 0));
        output_side(cols, m, 1, t[i]);
    }
}

/* Pass 2, down the columns: pixels, as many as exist, channels from c on. rows: the tile's, constant. */
OCT_INLINE void output_columns(const oct_winograd_output *job, size_t c, const size_t rows, vector t[SIDE][4])
{
    const oct_winograd_output its = *job;
    for (size_t x = 0; x < its.cols; x++) {
        vector o[4];
        output_side(rows, t[0] + x, 4, o);
        size_t at = x * its.e.out_ld + c, residual_at = x * its.e.residual_ld + c;
        OCT_UNROLLED
        for (size_t y = 0; y < rows; y++, at += its.out_line, residual_at += its.residual_line)
            if (y < its.rows)
                store_pixel(&its.e, at, residual_at, its.n - c, o[y]);
    }
}

OCT_INLINE void output_transform(const oct_winograd_output *job)
{
    const places at = places_of(job->tile, job->position_bytes, job->row_bytes);
    const size_t rows = job->tile->rows, cols = job->tile->cols;
    for (size_t c = 0; c < job->n; c += LANES) {
        const char *from = (const char *)job->m + c * sizeof(float);
        vector t[SIDE][4];
        switch (cols) {
        case 4: output_rows(from, &at, rows, 4, t); break;
        case 3: output_rows(from, &at, rows, 3, t); break;
        default: output_rows(from, &at, rows, 2, t); break;
        }
        switch (rows) {
        case 4: output_columns(job, c, 4, t); break;
        case 3: output_columns(job, c, 3, t); break;
        default: output_columns(job, c, 2, t); break;
        }
    }
}

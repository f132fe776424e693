/* winograd_u8s8_body.h - the transforms of exact integer Winograd, one body for all widths; twin of
 * scalar/winograd_u8s8_scalar.c, whose matrices they compute. winograd_weights_u8s8.c proves the ranges. The including file gives
 * the vectors and what can be done with them:
 *
 *   shorts, SHORTS                       s16, how many
 *   add_16, sub_16, twice_16, four_16    x + y, x - y, 2 x, 4 x modulo 2^16
 *   none_16()                            zeros
 *   load_pixel(from, left)               the first `left` bytes, or as many as there are lanes, widened; then zeros
 *   load_weights(from), store_16         s8 widened, unaligned; unaligned
 *   words, WORDS                         s32, how many
 *   add_32, sub_32, twice_32, four_32    x + y, x - y, 2 x, 4 x modulo 2^32
 *   load_32                              aligned
 *   ninth_of_64th(x)                     of 576 y modulo 2^32: y
 *   finish_pixels(e, n, exist, size, y)  n columns of `size` pixels below each other, `exist` of which exist, through the direct kernels'
 *                                        epilogue; e is at the first of them, a line of the image from row to row
 *
 * Two passes, as in winograd_f32_body.h:
 *
 *     bytes  d00 .. d05        t00 .. t05        V(0)  .. V(5)       s16: 12 one-side transforms of 17 additions and shifts; 36 loads,
 *             :       :   -->   :       :   -->   :        :         36 stores, and the square t between them
 *            d50 .. d55        t50 .. t55        V(30) .. V(35)
 *
 *     M(0)  .. M(5)            t00 .. t03        y00 .. y03          s32: 10 one-side transforms of 14. Then 16 outputs: times 1/9, >> 6,
 *      :        :      -->      :       :  -->    :       :          and the direct kernels' epilogue, a column of pixels at a time
 *     M(30) .. M(35)           t50 .. t53        y30 .. y33
 */
#include "winograd_positions.h"

/* ------------------------------------------------------------------------------------------ one side ---- */

/* 3 x */
OCT_INLINE shorts thrice_16(shorts x) { return add_16(x, twice_16(x)); }

/* B' d: `size` + 2 vectors -> positions 0, 1, 2, (3, (4,)) 5; size is a constant wherever this is inlined. */
OCT_INLINE void input_side(const size_t size, const shorts d[SIDE], shorts v[SIDE])
{
    const shorts odd = sub_16(d[3], d[1]);
    if (size == 4) {
        const shorts a = sub_16(d[4], four_16(d[2])), b = sub_16(d[3], four_16(d[1]));
        const shorts even = sub_16(d[4], d[2]), twice = twice_16(odd);
        v[0] = add_16(four_16(sub_16(d[0], d[2])), even);
        v[1] = add_16(a, b);
        v[2] = sub_16(a, b);
        v[3] = add_16(even, twice);
        v[4] = sub_16(even, twice);
        v[5] = sub_16(sub_16(d[5], d[3]), twice_16(twice));
    } else if (size == 3) {
        const shorts twice = twice_16(odd);
        v[0] = add_16(four_16(sub_16(d[0], d[2])), twice);
        v[1] = thrice_16(sub_16(sub_16(d[3], d[2]), twice_16(d[1])));
        v[2] = sub_16(add_16(d[3], twice_16(d[1])), thrice_16(d[2]));
        v[3] = twice_16(twice);
        v[5] = sub_16(twice_16(sub_16(d[4], d[2])), v[3]);
    } else {
        v[0] = four_16(sub_16(d[0], d[2]));
        v[1] = sub_16(none_16(), thrice_16(add_16(d[1], d[2])));
        v[2] = thrice_16(sub_16(d[1], d[2]));
        v[5] = twice_16(odd);
    }
}

/* A' m: positions, `step` apart -> `size` vectors, modulo 2^32. */
OCT_INLINE void output_side(const size_t size, const words *m, const size_t step, words o[4])
{
    const words m5 = m[5 * step];
    const words p = add_32(m[step], m[2 * step]), q = sub_32(m[step], m[2 * step]);
    if (size == 4) {
        const words r = add_32(m[3 * step], m[4 * step]), t = sub_32(m[3 * step], m[4 * step]);
        o[0] = add_32(add_32(m[0], p), r);
        o[1] = add_32(q, twice_32(t));
        o[2] = add_32(p, four_32(r));
        o[3] = add_32(q, twice_32(add_32(four_32(t), m5)));
    } else if (size == 3) {
        const words m3 = m[3 * step];
        o[0] = add_32(add_32(m[0], p), m3);
        o[1] = add_32(q, twice_32(m3));
        o[2] = add_32(add_32(p, four_32(m3)), m5);
    } else {
        o[0] = add_32(m[0], p);
        o[1] = add_32(q, m5);
    }
}

/* ----------------------------------------------------------------------------------- input transform ---- */

/* Pass 1, down the columns: channels from c on of all pixels. rows: the tile's, constant. */
OCT_INLINE void input_columns(const oct_winograd_input *job, size_t c, const size_t rows, shorts t[SIDE][SIDE])
{
    const size_t columns = job->tile->cols + 2, left = job->c > c ? job->c - c : 0;
    for (size_t x = 0; x < columns; x++) {
        shorts d[SIDE], v[SIDE];
        OCT_UNROLLED
        for (size_t y = 0; y < rows + 2; y++)
            d[y] = load_pixel((const uint8_t *)job->pixels[y * SIDE + x] + c, left);
        input_side(rows, d, v);
        OCT_UNROLLED
        for (size_t i = 0; i < SIDE; i++)
            if (takes(rows, i))
                t[i][x] = v[i];
    }
}

/* Pass 2, along the rows, and away to V. cols: the tile's, constant. */
OCT_INLINE void input_rows(char *to, const places *at, size_t rows, const size_t cols, shorts t[SIDE][SIDE])
{
    OCT_UNROLLED
    for (size_t i = 0; i < SIDE; i++, to += SIDE * at->position) {
        if (!takes(rows, i))
            continue;
        shorts v[SIDE];
        input_side(cols, t[i], v);
        OCT_UNROLLED
        for (size_t j = 0; j < SIDE; j++)
            if (takes(cols, j))
                store_16(to + place(at, i, j), v[j]);
    }
}

/* Channels that do not exist, up to the row's end, are zeros: so are all their sums. */
OCT_INLINE void input_transform(const oct_winograd_input *job)
{
    const places at = places_of(job->tile, job->position_bytes, job->row_bytes);
    const size_t rows = job->tile->rows, cols = job->tile->cols;
    for (size_t c = 0; c < job->row_bytes / sizeof(int16_t); c += SHORTS) {
        char *to = (char *)job->v + c * sizeof(int16_t);
        shorts t[SIDE][SIDE];
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

/* ---------------------------------------------------------------------------------- output transform ---- */

/* Pass 1, along the rows of M. cols: the tile's, constant. */
OCT_INLINE void output_rows(const char *from, const places *at, size_t rows, const size_t cols, words t[SIDE][4])
{
    OCT_UNROLLED
    for (size_t i = 0; i < SIDE; i++, from += SIDE * at->position) {
        if (!takes(rows, i))
            continue;
        words m[SIDE];
        OCT_UNROLLED
        for (size_t j = 0; j < SIDE; j++)
            m[j] = load_32(from + place(at, i, takes(cols, j) ? j : 0));
        output_side(cols, m, 1, t[i]);
    }
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

/* Pass 2, down the columns: pixels, and the epilogue, channels from c on. rows: the tile's, constant. */
OCT_INLINE void output_columns(const oct_winograd_output *job, size_t c, const size_t rows, words t[SIDE][4])
{
    const size_t columns = job->cols;
    for (size_t x = 0; x < columns; x++) {
        words y[4];
        output_side(rows, t[0] + x, 4, y);
        OCT_UNROLLED
        for (size_t i = 0; i < rows; i++)
            y[i] = ninth_of_64th(y[i]);
        const oct_epilogue e = epilogue_at(job, x, c);
        finish_pixels(&e, job->n - c, job->rows, rows, y);
    }
}

OCT_INLINE void output_transform(const oct_winograd_output *job)
{
    const places at = places_of(job->tile, job->position_bytes, job->row_bytes);
    const size_t rows = job->tile->rows, cols = job->tile->cols;
    for (size_t c = 0; c < job->n; c += WORDS) {
        const char *from = (const char *)job->m + c * sizeof(int32_t);
        words t[SIDE][4];
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

/* --------------------------------------------------------------------------------- weights when needed ---- */

/* Row i of G times three rows of one column of taps: w(0, x), w(1, x), w(2, x). i is constant. */
OCT_INLINE shorts column_of_g(const size_t i, const int8_t *w, size_t count)
{
    const shorts w0 = i < 5 ? load_weights(w) : none_16();
    const shorts w1 = i >= 1 && i <= 4 ? load_weights(w + 3 * count) : none_16();
    const shorts w2 = i >= 1 ? load_weights(w + 6 * count) : none_16();
    switch (i) {
    case 0: return twice_16(thrice_16(w0));
    case 1: return sub_16(none_16(), four_16(add_16(add_16(w0, w2), w1)));
    case 2: return four_16(sub_16(w1, add_16(w0, w2)));
    case 3: return add_16(add_16(w0, four_16(w2)), twice_16(w1));
    case 4: return sub_16(add_16(w0, four_16(w2)), twice_16(w1));
    default: return four_16(thrice_16(w2));
    }
}

/* U(i, 0) .. U(i, 5), element by element. count is a multiple of SHORTS, for panels are that wide, or half as wide and two deep. */
OCT_INLINE void expand_row(const int8_t *w, size_t count, const size_t i, int16_t *u)
{
    for (size_t e = 0; e < count; e += SHORTS) {
        const shorts t0 = column_of_g(i, w + e, count), t1 = column_of_g(i, w + count + e, count);
        const shorts t2 = column_of_g(i, w + 2 * count + e, count);
        const shorts even = add_16(t0, t2), far = add_16(t0, four_16(t2)), twice = twice_16(t1);
        store_16(u + e, twice_16(thrice_16(t0)));
        store_16(u + count + e, sub_16(none_16(), four_16(add_16(even, t1))));
        store_16(u + 2 * count + e, four_16(sub_16(t1, even)));
        store_16(u + 3 * count + e, add_16(far, twice));
        store_16(u + 4 * count + e, sub_16(far, twice));
        store_16(u + 5 * count + e, four_16(thrice_16(t2)));
    }
}

OCT_INLINE void expand_weights(const void *w, size_t groups, const oct_gemm_entry *panel, size_t i, void *u)
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

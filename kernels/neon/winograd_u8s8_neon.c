/* winograd_u8s8_neon.c - exact integer Winograd: the transforms, twin of scalar/winograd_u8s8_scalar.c, whose matrices they compute.
 * winograd_weights_u8s8.c proves the ranges.
 *
 *     bytes  d00 .. d05        t00 .. t05        V(0)  .. V(5)       8 channels at a time, s16: 12 one-side transforms of 17 additions
 *             :       :   -->   :       :   -->   :        :         and shifts; 36 loads, 36 stores, and the square t between them
 *            d50 .. d55        t50 .. t55        V(30) .. V(35)      on the stack
 *
 *     M(0)  .. M(5)            t00 .. t03        y00 .. y03          4 columns at a time, s32: 10 one-side transforms of 14. Then 16
 *      :        :      -->      :       :  -->    :       :          outputs: times 1/9, >> 6, and the direct kernels' epilogue
 *     M(30) .. M(35)           t50 .. t53        y30 .. y33
 */
#include "epilogue_neon.h"
#include "neon.h"

enum { SIDE = 6, LANES = 8 };

/* ------------------------------------------------------------------------------------------ one side ---- */

OCT_INLINE int16x8_t add_16(int16x8_t x, int16x8_t y) { return vaddq_s16(x, y); }
OCT_INLINE int16x8_t sub_16(int16x8_t x, int16x8_t y) { return vsubq_s16(x, y); }
OCT_INLINE int16x8_t twice_16(int16x8_t x) { return vshlq_n_s16(x, 1); }
OCT_INLINE int16x8_t four_16(int16x8_t x) { return vshlq_n_s16(x, 2); }

/* 3 x */
OCT_INLINE int16x8_t thrice_16(int16x8_t x) { return add_16(x, twice_16(x)); }

/* B' d: `size` + 2 vectors -> positions 0, 1, 2, (3, (4,)) 5; size is a constant wherever this is inlined. */
OCT_INLINE void input_side(const size_t size, const int16x8_t d[SIDE], int16x8_t v[SIDE])
{
    const int16x8_t odd = sub_16(d[3], d[1]);
    if (size == 4) {
        const int16x8_t a = sub_16(d[4], four_16(d[2])), b = sub_16(d[3], four_16(d[1]));
        const int16x8_t even = sub_16(d[4], d[2]), twice = twice_16(odd);
        v[0] = add_16(four_16(sub_16(d[0], d[2])), even);
        v[1] = add_16(a, b);
        v[2] = sub_16(a, b);
        v[3] = add_16(even, twice);
        v[4] = sub_16(even, twice);
        v[5] = sub_16(sub_16(d[5], d[3]), twice_16(twice));
    } else if (size == 3) {
        const int16x8_t twice = twice_16(odd);
        v[0] = add_16(four_16(sub_16(d[0], d[2])), twice);
        v[1] = thrice_16(sub_16(sub_16(d[3], d[2]), twice_16(d[1])));
        v[2] = sub_16(add_16(d[3], twice_16(d[1])), thrice_16(d[2]));
        v[3] = twice_16(twice);
        v[5] = sub_16(twice_16(sub_16(d[4], d[2])), v[3]);
    } else {
        v[0] = four_16(sub_16(d[0], d[2]));
        v[1] = sub_16(vdupq_n_s16(0), thrice_16(add_16(d[1], d[2])));
        v[2] = thrice_16(sub_16(d[1], d[2]));
        v[5] = twice_16(odd);
    }
}

OCT_INLINE int32x4_t add_32(int32x4_t x, int32x4_t y) { return vaddq_s32(x, y); }
OCT_INLINE int32x4_t sub_32(int32x4_t x, int32x4_t y) { return vsubq_s32(x, y); }
OCT_INLINE int32x4_t twice_32(int32x4_t x) { return vshlq_n_s32(x, 1); }
OCT_INLINE int32x4_t four_32(int32x4_t x) { return vshlq_n_s32(x, 2); }

/* A' m: positions, `step` apart -> `size` vectors, modulo 2^32. */
OCT_INLINE void output_side(const size_t size, const int32x4_t *m, const size_t step, int32x4_t o[4])
{
    const int32x4_t m5 = m[5 * step];
    const int32x4_t p = add_32(m[step], m[2 * step]), q = sub_32(m[step], m[2 * step]);
    if (size == 4) {
        const int32x4_t r = add_32(m[3 * step], m[4 * step]), t = sub_32(m[3 * step], m[4 * step]);
        o[0] = add_32(add_32(m[0], p), r);
        o[1] = add_32(q, twice_32(t));
        o[2] = add_32(p, four_32(r));
        o[3] = add_32(q, twice_32(add_32(four_32(t), m5)));
    } else if (size == 3) {
        const int32x4_t m3 = m[3 * step];
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

/* The channels from c on, fewer than a vector of them, of all pixels, filled up with zeros: so are all their sums. */
static void copy_rest(const oct_winograd_input *job, size_t c, uint8_t rest[SIDE * SIDE][LANES], const void *pixels[SIDE * SIDE])
{
    const size_t count = job->c > c ? job->c - c : 0;
    memset(rest, 0, SIDE * SIDE * LANES);
    for (size_t y = 0; y < job->tile->rows + 2; y++)
        for (size_t x = 0; x < job->tile->cols + 2; x++) {
            const size_t i = y * SIDE + x;
            memcpy(rest[i], (const uint8_t *)job->pixels[i] + c, count);
            pixels[i] = rest[i];
        }
}

OCT_INLINE int16x8_t widened(const uint8_t *q) { return vreinterpretq_s16_u16(vmovl_u8(vld1_u8(q))); }

/* rows and cols: the tile's, constant. */
OCT_INLINE void input_tile(const oct_winograd_input *job, const size_t rows, const size_t cols)
{
    const oct_winograd_tile *tile = job->tile;
    uint8_t rest[SIDE * SIDE][LANES];
    const void *rest_pixels[SIDE * SIDE];
    for (size_t c = 0; c < job->row_bytes / sizeof(int16_t); c += LANES) {
        const bool whole = c + LANES <= job->c;
        const void *const *pixels = whole ? job->pixels : rest_pixels;
        const size_t from = whole ? c : 0;
        if (!whole)
            copy_rest(job, c, rest, rest_pixels);
        int16x8_t t[SIDE][SIDE];
        /* 1. Down the columns. */
        OCT_UNROLLED
        for (size_t x = 0; x < cols + 2; x++) {
            int16x8_t d[SIDE], v[SIDE];
            OCT_UNROLLED
            for (size_t y = 0; y < rows + 2; y++)
                d[y] = widened((const uint8_t *)pixels[y * SIDE + x] + from);
            input_side(rows, d, v);
            OCT_UNROLLED
            for (size_t i = 0; i < SIDE; i++)
                if (takes(rows, i))
                    t[i][x] = v[i];
        }
        /* 2. Along the rows, and away. */
        char *line = (char *)job->v + c * sizeof(int16_t);
        OCT_UNROLLED
        for (size_t i = 0; i < SIDE; i++, line += SIDE * job->position_bytes) {
            if (!takes(rows, i))
                continue;
            int16x8_t v[SIDE];
            input_side(cols, t[i], v);
            OCT_UNROLLED
            for (size_t j = 0; j < SIDE; j++)
                if (takes(cols, j))
                    vst1q_s16(at(tile, line, job->position_bytes, job->row_bytes, i, j), v[j]);
        }
    }
}

void oct_winograd_input_u8s8_neon(const oct_winograd_input *job)
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
OCT_INLINE int32x4_t divided(int32x4_t sum) { return vshrq_n_s32(vmulq_s32(sum, vdupq_n_s32(0x38E38E39)), 6); }

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
    for (size_t c = 0; c < job->n; c += 4) {
        int32x4_t t[SIDE * 4];
        /* 1. Along the rows of M. */
        char *line = (char *)job->m + c * sizeof(int32_t);
        OCT_UNROLLED
        for (size_t i = 0; i < SIDE; i++, line += SIDE * job->position_bytes) {
            if (!takes(rows, i))
                continue;
            int32x4_t m[SIDE];
            OCT_UNROLLED
            for (size_t j = 0; j < SIDE; j++)
                m[j] = takes(cols, j) ? vld1q_s32(at(tile, line, job->position_bytes, job->row_bytes, i, j)) : vdupq_n_s32(0);
            output_side(cols, m, 1, t + i * 4);
        }
        /* 2. Down the columns: pixels.  3. Epilogue. */
        OCT_UNROLLED
        for (size_t x = 0; x < cols; x++) {
            int32x4_t o[4];
            output_side(rows, t + x, 4, o);
            const oct_epilogue e = epilogue_at(job, x, c);
            OCT_UNROLLED
            for (size_t i = 0; i < rows; i++)
                if (x < job->cols && i < job->rows)
                    finish_s32x4(&e, i, 0, at_most_4(job->n - c), divided(o[i]));
        }
    }
}

void oct_winograd_output_u8s8_neon(const oct_winograd_output *job)
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
OCT_INLINE int16x8_t column_of_g(const size_t i, const int8_t *w, size_t count)
{
    const int16x8_t zero = vdupq_n_s16(0);
    const int16x8_t w0 = i < 5 ? vmovl_s8(vld1_s8(w)) : zero;
    const int16x8_t w1 = i >= 1 && i <= 4 ? vmovl_s8(vld1_s8(w + 3 * count)) : zero;
    const int16x8_t w2 = i >= 1 ? vmovl_s8(vld1_s8(w + 6 * count)) : zero;
    switch (i) {
    case 0: return twice_16(thrice_16(w0));
    case 1: return sub_16(zero, four_16(add_16(add_16(w0, w2), w1)));
    case 2: return four_16(sub_16(w1, add_16(w0, w2)));
    case 3: return add_16(add_16(w0, four_16(w2)), twice_16(w1));
    case 4: return sub_16(add_16(w0, four_16(w2)), twice_16(w1));
    default: return four_16(thrice_16(w2));
    }
}

/* U(i, 0) .. U(i, 5), element by element, 8 at a time: count is a multiple of 8, for panels are 8 columns wide or 16. */
OCT_INLINE void expand_row(const int8_t *w, size_t count, const size_t i, int16_t *u)
{
    for (size_t e = 0; e < count; e += LANES) {
        const int16x8_t t0 = column_of_g(i, w + e, count), t1 = column_of_g(i, w + count + e, count);
        const int16x8_t t2 = column_of_g(i, w + 2 * count + e, count);
        const int16x8_t even = add_16(t0, t2), far = add_16(t0, four_16(t2)), twice = twice_16(t1);
        vst1q_s16(u + e, twice_16(thrice_16(t0)));
        vst1q_s16(u + count + e, sub_16(vdupq_n_s16(0), four_16(add_16(even, t1))));
        vst1q_s16(u + 2 * count + e, four_16(sub_16(t1, even)));
        vst1q_s16(u + 3 * count + e, add_16(far, twice));
        vst1q_s16(u + 4 * count + e, sub_16(far, twice));
        vst1q_s16(u + 5 * count + e, four_16(thrice_16(t2)));
    }
}

void oct_winograd_expand_u8s8_neon(const void *w, size_t groups, const oct_gemm_entry *panel, size_t i, void *u)
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

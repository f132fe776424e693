/* depthwise_walk_avx512.h - the walk of the integer depthwise kernels, written once for depthwise_u8s8_avx512.c and
 * depthwise_u8s8_avx512vnni.c:
 *   acc[c] = acc_bias[c] + sum over taps (ky, kx) of  in[y * stride - pad + ky][x * stride - pad + kx][c] * w[ky][kx][c];  then requantised
 *
 * Before including it a file defines how many rows one multiplication sums (DEPTH), the type of a packed weight (weight), and
 *   group()           64 channels of DEPTH rows -> four vectors: each 32-bit lane holds the DEPTH pixels of one channel
 *   add_products()    acc + the sum of a lane's DEPTH products
 *
 * 64 channels and one or two output rows at a time, walking along them column by column, as depthwise_f32_avx512.c does. A column of input
 * pixels is loaded and interleaved once, then added to every sum it has a part in; the sums slide. 3x3, stride 1, two rows, DEPTH 4:
 *
 *     rows of one column, 64 bytes each        interleaved (16 channels per vector)      sums of output column   s    s-1   s-2
 *     | r0: c0 c1 c2 ..            |           | c0: r0 r1 r2 r3 | c1: r0 r1 .. |                      row 0    (4)   (4)   (4)
 *     | r1: c0 c1 c2 ..            |   --->    four such vectors                   --->                row 1    (4)   (4)   (4)
 *     | r2                         |           weights: row 0:  | w0 w1 w2  0 |
 *     | r3                         |                    row 1:  |  0 w0 w1 w2 |            24 sums + 4 vectors; 24 weights in memory
 *
 * Interleaving works within 128-bit lanes: vector v, lane L, 32-bit place i holds channel 16 L + 4 v + i. Weights, bias and multipliers are
 * packed in that order, and narrowing (packs, packs, packus: oct_narrow_64) undoes it without a permutation.
 *
 * A rest of 32 (16) channels would waste half (three quarters) of the registers: there the 64 bytes are two (four) pieces from different
 * output rows, "parts", each with its own pointers. Blocks, as for C = 120: 64, then 64 ending with the last channel (so that no mask is
 * needed; the shared channels are computed twice, with the same result); C = 144: 64, 64, 16.
 *
 * Columns outside the image hold the zero point; so does the line that rows outside the image point to (scratch memory).
 */
#ifndef OCT_DEPTHWISE_WALK_AVX512_H
#define OCT_DEPTHWISE_WALK_AVX512_H

#include "depthwise_avx512.h"

enum { MAX_PARTS = 4, MAX_ROWS = 5, MAX_SUMS = 24, STRIP_BYTES = 256 * 1024 };

/* ----------------------------------------------------------------------------------- blocks and packing ---- */

/* A block starts at channel c and has 64 / parts channels. */
typedef struct block {
    size_t c, parts;
    size_t next;                /* where the one after it starts counting; C: this is the last */
} block;

static inline block block_from(size_t channels, size_t from)
{
    const size_t left = channels - from;
    /* The widest that is not mostly waste: wider than the rest only if it can move back, to end with the last channel. */
    const size_t width = left > 32 ? (channels >= 64 ? 64 : 32) : left > 16 ? (channels >= 32 ? 32 : 16) : 16;
    const size_t c = left < width ? channels - width : from;
    return (block){c, 64 / width, c + width};
}

/* Packed, per block:  | acc_bias 64 | mult 64 | bias 64 | weights [rows][kx][group][vector][16][DEPTH] |    all in the order of the lanes */
typedef struct packed_block {
    int32_t acc_bias[64];
    float mult[64], bias[64];
    weight w[];
} packed_block;

static inline size_t groups_of(size_t kernel, size_t stride, size_t rows) { return ((rows - 1) * stride + kernel + DEPTH - 1) / DEPTH; }

static inline size_t block_bytes(size_t kernel, size_t stride, size_t rows)
{
    return sizeof(packed_block) + rows * kernel * groups_of(kernel, stride, rows) * 64 * DEPTH * sizeof(weight);
}

static inline size_t packed_bytes(const oct_conv_shape *s, size_t rows)
{
    size_t count = 0;
    for (size_t from = 0; from < s->in_c; from = block_from(s->in_c, from).next)
        count++;
    return count * block_bytes(s->kernel_h, s->stride_h, rows);
}

/* The weights of one channel, which has place `place` of 64. Output row r uses the rows from r * stride on. */
static inline void pack_channel(const oct_conv_shape *s, const int8_t *w, weight *to, size_t place, size_t rows)
{
    const size_t kernel = s->kernel_h, groups = groups_of(kernel, s->stride_h, rows);
    for (size_t r = 0; r < rows; r++)
        for (size_t kx = 0; kx < kernel; kx++)
            for (size_t i = 0; i < groups * DEPTH; i++) {
                const size_t ky = i - r * s->stride_h;
                const size_t group = (r * kernel + kx) * groups + i / DEPTH;
                to[(group * 64 + place) * DEPTH + i % DEPTH] = ky < kernel ? w[ky * kernel + kx] : 0;
            }
}

static inline void pack(const oct_conv_shape *s, const oct_depthwise_params *params, void *packed, size_t rows)
{
    const size_t taps = s->kernel_h * s->kernel_w, bytes = block_bytes(s->kernel_h, s->stride_h, rows);
    char *at = packed;
    for (size_t from = 0; from < s->in_c; at += bytes) {
        const block b = block_from(s->in_c, from);
        packed_block *p = (packed_block *)(void *)at;
        for (size_t byte = 0; byte < 64; byte++) {
            const size_t c = b.c + byte % (64 / b.parts);
            const size_t place = byte / 4 % 4 * 16 + byte / 16 * 4 + byte % 4;      /* vector, lane, place in the lane */
            p->acc_bias[place] = params->acc_bias[c];
            p->mult[place] = params->mult[c];
            p->bias[place] = params->bias ? params->bias[c] : 0.0f;
            pack_channel(s, (const int8_t *)params->weights + c * taps, p->w, place, rows);
        }
        from = b.next;
    }
}

/* -------------------------------------------------------------------------------------------- the walk ---- */

/* One or two output rows for each part of a block. */
typedef struct sweep {
    const uint8_t *in[MAX_PARTS][MAX_ROWS];     /* channel of the first pixel of each input row */
    void *out[MAX_PARTS][2];                    /* channel of the first pixel of each output row; NULL: not wanted */
    size_t in_w, out_w, pad_left, pixel;
    const packed_block *packed;
    const oct_epilogue *e;
    uint8_t in_zero;
} sweep;

/* One pixel of input row y of every part. */
OCT_INLINE __m512i load_pixels(const sweep *s, size_t y, size_t at, const size_t parts)
{
    if (parts == 1)
        return _mm512_loadu_si512(s->in[0][y] + at);
    if (parts == 2)
        return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)(s->in[0][y] + at))),
                                  _mm256_loadu_si256((const __m256i *)(s->in[1][y] + at)), 1);
    __m512i x = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)(s->in[0][y] + at)));
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(s->in[1][y] + at)), 1);
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(s->in[2][y] + at)), 2);
    return _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(s->in[3][y] + at)), 3);
}

/* f32 output is rare; out of line. acc: 64 sums in the order of the lanes; four neighbouring channels at a time. */
static __attribute__((noinline)) void store_f32(const sweep *s, const int32_t *acc, size_t row, size_t at, size_t parts)
{
    const __m128 lo = _mm_set1_ps(s->e->lo), hi = _mm_set1_ps(s->e->hi);
    for (size_t byte = 0; byte < 64; byte += 4) {
        const size_t place = byte / 4 % 4 * 16 + byte / 16 * 4, part = byte / (64 / parts);
        if (!s->out[part][row])
            continue;
        __m128 y = _mm_mul_ps(_mm_cvtepi32_ps(_mm_load_si128((const __m128i *)(acc + place))), _mm_load_ps(s->packed->mult + place));
        y = _mm_min_ps(_mm_max_ps(_mm_add_ps(y, _mm_load_ps(s->packed->bias + place)), lo), hi);
        _mm_storeu_ps((float *)s->out[part][row] + at + byte % (64 / parts), y);
    }
}

/* 4. Epilogue of one pixel of output row `row` of every part. */
OCT_INLINE void store_pixels(const sweep *s, const __m512i *acc, const size_t row, size_t at, const size_t parts)
{
    if (s->e->out_elem == OCT_ELEM_F32) {
        _Alignas(64) int32_t stored[64];
        OCT_UNROLL
        for (size_t v = 0; v < 4; v++)
            _mm512_store_si512(stored + 16 * v, acc[v]);
        store_f32(s, stored, row, at, parts);
        return;
    }
    __m512i q[4];
    OCT_UNROLL
    for (size_t v = 0; v < 4; v++)
        q[v] = _mm512_cvtps_epi32(_mm512_mul_ps(_mm512_cvtepi32_ps(acc[v]), _mm512_load_ps(s->packed->mult + 16 * v)));
    const __m512i bytes = oct_narrow_64(q, s->e);
    OCT_UNROLL
    for (size_t part = 0; part < parts; part++)
        if (parts == 1 || s->out[part][row])
            oct_store_piece((uint8_t *)s->out[part][row] + at, bytes, part, 4 / parts, 64 / parts);
}

/* All of them constant wherever this is inlined: square kernel, stride, output rows per part, parts. */
OCT_INLINE void walk(const sweep *s, const size_t kernel, const size_t stride, const size_t rows, const size_t parts)
{
    const size_t places = (kernel + stride - 1) / stride, in_rows = (rows - 1) * stride + kernel;
    const size_t groups = (in_rows + DEPTH - 1) / DEPTH, out_w = s->out_w, in_w = s->in_w;
    const __m512i padding = _mm512_set1_epi8((char)s->in_zero);
    /* 1. Accumulators start at acc_bias. sum[(t * rows + r) * 4 + v]: output column step - t, row r. */
    __m512i sum[MAX_SUMS];
    OCT_UNROLL
    for (size_t j = 0; j < places * rows * 4; j++)
        sum[j] = _mm512_load_si512(s->packed->acc_bias + 16 * (j % 4));
    size_t in = 0, out = 0, column = 0 - s->pad_left;   /* left of the image: huge */

    for (size_t step = 0; step < out_w + places - 1; step++) {
        OCT_UNROLL
        for (size_t i = 0; i < stride; i++, column++) {
            /* 2. The column's pixels; what is outside the image holds the zero point. */
            __m512i x[MAX_ROWS + DEPTH];
            OCT_UNROLL
            for (size_t y = 0; y < groups * DEPTH; y++)
                x[y] = y < in_rows ? padding : _mm512_setzero_si512();
            if (column < in_w) {
                OCT_UNROLL
                for (size_t y = 0; y < in_rows; y++)
                    x[y] = load_pixels(s, y, in, parts);
                in += s->pixel;
            }
            OCT_UNROLL
            for (size_t g = 0; g < groups; g++) {
                __m512i four[4];
                group(x + g * DEPTH, four);
                /* 3. Multiply, add, where the output column exists. */
                OCT_UNROLL
                for (size_t kx = i; kx < kernel; kx += stride) {
                    const size_t t = kx / stride;
                    if (step - t >= out_w)
                        continue;
                    OCT_UNROLL
                    for (size_t j = 0; j < rows * 4; j++) {
                        const weight *w = s->packed->w + (((j / 4 * kernel + kx) * groups + g) * 64 + j % 4 * 16) * DEPTH;
                        sum[t * rows * 4 + j] = add_products(sum[t * rows * 4 + j], four[j % 4], _mm512_load_si512(w));
                    }
                }
            }
        }
        /* 4. The oldest sums are complete. */
        if (step >= places - 1) {
            OCT_UNROLL
            for (size_t r = 0; r < rows; r++)
                store_pixels(s, sum + ((places - 1) * rows + r) * 4, r, out, parts);
            out += s->e->out_ld;
        }
        OCT_UNROLL
        for (size_t j = places * rows * 4; j-- > rows * 4;)
            sum[j] = sum[j - rows * 4];
        OCT_UNROLL
        for (size_t j = 0; j < rows * 4; j++)
            sum[j] = _mm512_load_si512(s->packed->acc_bias + 16 * (j % 4));
    }
}

/* ------------------------------------------------------------------------------------------- the blocks ---- */

/* What one call of run() needs to know of an image. */
typedef struct image {
    const oct_depthwise_job *job;
    const uint8_t *in;
    char *out;
    const uint8_t *padding;     /* a row of zero points */
    size_t row_end;             /* output rows from here on are not wanted */
} image;

/* The rows of part `part` of a sweep that starts at output row oy. */
OCT_INLINE void set_part(sweep *s, const image *m, size_t part, size_t oy, size_t c, const size_t stride, const size_t in_rows)
{
    const oct_conv_shape *shape = m->job->shape;
    const size_t elem = m->job->e.out_elem == OCT_ELEM_F32 ? sizeof(float) : 1;
    for (size_t i = 0; i < in_rows; i++) {
        const size_t y = oy * stride + i - shape->pad_top;
        s->in[part][i] = (oy < m->row_end && y < shape->in_h ? m->in + y * shape->in_w * shape->in_c : m->padding) + c;
    }
    for (size_t r = 0; r < 2; r++) {
        char *row = m->out + (((oy + r) * shape->out_w) * m->job->e.out_ld + c) * elem;
        s->out[part][r] = oy + r < m->row_end ? row : NULL;
    }
}

/* Output rows [y, row_end) of one block. */
OCT_INLINE void walk_block(sweep *s, const image *m, size_t y, size_t c, const size_t kernel, const size_t stride, const size_t rows,
                           const size_t parts)
{
    for (; y < m->row_end; y += rows * parts) {
        OCT_UNROLL
        for (size_t part = 0; part < parts; part++)
            set_part(s, m, part, y + part * rows, c, stride, (rows - 1) * stride + kernel);
        if (rows == 2 && parts == 1 && y + 1 == m->row_end)
            walk(s, kernel, stride, 1, parts);          /* the weights of one row are the first half of those of two */
        else
            walk(s, kernel, stride, rows, parts);
    }
}

OCT_INLINE void strip(const image *m, size_t begin, const size_t kernel, const size_t stride, const size_t rows)
{
    const oct_conv_shape *shape = m->job->shape;
    sweep s = {.in_w = shape->in_w, .out_w = shape->out_w, .pad_left = shape->pad_left, .pixel = shape->in_c, .e = &m->job->e,
               .in_zero = m->job->in_zero};
    const char *packed = m->job->packed;
    for (size_t from = 0; from < shape->in_c; packed += block_bytes(kernel, stride, rows)) {
        const block b = block_from(shape->in_c, from);
        s.packed = (const packed_block *)(const void *)packed;
        if (b.parts == 1)
            walk_block(&s, m, begin, b.c, kernel, stride, rows, 1);
        else if (b.parts == 2)
            walk_block(&s, m, begin, b.c, kernel, stride, rows, 2);
        else
            walk_block(&s, m, begin, b.c, kernel, stride, rows, 4);
        from = b.next;
    }
}

/* Output rows [begin, end) of all images, in strips that fit in L2; a strip ends with its image. rows: 1 or 2 at a time. */
OCT_INLINE void run(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch, const size_t kernel, const size_t stride,
                    const size_t rows)
{
    const oct_conv_shape *s = job->shape;
    const size_t strip_rows = (STRIP_BYTES / (s->in_w * s->in_c * stride) + 8) & ~(size_t)7;    /* whole sweeps: 4 parts of 2 rows */
    const size_t elem = job->e.out_elem == OCT_ELEM_F32 ? sizeof(float) : 1;
    memset(scratch, job->in_zero, s->in_w * s->in_c);
    while (begin < end) {
        const size_t n = begin / s->out_h, y = begin % s->out_h;
        size_t count = end - begin < strip_rows ? end - begin : strip_rows;
        if (count > s->out_h - y)
            count = s->out_h - y;
        const image m = {job, (const uint8_t *)job->in + n * s->in_h * s->in_w * s->in_c,
                         (char *)job->e.out + n * s->out_h * s->out_w * job->e.out_ld * elem, scratch, y + count};
        strip(&m, y, kernel, stride, rows);
        begin += count;
    }
}

#endif

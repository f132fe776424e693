/* depthwise_blocks_avx512.h - what the integer depthwise kernels on 512-bit registers share: blocks of channels, their packing,
 * loading and storing of pixels, the loops over rows and blocks. depthwise_window_avx512.h (3x3) and depthwise_line_avx512.h
 * (5x5) have the arithmetic.
 *   acc[c] = acc_bias[c] + sum over taps (ky, kx) of  in[y * stride - pad + ky][x * stride - pad + kx][c] * w[ky][kx][c];  then
 *      requantised
 *
 * Before including it a file defines how many rows one multiplication sums (DEPTH), how many output rows go together (ROWS), the
 * type of a packed weight (weight), and
 *   group()           64 channels of DEPTH input rows -> four vectors: each 32-bit lane holds the DEPTH pixels of one channel
 *   add_products()    acc + the sum of a lane's DEPTH products
 *
 *     rows of one column, 64 bytes each        interleaved, 16 channels per vector        weights (3x3, stride 1, DEPTH 4, ROWS 2)
 *     | r0: c0 c1 c2 ..            |           | c0: r0 r1 r2 r3 | c1: r0 r1 .. |         output row 0:  | w0 w1 w2  0 |
 *     | r1: c0 c1 c2 ..            |   --->    four such vectors                          output row 1:  |  0 w0 w1 w2 |
 *     | r2                         |                                                    so one column of four input rows serves two
 *     | r3                         |                                                      output rows and three output columns
 *
 * Interleaving works within 128-bit lanes: vector v, lane L, 32-bit place i holds channel 16 L + 4 v + i. Weights, bias and
 * multipliers are packed in that order, and narrowing (packs, packs, packus) undoes it without a permutation.
 *
 * A rest of 32 (16) channels would waste half (three quarters) of the registers: there the 64 bytes are two (four) parts of the
 * same row, each walking over its own share of the columns. Blocks, as for C = 120: 64, then 64 ending with the last channel (so
 * that no mask is needed; the shared channels are computed twice, with the same result); C = 144: 64, 64, 16.
 *
 *     C = 16, 28 columns:   part 0: 0..6 | part 1: 7..13 | part 2: 14..20 | part 3: 21..27        7 steps
 *
 * Columns outside the image hold the zero point; so does the line that rows outside the image point to (scratch memory).
 */
#ifndef OCT_DEPTHWISE_BLOCKS_AVX512_H
#define OCT_DEPTHWISE_BLOCKS_AVX512_H

#include "depthwise_avx512.h"

enum { MAX_ROWS = 7, MAX_GROUPS = (MAX_ROWS + DEPTH - 1) / DEPTH, STRIP_BYTES = 256 * 1024 };

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

/* Packed, per block:  | acc_bias 64 | mult 64 | bias 64 | weights [vector][group][kx][row][16][DEPTH] |    all in the order of
 * the lanes */
typedef struct packed_block {
    int32_t acc_bias[64];
    float mult[64], bias[64];
    weight w[];
} packed_block;

static inline size_t groups_of(size_t kernel, size_t stride, size_t rows)
{
    return ((rows - 1) * stride + kernel + DEPTH - 1) / DEPTH;
}

static inline size_t block_bytes(size_t kernel, size_t stride, size_t rows)
{
    return sizeof(packed_block) + rows * kernel * groups_of(kernel, stride, rows) * 64 * DEPTH * sizeof(weight);
}

/* Output rows at a time. At stride 2 two rows of 3x3 have five input rows: a second group, and nothing gained. */
static inline size_t rows_of(const oct_conv_shape *s) { return s->kernel_h == 3 && s->stride_h == 2 ? 1 : ROWS; }

static inline size_t packed_bytes(const oct_conv_shape *s, size_t rows)
{
    size_t count = 0;
    for (size_t from = 0; from < s->in_c; from = block_from(s->in_c, from).next)
        count++;
    return count * block_bytes(s->kernel_h, s->stride_h, rows);
}

/* The weights of one channel, which has place `place` of 64. Output row r uses the input rows from r * stride on. */
static inline void pack_channel(const oct_conv_shape *s, const int8_t *w, weight *to, size_t place, size_t rows)
{
    const size_t kernel = s->kernel_h, groups = groups_of(kernel, s->stride_h, rows);
    for (size_t r = 0; r < rows; r++)
        for (size_t kx = 0; kx < kernel; kx++)
            for (size_t i = 0; i < groups * DEPTH; i++) {
                const size_t ky = i - r * s->stride_h;
                const size_t vector = ((place / 16 * groups + i / DEPTH) * kernel + kx) * rows + r;
                to[(vector * 16 + place % 16) * DEPTH + i % DEPTH] = ky < kernel ? w[ky * kernel + kx] : 0;
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

/* -------------------------------------------------------------------------------------------- a sweep ---- */

/* One or two output rows of a block. Part p makes `length` output columns from column p * distance on. */
typedef struct sweep {
    const uint8_t *in[MAX_ROWS];        /* channel of the first pixel of each input row */
    void *out[2];                       /* channel of the first pixel of each output row */
    size_t length, distance, parts;
    const oct_conv_shape *shape;
    const packed_block *packed;
    const oct_epilogue *e;
    const uint8_t *padding;             /* zero points */
} sweep;

typedef void walk_fn(const sweep *s);

/* A kind of convolution and its functions, by the number of parts: 1, 2, 4. Each function is compiled by itself: several bodies
 * in one make gcc share registers badly, at half the speed. */
typedef struct kind {
    size_t kernel, stride;
    walk_fn *rows[3];                   /* rows_of() output rows at a time */
    walk_fn *row[3];                    /* one, to u8 */
    walk_fn *row_f32[3];                /* one, to f32 */
} kind;

/* A vector that is loaded once and used several times: without the empty statement gcc would load it anew for every use. */
OCT_INLINE __m512i loaded(const void *p)
{
    __m512i x = _mm512_load_si512(p);
    __asm__("" : "+v"(x));
    return x;
}

/* 64 / parts bytes of every part: the first at p, the others `apart` bytes from each other. */
OCT_INLINE __m512i load_parts(const uint8_t *p, size_t apart, const size_t parts)
{
    if (parts == 1)
        return _mm512_loadu_si512(p);
    if (parts == 2)
        return _mm512_inserti64x4(_mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)p)),
                                  _mm256_loadu_si256((const __m256i *)(p + apart)), 1);
    const uint8_t *p2 = p + 2 * apart;
    __m512i x = _mm512_castsi128_si512(_mm_loadu_si128((const __m128i *)p));
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(p + apart)), 1);
    x = _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)p2), 2);
    return _mm512_inserti32x4(x, _mm_loadu_si128((const __m128i *)(p2 + apart)), 3);
}

/* What loading a column needs of a sweep: a local copy, which gcc keeps in registers because no store can change it. */
typedef struct source {
    const uint8_t *in[MAX_ROWS];
    size_t in_w, pixel;
    size_t step;                        /* columns between the parts */
    const uint8_t *padding;
} source;

OCT_INLINE source source_of(const sweep *s, const size_t rows)
{
    source from = {
        .in_w = s->shape->in_w, .pixel = s->shape->in_c, .step = s->distance * s->shape->stride_w, .padding = s->padding};
    OCT_UNROLLED
    for (size_t y = 0; y < rows; y++)
        from.in[y] = s->in[y];
    return from;
}

/* One column of input, interleaved: groups * 4 vectors. column: of the first part; left of the image it wraps to a huge value. */
OCT_INLINE void interleave(const source *s, size_t column, __m512i *to, const size_t rows, const size_t parts)
{
    __m512i x[MAX_ROWS + DEPTH];
    OCT_UNROLLED
    for (size_t y = 0; y < MAX_ROWS + DEPTH; y++)
        x[y] = _mm512_setzero_si512();
    if (column < s->in_w && column + (parts - 1) * s->step < s->in_w) {
        OCT_UNROLLED
        for (size_t y = 0; y < rows; y++)
            x[y] = load_parts(s->in[y] + column * s->pixel, s->step * s->pixel, parts);
    } else {
        OCT_UNROLLED
        for (size_t y = 0; y < rows; y++)
            x[y] = _mm512_set1_epi8((char)*s->padding);
        /* Some parts may be inside: loaded from so far before their pixel that its bytes meet their lanes; the others are not
         * read. */
        for (size_t part = 0; part < parts && parts > 1; part++) {
            const size_t width = 64 / parts, at = column + part * s->step;
            const __mmask64 bytes = at < s->in_w ? ~(__mmask64)0 >> (64 - width) << (part * width) : 0;
            OCT_UNROLLED
            for (size_t y = 0; y < rows; y++)
                x[y] = _mm512_mask_loadu_epi8(x[y], bytes, s->in[y] + at * s->pixel - part * width);
        }
    }
    OCT_UNROLLED
    for (size_t g = 0; g < (rows + DEPTH - 1) / DEPTH; g++)
        group(x + g * DEPTH, to + 4 * g);
}

/* The bytes of all parts, each to its place. */
OCT_INLINE void store_parts(uint8_t *out, size_t apart, __m512i bytes, const size_t parts)
{
    OCT_UNROLLED
    for (size_t part = 0; part < parts; part++)
        oct_store_piece(out + part * apart, bytes, part, 4 / parts, 64 / parts);
}

/* f32 output of one pixel of all parts. sums: 64, in the order of the lanes; four neighbouring channels at a time. */
static __attribute__((noinline)) void store_f32(const sweep *s, const int32_t *sums, float *out)
{
    const __m128 lo = _mm_set1_ps(s->e->lo), hi = _mm_set1_ps(s->e->hi);
    const size_t width = 64 / s->parts, apart = s->distance * s->shape->out_c;
    for (size_t byte = 0; byte < 64; byte += 4) {
        const size_t place = byte / 4 % 4 * 16 + byte / 16 * 4;
        const __m128i acc = _mm_load_si128((const __m128i *)(sums + place));
        __m128 y = _mm_mul_ps(_mm_cvtepi32_ps(acc), _mm_load_ps(s->packed->mult + place));
        y = _mm_min_ps(_mm_max_ps(_mm_add_ps(y, _mm_load_ps(s->packed->bias + place)), lo), hi);
        _mm_storeu_ps(out + byte / width * apart + byte % width, y);
    }
}

/* -------------------------------------------------------------------------------------- rows and blocks ---- */

/* Output rows [begin, end) of one image. */
typedef struct strip {
    const oct_depthwise_job *job;
    const uint8_t *in;
    char *out;
    const uint8_t *padding;             /* a row of zero points */
    size_t begin, end;
} strip;

static void walk_block(const strip *m, const packed_block *packed, const block *b, const kind *k)
{
    const oct_conv_shape *shape = m->job->shape;
    const bool f32 = m->job->e.out_elem == OCT_ELEM_F32;
    const size_t in_row = shape->in_w * shape->in_c, out_row = shape->out_w * shape->out_c * (f32 ? sizeof(float) : 1);
    const size_t rows = f32 ? 1 : rows_of(shape), distance = shape->out_w / b->parts;
    sweep s = {.distance = distance, .length = shape->out_w - (b->parts - 1) * distance, .parts = b->parts, .shape = shape,
               .packed = packed, .e = &m->job->e, .padding = m->padding};
    for (size_t y = m->begin; y < m->end; y += rows) {
        for (size_t i = 0; i < (rows - 1) * k->stride + k->kernel; i++) {
            const size_t row = y * k->stride + i - shape->pad_top;          /* above the image it wraps to a huge value */
            s.in[i] = (row < shape->in_h ? m->in + row * in_row : m->padding) + b->c;
        }
        s.out[0] = m->out + y * out_row + b->c * (f32 ? sizeof(float) : 1);
        s.out[1] = (char *)s.out[0] + (rows - 1) * out_row;
        walk_fn *const *walk = f32 ? k->row_f32 : y + rows > m->end ? k->row : k->rows;
        walk[b->parts / 2](&s);
    }
}

/* Output rows [begin, end) of all images, in strips that fit in L2; a strip ends with its image. */
static void run(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch, const kind *k)
{
    const oct_conv_shape *s = job->shape;
    const size_t strip_rows = (STRIP_BYTES / (s->in_w * s->in_c * k->stride) + 2) & ~(size_t)1;
    const size_t elem = job->e.out_elem == OCT_ELEM_F32 ? sizeof(float) : 1, bytes = block_bytes(k->kernel, k->stride, rows_of(s));
    memset(scratch, job->in_zero, s->in_w * s->in_c);
    while (begin < end) {
        const size_t n = begin / s->out_h, y = begin % s->out_h;
        size_t count = end - begin < strip_rows ? end - begin : strip_rows;
        if (count > s->out_h - y)
            count = s->out_h - y;
        const strip m = {job, (const uint8_t *)job->in + n * s->in_h * s->in_w * s->in_c,
                         (char *)job->e.out + n * s->out_h * s->out_w * s->out_c * elem, scratch, y, y + count};
        const char *packed = job->packed;
        for (size_t from = 0; from < s->in_c; packed += bytes) {
            const block b = block_from(s->in_c, from);
            walk_block(&m, (const packed_block *)(const void *)packed, &b, k);
            from = b.next;
        }
        begin += count;
    }
}

#endif

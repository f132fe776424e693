/* depthwise_u8s8_avx2.c - exact integer depthwise convolution, 8 channels at a time, 4 neighbouring output pixels in registers.
 *
 *   acc[c] = acc_bias[c] + sum over all taps of in[y'][x'][c] * w[ky][kx][c], outside the image in_zero;      then requantisation
 *
 * The frame (depthwise_pairs_avx2.h) hands out pairs of rows, widened to s16. Here a block of a pair row is one stretch of memory:
 *
 *   | column 0: (row a, row b) of channel 0, of channel 1, .. 7 | column 1 | ..          32 bytes per column, padding included
 *
 * and the tiles walk along it: every address is a constant distance from one pointer. Registers, 3x3: 4 accumulators, 6 weights, a
 * column, a product. At the end of a row a tile may compute pixels that do not exist; they are not stored.
 *
 * Ranges: s16 in 0..255 times [-127, 127]: a pair within 64,770. The s32 sums are taken modulo 2^32; the packer's caller has proved
 * that the final value fits. (vpmaddubsw would take rows of bytes, but saturates: of the depthwise filters of some trained networks
 * one channel in ten would be safe, and no block of eight.)
 *
 * The tile, stride 1 (p: columns of a pair row; one madd takes two rows of the kernel):
 *
 *   pair row        | p0 | p1 | p2 | p3 | p4 | p5 |        one load per column
 *   acc[0]           w0   w1   w2                          acc[0] += madd(p0, w0) + madd(p1, w1) + madd(p2, w2)
 *   acc[1]                w0   w1   w2
 *   acc[2]                     w0   w1   w2
 *   acc[3]                          w0   w1   w2
 *
 * Bound: instructions; for 8 outputs of a 3x3 with stride 2: 12 for the taps, 3 loads, 6 for requantisation, 8 for the pairing.
 */
#include "avx2.h"
#include "depthwise_pairs_avx2.h"

enum { WIDE = 4, MAX_KERNEL = 5, MAX_PAIRS = 3 };

/* ----------------------------------------------------------------------------------------------- pairs ---- */

/* Columns of a pair row: those that some tile reads. */
static size_t pair_columns(const oct_conv_shape *s)
{
    return ((s->out_w + WIDE - 1) / WIDE * WIDE - 1) * s->stride_w + (s->kernel_w - 1) * s->dilation_w + 1;
}

/* 8 channels x 2 rows per column (per tap). */
static size_t block_elements(const oct_conv_shape *s) { return pair_columns(s) * 16; }
static size_t set_elements(const oct_conv_shape *s, size_t parity) { return pair_count(s, parity) * s->kernel_w * 16; }

/* Columns [begin, end): both rows are the zero point. */
static void fill_padding(const pair_fill *f, size_t begin, size_t end)
{
    const __m256i zero = _mm256_set1_epi16(f->zero);
    for (size_t b = 0; b < f->blocks; b++)
        for (size_t x = begin; x < end; x++)
            store_256(f->to + b * f->block_elements + x * 16, zero);
}

/* Columns left .. left + n - 1: the first n of the image. */
static void fill_inside(const pair_fill *f, size_t left, size_t n)
{
    const size_t a_step = f->a.step, b_step = f->b.step, second = f->block_elements;
    const uint8_t *a = f->a.at, *b = f->b.at;
    int16_t *to = f->to + left * 16;
    if (f->blocks == 1) {
        for (size_t x = 0; x < n; x++, a += a_step, b += b_step, to += 16)
            store_256(to, _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(load_64(a), load_64(b))));
        return;
    }
    for (size_t x = 0; x < n; x++, a += a_step, b += b_step, to += 16) {
        const __m128i row_a = load_128(a), row_b = load_128(b);
        store_256(to, _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(row_a, row_b)));
        store_256(to + second, _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(row_a, row_b)));
    }
}

/* The whole pair row: padding, image, padding. */
static void fill(const pair_fill *f)
{
    const size_t columns = pair_columns(f->shape), pad = f->shape->pad_left, width = f->shape->in_w;
    const size_t left = pad < columns ? pad : columns;
    const size_t inside = columns - left < width ? columns - left : width;
    fill_padding(f, 0, left);
    fill_inside(f, left, inside);
    fill_padding(f, left + inside, columns);
}

/* ----------------------------------------------------------------------------------------------- tiles ---- */

/* `count` output pixels; in[k]: the first column they use in pair row k. kernel, stride and count are constants. */
OCT_INLINE void tile_square(const int16_t *const in[MAX_PAIRS], const __m256i *w, __m256i bias, size_t kernel, size_t stride,
                            size_t count, __m256i acc[WIDE])
{
    /* 1. Accumulators start at acc_bias. */
    OCT_UNROLLED
    for (size_t i = 0; i < WIDE; i++)
        acc[i] = bias;
    OCT_UNROLLED
    for (size_t k = 0; k < MAX_PAIRS; k++) {
        if (k >= (kernel + 1) / 2)
            break;
        /* 2. Column by column of this pair: 3. multiply pairs, add for every output that uses it. */
        OCT_UNROLLED
        for (size_t p = 0; p < 2 * (WIDE - 1) + MAX_KERNEL; p++) {
            if (p >= (count - 1) * stride + kernel)
                break;
            const __m256i column = load_256(in[k] + 16 * p);
            OCT_UNROLLED
            for (size_t i = 0; i < WIDE; i++)
                if (i < count && p >= i * stride && p - i * stride < kernel)
                    acc[i] = in_sequence(_mm256_add_epi32(acc[i], _mm256_madd_epi16(column, w[k * kernel + p - i * stride])));
        }
    }
}

/* 4 pixels from ox on, those that exist. */
OCT_INLINE void store_sums(const pair_row *row, size_t ox, const __m256i acc[WIDE])
{
    const pixel_format *f = row->format;
    const float *scales = (const float *)(const void *)(row->block + BLOCK_MULT);
    const size_t left = row->shape->out_w - ox, count = left < WIDE ? left : WIDE;
    if (f->elem == OCT_ELEM_F32) {
        store_sums_f32(f, scales, (float *)row->out + ox * f->step, acc, count);
        return;
    }
    /* scale, round, zero point; clamp; 8 bytes per pixel */
    const __m256i two = round_two(acc[0], acc[1], scales, &f->range), two_more = round_two(acc[2], acc[3], scales, &f->range);
    const __m256i q = pack_u8(two, two_more, &f->range);
    if (left >= WIDE)
        store_four_u8((uint8_t *)row->out + ox * f->step, f->step, q, WIDE);
    else
        store_four_u8((uint8_t *)row->out + ox * f->step, f->step, q, count);
}

/* A row in fours; the weights stay in registers as far as these go. */
OCT_INLINE void row_square(const pair_row *row, size_t kernel, size_t stride)
{
    const size_t out_w = row->shape->out_w, pairs = (kernel + 1) / 2;
    const __m256i bias = load_256(row->block);
    __m256i w[MAX_PAIRS * MAX_KERNEL];
    OCT_UNROLLED
    for (size_t i = 0; i < MAX_PAIRS * MAX_KERNEL; i++)
        if (i < pairs * kernel)
            w[i] = load_256(row->weights + 16 * i);
    const int16_t *in[MAX_PAIRS], *pair = row->first;
    for (size_t k = 0; k < pairs; k++, pair = next_pair(row, pair))
        in[k] = pair;
    __m256i acc[WIDE];
    size_t ox = 0;
    for (; ox + WIDE / 2 < out_w; ox += WIDE) {
        tile_square(in, w, bias, kernel, stride, WIDE, acc);
        store_sums(row, ox, acc);
        for (size_t k = 0; k < pairs; k++)
            in[k] += WIDE * stride * 16;
    }
    if (ox < out_w) {
        /* one or two pixels are left: half a tile */
        tile_square(in, w, bias, kernel, stride, WIDE / 2, acc);
        store_sums(row, ox, acc);
    }
}

static void row_3x3s1(const pair_row *row) { row_square(row, 3, 1); }
static void row_3x3s2(const pair_row *row) { row_square(row, 3, 2); }
static void row_5x5s1(const pair_row *row) { row_square(row, 5, 1); }
static void row_5x5s2(const pair_row *row) { row_square(row, 5, 2); }

/* Any kernel, stride and dilation: tap by tap, the weights from memory. */
static void row_general(const pair_row *row)
{
    const oct_conv_shape *s = row->shape;
    const size_t step = s->stride_w * 16;
    for (size_t ox = 0; ox < s->out_w; ox += WIDE) {
        const int16_t *pair = row->first, *w = row->weights;
        __m256i acc[WIDE];
        OCT_UNROLLED
        for (size_t i = 0; i < WIDE; i++)
            acc[i] = load_256(row->block);
        for (size_t k = 0; k < row->pairs; k++, pair = next_pair(row, pair)) {
            const int16_t *in = pair + ox * step;
            for (size_t kx = 0; kx < s->kernel_w; kx++, w += 16, in += s->dilation_w * 16) {
                const __m256i wv = load_256(w);
                OCT_UNROLLED
                for (size_t i = 0; i < WIDE; i++)
                    acc[i] = _mm256_add_epi32(acc[i], _mm256_madd_epi16(load_256(in + i * step), wv));
            }
        }
        store_sums(row, ox, acc);
    }
}

/* --------------------------------------------------------------------------------------------- entries ---- */

/* The same rings and weights, different tiles. */
static const pair_method method_3x3s1 = {block_elements, set_elements, fill, row_3x3s1};
static const pair_method method_3x3s2 = {block_elements, set_elements, fill, row_3x3s2};
static const pair_method method_5x5s1 = {block_elements, set_elements, fill, row_5x5s1};
static const pair_method method_5x5s2 = {block_elements, set_elements, fill, row_5x5s2};
static const pair_method method_general = {block_elements, set_elements, fill, row_general};

size_t oct_depthwise_u8s8_packed_bytes_avx2(const oct_conv_shape *s) { return oct_pairs_packed_bytes_avx2(&method_general, s); }
size_t oct_depthwise_u8s8_scratch_bytes_avx2(const oct_conv_shape *s) { return oct_pairs_scratch_bytes_avx2(&method_general, s); }

/* [pair][kx][channel][row a, row b]; row `half` of pair `pair` is kernel row 2 * pair + half - parity, if there is such a row. */
static int16_t *pack_set(const oct_conv_shape *s, const int8_t *w, size_t parity, int16_t *to)
{
    const size_t taps = s->kernel_h * s->kernel_w;
    for (size_t pair = 0; pair < pair_count(s, parity); pair++)
        for (size_t kx = 0; kx < s->kernel_w; kx++)
            for (size_t c = 0; c < 8; c++)
                for (size_t half = 0; half < 2; half++) {
                    const size_t ky = 2 * pair + half - parity;     /* before the first row it wraps to a huge number */
                    *to++ = ky < s->kernel_h ? w[c * taps + ky * s->kernel_w + kx] : 0;
                }
    return to;
}

void oct_depthwise_u8s8_pack_avx2(const oct_conv_shape *s, const oct_depthwise_params *params, void *packed)
{
    for (size_t b = 0; b < block_count(s->in_c); b++) {
        /* both parities, one after the other */
        size_t c;
        int16_t *to = oct_pairs_pack_block_avx2(&method_general, s, params, b, packed, &c);
        const int8_t *w = (const int8_t *)params->weights + c * s->kernel_h * s->kernel_w;
        pack_set(s, w, 1, pack_set(s, w, 0, to));
    }
}

/* The method made for a shape, or the general one. */
static const pair_method *method_of(const oct_conv_shape *s)
{
    if (oct_depthwise_accepts_3x3s1_avx2(s))
        return &method_3x3s1;
    if (oct_depthwise_accepts_3x3s2_avx2(s))
        return &method_3x3s2;
    if (oct_depthwise_accepts_5x5s1_avx2(s))
        return &method_5x5s1;
    return oct_depthwise_accepts_5x5s2_avx2(s) ? &method_5x5s2 : &method_general;
}

void oct_depthwise_u8s8_pairs_avx2(const oct_depthwise_job *job, const void *packed, size_t row_begin, size_t row_end,
                                   void *scratch)
{
    oct_pairs_run_avx2(method_of(job->shape), job, packed, row_begin, row_end, scratch);
}

void oct_depthwise_u8s8_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    oct_depthwise_u8s8_pairs_avx2(job, job->packed, row_begin, row_end, scratch);
}

/* depthwise_u8s8_avx2.c - exact integer depthwise convolution, 8 channels at a time, up to 7 neighbouring output pixels in registers.
 *
 *   acc[c] = acc_bias[c] + sum over all taps of in[y'][x'][c] * w[ky][kx][c], outside the image in_zero;      then requantisation
 *
 * vpmaddwd takes two taps at once if these lie side by side in memory. So rows are paired: before a row of outputs is computed, the rows it
 * needs are widened to s16 and interleaved two and two into the scratch memory, once for all output rows that share them
 *
 *   image rows   v = 0 | 1 | 2 | 3 | 4 ..    (v counts from the first padded row)
 *   pairs        q =  0    |   1   |  2      pair row: | column 0: (c0 of row 2q, c0 of 2q+1) (c1, c1) .. | column 1 | ..
 *   3 taps from an even row:   w0 w1 | w2 0         two sets of packed weights: for windows that
 *   3 taps from an odd row:     0 w0 | w1 w2        begin with the first or the second row of a pair
 *
 * Pair rows include the padding on all sides, so the tiles have no borders; they live in a ring (a window of the image, not a copy). With
 * dilation d, rows v, v + d, v + 2d .. are paired: d rings, one per v mod d.
 *
 * A tile is the f32 kernel's, with vpmaddwd + vpaddd for the FMA and pairs for rows: 7 accumulators, 3 (5) weights, 1 pixel, 1 product.
 *
 * Ranges: s16 in 0..255 times [-127, 127]: a pair within 64,770. The s32 sums are taken modulo 2^32; the packer's caller has proved that
 * the final value fits. (vpmaddubsw would take rows of bytes, but saturates: of the depthwise filters of some trained networks one
 * channel in ten would be safe, and no block of eight.)
 *
 * Bound: vector instructions, four per cycle: 12 + 5 for requantisation + 1 for pairing, per 8 outputs of a 3x3.
 */
#include "avx2.h"
#include "pixels_avx2.h"

enum { WIDE = 7, MIDDLE = 3, MAX_KERNEL = 5, PARAMETERS = 3 };

/* --------------------------------------------------------------------------------------------- packing ---- */

/* Pairs that a window of kernel_h rows touches when it begins with row `parity` of a pair. */
static size_t pair_count(const oct_conv_shape *s, size_t parity) { return (s->kernel_h + parity + 1) / 2; }

/* s16 elements of one set of weights of a block. */
static size_t set_elements(const oct_conv_shape *s, size_t parity) { return pair_count(s, parity) * s->kernel_w * 16; }

/* Bytes of a block: | acc_bias[8] | mult[8] | bias[8] | weights, parity 0: [pair][kx][8][2] | parity 1 | */
static size_t block_bytes(const oct_conv_shape *s)
{
    return PARAMETERS * 8 * sizeof(float) + (set_elements(s, 0) + set_elements(s, 1)) * sizeof(int16_t);
}

size_t oct_depthwise_u8s8_packed_bytes_avx2(const oct_conv_shape *s) { return block_count(s->in_c) * block_bytes(s); }

/* Row `half` of pair `pair` is kernel row 2 * pair + half - parity, if there is such a row. */
static void pack_set(const oct_conv_shape *s, const int8_t *w, size_t parity, int16_t *to)
{
    const size_t taps = s->kernel_h * s->kernel_w;
    for (size_t pair = 0; pair < pair_count(s, parity); pair++)
        for (size_t kx = 0; kx < s->kernel_w; kx++)
            for (size_t c = 0; c < 8; c++)
                for (size_t half = 0; half < 2; half++) {
                    const size_t ky = 2 * pair + half - parity;     /* before the first row it wraps to a huge number */
                    *to++ = ky < s->kernel_h ? w[c * taps + ky * s->kernel_w + kx] : 0;
                }
}

void oct_depthwise_u8s8_pack_avx2(const oct_conv_shape *s, const oct_depthwise_params *params, void *packed)
{
    const size_t taps = s->kernel_h * s->kernel_w;
    char *to = packed;
    for (size_t b = 0; b < block_count(s->in_c); b++, to += block_bytes(s)) {
        const size_t c = block_channel(s->in_c, b);
        int16_t *weights = (int16_t *)(void *)(to + PARAMETERS * 8 * sizeof(float));
        memcpy(to, params->acc_bias + c, 8 * sizeof(int32_t));
        memcpy(to + 32, params->mult + c, 8 * sizeof(float));
        memset(to + 64, 0, 8 * sizeof(float));
        if (params->bias)
            memcpy(to + 64, params->bias + c, 8 * sizeof(float));
        pack_set(s, (const int8_t *)params->weights + c * taps, 0, weights);
        pack_set(s, (const int8_t *)params->weights + c * taps, 1, weights + set_elements(s, 0));
    }
}

/* ----------------------------------------------------------------------------------------- pairs of rows ---- */

/* Columns of a pair row, padding included: those that some output uses. */
static size_t pair_columns(const oct_conv_shape *s) { return (s->out_w - 1) * s->stride_w + (s->kernel_w - 1) * s->dilation_w + 1; }
static size_t pair_elements(const oct_conv_shape *s) { return pair_columns(s) * s->in_c * 2; }

/* Scratch: | keys: which pair a slot holds | slots: [v mod dilation][pair mod ring] | */
static size_t ring_length(const oct_conv_shape *s) { return pair_count(s, 1); }
static size_t slot_count(const oct_conv_shape *s) { return ring_length(s) * s->dilation_h; }

size_t oct_depthwise_u8s8_scratch_bytes_avx2(const oct_conv_shape *s)
{
    return slot_count(s) * (sizeof(size_t) + pair_elements(s) * sizeof(int16_t));
}

typedef struct pair_rings {
    const oct_conv_shape *shape;
    const uint8_t *image;
    uint8_t zero;
    size_t *keys;               /* pair + 1; 0: nothing */
    int16_t *slots;
} pair_rings;

/* n elements of two rows -> n pairs. A step of 0 reads the same 16 bytes again and again. */
static void interleave(const uint8_t *a, size_t a_step, const uint8_t *b, size_t b_step, size_t n, int16_t *out)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) {
        const __m128i x = load_128(a + i * a_step), y = load_128(b + i * b_step);
        store_256(out + 2 * i, _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(x, y)));
        store_256(out + 2 * i + 16, _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(x, y)));
    }
    for (; i < n; i++) {
        out[2 * i] = a[i * a_step];
        out[2 * i + 1] = b[i * b_step];
    }
}

/* Both rows of a pair row are the zero point in columns [begin, end). */
static void fill_padding(const pair_rings *rings, int16_t *slot, size_t begin, size_t end)
{
    const size_t column = rings->shape->in_c * 2;
    for (size_t i = begin * column; i < end * column; i++)
        slot[i] = rings->zero;
}

/* Fills a slot with rows v and v + dilation. */
static void make_pair(const pair_rings *rings, size_t v, int16_t *slot)
{
    const oct_conv_shape *s = rings->shape;
    const size_t columns = pair_columns(s), row_elements = s->in_w * s->in_c;
    const size_t left = s->pad_left < columns ? s->pad_left : columns;
    const size_t inside = columns - left < s->in_w ? columns - left : s->in_w;
    const size_t y0 = v - s->pad_top, y1 = y0 + s->dilation_h;       /* above the image they wrap to huge numbers */
    uint8_t outside[16];
    memset(outside, rings->zero, sizeof(outside));
    fill_padding(rings, slot, 0, left);
    interleave(y0 < s->in_h ? rings->image + y0 * row_elements : outside, y0 < s->in_h,
               y1 < s->in_h ? rings->image + y1 * row_elements : outside, y1 < s->in_h, inside * s->in_c, slot + left * s->in_c * 2);
    fill_padding(rings, slot, left + inside, columns);
}

/* The slot of pair `pair` of the rows that are `phase` mod dilation; filled if it held another one. */
static const int16_t *get_pair(const pair_rings *rings, size_t phase, size_t pair)
{
    const oct_conv_shape *s = rings->shape;
    const size_t slot = phase * ring_length(s) + pair % ring_length(s);
    int16_t *elements = rings->slots + slot * pair_elements(s);
    if (rings->keys[slot] != pair + 1) {
        make_pair(rings, 2 * pair * s->dilation_h + phase, elements);
        rings->keys[slot] = pair + 1;
    }
    return elements;
}

/* --------------------------------------------------------------------------------------------- tiles ---- */

/* One output row: what it reads, and where it goes. */
typedef struct row_job {
    const oct_conv_shape *shape;
    const int16_t *ring, *first, *ring_end;   /* the pair rows: from `first` on, at the end back to `ring` */
    size_t pairs;               /* how many of them */
    size_t pair_step;           /* s16 elements from one to the next */
    size_t pixel;               /* s16 elements of a column */
    const char *packed;         /* block 0 */
    size_t w_offset, block_step;/* bytes from a block's start to the weights of this row's parity; to the next block */
    const pixel_format *format;
    void *out;
} row_job;

/* `count` output pixels from column x of the pair rows on, channel c. kernel, stride, count are constants. */
OCT_INLINE void tile_square(const row_job *j, size_t x, size_t c, const char *block, size_t kernel, size_t stride, size_t count,
                            __m256i acc[WIDE])
{
    const size_t step = j->pixel;
    const int16_t *pair = j->first, *w = (const int16_t *)(const void *)(block + j->w_offset);
    UNROLLED
    for (size_t i = 0; i < WIDE; i++)
        acc[i] = load_256(block);
    for (size_t k = 0; k < j->pairs; k++, w += 16 * kernel) {
        __m256i wv[MAX_KERNEL];
        UNROLLED
        for (size_t kx = 0; kx < MAX_KERNEL; kx++)
            if (kx < kernel)
                wv[kx] = load_256(w + 16 * kx);
        const int16_t *third = pair + x * step + 2 * c;
        UNROLLED
        for (size_t p = 0; p < 2 * (WIDE - 1) + MAX_KERNEL; p++) {
            if (p >= (count - 1) * stride + kernel)
                break;
            if (p && p % 3 == 0)
                third = opaque(third + 3 * step);
            const __m256i in = load_256(third + p % 3 * step);
            UNROLLED
            for (size_t i = 0; i < WIDE; i++)
                if (i < count && p >= i * stride && p - i * stride < kernel)
                    acc[i] = _mm256_add_epi32(acc[i], _mm256_madd_epi16(in, wv[p - i * stride]));
        }
        pair = pair + j->pair_step == j->ring_end ? j->ring : pair + j->pair_step;
    }
}

/* The same for any kernel width, stride and dilation. */
OCT_INLINE void tile_general(const row_job *j, size_t x, size_t c, const char *block, size_t count, __m256i acc[WIDE])
{
    const oct_conv_shape *s = j->shape;
    const int16_t *pair = j->first, *w = (const int16_t *)(const void *)(block + j->w_offset);
    UNROLLED
    for (size_t i = 0; i < WIDE; i++)
        acc[i] = load_256(block);
    for (size_t k = 0; k < j->pairs; k++) {
        const int16_t *pixel = pair + x * j->pixel + 2 * c;
        for (size_t kx = 0; kx < s->kernel_w; kx++, w += 16, pixel += s->dilation_w * j->pixel) {
            const __m256i wv = load_256(w);
            UNROLLED
            for (size_t i = 0; i < WIDE; i++)
                if (i < count)
                    acc[i] = _mm256_add_epi32(acc[i], _mm256_madd_epi16(load_256(pixel + i * s->stride_w * j->pixel), wv));
        }
        pair = pair + j->pair_step == j->ring_end ? j->ring : pair + j->pair_step;
    }
}

/* All channels of `count` output pixels from ox on; kernel 0: any. */
OCT_INLINE void tile_blocks(const row_job *j, size_t ox, size_t kernel, size_t stride, size_t count)
{
    const size_t channels = j->shape->in_c;
    const char *block = j->packed;
    for (size_t b = 0; b < block_count(channels); b++, block += j->block_step) {
        const size_t c = block_channel(channels, b);
        __m256i acc[WIDE];
        if (kernel)
            tile_square(j, ox * stride, c, block, kernel, stride, count, acc);
        else
            tile_general(j, ox * j->shape->stride_w, c, block, count, acc);
        store_pixels_u8s8(j->format, block + 32, j->out, ox, c, acc, count);
    }
}

OCT_INLINE void row_tiles(const row_job *j, size_t kernel, size_t stride)
{
    const size_t out_w = j->shape->out_w;
    size_t ox = 0;
    for (; ox + WIDE <= out_w; ox += WIDE)
        tile_blocks(j, ox, kernel, stride, WIDE);
    for (; ox + MIDDLE <= out_w; ox += MIDDLE)
        tile_blocks(j, ox, kernel, stride, MIDDLE);
    for (; ox < out_w; ox++)
        tile_blocks(j, ox, kernel, stride, 1);
}

static void row_3x3s1(const row_job *j) { row_tiles(j, 3, 1); }
static void row_3x3s2(const row_job *j) { row_tiles(j, 3, 2); }
static void row_5x5s1(const row_job *j) { row_tiles(j, 5, 1); }
static void row_5x5s2(const row_job *j) { row_tiles(j, 5, 2); }
static void row_general(const row_job *j) { row_tiles(j, 0, 0); }

/* ------------------------------------------------------------------------------------------- the loops ---- */

/* The pair rows of output row oy, made if need be, and where its weights are. */
static void find_pairs(const pair_rings *rings, size_t oy, row_job *j)
{
    const oct_conv_shape *s = rings->shape;
    const size_t v = oy * s->stride_h, phase = v % s->dilation_h, row = v / s->dilation_h, parity = row % 2;
    j->pairs = pair_count(s, parity);
    for (size_t k = 0; k < j->pairs; k++)
        get_pair(rings, phase, row / 2 + k);
    j->first = get_pair(rings, phase, row / 2);
    j->ring = rings->slots + phase * ring_length(s) * pair_elements(s);
    j->ring_end = j->ring + ring_length(s) * pair_elements(s);
    j->w_offset = PARAMETERS * 8 * sizeof(float) + parity * set_elements(s, 0) * sizeof(int16_t);
}

static void run_rows(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch, void (*run_row)(const row_job *j))
{
    const oct_conv_shape *s = job->shape;
    const pixel_format format = pixel_format_of(&job->e);
    pair_rings rings = {.shape = s, .zero = job->in_zero, .keys = scratch, .slots = (int16_t *)((size_t *)scratch + slot_count(s))};
    row_job j = {.shape = s, .pair_step = pair_elements(s), .pixel = s->in_c * 2, .packed = job->packed, .block_step = block_bytes(s),
                 .format = &format};
    for (size_t row = row_begin; row < row_end; row++) {
        if (row == row_begin || row % s->out_h == 0) {
            rings.image = (const uint8_t *)job->in + row / s->out_h * s->in_h * s->in_w * s->in_c;
            memset(rings.keys, 0, slot_count(s) * sizeof(size_t));
        }
        find_pairs(&rings, row % s->out_h, &j);
        j.out = pixel_at(&job->e, row * s->out_w, 0);
        run_row(&j);
    }
}

void oct_depthwise_u8s8_3x3s1_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    run_rows(job, row_begin, row_end, scratch, row_3x3s1);
}

void oct_depthwise_u8s8_3x3s2_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    run_rows(job, row_begin, row_end, scratch, row_3x3s2);
}

void oct_depthwise_u8s8_5x5s1_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    run_rows(job, row_begin, row_end, scratch, row_5x5s1);
}

void oct_depthwise_u8s8_5x5s2_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    run_rows(job, row_begin, row_end, scratch, row_5x5s2);
}

void oct_depthwise_u8s8_general_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    run_rows(job, row_begin, row_end, scratch, row_general);
}

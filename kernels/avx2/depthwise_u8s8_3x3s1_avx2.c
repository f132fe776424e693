/* depthwise_u8s8_3x3s1_avx2.c - exact integer depthwise 3x3 with stride 1: two thirds of the products, by the fast FIR algorithm
 * F(2, 3) (Winograd, "Arithmetic Complexity of Computations", 1980) along the rows, in integers, with vpmaddwd on pairs of rows.
 *
 * Two neighbouring outputs of a 3-tap filter g over columns d0 d1 d2 d3 take 4 products instead of 6:
 *
 *   D1 = d0 - d2    D2 = d1 + d2     D3 = d2 - d1     D4 = d1 - d3          once per image row and two columns
 *   G1 = 2 g0       G2 = g0 + g1 + g2      G3 = g0 - g1 + g2      G4 = -2 g2      once, when packing
 *   2 y0 = D1 G1 + D2 G2 + D3 G3
 *   2 y1 =         D2 G2 - D3 G3 + D4 G4
 *
 * The three kernel rows are two pairs (depthwise_pairs_avx2.h), A and B; every D G above is one vpmaddwd for A and one for B. A
 * slot holds
 *
 *   | columns 0..3: D1[8][2] D2[8][2] D3[8][2] D4[8][2] | columns 2..5: .. |     [channel][row a, row b], 128 bytes per 2 outputs
 *
 * so 8 vpmaddwd with memory operands and 9 additions make 2 x 8 outputs, all 8 weights staying in registers along the row. The sums
 * are twice the true ones; acc_bias is doubled and mult halved (exactly, a power of two) when packing.
 *
 * Ranges: |D| <= 510, |G| <= 381, a pair within 388,620. Sums are taken modulo 2^32, so only the final value counts: |2 acc| < 2^31
 * is checked when packing; a layer for which it cannot be proved (or with a mult too small to halve) is packed for the plain kernel
 * instead.
 *
 * Packed: | 64 bytes, the first: 1 = this form, 0 = plain | blocks |
 * Bound: instructions; for 8 outputs 8.5 for the taps, 6 for requantisation, 4 for the pairs.
 */
#include "avx2.h"
#include "depthwise_pairs_avx2.h"

enum { HEADER_BYTES = 64, WIDE = 4, POSITIONS = 4, PAIR_STEP = POSITIONS * 16 };

/* ----------------------------------------------------------------------------------------------- pairs ---- */

/* Column pairs of a slot: whole tiles. */
static size_t column_pairs(const oct_conv_shape *s) { return (s->out_w + WIDE - 1) / WIDE * WIDE / 2; }
static size_t block_elements(const oct_conv_shape *s) { return column_pairs(s) * PAIR_STEP; }

static size_t set_elements(const oct_conv_shape *s, size_t parity)
{
    (void)s;
    (void)parity;
    return 2 * POSITIONS * 16;
}

/* Two rows, walked column by column from the padded left border. */
typedef struct row_walk {
    const uint8_t *a, *b;
    size_t a_step, b_step;
    size_t x, width;            /* the image's column, wrapped to a huge number left of it; columns of the image */
    __m256i zero;
} row_walk;

/* A column of two rows, 8 or 16 channels. */
typedef struct column {
    __m256i block[2];
} column;

/* The walk goes one column on; outside the image the pointers stand still. */
OCT_INLINE column next_column(row_walk *r, size_t blocks)
{
    column c = {{r->zero, r->zero}};
    if (r->x++ >= r->width)
        return c;
    if (blocks == 2) {
        const __m128i row_a = load_128(r->a), row_b = load_128(r->b);
        c.block[0] = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(row_a, row_b));
        c.block[1] = _mm256_cvtepu8_epi16(_mm_unpackhi_epi8(row_a, row_b));
    } else {
        c.block[0] = _mm256_cvtepu8_epi16(_mm_unpacklo_epi8(load_64(r->a), load_64(r->b)));
    }
    r->a += r->a_step;
    r->b += r->b_step;
    return c;
}

/* D1 .. D4 of four columns. */
OCT_INLINE void transform(const __m256i d0, const __m256i d1, const __m256i d2, const __m256i d3, int16_t *to)
{
    store_256(to, _mm256_sub_epi16(d0, d2));
    store_256(to + 16, _mm256_add_epi16(d1, d2));
    store_256(to + 32, _mm256_sub_epi16(d2, d1));
    store_256(to + 48, _mm256_sub_epi16(d1, d3));
}

/* Two new columns per step, the last two of the step before stay in registers. */
OCT_INLINE void fill_blocks(const pair_fill *f, size_t blocks)
{
    row_walk walk = {.a = f->a.at, .b = f->b.at, .a_step = f->a.step, .b_step = f->b.step, .x = (size_t)0 - f->shape->pad_left,
                     .width = f->shape->in_w, .zero = _mm256_set1_epi16(f->zero)};
    const size_t second = f->block_elements;
    int16_t *to = f->to;
    column d0 = next_column(&walk, blocks), d1 = next_column(&walk, blocks);
    for (size_t left = column_pairs(f->shape); left > 0; left--, to += PAIR_STEP) {
        const column d2 = next_column(&walk, blocks), d3 = next_column(&walk, blocks);
        transform(d0.block[0], d1.block[0], d2.block[0], d3.block[0], to);
        if (blocks == 2)
            transform(d0.block[1], d1.block[1], d2.block[1], d3.block[1], to + second);
        d0 = d2;
        d1 = d3;
    }
}

static void fill(const pair_fill *f)
{
    if (f->blocks == 2)
        fill_blocks(f, 2);
    else
        fill_blocks(f, 1);
}

/* ----------------------------------------------------------------------------------------------- tiles ---- */

/* Position `at` of both pairs. */
OCT_INLINE __m256i products(const int16_t *a, const int16_t *b, const __m256i w[2 * POSITIONS], size_t at)
{
    return _mm256_add_epi32(_mm256_madd_epi16(w[at], load_256(a + 16 * at)),
                            _mm256_madd_epi16(w[POSITIONS + at], load_256(b + 16 * at)));
}

/* Two outputs. */
OCT_INLINE void two_sums(const int16_t *a, const int16_t *b, const __m256i w[2 * POSITIONS], const char *bias, __m256i acc[2])
{
    const __m256i sum = _mm256_add_epi32(products(a, b, w, 1), load_256(bias)), difference = products(a, b, w, 2);
    acc[0] = _mm256_add_epi32(_mm256_add_epi32(sum, difference), products(a, b, w, 0));
    acc[1] = _mm256_add_epi32(_mm256_sub_epi32(sum, difference), products(a, b, w, 3));
}

/* Two outputs, rounded. */
OCT_INLINE __m256i two_pixels(const int16_t *a, const int16_t *b, const __m256i w[2 * POSITIONS], const char *block,
                              const u8_range *range)
{
    __m256i acc[2];
    two_sums(a, b, w, block, acc);
    return round_two(acc[0], acc[1], (const float *)(const void *)(block + BLOCK_MULT), range);
}

/* Four pixels at a time; the rest of one to three may compute one that does not exist. */
OCT_INLINE void row_u8(const pair_row *row, const __m256i w[2 * POSITIONS])
{
    const pixel_format *f = row->format;
    const char *block = row->block;
    const int16_t *a = row->first, *b = next_pair(row, a);
    const size_t step = f->step;
    uint8_t *out = row->out;
    size_t left = row->shape->out_w;
    for (; left >= WIDE; left -= WIDE, a += 2 * PAIR_STEP, b += 2 * PAIR_STEP, out += WIDE * step) {
        const __m256i two = two_pixels(a, b, w, block, &f->range);
        const __m256i more = two_pixels(a + PAIR_STEP, b + PAIR_STEP, w, block, &f->range);
        store_four_u8(out, step, pack_u8(two, more, &f->range), WIDE);
    }
    if (left == 0)
        return;
    const __m256i two = two_pixels(a, b, w, block, &f->range);
    const __m256i more = left > 2 ? two_pixels(a + PAIR_STEP, b + PAIR_STEP, w, block, &f->range) : two;
    store_four_u8(out, step, pack_u8(two, more, &f->range), left);
}

/* f32 output: rare, two pixels at a time. */
static void row_f32(const pair_row *row, const __m256i w[2 * POSITIONS])
{
    const int16_t *a = row->first, *b = next_pair(row, a);
    float *out = row->out;
    for (size_t left = row->shape->out_w; left > 0; a += PAIR_STEP, b += PAIR_STEP) {
        const size_t count = left < 2 ? left : 2;
        __m256i acc[4];
        two_sums(a, b, w, row->block, acc);
        store_sums_f32(row->format, (const float *)(const void *)(row->block + BLOCK_MULT), out, acc, count);
        out += count * row->format->step;
        left -= count;
    }
}

/* One row of one block. */
static void row_3x3s1(const pair_row *row)
{
    __m256i w[2 * POSITIONS];
    OCT_UNROLLED
    for (size_t i = 0; i < 2 * POSITIONS; i++)
        w[i] = load_256(row->weights + 16 * i);
    if (row->format->elem == OCT_ELEM_U8)
        row_u8(row, w);
    else
        row_f32(row, w);
}

/* --------------------------------------------------------------------------------------------- entries ---- */

static const pair_method method = {block_elements, set_elements, fill, row_3x3s1};

/* Memory must do for either form: which one it will be depends on the weights. */
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

size_t oct_depthwise_u8s8_3x3s1_packed_bytes_avx2(const oct_conv_shape *s)
{
    return HEADER_BYTES + larger(oct_pairs_packed_bytes_avx2(&method, s), oct_depthwise_u8s8_packed_bytes_avx2(s));
}

size_t oct_depthwise_u8s8_3x3s1_scratch_bytes_avx2(const oct_conv_shape *s)
{
    return larger(oct_pairs_scratch_bytes_avx2(&method, s), oct_depthwise_u8s8_scratch_bytes_avx2(s));
}

/* Whether twice the sums of every channel fit, and half of its multiplier exists. */
static bool can_double(const oct_conv_shape *s, const oct_depthwise_params *params)
{
    const int8_t *w = params->weights;
    for (size_t c = 0; c < s->in_c; c++) {
        int64_t bound = params->acc_bias[c] < 0 ? -(int64_t)params->acc_bias[c] : params->acc_bias[c];
        for (size_t tap = 0; tap < 9; tap++)
            bound += 255 * (w[c * 9 + tap] < 0 ? -w[c * 9 + tap] : w[c * 9 + tap]);
        if (bound >= 1 << 30 || params->mult[c] * 0.5f * 2.0f != params->mult[c])
            return false;
    }
    return true;
}

/* [pair A, B][position][channel][row a, row b]; row `half` of pair `pair` is kernel row 2 * pair + half - parity, if there is such
 * a row. */
static int16_t *pack_set(const int8_t *w, size_t parity, int16_t *to)
{
    for (size_t pair = 0; pair < 2; pair++)
        for (size_t position = 0; position < POSITIONS; position++)
            for (size_t c = 0; c < 8; c++)
                for (size_t half = 0; half < 2; half++) {
                    const size_t ky = 2 * pair + half - parity;     /* before the first row it wraps to a huge number */
                    const int8_t nothing[3] = {0}, *g = ky < 3 ? w + c * 9 + ky * 3 : nothing;
                    const int transformed[POSITIONS] = {2 * g[0], g[0] + g[1] + g[2], g[0] - g[1] + g[2], -2 * g[2]};
                    *to++ = (int16_t)transformed[position];
                }
    return to;
}

void oct_depthwise_u8s8_3x3s1_pack_avx2(const oct_conv_shape *s, const oct_depthwise_params *params, void *packed)
{
    const bool doubled = can_double(s, params);
    char *blocks = (char *)packed + HEADER_BYTES;
    memset(packed, doubled, HEADER_BYTES);
    if (!doubled) {
        oct_depthwise_u8s8_pack_avx2(s, params, blocks);
        return;
    }
    for (size_t b = 0; b < block_count(s->in_c); b++) {
        size_t c;
        int16_t *to = oct_pairs_pack_block_avx2(&method, s, params, b, blocks, &c);
        int32_t *bias = (int32_t *)(void *)((char *)to - BLOCK_WEIGHTS);
        float *mult = (float *)(void *)((char *)to - BLOCK_WEIGHTS + BLOCK_MULT);
        /* twice the sums, half the multipliers */
        for (size_t i = 0; i < 8; i++) {
            bias[i] *= 2;
            mult[i] *= 0.5f;
        }
        const int8_t *w = (const int8_t *)params->weights + c * 9;
        pack_set(w, 1, pack_set(w, 0, to));
    }
}

void oct_depthwise_u8s8_3x3s1_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    const char *packed = job->packed;
    if (packed[0])
        oct_pairs_run_avx2(&method, job, packed + HEADER_BYTES, row_begin, row_end, scratch);
    else
        oct_depthwise_u8s8_pairs_avx2(job, packed + HEADER_BYTES, row_begin, row_end, scratch);
}

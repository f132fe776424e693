/* depthwise_u8s8_fma_avx2.c - exact integer depthwise 3x3 and 5x5 in f32 arithmetic, with the tile of depthwise_tile_avx2.h.
 *
 *   acc[c] = acc_bias[c] + sum over all taps of in[y'][x'][c] * w[ky][kx][c], outside the image in_zero;      then requantisation
 *
 * Integers up to 2^24 are exact in f32. If |acc_bias| + 255 * sum |w| < 2^24 for every channel, no partial sum leaves that range,
 * every FMA is exact, and the float accumulator is the integer the specification converts to float. Nine FMAs do the work of six
 * vpmaddwd and six vpaddd, without any preparation of rows: this wins where rows are short or used by few outputs (stride 2), and
 * loses on wide rows with stride 1, where the preparation pays (depthwise_u8s8_3x3s1_avx2.c, depthwise_u8s8_avx2.c). A layer whose
 * bound cannot be proved is packed for the latter.
 *
 * Padded taps: rows outside the image add in_zero times the sum of their weights to the start of every accumulator (packed sums);
 * columns outside are multiplied like others.
 *
 * Packed: | 64 bytes, the first: 1 = this form, 0 = pairs | blocks: acc_bias[8], mult[8], bias[8], w[ky][kx][8], sum of
 * w[ky][..][8], all f32 | Bound: FMA (two per cycle), and two conversions per pixel.
 */
#include "avx2.h"
#include "depthwise_tile_avx2.h"

enum { HEADER_BYTES = 64, PARAMETERS = 3 };

/* ------------------------------------------------------------------------------------------------ rows ---- */

static void row_3x3s1(const tile_row *j) { tile_whole_row(j, (tile_kind){3, 1, true}); }
static void row_3x3s2(const tile_row *j) { tile_whole_row(j, (tile_kind){3, 2, true}); }
static void row_5x5s1(const tile_row *j) { tile_whole_row(j, (tile_kind){5, 1, true}); }
static void row_5x5s2(const tile_row *j) { tile_whole_row(j, (tile_kind){5, 2, true}); }

/* Of a block of 8 channels. */
static size_t block_bytes(const oct_conv_shape *s) { return 8 * (PARAMETERS + s->kernel_h * (s->kernel_w + 1)) * sizeof(float); }

/* --------------------------------------------------------------------------------------------- entries ---- */

/* Where this beats the pairs. */
bool oct_depthwise_u8s8_fma_accepts_avx2(const oct_conv_shape *s)
{
    enum { SHORT_ROW = 10 };
    return oct_depthwise_accepts_3x3s2_avx2(s) || (s->out_w < SHORT_ROW && (oct_depthwise_accepts_3x3s1_avx2(s) ||
                                                                            oct_depthwise_accepts_5x5s1_avx2(s) ||
                                                                            oct_depthwise_accepts_5x5s2_avx2(s)));
}

/* Memory must do for either form: which one it will be depends on the weights. */
static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

size_t oct_depthwise_u8s8_fma_packed_bytes_avx2(const oct_conv_shape *s)
{
    return HEADER_BYTES + larger(block_count(s->in_c) * block_bytes(s), oct_depthwise_u8s8_packed_bytes_avx2(s));
}

/* Whether every partial sum of every channel is exact in f32. */
static bool is_exact(const oct_conv_shape *s, const oct_depthwise_params *params)
{
    const size_t taps = s->kernel_h * s->kernel_w;
    const int8_t *w = params->weights;
    for (size_t c = 0; c < s->in_c; c++) {
        int64_t bound = params->acc_bias[c] < 0 ? -(int64_t)params->acc_bias[c] : params->acc_bias[c];
        for (size_t tap = 0; tap < taps; tap++)
            bound += 255 * (w[c * taps + tap] < 0 ? -w[c * taps + tap] : w[c * taps + tap]);
        if (bound >= 1 << 24)
            return false;
    }
    return true;
}

/* The weights of 8 channels, tap after tap, then their sums over each kernel row. */
static void pack_weights(const oct_conv_shape *s, const int8_t *w, float *to)
{
    const size_t taps = s->kernel_h * s->kernel_w;
    float *sums = to + taps * 8;
    memset(sums, 0, s->kernel_h * 8 * sizeof(float));
    for (size_t tap = 0; tap < taps; tap++)
        for (size_t c = 0; c < 8; c++) {
            to[tap * 8 + c] = w[c * taps + tap];
            sums[tap / s->kernel_w * 8 + c] += w[c * taps + tap];
        }
}

void oct_depthwise_u8s8_fma_pack_avx2(const oct_conv_shape *s, const oct_depthwise_params *params, void *packed)
{
    const bool exact = is_exact(s, params);
    char *block = (char *)packed + HEADER_BYTES;
    memset(packed, exact, HEADER_BYTES);
    if (!exact) {
        oct_depthwise_u8s8_pack_avx2(s, params, block);
        return;
    }
    for (size_t b = 0; b < block_count(s->in_c); b++, block += block_bytes(s)) {
        const size_t c = block_channel(s->in_c, b);
        float *to = (float *)(void *)block;
        for (size_t i = 0; i < 8; i++)
            to[i] = (float)params->acc_bias[c + i];
        memcpy(to + 8, params->mult + c, 8 * sizeof(float));
        memset(to + 16, 0, 8 * sizeof(float));
        if (params->bias)
            memcpy(to + 16, params->bias + c, 8 * sizeof(float));
        pack_weights(s, (const int8_t *)params->weights + c * s->kernel_h * s->kernel_w, to + PARAMETERS * 8);
    }
}

void oct_depthwise_u8s8_fma_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    const oct_conv_shape *s = job->shape;
    const char *packed = job->packed;
    if (!packed[0]) {
        oct_depthwise_u8s8_pairs_avx2(job, packed + HEADER_BYTES, row_begin, row_end, scratch);
        return;
    }
    /* Four tiles share this entry; its shapes are told apart here. */
    const pixel_format format = pixel_format_of(&job->e);
    void (*const rows[2][2])(const tile_row *j) = {{row_3x3s1, row_3x3s2}, {row_5x5s1, row_5x5s2}};
    for (size_t row = row_begin; row < row_end; row++) {
        tile_row j = tile_row_of(job, &format, row, 1, PARAMETERS * 8 * sizeof(float), block_bytes(s));
        j.packed = packed + HEADER_BYTES;
        rows[s->kernel_w == 5][s->stride_w == 2](&j);
    }
}

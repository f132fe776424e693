/* gemv_u8s8_avx2.c - exact integer product of one row and a panel of 8 columns.
 *
 *   acc[c] = acc_bias[c] + sum over taps t, i < k of a[t][i] * b[t][i][c]              then requantisation (epilogue)
 *
 * One row uses each weight once: the bound is the bytes of b, so the weights stay s8 in memory and are widened in registers. The row
 * is u8 as it is; its widening is shared by the 8 columns.
 *
 *   panel, kr = 16:   | column 0: b[0..15] | column 1: b[0..15] | .. | column 7 |        128 bytes per group of 16
 *   a:   16 u8  ->  16 s16                            once per group
 *   b:   16 s8  ->  16 s16  vpmaddwd a  ->  8 s32     per column, added to acc[column]: 8 partial sums of that column
 *
 * Ranges: 255 * 127 * 2 = 64,770 per pair; the sums are taken modulo 2^32 and the packer has proved that the final value fits.
 * Registers: 8 accumulators, the row, one product.
 */
#include "avx2.h"
#include "epilogue_avx2.h"

enum { COLUMNS = 8, GROUP = 16 };

OCT_INLINE __m128i load_16(const void *p) { return _mm_loadu_si128((const __m128i *)p); }

/* acc += one group. */
OCT_INLINE void step(__m256i acc[COLUMNS], __m256i a, const int8_t *b)
{
    UNROLLED
    for (size_t c = 0; c < COLUMNS; c++)
        acc[c] = _mm256_add_epi32(acc[c], _mm256_madd_epi16(a, _mm256_cvtepi8_epi16(load_16(b + c * GROUP))));
}

/* The 8 partial sums of each of 8 columns -> one sum per column, in order.
 *   hadd(0, 1): | 0.01 0.23 1.01 1.23 | 0.45 0.67 1.45 1.67 |   hadd again with (2, 3): | 0 1 2 3 low | 0 1 2 3 high | */
OCT_INLINE __m256i join(const __m256i acc[COLUMNS])
{
    const __m256i s0123 = _mm256_hadd_epi32(_mm256_hadd_epi32(acc[0], acc[1]), _mm256_hadd_epi32(acc[2], acc[3]));
    const __m256i s4567 = _mm256_hadd_epi32(_mm256_hadd_epi32(acc[4], acc[5]), _mm256_hadd_epi32(acc[6], acc[7]));
    return _mm256_add_epi32(_mm256_permute2x128_si256(s0123, s4567, 0x20), _mm256_permute2x128_si256(s0123, s4567, 0x31));
}

static void row_8(const oct_tile *tile)
{
    __m256i acc[COLUMNS];
    const int8_t *b = tile->b;
    UNROLLED
    for (size_t c = 0; c < COLUMNS; c++)
        acc[c] = _mm256_setzero_si256();
    /* sum over taps and k */
    for (size_t tap = 0; tap < tile->taps; tap++) {
        const uint8_t *a = (const uint8_t *)tile->a[tap] + tile->a_offset;
        size_t i = 0;
        for (; i + GROUP <= tile->k; i += GROUP, b += COLUMNS * GROUP)
            step(acc, _mm256_cvtepu8_epi16(load_16(a + i)), b);
        if (i < tile->k) {
            /* the row ends within the group; the panel holds zeros there */
            uint8_t rest[GROUP] = {0};
            memcpy(rest, a + i, tile->k - i);
            step(acc, _mm256_cvtepu8_epi16(load_16(rest)), b);
            b += COLUMNS * GROUP;
        }
    }
    /* start at the bias: here at the end, where there is one sum per column */
    __m256i total[TILE_ROWS][TILE_VECS];
    total[0][0] = _mm256_add_epi32(join(acc), _mm256_loadu_si256((const __m256i *)(const void *)tile->e.acc_bias));
    finish_u8s8(&tile->e, total, 1, 1);
}

void oct_gemv_u8s8_avx2(const oct_tile *tile) { run_columns(tile, COLUMNS, row_8); }

/* gemv_u8s8_avx2.c - exact integer product of one row and a panel of 8 columns.
 *
 *   acc[c] = acc_bias[c] + sum over taps t, i < k of (a[t][i] - 128) * b[t][i][c]      then requantisation (epilogue)
 *
 * One row uses each weight once. The weights stay s8 in memory, and the fewest instructions per weight win. Widening both sides to
 * s16 takes 6 per 32 products; with the row's sign moved to the weights it is 4:
 *
 *   panel, kr = 32:   | column 0: b[0..31] | column 1: b[0..31] | .. | column 7 |        256 bytes per group of 32
 *   a:   x = a - 128 (flip the top bit), and |x|                once per group, for all 8 columns
 *   b:   vpsignb     b * sign(x)                                32 s8
 *        vpmaddubsw  |x| * (b * sign(x)) = x * b, in pairs      16 s16
 *        vpmaddwd 1  pairs of those                             8 s32, added to acc[column]: 8 partial sums of that column
 *
 * The entry says a_shift = 128: acc_bias makes up for the 128 that is taken from every a.
 *
 * Ranges: b in [-127, 127], so -b fits s8. |x| <= 128 fits u8, x = 0 gives 0 either way. A pair is at most 2 * 128 * 127 = 32,512
 * <= 32,767 in size: vpmaddubsw never saturates. The s32 sums are taken modulo 2^32 and the packer has proved that the final value
 * fits.
 *
 * Registers: 8 accumulators, x, |x|, ones, one product.   Bound: the bytes of b from L3 or memory, vector instructions in L2.
 * (A matrix product cannot use this: vpsignb would come on top for every row, and made it slower than s16; see gemm_u8s8_avx2.c.)
 */
#include "avx2.h"
#include "epilogue_avx2.h"

enum { COLUMNS = 8, GROUP = 32 };

/* acc += one group: 32 of the row against 8 columns. */
OCT_INLINE void step(__m256i acc[COLUMNS], const uint8_t *a, const int8_t *b)
{
    const __m256i x = _mm256_xor_si256(load_256(a), _mm256_set1_epi8((char)0x80));
    const __m256i size = _mm256_abs_epi8(x), ones = _mm256_set1_epi16(1);
    OCT_UNROLLED
    for (size_t c = 0; c < COLUMNS; c++) {
        const __m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(load_256(b + c * GROUP), x));
        acc[c] = _mm256_add_epi32(acc[c], _mm256_madd_epi16(pairs, ones));
    }
}

/* The 8 partial sums of each of 8 columns -> one sum per column, in order.
 *   hadd(0, 1): | 0.01 0.23 1.01 1.23 | 0.45 0.67 1.45 1.67 |   hadd again with (2, 3): | 0 1 2 3 low | 0 1 2 3 high | */
OCT_INLINE __m256i join(const __m256i acc[COLUMNS])
{
    const __m256i s0123 = _mm256_hadd_epi32(_mm256_hadd_epi32(acc[0], acc[1]), _mm256_hadd_epi32(acc[2], acc[3]));
    const __m256i s4567 = _mm256_hadd_epi32(_mm256_hadd_epi32(acc[4], acc[5]), _mm256_hadd_epi32(acc[6], acc[7]));
    return _mm256_add_epi32(_mm256_permute2x128_si256(s0123, s4567, 0x20), _mm256_permute2x128_si256(s0123, s4567, 0x31));
}

/* The whole product. */
static void row_8(const oct_tile *tile)
{
    __m256i acc[COLUMNS];
    const int8_t *b = tile->b;
    /* 1. Partial sums start at zero. */
    OCT_UNROLLED
    for (size_t c = 0; c < COLUMNS; c++)
        acc[c] = _mm256_setzero_si256();
    for (size_t tap = 0; tap < tile->taps; tap++) {
        /* 2. This tap's row pointer. */
        const uint8_t *a = (const uint8_t *)tile->a[tap] + tile->a_offset;
        /* 3. Along k, whole groups. */
        size_t i = 0;
        for (; i + GROUP <= tile->k; i += GROUP, b += COLUMNS * GROUP)
            step(acc, a + i, b);
        if (i < tile->k) {
            /* 3b. The ragged group: the row ends here; the panel holds zeros beyond, so any filling does. */
            uint8_t rest[GROUP] = {0};
            memcpy(rest, a + i, tile->k - i);
            step(acc, rest, b);
            b += COLUMNS * GROUP;
        }
    }
    /* 5. One sum per column: only now the bias can join. Epilogue. */
    __m256i total[TILE_ROWS][TILE_VECS];
    total[0][0] = _mm256_add_epi32(join(acc), load_256(tile->e.acc_bias));
    finish_u8s8(&tile->e, total, 1, 1);
}

void oct_gemv_u8s8_avx2(const oct_tile *tile) { run_columns(tile, COLUMNS, row_8); }

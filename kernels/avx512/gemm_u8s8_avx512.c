/* gemm_u8s8_avx512.c - exact u8 x s8 micro-kernels without VNNI, on 16-bit operands:
 *   acc[r][c] = acc_bias[c] + sum over taps t, i < k of a[r][t][i] * b[t][i][c];  then requantised to u8, or scaled to f32
 *      (kernels.h)
 *
 * The rows are S16: u8 minus its zero point, widened once per tensor, in [-255, 255]. vpmaddwd: each of 16 lanes sums two products
 * s16 * s16, at most 2 * 255 * 127 = 64,770 in size: exact. vpaddd adds them to the accumulator, which cannot wrap
 * (oct_gemm_provable). vpmaddubsw would halve the work, but its sums of two u8 * s8 saturate at 16 bits (2 * 255 * 127 > 32,767).
 *
 * The tile, 6 x 64 (24 accumulators + 4 columns of b + broadcast + product = 30 of 32 registers):
 *
 *                       b: one pair of k, 64 columns              panel: [k / 2][64][2] s16
 *                     | b0 | b1 | b2 | b3 |   64 bytes each:  c0: k0 k1 | c1: k0 k1 | ... | c15: k0 k1
 *   row 0  k0 k1  ->  | 00 | 01 | 02 | 03 |
 *   ...               |        ...        |   the pair of a row is one 32-bit broadcast for 4 multiplications and 4 additions
 *   row 5  k0 k1  ->  | 20 | 21 | 22 | 23 |
 *
 * When k is odd the panel's last pair is padded with zero weights; the last element of a row then comes alone.
 * For the rest of N: 12 x 32 (24 + 2 + 2 registers) and 12 x 16.
 *
 * Judged by the peak of vpmaddwd + vpaddd.
 */
#include <string.h>
#include "epilogue_avx512.h"
#include "gemm_avx512.h"

enum { KR = 2 };
typedef int16_t row_elem;
typedef int16_t panel_elem;

/* Two neighbours of a row in every lane. */
OCT_INLINE __m512i broadcast_group(const row_elem *a)
{
    int32_t two;
    memcpy(&two, a, sizeof two);
    return _mm512_set1_epi32(two);
}

/* The last one of a row, then a zero. */
OCT_INLINE __m512i broadcast_rest(const row_elem *a, __mmask16 some)
{
    (void)some;             /* it can only be one */
    return _mm512_set1_epi32((uint16_t)*a);
}

OCT_INLINE __m512i add_products(__m512i acc, __m512i x, __m512i w) { return _mm512_add_epi32(acc, _mm512_madd_epi16(x, w)); }

#include "gemm_u8s8_body_avx512.h"

void oct_gemm_u8s8_6x64_avx512(const oct_tile *t) { wide(t); }

void oct_gemm_u8s8_12x32_avx512(const oct_tile *t) { narrow(t, 2); }

void oct_gemm_u8s8_12x16_avx512(const oct_tile *t) { narrow(t, 1); }

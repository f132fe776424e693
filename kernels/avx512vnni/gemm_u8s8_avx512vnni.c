/* gemm_u8s8_avx512vnni.c - u8 x s8 micro-kernels:
 *   acc[r][c] = acc_bias[c] + sum over taps t, i < k of a[r][t][i] * b[t][i][c];  then requantised to u8, or scaled to f32
 *      (kernels.h)
 *
 * vpdpbusd: each of 16 lanes adds four products u8 * s8 to its s32. Four products reach at most 4 * 255 * 127 = 129,540 in size
 * and are summed exactly; the sum with the accumulator cannot wrap because the packer has proved 255 * sum|w| + |acc_bias| < 2^31.
 *
 * The tile, 6 x 64 (24 accumulators + 4 columns of b + 1 broadcast = 29 of 32 registers):
 *
 *                        b: one group of 4 k, 64 columns             panel: [k / 4][64][4] bytes
 *                      | b0 | b1 | b2 | b3 |   64 bytes each:  c0: k0 k1 k2 k3 | c1: k0 k1 k2 k3 | ... | c15: ...
 *   row 0  k0..k3  ->  | 00 | 01 | 02 | 03 |
 *   ...                |        ...        |   the 4 bytes of a row are one 32-bit broadcast for 4 dot products
 *   row 5  k0..k3  ->  | 20 | 21 | 22 | 23 |
 *
 * When k is no multiple of 4 the panel's last group is padded with zero weights, but the rows are not: their last bytes come by a
 * masked load, which touches nothing beyond them.
 * For the rest of N: 12 x 32 (24 + 2 + 1 registers) and 12 x 16.
 *
 * Judged by the vpdpbusd peak of the core.
 */
#include <string.h>
#include "avx512/epilogue_avx512.h"
#include "gemm_avx512vnni.h"

enum { KR = 4 };
typedef uint8_t row_elem;
typedef int8_t panel_elem;

/* Four neighbours of a row in every lane. */
OCT_INLINE __m512i broadcast_group(const row_elem *a)
{
    int32_t four;
    memcpy(&four, a, sizeof four);
    return _mm512_set1_epi32(four);
}

/* The last 1..3 of a row, then zeros. Bytes outside the mask are not read. */
OCT_INLINE __m512i broadcast_rest(const row_elem *a, __mmask16 some)
{
    return _mm512_broadcastd_epi32(_mm_maskz_loadu_epi8(some, a));
}

OCT_INLINE __m512i add_products(__m512i acc, __m512i x, __m512i w) { return _mm512_dpbusd_epi32(acc, x, w); }

#include "avx512/gemm_u8s8_body_avx512.h"

void oct_gemm_u8s8_6x64_avx512vnni(const oct_tile *t) { wide(t); }

void oct_gemm_u8s8_12x32_avx512vnni(const oct_tile *t) { narrow(t, 2); }

void oct_gemm_u8s8_12x16_avx512vnni(const oct_tile *t) { narrow(t, 1); }

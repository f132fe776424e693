/* gemm_s16_avx512vnni.c - s16 x s16 micro-kernels of integer Winograd, with VNNI:
 *   out[r][c] = acc_bias[c] + sum over i < k of a[r][i] * b[i][c],  modulo 2^32, stored as they are
 *
 * vpdpwssd: each of 16 lanes adds two products s16 * s16 to its s32, wrapping (vpdpwssds would saturate). winograd_weights_u8s8.c
 * has the ranges, and why wrapping does no harm. It is half of what vpdpbusd does per instruction, and all that 16 bits allow.
 *
 * The tile, 6 x 64 (24 accumulators + 4 columns of b + 1 broadcast = 29 of 32 registers):
 *
 *                       b: one pair of k, 64 columns              panel: [k / 2][64][2] s16
 *                     | b0 | b1 | b2 | b3 |   64 bytes each:  c0: k0 k1 | c1: k0 k1 | ... | c15: k0 k1
 *   row 0  k0 k1  ->  | 00 | 01 | 02 | 03 |
 *   ...               |        ...        |   the pair of a row is one 32-bit broadcast for 4 dot products
 *   row 5  k0 k1  ->  | 20 | 21 | 22 | 23 |
 *
 * When k is odd, rows and panel both end in a pair with a zero: rows of V are filled with zeros to a multiple of 64 bytes.
 * For the rest of N: 12 x 32 (24 + 2 + 1 registers) and 12 x 16.
 *
 * Judged by the peak of vpdpwssd, half of vpdpbusd's.
 */
#include <string.h>
#include "avx512/epilogue_avx512.h"
#include "gemm_avx512vnni.h"

OCT_INLINE __m512i add_products(__m512i acc, __m512i x, __m512i w) { return _mm512_dpwssd_epi32(acc, x, w); }

#include "avx512/gemm_s16_body_avx512.h"

void oct_gemm_s16_6x64_avx512vnni(const oct_tile *t) { wide(t); }

void oct_gemm_s16_12x32_avx512vnni(const oct_tile *t) { narrow(t, 2); }

void oct_gemm_s16_12x16_avx512vnni(const oct_tile *t) { narrow(t, 1); }

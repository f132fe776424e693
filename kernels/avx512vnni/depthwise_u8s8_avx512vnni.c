/* depthwise_u8s8_avx512vnni.c - u8 x s8 depthwise convolution, 3x3 and 5x5, strides 1 and 2; depthwise_blocks_avx512.h tells the
 * rest.
 *
 * vpdpbusd sums four products u8 * s8 of one 32-bit lane: four rows of one column. Two output rows of 3x3 at stride 1 together
 * have four input rows, so 24 of them (6 useful products of 8) make 128 results, for which f32 needs 72 multiply-adds. At stride
 * 2 one output row is | r0 r1 r2 0 |; 5x5 takes two groups, | r0 r1 r2 r3 | r4 0 0 0 |.
 *
 * Ranges: as in depthwise_u8s8_scalar.c. Every partial sum is below 2^31 in size, whatever the order.
 * Judged by the port count: 24 dot products, 24 conversions and multiplications, 8 interleavings, 10 narrowings per 128 results
 * of 3x3.
 */
#include "avx512/epilogue_avx512.h"
#include "depthwise_avx512vnni.h"

enum { DEPTH = 4, ROWS = 2 };
typedef int8_t weight;

OCT_INLINE void group(const __m512i *rows, __m512i *four)
{
    const __m512i low01 = _mm512_unpacklo_epi8(rows[0], rows[1]), high01 = _mm512_unpackhi_epi8(rows[0], rows[1]);
    const __m512i low23 = _mm512_unpacklo_epi8(rows[2], rows[3]), high23 = _mm512_unpackhi_epi8(rows[2], rows[3]);
    four[0] = _mm512_unpacklo_epi16(low01, low23);
    four[1] = _mm512_unpackhi_epi16(low01, low23);
    four[2] = _mm512_unpacklo_epi16(high01, high23);
    four[3] = _mm512_unpackhi_epi16(high01, high23);
}

OCT_INLINE __m512i add_products(__m512i acc, __m512i x, __m512i w) { return _mm512_dpbusd_epi32(acc, x, w); }

#include "avx512/depthwise_line_avx512.h"
#include "avx512/depthwise_window_avx512.h"

size_t oct_depthwise_u8s8_packed_bytes_avx512vnni(const oct_conv_shape *s) { return packed_bytes(s, rows_of(s)); }

void oct_depthwise_u8s8_pack_avx512vnni(const oct_conv_shape *s, const oct_depthwise_params *params, void *packed)
{
    pack(s, params, packed, rows_of(s));
}

void oct_depthwise_u8s8_3x3s1_avx512vnni(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    run(job, begin, end, scratch, &kind_3x3s1);
}

void oct_depthwise_u8s8_3x3s2_avx512vnni(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    run(job, begin, end, scratch, &kind_3x3s2);
}

void oct_depthwise_u8s8_5x5s1_avx512vnni(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    run(job, begin, end, scratch, &kind_5x5s1);
}

void oct_depthwise_u8s8_5x5s2_avx512vnni(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    run(job, begin, end, scratch, &kind_5x5s2);
}

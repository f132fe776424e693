/* depthwise_u8s8_avx512.c - exact u8 x s8 depthwise convolution without VNNI, 3x3 and 5x5, strides 1 and 2;
 * depthwise_blocks_avx512.h tells the rest.
 *
 * Bytes are widened to 16 bits while they are interleaved; vpmaddwd sums two products of one 32-bit lane (at most 2 * 255 * 127 =
 * 64,770), two rows of one column: 3x3 is | r0 r1 | r2 0 |, 24 vpmaddwd and 24 vpaddd for 64 results where f32 needs 36
 * multiply-adds. There is no gain in arithmetic, only in the bytes that move.
 *
 * Ranges: as in depthwise_u8s8_scalar.c. Every partial sum is below 2^31 in size, whatever the order.
 */
#include "depthwise_avx512.h"

enum { DEPTH = 2, ROWS = 1 };
typedef int16_t weight;

OCT_INLINE void group(const __m512i *rows, __m512i *four)
{
    const __m512i zero = _mm512_setzero_si512();
    const __m512i low = _mm512_unpacklo_epi8(rows[0], rows[1]), high = _mm512_unpackhi_epi8(rows[0], rows[1]);
    four[0] = _mm512_unpacklo_epi8(low, zero);
    four[1] = _mm512_unpackhi_epi8(low, zero);
    four[2] = _mm512_unpacklo_epi8(high, zero);
    four[3] = _mm512_unpackhi_epi8(high, zero);
}

OCT_INLINE __m512i add_products(__m512i acc, __m512i x, __m512i w) { return _mm512_add_epi32(acc, _mm512_madd_epi16(x, w)); }

#include "depthwise_line_avx512.h"
#include "depthwise_window_avx512.h"

size_t oct_depthwise_u8s8_scratch_bytes_avx512(const oct_conv_shape *s) { return s->in_w * s->in_c; }

size_t oct_depthwise_u8s8_packed_bytes_avx512(const oct_conv_shape *s) { return packed_bytes(s, rows_of(s)); }

void oct_depthwise_u8s8_pack_avx512(const oct_conv_shape *s, const oct_depthwise_params *params, void *packed)
{
    pack(s, params, packed, rows_of(s));
}

void oct_depthwise_u8s8_3x3s1_avx512(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    run(job, begin, end, scratch, &kind_3x3s1);
}

void oct_depthwise_u8s8_3x3s2_avx512(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    run(job, begin, end, scratch, &kind_3x3s2);
}

void oct_depthwise_u8s8_5x5s1_avx512(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    run(job, begin, end, scratch, &kind_5x5s1);
}

void oct_depthwise_u8s8_5x5s2_avx512(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    run(job, begin, end, scratch, &kind_5x5s2);
}

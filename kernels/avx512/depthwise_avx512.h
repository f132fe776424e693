/* depthwise_avx512.h - depthwise convolution: what its kernels on 512-bit registers share, and their entries for the overlays. */
#ifndef OCT_DEPTHWISE_AVX512_H
#define OCT_DEPTHWISE_AVX512_H

#include <string.h>
#include "epilogue_avx512.h"

/* Channels are cut into blocks of 16. If the last block is not full it is moved back, so that it ends with the last channel: the
 * channels it shares with its neighbour are computed twice, with the same result, and no mask is needed.     C = 40:  0..15,
 * 16..31, 24..39 */
OCT_INLINE size_t oct_blocks_16(size_t channels) { return (channels + 15) / 16; }
OCT_INLINE size_t oct_block_16_at(size_t channels, size_t block)
{
    return 16 * block + 16 <= channels || channels < 16 ? 16 * block : channels - 16;
}

size_t oct_depthwise_f32_packed_bytes_avx512(const oct_conv_shape *shape);
void oct_depthwise_f32_pack_avx512(const oct_conv_shape *shape, const oct_depthwise_params *params, void *packed);
size_t oct_depthwise_scratch_bytes_avx512(const oct_conv_shape *shape);
bool oct_depthwise_accepts_3x3s1_avx512(const oct_conv_shape *shape);
bool oct_depthwise_accepts_3x3s2_avx512(const oct_conv_shape *shape);
bool oct_depthwise_accepts_5x5s1_avx512(const oct_conv_shape *shape);
bool oct_depthwise_accepts_5x5s2_avx512(const oct_conv_shape *shape);
void oct_depthwise_f32_3x3s1_avx512(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);
void oct_depthwise_f32_3x3s2_avx512(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);
void oct_depthwise_f32_5x5s1_avx512(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);
void oct_depthwise_f32_5x5s2_avx512(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);

/* u8s8: one row of zero points. */
size_t oct_depthwise_u8s8_scratch_bytes_avx512(const oct_conv_shape *shape);
size_t oct_depthwise_u8s8_packed_bytes_avx512(const oct_conv_shape *shape);
void oct_depthwise_u8s8_pack_avx512(const oct_conv_shape *shape, const oct_depthwise_params *params, void *packed);
void oct_depthwise_u8s8_3x3s1_avx512(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);
void oct_depthwise_u8s8_3x3s2_avx512(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);
void oct_depthwise_u8s8_5x5s1_avx512(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);
void oct_depthwise_u8s8_5x5s2_avx512(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);

#endif

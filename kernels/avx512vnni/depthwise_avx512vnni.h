/* depthwise_avx512vnni.h - the depthwise kernels of this folder, for its overlay. */
#ifndef OCT_DEPTHWISE_AVX512VNNI_H
#define OCT_DEPTHWISE_AVX512VNNI_H

#include "kernels.h"

size_t oct_depthwise_u8s8_packed_bytes_avx512vnni(const oct_conv_shape *shape);
void oct_depthwise_u8s8_pack_avx512vnni(const oct_conv_shape *shape, const oct_depthwise_params *params, void *packed);
void oct_depthwise_u8s8_3x3s1_avx512vnni(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);
void oct_depthwise_u8s8_3x3s2_avx512vnni(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);
void oct_depthwise_u8s8_5x5s1_avx512vnni(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);
void oct_depthwise_u8s8_5x5s2_avx512vnni(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);

#endif

/* ops_avx512.h - everything of this folder that is no product of matrices and no convolution, for its overlay. */
#ifndef OCT_OPS_AVX512_H
#define OCT_OPS_AVX512_H

#include "kernels.h"

/* elementwise_avx512.c */
void oct_clamp_f32_avx512(size_t n, const float *in, float lo, float hi, float *out);
void oct_lut_u8_avx512(size_t n, const uint8_t *in, const uint8_t table[256], uint8_t *out);
void oct_quantize_f32_u8_avx512(size_t n, const float *in, float inv_scale, int32_t zero, uint8_t *out);
void oct_dequantize_u8_f32_avx512(size_t n, const uint8_t *in, float scale, int32_t zero, float *out);
void oct_requantize_u8_avx512(size_t n, const uint8_t *in, int32_t in_zero, float mult, int32_t out_zero, uint8_t *out);
void oct_widen_u8_s16_avx512(size_t n, const uint8_t *in, int32_t zero, int16_t *out);

/* activate_f32_avx512.c */
void oct_activate_f32_avx512(const oct_activation *f, size_t n, const float *in, float *out);

/* reduce_avx512.c */
void oct_minmax_f32_avx512(size_t n, const float *in, float *lo, float *hi);
void oct_softmax_f32_avx512(size_t rows, size_t cols, const float *in, float *out);

/* pool_avx512.c */
void oct_max_pool_f32_avx512(const oct_pool_job *job);
void oct_max_pool_u8_avx512(const oct_pool_job *job);
void oct_average_pool_f32_avx512(const oct_pool_job *job);
void oct_average_pool_u8_avx512(const oct_pool_job *job);

/* binary_avx512.c */
void oct_binary_f32_avx512(const oct_binary_job *job);
void oct_binary_u8_avx512(const oct_binary_job *job);

/* transpose_avx512.c */
void oct_transpose_x32_avx512(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld);
void oct_transpose_x8_avx512(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld);

#endif

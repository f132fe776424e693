/* neon.h - the kernels of this folder, as overlay_neon.c puts them into the table. ARMv8.0: no dot products. */
#ifndef OCT_NEON_H
#define OCT_NEON_H

#include "kernels.h"
#include "unroll.h"

void oct_gemm_f32_neon(const oct_tile *tile);
void oct_gemm_f32_narrow_neon(const oct_tile *tile);
void oct_gemv_f32_neon(const oct_tile *tile);
void oct_gemm_u8s8_neon(const oct_tile *tile);
void oct_gemm_s16_neon(const oct_tile *tile);
void oct_gemm_s16_narrow_neon(const oct_tile *tile);

void oct_winograd_input_f32_neon(const oct_winograd_input *job);
void oct_winograd_output_f32_neon(const oct_winograd_output *job);
void oct_winograd_input_u8s8_neon(const oct_winograd_input *job);
void oct_winograd_output_u8s8_neon(const oct_winograd_output *job);
void oct_winograd_expand_u8s8_neon(const void *w, size_t groups, const oct_gemm_entry *panel, size_t i, void *u);

extern const oct_depthwise_entry oct_depthwise_square_f32_neon[4];
extern const oct_depthwise_entry oct_depthwise_f32_neon;
extern const oct_depthwise_entry oct_depthwise_3x3_u8s8_neon[2];
extern const oct_depthwise_entry oct_depthwise_u8s8_neon;

void oct_max_pool_f32_neon(const oct_pool_job *job);
void oct_max_pool_u8_neon(const oct_pool_job *job);
void oct_average_pool_f32_neon(const oct_pool_job *job);
void oct_average_pool_u8_neon(const oct_pool_job *job);

void oct_gather_pixels_neon(size_t pixels, size_t pixel_bytes, const void *row, const oct_resize_tap *x, void *out);
void oct_resize_linear_f32_neon(const oct_resize_job *job);
void oct_resize_linear_u8_neon(const oct_resize_job *job);

void oct_binary_f32_neon(const oct_binary_job *job);
void oct_binary_u8_neon(const oct_binary_job *job);

void oct_clamp_f32_neon(size_t n, const float *in, float lo, float hi, float *out);
void oct_activate_f32_neon(const oct_activation *f, size_t n, const float *in, float *out);
void oct_lut_u8_neon(size_t n, const uint8_t *in, const uint8_t table[256], uint8_t *out);
void oct_quantize_f32_u8_neon(size_t n, const float *in, float inv_scale, int32_t zero, uint8_t *out);
void oct_dequantize_u8_f32_neon(size_t n, const uint8_t *in, float scale, int32_t zero, float *out);
void oct_requantize_u8_neon(size_t n, const uint8_t *in, int32_t in_zero, float mult, int32_t out_zero, uint8_t *out);
void oct_widen_u8_s16_neon(size_t n, const uint8_t *in, int32_t zero, int16_t *out);
void oct_minmax_f32_neon(size_t n, const float *in, float *lo, float *hi);
void oct_softmax_f32_neon(size_t rows, size_t cols, const float *in, float *out);
void oct_transpose_x32_neon(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld);
void oct_transpose_x8_neon(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld);

#endif

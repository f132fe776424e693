/* avx2.h - what the files of this folder show each other: the entries' functions, by topic. overlay_avx2.c puts them into the
 * table. */
#ifndef OCT_AVX2_H
#define OCT_AVX2_H

#include "kernels.h"

/* gemm_f32_avx2.c, gemm_u8s8_avx2.c: 6 rows x 16 columns, and x 8 for the rest of N */
void oct_gemm_f32_avx2(const oct_tile *tile);
void oct_gemm_f32_narrow_avx2(const oct_tile *tile);
void oct_gemm_u8s8_avx2(const oct_tile *tile);
void oct_gemm_u8s8_narrow_avx2(const oct_tile *tile);

/* gemm_s16_avx2.c, winograd_u8s8_avx2.c */
void oct_gemm_s16_avx2(const oct_tile *tile);
void oct_gemm_s16_narrow_avx2(const oct_tile *tile);
void oct_winograd_input_f32_avx2(const oct_winograd_input *job);
void oct_winograd_output_f32_avx2(const oct_winograd_output *job);
void oct_winograd_input_u8s8_avx2(const oct_winograd_input *job);
void oct_winograd_output_u8s8_avx2(const oct_winograd_output *job);
void oct_winograd_expand_u8s8_avx2(const void *w, size_t groups, const oct_gemm_entry *panel, size_t i, void *u);

/* gemv_f32_avx2.c, gemv_u8s8_avx2.c: one row */
void oct_gemv_f32_avx2(const oct_tile *tile);
void oct_gemv_f32_narrow_avx2(const oct_tile *tile);
void oct_gemv_u8s8_avx2(const oct_tile *tile);

/* elementwise_avx2.c, lut_u8_avx2.c, reduce_avx2.c */
void oct_clamp_f32_avx2(size_t n, const float *in, float lo, float hi, float *out);
void oct_quantize_f32_u8_avx2(size_t n, const float *in, float inv_scale, int32_t zero, uint8_t *out);
void oct_dequantize_u8_f32_avx2(size_t n, const uint8_t *in, float scale, int32_t zero, float *out);
void oct_requantize_u8_avx2(size_t n, const uint8_t *in, int32_t in_zero, float mult, int32_t out_zero, uint8_t *out);
void oct_widen_u8_s16_avx2(size_t n, const uint8_t *in, int32_t zero, int16_t *out);
void oct_activate_f32_avx2(const oct_activation *f, size_t n, const float *in, float *out);
void oct_lut_u8_avx2(size_t n, const uint8_t *in, const uint8_t table[256], uint8_t *out);
void oct_minmax_f32_avx2(size_t n, const float *in, float *lo, float *hi);

/* pool_f32_avx2.c, pool_u8_avx2.c */
void oct_max_pool_f32_avx2(const oct_pool_job *job);
void oct_average_pool_f32_avx2(const oct_pool_job *job);
void oct_max_pool_u8_avx2(const oct_pool_job *job);
void oct_average_pool_u8_avx2(const oct_pool_job *job);

/* resize_avx2.c */
void oct_gather_pixels_avx2(size_t pixels, size_t pixel_bytes, const void *row, const oct_resize_tap *x, void *out);
void oct_resize_linear_f32_avx2(const oct_resize_job *job);
void oct_resize_linear_u8_avx2(const oct_resize_job *job);

/* binary_avx2.c */
void oct_binary_f32_avx2(const oct_binary_job *job);
void oct_binary_u8_avx2(const oct_binary_job *job);

/* transpose_avx2.c */
void oct_transpose_x32_avx2(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld);
void oct_transpose_x8_avx2(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld);

/* depthwise_avx2.c: which shapes, packing */
bool oct_depthwise_accepts_3x3s1_avx2(const oct_conv_shape *shape);
bool oct_depthwise_accepts_3x3s2_avx2(const oct_conv_shape *shape);
bool oct_depthwise_accepts_5x5s1_avx2(const oct_conv_shape *shape);
bool oct_depthwise_accepts_5x5s2_avx2(const oct_conv_shape *shape);
bool oct_depthwise_accepts_general_avx2(const oct_conv_shape *shape);
size_t oct_depthwise_f32_packed_bytes_avx2(const oct_conv_shape *shape);
void oct_depthwise_f32_pack_avx2(const oct_conv_shape *shape, const oct_depthwise_params *params, void *packed);
size_t oct_depthwise_no_scratch_avx2(const oct_conv_shape *shape);

/* depthwise_f32_avx2.c */
void oct_depthwise_f32_3x3s1_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);
void oct_depthwise_f32_3x3s2_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);
void oct_depthwise_f32_5x5s1_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);
void oct_depthwise_f32_5x5s2_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);
void oct_depthwise_f32_general_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);

/* depthwise_u8s8_avx2.c */
size_t oct_depthwise_u8s8_packed_bytes_avx2(const oct_conv_shape *shape);
void oct_depthwise_u8s8_pack_avx2(const oct_conv_shape *shape, const oct_depthwise_params *params, void *packed);
size_t oct_depthwise_u8s8_scratch_bytes_avx2(const oct_conv_shape *shape);
void oct_depthwise_u8s8_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);
/* The same with the packed weights somewhere else, for the next two files. */
void oct_depthwise_u8s8_pairs_avx2(const oct_depthwise_job *job, const void *packed, size_t row_begin, size_t row_end,
                                   void *scratch);

/* depthwise_u8s8_3x3s1_avx2.c */
size_t oct_depthwise_u8s8_3x3s1_packed_bytes_avx2(const oct_conv_shape *shape);
void oct_depthwise_u8s8_3x3s1_pack_avx2(const oct_conv_shape *shape, const oct_depthwise_params *params, void *packed);
size_t oct_depthwise_u8s8_3x3s1_scratch_bytes_avx2(const oct_conv_shape *shape);
void oct_depthwise_u8s8_3x3s1_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);

/* depthwise_u8s8_fma_avx2.c */
bool oct_depthwise_u8s8_fma_accepts_avx2(const oct_conv_shape *shape);
size_t oct_depthwise_u8s8_fma_packed_bytes_avx2(const oct_conv_shape *shape);
void oct_depthwise_u8s8_fma_pack_avx2(const oct_conv_shape *shape, const oct_depthwise_params *params, void *packed);
void oct_depthwise_u8s8_fma_avx2(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);

#endif

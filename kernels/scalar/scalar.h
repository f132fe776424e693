/* scalar.h - the scalar kernels, by file. Each is the specification of the table entry of the same name (kernels.h).
 *
 * An ISA folder may call them for shapes it does not treat itself. */
#ifndef OCT_SCALAR_H
#define OCT_SCALAR_H

#include "kernels.h"

/* gemm_f32_scalar.c, gemm_u8s8_scalar.c */
void oct_gemm_f32_scalar(const oct_tile *tile);
void oct_gemm_u8s8_scalar(const oct_tile *tile);

/* winograd_u8s8_scalar.c */
void oct_winograd_input_u8s8_scalar(const oct_winograd_input *job);
void oct_winograd_output_u8s8_scalar(const oct_winograd_output *job);
void oct_winograd_expand_u8s8_scalar(const void *w, size_t groups, const oct_gemm_entry *panel, size_t i, void *u);
void oct_gemm_s16_scalar(const oct_tile *tile);

/* depthwise_f32_scalar.c (the first two serve both precisions) */
bool oct_depthwise_accepts_scalar(const oct_conv_shape *shape);
size_t oct_depthwise_scratch_bytes_scalar(const oct_conv_shape *shape);
size_t oct_depthwise_f32_packed_bytes_scalar(const oct_conv_shape *shape);
void oct_depthwise_f32_pack_scalar(const oct_conv_shape *shape, const oct_depthwise_params *params, void *packed);
void oct_depthwise_f32_scalar(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);

/* depthwise_u8s8_scalar.c */
size_t oct_depthwise_u8s8_packed_bytes_scalar(const oct_conv_shape *shape);
void oct_depthwise_u8s8_pack_scalar(const oct_conv_shape *shape, const oct_depthwise_params *params, void *packed);
void oct_depthwise_u8s8_scalar(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);

/* pool_scalar.c */
void oct_max_pool_f32_scalar(const oct_pool_job *job);
void oct_max_pool_u8_scalar(const oct_pool_job *job);
void oct_average_pool_f32_scalar(const oct_pool_job *job);
void oct_average_pool_u8_scalar(const oct_pool_job *job);

/* resize_scalar.c */
void oct_gather_pixels_scalar(size_t pixels, size_t pixel_bytes, const void *row, const oct_resize_tap *x, void *out);
void oct_resize_linear_f32_scalar(const oct_resize_job *job);
void oct_resize_linear_u8_scalar(const oct_resize_job *job);

/* binary_scalar.c */
void oct_binary_f32_scalar(const oct_binary_job *job);
void oct_binary_u8_scalar(const oct_binary_job *job);

/* elementwise_scalar.c */
void oct_clamp_f32_scalar(size_t n, const float *in, float lo, float hi, float *out);
void oct_lut_u8_scalar(size_t n, const uint8_t *in, const uint8_t table[256], uint8_t *out);
void oct_quantize_f32_u8_scalar(size_t n, const float *in, float inv_scale, int32_t zero, uint8_t *out);
void oct_dequantize_u8_f32_scalar(size_t n, const uint8_t *in, float scale, int32_t zero, float *out);
void oct_requantize_u8_scalar(size_t n, const uint8_t *in, int32_t in_zero, float mult, int32_t out_zero, uint8_t *out);
void oct_widen_u8_s16_scalar(size_t n, const uint8_t *in, int32_t zero, int16_t *out);

/* activate_f32_scalar.c */
void oct_activate_f32_scalar(const oct_activation *f, size_t n, const float *in, float *out);

/* reduce_scalar.c */
void oct_minmax_f32_scalar(size_t n, const float *in, float *lo, float *hi);
void oct_softmax_f32_scalar(size_t rows, size_t cols, const float *in, float *out);

/* transpose_scalar.c */
void oct_transpose_x32_scalar(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld);
void oct_transpose_x8_scalar(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld);

#endif

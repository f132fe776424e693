/* gemm_avx512.h - the micro-kernels and loops of this folder, for its overlay. */
#ifndef OCT_GEMM_AVX512_H
#define OCT_GEMM_AVX512_H

#include "kernels.h"

oct_gemm_fn oct_gemm_f32_6x64_avx512, oct_gemm_f32_12x32_avx512, oct_gemm_f32_12x16_avx512;
oct_gemm_fn oct_gemm_u8s8_6x64_avx512, oct_gemm_u8s8_12x32_avx512, oct_gemm_u8s8_12x16_avx512;
oct_gemm_fn oct_gemm_s16_6x64_avx512, oct_gemm_s16_12x32_avx512, oct_gemm_s16_12x16_avx512;
oct_gemm_fn oct_gemv_f32_1x64_avx512, oct_gemv_f32_1x16_avx512;
oct_gemm_fn oct_gemv_u8s8_1x64_avx512, oct_gemv_u8s8_1x16_avx512;

void oct_activate_f32_avx512(const oct_activation *f, size_t n, const float *in, float *out);

#endif

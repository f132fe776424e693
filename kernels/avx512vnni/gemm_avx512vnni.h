/* gemm_avx512vnni.h - the micro-kernels of this folder, for its overlay. */
#ifndef OCT_GEMM_AVX512VNNI_H
#define OCT_GEMM_AVX512VNNI_H

#include "kernels.h"

oct_gemm_fn oct_gemm_u8s8_6x64_avx512vnni, oct_gemm_u8s8_12x32_avx512vnni, oct_gemm_u8s8_12x16_avx512vnni;
oct_gemm_fn oct_gemm_s16_6x64_avx512vnni, oct_gemm_s16_12x32_avx512vnni, oct_gemm_s16_12x16_avx512vnni;
oct_gemm_fn oct_gemv_u8s8_1x64_avx512vnni, oct_gemv_u8s8_1x16_avx512vnni;

#endif

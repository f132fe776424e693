/* avx2.h - what the files of this folder show each other: the entries' functions, by topic. overlay_avx2.c puts them into the table. */
#ifndef OCT_AVX2_H
#define OCT_AVX2_H

#include "kernels.h"

/* gemm_f32_avx2.c, gemm_u8s8_avx2.c: 6 rows x 16 columns, and x 8 for the rest of N */
void oct_gemm_f32_avx2(const oct_tile *tile);
void oct_gemm_f32_narrow_avx2(const oct_tile *tile);
void oct_gemm_u8s8_avx2(const oct_tile *tile);
void oct_gemm_u8s8_narrow_avx2(const oct_tile *tile);

/* gemv_f32_avx2.c, gemv_u8s8_avx2.c: one row */
void oct_gemv_f32_avx2(const oct_tile *tile);
void oct_gemv_f32_narrow_avx2(const oct_tile *tile);
void oct_gemv_u8s8_avx2(const oct_tile *tile);

#endif

/* winograd_avx512.h - the Winograd transforms of this folder, for its overlay. */
#ifndef OCT_WINOGRAD_AVX512_H
#define OCT_WINOGRAD_AVX512_H

#include "kernels.h"

void oct_winograd_input_f32_avx512(const oct_winograd_input *job);
void oct_winograd_output_f32_avx512(const oct_winograd_output *job);

void oct_winograd_input_u8s8_avx512(const oct_winograd_input *job);
void oct_winograd_output_u8s8_avx512(const oct_winograd_output *job);
void oct_winograd_expand_u8s8_avx512(const void *w, size_t groups, const oct_gemm_entry *panel, size_t i, void *u);

#endif

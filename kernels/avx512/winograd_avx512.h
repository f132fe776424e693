/* winograd_avx512.h - the Winograd transforms of this folder, for its overlay. */
#ifndef OCT_WINOGRAD_AVX512_H
#define OCT_WINOGRAD_AVX512_H

#include "kernels.h"

void oct_winograd_input_f32_avx512(const oct_winograd_input *job);
void oct_winograd_output_f32_avx512(const oct_winograd_output *job);

#endif

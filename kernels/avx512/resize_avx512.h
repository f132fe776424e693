/* resize_avx512.h - the resizing kernels of this folder. */
#ifndef OCT_RESIZE_AVX512_H
#define OCT_RESIZE_AVX512_H

#include "kernels.h"

/* resize_avx512.c */
void oct_resize_linear_f32_avx512(const oct_resize_job *job);
void oct_resize_linear_u8_avx512(const oct_resize_job *job);

#endif

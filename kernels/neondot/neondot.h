/* neondot.h - the kernels of this folder: NEON with the ARMv8.2 dot product. */
#ifndef OCT_NEONDOT_H
#define OCT_NEONDOT_H

#include "kernels.h"
#include "unroll.h"

void oct_gemm_u8s8_neondot(const oct_tile *tile);
void oct_gemm_u8s8_narrow_neondot(const oct_tile *tile);
void oct_gemv_u8s8_neondot(const oct_tile *tile);

extern const oct_depthwise_entry oct_depthwise_3x3_u8s8_neondot[2];

#endif

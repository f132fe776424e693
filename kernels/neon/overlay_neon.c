/* overlay_neon.c - lays ARMv8.0 NEON over the scalar table. */
#include <string.h>

#include "neon.h"

static const oct_gemm_entry gemm_f32[] = {
    {oct_gemm_f32_neon, 5, 16, 1, OCT_ELEM_F32, OCT_ELEM_F32, "neon 5x16", 0},
    {oct_gemm_f32_narrow_neon, 8, 8, 1, OCT_ELEM_F32, OCT_ELEM_F32, "neon 8x8", 0},
    {0},
};
static const oct_gemm_entry gemv_f32[] = {
    {oct_gemv_f32_neon, 1, 32, 1, OCT_ELEM_F32, OCT_ELEM_F32, "neon 1x32", 0},
    {0},
};
static const oct_gemm_entry gemm_u8s8[] = {
    {oct_gemm_u8s8_neon, 4, 4, 16, OCT_ELEM_U8, OCT_ELEM_S8, "neon 4x4", 128},
    {0},
};

static const oct_winograd_entry winograd_u8s8 = {
    .input = oct_winograd_input_u8s8_neon, .output = oct_winograd_output_u8s8_neon, .expand = oct_winograd_expand_u8s8_neon,
    .gemm = {{oct_gemm_s16_neon, 5, 16, 1, OCT_ELEM_S16, OCT_ELEM_S8, "neon 5x16", 0},
             {oct_gemm_s16_narrow_neon, 8, 8, 1, OCT_ELEM_S16, OCT_ELEM_S8, "neon 8x8", 0}},
    .name = "neon F(4x4,3x3)"};

void oct_overlay_neon(oct_kernels *table)
{
    memcpy(table->gemm_f32, gemm_f32, sizeof gemm_f32);
    memcpy(table->gemv_f32, gemv_f32, sizeof gemv_f32);
    memcpy(table->gemm_u8s8, gemm_u8s8, sizeof gemm_u8s8);
    memcpy(table->gemv_u8s8, gemm_u8s8, sizeof gemm_u8s8);
    table->winograd_f32 = (oct_winograd_entry){
        .input = oct_winograd_input_f32_neon, .output = oct_winograd_output_f32_neon, .name = "neon F(4x4,3x3)"};
    memcpy(table->winograd_f32.gemm, table->gemm_f32, sizeof table->gemm_f32);
    table->winograd_u8s8 = winograd_u8s8;
    oct_lay_depthwise(table->depthwise_f32, &oct_depthwise_f32_neon, 1);
    oct_lay_depthwise(table->depthwise_f32, oct_depthwise_square_f32_neon, 4);
    oct_lay_depthwise(table->depthwise_u8s8, &oct_depthwise_u8s8_neon, 1);
    oct_lay_depthwise(table->depthwise_u8s8, oct_depthwise_3x3_u8s8_neon, 2);

    table->max_pool_f32 = oct_max_pool_f32_neon;
    table->max_pool_u8 = oct_max_pool_u8_neon;
    table->average_pool_f32 = oct_average_pool_f32_neon;
    table->average_pool_u8 = oct_average_pool_u8_neon;
    table->binary_f32 = oct_binary_f32_neon;
    table->binary_u8 = oct_binary_u8_neon;
    table->gather_pixels = oct_gather_pixels_neon;
    table->resize_linear_f32 = oct_resize_linear_f32_neon;
    table->resize_linear_u8 = oct_resize_linear_u8_neon;
    table->clamp_f32 = oct_clamp_f32_neon;
    table->activate_f32 = oct_activate_f32_neon;
    table->lut_u8 = oct_lut_u8_neon;
    table->quantize_f32_u8 = oct_quantize_f32_u8_neon;
    table->dequantize_u8_f32 = oct_dequantize_u8_f32_neon;
    table->requantize_u8 = oct_requantize_u8_neon;
    table->widen_u8_s16 = oct_widen_u8_s16_neon;
    table->minmax_f32 = oct_minmax_f32_neon;
    table->softmax_f32 = oct_softmax_f32_neon;
    table->transpose_x32 = oct_transpose_x32_neon;
    table->transpose_x8 = oct_transpose_x8_neon;
}

/* overlay_avx512.c - what AVX-512 F, BW, DQ, VL (Skylake-X; no VNNI) lays over the table. */
#include <string.h>
#include "depthwise_avx512.h"
#include "gemm_avx512.h"
#include "ops_avx512.h"
#include "resize_avx512.h"
#include "winograd_avx512.h"

static const oct_gemm_entry gemm_f32[] = {
    {oct_gemm_f32_6x64_avx512, 6, 64, 1, OCT_ELEM_F32, OCT_ELEM_F32, "avx512 6x64", 0},
    {oct_gemm_f32_12x32_avx512, 12, 32, 1, OCT_ELEM_F32, OCT_ELEM_F32, "avx512 12x32", 0},
    {oct_gemm_f32_12x16_avx512, 12, 16, 1, OCT_ELEM_F32, OCT_ELEM_F32, "avx512 12x16", 0},
    {.fn = NULL},
};

static const oct_gemm_entry gemm_u8s8[] = {
    {oct_gemm_u8s8_6x64_avx512, 6, 64, 2, OCT_ELEM_S16, OCT_ELEM_S16, "avx512 6x64", 0},
    {oct_gemm_u8s8_12x32_avx512, 12, 32, 2, OCT_ELEM_S16, OCT_ELEM_S16, "avx512 12x32", 0},
    {oct_gemm_u8s8_12x16_avx512, 12, 16, 2, OCT_ELEM_S16, OCT_ELEM_S16, "avx512 12x16", 0},
    {.fn = NULL},
};

static const oct_gemm_entry gemv_f32[] = {
    {oct_gemv_f32_1x64_avx512, 1, 64, 1, OCT_ELEM_F32, OCT_ELEM_F32, "avx512 1x64", 0},
    {oct_gemv_f32_1x16_avx512, 1, 16, 1, OCT_ELEM_F32, OCT_ELEM_F32, "avx512 1x16", 0},
    {.fn = NULL},
};

static const oct_gemm_entry gemv_u8s8[] = {
    {oct_gemv_u8s8_1x64_avx512, 1, 64, 2, OCT_ELEM_S16, OCT_ELEM_S8, "avx512 1x64", 0},
    {oct_gemv_u8s8_1x16_avx512, 1, 16, 2, OCT_ELEM_S16, OCT_ELEM_S8, "avx512 1x16", 0},
    {.fn = NULL},
};

static const oct_depthwise_entry depthwise_f32[] = {
    {oct_depthwise_accepts_3x3s1_avx512, oct_depthwise_f32_packed_bytes_avx512, oct_depthwise_f32_pack_avx512,
     oct_depthwise_scratch_bytes_avx512, oct_depthwise_f32_3x3s1_avx512, "avx512 3x3s1"},
    {oct_depthwise_accepts_3x3s2_avx512, oct_depthwise_f32_packed_bytes_avx512, oct_depthwise_f32_pack_avx512,
     oct_depthwise_scratch_bytes_avx512, oct_depthwise_f32_3x3s2_avx512, "avx512 3x3s2"},
    {oct_depthwise_accepts_5x5s1_avx512, oct_depthwise_f32_packed_bytes_avx512, oct_depthwise_f32_pack_avx512,
     oct_depthwise_scratch_bytes_avx512, oct_depthwise_f32_5x5s1_avx512, "avx512 5x5s1"},
    {oct_depthwise_accepts_5x5s2_avx512, oct_depthwise_f32_packed_bytes_avx512, oct_depthwise_f32_pack_avx512,
     oct_depthwise_scratch_bytes_avx512, oct_depthwise_f32_5x5s2_avx512, "avx512 5x5s2"},
};

static const oct_depthwise_entry depthwise_u8s8[] = {
    {oct_depthwise_accepts_3x3s1_avx512, oct_depthwise_u8s8_packed_bytes_avx512, oct_depthwise_u8s8_pack_avx512,
     oct_depthwise_u8s8_scratch_bytes_avx512, oct_depthwise_u8s8_3x3s1_avx512, "avx512 3x3s1"},
    {oct_depthwise_accepts_3x3s2_avx512, oct_depthwise_u8s8_packed_bytes_avx512, oct_depthwise_u8s8_pack_avx512,
     oct_depthwise_u8s8_scratch_bytes_avx512, oct_depthwise_u8s8_3x3s2_avx512, "avx512 3x3s2"},
    {oct_depthwise_accepts_5x5s1_avx512, oct_depthwise_u8s8_packed_bytes_avx512, oct_depthwise_u8s8_pack_avx512,
     oct_depthwise_u8s8_scratch_bytes_avx512, oct_depthwise_u8s8_5x5s1_avx512, "avx512 5x5s1"},
    {oct_depthwise_accepts_5x5s2_avx512, oct_depthwise_u8s8_packed_bytes_avx512, oct_depthwise_u8s8_pack_avx512,
     oct_depthwise_u8s8_scratch_bytes_avx512, oct_depthwise_u8s8_5x5s2_avx512, "avx512 5x5s2"},
};

static const oct_winograd_entry winograd_u8s8 = {
    .input = oct_winograd_input_u8s8_avx512, .output = oct_winograd_output_u8s8_avx512, .expand = oct_winograd_expand_u8s8_avx512,
    .gemm = {{oct_gemm_s16_6x64_avx512, 6, 64, 2, OCT_ELEM_S16, OCT_ELEM_S8, "avx512 6x64", 0},
             {oct_gemm_s16_12x32_avx512, 12, 32, 2, OCT_ELEM_S16, OCT_ELEM_S8, "avx512 12x32", 0},
             {oct_gemm_s16_12x16_avx512, 12, 16, 2, OCT_ELEM_S16, OCT_ELEM_S8, "avx512 12x16", 0}},
    .name = "avx512 F(4x4,3x3)"};

void oct_overlay_avx512(oct_kernels *table)
{
    memcpy(table->gemm_f32, gemm_f32, sizeof gemm_f32);
    memcpy(table->gemm_u8s8, gemm_u8s8, sizeof gemm_u8s8);
    memcpy(table->gemv_f32, gemv_f32, sizeof gemv_f32);
    memcpy(table->gemv_u8s8, gemv_u8s8, sizeof gemv_u8s8);
    table->winograd_f32 = (oct_winograd_entry){
        .input = oct_winograd_input_f32_avx512, .output = oct_winograd_output_f32_avx512, .name = "avx512 F(4x4,3x3)"};
    memcpy(table->winograd_f32.gemm, gemm_f32, sizeof gemm_f32);
    table->winograd_u8s8 = winograd_u8s8;
    table->activate_f32 = oct_activate_f32_avx512;
    oct_lay_depthwise(table->depthwise_f32, depthwise_f32, sizeof depthwise_f32 / sizeof depthwise_f32[0]);
    oct_lay_depthwise(table->depthwise_u8s8, depthwise_u8s8, sizeof depthwise_u8s8 / sizeof depthwise_u8s8[0]);
    table->resize_linear_f32 = oct_resize_linear_f32_avx512;
    table->resize_linear_u8 = oct_resize_linear_u8_avx512;

    table->max_pool_f32 = oct_max_pool_f32_avx512;
    table->max_pool_u8 = oct_max_pool_u8_avx512;
    table->average_pool_f32 = oct_average_pool_f32_avx512;
    table->average_pool_u8 = oct_average_pool_u8_avx512;
    table->binary_f32 = oct_binary_f32_avx512;
    table->binary_u8 = oct_binary_u8_avx512;
    table->clamp_f32 = oct_clamp_f32_avx512;
    table->activate_f32 = oct_activate_f32_avx512;
    table->lut_u8 = oct_lut_u8_avx512;
    table->quantize_f32_u8 = oct_quantize_f32_u8_avx512;
    table->dequantize_u8_f32 = oct_dequantize_u8_f32_avx512;
    table->requantize_u8 = oct_requantize_u8_avx512;
    table->widen_u8_s16 = oct_widen_u8_s16_avx512;
    table->minmax_f32 = oct_minmax_f32_avx512;
    table->softmax_f32 = oct_softmax_f32_avx512;
    table->transpose_x32 = oct_transpose_x32_avx512;
    table->transpose_x8 = oct_transpose_x8_avx512;
}

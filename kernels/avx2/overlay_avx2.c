/* overlay_avx2.c - this folder's entries in the kernel table. */
#include <string.h>
#include "avx2.h"

/* Positions: function, mr, nr, kr, elements of a and of b, name, a_shift. The tiles must be those the functions were written for.
 * */
static const oct_gemm_entry gemm_f32[OCT_GEMM_VARIANTS + 1] = {
    {oct_gemm_f32_avx2, 6, 16, 1, OCT_ELEM_F32, OCT_ELEM_F32, "avx2 6x16", 0},
    {oct_gemm_f32_narrow_avx2, 6, 8, 1, OCT_ELEM_F32, OCT_ELEM_F32, "avx2 6x8", 0},
};
static const oct_gemm_entry gemm_u8s8[OCT_GEMM_VARIANTS + 1] = {
    {oct_gemm_u8s8_avx2, 6, 16, 2, OCT_ELEM_S16, OCT_ELEM_S16, "avx2 6x16", 0},
    {oct_gemm_u8s8_narrow_avx2, 6, 8, 2, OCT_ELEM_S16, OCT_ELEM_S16, "avx2 6x8", 0},
};
static const oct_gemm_entry gemv_f32[OCT_GEMM_VARIANTS + 1] = {
    {oct_gemv_f32_avx2, 1, 16, 1, OCT_ELEM_F32, OCT_ELEM_F32, "avx2 1x16", 0},
    {oct_gemv_f32_narrow_avx2, 1, 8, 1, OCT_ELEM_F32, OCT_ELEM_F32, "avx2 1x8", 0},
};
static const oct_gemm_entry gemv_u8s8[OCT_GEMM_VARIANTS + 1] = {
    {oct_gemv_u8s8_avx2, 1, 8, 32, OCT_ELEM_U8, OCT_ELEM_S8, "avx2 1x8", 128},
};

static const oct_winograd_entry winograd_u8s8 = {
    .input = oct_winograd_input_u8s8_avx2, .output = oct_winograd_output_u8s8_avx2, .expand = oct_winograd_expand_u8s8_avx2,
    .gemm = {{oct_gemm_s16_avx2, 6, 16, 2, OCT_ELEM_S16, OCT_ELEM_S8, "avx2 6x16", 0},
             {oct_gemm_s16_narrow_avx2, 6, 8, 2, OCT_ELEM_S16, OCT_ELEM_S8, "avx2 6x8", 0}},
    .name = "avx2 F(4x4,3x3)"};

static void lay_products(oct_kernels *table)
{
    memcpy(table->gemm_f32, gemm_f32, sizeof(gemm_f32));
    memcpy(table->gemm_u8s8, gemm_u8s8, sizeof(gemm_u8s8));
    table->winograd_f32 = (oct_winograd_entry){
        .input = oct_winograd_input_f32_avx2, .output = oct_winograd_output_f32_avx2, .name = "avx2 F(4x4,3x3)"};
    memcpy(table->winograd_f32.gemm, table->gemm_f32, sizeof table->gemm_f32);
    table->winograd_u8s8 = winograd_u8s8;
    memcpy(table->gemv_f32, gemv_f32, sizeof(gemv_f32));
    memcpy(table->gemv_u8s8, gemv_u8s8, sizeof(gemv_u8s8));
}

/* The first that accepts a shape is used. */
static const oct_depthwise_entry depthwise_f32[] = {
    {oct_depthwise_accepts_3x3s1_avx2, oct_depthwise_f32_packed_bytes_avx2,
     oct_depthwise_f32_pack_avx2, oct_depthwise_no_scratch_avx2,
     oct_depthwise_f32_3x3s1_avx2, "avx2 3x3s1"},
    {oct_depthwise_accepts_3x3s2_avx2, oct_depthwise_f32_packed_bytes_avx2,
     oct_depthwise_f32_pack_avx2, oct_depthwise_no_scratch_avx2,
     oct_depthwise_f32_3x3s2_avx2, "avx2 3x3s2"},
    {oct_depthwise_accepts_5x5s1_avx2, oct_depthwise_f32_packed_bytes_avx2,
     oct_depthwise_f32_pack_avx2, oct_depthwise_no_scratch_avx2,
     oct_depthwise_f32_5x5s1_avx2, "avx2 5x5s1"},
    {oct_depthwise_accepts_5x5s2_avx2, oct_depthwise_f32_packed_bytes_avx2,
     oct_depthwise_f32_pack_avx2, oct_depthwise_no_scratch_avx2,
     oct_depthwise_f32_5x5s2_avx2, "avx2 5x5s2"},
    {oct_depthwise_accepts_general_avx2, oct_depthwise_f32_packed_bytes_avx2,
     oct_depthwise_f32_pack_avx2, oct_depthwise_no_scratch_avx2,
     oct_depthwise_f32_general_avx2, "avx2 general"},
};
/* Short rows and 3x3 with stride 2; other 3x3 with stride 1; everything else. */
static const oct_depthwise_entry depthwise_u8s8[] = {
    {oct_depthwise_u8s8_fma_accepts_avx2, oct_depthwise_u8s8_fma_packed_bytes_avx2,
     oct_depthwise_u8s8_fma_pack_avx2, oct_depthwise_u8s8_scratch_bytes_avx2,
     oct_depthwise_u8s8_fma_avx2, "avx2 fma"},
    {oct_depthwise_accepts_3x3s1_avx2, oct_depthwise_u8s8_3x3s1_packed_bytes_avx2,
     oct_depthwise_u8s8_3x3s1_pack_avx2, oct_depthwise_u8s8_3x3s1_scratch_bytes_avx2,
     oct_depthwise_u8s8_3x3s1_avx2, "avx2 3x3s1"},
    {oct_depthwise_accepts_general_avx2, oct_depthwise_u8s8_packed_bytes_avx2,
     oct_depthwise_u8s8_pack_avx2, oct_depthwise_u8s8_scratch_bytes_avx2,
     oct_depthwise_u8s8_avx2, "avx2 pairs"},
};

void oct_overlay_avx2(oct_kernels *table)
{
    lay_products(table);
    oct_lay_depthwise(table->depthwise_f32, depthwise_f32, sizeof(depthwise_f32) / sizeof(depthwise_f32[0]));
    oct_lay_depthwise(table->depthwise_u8s8, depthwise_u8s8, sizeof(depthwise_u8s8) / sizeof(depthwise_u8s8[0]));

    table->max_pool_f32 = oct_max_pool_f32_avx2;
    table->max_pool_u8 = oct_max_pool_u8_avx2;
    table->average_pool_f32 = oct_average_pool_f32_avx2;
    table->average_pool_u8 = oct_average_pool_u8_avx2;

    table->binary_f32 = oct_binary_f32_avx2;
    table->binary_u8 = oct_binary_u8_avx2;

    table->gather_pixels = oct_gather_pixels_avx2;
    table->resize_linear_f32 = oct_resize_linear_f32_avx2;
    table->resize_linear_u8 = oct_resize_linear_u8_avx2;

    table->clamp_f32 = oct_clamp_f32_avx2;
    table->activate_f32 = oct_activate_f32_avx2;
    table->lut_u8 = oct_lut_u8_avx2;
    table->quantize_f32_u8 = oct_quantize_f32_u8_avx2;
    table->dequantize_u8_f32 = oct_dequantize_u8_f32_avx2;
    table->requantize_u8 = oct_requantize_u8_avx2;
    table->widen_u8_s16 = oct_widen_u8_s16_avx2;
    table->minmax_f32 = oct_minmax_f32_avx2;
    table->transpose_x32 = oct_transpose_x32_avx2;
    table->transpose_x8 = oct_transpose_x8_avx2;
}

/* overlay_scalar.c - the bottom of every chain: each entry of the table has a scalar kernel. The entry states the tile its kernel
 * was written for; gemm_*_scalar.c has the same numbers as MR, NR, KR. */
#include "scalar.h"

static const oct_gemm_entry gemm_f32 = {oct_gemm_f32_scalar, 4, 8, 1, OCT_ELEM_F32, OCT_ELEM_F32, "scalar 4x8", 0};
static const oct_gemm_entry gemm_u8s8 = {oct_gemm_u8s8_scalar, 4, 8, 4, OCT_ELEM_U8, OCT_ELEM_S8, "scalar 4x8", 0};
/* One row: the same functions with m = 1. */
static const oct_gemm_entry gemv_f32 = {oct_gemm_f32_scalar, 1, 8, 1, OCT_ELEM_F32, OCT_ELEM_F32, "scalar 1x8", 0};
static const oct_gemm_entry gemv_u8s8 = {oct_gemm_u8s8_scalar, 1, 8, 4, OCT_ELEM_U8, OCT_ELEM_S8, "scalar 1x8", 0};

/* Accepts everything, so it also ends the list of every stronger level. */
static const oct_depthwise_entry depthwise_f32 = {
    oct_depthwise_accepts_scalar, oct_depthwise_f32_packed_bytes_scalar, oct_depthwise_f32_pack_scalar,
    oct_depthwise_scratch_bytes_scalar, oct_depthwise_f32_scalar, "scalar"};
static const oct_depthwise_entry depthwise_u8s8 = {
    oct_depthwise_accepts_scalar, oct_depthwise_u8s8_packed_bytes_scalar, oct_depthwise_u8s8_pack_scalar,
    oct_depthwise_scratch_bytes_scalar, oct_depthwise_u8s8_scalar, "scalar"};

static const oct_winograd_entry winograd_u8s8 = {
    .input = oct_winograd_input_u8s8_scalar, .output = oct_winograd_output_u8s8_scalar, .expand = oct_winograd_expand_u8s8_scalar,
    .gemm = {{oct_gemm_s16_scalar, 4, 8, 1, OCT_ELEM_S16, OCT_ELEM_S8, "scalar 4x8", 0}}, .name = "scalar F(4x4,3x3)",
    /* A specification to compare with: what the scalar table gives should come by the shortest way. */
    .least_channels = SIZE_MAX};

void oct_overlay_scalar(oct_kernels *table)
{
    /* Lists end at their first empty entry: what is not named here is zero. */
    *table = (oct_kernels){
        .gemm_f32 = {gemm_f32},
        .gemm_u8s8 = {gemm_u8s8},
        .gemv_f32 = {gemv_f32},
        .gemv_u8s8 = {gemv_u8s8},
        .depthwise_f32 = {depthwise_f32},
        .depthwise_u8s8 = {depthwise_u8s8},
        .winograd_u8s8 = winograd_u8s8,

        .max_pool_f32 = oct_max_pool_f32_scalar,
        .max_pool_u8 = oct_max_pool_u8_scalar,
        .average_pool_f32 = oct_average_pool_f32_scalar,
        .average_pool_u8 = oct_average_pool_u8_scalar,

        .binary_f32 = oct_binary_f32_scalar,
        .binary_u8 = oct_binary_u8_scalar,

        .gather_pixels = oct_gather_pixels_scalar,
        .resize_linear_f32 = oct_resize_linear_f32_scalar,
        .resize_linear_u8 = oct_resize_linear_u8_scalar,

        .clamp_f32 = oct_clamp_f32_scalar,
        .activate_f32 = oct_activate_f32_scalar,
        .lut_u8 = oct_lut_u8_scalar,
        .quantize_f32_u8 = oct_quantize_f32_u8_scalar,
        .dequantize_u8_f32 = oct_dequantize_u8_f32_scalar,
        .requantize_u8 = oct_requantize_u8_scalar,
        .widen_u8_s16 = oct_widen_u8_s16_scalar,
        .minmax_f32 = oct_minmax_f32_scalar,
        .softmax_f32 = oct_softmax_f32_scalar,
        .transpose_x32 = oct_transpose_x32_scalar,
        .transpose_x8 = oct_transpose_x8_scalar,
    };
}

/* overlay_avx512vnni.c - what AVX-512 VNNI (Cascade Lake, Zen 4) lays over the table of AVX-512. */
#include <string.h>
#include "avx512/depthwise_avx512.h"
#include "depthwise_avx512vnni.h"
#include "gemm_avx512vnni.h"
#include "avx512/winograd_avx512.h"

static const oct_gemm_entry gemm_u8s8[] = {
    {oct_gemm_u8s8_6x64_avx512vnni, 6, 64, 4, OCT_ELEM_U8, OCT_ELEM_S8, "avx512vnni 6x64", 0},
    {oct_gemm_u8s8_12x32_avx512vnni, 12, 32, 4, OCT_ELEM_U8, OCT_ELEM_S8, "avx512vnni 12x32", 0},
    {oct_gemm_u8s8_12x16_avx512vnni, 12, 16, 4, OCT_ELEM_U8, OCT_ELEM_S8, "avx512vnni 12x16", 0},
    {.fn = NULL},
};

static const oct_gemm_entry gemv_u8s8[] = {
    {oct_gemv_u8s8_1x64_avx512vnni, 1, 64, 4, OCT_ELEM_U8, OCT_ELEM_S8, "avx512vnni 1x64", 0},
    {oct_gemv_u8s8_1x16_avx512vnni, 1, 16, 4, OCT_ELEM_U8, OCT_ELEM_S8, "avx512vnni 1x16", 0},
    {.fn = NULL},
};

static const oct_depthwise_entry depthwise_u8s8[] = {
    {oct_depthwise_accepts_3x3s1_avx512, oct_depthwise_u8s8_packed_bytes_avx512vnni, oct_depthwise_u8s8_pack_avx512vnni,
     oct_depthwise_u8s8_scratch_bytes_avx512, oct_depthwise_u8s8_3x3s1_avx512vnni, "avx512vnni 3x3s1"},
    {oct_depthwise_accepts_3x3s2_avx512, oct_depthwise_u8s8_packed_bytes_avx512vnni, oct_depthwise_u8s8_pack_avx512vnni,
     oct_depthwise_u8s8_scratch_bytes_avx512, oct_depthwise_u8s8_3x3s2_avx512vnni, "avx512vnni 3x3s2"},
    {oct_depthwise_accepts_5x5s1_avx512, oct_depthwise_u8s8_packed_bytes_avx512vnni, oct_depthwise_u8s8_pack_avx512vnni,
     oct_depthwise_u8s8_scratch_bytes_avx512, oct_depthwise_u8s8_5x5s1_avx512vnni, "avx512vnni 5x5s1"},
    {oct_depthwise_accepts_5x5s2_avx512, oct_depthwise_u8s8_packed_bytes_avx512vnni, oct_depthwise_u8s8_pack_avx512vnni,
     oct_depthwise_u8s8_scratch_bytes_avx512, oct_depthwise_u8s8_5x5s2_avx512vnni, "avx512vnni 5x5s2"},
};

/* The transforms are AVX-512's. */
static const oct_winograd_entry winograd_u8s8 = {
    .input = oct_winograd_input_u8s8_avx512, .output = oct_winograd_output_u8s8_avx512, .expand = oct_winograd_expand_u8s8_avx512,
    .gemm = {{oct_gemm_s16_6x64_avx512vnni, 6, 64, 2, OCT_ELEM_S16, OCT_ELEM_S8, "avx512vnni 6x64", 0},
             {oct_gemm_s16_12x32_avx512vnni, 12, 32, 2, OCT_ELEM_S16, OCT_ELEM_S8, "avx512vnni 12x32", 0},
             {oct_gemm_s16_12x16_avx512vnni, 12, 16, 2, OCT_ELEM_S16, OCT_ELEM_S8, "avx512vnni 12x16", 0}},
    .name = "avx512vnni F(4x4,3x3)",
    .least_channels = 32, .least_outputs = 49, .least_expanded = 144};

void oct_overlay_avx512vnni(oct_kernels *table)
{
    memcpy(table->gemm_u8s8, gemm_u8s8, sizeof gemm_u8s8);
    memcpy(table->gemv_u8s8, gemv_u8s8, sizeof gemv_u8s8);
    table->winograd_u8s8 = winograd_u8s8;
    oct_lay_depthwise(table->depthwise_u8s8, depthwise_u8s8, sizeof depthwise_u8s8 / sizeof depthwise_u8s8[0]);
}

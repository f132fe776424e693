/* overlay_avx2.c - this folder's entries in the kernel table. */
#include <string.h>
#include "avx2.h"

static void lay_products(oct_kernels *table)
{
    static const oct_gemm_entry gemm_f32[OCT_GEMM_VARIANTS + 1] = {
        {.fn = oct_gemm_f32_avx2, .mr = 6, .nr = 16, .kr = 1, .a_elem = OCT_ELEM_F32, .b_elem = OCT_ELEM_F32, .name = "avx2 6x16"},
        {.fn = oct_gemm_f32_narrow_avx2, .mr = 6, .nr = 8, .kr = 1, .a_elem = OCT_ELEM_F32, .b_elem = OCT_ELEM_F32, .name = "avx2 6x8"},
    };
    static const oct_gemm_entry gemm_u8s8[OCT_GEMM_VARIANTS + 1] = {
        {.fn = oct_gemm_u8s8_avx2, .mr = 6, .nr = 16, .kr = 2, .a_elem = OCT_ELEM_S16, .b_elem = OCT_ELEM_S16, .name = "avx2 6x16"},
        {.fn = oct_gemm_u8s8_narrow_avx2, .mr = 6, .nr = 8, .kr = 2, .a_elem = OCT_ELEM_S16, .b_elem = OCT_ELEM_S16, .name = "avx2 6x8"},
    };
    static const oct_gemm_entry gemv_f32[OCT_GEMM_VARIANTS + 1] = {
        {.fn = oct_gemv_f32_avx2, .mr = 1, .nr = 16, .kr = 1, .a_elem = OCT_ELEM_F32, .b_elem = OCT_ELEM_F32, .name = "avx2 1x16"},
        {.fn = oct_gemv_f32_narrow_avx2, .mr = 1, .nr = 8, .kr = 1, .a_elem = OCT_ELEM_F32, .b_elem = OCT_ELEM_F32, .name = "avx2 1x8"},
    };
    static const oct_gemm_entry gemv_u8s8[OCT_GEMM_VARIANTS + 1] = {
        {.fn = oct_gemv_u8s8_avx2, .mr = 1, .nr = 8, .kr = 16, .a_elem = OCT_ELEM_U8, .b_elem = OCT_ELEM_S8, .name = "avx2 1x8"},
    };
    memcpy(table->gemm_f32, gemm_f32, sizeof(gemm_f32));
    memcpy(table->gemm_u8s8, gemm_u8s8, sizeof(gemm_u8s8));
    memcpy(table->gemv_f32, gemv_f32, sizeof(gemv_f32));
    memcpy(table->gemv_u8s8, gemv_u8s8, sizeof(gemv_u8s8));
}

void oct_overlay_avx2(oct_kernels *table)
{
    lay_products(table);
}

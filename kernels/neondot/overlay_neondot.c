/* overlay_neondot.c - lays the ARMv8.2 dot-product kernels over the NEON table. */
#include <string.h>

#include "neondot.h"

static const oct_gemm_entry gemm_u8s8[] = {
    {oct_gemm_u8s8_neondot, 5, 16, 4, OCT_ELEM_U8, OCT_ELEM_S8, "neondot 5x16", 128},
    {oct_gemm_u8s8_narrow_neondot, 8, 8, 4, OCT_ELEM_U8, OCT_ELEM_S8, "neondot 8x8", 128},
    {0},
};
static const oct_gemm_entry gemv_u8s8[] = {
    {oct_gemv_u8s8_neondot, 1, 32, 4, OCT_ELEM_U8, OCT_ELEM_S8, "neondot 1x32", 128},
    {0},
};

void oct_overlay_neondot(oct_kernels *table)
{
    memcpy(table->gemm_u8s8, gemm_u8s8, sizeof gemm_u8s8);
    memcpy(table->gemv_u8s8, gemv_u8s8, sizeof gemv_u8s8);
    /* sdot makes 16 products where NEON's smlal makes 4: a quarter of the products gains nothing. */
    table->winograd_u8s8 = (oct_winograd_entry){.name = NULL};
    oct_lay_depthwise(table->depthwise_u8s8, oct_depthwise_3x3_u8s8_neondot, 2);
}

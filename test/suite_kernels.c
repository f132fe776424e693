/* suite_kernels.c - every entry of every instruction set this machine can run. A new family is a row here and one in
 * kernel_families. */
#include <string.h>

#include "kernel_check.h"

/* The family on each level; what a level has from the one before it is judged only once. */
static void judge_family(const char *name)
{
    const kernel_family *family = kernel_families;
    while (family->name && strcmp(family->name, name) != 0)
        family++;
    CHECK(family->name != NULL);
    const oct_kernels *base = NULL;
    for (size_t i = 0; tested_kernels(i); i++) {
        const oct_kernels *kernels = tested_kernels(i);
        check_report report = {0};
        family->check(kernels, base, &report);
        CHECK_MSG(!report.failed, "%s.%s, case %zu: %s", kernels->isa, name, report.cases, report.message);
        base = kernels;
    }
    CHECK_MSG(base != NULL, "no level to test");
}

static void gemm_f32(void) { judge_family("gemm_f32"); }
static void gemm_u8s8(void) { judge_family("gemm_u8s8"); }
static void gemv_f32(void) { judge_family("gemv_f32"); }
static void gemv_u8s8(void) { judge_family("gemv_u8s8"); }
static void depthwise_f32(void) { judge_family("depthwise_f32"); }
static void depthwise_u8s8(void) { judge_family("depthwise_u8s8"); }
static void pools(void) { judge_family("pools"); }
static void binary(void) { judge_family("binary"); }
static void clamp(void) { judge_family("clamp"); }
static void lut(void) { judge_family("lut"); }
static void quantize(void) { judge_family("quantize"); }
static void dequantize(void) { judge_family("dequantize"); }
static void requantize(void) { judge_family("requantize"); }
static void widen(void) { judge_family("widen"); }
static void minmax(void) { judge_family("minmax"); }
static void softmax(void) { judge_family("softmax"); }
static void transpose(void) { judge_family("transpose"); }
static void gather(void) { judge_family("gather"); }
static void resize(void) { judge_family("resize"); }
static void winograd_f32(void) { judge_family("winograd_f32"); }
static void winograd_u8s8(void) { judge_family("winograd_u8s8"); }

static const test_case cases[] = {
    {"gemm_f32", gemm_f32},             {"gemm_u8s8", gemm_u8s8},           {"gemv_f32", gemv_f32},
    {"gemv_u8s8", gemv_u8s8},           {"depthwise_f32", depthwise_f32},   {"depthwise_u8s8", depthwise_u8s8},
    {"pools", pools},                   {"binary", binary},                 {"clamp", clamp},
    {"lut", lut},                       {"quantize", quantize},             {"dequantize", dequantize},
    {"requantize", requantize},         {"widen", widen},                   {"minmax", minmax},
    {"softmax", softmax},               {"transpose", transpose},             {"gather", gather},
    {"resize", resize},                 {"winograd_f32", winograd_f32},     {"winograd_u8s8", winograd_u8s8},
};

static void __attribute__((constructor)) register_suite(void) { test_register("kernels", cases, TEST_COUNT(cases)); }

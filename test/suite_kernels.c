/* suite_kernels.c - every entry of every instruction set this machine can run. A new entry is one row here and in kernel_families. */
#include <string.h>

#include "kernel_check.h"

/* The family on each level; what a level has from the one before it is judged only once. */
static void judge_family(const char *name)
{
    kernel_checker *check = NULL;
    for (size_t i = 0; i < kernel_family_count; i++)
        if (!strcmp(kernel_families[i].name, name))
            check = kernel_families[i].check;
    CHECK(check != NULL);
    const oct_kernels *base = NULL;
    for (size_t i = 0; tested_kernels(i); i++) {
        const oct_kernels *kernels = tested_kernels(i);
        check_report report = {0};
        check(kernels, base, &report);
        CHECK_MSG(!report.failed, "%s.%s, case %zu: %s", kernels->isa, name, report.cases, report.message);
        base = kernels;
    }
}

static void gemm_f32(void) { judge_family("gemm_f32"); }
static void gemm_u8s8(void) { judge_family("gemm_u8s8"); }
static void gemv_f32(void) { judge_family("gemv_f32"); }
static void gemv_u8s8(void) { judge_family("gemv_u8s8"); }
static void depthwise_f32(void) { judge_family("depthwise_f32"); }
static void depthwise_u8s8(void) { judge_family("depthwise_u8s8"); }

static const test_case cases[] = {
    {"gemm_f32", gemm_f32},           {"gemm_u8s8", gemm_u8s8},           {"gemv_f32", gemv_f32},
    {"gemv_u8s8", gemv_u8s8},         {"depthwise_f32", depthwise_f32},   {"depthwise_u8s8", depthwise_u8s8},
};

static void __attribute__((constructor)) register_suite(void) { test_register("kernels", cases, TEST_COUNT(cases)); }

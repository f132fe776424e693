/* winograd_case.h - Winograd convolutions as one of the ways of kernel_case.c. */
#ifndef BENCH_WINOGRAD_CASE_H
#define BENCH_WINOGRAD_CASE_H

#include "kernel_case.h"

bool case_is_winograd(const bench_shape *shape, const oct_kernels *kernels, bool int8);
bool case_make_winograd(kernel_case *c);

#endif

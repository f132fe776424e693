/* kernel_case.h - one layer shape, ready to be run by one kernel: buffers filled with numbers, weights packed, work shared out to a
 * team. */
#ifndef BENCH_KERNEL_CASE_H
#define BENCH_KERNEL_CASE_H

#include "shapes.h"
#include "team.h"

#define CASE_BUFFERS 12

typedef struct kernel_case {
    const bench_shape *shape;
    const oct_kernels *kernels;
    bool int8;
    team *team;
    const char *algo;   /* "direct", "rows", "patches", "winograd", "depthwise", "pool", "elementwise" */
    const char *kernel; /* the entry's own name: "avx2 6x16" */
    size_t bytes;       /* inputs + weights + outputs */
    void (*run)(struct kernel_case *c);
    void *job;                   /* what run needs; one of the buffers */
    void *buffers[CASE_BUFFERS]; /* all memory of the case */
    int buffer_count;
} kernel_case;

/* A way to compute some kinds of shape. */
typedef struct case_maker {
    const char *algo;
    bool (*accepts)(const bench_shape *shape, const oct_kernels *kernels, bool int8);
    bool (*make)(kernel_case *c); /* false: no memory */
} case_maker;

/* All ways; the list ends with algo == NULL. A new kernel family (its own algorithm for the same layers) is one more row. */
extern const case_maker case_makers[];

/* shape, kernels, int8 and team are set by the caller. case_free in any case. */
bool case_make(kernel_case *c, const case_maker *maker);
void case_free(kernel_case *c);

/* For measure_item: arg is a kernel_case. */
void case_run(void *arg);

/* 64-byte aligned memory that belongs to the case; NULL if there is none. */
void *case_alloc(kernel_case *c, size_t bytes);
/* The same, `count` elements with values of their type: floats in [-1, 1), bytes of all values, s8 (and s8 widened to s16) in
 * [-127, 127]. */
void *case_values(kernel_case *c, oct_elem elem, size_t count);
/* `count` times the same float. */
float *case_floats(kernel_case *c, size_t count, float value);

/* What member number `member` does of `total` units: [begin, end). */
size_t case_part(size_t total, int member, int members);

#endif

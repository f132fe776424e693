/* kernel_bench.h - shapes under measurement, float and int8 interleaved, and what came out. */
#ifndef BENCH_KERNEL_BENCH_H
#define BENCH_KERNEL_BENCH_H

#include "bench.h"
#include "kernel_case.h"
#include "measure.h"

#define KERNEL_MAX_CASES 8 /* of one shape on one ISA */

typedef struct kernel_figure {
    const char *algo, *kernel;
    bool int8;
    bool foreign;           /* another library's: never octet's best */
    double median, p5, p95; /* seconds */
    double lo, hi;          /* 95 % interval of the median */
    double ops_per_second;
    peak_bound bound;
    size_t bytes;
} kernel_figure;

/* A shape on one ISA. */
typedef struct kernel_row {
    const bench_shape *shape;
    const char *isa;
    kernel_figure figures[KERNEL_MAX_CASES];
    int count;
    int best_f32, best_int8; /* indices; -1: none */
    stats_interval speedup;  /* best int8 over best f32 */
} kernel_row;

/* t has as many members as p has threads. What is known about disturbances is added to *info. */
bool kernel_row_measure(kernel_row *row, const oct_kernels *kernels, team *t, const peaks *p, double seconds, measure_info *info,
                        failure *why);

void kernel_rows_json(const kernel_row *rows, int count, int threads, json *j);
void kernel_rows_print(const kernel_row *rows, int count, int threads, FILE *to);

#ifdef OCT_BENCH_OPENBLAS
/* A square product by cblas_sgemm, beside octet's in the same rounds. run: for measure_item, arg is what open returned. */
void *openblas_open(size_t size, int threads);
void openblas_run(void *arg);
void openblas_close(void *arg);
/* The CPU family it took its kernels from: "Haswell", "Cooperlake", ... */
const char *openblas_core(void);
#endif

#endif

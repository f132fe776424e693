/* bench.h - what the subcommands of octet-bench share: their entry points and the machine they measure on. */
#ifndef BENCH_H
#define BENCH_H

#include "args.h"
#include "failure.h"
#include "json.h"
#include "peak.h"

/* Exit codes. */
enum { BENCH_OK = 0, BENCH_FAILED = 1, BENCH_USAGE = 2 };

/* Each takes the arguments after its own name and returns an exit code. */
int bench_models(int argc, char **argv);
int bench_kernels(int argc, char **argv);
int bench_peak(int argc, char **argv);
int bench_demo(int argc, char **argv);
int bench_zoo(int argc, char **argv);

/* Lists in options, "avx2,scalar" and "1,2". */
#define BENCH_MAX_ISAS    16
#define BENCH_MAX_THREADS 8

typedef struct bench_lists {
    const char *isas[BENCH_MAX_ISAS]; /* as oct_isa names them */
    int isa_count;
    int threads[BENCH_MAX_THREADS];
    int thread_count;
} bench_lists;

/* NULL or "" means the library's default ISA, "all" all that this machine has; NULL threads mean 1. */
arg_result bench_parse_isas(const arg_spec *spec, const char *text, bench_lists *lists);
arg_result bench_parse_threads(const arg_spec *spec, const char *text, bench_lists *lists);

/* The machine, with its peaks for each number of threads that is asked for. */
typedef struct bench_context {
    machine machine;
    peaks peaks[BENCH_MAX_THREADS + 1]; /* of one thread first */
    int count;
} bench_context;

/* Reads the machine, ties the calling thread to the first CPU and measures the peaks of one thread. */
bool bench_open(bench_context *context, failure *why);

/* Measured when first asked for; NULL if that fails. */
const peaks *bench_peaks(bench_context *context, int threads, failure *why);

/* The file name of a path without folders and without ".oct". */
void bench_model_name(const char *path, char *name, size_t size);

/* Opens the JSON object of a run: "octet", "schema" and "machine"; the caller adds its own members and calls bench_json_end. `path`
 * "-" is the standard output. */
bool bench_json_begin(json *j, const char *path, const bench_context *context, failure *why);
bool bench_json_end(json *j, const char *path, failure *why);

/* The machine and its peaks as text. */
void bench_print_machine(const bench_context *context, FILE *to);

/* "17.4 us", "3.21 ms", "1.5 s" */
char *bench_time_text(double seconds, char *text, size_t size);

#endif

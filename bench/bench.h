/* bench.h - what the subcommands of octet-bench share: their entry points and the machine they measure on. */
#ifndef BENCH_H
#define BENCH_H

#include "args.h"
#include "failure.h"
#include "json.h"
#include "measure.h"
#include "peak.h"
#include "twins.h"

/* Exit codes. */
enum { BENCH_OK = 0, BENCH_FAILED = 1, BENCH_USAGE = 2 };

/* Each takes the arguments after its own name and returns an exit code. */
int bench_models(int argc, char **argv);
int bench_kernels(int argc, char **argv);
int bench_peak(int argc, char **argv);
int bench_demo(int argc, char **argv);
int bench_zoo(int argc, char **argv);
int bench_explain(int argc, char **argv);
int bench_paper(int argc, char **argv);
int bench_report(int argc, char **argv);
int bench_compare(int argc, char **argv);

/* Lists in options, "avx2,scalar" and "1,2". */
#define BENCH_MAX_ISAS    16
#define BENCH_MAX_THREADS 8
#define BENCH_MAX_SCHEMES 8

typedef struct bench_lists {
    const char *isas[BENCH_MAX_ISAS]; /* as oct_isa names them */
    int isa_count;
    int threads[BENCH_MAX_THREADS];
    int thread_count;
    const twin_scheme *schemes[BENCH_MAX_SCHEMES];
    int scheme_count; /* 0: none were given */
    bool no_winograd; /* no list: the same for all */
} bench_lists;

/* NULL or "" means the library's default ISA, "all" all that this machine has; NULL threads mean 1; NULL schemes mean none, "all"
 * all that can be made. A wrong name ends in a line that lists the right ones. */
arg_result bench_parse_isas(const arg_spec *spec, const char *text, bench_lists *lists);
/* Where only one will do. */
arg_result bench_parse_isa(const arg_spec *spec, const char *text, bench_lists *lists);
arg_result bench_parse_threads(const arg_spec *spec, const char *text, bench_lists *lists);
arg_result bench_parse_schemes(const arg_spec *spec, const char *text, bench_lists *lists);

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
/* Measures all of them once more and keeps the better figures: a peak that was measured while somebody else had the core is
 * none. */
bool bench_peaks_again(bench_context *context, failure *why);

/* The file name of a path without folders and without ".oct". */
void bench_model_name(const char *path, char *name, size_t size);

/* -------------------------------------------------------------------------------------------- output ---- */

/* --json FILE and --csv FILE, alike in every mode; "-" is the standard output, which then has no text besides. */
typedef struct bench_output {
    const char *json_path, *csv_path;
} bench_output;

#define BENCH_OUTPUT_ROWS 3
void bench_output_rows(bench_output *o, arg_option rows[BENCH_OUTPUT_ROWS]);
/* Can the files be written, and are they none of the `count` words, which name the files that are read? Asked before anything is
 * measured. */
arg_result bench_output_check(const arg_spec *spec, const bench_output *o, char *const *words, int count);
/* The same for the path that some other option names. */
arg_result bench_output_possible(const arg_spec *spec, const char *option, const char *path, char *const *words, int count);
/* May the tables go to the standard output? */
bool bench_output_text(const bench_output *o);

/* What a run has to say, collected in memory as JSON: written to files, and read again for the CSV. */
typedef struct bench_record {
    json j;
    char *text;
    size_t size;
} bench_record;

/* Opens the JSON object of a run: "octet", "schema", "engine", "machine" ...; the caller adds its own members to record->j. Without
 * a context (NULL): no "machine". */
bool bench_record_begin(bench_record *record, const bench_context *context, failure *why);
/* Writes the files. The CSV has a row for each object in the array `rows`. The record is gone afterwards, also on failure. */
bool bench_record_end(bench_record *record, const bench_output *o, const char *rows, failure *why);

/* The member "noise": how quiet the machine was. */
void bench_json_noise(json *j, const measure_info *info);
/* The same as a line of text: nothing more than the number of rounds if all is well. */
void bench_print_noise(const measure_info *info, FILE *to);

/* The command line, for the record; before any subcommand. */
void bench_note_command(int argc, char **argv);

/* The machine and its peaks as text. */
void bench_print_machine(const bench_context *context, FILE *to);

/* "17.4 us", "3.21 ms", "1.5 s" */
char *bench_time_text(double seconds, char *text, size_t size);

#endif

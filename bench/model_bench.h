/* model_bench.h - models under measurement: what `octet-bench models` and `demo` share. Public headers only.
 *
 *     model_set set;
 *     ok = model_set_open(&set, words, count, &lists, &why)     loads the models, prepares a session for each model x ISA x threads
 *       && model_set_measure(&set, context, seconds, &why);     first runs, interleaved rounds, cold runs, layers
 *     ...
 *     model_set_close(&set);                                    in any case
 */
#ifndef BENCH_MODEL_BENCH_H
#define BENCH_MODEL_BENCH_H

#include "bench.h"
#include "measure.h"
#include "octet.h"

/* A model, from a file or from the zoo. */
typedef struct model_file {
    const char *path; /* for messages; the name if there is no file */
    char name[64];
    oct_model *model;
    const char *scheme; /* "f32"; "int8-static" if some layer is int8 */
    int64_t macs;
    size_t weight_bytes; /* as stored */
    size_t layers;
    int baseline; /* the f32 file that this one is compared with; -1: none */
} model_file;

/* A layer in one session. */
typedef struct model_layer {
    oct_layer_info info;
    oct_layer_run run;
    double seconds; /* median of some profiled runs */
    peak_bound bound;
} model_layer;

/* One model on one ISA with so many threads. */
typedef struct model_variant {
    model_file *file;
    const char *isa;
    int threads;
    oct_session *session;
    bool tied;   /* each thread on a CPU of its own */
    bool failed; /* a run did not return OCT_OK */
    oct_session_info info;
    double prepare;        /* seconds of oct_session_create */
    double first;          /* of the first run */
    double cold;           /* median of runs after the caches were filled with something else */
    measure_result result; /* warm */
    double bound;          /* sum of the layers' bounds */
    model_layer *layers;   /* file->layers of them */
    const struct model_variant *baseline;
    stats_interval speedup; /* over baseline */
} model_variant;

typedef struct model_set {
    model_file *files;
    model_variant *variants;
    int file_count, variant_count;
    measure_info info;
} model_set;

/* A word is a path, or the name of a network of the zoo (`octet-bench zoo`): that stands for its float and its int8 model. */
bool model_set_open(model_set *set, char *const *words, int count, const bench_lists *lists, failure *why);
bool model_set_measure(model_set *set, bench_context *context, double seconds, failure *why);
void model_set_close(model_set *set);

/* The members "models" and "pairs". */
void model_set_json(const model_set *set, json *j);
/* Tables: latency, memory, speed-up; and one with the layers of each variant. */
void model_set_print(const model_set *set, FILE *to);
void model_set_print_layers(const model_set *set, FILE *to);

#endif

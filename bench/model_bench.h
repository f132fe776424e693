/* model_bench.h - models under measurement: what `models`, `demo`, `explain` and `paper` share. Public headers only.
 *
 *     model_set set;
 *     ok = model_set_open(&set, words, count, &lists, &why)     what is to be measured: names and files are checked
 *       && model_set_measure(&set, context, &how, &why);        batch after batch: sessions, first runs, rounds, cold runs, layers
 *     ...                                                       figures and texts stay; models and sessions are gone
 *     model_set_close(&set);                                    in any case
 *
 *     set      files      resnet50 f32, resnet50 int8-static, ...   one group per network of the zoo; all files are one group
 *              variants   file x ISA x threads
 *              batches    variants measured in the same rounds: a whole group, or, if that were too large for the memory, what is
 *                         on the same ISA with the same threads. A model and its baseline are always in the same batch.
 */
#ifndef BENCH_MODEL_BENCH_H
#define BENCH_MODEL_BENCH_H

#include "bench.h"
#include "measure.h"
#include "octet.h"
#include "twins.h"
#include "zoo/zoo.h"

/* A model, from a file, or made here from a file or the zoo. */
typedef struct model_file {
    const char *path;           /* for messages; the name if there is no file */
    char name[64];
    const zoo_network *network; /* NULL: from the file at `path` */
    const twin_scheme *twin;    /* to be made; NULL: the file as it is */
    const char *scheme;         /* "f32", "int8-static", "int8-dynamic" */
    oct_model *model;           /* only while its group is measured */
    int64_t macs;
    size_t weight_bytes; /* as stored */
    size_t layers;
    int group;
    int baseline;     /* the f32 file that this one is compared with; -1: none */
    float *reference; /* what the first variant of the file answered */
    size_t reference_count;
} model_file;

/* A layer in one session. Texts belong to the set. */
typedef struct model_layer {
    const char *name, *op, *precision, *act, *algo, *kernel;
    oct_shape in, out;
    int64_t macs;
    size_t weight_bytes, bytes_moved;
    double seconds;   /* median of some profiled runs */
    peak_work work;   /* what it has to do at least */
    peak_bound bound; /* and how long that takes at best */
} model_layer;

/* How far the answers lie from others. */
typedef struct model_answers {
    bool checked;
    double difference; /* from the same model on the first ISA: largest error / largest value */
    double sqnr_db;    /* against the float model; infinite for equal ones */
    bool wrong;        /* further than rounding explains */
} model_answers;

/* One model on one ISA with so many threads. */
typedef struct model_variant {
    model_file *file;
    const char *isa;
    int threads, batch;
    bool no_winograd;
    oct_session *session; /* only while its batch is measured */
    bool tied;            /* each thread on a CPU of its own */
    bool failed;          /* a run did not return OCT_OK */
    bool measured;
    oct_session_info info; /* without the texts */
    double prepare;        /* seconds of oct_session_create */
    double first;          /* of the first run */
    double cold;           /* median of runs after the caches were filled with something else; 0: not measured */
    measure_result result; /* warm */
    double bound;          /* sum of the layers' bounds */
    model_layer *layers;   /* file->layers of them; NULL: not measured */
    model_answers answers;
    const struct model_variant *baseline;
    stats_interval speedup; /* over baseline */
} model_variant;

typedef struct model_set {
    model_file *files;
    model_variant *variants;
    int file_count, variant_count, batch_count;
    measure_info info; /* of all batches */
    struct model_text *texts;
} model_set;

/* How to measure. */
typedef struct model_plan {
    double seconds;    /* for each variant, about */
    int min_rounds;    /* 0: MEASURE_MIN_ROUNDS */
    bool skip_cold, skip_layers;
    double deadline;   /* no batch begins after it (measure_now); 0: none */
    const char *what;  /* for the line of progress; NULL: "measuring" */
} model_plan;

/* A word is the path of a .oct file or the name of a network of the zoo (`octet-bench zoo`). A network stands for its models in
 * lists->schemes, or in all that can be made; a float file is joined by twins only if schemes are given. false: a matter of
 * usage. */
bool model_set_open(model_set *set, char *const *words, int count, const bench_lists *lists, failure *why);
/* After Ctrl-C, or past the deadline: true, with the variants that are measured. */
bool model_set_measure(model_set *set, bench_context *context, const model_plan *plan, failure *why);
void model_set_close(model_set *set);

/* The members "models" and "pairs". */
void model_set_json(const model_set *set, json *j);
/* Tables: latency; speed-up and memory; and one with the layers of each variant. */
void model_set_print(const model_set *set, FILE *to);
void model_set_print_layers(const model_set *set, FILE *to);
/* One object, for explain, too. */
void model_layer_json(json *j, const model_layer *layer);
/* 100 * bound / seconds, 0 if there is no time. */
double model_percent(double bound, double seconds);

/* ---- between the files of the model bench ---- */

/* model_set.c: the models of a group, before and after its batches. */
bool model_group_open(model_set *set, int group, failure *why);
void model_group_close(model_set *set, int group);
/* A copy that lives as long as the set; "" if memory is short. */
const char *model_set_text(model_set *set, const char *text);

/* model_session.c: a session whose threads have a CPU each, with its inputs filled. */
bool model_session_open(const model_variant *v, const affinity *cpus, int profile, oct_session **session, bool *tied, failure *why);
/* After the first run: compares the outputs with those of the file's first variant and of its baseline. */
bool model_check_answers(model_set *set, model_variant *v, failure *why);

/* model_layers.c: the layers of a batch, profiled in turns. */
bool model_measure_layers(model_set *set, model_variant *variants, int count, bench_context *context, failure *why);
/* The bounds anew, for peaks that have been measured again. */
void model_bound_layers(model_variant *v, const peaks *p);
/* The share of a plain convolution's arithmetic that an algorithm needs: 1; for Winograd's F(2x2, 3x3) 16/36. */
double model_algo_share(const char *algo, const char *kernel);

#endif

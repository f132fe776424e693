/* explain.h - a measured speed-up taken apart into factors that multiply to it.
 *
 * A ladder of times leads from the float model's layers to the int8 model's. Each step makes the assumption a little less ideal,
 * and its factor is the time before divided by the time after:
 *
 *     time of ...                                              step          what the factor says
 *     all float layers, as measured                            -             -
 *     the same / R                                             hardware      R = int8 peak / f32 peak, both measured now
 *     layers that become int8 / R, the others as they were     coverage      Amdahl's law
 *     int8 layers by the ratio of their roofline bounds        memory        bytes instead of products are the limit
 *     ... with the products that their algorithms really do    algorithms    one side saves products (Winograd), the other does not
 *     int8 layers as measured, without requantisation          kernels       how near the bound int8 comes, against float
 *     ... with it, and with what only the int8 model has       conversions   quantise, requantise, dequantise
 *     -                                                        threads       speed-up with N threads / with one (N > 1 only)
 *     the whole model against the sum of its layers            overhead      what is lost between layers, on either side
 *
 * Layers are those of one thread. All factors are ratios of neighbouring rungs, so their product is the measured speed-up whatever
 * the assumptions are worth; those only decide which factor a loss is counted in.
 */
#ifndef BENCH_EXPLAIN_H
#define BENCH_EXPLAIN_H

#include "model_bench.h"

/* What is taken apart. */
typedef struct explain_input {
    const model_layer *f32, *int8;
    size_t f32_count, int8_count;
    double ratio;                  /* R */
    double requantise;             /* seconds that int8 spends more than f32 on writing one output element */
    stats_interval speedup;        /* measured: whole models, with the wanted number of threads */
    double serial;                 /* the same with one thread */
    int threads;
} explain_input;

typedef enum explain_kind {
    EXPLAIN_INT8,  /* float layer and int8 layer of the same name */
    EXPLAIN_FLOAT, /* stays float in the int8 model */
    EXPLAIN_ADDED, /* only the int8 model has it */
    EXPLAIN_GONE   /* only the float model has it */
} explain_kind;

typedef struct explain_layer {
    explain_kind kind;
    const model_layer *f32, *int8; /* one of them may be NULL */
    double from, to;               /* seconds; 0 where there is none */
    double ideal;                  /* from / R */
    double loss;                   /* to - ideal */
    double bound_ratio;            /* what the rooflines allow: plain work */
    double algo_ratio;             /* the same with the algorithms' own products */
    double requantise;             /* seconds of `to`, estimated */
    char reason[200];
} explain_layer;

#define EXPLAIN_MAX_FACTORS 8

typedef struct explain_factor {
    const char *name, *what; /* "coverage", "work that stays float" */
    double factor;
} explain_factor;

typedef struct explanation {
    explain_factor factors[EXPLAIN_MAX_FACTORS];
    int factor_count;
    explain_layer *layers; /* the largest loss first */
    size_t layer_count;
    char verdict[640];
} explanation;

/* To be released with explain_free; the layers of the input must live as long. false if memory is short. */
bool explain(const explain_input *input, explanation *e);
void explain_free(explanation *e);

/* explain_words.c: the reason of a layer, and the verdict. */
void explain_reason(explain_layer *layer, double ratio);
void explain_verdict(const explain_input *input, explanation *e);
/* "conv 3x3, 14x14x256" */
char *explain_shape(const model_layer *layer, char *text, size_t size);

/* explain_requantise.c: the cost of requantising one output element on that ISA, measured now, over that of storing it as float. */
bool explain_requantise(const char *isa, double *seconds, failure *why);

/* bench_explain.c: the same for a measured variant with one thread and `wanted`, which differs from it by its threads only (or is
 * it). */
bool explain_variant(const model_variant *one, const model_variant *wanted, bench_context *context, explanation *e, failure *why);

/* explain_report.c */
typedef struct explain_heading {
    const char *model, *scheme, *isa;
    int threads;
    const stats_interval *speedup;
} explain_heading;

void explain_print(const explain_heading *heading, const explanation *e, FILE *to);
/* The member "explain". */
void explain_json(const explain_heading *heading, const explanation *e, json *j);

#endif

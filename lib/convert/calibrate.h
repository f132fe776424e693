/* calibrate.h - what calibration tells the quantiser. */
#ifndef OCT_CALIBRATE_H
#define OCT_CALIBRATE_H

#include "graph.h"
#include "histogram.h"
#include "session.h"

/* What was seen of one value over all samples that count. lo <= 0 <= hi. Nothing here grows with the number of samples. */
typedef struct oct_value_stats {
    bool seen;
    float lo, hi;                /* of every number */
    oct_histogram *histogram;    /* of those looked at closely (oct_choose_rows); NULL where there are none */
    int64_t channels;            /* the last dimension: what a convolution or dense layer calls its input channels */
    double rows;                 /* how many numbers of each channel were looked at */
    double *sum, *square;        /* of each channel's numbers */
    bool fixed;                  /* the user has said which range to use: */
    float fixed_lo, fixed_hi;
} oct_value_stats;

/* Of value `value` of the graph that was calibrated, or of those that oct_split_activations adds to it. */
const oct_value_stats *oct_calibration_stats(const oct_calibration *calibration, int value);

/* Whether this is the graph that was calibrated: same nodes, attributes and constants. */
bool oct_calibration_is_of(const oct_calibration *calibration, const oct_graph *graph);

/* A checksum of the samples that count, in their order. */
uint64_t oct_calibration_digest(const oct_calibration *calibration);

/* The samples that were kept: how many, which ones (their place among all calls), and the bytes of sample k's input i. */
int64_t oct_calibration_kept(const oct_calibration *calibration);
int64_t oct_calibration_kept_index(const oct_calibration *calibration, int64_t k);
const void *oct_calibration_kept_input(const oct_calibration *calibration, int64_t k, int input);
/* Runs kept sample k through the float graph once more. The numbers of values are those of oct_calibration_stats. */
oct_status oct_calibration_rerun(const oct_calibration *calibration, int64_t k, oct_observe_fn *observe, void *arg);
/* The session that does it, and the graph it runs: the given one with its activations split off. */
oct_session *oct_calibration_session(const oct_calibration *calibration);
const oct_graph *oct_calibration_graph(const oct_calibration *calibration);

/* Whether any value has a quantized type. */
bool oct_graph_is_quantized(const oct_graph *graph);

#endif

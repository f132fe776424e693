/* quantize.h - the quantiser's steps, in the order of quantize.c:
 *
 *   ranges.c             the range of each tensor         (ranges.h)
 *   weight_scales.c      the scale of each channel of weights
 *   quantize_plan.c      which values are bytes           (a minimum cut)
 *   quantize_scales.c    scale and zero point of each     (ranges, shared scales, lower bounds)
 *   quantize_weights.c   s8 weights and s32 biases        (bias_correct.c)
 *   quantize.c           rewrites the graph
 *   quantize_notes.c     says in the graph how it was done
 *
 * and on request rounding_gptq.c (which of the two neighbours a weight becomes) and mixed.c (which layers stay float).
 */
#ifndef OCT_QUANTIZE_H
#define OCT_QUANTIZE_H

#include "calibrate.h"
#include "ranges.h"
#include "rewrite.h"

/* What quantisation can do with a node. */
typedef enum oct_role {
    OCT_ROLE_FLOAT,      /* reads and writes f32 */
    OCT_ROLE_BYTES,      /* reads and writes u8, or reads and writes f32 */
    OCT_ROLE_WEIGHTED,   /* int8 conv or dense: reads u8, writes either; a residual has the output's type */
    OCT_ROLE_WRITER      /* float conv or dense: reads f32, writes either */
} oct_role;

/* How a value's u8 form stands for reals. */
typedef struct oct_scale {
    float scale;
    int32_t zero_point;
} oct_scale;

/* What has been decided about the weights of a convolution or dense layer, whatever becomes of its neighbours. */
typedef struct oct_weight_choice {
    int8_t *q;                           /* the rounded weights, where not simply the nearest (rounding_gptq.c); else NULL */
    float *scale;                        /* per output channel; NULL before the choice */
    float *mean;                         /* per group and weight: what it is multiplied by on average; NULL if not known */
} oct_weight_choice;

/* Why a layer stays in f32. */
typedef enum oct_float_reason { OCT_FLOAT_NOT = 0, OCT_FLOAT_ASKED, OCT_FLOAT_SENSITIVE } oct_float_reason;

/* What is decided before any plan and holds for all of them: by value and by node of the calibration's graph. */
typedef struct oct_decisions {
    oct_quantize_options options;
    const oct_calibration *calibration;
    oct_range *ranges;                   /* per value */
    oct_weight_choice *weights;          /* per node */
    oct_float_reason *in_float;          /* per node */
    double *sensitivity;                 /* per node: dB of signal to noise with this layer alone in int8; 0: not measured */
    int nodes;
} oct_decisions;

/* quantize.c: a plan with these decisions, carried out. */
oct_status oct_quantize_as_decided(const oct_decisions *d, oct_graph **quantized);
/* mixed.c: marks as few nodes as it takes to reach options.max_drop and options.min_sqnr. */
oct_status oct_choose_float_layers(oct_decisions *d);
/* rounding_gptq.c: fills weights[n].q for every node with scales, or only for those where it takes little time. */
oct_status oct_round_second_order(oct_decisions *d, bool everything);

typedef struct oct_quant_plan {
    const oct_decisions *decisions;
    oct_graph *graph;                    /* the copy that becomes the result */
    int nodes, values;                   /* how many it had before anything was added: the length of the tables below */
    const oct_range *range;              /* per value; lent */
    oct_weight_choice *weights;          /* per node; lent */
    bool *refused;                       /* per node: must stay float, whatever its operator could do */
    oct_role *role;                      /* per node */
    bool *bytes;                         /* per value: its producer writes u8 */
    oct_scale *scale;                    /* per value: of its u8 form, where it has one */
    double *weight_reach, *bias_reach;   /* per node of role WEIGHTED: largest sum |w| and |bias| of a channel */
} oct_quant_plan;

/* Whether node n of the plan works on bytes (its inputs are u8). */
bool oct_plan_reads_bytes(const oct_quant_plan *plan, int n);
/* In which form node n takes its variable input i. */
bool oct_plan_input_is_bytes(const oct_quant_plan *plan, int n, int i);
/* Whether anything reads the value's u8 form. */
bool oct_plan_has_bytes(const oct_quant_plan *plan, int value);

/* quantize_plan.c: fills role and bytes. */
oct_status oct_plan_forms(oct_quant_plan *plan);

/* quantize_scales.c: fills scale. */
oct_status oct_plan_scales(oct_quant_plan *plan);
/* The largest |real number| that node n could write, were its inputs and weights as large as their types allow; 0 where the
 * node computes nothing that could overflow. */
double oct_plan_reach(const oct_quant_plan *plan, int n);
/* Scale and zero point for reals in [lo, hi], lo <= 0 <= hi. */
oct_scale oct_scale_for(double lo, double hi);

/* Scale of node n's input i in its u8 form; for a constant operand the one it will get. */
oct_scale oct_plan_input_scale(const oct_quant_plan *plan, int n, int i);

/* quantize_weights.c */
typedef struct oct_channel_quant {
    float scale;      /* of the weights */
    int32_t bias;     /* in units of x_scale * scale */
    double reach;     /* no accumulator is larger than this: 255 * sum |q| + |bias| */
} oct_channel_quant;

/* One output channel: q[i] = rne(w[i] / scale), in [-127, 127], with scale = max|w| / 127. False where no scale makes the sums fit
 * 32 bits. */
bool oct_quantize_channel(const float *w, int64_t count, double bias, double x_scale, int8_t *q, oct_channel_quant *channel);
/* The same with a scale to start from; it is doubled until the sums fit. */
bool oct_quantize_channel_at(const float *w, int64_t count, double bias, double x_scale, float scale, int8_t *q,
                             oct_channel_quant *channel);
/* Whether all channels of the int8 conv or dense n can be computed without overflow. */
oct_status oct_weights_fit(const oct_quant_plan *plan, int n, bool *fit);
/* Gives the int8 conv or dense n s8 weights and an s32 bias. */
oct_status oct_quantize_weights(oct_quant_plan *plan, int n);

/* weight_scales.c: fills scale and mean of the choice for node n of a float graph, a layer with constant weights. */
oct_status oct_choose_weights(const oct_graph *graph, int n, const oct_calibration *calibration,
                              const oct_quantize_options *options, oct_weight_choice *choice);
void oct_weight_choice_free(oct_weight_choice *choice);
/* max|w| / 127, or for weights too small for a normal scale the one that gives the bias 24 bits. */
float oct_largest_scale(const float *w, int64_t count, double bias, double x_scale);

/* quantize_notes.c: writes graph->notes, before the plan is carried out. */
oct_status oct_note_plan(oct_quant_plan *plan);

/* bias_correct.c */
/* mean[g * each + i]: the mean of what weight i of any channel of group g is multiplied by, padding counted as zeros. */
oct_status oct_weight_means(const oct_graph *graph, int n, const oct_value_stats *x, float **mean);
/* sum (scale * q[i] - w[i]) * mean[i]: how much a channel's output is too large on average. */
double oct_mean_error(const float *w, const int8_t *q, float scale, const float *mean, int64_t count);

#endif

/* prepack.h - a linear layer's weights in the order one ISA wants them, with the numbers of its epilogue. Convolutions, dense
 * layers and octet_kernels.h's plain products are all made of this. */
#ifndef OCT_PREPACK_H
#define OCT_PREPACK_H

#include "activation.h"
#include "gemm.h"
#include "graph.h"
#include "keeper.h"
#include "threads.h"
#include "winograd.h"

/* Scale and zero point of a u8 tensor that are found at run time: real = scale * (q - zero). */
typedef struct oct_run_scale {
    float scale;
    int32_t zero;
} oct_run_scale;

/* Weights that wait to be packed, so that the threads of a pool can share the work: most of what creating a session takes. */
typedef struct oct_pack_job {
    bool u8, winograd;
    oct_packed *packed;
    const void *weights;
    void *data;
} oct_pack_job;

typedef struct oct_pack_queue {
    oct_pack_job *jobs;
    size_t count, room;
} oct_pack_queue;

/* Packs what waits and releases the queue; pool NULL: only releases it. */
void oct_pack_waiting(oct_pack_queue *queue, oct_pool *pool);

/* What is to be packed: y = act(x * w^T + bias (+ residual)). */
typedef struct oct_linear_desc {
    const oct_kernels *kernels;
    const oct_conv_shape *depthwise;  /* not NULL: through the depthwise kernels */
    const oct_winograd *winograd;     /* not NULL: transformed, for this plan */
    size_t groups, columns;           /* columns of all groups together */
    size_t taps, k;                   /* weights are [columns][taps][k] */
    size_t rows;                      /* of one product; for a single one the gemv kernels are taken */
    bool u8;                          /* u8 x s8, otherwise f32 x f32 */
    const void *weights;
    const float *bias;                /* real numbers, or NULL */
    const int32_t *bias_units;        /* u8: in units of x_scale * w_scale[c], or NULL */
    bool dynamic;                     /* u8: x's scale and zero point are found at run time (oct_linear_rescale) */
    float x_scale;                    /* this and the next two: u8 only; dynamic: 1 and 0 */
    int32_t x_zero;
    const float *w_scale;             /* one per column */
    bool out_u8;
    float y_scale;                    /* out_u8 only */
    int32_t y_zero;
    bool residual;                    /* of the output's type */
    float residual_scale;             /* out_u8 only */
    int32_t residual_zero;
    const oct_function *act;          /* must outlive the packed layer */
    oct_pack_queue *queue;            /* where the weights wait and must stay as they are; NULL: they are packed at once */
} oct_linear_desc;

/* Numbers per column that wait for x's scale and zero point: `count` padded columns of all groups. */
typedef struct oct_waiting {
    size_t count;                     /* 0 unless dynamic */
    const int32_t *acc_bias, *sum;    /* as if x's zero point were 0; of the weights, 0 where rows are widened to x - z */
    const float *w_scale;
    int32_t *acc_bias_now;            /* what the epilogue reads */
    float *mult_now;
} oct_waiting;

typedef struct oct_linear {
    bool u8;
    size_t groups, columns, padded;   /* padded: columns of one group, its panels padded to full width */
    oct_packed *packed;               /* one per group */
    const oct_gemm_entry *entry;      /* the first variant; its a_elem is what rows must consist of */
    const oct_depthwise_entry *depthwise;
    void *depthwise_packed;
    const oct_winograd_entry *winograd;
    bool expanded;                    /* winograd: the weights are kept plain and transformed as they are needed */
    oct_epilogue e;                   /* without out and residual; bias, acc_bias and mult at group 0 */
    oct_activator activator;
    oct_waiting waiting;
    oct_post post; /* an activation that is no clamp; its arg points into this struct, which must stay in place */
} oct_linear;

/* Errors: FORMAT (a weight of -128, a column whose sums could leave 32 bits, a scale out of bounds: named by its channel),
 * UNSUPPORTED (an activation that a u8 result cannot take), MEMORY. */
oct_status oct_linear_pack(const oct_linear_desc *desc, oct_keeper *keeper, oct_linear *linear);

/* Whether Winograd's integers are exact for every column (groups 1, 9 taps); true for f32. */
bool oct_linear_winograd_provable(const oct_linear_desc *desc);

/* Makes a dynamic layer ready for an x of this scale and zero point. */
void oct_linear_rescale(const oct_linear *linear, oct_run_scale x);

/* A job for one group, lacking only the left side, out and residual. */
oct_gemm_job oct_linear_job(const oct_linear *linear, size_t group);

/* "gemm_u8s8 avx2 6x16" */
void oct_linear_kernel_name(const oct_linear *linear, char *text, size_t size);

/* from / to for two scales, as a float; fails unless |255 * taps * ratio| < 2^30, so that no conversion back to integer can
 * overflow. */
oct_status oct_scale_ratio(double from, double to, double taps, float *ratio);

#endif

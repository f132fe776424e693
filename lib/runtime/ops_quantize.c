/* Borders between precisions, element by element. A unit is a block of elements.
 *
 *   quantize    f32 > u8    rne(x / s) + z
 *               u8 > u8     other scale and zero point
 *               f32 > u8    with a scale of its own in every run (dynamic): two passes over x, the range, then as above
 *   dequantize  u8 > f32    (q - z) * s
 *
 * The conv or dense layers behind a dynamic node read scale and zero point where it has left them (oct_setup.run_scales).
 */
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "blocks.h"
#include "memory.h"
#include "ops_table.h"
#include "status.h"

/* One thread's part of the range, on a cache line of its own. */
typedef struct partial_range {
    _Alignas(64) float lo;
    float hi;
} partial_range;

typedef struct quantize_state {
    const oct_kernels *kernels;
    size_t elements;
    bool u8;                    /* the input */
    float scale;                /* quantize: 1 / scale; dequantize: scale; requantize: s_in / s_out */
    int32_t in_zero, out_zero;
    oct_run_scale *found;       /* dynamic, and the rest too */
    int threads;
    partial_range *ranges;      /* one per thread */
} quantize_state;

/* A state, and blocks of elements as units. */
static oct_status make_state(const oct_setup *setup, oct_step *step, const char *kernel, quantize_state **state)
{
    oct_status status;
    *state = oct_step_keep(setup, 1, sizeof **state, &status);
    OCT_TRY(status);
    (*state)->kernels = setup->kernels;
    (*state)->elements = (size_t)oct_shape_elements(&oct_output_of(setup, step)->shape);
    (*state)->u8 = oct_input_of(setup, step, 0)->dtype == OCT_U8;
    step->state = *state;
    step->algo = "elementwise";
    snprintf(step->kernel, sizeof step->kernel, "%s %s", kernel, setup->kernels->isa);
    oct_step_share(step, oct_block_count((*state)->elements), 0.4 * (double)(*state)->elements);
    return OCT_OK;
}

/* -------------------------------------------------------------------------------------------- quantize ---- */

static oct_status prepare_dynamic(const oct_setup *setup, oct_step *step)
{
    oct_status status;
    quantize_state *s;
    OCT_TRY(make_state(setup, step, "minmax_f32, quantize_f32_u8", &s));
    s->threads = setup->threads;
    s->ranges = oct_step_keep(setup, (size_t)setup->threads, sizeof *s->ranges, &status);
    s->found = &setup->run_scales[step->node->out[0]];
    step->algo = "dynamic";
    return status;
}

/* From f32 the kernel multiplies by 1 / scale, rounded once; from u8 by the ratio of the scales. */
static oct_status prepare_quantize(const oct_setup *setup, oct_step *step)
{
    quantize_state *s;
    const oct_value *in = oct_input_of(setup, step, 0), *out = oct_output_of(setup, step);
    if ((in->dtype != OCT_F32 && in->dtype != OCT_U8) || out->dtype != OCT_U8)
        return oct_fail(OCT_ERR_UNSUPPORTED, "cannot quantize %s to %s", oct_dtype_name(in->dtype), oct_dtype_name(out->dtype));
    if (oct_value_is_dynamic(out))
        return prepare_dynamic(setup, step);
    OCT_TRY(make_state(setup, step, in->dtype == OCT_U8 ? "requantize_u8" : "quantize_f32_u8", &s));
    s->in_zero = in->zero_point;
    s->out_zero = out->zero_point;
    s->scale = 1.0f / out->scale;
    return in->dtype == OCT_U8 ? oct_scale_ratio((double)in->scale, (double)out->scale, 1, &s->scale) : OCT_OK;
}

/* The input's type decides; the output is u8 in both cases. */
static void quantize(void *arg, size_t begin, size_t end, int thread)
{
    const oct_step *step = arg;
    const quantize_state *s = step->state;
    size_t first;
    const size_t n = oct_block_range(s->elements, begin, end, &first);
    uint8_t *out = (uint8_t *)step->out + first;
    (void)thread;
    if (s->u8)
        s->kernels->requantize_u8(n, (const uint8_t *)step->in[0] + first, s->in_zero, s->scale, s->out_zero, out);
    else
        s->kernels->quantize_f32_u8(n, (const float *)step->in[0] + first, s->scale, s->out_zero, out);
}

/* Least and greatest are the same in whatever order elements are looked at, so it does not matter which thread has seen which. */
static void find_range(void *arg, size_t begin, size_t end, int thread)
{
    const oct_step *step = arg;
    const quantize_state *s = step->state;
    partial_range *range = &s->ranges[thread];
    size_t first;
    const size_t n = oct_block_range(s->elements, begin, end, &first);
    float lo, hi;
    s->kernels->minmax_f32(n, (const float *)step->in[0] + first, &lo, &hi);
    range->lo = fminf(range->lo, lo);
    range->hi = fmaxf(range->hi, hi);
}

/* Infinities count as this, so that a scale is always finite. */
#define MAX_REAL 1e30f

/* As ONNX's DynamicQuantizeLinear: the range takes in 0, which is a step of its own then (padding and what a relu cuts off are
 * exact). All zeros, or nothing but NaNs, get scale 1. 1 / scale is a normal number in any case. */
static oct_run_scale scale_for(float lo, float hi)
{
    lo = fmaxf(fminf(lo, 0), -MAX_REAL);
    hi = fminf(fmaxf(hi, 0), MAX_REAL);
    if (lo == hi)
        return (oct_run_scale){.scale = 1};
    const float scale = fmaxf((hi - lo) / 255, 2 * FLT_MIN);
    return (oct_run_scale){.scale = scale, .zero = (int32_t)fminf(nearbyintf(-lo / scale), 255)};
}

static void run_quantize(oct_step *step, oct_pool *pool)
{
    quantize_state *s = step->state;
    if (s->found) {
        float lo = 0, hi = 0;
        for (int t = 0; t < s->threads; t++)
            s->ranges[t] = (partial_range){.lo = 0, .hi = 0};
        oct_pool_run(pool, find_range, step, step->units, step->grain);
        for (int t = 0; t < s->threads; t++) {
            lo = fminf(lo, s->ranges[t].lo);
            hi = fmaxf(hi, s->ranges[t].hi);
        }
        *s->found = scale_for(lo, hi);
        s->scale = 1.0f / s->found->scale;
        s->out_zero = s->found->zero;
    }
    oct_pool_run(pool, quantize, step, step->units, step->grain);
}

const oct_runtime_op oct_run_quantize = {
    .op = OCT_OP_QUANTIZE, .sharing = OCT_SHARE_DEAD_INPUT, .prepare = prepare_quantize, .run = run_quantize};

/* ------------------------------------------------------------------------------------------ dequantize ---- */

/* The quantizer rarely leaves one: conv and dense dequantize in their epilogue. */
static oct_status prepare_dequantize(const oct_setup *setup, oct_step *step)
{
    quantize_state *s;
    const oct_value *in = oct_input_of(setup, step, 0), *out = oct_output_of(setup, step);
    if (in->dtype != OCT_U8 || out->dtype != OCT_F32)
        return oct_fail(OCT_ERR_UNSUPPORTED, "cannot dequantize %s to %s", oct_dtype_name(in->dtype), oct_dtype_name(out->dtype));
    OCT_TRY(make_state(setup, step, "dequantize_u8_f32", &s));
    s->in_zero = in->zero_point;
    s->scale = in->scale;
    return OCT_OK;
}

/* Not in place: the output has four times the bytes of the input. */
static void dequantize(void *arg, size_t begin, size_t end, int thread)
{
    const oct_step *step = arg;
    const quantize_state *s = step->state;
    size_t first;
    const size_t n = oct_block_range(s->elements, begin, end, &first);
    (void)thread;
    s->kernels->dequantize_u8_f32(n, (const uint8_t *)step->in[0] + first, s->scale, s->in_zero, (float *)step->out + first);
}

const oct_runtime_op oct_run_dequantize = {.op = OCT_OP_DEQUANTIZE, .prepare = prepare_dequantize, .work = dequantize};

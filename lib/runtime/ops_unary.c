/* Element by element with one input: unary functions, quantize, dequantize. A unit is a block of elements.
 *
 *   unary       f32 > f32   the kernel of the function, or its definition         u8 > u8   a table of 256, filled at prepare
 *   quantize    f32 > u8    rne(x / s) + z                                        u8 > u8   other scale and zero point
 *   dequantize  u8 > f32    (q - z) * s
 */
#include <math.h>
#include <stdio.h>

#include "activation.h"
#include "grain.h"
#include "operators.h"
#include "ops_table.h"
#include "prepack.h"
#include "status.h"

#define BLOCK 1024

typedef struct unary_state {
    const oct_kernels *kernels;
    size_t elements;
    bool u8;                    /* the input */
    const oct_function *f;
    uint8_t table[256];         /* u8 unary */
    float scale;                /* quantize: 1 / scale; dequantize: scale; requantize: s_in / s_out */
    int32_t in_zero, out_zero;
} unary_state;

/* What the three operators of this file share: a state, and blocks of elements as units. */
static oct_status make_state(const oct_setup *setup, oct_step *step, const char *kernel, double nanoseconds_each,
                             unary_state **state)
{
    oct_status status;
    *state = oct_step_keep(setup, 1, sizeof **state, &status);
    OCT_TRY(status);
    (*state)->kernels = setup->kernels;
    (*state)->elements = (size_t)oct_shape_elements(&oct_output_of(setup, step)->shape);
    (*state)->f = &step->node->attrs.unary;
    (*state)->u8 = oct_input_of(setup, step, 0)->dtype == OCT_U8;
    step->state = *state;
    step->algo = "elementwise";
    if (kernel)
        snprintf(step->kernel, sizeof step->kernel, "%s %s", kernel, setup->kernels->isa);
    oct_step_share(step, ((*state)->elements + BLOCK - 1) / BLOCK, nanoseconds_each * (double)(*state)->elements);
    return OCT_OK;
}

/* Elements of blocks [begin, end); the last block may be short. */
static size_t block_range(const unary_state *s, size_t begin, size_t end, size_t *first)
{
    *first = begin * BLOCK;
    const size_t stop = end * BLOCK < s->elements ? end * BLOCK : s->elements;
    return stop - *first;
}

/* ----------------------------------------------------------------------------------------------- unary ---- */

/* The definition of a function on u8:  q' = clamp(rne(f(s_in * (q - z_in)) / s_out) + z_out, 0, 255), a NaN gives 0. The quotient
 * is taken in double. */
static void fill_table(const oct_function *f, const oct_value *in, const oct_value *out, uint8_t table[256])
{
    for (int q = 0; q < 256; q++) {
        const float x = in->scale * (float)(q - in->zero_point);
        const double y = nearbyint((double)oct_function_eval(f, x) / (double)out->scale) + out->zero_point;
        table[q] = y > 0 ? y < 255 ? (uint8_t)y : 255 : 0;
    }
}

/* On u8 every function is a table, so none is dearer than another. */
static oct_status prepare_unary(const oct_setup *setup, oct_step *step)
{
    unary_state *s;
    const oct_value *in = oct_input_of(setup, step, 0), *out = oct_output_of(setup, step);
    const oct_function *f = &step->node->attrs.unary;
    const char *kernel = in->dtype == OCT_U8 ? "lut_u8" : oct_activation_kernel(f);
    OCT_TRY(oct_same_type(setup, step));
    OCT_TRY(make_state(setup, step, kernel, kernel ? 0.5 : 8, &s));
    if (in->dtype == OCT_U8)
        fill_table(f, in, out, s->table);
    step->algo = in->dtype == OCT_U8 ? "table" : "elementwise";
    return OCT_OK;
}

static void work_unary(void *arg, size_t begin, size_t end, int thread)
{
    const oct_step *step = arg;
    const unary_state *s = step->state;
    size_t first;
    const size_t n = block_range(s, begin, end, &first);
    (void)thread;
    if (s->u8)
        s->kernels->lut_u8(n, (const uint8_t *)step->in[0] + first, s->table, (uint8_t *)step->out + first);
    else
        oct_activate(s->kernels, s->f, n, (const float *)step->in[0] + first, (float *)step->out + first);
}

const oct_runtime_op oct_run_unary = {
    .op = OCT_OP_UNARY, .sharing = OCT_SHARE_DEAD_INPUT, .prepare = prepare_unary, .work = work_unary};

/* --------------------------------------------------------------------------------- quantize, dequantize ---- */

/* From f32 the kernel multiplies by 1 / scale, rounded once; from u8 by the ratio of the scales. */
static oct_status prepare_quantize(const oct_setup *setup, oct_step *step)
{
    unary_state *s;
    const oct_value *in = oct_input_of(setup, step, 0), *out = oct_output_of(setup, step);
    if ((in->dtype != OCT_F32 && in->dtype != OCT_U8) || out->dtype != OCT_U8)
        return oct_fail(OCT_ERR_UNSUPPORTED, "cannot quantize %s to %s", oct_dtype_name(in->dtype), oct_dtype_name(out->dtype));
    OCT_TRY(make_state(setup, step, in->dtype == OCT_U8 ? "requantize_u8" : "quantize_f32_u8", 0.4, &s));
    s->in_zero = in->zero_point;
    s->out_zero = out->zero_point;
    s->scale = 1.0f / out->scale;
    return in->dtype == OCT_U8 ? oct_scale_ratio((double)in->scale, (double)out->scale, 1, &s->scale) : OCT_OK;
}

/* The input's type decides; the output is u8 in both cases. */
static void work_quantize(void *arg, size_t begin, size_t end, int thread)
{
    const oct_step *step = arg;
    const unary_state *s = step->state;
    size_t first;
    const size_t n = block_range(s, begin, end, &first);
    uint8_t *out = (uint8_t *)step->out + first;
    (void)thread;
    if (s->u8)
        s->kernels->requantize_u8(n, (const uint8_t *)step->in[0] + first, s->in_zero, s->scale, s->out_zero, out);
    else
        s->kernels->quantize_f32_u8(n, (const float *)step->in[0] + first, s->scale, s->out_zero, out);
}

const oct_runtime_op oct_run_quantize = {
    .op = OCT_OP_QUANTIZE, .sharing = OCT_SHARE_DEAD_INPUT, .prepare = prepare_quantize, .work = work_quantize};

/* The quantizer rarely leaves one: conv and dense dequantize in their epilogue. */
static oct_status prepare_dequantize(const oct_setup *setup, oct_step *step)
{
    unary_state *s;
    const oct_value *in = oct_input_of(setup, step, 0), *out = oct_output_of(setup, step);
    if (in->dtype != OCT_U8 || out->dtype != OCT_F32)
        return oct_fail(OCT_ERR_UNSUPPORTED, "cannot dequantize %s to %s", oct_dtype_name(in->dtype), oct_dtype_name(out->dtype));
    OCT_TRY(make_state(setup, step, "dequantize_u8_f32", 0.4, &s));
    s->in_zero = in->zero_point;
    s->scale = in->scale;
    return OCT_OK;
}

/* Not in place: the output has four times the bytes of the input. */
static void work_dequantize(void *arg, size_t begin, size_t end, int thread)
{
    const oct_step *step = arg;
    const unary_state *s = step->state;
    size_t first;
    const size_t n = block_range(s, begin, end, &first);
    (void)thread;
    s->kernels->dequantize_u8_f32(n, (const uint8_t *)step->in[0] + first, s->scale, s->in_zero, (float *)step->out + first);
}

const oct_runtime_op oct_run_dequantize = {.op = OCT_OP_DEQUANTIZE, .prepare = prepare_dequantize, .work = work_dequantize};

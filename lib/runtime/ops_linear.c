/* conv and dense: a node's attributes and values become an oct_conv (conv.h), which does the rest.
 *
 *   values      x         w              bias              residual     y
 *   f32         f32       f32            f32               f32          f32         plain
 *   f32 > u8    f32       f32            f32               -            u8          quantizes in the epilogue
 *   int8        u8        s8, scales     s32               u8           u8
 *   int8 > f32  u8        s8, scales     s32               f32          f32         dequantizes in the epilogue
 *   dynamic     u8, run   s8, scales     f32               f32          f32         likewise; x's scale: the node before it
 *
 * Dense over [.., K] is a 1x1 convolution of one row of pixels, as many as the leading dimensions multiply to.
 */
#include <stdio.h>

#include "conv.h"
#include "ops_table.h"
#include "status.h"

/* The keeper is needed once more by bind, for the row pointers. */
typedef struct linear_state {
    oct_conv conv;
    oct_conv_call call;
    const oct_kernels *kernels;
    oct_keeper *keeper;
} linear_state;

static size_t size_of(int64_t number) { return (size_t)number; }

/* Bottom and right padding follow from the sizes, which oct_graph_check has compared with the attributes. */
static oct_conv_shape conv_shape(const oct_setup *setup, const oct_step *step)
{
    const oct_conv_attrs *a = &step->node->attrs.conv;
    const oct_shape *x = &oct_input_of(setup, step, 0)->shape, *y = &oct_output_of(setup, step)->shape;
    return (oct_conv_shape){
        .batch = size_of(x->dims[0]), .in_h = size_of(x->dims[1]), .in_w = size_of(x->dims[2]), .in_c = size_of(x->dims[3]),
        .out_h = size_of(y->dims[1]), .out_w = size_of(y->dims[2]), .out_c = size_of(y->dims[3]),
        .kernel_h = size_of(a->kernel[0]), .kernel_w = size_of(a->kernel[1]),
        .stride_h = size_of(a->stride[0]), .stride_w = size_of(a->stride[1]),
        .dilation_h = size_of(a->dilation[0]), .dilation_w = size_of(a->dilation[1]),
        .pad_top = size_of(a->pad[0]), .pad_left = size_of(a->pad[1]), .groups = size_of(a->groups),
    };
}

/* All leading dimensions are pixels of one row; batch 1, so that they form one matrix. */
static oct_conv_shape dense_shape(const oct_setup *setup, const oct_step *step)
{
    const oct_shape *x = &oct_input_of(setup, step, 0)->shape, *w = &oct_input_of(setup, step, OCT_IN_W)->shape;
    const size_t pixels = size_of(oct_shape_product(x, 0, x->rank - 1));
    return (oct_conv_shape){
        .batch = 1,
        .in_h = 1,
        .in_w = pixels,
        .in_c = size_of(w->dims[1]),
        .out_h = 1,
        .out_w = pixels,
        .out_c = size_of(w->dims[0]),
        .kernel_h = 1,
        .kernel_w = 1,
        .stride_h = 1,
        .stride_w = 1,
        .dilation_h = 1,
        .dilation_w = 1,
        .groups = 1,
    };
}

/* What the graph language allows but the epilogue does not: the residual is read with the output's element type. Weights must be
 * known, because they are packed when the session is created. */
static oct_status check_types(const oct_setup *setup, const oct_step *step)
{
    const oct_dtype out = oct_output_of(setup, step)->dtype;
    if (!oct_value_is_constant(oct_input_of(setup, step, OCT_IN_W)))
        return oct_fail(OCT_ERR_UNSUPPORTED, "its weights are no constant");
    if (oct_has_input(step, OCT_IN_BIAS) && !oct_value_is_constant(oct_input_of(setup, step, OCT_IN_BIAS)))
        return oct_fail(OCT_ERR_UNSUPPORTED, "its bias is no constant");
    if (out != OCT_F32 && out != OCT_U8)
        return oct_fail(OCT_ERR_UNSUPPORTED, "its output cannot be %s", oct_dtype_name(out));
    if (oct_has_input(step, OCT_IN_RESIDUAL) && oct_input_of(setup, step, OCT_IN_RESIDUAL)->dtype != out)
        return oct_fail(OCT_ERR_UNSUPPORTED, "its residual is %s and its output %s; they must be the same",
                        oct_dtype_name(oct_input_of(setup, step, OCT_IN_RESIDUAL)->dtype), oct_dtype_name(out));
    return OCT_OK;
}

/* The bias is s32 in units of the products with u8 input of known scale, and f32 otherwise (operators.c checks that). */
static oct_linear_desc describe(const oct_setup *setup, const oct_step *step)
{
    const oct_value *x = oct_input_of(setup, step, 0), *w = oct_input_of(setup, step, OCT_IN_W), *y = oct_output_of(setup, step);
    const bool dynamic = oct_value_is_dynamic(x);
    oct_linear_desc desc = {
        .kernels = setup->kernels,
        .u8 = x->dtype == OCT_U8,
        .dynamic = dynamic,
        .weights = w->data,
        .x_scale = dynamic ? 1 : x->scale,
        .x_zero = x->dtype == OCT_U8 ? x->zero_point : 0,
        .w_scale = w->channel_scale,
        .out_u8 = y->dtype == OCT_U8,
        .y_scale = y->scale,
        .y_zero = y->zero_point,
        .act = &step->node->act, .queue = setup->queue,
    };
    if (oct_has_input(step, OCT_IN_BIAS)) {
        const void *bias = oct_input_of(setup, step, OCT_IN_BIAS)->data;
        if (desc.u8 && !dynamic)
            desc.bias_units = bias;
        else
            desc.bias = bias;
    }
    if (oct_has_input(step, OCT_IN_RESIDUAL)) {
        const oct_value *residual = oct_input_of(setup, step, OCT_IN_RESIDUAL);
        desc.residual = true;
        desc.residual_scale = residual->scale;
        desc.residual_zero = residual->zero_point;
    }
    return desc;
}

/* Everything but addresses. A failure inside names the output channel; the session adds the node. */
static oct_status prepare_linear(const oct_setup *setup, oct_step *step, const oct_conv_shape *shape)
{
    oct_status status;
    OCT_TRY(check_types(setup, step));
    linear_state *state = oct_step_keep(setup, 1, sizeof *state, &status);
    OCT_TRY(status);
    const oct_linear_desc desc = describe(setup, step);
    const oct_conv_choice choice = {.winograd = setup->winograd, .lasting = setup->lasting, .threads = setup->threads};
    OCT_TRY(oct_conv_prepare(shape, &desc, choice, setup->keeper, &state->conv));
    state->kernels = setup->kernels;
    state->keeper = setup->keeper;
    state->call.conv = &state->conv;
    if (desc.dynamic)
        state->call.x = &setup->run_scales[step->node->in[OCT_IN_X]];
    step->state = state;
    step->scratch_bytes = oct_conv_scratch(&state->conv, setup->threads);
    step->algo = oct_conv_algo_name(&state->conv);
    oct_linear_kernel_name(&state->conv.linear, step->kernel, sizeof step->kernel);
    return OCT_OK;
}

static oct_status prepare_conv(const oct_setup *setup, oct_step *step)
{
    const oct_conv_shape shape = conv_shape(setup, step);
    return prepare_linear(setup, step, &shape);
}

static oct_status prepare_dense(const oct_setup *setup, oct_step *step)
{
    const oct_conv_shape shape = dense_shape(setup, step);
    return prepare_linear(setup, step, &shape);
}

/* Row pointers are built once: neither input nor scratch memory ever moves during a session. */
static oct_status bind_linear(oct_step *step)
{
    linear_state *state = step->state;
    oct_conv_call *call = &state->call;
    call->in = step->in[OCT_IN_X];
    call->residual = oct_has_input(step, OCT_IN_RESIDUAL) ? step->in[OCT_IN_RESIDUAL] : NULL;
    call->out = step->out;
    call->out_ld = step->out_row / (state->conv.linear.e.out_elem == OCT_ELEM_U8 ? 1 : sizeof(float));
    call->scratch = step->scratch;
    if (state->conv.pointers > 0) {
        call->pointers = oct_keep(state->keeper, state->conv.pointers, sizeof *call->pointers);
        if (!call->pointers)
            return oct_fail_memory(state->conv.pointers * sizeof *call->pointers);
    }
    oct_conv_connect(call);
    return OCT_OK;
}

/* Two phases at most, each shared out by itself; so this operator has `run` and not `work`. */
static void run_linear(oct_step *step, oct_pool *pool)
{
    const linear_state *state = step->state;
    oct_conv_execute(&state->call, state->kernels, pool);
}

const oct_runtime_op oct_run_conv = {
    .op = OCT_OP_CONV, .sharing = OCT_SHARE_RESIDUAL, .prepare = prepare_conv, .bind = bind_linear, .run = run_linear,
    .writes_rows = true};
const oct_runtime_op oct_run_dense = {
    .op = OCT_OP_DENSE, .sharing = OCT_SHARE_RESIDUAL, .prepare = prepare_dense, .bind = bind_linear, .run = run_linear,
    .writes_rows = true};

/* The table of runtime operators, and what several of them need. An operator has two rows: in operators.c what it is (name,
 * attributes, shape rule), here how it runs. The checks here are about code, not about meaning: a graph may be valid and still
 * ask for something nobody has written, such as the difference of two u8 tensors. */
#include "ops_table.h"

#include "grain.h"
#include "operators.h"
#include "status.h"

/* By operator number. oct_graph_check lets no node through that is not in here. */
static const oct_runtime_op *const table[OCT_OP_COUNT] = {
    [OCT_OP_CONV] = &oct_run_conv,
    [OCT_OP_DENSE] = &oct_run_dense,
    [OCT_OP_MATMUL] = &oct_run_matmul,
    [OCT_OP_MAX_POOL] = &oct_run_max_pool,
    [OCT_OP_AVERAGE_POOL] = &oct_run_average_pool,
    [OCT_OP_UNARY] = &oct_run_unary,
    [OCT_OP_BINARY] = &oct_run_binary,
    [OCT_OP_REDUCE] = &oct_run_reduce,
    [OCT_OP_CONCAT] = &oct_run_concat,
    [OCT_OP_RESHAPE] = &oct_run_reshape,
    [OCT_OP_TRANSPOSE] = &oct_run_transpose,
    [OCT_OP_PAD] = &oct_run_pad,
    [OCT_OP_SLICE] = &oct_run_slice,
    [OCT_OP_SOFTMAX] = &oct_run_softmax,
    [OCT_OP_QUANTIZE] = &oct_run_quantize,
    [OCT_OP_DEQUANTIZE] = &oct_run_dequantize,
    [OCT_OP_RESIZE] = &oct_run_resize,
    [OCT_OP_ARGMAX] = &oct_run_argmax,
};

const oct_runtime_op *oct_runtime_op_of(oct_op op) { return table[op]; }

void *oct_step_keep(const oct_setup *setup, size_t count, size_t size, oct_status *status)
{
    void *block = oct_keep(setup->keeper, count, size);
    *status = block ? OCT_OK : oct_fail_memory(count * size);
    return block;
}

/* oct_graph_check knows what the language allows; this is what there is code for. */
oct_status oct_same_type(const oct_setup *setup, const oct_step *step)
{
    const oct_dtype in = oct_input_of(setup, step, 0)->dtype, out = oct_output_of(setup, step)->dtype;
    if (in == out && (in == OCT_F32 || in == OCT_U8))
        return OCT_OK;
    return oct_fail(OCT_ERR_UNSUPPORTED, "cannot compute %s from %s; f32 from f32 and u8 from u8 are possible", oct_dtype_name(out),
                    oct_dtype_name(in));
}

/* Equal bit by bit: a quantizer that means "the same" copies the numbers. */
oct_status oct_same_scale(const oct_setup *setup, const oct_step *step)
{
    const oct_value *in = oct_input_of(setup, step, 0), *out = oct_output_of(setup, step);
    if (in->dtype != OCT_U8 || (in->scale == out->scale && in->zero_point == out->zero_point))
        return OCT_OK;
    return oct_fail(OCT_ERR_FORMAT, "it only moves elements, so its output must have its input's scale and zero point");
}

/* Called once, at prepare: a run must not depend on how long the last one took. */
void oct_step_share(oct_step *step, size_t units, double nanoseconds)
{
    step->units = units;
    step->grain = oct_grain(units, nanoseconds);
}

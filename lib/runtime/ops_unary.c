/* Functions, element by element. A unit is a block of elements.
 *
 *   f32 > f32   the kernel of the function, or its definition
 *   u8 > u8     a table of 256, filled at prepare
 */
#include <math.h>
#include <stdio.h>

#include "activation.h"
#include "blocks.h"
#include "operators.h"
#include "ops_table.h"
#include "status.h"

typedef struct unary_state {
    const oct_kernels *kernels;
    size_t elements;
    bool u8;
    const oct_function *f;
    uint8_t table[256];         /* u8 */
} unary_state;

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
    oct_status status;
    const oct_value *in = oct_input_of(setup, step, 0), *out = oct_output_of(setup, step);
    const oct_function *f = &step->node->attrs.unary;
    OCT_TRY(oct_same_type(setup, step));
    unary_state *s = oct_step_keep(setup, 1, sizeof *s, &status);
    OCT_TRY(status);
    *s = (unary_state){
        .kernels = setup->kernels, .elements = (size_t)oct_shape_elements(&out->shape), .u8 = in->dtype == OCT_U8, .f = f};
    if (s->u8)
        fill_table(f, in, out, s->table);
    const char *kernel = s->u8 ? "lut_u8" : oct_activation_kernel(f);
    if (kernel)
        snprintf(step->kernel, sizeof step->kernel, "%s %s", kernel, setup->kernels->isa);
    step->state = s;
    step->algo = s->u8 ? "table" : "elementwise";
    oct_step_share(step, oct_block_count(s->elements), (kernel ? 0.5 : 8) * (double)s->elements);
    return OCT_OK;
}

static void work_unary(void *arg, size_t begin, size_t end, int thread)
{
    const oct_step *step = arg;
    const unary_state *s = step->state;
    size_t first;
    const size_t n = oct_block_range(s->elements, begin, end, &first);
    (void)thread;
    if (s->u8)
        s->kernels->lut_u8(n, (const uint8_t *)step->in[0] + first, s->table, (uint8_t *)step->out + first);
    else
        oct_activate(s->kernels, s->f, n, (const float *)step->in[0] + first, (float *)step->out + first);
}

const oct_runtime_op oct_run_unary = {
    .op = OCT_OP_UNARY, .sharing = OCT_SHARE_DEAD_INPUT, .prepare = prepare_unary, .work = work_unary};

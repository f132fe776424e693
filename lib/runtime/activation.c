/* Element functions over arrays: by the ISA's kernels where there is one, by the definition where there is none.
 *
 * Where a fused activation ends up:
 *
 *   clamp (relu, relu6)   bounds lo, hi of the kernel's epilogue, and qlo, qhi in quantized steps for a u8 result
 *   other, f32 result     a pass over the rows just written (oct_post), while they are in L1
 *   other, u8 result      refused: the function belongs between accumulator and rounding, where u8 has no scale yet
 */
#include "activation.h"

#include <math.h>

#include "operators.h"
#include "status.h"

/* The kernels' name for a function; OCT_ACT_COUNT for those they do not have. erf, exp, log and the like occur a few times in a
 * network, if at all: the C library is good enough for them. */
static oct_activation_kind kind_of(int32_t fn)
{
    switch (fn) {
    case OCT_FN_LEAKY_RELU: return OCT_ACT_LEAKY_RELU;
    case OCT_FN_ELU: return OCT_ACT_ELU;
    case OCT_FN_SIGMOID: return OCT_ACT_SIGMOID;
    case OCT_FN_HARD_SIGMOID: return OCT_ACT_HARD_SIGMOID;
    case OCT_FN_HARD_SWISH: return OCT_ACT_HARD_SWISH;
    case OCT_FN_SWISH: return OCT_ACT_SWISH;
    case OCT_FN_TANH: return OCT_ACT_TANH;
    case OCT_FN_GELU: return OCT_ACT_GELU;
    default: return OCT_ACT_COUNT;
    }
}

/* Must say what oct_activate below does. */
const char *oct_activation_kernel(const oct_function *f)
{
    return f->fn == OCT_FN_CLAMP ? "clamp_f32" : kind_of(f->fn) != OCT_ACT_COUNT ? "activate_f32" : NULL;
}

void oct_activate(const oct_kernels *kernels, const oct_function *f, size_t n, const float *in, float *out)
{
    const oct_activation activation = {.kind = kind_of(f->fn), .alpha = f->alpha, .beta = f->beta};
    if (f->fn == OCT_FN_CLAMP) {
        kernels->clamp_f32(n, in, f->alpha, f->beta, out);
        return;
    }
    if (activation.kind != OCT_ACT_COUNT) {
        kernels->activate_f32(&activation, n, in, out);
        return;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = oct_function_eval(f, in[i]);
}

/* The form that the loops round the GEMM kernels call, row by row of a finished tile (gemm.h). */
void oct_activate_row(const void *arg, void *row, size_t n)
{
    const oct_activator *activator = arg;
    oct_activate(activator->kernels, activator->f, n, row, row);
}

/* clamp(rne(x / scale) + zero, 0, 255); in double, so that infinities and large quotients are safe. */
static uint8_t quantized_bound(float x, float scale, int32_t zero)
{
    const double q = nearbyint((double)x / (double)scale) + zero;
    return q > 0 ? q < 255 ? (uint8_t)q : 255 : 0;
}

/* What a u8 result cannot hold is clamped in real numbers too: the f32 kernels clamp before they convert to integers, and a
 * conversion of what exceeds 32 bits has no defined result. */
oct_status oct_bounds_of(const oct_function *act, bool u8, float scale, int32_t zero, oct_bounds *bounds)
{
    *bounds = (oct_bounds){.lo = -INFINITY, .hi = INFINITY, .qhi = 255};
    if (act && act->fn == OCT_FN_CLAMP) {
        bounds->lo = act->alpha;
        bounds->hi = act->beta;
    } else if (act && act->fn != OCT_FN_NONE) {
        if (u8)
            return oct_fail(OCT_ERR_UNSUPPORTED, "a u8 result can take a clamp only, not %s; give it a node of its own",
                            oct_function_name(act));
        bounds->rest = act;
    }
    if (!u8)
        return OCT_OK;
    bounds->qlo = quantized_bound(bounds->lo, scale, zero);
    bounds->qhi = quantized_bound(bounds->hi, scale, zero);
    bounds->lo = fmaxf(bounds->lo, (float)(0 - zero) * scale);
    bounds->hi = fminf(bounds->hi, (float)(255 - zero) * scale);
    return OCT_OK;
}

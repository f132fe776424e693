/* Element functions over arrays: one loop per function, so that the compiler can turn the cheap ones into vector code. */
#include "activation.h"

#include <math.h>

#include "operators.h"
#include "status.h"

/* A NaN becomes lo, as in the kernels: x > lo is false. */
static float clamp(float x, float lo, float hi)
{
    x = x > lo ? x : lo;
    return x < hi ? x : hi;
}

static void clamp_all(float lo, float hi, size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = clamp(in[i], lo, hi);
}

/* A selection, not a branch: half of all activations are negative, and a predictor would guess them wrong. */
static void leaky_relu_all(float alpha, size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] < 0 ? alpha * in[i] : in[i];
}

static void hard_sigmoid_all(float alpha, float beta, size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = clamp(alpha * in[i] + beta, 0.0f, 1.0f);
}

/* As oct_function_eval has it, division and all, so that both round alike. */
static void hard_swish_all(size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = in[i] * clamp(in[i] / 6.0f + 0.5f, 0.0f, 1.0f);
}

/* The functions of libm cost more than the call by which they are reached. */
static void any_all(const oct_function *f, size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = oct_function_eval(f, in[i]);
}

/* The switch stands outside the loops: inside, it would keep them scalar. */
void oct_activate(const oct_function *f, size_t n, const float *in, float *out)
{
    switch (f->fn) {
    case OCT_FN_CLAMP: clamp_all(f->alpha, f->beta, n, in, out); break;
    case OCT_FN_LEAKY_RELU: leaky_relu_all(f->alpha, n, in, out); break;
    case OCT_FN_HARD_SIGMOID: hard_sigmoid_all(f->alpha, f->beta, n, in, out); break;
    case OCT_FN_HARD_SWISH: hard_swish_all(n, in, out); break;
    default: any_all(f, n, in, out); break;
    }
}

void oct_activate_row(const void *f, void *row, size_t n) { oct_activate(f, n, row, row); }

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

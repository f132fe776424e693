/* Element functions: names and definitions. */
#include <math.h>
#include <string.h>

#include "operators.h"

static const char *const names[OCT_FN_COUNT] = {
    [OCT_FN_NONE] = "",
    [OCT_FN_CLAMP] = "clamp",
    [OCT_FN_LEAKY_RELU] = "leakyrelu",
    [OCT_FN_ELU] = "elu",
    [OCT_FN_SIGMOID] = "sigmoid",
    [OCT_FN_HARD_SIGMOID] = "hardsigmoid",
    [OCT_FN_HARD_SWISH] = "hardswish",
    [OCT_FN_SWISH] = "swish",
    [OCT_FN_TANH] = "tanh",
    [OCT_FN_ERF] = "erf",
    [OCT_FN_GELU] = "gelu",
    [OCT_FN_EXP] = "exp",
    [OCT_FN_LOG] = "log",
    [OCT_FN_SQRT] = "sqrt",
    [OCT_FN_RECIPROCAL] = "reciprocal",
    [OCT_FN_ABS] = "abs",
    [OCT_FN_NEG] = "neg",
};

const char *oct_function_name(const oct_function *f)
{
    if (f->fn == OCT_FN_CLAMP && f->alpha == 0 && f->beta == INFINITY)
        return "relu";
    if (f->fn == OCT_FN_CLAMP && f->alpha == 0 && f->beta == 6)
        return "relu6";
    return f->fn >= 0 && f->fn < OCT_FN_COUNT ? names[f->fn] : "?";
}

oct_fn oct_function_by_name(const char *name)
{
    for (int i = 1; i < OCT_FN_COUNT; i++)
        if (!strcmp(names[i], name))
            return (oct_fn)i;
    return OCT_FN_NONE;
}

static float clamp(float x, float lo, float hi)
{
    x = x > lo ? x : lo;
    return x < hi ? x : hi;
}

float oct_function_eval(const oct_function *f, float x)
{
    switch ((oct_fn)f->fn) {
    case OCT_FN_CLAMP: return clamp(x, f->alpha, f->beta);
    case OCT_FN_LEAKY_RELU: return x < 0 ? f->alpha * x : x;
    case OCT_FN_ELU: return x < 0 ? f->alpha * expm1f(x) : x;
    case OCT_FN_SIGMOID: return 1.0f / (1.0f + expf(-x));
    case OCT_FN_HARD_SIGMOID: return clamp(f->alpha * x + f->beta, 0.0f, 1.0f);
    case OCT_FN_HARD_SWISH: return x * clamp(x / 6.0f + 0.5f, 0.0f, 1.0f);
    case OCT_FN_SWISH: return x / (1.0f + expf(-x));
    case OCT_FN_TANH: return tanhf(x);
    case OCT_FN_ERF: return erff(x);
    case OCT_FN_GELU: return 0.5f * x * (1.0f + erff(x * 0.70710678f));
    case OCT_FN_EXP: return expf(x);
    case OCT_FN_LOG: return logf(x);
    case OCT_FN_SQRT: return sqrtf(x);
    case OCT_FN_RECIPROCAL: return 1.0f / x;
    case OCT_FN_ABS: return fabsf(x);
    case OCT_FN_NEG: return -x;
    case OCT_FN_NONE:
    case OCT_FN_COUNT: break;
    }
    return x;
}

/* activate_f32_scalar.c - element functions by the C library, one at a time: THE SPECIFICATION. in == out is allowed. */
#include <math.h>

#include "scalar.h"
#include "epilogue_scalar.h"

static float apply(const oct_activation *f, float x)
{
    switch (f->kind) {
    case OCT_ACT_LEAKY_RELU: return x < 0.0f ? f->alpha * x : x;
    case OCT_ACT_ELU: return x < 0.0f ? f->alpha * expm1f(x) : x;
    case OCT_ACT_HARD_SIGMOID: return oct_clampf(f->alpha * x + f->beta, 0.0f, 1.0f);
    case OCT_ACT_HARD_SWISH: return x * oct_clampf(x / 6.0f + 0.5f, 0.0f, 1.0f);
    case OCT_ACT_SIGMOID: return 1.0f / (1.0f + expf(-x));
    case OCT_ACT_SWISH: return x / (1.0f + expf(-x));
    case OCT_ACT_TANH: return tanhf(x);
    case OCT_ACT_GELU: return 0.5f * x * (1.0f + erff(x * 0.70710678f));
    case OCT_ACT_COUNT: break;
    }
    return x;
}

void oct_activate_f32_scalar(const oct_activation *f, size_t n, const float *in, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = apply(f, in[i]);
}

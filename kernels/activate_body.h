/* activate_body.h - element functions of one float without a branch and without a call, so that a compiler turns the loops at the
 * end into vector code for whatever ISA the including file is compiled for. One body serves all widths.
 *
 * All exponentials go through one polynomial (Cephes, S. Moshier, expf.c):
 *
 *   x = n * ln 2 + r,  n = rne(x / ln 2),  |r| <= ln 2 / 2        exp(x) - 1 = 2^n * q(r) + (2^n - 1)
 *   q(r) = r + r^2 * P5(r), which is exp(r) - 1 to within 2 units in the last place
 *
 * n is found by adding 1.5 * 2^23: a float of that size has no room for a fraction, so the addition rounds to an integer, and the
 * low bits of its pattern are that integer.
 *
 * Ranges: |x| is clamped to 87, so |n| <= 126, n + 127 is in 1..253, and 2^n is a normal number. Beyond 87 every function here is
 * at its limit. The product 2^n * q(r) is below 2^127.
 */
#ifndef OCT_ACTIVATE_BODY_H
#define OCT_ACTIVATE_BODY_H

#include <string.h>

#include "kernels.h"

/* condition ? yes : no by masks. As an expression with ?: the compiler would compute only the side that is needed, which no
 * vector can. */
static inline float select_f32(int condition, float yes, float no)
{
    const uint32_t mask = 0u - (uint32_t)condition;
    uint32_t a, b;
    memcpy(&a, &yes, sizeof a);
    memcpy(&b, &no, sizeof b);
    a = (a & mask) | (b & ~mask);
    memcpy(&yes, &a, sizeof yes);
    return yes;
}

static inline float clamp_f32(float x, float lo, float hi)
{
    x = x > lo ? x : lo;
    return x < hi ? x : hi;
}

/* 2^n * q(r) and 2^n; their sum is exp(x), and with the 1 taken from the second it is exp(x) - 1 without cancellation near 0. */
static inline float exp_parts(float x, float *power)
{
    const float shift = 12582912.0f, in = clamp_f32(x, -87.0f, 87.0f);
    const float shifted = in * 1.44269504f + shift, n = shifted - shift;
    /* ln 2 in two parts: the first has so few bits that n times it is exact */
    const float r = (in - n * 0.693359375f) + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    uint32_t bits;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    memcpy(&bits, &shifted, sizeof bits);
    bits = (bits + 127) << 23;  /* the pattern's upper bits fall out: what is left is n + 127 as an exponent */
    memcpy(power, &bits, sizeof bits);
    return *power * (p * r * r + r);
}

static inline float exp_f32(float x)
{
    float power;
    const float rest = exp_parts(x, &power);
    return rest + power;
}

static inline float expm1_f32(float x)
{
    float power;
    const float rest = exp_parts(x, &power);
    return rest + (power - 1.0f);
}

/* ------------------------------------------------------------------------------------------- functions ---- */

static inline float leaky_relu(float x, float alpha) { return select_f32(x < 0.0f, alpha * x, x); }
static inline float hard_sigmoid(float x, float alpha, float beta) { return clamp_f32(alpha * x + beta, 0.0f, 1.0f); }
static inline float hard_swish(float x) { return x * clamp_f32(x / 6.0f + 0.5f, 0.0f, 1.0f); }
static inline float elu(float x, float alpha) { return select_f32(x < 0.0f, alpha * expm1_f32(x), x); }

/* The exponential's clamp loses a NaN; the quotient with x brings it back, sigmoid has to select it. */
static inline float swish(float x) { return x / (1.0f + exp_f32(-x)); }
static inline float sigmoid(float x) { return select_f32(x != x, x, 1.0f / (1.0f + exp_f32(-x))); }

/* (exp(2x) - 1) / (exp(2x) + 1) */
static inline float hyperbolic_tangent(float x)
{
    const float e = expm1_f32(2.0f * x);
    return select_f32(x != x, x, e / (e + 2.0f));
}

/* erf by formula 7.1.26 of Abramowitz and Stegun, "Handbook of Mathematical Functions": off by at most 1.5e-7. */
static inline float gelu(float x)
{
    const float z = x * 0.70710678f, size = select_f32(z < 0.0f, -z, z);
    const float t = 1.0f / (1.0f + 0.3275911f * size);
    float p = 1.061405429f;
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    const float rest = p * t * exp_f32(-(size * size)), erf = select_f32(z < 0.0f, rest - 1.0f, 1.0f - rest);
    return 0.5f * x * (1.0f + erf);
}

/* ----------------------------------------------------------------------------------------------- loops ---- */

/* One loop per function: the choice is made once, outside. */
static inline void activate(const oct_activation *f, size_t n, const float *in, float *out)
{
    const float alpha = f->alpha, beta = f->beta;
    switch (f->kind) {
    case OCT_ACT_LEAKY_RELU:
        for (size_t i = 0; i < n; i++)
            out[i] = leaky_relu(in[i], alpha);
        break;
    case OCT_ACT_ELU:
        for (size_t i = 0; i < n; i++)
            out[i] = elu(in[i], alpha);
        break;
    case OCT_ACT_HARD_SIGMOID:
        for (size_t i = 0; i < n; i++)
            out[i] = hard_sigmoid(in[i], alpha, beta);
        break;
    case OCT_ACT_HARD_SWISH:
        for (size_t i = 0; i < n; i++)
            out[i] = hard_swish(in[i]);
        break;
    case OCT_ACT_SIGMOID:
        for (size_t i = 0; i < n; i++)
            out[i] = sigmoid(in[i]);
        break;
    case OCT_ACT_SWISH:
        for (size_t i = 0; i < n; i++)
            out[i] = swish(in[i]);
        break;
    case OCT_ACT_TANH:
        for (size_t i = 0; i < n; i++)
            out[i] = hyperbolic_tangent(in[i]);
        break;
    case OCT_ACT_GELU:
        for (size_t i = 0; i < n; i++)
            out[i] = gelu(in[i]);
        break;
    case OCT_ACT_COUNT:
        break;
    }
}

#endif

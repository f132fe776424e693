/* Element functions: every ISA's loops against the definition in double, within the bound of kernels.h. */
#include <math.h>
#include <string.h>

#include "harness.h"
#include "kernels.h"

enum { COUNT = 4099 };

static double clamp(double x, double lo, double hi) { return x < lo ? lo : x > hi ? hi : x; }

static double exact(const oct_activation *f, double x)
{
    switch (f->kind) {
    case OCT_ACT_LEAKY_RELU: return x < 0 ? (double)f->alpha * x : x;
    case OCT_ACT_ELU: return x < 0 ? (double)f->alpha * expm1(x) : x;
    case OCT_ACT_HARD_SIGMOID: return clamp((double)f->alpha * x + (double)f->beta, 0, 1);
    case OCT_ACT_HARD_SWISH: return x * clamp(x / 6 + 0.5, 0, 1);
    case OCT_ACT_SIGMOID: return 1 / (1 + exp(-x));
    case OCT_ACT_SWISH: return x / (1 + exp(-x));
    case OCT_ACT_TANH: return tanh(x);
    case OCT_ACT_GELU: return 0.5 * x * erfc(-x / sqrt(2));
    case OCT_ACT_COUNT: break;
    }
    return NAN;
}

static oct_activation parameters(int kind)
{
    const bool hard = kind == OCT_ACT_HARD_SIGMOID;
    return (oct_activation){(oct_activation_kind)kind, hard ? 0.2f : kind == OCT_ACT_ELU ? 1.5f : 0.01f, 0.5f};
}

/* All sizes of numbers, both signs, dense where the functions bend. */
static void fill(float *in)
{
    static const float special[] = {0, -0.0f, 1, -1, 3, -3, 87, -87, 88.8f, -88.8f, 104, -104, 1e30f, -1e30f, 1e-30f, -1e-30f};
    for (int i = 0; i < COUNT; i++) {
        const float size = test_below(2) ? 10.0f : ldexpf(1, (int)test_below(60) - 40);
        in[i] = i < TEST_COUNT(special) ? special[i] : test_uniform(-size, size);
    }
}

static void within_the_bound(void)
{
    static float in[COUNT], out[COUNT + 1];
    fill(in);
    for (size_t i = 0; i < oct_isa_level_count(); i++) {
        const oct_kernels *k = oct_kernels_get(oct_isa_level_at(i)->name, ~0u);
        for (int kind = 0; k && kind < OCT_ACT_COUNT; kind++) {
            const oct_activation f = parameters(kind);
            const size_t n = COUNT - test_below(40);
            out[n] = 12345;
            k->activate_f32(&f, n, in, out);
            CHECK_MSG(out[n] == 12345, "%s, kind %d: written beyond %zu elements", k->isa, kind, n);
            for (size_t e = 0; e < n; e++) {
                const double x = (double)in[e], right = exact(&f, x);
                CHECK_MSG(fabs((double)out[e] - right) <= ldexp(fabs(right) + fmin(fabs(x), 1), -21),
                          "%s, kind %d: f(%.9g) is %.9g, not %.9g", k->isa, kind, x, (double)out[e], right);
            }
        }
    }
}

static void not_a_number_stays_so(void)
{
    float in[20], out[20];
    for (size_t i = 0; i < oct_isa_level_count(); i++) {
        const oct_kernels *k = oct_kernels_get(oct_isa_level_at(i)->name, ~0u);
        for (int kind = 0; k && kind < OCT_ACT_COUNT; kind++) {
            const oct_activation f = parameters(kind);
            for (int e = 0; e < 20; e++)
                in[e] = e % 3 ? 0.5f : NAN;
            k->activate_f32(&f, 20, in, out);
            k->activate_f32(&f, 20, in, in);
            for (int e = 0; e < 20; e++) {
                CHECK_MSG((out[e] != out[e]) == (e % 3 == 0 && kind != OCT_ACT_HARD_SIGMOID), "%s, kind %d: element %d is %g",
                          k->isa, kind, e, (double)out[e]);
                CHECK_MSG(!memcmp(&out[e], &in[e], 4) || out[e] != out[e], "%s, kind %d: in place gives %g, not %g", k->isa, kind,
                          (double)in[e], (double)out[e]);
            }
        }
    }
}

static const test_case cases[] = {
    {"within_the_bound", within_the_bound},
    {"not_a_number_stays_so", not_a_number_stays_so},
};

static void __attribute__((constructor)) add_suite(void) { test_register("activation", cases, TEST_COUNT(cases)); }

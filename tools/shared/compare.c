/* compare.c - errors between two sets of floats, computed in double so that the measure adds no error of its own. */
#include "compare.h"

#include <math.h>

void compare_start(comparison *c, double rtol, double atol)
{
    /* All sums and maxima start from 0. */
    *c = (comparison){.rtol = rtol, .atol = atol};
}

/* |y - ref|, with the rule for what is not finite. */
static double distance(double y, double ref)
{
    if (isnan(y) && isnan(ref))
        return 0;
    if (isinf(y) && isinf(ref))
        return signbit(y) == signbit(ref) ? 0 : INFINITY;
    const double d = fabs(y - ref);
    return isnan(d) ? INFINITY : d;
}

void compare_add(comparison *c, const float *y, const float *ref, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        const double r = (double)ref[i], d = distance((double)y[i], r), size = isfinite(r) ? fabs(r) : 0;
        /* fmax passes over NaN, but there is none left: distance has turned them into 0 or infinity. */
        c->max_abs = fmax(c->max_abs, d);
        if (size > 0)
            c->max_element_rel = fmax(c->max_element_rel, d / size);
        c->largest_ref = fmax(c->largest_ref, size);
        c->error_energy += d * d;
        c->ref_energy += size * size;
        c->beyond += d > c->atol + c->rtol * size;
    }
}

/* No error at all also where the reference is all zero. */
double compare_relative(const comparison *c)
{
    return c->max_abs > 0 ? c->max_abs / c->largest_ref : 0;
}

double compare_sqnr_db(const comparison *c)
{
    return c->error_energy > 0 ? 10 * log10(c->ref_energy / c->error_energy) : INFINITY;
}

/* One pass; a NaN anywhere spoils the order, so it ends the search. */
int64_t compare_argmax(const float *values, int64_t count)
{
    int64_t best = -1;
    for (int64_t i = 0; i < count; i++) {
        if (isnan(values[i]))
            return -1;
        if (best < 0 || values[i] > values[best])
            best = i;
    }
    return best;
}

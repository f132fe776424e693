/* add_grid.c - see add_grid.h. Everything here is exact in double: 24 bits times a power of two. */
#include "add_grid.h"

#include <math.h>

enum { SHIFT_MIN = 8, SHIFT_MAX = 22, SUM_MAX = 16447 };

/* The greatest shift with (|a| + |b|) * 2^shift <= SUM_MAX; less than SHIFT_MIN if there is none. */
static int greatest_shift(float a, float b)
{
    const double sum = fabs((double)a) + fabs((double)b);
    if (!(ldexp(sum, SHIFT_MIN) <= SUM_MAX))        /* not so for a NaN either */
        return SHIFT_MIN - 1;
    if (ldexp(sum, SHIFT_MAX) <= SUM_MAX)
        return SHIFT_MAX;
    /* 2^shift <= SUM_MAX / sum; the quotient may have been rounded up to a power of two. */
    const int shift = ilogb(SUM_MAX / sum);
    return ldexp(sum, shift) <= SUM_MAX ? shift : shift - 1;
}

/* The greatest shift at which the rounded multipliers are small enough. */
void oct_add_grid_round(float *a_mult, float *b_mult)
{
    for (int shift = SHIFT_MAX; shift >= SHIFT_MIN; shift--) {
        const double a = rint(ldexp((double)*a_mult, shift)), b = rint(ldexp((double)*b_mult, shift));
        if (fabs(a) + fabs(b) <= SUM_MAX) {
            *a_mult = (float)ldexp(a, -shift);
            *b_mult = (float)ldexp(b, -shift);
            return;
        }
    }
}

static bool is_near(float a, float b) { return fabs((double)a - (double)b) <= 0x1p-22 * fabs((double)b); }

/* Runs once per session. */
void oct_add_grid_snap(float *a_mult, float *b_mult)
{
    float a = *a_mult, b = *b_mult;
    oct_add_grid_round(&a, &b);
    if (!is_near(a, *a_mult) || !is_near(b, *b_mult))
        return;
    *a_mult = a;
    *b_mult = b;
}

bool oct_add_grid_find(float a_mult, float b_mult, oct_add_grid *grid)
{
    const int shift = greatest_shift(a_mult, b_mult);
    if (shift < SHIFT_MIN)
        return false;
    const double a = ldexp((double)a_mult, shift), b = ldexp((double)b_mult, shift);
    *grid = (oct_add_grid){(int32_t)a, (int32_t)b, shift};
    return (double)grid->a == a && (double)grid->b == b;
}

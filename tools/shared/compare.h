/* compare.h - how far one set of numbers lies from another, summed up over many samples. */
#ifndef TOOLS_COMPARE_H
#define TOOLS_COMPARE_H

#include <stdbool.h>
#include <stdint.h>

/* Running maxima and sums; every compare_add goes on from what is there. */
typedef struct comparison {
    double max_abs;           /* largest |y - ref| */
    double max_element_rel;   /* largest |y - ref| / |ref| of the elements whose ref is not 0 */
    double largest_ref;       /* largest |ref| */
    double error_energy, ref_energy;   /* sums of squares */
    int64_t beyond;           /* elements with |y - ref| > atol + rtol * |ref| */
    double rtol, atol;
} comparison;

void compare_start(comparison *c, double rtol, double atol);

/* Adds `count` elements. Equal infinities, and a NaN for a NaN, count as equal; any other non-finite pair as infinitely far. */
void compare_add(comparison *c, const float *y, const float *ref, int64_t count);

/* max_abs / largest_ref: the error on the scale of the data. 0 where there is no error. */
double compare_relative(const comparison *c);
/* 10 log10 (sum ref^2 / sum (y - ref)^2); infinite where there is no error. */
double compare_sqnr_db(const comparison *c);

/* The place of the largest number, the first of equals; -1 if one is NaN or there is none. */
int64_t compare_argmax(const float *values, int64_t count);

#endif

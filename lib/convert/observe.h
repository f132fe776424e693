/* observe.h - what is noted of one tensor while a sample runs through the float network. */
#ifndef OCT_OBSERVE_H
#define OCT_OBSERVE_H

#include "histogram.h"

/* Least and greatest of n numbers, both starting from 0. False if one of them is a NaN or an infinity. */
bool oct_observe_range(const float *x, size_t n, float *lo, float *hi);

/* Adds up each channel's numbers and squares over `rows` rows of `channels` numbers, `stride` rows apart. */
void oct_observe_moments(const float *x, size_t rows, size_t stride, size_t channels, float *sum, float *square);

/* Which rows of a tensor are looked at closely: all of a small one, a fixed number of a large one, other ones for each sample. */
typedef struct oct_row_choice {
    size_t first, stride, rows;
} oct_row_choice;

oct_row_choice oct_choose_rows(size_t rows, size_t channels, int64_t sample);

#endif

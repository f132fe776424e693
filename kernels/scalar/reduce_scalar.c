/* reduce_scalar.c - range of a tensor, softmax along rows, plain C: THE SPECIFICATION. */
#include <math.h>

#include "scalar.h"

/* The range calibration asks for, over every element of a tensor. A comparison with a NaN is false, so NaNs are passed over. */
void oct_minmax_f32_scalar(size_t n, const float *in, float *lo, float *hi)
{
    float least = INFINITY, greatest = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        least = in[i] < least ? in[i] : least;
        greatest = in[i] > greatest ? in[i] : greatest;
    }
    *lo = least;
    *hi = greatest;
}

/* Subtracting the row's maximum keeps every exponent <= 0: exp cannot overflow, and the sum is at least 1. in == out is allowed. A
 * row that holds a NaN, or +inf, or nothing but -inf has no softmax: its elements come out as NaN (or 0). */
void oct_softmax_f32_scalar(size_t rows, size_t cols, const float *in, float *out)
{
    for (size_t r = 0; r < rows; r++, in += cols, out += cols) {
        /* 1. The row's greatest element. */
        float max = -INFINITY, sum = 0.0f;
        for (size_t c = 0; c < cols; c++)
            max = in[c] > max ? in[c] : max;
        /* 2. Exponentials and their sum. */
        for (size_t c = 0; c < cols; c++) {
            out[c] = expf(in[c] - max);
            sum += out[c];
        }
        /* 3. Shares. */
        for (size_t c = 0; c < cols; c++)
            out[c] /= sum;
    }
}

/* The loops that calibration spends its time in; this file is compiled with more optimisation than its neighbours. */
#include "observe.h"

#include <float.h>

enum { BLOCK = 256, HALF = BLOCK / 2, QUARTER = BLOCK / 4 };

/* The ends so far, place by place; joined at the very end. */
typedef struct ends {
    float least[QUARTER], most[QUARTER];
    int odd;
} ends;

/* A minimum of floats may not be reordered by the compiler, so a block is folded over itself, place by place, which it can do with
 * vectors. The order of operands decides what a NaN does: in the upper half it stays in `low`, in the lower half in `high`. */
static void fold_block(const float *x, ends *e)
{
    float low[HALF], high[HALF];
    int odd = 0;
    for (int j = 0; j < HALF; j++) {
        low[j] = x[j] < x[j + HALF] ? x[j] : x[j + HALF];
        high[j] = x[j + HALF] > x[j] ? x[j + HALF] : x[j];
    }
    for (int j = 0; j < HALF; j++)
        odd |= (low[j] != low[j]) | (high[j] != high[j]);
    for (int j = 0; j < QUARTER; j++) {
        const float l = low[j] < low[j + QUARTER] ? low[j] : low[j + QUARTER];
        const float h = high[j] > high[j + QUARTER] ? high[j] : high[j + QUARTER];
        e->least[j] = l < e->least[j] ? l : e->least[j];
        e->most[j] = h > e->most[j] ? h : e->most[j];
    }
    e->odd |= odd;
}

/* Infinities show in the ends. */
bool oct_observe_range(const float *x, size_t n, float *lo, float *hi)
{
    ends e = {.odd = 0};
    size_t i = 0;
    *lo = *hi = 0;
    for (; i + BLOCK <= n; i += BLOCK)
        fold_block(x + i, &e);
    for (; i < n; i++) {
        e.least[0] = x[i] < e.least[0] ? x[i] : e.least[0];
        e.most[0] = x[i] > e.most[0] ? x[i] : e.most[0];
        e.odd |= x[i] != x[i];
    }
    for (int j = 0; j < QUARTER; j++) {
        *lo = e.least[j] < *lo ? e.least[j] : *lo;
        *hi = e.most[j] > *hi ? e.most[j] : *hi;
    }
    return !e.odd && *lo >= -FLT_MAX && *hi <= FLT_MAX;
}

void oct_observe_moments(const float *x, size_t rows, size_t stride, size_t channels, float *restrict sum, float *restrict square)
{
    for (size_t r = 0; r < rows; r++, x += stride * channels)
        for (size_t c = 0; c < channels; c++) {
            sum[c] += x[c];
            square[c] += x[c] * x[c];
        }
}

/* Enough numbers of a tensor and sample: a hundred samples then give millions. */
#define ENOUGH 32768

/* An odd stride visits every column of a picture whose width is a power of two, and a first row that moves with the sample visits
 * the rows between. */
oct_row_choice oct_choose_rows(size_t rows, size_t channels, int64_t sample)
{
    const size_t wanted = ENOUGH / channels > 0 ? ENOUGH / channels : 1;
    if (rows <= 2 * wanted)
        return (oct_row_choice){0, 1, rows};
    const size_t stride = rows / wanted | 1;
    const size_t first = (size_t)sample * 7 % stride;
    return (oct_row_choice){first, stride, (rows - first + stride - 1) / stride};
}

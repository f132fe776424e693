/* The loops that calibration spends its time in; this file is compiled with more optimisation than its neighbours. */
#include "observe.h"

#include <string.h>

enum { LANES = 64 };

/* Floats compare like integers once the bits of negative ones are turned round. Integers have no NaN that would make the
 * compiler keep the order of comparisons, so this becomes vector code; and NaNs end up beyond the infinities, so that one look at
 * the ends finds both. */
static int32_t ordered(int32_t bits) { return bits ^ ((bits >> 31) & 0x7fffffff); }

static float unordered(int32_t key)
{
    const int32_t bits = ordered(key);   /* its own inverse */
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

bool oct_observe_range(const float *x, size_t n, float *lo, float *hi)
{
    const int32_t infinity = 0x7f800000;
    int32_t least = 0, most = 0, bits[LANES];
    size_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        memcpy(bits, x + i, sizeof bits);
        for (int j = 0; j < LANES; j++) {
            const int32_t key = ordered(bits[j]);
            least = key < least ? key : least;
            most = key > most ? key : most;
        }
    }
    for (; i < n; i++) {
        memcpy(bits, x + i, sizeof *bits);
        least = ordered(bits[0]) < least ? ordered(bits[0]) : least;
        most = ordered(bits[0]) > most ? ordered(bits[0]) : most;
    }
    *lo = unordered(least);
    *hi = unordered(most);
    return most < infinity && least > ordered((int32_t)0xff800000u);
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

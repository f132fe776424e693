/* histogram.h - how often which numbers occurred, in memory that does not grow with how many there were.
 *
 *   -reach                0                reach
 *     | 0 | 1 | ...  |2047|2048| ...   |4095|        4096 bins of equal width, one border at 0
 *
 * reach is a power of two. When a number lies outside, reach doubles: bins join in pairs, and none is ever split or guessed.
 */
#ifndef OCT_HISTOGRAM_H
#define OCT_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OCT_BINS = 4096 };

typedef struct oct_histogram {
    double reach;                /* 0: nothing counted yet */
    int64_t total;
    int64_t count[OCT_BINS];
} oct_histogram;

/* Where numbers are counted before they join a histogram: several tables, so that equal neighbours do not wait for each other. */
typedef struct oct_tally {
    uint32_t count[4][OCT_BINS];
} oct_tally;

/* Makes room for numbers of up to this size; finite, >= 0. */
void oct_histogram_reach(oct_histogram *h, float most);
/* `rows` rows of n numbers; `step` numbers from one to the next. */
typedef struct oct_spaced_rows {
    const float *data;
    size_t rows, n, step;
} oct_spaced_rows;
/* Counts numbers, all within reach; `times` is 1, or -1 to take them out again. The tally is scratch memory, zero before and
 * after. */
void oct_histogram_add(oct_histogram *h, const oct_spaced_rows *x, int times, oct_tally *tally);
/* The number in the middle of a bin. */
double oct_histogram_middle(const oct_histogram *h, int bin);
/* At most `share` of all numbers lie below *lo, and at most as many above *hi (to the width of a bin). */
void oct_histogram_cut(const oct_histogram *h, double share, double *lo, double *hi);
/* The mean squared error of the counted numbers if they are stored as scale * (q - zero), q in 0..255. */
double oct_histogram_error(const oct_histogram *h, double scale, int zero);
/* The Kullback-Leibler divergence between the counted numbers, clipped to [lo, hi], and the same stored in 255 steps. */
double oct_histogram_divergence(const oct_histogram *h, double lo, double hi);

#endif

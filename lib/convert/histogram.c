/* Counting is the only part of calibration whose cost grows with the samples, so it is what is fast here: the bins of a block of
 * numbers are computed in a loop that compilers turn into vector code, then counted into four tables by turns. One table would
 * make every zero behind a Relu, and those are half of all numbers, wait for the one before. */
#include "histogram.h"

#include <math.h>

/* Numbers this close below reach could be rounded up onto it. */
#define ALMOST 0.999

void oct_histogram_reach(oct_histogram *h, float most)
{
    int exponent;
    if (h->reach == 0) {
        frexp(most > 0x1p-100f ? (double)most : 0x1p-100, &exponent);
        h->reach = ldexp(1, exponent);
    }
    /* A bin takes in its two halves; they lie towards the middle, so from there outwards nothing is overwritten unread. */
    while ((double)most >= ALMOST * h->reach) {
        enum { HALF = OCT_BINS / 2 };
        for (int i = 0; i < HALF; i++) {
            const bool inner = i < HALF / 2;
            h->count[HALF + i] = inner ? h->count[HALF + 2 * i] + h->count[HALF + 2 * i + 1] : 0;
            h->count[HALF - 1 - i] = inner ? h->count[HALF - 1 - 2 * i] + h->count[HALF - 2 - 2 * i] : 0;
        }
        h->reach *= 2;
    }
}

enum { BLOCK = 256 };

/* Which bins n <= BLOCK numbers belong to. |x| < 0.999 reach, so the sum lies in (2, 4094) and truncation is floor. */
static void bins_of(const float *x, size_t n, float per_unit, int32_t *bin)
{
    for (size_t i = 0; i < n; i++)
        bin[i] = (int32_t)(x[i] * per_unit + (float)(OCT_BINS / 2));
}

static void tally_block(const float *x, size_t n, float per_unit, oct_tally *tally)
{
    int32_t bin[BLOCK];
    size_t i = 0;
    bins_of(x, n, per_unit, bin);
    for (; i + 4 <= n; i += 4)
        for (size_t t = 0; t < 4; t++)
            tally->count[t][bin[i + t]]++;
    for (; i < n; i++)
        tally->count[0][bin[i]]++;
}

/* From the tables into the histogram. */
static void join_tally(oct_histogram *h, int times, oct_tally *tally)
{
    for (int b = 0; b < OCT_BINS; b++) {
        const uint32_t sum = tally->count[0][b] + tally->count[1][b] + tally->count[2][b] + tally->count[3][b];
        h->count[b] += times * (int64_t)sum;
    }
    *tally = (oct_tally){0};
}

/* The tables are worth it from some thousands of numbers on; joined every 2^30 numbers, their counters stay within 32 bits. */
void oct_histogram_add(oct_histogram *h, const oct_spaced_rows *x, int times, oct_tally *tally)
{
    const float per_unit = (float)(OCT_BINS / 2 / h->reach);
    const size_t all = x->rows * x->n;
    const bool few = all < 16 * BLOCK, dense = x->step == x->n;
    const size_t rows = dense ? 1 : x->rows, length = dense ? all : x->n;
    size_t waiting = 0;
    h->total += times * (int64_t)all;
    for (size_t r = 0; r < rows; r++) {
        const float *row = x->data + r * x->step;
        for (size_t i = 0; few && i < length; i++)
            h->count[(int32_t)(row[i] * per_unit + (float)(OCT_BINS / 2))] += times;
        for (size_t i = 0; !few && i < length; i += BLOCK) {
            const size_t n = length - i < BLOCK ? length - i : BLOCK;
            tally_block(row + i, n, per_unit, tally);
            waiting += n;
            if (waiting >= (size_t)1 << 30) {
                join_tally(h, times, tally);
                waiting = 0;
            }
        }
    }
    if (waiting > 0)
        join_tally(h, times, tally);
}

double oct_histogram_middle(const oct_histogram *h, int bin) { return h->reach * ((bin + 0.5) / (OCT_BINS / 2) - 1); }

void oct_histogram_cut(const oct_histogram *h, double share, double *lo, double *hi)
{
    const double most = share * (double)h->total, width = h->reach / (OCT_BINS / 2);
    int first = 0, last = OCT_BINS - 1;
    int64_t below = h->count[first], above = h->count[last];
    while (first < OCT_BINS - 1 && (double)below <= most)
        below += h->count[++first];
    while (last > 0 && (double)above <= most)
        above += h->count[--last];
    *lo = first * width - h->reach;
    *hi = (last + 1) * width - h->reach;
}

/* Each bin's numbers are taken as spread evenly over it; within a bin they are rounded the same way, since a bin is narrower than
 * a step unless the range is tiny. */
double oct_histogram_error(const oct_histogram *h, double scale, int zero)
{
    double sum = 0;
    for (int b = 0; b < OCT_BINS; b++) {
        if (h->count[b] == 0)
            continue;
        const double x = oct_histogram_middle(h, b);
        double q = nearbyint(x / scale) + zero;
        q = q < 0 ? 0 : q > 255 ? 255 : q;
        const double error = x - scale * (q - zero);
        sum += (double)h->count[b] * error * error;
    }
    return h->total > 0 ? sum / (double)h->total : 0;
}

/* ---------------------------------------------------------------------------------------------- divergence ---- */

/* Bins of the candidate: [begin, end), and what was outside of it on either side joins the outermost ones. */
typedef struct clipped {
    const oct_histogram *h;
    int begin, end;
    int64_t below, above;
} clipped;

/* Zeros are represented exactly, and behind a Relu they are half of all numbers: spread over their step they would outweigh all
 * else. So their bin counts like the one next to it, if that is less. */
static int64_t plain_count(const oct_histogram *h, int bin)
{
    enum { ZERO = OCT_BINS / 2 };
    return bin == ZERO && h->count[ZERO + 1] < h->count[ZERO] ? h->count[ZERO + 1] : h->count[bin];
}

static int64_t clipped_count(const clipped *c, int bin)
{
    return plain_count(c->h, bin) + (bin == c->begin ? c->below : 0) + (bin == c->end - 1 ? c->above : 0);
}

/* One step's share of the sum. Stored, its numbers (those that were not clipped) can no longer be told apart: they are spread
 * evenly over those of its bins that were not empty. */
static double step_divergence(const clipped *c, int begin, int end, double total, double inside)
{
    double stored = 0, sum = 0;
    int filled = 0;
    for (int b = begin; b < end; b++) {
        stored += (double)plain_count(c->h, b);
        filled += clipped_count(c, b) > 0;
    }
    for (int b = begin; b < end; b++) {
        const double p = (double)clipped_count(c, b) / total;
        /* A bin that holds nothing but clipped numbers has no counterpart: as if a ten-thousandth of them had been stored. */
        const double q = fmax(stored / filled / inside, p * 1e-4);
        if (p > 0)
            sum += p * log(p / q);
    }
    return sum;
}

double oct_histogram_divergence(const oct_histogram *h, double lo, double hi)
{
    const double per_unit = OCT_BINS / 2 / h->reach;
    clipped c = {.h = h};
    c.begin = (int)fmax(floor((lo + h->reach) * per_unit), 0);
    c.end = (int)fmin(ceil((hi + h->reach) * per_unit), OCT_BINS);
    for (int b = 0; b < c.begin; b++)
        c.below += plain_count(h, b);
    for (int b = c.end; b < OCT_BINS; b++)
        c.above += plain_count(h, b);
    const double total = (double)(h->total - h->count[OCT_BINS / 2] + plain_count(h, OCT_BINS / 2));
    const double inside = total - (double)(c.below + c.above), bins = c.end - c.begin;
    if (inside <= 0 || bins <= 0)
        return INFINITY;
    double sum = 0;
    for (int s = 0; s < 256; s++) {
        const int begin = c.begin + (int)(bins * s / 256), end = c.begin + (int)(bins * (s + 1) / 256);
        sum += step_divergence(&c, begin, end, total, inside);
    }
    return sum;
}

#include "winograd_bound.h"

#include <math.h>
#include <stdlib.h>

#include "winograd.h"

enum { SIDE = 6, POSITIONS = 36 };

/* Which outputs per side, and their matrices: B' and A' of F(2,3), F(3,3), F(4,3) on positions 0..5; missing rows are zeros. */
typedef struct algorithm {
    double input[SIDE][SIDE], output[4][SIDE];
} algorithm;

static const algorithm algorithms[3] = {
    {.input = {{4, 0, -4, 0}, {0, -3, -3, 0}, {0, 3, -3, 0}, {0}, {0}, {0, -1, 0, 1}}, .output = {{1, 1, 1}, {0, 1, -1, 0, 0, 1}}},
    {.input = {{4, -2, -4, 2}, {0, -6, -3, 3}, {0, 2, -3, 1}, {0, -4, 0, 4}, {0}, {0, 2, -1, -2, 1}},
     .output = {{1, 1, 1, 1}, {0, 1, -1, 2}, {0, 1, 1, 4, 0, 1}}},
    {.input = {{4, 0, -5, 0, 1}, {0, -4, -4, 1, 1}, {0, 4, -4, -1, 1}, {0, -2, -1, 2, 1}, {0, 2, -1, -2, 1}, {0, 4, 0, -5, 0, 1}},
     .output = {{1, 1, 1, 1, 1}, {0, 1, -1, 2, -2}, {0, 1, 1, 4, 4}, {0, 1, -1, 8, -8, 1}}},
};

static const double weights[SIDE][3] = {{1.0 / 4}, {-1.0 / 6, -1.0 / 6, -1.0 / 6}, {-1.0 / 6, 1.0 / 6, -1.0 / 6},
                                        {1.0 / 24, 1.0 / 12, 1.0 / 6}, {1.0 / 24, -1.0 / 12, 1.0 / 6}, {0, 0, 1}};

static const algorithm *algorithm_of(oct_winograd_span span) { return &algorithms[span.size - 2]; }

/* |G g G'| of one channel pair; taps are `step` apart. */
static void weight_sizes(const float *g, size_t step, double u[POSITIONS])
{
    for (size_t p = 0; p < POSITIONS; p++) {
        double sum = 0;
        for (size_t k = 0; k < 9; k++)
            sum += weights[p / SIDE][k / 3] * weights[p % SIDE][k % 3] * (double)g[k * step];
        u[p] = fabs(sum);
    }
}

/* |B'| |d| |B| of one channel of one tile. */
static void input_sizes(const oct_conv_shape *s, const float *in, size_t image, oct_winograd_span y, oct_winograd_span x, size_t c,
                        double v[POSITIONS])
{
    for (size_t p = 0; p < POSITIONS; p++)
        v[p] = 0;
    for (size_t k = 0; k < (y.size + 2) * (x.size + 2); k++) {
        const size_t i = k / (x.size + 2), j = k % (x.size + 2);
        const size_t row = y.begin + i - s->pad_top, col = x.begin + j - s->pad_left;
        if (row >= s->in_h || col >= s->in_w)
            continue;
        const double d = fabs((double)in[((image * s->in_h + row) * s->in_w + col) * s->in_c + c]);
        for (size_t p = 0; p < POSITIONS; p++)
            v[p] += fabs(algorithm_of(y)->input[p / SIDE][i] * algorithm_of(x)->input[p % SIDE][j]) * d;
    }
}

/* All outputs of one tile. u: [out_c][in_c][36], v: [in_c][36]. */
static void tile_sizes(const oct_conv_shape *s, const double *u, const double *v, size_t image, oct_winograd_span y,
                       oct_winograd_span x, double *sizes)
{
    for (size_t o = 0; o < s->out_c; o++) {
        double m[POSITIONS] = {0};
        for (size_t i = 0; i < s->in_c * POSITIONS; i++)
            m[i % POSITIONS] += u[o * s->in_c * POSITIONS + i] * v[i];
        for (size_t k = 0; k < y.size * x.size; k++) {
            const size_t row = y.begin + k / x.size, col = x.begin + k % x.size;
            double sum = 0;
            for (size_t p = 0; p < POSITIONS; p++)
                sum += fabs(algorithm_of(y)->output[k / x.size][p / SIDE] * algorithm_of(x)->output[k % x.size][p % SIDE]) * m[p];
            if (row < s->out_h && col < s->out_w)
                sizes[((image * s->out_h + row) * s->out_w + col) * s->out_c + o] = sum;
        }
    }
}

double *winograd_sizes(const oct_conv_shape *s, const float *in, const float *w)
{
    const size_t tiles_y = (s->out_h + 3) / 4, tiles_x = (s->out_w + 3) / 4;
    double *u = malloc(s->out_c * s->in_c * POSITIONS * sizeof *u), *v = malloc(s->in_c * POSITIONS * sizeof *v);
    double *sizes = malloc(s->batch * s->out_h * s->out_w * s->out_c * sizeof *sizes);
    for (size_t i = 0; i < s->out_c * s->in_c; i++)
        weight_sizes(w + i / s->in_c * 9 * s->in_c + i % s->in_c, s->in_c, u + i * POSITIONS);
    for (size_t t = 0; t < s->batch * tiles_y * tiles_x; t++) {
        const size_t image = t / (tiles_y * tiles_x);
        const oct_winograd_span y = oct_winograd_cut(s->out_h, t / tiles_x % tiles_y), x = oct_winograd_cut(s->out_w, t % tiles_x);
        for (size_t c = 0; c < s->in_c; c++)
            input_sizes(s, in, image, y, x, c, v + c * POSITIONS);
        tile_sizes(s, u, v, image, y, x, sizes);
    }
    free(u);
    free(v);
    return sizes;
}

double winograd_factor(const oct_conv_shape *s) { return ((double)s->in_c + 32.0) * 1.1920928955078125e-7; }

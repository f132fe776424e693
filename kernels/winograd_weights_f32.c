/* winograd_weights_f32.c - 3x3 float weights -> 36 numbers each, in panels.
 *
 *              |  1/4     0     0  |     point 0
 *              | -1/6  -1/6  -1/6  |           1
 *   U = G g G' | -1/6   1/6  -1/6  | = G      -1         rows 0 1 2 . . 5 are those of F(2,3), rows 0 1 2 3 . 5 those of F(3,3), but for
 *              |  1/24  1/12  1/6  |           2         factors that their input transforms bring along
 *              |  1/24 -1/12  1/6  |          -2
 *              |   0      0    1   |     infinity
 *
 * Computed in double and rounded once: it costs a load some milliseconds and keeps the weights' part of the error at half a unit.
 */
#include "winograd.h"

#include <string.h>

enum { SIDE = OCT_WINOGRAD_SIDE, POSITIONS = OCT_WINOGRAD_POSITIONS };

/* So many channels of so many columns are transformed side by side: the loops over channels become vectors, and the results
 * u[36][COLUMNS][LANES] stay near until they are transposed into their panel. */
enum { LANES = 16, COLUMNS = 16 };

typedef struct lanes {
    double x[LANES];
} lanes;

/* One side: three numbers, `step` apart, become six. */
static void transform(const lanes *g, size_t step, lanes out[SIDE])
{
    for (size_t l = 0; l < LANES; l++) {
        const double g0 = g[0].x[l], odd = g[step].x[l], g2 = g[2 * step].x[l];
        const double even = g0 + g2, far_even = g0 + 4 * g2, far_odd = 2 * odd;
        out[0].x[l] = g0 * (1.0 / 4);
        out[1].x[l] = (even + odd) * (-1.0 / 6);
        out[2].x[l] = (even - odd) * (-1.0 / 6);
        out[3].x[l] = (far_even + far_odd) * (1.0 / 24);
        out[4].x[l] = (far_even - far_odd) * (1.0 / 24);
        out[5].x[l] = g2;
    }
}

/* `count` channels of one column. w: taps `step` apart; u: positions COLUMNS * LANES apart. */
static void transform_kernels(const float *w, size_t step, size_t count, float *u)
{
    lanes g[9] = {{{0}}}, half[3][SIDE], row[3], whole[SIDE];
    for (size_t i = 0; i < 9; i++)
        for (size_t l = 0; l < count; l++)
            g[i].x[l] = (double)w[i * step + l];
    for (size_t x = 0; x < 3; x++)
        transform(g + x, 3, half[x]);             /* columns of g */
    for (size_t i = 0; i < SIDE; i++) {
        for (size_t x = 0; x < 3; x++)
            row[x] = half[x][i];
        transform(row, 1, whole);
        for (size_t j = 0; j < SIDE; j++)
            for (size_t l = 0; l < LANES; l++)
                u[(i * SIDE + j) * COLUMNS * LANES + l] = (float)whole[j].x[l];
    }
}

/* One panel, a block of columns and channels at a time. w: its first column. */
static void pack_panel(const oct_packed *packed, const oct_panel *p, const float *w, float *to)
{
    float u[POSITIONS * COLUMNS * LANES];
    const size_t k = packed->k, nr = p->entry->nr;
    for (size_t c = 0; c < p->n; c += COLUMNS)
        for (size_t i = 0; i < k; i += LANES) {
            const size_t columns = p->n - c < COLUMNS ? p->n - c : COLUMNS, count = k - i < LANES ? k - i : LANES;
            for (size_t r = 0; r < columns; r++)
                transform_kernels(w + (c + r) * 9 * k + i, k, count, u + r * LANES);
            for (size_t position = 0; position < POSITIONS; position++)
                oct_pack_words(packed, columns, count, u + position * COLUMNS * LANES, LANES, to + (position * k + i) * nr + c, nr);
        }
}

/* kr is 1 in every f32 panel. Columns beyond the last are zeros. */
void oct_winograd_pack_f32(oct_packed *packed, const float *w, void *data)
{
    const size_t panels = oct_panel_count(packed->variants, packed->n), k = packed->k;
    const size_t bytes = oct_packed_bytes(packed->variants, packed->n, packed->taps, k);
    if (bytes != packed->n * POSITIONS * k * sizeof(float))
        memset(data, 0, bytes);
    for (size_t index = 0; index < panels; index++) {
        const oct_panel p = oct_panel_at(packed, index);
        pack_panel(packed, &p, w + p.n0 * 9 * k, (float *)data + p.offset / sizeof(float));
    }
    packed->data = data;
}

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

/* One side: three numbers, `step` apart, become six. */
static void transform(const double *g, size_t step, double out[SIDE])
{
    const double even = g[0] + g[2 * step], odd = g[step];
    const double far_even = g[0] + 4 * g[2 * step], far_odd = 2 * odd;
    out[0] = g[0] / 4;
    out[1] = -(even + odd) / 6;
    out[2] = -(even - odd) / 6;
    out[3] = (far_even + far_odd) / 24;
    out[4] = (far_even - far_odd) / 24;
    out[5] = g[2 * step];
}

/* One channel pair. w: taps `step` apart; u: positions `to_step` apart. */
static void transform_kernel(const float *w, size_t step, float *u, size_t to_step)
{
    double g[9], half[3][SIDE], whole[SIDE];
    for (size_t i = 0; i < 9; i++)
        g[i] = (double)w[i * step];
    for (size_t x = 0; x < 3; x++)
        transform(g + x, 3, half[x]);             /* columns of g */
    for (size_t i = 0; i < SIDE; i++) {
        const double row[3] = {half[0][i], half[1][i], half[2][i]};
        transform(row, 1, whole);
        for (size_t j = 0; j < SIDE; j++)
            u[(i * SIDE + j) * to_step] = (float)whole[j];
    }
}

/* kr is 1 in every f32 panel. */
void oct_winograd_pack_f32(oct_packed *packed, const float *w, void *data)
{
    const size_t panels = oct_panel_count(packed->variants, packed->n), k = packed->k;
    memset(data, 0, oct_packed_bytes(packed->variants, packed->n, packed->taps, k));
    for (size_t index = 0; index < panels; index++) {
        const oct_panel p = oct_panel_at(packed, index);
        const size_t nr = p.entry->nr;
        float *to = (float *)data + p.offset / sizeof(float);
        for (size_t i = 0; i < k; i++)
            for (size_t c = 0; c < p.n; c++)
                transform_kernel(w + (p.n0 + c) * 9 * k + i, k, to + i * nr + c, k * nr);
    }
    packed->data = data;
}

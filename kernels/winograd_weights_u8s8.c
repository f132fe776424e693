/* winograd_weights_u8s8.c - exact integer Winograd F(4x4,3x3): why it gives the same bits as the direct kernels, and its weights.
 *
 * Lavin and Gray's F(4,3) with all fractions moved into one factor. Along one side, with the integer rows of A' and B' that
 * winograd_u8s8_scalar.c draws and G as drawn below,
 *
 *     A' [(G g) . (B' d)] = 24 (g * d)       so in two dimensions       A' [(G g G') . (B' d B)] A = 576 (g * d),  576 = 64 * 9
 *
 * and the same holds for F(3,3) and F(2,3) on the rows of G that they use.
 *
 *   step        what                                      largest size                          kept in
 *   input       q, a pixel's byte                         255                                   u8
 *               B' q B                                    90 * 255 = 22,950               (a)   s16, exact
 *   weights     w                                         127                                   s8
 *               G w G'                                    144 * 127 = 18,288              (b)   s16, exact
 *   products    a pair of them, V0 U0 + V1 U1             2 * 22,950 * 18,288 < 2^30            s32, exact
 *               the sum over all channels                 any                                   s32, modulo 2^32
 *   output      A' M A = 576 Y                            any                                   s32, modulo 2^32
 *               times 0x38E38E39, the inverse of 9:       64 Y, < 2^31 if |Y| < 2^25            s32, exact again
 *               >> 6                                      Y                                     s32, exact
 *
 * (a) A 2-D kernel with sum P of its positive and -Q of its negative entries gives at most 255 max(P, Q) on bytes: 68 * 255 for
 *     those of F(4x4), 90 * 255 for F(3x3), 78 * 255 for F(4x3), less with F(2,3).
 * (b) Sums of |G| along its rows: 6 12 12 7 7 12. By right the last row would be (0 0 24), and 24 * 24 * 127 does not fit s16: it is
 *     halved, and the output transform of F(4,3), or the input transform of F(3,3) and F(2,3), doubles it.
 *
 * Why wrapping does no harm.  Sums, differences and products of integers are the same modulo 2^32 whether or not one reduces on the
 * way: the words of M and all after them are right modulo 2^32, whatever they look like. 9 is odd and so has an inverse:
 * 9 * 0x38E38E39 = 2^33 + 1. The word after that multiplication is congruent to 64 Y; of all congruent numbers, 2^32 apart, a signed
 * word is the one in [-2^31, 2^31):
 *
 *        64 Y - 2^32         [-2^31      64 Y      2^31)     64 Y + 2^32          64 Y lies inside whenever -2^25 <= Y < 2^25
 *     --------o----------------[----------o---------)------------o------->
 *
 * oct_winograd_provable is that condition, for one output channel and every input. A layer with a channel that fails it is computed
 * directly.
 *
 * Bias and zero point.  Position (1,1) enters every output of every tile with factor 1 (column 1 of A' is all ones). It starts at
 * 576 * (bias - zero * sum w) modulo 2^32, the direct kernels' acc_bias times 576; so q need not lose its zero point first, and
 * Y = sum (q - zero) w + bias.
 */
#include "winograd.h"

#include <string.h>

enum { SIDE = OCT_WINOGRAD_SIDE, POSITIONS = OCT_WINOGRAD_POSITIONS, TAPS = 9 };

/* The extremes of sum (q - zero) w + bias over all q in 0..255: each q is 255 where it helps, and 0 elsewhere. */
bool oct_winograd_provable(const int8_t *w, size_t count, int32_t bias, uint8_t zero)
{
    const int64_t limit = (int64_t)1 << 25;
    int64_t positive = 0, negative = 0;
    for (size_t i = 0; i < count; i++) {
        positive += w[i] > 0 ? w[i] : 0;
        negative += w[i] < 0 ? -w[i] : 0;
    }
    const int64_t most = bias + (255 - zero) * positive + zero * negative;
    const int64_t least = bias - (255 - zero) * negative - zero * positive;
    return most < limit && least >= -limit;
}

/* So many channels of so many columns are transformed side by side: the loops over channels become vectors, and the results
 * u[36][COLUMNS][LANES] stay near until their pairs are transposed into their panel. */
enum { LANES = 32, COLUMNS = 16 };

typedef struct lanes {
    int16_t x[LANES];
} lanes;

/* One side: three numbers, `step` apart, become six.        G:   6  0  0       1  2  4
 *                                                               -4 -4 -4       1 -2  4
 *                                                               -4  4 -4       0  0 12
 * From |g| <= 12 * 127 at most no step leaves s16: 12 * 12 * 127 = 18,288. */
static void transform(const lanes *g, size_t step, lanes out[SIDE])
{
    for (size_t l = 0; l < LANES; l++) {
        const int g0 = g[0].x[l], g1 = g[step].x[l], g2 = g[2 * step].x[l];
        out[0].x[l] = (int16_t)(6 * g0);
        out[1].x[l] = (int16_t)(-4 * (g0 + g1 + g2));
        out[2].x[l] = (int16_t)(-4 * (g0 - g1 + g2));
        out[3].x[l] = (int16_t)(g0 + 2 * g1 + 4 * g2);
        out[4].x[l] = (int16_t)(g0 - 2 * g1 + 4 * g2);
        out[5].x[l] = (int16_t)(12 * g2);
    }
}

/* `count` channels of one column, and zeros for the rest. w: taps `step` apart; u: positions COLUMNS * LANES apart. */
static void transform_kernels(const int8_t *w, size_t step, size_t count, int16_t *u)
{
    lanes g[TAPS] = {{{0}}}, half[3][SIDE], row[3], whole[SIDE];
    for (size_t i = 0; i < TAPS; i++)
        for (size_t l = 0; l < count; l++)
            g[i].x[l] = w[i * step + l];
    for (size_t x = 0; x < 3; x++)
        transform(g + x, 3, half[x]);             /* columns of g */
    for (size_t i = 0; i < SIDE; i++) {
        for (size_t x = 0; x < 3; x++)
            row[x] = half[x][i];
        transform(row, 1, whole);
        for (size_t j = 0; j < SIDE; j++)
            memcpy(u + (i * SIDE + j) * COLUMNS * LANES, whole[j].x, sizeof whole[j].x);
    }
}

/* `count` channels of some columns at one position, from u[COLUMNS][LANES] to [ceil(count / kr)][nr][kr]. Pairs are words of 4 bytes. */
static void pack_block(const oct_packed *packed, const oct_panel *p, size_t columns, size_t count, const int16_t *u, int16_t *to)
{
    const size_t nr = p->entry->nr, kr = p->entry->kr;
    if (kr == 2) {
        oct_pack_words(packed, columns, (count + 1) / 2, u, LANES / 2, to, nr);
        return;
    }
    for (size_t l = 0; l < count; l++)
        for (size_t c = 0; c < columns; c++)
            to[l / kr * kr * nr + c * kr + l % kr] = u[c * LANES + l];
}

/* One panel's transformed weights: [36][ceil(k / kr)][nr][kr], s16; kr divides LANES. Column c of this panel is w + c * 9 * k. */
static void pack_transformed(const oct_packed *packed, const oct_panel *p, const int8_t *w, int16_t *to)
{
    int16_t u[POSITIONS * COLUMNS * LANES];
    const size_t k = packed->k, nr = p->entry->nr, kr = p->entry->kr, position_size = (k + kr - 1) / kr * kr * nr;
    for (size_t c = 0; c < p->n; c += COLUMNS)
        for (size_t i = 0; i < k; i += LANES) {
            const size_t columns = p->n - c < COLUMNS ? p->n - c : COLUMNS, count = k - i < LANES ? k - i : LANES;
            for (size_t r = 0; r < columns; r++)
                transform_kernels(w + (c + r) * TAPS * k + i, k, count, u + r * LANES);
            for (size_t position = 0; position < POSITIONS; position++)
                pack_block(packed, p, columns, count, u + position * COLUMNS * LANES, to + position * position_size + i * nr + c * kr);
        }
}

/* Plain weights are what pack.c does for nine taps. Transformed ones take the same panels, cut for twice 36 taps of one byte. */
void oct_winograd_pack_u8s8(oct_packed *packed, const int8_t *w, void *data)
{
    const size_t panels = oct_panel_count(packed->variants, packed->n), k = packed->k;
    if (packed->taps == TAPS) {
        oct_pack_u8s8(packed, w, data);
        return;
    }
    const size_t bytes = oct_packed_bytes(packed->variants, packed->n, packed->taps, k);
    if (bytes != packed->n * POSITIONS * k * sizeof(int16_t))
        memset(data, 0, bytes);
    for (size_t index = 0; index < panels; index++) {
        const oct_panel p = oct_panel_at(packed, index);
        pack_transformed(packed, &p, w + p.n0 * TAPS * k, (int16_t *)data + p.offset / sizeof(int16_t));
    }
    packed->data = data;
}

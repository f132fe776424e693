/* winograd_u8s8_scalar.c - exact integer Winograd, plain C: what its twins do, step by step. They agree in every word of V, U and
 * M, and in every bit of the output with the direct convolution of gemm_u8s8_scalar.c. kernels.h and winograd.h say what goes
 * where, winograd_weights_u8s8.c proves that no step loses anything.
 *
 *         B' of F(4,3)              B' of F(3,3)          B' of F(2,3)      A' of F(4,3)        F(3,3)            F(2,3)
 *    0    4  0 -5  0  1  0           4 -2 -4  2  0         4  0 -4  0       1 1  1 1  1 0       1 1  1 1 . 0      1 1  1 . . 0
 *    1    0 -4 -4  1  1  0           0 -6 -3  3  0         0 -3 -3  0       0 1 -1 2 -2 0       0 1 -1 2 . 0      0 1 -1 . . 1
 *    2    0  4 -4 -1  1  0           0  2 -3  1  0         0  3 -3  0       0 1  1 4  4 0       0 1  1 4 . 1
 *    3    0 -2 -1  2  1  0           0 -4  0  4  0         .                0 1 -1 8 -8 2
 *    4    0  2 -1 -2  1  0           .                     .
 *    5    0  4  0 -5  0  1           0  4 -2 -4  2         0 -2  0  2
 *
 * Row 0 of B' in F(4,3) is 4 (d0 - d2) + (d4 - d2) and row 5 is (d5 - d3) - 4 (d3 - d1): 17 additions and shifts for six numbers.
 */
#include <string.h>
#include "epilogue_scalar.h"
#include "scalar.h"

enum { SIDE = 6, COLUMNS = 8, ROWS = 4 };

/* ------------------------------------------------------------------------------------------ one side ---- */

/* B' d: `size` + 2 numbers, `step` apart -> positions 0, 1, 2, (3, (4,)) 5. From bytes: at most 10 * 255; twice: 22,950. */
static void input_side(size_t size, const int *d, size_t step, int v[SIDE])
{
    const int d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step];
    const int odd = d3 - d1;
    if (size == 4) {
        const int d4 = d[4 * step], d5 = d[5 * step];
        const int a = d4 - 4 * d2, b = d3 - 4 * d1, even = d4 - d2;
        v[0] = 4 * (d0 - d2) + even;
        v[1] = a + b;
        v[2] = a - b;
        v[3] = even + 2 * odd;
        v[4] = even - 2 * odd;
        v[5] = d5 - d3 - 4 * odd;
    } else if (size == 3) {
        const int d4 = d[4 * step];
        v[0] = 4 * (d0 - d2) + 2 * odd;
        v[1] = 3 * (d3 - d2) - 6 * d1;
        v[2] = d3 + 2 * d1 - 3 * d2;
        v[3] = 4 * odd;
        v[5] = 2 * (d4 - d2) - 4 * odd;
    } else {
        v[0] = 4 * (d0 - d2);
        v[1] = -3 * (d1 + d2);
        v[2] = 3 * (d1 - d2);
        v[5] = 2 * odd;
    }
}

/* A' m: positions, `step` apart -> `size` numbers, modulo 2^32. */
static void output_side(size_t size, const uint32_t *m, size_t step, uint32_t o[4])
{
    const uint32_t m5 = m[5 * step];
    const uint32_t p = m[step] + m[2 * step], q = m[step] - m[2 * step];
    if (size == 4) {
        const uint32_t r = m[3 * step] + m[4 * step], t = m[3 * step] - m[4 * step];
        o[0] = m[0] + p + r;
        o[1] = q + 2 * t;
        o[2] = p + 4 * r;
        o[3] = q + 2 * (4 * t + m5);
    } else if (size == 3) {
        const uint32_t m3 = m[3 * step];
        o[0] = m[0] + p + m3;
        o[1] = q + 2 * m3;
        o[2] = p + 4 * m3 + m5;
    } else {
        o[0] = m[0] + p;
        o[1] = q + m5;
    }
}

/* Whether F(size, 3) has position i; and the class of i. */
static bool takes(size_t size, size_t i) { return i < 3 || i == 5 || (i == 3 && size >= 3) || (i == 4 && size == 4); }
static size_t class_of(size_t i) { return i == 3 ? 1 : i == 4 ? 2 : 0; }

/* The tile's row of V or M at position (i, j). */
static void *at(const oct_winograd_tile *tile, const void *first, size_t position_bytes, size_t row_bytes, size_t i, size_t j)
{
    return (char *)first + (i * SIDE + j) * position_bytes + tile->slot[class_of(i)][class_of(j)] * row_bytes;
}

/* ----------------------------------------------------------------------------------- input transform ---- */

/* One channel of a tile: d, [6][6] -> t, the columns transformed -> V, the rows too. */
static void input_channel(const oct_winograd_input *job, const int *d, size_t c)
{
    const oct_winograd_tile *tile = job->tile;
    int t[SIDE * SIDE] = {0}, v[SIDE] = {0};
    /* 1. Down the columns. */
    for (size_t x = 0; x < tile->cols + 2; x++) {
        input_side(tile->rows, d + x, SIDE, v);
        for (size_t i = 0; i < SIDE; i++)
            if (takes(tile->rows, i))
                t[i * SIDE + x] = v[i];
    }
    /* 2. Along the rows, and away. */
    for (size_t i = 0; i < SIDE; i++) {
        if (!takes(tile->rows, i))
            continue;
        input_side(tile->cols, t + i * SIDE, 1, v);
        for (size_t j = 0; j < SIDE; j++)
            if (takes(tile->cols, j))
                ((int16_t *)at(tile, job->v, job->position_bytes, job->row_bytes, i, j))[c] = (int16_t)v[j];
    }
}

void oct_winograd_input_u8s8_scalar(const oct_winograd_input *job)
{
    int d[SIDE * SIDE];
    for (size_t c = 0; c < job->row_bytes / sizeof(int16_t); c++) {
        /* Channels that do not exist, up to the row's end, are zeros: so are all their sums. */
        memset(d, 0, sizeof d);
        for (size_t y = 0; c < job->c && y < job->tile->rows + 2; y++)
            for (size_t x = 0; x < job->tile->cols + 2; x++)
                d[y * SIDE + x] = ((const uint8_t *)job->pixels[y * SIDE + x])[c];
        input_channel(job, d, c);
    }
}

/* ---------------------------------------------------------------------------------- output transform ---- */

/* 576 Y modulo 2^32 -> Y. The division by 64 is exact, and written so that it does not depend on how a compiler shifts signed
 * numbers. */
static int32_t divided(uint32_t sum)
{
    const uint32_t word = sum * 0x38E38E39u;
    const int64_t exact = word < 0x80000000u ? (int64_t)word : (int64_t)word - ((int64_t)1 << 32);
    return (int32_t)(exact / 64);
}

/* A column of the panel: M -> t, the rows transformed -> y, [4][4]. */
static void output_column(const oct_winograd_output *job, size_t c, int32_t y[4][4])
{
    const oct_winograd_tile *tile = job->tile;
    uint32_t m[SIDE] = {0}, t[SIDE * 4] = {0}, o[4];
    /* 1. Along the rows of M. */
    for (size_t i = 0; i < SIDE; i++) {
        if (!takes(tile->rows, i))
            continue;
        for (size_t j = 0; j < SIDE; j++)
            if (takes(tile->cols, j))
                m[j] = ((const uint32_t *)at(tile, job->m, job->position_bytes, job->row_bytes, i, j))[c];
        output_side(tile->cols, m, 1, t + i * 4);
    }
    /* 2. Down the columns: pixels. */
    for (size_t x = 0; x < tile->cols; x++) {
        output_side(tile->rows, t + x, 4, o);
        for (size_t i = 0; i < tile->rows; i++)
            y[i][x] = divided(o[i]);
    }
}

/* 3. Column by column through the epilogue of the direct kernels, one output at a time. */
void oct_winograd_output_u8s8_scalar(const oct_winograd_output *job)
{
    const size_t size = job->e.out_elem == OCT_ELEM_F32 ? sizeof(float) : 1;
    for (size_t c = 0; c < job->n; c++) {
        int32_t y[4][4];
        output_column(job, c, y);
        for (size_t i = 0; i < job->rows; i++)
            for (size_t x = 0; x < job->cols; x++) {
                oct_epilogue e = job->e;
                e.out = (char *)e.out + (i * job->out_line + x * e.out_ld + c) * size;
                if (e.residual)
                    e.residual = (const char *)e.residual + (i * job->residual_line + x * e.residual_ld + c) * size;
                e.mult += c;
                if (e.out_elem == OCT_ELEM_F32)
                    e.bias += c;
                oct_finish_s32(&e, 0, 1, &y[i][x]);
            }
    }
}

/* -------------------------------------------------------------------------------------- the products ---- */

/* acc[r][c] = start[c] + sum over i < k of a[r][i] * b[i][c], modulo 2^32, stored as it is.    b: [k][8], s16 */
void oct_gemm_s16_scalar(const oct_tile *t)
{
    const int16_t *b = t->b;
    for (size_t r = 0; r < t->m; r++) {
        const int16_t *a = (const int16_t *)t->a[r * t->a_stride] + t->a_offset;
        uint32_t acc[COLUMNS];
        for (size_t c = 0; c < COLUMNS; c++)
            acc[c] = (uint32_t)t->e.acc_bias[c];
        for (size_t i = 0; i < t->k; i++)
            for (size_t c = 0; c < COLUMNS; c++)
                acc[c] += (uint32_t)((int32_t)a[i] * b[i * COLUMNS + c]);
        memcpy((int32_t *)t->e.out + r * t->e.out_ld, acc, sizeof acc);
    }
}

/* --------------------------------------------------------------------------------- weights when needed ---- */

/* Row i of G, three factors. */
static const int g_rows[SIDE][3] = {{6, 0, 0}, {-4, -4, -4}, {-4, 4, -4}, {1, 2, 4}, {1, -2, 4}, {0, 0, 12}};

/* U(i, j) = sum over taps (y, x) of G[i][y] * w(y, x) * G[j][x], element by element: column and channel do not matter. */
void oct_winograd_expand_u8s8_scalar(const void *w, size_t groups, const oct_gemm_entry *panel, size_t i, void *u)
{
    const size_t count = groups * panel->nr * panel->kr;
    const int8_t *from = w;
    int16_t *to = u;
    for (size_t e = 0; e < count; e++) {
        int t[3] = {0};
        for (size_t y = 0; y < 3; y++)
            for (size_t x = 0; x < 3; x++)
                t[x] += g_rows[i][y] * from[(3 * y + x) * count + e];
        for (size_t j = 0; j < SIDE; j++)
            to[j * count + e] = (int16_t)(g_rows[j][0] * t[0] + g_rows[j][1] * t[1] + g_rows[j][2] * t[2]);
    }
}

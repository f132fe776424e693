/* depthwise_square_f32_neon.c - f32 depthwise convolution on NEON, 3x3 and 5x5, strides 1 and 2, channel multiplier 1:
 *   out[y][x][c] = clamp(bias[c] + sum over taps (ky, kx) of  in[y * stride - pad + ky][x * stride - pad + kx][c] * w[ky][kx][c])
 *
 * 4 channels of two output rows, walking along them column by column (depthwise_sweep_neon.h). A column of input pixels is loaded
 * once and added to every sum it has a part in. 3x3, stride 1: four pixels, 18 fmla, two finished results of 4 channels per column:
 *
 *     input column t              sums of output column   t      t-1     t-2
 *     | i0 |                                            .---.   .---.   .---.
 *     | i1 |   w[ky][0], w[ky][1], w[ky][2]  --> row 0  |   |   |   |   |   |  --> clamp, store
 *     | i2 |                                     row 1  |   |   |   |   |   |  --> clamp, store
 *     | i3 |                                            '---'   '---'   '---'
 *
 * Then the finished sums' registers start again at the bias, as the sums of output column t+1: unrolled by the number of places
 * (3), so that no sum ever moves. Stride 2 takes two columns per step and has 2 (5x5: 3) places.
 *
 * Registers (32), 3x3 stride 1: 6 sums, 9 weights, 4 inputs, bias, 2 of clamp = 22. The 25 weights of 5x5 stay in memory, each
 * loaded for both rows: 10 sums, 6 inputs, bias, 2 of clamp.
 *
 * Columns outside the image count as zeros; only the rounds at the ends of a row ask.
 * Packed, per block of 4 channels:  | bias[4] | tap 0: w[4] | tap 1 | .. |
 *
 * Bound: fmla, two per cycle on the larger cores. 3x3: 18 of 32 instructions of the inner loop (2.2 multiply-adds per
 * instruction), stride 2: 18 of 38; without windows (depthwise_f32_neon.c) it is one in three.
 */
#include "depthwise_sweep_neon.h"
#include "epilogue_neon.h"
#include "neon.h"

enum { BLOCK = 4, ROWS = 2, MAX_KERNEL = 5, TAPS_3X3 = 9 };

/* What stays in registers; w only for 3x3. */
typedef struct registers {
    float32x4_t w[TAPS_3X3], bias, lo, hi, sum[MAX_KERNEL][ROWS];
} registers;

/* One column of input pixels. */
OCT_INLINE void load_column(const sweep *s, ptrdiff_t x, float32x4_t in[], size_t in_rows, bool border)
{
    const bool inside = !border || (size_t)x < s->in_w;
    OCT_UNROLLED
    for (size_t y = 0; y < in_rows; y++)
        in[y] = vld1q_f32((const float *)(const void *)(inside ? s->in[y] + (size_t)x * s->pixel : s->padding));
}

/* The columns x .. x + stride - 1 into the sums, the oldest first. phase: which place holds the newest output column. */
OCT_INLINE void add_columns(const sweep *s, registers *g, ptrdiff_t x, size_t phase, size_t kernel, size_t stride, bool border)
{
    const size_t places = (kernel + stride - 1) / stride, in_rows = (ROWS - 1) * stride + kernel;
    const float *packed = s->packed;
    __asm__("" : "+r"(packed));     /* for 5x5: hides that the weights are those of the step before, whose registers are needed */
    OCT_UNROLLED
    for (size_t i = 0; i < stride; i++) {
        float32x4_t in[SWEEP_IN_ROWS];
        load_column(s, x + (ptrdiff_t)i, in, in_rows, border);
        OCT_UNROLLED
        for (size_t j = places; j-- > 0;)
            OCT_UNROLLED
            for (size_t ky = 0; ky < kernel; ky++) {
                const size_t kx = j * stride + i, tap = ky * kernel + kx;
                if (kx >= kernel)
                    continue;
                float32x4_t *sum = g->sum[(phase + places - j) % places];
                const float32x4_t w = kernel == 3 ? g->w[tap] : vld1q_f32(packed + BLOCK * (1 + tap));
                OCT_UNROLLED
                for (size_t r = 0; r < ROWS; r++)
                    sum[r] = vfmaq_f32(sum[r], in[r * stride + ky], w);
            }
    }
}

/* The finished sums of output `o` of both rows. A NaN among them is a quiet one, which maxnm passes over: it becomes lo. */
OCT_INLINE void store_outputs(const sweep *s, const registers *g, const float32x4_t sum[ROWS], size_t o, bool u8)
{
    OCT_UNROLLED
    for (size_t r = ROWS; r-- > 0;) {
        char *to = s->out[r] + o * s->out_pixel;
        const float32x4_t y = vminnmq_f32(vmaxnmq_f32(sum[r], g->lo), g->hi);
        if (u8)
            store_u8x4(s->e, (uint8_t *)to, vmulq_f32(y, vdupq_n_f32(s->e->out_mult)), BLOCK);
        else
            vst1q_f32((float *)(void *)to, y);
    }
}

/* Steps t .. t + places - 1. Step t reads the columns t * stride .. and finishes output t - (places - 1). At a border, columns
 * and outputs may not exist. */
OCT_INLINE void steps(const sweep *s, registers *g, size_t t, size_t kernel, size_t stride, bool border, bool u8)
{
    const size_t places = (kernel + stride - 1) / stride;
    OCT_UNROLLED
    for (size_t phase = 0; phase < places; phase++) {
        const size_t oldest = (phase + 1) % places, o = t + phase - (places - 1);
        add_columns(s, g, s->x + (ptrdiff_t)((t + phase) * stride), phase, kernel, stride, border);
        if (!border || o < s->count)
            store_outputs(s, g, g->sum[oldest], o, u8);
        OCT_UNROLLED
        for (size_t r = 0; r < ROWS; r++)
            g->sum[oldest][r] = g->bias;
    }
}

/* How many steps from the first on read no column right of the image and finish no output beyond the last, if `places` are done
 * at once. */
static inline size_t whole_steps(const sweep *s, size_t places, size_t stride)
{
    const ptrdiff_t columns = (ptrdiff_t)s->in_w - s->x - (ptrdiff_t)(places * stride);
    const size_t steps_inside = columns < 0 ? 0 : (size_t)columns / stride + 1;
    return steps_inside < s->count ? steps_inside : s->count;
}

OCT_INLINE void walk(const sweep *at, size_t kernel, size_t stride, bool u8)
{
    const sweep s = *at;    /* a copy nobody else can write to */
    const size_t places = (kernel + stride - 1) / stride, end = s.count + places - 1,
                 whole = u8 ? 0 : whole_steps(&s, places, stride);
    registers g;
    g.bias = vld1q_f32(s.packed);
    g.lo = vdupq_n_f32(s.e->lo);
    g.hi = vdupq_n_f32(s.e->hi);
    OCT_UNROLLED
    for (size_t tap = 0; tap < TAPS_3X3; tap++)
        g.w[tap] = vld1q_f32((const float *)s.packed + BLOCK * (1 + tap));
    OCT_UNROLLED
    for (size_t j = 0; j < places * ROWS; j++)
        g.sum[j / ROWS][j % ROWS] = g.bias;
    for (size_t t = 0; t < end; t += places) {
        if (t > 0 && s.x + (ptrdiff_t)(t * stride) >= 0)
            for (; t < whole; t += places)
                steps(&s, &g, t, kernel, stride, false, u8);
        if (t < end)
            steps(&s, &g, t, kernel, stride, true, u8);
    }
}

/* u8 output is rare and only taken in the careful steps. */
OCT_INLINE void sweep_square(const sweep *s, size_t kernel, size_t stride)
{
    if (s->e->out_elem == OCT_ELEM_F32)
        walk(s, kernel, stride, false);
    else
        walk(s, kernel, stride, true);
}

static void sweep_3x3s1(const sweep *s) { sweep_square(s, 3, 1); }
static void sweep_3x3s2(const sweep *s) { sweep_square(s, 3, 2); }
static void sweep_5x5s1(const sweep *s) { sweep_square(s, 5, 1); }
static void sweep_5x5s2(const sweep *s) { sweep_square(s, 5, 2); }

/* ------------------------------------------------------------------------------------------ the entries ---- */

#define BLOCK_BYTES(taps) (BLOCK * (1 + (taps)) * sizeof(float))
static const sweep_form form_3x3s1 = {3, 1, ROWS, BLOCK, sizeof(float), BLOCK_BYTES(9), sweep_3x3s1};
static const sweep_form form_3x3s2 = {3, 2, ROWS, BLOCK, sizeof(float), BLOCK_BYTES(9), sweep_3x3s2};
static const sweep_form form_5x5s1 = {5, 1, ROWS, BLOCK, sizeof(float), BLOCK_BYTES(25), sweep_5x5s1};
static const sweep_form form_5x5s2 = {5, 2, ROWS, BLOCK, sizeof(float), BLOCK_BYTES(25), sweep_5x5s2};

static bool accepts_3x3s1(const oct_conv_shape *s) { return sweep_accepts(s, &form_3x3s1); }
static bool accepts_3x3s2(const oct_conv_shape *s) { return sweep_accepts(s, &form_3x3s2); }
static bool accepts_5x5s1(const oct_conv_shape *s) { return sweep_accepts(s, &form_5x5s1); }
static bool accepts_5x5s2(const oct_conv_shape *s) { return sweep_accepts(s, &form_5x5s2); }

static const sweep_form *form_of(const oct_conv_shape *s)
{
    const bool strided = s->stride_h == 2;
    return s->kernel_h == 3 ? (strided ? &form_3x3s2 : &form_3x3s1) : (strided ? &form_5x5s2 : &form_5x5s1);
}

static size_t packed_bytes(const oct_conv_shape *s) { return sweep_packed_bytes(s, form_of(s)); }
static size_t scratch_bytes(const oct_conv_shape *s) { return sweep_scratch_bytes(s, form_of(s)); }

static void pack(const oct_conv_shape *s, const oct_depthwise_params *params, void *packed)
{
    const sweep_form *f = form_of(s);
    const size_t taps = s->kernel_h * s->kernel_w;
    float *p = packed;
    for (size_t b = 0; b < sweep_blocks(s->in_c, f); b++) {
        const size_t c = sweep_block_at(s->in_c, b, f);
        memcpy(p, params->bias + c, BLOCK * sizeof *p);
        p += BLOCK;
        for (size_t tap = 0; tap < taps; tap++)
            for (size_t i = 0; i < BLOCK; i++)
                *p++ = ((const float *)params->weights)[(c + i) * taps + tap];
    }
}

static void run(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    sweep_rows(job, row_begin, row_end, scratch, form_of(job->shape));
}

const oct_depthwise_entry oct_depthwise_square_f32_neon[4] = {
    {accepts_3x3s1, packed_bytes, pack, scratch_bytes, run, "neon 3x3s1"},
    {accepts_3x3s2, packed_bytes, pack, scratch_bytes, run, "neon 3x3s2"},
    {accepts_5x5s1, packed_bytes, pack, scratch_bytes, run, "neon 5x5s1"},
    {accepts_5x5s2, packed_bytes, pack, scratch_bytes, run, "neon 5x5s2"},
};

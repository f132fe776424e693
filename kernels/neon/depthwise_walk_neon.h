/* depthwise_walk_neon.h - the walk of the integer 3x3 depthwise kernels, written once for depthwise_3x3_u8s8_neon.c and
 * depthwise_3x3_u8s8_neondot.c:
 *   acc[c] = acc_bias[c] + sum over taps (ky, kx) of  (in[y * stride - pad + ky][x * stride - pad + kx][c] - 128) * w[ky][kx][c]
 * with the 128 times the weights added back to acc_bias; then requantisation.
 *
 * A step makes 16 outputs, two halves of 8:
 *
 *     stride 1:   | output row 0, 8 channels | output row 1, the same 8 channels |      4 input rows
 *     stride 2:   | channels 0..7 of a block |  channels 8..15                   |      3 input rows
 *
 * Before including it a file defines
 *   packed_block      parameters, the same three in both files, and weights, per half; at stride 1 both halves have the same
 *      parameters
 *   column            what it keeps of one column of input pixels;        load_column() from row pointers
 *   weights           what it keeps of the weights in registers;          load_weights() from a packed block; pack_weights()
 *   sum_products()    acc_bias and all nine taps of three columns: 16 sums
 *
 * The three newest columns stay in registers; unrolled by three steps, they never move:
 *
 *     stride 1   step 0:  a b c    step 1:  b c a    step 2:  c a b        (the column in place a is replaced first)
 *     stride 2   step 0:  a b c    step 1:  c a b    step 2:  b c a
 *
 * Columns outside the image hold the zero point; only the rounds at the ends of a row ask.

 */
#ifndef OCT_DEPTHWISE_WALK_NEON_H
#define OCT_DEPTHWISE_WALK_NEON_H

enum { PERIOD = 3, IN_ROWS = 4 };

/* The column at byte `at` of the rows. */
OCT_INLINE void take_column(const sweep *s, size_t at, size_t stride, bool inside, column *to)
{
    const uint8_t *rows[IN_ROWS];
    OCT_UNROLLED
    for (size_t y = 0; y < IN_ROWS; y++)
        rows[y] = (const uint8_t *)(inside ? s->in[y] + at : s->padding);
    load_column(rows, stride, to);
}

/* clamp(rne(acc * mult) + zero): 16 sums in order. */
OCT_INLINE uint8x16_t requantised(const int32x4_t acc[4], const float32x4_t mult[4], const oct_epilogue *e)
{
    int32x4_t q[4];
    OCT_UNROLLED
    for (size_t v = 0; v < 4; v++)
        q[v] = vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(acc[v]), mult[v]));
    const int16x8_t zero = vdupq_n_s16((int16_t)e->out_zero);
    const int16x8_t low = vqaddq_s16(vqmovn_high_s32(vqmovn_s32(q[0]), q[1]), zero);
    const int16x8_t high = vqaddq_s16(vqmovn_high_s32(vqmovn_s32(q[2]), q[3]), zero);
    const uint8x16_t bytes = vqmovun_high_s16(vqmovun_s16(low), high);
    return vminq_u8(vmaxq_u8(bytes, vdupq_n_u8(e->qlo)), vdupq_n_u8(e->qhi));
}

/* at: bytes from the sweep's first output */
OCT_INLINE void store_u8(const sweep *s, size_t at, size_t stride, uint8x16_t bytes)
{
    if (stride == 2) {
        vst1q_u8((uint8_t *)s->out[0] + at, bytes);
        return;
    }
    const uint64_t second = vgetq_lane_u64(vreinterpretq_u64_u8(bytes), 1);
    memcpy(s->out[1] + at, &second, sizeof second);
    vst1_u8((uint8_t *)s->out[0] + at, vget_low_u8(bytes));
}

OCT_INLINE void store_f32(const sweep *s, size_t at, size_t stride, const int32x4_t acc[4])
{
    const packed_block *p = s->packed;
    OCT_UNROLLED
    for (size_t v = 4; v-- > 0;) {
        char *to = s->out[stride == 1 ? v / 2 : 0] + at + (stride == 1 ? v % 2 : v) * 4 * sizeof(float);
        const float32x4_t x = vmulq_f32(vcvtq_f32_s32(acc[v]), vld1q_f32(p->mult[v / 2] + v % 2 * 4));
        vst1q_f32((float *)(void *)to, clamp_f32x4(vaddq_f32(x, vld1q_f32(p->bias[v / 2] + v % 2 * 4)), s->e->lo, s->e->hi));
    }
}

/* Outputs o .. o + PERIOD - 1. Output o has the columns o * stride .. o * stride + 2 of the window; those before the last
 * `stride` are there already. At a border, columns and outputs may not exist. */
OCT_INLINE void steps(const sweep *s, column window[PERIOD], weights *w, const float32x4_t shared[2], size_t o, size_t stride,
                      bool border, bool f32)
{
    size_t x = (size_t)s->x + o * stride + 3 - stride, in = x * s->pixel, out = o * s->out_pixel;
    OCT_UNROLLED
    for (size_t phase = 0; phase < PERIOD; phase++) {
        const size_t first = phase * stride;
        OCT_UNROLLED
        for (size_t i = 3 - stride; i < 3; i++, x++, in += s->pixel)
            take_column(s, in, stride, !border || x < s->in_w, &window[(first + i) % PERIOD]);
        const packed_block *p = s->packed;
        int32x4_t acc[4];
        float32x4_t mult[4];
        OCT_UNROLLED
        for (size_t v = 0; v < 4; v++)
            mult[v] = stride == 1 ? shared[v % 2] : vld1q_f32(p->mult[v / 2] + v % 2 * 4);
        sum_products(&window[first % PERIOD], &window[(first + 1) % PERIOD], &window[(first + 2) % PERIOD], w, p, stride, acc);
        if (!border || o + phase < s->count) {
            if (f32)
                store_f32(s, out, stride, acc);
            else
                store_u8(s, out, stride, requantised(acc, mult, s->e));
        }
        out += s->out_pixel;
    }
}

/* Outputs before this one that are the first of PERIOD need no question: columns and outputs exist. */
static inline size_t whole_steps(const sweep *s, size_t stride)
{
    const ptrdiff_t columns = (ptrdiff_t)s->in_w - s->x - (ptrdiff_t)((PERIOD - 1) * stride + 3);
    const size_t inside = columns < 0 ? 0 : (size_t)columns / stride + 1, outputs = s->count < PERIOD ? 0 : s->count - PERIOD + 1;
    return inside < outputs ? inside : outputs;
}

OCT_INLINE void walk(const sweep *at, size_t stride, bool f32)
{
    const oct_epilogue e = *at->e;
    sweep s = *at;      /* copies nobody else can write to */
    s.e = &e;
    const size_t whole = f32 ? 0 : whole_steps(&s, stride);
    weights w;
    load_weights(s.packed, &w);
    const float *const mult = ((const packed_block *)s.packed)->mult[0];
    const float32x4_t shared[2] = {vld1q_f32(mult), vld1q_f32(mult + 4)};
    column window[PERIOD];
    OCT_UNROLLED
    for (size_t i = 0; i < PERIOD; i++)
        take_column(&s, ((size_t)s.x + i) * s.pixel, stride, (size_t)s.x + i < s.in_w, &window[i]);
    for (size_t o = 0; o < s.count; o += PERIOD) {
        if (s.x + (ptrdiff_t)(o * stride + 3 - stride) >= 0)
            for (; o < whole; o += PERIOD)
                steps(&s, window, &w, shared, o, stride, false, f32);
        if (o < s.count)
            steps(&s, window, &w, shared, o, stride, true, f32);
    }
}

/* f32 output is rare and only taken in the careful steps. */
static void sweep_3x3s1(const sweep *s)
{
    if (s->e->out_elem == OCT_ELEM_U8)
        walk(s, 1, false);
    else
        walk(s, 1, true);
}

static void sweep_3x3s2(const sweep *s)
{
    if (s->e->out_elem == OCT_ELEM_U8)
        walk(s, 2, false);
    else
        walk(s, 2, true);
}

/* ---------------------------------------------------------------------------------------------- packing ---- */

enum { TAPS = 9 };
static const sweep_form form_3x3s1 = {3, 1, 2, 8, 1, sizeof(packed_block), sweep_3x3s1};
static const sweep_form form_3x3s2 = {3, 2, 1, 16, 1, sizeof(packed_block), sweep_3x3s2};

static bool accepts_3x3s1(const oct_conv_shape *s) { return sweep_accepts(s, &form_3x3s1); }
static bool accepts_3x3s2(const oct_conv_shape *s) { return sweep_accepts(s, &form_3x3s2); }
static const sweep_form *form_of(const oct_conv_shape *s) { return s->stride_h == 2 ? &form_3x3s2 : &form_3x3s1; }
static size_t packed_bytes(const oct_conv_shape *s) { return sweep_packed_bytes(s, form_of(s)); }
static size_t scratch_bytes(const oct_conv_shape *s) { return sweep_scratch_bytes(s, form_of(s)); }

/* The parameters of channel c, as number i of a half. The kernels multiply (in - 128): 128 * sum|w| <= 128 * 9 * 127 comes back
 * here, modulo 2^32 like all sums. */
static void pack_params(const oct_depthwise_params *params, size_t c, size_t half, size_t i, packed_block *p)
{
    const int8_t *w = (const int8_t *)params->weights + c * TAPS;
    uint32_t start = (uint32_t)params->acc_bias[c];
    for (size_t tap = 0; tap < TAPS; tap++)
        start += 128u * (uint32_t)w[tap];
    memcpy(&p->acc_bias[half][i], &start, sizeof start);
    p->mult[half][i] = params->mult[c];
    p->bias[half][i] = params->bias ? params->bias[c] : 0.0f;
}

static void pack(const oct_conv_shape *s, const oct_depthwise_params *params, void *packed)
{
    const sweep_form *f = form_of(s);
    const bool rows = s->stride_h == 1;     /* the halves are rows */
    packed_block *to = packed;
    memset(packed, 0, packed_bytes(s));
    for (size_t b = 0; b < sweep_blocks(s->in_c, f); b++, to++)
        for (size_t half = 0; half < 2; half++)
            for (size_t i = 0; i < 8; i++) {
                const size_t c = sweep_block_at(s->in_c, b, f) + (rows ? 0 : 8 * half) + i;
                pack_params(params, c, half, i, to);
                pack_weights((const int8_t *)params->weights + c * TAPS, half, i, rows && half == 1, to);
            }
}

static void run(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch)
{
    sweep_rows(job, row_begin, row_end, scratch, form_of(job->shape));
}

#endif

/* depthwise_f32_avx512.c - f32 depthwise convolution, 3x3 and 5x5, strides 1 and 2:
 *   out[y][x][c] = clamp(bias[c] + sum over taps (ky, kx) of  in[y * stride - pad + ky][x * stride - pad + kx][c] * w[ky][kx][c])
 *
 * 16 channels and two output rows at a time, walking along them column by column. A column of input pixels is loaded once and
 * added to every sum it has a part in; the sums slide. 3x3, stride 1: four pixels, 18 multiply-adds, two finished results per
 * column:
 *
 *     input column s                 sums of output column    s      s-1     s-2
 *     | i0 |                                                 .---.  .---.  .---.
 *     | i1 |   w[ky][0], w[ky][1], w[ky][2]  -->   row 0     |   |  |   |  |   |  --> clamp, store        6 sums + 9 weights
 *     | i2 |                                       row 1     |   |  |   |  |   |  --> clamp, store        + 4 inputs + bias
 *     | i3 |                                                 '---'  '---'  '---'                          = 20 registers
 *                                              then each sum moves one place to the right, a new one starts at the bias
 *
 * Stride 2 takes two columns per step and 2 (3x3) or 3 (5x5) places; the 25 weights of 5x5 stay in memory, each loaded for both
 * rows. Columns outside the image are passed over (their products are zero); rows outside it are a line of zeros that does not
 * advance.
 *
 * The order: a strip of rows, in it block after block, in that row pair after row pair: so the rows of a block meet again in L1
 * for the next pair, and the strip stays in L2 while the blocks pass over it.
 *
 * Pixels a multiple of 2 KiB apart share a few sets of the L1 cache: rows would push each other out, and stores look like the
 * loads of the same set. There the rows of a block are first copied, each once, to a ring in scratch memory, pixel beside pixel.
 *
 * Packed: | block 0: tap 0: 16 channels | tap 1 | .. | bias | block 1 .. |        blocks as in depthwise_avx512.h
 *
 * Judged by the FMA peak as long as the image is in cache; beyond, by the GB/s of its level.
 */
#include "depthwise_avx512.h"

enum { MAX_ROWS = 7, MAX_SUMS = 10, STRIP_BYTES = 256 * 1024 };

/* One or two output rows of one block of channels. */
typedef struct sweep {
    const float *in[MAX_ROWS];  /* channel of the first pixel of each input row */
    __mmask16 inside[MAX_ROWS]; /* all lanes; or none for a row outside the image, whose pointer may then be anywhere inside */
    size_t in_w, out_w, pad_left, pixel;
    const float *w, *bias;
    const oct_epilogue *e;
    void *out[2];               /* channel of the first pixel of each output row */
} sweep;

/* u8 output is rare; kept out of line, 16 channels need no packing tricks. */
static __attribute__((noinline)) void store_u8(uint8_t *out, __m512 y, const oct_epilogue *e)
{
    __m512i q = _mm512_cvtps_epi32(_mm512_mul_ps(y, _mm512_set1_ps(e->out_mult)));
    q = _mm512_add_epi32(q, _mm512_set1_epi32(e->out_zero));
    q = _mm512_min_epi32(_mm512_max_epi32(q, _mm512_set1_epi32(e->qlo)), _mm512_set1_epi32(e->qhi));
    _mm_storeu_si128((__m128i *)out, _mm512_cvtepi32_epi8(q));
}

/* A weight that is loaded once and used twice: without the empty statement gcc would load it anew for every use, and two 512-bit
 * loads a cycle are all there are. */
OCT_INLINE __m512 loaded(const float *p)
{
    __m512 x = _mm512_load_ps(p);
    __asm__("" : "+v"(x));
    return x;
}

/* The whole row or row pair; kernel, stride and rows are constant wherever this is inlined. */
OCT_INLINE void walk(const sweep *s, const size_t kernel, const size_t stride, const size_t rows)
{
    const size_t places = (kernel + stride - 1) / stride, in_rows = (rows - 1) * stride + kernel;
    const size_t in_w = s->in_w, pixel = s->pixel, out_pixel = s->e->out_ld;
    const __m512 bias = _mm512_load_ps(s->bias), lo = _mm512_set1_ps(s->e->lo), hi = _mm512_set1_ps(s->e->hi);
    const bool f32 = s->e->out_elem == OCT_ELEM_F32;
    __m512 w[9];
    if (kernel == 3) {
        OCT_UNROLLED
        for (size_t tap = 0; tap < 9; tap++)
            w[tap] = _mm512_load_ps(s->w + 16 * tap);
    }
    /* 1. Accumulators start at the bias. sum[t * rows + r]: output column step - t, row r. */
    __m512 sum[MAX_SUMS];
    OCT_UNROLLED
    for (size_t j = 0; j < places * rows; j++)
        sum[j] = bias;
    size_t in = 0, out = 0, column = 0 - s->pad_left;  /* left of the image: huge */

    for (size_t left = s->out_w + places - 1; left > 0; left--) {
        /* 2. The columns of this step that are inside the image. */
        OCT_UNROLLED
        for (size_t i = 0; i < stride; i++, column++) {
            if (column >= in_w)
                continue;
            __m512 x[MAX_ROWS];
            OCT_UNROLLED
            for (size_t y = 0; y < in_rows; y++)
                x[y] = _mm512_maskz_loadu_ps(s->inside[y], s->in[y] + in);
            in += pixel;
            /* 3. Multiply, add. */
            OCT_UNROLLED
            for (size_t ky = 0; ky < kernel; ky++)
                OCT_UNROLLED
                for (size_t kx = i; kx < kernel; kx += stride) {
                    const __m512 weight = kernel == 3 ? w[ky * 3 + kx] : loaded(s->w + 16 * (ky * kernel + kx));
                    OCT_UNROLLED
                    for (size_t r = 0; r < rows; r++)
                        sum[kx / stride * rows + r] = _mm512_fmadd_ps(x[r * stride + ky], weight, sum[kx / stride * rows + r]);
                }
        }
        /* 4. The oldest sums are complete. */
        if (left <= s->out_w) {
            OCT_UNROLLED
            for (size_t r = 0; r < rows; r++) {
                const __m512 y = oct_clamp_16(sum[(places - 1) * rows + r], lo, hi);
                if (f32)
                    _mm512_storeu_ps((float *)s->out[r] + out, y);
                else
                    store_u8((uint8_t *)s->out[r] + out, y, s->e);
            }
            out += out_pixel;
        }
        OCT_UNROLLED
        for (size_t j = places * rows; j-- > rows;)
            sum[j] = sum[j - rows];
        OCT_UNROLLED
        for (size_t r = 0; r < rows; r++)
            sum[r] = bias;
    }
}

/* Rows of one block of channels, pixel beside pixel: row y has place y % RING_ROWS. */
typedef struct ring {
    float *at;
    size_t next;                /* the first row that is not there yet */
} ring;

enum { RING_ROWS = 8 };         /* a power of two; a row pair of 5x5 at stride 2 needs 7 */

static bool needs_ring(const oct_conv_shape *s) { return s->in_c * sizeof(float) % 2048 == 0; }

/* Row y of the image, copied if it is new. Rows come in rising order; a new strip begins with rows that may be there already. */
static const float *ring_row(ring *r, const oct_conv_shape *shape, const float *image, size_t y)
{
    float *row = r->at + y % RING_ROWS * shape->in_w * 16;
    if (y < r->next)
        return row;
    const float *from = image + y * shape->in_w * shape->in_c;
    for (size_t x = 0; x < shape->in_w; x++, from += shape->in_c)
        _mm512_storeu_ps(row + 16 * x, _mm512_loadu_ps(from));
    r->next = y + 1;
    return row;
}

/* The input rows of output rows oy, oy + 1. A row outside the image points at its first row. */
OCT_INLINE void set_rows(sweep *s, const oct_conv_shape *shape, const float *image, size_t oy, const size_t in_rows, ring *r)
{
    OCT_UNROLLED
    for (size_t i = 0; i < in_rows; i++) {
        const size_t y = oy * shape->stride_h + i - shape->pad_top;
        const bool inside = y < shape->in_h;
        s->inside[i] = inside ? 0xffff : 0;
        if (r->at)
            s->in[i] = inside ? ring_row(r, shape, image, y) : r->at;
        else
            s->in[i] = image + (inside ? y * shape->in_w * shape->in_c : 0);
    }
}

/* Output rows [begin, end) of one image, block by block; kernel and stride are constant wherever this is inlined. */
OCT_INLINE void strip(const oct_depthwise_job *job, const float *image, void *out, size_t begin, size_t end, void *scratch,
                      const size_t kernel, const size_t stride)
{
    const oct_conv_shape *shape = job->shape;
    const size_t elem = job->e.out_elem == OCT_ELEM_F32 ? sizeof(float) : 1, out_row = shape->out_w * job->e.out_ld * elem;
    for (size_t block = 0; block < oct_blocks_16(shape->in_c); block++) {
        const size_t c = oct_block_16_at(shape->in_c, block);
        const float *packed = (const float *)job->packed + block * 16 * (kernel * kernel + 1);
        sweep s = {.in_w = shape->in_w,
                   .out_w = shape->out_w,
                   .pad_left = shape->pad_left,
                   .pixel = scratch ? 16 : shape->in_c,
                   .w = packed,
                   .bias = packed + 16 * kernel * kernel,
                   .e = &job->e};
        ring r = {scratch, 0};
        for (size_t y = begin; y < end; y += 2) {
            set_rows(&s, shape, image + c, y, stride + kernel, &r);
            s.out[0] = (char *)out + y * out_row + c * elem;
            s.out[1] = (char *)s.out[0] + out_row;
            if (y + 1 < end)
                walk(&s, kernel, stride, 2);
            else
                walk(&s, kernel, stride, 1);
        }
    }
}

/* Output rows [begin, end) of all images, strip by strip; a strip ends with its image. */
OCT_INLINE void run(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch, const size_t kernel, const size_t stride)
{
    const oct_conv_shape *s = job->shape;
    const size_t strip_rows = (STRIP_BYTES / (s->in_w * s->in_c * stride * sizeof(float)) + 2) & ~(size_t)1;
    const size_t elem = job->e.out_elem == OCT_ELEM_F32 ? sizeof(float) : 1;
    while (begin < end) {
        const size_t n = begin / s->out_h, y = begin % s->out_h;
        size_t rows = end - begin < strip_rows ? end - begin : strip_rows;
        if (rows > s->out_h - y)
            rows = s->out_h - y;
        strip(job, (const float *)job->in + n * s->in_h * s->in_w * s->in_c,
              (char *)job->e.out + n * s->out_h * s->out_w * job->e.out_ld * elem, y, y + rows, needs_ring(s) ? scratch : NULL,
              kernel, stride);
        begin += rows;
    }
}

void oct_depthwise_f32_3x3s1_avx512(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    run(job, begin, end, scratch, 3, 1);
}

void oct_depthwise_f32_3x3s2_avx512(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    run(job, begin, end, scratch, 3, 2);
}

void oct_depthwise_f32_5x5s1_avx512(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    run(job, begin, end, scratch, 5, 1);
}

void oct_depthwise_f32_5x5s2_avx512(const oct_depthwise_job *job, size_t begin, size_t end, void *scratch)
{
    run(job, begin, end, scratch, 5, 2);
}

/* ----------------------------------------------------------------------------------- shapes and packing ---- */

/* At least one whole block of 16, one output channel per input channel, no dilation. */
static bool accepts(const oct_conv_shape *s, size_t kernel, size_t stride)
{
    return s->groups == s->in_c && s->out_c == s->in_c && s->in_c >= 16 && s->kernel_h == kernel && s->kernel_w == kernel &&
           s->stride_h == stride && s->stride_w == stride && s->dilation_h == 1 && s->dilation_w == 1;
}

bool oct_depthwise_accepts_3x3s1_avx512(const oct_conv_shape *s) { return accepts(s, 3, 1); }
bool oct_depthwise_accepts_3x3s2_avx512(const oct_conv_shape *s) { return accepts(s, 3, 2); }
bool oct_depthwise_accepts_5x5s1_avx512(const oct_conv_shape *s) { return accepts(s, 5, 1); }
bool oct_depthwise_accepts_5x5s2_avx512(const oct_conv_shape *s) { return accepts(s, 5, 2); }

size_t oct_depthwise_scratch_bytes_avx512(const oct_conv_shape *s)
{
    return needs_ring(s) ? RING_ROWS * s->in_w * 16 * sizeof(float) : 0;
}

size_t oct_depthwise_f32_packed_bytes_avx512(const oct_conv_shape *s)
{
    return oct_blocks_16(s->in_c) * 16 * (s->kernel_h * s->kernel_w + 1) * sizeof(float);
}

void oct_depthwise_f32_pack_avx512(const oct_conv_shape *s, const oct_depthwise_params *params, void *packed)
{
    const size_t taps = s->kernel_h * s->kernel_w;
    const float *w = params->weights;
    float *p = packed;
    for (size_t block = 0; block < oct_blocks_16(s->in_c); block++, p += 16 * (taps + 1)) {
        for (size_t i = 0; i < 16; i++) {
            const size_t c = oct_block_16_at(s->in_c, block) + i;
            const bool exists = c < s->in_c;
            for (size_t tap = 0; tap < taps; tap++)
                p[16 * tap + i] = exists ? w[c * taps + tap] : 0.0f;
            p[16 * taps + i] = exists && params->bias ? params->bias[c] : 0.0f;
        }
    }
}

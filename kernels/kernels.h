/* kernels.h - the contract between the kernels and everybody else: one table of entries per instruction set.
 *
 * An entry is {function, tile, layout}: the pointer and the shape of data it expects can never disagree. The table for an ISA is
 * the scalar table with each weaker ISA's entries laid over it in turn, so holes fall through. `scalar` is the specification:
 *   integers   equal to scalar, bit for bit, on every ISA
 *   floats     |difference| <= c * k * eps * sum |a||b|
 *
 * Numbers.  u8 activations, real = s * (q - z). s8 weights in [-127, 127]. s32 accumulators, exact. Requantisation in float, one
 * multiply, round to nearest even (rne), no fused multiply-add:
 *   q = clamp(rne((float)acc * mult[c]) + z, qlo, qhi)
 * The packer has proved |acc| <= 2^31 - 1 and |acc * mult| < 2^31 (oct_gemm_provable), so that no step can overflow.
 *
 * Memory.  Kernels read and write exactly the elements they are told of, never beyond; pointers need no alignment but that of their
 * element, except packed weights and per-column parameters, which are 64-byte aligned and padded to the panel's full width.
 *
 * This folder includes only itself and libc. Only lib/runtime calls it.
 */
#ifndef OCT_KERNELS_H
#define OCT_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum oct_elem { OCT_ELEM_F32, OCT_ELEM_U8, OCT_ELEM_S8, OCT_ELEM_S16 } oct_elem;

/* ------------------------------------------------------------------------------------------- epilogue ----
 * How a GEMM, convolution or depthwise kernel turns accumulators into output. Column = output channel.
 *
 *   f32 kernel,  f32 out:  y = acc + bias[c] (+ residual);                        out = clamp(y, lo, hi)
 *   f32 kernel,  u8 out:   y = acc + bias[c] (+ (float)(residual - residual_zero) * residual_mult);      lo, hi finite
 *                                                                                 out = clamp(rne(clamp(y, lo, hi) * out_mult) +
 *                                                                                 out_zero, qlo, qhi)
 *   u8s8 kernel, u8 out:   x = (float)acc * mult[c] (+ (float)(residual - residual_zero) * residual_mult);
 *                                                                                 out = clamp(rne(x) + out_zero, qlo, qhi)
 *   u8s8 kernel, f32 out:  y = (float)acc * mult[c] + bias[c] (+ residual);        out = clamp(y, lo, hi)
 *
 * clamp(y, lo, hi) = min(max(y, lo), hi) with max(y, lo) = y > lo ? y : lo, so a NaN becomes lo. */
typedef struct oct_epilogue {
    const float *bias;          /* f32 kernel; u8s8 kernel with f32 out. Never NULL there: zeros for none. */
    const int32_t *acc_bias;    /* u8s8: where the accumulator starts: bias / (s_x * s_w[c]) - (z_x - a_shift) * sum of the column's
                                   weights; for S16 rows, which hold a - z_x, without that term */
    const float *mult;          /* u8s8: accumulator units -> output units */
    const void *residual;       /* NULL, or one element (of the output's type) per output element; may be `out` with out_ld: an
                                   element is read before it is written */
    size_t residual_ld;         /* elements between rows */
    float residual_mult;        /* u8 out */
    int32_t residual_zero;      /* u8 out */
    float lo, hi;               /* -inf, inf for no clamp */
    uint8_t qlo, qhi;           /* 0, 255 for no clamp */
    oct_elem out_elem;          /* OCT_ELEM_F32 or OCT_ELEM_U8 */
    float out_mult;             /* f32 kernel with u8 out: 1 / scale */
    int32_t out_zero;           /* u8 out, 0..255 */
    void *out;
    size_t out_ld;              /* elements between rows */
} oct_epilogue;

/* ----------------------------------------------------------------------------------------------- GEMM ----
 * One call of a micro-kernel: `m` rows times one panel of `nr` columns, the first `n` of which exist.
 *
 *            a: row pointers                 b: one packed panel
 *        tap 0     tap 1                     group 0         group 1
 *  row 0  *->kkkk   *->kkkk             tap 0 [nr][kr]        [nr][kr] ..  ceil(k / kr) groups
 *  row 1  *->kkkk   *->kkkk             tap 1 [nr][kr]        [nr][kr] ..
 *
 *   acc[r][c] = acc_bias[c] + sum over taps t, i < k of  a[r * a_stride + t][a_offset + i] * b(t, i, c)
 *
 * A convolution is this with one tap per kernel position (Dukhan, "The Indirect Convolution Algorithm", 2019); padded positions
 * point at a row of zeros (of zero points for u8). A plain matrix has one tap. The last group of a tap is padded with zero weights
 * when kr does not divide k; the rows are not padded, so the kernel must not read a row beyond k elements. */
typedef struct oct_tile {
    size_t m;                   /* 1..mr */
    size_t n;                   /* 1..nr */
    size_t taps;                /* >= 1 */
    size_t k;                   /* elements per tap, >= 1 */
    const void *const *a;
    size_t a_stride;            /* pointers between rows */
    size_t a_offset;            /* elements, added to every row pointer (groups) */
    const void *b;              /* at the first of the `taps` to be used */
    oct_epilogue e;             /* all pointers at the tile's first row and column */
} oct_tile;

typedef void oct_gemm_fn(const oct_tile *tile);

typedef struct oct_gemm_entry {
    oct_gemm_fn *fn;            /* NULL ends a list of variants */
    uint16_t mr, nr, kr;        /* rows, columns, and neighbouring k interleaved in a panel: [k / kr][nr][kr] */
    uint8_t a_elem;             /* oct_elem of the rows: F32; U8; or S16 = u8 minus its zero point, widened (then acc_bias has no
                                   z term) */
    uint8_t b_elem;             /* oct_elem of the panel: F32, S8 or S16 */
    const char *name;           /* "avx2 6x16" */
    uint8_t a_shift;            /* U8 rows: the kernel multiplies (a - a_shift); 128 where the ISA only has signed dot products,
                                   else 0. acc_bias then takes bias - (z - a_shift) * sum of the column's weights */
} oct_gemm_entry;

/* Widest first; all variants of a list share a_elem and a_shift. N is cut into panels of the widest, the rest into narrower ones
 * (pack.c). */
#define OCT_GEMM_VARIANTS 4
/* No entry has more rows: the loops keep that many row pointers on the stack. */
#define OCT_GEMM_MAX_MR 32
/* Nor more columns. */
#define OCT_GEMM_MAX_NR 64
/* Entries of more rows than this may be made for even numbers of rows only, and compute an odd one as one more: the loops then cut
 * blocks in pairs of rows. */
#define OCT_PAIRED_MR 8

/* ------------------------------------------------------------------------------------------ depthwise ---- */

typedef struct oct_conv_shape {
    size_t batch;
    size_t in_h, in_w, in_c;
    size_t out_h, out_w, out_c;
    size_t kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
    size_t pad_top, pad_left;   /* bottom and right follow from the sizes */
    size_t groups;
} oct_conv_shape;

/* What the packer gets: weights OHWI ([out_c][kernel_h][kernel_w][1], f32 or s8) and the epilogue's per-channel arrays,
 * unpadded. */
typedef struct oct_depthwise_params {
    const void *weights;
    const float *bias;          /* out_c; f32 kernel or f32 out, else NULL */
    const int32_t *acc_bias;    /* out_c; u8s8, with the zero-point term */
    const float *mult;          /* out_c; u8s8 */
} oct_depthwise_params;

typedef struct oct_depthwise_job {
    const oct_conv_shape *shape;
    const void *in;             /* N x H x W x C */
    const void *packed;         /* what pack() wrote; bias, acc_bias and mult of `e` are not read */
    uint8_t in_zero;            /* u8s8: what a padded position holds */
    oct_epilogue e;             /* no residual; out_ld = out_c */
} oct_depthwise_job;

typedef struct oct_depthwise_entry {
    bool (*accepts)(const oct_conv_shape *shape);
    size_t (*packed_bytes)(const oct_conv_shape *shape);
    void (*pack)(const oct_conv_shape *shape, const oct_depthwise_params *params, void *packed);
    size_t (*scratch_bytes)(const oct_conv_shape *shape);    /* per thread */
    /* Output rows [row_begin, row_end) of batch * out_h. */
    void (*run)(const oct_depthwise_job *job, size_t row_begin, size_t row_end, void *scratch);
    const char *name;           /* "avx512vnni 3x3s1"; NULL ends the list */
} oct_depthwise_entry;

/* Tried in order, the first that accepts is used; the last, the scalar one, accepts everything. */
#define OCT_DEPTHWISE_VARIANTS 20

/* ------------------------------------------------------------------------------------------- Winograd ----
 * 3x3 convolutions, stride 1, with fewer products (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016). An
 * output tile of 4 x 4 pixels depends on 6 x 6 input pixels; with both sides transformed, it takes 36 products per channel pair,
 * not 144:
 *
 *    6 x 6 pixels d --input--> V = B' d B      36 products of matrices     M --output--> 4 x 4 pixels = A' M A --epilogue--> out
 *    3 x 3 weights g --pack--> U = G g G'      M(p) = V(p) U(p)
 *
 * winograd.h has the loops, the buffers V and M, and the smaller tiles F(2,3) and F(3,3) of ragged edges, which take part in some
 * of the 36 positions p = 6 i + j only: F(3,3) has no row (column) 4, F(2,3) neither 3 nor 4. The weights are the same for all. */

/* Where a tile's numbers lie: its row in V(p) and M(p) is slot[class of i][class of j]. Classes of 0 1 2 3 4 5: 0 0 0 1 2 0. */
typedef struct oct_winograd_tile {
    uint32_t rows, cols;         /* outputs it computes: 2, 3 or 4 each way */
    uint32_t slot[3][3];
} oct_winograd_tile;

/* One tile's input transform. s16 rows of V are written to their end: channels beyond c are zeros. */
typedef struct oct_winograd_input {
    const oct_winograd_tile *tile;
    const void *const *pixels;   /* [6][6]; rows + 2 by cols + 2 of them are read, c elements each; padding points at zeros (u8:
                                    zero points, which nobody subtracts: M starts without their share) */
    size_t c;
    void *v;                     /* row 0 of V(0); 64-byte aligned, as all rows are */
    size_t position_bytes;       /* from V(p) to V(p + 1) */
    size_t row_bytes;            /* from row to row: c elements rounded up to a multiple of 64 bytes */
} oct_winograd_input;

/* One tile's output transform of one panel. f32: the bias is in M already. u8s8: the integer bias is. */
typedef struct oct_winograd_output {
    const oct_winograd_tile *tile;
    const void *m;               /* row 0 of M(0): f32, or s32 modulo 2^32 */
    size_t position_bytes, row_bytes;
    size_t n;                    /* columns that exist of the panel's */
    size_t rows, cols;           /* outputs that exist: at most the tile's */
    size_t out_line, residual_line;   /* elements between rows of the image */
    oct_epilogue e;              /* at the tile's first pixel and the panel's first column; out_ld, residual_ld: between neighbours
                                    in a line */
} oct_winograd_output;

typedef struct oct_winograd_entry {
    void (*input)(const oct_winograd_input *job);     /* NULL: this ISA has no Winograd for the type */
    void (*output)(const oct_winograd_output *job);
    /* The 36 products: a micro-kernel that stores its accumulators as they are, f32 or s32, full width (n = nr). They start at
     * e.bias or e.acc_bias; of the rest of `e` only out and out_ld count, but for f32 lo and hi are infinite and out_elem is F32,
     * so that the table's own kernels do. a_elem is the element of V and of transformed weights, b_elem that of plain ones. s16
     * rows of V end in zeros (row_bytes), so a pair may be read beyond k. */
    oct_gemm_entry gemm[OCT_GEMM_VARIANTS + 1];
    /* Weights of one row of positions, 6 i .. 6 i + 5, of one panel, transformed when needed; NULL: they have to be stored
     * transformed. w: [9][groups][nr][kr] as packed, u: [6][groups][nr][kr]. */
    void (*expand)(const void *w, size_t groups, const oct_gemm_entry *panel, size_t i, void *u);
    const char *name;            /* "avx512 F(4x4,3x3)" */
    /* Where it begins to be faster than this ISA's direct kernels (docs/RESULTS.md): channels on either side, and outputs (pixels
     * of all images), with stored weights and with expanded ones. 0: where it does on most (winograd.c). */
    size_t least_channels, least_outputs, least_expanded;
} oct_winograd_entry;

/* --------------------------------------------------------------------------------------- pooling, rest ---- */

/* Pools `pixels` output pixels of `c` channels, each from `taps` pixels of the input. Where they lie:
 *   a_step 0:      a[pixel * taps + tap]                   every output pixel has pointers of its own
 *   otherwise:     a[tap] + pixel * a_step                 the window moves a_step elements from one output pixel to the next
 *   slide > 0:     besides, it moves by one of its columns: taps are rows of `slide` columns, and a[y * slide + x + 1] is
 *                  a[y * slide + x] + a_step, so that the sum of a column serves `slide` output pixels
 * What becomes of them:
 *   max:           out[i] = max over taps
 *   average f32:   out[i] = clamp((sum over taps) * mult[pixel], lo, hi)
 *   average u8:    out[i] = clamp(rne((float)(sum - taps * in_zero) * mult[pixel]) + out_zero, qlo, qhi) */
typedef struct oct_pool_job {
    size_t pixels, taps, c;
    const void *const *a;
    size_t a_step, slide;
    void *out;
    size_t out_ld;              /* elements between output pixels */
    const float *mult;          /* average only, one per pixel: 1 / count, times s_in / s_out for u8 */
    int32_t in_zero, out_zero;
    float lo, hi;               /* f32 */
    uint8_t qlo, qhi;           /* u8 */
} oct_pool_job;

/* The pointers of an output pixel, to which pixel * a_step elements are added. */
static inline const void *const *oct_pool_taps(const oct_pool_job *job, size_t pixel)
{
    return job->a_step ? job->a : job->a + pixel * job->taps;
}

typedef enum oct_binary_kind {
    OCT_KIND_ADD, OCT_KIND_MUL, OCT_KIND_SUB, OCT_KIND_DIV, OCT_KIND_MIN, OCT_KIND_MAX, OCT_KIND_POW
} oct_binary_kind;

/* rows x cols elements; a row of a (b) starts a_stride (b_stride) elements after the one before; a_step, b_step 0 or 1: whether the
 * element is the same along a row.
 *   f32:       out = clamp(a op b, lo, hi)
 *   u8 add:    out = clamp(rne((float)(a - a_zero) * a_mult + (float)(b - b_zero) * b_mult) + out_zero, qlo, qhi)
 *   u8 mul:    out = clamp(rne((float)((a - a_zero) * (b - b_zero)) * a_mult) + out_zero, qlo, qhi) */
typedef struct oct_binary_job {
    oct_binary_kind kind;       /* u8: ADD and MUL only */
    size_t rows, cols;
    const void *a, *b;
    size_t a_stride, b_stride;  /* 0: the same row again */
    size_t a_step, b_step;
    void *out;                  /* may be a or b; rows are cols apart */
    float lo, hi;
    int32_t a_zero, b_zero, out_zero;
    float a_mult, b_mult;       /* add: s_a / s_out, s_b / s_out, fastest on the grid of add_grid.h; mul: s_a * s_b / s_out, - */
    uint8_t qlo, qhi;
} oct_binary_job;

/* Element functions that are no clamp, in f32. alpha and beta as in the ONNX operators of these names:
 *   LEAKY_RELU x < 0 ? alpha * x : x            ELU     x < 0 ? alpha * (exp(x) - 1) : x      TANH  tanh(x)
 *   HARD_SIGMOID clamp(alpha * x + beta, 0, 1)  SIGMOID 1 / (1 + exp(-x))                     GELU  x * (1 + erf(x / sqrt 2)) / 2
 *   HARD_SWISH x * clamp(x / 6 + 1/2, 0, 1)     SWISH   x / (1 + exp(-x))
 * |difference from that| <= 2^-21 * (|f(x)| + min(|x|, 1)) for finite x of at most 2^100; f(NaN) is NaN, but HARD_SIGMOID(NaN) is
 * 0. */
typedef enum oct_activation_kind {
    OCT_ACT_LEAKY_RELU, OCT_ACT_ELU, OCT_ACT_HARD_SIGMOID, OCT_ACT_HARD_SWISH, OCT_ACT_SIGMOID, OCT_ACT_SWISH, OCT_ACT_TANH,
    OCT_ACT_GELU,
    OCT_ACT_COUNT
} oct_activation_kind;

typedef struct oct_activation {
    oct_activation_kind kind;
    float alpha, beta;
} oct_activation;

/* Where one place of a resized axis comes from: two places of the input, and how much of the second. */
typedef struct oct_resize_tap {
    size_t first, second;
    float weight;               /* 0..1 */
    int32_t weight_q14;         /* the same in units of 2^-14: 0..16384 */
} oct_resize_tap;

/* One row of output pixels, each between four input pixels of c channels: with p = x[pixel], w = weight,
 *
 *        row0:  .. a (p.first) .. b (p.second) ..        top (1 - w)
 *                            o                           a fraction p.weight of the way from a to b, w of the way from row0 to row1
 *        row1:  .. c (p.first) .. d (p.second) ..        bottom w
 *
 *   f32:  out = a * (1 - w) * (1 - p.weight) + b * (1 - w) * p.weight + c * w * (1 - p.weight) + d * w * p.weight
 *   u8:   out = (a * A + b * B + c * C + d * D + 2^13) >> 14,   integers, in units of 2^-14, that always add up to 2^14:
 *             D = (weight_q14 * p.weight_q14 + 2^13) >> 14    B = p.weight_q14 - D    C = weight_q14 - D    A = 2^14 - B - C - D */
typedef struct oct_resize_job {
    size_t pixels, c;
    const void *row0, *row1;    /* may be the same */
    const oct_resize_tap *x;    /* one per output pixel */
    float weight;               /* of row1 */
    int32_t weight_q14;
    void *out;                  /* pixels * c elements */
} oct_resize_job;

/* ----------------------------------------------------------------------------------------------- table ---- */

typedef struct oct_kernels {
    const char *isa;

    oct_gemm_entry gemm_f32[OCT_GEMM_VARIANTS + 1];
    oct_gemm_entry gemm_u8s8[OCT_GEMM_VARIANTS + 1];
    oct_gemm_entry gemv_f32[OCT_GEMM_VARIANTS + 1];    /* for one row: bound by the bytes of b */
    oct_gemm_entry gemv_u8s8[OCT_GEMM_VARIANTS + 1];
    oct_depthwise_entry depthwise_f32[OCT_DEPTHWISE_VARIANTS + 1];
    oct_depthwise_entry depthwise_u8s8[OCT_DEPTHWISE_VARIANTS + 1];
    oct_winograd_entry winograd_f32, winograd_u8s8;    /* f32: the scalar table's one hole; there convolution is direct */

    void (*max_pool_f32)(const oct_pool_job *job);
    void (*max_pool_u8)(const oct_pool_job *job);
    void (*average_pool_f32)(const oct_pool_job *job);
    void (*average_pool_u8)(const oct_pool_job *job);

    void (*binary_f32)(const oct_binary_job *job);
    void (*binary_u8)(const oct_binary_job *job);

    /* Output pixel p is the pixel x[p].first of `row`, whatever its bytes mean (their weights are not read). */
    void (*gather_pixels)(size_t pixels, size_t pixel_bytes, const void *row, const oct_resize_tap *x, void *out);
    void (*resize_linear_f32)(const oct_resize_job *job);
    void (*resize_linear_u8)(const oct_resize_job *job);

    /* Element by element; in == out is allowed where both have the same type. */
    void (*clamp_f32)(size_t n, const float *in, float lo, float hi, float *out);
    void (*activate_f32)(const oct_activation *f, size_t n, const float *in, float *out);
    void (*lut_u8)(size_t n, const uint8_t *in, const uint8_t table[256], uint8_t *out);
    /* q = rne(clamp(x * inv_scale, -zero, 255 - zero)) + zero; a NaN gives 0. */
    void (*quantize_f32_u8)(size_t n, const float *in, float inv_scale, int32_t zero, uint8_t *out);
    /* x = (float)(q - zero) * scale */
    void (*dequantize_u8_f32)(size_t n, const uint8_t *in, float scale, int32_t zero, float *out);
    /* q' = clamp(rne((float)(q - in_zero) * mult) + out_zero, 0, 255);  |255 * mult| < 2^31 */
    void (*requantize_u8)(size_t n, const uint8_t *in, int32_t in_zero, float mult, int32_t out_zero, uint8_t *out);
    /* out = in - zero, in [-255, 255] */
    void (*widen_u8_s16)(size_t n, const uint8_t *in, int32_t zero, int16_t *out);
    /* Least and greatest element of n >= 1; NaNs are passed over (all NaN: lo = inf, hi = -inf). */
    void (*minmax_f32)(size_t n, const float *in, float *lo, float *hi);
    /* Each row of `cols` becomes exp(x - max) / sum; in == out is allowed. */
    void (*softmax_f32)(size_t rows, size_t cols, const float *in, float *out);
    /* out[c * out_ld + r] = in[r * in_ld + c] for r < rows, c < cols; elements of 4 bytes or 1 byte */
    void (*transpose_x32)(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld);
    void (*transpose_x8)(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld);
} oct_kernels;

/* -------------------------------------------------------------------------------------------- dispatch ---- */

/* Feature bits of cpu.h; what CPU and operating system both allow. */
typedef struct oct_isa_level {
    const char *name;           /* "scalar", "avx2", ... */
    const char *needs;          /* for people: "AVX2, FMA" */
    uint32_t features;          /* all of these bits (cpu.h) */
    bool compiled;              /* its kernels are in this build */
} oct_isa_level;

/* All levels octet knows, weakest first. */
size_t oct_isa_level_count(void);
const oct_isa_level *oct_isa_level_at(size_t index);

/* The table of a level, or of the best one for name == NULL; NULL if the level is unknown, not compiled, or not allowed by
 * CPU, operating system and `mask` (feature bits; the mask can only remove, ~0u removes nothing). Thread-safe; the table lives for
 * ever. */
const oct_kernels *oct_kernels_get(const char *name, uint32_t mask);

/* Puts an ISA's own entries in front of those of the weaker levels, which keep the shapes it does not accept. */
void oct_lay_depthwise(oct_depthwise_entry *list, const oct_depthwise_entry *own, size_t count);

/* One per ISA folder: lays its entries over a table. */
void oct_overlay_scalar(oct_kernels *table);
void oct_overlay_avx2(oct_kernels *table);
void oct_overlay_avx512(oct_kernels *table);
void oct_overlay_avx512vnni(oct_kernels *table);
void oct_overlay_neon(oct_kernels *table);
void oct_overlay_neondot(oct_kernels *table);

#endif

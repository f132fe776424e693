/* conv_strips.c - convolutions with few input channels (conv_strips.h draws them): which way, how the work is cut, and the copies.
 *
 *   for each strip                                <- one unit of work
 *       copy its image rows, padding written out
 *       rows:      one product, row pointers into the copy
 *       patches:   for each block of pixels: copy their patches, one product
 */
#include "conv_strips.h"

#include <string.h>

/* What a strip's copies may take: they should stay in L1 with the panel that is multiplied. More gains nothing. */
enum { ROWS_BYTES = 24 * 1024, PATCHES_BYTES = 16 * 1024 };
/* Entering the product's loops costs as much as some ten pixels, so a strip has many; but not more work than 10 to 40 us, so that
 * small images have strips enough for some threads. */
enum { STRIP_PIXELS = 512, STRIP_MACS = 1 << 21 };
/* Patches are copied in pieces of this many bytes, so reads and writes may go on past the last element by almost as much. */
enum { PIECE = 16 };
/* Behind the last image row and the last patch. No group is longer. */
enum { SLACK = 64 };

static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }
static size_t max_size(size_t a, size_t b) { return a > b ? a : b; }
static size_t round_up(size_t n, size_t step) { return (n + step - 1) / step * step; }

/* oct_elem in bytes. */
static size_t elem_size(uint8_t elem) { return elem == OCT_ELEM_F32 ? 4 : elem == OCT_ELEM_S16 ? 2 : 1; }

/* --------------------------------------------------------------------------------------- which way ---- */

const char *oct_lowering_name(oct_lowering lowering)
{
    static const char *const names[] = {"matrix", "direct", "rows", "patches"};
    return names[lowering];
}

/* k in whole groups. Panels are the same for both, their last group being padded with zero weights; so the rows may be said to be
 * longer, if what lies there is no NaN: then the kernels have no ragged end to mask. */
static size_t whole_groups(const oct_gemm_entry *variants, size_t k)
{
    const size_t kr = variants->kr;
    for (const oct_gemm_entry *v = variants; v->fn; v++)
        if (v->kr != kr || v->a_elem == OCT_ELEM_F32 || kr * elem_size(v->a_elem) > SLACK)
            return k;
    return round_up(k, kr);
}

/* Pieces of which a patch is made. */
static size_t patch_pieces(const oct_conv_shape *s, const oct_gemm_entry *variants)
{
    return s->kernel_h * ((s->kernel_w * s->in_c * elem_size(variants->a_elem) + PIECE - 1) / PIECE);
}

/* By measurement, in elements that are multiplied for one output:
 *   rows     if they save an eighth of them, or if a tap would be one or two groups: its row pointers cost as much as its products.
 *            (f32 with 3 channels stays direct: there the pointers cost what the copy of the image would, within 5 % either way.)
 *   patches  if they save enough more to pay for the copies: 128 products for each piece copied. For 3x3x3 in groups of 4 that is
 *            so for 64 output channels, not for 32; for 7x7x3 it is for neither. */
oct_lowering oct_conv_lowering(const oct_conv_shape *s, const oct_gemm_entry *variants)
{
    if (oct_conv_is_matrix(s))
        return OCT_LOWERING_MATRIX;
    if (s->groups != 1 || s->dilation_h != 1 || s->dilation_w != 1)
        return OCT_LOWERING_DIRECT;
    const size_t run = s->kernel_w * s->in_c, group = variants->kr;
    const size_t direct = s->kernel_h * s->kernel_w * round_up(s->in_c, group);
    const size_t rows = s->kernel_h * whole_groups(variants, run), patches = whole_groups(variants, s->kernel_h * run);
    if (8 * rows > 7 * direct && s->in_c > 2 * group)
        return OCT_LOWERING_DIRECT;
    const size_t saved = patches < rows ? (rows - patches) * s->out_c : 0;
    return saved > 128 * patch_pieces(s, variants) ? OCT_LOWERING_PATCHES : OCT_LOWERING_ROWS;
}

/* ---------------------------------------------------------------------------------------- planning ---- */

/* Image rows under `rows` output rows. */
static size_t image_rows(const oct_strips *s, size_t rows) { return (rows - 1) * s->shape.stride_h + s->shape.kernel_h; }

/* Image columns under a whole output row, padding included. */
static size_t image_columns(const oct_conv_shape *s) { return (s->out_w - 1) * s->stride_w + s->kernel_w; }

/* Output rows of a strip: pixels enough, but not more work than a unit should have nor more image rows than stay in L1. */
static size_t choose_strip_rows(const oct_strips *s)
{
    const size_t pixels = min_size(STRIP_PIXELS, STRIP_MACS / (s->taps * s->k * s->shape.out_c) + 1);
    size_t rows = min_size(s->shape.out_h, (pixels + s->shape.out_w - 1) / s->shape.out_w);
    while (rows > 1 && image_rows(s, rows) * s->row_bytes > ROWS_BYTES)
        rows--;
    return rows;
}

/* Blocks of patches: nearly equal ones, in multiples of 12, which is a multiple of most tiles' rows. */
static void plan_patches(oct_strips *s)
{
    const size_t pixels = s->strip_rows * s->shape.out_w, bytes = s->run_k * s->elem_bytes;
    const size_t most = max_size(12, PATCHES_BYTES / bytes), blocks = (pixels + most - 1) / most;
    s->block = min_size(pixels, round_up((pixels + blocks - 1) / blocks, 12));
}

oct_strips oct_strips_plan(const oct_conv_shape *shape, oct_lowering lowering, const oct_gemm_entry *variants)
{
    oct_strips s = {.shape = *shape, .lowering = lowering, .elem_bytes = elem_size(variants->a_elem)};
    const size_t run = shape->kernel_w * shape->in_c;
    s.taps = lowering == OCT_LOWERING_ROWS ? shape->kernel_h : 1;
    s.k = lowering == OCT_LOWERING_ROWS ? run : shape->kernel_h * run;
    s.run_k = whole_groups(variants, s.k);
    s.widen = variants->a_elem == OCT_ELEM_S16;
    s.row_bytes = round_up(image_columns(shape) * shape->in_c * s.elem_bytes, 64);
    s.strip_rows = choose_strip_rows(&s);
    s.strips = (shape->out_h + s.strip_rows - 1) / s.strip_rows;
    s.buffer_bytes = image_rows(&s, s.strip_rows) * s.row_bytes + SLACK;
    if (lowering == OCT_LOWERING_PATCHES)
        plan_patches(&s);
    return s;
}

size_t oct_strips_units(const oct_strips *s) { return s->shape.batch * s->strips; }

size_t oct_strips_scratch(const oct_strips *s)
{
    const size_t patches = s->block > 0 ? s->block * s->run_k * s->elem_bytes + SLACK : 0;
    return round_up(s->buffer_bytes + patches, 64);
}

size_t oct_strips_pointers(const oct_strips *s)
{
    return s->lowering == OCT_LOWERING_ROWS ? s->strip_rows * s->shape.out_w * s->taps : 0;
}

void oct_strips_connect(const oct_strips *s, const void *scratch, const void **pointers)
{
    const size_t step = s->shape.stride_w * s->shape.in_c * s->elem_bytes;
    for (size_t i = 0, count = oct_strips_pointers(s); i < count; i++) {
        const size_t pixel = i / s->taps, y = pixel / s->shape.out_w, x = pixel % s->shape.out_w;
        pointers[i] = (const char *)scratch + (y * s->shape.stride_h + i % s->taps) * s->row_bytes + x * step;
    }
}

/* --------------------------------------------------------------------------------------- the copies ---- */

/* One image row: left padding, as many pixels as the windows reach, right padding. */
static void copy_row(const oct_strips_job *job, const void *in, uint8_t *to)
{
    const oct_strips *s = job->strips;
    const oct_conv_shape *c = &s->shape;
    const int border = s->elem_bytes == 1 ? job->in_zero : 0;
    const size_t pixel = c->in_c * s->elem_bytes, columns = image_columns(c), left = min_size(c->pad_left, columns);
    const size_t inside = in ? min_size(c->in_w, columns - left) : 0;
    memset(to, border, left * pixel);
    if (inside > 0 && s->widen)
        job->kernels->widen_u8_s16(inside * c->in_c, in, job->in_zero, (int16_t *)(void *)(to + left * pixel));
    else if (inside > 0)
        memcpy(to + left * pixel, in, inside * pixel);
    memset(to + (left + inside) * pixel, border, (columns - left - inside) * pixel);
}

/* The image rows under output rows [oy, oy + rows). Above the image y wraps to a huge value: one comparison catches both sides. */
static void copy_rows(const oct_strips_job *job, size_t image, size_t oy, size_t rows, uint8_t *to)
{
    const oct_strips *s = job->strips;
    const oct_conv_shape *c = &s->shape;
    const size_t in_row = c->in_w * c->in_c * (s->widen ? 1 : s->elem_bytes), count = image_rows(s, rows);
    for (size_t r = 0; r < count; r++, to += s->row_bytes) {
        const size_t y = oy * c->stride_h + r - c->pad_top;
        copy_row(job, y < c->in_h ? (const uint8_t *)job->in + (image * c->in_h + y) * in_row : NULL, to);
    }
}

/* How patches lie in the copied image rows; all but the counts in bytes. */
typedef struct gather {
    size_t kernel_h, run;        /* kernel rows, and what one covers of an image row */
    size_t row, step;            /* from one image row, from one output pixel to the next */
    size_t patch;                /* from one patch to the next */
} gather;

/* Patches of `count` neighbours in one output row, a run being `pieces` pieces long. What a piece writes too much, the next puts
 * right: all is written from front to back. (Kernel row by kernel row instead of patch by patch takes twice as long.) */
static inline void copy_pieces(gather g, const uint8_t *from, uint8_t *to, size_t count, size_t pieces)
{
    for (; count > 0; count--, from += g.step, to += g.patch) {
        const uint8_t *row = from;
        uint8_t *run = to;
        for (size_t ky = 0; ky < g.kernel_h; ky++, row += g.row, run += g.run)
            for (size_t p = 0; p < pieces; p++)
                memcpy(run + p * PIECE, row + p * PIECE, PIECE);
    }
}

/* Functions of their own, called once per output row: inlined into the loops below their counters would live on the stack. */
#define APART static __attribute__((noinline))
APART void copy_one(const gather *g, const uint8_t *from, uint8_t *to, size_t count) { copy_pieces(*g, from, to, count, 1); }
APART void copy_two(const gather *g, const uint8_t *from, uint8_t *to, size_t count) { copy_pieces(*g, from, to, count, 2); }
APART void copy_any(const gather *g, const uint8_t *from, uint8_t *to, size_t count)
{
    copy_pieces(*g, from, to, count, (g->run + PIECE - 1) / PIECE);
}

/* Patches of pixels [begin, end) of the strip. */
static void fill_patches(const oct_strips *s, const uint8_t *rows, size_t begin, size_t end, uint8_t *to)
{
    const oct_conv_shape *c = &s->shape;
    const size_t pixel = c->in_c * s->elem_bytes;
    const gather g = {.kernel_h = c->kernel_h, .run = c->kernel_w * pixel, .row = s->row_bytes, .step = c->stride_w * pixel,
                      .patch = s->run_k * s->elem_bytes};
    void (*const copy)(const gather *, const uint8_t *, uint8_t *, size_t) =
        g.run <= PIECE ? copy_one : g.run <= 2 * PIECE ? copy_two : copy_any;
    while (begin < end) {
        const size_t y = begin / c->out_w, x = begin % c->out_w, count = min_size(end - begin, c->out_w - x);
        copy(&g, rows + y * c->stride_h * g.row + x * g.step, to, count);
        to += count * g.patch;
        begin += count;
    }
}

/* ---------------------------------------------------------------------------------------- the loops ---- */

/* Moves output and residual down to a row of the product. */
static void move_epilogue(oct_epilogue *e, size_t row)
{
    const size_t size = elem_size((uint8_t)e->out_elem);
    e->out = (char *)e->out + row * e->out_ld * size;
    if (e->residual)
        e->residual = (const char *)e->residual + row * e->residual_ld * size;
}

static void multiply(const oct_gemm_job *gemm) { oct_gemm_run(gemm, 0, oct_gemm_units(gemm)); }

/* All pixels of a strip; gemm: with the epilogue at the first of them. */
static void run_strip(const oct_strips_job *job, oct_gemm_job *gemm, size_t pixels, uint8_t *scratch)
{
    const oct_strips *s = job->strips;
    if (s->lowering == OCT_LOWERING_ROWS) {
        gemm->m = pixels;
        gemm->rows = job->pointers;
        gemm->padding = NULL;
        gemm->a_offset = (size_t)(scratch - (const uint8_t *)job->connected) / s->elem_bytes;
        multiply(gemm);
        return;
    }
    gemm->rows = NULL;
    gemm->a = scratch + s->buffer_bytes;
    gemm->lda = s->run_k;
    for (size_t begin = 0; begin < pixels; begin += gemm->m) {
        gemm->m = min_size(s->block, pixels - begin);
        fill_patches(s, scratch, begin, begin + gemm->m, scratch + s->buffer_bytes);
        multiply(gemm);
        move_epilogue(&gemm->e, gemm->m);
    }
}

void oct_strips_run(const oct_strips_job *job, size_t begin, size_t end, void *scratch)
{
    const oct_strips *s = job->strips;
    oct_packed packed = *job->gemm.packed;
    packed.k = s->run_k;
    for (size_t unit = begin; unit < end; unit++) {
        const size_t image = unit / s->strips, oy = unit % s->strips * s->strip_rows;
        const size_t rows = min_size(s->strip_rows, s->shape.out_h - oy);
        oct_gemm_job gemm = job->gemm;
        gemm.packed = &packed;
        move_epilogue(&gemm.e, (image * s->shape.out_h + oy) * s->shape.out_w);
        copy_rows(job, image, oy, rows, scratch);
        run_strip(job, &gemm, rows * s->shape.out_w, scratch);
    }
}

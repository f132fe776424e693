/* gemm.c - the loops (gemm.h draws them), for every ISA and both precisions: who computes which tile, and with which pointers.
 *
 *                     panels
 *               | p0 | p1 | p2 |        strip = some rows, in blocks of at most mr     a unit of work = one strip x one panel
 *      strip 0  | u  | u  | u  |        block = the rows of one micro-kernel call      units are independent of each other
 *      strip 1  | u  | u  | u  |
 *
 * Inside a unit the panel stays in the cache while the strip's rows pass by. Units follow each other along a strip (the strip's
 * rows stay in L2, all weights pass by) or, when all of A fits in L2, down a panel (the panel stays, all of A passes by): then the
 * weights, which are often far bigger than any cache, are read once.
 */
#include "gemm.h"

#include <math.h>
#include <string.h>

/* A unit should outweigh the cost of handing it out (some 0.3 us): 2^19 multiply-accumulates are 9 us at 120 GFLOP/s. */
enum { UNIT_MACS = 1 << 19, MIN_STRIP_ROWS = 48 };
/* About half of the smallest L2 that is common today. */
enum { A_CACHE_BYTES = 256 * 1024 };

/* oct_elem in bytes. */
static size_t elem_size(uint8_t elem) { return elem == OCT_ELEM_F32 ? 4 : elem == OCT_ELEM_S16 ? 2 : 1; }

/* Piece `index` of `total` things cut into `pieces` nearly equal parts begins here. No part is more than one larger than another:
 * 49 rows in tiles of at most 12 are 9, 10, 10, 10, 10, not 12, 12, 12, 12, 1. */
static size_t piece_begin(size_t total, size_t pieces, size_t index)
{
    return total / pieces * index + total % pieces * index / pieces;
}

/* ------------------------------------------------------------------------------------------- the cut ---- */

/* A product is deep when its panels would not stay in the L2 cache beside A while all the rows of a strip pass by: k is then
 * summed up in pieces of about 512 (at most 128 KB of a panel), and strips are high, for every strip fetches all panels from
 * further away. Only plain products of f32: a convolution's sums have one order. */
enum { DEEP_K = 1024, DEEP_ROWS = 384, DEEP_COLUMNS = 512, PIECE_K = 512 };

/* How much of k is summed up at a time. */
static size_t piece_of_k(const oct_gemm_job *job)
{
    const oct_packed *w = job->packed;
    const bool f32 = w->variants->a_elem == OCT_ELEM_F32 && job->e.out_elem == OCT_ELEM_F32;
    if (!f32 || job->rows || w->k <= DEEP_K || job->m < DEEP_ROWS || w->n < DEEP_COLUMNS)
        return w->k;
    const size_t pieces = (w->k + PIECE_K - 1) / PIECE_K;
    return (w->k + pieces - 1) / pieces;
}

/* How a job is cut. A pure function of the job, so that every thread finds the same cut by itself. */
typedef struct grid {
    size_t panels, strips;
    size_t blocks;              /* of the widest variant's mr; strips are whole blocks */
    bool panels_outside;
} grid;

static grid cut(const oct_gemm_job *job)
{
    const oct_packed *w = job->packed;
    const oct_gemm_entry *widest = w->variants;
    grid g = {.panels = oct_panel_count(w->variants, w->n), .blocks = (job->m + widest->mr - 1) / widest->mr};
    /* k without taps: the taps of neighbouring pixels are mostly the same memory. */
    g.panels_outside = job->m * w->k * elem_size(widest->a_elem) <= A_CACHE_BYTES;
    /* As many rows as make a unit worth its while; then whole blocks, then nearly equal strips of them. */
    const size_t row_macs = w->taps * w->k * widest->nr;
    size_t rows = UNIT_MACS / row_macs + 1;
    if (piece_of_k(job) < w->k && rows < DEEP_ROWS)
        rows = DEEP_ROWS;
    if (!g.panels_outside && rows < MIN_STRIP_ROWS)
        rows = MIN_STRIP_ROWS;                               /* weights are read again for every strip: let it be worth it */
    const size_t strip_blocks = (rows + widest->mr - 1) / widest->mr;
    g.strips = (g.blocks + strip_blocks - 1) / strip_blocks;
    return g;
}

size_t oct_gemm_units(const oct_gemm_job *job)
{
    if (job->m == 0 || job->packed->n == 0)
        return 0;
    const grid g = cut(job);
    return g.panels * g.strips;
}

/* First row of a strip (or m, for the one after the last). */
static size_t strip_begin(const oct_gemm_job *job, const grid *g, size_t strip)
{
    return piece_begin(job->m, g->blocks, piece_begin(g->blocks, g->strips, strip));
}

/* ------------------------------------------------------------------------------------------ one tile ---- */

/* Whether all m rows of a tile are outside the image at this tap. */
static bool tap_is_padding(const oct_gemm_job *job, size_t row, size_t m, size_t tap)
{
    const size_t taps = job->packed->taps;
    for (size_t r = 0; r < m; r++)
        if (job->rows[(row + r) * taps + tap] != job->padding)
            return false;
    return true;
}

/* Whether padding counts for nothing in a sum: f32 and s16 rows hold zeros there. u8 rows hold the zero point, which acc_bias
 * makes up for at every tap; nothing is to be made up for if it is what the kernel subtracts anyway: 0 after most activations. */
static bool padding_adds_nothing(const oct_gemm_job *job, const oct_gemm_entry *entry)
{
    return entry->a_elem != OCT_ELEM_U8 || *(const uint8_t *)job->padding == entry->a_shift;
}

/* Leaves out taps at both ends that are padding in every row, where that is exact. In a 3x3 convolution that is a third of the
 * work of tiles in the top and bottom row. */
static void skip_padding(const oct_gemm_job *job, const oct_panel *p, size_t row, oct_tile *t)
{
    if (!job->padding || !job->rows || !padding_adds_nothing(job, p->entry))
        return;
    /* A contiguous range is kept, at least one tap: the kernel's panel pointer must run on without jumps. */
    size_t begin = 0, end = t->taps;
    while (end - begin > 1 && tap_is_padding(job, row, t->m, begin))
        begin++;
    while (end - begin > 1 && tap_is_padding(job, row, t->m, end - 1))
        end--;
    if (begin > 0) {
        const size_t groups = (t->k + p->entry->kr - 1) / p->entry->kr;
        t->a += begin;
        t->b = (const char *)t->b + begin * groups * p->entry->nr * p->entry->kr * elem_size(p->entry->b_elem);
    }
    t->taps = end - begin;
}

/* The tile of a unit before its first block: what stays the same from block to block, and the epilogue at row `row`. Written in
 * place, field by field: a copy of the whole would read by vectors what was just written by words, and wait for it. */
static inline void begin_tile(const oct_gemm_job *job, const oct_panel *p, size_t row, oct_tile *t)
{
    const oct_epilogue *e = &job->e;
    const size_t size = elem_size((uint8_t)e->out_elem);
    t->n = p->n;
    t->taps = job->packed->taps;
    t->k = job->packed->k;
    t->a_stride = job->rows ? t->taps : 1;
    t->a_offset = job->a_offset;
    t->e = *e;
    t->e.out = (char *)e->out + (row * e->out_ld + p->n0) * size;
    if (e->residual)
        t->e.residual = (const char *)e->residual + (row * e->residual_ld + p->n0) * size;
    if (e->bias)
        t->e.bias = e->bias + p->column;
    if (e->acc_bias)
        t->e.acc_bias = e->acc_bias + p->column;
    if (e->mult)
        t->e.mult = e->mult + p->column;
}

/* ----------------------------------------------------------------------------------------- the loops ---- */

/* Rows of a block. With four-way dot products (VNNI) and k of 64 or less, requantising costs a fifth of a tile's time, and tiles
 * of 4 x 64 let the core do more of it beside the next tile's products than 6 x 64: 85 % instead of 82 % of the peak, K = 64. */
static size_t most_rows(const oct_gemm_job *job, const oct_panel *p)
{
    const oct_gemm_entry *e = p->entry;
    const bool little = e->kr == 4 && e->nr == 64 && e->mr > 4 && job->packed->taps * job->packed->k <= 64;
    return little ? 4 : e->mr;
}

/* Rows [begin, end) against one panel, in balanced blocks of at most the panel's own mr: first those with a row more. With little
 * k a block takes some 50 ns: so the tile is written once and only moved on, there is no division in the loop, and the sizes of
 * blocks are such that the branch predictor can follow. */
static void run_unit(const oct_gemm_job *job, const oct_panel *p, size_t begin, size_t end)
{
    const size_t rows = end - begin, most = most_rows(job, p), blocks = rows <= most ? 1 : (rows + most - 1) / most;
    const size_t step = p->entry->mr > OCT_PAIRED_MR ? 2 : 1, steps = (rows + step - 1) / step;
    const size_t least = steps / blocks * step, more = steps % blocks;
    const size_t size = elem_size((uint8_t)job->e.out_elem), row_bytes = job->lda * elem_size(p->entry->a_elem);
    const char *panel = (const char *)job->packed->data + p->offset;
    /* A matrix has no row pointers of its own; each block gets some for the length of its call. */
    const void *matrix_rows[OCT_GEMM_MAX_MR];
    oct_tile t;
    begin_tile(job, p, begin, &t);
    t.a = matrix_rows;
    for (size_t b = 0, row = begin; b < blocks; b++) {
        t.m = least + (b < more ? step : 0);
        if (t.m > end - row)
            t.m = end - row;                    /* of the last pair there is one row only */
        t.b = panel;
        if (job->rows) {
            t.a = job->rows + row * job->packed->taps;
            t.taps = job->packed->taps;
            skip_padding(job, p, row, &t);
        } else {
            for (size_t r = 0; r < t.m; r++)
                matrix_rows[r] = (const char *)job->a + (row + r) * row_bytes;
        }
        p->entry->fn(&t);
        /* The post-pass while the tile is in L1. */
        if (job->post.fn)
            for (size_t r = 0; r < t.m; r++)
                job->post.fn(job->post.arg, (char *)t.e.out + r * t.e.out_ld * size, p->n);
        row += t.m;
        t.e.out = (char *)t.e.out + t.m * t.e.out_ld * size;
        if (t.e.residual)
            t.e.residual = (const char *)t.e.residual + t.m * t.e.residual_ld * size;
    }
}

/* A unit of a deep product: all pieces of k but the first add to what the one before has left in `out`, which the epilogue does as
 * it adds any residual; all but the last go without clamp and post-pass. */
static void run_deep_unit(const oct_gemm_job *job, const oct_panel *p, size_t begin, size_t end, size_t piece)
{
    static const _Alignas(64) float zeros[OCT_GEMM_MAX_NR] = {0};
    const oct_packed *whole = job->packed;
    oct_packed part = *whole;
    oct_gemm_job j = *job;
    oct_panel at = *p;
    j.packed = &part;
    at.offset = 0;                                           /* part.data is where the panel's piece begins */
    for (size_t k = 0; k < whole->k; k += piece) {
        const bool last = whole->k - k <= piece;
        part.k = last ? whole->k - k : piece;
        part.data = (const char *)whole->data + p->offset + k * p->entry->nr * sizeof(float);
        j.a = (const float *)job->a + k;
        j.e.lo = last ? job->e.lo : -INFINITY;
        j.e.hi = last ? job->e.hi : INFINITY;
        j.post = last ? job->post : (oct_post){.fn = NULL};
        run_unit(&j, &at, begin, end);
        j.e.bias = zeros;
        at.column = 0;
        j.e.residual = j.e.out;
        j.e.residual_ld = j.e.out_ld;
    }
}

/* Where a unit lies; one walks from unit to unit, since finding a place by its number takes as long as a small unit itself (a row
 * against one panel: some 20 ns). */
typedef struct place {
    size_t strip, begin, end;   /* its rows */
    size_t index;               /* of the panel */
    oct_panel panel;
} place;

static void enter_strip(const oct_gemm_job *job, const grid *g, size_t strip, place *at)
{
    at->strip = strip;
    at->begin = strip_begin(job, g, strip);
    at->end = strip_begin(job, g, strip + 1);
}

static void enter_panel(const oct_gemm_job *job, size_t index, place *at)
{
    at->index = index;
    at->panel = oct_panel_at(job->packed, index);
}

/* To the next unit; the one after the last is the first again. */
static void step(const oct_gemm_job *job, const grid *g, place *at)
{
    const bool last_strip = at->strip + 1 == g->strips, last_panel = at->index + 1 == g->panels;
    if (g->strips > 1 && (g->panels_outside || last_panel))
        enter_strip(job, g, last_strip ? 0 : at->strip + 1, at);
    if (g->panels_outside && !last_strip)
        return;
    if (last_panel) {
        enter_panel(job, 0, at);
    } else {
        oct_panel_next(job->packed, &at->panel);
        at->index++;
    }
}

void oct_gemm_run(const oct_gemm_job *job, size_t unit_begin, size_t unit_end)
{
    if (unit_begin >= unit_end)
        return;
    const grid g = cut(job);
    place at;
    enter_strip(job, &g, g.panels_outside ? unit_begin % g.strips : unit_begin / g.panels, &at);
    enter_panel(job, g.panels_outside ? unit_begin / g.strips : unit_begin % g.panels, &at);
    const size_t piece = piece_of_k(job);
    for (size_t unit = unit_begin; unit < unit_end; unit++, step(job, &g, &at))
        if (piece < job->packed->k)
            run_deep_unit(job, &at.panel, at.begin, at.end, piece);
        else
            run_unit(job, &at.panel, at.begin, at.end);
}

/* -------------------------------------------------------------------------------------- convolutions ---- */

/* Bottom and right padding show only in the output's size. */
bool oct_conv_is_matrix(const oct_conv_shape *s)
{
    return s->kernel_h == 1 && s->kernel_w == 1 && s->stride_h == 1 && s->stride_w == 1 && s->pad_top == 0 && s->pad_left == 0 &&
           s->out_h == s->in_h && s->out_w == s->in_w;
}

/* The taps of one output pixel. Coordinates left of or above the image wrap to huge values: one comparison catches both sides. */
static const void **pixel_taps(const oct_conv_shape *s, const char *image, size_t pixel_bytes, size_t oy, size_t ox,
                               const void *padding, const void **taps)
{
    for (size_t ky = 0; ky < s->kernel_h; ky++) {
        const size_t y = oy * s->stride_h + ky * s->dilation_h - s->pad_top;
        for (size_t kx = 0; kx < s->kernel_w; kx++) {
            const size_t x = ox * s->stride_w + kx * s->dilation_w - s->pad_left;
            const bool inside = y < s->in_h && x < s->in_w;
            *taps++ = inside ? image + (y * s->in_w + x) * pixel_bytes : padding;
        }
    }
    return taps;
}

/* Pixel after pixel, in the order of the output's rows: the GEMM's row i is output pixel i. */
void oct_conv_rows(const oct_conv_shape *s, const void *in, size_t elem_size_in, const void *padding, const void **rows)
{
    const size_t pixel_bytes = s->in_c * elem_size_in;
    const char *image = in;
    for (size_t n = 0; n < s->batch; n++, image += s->in_h * s->in_w * pixel_bytes)
        for (size_t oy = 0; oy < s->out_h; oy++)
            for (size_t ox = 0; ox < s->out_w; ox++)
                rows = pixel_taps(s, image, pixel_bytes, oy, ox, padding, rows);
}

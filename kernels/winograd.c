/* winograd.c - the loops of winograd.h: who transforms which tile, and the 36 products between.
 *
 *     block of tiles:   pixels --input--> V      for each panel:  V(p) x U(p) -> M(p), p = 0..35     M --output--> pixels
 *
 *     thread's scratch  | zeros | row pointers | V (unless shared) | M | expanded weights |
 */
#include "winograd.h"

#include <math.h>
#include <string.h>

enum { POSITIONS = OCT_WINOGRAD_POSITIONS, SIDE = OCT_WINOGRAD_SIDE, CLASSES = 3 };
enum { LINE = 64 };                    /* bytes of a cache line, and the alignment of everything here */
enum { BIAS_POSITION = SIDE + 1 };     /* (1, 1): enters every output of every tile with factor 1 */

/* Blocks: V and M of one should stay in a core's L2. Every block reads all weights: where those come from L3 or DRAM, more tiles
 * a block are worth more than V and M in L2. */
enum { BLOCK_BYTES = 1024 * 1024, BLOCK_LEAST = 18, BLOCK_MOST = 36, HEAVY_BLOCK = 72, HEAVY_WEIGHTS = 16 * 1024 * 1024 };
/* Units of work wanted for every thread, and what they should not fall below: some row tiles of the micro-kernels. */
enum { UNITS_PER_THREAD = 4, UNIT_TILES = 12 };

static size_t min_size(size_t a, size_t b) { return a < b ? a : b; }
static size_t max_size(size_t a, size_t b) { return a > b ? a : b; }
static size_t round_up(size_t n, size_t step) { return (n + step - 1) / step * step; }

/* oct_elem in bytes. */
static size_t elem_size(uint8_t elem) { return elem == OCT_ELEM_F32 ? 4 : elem == OCT_ELEM_S16 ? 2 : 1; }

/* -------------------------------------------------------------------------------------- geometry ---- */

bool oct_winograd_accepts(const oct_conv_shape *s)
{
    return s->kernel_h == 3 && s->kernel_w == 3 && s->stride_h == 1 && s->stride_w == 1 && s->dilation_h == 1 &&
           s->dilation_w == 1 && s->groups == 1;
}

static size_t tiles_along(size_t side) { return (side + 3) / 4; }

/* A rest of 1 would be a wasteful tile: 4 + 1 becomes 3 + 2. */
oct_winograd_span oct_winograd_cut(size_t side, size_t index)
{
    const size_t left = side - 4 * index;
    if (left == 5)
        return (oct_winograd_span){4 * index, 3};
    if (left == 1)
        return (oct_winograd_span){4 * index - (index > 0), 2};
    return (oct_winograd_span){4 * index, min_size(left, 4)};
}

/* -------------------------------------------------------------------------------------- which way ---- */

/* Bytes of all transformed weights. */
static size_t weight_bytes(const oct_conv_shape *s, const oct_winograd_entry *entry)
{
    return POSITIONS * s->in_c * s->out_c * elem_size(entry->gemm->a_elem);
}

/* Expanding costs about as much as the products of some tiles, again for every block of tiles; reading stored weights costs the
 * time of 72 bytes (s16) per pair of channels from wherever they are, once per block. Where a network's weights do not stay in
 * the cache, stored ones win only when many tiles share few of them: up to this many bytes per tile. */
enum { STORED_BYTES_PER_TILE = 4096 };

oct_winograd_weights oct_winograd_prefer(const oct_conv_shape *s, const oct_winograd_entry *entry, bool lasting)
{
    const size_t tiles = s->batch * tiles_along(s->out_h) * tiles_along(s->out_w);
    const bool light = weight_bytes(s, entry) / tiles <= STORED_BYTES_PER_TILE;
    return !entry->expand || lasting || light ? OCT_WINOGRAD_STORED : OCT_WINOGRAD_EXPANDED;
}

/* Where the direct kernels are faster: too few channels to pay for the transforms, or too few outputs to pay for reading 36
 * weights instead of 9. Weights too many to be still in a cache when their layer's turn comes want more: f32 ones from DRAM break
 * even at some 70 outputs. */
enum { LEAST_CHANNELS = 16, LEAST_OUTPUTS = 49, LEAST_OUTPUTS_HEAVY = 100, HEAVY_LAYER = 8 * 1024 * 1024 };

bool oct_winograd_pays(const oct_conv_shape *s, const oct_winograd_entry *entry, oct_winograd_weights weights)
{
    const bool stored = weights == OCT_WINOGRAD_STORED, heavy = stored && weight_bytes(s, entry) > HEAVY_LAYER;
    const size_t least = heavy ? LEAST_OUTPUTS_HEAVY : LEAST_OUTPUTS;
    const size_t outputs = max_size(stored ? entry->least_outputs : entry->least_expanded, least);
    const size_t channels = max_size(entry->least_channels, LEAST_CHANNELS);
    return s->in_c >= channels && s->out_c >= channels && s->batch * s->out_h * s->out_w >= outputs;
}

/* ---------------------------------------------------------------------------------------- the plan ---- */

/* Tiles of a block: whole row tiles of the micro-kernel, and nearly equal blocks. */
static size_t choose_block(const oct_winograd *w, size_t row_bytes, size_t units)
{
    const size_t mr = w->entry->gemm->mr;
    size_t most = min_size(max_size(BLOCK_LEAST, BLOCK_BYTES / (POSITIONS * row_bytes)), BLOCK_MOST);
    if (weight_bytes(&w->shape, w->entry) > HEAVY_WEIGHTS || w->weights == OCT_WINOGRAD_EXPANDED)
        most = HEAVY_BLOCK;
    size_t blocks = (w->tiles + most - 1) / most;
    if (blocks * w->panels < units)
        blocks = max_size(blocks, min_size((units + w->panels - 1) / w->panels, w->tiles / UNIT_TILES));
    return min_size(w->tiles, round_up((w->tiles + blocks - 1) / blocks, mr));
}

oct_winograd oct_winograd_plan(const oct_conv_shape *shape, const oct_winograd_entry *entry, oct_winograd_weights weights,
                               size_t threads)
{
    oct_winograd w = {.shape = *shape, .entry = entry, .weights = weights};
    const size_t elem = elem_size(entry->gemm->a_elem), nr = entry->gemm->nr, kr = entry->gemm->kr;
    const size_t units = threads > 1 ? threads * UNITS_PER_THREAD : 1;
    w.tiles_y = tiles_along(shape->out_h);
    w.tiles_x = tiles_along(shape->out_w);
    w.tiles = shape->batch * w.tiles_y * w.tiles_x;
    w.panels = oct_panel_count(entry->gemm, shape->out_c);
    w.in_bytes = entry->gemm->a_elem == OCT_ELEM_F32 ? sizeof(float) : 1;
    w.v_row = round_up(shape->in_c * elem, LINE);
    w.block = choose_block(&w, w.v_row + nr * sizeof(float), units);
    w.blocks = (w.tiles + w.block - 1) / w.block;
    w.v_position = w.block * w.v_row + LINE;
    w.v_block = POSITIONS * w.v_position;
    w.m_bytes = POSITIONS * (w.block * nr * sizeof(float) + LINE);
    w.u_bytes = weights == OCT_WINOGRAD_EXPANDED ? round_up(SIDE * round_up(shape->in_c, kr) * nr * elem, LINE) : 0;
    w.shared = w.blocks < units && w.panels > 1;
    return w;
}

size_t oct_winograd_taps(const oct_winograd_entry *entry, oct_winograd_weights weights)
{
    const size_t wider = elem_size(entry->gemm->a_elem) / elem_size(entry->gemm->b_elem);
    return weights == OCT_WINOGRAD_STORED ? POSITIONS * wider : 9;
}

/* ------------------------------------------------------------------------------------------ scratch ---- */

static size_t zeros_bytes(const oct_winograd *w) { return round_up(w->entry->gemm->nr * sizeof(float), LINE); }
static size_t rows_bytes(const oct_winograd *w) { return round_up(w->block * sizeof(void *), LINE); }

size_t oct_winograd_shared_scratch(const oct_winograd *w) { return w->shared ? w->blocks * w->v_block : 0; }

size_t oct_winograd_thread_scratch(const oct_winograd *w)
{
    return zeros_bytes(w) + rows_bytes(w) + (w->shared ? 0 : w->v_block) + w->m_bytes + w->u_bytes;
}

/* One thread's buffers for the block it is at. */
typedef struct buffers {
    void *zeros;               /* where accumulators start that have no bias */
    const void **rows;         /* row r of V(0), for every r */
    char *v, *m, *u;
} buffers;

static buffers lay_out(const oct_winograd_job *job, size_t block, char *scratch)
{
    const oct_winograd *w = job->plan;
    buffers b = {.zeros = scratch, .rows = (const void **)(void *)(scratch + zeros_bytes(w))};
    b.m = scratch + zeros_bytes(w) + rows_bytes(w);
    b.u = b.m + w->m_bytes;
    b.v = w->shared ? (char *)job->shared + block * w->v_block : b.u + w->u_bytes;
    memset(b.zeros, 0, zeros_bytes(w));
    for (size_t r = 0; r < w->block; r++)
        b.rows[r] = b.v + r * w->v_row;
    return b;
}

/* ------------------------------------------------------------------------------ walking over tiles ---- */

/* A tile of a block, and how many tiles were in each class before it. */
typedef struct walk {
    const oct_winograd *plan;
    size_t image, ty, tx;
    oct_winograd_span y, x;
    oct_winograd_tile tile;
} walk;

static void settle(walk *at)
{
    at->y = oct_winograd_cut(at->plan->shape.out_h, at->ty);
    at->x = oct_winograd_cut(at->plan->shape.out_w, at->tx);
    at->tile.rows = (uint32_t)at->y.size;
    at->tile.cols = (uint32_t)at->x.size;
}

static walk walk_from(const oct_winograd *w, size_t tile)
{
    walk at = {.plan = w, .image = tile / (w->tiles_y * w->tiles_x), .ty = tile / w->tiles_x % w->tiles_y, .tx = tile % w->tiles_x};
    settle(&at);
    return at;
}

/* F(2,3), F(3,3), F(4,3) have rows of positions of the classes {0}, {0, 1}, {0, 1, 2}. After the last tile, slot is the number of
 * rows there are of each pair of classes. */
static void walk_on(walk *at)
{
    for (uint32_t i = 0; i + 1 < at->tile.rows; i++)
        for (uint32_t j = 0; j + 1 < at->tile.cols; j++)
            at->tile.slot[i][j]++;
    if (++at->tx == at->plan->tiles_x) {
        at->tx = 0;
        if (++at->ty == at->plan->tiles_y) {
            at->ty = 0;
            at->image++;
        }
    }
    settle(at);
}

static size_t block_end(const oct_winograd *w, size_t block) { return min_size((block + 1) * w->block, w->tiles); }

/* --------------------------------------------------------------------------------- input transform ---- */

/* The tile's input pixels. Coordinates left of or above the image wrap to huge values: one comparison catches both sides. */
static void find_pixels(const oct_winograd_job *job, const walk *at, const void **pixels)
{
    const oct_conv_shape *s = &job->plan->shape;
    const size_t pixel = s->in_c * job->plan->in_bytes;
    const char *image = (const char *)job->in + at->image * s->in_h * s->in_w * pixel;
    for (size_t i = 0; i < at->y.size + 2; i++) {
        const size_t y = at->y.begin + i - s->pad_top;
        for (size_t j = 0; j < at->x.size + 2; j++) {
            const size_t x = at->x.begin + j - s->pad_left;
            pixels[i * SIDE + j] = y < s->in_h && x < s->in_w ? image + (y * s->in_w + x) * pixel : job->padding;
        }
    }
}

static void transform_block(const oct_winograd_job *job, size_t block, char *v)
{
    const oct_winograd *w = job->plan;
    const void *pixels[POSITIONS];
    walk at = walk_from(w, block * w->block);
    const oct_winograd_input in = {.tile = &at.tile, .pixels = pixels, .c = w->shape.in_c, .v = v,
                                   .position_bytes = w->v_position, .row_bytes = w->v_row};
    for (size_t t = block * w->block; t < block_end(w, block); t++, walk_on(&at)) {
        find_pixels(job, &at, pixels);
        w->entry->input(&in);
    }
}

/* -------------------------------------------------------------------------------------- the products ---- */

static const size_t class_of[SIDE] = {0, 0, 0, 1, 2, 0};

/* M(p) = V(p) U(p) for all rows of one position: balanced row tiles, as gemm.c cuts them. */
static void multiply(const oct_panel *panel, oct_tile *t, size_t rows, const void **v)
{
    const size_t mr = panel->entry->mr, tiles = (rows + mr - 1) / mr;
    char *m = t->e.out;
    for (size_t i = 0, row = 0; i < tiles; i++, row += t->m) {
        t->m = rows / tiles + (i < rows % tiles);
        t->a = v + row;
        t->e.out = m + row * t->e.out_ld * sizeof(float);
        panel->entry->fn(t);
    }
}

/* Bytes from M(p) to M(p + 1). */
static size_t m_position(const oct_winograd *w, const oct_panel *panel)
{
    return w->block * panel->entry->nr * sizeof(float) + LINE;
}

/* All 36 for one panel. counts: rows of each class in this block. */
static void multiply_panel(const oct_winograd_job *job, const oct_panel *panel, const oct_winograd_tile *counts, const buffers *b)
{
    const oct_winograd *w = job->plan;
    const oct_gemm_entry *g = panel->entry;
    const size_t groups = (w->shape.in_c + g->kr - 1) / g->kr, tap_bytes = groups * g->kr * g->nr * elem_size(g->a_elem);
    const char *weights = (const char *)job->packed->data + panel->offset;
    oct_tile t = {.n = g->nr, .taps = 1, .k = w->shape.in_c, .a_stride = 1};
    t.e = (oct_epilogue){.lo = -INFINITY, .hi = INFINITY, .out_elem = OCT_ELEM_F32, .out_ld = g->nr};
    for (size_t p = 0; p < POSITIONS; p++) {
        const size_t i = p / SIDE, j = p % SIDE;
        const void *start = p == BIAS_POSITION ? (const char *)job->start + panel->column * sizeof(float) : b->zeros;
        if (w->weights == OCT_WINOGRAD_EXPANDED && j == 0)
            w->entry->expand(weights, groups, g, i, b->u);
        t.b = w->weights == OCT_WINOGRAD_EXPANDED ? b->u + j * tap_bytes : weights + p * tap_bytes;
        t.a_offset = p * w->v_position / elem_size(g->a_elem);
        t.e.bias = start;
        t.e.acc_bias = start;
        t.e.out = b->m + p * m_position(w, panel);
        multiply(panel, &t, counts->slot[class_of[i]][class_of[j]], b->rows);
    }
}

/* -------------------------------------------------------------------------------- output transform ---- */

/* The activation that is no clamp, pixel by pixel, while they are in L1. */
static void post_pass(const oct_winograd_job *job, const oct_winograd_output *out, size_t size)
{
    for (size_t y = 0; y < out->rows; y++)
        for (size_t x = 0; x < out->cols; x++)
            job->post.fn(job->post.arg, (char *)out->e.out + (y * out->out_line + x * out->e.out_ld) * size, out->n);
}

static oct_winograd_output output_job(const oct_winograd_job *job, const oct_panel *panel, const char *m)
{
    const oct_winograd *w = job->plan;
    oct_winograd_output out = {.m = m, .position_bytes = m_position(w, panel), .row_bytes = panel->entry->nr * sizeof(float),
                               .n = panel->n, .out_line = w->shape.out_w * job->e.out_ld,
                               .residual_line = w->shape.out_w * job->e.residual_ld, .e = job->e};
    if (job->e.bias)
        out.e.bias += panel->column;
    if (job->e.acc_bias)
        out.e.acc_bias += panel->column;
    if (job->e.mult)
        out.e.mult += panel->column;
    return out;
}

static void finish_panel(const oct_winograd_job *job, const oct_panel *panel, size_t block, const char *m)
{
    const oct_winograd *w = job->plan;
    const oct_conv_shape *s = &w->shape;
    const size_t size = elem_size((uint8_t)job->e.out_elem);
    oct_winograd_output out = output_job(job, panel, m);
    walk at = walk_from(w, block * w->block);
    out.tile = &at.tile;
    for (size_t t = block * w->block; t < block_end(w, block); t++, walk_on(&at)) {
        const size_t pixel = (at.image * s->out_h + at.y.begin) * s->out_w + at.x.begin;
        out.rows = min_size(at.y.size, s->out_h - at.y.begin);
        out.cols = min_size(at.x.size, s->out_w - at.x.begin);
        out.e.out = (char *)job->e.out + (pixel * job->e.out_ld + panel->n0) * size;
        if (job->e.residual)
            out.e.residual = (const char *)job->e.residual + (pixel * job->e.residual_ld + panel->n0) * size;
        w->entry->output(&out);
        if (job->post.fn)
            post_pass(job, &out, size);
    }
}

/* -------------------------------------------------------------------------------------- the loops ---- */

/* Rows of every class in a block. */
static oct_winograd_tile count_rows(const oct_winograd *w, size_t block)
{
    walk at = walk_from(w, block * w->block);
    for (size_t t = block * w->block; t < block_end(w, block); t++)
        walk_on(&at);
    return at.tile;
}

static void run_panels(const oct_winograd_job *job, size_t block, size_t begin, size_t end, const buffers *b)
{
    const oct_winograd_tile counts = count_rows(job->plan, block);
    for (size_t i = begin; i < end; i++) {
        const oct_panel panel = oct_panel_at(job->packed, i);
        multiply_panel(job, &panel, &counts, b);
        finish_panel(job, &panel, block, b->m);
    }
}

size_t oct_winograd_phases(const oct_winograd *w) { return w->shared ? 2 : 1; }

size_t oct_winograd_units(const oct_winograd *w, size_t phase) { return phase == 0 ? w->blocks : w->blocks * w->panels; }

void oct_winograd_run(const oct_winograd_job *job, size_t phase, size_t begin, size_t end, void *scratch)
{
    const oct_winograd *w = job->plan;
    for (size_t unit = begin; unit < end; unit++) {
        /* Blocks are inside: the panel stays in the cache while they pass. */
        const size_t block = phase == 0 ? unit : unit % w->blocks, panel = unit / w->blocks;
        const buffers b = lay_out(job, block, scratch);
        if (phase == 0)
            transform_block(job, block, b.v);
        if (phase == 1)
            run_panels(job, block, panel, panel + 1, &b);
        else if (!w->shared)
            run_panels(job, block, 0, w->panels, &b);
    }
}

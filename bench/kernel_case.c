/* kernel_case.c - the families of kernels, each made ready for one layer.
 *
 *     direct        matrix products and convolutions: packed weights, rows or row pointers   oct_gemm_run
 *     rows, patches convolutions with few input channels, strip by strip                     oct_strips_run
 *     winograd      3x3 convolutions, stride 1: winograd_case.c                              oct_winograd_run
 *     depthwise     the first depthwise entry of the table that accepts the shape            entry->run
 *     pool          the loops of pool.h round the table's pooling kernels                    oct_pool_run_rows
 *     elementwise   adding two tensors                                                       binary_f32, binary_u8
 *
 * A case does what the runtime does for such a layer, on the same entries, and nothing else: preparation (packing, row pointers) is
 * not timed, whatever happens anew in each run is. Values are random but harmless: no NaN, no denormal numbers, sums far from
 * overflow.
 */
#include "kernel_case.h"

#include <stdlib.h>
#include <string.h>

#include "add_grid.h"
#include "conv_strips.h"
#include "pool.h"
#include "winograd_case.h"

/* ---------------------------------------------------------------------------------------------- memory ---- */

/* Cleared, which also makes the system provide the pages now and not while the kernel is timed. The size is a multiple of the
 * alignment, as aligned_alloc wants it, and has room beyond the end. */
void *case_alloc(kernel_case *c, size_t bytes)
{
    if (c->buffer_count == CASE_BUFFERS)
        return NULL;
    void *memory = aligned_alloc(64, (bytes + 127) / 64 * 64);
    if (memory)
        memset(memory, 0, (bytes + 127) / 64 * 64);
    c->buffers[c->buffer_count++] = memory;
    return memory;
}

static size_t elem_size(oct_elem elem) { return elem == OCT_ELEM_F32 ? 4 : elem == OCT_ELEM_S16 ? 2 : 1; }

/* The low bits of this generator repeat soon, so the high ones are used (Knuth's constants from "Numerical Recipes"). */
void *case_values(kernel_case *c, oct_elem elem, size_t count)
{
    void *memory = case_alloc(c, count * elem_size(elem));
    uint32_t state = 1;
    for (size_t i = 0; i < count && memory; i++) {
        state = state * 1664525u + 1013904223u;
        const int s8 = (int)(state >> 16) % 255 - 127;
        switch (elem) {
        case OCT_ELEM_F32:
            ((float *)memory)[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
            break;
        case OCT_ELEM_U8:
            ((uint8_t *)memory)[i] = (uint8_t)(state >> 24);
            break;
        case OCT_ELEM_S8:
            ((int8_t *)memory)[i] = (int8_t)s8;
            break;
        case OCT_ELEM_S16:
            ((int16_t *)memory)[i] = (int16_t)s8;
            break;
        }
    }
    return memory;
}

float *case_floats(kernel_case *c, size_t count, float value)
{
    float *memory = case_alloc(c, count * sizeof *memory);
    for (size_t i = 0; i < count && memory; i++)
        memory[i] = value;
    return memory;
}

size_t case_part(size_t total, int member, int members) { return total * (size_t)member / (size_t)members; }

void case_run(void *arg)
{
    kernel_case *c = arg;
    c->run(c);
}

bool case_make(kernel_case *c, const case_maker *maker)
{
    c->algo = maker->algo;
    return maker->make(c);
}

void case_free(kernel_case *c)
{
    for (int i = 0; i < c->buffer_count; i++)
        free(c->buffers[i]);
    c->buffer_count = 0;
}

/* What all int8 cases say: zero points in the middle, a multiplier that leaves results inside the byte. */
enum { ZERO = 128 };

/* No residual and no clamp; both cost next to nothing. */
static oct_epilogue plain_epilogue(const kernel_case *c, void *out)
{
    oct_epilogue e = {.lo = -__builtin_inff(), .hi = __builtin_inff(), .qlo = 0, .qhi = 255, .out = out, .out_ld = c->shape->n};
    e.out_elem = c->int8 ? OCT_ELEM_U8 : OCT_ELEM_F32;
    e.out_zero = ZERO;
    return e;
}

/* ------------------------------------------------------------------------- products and convolutions ---- */

/* The three ways in which a left side reaches the micro-kernels:
 *
 *     1x1, dense, gemm    in ---------------------> matrix (a, lda)
 *     other kernels       in --> row pointers ----> rows, padding
 *     entries that want S16 rows:  in --widen--> widened, then one of the two above on `widened`
 */
typedef struct direct_job {
    oct_gemm_job gemm;
    oct_packed packed;
    const void *in;
    size_t in_elements;
    int16_t *widened; /* where the entry wants S16 rows: the conversion is part of the layer's time */
    size_t units;
} direct_job;

/* u8 minus its zero point, as 16 bits: what AVX2 without VNNI multiplies. */
static void widen_part(void *arg, int member, int members)
{
    const kernel_case *c = arg;
    const direct_job *d = c->job;
    const size_t begin = case_part(d->in_elements, member, members), end = case_part(d->in_elements, member + 1, members);
    c->kernels->widen_u8_s16(end - begin, (const uint8_t *)d->in + begin, ZERO, d->widened + begin);
}

/* Neighbouring units share a strip or a panel: a member takes a run of them. */
static void direct_part(void *arg, int member, int members)
{
    const direct_job *d = ((kernel_case *)arg)->job;
    oct_gemm_run(&d->gemm, case_part(d->units, member, members), case_part(d->units, member + 1, members));
}

static void run_direct(kernel_case *c)
{
    const direct_job *d = c->job;
    if (d->widened)
        team_run(c->team, widen_part, c);
    team_run(c->team, direct_part, c);
}

/* The micro-kernels for a product of that many rows. */
static const oct_gemm_entry *entries(const bench_shape *s, const oct_kernels *kernels, bool int8)
{
    return int8 ? oct_gemm_variants_u8s8(kernels, s->m) : oct_gemm_variants_f32(kernels, s->m);
}

/* As the runtime chooses. (SHAPE_GEMM and SHAPE_DENSE have no conv to ask.) */
static oct_lowering lowering(const bench_shape *s, const oct_kernels *kernels, bool int8)
{
    return s->kind == SHAPE_CONV ? oct_conv_lowering(&s->conv, entries(s, kernels, int8)) : OCT_LOWERING_MATRIX;
}

static bool is_product(const bench_shape *s, const oct_kernels *kernels, bool int8)
{
    const bool product = s->kind == SHAPE_GEMM || s->kind == SHAPE_DENSE || s->kind == SHAPE_CONV;
    return product && lowering(s, kernels, int8) <= OCT_LOWERING_DIRECT;
}

/* No row pointers needed. */
static bool is_matrix(const bench_shape *s) { return s->kind != SHAPE_CONV || oct_conv_is_matrix(&s->conv); }

/* Panels filled with numbers: where each weight lies makes no difference to the time. */
static bool make_weights(kernel_case *c, size_t taps, oct_packed *packed, oct_gemm_job *gemm)
{
    const bench_shape *s = c->shape;
    const oct_gemm_entry *variants = entries(s, c->kernels, c->int8);
    const oct_elem elem = (oct_elem)variants->b_elem;
    const size_t bytes = oct_packed_bytes(variants, s->n, taps, s->k / taps), columns = oct_padded_columns(variants, s->n);
    *packed = (oct_packed){.variants = variants, .n = s->n, .taps = taps, .k = s->k / taps};
    packed->data = case_values(c, elem, bytes / elem_size(elem));
    gemm->packed = packed;
    gemm->e.bias = case_floats(c, columns, 0);
    gemm->e.acc_bias = case_alloc(c, columns * sizeof(int32_t));
    gemm->e.mult = case_floats(c, columns, 1e-5f);
    c->kernel = variants->name;
    return packed->data && gemm->e.bias && gemm->e.acc_bias && gemm->e.mult;
}

/* The left side: a matrix, or row pointers into the picture. */
static bool make_rows(kernel_case *c, direct_job *d)
{
    const bench_shape *s = c->shape;
    const oct_elem in_elem = c->int8 ? OCT_ELEM_U8 : OCT_ELEM_F32, row_elem = (oct_elem)d->packed.variants->a_elem;
    d->in_elements = s->kind == SHAPE_CONV ? s->conv.in_h * s->conv.in_w * s->conv.in_c : s->m * s->k;
    d->in = case_values(c, in_elem, d->in_elements);
    d->widened = row_elem == OCT_ELEM_S16 ? case_alloc(c, d->in_elements * sizeof(int16_t)) : NULL;
    if (!d->in || (row_elem == OCT_ELEM_S16 && !d->widened))
        return false;
    const void *a = d->widened ? (const void *)d->widened : d->in;
    if (is_matrix(s)) {
        d->gemm.a = a;
        d->gemm.lda = s->k;
        return true;
    }
    uint8_t *padding = case_alloc(c, s->conv.in_c * elem_size(row_elem));
    const void **rows = case_alloc(c, s->m * d->packed.taps * sizeof *rows);
    if (!padding || !rows)
        return false;
    if (row_elem == OCT_ELEM_U8) /* S16 rows hold q - zero point, f32 rows reals: there padding is 0 */
        memset(padding, ZERO, s->conv.in_c);
    oct_conv_rows(&s->conv, a, elem_size(row_elem), padding, rows);
    d->gemm.rows = rows;
    d->gemm.padding = padding;
    return true;
}

/* Everything in one struct, whose pointers stay valid because it is one of the case's buffers. */
static bool make_direct(kernel_case *c)
{
    const bench_shape *s = c->shape;
    direct_job *d = case_alloc(c, sizeof *d);
    void *out = case_alloc(c, s->m * s->n * (c->int8 ? 1 : sizeof(float)));
    if (!d || !out)
        return false;
    d->gemm = (oct_gemm_job){.m = s->m, .e = plain_epilogue(c, out)};
    if (!make_weights(c, is_matrix(s) ? 1 : s->conv.kernel_h * s->conv.kernel_w, &d->packed, &d->gemm) || !make_rows(c, d))
        return false;
    d->units = oct_gemm_units(&d->gemm);
    c->bytes = (d->in_elements + s->m * s->n) * (c->int8 ? 1 : 4) +
               oct_packed_bytes(d->packed.variants, s->n, d->packed.taps, d->packed.k);
    c->job = d;
    c->run = run_direct;
    return true;
}

/* ------------------------------------------------------------------ convolutions with few input channels ---- */

typedef struct strips_case {
    oct_strips strips;
    oct_strips_job job;
    oct_packed packed;
    char *scratch;
    size_t scratch_step; /* between the members' scratch memories */
} strips_case;

static void strips_part(void *arg, int member, int members)
{
    const strips_case *t = ((kernel_case *)arg)->job;
    const size_t units = oct_strips_units(&t->strips);
    oct_strips_run(&t->job, case_part(units, member, members), case_part(units, member + 1, members),
                   t->scratch + (size_t)member * t->scratch_step);
}

static void run_strips(kernel_case *c) { team_run(c->team, strips_part, c); }

static bool make_strips(kernel_case *c)
{
    const bench_shape *s = c->shape;
    const oct_gemm_entry *variants = entries(s, c->kernels, c->int8);
    const size_t in = s->conv.in_h * s->conv.in_w * s->conv.in_c, size = c->int8 ? 1 : sizeof(float);
    strips_case *t = case_alloc(c, sizeof *t);
    if (!t)
        return false;
    t->strips = oct_strips_plan(&s->conv, lowering(s, c->kernels, c->int8), variants);
    t->scratch_step = oct_strips_scratch(&t->strips) + 64;
    t->scratch = case_alloc(c, t->scratch_step * (size_t)team_members(c->team));
    const void **pointers = case_alloc(c, oct_strips_pointers(&t->strips) * sizeof *pointers);
    t->job = (oct_strips_job){.strips = &t->strips, .kernels = c->kernels, .in_zero = ZERO, .pointers = pointers,
                              .connected = t->scratch};
    t->job.in = case_values(c, c->int8 ? OCT_ELEM_U8 : OCT_ELEM_F32, in);
    t->job.gemm.e = plain_epilogue(c, case_alloc(c, s->m * s->n * size));
    if (!t->scratch || !pointers || !t->job.in || !t->job.gemm.e.out || !make_weights(c, t->strips.taps, &t->packed, &t->job.gemm))
        return false;
    oct_strips_connect(&t->strips, t->scratch, pointers);
    c->bytes = (in + s->m * s->n) * size + oct_packed_bytes(variants, s->n, t->packed.taps, t->packed.k);
    c->job = t;
    c->run = run_strips;
    return true;
}

static bool is_rows(const bench_shape *s, const oct_kernels *kernels, bool int8)
{
    return lowering(s, kernels, int8) == OCT_LOWERING_ROWS;
}

static bool is_patches(const bench_shape *s, const oct_kernels *kernels, bool int8)
{
    return lowering(s, kernels, int8) == OCT_LOWERING_PATCHES;
}

/* ------------------------------------------------------------------------------------------- depthwise ---- */

/* The entry with its job; rows of output are the unit of work. */
typedef struct depthwise_case {
    const oct_depthwise_entry *entry;
    oct_depthwise_job job;
    char *scratch;
    size_t scratch_step; /* between the members' scratch memories */
} depthwise_case;

/* Rows of output; a kernel that computes two at a time keeps its rhythm within a member's part. */
static void depthwise_part(void *arg, int member, int members)
{
    const depthwise_case *d = ((kernel_case *)arg)->job;
    const size_t rows = d->job.shape->batch * d->job.shape->out_h;
    const size_t begin = case_part(rows, member, members), end = case_part(rows, member + 1, members);
    if (begin < end)
        d->entry->run(&d->job, begin, end, d->scratch + (size_t)member * d->scratch_step);
}

static void run_depthwise(kernel_case *c) { team_run(c->team, depthwise_part, c); }

/* Both types have depthwise entries on every ISA, if only the scalar ones. */
static bool is_depthwise(const bench_shape *shape, const oct_kernels *kernels, bool int8)
{
    (void)kernels, (void)int8;
    return shape->kind == SHAPE_DEPTHWISE;
}

/* The scalar entry at the end accepts everything, so this ends. */
static const oct_depthwise_entry *find_depthwise(const oct_depthwise_entry *entries, const oct_conv_shape *shape)
{
    while (!entries->accepts(shape))
        entries++;
    return entries;
}

/* Unlike a matrix, a depthwise kernel may look at the weights when it packs them, so it gets real ones. */
static void *pack_depthwise(kernel_case *c, const oct_depthwise_entry *entry)
{
    const oct_conv_shape *s = &c->shape->conv;
    const oct_depthwise_params params = {
        .weights = case_values(c, c->int8 ? OCT_ELEM_S8 : OCT_ELEM_F32, s->kernel_h * s->kernel_w * s->out_c),
        .bias = case_floats(c, s->out_c, 0),
        .acc_bias = case_alloc(c, s->out_c * sizeof(int32_t)),
        .mult = case_floats(c, s->out_c, 1e-3f)};
    void *packed = case_alloc(c, entry->packed_bytes(s));
    if (!packed || !params.weights || !params.bias || !params.acc_bias || !params.mult)
        return NULL;
    entry->pack(s, &params, packed);
    return packed;
}

/* Each member has scratch memory of its own, a cache line apart. */
static bool make_depthwise(kernel_case *c)
{
    const oct_conv_shape *s = &c->shape->conv;
    const size_t in = s->in_h * s->in_w * s->in_c, out = c->shape->m * c->shape->n, size = c->int8 ? 1 : 4;
    depthwise_case *d = case_alloc(c, sizeof *d);
    if (!d)
        return false;
    d->entry = find_depthwise(c->int8 ? c->kernels->depthwise_u8s8 : c->kernels->depthwise_f32, s);
    d->scratch_step = (d->entry->scratch_bytes(s) + 127) / 64 * 64;
    d->scratch = case_alloc(c, d->scratch_step * (size_t)team_members(c->team));
    d->job = (oct_depthwise_job){.shape = s, .in_zero = ZERO, .e = plain_epilogue(c, case_alloc(c, out * size))};
    d->job.in = case_values(c, c->int8 ? OCT_ELEM_U8 : OCT_ELEM_F32, in);
    d->job.packed = pack_depthwise(c, d->entry);
    c->bytes = (in + out) * size + d->entry->packed_bytes(s);
    c->kernel = d->entry->name;
    c->job = d;
    c->run = run_depthwise;
    return d->scratch && d->job.e.out && d->job.in && d->job.packed;
}

/* --------------------------------------------------------------------------------------------- pooling ---- */

/* The loops of pool.h write each row's window pointers to scratch memory. */
typedef struct pool_case {
    oct_pool_args args;
    char *scratch;
    size_t scratch_step;
} pool_case;

/* As depthwise: rows of output, scratch memory per member. */
static void pool_part(void *arg, int member, int members)
{
    const pool_case *p = ((kernel_case *)arg)->job;
    const size_t rows = p->args.window.batch * p->args.window.out_h;
    const size_t begin = case_part(rows, member, members), end = case_part(rows, member + 1, members);
    if (begin < end)
        oct_pool_run_rows(&p->args, begin, end, p->scratch + (size_t)member * p->scratch_step);
}

static void run_pool(kernel_case *c) { team_run(c->team, pool_part, c); }

static bool is_pool(const bench_shape *shape, const oct_kernels *kernels, bool int8)
{
    (void)kernels, (void)int8;
    return shape->kind == SHAPE_MAX_POOL || shape->kind == SHAPE_AVERAGE_POOL;
}

/* Scale 1 and equal zero points: the common case, in which an average keeps its quantization. */
static bool make_pool(kernel_case *c)
{
    const oct_conv_shape *s = &c->shape->conv;
    const size_t in = s->in_h * s->in_w * s->in_c, out = c->shape->m * c->shape->n, size = c->int8 ? 1 : 4;
    pool_case *p = case_alloc(c, sizeof *p);
    if (!p)
        return false;
    p->args = (oct_pool_args){.kernels = c->kernels,
                              .average = c->shape->kind == SHAPE_AVERAGE_POOL,
                              .u8 = c->int8,
                              .out_ld = s->in_c,
                              .scale_ratio = 1,
                              .in_zero = ZERO,
                              .out_zero = ZERO,
                              .lo = -__builtin_inff(),
                              .hi = __builtin_inff(),
                              .qhi = 255};
    p->args.window = (oct_pool_window){.batch = 1,
                                       .in_h = s->in_h,
                                       .in_w = s->in_w,
                                       .c = s->in_c,
                                       .out_h = s->out_h,
                                       .out_w = s->out_w,
                                       .kernel_h = s->kernel_h,
                                       .kernel_w = s->kernel_w,
                                       .stride_h = s->stride_h,
                                       .stride_w = s->stride_w,
                                       .dilation_h = 1,
                                       .dilation_w = 1,
                                       .pad_top = s->pad_top,
                                       .pad_left = s->pad_left,
                                       .pad_bottom = s->pad_top,
                                       .pad_right = s->pad_left};
    p->args.in = case_values(c, c->int8 ? OCT_ELEM_U8 : OCT_ELEM_F32, in);
    p->args.out = case_alloc(c, out * size);
    void *padding = case_alloc(c, s->in_c * size);
    p->scratch_step = (oct_pool_scratch_bytes(&p->args.window) + 127) / 64 * 64;
    p->scratch = case_alloc(c, p->scratch_step * (size_t)team_members(c->team));
    if (!p->args.in || !p->args.out || !padding || !p->scratch)
        return false;
    if (c->int8) /* averages read it for padded positions: the byte that stands for 0 */
        memset(padding, ZERO, s->in_c);
    p->args.padding = padding;
    c->bytes = (in + out) * size;
    c->kernel = c->kernels->isa;
    c->job = p;
    c->run = run_pool;
    return true;
}

/* ------------------------------------------------------------------------------------------------- add ---- */

/* The job with its pointers moved to the member's first pixel. */
static void add_part(void *arg, int member, int members)
{
    const kernel_case *c = arg;
    oct_binary_job job = *(const oct_binary_job *)c->job;
    const size_t begin = case_part(job.rows, member, members), end = case_part(job.rows, member + 1, members);
    const size_t skip = begin * job.cols * (c->int8 ? 1 : sizeof(float));
    job.a = (const char *)job.a + skip;
    job.b = (const char *)job.b + skip;
    job.out = (char *)job.out + skip;
    job.rows = end - begin;
    if (job.rows > 0 && c->int8)
        c->kernels->binary_u8(&job);
    else if (job.rows > 0)
        c->kernels->binary_f32(&job);
}

static void run_add(kernel_case *c) { team_run(c->team, add_part, c); }

static bool is_add(const bench_shape *shape, const oct_kernels *kernels, bool int8)
{
    (void)kernels, (void)int8;
    return shape->kind == SHAPE_ADD;
}

/* Both operands as large as the output, about half of each: the residual add of a network. */
static bool make_add(kernel_case *c)
{
    const size_t elements = c->shape->m * c->shape->n, size = c->int8 ? 1 : 4;
    const oct_elem elem = c->int8 ? OCT_ELEM_U8 : OCT_ELEM_F32;
    oct_binary_job *job = case_alloc(c, sizeof *job);
    if (!job)
        return false;
    *job = (oct_binary_job){.kind = OCT_KIND_ADD,
                            .rows = c->shape->m,
                            .cols = c->shape->n,
                            .a_stride = c->shape->n,
                            .b_stride = c->shape->n,
                            .a_step = 1,
                            .b_step = 1,
                            .lo = -__builtin_inff(),
                            .hi = __builtin_inff(),
                            .a_zero = ZERO,
                            .b_zero = ZERO,
                            .out_zero = ZERO,
                            .a_mult = 0.61f,
                            .b_mult = 0.47f,
                            .qhi = 255};
    oct_add_grid_round(&job->a_mult, &job->b_mult);     /* as the quantizer sees to */
    job->a = case_values(c, elem, elements);
    job->b = case_values(c, elem, elements);
    job->out = case_alloc(c, elements * size);
    c->bytes = 3 * elements * size;
    c->kernel = c->kernels->isa;
    c->job = job;
    c->run = run_add;
    return job->a && job->b && job->out;
}

const case_maker case_makers[] = {{"direct", is_product, make_direct},
                                  {"rows", is_rows, make_strips},
                                  {"patches", is_patches, make_strips},
                                  {"winograd", case_is_winograd, case_make_winograd},
                                  {"depthwise", is_depthwise, make_depthwise},
                                  {"pool", is_pool, make_pool},
                                  {"elementwise", is_add, make_add},
                                  {NULL, NULL, NULL}};

/* winograd_case.c - 3x3 convolutions with a quarter of the products (winograd.h), made ready for the bench beside the direct way.
 * Operations are still counted as the direct way has them: so the speed is an effective one, and may be far above the peak. */
#include "winograd_case.h"

#include <string.h>

#include "winograd.h"

enum { ZERO = 128 };

/* Everything in one struct, whose pointers stay valid because it is one of the case's buffers. */
typedef struct winograd_case {
    oct_winograd plan;
    oct_packed packed;
    oct_winograd_job job;
    size_t phase;
    char *scratch;
    size_t scratch_step; /* between the members' scratch memories */
} winograd_case;

static const oct_winograd_entry *entry_of(const oct_kernels *kernels, bool int8)
{
    return int8 ? &kernels->winograd_u8s8 : &kernels->winograd_f32;
}

bool case_is_winograd(const bench_shape *s, const oct_kernels *kernels, bool int8)
{
    return s->kind == SHAPE_CONV && entry_of(kernels, int8)->input && oct_winograd_accepts(&s->conv);
}

static void winograd_part(void *arg, int member, int members)
{
    const winograd_case *w = ((kernel_case *)arg)->job;
    const size_t units = oct_winograd_units(&w->plan, w->phase);
    oct_winograd_run(&w->job, w->phase, case_part(units, member, members), case_part(units, member + 1, members),
                     w->scratch + (size_t)member * w->scratch_step);
}

static void run_winograd(kernel_case *c)
{
    winograd_case *w = c->job;
    for (w->phase = 0; w->phase < oct_winograd_phases(&w->plan); w->phase++)
        team_run(c->team, winograd_part, c);
}

/* Panels filled with numbers: where each weight lies makes no difference to the time. */
static bool make_weights(kernel_case *c, winograd_case *w)
{
    const bench_shape *s = c->shape;
    const oct_winograd_entry *entry = w->plan.entry;
    const bool stored = w->plan.weights == OCT_WINOGRAD_STORED;
    const size_t columns = oct_padded_columns(entry->gemm, s->n), taps = oct_winograd_taps(entry, w->plan.weights);
    const size_t bytes = oct_packed_bytes(entry->gemm, s->n, taps, s->conv.in_c);
    const oct_elem elem = (oct_elem)(stored ? entry->gemm->a_elem : entry->gemm->b_elem);
    w->packed = (oct_packed){.variants = entry->gemm, .n = s->n, .taps = taps, .k = s->conv.in_c};
    w->packed.data = case_values(c, elem, bytes / (elem == OCT_ELEM_F32 ? 4 : elem == OCT_ELEM_S16 ? 2 : 1));
    w->job.packed = &w->packed;
    w->job.start = case_alloc(c, columns * sizeof(float));
    w->job.e.bias = case_floats(c, columns, 0);
    w->job.e.mult = case_floats(c, columns, 1e-5f);
    c->bytes += bytes;
    return w->packed.data && w->job.start && w->job.e.bias && w->job.e.mult;
}

bool case_make_winograd(kernel_case *c)
{
    const bench_shape *s = c->shape;
    const oct_winograd_entry *entry = entry_of(c->kernels, c->int8);
    const size_t in = s->conv.in_h * s->conv.in_w * s->conv.in_c, size = c->int8 ? 1 : sizeof(float);
    winograd_case *w = case_alloc(c, sizeof *w);
    if (!w)
        return false;
    w->plan = oct_winograd_plan(&s->conv, entry, oct_winograd_prefer(&s->conv, entry, true), (size_t)team_members(c->team));
    w->scratch_step = oct_winograd_thread_scratch(&w->plan) + 64;
    w->scratch = case_alloc(c, w->scratch_step * (size_t)team_members(c->team));
    uint8_t *padding = case_alloc(c, s->conv.in_c * size);
    w->job =
        (oct_winograd_job){.plan = &w->plan, .padding = padding, .shared = case_alloc(c, oct_winograd_shared_scratch(&w->plan))};
    w->job.in = case_values(c, c->int8 ? OCT_ELEM_U8 : OCT_ELEM_F32, in);
    w->job.e = (oct_epilogue){.lo = -__builtin_inff(), .hi = __builtin_inff(), .qhi = 255, .out_zero = ZERO, .out_ld = s->n,
                              .out_elem = c->int8 ? OCT_ELEM_U8 : OCT_ELEM_F32, .out = case_alloc(c, s->m * s->n * size)};
    c->bytes = (in + s->m * s->n) * size;
    if (!w->scratch || !padding || !w->job.shared || !w->job.in || !w->job.e.out || !make_weights(c, w))
        return false;
    if (c->int8)
        memset(padding, ZERO, s->conv.in_c);
    c->kernel = entry->name;
    c->job = w;
    c->run = run_winograd;
    return true;
}

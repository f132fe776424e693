/* suite_winograd_exact.c - integer Winograd at the limit of its proof, through the loops on every instruction set: layers whose
 * sums reach -2^25 and 2^25 - 1 exactly must equal the direct convolution; one step beyond, a channel is not provable. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "kernel_check.h"
#include "winograd.h"

enum { SIDE = 7, LIMIT = 1 << 25 };

/* ---------------------------------------------------------------------------------------------- kernels ---- */

/* One layer of out_c channels whose inputs and weights sit at the ends of their ranges, so that channel 0 reaches the largest sum
 * there is and channel 1 the smallest. f32 output with mult 1 shows the accumulators, rounded as a float rounds them. */
typedef struct edge_layer {
    size_t in_c, out_c;
    uint8_t zero;
    uint8_t *in;
    int8_t *w;
    int32_t *bias;
} edge_layer;

static edge_layer make_edge(size_t in_c, uint8_t zero)
{
    edge_layer l = {.in_c = in_c, .out_c = 20, .zero = zero};
    const size_t count = 9 * in_c;
    l.in = malloc(SIDE * SIDE * in_c);
    l.w = malloc(l.out_c * count);
    l.bias = calloc(l.out_c, sizeof *l.bias);
    /* the sign of a weight is that of its channel, the same for all taps: then all pixels can be extreme at once */
    for (size_t i = 0; i < l.out_c * count; i++)
        l.w[i] = (i % in_c) & 1 ? -127 : 127;
    for (size_t i = 0; i < count; i++)
        l.w[count + i] = (int8_t)-l.w[i];
    for (size_t i = 2 * count; i < l.out_c * count; i++)
        if (test_below(4) == 0)
            l.w[i] = (int8_t)((int)test_below(255) - 127);
    for (size_t i = 0; i < SIDE * SIDE * in_c; i++)
        l.in[i] = (i % in_c) & 1 ? 0 : 255;
    return l;
}

static void free_edge(edge_layer *l)
{
    free(l->in);
    free(l->w);
    free(l->bias);
}

/* The largest (sign 1) or smallest (sign -1) sum of a channel over all inputs, without bias. */
static int64_t extreme(const edge_layer *l, size_t channel, int sign)
{
    int64_t sum = 0;
    for (size_t i = 0; i < 9 * l->in_c; i++) {
        const int w = sign * l->w[channel * 9 * l->in_c + i];
        sum += w > 0 ? w * (255 - l->zero) : -w * l->zero;
    }
    return sign * sum;
}

/* One padded-channel array after the other, as the job wants them. */
typedef struct edge_run {
    oct_winograd plan;
    oct_packed packed;
    uint32_t *start;
    float *mult, *zeros;
    uint8_t *padding;
    void *data, *shared, *scratch;
} edge_run;

static void *room(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    memset(p, 0, bytes);
    return p;
}

static void prepare(edge_run *r, const edge_layer *l, const oct_winograd_entry *entry, oct_winograd_weights weights)
{
    const oct_conv_shape s = {1, SIDE, SIDE, l->in_c, SIDE, SIDE, l->out_c, 3, 3, 1, 1, 1, 1, 1, 1, 1};
    const size_t width = oct_padded_columns(entry->gemm, l->out_c), count = 9 * l->in_c;
    r->plan = oct_winograd_plan(&s, entry, weights, 1);
    r->packed = (oct_packed){.variants = entry->gemm, .n = l->out_c, .taps = oct_winograd_taps(entry, weights), .k = l->in_c};
    r->data = room(oct_packed_bytes(entry->gemm, l->out_c, r->packed.taps, l->in_c));
    oct_winograd_pack_u8s8(&r->packed, l->w, r->data);
    r->start = room(width * sizeof *r->start);
    r->mult = room(width * sizeof *r->mult);
    r->zeros = room(width * sizeof *r->zeros);
    r->padding = room(l->in_c);
    memset(r->padding, l->zero, l->in_c);
    for (size_t p = 0, panels = oct_panel_count(entry->gemm, l->out_c); p < panels; p++) {
        const oct_panel panel = oct_panel_at(&r->packed, p);
        for (size_t c = 0; c < panel.n; c++) {
            int32_t sum = 0;
            for (size_t i = 0; i < count; i++)
                sum += l->w[(panel.n0 + c) * count + i];
            r->start[panel.column + c] = 576u * ((uint32_t)l->bias[panel.n0 + c] - (uint32_t)(l->zero * sum));
            r->mult[panel.column + c] = 1;
        }
    }
    r->shared = room(oct_winograd_shared_scratch(&r->plan));
    r->scratch = room(oct_winograd_thread_scratch(&r->plan));
}

static void run_edge(const edge_layer *l, const oct_winograd_entry *entry, oct_winograd_weights weights, float *out)
{
    edge_run r;
    prepare(&r, l, entry, weights);
    oct_winograd_job job = {
        .plan = &r.plan, .packed = &r.packed, .in = l->in, .padding = r.padding, .start = r.start, .shared = r.shared};
    job.e = (oct_epilogue){.bias = r.zeros, .mult = r.mult, .lo = -INFINITY, .hi = INFINITY, .out_elem = OCT_ELEM_F32, .out = out,
                           .out_ld = l->out_c};
    for (size_t phase = 0; phase < oct_winograd_phases(&r.plan); phase++)
        oct_winograd_run(&job, phase, 0, oct_winograd_units(&r.plan, phase), r.scratch);
    free(r.data);
    free(r.start);
    free(r.mult);
    free(r.zeros);
    free(r.padding);
    free(r.shared);
    free(r.scratch);
}

/* Straight from the definition, in 64 bits. */
static int64_t direct_sum(const edge_layer *l, size_t y, size_t x, size_t channel)
{
    int64_t sum = l->bias[channel];
    for (size_t t = 0; t < 9; t++) {
        const size_t iy = y + t / 3 - 1, ix = x + t % 3 - 1;
        for (size_t c = 0; iy < SIDE && ix < SIDE && c < l->in_c; c++)
            sum += (l->in[(iy * SIDE + ix) * l->in_c + c] - l->zero) * l->w[(channel * 9 + t) * l->in_c + c];
    }
    return sum;
}

/* Every instruction set, both ways of keeping weights. */
static void compare_edge(const edge_layer *l)
{
    float *out = malloc(SIDE * SIDE * l->out_c * sizeof *out);
    for (size_t level = 0; tested_kernels(level); level++) {
        const oct_winograd_entry *entry = &tested_kernels(level)->winograd_u8s8;
        for (int weights = 0; entry->input && weights < (entry->expand ? 2 : 1); weights++) {
            run_edge(l, entry, (oct_winograd_weights)weights, out);
            for (size_t i = 0; i < SIDE * SIDE * l->out_c; i++) {
                const int64_t sum = direct_sum(l, i / l->out_c / SIDE, i / l->out_c % SIDE, i % l->out_c);
                if (out[i] != (float)sum) {
                    CHECK_MSG(false, "%s, zero %d: output %zu is %.9g, not %lld", entry->name, (int)l->zero, i, (double)out[i],
                              (long long)sum);
                    break;
                }
            }
        }
    }
    free(out);
}

/* Channel 0's bias lifts its largest sum to 2^25 - 1, channel 1's lowers its smallest to -2^25; the middle of the image reaches
 * both. */
static void sums_at_the_bound(void)
{
    const uint8_t zeros[] = {0, 128, 255, 1};
    for (int i = 0; i < TEST_COUNT(zeros); i++) {
        edge_layer l = make_edge(110 + test_below(6), zeros[i]);
        const size_t count = 9 * l.in_c;
        l.bias[0] = (int32_t)(LIMIT - 1 - extreme(&l, 0, 1));
        l.bias[1] = (int32_t)(-LIMIT - extreme(&l, 1, -1));
        CHECK(direct_sum(&l, 3, 3, 0) == LIMIT - 1 && direct_sum(&l, 3, 3, 1) == -LIMIT);
        CHECK(oct_winograd_provable(l.w, count, l.bias[0], l.zero));
        CHECK(oct_winograd_provable(l.w + count, count, l.bias[1], l.zero));
        CHECK(!oct_winograd_provable(l.w, count, l.bias[0] + 1, l.zero));
        CHECK(!oct_winograd_provable(l.w + count, count, l.bias[1] - 1, l.zero));
        compare_edge(&l);
        free_edge(&l);
    }
}

/* Beyond the bound the sums do wrap: the proof obligation is no formality. */
static void one_beyond_is_wrong(void)
{
    edge_layer l = make_edge(112, 0);
    l.bias[0] = (int32_t)(LIMIT - extreme(&l, 0, 1));
    float *out = malloc(SIDE * SIDE * l.out_c * sizeof *out);
    run_edge(&l, &tested_kernels(0)->winograd_u8s8, OCT_WINOGRAD_STORED, out);
    CHECK(direct_sum(&l, 3, 3, 0) == LIMIT && out[(3 * SIDE + 3) * l.out_c] == -(float)LIMIT);
    free(out);
    free_edge(&l);
}

static const test_case cases[] = {
    {"sums_at_the_bound", sums_at_the_bound},
    {"one_beyond_is_wrong", one_beyond_is_wrong},
};
static void __attribute__((constructor)) add_suite(void) { test_register("winograd_exact", cases, TEST_COUNT(cases)); }

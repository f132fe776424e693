/* check_gemm.c - the checkers of GEMM micro-kernels: one call on one panel, all row counts, edge sizes of everything else.
 *
 * Each row of each tap lies between guard pages of its own, so reading one element before a row or behind its k-th is caught. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel_check.h"
#include "pack.h"

/* One call. The plain data is what the oracle reads; the tile is the same data as the contract hands it to a kernel. */
typedef struct gemm_case {
    const oct_gemm_entry *entry;
    bool u8s8;
    size_t m, n, taps, k, a_offset, a_stride, out_ld;
    data_kind kind;
    void *a, *w;                /* dense: [m][taps * k], [n][taps * k]; f32, or u8 and s8 */
    layer_data data;
    guard_side side;
    oct_tile tile;
} gemm_case;

/* One row of one tap as the entry wants it: f32, u8, or u8 minus the zero point as s16. What lies before a_offset is rubbish. */
static const void *place_row(const gemm_case *c, size_t index, size_t r, size_t tap)
{
    const size_t from = (r * c->taps + tap) * c->k, size = elem_bytes((oct_elem)c->entry->a_elem);
    char *row = guarded_row(index, (c->a_offset + c->k) * size, c->side);
    memset(row, 0x7E, c->a_offset * size);
    if (!c->u8s8)
        memcpy(row + c->a_offset * size, (float *)c->a + from, c->k * size);
    else if (c->entry->a_elem == OCT_ELEM_U8)
        memcpy(row + c->a_offset, (uint8_t *)c->a + from, c->k);
    else
        for (size_t i = 0; i < c->k; i++) {
            const int16_t x = (int16_t)(((uint8_t *)c->a)[from + i] - c->data.layer.x_zero);
            memcpy(row + (c->a_offset + i) * size, &x, size);
        }
    return row;
}

/* The array of row pointers, itself fenced; the gaps of a_stride are NULL, so that following one of them is found out. */
static void place_rows(gemm_case *c)
{
    const size_t count = (c->m - 1) * c->a_stride + c->taps;
    const void **pointers = guarded(SLOT_POINTERS, count * sizeof(void *), sizeof(void *), c->side);
    for (size_t i = 0; i < count; i++)
        pointers[i] = NULL;
    for (size_t r = 0; r < c->m; r++)
        for (size_t tap = 0; tap < c->taps; tap++)
            pointers[r * c->a_stride + tap] = place_row(c, r * c->taps + tap, r, tap);
    c->tile.a = pointers;
    c->tile.a_stride = c->a_stride;
    c->tile.a_offset = c->a_offset;
}

/* One panel of the entry's own width: a list of one variant makes the packer do it. */
static void place_panel(gemm_case *c)
{
    const oct_gemm_entry variants[2] = {*c->entry, {0}};
    oct_packed packed = {.variants = variants, .n = c->n, .taps = c->taps, .k = c->k};
    void *b = guarded(SLOT_B, oct_packed_bytes(variants, c->n, c->taps, c->k), 64, c->side);
    if (c->u8s8)
        oct_pack_u8s8(&packed, c->w, b);
    else
        oct_pack_f32(&packed, c->w, b);
    c->tile.b = b;
}

/* What the contract takes off acc_bias: (z - a_shift) * sum of the column's weights; nothing for rows that are a - z already. */
static int32_t zero_term(const gemm_case *c, size_t column)
{
    int32_t sum = 0;
    for (size_t i = 0; i < c->taps * c->k; i++)
        sum += ((int8_t *)c->w)[column * c->taps * c->k + i];
    return c->entry->a_elem == OCT_ELEM_U8 ? (c->data.layer.x_zero - c->entry->a_shift) * sum : 0;
}

/* Per-column arrays, padded to the panel's width with zeros, and the residual; what the kernel must not read is NULL. */
static void place_parameters(gemm_case *c)
{
    const size_t width = c->entry->nr;
    oct_epilogue *e = &c->tile.e;
    *e = c->data.layer.e;
    float *bias = guarded(SLOT_BIAS, width * sizeof *bias, 64, c->side),
          *mult = guarded(SLOT_MULT, width * sizeof *mult, 64, c->side);
    int32_t *acc_bias = guarded(SLOT_ACC_BIAS, width * sizeof *acc_bias, 64, c->side);
    for (size_t i = 0; i < width; i++) {
        bias[i] = i < c->n ? c->data.bias[i] : 0.0f;
        mult[i] = i < c->n ? c->data.mult[i] : 0.0f;
        acc_bias[i] = i < c->n && c->u8s8 ? c->data.acc_bias[i] - zero_term(c, i) : 0;
    }
    e->bias = !c->u8s8 || e->out_elem == OCT_ELEM_F32 ? bias : NULL;
    e->mult = c->u8s8 ? mult : NULL;
    e->acc_bias = c->u8s8 ? acc_bias : NULL;
    if (e->residual) {
        const size_t size = elem_bytes(e->out_elem);
        e->residual = guarded_copy(SLOT_RESIDUAL, c->data.residual, ((c->m - 1) * e->residual_ld + c->n) * size, 1, c->side);
    }
}

/* In the shape survives() wants. */
static void call_kernel(void *arg)
{
    const gemm_case *c = arg;
    c->entry->fn(&c->tile);
}

/* All that is needed to see which case it was; the seed is printed by the harness. */
static void describe_failure(const gemm_case *c, check_report *report, const char *what)
{
    const oct_epilogue *e = &c->tile.e;
    report_fail(report, "%s: m %zu n %zu taps %zu k %zu offset %zu, data %d, %s out%s, zero %d, guard %s: %s", c->entry->name, c->m,
                c->n, c->taps, c->k, c->a_offset, (int)c->kind, e->out_elem == OCT_ELEM_F32 ? "f32" : "u8",
                e->residual ? " with residual" : "", (int)c->data.layer.x_zero, c->side == GUARD_BEHIND ? "behind" : "before",
                what);
}

/* Every element against the oracle; the first wrong one is reported. */
static void compare(const gemm_case *c, const canary_area *area, check_report *report)
{
    const size_t depth = c->taps * c->k, a_size = c->u8s8 ? 1 : 4, out_size = elem_bytes(c->tile.e.out_elem);
    for (size_t r = 0; r < c->m; r++) {
        for (size_t col = 0; col < c->n; col++) {
            const oracle_value expected =
                oracle_gemm(&c->data.layer, (char *)c->a + r * depth * a_size, (char *)c->w + col * depth * a_size, depth, r, col);
            const uint8_t *row = area->out + r * c->out_ld * out_size;
            if (same_element(&c->data.layer, row, col, expected))
                continue;
            char what[128];
            snprintf(what, sizeof what, "row %zu column %zu is %.9g, expected %.9g +- %.3g", r, col,
                     elem_at(c->tile.e.out_elem, row, col), expected.value, expected.tolerance);
            describe_failure(c, report, what);
            return;
        }
    }
}

/* Runs one case on one side of the guard pages. */
static void judge(gemm_case *c, check_report *report)
{
    const size_t size = elem_bytes(c->data.layer.e.out_elem);
    c->tile = (oct_tile){.m = c->m, .n = c->n, .taps = c->taps, .k = c->k};
    place_rows(c);
    place_panel(c);
    place_parameters(c);
    const canary_area area = canary_place(c->m, c->n * size, c->out_ld * size, c->side);
    c->tile.e.out = area.out;
    c->tile.e.out_ld = c->out_ld;
    report->cases++;
    if (!survives(call_kernel, c))
        describe_failure(c, report, "touched memory outside its buffers");
    else if (!canary_intact(&area))
        describe_failure(c, report, "wrote outside its output");
    else
        compare(c, &area, report);
}

/* Fills the case's data and judges it with the guard pages on either side. */
static void run_case(gemm_case *c, oct_elem out, bool residual, check_report *report)
{
    const size_t depth = c->taps * c->k;
    c->a = malloc(c->m * depth * 4);
    c->w = malloc(c->n * depth * 4);
    if (c->u8s8) {
        fill_u8(c->a, c->m * depth, c->kind);
        fill_s8(c->w, c->n * depth, c->kind);
    } else {
        fill_f32(c->a, c->m * depth, c->kind);
        fill_f32(c->w, c->n * depth, c->kind);
        if (c->kind == DATA_EXTREME && test_below(4) == 0)
            ((float *)c->a)[test_below((uint32_t)(c->m * depth))] = NAN;
    }
    c->data = layer_make(c->u8s8, c->m, c->n, depth, c->w, c->kind, out, residual);
    for (int side = 0; side < 2 && !report->failed; side++) {
        c->side = (guard_side)side;
        judge(c, report);
    }
    layer_free(&c->data);
    free(c->a);
    free(c->w);
}

/* k: all sizes round the interleave and a few unrollings of it, now and then a long one. */
static size_t random_k(const oct_gemm_entry *entry)
{
    return test_below(8) ? 1 + test_below(8u * entry->kr + 9u) : 1 + test_below(300);
}

/* Every row count, output type and residual, each with several sizes of the rest. */
static void check_entry(const oct_gemm_entry *entry, bool u8s8, check_report *report)
{
    for (size_t m = 1; m <= entry->mr; m++) {
        for (size_t i = 0; i < 160 && !report->failed; i++) {
            const size_t taps[4] = {1, 1 + test_below(9), 9, 1};
            gemm_case c = {.entry = entry, .u8s8 = u8s8, .m = m, .n = edge_size(entry->nr), .taps = taps[test_below(4)],
                           .k = random_k(entry), .kind = (data_kind)test_below(DATA_KINDS)};
            c.a_offset = test_below(2) ? 0 : test_below(20);
            c.a_stride = c.taps + test_below(3);
            c.out_ld = c.n + (test_below(2) ? 0 : test_below(40));
            run_case(&c, i & 1 ? OCT_ELEM_U8 : OCT_ELEM_F32, (i & 2) != 0, report);
        }
    }
}

/* What the loops and the packer take for granted about a list of variants. */
static void check_list(const oct_gemm_entry *list, bool u8s8, check_report *report)
{
    for (const oct_gemm_entry *e = list; e->fn; e++) {
        const bool f32 = e->a_elem == OCT_ELEM_F32 && e->b_elem == OCT_ELEM_F32;
        const bool ints =
            (e->a_elem == OCT_ELEM_U8 || e->a_elem == OCT_ELEM_S16) && (e->b_elem == OCT_ELEM_S8 || e->b_elem == OCT_ELEM_S16);
        if (!e->name || e->mr < 1 || e->mr > OCT_GEMM_MAX_MR || e->nr < 1 || e->kr < 1 || !(u8s8 ? ints : f32))
            report_fail(report, "%s: an impossible entry", e->name ? e->name : "(no name)");
        if (e->a_elem != list->a_elem || e->a_shift != list->a_shift)
            report_fail(report, "%s wants other rows than %s: all variants of a list share them", e->name, list->name);
        if (e > list && e->nr >= e[-1].nr)
            report_fail(report, "%s is not narrower than %s before it", e->name, e[-1].name);
    }
}

/* Whether a weaker level has the same function. */
static bool listed(const oct_gemm_entry *list, oct_gemm_fn *fn)
{
    for (; list && list->fn; list++)
        if (list->fn == fn)
            return true;
    return false;
}

/* The list as a whole, then every entry that is new on this level. */
static void check_variants(const oct_gemm_entry *list, const oct_gemm_entry *base, bool u8s8, check_report *report)
{
    if (!list->fn)
        report_fail(report, "an empty list of variants");
    check_list(list, u8s8, report);
    for (; list->fn && !report->failed; list++)
        if (!listed(base, list->fn))
            check_entry(list, u8s8, report);
}

void check_gemm_f32(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    check_variants(kernels->gemm_f32, base ? base->gemm_f32 : NULL, false, report);
}

void check_gemm_u8s8(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    check_variants(kernels->gemm_u8s8, base ? base->gemm_u8s8 : NULL, true, report);
}

void check_gemv_f32(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    check_variants(kernels->gemv_f32, base ? base->gemv_f32 : NULL, false, report);
}

void check_gemv_u8s8(const oct_kernels *kernels, const oct_kernels *base, check_report *report)
{
    check_variants(kernels->gemv_u8s8, base ? base->gemv_u8s8 : NULL, true, report);
}

/* pack.c - how N columns are cut into panels, and weights copied into them.
 *
 * The cut: panels of the widest variant as long as they are full; then, with r columns left,
 *     r > widest.nr - narrowest.nr     one more panel of the widest, padded (no narrower one would be much smaller)
 *     otherwise                        the widest variant with nr <= r, or the narrowest, and again with what is left
 *
 *   variants 64, 32, 16 and n = 100:    |  64  |  32  |16: 4 + 12 padding|
 *   variants 64, 32, 16 and n = 120:    |  64  |  64: 56 + 8 padding     |
 *
 * One panel, kr = 4 (k = 6, so the second group has two zero rows), taps one after the other:
 *
 *   group 0:  c0: i0 i1 i2 i3 | c1: i0 i1 i2 i3 | .. | c(nr-1)
 *   group 1:  c0: i4 i5  0  0 | c1: i4 i5  0  0 | ..
 *
 * Every panel starts on a multiple of 64 bytes.
 */
#include "pack.h"

#include <string.h>

enum { PANEL_ALIGNMENT = 64 };

/* One row has nothing to share a weight with: it is bound by the bytes of B, and its kernels have their own tiles. */
const oct_gemm_entry *oct_gemm_variants_f32(const oct_kernels *kernels, size_t m)
{
    return m == 1 ? kernels->gemv_f32 : kernels->gemm_f32;
}

const oct_gemm_entry *oct_gemm_variants_u8s8(const oct_kernels *kernels, size_t m)
{
    return m == 1 ? kernels->gemv_u8s8 : kernels->gemm_u8s8;
}

/* The last of a list. */
static const oct_gemm_entry *narrowest(const oct_gemm_entry *variants)
{
    while (variants[1].fn)
        variants++;
    return variants;
}

/* The variant for the next panel when `left` columns remain. */
static const oct_gemm_entry *choose(const oct_gemm_entry *variants, size_t left)
{
    const oct_gemm_entry *last = narrowest(variants);
    if (left > (size_t)(variants->nr - last->nr))
        return variants;
    while (variants != last && variants->nr > left)
        variants++;
    return variants;
}

static size_t elem_size(uint8_t elem) { return elem == OCT_ELEM_F32 ? 4 : elem == OCT_ELEM_S16 ? 2 : 1; }

/* Elements of one tap of a panel: ceil(k / kr) groups of nr * kr. */
static size_t tap_elements(const oct_gemm_entry *entry, size_t k)
{
    return (k + entry->kr - 1) / entry->kr * entry->kr * entry->nr;
}

/* One panel, rounded up so that the next begins aligned. */
static size_t panel_bytes(const oct_gemm_entry *entry, size_t taps, size_t k)
{
    const size_t bytes = taps * tap_elements(entry, k) * elem_size(entry->b_elem);
    return (bytes + PANEL_ALIGNMENT - 1) / PANEL_ALIGNMENT * PANEL_ALIGNMENT;
}

/* The panel after `p`; p->n columns exist in it. */
static oct_panel next_panel(const oct_packed *packed, const oct_panel *p)
{
    oct_panel next = {.n0 = p->n0 + p->n, .column = p->column + p->entry->nr,
                      .offset = p->offset + panel_bytes(p->entry, packed->taps, packed->k)};
    const size_t left = packed->n - next.n0;
    next.entry = choose(packed->variants, left);
    next.n = left < next.entry->nr ? left : next.entry->nr;
    return next;
}

/* Full panels of the widest variant need no search: the first panel that could be another one is number n / widest.nr. */
oct_panel oct_panel_at(const oct_packed *packed, size_t index)
{
    const oct_gemm_entry *widest = packed->variants;
    const size_t full = packed->n / widest->nr;
    const size_t skip = index < full ? index : full;
    const size_t left = packed->n - skip * widest->nr;
    oct_panel p = {.entry = choose(packed->variants, left), .n0 = skip * widest->nr, .column = skip * widest->nr,
                   .offset = skip * panel_bytes(widest, packed->taps, packed->k)};
    p.n = left < p.entry->nr ? left : p.entry->nr;
    for (size_t i = skip; i < index; i++)
        p = next_panel(packed, &p);
    return p;
}

/* The end of the cut: where one more panel would start. `count`: panels. */
static oct_panel end_of(const oct_gemm_entry *variants, size_t n, size_t taps, size_t k, size_t *count)
{
    const oct_packed packed = {.variants = variants, .n = n, .taps = taps, .k = k};
    *count = n / variants->nr;
    oct_panel p = oct_panel_at(&packed, *count);
    for (; p.n0 < n; ++*count)
        p = next_panel(&packed, &p);
    return p;
}

/* The three sizes below do not depend on each other; the first two not on taps and k. */
size_t oct_panel_count(const oct_gemm_entry *variants, size_t n)
{
    size_t count;
    end_of(variants, n, 1, 1, &count);
    return count;
}

size_t oct_padded_columns(const oct_gemm_entry *variants, size_t n)
{
    size_t count;
    return end_of(variants, n, 1, 1, &count).column;
}

size_t oct_packed_bytes(const oct_gemm_entry *variants, size_t n, size_t taps, size_t k)
{
    size_t count;
    return end_of(variants, n, taps, k, &count).offset;
}

/* One group of `depth` <= kr neighbouring k, all columns of the panel. Columns are the inner loop: nr streams are read side by
 * side, and the panel is written from front to back. `column_step`: elements between the columns of w. */
static void pack_group_f32(const oct_panel *p, const float *w, size_t column_step, size_t depth, float *to)
{
    for (size_t c = 0; c < p->n; c++)
        for (size_t j = 0; j < depth; j++)
            to[c * p->entry->kr + j] = w[c * column_step + j];
}

static void pack_group_s8(const oct_panel *p, const int8_t *w, size_t column_step, size_t depth, int8_t *to)
{
    for (size_t c = 0; c < p->n; c++)
        for (size_t j = 0; j < depth; j++)
            to[c * p->entry->kr + j] = w[c * column_step + j];
}

static void pack_group_s16(const oct_panel *p, const int8_t *w, size_t column_step, size_t depth, int16_t *to)
{
    for (size_t c = 0; c < p->n; c++)
        for (size_t j = 0; j < depth; j++)
            to[c * p->entry->kr + j] = w[c * column_step + j];
}

/* All groups of a panel. w: the first column's weights, f32 or s8. Group g starts at element g * nr * kr of its tap. */
static void pack_panel(const oct_packed *packed, const oct_panel *p, const void *w, void *to)
{
    const size_t taps = packed->taps, k = packed->k, kr = p->entry->kr;
    for (size_t tap = 0; tap < taps; tap++) {
        for (size_t i = 0; i < k; i += kr) {
            const size_t from = tap * k + i, at = tap * tap_elements(p->entry, k) + i * p->entry->nr;
            const size_t depth = k - i < kr ? k - i : kr;
            if (p->entry->b_elem == OCT_ELEM_F32)
                pack_group_f32(p, (const float *)w + from, taps * k, depth, (float *)to + at);
            else if (p->entry->b_elem == OCT_ELEM_S16)
                pack_group_s16(p, (const int8_t *)w + from, taps * k, depth, (int16_t *)to + at);
            else
                pack_group_s8(p, (const int8_t *)w + from, taps * k, depth, (int8_t *)to + at);
        }
    }
}

/* Zeros first: padded columns and padded k must be zero, and zero gaps between panels make equal weights pack equally. */
static void pack_all(oct_packed *packed, const void *w, size_t w_elem_size, void *data)
{
    const size_t column_bytes = packed->taps * packed->k * w_elem_size;
    const size_t panels = oct_panel_count(packed->variants, packed->n);
    memset(data, 0, oct_packed_bytes(packed->variants, packed->n, packed->taps, packed->k));
    for (size_t index = 0; index < panels; index++) {
        const oct_panel p = oct_panel_at(packed, index);
        pack_panel(packed, &p, (const char *)w + p.n0 * column_bytes, (char *)data + p.offset);
    }
    packed->data = data;
}

void oct_pack_f32(oct_packed *packed, const float *w, void *data) { pack_all(packed, w, sizeof *w, data); }
void oct_pack_u8s8(oct_packed *packed, const int8_t *w, void *data) { pack_all(packed, w, sizeof *w, data); }

/* The bound of every partial sum is proved in gemm_u8s8_scalar.c; the sum needs 64 bits here because it may not fit. The product is
 * taken in float exactly as the kernel does: conversion and multiplication round monotonically, so no |acc| <= bound gives more. A
 * NaN (also 0 * inf) compares false. */
bool oct_gemm_provable(const int8_t *w, size_t count, int32_t bias, float mult)
{
    const int64_t limit = (int64_t)1 << 31;
    int64_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += w[i] < 0 ? -w[i] : w[i];
    const int64_t bound = 255 * sum + (bias < 0 ? -(int64_t)bias : bias);
    return bound < limit && (float)bound * (mult < 0 ? -mult : mult) < (float)limit;
}

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

void oct_panel_next(const oct_packed *packed, oct_panel *p)
{
    p->offset += panel_bytes(p->entry, packed->taps, packed->k);
    p->n0 += p->n;
    p->column += p->entry->nr;
    const size_t left = packed->n - p->n0;
    p->entry = choose(packed->variants, left);
    p->n = left < p->entry->nr ? left : p->entry->nr;
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
        oct_panel_next(packed, &p);
    return p;
}

/* The end of the cut: where one more panel would start. `count`: panels. */
static oct_panel end_of(const oct_gemm_entry *variants, size_t n, size_t taps, size_t k, size_t *count)
{
    const oct_packed packed = {.variants = variants, .n = n, .taps = taps, .k = k};
    *count = n / variants->nr;
    oct_panel p = oct_panel_at(&packed, *count);
    for (; p.n0 < n; ++*count)
        oct_panel_next(&packed, &p);
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

/* One tap of a panel, group after group. w: the first column's weights of this tap; step: elements between columns. */
static void pack_tap(const oct_packed *packed, const oct_panel *p, const void *w, size_t step, void *to)
{
    const size_t k = packed->k, kr = p->entry->kr;
    for (size_t i = 0; i < k; i += kr) {
        const size_t at = i * p->entry->nr, depth = k - i < kr ? k - i : kr;
        if (p->entry->b_elem == OCT_ELEM_F32)
            pack_group_f32(p, (const float *)w + i, step, depth, (float *)to + at);
        else if (p->entry->b_elem == OCT_ELEM_S16)
            pack_group_s16(p, (const int8_t *)w + i, step, depth, (int16_t *)to + at);
        else
            pack_group_s8(p, (const int8_t *)w + i, step, depth, (int8_t *)to + at);
    }
}

/* s8 to s16, a block of columns at a time: their pairs can then be transposed as words. */
enum { WIDE_COLUMNS = 16, WIDE_K = 128 };

static void transpose_widened(const oct_packed *packed, const oct_panel *p, const int8_t *w, size_t step, int16_t *to)
{
    int16_t wide[WIDE_COLUMNS][WIDE_K];
    for (size_t c = 0; c < p->n; c += WIDE_COLUMNS)
        for (size_t i = 0; i < packed->k; i += WIDE_K) {
            const size_t columns = p->n - c < WIDE_COLUMNS ? p->n - c : WIDE_COLUMNS;
            const size_t depth = packed->k - i < WIDE_K ? packed->k - i : WIDE_K;
            for (size_t r = 0; r < columns; r++)
                for (size_t j = 0; j < depth; j++)
                    wide[r][j] = w[(c + r) * step + i + j];
            packed->transpose(columns, depth / 2, wide, WIDE_K / 2, to + i * p->entry->nr + 2 * c, p->entry->nr);
        }
}

/* Where a group of one column is 4 bytes and no group is ragged, a tap of the panel is the transpose of a matrix of words:
 *
 *   w:   column 0:  g0 g1 g2 ..          panel:  g0 of column 0, 1, 2 ..
 *        column 1:  g0 g1 g2 ..                  g1 of column 0, 1, 2 ..                                                    */
static bool is_transpose(const oct_packed *packed, const oct_panel *p)
{
    const size_t kr = p->entry->kr;
    return packed->transpose && kr * elem_size(p->entry->b_elem) == 4 && packed->k % kr == 0;
}

void oct_pack_words(const oct_packed *packed, size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld)
{
    if (packed->transpose) {
        packed->transpose(rows, cols, in, in_ld, out, out_ld);
        return;
    }
    for (size_t r = 0; r < rows; r++)
        for (size_t c = 0; c < cols; c++)
            memcpy((char *)out + 4 * (c * out_ld + r), (const char *)in + 4 * (r * in_ld + c), 4);
}

/* All taps of a panel. w: the first column's weights, f32 or s8. */
static void pack_panel(const oct_packed *packed, const oct_panel *p, const void *w, size_t w_elem_size, void *to)
{
    const size_t step = packed->taps * packed->k, kr = p->entry->kr;
    const size_t tap_bytes = tap_elements(p->entry, packed->k) * elem_size(p->entry->b_elem);
    for (size_t tap = 0; tap < packed->taps; tap++) {
        const char *from = (const char *)w + tap * packed->k * w_elem_size;
        char *at = (char *)to + tap * tap_bytes;
        if (!is_transpose(packed, p))
            pack_tap(packed, p, from, step, at);
        else if (p->entry->b_elem == OCT_ELEM_S16)
            transpose_widened(packed, p, (const int8_t *)from, step, (int16_t *)(void *)at);
        else
            packed->transpose(p->n, packed->k / kr, from, step / kr, at, p->entry->nr);
    }
}

/* Zeros first where not every byte is written: padded columns and padded k must be zero, and zero gaps between panels make equal
 * weights pack equally. */
static void pack_all(oct_packed *packed, const void *w, size_t w_elem_size, void *data)
{
    const size_t column_bytes = packed->taps * packed->k * w_elem_size;
    const size_t panels = oct_panel_count(packed->variants, packed->n);
    for (size_t index = 0; index < panels; index++) {
        const oct_panel p = oct_panel_at(packed, index);
        const size_t bytes = panel_bytes(p.entry, packed->taps, packed->k);
        const size_t written = p.n * packed->taps * packed->k * elem_size(p.entry->b_elem);
        char *to = (char *)data + p.offset;
        if (written < bytes)
            memset(to, 0, bytes);
        pack_panel(packed, &p, (const char *)w + p.n0 * column_bytes, w_elem_size, to);
    }
    packed->data = data;
}

void oct_pack_f32(oct_packed *packed, const float *w, void *data) { pack_all(packed, w, sizeof *w, data); }
void oct_pack_u8s8(oct_packed *packed, const int8_t *w, void *data) { pack_all(packed, w, sizeof *w, data); }

/* Of at most SUM_BLOCK elements: fits 32 bits, which vectors can add. */
enum { SUM_BLOCK = 1 << 20 };

static int32_t absolute_sum(const int8_t *w, size_t count)
{
    int32_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += w[i] < 0 ? -w[i] : w[i];
    return sum;
}

/* No partial sum leaves 32 bits if the column is provable: 255 times as much would not. */
int32_t oct_weight_sum(const int8_t *w, size_t count)
{
    int32_t sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += w[i];
    return sum;
}

/* The bound of every partial sum is proved in gemm_u8s8_scalar.c; the sum needs 64 bits here because it may not fit. The product is
 * taken in float exactly as the kernel does: conversion and multiplication round monotonically, so no |acc| <= bound gives more. A
 * NaN (also 0 * inf) compares false. */
bool oct_gemm_provable(const int8_t *w, size_t count, int32_t bias, float mult)
{
    const int64_t limit = (int64_t)1 << 31;
    int64_t sum = 0;
    for (size_t i = 0; i < count; i += SUM_BLOCK)
        sum += absolute_sum(w + i, count - i < SUM_BLOCK ? count - i : SUM_BLOCK);
    const int64_t bound = 255 * sum + (bias < 0 ? -(int64_t)bias : bias);
    return bound < limit && (float)bound * (mult < 0 ? -mult : mult) < (float)limit;
}

/* suite_kernels_pack.c - how columns are cut and weights laid out, what can be proved of a column, and which tables a machine gets.
 * */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu.h"
#include "kernel_check.h"
#include "pack.h"

/* Packing only looks at the tile. */
static void no_kernel(const oct_tile *tile) { (void)tile; }

/* Made-up lists of variants, so that the rule is tested on every machine. */
static const oct_gemm_entry wide[] = {{no_kernel, 7, 64, 4, OCT_ELEM_U8, OCT_ELEM_S8, "64", 0},
                                      {no_kernel, 12, 32, 4, OCT_ELEM_U8, OCT_ELEM_S8, "32", 0},
                                      {no_kernel, 12, 16, 4, OCT_ELEM_U8, OCT_ELEM_S8, "16", 0},
                                      {NULL, 0, 0, 0, 0, 0, NULL, 0}};
static const oct_gemm_entry pairs[] = {{no_kernel, 6, 16, 2, OCT_ELEM_S16, OCT_ELEM_S16, "16", 0}, {NULL, 0, 0, 0, 0, 0, NULL, 0}};
static const oct_gemm_entry floats[] = {{no_kernel, 4, 24, 1, OCT_ELEM_F32, OCT_ELEM_F32, "24", 0},
                                        {no_kernel, 4, 8, 1, OCT_ELEM_F32, OCT_ELEM_F32, "8", 0},
                                        {NULL, 0, 0, 0, 0, 0, NULL, 0}};

/* The widths of the panels of n columns, as text: "64 64 16". */
static void widths(const oct_gemm_entry *variants, size_t n, char *text, size_t size)
{
    const oct_packed packed = {.variants = variants, .n = n, .taps = 1, .k = 1};
    size_t used = 0;
    text[0] = 0;
    for (size_t i = 0; i < oct_panel_count(variants, n); i++)
        used += (size_t)snprintf(text + used, size - used, used ? " %u" : "%u", oct_panel_at(&packed, i).entry->nr);
}

/* The rule of pack.c by examples: both sides of every edge. */
static void panel_widths(void)
{
    static const struct {
        const oct_gemm_entry *variants;
        size_t n;
        const char *widths;
    } rows[] = {
        {wide, 1, "16"},         {wide, 16, "16"},
        {wide, 17, "16 16"},     {wide, 32, "32"},
        {wide, 33, "32 16"},     {wide, 48, "32 16"},
        {wide, 49, "64"},        {wide, 63, "64"},
        {wide, 64, "64"},        {wide, 65, "64 16"},
        {wide, 100, "64 32 16"}, {wide, 120, "64 64"},
        {wide, 128, "64 64"},    {wide, 1000, "64 64 64 64 64 64 64 64 64 64 64 64 64 64 64 32 16"},
        {pairs, 1, "16"},        {pairs, 17, "16 16"},
        {floats, 16, "8 8"},     {floats, 17, "24"},
        {floats, 9, "8 8"},      {floats, 25, "24 8"},
        {floats, 40, "24 8 8"},  {floats, 41, "24 24"},
    };
    for (int i = 0; i < TEST_COUNT(rows); i++) {
        char text[256];
        widths(rows[i].variants, rows[i].n, text, sizeof text);
        CHECK_MSG(!strcmp(text, rows[i].widths), "n %zu is cut into \"%s\", not \"%s\"", rows[i].n, text, rows[i].widths);
    }
}

/* Panels follow each other without gap or overlap, in columns and, rounded to 64, in bytes. */
static void panel_chain(const oct_gemm_entry *variants, size_t n, size_t taps, size_t k)
{
    const oct_packed packed = {.variants = variants, .n = n, .taps = taps, .k = k};
    size_t n0 = 0, column = 0, offset = 0;
    for (size_t i = 0; i < oct_panel_count(variants, n); i++) {
        const oct_panel p = oct_panel_at(&packed, i);
        CHECK(p.n0 == n0 && p.column == column && p.offset == offset);
        CHECK(p.n >= 1 && p.n <= p.entry->nr && p.offset % 64 == 0);
        const size_t groups = (k + p.entry->kr - 1) / p.entry->kr;
        const size_t bytes = taps * groups * p.entry->kr * p.entry->nr * elem_bytes((oct_elem)p.entry->b_elem);
        n0 += p.n;
        column += p.entry->nr;
        offset += (bytes + 63) / 64 * 64;
    }
    CHECK_MSG(n0 == n && column == oct_padded_columns(variants, n) && offset == oct_packed_bytes(variants, n, taps, k),
              "n %zu taps %zu k %zu", n, taps, k);
}

static void panel_positions(void)
{
    const oct_gemm_entry *lists[3] = {wide, pairs, floats};
    for (int i = 0; i < 3; i++)
        for (size_t n = 1; n < 200 && !test_failed(); n++)
            panel_chain(lists[i], n, 1 + test_below(9), 1 + test_below(40));
}

/* Where the contract puts element (column, tap, i): panel [taps][groups][nr][kr]. */
static size_t place_of(const oct_panel *p, size_t k, size_t column, size_t tap, size_t i)
{
    const size_t kr = p->entry->kr, nr = p->entry->nr, groups = (k + kr - 1) / kr;
    return ((tap * groups + i / kr) * nr + column - p->n0) * kr + i % kr;
}

/* Packs and looks every element up; what is not an element must be zero. */
static void packed_elements(const oct_kernels *kernels, const oct_gemm_entry *variants, size_t n, size_t taps, size_t k)
{
    const bool f32 = variants->b_elem == OCT_ELEM_F32;
    const size_t count = n * taps * k, bytes = oct_packed_bytes(variants, n, taps, k),
                 size = elem_bytes((oct_elem)variants->b_elem);
    const guard_side side = test_below(2) ? GUARD_BEHIND : GUARD_BEFORE;
    void *w = guarded(SLOT_A, count * (f32 ? 4 : 1), 1, side);
    uint8_t *data = guarded(SLOT_B, bytes, 64, side), *seen = calloc(bytes, 1);
    /* By transposing, or element by element. */
    oct_packed packed = {
        .variants = variants, .n = n, .taps = taps, .k = k, .transpose = test_below(3) ? kernels->transpose_x32 : NULL};
    memset(data, 0x55, bytes);
    if (f32) {
        fill_f32(w, count, DATA_RANDOM);
        oct_pack_f32(&packed, w, data);
    } else {
        fill_s8(w, count, DATA_RANDOM);
        oct_pack_u8s8(&packed, w, data);
    }
    bool right = packed.data == data;
    for (size_t index = 0; index < oct_panel_count(variants, n); index++) {
        const oct_panel p = oct_panel_at(&packed, index);
        for (size_t c = p.n0; c < p.n0 + p.n; c++)
            for (size_t i = 0; i < taps * k; i++) {
                const size_t at = place_of(&p, k, c, i / k, i % k);
                right = right && elem_at((oct_elem)p.entry->b_elem, data + p.offset, at) ==
                                     elem_at(f32 ? OCT_ELEM_F32 : OCT_ELEM_S8, w, c * taps * k + i);
                memset(seen + p.offset + at * size, 1, size);
            }
    }
    for (size_t i = 0; i < bytes; i++)
        right = right && (seen[i] || data[i] == 0);
    free(seen);
    CHECK_MSG(right, "%s: n %zu taps %zu k %zu", variants->name, n, taps, k);
}

/* Small shapes, all three element types, groups that k does not fill. */
static void packing(void)
{
    const oct_gemm_entry *lists[3] = {wide, pairs, floats};
    const oct_kernels *kernels = oct_kernels_get(test_isa(), ~0u);
    for (int i = 0; i < 60 && !test_failed(); i++)
        packed_elements(kernels, lists[i % 3], 1 + test_below(150), 1 + test_below(2), 4 * (1 + test_below(90)));
    for (int i = 0; i < 300 && !test_failed(); i++)
        packed_elements(kernels, lists[i % 3], 1 + test_below(150), 1 + test_below(5), 1 + test_below(20));
}

/* The bound and its neighbours, for both signs; then what is no number. */
static void provable(void)
{
    int8_t *w = malloc(70000);
    memset(w, 127, 70000);
    /* 255 * 127 * 66,310 = 2,147,449,350 and 2^31 - 1 - that = 34,297. */
    CHECK(oct_gemm_provable(w, 66310, 34297, 0.5f));
    CHECK(oct_gemm_provable(w, 66310, -34297, 0.5f));
    CHECK(!oct_gemm_provable(w, 66310, 34298, 0.5f));
    CHECK(!oct_gemm_provable(w, 66310, -34298, 0.5f));
    CHECK(!oct_gemm_provable(w, 66311, 34297, 0.5f));
    memset(w, -127, 70000);
    CHECK(oct_gemm_provable(w, 66310, 34297, 0.5f));
    CHECK(!oct_gemm_provable(w, 66310, 34298, 0.5f));
    /* The conversion to float rounds 2^31 - 1 up to 2^31, which is too much for a conversion back. */
    CHECK(!oct_gemm_provable(w, 66310, 34297, 1.0f));
    CHECK(!oct_gemm_provable(w, 66310, 34297, -1.0f));
    CHECK(oct_gemm_provable(w, 1, INT32_MAX - 255 * 127 - 100, 0.99f));
    CHECK(oct_gemm_provable(w, 0, 0, 1e30f));
    CHECK(!oct_gemm_provable(w, 0, 0, NAN) && !oct_gemm_provable(w, 1, 0, NAN));
    CHECK(!oct_gemm_provable(w, 0, 0, INFINITY) && !oct_gemm_provable(w, 1, 0, INFINITY));
    CHECK(!oct_gemm_provable(w, 0, INT32_MIN, 1e-9f));
    free(w);
}

/* ---------------------------------------------------------------------------------------------- dispatch ---- */

/* What is listed, what is compiled and what the machine has must fit together. */
static void levels(void)
{
    CHECK(oct_isa_level_count() >= 6 && !strcmp(oct_isa_level_at(0)->name, "scalar"));
    CHECK(oct_isa_level_at(oct_isa_level_count()) == NULL);
    CHECK(oct_isa_level_at(0)->compiled && oct_isa_level_at(0)->features == 0);
    const uint32_t features = oct_cpu_features();
    for (size_t i = 0; i < oct_isa_level_count(); i++) {
        const oct_isa_level *level = oct_isa_level_at(i);
        const oct_kernels *kernels = oct_kernels_get(level->name, ~0u);
        const bool expected = level->compiled && (level->features & ~features) == 0;
        CHECK_MSG((kernels != NULL) == expected, "%s", level->name);
        CHECK(!kernels || !strcmp(kernels->isa, level->name));
        CHECK_MSG(kernels == oct_kernels_get(level->name, ~0u), "%s has two tables", level->name);
    }
}

/* A name is matched as a whole; scalar needs nothing, so no mask can take it away. */
static void unknown_names(void)
{
    CHECK(oct_kernels_get("", ~0u) == NULL && oct_kernels_get("avx", ~0u) == NULL);
    CHECK(oct_kernels_get("avx2 ", ~0u) == NULL && oct_kernels_get("SCALAR", ~0u) == NULL);
    CHECK(oct_kernels_get("scalar", 0) != NULL && oct_kernels_get("scalar", 0) == oct_kernels_get("scalar", ~0u));
}

/* The mask only removes: with each bit taken away, exactly the levels that need it are gone; with all bits, nothing changes. */
static void mask(void)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        const uint32_t allowed = ~(1u << bit);
        const oct_kernels *best = NULL;
        for (size_t i = 0; i < oct_isa_level_count(); i++) {
            const oct_isa_level *level = oct_isa_level_at(i);
            const oct_kernels *kernels = oct_kernels_get(level->name, allowed);
            const bool expected = oct_kernels_get(level->name, ~0u) && (level->features & ~allowed) == 0;
            CHECK_MSG((kernels != NULL) == expected, "%s with bit %u removed", level->name, bit);
            best = kernels ? kernels : best;
        }
        CHECK_MSG(oct_kernels_get(NULL, allowed) == best, "the best level without bit %u", bit);
    }
    CHECK(!strcmp(oct_kernels_get(NULL, 0)->isa, "scalar"));
}

/* The list ends with the scalar kernel, which accepts every shape: no level may push it out. */
static bool ends_with_scalar(const oct_depthwise_entry *list)
{
    while (list[1].name)
        list++;
    return !strcmp(list->name, "scalar");
}

/* No level may leave an entry empty: holes fall through. */
static void complete_tables(void)
{
    for (size_t i = 0; tested_kernels(i); i++) {
        const oct_kernels *k = tested_kernels(i);
        CHECK(k->gemm_f32[0].fn && k->gemm_u8s8[0].fn && k->gemv_f32[0].fn && k->gemv_u8s8[0].fn);
        CHECK(k->depthwise_f32[0].name && k->depthwise_u8s8[0].name);
        CHECK(ends_with_scalar(k->depthwise_f32) && ends_with_scalar(k->depthwise_u8s8));
        CHECK(!k->gemm_f32[OCT_GEMM_VARIANTS].fn && !k->gemm_u8s8[OCT_GEMM_VARIANTS].fn);
        CHECK(!k->gemv_f32[OCT_GEMM_VARIANTS].fn && !k->gemv_u8s8[OCT_GEMM_VARIANTS].fn);
        CHECK(!k->depthwise_f32[OCT_DEPTHWISE_VARIANTS].name && !k->depthwise_u8s8[OCT_DEPTHWISE_VARIANTS].name);
        CHECK(k->max_pool_f32 && k->max_pool_u8 && k->average_pool_f32 && k->average_pool_u8 && k->binary_f32 && k->binary_u8);
        CHECK(k->clamp_f32 && k->lut_u8 && k->quantize_f32_u8 && k->dequantize_u8_f32 && k->requantize_u8 && k->widen_u8_s16);
        CHECK(k->minmax_f32 && k->softmax_f32 && k->transpose_x32 && k->transpose_x8);
        CHECK(k->gather_pixels && k->resize_linear_f32 && k->resize_linear_u8);
        CHECK(oct_gemm_variants_f32(k, 1) == k->gemv_f32 && oct_gemm_variants_f32(k, 2) == k->gemm_f32);
        CHECK(oct_gemm_variants_u8s8(k, 1) == k->gemv_u8s8 && oct_gemm_variants_u8s8(k, 2) == k->gemm_u8s8);
    }
}

/* Every function of a table, as pointers that can be compared. */
typedef void any_function(void);
enum { TABLE_FUNCTIONS = 25 };
static void functions_of(const oct_kernels *k, any_function *f[TABLE_FUNCTIONS])
{
    any_function *all[TABLE_FUNCTIONS] = {
        (any_function *)k->gemm_f32[0].fn,    (any_function *)k->gemm_u8s8[0].fn,      (any_function *)k->gemv_f32[0].fn,
        (any_function *)k->gemv_u8s8[0].fn,   (any_function *)k->depthwise_f32[0].run, (any_function *)k->depthwise_u8s8[0].run,
        (any_function *)k->max_pool_f32,      (any_function *)k->max_pool_u8,          (any_function *)k->average_pool_f32,
        (any_function *)k->average_pool_u8,   (any_function *)k->binary_f32,           (any_function *)k->binary_u8,
        (any_function *)k->clamp_f32,         (any_function *)k->lut_u8,               (any_function *)k->quantize_f32_u8,
        (any_function *)k->dequantize_u8_f32, (any_function *)k->requantize_u8,        (any_function *)k->widen_u8_s16,
        (any_function *)k->minmax_f32,        (any_function *)k->softmax_f32,          (any_function *)k->transpose_x32,
        (any_function *)k->transpose_x8,      (any_function *)k->gather_pixels,        (any_function *)k->resize_linear_f32,
        (any_function *)k->resize_linear_u8,
    };
    memcpy(f, all, sizeof all);
}

/* A hole falls through to the next weaker level, not to the bottom: where a level has a kernel, no stronger one of its chain is
 * scalar. */
static void chains(void)
{
    static const char *const names[][2] = {{"avx2", "avx512"}, {"avx512", "avx512vnni"}, {"neon", "neondot"}};
    any_function *scalar[TABLE_FUNCTIONS], *weak[TABLE_FUNCTIONS], *strong[TABLE_FUNCTIONS];
    int compared = 0;
    functions_of(oct_kernels_get("scalar", ~0u), scalar);
    for (int i = 0; i < TEST_COUNT(names); i++) {
        const oct_kernels *a = oct_kernels_get(names[i][0], ~0u), *b = oct_kernels_get(names[i][1], ~0u);
        if (!a || !b)
            continue;
        functions_of(a, weak);
        functions_of(b, strong);
        for (size_t j = 0; j < TABLE_FUNCTIONS; j++, compared++)
            CHECK_MSG(weak[j] == scalar[j] || strong[j] != scalar[j], "%s lacks function %zu, which %s has", b->isa, j, a->isa);
    }
    if (!compared)
        test_skip("this machine has no two levels of one chain above scalar");
}

static const test_case pack_cases[] = {
    {"panel_widths", panel_widths}, {"panel_positions", panel_positions}, {"packing", packing}, {"provable", provable},
};
static const test_case dispatch_cases[] = {
    {"levels", levels}, {"unknown_names", unknown_names}, {"mask", mask}, {"complete_tables", complete_tables}, {"chains", chains},
};

static void __attribute__((constructor)) register_suites(void)
{
    test_register("kernels_pack", pack_cases, TEST_COUNT(pack_cases));
    test_register("kernels_dispatch", dispatch_cases, TEST_COUNT(dispatch_cases));
}

/* pack.h - weights into panels.
 *
 *   plain [n][taps][k]  ->  | panel 0: columns 0..nr-1 | panel 1 | ... | rest in narrower panels |
 *   one panel:               [taps][ceil(k / kr)][nr][kr], columns beyond n and k beyond the end are zero
 */
#ifndef OCT_PACK_H
#define OCT_PACK_H

#include "kernels.h"

/* One column panel of a packed matrix. */
typedef struct oct_panel {
    const oct_gemm_entry *entry;  /* its width is entry->nr */
    size_t n0, n;                 /* first column, existing columns */
    size_t column;                /* its first column when all panels are padded to full width: index into acc_bias, mult, bias */
    size_t offset;                /* bytes from the start of the packed matrix */
} oct_panel;

/* A packed right side. The memory belongs to the caller. */
typedef struct oct_packed {
    const oct_gemm_entry *variants;  /* list ended by fn == NULL */
    size_t n, taps, k;
    const void *data;                /* oct_packed_bytes, 64-byte aligned */
    /* The ISA's transpose_x32, which packs most layouts several times faster; NULL: element by element. */
    void (*transpose)(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld);
} oct_packed;

/* The list of variants to use for `m` rows: the gemv entry for one row, else the table's gemm entries. */
const oct_gemm_entry *oct_gemm_variants_f32(const oct_kernels *kernels, size_t m);
const oct_gemm_entry *oct_gemm_variants_u8s8(const oct_kernels *kernels, size_t m);

size_t oct_panel_count(const oct_gemm_entry *variants, size_t n);
oct_panel oct_panel_at(const oct_packed *packed, size_t index);
/* On to the next panel; behind the last: where one more would start. */
void oct_panel_next(const oct_packed *packed, oct_panel *p);
/* Columns when every panel is padded to its full width: the length of acc_bias, mult and bias. */
size_t oct_padded_columns(const oct_gemm_entry *variants, size_t n);
size_t oct_packed_bytes(const oct_gemm_entry *variants, size_t n, size_t taps, size_t k);
/* packed: variants, n, taps and k are set by the caller, data is set here to `data`.
 * w: element (column, tap, i) at w[(column * taps + tap) * k + i]. The entries' b_elem says f32, s8 or s8 widened to s16. */
void oct_pack_f32(oct_packed *packed, const float *w, void *data);
void oct_pack_u8s8(oct_packed *packed, const int8_t *w, void *data);

/* For packers of other weights: out[c * out_ld + r] = in[r * in_ld + c] for words of 4 bytes, by packed->transpose if there is
 * one. */
void oct_pack_words(const oct_packed *packed, size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld);

/* Whether one column can be computed without overflow: bound = 255 * sum|w| + |bias| < 2^31 and (float)bound * |mult| < 2^31
 * (finite, not NaN). bias is without the zero-point term. A residual adds to the scaled value: its share, 255 * |residual_mult|, is
 * the caller's care. */
bool oct_gemm_provable(const int8_t *w, size_t count, int32_t bias, float mult);

/* The sum of a column that is provable. */
int32_t oct_weight_sum(const int8_t *w, size_t count);

#endif

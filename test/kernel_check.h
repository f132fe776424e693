/* kernel_check.h - judging kernels as checkasm does: fenced memory, canaries, and every answer compared with the oracle.
 *
 *   guard page | ... input |guard page        every input touches a guard page: once the one behind it, once the one before it
 *
 *   canaries   | out row 0 | canary | out row 1 | canary | .. | out row m-1 |guard page
 *
 * A checker tests one family of a kernel table and reports instead of failing the test, so that the tests of the tests can ask
 * whether a planted bug is caught (suite_kernels_planted.c).
 */
#ifndef TEST_KERNEL_CHECK_H
#define TEST_KERNEL_CHECK_H

#include "harness.h"
#include "kernels.h"
#include "oracle.h"

/* -------------------------------------------------------------------------------------------- reports ---- */

typedef struct check_report {
    size_t cases;
    bool failed;
    char message[400];      /* the first failure */
} check_report;

void report_fail(check_report *report, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One family: a checker for its entries in `kernels`, less those that `base` (a weaker level, or NULL) has as well. */
typedef void kernel_checker(const oct_kernels *kernels, const oct_kernels *base, check_report *report);
typedef struct kernel_family {
    const char *name;
    kernel_checker *check;
} kernel_family;

/* Ended by a NULL name. */
extern const kernel_family kernel_families[];

kernel_checker check_gemm_f32, check_gemm_u8s8, check_gemv_f32, check_gemv_u8s8, check_depthwise_f32, check_depthwise_u8s8;
kernel_checker check_winograd_f32, check_winograd_u8s8;
kernel_checker check_pools, check_binary, check_clamp, check_lut, check_quantize, check_dequantize, check_requantize, check_widen;
kernel_checker check_minmax, check_softmax, check_transpose, check_gather, check_resize;

/* The levels to be tested, weakest first: those this machine can run, up to test_isa(). NULL after the last. */
const oct_kernels *tested_kernels(size_t index);

/* --------------------------------------------------------------------------------------------- memory ---- */

typedef enum guard_side { GUARD_BEHIND, GUARD_BEFORE } guard_side;

/* Large areas, one for each thing a kernel gets. */
enum {
    SLOT_POINTERS, SLOT_A, SLOT_B, SLOT_BIAS, SLOT_ACC_BIAS, SLOT_MULT, SLOT_RESIDUAL, SLOT_OUT, SLOT_SCRATCH,
    SLOT_TABLE,                 /* tables, padding rows, packed depthwise weights */
    GUARD_SLOTS
};

/* `bytes` bytes that touch a guard page at one end, aligned to `align` (then up to align - 1 bytes may lie between end and guard).
 * The memory of a slot is reused by the next call. Ends the program if the system has no memory. */
void *guarded(int slot, size_t bytes, size_t align, guard_side side);
void *guarded_copy(int slot, const void *from, size_t bytes, size_t align, guard_side side);

/* Small areas, each between guard pages of its own: row number `index` of a GEMM, at most GUARD_ROW_BYTES. */
enum { GUARD_ROWS = 512, GUARD_ROW_BYTES = 4096 };
void *guarded_row(size_t index, size_t bytes, guard_side side);

/* An output of `rows` rows, row_bytes each, ld_bytes apart, in SLOT_OUT; everything round the rows is filled with canaries. */
typedef struct canary_area {
    uint8_t *out;
    size_t rows, row_bytes, ld_bytes;
} canary_area;
canary_area canary_place(size_t rows, size_t row_bytes, size_t ld_bytes, guard_side side);
bool canary_intact(const canary_area *area);
/* Whether rows [begin, end) still hold canaries too. */
bool canary_untouched(const canary_area *area, size_t begin, size_t end);

/* Calls f; false if it touched a guard page. */
bool survives(void (*f)(void *arg), void *arg);

/* ------------------------------------------------------------------------------------------- numbers ---- */

size_t elem_bytes(oct_elem elem);
double elem_at(oct_elem elem, const void *array, size_t index);

/* Kinds of data, each meant to provoke something. */
typedef enum data_kind {
    DATA_RANDOM,            /* all values */
    DATA_EXTREME,           /* ends of the range only: 0 and 255, -127 and 127 */
    DATA_SAME,              /* the greatest sums: all 255 with all 127, or all 0 with zero point 255 */
    DATA_SMALL,             /* small integers: f32 sums are exact; many ties when rounding */
    DATA_KINDS
} data_kind;

void fill_f32(float *x, size_t n, data_kind kind);
void fill_u8(uint8_t *x, size_t n, data_kind kind);
void fill_s8(int8_t *x, size_t n, data_kind kind);      /* [-127, 127] */

/* A size in 1..limit that likes the edges: 1, 2, limit - 1, limit, or anything. */
size_t edge_size(size_t limit);

/* A layer's epilogue with random settings and unpadded arrays for `n` columns, made for sums of k products of data of that kind. */
typedef struct layer_data {
    oracle_layer layer;
    float *bias, *mult;
    int32_t *acc_bias;
    void *residual;
} layer_data;
layer_data layer_make(bool u8s8, size_t rows, size_t n, size_t k, const void *w, data_kind kind, oct_elem out, bool with_residual);
void layer_free(layer_data *layer);

/* Compares a finished output with the oracle's opinion of one element. */
bool same_element(const oracle_layer *layer, const void *out, size_t at, oracle_value expected);

#endif

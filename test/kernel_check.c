#define _DEFAULT_SOURCE       /* MAP_ANONYMOUS, MAP_NORESERVE */

#include "kernel_check.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* -------------------------------------------------------------------------------------------- reports ---- */

void report_fail(check_report *report, const char *format, ...)
{
    if (report->failed)
        return;
    report->failed = true;
    va_list args;
    va_start(args, format);
    vsnprintf(report->message, sizeof report->message, format, args);
    va_end(args);
}

const kernel_family kernel_families[] = {
    {"gemm_f32", check_gemm_f32},           {"gemm_u8s8", check_gemm_u8s8},         {"gemv_f32", check_gemv_f32},
    {"gemv_u8s8", check_gemv_u8s8},         {"depthwise_f32", check_depthwise_f32}, {"depthwise_u8s8", check_depthwise_u8s8},
    {"pools", check_pools},                 {"binary", check_binary},               {"clamp", check_clamp},
    {"lut", check_lut},                     {"quantize", check_quantize},           {"dequantize", check_dequantize},
    {"requantize", check_requantize},       {"widen", check_widen},                 {"minmax", check_minmax},
    {"softmax", check_softmax},             {"transpose", check_transpose},         {"gather", check_gather},
    {"resize", check_resize},               {"winograd_f32", check_winograd_f32}, {"winograd_u8s8", check_winograd_u8s8},
    {NULL, NULL},
};

const oct_kernels *tested_kernels(size_t index)
{
    for (size_t i = 0; i < oct_isa_level_count(); i++) {
        const char *name = oct_isa_level_at(i)->name;
        const oct_kernels *kernels = oct_kernels_get(name, ~0u);
        if (kernels && index-- == 0)
            return kernels;
        if (test_isa() && !strcmp(name, test_isa()))
            break;
    }
    return NULL;
}

/* --------------------------------------------------------------------------------------------- memory ---- */

enum { SLOT_BYTES = 16 << 20, CANARY_MARGIN = 128 };

static size_t page_bytes(void) { return (size_t)sysconf(_SC_PAGESIZE); }

/* Memory that is only paid for where it is touched. */
static char *map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) {
        perror("mmap");
        exit(3);
    }
    return p;
}

/* Makes a guard page. */
static void forbid(char *page)
{
    if (mprotect(page, page_bytes(), PROT_NONE) != 0) {
        perror("mprotect");
        exit(3);
    }
}

/* `bytes` at one end of an area of area_bytes. */
static void *place(char *area, size_t area_bytes, size_t bytes, size_t align, guard_side side)
{
    if (bytes > area_bytes) {
        fprintf(stderr, "a test wants %zu bytes between guard pages; there are %zu\n", bytes, area_bytes);
        exit(3);
    }
    return side == GUARD_BEFORE ? area : area + (area_bytes - bytes) / align * align;
}

void *guarded(int slot, size_t bytes, size_t align, guard_side side)
{
    static char *slots[GUARD_SLOTS];
    if (!slots[slot]) {
        char *p = map(SLOT_BYTES + 2 * page_bytes());
        forbid(p);
        forbid(p + page_bytes() + SLOT_BYTES);
        slots[slot] = p + page_bytes();
    }
    return place(slots[slot], SLOT_BYTES, bytes, align, side);
}

void *guarded_copy(int slot, const void *from, size_t bytes, size_t align, guard_side side)
{
    void *p = guarded(slot, bytes, align, side);
    return bytes ? memcpy(p, from, bytes) : p;
}

/* guard | row 0 | guard | row 1 | guard | .. : every second page is forbidden. */
void *guarded_row(size_t index, size_t bytes, guard_side side)
{
    static char *comb;
    const size_t page = page_bytes();
    if (!comb) {
        comb = map((2 * GUARD_ROWS + 1) * page);
        for (size_t i = 0; i <= GUARD_ROWS; i++)
            forbid(comb + 2 * i * page);
    }
    return place(comb + (2 * index + 1) * page, page, bytes, 1, side);
}

/* Differs from neighbour to neighbour, so that a copied canary is noticed as well. */
static uint8_t canary_byte(size_t i) { return (uint8_t)(0xC3u + 31u * (uint32_t)i); }

/* From the first row to the end of the last; the last has no gap behind it. */
static size_t canary_bytes(const canary_area *a) { return a->rows ? (a->rows - 1) * a->ld_bytes + a->row_bytes : 0; }

/* The side away from the guard page gets a margin of canaries as well. */
canary_area canary_place(size_t rows, size_t row_bytes, size_t ld_bytes, guard_side side)
{
    canary_area a = {.rows = rows, .row_bytes = row_bytes, .ld_bytes = ld_bytes};
    const size_t bytes = canary_bytes(&a);
    uint8_t *p = guarded(SLOT_OUT, bytes + CANARY_MARGIN, 1, side);
    for (size_t i = 0; i < bytes + CANARY_MARGIN; i++)
        p[i] = canary_byte(i);
    a.out = side == GUARD_BEFORE ? p : p + CANARY_MARGIN;
    return a;
}

/* Where in the pattern `out` begins: behind the margin, unless the area touches the guard page before the slot. */
static size_t canary_phase(const canary_area *a)
{
    return a->out == (uint8_t *)guarded(SLOT_OUT, 0, 1, GUARD_BEFORE) ? 0 : CANARY_MARGIN;
}

/* Whether bytes [begin, end), counted from `out`, are as they were. */
static bool canaries(const canary_area *a, ptrdiff_t begin, ptrdiff_t end)
{
    const ptrdiff_t phase = (ptrdiff_t)canary_phase(a);
    for (ptrdiff_t i = begin; i < end; i++)
        if (a->out[i] != canary_byte((size_t)(i + phase)))
            return false;
    return true;
}

bool canary_intact(const canary_area *a)
{
    const ptrdiff_t phase = (ptrdiff_t)canary_phase(a), bytes = (ptrdiff_t)canary_bytes(a);
    if (!canaries(a, -phase, 0) || !canaries(a, bytes, bytes + CANARY_MARGIN - phase))
        return false;
    for (size_t r = 0; r + 1 < a->rows; r++)
        if (!canaries(a, (ptrdiff_t)(r * a->ld_bytes + a->row_bytes), (ptrdiff_t)((r + 1) * a->ld_bytes)))
            return false;
    return true;
}

bool canary_untouched(const canary_area *a, size_t begin, size_t end)
{
    return begin >= end || canaries(a, (ptrdiff_t)(begin * a->ld_bytes), (ptrdiff_t)((end - 1) * a->ld_bytes + a->row_bytes));
}

/* A touched guard page raises SIGSEGV (SIGBUS on some systems); the handler leaves the kernel for good. */
static sigjmp_buf after_fault;

static void on_fault(int signal_number)
{
    (void)signal_number;
    siglongjmp(after_fault, 1);
}

bool survives(void (*f)(void *arg), void *arg)
{
    struct sigaction catch = {.sa_handler = on_fault}, segv, bus;
    sigemptyset(&catch.sa_mask);
    sigaction(SIGSEGV, &catch, &segv);
    sigaction(SIGBUS, &catch, &bus);
    const bool alive = sigsetjmp(after_fault, 1) == 0;
    if (alive)
        f(arg);
    sigaction(SIGSEGV, &segv, NULL);
    sigaction(SIGBUS, &bus, NULL);
    return alive;
}

/* ------------------------------------------------------------------------------------------- numbers ---- */

size_t elem_bytes(oct_elem elem)
{
    return elem == OCT_ELEM_F32 ? 4 : elem == OCT_ELEM_S16 ? 2 : 1;
}

double elem_at(oct_elem elem, const void *array, size_t index)
{
    switch (elem) {
    case OCT_ELEM_F32: return (double)((const float *)array)[index];
    case OCT_ELEM_U8: return (double)((const uint8_t *)array)[index];
    case OCT_ELEM_S8: return (double)((const int8_t *)array)[index];
    case OCT_ELEM_S16: break;
    }
    return (double)((const int16_t *)array)[index];
}

/* EXTREME spans nine orders of magnitude; sums of SMALL ones are exact in any order. */
static float random_f32(data_kind kind)
{
    switch (kind) {
    case DATA_RANDOM: return test_uniform(-1.0f, 1.0f);
    case DATA_EXTREME: return ldexpf(test_uniform(-1.0f, 1.0f), (int)test_below(30) - 15);
    case DATA_SAME: return 1.0f;
    case DATA_SMALL:
    case DATA_KINDS: break;
    }
    return (float)((int)test_below(17) - 8);
}

void fill_f32(float *x, size_t n, data_kind kind)
{
    for (size_t i = 0; i < n; i++)
        x[i] = random_f32(kind);
}

/* One draw of 64 random bits serves eight bytes. */
void fill_u8(uint8_t *x, size_t n, data_kind kind)
{
    const uint8_t same = test_below(2) ? 255 : 0;
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        bits = i % 8 ? bits >> 8 : test_random();
        const uint8_t byte = (uint8_t)bits;
        x[i] = kind == DATA_RANDOM ? byte : kind == DATA_EXTREME ? (byte & 1 ? 255 : 0) : kind == DATA_SAME ? same : byte & 7;
    }
}

void fill_s8(int8_t *x, size_t n, data_kind kind)
{
    const int8_t same = test_below(2) ? 127 : -127;
    uint64_t bits = 0;
    for (size_t i = 0; i < n; i++) {
        bits = i % 8 ? bits >> 8 : test_random();
        const int byte = (int)(bits & 255) - 128;
        x[i] = (int8_t)(kind == DATA_RANDOM ? (byte < -127 ? -127 : byte)
                        : kind == DATA_EXTREME ? (byte & 1 ? 127 : -127) : kind == DATA_SAME ? same : byte % 3);
    }
}

size_t edge_size(size_t limit)
{
    switch (test_below(6)) {
    case 0: return 1;
    case 1: return limit > 1 ? 2 : 1;
    case 2: return limit > 1 ? limit - 1 : 1;
    case 3: return limit;
    default: return 1 + test_below((uint32_t)limit);
    }
}

/* -------------------------------------------------------------------------------------------- layers ---- */

/* A multiplier that spreads sums over the output's range; now and then the greatest provable one, or a power of two (ties). */
static float make_mult(const int8_t *w, size_t k, int32_t bias, data_kind kind)
{
    double bound = fabs((double)bias);
    for (size_t i = 0; i < k; i++)
        bound += 255.0 * abs(w[i]);
    if (test_below(16) == 0)
        return (float)(2147483648.0 / (bound + 1.0) * 0.999);
    if (kind == DATA_SMALL)
        return ldexpf(1.0f, -(int)test_below(4));
    const double typical = kind == DATA_SAME ? bound : 1000.0 + bound / sqrt((double)k);
    return (float)(200.0 / typical) * test_uniform(0.2f, 2.0f);
}

/* Half of the layers clamp; the others must not. */
static void set_activation(oct_epilogue *e, bool u8s8)
{
    e->lo = -INFINITY;
    e->hi = INFINITY;
    e->qhi = 255;
    e->out_zero = (int32_t)test_below(256);
    e->out_mult = test_uniform(1.0f, 60.0f);
    if (!u8s8 && e->out_elem == OCT_ELEM_U8) {          /* must be finite: the range of the output's type */
        e->lo = (float)-e->out_zero / e->out_mult;
        e->hi = (float)(255 - e->out_zero) / e->out_mult;
    }
    if (test_below(2)) {
        e->lo = test_uniform(-1.0f, 0.1f);
        e->hi = e->lo + test_uniform(0.0f, 4.0f);
        e->qlo = (uint8_t)test_below(256);
        e->qhi = (uint8_t)(e->qlo + test_below(256u - e->qlo));
    }
}

/* A test without memory cannot say anything. */
static void *allocate(size_t bytes)
{
    void *p = calloc(bytes ? bytes : 1, 1);
    if (!p) {
        perror("calloc");
        exit(3);
    }
    return p;
}

layer_data layer_make(bool u8s8, size_t rows, size_t n, size_t k, const void *w, data_kind kind, oct_elem out, bool with_residual)
{
    layer_data d = {.layer = {.u8s8 = u8s8, .e = {.out_elem = out}}, .bias = allocate(n * sizeof(float))};
    oct_epilogue *e = &d.layer.e;
    fill_f32(d.bias, n, kind);
    d.mult = allocate(n * sizeof(float));
    d.acc_bias = allocate(n * sizeof(int32_t));
    for (size_t c = 0; u8s8 && c < n; c++) {
        d.acc_bias[c] = kind == DATA_SMALL ? (int32_t)test_below(9) - 4 : (int32_t)test_below(200001) - 100000;
        d.mult[c] = make_mult((const int8_t *)w + c * k, k, d.acc_bias[c], kind);
    }
    set_activation(e, u8s8);
    const int32_t zeros[4] = {0, 255, 128, (int32_t)test_below(256)};
    d.layer.x_zero = u8s8 ? zeros[test_below(4)] : 0;
    e->residual_ld = n + test_below(3);
    e->residual_mult = test_uniform(0.05f, 3.0f);
    e->residual_zero = (int32_t)test_below(256);
    if (with_residual) {
        d.residual = allocate(rows * e->residual_ld * elem_bytes(out));
        if (out == OCT_ELEM_F32)
            fill_f32(d.residual, rows * e->residual_ld, kind);
        else
            fill_u8(d.residual, rows * e->residual_ld, DATA_RANDOM);
    }
    e->bias = d.bias;
    e->mult = d.mult;
    e->acc_bias = d.acc_bias;
    e->residual = d.residual;
    return d;
}

void layer_free(layer_data *d)
{
    free(d->bias);
    free(d->mult);
    free(d->acc_bias);
    free(d->residual);
    *d = (layer_data){0};
}

bool same_element(const oracle_layer *layer, const void *out, size_t at, oracle_value expected)
{
    return oracle_accepts(expected, elem_at(layer->e.out_elem, out, at));
}

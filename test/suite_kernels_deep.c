/* suite_kernels_deep.c - f32 products so deep that k is summed up in pieces (gemm.c): bias, residual, clamp and post-pass must
 * happen once, whatever the number of pieces. All numbers are small integers, so every partial sum is exact and the results must
 * be equal. */
#include <stdlib.h>
#include <string.h>

#include "gemm.h"
#include "harness.h"
#include "kernels.h"

typedef struct deep_case {
    size_t m, n, k;
    bool residual, post;
    float lo, hi;
} deep_case;

static void *room(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 63) / 64 * 64 + 64);
    if (!p)
        abort();
    return p;
}

static float *integers(size_t count, int size)
{
    float *x = room(count * sizeof *x);
    for (size_t i = 0; i < count; i++)
        x[i] = (float)test_below(2u * (unsigned)size + 1) - (float)size;
    return x;
}

static void doubled(const void *arg, void *row, size_t n)
{
    (void)arg;
    for (size_t i = 0; i < n; i++)
        ((float *)row)[i] *= 2.0f;
}

static float expected(const deep_case *d, const float *a, const float *w, float start, float residual)
{
    float sum = start;
    for (size_t i = 0; i < d->k; i++)
        sum += a[i] * w[i];
    sum += d->residual ? residual : 0.0f;
    sum = sum > d->lo ? sum : d->lo;
    sum = sum < d->hi ? sum : d->hi;
    return d->post ? 2.0f * sum : sum;
}

/* All rows and columns at the edges of blocks, panels and strips, and some between. */
static void compare(const deep_case *d, const float *a, const float *w, const float *bias, const float *before, const float *out)
{
    for (size_t s = 0; s < 4000; s++) {
        const size_t r = s < d->m ? s : test_below((uint32_t)d->m), c = s % 3 ? test_below((uint32_t)d->n) : d->n - 1 - s % 70;
        const float want = expected(d, a + r * d->k, w + c * d->k, bias[c], before[r * d->n + c]);
        CHECK_MSG(out[r * d->n + c] == want, "m %zu n %zu k %zu: row %zu column %zu is %g, not %g", d->m, d->n, d->k, r, c,
                  (double)out[r * d->n + c], (double)want);
        if (test_failed())
            return;
    }
}

/* The residual is what `out` held before: the kernels read an element before they write it. */
static void run_case(const oct_kernels *kernels, const deep_case *d)
{
    const oct_gemm_entry *variants = oct_gemm_variants_f32(kernels, d->m);
    oct_packed packed = {.variants = variants, .n = d->n, .taps = 1, .k = d->k};
    void *data = room(oct_packed_bytes(variants, d->n, 1, d->k));
    float *a = integers(d->m * d->k, 8), *w = integers(d->n * d->k, 8), *out = integers(d->m * d->n, 1000);
    float *before = room(d->m * d->n * sizeof(float)), *bias = integers(oct_padded_columns(variants, d->n), 1000);
    memcpy(before, out, d->m * d->n * sizeof(float));
    oct_pack_f32(&packed, w, data);
    const oct_gemm_job job = {.packed = &packed, .m = d->m, .a = a, .lda = d->k, .post = {.fn = d->post ? doubled : NULL},
                              .e = {.bias = bias, .residual = d->residual ? out : NULL, .residual_ld = d->n, .lo = d->lo, .hi = d->hi,
                                    .out_elem = OCT_ELEM_F32, .out = out, .out_ld = d->n}};
    const size_t units = oct_gemm_units(&job), half = test_below((uint32_t)units + 1);
    oct_gemm_run(&job, half, units);
    oct_gemm_run(&job, 0, half);
    compare(d, a, w, bias, before, out);
    free(data);
    free(a);
    free(w);
    free(out);
    free(before);
    free(bias);
}

static void pieces_of_k(void)
{
    const oct_kernels *kernels = oct_kernels_get(test_isa(), ~0u);
    static const deep_case cases[] = {
        {384, 512, 1025, false, false, -1e9f, 1e9f},
        {401, 521, 1100, true, true, -500.0f, 900.0f},
        {390, 600, 1537, true, false, 0.0f, 1e9f},
        {383, 512, 1100, false, true, -700.0f, 6.0f},         /* not deep */
    };
    for (int i = 0; i < TEST_COUNT(cases) && !test_failed(); i++)
        run_case(kernels, &cases[i]);
}

static const test_case cases[] = {
    {"pieces_of_k", pieces_of_k},
};
static void __attribute__((constructor)) add_suite(void) { test_register("kernels_deep", cases, TEST_COUNT(cases)); }

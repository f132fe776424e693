/* a [.., M, K] times b [.., K, N], both computed by the network. b is packed anew in every run, which costs K*N against M*K*N
 * products:
 *
 *   for each matrix of b:   b --turn--> b^T [N, K] --pack--> panels      then all rows of a that go with it
 *
 * If b is one matrix for all of a, a's leading dimensions are rows of one product. */
#include <math.h>
#include <stdio.h>

#include "gemm.h"
#include "grain.h"
#include "memory.h"
#include "ops_table.h"
#include "prepack.h"
#include "status.h"

typedef struct matmul_state {
    const oct_kernels *kernels;
    const oct_gemm_entry *variants;
    int rank;                                                      /* of the leading dimensions */
    size_t dims[OCT_MAX_RANK], a_step[OCT_MAX_RANK], b_step[OCT_MAX_RANK];   /* in matrices */
    size_t count, m, n, k;                                         /* count products of m x k times k x n */
    const float *bias;                                             /* zeros */
    size_t turned_bytes;
} matmul_state;

/* Steps between matrices for every leading dimension of the output; 0 where the operand is repeated. */
static void leading_steps(const oct_shape *in, const oct_shape *out, size_t *steps)
{
    size_t step = 1;
    for (int i = out->rank - 3; i >= 0; i--) {
        const int at = i - (out->rank - in->rank);
        const size_t dim = at < 0 ? 1 : (size_t)in->dims[at];
        steps[i] = dim == 1 ? 0 : step;
        step *= dim;
    }
}

static oct_status prepare_matmul(const oct_setup *setup, oct_step *step)
{
    oct_status status;
    const oct_shape *a = &oct_input_of(setup, step, 0)->shape, *b = &oct_input_of(setup, step, 1)->shape;
    const oct_shape *y = &oct_output_of(setup, step)->shape;
    OCT_TRY(oct_same_type(setup, step));
    if (oct_input_of(setup, step, 0)->dtype != OCT_F32 || oct_input_of(setup, step, 1)->dtype != OCT_F32)
        return oct_fail(OCT_ERR_UNSUPPORTED, "a product of two computed matrices is possible in f32 only");
    matmul_state *s = oct_step_keep(setup, 1, sizeof *s, &status);
    OCT_TRY(status);
    *s = (matmul_state){.kernels = setup->kernels, .rank = y->rank - 2, .m = (size_t)a->dims[a->rank - 2],
                        .n = (size_t)b->dims[b->rank - 1], .k = (size_t)a->dims[a->rank - 1]};
    s->count = (size_t)oct_shape_product(y, 0, y->rank - 2);
    leading_steps(a, y, s->a_step);
    leading_steps(b, y, s->b_step);
    for (int i = 0; i < s->rank; i++)
        s->dims[i] = (size_t)y->dims[i];
    if (oct_shape_product(b, 0, b->rank - 2) == 1 && (size_t)oct_shape_product(a, 0, a->rank - 2) == s->count) {
        s->m *= s->count;
        s->count = 1;
    }
    s->variants = oct_gemm_variants_f32(setup->kernels, s->m);
    s->turned_bytes = oct_align_up(s->n * s->k * sizeof(float));
    s->bias = oct_step_keep(setup, oct_padded_columns(s->variants, s->n), sizeof(float), &status);
    step->state = s;
    step->scratch_bytes = s->turned_bytes + oct_packed_bytes(s->variants, s->n, 1, s->k);
    step->algo = "pack and multiply";
    snprintf(step->kernel, sizeof step->kernel, "gemm_f32 %s", s->variants->name);
    return status;
}

static void multiply(void *job, size_t begin, size_t end, int thread)
{
    (void)thread;
    oct_gemm_run(job, begin, end);
}

/* Product `index`: which matrices of a and b go together. */
static void operands(const matmul_state *s, size_t index, size_t *a, size_t *b)
{
    *a = *b = 0;
    for (int i = s->rank - 1; i >= 0; i--) {
        *a += index % s->dims[i] * s->a_step[i];
        *b += index % s->dims[i] * s->b_step[i];
        index /= s->dims[i];
    }
}

static void run_matmul(oct_step *step, oct_pool *pool)
{
    const matmul_state *s = step->state;
    float *turned = step->scratch;
    void *panels = (uint8_t *)step->scratch + s->turned_bytes;
    oct_packed packed = {.variants = s->variants, .n = s->n, .taps = 1, .k = s->k, .transpose = s->kernels->transpose_x32};
    size_t packed_b = (size_t)-1;
    for (size_t i = 0; i < s->count; i++) {
        size_t a = 0, b = 0;
        if (s->count > 1)
            operands(s, i, &a, &b);
        if (b != packed_b) {
            s->kernels->transpose_x32(s->k, s->n, (const float *)step->in[1] + b * s->k * s->n, s->n, turned, s->k);
            oct_pack_f32(&packed, turned, panels);
            packed_b = b;
        }
        oct_gemm_job job = {.packed = &packed, .m = s->m, .a = (const float *)step->in[0] + a * s->m * s->k, .lda = s->k};
        job.e = (oct_epilogue){.bias = s->bias, .lo = -INFINITY, .hi = INFINITY, .qhi = 255, .out_elem = OCT_ELEM_F32};
        job.e.out = (float *)step->out + i * s->m * s->n;
        job.e.out_ld = s->n;
        const size_t units = oct_gemm_units(&job);
        oct_pool_run(pool, multiply, &job, units, oct_grain(units, oct_multiply_time((double)s->m * (double)(s->n * s->k), false)));
    }
}

const oct_runtime_op oct_run_matmul = {.op = OCT_OP_MATMUL, .prepare = prepare_matmul, .run = run_matmul};

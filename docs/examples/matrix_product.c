/* matrix_product.c - a matrix product in f32 and in int8 with octet_kernels.h alone, and how far the two are apart.
 *
 *   cc -Iinclude docs/examples/matrix_product.c build/liboctet.a -pthread -lm -o product && ./product
 *
 * y = x * w^T for x of M x K and w of N x K. The int8 version quantizes x with one scale for all of it and w with one per row, then
 * multiplies integers. The program fails if the results are further apart than the rounding of both sides allows.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "octet_kernels.h"

enum { M = 50, N = 30, K = 200 };

static float x[M * K], w[N * K], y_f32[M * N], y_int8[M * N];
static uint8_t x_quantized[M * K];
static int8_t w_quantized[N * K];
static float w_scale[N];

static void check(oct_status status)
{
    if (status == OCT_OK)
        return;
    fprintf(stderr, "%s\n", oct_error());
    exit(1);
}

/* Numbers in [-1, 1] that look random and are the same everywhere. */
static void fill(float *array, int count, unsigned state)
{
    for (int i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        array[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
    }
}

/* x in [-1, 1] as u8: real = (q - 128) / 127. */
static void quantize_x(void)
{
    for (int i = 0; i < M * K; i++)
        x_quantized[i] = (uint8_t)(lrintf(x[i] * 127.0f) + 128);
}

/* Each row of w as s8: its largest element becomes 127. */
static void quantize_w(void)
{
    for (int n = 0; n < N; n++) {
        float most = 1e-6f;
        for (int k = 0; k < K; k++)
            most = fmaxf(most, fabsf(w[n * K + k]));
        w_scale[n] = most / 127.0f;
        for (int k = 0; k < K; k++)
            w_quantized[n * K + k] = (int8_t)lrintf(w[n * K + k] / w_scale[n]);
    }
}

int main(void)
{
    const oct_matrix_desc desc = {.n = N, .k = K};
    oct_weights *weights;
    fill(x, M * K, 1);
    fill(w, N * K, 2);

    check(oct_pack_matrix_f32(&desc, w, &weights));
    check(oct_gemm_f32(weights, M, x, K, y_f32, N));
    oct_weights_free(weights);

    quantize_x();
    quantize_w();
    const oct_quantization quantization = {.x_scale = 1.0f / 127.0f, .x_zero = 128, .w_scale = w_scale};  /* y_scale 0: y is f32 */
    check(oct_pack_matrix_u8s8(&desc, w_quantized, &quantization, &weights));
    check(oct_gemm_u8s8(weights, M, x_quantized, K, y_int8, N));
    oct_weights_free(weights);

    /* Each product is off by at most half a step on either side: |dx * w| + |x * dw| <= 1/254 + 1/254 and a little. */
    float most = 0;
    for (int i = 0; i < M * N; i++)
        most = fmaxf(most, fabsf(y_f32[i] - y_int8[i]));
    printf("y[0] is %.4f in f32 and %.4f in int8; the largest difference of %d elements is %.4f\n", y_f32[0], y_int8[0], M * N,
           most);
    if (!(most > 0 && most < K * 2.01f / 254.0f)) {
        fprintf(stderr, "that is more than rounding can explain\n");
        return 1;
    }
    return 0;
}

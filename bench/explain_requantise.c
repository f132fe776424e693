/* explain_requantise.c - what it costs to turn a sum into a byte, apart from the products.
 *
 * The same int8 product is timed twice in turns: with u8 outputs (scale, round, add the zero point, clamp, narrow) and with f32
 * outputs (scale). The difference, per output, is requantisation. Whatever else the kernel does is in both times.
 */
#include <stdlib.h>

#include "explain.h"
#include "octet_kernels.h"

#define ROWS    96
#define COLUMNS 64
#define DEPTH   32 /* few products, so that the outputs are a large part of the time */

/* One of the two products. */
typedef struct product {
    oct_weights *weights;
    bool to_bytes;
    uint8_t *x;
    void *y;
} product;

static void run_product(void *arg)
{
    const product *p = arg;
    oct_gemm_u8s8(p->weights, ROWS, p->x, DEPTH, p->y, COLUMNS);
}

/* The values do not matter. */
static bool make_product(product *p, const char *isa)
{
    static int8_t w[COLUMNS * DEPTH];
    static float scales[COLUMNS];
    for (size_t i = 0; i < COLUMNS * DEPTH; i++)
        w[i] = (int8_t)((int)(i % 15) - 7);
    for (size_t i = 0; i < COLUMNS; i++)
        scales[i] = 0.01f;
    const oct_matrix_desc desc = {.n = COLUMNS, .k = DEPTH, .isa = isa};
    const oct_quantization quantization = {
        .x_scale = 0.1f, .x_zero = 128, .w_scale = scales, .y_scale = p->to_bytes ? 0.1f : 0, .y_zero = p->to_bytes ? 128 : 0};
    p->x = calloc(ROWS * DEPTH, 1);
    p->y = calloc(ROWS * COLUMNS, p->to_bytes ? 1 : sizeof(float));
    return p->x && p->y && oct_pack_matrix_u8s8(&desc, w, &quantization, &p->weights) == OCT_OK;
}

/* Where storing four bytes costs more than making one of them, nothing is left. */
bool explain_requantise(const char *isa, double *seconds, failure *why)
{
    product products[2] = {{.to_bytes = true}, {.to_bytes = false}};
    measure_item items[2];
    measure_result results[2];
    measure_info info;
    bool ok = true;
    for (int i = 0; i < 2; i++) {
        items[i] = (measure_item){run_product, &products[i], 1};
        ok = ok && make_product(&products[i], isa);
    }
    ok = ok && measure_group(items, 2, 0.1, results, &info);
    if (ok) {
        const double more = results[0].median - results[1].median;
        *seconds = more > 0 ? more / (ROWS * COLUMNS) : 0;
        measure_free(results, 2);
    }
    for (int i = 0; i < 2; i++) {
        oct_weights_free(products[i].weights);
        free(products[i].x);
        free(products[i].y);
    }
    return ok || fail_with(why, "requantisation on %s could not be measured: out of memory", isa);
}

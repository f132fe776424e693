/* openblas.c - a square float product by OpenBLAS, for comparison only: built with `make OPENBLAS=1`.
 *
 * OpenBLAS chooses its kernels by the CPU's family number; one that is older than the CPU may choose those of an older family. The
 * report therefore says whose it took.
 */
#include <cblas.h>
#include <stdlib.h>

#include "kernel_bench.h"

typedef struct product {
    int size;
    float *a, *b, *c;
} product;

const char *openblas_core(void) { return openblas_get_corename(); }

void openblas_close(void *arg)
{
    product *p = arg;
    if (!p)
        return;
    free(p->a);
    free(p->b);
    free(p->c);
    free(p);
}

/* Numbers in [-1, 1], no denormals. */
static float *make_matrix(size_t elements)
{
    float *m = aligned_alloc(64, elements * sizeof *m);
    for (size_t i = 0; i < elements && m; i++)
        m[i] = (float)(i % 1021) / 510.0f - 1.0f;
    return m;
}

void *openblas_open(size_t size, int threads)
{
    product *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;
    openblas_set_num_threads(threads);
    *p = (product){(int)size, make_matrix(size * size), make_matrix(size * size), make_matrix(size * size)};
    if (p->a && p->b && p->c)
        return p;
    openblas_close(p);
    return NULL;
}

/* Row-major c = a * b. octet packs its weights once; OpenBLAS has to look at b as it is, every time: that is part of what is
 * compared. */
void openblas_run(void *arg)
{
    const product *p = arg;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, p->size, p->size, p->size, 1.0f, p->a, p->size, p->b, p->size, 0.0f,
                p->c, p->size);
}

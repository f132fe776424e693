#include "slow_kernel.h"

#include <stdatomic.h>
#include <stddef.h>

#include "kernels.h"

/* Names of the linker's --wrap. */
void __real_oct_gemm_u8s8_scalar(const oct_tile *t);
void __wrap_oct_gemm_u8s8_scalar(const oct_tile *t);

static atomic_int steps_per_product;

void slow_kernel_set(int steps) { atomic_store(&steps_per_product, steps); }

/* Slow in proportion to the products, as a kernel with bad code would be. */
void __wrap_oct_gemm_u8s8_scalar(const oct_tile *t)
{
    const size_t steps = (size_t)atomic_load(&steps_per_product) * t->m * t->n * t->taps * t->k;
    for (size_t i = 0; i < steps; i++)
        __asm__ volatile("" : "+r"(i));
    __real_oct_gemm_u8s8_scalar(t);
}

#include "alloc_hook.h"

#include <stdatomic.h>
#include <stddef.h>

static atomic_long count, failing;

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    const long number = atomic_fetch_add(&count, 1) + 1;
    return number == atomic_load(&failing) ? NULL : __real_aligned_alloc(alignment, size);
}

void alloc_reset(long fail_at)
{
    atomic_store(&failing, fail_at);
    atomic_store(&count, 0);
}

long alloc_count(void) { return atomic_load(&count); }

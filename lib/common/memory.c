#define _GNU_SOURCE
#include "memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LARGE ((size_t)1 << 30)
#define HUGE_PAGE ((size_t)2 << 20)

/* More than the machine has would be granted by an overcommitting system, and the process killed when it is zeroed: a model file
 * must not be able to do that. */
static bool exceeds_machine(size_t bytes)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 && bytes / (size_t)page >= (size_t)pages;
}

/* Blocks of many pages lie on huge ones where the system has them to give: packing a network's weights otherwise spends half of its
 * time on faults, one for each 4 KB. */
static void *aligned_block(size_t bytes)
{
    if (bytes < 2 * HUGE_PAGE)
        return aligned_alloc(OCT_ALIGNMENT, bytes);
    void *block = aligned_alloc(HUGE_PAGE, (bytes + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
#ifdef MADV_HUGEPAGE
    if (block)
        (void)madvise(block, bytes & ~(HUGE_PAGE - 1), MADV_HUGEPAGE);   /* advice: without it, it is slower */
#endif
    return block;
}

void *oct_alloc_raw(size_t count, size_t size)
{
    if (size != 0 && count > (SIZE_MAX - HUGE_PAGE) / size)
        return NULL;
    size_t bytes = oct_align_up(count * size);
    if (bytes == 0)
        bytes = OCT_ALIGNMENT;
    if (bytes >= LARGE && exceeds_machine(bytes))
        return NULL;
    return aligned_block(bytes);
}

void *oct_alloc(size_t count, size_t size)
{
    void *block = oct_alloc_raw(count, size);
    if (block)
        memset(block, 0, count * size);
    return block;
}

void oct_free(void *block) { free(block); }

void *oct_grow(void *block, size_t old_count, size_t new_count, size_t size)
{
    void *grown = oct_alloc(new_count, size);
    if (!grown)
        return NULL;
    const size_t kept = old_count < new_count ? old_count : new_count;
    if (block && kept)
        memcpy(grown, block, kept * size);
    oct_free(block);
    return grown;
}

char *oct_strdup(const char *text) { return oct_memdup(text, strlen(text) + 1); }

void *oct_memdup(const void *data, size_t bytes)
{
    void *copy = oct_alloc(bytes, 1);
    if (copy && bytes)
        memcpy(copy, data, bytes);
    return copy;
}

#define _GNU_SOURCE
#include "memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LARGE ((size_t)1 << 30)

/* More than the machine has would be granted by an overcommitting system, and the process killed when it is zeroed: a model file
 * must not be able to do that. */
static bool exceeds_machine(size_t bytes)
{
    const long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    return pages > 0 && page > 0 && bytes / (size_t)page >= (size_t)pages;
}

void *oct_alloc(size_t count, size_t size)
{
    if (size != 0 && count > (SIZE_MAX - OCT_ALIGNMENT) / size)
        return NULL;
    size_t bytes = oct_align_up(count * size);
    if (bytes == 0)
        bytes = OCT_ALIGNMENT;
    if (bytes >= LARGE && exceeds_machine(bytes))
        return NULL;
    void *block = aligned_alloc(OCT_ALIGNMENT, bytes);
    if (block)
        memset(block, 0, bytes);
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

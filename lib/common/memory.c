#include "memory.h"

#include <stdlib.h>
#include <string.h>

void *oct_alloc(size_t count, size_t size)
{
    if (size != 0 && count > (SIZE_MAX - OCT_ALIGNMENT) / size)
        return NULL;
    size_t bytes = oct_align_up(count * size);
    if (bytes == 0)
        bytes = OCT_ALIGNMENT;
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

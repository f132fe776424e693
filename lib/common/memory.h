/* memory.h - the only place that asks the system for memory. All sizes are checked, all blocks are 64-byte aligned. */
#ifndef OCT_MEMORY_H
#define OCT_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define OCT_ALIGNMENT 64u

/* count * size bytes, zeroed, aligned to OCT_ALIGNMENT; NULL if the product overflows or memory is short. A zero size gives a
 * valid block. Release with oct_free (or free). */
void *oct_alloc(size_t count, size_t size);
/* The same, not zeroed. */
void *oct_alloc_raw(size_t count, size_t size);
void oct_free(void *block);

/* A grown copy of `block` (of old_count elements, possibly NULL) with new_count elements, the new ones zero; the old block is freed
 * on success and untouched on failure. */
void *oct_grow(void *block, size_t old_count, size_t new_count, size_t size);

/* Copies of a string / a block; NULL if memory is short. */
char *oct_strdup(const char *text);
void *oct_memdup(const void *data, size_t bytes);

/* Rounds up to the next multiple of OCT_ALIGNMENT. */
static inline size_t oct_align_up(size_t bytes)
{
    return (bytes + OCT_ALIGNMENT - 1) & ~(size_t)(OCT_ALIGNMENT - 1);
}

#endif

/* blocks.h - steps that work element by element are shared out in blocks of elements. */
#ifndef OCT_BLOCKS_H
#define OCT_BLOCKS_H

#include <stddef.h>

/* Long enough for whole vectors of any ISA and few units, short enough that small tensors too can be shared. */
#define OCT_BLOCK_ELEMENTS 1024

static inline size_t oct_block_count(size_t elements) { return (elements + OCT_BLOCK_ELEMENTS - 1) / OCT_BLOCK_ELEMENTS; }

/* How many elements blocks [begin, end) of `elements` have; the last one may be short. *first: where they begin. */
static inline size_t oct_block_range(size_t elements, size_t begin, size_t end, size_t *first)
{
    *first = begin * OCT_BLOCK_ELEMENTS;
    const size_t stop = end * OCT_BLOCK_ELEMENTS < elements ? end * OCT_BLOCK_ELEMENTS : elements;
    return stop - *first;
}

#endif

/* keeper.h - a list of memory blocks that live and die together. */
#ifndef OCT_KEEPER_H
#define OCT_KEEPER_H

#include <stddef.h>

typedef struct oct_keeper {
    void **blocks;
    size_t count, room;
    size_t bytes;          /* sum over all blocks */
} oct_keeper;

/* count * size bytes, zeroed and 64-byte aligned, released by oct_keeper_release; NULL if memory is short. */
void *oct_keep(oct_keeper *keeper, size_t count, size_t size);
void oct_keeper_release(oct_keeper *keeper);

#endif

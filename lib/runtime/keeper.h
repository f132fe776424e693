/* keeper.h - memory that lives and dies together: small pieces cut from large blocks.
 *
 *   block 0   [weights of conv1 | its biases | weights of conv2 | ...        | left]
 *   block 1   [ ...
 */
#ifndef OCT_KEEPER_H
#define OCT_KEEPER_H

#include <stddef.h>
#include <stdint.h>

typedef struct oct_keeper {
    void **blocks;
    size_t count, room;
    uint8_t *next;         /* what is left of the last block ... */
    size_t left;           /* ... and how much */
    size_t expected;       /* how much will be asked for, about: the first block's size; 0: unknown */
    size_t bytes;          /* sum of all pieces */
} oct_keeper;

/* count * size bytes, zeroed and 64-byte aligned, released by oct_keeper_release; NULL if memory is short. */
void *oct_keep(oct_keeper *keeper, size_t count, size_t size);
/* The same, not zeroed: the first thread that writes there has the pages to itself. */
void *oct_keep_raw(oct_keeper *keeper, size_t count, size_t size);
void oct_keeper_release(oct_keeper *keeper);

#endif

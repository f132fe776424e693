/* Memory that is allocated piece by piece and released at once. Packing a network takes some hundreds of blocks of all sizes;
 * with a keeper no operator has to free anything, and a failure half way through leaks nothing. */
#include "keeper.h"

#include "memory.h"

/* The list grows first: a block that could not be noted down would be lost. */
void *oct_keep(oct_keeper *keeper, size_t count, size_t size)
{
    if (keeper->count == keeper->room) {
        const size_t room = keeper->room ? 2 * keeper->room : 64;
        void **grown = oct_grow(keeper->blocks, keeper->count, room, sizeof *grown);
        if (!grown)
            return NULL;
        keeper->blocks = grown;
        keeper->room = room;
    }
    void *block = oct_alloc(count, size);
    if (block) {
        keeper->blocks[keeper->count++] = block;
        keeper->bytes += count * size;
    }
    return block;
}

/* Leaves an empty keeper, so that releasing twice is harmless. */
void oct_keeper_release(oct_keeper *keeper)
{
    for (size_t i = 0; i < keeper->count; i++)
        oct_free(keeper->blocks[i]);
    oct_free(keeper->blocks);
    *keeper = (oct_keeper){0};
}

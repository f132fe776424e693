/* Memory that is asked for piece by piece and released at once. Packing a network takes some thousands of pieces of all sizes;
 * with a keeper no operator has to free anything, and a failure half way through leaks nothing. The pieces come from few large
 * blocks, which can lie on huge pages (memory.c). */
#include "keeper.h"

#include <stdint.h>
#include <string.h>

#include "memory.h"

/* A block's least size. Later ones are an eighth of what there is already, so that no more than that is ever left over. */
#define LEAST_BLOCK ((size_t)16 << 10)

static size_t block_bytes(const oct_keeper *keeper, size_t piece)
{
    const size_t usual = keeper->count == 0 ? keeper->expected : keeper->bytes / 8;
    const size_t bytes = usual < LEAST_BLOCK ? LEAST_BLOCK : usual;
    return bytes < piece ? piece : bytes;
}

/* The list grows first: a block that could not be noted down would be lost. */
static int add_block(oct_keeper *keeper, size_t piece)
{
    if (keeper->count == keeper->room) {
        const size_t room = keeper->room ? 2 * keeper->room : 16;
        void **grown = oct_grow(keeper->blocks, keeper->count, room, sizeof *grown);
        if (!grown)
            return 0;
        keeper->blocks = grown;
        keeper->room = room;
    }
    const size_t bytes = block_bytes(keeper, piece);
    void *block = oct_alloc_raw(bytes, 1);
    if (!block)
        return 0;
    keeper->blocks[keeper->count++] = block;
    keeper->next = block;
    keeper->left = bytes;
    return 1;
}

void *oct_keep_raw(oct_keeper *keeper, size_t count, size_t size)
{
    if (size != 0 && count > (SIZE_MAX / 2) / size)
        return NULL;
    const size_t wanted = count * size, bytes = wanted > 0 ? oct_align_up(wanted) : OCT_ALIGNMENT;
    if (bytes > keeper->left && !add_block(keeper, bytes))
        return NULL;
    void *piece = keeper->next;
    keeper->next += bytes;
    keeper->left -= bytes;
    keeper->bytes += wanted;
    return piece;
}

void *oct_keep(oct_keeper *keeper, size_t count, size_t size)
{
    void *piece = oct_keep_raw(keeper, count, size);
    if (piece)
        memset(piece, 0, count * size);
    return piece;
}

/* Leaves an empty keeper, so that releasing twice is harmless. */
void oct_keeper_release(oct_keeper *keeper)
{
    for (size_t i = 0; i < keeper->count; i++)
        oct_free(keeper->blocks[i]);
    oct_free(keeper->blocks);
    *keeper = (oct_keeper){0};
}

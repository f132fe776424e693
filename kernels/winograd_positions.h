/* winograd_positions.h - what a tile of the Winograd transforms takes part in (winograd.h draws it), for their bodies. */
#ifndef OCT_WINOGRAD_POSITIONS_H
#define OCT_WINOGRAD_POSITIONS_H

#include "kernels.h"
#include "unroll.h"

/* Positions along one side. */
enum { SIDE = 6 };

/* Whether F(size, 3) has position i; and the class of i. */
OCT_INLINE bool takes(size_t size, size_t i) { return i < 3 || i == 5 || (i == 3 && size >= 3) || (i == 4 && size == 4); }
OCT_INLINE size_t class_of(size_t i) { return i == 3 ? 1 : i == 4 ? 2 : 0; }

/* Where a tile's rows lie in V or M, in bytes from row 0 of position 0. A copy of what the job says, because the compiler must
 * assume that every vector it stores may change the job. */
typedef struct places {
    size_t position;             /* from position to position */
    size_t row[3][3];            /* by classes */
} places;

OCT_INLINE places places_of(const oct_winograd_tile *tile, size_t position_bytes, size_t row_bytes)
{
    places at = {.position = position_bytes};
    for (size_t i = 0; i < 3; i++)
        for (size_t j = 0; j < 3; j++)
            at.row[i][j] = tile->slot[i][j] * row_bytes;
    return at;
}

/* From row 0 of position (i, 0). */
OCT_INLINE size_t place(const places *at, size_t i, size_t j) { return j * at->position + at->row[class_of(i)][class_of(j)]; }

#endif

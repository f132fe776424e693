/* The checksum of a .oct file: four lanes of (state ^ word) * odd, mixed by shifts, so that it runs at memory speed.
 *
 * Each step maps the state one-to-one for a given word, and maps different words to different states for a given state. So two inputs
 * that differ in one word only end in different sums: every damage within 8 aligned bytes is found for certain, any other with
 * probability 1 - 2^-64. */
#include "format.h"

#include <string.h>

#define LANES 4
#define PRIME 0x9E3779B185EBCA87u  /* odd, hence invertible modulo 2^64 */

static uint64_t step(uint64_t state, uint64_t word)
{
    state = (state ^ word) * PRIME;
    return state ^ (state >> 29);
}

static uint64_t little_endian(const unsigned char *bytes, size_t count)
{
    uint64_t word = 0;
    for (size_t i = 0; i < count; i++)
        word |= (uint64_t)bytes[i] << (8 * i);
    return word;
}

uint64_t oct_checksum(const void *bytes, size_t size, uint64_t seed)
{
    const unsigned char *p = bytes;
    uint64_t lane[LANES], sum = step(seed, size);
    size_t i = 0;
    for (unsigned l = 0; l < LANES; l++)
        lane[l] = seed + l;
    for (; i + 8 * LANES <= size; i += 8 * LANES)
        for (unsigned l = 0; l < LANES; l++)
            lane[l] = step(lane[l], little_endian(p + i + 8 * l, 8));
    for (; i < size; i += 8)
        sum = step(sum, little_endian(p + i, size - i < 8 ? size - i : 8));
    for (unsigned l = 0; l < LANES; l++)
        sum = step(sum, lane[l]);
    return sum;
}

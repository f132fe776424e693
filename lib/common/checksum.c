/* The checksum of a .oct file: four lanes of (state ^ word) * odd, mixed by shifts, so that it runs at memory speed.
 *
 * Each step maps the state one-to-one for a given word, and maps different words to different states for a given state. So two
 * inputs that differ in one word only end in different sums: every damage within 8 aligned bytes is found for certain, any other
 * with probability 1 - 2^-64. */
#include "format.h"

#include <string.h>

#define PRIME 0x9E3779B185EBCA87u  /* odd, hence invertible modulo 2^64 */

static inline uint64_t step(uint64_t state, uint64_t word)
{
    state = (state ^ word) * PRIME;
    return state ^ (state >> 29);
}

/* Spelled out, so that compilers see one load in it. */
static inline uint64_t whole_word(const unsigned char *b)
{
    return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 | (uint64_t)b[3] << 24 | (uint64_t)b[4] << 32 |
           (uint64_t)b[5] << 40 | (uint64_t)b[6] << 48 | (uint64_t)b[7] << 56;
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
    uint64_t a = seed, b = seed + 1, c = seed + 2, d = seed + 3, sum = step(seed, size);
    size_t i = 0;
    for (; i + 32 <= size; i += 32) {
        a = step(a, whole_word(p + i));
        b = step(b, whole_word(p + i + 8));
        c = step(c, whole_word(p + i + 16));
        d = step(d, whole_word(p + i + 24));
    }
    for (; i < size; i += 8)
        sum = step(sum, little_endian(p + i, size - i < 8 ? size - i : 8));
    return step(step(step(step(sum, a), b), c), d);
}

/* format.h - the .oct file, as load.c (runtime) and save.c (convert) agree on it. docs/FORMAT.md is the specification; this is its C.
 *
 *     | header 64 B | strings | values | nodes | lists | (zeros up to 64) | data: constants, each 64-byte aligned |
 *
 * Everything is little-endian. Sections follow one another without overlap and without holes but zero padding.
 */
#ifndef OCT_FORMAT_H
#define OCT_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define OCT_FILE_MAGIC "OCTETNN\n"  /* 8 bytes */
#define OCT_FILE_VERSION 1u

/* 64-bit checksum of `size` bytes, continuing from `seed`. Every step is a bijection of the state, so a changed byte
 * always changes the sum. */
uint64_t oct_checksum(const void *bytes, size_t size, uint64_t seed);

#endif

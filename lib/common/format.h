/* format.h - the .oct file, as load.c (runtime) and save.c (convert) agree on it. docs/FORMAT.md is the specification; this is
 * its C.
 *
 *     | header 64 B | strings | values | nodes | lists | (zeros up to 64) | data: constants, each 64-byte aligned |
 *
 * Everything is little-endian. Sections follow one another without overlap and without holes but zero padding, and everything
 * inside a section is in one fixed order, so that a graph has exactly one file.
 */
#ifndef OCT_FORMAT_H
#define OCT_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define OCT_FILE_MAGIC "OCTETNN\n"  /* 8 bytes */
#define OCT_FILE_VERSION 2u         /* the newest; the oldest that holds all of a graph is what is written */
#define OCT_FILE_VERSION_NOTES 2u   /* from here on there are notes behind the names */

/* 64-bit checksum of `size` bytes, continuing from `seed`. Every step is a bijection of the state, so a changed byte
 * always changes the sum. */
uint64_t oct_checksum(const void *bytes, size_t size, uint64_t seed);

/* Where the fields of the header are. */
enum {
    OCT_HEADER_MAGIC = 0,          /* 8 bytes */
    OCT_HEADER_VERSION = 8,        /* u32 */
    OCT_HEADER_RESERVED = 12,      /* u32, zero */
    OCT_HEADER_FILE_SIZE = 16,     /* u64 */
    OCT_HEADER_CHECKSUM = 24,      /* u64, of all bytes before and after itself */
    OCT_HEADER_STRING_BYTES = 32,  /* u32, multiple of 8 */
    OCT_HEADER_VALUES = 36,        /* u32, number of value records */
    OCT_HEADER_NODES = 40,         /* u32, number of node records */
    OCT_HEADER_WORDS = 44,         /* u32, number of 32-bit words in the lists */
    OCT_HEADER_INPUTS = 48,        /* u32, graph inputs */
    OCT_HEADER_OUTPUTS = 52,       /* u32, graph outputs */
    OCT_HEADER_DATA = 56,          /* u64, where the data section begins */
    OCT_HEADER_BYTES = 64
};

/* A value record. A value that is no constant has offset and bytes zero. */
enum {
    OCT_VALUE_DTYPE = 0,           /* u32, oct_dtype */
    OCT_VALUE_RANK = 4,            /* u32 */
    OCT_VALUE_DIMS = 8,            /* 8 x u64; zero from `rank` on */
    OCT_VALUE_SCALE = 72,          /* f32; zero unless u8 */
    OCT_VALUE_ZERO_POINT = 76,     /* i32; zero unless u8 */
    OCT_VALUE_DATA = 80,           /* u64, offset in the file */
    OCT_VALUE_DATA_BYTES = 88,     /* u64 */
    OCT_VALUE_SCALES = 96,         /* u64, offset in the file of dims[0] f32 scales; zero for none */
    OCT_VALUE_BYTES = 104
};

/* A node record; its numbers stand in the lists. */
enum {
    OCT_NODE_OP = 0,               /* u32, oct_op */
    OCT_NODE_IN = 4,               /* u32, number of inputs */
    OCT_NODE_OUT = 8,              /* u32, number of outputs */
    OCT_NODE_ATTRS = 12,           /* u32, number of attribute words */
    OCT_NODE_ACT = 16,             /* i32 oct_fn, f32 alpha, f32 beta */
    OCT_NODE_RESERVED = 28,        /* u32, zero */
    OCT_NODE_BYTES = 32
};

static inline uint32_t oct_get32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t oct_get64(const uint8_t *p) { return (uint64_t)oct_get32(p) | (uint64_t)oct_get32(p + 4) << 32; }

static inline int32_t oct_get_int(const uint8_t *p)
{
    const uint32_t bits = oct_get32(p);
    int32_t number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static inline float oct_get_float(const uint8_t *p)
{
    const uint32_t bits = oct_get32(p);
    float number;
    memcpy(&number, &bits, sizeof number);
    return number;
}

static inline void oct_put32(uint8_t *p, uint32_t word)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(word >> (8 * i));
}

static inline void oct_put64(uint8_t *p, uint64_t word)
{
    oct_put32(p, (uint32_t)word);
    oct_put32(p + 4, (uint32_t)(word >> 32));
}

static inline void oct_put_int(uint8_t *p, int32_t number) { oct_put32(p, (uint32_t)number); }

static inline void oct_put_float(uint8_t *p, float number)
{
    uint32_t bits;
    memcpy(&bits, &number, sizeof bits);
    oct_put32(p, bits);
}

/* Constants are used where they lie in the file, so a machine that stores numbers the other way round cannot run one. */
static inline bool oct_little_endian(void)
{
    const uint16_t probe = 1;
    uint8_t first;
    memcpy(&first, &probe, 1);
    return first == 1;
}

#endif

/* transpose_scalar.c - out[c][r] = in[r][c], elements of 4 bytes and of 1, plain C: THE SPECIFICATION.
 *
 * In blocks of BLOCK x BLOCK, so that the cache lines that are written to stay in L1 until they are full:
 *
 *     in   | B00 B01 |        out  | B00' B10' |
 *          | B10 B11 |             | B01' B11' |
 */
#include "scalar.h"

/* 16 elements of 4 bytes are a cache line. */
enum { BLOCK = 16 };

static inline size_t block_end(size_t begin, size_t limit) { return limit - begin < BLOCK ? limit : begin + BLOCK; }

/* 4-byte elements: f32, or anything else of that size. Also NCHW <-> NHWC, as H*W x C per image. */
void oct_transpose_x32_scalar(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld)
{
    const uint32_t *from = in;
    uint32_t *to = out;
    for (size_t r0 = 0; r0 < rows; r0 += BLOCK)
        for (size_t c0 = 0; c0 < cols; c0 += BLOCK)
            for (size_t c = c0; c < block_end(c0, cols); c++)
                for (size_t r = r0; r < block_end(r0, rows); r++)
                    to[c * out_ld + r] = from[r * in_ld + c];
}

void oct_transpose_x8_scalar(size_t rows, size_t cols, const void *in, size_t in_ld, void *out, size_t out_ld)
{
    const uint8_t *from = in;
    uint8_t *to = out;
    for (size_t r0 = 0; r0 < rows; r0 += BLOCK)
        for (size_t c0 = 0; c0 < cols; c0 += BLOCK)
            for (size_t c = c0; c < block_end(c0, cols); c++)
                for (size_t r = r0; r < block_end(r0, rows); r++)
                    to[c * out_ld + r] = from[r * in_ld + c];
}

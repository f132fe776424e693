/* depthwise_pairs_avx2.h - the frame of the integer depthwise kernels: rows of the image paired for vpmaddwd, and the loops round
 * the tiles.
 *
 * vpmaddwd takes two taps at once if these lie side by side in memory. So rows are paired: before a row of outputs is computed, the
 * rows it needs are widened to s16 and interleaved two and two, once for all output rows that share them
 *
 *   image rows   v = 0 | 1 | 2 | 3 | 4 ..    (v counts from the first padded row)
 *   pairs        q =  0    |   1   |  2
 *   3 taps from an even row:   w0 w1 | w2 0         two sets of packed weights: for windows that
 *   3 taps from an odd row:     0 w0 | w1 w2        begin with the first or the second row of a pair
 *
 * The work is done a chunk of 16 to 64 channels (2 to 8 blocks) at a time, down a strip of output rows, so that the pair rows of a
 * chunk stay in L1 and the strip in L2. Pair rows include the padding on all sides - the tiles have no borders - and live in a ring
 * in the scratch memory:
 *
 *   scratch:   | keys: which pair a slot holds | slot 0: block 0: .. | block 1: .. | slot 1: ..
 *
 * With dilation d, rows v, v + d, v + 2d .. are paired: d rings, one per v mod d. What a slot holds is up to the method: the rows
 * as they are (depthwise_u8s8_avx2.c), or transformed (depthwise_u8s8_3x3s1_avx2.c).
 */
#ifndef OCT_DEPTHWISE_PAIRS_AVX2_H
#define OCT_DEPTHWISE_PAIRS_AVX2_H

#include "pixels_avx2.h"

/* Pairs that a window of kernel_h rows touches when it begins with row `parity` of a pair. */
static inline size_t pair_count(const oct_conv_shape *s, size_t parity) { return (s->kernel_h + parity + 1) / 2; }

/* One row of a pair, from some channel on; or the padding: then all steps are 0. */
typedef struct row_source {
    const uint8_t *at;
    size_t step;                /* elements between columns */
} row_source;

/* What a fill function is to write: one pair row of two blocks (16 neighbouring channels), or of one. */
typedef struct pair_fill {
    const oct_conv_shape *shape;
    row_source a, b;
    uint8_t zero;               /* outside the image */
    size_t blocks;              /* 1 or 2 */
    int16_t *to;                /* the first block in the slot */
    size_t block_elements;      /* from there to the second */
} pair_fill;

/* One output row of one block. */
typedef struct pair_row {
    const oct_conv_shape *shape;
    const int16_t *ring, *first, *ring_end;   /* the block's part of the pair rows: from `first` on, at the end back to `ring` */
    size_t pairs;               /* how many of them */
    size_t slot_elements;       /* from one to the next */
    const char *block;          /* packed */
    const int16_t *weights;     /* of this row's parity */
    const pixel_format *format;
    void *out;                  /* first pixel, the block's first channel */
} pair_row;

/* Round the ring. */
static inline const int16_t *next_pair(const pair_row *row, const int16_t *pair)
{
    return pair + row->slot_elements == row->ring_end ? row->ring : pair + row->slot_elements;
}

/* How a kernel uses the frame. Packed, per block of 8 channels: | acc_bias[8] | mult[8] | bias[8] | weights, parity 0 | parity 1 |;
 * the method says how long and what the weights are. */
typedef struct pair_method {
    size_t (*block_elements)(const oct_conv_shape *s);     /* s16 of a block in a slot */
    size_t (*set_elements)(const oct_conv_shape *s, size_t parity);
    void (*fill)(const pair_fill *fill);
    void (*row)(const pair_row *row);
} pair_method;

enum { BLOCK_MULT = 8 * 4, BLOCK_BIAS = 16 * 4, BLOCK_WEIGHTS = 24 * 4 };   /* bytes from a block's start */

size_t oct_pairs_packed_bytes_avx2(const pair_method *method, const oct_conv_shape *s);
size_t oct_pairs_scratch_bytes_avx2(const pair_method *method, const oct_conv_shape *s);
/* Writes acc_bias, mult and bias of block b, which begins with channel *c, and returns the place of its weights. */
int16_t *oct_pairs_pack_block_avx2(const pair_method *method, const oct_conv_shape *s, const oct_depthwise_params *params, size_t b,
                                   void *packed, size_t *c);
/* Output rows [row_begin, row_end) of batch * out_h, with weights packed at `packed`. */
void oct_pairs_run_avx2(const pair_method *method, const oct_depthwise_job *job, const void *packed, size_t row_begin,
                        size_t row_end, void *scratch);

#endif

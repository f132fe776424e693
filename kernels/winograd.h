/* winograd.h - Winograd convolution F(4x4,3x3): geometry, buffers and loops, once for all ISAs and both precisions.
 *
 * Tiles.  Outputs are covered by 4 x 4 tiles; where 4 does not divide a side, its last tile or two are smaller, so that nothing
 * is computed in vain (a side of 1 excepted):
 *
 *     side mod 4     0: 4 .. 4 4      1: 4 .. 3 2      2: 4 .. 4 2      3: 4 .. 4 3
 *
 *      14 x 14                       positions a tile takes part in, of (6, 6):
 *      | 4x4 | 4x4 | 4x4 |4x2|       4: 0 1 2 3 4 5     F(4,3), points 0, 1, -1, 2, -2, infinity
 *      | 4x4 | 4x4 | 4x4 |4x2|       3: 0 1 2 3 . 5     F(3,3)
 *      | 4x4 | 4x4 | 4x4 |4x2|       2: 0 1 2 . . 5     F(2,3)
 *      | 2x4 | 2x4 | 2x4 |2x2|       14 x 14: 22^2 = 484 products of rows, not 24^2 = 576
 *
 * Buffers.  A block is some neighbouring tiles. In V(p) and M(p) the tiles that take part in position p lie close together; the
 * slots of oct_winograd_tile say where. Positions are an odd number of cache lines apart, or they would share a set of the cache:
 *
 *     V  | p = 0: [tiles of the block][c] | 64 bytes | p = 1: [tiles][c] | ...        in elements of gemm->a_elem
 *     M  | p = 0: [tiles of the block][nr]| 64 bytes | p = 1: ...                     f32 or s32, one panel at a time
 *
 * Weights.  Packed as a convolution with 36 taps would be (pack.h): [panel][36][c / kr][nr][kr], or, where the entry can expand
 * them when they are needed, as they are: [panel][9][c / kr][nr][kr].
 *
 * Loops.  Phases are separated by a join; the units of a phase are independent.
 *
 *     whole blocks (1 phase)                                 shared V (2 phases)
 *       unit = block: input transform of its tiles             unit of phase 0 = block: input transform
 *                     for each panel:                          unit of phase 1 = panel x block: 36 products, output transform
 *                         36 products, output transform
 *
 * The first keeps V in a core's own cache; the second has more units, for threads that would have none. Results do not depend on
 * the way, nor on who computes what: a tile is always the same sums.
 *
 * Error.  u8s8: none, for weights that oct_winograd_provable has passed. f32, with eps = 2^-23:
 *
 *     |computed - true| <= (c + 32) eps * sum over channels of |A'| (|G g G'| * (|B'| |d| |B|)) |A|
 *
 * which docs/KERNELS.md derives.
 */
#ifndef OCT_WINOGRAD_H
#define OCT_WINOGRAD_H

#include "gemm.h"

typedef enum oct_winograd_weights { OCT_WINOGRAD_STORED, OCT_WINOGRAD_EXPANDED } oct_winograd_weights;

enum { OCT_WINOGRAD_POSITIONS = 36, OCT_WINOGRAD_SIDE = 6 };

/* One convolution, planned. All follows from the arguments of oct_winograd_plan. */
typedef struct oct_winograd {
    oct_conv_shape shape;
    const oct_winograd_entry *entry;
    oct_winograd_weights weights;
    size_t tiles_y, tiles_x;     /* of one image */
    size_t tiles;                /* of all images */
    size_t block, blocks;        /* tiles of a block (fewer in the last) */
    size_t panels;
    bool shared;                 /* V is shared: two phases */
    size_t in_bytes;             /* of an input element */
    size_t v_row, v_position, v_block;   /* bytes: V's row, V(p), all of a block's V */
    size_t m_bytes, u_bytes;     /* bytes of M (widest panel), and of expanded weights */
} oct_winograd;

/* Whether the shape is one: 3x3, stride 1, dilation 1, one group. Any size, any padding. */
bool oct_winograd_accepts(const oct_conv_shape *shape);

/* How the weights had better be kept. lasting: whether those of the whole network stay in the cache from run to run. */
oct_winograd_weights oct_winograd_prefer(const oct_conv_shape *shape, const oct_winograd_entry *entry, bool lasting);

/* Whether it should be computed so, by the entry's measured limits. The entry must be there (input not NULL). */
bool oct_winograd_pays(const oct_conv_shape *shape, const oct_winograd_entry *entry, oct_winograd_weights weights);

/* threads: how many there are to be kept busy; only the cutting depends on it. */
oct_winograd oct_winograd_plan(const oct_conv_shape *shape, const oct_winograd_entry *entry, oct_winograd_weights weights,
                               size_t threads);

/* Tile `index` along a side of `side` outputs: its first output, and how many it computes. */
typedef struct oct_winograd_span { size_t begin, size; } oct_winograd_span;
oct_winograd_span oct_winograd_cut(size_t side, size_t index);

/* Whether u8s8 results are exact for one output channel, from its 9 * in_c weights and integer bias; zero: the input's zero point.
 */
bool oct_winograd_provable(const int8_t *w, size_t count, int32_t bias, uint8_t zero);

/* The taps of the oct_packed: 9 for expanded weights; 36 for stored ones, or 72 where those are twice as wide as the plain ones
 * (s16, s8). */
size_t oct_winograd_taps(const oct_winograd_entry *entry, oct_winograd_weights weights);
/* packed: variants = entry->gemm, n = out_c, taps, k = in_c; data is set to `data` (oct_packed_bytes). w: plain
 * [out_c][3][3][in_c]. */
void oct_winograd_pack_f32(oct_packed *packed, const float *w, void *data);
void oct_winograd_pack_u8s8(oct_packed *packed, const int8_t *w, void *data);

/* Bytes of scratch memory, all multiples of 64 and to be aligned so: `shared` once, then the rest per thread. */
size_t oct_winograd_shared_scratch(const oct_winograd *plan);
size_t oct_winograd_thread_scratch(const oct_winograd *plan);

typedef struct oct_winograd_job {
    const oct_winograd *plan;
    const oct_packed *packed;
    const void *in;              /* N x H x W x C, f32 or u8 */
    const void *padding;         /* in_c elements of zero (u8: of the zero point) */
    const void *start;           /* one word per padded column (pack.h): f32 the bias; u8s8 576 * (bias - zero * sum of the column's
                                    weights) modulo 2^32 */
    oct_epilogue e;              /* out and residual at row 0, column 0, a pixel per row; mult and (u8s8 with f32
                                    out) bias padded as `start` */
    oct_post post;
    void *shared;                /* oct_winograd_shared_scratch bytes */
} oct_winograd_job;

size_t oct_winograd_phases(const oct_winograd *plan);
size_t oct_winograd_units(const oct_winograd *plan, size_t phase);
/* Units [begin, end) of a phase. scratch: this thread's. */
void oct_winograd_run(const oct_winograd_job *job, size_t phase, size_t begin, size_t end, void *scratch);

#endif

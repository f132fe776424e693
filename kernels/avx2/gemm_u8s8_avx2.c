/* gemm_u8s8_avx2.c - exact integer GEMM micro-kernel on AVX2 without dot-product instructions: up to 6 rows x one panel of 16 (or
 * 8) columns.
 *
 *   acc[r][c] = acc_bias[c] + sum over taps t, i < k of a[r][t][i] * b[t][i][c]      then requantisation (epilogue)
 *
 * The rows are s16 (u8 minus zero point, widened once per tensor), the weights s16. vpmaddwd multiplies 16 pairs and adds
 * neighbours:
 *
 *   a pair of row r, broadcast:   a[i] a[i+1] | a[i] a[i+1] | ..          32 bits, one load
 *   panel, kr = 2:                b[i][0] b[i+1][0] | b[i][1] b[i+1][1] | .. | b[i][7] b[i+1][7]     one ymm: 8 columns, 2 of k
 *   vpmaddwd:                     one s32 per column
 *
 * The tile is that of gemm_f32_avx2.c with vpmaddwd + vpaddd for the FMA: 12 accumulators, 2 of b, 1 broadcast of a, 1 product.
 *
 * Ranges: a in [-255, 255], b in [-127, 127] (s16 holds both). A pair's sum is at most 2 * 255 * 127 = 64,770 in size, far below
 * the one overflow of vpmaddwd (all four factors -32,768). The s32 sums may wrap on the way: addition is modulo 2^32, and the
 * packer has proved that the final value fits (oct_gemm_provable).
 * vpmaddubsw would do twice the products per instruction, but its s16 sums saturate: 255 * 127 * 2 = 64,770 > 32,767. Not used.
 *
 * Bound: 12 vpmaddwd (two per cycle) and 12 vpaddd for 2 steps of k, against 24 FMAs in the f32 kernel: at most 2.0 times its
 * speed.
 */
#include "avx2.h"
#include "epilogue_avx2.h"

/* The row pointers of one tap. */
OCT_INLINE void load_rows(const oct_tile *tile, size_t tap, const int16_t *a[], size_t mr)
{
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        if (r < mr)
            a[r] = (const int16_t *)tile->a[r * tile->a_stride + tap] + tile->a_offset;
}

/* a[0] a[1] | a[0] a[1] | .. */
OCT_INLINE __m256i broadcast_pair(const int16_t *a)
{
    int32_t pair;
    memcpy(&pair, a, sizeof(pair));
    return _mm256_set1_epi32(pair);
}

/* The last element of an odd k, its partner zero: the row ends here and must not be read further. */
OCT_INLINE __m256i broadcast_last(const int16_t *a) { return _mm256_set1_epi32((uint16_t)*a); }

/* acc += elements i, i + 1 (or only i, the last) of the rows times one group of the panel. */
OCT_INLINE void step(__m256i acc[][TILE_VECS], const int16_t *const a[], size_t i, bool last, const int16_t *b, size_t mr,
                     size_t vecs)
{
    const __m256i b0 = load_256(b);
    const __m256i b1 = vecs == 2 ? load_256(b + 16) : b0;
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        if (r < mr) {
            const __m256i ar = last ? broadcast_last(a[r] + i) : broadcast_pair(a[r] + i);
            acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_madd_epi16(ar, b0));
            if (vecs == 2)
                acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_madd_epi16(ar, b1));
        }
}

/* 8 * vecs columns. */
OCT_INLINE void tile_s16(const oct_tile *tile, size_t mr, size_t vecs)
{
    __m256i acc[TILE_ROWS][TILE_VECS];
    const size_t group = 16 * vecs;
    const int16_t *b = tile->b;
    /* 1. Accumulators start at acc_bias, which is padded to the panel's full width. */
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < TILE_VECS; v++)
            if (v < vecs)
                acc[r][v] = load_256(tile->e.acc_bias + 8 * v);
    for (size_t tap = 0; tap < tile->taps; tap++) {
        /* 2. This tap's row pointers. */
        const int16_t *a[TILE_ROWS];
        load_rows(tile, tap, a, mr);
        /* 3. Along k, whole groups: 4. broadcast a pair, multiply, add. */
        size_t i = 0;
        for (; i + 2 <= tile->k; i += 2, b += group)
            step(acc, a, i, false, b, mr, vecs);
        /* 3b. The ragged group: a ends at k, what is missing counts as zero (as the weights there are). */
        if (i < tile->k) {
            step(acc, a, i, true, b, mr, vecs);
            b += group;
        }
    }
    /* 5. Epilogue. */
    finish_u8s8(&tile->e, acc, mr, vecs);
}

/* One function body per row count: the compiler sees `mr` as a constant and the tile as registers. */
static void full_16(const oct_tile *tile)
{
    switch (tile->m) {
    case 1: tile_s16(tile, 1, 2); break;
    case 2: tile_s16(tile, 2, 2); break;
    case 3: tile_s16(tile, 3, 2); break;
    case 4: tile_s16(tile, 4, 2); break;
    case 5: tile_s16(tile, 5, 2); break;
    default: tile_s16(tile, 6, 2); break;
    }
}

static void full_8(const oct_tile *tile)
{
    switch (tile->m) {
    case 1: tile_s16(tile, 1, 1); break;
    case 2: tile_s16(tile, 2, 1); break;
    case 3: tile_s16(tile, 3, 1); break;
    case 4: tile_s16(tile, 4, 1); break;
    case 5: tile_s16(tile, 5, 1); break;
    default: tile_s16(tile, 6, 1); break;
    }
}

void oct_gemm_u8s8_avx2(const oct_tile *tile) { run_columns(tile, 16, full_16); }
void oct_gemm_u8s8_narrow_avx2(const oct_tile *tile) { run_columns(tile, 8, full_8); }

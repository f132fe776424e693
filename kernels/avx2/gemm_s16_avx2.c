/* gemm_s16_avx2.c - s16 x s16 micro-kernels of integer Winograd: up to 6 rows x one panel of 16 (or 8) columns,
 *
 *   out[r][c] = acc_bias[c] + sum over i < k of a[r][i] * b[i][c],  modulo 2^32, stored as they are
 *
 * The tile, the panel and the inner loop are those of gemm_u8s8_avx2.c; what differs is the operands' range. vpmaddwd sums two
 * products s16 * s16 exactly: only with all four factors -32,768 could it leave s32. vpaddd wraps. winograd_weights_u8s8.c has
 * the ranges, and why wrapping does no harm.
 *
 *   a pair of row r, broadcast:   a[i] a[i+1] | a[i] a[i+1] | ..          32 bits, one load
 *   panel, kr = 2:                b[i][0] b[i+1][0] | b[i][1] b[i+1][1] | .. | b[i][7] b[i+1][7]     one ymm: 8 columns, 2 of k
 *   vpmaddwd:                     one s32 per column
 *
 * When k is odd, rows and panel both end in a pair with a zero: rows of V are filled with zeros to a multiple of 64 bytes.
 *
 * Judged by the peak of vpmaddwd + vpaddd: it is the direct kernel's work per product, with a quarter of the products.
 */
#include "avx2.h"
#include "epilogue_avx2.h"

/* a[0] a[1] | a[0] a[1] | .. */
OCT_INLINE __m256i broadcast_pair(const int16_t *a)
{
    int32_t pair;
    memcpy(&pair, a, sizeof(pair));
    return _mm256_set1_epi32(pair);
}

/* acc += elements i, i + 1 of the rows times one group of the panel. */
OCT_INLINE void step(__m256i acc[][TILE_VECS], const int16_t *const a[], size_t i, const int16_t *b, size_t mr, size_t vecs)
{
    const __m256i b0 = load_256(b);
    const __m256i b1 = vecs == 2 ? load_256(b + 16) : b0;
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        if (r < mr) {
            const __m256i ar = broadcast_pair(a[r] + i);
            acc[r][0] = _mm256_add_epi32(acc[r][0], _mm256_madd_epi16(ar, b0));
            if (vecs == 2)
                acc[r][1] = _mm256_add_epi32(acc[r][1], _mm256_madd_epi16(ar, b1));
        }
}

/* 8 * vecs columns. */
OCT_INLINE void tile_s16(const oct_tile *tile, size_t mr, size_t vecs)
{
    __m256i acc[TILE_ROWS][TILE_VECS];
    const int16_t *b = tile->b;
    /* 1. Accumulators start at acc_bias. */
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < TILE_VECS; v++)
            if (v < vecs)
                acc[r][v] = load_256(tile->e.acc_bias + 8 * v);
    /* 2. Row pointers. */
    const int16_t *a[TILE_ROWS];
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        if (r < mr)
            a[r] = (const int16_t *)tile->a[r * tile->a_stride] + tile->a_offset;
    /* 3. Along k: 4. broadcast a pair, multiply, add. */
    for (size_t i = 0; i < tile->k; i += 2, b += 16 * vecs)
        step(acc, a, i, b, mr, vecs);
    /* 5. Away. */
    int32_t *out = tile->e.out;
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        OCT_UNROLLED
        for (size_t v = 0; v < TILE_VECS; v++)
            if (r < mr && v < vecs)
                store_256(out + r * tile->e.out_ld + 8 * v, acc[r][v]);
}

/* One function body per row count: the compiler sees `mr` as a constant and the tile as registers. */
void oct_gemm_s16_avx2(const oct_tile *tile)
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

void oct_gemm_s16_narrow_avx2(const oct_tile *tile)
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

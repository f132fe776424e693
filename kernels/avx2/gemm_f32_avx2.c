/* gemm_f32_avx2.c - f32 GEMM micro-kernel (matrix product, convolution): up to 6 rows x one panel of 16 (or 8) columns.
 *
 *   acc[r][c] = bias[c] + sum over taps t, i < k of a[r][t][i] * b[t][i][c]          then the epilogue
 *
 * Registers (16 ymm): 12 accumulators, 2 of b, 1 or 2 broadcasts of a.
 *
 *                          b0 = b[i][0..7]     b1 = b[i][8..15]      two loads
 *   row 0   a[0][i]  ->    acc[0][0]           acc[0][1]             one broadcast load feeds two FMAs
 *   row 1   a[1][i]  ->    acc[1][0]           acc[1][1]
 *   ..
 *   row 5   a[5][i]  ->    acc[5][0]           acc[5][1]             12 FMAs per step of k
 *
 * Panel, kr = 1:  | tap 0: b[0][0..15] b[1][0..15] .. b[k-1][0..15] | tap 1: ..          64 bytes per step, read once per row tile
 *
 * Rounding: fused multiply-adds, started at the bias; the contract allows a difference of c * k * eps * sum |a||b|.
 *
 * Bound: FMA throughput, two per cycle. A step has 8 loads for 12 FMAs, so 6 cycles by FMA and 4 by loads; 12 chains of latency 4
 * fill two pipes (8 would do). The 8-wide form has only 6 FMAs for 7 loads, so loads bound it; two sets of accumulators (even and
 * odd i) hide the latency. Few rows and wide columns: the six row pointers stay in general registers, and six rows a power of two
 * apart still fit the 8 ways (12 on newer cores) of one L1 set, so A need not be copied.
 */
#include "avx2.h"
#include "epilogue_avx2.h"

/* The row pointers of one tap. */
OCT_INLINE void load_rows(const oct_tile *tile, size_t tap, const float *a[], size_t mr)
{
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        if (r < mr)
            a[r] = (const float *)tile->a[r * tile->a_stride + tap] + tile->a_offset;
}

/* acc += column i of the rows times row i of the panel: the tile drawn above. `mr` and `vecs` are constants wherever this is
 * inlined. */
OCT_INLINE void step(__m256 acc[][TILE_VECS], const float *const a[], size_t i, const float *b, size_t mr, size_t vecs)
{
    const __m256 b0 = _mm256_loadu_ps(b);
    const __m256 b1 = vecs == 2 ? _mm256_loadu_ps(b + 8) : b0;
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        if (r < mr) {
            const __m256 ar = _mm256_broadcast_ss(a[r] + i);
            acc[r][0] = _mm256_fmadd_ps(ar, b0, acc[r][0]);
            if (vecs == 2)
                acc[r][1] = _mm256_fmadd_ps(ar, b1, acc[r][1]);
        }
}

/* 16 columns: 12 accumulators. */
OCT_INLINE void tile_16(const oct_tile *tile, size_t mr)
{
    __m256 acc[TILE_ROWS][TILE_VECS];
    const float *b = tile->b;
    /* 1. Accumulators start at the bias, which is padded to the panel's full width. */
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++) {
        acc[r][0] = _mm256_loadu_ps(tile->e.bias);
        acc[r][1] = _mm256_loadu_ps(tile->e.bias + 8);
    }
    for (size_t tap = 0; tap < tile->taps; tap++) {
        /* 2. This tap's row pointers. */
        const float *a[TILE_ROWS];
        load_rows(tile, tap, a, mr);
        /* 3. Along k: 4. broadcast, multiply, add. */
        for (size_t i = 0; i < tile->k; i++, b += 16)
            step(acc, a, i, b, mr, 2);
    }
    /* 5. Epilogue. */
    finish_f32(&tile->e, acc, mr, 2);
}

/* 8 columns: 6 accumulators, twice. */
OCT_INLINE void tile_8(const oct_tile *tile, size_t mr)
{
    __m256 even[TILE_ROWS][TILE_VECS], odd[TILE_ROWS][TILE_VECS];
    const float *b = tile->b;
    /* 1. Accumulators start at the bias, one of the two sets; the other at zero. */
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++) {
        even[r][0] = _mm256_loadu_ps(tile->e.bias);
        odd[r][0] = _mm256_setzero_ps();
    }
    for (size_t tap = 0; tap < tile->taps; tap++) {
        /* 2. This tap's row pointers. */
        const float *a[TILE_ROWS];
        load_rows(tile, tap, a, mr);
        /* 3. Along k, two steps at a time: 4. broadcast, multiply, add. */
        size_t i = 0;
        for (; i + 2 <= tile->k; i += 2, b += 16) {
            step(even, a, i, b, mr, 1);
            step(odd, a, i + 1, b + 8, mr, 1);
        }
        for (; i < tile->k; i++, b += 8)
            step(even, a, i, b, mr, 1);
    }
    /* 5. The two sets become one; epilogue. */
    OCT_UNROLLED
    for (size_t r = 0; r < TILE_ROWS; r++)
        even[r][0] = _mm256_add_ps(even[r][0], odd[r][0]);
    finish_f32(&tile->e, even, mr, 1);
}

/* One function body per row count: the compiler sees `mr` as a constant and the tile as registers. */
static void full_16(const oct_tile *tile)
{
    switch (tile->m) {
    case 1: tile_16(tile, 1); break;
    case 2: tile_16(tile, 2); break;
    case 3: tile_16(tile, 3); break;
    case 4: tile_16(tile, 4); break;
    case 5: tile_16(tile, 5); break;
    default: tile_16(tile, 6); break;
    }
}

static void full_8(const oct_tile *tile)
{
    switch (tile->m) {
    case 1: tile_8(tile, 1); break;
    case 2: tile_8(tile, 2); break;
    case 3: tile_8(tile, 3); break;
    case 4: tile_8(tile, 4); break;
    case 5: tile_8(tile, 5); break;
    default: tile_8(tile, 6); break;
    }
}

void oct_gemm_f32_avx2(const oct_tile *tile) { run_columns(tile, 16, full_16); }
void oct_gemm_f32_narrow_avx2(const oct_tile *tile) { run_columns(tile, 8, full_8); }

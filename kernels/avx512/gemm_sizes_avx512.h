/* gemm_sizes_avx512.h - which size of tile a block of rows takes. The including file has tile(t, mr, least, nv): mr rows and nv
 * vectors of 16 columns, constants, of whose rows t->m exist, at least `least`.
 *
 * 64 columns: a tile for each of 1..6 rows. Narrower panels: tiles of 4, 8, 10 and 12 rows only; one with fewer rows takes
 * the next and multiplies its first row once more for each row that is missing, which is then not stored. Every size is some 1.5
 * KB of code, and little is lost: the loops cut blocks in pairs of rows (OCT_PAIRED_MR), more than 12 rows in blocks of 8 to 12.
 */
#ifndef OCT_GEMM_SIZES_AVX512_H
#define OCT_GEMM_SIZES_AVX512_H

/* 1..6 rows of 64 columns. */
OCT_INLINE void wide(const oct_tile *t)
{
    switch (t->m) {
    case 1: tile(t, 1, 1, 4); break;
    case 2: tile(t, 2, 2, 4); break;
    case 3: tile(t, 3, 3, 4); break;
    case 4: tile(t, 4, 4, 4); break;
    case 5: tile(t, 5, 5, 4); break;
    default: tile(t, 6, 6, 4); break;
    }
}

/* 1..12 rows of 16 nv columns, nv 1 or 2. */
OCT_INLINE void narrow(const oct_tile *t, const size_t nv)
{
    if (t->m > 10)
        tile(t, 12, 11, nv);
    else if (t->m > 8)
        tile(t, 10, 9, nv);
    else if (t->m > 4)
        tile(t, 8, 5, nv);
    else
        tile(t, 4, 1, nv);
}

#endif

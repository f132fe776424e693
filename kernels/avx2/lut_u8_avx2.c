/* lut_u8_avx2.c - a table of 256 bytes applied to every byte, with vpshufb, which looks up 4 bits in a table of 16.
 *
 * Let T0 .. T15 be the 16 rows of the table. vpshufb gives 0 for an index with its top bit set, and otherwise looks at the low four
 * bits only. For x < 128, x - 16 i is negative exactly when row i lies above x's row; so with D0 = T0, Di = Ti ^ Ti-1
 *
 *   D0[x & 15] ^ D1[x & 15] ^ .. ^ Dr[x & 15] = Tr[x & 15],      r = x / 16           the sum of differences telescopes
 *
 * and vpshufb(Di, x - 16 i) leaves out the rows above r by itself. Bytes >= 128 go through the upper 8 rows in the same way, as x ^
 * 128: a byte of the wrong half stays negative throughout and adds nothing.
 *
 * Three instructions per row, 48 per 32 bytes.
 */
#include "avx2.h"
#include "scalar/scalar.h"
#include "vector_avx2.h"

enum { ROWS = 8 };

/* Differences of eight rows, each in both halves of a vector. */
static void differences(const uint8_t *rows, __m256i d[ROWS])
{
    __m128i above = _mm_setzero_si128();
    for (size_t i = 0; i < ROWS; i++) {
        const __m128i row = load_128(rows + 16 * i);
        d[i] = _mm256_broadcastsi128_si256(_mm_xor_si128(row, above));
        above = row;
    }
}

/* The table's eight rows for x as signed bytes; 0 for negative ones. Subtracting with saturation keeps a negative x negative. */
OCT_INLINE __m256i half(const __m256i d[ROWS], __m256i x)
{
    const __m256i row = _mm256_set1_epi8(16);
    __m256i y = _mm256_shuffle_epi8(d[0], x);
    OCT_UNROLLED
    for (size_t i = 1; i < ROWS; i++) {
        x = _mm256_subs_epi8(x, row);
        y = _mm256_xor_si256(y, _mm256_shuffle_epi8(d[i], x));
    }
    return y;
}

/* Short arrays go through the table byte by byte. */
void oct_lut_u8_avx2(size_t n, const uint8_t *in, const uint8_t table[256], uint8_t *out)
{
    size_t i = 0;
    if (n >= 256) {          /* building the differences costs as much as some 32 lookups */
        const __m256i top = _mm256_set1_epi8((char)0x80);
        __m256i low[ROWS], high[ROWS];
        differences(table, low);
        differences(table + 128, high);
        for (; i + 32 <= n; i += 32) {
            const __m256i x = load_256(in + i);
            store_256(out + i, _mm256_xor_si256(half(low, x), half(high, _mm256_xor_si256(x, top))));
        }
    }
    oct_lut_u8_scalar(n - i, in + i, table, out + i);
}

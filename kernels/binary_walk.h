/* binary_walk.h - the rows of an oct_binary_job as long stretches of two vectors each: what the element-wise kernels of the
 * instruction sets have in common, so that each needs one loop over "n elements of a, n of b".
 *
 *   whole tensors         | a0 a1 a2 ..            |  op  | b0 b1 b2 ..             |     all rows as one
 *   a number              | a0 a1 a2 ..            |  op  | b0 b0 b0 .. (a buffer)  |     stretches as long as the buffer
 *   a row again and again | row 0 | row 1 | row 2  |  op  | b | b | b   (a buffer)  |     several rows at once: channels that are no
 *                                                                                        multiple of a vector cost no row its end
 */
#ifndef OCT_BINARY_WALK_H
#define OCT_BINARY_WALK_H

#include "kernels.h"

/* out[i] = a[i] op b[i] for i < n. out may be a or b. settings: the kernel's own. */
typedef void oct_binary_stretch(const void *settings, size_t n, const void *a, const void *b, void *out);

/* element: bytes of an element. */
void oct_binary_walk(const oct_binary_job *job, size_t element, oct_binary_stretch *stretch, const void *settings);

#endif

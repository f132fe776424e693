/* winograd_bound.h - how far a float Winograd convolution may be from the true one.
 *
 *   |computed - true| <= (c + 32) * eps * S,      S = sum over channels of |A'| ( |G g G'| * (|B'| |d| |B|) ) |A|
 *
 * S is the sum of products that is really added up, in absolute values; c of them are added by the micro-kernel, and each has gone
 * through at most 32 roundings before and after. Direct: (9 c + 4) * eps * sum |d||g|; so the factor before the sum is never above 2.6
 * times the direct one (c = 1), and the sum has grown by the transform. */
#ifndef TEST_WINOGRAD_BOUND_H
#define TEST_WINOGRAD_BOUND_H

#include "kernels.h"

/* S for every output element, N x H x W x C. The caller frees it. */
double *winograd_sizes(const oct_conv_shape *shape, const float *in, const float *w);
/* The bound's factor before S. */
double winograd_factor(const oct_conv_shape *shape);

#endif

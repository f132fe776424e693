/* tensor.h - shapes, and tensors that own their elements. */
#ifndef OCT_TENSOR_H
#define OCT_TENSOR_H

#include <stdbool.h>
#include "octet.h"
#include "octet_convert.h"

/* Product of the dimensions, 1 for rank 0; -1 if a dimension is negative or the product of those that are not 0 exceeds 2^40: then
 * no product of some of them overflows, also where another one is 0. */
int64_t oct_shape_elements(const oct_shape *shape);
bool oct_shape_equal(const oct_shape *a, const oct_shape *b);
/* "1x56x56x64", "scalar" for rank 0. Writes at most `size` bytes and returns `text`. */
char *oct_shape_text(const oct_shape *shape, char *text, size_t size);
#define OCT_SHAPE_TEXT 160

/* Product of dims[begin..end-1]. */
int64_t oct_shape_product(const oct_shape *shape, int begin, int end);

/* axis in [-rank, rank) made non-negative; -1 if it is out of range. */
int oct_axis(int64_t axis, int rank);

/* Numpy broadcasting of two shapes; false if they do not fit. */
bool oct_shape_broadcast(const oct_shape *a, const oct_shape *b, oct_shape *out);

/* An oct_host_tensor with room for its elements (zeroed). */
oct_status oct_host_tensor_create(oct_host_tensor *tensor, const char *name, oct_dtype dtype, const oct_shape *shape);
oct_status oct_host_tensor_copy(oct_host_tensor *tensor, const oct_host_tensor *from);

#endif

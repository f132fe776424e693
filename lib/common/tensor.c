#include "tensor.h"

#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "status.h"

#define MAX_ELEMENTS ((int64_t)1 << 40)

size_t oct_dtype_size(oct_dtype dtype)
{
    switch (dtype) {
    case OCT_F32: case OCT_S32: return 4;
    case OCT_U8: case OCT_S8: return 1;
    case OCT_S64: return 8;
    }
    return 0;
}

const char *oct_dtype_name(oct_dtype dtype)
{
    switch (dtype) {
    case OCT_F32: return "f32";
    case OCT_U8: return "u8";
    case OCT_S8: return "s8";
    case OCT_S32: return "s32";
    case OCT_S64: return "s64";
    }
    return "?";
}

int64_t oct_shape_elements(const oct_shape *shape)
{
    int64_t product = 1;
    bool empty = false;
    for (int i = 0; i < shape->rank; i++) {
        const int64_t d = shape->dims[i];
        if (d < 0 || (d > 0 && product > MAX_ELEMENTS / d))
            return -1;
        product *= d > 0 ? d : 1;
        empty |= d == 0;
    }
    return empty ? 0 : product;
}

bool oct_shape_equal(const oct_shape *a, const oct_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

char *oct_shape_text(const oct_shape *shape, char *text, size_t size)
{
    size_t used = 0;
    snprintf(text, size, "%s", shape->rank ? "" : "scalar");
    for (int i = 0; i < shape->rank && used < size; i++) {
        const int wrote = snprintf(text + used, size - used, "%s%lld", i ? "x" : "", (long long)shape->dims[i]);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
    return text;
}

int64_t oct_shape_product(const oct_shape *shape, int begin, int end)
{
    int64_t product = 1;
    for (int i = begin; i < end; i++)
        product *= shape->dims[i];
    return product;
}

int oct_axis(int64_t axis, int rank)
{
    if (axis < -rank || axis >= rank)
        return -1;
    return (int)(axis < 0 ? axis + rank : axis);
}

bool oct_shape_broadcast(const oct_shape *a, const oct_shape *b, oct_shape *out)
{
    const int rank = a->rank > b->rank ? a->rank : b->rank;
    oct_shape result = {.rank = rank};
    for (int i = 0; i < rank; i++) {
        const int ia = i - (rank - a->rank), ib = i - (rank - b->rank);
        const int64_t da = ia < 0 ? 1 : a->dims[ia], db = ib < 0 ? 1 : b->dims[ib];
        if (da != db && da != 1 && db != 1)
            return false;
        result.dims[i] = da == 1 ? db : da;
    }
    *out = result;
    return true;
}

oct_status oct_host_tensor_create(oct_host_tensor *tensor, const char *name, oct_dtype dtype, const oct_shape *shape)
{
    memset(tensor, 0, sizeof *tensor);
    const int64_t elements = oct_shape_elements(shape);
    if (elements < 0)
        return oct_fail(OCT_ERR_ARGUMENT, "tensor %s: its shape has too many elements", name);
    tensor->name = oct_strdup(name);
    tensor->data = oct_alloc((size_t)elements, oct_dtype_size(dtype));
    tensor->dtype = dtype;
    tensor->shape = *shape;
    if (!tensor->name || !tensor->data) {
        oct_host_tensor_free(tensor);
        return oct_fail_memory((size_t)elements * oct_dtype_size(dtype));
    }
    return OCT_OK;
}

oct_status oct_host_tensor_copy(oct_host_tensor *tensor, const oct_host_tensor *from)
{
    OCT_TRY(oct_host_tensor_create(tensor, from->name, from->dtype, &from->shape));
    const size_t bytes = (size_t)oct_shape_elements(&from->shape) * oct_dtype_size(from->dtype);
    if (bytes)
        memcpy(tensor->data, from->data, bytes);
    return OCT_OK;
}

void oct_host_tensor_free(oct_host_tensor *tensor)
{
    if (!tensor)
        return;
    oct_free(tensor->name);
    oct_free(tensor->data);
    memset(tensor, 0, sizeof *tensor);
}

/* import_ops_layout.c - operators that move elements or hand them on: Reshape and its kin, Transpose, Concat, Slice, Split, Pad,
 * Gather, ... */
#include <string.h>

#include "import_context.h"
#include "memory.h"

/* Negative axes count from the end (in the specification since opset 11; harmless before). */
static oct_status axis_of(int64_t number, int rank, int *axis)
{
    *axis = oct_axis(number, rank);
    return *axis >= 0 ? OCT_OK : oct_fail(OCT_ERR_FORMAT, "axis %lld outside rank %d", (long long)number, rank);
}

/* A list that is an attribute in older opsets and input i in newer ones. */
static oct_status read_list(const oct_import *im, const char *name, int i, oct_import_list *list)
{
    OCT_TRY(oct_import_list_attr(im, name, list));
    return list->given ? OCT_OK : oct_import_list_in(im, i, list);
}

/* Flatten, Squeeze, Unsqueeze are reshapes whose target shape they know. */
static oct_status set_reshaped(oct_import *im, const oct_shape *shape)
{
    int y;
    OCT_TRY(oct_import_reshape(im, "", shape, im->in[0], &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* ----------------------------------------------------------------------------------------- the same value ---- */

/* Two names for one value. Should both be outputs of the graph, the driver makes a copy. */
static oct_status lower_identity(oct_import *im)
{
    oct_import_set_output(im, 0, im->in[0]);
    return OCT_OK;
}

/* At inference nothing is dropped; so neither is it in training with ratio 0. The mask is not computed. */
static oct_status lower_dropout(oct_import *im)
{
    double ratio = 0, training;
    OCT_TRY(oct_import_scalar_in(im, 2, 0, &training));
    if (training != 0)
        OCT_TRY(oct_import_scalar_in(im, 1, 0.5, &ratio));
    if (ratio != 0)
        return oct_fail(OCT_ERR_UNSUPPORTED, "dropout in training mode is not supported");
    return lower_identity(im);
}

/* --------------------------------------------------------------------------------------- the same order ---- */

/* 0 keeps the input's dimension (unless allowzero), one -1 takes what is left. */
static oct_status lower_reshape(oct_import *im)
{
    const oct_shape from = oct_import_shape(im, im->in[0]);
    oct_import_list list;
    oct_shape to = {0};
    bool allow_zero;
    int open = -1;
    int64_t known = 1;
    OCT_TRY(oct_import_list_in(im, 1, &list));
    OCT_TRY(oct_import_flag(im, "allowzero", false, &allow_zero));
    if (list.count > OCT_MAX_RANK)
        return oct_fail(OCT_ERR_UNSUPPORTED, "a shape of %d dimensions; at most %d are supported", list.count, OCT_MAX_RANK);
    to.rank = list.count;
    for (int i = 0; i < to.rank; i++) {
        to.dims[i] = list.v[i];
        if (list.v[i] == 0 && !allow_zero) {
            if (i >= from.rank)
                return oct_fail(OCT_ERR_FORMAT, "dimension %d of the shape is 0, but the input has only %d", i, from.rank);
            to.dims[i] = from.dims[i];
        }
        if (list.v[i] < -1 || (list.v[i] == -1 && open >= 0))
            return oct_fail(OCT_ERR_FORMAT, "dimension %d of the shape is %lld", i, (long long)list.v[i]);
        /* held open with a 1, so that the product below is that of the others */
        if (list.v[i] == -1) {
            open = i;
            to.dims[i] = 1;
        }
    }
    if (!oct_onnx_shape_is_sane(&to))
        return oct_fail(OCT_ERR_FORMAT, "the shape has too many elements");
    known = oct_shape_elements(&to);
    if (open >= 0)
        to.dims[open] = known > 0 ? oct_shape_elements(&from) / known : 0;   /* a remainder fails in the reshape */
    return set_reshaped(im, &to);
}

/* [d0 .. dn-1] -> [d0 * .. * d(axis-1), d(axis) * .. * dn-1]; an empty product is 1. */
static oct_status lower_flatten(oct_import *im)
{
    const oct_shape from = oct_import_shape(im, im->in[0]);
    const int64_t number = oct_import_int(im, "axis", 1);
    int axis = from.rank;
    if (number != from.rank)   /* the one axis that may be the rank itself */
        OCT_TRY(axis_of(number, from.rank, &axis));
    const oct_shape to = {2, {oct_shape_product(&from, 0, axis), oct_shape_product(&from, axis, from.rank)}};
    return set_reshaped(im, &to);
}

/* The listed axes as a set; no axis twice. */
static oct_status axis_set(const oct_import_list *list, int rank, uint32_t *set)
{
    *set = 0;
    for (int i = 0; i < list->count; i++) {
        int axis;
        OCT_TRY(axis_of(list->v[i], rank, &axis));
        if (*set >> axis & 1)
            return oct_fail(OCT_ERR_FORMAT, "axis %d is listed twice", axis);
        *set |= 1u << axis;
    }
    return OCT_OK;
}

/* Takes away the listed axes, which must have length 1; without a list all that have. */
static oct_status lower_squeeze(oct_import *im)
{
    const oct_shape from = oct_import_shape(im, im->in[0]);
    oct_shape to = {0};
    oct_import_list axes;
    uint32_t set;
    OCT_TRY(read_list(im, "axes", 1, &axes));
    OCT_TRY(axis_set(&axes, from.rank, &set));
    for (int i = 0; i < from.rank; i++) {
        const bool named = set >> i & 1;
        if (named && from.dims[i] != 1)
            return oct_fail(OCT_ERR_FORMAT, "axis %d has %lld elements and cannot be squeezed", i, (long long)from.dims[i]);
        if (!named && !(from.dims[i] == 1 && !axes.given))
            to.dims[to.rank++] = from.dims[i];
    }
    return set_reshaped(im, &to);
}

/* Inserts axes of length 1. The list counts in the output's axes, so {0, 3} of 3x4 is 1x3x4x1 in any order of the list. */
static oct_status lower_unsqueeze(oct_import *im)
{
    const oct_shape from = oct_import_shape(im, im->in[0]);
    oct_import_list axes;
    uint32_t set;
    OCT_TRY(read_list(im, "axes", 1, &axes));
    if (!axes.given)
        return oct_fail(OCT_ERR_FORMAT, "attribute axes is missing");
    oct_shape to = {.rank = from.rank + axes.count};
    if (to.rank > OCT_MAX_RANK)
        return oct_fail(OCT_ERR_UNSUPPORTED, "an output of rank %d; at most %d is supported", to.rank, OCT_MAX_RANK);
    OCT_TRY(axis_set(&axes, to.rank, &set));
    for (int i = 0, next = 0; i < to.rank; i++)
        to.dims[i] = set >> i & 1 ? 1 : from.dims[next++];
    return set_reshaped(im, &to);
}

/* --------------------------------------------------------------------------------------------- transpose ---- */

/* Output axis i is input axis perm[i]; without perm the order is reversed. */
static oct_status lower_transpose(oct_import *im)
{
    const int rank = oct_import_shape(im, im->in[0]).rank;
    oct_import_list list;
    int perm[OCT_MAX_RANK], y;
    uint32_t seen = 0;
    OCT_TRY(oct_import_list_attr(im, "perm", &list));
    if (list.given && list.count != rank)
        return oct_fail(OCT_ERR_FORMAT, "perm has %d entries, the input %d axes", list.count, rank);
    for (int i = 0; i < rank; i++) {
        const int64_t from = list.given ? list.v[i] : rank - 1 - i;
        if (from < 0 || from >= rank || (seen >> from & 1))
            return oct_fail(OCT_ERR_FORMAT, "perm is no permutation of %d axes", rank);
        seen |= 1u << from;
        perm[i] = (int)from;
    }
    OCT_TRY(oct_import_transpose(im, "", perm, im->in[0], &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------------ concat ---- */

/* One input is the input itself. Constants among the inputs are fine as long as they are floats. */
static oct_status lower_concat(oct_import *im)
{
    const int64_t number = oct_import_int(im, "axis", 0);
    int axis, y = im->in[0];
    if (!oct_import_attr(im, "axis"))
        return oct_fail(OCT_ERR_FORMAT, "attribute axis is missing");
    OCT_TRY(axis_of(number, oct_import_shape(im, im->in[0]).rank, &axis));
    for (int i = 0; i < im->node->in_count; i++)
        if (!oct_import_has(im, i))
            return oct_fail(OCT_ERR_FORMAT, "input %d is missing", i);
    const oct_attrs attrs = {.axis = {axis}};
    if (im->node->in_count > 1)
        OCT_TRY(oct_import_emit(im, OCT_OP_CONCAT, "", &attrs, im->in, im->node->in_count, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------------ slices ---- */

/* Everything: start 0, step 1 along all axes. */
static oct_attrs whole(const oct_shape *shape)
{
    oct_attrs attrs = {0};
    for (int i = 0; i < shape->rank; i++) {
        attrs.slice.step[i] = 1;
        attrs.slice.count[i] = (int32_t)shape->dims[i];
    }
    return attrs;
}

/* The last check before a slice node: 32-bit dimensions, and no node at all where everything is. */
static oct_status emit_slice(oct_import *im, const char *suffix, const oct_attrs *attrs, int x, int *y)
{
    const oct_shape shape = oct_import_shape(im, x);
    bool all = true;
    for (int i = 0; i < shape.rank; i++) {
        if (shape.dims[i] > INT32_MAX)
            return oct_fail(OCT_ERR_UNSUPPORTED, "a dimension of %lld is too large", (long long)shape.dims[i]);
        all &= attrs->slice.count[i] == shape.dims[i] && attrs->slice.step[i] == 1;
    }
    *y = x;
    return all ? OCT_OK : oct_import_emit(im, OCT_OP_SLICE, suffix, attrs, &x, 1, y);
}

static int64_t clamp_to(int64_t value, int64_t low, int64_t high) { return value < low ? low : value > high ? high : value; }

/* start:end:step along one axis of `size` elements, with python's rules: negative numbers count from the end, what lies outside is
 * cut off. */
static oct_status slice_axis(int64_t size, int64_t start, int64_t end, int64_t step, int32_t *first, int32_t *stride,
                             int32_t *count)
{
    if (step == 0)
        return oct_fail(OCT_ERR_FORMAT, "a step of 0");
    /* No sum overflows: only negative numbers are added to, then all are cut to the axis, and steps to 31 bits. */
    start += start < 0 ? size : 0;
    end += end < 0 ? size : 0;
    step = clamp_to(step, -INT32_MAX, INT32_MAX);
    int64_t left;
    if (step > 0) {
        start = clamp_to(start, 0, size);
        end = clamp_to(end, 0, size);
        left = end > start ? (end - start + step - 1) / step : 0;
    } else {
        start = clamp_to(start, -1, size - 1);
        end = clamp_to(end, -1, size - 1);
        left = start > end ? (start - end - step - 1) / -step : 0;
    }
    *first = left > 0 ? (int32_t)start : 0;
    *stride = (int32_t)step;
    *count = (int32_t)left;
    return OCT_OK;
}

/* Attributes starts, ends, axes up to opset 9; inputs 1 to 4 (with steps) since 10. Without axes the first ones are meant. */
static oct_status lower_slice(oct_import *im)
{
    const oct_shape shape = oct_import_shape(im, im->in[0]);
    oct_import_list starts, ends, axes, steps;
    oct_attrs attrs = whole(&shape);
    uint32_t set;
    int y;
    OCT_TRY(read_list(im, "starts", 1, &starts));
    OCT_TRY(read_list(im, "ends", 2, &ends));
    OCT_TRY(read_list(im, "axes", 3, &axes));
    OCT_TRY(oct_import_list_in(im, 4, &steps));
    if (starts.count != ends.count || (axes.given && axes.count != starts.count) || (steps.given && steps.count != starts.count))
        return oct_fail(OCT_ERR_FORMAT, "starts, ends, axes and steps are of different lengths");
    for (int i = 0; !axes.given && i < starts.count; i++)
        axes.v[i] = i;
    axes.count = starts.count;
    OCT_TRY(axis_set(&axes, shape.rank, &set));
    for (int i = 0; i < starts.count; i++) {
        const int a = oct_axis(axes.v[i], shape.rank);
        OCT_TRY(slice_axis(shape.dims[a], starts.v[i], ends.v[i], steps.given ? steps.v[i] : 1, &attrs.slice.start[a],
                           &attrs.slice.step[a], &attrs.slice.count[a]));
    }
    OCT_TRY(emit_slice(im, "", &attrs, im->in[0], &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* The lengths of Split's outputs: as listed, or equal ones; since opset 18 the last one may then be shorter. */
static oct_status split_lengths(const oct_import *im, int64_t size, oct_import_list *lengths)
{
    const int parts = im->node->out_count;
    OCT_TRY(read_list(im, "split", 1, lengths));
    if (lengths->given && lengths->count != parts)
        return oct_fail(OCT_ERR_FORMAT, "%d lengths for %d outputs", lengths->count, parts);
    if (parts > OCT_IMPORT_MAX_LIST)
        return oct_fail(OCT_ERR_UNSUPPORTED, "%d outputs; at most %d are supported", parts, OCT_IMPORT_MAX_LIST);
    if (oct_import_int(im, "num_outputs", parts) != parts)
        return oct_fail(OCT_ERR_FORMAT, "num_outputs is %lld, but there are %d",
                        (long long)oct_import_int(im, "num_outputs", parts), parts);
    /* 7 elements in 3 parts: 3, 3, 1. */
    const int64_t equal = (size + parts - 1) / parts;
    if (!lengths->given && size % parts != 0 && !oct_import_attr(im, "num_outputs"))
        return oct_fail(OCT_ERR_FORMAT, "%lld elements do not make %d equal parts", (long long)size, parts);
    int64_t left = size;
    for (int i = 0; i < parts; i++) {
        if (!lengths->given)
            lengths->v[i] = left < equal ? left : equal;
        if (lengths->v[i] < 0 || lengths->v[i] > left)
            return oct_fail(OCT_ERR_FORMAT, "part %d of %lld elements does not fit into %lld", i, (long long)lengths->v[i],
                            (long long)size);
        left -= lengths->v[i];
    }
    return left == 0 ? OCT_OK : oct_fail(OCT_ERR_FORMAT, "the parts leave %lld of %lld elements", (long long)left, (long long)size);
}

/* A slice for every output that is used. */
static oct_status lower_split(oct_import *im)
{
    const oct_shape shape = oct_import_shape(im, im->in[0]);
    oct_import_list lengths;
    int axis;
    OCT_TRY(axis_of(oct_import_int(im, "axis", 0), shape.rank, &axis));
    OCT_TRY(split_lengths(im, shape.dims[axis], &lengths));
    oct_attrs attrs = whole(&shape);
    int64_t start = 0;
    for (int i = 0; i < im->node->out_count; i++) {
        int y;
        attrs.slice.start[axis] = (int32_t)start;
        attrs.slice.count[axis] = (int32_t)lengths.v[i];
        start += lengths.v[i];
        if (!oct_import_output_used(im, i))
            continue;
        OCT_TRY(emit_slice(im, "", &attrs, im->in[0], &y));
        oct_import_set_output(im, i, y);
    }
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------------ gather ---- */

/* From a constant: any indices. Rows of `inner` elements out of blocks of size[axis] rows. */
static oct_status gather_constant(oct_import *im, int axis, const oct_shape *out, int *y)
{
    const oct_value *x = &im->graph->values[im->in[0]], *index = &im->graph->values[im->in[1]];
    const int64_t outer = oct_shape_product(&x->shape, 0, axis), count = oct_shape_elements(&index->shape);
    const size_t row = (size_t)oct_shape_product(&x->shape, axis + 1, x->shape.rank) * oct_dtype_size(x->dtype);
    const int64_t size = x->shape.dims[axis];
    const size_t bytes = (size_t)outer * (size_t)count * row;
    OCT_TRY(oct_import_spend(im, bytes));
    char *data = oct_alloc(bytes, 1), *to = data;
    if (!data)
        return oct_fail_memory(bytes);
    for (int64_t o = 0; bytes && o < outer; o++)
        for (int64_t i = 0; i < count; i++, to += row) {
            const int64_t number = ((const int64_t *)index->data)[i], from = number < 0 ? number + size : number;
            memcpy(to, (const char *)x->data + (size_t)(o * size + from) * row, row);
        }
    const oct_status status = oct_import_constant(im, "", x->dtype, out, data, y);
    oct_free(data);
    return status;
}

/* How many of the `count` indices from the first on stand at equal distances, and at which. */
static int64_t run_length(const int64_t *index, int64_t count, int64_t size, int32_t *step)
{
    int64_t length = 1, before = 0;
    for (; length < count; length++) {
        const int64_t a = index[length - 1], b = index[length];
        const int64_t distance = (b < 0 ? b + size : b) - (a < 0 ? a + size : a);
        if (distance == 0 || (length > 1 && distance != before))
            break;
        before = distance;
    }
    *step = length > 1 ? (int32_t)before : 1;
    return length;
}

/* From a computed tensor: one slice for each run of indices at equal distances, put together again. */
static oct_status gather_slices(oct_import *im, int axis, const oct_shape *out, int *y)
{
    const oct_shape shape = oct_import_shape(im, im->in[0]), list = oct_import_shape(im, im->in[1]);
    const int64_t size = shape.dims[axis], count = oct_shape_elements(&list);
    const int64_t *index = im->graph->values[im->in[1]].data;   /* stays where it is when values are added */
    oct_attrs attrs = whole(&shape), concat = {.axis = {axis}};
    int parts[OCT_IMPORT_MAX_LIST], part_count = 0;
    for (int64_t at = 0; at < count;) {
        if (part_count == OCT_IMPORT_MAX_LIST)
            return oct_fail(OCT_ERR_UNSUPPORTED, "it gathers more than %d pieces of a computed tensor", OCT_IMPORT_MAX_LIST);
        const int64_t length = run_length(index + at, count - at, size, &attrs.slice.step[axis]);
        attrs.slice.start[axis] = (int32_t)(index[at] < 0 ? index[at] + size : index[at]);
        attrs.slice.count[axis] = (int32_t)length;
        OCT_TRY(emit_slice(im, "", &attrs, im->in[0], &parts[part_count++]));
        at += length;
    }
    if (part_count == 0)
        return oct_fail(OCT_ERR_UNSUPPORTED, "there are no indices; tensors without elements are not supported");
    *y = parts[0];
    if (part_count > 1)
        OCT_TRY(oct_import_emit(im, OCT_OP_CONCAT, ".concat", &concat, parts, part_count, y));
    return oct_import_reshape(im, ".shape", out, *y, y);
}

/* out = x's shape with axis replaced by the indices' whole shape:  x [A, size, B], indices [I, J] -> [A, I, J, B]. All indices are
 * known, so all are checked here. */
static oct_status lower_gather(oct_import *im)
{
    const oct_shape x = oct_import_shape(im, im->in[0]), index = oct_import_shape(im, im->in[1]);
    int axis, y;
    OCT_TRY(axis_of(oct_import_int(im, "axis", 0), x.rank, &axis));
    oct_shape out = {.rank = x.rank - 1 + index.rank};
    if (out.rank > OCT_MAX_RANK)
        return oct_fail(OCT_ERR_UNSUPPORTED, "an output of rank %d; at most %d is supported", out.rank, OCT_MAX_RANK);
    memcpy(out.dims, x.dims, (size_t)axis * sizeof out.dims[0]);
    memcpy(out.dims + axis, index.dims, (size_t)index.rank * sizeof out.dims[0]);
    memcpy(out.dims + axis + index.rank, x.dims + axis + 1, (size_t)(x.rank - axis - 1) * sizeof out.dims[0]);
    const int64_t *number = im->graph->values[im->in[1]].data;
    if (oct_import_dtype(im, im->in[1]) != OCT_S64 || !oct_onnx_shape_is_sane(&out))
        return oct_fail(OCT_ERR_FORMAT, "the indices are no integers, or too many");
    for (int64_t i = 0; i < oct_shape_elements(&index); i++)
        if (number[i] < -x.dims[axis] || number[i] >= x.dims[axis])
            return oct_fail(OCT_ERR_FORMAT, "index %lld outside the %lld elements of axis %d", (long long)number[i],
                            (long long)x.dims[axis], axis);
    OCT_TRY(oct_import_is_constant(im, im->in[0]) ? gather_constant(im, axis, &out, &y) : gather_slices(im, axis, &out, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* ---------------------------------------------------------------------------------------------- widening ---- */

/* "wrap" came with opset 19; a typing error is the same refusal. */
static oct_status pad_mode(const oct_import *im, int32_t *mode)
{
    const char *name = oct_import_string(im, "mode", "constant");
    *mode = !strcmp(name, "constant") ? OCT_PAD_CONSTANT : !strcmp(name, "reflect") ? OCT_PAD_REFLECT : OCT_PAD_EDGE;
    if (*mode != OCT_PAD_EDGE || !strcmp(name, "edge"))
        return OCT_OK;
    return oct_fail(OCT_ERR_UNSUPPORTED, "mode \"%s\" is not supported; constant, reflect and edge are", name);
}

/* pads: how much before each (listed) axis, then how much after each. */
static oct_status lower_pad(oct_import *im)
{
    const oct_shape shape = oct_import_shape(im, im->in[0]);
    oct_import_list pads, axes;
    uint32_t set;
    double value;
    int y;
    bool pads_nothing = true;
    oct_attrs attrs = {0};
    OCT_TRY(pad_mode(im, &attrs.pad.mode));
    OCT_TRY(oct_import_scalar_in(im, 2, (double)oct_import_float(im, "value", 0), &value));
    attrs.pad.value = (float)value;
    OCT_TRY(read_list(im, "pads", 1, &pads));
    OCT_TRY(oct_import_list_in(im, 3, &axes));
    if (pads.count != 2 * (axes.given ? axes.count : shape.rank))
        return oct_fail(OCT_ERR_FORMAT, "%d pads for %d axes", pads.count, axes.given ? axes.count : shape.rank);
    OCT_TRY(axis_set(&axes, shape.rank, &set));
    /* All befores, then all afters: before(a0) before(a1) .. after(a0) after(a1) .. */
    for (int i = 0; i < pads.count / 2; i++) {
        const int axis = axes.given ? oct_axis(axes.v[i], shape.rank) : i;
        const int64_t before = pads.v[i], after = pads.v[i + pads.count / 2];
        if (before < -INT32_MAX || before > INT32_MAX || after < -INT32_MAX || after > INT32_MAX)
            return oct_fail(OCT_ERR_UNSUPPORTED, "pads %lld and %lld are too large", (long long)before, (long long)after);
        attrs.pad.before[axis] = (int32_t)before;
        attrs.pad.after[axis] = (int32_t)after;
        pads_nothing &= before == 0 && after == 0;
    }
    y = im->in[0];
    if (!pads_nothing)
        OCT_TRY(oct_import_emit(im, OCT_OP_PAD, "", &attrs, im->in, 1, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* Expand: x times ones, which lie only along the axes that grow. */
static oct_status lower_expand(oct_import *im)
{
    const oct_shape x = oct_import_shape(im, im->in[0]);
    oct_import_list list;
    oct_shape ones = {0};
    int factor, y = im->in[0];
    OCT_TRY(oct_import_list_in(im, 1, &list));
    if (list.count > OCT_MAX_RANK)
        return oct_fail(OCT_ERR_UNSUPPORTED, "a shape of %d dimensions; at most %d are supported", list.count, OCT_MAX_RANK);
    ones.rank = list.count;
    for (int i = 0; i < ones.rank; i++) {
        const int from = i - (ones.rank - x.rank);
        if (list.v[i] < 1)
            return oct_fail(OCT_ERR_UNSUPPORTED, "dimension %d of the shape is %lld", i, (long long)list.v[i]);
        ones.dims[i] = from >= 0 && x.dims[from] == list.v[i] ? 1 : list.v[i];
    }
    if (oct_shape_elements(&ones) != 1 || ones.rank > x.rank) {
        OCT_TRY(oct_import_fill(im, ".ones", oct_import_dtype(im, y), &ones, 1, &factor));
        OCT_TRY(oct_import_binary(im, "", OCT_BINARY_MUL, y, factor, &y));
    }
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------------- table ---- */

/* ------------------------------------------------------------------------------------------------ blocks ---- */

/* Six axes, turned, and four again. */
static oct_status turn_blocks(oct_import *im, const oct_shape *six, const int *perm, const oct_shape *four)
{
    int y;
    OCT_TRY(oct_import_reshape(im, ".blocks", six, im->in[0], &y));
    OCT_TRY(oct_import_transpose(im, ".turned", perm, y, &y));
    OCT_TRY(oct_import_reshape(im, "", four, y, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

static oct_status check_blocks(const oct_import *im, const oct_shape *x, int64_t *block)
{
    *block = oct_import_int(im, "blocksize", 0);
    if (x->rank != 4)
        return oct_fail(OCT_ERR_FORMAT, "an input of rank %d; it needs N x C x H x W", x->rank);
    if (*block < 1 || *block > 65536)
        return oct_fail(OCT_ERR_FORMAT, "attribute blocksize is %lld", (long long)*block);
    return OCT_OK;
}

/* Channels become places: the block's index is the outer part of the channel's (DCR: depth, column, row) or the inner one (CRD). */
static oct_status lower_depth_to_space(oct_import *im)
{
    static const int outer[6] = {0, 3, 4, 1, 5, 2}, inner[6] = {0, 1, 4, 2, 5, 3};
    const oct_shape x = oct_import_shape(im, im->in[0]);
    const char *mode = oct_import_string(im, "mode", "DCR");
    const bool crd = !strcmp(mode, "CRD");
    int64_t b;
    OCT_TRY(check_blocks(im, &x, &b));
    if (!crd && strcmp(mode, "DCR") != 0)
        return oct_fail(OCT_ERR_FORMAT, "mode \"%s\"; supported are DCR and CRD", mode);
    if (x.dims[1] % (b * b) != 0)
        return oct_fail(OCT_ERR_FORMAT, "%lld channels are no whole number of %lld x %lld blocks", (long long)x.dims[1],
                        (long long)b, (long long)b);
    const int64_t c = x.dims[1] / (b * b);
    const oct_shape dcr = {6, {x.dims[0], b, b, c, x.dims[2], x.dims[3]}}, cdr = {6, {x.dims[0], c, b, b, x.dims[2], x.dims[3]}};
    const oct_shape y = {4, {x.dims[0], c, x.dims[2] * b, x.dims[3] * b}};
    return turn_blocks(im, crd ? &cdr : &dcr, crd ? inner : outer, &y);
}

/* Places become channels, the block's index the outer part. */
static oct_status lower_space_to_depth(oct_import *im)
{
    static const int perm[6] = {0, 3, 5, 1, 2, 4};
    const oct_shape x = oct_import_shape(im, im->in[0]);
    int64_t b;
    OCT_TRY(check_blocks(im, &x, &b));
    if (x.dims[2] % b != 0 || x.dims[3] % b != 0)
        return oct_fail(OCT_ERR_FORMAT, "%lld x %lld is no whole number of blocks of %lld", (long long)x.dims[2],
                        (long long)x.dims[3], (long long)b);
    const oct_shape six = {6, {x.dims[0], x.dims[1], x.dims[2] / b, b, x.dims[3] / b, b}};
    const oct_shape y = {4, {x.dims[0], x.dims[1] * b * b, x.dims[2] / b, x.dims[3] / b}};
    return turn_blocks(im, &six, perm, &y);
}

static const oct_import_row rows[] = {
    /* operator, since; inputs min, max; outputs; constants, preferred (bits); attributes; handler, variant, flags */
    {"Identity", 1, 1, 1, 1, 0, 0, "", lower_identity, 0, OCT_ROW_BYTES},
    /* Opset 12 made ratio an input and added training_mode. */
    {"Dropout", 7, 1, 1, 2, 0, 0, "ratio:f", lower_dropout, 0, 0},
    {"Dropout", 12, 1, 3, 2, 4, 2, "seed:i", lower_dropout, 0, 0},
    /* The shape is an input since opset 5; 14 added allowzero. */
    {"Reshape", 5, 2, 2, 1, 2, 0, "", lower_reshape, 0, OCT_ROW_BYTES},
    {"Reshape", 14, 2, 2, 1, 2, 0, "allowzero:i", lower_reshape, 0, OCT_ROW_BYTES},
    {"Flatten", 1, 1, 1, 1, 0, 0, "axis:i", lower_flatten, 0, OCT_ROW_BYTES},
    /* Axes: an attribute, since opset 13 an input. */
    {"Squeeze", 1, 1, 1, 1, 0, 0, "axes:I", lower_squeeze, 0, OCT_ROW_BYTES},
    {"Squeeze", 13, 1, 2, 1, 2, 0, "", lower_squeeze, 0, OCT_ROW_BYTES},
    {"Unsqueeze", 1, 1, 1, 1, 0, 0, "axes:I", lower_unsqueeze, 0, OCT_ROW_BYTES},
    {"Unsqueeze", 13, 2, 2, 1, 2, 0, "", lower_unsqueeze, 0, OCT_ROW_BYTES},
    {"Transpose", 1, 1, 1, 1, 0, 0, "perm:I", lower_transpose, 0, OCT_ROW_BYTES},
    {"Concat", 4, 1, -1, 1, 0, 0, "axis:i", lower_concat, 0, OCT_ROW_BYTES},
    /* Opset 10 turned the attributes into inputs and added steps. */
    {"Slice", 1, 1, 1, 1, 0, 0, "starts:I ends:I axes:I", lower_slice, 0, OCT_ROW_BYTES},
    {"Slice", 10, 3, 5, 1, 30, 0, "", lower_slice, 0, OCT_ROW_BYTES},
    /* Opset 13 made the lengths an input, 18 added num_outputs. */
    {"Split", 2, 1, 1, -1, 0, 0, "axis:i split:I", lower_split, 0, OCT_ROW_BYTES},
    {"Split", 13, 1, 2, -1, 2, 0, "axis:i", lower_split, 0, OCT_ROW_BYTES},
    {"Split", 18, 1, 2, -1, 2, 0, "axis:i num_outputs:i", lower_split, 0, OCT_ROW_BYTES},
    {"Gather", 1, 2, 2, 1, 2, 0, "axis:i", lower_gather, 0, OCT_ROW_BYTES},
    /* Opset 11 turned pads and value into inputs, 18 added axes, 19 the mode wrap. */
    {"Pad", 2, 1, 1, 1, 0, 0, "mode:s pads:I value:f", lower_pad, 0, 0},
    {"Pad", 11, 2, 3, 1, 6, 0, "mode:s", lower_pad, 0, 0},
    {"Pad", 18, 2, 4, 1, 14, 0, "mode:s", lower_pad, 0, 0},
    {"DepthToSpace", 1, 1, 1, 1, 0, 0, "blocksize:i", lower_depth_to_space, 0, OCT_ROW_BYTES},
    {"DepthToSpace", 11, 1, 1, 1, 0, 0, "blocksize:i mode:s", lower_depth_to_space, 0, OCT_ROW_BYTES},
    {"SpaceToDepth", 1, 1, 1, 1, 0, 0, "blocksize:i", lower_space_to_depth, 0, OCT_ROW_BYTES},
    {"Expand", 8, 2, 2, 1, 2, 0, "", lower_expand, 0, 0},
};

const oct_import_table oct_import_layout_ops = {rows, (int)(sizeof rows / sizeof rows[0])};

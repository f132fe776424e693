/* import_ops_spatial.c - operators that slide a window over N x C x spatial axes: Conv and the pools.
 *
 * octet's own work on N x H x W x C. Each is lowered correctly for itself,
 *
 *     x NCHW -> transpose (0 2 3 1) -> conv or pool NHWC -> transpose (0 3 1 2) -> y NCHW
 *
 * and the optimiser lets the transposes between neighbours cancel. One spatial axis becomes two by a reshape (H = 1). Pools over
 * three axes become two pools, over H x W and then over D: a maximum of maxima is the maximum, and an average of averages is the
 * average because the number of elements in a window is the product of the numbers along the axes - also where padding is not
 * counted. */
#include <string.h>

#include "import_context.h"

#define MAX_WINDOW 65536   /* as the graph's own limits on kernel, stride, dilation, pad */

/* The attributes all windows share, per spatial axis. */
typedef struct window {
    int axes;
    int64_t kernel[3], stride[3], dilation[3], begin[3], end[3];
} window;

/* One list attribute of `per_axis` numbers an axis; `missing` everywhere if it is left out. */
static oct_status read_list(const oct_import *im, const char *name, int count, int64_t low, int64_t missing, int64_t *numbers)
{
    oct_import_list list;
    OCT_TRY(oct_import_list_attr(im, name, &list));
    if (list.given && list.count != count)
        return oct_fail(OCT_ERR_FORMAT, "attribute %s has %d entries instead of %d", name, list.count, count);
    for (int i = 0; i < count; i++) {
        numbers[i] = list.given ? list.v[i] : missing;
        if (numbers[i] < low || numbers[i] > MAX_WINDOW)
            return oct_fail(OCT_ERR_UNSUPPORTED, "attribute %s: %lld; supported are %lld to %d", name, (long long)numbers[i],
                            (long long)low, MAX_WINDOW);
    }
    return OCT_OK;
}

/* SAME: as many windows as strides fit into the input, ceil(in / stride); what padding that takes is shared out evenly, an odd one
 * at the end (SAME_UPPER) or at the beginning (SAME_LOWER). */
static void pad_same(window *w, const int64_t *size, bool upper)
{
    for (int i = 0; i < w->axes; i++) {
        const int64_t count = (size[i] + w->stride[i] - 1) / w->stride[i], reach = (w->kernel[i] - 1) * w->dilation[i] + 1;
        int64_t total = (count - 1) * w->stride[i] + reach - size[i];
        total = total > 0 ? total : 0;
        w->begin[i] = upper ? total / 2 : total - total / 2;
        w->end[i] = total - w->begin[i];
    }
}

/* *same: SAME has decided the number of windows, so ceil_mode has no say. */
static oct_status read_padding(const oct_import *im, const int64_t *size, window *w, bool *same)
{
    const char *mode = oct_import_string(im, "auto_pad", "NOTSET");
    const bool automatic = strcmp(mode, "NOTSET") != 0;
    int64_t pads[6];
    OCT_TRY(read_list(im, "pads", 2 * w->axes, 0, 0, pads));
    *same = !strcmp(mode, "SAME_UPPER") || !strcmp(mode, "SAME_LOWER");
    for (int i = 0; i < w->axes; i++) {   /* all begins, then all ends */
        w->begin[i] = automatic ? 0 : pads[i];
        w->end[i] = automatic ? 0 : pads[w->axes + i];
    }
    if (*same)
        pad_same(w, size, mode[5] == 'U');
    else if (automatic && strcmp(mode, "VALID") != 0)
        return oct_fail(OCT_ERR_FORMAT, "auto_pad \"%s\"; supported are NOTSET, SAME_UPPER, SAME_LOWER, VALID", mode);
    return OCT_OK;
}

/* `shape` is the input's; `kernel` the size its weights have, or NULL where the attribute must say it. */
static oct_status read_window(const oct_import *im, const oct_shape *shape, const int64_t *kernel, window *w, bool *same)
{
    *w = (window){.axes = shape->rank - 2};
    if (!kernel && !oct_import_attr(im, "kernel_shape"))
        return oct_fail(OCT_ERR_FORMAT, "attribute kernel_shape is missing");
    OCT_TRY(read_list(im, "kernel_shape", w->axes, 1, 1, w->kernel));
    OCT_TRY(read_list(im, "strides", w->axes, 1, 1, w->stride));
    OCT_TRY(read_list(im, "dilations", w->axes, 1, 1, w->dilation));
    for (int i = 0; kernel && i < w->axes; i++) {
        if (oct_import_attr(im, "kernel_shape") && w->kernel[i] != kernel[i])
            return oct_fail(OCT_ERR_FORMAT, "attribute kernel_shape says %lld, the weights say %lld", (long long)w->kernel[i],
                            (long long)kernel[i]);
        if (kernel[i] < 1 || kernel[i] > MAX_WINDOW)
            return oct_fail(OCT_ERR_UNSUPPORTED, "a kernel of %lld; supported are 1 to %d", (long long)kernel[i], MAX_WINDOW);
        w->kernel[i] = kernel[i];
    }
    return read_padding(im, shape->dims + 2, w, same);
}

/* Axis `axis` of a window as axis `i` (0 or 1) of a graph node's; the graph's attributes are zero or what was there before. */
static void set_axis(oct_pool_attrs *attrs, int i, const window *w, int axis)
{
    attrs->kernel[i] = axis < 0 ? 1 : (int32_t)w->kernel[axis];
    attrs->stride[i] = axis < 0 ? 1 : (int32_t)w->stride[axis];
    attrs->dilation[i] = axis < 0 ? 1 : (int32_t)w->dilation[axis];
    attrs->pad[i] = axis < 0 ? 0 : (int32_t)w->begin[axis];
    attrs->pad[i + 2] = axis < 0 ? 0 : (int32_t)w->end[axis];
}

static const int to_nhwc[4] = {0, 2, 3, 1}, to_nchw[4] = {0, 3, 1, 2};

/* One spatial axis becomes the second of two: N x C x L -> N x C x 1 x L. Shapes with two stay. */
static oct_status make_planar(oct_import *im, const char *suffix, int x, int *out)
{
    oct_shape shape = oct_import_shape(im, x);
    if (shape.rank == 3) {
        shape.dims[3] = shape.dims[2];
        shape.dims[2] = 1;
        shape.rank = 4;
    }
    return oct_import_reshape(im, suffix, &shape, x, out);
}

/* Back: N x C x 1 x L -> N x C x L if `rank` is 3. */
static oct_status make_linear(oct_import *im, const char *suffix, int rank, int x, int *out)
{
    oct_shape shape = oct_import_shape(im, x);
    if (rank == 3) {
        shape.dims[2] = shape.dims[3];
        shape.rank = 3;
    }
    return oct_import_reshape(im, suffix, &shape, x, out);
}

/* -------------------------------------------------------------------------------------------------- Conv ---- */

/* x N x C x .., w O x C/groups x .., in the file's own layout, so that the sentence speaks of what the reader of the file sees. */
static oct_status check_conv(const oct_shape *x, const oct_shape *w, int64_t groups)
{
    char xt[OCT_SHAPE_TEXT], wt[OCT_SHAPE_TEXT];
    oct_shape_text(x, xt, sizeof xt);
    oct_shape_text(w, wt, sizeof wt);
    if (x->rank < 3 || x->rank != w->rank)
        return oct_fail(OCT_ERR_FORMAT, "input %s and weights %s must have the same number of dimensions, at least 3", xt, wt);
    if (x->rank > 4)
        return oct_fail(OCT_ERR_UNSUPPORTED, "a convolution over %d axes (input %s); supported are 1 and 2", x->rank - 2, xt);
    if (groups < 1 || groups > x->dims[1] || x->dims[1] != w->dims[1] * groups || w->dims[0] < 1 || w->dims[0] % groups != 0)
        return oct_fail(OCT_ERR_FORMAT, "input %s and weights %s do not fit with %lld groups", xt, wt, (long long)groups);
    return OCT_OK;
}

/* OIHW -> OHWI is the same permutation as NCHW -> NHWC, since O stands where N does. */
static oct_status lower_conv(oct_import *im)
{
    const oct_shape x = oct_import_shape(im, im->in[0]), w = oct_import_shape(im, im->in[1]);
    const int64_t groups = oct_import_int(im, "group", 1);
    window win;
    bool same;
    OCT_TRY(check_conv(&x, &w, groups));
    OCT_TRY(read_window(im, &x, w.dims + 2, &win, &same));
    oct_pool_attrs planar = {0};
    set_axis(&planar, 0, &win, win.axes - 2);
    set_axis(&planar, 1, &win, win.axes - 1);
    oct_attrs attrs = {.conv = {.groups = (int32_t)groups}};
    memcpy(attrs.conv.kernel, planar.kernel, sizeof planar.kernel);
    memcpy(attrs.conv.stride, planar.stride, sizeof planar.stride);
    memcpy(attrs.conv.dilation, planar.dilation, sizeof planar.dilation);
    memcpy(attrs.conv.pad, planar.pad, sizeof planar.pad);

    int in[3] = {OCT_NONE, OCT_NONE, oct_import_has(im, 2) ? im->in[2] : OCT_NONE}, y;
    OCT_TRY(make_planar(im, ".planar", im->in[0], &in[OCT_IN_X]));
    OCT_TRY(oct_import_transpose(im, ".nhwc", to_nhwc, in[OCT_IN_X], &in[OCT_IN_X]));
    OCT_TRY(make_planar(im, ".weight", im->in[1], &in[OCT_IN_W]));
    OCT_TRY(oct_import_transpose(im, ".weight", to_nhwc, in[OCT_IN_W], &in[OCT_IN_W]));   /* OIHW -> OHWI */
    OCT_TRY(oct_import_emit(im, OCT_OP_CONV, "", &attrs, in, in[OCT_IN_BIAS] == OCT_NONE ? 2 : 3, &y));
    OCT_TRY(oct_import_transpose(im, ".nchw", to_nchw, y, &y));
    OCT_TRY(make_linear(im, ".linear", x.rank, y, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------------- pools ---- */

/* A pool over the last two axes of N x C x H x W. */
static oct_status emit_pool(oct_import *im, const char *suffix, const oct_pool_attrs *pool, int x, int *y)
{
    const oct_attrs attrs = {.pool = *pool};
    OCT_TRY(oct_import_transpose(im, ".nhwc", to_nhwc, x, &x));
    OCT_TRY(oct_import_emit(im, (oct_op)im->row->variant, suffix, &attrs, &x, 1, &x));
    return oct_import_transpose(im, ".nchw", to_nchw, x, y);
}

/* N x C x D x H x W: over H x W as N x CD x H x W, then over D as N x C x D x H'W'. */
static oct_status emit_pool_3d(oct_import *im, const window *w, oct_pool_attrs pool, int x, int *y)
{
    const oct_shape in = oct_import_shape(im, x);
    const oct_shape planes = {4, {in.dims[0], in.dims[1] * in.dims[2], in.dims[3], in.dims[4]}};
    set_axis(&pool, 0, w, 1);
    set_axis(&pool, 1, w, 2);
    OCT_TRY(oct_import_reshape(im, ".planes", &planes, x, &x));
    OCT_TRY(emit_pool(im, "", &pool, x, &x));
    const oct_shape half = oct_import_shape(im, x);
    const oct_shape columns = {4, {in.dims[0], in.dims[1], in.dims[2], half.dims[2] * half.dims[3]}};
    set_axis(&pool, 0, w, 0);
    set_axis(&pool, 1, w, -1);
    OCT_TRY(oct_import_reshape(im, ".columns", &columns, x, &x));
    OCT_TRY(emit_pool(im, ".depth", &pool, x, &x));
    const oct_shape done = oct_import_shape(im, x);
    const oct_shape out = {5, {in.dims[0], in.dims[1], done.dims[2], half.dims[2], half.dims[3]}};
    return oct_import_reshape(im, ".volume", &out, x, y);
}

/* MaxPool's storage_order only says how Indices are counted; they are not supported, so it does not matter. */
static oct_status lower_pool(oct_import *im)
{
    const oct_shape shape = oct_import_shape(im, im->in[0]);
    char text[OCT_SHAPE_TEXT];
    int y;
    window w;
    bool same, ceil_mode, count_padding;
    if (shape.rank < 3 || shape.rank > 5)
        return oct_fail(OCT_ERR_UNSUPPORTED, "an input of %s; supported are pools over 1, 2 or 3 axes",
                        oct_shape_text(&shape, text, sizeof text));
    OCT_TRY(read_window(im, &shape, NULL, &w, &same));
    OCT_TRY(oct_import_flag(im, "ceil_mode", false, &ceil_mode));
    OCT_TRY(oct_import_flag(im, "count_include_pad", false, &count_padding));
    oct_pool_attrs pool = {.ceil_mode = ceil_mode && !same, .count_include_pad = count_padding};
    if (shape.rank == 5) {
        OCT_TRY(emit_pool_3d(im, &w, pool, im->in[0], &y));
    } else {
        set_axis(&pool, 0, &w, w.axes - 2);
        set_axis(&pool, 1, &w, w.axes - 1);
        OCT_TRY(make_planar(im, ".planar", im->in[0], &y));
        OCT_TRY(emit_pool(im, "", &pool, y, &y));
        OCT_TRY(make_linear(im, ".linear", shape.rank, y, &y));
    }
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

/* Over all spatial axes, whatever their number: a reduction, which needs no layout. */
static oct_status lower_global_pool(oct_import *im)
{
    const int rank = oct_import_shape(im, im->in[0]).rank;
    int y;
    if (rank < 3)
        return oct_fail(OCT_ERR_FORMAT, "an input of rank %d; it needs N x C x spatial axes", rank);
    const uint32_t spatial = ((1u << rank) - 1) & ~3u;
    OCT_TRY(oct_import_reduce(im, "", (oct_reduce_fn)im->row->variant, spatial, true, im->in[0], &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

#define WINDOW "auto_pad:s kernel_shape:I pads:I strides:I"

static const oct_import_row rows[] = {
    /* operator, since; inputs min, max; outputs; constants, preferred (bits); attributes; handler, variant, flags */
    /* Unchanged from opset 1 to 21 but for the types it allows. */
    {"Conv", 1, 2, 3, 1, 6, 0, WINDOW " dilations:I group:i", lower_conv, 0, 0},
    /* Opset 8 added the output Indices, 10 dilations and ceil_mode. */
    {"MaxPool", 1, 1, 1, 2, 0, 0, WINDOW " storage_order:i", lower_pool, OCT_OP_MAX_POOL, 0},
    {"MaxPool", 10, 1, 1, 2, 0, 0, WINDOW " dilations:I ceil_mode:i storage_order:i", lower_pool, OCT_OP_MAX_POOL, 0},
    /* Opset 7 added count_include_pad, 10 ceil_mode, 19 dilations. */
    {"AveragePool", 7, 1, 1, 1, 0, 0, WINDOW " count_include_pad:i", lower_pool, OCT_OP_AVERAGE_POOL, 0},
    {"AveragePool", 10, 1, 1, 1, 0, 0, WINDOW " count_include_pad:i ceil_mode:i", lower_pool, OCT_OP_AVERAGE_POOL, 0},
    {"AveragePool", 19, 1, 1, 1, 0, 0, WINDOW " count_include_pad:i ceil_mode:i dilations:I", lower_pool, OCT_OP_AVERAGE_POOL, 0},
    {"GlobalAveragePool", 1, 1, 1, 1, 0, 0, "", lower_global_pool, OCT_REDUCE_MEAN, 0},
    {"GlobalMaxPool", 1, 1, 1, 1, 0, 0, "", lower_global_pool, OCT_REDUCE_MAX, 0},
};

const oct_import_table oct_import_spatial_ops = {rows, (int)(sizeof rows / sizeof rows[0])};

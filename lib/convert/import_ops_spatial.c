/* import_ops_spatial.c - operators on N x C x spatial axes: Conv and the pools, which slide a window over them, and Resize.
 *
 * octet's own work on N x H x W x C. Each is lowered correctly for itself,
 *
 *     x NCHW -> transpose (0 2 3 1) -> conv or pool NHWC -> transpose (0 3 1 2) -> y NCHW
 *
 * and the optimiser lets the transposes between neighbours cancel. One spatial axis becomes two by a reshape (H = 1). Pools over
 * three axes become two pools, over H x W and then over D: a maximum of maxima is the maximum, and an average of averages is the
 * average because the number of elements in a window is the product of the numbers along the axes - also where padding is not
 * counted. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "import_context.h"
#include "memory.h"

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

/* ----------------------------------------------------------------------------------------- ConvTranspose ---- */

/* The other way round: each input element adds a window of multiples of itself to the output, `stride` apart. That is a
 * convolution, too: with zeros between the elements, the kernel turned by half a circle, and input and output channels swapped.
 *
 *     x . x . x       out = stride * (in - 1) + 1 + dilation * (kernel - 1) - begin - end + output_padding
 *
 * On each side dilation * (kernel - 1) - pad zeros are needed, so that the first output sees the first element with its last tap.
 */
typedef struct spread {
    window w;
    int64_t before[3], after[3];   /* zeros round the spread elements; negative: less of them */
} spread;

/* Padding that output_shape leaves over is shared out, an odd one at the end for SAME_UPPER, else at the beginning. */
static oct_status read_spread(const oct_import *im, const oct_shape *x, const int64_t *kernel, spread *s)
{
    oct_import_list shape;
    int64_t extra[3] = {0};
    bool same;
    OCT_TRY(read_window(im, x, kernel, &s->w, &same));
    OCT_TRY(read_list(im, "output_padding", s->w.axes, 0, 0, extra));
    OCT_TRY(oct_import_list_attr(im, "output_shape", &shape));
    if (shape.given && shape.count != s->w.axes)
        return oct_fail(OCT_ERR_FORMAT, "attribute output_shape has %d entries instead of %d", shape.count, s->w.axes);
    for (int i = 0; i < s->w.axes; i++) {
        const int64_t reach = s->w.dilation[i] * (s->w.kernel[i] - 1),
                      full = s->w.stride[i] * (x->dims[2 + i] - 1) + 1 + reach + extra[i];
        int64_t begin = s->w.begin[i], end = s->w.end[i];
        if (shape.given || same) {
            const int64_t total = full - (shape.given ? shape.v[i] : x->dims[2 + i] * s->w.stride[i]);
            const bool upper = !strcmp(oct_import_string(im, "auto_pad", "NOTSET"), "SAME_UPPER");
            if (total < -MAX_WINDOW || total > full - 1)
                return oct_fail(OCT_ERR_UNSUPPORTED, "an output of %lld where %lld elements are made", (long long)(full - total),
                                (long long)full);
            const int64_t half = (total - (total < 0)) / 2;   /* rounded down: what is missing is added at the end */
            begin = upper ? half : total - half;
            end = total - begin;
        }
        s->before[i] = reach - begin;
        s->after[i] = reach - end + extra[i];
    }
    return OCT_OK;
}

/* x N x H x W x C with stride - 1 zeros behind each element of both axes but the last, and the border. */
static oct_status spread_elements(oct_import *im, const spread *s, int x, int *y)
{
    const oct_shape in = oct_import_shape(im, x);
    const int64_t *stride = s->w.stride, rows = s->w.axes == 2 ? stride[0] : 1, columns = stride[s->w.axes - 1];
    const oct_shape apart = {6, {in.dims[0], in.dims[1], 1, in.dims[2], 1, in.dims[3]}};
    const oct_shape together = {4, {in.dims[0], in.dims[1] * rows, in.dims[2] * columns, in.dims[3]}};
    oct_attrs zeros = {.pad = {.mode = OCT_PAD_CONSTANT}}, border = {.pad = {.mode = OCT_PAD_CONSTANT}};
    zeros.pad.after[2] = (int32_t)rows - 1;
    zeros.pad.after[4] = (int32_t)columns - 1;
    *y = x;
    if (rows > 1 || columns > 1) {
        OCT_TRY(oct_import_reshape(im, ".apart", &apart, x, y));
        OCT_TRY(oct_import_emit(im, OCT_OP_PAD, ".zeros", &zeros, y, 1, y));
        OCT_TRY(oct_import_reshape(im, ".spread", &together, *y, y));
    }
    for (int i = 0; i < s->w.axes; i++) {
        const int axis = 3 - s->w.axes + i;
        border.pad.before[axis] = (int32_t)s->before[i];
        border.pad.after[axis] = (int32_t)(s->after[i] - (s->w.stride[i] - 1));   /* there are zeros behind the last, too */
    }
    return oct_import_emit(im, OCT_OP_PAD, ".border", &border, y, 1, y);
}

/* Weights C x O/groups x kH x kW -> O x kH x kW x C/groups, each kernel turned round. */
static oct_status turn_weights(oct_import *im, int w, int64_t groups, int *out)
{
    const oct_shape from = oct_import_shape(im, w);
    const bool planar = from.rank == 4;
    const int64_t inputs = from.dims[0] / groups, outputs = from.dims[1], kh = planar ? from.dims[2] : 1,
                  kw = from.dims[from.rank - 1];
    const oct_shape to = {4, {outputs * groups, kh, kw, inputs}};
    const size_t count = (size_t)oct_shape_elements(&from);
    const float *old;
    OCT_TRY(oct_import_floats_in(im, 1, &old));
    OCT_TRY(oct_import_spend(im, count * sizeof *old));
    float *turned = oct_alloc(count, sizeof *turned);
    if (!turned)
        return oct_fail_memory(count * sizeof *turned);
    for (int64_t c = 0; c < from.dims[0]; c++)
        for (int64_t o = 0; o < outputs; o++)
            for (int64_t k = 0; k < kh * kw; k++)
                turned[((c / inputs * outputs + o) * kh * kw + kh * kw - 1 - k) * inputs + c % inputs] =
                    old[(c * outputs + o) * kh * kw + k];
    const oct_status status = oct_import_constant(im, ".weight", OCT_F32, &to, turned, out);
    oct_free(turned);
    return status;
}

static oct_status lower_conv_transpose(oct_import *im)
{
    const oct_shape x = oct_import_shape(im, im->in[0]), w = oct_import_shape(im, im->in[1]);
    const int64_t groups = oct_import_int(im, "group", 1);
    spread s;
    int in[3] = {OCT_NONE, OCT_NONE, oct_import_has(im, 2) ? im->in[2] : OCT_NONE}, y;
    if (x.rank < 3 || x.rank > 4 || w.rank != x.rank)
        return oct_fail(OCT_ERR_UNSUPPORTED, "an input of rank %d and weights of rank %d; supported are one and two spatial axes",
                        x.rank, w.rank);
    if (groups < 1 || w.dims[0] != x.dims[1] || w.dims[0] % groups != 0 || oct_shape_elements(&w) == 0 ||
        oct_shape_elements(&x) == 0)
        return oct_fail(OCT_ERR_FORMAT, "%lld input channels and weights for %lld do not fit with %lld groups",
                        (long long)x.dims[1], (long long)w.dims[0], (long long)groups);
    OCT_TRY(read_spread(im, &x, w.dims + 2, &s));
    oct_attrs attrs = {.conv = {.groups = (int32_t)groups, .kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}}};
    for (int i = 0; i < s.w.axes; i++) {
        attrs.conv.kernel[2 - s.w.axes + i] = (int32_t)s.w.kernel[i];
        attrs.conv.dilation[2 - s.w.axes + i] = (int32_t)s.w.dilation[i];
    }
    OCT_TRY(make_planar(im, ".planar", im->in[0], &y));
    OCT_TRY(oct_import_transpose(im, ".nhwc", to_nhwc, y, &y));
    OCT_TRY(spread_elements(im, &s, y, &in[OCT_IN_X]));
    OCT_TRY(turn_weights(im, im->in[1], groups, &in[OCT_IN_W]));
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

/* ------------------------------------------------------------------------------------- Resize, Upsample ---- */

/* Row variants: what came before opset 11. Places were those of "asymmetric", and nearest meant a place rounded towards the
 * picture's beginning where it grows, away from it where it shrinks (so ONNX Runtime computes it; the text left it open). */
enum { RESIZE_FULL, RESIZE_OLD, RESIZE_OLD_ATTRIBUTE };

/* What becomes of every axis. */
typedef struct resizing {
    int rank;
    int64_t in[OCT_MAX_RANK], size[OCT_MAX_RANK];
    float scale[OCT_MAX_RANK];   /* as oct_resize_attrs: 0 if it is size / in */
} resizing;

/* "a, b, c" */
static void list_names(const char *const *names, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (int i = 0; names[i] && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", names[i]);
}

/* The number of a name in a list ended by NULL; ONNX has them all in strings. */
static oct_status pick_name(const oct_import *im, const char *attribute, const char *missing, const char *const *names,
                            int32_t *number)
{
    const char *name = oct_import_string(im, attribute, missing);
    for (*number = 0; names[*number]; ++*number)
        if (!strcmp(names[*number], name))
            return OCT_OK;
    char known[192];
    list_names(names, known, sizeof known);
    return oct_fail(OCT_ERR_UNSUPPORTED, "%s \"%s\"; supported are %s", attribute, name, known);
}

/* floor(in * scale), in float as other programs compute it: 3 * 2.3333333 is 7. A scale that leads to a whole number is taken for
 * the exact quotient that was rounded to it, or place 2 of a third would lie at 2.9999998 instead of 3. */
static oct_status set_scale(resizing *r, int axis, float scale)
{
    const float length = (float)r->in[axis] * scale;
    if (!(scale > 0 && length >= 1 && length < (float)INT32_MAX))
        return oct_fail(OCT_ERR_UNSUPPORTED, "%lld elements of axis %d cannot be scaled by %g", (long long)r->in[axis], axis,
                        (double)scale);
    r->size[axis] = (int64_t)length;
    r->scale[axis] = (float)r->size[axis] == length ? 0 : scale;
    return OCT_OK;
}

/* The axes that scales and sizes speak of; all, unless opset 18's attribute lists them. */
static oct_status read_axes(const oct_import *im, int rank, oct_import_list *axes)
{
    uint32_t seen = 0;
    OCT_TRY(oct_import_list_attr(im, "axes", axes));
    for (int i = 0; !axes->given && i < rank; i++)
        axes->v[axes->count++] = i;
    for (int i = 0; i < axes->count; i++) {
        axes->v[i] += axes->v[i] < 0 ? rank : 0;
        if (axes->v[i] < 0 || axes->v[i] >= rank || (seen >> axes->v[i] & 1))
            return oct_fail(OCT_ERR_FORMAT, "attribute axes: entry %d lies outside rank %d or names an axis twice", i, rank);
        seen |= 1u << axes->v[i];
    }
    return OCT_OK;
}

static oct_status wrong_count(const char *what, int64_t count, const oct_import_list *axes)
{
    return oct_fail(OCT_ERR_FORMAT, "%lld %s for %d axes", (long long)count, what, axes->count);
}

static oct_status apply_scales(const oct_import *im, int input, const oct_import_list *axes, resizing *r)
{
    const float *scales;
    const oct_shape shape = oct_import_shape(im, im->in[input]);
    const int64_t count = oct_shape_elements(&shape);
    OCT_TRY(oct_import_floats_in(im, input, &scales));
    if (count != axes->count)
        return wrong_count("scales", count, axes);
    for (int i = 0; i < axes->count; i++)
        OCT_TRY(set_scale(r, (int)axes->v[i], scales[i]));
    return OCT_OK;
}

/* Upsample 7: floats in an attribute. */
static oct_status apply_scales_attr(const oct_import *im, const oct_import_list *axes, resizing *r)
{
    const oct_onnx_attr *attr = oct_import_attr(im, "scales");
    if (!attr)
        return oct_fail(OCT_ERR_FORMAT, "attribute scales is missing");
    int64_t count;
    OCT_TRY(oct_pb_list_count(im->file, attr->body, 7, OCT_PB_FIXED32, &count));   /* AttributeProto.floats */
    if (count != axes->count)
        return wrong_count("scales", count, axes);
    oct_pb_list list = oct_pb_list_open(im->file, attr->body, 7, OCT_PB_FIXED32);
    for (int i = 0; i < axes->count; i++) {
        uint64_t bits;
        bool more;
        OCT_TRY(oct_pb_list_next(&list, &bits, &more));
        OCT_TRY(set_scale(r, (int)axes->v[i], oct_pb_float_of(bits)));
    }
    return OCT_OK;
}

/* The sizes are limits: the picture keeps its proportions and just fits into them, or just covers them (opset 18). */
static oct_status keep_aspect(const oct_import_list *axes, bool cover, resizing *r)
{
    double scale = 0;
    for (int i = 0; i < axes->count; i++) {
        const double wish = (double)r->size[axes->v[i]] / (double)r->in[axes->v[i]];
        scale = i == 0 || (cover ? wish > scale : wish < scale) ? wish : scale;
    }
    for (int i = 0; i < axes->count; i++) {
        const int64_t axis = axes->v[i];
        const double length = (double)r->in[axis] * scale;
        if (!(length >= 0.5 && length < INT32_MAX))
            return oct_fail(OCT_ERR_UNSUPPORTED, "%lld elements of axis %lld cannot be scaled by %g", (long long)r->in[axis],
                            (long long)axis, scale);
        r->size[axis] = (int64_t)(length + 0.5);
        r->scale[axis] = fabs(length - (double)r->size[axis]) < 1e-6 ? 0 : (float)scale;
    }
    return OCT_OK;
}

static oct_status apply_sizes(const oct_import *im, const oct_import_list *axes, resizing *r)
{
    static const char *const policies[] = {"stretch", "not_larger", "not_smaller", NULL};
    oct_import_list sizes;
    int32_t policy;
    OCT_TRY(pick_name(im, "keep_aspect_ratio_policy", "stretch", policies, &policy));
    OCT_TRY(oct_import_list_in(im, 3, &sizes));
    if (sizes.count != axes->count)
        return wrong_count("sizes", sizes.count, axes);
    for (int i = 0; i < axes->count; i++) {
        if (sizes.v[i] < 1 || sizes.v[i] > INT32_MAX)
            return oct_fail(OCT_ERR_UNSUPPORTED, "a size of %lld", (long long)sizes.v[i]);
        r->size[axes->v[i]] = sizes.v[i];
    }
    return policy == 0 ? OCT_OK : keep_aspect(axes, policy == 2, r);
}

/* Exporters write an empty tensor where scales or sizes are left out. */
static bool has_elements(const oct_import *im, int i)
{
    const oct_shape shape = oct_import_has(im, i) ? oct_import_shape(im, im->in[i]) : (oct_shape){1, {0}};
    return oct_shape_elements(&shape) != 0;
}

static oct_status read_resizing(const oct_import *im, resizing *r)
{
    oct_import_list axes;
    const int scales = im->row->variant == RESIZE_FULL ? 2 : 1;
    OCT_TRY(read_axes(im, r->rank, &axes));
    if (im->row->variant == RESIZE_OLD_ATTRIBUTE)
        return apply_scales_attr(im, &axes, r);
    const bool by_scale = has_elements(im, scales), by_size = im->row->variant == RESIZE_FULL && has_elements(im, 3);
    if (by_scale == by_size)
        return oct_fail(OCT_ERR_FORMAT, "it needs either scales or sizes, not %s", by_scale ? "both" : "neither");
    return by_scale ? apply_scales(im, scales, &axes, r) : apply_sizes(im, &axes, r);
}

/* mode, place and rounding. */
static oct_status read_interpolation(const oct_import *im, const resizing *r, oct_resize_attrs *attrs)
{
    /* in the order of oct_resize_mode, oct_resize_place and oct_resize_round */
    static const char *const modes[] = {"nearest", "linear", NULL};
    static const char *const places[] = {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric",
                                         "tf_half_pixel_for_nn", NULL};
    static const char *const rounds[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil", NULL};
    bool outside, antialias, grows = false, shrinks = false;
    OCT_TRY(pick_name(im, "mode", "nearest", modes, &attrs->mode));
    OCT_TRY(pick_name(im, "coordinate_transformation_mode", "half_pixel", places, &attrs->place));
    OCT_TRY(pick_name(im, "nearest_mode", "round_prefer_floor", rounds, &attrs->round));
    OCT_TRY(oct_import_flag(im, "exclude_outside", false, &outside));
    OCT_TRY(oct_import_flag(im, "antialias", false, &antialias));
    if (outside || antialias)
        return oct_fail(OCT_ERR_UNSUPPORTED, "%s 1 is not supported; 0 is", outside ? "exclude_outside" : "antialias");
    if (im->row->variant == RESIZE_FULL)
        return OCT_OK;
    for (int i = 0; i < r->rank; i++) {
        grows |= r->size[i] > r->in[i] || r->scale[i] > 1;
        shrinks |= r->size[i] < r->in[i];
    }
    if (grows && shrinks && attrs->mode == OCT_RESIZE_NEAREST)
        return oct_fail(OCT_ERR_UNSUPPORTED, "one axis grows, another shrinks: before opset 11 these are rounded differently");
    attrs->place = OCT_PLACE_ASYMMETRIC;
    attrs->round = shrinks ? OCT_ROUND_CEIL : OCT_ROUND_FLOOR;
    return OCT_OK;
}

/* N x C x H x W or N x C x L, of which only the spatial axes may change. */
static oct_status check_resizing(const resizing *r, const oct_shape *x)
{
    char text[OCT_SHAPE_TEXT];
    oct_shape_text(x, text, sizeof text);
    if (r->rank != 3 && r->rank != 4)
        return oct_fail(OCT_ERR_UNSUPPORTED, "an input of %s; supported are N x C x H x W and N x C x L", text);
    for (int i = 0; i < 2; i++)
        if (r->size[i] != r->in[i] || r->scale[i] != 0)
            return oct_fail(OCT_ERR_UNSUPPORTED, "axis %d of %s is resized; only the axes after the channels may be", i, text);
    return OCT_OK;
}

static oct_status lower_resize(oct_import *im)
{
    const oct_shape x = oct_import_shape(im, im->in[0]);
    resizing r = {.rank = x.rank};
    oct_attrs attrs = {0};
    int y;
    for (int i = 0; i < x.rank; i++)
        r.in[i] = r.size[i] = x.dims[i];
    OCT_TRY(read_resizing(im, &r));
    OCT_TRY(read_interpolation(im, &r, &attrs.resize));
    OCT_TRY(check_resizing(&r, &x));
    attrs.resize.size[0] = 1;   /* the height that a line is given */
    for (int i = 2; i < r.rank; i++) {
        attrs.resize.size[i - r.rank + 2] = (int32_t)r.size[i];
        attrs.resize.scale[i - r.rank + 2] = r.scale[i];
    }
    OCT_TRY(make_planar(im, ".planar", im->in[0], &y));
    OCT_TRY(oct_import_transpose(im, ".nhwc", to_nhwc, y, &y));
    OCT_TRY(oct_import_emit(im, OCT_OP_RESIZE, "", &attrs, &y, 1, &y));
    OCT_TRY(oct_import_transpose(im, ".nchw", to_nchw, y, &y));
    OCT_TRY(make_linear(im, ".linear", x.rank, y, &y));
    oct_import_set_output(im, 0, y);
    return OCT_OK;
}

#define WINDOW "auto_pad:s kernel_shape:I pads:I strides:I"
#define INTERPOLATION                                                                                                              \
    "coordinate_transformation_mode:s cubic_coeff_a:f exclude_outside:i extrapolation_value:f mode:s nearest_mode:s"

static const oct_import_row rows[] = {
    /* operator, since; inputs min, max; outputs; constants, preferred (bits); attributes; handler, variant, flags */
    /* Unchanged from opset 1 to 21 but for the types it allows. */
    {"Conv", 1, 2, 3, 1, 6, 0, WINDOW " dilations:I group:i", lower_conv, 0, 0},
    /* Opset 8 added the output Indices, 10 dilations and ceil_mode. */
    {"ConvTranspose", 1, 2, 3, 1, 6, 0, WINDOW " dilations:I group:i output_padding:I output_shape:I", lower_conv_transpose, 0, 0},
    {"MaxPool", 1, 1, 1, 2, 0, 0, WINDOW " storage_order:i", lower_pool, OCT_OP_MAX_POOL, OCT_ROW_BYTES},
    {"MaxPool", 10, 1, 1, 2, 0, 0, WINDOW " dilations:I ceil_mode:i storage_order:i", lower_pool, OCT_OP_MAX_POOL, OCT_ROW_BYTES},
    /* Opset 7 added count_include_pad, 10 ceil_mode, 19 dilations. */
    {"AveragePool", 7, 1, 1, 1, 0, 0, WINDOW " count_include_pad:i", lower_pool, OCT_OP_AVERAGE_POOL, 0},
    {"AveragePool", 10, 1, 1, 1, 0, 0, WINDOW " count_include_pad:i ceil_mode:i", lower_pool, OCT_OP_AVERAGE_POOL, 0},
    {"AveragePool", 19, 1, 1, 1, 0, 0, WINDOW " count_include_pad:i ceil_mode:i dilations:I", lower_pool, OCT_OP_AVERAGE_POOL, 0},
    {"GlobalAveragePool", 1, 1, 1, 1, 0, 0, "", lower_global_pool, OCT_REDUCE_MEAN, 0},
    {"GlobalMaxPool", 1, 1, 1, 1, 0, 0, "", lower_global_pool, OCT_REDUCE_MAX, 0},
    /* Opset 9 made scales an input; Resize replaces Upsample from 10 on. */
    {"Upsample", 7, 1, 1, 1, 0, 0, "mode:s scales:F", lower_resize, RESIZE_OLD_ATTRIBUTE, 0},
    {"Upsample", 9, 2, 2, 1, 2, 0, "mode:s", lower_resize, RESIZE_OLD, 0},
    /* Opset 11 added sizes and the attributes, 13 let roi and scales be left out (which files of opset 11 do as well), 18 added the
     * last three attributes, 19 half_pixel_symmetric. roi is never looked at. */
    {"Resize", 10, 2, 2, 1, 2, 0, "mode:s", lower_resize, RESIZE_OLD, 0},
    {"Resize", 11, 1, 4, 1, 12, 2, INTERPOLATION, lower_resize, RESIZE_FULL, 0},
    {"Resize", 18, 1, 4, 1, 12, 2, INTERPOLATION " antialias:i axes:I keep_aspect_ratio_policy:s", lower_resize, RESIZE_FULL, 0},
};

const oct_import_table oct_import_spatial_ops = {rows, (int)(sizeof rows / sizeof rows[0])};

/* Resizing from end to end: ONNX's definitions in exact fractions against what an imported model computes, what is refused, what
 * the optimiser makes of it, and u8 against f32. The kernels have their own tests (check_resize.c), the runtime is judged by
 * graph_oracle.c. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convert_tools.h"
#include "harness.h"
#include "import_check.h"

static int below(int limit) { return (int)test_below((uint32_t)limit); }

/* ------------------------------------------------------------------------------------------- definition ---- */

/* One axis: in places become out; the scale is p / q. */
typedef struct axis {
    int64_t in, out, p, q;
} axis;

static const char *const places[] = {"half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric",
                                     "tf_half_pixel_for_nn"};
static const char *const rounds[] = {"round_prefer_floor", "round_prefer_ceil", "floor", "ceil"};

/* Where place o lies, as the fraction n / *d. The attributes' names are ONNX's. */
static int64_t place_of(const axis *a, const char *place, int64_t o, int64_t *d)
{
    const int64_t half = (2 * o + 1) * a->q - a->p;
    *d = 2 * a->p;
    if (!strcmp(place, "asymmetric"))
        return 2 * o * a->q;
    if (!strcmp(place, "tf_half_pixel_for_nn"))
        return (2 * o + 1) * a->q;
    if (!strcmp(place, "half_pixel_symmetric"))   /* moved by in / 2 * (1 - out / (in * p / q)) */
        return half + a->in * a->p - a->out * a->q;
    if (!strcmp(place, "align_corners")) {
        *d = a->in * a->p - a->q;
        if (*d == 0 || o == 0)
            *d = 1;
        return o * (a->in - 1) * a->q;
    }
    return !strcmp(place, "pytorch_half_pixel") && a->out == 1 ? 0 : half;
}

static int64_t floor_of(int64_t n, int64_t d) { return n >= 0 ? n / d : -((-n + d - 1) / d); }

static int64_t clip(int64_t x, int64_t in) { return x < 0 ? 0 : x >= in ? in - 1 : x; }

/* The two places and the weight of the second. */
static double between(const axis *a, const char *place, const char *round, int64_t o, int64_t *first, int64_t *second)
{
    int64_t d, n = place_of(a, place, o, &d);
    const int64_t whole = floor_of(n, d), rest = n - whole * d;
    if (round) {
        const bool up = !strcmp(round, "ceil") ? rest > 0
                        : !strcmp(round, "floor") ? false : !strcmp(round, "round_prefer_ceil") ? 2 * rest >= d : 2 * rest > d;
        *first = *second = clip(whole + up, a->in);
        return 0;
    }
    *first = clip(whole, a->in);
    *second = clip(whole + 1, a->in);
    return *first == *second ? 0 : (double)rest / (double)d;
}

/* ---------------------------------------------------------------------------------------------- models ---- */

/* A random Resize or Upsample of N x C x H x W (H = 1 and not there in N x C x L). */
typedef struct resize_case {
    int opset, batch, channels;
    bool line, by_size, nearest;
    axis axes[2];
    const char *place, *round, *op;
} resize_case;

/* Scales that floats hold exactly, so that fractions say the same; those below and above 1 are not mixed (opset 10 forbids it). */
static void random_axis(axis *a, bool by_size, bool grow)
{
    static const int quarters[2][4] = {{8, 12, 6, 9}, {2, 3, 1, 4}};
    do {
        a->in = 1 + below(8);
        a->q = by_size ? a->in : 4;
        a->p = by_size ? 1 + below(20) : quarters[!grow][below(4)];
        a->out = a->in * a->p / a->q;
    } while (a->out < 1);
}

static resize_case random_case(void)
{
    static const int opsets[] = {7, 9, 10, 11, 13, 18, 19};
    resize_case c = {.opset = opsets[below(TEST_COUNT(opsets))],
                     .batch = 1 + below(2),
                     .channels = 1 + below(20),
                     .line = below(4) == 0,
                     .nearest = below(2)};
    const bool old = c.opset <= 10, grow = below(2) || c.opset < 10;
    c.op = c.opset < 10 ? "Upsample" : "Resize";
    c.by_size = !old && below(2);
    c.place = places[old ? 1 : below(c.opset >= 19 ? 6 : 4)];
    c.round = rounds[old ? grow ? 2 : 3 : below(4)];
    for (int i = 0; i < 2; i++)
        random_axis(&c.axes[i], c.by_size, grow);
    if (c.line)
        c.axes[0] = (axis){1, 1, 1, 1};
    return c;
}

/* Numbers for the axes: all of them, or with opset 18 perhaps only those that change. */
static void put_factors(onnx_builder *b, const resize_case *c, bool listed, char *attributes, size_t room)
{
    char text[128], dims[8];
    float scales[4] = {1, 1};
    const int skip = listed ? 2 : 0, from = c->line ? 1 : 0, count = 4 - from - skip;
    for (int i = from; i < 2; i++)
        scales[2 + i - from] = (float)c->axes[i].p / (float)c->axes[i].q;
    if (c->opset == 7)
        snprintf(text, sizeof text, c->line ? " scales=[%.2f,%.2f,%.2f]" : " scales=[%.2f,%.2f,%.2f,%.2f]", (double)scales[0],
                 (double)scales[1], (double)scales[2], (double)scales[3]);
    else if (listed)
        snprintf(text, sizeof text, c->line ? " axes=[-1]" : " axes=[-2,-1]");
    else
        text[0] = '\0';
    snprintf(attributes + strlen(attributes), room - strlen(attributes), "%s", text);
    snprintf(dims, sizeof dims, "%d", count);
    if (c->opset > 7 && !c->by_size)
        onnx_floats(b, "scales", dims, scales + skip);
    if (!c->by_size)
        return;
    snprintf(text, sizeof text, c->line ? "%d,%d,%d" : "%d,%d,%d,%d", c->batch, c->channels, (int)c->axes[from].out,
             (int)c->axes[1].out);
    const char *from_skip = text;
    for (int i = 0; i < skip; i++)
        from_skip = strchr(from_skip, ',') + 1;
    onnx_ints(b, "sizes", from_skip);
}

static onnx_bytes resize_model(const resize_case *c, char *attributes, size_t room)
{
    onnx_builder b;
    char dims[64];
    onnx_begin(&b, c->opset);
    snprintf(dims, sizeof dims, c->line ? "%d,%d,%d" : "%d,%d,%d,%d", c->batch, c->channels, (int)c->axes[c->line].in,
             (int)c->axes[1].in);
    onnx_input(&b, "x", dims);
    snprintf(attributes, room, "mode=%s", c->nearest ? "nearest" : "linear");
    if (c->opset > 10)
        snprintf(attributes + strlen(attributes), room - strlen(attributes), " coordinate_transformation_mode=%s nearest_mode=%s",
                 c->place, c->round);
    put_factors(&b, c, c->opset >= 18 && below(2), attributes, room);
    if (c->opset == 11)
        onnx_floats(&b, "nothing", "0", NULL);
    const char *inputs = c->opset == 7    ? "x"
                         : c->opset <= 10 ? "x scales"
                         : c->opset == 11 ? (c->by_size ? "x nothing nothing sizes" : "x nothing scales")
                         : c->by_size     ? "x - - sizes"
                                          : "x - scales";
    onnx_node(&b, c->op, inputs, "y", attributes);
    onnx_output(&b, "y");
    return onnx_end(&b);
}

/* ------------------------------------------------------------------------------------------- by definition ---- */

static double defined(const resize_case *c, const float *x, int64_t plane, int64_t oy, int64_t ox)
{
    int64_t y[2], z[2];
    double sum = 0;
    const double wy = between(&c->axes[0], c->place, c->nearest ? c->round : NULL, oy, &y[0], &y[1]);
    const double wx = between(&c->axes[1], c->place, c->nearest ? c->round : NULL, ox, &z[0], &z[1]);
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            sum += (i ? wy : 1 - wy) * (j ? wx : 1 - wx) * (double)x[(plane * c->axes[0].in + y[i]) * c->axes[1].in + z[j]];
    return sum;
}

static void compare(const resize_case *c, const char *attributes, const float *x, const float *y, size_t elements)
{
    const int64_t planes = c->batch * c->channels, h = c->axes[0].out, w = c->axes[1].out;
    CHECK_MSG((int64_t)elements == planes * h * w, "opset %d %s %s: %zu elements instead of %lld x %lld x %lld", c->opset, c->op,
              attributes, elements, (long long)planes, (long long)h, (long long)w);
    for (int64_t i = 0; i < planes * h * w; i++) {
        const double want = defined(c, x, i / (h * w), i / w % h, i % w);
        CHECK_MSG(fabs((double)y[i] - want) <= 1e-5,
                  "opset %d %s %s, %lld x %lld (%lld/%lld, %lld/%lld): element %lld is %g instead of %g", c->opset, c->op,
                  attributes, (long long)c->axes[0].in, (long long)c->axes[1].in, (long long)c->axes[0].p, (long long)c->axes[0].q,
                  (long long)c->axes[1].p, (long long)c->axes[1].q, (long long)i, (double)y[i], want);
    }
}

/* As imported and optimised. */
static void every_mode_by_definition(void)
{
    for (int round = 0; round < 400 && !test_failed(); round++) {
        const resize_case c = random_case();
        char attributes[256];
        size_t elements;
        onnx_bytes model = resize_model(&c, attributes, sizeof attributes);
        oct_graph *graph = NULL;
        const oct_status status = import_bytes(&model, NULL, &graph);
        CHECK_MSG(status == OCT_OK, "opset %d %s %s: %s", c.opset, c.op, attributes, oct_error());
        float **inputs = net_random_inputs(graph, -1, 1);
        for (int way = 0; way < 2 && !test_failed(); way++) {
            float *y = net_run(graph, inputs, &elements);
            if (y)
                compare(&c, attributes, inputs[0], y, elements);
            free(y);
            CHECK_OK(oct_optimize(graph, NULL));
        }
        net_free_inputs(graph, inputs);
        oct_graph_free(graph);
    }
}

/* Opset 18: the sizes as limits. 10 x 20 to fit into 15 x 15 is 7.5, so 8, x 15; to cover it 15 x 30. */
static void proportions_can_be_kept(void)
{
    static const struct { const char *sizes, *policy, *shape; } list[] = {
        {"1,1,15,15", "stretch", "1x1x15x15"}, {"15,15", "not_larger", "1x1x8x15"}, {"15,15", "not_smaller", "1x1x15x30"}};
    for (int i = 0; i < TEST_COUNT(list); i++) {
        char inputs[64], attributes[96];
        snprintf(inputs, sizeof inputs, "x:1,1,10,20 - - s#%s", list[i].sizes);
        snprintf(attributes, sizeof attributes, "keep_aspect_ratio_policy=%s%s", list[i].policy, i ? " axes=[2,3]" : "");
        onnx_bytes model = one_node_model(&(one_node){18, "Resize", inputs, "y", attributes});
        oct_graph *graph = NULL;
        CHECK_OK(import_bytes(&model, NULL, &graph));
        CHECK_MSG(!strcmp(output_shape(graph, 0), list[i].shape), "%s: %s", list[i].policy, output_shape(graph, 0));
        CHECK(!strcmp(graph_ops(graph), "transpose resize transpose"));
        oct_graph_free(graph);
    }
}

/* -------------------------------------------------------------------------------------------- refusals ---- */

static void what_is_not_supported(void)
{
    static const struct { one_node node; oct_status status; const char *sentence; } list[] = {
        {{13, "Resize", "x:1,2,3,3 - - s#1,2,6,6", "y", "mode=cubic"}, OCT_ERR_UNSUPPORTED,
         "mode \"cubic\"; supported are nearest, linear"},
        {{13, "Resize", "x:1,2,3,3 r=8 - s#1,2,6,6", "y", "coordinate_transformation_mode=tf_crop_and_resize"}, OCT_ERR_UNSUPPORTED,
         "coordinate_transformation_mode \"tf_crop_and_resize\"; supported are half_pixel, asymmetric, align_corners"},
        {{13, "Resize", "x:1,2,3,3 - - s#1,2,6,6", "y", "nearest_mode=up"}, OCT_ERR_UNSUPPORTED,
         "nearest_mode \"up\"; supported are round_prefer_floor"},
        {{13, "Resize", "x:1,2,3,3 - - s#1,2,6,6", "y", "mode=linear exclude_outside=1"}, OCT_ERR_UNSUPPORTED, "exclude_outside 1"},
        {{18, "Resize", "x:1,2,3,3 - - s#1,2,6,6", "y", "mode=linear antialias=1"}, OCT_ERR_UNSUPPORTED, "antialias 1"},
        {{18, "Resize", "x:1,2,3,3 - - s#6,6", "y", "axes=[2,3] keep_aspect_ratio_policy=crop"}, OCT_ERR_UNSUPPORTED,
         "not_larger, not_smaller"},
        {{13, "Resize", "x:1,2,3,3 - - s#1,4,3,3", "y", ""}, OCT_ERR_UNSUPPORTED, "axis 1 of 1x2x3x3 is resized"},
        {{13, "Resize", "x:1,2,3,3,3 - - s#1,2,3,3,6", "y", ""}, OCT_ERR_UNSUPPORTED, "an input of 1x2x3x3x3"},
        {{13, "Resize", "x:2,3 - - s#2,6", "y", ""}, OCT_ERR_UNSUPPORTED, "an input of 2x3"},
        {{13, "Resize", "x:1,2,3,3 - s:4", "y", ""}, OCT_ERR_UNSUPPORTED, "must be a constant"},
        {{13, "Resize", "x:1,2,3,3 - - s#1,2,0,6", "y", ""}, OCT_ERR_UNSUPPORTED, "a size of 0"},
        {{18, "Resize", "x:1,2,1,1000 - - s#2000000000,1", "y", "axes=[2,3] keep_aspect_ratio_policy=not_smaller"},
         OCT_ERR_UNSUPPORTED, "cannot be scaled by 2e+09"},
        {{13, "Resize", "x:1,2,3,3 - - s#1,2,6", "y", ""}, OCT_ERR_FORMAT, "3 sizes for 4 axes"},
        {{13, "Resize", "x:1,2,3,3 - s=3", "y", ""}, OCT_ERR_FORMAT, "3 scales for 4 axes"},
        {{13, "Resize", "x:1,2,3,3", "y", ""}, OCT_ERR_FORMAT, "either scales or sizes, not neither"},
        {{13, "Resize", "x:1,2,3,3 - f=4 s#1,2,6,6", "y", ""}, OCT_ERR_FORMAT, "either scales or sizes, not both"},
        {{18, "Resize", "x:1,2,3,3 - - s#6,6", "y", "axes=[3,-1]"}, OCT_ERR_FORMAT, "names an axis twice"},
        {{7, "Upsample", "x:1,2,3,3", "y", "mode=nearest"}, OCT_ERR_FORMAT, "scales is missing"},
        {{7, "Upsample", "x:1,2,3,3", "y", "scales=[1.0,1.0,2.0]"}, OCT_ERR_FORMAT, "3 scales for 4 axes"},
        {{7, "Upsample", "x:1,2,3,3", "y", "scales=[1.0,1.0,0.0,2.0]"}, OCT_ERR_UNSUPPORTED, "cannot be scaled by 0"},
    };
    for (int i = 0; i < TEST_COUNT(list); i++) {
        onnx_bytes model = one_node_model(&list[i].node);
        oct_graph *graph = NULL;
        const oct_status status = import_bytes(&model, NULL, &graph);
        CHECK_MSG(status == list[i].status && strstr(oct_error(), list[i].sentence), "row %d: %d, \"%s\"", i, (int)status,
                  oct_error());
    }
}

/* Opset 10 rounds a growing axis down and a shrinking one up; one node has one rounding. */
static void mixed_scales_before_opset_11(void)
{
    onnx_builder b;
    oct_graph *graph = NULL;
    onnx_begin(&b, 10);
    onnx_input(&b, "x", "1,1,4,4");
    onnx_floats(&b, "s", "4", (float[]){1, 1, 2, 0.5f});
    onnx_node(&b, "Resize", "x s", "y", "mode=nearest");
    onnx_output(&b, "y");
    onnx_bytes model = onnx_end(&b);
    CHECK(import_bytes(&model, NULL, &graph) == OCT_ERR_UNSUPPORTED && strstr(oct_error(), "rounded differently"));
}

/* ------------------------------------------------------------------------------------ graph and optimiser ---- */

static int add_resize(oct_graph *g, int x, oct_resize_attrs a)
{
    return net_node(g, OCT_OP_RESIZE, &(oct_attrs){.resize = a}, &x, 1);
}

static void wrong_attributes(void)
{
    static const struct { oct_resize_attrs a; const char *sentence; } list[] = {
        {{.size = {0, 4}}, "size = 0 outside"}, {{.size = {4, 4}, .mode = OCT_RESIZE_MODES}, "mode = 2 outside"},
        {{.size = {4, 4}, .scale = {-1, 0}}, "a scale of -1"}, {{.size = {4, 4}, .scale = {0, INFINITY}}, "a scale of inf"},
        {{.size = {4, 4}, .scale = {0, NAN}}, "nan"}};
    for (int i = 0; i < TEST_COUNT(list); i++) {
        oct_graph *g = net_create();
        const oct_attrs attrs = {.resize = list[i].a};
        int y, x = net_input(g, 1, 2, 2, 3);
        CHECK_MSG(oct_graph_add_node(g, OCT_OP_RESIZE, "r", &attrs, &x, 1, &y) == OCT_ERR_ARGUMENT &&
                      strstr(oct_error(), list[i].sentence),
                  "row %d: %s", i, oct_error());
        oct_graph_free(g);
    }
}

/* conv, upsampling, addition, conv in a file's layout, as in a feature pyramid: the transposes between them go, and so does a
 * resize to the size that there is. The clamp behind a nearest one moves into the convolution before it. */
static void a_pyramid_is_optimised(void)
{
    for (int mode = 0; mode < 2; mode++) {
        oct_graph *g = net_create();
        const int x = net_input(g, 1, 3, 8, 8), fine = net_nchw_conv(g, x, 6, 3, 1, 1, 1);
        int y = net_transpose(g, net_nchw_conv(g, x, 6, 3, 2, 1, 1), "0231");
        y = add_resize(g, y,
                       (oct_resize_attrs){.mode = mode, .size = {8, 8}, .place = OCT_PLACE_ASYMMETRIC, .round = OCT_ROUND_FLOOR});
        y = add_resize(g, y, (oct_resize_attrs){.mode = mode, .size = {8, 8}, .scale = {1, 0}});
        y = net_relu(g, net_transpose(g, y, "0312"));
        net_output(g, net_nchw_conv(g, net_binary(g, OCT_BINARY_ADD, y, fine), 4, 1, 1, 0, 1));
        oct_graph *o = net_optimized(g, NULL);
        CHECK(net_count(o, OCT_OP_RESIZE) == 1 && net_count(o, OCT_OP_TRANSPOSE) == 2 && net_inner_transposes(o) == 0);
        CHECK(net_count(o, OCT_OP_UNARY) == (mode == OCT_RESIZE_NEAREST ? 0 : 1));
        oct_graph_free(o);
        oct_graph_free(g);
    }
}

/* The same size, but half a pixel beside it, or another scale: not nothing. */
static void near_identities_stay(void)
{
    static const oct_resize_attrs list[] = {{.mode = OCT_RESIZE_LINEAR, .size = {5, 6}, .place = OCT_PLACE_HALF_PIXEL_FOR_NN},
                                            {.mode = OCT_RESIZE_LINEAR, .size = {5, 6}, .scale = {1.1f, 0}},
                                            {.mode = OCT_RESIZE_LINEAR, .size = {5, 5}}};
    for (int i = 0; i < TEST_COUNT(list); i++) {
        oct_graph *g = net_create();
        net_output(g, net_relu(g, add_resize(g, net_unary(g, OCT_FN_ABS, 0, 0, net_input(g, 1, 5, 6, 2)), list[i])));
        oct_graph *o = net_optimized(g, NULL);
        CHECK_MSG(net_count(o, OCT_OP_RESIZE) == 1, "row %d", i);
        oct_graph_free(o);
        oct_graph_free(g);
    }
}

/* --------------------------------------------------------------------------------------------------- u8 ---- */

/* One picture in bytes, resized in bytes (output 0) and as floats (output 1). */
static oct_graph *both_precisions(oct_resize_attrs a, float scale, int zero_point)
{
    oct_graph *g = net_create();
    const int x = net_input(g, 2, 1 + below(7), 1 + below(9), 1 + below(70)), q = net_node(g, OCT_OP_QUANTIZE, NULL, &x, 1);
    g->values[q].scale = scale;
    g->values[q].zero_point = zero_point;
    const int u8 = add_resize(g, q, a), f32 = add_resize(g, net_node(g, OCT_OP_DEQUANTIZE, NULL, &q, 1), a);
    g->values[u8].scale = scale;
    g->values[u8].zero_point = zero_point;
    oct_graph_add_output(g, u8);
    oct_graph_add_output(g, f32);
    return g;
}

/* Both outputs on one instruction set; `first` has the bytes of the first one, or is filled. */
static void run_both(const oct_model *model, const char *isa, int threads, const float *x, uint8_t **first, float scale,
                     int zero_point)
{
    oct_session *session;
    oct_tensor_info in, out;
    CHECK_OK(oct_session_create(model, &(oct_options){.isa = isa, .threads = threads}, &session));
    CHECK_OK(oct_model_input(model, 0, &in));
    CHECK_OK(oct_model_output(model, 0, &out));
    CHECK_OK(oct_set_input(session, 0, x, in.bytes));
    CHECK_OK(oct_run(session));
    const uint8_t *bytes = oct_output_data(session, 0);
    const float *reals = oct_output_data(session, 1);
    for (size_t i = 0; i < out.elements; i++) {
        const double step = fabs((bytes[i] - zero_point) - (double)reals[i] / (double)scale);
        CHECK_MSG(step <= 0.54, "%s: element %zu is %d, f32 %g: %g steps apart", isa, i, bytes[i], (double)reals[i], step);
    }
    if (!*first) {
        *first = malloc(out.bytes);
        memcpy(*first, bytes, out.bytes);
    }
    CHECK_MSG(!memcmp(*first, bytes, out.bytes), "%s with %d threads differs", isa, threads);
    oct_session_free(session);
}

/* Half a step of rounding and what the weights' 14 bits leave: 4 * 255 * 2^-14 and no more. */
static void bytes_are_half_a_step_from_floats(void)
{
    for (int round = 0; round < 40 && !test_failed(); round++) {
        const oct_resize_attrs a = {.mode = below(2),
                                    .place = below(OCT_PLACE_COUNT),
                                    .round = below(OCT_ROUND_COUNT),
                                    .size = {1 + below(20), 1 + below(20)}};
        const float scale = 2.0f / 255.0f;
        const int zero_point = below(256);
        oct_graph *g = both_precisions(a, scale, zero_point);
        float **inputs = net_random_inputs(g, -1, 1);
        uint8_t *first = NULL;
        oct_model *model = NULL;
        CHECK_OK(oct_model_from_graph(g, &model));
        for (size_t i = 0; i < oct_isa_count() && !test_failed(); i++) {
            oct_isa_info isa;
            if (oct_isa(i, &isa) == OCT_OK && isa.available)
                for (int threads = 1; threads <= 3; threads += 2)
                    run_both(model, isa.name, threads, inputs[0], &first, scale, zero_point);
        }
        free(first);
        oct_model_free(model);
        net_free_inputs(g, inputs);
        oct_graph_free(g);
    }
}

/* An infinity beside a pixel that counts nothing leaves it alone. */
static void unread_neighbours(void)
{
    oct_graph *g = net_create();
    net_output(g, add_resize(g, net_input(g, 1, 2, 2, 9),
                             (oct_resize_attrs){.mode = OCT_RESIZE_LINEAR, .size = {2, 3}, .place = OCT_PLACE_ALIGN_CORNERS}));
    float **inputs = net_random_inputs(g, -1, 1);
    size_t elements;
    inputs[0][9] = INFINITY;   /* row 0, pixel 1, channel 0 */
    float *y = net_run(g, inputs, &elements);
    CHECK(y && elements == 54);
    CHECK(y[0] == inputs[0][0] && y[3 * 9] == inputs[0][2 * 9] && !isfinite(y[9]) && !isfinite(y[2 * 9]));
    free(y);
    net_free_inputs(g, inputs);
    oct_graph_free(g);
}

/* The quantiser: one scale through the resize, everything between the two convolutions in bytes. */
static void quantized_networks_stay_in_bytes(void)
{
    oct_graph *g = net_create(), *q = NULL;
    oct_calibration *c;
    int y = net_relu(g, net_conv(g, net_input(g, 1, 12, 12, 3), 16, 3, 2, 1, 1));
    y = add_resize(g, y, (oct_resize_attrs){.mode = OCT_RESIZE_LINEAR, .size = {12, 12}});
    net_output(g, net_conv(g, y, 8, 3, 1, 1, 1));
    CHECK_OK(oct_calibration_create(g, NULL, &c));
    float **inputs = net_random_inputs(g, -1, 1);
    CHECK_OK(oct_calibration_add(c, (const void *const *)inputs));
    CHECK_OK(oct_quantize(g, c, NULL, &q));
    const oct_node *resize = net_only(q, OCT_OP_RESIZE);
    CHECK(resize && net_count(q, OCT_OP_QUANTIZE) == 1 && net_count(q, OCT_OP_DEQUANTIZE) == 0);
    const oct_value *in = &q->values[resize->in[0]], *out = &q->values[resize->out[0]];
    CHECK(in->dtype == OCT_U8 && out->dtype == OCT_U8 && in->scale == out->scale && in->zero_point == out->zero_point);
    const double off = net_difference(g, q, inputs);
    CHECK_MSG(off < 0.1, "%g", off);
    net_free_inputs(g, inputs);
    oct_calibration_free(c);
    oct_graph_free(q);
    oct_graph_free(g);
}

static const test_case cases[] = {
    {"every_mode_by_definition", every_mode_by_definition},
    {"proportions_can_be_kept", proportions_can_be_kept},
    {"what_is_not_supported", what_is_not_supported},
    {"mixed_scales_before_opset_11", mixed_scales_before_opset_11},
    {"wrong_attributes", wrong_attributes},
    {"a_pyramid_is_optimised", a_pyramid_is_optimised},
    {"near_identities_stay", near_identities_stay},
    {"bytes_are_half_a_step_from_floats", bytes_are_half_a_step_from_floats},
    {"unread_neighbours", unread_neighbours},
    {"quantized_networks_stay_in_bytes", quantized_networks_stay_in_bytes},
};

static void __attribute__((constructor)) add_suite(void) { test_register("resize", cases, TEST_COUNT(cases)); }

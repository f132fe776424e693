/* octet_convert.h - from an ONNX file, or a network built by hand, to a (quantized) .oct model.
 *
 *     import or build -> optimize -> calibrate (runs the float graph, only observes) -> quantize (only decides and
 *     rewrites) -> save
 *
 * None of this is needed to run a model: octet.h alone does that. tools/cmd_import.c and tools/cmd_quantize.c are complete users.
 * Errors and ownership as in octet.h: what a call hands out through a pointer is the caller's, to be released with the call that is
 * named beside it; NULL may be released. A graph, a calibration and a comparison are used by one thread at a time each.
 */
#ifndef OCTET_CONVERT_H
#define OCTET_CONVERT_H

#include "octet.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A network under construction: values (tensors) and nodes (operators). Owns all it holds; release with oct_graph_free. */
typedef struct oct_graph oct_graph;

OCT_API void oct_graph_free(oct_graph *graph);

/* -------------------------------------------------------------------------------------- tensors in files ---- */

/* A tensor with its own memory; release with oct_host_tensor_free. */
typedef struct oct_host_tensor {
    char *name;        /* "" where the file has none */
    oct_dtype dtype;   /* f32, u8, s8, s32 or s64 */
    oct_shape shape;
    void *data;        /* elements in C order */
} oct_host_tensor;

/* Frees what the tensor holds and zeroes it; the struct itself is the caller's. */
OCT_API void oct_host_tensor_free(oct_host_tensor *tensor);

/* Reads an ONNX TensorProto file (.pb), as the ONNX test folders hold them. A type other than the five above (bool, double,
 * float16, string, ...) is UNSUPPORTED and named. Errors: ARGUMENT, MEMORY, IO, FORMAT, UNSUPPORTED. */
OCT_API oct_status oct_read_tensor_pb(const char *path, oct_host_tensor *tensor);

/* ----------------------------------------------------------------------------------------------- import ---- */

typedef struct oct_import_options {
    int64_t batch;  /* what a free first dimension of an input becomes; 0 means 1 */
    /* Asked when an operator needs a constant (a weight, a shape, an axis) where the file has a graph input: return 1
     * and point *tensor at its value (yours, copied), or 0 to refuse. That input then is a constant. May be NULL. */
    int (*constant)(void *user, const char *input_name, const oct_host_tensor **tensor);
    void *user;
} oct_import_options;

/* Reads an ONNX model, opset 7 to 21 (older ones as far as their operators have kept their form), float or quantized;
 * docs/ONNX.md lists the operators. Weights may lie in the file or in side files inside its folder. The graph keeps the names and
 * shapes of the file's inputs and outputs. What octet does not know - an operator, an attribute value, an element type, an
 * unknown dimension - is an error that names the node and says what is supported. options may be NULL. Errors: ARGUMENT,
 * MEMORY, IO, FORMAT, UNSUPPORTED. */
OCT_API oct_status oct_import_onnx(const char *path, const oct_import_options *options, oct_graph **graph);

/* A graph that can be changed, from a loaded model. It shares the model's weights and keeps the model alive. Errors: ARGUMENT,
 * MEMORY. */
OCT_API oct_status oct_graph_from_model(const oct_model *model, oct_graph **graph);

/* ------------------------------------------------------------------------------------- building by hand ---- */

/* A value's number; negative once the graph has failed. After the first error every builder call does nothing and
 * returns -1, so one look at oct_graph_status at the end is enough. What can go wrong: ARGUMENT (a shape that does not fit, a NULL)
 * and MEMORY. `name` is the node's and its output's; names and arrays are copied. */
typedef int oct_value_id;

/* An empty network. Errors: ARGUMENT, MEMORY. */
OCT_API oct_status oct_graph_create(oct_graph **graph);

/* OCT_OK, or the first builder call's failure with its sentence in oct_error(). */
OCT_API oct_status oct_graph_status(const oct_graph *graph);

/* A network input, f32, of 1 to 8 positive dimensions. Pictures are N x H x W x C. */
OCT_API oct_value_id oct_build_input(oct_graph *graph, const char *name, const oct_shape *shape);
/* Marks a value as a network output and names it. */
OCT_API void oct_build_output(oct_graph *graph, const char *name, oct_value_id value);
/* An f32 constant; the data are copied. */
OCT_API oct_value_id oct_build_constant(oct_graph *graph, const char *name, const oct_shape *shape, const float *data);

/* A zero stands for the usual value: stride, dilation and groups 1, pad 0. */
typedef struct oct_conv_desc {
    int out_channels;
    int kernel[2];    /* height, width */
    int stride[2];
    int dilation[2];
    int pad[4];       /* top, left, bottom, right */
    int groups;       /* groups == input channels is a depthwise convolution */
} oct_conv_desc;

/* 2-D convolution (ONNX Conv). x: N x H x W x C. weights: out_channels x kernel h x kernel w x C/groups ("OHWI"); bias:
 * out_channels, or NULL for none. Both are copied. Returns N x OH x OW x out_channels. */
OCT_API oct_value_id oct_build_conv(oct_graph *graph, const char *name, oct_value_id x, const oct_conv_desc *desc,
                                    const float *weights, const float *bias);

/* Fully connected (ONNX Gemm): y = x * W^T + bias over the last dimension. weights: out x in; bias: out, or NULL. */
OCT_API oct_value_id oct_build_dense(oct_graph *graph, const char *name, oct_value_id x, int out, const float *weights,
                                     const float *bias);

typedef struct oct_pool_desc {
    int kernel[2];
    int stride[2];
    int pad[4];             /* top, left, bottom, right */
    int count_include_pad;  /* average only: padded zeros count in the divisor */
} oct_pool_desc;

/* Windows over height and width of N x H x W x C, channel by channel (ONNX MaxPool, AveragePool). Padding never wins a maximum. */
OCT_API oct_value_id oct_build_max_pool(oct_graph *graph, const char *name, oct_value_id x, const oct_pool_desc *desc);
OCT_API oct_value_id oct_build_average_pool(oct_graph *graph, const char *name, oct_value_id x, const oct_pool_desc *desc);
/* The mean of each channel (ONNX GlobalAveragePool): N x H x W x C -> N x 1 x 1 x C. */
OCT_API oct_value_id oct_build_global_average_pool(oct_graph *graph, const char *name, oct_value_id x);

/* Element by element: min(max(x, lo), hi), lo <= hi (ONNX Clip); the same with 0 and infinity (Relu), 0 and 6. */
OCT_API oct_value_id oct_build_clamp(oct_graph *graph, const char *name, oct_value_id x, float lo, float hi);
OCT_API oct_value_id oct_build_relu(oct_graph *graph, const char *name, oct_value_id x);
OCT_API oct_value_id oct_build_relu6(oct_graph *graph, const char *name, oct_value_id x);
/* Other activations by their ONNX name in small letters: "sigmoid", "hardsigmoid", "hardswish", "tanh", ... */
OCT_API oct_value_id oct_build_unary(oct_graph *graph, const char *name, oct_value_id x, const char *function);
/* The same with the parameters the function has in ONNX: "leakyrelu" and "elu" (alpha), "hardsigmoid" (alpha, beta). The call
 * above takes ONNX's defaults; PyTorch's Hardsigmoid, for one, has 1/6 and 1/2. Functions without parameters are refused. */
OCT_API oct_value_id oct_build_unary_with(oct_graph *graph, const char *name, oct_value_id x, const char *function, float alpha,
                                          float beta);

/* a + b and a * b with ONNX (numpy) broadcasting. */
OCT_API oct_value_id oct_build_add(oct_graph *graph, const char *name, oct_value_id a, oct_value_id b);
OCT_API oct_value_id oct_build_mul(oct_graph *graph, const char *name, oct_value_id a, oct_value_id b);

/* One after the other along an axis (ONNX Concat); the other dimensions are alike. A negative axis counts from the end. */
OCT_API oct_value_id oct_build_concat(oct_graph *graph, const char *name, const oct_value_id *inputs, int count, int axis);
/* The same elements in the same order under another shape. */
OCT_API oct_value_id oct_build_reshape(oct_graph *graph, const char *name, oct_value_id x, const oct_shape *shape);
/* exp(x) / sum of exp(x) along an axis (ONNX Softmax, opset 13). A negative axis counts from the end. */
OCT_API oct_value_id oct_build_softmax(oct_graph *graph, const char *name, oct_value_id x, int axis);

/* --------------------------------------------------------------------------------------------- optimize ---- */

/* What one pass of the optimiser did. */
typedef struct oct_pass_info {
    const char *name;  /* "fold-batchnorm", "fuse-activation", ... */
    const char *what;  /* one line for people */
    int changes;       /* nodes folded, fused, moved or dropped */
} oct_pass_info;

#define OCT_MAX_PASSES 32

typedef struct oct_optimize_report {
    int count;
    oct_pass_info passes[OCT_MAX_PASSES];
} oct_optimize_report;

/* Rewrites a float graph into one that computes the same (up to rounding) with fewer and larger nodes. report may be NULL.
 * Errors: ARGUMENT, MEMORY; the graph is then as it was. */
OCT_API oct_status oct_optimize(oct_graph *graph, oct_optimize_report *report);

/* ------------------------------------------------------------------------------ calibrate and quantize ---- */

/* The ranges of all values of a float graph, seen over samples. */
typedef struct oct_calibration oct_calibration;

/* options: the session that runs the float graph (NULL for defaults). The graph is copied; release with oct_calibration_free.
 * Errors: ARGUMENT (NULL, quantized already), MEMORY, UNSUPPORTED (ISA). */
OCT_API oct_status oct_calibration_create(const oct_graph *graph, const oct_options *options, oct_calibration **calibration);
/* Runs one sample; inputs[i] points at input i's elements (f32, C order). A NaN or an infinity in an input, or one that arises
 * inside, is DATA and names the tensor; the sample then does not count. Errors: ARGUMENT, MEMORY, DATA. */
OCT_API oct_status oct_calibration_add(oct_calibration *calibration, const void *const *inputs);
/* How many samples count; 0 for NULL. */
OCT_API int64_t oct_calibration_samples(const oct_calibration *calibration);
OCT_API void oct_calibration_free(oct_calibration *calibration);

/* Sets the range of a tensor by hand (widened to contain 0); it then counts instead of what samples have shown or will show. With
 * a range for every tensor no samples are needed. Errors: ARGUMENT (no such tensor), DATA (not finite, or lo > hi). */
OCT_API oct_status oct_calibration_set_range(oct_calibration *calibration, const char *tensor, float lo, float hi);

/* Cross-layer equalisation (M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", 2019):
 * scales the channels of tensors between convolutions and dense layers by powers of two, and the weights on both sides inversely,
 * so that all channels of a tensor use its range. The graph computes the same as before, to the last bit; it has to be calibrated
 * anew. Only tensors whose activation lets factors through (none, Relu, LeakyRelu) can be scaled. calibration: of this graph.
 * *channels (may be NULL): how many were scaled. Errors: ARGUMENT, MEMORY. */
OCT_API oct_status oct_equalize(oct_graph *graph, const oct_calibration *calibration, int *channels);

/* All zero (or a NULL pointer to it) means the defaults. docs/QUANTIZATION.md explains the methods. */
typedef struct oct_quantize_options {
    const char *method;   /* how a tensor's range is chosen from what calibration saw: "minmax", "percentile", "mse" (default),
                             "entropy", "best" */
    double percentile;    /* of the method of that name, 50..100; 0 means 99.99: that share of the numbers lies inside */
    const char *weights;  /* how the scales of weights are chosen: "mse" (default: least error, per channel), "max" (largest
                             weight, per channel), "tensor" (largest weight of all: one scale for the layer, for comparison) */
    const char *rounding; /* "nearest"; "gptq": errors of rounded weights are made good by the weights that come after, with what
                             samples say about the inputs (E. Frantar et al., "GPTQ", 2022); "auto" (default): gptq for as many
                             layers as can be done in about half a second */
    const char *const *keep_float;  /* names of convolutions and dense layers that are to stay in f32 */
    int keep_float_count;
    /* Mixed precision: as few layers as possible stay in f32, the most sensitive first, until on the kept calibration
     * samples ... */
    double max_drop;      /* ... top-1 drops by no more than this many points (without labels: the float model's answers are
                             taken for right); 0: off */
    double min_sqnr;      /* ... the outputs' signal to noise ratio is at least this many dB; 0: off */
    const int64_t *labels;/* of the samples, in the order of oct_calibration_add; NULL for none */
    int64_t label_count;
    int no_bias_correction;  /* leaves out the correction of biases for the mean error that rounding the weights causes */
    /* Called now and then during long work ("best ranges", ...) by the calling thread; may be NULL. */
    void (*progress)(void *user, const char *what, int64_t done, int64_t total);
    void *user;
} oct_quantize_options;

/* The range that oct_quantize would give a tensor under these options. */
typedef struct oct_range_info {
    const char *tensor;   /* belongs to the calibration */
    const char *method;   /* the one that was used; "given" for oct_calibration_set_range */
    float lo, hi;         /* lo <= 0 <= hi */
    float seen_lo, seen_hi;
} oct_range_info;

/* All tensors with a known range, in the order of execution; release *ranges with oct_buffer_free. options may be NULL.
 * Errors: ARGUMENT, MEMORY. */
OCT_API oct_status oct_calibration_ranges(const oct_calibration *calibration, const oct_quantize_options *options,
                                          oct_range_info **ranges, size_t *count);

/* A new graph with u8 activations (asymmetric, per tensor) and s8 weights (symmetric, per output channel) wherever the operator
 * and the ranges allow (B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
 * Inference", 2018). graph must be the one that was calibrated; it stays as it was. options may be NULL.
 * Errors: ARGUMENT (neither samples nor ranges, already quantized, unknown method), MEMORY. */
OCT_API oct_status oct_quantize(const oct_graph *graph, const oct_calibration *calibration,
                                const oct_quantize_options *options, oct_graph **quantized);

/* A new graph with s8 weights in convolutions and dense layers, whose inputs are quantized while the network runs, each with the
 * range that it has just then ("dynamic quantization"; ONNX DynamicQuantizeLinear). No calibration; everything between the layers
 * stays f32, and so do depthwise convolutions and other layers that make too few products of an input element to pay for
 * quantizing it. int8 products are the same on every ISA, given the same floats; those come from f32 arithmetic, so the network's
 * results differ between ISAs by rounding, now and then of a whole step of 1/255 of a range. The number of threads changes nothing.
 * A NaN is taken for the least element (or 0), an infinity for +-1e30. Errors: ARGUMENT (already quantized), MEMORY. */
OCT_API oct_status oct_quantize_dynamic(const oct_graph *graph, oct_graph **quantized);

/* ----------------------------------------------------------------------------------------------- compare ---- */

/* A quantized network and its float original on the same samples, layer by layer. */
typedef struct oct_comparison oct_comparison;

/* One layer of the quantized network whose output is a tensor of the float network, too (by name). SQNR is the signal to
 * quantization noise ratio in decibels, 10 log10(sum float^2 / sum (float - quantized)^2), over all elements and samples; +infinity
 * where nothing differs, -infinity where the float numbers are all 0 and the others are not. */
typedef struct oct_layer_comparison {
    const char *name, *op, *precision;   /* as oct_layer_info; the strings belong to the comparison */
    const char *tensor;       /* the float network's */
    double alone_db;          /* the layer given the float network's tensors, as bytes where it reads bytes: its own fault, or
                                 that of the range of what it reads (whose writer then is low, too, and saturated) */
    double accumulated_db;    /* the layer where it stands: with the errors of all before it */
    int is_u8;                /* 1 if it writes bytes; the next two are 0 otherwise */
    double saturated;         /* share (0..1) of its bytes whose float number lies outside what bytes can say there */
    double range_used;        /* (greatest - least byte) / 255 */
    int64_t worst_channel;    /* along the last dimension (the channels of inner tensors); -1 if none differs or is one */
    double worst_channel_db;  /* accumulated */
} oct_layer_comparison;

/* reference: the graph that was quantized, optimised as it was then; both are copied. options: for the sessions that run them (NULL
 * for defaults). Release with oct_compare_free. Errors: ARGUMENT (which is float and which quantized, other inputs, no tensor in
 * common), MEMORY, UNSUPPORTED (ISA). */
OCT_API oct_status oct_compare_create(const oct_graph *reference, const oct_graph *quantized, const oct_options *options,
                                      oct_comparison **comparison);
/* Runs one sample through both; inputs as in oct_calibration_add. A NaN or an infinity that arises in the float network is DATA and
 * names the tensor; the sample does not count. Errors: ARGUMENT, DATA. */
OCT_API oct_status oct_compare_add(oct_comparison *comparison, const void *const *inputs);
/* How many samples count, and how many layers there are to look at; 0 for NULL. */
OCT_API int64_t oct_compare_samples(const oct_comparison *comparison);
OCT_API size_t oct_compare_layer_count(const oct_comparison *comparison);
/* Layers in the order of execution. Errors: ARGUMENT (also before the first sample). */
OCT_API oct_status oct_compare_layer(const oct_comparison *comparison, size_t index, oct_layer_comparison *layer);
OCT_API void oct_compare_free(oct_comparison *comparison);

/* ------------------------------------------------------------------------------------------------- save ---- */

/* Writes a .oct file (docs/FORMAT.md). It takes its name only when it is complete; on failure an older file of that name stays as
 * it was. Errors: ARGUMENT, MEMORY, IO. */
OCT_API oct_status oct_save(const oct_graph *graph, const char *path);
/* The same into memory; release *bytes with oct_buffer_free. Errors as above without IO. */
OCT_API oct_status oct_save_memory(const oct_graph *graph, void **bytes, size_t *size);
/* For memory that a call of this header handed out and that has no call of its own. */
OCT_API void oct_buffer_free(void *bytes);

/* A runnable model straight from a graph (the graph is copied and stays yours); release with oct_model_free. Errors: ARGUMENT,
 * MEMORY. */
OCT_API oct_status oct_model_from_graph(const oct_graph *graph, oct_model **model);

#ifdef __cplusplus
}
#endif
#endif

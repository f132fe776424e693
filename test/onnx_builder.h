/* onnx_builder.h - a tiny writer of ONNX files, so that tests make good and broken models in memory.
 *
 *   onnx_builder b;
 *   onnx_begin(&b, 13);
 *   onnx_input(&b, "x", "N,3,8,8");
 *   onnx_floats(&b, "w", "4,3,3,3", NULL);
 *   onnx_node(&b, "Conv", "x w", "y", "pads=[1,1,1,1] strides=[2,2] auto_pad=NOTSET");
 *   onnx_output(&b, "y");
 *   onnx_bytes model = onnx_end(&b);        ... free(model.data)
 *
 * The onnx_put_... functions write single protobuf fields; whatever the upper half refuses to write can be made with them.
 */
#ifndef TEST_ONNX_BUILDER_H
#define TEST_ONNX_BUILDER_H

#include <stddef.h>
#include <stdint.h>

typedef struct onnx_bytes {
    uint8_t *data;
    size_t size, room;
} onnx_bytes;

/* ---- protobuf fields ---- */
void onnx_put(onnx_bytes *to, const void *data, size_t size);
void onnx_put_varint(onnx_bytes *to, uint64_t value);                       /* a bare number */
void onnx_put_int(onnx_bytes *to, uint32_t field, int64_t value);
void onnx_put_float(onnx_bytes *to, uint32_t field, float value);
void onnx_put_data(onnx_bytes *to, uint32_t field, const void *data, size_t size);
void onnx_put_text(onnx_bytes *to, uint32_t field, const char *text);
/* A nested message; `inner` is released. */
void onnx_put_message(onnx_bytes *to, uint32_t field, onnx_bytes *inner);

/* ---- models ---- */
typedef struct onnx_builder {
    onnx_bytes graph;
    int opset;
} onnx_builder;

enum {
    ONNX_FLOAT = 1, ONNX_UINT8 = 2, ONNX_INT8 = 3, ONNX_INT32 = 6, ONNX_INT64 = 7, ONNX_BOOL = 9, ONNX_FLOAT16 = 10,
    ONNX_DOUBLE = 11
};

void onnx_begin(onnx_builder *b, int opset);
/* dims: "1,3,8,8"; a word instead of a number is an unknown dimension of that name; "" is a scalar, NULL no shape at all. */
void onnx_input(onnx_builder *b, const char *name, const char *dims);
void onnx_input_typed(onnx_builder *b, const char *name, int type, const char *dims);
void onnx_output(onnx_builder *b, const char *name);
void onnx_output_typed(onnx_builder *b, const char *name, int type);
/* Initializers. data NULL: small numbers that differ from one another. */
void onnx_floats(onnx_builder *b, const char *name, const char *dims, const float *data);
void onnx_ints(onnx_builder *b, const char *name, const char *numbers);        /* int64, rank 1: "1,-1,64" */
/* Of any type, from its raw bytes. */
void onnx_raw(onnx_builder *b, const char *name, int type, const char *dims, const void *raw, size_t bytes);
void onnx_scalar_int(onnx_builder *b, const char *name, int64_t number);
/* Names are separated by blanks; "-" is an optional one that is left out. Attributes: "name=value ..." where the value is an
 * integer 3, a float 0.5, a string SAME_UPPER, a list of integers [1,2], or of floats [1.5,2.5]. */
void onnx_node(onnx_builder *b, const char *op, const char *inputs, const char *outputs, const char *attributes);
/* The same in a domain of its own. */
void onnx_node_of(onnx_builder *b, const char *domain, const char *op, const char *inputs, const char *outputs,
                  const char *attributes);
/* The same with a name, a domain and, when `attribute` is not NULL, one attribute message written by hand (released). */
void onnx_node_with(onnx_builder *b, const char *name, const char *domain, const char *op, const char *inputs, const char *outputs,
                    onnx_bytes *attribute);
/* An attribute message that holds a tensor (released): AttributeProto "value". */
onnx_bytes onnx_tensor_attribute(const char *name, onnx_bytes *tensor);
/* A TensorProto: raw data. */
onnx_bytes onnx_tensor(const char *name, int type, const char *dims, const void *raw, size_t bytes);

/* The model's bytes, to be released with free(bytes.data). */
onnx_bytes onnx_end(onnx_builder *b);

#endif

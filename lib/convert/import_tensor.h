/* import_tensor.h - TensorProto: the tensors of an ONNX file, whose elements lie in raw_data, in a typed list or in a side file. */
#ifndef OCT_IMPORT_TENSOR_H
#define OCT_IMPORT_TENSOR_H

#include "import_protobuf.h"
#include "tensor.h"

/* TensorProto.DataType, as far as octet uses them. */
typedef enum oct_onnx_type {
    OCT_ONNX_FLOAT = 1,
    OCT_ONNX_UINT8 = 2,
    OCT_ONNX_INT8 = 3,
    OCT_ONNX_INT32 = 6,
    OCT_ONNX_INT64 = 7,
    OCT_ONNX_BOOL = 9,
    OCT_ONNX_DOUBLE = 11
} oct_onnx_type;

/* "float", "int64", "float16", ...; "unknown type" for a number that is none. */
const char *oct_onnx_type_name(int64_t type);

/* ---- memory of one import ---- */

/* Small blocks (names, lists) that all go at once. All zero is an empty arena. */
typedef struct oct_arena {
    struct oct_arena_chunk *chunks;
} oct_arena;

/* Zeroed and aligned for any type; NULL if memory is short. */
void *oct_arena_alloc(oct_arena *arena, size_t count, size_t size);
void oct_arena_free(oct_arena *arena);
/* A copy of a span as a C string. What is no text (oct_pb_is_text) is damage. */
oct_status oct_arena_text(oct_arena *arena, const oct_pb_file *file, oct_pb_span span, const char **text);

/* ---- tensors ---- */

/* A TensorProto that has been read but not decoded: its data still lie in the file. */
typedef struct oct_onnx_tensor {
    const char *name;
    int64_t type;              /* oct_onnx_type, or another number */
    oct_shape shape;
    size_t elements;
    oct_pb_span body;          /* the message */
    bool has_raw, has_typed;   /* raw_data; one of the typed lists */
    oct_pb_span raw;
    bool external;
    const char *location;      /* of the side file, relative to the model's folder; NULL unless external */
    uint64_t offset, length;   /* in the side file */
    bool has_length;
} oct_onnx_tensor;

/* Are there at most 2^40 elements, zero dimensions counted as ones? Then no product of some of the dimensions overflows. */
bool oct_onnx_shape_is_sane(const oct_shape *shape);

/* Reads a TensorProto. For the types above it also checks that there are as many elements as the dimensions say, unless
 * they lie in a side file. Names and lists live in the arena. */
oct_status oct_onnx_tensor_parse(oct_arena *arena, const oct_pb_file *file, oct_pb_span body, oct_onnx_tensor *tensor);

/* Decodes into fresh memory (oct_free). bool becomes u8, double f32; other types than those above are UNSUPPORTED. `folder` is
 * where side files may lie; NULL allows none. Memory is asked for only after the bytes have been seen to be there. */
oct_status oct_onnx_tensor_decode(const oct_pb_file *file, const oct_onnx_tensor *tensor, const char *folder, oct_dtype *dtype,
                                  void **data);

/* ---- files ---- */

/* A whole regular file; release with oct_free. */
oct_status oct_import_read_file(const char *path, uint8_t **bytes, size_t *size);
/* Bytes [offset, offset + count) of the side file `location` in `folder`. The path must be relative, without "..", and, once
 * symbolic links are resolved, still inside the folder. */
oct_status oct_import_read_side_file(const char *folder, const char *location, uint64_t offset, size_t count, uint8_t **bytes);
/* The folder of a path, "." if it names none; NULL if memory is short. */
char *oct_import_folder(const char *path);

#endif

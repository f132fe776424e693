/* import_protobuf.h - a bounds-checked reader of the Protocol Buffers wire format, in which ONNX files are written.
 *
 * A message is a row of fields; each is a key (field number << 3 | wire type) and a payload:
 *
 *     | key varint | varint              wire type 0   int, enum, bool
 *     | key varint | 8 bytes             wire type 1   double
 *     | key varint | length n | n bytes  wire type 2   string, bytes, a nested message, a packed list
 *     | key varint | 4 bytes             wire type 5   float
 *
 * (https://protobuf.dev/programming-guides/encoding.) Nothing is copied and nothing is built: a reader walks a byte range of the
 * file, a nested message is another range to walk. The reader never recurses, so nesting cannot exhaust the stack.
 * Damage is OCT_ERR_FORMAT and the sentence begins with "file: byte N: ".
 */
#ifndef OCT_IMPORT_PROTOBUF_H
#define OCT_IMPORT_PROTOBUF_H

#include <stdbool.h>
#include "status.h"

/* The whole file in memory; `name` is for messages. */
typedef struct oct_pb_file {
    const char *name;
    const uint8_t *bytes;
    size_t size;
} oct_pb_file;

/* Bytes [begin, end) of the file. */
typedef struct oct_pb_span {
    size_t begin, end;
} oct_pb_span;

typedef enum oct_pb_wire { OCT_PB_VARINT = 0, OCT_PB_FIXED64 = 1, OCT_PB_BYTES = 2, OCT_PB_FIXED32 = 5 } oct_pb_wire;

/* Walks the fields of one message. */
typedef struct oct_pb_reader {
    const oct_pb_file *file;
    size_t at, end;
} oct_pb_reader;

typedef struct oct_pb_field {
    uint32_t number;   /* 0: the message has ended */
    oct_pb_wire wire;
    size_t at;         /* of the key, for messages */
    uint64_t value;    /* the payload of VARINT, FIXED32 and FIXED64 */
    oct_pb_span span;  /* the payload of BYTES */
} oct_pb_field;

oct_pb_reader oct_pb_open(const oct_pb_file *file, oct_pb_span message);
/* The next field, checked to lie inside the message. */
oct_status oct_pb_next(oct_pb_reader *reader, oct_pb_field *field);

/* The payload as what the schema says it is; a field of another wire type is damage. `what` names it: "NodeProto.input". */
oct_status oct_pb_bytes(const oct_pb_file *file, const oct_pb_field *field, const char *what, oct_pb_span *span);
oct_status oct_pb_int(const oct_pb_file *file, const oct_pb_field *field, const char *what, int64_t *value);
oct_status oct_pb_float(const oct_pb_file *file, const oct_pb_field *field, const char *what, float *value);

/* Is a span a text that can be a C string: UTF-8, as protobuf demands of strings, without a zero byte? */
bool oct_pb_is_text(const oct_pb_file *file, oct_pb_span span);

/* Walks the elements of a repeated scalar field, which may come packed (one BYTES field), one by one, or mixed. */
typedef struct oct_pb_list {
    oct_pb_reader message, packed;
    uint32_t number;
    oct_pb_wire wire;  /* of one element: VARINT, FIXED32 or FIXED64 */
} oct_pb_list;

oct_pb_list oct_pb_list_open(const oct_pb_file *file, oct_pb_span message, uint32_t number, oct_pb_wire wire);
/* *more is false after the last element. */
oct_status oct_pb_list_next(oct_pb_list *list, uint64_t *value, bool *more);
oct_status oct_pb_list_count(const oct_pb_file *file, oct_pb_span message, uint32_t number, oct_pb_wire wire, int64_t *count);

/* The bits of a FIXED32 payload as a float. */
float oct_pb_float_of(uint64_t bits);

#endif

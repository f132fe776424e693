/* import_tensor.c - TensorProto. Parsing checks everything that can be checked without the elements; decoding makes them, byte by
 * byte from little-endian, so it is right on any machine. */
#include "import_tensor.h"

#include <string.h>

#include "memory.h"

/* Field numbers of TensorProto (onnx.proto). */
enum {
    DIMS = 1,
    DATA_TYPE = 2,
    SEGMENT = 3,
    FLOAT_DATA = 4,
    INT32_DATA = 5,
    STRING_DATA = 6,
    INT64_DATA = 7,
    NAME = 8,
    RAW_DATA = 9,
    DOUBLE_DATA = 10,
    UINT64_DATA = 11,
    EXTERNAL_DATA = 13,
    DATA_LOCATION = 14
};

const char *oct_onnx_type_name(int64_t type)
{
    static const char *const names[] = {
        "undefined", "float", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "double", "uint32",
        "uint64", "complex64", "complex128", "bfloat16", "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz", "uint4",
        "int4", "float4e2m1"};
    return type >= 0 && type < (int64_t)(sizeof names / sizeof names[0]) ? names[type] : "unknown type";
}

/* ------------------------------------------------------------------------------------------------- arena ---- */

struct oct_arena_chunk {
    struct oct_arena_chunk *next;
    size_t used, room;
    max_align_t data[];
};

#define CHUNK_BYTES ((size_t)64 * 1024)

/* Rounded up so that every block is aligned for any type. Large blocks get a chunk of their own, which then is the one that is
 * filled further: what is left of the previous chunk is lost, at most CHUNK_BYTES for a block larger than that. */
void *oct_arena_alloc(oct_arena *arena, size_t count, size_t size)
{
    const size_t align = sizeof(max_align_t);
    if (size && count > (SIZE_MAX / 2 - align) / size)
        return NULL;
    const size_t bytes = (count * size + align - 1) / align * align;
    struct oct_arena_chunk *chunk = arena->chunks;
    if (!chunk || chunk->room - chunk->used < bytes) {
        const size_t room = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
        chunk = oct_alloc(1, sizeof *chunk + room);
        if (!chunk)
            return NULL;
        *chunk = (struct oct_arena_chunk){.next = arena->chunks, .room = room};
        arena->chunks = chunk;
    }
    void *block = (char *)chunk->data + chunk->used;
    chunk->used += bytes;
    return block;
}

void oct_arena_free(oct_arena *arena)
{
    while (arena->chunks) {
        struct oct_arena_chunk *next = arena->chunks->next;
        oct_free(arena->chunks);
        arena->chunks = next;
    }
}

oct_status oct_arena_text(oct_arena *arena, const oct_pb_file *file, oct_pb_span span, const char **text)
{
    const size_t length = span.end - span.begin;
    if (!oct_pb_is_text(file, span))
        return oct_fail(OCT_ERR_FORMAT, "%s: byte %zu: a name is no text (UTF-8 without zero bytes)", file->name, span.begin);
    char *copy = oct_arena_alloc(arena, length + 1, 1);
    if (!copy)
        return oct_fail_memory(length + 1);
    if (length)
        memcpy(copy, file->bytes + span.begin, length);
    *text = copy;
    return OCT_OK;
}

/* ----------------------------------------------------------------------------------------------- parsing ---- */

/* How the elements of a type are stored. */
typedef struct storage {
    int64_t type;
    oct_dtype dtype;     /* after decoding */
    size_t raw_bytes;    /* of one element in raw_data */
    uint32_t list;       /* field number of its typed list */
    oct_pb_wire wire;
} storage;

static const storage storages[] = {
    {OCT_ONNX_FLOAT, OCT_F32, 4, FLOAT_DATA, OCT_PB_FIXED32}, {OCT_ONNX_INT64, OCT_S64, 8, INT64_DATA, OCT_PB_VARINT},
    {OCT_ONNX_INT32, OCT_S32, 4, INT32_DATA, OCT_PB_VARINT},  {OCT_ONNX_UINT8, OCT_U8, 1, INT32_DATA, OCT_PB_VARINT},
    {OCT_ONNX_INT8, OCT_S8, 1, INT32_DATA, OCT_PB_VARINT},    {OCT_ONNX_DOUBLE, OCT_F32, 8, DOUBLE_DATA, OCT_PB_FIXED64},
    {OCT_ONNX_BOOL, OCT_U8, 1, INT32_DATA, OCT_PB_VARINT},
};

/* NULL for the types octet does not read. */
static const storage *storage_of(int64_t type)
{
    for (size_t i = 0; i < sizeof storages / sizeof storages[0]; i++)
        if (storages[i].type == type)
            return &storages[i];
    return NULL;
}

/* Decimal digits, as external_data has its numbers; false if there is anything else or it exceeds 63 bits. */
static bool parse_decimal(const char *text, uint64_t *number)
{
    *number = 0;
    if (!*text)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || *number > ((uint64_t)INT64_MAX - 9) / 10)
            return false;
        *number = *number * 10 + (uint64_t)(*text - '0');
    }
    return true;
}

/* One key/value pair of external_data: location, offset, length; others (checksum) do not concern us. */
static oct_status parse_external(oct_arena *arena, const oct_pb_file *file, oct_pb_span pair, oct_onnx_tensor *tensor)
{
    const char *key = "", *value = "";
    oct_pb_reader reader = oct_pb_open(file, pair);
    for (;;) {
        oct_pb_field field;
        oct_pb_span span;
        OCT_TRY(oct_pb_next(&reader, &field));
        if (field.number == 0)
            break;
        if (field.number > 2)
            continue;
        OCT_TRY(oct_pb_bytes(file, &field, "TensorProto.external_data", &span));
        OCT_TRY(oct_arena_text(arena, file, span, field.number == 1 ? &key : &value));
    }
    bool good = true;
    if (!strcmp(key, "location")) {
        tensor->location = value;
    } else if (!strcmp(key, "offset")) {
        good = parse_decimal(value, &tensor->offset);
    } else if (!strcmp(key, "length")) {
        good = parse_decimal(value, &tensor->length);
        tensor->has_length = true;
    }
    return good ? OCT_OK
                : oct_fail(OCT_ERR_FORMAT, "%s: byte %zu: external data: %s \"%s\" is no number", file->name, pair.begin, key,
                           value);
}

/* raw_data and the typed lists exclude one another, but that is known only when all fields have been seen (check_data). */
static oct_status parse_field(oct_arena *arena, const oct_pb_file *file, const oct_pb_field *field, oct_onnx_tensor *tensor)
{
    oct_pb_span span;
    int64_t number;
    switch (field->number) {
    case DATA_TYPE:
        return oct_pb_int(file, field, "TensorProto.data_type", &tensor->type);
    case SEGMENT:
        return oct_fail(OCT_ERR_UNSUPPORTED, "%s: byte %zu: a tensor in segments is not supported", file->name, field->at);
    case NAME:
        OCT_TRY(oct_pb_bytes(file, field, "TensorProto.name", &span));
        return oct_arena_text(arena, file, span, &tensor->name);
    case RAW_DATA:
        tensor->has_raw = true;
        return oct_pb_bytes(file, field, "TensorProto.raw_data", &tensor->raw);
    case FLOAT_DATA: case INT32_DATA: case STRING_DATA: case INT64_DATA: case DOUBLE_DATA: case UINT64_DATA:
        tensor->has_typed = true;
        return OCT_OK;
    case EXTERNAL_DATA:
        OCT_TRY(oct_pb_bytes(file, field, "TensorProto.external_data", &span));
        return parse_external(arena, file, span, tensor);
    case DATA_LOCATION:
        OCT_TRY(oct_pb_int(file, field, "TensorProto.data_location", &number));
        tensor->external = number == 1;
        return number == 0 || number == 1
                   ? OCT_OK : oct_fail(OCT_ERR_FORMAT, "%s: byte %zu: unknown data location", file->name, field->at);
    default:
        return OCT_OK;   /* dims are read in one go afterwards; doc_string and newer fields do not concern us */
    }
}

bool oct_onnx_shape_is_sane(const oct_shape *shape)
{
    return oct_shape_elements(shape) >= 0;
}

/* Dimensions are int64 in the file; as unsigned numbers the negative ones are the largest. */
static oct_status parse_dims(const oct_pb_file *file, oct_onnx_tensor *tensor)
{
    oct_pb_list list = oct_pb_list_open(file, tensor->body, DIMS, OCT_PB_VARINT);
    for (;;) {
        uint64_t dim;
        bool more;
        OCT_TRY(oct_pb_list_next(&list, &dim, &more));
        if (!more)
            break;
        if (tensor->shape.rank == OCT_MAX_RANK)
            return oct_fail(OCT_ERR_UNSUPPORTED, "%s: tensor \"%s\" has more than %d dimensions", file->name, tensor->name,
                            OCT_MAX_RANK);
        if (dim > INT64_MAX)
            return oct_fail(OCT_ERR_FORMAT, "%s: tensor \"%s\" has a negative dimension", file->name, tensor->name);
        tensor->shape.dims[tensor->shape.rank++] = (int64_t)dim;
    }
    const int64_t elements = oct_shape_elements(&tensor->shape);
    if (!oct_onnx_shape_is_sane(&tensor->shape) || (uint64_t)elements > SIZE_MAX / 8)
        return oct_fail(OCT_ERR_FORMAT, "%s: tensor \"%s\" has too many elements", file->name, tensor->name);
    tensor->elements = (size_t)elements;
    return OCT_OK;
}

/* Compares what the dimensions promise with what is there. */
static oct_status check_data(const oct_pb_file *file, const oct_onnx_tensor *tensor)
{
    const storage *how = storage_of(tensor->type);
    char shape[OCT_SHAPE_TEXT];
    /* A side file needs a location and nothing in the message; otherwise raw_data or a list, not both (neither: an empty list). */
    if (tensor->external ? !tensor->location || tensor->has_raw || tensor->has_typed : tensor->has_raw && tensor->has_typed)
        return oct_fail(OCT_ERR_FORMAT, "%s: tensor \"%s\" does not say in one way where its data lie", file->name, tensor->name);
    if (!how || tensor->external)
        return OCT_OK;
    oct_shape_text(&tensor->shape, shape, sizeof shape);
    if (tensor->has_raw) {
        const size_t bytes = tensor->raw.end - tensor->raw.begin;
        if (bytes != tensor->elements * how->raw_bytes)
            return oct_fail(OCT_ERR_FORMAT, "%s: byte %zu: tensor \"%s\" (%s %s) has %zu bytes of data instead of %zu", file->name,
                            tensor->raw.begin, tensor->name, oct_onnx_type_name(tensor->type), shape, bytes,
                            tensor->elements * how->raw_bytes);
        return OCT_OK;
    }
    int64_t count;
    OCT_TRY(oct_pb_list_count(file, tensor->body, how->list, how->wire, &count));
    if ((uint64_t)count != tensor->elements)
        return oct_fail(OCT_ERR_FORMAT, "%s: byte %zu: tensor \"%s\" (%s %s) has %lld elements instead of %zu", file->name,
                        tensor->body.begin, tensor->name, oct_onnx_type_name(tensor->type), shape, (long long)count,
                        tensor->elements);
    return OCT_OK;
}

/* One walk for the scalar fields, one for the dims, one to count the elements of a typed list. */
oct_status oct_onnx_tensor_parse(oct_arena *arena, const oct_pb_file *file, oct_pb_span body, oct_onnx_tensor *tensor)
{
    *tensor = (oct_onnx_tensor){.name = "", .body = body};
    oct_pb_reader reader = oct_pb_open(file, body);
    for (;;) {
        oct_pb_field field;
        OCT_TRY(oct_pb_next(&reader, &field));
        if (field.number == 0)
            break;
        OCT_TRY(parse_field(arena, file, &field, tensor));
    }
    OCT_TRY(parse_dims(file, tensor));
    return check_data(file, tensor);
}

/* ---------------------------------------------------------------------------------------------- decoding ---- */

/* Compilers make one load of it. */
static uint64_t load_little_endian(const uint8_t *bytes, size_t count)
{
    uint64_t value = 0;
    for (size_t i = 0; i < count; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

/* Element i from its bits; the narrowing keeps the low bits, which is two's complement (int32_data holds sign-extended varints). */
static void store(void *data, size_t i, oct_dtype dtype, uint64_t bits)
{
    switch (dtype) {
    case OCT_S64: memcpy((int64_t *)data + i, &bits, sizeof(int64_t)); break;
    case OCT_F32: case OCT_S32: {
        const uint32_t low = (uint32_t)bits;
        memcpy((uint32_t *)data + i, &low, sizeof low);
        break;
    }
    case OCT_U8: case OCT_S8: ((uint8_t *)data)[i] = (uint8_t)bits; break;
    }
}

/* The bits of a double as those of the nearest float. */
static uint64_t narrow(uint64_t bits)
{
    double number;
    uint32_t low;
    memcpy(&number, &bits, sizeof number);
    const float near = (float)number;
    memcpy(&low, &near, sizeof low);
    return low;
}

static void decode_raw(const uint8_t *bytes, const storage *how, size_t elements, void *data)
{
    for (size_t i = 0; i < elements; i++) {
        const uint64_t bits = load_little_endian(bytes + i * how->raw_bytes, how->raw_bytes);
        store(data, i, how->dtype, how->type == OCT_ONNX_DOUBLE ? narrow(bits) : bits);
    }
}

/* check_data has counted the elements, so the list cannot end early; it is looked at all the same. */
static oct_status decode_list(const oct_pb_file *file, const oct_onnx_tensor *tensor, const storage *how, void *data)
{
    oct_pb_list list = oct_pb_list_open(file, tensor->body, how->list, how->wire);
    for (size_t i = 0; i < tensor->elements; i++) {
        uint64_t bits;
        bool more;
        OCT_TRY(oct_pb_list_next(&list, &bits, &more));
        if (!more)
            return oct_fail(OCT_ERR_FORMAT, "tensor \"%s\" is cut short", tensor->name);
        store(data, i, how->dtype, how->type == OCT_ONNX_DOUBLE ? narrow(bits) : bits);
    }
    return OCT_OK;
}

static oct_status decode_external(const oct_onnx_tensor *tensor, const storage *how, const char *folder, uint8_t **bytes)
{
    const size_t want = tensor->elements * how->raw_bytes;
    if (!folder)
        return oct_fail(OCT_ERR_UNSUPPORTED, "tensor \"%s\" lies in a side file, which is not allowed here", tensor->name);
    if (tensor->has_length && tensor->length != want)
        return oct_fail(OCT_ERR_FORMAT, "tensor \"%s\" has %llu bytes in its side file instead of %zu", tensor->name,
                        (unsigned long long)tensor->length, want);
    const oct_status status = oct_import_read_side_file(folder, tensor->location, tensor->offset, want, bytes);
    return status == OCT_OK ? OCT_OK : oct_fail_in(status, "tensor \"%s\"", tensor->name);
}

/* side: the bytes of a side file, in memory only while they are decoded. */
oct_status oct_onnx_tensor_decode(const oct_pb_file *file, const oct_onnx_tensor *tensor, const char *folder, oct_dtype *dtype,
                                  void **data)
{
    const storage *how = storage_of(tensor->type);
    uint8_t *side = NULL;
    *data = NULL;
    if (!how)
        return oct_fail(OCT_ERR_UNSUPPORTED, "tensor \"%s\" is of type %s; supported are float, int64, int32, int8, uint8",
                        tensor->name, oct_onnx_type_name(tensor->type));
    if (tensor->external)
        OCT_TRY(decode_external(tensor, how, folder, &side));
    oct_status status = OCT_OK;
    *data = oct_alloc(tensor->elements, oct_dtype_size(how->dtype));
    if (!*data)
        status = oct_fail_memory(tensor->elements * oct_dtype_size(how->dtype));
    else if (side || tensor->has_raw)
        decode_raw(side ? side : file->bytes + tensor->raw.begin, how, tensor->elements, *data);
    else
        status = decode_list(file, tensor, how, *data);
    oct_free(side);
    if (status != OCT_OK) {
        oct_free(*data);
        *data = NULL;
    }
    *dtype = how->dtype;
    return status;
}

/* ------------------------------------------------------------------------------------- the public reader ---- */

static oct_status read_tensor(oct_arena *arena, const oct_pb_file *file, const char *folder, oct_host_tensor *tensor)
{
    oct_onnx_tensor parsed;
    OCT_TRY(oct_onnx_tensor_parse(arena, file, (oct_pb_span){0, file->size}, &parsed));
    if (parsed.type == OCT_ONNX_BOOL || parsed.type == OCT_ONNX_DOUBLE)
        return oct_fail(OCT_ERR_UNSUPPORTED, "%s: tensor \"%s\" is of type %s; supported are float, int64, int32, int8, uint8",
                        file->name, parsed.name, oct_onnx_type_name(parsed.type));
    const oct_status status = oct_onnx_tensor_decode(file, &parsed, folder, &tensor->dtype, &tensor->data);
    if (status != OCT_OK)
        return oct_fail_in(status, "%s", file->name);
    tensor->shape = parsed.shape;
    tensor->name = oct_strdup(parsed.name);
    return tensor->name ? OCT_OK : oct_fail_memory(strlen(parsed.name) + 1);
}

/* Everything but the tensor itself is gone at the end, also after an error. */
oct_status oct_read_tensor_pb(const char *path, oct_host_tensor *tensor)
{
    if (!path || !tensor)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_read_tensor_pb: path or tensor is NULL");
    *tensor = (oct_host_tensor){0};
    uint8_t *bytes;
    size_t size;
    OCT_TRY(oct_import_read_file(path, &bytes, &size));
    const oct_pb_file file = {path, bytes, size};
    oct_arena arena = {0};
    char *folder = oct_import_folder(path);
    const oct_status status = folder ? read_tensor(&arena, &file, folder, tensor) : oct_fail_memory(strlen(path));
    if (status != OCT_OK)
        oct_host_tensor_free(tensor);
    oct_free(folder);
    oct_arena_free(&arena);
    oct_free(bytes);
    return status;
}

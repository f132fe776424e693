/* import_protobuf.c - the wire reader. Every position is a size_t inside [0, file size]; every length is compared, in 64 bits, with
 * what is left of the enclosing message before it is added to a position, so no sum can overflow and no read can leave the message.
 * */
#include "import_protobuf.h"

#include <string.h>

/* All sentences of this file begin alike, so that a hex editor can be put on the spot. */
static oct_status damage(const oct_pb_file *file, size_t at, const char *what)
{
    return oct_fail(OCT_ERR_FORMAT, "%s: byte %zu: %s", file->name, at, what);
}

oct_pb_reader oct_pb_open(const oct_pb_file *file, oct_pb_span message)
{
    return (oct_pb_reader){file, message.begin, message.end};
}

/* Seven bits a byte, least significant group first, top bit set on all but the last. At most ten bytes; of the tenth only the
 * lowest bit fits into 64. */
static oct_status read_varint(oct_pb_reader *reader, uint64_t *value)
{
    const size_t start = reader->at;
    *value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (reader->at == reader->end)
            return damage(reader->file, start, "a number is cut short");
        const uint8_t byte = reader->file->bytes[reader->at++];
        if (shift == 63 && byte > 1)
            break;
        *value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return OCT_OK;
    }
    return damage(reader->file, start, "a number needs more than 64 bits");
}

/* 4 or 8 bytes, little-endian on every machine. */
static oct_status read_fixed(oct_pb_reader *reader, size_t bytes, uint64_t *value)
{
    if (reader->end - reader->at < bytes)
        return damage(reader->file, reader->at, "a number is cut short");
    *value = 0;
    for (size_t i = 0; i < bytes; i++)
        *value |= (uint64_t)reader->file->bytes[reader->at + i] << (8 * i);
    reader->at += bytes;
    return OCT_OK;
}

/* A length and that many bytes, which are stepped over, not looked at: they may be a name, a number list, a message. */
static oct_status read_span(oct_pb_reader *reader, oct_pb_span *span)
{
    uint64_t length;
    const size_t at = reader->at;
    OCT_TRY(read_varint(reader, &length));
    if (length > reader->end - reader->at)
        return oct_fail(OCT_ERR_FORMAT, "%s: byte %zu: a length of %llu bytes, but %zu are left", reader->file->name, at,
                        (unsigned long long)length, reader->end - reader->at);
    span->begin = reader->at;
    reader->at += (size_t)length;
    span->end = reader->at;
    return OCT_OK;
}

static oct_status read_payload(oct_pb_reader *reader, oct_pb_wire wire, oct_pb_field *field)
{
    switch (wire) {
    case OCT_PB_VARINT:
        return read_varint(reader, &field->value);
    case OCT_PB_FIXED64:
        return read_fixed(reader, 8, &field->value);
    case OCT_PB_BYTES:
        return read_span(reader, &field->span);
    case OCT_PB_FIXED32:
        return read_fixed(reader, 4, &field->value);
    }
    /* 3 and 4 are the groups of the oldest protobuf, which ONNX never had; 6 and 7 do not exist. */
    return oct_fail(OCT_ERR_FORMAT, "%s: byte %zu: unknown wire type %d%s", reader->file->name, field->at, (int)wire,
                    field->at == 0 ? "; is this an ONNX file?" : "");
}

/* Unknown fields are the caller's to skip: newer writers add some, and protobuf means readers to go on. */
oct_status oct_pb_next(oct_pb_reader *reader, oct_pb_field *field)
{
    *field = (oct_pb_field){.at = reader->at};
    if (reader->at == reader->end)
        return OCT_OK;
    uint64_t key;
    OCT_TRY(read_varint(reader, &key));
    if (key >> 3 == 0 || key >> 3 > 0x1fffffff)   /* protobuf's largest field number is 2^29 - 1 */
        return oct_fail(OCT_ERR_FORMAT, "%s: byte %zu: bad field number %llu", reader->file->name, field->at,
                        (unsigned long long)(key >> 3));
    field->number = (uint32_t)(key >> 3);
    field->wire = (oct_pb_wire)(key & 7);
    return read_payload(reader, field->wire, field);
}

/* A known field of another wire type cannot come from any version of the schema. */
static oct_status expect(const oct_pb_file *file, const oct_pb_field *field, const char *what, oct_pb_wire wire)
{
    if (field->wire == wire)
        return OCT_OK;
    return oct_fail(OCT_ERR_FORMAT, "%s: byte %zu: %s has wire type %d instead of %d", file->name, field->at, what,
                    (int)field->wire, (int)wire);
}

oct_status oct_pb_bytes(const oct_pb_file *file, const oct_pb_field *field, const char *what, oct_pb_span *span)
{
    OCT_TRY(expect(file, field, what, OCT_PB_BYTES));
    *span = field->span;
    return OCT_OK;
}

oct_status oct_pb_int(const oct_pb_file *file, const oct_pb_field *field, const char *what, int64_t *value)
{
    OCT_TRY(expect(file, field, what, OCT_PB_VARINT));
    memcpy(value, &field->value, sizeof *value);   /* two's complement, as the format has it */
    return OCT_OK;
}

oct_status oct_pb_float(const oct_pb_file *file, const oct_pb_field *field, const char *what, float *value)
{
    OCT_TRY(expect(file, field, what, OCT_PB_FIXED32));
    *value = oct_pb_float_of(field->value);
    return OCT_OK;
}

float oct_pb_float_of(uint64_t bits)
{
    const uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}

/* ---- text ---- */

/* Bytes of the UTF-8 sequence at text[0..room-1], 0 if it is none. A lead byte tells how many bytes follow, each 10xxxxxx:
 *     0xxxxxxx   110xxxxx +1   1110xxxx +2   11110xxx +3
 * The longer forms must not hold what a shorter one can, nor a surrogate (U+D800..DFFF), nor more than U+10FFFF (RFC 3629). */
static size_t utf8_length(const uint8_t *text, size_t room)
{
    static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};
    const uint8_t lead = text[0];
    if (lead < 0x80)
        return lead != 0;
    const size_t more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc0 || lead > 0xf7 || more >= room)
        return 0;
    uint32_t code = lead & (0x3fu >> more);
    for (size_t i = 1; i <= more; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (text[i] & 0x3f);
    }
    const bool surrogate = code >= 0xd800 && code <= 0xdfff;
    return code < smallest[more] || surrogate || code > 0x10ffff ? 0 : more + 1;
}

bool oct_pb_is_text(const oct_pb_file *file, oct_pb_span span)
{
    for (size_t at = span.begin; at < span.end;) {
        const size_t length = utf8_length(file->bytes + at, span.end - at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}

/* ---- repeated scalars ---- */

/* The message has been walked once when it was parsed, so its fields are sound; the insides of packed runs are looked at here
 * first. */
oct_pb_list oct_pb_list_open(const oct_pb_file *file, oct_pb_span message, uint32_t number, oct_pb_wire wire)
{
    return (oct_pb_list){oct_pb_open(file, message), {file, 0, 0}, number, wire};
}

static oct_status read_element(oct_pb_reader *reader, oct_pb_wire wire, uint64_t *value)
{
    if (wire == OCT_PB_VARINT)
        return read_varint(reader, value);
    return read_fixed(reader, wire == OCT_PB_FIXED32 ? 4 : 8, value);
}

oct_status oct_pb_list_next(oct_pb_list *list, uint64_t *value, bool *more)
{
    *more = true;
    /* A packed run may be empty, so look for the next field until there is an element or the message ends. */
    while (list->packed.at == list->packed.end) {
        oct_pb_field field;
        OCT_TRY(oct_pb_next(&list->message, &field));
        if (field.number == 0) {
            *more = false;
            return OCT_OK;
        }
        if (field.number != list->number)
            continue;
        if (field.wire == list->wire) {
            *value = field.value;
            return OCT_OK;
        }
        OCT_TRY(expect(list->message.file, &field, "a list", OCT_PB_BYTES));
        list->packed = oct_pb_open(list->message.file, field.span);
    }
    return read_element(&list->packed, list->wire, value);
}

/* Counting walks all elements, since varints differ in length. */
oct_status oct_pb_list_count(const oct_pb_file *file, oct_pb_span message, uint32_t number, oct_pb_wire wire, int64_t *count)
{
    oct_pb_list list = oct_pb_list_open(file, message, number, wire);
    uint64_t value;
    bool more;
    for (*count = 0;; ++*count) {
        OCT_TRY(oct_pb_list_next(&list, &value, &more));
        if (!more)
            return OCT_OK;
    }
}

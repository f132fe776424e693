/* onnx_builder.c - see onnx_builder.h. Field numbers are those of onnx.proto. */
#include "onnx_builder.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- protobuf ---- */

void onnx_put(onnx_bytes *to, const void *data, size_t size)
{
    if (to->size + size > to->room || !to->data) {
        to->room = 2 * (to->size + size) + 64;
        to->data = realloc(to->data, to->room);
        if (!to->data)
            abort();
    }
    if (size)
        memcpy(to->data + to->size, data, size);
    to->size += size;
}

void onnx_put_varint(onnx_bytes *to, uint64_t value)
{
    do {
        const uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        onnx_put(to, &byte, 1);
        value >>= 7;
    } while (value);
}

void onnx_put_int(onnx_bytes *to, uint32_t field, int64_t value)
{
    onnx_put_varint(to, (uint64_t)field << 3);
    onnx_put_varint(to, (uint64_t)value);
}

void onnx_put_float(onnx_bytes *to, uint32_t field, float value)
{
    onnx_put_varint(to, (uint64_t)field << 3 | 5);
    onnx_put(to, &value, sizeof value);
}

void onnx_put_data(onnx_bytes *to, uint32_t field, const void *data, size_t size)
{
    onnx_put_varint(to, (uint64_t)field << 3 | 2);
    onnx_put_varint(to, size);
    onnx_put(to, data, size);
}

void onnx_put_text(onnx_bytes *to, uint32_t field, const char *text) { onnx_put_data(to, field, text, strlen(text)); }

void onnx_put_message(onnx_bytes *to, uint32_t field, onnx_bytes *inner)
{
    onnx_put_data(to, field, inner->data, inner->size);
    free(inner->data);
    *inner = (onnx_bytes){0};
}

/* ---- lists in strings ---- */

/* Copies the next piece of *text up to `separator` into `piece` and steps behind it; false at the end. */
static bool next_piece(const char **text, char separator, char *piece, size_t room)
{
    if (!*text || !**text)
        return false;
    const char *end = strchr(*text, separator);
    const size_t length = end ? (size_t)(end - *text) : strlen(*text);
    snprintf(piece, room, "%.*s", (int)length, *text);
    *text += length + (end ? 1 : 0);
    return true;
}

static bool is_number(const char *text) { return strchr("-0123456789", text[0]) != NULL && text[0]; }

static size_t count_elements(const char *dims)
{
    char piece[32];
    size_t count = 1;
    while (next_piece(&dims, ',', piece, sizeof piece))
        count *= strtoull(piece, NULL, 10);
    return count;
}

/* ---- inputs, outputs, tensors ---- */

static onnx_bytes shape_message(const char *dims)
{
    onnx_bytes shape = {0};
    char piece[64];
    onnx_put(&shape, "", 0);
    while (next_piece(&dims, ',', piece, sizeof piece)) {
        onnx_bytes dim = {0};
        if (is_number(piece))
            onnx_put_int(&dim, 1, strtoll(piece, NULL, 10));
        else
            onnx_put_text(&dim, 2, piece);
        onnx_put_message(&shape, 1, &dim);
    }
    return shape;
}

static void put_info(onnx_builder *b, uint32_t field, const char *name, int type, const char *dims)
{
    onnx_bytes tensor = {0}, kind = {0}, info = {0};
    onnx_put_int(&tensor, 1, type);
    if (dims) {
        onnx_bytes shape = shape_message(dims);
        onnx_put_message(&tensor, 2, &shape);
    }
    onnx_put_message(&kind, 1, &tensor);
    onnx_put_text(&info, 1, name);
    onnx_put_message(&info, 2, &kind);
    onnx_put_message(&b->graph, field, &info);
}

void onnx_input(onnx_builder *b, const char *name, const char *dims) { put_info(b, 11, name, ONNX_FLOAT, dims); }

void onnx_input_typed(onnx_builder *b, const char *name, int type, const char *dims) { put_info(b, 11, name, type, dims); }

void onnx_output(onnx_builder *b, const char *name) { put_info(b, 12, name, ONNX_FLOAT, NULL); }

void onnx_output_typed(onnx_builder *b, const char *name, int type) { put_info(b, 12, name, type, NULL); }

onnx_bytes onnx_tensor(const char *name, int type, const char *dims, const void *raw, size_t bytes)
{
    onnx_bytes tensor = {0};
    char piece[32];
    while (next_piece(&dims, ',', piece, sizeof piece))
        onnx_put_int(&tensor, 1, strtoll(piece, NULL, 10));
    onnx_put_int(&tensor, 2, type);
    onnx_put_text(&tensor, 8, name);
    onnx_put_data(&tensor, 9, raw, bytes);
    return tensor;
}

void onnx_floats(onnx_builder *b, const char *name, const char *dims, const float *data)
{
    const size_t count = count_elements(dims);
    float *numbers = malloc(count * sizeof *numbers + 1);
    if (!numbers)
        abort();
    for (size_t i = 0; i < count; i++)
        numbers[i] = data ? data[i] : (float)(i % 97) * 0.03125f - 1.25f;
    onnx_bytes tensor = onnx_tensor(name, ONNX_FLOAT, dims, numbers, count * sizeof *numbers);
    onnx_put_message(&b->graph, 5, &tensor);
    free(numbers);
}

void onnx_ints(onnx_builder *b, const char *name, const char *numbers)
{
    int64_t list[64];
    char piece[32], dims[32];
    size_t count = 0;
    while (count < 64 && next_piece(&numbers, ',', piece, sizeof piece))
        list[count++] = strtoll(piece, NULL, 10);
    snprintf(dims, sizeof dims, "%zu", count);
    onnx_bytes tensor = onnx_tensor(name, ONNX_INT64, dims, list, count * sizeof list[0]);
    onnx_put_message(&b->graph, 5, &tensor);
}

void onnx_raw(onnx_builder *b, const char *name, int type, const char *dims, const void *raw, size_t bytes)
{
    onnx_bytes tensor = onnx_tensor(name, type, dims, raw, bytes);
    onnx_put_message(&b->graph, 5, &tensor);
}

void onnx_scalar_int(onnx_builder *b, const char *name, int64_t number)
{
    onnx_bytes tensor = onnx_tensor(name, ONNX_INT64, "", &number, sizeof number);
    onnx_put_message(&b->graph, 5, &tensor);
}

/* ---- nodes ---- */

static void put_list_attribute(onnx_bytes *attr, const char *list)
{
    const bool real = strchr(list, '.') != NULL;
    char inner[512], piece[32];
    snprintf(inner, sizeof inner, "%.*s", (int)strcspn(list + 1, "]"), list + 1);
    const char *rest = inner;
    while (next_piece(&rest, ',', piece, sizeof piece)) {
        if (real)
            onnx_put_float(attr, 7, strtof(piece, NULL));
        else
            onnx_put_int(attr, 8, strtoll(piece, NULL, 10));
    }
    onnx_put_int(attr, 20, real ? 6 : 7);
}

/* "name=value" as an AttributeProto. */
static onnx_bytes attribute_message(const char *text)
{
    onnx_bytes attr = {0};
    const char *value = strchr(text, '=') + 1;
    onnx_put_data(&attr, 1, text, (size_t)(value - text) - 1);
    if (*value == '[') {
        put_list_attribute(&attr, value);
    } else if (!is_number(value)) {
        onnx_put_text(&attr, 4, value);
        onnx_put_int(&attr, 20, 3);
    } else if (strpbrk(value, ".e")) {
        onnx_put_float(&attr, 2, strtof(value, NULL));
        onnx_put_int(&attr, 20, 1);
    } else {
        onnx_put_int(&attr, 3, strtoll(value, NULL, 10));
        onnx_put_int(&attr, 20, 2);
    }
    return attr;
}

static void put_names(onnx_bytes *node, uint32_t field, const char *names)
{
    char piece[128];
    while (next_piece(&names, ' ', piece, sizeof piece))
        onnx_put_text(node, field, strcmp(piece, "-") ? piece : "");
}

void onnx_node(onnx_builder *b, const char *op, const char *inputs, const char *outputs, const char *attributes)
{
    onnx_node_of(b, NULL, op, inputs, outputs, attributes);
}

void onnx_node_of(onnx_builder *b, const char *domain, const char *op, const char *inputs, const char *outputs,
                  const char *attributes)
{
    onnx_bytes node = {0};
    char piece[640];
    put_names(&node, 1, inputs);
    put_names(&node, 2, outputs);
    onnx_put_text(&node, 4, op);
    if (domain)
        onnx_put_text(&node, 7, domain);
    while (next_piece(&attributes, ' ', piece, sizeof piece)) {
        onnx_bytes attr = attribute_message(piece);
        onnx_put_message(&node, 5, &attr);
    }
    onnx_put_message(&b->graph, 1, &node);
}

void onnx_node_with(onnx_builder *b, const char *name, const char *domain, const char *op, const char *inputs, const char *outputs,
                    onnx_bytes *attribute)
{
    onnx_bytes node = {0};
    put_names(&node, 1, inputs);
    put_names(&node, 2, outputs);
    onnx_put_text(&node, 3, name);
    onnx_put_text(&node, 4, op);
    onnx_put_text(&node, 7, domain);
    if (attribute)
        onnx_put_message(&node, 5, attribute);
    onnx_put_message(&b->graph, 1, &node);
}

onnx_bytes onnx_tensor_attribute(const char *name, onnx_bytes *tensor)
{
    onnx_bytes attr = {0};
    onnx_put_text(&attr, 1, name);
    onnx_put_message(&attr, 5, tensor);
    onnx_put_int(&attr, 20, 4);
    return attr;
}

/* ---- models ---- */

void onnx_begin(onnx_builder *b, int opset)
{
    *b = (onnx_builder){.opset = opset};
    onnx_put_text(&b->graph, 2, "test");
}

onnx_bytes onnx_end(onnx_builder *b)
{
    onnx_bytes model = {0}, opset = {0};
    onnx_put_int(&model, 1, 8);
    onnx_put_text(&model, 2, "octet-test");
    onnx_put_text(&opset, 1, "");
    onnx_put_int(&opset, 2, b->opset);
    onnx_put_message(&model, 8, &opset);
    onnx_put_message(&model, 7, &b->graph);
    return model;
}

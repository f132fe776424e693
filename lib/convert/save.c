/* Writing a .oct file: the mirror of lib/runtime/load.c, section by section. First everything is measured, then one block is
 * filled with one cursor per section, in the order in which the reader walks them; the checksum comes last.
 *
 *   measure      sizes of all sections -> where each begins -> size of the file
 *   put_value    name, record, constant, scales            for each value
 *   put_node     name, record, inputs, outputs, attributes for each node
 *   put_header   counts and checksum
 *
 * A graph has exactly one file: nothing in it depends on addresses, on time, or on what the memory held before.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "format.h"
#include "graph.h"
#include "memory.h"
#include "model.h"
#include "operators.h"
#include "status.h"

typedef struct writer {
    uint8_t *bytes;
    uint64_t size;
    uint64_t strings, values, nodes, lists, data;   /* where the sections begin */
    uint64_t string_bytes, words;
    uint64_t next_name, next_word, next_data;       /* the cursors */
} writer;

/* ------------------------------------------------------------------------------------------- measuring ---- */

static uint32_t attr_words(const oct_node *node)
{
    const oct_operator *row = oct_operator_of(node->op);
    uint32_t words = 0;
    for (int f = 0; f < row->field_count; f++)
        words += row->fields[f].count;
    return words;
}

/* With padding, as put_data writes it. */
static uint64_t data_bytes(const oct_value *value)
{
    uint64_t bytes = value->data ? oct_align_up(oct_value_bytes(value)) : 0;
    if (value->dtype == OCT_S8 && value->channel_scale)
        bytes += oct_align_up((size_t)value->shape.dims[0] * sizeof(float));
    return bytes;
}

/* Sizes are sums of what is in memory already, so 64 bits cannot overflow; the 32-bit fields of the header can. */
static oct_status measure(const oct_graph *graph, writer *w)
{
    uint64_t data = 0;
    w->words = (uint64_t)graph->input_count + (uint64_t)graph->output_count;
    for (int v = 0; v < graph->value_count; v++) {
        w->string_bytes += strlen(graph->values[v].name) + 1;
        data += data_bytes(&graph->values[v]);
    }
    for (int n = 0; n < graph->node_count; n++) {
        const oct_node *node = &graph->nodes[n];
        w->string_bytes += strlen(node->name) + 1;
        w->words += (uint64_t)node->in_count + (uint64_t)node->out_count + attr_words(node);
    }
    if (graph->notes)
        w->string_bytes += strlen(graph->notes) + 1;
    w->string_bytes = (w->string_bytes + 7) / 8 * 8;
    if (w->string_bytes > UINT32_MAX || w->words > UINT32_MAX)
        return oct_fail(OCT_ERR_ARGUMENT, "the graph's names or lists are too long for a .oct file");
    w->strings = OCT_HEADER_BYTES;
    w->values = w->strings + w->string_bytes;
    w->nodes = w->values + (uint64_t)graph->value_count * OCT_VALUE_BYTES;
    w->lists = w->nodes + (uint64_t)graph->node_count * OCT_NODE_BYTES;
    w->data = oct_align_up((size_t)(w->lists + w->words * 4));
    w->size = w->data + data;
    w->next_name = w->strings;
    w->next_word = w->lists;
    w->next_data = w->data;
    return OCT_OK;
}

/* --------------------------------------------------------------------------------------------- filling ---- */

static void put_name(writer *w, const char *name)
{
    const size_t length = strlen(name) + 1;
    memcpy(w->bytes + w->next_name, name, length);
    w->next_name += length;
}

static void put_word(writer *w, int32_t word)
{
    oct_put_int(w->bytes + w->next_word, word);
    w->next_word += 4;
}

static void put_list(writer *w, const int *list, int count)
{
    for (int i = 0; i < count; i++)
        put_word(w, list[i]);
}

/* Copies a constant to the next place in the data section and returns that place. The gap up to the next multiple of 64 is zero
 * already. */
static uint64_t put_data(writer *w, const void *data, size_t bytes)
{
    const uint64_t offset = w->next_data;
    memcpy(w->bytes + offset, data, bytes);
    w->next_data += oct_align_up(bytes);
    return offset;
}

/* Fields that do not apply stay zero, as the whole block was: load.c insists on that. */
static void put_value(writer *w, const oct_value *value, uint8_t *record)
{
    put_name(w, value->name);
    oct_put32(record + OCT_VALUE_DTYPE, (uint32_t)value->dtype);
    oct_put32(record + OCT_VALUE_RANK, (uint32_t)value->shape.rank);
    for (int i = 0; i < value->shape.rank; i++)
        oct_put64(record + OCT_VALUE_DIMS + 8 * i, (uint64_t)value->shape.dims[i]);
    if (value->dtype == OCT_U8) {
        oct_put_float(record + OCT_VALUE_SCALE, value->scale);
        oct_put_int(record + OCT_VALUE_ZERO_POINT, value->zero_point);
    }
    if (value->data) {
        const size_t bytes = oct_value_bytes(value);
        oct_put64(record + OCT_VALUE_DATA, put_data(w, value->data, bytes));
        oct_put64(record + OCT_VALUE_DATA_BYTES, bytes);
    }
    if (value->dtype == OCT_S8 && value->channel_scale)
        oct_put64(record + OCT_VALUE_SCALES,
                  put_data(w, value->channel_scale, (size_t)value->shape.dims[0] * sizeof(float)));
}

/* Field by field as the operator's table lists them; load.c reads them back by the same table. */
static void put_attrs(writer *w, const oct_node *node)
{
    const oct_operator *row = oct_operator_of(node->op);
    for (int f = 0; f < row->field_count; f++)
        for (uint32_t i = 0; i < row->fields[f].count; i++) {
            int32_t word;  /* a float keeps its bits */
            memcpy(&word, (const char *)&node->attrs + row->fields[f].offset + 4 * i, sizeof word);
            put_word(w, word);
        }
}

/* Lists are written in the order in which load.c takes them. */
static void put_node(writer *w, const oct_node *node, uint8_t *record)
{
    put_name(w, node->name);
    oct_put32(record + OCT_NODE_OP, (uint32_t)node->op);
    oct_put32(record + OCT_NODE_IN, (uint32_t)node->in_count);
    oct_put32(record + OCT_NODE_OUT, (uint32_t)node->out_count);
    oct_put32(record + OCT_NODE_ATTRS, attr_words(node));
    oct_put_int(record + OCT_NODE_ACT, node->act.fn);
    oct_put_float(record + OCT_NODE_ACT + 4, node->act.alpha);
    oct_put_float(record + OCT_NODE_ACT + 8, node->act.beta);
    put_list(w, node->in, node->in_count);
    put_list(w, node->out, node->out_count);
    put_attrs(w, node);
}

/* Last, because the checksum covers all the rest. */
static void put_header(writer *w, const oct_graph *graph)
{
    uint8_t *h = w->bytes;
    const size_t after = OCT_HEADER_CHECKSUM + 8;
    memcpy(h + OCT_HEADER_MAGIC, OCT_FILE_MAGIC, 8);
    oct_put32(h + OCT_HEADER_VERSION, graph->notes ? OCT_FILE_VERSION_NOTES : 1);
    oct_put64(h + OCT_HEADER_FILE_SIZE, w->size);
    oct_put32(h + OCT_HEADER_STRING_BYTES, (uint32_t)w->string_bytes);
    oct_put32(h + OCT_HEADER_VALUES, (uint32_t)graph->value_count);
    oct_put32(h + OCT_HEADER_NODES, (uint32_t)graph->node_count);
    oct_put32(h + OCT_HEADER_WORDS, (uint32_t)w->words);
    oct_put32(h + OCT_HEADER_INPUTS, (uint32_t)graph->input_count);
    oct_put32(h + OCT_HEADER_OUTPUTS, (uint32_t)graph->output_count);
    oct_put64(h + OCT_HEADER_DATA, w->data);
    const uint64_t head = oct_checksum(h, OCT_HEADER_CHECKSUM, 0);
    oct_put64(h + OCT_HEADER_CHECKSUM, oct_checksum(h + after, (size_t)w->size - after, head));
}

/* Only a graph that would load again is saved: the checks are those of oct_model_wrap. */
static oct_status write_graph(const oct_graph *graph, writer *w)
{
    if (!oct_little_endian())
        return oct_fail(OCT_ERR_UNSUPPORTED, "this machine is big-endian, the file's constants are little-endian");
    OCT_TRY(oct_graph_status(graph));
    OCT_TRY(oct_graph_check(graph));
    OCT_TRY(oct_check_numbers(graph));
    OCT_TRY(measure(graph, w));
    w->bytes = oct_alloc((size_t)w->size, 1);  /* zeroed: all padding is in place */
    if (!w->bytes)
        return oct_fail_memory((size_t)w->size);
    for (int v = 0; v < graph->value_count; v++)
        put_value(w, &graph->values[v], w->bytes + w->values + (size_t)v * OCT_VALUE_BYTES);
    put_list(w, graph->inputs, graph->input_count);
    put_list(w, graph->outputs, graph->output_count);
    for (int n = 0; n < graph->node_count; n++)
        put_node(w, &graph->nodes[n], w->bytes + w->nodes + (size_t)n * OCT_NODE_BYTES);
    if (graph->notes)
        put_name(w, graph->notes);
    put_header(w, graph);
    return OCT_OK;
}

/* ------------------------------------------------------------------------------------------ public API ---- */

oct_status oct_save_memory(const oct_graph *graph, void **bytes, size_t *size)
{
    if (bytes)
        *bytes = NULL;
    if (size)
        *size = 0;
    if (!graph || !bytes || !size)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_save_memory: %s is NULL", !graph ? "graph" : !bytes ? "bytes" : "size");
    writer w = {0};
    OCT_TRY(write_graph(graph, &w));
    *bytes = w.bytes;
    *size = (size_t)w.size;
    return OCT_OK;
}

void oct_buffer_free(void *bytes) { oct_free(bytes); }

/* A full disk may show in fwrite or not before fclose. A file that is not whole is removed. */
static oct_status write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (!file)
        return oct_fail(OCT_ERR_IO, "%s: cannot be created: %s", path, strerror(errno));
    errno = 0;
    const bool written = fwrite(bytes, 1, size, file) == size;
    const int write_error = errno;
    const bool closed = fclose(file) == 0;
    if (written && closed)
        return OCT_OK;
    return oct_fail(OCT_ERR_IO, "%s: cannot be written: %s", path, strerror(written ? errno : write_error));
}

/* Into a file beside it first, so that `path` is at no time half a model: rename replaces it in one step (POSIX). A failure
 * leaves an older file of that name as it was. */
static oct_status write_beside(const char *path, const char *temporary, const void *bytes, size_t size)
{
    oct_status status = write_file(temporary, bytes, size);
    if (status == OCT_OK && rename(temporary, path) != 0)
        status = oct_fail(OCT_ERR_IO, "%s: cannot be written: %s", path, strerror(errno));
    if (status != OCT_OK)
        remove(temporary);
    return status;
}

/* A device or a pipe is written to, not replaced by a file. */
static bool is_special(const char *path)
{
    struct stat facts;
    return stat(path, &facts) == 0 && !S_ISREG(facts.st_mode);
}

/* The whole file is built in memory: a graph that cannot be saved is found out before the disk is touched. */
oct_status oct_save(const oct_graph *graph, const char *path)
{
    void *bytes;
    size_t size;
    if (!graph || !path)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_save: %s is NULL", graph ? "path" : "graph");
    OCT_TRY(oct_save_memory(graph, &bytes, &size));
    const size_t room = strlen(path) + sizeof ".part";
    char *temporary = oct_alloc(room, 1);
    oct_status status = OCT_ERR_MEMORY;
    if (is_special(path)) {
        status = write_file(path, bytes, size);
    } else if (temporary) {
        snprintf(temporary, room, "%s.part", path);
        status = write_beside(path, temporary, bytes, size);
    } else {
        status = oct_fail_memory(room);
    }
    oct_free(temporary);
    oct_buffer_free(bytes);
    return status;
}

/* A copy too, for a graph may be changed and a model may not. */
oct_status oct_model_from_graph(const oct_graph *graph, oct_model **model)
{
    oct_graph *copy;
    if (model)
        *model = NULL;
    if (!graph || !model)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_model_from_graph: %s is NULL", graph ? "model" : "graph");
    OCT_TRY(oct_graph_status(graph));
    OCT_TRY(oct_graph_clone(graph, &copy));
    return oct_model_wrap(copy, model);
}

static void hold_model(void *model) { oct_model_hold(model); }

static void release_model(void *model) { oct_model_free(model); }

/* The constants stay the model's, which may have them in a mapped file that must not be written to: the graph borrows them and
 * holds the model. So do the copies that calibration and quantizer make, and the weights are in memory once. */
oct_status oct_graph_from_model(const oct_model *model, oct_graph **graph)
{
    if (graph)
        *graph = NULL;
    if (!model || !graph)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_graph_from_model: %s is NULL", model ? "graph" : "model");
    const oct_lender lender = {(void *)(uintptr_t)model, hold_model, release_model};
    return oct_graph_borrow(oct_model_graph(model), &lender, graph);
}

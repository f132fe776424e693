/* Reading a .oct file: every byte is hostile until it has been checked. docs/FORMAT.md describes the file byte by byte.
 *
 * The order of things inside every section is fixed, so the reader walks each section with one cursor and never follows an offset
 * it has not computed itself: names and list words are taken one after another, and the offsets of constants must be those that
 * the walk gives. Overlaps and holes are thereby impossible, not merely detected.
 *
 *     strings   |x\0 w\0 y\0 conv\0 ..|          next_name ->
 *     values    |record|record|record|              by index
 *     nodes     |record|                            by index
 *     lists     |inputs|outputs|in|out|attrs|..|    next_word ->
 *     data      |w ....00|scales ..00|              next_data ->
 *
 * In the order of trust: identity, size and checksum of the whole; the sections' bounds; each record; and at last what the graph
 * means, which oct_model_wrap_bytes checks for graphs of any origin.
 *
 * Arithmetic is in 64 bits. Counts are 32 bits wide and records small, so sums of sections cannot overflow; the product of a
 * shape is at most 2^40 elements (oct_shape_elements), so neither can bytes.
 */
#include <limits.h>
#include <math.h>
#include <string.h>

#include "file.h"
#include "format.h"
#include "memory.h"
#include "model.h"
#include "operators.h"
#include "status.h"

typedef struct reader {
    const uint8_t *bytes;
    uint64_t size;
    uint64_t strings, values, nodes, lists, data;         /* where the sections begin */
    uint32_t value_count, node_count, word_count, input_count, output_count;
    uint64_t next_name, next_word, next_data;             /* the cursors */
} reader;

/* ---------------------------------------------------------------------------------------------- header ---- */

/* In this order, so that a file of another kind, or of a newer version, or half a file, is called what it is rather than damaged.
 * */
static oct_status check_identity(const reader *r)
{
    if (r->size < OCT_HEADER_BYTES)
        return oct_fail(OCT_ERR_FORMAT, "%llu bytes are too few for the 64-byte header", (unsigned long long)r->size);
    if (memcmp(r->bytes + OCT_HEADER_MAGIC, OCT_FILE_MAGIC, 8) != 0)
        return oct_fail(OCT_ERR_FORMAT, "byte 0: not a .oct file (it does not begin with \"OCTETNN\")");
    const uint32_t version = oct_get32(r->bytes + OCT_HEADER_VERSION);
    if (version > OCT_FILE_VERSION)
        return oct_fail(OCT_ERR_UNSUPPORTED, "byte 8: file version %u; this library reads up to %u", version, OCT_FILE_VERSION);
    if (version == 0)
        return oct_fail(OCT_ERR_FORMAT, "byte 8: file version 0 does not exist");
    const uint64_t size = oct_get64(r->bytes + OCT_HEADER_FILE_SIZE);
    if (size != r->size)
        return oct_fail(OCT_ERR_FORMAT,
                        "byte 16: the file says it has %llu bytes, but there are %llu (cut short, or not copied whole)",
                        (unsigned long long)size, (unsigned long long)r->size);
    return OCT_OK;
}

/* Over everything but the sum itself. It catches accidents; the rest of this file is there for malice. */
static oct_status check_sum(const reader *r)
{
    const size_t after = OCT_HEADER_CHECKSUM + 8;
    const uint64_t head = oct_checksum(r->bytes, OCT_HEADER_CHECKSUM, 0);
    const uint64_t sum = oct_checksum(r->bytes + after, (size_t)r->size - after, head);
    if (sum != oct_get64(r->bytes + OCT_HEADER_CHECKSUM))
        return oct_fail(OCT_ERR_FORMAT, "byte 24: the checksum does not fit the contents: the file is damaged");
    return OCT_OK;
}

/* Five counts of 32 bits times records of at most 104 bytes: the sums below stay far under 2^64. Once data == aligned <= size
 * holds, every record and every list word lies inside the file. The counts become ints later on, hence their limit. */
static oct_status find_sections(reader *r)
{
    const uint64_t string_bytes = oct_get32(r->bytes + OCT_HEADER_STRING_BYTES);
    r->value_count = oct_get32(r->bytes + OCT_HEADER_VALUES);
    r->node_count = oct_get32(r->bytes + OCT_HEADER_NODES);
    r->word_count = oct_get32(r->bytes + OCT_HEADER_WORDS);
    r->input_count = oct_get32(r->bytes + OCT_HEADER_INPUTS);
    r->output_count = oct_get32(r->bytes + OCT_HEADER_OUTPUTS);
    r->data = oct_get64(r->bytes + OCT_HEADER_DATA);
    r->strings = OCT_HEADER_BYTES;
    r->values = r->strings + string_bytes;
    r->nodes = r->values + (uint64_t)r->value_count * OCT_VALUE_BYTES;
    r->lists = r->nodes + (uint64_t)r->node_count * OCT_NODE_BYTES;
    const uint64_t end = r->lists + (uint64_t)r->word_count * 4;
    const uint64_t aligned = (end + OCT_ALIGNMENT - 1) / OCT_ALIGNMENT * OCT_ALIGNMENT;
    if (oct_get32(r->bytes + OCT_HEADER_RESERVED) != 0)
        return oct_fail(OCT_ERR_FORMAT, "byte 12: a reserved field is not zero");
    if (string_bytes % 8 != 0)
        return oct_fail(OCT_ERR_FORMAT, "byte 32: %llu string bytes are no multiple of 8", (unsigned long long)string_bytes);
    if (aligned > r->size || r->data != aligned)
        return oct_fail(OCT_ERR_FORMAT, "byte 56: the data begin at %llu, but the tables end at %llu of %llu bytes",
                        (unsigned long long)r->data, (unsigned long long)end, (unsigned long long)r->size);
    if (r->value_count > INT_MAX || r->node_count > INT_MAX || r->word_count > INT_MAX)
        return oct_fail(OCT_ERR_FORMAT, "byte 36: %u values, %u nodes and %u words are too many", r->value_count, r->node_count,
                        r->word_count);
    if (r->input_count > r->word_count || r->output_count > r->word_count - r->input_count)
        return oct_fail(OCT_ERR_FORMAT, "byte 48: %u inputs and %u outputs do not fit into %u list words", r->input_count,
                        r->output_count, r->word_count);
    r->next_name = r->strings;
    r->next_word = r->lists;
    r->next_data = r->data;
    return OCT_OK;
}

/* ---------------------------------------------------------------------------------------------- pieces ---- */

/* Padding could smuggle data past a reader, and would make two files of one graph differ. */
static oct_status check_zeros(const reader *r, uint64_t begin, uint64_t end)
{
    for (uint64_t i = begin; i < end; i++)
        if (r->bytes[i] != 0)
            return oct_fail(OCT_ERR_FORMAT, "byte %llu: padding that is not zero", (unsigned long long)i);
    return OCT_OK;
}

/* Names follow one another; the last one must end inside the section too. */
static oct_status take_name(reader *r, char **name)
{
    const uint8_t *from = r->bytes + r->next_name;
    const uint8_t *end = memchr(from, 0, (size_t)(r->values - r->next_name));
    if (!end)
        return oct_fail(OCT_ERR_FORMAT, "byte %llu: a name runs out of the string section", (unsigned long long)r->next_name);
    *name = oct_strdup((const char *)from);
    r->next_name += (uint64_t)(end - from) + 1;
    return *name ? OCT_OK : oct_fail_memory((size_t)(end - from) + 1);
}

/* `count` words of the lists; `what` names them in the sentence. */
static oct_status take_words(reader *r, uint32_t count, const char *what, const uint8_t **words)
{
    const uint64_t left = (r->lists + (uint64_t)r->word_count * 4 - r->next_word) / 4;
    if (count > left)
        return oct_fail(OCT_ERR_FORMAT, "byte %llu: %u words for %s, but the lists have %llu left",
                        (unsigned long long)r->next_word, count, what, (unsigned long long)left);
    *words = r->bytes + r->next_word;
    r->next_word += (uint64_t)count * 4;
    return OCT_OK;
}

/* The count is checked against the section before a byte is allocated for it. */
static oct_status take_ints(reader *r, uint32_t count, const char *what, int **list)
{
    const uint8_t *words = NULL;
    OCT_TRY(take_words(r, count, what, &words));
    *list = oct_alloc(count, sizeof **list);
    if (!*list)
        return oct_fail_memory(count * sizeof **list);
    for (uint32_t i = 0; i < count; i++)
        (*list)[i] = oct_get_int(words + 4 * (size_t)i);
    return OCT_OK;
}

/* The next constant: `bytes` bytes at the next multiple of 64, where `offset` must point. */
static oct_status take_data(reader *r, uint64_t offset, uint64_t bytes, const uint8_t **data)
{
    if (offset != r->next_data || offset > r->size || bytes > r->size - offset)
        return oct_fail(OCT_ERR_FORMAT, "bytes %llu..%llu are not where its data belong (from %llu, in a file of %llu)",
                        (unsigned long long)offset, (unsigned long long)(offset + bytes), (unsigned long long)r->next_data,
                        (unsigned long long)r->size);
    const uint64_t end = offset + bytes, aligned = (end + OCT_ALIGNMENT - 1) / OCT_ALIGNMENT * OCT_ALIGNMENT;
    if (aligned > r->size)
        return oct_fail(OCT_ERR_FORMAT, "byte %llu: the file ends in the middle of its padding", (unsigned long long)end);
    OCT_TRY(check_zeros(r, end, aligned));
    *data = r->bytes + offset;
    r->next_data = aligned;
    return OCT_OK;
}

/* ---------------------------------------------------------------------------------------------- values ---- */

/* Dimensions are unsigned in the file; what does not fit int64_t is refused before it becomes one. */
static oct_status read_shape(const uint8_t *record, oct_shape *shape)
{
    const uint32_t rank = oct_get32(record + OCT_VALUE_RANK);
    if (rank > OCT_MAX_RANK)
        return oct_fail(OCT_ERR_FORMAT, "rank %u; the most is %d", rank, OCT_MAX_RANK);
    shape->rank = (int)rank;
    for (uint32_t i = 0; i < OCT_MAX_RANK; i++) {
        const uint64_t dim = oct_get64(record + OCT_VALUE_DIMS + 8 * i);
        if (dim > INT64_MAX || (i >= rank && dim != 0))
            return oct_fail(OCT_ERR_FORMAT, "impossible dimension %u", i);
        shape->dims[i] = (int64_t)dim;
    }
    if (oct_shape_elements(shape) < 0)
        return oct_fail(OCT_ERR_FORMAT, "its shape has too many elements");
    return OCT_OK;
}

/* Scales are copied, because a graph owns them; weights, which are large, are borrowed. */
static oct_status read_scales(reader *r, const uint8_t *record, oct_value *value)
{
    const uint8_t *data;
    const uint64_t offset = oct_get64(record + OCT_VALUE_SCALES);
    if (offset == 0)
        return OCT_OK;
    if (value->dtype != OCT_S8 || value->shape.rank < 1 || !value->data)
        return oct_fail(OCT_ERR_FORMAT, "scales per channel belong to constant s8 weights only");
    const size_t count = (size_t)value->shape.dims[0];
    OCT_TRY(take_data(r, offset, count * sizeof(float), &data));  /* dims[0] <= 2^40: no overflow */
    value->channel_scale = oct_memdup(data, count * sizeof(float));
    return value->channel_scale ? OCT_OK : oct_fail_memory(count * sizeof(float));
}

/* Offset 0 is the header, so it can stand for "no constant". */
static oct_status read_constant(reader *r, const uint8_t *record, oct_value *value)
{
    const uint8_t *data;
    const uint64_t offset = oct_get64(record + OCT_VALUE_DATA), bytes = oct_get64(record + OCT_VALUE_DATA_BYTES);
    if (offset == 0 && bytes != 0)
        return oct_fail(OCT_ERR_FORMAT, "%llu bytes of data at no place", (unsigned long long)bytes);
    if (offset == 0)
        return OCT_OK;
    if (bytes != oct_value_bytes(value))
        return oct_fail(OCT_ERR_FORMAT, "%llu bytes of data for a shape of %zu", (unsigned long long)bytes, oct_value_bytes(value));
    OCT_TRY(take_data(r, offset, bytes, &data));
    value->data = (void *)(uintptr_t)data;  /* a constant is never written to */
    value->data_borrowed = true;
    return OCT_OK;
}

/* Fields that mean nothing for a type must be zero: a file has one way to say a thing. */
static oct_status read_value(reader *r, uint32_t index, oct_value *value)
{
    const uint8_t *record = r->bytes + r->values + (uint64_t)index * OCT_VALUE_BYTES;
    value->producer = -1;
    value->dtype = (oct_dtype)oct_get_int(record + OCT_VALUE_DTYPE);
    if (oct_dtype_size(value->dtype) == 0)
        return oct_fail(OCT_ERR_FORMAT, "unknown element type %d", (int)value->dtype);
    value->scale = oct_get_float(record + OCT_VALUE_SCALE);
    value->zero_point = oct_get_int(record + OCT_VALUE_ZERO_POINT);
    if (value->dtype != OCT_U8 && (oct_get32(record + OCT_VALUE_SCALE) != 0 || value->zero_point != 0))
        return oct_fail(OCT_ERR_FORMAT, "a scale or zero point on a value that is not u8");
    OCT_TRY(read_shape(record, &value->shape));
    OCT_TRY(read_constant(r, record, value));
    return read_scales(r, record, value);
}

/* The value count is set at once, so that on failure oct_graph_free releases what has been read so far: all else is zero. */
static oct_status read_values(reader *r, oct_graph *graph)
{
    graph->values = oct_alloc(r->value_count, sizeof *graph->values);
    if (!graph->values)
        return oct_fail_memory(r->value_count * sizeof *graph->values);
    graph->value_room = graph->value_count = (int)r->value_count;
    for (uint32_t i = 0; i < r->value_count; i++) {
        OCT_TRY(take_name(r, &graph->values[i].name));
        const oct_status status = read_value(r, i, &graph->values[i]);
        if (status != OCT_OK)
            return oct_fail_in(status, "value %u at byte %llu (%s)", i,
                               (unsigned long long)(r->values + (uint64_t)i * OCT_VALUE_BYTES), graph->values[i].name);
    }
    if (r->next_data != r->size)
        return oct_fail(OCT_ERR_FORMAT, "byte %llu: %llu bytes that belong to no constant", (unsigned long long)r->next_data,
                        (unsigned long long)(r->size - r->next_data));
    return OCT_OK;
}

/* ----------------------------------------------------------------------------------------------- nodes ---- */

/* The operator's own table says how many words there are and of which type (operators.h). Ranges are oct_graph_check's business;
 * here a word becomes an int32_t or a float. */
static oct_status read_attrs(reader *r, uint32_t count, oct_node *node)
{
    const oct_operator *row = oct_operator_of(node->op);
    const uint8_t *words = NULL;
    uint32_t expected = 0;
    for (int f = 0; f < row->field_count; f++)
        expected += row->fields[f].count;
    if (count != expected)
        return oct_fail(OCT_ERR_FORMAT, "%u attribute words; %s has %u", count, row->name, expected);
    OCT_TRY(take_words(r, count, "attributes", &words));
    for (int f = 0; f < row->field_count; f++)
        for (uint32_t i = 0; i < row->fields[f].count; i++, words += 4) {
            char *to = (char *)&node->attrs + row->fields[f].offset + 4 * i;
            if (row->fields[f].type == 'f')
                memcpy(to, &(float){oct_get_float(words)}, 4);
            else
                memcpy(to, &(int32_t){oct_get_int(words)}, 4);
        }
    return OCT_OK;
}

/* A node claims its output; two nodes that claim the same are caught here, a wrong order by oct_graph_check. */
static oct_status read_node(reader *r, uint32_t index, oct_graph *graph)
{
    const uint8_t *record = r->bytes + r->nodes + (uint64_t)index * OCT_NODE_BYTES;
    const uint32_t op = oct_get32(record + OCT_NODE_OP), in = oct_get32(record + OCT_NODE_IN),
                   out = oct_get32(record + OCT_NODE_OUT);
    oct_node *node = &graph->nodes[index];
    if (op >= OCT_OP_COUNT || !oct_operator_of((oct_op)op))
        return oct_fail(OCT_ERR_FORMAT, "unknown operator %u", op);
    if (in < 1 || in > r->word_count || out != 1)
        return oct_fail(OCT_ERR_FORMAT, "%u inputs and %u outputs", in, out);
    node->op = (oct_op)op;
    node->act.fn = oct_get_int(record + OCT_NODE_ACT);
    node->act.alpha = oct_get_float(record + OCT_NODE_ACT + 4);
    node->act.beta = oct_get_float(record + OCT_NODE_ACT + 8);
    if (oct_get32(record + OCT_NODE_RESERVED) != 0)
        return oct_fail(OCT_ERR_FORMAT, "a reserved field is not zero");
    OCT_TRY(take_ints(r, in, "inputs", &node->in));
    node->in_count = (int)in;
    OCT_TRY(take_ints(r, out, "outputs", &node->out));
    node->out_count = (int)out;
    OCT_TRY(read_attrs(r, oct_get32(record + OCT_NODE_ATTRS), node));
    const int value = node->out[0];
    if (value < 0 || value >= graph->value_count || graph->values[value].producer >= 0)
        return oct_fail(OCT_ERR_FORMAT, "its output is no value of its own");
    graph->values[value].producer = (int)index;
    return OCT_OK;
}

/* The graph's own lists come first, then node by node. Behind the last name and the last word there is nothing but zeros. */
static oct_status read_nodes(reader *r, oct_graph *graph)
{
    OCT_TRY(take_ints(r, r->input_count, "graph inputs", &graph->inputs));
    graph->input_count = (int)r->input_count;
    OCT_TRY(take_ints(r, r->output_count, "graph outputs", &graph->outputs));
    graph->output_count = (int)r->output_count;
    graph->nodes = oct_alloc(r->node_count, sizeof *graph->nodes);
    if (!graph->nodes)
        return oct_fail_memory(r->node_count * sizeof *graph->nodes);
    graph->node_room = graph->node_count = (int)r->node_count;
    for (uint32_t i = 0; i < r->node_count; i++) {
        OCT_TRY(take_name(r, &graph->nodes[i].name));
        const oct_status status = read_node(r, i, graph);
        if (status != OCT_OK)
            return oct_fail_in(status, "node %u at byte %llu (%s)", i,
                               (unsigned long long)(r->nodes + (uint64_t)i * OCT_NODE_BYTES), graph->nodes[i].name);
    }
    if (oct_get32(r->bytes + OCT_HEADER_VERSION) >= OCT_FILE_VERSION_NOTES)
        OCT_TRY(take_name(r, &graph->notes));
    OCT_TRY(check_zeros(r, r->next_word, r->data));
    return check_zeros(r, r->next_name, r->values);
}

/* ----------------------------------------------------------------------------------------- whole files ---- */

/* Everything that concerns bytes. All cursors must arrive at the ends of their sections. */
static oct_status read_graph(const oct_file *file, oct_graph *graph)
{
    reader r = {.bytes = file->bytes, .size = file->size};
    if (!oct_little_endian())
        return oct_fail(OCT_ERR_UNSUPPORTED, "this machine is big-endian, the file's constants are little-endian");
    OCT_TRY(check_identity(&r));
    OCT_TRY(check_sum(&r));
    OCT_TRY(find_sections(&r));
    OCT_TRY(read_values(&r, graph));
    OCT_TRY(read_nodes(&r, graph));
    return r.next_word == r.lists + (uint64_t)r.word_count * 4 && r.next_name + 8 > r.values
               ? OCT_OK
               : oct_fail(OCT_ERR_FORMAT, "byte %llu: names or list words that belong to nothing", (unsigned long long)r.next_word);
}

/* oct_model_wrap_bytes checks what a graph means: order, shapes, types, numbers. It takes the graph over, but the bytes only on
 * success. */
static oct_status load(const oct_file *file, oct_model **model)
{
    oct_graph *graph;
    OCT_TRY(oct_graph_create(&graph));
    const oct_status status = read_graph(file, graph);
    if (status != OCT_OK) {
        oct_graph_free(graph);
        return status;
    }
    return oct_model_wrap_bytes(graph, file->bytes, file->size, file->release, model);
}

/* Nonsense in a file is a damaged file, whatever the check that found it calls it. The sentence begins with the file's name. */
static oct_status load_from(const oct_file *file, const char *name, oct_model **model)
{
    oct_status status = load(file, model);
    if (status == OCT_OK)
        return OCT_OK;
    file->release(file->bytes, file->size);
    if (status == OCT_ERR_ARGUMENT)
        status = OCT_ERR_FORMAT;
    return oct_fail_in(status, "%s", name);
}

oct_status oct_model_load(const char *path, oct_model **model)
{
    oct_file file;
    if (model)
        *model = NULL;
    if (!path || !model)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_model_load: %s is NULL", path ? "model" : "path");
    OCT_TRY(oct_file_open(path, &file));
    return load_from(&file, path, model);
}

oct_status oct_model_load_memory(const void *bytes, size_t size, oct_model **model)
{
    oct_file file;
    if (model)
        *model = NULL;
    if (!bytes || !model)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_model_load_memory: %s is NULL", bytes ? "model" : "bytes");
    OCT_TRY(oct_file_copy(bytes, size, &file));
    return load_from(&file, "model in memory", model);
}

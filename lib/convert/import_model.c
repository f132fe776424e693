/* import_model.c - ModelProto, GraphProto, NodeProto, AttributeProto, ValueInfoProto -> arrays.
 *
 * Every repeated field is walked twice, first to count, then to fill, so that the arrays are exactly as large as the file's
 * contents justify: a node costs at least two bytes of file, so nothing a few bytes claim can ask for much memory. */
#include "import_model.h"

#include <string.h>

#include "memory.h"

/* What one message's parser needs at hand. */
typedef struct parser {
    const oct_pb_file *file;
    oct_onnx_model *model;
} parser;

static oct_status parse_text(const parser *p, const oct_pb_field *field, const char *what, const char **text)
{
    oct_pb_span span;
    OCT_TRY(oct_pb_bytes(p->file, field, what, &span));
    return oct_arena_text(&p->model->arena, p->file, span, text);
}

/* A zeroed array in the arena. */
static oct_status parse_array(const parser *p, int count, size_t size, void *array)
{
    void *block = oct_arena_alloc(&p->model->arena, (size_t)count, size);
    if (!block)
        return oct_fail_memory((size_t)count * size);
    memcpy(array, &block, sizeof block);
    return OCT_OK;
}

/* How often field `number` occurs in a message. */
static oct_status count_fields(const parser *p, oct_pb_span message, uint32_t number, int limit, const char *what, int *count)
{
    oct_pb_reader reader = oct_pb_open(p->file, message);
    oct_pb_field field;
    *count = 0;
    do {
        OCT_TRY(oct_pb_next(&reader, &field));
        if (field.number == number && ++*count > limit)
            return oct_fail(OCT_ERR_UNSUPPORTED, "%s: byte %zu: more than %d %s", p->file->name, field.at, limit, what);
    } while (field.number != 0);
    return OCT_OK;
}

/* ----------------------------------------------------------------------------------------------- symbols ---- */

/* FNV-1a (Fowler, Noll, Vo). */
static uint32_t hash_text(const char *text)
{
    uint32_t hash = 2166136261u;
    for (; *text; text++)
        hash = (hash ^ (uint8_t)*text) * 16777619u;
    return hash;
}

/* The bucket of a name: the one that holds it, or the empty one where it belongs (linear probing; the table is never more than half
 * full). */
static int find_bucket(const oct_onnx_model *model, const char *name)
{
    const uint32_t mask = (uint32_t)model->bucket_count - 1;
    uint32_t at = hash_text(name) & mask;
    while (model->buckets[at] && strcmp(model->symbols[model->buckets[at] - 1], name) != 0)
        at = (at + 1) & mask;
    return (int)at;
}

/* Doubles the table and puts all names in anew. The name array grows along to half the buckets, which is all that may ever be used.
 * */
static oct_status grow_symbols(oct_onnx_model *model)
{
    const int buckets = model->bucket_count ? 2 * model->bucket_count : 64;
    const char **symbols = oct_grow(model->symbols, (size_t)model->symbol_count, (size_t)buckets / 2, sizeof *symbols);
    if (!symbols)
        return oct_fail_memory((size_t)buckets * sizeof *symbols);
    model->symbols = symbols;
    int *table = oct_alloc((size_t)buckets, sizeof *table);
    if (!table)
        return oct_fail_memory((size_t)buckets * sizeof *table);
    oct_free(model->buckets);
    model->buckets = table;
    model->bucket_count = buckets;
    for (int i = 0; i < model->symbol_count; i++)
        table[find_bucket(model, symbols[i])] = i + 1;
    return OCT_OK;
}

/* The number of a value's name; "" is no value. */
static oct_status symbol_of(const parser *p, const char *name, int *symbol)
{
    oct_onnx_model *model = p->model;
    *symbol = OCT_NO_SYMBOL;
    if (!*name)
        return OCT_OK;
    if (2 * model->symbol_count >= model->bucket_count)
        OCT_TRY(grow_symbols(model));
    const int bucket = find_bucket(model, name);
    if (!model->buckets[bucket]) {
        if (model->symbol_count == OCT_ONNX_MAX_VALUES)
            return oct_fail(OCT_ERR_UNSUPPORTED, "%s: more than %d values", p->file->name, OCT_ONNX_MAX_VALUES);
        model->symbols[model->symbol_count++] = name;
        model->buckets[bucket] = model->symbol_count;
    }
    *symbol = model->buckets[bucket] - 1;
    return OCT_OK;
}

/* Node inputs and outputs. The arrays have been sized by counting the same fields, so the index stays inside. */
static oct_status parse_symbol(const parser *p, const oct_pb_field *field, const char *what, int *symbol)
{
    const char *name;
    OCT_TRY(parse_text(p, field, what, &name));
    return symbol_of(p, name, symbol);
}

/* ------------------------------------------------------------------------------------------------- nodes ---- */

static oct_status parse_attr(const parser *p, oct_pb_span body, oct_onnx_attr *attr)
{
    *attr = (oct_onnx_attr){.name = "", .s = "", .body = body};
    oct_pb_reader reader = oct_pb_open(p->file, body);
    for (;;) {
        oct_pb_field field;
        oct_pb_span string;
        OCT_TRY(oct_pb_next(&reader, &field));
        switch (field.number) {
        case 0: return OCT_OK;
        case 1: OCT_TRY(parse_text(p, &field, "AttributeProto.name", &attr->name)); break;
        case 2: OCT_TRY(oct_pb_float(p->file, &field, "AttributeProto.f", &attr->f)); break;
        case 3: OCT_TRY(oct_pb_int(p->file, &field, "AttributeProto.i", &attr->i)); break;
        case 4:
            /* `bytes`, so it need be no text; no string that octet knows is anything else, and "" will not match. */
            OCT_TRY(oct_pb_bytes(p->file, &field, "AttributeProto.s", &string));
            if (oct_pb_is_text(p->file, string))
                OCT_TRY(oct_arena_text(&p->model->arena, p->file, string, &attr->s));
            break;
        case 5: OCT_TRY(oct_pb_bytes(p->file, &field, "AttributeProto.t", &attr->tensor)); break;
        case 20: OCT_TRY(oct_pb_int(p->file, &field, "AttributeProto.type", &attr->type)); break;
        case 21:
            return oct_fail(OCT_ERR_UNSUPPORTED,
                            "%s: byte %zu: an attribute refers to a function's attribute, which is not supported", p->file->name,
                            field.at);
        default: break;   /* subgraphs and the like are known by their type; lists are walked when they are asked for */
        }
    }
}

/* First walk: how many of everything. */
static oct_status allocate_node(const parser *p, oct_pb_span body, oct_onnx_node *node)
{
    OCT_TRY(count_fields(p, body, 1, OCT_ONNX_MAX_OPERANDS, "inputs of a node", &node->in_count));
    OCT_TRY(count_fields(p, body, 2, OCT_ONNX_MAX_OPERANDS, "outputs of a node", &node->out_count));
    OCT_TRY(count_fields(p, body, 5, OCT_ONNX_MAX_OPERANDS, "attributes of a node", &node->attr_count));
    OCT_TRY(parse_array(p, node->in_count, sizeof *node->in, &node->in));
    OCT_TRY(parse_array(p, node->out_count, sizeof *node->out, &node->out));
    return parse_array(p, node->attr_count, sizeof *node->attrs, &node->attrs);
}

/* Second walk: fills what allocate_node has made room for. Fields come in any order; of a scalar field that comes twice the last
 * one counts, as protobuf has it. */
static oct_status parse_node(const parser *p, oct_pb_span body, oct_onnx_node *node)
{
    *node = (oct_onnx_node){.name = "", .op = "", .domain = ""};
    OCT_TRY(allocate_node(p, body, node));
    int in = 0, out = 0, attrs = 0;
    oct_pb_reader reader = oct_pb_open(p->file, body);
    for (;;) {
        oct_pb_field field;
        oct_pb_span attr;
        OCT_TRY(oct_pb_next(&reader, &field));
        switch (field.number) {
        case 0: return OCT_OK;
        case 1: OCT_TRY(parse_symbol(p, &field, "NodeProto.input", &node->in[in++])); break;
        case 2: OCT_TRY(parse_symbol(p, &field, "NodeProto.output", &node->out[out++])); break;
        case 3: OCT_TRY(parse_text(p, &field, "NodeProto.name", &node->name)); break;
        case 4: OCT_TRY(parse_text(p, &field, "NodeProto.op_type", &node->op)); break;
        case 5:
            OCT_TRY(oct_pb_bytes(p->file, &field, "NodeProto.attribute", &attr));
            OCT_TRY(parse_attr(p, attr, &node->attrs[attrs++]));
            break;
        case 7: OCT_TRY(parse_text(p, &field, "NodeProto.domain", &node->domain)); break;
        default: break;
        }
    }
}

/* ------------------------------------------------------------------------------------ inputs and outputs ---- */

/*     TypeProto > tensor_type > shape > dim: either a number or a name ("batch"), or neither. All but a number is -1 here. */
static oct_status parse_dim(const parser *p, oct_pb_span body, oct_onnx_info *info)
{
    if (info->shape.rank == OCT_MAX_RANK)
        return oct_fail(OCT_ERR_UNSUPPORTED, "%s: byte %zu: more than %d dimensions", p->file->name, body.begin, OCT_MAX_RANK);
    const int i = info->shape.rank++;
    info->shape.dims[i] = -1;
    info->params[i] = "";
    oct_pb_reader reader = oct_pb_open(p->file, body);
    for (;;) {
        oct_pb_field field;
        OCT_TRY(oct_pb_next(&reader, &field));
        if (field.number == 0)
            return OCT_OK;
        if (field.number == 1)
            OCT_TRY(oct_pb_int(p->file, &field, "Dimension.dim_value", &info->shape.dims[i]));
        else if (field.number == 2)
            OCT_TRY(parse_text(p, &field, "Dimension.dim_param", &info->params[i]));
    }
}

/* Hands each occurrence of field `number`, a nested message, to `parse`. */
static oct_status each_message(const parser *p, oct_pb_span message, uint32_t number, const char *what, oct_onnx_info *info,
                               oct_status (*parse)(const parser *p, oct_pb_span body, oct_onnx_info *info))
{
    oct_pb_reader reader = oct_pb_open(p->file, message);
    for (;;) {
        oct_pb_field field;
        oct_pb_span body;
        OCT_TRY(oct_pb_next(&reader, &field));
        if (field.number == 0)
            return OCT_OK;
        if (field.number != number)
            continue;
        OCT_TRY(oct_pb_bytes(p->file, &field, what, &body));
        OCT_TRY(parse(p, body, info));
    }
}

static oct_status parse_shape(const parser *p, oct_pb_span body, oct_onnx_info *info)
{
    info->has_shape = true;
    return each_message(p, body, 1, "TensorShapeProto.dim", info, parse_dim);
}

/* The element type, and the shape if there is one; a shape without dims is a scalar, no shape at all is "anything". */
static oct_status parse_tensor_type(const parser *p, oct_pb_span body, oct_onnx_info *info)
{
    oct_pb_reader reader = oct_pb_open(p->file, body);
    oct_pb_field field;
    do {
        OCT_TRY(oct_pb_next(&reader, &field));
        if (field.number == 1)
            OCT_TRY(oct_pb_int(p->file, &field, "TypeProto.Tensor.elem_type", &info->type));
    } while (field.number != 0);
    return each_message(p, body, 2, "TypeProto.Tensor.shape", info, parse_shape);
}

/* Which alternative of the `oneof` the file uses is told by the field's number; only tensors are read further. */
static oct_status parse_type(const parser *p, oct_pb_span body, oct_onnx_info *info)
{
    static const char *const kinds[] = {[1] = "tensor", [4] = "sequence", [5] = "map", [7] = "opaque value", [8] = "sparse tensor",
                                        [9] = "optional"};
    oct_pb_reader reader = oct_pb_open(p->file, body);
    oct_pb_field field;
    do {
        OCT_TRY(oct_pb_next(&reader, &field));
        if (field.number < sizeof kinds / sizeof kinds[0] && kinds[field.number])
            info->kind = kinds[field.number];
    } while (field.number != 0);
    return each_message(p, body, 1, "TypeProto.tensor_type", info, parse_tensor_type);
}

/* An input or output of the graph: name and type. */
static oct_status parse_info(const parser *p, oct_pb_span body, oct_onnx_info *info)
{
    const char *name = "";
    *info = (oct_onnx_info){.kind = ""};
    oct_pb_reader reader = oct_pb_open(p->file, body);
    oct_pb_field field;
    do {
        OCT_TRY(oct_pb_next(&reader, &field));
        if (field.number == 1)
            OCT_TRY(parse_text(p, &field, "ValueInfoProto.name", &name));
    } while (field.number != 0);
    OCT_TRY(symbol_of(p, name, &info->symbol));
    if (info->symbol == OCT_NO_SYMBOL)
        return oct_fail(OCT_ERR_FORMAT, "%s: byte %zu: an input or output of the graph has no name", p->file->name, body.begin);
    return each_message(p, body, 2, "ValueInfoProto.type", info, parse_type);
}

/* ------------------------------------------------------------------------------------------------- graph ---- */

/* First walk over the graph. The limits are on the count of things, the file's size is on their contents. */
static oct_status allocate_graph(const parser *p, oct_pb_span body)
{
    oct_onnx_model *m = p->model;
    OCT_TRY(count_fields(p, body, 1, OCT_ONNX_MAX_NODES, "nodes", &m->node_count));
    OCT_TRY(count_fields(p, body, 5, OCT_ONNX_MAX_VALUES, "initializers", &m->initializer_count));
    OCT_TRY(count_fields(p, body, 11, OCT_ONNX_MAX_VALUES, "inputs", &m->input_count));
    OCT_TRY(count_fields(p, body, 12, OCT_ONNX_MAX_VALUES, "outputs", &m->output_count));
    OCT_TRY(parse_array(p, m->node_count, sizeof *m->nodes, &m->nodes));
    OCT_TRY(parse_array(p, m->initializer_count, sizeof *m->initializers, &m->initializers));
    OCT_TRY(parse_array(p, m->initializer_count, sizeof *m->initializer_symbols, &m->initializer_symbols));
    OCT_TRY(parse_array(p, m->input_count, sizeof *m->inputs, &m->inputs));
    return parse_array(p, m->output_count, sizeof *m->outputs, &m->outputs);
}

/* The tensor's elements stay in the file until a node wants them (oct_onnx_tensor_decode); here only their number is checked. */
static oct_status parse_initializer(const parser *p, oct_pb_span body, int i)
{
    oct_onnx_tensor *tensor = &p->model->initializers[i];
    OCT_TRY(oct_onnx_tensor_parse(&p->model->arena, p->file, body, tensor));
    OCT_TRY(symbol_of(p, tensor->name, &p->model->initializer_symbols[i]));
    if (p->model->initializer_symbols[i] != OCT_NO_SYMBOL)
        return OCT_OK;
    return oct_fail(OCT_ERR_FORMAT, "%s: byte %zu: an initializer has no name", p->file->name, body.begin);
}

/* counts: how many nodes, initializers, inputs and outputs have been filled in. */
static oct_status parse_graph_field(const parser *p, const oct_pb_field *field, int counts[4])
{
    oct_pb_span body;
    switch (field->number) {
    case 1:
        OCT_TRY(oct_pb_bytes(p->file, field, "GraphProto.node", &body));
        return parse_node(p, body, &p->model->nodes[counts[0]++]);
    case 5:
        OCT_TRY(oct_pb_bytes(p->file, field, "GraphProto.initializer", &body));
        return parse_initializer(p, body, counts[1]++);
    case 11:
        OCT_TRY(oct_pb_bytes(p->file, field, "GraphProto.input", &body));
        return parse_info(p, body, &p->model->inputs[counts[2]++]);
    case 12:
        OCT_TRY(oct_pb_bytes(p->file, field, "GraphProto.output", &body));
        return parse_info(p, body, &p->model->outputs[counts[3]++]);
    case 15:
        return oct_fail(OCT_ERR_UNSUPPORTED, "%s: byte %zu: sparse initializers are not supported", p->file->name, field->at);
    default:
        return OCT_OK;   /* value_info repeats what the operators say; names and documentation do not concern us */
    }
}

/* Protobuf would merge two graphs into one; no ONNX writer splits it, so a second one is damage. */
static oct_status parse_graph(const parser *p, const oct_pb_field *graph)
{
    oct_pb_span body;
    int counts[4] = {0};
    OCT_TRY(oct_pb_bytes(p->file, graph, "ModelProto.graph", &body));
    if (p->model->has_graph)
        return oct_fail(OCT_ERR_FORMAT, "%s: byte %zu: a second graph", p->file->name, graph->at);
    p->model->has_graph = true;
    OCT_TRY(allocate_graph(p, body));
    oct_pb_reader reader = oct_pb_open(p->file, body);
    for (;;) {
        oct_pb_field field;
        OCT_TRY(oct_pb_next(&reader, &field));
        if (field.number == 0)
            return OCT_OK;
        OCT_TRY(parse_graph_field(p, &field, counts));
    }
}

/* Keeps the version of the standard domain, which goes by two names. */
static oct_status parse_opset(const parser *p, const oct_pb_field *opset)
{
    oct_pb_span body;
    const char *domain = "";
    int64_t version = 0;
    OCT_TRY(oct_pb_bytes(p->file, opset, "ModelProto.opset_import", &body));
    p->model->has_opsets = true;
    oct_pb_reader reader = oct_pb_open(p->file, body);
    oct_pb_field field;
    do {
        OCT_TRY(oct_pb_next(&reader, &field));
        if (field.number == 1)
            OCT_TRY(parse_text(p, &field, "OperatorSetIdProto.domain", &domain));
        else if (field.number == 2)
            OCT_TRY(oct_pb_int(p->file, &field, "OperatorSetIdProto.version", &version));
    } while (field.number != 0);
    if (!*domain || !strcmp(domain, "ai.onnx"))
        p->model->opset = version;
    return OCT_OK;
}

oct_status oct_onnx_model_parse(const oct_pb_file *file, oct_onnx_model *model)
{
    *model = (oct_onnx_model){0};
    const parser p = {file, model};
    oct_pb_reader reader = oct_pb_open(file, (oct_pb_span){0, file->size});
    for (;;) {
        oct_pb_field field;
        OCT_TRY(oct_pb_next(&reader, &field));
        switch (field.number) {
        case 0: return OCT_OK;
        case 7: OCT_TRY(parse_graph(&p, &field)); break;
        case 8: OCT_TRY(parse_opset(&p, &field)); break;
        case 25: model->has_functions = true; break;
        default: break;
        }
    }
}

void oct_onnx_model_free(oct_onnx_model *model)
{
    oct_arena_free(&model->arena);
    oct_free(model->symbols);
    oct_free(model->buckets);
    *model = (oct_onnx_model){0};
}

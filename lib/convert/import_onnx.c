/* import_onnx.c - the driver: symbols and constants first, then the nodes in the file's order, then the outputs.
 *
 *   1. every name gets its definition: initializer, graph input or node output - exactly one (an initializer may repeat an input's
 * name,
 *      as old files have it, and then is the constant)
 *   2. backwards through the nodes: which names must be constants?  A graph input among them is asked for (options.constant)
 *   3. the remaining graph inputs become inputs of the graph
 *   4. every node is checked against its operator's row and lowered
 *   5. outputs, sweep, check
 */
#include "import_onnx.h"

#include <string.h>

#include "format.h"
#include "import_context.h"
#include "import_quantized.h"
#include "memory.h"
#include "model.h"

/* octet speaks opsets 7 to 21. Of older ones it takes the operators whose form has not changed since: a row says from which opset
 * it holds. */
#define OLDEST_OPSET 1
#define NEWEST_OPSET 21

/* Computed constants may take a generous multiple of what the file (and, see oct_import_add_tensor, its side files) hold: a weight
 * may be transposed, scaled and sliced on its way. */
#define BUDGET_BASE ((size_t)256 << 20)
#define BUDGET_FACTOR 16

static const char *symbol_name(const oct_import *im, int symbol) { return im->model.symbols[symbol]; }

/* ------------------------------------------------------------------------------------------------- rows ---- */

const oct_import_row *oct_import_find_row(const oct_import *im, const char *op, bool microsoft, int *since)
{
    const oct_import_table *const tables[] = {&oct_import_spatial_ops, &oct_import_linear_ops, &oct_import_math_ops,
                                              &oct_import_layout_ops, &oct_import_constant_ops,  &oct_import_quantized_ops,
                                              &oct_import_norm_ops};
    const int64_t opset = microsoft ? 1 : im->model.opset;
    const oct_import_row *best = NULL;
    *since = 0;
    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        for (int r = 0; r < tables[t]->count; r++) {
            const oct_import_row *row = &tables[t]->rows[r];
            if (strcmp(row->op, op) != 0 || microsoft != ((row->flags & OCT_ROW_MICROSOFT) != 0))
                continue;
            if (*since == 0 || row->since < *since)
                *since = row->since;
            if (row->since <= opset && (!best || row->since > best->since))
                best = row;
        }
    }
    return best;
}

static bool is_any_of(const char *text, const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(text, list[i]))
            return true;
    return false;
}

/* Why an operator has no row. */
static oct_status refuse_operator(const oct_import *im, int since)
{
    static const char *const subgraphs[] = {"If", "Loop", "Scan", "SequenceMap"};
    const char *op = im->node->op;
    if (since > 0)
        return oct_fail(OCT_ERR_UNSUPPORTED, "the operator is supported from opset %d on, but the model is of opset %lld", since,
                        (long long)im->model.opset);
    if (is_any_of(op, subgraphs, sizeof subgraphs / sizeof subgraphs[0]))
        return oct_fail(OCT_ERR_UNSUPPORTED, "operators with subgraphs are not supported");
    return oct_fail(OCT_ERR_UNSUPPORTED, "the operator is not supported");
}

static bool is_microsoft(const oct_onnx_node *node) { return !strcmp(node->domain, "com.microsoft"); }

static const oct_import_row *row_of(const oct_import *im, const oct_onnx_node *node, int *since)
{
    return oct_import_find_row(im, node->op, is_microsoft(node), since);
}

/* Vendors' operators share names with ONNX's own (com.microsoft has a Gelu and a Conv), so the domain is looked at before the name.
 * */
static oct_status check_domain(const oct_import *im)
{
    const char *domain = im->node->domain;
    int since;
    const bool standard = !*domain || !strcmp(domain, "ai.onnx");
    if (standard && im->model.opset == 0)
        return oct_fail(OCT_ERR_FORMAT, "the model does not say which opset its operators are of");
    if (standard || (is_microsoft(im->node) && row_of(im, im->node, &since)))
        return OCT_OK;
    return oct_fail(OCT_ERR_UNSUPPORTED, "the operator's domain \"%s\" is not supported; only ONNX's own operators are%s", domain,
                    im->model.has_functions ? " (the file's functions must be inlined first)" : "");
}

/* The letters of the rows' attribute lists. */
static char attr_type_letter(int64_t type)
{
    switch (type) {
    case OCT_ATTR_FLOAT: return 'f';
    case OCT_ATTR_INT: return 'i';
    case OCT_ATTR_STRING: return 's';
    case OCT_ATTR_TENSOR: return 't';
    case OCT_ATTR_FLOATS: return 'F';
    case OCT_ATTR_INTS: return 'I';
    default: return '?';
    }
}

/* The type letter of attribute `name` in a row's list "name:type name:type", 0 if it is not there. */
static char listed_type(const char *list, const char *name)
{
    const size_t length = strlen(name);
    for (const char *entry = list; *entry;) {
        const size_t size = strcspn(entry, " ");
        if (size == length + 2 && !strncmp(entry, name, length) && entry[length] == ':')
            return entry[length + 1];
        entry += size + (entry[size] == ' ');
    }
    return 0;
}

/* An attribute that octet does not know may change what the operator computes, so it is never skipped. */
static oct_status check_attributes(const oct_import *im)
{
    const char *list = im->row->attributes;
    for (int i = 0; i < im->node->attr_count; i++) {
        const oct_onnx_attr *attr = &im->node->attrs[i];
        const char type = listed_type(list, attr->name);
        if (!type)
            return oct_fail(OCT_ERR_UNSUPPORTED, "unknown attribute \"%s\"; supported: %s", attr->name, *list ? list : "none");
        if (attr_type_letter(attr->type) != type)
            return oct_fail(OCT_ERR_FORMAT, "attribute \"%s\" is of the wrong type %lld; the types are: %s", attr->name,
                            (long long)attr->type, list);
        for (int other = 0; other < i; other++)
            if (!strcmp(im->node->attrs[other].name, attr->name))
                return oct_fail(OCT_ERR_FORMAT, "attribute \"%s\" is given twice", attr->name);
    }
    return OCT_OK;
}

/* Trailing optional inputs may be missing or named "", those in the middle only named "". The required ones come first. */
static oct_status check_counts(const oct_import *im)
{
    const oct_import_row *row = im->row;
    const oct_onnx_node *node = im->node;
    if (node->in_count < row->min_in || (row->max_in >= 0 && node->in_count > row->max_in))
        return oct_fail(OCT_ERR_FORMAT, "it has %d inputs; with opset %lld it takes %d to %d", node->in_count,
                        (long long)im->model.opset, row->min_in, row->max_in);
    for (int i = 0; i < row->min_in; i++)
        if (node->in[i] == OCT_NO_SYMBOL)
            return oct_fail(OCT_ERR_FORMAT, "input %d is missing", i);
    if (node->out_count < 1 || (row->max_out >= 0 && node->out_count > row->max_out))
        return oct_fail(OCT_ERR_FORMAT, "it has %d outputs instead of 1 to %d", node->out_count, row->max_out);
    return OCT_OK;
}

/* --------------------------------------------------------------------------------------------- symbols ---- */

/* ONNX is in single static assignment form: each name is given a value once. */
static oct_status define(const oct_import *im, int symbol, bool *already)
{
    if (*already)
        return oct_fail(OCT_ERR_FORMAT, "%s: the value \"%s\" is defined twice", im->file->name, symbol_name(im, symbol));
    *already = true;
    return OCT_OK;
}

/* Up to IR version 3 initializers had to be listed among the inputs, as their default; octet takes them for the constants they are.
 * */
static oct_status define_initializers_and_inputs(oct_import *im)
{
    for (int i = 0; i < im->model.initializer_count; i++) {
        const int symbol = im->model.initializer_symbols[i];
        bool already = im->symbols[symbol].initializer != OCT_NONE;
        OCT_TRY(define(im, symbol, &already));
        im->symbols[symbol].initializer = i;
    }
    for (int i = 0; i < im->model.input_count; i++) {
        const int symbol = im->model.inputs[i].symbol;
        OCT_TRY(define(im, symbol, &im->symbols[symbol].is_input));
    }
    return OCT_OK;
}

/* Counts uses, too: an output that nobody uses (Dropout's mask in old files) need not be supported. */
static oct_status define_outputs_and_uses(oct_import *im)
{
    for (int n = 0; n < im->model.node_count; n++) {
        const oct_onnx_node *node = &im->model.nodes[n];
        for (int i = 0; i < node->out_count; i++) {
            if (node->out[i] == OCT_NO_SYMBOL)
                continue;
            oct_import_symbol *symbol = &im->symbols[node->out[i]];
            bool already = symbol->is_computed || symbol->is_input || symbol->initializer != OCT_NONE;
            OCT_TRY(define(im, node->out[i], &already));
            symbol->is_computed = true;
        }
        for (int i = 0; i < node->in_count; i++)
            if (node->in[i] != OCT_NO_SYMBOL)
                im->symbols[node->in[i]].uses++;
    }
    for (int i = 0; i < im->model.output_count; i++)
        im->symbols[im->model.outputs[i].symbol].uses++;
    return OCT_OK;
}

/* Backwards, so that what a wanted constant is computed from is wanted too - but for Shape and Size, which need not know their
 * input. */
static void want_constants(oct_import *im)
{
    /* One pass backwards is enough: in topological order all users of a value stand behind its producer. */
    for (int n = im->model.node_count - 1; n >= 0; n--) {
        const oct_onnx_node *node = &im->model.nodes[n];
        int since;
        const oct_import_row *row = row_of(im, node, &since);
        bool wanted = false;
        for (int i = 0; i < node->out_count; i++)
            wanted |= node->out[i] != OCT_NO_SYMBOL && im->symbols[node->out[i]].wanted;
        for (int i = 0; row && i < node->in_count; i++) {
            const uint32_t bits = i < 32 ? (row->constants | row->preferred) >> i & 1 : 0;
            if (node->in[i] != OCT_NO_SYMBOL && (bits || (wanted && !(row->flags & OCT_ROW_SHAPE_ONLY))))
                im->symbols[node->in[i]].wanted = true;
        }
    }
}

/* ------------------------------------------------------------------------------------------- constants ---- */

/* A constant of the graph from elements of any integer type, bool (u8) or float. Takes data. int8 and uint8 are quantized numbers,
 * which stay as they are; bool is an integer like any other. */
static oct_status add_constant(oct_import *im, const char *name, oct_dtype dtype, bool is_bool, const oct_shape *shape, void *data,
                               int *value)
{
    const int64_t elements = oct_shape_elements(shape);
    if (dtype == OCT_F32 || dtype == OCT_S64 || dtype == OCT_S8 || (dtype == OCT_U8 && !is_bool))
        return oct_graph_add_value(im->graph, name, dtype, shape, data, value);
    int64_t *wide = oct_alloc((size_t)elements, sizeof *wide);
    for (int64_t i = 0; wide && i < elements; i++)
        wide[i] = dtype == OCT_S32 ? ((const int32_t *)data)[i] : ((const uint8_t *)data)[i];
    oct_free(data);
    if (!wide)
        return oct_fail_memory((size_t)elements * sizeof *wide);
    return oct_graph_add_value(im->graph, name, OCT_S64, shape, wide, value);
}

/* Side files are bytes of the model as well, so they raise the budget of computed constants. */
oct_status oct_import_add_tensor(oct_import *im, const char *name, const oct_onnx_tensor *tensor, int *value)
{
    oct_dtype dtype;
    void *data;
    if (tensor->type != OCT_ONNX_FLOAT && tensor->type != OCT_ONNX_INT64 && tensor->type != OCT_ONNX_INT32 &&
        tensor->type != OCT_ONNX_BOOL && tensor->type != OCT_ONNX_DOUBLE && tensor->type != OCT_ONNX_INT8 &&
        tensor->type != OCT_ONNX_UINT8)
        return oct_fail(OCT_ERR_UNSUPPORTED,
                        "the constant \"%s\" is of type %s; supported are float, int64, int32, int8, uint8, bool", name,
                        oct_onnx_type_name(tensor->type));
    OCT_TRY(oct_onnx_tensor_decode(im->file, tensor, im->folder, &dtype, &data));
    if (tensor->external)
        im->budget += BUDGET_FACTOR * tensor->elements * oct_dtype_size(dtype);
    return add_constant(im, name, dtype, tensor->type == OCT_ONNX_BOOL, &tensor->shape, data, value);
}

/* The caller's value for an input must be what the file says of it. */
static oct_status check_given(const oct_import *im, const oct_onnx_info *info, const oct_host_tensor *given)
{
    const char *name = symbol_name(im, info->symbol);
    const int64_t want = given->dtype == OCT_F32   ? OCT_ONNX_FLOAT
                         : given->dtype == OCT_S64 ? OCT_ONNX_INT64
                         : given->dtype == OCT_S32 ? OCT_ONNX_INT32
                         : given->dtype == OCT_U8  ? OCT_ONNX_UINT8
                         : given->dtype == OCT_S8  ? OCT_ONNX_INT8
                                                   : 0;
    bool fits = given->data && given->shape.rank >= 0 && given->shape.rank <= OCT_MAX_RANK &&
                oct_onnx_shape_is_sane(&given->shape) && (!info->has_shape || given->shape.rank == info->shape.rank);
    for (int i = 0; fits && info->has_shape && i < info->shape.rank; i++)
        fits = info->shape.dims[i] < 0 || info->shape.dims[i] == given->shape.dims[i];
    if (!fits)
        return oct_fail(OCT_ERR_ARGUMENT, "the constant given for input \"%s\" has not the shape that the file says", name);
    if (want != info->type)
        return oct_fail(OCT_ERR_ARGUMENT, "the constant given for input \"%s\" is %s, the input is of type %s", name,
                        oct_dtype_name(given->dtype), oct_onnx_type_name(info->type));
    return OCT_OK;
}

/* Asks the caller for the value of an input that should be a constant; the symbol gets it, or stays without. */
static oct_status ask_for_constant(oct_import *im, const oct_onnx_info *info)
{
    const oct_host_tensor *given = NULL;
    const char *name = symbol_name(im, info->symbol);
    if (!im->options->constant || im->options->constant(im->options->user, name, &given) != 1)
        return OCT_OK;
    if (!given)
        return oct_fail(OCT_ERR_ARGUMENT, "the constant given for input \"%s\" is NULL", name);
    OCT_TRY(check_given(im, info, given));
    const size_t bytes = (size_t)oct_shape_elements(&given->shape) * oct_dtype_size(given->dtype);
    void *copy = oct_memdup(given->data, bytes);
    if (!copy)
        return oct_fail_memory(bytes);
    return add_constant(im, name, given->dtype, false, &given->shape, copy, &im->symbols[info->symbol].value);
}

/* --------------------------------------------------------------------------------------- graph inputs ---- */

/* Every shape must be known now: octet plans memory and packs weights for fixed sizes. A first dimension that is unknown is the
 * batch. Some exporters write -1 for unknown. */
static oct_status input_shape(const oct_import *im, const oct_onnx_info *info, oct_shape *shape)
{
    const char *name = symbol_name(im, info->symbol);
    if (!info->has_shape)
        return oct_fail(OCT_ERR_UNSUPPORTED, "input \"%s\" has no shape", name);
    *shape = info->shape;
    for (int i = 0; i < shape->rank; i++) {
        if (shape->dims[i] >= 0)
            continue;
        if (i > 0)
            return oct_fail(OCT_ERR_UNSUPPORTED,
                            "input \"%s\": dimension %d (\"%s\") is unknown; only the first, the batch, may be", name, i,
                            info->params[i]);
        shape->dims[0] = im->options->batch > 0 ? im->options->batch : 1;
    }
    return oct_onnx_shape_is_sane(shape) ? OCT_OK : oct_fail(OCT_ERR_UNSUPPORTED, "input \"%s\" has too many elements", name);
}

static oct_status add_input(oct_import *im, const oct_onnx_info *info)
{
    const char *name = symbol_name(im, info->symbol);
    oct_shape shape;
    int value;
    if (strcmp(info->kind, "tensor") != 0)
        return oct_fail(OCT_ERR_UNSUPPORTED, "input \"%s\" is of kind %s; only tensors are supported", name,
                        *info->kind ? info->kind : "unknown");
    if (info->type != OCT_ONNX_FLOAT && info->type != OCT_ONNX_UINT8)
        return oct_fail(OCT_ERR_UNSUPPORTED, "input \"%s\" is of type %s; only float and uint8 are supported%s", name,
                        oct_onnx_type_name(info->type),
                        im->symbols[info->symbol].wanted ? ", unless its value is given as a constant" : "");
    OCT_TRY(input_shape(im, info, &shape));
    const bool bytes = info->type == OCT_ONNX_UINT8;
    OCT_TRY(oct_graph_add_value(im->graph, name, bytes ? OCT_U8 : OCT_F32, &shape, NULL, &value));
    im->symbols[info->symbol].value = value;
    if (bytes)
        OCT_TRY(oct_import_free_input(im, value));
    return oct_graph_add_input(im->graph, value);
}

/* In the file's order, which becomes the graph's; those that turned out to be constants are left out. */
static oct_status add_inputs(oct_import *im)
{
    for (int i = 0; i < im->model.input_count; i++) {
        const oct_onnx_info *info = &im->model.inputs[i];
        oct_import_symbol *symbol = &im->symbols[info->symbol];
        oct_status status = OCT_OK;
        if (symbol->initializer == OCT_NONE && symbol->wanted)
            status = ask_for_constant(im, info);
        if (status == OCT_OK && symbol->initializer == OCT_NONE && symbol->value == OCT_NONE)
            status = add_input(im, info);
        if (status != OCT_OK)
            return oct_fail_in(status, "%s", im->file->name);
    }
    return OCT_OK;
}

/* ----------------------------------------------------------------------------------------------- nodes ---- */

/* The graph value of a symbol; an initializer is decoded when it is first used. */
static oct_status resolve(oct_import *im, int number, int *value)
{
    oct_import_symbol *symbol = &im->symbols[number];
    if (symbol->value == OCT_NONE && symbol->initializer != OCT_NONE) {
        const oct_onnx_tensor *tensor = &im->model.initializers[symbol->initializer];
        symbol->is_double = tensor->type == OCT_ONNX_DOUBLE;
        OCT_TRY(oct_import_add_tensor(im, symbol_name(im, number), tensor, &symbol->value));
    }
    *value = symbol->value;
    if (*value != OCT_NONE)
        return OCT_OK;
    if (symbol->is_computed)
        return oct_fail(OCT_ERR_FORMAT, "\"%s\" is used before it is computed; nodes must stand in topological order",
                        symbol_name(im, number));
    return oct_fail(OCT_ERR_FORMAT, "\"%s\" is neither an input nor an initializer nor computed by any node",
                    symbol_name(im, number));
}

/* int8 and uint8 are numbers to those operators only that know their scale, or that look at no number. */
static oct_status check_bytes(const oct_import *im, int i)
{
    const oct_dtype dtype = oct_import_dtype(im, im->in[i]);
    const oct_import_symbol *symbol = &im->symbols[im->node->in[i]];
    if ((im->row->flags & OCT_ROW_BYTES) || (dtype != OCT_U8 && dtype != OCT_S8 && !symbol->is_dynamic))
        return OCT_OK;
    return oct_fail(OCT_ERR_UNSUPPORTED,
                    "input %d (\"%s\") is of type %s; of 8-bit integers octet takes those that are quantized floats, and "
                    "computes with them between DequantizeLinear and QuantizeLinear",
                    i, symbol_name(im, im->node->in[i]), dtype == OCT_S8 || symbol->is_signed ? "int8" : "uint8");
}

/* Operators that move bytes hand their meaning on. */
static void hand_on_meaning(oct_import *im)
{
    const int x = im->node->in_count > 0 ? im->node->in[0] : OCT_NO_SYMBOL;
    for (int i = 0; x != OCT_NO_SYMBOL && (im->row->flags & OCT_ROW_BYTES) && i < im->node->out_count; i++)
        if (im->node->out[i] != OCT_NO_SYMBOL) {
            im->symbols[im->node->out[i]].is_signed = im->symbols[x].is_signed;
            im->symbols[im->node->out[i]].is_dynamic = im->symbols[x].is_dynamic;
        }
}

/* The node's operands as graph values, with the demands of its row: constants where constants must be. */
static oct_status resolve_inputs(oct_import *im)
{
    const int count = im->node->in_count;
    if (count > im->in_room) {
        int *grown = oct_grow(im->in, (size_t)im->in_room, (size_t)count, sizeof *grown);
        if (!grown)
            return oct_fail_memory((size_t)count * sizeof *grown);
        im->in = grown;
        im->in_room = count;
    }
    for (int i = 0; i < count; i++) {
        im->in[i] = OCT_NONE;
        if (im->node->in[i] == OCT_NO_SYMBOL)
            continue;
        OCT_TRY(resolve(im, im->node->in[i], &im->in[i]));
        if (im->symbols[im->node->in[i]].is_double && !(im->row->flags & OCT_ROW_DOUBLE))
            return oct_fail(OCT_ERR_UNSUPPORTED,
                            "the constant \"%s\" is of type double; supported are float, int64, int32, int8, uint8, bool",
                            symbol_name(im, im->node->in[i]));
        if (im->symbols[im->node->in[i]].is_place && !(im->row->flags & OCT_ROW_DOUBLE))
            return oct_fail(OCT_ERR_UNSUPPORTED, "the places \"%s\" that ArgMax finds can be outputs or cast to float only",
                            symbol_name(im, im->node->in[i]));
        OCT_TRY(check_bytes(im, i));
        if (i < 32 && (im->row->constants >> i & 1) && !oct_import_is_constant(im, im->in[i]))
            return oct_fail(OCT_ERR_UNSUPPORTED,
                            "input %d (\"%s\") must be a constant: an initializer, or computed from constants only", i,
                            symbol_name(im, im->node->in[i]));
    }
    return OCT_OK;
}

/* A name that is still the handler's becomes the file's; a value that was there before keeps its own (Identity and the like). */
static oct_status name_outputs(oct_import *im, int first_new)
{
    for (int i = 0; i < im->node->out_count; i++) {
        const int symbol = im->node->out[i];
        const int value = symbol == OCT_NO_SYMBOL ? OCT_NONE : im->symbols[symbol].value;
        if (value < first_new)
            continue;
        char *name = oct_strdup(symbol_name(im, symbol));
        if (!name)
            return oct_fail_memory(strlen(symbol_name(im, symbol)) + 1);
        oct_free(im->graph->values[value].name);
        im->graph->values[value].name = name;
    }
    return OCT_OK;
}

/* Domain, row, attributes, operands, then the handler; afterwards every output that somebody uses must have a value. */
static oct_status lower_node(oct_import *im)
{
    int since;
    OCT_TRY(check_domain(im));
    im->row = row_of(im, im->node, &since);
    if (!im->row)
        return refuse_operator(im, since);
    OCT_TRY(check_attributes(im));
    OCT_TRY(check_counts(im));
    OCT_TRY(resolve_inputs(im));
    /* Values from here on are this node's own. */
    const int first_new = im->graph->value_count;
    hand_on_meaning(im);
    OCT_TRY(im->row->lower(im));
    for (int i = 0; i < im->node->out_count; i++)
        if (oct_import_output_used(im, i) && im->symbols[im->node->out[i]].value == OCT_NONE)
            return oct_fail(OCT_ERR_UNSUPPORTED, "its output %d (\"%s\") is not supported", i, symbol_name(im, im->node->out[i]));
    return name_outputs(im, first_new);
}

/* ONNX demands topological order, so one pass is enough and a name that has no value yet is an error. */
static oct_status lower_nodes(oct_import *im)
{
    for (int n = 0; n < im->model.node_count; n++) {
        im->node = &im->model.nodes[n];
        const bool has_output = im->node->out_count > 0 && im->node->out[0] != OCT_NO_SYMBOL;
        im->name = *im->node->name ? im->node->name : has_output ? symbol_name(im, im->node->out[0]) : "";
        const oct_status status = lower_node(im);
        if (status != OCT_OK)   /* what the graph calls a bad argument is the file's fault, not the caller's */
            return oct_fail_in(status == OCT_ERR_ARGUMENT ? OCT_ERR_FORMAT : status, "%s: node \"%s\" (%s)", im->file->name,
                               im->name, im->node->op);
    }
    return OCT_OK;
}

/* --------------------------------------------------------------------------------------------- outputs ---- */

static bool is_output_already(const oct_graph *graph, int value)
{
    for (int i = 0; i < graph->output_count; i++)
        if (graph->outputs[i] == value)
            return true;
    return false;
}

/* An output needs a value of its own name. One that is another's too (an input handed on, a constant, one value under two names)
 * is copied by a reshape to its own shape. */
static oct_status add_output(oct_import *im, const oct_onnx_info *info)
{
    const char *name = symbol_name(im, info->symbol);
    int value;
    OCT_TRY(resolve(im, info->symbol, &value));
    const oct_value *v = &im->graph->values[value];
    const oct_import_symbol *symbol = &im->symbols[info->symbol];
    const int64_t type = symbol->is_place && info->type == OCT_ONNX_INT64       ? OCT_ONNX_FLOAT   /* whole floats */
                         : v->dtype == OCT_F32 && !symbol->is_dynamic           ? OCT_ONNX_FLOAT
                         : v->dtype == OCT_S8 || symbol->is_signed              ? OCT_ONNX_INT8
                         : v->dtype == OCT_U8 || symbol->is_dynamic             ? OCT_ONNX_UINT8
                                                                                : OCT_ONNX_INT64;
    if ((type != OCT_ONNX_FLOAT && type != OCT_ONNX_UINT8) || symbol->is_dynamic ||
        (info->type != type && info->type != 0 && !symbol->is_place))
        return oct_fail(OCT_ERR_UNSUPPORTED, "output \"%s\" is of type %s; only float and uint8 are supported%s", name,
                        oct_onnx_type_name(info->type == OCT_ONNX_FLOAT ? type : info->type),
                        symbol->is_dynamic ? ", and no bytes whose scale is found at run time" : "");
    if (v->producer < 0 || strcmp(v->name, name) != 0 || is_output_already(im->graph, value)) {
        oct_attrs attrs = {.reshape = {.rank = v->shape.rank}};
        for (int i = 0; i < v->shape.rank; i++) {
            if (v->shape.dims[i] > INT32_MAX)
                return oct_fail(OCT_ERR_UNSUPPORTED, "output \"%s\": a dimension of %lld is too large", name,
                                (long long)v->shape.dims[i]);
            attrs.reshape.dims[i] = (int32_t)v->shape.dims[i];
        }
        OCT_TRY(oct_graph_add_node(im->graph, OCT_OP_RESHAPE, name, &attrs, &value, 1, &value));
    }
    return oct_graph_add_output(im->graph, value);
}

/* The sweep takes away what only served the import: folded chains, weights before their transposition. The check is the proof that
 * the handlers kept the graph's rules; it never fails for a good handler, whatever the file. */
static oct_status add_outputs(oct_import *im)
{
    for (int i = 0; i < im->model.output_count; i++) {
        const oct_status status = add_output(im, &im->model.outputs[i]);
        if (status != OCT_OK)
            return oct_fail_in(status, "%s", im->file->name);
    }
    if (oct_graph_sweep(im->graph) < 0)
        return oct_fail_memory((size_t)im->graph->value_count * sizeof(oct_value));
    oct_status status = oct_graph_check(im->graph);
    if (status == OCT_OK)
        status = oct_check_numbers(im->graph);   /* a NaN of a parameter, say: here the file can be named */
    return status == OCT_OK ? OCT_OK : oct_fail_in(status, "%s", im->file->name);
}

/* ---------------------------------------------------------------------------------------------- way in ---- */

/* A file without a graph is most likely no ONNX file: random bytes can be valid protobuf. */
static oct_status check_model(const oct_import *im)
{
    const oct_onnx_model *m = &im->model;
    const char *file = im->file->name;
    if (!m->has_graph)
        return oct_fail(OCT_ERR_FORMAT, "%s: no ONNX model: there is no graph in it", file);
    if (!m->has_opsets)
        return oct_fail(OCT_ERR_FORMAT, "%s: the model does not say which opset its operators are of", file);
    if (m->opset < 0 || m->opset > NEWEST_OPSET)
        return oct_fail(OCT_ERR_UNSUPPORTED, "%s: opset %lld is not supported; opsets 7 to %d are", file, (long long)m->opset,
                        NEWEST_OPSET);
    if (m->output_count == 0)
        return oct_fail(OCT_ERR_FORMAT, "%s: the graph has no output", file);
    return OCT_OK;
}

/* The five steps of the head of this file. */
static oct_status import_model(oct_import *im)
{
    if (im->file->size >= 8 && memcmp(im->file->bytes, OCT_FILE_MAGIC, 8) == 0)
        return oct_fail(OCT_ERR_FORMAT, "%s: is a .oct model already, no ONNX file", im->file->name);
    OCT_TRY(oct_onnx_model_parse(im->file, &im->model));
    OCT_TRY(check_model(im));
    const size_t count = (size_t)im->model.symbol_count;
    im->symbols = oct_alloc(count, sizeof *im->symbols);
    if (!im->symbols)
        return oct_fail_memory(count * sizeof *im->symbols);
    for (size_t i = 0; i < count; i++)
        im->symbols[i].value = im->symbols[i].initializer = OCT_NONE;
    im->budget = BUDGET_BASE + BUDGET_FACTOR * im->file->size;
    OCT_TRY(define_initializers_and_inputs(im));
    OCT_TRY(define_outputs_and_uses(im));
    want_constants(im);
    OCT_TRY(oct_graph_create(&im->graph));
    OCT_TRY(add_inputs(im));
    OCT_TRY(lower_nodes(im));
    OCT_TRY(oct_import_settle_grids(im));
    return add_outputs(im);
}

oct_status oct_import_onnx_memory(const char *name, const char *folder, const void *bytes, size_t size,
                                  const oct_import_options *options, oct_graph **graph)
{
    const oct_import_options defaults = {0};
    const oct_pb_file file = {name, bytes, size};
    oct_import im = {.file = &file, .folder = folder, .options = options ? options : &defaults};
    *graph = NULL;
    if (im.options->batch < 0)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_import_onnx: batch %lld is negative", (long long)im.options->batch);
    const oct_status status = import_model(&im);
    if (status == OCT_OK)
        *graph = im.graph;
    else
        oct_graph_free(im.graph);
    oct_free(im.symbols);
    oct_free(im.in);
    oct_free(im.grids);
    oct_free(im.free_inputs);
    oct_onnx_model_free(&im.model);
    return status;
}

oct_status oct_import_onnx(const char *path, const oct_import_options *options, oct_graph **graph)
{
    if (!path || !graph)
        return oct_fail(OCT_ERR_ARGUMENT, "oct_import_onnx: path or graph is NULL");
    *graph = NULL;
    uint8_t *bytes;
    size_t size;
    OCT_TRY(oct_import_read_file(path, &bytes, &size));
    char *folder = oct_import_folder(path);
    const oct_status status =
        folder ? oct_import_onnx_memory(path, folder, bytes, size, options, graph) : oct_fail_memory(strlen(path) + 1);
    oct_free(folder);
    oct_free(bytes);
    return status;
}

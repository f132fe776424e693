#include "import_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "import_onnx.h"
#include "operators.h"

/* "name:dims" and the like as an input or initializer of the model; appends the name to the node's list. */
static void add_operand(onnx_builder *b, const char *text, char *names, size_t room)
{
    char name[64];
    const size_t length = strcspn(text, ":=#");
    const char kind = text[length];
    snprintf(name, sizeof name, "%.*s", (int)length, text);
    snprintf(names + strlen(names), room - strlen(names), "%s%s", *names ? " " : "", name);
    if (kind == ':')
        onnx_input(b, name, text + length + 1);
    else if (kind == '=')
        onnx_floats(b, name, text + length + 1, NULL);
    else if (kind == '#')
        onnx_ints(b, name, text + length + 1);
}

onnx_bytes one_node_model(const one_node *node)
{
    onnx_builder b;
    char names[512] = "", copy[512];
    onnx_begin(&b, node->opset);
    snprintf(copy, sizeof copy, "%s", node->inputs);
    for (char *text = strtok(copy, " "); text; text = strtok(NULL, " "))
        add_operand(&b, text, names, sizeof names);
    onnx_node(&b, node->op, names, node->outputs, node->attributes);
    snprintf(copy, sizeof copy, "%s", node->outputs);
    for (char *text = strtok(copy, " "); text; text = strtok(NULL, " "))
        if (*text != '_')
            onnx_output(&b, text);
    return onnx_end(&b);
}

oct_status import_bytes(onnx_bytes *model, const oct_import_options *options, oct_graph **graph)
{
    const oct_status status = oct_import_onnx_memory("test.onnx", NULL, model->data, model->size, options, graph);
    free(model->data);
    *model = (onnx_bytes){0};
    return status;
}

static const char *node_name(const oct_node *node)
{
    static const char *const binary[] = {"add", "mul", "sub", "div", "min", "max", "pow"};
    static const char *const reduce[] = {"mean", "sum", "reducemax", "reducemin"};
    switch (node->op) {
    case OCT_OP_UNARY: return oct_function_name(&node->attrs.unary);
    case OCT_OP_BINARY: return binary[node->attrs.binary.fn];
    case OCT_OP_REDUCE: return reduce[node->attrs.reduce.fn];
    default: return oct_operator_of(node->op)->name;
    }
}

const char *graph_ops(const oct_graph *graph)
{
    static char text[1024];
    text[0] = 0;
    for (int n = 0; n < graph->node_count; n++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", n ? " " : "", node_name(&graph->nodes[n]));
    return text;
}

const char *output_shape(const oct_graph *graph, int i)
{
    static char text[4][OCT_SHAPE_TEXT];
    return oct_shape_text(&graph->values[graph->outputs[i]].shape, text[i & 3], sizeof text[0]);
}

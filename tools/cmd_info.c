/* octet info - a model's inputs, outputs and layers, and how they run here.
 *
 * Half of it is the model's (operators, shapes, precisions, sizes in the file), half the session's (kernels, arena,
 * packed weights): the same file may run differently on another machine or with another --isa.
 *
 * --passes shows the optimiser at work: on an ONNX file, or on a .oct file that `octet import --no-optimize` has written; all else
 * is then about the optimised network.
 */
#include <string.h>

#include "commands.h"
#include "data.h"
#include "engine.h"
#include "json.h"
#include "octet_convert.h"
#include "summary.h"
#include "table.h"

#include <string.h>

/* The command line. */
typedef struct info_options {
    bool as_json, passes;
    engine_options engine;
} info_options;

/* A model and a session of it, as the printing functions take them. */
typedef struct subject {
    const char *path;
    oct_model *model;
    oct_session *session;
    oct_session_info run;
    summary sum;
    oct_optimize_report report;   /* --passes; else count 0 */
} subject;

/* What the session does on top of the optimiser's passes, where it plans its memory: the last row of --passes. */
static oct_pass_info placed(const subject *s)
{
    return (oct_pass_info){"concat-in-place", "inputs of concatenations written where they belong by the nodes before them",
                           (int)s->run.in_place};
}

/* The plain network of an ONNX file, or whatever a .oct file holds; only float ones can be optimised. */
static bool load_graph(const char *path, oct_graph **graph, failure *why)
{
    const size_t length = strlen(path);
    if (length > 5 && !strcmp(path + length - 5, ".onnx"))
        return oct_import_onnx(path, NULL, graph) == OCT_OK || fail_library(why, path);
    oct_model *model = NULL;
    summary sum;
    bool ok = oct_model_load(path, &model) == OCT_OK || fail_library(why, path);
    ok = ok && summary_of_model(model, path, &sum, why);
    if (ok && sum.int8_layers > 0)
        ok = fail_with(why, "%s: is quantized; the passes work on float networks, before quantization", path);
    ok = ok && (oct_graph_from_model(model, graph) == OCT_OK || fail_library(why, path));
    oct_model_free(model);
    return ok;
}

/* A model of the optimised graph, and what each pass did to it. */
static bool optimize_subject(subject *s, failure *why)
{
    oct_graph *graph = NULL;
    bool ok = load_graph(s->path, &graph, why);
    ok = ok && ((oct_optimize(graph, &s->report) == OCT_OK && oct_model_from_graph(graph, &s->model) == OCT_OK) ||
                fail_library(why, s->path));
    oct_graph_free(graph);
    return ok;
}

/* A session is made although nothing is run: only it knows kernels, arena and packed sizes. */
static bool open_subject(subject *s, const char *path, const info_options *o, failure *why)
{
    *s = (subject){.path = path};
    const oct_options options = engine_session_options(&o->engine);
    if (o->passes && !optimize_subject(s, why))
        return false;
    if ((!o->passes && oct_model_load(path, &s->model) != OCT_OK) ||
        oct_session_create(s->model, &options, &s->session) != OCT_OK || oct_session_describe(s->session, &s->run) != OCT_OK)
        return fail_library(why, path);
    return summary_of_model(s->model, path, &s->sum, why);
}

/* Also after an open_subject that failed half way. */
static void close_subject(subject *s)
{
    oct_session_free(s->session);
    oct_model_free(s->model);
}

/* A layer as the model has it and as this session runs it. */
static bool layer_at(const subject *s, size_t index, oct_layer_info *layer, oct_layer_run *how, failure *why)
{
    return (oct_model_layer(s->model, index, layer) == OCT_OK && oct_session_layer(s->session, index, how) == OCT_OK) ||
           fail_library(why, s->path);
}

/* ------------------------------------------------------------------------------------------------ JSON ---- */

/* Scale and zero point only where they mean something. */
static void json_tensor(json *j, const oct_tensor_info *info)
{
    json_object(j, NULL);
    json_text(j, "name", info->name);
    json_text(j, "dtype", oct_dtype_name(info->dtype));
    json_integers(j, "shape", info->shape.dims, info->shape.rank);
    if (info->dtype == OCT_U8) {
        json_number(j, "scale", (double)info->scale);
        json_integer(j, "zero_point", info->zero_point);
    }
    json_close(j);
}

/* "in" and "out" are the inner NHWC shapes; "macs" is 0 for layers that do not multiply. */
static void json_layer(json *j, const oct_layer_info *layer, const oct_layer_run *how)
{
    json_object(j, NULL);
    json_text(j, "name", layer->name);
    json_text(j, "op", layer->op);
    json_text(j, "act", layer->act);
    json_bool(j, "fused_residual", layer->fused_residual);
    json_text(j, "precision", layer->precision);
    json_integers(j, "in", layer->in.dims, layer->in.rank);
    json_integers(j, "out", layer->out.dims, layer->out.rank);
    json_text(j, "out_dtype", oct_dtype_name(layer->out_dtype));
    json_integer(j, "macs", layer->macs);
    json_integer(j, "weight_bytes", (int64_t)layer->weight_bytes);
    json_text(j, "algo", how->algo);
    json_text(j, "kernel", how->kernel);
    json_integer(j, "bytes_moved", (int64_t)how->bytes_moved);
    json_close(j);
}

/* Inputs and outputs. The indices are in range, so neither call can fail. */
static void json_tensors(json *j, const oct_model *model)
{
    oct_tensor_info info;
    json_array(j, "inputs");
    for (size_t i = 0; i < oct_model_input_count(model); i++)
        if (oct_model_input(model, i, &info) == OCT_OK)
            json_tensor(j, &info);
    json_close(j);
    json_array(j, "outputs");
    for (size_t i = 0; i < oct_model_output_count(model); i++)
        if (oct_model_output(model, i, &info) == OCT_OK)
            json_tensor(j, &info);
    json_close(j);
}

/* Those that found nothing to do, too. */
static void json_passes(json *j, const subject *s)
{
    json_array(j, "passes");
    for (int i = 0; i <= s->report.count; i++) {
        const oct_pass_info pass = i < s->report.count ? s->report.passes[i] : placed(s);
        json_object(j, NULL);
        json_text(j, "name", pass.name);
        json_text(j, "what", pass.what);
        json_integer(j, "changes", pass.changes);
        json_close(j);
    }
    json_close(j);
}

/* Line by line. */
static void json_notes(json *j, const char *notes)
{
    char line[1024];
    json_array(j, "notes");
    while (*notes) {
        const size_t length = strcspn(notes, "\n");
        snprintf(line, sizeof line, "%.*s", (int)(length < sizeof line ? length : sizeof line - 1), notes);
        json_text(j, NULL, line);
        notes += length + (notes[length] == '\n');
    }
    json_close(j);
}

/* The notes but for those on single tensors, which are in the JSON. */
static void print_notes(const char *notes)
{
    failure line;   /* for its cleaning of control characters */
    while (*notes) {
        const size_t length = strcspn(notes, "\n");
        fail_with(&line, "%.*s", (int)(length < 400 ? length : 400), notes);
        if (strncmp(notes, "range ", 6) != 0)
            printf("  %-12s%s\n", "note", line.text);
        notes += length + (notes[length] == '\n');
    }
}

/* Everything that the text shows, unabridged. */
static bool print_json(const subject *s, failure *why)
{
    json j;
    json_begin(&j, stdout);
    json_object(&j, NULL);
    json_text(&j, "octet", oct_version());
    json_text(&j, "model", s->path);
    json_integer(&j, "file_bytes", s->sum.file_bytes);
    json_text(&j, "precision", s->sum.precision);
    json_tensors(&j, s->model);
    if (s->report.count > 0)
        json_passes(&j, s);
    json_array(&j, "layers");
    for (size_t i = 0; i < oct_model_layer_count(s->model); i++) {
        oct_layer_info layer;
        oct_layer_run how;
        if (!layer_at(s, i, &layer, &how, why))
            return false;
        json_layer(&j, &layer, &how);
    }
    json_close(&j);
    json_notes(&j, oct_model_notes(s->model));
    json_object(&j, "totals");
    json_integer(&j, "layers", s->sum.layers);
    json_integer(&j, "int8_layers", s->sum.int8_layers);
    json_integer(&j, "macs", s->sum.macs);
    json_integer(&j, "int8_macs", s->sum.int8_macs);
    json_integer(&j, "weight_bytes", (int64_t)s->sum.weight_bytes);
    json_close(&j);
    json_object(&j, "session");
    json_text(&j, "isa", s->run.isa);
    json_integer(&j, "threads", s->run.threads);
    json_integer(&j, "arena_bytes", (int64_t)s->run.arena_bytes);
    json_integer(&j, "arena_bound", (int64_t)s->run.arena_bound);
    json_integer(&j, "packed_bytes", (int64_t)s->run.packed_bytes);
    json_integer(&j, "in_place", (int64_t)s->run.in_place);
    json_end(&j);
    return true;
}

/* ------------------------------------------------------------------------------------------------ text ---- */

/* A layer with what is fused into it, "conv+add+relu", and the kernel that does it. */
static void layer_cells(table *t, const oct_layer_info *layer, const oct_layer_run *how)
{
    char shape[160], text[40];
    table_cell(t, "%s", layer->name);
    table_cell(t, "%s%s%s%s", layer->op, layer->fused_residual ? "+add" : "", *layer->act ? "+" : "", layer->act);
    table_cell(t, "%s", data_shape_text(&layer->out, shape, sizeof shape));
    table_cell(t, "%s", layer->precision);
    table_cell(t, "%s", layer->macs ? table_count((double)layer->macs, text, sizeof text) : "-");
    table_cell(t, "%s", layer->weight_bytes ? table_bytes((double)layer->weight_bytes, text, sizeof text) : "-");
    /* A layer whose result is another tensor's memory has no kernel; its algorithm says so. */
    table_cell(t, "%s", *how->kernel ? how->kernel : how->algo);
}

/* One row per layer; names and kernels may be cut to fit the terminal, the figures never. */
static bool print_layers(const subject *s, failure *why)
{
    static const table_column columns[] = {{"layer", TABLE_SHRINK}, {"operator", TABLE_SHRINK}, {"output", 0}, {"type", 0},
                                           {"MACs", TABLE_RIGHT},   {"weights", TABLE_RIGHT},   {"runs as", TABLE_SHRINK}};
    table *t = table_create(columns, 7);
    bool ok = true;
    for (size_t i = 0; i < oct_model_layer_count(s->model) && ok; i++) {
        oct_layer_info layer;
        oct_layer_run how;
        ok = layer_at(s, i, &layer, &how, why);
        if (ok)
            layer_cells(t, &layer, &how);
    }
    if (ok)
        table_print(t, stdout);
    table_free(t);
    return ok;
}

/* What each pass of the optimiser did; those that found nothing to do, too. */
static void print_passes(const subject *s)
{
    static const table_column columns[] = {{"pass", 0}, {"changes", TABLE_RIGHT}, {"what it does", TABLE_SHRINK}};
    table *t = table_create(columns, 3);
    for (int i = 0; i <= s->report.count; i++) {
        const oct_pass_info pass = i < s->report.count ? s->report.passes[i] : placed(s);
        table_cell(t, "%s", pass.name);
        table_cell(t, "%d", pass.changes);
        table_cell(t, "%s", pass.what);
    }
    table_print(t, stdout);
    table_free(t);
    printf("\n");
}

/* Summary, session, passes, layers. */
static bool print_text(const subject *s, failure *why)
{
    char arena[40], bound[40], packed[40];
    printf("%s\n", s->path);
    if (!summary_print(s->model, &s->sum, why))
        return false;
    print_notes(oct_model_notes(s->model));
    printf("  %-12s%s, %d thread%s: arena %s (no arena can be below %s), packed weights %s\n\n", "session", s->run.isa,
           s->run.threads, s->run.threads == 1 ? "" : "s", table_bytes((double)s->run.arena_bytes, arena, sizeof arena),
           table_bytes((double)s->run.arena_bound, bound, sizeof bound),
           table_bytes((double)s->run.packed_bytes, packed, sizeof packed));
    if (s->report.count > 0)
        print_passes(s);
    return print_layers(s, why);
}

int cmd_info(int argc, char **argv)
{
    info_options o = {0};
    const arg_option options[] = {
        {"--passes", .kind = ARG_FLAG, .to = &o.passes,
         .help = "optimise the model (ONNX, or a plain .oct) and show what each pass did"},
        {"--json", .kind = ARG_FLAG, .to = &o.as_json, .help = "as one JSON object, with every shape and size in full"},
        {0},
    };
    arg_option engine[ENGINE_OPTION_ROWS];
    engine_option_rows(&o.engine, engine);
    const arg_spec spec = {
        .command = "octet info",
        .usage = "MODEL.oct [--passes] [--json] [--isa NAME] [--threads N] [--no-winograd]",
        .about = "Shows the model's inputs, outputs and layers, and how each layer runs in a session\n"
                 "of this machine. Shapes of layers are those inside: N x H x W x C.\n",
        .word = "MODEL.oct",
        .min_words = 1,
        .max_words = 1,
        .groups = {options, engine},
    };
    int words, status;
    failure why;
    if (!parse_command(&spec, argc, argv, &words, &o.engine, NULL, &status))
        return status;
    subject s;
    bool ok = open_subject(&s, argv[0], &o, &why);
    if (ok)
        ok = o.as_json ? print_json(&s, &why) : print_text(&s, &why);
    close_subject(&s);
    return ok ? EXIT_WORKED : report_failure(&spec, &why);
}

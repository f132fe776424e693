/* octet verify - the test folders of the ONNX project, and others made like them:
 *
 *     DIR/model.onnx
 *     DIR/test_data_set_0/input_0.pb ...    one TensorProto per graph input
 *     DIR/test_data_set_0/output_0.pb ...   what must come out
 *
 * These models hand everything in as graph inputs, also weights, shapes and axes. The importer asks for those that it needs as
 * constants; they come from the same input files, and the model then has fewer inputs.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "compare.h"
#include "data.h"
#include "engine.h"
#include "octet_convert.h"

/* The command line. */
typedef struct verify_options {
    double rtol, atol;
    engine_options engine;
} verify_options;

/* In the order in which they are counted and printed. */
typedef enum verdict { PASS, FAIL, REFUSED, VERDICT_COUNT } verdict;
static const char *const verdict_names[VERDICT_COUNT] = {"PASS", "FAIL", "REFUSED"};

/* Writes the sentence and hands the verdict on. */
static verdict because(verdict v, failure *why, const char *format, ...) __attribute__((format(printf, 3, 4)));
static verdict because(verdict v, failure *why, const char *format, ...)
{
    char sentence[sizeof why->text];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    fail_with(why, "%s", sentence);
    return v;
}

/* Far more than any operator has inputs. */
#define MAX_TENSORS 64

/* A tensor file. One that could not be read matters only if somebody needs it: the importer's sentence about a model that takes
 * strings is better than this program's about a file of strings. */
typedef struct stored {
    oct_host_tensor tensor;
    bool readable, used;
    failure why;
} stored;

typedef struct test_set {
    stored inputs[MAX_TENSORS], outputs[MAX_TENSORS];
    int input_count, output_count;
} test_set;

/* ------------------------------------------------------------------------------------------- test sets ---- */

/* FOLDER/NAME; false if it does not fit. */
static bool join(char *path, size_t size, const char *folder, const char *name)
{
    return (size_t)snprintf(path, size, "%s/%s", folder, name) < size;
}

/* KIND_0.pb, KIND_1.pb, ... until one is missing. */
static int read_tensors(const char *folder, const char *kind, stored *list)
{
    int count = 0;
    for (; count < MAX_TENSORS; count++) {
        char name[64], path[4096];
        snprintf(name, sizeof name, "%s_%d.pb", kind, count);
        if (!join(path, sizeof path, folder, name) || access(path, F_OK) != 0)
            break;
        stored *s = &list[count];
        s->readable = oct_read_tensor_pb(path, &s->tensor) == OCT_OK;
        if (!s->readable)
            fail_with(&s->why, "%s: %s", name, oct_error());
    }
    return count;
}

static void free_set(test_set *set)
{
    if (!set)
        return;
    for (int i = 0; i < set->input_count; i++)
        oct_host_tensor_free(&set->inputs[i].tensor);
    for (int i = 0; i < set->output_count; i++)
        oct_host_tensor_free(&set->outputs[i].tensor);
    free(set);
}

/* NULL if memory is short. */
static test_set *read_set(const char *folder)
{
    test_set *set = calloc(1, sizeof *set);
    if (set) {
        set->input_count = read_tensors(folder, "input", set->inputs);
        set->output_count = read_tensors(folder, "output", set->outputs);
    }
    return set;
}

/* By name; a file without a name can only be meant by its place, and that only counts if no constant has shifted the places. */
static stored *find_tensor(stored *list, int count, const char *name, size_t place, size_t places)
{
    for (int i = 0; i < count; i++)
        if (list[i].readable && !strcmp(list[i].tensor.name, name))
            return &list[i];
    if (places == (size_t)count && place < places && (!list[place].readable || list[place].tensor.name[0] == '\0'))
        return &list[place];
    return NULL;
}

/* oct_import_options.constant */
static int give_constant(void *user, const char *name, const oct_host_tensor **tensor)
{
    test_set *set = user;
    stored *s = find_tensor(set->inputs, set->input_count, name, 0, 0);
    if (!s)
        return 0;
    s->used = true;
    *tensor = &s->tensor;
    return 1;
}

/* ----------------------------------------------------------------------------------------- one road ---- */

/* The two ways a model can take: the graph as imported, run from memory; optimised, written as a file and loaded again. */
typedef struct road {
    const char *name;
    bool optimised;
} road;

static const road roads[] = {{"as imported", false}, {"optimised", true}};

/* A runnable model by one of the roads. */
static oct_status make_model(const oct_graph *graph, const road *way, oct_model **model)
{
    if (!way->optimised)
        return oct_model_from_graph(graph, model);
    void *bytes = NULL;
    size_t size = 0;
    oct_status status = oct_save_memory(graph, &bytes, &size);
    if (status == OCT_OK)
        status = oct_model_load_memory(bytes, size, model);
    oct_buffer_free(bytes);
    return status;
}

/* Only the importer's "unsupported" is a refusal; a file it calls damaged, or a pass that breaks, is a failure. */
static verdict import(const char *path, const road *way, test_set *set, oct_model **model, failure *why)
{
    oct_graph *graph = NULL;
    const oct_import_options options = {.constant = give_constant, .user = set};
    oct_status status = oct_import_onnx(path, &options, &graph);
    const bool refused = status == OCT_ERR_UNSUPPORTED;
    if (status == OCT_OK && way->optimised)
        status = oct_optimize(graph, NULL);
    if (status == OCT_OK)
        status = make_model(graph, way, model);
    oct_graph_free(graph);
    if (status == OCT_OK)
        return PASS;
    /* The line begins with the folder already. */
    const char *sentence = oct_error();
    const size_t length = strlen(path);
    if (!strncmp(sentence, path, length) && sentence[length] == ':')
        sentence += length + 1 + strspn(sentence + length + 1, " ");
    return because(refused ? REFUSED : FAIL, why, "%s", sentence);
}

/* Is this stored tensor one that can be handed to, or compared with, the model's? */
static verdict check_tensor(const stored *s, const oct_tensor_info *info, failure *why)
{
    char a[160], b[160];
    if (!s)
        return because(FAIL, why, "no file carries \"%s\"", info->name);
    if (!s->readable)
        return because(REFUSED, why, "%s", s->why.text);
    const bool places = s->tensor.dtype == OCT_S64 && info->dtype == OCT_F32;   /* ArgMax's integers come out as floats */
    if (!places && (s->tensor.dtype != info->dtype || (info->dtype != OCT_F32 && info->dtype != OCT_U8)))
        return because(REFUSED, why, "\"%s\" is %s in the model and %s in its file; f32 and u8 can be compared", info->name,
                       oct_dtype_name(info->dtype), oct_dtype_name(s->tensor.dtype));
    const oct_shape *have = &s->tensor.shape, *want = &info->shape;
    if (have->rank == want->rank && !memcmp(have->dims, want->dims, (size_t)have->rank * sizeof have->dims[0]))
        return PASS;
    return because(FAIL, why, "\"%s\" is %s in the model and %s in its file", info->name, data_shape_text(want, a, sizeof a),
                   data_shape_text(have, b, sizeof b));
}

/* The inputs that are left after the constants have been taken out. */
static verdict set_inputs(oct_session *session, const oct_model *model, test_set *set, failure *why)
{
    const size_t count = oct_model_input_count(model);
    for (size_t i = 0; i < count; i++) {
        oct_tensor_info info;
        if (oct_model_input(model, i, &info) != OCT_OK)
            return because(FAIL, why, "%s", oct_error());
        const stored *s = find_tensor(set->inputs, set->input_count, info.name, i, count);
        if (s && s->readable && s->tensor.dtype != info.dtype)
            return because(REFUSED, why, "\"%s\" is %s in the model and %s in its file", info.name, oct_dtype_name(info.dtype),
                           oct_dtype_name(s->tensor.dtype));
        const verdict v = check_tensor(s, &info, why);
        if (v != PASS)
            return v;
        if (oct_set_input(session, i, s->tensor.data, info.bytes) != OCT_OK)
            return because(FAIL, why, "%s", oct_error());
    }
    return PASS;
}

static float number_at(const void *data, oct_dtype dtype, size_t i)
{
    if (dtype == OCT_F32)
        return ((const float *)data)[i];
    return dtype == OCT_U8 ? ((const uint8_t *)data)[i] : (float)((const int64_t *)data)[i];
}

/* Integers are compared as the numbers they are. */
static bool compare_tensor(comparison *errors, const void *have, const oct_host_tensor *want, const oct_tensor_info *info)
{
    float *numbers = malloc(2 * (info->elements + 1) * sizeof *numbers);
    if (!numbers)
        return false;
    for (size_t i = 0; i < info->elements; i++) {
        numbers[i] = number_at(have, info->dtype, i);
        numbers[info->elements + i] = number_at(want->data, want->dtype, i);
    }
    compare_add(errors, numbers, numbers + info->elements, (int64_t)info->elements);
    free(numbers);
    return true;
}

/* Compares all outputs; `errors` goes on over both roads and all data sets. */
static verdict check_outputs(const oct_session *session, const oct_model *model, test_set *set, comparison *errors, failure *why)
{
    const size_t count = oct_model_output_count(model);
    if (count != (size_t)set->output_count)
        return because(FAIL, why, "the model has %zu outputs, the folder %d", count, set->output_count);
    for (size_t i = 0; i < count; i++) {
        oct_tensor_info info;
        if (oct_model_output(model, i, &info) != OCT_OK)
            return because(FAIL, why, "%s", oct_error());
        const stored *s = find_tensor(set->outputs, set->output_count, info.name, i, count);
        const verdict v = check_tensor(s, &info, why);
        if (v != PASS)
            return v;
        /* The comparison sums up everything so far; the difference is this output's part. */
        const int64_t before = errors->beyond;
        if (!compare_tensor(errors, oct_output_data(session, i), &s->tensor, &info))
            return because(FAIL, why, "out of memory");
        if (errors->beyond > before)
            return because(FAIL, why, "\"%s\": %lld of %zu elements are off, max abs error %.3g, max rel error %.3g", info.name,
                           (long long)(errors->beyond - before), info.elements, errors->max_abs, errors->max_element_rel);
    }
    return PASS;
}

/* One session, one run, all outputs compared. */
static verdict run_model(const verify_options *o, const oct_model *model, test_set *set, comparison *errors, failure *why)
{
    oct_session *session = NULL;
    const oct_options options = engine_session_options(&o->engine);
    if (oct_session_create(model, &options, &session) != OCT_OK)
        return because(FAIL, why, "%s", oct_error());
    verdict v = set_inputs(session, model, set, why);
    if (v == PASS && oct_run(session) != OCT_OK)
        v = because(FAIL, why, "%s", oct_error());
    if (v == PASS)
        v = check_outputs(session, model, set, errors, why);
    oct_session_free(session);
    return v;
}

/* ---------------------------------------------------------------------------------------------- folders ---- */

/* One data set on both roads. The constants may differ from set to set, so each imports anew. */
static verdict verify_set(const verify_options *o, const char *model_path, const char *folder, comparison *errors, failure *why)
{
    test_set *set = read_set(folder);
    if (!set)
        return because(FAIL, why, "out of memory");
    verdict v = set->output_count > 0 ? PASS : because(FAIL, why, "%s: no output_0.pb", folder);
    for (size_t r = 0; r < sizeof roads / sizeof roads[0] && v == PASS; r++) {
        oct_model *model = NULL;
        v = import(model_path, &roads[r], set, &model, why);
        if (v == PASS)
            v = run_model(o, model, set, errors, why);
        oct_model_free(model);
        if (v == FAIL) {
            const failure inner = *why;
            fail_with(why, "%s: %s", roads[r].name, inner.text);
        }
    }
    free_set(set);
    return v;
}

/* Data sets 0, 1, ... until one does not exist; the first that does not pass decides. */
static verdict verify_folder(const verify_options *o, const char *folder, comparison *errors, failure *why)
{
    char model[4096], set[4096], name[64];
    verdict v = PASS;
    compare_start(errors, o->rtol, o->atol);
    if (!join(model, sizeof model, folder, "model.onnx") || access(model, R_OK) != 0)
        return because(FAIL, why, "no model.onnx in it");
    for (int i = 0; v == PASS; i++) {
        snprintf(name, sizeof name, "test_data_set_%d", i);
        if (!join(set, sizeof set, folder, name) || access(set, F_OK) != 0) {
            if (i == 0)
                return because(FAIL, why, "no test_data_set_0 in it");
            break;
        }
        v = verify_set(o, model, set, errors, why);
    }
    return v;
}

/* Exactly one line per folder. */
static verdict print_verdict(const verify_options *o, const char *folder)
{
    comparison errors;
    failure why;
    const verdict v = verify_folder(o, folder, &errors, &why);
    printf("%-8s %s  ", verdict_names[v], folder);
    if (v == PASS)
        printf("max abs error %.3g, max rel error %.3g\n", errors.max_abs, errors.max_element_rel);
    else
        printf("%s\n", why.text);
    fflush(stdout);
    return v;
}

int cmd_verify(int argc, char **argv)
{
    verify_options o = {.rtol = 1e-3, .atol = 1e-7};
    const arg_option options[] = {
        {"--rtol", .kind = ARG_REAL, .to = &o.rtol, .value = "R", .max = INT64_MAX, .help = "default 1e-3"},
        {"--atol", .kind = ARG_REAL, .to = &o.atol, .value = "A", .max = INT64_MAX, .help = "default 1e-7"},
        {0},
    };
    arg_option engine[ENGINE_OPTION_ROWS];
    engine_option_rows(&o.engine, engine);
    const arg_spec spec = {
        .command = "octet verify",
        .usage = "DIR.. [--rtol R] [--atol A] [--isa NAME] [--threads N] [--no-winograd]",
        .about = "Runs ONNX test folders: DIR/model.onnx on DIR/test_data_set_*/input_*.pb must give\n"
                 "output_*.pb, |y - expected| <= A + R * |expected| for every element, once as imported\n"
                 "and once optimised, saved and loaded. The tolerances are those of ONNX's own runner.\n"
                 "One line per folder: PASS, FAIL, or REFUSED with what octet does not support. The exit\n"
                 "status is 0 if all pass.\n",
        .word = "DIR",
        .min_words = 1,
        .max_words = -1,
        .groups = {options, engine},
    };
    int words, status, counts[VERDICT_COUNT] = {0};
    if (!parse_command(&spec, argc, argv, &words, &o.engine, NULL, &status))
        return status;
    for (int i = 0; i < words; i++)
        counts[print_verdict(&o, argv[i])]++;
    if (words > 1)
        printf("%d passed, %d failed, %d refused\n", counts[PASS], counts[FAIL], counts[REFUSED]);
    return counts[PASS] == words ? EXIT_WORKED : EXIT_FAILED;
}

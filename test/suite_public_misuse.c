/* Every call of octet.h, and the saving calls, used wrongly: a status, one sentence that says what is wrong, NULL out pointers,
 * no crash. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "octet_convert.h"

static void expect_failure(oct_status status, oct_status expected, const char *words, int line)
{
    if (status != expected || !strstr(oct_error(), words) || strchr(oct_error(), '\n'))
        test_fail(__FILE__, line, "%s, and not %s that says \"%s\": %s", oct_status_name(status), oct_status_name(expected), words,
                  oct_error());
}

#define REFUSED(call, words) expect_failure(call, OCT_ERR_ARGUMENT, words, __LINE__)
#define FAILS(call, status, words) expect_failure(call, status, words, __LINE__)

/* y = relu(x), 2 x 3. */
static oct_graph *small_graph(void)
{
    oct_graph *graph;
    if (oct_graph_create(&graph) != OCT_OK)
        return NULL;
    oct_build_output(graph, "y", oct_build_relu(graph, "relu", oct_build_input(graph, "x", &(oct_shape){2, {2, 3}})));
    return graph;
}

static void models(void)
{
    oct_graph *graph = small_graph();
    oct_model *model = (oct_model *)&graph;
    oct_tensor_info info;
    oct_layer_info layer;
    REFUSED(oct_model_load(NULL, &model), "path is NULL");
    CHECK(!model);
    REFUSED(oct_model_load("x.oct", NULL), "model is NULL");
    REFUSED(oct_model_load_memory(NULL, 5, &model), "bytes is NULL");
    REFUSED(oct_model_load_memory("abc", 3, NULL), "model is NULL");
    FAILS(oct_model_load_memory("abc", 3, &model), OCT_ERR_FORMAT, "3 bytes");
    FAILS(oct_model_load_memory("abc", 0, &model), OCT_ERR_FORMAT, "0 bytes");
    CHECK(!model && oct_model_input_count(NULL) == 0 && oct_model_output_count(NULL) == 0 && oct_model_layer_count(NULL) == 0);
    oct_model_free(NULL);
    CHECK_OK(oct_model_from_graph(graph, &model));
    CHECK(oct_model_input_count(model) == 1 && oct_model_output_count(model) == 1 && oct_model_layer_count(model) == 1);
    REFUSED(oct_model_input(model, 1, &info), "input 1 of 1");
    CHECK(info.name == NULL && info.bytes == 0);
    REFUSED(oct_model_input(NULL, 0, &info), "model is NULL");
    REFUSED(oct_model_input(model, 0, NULL), "info is NULL");
    REFUSED(oct_model_output(model, (size_t)-1, &info), "output 18446744073709551615 of 1");
    REFUSED(oct_model_output(NULL, 0, &info), "model is NULL");
    REFUSED(oct_model_output(model, 0, NULL), "info is NULL");
    REFUSED(oct_model_layer(model, 1, &layer), "layer 1 of 1");
    REFUSED(oct_model_layer(NULL, 0, &layer), "model is NULL");
    REFUSED(oct_model_layer(model, 0, NULL), "info is NULL");
    CHECK_OK(oct_model_input(model, 0, &info));
    CHECK(!strcmp(info.name, "x") && info.elements == 6 && info.bytes == 24 && info.dtype == OCT_F32 && info.scale == 0);
    oct_model_free(model);
    oct_graph_free(graph);
}

static void instruction_sets(void)
{
    oct_isa_info isa;
    REFUSED(oct_isa(oct_isa_count(), &isa), "instruction set");
    REFUSED(oct_isa(0, NULL), "info is NULL");
    int defaults = 0;
    for (size_t i = 0; i < oct_isa_count(); i++) {
        CHECK_OK(oct_isa(i, &isa));
        CHECK(isa.name && isa.needs && (isa.compiled || !isa.available) && (isa.available || !isa.is_default));
        defaults += isa.is_default;
    }
    CHECK(defaults == 1);
    CHECK_OK(oct_isa(0, &isa));
    CHECK(!strcmp(isa.name, "scalar") && isa.available);
}

static void sessions_to_create(void)
{
    oct_graph *graph = small_graph();
    oct_model *model;
    oct_session *session = (oct_session *)&graph;
    CHECK_OK(oct_model_from_graph(graph, &model));
    REFUSED(oct_session_create(NULL, NULL, &session), "model is NULL");
    CHECK(!session);
    REFUSED(oct_session_create(model, NULL, NULL), "session is NULL");
    REFUSED(oct_session_create(model, &(oct_options){.threads = -1}, &session), "-1 threads");
    REFUSED(oct_session_create(model, &(oct_options){.threads = OCT_MAX_THREADS + 1}, &session), "257 threads");
    FAILS(oct_session_create(model, &(oct_options){.isa = "avx1024"}, &session), OCT_ERR_UNSUPPORTED, "avx1024");
    CHECK(!session && strstr(oct_error(), "available: scalar") != NULL);
    FAILS(oct_session_create(model, &(oct_options){.isa = ""}, &session), OCT_ERR_UNSUPPORTED, "available: scalar");
    oct_session_free(NULL);
    oct_model_free(model);
    oct_graph_free(graph);
}

static void sessions_to_use(void)
{
    oct_graph *graph = small_graph();
    oct_model *model;
    oct_session *session;
    oct_session_info info;
    oct_layer_run run;
    float x[6] = {-1, 2, -3, 4, -5, 6}, y[6];
    CHECK_OK(oct_model_from_graph(graph, &model));
    CHECK_OK(oct_session_create(model, &(oct_options){.isa = test_isa(), .threads = 1}, &session));
    REFUSED(oct_run(NULL), "session is NULL");
    REFUSED(oct_run(session), "input 0 (x) was never set");
    REFUSED(oct_set_input(NULL, 0, x, sizeof x), "session is NULL");
    REFUSED(oct_set_input(session, 0, NULL, sizeof x), "data is NULL");
    REFUSED(oct_set_input(session, 1, x, sizeof x), "input 1 of 1");
    REFUSED(oct_set_input(session, 0, x, 20), "20 bytes for input 0 (x), which has 24");
    REFUSED(oct_run(session), "never set");
    CHECK_OK(oct_set_input(session, 0, x, sizeof x));
    REFUSED(oct_get_output(session, 0, y, sizeof y), "oct_run first");
    CHECK_OK(oct_run(session));
    REFUSED(oct_get_output(NULL, 0, y, sizeof y), "session is NULL");
    REFUSED(oct_get_output(session, 0, NULL, sizeof y), "data is NULL");
    REFUSED(oct_get_output(session, 1, y, sizeof y), "output 1 of 1");
    REFUSED(oct_get_output(session, 0, y, 28), "28 bytes for output 0 (y), which has 24");
    CHECK_OK(oct_get_output(session, 0, y, sizeof y));
    CHECK(y[0] == 0 && y[5] == 6);
    CHECK(!oct_output_data(NULL, 0) && !oct_output_data(session, 1) && oct_output_data(session, 0));
    REFUSED(oct_session_describe(NULL, &info), "session is NULL");
    REFUSED(oct_session_describe(session, NULL), "info is NULL");
    REFUSED(oct_session_layer(NULL, 0, &run), "session is NULL");
    REFUSED(oct_session_layer(session, 0, NULL), "run is NULL");
    REFUSED(oct_session_layer(session, 1, &run), "layer 1 of 1");
    oct_session_free(session);
    oct_model_free(model);
    oct_graph_free(graph);
}

static void saving(void)
{
    oct_graph *graph = small_graph(), *failed, *none = graph;
    oct_model *model;
    void *bytes = &graph;
    size_t size = 1;
    REFUSED(oct_save_memory(NULL, &bytes, &size), "graph is NULL");
    CHECK(!bytes && size == 0);
    REFUSED(oct_save_memory(graph, NULL, &size), "bytes is NULL");
    REFUSED(oct_save_memory(graph, &bytes, NULL), "size is NULL");
    REFUSED(oct_save(NULL, "x.oct"), "graph is NULL");
    REFUSED(oct_save(graph, NULL), "path is NULL");
    REFUSED(oct_model_from_graph(NULL, &model), "graph is NULL");
    REFUSED(oct_model_from_graph(graph, NULL), "model is NULL");
    REFUSED(oct_graph_from_model(NULL, &none), "model is NULL");
    CHECK(!none);
    CHECK_OK(oct_model_from_graph(graph, &model));
    REFUSED(oct_graph_from_model(model, NULL), "graph is NULL");
    oct_model_free(model);
    oct_buffer_free(NULL);
    oct_graph_free(NULL);
    oct_graph_free(graph);
    CHECK_OK(oct_graph_create(&failed));
    oct_build_relu(failed, "early", 3);
    REFUSED(oct_model_from_graph(failed, &model), "early");
    CHECK(!model);
    oct_graph_free(failed);
    CHECK_OK(oct_graph_create(&failed));
    CHECK(oct_model_from_graph(failed, &model) != OCT_OK && !model);  /* no outputs */
    oct_graph_free(failed);
}

static void names_of_numbers(void)
{
    CHECK(!strcmp(oct_status_name(OCT_OK), "ok") && !strcmp(oct_dtype_name((oct_dtype)99), "?") &&
          oct_dtype_size((oct_dtype)0) == 0);
    CHECK(oct_status_name((oct_status)1234) != NULL && oct_error() != NULL && !strcmp(oct_version(), OCT_VERSION));
}

static const test_case cases[] = {
    {"models", models},   {"instruction_sets", instruction_sets}, {"sessions_to_create", sessions_to_create},
    {"sessions_to_use", sessions_to_use}, {"saving", saving},     {"names_of_numbers", names_of_numbers},
};

static void __attribute__((constructor)) add_suite(void) { test_register("public_misuse", cases, TEST_COUNT(cases)); }

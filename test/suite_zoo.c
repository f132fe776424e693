/* The model zoo: as large as the literature says, sane from end to end, the same for the same seed; and the command that writes it.
 */
#include "harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "operators.h"
#include "shell.h"
#include "zoo/zoo.h"

/* ------------------------------------------------------------------------------------------------ sizes ---- */

/* On the graph itself: a model would copy the weights, half a gigabyte for VGG. */
static double macs_of(const oct_graph *graph)
{
    double sum = 0;
    for (int n = 0; n < graph->node_count; n++) {
        const oct_operator *row = oct_operator_of(graph->nodes[n].op);
        sum += row && row->macs ? (double)row->macs(graph, &graph->nodes[n]) : 0;
    }
    return sum;
}

/* The largest have half a gigabyte of weights: nothing for an emulator. */
static bool too_large_here(const zoo_network *network) { return shell_is_emulated() && network->million_macs > 1000; }

/* The published figures have four or five digits. */
static void macs_are_the_published_ones(void)
{
    for (size_t i = 0; i < zoo_count(); i++) {
        const zoo_network *network = zoo_at(i);
        oct_graph *graph;
        failure why;
        if (too_large_here(network))
            continue;
        CHECK_MSG(zoo_float(network, ZOO_SEED, &graph, &why), "%s", why.text);
        const double million = 1e-6 * macs_of(graph);
        oct_graph_free(graph);
        CHECK_MSG(fabs(million / network->million_macs - 1) < 2e-4, "%s: %.4f M multiply-accumulates, not %.4g M", network->name,
                  million, network->million_macs);
    }
}

/* The figures again, apart from the table that the bench prints. */
static void the_table_has_the_papers_figures(void)
{
    static const struct {
        const char *name;
        double million;
    } papers[] = {{"MobileNetV2", 300.8}, {"InceptionV3", 5713}, {"ResNet50", 4089}, {"ResNet101", 7801},
                  {"ResNet152", 11514},   {"VGG16", 15470},      {"VGG19", 19632}};
    for (int i = 0; i < TEST_COUNT(papers); i++) {
        const zoo_network *network = zoo_find(papers[i].name);
        CHECK_MSG(network != NULL, "%s is missing", papers[i].name);
        CHECK(network->million_macs == papers[i].million);
    }
}

/* Only whole names count, or "resnet" would be a lottery. */
static void names_in_many_spellings(void)
{
    CHECK(zoo_find("mobilenet_v2") == zoo_find("MobileNet-V2") && zoo_find("mobilenet_v2") != NULL);
    CHECK(zoo_find("SqueezeNet1.1") != NULL && !strcmp(zoo_find("SqueezeNet1.1")->name, "squeezenet1_1"));
    CHECK(zoo_find("resnet") == NULL && zoo_find("resnet500") == NULL && zoo_find("") == NULL && zoo_find("_") == NULL);
}

/* -------------------------------------------------------------------------------------- float against int8 ---- */

/* Output 0 for one input; to be freed. */
static float *answer(const oct_graph *graph, const float *input, size_t *elements)
{
    const oct_options options = {.isa = test_isa(), .threads = 1};
    oct_model *model = NULL;
    oct_session *session = NULL;
    oct_tensor_info in, out;
    float *y = NULL;
    if (oct_model_from_graph(graph, &model) == OCT_OK && oct_model_input(model, 0, &in) == OCT_OK &&
        oct_model_output(model, 0, &out) == OCT_OK && oct_session_create(model, &options, &session) == OCT_OK &&
        oct_set_input(session, 0, input, in.bytes) == OCT_OK && oct_run(session) == OCT_OK) {
        y = malloc(out.bytes);
        *elements = out.elements;
        if (y && oct_get_output(session, 0, y, out.bytes) != OCT_OK) {
            free(y);
            y = NULL;
        }
    }
    oct_session_free(session);
    oct_model_free(model);
    return y;
}

/* In double: a sum of a thousand squares in float would lose digits that the comparison needs. */
static double mean_of_products(const float *a, const float *b, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)a[i] * (double)b[i];
    return sum / (double)count;
}

/* A NaN in either makes the cosine a NaN, which fails. */
static void compare_answers(const char *name, const float *f32, const float *int8, size_t count)
{
    const double squares = mean_of_products(f32, f32, count);
    const double cosine = mean_of_products(f32, int8, count) / sqrt(squares * mean_of_products(int8, int8, count));
    CHECK_MSG(squares > 1e-4 && squares < 100, "%s: the output has a mean square of %g", name, squares);
    CHECK_MSG(cosine > 0.98, "%s: float and int8 answers have the cosine %g", name, cosine);
}

/* No activation vanishes or explodes on the way, and every layer with weights has become int8. */
static void check_ranges(const char *name, const oct_graph *quantized)
{
    for (int v = 0; v < quantized->value_count; v++) {
        const oct_value *value = &quantized->values[v];
        const float range = 255 * value->scale;
        CHECK_MSG(value->dtype != OCT_U8 || (range > 0.1f && range < 40), "%s: %s has the range %g", name, value->name,
                  (double)range);
    }
    for (int n = 0; n < quantized->node_count; n++) {
        const oct_node *node = &quantized->nodes[n];
        const bool weighted = node->op == OCT_OP_CONV || node->op == OCT_OP_DENSE;
        CHECK_MSG(!weighted || quantized->values[node->in[OCT_IN_X]].dtype == OCT_U8, "%s: %s is not int8", name, node->name);
    }
}

/* The input is a fresh one, not one of the calibration. */
static void check_network(const char *name)
{
    const zoo_network *network = zoo_find(name);
    oct_graph *graph, *quantized;
    failure why;
    size_t inputs = 1, count = 0, count8 = 0;
    CHECK(network != NULL);
    CHECK_MSG(zoo_float(network, ZOO_SEED, &graph, &why), "%s", why.text);
    CHECK_OK(oct_graph_check(graph));
    CHECK_MSG(zoo_int8(network, graph, ZOO_SEED, &quantized, &why), "%s", why.text);
    check_ranges(name, quantized);
    for (int i = 0; i < 3; i++)
        inputs *= (size_t)network->input[i];
    float *x = malloc(inputs * sizeof *x);
    CHECK(x != NULL);
    for (size_t i = 0; i < inputs; i++)
        x[i] = test_uniform(-1, 1);
    float *f32 = answer(graph, x, &count), *int8 = answer(quantized, x, &count8);
    CHECK_MSG(f32 && int8 && count == count8, "%s: %s", name, test_last_error());
    compare_answers(name, f32, int8, count);
    free(f32);
    free(int8);
    free(x);
    oct_graph_free(quantized);
    oct_graph_free(graph);
}

/* Small enough for an emulator. */
static void tiny_networks_are_sane(void)
{
    static const char *const names[] = {"kws", "ic", "vww", "ad"};
    for (int i = 0; i < TEST_COUNT(names) && !test_failed(); i++)
        check_network(names[i]);
}

/* One of each family; VGG's way of building is SqueezeNet's. */
static void small_networks_are_sane(void)
{
    static const char *const names[] = {"mobilenet_v2", "mobilenet_v3_large", "squeezenet1_1", "resnet18"};
    if (shell_is_emulated()) {
        test_skip("a thousand times as much work as the tiny networks, and every instruction is emulated");
        return;
    }
    for (int i = 0; i < TEST_COUNT(names) && !test_failed(); i++)
        check_network(names[i]);
}

/* ------------------------------------------------------------------------------------------------- seeds ---- */

/* The bytes of a float model made from a seed; to be released with oct_buffer_free. */
static void *saved(uint32_t seed, size_t *size)
{
    oct_graph *graph;
    failure why;
    void *bytes = NULL;
    if (zoo_float(zoo_find("ic"), seed, &graph, &why) && oct_save_memory(graph, &bytes, size) != OCT_OK)
        bytes = NULL;
    oct_graph_free(graph);
    return bytes;
}

static void a_seed_makes_the_weights(void)
{
    size_t size[3] = {0};
    void *bytes[3] = {saved(7, &size[0]), saved(7, &size[1]), saved(8, &size[2])};
    CHECK(bytes[0] && bytes[1] && bytes[2] && size[0] == size[1] && size[0] == size[2]);
    CHECK(!memcmp(bytes[0], bytes[1], size[0]));
    CHECK(memcmp(bytes[0], bytes[2], size[0]));
    for (int i = 0; i < 3; i++)
        oct_buffer_free(bytes[i]);
}

/* ------------------------------------------------------------------------------------------------ command ---- */

static void the_command_lists_them(void)
{
    if (!shell_has_octet())
        return;
    const shell_result *r = shell_run("$bench zoo");
    CHECK(r->status == 0 && r->err[0] == '\0');
    for (size_t i = 0; i < zoo_count(); i++)
        CHECK_MSG(strstr(r->out, zoo_at(i)->name) != NULL, "%s is not listed", zoo_at(i)->name);
}

/* The files are ordinary models: the other command reads them. */
static void the_command_writes_one(void)
{
    if (!shell_has_octet())
        return;
    const char *f32 = shell_path("zoo-kws.oct"), *int8 = shell_path("zoo-kws.int8.oct");
    CHECK(shell_run("$bench zoo KWS -o %s", f32)->status == 0);
    CHECK(shell_run("$bench zoo kws --int8 --seed 5 -o %s", int8)->status == 0);
    const shell_result *r = shell_run("$octet info %s", f32);
    CHECK_MSG(r->status == 0 && strstr(r->out, "2.66 M MACs") && !strstr(r->out, "int8"), "%s", r->out);
    r = shell_run("$octet info %s", int8);
    CHECK_MSG(r->status == 0 && strstr(r->out, "2.66 M MACs") && strstr(r->out, "int8"), "%s", r->out);
}

/* What is wrong with the call exits with 2; so does an output that cannot be written, which is found before the work. */
static void the_command_refuses(void)
{
    static const char *const calls[] = {"zoo resnet51", "zoo kws ic", "zoo --int8", "zoo -o x.oct", "zoo kws --seed 0"};
    if (!shell_has_octet())
        return;
    for (int i = 0; i < TEST_COUNT(calls); i++) {
        const shell_result *r = shell_run("$bench %s", calls[i]);
        CHECK_MSG(r->status == 2 && shell_is_line(r->err, "octet-bench zoo: "), "%s: %d, %s", calls[i], r->status, r->err);
    }
    const shell_result *r = shell_run("$bench zoo kws -o %s/x.oct", shell_path("no-such-folder"));
    CHECK_MSG(r->status == 2 && shell_is_line(r->err, "octet-bench zoo: -o ") && strstr(r->err, "cannot be written"), "%d, %s",
              r->status, r->err);
}

/* A network's name stands for both of its models, which are a pair. */
static void models_takes_a_name(void)
{
    if (!shell_has_octet())
        return;
    if (shell_is_emulated()) {
        test_skip("measuring under an emulator takes minutes");
        return;
    }
    const shell_result *r = shell_run("$bench models kws --seconds 0.05 --json -");
    CHECK_MSG(r->status == 0 && shell_is_json(r->out), "%d, %s", r->status, r->err);
    CHECK(strstr(r->out, "\"kws\"") && strstr(r->out, "\"f32\"") && strstr(r->out, "\"int8-static\""));
    CHECK(shell_json_number(r->out, "speedup") > 0);
}

static const test_case cases[] = {
    {"macs_are_the_published_ones", macs_are_the_published_ones},
    {"the_table_has_the_papers_figures", the_table_has_the_papers_figures},
    {"names_in_many_spellings", names_in_many_spellings},
    {"tiny_networks_are_sane", tiny_networks_are_sane},
    {"small_networks_are_sane", small_networks_are_sane},
    {"a_seed_makes_the_weights", a_seed_makes_the_weights},
    {"the_command_lists_them", the_command_lists_them},
    {"the_command_writes_one", the_command_writes_one},
    {"the_command_refuses", the_command_refuses},
    {"models_takes_a_name", models_takes_a_name},
};
static void __attribute__((constructor)) add_suite(void) { test_register("zoo", cases, TEST_COUNT(cases)); }

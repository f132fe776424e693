/* The bench: its statistics against known answers, its shapes, its bounds, and the command as a user meets it. Nothing here asserts
 * a speed. */
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "kernel_case.h"
#include "measure.h"
#include "octet_convert.h"
#include "peak.h"
#include "shell.h"
#include "stats.h"

static bool near(double a, double b) { return fabs(a - b) <= 1e-12 * (1 + fabs(b)); }

/* ------------------------------------------------------------------------------------------ statistics ---- */

static void medians_and_quantiles(void)
{
    double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2}, sorted[] = {0, 10, 20, 30, 40};
    CHECK(near(stats_median(odd, 3), 2));
    CHECK(near(stats_median(even, 4), 2.5));
    CHECK(near(stats_median(NULL, 0), 0));
    CHECK(near(stats_quantile(sorted, 5, 0), 0));
    CHECK(near(stats_quantile(sorted, 5, 1), 40));
    CHECK(near(stats_quantile(sorted, 5, 0.05), 2));
    CHECK(near(stats_quantile(sorted, 5, 0.95), 38));
}

/* Few enough values to know the distribution of the median: of two values 0 and 1, draws have the medians 0, 0.5, 1 with chances
 * 1/4, 1/2, 1/4, so the interval must be all of [0, 1]. Of equal values it is a point. */
static void bootstrap_of_few(void)
{
    double one[] = {7}, equal[] = {5, 5, 5, 5}, two[] = {1, 0};
    stats_interval i = stats_bootstrap(one, 1);
    CHECK(near(i.lo, 7) && near(i.median, 7) && near(i.hi, 7));
    i = stats_bootstrap(equal, 4);
    CHECK(near(i.lo, 5) && near(i.median, 5) && near(i.hi, 5));
    i = stats_bootstrap(two, 2);
    CHECK(near(i.lo, 0) && near(i.median, 0.5) && near(i.hi, 1));
}

/* Of 0..100 the ranks of the median's interval are 50 +- 1.96 sqrt(101) / 2 = 40.2 .. 59.8. */
static void bootstrap_of_many(void)
{
    double values[101];
    for (int i = 0; i < 101; i++)
        values[(i * 37) % 101] = i;
    const stats_interval i = stats_bootstrap(values, 101);
    CHECK(near(i.median, 50));
    CHECK_MSG(i.lo >= 38 && i.lo <= 42 && i.hi >= 58 && i.hi <= 62, "interval %g .. %g", i.lo, i.hi);
}

/* The true median must lie inside about 95 % of the intervals. */
static void bootstrap_covers(void)
{
    int inside = 0;
    for (int set = 0; set < 300; set++) {
        double values[25];
        for (int i = 0; i < 25; i++)
            values[i] = (double)test_uniform(0, 1);
        const stats_interval i = stats_bootstrap(values, 25);
        inside += i.lo <= 0.5 && i.hi >= 0.5;
    }
    CHECK_MSG(inside >= 267 && inside <= 299, "%d of 300 intervals hold the true median", inside);
}

/* ------------------------------------------------------------------------------------------- measuring ---- */

typedef struct visit_log {
    int order[4096];
    int count;
} visit_log;

typedef struct logged_item {
    visit_log *log;
    int number;
} logged_item;

/* Notes the visits, not the runs: two runs of the same item in a row are one visit. Takes long enough to be visited one run at a
 * time. */
static void run_logged(void *arg)
{
    const logged_item *item = arg;
    visit_log *log = item->log;
    if (log->count < 4096 && (log->count == 0 || log->order[log->count - 1] != item->number))
        log->order[log->count++] = item->number;
    const double start = measure_now();
    while (measure_now() - start < 30e-6)
        continue;
}

static void rounds_go_there_and_back(void)
{
    static visit_log log;
    log.count = 0;
    logged_item items[3] = {{&log, 0}, {&log, 1}, {&log, 2}};
    measure_item group[3];
    measure_result results[3];
    measure_info info;
    for (int i = 0; i < 3; i++)
        group[i] = (measure_item){run_logged, &items[i], 1};
    CHECK(measure_group(group, 3, 0.05, results, &info));
    CHECK(info.rounds >= MEASURE_MIN_ROUNDS);
    for (int i = 0; i < 3; i++) {
        CHECK(results[i].p5 > 0 && results[i].p5 <= results[i].median && results[i].median <= results[i].p95);
        CHECK(results[i].lo > 0 && results[i].lo <= results[i].hi);
    }
    /* Warm-up 0 1 2, then rounds a b c c b a: neighbours that are equal melt together, so a round leaves five entries, or four if
     * the round before it ended as it begins. The orders are random: every item follows every other. */
    int follows[3][3] = {{0}};
    for (int i = 1; i < log.count; i++)
        follows[log.order[i - 1]][log.order[i]]++;
    const int rounds = info.rounds + info.disturbed - info.kept_disturbed;
    CHECK_MSG(log.count >= 3 + 4 * rounds && log.count <= 3 + 5 * rounds, "%d visits in %d rounds", log.count, rounds);
    for (int i = 0; i < 9 && rounds >= 20; i++)
        CHECK_MSG(i % 4 == 0 || follows[i / 3][i % 3] > 0, "%d never follows %d", i % 3, i / 3);
    const stats_interval same = measure_speedup(&results[1], &results[1], &info);
    CHECK(near(same.median, 1) && near(same.lo, 1 - MEASURE_REPEAT_RATIO) && near(same.hi, 1 + MEASURE_REPEAT_RATIO));
    measure_free(results, 3);
}

static void note_member(void *arg, int member, int members)
{
    int *seen = arg;
    if (members == 3)
        seen[member]++;
}

static void a_team_runs_every_member(void)
{
    affinity cpus;
    affinity_read(&cpus);
    CHECK(cpus.count >= 1);
    team *t = team_create(&cpus, 3);
    CHECK(t != NULL && team_members(t) == 3);
    int seen[3] = {0};
    for (int i = 0; i < 50; i++)
        team_run(t, note_member, seen);
    team_free(t);
    CHECK(seen[0] == 50 && seen[1] == 50 && seen[2] == 50);
    CHECK(case_part(10, 0, 3) == 0 && case_part(10, 1, 3) == 3 && case_part(10, 2, 3) == 6 && case_part(10, 3, 3) == 10);
}

static void bounds_name_what_bounds(void)
{
    const peaks p = {.threads = 1,
                     .isa_count = 1,
                     .isas = {{"scalar", 1e9, 4e9}},
                     .bandwidth = {100e9, 50e9, 20e9, 10e9},
                     .level_bytes = {1000, 10000, 100000, SIZE_MAX}};
    CHECK(peak_level_of(&p, 1000) == PEAK_L1 && peak_level_of(&p, 1001) == PEAK_L2 && peak_level_of(&p, 1000000) == PEAK_DRAM);
    peak_bound b = peak_bound_of(&p, &(peak_work){.isa = "scalar", .ops = 2e6, .bytes = 900, .level = PEAK_L1});
    CHECK(near(b.seconds, 2e-3) && !strcmp(b.name, "compute"));
    b = peak_bound_of(&p, &(peak_work){.isa = "scalar", .int8 = true, .ops = 2e6, .bytes = 900, .level = PEAK_L1});
    CHECK(near(b.seconds, 0.5e-3));
    b = peak_bound_of(
        &p, &(peak_work){
                .isa = "scalar", .ops = 1000, .bytes = 1000000, .level = PEAK_DRAM, .near_bytes = 50000, .near_level = PEAK_L2});
    CHECK(near(b.seconds, 1e-4 + 1e-6) && !strcmp(b.name, "dram"));
}

/* --------------------------------------------------------------------------------------------- shapes ---- */

static const bench_shape *find_shape(const shape_list *list, const char *name)
{
    for (int i = 0; i < list->count; i++)
        if (!strcmp(list->shapes[i].name, name))
            return &list->shapes[i];
    return NULL;
}

static void check_shape(const shape_list *list, const char *name, size_t m, size_t n, size_t k)
{
    const bench_shape *s = find_shape(list, name);
    CHECK_MSG(s != NULL, "no shape is called %s", name);
    CHECK_MSG(s->m == m && s->n == n && s->k == k, "%s is %zu x %zu x %zu", name, s->m, s->n, s->k);
}

/* Sizes from the papers' tables. */
static void shapes_are_those_of_the_networks(void)
{
    static shape_list list;
    shapes_fill(&list);
    CHECK(list.count < SHAPES_MAX);
    check_shape(&list, "resnet50.layer1.0.conv2", 56 * 56, 64, 576);
    check_shape(&list, "resnet50.layer4.1.conv1", 7 * 7, 512, 2048);
    check_shape(&list, "mobilenet_v1.block13.depthwise", 7 * 7, 1024, 9);
    check_shape(&list, "mobilenet_v2.features.18", 7 * 7, 1280, 320);
    check_shape(&list, "vgg16.conv5_1", 14 * 14, 512, 4608);
    check_shape(&list, "vgg16.fc6", 1, 4096, 25088);
    check_shape(&list, "inception_v3.stem.Conv2d_4a", 71 * 71, 192, 720);
    check_shape(&list, "inception_v3.Mixed_6e.branch7x7_2", 17 * 17, 192, 192 * 7);
    check_shape(&list, "inception_v3.avgpool", 1, 2048, 64);
    for (int i = 0; i < list.count; i++)
        CHECK_MSG(find_shape(&list, list.shapes[i].name) == &list.shapes[i], "two shapes are called %s", list.shapes[i].name);
}

/* Each kind of shape can be computed in both types; the small ones are run. */
static void every_shape_has_a_kernel(void)
{
    static shape_list list;
    shapes_fill(&list);
    const oct_kernels *kernels = oct_kernels_get(test_isa(), ~0u);
    CHECK(kernels != NULL);
    affinity cpus;
    affinity_read(&cpus);
    team *t = team_create(&cpus, 2);
    CHECK(t != NULL);
    for (int i = 0; i < list.count; i++)
        for (int int8 = 0; int8 < 2; int8++) {
            int ways = 0;
            for (const case_maker *maker = case_makers; maker->algo; maker++) {
                if (!maker->accepts(&list.shapes[i], kernels, int8))
                    continue;
                ways++;
                if (shape_ops(&list.shapes[i]) > 2e6)
                    continue;
                kernel_case c = {.shape = &list.shapes[i], .kernels = kernels, .int8 = int8, .team = t};
                CHECK(case_make(&c, maker));
                case_run(&c);
                CHECK(c.bytes > 0 && c.kernel != NULL);
                case_free(&c);
            }
            CHECK_MSG(ways > 0, "nothing computes %s", list.shapes[i].name);
        }
    team_free(t);
}

/* --------------------------------------------------------------------------------------------- command ---- */

static void check_usage_error(const char *arguments)
{
    const shell_result *r = shell_run("$bench %s", arguments);
    CHECK_MSG(r->status == 2, "\"%s\" exits with %d: %s", arguments, r->status, r->err);
    CHECK_MSG(shell_is_line(r->err, "octet-bench") && r->out[0] == '\0', "\"%s\" does not say one line: %s", arguments, r->err);
}

static void wrong_arguments_exit_with_2(void)
{
    static const char *const wrong[] = {"",
                                        "nonsense",
                                        "models",
                                        "models x.oct --isa z80",
                                        "models x.oct --threads 0",
                                        "models x.oct --threads 1,two",
                                        "models x.oct --seconds -1",
                                        "models x.oct --seconds",
                                        "kernels --filter no_such_layer",
                                        "kernels stray",
                                        "kernels --threads 100000",
                                        "peak --nonsense",
                                        "demo one.oct",
                                        "demo one.oct two.oct"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0] && !test_failed(); i++)
        check_usage_error(wrong[i]);
}

/* What the call got wrong stands in the line, and so does something that would be right. */
static void wrong_names_list_what_is_possible(void)
{
    static const struct {
        const char *arguments, *names, *possible;
    } wrong[] = {{"models nosuch", "nosuch", "resnet50"},
                 {"models kws --scheme int4", "int4", "int8-dynamic"},
                 {"models kws --isa z80", "z80", "scalar"},
                 {"models kws --threads 0", "--threads 0", "1.."},
                 {"models kws --json /no/such/folder/x", "/no/such/folder/x", "a file in a folder of yours"},
                 {"explain nosuch", "nosuch", "resnet50"},
                 {"explain kws ic", "kws ic", "FLOAT.oct INT8.oct"},
                 {"explain kws --scheme f32", "f32", "int8-static"},
                 {"explain kws --isa all", "all", "scalar"},
                 {"explain kws --threads 100000", "100000", "1.."},
                 {"explain kws --csv /no/such/folder/x", "/no/such/folder/x", "a file in a folder of yours"},
                 {"paper --model alexnet", "alexnet", "vgg16"},
                 {"paper --isa z80", "z80", "scalar"},
                 {"paper --threads no", "no", "1.."},
                 {"paper --json /no/such/folder/x", "/no/such/folder/x", "a file in a folder of yours"},
                 {"kernels --isa z80", "z80", "scalar"},
                 {"kernels --filter nosuch", "nosuch", "depthwise"},
                 {"peak --threads 100000", "100000", "1.."},
                 {"zoo nosuch", "nosuch", "resnet50"},
                 {"zoo kws -o /no/such/folder/x.oct", "/no/such/folder/x.oct", "a file in a folder of yours"},
                 {"demo nosuch.oct b.oct --test t --labels l", "nosuch.oct", "resnet50"}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0] && !test_failed(); i++) {
        check_usage_error(wrong[i].arguments);
        if (test_failed())
            return;
        const shell_result *r = shell_run("$bench %s", wrong[i].arguments);
        CHECK_MSG(strstr(r->err, wrong[i].names) && strstr(r->err, wrong[i].possible), "\"%s\": %s", wrong[i].arguments, r->err);
    }
}

/* Every help fits a terminal of 80 columns. */
static void helps_fit_80_columns(void)
{
    static const char *const names[] = {"", "explain", "paper", "models", "kernels", "peak", "zoo", "report", "compare", "demo"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const shell_result *r = shell_run("$bench help %s", names[i]);
        CHECK(r->status == 0);
        for (const char *line = r->out; *line; line += strcspn(line, "\n") + 1)
            CHECK_MSG(strcspn(line, "\n") <= 80, "%s: %.*s", names[i], (int)strcspn(line, "\n"), line);
    }
}

static void help_and_missing_files(void)
{
    const shell_result *r = shell_run("$bench help");
    CHECK(r->status == 0 && strstr(r->out, "kernels"));
    r = shell_run("$bench models --help");
    CHECK(r->status == 0 && strstr(r->out, "--layers"));
    r = shell_run("$bench models no_such_file.oct");
    CHECK(r->status == 2 && shell_is_line(r->err, "octet-bench models: ") && strstr(r->err, "no_such_file.oct"));
    CHECK_MSG(strstr(r->err, "resnet50") != NULL, "the networks are not listed: %s", r->err);
    r = shell_run("$bench peak --json /no/such/folder/x.json");
    CHECK(r->status == 2 && strstr(r->err, "/no/such/folder/x.json"));
}

static bool save_small_model(const char *path)
{
    static float weights[8 * 9 * 3];
    oct_graph *graph;
    if (oct_graph_create(&graph) != OCT_OK)
        return false;
    for (int i = 0; i < 8 * 9 * 3; i++)
        weights[i] = test_uniform(-1, 1);
    const oct_value_id x = oct_build_input(graph, "input", &(oct_shape){4, {1, 12, 12, 3}});
    const oct_conv_desc desc = {.out_channels = 8, .kernel = {3, 3}, .pad = {1, 1, 1, 1}};
    const oct_value_id conv = oct_build_conv(graph, "conv", x, &desc, weights, NULL);
    oct_build_output(graph, "output", oct_build_global_average_pool(graph, "mean", conv));
    const bool ok = oct_graph_status(graph) == OCT_OK && oct_save(graph, path) == OCT_OK;
    oct_graph_free(graph);
    return ok;
}

static void check_keys(const char *text, const char *const *keys)
{
    CHECK(shell_is_json(text));
    for (; *keys; keys++) {
        char quoted[64];
        snprintf(quoted, sizeof quoted, "\"%s\":", *keys);
        CHECK_MSG(strstr(text, quoted) != NULL, "no %s in %.300s", quoted, text);
    }
}

static const char *const machine_keys[] = {"octet",     "schema",        "machine", "cpu", "cores", "isas", "peaks", "f32_gflops",
                                           "u8s8_gops", "bandwidth_gbs", "l1",      "l2",  "l3",    "dram", NULL};

static void models_write_the_schema(void)
{
    const char *path = shell_path("small.oct");
    CHECK_MSG(save_small_model(path), "%s: %s", path, test_last_error());
    const shell_result *r = shell_run("$bench models %s %s --seconds 0.02 --json -", path, path);
    CHECK_MSG(r->status == 0, "exit code %d: %s", r->status, r->err);
    check_keys(r->out, machine_keys);
    check_keys(r->out,
               (const char *const[]){"models", "model", "scheme", "isa", "threads", "median_ms", "p5_ms", "p95_ms", "first_ms",
                                     "cold_ms", "arena_bytes", "weight_bytes", "percent_of_peak", "layers", "pairs", NULL});
    CHECK(strstr(r->out, "\"scheme\": \"f32\"") && strstr(r->out, "\"name\": \"conv\""));
    CHECK(near(shell_json_number(r->out, "weight_bytes"), 8 * 9 * 3 * 4));
    CHECK(near(shell_json_number(r->out, "schema"), 1));
}

/* A float model and its quantized twin are a pair; the demo's data are in the tree. */
static void a_pair_has_a_speedup(void)
{
    if (!shell_has_octet())
        return;
    const char *f32 = shell_path("digits.oct"), *int8 = shell_path("digits.int8.oct");
    const shell_result *r =
        shell_run("$octet import demo/digits.onnx -o %s && $octet quantize %s --calib demo/digits_calib.u8 --scale 1/255 "
                  "--samples 20 -o %s >&2 && $bench models %s %s --seconds 0.02 --json -",
                  f32, f32, int8, f32, int8);
    CHECK_MSG(r->status == 0, "exit code %d: %s", r->status, r->err);
    const char *json = strchr(r->out, '{'), *pairs = json ? strstr(json, "\"pairs\"") : NULL;
    CHECK(pairs != NULL);
    const double speedup = shell_json_number(pairs, "speedup"), lo = shell_json_number(pairs, "lo"),
                 hi = shell_json_number(pairs, "hi");
    CHECK_MSG(lo > 0 && lo <= speedup && speedup <= hi, "%g in %g .. %g", speedup, lo, hi);
    CHECK(strstr(pairs, "\"scheme\": \"int8-static\"") && strstr(pairs, "\"baseline\": \"digits\""));
}

static void kernels_write_the_schema(void)
{
    const shell_result *r = shell_run("$bench kernels --filter mobilenet_v1.block13.depthwise --seconds 0.01 --json -");
    CHECK_MSG(r->status == 0, "exit code %d: %s", r->status, r->err);
    check_keys(r->out, machine_keys);
    check_keys(r->out, (const char *const[]){
                           "kernels", "name", "kernel",    "dtype", "algo",   "isa",  "threads",         "shape", "m",
                           "n",       "k",    "median_us", "p5_us", "p95_us", "gops", "percent_of_peak", "bound", "kernel_pairs",
                           "speedup", "lo",   "hi",        NULL});
    CHECK(strstr(r->out, "\"dtype\": \"f32\"") && strstr(r->out, "\"dtype\": \"u8s8\""));
}

static const test_case cases[] = {
    {"medians_and_quantiles", medians_and_quantiles},
    {"bootstrap_of_few", bootstrap_of_few},
    {"bootstrap_of_many", bootstrap_of_many},
    {"bootstrap_covers", bootstrap_covers},
    {"rounds_go_there_and_back", rounds_go_there_and_back},
    {"a_team_runs_every_member", a_team_runs_every_member},
    {"bounds_name_what_bounds", bounds_name_what_bounds},
    {"shapes_are_those_of_the_networks", shapes_are_those_of_the_networks},
    {"every_shape_has_a_kernel", every_shape_has_a_kernel},
    {"wrong_arguments_exit_with_2", wrong_arguments_exit_with_2},
    {"wrong_names_list_what_is_possible", wrong_names_list_what_is_possible},
    {"helps_fit_80_columns", helps_fit_80_columns},
    {"help_and_missing_files", help_and_missing_files},
    {"a_pair_has_a_speedup", a_pair_has_a_speedup},
    {"models_write_the_schema", models_write_the_schema},
    {"kernels_write_the_schema", kernels_write_the_schema},
};
static void __attribute__((constructor)) add_suite(void) { test_register("bench", cases, TEST_COUNT(cases)); }

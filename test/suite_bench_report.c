/* What the bench reads and writes: the JSON reader against good and broken texts, compare, report, the rewritten document, CSV,
 * noise. */
#define _POSIX_C_SOURCE 200809L
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "html.h"
#include "json.h"
#include "json_read.h"
#include "measure.h"
#include "noise.h"
#include "shell.h"
#include "stats.h"

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-12 * (1 + fabs(b));
}

/* ---------------------------------------------------------------------------------------------- reader ---- */

static json_doc *parse(const char *text, failure *why)
{
    json_doc *doc;
    return json_parse(text, strlen(text), "text", &doc, why) ? doc : NULL;
}

static void reads_values(void)
{
    failure why;
    json_doc *doc =
        parse(" {\"a\": [1, -2.5e3, 0, \"x\\n\\u00e9\\ud83d\\ude00\", true, null, {}, []], \"b\": {\"c\": false}} ", &why);
    CHECK_MSG(doc != NULL, "%s", why.text);
    const json_value *a = json_get(json_root(doc), "a"), *v = json_first(a);
    CHECK(a && a->kind == JSON_ARRAY && a->count == 8);
    CHECK(near(v->number, 1) && near(v->next->number, -2500) && near(v->next->next->number, 0));
    CHECK(!strcmp(v->next->next->next->text, "x\n\xc3\xa9\xf0\x9f\x98\x80"));
    CHECK(json_get(json_get(json_root(doc), "b"), "c")->kind == JSON_BOOL);
    CHECK(!json_get(json_root(doc), "z") && !json_get(a, "a") && !json_first(v) && !json_get(NULL, "a"));
    CHECK(near(json_number_of(json_root(doc), "a", 7), 7) && !strcmp(json_text_of(NULL, "a", "none"), "none"));
    json_free(doc);
}

static void refuses_what_is_no_json(void)
{
    static const char *const broken[] = {"",
                                         " ",
                                         "{",
                                         "[",
                                         "[1",
                                         "[1,",
                                         "[1,]",
                                         "{\"a\"}",
                                         "{\"a\":}",
                                         "{\"a\":1,}",
                                         "{a:1}",
                                         "[1 2]",
                                         "01",
                                         "1.",
                                         ".5",
                                         "1e",
                                         "-",
                                         "+1",
                                         "0x10",
                                         "nan",
                                         "NaN",
                                         "Infinity",
                                         "tru",
                                         "nul",
                                         "\"",
                                         "\"\\",
                                         "\"\\x\"",
                                         "\"\\u12\"",
                                         "\"\\u0000\"",
                                         "\"a\nb\"",
                                         "[1]]",
                                         "{} {}",
                                         "1e999",
                                         "'a'",
                                         "[\"a\" \"b\"]",
                                         "\"\\ud800\\u\""};
    for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
        failure why = {""};
        json_doc *doc = parse(broken[i], &why);
        CHECK_MSG(doc == NULL, "taken for JSON: %s", broken[i]);
        CHECK_MSG(!strncmp(why.text, "text:", 5) && !strchr(why.text, '\n'), "%s: %s", broken[i], why.text);
    }
}

/* As deep as allowed, and one deeper; and cut at every byte, in memory of its own, so that a sanitizer sees a read too far. */
static void depth_and_cuts(void)
{
    char text[2 * JSON_READ_DEPTH + 8] = "";
    failure why;
    memset(text, '[', JSON_READ_DEPTH);
    memset(text + JSON_READ_DEPTH, ']', JSON_READ_DEPTH);
    json_doc *doc = parse(text, &why);
    CHECK_MSG(doc != NULL, "%s", why.text);
    json_free(doc);
    memset(text, '[', sizeof text - 1);
    CHECK(!parse(text, &why) && strstr(why.text, "deep"));
    static const char whole[] = "{\"a\": [1.5e-3, \"\\ud83d\\ude00\", true], \"b\": {\"c\": null}}";
    for (size_t size = 0; size < sizeof whole - 1; size++) {
        char *copy = malloc(size + 1);
        CHECK(copy != NULL);
        memcpy(copy, whole, size);
        const bool ok = json_parse(copy, size, "cut", &doc, &why);
        free(copy);
        CHECK_MSG(!ok, "cut after %zu bytes it is still JSON", size);
    }
}

/* Random damage never does worse than a refusal. */
static void damaged_texts(void)
{
    static const char whole[] = "{\"schema\": 1, \"models\": [{\"model\": \"a\\u0041\", \"median_ms\": 1.25, \"layers\": [[], "
                                "{}]}], \"x\": [true, false, null, -1e-9]}";
    for (int round = 0; round < 3000; round++) {
        char *copy = malloc(sizeof whole);
        failure why;
        json_doc *doc;
        CHECK(copy != NULL);
        memcpy(copy, whole, sizeof whole);
        for (int k = 0; k < 1 + round % 4; k++)
            copy[test_below(sizeof whole - 1)] = (char)test_below(256);
        if (json_parse(copy, sizeof whole - 1, "damaged", &doc, &why))
            json_free(doc);
        free(copy);
    }
}

/* What is written is read back the same. */
static void writer_and_reader_agree(void)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = fopen(shell_path("written.json"), "w");
    CHECK(memory != NULL);
    json j;
    json_begin(&j, memory);
    json_object(&j, NULL);
    json_text(&j, "t", "a\"\\\n\x01\xc3\xa9");
    json_array(&j, "list");
    json_object_line(&j, NULL);
    json_number(&j, "third", 1.0 / 3);
    json_integers(&j, "dims", (const int64_t[]){1, 2}, 2);
    json_array(&j, "inner");
    json_integer(&j, NULL, 7);
    json_close(&j);
    json_close(&j);
    CHECK(json_end(&j) && fclose(memory) == 0);
    failure why;
    json_doc *doc;
    CHECK_MSG(json_load(shell_path("written.json"), &doc, &why), "%s", why.text);
    const json_value *line = json_first(json_get(json_root(doc), "list"));
    CHECK(!strcmp(json_text_of(json_root(doc), "t", ""), "a\"\\\n\x01\xc3\xa9"));
    CHECK(near(json_number_of(line, "third", 0), 1.0 / 3) && near(json_first(json_get(line, "inner"))->number, 7));
    json_free(doc);
    text = shell_read(shell_path("written.json"), &size);
    CHECK(text && strstr(text, "{\"third\": 0.3333333333333333, \"dims\": [1, 2], \"inner\": [7]}"));
    free(text);
}

/* ------------------------------------------------------------------------------------------- statistics ---- */

/* A slow wave: neighbours are alike, so there are fewer independent values than it seems, and the interval has to be wider. */
static void neighbours_widen_the_interval(void)
{
    double wave[200], mixed[200];
    for (int i = 0; i < 200; i++)
        wave[i] = sin(i / 15.0);
    for (int i = 0; i < 200; i++)
        mixed[i] = wave[(i * 77) % 200];
    const stats_interval series = stats_bootstrap_series(wave, 200), random = stats_bootstrap_series(mixed, 200),
                         plain = stats_bootstrap(mixed, 200);
    CHECK_MSG(series.hi - series.lo > 1.5 * (plain.hi - plain.lo), "%g against %g", series.hi - series.lo, plain.hi - plain.lo);
    CHECK(random.hi - random.lo < 1.5 * (plain.hi - plain.lo) && near(series.median, plain.median));
    const double one[] = {3};
    const stats_interval i = stats_bootstrap_series(one, 1);
    CHECK(near(i.lo, 3) && near(i.median, 3) && near(i.hi, 3));
}

/* The marks tell a thread that slept from one that worked. */
static void lost_time_is_seen(void)
{
    const noise_mark from = {1, 1, 10}, worked = {1.1, 1.1, 10}, slept = {1.1, 1.05, 10}, switched = {1.1, 1.05, 30};
    CHECK(!noise_between(&from, &worked, 1) && !noise_between(&from, &slept, 2) && noise_between(&from, &switched, 2));
    double others, stolen;
    const noise_load begin = {0, 0, 0, 0, true}, busy = {10, 10, 19, 1, true}, brief = {0.1, 0.1, 0.19, 0, true};
    noise_load_between(&begin, &busy, &others, &stolen);
    CHECK(near(others, 0.9) && near(stolen, 0.1));
    noise_load_between(&begin, &brief, &others, &stolen);
    CHECK(near(others, 0) && near(stolen, 0));
}

/* ---------------------------------------------------------------------------------------------- compare ---- */

/* A result with one model that takes about `ms`. */
static const char *write_run(const char *name, double ms, double half_width)
{
    char text[1024];
    const int size = snprintf(
        text, sizeof text,
        "{\"octet\": \"0.1.0\", \"schema\": 1, \"machine\": {\"cpu\": \"A <b> & \\\"c\\\"\", \"cores\": 2, \"peaks\": {\"avx2\": "
        "{\"f32_gflops\": 100, \"u8s8_gops\": 200}}, \"bandwidth_gbs\": {\"l1\": 300, \"dram\": 20}}, \"models\": [{\"model\": "
        "\"<net>\", "
        "\"scheme\": \"f32\", \"isa\": \"avx2\", \"threads\": 1, \"median_ms\": %g, \"lo_ms\": %g, \"hi_ms\": %g, \"layers\": "
        "[{\"name\": "
        "\"conv\", \"op\": \"conv\", \"precision\": \"f32\", \"algo\": \"direct\", \"macs\": 1000000, \"bytes_moved\": 50000, "
        "\"median_us\": 30, "
        "\"out\": [1, 2]}]}], \"pairs\": [{\"model\": \"<net>\", \"scheme\": \"int8-static\", \"isa\": \"avx2\", \"threads\": 1, "
        "\"speedup\": 1.9, \"lo\": 1.8, \"hi\": 2}]}",
        ms, ms - half_width, ms + half_width);
    return shell_write(name, text, (size_t)size);
}

static void check_compare(const char *before, const char *after, const char *options, int status)
{
    const shell_result *r = shell_run("$bench compare %s %s %s", before, after, options);
    CHECK_MSG(r->status == status, "compare %s: exit code %d, not %d: %s%s", options, r->status, status, r->out, r->err);
}

/* Exit 1 only when the whole interval lies beyond the limit. */
static void compare_fails_only_beyond_chance(void)
{
    const char *base = write_run("base.json", 10, 0.1), *same = write_run("same.json", 10.2, 0.1),
               *slow = write_run("slow.json", 12, 0.1), *vague = write_run("vague.json", 12, 1.9);
    check_compare(base, same, "", 0);
    check_compare(base, slow, "", 1);
    check_compare(slow, base, "", 0);
    check_compare(base, slow, "--fail-above 30", 0);
    check_compare(base, vague, "", 0);
    const shell_result *r = shell_run("$bench compare %s %s --json -", base, slow);
    CHECK(shell_is_json(r->out) && near(shell_json_number(r->out, "ratio"), 1.2));
    r = shell_run("$bench compare %s %s --csv - 2>&1", base, slow);
    CHECK_MSG(strstr(r->out, "octet,cpu,date,name,unit,old,new,ratio,lo,hi") != NULL, "%s", r->out);
}

static void check_refused(const char *command, const char *word)
{
    const shell_result *r = shell_run("$bench %s", command);
    CHECK_MSG(r->status == 2 && shell_is_line(r->err, "octet-bench") && strstr(r->err, word), "%s: exit code %d: %s", command,
              r->status, r->err);
}

static void wrong_files_are_told_in_a_line(void)
{
    char command[1024];
    const char *base = write_run("base.json", 10, 0.1), *cut = shell_write("cut.json", "{\"schema\": 1,\n\"models\": [", 26),
               *other = shell_write("other.json", "{\"schema\": 1, \"models\": []}", 27),
               *none = shell_write("none.json", "[1, 2]", 6), *newer = shell_write("newer.json", "{\"schema\": 99}", 14);
    const char *const files[] = {cut, other, none, newer, "no_such_file.json"};
    static const char *const words[] = {"cut.json:2:", "nothing in common", "no result of octet-bench", "newer",
                                        "no_such_file.json"};
    for (int i = 0; i < 5; i++) {
        snprintf(command, sizeof command, "compare %s %s", base, files[i]);
        check_refused(command, words[i]);
    }
    snprintf(command, sizeof command, "report %s -o /no/such/folder/x.html", base);
    const shell_result *r = shell_run("$bench %s", command);
    CHECK_MSG(r->status == 2 && shell_is_line(r->err, "octet-bench report: -o /no/such/folder/x.html: cannot be written"), "%s",
              r->err);
    snprintf(command, sizeof command, "report %s -o %s", base, base);
    check_refused(command, "is an input");
    snprintf(command, sizeof command, "compare %s %s --json %s", base, base, base);
    check_refused(command, "is an input");
    snprintf(command, sizeof command, "report %s --markdown %s", base, shell_write("empty.md", "", 0));
    check_refused(command, "empty");
    snprintf(command, sizeof command, "report %s --markdown %s", base, shell_write("zero.md", "a\0b\n", 4));
    check_refused(command, "zero byte");
    snprintf(command, sizeof command, "report %s", base);
    check_refused(command, "where to");
    snprintf(command, sizeof command, "report %s -o %s", cut, shell_path("x.html"));
    check_refused(command, "cut.json:2:");
}

/* What cannot be written is told, and a device that was written to is not taken away. */
static void full_disks_are_told(void)
{
    struct stat st;
    if (stat("/dev/full", &st) != 0) {
        test_skip("there is no /dev/full");
        return;
    }
    const shell_result *r = shell_run("$bench report %s -o /dev/full", write_run("base.json", 10, 0.1));
    CHECK_MSG(r->status == 1 && shell_is_line(r->err, "octet-bench report: /dev/full: "), "%s", r->err);
    CHECK(stat("/dev/full", &st) == 0 && S_ISCHR(st.st_mode));
    r = shell_run("$bench help models >/dev/full");
    CHECK_MSG(r->status == 1 && shell_is_line(r->err, "octet-bench: standard output"), "%s", r->err);
}

/* Every subcommand that measures: names what is wrong and what is possible, before it measures. */
static void wrong_options_list_what_is_possible(void)
{
    static const char *const calls[][2] = {
        {"models no_such_net", "resnet50"},     {"models kws --scheme int4", "int8-static"},
        {"models kws --isa z80", "scalar"},     {"models kws --threads 0", "1..256"},
        {"explain no_such_net", "resnet50"},    {"explain kws --scheme int4", "int8-static"},
        {"explain kws --isa z80", "scalar"},    {"explain kws --threads 0", "1..256"},
        {"explain kws --json /no/x", "/no/x"},  {"paper --isa z80", "scalar"},
        {"paper --threads 1000", "1..256"},     {"paper --csv /no/x", "/no/x"},
        {"kernels --isa z80", "scalar"},        {"peak --threads 0", "1..256"},
        {"paper --model no_such_net", "vgg16"}, {"models kws --json - --csv -", "standard output"}};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0] && !test_failed(); i++)
        check_refused(calls[i][0], calls[i][1]);
}

/* ----------------------------------------------------------------------------------------------- report ---- */

/* One page that needs nothing from elsewhere, with foreign text escaped. */
static void the_page_is_self_contained(void)
{
    const char *a = write_run("one.json", 10, 0.1), *b = write_run("two.json", 11, 0.1), *page = shell_path("report.html");
    const shell_result *r = shell_run("$bench report %s %s -o %s", a, b, page);
    CHECK_MSG(r->status == 0, "exit code %d: %s", r->status, r->err);
    size_t size;
    char *text = shell_read(page, &size);
    CHECK(text != NULL);
    const bool complete = strstr(text, "<!doctype html>") && strstr(text, "</html>");
    const bool alone = !strstr(text, "http:") && !strstr(text, "https:") && !strstr(text, " src=") && !strstr(text, "@import") &&
                       !strstr(text, "<link");
    const bool escaped = !strstr(text, "<net>") && strstr(text, "&lt;net&gt;") && !strstr(text, "A <b>");
    const bool charts = strstr(text, "<svg") && strstr(text, "role=\"img\"") && strstr(text, "<desc>") &&
                        strstr(text, "Roofline") && strstr(text, "side by side");
    const bool modes = strstr(text, "prefers-color-scheme:dark") && strstr(text, "@media print") && strstr(text, "viewport");
    free(text);
    CHECK(complete && alone && escaped && charts && modes);
}

/* Only what stands between the markers changes. */
static void the_document_keeps_its_words(void)
{
    static const char document[] =
        "# Title\n\nWords before.\n<!-- octet-bench: models -->\nold table\n<!-- octet-bench: end -->\nbetween\n"
        "<!-- octet-bench: kernels -->\nstays, for there are no kernels\n<!-- octet-bench: end -->\nafter\n";
    const char *run = write_run("one.json", 10, 0.1), *path = shell_write("document.md", document, sizeof document - 1);
    const shell_result *r =
        shell_run("$bench report %s --markdown %s && cp %s %s.once && $bench report %s --markdown %s && cmp %s %s.once", run, path,
                  path, path, run, path, path, path);
    CHECK_MSG(r->status == 0, "exit code %d: %s", r->status, r->err);
    size_t size;
    char *text = shell_read(path, &size);
    CHECK(text != NULL);
    const bool kept = !strncmp(text, "# Title\n\nWords before.\n", 23) && strstr(text, "\nbetween\n") &&
                      strstr(text, "stays, for") && strstr(text, "\nafter\n");
    const bool changed = !strstr(text, "old table") && strstr(text, "| <net> | f32 | avx2 | 1 |");
    free(text);
    CHECK(kept && changed);
    const char *open = shell_write("open.md", "<!-- octet-bench: models -->\nno end\n", 36);
    r = shell_run("$bench report %s --markdown %s", run, open);
    CHECK_MSG(r->status == 2 && shell_is_line(r->err, "octet-bench report: ") && strstr(r->err, "no \""), "%s", r->err);
}

/* ------------------------------------------------------------------------------------------------ runs ---- */

static void csv_has_a_line_for_each(void)
{
    const shell_result *r = shell_run("$bench models kws --scheme f32,int8-static --seconds 0.02 --csv -");
    CHECK_MSG(r->status == 0, "exit code %d: %s", r->status, r->err);
    int lines = 0;
    for (const char *c = r->out; *c; c++)
        lines += *c == '\n';
    CHECK_MSG(lines == 3 && !strncmp(r->out, "octet,cpu,date,model,scheme,isa,threads,", 40), "%d lines: %.200s", lines, r->out);
    CHECK(strstr(r->out, ",kws,f32,") && strstr(r->out, ",kws,int8-static,"));
}

/* Somebody computes beside it. */
static void a_busy_neighbour_is_flagged(void)
{
    noise_load load;
    noise_load_now(&load);
    if (!load.known || load.busy <= 0 || shell_is_emulated()) {
        test_skip("the system does not tell what others do");
        return;
    }
    const shell_result *r = shell_run(
        "(while :; do :; done) & a=$!; (while :; do :; done) & b=$!; $bench models kws --seconds 0.7 --json -; kill $a $b");
    CHECK_MSG(r->status == 0 && shell_is_json(r->out), "exit code %d: %s", r->status, r->err);
    CHECK_MSG(strstr(r->out, "\"quiet\": false") != NULL, "a busy neighbour went unnoticed: %.1500s", strstr(r->out, "\"noise\""));
}

/* What is there by then is written. */
static void the_paper_survives_an_interrupt(void)
{
    if (shell_is_emulated()) {
        test_skip("emulated: too slow");
        return;
    }
    const char *path = shell_path("paper.json");
    const shell_result *r = shell_run("$bench paper --quick --isa scalar --json %s & p=$!; sleep 2; kill -TERM $p; wait $p", path);
    CHECK_MSG(r->status == 0 && strstr(r->out, "interrupted"), "exit code %d: %s", r->status, r->err);
    size_t size;
    char *text = shell_read(path, &size);
    const bool ok = text && shell_is_json(text) && strstr(text, "\"paper\"");
    free(text);
    CHECK(ok);
}

static const test_case cases[] = {
    {"reads_values", reads_values},
    {"refuses_what_is_no_json", refuses_what_is_no_json},
    {"depth_and_cuts", depth_and_cuts},
    {"damaged_texts", damaged_texts},
    {"writer_and_reader_agree", writer_and_reader_agree},
    {"neighbours_widen_the_interval", neighbours_widen_the_interval},
    {"lost_time_is_seen", lost_time_is_seen},
    {"compare_fails_only_beyond_chance", compare_fails_only_beyond_chance},
    {"full_disks_are_told", full_disks_are_told},
    {"wrong_files_are_told_in_a_line", wrong_files_are_told_in_a_line},
    {"wrong_options_list_what_is_possible", wrong_options_list_what_is_possible},
    {"the_page_is_self_contained", the_page_is_self_contained},
    {"the_document_keeps_its_words", the_document_keeps_its_words},
    {"csv_has_a_line_for_each", csv_has_a_line_for_each},
    {"a_busy_neighbour_is_flagged", a_busy_neighbour_is_flagged},
    {"the_paper_survives_an_interrupt", the_paper_survives_an_interrupt},
};
static void __attribute__((constructor)) add_suite(void)
{
    test_register("bench_report", cases, TEST_COUNT(cases));
}

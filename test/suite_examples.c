/* The example programs as built by make, and the public headers in the eyes of C and C++ compilers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "octet_convert.h"
#include "shell.h"

/* y = x * W^T: three classes that pick one of four features each. */
static const char *make_picker(void)
{
    static const float weights[12] = {0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0};
    const oct_shape shape = {2, {1, 4}};
    oct_graph *graph = NULL;
    const char *path = shell_path("picker.oct");
    if (oct_graph_create(&graph) != OCT_OK)
        return NULL;
    const oct_value_id x = oct_build_input(graph, "x", &shape);
    oct_build_output(graph, "y", oct_build_dense(graph, "pick", x, 3, weights, NULL));
    const bool ok = oct_graph_status(graph) == OCT_OK && oct_save(graph, path) == OCT_OK;
    oct_graph_free(graph);
    return ok ? path : NULL;
}

static void hello(void)
{
    if (!shell_has_octet())
        return;
    const char *model = make_picker();
    CHECK_MSG(model, "%s", oct_error());
    const shell_result *r = shell_run("$examples/hello %s", model);
    CHECK_MSG(r->status == 0 && !strcmp(r->out, "class 0 (0)\n"), "zeros: status %d, \"%s\" %s", r->status, r->out, r->err);
    const float sample[4] = {1, 2.5f, 7, -1};
    r = shell_run("$examples/hello %s %s", model, shell_write("sample.f32", sample, sizeof sample));
    CHECK_MSG(r->status == 0 && !strcmp(r->out, "class 1 (2.5)\n"), "sample: status %d, \"%s\" %s", r->status, r->out, r->err);
}

static void hello_fails_politely(void)
{
    if (!shell_has_octet())
        return;
    const char *model = make_picker();
    CHECK_MSG(model, "%s", oct_error());
    const char *short_sample = shell_write("short.f32", "1234", 4);
    const shell_result *r = shell_run("$examples/hello");
    CHECK(r->status == 1 && shell_is_line(r->err, "hello: "));
    r = shell_run("$examples/hello %s", shell_path("none.oct"));
    CHECK(r->status == 1 && shell_is_line(r->err, "hello: ") && strstr(r->err, "none.oct"));
    r = shell_run("$examples/hello %s %s", model, short_sample);
    CHECK(r->status == 1 && shell_is_line(r->err, "hello: "));
    r = shell_run("$examples/hello %s %s", model, shell_path("none.f32"));
    CHECK(r->status == 1 && shell_is_line(r->err, "hello: "));
}

/* Every public header on its own, and all together, compiled with warnings as errors. */
static void compile_headers(const char *compiler, const char *flags, const char *suffix)
{
    static const char *const sources[] = {"octet.h", "octet_convert.h", "octet_kernels.h"};
    if (shell_run("command -v %s", compiler)->status != 0) {
        test_skip("there is no %s", compiler);
        return;
    }
    char all[256] = "";
    for (int i = 0; i <= TEST_COUNT(sources); i++) {
        char text[400], name[32];
        if (i < TEST_COUNT(sources))
            snprintf(text, sizeof text, "#include <%s>\n", sources[i]);
        else
            snprintf(text, sizeof text, "%sint main(void) { return oct_version()[0] == 0; }\n", all);
        snprintf(all + strlen(all), sizeof all - strlen(all), "#include <%s>\n", i < TEST_COUNT(sources) ? sources[i] : "stddef.h");
        snprintf(name, sizeof name, "header%s", suffix);
        const char *path = shell_write(name, text, strlen(text));
        const shell_result *r = shell_run("%s %s -Wall -Wextra -Wshadow -Werror -fsyntax-only -Iinclude %s", compiler, flags, path);
        CHECK_MSG(r->status == 0, "%s %s: %s: %s", compiler, flags, text, r->err);
    }
}

static void headers_in_c99(void) { compile_headers("cc", "-std=c99 -pedantic -Wstrict-prototypes", ".c"); }
static void headers_in_cpp(void) { compile_headers("g++", "-std=c++98 -pedantic -Wno-long-long", ".cc"); }
static void headers_in_cpp20(void) { compile_headers("clang++", "-std=c++20 -pedantic", ".cc"); }

static void hello_in_cpp(void)
{
    if (shell_run("command -v g++")->status != 0) {
        test_skip("there is no g++");
        return;
    }
    const shell_result *r = shell_run("g++ -x c++ -std=c++11 -Wall -Wextra -Werror -fsyntax-only -Iinclude docs/examples/hello.c");
    CHECK_MSG(r->status == 0, "%s", r->err);
}

static const test_case cases[] = {
    {"hello", hello},
    {"hello_fails_politely", hello_fails_politely},
    {"headers_in_c99", headers_in_c99},
    {"headers_in_cpp", headers_in_cpp},
    {"headers_in_cpp20", headers_in_cpp20},
    {"hello_in_cpp", hello_in_cpp},
};

static void __attribute__((constructor)) examples_suite(void) { test_register("examples", cases, TEST_COUNT(cases)); }

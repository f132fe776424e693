/* explain: the factors multiply to what was measured, and a loss is counted in the right one - first with made-up layers, whose
 * factors are known, then with a slow kernel planted into a real run. */
#include "harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "explain.h"
#include "shell.h"
#include "slow_kernel.h"

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * (1 + fabs(b));
}

static double factor_of(const explanation *e, const char *name)
{
    for (int i = 0; i < e->factor_count; i++)
        if (!strcmp(e->factors[i].name, name))
            return e->factors[i].factor;
    return NAN;
}

static double product_of(const explanation *e)
{
    double product = 1;
    for (int i = 0; i < e->factor_count; i++)
        product *= e->factors[i].factor;
    return product;
}

/* A layer bound by arithmetic (`memory` shorter than `compute`) or by memory; all in microseconds. */
static model_layer layer(const char *name, const char *precision, double us, double compute, double memory)
{
    model_layer l = {.name = name, .op = "conv", .precision = precision, .act = "", .algo = "direct", .kernel = "", .macs = 1000};
    l.seconds = 1e-6 * us;
    l.bound = (peak_bound){1e-6 * fmax(compute, memory), compute >= memory ? "compute" : "l2", 1e-6 * compute, 1e-6 * memory};
    l.in = l.out = (oct_shape){4, {1, 10, 10, 10}};
    l.bytes_moved = 4000;
    return l;
}

/* R = 4. Two layers at their bounds: nothing is lost. */
static void ideal_layers_lose_nothing(void)
{
    const model_layer f32[] = {layer("a", "f32", 80, 80, 1), layer("b", "f32", 40, 40, 1)};
    const model_layer int8[] = {layer("a", "int8", 20, 20, 1), layer("b", "int8", 10, 10, 1)};
    const explain_input in = {f32, int8, 2, 2, 4, 0, {4, 3.9, 4.1}, 4, 1};
    explanation e;
    CHECK(explain(&in, &e));
    CHECK_MSG(near(factor_of(&e, "hardware"), 4) && near(product_of(&e), 4), "hardware %g, product %g", factor_of(&e, "hardware"),
              product_of(&e));
    for (int i = 1; i < e.factor_count; i++)
        CHECK_MSG(near(e.factors[i].factor, 1), "%s is %g", e.factors[i].name, e.factors[i].factor);
    explain_free(&e);
}

/* Each loss alone: which factor does it turn up in, and how large? */
static void losses_are_counted_where_they_arise(void)
{
    /* 40 us of float beside 80 us that becomes 20: of the ideal 30 us, 60 are taken. */
    const model_layer f32[] = {layer("a", "f32", 80, 80, 1), layer("b", "f32", 40, 40, 1)};
    const model_layer stays[] = {layer("a", "int8", 20, 20, 1), layer("b", "f32", 40, 40, 1)};
    explain_input in = {f32, stays, 2, 2, 4, 0, {2, 1.9, 2.1}, 2, 1};
    explanation e;
    CHECK(explain(&in, &e));
    CHECK_MSG(near(factor_of(&e, "coverage"), 0.5) && near(factor_of(&e, "kernels"), 1), "coverage %g", factor_of(&e, "coverage"));
    CHECK(e.layers[0].kind == EXPLAIN_FLOAT && strstr(e.layers[0].reason, "stays float"));
    explain_free(&e);

    /* "a" is bound by memory in int8: 40 us instead of 20. */
    const model_layer memory[] = {layer("a", "int8", 40, 20, 40), layer("b", "int8", 10, 10, 1)};
    in.int8 = memory;
    in.speedup = (stats_interval){2.4, 2.3, 2.5};
    in.serial = 2.4;
    CHECK(explain(&in, &e));
    CHECK_MSG(near(factor_of(&e, "memory"), 0.6) && near(factor_of(&e, "kernels"), 1), "memory %g", factor_of(&e, "memory"));
    CHECK(!strcmp(e.layers[0].int8->name, "a") && strstr(e.layers[0].reason, "memory-bound in L2"));
    explain_free(&e);

    /* A layer that only int8 has, 30 us long; and the whole takes a tenth more than its layers. */
    const model_layer added[] = {layer("q", "f32>u8", 30, 0, 1), layer("a", "int8", 20, 20, 1), layer("b", "int8", 10, 10, 1)};
    in = (explain_input){f32, added, 2, 3, 4, 0, {1.8, 1.7, 1.9}, 1.8, 1};
    CHECK(explain(&in, &e));
    CHECK_MSG(near(factor_of(&e, "conversions"), 0.5) && near(factor_of(&e, "overhead"), 0.9), "conversions %g, overhead %g",
              factor_of(&e, "conversions"), factor_of(&e, "overhead"));
    CHECK(near(product_of(&e), 1.8) && strstr(e.verdict, "1.80"));
    explain_free(&e);
}

/* Float saves products by Winograd and stands far above its plain bound: that is no fault of the int8 kernel. */
static void saved_products_are_a_factor_of_their_own(void)
{
    model_layer f32 = layer("a", "f32", 40, 90, 1), int8 = layer("a", "int8", 20, 22.5, 1);
    f32.algo = "winograd";
    const explain_input in = {&f32, &int8, 1, 1, 4, 0, {2, 1.9, 2.1}, 2, 1};
    explanation e;
    CHECK(near(model_algo_share("winograd", "f32 avx2 F(2x2)"), 16.0 / 36) && near(model_algo_share("direct", ""), 1));
    CHECK(near(model_algo_share("winograd", "winograd_f32 avx512 F(4x4,3x3)"), 0.25));
    CHECK(near(model_algo_share("winograd", "winograd_u8s8 avx2 F(4x4,3x3)"), 0.25));
    CHECK(near(model_algo_share("winograd", "winograd_u8s8 avx512vnni F(4x4,3x3)"), 0.5));
    CHECK(explain(&in, &e));
    CHECK_MSG(near(factor_of(&e, "algorithms"), 16.0 / 36) && near(product_of(&e), 2), "algorithms %g",
              factor_of(&e, "algorithms"));
    CHECK_MSG(strstr(e.layers[0].reason, "winograd") != NULL, "%s", e.layers[0].reason);
    explain_free(&e);
}

/* With threads there is one factor more, and they still multiply. */
static void threads_are_a_factor(void)
{
    const model_layer f32 = layer("a", "f32", 80, 80, 1), int8 = layer("a", "int8", 25, 20, 1);
    const explain_input in = {&f32, &int8, 1, 1, 4, 1e-9, {2.5, 2.4, 2.6}, 3, 2};
    explanation e;
    CHECK(explain(&in, &e));
    CHECK_MSG(near(factor_of(&e, "threads"), 2.5 / 3) && near(product_of(&e), 2.5), "threads %g, product %g",
              factor_of(&e, "threads"), product_of(&e));
    /* 1000 outputs at 1 ns each are 1 of the 25 us. */
    CHECK_MSG(near(factor_of(&e, "conversions"), 24.0 / 25), "conversions %g", factor_of(&e, "conversions"));
    explain_free(&e);
}

/* -------------------------------------------------------------------------------------------- slow kernel ---- */

/* One real run on the scalar kernels. */
static bool explain_ic(bench_context *context, explanation *e, model_set *set)
{
    char word[] = "ic";
    char *const words[] = {word};
    bench_lists lists = {.isas = {"scalar"}, .isa_count = 1, .threads = {1}, .thread_count = 1, .scheme_count = 2};
    const model_plan plan = {.seconds = 0.1, .skip_cold = true};
    failure why;
    lists.schemes[0] = twin_scheme_find("f32");
    lists.schemes[1] = twin_scheme_find("int8-static");
    const bool ok = model_set_open(set, words, 1, &lists, &why) && model_set_measure(set, context, &plan, &why) &&
                    explain_variant(&set->variants[1], &set->variants[1], context, e, &why);
    if (!ok)
        test_fail(__FILE__, __LINE__, "%s", why.text);
    return ok;
}

/* The int8 product takes several times as long: the factor of the kernels must tell, and hardly any other. */
static void a_slow_kernel_shows_in_its_factor(void)
{
    static bench_context context;
    explanation quick, slow;
    model_set sets[2];
    failure why;
    if (shell_is_emulated() || test_is_sanitized()) {
        test_skip("emulated or built with a sanitizer: times mean nothing");
        return;
    }
    CHECK_MSG(bench_open(&context, &why), "%s", why.text);
    CHECK(explain_ic(&context, &quick, &sets[0]));
    slow_kernel_set(8);
    const bool ok = explain_ic(&context, &slow, &sets[1]);
    slow_kernel_set(0);
    CHECK(ok);
    const double kernels = factor_of(&slow, "kernels") / factor_of(&quick, "kernels");
    CHECK_MSG(kernels < 0.5, "kernels %g before, %g after", factor_of(&quick, "kernels"), factor_of(&slow, "kernels"));
    static const char *const others[] = {"hardware", "coverage", "memory", "algorithms", "conversions", "overhead"};
    for (int i = 0; i < 6; i++) {
        const double change = factor_of(&slow, others[i]) / factor_of(&quick, others[i]);
        CHECK_MSG(change > 1.2 * kernels, "%s changed by %g, kernels by %g", others[i], change, kernels);
    }
    CHECK_MSG(fabs(product_of(&slow) / sets[1].variants[1].speedup.median - 1) < 0.01, "product %g", product_of(&slow));
    CHECK(strstr(slow.verdict, "kernels"));
    for (int i = 0; i < 2; i++)
        model_set_close(&sets[i]);
    explain_free(&quick);
    explain_free(&slow);
}

/* The int8 variant of that network, scheme and ISA. */
static const model_variant *find_variant(const model_set *set, const model_variant *like, int threads)
{
    for (int i = 0; i < set->variant_count; i++)
        if (set->variants[i].file == like->file && !strcmp(set->variants[i].isa, like->isa) && set->variants[i].threads == threads)
            return &set->variants[i];
    return NULL;
}

/* Real runs: the four small networks, both schemes, every ISA, one thread and two. test/explain_zoo.py has the large ones. */
static void every_scheme_and_isa_multiplies(void)
{
    static bench_context context;
    char names[4][8] = {"kws", "ic", "vww", "ad"};
    char *const words[] = {names[0], names[1], names[2], names[3]};
    const arg_spec spec = {.command = "test"};
    const model_plan plan = {.seconds = 0.01, .skip_cold = true};
    bench_lists lists = {.threads = {1, 2}, .thread_count = 2};
    model_set set;
    failure why;
    if (shell_is_emulated() || test_is_sanitized()) {
        test_skip("emulated or built with a sanitizer: too slow");
        return;
    }
    CHECK(bench_parse_isas(&spec, "all", &lists) == ARGS_OK && bench_parse_schemes(&spec, "all", &lists) == ARGS_OK);
    CHECK_MSG(bench_open(&context, &why) && model_set_open(&set, words, 4, &lists, &why) &&
                  model_set_measure(&set, &context, &plan, &why),
              "%s", why.text);
    int explained = 0;
    for (int i = 0; i < set.variant_count; i++) {
        const model_variant *v = &set.variants[i];
        if (!v->baseline)
            continue;
        explanation e;
        CHECK_MSG(explain_variant(find_variant(&set, v, 1), v, &context, &e, &why), "%s", why.text);
        const double product = product_of(&e);
        for (int k = 0; k < e.factor_count; k++)
            CHECK_MSG(e.factors[k].factor > 0 && isfinite(e.factors[k].factor), "%s is %g", e.factors[k].name, e.factors[k].factor);
        CHECK_MSG(fabs(product / v->speedup.median - 1) < 0.01, "%s %s %s, %d threads: %g measured, %g multiplied", v->file->name,
                  v->file->scheme, v->isa, v->threads, v->speedup.median, product);
        explain_free(&e);
        explained++;
    }
    CHECK_MSG(explained == 4 * 2 * 2 * lists.isa_count, "%d explanations", explained);
    model_set_close(&set);
}

/* The command: every scheme, factors in the JSON. */
static void the_command_multiplies(void)
{
    static const char *const schemes[] = {"int8-static", "int8-dynamic"};
    for (int i = 0; i < 2; i++) {
        const shell_result *r = shell_run("$bench explain kws --scheme %s --threads %d --seconds 0.05 --json -", schemes[i], 1 + i);
        CHECK_MSG(r->status == 0, "exit code %d: %s", r->status, r->err);
        const char *at = strstr(r->out, "\"explain\"");
        CHECK(shell_is_json(r->out) && at && strstr(at, "\"verdict\""));
        const double speedup = shell_json_number(at, "median");
        double product = 1;
        const char *end = strstr(at, "\"verdict\"");
        for (at = strstr(at, "\"factors\""); at && (at = strstr(at, "\"factor\":")) && at < end; at++)
            product *= shell_json_number(at, "factor");
        CHECK_MSG(fabs(product / speedup - 1) < 0.01, "%s: %g measured, %g multiplied", schemes[i], speedup, product);
    }
}

static const test_case cases[] = {
    {"ideal_layers_lose_nothing", ideal_layers_lose_nothing},
    {"losses_are_counted_where_they_arise", losses_are_counted_where_they_arise},
    {"saved_products_are_a_factor_of_their_own", saved_products_are_a_factor_of_their_own},
    {"threads_are_a_factor", threads_are_a_factor},
    {"a_slow_kernel_shows_in_its_factor", a_slow_kernel_shows_in_its_factor},
    {"every_scheme_and_isa_multiplies", every_scheme_and_isa_multiplies},
    {"the_command_multiplies", the_command_multiplies},
};
static void __attribute__((constructor)) add_suite(void)
{
    test_register("bench_explain", cases, TEST_COUNT(cases));
}

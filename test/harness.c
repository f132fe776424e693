#include "harness.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "octet.h"

#define MAX_SUITES 128

typedef struct suite {
    const char *name;
    const test_case *cases;
    int count;
} suite;

static suite suites[MAX_SUITES];
static int suite_count;

static struct {
    uint64_t seed, state;
    bool failed, skipped;
    char reason[512];
    const char *isa, *filter;
    char build_dir[512];
} run = {.seed = 1};

void test_register(const char *name, const test_case *cases, int count)
{
    if (suite_count < MAX_SUITES)
        suites[suite_count++] = (suite){name, cases, count};
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    printf("\n    %s:%d: ", file, line);
    vprintf(format, args);
    va_end(args);
    run.failed = true;
}

void test_skip(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(run.reason, sizeof run.reason, format, args);
    va_end(args);
    run.skipped = true;
}

const char *test_last_error(void) { return oct_error(); }
bool test_failed(void) { return run.failed; }

bool test_is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#elif defined(__has_feature)
    return __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
    return false;
#endif
}

bool test_filtered(void) { return run.filter != NULL; }
const char *test_isa(void) { return run.isa; }
const char *test_build_dir(void) { return run.build_dir; }
uint64_t test_seed(void) { return run.seed; }

/* splitmix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number Generators", 2014). */
uint64_t test_random(void)
{
    uint64_t z = (run.state += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

uint32_t test_below(uint32_t limit) { return (uint32_t)(((test_random() >> 32) * limit) >> 32); }

float test_uniform(float lo, float hi)
{
    return lo + (hi - lo) * ((float)(test_random() >> 40) / 16777216.0f);
}

static void run_case(const char *suite_name, const test_case *c, int *passed, int *failed, int *skipped)
{
    printf("%s.%s ... ", suite_name, c->name);
    fflush(stdout);
    run.state = run.seed;
    run.failed = run.skipped = false;
    c->run();
    if (run.failed) {
        ++*failed;
        printf("\n    FAILED (--filter %s.%s --seed %llu)\n", suite_name, c->name, (unsigned long long)run.seed);
    } else if (run.skipped) {
        ++*skipped;
        printf("skipped: %s\n", run.reason);
    } else {
        ++*passed;
        printf("ok\n");
    }
}

static int by_name(const void *a, const void *b) { return strcmp(((const suite *)a)->name, ((const suite *)b)->name); }

static void list_isas(void)
{
    for (size_t i = 0; i < oct_isa_count(); i++) {
        oct_isa_info info;
        if (oct_isa(i, &info) == OCT_OK && info.available)
            printf("%zu %s\n", i, info.name);
    }
}

static void parse_arguments(int argc, char **argv, bool *list)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--list")) {
            *list = true;
        } else if (!strcmp(argv[i], "--list-isas")) {
            list_isas();
            exit(0);
        } else if (i + 1 < argc && !strcmp(argv[i], "--filter")) {
            run.filter = argv[++i];
        } else if (i + 1 < argc && !strcmp(argv[i], "--seed")) {
            run.seed = strtoull(argv[++i], NULL, 0);
        } else if (i + 1 < argc && !strcmp(argv[i], "--isa")) {
            run.isa = argv[++i];
        } else {
            fprintf(stderr, "usage: octet-test [--filter TEXT] [--seed N] [--isa NAME] [--list] [--list-isas]\n");
            exit(2);
        }
    }
}

int main(int argc, char **argv)
{
    bool list = false;
    parse_arguments(argc, argv, &list);
    const char *slash = strrchr(argv[0], '/');
    snprintf(run.build_dir, sizeof run.build_dir, "%.*s", slash ? (int)(slash - argv[0]) : 1, slash ? argv[0] : ".");
    qsort(suites, (size_t)suite_count, sizeof suites[0], by_name);
    int passed = 0, failed = 0, skipped = 0;
    printf("seed %llu, isa %s\n", (unsigned long long)run.seed, run.isa ? run.isa : "best");
    for (int s = 0; s < suite_count; s++) {
        for (int c = 0; c < suites[s].count; c++) {
            char full[256];
            snprintf(full, sizeof full, "%s.%s", suites[s].name, suites[s].cases[c].name);
            if (run.filter && !strstr(full, run.filter))
                continue;
            if (list)
                printf("%s\n", full);
            else
                run_case(suites[s].name, &suites[s].cases[c], &passed, &failed, &skipped);
        }
    }
    if (!list)
        printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed ? 1 : 0;
}

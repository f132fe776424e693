/* harness.h - the test harness: named cases in suites, printed seeds, skips that say why.
 *
 *   octet-test [--filter TEXT] [--seed N] [--isa NAME] [--list] [--list-isas]
 *
 * A suite is a static array of cases, registered before main by a constructor function in its file:
 *
 *   static void adds(void) { CHECK(1 + 1 == 2); }
 *   static const test_case cases[] = { {"adds", adds} };
 *   static void __attribute__((constructor)) add_suite(void) { test_register("arithmetic", cases, TEST_COUNT(cases)); }
 *
 * The last line printed is "N passed, N failed, N skipped".
 */
#ifndef TEST_HARNESS_H
#define TEST_HARNESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct test_case {
    const char *name;
    void (*run)(void);
} test_case;

#define TEST_COUNT(array) ((int)(sizeof(array) / sizeof((array)[0])))

void test_register(const char *suite, const test_case *cases, int count);

/* A failed check marks the case as failed and returns from the function that checked. */
#define CHECK(condition)                                                      \
    do {                                                                      \
        if (!(condition)) {                                                   \
            test_fail(__FILE__, __LINE__, "%s", #condition);                  \
            return;                                                           \
        }                                                                     \
    } while (0)
/* The same with a message of your own. */
#define CHECK_MSG(condition, ...)                                             \
    do {                                                                      \
        if (!(condition)) {                                                   \
            test_fail(__FILE__, __LINE__, __VA_ARGS__);                       \
            return;                                                           \
        }                                                                     \
    } while (0)
/* A call that must return OCT_OK; shows oct_error() otherwise. */
#define CHECK_OK(call)                                                        \
    do {                                                                      \
        const int check_status = (int)(call);                                 \
        if (check_status != 0) {                                              \
            test_fail(__FILE__, __LINE__, "%s: %s", #call, test_last_error()); \
            return;                                                           \
        }                                                                     \
    } while (0)

void test_fail(const char *file, int line, const char *format, ...) __attribute__((format(printf, 3, 4)));
const char *test_last_error(void);
/* Marks the running case as skipped, with the reason; the case then returns by itself. */
void test_skip(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool test_is_sanitized(void); /* built with a sanitizer: other code, other times */
bool test_failed(void);   /* has the running case failed so far? */
bool test_filtered(void); /* is --filter given? Then a case may print what it found, a line each, the first begun by a newline. */

/* Random numbers from the case's seed (printed when the case fails; --seed N gives it back). */
uint64_t test_random(void);
uint32_t test_below(uint32_t limit);            /* 0..limit-1 */
float test_uniform(float lo, float hi);
uint64_t test_seed(void);

/* The instruction set to be tested as "the best": --isa NAME, or NULL for what the library picks by itself. */
const char *test_isa(void);

/* Where the built commands are ("build"), from argv[0]. */
const char *test_build_dir(void);

#endif

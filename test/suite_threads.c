/* The pool: every unit exactly once, for all numbers of threads, many times over; sleeping workers wake; two pools side by side. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "harness.h"
#include "threads.h"

#define UNITS 1000

typedef struct counts {
    atomic_int done[UNITS];
    atomic_int bad_thread;
    int threads;
} counts;

static void count(void *arg, size_t begin, size_t end, int thread)
{
    counts *c = arg;
    if (thread < 0 || thread >= c->threads)
        atomic_fetch_add(&c->bad_thread, 1);
    for (size_t i = begin; i < end; i++)
        atomic_fetch_add(&c->done[i], 1);
}

static bool run_once(oct_pool *pool, int threads, size_t units, size_t grain)
{
    counts c = {.threads = threads};
    oct_pool_run(pool, count, &c, units, grain);
    for (size_t i = 0; i < UNITS; i++)
        if (c.done[i] != (i < units))
            return false;
    return c.bad_thread == 0;
}

static void every_unit_once(void)
{
    for (int threads = 1; threads <= 5; threads++) {
        oct_pool *pool = NULL;
        CHECK_OK(oct_pool_create(threads, &pool));
        CHECK(oct_pool_threads(pool) == threads);
        for (int i = 0; i < 300; i++)
            CHECK(run_once(pool, threads, test_below(UNITS + 1), test_below(40)));
        oct_pool_free(pool);
    }
}

static void sleepers_wake(void)
{
    oct_pool *pool = NULL;
    CHECK_OK(oct_pool_create(3, &pool));
    for (int i = 0; i < 10; i++) {
        nanosleep(&(struct timespec){0, 3000000}, NULL);
        CHECK(run_once(pool, 3, UNITS, 1));
    }
    oct_pool_free(pool);
}

static void *use_a_pool(void *result)
{
    oct_pool *pool = NULL;
    bool good = oct_pool_create(2, &pool) == OCT_OK;
    for (int i = 0; good && i < 300; i++)
        good = run_once(pool, 2, UNITS, 7);
    oct_pool_free(pool);
    *(bool *)result = good;
    return NULL;
}

static void pools_side_by_side(void)
{
    pthread_t other;
    bool mine = false, theirs = false;
    CHECK(pthread_create(&other, NULL, use_a_pool, &theirs) == 0);
    use_a_pool(&mine);
    pthread_join(other, NULL);
    CHECK(mine && theirs);
}

static const test_case cases[] = {
    {"every_unit_once", every_unit_once},
    {"sleepers_wake", sleepers_wake},
    {"pools_side_by_side", pools_side_by_side},
};
static void __attribute__((constructor)) add_suite(void) { test_register("threads", cases, TEST_COUNT(cases)); }

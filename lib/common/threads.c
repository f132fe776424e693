/* The pool. Workers spin on a generation counter for a while and then sleep on a condition variable; a job is {function, counter of
 * units}, and every worker (the caller too) takes `grain` units at a time from the counter until none are left.
 *
 *   caller:  publish the job, generation++, wake sleepers, work, then wait until all workers have left the job
 *   worker:  wait for a new generation, work, active-- */
#define _GNU_SOURCE
#include "threads.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "memory.h"
#include "status.h"

#define SPINS 4000  /* some 20-50 us: longer than the gap between two layers, far shorter than a time slice */

typedef struct worker {
    oct_pool *pool;
    int index;
    pthread_t thread;
} worker;

struct oct_pool {
    int threads, started;
    worker *workers;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    atomic_uint generation;   /* a new value: a new job, or `stop` */
    atomic_int active;        /* workers that have not finished the current job */
    atomic_int sleepers;
    atomic_bool stop;
    oct_work_fn *work;
    void *arg;
    size_t units, grain;
    _Alignas(64) atomic_size_t next;
};

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

int oct_cpu_count(void)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    const int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count > OCT_MAX_THREADS ? OCT_MAX_THREADS : count;
}

static void take_units(oct_pool *pool, int thread)
{
    for (;;) {
        const size_t begin = atomic_fetch_add_explicit(&pool->next, pool->grain, memory_order_relaxed);
        if (begin >= pool->units)
            return;
        const size_t end = pool->units - begin < pool->grain ? pool->units : begin + pool->grain;
        pool->work(pool->arg, begin, end, thread);
    }
}

/* Returns the generation after `seen`. */
static unsigned wait_for_job(oct_pool *pool, unsigned seen)
{
    for (int i = 0; i < SPINS; i++) {
        const unsigned now = atomic_load_explicit(&pool->generation, memory_order_acquire);
        if (now != seen)
            return now;
        relax();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    unsigned now;
    while ((now = atomic_load(&pool->generation)) == seen)
        pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
    return now;
}

static void *worker_main(void *argument)
{
    worker *self = argument;
    oct_pool *pool = self->pool;
    unsigned seen = 0;
    for (;;) {
        seen = wait_for_job(pool, seen);
        if (atomic_load(&pool->stop))
            return NULL;
        take_units(pool, self->index);
        atomic_fetch_sub_explicit(&pool->active, 1, memory_order_release);
    }
}

/* The mutex makes "look at the generation, then sleep" in wait_for_job one step, so that no wake-up is lost. */
static void next_generation(oct_pool *pool)
{
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->sleepers) > 0) {
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_broadcast(&pool->wake);
        pthread_mutex_unlock(&pool->mutex);
    }
}

void oct_pool_run(oct_pool *pool, oct_work_fn *work, void *arg, size_t units, size_t grain)
{
    if (grain == 0)
        grain = 1;
    if (units == 0)
        return;
    if (!pool || pool->started == 0 || units <= grain) {
        work(arg, 0, units, 0);
        return;
    }
    pool->work = work;
    pool->arg = arg;
    pool->units = units;
    pool->grain = grain;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->active, pool->started, memory_order_relaxed);
    next_generation(pool);
    take_units(pool, 0);
    for (int spins = 0; atomic_load_explicit(&pool->active, memory_order_acquire) > 0; spins++) {
        if (spins < SPINS)
            relax();
        else
            sched_yield();  /* more threads than free CPUs: let the worker have this one */
    }
}

oct_status oct_pool_create(int threads, oct_pool **result)
{
    *result = NULL;
    oct_pool *pool = oct_alloc(1, sizeof *pool);
    worker *workers = oct_alloc((size_t)threads, sizeof *workers);
    if (!pool || !workers) {
        oct_free(pool);
        oct_free(workers);
        return oct_fail_memory(sizeof *pool);
    }
    pool->threads = threads;
    pool->workers = workers;
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->wake, NULL);
    for (int i = 1; i < threads; i++) {
        workers[i].pool = pool;
        workers[i].index = i;
        if (pthread_create(&workers[i].thread, NULL, worker_main, &workers[i]) != 0) {
            oct_pool_free(pool);
            return oct_fail(OCT_ERR_MEMORY, "the system did not start thread %d of %d", i + 1, threads);
        }
        pool->started++;
    }
    *result = pool;
    return OCT_OK;
}

void oct_pool_free(oct_pool *pool)
{
    if (!pool)
        return;
    atomic_store(&pool->stop, true);
    next_generation(pool);
    for (int i = 1; i <= pool->started; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_mutex_destroy(&pool->mutex);
    pthread_cond_destroy(&pool->wake);
    oct_free(pool->workers);
    oct_free(pool);
}

int oct_pool_threads(const oct_pool *pool) { return pool ? pool->threads : 1; }

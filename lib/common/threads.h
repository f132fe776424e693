/* threads.h - a small pool: fork, share out units of work by an atomic counter, join. */
#ifndef OCT_THREADS_H
#define OCT_THREADS_H

#include <stddef.h>
#include "octet.h"

typedef struct oct_pool oct_pool;

/* A pool of `threads` workers in all (the caller is one of them, so threads - 1 are started). */
oct_status oct_pool_create(int threads, oct_pool **pool);
void oct_pool_free(oct_pool *pool);
int oct_pool_threads(const oct_pool *pool);

/* Work on units [begin, end). `thread` in [0, threads) names the worker's scratch memory. */
typedef void oct_work_fn(void *arg, size_t begin, size_t end, int thread);

/* Calls work until [0, units) is done, `grain` units at a time, on all threads; returns when all is done. With one thread, or when
 * units <= grain, it is a plain call. Which thread does which unit is open, so units must not depend on one another. */
void oct_pool_run(oct_pool *pool, oct_work_fn *work, void *arg, size_t units, size_t grain);

/* CPUs this process may run on, at least 1. */
int oct_cpu_count(void);

#endif

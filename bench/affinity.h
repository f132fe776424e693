/* affinity.h - which CPUs this process may use, and tying threads to them. Where the system has no such notion nothing is tied. */
#ifndef BENCH_AFFINITY_H
#define BENCH_AFFINITY_H

#include <stdbool.h>

#define AFFINITY_MAX 256

/* The CPUs the process was started with; call it once before tying anything. `count` is at least 1. */
typedef struct affinity {
    int cpus[AFFINITY_MAX];
    int count;
} affinity;

void affinity_read(affinity *a);

/* Ties the calling thread to one CPU; threads that it starts inherit this. */
bool affinity_tie_self(int cpu);

/* Threads of this process, by their kernel ids. */
typedef struct affinity_threads {
    int ids[2 * AFFINITY_MAX];
    int count;
} affinity_threads;

void affinity_list_threads(affinity_threads *threads);

/* Ties each thread that is not in `before` to a CPU of its own: the first to the second CPU of the list, and so on - the first CPU
 * belongs to the caller. For threads that a library has started. With more threads than CPUs they may use all CPUs. */
bool affinity_tie_new(const affinity *a, const affinity_threads *before);

#endif

/* affinity.c - CPUs and threads by the system calls of Linux.
 *
 * Why tie at all: a thread that wanders to another core leaves its L1 and L2 behind, and two threads of a session that the system
 * puts on one core halve the speed for a while. Neither has anything to do with what is measured.
 *
 * A library's threads cannot be reached through its interface, but /proc/self/task lists them: those that are there after a session
 * was created and were not there before are the session's.
 */
#define _GNU_SOURCE /* sched_setaffinity, cpu_set_t */
#include "affinity.h"

#include <dirent.h>
#include <sched.h>
#include <stdlib.h>

#ifdef __linux__

/* A process may be confined to some CPUs (by a container, by taskset): their numbers need not begin at 0. */
void affinity_read(affinity *a)
{
    cpu_set_t set;
    a->count = 0;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        for (size_t cpu = 0; cpu < CPU_SETSIZE && a->count < AFFINITY_MAX; cpu++)
            if (CPU_ISSET(cpu, &set))
                a->cpus[a->count++] = (int)cpu;
    if (a->count == 0)
        *a = (affinity){.cpus = {0}, .count = 1};
}

/* `thread` 0 is the calling one. */
static bool tie(int thread, const int *cpus, int count)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < count; i++)
        CPU_SET((size_t)cpus[i], &set);
    return sched_setaffinity(thread, sizeof set, &set) == 0;
}

bool affinity_tie_self(int cpu) { return tie(0, &cpu, 1); }

void affinity_list_threads(affinity_threads *threads)
{
    threads->count = 0;
    DIR *folder = opendir("/proc/self/task");
    if (!folder)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) && threads->count < 2 * AFFINITY_MAX;)
        if (entry->d_name[0] != '.')
            threads->ids[threads->count++] = atoi(entry->d_name);
    closedir(folder);
}

static bool contains(const affinity_threads *threads, int id)
{
    for (int i = 0; i < threads->count; i++)
        if (threads->ids[i] == id)
            return true;
    return false;
}

bool affinity_tie_new(const affinity *a, const affinity_threads *before)
{
    affinity_threads now;
    affinity_list_threads(&now);
    const bool enough = now.count - before->count < a->count;
    bool all = true;
    for (int i = 0, next = 1; i < now.count; i++) {
        if (contains(before, now.ids[i]))
            continue;
        /* Too many for a CPU each: better the system balances them than that we put two on one CPU for good. */
        all = (enough ? tie(now.ids[i], &a->cpus[next], 1) : tie(now.ids[i], a->cpus, a->count)) && all;
        next++;
    }
    return all && enough;
}

#else /* nothing is tied, and nobody claims so */

void affinity_read(affinity *a) { *a = (affinity){.cpus = {0}, .count = 1}; }
bool affinity_tie_self(int cpu) { return (void)cpu, false; }
void affinity_list_threads(affinity_threads *threads) { threads->count = 0; }
bool affinity_tie_new(const affinity *a, const affinity_threads *before) { return (void)a, (void)before, false; }

#endif

/* noise.h - was the machine ours while something was timed? Four witnesses, since each is blind to something:
 *
 *     spin            a fixed loop beside each visit    sees a lower clock and a neighbour on the same core's other thread
 *     CPU time        against the wall clock            sees that the thread was taken off its CPU during a visit
 *     switches        involuntary context switches      the same for threads whose CPU time says nothing because they wait
 *     other work      /proc/stat less our own           sees neighbours on other CPUs, who share caches and memory; and, on a
 * virtual machine, time that the host gave to others ("steal")
 */
#ifndef BENCH_NOISE_H
#define BENCH_NOISE_H

#include <stdbool.h>

/* Seconds that the fixed loop takes: about 20 us. */
double noise_spin(void);

/* Where the calling thread and its process stand. */
typedef struct noise_mark {
    double wall, cpu; /* seconds; CPU time of the calling thread */
    long switches;    /* involuntary, of the whole process */
} noise_mark;

void noise_mark_now(noise_mark *mark);

/* Was what lies between the marks disturbed? `threads` > 1: the caller may have waited for others, so its CPU time is no witness.
 */
bool noise_between(const noise_mark *from, const noise_mark *to, int threads);

/* Work of the whole machine since some moment. */
typedef struct noise_load {
    double wall, own, busy, steal; /* seconds: busy and steal summed over all CPUs; own: CPU time of this process */
    bool known;                    /* /proc/stat could be read */
} noise_load;

void noise_load_now(noise_load *load);
/* CPUs that others kept busy between the two, and CPUs' worth that a virtual machine's host took away; 0 where it cannot be told.
 */
void noise_load_between(const noise_load *from, const noise_load *to, double *others, double *stolen);

#endif

/* noise.c - the clocks and counters of noise.h. */
#define _GNU_SOURCE /* RUSAGE_THREAD, CLOCK_THREAD_CPUTIME_ID */
#include "noise.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double clock_seconds(clockid_t clock)
{
    struct timespec t = {0};
    clock_gettime(clock, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#define SPIN_STEPS 8000

/* Two chains of multiplications that wait for themselves, and beside them plain sums that fill the rest of the core. The chains
 * alone would tell of the clock; the sums make the loop slower, too, when somebody runs on the core's other hardware thread. */
double noise_spin(void)
{
    uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6;
    const double start = clock_seconds(CLOCK_MONOTONIC);
    for (int i = 0; i < SPIN_STEPS; i++) {
        a = a * 6364136223846793005u + 1442695040888963407u;
        b = b * 2862933555777941757u + 3037000493u;
        c += d ^ (uint64_t)i;
        d += e ^ c;
        e += f ^ (uint64_t)i;
        f += c ^ e;
        __asm__ volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f));
    }
    return clock_seconds(CLOCK_MONOTONIC) - start;
}

/* -------------------------------------------------------------------------------------------- one visit ---- */

/* Some systems (emulators, sandboxes) count a thread's CPU time in steps of 10 ms: no witness for a visit of 1 ms. */
static bool cpu_clock_is_fine(void)
{
    static int known; /* 1: fine, -1: coarse */
    for (int tries = 0; tries < 5 && known == 0; tries++) {
        const double cpu = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
        double wall = 0;
        for (int i = 0; i < 20; i++)
            wall += noise_spin();
        const double counted = clock_seconds(CLOCK_THREAD_CPUTIME_ID) - cpu;
        /* A step more than nothing and less than 10 ms; preemption during the test only makes it be repeated. */
        if (counted > 0.8 * wall && counted < 1.3 * wall)
            known = 1;
    }
    known = known ? known : -1;
    return known > 0;
}

void noise_mark_now(noise_mark *mark)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    mark->switches = usage.ru_nivcsw;
    mark->cpu = clock_seconds(CLOCK_THREAD_CPUTIME_ID);
    mark->wall = clock_seconds(CLOCK_MONOTONIC);
}

#define LOST_SHARE   0.01 /* of a visit: more than this and the median would feel it */
#define LOST_SECONDS 15e-6
#define SWITCH_EVERY 0.05 /* the kernel's own threads take the CPU now and then, for microseconds: that much is ordinary */

/* Without the CPU clock the switches must do, for one thread, too. */
bool noise_between(const noise_mark *from, const noise_mark *to, int threads)
{
    const double wall = to->wall - from->wall, lost = wall - (to->cpu - from->cpu);
    if (threads <= 1 && cpu_clock_is_fine())
        return lost > LOST_SECONDS && lost > LOST_SHARE * wall;
    return (double)(to->switches - from->switches) > 1 + wall / SWITCH_EVERY;
}

/* --------------------------------------------------------------------------------------- the whole machine ---- */

/* "cpu  user nice system idle iowait irq softirq steal guest guest_nice", in ticks; guest time is part of user. */
void noise_load_now(noise_load *load)
{
    double ticks[8] = {0};
    const double per_second = (double)sysconf(_SC_CLK_TCK);
    FILE *file = fopen("/proc/stat", "r");
    load->known = file && fscanf(file, "cpu %lf %lf %lf %lf %lf %lf %lf %lf", &ticks[0], &ticks[1], &ticks[2], &ticks[3], &ticks[4],
                                 &ticks[5], &ticks[6], &ticks[7]) == 8;
    if (file)
        fclose(file);
    load->busy = (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / per_second;
    load->steal = ticks[7] / per_second;
    load->own = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    load->wall = clock_seconds(CLOCK_MONOTONIC);
}

/* Ticks of 10 ms: what was shorter than half a second says nothing. */
void noise_load_between(const noise_load *from, const noise_load *to, double *others, double *stolen)
{
    const double wall = to->wall - from->wall;
    *others = *stolen = 0;
    if (!from->known || !to->known || wall < 0.5)
        return;
    *others = (to->busy - from->busy - (to->own - from->own)) / wall;
    *others = *others > 0 ? *others : 0;
    *stolen = (to->steal - from->steal) / wall;
}

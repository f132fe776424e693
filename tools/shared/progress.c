/* progress.c - "calibrating 120 of 500, 23.5 per second, 16 s left", overwritten in place. */
#define _POSIX_C_SOURCE 200809L
#include "progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

/* Seconds of a clock that nobody sets. */
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void progress_start(progress *p, const char *what, int64_t total)
{
    *p = (progress){.what = what, .total = total, .visible = isatty(STDERR_FILENO)};
    if (p->visible)
        p->started = p->shown = now();
}

/* Quick work shows nothing: a line that flashes up tells nobody anything. */
void progress_show(progress *p, int64_t done)
{
    if (!p->visible)
        return;
    const double t = now();
    if (t - p->started < 0.5 || t - p->shown < 0.1)
        return;
    /* Samples take equal time, so the rest can be told from the part that is done. */
    const double left = done > 0 ? (t - p->started) * (double)(p->total - done) / (double)done : 0;
    fprintf(stderr, "\r%s %lld of %lld, %.3g per second, %.0f s left   ", p->what, (long long)done, (long long)p->total,
            (double)done / (t - p->started), left);
    p->shown = t;
    p->drawn = true;
}

/* Spaces over it, so that what is printed next starts on a clean line. */
void progress_end(progress *p)
{
    if (p->drawn)
        fprintf(stderr, "\r%78s\r", "");
    p->drawn = false;
}

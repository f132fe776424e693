/* progress.h - one line on stderr that shows how far long work has come; silent when stderr is no terminal. */
#ifndef TOOLS_PROGRESS_H
#define TOOLS_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

typedef struct progress {
    const char *what;     /* "evaluating" */
    int64_t total;
    double started, shown;  /* seconds of a monotonic clock */
    bool visible, drawn;
} progress;

void progress_start(progress *p, const char *what, int64_t total);
/* Redraws at most ten times a second, and not at all during the first half second. */
void progress_show(progress *p, int64_t done);
/* Wipes the line. */
void progress_end(progress *p);

#endif

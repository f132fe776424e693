/* interrupt.h - Ctrl-C ends a long measurement early, with what it has. A second Ctrl-C ends the program. */
#ifndef BENCH_INTERRUPT_H
#define BENCH_INTERRUPT_H

#include <stdbool.h>

/* From now on the first SIGINT or SIGTERM is only noted. */
void interrupt_catch(void);
bool interrupt_seen(void);

#endif

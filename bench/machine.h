/* machine.h - what the bench says about the computer it ran on. */
#ifndef BENCH_MACHINE_H
#define BENCH_MACHINE_H

#include <stddef.h>

#include "affinity.h"

typedef struct machine {
    char cpu[96];    /* "AMD EPYC ..." as the system gives it */
    affinity cpus;   /* those the process may use */
    size_t cache[3]; /* bytes of L1 data, L2, L3; a usual size where the system does not tell */
} machine;

void machine_read(machine *m);

#endif

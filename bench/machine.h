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

/* Bytes that can still be had: by the system's count, and by the limit of the control group if there is one; 0 if nobody tells. */
double machine_free_memory(void);

#endif

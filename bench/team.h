/* team.h - a fixed team of threads for the loops that the bench itself runs: all start together, each on a CPU of its own. */
#ifndef BENCH_TEAM_H
#define BENCH_TEAM_H

#include "affinity.h"

typedef struct team team;

/* members >= 1; the caller is member 0 and should be tied to the list's first CPU. NULL if memory or threads are short. */
team *team_create(const affinity *a, int members);
void team_free(team *t);
int team_members(const team *t);

/* Calls work(arg, member, members) on every member at once; returns when all are done. Waiting is spinning: a bench
 * that sleeps would time the system's wake-up. */
void team_run(team *t, void (*work)(void *arg, int member, int members), void *arg);

#endif

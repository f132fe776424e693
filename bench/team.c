/* team.c - fork and join by spinning on two counters.
 *
 *     caller    work, arg; turn = 1 ---+------- its own part ------- waits for done == members - 1
 *     member 1  spins on turn ---------+--- its part --- done++ --- spins on turn
 *     member 2  spins on turn ---------+--- its part --- done++ --- spins on turn
 *
 * The two counters have a cache line each: members that finish early must not slow down those that still look for the next turn.
 */
#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

/* A call is announced by a new number in `turn`; members count themselves in `done`. */
struct team {
    const affinity *cpus;
    int members;
    bool tied; /* each member has a CPU of its own */
    atomic_int started;
    void (*work)(void *arg, int member, int members); /* NULL: go home */
    void *arg;
    _Alignas(64) atomic_uint turn;
    _Alignas(64) atomic_int done;
    pthread_t *threads; /* members - 1 */
};

/* Spins, but gives the CPU away now and then: with more members than CPUs the others must get on. */
static void wait_a_little(unsigned *tries)
{
    if (++*tries % 4096 == 0)
        sched_yield();
}

static void *member_main(void *arg)
{
    team *t = arg;
    const int member = atomic_fetch_add(&t->started, 1) + 1;
    if (t->tied)
        affinity_tie_self(t->cpus->cpus[member]);
    for (unsigned turn = 1;; turn++) {
        for (unsigned tries = 0; atomic_load_explicit(&t->turn, memory_order_acquire) != turn;)
            wait_a_little(&tries);
        if (!t->work)
            return NULL;
        t->work(t->arg, member, t->members);
        atomic_fetch_add_explicit(&t->done, 1, memory_order_release);
    }
}

team *team_create(const affinity *a, int members)
{
    team *t = aligned_alloc(64, sizeof *t);
    if (!t)
        return NULL;
    *t = (team){.cpus = a, .members = members, .tied = members <= a->count};
    t->threads = members > 1 ? calloc((size_t)members - 1, sizeof *t->threads) : NULL;
    if (members > 1 && !t->threads) {
        free(t);
        return NULL;
    }
    /* A team that is not complete goes home again: half a team would measure half of what was asked for. */
    for (int i = 1; i < members; i++)
        if (pthread_create(&t->threads[i - 1], NULL, member_main, t)) {
            t->members = i;
            team_free(t);
            return NULL;
        }
    return t;
}

/* What is written before the turn is seen by whoever sees the turn (release here, acquire there). */
static void announce(team *t, void (*work)(void *, int, int), void *arg)
{
    t->work = work;
    t->arg = arg;
    atomic_store(&t->done, 0);
    atomic_fetch_add_explicit(&t->turn, 1, memory_order_release);
}

void team_free(team *t)
{
    if (!t)
        return;
    announce(t, NULL, NULL);
    for (int i = 1; i < t->members; i++)
        pthread_join(t->threads[i - 1], NULL);
    free(t->threads);
    free(t);
}

int team_members(const team *t) { return t->members; }

void team_run(team *t, void (*work)(void *arg, int member, int members), void *arg)
{
    announce(t, work, arg);
    work(arg, 0, t->members);
    for (unsigned tries = 0; atomic_load_explicit(&t->done, memory_order_acquire) != t->members - 1;)
        wait_a_little(&tries);
}

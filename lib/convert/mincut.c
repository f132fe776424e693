/* A charge is a pipe of that width. As much as possible is pushed through the pipes from A to B, along shortest ways first;
 * the pipes that are then full and separate the two are the cheapest set of charges, for every way from A to B has to be cut
 * once, and no flow is larger than what any cut lets through. */
#include "mincut.h"

#include <string.h>

#include "memory.h"
#include "status.h"

/* Edges stand in pairs: edge e and its reverse e ^ 1, so that pushing flow along one gives room to the other. */
typedef struct edge {
    int to, next;        /* next edge that leaves the same point; -1 ends the list */
    int64_t room;
} edge;

struct oct_mincut {
    int points;          /* with the two fixed ones */
    int *first;          /* first edge of each point */
    int *level, *at;     /* distance from A; the edge to try next */
    int *queue;
    edge *edges;
    int edge_count, edge_room;
};

oct_status oct_mincut_create(int points, oct_mincut **cut)
{
    const size_t all = (size_t)points + OCT_FIRST_POINT;
    oct_mincut *c = oct_alloc(1, sizeof *c);
    *cut = NULL;
    if (!c)
        return oct_fail_memory(sizeof *c);
    c->points = (int)all;
    c->first = oct_alloc(all, sizeof *c->first);
    c->level = oct_alloc(all, sizeof *c->level);
    c->at = oct_alloc(all, sizeof *c->at);
    c->queue = oct_alloc(all, sizeof *c->queue);
    if (!c->first || !c->level || !c->at || !c->queue) {
        oct_mincut_free(c);
        return oct_fail_memory(all * sizeof *c->first);
    }
    for (int p = 0; p < c->points; p++)
        c->first[p] = -1;
    *cut = c;
    return OCT_OK;
}

void oct_mincut_free(oct_mincut *cut)
{
    if (!cut)
        return;
    oct_free(cut->first);
    oct_free(cut->level);
    oct_free(cut->at);
    oct_free(cut->queue);
    oct_free(cut->edges);
    oct_free(cut);
}

/* The newest edge of a point comes first in its list. */
static void add_edge(oct_mincut *cut, int from, int to, int64_t room)
{
    cut->edges[cut->edge_count] = (edge){.to = to, .next = cut->first[from], .room = room};
    cut->first[from] = cut->edge_count++;
}

/* Rooms of NEVER are a quarter of the largest number: several of them in a row may be added to without overflow. */
oct_status oct_mincut_charge(oct_mincut *cut, int from, int to, int64_t cost)
{
    if (cut->edge_count + 2 > cut->edge_room) {
        const int more = cut->edge_room ? 2 * cut->edge_room : 64;
        edge *grown = oct_grow(cut->edges, (size_t)cut->edge_count, (size_t)more, sizeof *grown);
        if (!grown)
            return oct_fail_memory((size_t)more * sizeof *grown);
        cut->edges = grown;
        cut->edge_room = more;
    }
    add_edge(cut, from, to, cost);
    add_edge(cut, to, from, 0);   /* its partner, number e ^ 1, has no room until something flows */
    return OCT_OK;
}

/* Breadth first from A along edges with room; returns whether B was reached. */
static bool find_levels(oct_mincut *cut)
{
    int head = 0, tail = 0;
    for (int p = 0; p < cut->points; p++)
        cut->level[p] = -1;
    cut->level[OCT_CAMP_A] = 0;
    cut->queue[tail++] = OCT_CAMP_A;
    while (head < tail) {
        const int p = cut->queue[head++];
        for (int e = cut->first[p]; e >= 0; e = cut->edges[e].next)
            if (cut->edges[e].room > 0 && cut->level[cut->edges[e].to] < 0) {
                cut->level[cut->edges[e].to] = cut->level[p] + 1;
                cut->queue[tail++] = cut->edges[e].to;
            }
    }
    return cut->level[OCT_CAMP_B] >= 0;
}

/* Pushes up to `most` from p to B along edges that lead one level on; as deep as a network is, which is no danger to the stack. */
static int64_t push(oct_mincut *cut, int p, int64_t most)
{
    if (p == OCT_CAMP_B)
        return most;
    for (; cut->at[p] >= 0; cut->at[p] = cut->edges[cut->at[p]].next) {
        edge *e = &cut->edges[cut->at[p]];
        if (e->room <= 0 || cut->level[e->to] != cut->level[p] + 1)
            continue;
        const int64_t pushed = push(cut, e->to, most < e->room ? most : e->room);
        if (pushed > 0) {
            e->room -= pushed;
            cut->edges[cut->at[p] ^ 1].room += pushed;
            return pushed;
        }
    }
    return 0;
}

void oct_mincut_solve(oct_mincut *cut, bool *a_side)
{
    while (find_levels(cut)) {
        /* at[] remembers for each point which edges are known to lead nowhere on these levels. */
        memcpy(cut->at, cut->first, (size_t)cut->points * sizeof *cut->at);
        while (push(cut, OCT_CAMP_A, INT64_MAX) > 0)
            ;
    }
    /* No way from A to B is left: what A still reaches is its camp. */
    for (int p = 0; p < cut->points; p++)
        a_side[p] = cut->level[p] >= 0;
}

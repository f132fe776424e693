/* mincut.h - the cheapest way to divide things into two camps.
 *
 * Every point goes to camp A or camp B. A charge (from, to, cost) is due if `from` is in A and `to` in B. OCT_CAMP_A and
 * OCT_CAMP_B are points whose camp is fixed. The least sum of charges is a minimum cut (Ford and Fulkerson, 1956), found here
 * by Dinic's algorithm (1970).
 */
#ifndef OCT_MINCUT_H
#define OCT_MINCUT_H

#include <stdbool.h>
#include <stdint.h>
#include "octet.h"

typedef struct oct_mincut oct_mincut;

enum { OCT_CAMP_A = 0, OCT_CAMP_B = 1, OCT_FIRST_POINT = 2 };

/* A charge that no solution may incur. */
#define OCT_MINCUT_NEVER (INT64_MAX / 4)

/* points: how many there are besides the two fixed ones; they are numbered from OCT_FIRST_POINT on. */
oct_status oct_mincut_create(int points, oct_mincut **cut);
void oct_mincut_free(oct_mincut *cut);
oct_status oct_mincut_charge(oct_mincut *cut, int from, int to, int64_t cost);
/* Solves; a_side[p] says whether point p is in camp A. Of several best solutions the one with the fewest points in A. */
void oct_mincut_solve(oct_mincut *cut, bool *a_side);

#endif

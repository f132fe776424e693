/* random_graph.h - networks nobody would draw: every operator on whatever shapes come up, f32 and u8 mixed. */
#ifndef TEST_RANDOM_GRAPH_H
#define TEST_RANDOM_GRAPH_H

#include "graph.h"

/* A valid graph of `nodes` random nodes over one or two inputs (f32, with values in [-1, 1] in mind); every value nobody reads is
 * an output. From test_random; the caller frees it. */
oct_graph *random_graph(int nodes);

/* Random elements for a graph input. The caller frees them (free). */
void *random_input(const oct_graph *graph, int index);

#endif

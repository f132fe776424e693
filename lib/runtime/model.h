/* model.h - a model: an immutable, checked graph with a count of those who hold it. */
#ifndef OCT_MODEL_H
#define OCT_MODEL_H

#include "graph.h"

/* Makes a model of a graph, after checking everything a run relies on: the graph's invariants (oct_graph_check) and its numbers
 * (oct_check_numbers). The graph is taken over in any case: on failure it is freed. */
oct_status oct_model_wrap(oct_graph *graph, oct_model **model);

/* The same for a graph whose borrowed constants lie in `bytes`, which is released with the model by release(bytes, size).
 * On failure the bytes remain the caller's. */
oct_status oct_model_wrap_bytes(oct_graph *graph, void *bytes, size_t size, void (*release)(void *bytes, size_t size),
                                oct_model **model);

/* The model's graph, or NULL for a NULL model. */
const oct_graph *oct_model_graph(const oct_model *model);

/* One more holder; undone by oct_model_free. */
oct_model *oct_model_hold(const oct_model *model);

/* Which numbers a graph may hold: no tensors of more than 2^36 elements, s8 weights in [-127, 127], scales whose reciprocals are
 * finite, clamps with lo <= hi, attributes that are not NaN. */
oct_status oct_check_numbers(const oct_graph *graph);

#endif

/* layer_check.h - judges a quantized network layer by layer with float arithmetic. */
#ifndef TEST_LAYER_CHECK_H
#define TEST_LAYER_CHECK_H

#include "graph.h"

/* Runs the graph and computes every node once more in f32: from the reals that its quantized inputs, weights and biases stand
 * for. A u8 result must be the nearest step (up to float rounding: `steps` of a step), an f32 result the same number. Fails
 * the running case otherwise. */
void check_layers(const oct_graph *graph, float *const *inputs, double steps);

#endif

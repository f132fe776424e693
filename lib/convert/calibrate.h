/* calibrate.h - what calibration tells the quantiser. */
#ifndef OCT_CALIBRATE_H
#define OCT_CALIBRATE_H

#include "graph.h"

/* What was seen of one value over all samples that count. lo <= 0 <= hi. Further statistics (histograms) belong here, beside it. */
typedef struct oct_value_stats {
    bool seen;
    float lo, hi;
} oct_value_stats;

/* Of value `value` of the graph that was calibrated, or of those that oct_split_activations adds to it. */
const oct_value_stats *oct_calibration_stats(const oct_calibration *calibration, int value);

/* Whether this is the graph that was calibrated: same nodes, attributes and constants. */
bool oct_calibration_is_of(const oct_calibration *calibration, const oct_graph *graph);

/* Whether any value has a quantized type. */
bool oct_graph_is_quantized(const oct_graph *graph);

#endif

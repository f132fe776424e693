/* ranges.h - from what calibration saw of a tensor to the range that its bytes cover. */
#ifndef OCT_RANGES_H
#define OCT_RANGES_H

#include "calibrate.h"

typedef enum oct_range_method {
    OCT_RANGE_MINMAX,
    OCT_RANGE_PERCENTILE,
    OCT_RANGE_MSE,
    OCT_RANGE_ENTROPY,
    OCT_RANGE_BEST,       /* whichever of the above hurts the network's output least */
    OCT_RANGE_GIVEN,      /* by the user */
    OCT_RANGE_METHODS
} oct_range_method;

const char *oct_range_method_name(oct_range_method method);
/* NULL is the default. False for an unknown name. */
bool oct_range_method_by_name(const char *name, oct_range_method *method);

typedef struct oct_range {
    bool known;              /* there is one: the value is f32, no constant, and was seen or set by hand */
    double lo, hi;           /* lo <= 0 <= hi */
    oct_range_method method;
} oct_range;

/* ranges[v] for every value of the calibration's graph. */
oct_status oct_choose_ranges(const oct_calibration *calibration, const oct_quantize_options *options, oct_range *ranges);

/* One tensor by one method (none of the last two). */
oct_range oct_range_by(const oct_value_stats *stats, oct_range_method method, double percentile);

/* ranges_best.c: tries every tensor's ranges on kept samples. ranges come in as chosen by minmax. */
oct_status oct_choose_best_ranges(const oct_calibration *calibration, const oct_quantize_options *options, oct_range *ranges);

/* Least and greatest number that can come out of the value's producer, whatever goes in. */
void oct_range_bounds(const oct_graph *graph, int value, double *lo, double *hi);

#endif

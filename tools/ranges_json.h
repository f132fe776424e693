/* ranges_json.h - the ranges of a calibration as a file that people can read, change and use again.
 *
 *     {"octet": "0.1.0", "ranges": [{"tensor": "conv1", "lo": 0, "hi": 5.91, "method": "mse", "seen_lo": 0, "seen_hi": 7.3}, ...]}
 *
 * Reading looks at "tensor", "lo" and "hi" only.
 */
#ifndef TOOLS_RANGES_JSON_H
#define TOOLS_RANGES_JSON_H

#include <stdbool.h>

#include "failure.h"
#include "octet_convert.h"

/* What oct_quantize would use with these options. */
bool ranges_write(const char *path, const oct_calibration *calibration, const oct_quantize_options *options, failure *why);
/* Sets every range in the file. */
bool ranges_read(const char *path, oct_calibration *calibration, failure *why);

#endif

/* ranges_json.c - ranges written with json.h and read back with json_read.h. */
#include "ranges_json.h"

#include <math.h>

#include "json.h"
#include "json_read.h"
#include "output.h"

bool ranges_write(const char *path, const oct_calibration *calibration, const oct_quantize_options *options, failure *why)
{
    oct_range_info *ranges;
    size_t count;
    output_file file;
    json j;
    if (oct_calibration_ranges(calibration, options, &ranges, &count) != OCT_OK)
        return fail_library(why, NULL);
    if (!output_open(&file, path, why)) {
        oct_buffer_free(ranges);
        return false;
    }
    json_begin(&j, file.to);
    json_object(&j, NULL);
    json_text(&j, "octet", oct_version());
    json_integer(&j, "samples", oct_calibration_samples(calibration));
    json_array(&j, "ranges");
    for (size_t i = 0; i < count; i++) {
        json_object(&j, NULL);
        json_text(&j, "tensor", ranges[i].tensor);
        json_number(&j, "lo", (double)ranges[i].lo);
        json_number(&j, "hi", (double)ranges[i].hi);
        json_text(&j, "method", ranges[i].method);
        json_number(&j, "seen_lo", (double)ranges[i].seen_lo);
        json_number(&j, "seen_hi", (double)ranges[i].seen_hi);
        json_close(&j);
    }
    json_end(&j);   /* a failed stream shows when it is closed */
    oct_buffer_free(ranges);
    return output_close(&file, why);
}

/* One range: the name of the tensor and two numbers; what else there is was for people. */
static bool set_range(const json_value *range, const char *path, oct_calibration *calibration, failure *why)
{
    const char *tensor = json_text_of(range, "tensor", NULL);
    const double lo = json_number_of(range, "lo", NAN), hi = json_number_of(range, "hi", NAN);
    if (!tensor || isnan(lo) || isnan(hi))
        return fail_with(why, "%s: a range%s%s without \"tensor\", \"lo\" and \"hi\": not what octet quantize --ranges writes",
                         path, tensor ? " of " : "", tensor ? tensor : "");
    return oct_calibration_set_range(calibration, tensor, (float)lo, (float)hi) == OCT_OK || fail_library(why, path);
}

bool ranges_read(const char *path, oct_calibration *calibration, failure *why)
{
    json_doc *doc;
    if (!json_load(path, &doc, why))
        return false;
    const json_value *range = json_first(json_get(json_root(doc), "ranges"));
    bool ok = range || fail_with(why, "%s: no \"ranges\" in it: not what octet quantize --ranges writes", path);
    for (; range && ok; range = range->next)
        ok = set_range(range, path, calibration, why);
    json_free(doc);
    return ok;
}

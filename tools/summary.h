/* summary.h - a model in a few numbers and lines, as import, quantize and info print it. */
#ifndef TOOLS_SUMMARY_H
#define TOOLS_SUMMARY_H

#include <stdint.h>

#include "failure.h"
#include "octet.h"

/* Sums over the layers. */
typedef struct summary {
    int64_t layers, int8_layers;   /* int8: at least its inputs are u8 and it is no mere border */
    int64_t macs, int8_macs;
    size_t weight_bytes;
    int64_t file_bytes;            /* 0 where there is no file */
    int64_t dynamic_layers;        /* of the int8 ones: their activations' ranges are found at run time */
    int64_t float_products;        /* convolutions and dense layers that are f32 */
    const char *precision;         /* "f32" if no layer is int8, "int8-dynamic" if all that are find their ranges at run time,
                                      else "int8" */
} summary;

/* Is this layer's arithmetic done in integers? */
bool summary_layer_is_int8(const oct_layer_info *layer);

bool summary_of_model(const oct_model *model, const char *path, summary *s, failure *why);

/* Loads `path` and prints its summary under the name of the file; prints nothing for what is no file that can be read again. */
bool summary_print_file(const char *path, failure *why);

/* The lines about precision, layers, inputs and outputs. */
bool summary_print(const oct_model *model, const summary *s, failure *why);

/* Bytes of a file; 0 if it cannot be told. */
int64_t summary_file_bytes(const char *path);

#endif

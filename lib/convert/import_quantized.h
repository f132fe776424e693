/* import_quantized.h - files that have been quantized elsewhere: real = scale * (q - zero_point), in ONNX's own terms.
 *
 *   ONNX                         the graph
 *   x -QuantizeLinear-> q        x --quantize--> u8 value with scale and zero point
 *   q -DequantizeLinear-> y      u8 value --dequantize--> y
 *   int8 q, zero point z         u8 q + 128, zero point z + 128                                      (exact)
 *   constant q -Dequantize-> w   f32 constant w, and a note of its scale: w lies on a grid           (oct_import_grid)
 *
 * Between the two, operators stay the float operators they are: the graph computes what the file says. Turning dequantize - conv -
 * quantize into one int8 convolution is the optimiser's work (optimize_qdq.c), after it has sorted out layouts. */
#ifndef OCT_IMPORT_QUANTIZED_H
#define OCT_IMPORT_QUANTIZED_H

#include "import_context.h"

/* Scale and zero point as the file has them. All zero: scale 1, zero point 0. */
typedef struct oct_import_scale {
    const float *scale;   /* NULL: 1 */
    int64_t count;        /* of scale: 1, or one for each index of an axis */
    const void *zero;     /* u8, s8 or s64; NULL: 0 */
    oct_dtype zero_type;
    int64_t zero_count;
} oct_import_scale;

/* Inputs `scale` and `zero` of the node at hand, which must be constants; a zero point may be left out. */
oct_status oct_import_scale_in(const oct_import *im, int scale, int zero, oct_import_scale *s);

/* Input i of the node at hand as floats. `axis` is the one that a scale of several numbers belongs to; negative ones count from the
 * end. */
oct_status oct_import_dequantize(oct_import *im, const char *suffix, int i, const oct_import_scale *s, int64_t axis, int *out);
/* x, floats, as bytes; int8 if is_signed. Whoever names them must tell their symbol. */
oct_status oct_import_quantize(oct_import *im, const char *suffix, int x, const oct_import_scale *s, int64_t axis, bool is_signed,
                               int *out);

/* A graph input of type uint8: it gets the scale of the first DequantizeLinear (or the like) that reads it. */
oct_status oct_import_free_input(oct_import *im, int value);
/* The constant `value` has just been dequantized for a layer whose input has its scale at run time only. */
void oct_import_mark_dynamic(oct_import *im, int value);
/* A constant's grid is its transpose's grid too. */
oct_status oct_import_follow_grid(oct_import *im, oct_op op, const oct_attrs *attrs, int from, int to);
/* Writes the grids of weights into the graph. */
oct_status oct_import_settle_grids(oct_import *im);

#endif

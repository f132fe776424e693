/* data.h - samples for a model's input (or reference values of its output) from a file, one at a time.
 *
 *     .f32   raw float32, little-endian             one sample after the other, each in the shape of the tensor, C order;
 *     .u8    raw bytes, taken as 0..255             N = elements in the file / elements of the tensor
 *     .npy   NumPy, float32 or uint8                the same
 *     .pb    ONNX TensorProto, float32 or uint8     the same
 *
 * A shape in a .npy or .pb that is the tensor's with its axes in another order is refused; any other counts by its elements.
 * Files stay on the disk and are read sample by sample (a .pb, at most 2 GB by its format, is read whole).
 */
#ifndef TOOLS_DATA_H
#define TOOLS_DATA_H

#include <stdbool.h>
#include <stdint.h>

#include "args.h"
#include "failure.h"
#include "octet.h"

/* What stored numbers u become: x = (u * scale - mean) / std. mean and std have no, one, or one number per channel: the
 * second dimension of the tensor (N x C x H x W) if it has as many, otherwise the last. */
typedef struct data_transform {
    double scale;
    arg_reals mean, std;
} data_transform;

/* x = u. */
void data_transform_init(data_transform *t);

/* The options --scale, --mean and --std, for arg_spec.groups; *t becomes x = u. */
#define DATA_OPTION_ROWS 4
void data_option_rows(data_transform *t, arg_option rows[DATA_OPTION_ROWS]);

/* False, with a sentence, for a scale or a std of 0: all samples would be alike, or nothing. */
bool data_transform_check(const data_transform *t, failure *why);

typedef struct data_file data_file;

/* Opens and checks; nothing of the size of the file is allocated. transform may be NULL for x = u; it is copied as far as needed.
 * An empty file, a type that is not listed above, a size that is no multiple of the tensor's are failures. */
bool data_open(const char *path, const oct_tensor_info *tensor, const data_transform *transform, data_file **file, failure *why);
void data_close(data_file *file);   /* NULL is allowed */

int64_t data_samples(const data_file *file);   /* at least 1 */
const char *data_path(const data_file *file);

/* Sample `index`, tensor->elements floats; valid until the next call. NULL on failure. */
const float *data_sample(data_file *file, int64_t index, failure *why);

/* Class numbers from raw .u8 or an integer .npy; there must be exactly `samples` of them. Release with free. */
bool data_read_labels(const char *path, int64_t samples, int64_t **labels, failure *why);

/* "1x3x224x224" */
char *data_shape_text(const oct_shape *shape, char *text, size_t size);

#endif

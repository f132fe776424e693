/* data.c - files of samples. Sizes claimed by a file are held against its real size before they are used.
 *
 *     .f32 .u8   | sample 0 | sample 1 | ...             found by seeking: data_offset + index * bytes of a sample
 *     .npy       | header | sample 0 | sample 1 | ...    the same behind the header
 *     .pb        | fields, one of them the elements |    parsed by the library, kept in memory
 */
#define _POSIX_C_SOURCE 200809L
#include "data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "npy.h"
#include "octet_convert.h"

struct data_file {
    char *path;
    FILE *file;               /* NULL for a .pb */
    oct_host_tensor tensor;   /* of a .pb */
    bool bytes;               /* elements are u8, not f32 */
    int64_t data_offset;
    int64_t sample_elements, samples;
    float *sample;
    uint8_t *raw;             /* one sample as stored, if bytes */

    bool transformed;
    double scale;
    float *mean, *std;        /* one per channel */
    int64_t channels, inner;  /* the channel of element e is e / inner % channels */
};

char *data_shape_text(const oct_shape *shape, char *text, size_t size)
{
    int length = snprintf(text, size, "%s", shape->rank ? "" : "scalar");
    for (int i = 0; i < shape->rank && (size_t)length < size; i++)
        length += snprintf(text + length, size - (size_t)length, "%s%lld", i ? "x" : "", (long long)shape->dims[i]);
    return text;
}

/* ------------------------------------------------------------------------------------------- transform ---- */

void data_transform_init(data_transform *t)
{
    t->scale = 1;
    t->mean.count = t->std.count = 0;
}

void data_option_rows(data_transform *t, arg_option rows[DATA_OPTION_ROWS])
{
    data_transform_init(t);
    rows[0] = (arg_option){"--scale", .kind = ARG_REAL, .to = &t->scale, .value = "S",
                           .help = "data become (u * S - mean) / std; 1/255 is a number too\n(default 1)"};
    rows[1] = (arg_option){"--mean", .kind = ARG_REALS, .to = &t->mean, .value = "M[,M..]",
                           .help = "one number, or one per channel (default 0)"};
    rows[2] = (arg_option){"--std", .kind = ARG_REALS, .to = &t->std, .value = "D[,D..]",
                           .help = "one number, or one per channel (default 1)"};
    rows[3] = (arg_option){0};
}

bool data_transform_check(const data_transform *t, failure *why)
{
    if (!(t->scale > 0) && !(t->scale < 0))
        return fail_with(why, "--scale must not be 0");
    for (int i = 0; i < t->std.count; i++)
        if (!(t->std.items[i] > 0) && !(t->std.items[i] < 0))
            return fail_with(why, "--std must not be 0");
    return true;
}

/* Finds the axis that has `count` channels. */
static bool find_channels(data_file *d, const oct_shape *shape, int count, const char *option, failure *why)
{
    int axis = shape->rank >= 2 && shape->dims[1] == count ? 1 : shape->rank - 1;
    if (axis < 0 || shape->dims[axis] != count) {
        char text[160];
        return fail_with(why, "%s has %d numbers, but neither the second nor the last dimension of %s is %d", option, count,
                         data_shape_text(shape, text, sizeof text), count);
    }
    d->channels = count;
    d->inner = 1;
    for (int i = axis + 1; i < shape->rank; i++)
        d->inner *= shape->dims[i];
    return true;
}

/* One mean and std per channel, so that transform_sample has a single form; lists of one number serve all channels. */
static bool prepare_transform(data_file *d, const data_transform *t, const oct_shape *shape, failure *why)
{
    const bool identity = !(t->scale < 1) && !(t->scale > 1) && t->mean.count == 0 && t->std.count == 0;
    if (identity)
        return true;
    if (!data_transform_check(t, why))
        return false;
    const arg_reals *lists[2] = {&t->mean, &t->std};
    static const char *const names[2] = {"--mean", "--std"};
    d->channels = d->inner = 1;
    for (int i = 0; i < 2; i++) {
        if (lists[i]->count > 1 && d->channels > 1 && lists[i]->count != d->channels)
            return fail_with(why, "--mean has %d numbers and --std has %d", t->mean.count, t->std.count);
        if (lists[i]->count > 1 && !find_channels(d, shape, lists[i]->count, names[i], why))
            return false;
    }
    d->mean = calloc((size_t)d->channels, sizeof *d->mean);
    d->std = calloc((size_t)d->channels, sizeof *d->std);
    if (!d->mean || !d->std)
        return fail_with(why, "out of memory");
    for (int64_t c = 0; c < d->channels; c++) {
        d->mean[c] = t->mean.count == 0 ? 0 : t->mean.items[t->mean.count > 1 ? c : 0];
        d->std[c] = t->std.count == 0 ? 1 : t->std.items[t->std.count > 1 ? c : 0];
    }
    d->scale = t->scale;
    d->transformed = true;
    return true;
}

/* In double: (u * scale - mean) / std then rounds once. */
static void transform_sample(data_file *d)
{
    for (int64_t e = 0; e < d->sample_elements; e++) {
        const int64_t c = e / d->inner % d->channels;
        d->sample[e] = (float)(((double)d->sample[e] * d->scale - (double)d->mean[c]) / (double)d->std[c]);
    }
}

/* --------------------------------------------------------------------------------------------- opening ---- */

/* Longer than the suffix: ".npy" alone is a hidden file without a suffix. */
static bool has_suffix(const char *path, const char *suffix)
{
    const size_t length = strlen(path), tail = strlen(suffix);
    return length > tail && !strcmp(path + length - tail, suffix);
}

/* A regular file and its size. */
static bool open_regular(const char *path, FILE **file, int64_t *size, failure *why)
{
    struct stat st;
    *file = fopen(path, "rb");
    if (!*file)
        return fail_with(why, "%s: cannot be read: %s", path, strerror(errno));
    if (fstat(fileno(*file), &st) == 0 && S_ISREG(st.st_mode)) {
        *size = st.st_size;
        return *size > 0 || fail_with(why, "%s: the file is empty", path);
    }
    return fail_with(why, "%s: not a regular file", path);
}

/* Ascending, for qsort. */
static int compare_dims(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Refuses a shape whose last dimensions are those of a sample in another order: pictures stored H x W x C for a model that takes
 * C x H x W have the right number of elements and would give wrong answers without a word. Any other shape goes by its elements. */
static bool check_order(const int64_t *dims, int rank, const oct_shape *shape, const char *path, failure *why)
{
    const int tail = shape->rank - 1;   /* without the batch */
    if (tail < 2 || rank < tail)
        return true;
    const int64_t *have = dims + rank - tail, *want = shape->dims + 1;
    int64_t sorted_have[OCT_MAX_RANK], sorted_want[OCT_MAX_RANK];
    const size_t bytes = (size_t)tail * sizeof *have;
    memcpy(sorted_have, have, bytes);
    memcpy(sorted_want, want, bytes);
    qsort(sorted_have, (size_t)tail, sizeof *have, compare_dims);
    qsort(sorted_want, (size_t)tail, sizeof *want, compare_dims);
    if (memcmp(have, want, bytes) == 0 || memcmp(sorted_have, sorted_want, bytes) != 0)
        return true;
    /* Axes of length 1 may stand anywhere: moving them moves no element. */
    int h = 0, w = 0;
    while (h < tail && w < tail) {
        if (have[h] == 1)
            h++;
        else if (want[w] == 1)
            w++;
        else if (have[h++] != want[w++]) {
            oct_shape stored = {.rank = tail};
            char a[160], b[160];
            memcpy(stored.dims, have, bytes);
            return fail_with(why, "%s: samples of %s, but the model takes %s: same numbers, other order; transpose them", path,
                             data_shape_text(&stored, a, sizeof a), data_shape_text(shape, b, sizeof b));
        }
    }
    return true;
}

/* No header: the size alone says how many elements there are. */
static bool open_raw(data_file *d, int64_t *elements, failure *why)
{
    int64_t size;
    if (!open_regular(d->path, &d->file, &size, why))
        return false;
    const int64_t element = d->bytes ? 1 : 4;
    *elements = size / element;
    return size % element == 0 || fail_with(why, "%s: %lld bytes are no whole number of float32", d->path, (long long)size);
}

static bool open_npy(data_file *d, const oct_shape *shape, int64_t *elements, failure *why)
{
    int64_t size;
    npy_header h;
    if (!open_regular(d->path, &d->file, &size, why) || !npy_read_header(d->file, size, d->path, &h, why))
        return false;
    d->bytes = h.kind == 'u' && h.size == 1;
    if (!d->bytes && !(h.kind == 'f' && h.size == 4))
        return fail_with(why, "%s: elements are '%c%d'; save them as float32 or uint8", d->path, h.kind, h.size);
    d->data_offset = h.data_offset;
    *elements = h.elements;
    return check_order(h.dims, h.rank, shape, d->path, why);
}

/* Read whole: protobuf has no way to find an element without parsing what stands before it. */
static bool open_pb(data_file *d, const oct_shape *shape, int64_t *elements, failure *why)
{
    if (oct_read_tensor_pb(d->path, &d->tensor) != OCT_OK)
        return fail_library(why, d->path);
    const oct_host_tensor *t = &d->tensor;
    if (t->dtype != OCT_F32 && t->dtype != OCT_U8)
        return fail_with(why, "%s: elements are %s; f32 and u8 can be used", d->path, oct_dtype_name(t->dtype));
    d->bytes = t->dtype == OCT_U8;
    *elements = 1;   /* the reader has checked that the product fits */
    for (int i = 0; i < t->shape.rank; i++)
        *elements *= t->shape.dims[i];
    return check_order(t->shape.dims, t->shape.rank, shape, d->path, why);
}

/* The name decides: raw files carry nothing to recognise them by. */
static bool open_by_suffix(data_file *d, const oct_shape *shape, int64_t *elements, failure *why)
{
    if (has_suffix(d->path, ".npy"))
        return open_npy(d, shape, elements, why);
    if (has_suffix(d->path, ".pb"))
        return open_pb(d, shape, elements, why);
    d->bytes = has_suffix(d->path, ".u8");
    if (!d->bytes && !has_suffix(d->path, ".f32"))
        return fail_with(why, "%s: the name must end in .npy, .f32, .u8 or .pb", d->path);
    return open_raw(d, elements, why);
}

/* Whole samples only. Memory is asked for one sample, and only after the file has been found to hold it. */
static bool find_samples(data_file *d, const oct_tensor_info *tensor, int64_t elements, failure *why)
{
    char text[160];
    d->sample_elements = (int64_t)tensor->elements;
    if (elements == 0 || d->sample_elements == 0)
        return fail_with(why, "%s: holds no sample", d->path);
    if (elements % d->sample_elements != 0)
        return fail_with(why, "%s: %lld elements are no multiple of the %lld of \"%s\" (%s)", d->path, (long long)elements,
                         (long long)d->sample_elements, tensor->name, data_shape_text(&tensor->shape, text, sizeof text));
    d->samples = elements / d->sample_elements;
    d->sample = malloc((size_t)d->sample_elements * sizeof *d->sample);
    /* The product cannot overflow: the file holds at least as many elements. */
    d->raw = d->bytes ? malloc((size_t)d->sample_elements) : NULL;
    return (d->sample && (d->raw || !d->bytes)) || fail_with(why, "%s: out of memory", d->path);
}

bool data_open(const char *path, const oct_tensor_info *tensor, const data_transform *transform, data_file **file, failure *why)
{
    int64_t elements = 0;
    *file = NULL;
    data_file *d = calloc(1, sizeof *d);
    if (!d || !(d->path = malloc(strlen(path) + 1))) {
        free(d);
        return fail_with(why, "%s: out of memory", path);
    }
    strcpy(d->path, path);
    if (!open_by_suffix(d, &tensor->shape, &elements, why) || !find_samples(d, tensor, elements, why) ||
        (transform && !prepare_transform(d, transform, &tensor->shape, why))) {
        data_close(d);
        return false;
    }
    *file = d;
    return true;
}

/* Also for one that data_open has only half filled. */
void data_close(data_file *file)
{
    if (!file)
        return;
    if (file->file)
        fclose(file->file);
    oct_host_tensor_free(&file->tensor);
    free(file->path);
    free(file->sample);
    free(file->raw);
    free(file->mean);
    free(file->std);
    free(file);
}

int64_t data_samples(const data_file *file) { return file->samples; }
const char *data_path(const data_file *file) { return file->path; }

/* --------------------------------------------------------------------------------------------- samples ---- */

/* The sample as it is stored, to `to`. */
static bool read_stored(data_file *d, int64_t index, void *to, failure *why)
{
    const size_t bytes = (size_t)d->sample_elements * (d->bytes ? 1 : 4);
    /* index < samples, so the sample lies within the tensor. */
    if (!d->file) {
        memcpy(to, (const uint8_t *)d->tensor.data + (size_t)index * bytes, bytes);
        return true;
    }
    if (fseeko(d->file, d->data_offset + index * (int64_t)bytes, SEEK_SET) == 0 && fread(to, 1, bytes, d->file) == bytes)
        return true;
    return fail_with(why, "%s: sample %lld cannot be read: %s", d->path, (long long)index,
                     ferror(d->file) ? strerror(errno) : "the file has become shorter");
}

const float *data_sample(data_file *file, int64_t index, failure *why)
{
    if (index < 0 || index >= file->samples) {
        fail_with(why, "%s: no sample %lld, there are %lld", file->path, (long long)index, (long long)file->samples);
        return NULL;
    }
    if (!read_stored(file, index, file->bytes ? (void *)file->raw : (void *)file->sample, why))
        return NULL;
    /* A float sample was read into place; bytes are widened. */
    for (int64_t e = 0; file->bytes && e < file->sample_elements; e++)
        file->sample[e] = (float)file->raw[e];
    if (file->transformed)
        transform_sample(file);
    return file->sample;
}

/* ---------------------------------------------------------------------------------------------- labels ---- */

/* One little-endian integer; an unsigned 64-bit label beyond the signed range comes out negative and is refused as a class. */
static int64_t integer_at(const uint8_t *p, char kind, int size)
{
    uint64_t bits = 0;
    for (int i = 0; i < size; i++)
        bits |= (uint64_t)p[i] << (8 * i);
    const bool negative = kind == 'i' && size < 8 && bits >> (8 * size - 1);
    return (int64_t)(negative ? bits | ~(uint64_t)0 << (8 * size) : bits);
}

/* A raw label file looks like a .npy of bytes without a header. */
static bool labels_header(FILE *file, int64_t size, const char *path, npy_header *h, failure *why)
{
    if (has_suffix(path, ".npy")) {
        if (!npy_read_header(file, size, path, h, why))
            return false;
        return h->kind != 'f' || fail_with(why, "%s: labels must be integers, these are floats", path);
    }
    *h = (npy_header){.kind = 'u', .size = 1, .elements = size};
    return has_suffix(path, ".u8") || fail_with(why, "%s: the name of a label file must end in .u8 or .npy", path);
}

/* The count is compared before anything is allocated. */
static bool read_labels(FILE *file, int64_t size, const char *path, int64_t samples, int64_t **labels, failure *why)
{
    npy_header h;
    if (!labels_header(file, size, path, &h, why))
        return false;
    if (h.elements != samples)
        return fail_with(why, "%s: %lld labels for %lld samples", path, (long long)h.elements, (long long)samples);
    *labels = malloc((size_t)samples * sizeof **labels);
    bool ok = *labels || fail_with(why, "%s: out of memory", path);
    if (ok && fseeko(file, h.data_offset, SEEK_SET) != 0)
        ok = fail_with(why, "%s: %s", path, strerror(errno));
    for (int64_t i = 0; i < samples && ok; i++) {
        uint8_t bytes[8];
        ok = fread(bytes, 1, (size_t)h.size, file) == (size_t)h.size ||
             fail_with(why, "%s: label %lld cannot be read", path, (long long)i);
        (*labels)[i] = ok ? integer_at(bytes, h.kind, h.size) : 0;
    }
    if (!ok) {
        free(*labels);
        *labels = NULL;
    }
    return ok;
}

bool data_read_labels(const char *path, int64_t samples, int64_t **labels, failure *why)
{
    FILE *file;
    int64_t size;
    *labels = NULL;
    const bool ok = open_regular(path, &file, &size, why) && read_labels(file, size, path, samples, labels, why);
    if (file)
        fclose(file);
    return ok;
}

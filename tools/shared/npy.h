/* npy.h - NumPy's .npy files: an array of numbers behind a short text header.
 * Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 *
 *     "\x93NUMPY"  major  minor  header length (2 bytes, 4 from version 2 on)
 *     {'descr': '<f4', 'fortran_order': False, 'shape': (450, 12), }   spaces, newline
 *     elements
 *
 * Read: versions 1 to 3, little-endian, C order. Written: version 1, f32.
 */
#ifndef TOOLS_NPY_H
#define TOOLS_NPY_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "failure.h"

#define NPY_MAX_RANK 32

/* What stands before the elements, checked against the size of the file. */
typedef struct npy_header {
    char kind;          /* 'f' float, 'i' signed, 'u' unsigned, 'b' bool */
    int size;           /* bytes of an element: 1, 2, 4, 8 */
    int rank;
    int64_t dims[NPY_MAX_RANK];
    int64_t elements;
    int64_t data_offset;  /* where the elements begin in the file */
} npy_header;

/* Reads and checks the header at the start of `file`, which is `file_size` bytes long: the file must hold exactly the elements
 * that it announces. `path` is for the sentence. */
bool npy_read_header(FILE *file, int64_t file_size, const char *path, npy_header *header, failure *why);

/* An array being written row by row. The file appears under its name when it is complete, and not before; something at `path` that
 * is no regular file (a device, a pipe) is written directly. */
typedef struct npy_writer npy_writer;

bool npy_create(const char *path, int rank, const int64_t *dims, npy_writer **writer, failure *why);
bool npy_append(npy_writer *writer, const float *values, int64_t count, failure *why);
/* Completes the file. The writer is gone afterwards, also on failure. Fewer or more elements than the shape says is a failure. */
bool npy_finish(npy_writer *writer, failure *why);
/* Leaves nothing behind. NULL is allowed. */
void npy_abandon(npy_writer *writer);

#endif

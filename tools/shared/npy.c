/* npy.c - the header is a Python literal. It is parsed by hand, strictly: what is not understood is refused, not guessed. */
#define _POSIX_C_SOURCE 200809L
#include "npy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "output.h"

#define MAGIC "\x93NUMPY"
#define MAX_HEADER 65536   /* numpy itself refuses to parse more than 10000 characters unasked */

/* --------------------------------------------------------------------------------------------- reading ---- */

/* The text of the header with a place to read at. The dictionary is a Python literal; numpy writes its three keys in
 * alphabetical order, other programs in any. */
typedef struct cursor {
    const char *at;
    const char *path;
    failure *why;
} cursor;

static bool bad(const cursor *c, const char *what)
{
    return fail_with(c->why, "%s: damaged .npy header: %s", c->path, what);
}

/* The header ends in a 0 that calloc put there, so no scan can run past it. */
static void skip_space(cursor *c)
{
    c->at += strspn(c->at, " \t\n\r");
}

/* Skips `text` if it comes next. */
static bool accept(cursor *c, const char *text)
{
    skip_space(c);
    const size_t length = strlen(text);
    if (strncmp(c->at, text, length) != 0)
        return false;
    c->at += length;
    return true;
}

/* A string in quotes without escapes: a key or a type. */
static bool read_quoted(cursor *c, char *text, size_t size)
{
    skip_space(c);
    const char quote = *c->at;
    if (quote != '\'' && quote != '"')
        return bad(c, "a quoted word was expected");
    const char *begin = c->at + 1, *end = strchr(begin, quote);
    if (!end || (size_t)(end - begin) >= size)
        return bad(c, "a quoted word does not end");
    memcpy(text, begin, (size_t)(end - begin));
    text[end - begin] = '\0';
    c->at = end + 1;
    return true;
}

/* '<f4', '|u1', '<i8', ... */
static bool read_type(cursor *c, npy_header *h)
{
    char text[32];
    if (!read_quoted(c, text, sizeof text))
        return false;
    const bool known_size = strlen(text) == 3 && strchr("1248", text[2]);
    if (!known_size || !strchr("<|=>", text[0]) || !strchr("fiub", text[1]))
        return fail_with(c->why, "%s: elements of the type '%s' cannot be read (float32 and integers can)", c->path, text);
    h->kind = text[1];
    h->size = text[2] - '0';
    if (text[0] == '>' && h->size > 1)
        return fail_with(c->why, "%s: big-endian elements ('%s'); save it as '<%s'", c->path, text, text + 1);
    return true;
}

/* (450, 12), (450,), () */
static bool read_shape(cursor *c, npy_header *h)
{
    if (!accept(c, "("))
        return bad(c, "the shape is no tuple");
    h->rank = 0;
    while (!accept(c, ")")) {
        if (*c->at < '0' || *c->at > '9')
            return bad(c, "the shape is no tuple of numbers");
        char *end;
        errno = 0;
        const long long dim = strtoll(c->at, &end, 10);
        if (errno == ERANGE)
            return bad(c, "a dimension is too large");
        if (h->rank == NPY_MAX_RANK)
            return bad(c, "too many dimensions");
        h->dims[h->rank++] = dim;
        c->at = end;
        accept(c, "L");   /* Python 2 wrote long integers so */
        if (!accept(c, ",") && *c->at != ')')
            return bad(c, "the shape is no tuple");
        skip_space(c);
    }
    return true;
}

/* All three keys, in any order, and no other: an unknown key may change the meaning of the elements. */
static bool read_dictionary(cursor *c, npy_header *h)
{
    bool type = false, order = false, shape = false;
    if (!accept(c, "{"))
        return bad(c, "no dictionary");
    while (!accept(c, "}")) {
        char key[32];
        if (!read_quoted(c, key, sizeof key))
            return false;
        if (!accept(c, ":"))
            return bad(c, "a key without a value");
        if (!strcmp(key, "descr")) {
            if (!read_type(c, h))
                return false;
            type = true;
        } else if (!strcmp(key, "fortran_order")) {
            if (accept(c, "True"))
                return fail_with(c->why, "%s: Fortran order; save numpy.ascontiguousarray of it", c->path);
            if (!accept(c, "False"))
                return bad(c, "fortran_order is neither True nor False");
            order = true;
        } else if (!strcmp(key, "shape")) {
            if (!read_shape(c, h))
                return false;
            shape = true;
        } else {
            return bad(c, "an unknown key");
        }
        accept(c, ",");
    }
    return (type && order && shape) || bad(c, "descr, fortran_order or shape is missing");
}

/* The product of the dimensions, held against the bytes that the file really has; nothing is allocated on its word. */
static bool check_size(npy_header *h, int64_t file_size, const char *path, failure *why)
{
    const int64_t have = (file_size - h->data_offset) / h->size;
    h->elements = 1;
    /* Zeros first: beside one, the other dimensions may be as large as they like. */
    for (int i = 0; i < h->rank; i++)
        if (h->dims[i] == 0)
            h->elements = 0;
    for (int i = 0; i < h->rank && h->elements > 0; i++) {
        /* elements * dims[i] <= have without computing the product, which may not fit 64 bits. */
        if (h->dims[i] > have / h->elements)
            return fail_with(why, "%s: cut short: its shape needs more than the %lld elements in it", path, (long long)have);
        h->elements *= h->dims[i];
    }
    if (h->data_offset + h->elements * h->size != file_size)
        return fail_with(why, "%s: %lld bytes follow the %lld elements of its shape", path,
                         (long long)(file_size - h->data_offset - h->elements * h->size), (long long)h->elements);
    return true;
}

bool npy_read_header(FILE *file, int64_t file_size, const char *path, npy_header *header, failure *why)
{
    unsigned char start[12];
    *header = (npy_header){0};
    rewind(file);
    if (file_size < 12 || fread(start, 1, 12, file) != 12 || memcmp(start, MAGIC, 6) != 0)
        return fail_with(why, "%s: not a .npy file", path);
    const int version = start[6];
    if (version < 1 || version > 3)
        return fail_with(why, "%s: .npy version %d; 1 to 3 can be read", path, version);
    const int64_t length_at = 8, prefix = version == 1 ? 10 : 12;
    int64_t length = start[length_at] | start[length_at + 1] << 8;
    if (version > 1)
        length |= (int64_t)start[10] << 16 | (int64_t)start[11] << 24;
    /* The claimed length is held against the file before memory is asked for. */
    if (length > MAX_HEADER || length > file_size - prefix)
        return fail_with(why, "%s: damaged .npy header: %lld bytes long in a file of %lld", path, (long long)length,
                         (long long)file_size);
    char *text = calloc((size_t)length + 1, 1);
    if (!text)
        return fail_with(why, "%s: out of memory", path);
    cursor c = {.at = text, .path = path, .why = why};
    bool ok = fseeko(file, prefix, SEEK_SET) == 0 && fread(text, 1, (size_t)length, file) == (size_t)length;
    if (!ok)
        fail_with(why, "%s: %s", path, strerror(errno));
    ok = ok && read_dictionary(&c, header);
    free(text);
    header->data_offset = prefix + length;
    return ok && check_size(header, file_size, path, why);
}

/* --------------------------------------------------------------------------------------------- writing ---- */

struct npy_writer {
    output_file file;
    int64_t left;     /* elements still to come */
};

/* The dictionary, padded with spaces and a newline so that the elements begin at a multiple of 64. */
static bool write_header(npy_writer *w, int rank, const int64_t *dims)
{
    char text[1024];
    int length = snprintf(text, sizeof text, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < rank; i++)
        length += snprintf(text + length, sizeof text - (size_t)length, "%lld,%s", (long long)dims[i], i + 1 < rank ? " " : "");
    length += snprintf(text + length, sizeof text - (size_t)length, "), }");
    const int total = (10 + length + 1 + 63) / 64 * 64, padded = total - 10;
    const unsigned char start[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)(padded & 255), (unsigned char)(padded >> 8)};
    return fwrite(start, 1, 10, w->file.to) == 10 && fprintf(w->file.to, "%s%*s\n", text, padded - length - 1, "") == padded;
}

/* *writer stays NULL on failure, and no file is left behind. */
bool npy_create(const char *path, int rank, const int64_t *dims, npy_writer **writer, failure *why)
{
    *writer = NULL;
    npy_writer *w = calloc(1, sizeof *w);
    if (!w)
        return fail_with(why, "%s: out of memory", path);
    w->left = 1;
    for (int i = 0; i < rank; i++)
        w->left *= dims[i];
    bool ok = output_open(&w->file, path, why);
    if (ok && !write_header(w, rank, dims))
        ok = fail_with(why, "%s: cannot be written: %s", path, strerror(errno));
    if (ok)
        *writer = w;
    else
        npy_abandon(w);
    return ok;
}

/* Counted, so that npy_finish knows whether the shape in the header holds. */
bool npy_append(npy_writer *writer, const float *values, int64_t count, failure *why)
{
    writer->left -= count;
    if (fwrite(values, sizeof *values, (size_t)count, writer->file.to) != (size_t)count)
        return fail_with(why, "%s: cannot be written: %s", writer->file.path, strerror(errno));
    return true;
}

bool npy_finish(npy_writer *writer, failure *why)
{
    bool ok = writer->left == 0 || fail_with(why, "%s: %lld elements are missing", writer->file.path, (long long)writer->left);
    ok = ok && output_close(&writer->file, why);
    npy_abandon(writer);
    return ok;
}

void npy_abandon(npy_writer *writer)
{
    if (!writer)
        return;
    output_abandon(&writer->file);
    free(writer);
}

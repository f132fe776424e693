/* file.h - a whole file as bytes, mapped where the system allows it. */
#ifndef OCT_FILE_H
#define OCT_FILE_H

#include <stddef.h>
#include "octet.h"

typedef struct oct_file {
    void *bytes;                                 /* 64-byte aligned, read only */
    size_t size;
    void (*release)(void *bytes, size_t size);
} oct_file;

/* Errors: IO, MEMORY. */
oct_status oct_file_open(const char *path, oct_file *file);

/* An oct_file of a copy of these bytes. Errors: MEMORY. */
oct_status oct_file_copy(const void *bytes, size_t size, oct_file *file);

#endif

/* output.h - files that are complete or not there: what is half written must not pass for a small result, and a failure must not
 * cost the file that had the name before.
 *
 *     output_file o;
 *     if (!output_open(&o, path, why)) ...
 *     fprintf(o.to, ...);
 *     return output_close(&o, why);          or output_abandon(&o) where something else went wrong
 */
#ifndef TOOLS_OUTPUT_H
#define TOOLS_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "failure.h"

/* A file being written as PATH.part. What is no regular file (a device, a pipe) is written directly, and so is "-", the standard
 * output. */
typedef struct output_file {
    FILE *to;
    char *path;
    char *part;   /* the name until it is complete; NULL: written directly */
} output_file;

bool output_open(output_file *o, const char *path, failure *why);
/* Gives the file its name. The output is gone afterwards; on failure, as when the disk is full, so is what was written. */
bool output_close(output_file *o, failure *why);
/* Leaves nothing behind; also for an output of zeros. */
void output_abandon(output_file *o);

/* May `path` be written by a command that reads those files? Not if it is one of them under whatever spelling: a slip of the hand
 * would cost the original. Entries of NULL are passed over. */
bool output_spares(const char *path, const char *const *inputs, int count, failure *why);
/* The same for commands that need a file with a name, where "-" is none. */
bool output_is_file(const char *path, const char *const *inputs, int count, failure *why);

#endif

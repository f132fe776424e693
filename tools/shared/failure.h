/* failure.h - why something in tools/ did not work: one sentence, carried by the caller. */
#ifndef TOOLS_FAILURE_H
#define TOOLS_FAILURE_H

#include <stdbool.h>

/* Room for a sentence of the library with a path before it; longer ones are cut. */
typedef struct failure {
    char text[640];
} failure;

/* Writes the sentence (control characters become '?', so that it stays one line) and returns false, so that callers write
 *     return fail_with(why, "%s: ...", path);
 */
bool fail_with(failure *why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same with what the library has to say: "WHERE: " and oct_error(); WHERE is left out where it is NULL or the sentence has it.
 */
bool fail_library(failure *why, const char *where);

#endif

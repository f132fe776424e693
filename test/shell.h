/* shell.h - tests of built programs: a scratch folder, files in it, a command's exit status and what it printed. */
#ifndef TEST_SHELL_H
#define TEST_SHELL_H

#include <stdbool.h>
#include <stddef.h>

typedef struct shell_result {
    int status;        /* of exit; 128 + signal if it was killed */
    char out[1 << 17]; /* standard output and standard error, cut to this size */
    char err[1 << 13];
} shell_result;

/* The path of a name in a fresh folder that is removed when the tests end. The text stays valid; there is room for 256 names. */
const char *shell_path(const char *name);
/* Writes a file there and returns its path; fails the case if that is impossible. */
const char *shell_write(const char *name, const void *bytes, size_t size);
/* The bytes of a file with a 0 behind them, to be freed; NULL if it cannot be read. */
char *shell_read(const char *path, size_t *size);

/* Runs a line of sh, with no standard input. In it, $octet and $bench are the built commands and $examples is the folder of the
 * built examples, each behind the emulator that TEST_RUNNER in the environment may name (cross-built tests). The result lives until
 * the next call.
 */
const shell_result *shell_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* False, and the case is skipped, if the octet command is not built or cannot be executed here. */
bool shell_has_octet(void);

/* Does TEST_RUNNER name an emulator? Long cases then do less. */
bool shell_is_emulated(void);

/* Is it one line, ending in a newline, that begins with `start`? */
bool shell_is_line(const char *text, const char *start);

/* Is it one JSON value and nothing else? */
bool shell_is_json(const char *text);
/* The number behind the first "key": in a JSON text; NaN if there is none. */
double shell_json_number(const char *text, const char *key);

#endif

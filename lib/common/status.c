#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define SENTENCE 1024

static _Thread_local char sentence[SENTENCE];

const char *oct_error(void) { return sentence; }

const char *oct_version(void) { return OCT_VERSION; }

const char *oct_status_name(oct_status status)
{
    switch (status) {
    case OCT_OK: return "ok";
    case OCT_ERR_ARGUMENT: return "bad argument";
    case OCT_ERR_MEMORY: return "out of memory";
    case OCT_ERR_IO: return "input/output error";
    case OCT_ERR_FORMAT: return "damaged file";
    case OCT_ERR_UNSUPPORTED: return "not supported";
    case OCT_ERR_DATA: return "unusable data";
    }
    return "unknown status";
}

/* A sentence is one line of printable text, whatever names a hostile file put into it. */
static void tame(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text == 0x7f)
            *text = '?';
}

oct_status oct_fail(oct_status status, const char *format, ...)
{
    /* Into a second buffer first: an argument may be the old sentence itself. */
    char text[SENTENCE];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tame(text);
    memcpy(sentence, text, sizeof sentence);
    return status;
}

oct_status oct_fail_in(oct_status status, const char *format, ...)
{
    char prefix[SENTENCE], text[2 * SENTENCE + 4];
    va_list args;
    va_start(args, format);
    vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    snprintf(text, sizeof text, "%s: %s", prefix, sentence);
    tame(text);
    snprintf(sentence, sizeof sentence, "%.*s", SENTENCE - 1, text);
    return status;
}

oct_status oct_fail_memory(size_t bytes)
{
    return oct_fail(OCT_ERR_MEMORY, "out of memory: the system did not give %zu bytes", bytes);
}

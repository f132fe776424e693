/* failure.c - sentences on their way to stderr. */
#include "failure.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "octet.h"

/* Names inside a damaged file may hold anything; a terminal should not obey them. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7F)
            *text = '?';
}

bool fail_with(failure *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why->text, sizeof why->text, format, args);
    va_end(args);
    make_printable(why->text);
    return false;
}

bool fail_library(failure *why, const char *where)
{
    const char *sentence = oct_error();
    return where && !strstr(sentence, where) ? fail_with(why, "%s: %s", where, sentence) : fail_with(why, "%s", sentence);
}

/* json.c - the writer keeps only a stack of what is open and whether a comma is due; text goes straight to the stream. */
#include "json.h"

#include <math.h>
#include <stdlib.h>

void json_begin(json *j, FILE *to)
{
    *j = (json){.to = to};
}

/* The stream keeps an error until now, so the writing functions need not report any. */
bool json_end(json *j)
{
    while (j->depth > 0)
        json_close(j);
    fputc('\n', j->to);
    return fflush(j->to) == 0 && !ferror(j->to);
}

/* ------------------------------------------------------------------------------------------------ text ---- */

/* Length of the UTF-8 sequence at `s` (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF); 0 if it is none. */
static int utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80)
        return 1;
    int length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4)
        return 0;
    /* The second byte has a narrower range after some first bytes; the terminating 0 is outside every range. */
    unsigned char lo = s[0] == 0xE0 ? 0xA0 : s[0] == 0xF0 ? 0x90 : 0x80;
    unsigned char hi = s[0] == 0xED ? 0x9F : s[0] == 0xF4 ? 0x8F : 0xBF;
    if (s[1] < lo || s[1] > hi)
        return 0;
    for (int i = 2; i < length; i++)
        if (s[i] < 0x80 || s[i] > 0xBF)
            return 0;
    return length;
}

/* Quoted and escaped; a name from a hostile file must not end the string early or make the text no UTF-8. */
static void write_text(FILE *to, const char *text)
{
    fputc('"', to);
    for (const unsigned char *s = (const unsigned char *)text; *s;) {
        int length = utf8_length(s);
        if (length == 0)
            fputs("\\ufffd", to);
        else if (*s == '"' || *s == '\\')
            fprintf(to, "\\%c", *s);
        else if (*s < 0x20 || *s == 0x7F)
            fprintf(to, "\\u%04x", *s);
        else
            fwrite(s, 1, (size_t)length, to);
        s += length ? length : 1;
    }
    fputc('"', to);
}

/* ------------------------------------------------------------------------------------------- structure ---- */

/* Comma, line break and key: all that stands before a member. */
static void start_member(json *j, const char *key)
{
    /* The outermost value has nothing before it. */
    if (j->depth > 0) {
        if (j->level[j->depth - 1].filled)
            fputc(',', j->to);
        if (!j->level[j->depth - 1].line)
            fprintf(j->to, "\n%*s", 2 * j->depth, "");
        else if (j->level[j->depth - 1].filled)
            fputc(' ', j->to);
        j->level[j->depth - 1].filled = true;
    }
    if (key) {
        write_text(j->to, key);
        fputs(": ", j->to);
    }
}

/* Opens an object or an array as the next member. */
static void open_level(json *j, const char *key, char open, char close)
{
    start_member(j, key);
    fputc(open, j->to);
    if (j->depth == JSON_MAX_DEPTH)
        abort();   /* a nesting that the program itself, not its input, decides */
    j->level[j->depth].close = close;
    j->level[j->depth].filled = false;
    j->level[j->depth].line = j->depth > 0 && j->level[j->depth - 1].line;
    j->depth++;
}

void json_object(json *j, const char *key) { open_level(j, key, '{', '}'); }
void json_array(json *j, const char *key) { open_level(j, key, '[', ']'); }

void json_object_line(json *j, const char *key)
{
    open_level(j, key, '{', '}');
    j->level[j->depth - 1].line = true;
}

/* Empty ones close on the same line: [] and {}. */
void json_close(json *j)
{
    j->depth--;
    if (j->level[j->depth].filled && !j->level[j->depth].line)
        fprintf(j->to, "\n%*s", 2 * j->depth, "");
    fputc(j->level[j->depth].close, j->to);
}

/* ---------------------------------------------------------------------------------------------- values ---- */

void json_text(json *j, const char *key, const char *value)
{
    start_member(j, key);
    if (value)
        write_text(j->to, value);
    else
        fputs("null", j->to);
}

void json_number(json *j, const char *key, double value)
{
    char text[40] = "null";
    /* 17 significant digits always suffice for a double; most numbers need fewer. */
    for (int digits = 6; isfinite(value) && digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        const double back = strtod(text, NULL);
        if (!(back < value) && !(back > value))
            break;
    }
    start_member(j, key);
    fputs(text, j->to);
}

void json_integer(json *j, const char *key, int64_t value)
{
    start_member(j, key);
    fprintf(j->to, "%lld", (long long)value);
}

void json_bool(json *j, const char *key, bool value)
{
    start_member(j, key);
    fputs(value ? "true" : "false", j->to);
}

void json_null(json *j, const char *key)
{
    start_member(j, key);
    fputs("null", j->to);
}

/* Shapes read better on one line than one dimension per line. */
void json_integers(json *j, const char *key, const int64_t *values, int count)
{
    start_member(j, key);
    fputc('[', j->to);
    for (int i = 0; i < count; i++)
        fprintf(j->to, "%s%lld", i ? ", " : "", (long long)values[i]);
    fputc(']', j->to);
}

void json_texts(json *j, const char *key, const char *const *values, int count)
{
    start_member(j, key);
    fputc('[', j->to);
    for (int i = 0; i < count; i++) {
        fputs(i ? ", " : "", j->to);
        write_text(j->to, values[i]);
    }
    fputc(']', j->to);
}

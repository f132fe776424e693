/* Writing is json.h's; reading is a small parser for JSON (RFC 8259) that keeps what it looks for and walks over everything else. */
#include "ranges_json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

bool ranges_write(const char *path, const oct_calibration *calibration, const oct_quantize_options *options, failure *why)
{
    oct_range_info *ranges;
    size_t count;
    json j;
    if (oct_calibration_ranges(calibration, options, &ranges, &count) != OCT_OK)
        return fail_library(why, NULL);
    FILE *file = fopen(path, "wb");
    if (!file) {
        oct_buffer_free(ranges);
        return fail_with(why, "%s: %s", path, strerror(errno));
    }
    json_begin(&j, file);
    json_object(&j, NULL);
    json_text(&j, "octet", oct_version());
    json_integer(&j, "samples", oct_calibration_samples(calibration));
    json_array(&j, "ranges");
    for (size_t i = 0; i < count; i++) {
        json_object(&j, NULL);
        json_text(&j, "tensor", ranges[i].tensor);
        json_number(&j, "lo", (double)ranges[i].lo);
        json_number(&j, "hi", (double)ranges[i].hi);
        json_text(&j, "method", ranges[i].method);
        json_number(&j, "seen_lo", (double)ranges[i].seen_lo);
        json_number(&j, "seen_hi", (double)ranges[i].seen_hi);
        json_close(&j);
    }
    const bool written = json_end(&j), closed = fclose(file) == 0;
    oct_buffer_free(ranges);
    return (written && closed) || fail_with(why, "%s: cannot be written", path);
}

/* ------------------------------------------------------------------------------------------------------- reading ---- */

enum { MOST_DEPTH = 32, MOST_NAME = 1024 };

typedef struct reader {
    const char *at;
    int depth;
} reader;

/* The range that is being read. */
typedef struct entry {
    char tensor[MOST_NAME];
    double lo, hi;
    bool has_tensor, has_lo, has_hi;
} entry;

static void skip_space(reader *r)
{
    while (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r')
        r->at++;
}

static bool take(reader *r, char c)
{
    skip_space(r);
    if (*r->at != c)
        return false;
    r->at++;
    return true;
}

/* A code point as UTF-8. Halves of pairs stand for characters that no tensor is called by; they become U+FFFD. */
static size_t put_utf8(unsigned code, char *to)
{
    if (code >= 0xD800 && code <= 0xDFFF)
        code = 0xFFFD;
    if (code < 0x80) {
        to[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        to[0] = (char)(0xC0 | code >> 6);
        to[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    to[0] = (char)(0xE0 | code >> 12);
    to[1] = (char)(0x80 | (code >> 6 & 0x3F));
    to[2] = (char)(0x80 | (code & 0x3F));
    return 3;
}

/* Behind a backslash. */
static bool read_escape(reader *r, char *to, size_t *length)
{
    static const char from[] = "\"\\/bfnrt", means[] = "\"\\/\b\f\n\r\t";
    const char *found = *r->at ? strchr(from, *r->at) : NULL;
    unsigned code;
    if (found) {
        r->at++;
        to[(*length)++] = means[found - from];
        return true;
    }
    if (*r->at != 'u' || strspn(r->at + 1, "0123456789abcdefABCDEF") < 4 || sscanf(r->at + 1, "%4x", &code) != 1 || code == 0)
        return false;
    r->at += 5;
    *length += put_utf8(code, to + *length);
    return true;
}

static bool read_text(reader *r, char text[MOST_NAME])
{
    size_t length = 0;
    if (!take(r, '"'))
        return false;
    while (*r->at && *r->at != '"' && length + 4 < MOST_NAME) {
        if (*r->at != '\\') {
            text[length++] = *r->at++;
            continue;
        }
        r->at++;
        if (!read_escape(r, text, &length))
            return false;
    }
    text[length] = 0;
    return *r->at++ == '"';
}

static bool read_number(reader *r, double *number)
{
    char *end;
    skip_space(r);
    if (*r->at != '-' && (*r->at < '0' || *r->at > '9'))
        return false;
    *number = strtod(r->at, &end);
    r->at = end;
    return true;
}

static bool skip_value(reader *r);

/* `each` reads what stands behind a key; NULL walks over it. */
static bool read_members(reader *r, bool (*each)(reader *r, const char *key, void *to), void *to)
{
    char key[MOST_NAME];
    if (!take(r, '{') || ++r->depth > MOST_DEPTH)
        return false;
    if (!take(r, '}')) {
        do {
            if (!read_text(r, key) || !take(r, ':') || !(each ? each(r, key, to) : skip_value(r)))
                return false;
        } while (take(r, ','));
        if (!take(r, '}'))
            return false;
    }
    r->depth--;
    return true;
}

static bool read_elements(reader *r, bool (*each)(reader *r, void *to), void *to)
{
    if (!take(r, '[') || ++r->depth > MOST_DEPTH)
        return false;
    if (!take(r, ']')) {
        do {
            if (!(each ? each(r, to) : skip_value(r)))
                return false;
        } while (take(r, ','));
        if (!take(r, ']'))
            return false;
    }
    r->depth--;
    return true;
}

static bool skip_value(reader *r)
{
    static const char *const words[] = {"true", "false", "null"};
    char text[MOST_NAME];
    double number;
    skip_space(r);
    if (*r->at == '{')
        return read_members(r, NULL, NULL);
    if (*r->at == '[')
        return read_elements(r, NULL, NULL);
    if (*r->at == '"')
        return read_text(r, text);
    for (int i = 0; i < 3; i++)
        if (!strncmp(r->at, words[i], strlen(words[i]))) {
            r->at += strlen(words[i]);
            return true;
        }
    return read_number(r, &number);
}

static bool read_field(reader *r, const char *key, void *to)
{
    entry *e = to;
    if (!strcmp(key, "tensor"))
        return e->has_tensor = read_text(r, e->tensor);
    if (!strcmp(key, "lo"))
        return e->has_lo = read_number(r, &e->lo);
    if (!strcmp(key, "hi"))
        return e->has_hi = read_number(r, &e->hi);
    return skip_value(r);
}

/* What the callbacks hand on. */
typedef struct target {
    const char *path;
    oct_calibration *calibration;
    failure *why;
    int ranges;
    bool refused;   /* well-formed, but the library would not have it: `why` says so */
} target;

static bool read_range(reader *r, void *to)
{
    target *t = to;
    entry e = {0};
    if (!read_members(r, read_field, &e) || !e.has_tensor || !e.has_lo || !e.has_hi)
        return false;
    t->ranges++;
    t->refused = oct_calibration_set_range(t->calibration, e.tensor, (float)e.lo, (float)e.hi) != OCT_OK;
    return !t->refused || fail_library(t->why, t->path);
}

static bool read_top(reader *r, const char *key, void *to)
{
    return strcmp(key, "ranges") ? skip_value(r) : read_elements(r, read_range, to);
}

/* The whole file as a text. */
static char *read_whole(const char *path, failure *why)
{
    FILE *file = fopen(path, "rb");
    long size = -1;
    if (file && fseek(file, 0, SEEK_END) == 0)
        size = ftell(file);
    char *text = size >= 0 && fseek(file, 0, SEEK_SET) == 0 ? calloc((size_t)size + 1, 1) : NULL;
    const bool ok = text && fread(text, 1, (size_t)size, file) == (size_t)size;
    if (!ok) {
        fail_with(why, "%s: %s", path, errno ? strerror(errno) : "cannot be read");
        free(text);
    }
    if (file)
        fclose(file);
    return ok ? text : NULL;
}

bool ranges_read(const char *path, oct_calibration *calibration, failure *why)
{
    errno = 0;
    char *text = read_whole(path, why);
    if (!text)
        return false;
    target t = {.path = path, .calibration = calibration, .why = why};
    reader r = {.at = text};
    bool ok = read_members(&r, read_top, &t);
    if (!ok && !t.refused)
        fail_with(why, "%s: byte %zu: not what octet quantize --ranges writes", path, (size_t)(r.at - text));
    if (ok && t.ranges == 0)
        ok = fail_with(why, "%s: no \"ranges\" in it", path);
    free(text);
    return ok;
}

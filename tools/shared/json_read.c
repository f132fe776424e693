/* json_read.c - one pass over the text, recursive only as deep as JSON_READ_DEPTH.
 *
 *     text      { "a" : [ 1 , "x\n" ] }                    values live in blocks that never move, texts in one buffer that is as
 *     tree      object                                     long as the file: an unescaped text is never longer than what it was
 *                 +- a: array                              read from (\uXXXX, 6 bytes, becomes at most 3; a surrogate pair, 12
 *                       +- 1 -> "x<newline>"               bytes, becomes 4).
 */
#include "json_read.h"

#include <errno.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_VALUES 512
#define MAX_FILE     ((size_t)256 << 20)

typedef struct block {
    struct block *next;
    json_value values[BLOCK_VALUES];
} block;

struct json_doc {
    block *blocks; /* the one that is being filled first */
    size_t used;   /* values of it */
    char *texts;
    size_t texts_used;
    const json_value *root;
};

typedef struct reader {
    const char *at, *end, *start;
    const char *name;
    json_doc *doc;
    failure *why;
} reader;

/* "NAME:LINE: what" */
static bool broken(reader *r, const char *what)
{
    int line = 1;
    for (const char *c = r->start; c < r->at; c++)
        line += *c == '\n';
    return fail_with(r->why, "%s:%d: %s", r->name, line, what);
}

/* ---------------------------------------------------------------------------------------------- pieces ---- */

static json_value *new_value(reader *r)
{
    json_doc *doc = r->doc;
    if (!doc->blocks || doc->used == BLOCK_VALUES) {
        block *b = malloc(sizeof *b);
        if (!b) {
            fail_with(r->why, "%s: out of memory", r->name);
            return NULL;
        }
        b->next = doc->blocks;
        doc->blocks = b;
        doc->used = 0;
    }
    json_value *value = &doc->blocks->values[doc->used++];
    *value = (json_value){.kind = JSON_NULL};
    return value;
}

static void skip_space(reader *r)
{
    while (r->at < r->end && (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r'))
        r->at++;
}

/* Takes `c`, after white space, if it comes next. */
static bool take(reader *r, char c)
{
    skip_space(r);
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

/* Four hexadecimal digits; -1 if they are none. */
static int read_hex4(reader *r)
{
    int code = 0;
    if (r->end - r->at < 4)
        return -1;
    for (int i = 0; i < 4; i++, r->at++) {
        const char c = *r->at;
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    return code;
}

static void put(json_doc *doc, unsigned byte) { doc->texts[doc->texts_used++] = (char)byte; }

/* UTF-8 of a code point up to 0x10FFFF. */
static void put_code(json_doc *doc, unsigned code)
{
    if (code < 0x80) {
        put(doc, code);
    } else if (code < 0x800) {
        put(doc, 0xC0 | code >> 6);
        put(doc, 0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        put(doc, 0xE0 | code >> 12);
        put(doc, 0x80 | (code >> 6 & 0x3F));
        put(doc, 0x80 | (code & 0x3F));
    } else {
        put(doc, 0xF0 | code >> 18);
        put(doc, 0x80 | (code >> 12 & 0x3F));
        put(doc, 0x80 | (code >> 6 & 0x3F));
        put(doc, 0x80 | (code & 0x3F));
    }
}

/* After "\u". A surrogate without its other half becomes U+FFFD; a 0 would end the text early, so it is refused. */
static bool read_unicode(reader *r)
{
    int code = read_hex4(r);
    if (code <= 0)
        return broken(r, code == 0 ? "\\u0000 is not supported" : "\\u wants four hexadecimal digits");
    if (code >= 0xD800 && code < 0xDC00 && r->end - r->at >= 2 && r->at[0] == '\\' && r->at[1] == 'u') {
        r->at += 2;
        const int low = read_hex4(r);
        if (low < 0)
            return broken(r, "\\u wants four hexadecimal digits");
        code = low >= 0xDC00 && low < 0xE000 ? 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00) : 0xFFFD;
    }
    put_code(r->doc, code >= 0xD800 && code < 0xE000 ? 0xFFFDu : (unsigned)code);
    return true;
}

/* After a backslash. */
static bool read_escape(reader *r)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (r->at == r->end)
        return broken(r, "a text is not closed");
    const char c = *r->at++;
    if (c == 'u')
        return read_unicode(r);
    const char *name = c ? strchr(names, c) : NULL;
    if (!name)
        return broken(r, "unknown escape in a text");
    put(r->doc, (unsigned char)values[name - names]);
    return true;
}

/* After the opening quote; NULL on failure. */
static const char *read_text(reader *r)
{
    const char *text = r->doc->texts + r->doc->texts_used;
    while (r->at < r->end && *r->at != '"') {
        const unsigned char c = (unsigned char)*r->at++;
        if (c < 0x20) {
            broken(r, "a control character in a text");
            return NULL;
        }
        if (c != '\\')
            put(r->doc, c);
        else if (!read_escape(r))
            return NULL;
    }
    if (r->at == r->end) {
        broken(r, "a text is not closed");
        return NULL;
    }
    r->at++;
    put(r->doc, 0); /* takes the place of the closing quote */
    return text;
}

static size_t digits(const char *text, size_t size)
{
    size_t count = 0;
    while (count < size && text[count] >= '0' && text[count] <= '9')
        count++;
    return count;
}

/* The grammar first (strtod would take "0x1p3", "nan" and "1."), then the value. */
static bool read_number(reader *r, json_value *value)
{
    char copy[64];
    const size_t left = (size_t)(r->end - r->at), size = left < sizeof copy - 1 ? left : sizeof copy - 1;
    memcpy(copy, r->at, size);
    copy[size] = '\0';
    size_t i = copy[0] == '-';
    const size_t whole = digits(copy + i, size - i);
    bool ok = whole > 0 && (copy[i] != '0' || whole == 1);
    i += whole;
    if (ok && copy[i] == '.') {
        const size_t part = digits(copy + i + 1, size - i - 1);
        ok = part > 0;
        i += 1 + part;
    }
    if (ok && (copy[i] == 'e' || copy[i] == 'E')) {
        i += copy[i + 1] == '-' || copy[i + 1] == '+' ? 2 : 1;
        const size_t power = i < size ? digits(copy + i, size - i) : 0;
        ok = power > 0;
        i += power;
    }
    if (!ok || i == sizeof copy - 1)
        return broken(r, "this is no JSON value");
    copy[i] = '\0';
    value->kind = JSON_NUMBER;
    value->number = strtod(copy, NULL);
    r->at += i;
    return isfinite(value->number) || broken(r, "a number is too large");
}

/* true, false, null */
static bool read_word(reader *r, const char *word)
{
    const size_t length = strlen(word);
    if ((size_t)(r->end - r->at) < length || memcmp(r->at, word, length) != 0)
        return broken(r, "this is no JSON value");
    r->at += length;
    return true;
}

/* ------------------------------------------------------------------------------------------- structure ---- */

static json_value *read_value(reader *r, int depth);

/* "key": before a member of an object. */
static const char *read_key(reader *r)
{
    if (!take(r, '"')) {
        broken(r, "a member's name is missing");
        return NULL;
    }
    const char *key = read_text(r);
    if (key && !take(r, ':')) {
        broken(r, "a colon is missing");
        return NULL;
    }
    return key;
}

/* After the opening bracket. */
static bool read_members(reader *r, json_value *parent, char close, int depth)
{
    const json_value **link = &parent->first;
    if (depth == JSON_READ_DEPTH)
        return broken(r, "nested too deeply");
    if (take(r, close))
        return true;
    do {
        const char *key = parent->kind == JSON_OBJECT ? read_key(r) : NULL;
        if (parent->kind == JSON_OBJECT && !key)
            return false;
        json_value *member = read_value(r, depth + 1);
        if (!member)
            return false;
        member->key = key;
        *link = member;
        link = &member->next;
        parent->count++;
    } while (take(r, ','));
    return take(r, close) || broken(r, r->at == r->end ? "the text ends too early" : "a comma or a closing bracket is missing");
}

/* NULL on failure. */
static json_value *read_value(reader *r, int depth)
{
    json_value *value = new_value(r);
    skip_space(r);
    if (!value)
        return NULL;
    bool ok;
    switch (r->at < r->end ? *r->at : 0) {
    case '{':
    case '[':
        value->kind = *r->at == '{' ? JSON_OBJECT : JSON_ARRAY;
        r->at++;
        ok = read_members(r, value, value->kind == JSON_OBJECT ? '}' : ']', depth);
        break;
    case '"':
        r->at++;
        value->kind = JSON_TEXT;
        ok = (value->text = read_text(r)) != NULL;
        break;
    case 't':
    case 'f':
        value->kind = JSON_BOOL;
        value->number = *r->at == 't';
        ok = read_word(r, *r->at == 't' ? "true" : "false");
        break;
    case 'n':
        ok = read_word(r, "null");
        break;
    default:
        ok = r->at < r->end ? read_number(r, value) : broken(r, "the text ends too early");
    }
    return ok ? value : NULL;
}

/* ----------------------------------------------------------------------------------------------- entry ---- */

bool json_parse(const char *bytes, size_t size, const char *name, json_doc **doc, failure *why)
{
    *doc = NULL;
    json_doc *d = calloc(1, sizeof *d);
    char *texts = malloc(size + 1);
    if (!d || !texts) {
        free(d);
        free(texts);
        return fail_with(why, "%s: out of memory", name);
    }
    d->texts = texts;
    reader r = {.at = bytes, .end = bytes + size, .start = bytes, .name = name, .doc = d, .why = why};
    d->root = read_value(&r, 0);
    if (d->root)
        skip_space(&r);
    if (!d->root || (r.at < r.end && !broken(&r, "more text after the value"))) {
        json_free(d);
        return false;
    }
    *doc = d;
    return true;
}

/* The size is asked for again by what can really be read: /dev/stdin and the like have none. */
static char *read_all(const char *path, size_t *size, failure *why)
{
    FILE *file = fopen(path, "rb");
    size_t room = 1 << 16, got;
    char *bytes = file ? malloc(room) : NULL;
    *size = 0;
    while (bytes && (got = fread(bytes + *size, 1, room - *size, file)) > 0) {
        *size += got;
        if (*size < room)
            continue;
        char *more = room < MAX_FILE ? realloc(bytes, room *= 2) : NULL;
        if (!more)
            free(bytes);
        bytes = more;
    }
    const bool failed = file && ferror(file);
    if (!file || failed)
        fail_with(why, "%s: cannot be read: %s", path, strerror(errno));
    else if (!bytes)
        fail_with(why, "%s: too large to be read", path);
    if (file)
        fclose(file);
    if (!failed)
        return bytes;
    free(bytes);
    return NULL;
}

bool json_load(const char *path, json_doc **doc, failure *why)
{
    size_t size;
    *doc = NULL;
    char *bytes = read_all(path, &size, why);
    const bool ok = bytes && json_parse(bytes, size, path, doc, why);
    free(bytes);
    return ok;
}

void json_free(json_doc *doc)
{
    if (!doc)
        return;
    while (doc->blocks) {
        block *b = doc->blocks;
        doc->blocks = b->next;
        free(b);
    }
    free(doc->texts);
    free(doc);
}

/* ----------------------------------------------------------------------------------------------- access ---- */

const json_value *json_root(const json_doc *doc) { return doc ? doc->root : NULL; }

const json_value *json_first(const json_value *value)
{
    return value && (value->kind == JSON_ARRAY || value->kind == JSON_OBJECT) ? value->first : NULL;
}

const json_value *json_get(const json_value *object, const char *key)
{
    if (!object || object->kind != JSON_OBJECT)
        return NULL;
    const json_value *member = object->first;
    while (member && strcmp(member->key, key) != 0)
        member = member->next;
    return member;
}

const char *json_text_of(const json_value *object, const char *key, const char *fallback)
{
    const json_value *member = json_get(object, key);
    return member && member->kind == JSON_TEXT ? member->text : fallback;
}

double json_number_of(const json_value *object, const char *key, double fallback)
{
    const json_value *member = json_get(object, key);
    return member && (member->kind == JSON_NUMBER || member->kind == JSON_BOOL) ? member->number : fallback;
}

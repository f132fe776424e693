/* json.h - writes JSON (RFC 8259) to a stream: escaped text, no number that JSON does not know, indented for people.
 *
 *     json j;
 *     json_begin(&j, stdout);
 *     json_object(&j, NULL);                the outermost value has no key
 *     json_text(&j, "model", "kws");
 *     json_array(&j, "layers");
 *     json_object(&j, NULL);                nor has a value inside an array
 *     ...
 *     json_close(&j);                       closes the innermost object or array
 *     if (!json_end(&j)) ...                closes what is still open; false if the stream failed
 */
#ifndef TOOLS_JSON_H
#define TOOLS_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_MAX_DEPTH 16

typedef struct json {
    FILE *to;
    int depth;
    struct {
        char close;   /* '}' or ']' */
        bool filled;  /* a comma is due before the next member */
        bool line;    /* all members on one line, and those inside them */
    } level[JSON_MAX_DEPTH];
} json;

void json_begin(json *j, FILE *to);
bool json_end(json *j);

void json_object(json *j, const char *key);
void json_array(json *j, const char *key);
/* An object on a line of its own: for long lists of small things. */
void json_object_line(json *j, const char *key);
void json_close(json *j);

/* NULL gives null. Bytes that are not UTF-8 become U+FFFD. */
void json_text(json *j, const char *key, const char *value);
/* The shortest decimal number that reads back as the same double; null for a NaN or an infinity. */
void json_number(json *j, const char *key, double value);
void json_integer(json *j, const char *key, int64_t value);
void json_bool(json *j, const char *key, bool value);
void json_null(json *j, const char *key);
/* [1, 3, 224, 224] on one line. */
void json_integers(json *j, const char *key, const int64_t *values, int count);
/* ["avx2", "scalar"] on one line. */
void json_texts(json *j, const char *key, const char *const *values, int count);

#endif

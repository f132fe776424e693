/* json_read.h - reads a JSON text (RFC 8259) into a tree. Every byte is hostile until it has been checked.
 *
 *     json_doc *doc;
 *     if (!json_load("run.json", &doc, &why)) ...
 *     const json_value *models = json_get(json_root(doc), "models");
 *     for (const json_value *m = json_first(models); m; m = m->next)
 *         printf("%s %g\n", json_text_of(m, "model", "?"), json_number_of(m, "median_ms", 0));
 *     json_free(doc);
 *
 * All accessors take NULL, and values of another kind, for something that is not there: a reader of foreign files needs no checks
 * of its own. Texts are UTF-8 without 0 bytes inside.
 */
#ifndef TOOLS_JSON_READ_H
#define TOOLS_JSON_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "failure.h"

typedef enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_TEXT, JSON_ARRAY, JSON_OBJECT } json_kind;

typedef struct json_value {
    json_kind kind;
    const char *key;                /* inside an object; else NULL */
    const char *text;               /* JSON_TEXT */
    double number;                  /* JSON_NUMBER; 0 or 1 of a JSON_BOOL */
    size_t count;                   /* members of an array or object */
    const struct json_value *first; /* the first of them */
    const struct json_value *next;  /* the next in the same array or object */
} json_value;

typedef struct json_doc json_doc;

/* Objects and arrays nest at most so deep in a text that is read. */
#define JSON_READ_DEPTH 64

/* `name` stands before the sentence of a failure: "run.json:12: a comma is missing". */
bool json_parse(const char *bytes, size_t size, const char *name, json_doc **doc, failure *why);
/* The same from a file of at most 256 MB. */
bool json_load(const char *path, json_doc **doc, failure *why);
/* NULL is allowed. */
void json_free(json_doc *doc);

const json_value *json_root(const json_doc *doc);

/* The member of that name (the first, if there are several); NULL if there is none. */
const json_value *json_get(const json_value *object, const char *key);
/* The first member of an array or object; NULL otherwise. */
const json_value *json_first(const json_value *value);

/* A member's content, or `fallback` where it is missing or of another kind. */
const char *json_text_of(const json_value *object, const char *key, const char *fallback);
double json_number_of(const json_value *object, const char *key, double fallback);

#endif

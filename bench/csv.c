/* csv.c - finds the columns in one pass over the rows, writes the cells in another. */
#include "csv.h"

#include <string.h>

#define MAX_COLUMNS 96
#define MAX_NAME    64

typedef struct columns {
    char names[MAX_COLUMNS][MAX_NAME];
    int count;
} columns;

/* In quotes only where it must be. */
static void write_cell(const char *text, FILE *to)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, to);
        return;
    }
    fputc('"', to);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', to);
        fputc(*text, to);
    }
    fputc('"', to);
}

static bool is_table(const json_value *value)
{
    return value->kind == JSON_ARRAY && value->first && (value->first->kind == JSON_OBJECT || value->first->kind == JSON_ARRAY);
}

/* Adds the names of an object's members; `prefix` is "" or "shape.". */
static void find_columns(columns *c, const json_value *object, const char *prefix)
{
    for (const json_value *m = json_first(object); m; m = m->next) {
        char name[MAX_NAME];
        if (is_table(m))
            continue;
        snprintf(name, sizeof name, "%s%s", prefix, m->key);
        if (m->kind == JSON_OBJECT && !*prefix) {
            strncat(name, ".", sizeof name - strlen(name) - 1);
            find_columns(c, m, name);
            continue;
        }
        int i = 0;
        while (i < c->count && strcmp(c->names[i], name) != 0)
            i++;
        if (i == c->count && c->count < MAX_COLUMNS && m->kind != JSON_OBJECT)
            memcpy(c->names[c->count++], name, sizeof name);
    }
}

static void write_number(double value, FILE *to)
{
    char text[40];
    snprintf(text, sizeof text, "%.10g", value);
    fputs(text, to);
}

/* null and what is missing are empty cells. */
static void write_value(const json_value *value, FILE *to)
{
    if (!value)
        return;
    if (value->kind == JSON_TEXT)
        write_cell(value->text, to);
    else if (value->kind == JSON_BOOL)
        fputs(value->number > 0 ? "true" : "false", to);
    else if (value->kind == JSON_NUMBER)
        write_number(value->number, to);
    else if (value->kind == JSON_ARRAY)
        for (const json_value *m = value->first; m; m = m->next) {
            write_value(m, to);
            fputs(m->next ? m->kind == JSON_NUMBER ? "x" : " " : "", to);
        }
}

/* "shape.m" is a member of a member. */
static const json_value *find_value(const json_value *row, const char *name)
{
    const json_value *value = json_get(row, name);
    const char *dot = strchr(name, '.');
    char outer[MAX_NAME];
    if (value || !dot)
        return value;
    snprintf(outer, sizeof outer, "%.*s", (int)(dot - name), name);
    return json_get(json_get(row, outer), dot + 1);
}

void csv_write(const json_value *run, const char *rows, FILE *to)
{
    static columns c;
    const json_value *array = json_get(run, rows);
    c.count = 0;
    for (const json_value *row = json_first(array); row; row = row->next)
        find_columns(&c, row, "");
    fputs("octet,cpu,date", to);
    for (int i = 0; i < c.count; i++) {
        fputc(',', to);
        write_cell(c.names[i], to);
    }
    fputs("\r\n", to);
    for (const json_value *row = json_first(array); row; row = row->next) {
        write_cell(json_text_of(run, "octet", ""), to);
        fputc(',', to);
        write_cell(json_text_of(json_get(run, "machine"), "cpu", ""), to);
        fputc(',', to);
        write_cell(json_text_of(run, "date", ""), to);
        for (int i = 0; i < c.count; i++) {
            fputc(',', to);
            write_value(find_value(row, c.names[i]), to);
        }
        fputs("\r\n", to);
    }
}

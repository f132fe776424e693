/* table.h - text tables. In a terminal they fit its width; in a file or a pipe nothing is cut.
 *
 *     static const table_column columns[] = { {"layer", TABLE_SHRINK}, {"MACs", TABLE_RIGHT} };
 *     table *t = table_create(columns, 2);
 *     table_cell(t, "%s", name);
 *     table_cell(t, "%lld", macs);          rows fill from left to right
 *     table_print(t, stdout);
 *     table_free(t);
 */
#ifndef TOOLS_TABLE_H
#define TOOLS_TABLE_H

#include <stdio.h>

enum {
    TABLE_LEFT = 0,
    TABLE_RIGHT = 1,
    TABLE_SHRINK = 2   /* left-aligned; cut to ".." in its middle where the table would be too wide, the first such column first */
};

typedef struct table_column {
    const char *title;
    int style;
} table_column;

#define TABLE_MAX_COLUMNS 24

typedef struct table table;

/* NULL if memory is short; all other functions then do nothing. columns must outlive the table. */
table *table_create(const table_column *columns, int count);
void table_free(table *t);

/* The next cell; control characters in it are shown as '?'. */
void table_cell(table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Colours, for terminals only (and not where NO_COLOR is set, https://no-color.org). */
enum { TABLE_PLAIN, TABLE_GOOD, TABLE_BAD, TABLE_WARN, TABLE_STRONG, TABLE_FAINT };
/* Gives the last cell a colour. */
void table_paint(table *t, int color);
/* The terminal's code for it; "" where `to` is no terminal. */
const char *table_color(FILE *to, int color);

/* A line across, between the rows before and after it. */
void table_rule(table *t);

void table_print(const table *t, FILE *to);
/* The same for `width` columns; 0: as wide as it is. */
void table_fit(const table *t, int width, FILE *to);

/* A paragraph, broken at spaces into lines of at most `width` columns, each behind `indent` spaces. */
void table_wrap(const char *text, int indent, int width, FILE *to);

/* 1234567 as "1.23 M", 1536 bytes as "1.5 KiB". Write at most `size` bytes, return text. */
char *table_count(double value, char *text, size_t size);
char *table_bytes(double bytes, char *text, size_t size);

#endif

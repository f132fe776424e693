/* table.c - titles, a line of dashes, rows:
 *
 *     layer         operator         MACs
 *     ------------  -------------  ------
 *     no..dwconv_0  conv+relu      72.0 k     a name cut to fit keeps its end
 */
#define _DEFAULT_SOURCE   /* winsize */
#include "table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct table {
    const table_column *columns;
    int column_count;
    char **cells;            /* row after row; NULL stands for a rule and fills a row; the byte behind a text's 0 is its colour */
    size_t count, room;
    bool short_of_memory;    /* cells went missing: print none rather than shifted ones */
};

/* Rows are kept until they are printed: a column's width is known only at the end. */
table *table_create(const table_column *columns, int count)
{
    table *t = calloc(1, sizeof *t);
    if (t) {
        t->columns = columns;
        t->column_count = count < TABLE_MAX_COLUMNS ? count : TABLE_MAX_COLUMNS;
    }
    return t;
}

void table_free(table *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++)
        free(t->cells[i]);
    free(t->cells);
    free(t);
}

/* Takes over `cell`. */
static void append(table *t, char *cell)
{
    if (t->count == t->room) {
        const size_t room = t->room ? 2 * t->room : 64;
        char **cells = realloc(t->cells, room * sizeof *cells);
        if (!cells) {
            t->short_of_memory = true;
            free(cell);
            return;
        }
        t->cells = cells;
        t->room = room;
    }
    t->cells[t->count++] = cell;
}

void table_cell(table *t, const char *format, ...)
{
    if (!t)
        return;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = '?';
    char *copy = calloc(strlen(text) + 2, 1);
    if (copy)
        append(t, strcpy(copy, text));
    else
        t->short_of_memory = true;
}

void table_paint(table *t, int color)
{
    char *last = t && t->count ? t->cells[t->count - 1] : NULL;
    if (last)
        last[strlen(last) + 1] = (char)color;
}

const char *table_color(FILE *to, int color)
{
    static const char *const codes[] = {"\033[0m", "\033[32m", "\033[31m", "\033[33m", "\033[1m", "\033[2m"};
    const char *forbidden = getenv("NO_COLOR");
    return isatty(fileno(to)) && !(forbidden && *forbidden) ? codes[color] : "";
}

/* A row begun before it is filled up with empty cells. */
void table_rule(table *t)
{
    if (!t)
        return;
    while (t->count % (size_t)t->column_count)
        table_cell(t, "%s", "");
    for (int c = 0; c < t->column_count; c++)
        append(t, NULL);
}

/* --------------------------------------------------------------------------------------------- printing ---- */

/* Characters on the screen: UTF-8 continuation bytes take no place. */
static int text_width(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

#define GAP 2            /* between columns */
#define MIN_SHRUNK 12    /* no column is cut to less */

/* Widths that hold every cell, then the shrinkable columns cut, one after the other, until the line fits. */
static void find_widths(const table *t, int limit, int *widths)
{
    int total = -GAP;
    for (int c = 0; c < t->column_count; c++)
        widths[c] = text_width(t->columns[c].title);
    for (size_t i = 0; i < t->count; i++) {
        const int c = (int)(i % (size_t)t->column_count);
        const int width = t->cells[i] ? text_width(t->cells[i]) : 0;
        if (width > widths[c])
            widths[c] = width;
    }
    for (int c = 0; c < t->column_count; c++)
        total += widths[c] + GAP;
    for (int c = 0; c < t->column_count && limit > 0 && total > limit; c++) {
        if (t->columns[c].style != TABLE_SHRINK || widths[c] <= MIN_SHRUNK)
            continue;
        const int spare = widths[c] - MIN_SHRUNK, cut = total - limit < spare ? total - limit : spare;
        widths[c] -= cut;
        total -= cut;
    }
}

/* text without its first `count` characters (not bytes). */
static const char *skip_characters(const char *text, int count)
{
    while (*text && count > 0) {
        text++;
        while (((unsigned char)*text & 0xC0) == 0x80)
            text++;
        count--;
    }
    return text;
}

/* One cell, aligned; the last of a row gets no spaces behind it. */
static void print_cell(const char *text, int width, int style, bool last, FILE *to)
{
    const int have = text_width(text), color = text[strlen(text) + 1];
    fputs(color ? table_color(to, color) : "", to);
    if (have > width) {
        /* Layer names differ at their ends more often than at their beginnings. */
        const int head = (width - 2) / 4, tail = width - 2 - head;
        const char *head_end = skip_characters(text, head);
        fprintf(to, "%.*s..%s", (int)(head_end - text), text, skip_characters(text, have - tail));
    } else if (style == TABLE_RIGHT) {
        fprintf(to, "%*s%s", width - have, "", text);
    } else {
        fprintf(to, "%s%*s", text, last ? 0 : width - have, "");
    }
    fputs(color ? table_color(to, TABLE_PLAIN) : "", to);
    fputs(last ? "\n" : "  ", to);
}

/* A title is a cell without a colour of its own. */
static void print_title(const char *title, int width, int style, bool last, FILE *to)
{
    char text[80] = "";
    snprintf(text, sizeof text - 1, "%s", title);
    print_cell(text, width, style, last, to);
}

/* Dashes under every column. */
static void print_rule(const int *widths, int count, FILE *to)
{
    for (int c = 0; c < count; c++) {
        for (int i = 0; i < widths[c]; i++)
            fputc('-', to);
        fputs(c + 1 < count ? "  " : "\n", to);
    }
}

/* Below 80 columns tables get unreadable; a narrower terminal wraps them. */
void table_print(const table *t, FILE *to)
{
    struct winsize window = {0};
    const bool terminal = isatty(fileno(to)) && ioctl(fileno(to), TIOCGWINSZ, &window) == 0;
    table_fit(t, !terminal ? 0 : window.ws_col < 80 ? 80 : window.ws_col, to);
}

void table_fit(const table *t, int width, FILE *to)
{
    if (!t || t->short_of_memory)
        return;
    int widths[TABLE_MAX_COLUMNS];
    find_widths(t, width, widths);
    for (int c = 0; c < t->column_count; c++)
        print_title(t->columns[c].title, widths[c], t->columns[c].style, c + 1 == t->column_count, to);
    print_rule(widths, t->column_count, to);
    for (size_t i = 0; i + (size_t)t->column_count <= t->count; i += (size_t)t->column_count) {
        if (!t->cells[i]) {
            print_rule(widths, t->column_count, to);
            continue;
        }
        for (int c = 0; c < t->column_count; c++)
            print_cell(t->cells[i + (size_t)c], widths[c], t->columns[c].style, c + 1 == t->column_count, to);
    }
}

void table_wrap(const char *text, int indent, int width, FILE *to)
{
    int column = 0;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (!strncmp(text + length, " %", 2)) /* a number stays with its unit */
            length += 2 + (int)strcspn(text + length + 2, " ");
        if (column > 0 && column + 1 + length > width) {
            fputc('\n', to);
            column = 0;
        }
        fprintf(to, "%*s%.*s", column ? 1 : indent, "", length, text);
        column += (column ? 1 : indent) + length;
        text += length;
        text += strspn(text, " ");
    }
    fputc('\n', to);
}

/* --------------------------------------------------------------------------------------------- numbers ---- */

/* Divides by `base` until the number is small enough for its unit. */
static char *scaled(double value, double base, const char *const *units, int unit_count, char *text, size_t size)
{
    int unit = 0;
    while (unit + 1 < unit_count && value >= base) {
        value /= base;
        unit++;
    }
    /* Three significant digits; whole numbers below the first unit stay whole. */
    const int decimals = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
    snprintf(text, size, "%.*f%s%s", decimals, value, *units[unit] ? " " : "", units[unit]);
    return text;
}

char *table_count(double value, char *text, size_t size)
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    return scaled(value, 1000, units, 5, text, size);
}

char *table_bytes(double bytes, char *text, size_t size)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    return scaled(bytes, 1024, units, 5, text, size);
}

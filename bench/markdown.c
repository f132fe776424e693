/* markdown.c - copies a document line by line; between two markers it writes a table instead of what was there. */
#define _POSIX_C_SOURCE 200809L /* open_memstream */
#include "markdown.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include "output.h"

#define BEGIN "<!-- octet-bench: "
#define END   "<!-- octet-bench: end -->"

/* The words behind the kind of table; none: everything. */
typedef struct wanted {
    char text[256];
} wanted;

/* Is it one of the words? With `part`: does it contain one of them? */
static bool is_wanted(const wanted *w, const char *name, bool part)
{
    char copy[sizeof w->text], *rest = copy;
    memcpy(copy, w->text, sizeof copy);
    if (!copy[strspn(copy, " ")])
        return true;
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        if (part ? strstr(name, word) != NULL : !strcmp(name, word))
            return true;
    return false;
}

/* A table's cells may not hold a bar. */
static void cell(const char *text, FILE *to)
{
    fputs(" ", to);
    for (; *text; text++)
        fputs(*text == '|' ? "\\|" : (char[]){*text, 0}, to);
    fputs(" |", to);
}

static void time_cell(double ms, FILE *to)
{
    if (ms > 0)
        fprintf(to, " %.*f |", ms < 10 ? 3 : ms < 100 ? 2 : 1, ms);
    else
        fputs(" - |", to);
}

/* Which run it was: once above each table that is not about several. */
static void put_source(const run_file *run, FILE *to)
{
    fprintf(to, "%s, octet %s, %s: `%s`", run_file_cpu(run), json_text_of(run->root, "octet", "?"),
            json_text_of(run->root, "date", "no date"), json_text_of(run->root, "command", "?"));
    if (*run_file_trouble(run))
        fprintf(to, " (not quiet: %s)", run_file_trouble(run));
    fputs("\n\n", to);
}

/* ---------------------------------------------------------------------------------------------- tables ---- */

/* Each returns whether it wrote anything. */
typedef bool (*table_writer)(const run_file *run, const wanted *w, FILE *to);

static bool put_machine(const run_file *run, const wanted *w, FILE *to)
{
    const json_value *machine = json_get(run->root, "machine");
    (void)w;
    if (!json_first(json_get(machine, "peaks")))
        return false;
    put_source(run, to);
    fputs("| one thread | f32 GFLOP/s | int8 GOP/s | int8 / f32 |\n|---|---|---|---|\n", to);
    for (const json_value *p = json_first(json_get(machine, "peaks")); p; p = p->next) {
        const double f32 = json_number_of(p, "f32_gflops", 0), int8 = json_number_of(p, "u8s8_gops", 0);
        fprintf(to, "| %s | %.0f | %.0f | %.2f |\n", p->key ? p->key : "?", f32, int8, f32 > 0 ? int8 / f32 : 0);
    }
    fputs("\nReading, GB/s:", to);
    for (const json_value *b = json_first(json_get(machine, "bandwidth_gbs")); b; b = b->next)
        fprintf(to, "%s %s %.0f", b == json_first(json_get(machine, "bandwidth_gbs")) ? "" : ",", b->key ? b->key : "?", b->number);
    fputs(".\n", to);
    return true;
}

static bool put_models(const run_file *run, const wanted *w, FILE *to)
{
    bool any = false;
    for (const json_value *m = json_first(json_get(run->root, "models")); m; m = m->next) {
        if (!is_wanted(w, json_text_of(m, "model", ""), false))
            continue;
        if (!any) {
            put_source(run, to);
            fputs("| model | scheme | ISA | threads | median ms | p5 .. p95 | first | cold | % of peak | over f32 "
                  "|\n|---|---|---|---|---|---|---|---|---|---|\n|",
                  to);
        } else {
            fputs("|", to);
        }
        any = true;
        cell(json_text_of(m, "model", "?"), to);
        cell(json_text_of(m, "scheme", "?"), to);
        cell(json_text_of(m, "isa", "?"), to);
        fprintf(to, " %.0f |", json_number_of(m, "threads", 1));
        time_cell(json_number_of(m, "median_ms", 0), to);
        fprintf(to, " %.4g .. %.4g |", json_number_of(m, "p5_ms", 0), json_number_of(m, "p95_ms", 0));
        time_cell(json_number_of(m, "first_ms", 0), to);
        time_cell(json_number_of(m, "cold_ms", 0), to);
        if (json_get(m, "percent_of_peak"))
            fprintf(to, " %.0f |", json_number_of(m, "percent_of_peak", 0));
        else
            fputs(" - |", to);
        if (json_get(m, "speedup"))
            fprintf(to, " %.2f [%.2f, %.2f] |\n", json_number_of(m, "speedup", 0), json_number_of(m, "speedup_lo", 0),
                    json_number_of(m, "speedup_hi", 0));
        else
            fputs(" |\n", to);
    }
    return any;
}

static bool put_kernels(const run_file *run, const wanted *w, FILE *to)
{
    bool any = false;
    for (const json_value *k = json_first(json_get(run->root, "kernels")); k; k = k->next) {
        if (!is_wanted(w, json_text_of(k, "name", ""), true))
            continue;
        if (!any) {
            put_source(run, to);
            fputs("| layer | type | algorithm | ISA | threads | median us | GOP/s | % of peak | bound "
                  "|\n|---|---|---|---|---|---|---|---|---|\n",
                  to);
        }
        any = true;
        fputs("|", to);
        cell(json_text_of(k, "name", "?"), to);
        cell(json_text_of(k, "dtype", "?"), to);
        cell(json_text_of(k, "algo", "?"), to);
        cell(json_text_of(k, "isa", "?"), to);
        fprintf(to, " %.0f | %.1f | %.0f | %.0f |", json_number_of(k, "threads", 1), json_number_of(k, "median_us", 0),
                json_number_of(k, "gops", 0), json_number_of(k, "percent_of_peak", 0));
        cell(json_text_of(k, "bound", "?"), to);
        fputs("\n", to);
    }
    return any;
}

static void interval_cell(const json_value *interval, FILE *to)
{
    if (json_number_of(interval, "median", 0) > 0)
        fprintf(to, " %.2f [%.2f, %.2f] |", json_number_of(interval, "median", 0), json_number_of(interval, "lo", 0),
                json_number_of(interval, "hi", 0));
    else
        fputs(" - |", to);
}

static bool put_paper(const run_file *run, const wanted *w, FILE *to)
{
    bool any = false;
    for (const json_value *c = json_first(json_get(json_get(run->root, "paper"), "cells")); c; c = c->next) {
        if (!is_wanted(w, json_text_of(c, "model", ""), false))
            continue;
        if (!any) {
            put_source(run, to);
            fputs("| model | engine there | machine there | published | ISA here | dynamic here | static here "
                  "|\n|---|---|---|---|---|---|---|\n",
                  to);
        }
        any = true;
        fputs("|", to);
        cell(json_text_of(c, "model", "?"), to);
        cell(json_text_of(c, "engine", "?"), to);
        cell(json_text_of(c, "machine", "?"), to);
        fprintf(to, " %.2f |", json_number_of(c, "published", 0));
        cell(json_text_of(c, "isa", "?"), to);
        interval_cell(json_get(c, "dynamic"), to);
        interval_cell(json_get(c, "static"), to);
        fputs("\n", to);
    }
    return any;
}

static bool put_explain(const run_file *run, const wanted *w, FILE *to)
{
    const json_value *e = json_get(run->root, "explain"), *speedup = json_get(e, "speedup");
    if (!e || !is_wanted(w, json_text_of(e, "model", ""), false))
        return false;
    put_source(run, to);
    fprintf(to, "%s, %s on %s: %.2f [%.2f, %.2f]\n\n| factor | | so far | what |\n|---|---|---|---|\n",
            json_text_of(e, "model", "?"), json_text_of(e, "scheme", "?"), json_text_of(e, "isa", "?"),
            json_number_of(speedup, "median", 0), json_number_of(speedup, "lo", 0), json_number_of(speedup, "hi", 0));
    double product = 1;
    for (const json_value *f = json_first(json_get(e, "factors")); f; f = f->next) {
        product *= json_number_of(f, "factor", 1);
        fprintf(to, "| %s | %.3f | %.2f | %s |\n", json_text_of(f, "name", "?"), json_number_of(f, "factor", 1), product,
                json_text_of(f, "what", ""));
    }
    fprintf(to, "\n%s\n", json_text_of(e, "verdict", ""));
    return true;
}

static bool put_engines(const run_file *run, const wanted *w, FILE *to)
{
    bool any = false;
    for (const json_value *p = json_first(json_get(run->root, "engine_pairs")); p; p = p->next) {
        if (!is_wanted(w, json_text_of(p, "model", ""), false))
            continue;
        if (!any)
            fputs("| model | scheme | threads | engine | against | times as fast |\n|---|---|---|---|---|---|\n", to);
        any = true;
        fputs("|", to);
        cell(json_text_of(p, "model", "?"), to);
        cell(json_text_of(p, "scheme", "?"), to);
        fprintf(to, " %.0f |", json_number_of(p, "threads", 1));
        cell(json_text_of(p, "engine", "?"), to);
        cell(json_text_of(p, "peer", "?"), to);
        fprintf(to, " %.2f [%.2f, %.2f] |\n", json_number_of(p, "speedup", 0), json_number_of(p, "lo", 0),
                json_number_of(p, "hi", 0));
    }
    return any;
}

/* --------------------------------------------------------------------------------------------- copying ---- */

static const struct {
    const char *kind;
    table_writer write;
} kinds[] = {{"machine", put_machine}, {"models", put_models},   {"kernels", put_kernels},
             {"paper", put_paper},     {"explain", put_explain}, {"engines", put_engines}};

/* The table that a marker asks for, of the first run that has data; "" if none has. NULL: an unknown kind, or no memory. */
static char *make_table(const char *marker, const run_file *runs, int count)
{
    char kind[32] = "", *text = NULL;
    wanted w = {""};
    size_t size;
    sscanf(marker + strlen(BEGIN), "%31[a-z] %255[^>\n]", kind, w.text);
    char *dashes = strstr(w.text, "--");
    if (dashes)
        *dashes = '\0';
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        if (strcmp(kinds[k].kind, kind) != 0)
            continue;
        FILE *to = open_memstream(&text, &size);
        bool done = false;
        for (int r = 0; r < count && to && !done; r++)
            done = kinds[k].write(&runs[r], &w, to);
        return to && fclose(to) == 0 ? text : NULL;
    }
    return NULL;
}

/* From the line behind a marker to its end marker; NULL if there is none. */
static char *find_end(char *from)
{
    char *next = strstr(from, BEGIN), *end = strstr(from, END);
    return end && next == end ? end : NULL;
}

static bool copy(char *text, const run_file *runs, int count, const char *path, FILE *to, failure *why)
{
    for (char *marker; (marker = strstr(text, BEGIN));) {
        char *line_end = strchr(marker, '\n'), *end = line_end ? find_end(line_end) : NULL;
        char *table = end ? make_table(marker, runs, count) : NULL;
        if (!table)
            return fail_with(why,
                             end ? "%s: a marker asks for a table that is not known: %.60s"
                                 : "%s: a marker has no \"" END "\" behind it: %.60s",
                             path, marker);
        fwrite(text, 1, (size_t)(line_end + 1 - text), to);
        if (*table)
            fprintf(to, "\n%s\n", table);
        else
            fwrite(line_end + 1, 1, (size_t)(end - line_end - 1), to);
        fputs(END, to);
        text = end + strlen(END);
        free(table);
    }
    fputs(text, to);
    return true;
}

/* The whole file as one text; NULL if it cannot be read. */
static char *read_text(const char *path, failure *why)
{
    FILE *from = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;
    const ssize_t length = from ? getdelim(&text, &room, '\0', from) : -1;
    bool ok = true;
    if (!from || ferror(from))
        ok = fail_with(why, "%s: cannot be read: %s", path, strerror(errno));
    else if (length < 0)
        ok = fail_with(why, "%s: is empty", path);
    else if (strlen(text) < (size_t)length)   /* the delimiter was met: what is behind it would be lost */
        ok = fail_with(why, "%s: is no text, there is a zero byte in it", path);
    if (from)
        fclose(from);
    if (!ok) {
        free(text);
        text = NULL;
    }
    return text;
}

bool markdown_rewrite(const run_file *runs, int count, const char *path, failure *why)
{
    output_file document;
    char *text = read_text(path, why);
    bool ok = text && output_open(&document, path, why);
    if (ok && !copy(text, runs, count, path, document.to, why)) {
        output_abandon(&document);
        ok = false;
    }
    ok = ok && output_close(&document, why);
    free(text);
    return ok;
}

/* paper_report.c - the experiment as tables and as JSON. */
#include <math.h>
#include <string.h>

#include "paper.h"
#include "table.h"

/* ------------------------------------------------------------------------------------------------ text ---- */

static void speedup_cell(table *t, const model_variant *v)
{
    if (!v) {
        table_cell(t, "-");
        return;
    }
    table_cell(t, "%.2f +- %.2f", v->speedup.median, 0.5 * (v->speedup.hi - v->speedup.lo));
    table_paint(t, v->speedup.lo > 1 ? TABLE_GOOD : v->speedup.hi < 1 ? TABLE_BAD : TABLE_PLAIN);
}

/* "0.60 / 0.13": TFLite and ONNX Runtime on the machine. */
static void published_cell(table *t, int model, int which)
{
    char text[PAPER_ENGINES][16];
    for (int e = 0; e < PAPER_ENGINES; e++) {
        const double s = paper_models[model].speedup[e][which];
        snprintf(text[e], sizeof text[e], s > 0 ? "%.2f" : "-", s);
    }
    table_cell(t, "%s / %s", text[0], text[1]);
}

/* The machines whose stand-in is `isa`. */
static int stand_in_for(const char *isa, int machines[PAPER_MACHINES])
{
    int count = 0;
    for (int m = 0; m < PAPER_MACHINES; m++)
        if (!strcmp(paper_stand_ins[m], isa))
            machines[count++] = m;
    return count;
}

/* One ISA with so many threads: seven models, with what was published beside them for one thread's worth. */
static void print_isa(const paper_row *rows, int row_count, const char *isa, int threads, FILE *to)
{
    int machines[PAPER_MACHINES];
    const int count = stand_in_for(isa, machines);
    table_column columns[4 + PAPER_MACHINES] = {
        {"model", TABLE_LEFT}, {"f32 ms", TABLE_RIGHT}, {"dynamic", TABLE_RIGHT}, {"static", TABLE_RIGHT}};
    fprintf(to, "%s%s, %d thread%s%s", table_color(to, TABLE_STRONG), isa, threads, threads == 1 ? "" : "s",
            table_color(to, TABLE_PLAIN));
    for (int m = 0; m < count; m++) {
        columns[4 + m] = (table_column){paper_machines[machines[m]], TABLE_RIGHT};
        fprintf(to, "%s%s", m ? " and " : ", stands in for ", paper_machines[machines[m]]);
    }
    fprintf(to, "\n");
    table *t = table_create(columns, 4 + count);
    for (int i = 0; i < row_count; i++) {
        const paper_row *row = &rows[i];
        if (row->threads != threads || strcmp(row->isa, isa) != 0)
            continue;
        table_cell(t, "%s", paper_models[row->model].name);
        if (row->f32)
            table_cell(t, "%.2f", 1e3 * row->f32->result.median);
        else
            table_cell(t, "-");
        speedup_cell(t, row->dynamic);
        speedup_cell(t, row->fixed);
        for (int m = 0; m < count; m++)
            published_cell(t, row->model, machines[m]);
    }
    table_print(t, to);
    table_free(t);
    fprintf(to, "\n");
}

/* Does the verdict speak of this cell under this reason? */
static bool belongs(const paper_cell *c, int engine, const char *reason, bool wins)
{
    return c->lost_there && c->wins_here == wins && c->engine == engine &&
           paper_why_lost(c->model, c->engine, c->machine) == reason;
}

/* "MobileNetV2: Haswell 0.60 -> 1.52, Skylake 0.43 -> 1.65" */
static void print_model_cells(const paper_cell *cells, int count, int model, int engine, const char *reason, bool wins, FILE *to)
{
    char line[512];
    size_t used = (size_t)snprintf(line, sizeof line, "%s:", paper_models[model].name);
    int found = 0;
    for (int i = 0; i < count && used < sizeof line; i++)
        if (cells[i].model == model && belongs(&cells[i], engine, reason, wins))
            used += (size_t)snprintf(line + used, sizeof line - used, "%s %s %.2f -> %.2f", found++ ? "," : "",
                                     paper_machines[cells[i].machine], cells[i].published, cells[i].best->median);
    if (found)
        table_wrap(line, 4, 80, to);
}

/* Cells of the same engine and reason stand together, those of a model in one line. */
static void print_verdicts(const paper_cell *cells, int count, bool wins, FILE *to)
{
    char line[256];
    for (int i = 0; i < count; i++) {
        const paper_cell *c = &cells[i];
        const char *reason = paper_why_lost(c->model, c->engine, c->machine);
        int before = 0;
        while (before < i && !belongs(&cells[before], c->engine, reason, wins))
            before++;
        if (before < i || !belongs(c, c->engine, reason, wins))
            continue;
        snprintf(line, sizeof line, "%s: %s", paper_engines[c->engine], reason);
        table_wrap(line, 2, 80, to);
        for (int model = 0; model < PAPER_MODELS; model++)
            print_model_cells(cells, count, model, c->engine, reason, wins, to);
    }
}

/* Once for each model, on the last ISA that was measured. */
static void print_why_here(const paper_cell *cells, int count, FILE *to)
{
    char why[256], line[320];
    fprintf(to, "\nwhy, from the layers measured now:\n");
    for (int model = 0; model < PAPER_MODELS; model++) {
        const paper_cell *last = NULL;
        for (int i = 0; i < count; i++)
            last = cells[i].model == model ? &cells[i] : last;
        if (!last)
            continue;
        snprintf(line, sizeof line, "%s on %s: %s", paper_models[model].name, last->row->isa,
                 paper_why_here(last, why, sizeof why));
        table_wrap(line, 2, 80, to);
    }
}

static void print_summary(const paper_row *rows, int row_count, FILE *to)
{
    static paper_cell cells[PAPER_MODELS * PAPER_ENGINES * PAPER_MACHINES];
    const int count = paper_cells(rows, row_count, cells);
    int lost = 0, won = 0, below = 0;
    for (int i = 0; i < count; i++) {
        lost += cells[i].lost_there;
        won += cells[i].lost_there && cells[i].wins_here;
        below += !cells[i].wins_here;
    }
    if (count == 0) {
        fprintf(to, "No machine of the paper has a stand-in among what was measured.\n");
        return;
    }
    char line[256];
    snprintf(line, sizeof line,
             "%d of the paper's %d cells can be held against this run, by the scheme %s. int8 lost %d of them there; %d of those "
             "win here.",
             count, PAPER_MODELS * PAPER_ENGINES * PAPER_MACHINES - 1, cells[0].scheme, lost, won);
    fputs(table_color(to, TABLE_STRONG), to);
    table_wrap(line, 0, 80, to);
    fputs(table_color(to, TABLE_PLAIN), to);
    if (won)
        fprintf(to, "\nlost there, wins here (there -> here):\n");
    print_verdicts(cells, count, true, to);
    if (won < lost)
        fprintf(to, "\nlost there, and no win here:\n");
    print_verdicts(cells, count, false, to);
    print_why_here(cells, count, to);
    if (below > lost - won)
        fprintf(to, "\nno loss there, and no win here: %d cells\n", below - (lost - won));
}

/* A line for each model that is not there, or not for every ISA. */
static void print_absent(const paper_row *rows, int row_count, FILE *to)
{
    for (int model = 0; model < PAPER_MODELS; model++) {
        int absent = 0, all = 0, first = -1;
        for (int i = 0; i < row_count; i++)
            if (rows[i].model == model) {
                all++;
                absent += rows[i].absent != NULL;
                first = rows[i].absent && first < 0 ? i : first;
            }
        if (absent)
            fprintf(to, "%s%s%s: %s\n", paper_models[model].name, absent < all ? " from " : "", absent < all ? rows[first].isa : "",
                    rows[first].absent);
    }
}

void paper_print(const paper_row *rows, int row_count, FILE *to)
{
    fprintf(to, "speed-up of int8 over f32; right of it what the paper has, TFLite / ONNX Runtime\n");
    table_wrap(paper_source, 0, 80, to);
    fputc('\n', to);
    for (int i = 0; i < row_count; i++) {
        int k = 0;
        while (k < i && (strcmp(rows[k].isa, rows[i].isa) != 0 || rows[k].threads != rows[i].threads))
            k++;
        if (k == i)
            print_isa(rows, row_count, rows[i].isa, rows[i].threads, to);
    }
    print_absent(rows, row_count, to);
    if (!twin_scheme_find("int8-dynamic"))
        fprintf(to, "int8-dynamic, the paper's scheme, is absent: this build of octet cannot make it.\n");
    print_summary(rows, row_count, to);
}

/* ------------------------------------------------------------------------------------------------ JSON ---- */

static void write_speedup(json *j, const char *key, const model_variant *v)
{
    if (!v) {
        json_null(j, key);
        return;
    }
    json_object(j, key);
    json_number(j, "median", v->speedup.median);
    json_number(j, "lo", v->speedup.lo);
    json_number(j, "hi", v->speedup.hi);
    json_close(j);
}

static void write_cell(json *j, const paper_cell *c)
{
    char why[256];
    json_object_line(j, NULL);
    json_text(j, "model", paper_models[c->model].name);
    json_text(j, "engine", paper_engines[c->engine]);
    json_text(j, "machine", paper_machines[c->machine]);
    json_number(j, "published", c->published);
    json_text(j, "isa", c->row->isa);
    json_integer(j, "threads", c->row->threads);
    write_speedup(j, "dynamic", c->row->dynamic);
    write_speedup(j, "static", c->row->fixed);
    json_text(j, "compared", c->scheme);
    json_bool(j, "lost_there", c->lost_there);
    json_bool(j, "wins_here", c->wins_here);
    json_text(j, "why_lost_there", c->lost_there ? paper_why_lost(c->model, c->engine, c->machine) : NULL);
    json_text(j, "why_here", paper_why_here(c, why, sizeof why));
    json_close(j);
}

void paper_json(const paper_row *rows, int row_count, json *j)
{
    static paper_cell cells[PAPER_MODELS * PAPER_ENGINES * PAPER_MACHINES];
    const int count = paper_cells(rows, row_count, cells);
    json_object(j, "paper");
    json_text(j, "source", paper_source);
    json_array(j, "cells");
    for (int i = 0; i < count; i++)
        write_cell(j, &cells[i]);
    json_close(j);
    json_array(j, "absent");
    for (int i = 0; i < row_count; i++)
        if (rows[i].absent) {
            json_object_line(j, NULL);
            json_text(j, "model", paper_models[rows[i].model].name);
            json_text(j, "isa", rows[i].isa);
            json_integer(j, "threads", rows[i].threads);
            json_text(j, "why", rows[i].absent);
            json_close(j);
        }
    json_close(j);
    json_close(j);
}

/* html_tables.c - the figures themselves. */
#include <string.h>

#include "html.h"

/* <td>text</td> of a member. */
static void text_cell(const json_value *entry, const char *key, const char *class, FILE *to)
{
    fprintf(to, "<td%s%s%s>", class ? " class=\"" : "", class ? class : "", class ? "\"" : "");
    html_text(json_text_of(entry, key, "-"), to);
    fputs("</td>", to);
}

/* Empty where there is no such number. */
static void number_cell(const json_value *entry, const char *key, int decimals, FILE *to)
{
    const json_value *value = json_get(entry, key);
    if (value && value->kind == JSON_NUMBER)
        fprintf(to, "<td>%.*f</td>", decimals, value->number);
    else
        fputs("<td></td>", to);
}

/* Milliseconds with four significant digits, as the number of the tenth of a percent matters. */
static void time_cell(const json_value *entry, const char *key, FILE *to)
{
    const double ms = json_number_of(entry, key, 0);
    if (ms > 0)
        fprintf(to, "<td>%.*f</td>", ms < 10 ? 3 : ms < 100 ? 2 : 1, ms);
    else
        fputs("<td></td>", to);
}

/* A title that begins with '<' stands left, above texts. */
static void put_heads(const char *const *heads, const char *class, FILE *to)
{
    fprintf(to, "<div class=\"scroll\"><table%s><thead><tr>", class);
    for (; *heads; heads++)
        fprintf(to, **heads == '<' ? "<th class=\"l\">%s</th>" : "<th>%s</th>", *heads + (**heads == '<'));
    fputs("</tr></thead><tbody>\n", to);
}

/* ---------------------------------------------------------------------------------------------- models ---- */

void html_models(const run_file *run, FILE *to)
{
    static const char *const heads[] = {"model", "<scheme", "<ISA",     "threads",       "median ms",  "p5",       "p95", "first",
                                        "cold",  "% peak",  "over f32", "95 % interval", "weights MB", "arena MB", NULL};
    const json_value *models = json_get(run->root, "models");
    if (!json_first(models))
        return;
    fputs("<h2>Models</h2>\n<p class=\"small dim\">median, p5, p95: warm. first: the first run of a session. cold: with the caches "
          "filled with something "
          "else. % peak: of what bounds each layer, arithmetic or memory.</p>",
          to);
    put_heads(heads, " class=\"sort\"", to);
    for (const json_value *m = json_first(models); m; m = m->next) {
        fputs("<tr>", to);
        text_cell(m, "model", NULL, to);
        text_cell(m, "scheme", "l", to);
        text_cell(m, "isa", "l", to);
        fprintf(to, "<td>%d</td>", html_threads(m));
        time_cell(m, "median_ms", to);
        time_cell(m, "p5_ms", to);
        time_cell(m, "p95_ms", to);
        time_cell(m, "first_ms", to);
        time_cell(m, "cold_ms", to);
        number_cell(m, "percent_of_peak", 0, to);
        number_cell(m, "speedup", 2, to);
        if (json_get(m, "speedup_lo"))
            fprintf(to, "<td>%.2f..%.2f</td>", json_number_of(m, "speedup_lo", 0), json_number_of(m, "speedup_hi", 0));
        else
            fputs("<td></td>", to);
        fprintf(to, "<td>%.2f</td><td>%.2f</td></tr>\n", 1e-6 * json_number_of(m, "weight_bytes", 0),
                1e-6 * json_number_of(m, "arena_bytes", 0));
    }
    fputs("</tbody></table></div>\n", to);
}

/* ---------------------------------------------------------------------------------------------- layers ---- */

/* One model's layers, folded away. */
static void put_layers(const json_value *model, FILE *to)
{
    static const char *const heads[] = {"layer",     "<op",   "<precision", "<algorithm", "<kernel", "us",
                                        "% of time", "GOP/s", "% peak",     "<bound",     NULL};
    double total = 0;
    for (const json_value *l = json_first(json_get(model, "layers")); l; l = l->next)
        total += json_number_of(l, "median_us", 0);
    fputs("<details><summary>", to);
    html_text(json_text_of(model, "model", "?"), to);
    fputs(", ", to);
    html_text(json_text_of(model, "scheme", "?"), to);
    fputs(", ", to);
    html_text(json_text_of(model, "isa", "?"), to);
    fprintf(to, ", %d thread%s</summary>\n", html_threads(model), html_threads(model) > 1 ? "s" : "");
    put_heads(heads, " class=\"sort\"", to);
    for (const json_value *l = json_first(json_get(model, "layers")); l; l = l->next) {
        if (!strcmp(json_text_of(l, "algo", ""), "none"))
            continue;
        fputs("<tr>", to);
        text_cell(l, "name", NULL, to);
        text_cell(l, "op", "l", to);
        text_cell(l, "precision", "l", to);
        text_cell(l, "algo", "l", to);
        text_cell(l, "kernel", "l", to);
        number_cell(l, "median_us", 1, to);
        fprintf(to, "<td>%.1f</td>", total > 0 ? 100 * json_number_of(l, "median_us", 0) / total : 0);
        number_cell(l, "gops", 0, to);
        number_cell(l, "percent_of_peak", 0, to);
        text_cell(l, "bound", "l", to);
        fputs("</tr>\n", to);
    }
    fputs("</tbody></table></div></details>\n", to);
}

void html_layers(const run_file *run, FILE *to)
{
    bool begun = false;
    for (const json_value *m = json_first(json_get(run->root, "models")); m; m = m->next) {
        if (!json_first(json_get(m, "layers")))
            continue;
        if (!begun)
            fputs("<h2>Layers</h2>\n<p class=\"small dim\">Press a title to sort.</p>\n", to);
        begun = true;
        put_layers(m, to);
    }
}

/* Those of an explanation, with the reasons. */
void html_lost_layers(const json_value *explain, FILE *to)
{
    static const char *const heads[] = {"layer", "f32 us", "int8 us", "ideal us", "lost us", "<why", NULL};
    int shown = 0;
    fputs("<h3>The layers that cost most against the ideal</h3>\n", to);
    put_heads(heads, " class=\"sort\"", to);
    for (const json_value *l = json_first(json_get(explain, "layers")); l && shown < 15; l = l->next) {
        if (json_number_of(l, "lost_us", 0) <= 0)
            continue;
        shown++;
        fputs("<tr>", to);
        text_cell(l, "name", NULL, to);
        number_cell(l, "f32_us", 1, to);
        number_cell(l, "int8_us", 1, to);
        number_cell(l, "ideal_us", 1, to);
        number_cell(l, "lost_us", 1, to);
        text_cell(l, "reason", "why", to);
        fputs("</tr>\n", to);
    }
    fputs("</tbody></table></div>\n", to);
}

/* ----------------------------------------------------------------------------------------------- paper ---- */

static void interval_cell(const json_value *interval, FILE *to)
{
    const double s = json_number_of(interval, "median", 0), lo = json_number_of(interval, "lo", 0),
                 hi = json_number_of(interval, "hi", 0);
    if (s > 0)
        fprintf(to, "<td class=\"%s\" title=\"%.3f to %.3f\">%.2f</td>", lo > 1 ? "good" : hi < 1 ? "bad" : "", lo, hi, s);
    else
        fputs("<td class=\"dim\">absent</td>", to);
}

void html_paper(const run_file *run, FILE *to)
{
    static const char *const heads[] = {"model",   "<engine there", "<machine there", "published", "<ISA here",
                                        "dynamic", "static",        "<why",           NULL};
    const json_value *paper = json_get(run->root, "paper");
    if (!json_first(json_get(paper, "cells")))
        return;
    fputs("<h2>The paper's experiment on this machine</h2>\n<p class=\"small\">Speed-up of int8 over f32, there and here: ", to);
    html_text(json_text_of(paper, "source", ""), to);
    fputs(". Instruction sets stand in for the paper's machines.</p>\n", to);
    put_heads(heads, " class=\"sort\"", to);
    for (const json_value *c = json_first(json_get(paper, "cells")); c; c = c->next) {
        fputs("<tr>", to);
        text_cell(c, "model", NULL, to);
        text_cell(c, "engine", "l", to);
        text_cell(c, "machine", "l", to);
        fprintf(to, "<td class=\"%s\">%.2f</td>", json_number_of(c, "published", 1) < 1 ? "bad" : "",
                json_number_of(c, "published", 0));
        text_cell(c, "isa", "l", to);
        interval_cell(json_get(c, "dynamic"), to);
        interval_cell(json_get(c, "static"), to);
        fputs("<td class=\"why small\">", to);
        html_text(json_text_of(c, "why_lost_there", ""), to);
        if (*json_text_of(c, "why_lost_there", ""))
            fputs("; ", to);
        html_text(json_text_of(c, "why_here", ""), to);
        fputs("</td></tr>\n", to);
    }
    fputs("</tbody></table></div>\n", to);
}

/* ------------------------------------------------------------------------------------------ comparison ---- */

/* The first column that has the model is what the others are held against. */
static void put_row(const html_column *columns, int column_count, const json_value *entry, FILE *to)
{
    double base = 0;
    fputs("<tr>", to);
    text_cell(entry, "model", NULL, to);
    text_cell(entry, "scheme", "l", to);
    fprintf(to, "<td>%d</td>", html_threads(entry));
    for (int c = 0; c < column_count; c++) {
        const json_value *m =
            html_fastest(&columns[c], json_text_of(entry, "model", ""), json_text_of(entry, "scheme", ""), html_threads(entry));
        const double ms = json_number_of(m, "median_ms", 0);
        if (!(ms > 0)) {
            fputs("<td></td>", to);
            continue;
        }
        fprintf(to, "<td title=\"%.4g to %.4g ms, ", json_number_of(m, "lo_ms", ms), json_number_of(m, "hi_ms", ms));
        html_text(json_text_of(m, "isa", ""), to);
        fprintf(to, "\">%.*f", ms < 10 ? 3 : ms < 100 ? 2 : 1, ms);
        if (base > 0)
            fprintf(to, " <span class=\"%s\">(%.2f)</span>", ms > base ? "bad" : "good", ms / base);
        base = base > 0 ? base : ms;
        fputs("</td>", to);
    }
    fputs("</tr>\n", to);
}

/* Peers' ratios from the same rounds are better than ratios of medians. */
static void put_engine_pairs(const run_file *run, FILE *to)
{
    static const char *const heads[] = {"model",    "<scheme",       "threads",       "<engine",
                                        "<against", "times as fast", "95 % interval", NULL};
    const json_value *pairs = json_get(run->root, "engine_pairs");
    if (!json_first(pairs))
        return;
    fputs("<h3>Engines against each other, interleaved in the same rounds</h3>\n", to);
    put_heads(heads, " class=\"sort\"", to);
    for (const json_value *p = json_first(pairs); p; p = p->next) {
        fputs("<tr>", to);
        text_cell(p, "model", NULL, to);
        text_cell(p, "scheme", "l", to);
        fprintf(to, "<td>%d</td>", html_threads(p));
        text_cell(p, "engine", "l", to);
        text_cell(p, "peer", "l", to);
        fprintf(to, "<td class=\"%s\">%.2f</td><td>%.2f..%.2f</td></tr>\n",
                json_number_of(p, "lo", 0) > 1   ? "good"
                : json_number_of(p, "hi", 2) < 1 ? "bad"
                                                 : "",
                json_number_of(p, "speedup", 0), json_number_of(p, "lo", 0), json_number_of(p, "hi", 0));
    }
    fputs("</tbody></table></div>\n", to);
    for (const json_value *m = json_first(json_get(run->root, "missing")); m; m = m->next) {
        fputs("<p class=\"small dim\">missing: ", to);
        html_text(json_text_of(m, "engine", "?"), to);
        fputs(", ", to);
        html_text(json_text_of(m, "model", "?"), to);
        fputs(", ", to);
        html_text(json_text_of(m, "scheme", "?"), to);
        fputs(": ", to);
        html_text(json_text_of(m, "why", ""), to);
        fputs("</p>\n", to);
    }
}

void html_comparison(const run_file *runs, int count, FILE *to)
{
    html_column columns[HTML_MAX_COLUMNS];
    const int column_count = html_columns(runs, count, columns);
    int rows = 0;
    for (int r = 0; r < count; r++)
        for (const json_value *m = json_first(json_get(runs[r].root, "models")); m; m = m->next)
            rows += html_is_row(runs, r, columns, column_count, m);
    if (rows == 0)
        return;
    fputs("<h2>Runs and engines side by side</h2>\n<p class=\"small dim\">Milliseconds (median, the fastest instruction set of "
          "each), and in brackets the ratio to the "
          "first. Different runs were not interleaved: small differences mean nothing. Models that only one of them has are not "
          "here.</p>\n<div class=\"scroll\"><table "
          "class=\"sort\"><thead><tr><th>model</th>"
          "<th class=\"l\">scheme</th><th>threads</th>",
          to);
    for (int c = 0; c < column_count; c++) {
        fputs("<th>", to);
        html_text(columns[c].label, to);
        fputs("</th>", to);
    }
    fputs("</tr></thead><tbody>\n", to);
    for (int r = 0; r < count; r++)
        for (const json_value *m = json_first(json_get(runs[r].root, "models")); m; m = m->next)
            if (html_is_row(runs, r, columns, column_count, m))
                put_row(columns, column_count, m, to);
    fputs("</tbody></table></div>\n", to);
    html_engines(runs, count, to);
    for (int r = 0; r < count; r++)
        put_engine_pairs(&runs[r], to);
}

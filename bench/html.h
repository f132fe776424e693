/* html.h - the report: results of one or more runs as a single page without a network. Charts are inline SVG, made for 360 pixels
 * of width so that a telephone shows them one to one and a desktop several side by side; colours are variables that follow the
 * reader's dark or light setting. Every chart has a title and a description in words; the figures stand in tables as well.
 */
#ifndef BENCH_HTML_H
#define BENCH_HTML_H

#include <stdio.h>

#include "run_file.h"

/* The whole page. */
void html_report(const run_file *runs, int count, FILE *to);

/* ---- between the files of the report ---- */

/* html_base.c */

/* Escaped for text and for attributes in double quotes. */
void html_text(const char *text, FILE *to);

/* The member "threads" of an entry; 1 where there is none. */
int html_threads(const json_value *entry);

/* A column of a comparison: a run, or one of several engines in a run. */
#define HTML_MAX_COLUMNS 12

typedef struct html_column {
    const run_file *run;
    const char *engine;
    char label[96];
} html_column;

int html_columns(const run_file *runs, int count, html_column columns[HTML_MAX_COLUMNS]);
/* The fastest ISA of that column for the model; NULL: not measured. */
const json_value *html_fastest(const html_column *column, const char *model, const char *scheme, int threads);
/* Is this the first entry of all runs with its model, scheme and threads, and not the only column's? The rows of a comparison. */
bool html_is_row(const run_file *runs, int run, const html_column *columns, int column_count, const json_value *entry);

/* html_charts.c */
void html_speedups(const run_file *run, FILE *to); /* bars with intervals: a chart for each ISA and number of threads */
void html_waterfall(const json_value *explain, FILE *to);
void html_engines(const run_file *runs, int count, FILE *to); /* times of the same model by several runs or engines */

/* html_roofline.c: every layer of every model as a dot under the roof of its ISA. */
void html_rooflines(const run_file *run, FILE *to);

/* html_tables.c */
void html_models(const run_file *run, FILE *to);
void html_layers(const run_file *run, FILE *to);
void html_lost_layers(const json_value *explain, FILE *to);
void html_paper(const run_file *run, FILE *to);
void html_comparison(const run_file *runs, int count, FILE *to);

#endif

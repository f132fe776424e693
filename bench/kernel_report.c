/* kernel_report.c - kernel figures as JSON and as a table. The JSON has every way that was measured, the table the best of each
 * type. */
#include <string.h>

#include "kernel_bench.h"
#include "table.h"

/* m, n, k is the layer as a product of matrices: output pixels, output channels, products per output. */
static void write_shape(json *j, const bench_shape *s)
{
    json_object(j, "shape");
    json_integer(j, "m", (int64_t)s->m);
    json_integer(j, "n", (int64_t)s->n);
    json_integer(j, "k", (int64_t)s->k);
    if (s->kind != SHAPE_GEMM && s->kind != SHAPE_DENSE) {
        json_integers(j, "in", (const int64_t[]){(int64_t)s->conv.in_h, (int64_t)s->conv.in_w, (int64_t)s->conv.in_c}, 3);
        json_integers(j, "out", (const int64_t[]){(int64_t)s->conv.out_h, (int64_t)s->conv.out_w, (int64_t)s->conv.out_c}, 3);
    }
    if (s->kind != SHAPE_GEMM && s->kind != SHAPE_DENSE && s->kind != SHAPE_ADD) {
        json_integers(j, "kernel", (const int64_t[]){(int64_t)s->conv.kernel_h, (int64_t)s->conv.kernel_w}, 2);
        json_integer(j, "stride", (int64_t)s->conv.stride_h);
    }
    json_close(j);
}

/* "kernel" is the kind of layer, "entry" the name of the micro-kernel that did it. */
static void write_figure(json *j, const kernel_row *row, const kernel_figure *f, int threads)
{
    json_object(j, NULL);
    json_text(j, "name", row->shape->name);
    json_text(j, "kernel", shape_kind_name(row->shape->kind));
    json_text(j, "dtype", f->int8 ? "u8s8" : "f32");
    json_text(j, "algo", f->algo);
    json_text(j, "entry", f->kernel);
    json_text(j, "isa", row->isa);
    json_integer(j, "threads", threads);
    write_shape(j, row->shape);
    json_integer(j, "bytes", (int64_t)f->bytes);
    json_number(j, "median_us", 1e6 * f->median);
    json_number(j, "p5_us", 1e6 * f->p5);
    json_number(j, "p95_us", 1e6 * f->p95);
    json_number(j, "lo_us", 1e6 * f->lo);
    json_number(j, "hi_us", 1e6 * f->hi);
    json_number(j, "gops", 1e-9 * f->ops_per_second);
    json_number(j, "percent_of_peak", 100 * f->bound.seconds / f->median);
    json_text(j, "bound", f->bound.name);
    json_close(j);
}

/* A pair for every shape that has both types. */
void kernel_rows_json(const kernel_row *rows, int count, int threads, json *j)
{
    json_array(j, "kernels");
    for (int i = 0; i < count; i++)
        for (int k = 0; k < rows[i].count; k++)
            write_figure(j, &rows[i], &rows[i].figures[k], threads);
    json_close(j);
    json_array(j, "kernel_pairs");
    for (int i = 0; i < count; i++) {
        if (rows[i].best_f32 < 0 || rows[i].best_int8 < 0)
            continue;
        json_object(j, NULL);
        json_text(j, "name", rows[i].shape->name);
        json_text(j, "isa", rows[i].isa);
        json_integer(j, "threads", threads);
        json_number(j, "speedup", rows[i].speedup.median);
        json_number(j, "lo", rows[i].speedup.lo);
        json_number(j, "hi", rows[i].speedup.hi);
        json_close(j);
    }
    json_close(j);
}

/* ----------------------------------------------------------------------------------------------- table ---- */

#define COLUMNS 7

/* Microseconds, and "97" or "64 l2": percent of the bounding peak, with the memory level where it is not arithmetic that bounds. */
static void figure_cells(table *t, const kernel_figure *f)
{
    const double us = 1e6 * f->median;
    table_cell(t, "%.*f", us < 99.95 ? 1 : 0, us);
    const bool compute = f->bound.name[0] == 'c';
    table_cell(t, "%.0f %-4s", 100 * f->bound.seconds / f->median, compute ? "" : f->bound.name);
}

/* The rows of one network stand together; its name is said once. */
static void network_cells(table *t, const char *name, const char *name_before)
{
    const size_t length = strcspn(name, ".");
    if (name_before && !strncmp(name, name_before, length + 1))
        return;
    if (name_before)
        table_rule(t);
    table_cell(t, "%.*s:", (int)length, name);
    for (int i = 1; i < COLUMNS; i++)
        table_cell(t, "%s", "");
}

/* The layer without its network. */
static void row_cells(table *t, const kernel_row *row)
{
    const char *dot = strchr(row->shape->name, '.');
    table_cell(t, "%s", dot ? dot + 1 : row->shape->name);
    /* Without both types the row ends here and the next one starts below it. */
    if (row->best_f32 < 0 || row->best_int8 < 0)
        return;
    figure_cells(t, &row->figures[row->best_f32]);
    figure_cells(t, &row->figures[row->best_int8]);
    table_cell(t, "%.2f", row->speedup.median);
    table_cell(t, "%.2f..%.2f", row->speedup.lo, row->speedup.hi);
}

/* Below the table, since it is no ISA of ours. */
static void print_foreign(const kernel_row *row, FILE *to)
{
    for (int k = 0; k < row->count; k++)
        if (row->figures[k].foreign)
            fprintf(to, "%s by %s (%s kernels):\n  %.1f us, %.1f GOP/s, %.0f %% of peak; octet is %.2f times as fast\n",
                    row->shape->name, row->figures[k].algo, row->figures[k].kernel, 1e6 * row->figures[k].median,
                    1e-9 * row->figures[k].ops_per_second, 100 * row->figures[k].bound.seconds / row->figures[k].median,
                    row->figures[k].median / row->figures[row->best_f32].median);
}

/* Convolutions that are not computed in the plain way say so below the table, where there is room. */
static void print_algos(const kernel_row *row, FILE *to)
{
    if (row->shape->kind != SHAPE_CONV || row->best_f32 < 0 || row->best_int8 < 0)
        return;
    const char *f32 = row->figures[row->best_f32].algo, *int8 = row->figures[row->best_int8].algo;
    if (strcmp(f32, "direct") || strcmp(int8, "direct"))
        fprintf(to, "%s: f32 %s, int8 %s\n", row->shape->name, f32, int8);
}

/* One table per ISA; the rows come sorted by ISA. */
void kernel_rows_print(const kernel_row *rows, int count, int threads, FILE *to)
{
    static const table_column columns[COLUMNS] = {{"layer", TABLE_SHRINK},  {"f32 us", TABLE_RIGHT}, {"%     ", TABLE_RIGHT},
                                                  {"int8 us", TABLE_RIGHT}, {"%     ", TABLE_RIGHT}, {"speed-up", TABLE_RIGHT},
                                                  {"interval", TABLE_LEFT}};
    for (int i = 0; i < count;) {
        const char *isa = rows[i].isa;
        table *t = table_create(columns, COLUMNS);
        const int first = i;
        for (; i < count && rows[i].isa == isa; i++) {
            network_cells(t, rows[i].shape->name, i > first ? rows[i - 1].shape->name : NULL);
            row_cells(t, &rows[i]);
        }
        fprintf(to, "%s, %d thread%s\n%% = of the peak that bounds the layer: arithmetic, or the memory level named\n", isa,
                threads, threads == 1 ? "" : "s");
        table_print(t, to);
        table_free(t);
        for (int k = first; k < i; k++) {
            print_algos(&rows[k], to);
            print_foreign(&rows[k], to);
        }
        fprintf(to, "\n");
    }
}

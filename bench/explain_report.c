/* explain_report.c - an explanation as text for 80 columns, and as JSON. */
#include <string.h>

#include "explain.h"
#include "table.h"

#define BAR_WIDTH 20 /* columns of the longest bar */
#define TOP       8  /* layers that are told about */

/* ------------------------------------------------------------------------------------------------ text ---- */

/* factor, the speed-up so far, a bar that long, what it is. */
static void print_waterfall(const explanation *e, FILE *to)
{
    double product = 1, largest = 1;
    for (int i = 0; i < e->factor_count; i++) {
        product *= e->factors[i].factor;
        largest = product > largest ? product : largest;
    }
    fprintf(to, "%-12s %7s  %7s\n", "factor", "", "so far");
    product = 1;
    for (int i = 0; i < e->factor_count; i++) {
        const explain_factor *f = &e->factors[i];
        product *= f->factor;
        const int bar = (int)(BAR_WIDTH * product / largest + 0.5), color = f->factor < 0.98   ? TABLE_BAD
                                                                            : f->factor > 1.02 ? TABLE_GOOD
                                                                                               : TABLE_FAINT;
        fprintf(to, "%-12s x%6.3f  =%6.2f  %s%.*s%s%*s  %s\n", f->name, f->factor, product, table_color(to, color), bar,
                "####################", table_color(to, TABLE_PLAIN), BAR_WIDTH - bar, "", f->what);
    }
}

/* The largest losses; layers that gain more than the ideal are none. */
static void print_layers(const explanation *e, FILE *to)
{
    static const table_column columns[] = {{"layer", TABLE_SHRINK},   {"f32 us", TABLE_RIGHT},  {"int8 us", TABLE_RIGHT},
                                           {"ideal us", TABLE_RIGHT}, {"lost us", TABLE_RIGHT}, {"of all", TABLE_RIGHT}};
    double total = 0;
    for (size_t i = 0; i < e->layer_count; i++)
        total += e->layers[i].to;
    table *t = table_create(columns, 6);
    size_t shown = 0;
    for (; shown < e->layer_count && shown < TOP && e->layers[shown].loss > 0; shown++) {
        const explain_layer *p = &e->layers[shown];
        table_cell(t, "%s", p->int8 ? p->int8->name : p->f32->name);
        table_cell(t, "%.1f", 1e6 * p->from);
        table_cell(t, "%.1f", 1e6 * p->to);
        table_cell(t, "%.1f", 1e6 * p->ideal);
        table_cell(t, "%.1f", 1e6 * p->loss);
        table_cell(t, "%.1f %%", total > 0 ? 100 * p->loss / total : 0);
    }
    if (shown) {
        fprintf(to, "\nThe layers that cost most against the ideal (one thread):\n\n");
        table_fit(t, 80, to);
        fprintf(to, "\n");
        for (size_t i = 0; i < shown; i++) {
            const char *name = e->layers[i].int8 ? e->layers[i].int8->name : e->layers[i].f32->name;
            fprintf(to, "%s%s%s\n", table_color(to, TABLE_STRONG), name, table_color(to, TABLE_PLAIN));
            table_wrap(e->layers[i].reason, 2, 78, to);
        }
    }
    table_free(t);
}

void explain_print(const explain_heading *h, const explanation *e, FILE *to)
{
    fprintf(to, "%s%s, %s on %s, %d thread%s:\n%.2f times as fast as f32%s (95 %%: %.2f .. %.2f)\n\n",
            table_color(to, TABLE_STRONG), h->model, h->scheme, h->isa, h->threads, h->threads == 1 ? "" : "s", h->speedup->median,
            table_color(to, TABLE_PLAIN), h->speedup->lo, h->speedup->hi);
    print_waterfall(e, to);
    print_layers(e, to);
    fprintf(to, "\n");
    table_wrap(e->verdict, 0, 78, to);
}

/* ------------------------------------------------------------------------------------------------ JSON ---- */

/* All layers, the largest loss first. */
static void write_layer(json *j, const explain_layer *p)
{
    static const char *const kinds[] = {"int8", "float", "added", "gone"};
    const model_layer *layer = p->int8 ? p->int8 : p->f32;
    json_object_line(j, NULL);
    json_text(j, "name", layer->name);
    json_text(j, "op", layer->op);
    json_text(j, "kind", kinds[p->kind]);
    json_number(j, "f32_us", 1e6 * p->from);
    json_number(j, "int8_us", 1e6 * p->to);
    json_number(j, "ideal_us", 1e6 * p->ideal);
    json_number(j, "lost_us", 1e6 * p->loss);
    json_number(j, "requantise_us", 1e6 * p->requantise);
    json_number(j, "bound_ratio", p->bound_ratio);
    json_number(j, "algo_ratio", p->algo_ratio);
    json_text(j, "bound", layer->bound.name);
    json_text(j, "reason", p->reason);
    json_close(j);
}

void explain_json(const explain_heading *h, const explanation *e, json *j)
{
    json_object(j, "explain");
    json_text(j, "model", h->model);
    json_text(j, "scheme", h->scheme);
    json_text(j, "isa", h->isa);
    json_integer(j, "threads", h->threads);
    json_object_line(j, "speedup");
    json_number(j, "median", h->speedup->median);
    json_number(j, "lo", h->speedup->lo);
    json_number(j, "hi", h->speedup->hi);
    json_close(j);
    json_array(j, "factors");
    for (int i = 0; i < e->factor_count; i++) {
        json_object_line(j, NULL);
        json_text(j, "name", e->factors[i].name);
        json_number(j, "factor", e->factors[i].factor);
        json_text(j, "what", e->factors[i].what);
        json_close(j);
    }
    json_close(j);
    json_text(j, "verdict", e->verdict);
    json_array(j, "layers");
    for (size_t i = 0; i < e->layer_count; i++)
        write_layer(j, &e->layers[i]);
    json_close(j);
    json_close(j);
}

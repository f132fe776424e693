/* paper.c - the cells of the paper beside the rows measured here, and why they differ. */
#include "paper.h"

#include <string.h>

/* The row that stands in for a machine: its ISA, one thread. */
static const paper_row *find_row(const paper_row *rows, int count, int model, const char *isa)
{
    for (int i = 0; i < count; i++)
        if (rows[i].model == model && rows[i].threads == 1 && !rows[i].absent && !strcmp(rows[i].isa, isa))
            return &rows[i];
    return NULL;
}

/* The paper's scheme is the dynamic one. Where this build cannot make it, static int8 is what there is. */
static bool fill_cell(paper_cell *c, const paper_row *row)
{
    const model_variant *v = row->dynamic ? row->dynamic : row->fixed;
    if (!v)
        return false;
    c->row = row;
    c->best = &v->speedup;
    c->scheme = v->file->scheme;
    c->lost_there = c->published < 1;
    c->wins_here = v->speedup.lo > 1;
    return true;
}

int paper_cells(const paper_row *rows, int row_count, paper_cell cells[PAPER_MODELS * PAPER_ENGINES * PAPER_MACHINES])
{
    int count = 0;
    for (int engine = 0; engine < PAPER_ENGINES; engine++)
        for (int where = 0; where < PAPER_MACHINES; where++)
            for (int model = 0; model < PAPER_MODELS; model++) {
                const paper_row *row = find_row(rows, row_count, model, paper_stand_ins[where]);
                const double published = paper_models[model].speedup[engine][where];
                cells[count] = (paper_cell){.model = model, .engine = engine, .machine = where, .published = published};
                if (row && published > 0 && fill_cell(&cells[count], row))
                    count++;
            }
    return count;
}

/* ------------------------------------------------------------------------------------------------- why ---- */

/* Share of the time that a model spends in depthwise layers; 0 if layers were not measured. */
static double depthwise_share(const model_variant *v)
{
    double depthwise = 0, all = 0;
    for (size_t i = 0; v->layers && i < v->file->layers; i++) {
        all += v->layers[i].seconds;
        depthwise += strcmp(v->layers[i].algo, "depthwise") ? 0 : v->layers[i].seconds;
    }
    return all > 0 ? depthwise / all : 0;
}

/* How many layers are int8, of those that multiply. */
static void count_layers(const model_variant *v, int *int8, int *all)
{
    *int8 = *all = 0;
    for (size_t i = 0; v->layers && i < v->file->layers; i++) {
        *all += v->layers[i].macs > 0;
        *int8 += v->layers[i].macs > 0 && !strncmp(v->layers[i].precision, "int8", 4);
    }
}

char *paper_why_here(const paper_cell *c, char *text, size_t size)
{
    const model_variant *v = c->row->dynamic ? c->row->dynamic : c->row->fixed;
    const bool dynamic = c->row->dynamic != NULL;
    int int8, all;
    size_t used = (size_t)snprintf(text, size, "%s", dynamic ? "here one kernel per layer quantizes, multiplies and writes float"
                                                             : "here one kernel per layer multiplies and writes bytes");
    count_layers(v, &int8, &all);
    if (all > 0 && used < size)
        used += (size_t)snprintf(text + used, size - used, "; %d of %d layers are int8%s", int8, all,
                                 dynamic && int8 < all ? ", the others stay float because int8 would not pay" : "");
    if (depthwise_share(v) > 0.05 && used < size)
        snprintf(text + used, size - used, "; depthwise layers take %.0f %% of the time", 100 * depthwise_share(v));
    return text;
}

/* paper.h - "Does Quantization Improve Inference Speed? It Depends" (New York University, 2025), its figures, and the same
 * experiment here.
 *
 * The paper runs seven networks in f32 and with int8 by dynamic-range quantization, on two engines and five machines, and finds
 * int8 slower in about half of the cases. Here the same networks run on one machine; its instruction sets stand in for the paper's
 * machines:
 *
 *     Haswell -> avx2      Skylake -> avx512 (no VNNI)      Cascade Lake, Ice Lake -> avx512vnni      Raspberry Pi 5 -> neondot
 */
#ifndef BENCH_PAPER_H
#define BENCH_PAPER_H

#include "model_bench.h"

enum { PAPER_MODELS = 7, PAPER_ENGINES = 2, PAPER_MACHINES = 5 };

typedef struct paper_model {
    const char *name;    /* as the paper has it */
    const char *network; /* of the zoo */
    double million_weights;
    double speedup[PAPER_ENGINES][PAPER_MACHINES]; /* f32 time / int8 time; 0: not published */
} paper_model;

extern const paper_model paper_models[PAPER_MODELS];
extern const char *const paper_engines[PAPER_ENGINES];
extern const char *const paper_machines[PAPER_MACHINES];
/* The ISA of octet that stands in for each machine. */
extern const char *const paper_stand_ins[PAPER_MACHINES];
extern const char *const paper_source;

/* Why int8 lost in that cell, from the paper's profiles; a clause. */
const char *paper_why_lost(int model, int engine, int where);

/* What was measured here of one model on one ISA with so many threads. NULL: not measured. */
typedef struct paper_row {
    int model;
    const char *isa;
    int threads;
    const model_variant *f32, *fixed, *dynamic; /* fixed: int8-static */
    const char *absent;                         /* why there is nothing; NULL if there is */
} paper_row;

/* A cell of the paper beside what was measured on its stand-in, one thread. */
typedef struct paper_cell {
    int model, engine, machine;
    double published;
    const paper_row *row;
    const stats_interval *best; /* dynamic where it was measured, the paper's scheme; else static */
    const char *scheme;
    bool lost_there, wins_here; /* here: the whole interval above 1 */
} paper_cell;

/* All cells that were published and whose stand-in was measured; returns how many. */
int paper_cells(const paper_row *rows, int row_count, paper_cell cells[PAPER_MODELS * PAPER_ENGINES * PAPER_MACHINES]);
/* Why the cell comes out as it does here: a sentence. */
char *paper_why_here(const paper_cell *cell, char *text, size_t size);

void paper_print(const paper_row *rows, int row_count, FILE *to);
/* The member "paper". */
void paper_json(const paper_row *rows, int row_count, json *j);

#endif

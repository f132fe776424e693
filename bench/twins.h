/* twins.h - the same network in another scheme, for measuring speed: made here, from a float graph, with random pictures where a
 * scheme wants samples. How accurate such a twin is nobody asks; `octet quantize` is for that. */
#ifndef BENCH_TWINS_H
#define BENCH_TWINS_H

#include "failure.h"
#include "octet_convert.h"

typedef struct twin_scheme {
    const char *name;  /* "int8-static", as in the JSON */
    const char *brief; /* "static", for narrow tables */
    /* NULL for f32, which is the graph itself. `model` is the graph's, `where` stands before the sentence of a failure. */
    bool (*make)(const oct_graph *graph, const oct_model *model, const char *where, oct_graph **twin, failure *why);
} twin_scheme;

/* "f32" first; those that this build can make. */
size_t twin_scheme_count(void);
const twin_scheme *twin_scheme_at(size_t index);
/* NULL for an unknown name. */
const twin_scheme *twin_scheme_find(const char *name);
/* "static" for "int8-static"; the name itself for a foreign one. */
const char *twin_scheme_brief(const char *name);

#endif

/* run_file.h - results of an earlier run, read from its JSON: what `report` and `compare` have in common. */
#ifndef BENCH_RUN_FILE_H
#define BENCH_RUN_FILE_H

#include "json_read.h"

/* The schema this program writes, and the newest that it reads. */
#define RUN_SCHEMA 1

typedef struct run_file {
    const char *path;
    json_doc *doc;
    const json_value *root;
    char label[80]; /* "resnet: octet 0.1.0, AMD EPYC" */
} run_file;

/* false, with a line that says what is wrong, if the file is no JSON or no result of the bench. */
bool run_file_open(const char *path, run_file *file, failure *why);
void run_file_close(run_file *file);

/* The engine of an entry of "models": its own member, or the file's; "octet" if nobody says. */
const char *run_file_engine(const run_file *file, const json_value *model);
const char *run_file_cpu(const run_file *file);
/* What "noise" says was wrong; "" for a quiet run, and where nothing is said. */
const char *run_file_trouble(const run_file *file);

/* The first entry of "models" with these members; NULL if there is none. engine and isa NULL: any. */
const json_value *run_file_model(const run_file *file, const char *engine, const char *model, const char *scheme, const char *isa,
                                 int threads);

#endif

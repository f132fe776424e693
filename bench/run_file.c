/* run_file.c - reads, checks the frame, looks up entries. */
#include "run_file.h"

#include <stdio.h>
#include <string.h>

const char *run_file_cpu(const run_file *file) { return json_text_of(json_get(file->root, "machine"), "cpu", "unknown CPU"); }

const char *run_file_trouble(const run_file *file) { return json_text_of(json_get(file->root, "noise"), "trouble", ""); }

const char *run_file_engine(const run_file *file, const json_value *model)
{
    return json_text_of(model, "engine", json_text_of(file->root, "engine", "octet"));
}

/* The file's name tells two runs on the same machine apart. */
static void make_label(run_file *file)
{
    const char *slash = strrchr(file->path, '/'), *name = slash ? slash + 1 : file->path;
    const size_t length = strlen(name), cut = length > 5 && !strcmp(name + length - 5, ".json") ? length - 5 : length;
    snprintf(file->label, sizeof file->label, "%.*s", (int)cut, name);
}

bool run_file_open(const char *path, run_file *file, failure *why)
{
    *file = (run_file){.path = path};
    if (!json_load(path, &file->doc, why))
        return false;
    file->root = json_root(file->doc);
    const double schema = json_number_of(file->root, "schema", 0);
    if (schema < 1)
        fail_with(why, "%s: no result of octet-bench (it has no \"schema\")", path);
    else if (schema > RUN_SCHEMA)
        fail_with(why, "%s: written by a newer octet-bench (schema %.0f; this one reads up to %d)", path, schema, RUN_SCHEMA);
    make_label(file);
    return schema >= 1 && schema <= RUN_SCHEMA;
}

void run_file_close(run_file *file)
{
    json_free(file->doc);
    file->doc = NULL;
}

static bool is_text(const json_value *object, const char *key, const char *wanted)
{
    return !wanted || !strcmp(json_text_of(object, key, ""), wanted);
}

const json_value *run_file_model(const run_file *file, const char *engine, const char *model, const char *scheme, const char *isa,
                                 int threads)
{
    for (const json_value *m = json_first(json_get(file->root, "models")); m; m = m->next)
        if (is_text(m, "model", model) && is_text(m, "scheme", scheme) && is_text(m, "isa", isa) &&
            (int)json_number_of(m, "threads", 1) == threads && (!engine || !strcmp(run_file_engine(file, m), engine)))
            return m;
    return NULL;
}

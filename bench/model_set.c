/* model_set.c - from the words of the command line to files, groups, variants and batches. */
#define _POSIX_C_SOURCE 200809L /* access */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model_bench.h"

/* ----------------------------------------------------------------------------------------------- texts ---- */

struct model_text {
    struct model_text *next;
    char text[];
};

const char *model_set_text(model_set *set, const char *text)
{
    const size_t size = strlen(text) + 1;
    struct model_text *copy = malloc(sizeof *copy + size);
    if (!copy)
        return "";
    memcpy(copy->text, text, size);
    copy->next = set->texts;
    set->texts = copy;
    return copy->text;
}

/* --------------------------------------------------------------------------------------------- loading ---- */

/* A single int8 layer makes the model a quantized one: borders of other precision are part of the scheme. */
static bool describe_layers(model_file *file, failure *why)
{
    file->scheme = "f32";
    file->layers = oct_model_layer_count(file->model);
    file->macs = 0;
    file->weight_bytes = 0;
    for (size_t i = 0; i < file->layers; i++) {
        oct_layer_info info;
        if (oct_model_layer(file->model, i, &info) != OCT_OK)
            return fail_library(why, file->path);
        file->macs += info.macs;
        file->weight_bytes += info.weight_bytes;
        if (strstr(info.precision, "dynamic"))
            file->scheme = "int8-dynamic";
        else if (!strncmp(info.precision, "int8", 4) && strcmp(file->scheme, "int8-dynamic") != 0)
            file->scheme = "int8-static";
    }
    return true;
}

static bool load_file(model_file *file, failure *why)
{
    if (oct_model_load(file->path, &file->model) != OCT_OK)
        return fail_library(why, file->path);
    return describe_layers(file, why);
}

/* A network of the zoo as a float model. The weights are twice in memory only here. */
static bool make_float(const zoo_network *network, oct_model **model, failure *why)
{
    oct_graph *graph = NULL;
    const bool ok = zoo_float(network, ZOO_SEED, &graph, why) &&
                    (oct_model_from_graph(graph, model) == OCT_OK || fail_library(why, network->name));
    oct_graph_free(graph);
    return ok;
}

/* What the twins of a group are made of: the float file before them, or a network of the zoo, which is then in *made. NULL: the
 * group has no twins. */
static bool open_float(const model_set *set, int group, const oct_model **model, oct_model **made, failure *why)
{
    *model = *made = NULL;
    for (int i = 0; i < set->file_count; i++) {
        const model_file *file = &set->files[i];
        if (file->group != group || !file->twin)
            continue;
        if (file->network) {
            const bool ok = make_float(file->network, made, why);
            *model = *made;
            return ok;
        }
        while (set->files[i].twin)
            i--;
        *model = set->files[i].model;
        return true;
    }
    return true;
}

static bool make_twin(model_file *file, const oct_graph *graph, const oct_model *float_model, failure *why)
{
    oct_graph *twin = NULL;
    bool ok = file->twin->make(graph, float_model, file->name, &twin, why);
    if (ok && oct_model_from_graph(twin, &file->model) != OCT_OK)
        ok = fail_library(why, file->name);
    oct_graph_free(twin);
    return ok && describe_layers(file, why);
}

/* A file as it is, or the float model itself, which was made here. */
static bool open_plain(model_file *file, oct_model **made, failure *why)
{
    if (!file->twin)
        return file->model || load_file(file, why);
    file->model = *made;
    *made = NULL;
    return describe_layers(file, why);
}

/* The graph that twins are made of borrows the float model's weights: those of a large network should be in memory once. */
bool model_group_open(model_set *set, int group, failure *why)
{
    const oct_model *float_model;
    oct_model *made;
    oct_graph *graph = NULL;
    bool ok = open_float(set, group, &float_model, &made, why);
    if (ok && float_model && oct_graph_from_model(float_model, &graph) != OCT_OK)
        ok = fail_library(why, set->files[0].name);
    for (int i = 0; i < set->file_count && ok; i++) {
        model_file *file = &set->files[i];
        if (file->group == group)
            ok = file->twin && file->twin->make ? make_twin(file, graph, float_model, why) : open_plain(file, &made, why);
    }
    oct_graph_free(graph);
    oct_model_free(made);
    return ok;
}

void model_group_close(model_set *set, int group)
{
    for (int i = 0; i < set->file_count; i++)
        if (set->files[i].group == group) {
            oct_model_free(set->files[i].model);
            set->files[i].model = NULL;
        }
}

/* ----------------------------------------------------------------------------------------------- words ---- */

/* One file for each scheme; without a list all that can be made. The group is the network's alone. */
static void add_network(model_set *set, const zoo_network *network, const bench_lists *lists, int group)
{
    const int count = lists->scheme_count ? lists->scheme_count : (int)twin_scheme_count();
    for (int i = 0; i < count; i++) {
        model_file *file = &set->files[set->file_count++];
        *file = (model_file){.network = network, .group = group, .baseline = -1};
        file->twin = lists->scheme_count ? lists->schemes[i] : twin_scheme_at((size_t)i);
        file->scheme = file->twin->name;
        snprintf(file->name, sizeof file->name, "%s", network->name);
        file->path = file->name;
    }
}

/* The file, and twins of it if it is a float model and schemes are given: then they are a group of their own. Loaded at once: a
 * broken one is told before anything is measured. */
static bool add_file(model_set *set, const char *path, const bench_lists *lists, int group, failure *why)
{
    model_file *file = &set->files[set->file_count++];
    *file = (model_file){.path = path, .group = group, .baseline = -1};
    bench_model_name(path, file->name, sizeof file->name);
    if (!load_file(file, why))
        return false;
    for (int i = 0; i < lists->scheme_count && !strcmp(file->scheme, "f32"); i++)
        if (lists->schemes[i]->make) {
            model_file *twin = &set->files[set->file_count++];
            *twin = (model_file){.path = path, .twin = lists->schemes[i], .group = group, .baseline = -1};
            twin->scheme = twin->twin->name;
            memcpy(twin->name, file->name, sizeof twin->name);
        }
    return true;
}

/* What a word of the command line names. What has a slash is a path. Files as they are are group 0. */
static bool add_word(model_set *set, const char *word, int index, const bench_lists *lists, failure *why)
{
    char names[512];
    const zoo_network *network = strchr(word, '/') ? NULL : zoo_find(word);
    if (network) {
        add_network(set, network, lists, index + 1);
        return true;
    }
    if (access(word, F_OK) != 0)
        return fail_with(why, "%s: there is no such file, and no such network (possible: %s)", word,
                         zoo_names(names, sizeof names));
    return add_file(set, word, lists, lists->scheme_count ? index + 1 : 0, why);
}

/* Twins take the same pictures, even if one of them takes them as bytes. */
static bool same_inputs(const oct_model *a, const oct_model *b)
{
    if (oct_model_input_count(a) != oct_model_input_count(b))
        return false;
    for (size_t i = 0; i < oct_model_input_count(a); i++) {
        oct_tensor_info x, y;
        if (oct_model_input(a, i, &x) != OCT_OK || oct_model_input(b, i, &y) != OCT_OK || x.elements != y.elements)
            return false;
    }
    return true;
}

/* The f32 model of the group nearest before `index` with the same inputs, so that files may be given as pairs; else the first such
 * after it. Models that are still to be made have the inputs of what they are made of. */
static int find_baseline(const model_set *set, int index)
{
    const model_file *file = &set->files[index];
    if (!strcmp(file->scheme, "f32"))
        return -1;
    for (int step = 1; step < set->file_count; step++) {
        const int i = step <= index ? index - step : step;
        const model_file *other = &set->files[i];
        if (other->group != file->group || strcmp(other->scheme, "f32") != 0)
            continue;
        if (file->twin || same_inputs(other->model, file->model))
            return i;
    }
    return -1;
}

/* -------------------------------------------------------------------------------------------- variants ---- */

/* The variant of `file` on the same ISA and with the same threads as v. There is one unless lists were given twice the same name;
 * then the first will do. */
static const model_variant *find_variant(const model_set *set, int file, const model_variant *v)
{
    for (int i = 0; i < set->variant_count; i++) {
        const model_variant *other = &set->variants[i];
        if (other->file == &set->files[file] && other->threads == v->threads && !strcmp(other->isa, v->isa))
            return other;
    }
    return NULL;
}

#define BATCH_BYTES   ((size_t)256 << 20) /* of weights: every session packs them once more */
#define BATCH_NETWORK 1000.0              /* million multiply-adds: larger networks have weights to match */

/* May all sessions of a group be open at once? */
static bool fits_one_batch(const model_set *set, int group, size_t sessions)
{
    size_t bytes = 0;
    for (int i = 0; i < set->file_count; i++) {
        const model_file *file = &set->files[i];
        if (file->group != group)
            continue;
        if (file->network && file->network->million_macs > BATCH_NETWORK)
            return sessions == 1;
        bytes += file->weight_bytes;
    }
    return bytes * sessions <= BATCH_BYTES;
}

/* Models are the innermost: those that are compared are visited one after the other. */
static void make_variants(model_set *set, int group, const bench_lists *lists)
{
    const bool together = fits_one_batch(set, group, (size_t)(lists->thread_count * lists->isa_count));
    for (int t = 0; t < lists->thread_count; t++)
        for (int i = 0; i < lists->isa_count; i++) {
            const int before = set->variant_count;
            for (int f = 0; f < set->file_count; f++)
                if (set->files[f].group == group)
                    set->variants[set->variant_count++] = (model_variant){.file = &set->files[f],
                                                                          .isa = lists->isas[i],
                                                                          .threads = lists->threads[t],
                                                                          .no_winograd = lists->no_winograd,
                                                                          .batch = set->batch_count};
            set->batch_count += !together && set->variant_count > before;
        }
    set->batch_count += together && set->variant_count > 0 && set->variants[set->variant_count - 1].batch == set->batch_count;
}

/* Also on failure the set can be closed. */
bool model_set_open(model_set *set, char *const *words, int count, const bench_lists *lists, failure *why)
{
    /* A word may stand for a model in each scheme. */
    const size_t files = (size_t)count * (1 + twin_scheme_count()),
                 variants = files * (size_t)lists->isa_count * (size_t)lists->thread_count;
    *set = (model_set){.files = calloc(files, sizeof *set->files), .variants = calloc(variants, sizeof *set->variants)};
    if (!set->files || !set->variants)
        return fail_with(why, "out of memory");
    for (int i = 0; i < count; i++)
        if (!add_word(set, words[i], i, lists, why))
            return false;
    for (int i = 0; i < set->file_count; i++)
        set->files[i].baseline = find_baseline(set, i);
    for (int group = 0; group <= count; group++)
        make_variants(set, group, lists);
    for (int i = 0; i < set->variant_count; i++) {
        model_variant *v = &set->variants[i];
        v->baseline = v->file->baseline < 0 ? NULL : find_variant(set, v->file->baseline, v);
    }
    return true;
}

void model_set_close(model_set *set)
{
    for (int i = 0; set->variants && i < set->variant_count; i++) {
        oct_session_free(set->variants[i].session);
        measure_free(&set->variants[i].result, 1);
        free(set->variants[i].layers);
    }
    for (int i = 0; set->files && i < set->file_count; i++) {
        oct_model_free(set->files[i].model);
        free(set->files[i].reference);
    }
    while (set->texts) {
        struct model_text *text = set->texts;
        set->texts = text->next;
        free(text);
    }
    free(set->variants);
    free(set->files);
    *set = (model_set){0};
}

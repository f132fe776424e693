/* twins.c - one row per scheme. */
#include "twins.h"

#include <stdlib.h>
#include <string.h>

#define CALIBRATION_SAMPLES 2 /* noise: one sample has nearly the range of the next */

/* Uniform in [-1, 1), as the weights of the zoo expect their input. */
static void fill_noise(float *x, size_t count, uint32_t *random)
{
    for (size_t i = 0; i < count; i++) {
        *random = *random * 1664525u + 1013904223u;
        x[i] = (float)(*random >> 8) * 0x1p-23f - 1.0f;
    }
}

/* One sample for all inputs, each in memory of its own. */
static bool add_sample(oct_calibration *calibration, const oct_model *model, uint32_t *random)
{
    const size_t count = oct_model_input_count(model);
    float **data = calloc(count + 1, sizeof *data);
    bool ok = data != NULL;
    for (size_t i = 0; i < count && ok; i++) {
        oct_tensor_info info;
        ok = oct_model_input(model, i, &info) == OCT_OK && (data[i] = malloc(info.elements * sizeof(float) + 1));
        if (ok)
            fill_noise(data[i], info.elements, random);
    }
    ok = ok && oct_calibration_add(calibration, (const void *const *)data) == OCT_OK;
    for (size_t i = 0; data && i < count; i++)
        free(data[i]);
    free(data);
    return ok;
}

static bool make_static(const oct_graph *graph, const oct_model *model, const char *where, oct_graph **twin, failure *why)
{
    oct_calibration *calibration = NULL;
    uint32_t random = 1;
    bool ok = oct_calibration_create(graph, NULL, &calibration) == OCT_OK || fail_library(why, where);
    for (int i = 0; i < CALIBRATION_SAMPLES && ok; i++)
        ok = add_sample(calibration, model, &random) || fail_library(why, where);
    ok = ok && (oct_quantize(graph, calibration, NULL, twin) == OCT_OK || fail_library(why, where));
    oct_calibration_free(calibration);
    return ok;
}

/* Ranges are found when the network runs: no samples are needed. */
static bool make_dynamic(const oct_graph *graph, const oct_model *model, const char *where, oct_graph **twin, failure *why)
{
    (void)model;
    return oct_quantize_dynamic(graph, twin) == OCT_OK || fail_library(why, where);
}

/* ----------------------------------------------------------------------------------------------- table ---- */

static const twin_scheme schemes[] = {
    {"f32", "f32", NULL},
    {"int8-static", "static", make_static},
    {"int8-dynamic", "dynamic", make_dynamic},
};

size_t twin_scheme_count(void) { return sizeof schemes / sizeof schemes[0]; }

const twin_scheme *twin_scheme_at(size_t index) { return &schemes[index]; }

const twin_scheme *twin_scheme_find(const char *name)
{
    for (size_t i = 0; i < twin_scheme_count(); i++)
        if (!strcmp(schemes[i].name, name))
            return &schemes[i];
    return NULL;
}

const char *twin_scheme_brief(const char *name)
{
    const twin_scheme *scheme = twin_scheme_find(name);
    return scheme ? scheme->brief : name;
}

/* model_session.c - a session ready to be timed, and whether what it answers is right.
 *
 * A fast wrong kernel is easily written. So the first run's outputs are compared before anything is timed: every variant with the
 * first variant of the same model (another ISA, other threads), and every quantized model with its float model.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model_bench.h"

/* Every input is filled with numbers of [-1, 1), the same in each run of the bench; bytes with all values. */
static bool set_inputs(const oct_model *model, oct_session *session)
{
    uint32_t state = 1;
    bool ok = true;
    for (size_t i = 0; i < oct_model_input_count(model) && ok; i++) {
        oct_tensor_info info;
        ok = oct_model_input(model, i, &info) == OCT_OK;
        unsigned char *data = ok ? calloc(info.bytes + 1, 1) : NULL;
        ok = data != NULL;
        for (size_t e = 0; ok && e < info.elements; e++) {
            state = state * 1664525u + 1013904223u;
            if (info.dtype == OCT_F32)
                ((float *)(void *)data)[e] = (float)(state >> 8) / 8388608.0f - 1.0f;
            else if (info.dtype == OCT_U8)
                data[e] = (unsigned char)(state >> 24);
        }
        ok = ok && oct_set_input(session, i, data, info.bytes) == OCT_OK;
        free(data);
    }
    return ok;
}

bool model_session_open(const model_variant *v, const affinity *cpus, int profile, oct_session **session, bool *tied, failure *why)
{
    const oct_options options = {.isa = v->isa, .threads = v->threads, .profile = profile, .no_winograd = v->no_winograd};
    /* The threads that appear while the session is created are the session's. */
    affinity_threads before;
    affinity_list_threads(&before);
    if (oct_session_create(v->file->model, &options, session) != OCT_OK)
        return fail_library(why, v->file->path);
    *tied = affinity_tie_new(cpus, &before);
    if (!set_inputs(v->file->model, *session))
        return fail_with(why, "%s: no memory for its inputs", v->file->path);
    return true;
}

/* --------------------------------------------------------------------------------------------- answers ---- */

/* All outputs one after the other, as real numbers; NULL if memory is short. */
static float *read_outputs(const model_variant *v, size_t *count)
{
    const oct_model *model = v->file->model;
    oct_tensor_info info;
    size_t total = 0, at = 0;
    for (size_t i = 0; i < oct_model_output_count(model); i++)
        total += oct_model_output(model, i, &info) == OCT_OK ? info.elements : 0;
    float *values = malloc((total + 1) * sizeof *values);
    for (size_t i = 0; values && i < oct_model_output_count(model); i++) {
        const void *data = oct_output_data(v->session, i);
        if (!data || oct_model_output(model, i, &info) != OCT_OK)
            continue;
        for (size_t e = 0; e < info.elements; e++, at++)
            values[at] = info.dtype == OCT_U8 ? info.scale * (float)(((const uint8_t *)data)[e] - info.zero_point)
                                              : info.dtype == OCT_F32 ? ((const float *)data)[e] : 0;
    }
    *count = at;
    return values;
}

/* The largest error on the scale of the reference's largest value; infinite where one side has a number and the other has none. */
static double largest_difference(const float *values, const float *reference, size_t count)
{
    double error = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        const double d = fabs((double)values[i] - (double)reference[i]);
        if (isnan(d) && !(isnan(values[i]) && isnan(reference[i])))
            return INFINITY;
        error = d > error ? d : error;
        size = fabs((double)reference[i]) > size ? fabs((double)reference[i]) : size;
    }
    return error > 0 ? error / size : 0;
}

static double signal_to_noise_db(const float *values, const float *reference, size_t count)
{
    double signal = 0, noise = 0;
    for (size_t i = 0; i < count; i++) {
        const double d = (double)values[i] - (double)reference[i];
        signal += (double)reference[i] * (double)reference[i];
        noise += d * d;
    }
    return noise > 0 ? 10 * log10(signal / noise) : INFINITY;
}

/* f32 rounds differently on each ISA. int8 is equal bit for bit, but float layers between may turn a byte by one step, and a
 * dynamic range by a little. */
static double tolerance(const char *scheme) { return !strcmp(scheme, "f32") ? 1e-3 : !strcmp(scheme, "int8-static") ? 0.02 : 0.05; }

bool model_check_answers(model_set *set, model_variant *v, failure *why)
{
    model_file *file = v->file;
    size_t count;
    float *values = read_outputs(v, &count);
    if (!values)
        return fail_with(why, "%s: no memory for its outputs", file->path);
    v->answers = (model_answers){.checked = true, .sqnr_db = NAN};
    if (file->reference && file->reference_count == count)
        v->answers.difference = largest_difference(values, file->reference, count);
    v->answers.wrong = v->answers.difference > tolerance(file->scheme);
    const model_file *other = file->baseline < 0 ? NULL : &set->files[file->baseline];
    if (other && other->reference && other->reference_count == count)
        v->answers.sqnr_db = signal_to_noise_db(values, other->reference, count);
    if (file->reference) {
        free(values);
    } else {
        file->reference = values;
        file->reference_count = count;
    }
    return true;
}

/* feed.c - joins files and model: sample i of every file goes to the input of the same number. */
#include "feed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One input's file; the first file decides how many samples there are. */
static bool open_input(feed *f, const oct_model *model, int index, const char *path, const data_transform *transform, failure *why)
{
    oct_tensor_info *info = &f->infos[index];
    if (oct_model_input(model, (size_t)index, info) != OCT_OK)
        return fail_library(why, NULL);
    if (info->dtype != OCT_F32 && info->dtype != OCT_U8)
        return fail_with(why, "input \"%s\" is %s; only f32 and u8 can be fed", info->name, oct_dtype_name(info->dtype));
    if (!data_open(path, info, transform, &f->files[index], why))
        return false;
    f->count = index + 1;   /* from here on feed_close knows of it */
    const int64_t samples = data_samples(f->files[index]);
    if (index == 0)
        f->samples = samples;
    return samples == f->samples || fail_with(why, "%s: %lld samples, but %s has %lld", path, (long long)samples,
                                              data_path(f->files[0]), (long long)f->samples);
}

bool feed_open(feed *f, const oct_model *model, const arg_texts *paths, const char *option, const data_transform *transform,
               failure *why)
{
    *f = (feed){0};
    const size_t inputs = oct_model_input_count(model);
    if (inputs != (size_t)paths->count)
        return fail_with(why, "the model has %zu input%s and %s was given %d times; one file for each input is needed", inputs,
                         inputs == 1 ? "" : "s", option, paths->count);
    /* One buffer serves all quantized inputs, as they are set one after the other. */
    size_t room = 0;
    for (int i = 0; i < paths->count; i++) {
        if (!open_input(f, model, i, paths->items[i], transform, why))
            return false;
        if (f->infos[i].dtype == OCT_U8 && f->infos[i].elements > room)
            room = f->infos[i].elements;
    }
    f->bytes = room ? malloc(room) : NULL;
    return room == 0 || f->bytes || fail_with(why, "out of memory");
}

void feed_close(feed *f)
{
    for (int i = 0; i < f->count; i++)
        data_close(f->files[i]);
    free(f->bytes);
    *f = (feed){0};
}

/* The pointers stay valid until the next sample is loaded: each file has its own buffer. */
bool feed_load(feed *f, int64_t index, failure *why)
{
    for (int i = 0; i < f->count; i++) {
        f->inputs[i] = data_sample(f->files[i], index, why);
        if (!f->inputs[i])
            return false;
    }
    return true;
}

/* q = clamp(rne(x / scale) + zero, 0, 255); a NaN becomes the zero point. */
static void quantize_input(const float *x, const oct_tensor_info *info, uint8_t *q)
{
    for (size_t e = 0; e < info->elements; e++) {
        /* |x / scale| beyond the int range is no trouble: the clamp works on the float. */
        const float r = rintf(x[e] / info->scale) + (float)info->zero_point;
        q[e] = r >= 255 ? 255 : r > 0 ? (uint8_t)r : isnan(r) ? (uint8_t)info->zero_point : 0;
    }
}

bool feed_run(feed *f, oct_session *session, int64_t index, failure *why)
{
    if (!feed_load(f, index, why))
        return false;
    for (int i = 0; i < f->count; i++) {
        const oct_tensor_info *info = &f->infos[i];
        const void *data = f->inputs[i];
        if (info->dtype == OCT_U8) {
            quantize_input(data, info, f->bytes);
            data = f->bytes;
        }
        if (oct_set_input(session, (size_t)i, data, info->bytes) != OCT_OK)
            return fail_library(why, NULL);
    }
    return oct_run(session) == OCT_OK || fail_library(why, NULL);
}

bool feed_output(const oct_session *session, const oct_tensor_info *info, size_t index, float *to, failure *why)
{
    const void *from = oct_output_data(session, index);
    if (!from)
        return fail_with(why, "the model has no output %zu", index);
    if (info->dtype == OCT_F32) {
        memcpy(to, from, info->bytes);
        return true;
    }
    if (info->dtype != OCT_U8)
        return fail_with(why, "output \"%s\" is %s; only f32 and u8 can be read", info->name, oct_dtype_name(info->dtype));
    /* real = scale * (q - zero); the difference lies in -255..255. */
    const uint8_t *q = from;
    for (size_t e = 0; e < info->elements; e++)
        to[e] = info->scale * (float)((int32_t)q[e] - info->zero_point);
    return true;
}

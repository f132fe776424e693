/* runner.c - model, data and session, opened and closed together; and what "one answer" is.
 *
 * A model with a batch of B takes B samples of the data at a time. Answers are counted and written singly, so that the
 * results do not depend on the batch that a model was imported with.
 */
#include "runner.h"

bool runner_open(runner *r, const runner_request *request, failure *why)
{
    *r = (runner){0};
    if (oct_model_load(request->model, &r->model) != OCT_OK)
        return fail_library(why, request->model);
    /* The data before the session: a wrong file should not wait for the packing of a large model. */
    if (!feed_open(&r->feed, r->model, request->data, request->data_option, request->transform, why))
        return false;
    const oct_options options = engine_session_options(request->engine);
    return oct_session_create(r->model, &options, &r->session) == OCT_OK || fail_library(why, request->model);
}

void runner_close(runner *r)
{
    feed_close(&r->feed);
    oct_session_free(r->session);
    oct_model_free(r->model);
    *r = (runner){0};
}

bool runner_output(const runner *r, size_t index, oct_tensor_info *info, failure *why)
{
    if (oct_model_output(r->model, index, info) != OCT_OK)
        return fail_with(why, "there is no output %zu, the model has %zu", index, oct_model_output_count(r->model));
    if (info->dtype != OCT_F32 && info->dtype != OCT_U8)
        return fail_with(why, "output \"%s\" is %s; only f32 and u8 can be read", info->name, oct_dtype_name(info->dtype));
    return true;
}

/* A batch is not marked as such in a model; what comes in N at a time and goes out N at a time is taken for one. */
bool runner_batched(const runner *r, const oct_tensor_info *output)
{
    const oct_shape *in = &r->feed.infos[0].shape, *out = &output->shape;
    return r->feed.count > 0 && in->rank > 0 && out->rank > 0 && in->dims[0] == out->dims[0];
}

int64_t runner_batch(const runner *r, const oct_tensor_info *output)
{
    return runner_batched(r, output) ? output->shape.dims[0] : 1;
}

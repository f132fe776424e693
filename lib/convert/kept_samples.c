#include "kept_samples.h"

#include <string.h>

#include "memory.h"
#include "status.h"

/* Every second of the kept ones goes. */
static void thin_out(oct_kept_samples *kept)
{
    for (int64_t i = 0; i < kept->count; i++)
        if (i % 2 == 0)
            kept->samples[i / 2] = kept->samples[i];
        else
            oct_free(kept->samples[i]);
    kept->count = (kept->count + 1) / 2;
    kept->every *= 2;
}

static int64_t most_samples(const oct_kept_samples *kept)
{
    return kept->bytes > 0 && OCT_KEPT_BYTES / kept->bytes > 1 ? (int64_t)(OCT_KEPT_BYTES / kept->bytes) : 1;
}

static oct_status make_room(oct_kept_samples *kept)
{
    if (kept->count < kept->room)
        return OCT_OK;
    const int64_t room = kept->room ? 2 * kept->room : 16;
    uint8_t **samples = oct_grow(kept->samples, (size_t)kept->room, (size_t)room, sizeof *samples);
    if (!samples)
        return oct_fail_memory((size_t)room * sizeof *samples);
    kept->samples = samples;
    kept->room = room;
    return OCT_OK;
}

oct_status oct_kept_offer(oct_kept_samples *kept, int64_t index, const void *const *inputs, const size_t *sizes,
                          size_t inputs_count)
{
    if (kept->every == 0)
        kept->every = 1;
    while (kept->count >= most_samples(kept) && kept->count * kept->every == index && kept->count > 1)
        thin_out(kept);
    if (kept->count * kept->every != index || (kept->count >= most_samples(kept)))
        return OCT_OK;
    OCT_TRY(make_room(kept));
    uint8_t *copy = oct_alloc(kept->bytes, 1);
    if (!copy)
        return oct_fail_memory(kept->bytes);
    size_t at = 0;
    for (size_t i = 0; i < inputs_count; i++) {
        memcpy(copy + at, inputs[i], sizes[i]);
        at += sizes[i];
    }
    kept->samples[kept->count++] = copy;
    return OCT_OK;
}

void oct_kept_release(oct_kept_samples *kept)
{
    for (int64_t i = 0; i < kept->count; i++)
        oct_free(kept->samples[i]);
    oct_free(kept->samples);
    *kept = (oct_kept_samples){0};
}

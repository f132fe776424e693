/* kept_samples.h - some of the samples that calibration has seen, for steps that need to run them again: all of them while they
 * are few, every second, fourth, ... when they have become too many for the room. Which ones depends on their number only. */
#ifndef OCT_KEPT_SAMPLES_H
#define OCT_KEPT_SAMPLES_H

#include <stddef.h>
#include <stdint.h>
#include "octet.h"

/* Bytes of samples that are kept; one sample is kept however large it is. */
#define OCT_KEPT_BYTES ((size_t)16 << 20)

typedef struct oct_kept_samples {
    size_t bytes;        /* of one sample: all its inputs, one after the other */
    int64_t every, count, room;
    uint8_t **samples;   /* the count-th kept one is sample count * every */
} oct_kept_samples;

/* Offers sample number `index` (0, 1, 2, ...): inputs[i] has sizes[i] bytes. */
oct_status oct_kept_offer(oct_kept_samples *kept, int64_t index, const void *const *inputs, const size_t *sizes,
                          size_t inputs_count);
void oct_kept_release(oct_kept_samples *kept);

#endif

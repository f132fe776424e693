/* feed.h - whole samples through a session: one data file per model input, answers as floats. */
#ifndef TOOLS_FEED_H
#define TOOLS_FEED_H

#include "data.h"

/* The open files of all inputs of one model. Used by one thread, like the session it feeds. */
typedef struct feed {
    int count;                               /* inputs of the model */
    int64_t samples;                         /* the same in every file */
    data_file *files[ARG_MAX_TEXTS];
    oct_tensor_info infos[ARG_MAX_TEXTS];
    const void *inputs[ARG_MAX_TEXTS];       /* the loaded sample: infos[i].elements floats each */
    uint8_t *bytes;                          /* room for a quantized input */
} feed;

/* Opens paths->items[i] for input i of the model; there must be one per input. `option` is what the command calls them ("--input").
 * feed_close is to be called in any case. */
bool feed_open(feed *f, const oct_model *model, const arg_texts *paths, const char *option, const data_transform *transform,
               failure *why);
void feed_close(feed *f);

/* Reads sample `index` of every file into f->inputs. */
bool feed_load(feed *f, int64_t index, failure *why);

/* feed_load, oct_set_input for every input (quantized where the input is u8) and oct_run. */
bool feed_run(feed *f, oct_session *session, int64_t index, failure *why);

/* Output `index` as floats (dequantized where it is u8); `to` has room for info->elements. */
bool feed_output(const oct_session *session, const oct_tensor_info *info, size_t index, float *to, failure *why);

#endif

/* runner.h - what `octet run` and `octet eval` have in common: a model, a session, the samples of its inputs. */
#ifndef TOOLS_RUNNER_H
#define TOOLS_RUNNER_H

#include "engine.h"
#include "feed.h"

/* What a command line asks for. */
typedef struct runner_request {
    const char *model;
    const arg_texts *data;            /* one file per input */
    const char *data_option;          /* what the command calls them: "--input" */
    const data_transform *transform;
    const engine_options *engine;
} runner_request;

typedef struct runner {
    oct_model *model;
    oct_session *session;
    feed feed;
} runner;

/* runner_close is to be called in any case. */
bool runner_open(runner *r, const runner_request *request, failure *why);
void runner_close(runner *r);

/* Describes an output that can be read as floats. */
bool runner_output(const runner *r, size_t index, oct_tensor_info *info, failure *why);

/* Is the first dimension of this output the batch, that is, that of the model's first input? */
bool runner_batched(const runner *r, const oct_tensor_info *output);

/* How many answers one run gives in this output: the batch, or 1. */
int64_t runner_batch(const runner *r, const oct_tensor_info *output);

#endif

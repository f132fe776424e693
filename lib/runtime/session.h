/* session.h - what the converting side may ask of a session beyond octet.h. */
#ifndef OCT_SESSION_H
#define OCT_SESSION_H

#include "octet.h"

/* Called with the number of a value of the model's graph (model.h) and its elements, which are valid during the call only. */
typedef void oct_observe_fn(void *arg, int value, const void *data);

/* oct_run that shows every value: the graph inputs at the start, then each node's output right after its step. observe may be
 * NULL. */
oct_status oct_run_observed(oct_session *session, oct_observe_fn *observe, void *arg);

#endif

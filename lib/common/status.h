/* status.h - how a failure travels: a status is returned, a sentence waits in oct_error(). */
#ifndef OCT_STATUS_H
#define OCT_STATUS_H

#include "octet.h"

/* Sets the calling thread's sentence and returns `status`, so that callers write: return oct_fail(OCT_ERR_FORMAT, ...). */
oct_status oct_fail(oct_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the sentence of a failure that is on its way up, and returns `status` unchanged. */
oct_status oct_fail_in(oct_status status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The one sentence for every allocation that failed. */
oct_status oct_fail_memory(size_t bytes);

/* Passes a failure on to the caller. */
#define OCT_TRY(call)                       \
    do {                                    \
        const oct_status try_status = (call); \
        if (try_status != OCT_OK)           \
            return try_status;              \
    } while (0)

#endif

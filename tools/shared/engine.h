/* engine.h - the options --isa, --threads and --no-winograd, alike in all commands. */
#ifndef TOOLS_ENGINE_H
#define TOOLS_ENGINE_H

#include "args.h"
#include "failure.h"
#include "octet.h"

/* As given on the command line; turned into oct_options once engine_check has passed them. */
typedef struct engine_options {
    const char *isa;    /* NULL: the best */
    int64_t threads;    /* 0: one per CPU */
    bool no_winograd;
} engine_options;

#define ENGINE_OPTION_ROWS 4
void engine_option_rows(engine_options *o, arg_option rows[ENGINE_OPTION_ROWS]);

/* False, with the ISAs that are available in the sentence, if the named one is unknown or cannot run here. */
bool engine_check(const engine_options *o, failure *why);

oct_options engine_session_options(const engine_options *o);

#endif

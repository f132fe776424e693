/* engine.c - which kernels and how many threads: the same options for every command that makes a session. */
#include "engine.h"

#include <stdio.h>
#include <string.h>

void engine_option_rows(engine_options *o, arg_option rows[ENGINE_OPTION_ROWS])
{
    *o = (engine_options){0};
    rows[0] = (arg_option){"--isa", .kind = ARG_TEXT, .to = &o->isa, .value = "NAME",
                           .help = "instruction set, as `octet isa` lists them (default: the best)"};
    rows[1] = (arg_option){"--threads", .kind = ARG_INTEGER, .to = &o->threads, .value = "N", .min = 1, .max = OCT_MAX_THREADS,
                           .help = "threads (default: one per CPU that may be used)"};
    rows[2] = (arg_option){"--no-winograd", .kind = ARG_FLAG, .to = &o->no_winograd,
                           .help = "3x3 convolutions directly, even where Winograd's way is faster"};
    rows[3] = (arg_option){0};
}

/* "avx512vnni, avx2, scalar" */
static void list_available(char *text, size_t size)
{
    size_t length = 0;
    text[0] = '\0';
    /* The strongest first: that is the one most likely wanted. */
    for (size_t i = oct_isa_count(); i-- > 0;) {
        oct_isa_info info;
        if (oct_isa(i, &info) == OCT_OK && info.available && length < size)
            length += (size_t)snprintf(text + length, size - length, "%s%s", length ? ", " : "", info.name);
    }
}

/* Before any file is opened, so that a mistyped name is a matter of usage and not of the model. */
bool engine_check(const engine_options *o, failure *why)
{
    if (!o->isa)
        return true;
    char available[256];
    list_available(available, sizeof available);
    for (size_t i = 0; i < oct_isa_count(); i++) {
        oct_isa_info info;
        if (oct_isa(i, &info) != OCT_OK || strcmp(info.name, o->isa) != 0)
            continue;
        if (info.available)
            return true;
        return fail_with(why, "%s %s; available: %s", o->isa,
                         info.compiled ? "cannot run on this machine" : "is not part of this build", available);
    }
    return fail_with(why, "unknown ISA \"%s\"; available: %s", o->isa, available);
}

oct_options engine_session_options(const engine_options *o)
{
    return (oct_options){.isa = o->isa, .threads = (int)o->threads, .no_winograd = o->no_winograd};
}

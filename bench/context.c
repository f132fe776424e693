/* context.c - lists in options, and the machine with its peaks. */
#include "bench.h"

#include <stdlib.h>
#include <string.h>

#include "octet.h"

/* ----------------------------------------------------------------------------------------------- lists ---- */

/* Copies the list's next word to `word` and returns what follows it; NULL at the end. */
static const char *next_word(const char *text, char *word, size_t size)
{
    if (!text || !*text)
        return NULL;
    const size_t length = strcspn(text, ",");
    snprintf(word, size, "%.*s", (int)length, text);
    return text + length + (text[length] == ',');
}

/* Appends those that are available and called `word` ("all": every one; NULL: the default). */
static int append_isas(const char *word, bench_lists *lists)
{
    int found = 0; /* the caller turns "none" into an error */
    for (size_t i = 0; i < oct_isa_count(); i++) {
        oct_isa_info info;
        if (oct_isa(i, &info) != OCT_OK || !info.available || lists->isa_count == BENCH_MAX_ISAS)
            continue;
        if (word ? strcmp(word, "all") && strcmp(word, info.name) : !info.is_default)
            continue;
        lists->isas[lists->isa_count++] = info.name;
        found++;
    }
    return found;
}

/* Only ISAs that can run here are taken: an ISA that is known but missing is as wrong as an unknown one. */
arg_result bench_parse_isas(const arg_spec *spec, const char *text, bench_lists *lists)
{
    char word[32];
    lists->isa_count = 0;
    if (!text || !*text) {
        append_isas(NULL, lists);
        return ARGS_OK;
    }
    while ((text = next_word(text, word, sizeof word)))
        if (append_isas(word, lists) == 0)
            return args_bad(spec, "--isa %s: this machine or this build does not have it (octet-bench peak lists those there are)",
                            word);
    return ARGS_OK;
}

/* More threads than CPUs are allowed; the tables then say that they were not tied. */
arg_result bench_parse_threads(const arg_spec *spec, const char *text, bench_lists *lists)
{
    char word[32];
    lists->thread_count = 0;
    if (!text)
        text = "1";
    while ((text = next_word(text, word, sizeof word))) {
        char *end;
        const long threads = strtol(word, &end, 10);
        if (end == word || *end || threads < 1 || threads > OCT_MAX_THREADS)
            return args_bad(spec, "--threads wants numbers of 1..%d with commas between them, not \"%s\"", OCT_MAX_THREADS, word);
        if (lists->thread_count == BENCH_MAX_THREADS)
            return args_bad(spec, "--threads takes at most %d numbers", BENCH_MAX_THREADS);
        lists->threads[lists->thread_count++] = (int)threads;
    }
    return lists->thread_count ? ARGS_OK : args_bad(spec, "--threads wants at least one number");
}

/* --------------------------------------------------------------------------------------------- context ---- */

/* The team lives only as long as it measures: its members spin while they wait. */
const peaks *bench_peaks(bench_context *context, int threads, failure *why)
{
    for (int i = 0; i < context->count; i++)
        if (context->peaks[i].threads == threads)
            return &context->peaks[i];
    /* One place more than a list can have: that of one thread, which is always measured. */
    team *t = context->count <= BENCH_MAX_THREADS ? team_create(&context->machine.cpus, threads) : NULL;
    peaks *p = &context->peaks[context->count];
    const bool ok = t && peak_measure(&context->machine, t, p);
    team_free(t);
    if (!ok) {
        fail_with(why, "no memory or no threads to measure the peaks of %d threads", threads);
        return NULL;
    }
    context->count++;
    return p;
}

/* The thread is tied before anything is measured, and threads that are started later inherit that until they are tied elsewhere. */
bool bench_open(bench_context *context, failure *why)
{
    memset(context, 0, sizeof *context);
    machine_read(&context->machine);
    affinity_tie_self(context->machine.cpus.cpus[0]);
    return bench_peaks(context, 1, why) != NULL;
}

/* "models/kws.int8.oct" -> "kws.int8" */
void bench_model_name(const char *path, char *name, size_t size)
{
    const char *slash = strrchr(path, '/');
    snprintf(name, size, "%s", slash ? slash + 1 : path);
    const size_t length = strlen(name);
    if (length > 4 && !strcmp(name + length - 4, ".oct"))
        name[length - 4] = '\0';
}

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

/* "scalar, avx2, ...": those that can run here. */
static void list_isas(char *text, size_t size)
{
    size_t used = 0;
    for (size_t i = 0; i < oct_isa_count() && used < size; i++) {
        oct_isa_info info;
        if (oct_isa(i, &info) == OCT_OK && info.available)
            used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", info.name);
    }
}

/* Only ISAs that can run here are taken: an ISA that is known but missing is as wrong as an unknown one. */
arg_result bench_parse_isas(const arg_spec *spec, const char *text, bench_lists *lists)
{
    char word[32], names[160];
    lists->isa_count = 0;
    if (!text || !*text) {
        append_isas(NULL, lists);
        return ARGS_OK;
    }
    while ((text = next_word(text, word, sizeof word)))
        if (append_isas(word, lists) == 0) {
            list_isas(names, sizeof names);
            return args_bad(spec, "--isa %s: this machine or this build does not have it (possible: %s, all)", word, names);
        }
    return ARGS_OK;
}

arg_result bench_parse_isa(const arg_spec *spec, const char *text, bench_lists *lists)
{
    char names[160];
    const arg_result parsed = bench_parse_isas(spec, text, lists);
    if (parsed != ARGS_OK || lists->isa_count == 1)
        return parsed;
    list_isas(names, sizeof names);
    return args_bad(spec, "--isa %s: one name is wanted (possible: %s)", text, names);
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
            return args_bad(spec, "--threads %s: not possible (possible: numbers of 1..%d with commas between them)", word,
                            OCT_MAX_THREADS);
        if (lists->thread_count == BENCH_MAX_THREADS)
            return args_bad(spec, "--threads takes at most %d numbers", BENCH_MAX_THREADS);
        lists->threads[lists->thread_count++] = (int)threads;
    }
    return lists->thread_count ? ARGS_OK : args_bad(spec, "--threads wants at least one number");
}

/* "f32, int8-static" */
static arg_result bad_scheme(const arg_spec *spec, const char *word)
{
    char names[160] = "";
    size_t used = 0;
    for (size_t i = 0; i < twin_scheme_count() && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s, ", twin_scheme_at(i)->name);
    return args_bad(spec, "--scheme %s: this build cannot make it (possible: %sall)", word, names);
}

static bool has_scheme(const bench_lists *lists, const twin_scheme *scheme)
{
    for (int i = 0; i < lists->scheme_count; i++)
        if (lists->schemes[i] == scheme)
            return true;
    return false;
}

/* A scheme that is named twice is measured once. */
arg_result bench_parse_schemes(const arg_spec *spec, const char *text, bench_lists *lists)
{
    char word[32];
    lists->scheme_count = 0;
    while ((text = next_word(text, word, sizeof word))) {
        const int before = lists->scheme_count;
        for (size_t i = 0; i < twin_scheme_count() && lists->scheme_count < BENCH_MAX_SCHEMES; i++)
            if ((!strcmp(word, "all") || twin_scheme_find(word) == twin_scheme_at(i)) && !has_scheme(lists, twin_scheme_at(i)))
                lists->schemes[lists->scheme_count++] = twin_scheme_at(i);
        if (lists->scheme_count == before && strcmp(word, "all") && !twin_scheme_find(word))
            return bad_scheme(spec, word);
    }
    return ARGS_OK;
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

static double larger(double a, double b) { return a > b ? a : b; }

bool bench_peaks_again(bench_context *context, failure *why)
{
    for (int i = 0; i < context->count; i++) {
        peaks *old = &context->peaks[i], now;
        team *t = team_create(&context->machine.cpus, old->threads);
        const bool ok = t && peak_measure(&context->machine, t, &now);
        team_free(t);
        if (!ok)
            return fail_with(why, "no memory or no threads to measure the peaks of %d threads", old->threads);
        for (int k = 0; k < old->isa_count; k++) {
            old->isas[k].f32 = larger(old->isas[k].f32, now.isas[k].f32);
            old->isas[k].u8s8 = larger(old->isas[k].u8s8, now.isas[k].u8s8);
        }
        for (int level = 0; level < PEAK_LEVELS; level++)
            old->bandwidth[level] = larger(old->bandwidth[level], now.bandwidth[level]);
    }
    return true;
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

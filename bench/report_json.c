/* report_json.c - the frame of every JSON file of the bench: version, schema, machine. docs/BENCHMARKING.md lists the names that
 * stay. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "octet.h"

#define SCHEMA 1

/* In units of 10^9: GFLOP/s, GOP/s, GB/s. */
static void write_peaks(json *j, const peaks *p)
{
    json_object(j, "peaks");
    for (int i = 0; i < p->isa_count; i++) {
        json_object(j, p->isas[i].isa);
        json_number(j, "f32_gflops", 1e-9 * p->isas[i].f32);
        json_number(j, "u8s8_gops", 1e-9 * p->isas[i].u8s8);
        json_close(j);
    }
    json_close(j);
    json_object(j, "bandwidth_gbs");
    for (int level = 0; level < PEAK_LEVELS; level++)
        json_number(j, peak_level_name((peak_level)level), 1e-9 * p->bandwidth[level]);
    json_close(j);
}

/* All that this machine can run, not only those measured in this run. */
static void write_isas(json *j)
{
    const char *names[PEAK_MAX_ISAS];
    int count = 0;
    for (size_t i = 0; i < oct_isa_count() && count < PEAK_MAX_ISAS; i++) {
        oct_isa_info info;
        if (oct_isa(i, &info) == OCT_OK && info.available)
            names[count++] = info.name;
    }
    json_texts(j, "isas", names, count);
}

/* "peaks" and "bandwidth_gbs" are those of one thread; those of more threads follow as "parallel". */
static void write_machine(json *j, const bench_context *context)
{
    json_object(j, "machine");
    json_text(j, "cpu", context->machine.cpu);
    json_integer(j, "cores", context->machine.cpus.count);
    json_object(j, "cache_bytes");
    for (int level = 0; level < 3; level++)
        json_integer(j, peak_level_name((peak_level)level), (int64_t)context->machine.cache[level]);
    json_close(j);
    write_isas(j);
    write_peaks(j, &context->peaks[0]);
    json_array(j, "parallel");
    for (int i = 1; i < context->count; i++) {
        json_object(j, NULL);
        json_integer(j, "threads", context->peaks[i].threads);
        write_peaks(j, &context->peaks[i]);
        json_close(j);
    }
    json_close(j);
    json_close(j);
}

bool bench_json_begin(json *j, const char *path, const bench_context *context, failure *why)
{
    FILE *to = strcmp(path, "-") ? fopen(path, "w") : stdout;
    if (!to)
        return fail_with(why, "%s: cannot be written: %s", path, strerror(errno));
    json_begin(j, to);
    json_object(j, NULL);
    json_text(j, "octet", oct_version());
    json_integer(j, "schema", SCHEMA);
    write_machine(j, context);
    return true;
}

/* A full disk shows at the latest when the file is closed. */
bool bench_json_end(json *j, const char *path, failure *why)
{
    bool ok = json_end(j);
    if (j->to != stdout)
        ok = fclose(j->to) == 0 && ok;
    return ok || fail_with(why, "%s: could not be written to its end", path);
}

/* record.c - the frame of every JSON file of the bench (version, schema, machine), and the way into files. docs/BENCHMARKING.md
 * lists the names that stay. */
#define _POSIX_C_SOURCE 200809L /* open_memstream, gmtime_r */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "csv.h"
#include "json_read.h"
#include "octet.h"
#include "output.h"
#include "run_file.h"

#define SCHEMA RUN_SCHEMA

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

/* ----------------------------------------------------------------------------------------------- begin ---- */

/* What the Makefile compiled the library's kernels and the rest with. */
#ifndef BENCH_FLAGS
#define BENCH_FLAGS "unknown"
#endif

static char command_line[512];

void bench_note_command(int argc, char **argv)
{
    size_t used = 0;
    for (int i = 0; i < argc && used < sizeof command_line; i++) {
        const char *slash = i ? NULL : strrchr(argv[i], '/'); /* not where the program lies */
        used +=
            (size_t)snprintf(command_line + used, sizeof command_line - used, "%s%s", i ? " " : "", slash ? slash + 1 : argv[i]);
    }
}

/* Universal time, to the second. */
static void write_date(json *j)
{
    const time_t now = time(NULL);
    struct tm parts;
    char text[32] = "";
    if (gmtime_r(&now, &parts))
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
    json_text(j, "date", text);
}

bool bench_record_begin(bench_record *record, const bench_context *context, failure *why)
{
    *record = (bench_record){.text = NULL};
    FILE *memory = open_memstream(&record->text, &record->size);
    if (!memory)
        return fail_with(why, "no memory for the results");
    json *j = &record->j;
    json_begin(j, memory);
    json_object(j, NULL);
    json_text(j, "octet", oct_version());
    json_integer(j, "schema", SCHEMA);
    json_text(j, "engine", "octet");
    write_date(j);
    json_text(j, "command", command_line);
    json_text(j, "compiler", __VERSION__);
    json_text(j, "flags", BENCH_FLAGS);
    if (context)
        write_machine(j, context);
    return true;
}

void bench_json_noise(json *j, const measure_info *info)
{
    json_object(j, "noise");
    json_bool(j, "quiet", !info->trouble[0]);
    json_text(j, "trouble", info->trouble);
    json_integer(j, "rounds", info->rounds);
    json_integer(j, "disturbed", info->disturbed);
    json_integer(j, "kept_disturbed", info->kept_disturbed);
    json_integer(j, "repeated", info->repeated);
    json_integer(j, "outliers", info->outliers);
    json_number(j, "drift", info->drift);
    json_number(j, "other_cpus", info->others);
    json_number(j, "stolen_cpus", info->stolen);
    json_number(j, "seconds", info->seconds);
    json_close(j);
}

/* ------------------------------------------------------------------------------------------------- end ---- */

static bool is_stdout(const char *path)
{
    return path[0] == '-' && path[1] == '\0';
}

void bench_output_rows(bench_output *o, arg_option rows[BENCH_OUTPUT_ROWS])
{
    rows[0] = (arg_option){"--json", .kind = ARG_TEXT, .to = &o->json_path, .value = "FILE",
                           .help = "write all figures as JSON, too; - to the standard output instead of the text"};
    rows[1] = (arg_option){"--csv", .kind = ARG_TEXT, .to = &o->csv_path, .value = "FILE",
                           .help = "write the main table as comma-separated values; - as above"};
    rows[2] = (arg_option){0};
}

/* A file that is there keeps its content until the run is over; one that is made by the test does not stay. */
static bool is_writable(const char *path)
{
    if (is_stdout(path))
        return true;
    const bool there = access(path, F_OK) == 0;
    const int file = open(path, O_WRONLY | O_CREAT, 0666);
    if (file < 0)
        return false;
    close(file);
    if (!there)
        unlink(path);
    return true;
}

arg_result bench_output_possible(const arg_spec *spec, const char *option, const char *path, char *const *words, int count)
{
    failure why;
    if (!is_writable(path))
        return args_bad(spec, "%s %s: cannot be written: %s (possible: a file in a folder of yours, or -)", option, path,
                        strerror(errno));
    return output_spares(path, (const char *const *)words, count, &why) ? ARGS_OK : args_bad(spec, "%s", why.text);
}

arg_result bench_output_check(const arg_spec *spec, const bench_output *o, char *const *words, int count)
{
    arg_result result = ARGS_OK;
    if (o->json_path && o->csv_path && is_stdout(o->json_path) && is_stdout(o->csv_path))
        return args_bad(spec, "--json - and --csv - cannot both have the standard output");
    if (o->json_path)
        result = bench_output_possible(spec, "--json", o->json_path, words, count);
    if (result == ARGS_OK && o->csv_path)
        result = bench_output_possible(spec, "--csv", o->csv_path, words, count);
    return result;
}

bool bench_output_text(const bench_output *o)
{
    return !(o->json_path && is_stdout(o->json_path)) && !(o->csv_path && is_stdout(o->csv_path));
}

static bool write_file(const bench_record *record, const json_value *run, const char *path, const char *rows, failure *why)
{
    output_file file;
    if (!output_open(&file, path, why))
        return false;
    if (run)
        csv_write(run, rows, file.to);
    else
        fwrite(record->text, 1, record->size, file.to);
    return output_close(&file, why);
}

bool bench_record_end(bench_record *record, const bench_output *o, const char *rows, failure *why)
{
    json_doc *doc = NULL;
    bool ok = json_end(&record->j);
    ok = fclose(record->j.to) == 0 && ok;
    ok = ok || fail_with(why, "no memory for the results");
    if (ok && o->json_path)
        ok = write_file(record, NULL, o->json_path, NULL, why);
    if (ok && o->csv_path)
        ok = json_parse(record->text, record->size, "results", &doc, why) &&
             write_file(record, json_root(doc), o->csv_path, rows, why);
    json_free(doc);
    free(record->text);
    return ok;
}

/* bench_compare.c - `octet-bench compare OLD.json NEW.json`: what has become slower, beyond chance?
 *
 * Both runs give each time with a 95 % interval. The ratio new / old then lies between new's low / old's high and new's high /
 * old's low: a cautious interval, since both ends would have to be wrong together. Something counts as slower by more than P
 * percent only if that whole interval does.
 */
#include <string.h>

#include "bench.h"
#include "run_file.h"
#include "table.h"

/* A thing that both runs measured. */
typedef struct change {
    char name[96];
    double before, after; /* in `unit` */
    const char *unit;
    stats_interval ratio; /* after / before */
} change;

#define MAX_CHANGES 2048

typedef struct comparison_run {
    change changes[MAX_CHANGES];
    int count, slower, faster, beyond; /* beyond: slower by more than is allowed */
    int only_before, only_after;
} comparison_run;

/* ------------------------------------------------------------------------------------------- comparing ---- */

/* Older files have no interval of the median: p5 and p95 are wider. */
static void read_interval(const json_value *entry, const char *unit, stats_interval *t)
{
    char key[3][16];
    static const char *const stems[2][2] = {{"lo", "hi"}, {"p5", "p95"}};
    snprintf(key[0], sizeof key[0], "median_%s", unit);
    t->median = json_number_of(entry, key[0], 0);
    t->lo = t->hi = 0;
    for (int i = 0; i < 2 && !(t->lo > 0 && t->hi > 0); i++) {
        snprintf(key[1], sizeof key[1], "%s_%s", stems[i][0], unit);
        snprintf(key[2], sizeof key[2], "%s_%s", stems[i][1], unit);
        t->lo = json_number_of(entry, key[1], 0);
        t->hi = json_number_of(entry, key[2], 0);
    }
}

static void add_change(comparison_run *c, const char *name, const json_value *before, const json_value *after, const char *unit,
                       double limit)
{
    stats_interval old, new;
    read_interval(before, unit, &old);
    read_interval(after, unit, &new);
    if (c->count == MAX_CHANGES || !(old.lo > 0 && new.lo > 0 && old.median > 0))
        return;
    change *ch = &c->changes[c->count++];
    *ch = (change){.before = old.median, .after = new.median, .unit = unit};
    ch->ratio = (stats_interval){new.median / old.median, new.lo / old.hi, new.hi / old.lo};
    snprintf(ch->name, sizeof ch->name, "%s", name);
    c->slower += ch->ratio.lo > 1;
    c->faster += ch->ratio.hi < 1;
    c->beyond += ch->ratio.lo > 1 + limit;
}

static bool same_member(const json_value *a, const json_value *b, const char *key)
{
    return !strcmp(json_text_of(a, key, ""), json_text_of(b, key, ""));
}

/* The entry of the other run that means the same: all these members are equal, and the number of threads. */
static const json_value *find_twin(const json_value *array, const json_value *entry, const char *const *keys)
{
    for (const json_value *other = json_first(array); other; other = other->next) {
        bool same = (int)json_number_of(entry, "threads", 1) == (int)json_number_of(other, "threads", 1);
        for (const char *const *key = keys; *key && same; key++)
            same = same_member(entry, other, *key);
        if (same)
            return other;
    }
    return NULL;
}

/* One of the arrays "models" and "kernels". */
static void compare_array(comparison_run *c, const run_file runs[2], const char *name, const char *const *keys, const char *unit,
                          double limit)
{
    const json_value *before = json_get(runs[0].root, name), *after = json_get(runs[1].root, name);
    for (const json_value *entry = json_first(before); entry; entry = entry->next) {
        const json_value *twin = find_twin(after, entry, keys);
        char text[96];
        size_t used = 0;
        for (const char *const *key = keys; *key && used < sizeof text; key++)
            if (*json_text_of(entry, *key, ""))
                used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", used ? " " : "", json_text_of(entry, *key, ""));
        if (used < sizeof text)
            snprintf(text + used, sizeof text - used, " x%d", (int)json_number_of(entry, "threads", 1));
        if (twin)
            add_change(c, text, entry, twin, unit, limit);
        c->only_before += !twin;
    }
    for (const json_value *entry = json_first(after); entry; entry = entry->next)
        c->only_after += find_twin(before, entry, keys) == NULL;
}

/* -------------------------------------------------------------------------------------------- reporting ---- */

static void print(const comparison_run *c, const run_file runs[2], double limit, FILE *to)
{
    static const table_column columns[] = {{"what", TABLE_SHRINK}, {"old", TABLE_RIGHT},     {"new", TABLE_RIGHT},
                                           {"", TABLE_LEFT},       {"new/old", TABLE_RIGHT}, {"at least .. at most", TABLE_RIGHT},
                                           {"", TABLE_LEFT}};
    table *t = table_create(columns, 7);
    for (int i = 0; i < c->count; i++) {
        const change *ch = &c->changes[i];
        table_cell(t, "%s", ch->name);
        table_cell(t, "%.4g", ch->before);
        table_cell(t, "%.4g", ch->after);
        table_cell(t, "%s", ch->unit);
        table_cell(t, "%.3f", ch->ratio.median);
        table_cell(t, "%.3f .. %.3f", ch->ratio.lo, ch->ratio.hi);
        table_cell(t, "%s", ch->ratio.lo > 1 + limit ? "SLOWER" : ch->ratio.lo > 1 ? "slower" : ch->ratio.hi < 1 ? "faster" : "");
        table_paint(t, ch->ratio.lo > 1 ? TABLE_BAD : ch->ratio.hi < 1 ? TABLE_GOOD : TABLE_PLAIN);
    }
    for (int i = 0; i < 2; i++) {
        fprintf(to, "%s: %s, octet %s, %s, %s\n", i ? "new" : "old", runs[i].path, json_text_of(runs[i].root, "octet", "?"),
                run_file_cpu(&runs[i]), json_text_of(runs[i].root, "date", "no date"));
        if (*run_file_trouble(&runs[i]))
            fprintf(to, "%s     NOT QUIET: %s%s\n", table_color(to, TABLE_WARN), run_file_trouble(&runs[i]),
                    table_color(to, TABLE_PLAIN));
    }
    if (strcmp(run_file_cpu(&runs[0]), run_file_cpu(&runs[1])) != 0)
        fprintf(to, "%sThe machines differ: this says nothing about the program.%s\n", table_color(to, TABLE_WARN),
                table_color(to, TABLE_PLAIN));
    fprintf(to, "\n");
    table_print(t, to);
    table_free(t);
    fprintf(to, "\n%d compared: %d faster, %d slower, %d of them by more than %g %%", c->count, c->faster, c->slower, c->beyond,
            100 * limit);
    if (c->only_before || c->only_after)
        fprintf(to, "; %d only in the old run, %d only in the new one", c->only_before, c->only_after);
    fprintf(to, "\n");
}

static bool write(const comparison_run *c, double limit, const bench_output *output, failure *why)
{
    bench_record record;
    if (!bench_record_begin(&record, NULL, why))
        return false;
    json *j = &record.j;
    json_number(j, "fail_above_percent", 100 * limit);
    json_integer(j, "beyond", c->beyond);
    json_array(j, "changes");
    for (int i = 0; i < c->count; i++) {
        json_object_line(j, NULL);
        json_text(j, "name", c->changes[i].name);
        json_text(j, "unit", c->changes[i].unit);
        json_number(j, "old", c->changes[i].before);
        json_number(j, "new", c->changes[i].after);
        json_number(j, "ratio", c->changes[i].ratio.median);
        json_number(j, "lo", c->changes[i].ratio.lo);
        json_number(j, "hi", c->changes[i].ratio.hi);
        json_close(j);
    }
    json_close(j);
    return bench_record_end(&record, output, "changes", why);
}

/* Exit 1 is kept for what the command is for; files that cannot be compared are a matter of usage. */
static int compare_runs(const run_file runs[2], double limit, const bench_output *output, failure *why)
{
    static comparison_run c;
    static const char *const model_keys[] = {"model", "scheme", "isa", "engine", NULL};
    static const char *const kernel_keys[] = {"name", "dtype", "algo", "isa", NULL};
    compare_array(&c, runs, "models", model_keys, "ms", limit);
    compare_array(&c, runs, "kernels", kernel_keys, "us", limit);
    if (c.count == 0) {
        fail_with(why, "%s and %s have nothing in common (\"models\" or \"kernels\" on the same ISA with the same threads)",
                  runs[0].path, runs[1].path);
        return BENCH_USAGE;
    }
    if (bench_output_text(output))
        print(&c, runs, limit, stdout);
    if (!write(&c, limit, output, why))
        return BENCH_USAGE;
    if (c.beyond)
        fail_with(why, "%d of %d are slower by more than %g %%", c.beyond, c.count, 100 * limit);
    return c.beyond ? BENCH_FAILED : BENCH_OK;
}

int bench_compare(int argc, char **argv)
{
    double percent = 5;
    bench_output output = {0};
    arg_option outputs[BENCH_OUTPUT_ROWS];
    bench_output_rows(&output, outputs);
    const arg_option options[] = {
        {"--fail-above", .kind = ARG_REAL, .to = &percent, .value = "PERCENT",
         .help = "exit with 1 if something is slower by more than that, and its whole\ninterval says so (default 5)"},
        {0}};
    const arg_spec spec = {.command = "octet-bench compare",
                           .usage = "OLD.json NEW.json [--fail-above PERCENT] [--json FILE] [--csv FILE]",
                           .about = "Holds two runs of `models` or `kernels` against each other. Exit: 0 nothing is slower\n"
                                    "beyond the limit, 1 something is, 2 the files cannot be compared.\n",
                           .word = "FILE.json",
                           .min_words = 2,
                           .max_words = 2,
                           .groups = {options, outputs}};
    run_file runs[2] = {{.path = NULL}};
    failure why;
    int words, code = BENCH_USAGE;
    arg_result parsed = args_parse(&spec, argc, argv, &words);
    if (parsed == ARGS_OK && !(percent >= 0 && percent <= 10000))
        parsed = args_bad(&spec, "--fail-above must lie between 0 and 10000");
    if (parsed == ARGS_OK)
        parsed = bench_output_check(&spec, &output, argv, words);
    if (parsed != ARGS_OK)
        return parsed == ARGS_HELP ? BENCH_OK : BENCH_USAGE;
    if (run_file_open(argv[0], &runs[0], &why) && run_file_open(argv[1], &runs[1], &why))
        code = compare_runs(runs, percent / 100, &output, &why);
    if (code != BENCH_OK)
        fprintf(stderr, "octet-bench compare: %s\n", why.text);
    run_file_close(&runs[0]);
    run_file_close(&runs[1]);
    return code;
}

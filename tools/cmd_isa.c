/* octet isa - which instruction sets this build and this machine have. */
#include "commands.h"
#include "json.h"
#include "table.h"

/* All ISAs that octet has kernels for, also those of other processors: their absence is information too. */
static void print_json(void)
{
    json j;
    json_begin(&j, stdout);
    json_object(&j, NULL);
    json_text(&j, "octet", oct_version());
    json_array(&j, "isas");
    for (size_t i = 0; i < oct_isa_count(); i++) {
        oct_isa_info info;
        if (oct_isa(i, &info) != OCT_OK)
            continue;
        json_object(&j, NULL);
        json_text(&j, "name", info.name);
        json_text(&j, "needs", info.needs);
        json_bool(&j, "compiled", info.compiled);
        json_bool(&j, "available", info.available);
        json_bool(&j, "default", info.is_default);
        json_close(&j);
    }
    json_end(&j);
}

/* The same for people. */
static void print_table(void)
{
    static const table_column columns[] = {{"isa", 0}, {"needs", TABLE_SHRINK}, {"in this build", 0}, {"runs here", 0}, {"", 0}};
    table *t = table_create(columns, 5);
    for (size_t i = 0; i < oct_isa_count(); i++) {
        oct_isa_info info;
        if (oct_isa(i, &info) != OCT_OK)
            continue;
        table_cell(t, "%s", info.name);
        table_cell(t, "%s", info.needs);
        table_cell(t, "%s", info.compiled ? "yes" : "no");
        table_cell(t, "%s", info.available ? "yes" : "no");
        table_cell(t, "%s", info.is_default ? "<- default" : "");
    }
    table_print(t, stdout);
    table_free(t);
}

int cmd_isa(int argc, char **argv)
{
    bool as_json = false;
    const arg_option options[] = {
        {"--json", .kind = ARG_FLAG, .to = &as_json, .help = "as one JSON object"},
        {0},
    };
    const arg_spec spec = {
        .command = "octet isa",
        .usage = "[--json]",
        .about = "Lists the instruction sets that octet has kernels for, weakest first: whether this\n"
                 "build contains them, whether this CPU and operating system can run them, and\n"
                 "which one is taken when --isa names none.\n",
        .groups = {options},
    };
    int words;
    const arg_result result = args_parse(&spec, argc, argv, &words);
    if (result != ARGS_OK)
        return usage_status(result);
    if (as_json)
        print_json();
    else
        print_table();
    return EXIT_WORKED;
}

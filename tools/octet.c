/* octet - the command: import, quantize, look at, run and check models.
 *
 * Each subcommand is one file, cmd_NAME.c, and all are built alike:
 *     its options as a table (args.h), which also makes its help;
 *     a check of what a table cannot check: exit status 2;
 *     the work, which on failure returns false and a sentence (failure.h): one line on stderr, exit status 1.
 *
 * Only the public headers and tools/shared are used: whatever the command can do, a program that links the library can.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

const command commands[] = {
    {"import", "an ONNX file -> a .oct model", cmd_import},
    {"quantize", "a float .oct model -> an int8 one", cmd_quantize},
    {"info", "what a model consists of and how it runs here", cmd_info},
    {"run", "data through a model, answers into a .npy file", cmd_run},
    {"eval", "how good its answers are: labels, a reference, or both", cmd_eval},
    {"compare", "which layer of a quantized model is at fault", cmd_compare},
    {"verify", "ONNX test folders through importer and kernels", cmd_verify},
    {"isa", "what this CPU and this build can use", cmd_isa},
    {"help", "this list, or the help of one command", cmd_help},
    {0},
};

const command *find_command(const char *name)
{
    for (const command *c = commands; c->name; c++)
        if (!strcmp(c->name, name))
            return c;
    return NULL;
}

int usage_status(arg_result result)
{
    return result == ARGS_HELP ? EXIT_WORKED : EXIT_USAGE;
}

bool parse_command(const arg_spec *spec, int argc, char **argv, int *words, const engine_options *engine,
                   const data_transform *transform, int *status)
{
    failure why;
    arg_result result = args_parse(spec, argc, argv, words);
    if (result == ARGS_OK && ((engine && !engine_check(engine, &why)) || (transform && !data_transform_check(transform, &why))))
        result = args_bad(spec, "%s", why.text);
    *status = usage_status(result);
    return result == ARGS_OK;
}

/* What is on stdout goes first, so that the sentence comes last where both lead to the same place. */
int report_failure(const arg_spec *spec, const failure *why)
{
    fflush(stdout);
    fprintf(stderr, "%s: %s\n", spec->command, why->text);
    return EXIT_FAILED;
}

/* Dispatches; every command prints its own errors and returns its exit status. */
int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : NULL;
    if (!name) {
        fprintf(stderr, "octet: a command is missing (octet help lists them)\n");
        return EXIT_USAGE;
    }
    /* The two options that people try on any program. */
    if (!strcmp(name, "--version")) {
        printf("octet %s\n", oct_version());
        return EXIT_WORKED;
    }
    if (!strcmp(name, "--help") || !strcmp(name, "-h"))
        name = "help";
    const command *c = find_command(name);
    if (!c) {
        fprintf(stderr, "octet: unknown command \"%s\" (octet help lists them)\n", name);
        return EXIT_USAGE;
    }
    const int status = c->run(argc - 2, argv + 2);
    /* A full disk or a closed pipe shows only now. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "octet %s: standard output cannot be written: %s\n", c->name, strerror(errno));
        return EXIT_FAILED;
    }
    return status;
}

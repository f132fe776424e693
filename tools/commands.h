/* commands.h - what the files of the `octet` command share. One file per subcommand; octet.c holds main and the list of them. */
#ifndef TOOLS_COMMANDS_H
#define TOOLS_COMMANDS_H

#include <stdio.h>

#include "args.h"
#include "data.h"
#include "engine.h"
#include "failure.h"
#include "octet.h"

enum { EXIT_WORKED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

typedef struct command {
    const char *name;
    const char *summary;                     /* one line for `octet help` */
    int (*run)(int argc, char **argv);       /* what follows the name; returns the exit status */
} command;

/* All of them, ending with a row of zeros. */
extern const command commands[];
/* NULL for an unknown name. */
const command *find_command(const char *name);

/* The subcommands: argc and argv without "octet NAME"; the exit status comes back. */
int cmd_import(int argc, char **argv);
int cmd_quantize(int argc, char **argv);
int cmd_info(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_eval(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_isa(int argc, char **argv);
int cmd_help(int argc, char **argv);

/* The exit status for a command line that args_parse has not accepted. */
int usage_status(arg_result result);

/* args_parse, then engine_check and data_transform_check of what it has filled in (NULL: the command has no such options). False:
 * the command ends with *status, and what there was to say has been said. */
bool parse_command(const arg_spec *spec, int argc, char **argv, int *words, const engine_options *engine,
                   const data_transform *transform, int *status);

/* "octet CMD: sentence" on stderr; returns EXIT_FAILED. */
int report_failure(const arg_spec *spec, const failure *why);

#endif

/* octet help - the list of commands, or one command's help. */
#include <string.h>

#include "commands.h"

static const arg_spec spec = {
    .command = "octet help",
    .usage = "[COMMAND]",
    .about = "Lists the commands, or explains one of them.\n",
    .word = "COMMAND",
    .max_words = 1,
};

/* The table in octet.c, and the three lines that a newcomer needs. */
static void list_commands(void)
{
    printf("octet %s - runs neural networks in FP32 and INT8 on CPUs\n\nusage: octet COMMAND ...\n\ncommands:\n", oct_version());
    for (const command *c = commands; c->name; c++)
        printf("  %-10s%s\n", c->name, c->summary);
    printf("\nFrom an ONNX file to int8 answers:\n"
           "  octet import   model.onnx -o model.oct\n"
           "  octet quantize model.oct --calib calib.f32 -o model.int8.oct\n"
           "  octet eval     model.int8.oct --data test.f32 --labels test_labels.u8\n"
           "\n`octet help COMMAND` has the options.\nExit status: 0, 1 the work failed, 2 wrong usage.\n");
}

int cmd_help(int argc, char **argv)
{
    int words;
    const arg_result result = args_parse(&spec, argc, argv, &words);
    if (result != ARGS_OK)
        return usage_status(result);
    if (words == 0) {
        list_commands();
        return EXIT_WORKED;
    }
    const command *c = find_command(argv[0]);
    if (!c)
        return usage_status(args_bad(&spec, "there is no command \"%s\" (octet help lists them)", argv[0]));
    /* The command holds its own option table, so it prints its own help. */
    char help[] = "--help", *arguments[] = {help, NULL};
    return c->run(1, arguments);
}

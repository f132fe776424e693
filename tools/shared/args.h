/* args.h - the command line by table: one row per option serves parsing, checking and the help text.
 *
 *     struct { const char *isa; int64_t threads; } o = {0};
 *     const arg_option options[] = {
 *         {"--isa", .kind = ARG_TEXT, .to = &o.isa, .value = "NAME", .help = "instruction set"},
 *         {"--threads", .kind = ARG_INTEGER, .to = &o.threads, .value = "N", .help = "threads", .min = 1, .max = 256},
 *         {0}
 *     };
 *
 * Accepted: "--name VALUE", "--name=VALUE", "-o VALUE", options and words in any order, "--" before words that begin with '-'.
 * A lone "-" is a word. "--help" and "-h" print the help.
 */
#ifndef TOOLS_ARGS_H
#define TOOLS_ARGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* What an option's value is, and what its `to` points at. */
typedef enum arg_kind {
    ARG_FLAG,     /* to: bool, set true */
    ARG_TEXT,     /* to: const char *, pointing into argv; one of `choices` where there are any */
    ARG_TEXTS,    /* to: arg_texts; may be given several times */
    ARG_INTEGER,  /* to: int64_t, within min..max */
    ARG_REAL,     /* to: double, finite, within min..max where max > min; "0.5" or a fraction, "1/255" */
    ARG_REALS     /* to: arg_reals; "0.485,0.456,0.406" */
} arg_kind;

#define ARG_MAX_TEXTS 64
#define ARG_MAX_REALS 1024

typedef struct arg_texts {
    const char *items[ARG_MAX_TEXTS];
    int count;
} arg_texts;

typedef struct arg_reals {
    float items[ARG_MAX_REALS];
    int count;
} arg_reals;

/* A row of the table. Rows that are not named explicitly stay zero: no alias, not required. */
typedef struct arg_option {
    const char *name;     /* "--output" */
    const char *alias;    /* "-o", or NULL */
    arg_kind kind;
    bool required;
    void *to;
    const char *value;    /* how the help names its value: "FILE" */
    const char *help;     /* what it does; the help breaks it into lines */
    int64_t min, max;     /* ARG_INTEGER, ARG_REAL */
    const char *choices;  /* ARG_TEXT: words with blanks between them, "nearest gptq auto"; NULL: any text */
} arg_option;

#define ARG_MAX_GROUPS 4
#define ARG_MAX_OPTIONS 64

/* A whole command line. Several groups, so that options which commands share (engine.h, data.h) are written once. */
typedef struct arg_spec {
    const char *command;                          /* "octet run" */
    const char *usage;                            /* what follows it: "MODEL.oct --input DATA --output OUT.npy" */
    const char *about;                            /* for the help, ending in a newline; it wraps all lines but those that begin
                                                     with a blank */
    const char *word;                             /* what a word that is no option stands for: "MODEL.oct" */
    int min_words, max_words;                     /* how many of them; max_words -1: any number */
    const arg_option *groups[ARG_MAX_GROUPS];     /* each ends with a row of zeros */
} arg_spec;

typedef enum arg_result {
    ARGS_OK,
    ARGS_HELP,    /* the help was asked for and is printed on stdout: exit 0 */
    ARGS_BAD      /* one line on stderr said what is wrong: exit 2 */
} arg_result;

/* Reads argv[0..argc-1] (without the command's name). The words are moved to the front of argv; *words receives their number. */
arg_result args_parse(const arg_spec *spec, int argc, char **argv, int *words);

/* Prints usage, about and the options. */
void args_help(const arg_spec *spec, FILE *to);

/* "COMMAND: sentence" on stderr; returns ARGS_BAD. For what a table cannot check. */
arg_result args_bad(const arg_spec *spec, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif

/* args.c - one pass over argv. Words are moved to the front of argv as they are met, so any number of them needs no memory:
 *
 *     argv before   run.oct  --input  a.f32  --json  b
 *     argv after    run.oct  b        ...             words = 2
 */
#include "args.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"

/* A usage of several lines as one: a blank for each newline and the blanks that follow it. */
static void join_lines(char *text)
{
    char *to = text;
    for (const char *from = text; *from; from++) {
        *to++ = *from == '\n' ? ' ' : *from;
        if (*from == '\n')
            from += strspn(from + 1, " ");
    }
    *to = '\0';
}

arg_result args_bad(const arg_spec *spec, const char *format, ...)
{
    char sentence[512];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    join_lines(sentence);
    failure line;
    fail_with(&line, "%s: %s", spec->command, sentence);
    fprintf(stderr, "%s\n", line.text);
    return ARGS_BAD;
}

/* ------------------------------------------------------------------------------------------------ help ---- */

/* Where the explanations begin. */
#define HELP_COLUMN 26
#define HELP_WIDTH 80

/* How far a line may not be broken: to the next blank, newline or end that is not within brackets. */
static int unbroken(const char *text)
{
    int length = 0;
    for (int open = 0; text[length] && (open > 0 || !strchr(" \n", text[length])); length++)
        open += (text[length] == '[') - (text[length] == ']');
    return length;
}

/* Does a paragraph end here? Before an empty line, and before one that is indented. */
static bool ends_paragraph(const char *text) { return *text == '\0' || (*text == '\n' && strchr(" \n", text[1])); }

/* A paragraph from `column` on in lines of at most HELP_WIDTH columns, the second and later ones behind `indent` blanks. Single
 * newlines are blanks. Returns what follows its last newline. */
static const char *print_wrapped(const char *text, int column, int indent, FILE *to)
{
    for (bool first = true; !ends_paragraph(text); first = false) {
        const int length = unbroken(text);
        if (!first && column + 1 + length > HELP_WIDTH) {
            fprintf(to, "\n%*s", indent, "");
            column = indent;
        } else if (!first) {
            fputc(' ', to);
            column++;
        }
        fprintf(to, "%.*s", length, text);
        column += length;
        text += length;
        if (!ends_paragraph(text))
            text += strspn(text, " \n");
    }
    fputc('\n', to);
    return text + (*text == '\n');
}

/* Paragraphs are wrapped; empty lines, and those that begin with a blank, stay as they are. */
static void print_about(const char *text, FILE *to)
{
    while (*text)
        if (*text == ' ' || *text == '\n') {
            const size_t length = strcspn(text, "\n");
            fprintf(to, "%.*s\n", (int)length, text);
            text += length + (text[length] == '\n');
        } else {
            text = print_wrapped(text, 0, 0, to);
        }
}

/* "  -o, --output FILE       what it does", or on two lines where the left part is too long. */
static void print_option(const arg_option *option, FILE *to)
{
    char left[128];
    snprintf(left, sizeof left, "  %s%s%s%s%s", option->alias ? option->alias : "", option->alias ? ", " : "", option->name,
             option->value ? " " : "", option->value ? option->value : "");
    int column = fprintf(to, "%s", left);
    if (column > HELP_COLUMN - 2) {
        fputc('\n', to);
        column = 0;
    }
    fprintf(to, "%*s", HELP_COLUMN - column, "");
    print_wrapped(option->help, HELP_COLUMN, HELP_COLUMN, to);
}

void args_help(const arg_spec *spec, FILE *to)
{
    const int indent = fprintf(to, "usage: %s ", spec->command);
    print_wrapped(spec->usage, indent, indent, to);
    fputc('\n', to);
    print_about(spec->about, to);
    fputs("\noptions:\n", to);
    for (int g = 0; g < ARG_MAX_GROUPS && spec->groups[g]; g++)
        for (const arg_option *option = spec->groups[g]; option->name; option++)
            print_option(option, to);
    fprintf(to, "  %-*sthis text\n", HELP_COLUMN - 2, "-h, --help");
}

/* ---------------------------------------------------------------------------------------------- values ---- */

/* The whole text must be the number: "8x" and "" are no numbers. */
static arg_result read_integer(const arg_spec *spec, const arg_option *option, const char *text)
{
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (end == text || *end)
        return args_bad(spec, "%s wants a whole number, not \"%s\"", option->name, text);
    if (option->max == INT64_MAX && (errno == ERANGE || value < option->min))
        return args_bad(spec, "%s must be at least %lld, not %s", option->name, (long long)option->min, text);
    if (errno == ERANGE || value < option->min || value > option->max)
        return args_bad(spec, "%s must lie in %lld..%lld, not %s", option->name, (long long)option->min, (long long)option->max,
                        text);
    *(int64_t *)option->to = value;
    return ARGS_OK;
}

/* One finite number that ends at `stop` or at the end of the text. */
static bool read_number(const char *text, char stop, double *value, const char **after)
{
    char *end;
    *value = strtod(text, &end);
    *after = end;
    return end != text && (*end == '\0' || *end == stop) && isfinite(*value);
}

/* A number, or a quotient of two: 1/255 is how people think of it, and exact to the last bit. */
static arg_result read_real(const arg_spec *spec, const arg_option *option, const char *text)
{
    const char *after;
    double value, divisor = 1;
    bool ok = read_number(text, '/', &value, &after);
    if (ok && *after == '/')
        ok = read_number(after + 1, '\0', &divisor, &after);
    if (!ok || !isfinite(value / divisor))
        return args_bad(spec, "%s wants a number, not \"%s\"", option->name, text);
    value /= divisor;
    if (option->max > option->min && !(value >= (double)option->min && value <= (double)option->max)) {
        if (option->max == INT64_MAX)
            return args_bad(spec, "%s must be at least %lld, not %s", option->name, (long long)option->min, text);
        return args_bad(spec, "%s must lie in %lld..%lld, not %s", option->name, (long long)option->min, (long long)option->max,
                        text);
    }
    *(double *)option->to = value;
    return ARGS_OK;
}

/* Numbers with commas between them. */
static arg_result read_reals(const arg_spec *spec, const arg_option *option, const char *text)
{
    arg_reals *list = option->to;
    list->count = 0;
    for (const char *at = text;; at++) {
        double value;
        if (!read_number(at, ',', &value, &at) || !isfinite((float)value))
            return args_bad(spec, "%s wants numbers with commas between them, not \"%s\"", option->name, text);
        if (list->count == ARG_MAX_REALS)
            return args_bad(spec, "%s takes at most %d numbers", option->name, ARG_MAX_REALS);
        list->items[list->count++] = (float)value;
        if (*at == '\0')
            return ARGS_OK;
    }
}

/* A text, or one of the words that the option knows. */
static arg_result read_text(const arg_spec *spec, const arg_option *option, const char *text)
{
    bool known = !option->choices;
    for (const char *word = option->choices; word && !known; word = strchr(word, ' ') ? strchr(word, ' ') + 1 : NULL)
        known = strcspn(word, " ") == strlen(text) && !strncmp(word, text, strlen(text));
    if (!known)
        return args_bad(spec, "%s %s is not known (possible: %s)", option->name, text, option->choices);
    *(const char **)option->to = text;
    return ARGS_OK;
}

/* Stores the value of an option that has one. */
static arg_result read_value(const arg_spec *spec, const arg_option *option, const char *text)
{
    switch (option->kind) {
    case ARG_INTEGER:
        return read_integer(spec, option, text);
    case ARG_REAL:
        return read_real(spec, option, text);
    case ARG_REALS:
        return read_reals(spec, option, text);
    case ARG_TEXT:
    case ARG_TEXTS:
        break;
    /* Flags have no value and do not come here. */
    case ARG_FLAG:
        return ARGS_OK;
    }
    if (*text == '\0')
        return args_bad(spec, "the value of %s is empty", option->name);
    if (option->kind == ARG_TEXT)
        return read_text(spec, option, text);
    arg_texts *list = option->to;
    if (list->count == ARG_MAX_TEXTS)
        return args_bad(spec, "%s may be given at most %d times", option->name, ARG_MAX_TEXTS);
    list->items[list->count++] = text;
    return ARGS_OK;
}

/* --------------------------------------------------------------------------------------------- parsing ---- */

/* The row named by the first `length` characters of `text`; *number receives its place in all rows. NULL if there is none. */
static const arg_option *find_option(const arg_spec *spec, const char *text, size_t length, int *number)
{
    *number = 0;
    for (int g = 0; g < ARG_MAX_GROUPS && spec->groups[g]; g++)
        for (const arg_option *option = spec->groups[g]; option->name; option++, ++*number) {
            if (strlen(option->name) == length && !strncmp(option->name, text, length))
                return option;
            if (option->alias && strlen(option->alias) == length && !strncmp(option->alias, text, length))
                return option;
        }
    return NULL;
}

/* Reads the option at argv[*at] with its value; *at stays on the last argument used. */
static arg_result read_option(const arg_spec *spec, int argc, char **argv, int *at, uint64_t *seen)
{
    const char *text = argv[*at];
    const size_t length = strcspn(text, "=");
    int number;
    const arg_option *option = find_option(spec, text, length, &number);
    if (!option)
        return args_bad(spec, "unknown option %.*s (see %s --help)", (int)length, text, spec->command);
    /* One bit per row of all groups together: enough to know what was never given. */
    *seen |= (uint64_t)1 << (number % ARG_MAX_OPTIONS);
    if (option->kind == ARG_FLAG) {
        if (text[length] == '=')
            return args_bad(spec, "%s takes no value", option->name);
        *(bool *)option->to = true;
        return ARGS_OK;
    }
    if (text[length] == '=')
        return read_value(spec, option, text + length + 1);
    /* "--isa --json" forgot the name; a value that really begins with "--" can be given as --isa=VALUE. */
    if (*at + 1 >= argc || !strncmp(argv[*at + 1], "--", 2))
        return args_bad(spec, "%.*s needs a value: %s %s", (int)length, text, option->name, option->value);
    return read_value(spec, option, argv[++*at]);
}

/* What must be there and is not. */
static arg_result check_complete(const arg_spec *spec, int words, uint64_t seen)
{
    if (words < spec->min_words)
        return args_bad(spec, "%s is missing (usage: %s %s)", spec->word, spec->command, spec->usage);
    int number = 0;
    for (int g = 0; g < ARG_MAX_GROUPS && spec->groups[g]; g++)
        for (const arg_option *option = spec->groups[g]; option->name; option++, number++)
            if (option->required && !(seen >> (number % ARG_MAX_OPTIONS) & 1))
                return args_bad(spec, "%s %s is missing (see %s --help)", option->name, option->value, spec->command);
    return ARGS_OK;
}

/* The first mistake ends it: one line about one thing. */
arg_result args_parse(const arg_spec *spec, int argc, char **argv, int *words)
{
    uint64_t seen = 0;
    bool only_words = false;
    *words = 0;
    for (int i = 0; i < argc; i++) {
        if (!only_words && !strcmp(argv[i], "--")) {
            only_words = true;
        } else if (only_words || argv[i][0] != '-' || argv[i][1] == '\0') {
            if (spec->max_words >= 0 && *words == spec->max_words)
                return args_bad(spec, "\"%s\" is one word too many (usage: %s %s)", argv[i], spec->command, spec->usage);
            /* *words <= i, so no argument is overwritten before it has been read. */
            argv[(*words)++] = argv[i];
        } else if (!strcmp(argv[i], "--help") || !strcmp(argv[i], "-h")) {
            args_help(spec, stdout);
            return ARGS_HELP;
        } else {
            const arg_result result = read_option(spec, argc, argv, &i, &seen);
            if (result != ARGS_OK)
                return result;
        }
    }
    return check_complete(spec, *words, seen);
}

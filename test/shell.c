#define _XOPEN_SOURCE 700
#include "shell.h"

#include <ftw.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "harness.h"

/* --------------------------------------------------------------------------------------------- scratch ---- */

static char scratch[256];

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

static void remove_scratch(void)
{
    nftw(scratch, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *shell_path(const char *name)
{
    static char paths[256][384];
    static int count;
    if (!scratch[0]) {
        const char *base = getenv("TMPDIR");
        snprintf(scratch, sizeof scratch, "%s/octet-test-XXXXXX", base ? base : "/tmp");
        if (mkdtemp(scratch))
            atexit(remove_scratch);
    }
    char path[384];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    for (int i = 0; i < count; i++)
        if (!strcmp(paths[i], path))
            return paths[i];
    if (count == TEST_COUNT(paths))
        abort();
    return strcpy(paths[count++], path);
}

const char *shell_write(const char *name, const void *bytes, size_t size)
{
    const char *path = shell_path(name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(bytes, 1, size, file) != size)
        test_fail(__FILE__, __LINE__, "%s cannot be written", path);
    if (file)
        fclose(file);
    return path;
}

char *shell_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    fseek(file, 0, SEEK_END);
    const long end = ftell(file);
    rewind(file);
    char *bytes = end >= 0 ? calloc((size_t)end + 1, 1) : NULL;
    if (bytes)
        *size = fread(bytes, 1, (size_t)end, file);
    fclose(file);
    return bytes;
}

/* -------------------------------------------------------------------------------------------- commands ---- */

/* A file as text, cut to `size`. */
static void slurp(const char *path, char *text, size_t size)
{
    size_t length = 0;
    char *bytes = shell_read(path, &length);
    snprintf(text, size, "%.*s", (int)(length < size ? length : size - 1), bytes ? bytes : "");
    free(bytes);
}

const shell_result *shell_run(const char *format, ...)
{
    static shell_result result;
    static char line[16384], all[20000];
    const char *runner = getenv("TEST_RUNNER"), *build = test_build_dir();
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    const char *out = shell_path("stdout"), *err = shell_path("stderr");
    snprintf(all, sizeof all,
             "runner='%s'; octet=\"$runner %s/octet\"; bench=\"$runner %s/octet-bench\"; examples=\"$runner %s/examples\"; "
             "{ %s; } >%s 2>%s </dev/null",
             runner ? runner : "", build, build, build, line, out, err);
    const int status = system(all);
    /* sh itself reports a killed child as 128 + signal. */
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    slurp(out, result.out, sizeof result.out);
    slurp(err, result.err, sizeof result.err);
    return &result;
}

bool shell_has_octet(void)
{
    const shell_result *r = shell_run("$octet --version");
    if (r->status == 0)
        return true;
    test_skip("%s/octet is not built or cannot run here", test_build_dir());
    return false;
}

bool shell_is_emulated(void)
{
    const char *runner = getenv("TEST_RUNNER");
    return runner && *runner;
}

bool shell_is_line(const char *text, const char *start)
{
    const char *newline = strchr(text, '\n');
    return newline && newline[1] == '\0' && !strncmp(text, start, strlen(start)) && newline - text > (long)strlen(start);
}

/* ------------------------------------------------------------------------------------------------ JSON ---- */

static const char *skip_space(const char *s) { return s + strspn(s, " \t\r\n"); }

/* The end of a string whose opening quote is at s; NULL if it is none. */
static const char *string_end(const char *s)
{
    if (*s++ != '"')
        return NULL;
    for (; *s != '"'; s++) {
        if ((unsigned char)*s < 0x20)
            return NULL;
        if (*s == '\\' && !strchr("\"\\/bfnrtu", *++s))
            return NULL;
        if (*s == '\0')
            return NULL;
    }
    return s + 1;
}

static const char *number_end(const char *s)
{
    char *end;
    if (*s != '-' && (*s < '0' || *s > '9'))   /* strtod would also take "nan", "inf" and "+1" */
        return NULL;
    strtod(s, &end);
    return end == s || strpbrk(s, "xXnN") == s + 1 ? NULL : end;
}

static const char *value_end(const char *s);

/* The inside of an object or an array, from its opening bracket to behind the closing one. */
static const char *members_end(const char *s, bool keys, char close)
{
    s = skip_space(s + 1);
    if (*s == close)
        return s + 1;
    for (;;) {
        if (keys) {
            s = string_end(s);
            if (!s || *(s = skip_space(s)) != ':')
                return NULL;
            s = skip_space(s + 1);
        }
        s = value_end(s);
        if (!s)
            return NULL;
        s = skip_space(s);
        if (*s == close)
            return s + 1;
        if (*s != ',')
            return NULL;
        s = skip_space(s + 1);
    }
}

/* The end of any value; NULL if there is none at s. Recursion is as deep as the text is nested. */
static const char *value_end(const char *s)
{
    static const char *const words[] = {"true", "false", "null"};
    if (*s == '{')
        return members_end(s, true, '}');
    if (*s == '[')
        return members_end(s, false, ']');
    if (*s == '"')
        return string_end(s);
    for (int i = 0; i < 3; i++)
        if (!strncmp(s, words[i], strlen(words[i])))
            return s + strlen(words[i]);
    return number_end(s);
}

bool shell_is_json(const char *text)
{
    const char *end = value_end(skip_space(text));
    return end && *skip_space(end) == '\0';
}

double shell_json_number(const char *text, const char *key)
{
    char quoted[128];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *found = strstr(text, quoted);
    const char *value = found ? skip_space(found + strlen(quoted)) : "";
    return number_end(value) ? strtod(value, NULL) : (double)NAN;
}

/* output.c - written beside its place, then renamed, which replaces an older file in one step (POSIX rename). */
#define _POSIX_C_SOURCE 200809L
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static bool is_stdout(const char *path) { return !strcmp(path, "-"); }

/* A device or a pipe: renaming would put a plain file in its place, removing would take it away. */
static bool is_special(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && !S_ISREG(st.st_mode);
}

static bool fail_to_write(const output_file *o, failure *why)
{
    return fail_with(why, "%s: cannot be written: %s", o->path, errno ? strerror(errno) : "the stream failed");
}

bool output_open(output_file *o, const char *path, failure *why)
{
    const size_t length = strlen(path);
    const bool direct = is_stdout(path) || is_special(path);
    *o = (output_file){.path = malloc(length + 1), .part = direct ? NULL : malloc(length + sizeof ".part")};
    if (!o->path || (!direct && !o->part)) {
        output_abandon(o);
        return fail_with(why, "%s: out of memory", path);
    }
    strcpy(o->path, path);
    if (!direct) {
        strcpy(o->part, path);
        strcpy(o->part + length, ".part");
    }
    o->to = is_stdout(path) ? stdout : fopen(direct ? path : o->part, "wb");
    if (o->to)
        return true;
    fail_to_write(o, why);
    free(o->part);
    o->part = NULL;   /* nothing of ours is there to be removed */
    output_abandon(o);
    return false;
}

/* fclose reports what the disk could not take. */
bool output_close(output_file *o, failure *why)
{
    bool ok = !ferror(o->to) && fflush(o->to) == 0;
    if (!ok)
        fail_to_write(o, why);
    if (o->to != stdout && fclose(o->to) != 0 && ok)
        ok = fail_to_write(o, why);
    o->to = NULL;
    if (ok && o->part && rename(o->part, o->path) != 0)
        ok = fail_to_write(o, why);
    if (ok) {
        free(o->part);
        o->part = NULL;   /* it has its name */
    }
    output_abandon(o);
    return ok;
}

void output_abandon(output_file *o)
{
    if (o->to && o->to != stdout)
        fclose(o->to);
    if (o->part)
        remove(o->part);
    free(o->part);
    free(o->path);
    *o = (output_file){.to = NULL};
}

/* By device and inode, so that links and other spellings of a path are seen through. */
static bool same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && S_ISREG(x.st_mode) && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

bool output_spares(const char *path, const char *const *inputs, int count, failure *why)
{
    for (int i = 0; i < count; i++)
        if (inputs[i] && !is_stdout(path) && same_file(path, inputs[i]))
            return fail_with(why, "%s is an input: the output needs another name", path);
    return true;
}

bool output_is_file(const char *path, const char *const *inputs, int count, failure *why)
{
    if (is_stdout(path))
        return fail_with(why, "the output needs a name; - is none (./- would be a file of that name)");
    return output_spares(path, inputs, count, why);
}

/* import_file.c - reading model files and the side files that hold their weights. The one place of the importer that touches the
 * disk.
 *
 * A model may come from anywhere, so a side file is opened only if it lies in the model's own folder: first by the look of its
 * name, then by the path that is left when all symbolic links are resolved. */
#define _XOPEN_SOURCE 700   /* realpath, fileno */

#include "import_tensor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "memory.h"

/* Opens a regular file for reading and tells its size; not a folder, a device or a pipe, which might never end. */
static oct_status open_file(const char *path, FILE **file, uint64_t *size)
{
    struct stat info;
    if (stat(path, &info) != 0)
        return oct_fail(OCT_ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return oct_fail(OCT_ERR_IO, "%s: not a regular file", path);
    *file = fopen(path, "rb");
    if (!*file)
        return oct_fail(OCT_ERR_IO, "%s: %s", path, strerror(errno));
    /* Again, now of what really has been opened. */
    if (fstat(fileno(*file), &info) != 0 || !S_ISREG(info.st_mode) || info.st_size < 0) {
        fclose(*file);
        return oct_fail(OCT_ERR_IO, "%s: not a regular file", path);
    }
    *size = (uint64_t)info.st_size;
    return OCT_OK;
}

/* The caller has compared offset and count with the file's size, so the block is never larger than what is there. A file that
 * shrinks meanwhile gives a short read, which is an error. */
static oct_status read_range(FILE *file, const char *path, uint64_t offset, size_t count, uint8_t **bytes)
{
    *bytes = oct_alloc(count, 1);
    if (!*bytes)
        return oct_fail_memory(count);
    if (fseeko(file, (off_t)offset, SEEK_SET) == 0 && fread(*bytes, 1, count, file) == count)
        return OCT_OK;
    oct_free(*bytes);
    *bytes = NULL;
    return oct_fail(OCT_ERR_IO, "%s: could not read %zu bytes at %llu", path, count, (unsigned long long)offset);
}

/* The whole file, because protobuf puts a graph's parts in any order: weights may stand before or behind the nodes that use them.
 * */
oct_status oct_import_read_file(const char *path, uint8_t **bytes, size_t *size)
{
    FILE *file;
    uint64_t length;
    OCT_TRY(open_file(path, &file, &length));
    oct_status status = length <= SIZE_MAX / 2 ? OCT_OK : oct_fail_memory(SIZE_MAX);
    *size = (size_t)length;
    if (status == OCT_OK)
        status = read_range(file, path, 0, *size, bytes);
    fclose(file);
    return status;
}

/* "a/b.onnx" -> "a", "/b.onnx" -> "/", "b.onnx" -> ".". */
char *oct_import_folder(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return oct_strdup(".");
    const size_t length = slash == path ? 1 : (size_t)(slash - path);
    char *folder = oct_alloc(length + 1, 1);
    if (folder)
        memcpy(folder, path, length);
    return folder;
}

/* A relative path whose parts are neither empty nor ".."; a backslash is refused too, since elsewhere it separates parts. */
static bool is_plain_path(const char *location)
{
    if (!*location || strchr(location, '\\') || strchr(location, ':'))
        return false;
    for (const char *part = location;; part++) {
        const size_t length = strcspn(part, "/");
        if (length == 0 || (length == 2 && !strncmp(part, "..", 2)))
            return false;
        part += length;
        if (!*part)
            return true;
    }
}

/* Is `path` inside `folder`? Both resolved. */
static bool is_inside(const char *folder, const char *path)
{
    const size_t length = strlen(folder);
    if (strncmp(folder, path, length) != 0)
        return false;
    return path[length] == '/' || (length > 0 && folder[length - 1] == '/');
}

/* The resolved path of a side file (free it with free). */
static oct_status resolve(const char *folder, const char *location, char **resolved)
{
    const size_t room = strlen(folder) + strlen(location) + 2;
    char *joined = oct_alloc(room, 1);
    if (!joined)
        return oct_fail_memory(room);
    snprintf(joined, room, "%s/%s", folder, location);
    char *real_folder = realpath(folder, NULL);
    *resolved = realpath(joined, NULL);
    oct_status status = OCT_OK;
    if (!real_folder || !*resolved)
        status = oct_fail(OCT_ERR_IO, "side file \"%s\": %s", joined, strerror(errno));
    else if (!is_inside(real_folder, *resolved))
        status = oct_fail(OCT_ERR_FORMAT, "side file \"%s\" leads out of the model's folder", location);
    if (status != OCT_OK) {
        free(*resolved);
        *resolved = NULL;
    }
    free(real_folder);
    oct_free(joined);
    return status;
}

/* Look at the name, resolve it, open it, compare the range with the size, read: in that order, so that nothing outside the folder
 * is ever opened and nothing is allocated for bytes that do not exist. */
oct_status oct_import_read_side_file(const char *folder, const char *location, uint64_t offset, size_t count, uint8_t **bytes)
{
    char *path = NULL;
    FILE *file;
    uint64_t size;
    if (!is_plain_path(location))
        return oct_fail(OCT_ERR_FORMAT, "side file \"%s\" is no plain path inside the model's folder", location);
    OCT_TRY(resolve(folder, location, &path));
    oct_status status = open_file(path, &file, &size);
    if (status == OCT_OK) {
        if (offset > size || count > size - offset)
            status = oct_fail(OCT_ERR_FORMAT, "side file \"%s\": bytes %llu..+%zu outside its %llu bytes", location,
                              (unsigned long long)offset, count, (unsigned long long)size);
        else
            status = read_range(file, path, offset, count, bytes);
        fclose(file);
    }
    free(path);
    return status;
}

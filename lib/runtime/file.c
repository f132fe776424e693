#define _DEFAULT_SOURCE
/* Files as bytes. A mapped model costs no copy: constants are used where they lie, pages come in when they are touched, and
 * processes that load the same file share them. The price is that the file must not change while it is mapped (octet.h says so). */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memory.h"
#include "status.h"

/* The two ways in which bytes may have come, as oct_file.release. */
static void unmap(void *bytes, size_t size) { munmap(bytes, size); }

static void free_copy(void *bytes, size_t size)
{
    (void)size;
    oct_free(bytes);
}

/* An aligned copy: constants are used where they lie. */
oct_status oct_file_copy(const void *bytes, size_t size, oct_file *file)
{
    *file = (oct_file){.bytes = oct_memdup(bytes, size), .size = size, .release = free_copy};
    return file->bytes ? OCT_OK : oct_fail_memory(size);
}

/* For file systems that cannot map. */
static oct_status read_all(int descriptor, const char *path, size_t size, oct_file *file)
{
    char *bytes = oct_alloc(size, 1);
    size_t done = 0;
    if (!bytes)
        return oct_fail_memory(size);
    while (done < size) {
        const ssize_t got = read(descriptor, bytes + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            oct_free(bytes);
            return oct_fail(OCT_ERR_IO, "%s: cannot be read beyond byte %zu: %s", path, done,
                            got < 0 ? strerror(errno) : "the file became shorter");
        }
        done += (size_t)got;
    }
    *file = (oct_file){.bytes = bytes, .size = size, .release = free_copy};
    return OCT_OK;
}

/* The checksum will touch every page at once: where the system can, it maps them all in one go. */
#ifdef MAP_POPULATE
#define MAP_FLAGS (MAP_PRIVATE | MAP_POPULATE)
#else
#define MAP_FLAGS MAP_PRIVATE
#endif

/* A folder can be opened but not read, a device may never end: only regular files. An empty file cannot be mapped. */
static oct_status open_descriptor(int descriptor, const char *path, oct_file *file)
{
    struct stat facts;
    if (fstat(descriptor, &facts) != 0)
        return oct_fail(OCT_ERR_IO, "%s: %s", path, strerror(errno));
    if (!S_ISREG(facts.st_mode))
        return oct_fail(OCT_ERR_IO, "%s: is not a regular file", path);
    const size_t size = (size_t)facts.st_size;
    if (size == 0)
        return oct_file_copy("", 0, file);
    void *bytes = mmap(NULL, size, PROT_READ, MAP_FLAGS, descriptor, 0);
    if (bytes == MAP_FAILED)
        return read_all(descriptor, path, size, file);
    *file = (oct_file){.bytes = bytes, .size = size, .release = unmap};
    return OCT_OK;
}

/* The mapping outlives the descriptor (POSIX mmap), so that is closed at once. */
oct_status oct_file_open(const char *path, oct_file *file)
{
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return oct_fail(OCT_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    const oct_status status = open_descriptor(descriptor, path, file);
    close(descriptor);
    return status;
}

/* machine.c - what Linux tells about the CPU, in /proc/cpuinfo and /sys/devices/system/cpu.
 *
 * Elsewhere, and where a virtual machine hides it, usual values stand in: the cache sizes only decide how much data a memory level
 * is measured with and to which level a layer's data are counted, the name is only printed.
 */
#define _POSIX_C_SOURCE 200809L /* sysconf, getrlimit */
#include "machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The value of the first "key : value" line of a file whose key is `key`. */
static bool find_line(const char *path, const char *key, char *value, size_t size)
{
    FILE *file = fopen(path, "r");
    char line[512];
    bool found = false;
    while (file && !found && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        found = colon && !strncmp(line, key, strlen(key));
        if (found) {
            colon += 1 + strspn(colon + 1, " \t");
            colon[strcspn(colon, "\n")] = '\0';
            snprintf(value, size, "%s", colon);
        }
    }
    if (file)
        fclose(file);
    return found;
}

/* Arm kernels give numbers only: implementer and part. */
static void read_cpu_name(char *name, size_t size)
{
    char implementer[32], part[32];
    if (find_line("/proc/cpuinfo", "model name", name, size) || find_line("/proc/cpuinfo", "Model", name, size))
        return;
    if (find_line("/proc/cpuinfo", "CPU implementer", implementer, sizeof implementer) &&
        find_line("/proc/cpuinfo", "CPU part", part, sizeof part))
        snprintf(name, size, "Arm implementer %s part %s", implementer, part);
    else
        snprintf(name, size, "unknown CPU");
}

/* One word of a file like /sys/devices/system/cpu/cpu0/cache/index2/size. */
static bool read_word(int index, const char *what, char *word, size_t size)
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, what);
    FILE *file = fopen(path, "r");
    if (!file)
        return false;
    const bool ok = fgets(word, (int)size, file) != NULL;
    fclose(file);
    return ok;
}

/* "1024K" or "32M" */
static size_t parse_size(const char *text)
{
    char *unit;
    const unsigned long long value = strtoull(text, &unit, 10);
    return (size_t)(*unit == 'K' ? value << 10 : *unit == 'M' ? value << 20 : value);
}

/* index0, index1, ... are the caches of CPU 0 in no particular order; those for instructions are of no interest. */
static void read_caches(size_t cache[3])
{
    char type[32], level[32], size[32];
    for (int index = 0; index < 8; index++) {
        if (!read_word(index, "type", type, sizeof type) || !read_word(index, "level", level, sizeof level) ||
            !read_word(index, "size", size, sizeof size) || type[0] == 'I')
            continue;
        const int which = atoi(level) - 1;
        if (which >= 0 && which < 3 && parse_size(size) > 0)
            cache[which] = parse_size(size);
    }
}

void machine_read(machine *m)
{
    *m = (machine){.cache = {32u << 10, 1u << 20, 8u << 20}};
    read_cpu_name(m->cpu, sizeof m->cpu);
    affinity_read(&m->cpus);
    read_caches(m->cache);
}

/* The number at the beginning of a file; 0 for "max", or if there is no such file. */
static double read_number(const char *folder, const char *name)
{
    char path[320];
    double value = 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "r");
    if (file && fscanf(file, "%lf", &value) != 1)
        value = 0;
    if (file)
        fclose(file);
    return value;
}

/* What the control group of this folder, and those above it, leave. Page cache counts as used, though it can be had: so this is
 * cautious. */
static double group_leaves(char *folder, size_t top, const char *limit, const char *used, double there)
{
    for (;;) {
        const double most = read_number(folder, limit), now = read_number(folder, used);
        if (most > 0 && most - now < there)
            there = most - now;
        char *slash = strrchr(folder, '/');
        if (strlen(folder) <= top || !slash)
            return there;
        *slash = '\0';
    }
}

/* Lines like "0::/user.slice" (version 2) and "4:memory:/user.slice" (version 1). In a container the path may be that outside; then
 * only the top, which is the container's own, exists. */
static double groups_leave(double there)
{
    char line[256], folder[288];
    FILE *file = fopen("/proc/self/cgroup", "r");
    while (file && fgets(line, sizeof line, file)) {
        const char *path = strchr(line, ':') ? strchr(strchr(line, ':') + 1, ':') : NULL;
        const bool second = !strncmp(line, "0::", 3), first = strstr(line, ":memory:") != NULL;
        if (!path || !(first || second))
            continue;
        line[strcspn(line, "\n")] = '\0';
        const char *top = second ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
        snprintf(folder, sizeof folder, "%s%s", top, path + 1);
        there = second ? group_leaves(folder, strlen(top), "memory.max", "memory.current", there)
                       : group_leaves(folder, strlen(top), "memory.limit_in_bytes", "memory.usage_in_bytes", there);
    }
    if (file)
        fclose(file);
    return there;
}

/* The address space that `ulimit -v` leaves. */
static double limit_leaves(double there)
{
    struct rlimit limit;
    const double used = read_number("/proc/self", "statm") * (double)sysconf(_SC_PAGESIZE);
    if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && (double)limit.rlim_cur - used < there)
        there = (double)limit.rlim_cur - used;
    return there;
}

double machine_free_memory(void)
{
    char text[64];
    if (!find_line("/proc/meminfo", "MemAvailable", text, sizeof text))
        return 0;
    return limit_leaves(groups_leave(1024 * atof(text)));
}

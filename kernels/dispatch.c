/* dispatch.c - which tables there are, and which one this machine may use.
 *
 *   scalar --> avx2 --> avx512 --> avx512vnni          A level's table is the one before it in the chain, copied, with the level's
 *        \---> neon --> neondot                        own entries laid over: what it lacks falls through.
 *
 * All tables are built once, by the first caller, into static memory; afterwards they are only read. Levels this CPU lacks keep the
 * table of their base: even the assignments of an overlay are compiled for its ISA.
 */
#include <pthread.h>
#include <string.h>

#include "cpu.h"
#include "kernels.h"

enum { SCALAR, AVX2, AVX512, AVX512VNNI, NEON, NEONDOT, LEVELS };

/* A level needs what its bases need: their entries shine through its holes. */
enum {
    NEEDS_AVX512 = OCT_CPU_AVX2 | OCT_CPU_AVX512,
    NEEDS_AVX512VNNI = NEEDS_AVX512 | OCT_CPU_AVX512VNNI,
    NEEDS_NEONDOT = OCT_CPU_NEON | OCT_CPU_DOTPROD
};

/* Weakest first. `compiled` is set by build_tables. */
static oct_isa_level levels[LEVELS] = {
    [SCALAR] = {"scalar", "nothing", 0, false},
    [AVX2] = {"avx2", "AVX2, FMA", OCT_CPU_AVX2, false},
    [AVX512] = {"avx512", "AVX-512 F, BW, DQ, VL", NEEDS_AVX512, false},
    [AVX512VNNI] = {"avx512vnni", "AVX-512 F, BW, DQ, VL, VNNI", NEEDS_AVX512VNNI, false},
    [NEON] = {"neon", "Advanced SIMD", OCT_CPU_NEON, false},
    [NEONDOT] = {"neondot", "Advanced SIMD, dot product", NEEDS_NEONDOT, false},
};

/* list has OCT_DEPTHWISE_VARIANTS + 1 places; all chains together fill fewer (a test looks). */
void oct_lay_depthwise(oct_depthwise_entry *list, const oct_depthwise_entry *own, size_t count)
{
    memmove(list + count, list, (OCT_DEPTHWISE_VARIANTS - count) * sizeof *list);
    memcpy(list, own, count * sizeof *own);
}

/* The weaker level each one builds on: always an earlier one. */
static const size_t bases[LEVELS] = {
    [AVX2] = SCALAR, [AVX512] = AVX2, [AVX512VNNI] = AVX512, [NEON] = SCALAR, [NEONDOT] = NEON,
};

/* The Makefile says which ISA folders are in this build; a missing one has no overlay function to name. */
static void (*const overlays[LEVELS])(oct_kernels *table) = {
    [SCALAR] = oct_overlay_scalar,
#ifdef OCT_HAVE_AVX2
    [AVX2] = oct_overlay_avx2,
#endif
#ifdef OCT_HAVE_AVX512
    [AVX512] = oct_overlay_avx512,
#endif
#ifdef OCT_HAVE_AVX512VNNI
    [AVX512VNNI] = oct_overlay_avx512vnni,
#endif
#ifdef OCT_HAVE_NEON
    [NEON] = oct_overlay_neon,
#endif
#ifdef OCT_HAVE_NEONDOT
    [NEONDOT] = oct_overlay_neondot,
#endif
};

/* Everything below is written by build_tables, under `once`, and only read afterwards: no lock is needed for reading. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static oct_kernels tables[LEVELS];
static uint32_t machine_features;       /* asked once: cpuid is slow in a virtual machine */

/* All bits the level needs are among those the machine has. */
static bool runs_here(size_t i) { return (levels[i].features & ~machine_features) == 0; }

/* In order, weakest first: a base is finished before it is copied. */
static void build_tables(void)
{
    machine_features = oct_cpu_features();
    for (size_t i = 0; i < LEVELS; i++) {
        levels[i].compiled = overlays[i] != NULL;
        /* Copy, overlay, sign. */
        if (i != SCALAR)
            tables[i] = tables[bases[i]];
        if (overlays[i] && runs_here(i))
            overlays[i](&tables[i]);
        tables[i].isa = levels[i].name;
    }
}

size_t oct_isa_level_count(void) { return LEVELS; }

const oct_isa_level *oct_isa_level_at(size_t index)
{
    pthread_once(&once, build_tables);
    return index < LEVELS ? &levels[index] : NULL;
}

const oct_kernels *oct_kernels_get(const char *name, uint32_t mask)
{
    pthread_once(&once, build_tables);
    /* An intersection: a mask can take features away but never invent any. */
    const uint32_t allowed = machine_features & mask;
    for (size_t i = LEVELS; i-- > 0;) {                                   /* strongest first */
        if (name && strcmp(name, levels[i].name) != 0)
            continue;
        if (levels[i].compiled && (levels[i].features & ~allowed) == 0)
            return &tables[i];
    }
    return NULL;
}

/* dispatch.c - which tables there are, and which one this machine may use.
 *
 *   scalar --> avx2 --> avx512 --> avx512vnni          A level's table is the one before it in the chain, copied, with the level's
 *        \---> neon --> neondot                        own entries laid over: what it lacks falls through.
 *
 * All tables are built once, by the first caller, into static memory; afterwards they are only read. Nothing is executed here but the
 * overlays, which are plain assignments, so building the table of an ISA this CPU lacks does no harm.
 */
#include <pthread.h>
#include <string.h>

#include "cpu.h"
#include "kernels.h"

/* The Makefile says which ISA folders are in this build. A missing one has no overlay function to name. */
#ifdef OCT_HAVE_AVX2
#define AVX2_OVERLAY oct_overlay_avx2
#else
#define AVX2_OVERLAY NULL
#endif
#ifdef OCT_HAVE_AVX512
#define AVX512_OVERLAY oct_overlay_avx512
#else
#define AVX512_OVERLAY NULL
#endif
#ifdef OCT_HAVE_AVX512VNNI
#define AVX512VNNI_OVERLAY oct_overlay_avx512vnni
#else
#define AVX512VNNI_OVERLAY NULL
#endif
#ifdef OCT_HAVE_NEON
#define NEON_OVERLAY oct_overlay_neon
#else
#define NEON_OVERLAY NULL
#endif
#ifdef OCT_HAVE_NEONDOT
#define NEONDOT_OVERLAY oct_overlay_neondot
#else
#define NEONDOT_OVERLAY NULL
#endif

typedef struct level {
    oct_isa_level public;
    size_t base;                        /* index of the weaker level it builds on; scalar: itself */
    void (*overlay)(oct_kernels *table);
} level;

enum { SCALAR, AVX2, AVX512, AVX512VNNI, NEON, NEONDOT, LEVELS };

static const level levels[LEVELS] = {
    [SCALAR] = {{"scalar", "nothing", 0, true}, SCALAR, oct_overlay_scalar},
    [AVX2] = {{"avx2", "AVX2, FMA", OCT_CPU_AVX2, AVX2_OVERLAY != NULL}, SCALAR, AVX2_OVERLAY},
    [AVX512] = {{"avx512", "AVX-512 F, BW, DQ, VL", OCT_CPU_AVX2 | OCT_CPU_AVX512, AVX512_OVERLAY != NULL}, AVX2, AVX512_OVERLAY},
    [AVX512VNNI] = {{"avx512vnni", "AVX-512 F, BW, DQ, VL, VNNI", OCT_CPU_AVX2 | OCT_CPU_AVX512 | OCT_CPU_AVX512VNNI,
                     AVX512VNNI_OVERLAY != NULL}, AVX512, AVX512VNNI_OVERLAY},
    [NEON] = {{"neon", "Advanced SIMD", OCT_CPU_NEON, NEON_OVERLAY != NULL}, SCALAR, NEON_OVERLAY},
    [NEONDOT] = {{"neondot", "Advanced SIMD, dot product", OCT_CPU_NEON | OCT_CPU_DOTPROD, NEONDOT_OVERLAY != NULL}, NEON,
                 NEONDOT_OVERLAY},
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static oct_kernels tables[LEVELS];
static uint32_t machine_features;       /* asked once: cpuid is slow in a virtual machine */

/* `base` is always an earlier index, so one pass in order suffices. */
static void build_tables(void)
{
    machine_features = oct_cpu_features();
    for (size_t i = 0; i < LEVELS; i++) {
        if (levels[i].base != i)
            tables[i] = tables[levels[i].base];
        if (levels[i].overlay)
            levels[i].overlay(&tables[i]);
        tables[i].isa = levels[i].public.name;
    }
}

size_t oct_isa_level_count(void) { return LEVELS; }

const oct_isa_level *oct_isa_level_at(size_t index) { return index < LEVELS ? &levels[index].public : NULL; }

static bool usable(const oct_isa_level *l, uint32_t allowed) { return l->compiled && (l->features & ~allowed) == 0; }

const oct_kernels *oct_kernels_get(const char *name, uint32_t mask)
{
    pthread_once(&once, build_tables);
    const uint32_t allowed = machine_features & mask;
    for (size_t i = LEVELS; i-- > 0;) {                                   /* strongest first */
        if (name && strcmp(name, levels[i].public.name) != 0)
            continue;
        if (usable(&levels[i].public, allowed))
            return &tables[i];
    }
    return NULL;
}

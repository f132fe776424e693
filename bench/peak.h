/* peak.h - what this machine can do at best, measured in the same run as everything that is compared with it.
 *
 *   f32, u8s8   operations per second (a multiply-add is two) of a loop that never leaves the registers, for each instruction set
 *   bandwidth   bytes per second of a loop that only reads, from data that fit one memory level
 */
#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H

#include "machine.h"
#include "team.h"

/* The loops of one instruction set; bench/peak_<isa>.c holds them. */
typedef struct peak_loops {
    const char *isa;
    /* Run `steps` steps of independent multiply-adds; return the operations done. u8s8 has one entry per way the ISA multiplies
     * bytes exactly or where packing has proved that nothing saturates; the fastest is the peak. */
    double (*f32)(size_t steps);
    double (*u8s8[2])(size_t steps);
    /* Reads all of it once; bytes is a multiple of 1024. */
    void (*read)(const void *data, size_t bytes);
} peak_loops;

extern const peak_loops peak_loops_scalar, peak_loops_avx2, peak_loops_avx512, peak_loops_avx512vnni, peak_loops_neon,
    peak_loops_neondot;

typedef enum peak_level { PEAK_L1, PEAK_L2, PEAK_L3, PEAK_DRAM, PEAK_LEVELS } peak_level;

/* "l1", "l2", "l3", "dram" */
const char *peak_level_name(peak_level level);

#define PEAK_MAX_ISAS 16

/* All figures are sums over `threads` threads working at once. */
typedef struct peaks {
    int threads;
    int isa_count;
    struct {
        const char *isa;
        double f32, u8s8; /* operations per second */
    } isas[PEAK_MAX_ISAS];
    double bandwidth[PEAK_LEVELS];   /* bytes per second, by the fastest instruction set */
    size_t level_bytes[PEAK_LEVELS]; /* capacity; of private levels per core; DRAM: SIZE_MAX */
} peaks;

/* Takes about half a second. false if memory is short. */
bool peak_measure(const machine *m, team *t, peaks *p);

/* The measured peak of `isa`; of the nearest weaker one for an instruction set that has no loops of its own. */
double peak_ops(const peaks *p, const char *isa, bool int8);

/* The smallest level that holds `bytes`. Private levels count once per thread. */
peak_level peak_level_of(const peaks *p, size_t bytes);

/* What a piece of work has to do at least. */
typedef struct peak_work {
    const char *isa;
    bool int8;
    double ops;        /* 0: its arithmetic does not matter */
    size_t bytes;      /* that must be moved ... */
    peak_level level;  /* ... from or to here */
    size_t near_bytes; /* and others, in a nearer level */
    peak_level near_level;
} peak_work;

typedef struct peak_bound {
    double seconds;   /* no run can be faster than this */
    const char *name; /* what forbids it: "compute", "l1", "l2", "l3" or "dram" */
    double compute, memory; /* the two sides of the roof, seconds: the longer one counts */
} peak_bound;

peak_bound peak_bound_of(const peaks *p, const peak_work *work);

#endif

/* cpu.h - what the CPU has and the operating system lets us use, as bits. */
#ifndef OCT_CPU_H
#define OCT_CPU_H

#include <stdint.h>

enum {
    OCT_CPU_AVX2 = 1u << 0,        /* AVX2, FMA3, and the OS saves ymm */
    OCT_CPU_AVX512 = 1u << 1,      /* AVX-512 F, BW, DQ, VL, and the OS saves zmm and masks */
    OCT_CPU_AVX512VNNI = 1u << 2,
    OCT_CPU_NEON = 1u << 8,
    OCT_CPU_DOTPROD = 1u << 9      /* ARMv8.2 udot, sdot */
};

/* cpuid + xgetbv on x86, hwcap on Arm. */
uint32_t oct_cpu_features(void);

#endif

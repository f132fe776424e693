#include "cpu.h"

/* One whole function per processor family; a family without one has no features and runs the scalar kernels. */

#if defined(__x86_64__)

#include <cpuid.h>

/* The XCR0 register: which register files the operating system saves on a context switch. The instruction is written out because
 * the compiler's intrinsic wants -mxsave. Only valid after cpuid has shown OSXSAVE. */
static uint64_t read_xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return ((uint64_t)high << 32) | low;
}

static int has(uint32_t reg, unsigned bit) { return (int)((reg >> bit) & 1u); }

uint32_t oct_cpu_features(void)
{
    uint32_t eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx))
        return 0;
    const int fma = has(ecx, 12), osxsave = has(ecx, 27), avx = has(ecx, 28);
    if (!osxsave || !avx)
        return 0;

    /* XCR0 bits: 1 xmm, 2 upper halves of ymm; 5 mask registers, 6 upper halves of zmm0..15, 7 zmm16..31. */
    const uint64_t xcr0 = read_xcr0();
    const int os_ymm = (xcr0 & 0x06u) == 0x06u;
    const int os_zmm = (xcr0 & 0xE6u) == 0xE6u;

    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
        return 0;
    const int avx2 = has(ebx, 5);
    const int f = has(ebx, 16), dq = has(ebx, 17), bw = has(ebx, 30), vl = has(ebx, 31);
    const int vnni = has(ecx, 11);

    uint32_t features = 0;
    if (os_ymm && avx2 && fma)
        features |= OCT_CPU_AVX2;
    if (os_zmm && f && dq && bw && vl)
        features |= OCT_CPU_AVX512;
    if (os_zmm && f && vnni)
        features |= OCT_CPU_AVX512VNNI;
    return features;
}

#elif defined(__aarch64__)

#include <sys/auxv.h>

/* Bits of AT_HWCAP as the kernel's arm64 ABI fixes them (asm/hwcap.h); set only if kernel and CPU both have the feature. */
#define HWCAP_BIT_ASIMD   (1ul << 1)
#define HWCAP_BIT_ASIMDDP (1ul << 20)

uint32_t oct_cpu_features(void)
{
    const unsigned long hwcap = getauxval(AT_HWCAP);
    uint32_t features = 0;
    if (hwcap & HWCAP_BIT_ASIMD)
        features |= OCT_CPU_NEON;
    if (hwcap & HWCAP_BIT_ASIMDDP)
        features |= OCT_CPU_DOTPROD;
    return features;
}

#else

uint32_t oct_cpu_features(void) { return 0; }

#endif

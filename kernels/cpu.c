/* cpu.c - asks processor and operating system. Both must agree: an operating system that does not save a register file on a context
 * switch leaves its instructions useless or forbidden, whatever the processor can do.
 *
 *   x86      cpuid leaf 1: FMA, AVX, OSXSAVE    leaf 7: AVX2, AVX-512    xgetbv: what the system saves
 *   aarch64  the hardware capabilities the kernel hands to every process: both questions in one
 */
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
    /* OSXSAVE: the system has switched xgetbv on. Without it there is nothing to ask, and nothing wider than xmm. */
    const int fma = has(ecx, 12), osxsave = has(ecx, 27), avx = has(ecx, 28);
    if (!osxsave || !avx)
        return 0;

    /* XCR0 bits: 1 xmm, 2 upper halves of ymm; 5 mask registers, 6 upper halves of zmm0..15, 7 zmm16..31. */
    const uint64_t xcr0 = read_xcr0();
    const int os_ymm = (xcr0 & 0x06u) == 0x06u;
    const int os_zmm = (xcr0 & 0xE6u) == 0xE6u;

    /* Leaf 7 names the extensions. The count function fails where the processor has no such leaf. */
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
        return 0;
    const int avx2 = has(ebx, 5);
    const int f = has(ebx, 16), dq = has(ebx, 17), bw = has(ebx, 30), vl = has(ebx, 31);
    const int vnni = has(ecx, 11);

    /* A level's kernels are compiled with all its flags at once, so its bit means all of them: the first AVX-512 processors for
     * servers have F, BW, DQ and VL; those that have less (Xeon Phi) do not count. */
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

/* unroll.h - for tiles of registers: a loop over an array of vectors must be gone before registers are given out, or the array
 * lives on the stack. OCT_UNROLLED goes before a loop with constant bounds, OCT_INLINE before a function whose parameters are
 * constants where it is called. */
#ifndef OCT_UNROLL_H
#define OCT_UNROLL_H

#define OCT_INLINE static inline __attribute__((always_inline))

#ifdef __clang__
#define OCT_UNROLLED _Pragma("clang loop unroll(full)")
#else
#define OCT_UNROLLED _Pragma("GCC unroll 32")
#endif

#endif

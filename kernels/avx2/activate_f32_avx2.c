/* activate_f32_avx2.c - element functions: the loops of activate_body.h, as the compiler vectorises them for this ISA. */
#include "activate_body.h"
#include "avx2.h"

void oct_activate_f32_avx2(const oct_activation *f, size_t n, const float *in, float *out) { activate(f, n, in, out); }

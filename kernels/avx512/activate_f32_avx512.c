/* activate_f32_avx512.c - element functions: the loops of activate_body.h, as the compiler vectorises them for this ISA. */
#include "activate_body.h"
#include "ops_avx512.h"

void oct_activate_f32_avx512(const oct_activation *f, size_t n, const float *in, float *out) { activate(f, n, in, out); }

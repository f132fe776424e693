/* activate_f32_neon.c - element functions: the loops of activate_body.h, as the compiler vectorises them for this ISA. */
#include "activate_body.h"
#include "neon.h"

void oct_activate_f32_neon(const oct_activation *f, size_t n, const float *in, float *out) { activate(f, n, in, out); }

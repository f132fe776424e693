/* activation.h - element functions over arrays, and what a fused one means for an epilogue. */
#ifndef OCT_ACTIVATION_H
#define OCT_ACTIVATION_H

#include "graph.h"
#include "kernels.h"

/* out[i] = f(in[i]), as oct_function_eval up to the kernels' bound (kernels.h); in == out is allowed. */
void oct_activate(const oct_kernels *kernels, const oct_function *f, size_t n, const float *in, float *out);

/* The entry of the kernel table that oct_activate uses: "clamp_f32", "activate_f32", or NULL for the plain definition. */
const char *oct_activation_kernel(const oct_function *f);

/* The same in place, in the form of an oct_post: arg points at an oct_activator. */
typedef struct oct_activator {
    const oct_kernels *kernels;
    const oct_function *f;
} oct_activator;
void oct_activate_row(const void *arg, void *row, size_t n);

/* A fused activation as the kernels take it: clamps as bounds, anything else (f32 results only) as a pass over the fresh output. */
typedef struct oct_bounds {
    float lo, hi;              /* u8: what lo..hi and 0..255 have in common, so finite */
    uint8_t qlo, qhi;          /* 0, 255 for f32 */
    const oct_function *rest;  /* NULL: nothing left to do */
} oct_bounds;

/* act may be NULL. Errors: UNSUPPORTED (a u8 result can take a clamp only: it has no scale for the value before the function). */
oct_status oct_bounds_of(const oct_function *act, bool u8, float scale, int32_t zero, oct_bounds *bounds);

#endif

/* winograd_f32_neon.c - the transforms of float Winograd (winograd_f32_body.h), 4 channels at a time. */
#include "epilogue_neon.h"
#include "neon.h"

enum { LANES = 4 };
typedef float32x4_t vector;

OCT_INLINE vector add(vector x, vector y) { return vaddq_f32(x, y); }
OCT_INLINE vector sub(vector x, vector y) { return vsubq_f32(x, y); }
OCT_INLINE vector times(float f, vector x) { return vmulq_n_f32(x, f); }
OCT_INLINE vector plus_times(vector y, float f, vector x) { return vfmaq_n_f32(y, x, f); }
OCT_INLINE vector load(const void *from) { return vld1q_f32(from); }
OCT_INLINE void store(void *to, vector x) { vst1q_f32(to, x); }
OCT_INLINE vector load_pixel(const float *from, size_t left) { return load_f32x4(from, at_most_4(left)); }

/* Up to four channels of one pixel. */
OCT_INLINE void store_pixel(const oct_epilogue *e, size_t at, size_t residual_at, size_t left, vector y)
{
    const size_t size = e->out_elem == OCT_ELEM_F32 ? sizeof(float) : 1;
    oct_epilogue here = *e;
    here.out = (char *)e->out + at * size;
    if (e->residual)
        here.residual = (const char *)e->residual + residual_at * size;
    finish_f32x4(&here, 0, 0, at_most_4(left), y);
}

#include "winograd_f32_body.h"

void oct_winograd_input_f32_neon(const oct_winograd_input *job) { input_transform(job); }
void oct_winograd_output_f32_neon(const oct_winograd_output *job) { output_transform(job); }

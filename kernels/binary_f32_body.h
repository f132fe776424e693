/* binary_f32_body.h - f32 operands, element by element, one body for all widths. The including file has
 *
 *   stretch_f32(job, kind, n, a, b, out)   out[i] = a[i] op b[i] for i < n, clamped; inlined, for a constant kind
 */
#ifndef OCT_BINARY_F32_BODY_H
#define OCT_BINARY_F32_BODY_H

#include "binary_walk.h"
#include "scalar/scalar.h"

/* The kind becomes a constant: no question is left inside the loop. */
static void stretch_of_kind(const void *settings, size_t n, const void *a, const void *b, void *out)
{
    const oct_binary_job *job = settings;
    switch (job->kind) {
    case OCT_KIND_ADD: stretch_f32(job, OCT_KIND_ADD, n, a, b, out); break;
    case OCT_KIND_MUL: stretch_f32(job, OCT_KIND_MUL, n, a, b, out); break;
    case OCT_KIND_SUB: stretch_f32(job, OCT_KIND_SUB, n, a, b, out); break;
    case OCT_KIND_DIV: stretch_f32(job, OCT_KIND_DIV, n, a, b, out); break;
    case OCT_KIND_MIN: stretch_f32(job, OCT_KIND_MIN, n, a, b, out); break;
    case OCT_KIND_MAX: stretch_f32(job, OCT_KIND_MAX, n, a, b, out); break;
    case OCT_KIND_POW: break;
    }
}

static void binary_f32(const oct_binary_job *job)
{
    if (job->kind == OCT_KIND_POW)
        oct_binary_f32_scalar(job);     /* libm's; rare */
    else
        oct_binary_walk(job, sizeof(float), stretch_of_kind, job);
}

#endif

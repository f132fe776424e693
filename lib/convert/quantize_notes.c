/* The notes of a quantized graph (docs/FORMAT.md): how it was calibrated, and for each tensor and layer what was decided. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "memory.h"
#include "quantize.h"
#include "status.h"

/* A text that grows. */
typedef struct text {
    char *bytes;
    size_t length, room;
} text;

/* A line longer than the buffer (a name of hundreds of bytes) is cut. */
static oct_status add_line(text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static oct_status add_line(text *t, const char *format, ...)
{
    char line[512];
    va_list list;
    va_start(list, format);
    const int wrote = vsnprintf(line, sizeof line - 1, format, list);
    va_end(list);
    const size_t length = wrote < 0 ? 0 : (size_t)wrote < sizeof line - 2 ? (size_t)wrote : sizeof line - 2;
    if (t->length + length + 2 > t->room) {
        const size_t room = 2 * t->room + sizeof line;
        char *grown = oct_grow(t->bytes, t->room, room, 1);
        if (!grown)
            return oct_fail_memory(room);
        t->bytes = grown;
        t->room = room;
    }
    memcpy(t->bytes + t->length, line, length);
    t->bytes[t->length + length] = '\n';
    t->bytes[t->length + length + 1] = 0;
    t->length += length + 1;
    return OCT_OK;
}

static oct_status note_options(text *t, const oct_decisions *d)
{
    const oct_quantize_options *o = &d->options;
    oct_range_method method;
    const char *weights = o->weights ? o->weights : "mse";
    oct_range_method_by_name(o->method, &method);
    OCT_TRY(add_line(t, "quantized by octet %s", oct_version()));
    OCT_TRY(add_line(t, "samples %lld digest %016llx", (long long)oct_calibration_samples(d->calibration),
                     (unsigned long long)oct_calibration_digest(d->calibration)));
    if (method == OCT_RANGE_PERCENTILE && o->percentile > 0)
        OCT_TRY(add_line(t, "method percentile %.9g", o->percentile));
    else
        OCT_TRY(add_line(t, "method %s", oct_range_method_name(method)));
    return add_line(t, "weights %s, rounding %s, bias correction %s", strcmp(weights, "tensor") ? weights : "max per layer",
                    o->rounding ? o->rounding : "auto", o->no_bias_correction ? "off" : "on");
}

/* The reals that bytes 0 and 255 stand for. */
static oct_status note_range(text *t, const oct_quant_plan *plan, int value)
{
    const oct_scale s = plan->scale[value];
    return add_line(t, "range [%.6g, %.6g] %s %s", (double)s.scale * (0 - s.zero_point), (double)s.scale * (255 - s.zero_point),
                    oct_range_method_name(plan->range[value].method), plan->graph->values[value].name);
}

static oct_status note_float(text *t, const oct_quant_plan *plan, int n)
{
    const oct_decisions *d = plan->decisions;
    const char *name = plan->graph->nodes[n].name;
    if (d->in_float[n] == OCT_FLOAT_ASKED)
        return add_line(t, "float asked %s", name);
    if (d->in_float[n] == OCT_FLOAT_SENSITIVE)
        return add_line(t, "float %.1f dB %s", d->sensitivity[n], name);
    return add_line(t, "float numbers %s", name);
}

static oct_status note_all(text *t, const oct_quant_plan *plan)
{
    OCT_TRY(note_options(t, plan->decisions));
    for (int v = 0; v < plan->values; v++)
        if (oct_plan_has_bytes(plan, v))
            OCT_TRY(note_range(t, plan, v));
    for (int n = 0; n < plan->nodes; n++) {
        const oct_op op = plan->graph->nodes[n].op;
        if ((op == OCT_OP_CONV || op == OCT_OP_DENSE) && plan->role[n] != OCT_ROLE_WEIGHTED)
            OCT_TRY(note_float(t, plan, n));
    }
    return OCT_OK;
}

oct_status oct_note_plan(oct_quant_plan *plan)
{
    text t = {0};
    const oct_status status = note_all(&t, plan);
    if (status != OCT_OK) {
        oct_free(t.bytes);
        return status;
    }
    oct_free(plan->graph->notes);
    plan->graph->notes = t.bytes;
    return OCT_OK;
}

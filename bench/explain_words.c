/* explain_words.c - what the figures of explain.c mean, for people who will not read the table. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "explain.h"

/* ---------------------------------------------------------------------------------------------- layers ---- */

static bool is_depthwise(const model_layer *layer)
{
    return !strcmp(layer->algo, "depthwise");
}

/* The number of taps follows from the multiply-adds: products per output, less the input channels each output sees. */
static void kernel_text(const model_layer *layer, char *text, size_t size)
{
    double outputs = 1;
    for (int i = 0; i < layer->out.rank; i++)
        outputs *= (double)layer->out.dims[i];
    const double channels = is_depthwise(layer) || layer->in.rank < 1 ? 1 : (double)layer->in.dims[layer->in.rank - 1];
    const double taps = (double)layer->macs / outputs / channels, side = floor(sqrt(taps) + 0.5);
    if (side * side > taps - 0.01 && side * side < taps + 0.01)
        snprintf(text, size, " %.0fx%.0f", side, side);
    else if (taps >= 1)
        snprintf(text, size, ", %.0f taps", taps);
    else
        text[0] = '\0';
}

char *explain_shape(const model_layer *layer, char *text, size_t size)
{
    char kernel[32] = "", dims[64] = "";
    size_t used = 0;
    /* Without the batch, which is 1 nearly always. */
    for (int i = layer->out.rank > 1 && layer->out.dims[0] == 1; i < layer->out.rank && used < sizeof dims; i++)
        used += (size_t)snprintf(dims + used, sizeof dims - used, "%s%lld", used ? "x" : "", (long long)layer->out.dims[i]);
    if (layer->macs > 0 && !strcmp(layer->op, "conv"))
        kernel_text(layer, kernel, sizeof kernel);
    snprintf(text, size, "%s%s, %s", is_depthwise(layer) ? "depthwise" : layer->op, kernel, dims);
    return text;
}

/* "compute-bound" or "memory-bound in L2" */
static void bound_text(const model_layer *layer, char *text, size_t size)
{
    if (!strcmp(layer->bound.name, "compute")) {
        snprintf(text, size, "compute-bound");
        return;
    }
    snprintf(text, size, "memory-bound in %s", layer->bound.name);
    for (char *c = text + strlen(text) - strlen(layer->bound.name); *c; c++)
        *c = (char)toupper((unsigned char)*c);
}

static double share(const model_layer *layer)
{
    return model_percent(layer->bound.seconds, layer->seconds);
}

/* A layer that is int8 in one model and float in the other: what bounds it, and which side comes how near. */
static void pair_reason(explain_layer *p, double ratio, const char *shape)
{
    char bound[48];
    const double gain = p->to > 0 ? p->from / p->to : 0;
    const double fewer = p->int8->bytes_moved > 0 ? (double)p->f32->bytes_moved / (double)p->int8->bytes_moved : 1;
    const double share_f32 = model_algo_share(p->f32->algo, p->f32->kernel),
                 share_int8 = model_algo_share(p->int8->algo, p->int8->kernel);
    bound_text(p->int8, bound, sizeof bound);
    if (strcmp(p->int8->bound.name, "compute") != 0 || p->int8->macs == 0)
        snprintf(p->reason, sizeof p->reason, "%s: %s; int8 moves %.1fx fewer bytes, gains %.1fx", shape, bound, fewer, gain);
    else if (share_f32 < 0.99 * share_int8)
        snprintf(p->reason, sizeof p->reason, "%s: float needs %.1fx fewer products (%s), int8 %s; gains %.1fx of %.1fx", shape,
                 1 / share_f32, p->f32->algo, share_int8 < 0.99 ? "saves less" : "does not save any", gain, ratio);
    else if (share(p->int8) < 0.9 * share(p->f32))
        snprintf(p->reason, sizeof p->reason,
                 "%s: the int8 kernel reaches %.0f %% of its peak, float's %.0f %%; gains %.1fx of %.1fx", shape, share(p->int8),
                 share(p->f32), gain, ratio);
    else
        snprintf(p->reason, sizeof p->reason, "%s: %s at %.0f %% of peak (float %.0f %%); gains %.1fx of %.1fx", shape, bound,
                 share(p->int8), share(p->f32), gain, ratio);
}

void explain_reason(explain_layer *p, double ratio)
{
    char shape[96];
    explain_shape(p->int8 ? p->int8 : p->f32, shape, sizeof shape);
    switch (p->kind) {
    case EXPLAIN_INT8:
        pair_reason(p, ratio, shape);
        break;
    case EXPLAIN_FLOAT:
        snprintf(p->reason, sizeof p->reason, "%s: stays float; %.1f us before, %.1f us after", shape, 1e6 * p->from, 1e6 * p->to);
        break;
    case EXPLAIN_ADDED:
        snprintf(p->reason, sizeof p->reason, "%s: only the int8 model has it (%s)", shape, p->int8->precision);
        break;
    case EXPLAIN_GONE:
        snprintf(p->reason, sizeof p->reason, "%s: the int8 model does without it", shape);
        break;
    }
}

/* --------------------------------------------------------------------------------------------- verdict ---- */

/* What a poor factor comes from, in plain words. */
static const char *in_words(const char *factor)
{
    static const struct {
        const char *name, *words;
    } table[] = {
        {"coverage", "part of the work stays in float"},
        {"memory", "some layers wait for memory, where fewer bytes help less than faster arithmetic would"},
        {"algorithms", "float saves more of the products (Winograd) than int8 can"},
        {"kernels", "the int8 kernels come less near to their peak than float's do"},
        {"conversions", "quantising and requantising takes time that float does not need"},
        {"threads", "int8 gains less from more threads"},
        {"overhead", "time passes between the layers"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (!strcmp(table[i].name, factor))
            return table[i].words;
    return "";
}

/* The smallest factor, hardware apart; NULL if none costs more than 2 %. */
static const explain_factor *worst_factor(const explanation *e)
{
    const explain_factor *worst = NULL;
    for (int i = 1; i < e->factor_count; i++)
        if (e->factors[i].factor < (worst ? worst->factor : 0.98))
            worst = &e->factors[i];
    return worst;
}

/* Three sentences: is it faster, what was possible, what stands in the way. */
void explain_verdict(const explain_input *in, explanation *e)
{
    const stats_interval *s = &in->speedup;
    const explain_factor *worst = worst_factor(e);
    const double hardware = e->factors[0].factor;
    size_t used = 0, size = sizeof e->verdict;
    if (s->lo > 1)
        used = (size_t)snprintf(e->verdict, size, "Yes: int8 makes this model %.2f times as fast here.", s->median);
    else if (s->hi < 1)
        used = (size_t)snprintf(e->verdict, size, "No: int8 makes this model slower here (%.2f of float's speed).", s->median);
    else
        used = (size_t)snprintf(e->verdict, size, "No difference beyond chance: %.2f, 95 %% between %.2f and %.2f.", s->median,
                                s->lo, s->hi);
    used += (size_t)snprintf(e->verdict + used, size - used, " The arithmetic of this CPU could give %.2f", hardware);
    if (s->median >= hardware)
        used += (size_t)snprintf(e->verdict + used, size - used,
                                 "; int8 gains even more, since it moves fewer bytes or its kernels are the better ones.");
    else if (worst)
        used += (size_t)snprintf(e->verdict + used, size - used, "; most of the difference (a factor of %.2f): %s.", worst->factor,
                                 in_words(worst->name));
    else
        used += (size_t)snprintf(e->verdict + used, size - used, ", and nearly all of it arrives.");
    if (e->layer_count && e->layers[0].loss > 0 && used < size)
        snprintf(e->verdict + used, size - used, " The layer that costs most against the ideal is %s.",
                 e->layers[0].int8 ? e->layers[0].int8->name : e->layers[0].f32->name);
}

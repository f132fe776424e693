/* explain.c - the ladder of explain.h: pairs layers by name, sums up the rungs, divides neighbours. */
#include "explain.h"

#include <stdlib.h>
#include <string.h>

/* ----------------------------------------------------------------------------------------------- pairs ---- */

/* Quantizing keeps the layers' names. */
static const model_layer *find_layer(const model_layer *layers, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(layers[i].name, name))
            return &layers[i];
    return NULL;
}

static bool is_int8(const model_layer *layer) { return !strncmp(layer->precision, "int8", 4); }

/* With an algorithm that computes only a share of the plain products. It may exceed what the plain bound allows. */
static double bound_with_algo(const model_layer *layer)
{
    const double compute = layer->bound.compute * model_algo_share(layer->algo, layer->kernel);
    return compute > layer->bound.memory ? compute : layer->bound.memory;
}

/* A side without work of its own (a view) has no bound to compare: then the hardware's ratio stands. */
static double ratio_or(double numerator, double denominator, double otherwise)
{
    return numerator > 0 && denominator > 0 ? numerator / denominator : otherwise;
}

/* Requantisation is estimated by the number of outputs, but never more than half of what was measured. */
static void compare_pair(explain_layer *p, const explain_input *in)
{
    p->from = p->f32 ? p->f32->seconds : 0;
    p->to = p->int8 ? p->int8->seconds : 0;
    p->ideal = p->from / in->ratio;
    p->loss = p->to - p->ideal;
    p->bound_ratio = p->algo_ratio = in->ratio;
    if (p->kind != EXPLAIN_INT8)
        return;
    p->bound_ratio = ratio_or(p->f32->bound.seconds, p->int8->bound.seconds, in->ratio);
    p->algo_ratio = ratio_or(bound_with_algo(p->f32), bound_with_algo(p->int8), p->bound_ratio);
    if (p->int8->macs > 0 && strcmp(p->int8->precision, "int8") == 0) {
        double outputs = 1;
        for (int i = 0; i < p->int8->out.rank; i++)
            outputs *= (double)p->int8->out.dims[i];
        p->requantise = outputs * in->requantise < 0.5 * p->to ? outputs * in->requantise : 0.5 * p->to;
    }
}

/* All layers of the int8 model, then those that only the float model has. */
static bool pair_layers(const explain_input *in, explanation *e)
{
    e->layers = calloc(in->f32_count + in->int8_count + 1, sizeof *e->layers);
    if (!e->layers)
        return false;
    for (size_t i = 0; i < in->int8_count; i++) {
        explain_layer *p = &e->layers[e->layer_count++];
        p->int8 = &in->int8[i];
        p->f32 = find_layer(in->f32, in->f32_count, p->int8->name);
        p->kind = !p->f32 ? EXPLAIN_ADDED : is_int8(p->int8) ? EXPLAIN_INT8 : EXPLAIN_FLOAT;
    }
    for (size_t i = 0; i < in->f32_count; i++)
        if (!find_layer(in->int8, in->int8_count, in->f32[i].name))
            e->layers[e->layer_count++] = (explain_layer){.kind = EXPLAIN_GONE, .f32 = &in->f32[i]};
    for (size_t i = 0; i < e->layer_count; i++)
        compare_pair(&e->layers[i], in);
    return true;
}

/* ---------------------------------------------------------------------------------------------- ladder ---- */

typedef struct ladder {
    double start, hardware, coverage, memory, algorithms, kernels, conversions;
} ladder;

/* One layer's part of every rung. */
static void add_layer(ladder *l, const explain_layer *p)
{
    const bool covered = p->kind == EXPLAIN_INT8 || p->kind == EXPLAIN_GONE;
    l->start += p->from;
    l->hardware += p->ideal;
    l->coverage += covered ? p->ideal : p->from;
    l->memory += covered ? p->from / p->bound_ratio : p->from;
    l->algorithms += covered ? p->from / p->algo_ratio : p->from;
    l->kernels += p->kind == EXPLAIN_ADDED ? 0 : p->to - p->requantise;
    l->conversions += p->to;
}

static void add_factor(explanation *e, const char *name, double factor, const char *what)
{
    e->factors[e->factor_count++] = (explain_factor){name, what, factor};
}

/* Both sums are positive: a model has at least one layer that takes time. */
static void make_factors(const explain_input *in, const ladder *l, explanation *e)
{
    add_factor(e, "hardware", l->start / l->hardware, "int8 peak / f32 peak, now");
    add_factor(e, "coverage", l->hardware / l->coverage, "work that stays float");
    add_factor(e, "memory", l->coverage / l->memory, "layers bound by bytes");
    add_factor(e, "algorithms", l->memory / l->algorithms, "products saved on one side");
    add_factor(e, "kernels", l->algorithms / l->kernels, "int8 kernels beside float's");
    add_factor(e, "conversions", l->kernels / l->conversions, "quantise and requantise");
    if (in->threads > 1)
        add_factor(e, "threads", in->speedup.median / in->serial, "scaling, int8 against float");
    add_factor(e, "overhead", in->serial / (l->start / l->conversions), "between layers");
}

static int by_loss(const void *a, const void *b)
{
    const explain_layer *x = a, *y = b;
    return (y->loss > x->loss) - (y->loss < x->loss);
}

bool explain(const explain_input *in, explanation *e)
{
    ladder l = {0};
    *e = (explanation){.factor_count = 0};
    if (!pair_layers(in, e))
        return false;
    for (size_t i = 0; i < e->layer_count; i++)
        add_layer(&l, &e->layers[i]);
    make_factors(in, &l, e);
    qsort(e->layers, e->layer_count, sizeof *e->layers, by_loss);
    for (size_t i = 0; i < e->layer_count; i++)
        explain_reason(&e->layers[i], in->ratio);
    explain_verdict(in, e);
    return true;
}

void explain_free(explanation *e)
{
    free(e->layers);
    *e = (explanation){.factor_count = 0};
}

/* summary.c - adds up the layers of a model and prints the lines that import, quantize and info have in common. */
#define _POSIX_C_SOURCE 200809L
#include "summary.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "data.h"
#include "table.h"

/* "int8" and "int8>f32" multiply bytes; "f32>u8" is the border into them. */
bool summary_layer_is_int8(const oct_layer_info *layer)
{
    return !strncmp(layer->precision, "int8", 4);
}

int64_t summary_file_bytes(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (int64_t)st.st_size : 0;
}

bool summary_of_model(const oct_model *model, const char *path, summary *s, failure *why)
{
    *s = (summary){.layers = (int64_t)oct_model_layer_count(model), .file_bytes = summary_file_bytes(path)};
    for (int64_t i = 0; i < s->layers; i++) {
        oct_layer_info layer;
        if (oct_model_layer(model, (size_t)i, &layer) != OCT_OK)
            return fail_library(why, path);
        /* Layers count once each, whatever their size; the share of the MACs says how much of the work they are. */
        const bool int8 = summary_layer_is_int8(&layer);
        s->int8_layers += int8;
        s->macs += layer.macs;
        s->int8_macs += int8 ? layer.macs : 0;
        s->dynamic_layers += !strcmp(layer.precision, "int8-dynamic");
        s->float_products += !int8 && (!strcmp(layer.op, "conv") || !strcmp(layer.op, "dense"));
        s->weight_bytes += layer.weight_bytes;
    }
    s->precision = s->int8_layers == 0 ? "f32" : s->dynamic_layers == s->int8_layers ? "int8-dynamic" : "int8";
    return true;
}

/* One line about an input or output; a quantized one with what its numbers stand for. */
static void print_tensor(const char *kind, const oct_tensor_info *info)
{
    char shape[160];
    failure name;   /* for its cleaning of control characters */
    fail_with(&name, "%s", info->name);
    printf("  %-12s\"%s\"  %s  %s", kind, name.text, data_shape_text(&info->shape, shape, sizeof shape),
           oct_dtype_name(info->dtype));
    if (info->dtype == OCT_U8)
        printf(", real = %.9g * (q - %d)", (double)info->scale, (int)info->zero_point);
    printf("\n");
}

/* Which layers are int8, and what that means. */
static void print_precision(const summary *s)
{
    const double percent = s->macs > 0 ? 100 * (double)s->int8_macs / (double)s->macs : 0;
    if (s->int8_layers == 0) {
        printf("  %-12sf32\n", "precision");
        return;
    }
    printf("  %-12s%s in %lld of %lld layers, %.1f %% of the MACs\n", "precision", s->precision, (long long)s->int8_layers,
           (long long)s->layers, percent);
    if (s->dynamic_layers < s->int8_layers) {
        printf("  %-12su8 activations, one scale and zero point each; s8 weights, one scale per channel\n", "");
        return;
    }
    printf("  %-12sf32 activations, quantized to u8 before each int8 layer with the range found in that run;\n"
           "  %-12ss8 weights, one scale per channel\n", "", "");
    if (s->float_products > 0)
        printf("  %-12s%lld convolutions or dense layers stay f32: depthwise, or with too few products of each\n"
               "  %-12sinput element to pay for quantizing it\n", "", (long long)s->float_products, "");
}

/* Fixed labels in the first column, so that the lines of import, quantize and info look alike. */
bool summary_print(const oct_model *model, const summary *s, failure *why)
{
    char macs[40], weights[40], file[40];
    oct_tensor_info info;
    for (size_t i = 0; i < oct_model_input_count(model); i++) {
        if (oct_model_input(model, i, &info) != OCT_OK)
            return fail_library(why, NULL);
        print_tensor("input", &info);
    }
    for (size_t i = 0; i < oct_model_output_count(model); i++) {
        if (oct_model_output(model, i, &info) != OCT_OK)
            return fail_library(why, NULL);
        print_tensor("output", &info);
    }
    printf("  %-12s%lld layers, %s MACs, weights %s, file %s\n", "size", (long long)s->layers,
           table_count((double)s->macs, macs, sizeof macs), table_bytes((double)s->weight_bytes, weights, sizeof weights),
           table_bytes((double)s->file_bytes, file, sizeof file));
    print_precision(s);
    return true;
}

bool summary_print_file(const char *path, failure *why)
{
    oct_model *model;
    summary s;
    if (summary_file_bytes(path) == 0)   /* a device or a pipe took it */
        return true;
    if (oct_model_load(path, &model) != OCT_OK)
        return fail_library(why, path);
    bool ok = summary_of_model(model, path, &s, why);
    if (ok) {
        printf("%s\n", path);
        ok = summary_print(model, &s, why);
    }
    oct_model_free(model);
    return ok;
}

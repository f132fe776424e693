/* html_roofline.c - layers as dots under the roof: operations per byte to the right, operations per second upwards, both by powers.
 *
 *     GOP/s |          ___________  int8 peak
 *           |        / ___________  f32 peak
 *           |      /  .  o                       slopes: bytes per second of L1, L2, L3, memory
 *           |    / o .
 *           +------------------- operations per byte
 *
 * A layer without multiplications (pooling, adding) counts one operation per output element.
 */
#include <math.h>
#include <string.h>

#include "html.h"

#define WIDTH  360.0
#define HEIGHT 250.0
#define LEFT   34.0
#define BOTTOM 222.0
#define TOP    10.0

/* Decades shown. */
static const double x_from = 0.03, x_to = 3000, y_from = 0.3, y_to = 5000;

static double x_of(double intensity)
{
    return LEFT + (WIDTH - LEFT - 4) * log(fmin(fmax(intensity, x_from), x_to) / x_from) / log(x_to / x_from);
}

static double y_of(double gops)
{
    return BOTTOM - (BOTTOM - TOP) * log(fmin(fmax(gops, y_from), y_to) / y_from) / log(y_to / y_from);
}

/* ------------------------------------------------------------------------------------------------ roof ---- */

/* The machine's peaks for that number of threads. */
static const json_value *machine_for(const run_file *run, int threads)
{
    const json_value *machine = json_get(run->root, "machine");
    for (const json_value *p = json_first(json_get(machine, "parallel")); p; p = p->next)
        if ((int)json_number_of(p, "threads", 0) == threads)
            return p;
    return machine;
}

static void put_grid(FILE *to)
{
    for (double v = 0.1; v <= 1000; v *= 10) {
        fprintf(to,
                "<line class=\"g\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.0f\" y2=\"%.0f\"/><text class=\"t\" x=\"%.1f\" y=\"%.0f\" "
                "text-anchor=\"middle\">%g</text>",
                x_of(v), x_of(v), TOP, BOTTOM, x_of(v), BOTTOM + 12, v);
        if (v >= 1)
            fprintf(to,
                    "<line class=\"g\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/><text class=\"t\" x=\"%.0f\" y=\"%.1f\" "
                    "text-anchor=\"end\">%g</text>\n",
                    LEFT, WIDTH - 4, y_of(v), y_of(v), LEFT - 4, y_of(v) + 3, v);
    }
    fprintf(to,
            "<text class=\"t\" x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">operations per byte moved</text><text class=\"t\" x=\"2\" "
            "y=\"8\">GOP/s</text>\n",
            WIDTH - 4, HEIGHT - 3);
}

/* Each level's slope up to the highest peak. */
static void put_slopes(const json_value *machine, double peak, FILE *to)
{
    for (const json_value *b = json_first(json_get(machine, "bandwidth_gbs")); b; b = b->next) {
        if (b->kind != JSON_NUMBER || b->number <= 0 || !b->key)
            continue;
        const double from = fmax(x_from, y_from / b->number), bend = peak / b->number;
        fprintf(
            to,
            "<path class=\"roof s0\" d=\"M%.1f %.1fL%.1f %.1f\"/><text class=\"t\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">",
            x_of(from), y_of(from * b->number), x_of(bend), y_of(peak), x_of(bend), y_of(peak) - 4);
        html_text(b->key, to);
        fputs("</text>\n", to);
    }
}

static void put_peak(double gops, const char *name, FILE *to)
{
    if (gops > 0)
        fprintf(to,
                "<path class=\"roof s0\" d=\"M%.1f %.1fL%.1f %.1f\"/><text class=\"t\" x=\"%.0f\" y=\"%.1f\" "
                "text-anchor=\"end\">%s %.0f</text>\n",
                x_of(1), y_of(gops), WIDTH - 4, y_of(gops), WIDTH - 6, y_of(gops) - 3, name, gops);
}

/* ------------------------------------------------------------------------------------------------ dots ---- */

static double operations(const json_value *layer)
{
    const double macs = json_number_of(layer, "macs", 0);
    double elements = 1;
    for (const json_value *d = json_first(json_get(layer, "out")); d; d = d->next)
        elements *= d->number;
    return macs > 0 ? 2 * macs : elements;
}

/* The area of a dot is its share of the model's time. */
static int put_dots(const json_value *model, FILE *to)
{
    const double total = 1e3 * json_number_of(model, "median_ms", 1);
    int dots = 0;
    for (const json_value *l = json_first(json_get(model, "layers")); l; l = l->next) {
        const double us = json_number_of(l, "median_us", 0), bytes = json_number_of(l, "bytes_moved", 0), ops = operations(l);
        if (!(us > 0 && bytes > 0 && ops > 0) || !strcmp(json_text_of(l, "algo", ""), "none"))
            continue;
        fprintf(to, "<circle class=\"dot f%d\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"><title>",
                strncmp(json_text_of(l, "precision", ""), "int8", 4) ? 3 : 1, x_of(ops / bytes), y_of(1e-3 * ops / us),
                fmin(9, 2 + 20 * sqrt(us / total)));
        html_text(json_text_of(l, "name", "?"), to);
        fprintf(to, " (%s, %s): %.1f us, %.0f GOP/s, %.0f %% of %s peak</title></circle>\n", json_text_of(l, "op", ""),
                json_text_of(l, "precision", ""), us, 1e-3 * ops / us, json_number_of(l, "percent_of_peak", 0),
                json_text_of(l, "bound", "its"));
        dots++;
    }
    return dots;
}

static void put_roofline(const run_file *run, const json_value *f32, const json_value *int8, FILE *to)
{
    const json_value *either = f32 ? f32 : int8;
    const int threads = (int)json_number_of(either, "threads", 1);
    const char *isa = json_text_of(either, "isa", "?");
    const json_value *machine = machine_for(run, threads), *peaks = json_get(json_get(machine, "peaks"), isa);
    const double peak_f32 = json_number_of(peaks, "f32_gflops", 0), peak_int8 = json_number_of(peaks, "u8s8_gops", 0);
    fputs("<figure><figcaption>", to);
    html_text(json_text_of(either, "model", "?"), to);
    fputs(" <span>", to);
    html_text(isa, to);
    fprintf(to, ", %d thread%s", threads, threads > 1 ? "s" : "");
    if (int8) {
        fputs(", ", to);
        html_text(json_text_of(int8, "scheme", ""), to);
    }
    fprintf(to,
            "</span></figcaption><svg viewBox=\"0 0 %.0f %.0f\" role=\"img\"><title>Roofline</title><desc>Operations per second of "
            "each layer over its "
            "operations per byte, under the peaks f32 %.0f and int8 %.0f GOP/s. The table of layers has the figures.</desc>\n",
            WIDTH, HEIGHT, peak_f32, peak_int8);
    put_grid(to);
    put_slopes(machine, fmax(peak_f32, peak_int8), to);
    put_peak(peak_f32, "f32", to);
    put_peak(peak_int8, "int8", to);
    int dots = f32 ? put_dots(f32, to) : 0;
    dots += int8 ? put_dots(int8, to) : 0;
    fprintf(to, "</svg><p class=\"small dim\">%d layers</p></figure>\n", dots);
}

/* A chart for each quantized model with layers, beside its float twin's; and for float models without one. */
void html_rooflines(const run_file *run, FILE *to)
{
    bool begun = false;
    for (const json_value *m = json_first(json_get(run->root, "models")); m; m = m->next) {
        const char *model = json_text_of(m, "model", ""), *isa = json_text_of(m, "isa", "");
        const int threads = (int)json_number_of(m, "threads", 1);
        const bool quantized = strcmp(json_text_of(m, "scheme", ""), "f32") != 0;
        if (!json_first(json_get(m, "layers")) || (!quantized && run_file_model(run, NULL, model, "int8-static", isa, threads)))
            continue;
        if (!begun)
            fputs("<h2>Roofline: every layer as a dot</h2>\n<p class=\"small dim\">A dot's area is its layer's share of the time. "
                  "The lines are what this machine "
                  "can do, measured in the same run; Winograd's layers may lie above, since they save products.</p><div "
                  "class=\"key\"><span>"
                  "<i style=\"background:var(--c3)\"></i>float layers</span><span><i style=\"background:var(--c1)\"></i>int8 "
                  "layers</span></div><div class=\"charts\">\n",
                  to);
        begun = true;
        put_roofline(run, quantized ? run_file_model(run, NULL, model, "f32", isa, threads) : m, quantized ? m : NULL, to);
    }
    if (begun)
        fputs("</div>\n", to);
}

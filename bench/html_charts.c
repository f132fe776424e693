/* html_charts.c - bars and waterfalls as SVG.
 *
 *     0                 130                      318    360
 *     | label           | bars                    | value |      a row each of ROW pixels, an axis below
 */
#include <math.h>
#include <string.h>

#include "html.h"

#define WIDTH 360
#define LEFT  128.0
#define RIGHT 316.0
#define ROW   24
#define TOP   8

/* ------------------------------------------------------------------------------------------------ axis ---- */

/* 1, 2 or 5 times a power of ten, so that about four steps make `largest`. */
static double nice_step(double largest)
{
    const double rough = largest > 0 ? largest / 4 : 1, power = pow(10, floor(log10(rough)));
    const double lead = rough / power;
    return power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
}

static double place(double value, double largest)
{
    return LEFT + (RIGHT - LEFT) * value / largest;
}

/* Grid lines with numbers under them. */
static void put_axis(double largest, int rows, const char *unit, FILE *to)
{
    const double step = nice_step(largest), bottom = TOP + rows * ROW;
    for (double v = 0; v <= largest * 1.0001; v += step)
        fprintf(to,
                "<line class=\"g\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%.0f\"/><text class=\"t\" x=\"%.1f\" y=\"%.0f\" "
                "text-anchor=\"middle\">%g</text>\n",
                place(v, largest), place(v, largest), TOP, bottom, place(v, largest), bottom + 13, v);
    fprintf(to, "<text class=\"t\" x=\"%d\" y=\"%.0f\" text-anchor=\"end\">%s</text>\n", WIDTH, bottom + 13, unit);
}

static void open_svg(int rows, FILE *to)
{
    fprintf(to, "<svg viewBox=\"0 0 %d %d\" role=\"img\">", WIDTH, TOP + rows * ROW + 18);
}

/* Shortened in its middle to what fits left of the bars. */
static void put_label(const char *text, double y, FILE *to)
{
    char cut[24];
    const size_t length = strlen(text);
    if (length > 20)
        snprintf(cut, sizeof cut, "%.8s..%s", text, text + length - 10);
    else
        snprintf(cut, sizeof cut, "%s", text);
    fprintf(to, "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">", LEFT - 6, y);
    html_text(cut, to);
    fputs("</text>", to);
}

/* ------------------------------------------------------------------------------------------- speed-ups ---- */

static bool same_chart(const json_value *a, const json_value *b)
{
    return html_threads(a) == html_threads(b) && !strcmp(json_text_of(a, "isa", ""), json_text_of(b, "isa", ""));
}

/* "f1" for static, "f2" for dynamic, "f3" for what else there may be. */
static int scheme_color(const char *scheme)
{
    return !strcmp(scheme, "f32") ? 0 : !strcmp(scheme, "int8-static") ? 1 : !strcmp(scheme, "int8-dynamic") ? 2 : 3;
}

/* A bar with the interval as a whisker. */
static void put_speedup(const json_value *p, int row, double largest, FILE *to)
{
    const double s = json_number_of(p, "speedup", 0), lo = json_number_of(p, "lo", s), hi = json_number_of(p, "hi", s);
    const double y = TOP + row * ROW, middle = y + ROW / 2.0;
    put_label(json_text_of(p, "model", "?"), middle + 4, to);
    fprintf(to, "<rect class=\"f%d\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"2\"><title>",
            scheme_color(json_text_of(p, "scheme", "")), LEFT, y + 4, place(s, largest) - LEFT, ROW - 8);
    html_text(json_text_of(p, "model", "?"), to);
    fprintf(to, " %s: %.2f (%.2f to %.2f)</title></rect><line class=\"w\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
            json_text_of(p, "scheme", ""), s, lo, hi, place(lo, largest), place(hi, largest), middle, middle);
    fprintf(to, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.2f</text>\n", WIDTH, middle + 4, s);
}

/* All pairs that stand in the same chart as `first`. */
static void put_chart(const run_file *run, const json_value *pairs, const json_value *first, FILE *to)
{
    double largest = 1;
    int rows = 0, row = 0;
    for (const json_value *p = json_first(pairs); p; p = p->next)
        if (same_chart(p, first)) {
            rows++;
            largest = fmax(largest, json_number_of(p, "hi", 0));
        }
    fputs("<figure><figcaption>", to);
    html_text(json_text_of(first, "isa", "?"), to);
    fprintf(to, " <span>%d thread%s, ", html_threads(first), html_threads(first) > 1 ? "s" : "");
    html_text(run_file_engine(run, first), to);
    fputs("</span></figcaption>", to);
    open_svg(rows, to);
    fputs("<title>Speed-up of int8 over f32</title><desc>", to);
    for (const json_value *p = json_first(pairs); p; p = p->next)
        if (same_chart(p, first)) {
            html_text(json_text_of(p, "model", "?"), to);
            fprintf(to, " %s %.2f (%.2f to %.2f); ", json_text_of(p, "scheme", ""), json_number_of(p, "speedup", 0),
                    json_number_of(p, "lo", 0), json_number_of(p, "hi", 0));
        }
    fputs("</desc>\n", to);
    put_axis(largest, rows, "times", to);
    for (const json_value *p = json_first(pairs); p; p = p->next)
        if (same_chart(p, first))
            put_speedup(p, row++, largest, to);
    fprintf(to, "<line class=\"one\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/></svg></figure>\n", place(1, largest),
            place(1, largest), TOP, TOP + rows * ROW);
}

void html_speedups(const run_file *run, FILE *to)
{
    const json_value *pairs = json_get(run->root, "pairs");
    if (!json_first(pairs))
        return;
    fputs("<h2>Speed-up of int8 over f32</h2>\n<p class=\"small dim\">Bar: median of the ratios within rounds. Line across its "
          "end: 95&nbsp;% "
          "interval. Dashed: no gain.</p><div class=\"key\"><span><i style=\"background:var(--c1)\"></i>int8-static</span><span>"
          "<i style=\"background:var(--c2)\"></i>int8-dynamic</span></div>\n<div class=\"charts\">",
          to);
    for (const json_value *p = json_first(pairs); p; p = p->next) {
        const json_value *first = json_first(pairs);
        while (!same_chart(first, p))
            first = first->next;
        if (first == p)
            put_chart(run, pairs, p, to);
    }
    fputs("</div>\n", to);
}

/* ------------------------------------------------------------------------------------------- waterfall ---- */

/* From the product before to the product after. */
static void put_step(const json_value *f, double from, double after, int row, double largest, FILE *to)
{
    const double y = TOP + row * ROW, left = place(fmin(from, after), largest), right = place(fmax(from, after), largest);
    put_label(json_text_of(f, "name", "?"), y + ROW / 2.0 + 4, to);
    fprintf(to, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" rx=\"1\"><title>",
            after >= from ? "up" : "dn", left, y + 4, fmax(right - left, 1.5), ROW - 8);
    html_text(json_text_of(f, "what", ""), to);
    fprintf(to, "</title></rect><line class=\"g\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", place(after, largest),
            place(after, largest), y + ROW - 4, y + ROW + 4);
    fprintf(to, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">&times;%.3f</text>\n", WIDTH, y + ROW / 2.0 + 4,
            json_number_of(f, "factor", 1));
}

void html_waterfall(const json_value *explain, FILE *to)
{
    const json_value *factors = json_get(explain, "factors");
    const double total = json_number_of(json_get(explain, "speedup"), "median", 0);
    double largest = fmax(total, 1), product = 1;
    int row = 0;
    for (const json_value *f = json_first(factors); f; f = f->next)
        largest = fmax(largest, product *= json_number_of(f, "factor", 1));
    const int rows = (factors ? (int)factors->count : 0) + 1;
    fputs("<figure><figcaption>The factors <span>each from the speed-up before it to the one after it</span></figcaption>", to);
    open_svg(rows, to);
    fputs("<title>Factors of the speed-up</title><desc>", to);
    for (const json_value *f = json_first(factors); f; f = f->next) {
        html_text(json_text_of(f, "name", "?"), to);
        fprintf(to, " %.3f; ", json_number_of(f, "factor", 1));
    }
    fprintf(to, "together %.2f</desc>\n", total);
    put_axis(largest, rows, "times", to);
    product = 1;
    for (const json_value *f = json_first(factors); f; f = f->next) {
        const double from = row ? product : 0;
        product *= json_number_of(f, "factor", 1);
        put_step(f, from, product, row++, largest, to);
    }
    put_label("measured", TOP + row * ROW + ROW / 2.0 + 4, to);
    fprintf(to,
            "<rect class=\"f1\" x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/><text x=\"%d\" y=\"%.1f\" "
            "text-anchor=\"end\">%.2f</text>"
            "<line class=\"one\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/></svg>",
            LEFT, TOP + row * ROW + 4, place(total, largest) - LEFT, ROW - 8, WIDTH, TOP + row * ROW + ROW / 2.0 + 4, total,
            place(1, largest), place(1, largest), TOP, TOP + rows * ROW);
    fputs("</figure>\n<figure><figcaption>What they are</figcaption><div class=\"scroll\"><table><tbody>", to);
    for (const json_value *f = json_first(factors); f; f = f->next) {
        fputs("<tr><td>", to);
        html_text(json_text_of(f, "name", "?"), to);
        fprintf(to, "</td><td>%.3f</td><td class=\"l\">", json_number_of(f, "factor", 1));
        html_text(json_text_of(f, "what", ""), to);
        fputs("</td></tr>\n", to);
    }
    fprintf(
        to,
        "<tr><td><b>product</b></td><td><b>%.3f</b></td><td class=\"l\">measured: %.3f</td></tr></tbody></table></div></figure>\n",
        product, total);
}

/* --------------------------------------------------------------------------------------------- engines ---- */

#define BAR 13

/* What the bars of a chart have in common. */
typedef struct engine_chart {
    const run_file *runs;
    int run_count;
    html_column columns[HTML_MAX_COLUMNS];
    int column_count;
    const char *scheme;
    int threads;
} engine_chart;

static bool in_chart(const engine_chart *chart, int run, const json_value *m)
{
    return !strcmp(json_text_of(m, "scheme", ""), chart->scheme) && html_threads(m) == chart->threads &&
           html_is_row(chart->runs, run, chart->columns, chart->column_count, m);
}

/* 0 where the column does not have the model. */
static double bar_ms(const engine_chart *chart, int column, const char *model)
{
    return json_number_of(html_fastest(&chart->columns[column], model, chart->scheme, chart->threads), "median_ms", 0);
}

/* More columns than colours: the second time they are pale. */
static double opacity(int column) { return column < 6 ? 1 : 0.45; }

/* A model's name and a bar for each column that has it, as long as it is slow; returns where the next one begins. Without a file
 * it only says that. */
static int put_group(const engine_chart *chart, const char *model, int y, FILE *to)
{
    double slowest = 0;
    for (int c = 0; c < chart->column_count; c++)
        slowest = fmax(slowest, bar_ms(chart, c, model));
    if (to) {
        fprintf(to, "<text x=\"0\" y=\"%d\">", y + 11);
        html_text(model, to);
        fputs("</text>", to);
    }
    y += 16;
    for (int c = 0; c < chart->column_count; c++) {
        const double ms = bar_ms(chart, c, model);
        if (!(ms > 0))
            continue;
        if (to)
            fprintf(to,
                    "<rect class=\"f%d\" fill-opacity=\"%g\" x=\"0\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"2\"/><text "
                    "class=\"t\" x=\"%.1f\" y=\"%d\">%.3g</text>\n",
                    (c + 1) % 6, opacity(c), y, 300 * ms / slowest, BAR - 3, 300 * ms / slowest + 5, y + 9, ms);
        y += BAR;
    }
    return y + 8;
}

/* All groups; returns the height. */
static int put_groups(const engine_chart *chart, FILE *to)
{
    int y = TOP;
    for (int r = 0; r < chart->run_count; r++)
        for (const json_value *m = json_first(json_get(chart->runs[r].root, "models")); m; m = m->next)
            if (in_chart(chart, r, m))
                y = put_group(chart, json_text_of(m, "model", "?"), y, to);
    return y;
}

/* One figure per scheme and number of threads. */
static void put_engine_chart(const engine_chart *chart, FILE *to)
{
    fprintf(to, "<figure><figcaption>%s <span>%d thread%s, milliseconds; shorter is faster</span></figcaption>", chart->scheme,
            chart->threads, chart->threads > 1 ? "s" : "");
    fprintf(to,
            "<svg viewBox=\"0 0 %d %d\" role=\"img\"><title>Milliseconds by engine, %s</title><desc>The table above has the same "
            "figures.</desc>\n",
            WIDTH, put_groups(chart, NULL), chart->scheme);
    put_groups(chart, to);
    fputs("</svg></figure>\n", to);
}

static void put_key(const engine_chart *chart, FILE *to)
{
    fputs("<div class=\"key\">", to);
    for (int c = 0; c < chart->column_count; c++) {
        fprintf(to, "<span><i style=\"background:var(--c%d);opacity:%g\"></i>", (c + 1) % 6, opacity(c));
        html_text(chart->columns[c].label, to);
        fputs("</span>", to);
    }
    fputs("</div>\n", to);
}

void html_engines(const run_file *runs, int count, FILE *to)
{
    engine_chart chart = {.runs = runs, .run_count = count};
    chart.column_count = html_columns(runs, count, chart.columns);
    char done[16][48];
    int done_count = 0;
    put_key(&chart, to);
    fputs("<div class=\"charts\">", to);
    for (int r = 0; r < count; r++)
        for (const json_value *m = json_first(json_get(runs[r].root, "models")); m; m = m->next) {
            char key[48];
            int i = 0;
            snprintf(key, sizeof key, "%.40s %d", json_text_of(m, "scheme", ""), html_threads(m));
            while (i < done_count && strcmp(done[i], key) != 0)
                i++;
            chart.scheme = json_text_of(m, "scheme", "");
            chart.threads = html_threads(m);
            if (i < done_count || done_count == 16 || !in_chart(&chart, r, m))
                continue;
            memcpy(done[done_count++], key, sizeof key);
            put_engine_chart(&chart, to);
        }
    fputs("</div>\n", to);
}

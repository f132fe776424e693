/* html_page.c - the frame of the report: style, summary, sections in order. */
#include <string.h>

#include "html.h"

/* ----------------------------------------------------------------------------------------------- style ---- */

static const char *const style[] = {
    ":root{--bg:#fff;--card:#f5f6f8;--ink:#1b1f24;--dim:#5c6670;--line:#d5dae0;--c0:#8a94a0;--c1:#0b7a75;--c2:#c2570c;",
    "--c3:#5b4bb7;--c4:#a3195b;--c5:#3a7d1d;--good:#1a7f37;--bad:#c0352b;--warn:#8a5a00;--warnbg:#fff4d6}",
    "@media(prefers-color-scheme:dark){:root{--bg:#14171a;--card:#1e2226;--ink:#e6e8ea;--dim:#9aa4ae;--line:#363d44;",
    "--c0:#8a94a0;--c1:#35b6ae;--c2:#f0883e;--c3:#a497f5;--c4:#f27bb0;--c5:#7cc65a;--good:#4cc26b;--bad:#ff7b72;--warn:#f2cc60;",
    "--warnbg:#3a3113}}",
    "*{box-sizing:border-box}html{-webkit-text-size-adjust:100%}",
    "body{margin:0;background:var(--bg);color:var(--ink);",
    "font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}",
    "main{max-width:1180px;margin:0 auto;padding:1.5rem 1rem 4rem}h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3rem}",
    "h2{font-size:1.25rem;margin:2.6rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--line)}",
    "h3{font-size:1rem;margin:1.2rem 0 .3rem}p{margin:.4rem 0;max-width:72ch}.dim{color:var(--dim)}.small{font-size:.86rem}",
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:.8rem;margin:1rem 0}",
    ".card{background:var(--card);border-radius:.6rem;padding:.8rem 1rem}",
    ".card b{display:block;font-size:1.7rem;line-height:1.25}",
    ".warn{background:var(--warnbg);color:var(--warn);border-radius:.6rem;padding:.6rem 1rem;margin:.8rem 0}",
    ".verdict{font-size:1.06rem;border-left:4px solid var(--c1);padding:.2rem 0 .2rem .9rem;margin:1rem 0}",
    ".charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(340px,100%),1fr));gap:1rem}",
    "figure{margin:0;background:var(--card);border-radius:.6rem;padding:.8rem;break-inside:avoid}",
    "figcaption{font-weight:600;font-size:.95rem;margin-bottom:.3rem}figcaption span{font-weight:400;color:var(--dim)}",
    "svg{display:block;width:100%;height:auto;max-width:560px}svg text{fill:var(--ink);font-size:11px;font-family:inherit}",
    "svg .t{fill:var(--dim);font-size:10px}svg .g{stroke:var(--line);stroke-width:1}",
    "svg .one{stroke:var(--ink);stroke-width:1;stroke-dasharray:3 3}svg .w{stroke:var(--ink);stroke-width:1.4}",
    ".f0{fill:var(--c0)}.f1{fill:var(--c1)}.f2{fill:var(--c2)}.f3{fill:var(--c3)}.f4{fill:var(--c4)}.f5{fill:var(--c5)}",
    ".s0{stroke:var(--c0)}.s1{stroke:var(--c1)}.up{fill:var(--good)}.dn{fill:var(--bad)}.good{color:var(--good)}",
    ".bad{color:var(--bad)}.dot{fill-opacity:.65;stroke:var(--card);stroke-width:.6}.roof{fill:none;stroke-width:1.6}",
    ".key{display:flex;flex-wrap:wrap;gap:.2rem 1rem;font-size:.84rem;color:var(--dim);margin:.3rem 0}",
    ".key i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.35em}",
    ".scroll{overflow-x:auto;margin:.6rem 0}table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums}",
    "th,td{padding:.28rem .6rem;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}",
    "th{color:var(--dim);font-weight:600;vertical-align:bottom}th{white-space:normal}figure td.l{white-space:normal}",
    "th:first-child,td:first-child,.l{text-align:left!important}",
    "td.why{white-space:normal;min-width:16rem;max-width:44rem;text-align:left}",
    "th button{font:inherit;color:inherit;background:none;border:0;padding:0;cursor:pointer}",
    "th button:hover,th button:focus{color:var(--ink);text-decoration:underline}",
    "th[aria-sort=ascending] button:after{content:' \\2191'}th[aria-sort=descending] button:after{content:' \\2193'}",
    "details{margin:.5rem 0;background:var(--card);border-radius:.6rem;padding:.5rem .9rem}",
    "summary{cursor:pointer;font-weight:600;font-size:.95rem}",
    "@media print{html{font-size:11px}.scroll{overflow:visible}.small,td.why{font-size:8px;min-width:0}",
    "tr{break-inside:avoid}h3{break-after:avoid}.cards{grid-template-columns:repeat(3,1fr)}",
    ":root{--bg:#fff;--card:#fff;--ink:#000;--dim:#444;--line:#bbb}body{font-size:11px}main{max-width:none;",
    "padding:0}figure{border:1px solid #bbb}h2{break-after:avoid}.charts{grid-template-columns:1fr 1fr}table{font-size:9px}",
    "td,th{padding:.12rem .3rem}}",
};

/* Sorts a table by the column whose title is pressed; numbers as numbers. */
static const char *const script[] = {
    "document.querySelectorAll('table.sort').forEach(function(t){t.querySelectorAll('th').forEach(function(h,c){",
    "var b=document.createElement('button');b.textContent=h.textContent;b.title='sort';h.textContent='';h.appendChild(b);",
    "b.addEventListener('click',function(){var up=h.getAttribute('aria-sort')==='descending';",
    "t.querySelectorAll('th').forEach(function(o){o.removeAttribute('aria-sort')});",
    "h.setAttribute('aria-sort',up?'ascending':'descending');",
    "var rows=Array.from(t.tBodies[0].rows);rows.sort(function(a,b){var x=a.cells[c].textContent,y=b.cells[c].textContent,",
    "n=parseFloat(x),m=parseFloat(y),d=isNaN(n)||isNaN(m)?x.localeCompare(y):n-m;return up?d:-d});",
    "rows.forEach(function(r){t.tBodies[0].appendChild(r)})})})});",
};

static void put_lines(const char *const *lines, size_t count, FILE *to)
{
    for (size_t i = 0; i < count; i++)
        fprintf(to, "%s\n", lines[i]);
}

/* --------------------------------------------------------------------------------------------- summary ---- */

typedef struct extremes {
    const json_value *best, *worst;
    int pairs, wins;
} extremes;

static void find_extremes(const run_file *runs, int count, extremes *e)
{
    *e = (extremes){.pairs = 0};
    for (int i = 0; i < count; i++)
        for (const json_value *p = json_first(json_get(runs[i].root, "pairs")); p; p = p->next) {
            const double s = json_number_of(p, "speedup", 0);
            e->pairs++;
            e->wins += json_number_of(p, "lo", 0) > 1;
            if (!e->best || s > json_number_of(e->best, "speedup", 0))
                e->best = p;
            if (!e->worst || s < json_number_of(e->worst, "speedup", 0))
                e->worst = p;
        }
}

/* A large number with what it is below. */
static void card(const char *title, const json_value *pair, FILE *to)
{
    fprintf(to, "<div class=\"card\"><span class=\"dim small\">%s</span><b>%.2f&times;</b><span class=\"small\">", title,
            json_number_of(pair, "speedup", 0));
    html_text(json_text_of(pair, "model", "?"), to);
    fputs(", ", to);
    html_text(json_text_of(pair, "scheme", "?"), to);
    fputs("<br>", to);
    html_text(json_text_of(pair, "isa", "?"), to);
    fprintf(to, ", %.0f thread%s</span></div>\n", json_number_of(pair, "threads", 1),
            json_number_of(pair, "threads", 1) > 1 ? "s" : "");
}

static void put_cards(const run_file *runs, int count, FILE *to)
{
    extremes e;
    find_extremes(runs, count, &e);
    if (e.pairs == 0)
        return;
    fputs("<div class=\"cards\">", to);
    card("largest gain of int8 over f32", e.best, to);
    if (e.pairs > 1)
        card("smallest", e.worst, to);
    fprintf(to,
            "<div class=\"card\"><span class=\"dim small\">int8 is faster beyond doubt in</span><b>%d of %d</b>"
            "<span class=\"small\">models, schemes and instruction sets:<br>the whole 95&nbsp;%% interval lies above 1</span></div>"
            "</div>\n",
            e.wins, e.pairs);
}

static void put_machine(const run_file *run, FILE *to)
{
    const json_value *machine = json_get(run->root, "machine");
    fputs("<p class=\"small\"><b>", to);
    html_text(run->label, to);
    fputs("</b>: ", to);
    html_text(run_file_cpu(run), to);
    fprintf(to, ", %.0f CPUs; ", json_number_of(machine, "cores", 0));
    html_text(json_text_of(run->root, "engine", "octet"), to);
    fputc(' ', to);
    html_text(json_text_of(run->root, "octet", "?"), to);
    fputs(", ", to);
    html_text(json_text_of(run->root, "date", "no date"), to);
    fputs("<br><code class=\"dim\">", to);
    html_text(json_text_of(run->root, "command", ""), to);
    fputs("</code></p>\n", to);
    if (*run_file_trouble(run)) {
        fputs("<p class=\"warn\">Not quiet: ", to);
        html_text(run_file_trouble(run), to);
        fputs(". These figures should be measured again on an idle machine.</p>\n", to);
    }
}

static void put_peaks(const run_file *run, FILE *to)
{
    const json_value *machine = json_get(run->root, "machine"), *peaks = json_get(machine, "peaks");
    if (!json_first(peaks))
        return;
    fputs("<div class=\"scroll\"><table><thead><tr><th>peaks, one thread</th><th>f32 GFLOP/s</th><th>int8 GOP/s</th>"
          "<th>int8 / f32</th></tr></thead><tbody>\n", to);
    for (const json_value *p = json_first(peaks); p; p = p->next) {
        const double f32 = json_number_of(p, "f32_gflops", 0), int8 = json_number_of(p, "u8s8_gops", 0);
        fputs("<tr><td>", to);
        html_text(p->key ? p->key : "?", to);
        fprintf(to, "</td><td>%.0f</td><td>%.0f</td><td>%.2f</td></tr>\n", f32, int8, f32 > 0 ? int8 / f32 : 0);
    }
    fputs("</tbody></table></div>\n<p class=\"small dim\">reading, GB/s:", to);
    for (const json_value *b = json_first(json_get(machine, "bandwidth_gbs")); b; b = b->next)
        fprintf(to, " %s %.0f", b->key ? b->key : "?", b->number);
    fputs("</p>\n", to);
}

/* -------------------------------------------------------------------------------------------- sections ---- */

static void put_explain(const run_file *run, FILE *to)
{
    const json_value *explain = json_get(run->root, "explain");
    if (!explain)
        return;
    fputs("<h2>Where the speed-up comes from: ", to);
    html_text(json_text_of(explain, "model", "?"), to);
    fputs(", ", to);
    html_text(json_text_of(explain, "scheme", "?"), to);
    fputs(", ", to);
    html_text(json_text_of(explain, "isa", "?"), to);
    fputs("</h2>\n<p class=\"verdict\">", to);
    html_text(json_text_of(explain, "verdict", ""), to);
    fputs("</p>\n<div class=\"charts\">", to);
    html_waterfall(explain, to);
    fputs("</div>\n", to);
    html_lost_layers(explain, to);
}

/* Sections that have nothing to show leave nothing behind. */
static void put_run(const run_file *run, FILE *to)
{
    put_explain(run, to);
    html_speedups(run, to);
    html_paper(run, to);
    html_models(run, to);
    html_rooflines(run, to);
    html_layers(run, to);
}

void html_report(const run_file *runs, int count, FILE *to)
{
    fputs("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,"
          "initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\"><title>octet-bench report</title>\n<style>\n", to);
    put_lines(style, sizeof style / sizeof style[0], to);
    fputs("</style></head><body><main>\n<header><h1>Does quantization make it faster?</h1>\n"
          "<p class=\"dim\">Measured by octet-bench: interleaved rounds, medians, "
          "95&nbsp;% bootstrap intervals.</p></header>\n", to);
    put_cards(runs, count, to);
    for (int i = 0; i < count; i++)
        put_machine(&runs[i], to);
    put_peaks(&runs[0], to);
    html_comparison(runs, count, to);
    for (int i = 0; i < count; i++) {
        if (count > 1) {
            fputs("<h2>Run: ", to);
            html_text(runs[i].label, to);
            fputs("</h2>\n", to);
        }
        put_run(&runs[i], to);
    }
    fputs("</main>\n<script>\n", to);
    put_lines(script, sizeof script / sizeof script[0], to);
    fputs("</script></body></html>\n", to);
}

/* html_base.c - what charts and tables of the report have in common: escaping, and the columns of a comparison. */
#include <string.h>

#include "html.h"

void html_text(const char *text, FILE *to)
{
    for (; *text; text++)
        switch (*text) {
        case '&':
            fputs("&amp;", to);
            break;
        case '<':
            fputs("&lt;", to);
            break;
        case '>':
            fputs("&gt;", to);
            break;
        case '"':
            fputs("&quot;", to);
            break;
        default:
            fputc(*text, to);
        }
}

int html_threads(const json_value *entry) { return (int)json_number_of(entry, "threads", 1); }

/* Runs in their order, engines of a run in the order in which they appear. */
int html_columns(const run_file *runs, int count, html_column columns[HTML_MAX_COLUMNS])
{
    int found = 0;
    for (int r = 0; r < count; r++)
        for (const json_value *m = json_first(json_get(runs[r].root, "models")); m; m = m->next) {
            const char *engine = run_file_engine(&runs[r], m);
            int i = 0;
            while (i < found && (columns[i].run != &runs[r] || strcmp(columns[i].engine, engine) != 0))
                i++;
            if (i < found || found == HTML_MAX_COLUMNS)
                continue;
            columns[found] = (html_column){.run = &runs[r], .engine = engine};
            snprintf(columns[found].label, sizeof columns[found].label, "%s%s%s", engine, count > 1 ? ": " : "",
                     count > 1 ? runs[r].label : "");
            found++;
        }
    return found;
}

const json_value *html_fastest(const html_column *column, const char *model, const char *scheme, int threads)
{
    const json_value *best = NULL;
    for (const json_value *m = json_first(json_get(column->run->root, "models")); m; m = m->next)
        if (!strcmp(json_text_of(m, "model", ""), model) && !strcmp(json_text_of(m, "scheme", ""), scheme) &&
            html_threads(m) == threads && !strcmp(run_file_engine(column->run, m), column->engine) &&
            json_number_of(m, "median_ms", 0) > 0 &&
            (!best || json_number_of(m, "median_ms", 0) < json_number_of(best, "median_ms", 0)))
            best = m;
    return best;
}

bool html_is_row(const run_file *runs, int run, const html_column *columns, int column_count, const json_value *entry)
{
    const char *model = json_text_of(entry, "model", ""), *scheme = json_text_of(entry, "scheme", "");
    int have = 0;
    for (int c = 0; c < column_count; c++)
        have += html_fastest(&columns[c], model, scheme, html_threads(entry)) != NULL;
    if (have < 2)
        return false;
    for (int r = 0; r <= run; r++) {
        const json_value *first = run_file_model(&runs[r], NULL, model, scheme, NULL, html_threads(entry));
        if (first)
            return first == entry;
    }
    return true;
}

/* The claims and every figure on one page of HTML that needs nothing else: drawings inline, tables that
 * sort, samples to choose from, data to download; or the same as a pdf. The page is for a screen, a
 * phone, the dark and paper alike; nothing in it asks a network, and its policy forbids it to. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chart.h"
#include "cli.h"
#include "draw.h"
#include "figure.h"
#include "grid.h"
#include "memory.h"
#include "output.h"
#include "pages.h"
#include "query.h"
#include "scarce.h"
#include "writer.h"

/* The style and the script, as strings; the paths are relative to where make runs. */
__asm__(".section .rodata\n"
        "page_css:\n"
        ".incbin \"render/page.css\"\n"
        ".byte 0\n"
        "page_js:\n"
        ".incbin \"render/page.js\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char page_css[], page_js[];

/* Inches; the page shows one or the other, by its own width. */
#define WIDE 6.75
#define NARROW 3.6

enum { CELL_MAX = 160, SERIES_COLORS = 7 };

static const char *database, *reports, *title = "Report";

static struct cli_option options[] = {
    {.letter = 'D', .name = "database", .type = CLI_TEXT, .value = &database, .arg = "FILE",
     .help = "database made by analyze-load (needed)"},
    {.name = "reports", .type = CLI_TEXT, .value = &reports, .arg = "DIR",
     .help = "its figures, without FOLDER [reports]"},
    {.name = "title", .type = CLI_TEXT, .value = &title, .arg = "TEXT",
     .help = "heading of the page"},
    {.name = NULL},
};

/* Text between two marks ("**", "`", "*") as an element; how far it reaches, 0 where it is none. */
static size_t put_marked(struct writer *p, const char *s, const char *mark, const char *element)
{
    size_t m = strlen(mark);
    const char *end = strncmp(s, mark, m) ? NULL : strstr(s + m, mark);
    if (!end || end == s + m || s[m] == ' ')
        return 0;
    write_string(p, "<");
    write_string(p, element);
    write_string(p, ">");
    write_escaped_bytes(p, s + m, (size_t)(end - s) - m);
    write_string(p, "</");
    write_string(p, element);
    write_string(p, ">");
    return (size_t)(end - s) + m;
}

/* The markdown of captions: paragraphs, **strong**, *emphasis*, `code`. */
static void put_caption(struct writer *p, const char *s)
{
    write_string(p, "<p>");
    while (*s) {
        size_t n = put_marked(p, s, "**", "strong");
        n = n ? n : put_marked(p, s, "`", "code");
        n = n ? n : put_marked(p, s, "*", "em");
        if (n) {
            s += n;
        } else if (!strncmp(s, "\n\n", 2)) {
            write_string(p, "</p>\n<p>");
            s += 2;
        } else {
            write_escaped_bytes(p, s++, 1);
        }
    }
    write_string(p, "</p>\n");
}

static void put_base64(struct writer *p, const unsigned char *s, size_t n)
{
    static const char digit[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        size_t have = n - i < 3 ? n - i : 3;
        unsigned v = (unsigned)s[i] << 16;
        v |= have > 1 ? (unsigned)s[i + 1] << 8 : 0;
        v |= have > 2 ? s[i + 2] : 0u;
        const char four[4] = {digit[v >> 18], digit[v >> 12 & 63],
                              have > 1 ? digit[v >> 6 & 63] : '=', have > 2 ? digit[v & 63] : '='};
        write_bytes(p, four, 4);
    }
}

/* A colour that much nearer to white, for the dark. */
static unsigned lighter(uint32_t color, unsigned percent)
{
    unsigned out = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
        unsigned v = color >> shift & 255;
        out |= (v + (255 - v) * percent / 100) << shift;
    }
    return out;
}

/* Drawings are made for white paper: in the dark each of their colours has another. */
static void put_dark_colors(struct writer *p)
{
    write_string(p, "@media screen and (prefers-color-scheme:dark){\n");
    for (size_t i = 0; i < SERIES_COLORS; i++) {
        struct chart_style style = chart_style(i);
        char rule[256];
        snprintf(rule, sizeof rule,
                 "svg [fill=\"#%06x\"]{fill:#%06x}svg [stroke=\"#%06x\"]{stroke:#%06x}"
                 "svg [fill=\"#%06x\"]{fill:#%06x}svg [stroke=\"#%06x\"]{stroke:#%06x}\n",
                 style.color, lighter(style.color, 25), style.color, lighter(style.color, 25),
                 style.text, lighter(style.text, 50), style.text, lighter(style.text, 50));
        write_string(p, rule);
    }
    write_string(p, "}\n");
}

/* ---- figures ----------------------------------------------------------------------------------- */

static int put_drawing(struct writer *p, const struct figure *f, double width, const char *class)
{
    struct drawing *d = NULL;
    struct chart_options how = {.width = width};
    if (chart_draw(&d, f, &how, p->e))
        return -1;
    write_string(p, "<div class=\"");
    write_string(p, class);
    write_string(p, "\">");
    int rc = drawing_svg_inline(d, &p->text, p->e);
    write_string(p, "</div>\n");
    drawing_free(d);
    return rc;
}

static void put_heading(struct writer *p, const struct figure *f)
{
    write_escaped(p, f->label);
    write_string(p, ". ");
    write_escaped(p, f->title);
}

static int put_table(struct writer *p, const struct figure *f)
{
    char text[CELL_MAX];
    struct grid *g;
    if (grid_new(&g, f, false, p->e))
        return -1;
    write_string(p, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
    write_escaped(p, f->label);
    write_string(p, ": table\"><table>\n<thead><tr>");
    for (size_t i = 0; i < g->columns; i++) {
        const struct grid_column *c = &g->column[i];
        write_string(p, c->right ? "<th class=\"n\"" : "<th");
        write_string(p, " aria-sort=\"none\"><button type=\"button\"");
        if (*c->description) {
            write_string(p, " title=\"");
            write_escaped(p, c->description);
            write_string(p, "\"");
        }
        write_string(p, ">");
        write_escaped(p, grid_heading(c, text, sizeof text));
        write_string(p, "</button></th>");
    }
    write_string(p, "</tr></thead>\n<tbody>\n");
    for (size_t r = 0; r < g->rows; r++) {
        write_string(p, "<tr>");
        for (size_t i = 0; i < g->columns; i++) {
            const struct grid_cell *cell = grid_at(g, r, i);
            write_string(p, g->column[i].right ? "<td class=\"n\">" : "<td>");
            write_string(p, cell->best ? "<b>" : "");
            write_escaped(p, grid_text(cell, text, sizeof text));
            write_string(p, cell->best ? "</b></td>" : "</td>");
        }
        write_string(p, "</tr>\n");
    }
    write_string(p, "</tbody></table></div>\n");
    if (g->starred) {
        write_string(p, "<p class=\"get\">Bold: ");
        write_escaped(p, f->pivot.bold);
        write_string(p, ".</p>\n");
    }
    grid_free(g);
    return 0;
}

/* Texts of a sample, those side by side in one box. */
static void put_texts(struct writer *p, const struct figure *f, size_t row, bool side)
{
    char text[CELL_MAX];
    for (size_t i = 0; i < f->columns; i++) {
        const struct figure_column *c = &f->column[i];
        const struct cell *cell = table_cell(&f->table, row, c->column);
        if (c->hidden || c->aside || cell->type == CELL_NULL || figure_has(&f->head, c->column) ||
            figure_has(&f->side, c->column) != side)
            continue;
        write_string(p, "<div><h4>");
        write_escaped(p, c->label);
        write_string(p, "</h4><pre>");
        const char *s = figure_text(c, cell, text, sizeof text);
        write_escaped(p, s + strspn(s, " \n"));
        write_string(p, "</pre></div>\n");
    }
}

/* What to choose samples by: the script fills the lists from the samples themselves. */
static void put_samples(struct writer *p, const struct figure *f)
{
    char text[CELL_MAX];
    write_string(p, "<div class=\"samples\">\n");
    if (f->filter.count) {
        write_string(p, "<p class=\"filters\">");
        for (size_t i = 0; i < f->filter.count; i++) {
            write_string(p, "<label>");
            write_escaped(p, figure_column_of(f, f->filter.column[i])->label);
            write_format(p, " <select data-filter=\"%zu\"></select></label> ", i);
        }
        write_string(p, "</p>\n");
    }
    for (size_t r = 0; r < f->table.rows; r++) {
        write_string(p, "<article");
        for (size_t i = 0; i < f->filter.count; i++) {
            const struct figure_column *c = figure_column_of(f, f->filter.column[i]);
            write_format(p, " data-f%zu=\"", i);
            write_escaped(p, figure_text(c, table_cell(&f->table, r, c->column), text, sizeof text));
            write_string(p, "\"");
        }
        write_string(p, ">\n<h3>");
        for (size_t i = 0; i < f->head.count; i++) {
            const struct figure_column *c = figure_column_of(f, f->head.column[i]);
            write_string(p, i ? ", " : "");
            write_escaped(p, figure_text(c, table_cell(&f->table, r, c->column), text, sizeof text));
        }
        write_string(p, "</h3>\n<div class=\"side\">\n");
        put_texts(p, f, r, true);
        write_string(p, "</div>\n");
        put_texts(p, f, r, false);
        write_string(p, "</article>\n");
    }
    write_string(p, "</div>\n");
}

static int put_figure(struct writer *p, const struct figure *f)
{
    struct buffer csv = {0};
    write_string(p, "<section id=\"");
    write_escaped(p, f->name);
    write_string(p, "\">\n<h2>");
    put_heading(p, f);
    write_string(p, "</h2>\n");
    if (figure_empty(f)) {
        write_string(p, "<p class=\"missing\">");
        write_escaped(p, f->caption);
        write_string(p, "</p>\n</section>\n");
        return 0;
    }
    bool chart = f->kind == FIGURE_LINES || f->kind == FIGURE_POINTS;
    bool open = f->kind == FIGURE_TABLE || f->pivot.columns != FIGURE_NONE;
    write_string(p, "<figure>\n");
    if (chart && (put_drawing(p, f, WIDE, "wide") || put_drawing(p, f, NARROW, "narrow")))
        return -1;
    write_string(p, "<figcaption>");
    put_caption(p, f->caption);
    write_string(p, "</figcaption>\n</figure>\n");
    if (f->kind == FIGURE_SAMPLES)
        put_samples(p, f);
    if (f->kind != FIGURE_SAMPLES) {
        if (!open)
            write_format(p, "<details>\n<summary>Table (%zu row%s)</summary>\n", f->table.rows,
                         f->table.rows == 1 ? "" : "s");
        if (put_table(p, f))
            return -1;
        write_string(p, open ? "" : "</details>\n");
    }
    if (figure_csv(f, &csv, p->e)) {
        buffer_free(&csv);
        return -1;
    }
    write_string(p, "<p class=\"get\"><a download=\"");
    write_escaped(p, f->name);
    write_string(p, ".csv\" href=\"data:text/csv;charset=utf-8;base64,");
    put_base64(p, csv.data, csv.length);
    write_string(p, "\">Download the data (csv)</a></p>\n</section>\n");
    buffer_free(&csv);
    return 0;
}

/* ---- page -------------------------------------------------------------------------------------- */

/* Which models, how many variants and results of each. */
static const char models_sql[] =
    "SELECT coalesce(d.role, '–') AS Role, d.model AS Model, printf('%.2f', d.stored_bytes / 1e6) AS "
    "\"Stored (MB)\","
    " (SELECT count(*) FROM variant AS v WHERE v.checkpoint_id = d.id) AS Variants,"
    " (SELECT count(*) FROM result AS r JOIN variant AS v ON v.id = r.variant_id"
    "  WHERE v.checkpoint_id = d.id) AS Results "
    "FROM variant AS d WHERE d.id = d.checkpoint_id "
    "ORDER BY CASE d.role WHEN 'large' THEN 0 WHEN 'small' THEN 1 WHEN 'other' THEN 2 ELSE 3 END,"
    " d.model, d.id";

/* The paper's claims with their verdicts, those that are clear first. */
static const char claims_sql[] =
    "SELECT verdict AS Verdict, statement AS \"What the paper claims\","
    " CASE WHEN effect IS NULL THEN '–' ELSE replace(printf('%.4f [%.4f, %.4f]', effect, low, high), '-', '−') END AS "
    "\"Least effect [95 %]\", cases AS Cases "
    "FROM claim ORDER BY CASE verdict WHEN 'fails' THEN 0 WHEN 'holds' THEN 1 ELSE 2 END, claim";

static const char claims_note[] =
    "Each claim is a query over the results (analyze/claims.sql): one effect for every case that it "
    "speaks of, above 0 where it speaks for the claim. It holds when every 95 % interval lies above 0, "
    "and fails when some interval lies below 0; anything else is no answer. Shown is the case that "
    "speaks least for it. The models here stand in for the paper's: what fails here need not fail "
    "there.";

static const char lead[] =
    "Language models can be made smaller: pruning sets a part of their weights to zero (sparsity; N:M keeps N of every M "
    "neighbouring weights), quantization stores each weight in a few bits. This report tells what such models can still do: "
    "recall facts, choose answers, read, summarise, follow instructions. Beside it stands the usual measure, perplexity: "
    "how much a text surprises the model, lower is better. Dense is a model as it came, and a compressed one matches it while "
    "it is not more than 5 % below. Intervals hold 95 %.";

/* Rows of a query; texts stand left in the first columns of `texts`. A verdict in the first has a
 * colour. */
static int put_query(struct writer *p, sqlite3 *db, const char *sql, const char *class, size_t texts)
{
    struct table t = {0};
    char text[CELL_MAX];
    if (query_run(&t, db, sql, class, p->e))
        return -1;
    write_format(p, "<div class=\"scroll\"><table class=\"%s\">\n<thead><tr>", class);
    for (size_t i = 0; i < t.columns; i++) {
        write_string(p, i < texts ? "<th>" : "<th class=\"n\">");
        write_escaped(p, t.name[i]);
        write_string(p, "</th>");
    }
    write_string(p, "</tr></thead>\n<tbody>\n");
    for (size_t r = 0; r < t.rows; r++) {
        const char *first = cell_exact(table_cell(&t, r, 0), text, sizeof text);
        write_string(p, !strcmp(first, "holds")   ? "<tr class=\"hold\">"
                        : !strcmp(first, "fails") ? "<tr class=\"fail\">"
                                                  : "<tr>");
        for (size_t i = 0; i < t.columns; i++) {
            write_string(p, i < texts ? "<td>" : "<td class=\"n\">");
            write_escaped(p, cell_exact(table_cell(&t, r, i), text, sizeof text));
            write_string(p, "</td>");
        }
        write_string(p, "</tr>\n");
    }
    write_string(p, "</tbody></table></div>\n");
    table_free(&t);
    return 0;
}

static int put_claims(struct writer *p, sqlite3 *db)
{
    if (!query_has_rows(db, "claim"))
        return 0;
    write_string(p, "<section id=\"claims\">\n<h2>The paper's claims, tested on these models</h2>\n");
    if (put_query(p, db, claims_sql, "claims", 2))
        return -1;
    write_string(p, "<p class=\"get\">");
    write_escaped(p, claims_note);
    write_string(p, "</p>\n</section>\n");
    return 0;
}

static int put_page(struct writer *p, sqlite3 *db, struct figure **f, size_t count)
{
    write_string(p, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
           "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
           "'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n<meta name=\"viewport\" "
           "content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" "
           "content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n<title>");
    write_escaped(p, title);
    write_string(p, "</title>\n<style>\n");
    write_string(p, page_css);
    put_dark_colors(p);
    write_string(p, "</style>\n</head>\n<body>\n<header>\n<h1>");
    write_escaped(p, title);
    write_string(p, "</h1>\n<p class=\"lead\">");
    write_escaped(p, lead);
    write_string(p, "</p>\n");
    if (put_query(p, db, models_sql, "models", 2) || put_claims(p, db))
        return -1;
    write_string(p, "<nav aria-label=\"Figures\"><ol>\n");
    for (size_t i = 0; i < count; i++) {
        write_string(p, !figure_empty(f[i]) ? "<li><a href=\"#" : "<li class=\"none\"><a href=\"#");
        write_escaped(p, f[i]->name);
        write_string(p, "\">");
        put_heading(p, f[i]);
        write_string(p, "</a></li>\n");
    }
    write_string(p, "</ol></nav>\n</header>\n<main>\n");
    for (size_t i = 0; i < count; i++)
        if (put_figure(p, f[i]))
            return -1;
    write_string(p, "</main>\n<footer><p>Point at a marker, tap it, or press the arrow keys in a figure to read its "
           "values; press a column's head to sort a table. Every number here is in the database of results, with the history of the stream "
           "it came from.</p></footer>\n<script>\n");
    write_string(p, page_js);
    write_string(p, "</script>\n</body>\n</html>\n");
    return p->failed ? -1 : 0;
}

/* ---- pdf --------------------------------------------------------------------------------------- */

/* A4, in points; the text is as wide as the charts. */
#define PAPER_WIDTH 595.0
#define PAPER_HEIGHT 842.0
#define PAPER_MARGIN ((PAPER_WIDTH - 72 * WIDE) / 2)
#define INK 0x222222u

static int print_query(struct pages *p, sqlite3 *db, const char *sql, size_t texts, struct error *e)
{
    struct table t = {0};
    if (query_run(&t, db, sql, "a table", e))
        return -1;
    char text[CELL_MAX];
    size_t n = (t.rows + 1) * t.columns;
    char **list = memory_new(n + 1, sizeof *list, "a table", e);
    bool *right = memory_new(t.columns + 1, sizeof *right, "a table", e);
    int rc = list && right ? 0 : -1;
    for (size_t i = 0; i < n && !rc; i++) {
        size_t row = i / t.columns, column = i % t.columns;
        right[column] = column >= texts;
        list[i] = strdup(row ? cell_exact(table_cell(&t, row - 1, column), text, sizeof text)
                             : t.name[column]);
        rc = list[i] ? 0 : error_set(e, "out of memory for a table");
    }
    struct pages_table table = {(const char *const *)list, right, NULL, t.rows + 1, t.columns};
    rc = rc ? rc : pages_table(p, &table, e);
    for (size_t i = 0; list && i < n; i++)
        free(list[i]);
    free(list);
    free(right);
    table_free(&t);
    return rc;
}

static int print_figure(struct pages *p, const struct figure *f, struct error *e)
{
    struct draw_font head = {.size = 10, .bold = true, .color = INK};
    struct draw_font body = {.size = 8, .color = INK}, missing = body;
    char text[CELL_MAX * 2];
    struct drawing *d = NULL;
    bool empty = figure_empty(f), chart = !empty && f->kind < FIGURE_TABLE;
    char *caption = figure_caption_plain(f, e);
    missing.italic = true;
    pages_space(p, 18);
    snprintf(text, sizeof text, "%.80s. %.200s", f->label, f->title);
    struct chart_options how = {.width = WIDE};
    int rc = !caption || (chart && chart_draw(&d, f, &how, e));
    double need = d ? fmin(drawing_height(d) + PAGES_BESIDE_DRAWING, PAPER_HEIGHT - 2 * PAPER_MARGIN) : 120;
    rc = rc || pages_need(p, need, e) || pages_text(p, text, head, e);
    pages_space(p, 4);
    if (!rc && chart) {
        rc = pages_drawing(p, d, e);
        pages_space(p, 4);
    }
    rc = rc || pages_text(p, caption, empty ? missing : body, e);
    pages_space(p, 6);
    if (!rc && !empty && f->kind == FIGURE_SAMPLES)
        rc = pages_samples(p, f, e);
    else if (!rc && !empty && (f->kind == FIGURE_TABLE || f->pivot.columns != FIGURE_NONE))
        rc = pages_figure_table(p, f, e);
    drawing_free(d);
    free(caption);
    return rc ? -1 : 0;
}

/* The same story on paper. */
static int print_all(struct buffer *out, sqlite3 *db, struct figure **f, size_t count, struct error *e)
{
    struct draw_font head = {.size = 16, .bold = true, .color = INK}, part = head;
    struct draw_font body = {.size = 8, .color = INK};
    struct pages *p;
    size_t pages;
    part.size = 10;
    if (pages_new(&p, PAPER_WIDTH, PAPER_HEIGHT, PAPER_MARGIN, e))
        return -1;
    int rc = pages_text(p, title, head, e);
    pages_space(p, 6);
    rc = rc || pages_text(p, lead, body, e);
    pages_space(p, 10);
    rc = rc || print_query(p, db, models_sql, 2, e);
    if (!rc && query_has_rows(db, "claim")) {
        pages_space(p, 14);
        rc = pages_text(p, "The paper's claims, tested on these models", part, e);
        pages_space(p, 4);
        rc = rc || print_query(p, db, claims_sql, 2, e);
        pages_space(p, 4);
        rc = rc || pages_text(p, claims_note, body, e);
    }
    for (size_t i = 0; i < count && !rc; i++)
        rc = print_figure(p, f[i], e);
    struct drawing *const *list = rc ? NULL : pages_list(p, &pages, e);
    rc = !list || drawing_pdf(list, pages, draw_date(), title, out, e);
    pages_free(p);
    return rc ? -1 : 0;
}

static bool is_pdf(const char *path)
{
    size_t n = path ? strlen(path) : 0;
    return n > 4 && !strcmp(path + n - 4, ".pdf");
}

static int run(struct cli *c, struct error *e)
{
    if (!database)
        return error_usage(e, "the database is missing: -D FILE");
    sqlite3 *db = NULL;
    char **list = NULL;
    size_t found = 0, count = 0;
    struct figure **figures = NULL;
    struct writer p = {.e = e};
    int rc = -1;
    if (database_open(&db, database, e) ||
        (!c->operands && figure_folders(reports, &list, &found, e)))
        goto out;
    size_t folders = c->operands ? (size_t)c->operands : found;
    figures = memory_new(folders, sizeof(struct figure *), "figures", e);
    if (!figures)
        goto out;
    for (; count < folders; count++)
        if (figure_load(&figures[count], c->operands ? c->operand_list[count] : list[count], db, e))
            goto out;
    if (!(is_pdf(c->output) ? print_all(&p.text, db, figures, count, e)
                            : put_page(&p, db, figures, count)))
        rc = output_file(c->output, p.text.data, p.text.length, e);
out:
    for (size_t i = 0; i < count; i++)
        figure_free(figures[i]);
    free(figures);
    buffer_free(&p.text);
    figure_folders_free(list, found);
    database_close(db);
    return rc;
}

int main(int argc, char **argv)
{
    struct cli c = {
        .name = "render-page",
        .revision = 4,
        .summary = "write the database of results as one page of html, or as a pdf",
        .operand = "[FOLDER ...]",
        .flags = CLI_OUTPUT | CLI_DRAWS | CLI_OPERANDS | CLI_TEXT_OUT | CLI_NO_INPUT,
        .options = options,
    };
    return cli_main(&c, argc, argv, run);
}

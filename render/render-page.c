/* Every figure on one page of HTML that needs nothing else: drawings inline, tables that sort, data
 * to download. It is for a screen, a phone, the dark and paper alike; nothing in it asks a network,
 * and its policy forbids it to. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chart.h"
#include "cli.h"
#include "draw.h"
#include "figure.h"
#include "memory.h"
#include "output.h"
#include "query.h"

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

/* What goes out, and the first error on the way: checked once, at the end. */
struct page {
    struct buffer text;
    struct error *e;
    bool failed;
};

static void put_bytes(struct page *p, const char *s, size_t n)
{
    p->failed = p->failed || buffer_append(&p->text, s, n, p->e);
}

static void put(struct page *p, const char *s)
{
    put_bytes(p, s, strlen(s));
}

static void put_escaped_bytes(struct page *p, const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        switch (s[i]) {
        case '&':
            put(p, "&amp;");
            break;
        case '<':
            put(p, "&lt;");
            break;
        case '>':
            put(p, "&gt;");
            break;
        case '"':
            put(p, "&quot;");
            break;
        default:
            put_bytes(p, s + i, 1);
        }
}

static void put_escaped(struct page *p, const char *s)
{
    put_escaped_bytes(p, s, strlen(s));
}

static void put_number(struct page *p, const char *format, unsigned long long n)
{
    char text[64];
    snprintf(text, sizeof text, format, n);
    put(p, text);
}

/* Text between two marks ("**", "`", "*") as an element; how far it reaches, 0 where it is none. */
static size_t put_marked(struct page *p, const char *s, const char *mark, const char *element)
{
    size_t m = strlen(mark);
    const char *end = strncmp(s, mark, m) ? NULL : strstr(s + m, mark);
    if (!end || end == s + m || s[m] == ' ')
        return 0;
    put(p, "<");
    put(p, element);
    put(p, ">");
    put_escaped_bytes(p, s + m, (size_t)(end - s) - m);
    put(p, "</");
    put(p, element);
    put(p, ">");
    return (size_t)(end - s) + m;
}

/* The markdown of captions: paragraphs, **strong**, *emphasis*, `code`. */
static void put_caption(struct page *p, const char *s)
{
    put(p, "<p>");
    while (*s) {
        size_t n = put_marked(p, s, "**", "strong");
        n = n ? n : put_marked(p, s, "`", "code");
        n = n ? n : put_marked(p, s, "*", "em");
        if (n) {
            s += n;
        } else if (!strncmp(s, "\n\n", 2)) {
            put(p, "</p>\n<p>");
            s += 2;
        } else {
            put_escaped_bytes(p, s++, 1);
        }
    }
    put(p, "</p>\n");
}

static void put_base64(struct page *p, const unsigned char *s, size_t n)
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
        put_bytes(p, four, 4);
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
static void put_dark_colors(struct page *p)
{
    put(p, "@media screen and (prefers-color-scheme:dark){\n");
    for (size_t i = 0; i < SERIES_COLORS; i++) {
        struct chart_style style = chart_style(i);
        char rule[256];
        snprintf(rule, sizeof rule,
                 "svg [fill=\"#%06x\"]{fill:#%06x}svg [stroke=\"#%06x\"]{stroke:#%06x}"
                 "svg [fill=\"#%06x\"]{fill:#%06x}svg [stroke=\"#%06x\"]{stroke:#%06x}\n",
                 style.color, lighter(style.color, 25), style.color, lighter(style.color, 25),
                 style.text, lighter(style.text, 50), style.text, lighter(style.text, 50));
        put(p, rule);
    }
    put(p, "}\n");
}

/* ---- figures ----------------------------------------------------------------------------------- */

static int put_drawing(struct page *p, const struct figure *f, double width, const char *class)
{
    struct drawing *d = NULL;
    struct chart_options how = {.width = width};
    if (chart_draw(&d, f, &how, p->e))
        return -1;
    put(p, "<div class=\"");
    put(p, class);
    put(p, "\">");
    int rc = drawing_svg_inline(d, &p->text, p->e);
    put(p, "</div>\n");
    drawing_free(d);
    return rc;
}

static void put_heading(struct page *p, const struct figure *f)
{
    put_escaped(p, f->label);
    put(p, ". ");
    put_escaped(p, f->title);
}

static void put_table(struct page *p, const struct figure *f)
{
    char text[CELL_MAX];
    put(p, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"");
    put_escaped(p, f->label);
    put(p, ": table\"><table>\n<thead><tr>");
    for (size_t i = 0; i < f->columns; i++) {
        const struct figure_column *c = &f->column[i];
        if (!figure_visible(f, c))
            continue;
        put(p, figure_numeric(f, c->column) ? "<th class=\"n\"" : "<th");
        put(p, " aria-sort=\"none\"><button type=\"button\"");
        if (*c->description) {
            put(p, " title=\"");
            put_escaped(p, c->description);
            put(p, "\"");
        }
        put(p, ">");
        put_escaped(p, figure_heading(c, text, sizeof text));
        put(p, "</button></th>");
    }
    put(p, "</tr></thead>\n<tbody>\n");
    for (size_t r = 0; r < f->table.rows; r++) {
        put(p, "<tr>");
        for (size_t i = 0; i < f->columns; i++) {
            const struct figure_column *c = &f->column[i];
            if (!figure_visible(f, c))
                continue;
            const struct cell *cell = table_cell(&f->table, r, c->column);
            put(p, figure_numeric(f, c->column) ? "<td class=\"n\">" : "<td>");
            put_escaped(p, cell->type == CELL_NULL ? "–" : figure_text(c, cell, text, sizeof text));
            put(p, "</td>");
        }
        put(p, "</tr>\n");
    }
    put(p, "</tbody></table></div>\n");
}

static int put_figure(struct page *p, const struct figure *f)
{
    struct buffer csv = {0};
    put(p, "<section id=\"");
    put_escaped(p, f->name);
    put(p, "\">\n<h2>");
    put_heading(p, f);
    put(p, "</h2>\n");
    if (!f->lines) {
        put(p, "<p class=\"missing\">");
        put_escaped(p, f->caption);
        put(p, "</p>\n</section>\n");
        return 0;
    }
    put(p, "<figure>\n");
    if (put_drawing(p, f, WIDE, "wide") || put_drawing(p, f, NARROW, "narrow"))
        return -1;
    put(p, "<figcaption>");
    put_caption(p, f->caption);
    put(p, "</figcaption>\n</figure>\n");
    if (figure_csv(f, &csv, p->e)) {
        buffer_free(&csv);
        return -1;
    }
    put(p, "<details>\n<summary>");
    put_number(p, f->table.rows == 1 ? "Table (%llu row)" : "Table (%llu rows)", f->table.rows);
    put(p, "</summary>\n");
    put_table(p, f);
    put(p, "</details>\n<p class=\"get\"><a download=\"");
    put_escaped(p, f->name);
    put(p, ".csv\" href=\"data:text/csv;charset=utf-8;base64,");
    put_base64(p, csv.data, csv.length);
    put(p, "\">Download the data (csv)</a></p>\n</section>\n");
    buffer_free(&csv);
    return 0;
}

/* ---- page -------------------------------------------------------------------------------------- */

/* Which models, how many variants and results of each. */
static int put_models(struct page *p, sqlite3 *db)
{
    static const char sql[] =
        "SELECT d.role AS Role, d.model AS Model, round(d.stored_bytes / 1e6, 2) AS \"Stored (MB)\","
        " (SELECT count(*) FROM variant AS v WHERE v.checkpoint_id = d.id) AS Variants,"
        " (SELECT count(*) FROM result AS r JOIN variant AS v ON v.id = r.variant_id"
        "  WHERE v.checkpoint_id = d.id) AS Results "
        "FROM variant AS d WHERE d.id = d.checkpoint_id "
        "ORDER BY CASE d.role WHEN 'large' THEN 0 WHEN 'small' THEN 1 WHEN 'other' THEN 2 ELSE 3 END,"
        " d.model, d.id";
    struct table t = {0};
    char text[CELL_MAX];
    if (query_run(&t, db, sql, "the models", p->e))
        return -1;
    put(p, "<div class=\"scroll\"><table class=\"models\">\n<thead><tr>");
    for (size_t i = 0; i < t.columns; i++) {
        put(p, i < 2 ? "<th>" : "<th class=\"n\">");
        put_escaped(p, t.name[i]);
        put(p, "</th>");
    }
    put(p, "</tr></thead>\n<tbody>\n");
    for (size_t r = 0; r < t.rows; r++) {
        put(p, "<tr>");
        for (size_t i = 0; i < t.columns; i++) {
            const struct cell *c = table_cell(&t, r, i);
            put(p, i < 2 ? "<td>" : "<td class=\"n\">");
            put_escaped(p, c->type == CELL_NULL ? "–" : cell_exact(c, text, sizeof text));
            put(p, "</td>");
        }
        put(p, "</tr>\n");
    }
    put(p, "</tbody></table></div>\n");
    table_free(&t);
    return 0;
}

static int put_page(struct page *p, sqlite3 *db, struct figure **f, size_t count)
{
    put(p, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta "
           "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
           "'unsafe-inline'; script-src 'unsafe-inline'; img-src data:\">\n<meta name=\"viewport\" "
           "content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" "
           "content=\"light dark\">\n<link rel=\"icon\" href=\"data:,\">\n<title>");
    put_escaped(p, title);
    put(p, "</title>\n<style>\n");
    put(p, page_css);
    put_dark_colors(p);
    put(p, "</style>\n</head>\n<body>\n<header>\n<h1>");
    put_escaped(p, title);
    put(p, "</h1>\n");
    if (put_models(p, db))
        return -1;
    put(p, "<nav aria-label=\"Figures\"><ol>\n");
    for (size_t i = 0; i < count; i++) {
        put(p, f[i]->lines ? "<li><a href=\"#" : "<li class=\"none\"><a href=\"#");
        put_escaped(p, f[i]->name);
        put(p, "\">");
        put_heading(p, f[i]);
        put(p, "</a></li>\n");
    }
    put(p, "</ol></nav>\n</header>\n<main>\n");
    for (size_t i = 0; i < count; i++)
        if (put_figure(p, f[i]))
            return -1;
    put(p, "</main>\n<footer><p>Point at a marker to read its values; press a column's head to sort a "
           "table. Every number here is in the database of results, with the history of the stream "
           "it came from.</p></footer>\n<script>\n");
    put(p, page_js);
    put(p, "</script>\n</body>\n</html>\n");
    return p->failed ? -1 : 0;
}

static int run(struct cli *c, struct error *e)
{
    if (!database)
        return error_usage(e, "the database is missing: -D FILE");
    sqlite3 *db = NULL;
    char **list = NULL;
    size_t found = 0, count = 0;
    struct figure **figures = NULL;
    struct page p = {.e = e};
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
    if (!put_page(&p, db, figures, count))
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
        .revision = 1,
        .summary = "write the database of results as one page of html",
        .operand = "[FOLDER ...]",
        .flags = CLI_OUTPUT | CLI_OPERANDS | CLI_TEXT_OUT | CLI_NO_INPUT,
        .options = options,
    };
    return cli_main(&c, argc, argv, run);
}

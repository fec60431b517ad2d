/* Figure folders as tables: for a terminal, for markdown, and as csv with all digits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <pango/pango.h>

#include "cli.h"
#include "figure.h"
#include "harness.h"
#include "memory.h"
#include "output.h"
#include "query.h"

enum { CELL_TEXT_MAX = 128 };

static const char *database, *reports, *format = "text", *harness;

static struct cli_option options[] = {
    {.letter = 'D', .name = "database", .type = CLI_TEXT, .value = &database, .arg = "FILE",
     .help = "database made by analyze-load (needed)"},
    {.letter = 'f', .name = "format", .type = CLI_CHOICE, .value = &format, .arg = "FORMAT",
     .help = "text, md or csv", .choices = "text|md|csv"},
    {.name = "reports", .type = CLI_TEXT, .value = &reports, .arg = "DIR",
     .help = "its figures, without FOLDER [reports]"},
    {.name = "lm-eval", .type = CLI_TEXT, .value = &harness, .arg = "DIR",
     .help = "instead write lm-evaluation-harness result files"},
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

static void put_repeated(struct page *p, const char *s, size_t n)
{
    while (n--)
        put(p, s);
}

/* Columns on a terminal: wide characters count two, combining ones none. */
static size_t width_of(const char *s)
{
    size_t n = 0;
    for (; *s; s = g_utf8_next_char(s)) {
        gunichar c = g_utf8_get_char(s);
        n += g_unichar_iszerowidth(c) ? 0 : g_unichar_iswide(c) ? 2 : 1;
    }
    return n;
}

static const char *text_at(const struct figure *f, const struct figure_column *c, size_t row,
                           char *out)
{
    const struct cell *cell = table_cell(&f->table, row, c->column);
    return cell->type == CELL_NULL ? "–" : figure_text(c, cell, out, CELL_TEXT_MAX);
}

static void padded(struct page *p, const char *s, size_t width, bool right)
{
    size_t n = width_of(s), pad = width > n ? width - n : 0;
    if (right)
        put_repeated(p, " ", pad);
    put(p, s);
    if (!right)
        put_repeated(p, " ", pad);
}

/* The same in every one of several rows? */
static bool constant(const struct figure *f, size_t column)
{
    for (size_t r = 1; r < f->table.rows; r++)
        if (cell_differ(table_cell(&f->table, 0, column), table_cell(&f->table, r, column)))
            return false;
    return f->table.rows > 1;
}

/* Title, what all rows share, head with units below the labels, rule, rows. */
static int table_text(struct page *p, const struct figure *f)
{
    char out[CELL_TEXT_MAX];
    size_t *width = memory_new(f->columns, sizeof *width, "a table", p->e);
    if (!width)
        return -1;
    bool units = false, first = true;
    for (size_t i = 0; i < f->columns; i++) {
        const struct figure_column *c = &f->column[i];
        if (!figure_visible(f, c) || constant(f, c->column))
            continue;
        width[i] = width_of(c->label);
        size_t unit = *c->unit ? width_of(c->unit) + 2 : 0;
        units = units || unit;
        width[i] = unit > width[i] ? unit : width[i];
        for (size_t r = 0; r < f->table.rows; r++) {
            size_t w = width_of(text_at(f, c, r, out));
            width[i] = w > width[i] ? w : width[i];
        }
    }
    put(p, f->label);
    put(p, ". ");
    put(p, f->title);
    put(p, "\n");
    for (size_t i = 0; i < f->columns; i++) {
        const struct figure_column *c = &f->column[i];
        if (!figure_visible(f, c) || !constant(f, c->column))
            continue;
        put(p, first ? "every row: " : " · ");
        first = false;
        put(p, c->label);
        put(p, " ");
        put(p, text_at(f, c, 0, out));
        if (*c->unit) {
            snprintf(out, sizeof out, " %s", c->unit);
            put(p, out);
        }
    }
    put(p, first ? "\n" : "\n\n");
    for (int line = 0; line < 3; line++) {
        if (line == 1 && !units)
            continue;
        first = true;
        for (size_t i = 0; i < f->columns; i++) {
            const struct figure_column *c = &f->column[i];
            if (!width[i])
                continue;
            if (!first)
                put(p, "  ");
            first = false;
            if (line == 2) {
                put_repeated(p, "─", width[i]);
                continue;
            }
            snprintf(out, sizeof out, line && *c->unit ? "(%s)" : "%s", line ? c->unit : c->label);
            padded(p, out, width[i], figure_numeric(f, c->column));
        }
        put(p, "\n");
    }
    for (size_t r = 0; r < f->table.rows; r++) {
        first = true;
        for (size_t i = 0; i < f->columns; i++) {
            const struct figure_column *c = &f->column[i];
            if (!width[i])
                continue;
            if (!first)
                put(p, "  ");
            first = false;
            padded(p, text_at(f, c, r, out), width[i], figure_numeric(f, c->column));
        }
        put(p, "\n");
    }
    free(width);
    return 0;
}

/* A cell of a markdown table: bars would end it. */
static void put_markdown(struct page *p, const char *s)
{
    for (; *s; s++) {
        if (*s == '|' || *s == '\\')
            put(p, "\\");
        put_bytes(p, *s == '\n' ? " " : s, 1);
    }
}

static void table_markdown(struct page *p, const struct figure *f)
{
    char out[CELL_TEXT_MAX];
    put(p, "## ");
    put(p, f->label);
    put(p, ". ");
    put(p, f->title);
    put(p, "\n\n");
    for (int line = 0; line < 2; line++) {
        for (size_t i = 0; i < f->columns; i++) {
            const struct figure_column *c = &f->column[i];
            if (!figure_visible(f, c))
                continue;
            put(p, line ? "|" : "| ");
            if (line) {
                put(p, figure_numeric(f, c->column) ? "---:" : "---");
            } else {
                put_markdown(p, figure_heading(c, out, sizeof out));
                put(p, " ");
            }
        }
        put(p, "|\n");
    }
    for (size_t r = 0; r < f->table.rows; r++) {
        for (size_t i = 0; i < f->columns; i++) {
            if (!figure_visible(f, &f->column[i]))
                continue;
            put(p, "| ");
            put_markdown(p, text_at(f, &f->column[i], r, out));
            put(p, " ");
        }
        put(p, "|\n");
    }
    if (*f->caption) {
        put(p, "\n");
        put(p, f->caption);
        put(p, "\n");
    }
}

static int run(struct cli *c, struct error *e)
{
    if (!database)
        return error_usage(e, "the database is missing: -D FILE");
    if (harness && (c->operands || c->output))
        return error_usage(e, "--lm-eval writes files of all results into its folder: no FOLDER, no -o");
    bool csv = !strcmp(format, "csv");
    if (csv && c->operands != 1)
        return error_usage(e, "csv holds one table: name one figure folder");
    sqlite3 *db = NULL;
    char **list = NULL;
    size_t found = 0;
    struct page p = {.e = e};
    int rc = -1;
    if (database_open(&db, database, e))
        goto out;
    if (harness) {
        rc = harness_write(harness, db, &found, e);
        cli_note(c, "%zu files", rc ? 0 : found);
        found = 0;
        goto out;
    }
    if (!c->operands && figure_folders(reports, &list, &found, e))
        goto out;
    size_t count = c->operands ? (size_t)c->operands : found;
    for (size_t i = 0; i < count; i++) {
        struct figure *f;
        if (figure_load(&f, c->operands ? c->operand_list[i] : list[i], db, e))
            goto out;
        if (i)
            put(&p, "\n");
        int failed = 0;
        if (csv)
            failed = figure_csv(f, &p.text, e);
        else if (!strcmp(format, "md"))
            table_markdown(&p, f);
        else
            failed = table_text(&p, f);
        figure_free(f);
        if (failed)
            goto out;
    }
    if (!p.failed)
        rc = output_file(c->output, p.text.data, p.text.length, e);
out:
    buffer_free(&p.text);
    figure_folders_free(list, found);
    database_close(db);
    return rc;
}

int main(int argc, char **argv)
{
    struct cli c = {
        .name = "render-table",
        .revision = 1,
        .summary = "print figures of the database of results as tables",
        .operand = "[FOLDER ...]",
        .flags = CLI_OUTPUT | CLI_OPERANDS | CLI_TEXT_OUT | CLI_NO_INPUT,
        .options = options,
    };
    return cli_main(&c, argc, argv, run);
}

/* Figure folders as tables: for a terminal, for markdown, as csv with all digits, and for TeX; and what
 * a paper says about how the numbers came about, with its references, from the history of the results. */
#include <stdlib.h>
#include <string.h>

#include <pango/pango.h>

#include "cli.h"
#include "figure.h"
#include "grid.h"
#include "harness.h"
#include "memory.h"
#include "output.h"
#include "query.h"
#include "writer.h"

/* Queries whose rows are the sentences and the references; the paths are relative to where make runs. */
__asm__(".section .rodata\n"
        "methods_sql:\n"
        ".incbin \"render/methods.sql\"\n"
        ".byte 0\n"
        "references_sql:\n"
        ".incbin \"render/references.sql\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char methods_sql[], references_sql[];

enum { TEXT_MAX = 320, LONG_TABLE = 45, PARAGRAPH = 26 /* characters */ };

static const char plain[] = "text", *database, *reports, *format = plain, *harness;

static struct cli_option options[] = {
    {.letter = 'D', .name = "database", .type = CLI_TEXT, .value = &database, .arg = "FILE",
     .help = "database made by analyze-load (needed)"},
    {.letter = 'f', .name = "format", .type = CLI_CHOICE, .value = &format, .arg = "FORMAT",
     .help = "text, md, csv or tex; methods, references",
     .choices = "text|md|csv|tex|methods|references"},
    {.name = "reports", .type = CLI_TEXT, .value = &reports, .arg = "DIR",
     .help = "its figures, without FOLDER [reports]"},
    {.name = "lm-eval", .type = CLI_TEXT, .value = &harness, .arg = "DIR",
     .help = "instead write lm-evaluation-harness result files"},
    {.name = NULL},
};

/* ---- terminal ---------------------------------------------------------------------------------- */

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

static void padded(struct writer *p, const char *s, size_t width, bool right)
{
    size_t n = width_of(s), pad = width > n ? width - n : 0;
    if (right)
        write_repeated(p, " ", pad);
    write_string(p, s);
    if (!right)
        write_repeated(p, " ", pad);
}

/* A cell on a terminal, where the best of its like has a star. */
static const char *starred(const struct grid *g, size_t row, size_t column, char *out, size_t n)
{
    const struct grid_cell *cell = grid_at(g, row, column);
    char text[TEXT_MAX];
    if (!g->starred || (!cell->best && !g->column[column].right))
        return grid_text(cell, out, n);
    snprintf(out, n, "%s%s", grid_text(cell, text, sizeof text), cell->best ? "*" : " ");
    return out;
}

/* Title, what all rows share, head with units below the labels, rule, rows. */
static int table_text(struct writer *p, const struct figure *f, const struct grid *g)
{
    char out[TEXT_MAX];
    size_t *width = memory_new(g->columns + 1, sizeof *width, "a table", p->e);
    if (!width)
        return -1;
    bool units = false, first = true;
    for (size_t i = 0; i < g->columns; i++) {
        const struct grid_column *c = &g->column[i];
        if (c->constant)
            continue;
        width[i] = width_of(c->label);
        size_t unit = *c->unit ? width_of(c->unit) + 2 : 0;
        units = units || unit;
        width[i] = unit > width[i] ? unit : width[i];
        for (size_t r = 0; r < g->rows; r++) {
            size_t w = width_of(starred(g, r, i, out, sizeof out));
            width[i] = w > width[i] ? w : width[i];
        }
    }
    write_format(p, "%s. %s\n", f->label, f->title);
    for (size_t i = 0; i < g->columns; i++) {
        const struct grid_column *c = &g->column[i];
        if (!c->constant)
            continue;
        write_format(p, "%s%s %s%s%s", first ? "every row: " : " · ", c->label,
                     grid_at(g, 0, i)->text, *c->unit ? " " : "", c->unit);
        first = false;
    }
    write_string(p, first ? "\n" : "\n\n");
    for (size_t line = 0; line < 3 + g->rows; line++) {
        if (line == 1 && !units)
            continue;
        first = true;
        for (size_t i = 0; i < g->columns; i++) {
            const struct grid_column *c = &g->column[i];
            if (c->constant)
                continue;
            write_string(p, first ? "" : "  ");
            first = false;
            if (line == 2) {
                write_repeated(p, "─", width[i]);
                continue;
            }
            if (line < 2)
                snprintf(out, sizeof out, line && *c->unit ? "(%s)" : "%s",
                         line ? c->unit : c->label);
            padded(p, line < 2 ? out : starred(g, line - 3, i, out, sizeof out), width[i], c->right);
        }
        write_string(p, "\n");
    }
    if (g->starred)
        write_format(p, "\n*: %s\n", f->pivot.bold);
    free(width);
    return 0;
}

/* ---- markdown ---------------------------------------------------------------------------------- */

/* A cell of a markdown table: bars would end it. */
static void put_markdown(struct writer *p, const char *s)
{
    for (; *s; s++) {
        if (*s == '|' || *s == '\\')
            write_string(p, "\\");
        write_bytes(p, *s == '\n' ? " " : s, 1);
    }
}

static void table_markdown(struct writer *p, const struct grid *g)
{
    char out[TEXT_MAX];
    for (size_t i = 0; i < g->columns; i++) {
        write_string(p, "| ");
        put_markdown(p, grid_heading(&g->column[i], out, sizeof out));
        write_string(p, " ");
    }
    write_string(p, "|\n");
    for (size_t i = 0; i < g->columns; i++)
        write_string(p, g->column[i].right ? "|---:" : "|---");
    write_string(p, "|\n");
    for (size_t r = 0; r < g->rows; r++) {
        for (size_t i = 0; i < g->columns; i++) {
            const struct grid_cell *cell = grid_at(g, r, i);
            write_string(p, cell->best ? "| **" : "| ");
            put_markdown(p, grid_text(cell, out, sizeof out));
            write_string(p, cell->best ? "** " : " ");
        }
        write_string(p, "|\n");
    }
}

/* ---- TeX --------------------------------------------------------------------------------------- */

/* Text with what TeX would take for its own written out. */
static void put_tex(struct writer *p, const char *s)
{
    static const char *const other[][2] = {
        {"\\", "\\textbackslash{}"}, {"~", "\\textasciitilde{}"}, {"^", "\\textasciicircum{}"},
        {"×", "$\\times$"},          {"±", "$\\pm$"},             {"−", "$-$"},
        {"∞", "$\\infty$"},          {"≤", "$\\le$"},             {"≥", "$\\ge$"},
        {"–", "--"},                 {"…", "\\dots{}"},           {"·", "$\\cdot$"},
        {"→", "$\\to$"},             {"<", "\\textless{}"},       {">", "\\textgreater{}"},
    };
    while (*s) {
        size_t i = 0, n = 1;
        for (; i < sizeof other / sizeof *other; i++)
            if (!strncmp(s, other[i][0], n = strlen(other[i][0])))
                break;
        if (i < sizeof other / sizeof *other) {
            write_string(p, other[i][1]);
            s += n;
            continue;
        }
        if (strchr("&%$#_{}", *s))
            write_string(p, "\\");
        write_bytes(p, *s == '\n' ? " " : s, 1);
        s++;
    }
}

static void cell_tex(struct writer *p, const struct grid_cell *cell)
{
    if (cell->half) {
        write_format(p, cell->best ? "$\\mathbf{%s} \\pm %s$" : "$%s \\pm %s$", cell->text,
                     cell->half);
        return;
    }
    write_string(p, cell->best ? "\\textbf{" : "");
    put_tex(p, cell->text);
    write_string(p, cell->best ? "}" : "");
}

/* A row, or the head; what all rows share stands in the caption. */
static void row_tex(struct writer *p, const struct grid *g, size_t row, bool head)
{
    bool first = true;
    for (size_t i = 0; i < g->columns; i++) {
        const struct grid_column *c = &g->column[i];
        if (c->constant)
            continue;
        write_string(p, first ? "" : " & ");
        first = false;
        if (!head) {
            cell_tex(p, grid_at(g, row, i));
            continue;
        }
        /* The unit on a line of its own, and a long label on two. */
        const char *space = width_of(c->label) > 12 ? strchr(c->label + width_of(c->label) / 3, ' ') : NULL;
        write_string(p, !*c->unit && !space ? "" : c->right ? "\\shortstack[r]{" : "\\shortstack[l]{");
        char half[TEXT_MAX];
        snprintf(half, sizeof half, "%.*s", space ? (int)(space - c->label) : TEXT_MAX - 1, c->label);
        put_tex(p, half);
        if (space) {
            write_string(p, "\\\\");
            put_tex(p, space + 1);
        }
        if (*c->unit) {
            write_string(p, "\\\\(");
            put_tex(p, c->unit);
            write_string(p, ")");
        }
        write_string(p, !*c->unit && !space ? "" : "}");
    }
    write_string(p, " \\\\\n");
}

static void head_tex(struct writer *p, const struct grid *g)
{
    write_string(p, "\\toprule\n");
    row_tex(p, g, 0, true);
    write_string(p, "\\midrule\n");
}

/* Columns of long texts are set as paragraphs, and share so much of a line. */
static void columns_tex(struct writer *p, const struct grid *g)
{
    size_t wide = 0;
    for (int turn = 0; turn < 2; turn++)
        for (size_t i = 0; i < g->columns; i++) {
            size_t longest = 0;
            for (size_t r = 0; r < g->rows; r++)
                longest = width_of(grid_at(g, r, i)->text) > longest ? width_of(grid_at(g, r, i)->text) : longest;
            bool paragraph = !g->column[i].right && longest > PARAGRAPH;
            wide += !turn && !g->column[i].constant && paragraph;
            if (turn && !g->column[i].constant && paragraph)
                write_format(p, ">{\\raggedright\\arraybackslash}p{%.2f\\linewidth}", 0.22 / (double)wide);
            else if (turn && !g->column[i].constant)
                write_string(p, g->column[i].right ? "r" : "l");
        }
}

static void shared_tex(struct writer *p, const struct grid *g)
{
    bool first = true;
    for (size_t i = 0; i < g->columns; i++) {
        if (!g->column[i].constant)
            continue;
        write_string(p, first ? " Every row: " : ", ");
        put_tex(p, g->column[i].label);
        write_string(p, " ");
        put_tex(p, grid_at(g, 0, i)->text);
        if (*g->column[i].unit) {
            write_string(p, "~");
            put_tex(p, g->column[i].unit);
        }
        first = false;
    }
    write_string(p, first ? "" : ".");
}

/* Ready to paste: booktabs; what is long breaks over pages. */
static int table_tex(struct writer *p, const struct figure *f, const struct grid *g)
{
    bool breaks = g->rows > LONG_TABLE;
    char *caption = figure_caption_plain(f, p->e);
    if (!caption)
        return -1;
    write_format(p, "%% \\usepackage{array,booktabs%s}\n", breaks ? ",longtable" : "");
    write_string(p, breaks ? "{\\scriptsize\\setlength{\\tabcolsep}{2.5pt}\n\\begin{longtable}{@{}"
                           : "\\begin{table}\n\\centering\\footnotesize\\setlength{\\tabcolsep}{4pt}\n");
    for (int turn = 0; turn < 2; turn++) { /* a longtable has its caption inside */
        if (turn == (breaks ? 1 : 0)) {
            write_string(p, "\\caption{\\textbf{");
            put_tex(p, f->title);
            write_string(p, ".} ");
            put_tex(p, caption);
            shared_tex(p, g);
            if (g->starred) {
                write_string(p, " Bold: ");
                put_tex(p, f->pivot.bold);
                write_string(p, ".");
            }
            write_format(p, "}\\label{tab:%s}%s\n", f->name, breaks ? " \\\\" : "");
        } else {
            write_string(p, breaks ? "" : "\\begin{tabular}{@{}");
            columns_tex(p, g);
            write_string(p, "@{}}\n");
        }
    }
    head_tex(p, g);
    if (breaks) { /* the caption, and its label, on the first page only */
        write_string(p, "\\endfirsthead\n");
        head_tex(p, g);
        write_string(p, "\\endhead\n");
    }
    for (size_t r = 0; r < g->rows; r++) {
        /* In a folded table a rule parts what differs in its first key. */
        if (r && g->folded && strcmp(grid_at(g, r, 0)->text, grid_at(g, r - 1, 0)->text))
            write_string(p, "\\addlinespace\n");
        row_tex(p, g, r, false);
    }
    write_string(p, breaks ? "\\bottomrule\n\\end{longtable}}\n"
                           : "\\bottomrule\n\\end{tabular}\n\\end{table}\n");
    free(caption);
    return 0;
}

/* ---- samples ----------------------------------------------------------------------------------- */

enum form { TEXT, MARKDOWN, TEX };

static void put_in(struct writer *p, enum form form, const char *s)
{
    if (form == TEX)
        put_tex(p, s);
    else
        write_string(p, s);
}

/* A text of a sample, each of its lines marked as quoted. */
static void quoted(struct writer *p, enum form form, const char *s)
{
    write_string(p, form == TEX ? "\\begin{quote}" : form == MARKDOWN ? "> " : "  ");
    for (s += strspn(s, " \n"); *s;) {
        char line[2] = {*s++, 0};
        if (*line == '\n')
            write_string(p, form == TEX ? "\n\n" : form == MARKDOWN ? "  \n> " : "\n  ");
        else if (form == TEX) { /* whole characters at a time */
            size_t n = strcspn(s - 1, "\n");
            char *part = strndup(s - 1, n);
            put_tex(p, part ? part : "");
            free(part);
            s += n - 1;
        } else {
            write_string(p, line);
        }
    }
    write_string(p, form == TEX ? "\\end{quote}\n" : "\n");
}

/* Each row under its titles, text after text. */
static void samples(struct writer *p, const struct figure *f, enum form form)
{
    char out[TEXT_MAX];
    for (size_t r = 0; r < f->table.rows; r++) {
        write_string(p, form == TEX ? "\\paragraph{" : form == MARKDOWN ? "\n### " : "\n");
        for (size_t i = 0; i < f->head.count; i++) {
            const struct figure_column *c = figure_column_of(f, f->head.column[i]);
            write_string(p, i ? ", " : "");
            put_in(p, form, figure_text(c, table_cell(&f->table, r, c->column), out, sizeof out));
        }
        write_string(p, form == TEX ? "}\n" : form == MARKDOWN ? "\n\n" : "\n");
        for (size_t i = 0; i < f->columns; i++) {
            const struct figure_column *c = &f->column[i];
            const struct cell *cell = table_cell(&f->table, r, c->column);
            if (c->hidden || c->aside || cell->type == CELL_NULL || figure_has(&f->head, c->column))
                continue;
            write_string(p, form == TEX ? "\\textit{" : form == MARKDOWN ? "*" : "");
            put_in(p, form, c->label);
            write_string(p, form == TEX ? ":}\n" : form == MARKDOWN ? "*\n\n" : ":\n");
            quoted(p, form, figure_text(c, cell, out, sizeof out));
            write_string(p, form == MARKDOWN ? "\n" : "");
        }
    }
}

/* ---- whole ------------------------------------------------------------------------------------- */

static int put_figure(struct writer *p, const struct figure *f)
{
    enum form form = !strcmp(format, "md") ? MARKDOWN : !strcmp(format, "tex") ? TEX : TEXT;
    struct grid *g = NULL;
    int rc = 0;
    if (!strcmp(format, "csv"))
        return figure_csv(f, &p->text, p->e);
    bool empty = figure_empty(f), shown = f->kind == FIGURE_SAMPLES;
    if (form == MARKDOWN || shown)
        write_format(p, form == MARKDOWN ? "## %s. %s\n\n" : form == TEX ? "%% %s. %s\n" : "%s. %s\n",
                     f->label, f->title);
    if (empty && form == TEX) {
        write_format(p, "%% %s. %s: %s\n", f->label, f->title, f->caption);
        return 0;
    }
    if (shown) {
        samples(p, f, form);
    } else if (f->kind != FIGURE_TABLE || !empty) {
        if (grid_new(&g, f, form == TEX, p->e))
            return -1;
        if (form == MARKDOWN)
            table_markdown(p, g);
        else
            rc = form == TEX ? table_tex(p, f, g) : table_text(p, f, g);
        grid_free(g);
    }
    if (form == MARKDOWN && *f->caption)
        write_format(p, "\n%s\n", f->caption);
    return rc;
}

/* Each row's one text. */
static int put_rows(struct writer *p, sqlite3 *db, const char *sql, const char *what,
                    const char *between)
{
    struct table t = {0};
    char number[64];
    if (query_run(&t, db, sql, what, p->e))
        return -1;
    for (size_t r = 0; r < t.rows; r++) {
        write_string(p, cell_exact(table_cell(&t, r, 0), number, sizeof number));
        write_string(p, r + 1 < t.rows ? between : "\n");
    }
    table_free(&t);
    return 0;
}

static int run(struct cli *c, struct error *e)
{
    if (!database)
        return error_usage(e, "the database is missing: -D FILE");
    if (harness && (c->operands || c->output || format != plain))
        return error_usage(e, "--lm-eval writes JSON files of all results into its folder: no FOLDER, "
                              "no -o, no -f");
    bool csv = !strcmp(format, "csv"), methods = !strcmp(format, "methods"),
         references = !strcmp(format, "references");
    if (csv && c->operands != 1)
        return error_usage(e, "csv holds one table: name one figure folder");
    if ((methods || references) && c->operands)
        return error_usage(e, "%s are of the whole database: no folders, please", format);
    sqlite3 *db = NULL;
    char **list = NULL;
    size_t found = 0;
    struct writer p = {.e = e};
    int rc = -1;
    if (database_open(&db, database, e))
        goto out;
    if (harness) {
        rc = harness_write(harness, db, &found, e);
        cli_note(c, "%zu files", rc ? 0 : found);
        found = 0;
        goto out;
    }
    if (methods || references) {
        if (put_rows(&p, db, methods ? methods_sql : references_sql, format, methods ? " " : "\n"))
            goto out;
    } else {
        if (!c->operands && figure_folders(reports, &list, &found, e))
            goto out;
        size_t count = c->operands ? (size_t)c->operands : found;
        for (size_t i = 0; i < count; i++) {
            struct figure *f;
            if (figure_load(&f, c->operands ? c->operand_list[i] : list[i], db, e))
                goto out;
            write_string(&p, i ? "\n" : "");
            int failed = put_figure(&p, f);
            figure_free(f);
            if (failed)
                goto out;
        }
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
        .revision = 3,
        .summary = "print figures of the database of results as tables",
        .operand = "[FOLDER ...]",
        .flags = CLI_OUTPUT | CLI_OPERANDS | CLI_TEXT_OUT | CLI_NO_INPUT,
        .options = options,
    };
    return cli_main(&c, argc, argv, run);
}

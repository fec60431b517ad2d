/* One figure folder as svg, pdf or png. */
#include <stdlib.h>
#include <string.h>

#include "chart.h"
#include "cli.h"
#include "draw.h"
#include "figure.h"
#include "output.h"
#include "pages.h"
#include "query.h"
#include "scarce.h"

static const char *database, *format;
static double width = 6.75, dpi = 300;
static bool title;

static struct cli_option options[] = {
    {.letter = 'D', .name = "database", .type = CLI_TEXT, .value = &database, .arg = "FILE",
     .help = "database made by analyze-load (needed)"},
    {.letter = 'f', .name = "format", .type = CLI_CHOICE, .value = &format, .arg = "FORMAT",
     .help = "svg, pdf or png (default: suffix of -o)", .choices = "svg|pdf|png"},
    {.name = "width", .type = CLI_REAL, .value = &width, .arg = "INCHES",
     .help = "width of the page", .min = 1.5, .max = 40},
    {.name = "dpi", .type = CLI_REAL, .value = &dpi, .arg = "N",
     .help = "pixels per inch of a png", .min = 36, .max = 1200},
    {.name = "title", .type = CLI_FLAG, .value = &title, .help = "put the figure's title on the page"},
    {.name = NULL},
};

static int format_of(const char *path, struct error *e)
{
    if (format)
        return 0;
    const char *dot = path ? strrchr(path, '.') : NULL;
    static const char *known[] = {"svg", "pdf", "png"};
    for (int i = 0; i < 3; i++)
        if (dot && !strcmp(dot + 1, known[i])) {
            format = known[i];
            return 0;
        }
    return error_usage(e, "%s: the name tells no format: use .svg, .pdf or .png, or -f",
                       path ? path : "standard output");
}

/* A table or samples as one page, as high as it needs; the page belongs to *pages. */
static struct drawing *typeset(struct pages **pages, const struct figure *f, struct error *e)
{
    struct draw_font head = {.size = 9, .bold = true, .color = 0x222222};
    size_t count;
    if (pages_new(pages, 72 * width, 0, 4, e) || (title && pages_text(*pages, f->title, head, e)))
        return NULL;
    pages_space(*pages, 6);
    if (f->kind == FIGURE_TABLE ? pages_figure_table(*pages, f, e) : pages_samples(*pages, f, e))
        return NULL;
    struct drawing *const *list = pages_list(*pages, &count, e);
    return list ? list[0] : NULL;
}

static int run(struct cli *c, struct error *e)
{
    if (!database)
        return error_usage(e, "the database is missing: -D FILE");
    if (c->operands != 1)
        return error_usage(e, "one figure folder, please: %d were given", c->operands);
    if (format_of(c->output, e))
        return -1;
    sqlite3 *db = NULL;
    struct figure *figure = NULL;
    struct drawing *drawing = NULL, *shown = NULL;
    struct pages *pages = NULL;
    struct buffer out = {0};
    int rc = -1;
    if (database_open(&db, database, e) || figure_load(&figure, c->operand_list[0], db, e))
        goto out;
    if (figure->kind < FIGURE_TABLE || figure_empty(figure)) {
        struct chart_options how = {.width = width, .title = title};
        if (chart_draw(&drawing, figure, &how, e))
            goto out;
        shown = drawing;
    } else if (!(shown = typeset(&pages, figure, e))) {
        goto out;
    }
    struct error crowded;
    if (drawing_check(shown, &crowded))
        cli_warn(c, "%s: %s: try a greater --width", figure->name, crowded.text);
    switch (format[1]) {
    case 'v':
        rc = drawing_svg(shown, &out, e);
        break;
    case 'd':
        rc = drawing_pdf(&shown, 1, draw_date(), figure->title, &out, e);
        break;
    default:
        rc = drawing_png(shown, dpi, &out, e);
    }
    if (!rc)
        rc = output_file(c->output, out.data, out.length, e);
out:
    buffer_free(&out);
    drawing_free(drawing);
    pages_free(pages);
    figure_free(figure);
    database_close(db);
    return rc;
}

int main(int argc, char **argv)
{
    struct cli c = {
        .name = "render-chart",
        .revision = 2,
        .summary = "draw a figure from the database of results",
        .operand = "FOLDER",
        .flags = CLI_OUTPUT | CLI_DRAWS | CLI_OPERANDS | CLI_NO_INPUT,
        .options = options,
    };
    return cli_main(&c, argc, argv, run);
}

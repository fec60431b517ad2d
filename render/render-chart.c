/* One figure folder as svg, pdf or png. */
#include <stdlib.h>
#include <string.h>

#include "chart.h"
#include "cli.h"
#include "draw.h"
#include "figure.h"
#include "output.h"
#include "query.h"

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
    struct drawing *drawing = NULL;
    struct buffer out = {0};
    int rc = -1;
    if (database_open(&db, database, e) || figure_load(&figure, c->operand_list[0], db, e))
        goto out;
    struct chart_options how = {.width = width, .title = title};
    if (chart_draw(&drawing, figure, &how, e))
        goto out;
    struct error crowded;
    if (drawing_check(drawing, &crowded))
        cli_warn(c, "%s: %s: try a greater --width", figure->name, crowded.text);
    switch (format[1]) {
    case 'v':
        rc = drawing_svg(drawing, &out, e);
        break;
    case 'd':
        rc = drawing_pdf(&drawing, 1, draw_date(), figure->title, &out, e);
        break;
    default:
        rc = drawing_png(drawing, dpi, &out, e);
    }
    if (!rc)
        rc = output_file(c->output, out.data, out.length, e);
out:
    buffer_free(&out);
    drawing_free(drawing);
    figure_free(figure);
    database_close(db);
    return rc;
}

int main(int argc, char **argv)
{
    struct cli c = {
        .name = "render-chart",
        .revision = 1,
        .summary = "draw a figure from the database of results",
        .operand = "FOLDER",
        .flags = CLI_OUTPUT | CLI_OPERANDS | CLI_NO_INPUT,
        .options = options,
    };
    return cli_main(&c, argc, argv, run);
}

/* Draws figures as renderers do and tells what a reader would stumble over: texts that overlap or leave the
 * page, a text over a plot, a series without a point.
 *   overlaps DATABASE FOLDER... */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "chart.h"
#include "draw.h"
#include "figure.h"
#include "query.h"

/* Marks are cut at their plot and this much around it. */
#define AROUND 4.0

static bool meet(const struct draw_box *a, const struct draw_box *plot)
{
    return a->x0 < plot->x1 - AROUND - 0.5 && a->x1 > plot->x0 + AROUND + 0.5 &&
           a->y0 < plot->y1 - AROUND - 0.5 && a->y1 > plot->y0 + AROUND + 0.5;
}

/* A text over a plot. */
static int plots_check(const struct drawing *d, struct error *e)
{
    for (size_t i = 0; i < drawing_count(d); i++) {
        const struct draw_item *text = drawing_item(d, i);
        for (size_t k = 0; text->kind == DRAW_TEXT && k < drawing_count(d); k++)
            if (drawing_item(d, k)->clipped && meet(&text->box, &drawing_item(d, k)->clip))
                return error_set(e, "the text \"%s\" stands in a plot", text->text);
    }
    return 0;
}

static int series_check(const struct figure *f, struct error *e)
{
    for (size_t i = 0; i < f->lines; i++) {
        bool any = false;
        for (size_t j = 0; j < f->line[i].count; j++)
            any = any || !isnan(f->line[i].point[j].y);
        if (!any)
            return error_set(e, "the series %s has no point in panel %zu of row %zu", f->series[f->line[i].series],
                             f->line[i].panel, f->line[i].row);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static const double widths[] = {6.75, 3.6, 3.25};
    struct error e = {0};
    sqlite3 *db = NULL;
    int bad = 0;
    if (argc < 3 || database_open(&db, argv[1], &e)) {
        fprintf(stderr, "overlaps DATABASE FOLDER...: %s\n", e.text);
        return 2;
    }
    for (int i = 2; i < argc; i++) {
        struct figure *f;
        if (figure_load(&f, argv[i], db, &e)) {
            printf("%s: %s\n", argv[i], e.text);
            bad = 1;
            continue;
        }
        if (f->kind < FIGURE_TABLE && series_check(f, &e)) {
            printf("%s: %s\n", argv[i], e.text);
            bad = 1;
        }
        for (size_t w = 0; f->kind < FIGURE_TABLE && w < sizeof widths / sizeof *widths; w++) {
            struct drawing *d = NULL;
            struct chart_options how = {.width = widths[w], .title = true};
            if (chart_draw(&d, f, &how, &e) || drawing_check(d, &e) || plots_check(d, &e)) {
                printf("%s at %g inches: %s\n", argv[i], widths[w], e.text);
                bad = 1;
            }
            drawing_free(d);
        }
        figure_free(f);
    }
    database_close(db);
    return bad;
}

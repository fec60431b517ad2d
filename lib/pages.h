/* Pages of flowing text, tables and drawings, as drawing lists: what report.pdf is made of, and how a
 * figure that is a table or samples becomes a picture. */
#ifndef KICK_PAGES_H
#define KICK_PAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "draw.h"
#include "error.h"
#include "figure.h"

struct pages;

/* Points. height 0: one page, as high as what is on it; otherwise pages of that height, with numbers. */
int pages_new(struct pages **out, double width, double height, double margin, struct error *e);
void pages_free(struct pages *p);

/* The width between the margins. */
double pages_width(const struct pages *p);

/* Words wrapped to the width; a newline in the text begins a line. */
int pages_text(struct pages *p, const char *text, struct draw_font font, struct error *e);
/* Two texts side by side, each in half of the width, kept on one page where they fit. */
int pages_beside(struct pages *p, const char *left, const char *right, struct draw_font font,
                 struct error *e);
void pages_space(struct pages *p, double points);
/* A new page unless so much is free on this one. */
int pages_need(struct pages *p, double points, struct error *e);
/* A drawing as wide as the text, not parted; smaller where a page cannot hold it with a heading and a caption. */
#define PAGES_BESIDE_DRAWING 90.0
int pages_drawing(struct pages *p, const struct drawing *d, struct error *e);
/* Rows of texts in columns (rows * columns of them, the first row the head); columns of numbers stand
 * right; texts that are too wide are wrapped. */
struct pages_table {
    const char *const *text;
    const bool *right, *bold; /* right: of each column; bold: of each text, or NULL */
    size_t rows, columns;
    bool grouped; /* a little space parts rows that differ in the first column */
};
int pages_table(struct pages *p, const struct pages_table *t, struct error *e);

/* A figure of the kind table or samples, or the table of any other. */
int pages_figure_table(struct pages *p, const struct figure *f, struct error *e);
/* The first dozen; how many more there are is said. */
int pages_samples(struct pages *p, const struct figure *f, struct error *e);

/* Finishes the pages and lends them. */
struct drawing *const *pages_list(struct pages *p, size_t *count, struct error *e);

#endif
